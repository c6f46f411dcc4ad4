/* s9ws-async-thread.c: the thread that owns an asynchronous client's socket
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-async-thread-private.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#define SENDER_DELAY G_USEC_PER_SEC /* µs after which a deflater is given back */

S9wsAsyncThread *
s9ws_async_thread_new (GCancellable *quit)
{
  S9wsAsyncThread *thread = g_new0 (S9wsAsyncThread, 1);

  g_atomic_ref_count_init (&thread->ref_count);
  thread->quit = g_object_ref (quit);
  thread->queue = s9ws_async_queue_new ();
  thread->counters.last_round_trip = -1;
  s9ws_sender_init (&thread->sender);
  g_queue_init (&thread->tasks);
  g_weak_ref_init (&thread->client, NULL);
  g_mutex_init (&thread->lock);
  g_cond_init (&thread->changed);
  return thread;
}

void
s9ws_async_thread_set_client (S9wsAsyncThread *thread,
                              S9wsClient      *client)
{
  g_weak_ref_set (&thread->client, client);
}

void
s9ws_async_thread_unref (S9wsAsyncThread *thread)
{
  if (!g_atomic_ref_count_dec (&thread->ref_count))
    return;

  if (thread->connection != NULL)
    {
      /* Opened, but never started. */
      if (s9ws_connection_get_phase (thread->connection) == S9WS_PHASE_OPEN &&
          !g_cancellable_is_cancelled (thread->quit))
        s9ws_connection_close (thread->connection, 1001, NULL, NULL);
      s9ws_connection_free (thread->connection);
    }
  g_clear_pointer (&thread->settings, s9ws_settings_free);
  s9ws_async_queue_unref (thread->queue);
  s9ws_output_clear (&thread->outbox);
  s9ws_sender_clear (&thread->sender);
  g_clear_error (&thread->open_error);
  g_clear_pointer (&thread->end_report, s9ws_end_report_unref);
  g_free (thread->close_reason);
  g_free (thread->uri);
  g_object_unref (thread->quit);
  g_weak_ref_clear (&thread->client);
  g_mutex_clear (&thread->lock);
  g_cond_clear (&thread->changed);
  g_free (thread);
}

S9wsState
s9ws_async_thread_get_state (S9wsAsyncThread *thread)
{
  return (S9wsState) g_atomic_int_get (&thread->state);
}

/* For all parts */

guint
s9ws_async_thread_push_events (S9wsAsyncThread *thread,
                               S9wsEventList   *events)
{
  if (g_atomic_int_get (&thread->is_abandoned))
    s9ws_event_list_clear (events);

  return s9ws_async_queue_push (thread->queue, events);
}

/* What was accepted and cannot be sent any more. */
static void
give_up_outbox_locked (S9wsAsyncThread *thread)
{
  thread->n_unsent += thread->n_outbox;
  thread->unsent += s9ws_output_get_size (&thread->outbox);
  thread->n_outbox = 0;
  s9ws_output_clear (&thread->outbox);
}

void
s9ws_async_thread_report_end_locked (S9wsAsyncThread *thread,
                                     const GError    *error)
{
  give_up_outbox_locked (thread);
  thread->end_report = s9ws_end_report_new (thread->connection, thread->settings, error,
                                            s9ws_async_thread_is_quitting (thread), thread->unsent);
}

/* The thread */

static gpointer
thread_main (gpointer data)
{
  S9wsAsyncThread *thread = data;

  if (s9ws_async_thread_open_once (thread, TRUE, NULL))
    s9ws_async_thread_run_loop (thread);

  g_mutex_lock (&thread->lock);
  thread->is_done = TRUE;
  g_cond_broadcast (&thread->changed);
  g_mutex_unlock (&thread->lock);

  s9ws_async_thread_unref (thread);
  return NULL;
}

/* The others' side */

