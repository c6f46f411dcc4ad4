/* test-mask.c: every implementation of the mask against the bytes that it should give
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "framer/mask.h"
#include "runners.h"

#define MAX_KERNELS 8
#define ALIGNMENTS 64
#define LONGEST 600 /* bytes of the lengths that are tried one by one */
#define CANARY 0xa5
#define MARGIN 64 /* bytes of canaries on either side */

static const guint8 masks[][4] = {
  { 0x12, 0x34, 0x56, 0x78 },
  { 0x00, 0x00, 0x00, 0x00 },
  { 0xff, 0xff, 0xff, 0xff },
  { 0x80, 0x00, 0x00, 0x01 },
};

/* On either side of where an implementation changes from one step to the next. */
static const gsize edges[] = {
  0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 31, 32, 33, 47, 63, 64, 65, 95, 127, 128, 129,
  191, 255, 256, 257, 287, 319, 511, 512, 513, 600
};

static guint8 *pattern;

/* The rule of RFC 6455, section 5.3, and nothing else. */
static void
compute (guint8       *target,
         const guint8 *source,
         gsize         size,
         const guint8  mask[4],
         gsize         offset)
{
  for (gsize i = 0; i < size; i++)
    target[i] = source[i] ^ mask[(offset + i) % 4];
}

/* Checks one call; @target has MARGIN bytes before and behind. */
static void
check (const S9wsMaskKernel *kernel,
       guint8               *target,
       const guint8         *source,
       gsize                 size,
       const guint8          mask[4],
       gsize                 offset,
       const guint8         *expected)
{
  static const guint8 canaries[MARGIN] = { [0 ... MARGIN - 1] = CANARY };

  memset (target - MARGIN, CANARY, MARGIN);
  memset (target + size, CANARY, MARGIN);
  kernel->copy (target, source, size, mask, offset);
  if (memcmp (target, expected, size) != 0 || memcmp (target - MARGIN, canaries, MARGIN) != 0 ||
      memcmp (target + size, canaries, MARGIN) != 0)
    {
      g_test_message ("%s: %" G_GSIZE_FORMAT " bytes from %p to %p, offset %" G_GSIZE_FORMAT, kernel->name,
                      size, source, target, offset);
      g_assert_cmpmem (target, size, expected, size);
      g_assert_cmpmem (target - MARGIN, MARGIN, canaries, MARGIN);
      g_assert_cmpmem (target + size, MARGIN, canaries, MARGIN);
    }
}

typedef struct
{
  guint8 source[ALIGNMENTS + LONGEST] __attribute__ ((aligned (ALIGNMENTS)));
  guint8 target[MARGIN + ALIGNMENTS + LONGEST + MARGIN] __attribute__ ((aligned (ALIGNMENTS)));
  guint8 expected[LONGEST];
} Buffers;

/* Every alignment of the source with every one of the target. */
static void
test_alignments (gconstpointer data)
{
  const S9wsMaskKernel *kernel = data;
  static Buffers buffers;

  for (gsize e = 0; e < G_N_ELEMENTS (edges); e++)
    for (gsize offset = 0; offset < 4; offset++)
      {
        compute (buffers.expected, pattern, edges[e], masks[0], offset);
        for (gsize from = 0; from < ALIGNMENTS; from++)
          {
            memcpy (buffers.source + from, pattern, edges[e]);
            for (gsize to = 0; to < ALIGNMENTS; to++)
              check (kernel, buffers.target + MARGIN + to, buffers.source + from, edges[e], masks[0], offset, buffers.expected);
          }
      }
}

/* Every length, at every alignment of the source, with every mask, in place as well. */
static void
test_lengths (gconstpointer data)
{
  const S9wsMaskKernel *kernel = data;
  static Buffers buffers;

  for (gsize size = 0; size <= LONGEST; size++)
    for (gsize n = 0; n < 4 * G_N_ELEMENTS (masks); n++)
      {
        const guint8 *mask = masks[n / 4];
        gsize offset = n % 4;

        compute (buffers.expected, pattern, size, mask, offset);
        for (gsize from = 0; from < ALIGNMENTS; from += 1 + n % 7)
          {
            guint8 *target = buffers.target + MARGIN + from;

            memcpy (buffers.source + from, pattern, size);
            check (kernel, buffers.target + MARGIN + (from * 7 + n) % ALIGNMENTS, buffers.source + from, size, mask, offset, buffers.expected);
            memcpy (target, pattern, size);
            check (kernel, target, target, size, mask, offset, buffers.expected);
          }
      }
}

