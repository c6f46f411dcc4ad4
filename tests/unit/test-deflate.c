/* test-deflate.c: permessage-deflate in the framer: agreed on, compressed and inflated
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <glib.h>
#include <string.h>

#include "framer/extension.h"
#include "framer/message.h"

#define BYTES(literal) literal, sizeof (literal) - 1
#define MAX_SIZE (128 * 1024)

static gsize n_allocated; /* blocks that zlib holds */

static void *
allocate (void     *opaque,
          unsigned  n,
          unsigned  size)
{
  n_allocated++;
  return g_malloc_n (n, size);
}

static void
release (void *opaque,
         void *data)
{
  n_allocated--;
  g_free (data);
}

static const S9wsDeflateMemory memory = { allocate, release };

/* A decoder with all that it needs. */
typedef struct
{
  S9wsMessageDecoder decoder;
  S9wsInflater inflater;
  S9wsInflated inflated;
  S9wsWindow window;
  GString *log;
} Receiver;

typedef struct
{
  guint bits;
  gboolean takes_over;
  guint64 max_message_size;
  guint64 max_piece_size;
} Setup;

static void
receiver_init (Receiver    *receiver,
               const Setup *setup)
{
  memset (receiver, 0, sizeof *receiver);
  receiver->log = g_string_new (NULL);
  s9ws_message_decoder_init (&receiver->decoder, S9WS_ROLE_CLIENT, 0, setup->max_message_size);
  if (setup->bits != 0)
    {
      s9ws_inflater_init (&receiver->inflater, &memory, setup->bits, setup->takes_over);
      s9ws_message_decoder_use_inflater (&receiver->decoder, &receiver->inflater, &receiver->inflated);
    }
  if (setup->max_piece_size != 0)
    s9ws_message_decoder_use_pieces (&receiver->decoder, setup->max_piece_size);
}

static void
receiver_clear (Receiver *receiver)
{
  s9ws_inflater_release (&receiver->inflater);
  g_free (receiver->inflated.data);
  g_free (receiver->window.data);
  g_string_free (receiver->log, TRUE);
}

static void
log_message (GString           *log,
             const S9wsMessage *message)
{
  static const char *const names[] = { "?", "text", "binary", "?", "?", "?", "?", "?", "close", "ping", "pong" };

  if (message->opcode == S9WS_MESSAGE_PIECE)
    g_string_append_printf (log, "%s%s%s(", (message->piece_flags & S9WS_PIECE_IS_FIRST) != 0 ? "first-" : "",
                            (message->piece_flags & S9WS_PIECE_IS_LAST) != 0 ? "last-" : "",
                            (message->piece_flags & S9WS_PIECE_IS_TEXT) != 0 ? "text" : "binary");
  else
    g_string_append_printf (log, "%s(", names[message->opcode]);

  for (gsize i = 0; i < message->size; i++)
    if (g_ascii_isprint (message->data[i]))
      g_string_append_c (log, (char) message->data[i]);
    else
      g_string_append_printf (log, "\\%02x", message->data[i]);
  g_string_append (log, ").");
}

/* What was inflated is at the end of its buffer. */
static void
receiver_grow (Receiver *receiver,
               gsize     step)
{
  S9wsInflated *inflated = &receiver->inflated;
  guint8 *data = g_malloc (inflated->capacity + step);

  if (inflated->size > 0)
    memcpy (data, inflated->data, inflated->size);
  g_free (inflated->data);
  inflated->data = data;
  inflated->capacity += step;
}

static S9wsMessageResult
receiver_next (Receiver    *receiver,
               S9wsMessage *message,
               gsize        step)
{
  S9wsMessageResult result;

  while ((result = s9ws_message_decoder_next (&receiver->decoder, &receiver->window, message)) == S9WS_MESSAGE_NO_ROOM)
    receiver_grow (receiver, step);

  return result;
}

/* Each step of it moves to a buffer of its own. */
static void
receiver_add (Receiver     *receiver,
              const guint8 *data,
              gsize         size)
{
  S9wsWindow *window = &receiver->window;
  gsize kept = window->end - window->begin;
  guint8 *buffer = g_malloc (kept + size);

  if (kept > 0)
    memcpy (buffer, window->data + window->begin, kept);
  if (size > 0)
    memcpy (buffer + kept, data, size);
  g_free (window->data);
  *window = (S9wsWindow){ buffer, 0, kept + size };
}

/* The log of all that @data has, given to the decoder @step bytes at a time. */
static void
receive (Receiver     *receiver,
         const guint8 *data,
         gsize         size,
         gsize         step)
{
  S9wsMessageResult result = S9WS_MESSAGE_INCOMPLETE;

  for (gsize i = 0; i < size && result != S9WS_MESSAGE_VIOLATION; i += step)
    {
      S9wsMessage message;

      receiver_add (receiver, data + i, MIN (step, size - i));
      while ((result = receiver_next (receiver, &message, step)) == S9WS_MESSAGE_READY)
        log_message (receiver->log, &message);
    }

  if (result == S9WS_MESSAGE_VIOLATION)
    g_string_append_printf (receiver->log, "!%s", s9ws_violation_get_name (s9ws_message_decoder_get_violation (&receiver->decoder)));
}

/* Receiving */

typedef struct
{
  const char *name;
  Setup setup;
  const char *input;
  gsize size;
  const char *log;
} Vector;

