/* s9ws-handler.h: the fast path for events
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#if !defined(S9WS_INSIDE) && !defined(S9WS_COMPILATION)
#error "Only <s9ws/s9ws.h> can be included directly."
#endif

#include <glib-object.h>

#include "s9ws-enums.h"
#include "s9ws-version.h"

G_BEGIN_DECLS

typedef struct _S9wsClient S9wsClient;

#define S9WS_TYPE_HANDLER (s9ws_handler_get_type ())

S9WS_AVAILABLE_IN_0_1
G_DECLARE_INTERFACE (S9wsHandler, s9ws_handler, S9WS, HANDLER, GObject)

/**
 * S9wsHandlerInterface:
 * @activated: called once, when the connection is open and before the first read
 * @poll: called in each turn of the loop, before the read; not by
 *   [class@S9ws.AsyncClient]
 * @idle: called in a turn in which the socket had nothing; not by
 *   [class@S9ws.AsyncClient]
 * @text_message: called with a text message
 * @binary_message: called with a binary message
 * @ping: called with a ping, after the pong to it has been sent
 * @pong: called with a pong
 * @connection_closed: called once, where the connection had opened and ended by
 *   a close or by loss
 * @error: called once, where something failed
 * @quit: called once, always last
 * @message_piece: called with a piece of a message, instead of @text_message and
 *   @binary_message, if [property@S9ws.Options:max-piece-size] is set
 *
 * The virtual functions of [iface@S9ws.Handler]. Each may be left out.
 *
 * Strings and arrays are lent for the duration of the call and point straight
 * into the receive buffer.
 *
 * Since: 0.1
 */
struct _S9wsHandlerInterface
{
  GTypeInterface parent_iface;

  /**
   * S9wsHandlerInterface::activated:
   * @handler: a handler
   * @client: the client
   *
   * The connection is open; nothing has been read from it yet.
   *
   * Since: 0.1
   */
  void (*activated) (S9wsHandler *handler,
                     S9wsClient  *client);

  /**
   * S9wsHandlerInterface::poll:
   * @handler: a handler
   * @client: the client
   *
   * A turn of the loop begins; the read comes next.
   *
   * Since: 0.1
   */
  void (*poll) (S9wsHandler *handler,
                S9wsClient  *client);

  /**
   * S9wsHandlerInterface::idle:
   * @handler: a handler
   * @client: the client
   *
   * The socket had nothing in this turn.
   *
   * Since: 0.1
   */
  void (*idle) (S9wsHandler *handler,
                S9wsClient  *client);

  /**
   * S9wsHandlerInterface::text_message:
   * @handler: a handler
   * @client: the client
   * @text: the message, NUL-terminated UTF-8 that may hold U+0000
   * @length: the length of @text in bytes
   *
   * A text message has come.
   *
   * Since: 0.1
   */
  void (*text_message) (S9wsHandler *handler,
                        S9wsClient  *client,
                        const char  *text,
                        gsize        length);

  /**
   * S9wsHandlerInterface::binary_message:
   * @handler: a handler
   * @client: the client
   * @data: (array length=length) (element-type guint8): the message
   * @length: the length of @data in bytes
   *
   * A binary message has come.
   *
   * Since: 0.1
   */
  void (*binary_message) (S9wsHandler  *handler,
                          S9wsClient   *client,
                          const guint8 *data,
                          gsize         length);

  /**
   * S9wsHandlerInterface::ping:
   * @handler: a handler
   * @client: the client
   * @data: (array length=length) (element-type guint8): the payload
   * @length: the length of @data in bytes, at most 125
   *
   * A ping has come; the pong has been sent.
   *
   * Since: 0.1
   */
  void (*ping) (S9wsHandler  *handler,
                S9wsClient   *client,
                const guint8 *data,
                gsize         length);

  /**
   * S9wsHandlerInterface::pong:
   * @handler: a handler
   * @client: the client
   * @data: (array length=length) (element-type guint8): the payload
   * @length: the length of @data in bytes, at most 125
   *
   * A pong has come.
   *
   * Since: 0.1
   */
  void (*pong) (S9wsHandler  *handler,
                S9wsClient   *client,
                const guint8 *data,
                gsize         length);

  /**
   * S9wsHandlerInterface::connection_closed:
   * @handler: a handler
   * @client: the client
   * @code: the close code (RFC 6455, section 7.4)
   * @reason: (nullable): the reason, %NULL if none was given
   *
   * The connection had opened and has ended.
   *
   * Since: 0.1
   */
  void (*connection_closed) (S9wsHandler *handler,
                             S9wsClient  *client,
                             guint        code,
                             const char  *reason);

  /**
   * S9wsHandlerInterface::error:
   * @handler: a handler
   * @client: the client
   * @error: what failed
   *
   * Something failed.
   *
   * Since: 0.1
   */
  void (*error) (S9wsHandler  *handler,
                 S9wsClient   *client,
                 const GError *error);

  /**
   * S9wsHandlerInterface::quit:
   * @handler: a handler
   * @client: the client
   *
   * The last call, whatever the end was.
   *
   * Since: 0.1
   */
  void (*quit) (S9wsHandler *handler,
                S9wsClient  *client);

  /**
   * S9wsHandlerInterface::message_piece:
   * @handler: a handler
   * @client: the client
   * @data: (array length=length) (element-type guint8): the piece; not terminated, and of
   *   a text maybe ending within a character
   * @length: the length of @data in bytes; it may be 0
   * @flags: where in its message it stands
   *
   * A piece of a message has come.
   *
   * Since: 0.1
   */
  void (*message_piece) (S9wsHandler    *handler,
                         S9wsClient     *client,
                         const guint8   *data,
                         gsize           length,
                         S9wsPieceFlags  flags);
};

G_END_DECLS
