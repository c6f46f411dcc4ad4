/* signals.c: the signals that ask s9ws-cat to end
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "signals.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <unistd.h>

static int fds[2] = { -1, -1 };
static volatile sig_atomic_t caught;

static void
on_signal (int number)
{
  int saved_errno = errno;
  gssize n;

  caught = number;
  n = write (fds[1], "", 1);
  (void) n;
  errno = saved_errno;
}

int
cat_signals_catch (void)
{
  struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND | SA_RESTART };

  /* Without a pipe it ends as programs do that catch nothing. */
  if (!g_unix_open_pipe (fds, FD_CLOEXEC, NULL))
    return -1;

  sigemptyset (&action.sa_mask);
  sigaction (SIGINT, &action, NULL);
  sigaction (SIGTERM, &action, NULL);
  return fds[0];
}

int
cat_signals_get_caught (void)
{
  return caught;
}

void
cat_signals_die (int signal_number)
{
  if (signal_number == 0)
    return;

  signal (signal_number, SIG_DFL);
  raise (signal_number);
}
