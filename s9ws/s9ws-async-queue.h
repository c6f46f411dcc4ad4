/* s9ws-async-queue.h: events on their way from the I/O thread to whoever takes them off
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "s9ws-event-private.h"

G_BEGIN_DECLS

/* Shared by the client and its I/O thread; reference-counted. */
typedef struct _S9wsAsyncQueue S9wsAsyncQueue;

S9wsAsyncQueue  *s9ws_async_queue_new        (void);
S9wsAsyncQueue  *s9ws_async_queue_ref        (S9wsAsyncQueue *queue);
void             s9ws_async_queue_unref      (S9wsAsyncQueue *queue);
S9wsQueueBudget *s9ws_async_queue_get_budget (S9wsAsyncQueue *queue);
/* From then on, all events go through it. */
GAsyncQueue     *s9ws_async_queue_get_bare   (S9wsAsyncQueue *queue);

/* Before anything is queued.  @limit: the bytes past which it counts as full; 0: never. */
gboolean s9ws_async_queue_prepare (S9wsAsyncQueue  *queue,
                                   gssize           limit,
                                   GError         **error);

/* I/O thread: takes all of @events under one lock and wakes the context once.  Returns how
 * many are queued then, or 0 if there was none. */
guint s9ws_async_queue_push (S9wsAsyncQueue *queue,
                             S9wsEventList  *events);

/* Any thread.  @timeout in µs, -1: no bound.  NULL once QUIT has been taken off. */
S9wsEvent *s9ws_async_queue_pop       (S9wsAsyncQueue *queue,
                                       gint64          timeout);
gboolean   s9ws_async_queue_has_ended (S9wsAsyncQueue *queue);
/* Readable while there are events, and after the end; -1 if there can be no more. */
int s9ws_async_queue_get_event_fd (S9wsAsyncQueue *queue);
/* Throws away what is queued. */
void s9ws_async_queue_clear (S9wsAsyncQueue *queue);

/* A source that calls @callback for each event, a bounded number a dispatch.  The
 * queue has at most one. */
typedef void (*S9wsEventFunc) (GObject   *object,
                               S9wsEvent *event);

void s9ws_async_queue_attach (S9wsAsyncQueue *queue,
                              GMainContext   *context,
                              GObject        *object,
                              S9wsEventFunc   callback);
/* The source's, or NULL. */
GMainContext *s9ws_async_queue_dup_context (S9wsAsyncQueue *queue);
/* Ends the source, once its object is going. */
void s9ws_async_queue_detach (S9wsAsyncQueue *queue);

G_END_DECLS
