/* sender.c: messages on their way into frames: which are compressed, and which come in pieces
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "sender.h"

#include <gio/gio.h>
#include <glib/gi18n-lib.h>

#include "../s9ws-error.h"

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
  if (sender->is_amid)
    return 0;

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

gboolean
s9ws_sender_check_whole (const S9wsSender  *sender,
                         GError           **error)
{
  if (G_LIKELY (!sender->is_amid))
    return TRUE;

  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_PENDING,
                       _("A message has begun and not been finished: until then only pings, pongs and a close can be sent"));
  return FALSE;
}

void
s9ws_sender_begin (S9wsSender *sender,
                   S9wsOpcode  opcode)
{
  sender->is_amid = TRUE;
  sender->is_text = opcode == S9WS_OPCODE_TEXT;
  sender->is_compressed = compresses (sender);
  sender->next_opcode = opcode;
  memset (&sender->utf8, 0, sizeof sender->utf8);
}

gboolean
s9ws_sender_check_piece (const S9wsSender  *sender,
                         const guint8      *data,
                         gsize              size,
                         gboolean           is_final,
                         S9wsUtf8          *utf8,
                         GError           **error)
{
  if (!sender->is_amid)
    {
      g_set_error_literal (error, S9WS_ERROR, S9WS_ERROR_PROTOCOL,
                           _("No message has begun that a piece could belong to: begin_message() comes first"));
      return FALSE;
    }

  *utf8 = sender->utf8;
  if (!sender->is_text || (is_final ? s9ws_utf8_is_complete (utf8) : size == 0 || s9ws_utf8_feed (utf8, data, size)))
    return TRUE;

  g_set_error_literal (error, S9WS_ERROR, S9WS_ERROR_INVALID_UTF8,
                       is_final ? _("The text cannot end here, within a character: its other bytes must follow")
                                : _("The piece, with what was sent of the text before, is not valid UTF-8"));
  return FALSE;
}

void
s9ws_sender_prepare_piece (S9wsSender      *sender,
                           S9wsOutputFrame *frame,
                           const guint8    *data,
                           gsize            size,
                           gboolean         is_final,
                           const S9wsUtf8  *utf8)
{
  gboolean is_first = sender->next_opcode != S9WS_OPCODE_CONTINUATION;

  /* There is nothing to be gained with an empty message. */
  frame->is_compressed = sender->is_compressed && !(is_first && is_final);
  frame->opcode = sender->next_opcode;
  frame->is_final = is_final;
  frame->reserved_bits = frame->is_compressed && is_first ? S9WS_RSV1 : 0;
  frame->data = data;
  frame->size = size;

  sender->utf8 = *utf8;
  sender->next_opcode = S9WS_OPCODE_CONTINUATION;
  sender->is_amid = !is_final;
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

  /* Of a message in pieces, all are sent with their tails.  What the last one stands for
   * is the beginning of the tail that the peer adds (RFC 7692, section 7.2.3.6). */
  if (frame->size > 0)
    deflate_into (sender, output, frame->data, frame->size);
  else
    output->data[output->end++] = 0;
  if (frame->is_final && frame->size > 0)
    output->end -= S9WS_DEFLATE_TAIL_SIZE;
  if (frame->is_final)
    s9ws_deflater_end_message (&sender->deflater);

  return s9ws_output_close_frame (output, frame, start);
}
