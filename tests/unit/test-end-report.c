/* test-end-report.c: how a connection ended, for each way in which it can
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "recorder.h"

typedef struct
{
  const char *name;
  TestScript script;
  void (*act) (S9wsClient *client); /* once it is open; or NULL */
  gboolean with_plain, with_tls;

  S9wsEndInitiator initiator;
  guint code;
  guint sent_code;
  const char *sent_reason;
  guint received_code;
  const char *received_reason;
  gboolean is_clean;
  int error_code; /* of S9WS_ERROR; -1: none */
  int error_number;
  const char *line; /* how it begins */
} End;

typedef struct
{
  Kind kind;
  gboolean is_secure;
  const End *end;
} Case;

/* The servers */

static void
script_close (TestPeer *peer,
              gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_close (peer, 1001, "going\naway", NULL);
}

static void
script_close_without_code (TestPeer *peer,
                           gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_close (peer, 0, NULL, NULL);
}

static void
script_answer (TestPeer *peer,
               gpointer  user_data)
{
  TestFrame frame;

  test_peer_accept (peer, NULL, NULL);
  test_peer_read_frame (peer, &frame);
  test_peer_close (peer, 4001, "yours", NULL);
}

static void
script_silent (TestPeer *peer,
               gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_wait_end (peer);
}

static void
script_violation (TestPeer *peer,
                  gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_send_frame (peer, TEST_TEXT | TEST_RSV2, TRUE, "x", 1);
  test_peer_wait_end (peer);
}

static void
script_bad_text (TestPeer *peer,
                 gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_send_frame (peer, TEST_TEXT, TRUE, "\xff", 1);
  test_peer_wait_end (peer);
}

static void
script_too_big (TestPeer *peer,
                gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_send_header (peer, TEST_BINARY, TRUE, G_GUINT64_CONSTANT (1) << 40);
  test_peer_wait_end (peer);
}

static void
script_vanish (TestPeer *peer,
               gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
}

static void
script_truncate (TestPeer *peer,
                 gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_truncate (peer);
}

/* Not before the client reads: so that it is reading that fails. */
static void
script_reset (TestPeer *peer,
              gpointer  user_data)
{
  TestFrame frame;

  test_peer_accept (peer, NULL, NULL);
  test_peer_read_frame (peer, &frame);
  test_peer_reset (peer);
}

static void
script_truncate_after (TestPeer *peer,
                       gpointer  user_data)
{
  TestFrame frame;

  test_peer_accept (peer, NULL, NULL);
  test_peer_read_frame (peer, &frame);
  test_peer_truncate (peer);
}

