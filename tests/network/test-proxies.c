/* test-proxies.c: the three clients through proxies, those of other projects and some
 * that do as they are told
 *
 * run-network.py starts the former and tells where they are.
 *
 * Usage: test-proxies [socks4]
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "recorder.h"

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

static S9wsClient *
create_client_by (const Case *test,
                  const char *uri,
                  const char *proxy_uri)
{
  g_autoptr (GProxyResolver) resolver = g_simple_proxy_resolver_new (proxy_uri, NULL);
  g_autoptr (S9wsOptions) options = create_options ("proxy-resolver", resolver, NULL);

  return create_client (test->kind, uri, options);
}

/* "scheme://[credentials@]address" of a proxy that run-network.py has started. */
static char *
get_proxy_uri (const char *scheme,
               const char *name,
               const char *credentials)
{
  g_autofree char *variable = g_strdup_printf ("S9WS_TEST_%s", name);
  const char *address = g_getenv (variable);

  if (address == NULL)
    g_error ("%s is not set: run-network.py runs this test", variable);

  return g_strdup_printf ("%s://%s%s%s", scheme, credentials != NULL ? credentials : "",
                          credentials != NULL ? "@" : "", address);
}

static char *
get_credentials (void)
{
  return g_strdup_printf ("%s:%s", g_getenv ("S9WS_TEST_USER"), g_getenv ("S9WS_TEST_PASSWORD"));
}

static guint16
get_port_of (const char *uri)
{
  g_autoptr (GUri) parsed = g_uri_parse (uri, G_URI_FLAGS_NONE, NULL);

  return (guint16) g_uri_get_port (parsed);
}

/* Talking */

static void
on_activated_talk (S9wsClient *client,
                   gpointer    user_data)
{
  g_assert_true (s9ws_client_send_text (client, "Hello", NULL));
  g_assert_true (s9ws_client_send_binary (client, (const guint8 *) "bin", 3, NULL));
}

static void
on_binary_close (S9wsClient *client,
                 GBytes     *bytes,
                 gpointer    user_data)
{
  g_assert_true (s9ws_client_close (client, 4000, "enough", NULL));
}

/* Opens, makes sure of whom the socket is connected to, and talks. */
static void
talk (S9wsClient *client,
      guint16     peer_port)
{
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (GError) error = NULL;

  record_signals (client, log);
  g_signal_connect (client, "activated", G_CALLBACK (on_activated_talk), NULL);
  g_signal_connect (client, "binary-message", G_CALLBACK (on_binary_close), NULL);
  s9ws_client_open (client, NULL, &error);
  g_assert_no_error (error);
  address = g_socket_get_remote_address (s9ws_client_get_socket (client), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address)), ==, peer_port);

  s9ws_client_run (client, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (log->str, ==, "activated text(Hello) binary(bin) closed(4000,enough) quit ");
}

/* Proxies of others */

typedef struct
{
  const char *name;
  const char *scheme;
  const char *proxy;
  gboolean has_credentials;
  /* dante does not know the names of SOCKS4a, SOCKS4 has none, and of localhost microsocks
   * tries one address only, which may be ::1. */
  gboolean by_address;
} Passage;

static const Passage passages[] = {
  { "tinyproxy", "http", "TINYPROXY", FALSE },
  { "tinyproxy-password", "http", "TINYPROXY_BASIC", TRUE },
  { "squid", "http", "SQUID", FALSE },
  { "squid-password", "http", "SQUID_BASIC", TRUE },
  { "dante-socks5", "socks5", "DANTE", FALSE, TRUE },
  { "dante-socks4a", "socks4a", "DANTE", FALSE, TRUE },
  { "dante-socks4", "socks4", "DANTE", FALSE, TRUE },
  { "dante-socks", "socks", "DANTE", FALSE, TRUE },
  { "microsocks", "socks5", "MICROSOCKS", FALSE, TRUE },
  { "microsocks-password", "socks5", "MICROSOCKS_BASIC", TRUE, TRUE },
  { "openssh-socks5", "socks5", "OPENSSH", FALSE },
  { "openssh-socks4a", "socks4a", "OPENSSH", FALSE },
  { "openssh-socks4", "socks4", "OPENSSH", FALSE, TRUE },
};

