/* test-utf8.c: every validator of UTF-8 against a decoder that is written down here
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "framer/short-ascii.h"
#include "framer/utf8.h"
#include "runners.h"

#define MAX_KERNELS 8
#define LONGEST 300 /* bytes of ASCII around a sequence */
#define X32 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static S9wsUtf8Kernel kernels[MAX_KERNELS + 1];
static gsize n_kernels;

/* The oracle: takes the bits out, then writes the character in its one valid form. */

static gsize
write_character (guint32  c,
                 guint8  *bytes)
{
  static const guint8 leads[] = { 0, 0x00, 0xc0, 0xe0, 0xf0 };
  gsize size = 1 + (c >= 0x80) + (c >= 0x800) + (c >= 0x10000);

  for (gsize i = size; i-- > 1; c >>= 6)
    bytes[i] = (guint8) (0x80 + c % 0x40);
  bytes[0] = (guint8) (leads[size] + c);
  return size;
}

/* The size of the character at the start, or 0. */
static gsize
read_character (const guint8 *data,
                gsize         size)
{
  static const guint32 bits[] = { 0x7f, 0, 0x1f, 0x0f, 0x07 };
  gsize expected = 0;
  guint8 written[4];
  guint32 c;

  while (expected < 5 && (data[0] & (0x80 >> expected)) != 0)
    expected++;
  if (expected == 1 || expected == 5)
    return 0;

  c = data[0] & bits[expected];
  if (expected == 0)
    expected = 1;
  if (expected > size)
    return 0;

  for (gsize i = 1; i < expected; i++)
    c = c * 64 + data[i] % 64;
  if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
    return 0;

  return write_character (c, written) == expected && memcmp (written, data, expected) == 0 ? expected : 0;
}

static gboolean
is_valid (const guint8 *data,
          gsize         size)
{
  while (size > 0)
    {
      gsize character = read_character (data, size);

      if (character == 0)
        return FALSE;
      data += character;
      size -= character;
    }

  return TRUE;
}

/* Whether a text can begin like this: it is valid, or some continuation makes it so. */
static gboolean
can_begin (const guint8 *data,
           gsize         size)
{
  static const guint8 seconds[] = { 0x80, 0x90, 0xa0 };
  guint8 whole[LONGEST + 3];

  if (is_valid (data, size))
    return TRUE;

  memcpy (whole, data, size);
  memset (whole + size, 0x80, 3);
  for (gsize more = 1; more <= 3; more++)
    for (gsize i = 0; i < G_N_ELEMENTS (seconds); i++)
      {
        whole[size] = seconds[i];
        if (is_valid (whole, size + more))
          return TRUE;
      }

  return FALSE;
}

static void
check (const guint8 *data,
       gsize         size,
       gboolean      expected)
{
  for (gsize i = 0; i < n_kernels; i++)
    if (kernels[i].is_valid (data, size) != expected)
      {
        g_autoptr (GString) text = g_string_new (NULL);

        for (gsize j = 0; j < size; j++)
          g_string_append_printf (text, " %02x", data[j]);
        g_test_message ("%s, of %" G_GSIZE_FORMAT " bytes:%s", kernels[i].name, size, text->str);
        g_assert_true (kernels[i].is_valid (data, size) == expected);
      }
}

/* All there is */

static void
test_oracle (void)
{
  guint n = 0;

  for (guint32 c = 0; c < 0x200000; c++)
    {
      guint8 bytes[4];
      gsize size = write_character (c, bytes);

      if (is_valid (bytes, size))
        n++;
      check (bytes, size, c <= 0x10ffff && (c < 0xd800 || c > 0xdfff));
    }
  g_assert_cmpuint (n, ==, 0x110000 - 0x800);
}

static void
test_up_to_three (void)
{
  guint8 bytes[3] = { 0 };

  check (bytes, 0, TRUE);
  for (guint n = 0; n < 1 << 24; n++)
    {
      bytes[0] = (guint8) (n >> 16);
      bytes[1] = (guint8) (n >> 8);
      bytes[2] = (guint8) n;
      check (bytes, 3, is_valid (bytes, 3));
      if (bytes[2] == 0)
        check (bytes, 2, is_valid (bytes, 2));
      if (bytes[2] == 0 && bytes[1] == 0)
        check (bytes, 1, is_valid (bytes, 1));
    }
}

