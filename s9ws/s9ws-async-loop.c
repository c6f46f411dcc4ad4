/* s9ws-async-loop.c: what an asynchronous client's thread does while it is open
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-async-thread-private.h"

#include <poll.h>

#include "connection/waiting.h"
#include "s9ws-strategy.h"

#define ABANDONED_TIMEOUT (5 * G_USEC_PER_SEC) /* µs for the closing handshake, at most */
#define CLOSING_MAX (16 * 1024 * 1024)         /* bytes: more than sockets hold back */
#define LITTLE_USED (64 * 1024)                /* bytes of events: so much is kept */
#define TRIM_DELAY G_USEC_PER_SEC              /* µs without events, after which more is given back */
#define MUCH_QUEUED (1536 * 1024)              /* bytes: whoever takes events off is far behind ... */
#define MANY_QUEUED 256                        /* ... unless they are but a few large ones */
#define PAUSE_DIVISOR 64                       /* events: nobody takes off so many in a µs */
#define PAUSE_MAX 1000                         /* µs */

/* What the I/O thread alone has. */
typedef struct
{
  S9wsAsyncThread *thread;
  S9wsConnection *connection;
  S9wsEventList batch; /* not queued yet */
  S9wsOutput taken;    /* frames taken from outbox */
  S9wsStrategy strategy;
  gint64 abandoned_until; /* monotonic µs; 0: not abandoned */
  gint64 sender_time;     /* a copy of the thread's; 0: nothing is to be given back */
  gint64 trim_time;       /* when the memory of events is given back; 0: that is not known yet */
  guint n_queued;         /* events, once those of this turn had been queued; 0: none had come */
} Loop;

/* Moves what others want sent into the connection. */
static void
send_outbox (Loop *loop)
{
  S9wsAsyncThread *thread = loop->thread;
  g_autofree char *reason = NULL;
  gboolean has_close;
  guint code;

  if (!g_atomic_int_compare_and_exchange (&thread->has_work, TRUE, FALSE))
    return;

  g_mutex_lock (&thread->lock);
  s9ws_output_take (&loop->taken, &thread->outbox);
  thread->in_flight += s9ws_output_get_size (&loop->taken);
  thread->n_outbox = 0;
  if (thread->ping_time != 0)
    s9ws_connection_expect_pong (loop->connection, thread->ping, thread->ping_size, thread->ping_time);
  thread->ping_time = 0;
  has_close = thread->has_close;
  code = thread->close_code;
  reason = g_steal_pointer (&thread->close_reason);
  thread->has_close = FALSE;
  g_mutex_unlock (&thread->lock);

  if (s9ws_output_get_size (&loop->taken) > 0)
    s9ws_connection_send_encoded (loop->connection, &loop->taken);
  if (has_close)
    s9ws_connection_close (loop->connection, code, reason, NULL);
}

/* Once nobody is there to take events off: a closing handshake, and not for ever. */
static void
attend_abandonment (Loop *loop)
{
  S9wsAsyncThread *thread = loop->thread;

  if (loop->abandoned_until == 0)
    {
      loop->abandoned_until = g_get_monotonic_time () + ABANDONED_TIMEOUT;
      if (s9ws_connection_get_phase (loop->connection) == S9WS_PHASE_OPEN)
        s9ws_connection_close (loop->connection, 1001, NULL, NULL);
    }
  else if (g_get_monotonic_time () >= loop->abandoned_until)
    {
      g_cancellable_cancel (thread->quit);
    }
}

/* Before the server's answer to a close comes what was on its way: that is not to wait for
 * somebody who may be waiting for the end.  What is thrown away needs no room. */
static gboolean
is_full (Loop *loop)
{
  S9wsAsyncThread *thread = loop->thread;
  gssize beyond = s9ws_connection_get_phase (loop->connection) >= S9WS_PHASE_CLOSING ? CLOSING_MAX : 0;

  return !g_atomic_int_get (&thread->is_abandoned) &&
         s9ws_queue_budget_is_full (s9ws_async_queue_get_budget (thread->queue), beyond);
}

static S9wsReceiveResult
drain (Loop    *loop,
       GError **error)
{
  S9wsQueueBudget *budget = s9ws_async_queue_get_budget (loop->thread->queue);
  S9wsReceiveResult result;
  S9wsMessage message;

  while ((result = s9ws_connection_next (loop->connection, &message, error)) == S9WS_RECEIVE_MESSAGE)
    s9ws_event_list_append (&loop->batch, s9ws_event_new_message (budget, loop->connection, &message));

  return result;
}

