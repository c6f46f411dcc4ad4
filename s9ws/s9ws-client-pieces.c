/* s9ws-client-pieces.c: messages that are sent in pieces
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-client-private.h"

/**
 * s9ws_client_begin_message:
 * @client: a client
 * @kind: what the message holds
 * @error: return location for a #GError
 *
 * Begins a message that is sent in pieces (RFC 6455, section 5.4), so that it need never
 * be had whole, nor its size be known.
 *
 * [method@S9ws.Client.append] sends a piece, at once;
 * [method@S9ws.Client.finish_message] ends the message. In between pings, pongs and
 * [method@S9ws.Client.close] are allowed; other messages fail with `G_IO_ERROR_PENDING`.
 * With [class@S9ws.AsyncClient] pieces may come from any thread, in the order in which they
 * are appended.
 *
 * Whether it is compressed is decided here, by [property@S9ws.Client:compress] and what the
 * server agreed to; [property@S9ws.Options:compression-threshold] does not matter.
 *
 * Returns: %TRUE; or %FALSE if no message was begun, with `G_IO_ERROR_PENDING` if another
 *   has been, %S9WS_ERROR_BUFFER_FULL if more than
 *   [property@S9ws.Options:max-buffered-amount] waits to be sent, %S9WS_ERROR_NOT_OPEN or
 *   %S9WS_ERROR_CONNECTION_CLOSED
 *
 * Since: 0.1
 */
gboolean
s9ws_client_begin_message (S9wsClient       *client,
                           S9wsMessageKind   kind,
                           GError          **error)
{
  g_return_val_if_fail (S9WS_IS_CLIENT (client), FALSE);
  g_return_val_if_fail (kind == S9WS_MESSAGE_KIND_TEXT || kind == S9WS_MESSAGE_KIND_BINARY, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return S9WS_CLIENT_GET_CLASS (client)->begin_message (client, kind == S9WS_MESSAGE_KIND_TEXT ? S9WS_OPCODE_TEXT : S9WS_OPCODE_BINARY,
                                                        error);
}

/**
 * s9ws_client_append:
 * @client: a client
 * @data: (array length=length) (element-type guint8) (nullable): the piece; %NULL if it is
 *   empty
 * @length: the number of bytes
 * @error: return location for a #GError
 *
 * Sends the next piece of the message that was begun with
 * [method@S9ws.Client.begin_message], as a frame of its own. An empty piece is not sent.
 *
 * A piece of a text may end within a character, which the next one must then go on with.
 * After a failure nothing of the piece has been sent and the message goes on: the same or
 * another piece may be appended.
 *
 * What the socket does not take is kept, as with [method@S9ws.Client.send_binary]. A message
 * that is larger than [property@S9ws.Options:max-buffered-amount] can be sent as fast as the
 * server takes it: [class@S9ws.BlockingClient] waits by itself; with the others,
 * %S9WS_ERROR_BUFFER_FULL says that the piece is to be appended again later.
 *
 * Returns: %TRUE; or %FALSE if nothing was sent, with %S9WS_ERROR_PROTOCOL if no message
 *   has begun, %S9WS_ERROR_INVALID_UTF8, %S9WS_ERROR_BUFFER_FULL, %S9WS_ERROR_NOT_OPEN or
 *   %S9WS_ERROR_CONNECTION_CLOSED
 *
 * Since: 0.1
 */
gboolean
s9ws_client_append (S9wsClient    *client,
                    const guint8  *data,
                    gsize          length,
                    GError       **error)
{
  g_return_val_if_fail (S9WS_IS_CLIENT (client), FALSE);
  g_return_val_if_fail (data != NULL || length == 0, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return S9WS_CLIENT_GET_CLASS (client)->append (client, data, length, error);
}

/**
 * s9ws_client_finish_message:
 * @client: a client
 * @error: return location for a #GError
 *
 * Ends the message that was begun with [method@S9ws.Client.begin_message]. It is empty if
 * nothing was appended.
 *
 * A text cannot end within a character. The message goes on after such a failure: either
 * the rest of the character is appended, or [method@S9ws.Client.close] is all that is left.
 *
 * Returns: %TRUE; or %FALSE if the message has not been ended, with %S9WS_ERROR_PROTOCOL if
 *   none has begun, %S9WS_ERROR_INVALID_UTF8, %S9WS_ERROR_NOT_OPEN or
 *   %S9WS_ERROR_CONNECTION_CLOSED
 *
 * Since: 0.1
 */
gboolean
s9ws_client_finish_message (S9wsClient  *client,
                            GError     **error)
{
  g_return_val_if_fail (S9WS_IS_CLIENT (client), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return S9WS_CLIENT_GET_CLASS (client)->finish_message (client, error);
}