static void
test_passage (gconstpointer data)
{
  const Case *test = data;
  const Passage *passage = test->data;
  g_autofree char *credentials = passage->has_credentials ? get_credentials () : NULL;
  g_autofree char *proxy_uri = get_proxy_uri (passage->scheme, passage->proxy, credentials);
  g_autoptr (TestServer) server = create_server (test, test_script_echo, NULL);
  g_autofree char *uri = passage->by_address
                           ? g_strdup_printf ("%s://127.0.0.1:%u/", test->is_secure ? "wss" : "ws", test_server_get_port (server))
                           : g_strdup (test_server_get_uri (server));
  g_autoptr (S9wsClient) client = create_client_by (test, uri, proxy_uri);

  talk (client, get_port_of (proxy_uri));
  g_assert_cmpuint (test_server_get_n_connections (server), ==, 1);
}

typedef struct
{
  const char *name;
  const char *scheme;
  const char *proxy;
  const char *credentials;
  const char *uri;
  const char *message; /* a part of it */
} Refusal;

static const Refusal refusals[] = {
  { "tinyproxy-wrong-password", "http", "TINYPROXY_BASIC", "user:guessed", "//localhost:1/", "refused the user name" },
  { "tinyproxy-no-password", "http", "TINYPROXY_BASIC", NULL, "//localhost:1/", "asks for a user name" },
  { "tinyproxy-not-allowed", "http", "TINYPROXY", NULL, "//refused.example/", "does not allow connections to refused.example" },
  { "tinyproxy-no-server", "http", "TINYPROXY", NULL, "//127.0.0.1:1/", "by way of the proxy" },
  { "squid-wrong-password", "http", "SQUID_BASIC", "user:guessed", "//localhost:1/", "refused the user name" },
  { "squid-no-password", "http", "SQUID_BASIC", NULL, "//localhost:1/", "asks for a user name" },
  { "squid-not-allowed", "http", "SQUID", NULL, "//refused.example/", "does not allow connections to refused.example" },
  { "squid-no-server", "http", "SQUID", NULL, "//127.0.0.1:1/", "by way of the proxy" },
  { "dante-wrong-password", "socks5", "DANTE_BASIC", "nobody-of-ours:guessed", "//127.0.0.1:1/", "refused the user name" },
  { "dante-no-password", "socks5", "DANTE_BASIC", NULL, "//127.0.0.1:1/", "asks for a user name" },
  { "dante-not-allowed", "socks5", "DANTE", NULL, "//127.0.0.1:9/", "does not allow connections to 127.0.0.1" },
  { "dante-not-allowed-socks4a", "socks4a", "DANTE", NULL, "//127.0.0.1:9/", "by way of the proxy" },
  { "dante-no-server", "socks5", "DANTE", NULL, "//127.0.0.1:1/", "by way of the proxy" },
  { "microsocks-wrong-password", "socks5", "MICROSOCKS_BASIC", "user:guessed", "//127.0.0.1:1/", "refused the user name" },
  { "microsocks-no-password", "socks5", "MICROSOCKS_BASIC", NULL, "//127.0.0.1:1/", "asks for a user name" },
  { "microsocks-no-server", "socks5", "MICROSOCKS", NULL, "//127.0.0.1:1/", "by way of the proxy" },
  { "tls", "https", "TINYPROXY_BASIC", "user:guessed", "//localhost:1/", "is reached by TLS" },
  { "unknown-kind", "gopher", "TINYPROXY_BASIC", "user:guessed", "//localhost:1/", "by way of the proxy gopher" },
};

static void
check_refusal (const Case *test,
               const char *uri,
               const char *proxy_uri,
               const char *message)
{
  g_autoptr (S9wsClient) client = create_client_by (test, uri, proxy_uri);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  const char *at = strchr (proxy_uri, '@');
  const char *address = at != NULL ? at + 1 : strstr (proxy_uri, "://") + 3;

  record_signals (client, log);
  g_assert_false (s9ws_client_run (client, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_CONNECT);
  g_assert_cmpstr (log->str, ==, "error(2) quit ");

  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, message));
  g_assert_nonnull (strstr (error->message, address));
  g_assert_null (strstr (error->message, "guessed"));
}

static void
test_refusal (gconstpointer data)
{
  const Case *test = data;
  const Refusal *refusal = test->data;
  g_autofree char *uri = g_strconcat (test->is_secure ? "wss:" : "ws:", refusal->uri, NULL);
  g_autofree char *proxy_uri = get_proxy_uri (refusal->scheme, refusal->proxy, refusal->credentials);

  check_refusal (test, uri, proxy_uri, refusal->message);
}

