/* s9ws-client-deliver.c: events on their way to signals or to the handler
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-client-private.h"

#include <string.h>

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
  ACCEPT_CERTIFICATE,
  MESSAGE_PIECE,
  N_SIGNALS
};

#define TURNS_PER_LOOK 256 /* then another thread may have connected something */
#define LOOK_DELAY 64      /* turns after an emission, where many looks have been in vain */
#define PATIENCE 64        /* looks */

static guint signals[N_SIGNALS];

G_STATIC_ASSERT ((guint) S9WS_PIECE_FIRST == S9WS_PIECE_IS_FIRST && (guint) S9WS_PIECE_LAST == S9WS_PIECE_IS_LAST &&
                 (guint) S9WS_PIECE_TEXT == S9WS_PIECE_IS_TEXT);

/* For C handlers of a signal with one pointer, which is lent to them as it is. */
static void
marshal_pointer_va (GClosure *closure,
                    GValue   *return_value,
                    gpointer  instance,
                    va_list   arguments,
                    gpointer  marshal_data,
                    int       n_params,
                    GType    *param_types)
{
  typedef void (*Callback) (gpointer data1, gpointer argument, gpointer data2);
  Callback callback = (Callback) (marshal_data != NULL ? marshal_data : ((GCClosure *) closure)->callback);
  gpointer argument;
  va_list copy;

  va_copy (copy, arguments);
  argument = va_arg (copy, gpointer);
  va_end (copy);

  if (G_CCLOSURE_SWAP_DATA (closure))
    callback (closure->data, argument, instance);
  else
    callback (instance, argument, closure->data);
}

/* No class closure, no accumulator, and marshallers of their own: each of them would
 * cost more than the emission itself. */
static guint
add_signal (S9wsClientClass      *klass,
            const char           *name,
            GSignalCMarshaller    marshaller,
            GSignalCVaMarshaller  va_marshaller,
            GType                 type)
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

/* Not of static scope: a handler may keep what it is given, and GJS takes no reference
 * on what is.  C handlers are lent it as it is, without the copy that BOXEDv would make. */
