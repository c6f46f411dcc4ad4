/* test-addresses.c: the three clients, on Unix sockets and on one of two families
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "recorder.h"

typedef struct
{
  Kind kind;
  gboolean is_secure;
  gconstpointer data;
} Case;

/* Says what the request's Host was. */
static void
script_host (TestPeer *peer,
             gpointer  user_data)
{
  const char *host;

  /* Happy Eyeballs may leave a connection unused. */
  if (*test_peer_get_request (peer) == '\0' && test_peer_read_request (peer) == NULL)
    return;

  host = test_peer_get_request_header (peer, "Host");
  test_peer_accept (peer, NULL, NULL);
  test_peer_send_frame (peer, TEST_TEXT, TRUE, host, strlen (host));
  test_peer_close (peer, 1000, NULL, NULL);
}

static TestServer *
create_server (const Case       *test,
               TestServerConfig  config)
{
  g_autofree char *certificate = get_certificate ("good");
  g_autofree char *key = get_certificate ("good-key");

  if (config.script == NULL)
    config.script = script_host;
  config.certificate_file = test->is_secure ? certificate : NULL;
  config.key_file = test->is_secure ? key : NULL;
  return test_server_new_with_config (&config);
}

static void
run_well (S9wsClient *client,
          const char *host)
{
  g_autofree char *expected = g_strdup_printf ("activated text(%s) closed(1000) quit ", host);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  record_signals (client, log);
  s9ws_client_run (client, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (log->str, ==, expected);
}

static char *
make_uri (const Case *test,
          const char *host,
          guint16     port)
{
  return g_strdup_printf ("%s://%s:%u/", test->is_secure ? "wss" : "ws", host, port);
}

/* Two families of addresses, one of them dead: the other is found. */

static void
check_localhost (const Case *test,
                 gboolean    is_ipv6,
                 guint16     port)
{
  g_autoptr (TestServer) server = create_server (test, (TestServerConfig){ .is_ipv6 = is_ipv6, .port = port });
  g_autofree char *uri = make_uri (test, "localhost", test_server_get_port (server));
  g_autofree char *host = g_strdup_printf ("localhost:%u", test_server_get_port (server));
  g_autoptr (S9wsOptions) options = create_options (NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, uri, options);
  g_autoptr (GSocketAddress) address = NULL;

  g_assert_true (s9ws_client_open (client, NULL, NULL));
  address = g_socket_get_remote_address (s9ws_client_get_socket (client), NULL);
  g_assert_cmpint (g_socket_address_get_family (address), ==, (is_ipv6 ? G_SOCKET_FAMILY_IPV6 : G_SOCKET_FAMILY_IPV4));
  run_well (client, host);
}

static void
test_only_ipv4 (gconstpointer data)
{
  check_localhost (data, FALSE, 0);
}

static void
test_only_ipv6 (gconstpointer data)
{
  check_localhost (data, TRUE, 0);
}

/* A port of ::1 that answers nothing: its backlog is full. */
typedef struct
{
  int fd;
  int filler;
} BlackHole;

static gboolean
black_hole_init (BlackHole *hole,
                 guint16   *port)
{
  struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = htons (*port) };
  socklen_t size = sizeof address;

  hole->fd = socket (AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  hole->filler = socket (AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind (hole->fd, (struct sockaddr *) &address, size) == 0)
    {
      g_assert_cmpint (listen (hole->fd, 0), ==, 0);
      g_assert_cmpint (getsockname (hole->fd, (struct sockaddr *) &address, &size), ==, 0);
      g_assert_cmpint (connect (hole->filler, (struct sockaddr *) &address, size), ==, 0);
      *port = ntohs (address.sin6_port);
      return TRUE;
    }

  g_assert_cmpint (errno, ==, EADDRINUSE);
  close (hole->fd);
  close (hole->filler);
  return FALSE;
}

static void
black_hole_clear (BlackHole *hole)
{
  close (hole->fd);
  close (hole->filler);
}

/* It does not refuse, as a dead address does, so that waiting for it would be for long. */
static void
test_silent_ipv6 (gconstpointer data)
{
  const Case *test = data;
  TestServer *server = NULL;
  BlackHole hole;
  guint16 port;
  g_autofree char *uri = NULL;
  g_autofree char *host = NULL;
  g_autoptr (S9wsOptions) options = create_options (NULL);
  g_autoptr (S9wsClient) client = NULL;

  do
    {
      g_clear_pointer (&server, test_server_free);
      server = create_server (test, (TestServerConfig){ 0 });
      port = test_server_get_port (server);
    }
  while (!black_hole_init (&hole, &port));

  uri = make_uri (test, "localhost", port);
  host = g_strdup_printf ("localhost:%u", port);
  client = create_client (test->kind, uri, options);
  run_well (client, host);

  test_server_free (server);
  black_hole_clear (&hole);
}

static void
test_connect_timeout (gconstpointer data)
{
  const Case *test = data;
  BlackHole hole;
  guint16 port = 0;
  g_autofree char *uri = NULL;
  g_autoptr (S9wsOptions) options = create_options ("connect-timeout", 20, NULL);
  g_autoptr (S9wsClient) client = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (black_hole_init (&hole, &port));
  uri = make_uri (test, "[::1]", port);
  client = create_client (test->kind, uri, options);
  g_assert_false (s9ws_client_run (client, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_TIMED_OUT);
  g_assert_nonnull (strstr (error->message, "connect-timeout of 20 ms"));
  black_hole_clear (&hole);
}

static void
test_ipv6_literal (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, (TestServerConfig){ .is_ipv6 = TRUE });
  g_autofree char *uri = make_uri (test, "[::1]", test_server_get_port (server));
  g_autofree char *host = g_strdup_printf ("[::1]:%u", test_server_get_port (server));
  g_autoptr (S9wsOptions) options = create_options ("ttl", 33, NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, uri, options);
  int hops = 0;
  socklen_t size = sizeof hops;

  g_assert_true (s9ws_client_open (client, NULL, NULL));
  g_assert_cmpint (getsockopt (s9ws_client_get_fd (client), IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, &size), ==, 0);
  g_assert_cmpint (hops, ==, 33);
  run_well (client, host);
}

static void
test_nobody (gconstpointer data)
{
  const Case *test = data;
  g_autofree char *uri = make_uri (test, "localhost", 1);
  g_autoptr (S9wsClient) client = create_client (test->kind, uri, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_false (s9ws_client_run (client, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_CONNECT);
  g_assert_nonnull (strstr (error->message, "localhost (port 1)"));
}

/* Where one connects from */

static void
script_peer (TestPeer *peer,
             gpointer  user_data)
{
  struct sockaddr_in address = { 0 };
  socklen_t size = sizeof address;
  g_autofree char *text = NULL;

  g_assert_cmpint (getpeername (test_peer_get_fd (peer), (struct sockaddr *) &address, &size), ==, 0);
  text = g_strdup_printf ("%x", ntohl (address.sin_addr.s_addr));
  test_peer_accept (peer, NULL, NULL);
  test_peer_send_frame (peer, TEST_TEXT, TRUE, text, strlen (text));
  test_peer_close (peer, 1000, NULL, NULL);
}

static void
test_local_address (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, (TestServerConfig){ .script = script_peer });
  /* A name with addresses of both families: the local one decides. */
  g_autofree char *uri = make_uri (test, "localhost", test_server_get_port (server));
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.3", 0);
  g_autoptr (S9wsOptions) options = create_options ("local-address", address, NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, uri, options);

  run_well (client, "7f000003");
}

typedef struct
{
  const char *local;
  const char *message;
} BadAddress;

static void
test_bad_local_address (gconstpointer data)
{
  /* One that is not ours, and one of the other family. */
  static const BadAddress bad[] = {
    { "192.0.2.1", "127.0.0.1 (port 1) failed" },
    { "::1", "127.0.0.1 (port 1) failed" },
  };
  const Case *test = data;
  g_autofree char *uri = make_uri (test, "127.0.0.1", 1);

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string (bad[i].local, 0);
      g_autoptr (S9wsOptions) options = create_options ("local-address", address, NULL);
      g_autoptr (S9wsClient) client = create_client (test->kind, uri, options);
      g_autoptr (GError) error = NULL;

      g_assert_false (s9ws_client_run (client, NULL, &error));
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_CONNECT);
      g_test_message ("%s", error->message);
      g_assert_nonnull (strstr (error->message, bad[i].message));
    }
}

