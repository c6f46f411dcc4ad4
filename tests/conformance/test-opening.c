/* test-opening.c: what RFC 6455 demands of a client that opens a connection
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The MUSTs and MUST NOTs that bind a client, in the order of the RFC; see test-framing.c.
 *
 * 3      A URI has no fragment.
 * 4.1    An invalid URI fails the connection.
 *        (At most one connection to a host is in the CONNECTING state: that binds a whole
 *        user agent, and not a client, which knows nothing of the program's others.)
 *        A connection that cannot be opened fails.
 *        With wss, TLS comes before the handshake, and all goes through it; where it
 *        fails, so does the connection.  The server's name is indicated (SNI).
 *        The client sends an opening handshake, which is a valid HTTP request: GET, at
 *        least HTTP/1.1, the resource name, Host, Upgrade, Connection,
 *        Sec-WebSocket-Version 13 and Sec-WebSocket-Key, 16 random bytes in base64, fresh
 *        for each connection.
 *        Subprotocols are tokens, each of them once.
 *        Nothing more is sent before the server has answered.
 *        (What Host says is in test-host.c, and what the client makes of the answer in
 *        test-answer.c.)
 * 10.6   TLS is supported: all tests named wss.
 * 11.3.1 Sec-WebSocket-Key is sent once, 11.3.5 Sec-WebSocket-Version, too.
 */
#include <locale.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cases.h"

/* URIs */

typedef struct
{
  const char *name;
  const char *uri;
} BadUri;

static const BadUri bad_uris[] = {
  { "3/fragment-is-refused", "ws://127.0.0.1:1/#fragment" },
  { "3/empty-fragment-is-refused", "ws://127.0.0.1:1/#" },
  { "4.1/other-scheme-is-refused", "http://127.0.0.1:1/" },
  { "4.1/no-scheme-is-refused", "127.0.0.1:1" },
  { "4.1/no-host-is-refused", "ws:///chat" },
  { "4.1/bad-port-is-refused", "ws://127.0.0.1:65536/" },
  { "4.1/space-is-refused", "ws://127.0.0.1:1/a b" },
  { "4.1/line-end-is-refused", "ws://127.0.0.1:1/a\r\nX: y" },
};

static void
test_bad_uri (gconstpointer data)
{
  const Case *test = data;
  const BadUri *rule = test->data;
  g_autoptr (S9wsClient) client = create_client (test->kind, rule->uri, NULL);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  record_signals (client, log);
  g_assert_false (s9ws_client_run (client, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_URI);
  g_assert_cmpstr (log->str, ==, "error(0) quit ");
}

/* Where nobody listens */

static void
test_nobody (gconstpointer data)
{
  const Case *test = data;
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof address;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_autoptr (S9wsClient) client = NULL;
  g_autoptr (GString) log = g_string_new (NULL);
  g_autofree char *uri = NULL;

  /* Bound, so that nobody else gets the port; but it does not listen. */
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, size), ==, 0);
  g_assert_cmpint (getsockname (fd, (struct sockaddr *) &address, &size), ==, 0);
  uri = g_strdup_printf ("%s://127.0.0.1:%u/", test->is_secure ? "wss" : "ws", ntohs (address.sin_port));
  client = create_client (test->kind, uri, NULL);
  record_signals (client, log);
  g_assert_false (s9ws_client_run (client, NULL, NULL));
  g_assert_cmpstr (log->str, ==, "error(2) quit ");
  close (fd);
}

/* TLS */

static const struct
{
  const char *name;
  const char *certificate;
} bad_certificates[] = {
  { "4.1/unknown-authority-fails", "unknown" },
  { "4.1/self-signed-certificate-fails", "self-signed" },
  { "4.1/expired-certificate-fails", "expired" },
  { "4.1/certificate-of-another-host-fails", "wrong-host" },
};

/* Nothing gets to a server that has not proved who it is. */
static void
script_unexpected (TestPeer *peer,
                   gpointer  user_data)
{
  gboolean *was_asked = user_data;
  char byte;

  *was_asked = test_peer_read (peer, &byte, 1) > 0;
}

