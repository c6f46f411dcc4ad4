/* s9ws-enums.h: the enumerations
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#if !defined(S9WS_INSIDE) && !defined(S9WS_COMPILATION)
#error "Only <s9ws/s9ws.h> can be included directly."
#endif

#include <glib-object.h>

#include "s9ws-error.h"
#include "s9ws-version.h"

G_BEGIN_DECLS

/**
 * S9wsState:
 * @S9WS_STATE_NEW: not opened yet
 * @S9WS_STATE_CONNECTING: dialling, in the TLS handshake or in the upgrade
 * @S9WS_STATE_OPEN: messages can be sent and received
 * @S9WS_STATE_CLOSING: the closing handshake has begun (RFC 6455, section 7)
 * @S9WS_STATE_CLOSED: ended, or never opened because opening failed
 *
 * Where in its life a client is. It only ever moves on.
 *
 * Since: 0.1
 */
typedef enum
{
  S9WS_STATE_NEW,
  S9WS_STATE_CONNECTING,
  S9WS_STATE_OPEN,
  S9WS_STATE_CLOSING,
  S9WS_STATE_CLOSED,
} S9wsState;

/**
 * S9wsWaitStrategy:
 * @S9WS_WAIT_STRATEGY_DEFAULT: on [class@S9ws.NonBlockingClient]
 *   %S9WS_WAIT_STRATEGY_SPIN, or %S9WS_WAIT_STRATEGY_SLEEP if
 *   [property@S9ws.Options:spin-wait-duration] is set; on
 *   [class@S9ws.AsyncClient] %S9WS_WAIT_STRATEGY_WAIT
 * @S9WS_WAIT_STRATEGY_SPIN: read again at once: the lowest latency, for the
 *   price of one core
 * @S9WS_WAIT_STRATEGY_SLEEP: sleep for `spin-wait-duration`, then read: a fixed
 *   cost, and up to that much latency
 * @S9WS_WAIT_STRATEGY_WAIT: wait until the socket is readable or the next timer
 *   is due, at most for `spin-wait-duration` if it is set: next to no CPU
 * @S9WS_WAIT_STRATEGY_ADAPTIVE: spin for `spin-wait-duration` (50 µs if it is 0)
 *   after the last byte, then wait without a bound: a spinning client's latency
 *   within a burst, an idle one's CPU outside it
 *
 * What a client does when its socket has nothing to read.
 *
 * Since: 0.1
 */
typedef enum
{
  S9WS_WAIT_STRATEGY_DEFAULT,
  S9WS_WAIT_STRATEGY_SPIN,
  S9WS_WAIT_STRATEGY_SLEEP,
  S9WS_WAIT_STRATEGY_WAIT,
  S9WS_WAIT_STRATEGY_ADAPTIVE,
} S9wsWaitStrategy;

/**
 * S9wsEventKind:
 * @S9WS_EVENT_KIND_ACTIVATED: the connection is open
 * @S9WS_EVENT_KIND_TEXT_MESSAGE: a text message
 * @S9WS_EVENT_KIND_BINARY_MESSAGE: a binary message
 * @S9WS_EVENT_KIND_PING: a ping, which has been answered
 * @S9WS_EVENT_KIND_PONG: a pong
 * @S9WS_EVENT_KIND_CONNECTION_CLOSED: the connection ended by a close or by loss
 * @S9WS_EVENT_KIND_ERROR: something failed
 * @S9WS_EVENT_KIND_QUIT: the last event, whatever the end was
 * @S9WS_EVENT_KIND_MESSAGE_PIECE: a piece of a message, with
 *   [property@S9ws.Options:max-piece-size]
 *
 * What a [struct@S9ws.Event] tells of.
 *
 * Since: 0.1
 */
