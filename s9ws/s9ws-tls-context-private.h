/* s9ws-tls-context-private.h: the TLS context as a client reads it
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "s9ws-tls-context.h"

#include "connection/tls-transport.h"

G_BEGIN_DECLS

/* Loads once; from then on the same settings are shared by all.  NULL stands for the
 * default context of the process.  Any thread. */
S9wsTlsSettings *s9ws_tls_context_load (S9wsTlsContext  *context,
                                        GError         **error);

G_END_DECLS