/* Where the rules change from one byte to the next. */
static const guint8 boundaries[] = {
  0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec,
  0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xfb, 0xfc, 0xfe, 0xff
};

#define N_BOUNDARIES G_N_ELEMENTS (boundaries)
#define N_FOURS (N_BOUNDARIES * N_BOUNDARIES * N_BOUNDARIES * N_BOUNDARIES)

static void
get_four (gsize   n,
          guint8 *bytes)
{
  for (gsize i = 0; i < 4; i++, n /= N_BOUNDARIES)
    bytes[i] = boundaries[n % N_BOUNDARIES];
}

/* At a text's begin, and where vectors meet. */
static void
test_four (void)
{
  guint8 bytes[36];

  for (gsize n = 0; n < N_FOURS; n++)
    {
      gsize at = 29 + n % 3;
      gboolean expected;

      memset (bytes, 'x', sizeof bytes);
      get_four (n, bytes);
      expected = is_valid (bytes, 4);
      check (bytes, 4, expected);
      memmove (bytes + at, bytes, 4);
      memset (bytes, 'x', 4);
      check (bytes, sizeof bytes, expected);
    }
}

/* The same a byte at a time: it fails as soon as it can, and not before. */
static void
test_feed_four (void)
{
  for (gsize n = 0; n < N_FOURS; n++)
    {
      S9wsUtf8 utf8 = { 0 };
      guint8 bytes[4];

      get_four (n, bytes);
      for (gsize size = 1; size <= 4; size++)
        {
          gboolean expected = can_begin (bytes, size);

          if (s9ws_utf8_feed (&utf8, bytes + size - 1, 1) != expected)
            g_error ("%02x %02x %02x %02x: wrong at the %" G_GSIZE_FORMAT "th", bytes[0], bytes[1], bytes[2], bytes[3], size);
          if (!expected)
            break;
          g_assert_true (s9ws_utf8_is_complete (&utf8) == is_valid (bytes, size));
        }
    }
}

/* Sequences amid others */

static const struct
{
  const char *name;
  const char *bytes;
  gsize size;
  gboolean is_valid;
} sequences[] = {
  /* clang-format off */
  { "nothing", BYTES (""), TRUE },
  { "nul", BYTES ("\0"), TRUE },
  { "del", BYTES ("\x7f"), TRUE },
  { "two", BYTES ("\xc2\x80"), TRUE },
  { "two-last", BYTES ("\xdf\xbf"), TRUE },
  { "three", BYTES ("\xe0\xa0\x80"), TRUE },
  { "before-surrogates", BYTES ("\xed\x9f\xbf"), TRUE },
  { "behind-surrogates", BYTES ("\xee\x80\x80"), TRUE },
  { "three-last", BYTES ("\xef\xbf\xbf"), TRUE },
  { "four", BYTES ("\xf0\x90\x80\x80"), TRUE },
  { "four-last", BYTES ("\xf4\x8f\xbf\xbf"), TRUE },
  { "mixed", BYTES ("\xc3\xa4z\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa4"), TRUE },
  { "many", BYTES ("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
                   "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"), TRUE },
  { "continuation", BYTES ("\x80"), FALSE },
  { "continuation-last", BYTES ("\xbf"), FALSE },
  { "two-overlong", BYTES ("\xc0\x80"), FALSE },
  { "two-overlong-last", BYTES ("\xc1\xbf"), FALSE },
  { "two-cut-off", BYTES ("\xc2"), FALSE },
  { "two-and-one", BYTES ("\xc2\x80\x80"), FALSE },
  { "three-overlong", BYTES ("\xe0\x9f\xbf"), FALSE },
  { "three-cut-off-at-1", BYTES ("\xe2"), FALSE },
  { "three-cut-off-at-2", BYTES ("\xe2\x82"), FALSE },
  { "three-and-one", BYTES ("\xe2\x82\xac\x80"), FALSE },
  { "surrogate", BYTES ("\xed\xa0\x80"), FALSE },
  { "surrogate-last", BYTES ("\xed\xbf\xbf"), FALSE },
  { "four-overlong", BYTES ("\xf0\x8f\xbf\xbf"), FALSE },
  { "four-cut-off-at-1", BYTES ("\xf0"), FALSE },
  { "four-cut-off-at-2", BYTES ("\xf0\x9f"), FALSE },
  { "four-cut-off-at-3", BYTES ("\xf0\x9f\x98"), FALSE },
  { "four-and-one", BYTES ("\xf0\x9f\x98\x80\x80"), FALSE },
  { "too-large", BYTES ("\xf4\x90\x80\x80"), FALSE },
  { "too-large-first", BYTES ("\xf5\x80\x80\x80"), FALSE },
  { "five", BYTES ("\xf8\x88\x80\x80\x80"), FALSE },
  { "six", BYTES ("\xfc\x84\x80\x80\x80\x80"), FALSE },
  { "fe", BYTES ("\xfe"), FALSE },
  { "ff", BYTES ("\xff"), FALSE },
  { "open-before-ascii", BYTES ("\xc3" X32 X32 X32 X32 "\xa4"), FALSE },
  { "latin-1", BYTES ("\xe4z"), FALSE },
  { "lead-lead", BYTES ("\xc3\xc3\xa4"), FALSE },
  /* clang-format on */
};

