/* s9ws-client.c: what the three clients have in common
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-client-private.h"

#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include <unistd.h>

#include "connection/tls-transport.h"
#include "s9ws-translation.h"

/**
 * S9wsClient:
 *
 * A WebSocket client (RFC 6455).
 *
 * There are three: [class@S9ws.BlockingClient], [class@S9ws.NonBlockingClient] and
 * [class@S9ws.AsyncClient]. They have the same methods, properties and signals, and
 * differ in whose thread works and how it waits.
 *
 * A client lives for one connection: it is created, opened, run until the connection
 * has ended, and then only asked how it went.
 *
 * Events come as signals, in this order: [signal@S9ws.Client::activated] once the
 * connection is open; messages, pings and pongs; [signal@S9ws.Client::error] where
 * something failed; [signal@S9ws.Client::connection-closed] where the connection had
 * opened and ended by a close or by loss; [signal@S9ws.Client::quit] always last. Every
 * message that arrived before the end is delivered before it. All methods may be called
 * from inside any of them.
 *
 * A [class@S9ws.BlockingClient] and a [class@S9ws.NonBlockingClient] belong to one
 * thread at a time, but for [method@S9ws.Client.force_quit]. What may be done from any
 * thread with a [class@S9ws.AsyncClient] is said there.
 *
 * Since: 0.1
 */

enum
{
  PROP_URI = 1,
  PROP_OPTIONS,
  PROP_STATE,
  PROP_PROTOCOL,
  PROP_BUFFERED_AMOUNT,
  PROP_END_REPORT,
  PROP_COMPRESS,
  N_PROPERTIES
};

static GParamSpec *properties[N_PROPERTIES];

G_DEFINE_ABSTRACT_TYPE (S9wsClient, s9ws_client, G_TYPE_OBJECT)
G_DEFINE_BOXED_TYPE (S9wsStats, s9ws_stats, s9ws_stats_copy, s9ws_stats_free)

/* Defaults that fail: a binding can derive from anything. */

static gboolean
fail_abstract (S9wsClient  *client,
               GError     **error)
{
  g_set_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION,
               _("%s is no client that can connect: use one of S9wsBlockingClient, S9wsNonBlockingClient "
                  "and S9wsAsyncClient"),
               G_OBJECT_TYPE_NAME (client));
  return FALSE;
}

static gboolean
default_open (S9wsClient    *client,
              GCancellable  *cancellable,
              GError       **error)
{
  return fail_abstract (client, error);
}

static void
default_open_async (S9wsClient   *client,
                    GCancellable *cancellable,
                    GTask        *task)
{
  GError *error = NULL;

  fail_abstract (client, &error);
  g_task_return_error (task, error);
  g_object_unref (task);
}

static S9wsEvent *
default_receive (S9wsClient  *client,
                 GError     **error)
{
  fail_abstract (client, error);
  return NULL;
}

static gboolean
default_send (S9wsClient    *client,
              S9wsOpcode     opcode,
              const guint8  *data,
              gsize          size,
              GError       **error)
{
  return fail_abstract (client, error);
}

static gboolean
default_begin_message (S9wsClient  *client,
                       S9wsOpcode   opcode,
                       GError     **error)
{
  return fail_abstract (client, error);
}

static gboolean
default_append (S9wsClient    *client,
                const guint8  *data,
                gsize          size,
                GError       **error)
{
  return fail_abstract (client, error);
}

static gboolean
default_finish_message (S9wsClient  *client,
                        GError     **error)
{
  return fail_abstract (client, error);
}

static gboolean
default_close (S9wsClient  *client,
               guint        code,
               const char  *reason,
               GError     **error)
{
  return fail_abstract (client, error);
}

static void
default_set_compress (S9wsClient *client,
                      gboolean    compress)
{
}

static void
default_wake (S9wsClient *client)
{
}

static S9wsState
default_get_state (S9wsClient *client)
{
  return S9WS_STATE_NEW;
}

static guint64
default_get_buffered_amount (S9wsClient *client)
{
  return 0;
}

static S9wsConnection *
default_get_connection (S9wsClient *client)
{
  return NULL;
}

static const S9wsAnswer *
default_get_answer (S9wsClient *client)
{
  return NULL;
}

static S9wsEndReport *
default_get_end_report (S9wsClient *client)
{
  return NULL;
}

static void
default_get_stats (S9wsClient *client,
                   S9wsStats  *stats)
{
}

/* GObject */