/* Proxies that do as they are told */

/* What a proxy is asked, to the byte, and that no byte behind its answer is lost. */
static void
script_connect (TestPeer *peer,
                gpointer  user_data)
{
  static const char answer[] = "HTTP/1.1 200 Connection established\r\nX-Padding: 1\r\n\r\n";
  const char *request = test_peer_read_request (peer);

  g_assert_nonnull (request);
  g_assert_true (g_str_has_prefix (request, "CONNECT server.example:81 HTTP/1."));
  g_assert_cmpstr (test_peer_get_request_header (peer, "Host"), ==, "server.example:81");
  /* "us er:p@ss:wörd" */
  g_assert_cmpstr (test_peer_get_request_header (peer, "Proxy-Authorization"), ==, "Basic dXMgZXI6cEBzczp3w7ZyZA==");
  g_assert_null (test_peer_get_request_header (peer, "Sec-WebSocket-Key"));
  test_peer_send_slowly (peer, answer, sizeof answer - 1);

  if (user_data != NULL)
    test_peer_start_tls (peer);
  test_script_echo (peer, NULL);
  g_assert_true (g_str_has_prefix (test_peer_get_request (peer), "GET / HTTP/1.1\r\n"));
  g_assert_null (test_peer_get_request_header (peer, "Proxy-Authorization"));
}

/* SOCKS4a: a name goes behind an address that is none, and the user's before it. */
static void
script_socks4a (TestPeer *peer,
                gpointer  user_data)
{
  static const char expected[] = "\x04\x01\x00\x51\x00\x00\x00\x01us er\0server.example";
  static const char answer[] = "\x00\x5a\x00\x00\x00\x00\x00";
  char request[sizeof expected];

  for (gsize n = 0, size = 0; size < sizeof request; size += n)
    {
      n = test_peer_read (peer, request + size, sizeof request - size);
      g_assert_cmpuint (n, >, 0);
    }
  g_assert_cmpmem (request, sizeof request, expected, sizeof expected);
  test_peer_send_slowly (peer, answer, sizeof answer);

  if (user_data != NULL)
    test_peer_start_tls (peer);
  test_script_echo (peer, NULL);
}

static void
check_scripted (const Case *test,
                const char *scheme,
                TestScript  script)
{
  g_autoptr (TestServer) proxy = create_proxy (test->is_secure, script, GINT_TO_POINTER (test->is_secure));
  g_autofree char *proxy_uri = NULL;
  g_autoptr (S9wsTlsContext) context = NULL;
  g_autoptr (GProxyResolver) resolver = NULL;
  g_autoptr (S9wsOptions) options = NULL;
  g_autoptr (S9wsClient) client = NULL;
  g_autofree char *ca_file = get_certificate ("ca");

  proxy_uri = g_strdup_printf ("%s://us%%20er:p%%40ss%%3Aw%%C3%%B6rd@127.0.0.1:%u", scheme,
                               test_server_get_port (proxy));
  context = g_object_new (S9WS_TYPE_TLS_CONTEXT, "ca-file", ca_file, "server-name", "localhost", NULL);
  resolver = g_simple_proxy_resolver_new (proxy_uri, NULL);
  options = create_options ("proxy-resolver", resolver, "tls-context", context, NULL);
  client = create_client (test->kind, test->is_secure ? "wss://server.example:81/" : "ws://server.example:81/", options);
  talk (client, test_server_get_port (proxy));
}

static void
test_connect (gconstpointer data)
{
  check_scripted (data, "http", script_connect);
}

static void
test_socks4a (gconstpointer data)
{
  check_scripted (data, "socks4a", script_socks4a);
}

static void
script_garbage (TestPeer *peer,
                gpointer  user_data)
{
  test_peer_read_request (peer);
  test_peer_send_string (peer, "220 mail.example ready\r\n\r\n");
  test_peer_wait_end (peer);
}

static void
script_hang_up (TestPeer *peer,
                gpointer  user_data)
{
  test_peer_read_request (peer);
}

static void
script_bad_gateway (TestPeer *peer,
                    gpointer  user_data)
{
  test_peer_read_request (peer);
  test_peer_send_string (peer, "HTTP/1.1 502 Bad Gateway\r\n\r\n");
  test_peer_wait_end (peer);
}