typedef enum
{
  S9WS_EVENT_KIND_ACTIVATED,
  S9WS_EVENT_KIND_TEXT_MESSAGE,
  S9WS_EVENT_KIND_BINARY_MESSAGE,
  S9WS_EVENT_KIND_PING,
  S9WS_EVENT_KIND_PONG,
  S9WS_EVENT_KIND_CONNECTION_CLOSED,
  S9WS_EVENT_KIND_ERROR,
  S9WS_EVENT_KIND_QUIT,
  S9WS_EVENT_KIND_MESSAGE_PIECE,
} S9wsEventKind;

/**
 * S9wsEndInitiator:
 * @S9WS_END_INITIATOR_NOBODY: neither side: the connection was lost or given up for lost,
 *   or never came to be
 * @S9WS_END_INITIATOR_LOCAL: this side, by [method@S9ws.Client.close] or
 *   [method@S9ws.Client.force_quit], by being cancelled, or because the server broke the
 *   protocol
 * @S9WS_END_INITIATOR_REMOTE: the server, by a close frame or by ending the stream
 *   without one
 *
 * Who ended a connection first.
 *
 * Since: 0.1
 */
typedef enum
{
  S9WS_END_INITIATOR_NOBODY,
  S9WS_END_INITIATOR_LOCAL,
  S9WS_END_INITIATOR_REMOTE,
} S9wsEndInitiator;

/**
 * S9wsMessageKind:
 * @S9WS_MESSAGE_KIND_TEXT: UTF-8
 * @S9WS_MESSAGE_KIND_BINARY: any bytes
 *
 * What a message that is sent in pieces holds (RFC 6455, section 5.6).
 *
 * Since: 0.1
 */
typedef enum
{
  S9WS_MESSAGE_KIND_TEXT,
  S9WS_MESSAGE_KIND_BINARY,
} S9wsMessageKind;

/**
 * S9wsPieceFlags:
 * @S9WS_PIECE_FIRST: a message begins with this piece
 * @S9WS_PIECE_LAST: the message ends with this piece, which may be empty
 * @S9WS_PIECE_TEXT: the message is a text. Its pieces are valid UTF-8 one behind another;
 *   one by one they may end within a character
 *
 * Where in a message a piece stands. A message of one piece has both %S9WS_PIECE_FIRST
 * and %S9WS_PIECE_LAST.
 *
 * Since: 0.1
 */
typedef enum /*< flags >*/
{
  S9WS_PIECE_FIRST = 1 << 0,
  S9WS_PIECE_LAST = 1 << 1,
  S9WS_PIECE_TEXT = 1 << 2,
} S9wsPieceFlags;

#define S9WS_TYPE_STATE (s9ws_state_get_type ())
#define S9WS_TYPE_WAIT_STRATEGY (s9ws_wait_strategy_get_type ())
#define S9WS_TYPE_EVENT_KIND (s9ws_event_kind_get_type ())
#define S9WS_TYPE_END_INITIATOR (s9ws_end_initiator_get_type ())
#define S9WS_TYPE_MESSAGE_KIND (s9ws_message_kind_get_type ())
#define S9WS_TYPE_PIECE_FLAGS (s9ws_piece_flags_get_type ())
#define S9WS_TYPE_ERROR (s9ws_error_get_type ())

S9WS_AVAILABLE_IN_0_1
GType s9ws_state_get_type         (void) G_GNUC_CONST;
S9WS_AVAILABLE_IN_0_1
GType s9ws_wait_strategy_get_type (void) G_GNUC_CONST;
S9WS_AVAILABLE_IN_0_1
GType s9ws_event_kind_get_type    (void) G_GNUC_CONST;
S9WS_AVAILABLE_IN_0_1
GType s9ws_end_initiator_get_type (void) G_GNUC_CONST;
S9WS_AVAILABLE_IN_0_1
GType s9ws_message_kind_get_type  (void) G_GNUC_CONST;
S9WS_AVAILABLE_IN_0_1
GType s9ws_piece_flags_get_type   (void) G_GNUC_CONST;
S9WS_AVAILABLE_IN_0_1
GType s9ws_error_get_type         (void) G_GNUC_CONST;

G_END_DECLS
