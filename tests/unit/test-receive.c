/* test-receive.c: taking events off, and running for a while, with all three clients
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <locale.h>
#include <string.h>

#include "recorder.h"

#define MILLISECOND ((gint64) 1000) /* µs */

typedef struct
{
  Kind kind;
  gboolean is_secure;
} Case;

/* What a server waits for before it goes on. */
static TestGate gate;

static TestServer *
create_server (const Case *test,
               TestScript  script)
{
  g_autofree char *certificate = get_certificate ("good");
  g_autofree char *key = get_certificate ("good-key");

  test_gate_close (&gate);
  return test->is_secure ? test_server_new_with_tls (script, NULL, certificate, key)
                         : test_server_new (script, NULL);
}

static S9wsClient *
create (const Case *test,
        TestServer *server)
{
  /* A non-blocking client should not take the machine from its server. */
  g_autoptr (S9wsOptions) options = create_options ("wait-strategy", S9WS_WAIT_STRATEGY_WAIT, NULL);

  return create_client (test->kind, test_server_get_uri (server), options);
}

static void
log_event (GString   *log,
           S9wsEvent *event)
{
  static const char *const names[] = {
    "activated", "text", "binary", "ping", "pong", "closed", "error", "quit"
  };
  S9wsEventKind kind = s9ws_event_get_kind (event);
  gsize size;
  const guint8 *data = s9ws_event_get_data (event, &size);

  g_string_append (log, names[kind]);
  if (kind == S9WS_EVENT_KIND_CONNECTION_CLOSED)
    g_string_append_printf (log, "(%u,%s)", s9ws_event_get_code (event), s9ws_event_get_reason (event));
  else if (kind == S9WS_EVENT_KIND_ERROR)
    g_string_append_printf (log, "(%d)", s9ws_event_get_error (event)->code);
  else if (size > 0)
    g_string_append_printf (log, "(%s)", data);
  g_string_append_c (log, ' ');
}

/* To the end. */
static void
receive_all (S9wsClient *client,
             GString    *log)
{
  g_autoptr (GError) error = NULL;
  S9wsEvent *event;

  while ((event = s9ws_client_receive (client, -1, &error)) != NULL)
    {
      log_event (log, event);
      s9ws_event_unref (event);
    }
  g_assert_no_error (error);
}

static void
assert_nothing (S9wsClient *client,
                gint64      timeout)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (s9ws_client_receive (client, timeout, &error));
  g_assert_no_error (error);
}

/* Ends */

static void
script_all (TestPeer *peer,
            gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_send_frame (peer, TEST_TEXT, TRUE, "Hello", 5);
  test_peer_send_frame (peer, TEST_BINARY, FALSE, "by", 2);
  test_peer_send_frame (peer, TEST_PING, TRUE, "ping", 4);
  test_peer_send_frame (peer, TEST_CONTINUATION, TRUE, "tes", 3);
  test_peer_send_frame (peer, TEST_PONG, TRUE, "pong", 4);
  test_peer_close (peer, 3001, "bye", NULL);
}

static void
script_vanish (TestPeer *peer,
               gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_send_frame (peer, TEST_TEXT, TRUE, "Hello", 5);
}

static void
script_refuse (TestPeer *peer,
               gpointer  user_data)
{
  test_peer_read_request (peer);
  test_peer_send_string (peer, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  test_peer_wait_end (peer);
}

static void
check_end (const Case *test,
           TestScript  script,
           const char *expected)
{
  g_autoptr (TestServer) server = create_server (test, script);
  g_autoptr (S9wsClient) client = create (test, server);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GString) signals = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  record_signals (client, signals);
  receive_all (client, log);
  g_assert_cmpstr (log->str, ==, expected);
  g_assert_cmpstr (signals->str, ==, "");
  g_assert_cmpint (s9ws_client_get_state (client), ==, S9WS_STATE_CLOSED);

  receive_all (client, log);
  g_assert_cmpstr (log->str, ==, expected);
  g_assert_false (s9ws_client_run (client, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_CONNECTION_CLOSED);
}

static void
test_all (gconstpointer data)
{
  check_end (data, script_all, "activated text(Hello) ping(ping) binary(bytes) pong(pong) closed(3001,bye) quit ");
}

static void
test_vanished (gconstpointer data)
{
  check_end (data, script_vanish, "activated text(Hello) error(13) closed(1006,(null)) quit ");
}

static void
test_refused (gconstpointer data)
{
  check_end (data, script_refuse, "error(4) quit ");
}

static gpointer
force_quit (gpointer data)
{
  test_gate_wait (&gate);
  s9ws_client_force_quit (data);
  return NULL;
}

static void
script_silent (TestPeer *peer,
               gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_gate_open (&gate);
  test_peer_wait_end (peer);
}

static void
test_force_quit (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, script_silent);
  g_autoptr (S9wsClient) client = create (test, server);
  g_autoptr (GString) log = g_string_new (NULL);
  GThread *thread = g_thread_new ("quitter", force_quit, client);

  receive_all (client, log);
  g_thread_join (thread);
  /* It may have come while the client was still being told that it is open. */
  g_assert_true (g_str_equal (log->str, "activated quit ") || g_str_equal (log->str, "quit "));
}

