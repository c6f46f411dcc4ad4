/* s9ws-client-direct.c: what the clients that work on their caller's thread share
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-client-private.h"

#include <glib/gi18n-lib.h>
#include <sys/socket.h>

#include "connection/waiting.h"
#include "s9ws-event-private.h"
#include "s9ws-opener.h"
#include "s9ws-question.h"

static void
set_state (S9wsClient *client,
           S9wsState   state)
{
  if ((S9wsState) g_atomic_int_get (&client->state) == state)
    return;

  g_atomic_int_set (&client->state, (int) state);
  s9ws_client_notify_state (client);
}

/* Ending */

static void
set_wake_fd (S9wsClient *client,
             int         fd)
{
  g_mutex_lock (&client->wake_lock);
  client->wake_fd = fd;
  g_mutex_unlock (&client->wake_lock);
}

/* Ends whatever waits for the socket, a blocking recv included: that alone is why it
 * is not an eventfd. */
static void
direct_wake (S9wsClient *client)
{
  g_mutex_lock (&client->wake_lock);
  if (client->wake_fd >= 0)
    shutdown (client->wake_fd, SHUT_RDWR);
  g_mutex_unlock (&client->wake_lock);
}

static void
hang_up (S9wsClient *client)
{
  set_wake_fd (client, -1);
  if (client->connection != NULL)
    s9ws_connection_hang_up (client->connection);
  g_clear_object (&client->socket);
}

/* Once it has been hung up. */
static void
report_end (S9wsClient   *client,
            const GError *error)
{
  client->end_report = s9ws_end_report_new (client->connection, client->settings, error,
                                            s9ws_client_is_quitting (client), 0);
}

/* The one end of a connection that had opened.  @error is what it ended with. */
static void
finish (S9wsClient   *client,
        const GError *error)
{
  gboolean is_forced = s9ws_client_is_quitting (client);

  hang_up (client);
  report_end (client, error);
  set_state (client, S9WS_STATE_CLOSED);
  s9ws_client_notify_end_report (client);

  if (!is_forced)
    {
      if (error != NULL)
        s9ws_client_deliver_error (client, error);
      s9ws_client_deliver_closed (client, s9ws_connection_get_close_code (client->connection),
                                  s9ws_connection_get_close_reason (client->connection));
    }
  s9ws_client_deliver_quit (client);
}

/* Opening */

static gboolean
begin_open (S9wsClient  *client,
            GError     **error)
{
  if (g_atomic_int_compare_and_exchange (&client->state, S9WS_STATE_NEW, S9WS_STATE_CONNECTING))
    return TRUE;

  s9ws_client_set_state_error ((S9wsState) g_atomic_int_get (&client->state), error);
  return FALSE;
}

static gboolean
on_question (const char           *chain,
             GTlsCertificateFlags  reasons,
             gpointer              user_data)
{
  S9wsClient *client = user_data;
  gboolean is_accepted;
  GWeakRef ref;

  g_weak_ref_init (&ref, client);
  is_accepted = s9ws_ask_about_certificate (&ref, client->asking_context, client->quit, chain, reasons);
  g_weak_ref_clear (&ref);
  return is_accepted;
}

/* Emits nothing by itself: it may run on a thread that is not the user's. */
static gboolean
open_connection (S9wsClient  *client,
                 GError     **error)
{
  client->settings = s9ws_options_read (client->options, error);
  if (client->settings == NULL)
    return FALSE;

  client->settings->question = on_question;
  client->settings->question_data = client;
  if (!s9ws_open_connection (client->uri, client->settings, client->quit, &client->connection, error))
    return FALSE;

  set_wake_fd (client, s9ws_connection_get_transport (client->connection)->fd);
  return TRUE;
}

static void
finish_open (S9wsClient   *client,
             const GError *error)
{
  if (error == NULL)
    {
      s9ws_connection_set_compress (client->connection, g_atomic_int_get (&client->compress));
      set_state (client, S9WS_STATE_OPEN);
      return;
    }

  s9ws_client_begin_delivery (client);
  report_end (client, error);
  set_state (client, S9WS_STATE_CLOSED);
  s9ws_client_notify_end_report (client);
  if (!s9ws_client_is_quitting (client))
    s9ws_client_deliver_error (client, error);
  s9ws_client_deliver_quit (client);
  s9ws_client_end_delivery (client);
}