static guint
add_boxed_signal (S9wsClientClass *klass,
                  const char      *name,
                  GType            type)
{
  return add_signal (klass, name, g_cclosure_marshal_VOID__BOXED, marshal_pointer_va, type);
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
   * As long as nothing is connected to this signal and to [signal@S9ws.Client::idle],
   * that is looked up once in a while only: a handler that is connected while the loop
   * runs may be called from some turns later on.
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
                                      marshal_pointer_va,
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

  /**
   * S9wsClient::message-piece:
   * @client: the client
   * @data: the piece; it may be kept by taking a reference
   * @flags: where in its message it stands, and whether that is a text
   *
   * Emitted for each piece of a text or binary message, as it arrives, if
   * [property@S9ws.Options:max-piece-size] is set. [signal@S9ws.Client::text-message] and
   * [signal@S9ws.Client::binary-message] are not emitted then.
   *
   * What has come of a text is valid UTF-8, but for a character that the next piece goes on
   * with. Pings and pongs may come between pieces, other messages may not.
   *
   * Since: 0.1
   */
  signals[MESSAGE_PIECE] = g_signal_new ("message-piece", G_TYPE_FROM_CLASS (klass),
                                         G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                         G_TYPE_NONE, 2, G_TYPE_BYTES, S9WS_TYPE_PIECE_FLAGS);

  /**
   * S9wsClient::accept-certificate:
   * @client: the client
   * @chain: the certificates that the server sent, its own first, in PEM
   * @reasons: why they did not verify
   *
   * Emitted while the client opens, where the server's certificate did not verify: asks
   * whether it is to be accepted all the same. One that verified is not asked about.
   *
   * The handshake waits for the answer, for which
   * [property@S9ws.Options:handshake-timeout] stops; what the server's patience is,
   * nobody knows. Without an answer, or if it is %FALSE, opening fails with
   * %S9WS_ERROR_TLS. A session that was accepted this way is not resumed by others: they
   * are asked, too.
   *
   * Emitted on the thread that calls [method@S9ws.Client.open] or
   * [method@S9ws.Client.run]; with [method@S9ws.Client.open_async] in the main context
   * that it was called in; by [class@S9ws.AsyncClient] in the main context that it is
   * attached to, and on its own thread if there is none and
   * [method@S9ws.AsyncClient.start] has been called: bindings that cannot be called on
   * other threads, as GJS, are to attach or to open first. Whoever runs that main context
   * is not to wait meanwhile in [method@S9ws.Client.open] or [method@S9ws.AsyncClient.join],
   * for an answer that would come from there. A [iface@S9ws.Handler] leaves this signal as
   * it is.
   *
   * Returns: %TRUE to accept
   *
   * Since: 0.1
   */
  signals[ACCEPT_CERTIFICATE] = g_signal_new ("accept-certificate", G_TYPE_FROM_CLASS (klass),
                                              G_SIGNAL_RUN_LAST, 0, g_signal_accumulator_true_handled, NULL, NULL,
                                              G_TYPE_BOOLEAN, 2, G_TYPE_STRING, G_TYPE_TLS_CERTIFICATE_FLAGS);
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

void
s9ws_client_look_for_listeners (S9wsClient *client)
{
  client->listened = 0;
  client->turns_until_look = 0;
  client->look_delay = 0;
  client->vain_looks = 0;
}

/* Turns come by the million a second where a client spins, and with each message where it
 * does not: emitting to nobody would cost more than the message.  That nobody listens is
 * looked up again after an emission, as whoever is called may connect something (soon
 * after it, once that has never happened), after the client has slept, and after many
 * turns, for other threads. */
static gboolean
are_turns_heard (S9wsClient *client)
{
  if (G_LIKELY (client->turns_until_look > 0))
    {
      client->turns_until_look--;
      return client->hears_turns;
    }

  client->hears_turns = g_signal_has_handler_pending (client, signals[POLL], 0, TRUE) ||
                        g_signal_has_handler_pending (client, signals[IDLE], 0, TRUE);
  client->turns_until_look = TURNS_PER_LOOK;
  if (client->hears_turns)
    {
      client->vain_looks = 0;
      client->look_delay = TURNS_PER_LOOK;
    }
  else
    {
      client->vain_looks = MIN (client->vain_looks + 1, PATIENCE);
      client->look_delay = client->vain_looks < PATIENCE ? 0 : LOOK_DELAY;
    }

  return client->hears_turns;
}

/* All emissions of one client: whoever is called may connect something. */
#define EMIT(client, signal, ...)                                                        \
  G_STMT_START                                                                           \
  {                                                                                      \
    (client)->turns_until_look = MIN ((client)->turns_until_look, (client)->look_delay); \
    g_signal_emit ((client), signal, 0, ##__VA_ARGS__);                                  \
  }                                                                                      \
  G_STMT_END

#define DELIVER_PLAIN(client, function, signal)                        \
  G_STMT_START                                                         \
  {                                                                    \
    if ((client)->handler_iface == NULL)                               \
      EMIT ((client), signals[signal]);                                \
    else if ((client)->handler_iface->function != NULL)                \
      (client)->handler_iface->function ((client)->handler, (client)); \
  }                                                                    \
  G_STMT_END

void
s9ws_client_deliver_activated (S9wsClient *client)
{
  DELIVER_PLAIN (client, activated, ACTIVATED);
}

void
s9ws_client_deliver_poll (S9wsClient *client)
{
  if (client->handler_iface != NULL || are_turns_heard (client))
    DELIVER_PLAIN (client, poll, POLL);
}

void
s9ws_client_deliver_idle (S9wsClient *client)
{
  if (client->handler_iface != NULL || client->hears_turns ||
      (client->turns_until_look == 0 && are_turns_heard (client)))
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
    EMIT (client, signals[CONNECTION_CLOSED], code, reason);
  else if (client->handler_iface->connection_closed != NULL)
    client->handler_iface->connection_closed (client->handler, client, code, reason);
}

void
s9ws_client_deliver_error (S9wsClient   *client,
                           const GError *error)
{
  if (client->handler_iface == NULL)
    EMIT (client, signals[ERROR], error);
  else if (client->handler_iface->error != NULL)
    client->handler_iface->error (client->handler, client, error);
}

gboolean
s9ws_client_has_certificate_handler (S9wsClient *client)
{
  return g_signal_has_handler_pending (client, signals[ACCEPT_CERTIFICATE], 0, FALSE);
}

gboolean
s9ws_client_deliver_certificate (S9wsClient           *client,
                                 const char           *chain,
                                 GTlsCertificateFlags  reasons)
{
  gboolean is_accepted = FALSE;

  g_signal_emit (client, signals[ACCEPT_CERTIFICATE], 0, chain, reasons, &is_accepted);
  return is_accepted;
}

/* To the handler, which sees the bytes as they are. */
void
s9ws_client_hand_over (S9wsClient  *client,
                       S9wsMessage *message)
{
  S9wsHandlerInterface *iface = client->handler_iface;
  const guint8 *data = message->data;
  gsize size = message->size;

  switch (message->opcode)
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
    case S9WS_MESSAGE_PIECE:
      if (iface->message_piece != NULL)
        iface->message_piece (client->handler, client, data, size, (S9wsPieceFlags) message->piece_flags);
      break;
    default:
      if (iface->pong != NULL)
        iface->pong (client->handler, client, data, size);
      break;
    }
}

G_NO_INLINE static void
emit_text_with_nul (S9wsClient *client,
                    const char *text,
                    gsize       size)
{
  g_autofree char *copy = s9ws_text_without_nul (text, size);

  EMIT (client, signals[TEXT_MESSAGE], copy);
}

void
s9ws_client_emit_text (S9wsClient  *client,
                       S9wsMessage *message)
{
  const char *text = (const char *) message->data;

  /* A NUL stands behind it; strlen () is the fastest way to ask for others. */
  if (G_UNLIKELY (strlen (text) != message->size))
    emit_text_with_nul (client, text, message->size);
  else
    EMIT (client, signals[TEXT_MESSAGE], text);
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
    case S9WS_MESSAGE_PIECE:
      return signals[MESSAGE_PIECE];
    default:
      return signals[PONG];
    }
}

