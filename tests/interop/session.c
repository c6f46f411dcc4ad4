/* session.c: one connection of one client, with a log of its events
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "session.h"

#include <string.h>
#include <unistd.h>

#define TIMEOUT 60 /* seconds */

/* Ends a client that does not come to its end. */
typedef struct
{
  S9wsClient *client;
  GThread *thread;
  GMutex mutex;
  GCond cond;
  gboolean is_over;
  gboolean has_barked;
} Watchdog;

static gpointer
watch (gpointer data)
{
  Watchdog *watchdog = data;
  gint64 end = g_get_monotonic_time () + TIMEOUT * G_TIME_SPAN_SECOND;

  g_mutex_lock (&watchdog->mutex);
  while (!watchdog->is_over && g_cond_wait_until (&watchdog->cond, &watchdog->mutex, end))
    continue;
  if (!watchdog->is_over)
    {
      watchdog->has_barked = TRUE;
      s9ws_client_force_quit (watchdog->client);
    }
  g_mutex_unlock (&watchdog->mutex);

  return NULL;
}

static void
watchdog_start (Watchdog   *watchdog,
                S9wsClient *client)
{
  g_mutex_init (&watchdog->mutex);
  g_cond_init (&watchdog->cond);
  watchdog->is_over = FALSE;
  watchdog->has_barked = FALSE;
  watchdog->client = client;
  watchdog->thread = g_thread_new ("watchdog", watch, watchdog);

  /* The watchdog's own, if not even that ends the client. */
  alarm (2 * TIMEOUT);
}

static void
watchdog_stop (Watchdog *watchdog)
{
  g_mutex_lock (&watchdog->mutex);
  watchdog->is_over = TRUE;
  g_cond_broadcast (&watchdog->cond);
  g_mutex_unlock (&watchdog->mutex);

  g_thread_join (watchdog->thread);
  alarm (0);
  g_mutex_clear (&watchdog->mutex);
  g_cond_clear (&watchdog->cond);
}

static void
add_to_log (Session    *session,
            const char *entry)
{
  if (session->n_unlogged > 0)
    g_string_append_printf (session->log, " %u messages", session->n_unlogged);
  session->n_unlogged = 0;

  if (session->log->len > 0)
    g_string_append_c (session->log, ' ');
  g_string_append (session->log, entry);
}

static void
add_bytes_to_log (Session    *session,
                  const char *name,
                  GBytes     *data)
{
  gsize size;
  const char *text = g_bytes_get_data (data, &size);
  g_autofree char *entry = g_strdup_printf ("%s(%.*s)", name, (int) size, text);

  add_to_log (session, entry);
}

static void
on_activated (S9wsClient *client,
              Session    *session)
{
  add_to_log (session, "activated");
  g_assert_cmpuint (s9ws_client_get_response_status (client), ==, 101);

  if (session->script->activated != NULL)
    session->script->activated (session);
}

static void
on_message (Session      *session,
            gboolean      is_text,
            const guint8 *data,
            gsize         size)
{
  session->n_unlogged++;
  if (session->script->message != NULL)
    session->script->message (session, is_text, data, size);
  session->n_messages++;
}

static void
on_text_message (S9wsClient *client,
                 const char *text,
                 Session    *session)
{
  on_message (session, TRUE, (const guint8 *) text, strlen (text));
}

static void
on_binary_message (S9wsClient *client,
                   GBytes     *bytes,
                   Session    *session)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);

  on_message (session, FALSE, data, size);
}

static void
add_piece (Session        *session,
           const guint8   *data,
           gsize           size,
           S9wsPieceFlags  flags)
{
  g_assert_cmpint ((flags & S9WS_PIECE_FIRST) != 0, ==, session->message == NULL);
  if (session->message == NULL)
    session->message = g_byte_array_new ();

  session->n_pieces++;
  g_byte_array_append (session->message, data, (guint) size);
  if ((flags & S9WS_PIECE_LAST) != 0)
    {
      g_autoptr (GByteArray) message = g_steal_pointer (&session->message);

      on_message (session, (flags & S9WS_PIECE_TEXT) != 0, message->data, message->len);
    }
}