/* Only an offset's last two bits count. */
static void
test_offsets (gconstpointer data)
{
  const S9wsMaskKernel *kernel = data;
  static const gsize offsets[] = { 4, 5, 6, 7, 1001, G_MAXSIZE, G_MAXSIZE - 1, G_MAXSIZE - 2, G_MAXSIZE - 3 };
  guint8 target[MARGIN + 300 + MARGIN];
  guint8 expected[300];

  for (gsize i = 0; i < G_N_ELEMENTS (offsets); i++)
    for (gsize size = 0; size <= sizeof expected; size++)
      {
        compute (expected, pattern, size, masks[0], offsets[i] % 4);
        check (kernel, target + MARGIN, pattern, size, masks[0], offsets[i], expected);
      }
}

static void
test_large (gconstpointer data)
{
  const S9wsMaskKernel *kernel = data;
  static const gsize sizes[] = { 4095, 4096, 65535, 65536, 65537, 1000003 };
  g_autofree guint8 *source = g_malloc (1000003 + 3);
  g_autofree guint8 *target = g_malloc (MARGIN + 1000003 + 5 + MARGIN);
  g_autofree guint8 *expected = g_malloc (1000003);

  for (gsize i = 0; i < 1000003 + 3; i++)
    source[i] = (guint8) (i * 31 + i / 255);

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    for (gsize offset = 0; offset < 4; offset++)
      {
        compute (expected, source + 3, sizes[i], masks[0], offset);
        check (kernel, target + MARGIN + 5, source + 3, sizes[i], masks[0], offset, expected);
      }
}

/* Source and target with nothing before and nothing behind. */
static void
test_guarded (gconstpointer data)
{
  const S9wsMaskKernel *kernel = data;
  g_auto (Guard) from = { 0 };
  g_auto (Guard) to = { 0 };
  guint8 expected[LONGEST];

  guard_init (&from, LONGEST);
  guard_init (&to, LONGEST);
  for (gsize size = 0; size <= LONGEST; size++)
    {
      guint8 *source = guard_place (&from, pattern, size);
      gsize offset = size % 4;

      compute (expected, pattern, size, masks[0], offset);
      memset (to.begin, CANARY, (gsize) (to.end - to.begin));
      kernel->copy (to.end - size, source, size, masks[0], offset);
      g_assert_cmpmem (to.end - size, size, expected, size);
      g_assert_cmpuint (*(to.end - size - 1), ==, CANARY);

      memcpy (from.begin, pattern, size);
      kernel->copy (to.begin, from.begin, size, masks[0], offset);
      g_assert_cmpmem (to.begin, size, expected, size);

      memcpy (to.end - size, pattern, size);
      kernel->copy (to.end - size, to.end - size, size, masks[0], offset);
      g_assert_cmpmem (to.end - size, size, expected, size);
    }
}

static void
test_choice (void)
{
  S9wsMaskKernel kernels[MAX_KERNELS];
  gsize n = s9ws_mask_get_kernels (kernels, MAX_KERNELS);

  g_assert_cmpuint (n, >=, 2);
  g_assert_cmpstr (kernels[0].name, ==, "bytes");
#ifdef __x86_64__
  g_assert_cmpstr (kernels[2].name, ==, "sse2");
  g_assert_cmpuint (n, ==, __builtin_cpu_supports ("avx2") ? 4 : 3);
#endif
  g_assert_cmpuint (s9ws_mask_get_kernels (kernels, 1), ==, 1);
}

int
main (int    argc,
      char **argv)
{
  static const struct
  {
    const char *name;
    GTestDataFunc function;
  } tests[] = {
    { "alignments", test_alignments },
    { "lengths", test_lengths },
    { "offsets", test_offsets },
    { "large", test_large },
    { "guarded", test_guarded },
  };
  static S9wsMaskKernel kernels[MAX_KERNELS + 1];
  gsize n_kernels;
  int status;

  g_test_init (&argc, &argv, NULL);
  pattern = g_malloc (LONGEST);
  for (gsize i = 0; i < LONGEST; i++)
    pattern[i] = (guint8) (i * 131 + i / 256 + 7);

  n_kernels = s9ws_mask_get_kernels (kernels, MAX_KERNELS);
  kernels[n_kernels++] = (S9wsMaskKernel){ "chosen", s9ws_mask_copy };

  g_test_add_func ("/mask/choice", test_choice);
  for (gsize k = 0; k < n_kernels; k++)
    for (gsize t = 0; t < G_N_ELEMENTS (tests); t++)
      {
        g_autofree char *path = g_strconcat ("/mask/", kernels[k].name, "/", tests[t].name, NULL);

        g_test_add_data_func (path, &kernels[k], tests[t].function);
      }

  status = g_test_run ();
  g_free (pattern);
  return status;
}
