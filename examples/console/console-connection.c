/* console-connection.c: the connection, and what came from it and is not shown yet
 *
 * A handler of S9wsAsyncClient, called on the main thread. It is called for every
 * message, so it does as little as it can: it counts, and keeps the last messages in a
 * ring that never grows. The window takes some of them off for each frame that it
 * draws. What the ring has no place for is counted as not shown.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "console-connection.h"

#include <glib/gi18n.h>
#include <string.h>

#include "console-message.h"

#define RING_SIZE 1000
#define PING_INTERVAL 1 /* s */

struct _ConsoleConnection
{
  GObject parent_instance;

  S9wsOptions *options;
  S9wsClient *client; /* or NULL */
  S9wsState state;
  guint ping_source;
  gboolean awaits_pong;

  ConsoleEntry *ring;
  guint first;
  guint n_entries;
  guint64 n_dropped; /* older than the ring, since the last take */
  gboolean is_paused;
  ConsoleFigures figures;
};

enum
{
  PROP_STATE = 1,
  N_PROPERTIES
};

enum
{
  PENDING,
  FAILED,
  N_SIGNALS
};

static GParamSpec *properties[N_PROPERTIES];
static guint signals[N_SIGNALS];

static void handler_init (S9wsHandlerInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (ConsoleConnection, console_connection, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (S9WS_TYPE_HANDLER, handler_init))

static void
set_state (ConsoleConnection *connection,
           S9wsState          state)
{
  if (connection->state == state)
    return;

  connection->state = state;
  g_object_notify_by_pspec (G_OBJECT (connection), properties[PROP_STATE]);
}

/* While it is paused there is nothing to take. */
static gboolean
is_empty (ConsoleConnection *connection)
{
  return connection->is_paused || (connection->n_entries == 0 && connection->n_dropped == 0);
}

static void
drop_oldest (ConsoleConnection *connection)
{
  connection->first = (connection->first + 1) % RING_SIZE;
  connection->n_entries--;
  connection->n_dropped++;
  connection->figures.hidden++;
}

static void
push (ConsoleConnection *connection,
      ConsoleKind        kind,
      gboolean           is_sent,
      const void        *data,
      gsize              size)
{
  gboolean was_empty = is_empty (connection);

  if (connection->n_entries == RING_SIZE)
    drop_oldest (connection);
  console_entry_fill (&connection->ring[(connection->first + connection->n_entries) % RING_SIZE],
                      kind, is_sent, data, size);
  connection->n_entries++;

  if (was_empty)
    g_signal_emit (connection, signals[PENDING], 0);
}

/* One ping at a time: a busy server is not to be hurried. */
static gboolean
on_ping_time (gpointer data)
{
  ConsoleConnection *connection = data;

  if (!connection->awaits_pong && connection->state == S9WS_STATE_OPEN)
    connection->awaits_pong = s9ws_client_send_ping (connection->client, NULL, 0, NULL);

  return G_SOURCE_CONTINUE;
}

/* S9wsHandler */

static void
on_activated (S9wsHandler *handler,
              S9wsClient  *client)
{
  ConsoleConnection *connection = CONSOLE_CONNECTION (handler);
  const char *protocol = s9ws_client_get_protocol (client);
  const char *text = protocol != NULL ? protocol : s9ws_client_get_uri (client);

  push (connection, CONSOLE_KIND_OPENED, FALSE, text, strlen (text));
  connection->ping_source = g_timeout_add_seconds (PING_INTERVAL, on_ping_time, connection);
  set_state (connection, S9WS_STATE_OPEN);
  on_ping_time (connection);
}

static void
on_text_message (S9wsHandler *handler,
                 S9wsClient  *client,
                 const char  *text,
                 gsize        length)
{
  ConsoleConnection *connection = CONSOLE_CONNECTION (handler);

  connection->figures.received++;
  push (connection, CONSOLE_KIND_TEXT, FALSE, text, length);
}

static void
on_binary_message (S9wsHandler  *handler,
                   S9wsClient   *client,
                   const guint8 *data,
                   gsize         length)
{
  ConsoleConnection *connection = CONSOLE_CONNECTION (handler);

  connection->figures.received++;
  push (connection, CONSOLE_KIND_BINARY, FALSE, data, length);
}

static void
on_ping (S9wsHandler  *handler,
         S9wsClient   *client,
         const guint8 *data,
         gsize         length)
{
  push (CONSOLE_CONNECTION (handler), CONSOLE_KIND_PING, FALSE, data, length);
}

static void
on_pong (S9wsHandler  *handler,
         S9wsClient   *client,
         const guint8 *data,
         gsize         length)
{
  ConsoleConnection *connection = CONSOLE_CONNECTION (handler);
  g_autoptr (S9wsStats) stats = s9ws_client_get_stats (client);

  connection->awaits_pong = FALSE;
  connection->figures.round_trip = stats->last_round_trip;
}

static void
on_error (S9wsHandler  *handler,
          S9wsClient   *client,
          const GError *error)
{
  ConsoleConnection *connection = CONSOLE_CONNECTION (handler);

  push (connection, CONSOLE_KIND_ERROR, FALSE, error->message, strlen (error->message));
  g_signal_emit (connection, signals[FAILED], 0, error->message);
}

static void
on_connection_closed (S9wsHandler *handler,
                      S9wsClient  *client,
                      guint        code,
                      const char  *reason)
{
  g_autofree char *text = g_strdup_printf ("%u%s%s", code, reason != NULL ? " " : "", reason != NULL ? reason : "");

  push (CONSOLE_CONNECTION (handler), CONSOLE_KIND_CLOSED, FALSE, text, strlen (text));
}

static void
on_quit (S9wsHandler *handler,
         S9wsClient  *client)
{
  ConsoleConnection *connection = CONSOLE_CONNECTION (handler);

  g_clear_handle_id (&connection->ping_source, g_source_remove);
  g_clear_object (&connection->client);
  set_state (connection, S9WS_STATE_CLOSED);
}

static void
handler_init (S9wsHandlerInterface *iface)
{
  iface->activated = on_activated;
  iface->text_message = on_text_message;
  iface->binary_message = on_binary_message;
  iface->ping = on_ping;
  iface->pong = on_pong;
  iface->error = on_error;
  iface->connection_closed = on_connection_closed;
  iface->quit = on_quit;
}

/* GObject */

static void
console_connection_get_property (GObject    *object,
                                 guint       property_id,
                                 GValue     *value,
                                 GParamSpec *pspec)
{
  switch (property_id)
    {
    case PROP_STATE:
      g_value_set_enum (value, CONSOLE_CONNECTION (object)->state);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
console_connection_finalize (GObject *object)
{
  ConsoleConnection *connection = CONSOLE_CONNECTION (object);

  console_connection_stop (connection);
  g_clear_object (&connection->options);
  g_free (connection->ring);

  G_OBJECT_CLASS (console_connection_parent_class)->finalize (object);
}

static void
console_connection_class_init (ConsoleConnectionClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = console_connection_get_property;
  object_class->finalize = console_connection_finalize;

  properties[PROP_STATE] = g_param_spec_enum ("state", NULL, NULL, S9WS_TYPE_STATE, S9WS_STATE_CLOSED,
                                              G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  g_object_class_install_properties (object_class, N_PROPERTIES, properties);

  signals[PENDING] = g_signal_new ("pending", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0,
                                   NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[FAILED] = g_signal_new ("failed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0,
                                  NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void
console_connection_init (ConsoleConnection *connection)
{
  connection->state = S9WS_STATE_CLOSED;
  connection->ring = g_new0 (ConsoleEntry, RING_SIZE);
  connection->figures.round_trip = -1;
}

/* Public API */

ConsoleConnection *
console_connection_new (S9wsOptions *options)
{
  ConsoleConnection *connection = g_object_new (CONSOLE_TYPE_CONNECTION, NULL);

  g_set_object (&connection->options, options);
  return connection;
}

/* A client lives for one connection: each has its own. */
void
console_connection_open (ConsoleConnection *connection,
                         const char        *uri)
{
  if (connection->state != S9WS_STATE_CLOSED)
    return;

  connection->figures = (ConsoleFigures){ .round_trip = -1 };
  connection->awaits_pong = FALSE;
  connection->client = S9WS_CLIENT (s9ws_async_client_new (uri, connection->options));
  s9ws_client_set_handler (connection->client, S9WS_HANDLER (connection));
  set_state (connection, S9WS_STATE_CONNECTING);
  s9ws_client_open_async (connection->client, NULL, NULL, NULL);
}

/* Politely at first; at once if it is not open yet, or asked again. */
void
console_connection_close (ConsoleConnection *connection)
{
  if (connection->client == NULL)
    return;

  if (connection->state == S9WS_STATE_OPEN && s9ws_client_close (connection->client, 1000, NULL, NULL))
    set_state (connection, S9WS_STATE_CLOSING);
  else
    s9ws_client_force_quit (connection->client);
}

/* Nothing is heard of it any more. */
void
console_connection_stop (ConsoleConnection *connection)
{
  g_clear_handle_id (&connection->ping_source, g_source_remove);
  if (connection->client != NULL)
    s9ws_client_set_handler (connection->client, NULL);
  g_clear_object (&connection->client);
  connection->state = S9WS_STATE_CLOSED;
}

gboolean
console_connection_send_text (ConsoleConnection  *connection,
                              const char         *text,
                              GError            **error)
{
  if (connection->client == NULL)
    {
      g_set_error_literal (error, S9WS_ERROR, S9WS_ERROR_NOT_OPEN, _("There is no connection"));
      return FALSE;
    }

  if (!s9ws_client_send_text (connection->client, text, error))
    return FALSE;

  connection->figures.sent++;
  push (connection, CONSOLE_KIND_TEXT, TRUE, text, strlen (text));
  return TRUE;
}

S9wsState
console_connection_get_state (ConsoleConnection *connection)
{
  return connection->state;
}

void
console_connection_get_figures (ConsoleConnection *connection,
                                ConsoleFigures    *figures)
{
  *figures = connection->figures;
}

void
console_connection_set_paused (ConsoleConnection *connection,
                               gboolean           is_paused)
{
  gboolean was_empty = is_empty (connection);

  connection->is_paused = is_paused;
  if (was_empty && !is_empty (connection))
    g_signal_emit (connection, signals[PENDING], 0);
}

gboolean
console_connection_take (ConsoleConnection *connection,
                         GPtrArray         *messages,
                         guint              max)
{
  if (is_empty (connection))
    return FALSE;

  if (connection->n_dropped > 0)
    {
      ConsoleEntry gap;

      console_entry_fill (&gap, CONSOLE_KIND_GAP, FALSE, NULL, 0);
      gap.size = connection->n_dropped;
      connection->n_dropped = 0;
      g_ptr_array_add (messages, console_message_new (&gap));
    }

  for (; connection->n_entries > 0 && messages->len < max; connection->n_entries--)
    {
      g_ptr_array_add (messages, console_message_new (&connection->ring[connection->first]));
      connection->first = (connection->first + 1) % RING_SIZE;
    }

  return TRUE;
}