static void
test_broken (gconstpointer data)
{
  static const TestScript scripts[] = { script_garbage, script_hang_up, script_bad_gateway };
  const Case *test = data;

  for (gsize i = 0; i < G_N_ELEMENTS (scripts); i++)
    {
      g_autoptr (TestServer) proxy = create_proxy (test->is_secure, scripts[i], NULL);
      g_autofree char *proxy_uri = g_strdup_printf ("http://user:guessed@127.0.0.1:%u", test_server_get_port (proxy));

      check_refusal (test, test->is_secure ? "wss://server.example/" : "ws://server.example/", proxy_uri,
                     i == 2 ? "502" : "by way of the proxy http://…@127.0.0.1");
    }
}

static void
test_no_proxy_there (gconstpointer data)
{
  const Case *test = data;

  check_refusal (test, test->is_secure ? "wss://server.example/" : "ws://server.example/",
                 "http://user:guessed@127.0.0.1:1", "by way of the proxy http://…@127.0.0.1:1 failed");
}

static void
test_direct (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, test_script_echo, NULL);
  g_autoptr (S9wsClient) client = create_client_by (test, test_server_get_uri (server), "direct://");

  talk (client, test_server_get_port (server));
}

static void
script_mute (TestPeer *peer,
             gpointer  user_data)
{
  test_peer_read_request (peer);
  if (user_data != NULL)
    g_cancellable_cancel (user_data);
  test_peer_wait_end (peer);
}

static void
test_timeout (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) proxy = create_proxy (test->is_secure, script_mute, NULL);
  g_autofree char *proxy_uri = g_strdup_printf ("http://127.0.0.1:%u", test_server_get_port (proxy));
  g_autoptr (GProxyResolver) resolver = g_simple_proxy_resolver_new (proxy_uri, NULL);
  g_autoptr (S9wsOptions) options = create_options ("proxy-resolver", resolver, "connect-timeout", 20, NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, "ws://server.example/", options);
  g_autoptr (GError) error = NULL;

  g_assert_false (s9ws_client_run (client, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_TIMED_OUT);
}

static void
test_cancel (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (TestServer) proxy = create_proxy (test->is_secure, script_mute, cancellable);
  g_autofree char *proxy_uri = g_strdup_printf ("http://127.0.0.1:%u", test_server_get_port (proxy));
  g_autoptr (S9wsClient) client = create_client_by (test, "ws://server.example/", proxy_uri);
  g_autoptr (GError) error = NULL;

  g_assert_false (s9ws_client_run (client, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* The system's proxies */

static const char *program;

/* What the process that has proxies in its environment does. */
static void
test_in_environment (gconstpointer data)
{
  const Case *test = data;
  g_autofree char *ca_file = get_certificate ("ca");
  g_autoptr (S9wsTlsContext) context = NULL;
  g_autoptr (S9wsOptions) options = NULL;
  g_autoptr (S9wsClient) client = NULL;

  context = g_object_new (S9WS_TYPE_TLS_CONTEXT, "ca-file", ca_file, "server-name", "localhost", NULL);
  options = create_options ("tls-context", context, NULL);
  client = create_client (test->kind, g_getenv ("S9WS_TEST_URI"), options);
  talk (client, (guint16) g_ascii_strtoull (g_getenv ("S9WS_TEST_PEER_PORT"), NULL, 10));
}

/* The proxy is for the URI's scheme only, and none for 127.0.0.1. */
static void
run_in_environment (const Case *test,
                    const char *uri,
                    guint16     proxy_port,
                    guint16     peer_port)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_SILENCE);
  g_autofree char *path = g_strdup_printf ("/proxies/%s/%s/in-environment", kind_names[test->kind],
                                           test->is_secure ? "wss" : "ws");
  g_autofree char *proxy = g_strdup_printf ("http://us%%20er:p%%40ss%%3Aw%%C3%%B6rd@127.0.0.1:%u", proxy_port);
  g_autofree char *peer = g_strdup_printf ("%u", peer_port);
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GError) error = NULL;

  g_subprocess_launcher_unsetenv (launcher, "GIO_USE_PROXY_RESOLVER");
  g_subprocess_launcher_unsetenv (launcher, "all_proxy");
  g_subprocess_launcher_unsetenv (launcher, test->is_secure ? "http_proxy" : "https_proxy");
  g_subprocess_launcher_setenv (launcher, test->is_secure ? "https_proxy" : "http_proxy", proxy, TRUE);
  g_subprocess_launcher_setenv (launcher, "no_proxy", "127.0.0.1", TRUE);
  g_subprocess_launcher_setenv (launcher, "S9WS_TEST_URI", uri, TRUE);
  g_subprocess_launcher_setenv (launcher, "S9WS_TEST_PEER_PORT", peer, TRUE);

  process = g_subprocess_launcher_spawn (launcher, &error, program, "--tap", "-p", path, NULL);
  g_assert_no_error (error);
  g_subprocess_wait_check (process, NULL, &error);
  g_assert_no_error (error);
}

