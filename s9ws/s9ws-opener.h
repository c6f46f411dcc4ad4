/* s9ws-opener.h: from a URI to an open connection
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "s9ws-options-private.h"

G_BEGIN_DECLS

/* Dials, does the handshakes and follows redirects, blocking until the connection is open,
 * @quit is cancelled or something fails.  @connection is set once there was an upgrade to
 * answer, also with FALSE: what the server said can be read from it then.
 * @settings must outlive it. */
gboolean s9ws_open_connection (const char          *uri,
                               const S9wsSettings  *settings,
                               GCancellable        *quit,
                               S9wsConnection     **connection,
                               GError             **error);

G_END_DECLS
