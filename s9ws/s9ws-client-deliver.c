/* s9ws-client-deliver.c: events on their way to signals or to the handler
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-client-private.h"

#include "s9ws-event-private.h"

enum
{
  ACTIVATED,
  POLL,
  IDLE,
  TEXT_MESSAGE,
  BINARY_MESSAGE,
  PING,
  PONG,
  CONNECTION_CLOSED,
  ERROR,
  QUIT,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

/* No class closure, no accumulator, and marshallers of their own: each of them would
 * cost more than the emission itself. */
static guint
add_signal (S9wsClientClass         *klass,
            const char              *name,
            GSignalCMarshaller       marshaller,
            GSignalCVaMarshaller     va_marshaller,
            GType                    type)
{
  GType types[] = { type };
  guint id = g_signal_newv (name, G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, NULL, NULL, NULL,
                            marshaller, G_TYPE_NONE, type != G_TYPE_NONE, types);

  g_signal_set_va_marshaller (id, G_TYPE_FROM_CLASS (klass), va_marshaller);
  return id;
}

static guint
add_plain_signal (S9wsClientClass *klass,
                  const char      *name)
{
  return add_signal (klass, name, g_cclosure_marshal_VOID__VOID, g_cclosure_marshal_VOID__VOIDv, G_TYPE_NONE);
}

static guint
add_boxed_signal (S9wsClientClass *klass,
                  const char      *name,
                  GType            type)
{
  return add_signal (klass, name, g_cclosure_marshal_VOID__BOXED, g_cclosure_marshal_VOID__BOXEDv,
                     type | G_SIGNAL_TYPE_STATIC_SCOPE);
}

void
s9ws_client_install_signals (S9wsClientClass *klass)
{
  /**
   * S9wsClient::activated:
   * @client: the client
   *
   * Emitted once, when the connection is open and before the first read.
   *
   * Since: 0.1
   */
  signals[ACTIVATED] = add_plain_signal (klass, "activated");

  /**
   * S9wsClient::poll:
   * @client: the client
   *
   * Emitted in each turn of the loop, before the read; not by
   * [class@S9ws.AsyncClient].
   *
   * Since: 0.1
   */
  signals[POLL] = add_plain_signal (klass, "poll");

  /**
   * S9wsClient::idle:
   * @client: the client
   *
   * Emitted in a turn in which the socket had nothing; not by
   * [class@S9ws.AsyncClient].
   *
   * Since: 0.1
   */
  signals[IDLE] = add_plain_signal (klass, "idle");

  /**
   * S9wsClient::text-message:
   * @client: the client
   * @text: the message, lent for the duration of the emission
   *
   * Emitted for each text message. U+0000, which a string cannot hold, is replaced by
   * U+FFFD; a [iface@S9ws.Handler] sees the exact bytes.
   *
   * Since: 0.1
   */
  signals[TEXT_MESSAGE] = add_signal (klass, "text-message", g_cclosure_marshal_VOID__STRING,
                                      g_cclosure_marshal_VOID__STRINGv,
                                      G_TYPE_STRING | G_SIGNAL_TYPE_STATIC_SCOPE);

  /**
   * S9wsClient::binary-message:
   * @client: the client
   * @data: the message; it may be kept by taking a reference
   *
   * Emitted for each binary message.
   *
   * Since: 0.1
   */
  signals[BINARY_MESSAGE] = add_boxed_signal (klass, "binary-message", G_TYPE_BYTES);

  /**
   * S9wsClient::ping:
   * @client: the client
   * @data: the payload; it may be kept by taking a reference
   *
   * Emitted for each ping. The pong has already been sent.
   *
   * Since: 0.1
   */
  signals[PING] = add_boxed_signal (klass, "ping", G_TYPE_BYTES);

  /**
   * S9wsClient::pong:
   * @client: the client
   * @data: the payload; it may be kept by taking a reference
   *
   * Emitted for each pong.
   *
   * Since: 0.1
   */
  signals[PONG] = add_boxed_signal (klass, "pong", G_TYPE_BYTES);

  /**
   * S9wsClient::connection-closed:
   * @client: the client
   * @code: the close code (RFC 6455, section 7.4); 1005 if the server gave none, 1006
   *   if the connection was lost or the server did not answer a close
   * @reason: (nullable): the reason that the server gave
   *
   * Emitted once, where the connection had opened and ended by a close or by loss.
   *
   * Since: 0.1
   */
  signals[CONNECTION_CLOSED] = g_signal_new ("connection-closed", G_TYPE_FROM_CLASS (klass),
                                             G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                             G_TYPE_NONE, 2, G_TYPE_UINT,
                                             G_TYPE_STRING | G_SIGNAL_TYPE_STATIC_SCOPE);

  /**
   * S9wsClient::error:
   * @client: the client
   * @error: what failed
   *
   * Emitted once, where something failed.
   *
   * Since: 0.1
   */
  signals[ERROR] = add_boxed_signal (klass, "error", G_TYPE_ERROR);

  /**
   * S9wsClient::quit:
   * @client: the client
   *
   * Emitted once, always last, whatever the end was.
   *
   * Since: 0.1
   */
  signals[QUIT] = add_plain_signal (klass, "quit");
}

