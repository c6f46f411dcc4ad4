/* test-redirects.c: the three clients, sent from server to server
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>
#include <string.h>

#include "recorder.h"

/* A server that answers the first upgrades with @answers, in turn, and accepts the others.
 * "%s" in an answer stands for @target.  What it was asked is in @requests. */
typedef struct
{
  const char *answers[8];
  GMutex mutex; /* guards the next two */
  const char *target;
  GPtrArray *requests;
  GCancellable *cancellable; /* cancelled once it has been asked, or NULL */
  gboolean is_mute;          /* answers nothing */
  TestServer *server;
} Host;

typedef struct
{
  Kind kind;
  gboolean is_secure;
  gconstpointer data;
} Case;

static void
script (TestPeer *peer,
        gpointer  user_data)
{
  Host *host = user_data;
  guint number = test_peer_get_number (peer);
  const char *request = test_peer_read_request (peer);
  const char *target;

  g_mutex_lock (&host->mutex);
  g_ptr_array_add (host->requests, g_strdup (request));
  target = host->target;
  g_mutex_unlock (&host->mutex);

  if (host->cancellable != NULL)
    g_cancellable_cancel (host->cancellable);
  if (host->is_mute)
    {
      test_peer_wait_end (peer);
      return;
    }

  if (number < G_N_ELEMENTS (host->answers) && host->answers[number] != NULL)
    {
      g_auto (GStrv) parts = g_strsplit (host->answers[number], "%s", -1);
      g_autofree char *answer = g_strjoinv (target != NULL ? target : "", parts);

      test_peer_send_string (peer, answer);
      test_peer_wait_end (peer);
      return;
    }

  test_peer_accept (peer, NULL, "X-Number: last\r\n");
  test_peer_send_frame (peer, TEST_TEXT, TRUE, "Hello", 5);
  test_peer_close (peer, 1000, NULL, NULL);
}

static void
host_set_target (Host       *host,
                 const char *target)
{
  g_mutex_lock (&host->mutex);
  host->target = target;
  g_mutex_unlock (&host->mutex);
}

static void
host_start (Host     *host,
            gboolean  is_secure)
{
  g_autofree char *certificate = get_certificate ("good");
  g_autofree char *key = get_certificate ("good-key");

  host->requests = g_ptr_array_new_with_free_func (g_free);
  host->server = is_secure ? test_server_new_with_tls (script, host, certificate, key)
                           : test_server_new (script, host);
}

static void
host_stop (Host *host)
{
  g_clear_pointer (&host->server, test_server_free);
  g_clear_pointer (&host->requests, g_ptr_array_unref);
}

/* Only once the server has been stopped, or all has been said. */
static gboolean
was_asked (Host       *host,
           guint       number,
           const char *text)
{
  gboolean is_there;

  g_mutex_lock (&host->mutex);
  is_there = number < host->requests->len && strstr (host->requests->pdata[number], text) != NULL;
  g_mutex_unlock (&host->mutex);
  return is_there;
}

static S9wsOptions *
create_redirect_options (guint max_redirects)
{
  g_autoptr (GError) error = NULL;
  S9wsOptions *options = create_options ("max-redirects", max_redirects, NULL);

  s9ws_options_set_header (options, "Cookie", "crumbs", &error);
  s9ws_options_set_header (options, "proxy-authorization", "proxied", &error);
  s9ws_options_set_header (options, "X-Other", "other", &error);
  g_assert_no_error (error);
  return options;
}

/* The URI with a user and a password in it. */
static char *
with_credentials (const char *uri)
{
  const char *rest = strstr (uri, "://") + 3;

  return g_strdup_printf ("%.*su:p@%s", (int) (rest - uri), uri, rest);
}

