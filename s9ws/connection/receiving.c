/* receiving.c: what a connection reads, and the messages in it
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "connection-private.h"

#include <string.h>

#include "../framer/short-ascii.h"
#include "ending.h"

#define READ_AHEAD_MAX (64 * 1024 * 1024) /* bytes, where messages have no limit */

static void
on_ping (S9wsConnection *connection,
         S9wsMessage    *message)
{
  connection->counters.pings_received++;

  /* RFC 6455, section 5.5.2: also behind our Close, as long as the peer's has not come.
   * Section 5.5.3 lets pings go unanswered where newer ones follow: so does a peer that
   * sends them without ever reading the answers. */
  if (connection->write_error != NULL || !s9ws_connection_check_room (connection, message->size, NULL))
    return;

  s9ws_connection_send_frame (connection, S9WS_OPCODE_PONG, message->data, message->size);
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
    s9ws_connection_log_frame (connection, "received", message->opcode, message->size);

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
      s9ws_connection_on_close (connection, message);
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
          s9ws_connection_on_violation (connection);
          break;
        }

      check_progress (connection);
    }

  if (connection->phase == S9WS_PHASE_CLOSED)
    return s9ws_connection_report_end (connection, error);

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

gboolean
s9ws_connection_has_received (S9wsConnection *connection)
{
  return connection->input.window.begin < connection->input.window.end;
}

/* Gives memory back that has not been of use for a while. */
static void
trim (S9wsConnection *connection)
{
  if (!s9ws_input_trim (&connection->input, s9ws_connection_has_spare_states (connection)))
    return;

  s9ws_deflater_release (&connection->sender.deflater);
  if (s9ws_connection_has_spare_inflater (connection))
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
      s9ws_connection_on_loss (connection, g_steal_pointer (&connection->write_error));
      return s9ws_connection_report_end (connection, error);
    }

  if (G_UNLIKELY (--connection->turns == 0) && !s9ws_connection_attend_keep_alive (connection, TRUE))
    {
      s9ws_connection_end (connection, 1006, s9ws_connection_create_silence_error (connection));
      return s9ws_connection_report_end (connection, error);
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
    return s9ws_connection_report_end (connection, error);

  return S9WS_RECEIVE_AGAIN;
}

S9wsReceiveResult
s9ws_connection_progress (S9wsConnection  *connection,
                          GError         **error)
{
  if (connection->turns == 1)
    s9ws_connection_attend_keep_alive (connection, FALSE);

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
    s9ws_connection_on_eof (connection);
  else
    s9ws_connection_on_loss (connection, read_error);

  return s9ws_connection_report_end (connection, error);
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
    s9ws_connection_attend_keep_alive (connection, FALSE);
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
