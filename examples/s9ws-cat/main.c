/* main.c: s9ws-cat, WebSocket messages from and to a terminal or a pipe
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include <fcntl.h>
#include <libintl.h>
#include <locale.h>
#include <signal.h>
#include <unistd.h>

#include "cat.h"

/* A socket must not become one of them. */
static void
ensure_standard_fds (void)
{
  int fd;

  do
    fd = open ("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO);

  if (fd >= 0)
    close (fd);
}

int
main (int    argc,
      char **argv)
{
  CatOptions options = { 0 };
  int status;

  ensure_standard_fds ();
  signal (SIGPIPE, SIG_IGN);
  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);

  if (cat_options_parse (&options, &argc, &argv, &status))
    status = cat_run (&options);
  cat_options_clear (&options);

  return status;
}
