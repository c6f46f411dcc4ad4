/* s9ws-async-client.c: the client with a thread of its own
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-async-client.h"

#include "s9ws-async-thread.h"
#include "s9ws-client-private.h"

/**
 * S9wsAsyncClient:
 *
 * A client whose socket belongs to a background thread.
 *
 * The thread reads and writes; events come to the user through a queue. Who takes them
 * off is the user's choice, one at a time:
 *
 * - a main context: [method@S9ws.Client.open_async] or
 *   [method@S9ws.AsyncClient.attach]; the signals are emitted there and nowhere else;
 * - a thread of the user's: [method@S9ws.AsyncClient.start], then
 *   [method@S9ws.AsyncClient.pop_event] and its kin;
 * - [method@S9ws.Client.run], which emits the signals on the calling thread.
 *
 * [signal@S9ws.Client::poll] and [signal@S9ws.Client::idle] are not emitted.
 *
 * Sending, closing, [method@S9ws.Client.force_quit] and the getters may be called from
 * any thread. What a thread sends goes out in the order in which it sent it. What is
 * sent from [method@S9ws.AsyncClient.start] or [method@S9ws.Client.open_async] on, before
 * the connection is open, goes out when it is, and is not compressed.
 *
 * Dropping the last reference, on whichever thread, closes the connection and ends the
 * thread without waiting for either; see [method@S9ws.AsyncClient.join].
 *
 * Since: 0.1
 */
struct _S9wsAsyncClient
{
  S9wsClient parent_instance;

  S9wsAsyncThread *thread;
  int is_attached; /* atomic */
};

struct _S9wsAsyncClientClass
{
  S9wsClientClass parent_class;
};

G_DEFINE_FINAL_TYPE (S9wsAsyncClient, s9ws_async_client, S9WS_TYPE_CLIENT)

static S9wsAsyncThread *
get_thread (S9wsClient *client)
{
  return S9WS_ASYNC_CLIENT (client)->thread;
}

static S9wsAsyncQueue *
get_queue (S9wsAsyncClient *client)
{
  return s9ws_async_thread_get_queue (client->thread);
}

static void
deliver (GObject   *object,
         S9wsEvent *event)
{
  S9wsClient *client = S9WS_CLIENT (object);

  s9ws_client_begin_delivery (client);
  s9ws_client_deliver_event (client, event);
  s9ws_client_end_delivery (client);
}

static void
attach (S9wsAsyncClient *client,
        GMainContext    *context)
{
  g_atomic_int_set (&client->is_attached, TRUE);
  s9ws_async_queue_attach (get_queue (client), context, G_OBJECT (client), deliver);
}

/* Starts the thread if there is none: @error as for start (). */
static gboolean
ensure_started (S9wsAsyncClient  *client,
                GError          **error)
{
  S9wsClient *base = S9WS_CLIENT (client);
  S9wsAsyncThread *thread = client->thread;
  g_autoptr (GError) begin_error = NULL;

  /* Another may be the first to begin, and then starts what we start. */
  if (s9ws_async_thread_get_state (thread) == S9WS_STATE_NEW &&
      !s9ws_async_thread_begin (thread, base->uri, base->options, &begin_error) &&
      !g_error_matches (begin_error, G_IO_ERROR, G_IO_ERROR_PENDING))
    {
      g_propagate_error (error, g_steal_pointer (&begin_error));
      return FALSE;
    }

  return s9ws_async_thread_start (thread, error);
}

/* Where there can be no thread, that is the end, and the events tell of it: whoever waits
 * for them is not to wait for ever. */
static gboolean
start_or_end (S9wsAsyncClient  *client,
              GError          **error)
{
  GError *start_error = NULL;

  if (ensure_started (client, &start_error))
    return TRUE;

  s9ws_async_thread_fail_start (client->thread, start_error);
  g_propagate_error (error, start_error);
  return FALSE;
}

