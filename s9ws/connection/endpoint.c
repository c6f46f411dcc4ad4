/* endpoint.c: what the URI of a WebSocket server says (RFC 6455, section 3)
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "endpoint.h"

#include <glib/gi18n-lib.h>
#include <string.h>
#include <sys/un.h>

#include "../s9ws-error.h"

#define URI_FLAGS (G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_ENCODED)

#define SOCKET_PATH_MAX (sizeof ((struct sockaddr_un *) NULL)->sun_path - 1)

/* A password that is not percent-encoded as it should be may hold anything, so that only
 * what is behind the last “@” is shown. */
char *
s9ws_redact_uri (const char *uri)
{
  const char *slashes = strstr (uri, "//");
  const char *at = slashes != NULL ? strrchr (slashes, '@') : NULL;
  g_autofree char *start = NULL;
  g_autofree char *escaped_start = NULL;
  g_autofree char *escaped_rest = NULL;

  if (at == NULL)
    return g_strescape (uri, NULL);

  start = g_strndup (uri, (gsize) (slashes - uri));
  escaped_start = g_strescape (start, NULL);
  escaped_rest = g_strescape (at, NULL);
  return g_strconcat (escaped_start, "//…", escaped_rest, NULL);
}

G_GNUC_PRINTF (3, 4)
static gboolean
refuse (const char  *uri,
        GError     **error,
        const char  *format,
        ...)
{
  g_autofree char *redacted = s9ws_redact_uri (uri);
  g_autofree char *rule = NULL;
  va_list args;

  va_start (args, format);
  rule = g_strdup_vprintf (format, args);
  va_end (args);

  g_set_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_URI, _("“%s” is not the URI of a WebSocket server: %s"),
               redacted, rule);
  return FALSE;
}

static gboolean
read_scheme (S9wsEndpoint  *endpoint,
             const char    *uri,
             gboolean      *is_unix,
             GError       **error)
{
  static const struct
  {
    const char *name;
    gboolean is_secure;
    gboolean is_unix;
  } schemes[] = {
    { "ws", FALSE, FALSE },
    { "wss", TRUE, FALSE },
    { "ws+unix", FALSE, TRUE },
    { "wss+unix", TRUE, TRUE },
  };
  g_autofree char *scheme = g_uri_parse_scheme (uri);

  if (scheme == NULL)
    return refuse (uri, error, _("it has no scheme; expected ws:// or wss://"));

  for (gsize i = 0; i < G_N_ELEMENTS (schemes); i++)
    if (g_ascii_strcasecmp (scheme, schemes[i].name) == 0)
      {
        endpoint->is_secure = schemes[i].is_secure;
        *is_unix = schemes[i].is_unix;
        return TRUE;
      }

  return refuse (uri, error, _("its scheme is “%s”; expected ws, wss, ws+unix or wss+unix"), scheme);
}

static gboolean
read_port (S9wsEndpoint  *endpoint,
           const char    *uri,
           int            port,
           GError       **error)
{
  if (port == 0 || port > G_MAXUINT16)
    return refuse (uri, error, _("its port is no number from 1 to 65535"));

  if (port < 0)
    port = endpoint->is_secure ? 443 : 80;
  endpoint->port = (guint16) port;
  return TRUE;
}

static char *
make_host_header (const S9wsEndpoint *endpoint,
                  const char         *host)
{
  guint16 default_port = endpoint->is_secure ? 443 : 80;

  return endpoint->port == default_port ? g_strdup (host) : g_strdup_printf ("%s:%u", host, endpoint->port);
}

/* An IPv6 address; a zone may stand behind it. */
static gboolean
read_literal (S9wsEndpoint  *endpoint,
              const char    *uri,
              const char    *host,
              GError       **error)
{
  g_autofree char *address = g_strndup (host, strcspn (host, "%"));
  g_autofree char *bracketed = NULL;

  if (!g_hostname_is_ip_address (address))
    {
      g_autofree char *escaped = g_strescape (host, NULL);

      return refuse (uri, error, _("its host “%s” is no IPv6 address"), escaped);
    }

  /* A zone is of this machine and says nothing to the server (RFC 6874, section 1). */
  bracketed = g_strdup_printf ("[%s]", address);
  endpoint->host = g_strdup (host);
  endpoint->host_header = make_host_header (endpoint, bracketed);
  return TRUE;
}

