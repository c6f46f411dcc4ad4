/* s9ws-async-thread.c: the thread that owns an asynchronous client's socket
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-async-thread.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "connection/sender.h"
#include "connection/waiting.h"
#include "s9ws-opener.h"
#include "s9ws-question.h"
#include "s9ws-strategy.h"

#define SENDER_DELAY G_USEC_PER_SEC            /* µs after which a deflater is given back */
#define ABANDONED_TIMEOUT (5 * G_USEC_PER_SEC) /* µs for the closing handshake, at most */
#define CLOSING_MAX (16 * 1024 * 1024)         /* bytes: more than sockets hold back */
#define LITTLE_USED (64 * 1024)                /* bytes of events: so much is kept */
#define TRIM_DELAY G_USEC_PER_SEC              /* µs without events, after which more is given back */
#define MUCH_QUEUED (1536 * 1024)              /* bytes: whoever takes events off is far behind ... */
#define MANY_QUEUED 256                        /* ... unless they are but a few large ones */
#define PAUSE_DIVISOR 64                       /* events: nobody takes off so many in a µs */
#define PAUSE_MAX 1000                         /* µs */

struct _S9wsAsyncThread
{
  gatomicrefcount ref_count;
  GCancellable *quit;    /* thread-safe */
  S9wsAsyncQueue *queue; /* has locks of its own */

  int state;             /* atomic: S9wsState; moved on with the lock held */
  int has_work;          /* atomic: set by others, cleared by the I/O thread */
  int is_sleeping;       /* atomic: set by the I/O thread; who clears it wakes it */
  int is_abandoned;      /* atomic */
  GWeakRef client;       /* thread-safe */
  gboolean opens_itself; /* the I/O thread does; written before anybody does */

  char *uri;              /* these two: written with the lock held, while NEW; */
  S9wsSettings *settings; /* immutable after that */

  /* Whoever opens it, then the I/O thread's; until that is started, whoever holds the
   * lock may use it while OPEN.  Its answer is immutable once OPEN or CLOSED. */
  S9wsConnection *connection;

  GMutex lock;         /* guards all of the following */
  GCond changed;       /* state or is_done */
  gboolean is_opening; /* or has been: by start () or open (), whichever is first */
  gboolean is_started;
  gboolean is_done;
  GQueue tasks; /* of GTask: wait for the opening */
  GError *open_error;
  S9wsOutput outbox;   /* frames to be sent */
  S9wsSender sender;   /* what they are made with */
  gint64 sender_time;  /* when its deflater is given back, if nothing more is compressed */
  guint64 n_outbox;    /* messages in outbox */
  gboolean is_closing; /* nothing may be added to outbox */
  gboolean has_close;  /* the next two are to be sent behind outbox */
  guint close_code;
  char *close_reason;
  gsize in_flight;  /* what the connection has kept */
  guint64 n_unsent; /* messages that never left */
  guint64 unsent;   /* bytes of frames that never left */
  gint64 ping_time; /* of the last ping in outbox; 0: none */
  guint8 ping[S9WS_CONTROL_PAYLOAD_MAX];
  guint8 ping_size;
  S9wsCounters sent;         /* what went through outbox */
  S9wsCounters counters;     /* a copy of the connection's */
  S9wsEndReport *end_report; /* set once; NULL before the end */
};

/* What the I/O thread alone has. */
typedef struct
{
  S9wsAsyncThread *thread;
  S9wsConnection *connection;
  GPtrArray *batch; /* of S9wsEvent: not queued yet */
  S9wsOutput taken; /* frames taken from outbox */
  S9wsStrategy strategy;
  gint64 abandoned_until; /* monotonic µs; 0: not abandoned */
  gint64 sender_time;     /* a copy of the thread's; 0: nothing is to be given back */
  gint64 trim_time;       /* when the memory of events is given back; 0: that is not known yet */
  guint n_queued;         /* events, once those of this turn had been queued; 0: none had come */
} Loop;

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

static gboolean
is_quitting (S9wsAsyncThread *thread)
{
  return g_cancellable_is_cancelled (thread->quit);
}

S9wsState
s9ws_async_thread_get_state (S9wsAsyncThread *thread)
{
  return (S9wsState) g_atomic_int_get (&thread->state);
}

static void
set_state_locked (S9wsAsyncThread *thread,
                  S9wsState        state)
{
  g_atomic_int_set (&thread->state, (int) state);
  g_cond_broadcast (&thread->changed);
}

/* Events */

