/* sending.c: what a connection sends, and what it keeps because the socket does not take it
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "connection-private.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "../framer/short-ascii.h"

#define SEND_PIECE (128 * 1024) /* bytes of a large frame encoded at a time */

void
s9ws_connection_log_frame (S9wsConnection *connection,
                           const char     *direction,
                           guint           opcode,
                           gsize           size)
{
  static const char *const names[] = {
    "continuation", "text", "binary", "?", "?", "?", "?", "?", "close", "ping", "pong",
    [S9WS_MESSAGE_PIECE] = "piece"
  };

  g_log_structured ("s9ws-wire", G_LOG_LEVEL_DEBUG, "MESSAGE", "%p: %s %s, %" G_GSIZE_FORMAT " bytes",
                    (void *) connection, direction, names[opcode], size);
}

void
s9ws_connection_give_up_output (S9wsConnection *connection)
{
  gsize size = s9ws_output_get_size (&connection->output);

  connection->unsent += size;
  s9ws_output_consume (&connection->output, size);
}

/* Whether there may be more that the socket takes. */
G_NO_INLINE static gboolean
on_written (S9wsConnection *connection,
            gssize          n)
{
  S9wsOutput *output = &connection->output;

  if (n == S9WS_TRANSPORT_AGAIN)
    return FALSE;

  if (n < 0)
    {
      s9ws_connection_give_up_output (connection);
      return FALSE;
    }

  connection->n_taken += (gsize) n;
  s9ws_output_consume (output, (gsize) n);
  return s9ws_output_get_size (output) > 0;
}

void
s9ws_connection_flush (S9wsConnection *connection)
{
  S9wsOutput *output = &connection->output;
  gssize n;

  if (s9ws_output_get_size (output) == 0)
    return;

  do
    n = s9ws_transport_write (connection->transport, output->data + output->begin, s9ws_output_get_size (output),
                              connection->write_error == NULL ? &connection->write_error : NULL);
  while (on_written (connection, n));
}

/* Large frames are encoded piece by piece, as the socket takes them. */
static void
send_as_it_is (S9wsConnection  *connection,
               S9wsOutputFrame *frame)
{
  S9wsOutput *output = &connection->output;

  if (s9ws_output_get_size (output) > 0)
    {
      s9ws_output_append_frame (output, frame);
      s9ws_connection_flush (connection);
      return;
    }

  s9ws_output_begin_frame (output, frame, SEND_PIECE);
  s9ws_connection_flush (connection);
  while (frame->offset < frame->size && connection->write_error == NULL)
    {
      gboolean is_taken = s9ws_output_get_size (output) == 0;

      s9ws_output_continue_frame (output, frame, is_taken ? SEND_PIECE : G_MAXSIZE);
      if (is_taken)
        s9ws_connection_flush (connection);
    }
}

static void
send_compressed (S9wsConnection  *connection,
                 S9wsOutputFrame *frame)
{
  connection->counters.compressed_bytes_sent += s9ws_sender_compress (&connection->sender, &connection->output, frame);
  if (frame->is_final)
    connection->counters.compressed_messages_sent++;
  s9ws_input_expect_trim (&connection->input);
  s9ws_connection_flush (connection);
}

static void
log_sent (S9wsConnection        *connection,
          const S9wsOutputFrame *frame)
{
  s9ws_connection_log_frame (connection, frame->is_compressed ? "sent compressed" : "sent", frame->opcode, frame->size);
}

static void
send_prepared (S9wsConnection  *connection,
               S9wsOutputFrame *frame)
{
  if (G_UNLIKELY (connection->logs_frames))
    log_sent (connection, frame);

  if (frame->is_compressed)
    send_compressed (connection, frame);
  else
    send_as_it_is (connection, frame);
}

/* Sends, or keeps, a frame that has been checked. */
void
s9ws_connection_send_frame (S9wsConnection *connection,
                            S9wsOpcode      opcode,
                            const guint8   *data,
                            gsize           size)
{
  S9wsOutputFrame frame;

  s9ws_sender_prepare (&connection->sender, &frame, opcode, data, size);
  send_prepared (connection, &frame);
}

