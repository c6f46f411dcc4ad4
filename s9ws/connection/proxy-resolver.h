/* proxy-resolver.h: a resolver of the program's, made safe for GIO
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define S9WS_TYPE_PROXY_RESOLVER (s9ws_proxy_resolver_get_type ())

G_DECLARE_FINAL_TYPE (S9wsProxyResolver, s9ws_proxy_resolver, S9WS, PROXY_RESOLVER, GObject)

/* Asks @program on the thread that asks this one.  It may lack the asynchronous functions,
 * or never answer: whoever cancels is told so at once. */
GProxyResolver *s9ws_proxy_resolver_new (GProxyResolver *program);

G_END_DECLS
