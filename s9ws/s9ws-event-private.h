/* s9ws-event-private.h: events as they are made and counted
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "s9ws-event.h"

#include "connection/connection.h"
#include "connection/waker.h"

G_BEGIN_DECLS

#define S9WS_EVENT_CLASSES 9 /* of sizes */

/* How much is queued; shared by the queue and its events, since an event that was
 * taken off the bare GAsyncQueue is only seen again when it is freed.
 *
 * It also keeps the memory of events that have been freed: the I/O thread makes them and
 * others free them, which the C library's allocator does with a lock. */
typedef struct
{
  int ref_count;       /* atomic */
  gssize bytes;        /* atomic: the I/O thread adds, whoever takes an event subtracts */
  gssize limit;        /* set before anything is queued; 0: none */
  S9wsWaker waker;     /* opened before anything is queued; for when bytes fall to the limit */
  S9wsEvent *returned; /* atomic: whoever frees an event adds it, the I/O thread takes all */
  int returned_bytes;  /* atomic: how much that is, about */
  guint8 apart[64];    /* what is above is written by one thread, what is below by another */
  S9wsEvent *taken;    /* the I/O thread's, as the rest: those that it has taken ... */
  S9wsEvent *sorted[S9WS_EVENT_CLASSES]; /* ... and those of them that it has found too large or too small */
  int taken_bytes;     /* how much all of that is, about */
} S9wsQueueBudget;

S9wsQueueBudget *s9ws_queue_budget_new   (void);
void             s9ws_queue_budget_unref (S9wsQueueBudget *budget);
/* I/O thread: how much memory of events there is, in the queue or kept, in bytes. */
gsize s9ws_queue_budget_get_used (S9wsQueueBudget *budget);
/* I/O thread: gives back what is kept; with _end (), nothing is kept any more. */
void s9ws_queue_budget_trim (S9wsQueueBudget *budget);
void s9ws_queue_budget_end  (S9wsQueueBudget *budget);
/* @beyond: bytes past the limit that do not count.  Whoever waits until it is not full
 * any more is woken at the limit. */
gboolean s9ws_queue_budget_is_full (S9wsQueueBudget *budget,
                                    gssize           beyond);

/* Events in a row: they carry the links. */
typedef struct
{
  S9wsEvent *first; /* or NULL */
  S9wsEvent *last;  /* only where there is a first */
  guint length;
} S9wsEventList;

void       s9ws_event_list_append     (S9wsEventList *list,
                                       S9wsEvent     *event);
S9wsEvent *s9ws_event_list_take_first (S9wsEventList *list);
/* What is in @from goes behind what is in @list. */
void       s9ws_event_list_move       (S9wsEventList *list,
                                       S9wsEventList *from);
/* Gives the events up. */
void       s9ws_event_list_clear      (S9wsEventList *list);

S9wsEvent *s9ws_event_new (S9wsEventKind kind);
/* @budget: that of the queue that it is meant for, on the I/O thread; or NULL. */
S9wsEvent *s9ws_event_new_message (S9wsQueueBudget   *budget,
                                   S9wsConnection    *connection,
                                   const S9wsMessage *message);
S9wsEvent *s9ws_event_new_closed  (guint              code,
                                   const char        *reason);
S9wsEvent *s9ws_event_new_error   (const GError      *error);

/* Counts events while they are queued; once one has been taken off, no more. */
void s9ws_event_list_charge (S9wsEventList   *list,
                             S9wsQueueBudget *budget);
void s9ws_event_discharge   (S9wsEvent       *event);

/* A text in which U+0000 stands as U+FFFD: a copy, or NULL if @text has none. */
char *s9ws_text_without_nul (const char *text,
                             gsize       size);

/* Messages of at least this many bytes share the receive buffer instead of being
 * copied: as much as a quarter of the smallest block, so that a few small slices do
 * not keep much memory alive. */
#define S9WS_SHARED_MIN (16 * 1024)

G_END_DECLS
