/* s9ws-async-client.h: the client with a thread of its own
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#if !defined(S9WS_INSIDE) && !defined(S9WS_COMPILATION)
#error "Only <s9ws/s9ws.h> can be included directly."
#endif

#include "s9ws-client.h"
#include "s9ws-event.h"

G_BEGIN_DECLS

#define S9WS_TYPE_ASYNC_CLIENT (s9ws_async_client_get_type ())
#define S9WS_ASYNC_CLIENT(instance) (G_TYPE_CHECK_INSTANCE_CAST ((instance), S9WS_TYPE_ASYNC_CLIENT, S9wsAsyncClient))
#define S9WS_IS_ASYNC_CLIENT(instance) (G_TYPE_CHECK_INSTANCE_TYPE ((instance), S9WS_TYPE_ASYNC_CLIENT))

typedef struct _S9wsAsyncClient S9wsAsyncClient;
typedef struct _S9wsAsyncClientClass S9wsAsyncClientClass;

S9WS_AVAILABLE_IN_0_1
GType            s9ws_async_client_get_type (void) G_GNUC_CONST;
S9WS_AVAILABLE_IN_0_1
S9wsAsyncClient *s9ws_async_client_new      (const char  *uri,
                                             S9wsOptions *options);

S9WS_AVAILABLE_IN_0_1
gboolean     s9ws_async_client_start             (S9wsAsyncClient  *client,
                                                  GError          **error);
S9WS_AVAILABLE_IN_0_1
void         s9ws_async_client_attach            (S9wsAsyncClient  *client,
                                                  GMainContext     *context);
S9WS_AVAILABLE_IN_0_1
S9wsEvent   *s9ws_async_client_pop_event         (S9wsAsyncClient  *client);
S9WS_AVAILABLE_IN_0_1
S9wsEvent   *s9ws_async_client_try_pop_event     (S9wsAsyncClient  *client);
S9WS_AVAILABLE_IN_0_1
S9wsEvent   *s9ws_async_client_timeout_pop_event (S9wsAsyncClient  *client,
                                                  guint64           timeout_us);
S9WS_AVAILABLE_IN_0_1
GList       *s9ws_async_client_pop_events        (S9wsAsyncClient  *client,
                                                  guint             max,
                                                  gint64            timeout_us);
S9WS_AVAILABLE_IN_0_1
int          s9ws_async_client_get_event_fd      (S9wsAsyncClient  *client);
S9WS_AVAILABLE_IN_0_1
GAsyncQueue *s9ws_async_client_get_queue         (S9wsAsyncClient  *client);
S9WS_AVAILABLE_IN_0_1
void         s9ws_async_client_join              (S9wsAsyncClient  *client);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (S9wsAsyncClient, g_object_unref)

G_END_DECLS
