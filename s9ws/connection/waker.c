/* waker.c: a descriptor by which one thread ends another's wait
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "waker.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <unistd.h>
#ifdef HAVE_EVENTFD
#include <sys/eventfd.h>
#else
#include <fcntl.h>
#include <glib-unix.h>
#endif

#include "../s9ws-error.h"

#ifdef HAVE_EVENTFD
static gboolean
create (S9wsWaker *waker)
{
  waker->read_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  waker->write_fd = waker->read_fd;
  return waker->read_fd >= 0;
}
#else
static gboolean
create (S9wsWaker *waker)
{
  int fds[2];

  if (!g_unix_open_pipe (fds, FD_CLOEXEC, NULL))
    return FALSE;

  g_unix_set_fd_nonblocking (fds[0], TRUE, NULL);
  g_unix_set_fd_nonblocking (fds[1], TRUE, NULL);
  waker->read_fd = fds[0];
  waker->write_fd = fds[1];
  return TRUE;
}
#endif

gboolean
s9ws_waker_open (S9wsWaker  *waker,
                 GError    **error)
{
  if (create (waker))
    return TRUE;

  g_set_error (error, S9WS_ERROR, S9WS_ERROR_IO,
               _("What wakes the client’s thread could not be made: %s"), g_strerror (errno));
  return FALSE;
}

void
s9ws_waker_close (S9wsWaker *waker)
{
  if (waker->write_fd >= 0 && waker->write_fd != waker->read_fd)
    close (waker->write_fd);
  if (waker->read_fd >= 0)
    close (waker->read_fd);

  waker->read_fd = -1;
  waker->write_fd = -1;
}

/* A pipe that is full wakes, too. */
void
s9ws_waker_wake (S9wsWaker *waker)
{
  guint64 one = 1;

  while (write (waker->write_fd, &one, sizeof one) < 0 && errno == EINTR)
    ;
}

void
s9ws_waker_reset (S9wsWaker *waker)
{
  guint64 counts[64];
  gssize n;

  /* An eventfd has one number and then nothing, a pipe what was written to it. */
  do
    n = read (waker->read_fd, counts, sizeof counts);
  while (n == (gssize) sizeof counts || (n < 0 && errno == EINTR));
}
