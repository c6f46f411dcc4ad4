/* connection.c: one socket's whole life, from TLS to the last byte
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "connection-private.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>

#include "../framer/short-ascii.h"
#include <sys/socket.h>
#include <unistd.h>

#include "ending.h"
#include "waiting.h"

#define SEND_PIECE (128 * 1024)           /* bytes of a large frame encoded at a time */
#define READ_AHEAD_MAX (64 * 1024 * 1024) /* bytes, where messages have no limit */
#define TURNS_PER_LOOK 64                 /* reads, without a wait between them */

/* Life */

S9wsConnection *
s9ws_connection_new (S9wsTransport              *transport,
                     const S9wsConnectionConfig *config,
                     const S9wsEndpoint         *endpoint)
{
  S9wsConnection *connection = g_new0 (S9wsConnection, 1);

  connection->transport = transport;
  connection->config = config;
  connection->close_code = 1006;
  connection->counters.last_round_trip = -1;
  connection->resume_fd = -1;
  connection->read_clocks = config->read_clocks != NULL ? config->read_clocks : s9ws_clocks_read;
  connection->logs_frames = !g_log_writer_default_would_drop (G_LOG_LEVEL_DEBUG, "s9ws-wire");
  s9ws_input_init (&connection->input);
  s9ws_sender_init (&connection->sender);
  connection->short_limit = s9ws_sender_get_short_limit (&connection->sender);
  s9ws_message_decoder_init (&connection->decoder, S9WS_ROLE_CLIENT, 0, config->max_message_size);
  if (config->max_piece_size != 0)
    s9ws_message_decoder_use_pieces (&connection->decoder, config->max_piece_size);

  s9ws_connection_write_request (connection, endpoint);
  s9ws_connection_set_phase (connection, S9WS_PHASE_TLS_HANDSHAKE, config->handshake_timeout);

  return connection;
}

void
s9ws_connection_free (S9wsConnection *connection)
{
  g_clear_pointer (&connection->transport, s9ws_transport_close);
  s9ws_output_clear (&connection->output);
  s9ws_sender_clear (&connection->sender);
  s9ws_inflater_release (&connection->inflater);
  s9ws_input_clear (&connection->input);
  g_clear_error (&connection->write_error);
  g_clear_error (&connection->end_error);
  s9ws_ending_clear (&connection->ending);
  if (connection->resume_fd >= 0)
    close (connection->resume_fd);
  g_free (connection->key);
  g_clear_pointer (&connection->request, g_byte_array_unref);
  g_clear_pointer (&connection->answer.tls, s9ws_tls_info_free);
  g_clear_pointer (&connection->answer.headers, g_ptr_array_unref);
  g_clear_pointer (&connection->answer.body, g_byte_array_unref);
  g_free (connection->answer.protocol);
  g_free (connection);
}

/* What the kernel has accepted and the peer does not, it is to wait for no longer than
 * for a pong.  Not every socket has that. */