static gboolean
s9ws_async_client_open (S9wsClient    *client,
                        GCancellable  *cancellable,
                        GError       **error)
{
  S9wsAsyncThread *thread = get_thread (client);
  gboolean is_open;
  gulong chain;

  if (s9ws_async_thread_is_started (thread) && s9ws_async_thread_get_state (thread) == S9WS_STATE_CONNECTING)
    {
      chain = s9ws_client_chain_cancellable (client, cancellable);
      is_open = !g_cancellable_set_error_if_cancelled (cancellable, error) &&
                s9ws_async_thread_wait_open (thread, error);
      g_cancellable_disconnect (cancellable, chain);
      return is_open;
    }

  if (!s9ws_async_thread_begin (thread, client->uri, client->options, error))
    return FALSE;

  chain = s9ws_client_chain_cancellable (client, cancellable);
  is_open = s9ws_async_thread_open (thread, error);
  g_cancellable_disconnect (cancellable, chain);
  return is_open;
}

typedef struct
{
  S9wsClient *client;
  GCancellable *cancellable;
  gulong chain;
} Chain;

static void
chain_free (Chain *chain)
{
  g_cancellable_disconnect (chain->cancellable, chain->chain);
  g_object_unref (chain->cancellable);
  g_object_unref (chain->client);
  g_free (chain);
}

/* For as long as @task lives, whose own reference on the client goes first. */
static void
chain_cancellable (S9wsClient   *client,
                   GCancellable *cancellable,
                   GTask        *task)
{
  Chain *chain;

  if (cancellable == NULL)
    return;

  chain = g_new0 (Chain, 1);
  chain->client = g_object_ref (client);
  chain->cancellable = g_object_ref (cancellable);
  g_task_set_task_data (task, chain, (GDestroyNotify) chain_free);
  chain->chain = s9ws_client_chain_cancellable (client, cancellable);
}

static void
s9ws_async_client_open_async (S9wsClient   *client,
                              GCancellable *cancellable,
                              GTask        *task)
{
  S9wsAsyncClient *async = S9WS_ASYNC_CLIENT (client);
  S9wsAsyncThread *thread = async->thread;
  S9wsState state = s9ws_async_thread_get_state (thread);
  GError *error = NULL;

  if (!g_atomic_int_get (&async->is_attached))
    attach (async, g_task_get_context (task));

  if (state > S9WS_STATE_CONNECTING ||
      (state == S9WS_STATE_CONNECTING && !s9ws_async_thread_is_started (thread)))
    {
      s9ws_client_set_state_error (state, &error);
      g_task_return_error (task, error);
      g_object_unref (task);
      return;
    }

  /* Before there is a thread, which may have opened the connection by the next line. */
  g_task_set_check_cancellable (task, FALSE);
  chain_cancellable (client, cancellable, task);
  if (!start_or_end (async, &error) || g_cancellable_set_error_if_cancelled (cancellable, &error))
    {
      g_task_return_error (task, error);
      g_object_unref (task);
      return;
    }

  s9ws_async_thread_add_task (thread, task);
}

/* What is left of the time that run_for () or receive () was given. */
static gint64
get_rest (S9wsClient *client)
{
  return client->run_until != 0 ? MAX (client->run_until - g_get_monotonic_time (), 0) : -1;
}

/* Until QUIT, or until the time is up. */
static void
deliver_all (S9wsAsyncClient  *async,
             GError          **error)
{
  S9wsClient *client = S9WS_CLIENT (async);
  GError *end_error = NULL;
  gboolean is_time_up = FALSE;

  while (!is_time_up)
    {
      g_autoptr (S9wsEvent) event = s9ws_async_queue_pop (get_queue (async), get_rest (client));

      if (event == NULL)
        break;

      if (s9ws_event_get_kind (event) == S9WS_EVENT_KIND_ERROR && end_error == NULL)
        end_error = g_error_copy (s9ws_event_get_error (event));
      deliver (G_OBJECT (client), event);
      if (s9ws_event_get_kind (event) == S9WS_EVENT_KIND_QUIT)
        break;

      /* What belongs to the end came with the error, and is not parted from it. */
      is_time_up = end_error == NULL && get_rest (client) == 0;
    }

  if (end_error != NULL)
    g_propagate_error (error, end_error);
  client->is_cut_short = end_error == NULL && !s9ws_async_queue_has_ended (get_queue (async));
}

