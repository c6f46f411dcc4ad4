/* s9ws-handler.c: the fast path for events
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-handler.h"

/**
 * S9wsHandler:
 *
 * An object whose virtual functions are called instead of a client's signals.
 *
 * A call costs a few nanoseconds where a signal costs some tens, nothing is
 * copied or allocated, and the exact bytes of a text are seen, U+0000 included.
 * Strings and arrays are lent for the duration of the call. Each virtual function
 * may be left out. They are called on the thread on which the signals would have
 * been emitted; see [method@S9ws.Client.set_handler].
 *
 * Since: 0.1
 */

G_DEFINE_INTERFACE (S9wsHandler, s9ws_handler, G_TYPE_OBJECT)

static void
s9ws_handler_default_init (S9wsHandlerInterface *iface)
{
}
