/* plain-transport.h: a transport on a bare socket
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "transport.h"

G_BEGIN_DECLS

/* Takes the descriptor over. */
S9wsTransport *s9ws_plain_transport_new (int fd);

G_END_DECLS
