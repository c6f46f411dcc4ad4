/* s9ws-options.h: how to connect, to wait and to limit
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#if !defined(S9WS_INSIDE) && !defined(S9WS_COMPILATION)
#error "Only <s9ws/s9ws.h> can be included directly."
#endif

#include <gio/gio.h>

#include "s9ws-enums.h"
#include "s9ws-tls-context.h"

G_BEGIN_DECLS

#define S9WS_TYPE_OPTIONS (s9ws_options_get_type ())

S9WS_AVAILABLE_IN_0_1
G_DECLARE_FINAL_TYPE (S9wsOptions, s9ws_options, S9WS, OPTIONS, GObject)

S9WS_AVAILABLE_IN_0_1
S9wsOptions *s9ws_options_new        (void);
S9WS_AVAILABLE_IN_0_1
gboolean     s9ws_options_set_header (S9wsOptions  *options,
                                      const char   *name,
                                      const char   *value,
                                      GError      **error);

G_END_DECLS
