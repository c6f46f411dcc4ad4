/* s9ws-async-queue.c: events on their way from the I/O thread to whoever takes them off
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-async-queue.h"

#define EVENTS_PER_DISPATCH 1024     /* then others of the context have a turn ... */
#define TIME_PER_DISPATCH (4 * 1000) /* ... and after this long, in µs */

/* As long as there is more, the source steps back to where GTK redraws, or no frame
 * would be drawn in a flood: sources of one priority take turns.  What is busy for ever
 * at the default priority is stopped by the patience having an end. */
#define PRIORITY G_PRIORITY_DEFAULT
#define PRIORITY_IN_FLOOD (G_PRIORITY_HIGH_IDLE + 20)
#define PATIENCE (10 * 1000) /* µs */

struct _S9wsAsyncQueue
{
  gatomicrefcount ref_count;
  S9wsQueueBudget *budget;

  GMutex lock;           /* guards all of the following */
  GCond has_more;        /* or has_ended */
  guint n_waiting;       /* threads, for has_more: to signal costs a system call */
  S9wsEventList events;  /* empty where there is bare */
  GAsyncQueue *bare;     /* of S9wsEvent, in their place; NULL as long as nobody has asked for it */
  gboolean has_ended;    /* QUIT has been taken off */
  S9wsWaker event_waker; /* not open as long as nobody has asked for it */
  gboolean is_readable;  /* it is awake */
  GSource *source;       /* or NULL */
  GSource *raiser;       /* or NULL: brings the source back to PRIORITY */
  GMainContext *context; /* the source's: it cannot be asked once it is destroyed */
  GThread *emitter;      /* in which a source, this or one before, has its turn; or NULL */
};

typedef struct
{
  GSource source;
  S9wsAsyncQueue *queue;
  int is_signalled; /* atomic: it has been told, and has not looked yet */
  GSource *raiser;
  GWeakRef object;
  S9wsEventFunc callback;
} QueueSource;

S9wsAsyncQueue *
s9ws_async_queue_new (void)
{
  S9wsAsyncQueue *queue = g_new0 (S9wsAsyncQueue, 1);

  g_atomic_ref_count_init (&queue->ref_count);
  queue->budget = s9ws_queue_budget_new ();
  queue->event_waker = (S9wsWaker) S9WS_WAKER_INIT;
  g_mutex_init (&queue->lock);
  g_cond_init (&queue->has_more);
  return queue;
}

S9wsAsyncQueue *
s9ws_async_queue_ref (S9wsAsyncQueue *queue)
{
  g_atomic_ref_count_inc (&queue->ref_count);
  return queue;
}

/* With the lock held: the first, or NULL. */
static S9wsEvent *
take_first (S9wsAsyncQueue *queue)
{
  if (G_LIKELY (queue->bare == NULL))
    return s9ws_event_list_take_first (&queue->events);

  return g_async_queue_try_pop (queue->bare);
}

/* With the lock held: takes all of @events. */
static void
append (S9wsAsyncQueue *queue,
        S9wsEventList  *events)
{
  S9wsEvent *event;

  if (G_LIKELY (queue->bare == NULL))
    {
      s9ws_event_list_move (&queue->events, events);
      return;
    }

  g_async_queue_lock (queue->bare);
  while ((event = s9ws_event_list_take_first (events)) != NULL)
    g_async_queue_push_unlocked (queue->bare, event);
  g_async_queue_unlock (queue->bare);
}

/* With the lock held: how many there are. */
static guint
get_length (S9wsAsyncQueue *queue)
{
  if (G_LIKELY (queue->bare == NULL))
    return queue->events.length;

  /* Negative where somebody waits for more. */
  return (guint) MAX (g_async_queue_length (queue->bare), 0);
}

void
s9ws_async_queue_clear (S9wsAsyncQueue *queue)
{
  S9wsEvent *event;

  g_mutex_lock (&queue->lock);
  while ((event = take_first (queue)) != NULL)
    s9ws_event_unref (event);
  g_mutex_unlock (&queue->lock);
}

void
s9ws_async_queue_unref (S9wsAsyncQueue *queue)
{
  if (!g_atomic_ref_count_dec (&queue->ref_count))
    return;

  s9ws_async_queue_clear (queue);
  g_clear_pointer (&queue->bare, g_async_queue_unref);
  s9ws_queue_budget_unref (queue->budget);
  s9ws_waker_close (&queue->event_waker);
  g_mutex_clear (&queue->lock);
  g_cond_clear (&queue->has_more);
  g_free (queue);
}

