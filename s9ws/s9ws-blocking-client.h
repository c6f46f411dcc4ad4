/* s9ws-blocking-client.h: the client that blocks its caller's thread
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#if !defined(S9WS_INSIDE) && !defined(S9WS_COMPILATION)
#error "Only <s9ws/s9ws.h> can be included directly."
#endif

#include "s9ws-client.h"

G_BEGIN_DECLS

#define S9WS_TYPE_BLOCKING_CLIENT (s9ws_blocking_client_get_type ())
#define S9WS_BLOCKING_CLIENT(instance) (G_TYPE_CHECK_INSTANCE_CAST ((instance), S9WS_TYPE_BLOCKING_CLIENT, S9wsBlockingClient))
#define S9WS_IS_BLOCKING_CLIENT(instance) (G_TYPE_CHECK_INSTANCE_TYPE ((instance), S9WS_TYPE_BLOCKING_CLIENT))

typedef struct _S9wsBlockingClient S9wsBlockingClient;
typedef struct _S9wsBlockingClientClass S9wsBlockingClientClass;

S9WS_AVAILABLE_IN_0_1
GType               s9ws_blocking_client_get_type (void) G_GNUC_CONST;
S9WS_AVAILABLE_IN_0_1
S9wsBlockingClient *s9ws_blocking_client_new      (const char  *uri,
                                                   S9wsOptions *options);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (S9wsBlockingClient, g_object_unref)

G_END_DECLS
