/* opening.c: the connection's first two phases, TLS and the upgrade
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "connection-private.h"

#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

#define BODY_MAX 65536                    /* bytes of a refusal's body that are kept */
#define SUBJECT_MAX 64                    /* bytes of what is wrong with an answer */
#define BODY_TIMEOUT (2 * G_USEC_PER_SEC) /* µs that its rest is waited for */

/* RFC 6455, section 4.1: 16 random bytes, in base64. */
static char *
make_key (void)
{
  guint8 nonce[16];

  if (gnutls_rnd (GNUTLS_RND_NONCE, nonce, sizeof nonce) < 0)
    g_error ("s9ws: no random numbers for the handshake");

  return g_base64_encode (nonce, sizeof nonce);
}

/* RFC 6455, section 4.2.2, item 5.4. */
static char *
compute_accept (const char *key)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA1);
  guint8 digest[20];
  gsize size = sizeof digest;

  g_checksum_update (checksum, (const guint8 *) key, -1);
  g_checksum_update (checksum, (const guint8 *) S9WS_HANDSHAKE_GUID, -1);
  g_checksum_get_digest (checksum, digest, &size);

  return g_base64_encode (digest, size);
}

static const char *
find_header (GPtrArray  *headers,
             const char *name)
{
  for (guint i = 0; headers != NULL && i < headers->len; i += 2)
    if (g_ascii_strcasecmp (headers->pdata[i], name) == 0)
      return headers->pdata[i + 1];

  return NULL;
}

/* A header of the user's that is meant for one server. */
static gboolean
is_secret (const char *name)
{
  return g_ascii_strcasecmp (name, "Authorization") == 0 || g_ascii_strcasecmp (name, "Cookie") == 0 ||
         g_ascii_strncasecmp (name, "Proxy-", strlen ("Proxy-")) == 0;
}

/* The user's headers, for who may have them. */
static S9wsHeader *
make_headers (GPtrArray          *headers,
              const S9wsEndpoint *endpoint,
              gsize              *n_headers)
{
  S9wsHeader *array = g_new0 (S9wsHeader, headers->len / 2 + 1);
  gsize n = 0;

  for (guint i = 0; i < headers->len; i += 2)
    {
      const char *name = headers->pdata[i];
      const char *value = headers->pdata[i + 1];

      if (endpoint->is_foreign && is_secret (name))
        continue;
      array[n].name = (S9wsSlice){ name, strlen (name) };
      array[n].value = (S9wsSlice){ value, strlen (value) };
      n++;
    }

  *n_headers = n;
  return array;
}

void
s9ws_connection_write_request (S9wsConnection     *connection,
                               const S9wsEndpoint *endpoint)
{
  const S9wsConnectionConfig *config = connection->config;
  g_autofree char *protocols = config->protocols != NULL ? g_strjoinv (", ", config->protocols) : NULL;
  g_autofree S9wsHeader *headers = NULL;
  char extensions[S9WS_DEFLATE_OFFER_MAX];
  S9wsRequest request = { 0 };
  gsize size;

  connection->may_redirect = endpoint->n_redirects < config->max_redirects;
  connection->key = make_key ();
  request.target = endpoint->target;
  request.host = endpoint->host_header;
  request.key = connection->key;
  request.protocols = protocols != NULL && *protocols != '\0' ? protocols : NULL;
  if (config->compression)
    {
      s9ws_deflate_write_offer (&config->deflate, extensions);
      request.extensions = extensions;
    }
  if (config->headers != NULL)
    request.headers = headers = make_headers (config->headers, endpoint, &request.n_headers);
  /* A header that the user sets counts for more than what the URI says. */
  if (endpoint->is_foreign || find_header (config->headers, "Authorization") == NULL)
    request.authorization = endpoint->authorization;

  size = s9ws_request_write (&request, NULL, 0);
  connection->request = g_byte_array_sized_new ((guint) size);
  g_byte_array_set_size (connection->request, (guint) size);
  s9ws_request_write (&request, (char *) connection->request->data, size);
}