gboolean
s9ws_async_thread_start (S9wsAsyncThread  *thread,
                         GError          **error)
{
  g_autoptr (GError) local_error = NULL;
  GThread *io_thread;

  g_mutex_lock (&thread->lock);
  if (thread->is_started || s9ws_async_thread_get_state (thread) == S9WS_STATE_CLOSED)
    {
      gboolean is_started = thread->is_started;

      g_mutex_unlock (&thread->lock);
      if (!is_started)
        s9ws_client_set_state_error (S9WS_STATE_CLOSED, error);
      return is_started;
    }

  g_atomic_ref_count_inc (&thread->ref_count);
  io_thread = g_thread_try_new ("s9ws", thread_main, thread, &local_error);
  thread->is_started = io_thread != NULL;
  g_mutex_unlock (&thread->lock);

  if (io_thread != NULL)
    {
      g_thread_unref (io_thread);
      return TRUE;
    }

  s9ws_async_thread_unref (thread);
  g_set_error (error, S9WS_ERROR, S9WS_ERROR_IO, _("The client’s thread could not be started: %s"), local_error->message);
  return FALSE;
}

void
s9ws_async_thread_fail_start (S9wsAsyncThread *thread,
                              const GError    *error)
{
  gboolean is_waiting, is_open;

  g_mutex_lock (&thread->lock);
  is_waiting = !thread->is_started && !thread->is_opening &&
               s9ws_async_thread_get_state (thread) == S9WS_STATE_CONNECTING;
  is_open = !thread->is_started && s9ws_async_thread_get_state (thread) == S9WS_STATE_OPEN;
  /* So that nobody tries again meanwhile. */
  thread->is_opening |= is_waiting;
  thread->is_started |= is_open;
  thread->is_done |= is_open;
  g_mutex_unlock (&thread->lock);

  if (is_waiting)
    s9ws_async_thread_conclude_open (thread, g_error_copy (error));
  else if (is_open)
    s9ws_async_thread_end_without_loop (thread, error);
}

gboolean
s9ws_async_thread_is_started (S9wsAsyncThread *thread)
{
  gboolean is_started;

  g_mutex_lock (&thread->lock);
  is_started = thread->is_started;
  g_mutex_unlock (&thread->lock);

  return is_started;
}

void
s9ws_async_thread_wake (S9wsAsyncThread *thread)
{
  g_atomic_int_set (&thread->has_work, TRUE);
  if (g_atomic_int_compare_and_exchange (&thread->is_sleeping, TRUE, FALSE))
    s9ws_waker_wake (&s9ws_async_queue_get_budget (thread->queue)->waker);
}

static gboolean
check_open_locked (S9wsAsyncThread  *thread,
                   GError          **error)
{
  S9wsState state = s9ws_async_thread_get_state (thread);

  if (G_LIKELY (state != S9WS_STATE_NEW && state < S9WS_STATE_CLOSING && !thread->is_closing))
    return TRUE;

  if (state == S9WS_STATE_NEW)
    g_set_error_literal (error, S9WS_ERROR, S9WS_ERROR_NOT_OPEN,
                         _("The client is not open yet: nothing can be sent before it has been started or opened"));
  else
    g_set_error_literal (error, S9WS_ERROR, S9WS_ERROR_CONNECTION_CLOSED,
                         _("The connection is closing or closed; nothing can be sent on it any more"));
  return FALSE;
}

static gboolean
check_buffer_locked (S9wsAsyncThread  *thread,
                     gsize             size,
                     GError          **error)
{
  guint64 limit = thread->settings->connection.max_buffered_amount;
  guint64 used = s9ws_output_get_size (&thread->outbox) + thread->in_flight;

  return s9ws_connection_check_buffer (limit, used, size, error);
}

