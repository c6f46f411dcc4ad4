/* dial.c: a connected socket, by way of GIO
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "dial.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gi18n-lib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../s9ws-error.h"
#include "proxy-resolver.h"

typedef struct
{
  GMainContext *context;
  GCancellable *cancellable; /* what ends the attempt: the user's, or the timeout */
  GSocketConnection *connection;
  GError *error;
  GProxyAddress *proxy;    /* the one that the attempt got furthest with, or NULL */
  GSocketClientEvent step; /* how far */
  gboolean is_done;
  gboolean has_timed_out;
} Attempt;

static void
on_connected (GObject      *object,
              GAsyncResult *result,
              gpointer      user_data)
{
  Attempt *attempt = user_data;

  attempt->connection = g_socket_client_connect_finish (G_SOCKET_CLIENT (object), result, &attempt->error);
  attempt->is_done = TRUE;
}

static void
add_source (Attempt     *attempt,
            GSource     *source,
            GSourceFunc  callback)
{
  g_source_set_callback (source, callback, attempt, NULL);
  g_source_attach (source, attempt->context);
  g_source_unref (source);
}

static gboolean
cancel_attempt (gpointer user_data)
{
  Attempt *attempt = user_data;

  g_cancellable_cancel (attempt->cancellable);
  return G_SOURCE_REMOVE;
}

static gboolean
on_timeout (gpointer user_data)
{
  Attempt *attempt = user_data;

  attempt->has_timed_out = TRUE;
  return cancel_attempt (attempt);
}

/* On whichever thread cancels.  Not by a source of the cancellable: GLib may leak one that
 * is destroyed while another thread cancels, and those of the attempt are in its context. */
static void
on_cancelled (GCancellable *cancellable,
              gpointer      user_data)
{
  add_source (user_data, g_idle_source_new (), cancel_attempt);
}

static gboolean
is_tls_proxy (GProxyAddress *proxy)
{
  return g_ascii_strcasecmp (g_proxy_address_get_protocol (proxy), "https") == 0;
}

/* GIO's errors do not say which proxy they are about.  Of several attempts it reports the
 * one that got furthest, as this does. */
static void
on_event (GSocketClient      *client,
          GSocketClientEvent  event,
          GSocketConnectable *connectable,
          GIOStream          *stream,
          Attempt            *attempt)
{
  g_autoptr (GSocketAddress) address = NULL;

  if (event < G_SOCKET_CLIENT_CONNECTING || event > G_SOCKET_CLIENT_PROXY_NEGOTIATING || event < attempt->step ||
      !G_IS_SOCKET_CONNECTION (stream))
    return;

  attempt->step = event;
  address = g_socket_connection_get_remote_address (G_SOCKET_CONNECTION (stream), NULL);
  g_clear_object (&attempt->proxy);
  if (!G_IS_PROXY_ADDRESS (address))
    return;

  attempt->proxy = G_PROXY_ADDRESS (g_steal_pointer (&address));
  /* What TLS of GIO's would lie in between cannot be taken over: nothing is said to it. */
  if (is_tls_proxy (attempt->proxy))
    g_cancellable_cancel (attempt->cancellable);
}

/* Which proxy to use is asked for by a scheme that resolvers know.  HTTP proxies are
 * asked to CONNECT, also for ws: nothing else lets an upgrade through. */
static GSocketConnectable *
create_connectable (const S9wsEndpoint *endpoint)
{
  if (endpoint->socket_path != NULL)
    return G_SOCKET_CONNECTABLE (g_unix_socket_address_new (endpoint->socket_path));

  return g_object_new (G_TYPE_NETWORK_ADDRESS,
                       "hostname", endpoint->host,
                       "port", (guint) endpoint->port,
                       "scheme", endpoint->is_secure ? "https" : "http",
                       NULL);
}