static S9wsIoResult
send_request (S9wsConnection  *connection,
              GError         **error)
{
  while (connection->request->len > 0)
    {
      gssize n = s9ws_transport_write (connection->transport, connection->request->data,
                                       connection->request->len, error);

      if (n == S9WS_TRANSPORT_AGAIN)
        return S9WS_IO_WANT_WRITE;
      if (n < 0)
        return S9WS_IO_FAILED;

      g_byte_array_remove_range (connection->request, 0, (guint) n);
    }

  return S9WS_IO_DONE;
}

static const char *
describe_fault (S9wsHandshakeFault fault)
{
  switch (fault)
    {
    case S9WS_HANDSHAKE_FAULT_STATUS_LINE:
      return _("its first line is no HTTP/1 status line");
    case S9WS_HANDSHAKE_FAULT_HEADER_LINE:
      return _("a header line is malformed");
    case S9WS_HANDSHAKE_FAULT_HEAD_TOO_LONG:
      return _("its head has more than 65536 bytes");
    case S9WS_HANDSHAKE_FAULT_TOO_MANY_HEADERS:
      return _("it has more than 128 header lines");
    case S9WS_HANDSHAKE_FAULT_STATUS:
      return _("its status is not 101");
    case S9WS_HANDSHAKE_FAULT_HTTP_VERSION:
      return _("HTTP/1.1 is needed for an upgrade");
    case S9WS_HANDSHAKE_FAULT_UPGRADE:
      return _("the header Upgrade is not “websocket”");
    case S9WS_HANDSHAKE_FAULT_CONNECTION:
      return _("the header Connection does not name “Upgrade”");
    case S9WS_HANDSHAKE_FAULT_ACCEPT_MISSING:
      return _("the header Sec-WebSocket-Accept is missing");
    case S9WS_HANDSHAKE_FAULT_ACCEPT_WRONG:
      return _("the header Sec-WebSocket-Accept does not match the request");
    case S9WS_HANDSHAKE_FAULT_PROTOCOL:
      return _("it names a subprotocol that was not asked for");
    case S9WS_HANDSHAKE_FAULT_EXTENSION:
    case S9WS_HANDSHAKE_FAULT_EXTENSION_SYNTAX:
    case S9WS_HANDSHAKE_FAULT_EXTENSION_REPEATED:
    case S9WS_HANDSHAKE_FAULT_PARAMETER_UNKNOWN:
    case S9WS_HANDSHAKE_FAULT_PARAMETER_REPEATED:
    case S9WS_HANDSHAKE_FAULT_PARAMETER_VALUE:
    case S9WS_HANDSHAKE_FAULT_PARAMETER_TOO_LARGE:
    case S9WS_HANDSHAKE_FAULT_PARAMETER_MISSING:
    case S9WS_HANDSHAKE_FAULT_NONE:
    case S9WS_N_HANDSHAKE_FAULTS:
    default:
      g_return_val_if_reached ("");
    }
}

/* Of the header Sec-WebSocket-Extensions; @subject is the extension or parameter. */
static char *
describe_extension_fault (S9wsHandshakeFault  fault,
                          const char         *subject)
{
  switch ((int) fault)
    {
    case S9WS_HANDSHAKE_FAULT_EXTENSION:
      return g_strdup_printf (_("it names the extension “%s”, which was not asked for"), subject);
    case S9WS_HANDSHAKE_FAULT_EXTENSION_SYNTAX:
      if (*subject == '\0')
        return g_strdup (_("the header Sec-WebSocket-Extensions ends too early"));
      return g_strdup_printf (_("the header Sec-WebSocket-Extensions is malformed at “%s”"), subject);
    case S9WS_HANDSHAKE_FAULT_EXTENSION_REPEATED:
      return g_strdup_printf (_("it names the extension “%s” twice"), subject);
    case S9WS_HANDSHAKE_FAULT_PARAMETER_UNKNOWN:
      return g_strdup_printf (_("permessage-deflate has no parameter “%s”"), subject);
    case S9WS_HANDSHAKE_FAULT_PARAMETER_REPEATED:
      return g_strdup_printf (_("the parameter %s of permessage-deflate comes twice"), subject);
    case S9WS_HANDSHAKE_FAULT_PARAMETER_VALUE:
      return g_strdup_printf (g_str_has_suffix (subject, "_bits")
                                ? _("the parameter %s of permessage-deflate is not a number from 8 to 15")
                                : _("the parameter %s of permessage-deflate has a value, but must have none"),
                              subject);
    case S9WS_HANDSHAKE_FAULT_PARAMETER_TOO_LARGE:
      return g_strdup_printf (_("the parameter %s of permessage-deflate is larger than what was offered"), subject);
    case S9WS_HANDSHAKE_FAULT_PARAMETER_MISSING:
      return g_strdup_printf (_("the parameter %s of permessage-deflate was asked for, but is missing"), subject);
    default:
      g_return_val_if_reached (NULL);
    }
}

