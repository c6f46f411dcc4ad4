/* draining.h: closing a socket so that what was sent last arrives
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Ends the stream, throws away what has arrived, and closes: unread bytes would turn
 * the end into a reset, which may overtake a close frame.  Never waits. */
void s9ws_drain_and_close (int fd);

G_END_DECLS