static void
connect_on_own_context (const S9wsEndpoint    *endpoint,
                        const S9wsDialOptions *options,
                        GCancellable          *cancellable,
                        Attempt               *attempt)
{
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketConnectable) connectable = create_connectable (endpoint);
  gulong chain = 0;

  attempt->context = g_main_context_new ();
  attempt->cancellable = g_cancellable_new ();
  g_main_context_push_thread_default (attempt->context);

  if (options->proxy_resolver != NULL)
    {
      g_autoptr (GProxyResolver) resolver = s9ws_proxy_resolver_new (options->proxy_resolver);

      g_socket_client_set_proxy_resolver (client, resolver);
    }
  if (endpoint->socket_path == NULL)
    g_socket_client_set_local_address (client, options->local_address);
  g_signal_connect (client, "event", G_CALLBACK (on_event), attempt);
  if (options->timeout > 0)
    add_source (attempt, g_timeout_source_new (options->timeout), on_timeout);
  if (cancellable != NULL)
    chain = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), attempt, NULL);

  /* Only the asynchronous way tries addresses side by side (RFC 8305). */
  g_socket_client_connect_async (client, connectable, attempt->cancellable, on_connected, attempt);
  while (!attempt->is_done)
    g_main_context_iteration (attempt->context, TRUE);
  g_cancellable_disconnect (cancellable, chain);
  /* Attempts that lost the race are told so here. */
  g_signal_handlers_disconnect_by_data (client, attempt);
  while (g_main_context_iteration (attempt->context, FALSE))
    continue;

  g_main_context_pop_thread_default (attempt->context);
  g_object_unref (attempt->cancellable);
  g_main_context_unref (attempt->context);
}

/* GIO knows no code for it, and tinyproxy answers a wrong password with 401. */
static gboolean
has_refused_credentials (const GError *error)
{
  return g_error_matches (error, G_IO_ERROR, G_IO_ERROR_PROXY_AUTH_FAILED) ||
         (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_PROXY_FAILED) && g_str_has_suffix (error->message, " 401"));
}

static void
explain_proxy (const S9wsEndpoint  *endpoint,
               GProxyAddress       *proxy,
               const GError        *cause,
               GError             **error)
{
  g_autofree char *name = s9ws_redact_uri (g_proxy_address_get_uri (proxy));

  if (is_tls_proxy (proxy))
    g_set_error (error, S9WS_ERROR, S9WS_ERROR_CONNECT,
                 _("The proxy %s is reached by TLS, which is not supported; expected an HTTP or SOCKS proxy"), name);
  else if (has_refused_credentials (cause))
    g_set_error (error, S9WS_ERROR, S9WS_ERROR_CONNECT,
                 _("The proxy %s refused the user name and the password that its URI has"), name);
  else if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_PROXY_NEED_AUTH))
    g_set_error (error, S9WS_ERROR, S9WS_ERROR_CONNECT,
                 _("The proxy %s asks for a user name and a password, and its URI has none"), name);
  else if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_PROXY_NOT_ALLOWED))
    g_set_error (error, S9WS_ERROR, S9WS_ERROR_CONNECT,
                 _("The proxy %s does not allow connections to %s"), name, endpoint->name);
  else
    g_set_error (error, S9WS_ERROR, S9WS_ERROR_CONNECT,
                 _("Connecting to %s by way of the proxy %s failed: %s"), endpoint->name, name, cause->message);
}

/* GIO has it in its own words only. */
static int
find_error_number (const GError *error)
{
  static const struct
  {
    int code;
    int number;
  } numbers[] = {
    { G_IO_ERROR_CONNECTION_REFUSED, ECONNREFUSED },
    { G_IO_ERROR_CONNECTION_CLOSED, ECONNRESET },
    { G_IO_ERROR_HOST_UNREACHABLE, EHOSTUNREACH },
    { G_IO_ERROR_NETWORK_UNREACHABLE, ENETUNREACH },
    { G_IO_ERROR_TIMED_OUT, ETIMEDOUT },
    { G_IO_ERROR_PERMISSION_DENIED, EACCES },
    { G_IO_ERROR_ADDRESS_IN_USE, EADDRINUSE },
    { G_IO_ERROR_NOT_FOUND, ENOENT },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++)
    if (g_error_matches (error, G_IO_ERROR, numbers[i].code))
      return numbers[i].number;

  return 0;
}

