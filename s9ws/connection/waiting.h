/* waiting.h: waiting for a socket, to the microsecond
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define S9WS_WAIT_WOKEN 0x4000 /* none of poll ()'s bits */

/* Waits until @fd (-1: none) is ready for @events or in error, @wake_fd (-1: none)
 * is readable, or @timeout µs have passed (-1: no bound).  Returns what @fd is ready
 * for, with S9WS_WAIT_WOKEN if it was @wake_fd. */
short s9ws_wait (int    fd,
                 short  events,
                 int    wake_fd,
                 gint64 timeout);

/* The shorter of @timeout (µs, -1: none) and the time until @deadline (monotonic µs,
 * 0: none). */
gint64 s9ws_wait_bound (gint64 timeout,
                        gint64 deadline);

G_END_DECLS