/* Time */

static void
script_on_request (TestPeer *peer,
                   gpointer  user_data)
{
  static const char *const texts[] = { "one", "two" };

  test_peer_accept (peer, NULL, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      test_gate_wait (&gate);
      test_gate_close (&gate);
      test_peer_send_frame (peer, TEST_TEXT, TRUE, texts[i], 3);
    }
  test_gate_wait (&gate);
  test_peer_close (peer, 1000, "end", NULL);
}

static S9wsEvent *
receive_one (S9wsClient *client)
{
  g_autoptr (GError) error = NULL;
  S9wsEvent *event = s9ws_client_receive (client, -1, &error);

  g_assert_no_error (error);
  g_assert_nonnull (event);
  return event;
}

static void
test_timeout (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, script_on_request);
  g_autoptr (S9wsClient) client = create (test, server);
  g_autoptr (S9wsEvent) activated = receive_one (client);
  g_autoptr (S9wsEvent) text = NULL;
  g_autoptr (GString) log = g_string_new (NULL);

  g_assert_cmpint (s9ws_event_get_kind (activated), ==, S9WS_EVENT_KIND_ACTIVATED);
  assert_nothing (client, 0);
  assert_nothing (client, 3 * MILLISECOND);
  g_assert_cmpint (s9ws_client_get_state (client), ==, S9WS_STATE_OPEN);

  test_gate_open (&gate);
  text = receive_one (client);
  g_assert_cmpstr (s9ws_event_get_text (text), ==, "one");
  assert_nothing (client, 0);

  test_gate_open (&gate);
  g_clear_pointer (&text, s9ws_event_unref);
  text = receive_one (client);
  g_assert_cmpstr (s9ws_event_get_text (text), ==, "two");
  test_gate_open (&gate);
  receive_all (client, log);
  g_assert_cmpstr (log->str, ==, "closed(1000,end) quit ");
}

/* Until @log says @expected: each call ends because its time is up. */
static void
run_until (S9wsClient *client,
           GString    *log,
           const char *expected)
{
  gint64 end = g_get_monotonic_time () + TEST_TIMEOUT * G_USEC_PER_SEC;

  do
    {
      g_autoptr (GError) error = NULL;
      gboolean has_ended = TRUE;

      g_assert_true (s9ws_client_run_for (client, MILLISECOND, NULL, &has_ended, &error));
      g_assert_no_error (error);
      g_assert_false (has_ended);
      g_assert_cmpint (g_get_monotonic_time (), <, end);
    }
  while (!g_str_equal (log->str, expected));
}

/* What one takes off the other does not see; each event is seen once. */
static void
test_turns (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, script_on_request);
  g_autoptr (S9wsClient) client = create (test, server);
  g_autoptr (S9wsEvent) text = NULL;
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  gboolean has_ended = FALSE;

  record_signals (client, log);
  run_until (client, log, "activated ");
  run_until (client, log, "activated ");

  test_gate_open (&gate);
  text = receive_one (client);
  g_assert_cmpstr (s9ws_event_get_text (text), ==, "one");
  g_assert_cmpstr (log->str, ==, "activated ");

  test_gate_open (&gate);
  run_until (client, log, "activated text(two) ");

  test_gate_open (&gate);
  g_assert_true (s9ws_client_run_for (client, TEST_TIMEOUT * G_USEC_PER_SEC, NULL, &has_ended, &error));
  g_assert_no_error (error);
  g_assert_true (has_ended);
  g_assert_cmpstr (log->str, ==, "activated text(two) closed(1000,end) quit ");
}

/* The error that ended the connection is that of the call that saw it. */
static void
test_lost (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, script_vanish);
  g_autoptr (S9wsClient) client = create (test, server);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  record_signals (client, log);
  while (s9ws_client_run_for (client, MILLISECOND, NULL, NULL, &error))
    ;
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_IO);
  g_assert_cmpstr (log->str, ==, "activated text(Hello) error(13) closed(1006) quit ");
}

/* However late it is noticed, quit comes before the error. */
static void
test_cancelled (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, script_silent);
  g_autoptr (S9wsClient) client = create (test, server);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  gboolean has_ended = FALSE;

  record_signals (client, log);
  run_until (client, log, "activated ");
  g_cancellable_cancel (cancellable);
  while (s9ws_client_run_for (client, 0, cancellable, &has_ended, &error))
    g_assert_false (has_ended);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpstr (log->str, ==, "activated quit ");
}