static S9wsReceiveResult
receive (Loop    *loop,
         GError **error)
{
  S9wsReceiveResult result;

  if (is_full (loop))
    return s9ws_connection_progress (loop->connection, error);

  result = s9ws_connection_read (loop->connection, error);
  if (result == S9WS_RECEIVE_MESSAGE && drain (loop, error) == S9WS_RECEIVE_ENDED)
    return S9WS_RECEIVE_ENDED;

  return result;
}

/* Gives the deflater back where nobody has used it for a while.  Returns when that will be. */
static gint64
trim_sender_locked (S9wsAsyncThread *thread)
{
  if (G_LIKELY (!thread->sender.deflater.is_live))
    return 0;
  if (g_get_monotonic_time () < thread->sender_time)
    return thread->sender_time;

  s9ws_deflater_release (&thread->sender.deflater);
  return 0;
}

/* Lets the others see how far it is, and have what has come. */
static void
publish (Loop *loop)
{
  S9wsAsyncThread *thread = loop->thread;
  S9wsPhase phase = s9ws_connection_get_phase (loop->connection);

  g_mutex_lock (&thread->lock);
  thread->in_flight = s9ws_connection_get_buffered (loop->connection);
  thread->counters = *s9ws_connection_get_counters (loop->connection);
  loop->sender_time = trim_sender_locked (thread);
  if (phase >= S9WS_PHASE_CLOSING && s9ws_async_thread_get_state (thread) == S9WS_STATE_OPEN)
    {
      thread->is_closing = TRUE;
      s9ws_async_thread_set_state_locked (thread, S9WS_STATE_CLOSING);
    }
  g_mutex_unlock (&thread->lock);

  loop->n_queued = s9ws_async_thread_push_events (thread, &loop->batch);
  if (loop->n_queued > 0)
    loop->trim_time = 0;
}

static S9wsWaitStrategy
get_kind (const S9wsSettings *settings)
{
  return settings->wait_strategy == S9WS_WAIT_STRATEGY_DEFAULT ? S9WS_WAIT_STRATEGY_WAIT : settings->wait_strategy;
}

static gint64
bound_wait (Loop   *loop,
            gint64  timeout)
{
  timeout = s9ws_wait_bound (s9ws_connection_bound_wait (loop->connection, timeout), loop->abandoned_until);
  timeout = s9ws_wait_bound (timeout, loop->trim_time);
  return s9ws_wait_bound (timeout, loop->sender_time);
}

/* Sleeps, unless somebody has put work up since: who does that after is_sleeping was
 * set wakes it. */
static void
sleep_until_ready (Loop     *loop,
                   short     events,
                   gboolean  is_held,
                   gint64    timeout)
{
  S9wsAsyncThread *thread = loop->thread;
  S9wsQueueBudget *budget = s9ws_async_queue_get_budget (thread->queue);
  int fd = events != 0 ? s9ws_connection_get_transport (loop->connection)->fd : -1;
  short ready = 0;

  g_atomic_int_set (&thread->is_sleeping, TRUE);
  if (!g_atomic_int_get (&thread->has_work) && !s9ws_async_thread_is_quitting (thread) &&
      !(is_held && !is_full (loop)))
    ready = s9ws_wait_or_resume (fd, events, budget->waker.read_fd,
                                 s9ws_connection_get_resume_fd (loop->connection), bound_wait (loop, timeout));
  g_atomic_int_set (&thread->is_sleeping, FALSE);

  if (ready & S9WS_WAIT_WOKEN)
    s9ws_waker_reset (&budget->waker);
}

/* More events would only be made of new memory, and have left the caches by the time that
 * somebody takes them off: the socket keeps what comes as well.  Not where the end, which
 * may be waited for, is behind it. */
static gboolean
is_far_ahead (Loop *loop)
{
  S9wsQueueBudget *budget = s9ws_async_queue_get_budget (loop->thread->queue);

  return loop->n_queued > MANY_QUEUED && (gsize) g_atomic_pointer_get (&budget->bytes) >= MUCH_QUEUED &&
         s9ws_connection_get_phase (loop->connection) < S9WS_PHASE_CLOSING;
}

/* Less than it takes to take all of them off, but for what timers add. */
static void
pause_reading (Loop *loop)
{
  sleep_until_ready (loop, s9ws_connection_get_poll_events (loop->connection) & (short) ~POLLIN, FALSE,
                     MIN (loop->n_queued / PAUSE_DIVISOR, PAUSE_MAX));
}

