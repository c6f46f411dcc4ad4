/* endpoint.h: what the URI of a WebSocket server says (RFC 6455, section 3)
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  gboolean is_secure;
  char *host;          /* in ASCII, without the brackets of an IPv6 literal */
  guint16 port;        /* 0 with a Unix socket */
  char *socket_path;   /* of a Unix socket, or NULL */
  char *host_header;   /* with brackets; with the port unless it is the default */
  char *target;        /* path and query, never empty */
  char *authorization; /* "Basic …" from the userinfo, or NULL */
  char *name;          /* of whom to connect to, for messages */
  guint n_redirects;   /* how many led here */
  gboolean is_foreign; /* they left the origin that the user's secrets are for */
} S9wsEndpoint;

S9wsEndpoint *s9ws_endpoint_parse (const char    *uri,
                                   GError       **error);
void          s9ws_endpoint_free  (S9wsEndpoint  *endpoint);

/* Where a redirect from @endpoint leads (RFC 9110, section 10.2.2).  What must not get
 * there is not in it.  NULL with S9WS_ERROR_INVALID_URI if it may not be followed. */
S9wsEndpoint *s9ws_endpoint_redirect (const S9wsEndpoint  *endpoint,
                                      const char          *location,
                                      GError             **error);

/* A URI for messages: without what is secret. */
char *s9ws_redact_uri (const char *uri);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (S9wsEndpoint, s9ws_endpoint_free)

G_END_DECLS
