/* test-host.c: whom a request is for, which RFC 6455 leaves to HTTP's Host
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * 3      The port is 80 with ws, and 443 with wss, unless the URI has one.
 * 4.1    The request has a Host: the URI's host, and its port where that is not the default
 *        one of the scheme.
 *
 * The server is behind a proxy, so that it can have any name and any port.
 */
#include <locale.h>

#include "cases.h"

typedef struct
{
  const char *name;
  const char *rest;        /* of the URI, behind its scheme */
  const char *host_header; /* the option; NULL: unset */
  const char *host[2];     /* of ws and of wss, each in the request */
  const char *connect[2];  /* where the proxy is to connect to; NULL: GLib 2.74 says it wrongly */
} Host;

/* clang-format off */
static const Host hosts[] = {
  { "4.1/host-is-in-the-request", "//server.example:8080/", NULL,
    { "server.example:8080", "server.example:8080" }, { "server.example:8080", "server.example:8080" } },
  { "4.1/host-is-without-the-default-port", "//server.example/", NULL,
    { "server.example", "server.example" }, { "server.example:80", "server.example:443" } },
  { "4.1/host-is-without-the-default-port-of-ws", "//server.example:80/", NULL,
    { "server.example", "server.example:80" }, { "server.example:80", "server.example:80" } },
  { "4.1/host-is-without-the-default-port-of-wss", "//server.example:443/", NULL,
    { "server.example:443", "server.example" }, { "server.example:443", "server.example:443" } },
  { "4.1/host-is-without-an-empty-port", "//server.example:/", NULL,
    { "server.example", "server.example" }, { "server.example:80", "server.example:443" } },
  { "4.1/host-is-without-path-and-query", "//server.example?//other.example:81/", NULL,
    { "server.example", "server.example" }, { "server.example:80", "server.example:443" } },
  { "4.1/host-is-without-the-user", "//user:open-sesame@server.example:81/", NULL,
    { "server.example:81", "server.example:81" }, { "server.example:81", "server.example:81" } },
  { "4.1/host-is-an-ipv4-address", "//127.0.0.1/", NULL,
    { "127.0.0.1", "127.0.0.1" }, { "127.0.0.1:80", "127.0.0.1:443" } },
  { "4.1/host-is-an-ipv6-address-in-brackets", "//[::1]/", NULL,
    { "[::1]", "[::1]" }, { NULL, NULL } },
  { "4.1/host-is-an-ipv6-address-and-a-port", "//[::1]:81/", NULL,
    { "[::1]:81", "[::1]:81" }, { NULL, NULL } },
  { "4.1/host-is-in-ascii", "//b\xc3\xbc" "cher.example/", NULL,
    { "xn--bcher-kva.example", "xn--bcher-kva.example" },
    { "xn--bcher-kva.example:80", "xn--bcher-kva.example:443" } },
  { "4.1/host-is-what-was-asked-for", "//server.example:81/", "chat.example:8080",
    { "chat.example:8080", "chat.example:8080" }, { "server.example:81", "server.example:81" } },
};
/* clang-format on */

typedef struct
{
  const Case *test;
  char *connect; /* the CONNECT's Host */
  char *host;
} Requests;

static void
script_host (TestPeer *peer,
             gpointer  user_data)
{
  Requests *requests = user_data;

  test_peer_read_request (peer);
  requests->connect = g_strdup (test_peer_get_request_header (peer, "Host"));
  test_peer_send_string (peer, "HTTP/1.1 200 Connection established\r\n\r\n");
  if (requests->test->is_secure)
    test_peer_start_tls (peer);

  test_peer_read_request (peer);
  requests->host = g_strdup (test_peer_get_request_header (peer, "Host"));
  test_peer_accept (peer, NULL, NULL);
  test_peer_close (peer, 1000, NULL, NULL);
}

/* The certificate is for localhost, whatever the server is called here. */
static S9wsOptions *
create_host_options (const Host *rule,
                     TestServer *proxy)
{
  g_autofree char *ca_file = get_certificate ("ca");
  g_autofree char *proxy_uri = g_strdup_printf ("http://127.0.0.1:%u", test_server_get_port (proxy));
  g_autoptr (GProxyResolver) resolver = g_simple_proxy_resolver_new (proxy_uri, NULL);
  g_autoptr (S9wsTlsContext) context = g_object_new (S9WS_TYPE_TLS_CONTEXT, "ca-file", ca_file, "server-name", "localhost", NULL);

  return create_options ("proxy-resolver", resolver, "tls-context", context, "host-header", rule->host_header, NULL);
}

static void
test_host (gconstpointer data)
{
  const Case *test = data;
  const Host *rule = test->data;
  Requests requests = { test, NULL, NULL };
  g_autoptr (TestServer) proxy = create_proxy (test->is_secure, script_host, &requests);
  g_autoptr (S9wsOptions) options = create_host_options (rule, proxy);
  g_autofree char *uri = g_strconcat (test->is_secure ? "wss:" : "ws:", rule->rest, NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, uri, options);
  g_autoptr (GString) log = g_string_new (NULL);

  record_signals (client, log);
  s9ws_client_run (client, NULL, NULL);
  g_assert_cmpstr (log->str, ==, "activated closed(1000) quit ");
  g_assert_true (test_server_wait_finished (proxy, 1));
  g_assert_cmpstr (requests.host, ==, rule->host[test->is_secure]);
  if (rule->connect[test->is_secure] != NULL)
    g_assert_cmpstr (requests.connect, ==, rule->connect[test->is_secure]);
  g_free (requests.host);
  g_free (requests.connect);
}

int
main (int    argc,
      char **argv)
{
  setlocale (LC_ALL, "C");
  g_test_init (&argc, &argv, NULL);
  start_watchdog (280);

  for (gsize i = 0; i < G_N_ELEMENTS (hosts); i++)
    add_case (hosts[i].name, CASE_BOTH, test_host, &hosts[i]);

  return g_test_run ();
}
