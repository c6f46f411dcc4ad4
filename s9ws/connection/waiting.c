/* waiting.c: waiting for a socket, to the microsecond
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "waiting.h"

#include <poll.h>
#include <time.h>

short
s9ws_wait (int    fd,
           short  events,
           int    wake_fd,
           gint64 timeout)
{
  struct pollfd fds[] = { { .fd = fd, .events = events }, { .fd = wake_fd, .events = POLLIN } };
  int n;

#ifdef HAVE_PPOLL
  struct timespec time = { .tv_sec = timeout / G_USEC_PER_SEC, .tv_nsec = timeout % G_USEC_PER_SEC * 1000 };

  n = ppoll (fds, G_N_ELEMENTS (fds), timeout < 0 ? NULL : &time, NULL);
#else
  n = poll (fds, G_N_ELEMENTS (fds), timeout < 0 ? -1 : (int) MIN ((timeout + 999) / 1000, G_MAXINT));
#endif

  if (n <= 0)
    return 0;

  return (short) (fds[0].revents | (fds[1].revents != 0 ? S9WS_WAIT_WOKEN : 0));
}

gint64
s9ws_wait_bound (gint64 timeout,
                 gint64 deadline)
{
  gint64 rest;

  if (deadline == 0)
    return timeout;

  rest = MAX (deadline - g_get_monotonic_time (), 0);
  return timeout < 0 ? rest : MIN (rest, timeout);
}