static S9wsIoResult
fail_upgrade_as (S9wsConnection  *connection,
                 const char      *description,
                 GError         **error)
{
  if (connection->answer.status != 0)
    g_set_error (error, S9WS_ERROR, S9WS_ERROR_HANDSHAKE,
                 _("The server’s answer to the upgrade (HTTP status %u) is not valid: %s"),
                 connection->answer.status, description);
  else
    g_set_error (error, S9WS_ERROR, S9WS_ERROR_HANDSHAKE,
                 _("The server’s answer to the upgrade is not valid: %s"), description);

  return S9WS_IO_FAILED;
}

static S9wsIoResult
fail_upgrade (S9wsConnection      *connection,
              S9wsHandshakeFault   fault,
              GError             **error)
{
  return fail_upgrade_as (connection, describe_fault (fault), error);
}

static void
keep_answer (S9wsConnection     *connection,
             const S9wsResponse *response)
{
  S9wsAnswer *answer = &connection->answer;

  answer->status = response->status;
  g_clear_pointer (&answer->headers, g_ptr_array_unref);
  answer->headers = g_ptr_array_new_with_free_func (g_free);
  for (gsize i = 0; i < response->n_headers; i++)
    {
      const S9wsHeader *header = &response->headers[i];
      g_autofree char *value = g_strndup (header->value.data, header->value.size);

      g_ptr_array_add (answer->headers, g_strndup (header->name.data, header->name.size));
      g_ptr_array_add (answer->headers, g_utf8_make_valid (value, -1));
    }
}