static void
on_message_piece (S9wsClient     *client,
                  GBytes         *bytes,
                  S9wsPieceFlags  flags,
                  Session        *session)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);

  add_piece (session, data, size, flags);
}

static void
on_ping (S9wsClient *client,
         GBytes     *data,
         Session    *session)
{
  add_bytes_to_log (session, "ping", data);
  if (session->script->ping != NULL)
    session->script->ping (session, data);
}

static void
on_pong (S9wsClient *client,
         GBytes     *data,
         Session    *session)
{
  add_bytes_to_log (session, "pong", data);
  if (session->script->pong != NULL)
    session->script->pong (session, data);
}

static void
on_connection_closed (S9wsClient *client,
                      guint       code,
                      const char *reason,
                      Session    *session)
{
  g_autofree char *entry = g_strdup_printf ("closed(%u,%s)", code, reason != NULL ? reason : "");

  add_to_log (session, entry);
}

/* A connection that is lost below TLS may be seen by either. */
static void
on_error (S9wsClient   *client,
          const GError *error,
          Session      *session)
{
  gboolean is_lost = g_error_matches (error, S9WS_ERROR, S9WS_ERROR_IO) ||
                     (g_error_matches (error, S9WS_ERROR, S9WS_ERROR_TLS) &&
                      g_str_has_prefix (s9ws_client_get_uri (client), "wss:"));

  g_test_message ("error: %s", error->message);
  session->has_failed = TRUE;
  add_to_log (session, is_lost ? "error(lost)" : error->message);
}

static void
on_quit (S9wsClient *client,
         Session    *session)
{
  add_to_log (session, "quit");
  if (session->loop != NULL)
    g_main_loop_quit (session->loop);
}

static void
on_event (Session   *session,
          S9wsEvent *event)
{
  S9wsClient *client = session->client;
  gsize size;
  const guint8 *data;

  switch (s9ws_event_get_kind (event))
    {
    case S9WS_EVENT_KIND_ACTIVATED:
      on_activated (client, session);
      break;
    case S9WS_EVENT_KIND_TEXT_MESSAGE:
      on_text_message (client, s9ws_event_get_text (event), session);
      break;
    case S9WS_EVENT_KIND_BINARY_MESSAGE:
      data = s9ws_event_get_data (event, &size);
      on_message (session, FALSE, data, size);
      break;
    case S9WS_EVENT_KIND_MESSAGE_PIECE:
      data = s9ws_event_get_data (event, &size);
      add_piece (session, data, size, s9ws_event_get_piece_flags (event));
      break;
    case S9WS_EVENT_KIND_PING:
    case S9WS_EVENT_KIND_PONG:
      {
        g_autoptr (GBytes) bytes = s9ws_event_get_bytes (event);

        if (s9ws_event_get_kind (event) == S9WS_EVENT_KIND_PING)
          on_ping (client, bytes, session);
        else
          on_pong (client, bytes, session);
      }
      break;
    case S9WS_EVENT_KIND_CONNECTION_CLOSED:
      on_connection_closed (client, s9ws_event_get_code (event), s9ws_event_get_reason (event),
                            session);
      break;
    case S9WS_EVENT_KIND_ERROR:
      on_error (client, s9ws_event_get_error (event), session);
      break;
    case S9WS_EVENT_KIND_QUIT:
      on_quit (client, session);
      break;
    default:
      g_assert_not_reached ();
    }
}

