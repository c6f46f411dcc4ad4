/* endpoint.h: what a ws:// or wss:// URI says (RFC 6455, section 3)
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
  guint16 port;
  char *host_header;   /* with brackets; with the port unless it is the default */
  char *target;        /* path and query, never empty */
  char *authorization; /* "Basic …" from the userinfo, or NULL */
} S9wsEndpoint;

S9wsEndpoint *s9ws_endpoint_parse (const char    *uri,
                                   GError       **error);
void          s9ws_endpoint_free  (S9wsEndpoint  *endpoint);

/* A URI for messages: without what is secret. */
char *s9ws_redact_uri (const char *uri);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (S9wsEndpoint, s9ws_endpoint_free)

G_END_DECLS