static void
test_local_address_kind (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (GSocketAddress) address = g_unix_socket_address_new ("/run/some.sock");
  g_autoptr (S9wsOptions) options = create_options ("local-address", address, NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, "ws://127.0.0.1:1/", options);
  g_autoptr (GError) error = NULL;

  g_assert_false (s9ws_client_run (client, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION);
  g_assert_nonnull (strstr (error->message, "local-address"));
}

/* Unix sockets */

static char *
make_socket_path (const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("s9ws-XXXXXX", &error);

  g_assert_no_error (error);
  return g_build_filename (folder, name, NULL);
}

static void
remove_folder_of (const char *path)
{
  g_autofree char *folder = g_path_get_dirname (path);

  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

static void
check_unix (const Case *test,
            const char *name,
            const char *escaped_name,
            const char *host_header)
{
  g_autofree char *path = make_socket_path (name);
  g_autofree char *folder = g_path_get_dirname (path);
  TestServer *server = create_server (test, (TestServerConfig){ .socket_path = path });
  g_autofree char *uri = g_strdup_printf ("%s+unix:%s/%s:/chat?x", test->is_secure ? "wss" : "ws", folder, escaped_name);
  g_autoptr (GProxyResolver) resolver = g_simple_proxy_resolver_new ("http://127.0.0.1:1", NULL);
  g_autoptr (GSocketAddress) local = g_inet_socket_address_new_from_string ("127.0.0.3", 0);
  /* None of these is in the way. */
  g_autoptr (S9wsOptions) options = create_options ("host-header", host_header, "nodelay", TRUE, "ttl", 33,
                                                    "proxy-resolver", resolver, "local-address", local,
                                                    "ping-interval", 60000, "pong-timeout", 60000, NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, uri, options);
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (GError) error = NULL;

  s9ws_client_open (client, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (s9ws_client_get_fd (client), >=, 0);
  address = g_socket_get_remote_address (s9ws_client_get_socket (client), &error);
  g_assert_no_error (error);
  g_assert_cmpstr (g_unix_socket_address_get_path (G_UNIX_SOCKET_ADDRESS (address)), ==, path);
  run_well (client, host_header != NULL ? host_header : "localhost");

  test_server_free (server);
  remove_folder_of (path);
}

static void
test_unix (gconstpointer data)
{
  check_unix (data, "chat.sock", "chat.sock", NULL);
  check_unix (data, "a:b?c#d %", "a%3Ab%3Fc%23d%20%25", NULL);
}

static void
test_unix_host_header (gconstpointer data)
{
  check_unix (data, "chat.sock", "chat.sock", "chat.example:8080");
}

/* Both ways at once, more than a socket buffer holds. */

#define N_FLOOD 50
#define FLOOD_SIZE 65536

static void
script_flood (TestPeer *peer,
              gpointer  user_data)
{
  g_autofree char *payload = g_malloc0 (FLOOD_SIZE);
  TestFrame frame;

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
test_unix_flood (gconstpointer data)
{
  const Case *test = data;
  g_autofree char *path = make_socket_path ("flood.sock");
  TestServer *server = create_server (test, (TestServerConfig){ .socket_path = path, .script = script_flood });
  g_autoptr (S9wsOptions) options = create_options (NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (S9wsStats) stats = NULL;
  g_autoptr (GError) error = NULL;

  g_signal_connect (client, "activated", G_CALLBACK (on_activated_flood), NULL);
  s9ws_client_run (client, NULL, &error);
  g_assert_no_error (error);
  stats = s9ws_client_get_stats (client);
  g_assert_cmpuint (stats->messages_received, ==, N_FLOOD);

  test_server_free (server);
  remove_folder_of (path);
}

static void
script_vanish (TestPeer *peer,
               gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
}

static void
test_unix_vanish (gconstpointer data)
{
  const Case *test = data;
  g_autofree char *path = make_socket_path ("vanish.sock");
  TestServer *server = create_server (test, (TestServerConfig){ .socket_path = path, .script = script_vanish });
  g_autoptr (S9wsOptions) options = create_options (NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GString) log = g_string_new (NULL);

  record_signals (client, log);
  g_assert_false (s9ws_client_run (client, NULL, NULL));
  g_assert_cmpstr (log->str, ==, "activated error(13) closed(1006) quit ");

  test_server_free (server);
  remove_folder_of (path);
}

static void
test_unix_nobody (gconstpointer data)
{
  const Case *test = data;
  g_autofree char *path = make_socket_path ("nobody.sock");
  g_autofree char *uri = g_strdup_printf ("%s+unix:%s:/", test->is_secure ? "wss" : "ws", path);
  g_autoptr (S9wsClient) client = create_client (test->kind, uri, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_false (s9ws_client_run (client, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_CONNECT);
  g_assert_nonnull (strstr (error->message, path));
  remove_folder_of (path);
}

/* Redirects stay on the socket that they came from. */
static void
script_redirect (TestPeer *peer,
                 gpointer  user_data)
{
  if (test_peer_get_number (peer) > 0)
    {
      g_assert_true (g_str_has_prefix (test_peer_read_request (peer), "GET /there HTTP/1.1\r\n"));
      script_host (peer, NULL);
      return;
    }

  test_peer_read_request (peer);
  test_peer_send_string (peer, "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n");
  test_peer_wait_end (peer);
}

static void
test_unix_redirect (gconstpointer data)
{
  const Case *test = data;
  g_autofree char *path = make_socket_path ("redirect.sock");
  TestServer *server = create_server (test, (TestServerConfig){ .socket_path = path, .script = script_redirect });
  g_autoptr (S9wsOptions) options = create_options ("max-redirects", 1, "host-header", "chat.example", NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);

  run_well (client, "chat.example");
  test_server_free (server);
  remove_folder_of (path);
}

/* The Host header */

static void
test_host_header (gconstpointer data)
{
  static const char *const good[] = {
    "example.org", "example.org:8080", "[::1]:80", "127.0.0.1", "a_b~c-d.example", "%C3%BC.example", ":80"
  };
  static const char *const bad[] = {
    "", " ", "a b", "a\nb", "a\rb", "a\tb", "a\x7f", "user@example.org", "example.org/", "a?b", "a#b", "a\"b", "ü.example",
    "a\\b", "http://example.org"
  };
  const Case *test = data;

  for (gsize i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (TestServer) server = create_server (test, (TestServerConfig){ 0 });
      g_autoptr (S9wsOptions) options = create_options ("host-header", good[i], NULL);
      g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);

      run_well (client, good[i]);
    }

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (S9wsOptions) options = create_options ("host-header", bad[i], NULL);
      g_autoptr (S9wsClient) client = create_client (test->kind, "ws://127.0.0.1:1/", options);
      g_autoptr (GError) error = NULL;

      g_assert_false (s9ws_client_open (client, NULL, &error));
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION);
      g_assert_nonnull (strstr (error->message, "host-header"));
    }
}

static void
add_test (const char    *name,
          Kind           kind,
          gboolean       is_secure,
          GTestDataFunc  function)
{
  g_autofree char *path = g_strdup_printf ("/addresses/%s/%s/%s", kind_names[kind], is_secure ? "wss" : "ws", name);
  Case *test = g_new0 (Case, 1);

  test->kind = kind;
  test->is_secure = is_secure;
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
        add_test ("only-ipv4", kind, is_secure, test_only_ipv4);
        add_test ("only-ipv6", kind, is_secure, test_only_ipv6);
        add_test ("silent-ipv6", kind, is_secure, test_silent_ipv6);
        add_test ("connect-timeout", kind, is_secure, test_connect_timeout);
        add_test ("ipv6-literal", kind, is_secure, test_ipv6_literal);
        add_test ("nobody", kind, is_secure, test_nobody);
        add_test ("local-address", kind, is_secure, test_local_address);
        add_test ("bad-local-address", kind, is_secure, test_bad_local_address);
        add_test ("local-address-kind", kind, is_secure, test_local_address_kind);
        add_test ("unix", kind, is_secure, test_unix);
        add_test ("unix-host-header", kind, is_secure, test_unix_host_header);
        add_test ("unix-flood", kind, is_secure, test_unix_flood);
        add_test ("unix-vanish", kind, is_secure, test_unix_vanish);
        add_test ("unix-nobody", kind, is_secure, test_unix_nobody);
        add_test ("unix-redirect", kind, is_secure, test_unix_redirect);
        add_test ("host-header", kind, is_secure, test_host_header);
      }

  return g_test_run ();
}
