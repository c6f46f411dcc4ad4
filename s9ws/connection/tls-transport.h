/* tls-transport.h: a transport that speaks TLS through GnuTLS
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

#include "transport.h"

G_BEGIN_DECLS

struct gnutls_certificate_credentials_st;
struct gnutls_priority_st;

/* What S9wsTlsContext hands down: loaded once, then shared by any number of
 * connections on any threads.  Reference-counted; immutable but for the tickets,
 * which have a lock of their own. */
typedef struct _S9wsTlsSettings S9wsTlsSettings;

/* Takes over @credentials and @priority (a gnutls_certificate_credentials_t and
 * a gnutls_priority_t); copies @server_name, NULL for the host dialled. */
S9wsTlsSettings *s9ws_tls_settings_new   (struct gnutls_certificate_credentials_st *credentials,
                                          struct gnutls_priority_st                *priority,
                                          gboolean                                  verify_peer,
                                          const char                               *server_name);
S9wsTlsSettings *s9ws_tls_settings_ref   (S9wsTlsSettings                          *settings);
void             s9ws_tls_settings_unref (S9wsTlsSettings                          *settings);

/* Takes the descriptor over, also when it fails.  @host (no brackets) is what
 * the certificate is checked against and what SNI names, unless the settings have
 * a server name; @host and @port are what session tickets are kept under. */
S9wsTransport *s9ws_tls_transport_new (int               fd,
                                       S9wsTlsSettings  *settings,
                                       const char       *host,
                                       guint16           port,
                                       GError          **error);

/* Asked where a certificate did not verify, on the thread that does the handshake, which
 * waits for the answer: TRUE accepts it all the same.  @chain is in PEM. */
typedef gboolean (*S9wsTlsQuestion) (const char           *chain,
                                     GTlsCertificateFlags  reasons,
                                     gpointer              user_data);

void s9ws_tls_transport_set_question (S9wsTransport   *transport,
                                      S9wsTlsQuestion  question,
                                      gpointer         user_data);

/* What was negotiated. */
typedef struct
{
  const char *version;    /* static */
  const char *cipher;     /* static */
  char *peer_certificate; /* in PEM, or NULL */
  gboolean is_resumed;
} S9wsTlsInfo;

/* Once the handshake is done; NULL if @transport is no TLS transport. */
S9wsTlsInfo *s9ws_tls_transport_create_info (S9wsTransport *transport);
void         s9ws_tls_info_free             (S9wsTlsInfo   *info);

/* In English; never NULL. */
const char *s9ws_tls_get_alert_name (int alert);

/* The gnutls_session_t, or NULL if @transport is no TLS transport. */
gpointer s9ws_tls_transport_get_session (S9wsTransport *transport);

G_END_DECLS