static gboolean
s9ws_async_client_run (S9wsClient    *client,
                       GCancellable  *cancellable,
                       GError       **error)
{
  S9wsAsyncClient *async = S9WS_ASYNC_CLIENT (client);
  GError *start_error = NULL;

  if (s9ws_async_queue_has_ended (get_queue (async)))
    {
      s9ws_client_set_state_error (S9WS_STATE_CLOSED, error);
      return FALSE;
    }

  /* Here rather than on the client's thread: so that it is here that a certificate is
   * asked about.  Where opening failed, the events of that are in the queue. */
  if ((s9ws_async_thread_get_state (async->thread) == S9WS_STATE_NEW &&
       !s9ws_async_client_open (client, NULL, &start_error)) ||
      !start_or_end (async, &start_error))
    {
      /* Another thread that failed to open it may only be about to queue them. */
      gint64 timeout = s9ws_async_thread_get_state (async->thread) == S9WS_STATE_CLOSED ? -1 : 0;
      S9wsEvent *event;

      while ((event = s9ws_async_queue_pop (get_queue (async), timeout)) != NULL)
        {
          deliver (G_OBJECT (client), event);
          s9ws_event_unref (event);
        }
      g_propagate_error (error, start_error);
      return FALSE;
    }

  deliver_all (async, error);
  return error == NULL || *error == NULL;
}

static S9wsEvent *
s9ws_async_client_receive (S9wsClient  *client,
                           GError     **error)
{
  S9wsAsyncClient *async = S9WS_ASYNC_CLIENT (client);
  GError *start_error = NULL;

  /* Where opening failed, the events of that are in the queue, or about to be. */
  if (!start_or_end (async, &start_error) &&
      s9ws_async_thread_get_state (async->thread) != S9WS_STATE_CLOSED)
    {
      g_propagate_error (error, start_error);
      return NULL;
    }

  g_clear_error (&start_error);
  return s9ws_async_queue_pop (get_queue (async), get_rest (client));
}

static gboolean
s9ws_async_client_send (S9wsClient    *client,
                        S9wsOpcode     opcode,
                        const guint8  *data,
                        gsize          size,
                        GError       **error)
{
  return s9ws_async_thread_send (get_thread (client), opcode, data, size, error);
}

static gboolean
s9ws_async_client_begin_message (S9wsClient  *client,
                                 S9wsOpcode   opcode,
                                 GError     **error)
{
  return s9ws_async_thread_begin_message (get_thread (client), opcode, error);
}

static gboolean
s9ws_async_client_append (S9wsClient    *client,
                          const guint8  *data,
                          gsize          size,
                          GError       **error)
{
  return s9ws_async_thread_send_piece (get_thread (client), data, size, FALSE, error);
}

static gboolean
s9ws_async_client_finish_message (S9wsClient  *client,
                                  GError     **error)
{
  return s9ws_async_thread_send_piece (get_thread (client), NULL, 0, TRUE, error);
}

static gboolean
s9ws_async_client_close (S9wsClient  *client,
                         guint        code,
                         const char  *reason,
                         GError     **error)
{
  return s9ws_async_thread_close (get_thread (client), code, reason, error);
}

static void
s9ws_async_client_set_compress (S9wsClient *client,
                                gboolean    compress)
{
  s9ws_async_thread_set_compress (get_thread (client), compress);
}

static void
s9ws_async_client_wake (S9wsClient *client)
{
  s9ws_async_thread_wake (get_thread (client));
}

static S9wsState
s9ws_async_client_get_state (S9wsClient *client)
{
  S9wsAsyncThread *thread = get_thread (client);

  return thread != NULL ? s9ws_async_thread_get_state (thread) : S9WS_STATE_NEW;
}

