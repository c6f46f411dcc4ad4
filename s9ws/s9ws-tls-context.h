/* s9ws-tls-context.h: trust, certificates and session tickets
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#if !defined(S9WS_INSIDE) && !defined(S9WS_COMPILATION)
#error "Only <s9ws/s9ws.h> can be included directly."
#endif

#include <glib-object.h>

#include "s9ws-version.h"

G_BEGIN_DECLS

#define S9WS_TYPE_TLS_CONTEXT (s9ws_tls_context_get_type ())

S9WS_AVAILABLE_IN_0_1
G_DECLARE_FINAL_TYPE (S9wsTlsContext, s9ws_tls_context, S9WS, TLS_CONTEXT, GObject)

S9WS_AVAILABLE_IN_0_1
S9wsTlsContext *s9ws_tls_context_new (void);

G_END_DECLS
