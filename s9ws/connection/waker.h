/* waker.h: a descriptor by which one thread ends another's wait
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Immutable once it is made: an eventfd, twice, or the two ends of a pipe. */
typedef struct
{
  int read_fd; /* what is waited for; -1: there is none */
  int write_fd;
} S9wsWaker;

#define S9WS_WAKER_INIT { -1, -1 }

/* FALSE with S9WS_ERROR_IO: there can be no more descriptors. */
gboolean s9ws_waker_open  (S9wsWaker  *waker,
                           GError    **error);
void     s9ws_waker_close (S9wsWaker  *waker);

/* Any thread: makes read_fd readable until it is reset. */
void s9ws_waker_wake  (S9wsWaker *waker);
void s9ws_waker_reset (S9wsWaker *waker);

G_END_DECLS
