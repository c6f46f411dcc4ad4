/* s9ws-async-thread-private.h: what the parts of an asynchronous client's thread share
 *
 * They are its opening, its loop, and what others have of it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "s9ws-async-thread.h"

#include "connection/sender.h"

G_BEGIN_DECLS

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

static inline gboolean
s9ws_async_thread_is_quitting (S9wsAsyncThread *thread)
{
  return g_cancellable_is_cancelled (thread->quit);
}

static inline void
s9ws_async_thread_set_state_locked (S9wsAsyncThread *thread,
                                    S9wsState        state)
{
  g_atomic_int_set (&thread->state, (int) state);
  g_cond_broadcast (&thread->changed);
}

/* Queues @events, or throws them away where nobody will take them off.  Returns how many are
 * queued then, or 0 if there was none. */
guint s9ws_async_thread_push_events (S9wsAsyncThread *thread,
                                     S9wsEventList   *events);
/* Once the connection, where there was one, has been hung up.  What was not sent by then
 * never will be. */
void s9ws_async_thread_report_end_locked (S9wsAsyncThread *thread,
                                          const GError    *error);

/* Only the first to come opens; others wait for what comes of it.  @is_own: on the I/O
 * thread. */
gboolean s9ws_async_thread_open_once (S9wsAsyncThread  *thread,
                                      gboolean          is_own,
                                      GError          **error);

/* I/O thread: until the connection, which is open, has ended. */
void s9ws_async_thread_run_loop (S9wsAsyncThread *thread);
/* The same where there is no such thread, so that nobody can read. */
void s9ws_async_thread_end_without_loop (S9wsAsyncThread *thread,
                                         const GError    *error);

G_END_DECLS