/* Amid ASCII of any length, against the page's end. */
static void
test_places (void)
{
  g_auto (Guard) guard = { 0 };

  guard_init (&guard, 2 * LONGEST);
  for (gsize s = 0; s < G_N_ELEMENTS (sequences); s++)
    {
      g_test_message ("%s", sequences[s].name);
      g_assert_true (is_valid ((const guint8 *) sequences[s].bytes, sequences[s].size) == sequences[s].is_valid);
      for (gsize around = 0; around <= LONGEST; around += around < 140 ? 1 : 13)
        {
          gsize size = around + sequences[s].size;
          guint8 *data = guard.end - size;

          for (gsize at = 0; at <= around; at++)
            {
              memset (data, 'a', size);
              memcpy (data + at, sequences[s].bytes, sequences[s].size);
              check (data, size, sequences[s].is_valid);
            }
        }
    }
}

/* One byte that is not ASCII, at every place of every length; with nothing behind, and with
 * nothing before. */
static void
test_short_ascii (void)
{
  g_auto (Guard) guard = { 0 };

  guard_init (&guard, LONGEST);
  for (gsize size = 0; size <= LONGEST; size++)
    for (guint side = 0; side < 2; side++)
      {
        guint8 *data = side == 0 ? guard.begin : guard.end - size;

        memset (data, 0x7f, size);
        g_assert_true (s9ws_utf8_is_short_ascii (data, size));
        check (data, size, TRUE);
        for (gsize at = 0; at < size; at++)
          {
            data[at] = 0x80;
            g_assert_false (s9ws_utf8_is_short_ascii (data, size));
            check (data, size, FALSE);
            data[at] = 0x7f;
          }
      }
}

/* Fills @data with characters of all sizes. */
static gsize
make_text (GRand  *rand,
           guint8 *data,
           gsize   size)
{
  static const guint32 limits[] = { 0x80, 0x80, 0x800, 0x10000, 0x110000 };
  gsize written = 0;

  while (written + 4 <= size)
    {
      guint32 c = (guint32) g_rand_int_range (rand, 0, (gint32) limits[g_rand_int_range (rand, 0, G_N_ELEMENTS (limits))]);

      if (c < 0xd800 || c > 0xdfff)
        written += write_character (c, data + written);
    }

  return written;
}

/* Texts of all characters, and with one byte changed. */
static void
test_random (void)
{
  g_auto (Guard) guard = { 0 };
  GRand *rand = g_rand_new_with_seed (3629);
  guint n_invalid = 0;

  guard_init (&guard, LONGEST + 64);
  for (guint i = 0; i < 100000; i++)
    {
      guint8 text[LONGEST];
      gsize size = make_text (rand, text, (gsize) g_rand_int_range (rand, 4, LONGEST));
      guint8 *data = guard_place (&guard, text, size);

      check (data, size, TRUE);
      data[g_rand_int_range (rand, 0, (gint32) size)] = (guint8) g_rand_int (rand);
      n_invalid += !is_valid (data, size);
      check (data, size, is_valid (data, size));
    }
  g_assert_cmpuint (n_invalid, >, 10000);
  g_rand_free (rand);
}

/* In pieces */

typedef struct
{
  Guard guard;
  const guint8 *text;
  gsize size;
  gsize fails_at; /* so many bytes cannot begin a text; 0 if all can */
} Fed;