static void
count_sent_locked (S9wsAsyncThread *thread,
                   S9wsOpcode       opcode,
                   const guint8    *data,
                   gsize            size)
{
  if (opcode == S9WS_OPCODE_PING)
    {
      thread->sent.pings_sent++;
      thread->ping_time = g_get_monotonic_time ();
      thread->ping_size = (guint8) size;
      if (size > 0)
        memcpy (thread->ping, data, size);
    }
  else if (opcode == S9WS_OPCODE_PONG)
    {
      thread->sent.pongs_sent++;
    }
  else
    {
      thread->sent.messages_sent++;
      thread->sent.bytes_sent += size;
      thread->n_outbox++;
    }
}

static void
encode_locked (S9wsAsyncThread *thread,
               S9wsOutputFrame *frame)
{
  if (!frame->is_compressed)
    {
      s9ws_output_append_frame (&thread->outbox, frame);
      return;
    }

  thread->sent.compressed_bytes_sent += s9ws_sender_compress (&thread->sender, &thread->outbox, frame);
  if (frame->is_final)
    thread->sent.compressed_messages_sent++;
  thread->sender_time = g_get_monotonic_time () + SENDER_DELAY;
}

static gboolean
send_locked (S9wsAsyncThread  *thread,
             S9wsOpcode        opcode,
             const guint8     *data,
             gsize             size,
             GError          **error)
{
  S9wsOutputFrame frame;

  if (!check_open_locked (thread, error) ||
      (opcode < S9WS_OPCODE_CLOSE && !s9ws_sender_check_whole (&thread->sender, error)) ||
      !check_buffer_locked (thread, size, error))
    return FALSE;

  s9ws_sender_prepare (&thread->sender, &frame, opcode, data, size);
  encode_locked (thread, &frame);
  count_sent_locked (thread, opcode, data, size);
  return TRUE;
}

/* Frames are encoded here, on the sender's thread, and only then handed over: order is
 * that in which senders get the lock. */
gboolean
s9ws_async_thread_send (S9wsAsyncThread  *thread,
                        S9wsOpcode        opcode,
                        const guint8     *data,
                        gsize             size,
                        GError          **error)
{
  gboolean is_sent;

  if (!s9ws_connection_check_send (opcode, data, size, error))
    return FALSE;

  g_mutex_lock (&thread->lock);
  is_sent = send_locked (thread, opcode, data, size, error);
  g_mutex_unlock (&thread->lock);

  if (is_sent)
    s9ws_async_thread_wake (thread);
  return is_sent;
}

gboolean
s9ws_async_thread_begin_message (S9wsAsyncThread  *thread,
                                 S9wsOpcode        opcode,
                                 GError          **error)
{
  gboolean has_begun;

  g_mutex_lock (&thread->lock);
  has_begun = check_open_locked (thread, error) && s9ws_sender_check_whole (&thread->sender, error) &&
              check_buffer_locked (thread, 0, error);
  if (has_begun)
    s9ws_sender_begin (&thread->sender, opcode);
  g_mutex_unlock (&thread->lock);

  return has_begun;
}

static gboolean
send_piece_locked (S9wsAsyncThread  *thread,
                   const guint8     *data,
                   gsize             size,
                   gboolean          is_final,
                   GError          **error)
{
  S9wsOutputFrame frame;
  S9wsUtf8 utf8;

  if (!check_open_locked (thread, error) ||
      !s9ws_sender_check_piece (&thread->sender, data, size, is_final, &utf8, error) ||
      (!is_final && !check_buffer_locked (thread, size, error)))
    return FALSE;

  if (size == 0 && !is_final)
    return TRUE;

  s9ws_sender_prepare_piece (&thread->sender, &frame, data, size, is_final, &utf8);
  encode_locked (thread, &frame);
  thread->sent.bytes_sent += size;
  if (is_final)
    {
      thread->sent.messages_sent++;
      thread->n_outbox++;
    }
  return TRUE;
}

gboolean
s9ws_async_thread_send_piece (S9wsAsyncThread  *thread,
                              const guint8     *data,
                              gsize             size,
                              gboolean          is_final,
                              GError          **error)
{
  gboolean is_sent;

  g_mutex_lock (&thread->lock);
  is_sent = send_piece_locked (thread, data, size, is_final, error);
  g_mutex_unlock (&thread->lock);

  if (is_sent)
    s9ws_async_thread_wake (thread);
  return is_sent;
}