static void
connect_signals (Session *session)
{
  g_signal_connect (session->client, "activated", G_CALLBACK (on_activated), session);
  g_signal_connect (session->client, "text-message", G_CALLBACK (on_text_message), session);
  g_signal_connect (session->client, "binary-message", G_CALLBACK (on_binary_message), session);
  g_signal_connect (session->client, "message-piece", G_CALLBACK (on_message_piece), session);
  g_signal_connect (session->client, "ping", G_CALLBACK (on_ping), session);
  g_signal_connect (session->client, "pong", G_CALLBACK (on_pong), session);
  g_signal_connect (session->client, "connection-closed", G_CALLBACK (on_connection_closed),
                    session);
  g_signal_connect (session->client, "error", G_CALLBACK (on_error), session);
  g_signal_connect (session->client, "quit", G_CALLBACK (on_quit), session);
}

static void
drive_by_run (Session *session)
{
  g_autoptr (GError) error = NULL;
  gboolean is_fine;

  connect_signals (session);
  is_fine = s9ws_client_run (session->client, NULL, &error);

  g_assert_cmpint (is_fine, ==, !session->has_failed);
  g_assert_cmpint (is_fine, ==, error == NULL);
}

static void
on_opened (GObject      *client,
           GAsyncResult *result,
           gpointer      user_data)
{
  g_autoptr (GError) error = NULL;

  s9ws_client_open_finish (S9WS_CLIENT (client), result, &error);
  g_assert_no_error (error);
}

static void
drive_by_context (Session *session)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);

  connect_signals (session);
  session->loop = loop;
  s9ws_client_open_async (session->client, NULL, on_opened, session);
  g_main_loop_run (loop);
  session->loop = NULL;
}

static void
drive_by_queue (Session *session)
{
  S9wsAsyncClient *client = S9WS_ASYNC_CLIENT (session->client);
  g_autoptr (GError) error = NULL;
  gboolean is_over = FALSE;

  s9ws_async_client_start (client, &error);
  g_assert_no_error (error);

  while (!is_over)
    {
      g_autoptr (S9wsEvent) event = s9ws_async_client_pop_event (client);

      g_assert_nonnull (event);
      is_over = s9ws_event_get_kind (event) == S9WS_EVENT_KIND_QUIT;
      on_event (session, event);
    }

  s9ws_async_client_join (client);
}

const SessionKind session_kinds[] = {
  { "blocking", s9ws_blocking_client_get_type, drive_by_run },
  { "non-blocking", s9ws_non_blocking_client_get_type, drive_by_run },
  { "async", s9ws_async_client_get_type, drive_by_context },
  { "async-queue", s9ws_async_client_get_type, drive_by_queue },
};

const gsize n_session_kinds = G_N_ELEMENTS (session_kinds);

void
session_send_text (Session    *session,
                   const char *text)
{
  g_autoptr (GError) error = NULL;

  s9ws_client_send_text (session->client, text, &error);
  g_assert_no_error (error);
}

void
session_run (const SessionKind   *kind,
             const SessionScript *script,
             const char          *uri,
             const char          *ca_file)
{
  g_autoptr (S9wsTlsContext) tls_context = NULL;
  g_autoptr (S9wsOptions) options = NULL;
  g_autoptr (S9wsClient) client = NULL;
  Session session = { .kind = kind, .script = script };
  Watchdog watchdog;

  tls_context = g_object_new (S9WS_TYPE_TLS_CONTEXT, "ca-file", ca_file, NULL);
  options = g_object_new (S9WS_TYPE_OPTIONS,
                          "protocols", script->protocols,
                          "tls-context", tls_context,
                          NULL);
  if (script->configure != NULL)
    script->configure (options);
  client = g_object_new (kind->get_type (), "uri", uri, "options", options, NULL);
  session.client = client;
  session.log = g_string_new (NULL);

  watchdog_start (&watchdog, client);
  kind->drive (&session);
  watchdog_stop (&watchdog);

  g_assert_false (watchdog.has_barked);
  g_assert_cmpstr (session.log->str, ==, script->log);
  g_assert_cmpint (s9ws_client_get_state (client), ==, S9WS_STATE_CLOSED);

  g_string_free (session.log, TRUE);
}
