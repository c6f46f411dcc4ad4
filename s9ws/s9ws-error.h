/* s9ws-error.h: the error domain
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#if !defined(S9WS_INSIDE) && !defined(S9WS_COMPILATION)
#error "Only <s9ws/s9ws.h> can be included directly."
#endif

#include <glib.h>

#include "s9ws-version.h"

G_BEGIN_DECLS

/**
 * S9WS_ERROR:
 *
 * The error domain of S9ws; its codes are [error@S9ws.Error].
 *
 * Cancelling is reported as `G_IO_ERROR_CANCELLED`, and a call that is refused
 * because the same is already under way as `G_IO_ERROR_PENDING`.
 *
 * Since: 0.1
 */
#define S9WS_ERROR (s9ws_error_quark ())

/**
 * S9wsError:
 * @S9WS_ERROR_INVALID_URI: the URI is not one of a WebSocket server
 *   (RFC 6455, section 3)
 * @S9WS_ERROR_INVALID_CONFIGURATION: an option is out of its range, contradicts
 *   another, or names what is not there
 * @S9WS_ERROR_CONNECT: no connection to the host or its proxy
 * @S9WS_ERROR_TLS: the TLS handshake failed, the certificate was refused, or
 *   the TLS stream was broken or cut off
 * @S9WS_ERROR_HANDSHAKE: the server refused the upgrade or answered it wrongly
 *   (RFC 6455, section 4); the message carries the HTTP status
 * @S9WS_ERROR_PROTOCOL: the peer broke the protocol, or a value was passed that
 *   may not be sent
 * @S9WS_ERROR_INVALID_UTF8: text, received or to be sent, is not UTF-8
 * @S9WS_ERROR_MESSAGE_TOO_BIG: a message exceeds its limit
 * @S9WS_ERROR_TIMED_OUT: a timeout of the options expired
 * @S9WS_ERROR_BUFFER_FULL: sending would exceed [property@S9ws.Options:max-buffered-amount]
 * @S9WS_ERROR_NOT_OPEN: the client has not been opened yet
 * @S9WS_ERROR_CONNECTION_CLOSED: the connection is closing or has ended
 * @S9WS_ERROR_SOCKET_UNAVAILABLE: the socket could not be taken over or set up
 * @S9WS_ERROR_IO: reading from or writing to the socket failed
 *
 * The codes of `S9WS_ERROR`.
 *
 * Since: 0.1
 */
typedef enum
{
  S9WS_ERROR_INVALID_URI,
  S9WS_ERROR_INVALID_CONFIGURATION,
  S9WS_ERROR_CONNECT,
  S9WS_ERROR_TLS,
  S9WS_ERROR_HANDSHAKE,
  S9WS_ERROR_PROTOCOL,
  S9WS_ERROR_INVALID_UTF8,
  S9WS_ERROR_MESSAGE_TOO_BIG,
  S9WS_ERROR_TIMED_OUT,
  S9WS_ERROR_BUFFER_FULL,
  S9WS_ERROR_NOT_OPEN,
  S9WS_ERROR_CONNECTION_CLOSED,
  S9WS_ERROR_SOCKET_UNAVAILABLE,
  S9WS_ERROR_IO,
} S9wsError;

S9WS_AVAILABLE_IN_0_1
GQuark s9ws_error_quark (void);

G_END_DECLS
