/* test-client.c: the three clients against servers that do as they are told
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <locale.h>
#include <string.h>
#include <sys/socket.h>

#include "recorder.h"

/* What a test is run with. */
typedef struct
{
  Kind kind;
  gboolean is_secure;
  gconstpointer data;
} Case;

static TestServer *
create_server (const Case *test,
               TestScript  script,
               gpointer    user_data)
{
  g_autofree char *certificate = get_certificate ("good");
  g_autofree char *key = get_certificate ("good-key");

  return test->is_secure ? test_server_new_with_tls (script, user_data, certificate, key)
                         : test_server_new (script, user_data);
}

/* Ends */

typedef struct
{
  const char *name;
  TestScript script;
  const char *log;
  gboolean is_fine; /* what run () returns */
  int error;
} End;

static void
script_close (TestPeer *peer,
              gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_send_frame (peer, TEST_TEXT, TRUE, "Hello", 5);
  test_peer_close (peer, 1001, "bye", NULL);
}

static void
script_close_without_code (TestPeer *peer,
                           gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_close (peer, 0, NULL, NULL);
}

static void
script_close_at_once (TestPeer *peer,
                      gpointer  user_data)
{
  static const char frames[] = "\x81\x02hi\x82\x01x\x89\x01p\x8a\x01q\x88\x04\x03\xe8ok";
  g_autofree char *response = NULL;
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  test_peer_read_request (peer);
  response = test_peer_dup_response (peer, NULL, NULL);
  g_byte_array_append (bytes, (const guint8 *) response, (guint) strlen (response));
  g_byte_array_append (bytes, (const guint8 *) frames, sizeof frames - 1);
  test_peer_send (peer, bytes->data, bytes->len);
  test_peer_wait_end (peer);
}

static void
script_vanish (TestPeer *peer,
               gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_send_frame (peer, TEST_TEXT, TRUE, "Hello", 5);
}

static void
script_truncate (TestPeer *peer,
                 gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_send_frame (peer, TEST_TEXT, TRUE, "Hello", 5);
  test_peer_truncate (peer);
}

static void
script_reset (TestPeer *peer,
              gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_send_header (peer, TEST_BINARY, TRUE, 100000);
  test_peer_send_string (peer, "not all of it");
  test_peer_reset (peer);
}

static void
script_violation (TestPeer *peer,
                  gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_send_frame (peer, TEST_TEXT, TRUE, "Hello", 5);
  test_peer_send_frame (peer, TEST_TEXT | TEST_RSV1, TRUE, "x", 1);
  test_peer_expect_frame (peer, TEST_CLOSE, "\x03\xea", 2);
  test_peer_wait_end (peer);
}

static void
script_bad_text (TestPeer *peer,
                 gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_send_frame (peer, TEST_TEXT, TRUE, "\xff", 1);
  test_peer_expect_frame (peer, TEST_CLOSE, "\x03\xef", 2);
  test_peer_wait_end (peer);
}

static void
script_too_big (TestPeer *peer,
                gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_send_header (peer, TEST_BINARY, TRUE, G_GUINT64_CONSTANT (1) << 40);
  test_peer_expect_frame (peer, TEST_CLOSE, "\x03\xf1", 2);
  test_peer_wait_end (peer);
}

