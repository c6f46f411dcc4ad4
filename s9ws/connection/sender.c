/* sender.c: messages on their way into frames: which are compressed, and which come in pieces
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "sender.h"

#define DEFLATE_ROOM (16 * 1024) /* bytes that zlib is given at least, for large messages */

static void *
allocate (void     *opaque,
          unsigned  n,
          unsigned  size)
{
  return g_malloc_n (n, size);
}

static void
release (void *opaque,
         void *data)
{
  g_free (data);
}

const S9wsDeflateMemory s9ws_sender_memory = { allocate, release };

void
s9ws_sender_init (S9wsSender *sender)
{
  memset (sender, 0, sizeof *sender);
  sender->wants_compress = TRUE;
}

void
s9ws_sender_use_deflate (S9wsSender                  *sender,
                         const S9wsDeflateParameters *agreed,
                         guint                        level,
                         guint64                      threshold)
{
  s9ws_deflater_init (&sender->deflater, &s9ws_sender_memory, level, agreed->client_max_window_bits,
                      !agreed->client_no_context_takeover);
  sender->threshold = threshold;
  sender->may_compress = TRUE;
}

void
s9ws_sender_clear (S9wsSender *sender)
{
  s9ws_deflater_release (&sender->deflater);
}

static gboolean
compresses (const S9wsSender *sender)
{
  return sender->may_compress && sender->wants_compress;
}

guint8
s9ws_sender_get_short_limit (const S9wsSender *sender)
{
  return compresses (sender) ? (guint8) MIN (sender->threshold, S9WS_SHORT_PAYLOAD_MAX + 1) : S9WS_SHORT_PAYLOAD_MAX + 1;
}

void
s9ws_sender_prepare (const S9wsSender *sender,
                     S9wsOutputFrame  *frame,
                     S9wsOpcode        opcode,
                     const guint8     *data,
                     gsize             size)
{
  /* There is nothing to be gained with an empty message. */
  frame->is_compressed = opcode < S9WS_OPCODE_CLOSE && compresses (sender) && size > 0 && size >= sender->threshold;
  frame->opcode = opcode;
  frame->is_final = TRUE;
  frame->reserved_bits = frame->is_compressed ? S9WS_RSV1 : 0;
  frame->data = data;
  frame->size = size;
}

static void
deflate_into (S9wsSender   *sender,
              S9wsOutput   *output,
              const guint8 *data,
              gsize         size)
{
  S9wsDeflateResult result;

  do
    {
      guint8 *target = s9ws_output_reserve (output, MIN (size, DEFLATE_ROOM) + S9WS_DEFLATE_ROOM_MIN);
      gsize written;

      result = s9ws_deflater_run (&sender->deflater, &data, &size, target, output->capacity - output->end, &written);
      if (result == S9WS_DEFLATE_FAILED)
        g_error ("s9ws: zlib %s does not work", zlibVersion ());
      output->end += written;
    }
  while (result == S9WS_DEFLATE_MORE);
}

gsize
s9ws_sender_compress (S9wsSender      *sender,
                      S9wsOutput      *output,
                      S9wsOutputFrame *frame)
{
  gsize start = s9ws_output_open_frame (output);

  deflate_into (sender, output, frame->data, frame->size);
  output->end -= S9WS_DEFLATE_TAIL_SIZE;
  s9ws_deflater_end_message (&sender->deflater);

  return s9ws_output_close_frame (output, frame, start);
}