gboolean
s9ws_async_queue_prepare (S9wsAsyncQueue  *queue,
                          gssize           limit,
                          GError         **error)
{
  queue->budget->limit = limit;
  return s9ws_waker_open (&queue->budget->waker, error);
}

S9wsQueueBudget *
s9ws_async_queue_get_budget (S9wsAsyncQueue *queue)
{
  return queue->budget;
}

GAsyncQueue *
s9ws_async_queue_get_bare (S9wsAsyncQueue *queue)
{
  g_mutex_lock (&queue->lock);
  if (queue->bare == NULL)
    {
      queue->bare = g_async_queue_new ();
      append (queue, &queue->events);
    }
  g_mutex_unlock (&queue->lock);

  return queue->bare;
}

gboolean
s9ws_async_queue_has_ended (S9wsAsyncQueue *queue)
{
  gboolean has_ended;

  g_mutex_lock (&queue->lock);
  has_ended = queue->has_ended;
  g_mutex_unlock (&queue->lock);

  return has_ended;
}

/* With the lock held: readable while there are events, with a system call only where
 * that changes. */
static void
update_event_fd (S9wsAsyncQueue *queue)
{
  gboolean is_readable;

  if (G_LIKELY (queue->event_waker.read_fd < 0))
    return;

  is_readable = queue->has_ended || get_length (queue) > 0;
  if (is_readable == queue->is_readable)
    return;

  queue->is_readable = is_readable;
  if (is_readable)
    s9ws_waker_wake (&queue->event_waker);
  else
    s9ws_waker_reset (&queue->event_waker);
}

int
s9ws_async_queue_get_event_fd (S9wsAsyncQueue *queue)
{
  int fd;

  g_mutex_lock (&queue->lock);
  if (queue->event_waker.read_fd < 0 && s9ws_waker_open (&queue->event_waker, NULL))
    update_event_fd (queue);
  fd = queue->event_waker.read_fd;
  g_mutex_unlock (&queue->lock);

  return fd;
}

/* Once a batch: a source that has been told need not be told again. */
static void
wake_source (GSource      *source,
             GMainContext *context)
{
  if (g_atomic_int_compare_and_exchange (&((QueueSource *) source)->is_signalled, FALSE, TRUE))
    g_main_context_wakeup (context);
}

/* With the lock held, which it gives back: wakes the source if there is one. */
static void
unlock_and_wake (S9wsAsyncQueue *queue)
{
  g_autoptr (GSource) source = NULL;
  g_autoptr (GMainContext) context = NULL;

  if (queue->source != NULL)
    {
      source = g_source_ref (queue->source);
      context = g_main_context_ref (queue->context);
    }
  g_mutex_unlock (&queue->lock);

  if (source != NULL)
    wake_source (source, context);
}

guint
s9ws_async_queue_push (S9wsAsyncQueue *queue,
                       S9wsEventList  *events)
{
  gboolean is_one = events->length == 1;
  gboolean is_waited_for;
  guint length;

  if (events->first == NULL)
    return 0;

  s9ws_event_list_charge (events, queue->budget);
  g_mutex_lock (&queue->lock);
  append (queue, events);
  length = get_length (queue);
  is_waited_for = queue->n_waiting > 0;
  update_event_fd (queue);
  unlock_and_wake (queue);

  if (is_waited_for && is_one)
    g_cond_signal (&queue->has_more);
  else if (is_waited_for)
    g_cond_broadcast (&queue->has_more);
  return length;
}

/* With the lock held. */
static void
tell_end (S9wsAsyncQueue *queue)
{
  queue->has_ended = TRUE;
  g_cond_broadcast (&queue->has_more);
  /* A negative length counts those who wait in it. */
  if (queue->bare != NULL && g_async_queue_length (queue->bare) < 0)
    g_async_queue_push (queue->bare, s9ws_event_new (S9WS_EVENT_KIND_QUIT));
}

/* Gives the lock back. */
static S9wsEvent *
end_pop (S9wsAsyncQueue *queue,
         S9wsEvent      *event)
{
  if (event != NULL)
    {
      if (s9ws_event_get_kind (event) == S9WS_EVENT_KIND_QUIT)
        {
          /* Not the first: it is there to wake those who wait in the bare queue. */
          if (queue->has_ended)
            g_clear_pointer (&event, s9ws_event_unref);
          tell_end (queue);
        }
      update_event_fd (queue);
    }
  g_mutex_unlock (&queue->lock);

  if (event != NULL)
    s9ws_event_discharge (event);
  return event;
}