static guint
push_now (S9wsAsyncThread *thread,
          GPtrArray       *events)
{
  if (g_atomic_int_get (&thread->is_abandoned))
    {
      for (guint i = 0; i < events->len; i++)
        s9ws_event_unref (events->pdata[i]);
      g_ptr_array_set_size (events, 0);
    }

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

/* Once the connection, where there was one, has been hung up.  What was not sent by
 * then never will be. */
static void
report_end_locked (S9wsAsyncThread *thread,
                   const GError    *error)
{
  give_up_outbox_locked (thread);
  thread->end_report = s9ws_end_report_new (thread->connection, thread->settings, error, is_quitting (thread),
                                            thread->unsent);
}

/* Opening */

static gboolean
on_question (const char           *chain,
             GTlsCertificateFlags  reasons,
             gpointer              user_data)
{
  S9wsAsyncThread *thread = user_data;
  g_autoptr (GMainContext) context = NULL;

  if (thread->opens_itself)
    context = s9ws_async_queue_dup_context (thread->queue);
  return s9ws_ask_about_certificate (&thread->client, context, thread->quit, chain, reasons);
}

static void
fail_open_locked (S9wsAsyncThread *thread,
                  const GError    *error)
{
  thread->open_error = g_error_copy (error);
  report_end_locked (thread, error);
  set_state_locked (thread, S9WS_STATE_CLOSED);
}

static void
push_failure (S9wsAsyncThread *thread,
              const GError    *error)
{
  g_autoptr (GPtrArray) events = g_ptr_array_new ();

  if (!is_quitting (thread))
    g_ptr_array_add (events, s9ws_event_new_error (error));
  g_ptr_array_add (events, s9ws_event_new (S9WS_EVENT_KIND_QUIT));
  push_now (thread, events);
}

gboolean
s9ws_async_thread_begin (S9wsAsyncThread  *thread,
                         const char       *uri,
                         S9wsOptions      *options,
                         GError          **error)
{
  GError *local_error = NULL;
  gboolean is_new;

  g_mutex_lock (&thread->lock);
  is_new = s9ws_async_thread_get_state (thread) == S9WS_STATE_NEW;
  if (is_new)
    {
      thread->uri = g_strdup (uri);
      thread->settings = s9ws_options_read (options, &local_error);
      if (thread->settings != NULL)
        {
          thread->settings->question = on_question;
          thread->settings->question_data = thread;
          s9ws_async_queue_prepare (thread->queue, (gssize) MIN (thread->settings->max_queued_bytes, G_MAXSSIZE),
                                    &local_error);
        }
      /* Others must never see it connecting without what it needs. */
      if (local_error == NULL)
        set_state_locked (thread, S9WS_STATE_CONNECTING);
      else
        fail_open_locked (thread, local_error);
    }
  g_mutex_unlock (&thread->lock);

  if (!is_new)
    {
      s9ws_client_set_state_error (s9ws_async_thread_get_state (thread), error);
      return FALSE;
    }

  if (local_error == NULL)
    return TRUE;

  push_failure (thread, local_error);
  g_propagate_error (error, local_error);
  return FALSE;
}

/* What has been encoded before this goes as it is. */
static void
begin_compression_locked (S9wsAsyncThread *thread)
{
  const S9wsConnectionConfig *config = &thread->settings->connection;
  const S9wsAnswer *answer = s9ws_connection_get_answer (thread->connection);

  if (answer->has_deflate)
    s9ws_sender_use_deflate (&thread->sender, &answer->deflate, config->compression_level, config->compression_threshold);
}

/* What came of an opening, on its way to who wants to know. */
typedef struct
{
  GTask *task;
  GError *error; /* or NULL */
} Conclusion;

static void
conclusion_free (Conclusion *conclusion)
{
  g_object_unref (conclusion->task);
  g_clear_error (&conclusion->error);
  g_free (conclusion);
}

static gboolean
return_task (gpointer user_data)
{
  Conclusion *conclusion = user_data;

  if (conclusion->error == NULL)
    g_task_return_boolean (conclusion->task, TRUE);
  else
    g_task_return_error (conclusion->task, g_steal_pointer (&conclusion->error));

  return G_SOURCE_REMOVE;
}

/* Takes @task over, whose last reference is given up in its context, too: the client may go
 * by it, with handlers of a language that cannot be called on this thread, or not any more
 * where the program is ending. */
static void
return_in_context (GTask        *task,
                   const GError *error)
{
  g_autoptr (GMainContext) context = g_main_context_ref (g_task_get_context (task));
  g_autoptr (GSource) source = g_idle_source_new ();
  Conclusion *conclusion = g_new (Conclusion, 1);

  conclusion->task = task;
  conclusion->error = error != NULL ? g_error_copy (error) : NULL;
  g_source_set_static_name (source, "S9wsClient, opened");
  g_source_set_priority (source, g_task_get_priority (task));
  g_source_set_callback (source, return_task, conclusion, (GDestroyNotify) conclusion_free);
  g_source_attach (source, context);
}

/* Says how the opening ended, to all who wait for it.  Takes @error over. */
void
s9ws_async_thread_conclude_open (S9wsAsyncThread *thread,
                                 GError          *error)
{
  GQueue tasks = G_QUEUE_INIT;
  GTask *task;

  g_mutex_lock (&thread->lock);
  if (error != NULL)
    {
      fail_open_locked (thread, error);
    }
  else
    {
      begin_compression_locked (thread);
      set_state_locked (thread, S9WS_STATE_OPEN);
    }
  tasks = thread->tasks;
  g_queue_init (&thread->tasks);
  g_mutex_unlock (&thread->lock);

  if (error != NULL)
    push_failure (thread, error);
  while ((task = g_queue_pop_head (&tasks)) != NULL)
    return_in_context (task, error);

  g_clear_error (&error);
}

gboolean
s9ws_async_thread_wait_open (S9wsAsyncThread  *thread,
                             GError          **error)
{
  gboolean is_open;

  g_mutex_lock (&thread->lock);
  while (s9ws_async_thread_get_state (thread) == S9WS_STATE_CONNECTING)
    g_cond_wait (&thread->changed, &thread->lock);
  is_open = thread->open_error == NULL;
  if (!is_open && error != NULL)
    *error = g_error_copy (thread->open_error);
  g_mutex_unlock (&thread->lock);

  return is_open;
}

/* Only the first to come opens; others wait for what comes of it. */
static gboolean
open_once (S9wsAsyncThread  *thread,
           gboolean          is_own,
           GError          **error)
{
  GError *local_error = NULL;
  gboolean is_first;

  g_mutex_lock (&thread->lock);
  is_first = !thread->is_opening;
  thread->is_opening = TRUE;
  if (is_first)
    thread->opens_itself = is_own;
  g_mutex_unlock (&thread->lock);

  if (!is_first)
    return s9ws_async_thread_wait_open (thread, error);

  if (s9ws_open_connection (thread->uri, thread->settings, thread->quit, &thread->connection, &local_error))
    {
      s9ws_async_thread_conclude_open (thread, NULL);
      return TRUE;
    }

  g_propagate_error (error, g_error_copy (local_error));
  s9ws_async_thread_conclude_open (thread, local_error);
  return FALSE;
}

gboolean
s9ws_async_thread_open (S9wsAsyncThread  *thread,
                        GError          **error)
{
  return open_once (thread, FALSE, error);
}

void
s9ws_async_thread_add_task (S9wsAsyncThread *thread,
                            GTask           *task)
{
  g_autoptr (GError) error = NULL;
  gboolean is_waiting;

  g_mutex_lock (&thread->lock);
  is_waiting = s9ws_async_thread_get_state (thread) == S9WS_STATE_CONNECTING;
  if (is_waiting)
    g_queue_push_tail (&thread->tasks, task);
  else if (thread->open_error != NULL)
    error = g_error_copy (thread->open_error);
  g_mutex_unlock (&thread->lock);

  if (!is_waiting)
    return_in_context (task, error);
}

/* The loop */

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
    g_ptr_array_add (loop->batch, s9ws_event_new_message (budget, loop->connection, &message));

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
      set_state_locked (thread, S9WS_STATE_CLOSING);
    }
  g_mutex_unlock (&thread->lock);

  loop->n_queued = push_now (thread, loop->batch);
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
  if (!g_atomic_int_get (&thread->has_work) && !is_quitting (thread) &&
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
      if (is_quitting (thread))
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
  if (!is_quitting (thread))
    {
      if (error != NULL)
        g_ptr_array_add (loop->batch, s9ws_event_new_error (error));
      g_ptr_array_add (loop->batch, s9ws_event_new_closed (s9ws_connection_get_close_code (connection),
                                                           s9ws_connection_get_close_reason (connection)));
    }
  g_ptr_array_add (loop->batch, s9ws_event_new (S9WS_EVENT_KIND_QUIT));

  g_mutex_lock (&thread->lock);
  thread->is_closing = TRUE;
  report_end_locked (thread, error);
  thread->unsent += s9ws_connection_get_unsent (connection);
  s9ws_sender_clear (&thread->sender);
  set_state_locked (thread, S9WS_STATE_CLOSED);
  g_mutex_unlock (&thread->lock);

  publish (loop);
}