static void
explain (const S9wsEndpoint     *endpoint,
         const S9wsDialOptions  *options,
         GCancellable           *cancellable,
         Attempt                *attempt,
         GError                **error)
{
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return;

  if (options->error_number != NULL && attempt->proxy == NULL)
    *options->error_number = find_error_number (attempt->error);
  if (attempt->has_timed_out)
    g_set_error (error, S9WS_ERROR, S9WS_ERROR_TIMED_OUT,
                 _("Connecting to %s took longer than the connect-timeout of %u ms"), endpoint->name, options->timeout);
  else if (attempt->proxy != NULL)
    explain_proxy (endpoint, attempt->proxy, attempt->error, error);
  else
    g_set_error (error, S9WS_ERROR, S9WS_ERROR_CONNECT, _("Connecting to %s failed: %s"),
                 endpoint->name, attempt->error->message);
}

/* The descriptor behind the connection, ours from now on. */
static int
take_descriptor (GSocketConnection  *connection,
                 GError            **error)
{
  int fd;

  fd = fcntl (g_socket_get_fd (g_socket_connection_get_socket (connection)), F_DUPFD_CLOEXEC, 3);
  if (fd < 0 || fcntl (fd, F_SETFL, fcntl (fd, F_GETFL) & ~O_NONBLOCK) < 0)
    {
      g_set_error (error, S9WS_ERROR, S9WS_ERROR_SOCKET_UNAVAILABLE,
                   _("The socket could not be taken over: %s"), g_strerror (errno));
      if (fd >= 0)
        close (fd);
      return -1;
    }

  return fd;
}

static int
set_ttl (int   fd,
         int   family,
         guint ttl)
{
  int value = (int) ttl;

  if (family == AF_INET6)
    return setsockopt (fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &value, sizeof value);

  return setsockopt (fd, IPPROTO_IP, IP_TTL, &value, sizeof value);
}

static gboolean
set_up (int                     fd,
        const S9wsDialOptions  *options,
        GError                **error)
{
  struct sockaddr_storage address = { 0 };
  socklen_t size = sizeof address;
  int nodelay = options->nodelay;
  const char *name = NULL;

  getsockname (fd, (struct sockaddr *) &address, &size);
  if (address.ss_family == AF_UNIX)
    return TRUE;

  if (setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, sizeof nodelay) < 0)
    name = "nodelay";
  else if (options->ttl > 0 && set_ttl (fd, address.ss_family, options->ttl) < 0)
    name = "ttl";

  if (name == NULL)
    return TRUE;

  g_set_error (error, S9WS_ERROR, S9WS_ERROR_SOCKET_UNAVAILABLE,
               _("The option %s could not be set on the socket: %s"), name, g_strerror (errno));
  return FALSE;
}

int
s9ws_dial (const S9wsEndpoint     *endpoint,
           const S9wsDialOptions  *options,
           GCancellable           *cancellable,
           GError                **error)
{
  Attempt attempt = { 0 };
  int fd;

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return -1;

  connect_on_own_context (endpoint, options, cancellable, &attempt);
  if (attempt.connection == NULL)
    {
      explain (endpoint, options, cancellable, &attempt, error);
      g_clear_error (&attempt.error);
      g_clear_object (&attempt.proxy);
      return -1;
    }

  g_clear_object (&attempt.proxy);
  fd = take_descriptor (attempt.connection, error);
  g_object_unref (attempt.connection);
  if (fd >= 0 && !set_up (fd, options, error))
    {
      close (fd);
      return -1;
    }

  return fd;
}