void
s9ws_client_begin_delivery (S9wsClient *client)
{
  client->delivery_depth++;
}

void
s9ws_client_end_delivery (S9wsClient *client)
{
  if (--client->delivery_depth == 0)
    g_clear_pointer (&client->retired_handlers, g_ptr_array_unref);
}

#define DELIVER_PLAIN(client, function, signal) \
  G_STMT_START \
  { \
    if ((client)->handler_iface == NULL) \
      g_signal_emit ((client), signals[signal], 0); \
    else if ((client)->handler_iface->function != NULL) \
      (client)->handler_iface->function ((client)->handler, (client)); \
  } \
  G_STMT_END

void
s9ws_client_deliver_activated (S9wsClient *client)
{
  DELIVER_PLAIN (client, activated, ACTIVATED);
}

void
s9ws_client_deliver_poll (S9wsClient *client)
{
  DELIVER_PLAIN (client, poll, POLL);
}

void
s9ws_client_deliver_idle (S9wsClient *client)
{
  DELIVER_PLAIN (client, idle, IDLE);
}

void
s9ws_client_deliver_quit (S9wsClient *client)
{
  DELIVER_PLAIN (client, quit, QUIT);
}

void
s9ws_client_deliver_closed (S9wsClient *client,
                            guint       code,
                            const char *reason)
{
  if (client->handler_iface == NULL)
    g_signal_emit (client, signals[CONNECTION_CLOSED], 0, code, reason);
  else if (client->handler_iface->connection_closed != NULL)
    client->handler_iface->connection_closed (client->handler, client, code, reason);
}

void
s9ws_client_deliver_error (S9wsClient   *client,
                           const GError *error)
{
  if (client->handler_iface == NULL)
    g_signal_emit (client, signals[ERROR], 0, error);
  else if (client->handler_iface->error != NULL)
    client->handler_iface->error (client->handler, client, error);
}

/* To the handler, which sees the bytes as they are. */
static void
hand_over (S9wsClient   *client,
           guint         opcode,
           const guint8 *data,
           gsize         size)
{
  S9wsHandlerInterface *iface = client->handler_iface;

  switch (opcode)
    {
    case S9WS_OPCODE_TEXT:
      if (iface->text_message != NULL)
        iface->text_message (client->handler, client, (const char *) data, size);
      break;
    case S9WS_OPCODE_BINARY:
      if (iface->binary_message != NULL)
        iface->binary_message (client->handler, client, data, size);
      break;
    case S9WS_OPCODE_PING:
      if (iface->ping != NULL)
        iface->ping (client->handler, client, data, size);
      break;
    default:
      if (iface->pong != NULL)
        iface->pong (client->handler, client, data, size);
      break;
    }
}

static void
emit_text (S9wsClient *client,
           const char *text,
           gsize       size)
{
  g_autofree char *copy = s9ws_text_without_nul (text, size);

  g_signal_emit (client, signals[TEXT_MESSAGE], 0, copy != NULL ? copy : text);
}

