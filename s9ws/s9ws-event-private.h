/* s9ws-event-private.h: events as they are made and counted
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "s9ws-event.h"

#include "connection/connection.h"
#include "connection/waker.h"

G_BEGIN_DECLS

/* How much is queued; shared by the queue and its events, since an event that was
 * taken off the bare GAsyncQueue is only seen again when it is freed. */
typedef struct
{
  gatomicrefcount ref_count;
  gssize bytes;   /* atomic: the I/O thread adds, whoever takes an event subtracts */
  gssize limit;   /* set before anything is queued; 0: none */
  S9wsWaker waker; /* opened before anything is queued; for when bytes fall to the limit */
} S9wsQueueBudget;

S9wsQueueBudget *s9ws_queue_budget_new     (void);
S9wsQueueBudget *s9ws_queue_budget_ref     (S9wsQueueBudget *budget);
void             s9ws_queue_budget_unref   (S9wsQueueBudget *budget);
gboolean         s9ws_queue_budget_is_full (S9wsQueueBudget *budget);

S9wsEvent *s9ws_event_new         (S9wsEventKind      kind);
S9wsEvent *s9ws_event_new_message (S9wsConnection    *connection,
                                   const S9wsMessage *message);
S9wsEvent *s9ws_event_new_closed  (guint              code,
                                   const char        *reason);
S9wsEvent *s9ws_event_new_error   (const GError      *error);

/* Counts the event while it is queued; once it has been taken off, no more. */
void s9ws_event_charge    (S9wsEvent       *event,
                           S9wsQueueBudget *budget);
void s9ws_event_discharge (S9wsEvent       *event);

/* A text in which U+0000 stands as U+FFFD: a copy, or NULL if @text has none. */
char *s9ws_text_without_nul (const char *text,
                             gsize       size);

/* Messages of at least this many bytes share the receive buffer instead of being
 * copied: as much as a quarter of the smallest block, so that a few small slices do
 * not keep much memory alive. */
#define S9WS_SHARED_MIN (16 * 1024)

G_END_DECLS
