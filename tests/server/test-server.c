/* test-server.c: the listening side of the test server
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "test-server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <glib-unix.h>
#include <gnutls/gnutls.h>

#include "test-peer-private.h"

struct _TestServer
{
  TestServerConfig config;
  char *priority;
  gnutls_certificate_credentials_t credentials; /* NULL: no TLS */
  gnutls_datum_t ticket_key;

  int fd;
  int stop_fds[2]; /* a pipe: what is written into it ends the accepting thread */
  guint16 port;
  char *uri;
  GThread *thread;

  GMutex mutex; /* guards all of the following and closing a peer's descriptor */
  GCond cond;   /* a connection has come to its end */
  guint n_connections;
  guint n_tls_failures;
  guint n_finished;
  GPtrArray *peers;   /* of TestPeer, whose threads use them */
  GPtrArray *threads; /* of GThread */
};

typedef struct
{
  TestServer *server;
  TestPeer *peer;
} Connection;

static void
check_gnutls (int         result,
              const char *what)
{
  if (result < 0)
    g_error ("%s: %s", what, gnutls_strerror (result));
}

static void
load_credentials (TestServer             *server,
                  const TestServerConfig *config)
{
  const char *error_at = NULL;
  gnutls_priority_t priority;

  check_gnutls (gnutls_priority_init (&priority, server->priority, &error_at), server->priority);
  gnutls_priority_deinit (priority);

  gnutls_certificate_allocate_credentials (&server->credentials);
  check_gnutls (gnutls_certificate_set_x509_key_file (server->credentials, config->certificate_file,
                                                      config->key_file, GNUTLS_X509_FMT_PEM),
                config->certificate_file);
  if (config->client_ca_file != NULL)
    check_gnutls (gnutls_certificate_set_x509_trust_file (server->credentials,
                                                          config->client_ca_file,
                                                          GNUTLS_X509_FMT_PEM),
                  config->client_ca_file);
  gnutls_session_ticket_key_generate (&server->ticket_key);
}

static void
finish_connection (TestServer *server,
                   TestPeer   *peer)
{
  g_mutex_lock (&server->mutex);
  close (peer->fd);
  g_ptr_array_remove_fast (server->peers, peer);
  server->n_finished++;
  if (peer->tls_failed)
    server->n_tls_failures++;
  g_cond_broadcast (&server->cond);
  g_mutex_unlock (&server->mutex);

  test_peer_free (peer);
}

static gpointer
run_connection (gpointer data)
{
  g_autofree Connection *connection = data;
  TestServer *server = connection->server;
  TestPeer *peer = connection->peer;
  gboolean has_tls = server->credentials != NULL;

  if (!has_tls || server->config.defer_tls || test_peer_start_tls (peer))
    server->config.script (peer, server->config.user_data);

  test_peer_finish (peer);
  finish_connection (server, peer);

  return NULL;
}

static void
start_connection (TestServer *server,
                  int         fd)
{
  Connection *connection = g_new0 (Connection, 1);
  TestPeer *peer = test_peer_new (fd, server->n_connections);
  int one = 1;

  if (server->config.socket_path == NULL)
    setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (server->config.timeout >= 0)
    {
      struct timeval timeout = { .tv_sec = server->config.timeout };

      setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
      setsockopt (fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    }

  peer->credentials = server->credentials;
  peer->ticket_key = &server->ticket_key;
  peer->priority = server->priority;
  peer->requires_certificate = server->config.client_ca_file != NULL;
  connection->server = server;
  connection->peer = peer;

  server->n_connections++;
  g_ptr_array_add (server->peers, peer);
  g_ptr_array_add (server->threads, g_thread_new ("test-peer", run_connection, connection));
}

static gpointer
accept_connections (gpointer data)
{
  TestServer *server = data;
  struct pollfd fds[] = {
    { .fd = server->fd, .events = POLLIN },
    { .fd = server->stop_fds[0], .events = POLLIN },
  };

  for (;;)
    {
      int fd;

      if (poll (fds, G_N_ELEMENTS (fds), -1) < 0 && errno != EINTR)
        g_error ("poll: %s", g_strerror (errno));
      if (fds[1].revents != 0)
        return NULL;

      fd = accept4 (server->fd, NULL, NULL, SOCK_CLOEXEC);
      if (fd < 0)
        continue;

      g_mutex_lock (&server->mutex);
      start_connection (server, fd);
      g_mutex_unlock (&server->mutex);
    }
}

typedef union
{
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
  struct sockaddr_un local;
} Address;

static socklen_t
make_address (const TestServerConfig *config,
              Address                *address)
{
  *address = (Address){ 0 };
  if (config->socket_path != NULL)
    {
      address->local.sun_family = AF_UNIX;
      g_strlcpy (address->local.sun_path, config->socket_path, sizeof address->local.sun_path);
      return sizeof address->local;
    }

  if (config->is_ipv6)
    {
      address->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = htons (config->port) };
      return sizeof address->v6;
    }

  address->v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl (INADDR_LOOPBACK) }, .sin_port = htons (config->port) };
  return sizeof address->v4;
}