G_NO_INLINE gboolean
s9ws_connection_check_phase (S9wsConnection  *connection,
                             GError         **error)
{
  if (G_LIKELY (connection->phase == S9WS_PHASE_OPEN && connection->write_error == NULL))
    return TRUE;

  if (connection->phase < S9WS_PHASE_OPEN)
    g_set_error_literal (error, S9WS_ERROR, S9WS_ERROR_NOT_OPEN,
                         _("The connection is not open yet"));
  else if (connection->write_error != NULL)
    g_set_error (error, S9WS_ERROR, S9WS_ERROR_CONNECTION_CLOSED,
                 _("The connection is lost: %s"), connection->write_error->message);
  else
    g_set_error_literal (error, S9WS_ERROR, S9WS_ERROR_CONNECTION_CLOSED,
                         _("The connection is closing or closed; nothing can be sent on it any more"));

  return FALSE;
}

/* Writing has failed: the caller hears of this frame, and what was @kept before it is lost. */
static gboolean
fail_send (S9wsConnection  *connection,
           gsize            kept,
           GError         **error)
{
  connection->unsent = MIN (connection->unsent, kept);
  return s9ws_connection_check_phase (connection, error);
}

gboolean
s9ws_connection_check_buffer (guint64   limit,
                              guint64   used,
                              gsize     size,
                              GError  **error)
{
  if (G_LIKELY (limit == 0 || (used <= limit && size <= limit - used)))
    return TRUE;

  g_set_error (error, S9WS_ERROR, S9WS_ERROR_BUFFER_FULL,
               _("A message of %zu bytes does not fit into the send buffer: "
                  "%llu of at most %llu bytes are in use"),
               size, (unsigned long long) used, (unsigned long long) limit);
  return FALSE;
}

gboolean
s9ws_connection_check_room (S9wsConnection  *connection,
                            gsize            size,
                            GError         **error)
{
  return s9ws_connection_check_buffer (connection->config->max_buffered_amount,
                                       s9ws_output_get_size (&connection->output), size, error);
}

gboolean
s9ws_connection_check_send (S9wsOpcode     opcode,
                            const guint8  *data,
                            gsize          size,
                            GError       **error)
{
  if (opcode == S9WS_OPCODE_TEXT && G_UNLIKELY (!s9ws_utf8_is_valid (data, size)))
    {
      g_set_error_literal (error, S9WS_ERROR, S9WS_ERROR_INVALID_UTF8,
                           _("The text to be sent is not valid UTF-8"));
      return FALSE;
    }

  if (opcode >= S9WS_OPCODE_CLOSE && G_UNLIKELY (size > S9WS_CONTROL_PAYLOAD_MAX))
    {
      g_set_error (error, S9WS_ERROR, S9WS_ERROR_MESSAGE_TOO_BIG,
                   _("A ping or pong of %zu bytes cannot be sent: at most %d are allowed"),
                   size, S9WS_CONTROL_PAYLOAD_MAX);
      return FALSE;
    }

  return TRUE;
}

void
s9ws_connection_expect_pong (S9wsConnection *connection,
                             const guint8   *data,
                             gsize           size,
                             gint64          time)
{
  connection->ping_time = time;
  connection->ping_size = (guint8) size;
  if (size > 0)
    memcpy (connection->ping, data, size);
}

static void
count_sent (S9wsConnection *connection,
            S9wsOpcode      opcode,
            gsize           size)
{
  if (G_LIKELY (opcode < S9WS_OPCODE_CLOSE))
    {
      connection->counters.messages_sent++;
      connection->counters.bytes_sent += size;
    }
  else if (opcode == S9WS_OPCODE_PING)
    {
      connection->counters.pings_sent++;
    }
  else
    {
      connection->counters.pongs_sent++;
    }
}

G_NO_INLINE static gboolean
send_of_any_kind (S9wsConnection  *connection,
                  S9wsOpcode       opcode,
                  const guint8    *data,
                  gsize            size,
                  GError         **error)
{
  gsize kept = s9ws_output_get_size (&connection->output);

  if (!s9ws_connection_check_phase (connection, error) ||
      !s9ws_connection_check_send (opcode, data, size, error) ||
      (opcode < S9WS_OPCODE_CLOSE && !s9ws_sender_check_whole (&connection->sender, error)) ||
      !s9ws_connection_check_room (connection, size, error))
    return FALSE;

  if (opcode == S9WS_OPCODE_PING)
    s9ws_connection_expect_pong (connection, data, size, g_get_monotonic_time ());

  s9ws_connection_send_frame (connection, opcode, data, size);
  if (G_UNLIKELY (connection->write_error != NULL))
    return fail_send (connection, kept, error);

  count_sent (connection, opcode, size);
  return TRUE;
}