static void
test_bad_certificate (gconstpointer data)
{
  const Case *test = data;
  const char *name = *(const char *const *) test->data;
  g_autofree char *key_name = g_strconcat (name, "-key", NULL);
  g_autofree char *certificate = get_certificate (name);
  g_autofree char *key = get_certificate (key_name);
  gboolean was_asked = FALSE;
  g_autoptr (TestServer) server = test_server_new_with_tls (script_unexpected, &was_asked, certificate, key);
  g_autoptr (S9wsOptions) options = create_options (NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GString) log = g_string_new (NULL);

  record_signals (client, log);
  g_assert_false (s9ws_client_run (client, NULL, NULL));
  g_assert_cmpstr (log->str, ==, "error(3) quit ");
  g_assert_true (test_server_wait_finished (server, 1));
  g_assert_false (was_asked);
}

/* The server talks in clear. */
static void
script_no_tls (TestPeer *peer,
               gpointer  user_data)
{
  test_peer_send_string (peer, "HTTP/1.1 400 This is no TLS\r\n\r\n");
  test_peer_wait_end (peer);
}

static void
test_no_tls (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = test_server_new (script_no_tls, NULL);
  g_autofree char *uri = g_strdup_printf ("wss://localhost:%u/", test_server_get_port (server));
  g_autoptr (S9wsOptions) options = create_options (NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, uri, options);
  g_autoptr (GString) log = g_string_new (NULL);

  record_signals (client, log);
  g_assert_false (s9ws_client_run (client, NULL, NULL));
  g_assert_cmpstr (log->str, ==, "error(3) quit ");
}

static void
script_server_name (TestPeer *peer,
                    gpointer  user_data)
{
  char **name = user_data;

  *name = g_strdup (test_peer_get_server_name (peer));
  test_peer_accept (peer, NULL, NULL);
  test_peer_close (peer, 1000, NULL, NULL);
}

static void
test_server_name (gconstpointer data)
{
  g_autofree char *name = NULL;
  g_autofree char *log = case_run (data, script_server_name, NULL, &name, NULL);

  g_assert_cmpstr (name, ==, "localhost");
  g_assert_cmpstr (log, ==, "activated closed(1000) quit ");
}

/* The request */

static void
script_request (TestPeer *peer,
                gpointer  user_data)
{
  char **request = user_data;

  *request = g_strdup (test_peer_read_request (peer));
  test_peer_accept (peer, NULL, NULL);
  test_peer_close (peer, 1000, NULL, NULL);
}

/* Opens @path, with all that makes a request longer. */
static char *
get_request (const Case  *test,
             const char  *path,
             char       **authority)
{
  static const char *const protocols[] = { "one", "two", NULL };
  g_autofree char *request = NULL;
  g_autoptr (TestServer) server = case_create_server (test, script_request, &request);
  g_autoptr (S9wsOptions) options = create_options ("protocols", protocols, NULL);
  g_autofree char *uri = g_strconcat (test_server_get_uri (server), path, NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, uri, options);

  g_assert_true (s9ws_options_set_header (options, "Cookie", "a=b", NULL));
  g_assert_true (s9ws_client_run (client, NULL, NULL));
  g_assert_true (test_server_wait_finished (server, 1));
  *authority = g_strdup_printf ("%s:%u", test->is_secure ? "localhost" : "127.0.0.1", test_server_get_port (server));
  return g_steal_pointer (&request);
}

/* "value" or "value | value", of all headers of that name. */
static char *
get_headers (const char *request,
             const char *name)
{
  g_auto (GStrv) lines = g_strsplit (request, "\r\n", -1);
  g_autoptr (GString) values = g_string_new (NULL);
  gsize size = strlen (name);

  for (gsize i = 1; lines[i] != NULL; i++)
    if (g_ascii_strncasecmp (lines[i], name, size) == 0 && lines[i][size] == ':')
      g_string_append_printf (values, "%s%s", values->len > 0 ? " | " : "", g_strstrip (lines[i] + size + 1));

  return g_string_free (g_steal_pointer (&values), FALSE);
}

