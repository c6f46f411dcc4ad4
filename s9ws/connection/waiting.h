/* waiting.h: waiting for a socket, to the microsecond
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* None of poll ()'s bits. */
#define S9WS_WAIT_WOKEN 0x4000
#define S9WS_WAIT_RESUMED 0x2000

/* Waits until @fd (-1: none) is ready for @events or in error, @wake_fd (-1: none)
 * is readable, or @timeout µs have passed (-1: no bound).  Returns what @fd is ready
 * for, with S9WS_WAIT_WOKEN if it was @wake_fd. */
short s9ws_wait (int    fd,
                 short  events,
                 int    wake_fd,
                 gint64 timeout);

/* The same, but ends as well when the machine wakes from suspension, or its clock is set:
 * poll ()'s time has stood still meanwhile.  @resume_fd is what s9ws_resumption_open ()
 * returned, or -1. */
short s9ws_wait_or_resume (int    fd,
                           short  events,
                           int    wake_fd,
                           int    resume_fd,
                           gint64 timeout);

/* -1 where that cannot be told.  It is the caller's to close. */
int s9ws_resumption_open (void);

/* The shorter of @timeout (µs, -1: none) and the time until @deadline (monotonic µs,
 * 0: none). */
gint64 s9ws_wait_bound (gint64 timeout,
                        gint64 deadline);

G_END_DECLS