static guint64
s9ws_async_client_get_buffered_amount (S9wsClient *client)
{
  return s9ws_async_thread_get_buffered_amount (get_thread (client));
}

static S9wsConnection *
s9ws_async_client_get_connection (S9wsClient *client)
{
  return s9ws_async_thread_get_connection (get_thread (client));
}

static const S9wsAnswer *
s9ws_async_client_get_answer (S9wsClient *client)
{
  return s9ws_async_thread_get_answer (get_thread (client));
}

static S9wsEndReport *
s9ws_async_client_get_end_report (S9wsClient *client)
{
  return s9ws_async_thread_get_end_report (get_thread (client));
}

static void
s9ws_async_client_get_stats (S9wsClient *client,
                             S9wsStats  *stats)
{
  s9ws_async_thread_get_stats (get_thread (client), stats);
}

static void
s9ws_async_client_finalize (GObject *object)
{
  S9wsAsyncClient *client = S9WS_ASYNC_CLIENT (object);

  s9ws_async_queue_detach (get_queue (client));
  s9ws_async_thread_abandon (client->thread);
  s9ws_async_thread_unref (client->thread);

  G_OBJECT_CLASS (s9ws_async_client_parent_class)->finalize (object);
}

static void
s9ws_async_client_class_init (S9wsAsyncClientClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  S9wsClientClass *client_class = S9WS_CLIENT_CLASS (klass);

  object_class->finalize = s9ws_async_client_finalize;

  client_class->open = s9ws_async_client_open;
  client_class->open_async = s9ws_async_client_open_async;
  client_class->run = s9ws_async_client_run;
  client_class->receive = s9ws_async_client_receive;
  client_class->send = s9ws_async_client_send;
  client_class->begin_message = s9ws_async_client_begin_message;
  client_class->append = s9ws_async_client_append;
  client_class->finish_message = s9ws_async_client_finish_message;
  client_class->close = s9ws_async_client_close;
  client_class->set_compress = s9ws_async_client_set_compress;
  client_class->wake = s9ws_async_client_wake;
  client_class->get_state = s9ws_async_client_get_state;
  client_class->get_buffered_amount = s9ws_async_client_get_buffered_amount;
  client_class->get_connection = s9ws_async_client_get_connection;
  client_class->get_answer = s9ws_async_client_get_answer;
  client_class->get_end_report = s9ws_async_client_get_end_report;
  client_class->get_stats = s9ws_async_client_get_stats;
}

static void
s9ws_async_client_init (S9wsAsyncClient *client)
{
  client->thread = s9ws_async_thread_new (S9WS_CLIENT (client)->quit);
  s9ws_async_thread_set_client (client->thread, S9WS_CLIENT (client));
}

/**
 * s9ws_async_client_new:
 * @uri: the server's URI, `ws://` or `wss://`
 * @options: (nullable): options, or %NULL for the defaults
 *
 * Creates a client. Nothing is checked or done before it is opened.
 *
 * Returns: (transfer full): a new client
 *
 * Since: 0.1
 */
S9wsAsyncClient *
s9ws_async_client_new (const char  *uri,
                       S9wsOptions *options)
{
  g_return_val_if_fail (uri != NULL, NULL);
  g_return_val_if_fail (options == NULL || S9WS_IS_OPTIONS (options), NULL);

  return g_object_new (S9WS_TYPE_ASYNC_CLIENT, "uri", uri, "options", options, NULL);
}

/**
 * s9ws_async_client_start:
 * @client: a client
 * @error: return location for a #GError
 *
 * Starts the client's thread, which opens the connection if
 * [method@S9ws.Client.open] has not, and returns at once.
 *
 * Whether opening succeeds is told by the events, and so is what is returned as an error
 * here: the client has ended then. A thread that runs already is left as it is. May be
 * called from any thread.
 *
 * Returns: %TRUE if the thread runs; otherwise %FALSE with
 *   %S9WS_ERROR_INVALID_CONFIGURATION, %S9WS_ERROR_CONNECTION_CLOSED if the client's
 *   connection has ended, or %S9WS_ERROR_IO if there can be no more threads
 *
 * Since: 0.1
 */