/* The thread has seen the end before anybody asks for it. */
static void
test_late (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, script_all);
  g_autoptr (S9wsClient) client = create (test, server);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  record_signals (client, log);
  if (test->kind == KIND_ASYNC)
    {
      g_assert_true (s9ws_async_client_start (S9WS_ASYNC_CLIENT (client), NULL));
      s9ws_async_client_join (S9WS_ASYNC_CLIENT (client));
    }
  g_assert_true (s9ws_client_run (client, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (log->str, ==, "activated text(Hello) ping(ping) binary(bytes) pong(pong) closed(3001,bye) quit ");
}

static void
on_activated_receive (S9wsClient *client,
                      guint      *n)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (s9ws_client_receive (client, 0, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
  g_clear_error (&error);
  g_assert_false (s9ws_client_run_for (client, 0, NULL, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
  s9ws_client_force_quit (client);
  ++*n;
}

static void
test_pending (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, script_silent);
  g_autoptr (S9wsClient) client = create (test, server);
  guint n = 0;

  g_signal_connect (client, "activated", G_CALLBACK (on_activated_receive), &n);
  g_assert_true (s9ws_client_run (client, NULL, NULL));
  g_assert_cmpuint (n, ==, 1);
}

static void
on_idle_count (S9wsClient *client,
               guint      *n)
{
  ++*n;
}

/* What a client waits for it waits for over many calls, and no shorter. */
static void
check_idle (const Case       *test,
            S9wsWaitStrategy  strategy)
{
  const guint64 wait = 20 * MILLISECOND;
  g_autoptr (TestServer) server = create_server (test, script_silent);
  g_autoptr (S9wsOptions) options = create_options ("wait-strategy", strategy, "read-timeout", wait,
                                                    "spin-wait-duration", wait, NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  gint64 begin = g_get_monotonic_time ();
  guint n = 0;

  g_signal_connect (client, "idle", G_CALLBACK (on_idle_count), &n);
  while (n < 4)
    {
      gint64 passed;

      g_assert_true (s9ws_client_run_for (client, MILLISECOND, NULL, NULL, NULL));
      passed = g_get_monotonic_time () - begin;
      g_assert_cmpint (passed, <, TEST_TIMEOUT * G_USEC_PER_SEC);
      /* The first one comes before a sleep. */
      g_assert_cmpint ((gint64) (n - MIN (n, 1)) * (gint64) wait, <=, passed);
    }
}

static void
test_idle (gconstpointer data)
{
  const Case *test = data;

  if (test->kind == KIND_ASYNC)
    return;

  check_idle (test, S9WS_WAIT_STRATEGY_WAIT);
  check_idle (test, S9WS_WAIT_STRATEGY_SLEEP);
}

/* Sending */

static void
test_text_bytes (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, test_script_echo);
  g_autoptr (S9wsClient) client = create (test, server);
  g_autoptr (S9wsEvent) first = receive_one (client);
  g_autoptr (S9wsEvent) text = NULL;
  g_autoptr (S9wsEvent) empty = NULL;
  g_autoptr (GBytes) bytes = g_bytes_new_static ("a\0b", 3);
  g_autoptr (GBytes) nothing = g_bytes_new_static (NULL, 0);
  g_autoptr (GBytes) bad = g_bytes_new_static ("\xff", 1);
  g_autoptr (GError) error = NULL;
  gsize size;
  const guint8 *received;

  g_assert_cmpint (s9ws_event_get_kind (first), ==, S9WS_EVENT_KIND_ACTIVATED);
  g_assert_true (s9ws_client_send_text_bytes (client, bytes, &error));
  g_assert_no_error (error);
  text = receive_one (client);
  g_assert_cmpint (s9ws_event_get_kind (text), ==, S9WS_EVENT_KIND_TEXT_MESSAGE);
  received = s9ws_event_get_data (text, &size);
  g_assert_cmpmem (received, size, "a\0b", 3);

  g_assert_true (s9ws_client_send_text_bytes (client, nothing, &error));
  g_assert_no_error (error);
  empty = receive_one (client);
  g_assert_cmpint (s9ws_event_get_kind (empty), ==, S9WS_EVENT_KIND_TEXT_MESSAGE);
  g_assert_cmpstr (s9ws_event_get_text (empty), ==, "");

  g_assert_false (s9ws_client_send_text_bytes (client, bad, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_UTF8);
}

static void
add (const char    *name,
     GTestDataFunc  function)
{
  for (Kind kind = 0; kind < N_KINDS; kind++)
    for (int is_secure = FALSE; is_secure <= TRUE; is_secure++)
      {
        Case *test = g_new0 (Case, 1);
        g_autofree char *path = g_strdup_printf ("/receive/%s/%s/%s", kind_names[kind], is_secure ? "wss" : "ws", name);

        test->kind = kind;
        test->is_secure = is_secure;
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
  test_gate_init (&gate);

  add ("all", test_all);
  add ("vanished", test_vanished);
  add ("refused", test_refused);
  add ("force-quit", test_force_quit);
  add ("timeout", test_timeout);
  add ("turns", test_turns);
  add ("lost", test_lost);
  add ("cancelled", test_cancelled);
  add ("late", test_late);
  add ("pending", test_pending);
  add ("idle", test_idle);
  add ("text-bytes", test_text_bytes);

  return g_test_run ();
}