static void
s9ws_client_get_property (GObject    *object,
                          guint       property_id,
                          GValue     *value,
                          GParamSpec *pspec)
{
  S9wsClient *client = S9WS_CLIENT (object);

  switch (property_id)
    {
    case PROP_URI:
      g_value_set_string (value, client->uri);
      break;
    case PROP_OPTIONS:
      g_value_set_object (value, client->options);
      break;
    case PROP_STATE:
      g_value_set_enum (value, s9ws_client_get_state (client));
      break;
    case PROP_PROTOCOL:
      g_value_set_string (value, s9ws_client_get_protocol (client));
      break;
    case PROP_BUFFERED_AMOUNT:
      g_value_set_uint64 (value, s9ws_client_get_buffered_amount (client));
      break;
    case PROP_END_REPORT:
      g_value_set_boxed (value, s9ws_client_get_end_report (client));
      break;
    case PROP_COMPRESS:
      g_value_set_boolean (value, s9ws_client_get_compress (client));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
s9ws_client_set_property (GObject      *object,
                          guint         property_id,
                          const GValue *value,
                          GParamSpec   *pspec)
{
  S9wsClient *client = S9WS_CLIENT (object);

  if (property_id == PROP_COMPRESS)
    {
      s9ws_client_set_compress (client, g_value_get_boolean (value));
      return;
    }

  if (s9ws_client_get_state (client) != S9WS_STATE_NEW)
    {
      g_warning ("The property %s of a %s cannot be changed once it has been opened",
                 pspec->name, G_OBJECT_TYPE_NAME (object));
      return;
    }

  switch (property_id)
    {
    case PROP_URI:
      g_free (client->uri);
      client->uri = g_value_dup_string (value);
      break;
    case PROP_OPTIONS:
      g_set_object (&client->options, g_value_get_object (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
s9ws_client_finalize (GObject *object)
{
  S9wsClient *client = S9WS_CLIENT (object);

  if (client->connection != NULL)
    {
      /* RFC 6455, section 7.4.1: going away.  There is nobody left to wait. */
      if (s9ws_connection_get_phase (client->connection) == S9WS_PHASE_OPEN && !s9ws_client_is_quitting (client))
        s9ws_connection_close (client->connection, 1001, NULL, NULL);
      s9ws_connection_free (client->connection);
    }

  g_queue_clear_full (&client->ends, (GDestroyNotify) s9ws_event_unref);
  g_clear_pointer (&client->settings, s9ws_settings_free);
  g_clear_pointer (&client->asking_context, g_main_context_unref);
  g_clear_pointer (&client->end_report, s9ws_end_report_unref);
  g_clear_pointer (&client->retired_handlers, g_ptr_array_unref);
  g_clear_object (&client->handler);
  g_clear_object (&client->options);
  g_clear_object (&client->socket);
  g_object_unref (client->quit);
  g_mutex_clear (&client->wake_lock);
  g_free (client->uri);

  G_OBJECT_CLASS (s9ws_client_parent_class)->finalize (object);
}

static void
install_properties (GObjectClass *object_class)
{
  const GParamFlags settable = G_PARAM_READWRITE | G_PARAM_CONSTRUCT | G_PARAM_STATIC_STRINGS;
  const GParamFlags readable = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  /**
   * S9wsClient:uri: (getter get_uri)
   *
   * The server's URI, `ws://` or `wss://` (RFC 6455, section 3). It may hold a user's
   * name and password, which are sent as Basic credentials. Cannot be changed once the
   * client has been opened, and redirects do not change it.
   *
   * `ws+unix:/path/to/socket:/request/path?query`, and `wss+unix:` likewise, stand for a
   * server on a Unix socket: what is in front of the second colon is the socket's path,
   * what is behind it goes into the request and may be left out. A colon, a question mark
   * or a number sign in the socket's path is percent-encoded. The header Host is
   * `localhost` unless [property@S9ws.Options:host-header] says otherwise; no proxy is
   * used, and TLS expects a certificate of `localhost` or of
   * [property@S9ws.TlsContext:server-name].
   *
   * Since: 0.1
   */
  properties[PROP_URI] = g_param_spec_string ("uri", NULL, NULL, NULL, settable);

  /**
   * S9wsClient:options: (getter get_options)
   *
   * The options, or %NULL for the defaults. Cannot be changed once the client has been
   * opened.
   *
   * Since: 0.1
   */
  properties[PROP_OPTIONS] = g_param_spec_object ("options", NULL, NULL, S9WS_TYPE_OPTIONS, settable);

  /**
   * S9wsClient:state: (getter get_state)
   *
   * Where in its life the client is.
   *
   * Since: 0.1
   */
  properties[PROP_STATE] = g_param_spec_enum ("state", NULL, NULL, S9WS_TYPE_STATE, S9WS_STATE_NEW, readable);

  /**
   * S9wsClient:protocol: (getter get_protocol)
   *
   * The subprotocol that the server chose, or %NULL.
   *
   * Since: 0.1
   */
  properties[PROP_PROTOCOL] = g_param_spec_string ("protocol", NULL, NULL, NULL, readable);

  /**
   * S9wsClient:buffered-amount: (getter get_buffered_amount)
   *
   * How many bytes of frames the socket has not taken yet. Changes are not notified.
   *
   * Since: 0.1
   */
  properties[PROP_BUFFERED_AMOUNT] = g_param_spec_uint64 ("buffered-amount", NULL, NULL, 0, G_MAXUINT64, 0, readable);

  /**
   * S9wsClient:end-report: (getter get_end_report)
   *
   * How the connection ended, or why there was none; %NULL before that. It is there from
   * [signal@S9ws.Client::error] and [signal@S9ws.Client::connection-closed] on.
   *
   * Since: 0.1
   */
  properties[PROP_END_REPORT] = g_param_spec_boxed ("end-report", NULL, NULL, S9WS_TYPE_END_REPORT, readable);

  /**
   * S9wsClient:compress: (getter get_compress) (setter set_compress)
   *
   * Whether messages that are sent from now on may be compressed: those of at least
   * [property@S9ws.Options:compression-threshold] bytes are, if the server has agreed to
   * [property@S9ws.Options:compression].
   *
   * Since: 0.1
   */
  properties[PROP_COMPRESS] = g_param_spec_boolean ("compress", NULL, NULL, TRUE, readable | G_PARAM_WRITABLE);

  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
}

static void
s9ws_client_class_init (S9wsClientClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = s9ws_client_get_property;
  object_class->set_property = s9ws_client_set_property;
  object_class->finalize = s9ws_client_finalize;

  klass->open = default_open;
  klass->open_async = default_open_async;
  klass->run = default_open;
  klass->receive = default_receive;
  klass->send = default_send;
  klass->begin_message = default_begin_message;
  klass->append = default_append;
  klass->finish_message = default_finish_message;
  klass->close = default_close;
  klass->set_compress = default_set_compress;
  klass->wake = default_wake;
  klass->get_state = default_get_state;
  klass->get_buffered_amount = default_get_buffered_amount;
  klass->get_connection = default_get_connection;
  klass->get_answer = default_get_answer;
  klass->get_end_report = default_get_end_report;
  klass->get_stats = default_get_stats;

  s9ws_bind_translations ();
  install_properties (object_class);
  s9ws_client_install_signals (klass);
}

static void
s9ws_client_init (S9wsClient *client)
{
  client->quit = g_cancellable_new ();
  client->wake_fd = -1;
  client->has_received = TRUE;
  g_queue_init (&client->ends);
  client->compress = TRUE;
  g_mutex_init (&client->wake_lock);
}

/* Private API */

void
s9ws_client_notify_state (S9wsClient *client)
{
  s9ws_client_look_for_listeners (client);
  g_object_notify_by_pspec (G_OBJECT (client), properties[PROP_STATE]);
  if (s9ws_client_get_state (client) == S9WS_STATE_OPEN && s9ws_client_get_protocol (client) != NULL)
    g_object_notify_by_pspec (G_OBJECT (client), properties[PROP_PROTOCOL]);
}

void
s9ws_client_notify_end_report (S9wsClient *client)
{
  if (client->has_notified_end || s9ws_client_get_end_report (client) == NULL)
    return;

  client->has_notified_end = TRUE;
  g_object_notify_by_pspec (G_OBJECT (client), properties[PROP_END_REPORT]);
}

void
s9ws_client_set_state_error (S9wsState   state,
                             GError    **error)
{
  if (state == S9WS_STATE_CLOSED)
    g_set_error_literal (error, S9WS_ERROR, S9WS_ERROR_CONNECTION_CLOSED,
                         _("The client’s connection has ended; a new connection needs a new client"));
  else if (state == S9WS_STATE_CONNECTING)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_PENDING, _("The client is being opened already"));
  else
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_PENDING, _("The client is open already"));
}

void
s9ws_client_take_counters (S9wsStats          *stats,
                           const S9wsCounters *counters)
{
  stats->bytes_received = counters->bytes_received;
  stats->bytes_sent = counters->bytes_sent;
  stats->messages_received = counters->messages_received;
  stats->messages_sent = counters->messages_sent;
  stats->pings_received = counters->pings_received;
  stats->pings_sent = counters->pings_sent;
  stats->pongs_received = counters->pongs_received;
  stats->pongs_sent = counters->pongs_sent;
  stats->reads = counters->reads;
  stats->writes = counters->writes;
  stats->last_round_trip = counters->last_round_trip;
  stats->round_trips = counters->round_trips;
  stats->tls_resumed = counters->tls_resumed;
  stats->compressed_messages_received = counters->compressed_messages_received;
  stats->compressed_messages_sent = counters->compressed_messages_sent;
  stats->compressed_bytes_received = counters->compressed_bytes_received;
  stats->compressed_bytes_sent = counters->compressed_bytes_sent;
}

static void
on_cancelled (GCancellable *cancellable,
              S9wsClient   *client)
{
  s9ws_client_force_quit (client);
}

gulong
s9ws_client_chain_cancellable (S9wsClient   *client,
                               GCancellable *cancellable)
{
  if (cancellable == NULL)
    return 0;

  return g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), client, NULL);
}

/* Public API: statistics */

/**
 * s9ws_stats_copy:
 * @stats: statistics
 *
 * Copies statistics.
 *
 * Returns: (transfer full): a copy
 *
 * Since: 0.1
 */
S9wsStats *
s9ws_stats_copy (const S9wsStats *stats)
{
  g_return_val_if_fail (stats != NULL, NULL);

  return g_memdup2 (stats, sizeof (S9wsStats));
}

/**
 * s9ws_stats_free:
 * @stats: (transfer full): statistics
 *
 * Frees statistics.
 *
 * Since: 0.1
 */
void
s9ws_stats_free (S9wsStats *stats)
{
  g_free (stats);
}

/* Public API: opening and running */

/**
 * s9ws_client_open:
 * @client: a client
 * @cancellable: (nullable): what can cancel it from another thread, or %NULL
 * @error: return location for a #GError
 *
 * Connects, does the TLS handshake of a `wss` URI and the upgrade (RFC 6455, section
 * 4), blocking until the connection is open.
 *
 * No message is read. On failure [signal@S9ws.Client::error] and
 * [signal@S9ws.Client::quit] are emitted, only the latter if it was cancelled, and the
 * client has ended. On [class@S9ws.AsyncClient] they are queued.
 *
 * Returns: %TRUE if the connection is open; otherwise %FALSE with an error of
 *   [error@S9ws.Error], `G_IO_ERROR_CANCELLED` after cancelling or
 *   [method@S9ws.Client.force_quit], or `G_IO_ERROR_PENDING` if the client is being
 *   opened or open already
 *
 * Since: 0.1
 */
gboolean
s9ws_client_open (S9wsClient    *client,
                  GCancellable  *cancellable,
                  GError       **error)
{
  gboolean is_open;

  g_return_val_if_fail (S9WS_IS_CLIENT (client), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  g_object_ref (client);
  is_open = S9WS_CLIENT_GET_CLASS (client)->open (client, cancellable, error);
  g_object_unref (client);

  return is_open;
}

/**
 * s9ws_client_open_async:
 * @client: a client
 * @cancellable: (nullable): what can cancel it, or %NULL
 * @callback: (scope async) (closure user_data): called when it is done
 * @user_data: data for @callback
 *
 * Does what [method@S9ws.Client.open] does without blocking.
 *
 * @callback is called in the thread-default main context of the calling thread, and so
 * are the signals of a failure emitted. On [class@S9ws.AsyncClient] this context is
 * where all signals arrive from then on, without anything more to be called; the other
 * clients deliver their events in [method@S9ws.Client.run].
 *
 * Since: 0.1
 */
void
s9ws_client_open_async (S9wsClient          *client,
                        GCancellable        *cancellable,
                        GAsyncReadyCallback  callback,
                        gpointer             user_data)
{
  GTask *task;

  g_return_if_fail (S9WS_IS_CLIENT (client));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (client, cancellable, callback, user_data);
  g_task_set_source_tag (task, s9ws_client_open_async);
  S9WS_CLIENT_GET_CLASS (client)->open_async (client, cancellable, task);
}

/**
 * s9ws_client_open_finish:
 * @client: a client
 * @result: what the callback was given
 * @error: return location for a #GError
 *
 * Gets the result of [method@S9ws.Client.open_async].
 *
 * Returns: %TRUE if the connection is open; otherwise %FALSE with the error that
 *   [method@S9ws.Client.open] would have given
 *
 * Since: 0.1
 */
gboolean
s9ws_client_open_finish (S9wsClient    *client,
                         GAsyncResult  *result,
                         GError       **error)
{
  g_return_val_if_fail (S9WS_IS_CLIENT (client), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, client), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  /* Bindings keep results for long, and what has been opened is not cancelled any more. */
  g_task_set_task_data (G_TASK (result), NULL, NULL);
  return g_task_propagate_boolean (G_TASK (result), error);
}

/* What the run came to, from the user's view. */
static gboolean
conclude_run (S9wsClient    *client,
              GCancellable  *cancellable,
              GError        *run_error,
              GError       **error)
{
  if (s9ws_client_is_quitting (client) &&
      (run_error == NULL || g_error_matches (run_error, G_IO_ERROR, G_IO_ERROR_CANCELLED)))
    {
      g_clear_error (&run_error);
      return !g_cancellable_set_error_if_cancelled (cancellable, error);
    }

  if (run_error == NULL)
    return TRUE;

  g_propagate_error (error, run_error);
  return FALSE;
}

/* One at a time.  @timeout is how long it may take, in µs; negative: until the end. */
static gboolean
begin_running (S9wsClient  *client,
               gint64       timeout,
               GError     **error)
{
  if (!g_atomic_int_compare_and_exchange (&client->is_running, FALSE, TRUE))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_PENDING,
                           _("The client is running already; run() cannot be called again until it returns"));
      return FALSE;
    }

  client->is_cut_short = FALSE;
  client->run_until = timeout >= 0 ? g_get_monotonic_time () + MIN (timeout, G_MAXINT64 / 2) : 0;
  g_object_ref (client);
  return TRUE;
}

static void
end_running (S9wsClient *client)
{
  client->run_until = 0;
  g_atomic_int_set (&client->is_running, FALSE);
  g_object_unref (client);
}

static gboolean
run (S9wsClient    *client,
     gint64         timeout,
     GCancellable  *cancellable,
     gboolean      *has_ended,
     GError       **error)
{
  GError *run_error = NULL;
  gboolean is_fine = TRUE;
  gulong chain;

  if (!begin_running (client, timeout, error))
    return FALSE;

  chain = s9ws_client_chain_cancellable (client, cancellable);
  S9WS_CLIENT_GET_CLASS (client)->run (client, cancellable, &run_error);
  g_cancellable_disconnect (cancellable, chain);
  if (has_ended != NULL)
    *has_ended = !client->is_cut_short;
  if (!client->is_cut_short)
    is_fine = conclude_run (client, cancellable, run_error, error);
  end_running (client);

  return is_fine;
}

/**
 * s9ws_client_run:
 * @client: a client
 * @cancellable: (nullable): what can end it from another thread at once, or %NULL
 * @error: return location for a #GError
 *
 * Opens the client if it has not been opened, and delivers its events on the calling
 * thread until the connection has ended.
 *
 * It cannot be called while it is running: `G_IO_ERROR_PENDING`, from inside a signal
 * or handler, too.
 *
 * Returns: %TRUE after a close or [method@S9ws.Client.force_quit]; otherwise %FALSE with
 *   the error that was emitted, or with `G_IO_ERROR_CANCELLED`
 *
 * Since: 0.1
 */
gboolean
s9ws_client_run (S9wsClient    *client,
                 GCancellable  *cancellable,
                 GError       **error)
{
  g_return_val_if_fail (S9WS_IS_CLIENT (client), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return run (client, -1, cancellable, NULL, error);
}

/**
 * s9ws_client_run_for:
 * @client: a client
 * @duration: for how long, in µs
 * @cancellable: (nullable): what can end it from another thread at once, or %NULL
 * @has_ended: (out) (optional): whether the connection has ended, and not just the time
 * @error: return location for a #GError
 *
 * Does what [method@S9ws.Client.run] does, but returns once @duration has passed, too,
 * and leaves the connection as it is: it may be called again, or
 * [method@S9ws.Client.run].
 *
 * It is for programs that have to look after something else from time to time, as
 * interpreters have to after signals of the system. Opening is not cut short, nor are
 * handlers. What the client waits for, as for [property@S9ws.Options:read-timeout], it
 * goes on to wait for in the next call.
 *
 * Returns: %TRUE if @duration has passed, or after a close or
 *   [method@S9ws.Client.force_quit]; otherwise %FALSE with an error of
 *   [method@S9ws.Client.run]
 *
 * Since: 0.1
 */
gboolean
s9ws_client_run_for (S9wsClient    *client,
                     guint64        duration,
                     GCancellable  *cancellable,
                     gboolean      *has_ended,
                     GError       **error)
{
  g_return_val_if_fail (S9WS_IS_CLIENT (client), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return run (client, (gint64) MIN (duration, G_MAXINT64), cancellable, has_ended, error);
}

/**
 * s9ws_client_receive:
 * @client: a client
 * @timeout_us: how long to wait, in µs; negative to wait until there is an event
 * @error: return location for a #GError
 *
 * Takes the next event off, for programs that prefer a loop of their own to signals.
 *
 * The client is opened, or started, if it has not been. An event that is taken off is
 * neither emitted nor given to the handler; [signal@S9ws.Client::poll] and
 * [signal@S9ws.Client::idle], which are no events, are emitted as in
 * [method@S9ws.Client.run]. The two may be called in turn.
 *
 * However the connection ends, the events tell of it, and so they do of a failure to open
 * it, for which @timeout_us is no bound. The caller-thread clients read no more than is
 * asked for, so that a slow program slows the server down.
 *
 * Returns: (transfer full) (nullable): the event; or %NULL without an error if none has
 *   come in time or %S9WS_EVENT_KIND_QUIT has been taken off already; or %NULL with
 *   `G_IO_ERROR_PENDING` while the client is running or being opened
 *
 * Since: 0.1
 */
S9wsEvent *
s9ws_client_receive (S9wsClient  *client,
                     gint64       timeout_us,
                     GError     **error)
{
  S9wsEvent *event;

  g_return_val_if_fail (S9WS_IS_CLIENT (client), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  if (!begin_running (client, timeout_us, error))
    return NULL;

  event = S9WS_CLIENT_GET_CLASS (client)->receive (client, error);
  end_running (client);

  return event;
}

/* Public API: sending */

static GType last_client_type; /* atomic */

G_NO_INLINE static gboolean
is_new_client (S9wsClient *client)
{
  if (!S9WS_IS_CLIENT (client))
    return FALSE;

  g_atomic_pointer_set (&last_client_type, G_TYPE_FROM_INSTANCE (client));
  return TRUE;
}

/* S9WS_IS_CLIENT () has to look a derived type up each time: not for the type that was
 * found to be one last. */
static inline gboolean
is_client (S9wsClient *client)
{
  return G_LIKELY (client != NULL && ((GTypeInstance *) client)->g_class != NULL &&
                   G_TYPE_FROM_INSTANCE (client) == (GType) g_atomic_pointer_get (&last_client_type)) ||
         is_new_client (client);
}

/**
 * s9ws_client_send_text:
 * @client: a client
 * @text: the text, UTF-8
 * @error: return location for a #GError
 *
 * Sends a text message (RFC 6455, section 5.6). One that is too large to be had whole can
 * be sent in pieces: see [method@S9ws.Client.begin_message].
 *
 * It leaves at once. What the socket does not take is kept and sent as soon as it does;
 * [property@S9ws.Client:buffered-amount] tells how much that is.
 *
 * Returns: %TRUE; or %FALSE if nothing was sent, with %S9WS_ERROR_INVALID_UTF8,
 *   %S9WS_ERROR_NOT_OPEN, %S9WS_ERROR_CONNECTION_CLOSED or %S9WS_ERROR_BUFFER_FULL
 *
 * Since: 0.1
 */
gboolean
s9ws_client_send_text (S9wsClient  *client,
                       const char  *text,
                       GError     **error)
{
  g_return_val_if_fail (text != NULL, FALSE);

  return s9ws_client_send_text_len (client, text, -1, error);
}

/**
 * s9ws_client_send_text_len: (skip)
 * @client: a client
 * @text: the text, UTF-8; it may hold U+0000 and need not be terminated
 * @length: the length of @text in bytes, or -1 if it is NUL-terminated
 * @error: return location for a #GError
 *
 * Sends a text message, like [method@S9ws.Client.send_text]. C only: bindings have
 * [method@S9ws.Client.send_text_bytes].
 *
 * Returns: %TRUE, or %FALSE if nothing was sent
 *
 * Since: 0.1
 */
gboolean
s9ws_client_send_text_len (S9wsClient  *client,
                           const char  *text,
                           gssize       length,
                           GError     **error)
{
  gsize size;

  g_return_val_if_fail (is_client (client), FALSE);
  g_return_val_if_fail (text != NULL || length == 0, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  size = length >= 0 ? (gsize) length : strlen (text);
  return S9WS_CLIENT_GET_CLASS (client)->send (client, S9WS_OPCODE_TEXT, (const guint8 *) text, size, error);
}

/**
 * s9ws_client_send_text_bytes:
 * @client: a client
 * @text: the text, UTF-8; it may hold U+0000
 * @error: return location for a #GError
 *
 * Sends a text message, like [method@S9ws.Client.send_text].
 *
 * Returns: %TRUE, or %FALSE if nothing was sent
 *
 * Since: 0.1
 */
gboolean
s9ws_client_send_text_bytes (S9wsClient  *client,
                             GBytes      *text,
                             GError     **error)
{
  gsize size;
  const char *data;

  g_return_val_if_fail (text != NULL, FALSE);

  data = g_bytes_get_data (text, &size);
  return s9ws_client_send_text_len (client, data, (gssize) size, error);
}

/**
 * s9ws_client_send_binary:
 * @client: a client
 * @data: (array length=length) (element-type guint8) (nullable): the bytes; %NULL if
 *   there are none
 * @length: the number of bytes
 * @error: return location for a #GError
 *
 * Sends a binary message, like [method@S9ws.Client.send_text].
 *
 * Returns: %TRUE; or %FALSE if nothing was sent, with %S9WS_ERROR_NOT_OPEN,
 *   %S9WS_ERROR_CONNECTION_CLOSED or %S9WS_ERROR_BUFFER_FULL
 *
 * Since: 0.1
 */
gboolean
s9ws_client_send_binary (S9wsClient    *client,
                         const guint8  *data,
                         gsize          length,
                         GError       **error)
{
  g_return_val_if_fail (is_client (client), FALSE);
  g_return_val_if_fail (data != NULL || length == 0, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return S9WS_CLIENT_GET_CLASS (client)->send (client, S9WS_OPCODE_BINARY, data, length, error);
}

/**
 * s9ws_client_send_bytes:
 * @client: a client
 * @bytes: the bytes
 * @error: return location for a #GError
 *
 * Sends a binary message, like [method@S9ws.Client.send_binary].
 *
 * Returns: %TRUE, or %FALSE if nothing was sent
 *
 * Since: 0.1
 */
gboolean
s9ws_client_send_bytes (S9wsClient  *client,
                        GBytes      *bytes,
                        GError     **error)
{
  gsize size;
  const guint8 *data;

  g_return_val_if_fail (bytes != NULL, FALSE);

  data = g_bytes_get_data (bytes, &size);
  return s9ws_client_send_binary (client, data, size, error);
}

/**
 * s9ws_client_send_ping:
 * @client: a client
 * @data: (array length=length) (element-type guint8) (nullable): the payload; %NULL if
 *   there is none
 * @length: the number of bytes, at most 125
 * @error: return location for a #GError
 *
 * Sends a ping (RFC 6455, section 5.5.2). Its pong is emitted as
 * [signal@S9ws.Client::pong]; the time between them is in [struct@S9ws.Stats].
 *
 * Returns: %TRUE; or %FALSE if nothing was sent, with %S9WS_ERROR_MESSAGE_TOO_BIG or an
 *   error of [method@S9ws.Client.send_binary]
 *
 * Since: 0.1
 */
gboolean
s9ws_client_send_ping (S9wsClient    *client,
                       const guint8  *data,
                       gsize          length,
                       GError       **error)
{
  g_return_val_if_fail (is_client (client), FALSE);
  g_return_val_if_fail (data != NULL || length == 0, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return S9WS_CLIENT_GET_CLASS (client)->send (client, S9WS_OPCODE_PING, data, length, error);
}

/**
 * s9ws_client_send_pong:
 * @client: a client
 * @data: (array length=length) (element-type guint8) (nullable): the payload; %NULL if
 *   there is none
 * @length: the number of bytes, at most 125
 * @error: return location for a #GError
 *
 * Sends a pong that no ping has asked for (RFC 6455, section 5.5.3). Pings are answered
 * without it.
 *
 * Returns: %TRUE; or %FALSE if nothing was sent, with %S9WS_ERROR_MESSAGE_TOO_BIG or an
 *   error of [method@S9ws.Client.send_binary]
 *
 * Since: 0.1
 */
gboolean
s9ws_client_send_pong (S9wsClient    *client,
                       const guint8  *data,
                       gsize          length,
                       GError       **error)
{
  g_return_val_if_fail (S9WS_IS_CLIENT (client), FALSE);
  g_return_val_if_fail (data != NULL || length == 0, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return S9WS_CLIENT_GET_CLASS (client)->send (client, S9WS_OPCODE_PONG, data, length, error);
}

/**
 * s9ws_client_close:
 * @client: a client
 * @code: the close code: 1000 to 1003, 1007 to 1014 or 3000 to 4999 (RFC 6455, section
 *   7.4); 0 sends none
 * @reason: (nullable): the reason, UTF-8 of at most 123 bytes, or %NULL
 * @error: return location for a #GError
 *
 * Starts the closing handshake (RFC 6455, section 7).
 *
 * Events go on until the server has answered, has ended the connection without an answer,
 * or [property@S9ws.Options:close-timeout] has passed. None of these is an error; without
 * an answer [signal@S9ws.Client::connection-closed] comes with 1006. Nothing can be sent
 * any more.
 *
 * A [class@S9ws.AsyncClient] goes on to read until then, even if nobody takes events off
 * and the queue is full: up to 16 MiB beyond
 * [property@S9ws.Options:max-queued-bytes]. Of a server that sends more than that before
 * it answers, it reads no more until events are taken off.
 *
 * Returns: %TRUE; or %FALSE if nothing was sent, with %S9WS_ERROR_PROTOCOL for the code,
 *   %S9WS_ERROR_MESSAGE_TOO_BIG or %S9WS_ERROR_INVALID_UTF8 for the reason,
 *   %S9WS_ERROR_NOT_OPEN or %S9WS_ERROR_CONNECTION_CLOSED
 *
 * Since: 0.1
 */
gboolean
s9ws_client_close (S9wsClient  *client,
                   guint        code,
                   const char  *reason,
                   GError     **error)
{
  g_return_val_if_fail (S9WS_IS_CLIENT (client), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (!s9ws_connection_check_close (code, reason, error))
    return FALSE;

  return S9WS_CLIENT_GET_CLASS (client)->close (client, code, reason, error);
}

/**
 * s9ws_client_force_quit:
 * @client: a client
 *
 * Ends the client at once, without a close frame.
 *
 * What [method@S9ws.Client.open] or [method@S9ws.Client.run] waits for is interrupted;
 * only [signal@S9ws.Client::quit] is emitted after it. May be called from any thread.
 *
 * Since: 0.1
 */
void
s9ws_client_force_quit (S9wsClient *client)
{
  g_return_if_fail (S9WS_IS_CLIENT (client));

  g_atomic_int_set (&client->is_quitting, TRUE);
  g_cancellable_cancel (client->quit);
  S9WS_CLIENT_GET_CLASS (client)->wake (client);
}

/* Public API: getters */

/**
 * s9ws_client_get_uri: (get-property uri)
 * @client: a client
 *
 * Gets the server's URI.
 *
 * Returns: (transfer none) (nullable): the URI
 *
 * Since: 0.1
 */
const char *
s9ws_client_get_uri (S9wsClient *client)
{
  g_return_val_if_fail (S9WS_IS_CLIENT (client), NULL);

  return client->uri;
}

/**
 * s9ws_client_get_options: (get-property options)
 * @client: a client
 *
 * Gets the options.
 *
 * Returns: (transfer none) (nullable): the options, or %NULL for the defaults
 *
 * Since: 0.1
 */
S9wsOptions *
s9ws_client_get_options (S9wsClient *client)
{
  g_return_val_if_fail (S9WS_IS_CLIENT (client), NULL);

  return client->options;
}

/**
 * s9ws_client_get_state: (get-property state)
 * @client: a client
 *
 * Gets where in its life the client is. May be called from any thread.
 *
 * Returns: the state
 *
 * Since: 0.1
 */
S9wsState
s9ws_client_get_state (S9wsClient *client)
{
  g_return_val_if_fail (S9WS_IS_CLIENT (client), S9WS_STATE_CLOSED);

  return S9WS_CLIENT_GET_CLASS (client)->get_state (client);
}

/**
 * s9ws_client_get_protocol: (get-property protocol)
 * @client: a client
 *
 * Gets the subprotocol that the server chose among
 * [property@S9ws.Options:protocols].
 *
 * Returns: (transfer none) (nullable): the subprotocol, or %NULL if there is none or the
 *   connection has not opened
 *
 * Since: 0.1
 */
const char *
s9ws_client_get_protocol (S9wsClient *client)
{
  const S9wsAnswer *answer;

  g_return_val_if_fail (S9WS_IS_CLIENT (client), NULL);

  answer = S9WS_CLIENT_GET_CLASS (client)->get_answer (client);
  return answer != NULL ? answer->protocol : NULL;
}

/**
 * s9ws_client_get_buffered_amount: (get-property buffered-amount)
 * @client: a client
 *
 * Gets how many bytes of frames the socket has not taken yet.
 *
 * Returns: the number of bytes
 *
 * Since: 0.1
 */
guint64
s9ws_client_get_buffered_amount (S9wsClient *client)
{
  g_return_val_if_fail (S9WS_IS_CLIENT (client), 0);

  return S9WS_CLIENT_GET_CLASS (client)->get_buffered_amount (client);
}

/**
 * s9ws_client_get_compress: (get-property compress)
 * @client: a client
 *
 * Gets whether messages that are sent may be compressed. May be called from any thread.
 *
 * Returns: whether they may
 *
 * Since: 0.1
 */
gboolean
s9ws_client_get_compress (S9wsClient *client)
{
  g_return_val_if_fail (S9WS_IS_CLIENT (client), FALSE);

  return g_atomic_int_get (&client->compress);
}

/**
 * s9ws_client_set_compress: (set-property compress)
 * @client: a client
 * @compress: whether messages that are sent from now on may be compressed
 *
 * Lets messages be compressed, as they are unless this is said, or has them sent as they
 * are. With [class@S9ws.AsyncClient] it may be called from any thread, and holds for what
 * is sent on any thread.
 *
 * Since: 0.1
 */
void
s9ws_client_set_compress (S9wsClient *client,
                          gboolean    compress)
{
  g_return_if_fail (S9WS_IS_CLIENT (client));

  compress = compress != FALSE;
  if (g_atomic_int_exchange (&client->compress, compress) == compress)
    return;

  S9WS_CLIENT_GET_CLASS (client)->set_compress (client, compress);
  g_object_notify_by_pspec (G_OBJECT (client), properties[PROP_COMPRESS]);
}

/**
 * s9ws_client_get_response_header:
 * @client: a client
 * @name: the name of a header, in any case
 *
 * Gets a header of the server's answer to the upgrade, whether it accepted or refused
 * it.
 *
 * Returns: (transfer none) (nullable): the value of the first header of that name, made
 *   valid UTF-8; or %NULL if there is none or no answer has come
 *
 * Since: 0.1
 */
const char *
s9ws_client_get_response_header (S9wsClient *client,
                                 const char *name)
{
  const S9wsAnswer *answer;

  g_return_val_if_fail (S9WS_IS_CLIENT (client), NULL);
  g_return_val_if_fail (name != NULL, NULL);

  answer = S9WS_CLIENT_GET_CLASS (client)->get_answer (client);
  for (guint i = 0; answer != NULL && answer->headers != NULL && i < answer->headers->len; i += 2)
    if (g_ascii_strcasecmp (answer->headers->pdata[i], name) == 0)
      return answer->headers->pdata[i + 1];

  return NULL;
}

/**
 * s9ws_client_get_response_status:
 * @client: a client
 *
 * Gets the HTTP status of the server's answer to the upgrade: 101 if it accepted.
 *
 * Returns: the status, or 0 if no answer has come
 *
 * Since: 0.1
 */
guint
s9ws_client_get_response_status (S9wsClient *client)
{
  const S9wsAnswer *answer;

  g_return_val_if_fail (S9WS_IS_CLIENT (client), 0);

  answer = S9WS_CLIENT_GET_CLASS (client)->get_answer (client);
  return answer != NULL ? answer->status : 0;
}

/**
 * s9ws_client_get_response_body:
 * @client: a client
 *
 * Gets what a server that refused the upgrade said about it: the body of its answer, up
 * to 64 KiB of it.
 *
 * Returns: (transfer full) (nullable): the body, or %NULL if the upgrade was not refused
 *
 * Since: 0.1
 */
GBytes *
s9ws_client_get_response_body (S9wsClient *client)
{
  const S9wsAnswer *answer;

  g_return_val_if_fail (S9WS_IS_CLIENT (client), NULL);

  answer = S9WS_CLIENT_GET_CLASS (client)->get_answer (client);
  if (answer == NULL || answer->body == NULL)
    return NULL;

  return g_bytes_new (answer->body->data, answer->body->len);
}

/**
 * s9ws_client_get_fd:
 * @client: a client
 *
 * Gets the socket's descriptor, to set options on it. It must be neither read from nor
 * written to nor closed.
 *
 * Returns: the descriptor, or -1 if there is no connection or its thread, of
 *   [class@S9ws.AsyncClient], runs
 *
 * Since: 0.1
 */
int
s9ws_client_get_fd (S9wsClient *client)
{
  S9wsConnection *connection;
  S9wsTransport *transport;

  g_return_val_if_fail (S9WS_IS_CLIENT (client), -1);

  connection = S9WS_CLIENT_GET_CLASS (client)->get_connection (client);
  transport = connection != NULL ? s9ws_connection_get_transport (connection) : NULL;
  return transport != NULL ? transport->fd : -1;
}

/**
 * s9ws_client_get_socket:
 * @client: a client
 *
 * Gets a #GSocket on the connection, to ask for addresses or set options. It must be
 * neither read from nor written to.
 *
 * Returns: (transfer none) (nullable): the socket, or %NULL if there is no connection or
 *   its thread, of [class@S9ws.AsyncClient], runs
 *
 * Since: 0.1
 */
GSocket *
s9ws_client_get_socket (S9wsClient *client)
{
  g_autoptr (GError) error = NULL;
  int fd;

  g_return_val_if_fail (S9WS_IS_CLIENT (client), NULL);

  fd = s9ws_client_get_fd (client);
  if (fd < 0)
    return NULL;

  if (client->socket == NULL)
    {
      /* A GSocket closes its descriptor: it gets one of its own. */
      fd = fcntl (fd, F_DUPFD_CLOEXEC, 3);
      client->socket = fd >= 0 ? g_socket_new_from_fd (fd, &error) : NULL;
      if (client->socket == NULL && fd >= 0)
        close (fd);
    }

  return client->socket;
}

/**
 * s9ws_client_get_tls_session: (skip)
 * @client: a client
 *
 * Gets the `gnutls_session_t` of a `wss` connection, to ask it for ciphers or
 * certificates. It must be neither read from nor written to. C only.
 *
 * Returns: (transfer none) (nullable): the session, or %NULL if there is no connection,
 *   it is not a TLS one, or its thread, of [class@S9ws.AsyncClient], runs
 *
 * Since: 0.1
 */
gpointer
s9ws_client_get_tls_session (S9wsClient *client)
{
  S9wsConnection *connection;
  S9wsTransport *transport;

  g_return_val_if_fail (S9WS_IS_CLIENT (client), NULL);

  connection = S9WS_CLIENT_GET_CLASS (client)->get_connection (client);
  transport = connection != NULL ? s9ws_connection_get_transport (connection) : NULL;
  return transport != NULL ? s9ws_tls_transport_get_session (transport) : NULL;
}

static const S9wsTlsInfo *
get_tls_info (S9wsClient *client)
{
  const S9wsAnswer *answer = S9WS_CLIENT_GET_CLASS (client)->get_answer (client);

  return answer != NULL ? answer->tls : NULL;
}

/**
 * s9ws_client_get_tls_version:
 * @client: a client
 *
 * Gets the version of TLS that was negotiated, as `TLS1.3`. It stays after the end.
 *
 * Returns: (transfer none) (nullable): the version, or %NULL if there was no TLS handshake
 *   that succeeded
 *
 * Since: 0.1
 */
const char *
s9ws_client_get_tls_version (S9wsClient *client)
{
  const S9wsTlsInfo *info;

  g_return_val_if_fail (S9WS_IS_CLIENT (client), NULL);

  info = get_tls_info (client);
  return info != NULL ? info->version : NULL;
}

/**
 * s9ws_client_get_tls_cipher:
 * @client: a client
 *
 * Gets the cipher that was negotiated, as `AES-128-GCM`. It stays after the end.
 *
 * Returns: (transfer none) (nullable): the cipher, or %NULL if there was no TLS handshake
 *   that succeeded
 *
 * Since: 0.1
 */
const char *
s9ws_client_get_tls_cipher (S9wsClient *client)
{
  const S9wsTlsInfo *info;

  g_return_val_if_fail (S9WS_IS_CLIENT (client), NULL);

  info = get_tls_info (client);
  return info != NULL ? info->cipher : NULL;
}

/**
 * s9ws_client_get_peer_certificate:
 * @client: a client
 *
 * Gets the server's certificate, without its chain. It stays after the end, and is there
 * after a session has been resumed, too.
 *
 * Returns: (transfer none) (nullable): the certificate in PEM, or %NULL if there was no TLS
 *   handshake that succeeded
 *
 * Since: 0.1
 */
const char *
s9ws_client_get_peer_certificate (S9wsClient *client)
{
  const S9wsTlsInfo *info;

  g_return_val_if_fail (S9WS_IS_CLIENT (client), NULL);

  info = get_tls_info (client);
  return info != NULL ? info->peer_certificate : NULL;
}

/**
 * s9ws_client_get_stats:
 * @client: a client
 *
 * Gets what the client has done so far.
 *
 * Returns: (transfer full): statistics
 *
 * Since: 0.1
 */
S9wsStats *
s9ws_client_get_stats (S9wsClient *client)
{
  S9wsStats *stats;

  g_return_val_if_fail (S9WS_IS_CLIENT (client), NULL);

  stats = g_new0 (S9wsStats, 1);
  stats->last_round_trip = -1;
  S9WS_CLIENT_GET_CLASS (client)->get_stats (client, stats);
  return stats;
}

/**
 * s9ws_client_get_end_report: (get-property end-report)
 * @client: a client
 *
 * Gets how the connection ended, or why there was none: from
 * [signal@S9ws.Client::error] and [signal@S9ws.Client::connection-closed] on. On
 * [class@S9ws.AsyncClient] it is there as soon as the connection has ended, which may be
 * before these are delivered, and any thread may ask for it.
 *
 * Returns: (transfer none) (nullable): the report, or %NULL before the end
 *
 * Since: 0.1
 */
S9wsEndReport *
s9ws_client_get_end_report (S9wsClient *client)
{
  g_return_val_if_fail (S9WS_IS_CLIENT (client), NULL);

  return S9WS_CLIENT_GET_CLASS (client)->get_end_report (client);
}

/**
 * s9ws_client_set_handler:
 * @client: a client
 * @handler: (nullable): a handler, or %NULL to go back to signals
 *
 * Sets an object whose virtual functions are called instead of the signals, on the
 * thread where they would have been emitted. It is to be called on that thread, or
 * before opening.
 *
 * Since: 0.1
 */
void
s9ws_client_set_handler (S9wsClient  *client,
                         S9wsHandler *handler)
{
  g_return_if_fail (S9WS_IS_CLIENT (client));
  g_return_if_fail (handler == NULL || S9WS_IS_HANDLER (handler));

  /* The old one may be the caller. */
  if (client->handler != NULL && client->delivery_depth > 0)
    {
      if (client->retired_handlers == NULL)
        client->retired_handlers = g_ptr_array_new_with_free_func (g_object_unref);
      g_ptr_array_add (client->retired_handlers, g_object_ref (client->handler));
    }

  s9ws_client_look_for_listeners (client);
  g_set_object (&client->handler, handler);
  client->handler_iface = handler != NULL ? S9WS_HANDLER_GET_IFACE (handler) : NULL;
}