static void
test_environment (gconstpointer data)
{
  const Case *test = data;
  const char *scheme = test->is_secure ? "wss" : "ws";
  g_autoptr (TestServer) proxy = create_proxy (test->is_secure, script_connect, GINT_TO_POINTER (test->is_secure));
  g_autoptr (TestServer) server = create_server (test, test_script_echo, NULL);
  guint16 proxy_port = test_server_get_port (proxy);
  guint16 server_port = test_server_get_port (server);
  g_autofree char *far = g_strdup_printf ("%s://server.example:81/", scheme);
  g_autofree char *near = g_strdup_printf ("%s://127.0.0.1:%u/", scheme, server_port);

  run_in_environment (test, far, proxy_port, proxy_port);
  g_assert_cmpuint (test_server_get_n_connections (proxy), ==, 1);
  run_in_environment (test, near, proxy_port, server_port);
  g_assert_cmpuint (test_server_get_n_connections (proxy), ==, 1);
  g_assert_cmpuint (test_server_get_n_connections (server), ==, 1);
}

/* Those of SOCKS4 have a run of their own: GLib 2.74 leaks a buffer in each. */
static gboolean is_about_socks4;

/* GLib does not free what belongs to tests that are left out. */
static GPtrArray *cases;

static void
add_test (const char    *scheme,
          const char    *name,
          Kind           kind,
          gboolean       is_secure,
          gconstpointer  data,
          GTestDataFunc  function)
{
  g_autofree char *path = g_strdup_printf ("/proxies/%s/%s/%s", kind_names[kind], is_secure ? "wss" : "ws", name);
  Case *test;

  if (g_str_has_prefix (scheme, "socks4") != is_about_socks4)
    return;

  test = g_new (Case, 1);
  *test = (Case){ kind, is_secure, data };
  g_ptr_array_add (cases, test);
  g_test_add_data_func (path, test, function);
}

static void
add_tests (Kind     kind,
           gboolean is_secure)
{
  static const struct
  {
    const char *scheme;
    const char *name;
    GTestDataFunc function;
  } others[] = {
    { "http", "connect", test_connect },
    { "socks4a", "socks4a", test_socks4a },
    { "http", "broken", test_broken },
    { "http", "no-proxy-there", test_no_proxy_there },
    { "direct", "direct", test_direct },
    { "http", "timeout", test_timeout },
    { "http", "cancel", test_cancel },
    { "http", "environment", test_environment },
  };

  if (g_getenv ("S9WS_TEST_URI") != NULL)
    {
      add_test ("http", "in-environment", kind, is_secure, NULL, test_in_environment);
      return;
    }

  for (gsize i = 0; i < G_N_ELEMENTS (passages); i++)
    add_test (passages[i].scheme, passages[i].name, kind, is_secure, &passages[i], test_passage);
  for (gsize i = 0; i < G_N_ELEMENTS (refusals); i++)
    add_test (refusals[i].scheme, refusals[i].name, kind, is_secure, &refusals[i], test_refusal);
  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    add_test (others[i].scheme, others[i].name, kind, is_secure, NULL, others[i].function);
}

int
main (int    argc,
      char **argv)
{
  int status;

  program = argv[0];
  cases = g_ptr_array_new_with_free_func (g_free);
  g_test_init (&argc, &argv, NULL);
  start_watchdog (600);
  is_about_socks4 = argc > 1 && g_str_equal (argv[1], "socks4");

  for (Kind kind = 0; kind < N_KINDS; kind++)
    for (int is_secure = 0; is_secure < 2; is_secure++)
      add_tests (kind, is_secure);

  status = g_test_run ();
  g_ptr_array_unref (cases);
  return status;
}