static void
run_well (S9wsClient *client)
{
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  record_signals (client, log);
  s9ws_client_run (client, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (log->str, ==, "activated text(Hello) closed(1000) quit ");
  g_assert_cmpuint (s9ws_client_get_response_status (client), ==, 101);
  g_assert_cmpstr (s9ws_client_get_response_header (client, "X-Number"), ==, "last");
  g_assert_null (s9ws_client_get_response_header (client, "Location"));
}

/* Within one server */

static void
test_statuses (gconstpointer data)
{
  const Case *test = data;
  Host host = {
    .answers = {
      "HTTP/1.1 301 Moved Permanently\r\nLocation: a/b?c=d\r\nContent-Length: 0\r\n\r\n",
      /* Its body is not waited for. */
      "HTTP/1.1 302 Found\r\nLocation: /two#fragment\r\nContent-Length: 1000\r\n\r\n",
      "HTTP/1.1 303 See Other\r\nlocation:   ?three\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 307 Temporary Redirect\r\nLocation: %s\r\n\r\n",
      "HTTP/1.0 308 Permanent Redirect\r\nLocation: ../five\r\n\r\n",
    },
  };
  g_autofree char *uri = NULL;
  g_autofree char *location = NULL;
  g_autoptr (S9wsOptions) options = create_redirect_options (5);
  g_autoptr (S9wsClient) client = NULL;

  host_start (&host, test->is_secure);
  uri = with_credentials (test_server_get_uri (host.server));
  location = g_strdup_printf ("http%sfour/six", test_server_get_uri (host.server) + 2);
  host_set_target (&host, location);
  client = create_client (test->kind, uri, options);
  run_well (client);

  g_assert_cmpstr (s9ws_client_get_uri (client), ==, uri);
  g_assert_cmpuint (test_server_get_n_connections (host.server), ==, 6);
  g_assert_true (was_asked (&host, 0, "GET / HTTP/1.1\r\n"));
  g_assert_true (was_asked (&host, 1, "GET /a/b?c=d HTTP/1.1\r\n"));
  g_assert_true (was_asked (&host, 2, "GET /two HTTP/1.1\r\n"));
  g_assert_true (was_asked (&host, 3, "GET /two?three HTTP/1.1\r\n"));
  g_assert_true (was_asked (&host, 4, "GET /four/six HTTP/1.1\r\n"));
  g_assert_true (was_asked (&host, 5, "GET /five HTTP/1.1\r\n"));
  for (guint i = 0; i < 6; i++)
    {
      g_assert_true (was_asked (&host, i, "\r\nAuthorization: Basic dTpw\r\n"));
      g_assert_true (was_asked (&host, i, "\r\nCookie: crumbs\r\n"));
      g_assert_true (was_asked (&host, i, "\r\nproxy-authorization: proxied\r\n"));
      g_assert_true (was_asked (&host, i, "\r\nX-Other: other\r\n"));
    }
  host_stop (&host);
}

static void
test_host_header (gconstpointer data)
{
  const Case *test = data;
  Host host = { .answers = { "HTTP/1.1 302 Found\r\nLocation: /next\r\n\r\n" } };
  g_autoptr (S9wsOptions) options = create_options ("max-redirects", 1, "host-header", "virtual.example:99", NULL);
  g_autoptr (S9wsClient) client = NULL;

  host_start (&host, test->is_secure);
  client = create_client (test->kind, test_server_get_uri (host.server), options);
  run_well (client);
  g_assert_true (was_asked (&host, 0, "\r\nHost: virtual.example:99\r\n"));
  g_assert_true (was_asked (&host, 1, "\r\nHost: virtual.example:99\r\n"));
  host_stop (&host);
}

/* To another, and back: nothing that is meant for one alone is told. */

static void
check_secrets (Host     *host,
               guint     number,
               gboolean  are_there)
{
  g_assert_true (was_asked (host, number, "Authorization") == are_there);
  g_assert_true (was_asked (host, number, "Cookie") == are_there);
  g_assert_true (was_asked (host, number, "proxy-") == are_there);
  g_assert_true (was_asked (host, number, "virtual.example") == are_there);
  g_assert_true (was_asked (host, number, "\r\nX-Other: other\r\n"));
}

static void
test_origins (gconstpointer data)
{
  const Case *test = data;
  Host first = { .answers = { "HTTP/1.1 302 Found\r\nLocation: %s\r\n\r\n" } };
  Host second = { .answers = { "HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: %s\r\n\r\n" } };
  g_autoptr (S9wsOptions) options = create_redirect_options (3);
  g_autoptr (S9wsClient) client = NULL;
  g_autofree char *uri = NULL;

  host_start (&first, test->is_secure);
  host_start (&second, test->is_secure);
  host_set_target (&first, test_server_get_uri (second.server));
  host_set_target (&second, test_server_get_uri (first.server));
  uri = with_credentials (test_server_get_uri (first.server));
  g_object_set (options, "host-header", "virtual.example", NULL);
  client = create_client (test->kind, uri, options);
  run_well (client);

  check_secrets (&first, 0, TRUE);
  check_secrets (&second, 0, FALSE);
  check_secrets (&second, 1, FALSE);
  check_secrets (&first, 1, FALSE);
  host_stop (&first);
  host_stop (&second);
}

/* The user's own header, where the URI has no name and password. */
static void
test_authorization_header (gconstpointer data)
{
  const Case *test = data;
  Host first = { .answers = { "HTTP/1.1 302 Found\r\nLocation: %s\r\n\r\n" } };
  Host second = { 0 };
  g_autoptr (S9wsOptions) options = create_redirect_options (1);
  g_autoptr (S9wsClient) client = NULL;
  g_autofree char *location = NULL;

  host_start (&first, test->is_secure);
  host_start (&second, test->is_secure);
  /* It may have a name and a password of its own. */
  location = with_credentials (test_server_get_uri (second.server));
  host_set_target (&first, location);
  g_assert_true (s9ws_options_set_header (options, "AUTHORIZATION", "Bearer secret", NULL));
  client = create_client (test->kind, test_server_get_uri (first.server), options);
  run_well (client);

  g_assert_true (was_asked (&first, 0, "\r\nAUTHORIZATION: Bearer secret\r\n"));
  g_assert_false (was_asked (&second, 0, "secret"));
  g_assert_true (was_asked (&second, 0, "\r\nAuthorization: Basic dTpw\r\n"));
  host_stop (&first);
  host_stop (&second);
}

/* From ws to wss, which is another origin. */
static void
test_upgrade_to_tls (gconstpointer data)
{
  const Case *test = data;
  Host first = { .answers = { "HTTP/1.1 301 Moved\r\nLocation: %s\r\n\r\n" } };
  Host second = { 0 };
  g_autoptr (S9wsOptions) options = create_redirect_options (1);
  g_autoptr (S9wsClient) client = NULL;
  g_autofree char *uri = NULL;

  host_start (&first, FALSE);
  host_start (&second, TRUE);
  host_set_target (&first, test_server_get_uri (second.server));
  uri = with_credentials (test_server_get_uri (first.server));
  client = create_client (test->kind, uri, options);
  run_well (client);
  g_assert_false (was_asked (&second, 0, "Cookie"));
  host_stop (&first);
  host_stop (&second);
}

/* What is not followed */

typedef struct
{
  const char *name;
  const char *answer;
  guint max_redirects;
  const char *message; /* a part of it */
  guint n_connections;
  gboolean has_body;
  gboolean is_repeated; /* the same answer for ever */
} Refusal;

static const Refusal refusals[] = {
  { "not-allowed", "HTTP/1.1 302 Found\r\nLocation: http://u:SECRET@b.example/c\r\nContent-Length: 2\r\n\r\nno", 0,
    "to “http://…@b.example/c”: HTTP status 302 (Found), and max-redirects is 0", 1, TRUE },
  { "too-many", "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 2\r\n\r\nno", 4,
    "to “/loop”: HTTP status 302 (Found), and max-redirects is 4", 5, TRUE, TRUE },
  { "no-location", "HTTP/1.1 307 Temporary Redirect\r\nContent-Length: 2\r\n\r\nno", 4,
    "HTTP status 307 (Temporary Redirect) without a Location", 1, TRUE },
  { "multiple-choices", "HTTP/1.1 300 Multiple Choices\r\nLocation: /a\r\nContent-Length: 2\r\n\r\nno", 4, "refused the upgrade: HTTP status 300", 1, TRUE },
  { "not-modified", "HTTP/1.1 304 Not Modified\r\nLocation: /a\r\n\r\n", 4, "refused the upgrade: HTTP status 304", 1 },
  { "bad-location", "HTTP/1.1 302 Found\r\nLocation: http://b.example:port/\r\n\r\n", 4, "(HTTP status 302) cannot be followed: “http://b.example:port/”", 1 },
  { "unix", "HTTP/1.1 302 Found\r\nLocation: ws+unix:/run/some.sock:/\r\n\r\n", 4, "http, https, ws and wss only", 1 },
  { "nobody-there", "HTTP/1.1 302 Found\r\nLocation: wss://127.0.0.1:1/\r\n\r\n", 4, "Connecting to 127.0.0.1 (port 1) failed", 1 },
};

static void
test_refusal (gconstpointer data)
{
  const Case *test = data;
  const Refusal *refusal = test->data;
  Host host = { 0 };
  g_autoptr (S9wsOptions) options = create_redirect_options (refusal->max_redirects);
  g_autoptr (S9wsClient) client = NULL;
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) body = NULL;
  gboolean is_unreachable = g_str_equal (refusal->name, "nobody-there");
  S9wsEndReport *report;

  for (guint i = 0; i < (refusal->is_repeated ? G_N_ELEMENTS (host.answers) : 1); i++)
    host.answers[i] = refusal->answer;
  host_start (&host, test->is_secure);
  client = create_client (test->kind, test_server_get_uri (host.server), options);
  record_signals (client, log);
  g_assert_false (s9ws_client_run (client, NULL, &error));
  g_test_message ("%s", error->message);
  g_assert_error (error, S9WS_ERROR, (is_unreachable ? S9WS_ERROR_CONNECT : S9WS_ERROR_HANDSHAKE));
  g_assert_nonnull (strstr (error->message, refusal->message));
  g_assert_null (strstr (error->message, "SECRET"));
  g_assert_cmpstr (log->str, ==, is_unreachable ? "error(2) quit " : "error(4) quit ");

  /* What was answered last can be asked for. */
  g_assert_cmpuint (s9ws_client_get_response_status (client), ==, g_ascii_strtoull (refusal->answer + 9, NULL, 10));
  body = s9ws_client_get_response_body (client);
  g_assert_true ((body != NULL && g_bytes_get_size (body) == 2) == refusal->has_body);
  g_assert_cmpuint (test_server_get_n_connections (host.server), ==, refusal->n_connections);
  report = s9ws_client_get_end_report (client);
  g_assert_cmpuint (s9ws_end_report_get_response_status (report), ==, s9ws_client_get_response_status (client));
  g_assert_cmpint (s9ws_end_report_get_error_number (report), ==, (is_unreachable ? ECONNREFUSED : 0));
  host_stop (&host);
}

