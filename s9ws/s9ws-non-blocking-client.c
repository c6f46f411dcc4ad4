/* s9ws-non-blocking-client.c: the client that spins, sleeps or waits
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-non-blocking-client.h"

#include "s9ws-client-private.h"
#include "s9ws-strategy.h"

/**
 * S9wsNonBlockingClient:
 *
 * A client that reads without blocking, on its caller's thread, in
 * [method@S9ws.Client.run].
 *
 * What it does when the socket has nothing is the choice of
 * [property@S9ws.Options:wait-strategy]: spinning gives the lowest latency there is,
 * waiting next to no CPU use, the adaptive strategy most of both. It never waits after a
 * read that brought something.
 *
 * [signal@S9ws.Client::idle] is emitted in each turn in which the socket had nothing:
 * before sleeping, and after waiting.
 *
 * Since: 0.1
 */
struct _S9wsNonBlockingClient
{
  S9wsClient parent_instance;

  S9wsStrategy strategy;
};

struct _S9wsNonBlockingClientClass
{
  S9wsClientClass parent_class;
};

G_DEFINE_FINAL_TYPE (S9wsNonBlockingClient, s9ws_non_blocking_client, S9WS_TYPE_CLIENT)

static S9wsWaitStrategy
get_kind (const S9wsSettings *settings)
{
  if (settings->wait_strategy != S9WS_WAIT_STRATEGY_DEFAULT)
    return settings->wait_strategy;

  return settings->spin_wait_duration > 0 ? S9WS_WAIT_STRATEGY_SLEEP : S9WS_WAIT_STRATEGY_SPIN;
}

static void
wait_after (S9wsClient *client,
            gboolean    is_first)
{
  S9wsNonBlockingClient *non_blocking = S9WS_NON_BLOCKING_CLIENT (client);
  S9wsConnection *connection = client->connection;
  S9wsWaitStrategy kind = get_kind (client->settings);
  gint64 timeout = s9ws_strategy_get_wait (&non_blocking->strategy, kind,
                                           client->settings->spin_wait_duration, is_first);

  /* Not twice where a sleep goes on. */
  if (timeout == 0 || (kind == S9WS_WAIT_STRATEGY_SLEEP && client->wait_until == 0))
    s9ws_client_deliver_idle (client);
  if (timeout == 0 || s9ws_client_is_quitting (client) || s9ws_connection_has_pending (connection))
    return;

  client->turns_until_look = 0;
  if (kind == S9WS_WAIT_STRATEGY_SLEEP)
    s9ws_client_wait (client, 0, timeout);
  else if (s9ws_client_wait (client, s9ws_connection_get_poll_events (connection), timeout))
    s9ws_client_deliver_idle (client);
}

static void
s9ws_non_blocking_client_class_init (S9wsNonBlockingClientClass *klass)
{
  S9wsClientClass *client_class = S9WS_CLIENT_CLASS (klass);

  s9ws_client_class_use_direct (client_class);
  client_class->wait_after = wait_after;
}

static void
s9ws_non_blocking_client_init (S9wsNonBlockingClient *non_blocking)
{
}

/**
 * s9ws_non_blocking_client_new:
 * @uri: the server's URI, `ws://` or `wss://`
 * @options: (nullable): options, or %NULL for the defaults
 *
 * Creates a client. Nothing is checked or done before it is opened.
 *
 * Returns: (transfer full): a new client
 *
 * Since: 0.1
 */
S9wsNonBlockingClient *
s9ws_non_blocking_client_new (const char  *uri,
                              S9wsOptions *options)
{
  g_return_val_if_fail (uri != NULL, NULL);
  g_return_val_if_fail (options == NULL || S9WS_IS_OPTIONS (options), NULL);

  return g_object_new (S9WS_TYPE_NON_BLOCKING_CLIENT, "uri", uri, "options", options, NULL);
}