/* With the lock held: one that was not there at once, or NULL. */
static S9wsEvent *
wait_for_first (S9wsAsyncQueue *queue,
                gint64          timeout)
{
  gint64 end_time = timeout < 0 ? -1 : g_get_monotonic_time () + MIN (timeout, G_MAXINT64 / 2);
  S9wsEvent *event = NULL;

  queue->n_waiting++;
  while (event == NULL && !queue->has_ended && (end_time < 0 || g_get_monotonic_time () < end_time))
    {
      if (end_time < 0)
        g_cond_wait (&queue->has_more, &queue->lock);
      else
        g_cond_wait_until (&queue->has_more, &queue->lock, end_time);
      event = take_first (queue);
    }
  queue->n_waiting--;

  return event;
}

S9wsEvent *
s9ws_async_queue_pop (S9wsAsyncQueue *queue,
                      gint64          timeout)
{
  S9wsEvent *event;

  g_mutex_lock (&queue->lock);
  event = take_first (queue);
  if (event == NULL && timeout != 0)
    event = wait_for_first (queue, timeout);
  return end_pop (queue, event);
}

/* The source */

/* The flag is tested, not the queue's length: an event that others take off between
 * push and flag would leave the flag set for ever. */
static gboolean
source_prepare (GSource *source,
                int     *timeout)
{
  *timeout = -1;
  return g_atomic_int_get (&((QueueSource *) source)->is_signalled);
}

static gboolean
source_check (GSource *source)
{
  return g_atomic_int_get (&((QueueSource *) source)->is_signalled);
}

static void
step_back (QueueSource *source)
{
  g_source_set_priority (&source->source, PRIORITY_IN_FLOOD);
  g_source_set_ready_time (source->raiser, g_get_monotonic_time () + PATIENCE);
}

static void
step_forward (QueueSource *source)
{
  if (g_source_get_priority (&source->source) == PRIORITY)
    return;

  g_source_set_priority (&source->source, PRIORITY);
  g_source_set_ready_time (source->raiser, -1);
}

/* Where another thread emits still what was its turn before the client was attached here,
 * it wakes this source when it is done.  Loops within handlers may take turns. */
static gboolean
begin_emitting (QueueSource  *source,
                GThread     **outer)
{
  S9wsAsyncQueue *queue = source->queue;
  GThread *self = g_thread_self ();
  gboolean is_our_turn;

  g_mutex_lock (&queue->lock);
  *outer = queue->emitter;
  is_our_turn = queue->source == &source->source && (*outer == NULL || *outer == self);
  if (is_our_turn)
    queue->emitter = self;
  g_mutex_unlock (&queue->lock);

  return is_our_turn;
}

static void
end_emitting (QueueSource *source,
              GThread     *outer)
{
  S9wsAsyncQueue *queue = source->queue;

  g_mutex_lock (&queue->lock);
  queue->emitter = outer;
  if (queue->source == &source->source)
    g_mutex_unlock (&queue->lock);
  else
    unlock_and_wake (queue);
}

/* Nothing once another source has taken its place. */
static S9wsEvent *
pop_for_source (QueueSource *source)
{
  S9wsAsyncQueue *queue = source->queue;
  S9wsEvent *event = NULL;

  g_mutex_lock (&queue->lock);
  if (queue->source == &source->source)
    event = take_first (queue);
  return end_pop (queue, event);
}

/* The source has the last reference: nobody is there who could be told anything. */
static gboolean
is_dropped (GObject *object)
{
  return g_atomic_int_get (&object->ref_count) == 1;
}

/* TRUE if there may be more. */
static gboolean
emit_batch (QueueSource *source,
            GObject     *object)
{
  gint64 end = g_get_monotonic_time () + TIME_PER_DISPATCH;
  S9wsEvent *event;

  for (guint i = 0; i < EVENTS_PER_DISPATCH; i++)
    {
      event = pop_for_source (source);
      if (event == NULL)
        return FALSE;

      source->callback (object, event);
      s9ws_event_unref (event);

      /* The clock costs as much as an event: not for each. */
      if (is_dropped (object) || ((i % 16) == 15 && g_get_monotonic_time () >= end))
        break;
    }

  return TRUE;
}