static gboolean
direct_open (S9wsClient    *client,
             GCancellable  *cancellable,
             GError       **error)
{
  GError *local_error = NULL;
  gulong chain;

  if (!begin_open (client, error))
    return FALSE;

  s9ws_client_notify_state (client);
  chain = s9ws_client_chain_cancellable (client, cancellable);
  open_connection (client, &local_error);
  g_cancellable_disconnect (cancellable, chain);
  finish_open (client, local_error);

  if (local_error == NULL)
    return TRUE;

  g_propagate_error (error, local_error);
  return FALSE;
}

static void
open_in_thread (GTask        *task,
                gpointer      source_object,
                gpointer      task_data,
                GCancellable *cancellable)
{
  GError *error = NULL;

  if (open_connection (task_data, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
on_opened (GObject      *object,
           GAsyncResult *result,
           gpointer      user_data)
{
  g_autoptr (GTask) task = user_data;
  S9wsClient *client = g_task_get_source_object (task);
  gulong *chain = g_task_get_task_data (task);
  GError *error = NULL;

  g_task_propagate_boolean (G_TASK (result), &error);
  g_cancellable_disconnect (g_task_get_cancellable (task), *chain);
  finish_open (client, error);

  if (error == NULL)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
direct_open_async (S9wsClient   *client,
                   GCancellable *cancellable,
                   GTask        *task)
{
  g_autoptr (GTask) inner = NULL;
  GError *error = NULL;
  gulong *chain;

  if (!begin_open (client, &error))
    {
      g_task_return_error (task, error);
      g_object_unref (task);
      return;
    }

  s9ws_client_notify_state (client);
  /* Cancelling has to make the client quit, with its signals: not just the task end. */
  g_task_set_check_cancellable (task, FALSE);
  chain = g_new (gulong, 1);
  *chain = s9ws_client_chain_cancellable (client, cancellable);
  g_task_set_task_data (task, chain, g_free);

  client->asking_context = g_main_context_ref (g_task_get_context (task));
  /* @task holds the client; the thread's own does not, as it may be the last to go: the
   * client's handlers may be those of a language that cannot be called there, or not any
   * more where the program is ending. */
  inner = g_task_new (NULL, NULL, on_opened, task);
  g_task_set_task_data (inner, client, NULL);
  g_task_run_in_thread (inner, open_in_thread);
}

/* Running */

static void
note_closing (S9wsClient *client)
{
  if (G_UNLIKELY (s9ws_connection_get_phase (client->connection) >= S9WS_PHASE_CLOSING) &&
      g_atomic_int_get (&client->state) == S9WS_STATE_OPEN)
    set_state (client, S9WS_STATE_CLOSING);
}

static S9wsTurn
drain (S9wsClient  *client,
       GError     **error)
{
  S9wsConnection *connection = client->connection;
  S9wsReceiveResult result;
  S9wsMessage message;

  while ((result = s9ws_connection_next (connection, &message, error)) == S9WS_RECEIVE_MESSAGE)
    {
      s9ws_client_deliver_message (client, connection, &message);
      if (G_UNLIKELY (s9ws_client_is_quitting (client)))
        return S9WS_TURN_ENDED;
      /* As after nearly every read that brought one message. */
      if (!s9ws_connection_has_received (connection))
        break;
    }

  note_closing (client);
  return result == S9WS_RECEIVE_ENDED ? S9WS_TURN_ENDED : S9WS_TURN_RECEIVED;
}

/* One turn of the loop but for what it brings: poll, and read. */
static S9wsTurn
take_turn (S9wsClient  *client,
           GError     **error)
{
  S9wsClientClass *klass = S9WS_CLIENT_GET_CLASS (client);

  s9ws_client_deliver_poll (client);
  if (G_UNLIKELY (s9ws_client_is_quitting (client)))
    return S9WS_TURN_ENDED;

  if (klass->wait_before != NULL)
    klass->wait_before (client);

  switch (s9ws_connection_read (client->connection, error))
    {
    case S9WS_RECEIVE_MESSAGE:
      return S9WS_TURN_RECEIVED;
    case S9WS_RECEIVE_AGAIN:
      return S9WS_TURN_IDLE;
    case S9WS_RECEIVE_ENDED:
    default:
      return S9WS_TURN_ENDED;
    }
}

static inline void
conclude_turn (S9wsClient *client,
               S9wsTurn    turn)
{
  if (turn == S9WS_TURN_IDLE)
    S9WS_CLIENT_GET_CLASS (client)->wait_after (client, client->has_received);
  else
    client->wait_until = 0;
  client->has_received = turn == S9WS_TURN_RECEIVED;
}

gboolean
s9ws_client_is_time_up (S9wsClient *client)
{
  return G_UNLIKELY (client->run_until != 0) && g_get_monotonic_time () >= client->run_until;
}

gboolean
s9ws_client_wait (S9wsClient *client,
                  short       events,
                  gint64      timeout)
{
  S9wsConnection *connection = client->connection;
  int fd = s9ws_connection_get_transport (connection)->fd;
  gint64 timer = s9ws_connection_get_deadline (connection);
  gint64 bound, now;

  if (G_LIKELY (client->run_until == 0 && timer == 0))
    {
      client->wait_until = 0;
      return s9ws_wait (fd, events, -1, timeout) == 0;
    }

  if (timeout >= 0 && client->wait_until == 0)
    client->wait_until = g_get_monotonic_time () + timeout;

  bound = s9ws_wait_bound (s9ws_connection_bound_wait (connection, -1), client->run_until);
  if (s9ws_wait_or_resume (fd, events, -1, s9ws_connection_get_resume_fd (connection),
                           s9ws_wait_bound (bound, client->wait_until)) != 0)
    return FALSE;

  now = g_get_monotonic_time ();
  if (client->wait_until == 0 || now < client->wait_until)
    return timer != 0 && now >= timer;

  client->wait_until = 0;
  return TRUE;
}

/* Until the connection has ended, or the time is up. */
static S9wsTurn
loop (S9wsClient  *client,
      GError     **error)
{
  S9wsTurn turn;

  if (!client->is_activated && !s9ws_client_is_quitting (client))
    s9ws_client_deliver_activated (client);
  client->is_activated = TRUE;

  /* What came right behind the answer to the upgrade, or has been left. */
  if (s9ws_client_is_quitting (client) || drain (client, error) == S9WS_TURN_ENDED)
    return S9WS_TURN_ENDED;

  do
    {
      turn = take_turn (client, error);
      if (turn == S9WS_TURN_RECEIVED)
        turn = drain (client, error);
      if (turn == S9WS_TURN_ENDED || G_UNLIKELY (s9ws_client_is_quitting (client)))
        return S9WS_TURN_ENDED;

      conclude_turn (client, turn);
    }
  while (!s9ws_client_is_time_up (client));

  return turn;
}

static gboolean
direct_run (S9wsClient    *client,
            GCancellable  *cancellable,
            GError       **error)
{
  GError *local_error = NULL;

  if (g_atomic_int_get (&client->state) == S9WS_STATE_NEW)
    {
      if (!direct_open (client, NULL, error))
        return FALSE;
    }
  else if (g_atomic_int_get (&client->state) == S9WS_STATE_CONNECTING ||
           g_atomic_int_get (&client->state) == S9WS_STATE_CLOSED)
    {
      s9ws_client_set_state_error ((S9wsState) g_atomic_int_get (&client->state), error);
      return FALSE;
    }

  s9ws_client_look_for_listeners (client);
  s9ws_client_begin_delivery (client);
  if (loop (client, &local_error) == S9WS_TURN_ENDED)
    {
      /* Reading fails when it is interrupted, which is not an error. */
      if (s9ws_client_is_quitting (client))
        g_clear_error (&local_error);
      finish (client, local_error);
    }
  else
    {
      client->is_cut_short = TRUE;
    }
  s9ws_client_end_delivery (client);

  if (local_error == NULL)
    return TRUE;

  g_propagate_error (error, local_error);
  return FALSE;
}

/* Receiving */

/* The end as events, the first of which is returned.  Takes @error over; @has_opened
 * says whether there was a connection. */
static S9wsEvent *
keep_end (S9wsClient *client,
          gboolean    has_opened,
          GError     *error)
{
  gboolean is_forced = s9ws_client_is_quitting (client);

  hang_up (client);
  report_end (client, error);
  set_state (client, S9WS_STATE_CLOSED);
  s9ws_client_notify_end_report (client);

  if (error != NULL && !is_forced)
    g_queue_push_tail (&client->ends, s9ws_event_new_error (error));
  if (has_opened && !is_forced)
    g_queue_push_tail (&client->ends, s9ws_event_new_closed (s9ws_connection_get_close_code (client->connection),
                                                             s9ws_connection_get_close_reason (client->connection)));
  g_queue_push_tail (&client->ends, s9ws_event_new (S9WS_EVENT_KIND_QUIT));
  g_clear_error (&error);

  return g_queue_pop_head (&client->ends);
}

static S9wsEvent *
receive_message (S9wsClient *client)
{
  gboolean has_turned = FALSE;
  GError *end_error = NULL;
  S9wsMessage message;

  while (!s9ws_client_is_quitting (client))
    {
      S9wsReceiveResult result = s9ws_connection_next (client->connection, &message, &end_error);
      S9wsTurn turn;

      if (result == S9WS_RECEIVE_MESSAGE)
        return s9ws_event_new_message (NULL, client->connection, &message);

      note_closing (client);
      if (result == S9WS_RECEIVE_ENDED)
        break;

      if (has_turned && s9ws_client_is_time_up (client))
        return NULL;

      turn = take_turn (client, &end_error);
      if (turn == S9WS_TURN_ENDED)
        break;

      conclude_turn (client, turn);
      has_turned = TRUE;
    }

  return keep_end (client, TRUE, end_error);
}

static S9wsEvent *
direct_receive (S9wsClient  *client,
                GError     **error)
{
  S9wsState state = (S9wsState) g_atomic_int_get (&client->state);
  GError *open_error = NULL;
  S9wsEvent *event;

  if (state == S9WS_STATE_CLOSED)
    return g_queue_pop_head (&client->ends);

  if (state < S9WS_STATE_OPEN)
    {
      if (!begin_open (client, error))
        return NULL;

      s9ws_client_notify_state (client);
      if (!open_connection (client, &open_error))
        return keep_end (client, FALSE, open_error);
      finish_open (client, NULL);
    }

  if (!client->is_activated)
    {
      client->is_activated = TRUE;
      return s9ws_event_new (S9WS_EVENT_KIND_ACTIVATED);
    }

  s9ws_client_begin_delivery (client);
  event = receive_message (client);
  s9ws_client_end_delivery (client);
  return event;
}

/* Sending */

static gboolean
fail_not_open (S9wsState   state,
               GError    **error)
{
  if (state < S9WS_STATE_OPEN)
    g_set_error_literal (error, S9WS_ERROR, S9WS_ERROR_NOT_OPEN,
                         _("The client is not open yet: nothing can be sent before open() has succeeded"));
  else
    g_set_error_literal (error, S9WS_ERROR, S9WS_ERROR_CONNECTION_CLOSED,
                         _("The connection is closing or closed; nothing can be sent on it any more"));
  return FALSE;
}

static inline void
finish_send (S9wsClient *client)
{
  if (G_UNLIKELY (s9ws_connection_get_buffered (client->connection) > 0) &&
      S9WS_CLIENT_GET_CLASS (client)->finish_send != NULL)
    S9WS_CLIENT_GET_CLASS (client)->finish_send (client);
}

static gboolean
direct_send (S9wsClient    *client,
             S9wsOpcode     opcode,
             const guint8  *data,
             gsize          size,
             GError       **error)
{
  S9wsState state = (S9wsState) g_atomic_int_get (&client->state);

  if (G_UNLIKELY (state != S9WS_STATE_OPEN))
    return fail_not_open (state, error);
  if (!s9ws_connection_send (client->connection, opcode, data, size, error))
    return FALSE;

  finish_send (client);
  return TRUE;
}

static gboolean
direct_begin_message (S9wsClient  *client,
                      S9wsOpcode   opcode,
                      GError     **error)
{
  S9wsState state = (S9wsState) g_atomic_int_get (&client->state);

  if (state != S9WS_STATE_OPEN)
    return fail_not_open (state, error);

  return s9ws_connection_begin_message (client->connection, opcode, error);
}

static gboolean
direct_append (S9wsClient    *client,
               const guint8  *data,
               gsize          size,
               GError       **error)
{
  S9wsState state = (S9wsState) g_atomic_int_get (&client->state);

  if (state != S9WS_STATE_OPEN)
    return fail_not_open (state, error);
  if (!s9ws_connection_append (client->connection, data, size, error))
    return FALSE;

  finish_send (client);
  return TRUE;
}

static gboolean
direct_finish_message (S9wsClient  *client,
                       GError     **error)
{
  S9wsState state = (S9wsState) g_atomic_int_get (&client->state);

  if (state != S9WS_STATE_OPEN)
    return fail_not_open (state, error);
  if (!s9ws_connection_finish_message (client->connection, error))
    return FALSE;

  finish_send (client);
  return TRUE;
}

static gboolean
direct_close (S9wsClient  *client,
              guint        code,
              const char  *reason,
              GError     **error)
{
  S9wsState state = (S9wsState) g_atomic_int_get (&client->state);

  if (state != S9WS_STATE_OPEN)
    return fail_not_open (state, error);
  if (!s9ws_connection_close (client->connection, code, reason, error))
    return FALSE;

  set_state (client, S9WS_STATE_CLOSING);
  return TRUE;
}

/* Getters */

static S9wsState
direct_get_state (S9wsClient *client)
{
  return (S9wsState) g_atomic_int_get (&client->state);
}

/* While a thread of open_async () works on it, the connection is that thread's. */
static S9wsConnection *
direct_get_connection (S9wsClient *client)
{
  return g_atomic_int_get (&client->state) >= S9WS_STATE_OPEN ? client->connection : NULL;
}

static void
direct_set_compress (S9wsClient *client,
                     gboolean    compress)
{
  S9wsConnection *connection = direct_get_connection (client);

  if (connection != NULL)
    s9ws_connection_set_compress (connection, compress);
}

static const S9wsAnswer *
direct_get_answer (S9wsClient *client)
{
  S9wsConnection *connection = direct_get_connection (client);

  return connection != NULL ? s9ws_connection_get_answer (connection) : NULL;
}

static guint64
direct_get_buffered_amount (S9wsClient *client)
{
  S9wsConnection *connection = direct_get_connection (client);

  return connection != NULL ? s9ws_connection_get_buffered (connection) : 0;
}

static S9wsEndReport *
direct_get_end_report (S9wsClient *client)
{
  return client->end_report;
}

static void
direct_get_stats (S9wsClient *client,
                  S9wsStats  *stats)
{
  S9wsConnection *connection = direct_get_connection (client);
  S9wsTransport *transport;

  if (connection == NULL)
    return;

  s9ws_client_take_counters (stats, s9ws_connection_get_counters (connection));
  stats->bytes_unsent = s9ws_connection_get_unsent (connection);
  transport = s9ws_connection_get_transport (connection);
  if (transport != NULL)
    {
      stats->reads = transport->n_reads;
      stats->writes = transport->n_writes;
    }
}

void
s9ws_client_class_use_direct (S9wsClientClass *klass)
{
  klass->open = direct_open;
  klass->open_async = direct_open_async;
  klass->run = direct_run;
  klass->receive = direct_receive;
  klass->send = direct_send;
  klass->begin_message = direct_begin_message;
  klass->append = direct_append;
  klass->finish_message = direct_finish_message;
  klass->close = direct_close;
  klass->set_compress = direct_set_compress;
  klass->wake = direct_wake;
  klass->get_state = direct_get_state;
  klass->get_buffered_amount = direct_get_buffered_amount;
  klass->get_connection = direct_get_connection;
  klass->get_answer = direct_get_answer;
  klass->get_end_report = direct_get_end_report;
  klass->get_stats = direct_get_stats;
}