static void
feed_pieces (const Cut *cut,
             gpointer   user_data)
{
  Fed *fed = user_data;
  S9wsUtf8 utf8 = { 0 };
  gsize from = 0;

  for (gsize i = 0; i < cut->n_ends; i++)
    {
      gsize end = cut->ends[i];
      gboolean is_bad = fed->fails_at != 0 && end >= fed->fails_at;

      if (s9ws_utf8_feed (&utf8, guard_place (&fed->guard, fed->text + from, end - from), end - from) == is_bad)
        {
          g_autofree char *text = cut_dup_text (cut);

          g_error ("cut at %s: wrong at %" G_GSIZE_FORMAT, text, end);
        }
      if (is_bad)
        return;
      g_assert_true (s9ws_utf8_is_complete (&utf8) == is_valid (fed->text, end));
      from = end;
    }
}

static gsize
find_failure (const guint8 *text,
              gsize         size)
{
  for (gsize n = 1; n <= size; n++)
    if (!can_begin (text, n))
      return n;

  return 0;
}

static void
test_feed (gconstpointer data)
{
  CutKind kind = GPOINTER_TO_UINT (data);
  static const gsize befores[] = { 0, 1, 2, 3, 60, 63, 130 };
  guint8 text[LONGEST];
  Fed fed = { .text = text };

  guard_init (&fed.guard, sizeof text);
  for (gsize s = 0; s < G_N_ELEMENTS (sequences); s++)
    for (gsize b = 0; b < G_N_ELEMENTS (befores); b++)
      for (gsize behind = 0; behind < 3; behind++)
        {
          memset (text, 'a', sizeof text);
          memcpy (text + befores[b], sequences[s].bytes, sequences[s].size);
          fed.size = befores[b] + sequences[s].size + behind;
          fed.fails_at = find_failure (text, fed.size);
          for_each_cut (kind, fed.size, feed_pieces, &fed);
        }
  guard_clear (&fed.guard);
}

static void
test_feed_nothing (void)
{
  S9wsUtf8 utf8 = { 0 };

  g_assert_true (s9ws_utf8_feed (&utf8, (const guint8 *) "", 0));
  g_assert_true (s9ws_utf8_feed (&utf8, (const guint8 *) "\xe2", 1));
  g_assert_true (s9ws_utf8_feed (&utf8, (const guint8 *) "", 0));
  g_assert_false (s9ws_utf8_is_complete (&utf8));
  g_assert_true (s9ws_utf8_feed (&utf8, (const guint8 *) "\x82\xac", 2));
  g_assert_true (s9ws_utf8_is_complete (&utf8));
}

static void
test_choice (void)
{
  S9wsUtf8Kernel one[1];

  g_assert_cmpuint (n_kernels, >=, 2);
  g_assert_cmpstr (kernels[0].name, ==, "scalar");
#ifdef __x86_64__
  g_assert_cmpuint (n_kernels, ==, 2u + (__builtin_cpu_supports ("ssse3") != 0) + (__builtin_cpu_supports ("avx2") != 0) + (__builtin_cpu_supports ("avx512vbmi2") != 0));
#endif
  g_assert_cmpuint (s9ws_utf8_get_kernels (one, 1), ==, 1);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  n_kernels = s9ws_utf8_get_kernels (kernels, MAX_KERNELS);
  kernels[n_kernels++] = (S9wsUtf8Kernel){ "chosen", s9ws_utf8_is_valid };

  g_test_add_func ("/utf8/choice", test_choice);
  g_test_add_func ("/utf8/oracle", test_oracle);
  g_test_add_func ("/utf8/up-to-three", test_up_to_three);
  g_test_add_func ("/utf8/four", test_four);
  g_test_add_func ("/utf8/places", test_places);
  g_test_add_func ("/utf8/short-ascii", test_short_ascii);
  g_test_add_func ("/utf8/random", test_random);
  g_test_add_func ("/utf8/feed/four", test_feed_four);
  g_test_add_func ("/utf8/feed/nothing", test_feed_nothing);
  for (guint kind = 0; kind < N_CUTS; kind++)
    {
      g_autofree char *path = g_strconcat ("/utf8/feed/", cut_names[kind], NULL);

      g_test_add_data_func (path, GUINT_TO_POINTER (kind), test_feed);
    }

  return g_test_run ();
}