/* Unlike an emission, a GBytes is not free: none is made for nobody.  That somebody
 * listens is looked up once: it does no harm where it is no longer so. */
static gboolean
is_listened_to (S9wsClient *client,
                guint       opcode)
{
  guint bit = 1u << opcode;

  if ((client->listened & bit) != 0)
    return TRUE;
  if (!g_signal_has_handler_pending (client, get_bytes_signal (opcode), 0, TRUE))
    return FALSE;

  client->listened |= bit;
  return TRUE;
}

/* A signal with one argument more than the others. */
static void
emit_with_bytes (S9wsClient        *client,
                 const S9wsMessage *message,
                 GBytes            *bytes)
{
  if (message->opcode == S9WS_MESSAGE_PIECE)
    EMIT (client, signals[MESSAGE_PIECE], bytes, (S9wsPieceFlags) message->piece_flags);
  else
    EMIT (client, get_bytes_signal (message->opcode), bytes);
}

void
s9ws_client_emit_bytes (S9wsClient     *client,
                        S9wsConnection *connection,
                        S9wsMessage    *message)
{
  GBytes *bytes;

  if (!is_listened_to (client, message->opcode))
    return;

  if (message->size < S9WS_SHARED_MIN)
    bytes = g_bytes_new (message->data, message->size);
  else
    bytes = g_bytes_new_with_free_func (message->data, message->size, (GDestroyNotify) s9ws_block_unref,
                                        s9ws_connection_share_block (connection));

  emit_with_bytes (client, message, bytes);
  g_bytes_unref (bytes);
}

static guint8
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
    case S9WS_EVENT_KIND_MESSAGE_PIECE:
      return S9WS_MESSAGE_PIECE;
    default:
      return S9WS_OPCODE_PONG;
    }
}

static void
deliver_payload (S9wsClient *client,
                 S9wsEvent  *event)
{
  S9wsMessage message = { .opcode = get_event_opcode (s9ws_event_get_kind (event)) };

  message.data = (guint8 *) s9ws_event_get_data (event, &message.size);
  message.piece_flags = (guint8) s9ws_event_get_piece_flags (event);
  if (client->handler_iface != NULL)
    {
      s9ws_client_hand_over (client, &message);
    }
  else if (message.opcode == S9WS_OPCODE_TEXT)
    {
      EMIT (client, signals[TEXT_MESSAGE], s9ws_event_get_text (event));
    }
  else if (is_listened_to (client, message.opcode))
    {
      GBytes *bytes = s9ws_event_get_bytes (event);

      emit_with_bytes (client, &message, bytes);
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
      s9ws_client_notify_end_report (client);
      s9ws_client_deliver_closed (client, s9ws_event_get_code (event), s9ws_event_get_reason (event));
      break;
    case S9WS_EVENT_KIND_ERROR:
      s9ws_client_notify_end_report (client);
      s9ws_client_deliver_error (client, s9ws_event_get_error (event));
      break;
    case S9WS_EVENT_KIND_QUIT:
      s9ws_client_notify_state (client);
      s9ws_client_notify_end_report (client);
      s9ws_client_deliver_quit (client);
      break;
    case S9WS_EVENT_KIND_TEXT_MESSAGE:
    case S9WS_EVENT_KIND_BINARY_MESSAGE:
    case S9WS_EVENT_KIND_PING:
    case S9WS_EVENT_KIND_PONG:
    case S9WS_EVENT_KIND_MESSAGE_PIECE:
    default:
      deliver_payload (client, event);
      break;
    }
}