#define TAKEOVER      \
  {                   \
    15, TRUE, 1000, 0 \
  }
#define NO_TAKEOVER    \
  {                    \
    15, FALSE, 1000, 0 \
  }
#define SMALL      \
  {                \
    15, TRUE, 5, 0 \
  }
#define UNAGREED      \
  {                   \
    0, FALSE, 1000, 0 \
  }
#define HELLO "\xf2\x48\xcd\xc9\xc9\x07\x00"

/* clang-format off */
static const Vector vectors[] = {
  /* The examples of RFC 7692, section 7.2.3. */
  { "hello", TAKEOVER, BYTES ("\xc1\x07" HELLO), "text(Hello)." },
  { "hello-fragments", TAKEOVER, BYTES ("\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00"), "text(Hello)." },
  { "hello-twice", TAKEOVER, BYTES ("\xc1\x07" HELLO "\xc1\x07" HELLO), "text(Hello).text(Hello)." },
  { "hello-taken-over", TAKEOVER, BYTES ("\xc1\x07" HELLO "\xc1\x05\xf2\x00\x11\x00\x00"), "text(Hello).text(Hello)." },
  { "hello-stored", TAKEOVER, BYTES ("\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), "text(Hello)." },
  { "hello-final-block", TAKEOVER, BYTES ("\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), "text(Hello)." },
  { "hello-two-blocks", TAKEOVER, BYTES ("\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), "text(Hello)." },

  { "binary", TAKEOVER, BYTES ("\xc2\x07" HELLO), "binary(Hello)." },
  { "without-takeover", NO_TAKEOVER, BYTES ("\xc1\x07" HELLO "\xc1\x07" HELLO), "text(Hello).text(Hello)." },
  { "taken-over-without-takeover", NO_TAKEOVER, BYTES ("\xc1\x07" HELLO "\xc1\x05\xf2\x00\x11\x00\x00"), "text(Hello).!compressed data" },
  { "final-block-then-taken-over", TAKEOVER, BYTES ("\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00\xc1\x05\xf2\x00\x11\x00\x00"), "text(Hello).text(Hello)." },
  { "final-block-alone", TAKEOVER, BYTES ("\xc1\x07\xf3\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00"), "text(Hello).text(Hello)." },
  { "final-block-in-the-middle", TAKEOVER, BYTES ("\xc2\x0e\xf3\x48\xcd\xc9\xc9\x07\x00" HELLO), "binary(HelloHello)." },
  { "empty-as-advised", TAKEOVER, BYTES ("\xc1\x01\x00\xc1\x07" HELLO), "text().text(Hello)." },
  { "empty-block", TAKEOVER, BYTES ("\xc1\x02\x02\x00\xc1\x07" HELLO), "text().text(Hello)." },
  { "empty-payload", TAKEOVER, BYTES ("\xc1\x00\xc1\x07" HELLO "\xc1\x00"), "text().text(Hello).text()." },
  { "empty-fragments", TAKEOVER, BYTES ("\x41\x00\x00\x07" HELLO "\x00\x00\x80\x00"), "text(Hello)." },
  { "empty-last-fragment", TAKEOVER, BYTES ("\x41\x0b" HELLO "\x00\x00\xff\xff\x80\x01\x00"), "text(Hello)." },
  { "uncompressed-between", TAKEOVER, BYTES ("\xc1\x07" HELLO "\x81\x01x\x82\x00\xc1\x05\xf2\x00\x11\x00\x00"), "text(Hello).text(x).binary().text(Hello)." },
  { "uncompressed-fragments", TAKEOVER, BYTES ("\x01\x03Hel\x80\x02lo\xc1\x07" HELLO), "text(Hello).text(Hello)." },
  { "ping-between", TAKEOVER, BYTES ("\x41\x03\xf2\x48\xcd\x89\x01?\x80\x04\xc9\xc9\x07\x00\x81\x01x"), "ping(?).text(Hello).text(x)." },
  { "pings-before-the-end", TAKEOVER, BYTES ("\x41\x07" HELLO "\x89\x01" "a\x8a\x01" "b\x80\x00\x89\x00"), "ping(a).pong(b).text(Hello).ping()." },
  { "close-between", TAKEOVER, BYTES ("\x41\x03\xf2\x48\xcd\x88\x02\x03\xe8"), "close()." },

  { "not-agreed-on", UNAGREED, BYTES ("\xc1\x07" HELLO), "!reserved bits" },
  { "on-continuation", TAKEOVER, BYTES ("\x41\x03\xf2\x48\xcd\xc0\x04\xc9\xc9\x07\x00"), "!reserved bits" },
  { "on-later-continuation", TAKEOVER, BYTES ("\x01\x01x\xc0\x04\xc9\xc9\x07\x00"), "!reserved bits" },
  { "on-ping", TAKEOVER, BYTES ("\xc9\x00"), "!reserved bits" },
  { "on-close", TAKEOVER, BYTES ("\xc8\x00"), "!reserved bits" },
  { "rsv2", TAKEOVER, BYTES ("\xa1\x01x"), "!reserved bits" },
  { "rsv3", TAKEOVER, BYTES ("\x91\x01x"), "!reserved bits" },
  { "rsv1-and-rsv2", TAKEOVER, BYTES ("\xe1\x07" HELLO), "!reserved bits" },

  { "bad-block-type", TAKEOVER, BYTES ("\xc1\x01\x07"), "!compressed data" },
  { "bad-stored-length", TAKEOVER, BYTES ("\xc1\x05\x00\x05\x00\x00\x00"), "!compressed data" },
  { "too-far-back", TAKEOVER, BYTES ("\xc1\x05\xf2\x00\x11\x00\x00"), "!compressed data" },
  { "ends-within-block", TAKEOVER, BYTES ("\xc2\x0a\x00\x0a\x00\xf5\xff\x48\x65\x6c\x6c\x6f"), "!compressed data" },
  { "bad-text", TAKEOVER, BYTES ("\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\xff\x6c\x6f\x00"), "!text" },
  { "bad-text-unfinished", TAKEOVER, BYTES ("\x41\x7d\x00\x05\x00\xfa\xff\x48\x65\xff"), "!text" },
  { "bad-text-at-the-end", TAKEOVER, BYTES ("\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\xc3\x00"), "!text" },
  { "character-across-fragments", TAKEOVER, BYTES ("\x41\x06\x00\x02\x00\xfd\xff\xc3\x80\x02\xa4\x00"), "text(\\c3\\a4)." },

  { "as-large-as-allowed", SMALL, BYTES ("\xc1\x07" HELLO "\xc1\x07" HELLO), "text(Hello).text(Hello)." },
  { "too-big", SMALL, BYTES ("\xc1\x0c\x00\x06\x00\xf9\xff\x48\x65\x6c\x6c\x6f!\x00"), "!message too big" },
  { "too-big-in-fragments", SMALL, BYTES ("\x41\x0b" HELLO "\x00\x00\xff\xff\x80\x07" HELLO), "!message too big" },
  { "bomb", SMALL, BYTES ("\xc2\x08\x4a\x4c\x1c\x05\x23\x19\x00\x00"), "!message too big" },
  { "header-larger-than-message", SMALL, BYTES ("\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), "text(Hello)." },
};
/* clang-format on */

static void
test_vector (gconstpointer data)
{
  const Vector *vector = data;

  for (gsize step = 1; step <= vector->size; step++)
    {
      Receiver receiver;

      receiver_init (&receiver, &vector->setup);
      receive (&receiver, (const guint8 *) vector->input, vector->size, step);
      g_assert_cmpstr (receiver.log->str, ==, vector->log);
      receiver_clear (&receiver);
      g_assert_cmpuint (n_allocated, ==, 0);
    }
}

/* Pieces */

typedef struct
{
  const char *name;
  Setup setup;
  const char *input;
  gsize size;
  const char *log;    /* if all of it comes at once */
  const char *merged; /* however it comes */
} PieceVector;

#define PIECES        \
  {                   \
    15, TRUE, 1000, 3 \
  }
#define SHORT_PIECES \
  {                  \
    15, TRUE, 4, 3   \
  }
#define LARGE_PIECES    \
  {                     \
    15, TRUE, 1000, 100 \
  }

/* clang-format off */
static const PieceVector piece_vectors[] = {
  { "text", PIECES, BYTES ("\x81\x05Hello"), "first-text(Hel).last-text(lo).", "text[Hello]" },
  { "whole", PIECES, BYTES ("\x82\x03Hel"), "first-last-binary(Hel).", "binary[Hel]" },
  { "twice", PIECES, BYTES ("\x82\x06HelHel"), "first-binary(Hel).last-binary(Hel).", "binary[HelHel]" },
  { "empty", PIECES, BYTES ("\x82\x00\x81\x00"), "first-last-binary().first-last-text().", "binary[]text[]" },
  { "fragments", PIECES, BYTES ("\x01\x04Hell\x89\x01?\x00\x00\x80\x01o"), "first-text(Hel).text(l).ping(?).last-text(o).", "text[Hellping(?).o]" },
  { "empty-last", PIECES, BYTES ("\x01\x03Hel\x80\x00\x81\x01x"), "first-text(Hel).last-text().first-last-text(x).", "text[Hel]text[x]" },
  { "empty-fragments", PIECES, BYTES ("\x01\x00\x00\x00\x80\x00"), "first-last-text().", "text[]" },
  { "unfinished", PIECES, BYTES ("\x82\x7e\x02\x00Hell"), "first-binary(Hel).binary(l).", "binary[Hell" },
  { "within-character", PIECES, BYTES ("\x81\x04" "ab\xc3\xa4"), "first-text(ab\\c3).last-text(\\a4).", "text[ab\\c3\\a4]" },
  { "bad-text", PIECES, BYTES ("\x81\x7e\x02\x00Hel\xff"), "first-text(Hel).!text", "text[Hel!text" },
  { "text-cut-off", PIECES, BYTES ("\x81\x04Hel\xc3"), "first-text(Hel).!text", "text[Hel!text" },
  { "too-big", SHORT_PIECES, BYTES ("\x81\x05Hello"), "!message too big", "!message too big" },
  { "too-big-in-fragments", SHORT_PIECES, BYTES ("\x01\x03Hel\x80\x02lo"), "first-text(Hel).!message too big", "text[Hel!message too big" },
  { "large-pieces", LARGE_PIECES, BYTES ("\x01\x03Hel\x80\x02lo"), "first-text(Hel).last-text(lo).", "text[Hello]" },
  { "close", PIECES, BYTES ("\x01\x03Hel\x88\x00"), "first-text(Hel).close().", "text[Helclose()." },

  { "compressed", PIECES, BYTES ("\xc1\x07" HELLO), "first-text(Hel).last-text(lo).", "text[Hello]" },
  { "compressed-twice", PIECES, BYTES ("\xc1\x07" HELLO "\xc2\x05\xf2\x00\x11\x00\x00"), "first-text(Hel).last-text(lo).first-binary(Hel).last-binary(lo).", "text[Hello]binary[Hello]" },
  { "compressed-fragments", PIECES, BYTES ("\x41\x03\xf2\x48\xcd\x89\x01?\x80\x04\xc9\xc9\x07\x00"), "first-text(He).ping(?).text(llo).last-text().", NULL },
  { "compressed-large-pieces", LARGE_PIECES, BYTES ("\xc1\x07" HELLO), "first-last-text(Hello).", "text[Hello]" },
  { "compressed-empty", PIECES, BYTES ("\xc1\x01\x00\xc2\x00"), "first-last-text().first-last-binary().", "text[]binary[]" },
  { "compressed-and-not", PIECES, BYTES ("\xc1\x07" HELLO "\x82\x04xxxx\x89\x00"), "first-text(Hel).last-text(lo).first-binary(xxx).last-binary(x).ping().", "text[Hello]binary[xxxx]ping()." },
  { "compressed-too-big", SHORT_PIECES, BYTES ("\xc1\x07" HELLO), "first-text(Hel).!message too big", "text[Hel!message too big" },
  { "compressed-bad-text", PIECES, BYTES ("\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\xff\x6f\x00"), "first-text(Hel).!text", "text[Hel!text" },
  { "compressed-malformed", PIECES, BYTES ("\xc1\x0a\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\x00"), "first-text(Hel).!compressed data", "text[Hel!compressed data" },
};
/* clang-format on */

/* Takes the pieces together: a message stands in brackets. */
static void
merge_pieces (const char *log,
              GString    *merged)
{
  g_auto (GStrv) parts = g_strsplit (log, ").", -1);

  for (gsize i = 0; parts[i] != NULL; i++)
    {
      gboolean is_first = g_str_has_prefix (parts[i], "first-");
      const char *rest = parts[i] + (is_first ? strlen ("first-") : 0);
      gboolean is_last = g_str_has_prefix (rest, "last-");
      const char *kind = rest + (is_last ? strlen ("last-") : 0);
      const char *open = strchr (kind, '(');

      if (open == NULL || !(g_str_has_prefix (kind, "text") || g_str_has_prefix (kind, "binary")))
        {
          g_string_append_printf (merged, "%s%s", parts[i], open != NULL ? ")." : "");
          continue;
        }

      if (is_first)
        g_string_append_printf (merged, "%.*s[", (int) (open - kind), kind);
      g_string_append_printf (merged, "%s%s", open + 1, is_last ? "]" : "");
    }
}

/* What is wrong may be found before all in front of it has been delivered. */
static gboolean
is_merged_like (const char *merged,
                const char *expected)
{
  const char *end = strchr (expected, '!');
  const char *violation = strchr (merged, '!');

  if (end == NULL || violation == NULL)
    return g_str_equal (merged, expected);

  return g_str_equal (violation, end) && (violation == merged || g_str_has_prefix (merged, "text["));
}

static void
test_pieces (gconstpointer data)
{
  const PieceVector *vector = data;

  for (gsize step = 1; step <= vector->size; step++)
    {
      g_autoptr (GString) merged = g_string_new (NULL);
      Receiver receiver;

      receiver_init (&receiver, &vector->setup);
      receive (&receiver, (const guint8 *) vector->input, vector->size, step);
      merge_pieces (receiver.log->str, merged);
      if (step == vector->size)
        g_assert_cmpstr (receiver.log->str, ==, vector->log);
      if (vector->merged != NULL && !is_merged_like (merged->str, vector->merged))
        g_assert_cmpstr (merged->str, ==, vector->merged);
      receiver_clear (&receiver);
      g_assert_cmpuint (n_allocated, ==, 0);
    }
}

/* Both directions */

/* A text that a window of few bits has forgotten the beginning of. */
static guint8 *
make_text (gsize size,
           guint seed)
{
  static const char *const words[] = { "rain ", "Wind ", "snow, ", "hail. ", "sun\n", "fog; ", "Tau " };
  guint8 *text = g_malloc (size + 8);
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
  gsize i = 0;

  while (i < size)
    {
      const char *word = words[g_rand_int_range (rand, 0, G_N_ELEMENTS (words))];

      memcpy (text + i, word, strlen (word));
      i += strlen (word);
      if (g_rand_int_range (rand, 0, 40) == 0)
        text[i - 1] = (guint8) g_rand_int_range (rand, 'a', 'z');
    }

  return text;
}

static guint8 *
make_noise (gsize size,
            guint seed)
{
  guint8 *noise = g_malloc (size + 1);
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);

  for (gsize i = 0; i < size; i++)
    noise[i] = (guint8) g_rand_int (rand);

  return noise;
}

/* Appends a part of a message, flushed, with the tail at its end. */
static void
deflate_part (S9wsDeflater *deflater,
              const guint8 *data,
              gsize         size,
              gsize         room,
              GByteArray   *out)
{
  g_autofree guint8 *buffer = g_malloc (room);
  S9wsDeflateResult result = S9WS_DEFLATE_MORE;

  while (result == S9WS_DEFLATE_MORE)
    {
      gsize written;

      result = s9ws_deflater_run (deflater, &data, &size, buffer, room, &written);
      g_assert_cmpint (result, !=, S9WS_DEFLATE_FAILED);
      g_byte_array_append (out, buffer, (guint) written);
    }

  g_assert_cmpuint (size, ==, 0);
  g_assert_cmpmem (out->data + out->len - 4, 4, "\x00\x00\xff\xff", 4);
}

static void
add_frame (GByteArray   *frames,
           guint8        opcode,
           gboolean      is_final,
           guint8        reserved_bits,
           const guint8 *payload,
           gsize         size)
{
  guint8 header[S9WS_FRAME_HEADER_MAX];
  gsize header_size = s9ws_frame_write_header (header, opcode, is_final, reserved_bits, size, NULL);

  g_byte_array_append (frames, header, (guint) header_size);
  g_byte_array_append (frames, payload, (guint) size);
}

/* In @n_fragments frames. */
static void
add_message (S9wsDeflater *deflater,
             const guint8 *data,
             gsize         size,
             gsize         n_fragments,
             gsize         room,
             GByteArray   *frames)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();
  gsize fragment;

  deflate_part (deflater, data, size, room, out);
  s9ws_deflater_end_message (deflater);
  g_byte_array_set_size (out, out->len - S9WS_DEFLATE_TAIL_SIZE);
  fragment = out->len / n_fragments;
  for (gsize i = 0; i < n_fragments; i++)
    {
      gboolean is_final = i == n_fragments - 1;

      add_frame (frames, i == 0 ? S9WS_OPCODE_BINARY : S9WS_OPCODE_CONTINUATION, is_final, i == 0 ? S9WS_RSV1 : 0,
                 out->data + i * fragment, is_final ? out->len - i * fragment : fragment);
    }
}

static void
check_messages (Receiver     *receiver,
                GByteArray   *frames,
                gsize         step,
                guint8      **messages,
                const gsize  *sizes,
                gsize         n_messages)
{
  gsize n = 0;

  for (gsize i = 0; i < frames->len; i += step)
    {
      S9wsMessage message;
      S9wsMessageResult result;

      receiver_add (receiver, frames->data + i, MIN (step, frames->len - i));
      while ((result = receiver_next (receiver, &message, 5000)) == S9WS_MESSAGE_READY)
        {
          g_assert_cmpuint (n, <, n_messages);
          g_assert_cmpuint (message.size, ==, sizes[n]);
          g_assert_true (memcmp (message.data, messages[n], message.size) == 0);
          n++;
        }
      g_assert_cmpint (result, ==, S9WS_MESSAGE_INCOMPLETE);
    }
  g_assert_cmpuint (n, ==, n_messages);
}

/* Every window, with and without takeover, sizes up to MAX_SIZE, in one frame and several,
 * at once and in bits. */
static void
check_round_trip (guint    bits,
                  gboolean takes_over,
                  gsize    room,
                  gsize    step,
                  gsize    n_fragments)
{
  static const gsize sizes[] = { 1, 2, 125, 126, 255, 256, 257, 4000, 32768, 65535, 65536, MAX_SIZE, 300, 300, 70000 };
  guint8 *messages[G_N_ELEMENTS (sizes)];
  g_autoptr (GByteArray) frames = g_byte_array_new ();
  const Setup setup = { bits, takes_over, MAX_SIZE, 0 };
  S9wsDeflater deflater;
  Receiver receiver;

  s9ws_deflater_init (&deflater, &memory, 6, bits, takes_over);
  receiver_init (&receiver, &setup);
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      messages[i] = i % 4 == 3 ? make_noise (sizes[i], (guint) i) : make_text (sizes[i], (guint) i % 3);
      add_message (&deflater, messages[i], sizes[i], n_fragments, room, frames);
    }

  check_messages (&receiver, frames, step, messages, sizes, G_N_ELEMENTS (sizes));
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    g_free (messages[i]);
  s9ws_deflater_release (&deflater);
  receiver_clear (&receiver);
  g_assert_cmpuint (n_allocated, ==, 0);
}

static void
test_round_trip (gconstpointer data)
{
  guint bits = GPOINTER_TO_UINT (data);

  for (int takes_over = FALSE; takes_over <= TRUE; takes_over++)
    {
      check_round_trip (bits, takes_over, S9WS_DEFLATE_ROOM_MIN, 1 << 20, 1);
      check_round_trip (bits, takes_over, 16384, 4096, 3);
      check_round_trip (bits, takes_over, 1 << 20, 7, 2);
    }
}

/* What is compressed for a window of 2 ** bits bytes can be inflated with no larger one:
 * byte by byte, so that zlib has nothing but its window to look back to. */
static void
test_window (gconstpointer data)
{
  guint bits = GPOINTER_TO_UINT (data);
  g_autofree guint8 *text = make_text (MAX_SIZE, bits);
  g_autoptr (GByteArray) out = g_byte_array_new ();
  S9wsDeflater deflater;
  z_stream stream = { 0 };

  s9ws_deflater_init (&deflater, &memory, 9, bits, TRUE);
  deflate_part (&deflater, text, MAX_SIZE, 5000, out);
  s9ws_deflater_release (&deflater);
  g_assert_cmpuint (out->len, <, MAX_SIZE * 3 / 4);

  g_assert_cmpint (inflateInit2 (&stream, -(int) bits), ==, Z_OK);
  stream.next_in = out->data;
  stream.avail_in = out->len;
  for (gsize i = 0; i < MAX_SIZE; i++)
    {
      guint8 byte;

      stream.next_out = &byte;
      stream.avail_out = 1;
      g_assert_cmpint (inflate (&stream, Z_SYNC_FLUSH), ==, Z_OK);
      g_assert_cmpint (byte, ==, text[i]);
    }
  inflateEnd (&stream);
}

/* With takeover a text is worth less the second time; without, or after a release, not. */
static void
test_takeover (void)
{
  static const guint8 text[] = "It is a truth universally acknowledged, that a single window";

  for (int variant = 0; variant < 3; variant++)
    {
      g_autoptr (GByteArray) first = g_byte_array_new ();
      g_autoptr (GByteArray) second = g_byte_array_new ();
      S9wsDeflater deflater;

      s9ws_deflater_init (&deflater, &memory, 6, 15, variant != 1);
      deflate_part (&deflater, text, sizeof text, 1000, first);
      s9ws_deflater_end_message (&deflater);
      if (variant == 2)
        s9ws_deflater_release (&deflater);
      deflate_part (&deflater, text, sizeof text, 1000, second);
      s9ws_deflater_release (&deflater);

      if (variant == 0)
        g_assert_cmpuint (second->len, <, first->len / 2);
      else
        g_assert_cmpmem (first->data, first->len, second->data, second->len);
    }
}

/* Memory is taken when it is needed, and given back on request. */
static void
test_laziness (void)
{
  const Setup setup = NO_TAKEOVER;
  Receiver receiver;
  S9wsDeflater deflater;
  g_autoptr (GByteArray) out = g_byte_array_new ();

  receiver_init (&receiver, &setup);
  receive (&receiver, (const guint8 *) BYTES ("\x81\x01x"), 100);
  s9ws_deflater_init (&deflater, &memory, 6, 15, TRUE);
  s9ws_deflater_end_message (&deflater);
  s9ws_deflater_release (&deflater);
  g_assert_false (s9ws_inflater_is_spare (&receiver.inflater));
  g_assert_cmpuint (n_allocated, ==, 0);

  receive (&receiver, (const guint8 *) BYTES ("\x41\x03\xf2\x48\xcd"), 100);
  g_assert_cmpuint (n_allocated, >, 0);
  g_assert_false (s9ws_inflater_is_spare (&receiver.inflater));
  receive (&receiver, (const guint8 *) BYTES ("\x80\x04\xc9\xc9\x07\x00"), 100);
  g_assert_true (s9ws_inflater_is_spare (&receiver.inflater));
  s9ws_inflater_release (&receiver.inflater);
  g_assert_cmpuint (n_allocated, ==, 0);

  receive (&receiver, (const guint8 *) BYTES ("\xc1\x07" HELLO), 100);
  g_assert_cmpstr (receiver.log->str, ==, "text(x).text(Hello).text(Hello).");
  receiver_clear (&receiver);

  deflate_part (&deflater, (const guint8 *) "Hello", 5, 100, out);
  g_assert_cmpuint (n_allocated, >, 0);
  s9ws_deflater_release (&deflater);
  g_assert_cmpuint (n_allocated, ==, 0);
}

/* What would be a gigabyte costs no more than what is allowed. */
static void
test_bomb (void)
{
  enum
  {
    ALLOWED = 100000
  };
  const Setup setup = { 15, TRUE, ALLOWED, 0 };
  g_autofree guint8 *zeros = g_malloc0 (1 << 20);
  g_autoptr (GByteArray) out = g_byte_array_new ();
  g_autoptr (GByteArray) frames = g_byte_array_new ();
  S9wsDeflater deflater;
  Receiver receiver;

  s9ws_deflater_init (&deflater, &memory, 9, 15, TRUE);
  for (guint i = 0; i < 16; i++)
    deflate_part (&deflater, zeros, 1 << 20, 1 << 16, out);
  s9ws_deflater_release (&deflater);
  add_frame (frames, S9WS_OPCODE_BINARY, TRUE, S9WS_RSV1, out->data, out->len);

  receiver_init (&receiver, &setup);
  receive (&receiver, frames->data, frames->len, 1000);
  g_assert_cmpstr (receiver.log->str, ==, "!message too big");
  g_assert_cmpuint (receiver.inflated.size, ==, ALLOWED + 1);
  receiver_clear (&receiver);
}

/* A compressed message of any length, with the room of a piece. */
static void
test_pieces_bound (void)
{
  enum
  {
    PIECE = 10000,
    PART = 1 << 20,
    N_PARTS = 32
  };
  const Setup setup = { 15, TRUE, 0, PIECE };
  g_autofree guint8 *zeros = g_malloc0 (PART);
  g_autoptr (GByteArray) out = g_byte_array_new ();
  g_autoptr (GByteArray) frames = g_byte_array_new ();
  S9wsMessageResult result;
  S9wsMessage message;
  S9wsDeflater deflater;
  Receiver receiver;
  gsize size = 0, n = 0;

  s9ws_deflater_init (&deflater, &memory, 9, 15, TRUE);
  for (guint i = 0; i < N_PARTS; i++)
    deflate_part (&deflater, zeros, PART, 1 << 16, out);
  s9ws_deflater_release (&deflater);
  add_frame (frames, S9WS_OPCODE_BINARY, TRUE, S9WS_RSV1, out->data, out->len - S9WS_DEFLATE_TAIL_SIZE);

  receiver_init (&receiver, &setup);
  receiver_add (&receiver, frames->data, frames->len);
  while ((result = receiver_next (&receiver, &message, 1000)) == S9WS_MESSAGE_READY)
    {
      g_assert_cmpuint (message.size, <=, PIECE);
      g_assert_cmpint ((message.piece_flags & S9WS_PIECE_IS_FIRST) != 0, ==, size == 0);
      size += message.size;
      n++;
      g_assert_cmpint ((message.piece_flags & S9WS_PIECE_IS_LAST) != 0, ==, size == (gsize) PART * N_PARTS);
    }
  g_assert_cmpint (result, ==, S9WS_MESSAGE_INCOMPLETE);
  g_assert_cmpuint (size, ==, (gsize) PART * N_PARTS);
  g_assert_cmpuint (n, ==, size / PIECE + 1);
  g_assert_cmpuint (receiver.inflated.capacity, ==, PIECE);
  receiver_clear (&receiver);
}

/* Agreeing */

static const S9wsDeflateParameters defaults = { 15, 15, false, false };
static const S9wsDeflateParameters narrow = { 10, 11, true, true };

static void
test_offer (void)
{
  char buffer[S9WS_DEFLATE_OFFER_MAX];

  s9ws_deflate_write_offer (&defaults, buffer);
  g_assert_cmpstr (buffer, ==, "permessage-deflate; client_max_window_bits");
  s9ws_deflate_write_offer (&narrow, buffer);
  g_assert_cmpstr (buffer, ==, "permessage-deflate; client_max_window_bits=10; server_max_window_bits=11; "
                               "client_no_context_takeover; server_no_context_takeover");
}

typedef struct
{
  const char *name;
  const S9wsDeflateParameters *offer;
  const char *header; /* all of it, or none */
  const char *result; /* "-" for nothing agreed on, our bits, theirs, and takeovers; or what is wrong */
} Answer;

#define EXTENSIONS "Sec-WebSocket-Extensions: "

static const Answer answers[] = {
  { "none", &defaults, "", "-" },
  { "empty", &defaults, EXTENSIONS "\r\n", "extension syntax: " },
  { "no-element", &defaults, EXTENSIONS ", ,\r\n", "extension syntax: , ," },
  { "empty-and-unasked", NULL, EXTENSIONS "\r\n", "extension syntax: " },
  { "plain", &defaults, EXTENSIONS "permessage-deflate\r\n", "15 15" },
  { "all", &defaults, EXTENSIONS "permessage-deflate; client_max_window_bits=12; server_max_window_bits=9;client_no_context_takeover ;server_no_context_takeover\r\n", "12 9 client server" },
  { "quoted", &defaults, EXTENSIONS "permessage-deflate; client_max_window_bits=\"12\"\r\n", "12 15" },
  { "spaces", &defaults, EXTENSIONS "  permessage-deflate\t; server_max_window_bits = 10 \r\n", "15 10" },
  { "empty-elements", &defaults, EXTENSIONS ", ,permessage-deflate,\r\n", "15 15" },
  { "name-in-any-case", &defaults, "SEC-websocket-extensions: permessage-deflate\r\n", "15 15" },
  { "client-8", &defaults, EXTENSIONS "permessage-deflate; client_max_window_bits=8\r\n", "8 15" },
  { "server-8", &defaults, EXTENSIONS "permessage-deflate; server_max_window_bits=8\r\n", "15 8" },
  { "as-asked", &narrow, EXTENSIONS "permessage-deflate; server_max_window_bits=11; server_no_context_takeover\r\n", "10 11 client server" },
  { "less-than-asked", &narrow, EXTENSIONS "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9; server_no_context_takeover\r\n", "9 9 client server" },

  { "unasked", NULL, EXTENSIONS "permessage-deflate\r\n", "extension: permessage-deflate" },
  { "unknown", &defaults, EXTENSIONS "x-webkit-deflate-frame\r\n", "extension: x-webkit-deflate-frame" },
  { "unknown-behind", &defaults, EXTENSIONS "permessage-deflate, foo\r\n", "extension: foo" },
  { "in-another-case", &defaults, EXTENSIONS "Permessage-Deflate\r\n", "extension: Permessage-Deflate" },
  { "twice", &defaults, EXTENSIONS "permessage-deflate, permessage-deflate\r\n", "extension repeated: permessage-deflate" },
  { "twice-in-two-lines", &defaults, EXTENSIONS "permessage-deflate\r\n" EXTENSIONS "permessage-deflate\r\n", "extension repeated: permessage-deflate" },
  { "unknown-parameter", &defaults, EXTENSIONS "permessage-deflate; level=9\r\n", "parameter unknown: level" },
  { "parameter-twice", &defaults, EXTENSIONS "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9\r\n", "parameter repeated: server_max_window_bits" },
  { "flag-twice", &defaults, EXTENSIONS "permessage-deflate; client_no_context_takeover; client_no_context_takeover\r\n", "parameter repeated: client_no_context_takeover" },
  { "flag-with-value", &defaults, EXTENSIONS "permessage-deflate; server_no_context_takeover=1\r\n", "parameter value: server_no_context_takeover" },
  { "bits-without-value", &defaults, EXTENSIONS "permessage-deflate; client_max_window_bits\r\n", "parameter value: client_max_window_bits" },
  { "bits-too-few", &defaults, EXTENSIONS "permessage-deflate; server_max_window_bits=7\r\n", "parameter value: server_max_window_bits" },
  { "bits-too-many", &defaults, EXTENSIONS "permessage-deflate; server_max_window_bits=16\r\n", "parameter value: server_max_window_bits" },
  { "bits-leading-zero", &defaults, EXTENSIONS "permessage-deflate; server_max_window_bits=09\r\n", "parameter value: server_max_window_bits" },
  { "bits-no-number", &defaults, EXTENSIONS "permessage-deflate; server_max_window_bits=1x\r\n", "parameter value: server_max_window_bits" },
  { "bits-huge", &defaults, EXTENSIONS "permessage-deflate; server_max_window_bits=4294967306\r\n", "parameter value: server_max_window_bits" },
  { "server-bits-larger", &narrow, EXTENSIONS "permessage-deflate; server_max_window_bits=12; server_no_context_takeover\r\n", "parameter too large: server_max_window_bits" },
  { "client-bits-larger", &narrow, EXTENSIONS "permessage-deflate; client_max_window_bits=11; server_max_window_bits=11; server_no_context_takeover\r\n", "parameter too large: client_max_window_bits" },
  { "server-bits-missing", &narrow, EXTENSIONS "permessage-deflate; server_no_context_takeover\r\n", "parameter missing: server_max_window_bits" },
  { "takeover-missing", &narrow, EXTENSIONS "permessage-deflate; server_max_window_bits=11\r\n", "parameter missing: server_no_context_takeover" },
  { "no-name", &defaults, EXTENSIONS "; server_max_window_bits=10\r\n", "extension syntax: ; server_max_window_bits=10" },
  { "no-parameter", &defaults, EXTENSIONS "permessage-deflate;\r\n", "extension syntax: " },
  { "no-value", &defaults, EXTENSIONS "permessage-deflate; server_max_window_bits=\r\n", "extension syntax:  server_max_window_bits=" },
  { "no-end-of-quotes", &defaults, EXTENSIONS "permessage-deflate; server_max_window_bits=\"10\r\n", "extension syntax:  server_max_window_bits=\"10" },
  { "no-comma", &defaults, EXTENSIONS "permessage-deflate foo\r\n", "extension syntax: foo" },
};

static void
test_answer (gconstpointer data)
{
  const Answer *answer = data;
  g_autofree char *head = g_strconcat ("HTTP/1.1 101 X\r\n", answer->header, "\r\n", NULL);
  g_autofree S9wsResponse *response = g_new (S9wsResponse, 1);
  g_autoptr (GString) result = g_string_new (NULL);
  S9wsHandshakeFault fault;
  S9wsDeflateParameters agreed;
  S9wsSlice subject;
  bool is_agreed;
  gsize scanned = 0;

  g_assert_cmpint (s9ws_response_read (response, head, strlen (head), &scanned), ==, S9WS_RESPONSE_READY);
  fault = s9ws_response_check_extensions (response, answer->offer, &is_agreed, &agreed, &subject);
  if (fault != S9WS_HANDSHAKE_FAULT_NONE)
    g_string_printf (result, "%s: %.*s", s9ws_handshake_fault_get_name (fault), (int) subject.size, subject.data);
  else if (!is_agreed)
    g_string_assign (result, "-");
  else
    g_string_printf (result, "%u %u%s%s", agreed.client_max_window_bits, agreed.server_max_window_bits,
                     agreed.client_no_context_takeover ? " client" : "", agreed.server_no_context_takeover ? " server" : "");

  g_assert_cmpstr (result->str, ==, answer->result);
}

#define ADD_TABLE(prefix, table, function)                                 \
  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)                         \
    {                                                                      \
      g_autofree char *path = g_strconcat (prefix, (table)[i].name, NULL); \
      g_test_add_data_func (path, &(table)[i], function);                  \
    }

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD_TABLE ("/deflate/receive/", vectors, test_vector);
  ADD_TABLE ("/deflate/answer/", answers, test_answer);
  ADD_TABLE ("/deflate/pieces/", piece_vectors, test_pieces);
  g_test_add_func ("/deflate/pieces-bound", test_pieces_bound);
  for (guint bits = S9WS_WINDOW_BITS_MIN; bits <= S9WS_WINDOW_BITS_MAX; bits++)
    {
      g_autofree char *round_trip = g_strdup_printf ("/deflate/round-trip/%u", bits);
      g_autofree char *window = g_strdup_printf ("/deflate/window/%u", bits);

      g_test_add_data_func (round_trip, GUINT_TO_POINTER (bits), test_round_trip);
      g_test_add_data_func (window, GUINT_TO_POINTER (bits), test_window);
    }
  g_test_add_func ("/deflate/takeover", test_takeover);
  g_test_add_func ("/deflate/laziness", test_laziness);
  g_test_add_func ("/deflate/bomb", test_bomb);
  g_test_add_func ("/deflate/offer", test_offer);

  return g_test_run ();
}
