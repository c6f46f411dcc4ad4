/* closing.c: how a connection is closed, and what else ends it
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "connection-private.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <string.h>

#include "ending.h"

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

  s9ws_ending_note_initiator (&connection->ending, S9WS_ENDING_BY_US);
  /* Behind what was given up, half a frame or half a TLS record, nothing can be understood. */
  if (connection->write_error != NULL)
    return;

  s9ws_ending_note_sent (&connection->ending, code, reason, reason_size);
  connection->close_end = connection->n_taken + s9ws_output_get_size (&connection->output) + S9WS_SHORT_HEADER_SIZE + size;
  s9ws_connection_send_frame (connection, S9WS_OPCODE_CLOSE, payload, size);
}

gboolean
s9ws_connection_close (S9wsConnection  *connection,
                       guint            code,
                       const char      *reason,
                       GError         **error)
{
  if (!s9ws_connection_check_phase (connection, error) ||
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
  s9ws_connection_give_up_output (connection);
  s9ws_ending_conclude (&connection->ending, connection->transport, connection->n_taken >= connection->close_end);
  connection->counters.reads = connection->transport->n_reads;
  connection->counters.writes = connection->transport->n_writes;
  g_clear_pointer (&connection->transport, s9ws_transport_close);
  s9ws_output_clear (&connection->output);
}

/* RFC 6455, section 5.5.1: a close frame is answered by one, and is the last. */
void
s9ws_connection_on_close (S9wsConnection *connection,
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

void
s9ws_connection_on_violation (S9wsConnection *connection)
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

/* While closing, a stream that breaks off is the answer that does not come, as with
 * close-timeout.  What breaks the rules of TLS is an error all the same. */
void
s9ws_connection_on_loss (S9wsConnection *connection,
                         GError         *error)
{
  S9wsTransport *transport = connection->transport;

  if (connection->phase == S9WS_PHASE_CLOSING && transport->tls_alert == 0 &&
      (transport->has_ended || transport->error_number != 0))
    g_clear_error (&error);
  else
    error = explain_loss (connection, error);

  s9ws_connection_end (connection, 1006, error);
}

/* The peer has closed the stream without a close frame. */
void
s9ws_connection_on_eof (S9wsConnection *connection)
{
  int error_number = connection->transport->error_number;
  GError *error;

  /* Behind what has failed before, a stream has an end, too, which is not the peer's; but
   * that it does not read any more says no more than its end.  While closing see
   * s9ws_connection_on_loss (). */
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