gboolean
s9ws_async_client_start (S9wsAsyncClient  *client,
                         GError          **error)
{
  g_return_val_if_fail (S9WS_IS_ASYNC_CLIENT (client), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (s9ws_async_thread_get_state (client->thread) == S9WS_STATE_CLOSED)
    {
      s9ws_client_set_state_error (S9WS_STATE_CLOSED, error);
      return FALSE;
    }

  return start_or_end (client, error);
}

/**
 * s9ws_async_client_attach:
 * @client: a client
 * @context: (nullable): a main context, or %NULL for the default one
 *
 * Has the signals emitted in @context from now on, and starts the client's thread if it
 * does not run yet.
 *
 * They are emitted a bounded number at a time, at %G_PRIORITY_DEFAULT, so that a flood of
 * messages leaves the other sources of the context their turn. While there is more than
 * that, they take turns with what has the priority of GTK's redrawing, too, so that a
 * window goes on to be drawn. An attached client keeps nothing alive: it
 * is to be referenced for as long as its signals are wanted: once the last reference is
 * given up, in a handler too, no more are emitted.
 *
 * A client that is attached already moves, between two signals: it may be attached
 * elsewhere from any thread, and from inside a handler. The handlers that run at that time
 * come to their end before the next signal is emitted in another thread.
 *
 * As with all of GLib's sources, a main loop that a handler runs emits none of this
 * client's signals before that handler returns.
 *
 * Since: 0.1
 */
void
s9ws_async_client_attach (S9wsAsyncClient *client,
                          GMainContext    *context)
{
  g_return_if_fail (S9WS_IS_ASYNC_CLIENT (client));

  attach (client, context);
  start_or_end (client, NULL);
}

/**
 * s9ws_async_client_pop_event:
 * @client: a client that has been started
 *
 * Takes the next event off, waiting until there is one. May be called from any thread.
 *
 * Returns: (transfer full) (nullable): the event, or %NULL if
 *   %S9WS_EVENT_KIND_QUIT has been taken off already: there are no more
 *
 * Since: 0.1
 */
S9wsEvent *
s9ws_async_client_pop_event (S9wsAsyncClient *client)
{
  g_return_val_if_fail (S9WS_IS_ASYNC_CLIENT (client), NULL);
  g_return_val_if_fail (s9ws_async_thread_get_state (client->thread) != S9WS_STATE_NEW, NULL);

  return s9ws_async_queue_pop (get_queue (client), -1);
}

/**
 * s9ws_async_client_try_pop_event:
 * @client: a client
 *
 * Takes the next event off if there is one. May be called from any thread.
 *
 * Returns: (transfer full) (nullable): the event, or %NULL
 *
 * Since: 0.1
 */
S9wsEvent *
s9ws_async_client_try_pop_event (S9wsAsyncClient *client)
{
  g_return_val_if_fail (S9WS_IS_ASYNC_CLIENT (client), NULL);

  return s9ws_async_queue_pop (get_queue (client), 0);
}

/**
 * s9ws_async_client_timeout_pop_event:
 * @client: a client
 * @timeout_us: how long to wait, in µs
 *
 * Takes the next event off, waiting for one for a while. May be called from any thread.
 *
 * Returns: (transfer full) (nullable): the event, or %NULL
 *
 * Since: 0.1
 */
S9wsEvent *
s9ws_async_client_timeout_pop_event (S9wsAsyncClient *client,
                                     guint64          timeout_us)
{
  g_return_val_if_fail (S9WS_IS_ASYNC_CLIENT (client), NULL);

  return s9ws_async_queue_pop (get_queue (client), (gint64) MIN (timeout_us, G_MAXINT64 / 2));
}

/**
 * s9ws_async_client_pop_events:
 * @client: a client
 * @max: how many to take off at most; 0 for all that there are
 * @timeout_us: how long to wait for the first, in µs; negative to wait until there is
 *   one
 *
 * Takes several events off at once. May be called from any thread.
 *
 * Returns: (transfer full) (element-type S9wsEvent): the events, oldest first; %NULL if
 *   there are none
 *
 * Since: 0.1
 */
GList *
s9ws_async_client_pop_events (S9wsAsyncClient *client,
                              guint            max,
                              gint64           timeout_us)
{
  GQueue events = G_QUEUE_INIT;
  S9wsEvent *event;

  g_return_val_if_fail (S9WS_IS_ASYNC_CLIENT (client), NULL);
  g_return_val_if_fail (timeout_us >= 0 || s9ws_async_thread_get_state (client->thread) != S9WS_STATE_NEW, NULL);

  event = s9ws_async_queue_pop (get_queue (client), MAX (timeout_us, -1));
  while (event != NULL)
    {
      g_queue_push_tail (&events, event);
      if (events.length == max)
        break;
      event = s9ws_async_queue_pop (get_queue (client), 0);
    }

  return events.head;
}

/**
 * s9ws_async_client_get_event_fd:
 * @client: a client
 *
 * Gets a descriptor that can be read from, as `poll()` and its kin see it, while there
 * are events to take off, and for good once %S9WS_EVENT_KIND_QUIT has been taken off.
 *
 * It is for main loops other than GLib's: when it is readable, take events off by
 * [method@S9ws.AsyncClient.try_pop_event] or [method@S9ws.AsyncClient.pop_events]. It
 * must be neither read from nor written to nor closed, and lives as long as the client.
 * May be called from any thread.
 *
 * Returns: the descriptor, or -1 if there can be no more
 *
 * Since: 0.1
 */
int
s9ws_async_client_get_event_fd (S9wsAsyncClient *client)
{
  g_return_val_if_fail (S9WS_IS_ASYNC_CLIENT (client), -1);

  return s9ws_async_queue_get_event_fd (get_queue (client));
}

/**
 * s9ws_async_client_get_queue: (skip)
 * @client: a client
 *
 * Gets the queue itself, of #S9wsEvent that whoever takes them off owns. C only: a
 * binding would see bare pointers, and has [method@S9ws.AsyncClient.pop_events].
 *
 * Once it has been asked for, all events go through it, and the client's methods and signals
 * take them off it, too: that costs some tens of nanoseconds an event more than the list
 * that they come by otherwise.
 *
 * An event taken off this way counts towards [property@S9ws.Options:max-queued-bytes]
 * until it is freed. Who takes off %S9WS_EVENT_KIND_QUIT this way keeps it from the
 * client's other methods, which would go on waiting; where both are used, or several
 * threads take off, there may be more than one. While somebody waits in it, each event that
 * comes costs a system call; who waits in the client's methods is told once of all that come
 * together.
 *
 * Returns: (transfer none): the queue
 *
 * Since: 0.1
 */
GAsyncQueue *
s9ws_async_client_get_queue (S9wsAsyncClient *client)
{
  g_return_val_if_fail (S9WS_IS_ASYNC_CLIENT (client), NULL);

  return s9ws_async_queue_get_bare (get_queue (client));
}

/**
 * s9ws_async_client_join:
 * @client: a client
 *
 * Waits until the client's thread has ended. It ends when the connection has: after
 * [method@S9ws.Client.close] or [method@S9ws.Client.force_quit], or by itself. Returns at
 * once if there is no thread. May be called from any thread.
 *
 * As long as more is queued than [property@S9ws.Options:max-queued-bytes] allows, nothing
 * is read, and a connection that the server closes does not end by itself: either another
 * thread takes events off meanwhile, or the client is closed before.
 *
 * Since: 0.1
 */
void
s9ws_async_client_join (S9wsAsyncClient *client)
{
  g_return_if_fail (S9WS_IS_ASYNC_CLIENT (client));

  s9ws_async_thread_join (client->thread);
}