/* Whether nothing can stand in the way of a short message, so that it may be encoded. */
static inline gboolean
can_send_short (S9wsConnection *connection,
                S9wsOpcode      opcode,
                const guint8   *data,
                gsize           size)
{
  guint64 limit = connection->config->max_buffered_amount;

  return size < connection->short_limit && opcode < S9WS_OPCODE_CLOSE && connection->phase == S9WS_PHASE_OPEN &&
         s9ws_output_get_size (&connection->output) == 0 && connection->write_error == NULL &&
         !connection->logs_frames && (limit == 0 || size <= limit) &&
         (opcode != S9WS_OPCODE_TEXT || s9ws_utf8_is_short_ascii (data, size) || s9ws_utf8_is_valid (data, size));
}

/* Keeps what the transport has not taken of a short frame, after it answered @n. */
G_NO_INLINE static void
keep_short (S9wsConnection *connection,
            gsize           frame_size,
            gssize          n)
{
  connection->output.end += frame_size;
  if (on_written (connection, n))
    s9ws_connection_flush (connection);
}

gboolean
s9ws_connection_send (S9wsConnection  *connection,
                      S9wsOpcode       opcode,
                      const guint8    *data,
                      gsize            size,
                      GError         **error)
{
  gsize frame_size = S9WS_SHORT_HEADER_SIZE + size;
  const guint8 *frame;
  gssize n;

  if (G_UNLIKELY (!can_send_short (connection, opcode, data, size)))
    return send_of_any_kind (connection, opcode, data, size, error);

  frame = s9ws_output_encode_short (&connection->output, opcode, data, size);
  n = s9ws_transport_write (connection->transport, frame, frame_size, &connection->write_error);
  if (G_UNLIKELY (n != (gssize) frame_size))
    {
      keep_short (connection, frame_size, n);
      if (connection->write_error != NULL)
        return fail_send (connection, 0, error);
    }

  connection->counters.messages_sent++;
  connection->counters.bytes_sent += size;
  return TRUE;
}

gboolean
s9ws_connection_begin_message (S9wsConnection  *connection,
                               S9wsOpcode       opcode,
                               GError         **error)
{
  if (!s9ws_connection_check_phase (connection, error) || !s9ws_sender_check_whole (&connection->sender, error) ||
      !s9ws_connection_check_room (connection, 0, error))
    return FALSE;

  s9ws_sender_begin (&connection->sender, opcode);
  connection->short_limit = s9ws_sender_get_short_limit (&connection->sender);
  return TRUE;
}

static gboolean
send_piece (S9wsConnection  *connection,
            const guint8    *data,
            gsize            size,
            gboolean         is_final,
            GError         **error)
{
  gsize kept = s9ws_output_get_size (&connection->output);
  S9wsOutputFrame frame;
  S9wsUtf8 utf8;

  if (!s9ws_connection_check_phase (connection, error) ||
      !s9ws_sender_check_piece (&connection->sender, data, size, is_final, &utf8, error) ||
      (!is_final && !s9ws_connection_check_room (connection, size, error)))
    return FALSE;

  if (size == 0 && !is_final)
    return TRUE;

  s9ws_sender_prepare_piece (&connection->sender, &frame, data, size, is_final, &utf8);
  connection->short_limit = s9ws_sender_get_short_limit (&connection->sender);
  send_prepared (connection, &frame);
  if (G_UNLIKELY (connection->write_error != NULL))
    return fail_send (connection, kept, error);

  connection->counters.bytes_sent += size;
  if (is_final)
    connection->counters.messages_sent++;
  return TRUE;
}

gboolean
s9ws_connection_append (S9wsConnection  *connection,
                        const guint8    *data,
                        gsize            size,
                        GError         **error)
{
  return send_piece (connection, data, size, FALSE, error);
}

gboolean
s9ws_connection_finish_message (S9wsConnection  *connection,
                                GError         **error)
{
  return send_piece (connection, NULL, 0, TRUE, error);
}

void
s9ws_connection_set_compress (S9wsConnection *connection,
                              gboolean        compress)
{
  connection->sender.wants_compress = compress;
  connection->short_limit = s9ws_sender_get_short_limit (&connection->sender);
}

void
s9ws_connection_send_encoded (S9wsConnection *connection,
                              S9wsOutput     *frames)
{
  if (connection->phase != S9WS_PHASE_OPEN || connection->write_error != NULL)
    {
      connection->unsent += s9ws_output_get_size (frames);
      s9ws_output_consume (frames, s9ws_output_get_size (frames));
      return;
    }

  s9ws_output_take (&connection->output, frames);
  s9ws_connection_flush (connection);
}