static void
bound_sending (S9wsConnection *connection)
{
#ifdef HAVE_TCP_USER_TIMEOUT
  guint timeout = connection->config->pong_timeout;

  if (timeout > 0 && connection->transport->fd >= 0)
    setsockopt (connection->transport->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
#endif
}

static void
start_keep_alive (S9wsConnection *connection)
{
  const S9wsConnectionConfig *config = connection->config;

  if (config->ping_interval == 0)
    return;

  s9ws_keep_alive_start (&connection->keep_alive, config->ping_interval, config->pong_timeout,
                         connection->read_clocks ());
  connection->turns = TURNS_PER_LOOK;
  connection->resume_fd = s9ws_resumption_open ();
  bound_sending (connection);
}

void
s9ws_connection_set_phase (S9wsConnection *connection,
                           S9wsPhase       phase,
                           guint           timeout)
{
  static const char *const names[] = {
    "TLS handshake", "upgrade", "open", "closing", "finishing", "closed"
  };

  connection->phase = phase;
  connection->deadline = timeout > 0 ? g_get_monotonic_time () + (gint64) timeout * 1000 : 0;
  connection->ending.has_opened |= phase == S9WS_PHASE_OPEN;
  if (phase == S9WS_PHASE_OPEN)
    start_keep_alive (connection);
  else
    s9ws_keep_alive_stop (&connection->keep_alive);
  s9ws_log_life (G_LOG_LEVEL_DEBUG, "%p: %s", (void *) connection, names[phase]);
}

void
s9ws_connection_use_deflate (S9wsConnection *connection)
{
  const S9wsConnectionConfig *config = connection->config;
  const S9wsDeflateParameters *agreed = &connection->answer.deflate;

  s9ws_inflater_init (&connection->inflater, &s9ws_sender_memory, agreed->server_max_window_bits,
                      !agreed->server_no_context_takeover);
  s9ws_message_decoder_use_inflater (&connection->decoder, &connection->inflater, &connection->input.inflated);
  s9ws_sender_use_deflate (&connection->sender, agreed, config->compression_level, config->compression_threshold);
  connection->short_limit = s9ws_sender_get_short_limit (&connection->sender);
  s9ws_log_life (G_LOG_LEVEL_DEBUG, "%p: permessage-deflate, windows of %u and %u bits, %s and %s context takeover",
                 (void *) connection, agreed->client_max_window_bits, agreed->server_max_window_bits,
                 agreed->client_no_context_takeover ? "without" : "with",
                 agreed->server_no_context_takeover ? "without" : "with");
}

void
s9ws_connection_end (S9wsConnection *connection,
                     guint           close_code,
                     GError         *error)
{
  if (connection->phase == S9WS_PHASE_CLOSED)
    {
      g_clear_error (&error);
      return;
    }

  connection->close_code = close_code;
  connection->end_error = error;
  if (error != NULL)
    s9ws_log_life (G_LOG_LEVEL_INFO, "%p: %s", (void *) connection, error->message);
  s9ws_connection_set_phase (connection, S9WS_PHASE_CLOSED, 0);
}

gboolean
s9ws_connection_is_overdue (S9wsConnection *connection)
{
  return connection->deadline != 0 && g_get_monotonic_time () >= connection->deadline;
}

static S9wsReceiveResult
report_end (S9wsConnection  *connection,
            GError         **error)
{
  if (connection->end_error != NULL)
    g_propagate_error (error, g_steal_pointer (&connection->end_error));

  return S9WS_RECEIVE_ENDED;
}

/* Sending */

static void
log_frame (S9wsConnection *connection,
           const char     *direction,
           guint           opcode,
           gsize           size)
{
  static const char *const names[] = {
    "continuation", "text", "binary", "?", "?", "?", "?", "?", "close", "ping", "pong",
    [S9WS_MESSAGE_PIECE] = "piece",
  };

  g_log_structured ("s9ws-wire", G_LOG_LEVEL_DEBUG, "MESSAGE", "%p: %s %s, %" G_GSIZE_FORMAT " bytes",
                    (void *) connection, direction, names[opcode], size);
}

/* Whether there may be more that the socket takes. */
G_NO_INLINE static gboolean
on_written (S9wsConnection *connection,
            gssize          n)
{
  S9wsOutput *output = &connection->output;

  if (n == S9WS_TRANSPORT_AGAIN)
    return FALSE;

  if (n > 0)
    connection->n_taken += (gsize) n;
  s9ws_output_consume (output, n < 0 ? s9ws_output_get_size (output) : (gsize) n);
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
  log_frame (connection, frame->is_compressed ? "sent compressed" : "sent", frame->opcode, frame->size);
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
static void
send_frame (S9wsConnection *connection,
            S9wsOpcode      opcode,
            const guint8   *data,
            gsize           size)
{
  S9wsOutputFrame frame;

  s9ws_sender_prepare (&connection->sender, &frame, opcode, data, size);
  send_prepared (connection, &frame);
}

G_NO_INLINE static gboolean
check_phase (S9wsConnection  *connection,
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

static gboolean
check_buffer (S9wsConnection  *connection,
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
  if (!check_phase (connection, error) ||
      !s9ws_connection_check_send (opcode, data, size, error) ||
      (opcode < S9WS_OPCODE_CLOSE && !s9ws_sender_check_whole (&connection->sender, error)) ||
      !check_buffer (connection, size, error))
    return FALSE;

  if (opcode == S9WS_OPCODE_PING)
    s9ws_connection_expect_pong (connection, data, size, g_get_monotonic_time ());

  send_frame (connection, opcode, data, size);
  if (G_UNLIKELY (connection->write_error != NULL))
    return check_phase (connection, error);

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
        return check_phase (connection, error);
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
  if (!check_phase (connection, error) || !s9ws_sender_check_whole (&connection->sender, error))
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
  S9wsOutputFrame frame;
  S9wsUtf8 utf8;

  if (!check_phase (connection, error) ||
      !s9ws_sender_check_piece (&connection->sender, data, size, is_final, &utf8, error) ||
      (!is_final && !check_buffer (connection, size, error)))
    return FALSE;

  if (size == 0 && !is_final)
    return TRUE;

  s9ws_sender_prepare_piece (&connection->sender, &frame, data, size, is_final, &utf8);
  connection->short_limit = s9ws_sender_get_short_limit (&connection->sender);
  send_prepared (connection, &frame);
  if (G_UNLIKELY (connection->write_error != NULL))
    return check_phase (connection, error);

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
      s9ws_output_consume (frames, s9ws_output_get_size (frames));
      return;
    }

  s9ws_output_take (&connection->output, frames);
  s9ws_connection_flush (connection);
}

/* Closing */

gboolean
s9ws_connection_check_close (guint        code,
                             const char  *reason,
                             GError     **error)
{
  gsize size = reason != NULL ? strlen (reason) : 0;

  if (code != 0 && !s9ws_close_code_is_valid (code))
    g_set_error (error, S9WS_ERROR, S9WS_ERROR_PROTOCOL,
                 _("The close code %u may not be sent: allowed are 1000 to 1003, 1007 to 1014 and 3000 to 4999"), code);
  else if (code == 0 && size > 0)
    g_set_error_literal (error, S9WS_ERROR, S9WS_ERROR_PROTOCOL,
                         _("A reason for closing cannot be sent without a close code"));
  else if (size > S9WS_CLOSE_REASON_MAX)
    g_set_error (error, S9WS_ERROR, S9WS_ERROR_MESSAGE_TOO_BIG,
                 _("A reason of %zu bytes cannot be sent: at most %d are allowed"),
                 size, S9WS_CLOSE_REASON_MAX);
  else if (!s9ws_utf8_is_valid ((const guint8 *) reason, size))
    g_set_error_literal (error, S9WS_ERROR, S9WS_ERROR_INVALID_UTF8,
                         _("The reason for closing is not valid UTF-8"));
  else
    return TRUE;

  return FALSE;
}

static void
send_close (S9wsConnection *connection,
            guint           code,
            const char     *reason,
            gsize           reason_size)
{
  guint8 payload[S9WS_CONTROL_PAYLOAD_MAX];
  gsize size = s9ws_frame_write_close_payload (payload, (guint16) code, reason, reason_size);

  s9ws_ending_note_sent (&connection->ending, code, reason, reason_size);
  send_frame (connection, S9WS_OPCODE_CLOSE, payload, size);
}

gboolean
s9ws_connection_close (S9wsConnection  *connection,
                       guint            code,
                       const char      *reason,
                       GError         **error)
{
  if (!check_phase (connection, error) ||
      !s9ws_connection_check_close (code, reason, error))
    return FALSE;

  send_close (connection, code, reason, reason != NULL ? strlen (reason) : 0);
  s9ws_connection_set_phase (connection, S9WS_PHASE_CLOSING, connection->config->close_timeout);
  return TRUE;
}

void
s9ws_connection_hang_up (S9wsConnection *connection)
{
  if (connection->transport == NULL)
    return;

  s9ws_connection_end (connection, 1006, NULL);
  connection->unsent = s9ws_output_get_size (&connection->output);
  s9ws_ending_conclude (&connection->ending, connection->transport,
                        connection->unsent == 0 && connection->write_error == NULL);
  connection->counters.reads = connection->transport->n_reads;
  connection->counters.writes = connection->transport->n_writes;
  g_clear_pointer (&connection->transport, s9ws_transport_close);
  s9ws_output_clear (&connection->output);
}

/* Receiving */

static void
on_ping (S9wsConnection *connection,
         S9wsMessage    *message)
{
  connection->counters.pings_received++;

  /* RFC 6455, section 5.5.2: also behind our Close, as long as the peer's has not come.
   * Section 5.5.3 lets pings go unanswered where newer ones follow: so does a peer that
   * sends them without ever reading the answers. */
  if (connection->write_error != NULL || !check_buffer (connection, message->size, NULL))
    return;

  send_frame (connection, S9WS_OPCODE_PONG, message->data, message->size);
  connection->counters.pongs_sent++;
}

static void
count_round_trip (S9wsConnection *connection,
                  gint64          duration)
{
  connection->counters.last_round_trip = duration;
  connection->counters.round_trips++;
}

static void
on_pong (S9wsConnection *connection,
         S9wsMessage    *message)
{
  gint64 round_trip = s9ws_keep_alive_take_pong (&connection->keep_alive, message->data, message->size,
                                                 connection->read_clocks);

  connection->counters.pongs_received++;
  if (round_trip >= 0)
    {
      count_round_trip (connection, round_trip);
      return;
    }

  if (connection->ping_time != 0 && connection->ping_size == message->size &&
      memcmp (connection->ping, message->data, message->size) == 0)
    {
      count_round_trip (connection, g_get_monotonic_time () - connection->ping_time);
      connection->ping_time = 0;
    }
}

/* RFC 6455, section 5.5.1: a close frame is answered by one, and is the last. */
static void
on_close (S9wsConnection *connection,
          S9wsMessage    *message)
{
  connection->close_code = message->close_code;
  s9ws_ending_note_received (&connection->ending, message->close_code, (const char *) message->data, message->size);

  if (connection->phase == S9WS_PHASE_OPEN)
    send_close (connection, message->close_code == 1005 ? 0 : message->close_code, NULL, 0);

  s9ws_connection_set_phase (connection, S9WS_PHASE_FINISHING, connection->config->close_timeout);
}

static const char *
describe_violation (S9wsViolation violation)
{
  switch (violation)
    {
    case S9WS_VIOLATION_RESERVED_BITS:
      return _("a frame has reserved bits set that no extension was agreed on for");
    case S9WS_VIOLATION_UNKNOWN_OPCODE:
      return _("a frame has an unknown opcode");
    case S9WS_VIOLATION_MASKED:
      return _("a frame is masked, which a server’s must not be");
    case S9WS_VIOLATION_UNMASKED:
      return _("a frame is not masked, which a client’s must be");
    case S9WS_VIOLATION_LENGTH_NOT_MINIMAL:
      return _("a frame’s length is not encoded in the shortest way");
    case S9WS_VIOLATION_LENGTH_TOO_LARGE:
      return _("a frame’s length exceeds 63 bits");
    case S9WS_VIOLATION_CONTROL_FRAGMENTED:
      return _("a control frame is fragmented");
    case S9WS_VIOLATION_CONTROL_TOO_LONG:
      return _("a control frame has more than 125 bytes");
    case S9WS_VIOLATION_UNEXPECTED_CONTINUATION:
      return _("a continuation frame came where no message had begun");
    case S9WS_VIOLATION_EXPECTED_CONTINUATION:
      return _("a new message began before the last one had ended");
    case S9WS_VIOLATION_CLOSE_SIZE:
      return _("a close frame has a payload of one byte");
    case S9WS_VIOLATION_CLOSE_CODE:
      return _("a close frame has a code that may not be sent");
    case S9WS_VIOLATION_CLOSE_REASON:
      return _("the reason in a close frame is not valid UTF-8");
    case S9WS_VIOLATION_TEXT:
      return _("a text message is not valid UTF-8");
    case S9WS_VIOLATION_FRAME_TOO_BIG:
    case S9WS_VIOLATION_MESSAGE_TOO_BIG:
      return _("a message is larger than max-message-size allows");
    case S9WS_VIOLATION_DEFLATE:
      return _("a compressed message is not valid DEFLATE data");
    case S9WS_VIOLATION_NONE:
    case S9WS_N_VIOLATIONS:
    default:
      g_return_val_if_reached ("");
    }
}

static void
on_violation (S9wsConnection *connection)
{
  S9wsViolation violation = s9ws_message_decoder_get_violation (&connection->decoder);
  guint close_code = s9ws_violation_get_close_code (violation);
  S9wsError code = S9WS_ERROR_PROTOCOL;

  if (close_code == 1007)
    code = S9WS_ERROR_INVALID_UTF8;
  else if (close_code == 1009)
    code = S9WS_ERROR_MESSAGE_TOO_BIG;

  if (connection->phase == S9WS_PHASE_OPEN)
    send_close (connection, close_code, NULL, 0);

  s9ws_connection_end (connection, close_code,
                       g_error_new (S9WS_ERROR, code, _("The server broke the protocol: %s"),
                                    describe_violation (violation)));
}

static void
lend (S9wsConnection *connection,
      S9wsMessage    *message)
{
  S9wsInput *input = &connection->input;

  if (s9ws_input_is_inflated (input, message))
    {
      s9ws_input_lend_inflated (input, message);
      connection->counters.compressed_messages_received = connection->decoder.n_compressed;
      connection->counters.compressed_bytes_received = connection->decoder.compressed;
      return;
    }

  if (message->opcode == S9WS_OPCODE_TEXT)
    s9ws_input_terminate (input, message);
  if (message->opcode != S9WS_MESSAGE_PIECE)
    s9ws_input_expect_like (input, message->size);
}

static void
on_piece (S9wsConnection *connection,
          S9wsMessage    *message)
{
  lend (connection, message);
  connection->counters.bytes_received += message->size;
  if ((message->piece_flags & S9WS_PIECE_IS_LAST) != 0)
    connection->counters.messages_received++;
}

/* FALSE: the caller has nothing to see of it. */
static gboolean
on_message (S9wsConnection *connection,
            S9wsMessage    *message)
{
  if (G_UNLIKELY (connection->logs_frames))
    log_frame (connection, "received", message->opcode, message->size);

  switch (message->opcode)
    {
    case S9WS_OPCODE_TEXT:
    case S9WS_OPCODE_BINARY:
      lend (connection, message);
      break;
    case S9WS_MESSAGE_PIECE:
      on_piece (connection, message);
      return TRUE;
    case S9WS_OPCODE_PING:
      on_ping (connection, message);
      return TRUE;
    case S9WS_OPCODE_PONG:
      on_pong (connection, message);
      return TRUE;
    default:
      on_close (connection, message);
      return FALSE;
    }

  connection->counters.messages_received++;
  connection->counters.bytes_received += message->size;
  return TRUE;
}

/* Timers and unfinished sending, looked at where the socket had nothing or the
 * connection is not simply open. */
static void
check_progress (S9wsConnection *connection)
{
  if (connection->phase == S9WS_PHASE_FINISHING &&
      (s9ws_output_get_size (&connection->output) == 0 || s9ws_connection_is_overdue (connection)))
    s9ws_connection_end (connection, connection->close_code, NULL);
  else if (connection->phase == S9WS_PHASE_CLOSING && s9ws_connection_is_overdue (connection))
    s9ws_connection_end (connection, 1006, NULL);
}

static S9wsMessageResult
decode (S9wsConnection *connection,
        S9wsMessage    *message)
{
  const S9wsConnectionConfig *config = connection->config;
  S9wsInput *input = &connection->input;
  guint64 limit = config->max_piece_size != 0 ? config->max_piece_size : config->max_message_size;
  S9wsMessageResult result;

  while ((result = s9ws_message_decoder_next (&connection->decoder, &input->window, message)) == S9WS_MESSAGE_NO_ROOM)
    s9ws_input_grow_inflated (input, limit);

  return result;
}

/* Whatever is not a short message alone.  Not inlined, like others here: the registers
 * that it needs would have to be saved on the short way, too. */
G_NO_INLINE static S9wsReceiveResult
next_of_any_kind (S9wsConnection  *connection,
                  S9wsMessage     *message,
                  GError         **error)
{
  s9ws_input_take_back (&connection->input);
  connection->input.is_lent = FALSE;
  if (connection->phase == S9WS_PHASE_OPEN || connection->phase == S9WS_PHASE_CLOSING)
    {
      switch (decode (connection, message))
        {
        case S9WS_MESSAGE_READY:
          if (on_message (connection, message))
            {
              connection->input.is_lent = TRUE;
              return S9WS_RECEIVE_MESSAGE;
            }
          break;
        case S9WS_MESSAGE_INCOMPLETE:
          return S9WS_RECEIVE_AGAIN;
        case S9WS_MESSAGE_VIOLATION:
        case S9WS_MESSAGE_NO_ROOM:
        default:
          on_violation (connection);
          break;
        }

      check_progress (connection);
    }

  if (connection->phase == S9WS_PHASE_CLOSED)
    return report_end (connection, error);

  return S9WS_RECEIVE_AGAIN;
}

static inline S9wsReceiveResult
lend_short (S9wsConnection *connection,
            S9wsMessage    *message)
{
  gsize size = message->size;

  s9ws_window_take_short (&connection->input.window, message);
  connection->counters.messages_received++;
  connection->counters.bytes_received += size;
  connection->input.is_lent = TRUE;
  return S9WS_RECEIVE_MESSAGE;
}

static inline S9wsReceiveResult
lend_short_text (S9wsConnection *connection,
                 S9wsMessage    *message)
{
  s9ws_input_terminate (&connection->input, message);
  return lend_short (connection, message);
}

G_NO_INLINE static S9wsReceiveResult
next_short_text (S9wsConnection  *connection,
                 S9wsMessage     *message,
                 GError         **error)
{
  if (G_UNLIKELY (!s9ws_utf8_is_valid (message->data, message->size)))
    return next_of_any_kind (connection, message, error);

  return lend_short_text (connection, message);
}

S9wsReceiveResult
s9ws_connection_next (S9wsConnection  *connection,
                      S9wsMessage     *message,
                      GError         **error)
{
  S9wsInput *input = &connection->input;

  if (G_UNLIKELY ((connection->phase != S9WS_PHASE_OPEN && connection->phase != S9WS_PHASE_CLOSING) ||
                  input->lent_block != NULL || connection->logs_frames))
    return next_of_any_kind (connection, message, error);

  s9ws_input_restore (input);
  if (s9ws_message_decoder_peek_short (&connection->decoder, &input->window, message))
    {
      if (message->opcode == S9WS_OPCODE_BINARY)
        return lend_short (connection, message);
      if (s9ws_utf8_is_short_ascii (message->data, message->size))
        return lend_short_text (connection, message);
      return next_short_text (connection, message, error);
    }

  /* As after nearly every read that brought one message. */
  if (connection->phase == S9WS_PHASE_OPEN && input->window.begin == input->window.end)
    {
      input->is_lent = FALSE;
      return S9WS_RECEIVE_AGAIN;
    }

  return next_of_any_kind (connection, message, error);
}

/* Changes with every byte that comes, half a TLS record included, or that the socket
 * takes of what it had left. */
static guint64
count_signs_of_life (S9wsConnection *connection)
{
  return connection->transport->n_reads - connection->transport->n_empty_reads + connection->n_taken;
}

static void
send_keep_alive (S9wsConnection *connection,
                 S9wsClocks      now)
{
  S9wsKeepAlive *keep_alive = &connection->keep_alive;

  s9ws_keep_alive_begin_ping (keep_alive, now);
  /* Behind what the socket does not take, a ping would be one more thing that waits:
   * it shows as well whether anybody is there. */
  if (s9ws_output_get_size (&connection->output) == 0)
    {
      send_frame (connection, S9WS_OPCODE_PING, keep_alive->payload, sizeof keep_alive->payload);
      connection->counters.pings_sent++;
    }
  s9ws_keep_alive_note_ping (keep_alive, count_signs_of_life (connection));
}

static GError *
create_silence_error (S9wsConnection *connection)
{
  return g_error_new (S9WS_ERROR, S9WS_ERROR_TIMED_OUT,
                      _("Nothing came from the server within the pong-timeout of %u ms after a ping"),
                      connection->config->pong_timeout);
}

/* Sends a ping that is due.  FALSE if the peer counts as lost. */
G_NO_INLINE static gboolean
attend_keep_alive (S9wsConnection *connection,
                   gboolean        has_looked)
{
  S9wsClocks now;

  connection->turns = TURNS_PER_LOOK;
  /* It has ended already, once what has arrived is read. */
  if (connection->write_error != NULL)
    s9ws_keep_alive_stop (&connection->keep_alive);
  if (connection->keep_alive.ping_due == 0)
    return TRUE;

  now = connection->read_clocks ();
  switch (s9ws_keep_alive_look (&connection->keep_alive, now, count_signs_of_life (connection), has_looked))
    {
    case S9WS_KEEP_ALIVE_PING:
      send_keep_alive (connection, now);
      return TRUE;
    case S9WS_KEEP_ALIVE_LOST:
      return FALSE;
    case S9WS_KEEP_ALIVE_FINE:
    default:
      return TRUE;
    }
}

void
s9ws_connection_attend_sending (S9wsConnection *connection,
                                gboolean        has_looked)
{
  if (attend_keep_alive (connection, has_looked))
    return;

  connection->write_error = create_silence_error (connection);
  s9ws_output_consume (&connection->output, s9ws_output_get_size (&connection->output));
}

/* Where the kernel has given up because of what bound_sending () asked it for. */
static GError *
explain_loss (S9wsConnection *connection,
              GError         *error)
{
  if (connection->transport->error_number != ETIMEDOUT || connection->config->ping_interval == 0 ||
      connection->config->pong_timeout == 0)
    return error;

  g_clear_error (&error);
  return g_error_new (S9WS_ERROR, S9WS_ERROR_TIMED_OUT,
                      _("What was sent was not acknowledged by the server within the pong-timeout of %u ms"),
                      connection->config->pong_timeout);
}

gboolean
s9ws_connection_has_received (S9wsConnection *connection)
{
  return connection->input.window.begin < connection->input.window.end;
}

/* The peer has closed the stream without a close frame. */
static void
on_eof (S9wsConnection *connection)
{
  int error_number = connection->transport->error_number;
  GError *error;

  /* Behind what has failed before, a stream has an end, too, which is not the peer's; but
   * that it does not read any more says no more than its end.  While closing it is the
   * answer that does not come, as with close-timeout. */
  if (connection->phase != S9WS_PHASE_OPEN)
    error = NULL;
  else if (error_number != 0 && error_number != EPIPE)
    error = explain_loss (connection, g_error_new (S9WS_ERROR, S9WS_ERROR_IO, _("The connection failed: %s"),
                                                   g_strerror (error_number)));
  else if (g_error_matches (connection->write_error, S9WS_ERROR, S9WS_ERROR_TIMED_OUT))
    error = g_steal_pointer (&connection->write_error);
  else
    error = g_error_new_literal (S9WS_ERROR, S9WS_ERROR_IO,
                                 _("The server ended the connection without a closing handshake"));

  s9ws_connection_end (connection, 1006, error);
}

/* What zlib holds and can do without: some 300 KiB. */
static gboolean
has_spare_states (S9wsConnection *connection)
{
  return connection->sender.deflater.is_live || s9ws_inflater_is_spare (&connection->inflater);
}

/* Gives memory back that has not been of use for a while. */
static void
trim (S9wsConnection *connection)
{
  if (!s9ws_input_trim (&connection->input, has_spare_states (connection)))
    return;

  s9ws_deflater_release (&connection->sender.deflater);
  if (s9ws_inflater_is_spare (&connection->inflater))
    s9ws_inflater_release (&connection->inflater);
}

static S9wsReceiveResult
on_again (S9wsConnection  *connection,
          GError         **error)
{
  if (connection->write_error != NULL)
    {
      /* All that had arrived has been delivered. */
      s9ws_ending_note_loss (&connection->ending, connection->transport);
      s9ws_connection_end (connection, 1006, explain_loss (connection, g_steal_pointer (&connection->write_error)));
      return report_end (connection, error);
    }

  if (G_UNLIKELY (--connection->turns == 0) && !attend_keep_alive (connection, TRUE))
    {
      s9ws_connection_end (connection, 1006, create_silence_error (connection));
      return report_end (connection, error);
    }

  trim (connection);
  return S9WS_RECEIVE_AGAIN;
}

/* Whether there is something to be done before reading. */
static inline gboolean
has_progress (S9wsConnection *connection)
{
  return s9ws_output_get_size (&connection->output) > 0 || connection->phase != S9WS_PHASE_OPEN;
}

static S9wsReceiveResult
make_progress (S9wsConnection  *connection,
               GError         **error)
{
  s9ws_input_take_back (&connection->input);
  connection->input.is_lent = FALSE;

  if (!has_progress (connection))
    return S9WS_RECEIVE_AGAIN;

  s9ws_connection_flush (connection);
  check_progress (connection);
  if (connection->phase == S9WS_PHASE_CLOSED)
    return report_end (connection, error);

  return S9WS_RECEIVE_AGAIN;
}

S9wsReceiveResult
s9ws_connection_progress (S9wsConnection  *connection,
                          GError         **error)
{
  if (connection->turns == 1)
    attend_keep_alive (connection, FALSE);

  return make_progress (connection, error);
}

/* Reading brought nothing. */
G_NO_INLINE static S9wsReceiveResult
on_nothing (S9wsConnection  *connection,
            gssize           n,
            GError          *read_error,
            GError         **error)
{
  if (n == S9WS_TRANSPORT_AGAIN)
    return on_again (connection, error);

  connection->transport->has_ended |= n == 0 && connection->transport->error_number == 0;
  s9ws_ending_note_loss (&connection->ending, connection->transport);
  if (n == 0)
    on_eof (connection);
  else
    s9ws_connection_end (connection, 1006, explain_loss (connection, read_error));

  return report_end (connection, error);
}

S9wsReceiveResult
s9ws_connection_read (S9wsConnection  *connection,
                      GError         **error)
{
  S9wsWindow *window = &connection->input.window;
  GError *read_error = NULL;
  gsize room;
  gssize n;

  if (G_UNLIKELY (has_progress (connection)))
    {
      if (make_progress (connection, error) == S9WS_RECEIVE_ENDED)
        return S9WS_RECEIVE_ENDED;
      /* What comes behind a close frame is ignored. */
      if (connection->phase == S9WS_PHASE_FINISHING)
        return S9WS_RECEIVE_AGAIN;
    }

  s9ws_input_take_back (&connection->input);
  connection->input.is_lent = FALSE;
  room = s9ws_input_make_room (&connection->input, s9ws_message_decoder_get_missing (&connection->decoder));
  n = s9ws_transport_read (connection->transport, window->data + window->end, room, &read_error);
  if (G_UNLIKELY (n <= 0))
    return on_nothing (connection, n, read_error, error);

  window->end += (gsize) n;
  connection->input.trim_time = 0;
  if (G_UNLIKELY (--connection->turns == 0))
    attend_keep_alive (connection, FALSE);
  return S9WS_RECEIVE_MESSAGE;
}

S9wsReceiveResult
s9ws_connection_receive (S9wsConnection  *connection,
                         S9wsMessage     *message,
                         GError         **error)
{
  S9wsReceiveResult result = s9ws_connection_next (connection, message, error);

  while (result == S9WS_RECEIVE_AGAIN)
    {
      result = s9ws_connection_read (connection, error);
      if (result != S9WS_RECEIVE_MESSAGE)
        break;
      result = s9ws_connection_next (connection, message, error);
    }

  return result;
}

gboolean
s9ws_connection_read_ahead (S9wsConnection *connection)
{
  S9wsWindow *window = &connection->input.window;
  guint64 limit = connection->config->max_message_size;
  gsize room;
  gssize n;

  if (limit == 0)
    limit = READ_AHEAD_MAX;
  if (connection->phase != S9WS_PHASE_OPEN || window->end - window->begin > limit)
    return FALSE;

  if (connection->input.is_lent && connection->input.lent_block == NULL)
    s9ws_input_keep_lent (&connection->input);

  room = s9ws_input_make_room (&connection->input, 0);
  n = s9ws_transport_read (connection->transport, window->data + window->end, room, NULL);
  if (n > 0)
    window->end += (gsize) n;

  return n > 0 || n == S9WS_TRANSPORT_AGAIN;
}

/* Getters */

S9wsBlock *
s9ws_connection_share_block (S9wsConnection *connection)
{
  return s9ws_input_share (&connection->input);
}

S9wsPhase
s9ws_connection_get_phase (S9wsConnection *connection)
{
  return connection->phase;
}

gsize
s9ws_connection_get_buffered (S9wsConnection *connection)
{
  return s9ws_output_get_size (&connection->output);
}

gsize
s9ws_connection_get_unsent (S9wsConnection *connection)
{
  return connection->unsent;
}

gboolean
s9ws_connection_has_pending (S9wsConnection *connection)
{
  return s9ws_transport_has_pending (connection->transport);
}

S9wsTransport *
s9ws_connection_get_transport (S9wsConnection *connection)
{
  return connection->transport;
}

const S9wsAnswer *
s9ws_connection_get_answer (S9wsConnection *connection)
{
  return &connection->answer;
}

const S9wsCounters *
s9ws_connection_get_counters (S9wsConnection *connection)
{
  return &connection->counters;
}

guint
s9ws_connection_get_close_code (S9wsConnection *connection)
{
  return connection->close_code;
}

const char *
s9ws_connection_get_close_reason (S9wsConnection *connection)
{
  return connection->ending.received_reason;
}

const S9wsEnding *
s9ws_connection_get_ending (S9wsConnection *connection)
{
  return &connection->ending;
}

short
s9ws_connection_get_poll_events (S9wsConnection *connection)
{
  short events = s9ws_output_get_size (&connection->output) > 0 ? POLLOUT : 0;

  /* After its close frame the peer has nothing more to say. */
  return connection->phase == S9WS_PHASE_FINISHING ? events : events | POLLIN;
}

gboolean
s9ws_connection_may_block (S9wsConnection *connection)
{
  /* A read that blocks would put it off for ever. */
  if (G_UNLIKELY (has_spare_states (connection)) && connection->input.trim_time == 0)
    s9ws_input_expect_trim (&connection->input);

  return connection->deadline == 0 && connection->input.trim_time == 0 && connection->keep_alive.ping_due == 0 &&
         s9ws_output_get_size (&connection->output) == 0;
}

static gint64
get_earlier (gint64 deadline,
             gint64 other)
{
  return other == 0 || (deadline != 0 && deadline < other) ? deadline : other;
}

gint64
s9ws_connection_get_deadline (S9wsConnection *connection)
{
  return get_earlier (get_earlier (connection->deadline, connection->input.trim_time),
                      s9ws_keep_alive_get_due (&connection->keep_alive));
}

int
s9ws_connection_get_resume_fd (S9wsConnection *connection)
{
  return connection->resume_fd;
}

gint64
s9ws_connection_bound_wait (S9wsConnection *connection,
                            gint64          timeout)
{
  gint64 deadline = s9ws_connection_get_deadline (connection);
  S9wsClocks now;
  gint64 rest;

  if (deadline == 0)
    return timeout;

  if (connection->keep_alive.ping_due == 0)
    return s9ws_wait_bound (timeout, deadline);

  now = connection->read_clocks ();
  if (s9ws_keep_alive_is_due (&connection->keep_alive, now))
    {
      connection->turns = 1;
      return 0;
    }

  rest = MAX (deadline - now.monotonic, 0);
  return timeout < 0 ? rest : MIN (rest, timeout);
}