static gboolean
read_host (S9wsEndpoint  *endpoint,
           const char    *uri,
           const char    *host,
           GError       **error)
{
  /* GLib has decoded it, whatever the flags say. */
  if (host == NULL || *host == '\0')
    return refuse (uri, error, _("it has no host"));
  if (strchr (host, ':') != NULL)
    return read_literal (endpoint, uri, host, error);

  if (g_utf8_validate (host, -1, NULL))
    endpoint->host = g_hostname_to_ascii (host);
  if (endpoint->host == NULL || *endpoint->host == '\0' ||
      strpbrk (endpoint->host, " \t\r\n:/?#@<>\"\\^`{|}%") != NULL)
    return refuse (uri, error, _("its host is no valid name"));

  endpoint->host_header = make_host_header (endpoint, endpoint->host);
  return TRUE;
}

/* RFC 7617, from the percent-decoded userinfo: any bytes, but no colon in the name. */
static gboolean
read_credentials (S9wsEndpoint  *endpoint,
                  const char    *uri,
                  const char    *user,
                  const char    *password,
                  GError       **error)
{
  g_autoptr (GBytes) user_bytes = NULL;
  g_autoptr (GBytes) password_bytes = NULL;
  g_autoptr (GByteArray) credentials = NULL;
  g_autofree char *encoded = NULL;

  if (user == NULL)
    return TRUE;

  user_bytes = g_uri_unescape_bytes (user, -1, NULL, NULL);
  password_bytes = g_uri_unescape_bytes (password != NULL ? password : "", -1, NULL, NULL);
  if (user_bytes == NULL || password_bytes == NULL)
    return refuse (uri, error, _("its user name or password is not percent-encoded correctly"));
  if (g_bytes_get_size (user_bytes) > 0 &&
      memchr (g_bytes_get_data (user_bytes, NULL), ':', g_bytes_get_size (user_bytes)) != NULL)
    return refuse (uri, error, _("its user name has a colon, which Basic authentication does not allow"));

  credentials = g_byte_array_new ();
  g_byte_array_append (credentials, g_bytes_get_data (user_bytes, NULL), (guint) g_bytes_get_size (user_bytes));
  g_byte_array_append (credentials, (const guint8 *) ":", 1);
  g_byte_array_append (credentials, g_bytes_get_data (password_bytes, NULL), (guint) g_bytes_get_size (password_bytes));
  encoded = g_base64_encode (credentials->data, credentials->len);
  endpoint->authorization = g_strconcat ("Basic ", encoded, NULL);
  return TRUE;
}

static gboolean
has_forbidden_bytes (const char *uri)
{
  for (const char *c = uri; *c != '\0'; c++)
    if ((guchar) *c <= 0x20 || *c == 0x7f)
      return TRUE;

  return FALSE;
}

/* What RFC 3986 does not allow as it is goes out percent-encoded. */
static char *
make_target (const char *path,
             const char *query)
{
  static const char allowed[] = "%:@!$&'()*+,;=/?-._~";
  g_autofree char *escaped_path = g_uri_escape_string (path, allowed, FALSE);
  g_autofree char *escaped_query = query != NULL ? g_uri_escape_string (query, allowed, FALSE) : NULL;
  const char *start = *escaped_path == '/' ? "" : "/";

  return g_strconcat (start, escaped_path, escaped_query != NULL ? "?" : "", escaped_query, NULL);
}

/* GLib's messages repeat parts of the URI, be they a password. */
static const char *
describe_parse_error (const GError *error)
{
  switch (error->code)
    {
    case G_URI_ERROR_BAD_SCHEME:
      return _("its scheme is malformed");
    case G_URI_ERROR_BAD_HOST:
      return _("its host is malformed");
    case G_URI_ERROR_BAD_PORT:
      return _("its port is no number from 1 to 65535");
    default:
      return _("it is not percent-encoded correctly");
    }
}