static guint
get_bytes_signal (guint opcode)
{
  switch (opcode)
    {
    case S9WS_OPCODE_BINARY:
      return signals[BINARY_MESSAGE];
    case S9WS_OPCODE_PING:
      return signals[PING];
    default:
      return signals[PONG];
    }
}

static void
emit_bytes (S9wsClient     *client,
            S9wsConnection *connection,
            S9wsMessage    *message)
{
  guint signal = get_bytes_signal (message->opcode);
  GBytes *bytes;

  /* Unlike an emission, the GBytes is not free. */
  if (!g_signal_has_handler_pending (client, signal, 0, TRUE))
    return;

  if (message->size < S9WS_SHARED_MIN)
    bytes = g_bytes_new (message->data, message->size);
  else
    bytes = g_bytes_new_with_free_func (message->data, message->size, (GDestroyNotify) s9ws_block_unref,
                                        s9ws_connection_share_block (connection));

  g_signal_emit (client, signal, 0, bytes);
  g_bytes_unref (bytes);
}

void
s9ws_client_deliver_message (S9wsClient     *client,
                             S9wsConnection *connection,
                             S9wsMessage    *message)
{
  if (client->handler_iface != NULL)
    hand_over (client, message->opcode, message->data, message->size);
  else if (message->opcode == S9WS_OPCODE_TEXT)
    emit_text (client, (const char *) message->data, message->size);
  else
    emit_bytes (client, connection, message);
}

static guint
get_event_opcode (S9wsEventKind kind)
{
  switch (kind)
    {
    case S9WS_EVENT_KIND_TEXT_MESSAGE:
      return S9WS_OPCODE_TEXT;
    case S9WS_EVENT_KIND_BINARY_MESSAGE:
      return S9WS_OPCODE_BINARY;
    case S9WS_EVENT_KIND_PING:
      return S9WS_OPCODE_PING;
    default:
      return S9WS_OPCODE_PONG;
    }
}

static void
deliver_payload (S9wsClient *client,
                 S9wsEvent  *event)
{
  guint opcode = get_event_opcode (s9ws_event_get_kind (event));
  gsize size;
  const guint8 *data = s9ws_event_get_data (event, &size);

  if (client->handler_iface != NULL)
    {
      hand_over (client, opcode, data, size);
    }
  else if (opcode == S9WS_OPCODE_TEXT)
    {
      g_signal_emit (client, signals[TEXT_MESSAGE], 0, s9ws_event_get_text (event));
    }
  else if (g_signal_has_handler_pending (client, get_bytes_signal (opcode), 0, TRUE))
    {
      GBytes *bytes = s9ws_event_get_bytes (event);

      g_signal_emit (client, get_bytes_signal (opcode), 0, bytes);
      g_bytes_unref (bytes);
    }
}

void
s9ws_client_deliver_event (S9wsClient *client,
                           S9wsEvent  *event)
{
  switch (s9ws_event_get_kind (event))
    {
    case S9WS_EVENT_KIND_ACTIVATED:
      s9ws_client_notify_state (client);
      s9ws_client_deliver_activated (client);
      break;
    case S9WS_EVENT_KIND_CONNECTION_CLOSED:
      s9ws_client_deliver_closed (client, s9ws_event_get_code (event), s9ws_event_get_reason (event));
      break;
    case S9WS_EVENT_KIND_ERROR:
      s9ws_client_deliver_error (client, s9ws_event_get_error (event));
      break;
    case S9WS_EVENT_KIND_QUIT:
      s9ws_client_notify_state (client);
      s9ws_client_deliver_quit (client);
      break;
    case S9WS_EVENT_KIND_TEXT_MESSAGE:
    case S9WS_EVENT_KIND_BINARY_MESSAGE:
    case S9WS_EVENT_KIND_PING:
    case S9WS_EVENT_KIND_PONG:
    default:
      deliver_payload (client, event);
      break;
    }
}
