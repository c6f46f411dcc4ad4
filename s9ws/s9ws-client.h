/* s9ws-client.h: what the three clients have in common
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#if !defined(S9WS_INSIDE) && !defined(S9WS_COMPILATION)
#error "Only <s9ws/s9ws.h> can be included directly."
#endif

#include <gio/gio.h>

#include "s9ws-end-report.h"
#include "s9ws-enums.h"
#include "s9ws-event.h"
#include "s9ws-handler.h"
#include "s9ws-options.h"

G_BEGIN_DECLS

#define S9WS_TYPE_STATS (s9ws_stats_get_type ())

typedef struct _S9wsStats S9wsStats;

/**
 * S9wsStats:
 * @bytes_received: bytes of payload in the messages received
 * @bytes_sent: bytes of payload in the messages sent
 * @messages_received: text and binary messages received
 * @messages_sent: text and binary messages sent, those still buffered included
 * @pings_received: pings received, each of which was answered
 * @pings_sent: pings sent
 * @pongs_received: pongs received
 * @pongs_sent: pongs sent, the answers to pings included
 * @reads: system calls that read, those that brought nothing included
 * @writes: system calls that wrote
 * @bytes_unsent: bytes of frames that were accepted but had not left when the
 *   connection ended
 * @messages_unsent: messages of the asynchronous client that its thread had not begun to
 *   send when the connection ended, or that were to be sent on one that never opened;
 *   those of which the socket had not taken all are in @bytes_unsent alone
 * @last_round_trip: µs between the last ping with a pong of the same payload and
 *   that pong, or -1 if there was none
 * @round_trips: pings that were answered by such a pong, those of
 *   [property@S9ws.Options:ping-interval] included
 * @tls_resumed: whether a session of [class@S9ws.TlsContext] was resumed, which spares
 *   the server's certificate and most of the time that a handshake takes
 * @compressed_messages_received: those of the messages received that were compressed
 * @compressed_messages_sent: those of the messages sent that were compressed
 * @compressed_bytes_received: bytes of payload in their frames, which are fewer than in
 *   the messages
 * @compressed_bytes_sent: likewise, of those sent
 *
 * What a client has done so far; see [method@S9ws.Client.get_stats].
 *
 * Since: 0.1
 */
struct _S9wsStats
{
  guint64 bytes_received;
  guint64 bytes_sent;
  guint64 messages_received;
  guint64 messages_sent;
  guint64 pings_received;
  guint64 pings_sent;
  guint64 pongs_received;
  guint64 pongs_sent;
  guint64 reads;
  guint64 writes;
  guint64 bytes_unsent;
  guint64 messages_unsent;
  gint64 last_round_trip;
  guint64 round_trips;
  gboolean tls_resumed;
  guint64 compressed_messages_received;
  guint64 compressed_messages_sent;
  guint64 compressed_bytes_received;
  guint64 compressed_bytes_sent;
};

S9WS_AVAILABLE_IN_0_1
GType      s9ws_stats_get_type (void) G_GNUC_CONST;
S9WS_AVAILABLE_IN_0_1
S9wsStats *s9ws_stats_copy     (const S9wsStats *stats);
S9WS_AVAILABLE_IN_0_1
void       s9ws_stats_free     (S9wsStats       *stats);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (S9wsStats, s9ws_stats_free)

#define S9WS_TYPE_CLIENT (s9ws_client_get_type ())
#define S9WS_CLIENT(instance) (G_TYPE_CHECK_INSTANCE_CAST ((instance), S9WS_TYPE_CLIENT, S9wsClient))
#define S9WS_IS_CLIENT(instance) (G_TYPE_CHECK_INSTANCE_TYPE ((instance), S9WS_TYPE_CLIENT))

typedef struct _S9wsClientClass S9wsClientClass;

S9WS_AVAILABLE_IN_0_1
GType s9ws_client_get_type (void) G_GNUC_CONST;

S9WS_AVAILABLE_IN_0_1
gboolean   s9ws_client_open        (S9wsClient           *client,
                                    GCancellable         *cancellable,
                                    GError              **error);
S9WS_AVAILABLE_IN_0_1
void       s9ws_client_open_async  (S9wsClient           *client,
                                    GCancellable         *cancellable,
                                    GAsyncReadyCallback   callback,
                                    gpointer              user_data);
S9WS_AVAILABLE_IN_0_1
gboolean   s9ws_client_open_finish (S9wsClient           *client,
                                    GAsyncResult         *result,
                                    GError              **error);
S9WS_AVAILABLE_IN_0_1
gboolean   s9ws_client_run         (S9wsClient           *client,
                                    GCancellable         *cancellable,
                                    GError              **error);
S9WS_AVAILABLE_IN_0_1
gboolean   s9ws_client_run_for     (S9wsClient           *client,
                                    guint64               duration,
                                    GCancellable         *cancellable,
                                    gboolean             *has_ended,
                                    GError              **error);