/* The socket's path, up to a colon, then the request's. */
static gboolean
read_unix (S9wsEndpoint  *endpoint,
           const char    *uri,
           const char    *user,
           const char    *host,
           const char    *path,
           const char    *query,
           GError       **error)
{
  const char *colon = strchrnul (path, ':');
  const char *request_path = *colon != '\0' ? colon + 1 : "";

  if (user != NULL || (host != NULL && *host != '\0'))
    return refuse (uri, error, _("it has a host; expected ws+unix:/path/to/socket:/request/path"));
  if (colon == path)
    return refuse (uri, error, _("it has no path of a Unix socket; expected ws+unix:/path/to/socket:/request/path"));
  if (*request_path != '\0' && *request_path != '/')
    return refuse (uri, error, _("the path of its request, behind the colon, does not begin with a slash"));

  endpoint->socket_path = g_uri_unescape_segment (path, colon, NULL);
  if (endpoint->socket_path == NULL)
    return refuse (uri, error, _("the path of its Unix socket is not percent-encoded correctly"));
  if (strlen (endpoint->socket_path) > SOCKET_PATH_MAX)
    return refuse (uri, error, _("the path of its Unix socket has more than %u bytes"), (guint) SOCKET_PATH_MAX);

  endpoint->host = g_strdup ("localhost");
  endpoint->host_header = g_strdup ("localhost");
  endpoint->name = g_strescape (endpoint->socket_path, NULL);
  endpoint->target = make_target (request_path, query);
  return TRUE;
}

static gboolean
read_internet (S9wsEndpoint  *endpoint,
               const char    *uri,
               const char    *host,
               int            port,
               const char    *path,
               const char    *query,
               GError       **error)
{
  if (!read_port (endpoint, uri, port, error) || !read_host (endpoint, uri, host, error))
    return FALSE;

  endpoint->name = g_strdup_printf (_("%s (port %u)"), endpoint->host, endpoint->port);
  endpoint->target = make_target (path, query);
  return TRUE;
}

S9wsEndpoint *
s9ws_endpoint_parse (const char  *uri,
                     GError     **error)
{
  g_autoptr (S9wsEndpoint) endpoint = g_new0 (S9wsEndpoint, 1);
  g_autofree char *user = NULL;
  g_autofree char *password = NULL;
  g_autofree char *host = NULL;
  g_autofree char *path = NULL;
  g_autofree char *query = NULL;
  g_autofree char *fragment = NULL;
  g_autoptr (GError) parse_error = NULL;
  gboolean is_unix = FALSE;
  gboolean is_fine = FALSE;
  int port = -1;

  if (uri == NULL || *uri == '\0')
    g_set_error_literal (error, S9WS_ERROR, S9WS_ERROR_INVALID_URI,
                         _("There is no URI; expected one that begins with ws:// or wss://"));
  else if (has_forbidden_bytes (uri))
    refuse (uri, error, _("it has white space or control characters"));
  else if (!read_scheme (endpoint, uri, &is_unix, error))
    return NULL;
  else if (!g_uri_split_with_user (uri, URI_FLAGS, NULL, &user, &password, NULL, &host, &port,
                                   &path, &query, &fragment, &parse_error))
    refuse (uri, error, "%s", describe_parse_error (parse_error));
  else if (fragment != NULL)
    refuse (uri, error, _("it has a fragment, which has no meaning there"));
  else if (is_unix)
    is_fine = read_unix (endpoint, uri, user, host, path, query, error);
  else
    is_fine = read_internet (endpoint, uri, host, port, path, query, error) &&
              read_credentials (endpoint, uri, user, password, error);

  return is_fine ? g_steal_pointer (&endpoint) : NULL;
}

/* Of a server on the Internet.  A zone says nothing about whom it leads to. */
static char *
make_authority (const S9wsEndpoint *endpoint)
{
  if (strchr (endpoint->host, ':') == NULL)
    return g_strdup_printf ("%s:%u", endpoint->host, endpoint->port);

  return g_strdup_printf ("[%.*s]:%u", (int) strcspn (endpoint->host, "%"), endpoint->host, endpoint->port);
}

