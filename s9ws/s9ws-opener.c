/* s9ws-opener.c: from a URI to an open connection
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-opener.h"

#include <glib/gi18n-lib.h>
#include <poll.h>

#include "connection/plain-transport.h"
#include "connection/tls-transport.h"
#include "connection/waiting.h"
#include "s9ws-tls-context-private.h"

static S9wsTransport *
create_tls_transport (int                  fd,
                      S9wsTlsSettings     *tls_settings,
                      const S9wsEndpoint  *endpoint,
                      const S9wsSettings  *settings,
                      GError             **error)
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

/* @connection is left NULL if there was no upgrade to answer. */
static gboolean
open_endpoint (const S9wsEndpoint  *endpoint,
               const S9wsSettings  *settings,
               GCancellable        *quit,
               S9wsConnection     **connection,
               GError             **error)
{
  S9wsTransport *transport = create_transport (endpoint, settings, quit, error);

  if (transport == NULL)
    return FALSE;

  *connection = s9ws_connection_new (transport, &settings->connection, endpoint);
  if (do_handshakes (*connection, quit, error))
    return TRUE;

  s9ws_connection_hang_up (*connection);
  return FALSE;
}

/* Where the server sends us; NULL with @error, which was set before if it does not. */
static S9wsEndpoint *
follow (const S9wsEndpoint  *endpoint,
        S9wsConnection      *connection,
        GError             **error)
{
  const char *location = connection != NULL ? s9ws_connection_get_redirect (connection) : NULL;
  g_autoptr (GError) local_error = NULL;
  S9wsEndpoint *next;

  if (location == NULL)
    return NULL;

  g_clear_error (error);
  next = s9ws_endpoint_redirect (endpoint, location, &local_error);
  if (next == NULL)
    g_set_error (error, S9WS_ERROR, S9WS_ERROR_HANDSHAKE,
                 _("The server’s redirect (HTTP status %u) cannot be followed: %s"),
                 s9ws_connection_get_answer (connection)->status, local_error->message);
  return next;
}

gboolean
s9ws_open_connection (const char          *uri,
                      const S9wsSettings  *settings,
                      GCancellable        *quit,
                      S9wsConnection     **connection,
                      GError             **error)
{
  S9wsEndpoint *endpoint = s9ws_endpoint_parse (uri, error);
  GError *local_error = NULL;
  gboolean is_open = FALSE;

  if (endpoint != NULL && settings->host_header != NULL)
    {
      g_free (endpoint->host_header);
      endpoint->host_header = g_strdup (settings->host_header);
    }

  while (endpoint != NULL && !is_open)
    {
      S9wsConnection *attempt = NULL;
      S9wsEndpoint *next = NULL;

      is_open = open_endpoint (endpoint, settings, quit, &attempt, &local_error);
      if (!is_open)
        next = follow (endpoint, attempt, &local_error);
      s9ws_endpoint_free (endpoint);
      endpoint = next;

      /* The last answer is the one to be asked for. */
      if (attempt != NULL)
        {
          g_clear_pointer (connection, s9ws_connection_free);
          *connection = attempt;
        }
    }

  if (local_error != NULL)
    g_propagate_error (error, local_error);
  return is_open;
}
