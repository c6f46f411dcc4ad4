/* connection.c: one socket's whole life, from TLS to the last byte
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "connection-private.h"

#include <glib/gi18n-lib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ending.h"
#include "waiting.h"

#define TURNS_PER_LOOK 64 /* reads, without a wait between them */

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
  /* That of a refusal whose body was still being waited for. */
  g_clear_error (&connection->end_error);
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

S9wsReceiveResult
s9ws_connection_report_end (S9wsConnection  *connection,
                            GError         **error)
{
  if (connection->end_error != NULL)
    g_propagate_error (error, g_steal_pointer (&connection->end_error));

  return S9WS_RECEIVE_ENDED;
}

/* Keep-alive */

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
      s9ws_connection_send_frame (connection, S9WS_OPCODE_PING, keep_alive->payload, sizeof keep_alive->payload);
      connection->counters.pings_sent++;
    }
  s9ws_keep_alive_note_ping (keep_alive, count_signs_of_life (connection));
}

GError *
s9ws_connection_create_silence_error (S9wsConnection *connection)
{
  return g_error_new (S9WS_ERROR, S9WS_ERROR_TIMED_OUT,
                      _("Nothing came from the server within the pong-timeout of %u ms after a ping"),
                      connection->config->pong_timeout);
}

/* Sends a ping that is due.  FALSE if the peer counts as lost. */
G_NO_INLINE gboolean
s9ws_connection_attend_keep_alive (S9wsConnection *connection,
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
  /* Later, or the caller would not wait any more. */
  if (connection->input.trim_time != 0)
    s9ws_input_expect_trim (&connection->input);

  if (s9ws_connection_attend_keep_alive (connection, has_looked))
    return;

  connection->write_error = s9ws_connection_create_silence_error (connection);
  s9ws_connection_give_up_output (connection);
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
  if (G_UNLIKELY (s9ws_connection_has_spare_states (connection)) && connection->input.trim_time == 0)
    s9ws_input_expect_trim (&connection->input);

  return connection->deadline == 0 && connection->input.trim_time == 0 && connection->keep_alive.ping_due == 0 &&
         s9ws_output_get_size (&connection->output) == 0 && connection->write_error == NULL;
}

gboolean
s9ws_connection_has_failed (S9wsConnection *connection)
{
  return connection->write_error != NULL;
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
  /* When the memory is all given back soon, nothing is given back before. */
  gint64 trim_time = connection->phase == S9WS_PHASE_FINISHING ? 0 : connection->input.trim_time;

  return get_earlier (get_earlier (connection->deadline, trim_time),
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