gboolean
s9ws_async_thread_close (S9wsAsyncThread  *thread,
                         guint             code,
                         const char       *reason,
                         GError          **error)
{
  gboolean is_accepted;

  g_mutex_lock (&thread->lock);
  is_accepted = check_open_locked (thread, error);
  if (is_accepted)
    {
      thread->is_closing = TRUE;
      thread->has_close = TRUE;
      thread->close_code = code;
      thread->close_reason = g_strdup (reason);
    }
  g_mutex_unlock (&thread->lock);

  if (is_accepted)
    s9ws_async_thread_wake (thread);
  return is_accepted;
}

void
s9ws_async_thread_set_compress (S9wsAsyncThread *thread,
                                gboolean         compress)
{
  g_mutex_lock (&thread->lock);
  thread->sender.wants_compress = compress;
  g_mutex_unlock (&thread->lock);
}

void
s9ws_async_thread_join (S9wsAsyncThread *thread)
{
  g_mutex_lock (&thread->lock);
  while (thread->is_started && !thread->is_done)
    g_cond_wait (&thread->changed, &thread->lock);
  g_mutex_unlock (&thread->lock);
}

void
s9ws_async_thread_abandon (S9wsAsyncThread *thread)
{
  g_atomic_int_set (&thread->is_abandoned, TRUE);
  if (s9ws_async_thread_get_state (thread) < S9WS_STATE_OPEN)
    g_cancellable_cancel (thread->quit);

  s9ws_async_queue_clear (thread->queue);
  s9ws_async_thread_wake (thread);
}

guint64
s9ws_async_thread_get_buffered_amount (S9wsAsyncThread *thread)
{
  guint64 amount;

  g_mutex_lock (&thread->lock);
  amount = s9ws_output_get_size (&thread->outbox) + thread->in_flight;
  g_mutex_unlock (&thread->lock);

  return amount;
}

S9wsConnection *
s9ws_async_thread_get_connection (S9wsAsyncThread *thread)
{
  S9wsConnection *connection = NULL;

  g_mutex_lock (&thread->lock);
  if (!thread->is_started && s9ws_async_thread_get_state (thread) >= S9WS_STATE_OPEN)
    connection = thread->connection;
  g_mutex_unlock (&thread->lock);

  return connection;
}

const S9wsAnswer *
s9ws_async_thread_get_answer (S9wsAsyncThread *thread)
{
  if (s9ws_async_thread_get_state (thread) < S9WS_STATE_OPEN || thread->connection == NULL)
    return NULL;

  return s9ws_connection_get_answer (thread->connection);
}

S9wsEndReport *
s9ws_async_thread_get_end_report (S9wsAsyncThread *thread)
{
  S9wsEndReport *report;

  g_mutex_lock (&thread->lock);
  report = thread->end_report;
  g_mutex_unlock (&thread->lock);

  return report;
}

void
s9ws_async_thread_get_stats (S9wsAsyncThread *thread,
                             S9wsStats       *stats)
{
  g_mutex_lock (&thread->lock);
  s9ws_client_take_counters (stats, &thread->counters);
  stats->bytes_sent += thread->sent.bytes_sent;
  stats->messages_sent += thread->sent.messages_sent;
  stats->pings_sent += thread->sent.pings_sent;
  stats->pongs_sent += thread->sent.pongs_sent;
  stats->compressed_messages_sent += thread->sent.compressed_messages_sent;
  stats->compressed_bytes_sent += thread->sent.compressed_bytes_sent;
  stats->bytes_unsent = thread->unsent;
  stats->messages_unsent = thread->n_unsent;
  g_mutex_unlock (&thread->lock);
}

S9wsAsyncQueue *
s9ws_async_thread_get_queue (S9wsAsyncThread *thread)
{
  return thread->queue;
}