static void
script_refuse (TestPeer *peer,
               gpointer  user_data)
{
  test_peer_read_request (peer);
  test_peer_send_string (peer, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nX-Why: because\r\n\r\nno");
  test_peer_wait_end (peer);
}

static void
script_hang_up_early (TestPeer *peer,
                      gpointer  user_data)
{
  test_peer_read_request (peer);
}

static const End ends[] = {
  { "server-closes", script_close, "activated text(Hello) closed(1001,bye) quit ", TRUE, 0 },
  { "server-closes-without-code", script_close_without_code, "activated closed(1005) quit ", TRUE, 0 },
  { "all-at-once", script_close_at_once, "activated text(hi) binary(x) ping(p) pong(q) closed(1000,ok) quit ", TRUE, 0 },
  { "server-vanishes", script_vanish, "activated text(Hello) error(13) closed(1006) quit ", FALSE, S9WS_ERROR_IO },
  { "reset", script_reset, "activated error(13) closed(1006) quit ", FALSE, S9WS_ERROR_IO },
  { "violation", script_violation, "activated text(Hello) error(5) closed(1002) quit ", FALSE, S9WS_ERROR_PROTOCOL },
  { "bad-text", script_bad_text, "activated error(6) closed(1007) quit ", FALSE, S9WS_ERROR_INVALID_UTF8 },
  { "too-big", script_too_big, "activated error(7) closed(1009) quit ", FALSE, S9WS_ERROR_MESSAGE_TOO_BIG },
  { "refused", script_refuse, "error(4) quit ", FALSE, S9WS_ERROR_HANDSHAKE },
  { "hung-up-early", script_hang_up_early, "error(4) quit ", FALSE, S9WS_ERROR_HANDSHAKE },
};

static void
test_end (gconstpointer data)
{
  const Case *test = data;
  const End *end = test->data;
  g_autoptr (TestServer) server = create_server (test, end->script, NULL);
  g_autoptr (S9wsOptions) options = create_options (NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  record_signals (client, log);
  if (end->is_fine)
    {
      g_assert_true (s9ws_client_run (client, NULL, &error));
      g_assert_no_error (error);
    }
  else
    {
      g_assert_false (s9ws_client_run (client, NULL, &error));
      /* A reset may be seen in the middle of a TLS record. */
      if (!g_error_matches (error, S9WS_ERROR, S9WS_ERROR_TLS))
        g_assert_error (error, S9WS_ERROR, end->error);
      else
        g_assert_true (test->is_secure && end->script == script_reset);
    }
  if (!g_error_matches (error, S9WS_ERROR, S9WS_ERROR_TLS))
    g_assert_cmpstr (log->str, ==, end->log);
  g_assert_cmpint (s9ws_client_get_state (client), ==, S9WS_STATE_CLOSED);
  g_assert_cmpint (s9ws_client_get_fd (client), ==, -1);

  /* Ended is ended. */
  g_clear_error (&error);
  g_assert_false (s9ws_client_run (client, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_CONNECTION_CLOSED);
  g_clear_error (&error);
  g_assert_false (s9ws_client_open (client, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_CONNECTION_CLOSED);
  g_clear_error (&error);
  g_assert_false (s9ws_client_send_text (client, "x", &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_CONNECTION_CLOSED);
  g_clear_error (&error);
  g_assert_false (s9ws_client_close (client, 1000, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_CONNECTION_CLOSED);

  if (end->script == script_refuse)
    {
      g_autoptr (GBytes) body = s9ws_client_get_response_body (client);

      g_assert_cmpuint (s9ws_client_get_response_status (client), ==, 403);
      g_assert_cmpstr (s9ws_client_get_response_header (client, "x-why"), ==, "because");
      g_assert_cmpmem (g_bytes_get_data (body, NULL), g_bytes_get_size (body), "no", 2);
    }
}

static void
test_truncated (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, script_truncate, NULL);
  g_autoptr (S9wsOptions) options = create_options (NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GError) error = NULL;

  g_assert_false (s9ws_client_run (client, NULL, &error));
  g_assert_error (error, S9WS_ERROR, (test->is_secure ? S9WS_ERROR_TLS : S9WS_ERROR_IO));
}

/* Talking */

static void
on_activated_talk (S9wsClient *client,
                   gpointer    user_data)
{
  g_assert_cmpint (s9ws_client_get_state (client), ==, S9WS_STATE_OPEN);
  g_assert_true (s9ws_client_send_text (client, "Hello", NULL));
  g_assert_true (s9ws_client_send_binary (client, (const guint8 *) "bin", 3, NULL));
  g_assert_true (s9ws_client_send_ping (client, (const guint8 *) "me", 2, NULL));
  g_assert_true (s9ws_client_send_text_len (client, "a\0b", 3, NULL));
}

static void
on_text_close (S9wsClient *client,
               const char *text,
               gpointer    user_data)
{
  g_autoptr (GError) error = NULL;

  if (g_str_equal (text, "a\357\277\275b"))
    {
      g_assert_true (s9ws_client_close (client, 4000, "enough", NULL));
      g_assert_false (s9ws_client_send_text (client, "more", &error));
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_CONNECTION_CLOSED);
    }
}

static void
test_talk (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, test_script_echo, NULL);
  const char *const protocols[] = { "one", "two", NULL };
  g_autoptr (S9wsOptions) options = create_options ("protocols", protocols, NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (S9wsStats) stats = NULL;

  record_signals (client, log);
  g_signal_connect (client, "activated", G_CALLBACK (on_activated_talk), NULL);
  g_signal_connect (client, "text-message", G_CALLBACK (on_text_close), NULL);
  g_assert_true (s9ws_client_run (client, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (log->str, ==, "activated text(Hello) binary(bin) pong(me) text(a\357\277\275b) closed(4000,enough) quit ");

  g_assert_cmpuint (s9ws_client_get_response_status (client), ==, 101);
  g_assert_cmpstr (s9ws_client_get_protocol (client), ==, "one");
  stats = s9ws_client_get_stats (client);
  g_assert_cmpuint (stats->messages_received, ==, 3);
  g_assert_cmpuint (stats->messages_sent, ==, 3);
  g_assert_cmpuint (stats->bytes_received, ==, 11);
  g_assert_cmpuint (stats->bytes_sent, ==, 11);
  g_assert_cmpuint (stats->pings_sent, ==, 1);
  g_assert_cmpuint (stats->pongs_received, ==, 1);
  g_assert_cmpint (stats->last_round_trip, >=, 0);
  g_assert_cmpuint (stats->reads, >, 0);
  g_assert_cmpuint (stats->writes, >, 0);
}

/* Opened beforehand, with what lies underneath. */
static void
test_open (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, test_script_echo, NULL);
  g_autoptr (S9wsOptions) options = create_options ("nodelay", FALSE, "ttl", 33, NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  record_signals (client, log);
  g_signal_connect (client, "activated", G_CALLBACK (on_activated_talk), NULL);
  g_signal_connect (client, "text-message", G_CALLBACK (on_text_close), NULL);
  g_assert_true (s9ws_client_open (client, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (log->str, ==, "");
  g_assert_cmpint (s9ws_client_get_fd (client), >=, 0);
  g_assert_cmpuint (g_socket_get_ttl (s9ws_client_get_socket (client)), ==, 33);
  g_assert_true ((s9ws_client_get_tls_session (client) != NULL) == test->is_secure);
  g_assert_false (s9ws_client_open (client, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
  g_clear_error (&error);
  g_assert_true (s9ws_client_run (client, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (log->str, ==, "activated text(Hello) binary(bin) pong(me) text(a\357\277\275b) closed(4000,enough) quit ");
}

static void
on_opened (GObject      *object,
           GAsyncResult *result,
           gpointer      user_data)
{
  GError **error = user_data;
  gboolean is_open = s9ws_client_open_finish (S9WS_CLIENT (object), result, error);

  g_assert_true (is_open == (*error == NULL));
  g_object_set_data (object, "is-done", GINT_TO_POINTER (TRUE));
}

static void
open_async (S9wsClient    *client,
            GCancellable  *cancellable,
            GError       **error)
{
  s9ws_client_open_async (client, cancellable, on_opened, error);
  while (g_object_get_data (G_OBJECT (client), "is-done") == NULL)
    g_main_context_iteration (NULL, TRUE);
}

static gboolean
has_quit (GString *log)
{
  return g_str_has_suffix (log->str, "quit ");
}

static void
test_open_async (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, test_script_echo, NULL);
  g_autoptr (S9wsOptions) options = create_options (NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  record_signals (client, log);
  g_signal_connect (client, "activated", G_CALLBACK (on_activated_talk), NULL);
  g_signal_connect (client, "text-message", G_CALLBACK (on_text_close), NULL);
  open_async (client, NULL, &error);
  g_assert_no_error (error);
  if (test->kind == KIND_ASYNC)
    while (!has_quit (log))
      g_main_context_iteration (NULL, TRUE);
  else
    g_assert_true (s9ws_client_run (client, NULL, &error));
  g_assert_cmpstr (log->str, ==, "activated text(Hello) binary(bin) pong(me) text(a\357\277\275b) closed(4000,enough) quit ");
}

static void
test_open_async_failure (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, script_refuse, NULL);
  g_autoptr (S9wsOptions) options = create_options (NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  record_signals (client, log);
  open_async (client, NULL, &error);
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_HANDSHAKE);
  while (!has_quit (log))
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (log->str, ==, "error(4) quit ");
}

static void
on_opened_or_not (GObject      *object,
                  GAsyncResult *result,
                  gpointer      user_data)
{
  gboolean *is_done = user_data;

  s9ws_client_open_finish (S9WS_CLIENT (object), result, NULL);
  *is_done = TRUE;
}

static void
on_gone (gpointer  user_data,
         GObject  *object)
{
  GThread **thread = user_data;

  *thread = g_thread_self ();
}

/* Once it has been told how that ended, the client is its owner's alone: it goes with the last
 * reference, on the owner's thread, as a language's handlers have to. */
static void
test_open_async_lets_go (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, test_script_echo, NULL);

  for (guint i = 0; i < 300; i++)
    {
      S9wsClient *client = create_client (test->kind, i % 4 == 0 ? test_server_get_uri (server) : "ws://127.0.0.1:1/", NULL);
      GThread *gone_on = NULL;
      gboolean is_done = FALSE;

      g_object_weak_ref (G_OBJECT (client), on_gone, &gone_on);
      s9ws_client_open_async (client, NULL, on_opened_or_not, &is_done);
      /* At once, not when the kernel wakes this thread: before the other has gone on. */
      while (!is_done)
        g_main_context_iteration (NULL, FALSE);
      g_object_unref (client);
      g_assert_true (gone_on == g_thread_self ());
    }
}

/* Interrupting */

static void
script_silent (TestPeer *peer,
               gpointer  user_data)
{
  TestGate *gate = user_data;

  test_peer_accept (peer, NULL, NULL);
  if (gate != NULL)
    test_gate_open (gate);
  test_peer_wait_end (peer);
}

static void
script_mute (TestPeer *peer,
             gpointer  user_data)
{
  TestGate *gate = user_data;

  test_peer_read_request (peer);
  test_gate_open (gate);
  test_peer_wait_end (peer);
}

typedef struct
{
  TestGate gate;
  S9wsClient *client;
  GCancellable *cancellable;
} Interruption;

static gpointer
interrupt (gpointer data)
{
  Interruption *interruption = data;

  g_assert_true (test_gate_wait (&interruption->gate));
  if (interruption->cancellable != NULL)
    g_cancellable_cancel (interruption->cancellable);
  else
    s9ws_client_force_quit (interruption->client);
  return NULL;
}

static void
check_interruption (const Case *test,
                    TestScript  script,
                    gboolean    cancels)
{
  Interruption interruption = { .cancellable = cancels ? g_cancellable_new () : NULL };
  g_autoptr (TestServer) server = create_server (test, script, &interruption.gate);
  g_autoptr (S9wsOptions) options = create_options (NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  GThread *thread;

  interruption.client = client;
  record_signals (client, log);
  thread = g_thread_new ("interrupt", interrupt, &interruption);
  if (cancels)
    {
      g_assert_false (s9ws_client_run (client, interruption.cancellable, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    }
  else
    {
      g_assert_true (s9ws_client_run (client, NULL, &error));
      g_assert_no_error (error);
    }
  g_thread_join (thread);
  g_clear_object (&interruption.cancellable);

  /* It may come before the first signal or after it. */
  g_assert_true (g_str_equal (log->str, "quit ") ||
                 (script == script_silent && g_str_equal (log->str, "activated quit ")));
}

static void
test_force_quit_running (gconstpointer data)
{
  check_interruption (data, script_silent, FALSE);
}

static void
test_cancel_running (gconstpointer data)
{
  check_interruption (data, script_silent, TRUE);
}

static void
test_force_quit_opening (gconstpointer data)
{
  check_interruption (data, script_mute, FALSE);
}

static void
test_cancel_opening (gconstpointer data)
{
  check_interruption (data, script_mute, TRUE);
}

static void
test_cancelled_before (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (S9wsClient) client = create_client (test->kind, "ws://127.0.0.1:1/", NULL);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  g_cancellable_cancel (cancellable);
  record_signals (client, log);
  g_assert_false (s9ws_client_run (client, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpstr (log->str, ==, "quit ");
}

/* Everything from inside everything */

/* Not before the client has said something: so that there is a turn before it. */
static void
script_answer (TestPeer *peer,
               gpointer  user_data)
{
  TestFrame frame;

  test_peer_accept (peer, NULL, NULL);
  test_peer_read_frame (peer, &frame);
  test_peer_close (peer, 1000, NULL, NULL);
}

static void
on_activated_say (S9wsClient *client,
                  gpointer    user_data)
{
  s9ws_client_send_text (client, "Hello", NULL);
}

typedef enum
{
  ACT_CLOSE,
  ACT_FORCE_QUIT,
  ACT_RUN,
  ACT_UNREF,
  ACT_SET_HANDLER,
  N_ACTS,
} Act;

typedef struct
{
  Act act;
  S9wsClient *client; /* NULL once it has been unreferenced */
  gboolean has_acted;
} Actor;

static void
act (S9wsClient *client,
     Actor      *actor)
{
  g_autoptr (GError) error = NULL;

  if (actor->has_acted)
    return;

  actor->has_acted = TRUE;
  switch (actor->act)
    {
    case ACT_CLOSE:
      s9ws_client_close (client, 1000, NULL, NULL);
      break;
    case ACT_FORCE_QUIT:
      s9ws_client_force_quit (client);
      break;
    case ACT_RUN:
      g_assert_false (s9ws_client_run (client, NULL, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
      g_clear_error (&error);
      g_assert_false (s9ws_client_open (client, NULL, &error));
      g_assert_nonnull (error);
      break;
    case ACT_UNREF:
      g_clear_object (&actor->client);
      break;
    case ACT_SET_HANDLER:
      s9ws_client_set_handler (client, NULL);
      break;
    case N_ACTS:
    default:
      g_assert_not_reached ();
    }
}

static void
on_plain_act (S9wsClient *client,
              gpointer    user_data)
{
  act (client, user_data);
}

static void
on_one_act (S9wsClient *client,
            gpointer    argument,
            gpointer    user_data)
{
  act (client, user_data);
}

static void
on_closed_act (S9wsClient *client,
               guint       code,
               const char *reason,
               gpointer    user_data)
{
  act (client, user_data);
}

static void
check_act (const Case *test,
           const char *signal,
           GCallback   callback,
           TestScript  script,
           Act         kind)
{
  g_autoptr (TestServer) server = create_server (test, script, NULL);
  g_autoptr (S9wsOptions) options = create_options ("read-timeout", (guint64) 1000, "close-timeout", 100, NULL);
  Actor actor = { kind, create_client (test->kind, test_server_get_uri (server), options), FALSE };
  S9wsClient *client = actor.client;
  g_autoptr (GString) log = g_string_new (NULL);

  record_signals (client, log);
  g_signal_connect (client, "activated", G_CALLBACK (on_activated_say), NULL);
  g_signal_connect (client, signal, callback, &actor);
  s9ws_client_run (client, NULL, NULL);
  g_assert_true (actor.has_acted);
  g_assert_true (has_quit (log));
  g_clear_object (&actor.client);
}

static void
test_acts (gconstpointer data)
{
  const Case *test = data;

  for (Act kind = 0; kind < N_ACTS; kind++)
    {
      check_act (test, "activated", G_CALLBACK (on_plain_act), script_close_at_once, kind);
      check_act (test, "text-message", G_CALLBACK (on_one_act), script_close_at_once, kind);
      check_act (test, "binary-message", G_CALLBACK (on_one_act), script_close_at_once, kind);
      check_act (test, "ping", G_CALLBACK (on_one_act), script_close_at_once, kind);
      check_act (test, "pong", G_CALLBACK (on_one_act), script_close_at_once, kind);
      check_act (test, "connection-closed", G_CALLBACK (on_closed_act), script_close_at_once, kind);
      check_act (test, "error", G_CALLBACK (on_one_act), script_violation, kind);
      check_act (test, "error", G_CALLBACK (on_one_act), script_refuse, kind);
      check_act (test, "quit", G_CALLBACK (on_plain_act), script_close_at_once, kind);
      if (test->kind != KIND_ASYNC)
        check_act (test, "poll", G_CALLBACK (on_plain_act), script_answer, kind);
    }

  if (test->kind != KIND_ASYNC)
    {
      check_act (test, "idle", G_CALLBACK (on_plain_act), script_silent, ACT_CLOSE);
      check_act (test, "idle", G_CALLBACK (on_plain_act), script_silent, ACT_FORCE_QUIT);
    }
}

/* Timeouts */

static void
script_deaf (TestPeer *peer,
             gpointer  user_data)
{
  TestGate *gate = user_data;

  test_peer_accept (peer, NULL, NULL);
  /* Reads nothing, answers nothing. */
  test_gate_wait (gate);
  test_peer_reset (peer);
}

static void
on_activated_close (S9wsClient *client,
                    gpointer    user_data)
{
  g_assert_true (s9ws_client_close (client, 1000, NULL, NULL));
}

static void
test_close_timeout (gconstpointer data)
{
  const Case *test = data;
  TestGate gate = { 0 };
  g_autoptr (TestServer) server = create_server (test, script_deaf, &gate);
  g_autoptr (S9wsOptions) options = create_options ("close-timeout", 20, NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  record_signals (client, log);
  g_signal_connect (client, "activated", G_CALLBACK (on_activated_close), NULL);
  g_assert_true (s9ws_client_run (client, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (log->str, ==, "activated closed(1006) quit ");
  test_gate_open (&gate);
}

static void
test_handshake_timeout (gconstpointer data)
{
  const Case *test = data;
  TestGate gate = { 0 };
  g_autoptr (TestServer) server = create_server (test, script_mute, &gate);
  g_autoptr (S9wsOptions) options = create_options ("handshake-timeout", test->is_secure ? 300 : 20, NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GError) error = NULL;

  g_assert_false (s9ws_client_run (client, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_TIMED_OUT);
}

static void
on_idle_count (S9wsClient *client,
               gpointer    user_data)
{
  guint *n = user_data;

  if (++*n == 3)
    s9ws_client_close (client, 1000, NULL, NULL);
}

static void
test_idle (gconstpointer data)
{
  static const S9wsWaitStrategy strategies[] = {
    S9WS_WAIT_STRATEGY_DEFAULT, S9WS_WAIT_STRATEGY_SPIN, S9WS_WAIT_STRATEGY_SLEEP,
    S9WS_WAIT_STRATEGY_WAIT, S9WS_WAIT_STRATEGY_ADAPTIVE
  };
  const Case *test = data;

  for (gsize i = 0; i < G_N_ELEMENTS (strategies); i++)
    {
      g_autoptr (TestServer) server = create_server (test, script_silent, NULL);
      g_autoptr (S9wsOptions) options = create_options ("read-timeout", (guint64) 2000,
                                                        "spin-wait-duration", (guint64) 2000,
                                                        "wait-strategy", strategies[i],
                                                        "close-timeout", 20, NULL);
      g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
      g_autoptr (GString) log = g_string_new (NULL);
      g_autoptr (GError) error = NULL;
      guint n = 0;

      record_signals (client, log);
      g_signal_connect (client, "idle", G_CALLBACK (on_idle_count), &n);
      g_assert_true (s9ws_client_run (client, NULL, &error));
      g_assert_cmpuint (n, >=, 3);
      g_assert_cmpstr (log->str, ==, "activated closed(1006) quit ");
    }
}

/* Handlers of turns that come late */

typedef struct
{
  guint n_texts;
  guint connect_at; /* this many texts */
  guint heard_at;   /* likewise; 0: not yet */
} Latecomer;

static void
on_late_turn (S9wsClient *client,
              gpointer    user_data)
{
  Latecomer *latecomer = user_data;

  if (latecomer->heard_at == 0)
    latecomer->heard_at = latecomer->n_texts;
}

static void
on_text_connect (S9wsClient *client,
                 const char *text,
                 gpointer    user_data)
{
  Latecomer *latecomer = user_data;

  if (++latecomer->n_texts == latecomer->connect_at)
    g_signal_connect (client, "poll", G_CALLBACK (on_late_turn), latecomer);

  if (latecomer->n_texts == latecomer->connect_at + 100)
    s9ws_client_close (client, 1000, NULL, NULL);
  else
    g_assert_true (s9ws_client_send_text (client, "Hello", NULL));
}

static void
test_late_poll (gconstpointer data)
{
  /* A few looks in vain are not the rule yet: then the next turn is heard. */
  static const struct
  {
    guint connect_at;
    guint delay_max; /* where nothing but messages makes turns */
  } latecomers[] = { { 1, 0 }, { 10, 0 }, { 500, 80 } };
  const Case *test = data;

  for (gsize i = 0; i < G_N_ELEMENTS (latecomers); i++)
    {
      guint delay_max = test->kind == KIND_BLOCKING ? latecomers[i].delay_max : 80;
      g_autoptr (TestServer) server = create_server (test, test_script_echo, NULL);
      g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), NULL);
      Latecomer latecomer = { .connect_at = latecomers[i].connect_at };
      g_autoptr (GError) error = NULL;

      g_signal_connect (client, "activated", G_CALLBACK (on_activated_say), NULL);
      g_signal_connect (client, "text-message", G_CALLBACK (on_text_connect), &latecomer);
      g_assert_true (s9ws_client_run (client, NULL, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (latecomer.heard_at, >=, latecomers[i].connect_at);
      g_assert_cmpuint (latecomer.heard_at - latecomers[i].connect_at, <=, delay_max);
    }
}

/* Floods */

#define N_FLOOD 200
#define FLOOD_SIZE 65536

static void
script_flood (TestPeer *peer,
              gpointer  user_data)
{
  g_autofree char *payload = g_malloc0 (FLOOD_SIZE);
  TestFrame frame;

  /* Sends all before it reads anything: who waits to send meanwhile must read. */
  test_peer_accept (peer, NULL, NULL);
  for (guint i = 0; i < N_FLOOD; i++)
    test_peer_send_frame (peer, TEST_BINARY, TRUE, payload, FLOOD_SIZE);
  for (guint i = 0; i < N_FLOOD; i++)
    if (!test_peer_read_frame (peer, &frame) || frame.size != FLOOD_SIZE)
      return;
  test_peer_close (peer, 1000, "all there", NULL);
}

static void
on_activated_flood (S9wsClient *client,
                    gpointer    user_data)
{
  g_autofree guint8 *payload = g_malloc0 (FLOOD_SIZE);

  for (guint i = 0; i < N_FLOOD; i++)
    g_assert_true (s9ws_client_send_binary (client, payload, FLOOD_SIZE, NULL));
}

static void
on_binary_count (S9wsClient *client,
                 GBytes     *bytes,
                 gpointer    user_data)
{
  guint *n = user_data;

  g_assert_cmpuint (g_bytes_get_size (bytes), ==, FLOOD_SIZE);
  ++*n;
}

static void
test_flood (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, script_flood, NULL);
  g_autoptr (S9wsOptions) options = create_options ("max-queued-bytes", (guint64) 300000, NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GError) error = NULL;
  guint n = 0;

  g_signal_connect (client, "activated", G_CALLBACK (on_activated_flood), NULL);
  g_signal_connect (client, "binary-message", G_CALLBACK (on_binary_count), &n);
  g_assert_true (s9ws_client_run (client, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (n, ==, N_FLOOD);
}

/* Nothing is read by the server: the buffer fills, and says so. */
static void
on_activated_fill (S9wsClient *client,
                   gpointer    user_data)
{
  g_autofree guint8 *payload = g_malloc0 (FLOOD_SIZE);
  TestGate *gate = user_data;
  g_autoptr (GError) error = NULL;
  guint n = 0;

  /* A thread of the client's may have made room again, until the socket takes no more. */
  do
    {
      g_clear_error (&error);
      while (s9ws_client_send_binary (client, payload, FLOOD_SIZE, &error))
        g_assert_cmpuint (++n, <, 10000);
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_BUFFER_FULL);
    }
  while (s9ws_client_get_buffered_amount (client) == 0);
  g_assert_cmpuint (s9ws_client_get_buffered_amount (client), <=, 4 * FLOOD_SIZE + 1000);
  test_gate_open (gate);
}

static void
test_buffer_full (gconstpointer data)
{
  const Case *test = data;
  TestGate gate = { 0 };
  g_autoptr (TestServer) server = create_server (test, script_deaf, &gate);
  g_autoptr (S9wsOptions) options = create_options ("max-buffered-amount", (guint64) 4 * FLOOD_SIZE,
                                                    "write-timeout", (guint64) 1000, NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (S9wsStats) stats = NULL;

  g_signal_connect (client, "activated", G_CALLBACK (on_activated_fill), &gate);
  g_assert_false (s9ws_client_run (client, NULL, NULL));
  stats = s9ws_client_get_stats (client);
  g_assert_cmpuint (stats->bytes_unsent, <=, 4 * FLOOD_SIZE + 1000);
}

/* Bad input */

typedef struct
{
  const char *uri;
  int code;
} BadUri;

static const BadUri bad_uris[] = {
  { "", S9WS_ERROR_INVALID_URI },
  { "localhost", S9WS_ERROR_INVALID_URI },
  { "http://localhost/", S9WS_ERROR_INVALID_URI },
  { "ws:///path", S9WS_ERROR_INVALID_URI },
  { "ws://localhost:0/", S9WS_ERROR_INVALID_URI },
  { "ws://localhost:65536/", S9WS_ERROR_INVALID_URI },
  { "ws://localhost:x/", S9WS_ERROR_INVALID_URI },
  { "ws://localhost/#fragment", S9WS_ERROR_INVALID_URI },
  { "ws://localhost/a b", S9WS_ERROR_INVALID_URI },
  { "ws://127.0.0.1:1/", S9WS_ERROR_CONNECT },
};

static void
test_bad_uri (gconstpointer data)
{
  const Case *test = data;

  for (gsize i = 0; i < G_N_ELEMENTS (bad_uris); i++)
    {
      g_autoptr (S9wsClient) client = create_client (test->kind, bad_uris[i].uri, NULL);
      g_autoptr (GString) log = g_string_new (NULL);
      g_autoptr (GError) error = NULL;
      g_autofree char *expected = g_strdup_printf ("error(%d) quit ", bad_uris[i].code);

      record_signals (client, log);
      g_assert_false (s9ws_client_run (client, NULL, &error));
      g_assert_error (error, S9WS_ERROR, bad_uris[i].code);
      g_assert_cmpstr (log->str, ==, expected);
    }
}

static void
test_bad_options (gconstpointer data)
{
  static const char *const twice[] = { "a", "a", NULL };
  static const char *const no_token[] = { "a b", NULL };
  const Case *test = data;
  S9wsOptions *options[] = {
    create_options ("ttl", 256, NULL),
    create_options ("wait-strategy", S9WS_WAIT_STRATEGY_SLEEP, NULL),
    create_options ("read-timeout", G_MAXUINT64, NULL),
    create_options ("write-timeout", G_MAXUINT64, NULL),
    create_options ("spin-wait-duration", G_MAXUINT64, NULL),
    create_options ("protocols", twice, NULL),
    create_options ("protocols", no_token, NULL),
  };

  for (gsize i = 0; i < G_N_ELEMENTS (options); i++)
    {
      g_autoptr (S9wsClient) client = create_client (test->kind, "ws://localhost/", options[i]);
      g_autoptr (GError) error = NULL;

      g_assert_false (s9ws_client_open (client, NULL, &error));
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION);
      g_object_unref (options[i]);
    }
}

static void
test_before_open (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (S9wsClient) client = create_client (test->kind, "ws://localhost/", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_false (s9ws_client_send_text (client, "x", &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_NOT_OPEN);
  g_clear_error (&error);
  g_assert_false (s9ws_client_send_ping (client, NULL, 0, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_NOT_OPEN);
  g_clear_error (&error);
  g_assert_false (s9ws_client_close (client, 1000, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_NOT_OPEN);
  g_clear_error (&error);
  g_assert_false (s9ws_client_close (client, 1005, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_PROTOCOL);
  g_assert_cmpint (s9ws_client_get_state (client), ==, S9WS_STATE_NEW);
  g_assert_cmpuint (s9ws_client_get_response_status (client), ==, 0);
  g_assert_null (s9ws_client_get_protocol (client));
  g_assert_null (s9ws_client_get_socket (client));
}

static void
on_activated_bad_send (S9wsClient *client,
                       gpointer    user_data)
{
  guint8 payload[126] = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_false (s9ws_client_send_text (client, "\xff", &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_UTF8);
  g_clear_error (&error);
  g_assert_false (s9ws_client_send_ping (client, payload, 126, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_MESSAGE_TOO_BIG);
  g_clear_error (&error);
  g_assert_false (s9ws_client_close (client, 1006, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_PROTOCOL);

  /* It has stayed usable. */
  on_activated_talk (client, NULL);
}

static void
test_bad_send (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, test_script_echo, NULL);
  g_autoptr (S9wsOptions) options = create_options (NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GString) log = g_string_new (NULL);

  record_signals (client, log);
  g_signal_connect (client, "activated", G_CALLBACK (on_activated_bad_send), NULL);
  g_signal_connect (client, "text-message", G_CALLBACK (on_text_close), NULL);
  g_assert_true (s9ws_client_run (client, NULL, NULL));
  g_assert_cmpstr (log->str, ==, "activated text(Hello) binary(bin) pong(me) text(a\357\277\275b) closed(4000,enough) quit ");
}

static void
test_headers (void)
{
  static const char *const bad[][2] = {
    { "", "x" },
    { "a b", "x" },
    { "a:", "x" },
    { "X\r\n", "x" },
    { "X", "a\r\nb" },
    { "X", "a\nb" },
    { "X", "\x01" },
    { "Host", "x" },
    { "upgrade", "x" },
    { "Connection", "x" },
    { "sec-websocket-key", "x" },
    { "Sec-WebSocket-X", "x" },
    { "Content-Length", "1" },
  };
  g_autoptr (S9wsOptions) options = s9ws_options_new ();
  g_autoptr (GError) error = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_assert_false (s9ws_options_set_header (options, bad[i][0], bad[i][1], &error));
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION);
      g_clear_error (&error);
    }

  g_assert_true (s9ws_options_set_header (options, "X-Fine", "a\tb", &error));
  g_assert_no_error (error);
}

static void
script_request (TestPeer *peer,
                gpointer  user_data)
{
  GString *seen = user_data;
  static const char *const names[] = { "Host", "Authorization", "X-One", "Sec-WebSocket-Protocol", "Sec-WebSocket-Version" };
  const char *request = test_peer_read_request (peer);

  g_string_append_len (seen, request, (gssize) strcspn (request, "\r"));
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    g_string_append_printf (seen, "|%s", test_peer_get_request_header (peer, names[i]));
  test_peer_accept (peer, "b", NULL);
  test_peer_close (peer, 1000, NULL, NULL);
}

static void
test_request (gconstpointer data)
{
  const Case *test = data;
  static const char *const protocols[] = { "a", "b", NULL };
  g_autoptr (GString) seen = g_string_new (NULL);
  TestServer *server = create_server (test, script_request, seen);
  g_autoptr (S9wsOptions) options = create_options ("protocols", protocols, NULL);
  g_autofree char *uri = g_strdup_printf ("%s://us%%65r:p%%C3%%A4ss@127.0.0.1:%u/a%%20b?c=d&e",
                                          test->is_secure ? "wss" : "ws", test_server_get_port (server));
  g_autofree char *expected = g_strdup_printf ("GET /a%%20b?c=d&e HTTP/1.1|127.0.0.1:%u|Basic dXNlcjpww6Rzcw==|2|a, b|13",
                                               test_server_get_port (server));
  g_autoptr (S9wsClient) client = create_client (test->kind, uri, options);
  g_autoptr (GError) error = NULL;

  g_assert_true (s9ws_options_set_header (options, "X-One", "1", NULL));
  g_assert_true (s9ws_options_set_header (options, "x-one", "2", NULL));
  s9ws_client_run (client, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (s9ws_client_get_protocol (client), ==, "b");
  test_server_free (server);
  g_assert_cmpstr (seen->str, ==, expected);
}

/* TLS */

typedef struct
{
  const char *certificate;
  const char *priority;
  gboolean verifies;
  const char *server_name;
  gboolean is_fine;
} TlsCase;

static const TlsCase tls_cases[] = {
  { "good", NULL, TRUE, NULL, TRUE },
  { "good", TEST_TLS_1_2, TRUE, NULL, TRUE },
  { "good", TEST_TLS_1_3, TRUE, NULL, TRUE },
  { "good", "NORMAL:-VERS-ALL:+VERS-TLS1.1", TRUE, NULL, FALSE },
  { "expired", NULL, TRUE, NULL, FALSE },
  { "wrong-host", NULL, TRUE, NULL, FALSE },
  { "unknown", NULL, TRUE, NULL, FALSE },
  { "self-signed", NULL, TRUE, NULL, FALSE },
  { "self-signed", NULL, FALSE, NULL, TRUE },
  { "expired", NULL, FALSE, NULL, TRUE },
  { "wrong-host", NULL, TRUE, "elsewhere.example", TRUE },
  { "good", NULL, TRUE, "elsewhere.example", FALSE },
};

static void
test_tls (gconstpointer data)
{
  const Case *test = data;

  for (gsize i = 0; i < G_N_ELEMENTS (tls_cases); i++)
    {
      const TlsCase *tls = &tls_cases[i];
      g_autofree char *certificate = get_certificate (tls->certificate);
      g_autofree char *key_name = g_strconcat (tls->certificate, "-key", NULL);
      g_autofree char *key = get_certificate (key_name);
      g_autofree char *ca = get_certificate ("ca");
      TestServerConfig config = { .script = script_close, .certificate_file = certificate, .key_file = key, .priority = tls->priority };
      g_autoptr (TestServer) server = test_server_new_with_config (&config);
      g_autoptr (S9wsTlsContext) context = g_object_new (S9WS_TYPE_TLS_CONTEXT, "ca-file", ca, "verify-peer", tls->verifies,
                                                         "server-name", tls->server_name, NULL);
      g_autoptr (S9wsOptions) options = g_object_new (S9WS_TYPE_OPTIONS, "tls-context", context, NULL);
      g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
      g_autoptr (GString) log = g_string_new (NULL);
      g_autoptr (GError) error = NULL;

      record_signals (client, log);
      g_assert_true (s9ws_client_run (client, NULL, &error) == tls->is_fine);
      if (tls->is_fine)
        {
          g_assert_no_error (error);
          g_assert_cmpstr (log->str, ==, "activated text(Hello) closed(1001,bye) quit ");
        }
      else
        {
          g_assert_error (error, S9WS_ERROR, S9WS_ERROR_TLS);
          g_assert_cmpstr (log->str, ==, "error(3) quit ");
        }
    }
}

static void
script_count_resumed (TestPeer *peer,
                      gpointer  user_data)
{
  int *n_resumed = user_data;

  if (test_peer_is_resumed (peer))
    g_atomic_int_inc (n_resumed);
  script_close (peer, NULL);
}

static void
test_tickets (gconstpointer data)
{
  static const char *const priorities[] = { TEST_TLS_1_2, TEST_TLS_1_3 };
  const Case *test = data;

  for (gsize i = 0; i < G_N_ELEMENTS (priorities); i++)
    {
      g_autofree char *certificate = get_certificate ("good");
      g_autofree char *key = get_certificate ("good-key");
      int n_resumed = 0;
      TestServerConfig config = { .script = script_count_resumed, .user_data = &n_resumed, .certificate_file = certificate, .key_file = key, .priority = priorities[i] };
      TestServer *server = test_server_new_with_config (&config);
      g_autoptr (S9wsOptions) options = create_options (NULL);

      for (guint j = 0; j < 3; j++)
        {
          g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);

          g_assert_true (s9ws_client_run (client, NULL, NULL));
        }
      test_server_free (server);
      g_assert_cmpint (n_resumed, ==, 2);
    }
}

static void
test_client_certificate (gconstpointer data)
{
  const Case *test = data;
  g_autofree char *certificate = get_certificate ("good");
  g_autofree char *key = get_certificate ("good-key");
  g_autofree char *ca = get_certificate ("ca");
  g_autofree char *client_certificate = get_certificate ("client");
  g_autofree char *client_key = get_certificate ("client-key");
  TestServerConfig config = { .script = script_close, .certificate_file = certificate, .key_file = key, .client_ca_file = ca };
  g_autoptr (TestServer) server = test_server_new_with_config (&config);
  g_autoptr (S9wsTlsContext) context = g_object_new (S9WS_TYPE_TLS_CONTEXT, "ca-file", ca, NULL);
  g_autoptr (S9wsOptions) options = g_object_new (S9WS_TYPE_OPTIONS, "tls-context", context, NULL);
  g_autoptr (S9wsClient) without = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (S9wsClient) with = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GError) error = NULL;

  g_assert_false (s9ws_client_run (without, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_TLS);
  g_clear_error (&error);
  g_object_set (context, "certificate-file", client_certificate, "key-file", client_key, NULL);
  g_assert_true (s9ws_client_run (with, NULL, &error));
  g_assert_no_error (error);
}

static void
test_bad_tls_context (gconstpointer data)
{
  const Case *test = data;
  g_autofree char *key = get_certificate ("client-key");
  const char *const bad[][3] = {
    { "ca-file", "/nonexistent", "could not be loaded: No such file or directory; expected" },
    { "ca-file", key, "could not be loaded: " },
    { "certificate-file", "/nonexistent", "could not be loaded: No such file or directory" },
    { "key-file", key, "no certificate-file" },
    { "priority", "NONSENSE", "priority" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (S9wsTlsContext) context = g_object_new (S9WS_TYPE_TLS_CONTEXT, bad[i][0], bad[i][1], NULL);
      g_autoptr (S9wsOptions) options = g_object_new (S9WS_TYPE_OPTIONS, "tls-context", context, NULL);
      g_autoptr (S9wsClient) client = create_client (test->kind, "wss://127.0.0.1:1/", options);
      g_autoptr (GError) error = NULL;

      g_assert_false (s9ws_client_open (client, NULL, &error));
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION);
      g_assert_nonnull (strstr (error->message, bad[i][1]));
      g_assert_nonnull (strstr (error->message, bad[i][2]));
      g_assert_null (strstr (error->message, ".;"));
    }
}

static void
add (const char    *name,
     GTestDataFunc  function,
     gconstpointer  data,
     gboolean       with_plain,
     gboolean       with_tls)
{
  for (Kind kind = 0; kind < N_KINDS; kind++)
    for (int is_secure = !with_plain; is_secure <= with_tls; is_secure++)
      {
        Case *test = g_new0 (Case, 1);
        g_autofree char *path = g_strdup_printf ("/client/%s/%s/%s", kind_names[kind], is_secure ? "wss" : "ws", name);

        test->kind = kind;
        test->is_secure = is_secure;
        test->data = data;
        g_test_add_data_func_full (path, test, function, g_free);
      }
}

int
main (int    argc,
      char **argv)
{
  setlocale (LC_ALL, "C");
  g_test_init (&argc, &argv, NULL);
  start_watchdog (240);

  for (gsize i = 0; i < G_N_ELEMENTS (ends); i++)
    {
      g_autofree char *name = g_strconcat ("end/", ends[i].name, NULL);

      add (name, test_end, &ends[i], TRUE, TRUE);
    }
  add ("truncated", test_truncated, NULL, TRUE, TRUE);
  add ("talk", test_talk, NULL, TRUE, TRUE);
  add ("open", test_open, NULL, TRUE, TRUE);
  add ("open-async", test_open_async, NULL, TRUE, TRUE);
  add ("open-async-failure", test_open_async_failure, NULL, TRUE, FALSE);
  add ("open-async-lets-go", test_open_async_lets_go, NULL, TRUE, FALSE);
  add ("force-quit-running", test_force_quit_running, NULL, TRUE, TRUE);
  add ("force-quit-opening", test_force_quit_opening, NULL, TRUE, TRUE);
  add ("cancel-running", test_cancel_running, NULL, TRUE, TRUE);
  add ("cancel-opening", test_cancel_opening, NULL, TRUE, TRUE);
  add ("cancelled-before", test_cancelled_before, NULL, TRUE, FALSE);
  add ("acts", test_acts, NULL, TRUE, FALSE);
  add ("close-timeout", test_close_timeout, NULL, TRUE, TRUE);
  add ("handshake-timeout", test_handshake_timeout, NULL, TRUE, TRUE);
  add ("flood", test_flood, NULL, TRUE, TRUE);
  add ("buffer-full", test_buffer_full, NULL, TRUE, TRUE);
  add ("bad-uri", test_bad_uri, NULL, TRUE, FALSE);
  add ("bad-options", test_bad_options, NULL, TRUE, FALSE);
  add ("before-open", test_before_open, NULL, TRUE, FALSE);
  add ("bad-send", test_bad_send, NULL, TRUE, FALSE);
  add ("request", test_request, NULL, TRUE, TRUE);
  add ("tls", test_tls, NULL, FALSE, TRUE);
  add ("tickets", test_tickets, NULL, FALSE, TRUE);
  add ("client-certificate", test_client_certificate, NULL, FALSE, TRUE);
  add ("bad-tls-context", test_bad_tls_context, NULL, FALSE, TRUE);
  g_test_add_func ("/client/headers", test_headers);
  for (Kind kind = 0; kind <= KIND_NON_BLOCKING; kind++)
    {
      Case *test = g_new0 (Case, 1);
      Case *late_test = g_new0 (Case, 1);
      g_autofree char *path = g_strdup_printf ("/client/%s/ws/idle", kind_names[kind]);
      g_autofree char *late_path = g_strdup_printf ("/client/%s/ws/late-poll", kind_names[kind]);

      test->kind = kind;
      g_test_add_data_func_full (path, test, test_idle, g_free);
      late_test->kind = kind;
      g_test_add_data_func_full (late_path, late_test, test_late_poll, g_free);
    }

  return g_test_run ();
}