/* Gives back what a flood has left, once nothing has come for a while. */
static void
trim (Loop *loop)
{
  S9wsQueueBudget *budget = s9ws_async_queue_get_budget (loop->thread->queue);
  gint64 now;

  if (G_LIKELY (s9ws_queue_budget_get_used (budget) <= LITTLE_USED))
    {
      loop->trim_time = 0;
      return;
    }

  now = g_get_monotonic_time ();
  if (now < loop->trim_time)
    return;

  if (loop->trim_time != 0)
    s9ws_queue_budget_trim (budget);
  /* What is queued still is looked at again. */
  loop->trim_time = now + TRIM_DELAY;
}

static void
wait_for_work (Loop     *loop,
               gboolean  is_first)
{
  const S9wsSettings *settings = loop->thread->settings;
  S9wsWaitStrategy kind = get_kind (settings);
  short events = s9ws_connection_get_poll_events (loop->connection);
  gint64 timeout;

  trim (loop);
  if (is_full (loop))
    {
      sleep_until_ready (loop, events & (short) ~POLLIN, TRUE, -1);
      return;
    }

  timeout = s9ws_strategy_get_wait (&loop->strategy, kind, settings->spin_wait_duration, is_first);
  if (timeout == 0 || s9ws_connection_has_pending (loop->connection))
    return;

  sleep_until_ready (loop, kind == S9WS_WAIT_STRATEGY_SLEEP ? 0 : events, FALSE, timeout);
}

/* Until the connection has ended; with the error that it ended with. */
static void
run_loop (Loop    *loop,
          GError **error)
{
  S9wsAsyncThread *thread = loop->thread;
  S9wsReceiveResult result = drain (loop, error);
  gboolean is_first = TRUE;

  while (result != S9WS_RECEIVE_ENDED)
    {
      publish (loop);
      if (result == S9WS_RECEIVE_AGAIN)
        wait_for_work (loop, is_first);
      else if (G_UNLIKELY (is_far_ahead (loop)))
        pause_reading (loop);
      is_first = result == S9WS_RECEIVE_MESSAGE;

      send_outbox (loop);
      if (g_atomic_int_get (&thread->is_abandoned))
        attend_abandonment (loop);
      if (s9ws_async_thread_is_quitting (thread))
        return;

      result = receive (loop, error);
    }
}

static void
finish (Loop         *loop,
        const GError *error)
{
  S9wsAsyncThread *thread = loop->thread;
  S9wsConnection *connection = loop->connection;

  s9ws_connection_hang_up (connection);
  if (!s9ws_async_thread_is_quitting (thread))
    {
      if (error != NULL)
        s9ws_event_list_append (&loop->batch, s9ws_event_new_error (error));
      s9ws_event_list_append (&loop->batch,
                              s9ws_event_new_closed (s9ws_connection_get_close_code (connection),
                                                     s9ws_connection_get_close_reason (connection)));
    }
  s9ws_event_list_append (&loop->batch, s9ws_event_new (S9WS_EVENT_KIND_QUIT));

  g_mutex_lock (&thread->lock);
  thread->is_closing = TRUE;
  s9ws_async_thread_report_end_locked (thread, error);
  thread->unsent += s9ws_connection_get_unsent (connection);
  s9ws_sender_clear (&thread->sender);
  s9ws_async_thread_set_state_locked (thread, S9WS_STATE_CLOSED);
  g_mutex_unlock (&thread->lock);

  publish (loop);
}

void
s9ws_async_thread_run_loop (S9wsAsyncThread *thread)
{
  Loop loop = { .thread = thread, .connection = thread->connection };
  GError *error = NULL;

  s9ws_event_list_append (&loop.batch, s9ws_event_new (S9WS_EVENT_KIND_ACTIVATED));
  g_atomic_int_set (&thread->has_work, TRUE);
  run_loop (&loop, &error);
  finish (&loop, error);
  s9ws_queue_budget_end (s9ws_async_queue_get_budget (thread->queue));
  s9ws_output_clear (&loop.taken);
  g_clear_error (&error);
}

void
s9ws_async_thread_end_without_loop (S9wsAsyncThread *thread,
                                    const GError    *error)
{
  Loop loop = { .thread = thread, .connection = thread->connection };

  s9ws_event_list_append (&loop.batch, s9ws_event_new (S9WS_EVENT_KIND_ACTIVATED));
  finish (&loop, error);
}
