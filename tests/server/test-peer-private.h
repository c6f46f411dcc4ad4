/* test-peer-private.h: what the files of the test server know of a connection
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gnutls/gnutls.h>

#include "test-peer.h"

G_BEGIN_DECLS

struct _TestPeer
{
  guint number;
  int fd; /* the server closes it */
  TestEnd end;
  gboolean sent_fin;

  gnutls_certificate_credentials_t credentials; /* NULL: no TLS */
  const gnutls_datum_t *ticket_key;
  const char *priority;
  gboolean requires_certificate;
  gnutls_session_t session; /* NULL: no TLS yet */
  gboolean tls_failed;
  char *server_name;

  GString *input;   /* received, not yet read; its first @consumed bytes are */
  gsize consumed;
  GString *request;
  GPtrArray *values; /* of headers that the script asked for */
  GString *payload; /* of the last frame */
};

TestPeer *test_peer_new    (int       fd,
                            guint     number);
void      test_peer_finish (TestPeer *peer);
void      test_peer_free   (TestPeer *peer);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TestPeer, test_peer_free)

/* Reads all @size bytes or fails. */
gboolean test_peer_read_all (TestPeer *peer,
                             gpointer  buffer,
                             gsize     size);

/* The first reason stays. */
gboolean test_peer_fail (TestPeer *peer,
                         TestEnd   end);

G_END_DECLS
