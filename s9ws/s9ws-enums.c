/* s9ws-enums.c: the enumerations' types
 *
 * Written by hand: glib-mkenums takes the digit in our prefix for a word's start.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-enums.h"

/* clang-format off */

G_DEFINE_ENUM_TYPE (S9wsState, s9ws_state,
                    G_DEFINE_ENUM_VALUE (S9WS_STATE_NEW, "new"),
                    G_DEFINE_ENUM_VALUE (S9WS_STATE_CONNECTING, "connecting"),
                    G_DEFINE_ENUM_VALUE (S9WS_STATE_OPEN, "open"),
                    G_DEFINE_ENUM_VALUE (S9WS_STATE_CLOSING, "closing"),
                    G_DEFINE_ENUM_VALUE (S9WS_STATE_CLOSED, "closed"))

G_DEFINE_ENUM_TYPE (S9wsWaitStrategy, s9ws_wait_strategy,
                    G_DEFINE_ENUM_VALUE (S9WS_WAIT_STRATEGY_DEFAULT, "default"),
                    G_DEFINE_ENUM_VALUE (S9WS_WAIT_STRATEGY_SPIN, "spin"),
                    G_DEFINE_ENUM_VALUE (S9WS_WAIT_STRATEGY_SLEEP, "sleep"),
                    G_DEFINE_ENUM_VALUE (S9WS_WAIT_STRATEGY_WAIT, "wait"),
                    G_DEFINE_ENUM_VALUE (S9WS_WAIT_STRATEGY_ADAPTIVE, "adaptive"))

G_DEFINE_ENUM_TYPE (S9wsEventKind, s9ws_event_kind,
                    G_DEFINE_ENUM_VALUE (S9WS_EVENT_KIND_ACTIVATED, "activated"),
                    G_DEFINE_ENUM_VALUE (S9WS_EVENT_KIND_TEXT_MESSAGE, "text-message"),
                    G_DEFINE_ENUM_VALUE (S9WS_EVENT_KIND_BINARY_MESSAGE, "binary-message"),
                    G_DEFINE_ENUM_VALUE (S9WS_EVENT_KIND_PING, "ping"),
                    G_DEFINE_ENUM_VALUE (S9WS_EVENT_KIND_PONG, "pong"),
                    G_DEFINE_ENUM_VALUE (S9WS_EVENT_KIND_CONNECTION_CLOSED, "connection-closed"),
                    G_DEFINE_ENUM_VALUE (S9WS_EVENT_KIND_ERROR, "error"),
                    G_DEFINE_ENUM_VALUE (S9WS_EVENT_KIND_QUIT, "quit"),
                    G_DEFINE_ENUM_VALUE (S9WS_EVENT_KIND_MESSAGE_PIECE, "message-piece"))

G_DEFINE_ENUM_TYPE (S9wsMessageKind, s9ws_message_kind,
                    G_DEFINE_ENUM_VALUE (S9WS_MESSAGE_KIND_TEXT, "text"),
                    G_DEFINE_ENUM_VALUE (S9WS_MESSAGE_KIND_BINARY, "binary"))

G_DEFINE_FLAGS_TYPE (S9wsPieceFlags, s9ws_piece_flags,
                     G_DEFINE_ENUM_VALUE (S9WS_PIECE_FIRST, "first"),
                     G_DEFINE_ENUM_VALUE (S9WS_PIECE_LAST, "last"),
                     G_DEFINE_ENUM_VALUE (S9WS_PIECE_TEXT, "text"))

G_DEFINE_ENUM_TYPE (S9wsEndInitiator, s9ws_end_initiator,
                    G_DEFINE_ENUM_VALUE (S9WS_END_INITIATOR_NOBODY, "nobody"),
                    G_DEFINE_ENUM_VALUE (S9WS_END_INITIATOR_LOCAL, "local"),
                    G_DEFINE_ENUM_VALUE (S9WS_END_INITIATOR_REMOTE, "remote"))

G_DEFINE_ENUM_TYPE (S9wsError, s9ws_error,
                    G_DEFINE_ENUM_VALUE (S9WS_ERROR_INVALID_URI, "invalid-uri"),
                    G_DEFINE_ENUM_VALUE (S9WS_ERROR_INVALID_CONFIGURATION, "invalid-configuration"),
                    G_DEFINE_ENUM_VALUE (S9WS_ERROR_CONNECT, "connect"),
                    G_DEFINE_ENUM_VALUE (S9WS_ERROR_TLS, "tls"),
                    G_DEFINE_ENUM_VALUE (S9WS_ERROR_HANDSHAKE, "handshake"),
                    G_DEFINE_ENUM_VALUE (S9WS_ERROR_PROTOCOL, "protocol"),
                    G_DEFINE_ENUM_VALUE (S9WS_ERROR_INVALID_UTF8, "invalid-utf8"),
                    G_DEFINE_ENUM_VALUE (S9WS_ERROR_MESSAGE_TOO_BIG, "message-too-big"),
                    G_DEFINE_ENUM_VALUE (S9WS_ERROR_TIMED_OUT, "timed-out"),
                    G_DEFINE_ENUM_VALUE (S9WS_ERROR_BUFFER_FULL, "buffer-full"),
                    G_DEFINE_ENUM_VALUE (S9WS_ERROR_NOT_OPEN, "not-open"),
                    G_DEFINE_ENUM_VALUE (S9WS_ERROR_CONNECTION_CLOSED, "connection-closed"),
                    G_DEFINE_ENUM_VALUE (S9WS_ERROR_SOCKET_UNAVAILABLE, "socket-unavailable"),
                    G_DEFINE_ENUM_VALUE (S9WS_ERROR_IO, "io"))