static void
script_refuse (TestPeer *peer,
               gpointer  user_data)
{
  test_peer_read_request (peer);
  test_peer_send_string (peer, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nX-Why: because\r\nSet-Cookie: secret\r\n\r\nno");
  test_peer_wait_end (peer);
}

/* What is done on this side */

static void
act_close (S9wsClient *client)
{
  g_assert_true (s9ws_client_close (client, 4000, "enough", NULL));
}

static void
act_say (S9wsClient *client)
{
  g_assert_true (s9ws_client_send_text (client, "Hello", NULL));
}

static void
act_force_quit (S9wsClient *client)
{
  s9ws_client_force_quit (client);
}

#define NOBODY S9WS_END_INITIATOR_NOBODY
#define LOCAL S9WS_END_INITIATOR_LOCAL
#define REMOTE S9WS_END_INITIATOR_REMOTE

/* clang-format off */
static const End ends[] = {
  { "server-closes", script_close, NULL, TRUE, TRUE, REMOTE, 1001, 1001, NULL, 1001, "going\naway", TRUE, -1, 0,
    "closed by the server, cleanly, received 1001 “going\\u000aaway”, sent 1001, last byte received " },
  { "server-closes-without-code", script_close_without_code, NULL, TRUE, TRUE, REMOTE, 1005, 1005, NULL, 1005, NULL, TRUE, -1, 0,
    "closed by the server, cleanly, received 1005, sent 1005" },
  { "close-answered", script_answer, act_close, TRUE, TRUE, LOCAL, 4001, 4000, "enough", 4001, "yours", TRUE, -1, 0,
    "closed by the client, cleanly, received 4001 “yours”, sent 4000 “enough”" },
  { "close-unanswered", script_silent, act_close, TRUE, TRUE, LOCAL, 1006, 4000, "enough", 0, NULL, FALSE, -1, 0,
    "closed by the client, not cleanly, no close received, sent 4000 “enough”" },
  { "close-truncated", script_truncate_after, act_close, TRUE, TRUE, LOCAL, 1006, 4000, "enough", 0, NULL, FALSE, -1, 0,
    "closed by the client, not cleanly, no close received, sent 4000 “enough”" },
  { "close-reset", script_reset, act_close, TRUE, TRUE, LOCAL, 1006, 4000, "enough", 0, NULL, FALSE, -1, ECONNRESET,
    "closed by the client, not cleanly, no close received, sent 4000 “enough”, errno 104 (" },
  { "violation", script_violation, NULL, TRUE, TRUE, LOCAL, 1002, 1002, NULL, 0, NULL, FALSE, S9WS_ERROR_PROTOCOL, 0,
    "closed by the client, not cleanly, no close received, sent 1002" },
  { "bad-text", script_bad_text, NULL, TRUE, TRUE, LOCAL, 1007, 1007, NULL, 0, NULL, FALSE, S9WS_ERROR_INVALID_UTF8, 0,
    "closed by the client, not cleanly, no close received, sent 1007" },
  { "too-big", script_too_big, NULL, TRUE, TRUE, LOCAL, 1009, 1009, NULL, 0, NULL, FALSE, S9WS_ERROR_MESSAGE_TOO_BIG, 0,
    "closed by the client, not cleanly, no close received, sent 1009" },
  { "vanished", script_vanish, NULL, TRUE, TRUE, REMOTE, 1006, 0, NULL, 0, NULL, FALSE, S9WS_ERROR_IO, 0,
    "closed by the server, not cleanly, no close received, no close sent" },
  { "truncated", script_truncate, NULL, FALSE, TRUE, REMOTE, 1006, 0, NULL, 0, NULL, FALSE, S9WS_ERROR_TLS, 0,
    "closed by the server, not cleanly, no close received, no close sent" },
  { "reset", script_reset, act_say, TRUE, FALSE, REMOTE, 1006, 0, NULL, 0, NULL, FALSE, S9WS_ERROR_IO, ECONNRESET,
    "closed by the server, not cleanly, no close received, no close sent, errno 104 (" },
  { "silence", script_silent, NULL, TRUE, TRUE, NOBODY, 1006, 0, NULL, 0, NULL, FALSE, S9WS_ERROR_TIMED_OUT, 0,
    "lost, not cleanly, no close received, no close sent" },
  { "force-quit", script_silent, act_force_quit, TRUE, TRUE, LOCAL, 0, 0, NULL, 0, NULL, FALSE, -1, 0,
    "closed by the client, not cleanly, no close received, no close sent" },
  { "refused", script_refuse, NULL, TRUE, TRUE, NOBODY, 0, 0, NULL, 0, NULL, FALSE, S9WS_ERROR_HANDSHAKE, 0,
    "never opened, HTTP status 403, last byte received " },
};
/* clang-format on */

static TestServer *
create_server (const Case *test)
{
  g_autofree char *certificate = get_certificate ("good");
  g_autofree char *key = get_certificate ("good-key");

  return test->is_secure ? test_server_new_with_tls (test->end->script, NULL, certificate, key)
                         : test_server_new (test->end->script, NULL);
}

/* When the report was there. */
typedef struct
{
  const End *end;
  guint n_before, n_at_end, n_notified;
} Watch;

static void
on_activated (S9wsClient *client,
              Watch      *watch)
{
  watch->n_before++;
  if (!S9WS_IS_ASYNC_CLIENT (client))
    g_assert_null (s9ws_client_get_end_report (client));
  if (watch->end->act != NULL)
    watch->end->act (client);
}

static void
on_end (S9wsClient *client,
        Watch      *watch)
{
  g_autoptr (S9wsEndReport) report = NULL;

  g_object_get (client, "end-report", &report, NULL);
  g_assert_nonnull (report);
  g_assert_true (report == s9ws_client_get_end_report (client));
  watch->n_at_end++;
}

static void
on_closed (S9wsClient *client,
           guint       code,
           const char *reason,
           Watch      *watch)
{
  on_end (client, watch);
  g_assert_cmpuint (s9ws_end_report_get_code (s9ws_client_get_end_report (client)), ==, code);
}

static void
on_error (S9wsClient *client,
          GError     *error,
          Watch      *watch)
{
  on_end (client, watch);
  g_assert_cmpstr (s9ws_end_report_get_error (s9ws_client_get_end_report (client))->message, ==, error->message);
}

static void
on_notify (S9wsClient *client,
           GParamSpec *pspec,
           Watch      *watch)
{
  on_end (client, watch);
  watch->n_notified++;
}

static void
check_report (S9wsEndReport *report,
              const End     *end,
              gboolean       is_secure)
{
  g_autofree char *line = s9ws_end_report_to_string (report);
  const GError *error = s9ws_end_report_get_error (report);

  g_test_message ("%s", line);
  g_assert_cmpint (s9ws_end_report_get_initiator (report), ==, end->initiator);
  g_assert_cmpuint (s9ws_end_report_get_code (report), ==, end->code);
  g_assert_cmpuint (s9ws_end_report_get_sent_code (report), ==, end->sent_code);
  g_assert_cmpstr (s9ws_end_report_get_sent_reason (report), ==, end->sent_reason);
  g_assert_cmpuint (s9ws_end_report_get_received_code (report), ==, end->received_code);
  g_assert_cmpstr (s9ws_end_report_get_received_reason (report), ==, end->received_reason);
  g_assert_true (s9ws_end_report_get_is_clean (report) == end->is_clean);
  g_assert_true (s9ws_end_report_get_has_opened (report) == (end->script != script_refuse));
  if (end->error_code < 0)
    g_assert_null (error);
  else
    g_assert_error (error, S9WS_ERROR, end->error_code);
  g_assert_cmpint (s9ws_end_report_get_error_number (report), ==, end->error_number);
  g_assert_cmpint (s9ws_end_report_get_tls_alert (report), ==, 0);
  g_assert_cmpuint (s9ws_end_report_get_bytes_unsent (report), ==, 0);
#ifdef __linux__
  g_assert_cmpint (s9ws_end_report_get_received_age (report), >=, 0);
  g_assert_cmpint (s9ws_end_report_get_sent_age (report), >=, 0);
  g_assert_true (g_str_has_prefix (line, end->line));
#endif
  g_assert_null (strchr (line, '\n'));
}

static void
check_response (S9wsEndReport *report,
                gboolean       is_refused)
{
  g_autofree char *line = s9ws_end_report_to_string (report);
  g_auto (GStrv) headers = s9ws_end_report_get_response_headers (report);
  GBytes *body = s9ws_end_report_get_response_body (report);

  g_assert_cmpuint (s9ws_end_report_get_response_status (report), ==, is_refused ? 403 : 101);
  g_assert_null (s9ws_end_report_get_response_header (report, "No-Such-Header"));
  if (is_refused)
    {
      g_assert_cmpstr (s9ws_end_report_get_response_header (report, "x-why"), ==, "because");
      g_assert_cmpuint (g_strv_length (headers), ==, 3);
      g_assert_cmpstr (headers[1], ==, "X-Why: because");
      g_assert_cmpmem (g_bytes_get_data (body, NULL), g_bytes_get_size (body), "no", 2);
      g_assert_null (strstr (line, "secret"));
    }
  else
    {
      g_assert_null (body);
    }
}

static void
test_end (gconstpointer data)
{
  const Case *test = data;
  const End *end = test->end;
  g_autoptr (TestServer) server = create_server (test);
  g_autoptr (S9wsOptions) options = create_options ("close-timeout", end->script == script_silent ? 50 : 10000, NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (S9wsEndReport) report = NULL;
  Watch watch = { .end = end };
  guint n_signals = 2 + (end->code != 0) + (end->error_code >= 0);

  if (end->error_code == S9WS_ERROR_TIMED_OUT)
    g_object_set (options, "ping-interval", 20, "pong-timeout", 40, NULL);
  g_signal_connect (client, "activated", G_CALLBACK (on_activated), &watch);
  g_signal_connect (client, "connection-closed", G_CALLBACK (on_closed), &watch);
  g_signal_connect (client, "error", G_CALLBACK (on_error), &watch);
  g_signal_connect (client, "quit", G_CALLBACK (on_end), &watch);
  g_signal_connect (client, "notify::end-report", G_CALLBACK (on_notify), &watch);
  g_assert_null (s9ws_client_get_end_report (client));
  s9ws_client_run (client, NULL, NULL);

  g_assert_cmpuint (watch.n_before, ==, end->script != script_refuse);
  g_assert_cmpuint (watch.n_notified, ==, 1);
  g_assert_cmpuint (watch.n_at_end, ==, n_signals);
  report = s9ws_end_report_ref (s9ws_client_get_end_report (client));
  /* It stays. */
  g_clear_object (&client);
  check_report (report, end, test->is_secure);
  check_response (report, end->script == script_refuse);
  if (end->error_code == S9WS_ERROR_TIMED_OUT)
    g_assert_cmpint (s9ws_end_report_get_received_age (report), >=, 20 * 1000);
}

/* Opening that fails before anything is there to be answered */

static void
test_not_connected (gconstpointer data)
{
  const Case *test = data;
  static const struct
  {
    const char *uri;
    int error_code;
    int error_number;
  } failures[] = {
    { "ws://127.0.0.1:1/", S9WS_ERROR_CONNECT, ECONNREFUSED },
    { "http://127.0.0.1/", S9WS_ERROR_INVALID_URI, 0 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (failures); i++)
    {
      g_autoptr (S9wsClient) client = create_client (test->kind, failures[i].uri, NULL);
      g_autofree char *line = NULL;
      S9wsEndReport *report;

      g_assert_false (s9ws_client_run (client, NULL, NULL));
      report = s9ws_client_get_end_report (client);
      line = s9ws_end_report_to_string (report);
      g_assert_error (s9ws_end_report_get_error (report), S9WS_ERROR, failures[i].error_code);
      g_assert_cmpint (s9ws_end_report_get_initiator (report), ==, NOBODY);
      g_assert_cmpint (s9ws_end_report_get_error_number (report), ==, failures[i].error_number);
      g_assert_cmpint (s9ws_end_report_get_received_age (report), ==, -1);
      g_assert_cmpint (s9ws_end_report_get_sent_age (report), ==, -1);
      g_assert_cmpuint (s9ws_end_report_get_response_status (report), ==, 0);
      g_assert_true (g_str_has_prefix (line, "never opened, "));
    }
}

static void
test_cancelled (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (S9wsClient) client = create_client (test->kind, "ws://127.0.0.1:1/", NULL);
  S9wsEndReport *report;

  g_cancellable_cancel (cancellable);
  g_assert_false (s9ws_client_run (client, cancellable, NULL));
  report = s9ws_client_get_end_report (client);
  g_assert_cmpint (s9ws_end_report_get_initiator (report), ==, LOCAL);
  g_assert_null (s9ws_end_report_get_error (report));
}

/* A server that wants a certificate, and is given none: in TLS 1.3 it says so after the
 * client has finished its handshake. */
static void
test_alert (gconstpointer data)
{
  static const char *const versions[] = { TEST_TLS_1_2, TEST_TLS_1_3 };
  const Case *test = data;

  for (gsize i = 0; i < G_N_ELEMENTS (versions); i++)
    {
      g_autofree char *certificate = get_certificate ("good");
      g_autofree char *key = get_certificate ("good-key");
      g_autofree char *ca = get_certificate ("ca");
      TestServerConfig config = { .script = script_close, .certificate_file = certificate, .key_file = key, .client_ca_file = ca, .priority = versions[i] };
      g_autoptr (TestServer) server = test_server_new_with_config (&config);
      g_autoptr (S9wsOptions) options = create_options (NULL);
      g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
      g_autofree char *line = NULL;

      g_assert_false (s9ws_client_run (client, NULL, NULL));
      line = s9ws_end_report_to_string (s9ws_client_get_end_report (client));
      g_test_message ("%s", line);
      /* Which one is the server's choice. */
      g_assert_cmpint (s9ws_end_report_get_tls_alert (s9ws_client_get_end_report (client)), >, 0);
      g_assert_nonnull (strstr (line, ", TLS alert "));
    }
}

/* What was accepted and has not left */

static void
on_activated_send (S9wsClient *client,
                   gpointer    user_data)
{
  g_autofree guint8 *data = g_malloc0 (32 * 1024 * 1024);

  g_assert_true (s9ws_client_send_binary (client, data, 32 * 1024 * 1024, NULL));
  s9ws_client_force_quit (client);
}

static void
script_deaf (TestPeer *peer,
             gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_gate_wait (user_data);
}

static void
test_unsent (gconstpointer data)
{
  const Case *test = data;
  TestGate gate = { 0 };
  g_autoptr (TestServer) server = test_server_new (script_deaf, &gate);
  g_autoptr (S9wsOptions) options = create_options ("write-timeout", (guint64) 1000, NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (S9wsStats) stats = NULL;

  g_signal_connect (client, "activated", G_CALLBACK (on_activated_send), NULL);
  s9ws_client_run (client, NULL, NULL);
  stats = s9ws_client_get_stats (client);
  g_assert_cmpuint (stats->bytes_unsent, >, 0);
  g_assert_cmpuint (s9ws_end_report_get_bytes_unsent (s9ws_client_get_end_report (client)), ==, stats->bytes_unsent);
  test_gate_open (&gate);
}

/* Any thread may ask an asynchronous client, all the time. */
static gpointer
ask (gpointer data)
{
  S9wsClient *client = data;
  S9wsEndReport *report;

  while ((report = s9ws_client_get_end_report (client)) == NULL)
    g_thread_yield ();

  return s9ws_end_report_to_string (report);
}

static void
test_threads (void)
{
  g_autoptr (TestServer) server = test_server_new (script_answer, NULL);
  g_autoptr (S9wsClient) client = create_client (KIND_ASYNC, test_server_get_uri (server), NULL);
  GThread *threads[4];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("ask", ask, client);
  g_assert_true (s9ws_async_client_start (S9WS_ASYNC_CLIENT (client), NULL));
  g_assert_true (s9ws_client_close (client, 4000, "enough", NULL));
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    {
      g_autofree char *line = g_thread_join (threads[i]);

      g_assert_true (g_str_has_prefix (line, "closed by the client, cleanly"));
    }
}

/* By receive (), for programs with a loop of their own. */
static void
test_receive (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = test_server_new (script_close, NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), NULL);
  S9wsEventKind kind;

  do
    {
      g_autoptr (S9wsEvent) event = s9ws_client_receive (client, -1, NULL);

      kind = s9ws_event_get_kind (event);
      if (kind == S9WS_EVENT_KIND_CONNECTION_CLOSED)
        g_assert_cmpuint (s9ws_end_report_get_received_code (s9ws_client_get_end_report (client)), ==, 1001);
    }
  while (kind != S9WS_EVENT_KIND_QUIT);
}

static void
add (Kind           kind,
     gboolean       is_secure,
     const char    *name,
     GTestDataFunc  function,
     const End     *end)
{
  Case *test = g_new0 (Case, 1);
  g_autofree char *path = g_strdup_printf ("/end-report/%s/%s/%s", kind_names[kind], is_secure ? "wss" : "ws", name);

  test->kind = kind;
  test->is_secure = is_secure;
  test->end = end;
  g_test_add_data_func_full (path, test, function, g_free);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  start_watchdog (240);

  for (Kind kind = 0; kind < N_KINDS; kind++)
    {
      for (gsize i = 0; i < G_N_ELEMENTS (ends); i++)
        {
          if (ends[i].with_plain)
            add (kind, FALSE, ends[i].name, test_end, &ends[i]);
          if (ends[i].with_tls)
            add (kind, TRUE, ends[i].name, test_end, &ends[i]);
        }
      add (kind, FALSE, "not-connected", test_not_connected, NULL);
      add (kind, FALSE, "cancelled", test_cancelled, NULL);
      add (kind, TRUE, "alert", test_alert, NULL);
      add (kind, FALSE, "unsent", test_unsent, NULL);
      add (kind, FALSE, "receive", test_receive, NULL);
    }
  g_test_add_func ("/end-report/threads", test_threads);

  return g_test_run ();
}