static void
assert_header (const char *request,
               const char *name,
               const char *expected)
{
  g_autofree char *values = get_headers (request, name);

  g_assert_cmpstr (values, ==, expected);
}

static void
test_valid_http (gconstpointer data)
{
  g_autofree char *authority = NULL;
  g_autofree char *request = get_request (data, "chat?a=b", &authority);
  g_auto (GStrv) lines = g_strsplit (request, "\r\n", -1);
  guint n = g_strv_length (lines);

  g_assert_cmpstr (lines[0], ==, "GET /chat?a=b HTTP/1.1");
  g_assert_cmpuint (n, >, 3);
  for (guint i = 1; i < n - 2; i++)
    g_assert_true (g_regex_match_simple ("^[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?[\\x21-\\x7e][\\x20-\\x7e]*$", lines[i], 0, 0));
  g_assert_cmpstr (lines[n - 2], ==, "");
  g_assert_cmpstr (lines[n - 1], ==, "");
  /* It has no body. */
  assert_header (request, "Content-Length", "");
  assert_header (request, "Transfer-Encoding", "");
}

static void
test_headers (gconstpointer data)
{
  g_autofree char *authority = NULL;
  g_autofree char *request = get_request (data, "", &authority);

  assert_header (request, "Host", authority);
  assert_header (request, "Upgrade", "websocket");
  assert_header (request, "Connection", "Upgrade");
  assert_header (request, "Sec-WebSocket-Version", "13");
  assert_header (request, "Sec-WebSocket-Protocol", "one, two");
}

#define N_KEYS 3

static void
test_key (gconstpointer data)
{
  guchar *keys[N_KEYS];

  for (gsize i = 0; i < N_KEYS; i++)
    {
      g_autofree char *authority = NULL;
      g_autofree char *request = get_request (data, "", &authority);
      g_autofree char *text = get_headers (request, "Sec-WebSocket-Key");
      g_autofree char *again = NULL;
      gsize size;

      /* One, of 16 bytes, in the one form that base64 has for them. */
      keys[i] = g_base64_decode (text, &size);
      g_assert_cmpuint (size, ==, 16);
      again = g_base64_encode (keys[i], size);
      g_assert_cmpstr (again, ==, text);
      for (gsize j = 0; j < i; j++)
        g_assert_true (memcmp (keys[i], keys[j], 16) != 0);
    }
  for (gsize i = 0; i < N_KEYS; i++)
    g_free (keys[i]);
}