/* The endpoint as a URI that relative ones can be resolved against. */
static char *
make_base (const S9wsEndpoint *endpoint)
{
  g_autofree char *authority = endpoint->socket_path != NULL ? g_strdup (endpoint->host_header)
                                                             : make_authority (endpoint);

  return g_strconcat (endpoint->is_secure ? "https://" : "http://", authority, endpoint->target, NULL);
}

/* @resolved with our scheme in place of HTTP's, and without a fragment. */
static char *
make_websocket_uri (const char  *resolved,
                    GError     **error)
{
  static const char *const schemes[][2] = {
    { "http", "ws" },
    { "https", "wss" },
    { "ws", "ws" },
    { "wss", "wss" }
  };
  g_autofree char *scheme = g_uri_parse_scheme (resolved);
  const char *rest = resolved + (scheme != NULL ? strlen (scheme) : 0);

  for (gsize i = 0; scheme != NULL && i < G_N_ELEMENTS (schemes); i++)
    if (g_ascii_strcasecmp (scheme, schemes[i][0]) == 0)
      return g_strdup_printf ("%s%.*s", schemes[i][1], (int) strcspn (rest, "#"), rest);

  refuse (resolved, error, _("a server may redirect to http, https, ws and wss only"));
  return NULL;
}

static gboolean
is_same_origin (const S9wsEndpoint *endpoint,
                const S9wsEndpoint *next)
{
  g_autofree char *authority = make_authority (endpoint);
  g_autofree char *next_authority = make_authority (next);

  if (endpoint->is_secure != next->is_secure)
    return FALSE;

  /* Behind a Unix socket the server is whom the request calls it. */
  if (endpoint->socket_path != NULL)
    return g_ascii_strcasecmp (endpoint->host_header, next->host_header) == 0;

  return g_ascii_strcasecmp (authority, next_authority) == 0;
}

/* The same server, asked for something else. */
static void
stay (S9wsEndpoint       *endpoint,
      const S9wsEndpoint *from)
{
  endpoint->is_foreign = from->is_foreign;
  endpoint->port = from->port;
  g_free (endpoint->host);
  endpoint->host = g_strdup (from->host);
  endpoint->socket_path = g_strdup (from->socket_path);
  g_free (endpoint->host_header);
  endpoint->host_header = g_strdup (from->host_header);
  g_free (endpoint->name);
  endpoint->name = g_strdup (from->name);
  if (endpoint->authorization == NULL)
    endpoint->authorization = g_strdup (from->authorization);
}

S9wsEndpoint *
s9ws_endpoint_redirect (const S9wsEndpoint  *endpoint,
                        const char          *location,
                        GError             **error)
{
  g_autoptr (S9wsEndpoint) next = NULL;
  g_autofree char *base = make_base (endpoint);
  g_autofree char *resolved = NULL;
  g_autofree char *uri = NULL;
  g_autoptr (GError) parse_error = NULL;

  resolved = g_uri_resolve_relative (base, location, URI_FLAGS, &parse_error);
  if (resolved == NULL)
    {
      refuse (location, error, "%s", describe_parse_error (parse_error));
      return NULL;
    }

  uri = make_websocket_uri (resolved, error);
  next = uri != NULL ? s9ws_endpoint_parse (uri, error) : NULL;
  if (next == NULL)
    return NULL;

  if (endpoint->is_secure && !next->is_secure)
    {
      refuse (location, error, _("a redirect must not lead from wss to ws"));
      return NULL;
    }

  next->n_redirects = endpoint->n_redirects + 1;
  if (is_same_origin (endpoint, next))
    stay (next, endpoint);
  else
    next->is_foreign = TRUE;
  return g_steal_pointer (&next);
}

void
s9ws_endpoint_free (S9wsEndpoint *endpoint)
{
  g_free (endpoint->host);
  g_free (endpoint->socket_path);
  g_free (endpoint->host_header);
  g_free (endpoint->target);
  g_free (endpoint->authorization);
  g_free (endpoint->name);
  g_free (endpoint);
}