static void
work (S9wsAsyncThread *thread)
{
  Loop loop = { .thread = thread, .connection = thread->connection };
  GError *error = NULL;

  loop.batch = g_ptr_array_new ();
  g_ptr_array_add (loop.batch, s9ws_event_new (S9WS_EVENT_KIND_ACTIVATED));
  g_atomic_int_set (&thread->has_work, TRUE);
  run_loop (&loop, &error);
  finish (&loop, error);
  s9ws_queue_budget_end (s9ws_async_queue_get_budget (thread->queue));
  g_ptr_array_unref (loop.batch);
  s9ws_output_clear (&loop.taken);
  g_clear_error (&error);
}

static gpointer
thread_main (gpointer data)
{
  S9wsAsyncThread *thread = data;

  if (open_once (thread, TRUE, NULL))
    work (thread);

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

/* Where it is open, and nobody can read. */
static void
end_without_thread (S9wsAsyncThread *thread,
                    const GError    *error)
{
  Loop loop = { .thread = thread, .connection = thread->connection };

  loop.batch = g_ptr_array_new ();
  g_ptr_array_add (loop.batch, s9ws_event_new (S9WS_EVENT_KIND_ACTIVATED));
  finish (&loop, error);
  g_ptr_array_unref (loop.batch);
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
    end_without_thread (thread, error);
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
