/* draining.c: closing a socket so that what was sent last arrives
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "draining.h"

#include <sys/socket.h>
#include <unistd.h>

#define MAX_READS 64 /* a peer may go on sending for ever */

void
s9ws_drain_and_close (int fd)
{
  char scratch[16384];

  shutdown (fd, SHUT_WR);
  for (guint i = 0; i < MAX_READS; i++)
    if (recv (fd, scratch, sizeof scratch, MSG_DONTWAIT) <= 0)
      break;
  close (fd);
}
