/* s9ws-blocking-client.c: the client that blocks its caller's thread
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-blocking-client.h"

#include <poll.h>

#include "connection/waiting.h"
#include "s9ws-client-private.h"

/**
 * S9wsBlockingClient:
 *
 * A client that blocks its caller's thread in [method@S9ws.Client.run].
 *
 * Reading waits for the server; sending waits until the socket has taken the message.
 * With [property@S9ws.Options:read-timeout] the wait for the server is interrupted by
 * [signal@S9ws.Client::idle], with [property@S9ws.Options:write-timeout] that for the
 * socket ends early. It is the simplest client, with next to no CPU use while nothing
 * happens.
 *
 * Since: 0.1
 */
struct _S9wsBlockingClient
{
  S9wsClient parent_instance;

  gboolean has_timed_out; /* the last wait, by read-timeout */
};

struct _S9wsBlockingClientClass
{
  S9wsClientClass parent_class;
};

G_DEFINE_FINAL_TYPE (S9wsBlockingClient, s9ws_blocking_client, S9WS_TYPE_CLIENT)

G_NO_INLINE static void
wait_for_input (S9wsBlockingClient *blocking)
{
  S9wsClient *client = S9WS_CLIENT (blocking);
  S9wsConnection *connection = client->connection;
  guint64 read_timeout = client->settings->read_timeout;

  if (s9ws_connection_has_pending (connection) || s9ws_connection_has_failed (connection))
    return;

  if (s9ws_client_wait (client, s9ws_connection_get_poll_events (connection),
                        read_timeout > 0 ? (gint64) read_timeout : -1))
    blocking->has_timed_out = read_timeout > 0 && client->wait_until == 0;
}

/* Without a timer and without anything left to send, reading itself may wait: one
 * system call a turn instead of two. */
static void
wait_before (S9wsClient *client)
{
  S9wsBlockingClient *blocking = S9WS_BLOCKING_CLIENT (client);
  S9wsTransport *transport = s9ws_connection_get_transport (client->connection);

  blocking->has_timed_out = FALSE;
  transport->may_block = client->settings->read_timeout == 0 && client->run_until == 0 &&
                         s9ws_connection_may_block (client->connection);
  if (G_UNLIKELY (!transport->may_block))
    wait_for_input (blocking);
}

static void
wait_after (S9wsClient *client,
            gboolean    is_first)
{
  S9wsTransport *transport = s9ws_connection_get_transport (client->connection);

  if (S9WS_BLOCKING_CLIENT (client)->has_timed_out)
    {
      client->turns_until_look = 0;
      s9ws_client_deliver_idle (client);
    }
  else if (transport->may_block && !s9ws_connection_has_pending (client->connection))
    /* Half a TLS record came, or somebody has made the descriptor non-blocking. */
    s9ws_wait (transport->fd, POLLIN, -1, -1);
}

/* Reads ahead while it waits: the peer may be waiting to send, too. */
static void
finish_send (S9wsClient *client)
{
  S9wsConnection *connection = client->connection;
  S9wsTransport *transport = s9ws_connection_get_transport (connection);
  guint64 timeout = client->settings->write_timeout;
  gint64 deadline = timeout > 0 ? g_get_monotonic_time () + (gint64) timeout : 0;
  gboolean reads_ahead = TRUE;

  transport->may_block = FALSE;
  while (s9ws_connection_get_buffered (connection) > 0 && !s9ws_client_is_quitting (client))
    {
      short events = reads_ahead ? POLLIN | POLLOUT : POLLOUT;
      gint64 bound = s9ws_wait_bound (-1, deadline);
      short ready;

      if (bound == 0)
        break;

      ready = s9ws_wait_or_resume (transport->fd, events, -1, s9ws_connection_get_resume_fd (connection),
                                   s9ws_connection_bound_wait (connection, bound));
      if (ready == 0)
        s9ws_connection_attend_sending (connection, reads_ahead);
      if (reads_ahead && (ready & POLLIN) != 0)
        reads_ahead = s9ws_connection_read_ahead (connection);
      s9ws_connection_flush (connection);
    }
}

static void
s9ws_blocking_client_class_init (S9wsBlockingClientClass *klass)
{
  S9wsClientClass *client_class = S9WS_CLIENT_CLASS (klass);

  s9ws_client_class_use_direct (client_class);
  client_class->wait_before = wait_before;
  client_class->wait_after = wait_after;
  client_class->finish_send = finish_send;
}

static void
s9ws_blocking_client_init (S9wsBlockingClient *blocking)
{
}

/**
 * s9ws_blocking_client_new:
 * @uri: the server's URI, `ws://` or `wss://`
 * @options: (nullable): options, or %NULL for the defaults
 *
 * Creates a client. Nothing is checked or done before it is opened.
 *
 * Returns: (transfer full): a new client
 *
 * Since: 0.1
 */
S9wsBlockingClient *
s9ws_blocking_client_new (const char  *uri,
                          S9wsOptions *options)
{
  g_return_val_if_fail (uri != NULL, NULL);
  g_return_val_if_fail (options == NULL || S9WS_IS_OPTIONS (options), NULL);

  return g_object_new (S9WS_TYPE_BLOCKING_CLIENT, "uri", uri, "options", options, NULL);
}