S9WS_AVAILABLE_IN_0_1
S9wsEvent *s9ws_client_receive     (S9wsClient           *client,
                                    gint64                timeout_us,
                                    GError              **error);

S9WS_AVAILABLE_IN_0_1
gboolean s9ws_client_send_text       (S9wsClient       *client,
                                      const char       *text,
                                      GError          **error);
S9WS_AVAILABLE_IN_0_1
gboolean s9ws_client_send_text_len   (S9wsClient       *client,
                                      const char       *text,
                                      gssize            length,
                                      GError          **error);
S9WS_AVAILABLE_IN_0_1
gboolean s9ws_client_send_text_bytes (S9wsClient       *client,
                                      GBytes           *text,
                                      GError          **error);
S9WS_AVAILABLE_IN_0_1
gboolean s9ws_client_send_binary     (S9wsClient       *client,
                                      const guint8     *data,
                                      gsize             length,
                                      GError          **error);
S9WS_AVAILABLE_IN_0_1
gboolean s9ws_client_send_bytes      (S9wsClient       *client,
                                      GBytes           *bytes,
                                      GError          **error);
S9WS_AVAILABLE_IN_0_1
gboolean s9ws_client_send_ping       (S9wsClient       *client,
                                      const guint8     *data,
                                      gsize             length,
                                      GError          **error);
S9WS_AVAILABLE_IN_0_1
gboolean s9ws_client_send_pong       (S9wsClient       *client,
                                      const guint8     *data,
                                      gsize             length,
                                      GError          **error);
S9WS_AVAILABLE_IN_0_1
gboolean s9ws_client_begin_message   (S9wsClient       *client,
                                      S9wsMessageKind   kind,
                                      GError          **error);
S9WS_AVAILABLE_IN_0_1
gboolean s9ws_client_append          (S9wsClient       *client,
                                      const guint8     *data,
                                      gsize             length,
                                      GError          **error);
S9WS_AVAILABLE_IN_0_1
gboolean s9ws_client_finish_message  (S9wsClient       *client,
                                      GError          **error);
S9WS_AVAILABLE_IN_0_1
gboolean s9ws_client_close           (S9wsClient       *client,
                                      guint             code,
                                      const char       *reason,
                                      GError          **error);
S9WS_AVAILABLE_IN_0_1
void     s9ws_client_force_quit      (S9wsClient       *client);

S9WS_AVAILABLE_IN_0_1
gboolean s9ws_client_get_compress (S9wsClient *client);
S9WS_AVAILABLE_IN_0_1
void     s9ws_client_set_compress (S9wsClient *client,
                                   gboolean    compress);

S9WS_AVAILABLE_IN_0_1
const char    *s9ws_client_get_uri              (S9wsClient  *client);
S9WS_AVAILABLE_IN_0_1
S9wsOptions   *s9ws_client_get_options          (S9wsClient  *client);
S9WS_AVAILABLE_IN_0_1
S9wsState      s9ws_client_get_state            (S9wsClient  *client);
S9WS_AVAILABLE_IN_0_1
const char    *s9ws_client_get_protocol         (S9wsClient  *client);
S9WS_AVAILABLE_IN_0_1
guint64        s9ws_client_get_buffered_amount  (S9wsClient  *client);
S9WS_AVAILABLE_IN_0_1
const char    *s9ws_client_get_response_header  (S9wsClient  *client,
                                                 const char  *name);
S9WS_AVAILABLE_IN_0_1
guint          s9ws_client_get_response_status  (S9wsClient  *client);
S9WS_AVAILABLE_IN_0_1
GBytes        *s9ws_client_get_response_body    (S9wsClient  *client);
S9WS_AVAILABLE_IN_0_1
int            s9ws_client_get_fd               (S9wsClient  *client);
S9WS_AVAILABLE_IN_0_1
GSocket       *s9ws_client_get_socket           (S9wsClient  *client);
S9WS_AVAILABLE_IN_0_1
gpointer       s9ws_client_get_tls_session      (S9wsClient  *client);
S9WS_AVAILABLE_IN_0_1
const char    *s9ws_client_get_tls_version      (S9wsClient  *client);
S9WS_AVAILABLE_IN_0_1
const char    *s9ws_client_get_tls_cipher       (S9wsClient  *client);
S9WS_AVAILABLE_IN_0_1
const char    *s9ws_client_get_peer_certificate (S9wsClient  *client);
S9WS_AVAILABLE_IN_0_1
S9wsStats     *s9ws_client_get_stats            (S9wsClient  *client);
S9WS_AVAILABLE_IN_0_1
S9wsEndReport *s9ws_client_get_end_report       (S9wsClient  *client);
S9WS_AVAILABLE_IN_0_1
void           s9ws_client_set_handler          (S9wsClient  *client,
                                                 S9wsHandler *handler);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (S9wsClient, g_object_unref)

G_END_DECLS