static void
test_targets (gconstpointer data)
{
  static const char *const targets[][2] = {
    { "", "/" },
    { "chat", "/chat" },
    { "a/b/", "/a/b/" },
    { "?q=1&r=2", "/?q=1&r=2" },
    { "a?", "/a?" },
    { "%23?%23", "/%23?%23" },
    { "%C3%A4%20b", "/%C3%A4%20b" },
    { "\xc3\xa4", "/%C3%A4" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (targets); i++)
    {
      g_autofree char *authority = NULL;
      g_autofree char *request = get_request (data, targets[i][0], &authority);
      g_autofree char *expected = g_strconcat ("GET ", targets[i][1], " HTTP/1.1\r\n", NULL);
      g_autofree char *line = g_strndup (request, strcspn (request, "\n") + 1);

      g_assert_cmpstr (line, ==, expected);
    }
}

/* Subprotocols that may not be asked for */

typedef struct
{
  const char *name;
  const char *protocols[3];
} BadProtocols;

static const BadProtocols bad_protocols[] = {
  { "4.1/empty-protocol-is-refused", { "" } },
  { "4.1/protocol-with-a-comma-is-refused", { "one,two" } },
  { "4.1/protocol-with-a-space-is-refused", { "one two" } },
  { "4.1/protocol-with-a-separator-is-refused", { "one/two" } },
  { "4.1/protocol-that-is-not-ascii-is-refused", { "\xc3\xa4" } },
  { "4.1/protocol-with-a-line-end-is-refused", { "one\r\nX: y" } },
  { "4.1/protocol-twice-is-refused", { "one", "one" } },
};

static void
test_bad_protocols (gconstpointer data)
{
  const Case *test = data;
  const BadProtocols *rule = test->data;
  g_autoptr (S9wsOptions) options = create_options ("protocols", rule->protocols, NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, "ws://127.0.0.1:1/", options);
  g_autoptr (GError) error = NULL;

  g_assert_false (s9ws_client_run (client, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION);
}

/* Before the answer */

typedef struct
{
  TestGate asked;
  TestGate sent;
  gsize n_more;
} Before;

/* A refusal: whatever came before it is all that ever comes. */
static void
script_before (TestPeer *peer,
               gpointer  user_data)
{
  Before *before = user_data;
  char bytes[64];
  gsize n;

  test_peer_read_request (peer);
  test_gate_open (&before->asked);
  test_gate_wait (&before->sent);
  test_peer_send_string (peer, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  while ((n = test_peer_read (peer, bytes, sizeof bytes)) > 0)
    before->n_more += n;
}

static gpointer
send_before (gpointer data)
{
  gpointer *both = data;
  S9wsClient *client = both[0];
  Before *before = both[1];

  /* The asynchronous client keeps it until it can be sent. */
  test_gate_wait (&before->asked);
  if (S9WS_IS_ASYNC_CLIENT (client))
    g_assert_true (s9ws_client_send_text (client, "too early", NULL));
  test_gate_open (&before->sent);
  return NULL;
}

static void
test_before (gconstpointer data)
{
  const Case *test = data;
  Before before = { 0 };
  g_autoptr (TestServer) server = NULL;
  g_autoptr (S9wsOptions) options = create_options (NULL);
  g_autoptr (S9wsClient) client = NULL;
  gpointer both[2];
  GThread *thread;

  test_gate_init (&before.asked);
  test_gate_init (&before.sent);
  server = case_create_server (test, script_before, &before);
  client = create_client (test->kind, test_server_get_uri (server), options);
  both[0] = client;
  both[1] = &before;
  thread = g_thread_new ("before", send_before, both);
  g_assert_false (s9ws_client_run (client, NULL, NULL));
  g_thread_join (thread);
  g_assert_true (test_server_wait_finished (server, 1));
  g_assert_cmpuint (before.n_more, ==, 0);
  test_gate_clear (&before.asked);
  test_gate_clear (&before.sent);
}

int
main (int    argc,
      char **argv)
{
  setlocale (LC_ALL, "C");
  g_test_init (&argc, &argv, NULL);
  start_watchdog (280);

  for (gsize i = 0; i < G_N_ELEMENTS (bad_uris); i++)
    add_case (bad_uris[i].name, CASE_PLAIN, test_bad_uri, &bad_uris[i]);
  add_case ("4.1/no-connection-is-possible", CASE_BOTH, test_nobody, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (bad_certificates); i++)
    add_case (bad_certificates[i].name, CASE_TLS, test_bad_certificate, &bad_certificates[i].certificate);
  add_case ("4.1/server-without-tls-fails", CASE_TLS, test_no_tls, NULL);
  add_case ("4.1/server-name-is-indicated", CASE_TLS, test_server_name, NULL);
  add_case ("4.1/request-is-valid-http", CASE_BOTH, test_valid_http, NULL);
  add_case ("4.1/request-has-each-header-once", CASE_BOTH, test_headers, NULL);
  add_case ("4.1/request-has-the-resource-name", CASE_BOTH, test_targets, NULL);
  add_case ("4.1/key-is-random-and-fresh", CASE_BOTH, test_key, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (bad_protocols); i++)
    add_case (bad_protocols[i].name, CASE_PLAIN, test_bad_protocols, &bad_protocols[i]);
  add_case ("4.1/nothing-before-the-answer", CASE_BOTH, test_before, NULL);

  return g_test_run ();
}
