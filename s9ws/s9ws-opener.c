/* s9ws-opener.c: from a URI to an open connection
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-opener.h"

#include <poll.h>

#include "connection/plain-transport.h"
#include "connection/tls-transport.h"
#include "connection/waiting.h"
#include "s9ws-tls-context-private.h"

static S9wsTransport *
create_tls_transport (int                 fd,
                      S9wsTlsSettings    *tls_settings,
                      const S9wsEndpoint *endpoint,
                      const S9wsSettings *settings,
                      GError            **error)
{
  S9wsTransport *transport = s9ws_tls_transport_new (fd, tls_settings, endpoint->host, endpoint->port, error);

  if (transport != NULL)
    s9ws_tls_transport_set_question (transport, settings->question, settings->question_data);
  return transport;
}

static S9wsTransport *
create_transport (const S9wsEndpoint  *endpoint,
                  const S9wsSettings  *settings,
                  GCancellable        *quit,
                  GError             **error)
{
  S9wsTlsSettings *tls_settings = NULL;
  S9wsTransport *transport;
  int fd;

  /* Before dialling: what is wrong with the files is known at once. */
  if (endpoint->is_secure)
    {
      tls_settings = s9ws_tls_context_load (settings->tls_context, error);
      if (tls_settings == NULL)
        return NULL;
    }

  fd = s9ws_dial (endpoint, &settings->dial, quit, error);
  if (fd < 0)
    transport = NULL;
  else if (endpoint->is_secure)
    transport = create_tls_transport (fd, tls_settings, endpoint, settings, error);
  else
    transport = s9ws_plain_transport_new (fd);

  g_clear_pointer (&tls_settings, s9ws_tls_settings_unref);
  return transport;
}

static gboolean
do_handshakes (S9wsConnection  *connection,
               GCancellable    *quit,
               GError         **error)
{
  int fd = s9ws_connection_get_transport (connection)->fd;
  int quit_fd = g_cancellable_get_fd (quit);
  S9wsIoResult result;

  while ((result = s9ws_connection_open (connection, error)) != S9WS_IO_DONE)
    {
      if (result == S9WS_IO_FAILED || g_cancellable_set_error_if_cancelled (quit, error))
        break;

      s9ws_wait (fd, result == S9WS_IO_WANT_WRITE ? POLLOUT : POLLIN, quit_fd,
                 s9ws_wait_bound (-1, s9ws_connection_get_deadline (connection)));
    }

  g_cancellable_release_fd (quit);
  return result == S9WS_IO_DONE;
}

gboolean
s9ws_open_connection (const char          *uri,
                      const S9wsSettings  *settings,
                      GCancellable        *quit,
                      S9wsConnection     **connection,
                      GError             **error)
{
  g_autoptr (S9wsEndpoint) endpoint = NULL;
  S9wsTransport *transport;

  endpoint = s9ws_endpoint_parse (uri, error);
  if (endpoint == NULL)
    return FALSE;

  transport = create_transport (endpoint, settings, quit, error);
  if (transport == NULL)
    return FALSE;

  *connection = s9ws_connection_new (transport, &settings->connection, endpoint);
  if (do_handshakes (*connection, quit, error))
    return TRUE;

  s9ws_connection_hang_up (*connection);
  return FALSE;
}