/* RFC 9110, section 15.4: the others say nothing of where to ask instead. */
static gboolean
is_redirect (guint status)
{
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* The reason phrase and the location are the peer's: they go into messages as valid text
 * only, and not all of it. */
static GError *
describe_refusal (S9wsConnection     *connection,
                  const S9wsResponse *response,
                  const char         *location)
{
  g_autofree char *reason = g_strndup (response->reason.data, response->reason.size);
  g_autofree char *valid = g_utf8_make_valid (reason, -1);
  g_autofree char *redacted = location != NULL ? s9ws_redact_uri (location) : NULL;

  if (!is_redirect (response->status))
    return g_error_new (S9WS_ERROR, S9WS_ERROR_HANDSHAKE,
                        _("The server refused the upgrade: HTTP status %u (%s), expected 101"),
                        response->status, valid);
  if (location == NULL)
    return g_error_new (S9WS_ERROR, S9WS_ERROR_HANDSHAKE,
                        _("The server redirects the upgrade, but does not say where to: HTTP status %u (%s) without a Location"),
                        response->status, valid);
  return g_error_new (S9WS_ERROR, S9WS_ERROR_HANDSHAKE,
                      _("The server redirects the upgrade to “%.500s”: HTTP status %u (%s), and max-redirects is %u"),
                      redacted, response->status, valid, connection->config->max_redirects);
}

/* FALSE if its body is not waited for. */
static gboolean
keep_refusal (S9wsConnection     *connection,
              const S9wsResponse *response)
{
  const char *location = is_redirect (response->status) ? find_header (connection->answer.headers, "Location") : NULL;
  gint64 body_deadline = g_get_monotonic_time () + BODY_TIMEOUT;

  g_clear_error (&connection->end_error);
  connection->end_error = describe_refusal (connection, response, location);
  if (connection->may_redirect && location != NULL)
    {
      connection->redirect = location;
      return FALSE;
    }

  connection->in_body = TRUE;
  connection->answer.body = g_byte_array_new ();
  s9ws_body_init (&connection->body, response);
  if (connection->deadline == 0 || connection->deadline > body_deadline)
    connection->deadline = body_deadline;
  return TRUE;
}

static gboolean
accept_extensions (S9wsConnection      *connection,
                   const S9wsResponse  *response,
                   GError             **error)
{
  const S9wsConnectionConfig *config = connection->config;
  S9wsAnswer *answer = &connection->answer;
  g_autofree char *raw = NULL;
  g_autofree char *subject = NULL;
  g_autofree char *description = NULL;
  bool is_agreed;
  S9wsSlice slice;
  S9wsHandshakeFault fault;

  fault = s9ws_response_check_extensions (response, config->compression ? &config->deflate : NULL,
                                          &is_agreed, &answer->deflate, &slice);
  if (fault == S9WS_HANDSHAKE_FAULT_NONE)
    {
      answer->has_deflate = is_agreed;
      if (is_agreed)
        s9ws_connection_use_deflate (connection);
      return TRUE;
    }

  raw = g_strndup (slice.data, MIN (slice.size, SUBJECT_MAX));
  subject = g_utf8_make_valid (raw, -1);
  description = describe_extension_fault (fault, subject);
  fail_upgrade_as (connection, description, error);
  return FALSE;
}

static S9wsIoResult
accept_upgrade (S9wsConnection      *connection,
                const S9wsResponse  *response,
                GError             **error)
{
  g_autofree char *accept = compute_accept (connection->key);
  int protocol_index = -1;
  S9wsHandshakeFault fault;

  fault = s9ws_response_check (response, accept, (const char *const *) connection->config->protocols,
                               TRUE, &protocol_index);
  if (fault != S9WS_HANDSHAKE_FAULT_NONE)
    return fail_upgrade (connection, fault, error);
  if (!accept_extensions (connection, response, error))
    return S9WS_IO_FAILED;

  if (protocol_index >= 0)
    connection->answer.protocol = g_strdup (connection->config->protocols[protocol_index]);

  s9ws_connection_set_phase (connection, S9WS_PHASE_OPEN, 0);
  return S9WS_IO_DONE;
}

static S9wsIoResult
fail_refused (S9wsConnection  *connection,
              GError         **error)
{
  g_propagate_error (error, g_steal_pointer (&connection->end_error));
  return S9WS_IO_FAILED;
}

/* WANT_READ: more bytes are needed. */
static S9wsIoResult
read_head (S9wsConnection  *connection,
           GError         **error)
{
  S9wsWindow *window = &connection->input.window;
  g_autofree S9wsResponse *response = g_new (S9wsResponse, 1);

  while (TRUE)
    {
      const char *data = (const char *) window->data + window->begin;

      switch (s9ws_response_read (response, data, window->end - window->begin, &connection->head_scanned))
        {
        case S9WS_RESPONSE_INCOMPLETE:
          return S9WS_IO_WANT_READ;
        case S9WS_RESPONSE_FAILED:
          return fail_upgrade (connection, response->fault, error);
        case S9WS_RESPONSE_READY:
        default:
          break;
        }

      keep_answer (connection, response);
      window->begin += response->head_size;
      connection->head_scanned = 0;

      if (response->status == 101)
        return accept_upgrade (connection, response, error);

      if (response->status >= 200)
        return keep_refusal (connection, response) ? S9WS_IO_WANT_READ : fail_refused (connection, error);
      /* RFC 9110, section 15.2: other interim answers are to be passed over. */
    }
}

/* DONE: the body is complete, as far as it is kept. */
static S9wsIoResult
read_body (S9wsConnection *connection)
{
  S9wsWindow *window = &connection->input.window;
  GByteArray *body = connection->answer.body;
  guint8 *data = window->data + window->begin;
  gsize size = 0;
  S9wsBodyResult result = s9ws_body_decode (&connection->body, data, window->end - window->begin, &size);

  g_byte_array_append (body, data, (guint) MIN (size, BODY_MAX - body->len));
  window->begin = window->end;

  if (result != S9WS_BODY_INCOMPLETE || body->len >= BODY_MAX)
    return S9WS_IO_DONE;

  return S9WS_IO_WANT_READ;
}

static S9wsIoResult
read_answer (S9wsConnection  *connection,
             GError         **error)
{
  while (TRUE)
    {
      S9wsIoResult result = S9WS_IO_WANT_READ;
      gsize room;
      gssize n;

      if (!connection->in_body)
        result = read_head (connection, error);
      if (connection->in_body)
        result = read_body (connection);

      if (result == S9WS_IO_DONE && connection->in_body)
        return fail_refused (connection, error);
      if (result != S9WS_IO_WANT_READ)
        return result;

      room = s9ws_input_make_room (&connection->input, 0);
      n = s9ws_transport_read (connection->transport, connection->input.window.data + connection->input.window.end,
                               room, connection->in_body ? NULL : error);
      if (n == S9WS_TRANSPORT_AGAIN)
        return S9WS_IO_WANT_READ;
      if (n <= 0 && connection->in_body)
        return fail_refused (connection, error);
      if (n == 0)
        {
          g_set_error_literal (error, S9WS_ERROR, S9WS_ERROR_HANDSHAKE,
                               _("The server ended the connection before it had answered the upgrade"));
          return S9WS_IO_FAILED;
        }
      if (n < 0)
        return S9WS_IO_FAILED;

      connection->input.window.end += (gsize) n;
    }
}

static S9wsIoResult
fail_overdue (S9wsConnection  *connection,
              GError         **error)
{
  if (connection->in_body)
    return fail_refused (connection, error);

  if (connection->phase == S9WS_PHASE_TLS_HANDSHAKE)
    g_set_error (error, S9WS_ERROR, S9WS_ERROR_TIMED_OUT,
                 _("The TLS handshake was not done within the handshake-timeout of %u ms"),
                 connection->config->handshake_timeout);
  else
    g_set_error (error, S9WS_ERROR, S9WS_ERROR_TIMED_OUT,
                 _("The server did not answer the upgrade within the handshake-timeout of %u ms"),
                 connection->config->handshake_timeout);

  return S9WS_IO_FAILED;
}

/* One function a phase; this one strings them together. */
static S9wsIoResult
advance (S9wsConnection  *connection,
         GError         **error)
{
  S9wsIoResult result;

  if (connection->phase == S9WS_PHASE_TLS_HANDSHAKE)
    {
      gint64 deadline;

      result = s9ws_transport_handshake (connection->transport, error);
      /* No peer is to blame for the time that the user takes. */
      if (connection->deadline != 0)
        connection->deadline += connection->transport->asking_time;
      connection->transport->asking_time = 0;
      if (result != S9WS_IO_DONE)
        return result;

      deadline = connection->deadline;
      connection->answer.tls = s9ws_tls_transport_create_info (connection->transport);
      connection->counters.tls_resumed = connection->answer.tls != NULL && connection->answer.tls->is_resumed;
      /* One timeout for both. */
      s9ws_connection_set_phase (connection, S9WS_PHASE_UPGRADE, 0);
      connection->deadline = deadline;
    }

  result = send_request (connection, error);
  if (result != S9WS_IO_DONE)
    return result;

  return read_answer (connection, error);
}

S9wsIoResult
s9ws_connection_open (S9wsConnection  *connection,
                      GError         **error)
{
  S9wsIoResult result;
  GError *local_error = NULL;

  g_return_val_if_fail (connection->phase <= S9WS_PHASE_UPGRADE, S9WS_IO_FAILED);

  result = advance (connection, &local_error);
  if ((result == S9WS_IO_WANT_READ || result == S9WS_IO_WANT_WRITE) && s9ws_connection_is_overdue (connection))
    result = fail_overdue (connection, &local_error);

  if (result == S9WS_IO_FAILED)
    {
      s9ws_connection_end (connection, 1006, g_error_copy (local_error));
      g_propagate_error (error, local_error);
    }

  return result;
}

const char *
s9ws_connection_get_redirect (S9wsConnection *connection)
{
  return connection->redirect;
}