static void
test_downgrade (gconstpointer data)
{
  const Case *test = data;
  Host first = { .answers = { "HTTP/1.1 302 Found\r\nLocation: %s\r\n\r\n" } };
  Host second = { 0 };
  g_autoptr (S9wsOptions) options = create_redirect_options (4);
  g_autoptr (S9wsClient) client = NULL;
  g_autoptr (GError) error = NULL;

  host_start (&first, TRUE);
  host_start (&second, FALSE);
  host_set_target (&first, test_server_get_uri (second.server));
  client = create_client (test->kind, test_server_get_uri (first.server), options);
  g_assert_false (s9ws_client_run (client, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_HANDSHAKE);
  g_assert_nonnull (strstr (error->message, "must not lead from wss to ws"));
  g_assert_cmpuint (test_server_get_n_connections (second.server), ==, 0);
  host_stop (&first);
  host_stop (&second);
}

/* Each hop can be cancelled, and has the timeouts for itself. */

static void
test_cancel (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Host first = { .answers = { "HTTP/1.1 302 Found\r\nLocation: %s\r\n\r\n" } };
  Host second = { .is_mute = TRUE, .cancellable = cancellable };
  g_autoptr (S9wsOptions) options = create_redirect_options (4);
  g_autoptr (S9wsClient) client = NULL;
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  host_start (&first, test->is_secure);
  host_start (&second, test->is_secure);
  host_set_target (&first, test_server_get_uri (second.server));
  client = create_client (test->kind, test_server_get_uri (first.server), options);
  record_signals (client, log);
  g_assert_false (s9ws_client_run (client, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpstr (log->str, ==, "quit ");
  host_stop (&first);
  host_stop (&second);
}

static void
test_timeout (gconstpointer data)
{
  const Case *test = data;
  Host first = { .answers = { "HTTP/1.1 302 Found\r\nLocation: %s\r\n\r\n" } };
  Host second = { .is_mute = TRUE };
  g_autoptr (S9wsOptions) options = create_redirect_options (4);
  g_autoptr (S9wsClient) client = NULL;
  g_autoptr (GError) error = NULL;

  host_start (&first, test->is_secure);
  host_start (&second, test->is_secure);
  host_set_target (&first, test_server_get_uri (second.server));
  g_object_set (options, "handshake-timeout", 300, NULL);
  client = create_client (test->kind, test_server_get_uri (first.server), options);
  g_assert_false (s9ws_client_run (client, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_TIMED_OUT);
  host_stop (&first);
  host_stop (&second);
}

static void
add_test (const char    *name,
          Kind           kind,
          gboolean       is_secure,
          gconstpointer  data,
          GTestDataFunc  function)
{
  g_autofree char *path = g_strdup_printf ("/redirects/%s/%s/%s", kind_names[kind], is_secure ? "wss" : "ws", name);
  Case *test = g_new (Case, 1);

  *test = (Case){ kind, is_secure, data };
  g_test_add_data_func_full (path, test, function, g_free);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  start_watchdog (600);

  for (Kind kind = 0; kind < N_KINDS; kind++)
    for (int is_secure = 0; is_secure < 2; is_secure++)
      {
        add_test ("statuses", kind, is_secure, NULL, test_statuses);
        add_test ("host-header", kind, is_secure, NULL, test_host_header);
        add_test ("origins", kind, is_secure, NULL, test_origins);
        add_test ("authorization-header", kind, is_secure, NULL, test_authorization_header);
        add_test (is_secure ? "downgrade" : "upgrade-to-tls", kind, is_secure, NULL,
                  is_secure ? test_downgrade : test_upgrade_to_tls);
        for (gsize i = 0; i < G_N_ELEMENTS (refusals); i++)
          add_test (refusals[i].name, kind, is_secure, &refusals[i], test_refusal);
        add_test ("cancel", kind, is_secure, NULL, test_cancel);
        add_test ("timeout", kind, is_secure, NULL, test_timeout);
      }

  return g_test_run ();
}