static char *
make_uri (TestServer *server)
{
  const TestServerConfig *config = &server->config;
  const char *scheme = server->credentials != NULL ? "wss" : "ws";

  if (config->socket_path != NULL)
    return g_strdup_printf ("%s+unix:%s:/", scheme, config->socket_path);
  if (config->is_ipv6)
    return g_strdup_printf ("%s://[::1]:%u/", scheme, server->port);
  return g_strdup_printf ("%s://%s:%u/", scheme, server->credentials != NULL ? "localhost" : "127.0.0.1", server->port);
}

static void
start_listening (TestServer *server)
{
  Address address;
  socklen_t size = make_address (&server->config, &address);

  server->fd = socket (address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (server->fd < 0 ||
      bind (server->fd, &address.any, size) != 0 ||
      listen (server->fd, SOMAXCONN) != 0 ||
      getsockname (server->fd, &address.any, &size) != 0)
    g_error ("Cannot listen: %s", g_strerror (errno));

  if (server->config.socket_path == NULL)
    server->port = ntohs (server->config.is_ipv6 ? address.v6.sin6_port : address.v4.sin_port);
  server->uri = make_uri (server);
}

TestServer *
test_server_new_with_config (const TestServerConfig *config)
{
  TestServer *server = g_new0 (TestServer, 1);

  server->config = *config;
  if (server->config.timeout == 0)
    server->config.timeout = TEST_TIMEOUT;
  server->priority = g_strdup (config->priority != NULL ? config->priority : "NORMAL");
  if (config->certificate_file != NULL)
    load_credentials (server, config);

  g_mutex_init (&server->mutex);
  g_cond_init (&server->cond);
  server->peers = g_ptr_array_new ();
  server->threads = g_ptr_array_new ();

  start_listening (server);
  if (!g_unix_open_pipe (server->stop_fds, FD_CLOEXEC, NULL))
    g_error ("pipe: %s", g_strerror (errno));
  server->thread = g_thread_new ("test-server", accept_connections, server);

  return server;
}

TestServer *
test_server_new (TestScript script,
                 gpointer   user_data)
{
  TestServerConfig config = { .script = script, .user_data = user_data };

  return test_server_new_with_config (&config);
}

TestServer *
test_server_new_with_tls (TestScript  script,
                          gpointer    user_data,
                          const char *certificate_file,
                          const char *key_file)
{
  TestServerConfig config = {
    .script = script,
    .user_data = user_data,
    .certificate_file = certificate_file,
    .key_file = key_file,
  };

  return test_server_new_with_config (&config);
}

void
test_server_free (TestServer *server)
{
  if (write (server->stop_fds[1], "", 1) != 1)
    g_error ("write: %s", g_strerror (errno));
  g_thread_join (server->thread);

  g_mutex_lock (&server->mutex);
  for (guint i = 0; i < server->peers->len; i++)
    {
      TestPeer *peer = g_ptr_array_index (server->peers, i);

      shutdown (peer->fd, SHUT_RDWR);
    }
  g_mutex_unlock (&server->mutex);

  for (guint i = 0; i < server->threads->len; i++)
    g_thread_join (g_ptr_array_index (server->threads, i));

  close (server->fd);
  if (server->config.socket_path != NULL)
    unlink (server->config.socket_path);
  close (server->stop_fds[0]);
  close (server->stop_fds[1]);
  if (server->credentials != NULL)
    gnutls_certificate_free_credentials (server->credentials);
  gnutls_free (server->ticket_key.data);
  g_ptr_array_unref (server->peers);
  g_ptr_array_unref (server->threads);
  g_mutex_clear (&server->mutex);
  g_cond_clear (&server->cond);
  g_free (server->priority);
  g_free (server->uri);
  g_free (server);
}

guint16
test_server_get_port (TestServer *server)
{
  return server->port;
}

const char *
test_server_get_uri (TestServer *server)
{
  return server->uri;
}

guint
test_server_get_n_connections (TestServer *server)
{
  guint n;

  g_mutex_lock (&server->mutex);
  n = server->n_connections;
  g_mutex_unlock (&server->mutex);

  return n;
}

guint
test_server_get_n_tls_failures (TestServer *server)
{
  guint n;

  g_mutex_lock (&server->mutex);
  n = server->n_tls_failures;
  g_mutex_unlock (&server->mutex);

  return n;
}

gboolean
test_server_wait_finished (TestServer *server,
                           guint       n)
{
  gint64 end = g_get_monotonic_time () + TEST_TIMEOUT * G_TIME_SPAN_SECOND;
  gboolean is_finished;

  g_mutex_lock (&server->mutex);
  while (server->n_finished < n && g_cond_wait_until (&server->cond, &server->mutex, end))
    continue;
  is_finished = server->n_finished >= n;
  g_mutex_unlock (&server->mutex);

  return is_finished;
}
