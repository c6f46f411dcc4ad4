/* endpoint.c: what a ws:// or wss:// URI says (RFC 6455, section 3)
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "endpoint.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "../s9ws-error.h"

#define URI_FLAGS (G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_ENCODED)

char *
s9ws_redact_uri (const char *uri)
{
  const char *authority = strstr (uri, "://");
  g_autofree char *escaped = NULL;
  const char *at;
  gsize size;

  if (authority == NULL)
    return g_strescape (uri, NULL);

  size = strcspn (authority + 3, "/?#");
  at = g_strrstr_len (authority + 3, (gssize) size, "@");
  if (at == NULL)
    return g_strescape (uri, NULL);

  escaped = g_strescape (at, NULL);
  return g_strdup_printf ("%.*s://…%s", (int) (authority - uri), uri, escaped);
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
             GError       **error)
{
  g_autofree char *scheme = g_uri_parse_scheme (uri);

  if (scheme == NULL)
    return refuse (uri, error, _("it has no scheme; expected ws:// or wss://"));

  endpoint->is_secure = g_ascii_strcasecmp (scheme, "wss") == 0;
  if (!endpoint->is_secure && g_ascii_strcasecmp (scheme, "ws") != 0)
    return refuse (uri, error, _("its scheme is “%s”; expected ws or wss"), scheme);

  return TRUE;
}

static gboolean
read_port (S9wsEndpoint  *endpoint,
           const char    *uri,
           int            port,
           GError       **error)
{
  if (port == 0 || port > G_MAXUINT16)
    return refuse (uri, error, _("its port is %d; expected 1 to 65535"), port);

  if (port < 0)
    port = endpoint->is_secure ? 443 : 80;
  endpoint->port = (guint16) port;
  return TRUE;
}

static gboolean
read_host (S9wsEndpoint  *endpoint,
           const char    *uri,
           const char    *host,
           GError       **error)
{
  g_autofree char *decoded = host != NULL ? g_uri_unescape_string (host, NULL) : NULL;
  guint16 default_port = endpoint->is_secure ? 443 : 80;
  gboolean is_ipv6;

  if (decoded == NULL || *decoded == '\0')
    return refuse (uri, error, _("it has no host"));

  is_ipv6 = strchr (decoded, ':') != NULL;
  if (is_ipv6)
    {
      g_autofree char *address = g_strndup (decoded, strcspn (decoded, "%"));

      if (!g_hostname_is_ip_address (address))
        return refuse (uri, error, _("its host “%s” is no IPv6 address"), decoded);
      endpoint->host = g_steal_pointer (&decoded);
      /* A zone is of this machine and says nothing to the server (RFC 6874, section 1). */
      endpoint->host_header = endpoint->port == default_port
                                ? g_strdup_printf ("[%s]", address)
                                : g_strdup_printf ("[%s]:%u", address, endpoint->port);
      return TRUE;
    }

  if (g_utf8_validate (decoded, -1, NULL))
    endpoint->host = g_hostname_to_ascii (decoded);
  if (endpoint->host == NULL || strpbrk (endpoint->host, " \t\r\n/?#@<>\"\\^`{|}%") != NULL)
    return refuse (uri, error, _("its host is no valid name"));

  endpoint->host_header = endpoint->port == default_port
                            ? g_strdup (endpoint->host)
                            : g_strdup_printf ("%s:%u", endpoint->host, endpoint->port);
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
  int port = -1;

  if (uri == NULL || *uri == '\0')
    {
      g_set_error_literal (error, S9WS_ERROR, S9WS_ERROR_INVALID_URI,
                           _("There is no URI; expected one that begins with ws:// or wss://"));
      return NULL;
    }

  if (has_forbidden_bytes (uri))
    refuse (uri, error, _("it has white space or control characters"));
  else if (!read_scheme (endpoint, uri, error))
    return NULL;
  else if (!g_uri_split_with_user (uri, URI_FLAGS, NULL, &user, &password, NULL, &host, &port,
                                   &path, &query, &fragment, &parse_error))
    refuse (uri, error, "%s", parse_error->message);
  else if (fragment != NULL)
    refuse (uri, error, _("it has a fragment, which has no meaning there"));
  else if (read_port (endpoint, uri, port, error) && read_host (endpoint, uri, host, error) &&
           read_credentials (endpoint, uri, user, password, error))
    {
      endpoint->target = make_target (path, query);
      return g_steal_pointer (&endpoint);
    }

  return NULL;
}

void
s9ws_endpoint_free (S9wsEndpoint *endpoint)
{
  g_free (endpoint->host);
  g_free (endpoint->host_header);
  g_free (endpoint->target);
  g_free (endpoint->authorization);
  g_free (endpoint);
}