static gboolean
source_dispatch (GSource     *source,
                 GSourceFunc  callback,
                 gpointer     user_data)
{
  QueueSource *queue_source = (QueueSource *) source;
  g_autoptr (GObject) object = g_weak_ref_get (&queue_source->object);
  gboolean has_more;
  GThread *outer;

  if (object == NULL)
    return G_SOURCE_REMOVE;

  g_atomic_int_set (&queue_source->is_signalled, FALSE);
  if (!begin_emitting (queue_source, &outer))
    return G_SOURCE_CONTINUE;

  has_more = emit_batch (queue_source, object);
  end_emitting (queue_source, outer);
  if (!has_more)
    {
      step_forward (queue_source);
      return G_SOURCE_CONTINUE;
    }

  /* Stay ready, but let others of the context have their turn. */
  g_atomic_int_set (&queue_source->is_signalled, TRUE);
  step_back (queue_source);
  return G_SOURCE_CONTINUE;
}

static void
source_finalize (GSource *source)
{
  QueueSource *queue_source = (QueueSource *) source;

  g_weak_ref_clear (&queue_source->object);
  g_source_unref (queue_source->raiser);
  s9ws_async_queue_unref (queue_source->queue);
}

static GSourceFuncs source_funcs = {
  .prepare = source_prepare,
  .check = source_check,
  .dispatch = source_dispatch,
  .finalize = source_finalize,
};

static gboolean
raiser_dispatch (GSource     *source,
                 GSourceFunc  callback,
                 gpointer     user_data)
{
  step_forward (user_data);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs raiser_funcs = {
  .dispatch = raiser_dispatch,
};

/* They hold each other until one is destroyed. */
static GSource *
create_raiser (QueueSource *source)
{
  source->raiser = g_source_new (&raiser_funcs, sizeof (GSource));
  g_source_set_static_name (source->raiser, "S9wsAsyncClient, in a flood");
  g_source_set_callback (source->raiser, NULL, g_source_ref (&source->source), (GDestroyNotify) g_source_unref);
  return g_source_ref (source->raiser);
}

/* Puts these in the place of what there is, which is destroyed; takes them over. */
static void
replace_source (S9wsAsyncQueue *queue,
                GSource        *source,
                GSource        *raiser,
                GMainContext   *context)
{
  GSource *old_source, *old_raiser;
  GMainContext *old_context;

  g_mutex_lock (&queue->lock);
  old_source = queue->source;
  old_raiser = queue->raiser;
  old_context = queue->context;
  queue->source = source;
  queue->raiser = raiser;
  queue->context = context;
  g_mutex_unlock (&queue->lock);

  if (old_source != NULL)
    {
      g_source_destroy (old_source);
      g_source_unref (old_source);
      g_source_destroy (old_raiser);
      g_source_unref (old_raiser);
      g_main_context_unref (old_context);
    }
}

void
s9ws_async_queue_attach (S9wsAsyncQueue *queue,
                         GMainContext   *context,
                         GObject        *object,
                         S9wsEventFunc   callback)
{
  GSource *source = g_source_new (&source_funcs, sizeof (QueueSource));
  QueueSource *queue_source = (QueueSource *) source;
  GSource *raiser = create_raiser (queue_source);

  g_source_set_static_name (source, "S9wsAsyncClient");
  queue_source->queue = s9ws_async_queue_ref (queue);
  queue_source->callback = callback;
  g_weak_ref_init (&queue_source->object, object);

  if (context == NULL)
    context = g_main_context_default ();

  /* It does nothing before it is told to. */
  g_source_attach (source, context);
  g_source_attach (raiser, context);
  g_source_ref (source);
  replace_source (queue, source, raiser, g_main_context_ref (context));

  /* For what has been queued before. */
  wake_source (source, context);
  g_source_unref (source);
}

void
s9ws_async_queue_detach (S9wsAsyncQueue *queue)
{
  replace_source (queue, NULL, NULL, NULL);
}

GMainContext *
s9ws_async_queue_dup_context (S9wsAsyncQueue *queue)
{
  GMainContext *context;

  g_mutex_lock (&queue->lock);
  context = queue->context != NULL ? g_main_context_ref (queue->context) : NULL;
  g_mutex_unlock (&queue->lock);

  return context;
}
