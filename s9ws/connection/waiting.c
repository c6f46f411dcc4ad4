/* waiting.c: waiting for a socket, to the microsecond
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "waiting.h"

#include <poll.h>
#include <time.h>
#include <unistd.h>
#ifdef HAVE_TIMERFD
#include <sys/timerfd.h>
#endif

int
s9ws_resumption_open (void)
{
#ifdef HAVE_TIMERFD
  /* It never rings, but is cancelled where the time jumps, and is readable then. */
  const struct itimerspec never = { .it_value.tv_sec = G_MAXINT32 };
  int fd = timerfd_create (CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);

  if (fd >= 0 && timerfd_settime (fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) == 0)
    return fd;

  if (fd >= 0)
    close (fd);
#endif
  return -1;
}

short
s9ws_wait (int    fd,
           short  events,
           int    wake_fd,
           gint64 timeout)
{
  return s9ws_wait_or_resume (fd, events, wake_fd, -1, timeout);
}

short
s9ws_wait_or_resume (int    fd,
                     short  events,
                     int    wake_fd,
                     int    resume_fd,
                     gint64 timeout)
{
  struct pollfd fds[] = {
    { .fd = fd, .events = events },
    { .fd = wake_fd, .events = POLLIN },
    { .fd = resume_fd, .events = POLLIN },
  };
  short more = 0;
  guint64 n_rings;
  int n;

#ifdef HAVE_PPOLL
  struct timespec time = { .tv_sec = timeout / G_USEC_PER_SEC, .tv_nsec = timeout % G_USEC_PER_SEC * 1000 };

  n = ppoll (fds, G_N_ELEMENTS (fds), timeout < 0 ? NULL : &time, NULL);
#else
  n = poll (fds, G_N_ELEMENTS (fds), timeout < 0 ? -1 : (int) MIN ((timeout + 999) / 1000, G_MAXINT));
#endif

  if (n <= 0)
    return 0;

  if (fds[1].revents != 0)
    more |= S9WS_WAIT_WOKEN;
  if (fds[2].revents != 0)
    {
      /* What is read is of no interest; read it has to be, so that it is readable no more. */
      more |= S9WS_WAIT_RESUMED;
      if (read (resume_fd, &n_rings, sizeof n_rings) < 0)
        n_rings = 0;
    }

  return (short) (fds[0].revents | more);
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
