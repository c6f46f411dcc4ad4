/* tls-transport.c: a transport that speaks TLS through GnuTLS
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "tls-transport.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "../s9ws-error.h"
#include "draining.h"

#define PULL_CAPACITY (64 * 1024) /* bytes: GnuTLS by itself makes two calls a record */
#define MAX_TICKETS 64
#define MAX_IDLE_ROUNDS 16 /* records without data handled in one read */

struct _S9wsTlsSettings
{
  gatomicrefcount ref_count;
  gnutls_certificate_credentials_t credentials;
  gnutls_priority_t priority;
  gboolean verify_peer;
  char *server_name; /* or NULL */
  GMutex lock;
  GHashTable *tickets; /* guarded by lock; of GBytes, by "host:port" */
};

typedef struct
{
  S9wsTransport transport;
  S9wsTlsSettings *settings;
  gnutls_session_t session;
  char *name; /* what the certificate must be for */
  char *ticket_key;
  S9wsTlsQuestion question; /* or NULL */
  gpointer question_data;
  unsigned verify_status; /* why the certificate did not verify */
  gboolean is_excused;    /* and was accepted all the same */
  gboolean has_new_ticket;
  gboolean is_established;
  gboolean pulls_only_buffered; /* no system call: read has something to give already */
  gsize pull_begin;
  gsize pull_end;
  GByteArray *unsent; /* of records that the socket has not taken, see push () */
  gsize unconfirmed;  /* bytes that the last one stands for */
  int fatal_code;     /* what has ended the session; 0: nothing has */
  guint8 pull_buffer[PULL_CAPACITY];
} TlsTransport;

/* Settings */

S9wsTlsSettings *
s9ws_tls_settings_new (struct gnutls_certificate_credentials_st *credentials,
                       struct gnutls_priority_st                *priority,
                       gboolean                                  verify_peer,
                       const char                               *server_name)
{
  S9wsTlsSettings *settings = g_new0 (S9wsTlsSettings, 1);

  g_atomic_ref_count_init (&settings->ref_count);
  settings->credentials = credentials;
  settings->priority = priority;
  settings->verify_peer = verify_peer;
  settings->server_name = g_strdup (server_name);
  settings->tickets = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_bytes_unref);
  g_mutex_init (&settings->lock);
  return settings;
}

S9wsTlsSettings *
s9ws_tls_settings_ref (S9wsTlsSettings *settings)
{
  g_atomic_ref_count_inc (&settings->ref_count);
  return settings;
}

void
s9ws_tls_settings_unref (S9wsTlsSettings *settings)
{
  if (!g_atomic_ref_count_dec (&settings->ref_count))
    return;

  gnutls_certificate_free_credentials (settings->credentials);
  gnutls_priority_deinit (settings->priority);
  g_hash_table_unref (settings->tickets);
  g_mutex_clear (&settings->lock);
  g_free (settings->server_name);
  g_free (settings);
}

/* Tickets */

/* RFC 8446, appendix C.4: a ticket of TLS 1.3 is used once, so that nobody can tell
 * connections of one client by it. */
static void
use_ticket (TlsTransport *tls)
{
  GBytes *ticket = NULL;
  char *key = NULL;

  g_mutex_lock (&tls->settings->lock);
  g_hash_table_steal_extended (tls->settings->tickets, tls->ticket_key, (gpointer *) &key, (gpointer *) &ticket);
  g_mutex_unlock (&tls->settings->lock);

  if (ticket == NULL)
    return;

  gnutls_session_set_data (tls->session, g_bytes_get_data (ticket, NULL), g_bytes_get_size (ticket));
  g_bytes_unref (ticket);
  g_free (key);
}

static void
keep_ticket (TlsTransport *tls)
{
  gnutls_datum_t data;
  GBytes *ticket;

  tls->has_new_ticket = FALSE;
  /* Whoever resumes is not asked, and may be somebody else. */
  if (tls->is_excused)
    return;
  if (gnutls_session_get_data2 (tls->session, &data) < 0)
    return;

  ticket = g_bytes_new (data.data, data.size);
  gnutls_free (data.data);

  g_mutex_lock (&tls->settings->lock);
  if (g_hash_table_size (tls->settings->tickets) >= MAX_TICKETS)
    g_hash_table_remove_all (tls->settings->tickets);
  g_hash_table_replace (tls->settings->tickets, g_strdup (tls->ticket_key), ticket);
  g_mutex_unlock (&tls->settings->lock);
}

static int
on_ticket (gnutls_session_t      session,
           unsigned int          type,
           unsigned              when,
           unsigned int          is_incoming,
           const gnutls_datum_t *message)
{
  TlsTransport *tls = gnutls_session_get_ptr (session);

  /* It can be asked for once this function has returned. */
  tls->has_new_ticket = TRUE;
  return 0;
}

/* Below GnuTLS */

static gssize
take_pulled (TlsTransport *tls,
             void         *buffer,
             gsize         size)
{
  gsize n = MIN (size, tls->pull_end - tls->pull_begin);

  memcpy (buffer, tls->pull_buffer + tls->pull_begin, n);
  tls->pull_begin += n;
  return (gssize) n;
}

static void
fail_below (TlsTransport *tls,
            int           error_number)
{
  gnutls_transport_set_errno (tls->session, error_number);
  if (error_number != EAGAIN && error_number != EWOULDBLOCK)
    s9ws_transport_note_error (&tls->transport, error_number);
}

static ssize_t
pull (gnutls_transport_ptr_t  user_data,
      void                   *buffer,
      size_t                  size)
{
  TlsTransport *tls = user_data;
  gssize n;

  if (tls->pull_begin < tls->pull_end)
    return take_pulled (tls, buffer, size);

  if (tls->pulls_only_buffered)
    {
      gnutls_transport_set_errno (tls->session, EAGAIN);
      return -1;
    }

  do
    {
      tls->transport.n_reads++;
      n = recv (tls->transport.fd, tls->pull_buffer, PULL_CAPACITY, tls->transport.may_block ? 0 : MSG_DONTWAIT);
    }
  while (n < 0 && errno == EINTR);

  if (n <= 0)
    {
      tls->transport.n_empty_reads++;
      tls->transport.has_ended = tls->transport.has_ended || n == 0;
      fail_below (tls, n < 0 ? errno : 0);
      return n;
    }

  tls->pull_begin = 0;
  tls->pull_end = (gsize) n;
  return take_pulled (tls, buffer, size);
}

static gssize
send_vector (TlsTransport   *tls,
             const giovec_t *vector,
             int             n_vectors)
{
  struct msghdr message = { 0 };
  gssize n;

  message.msg_iov = (struct iovec *) vector;
  message.msg_iovlen = (size_t) n_vectors;
  do
    {
      tls->transport.n_writes++;
      n = sendmsg (tls->transport.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
  while (n < 0 && errno == EINTR);

  if (n < 0)
    fail_below (tls, errno);
  return n;
}

static gsize
keep_unsent (TlsTransport   *tls,
             const giovec_t *vector,
             int             n_vectors,
             gsize           n_sent)
{
  gsize total = 0;

  for (int i = 0; i < n_vectors; i++)
    {
      gsize skipped = MIN (n_sent, vector[i].iov_len);

      n_sent -= skipped;
      total += vector[i].iov_len;
      if (G_UNLIKELY (skipped < vector[i].iov_len))
        g_byte_array_append (tls->unsent, (const guint8 *) vector[i].iov_base + skipped,
                             (guint) (vector[i].iov_len - skipped));
    }

  return total;
}

/* Once the handshake is done, what the socket does not take is kept here: GnuTLS cannot go
 * on with half a record once the peer has asked for new keys (RFC 8446, section 4.6.3). */
static ssize_t
push (gnutls_transport_ptr_t  user_data,
      const giovec_t         *vector,
      int                     n_vectors)
{
  TlsTransport *tls = user_data;
  gssize n = 0;

  if (tls->unsent->len == 0)
    n = send_vector (tls, vector, n_vectors);
  if (!tls->is_established || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK))
    return n;

  return (gssize) keep_unsent (tls, vector, n_vectors, (gsize) MAX (n, 0));
}

/* FALSE with errno: the socket does not take it all. */
static gboolean
send_unsent (TlsTransport *tls)
{
  while (tls->unsent->len > 0)
    {
      giovec_t rest = { tls->unsent->data, tls->unsent->len };
      gssize n = send_vector (tls, &rest, 1);

      if (n < 0)
        return FALSE;
      g_byte_array_remove_range (tls->unsent, 0, (guint) n);
    }

  return TRUE;
}

static int
pull_timeout (gnutls_transport_ptr_t user_data,
              unsigned int           timeout)
{
  return 1;
}

/* Errors */

const char *
s9ws_tls_get_alert_name (int alert)
{
  const char *name = gnutls_alert_get_name ((gnutls_alert_description_t) alert);

  return name != NULL ? name : "?";
}

static void
set_alert_error (TlsTransport  *tls,
                 GError       **error)
{
  tls->transport.tls_alert = (int) gnutls_alert_get (tls->session);
  g_set_error (error, S9WS_ERROR, S9WS_ERROR_TLS, _("The server %s ended TLS with an alert: %s"),
               tls->name, s9ws_tls_get_alert_name (tls->transport.tls_alert));
}

/* Where it was the system that failed, GnuTLS only names the function. */
static const char *
describe_code (TlsTransport *tls,
               int           code)
{
  if ((code == GNUTLS_E_PULL_ERROR || code == GNUTLS_E_PUSH_ERROR) && tls->transport.error_number != 0)
    return g_strerror (tls->transport.error_number);

  return gnutls_strerror (code);
}

static void
set_tls_error (TlsTransport  *tls,
               int            code,
               GError       **error)
{
  /* After that GnuTLS says no more than that there is no session. */
  if (code == GNUTLS_E_INVALID_SESSION && tls->fatal_code != 0)
    code = tls->fatal_code;
  else
    tls->fatal_code = code;

  if (code == GNUTLS_E_FATAL_ALERT_RECEIVED)
    set_alert_error (tls, error);
  else if (code == GNUTLS_E_PREMATURE_TERMINATION)
    g_set_error (error, S9WS_ERROR, S9WS_ERROR_TLS,
                 _("The TLS connection to %s was cut off: the server has not ended it"), tls->name);
  else
    g_set_error (error, S9WS_ERROR, S9WS_ERROR_TLS, _("TLS with %s failed: %s"), tls->name, describe_code (tls, code));
}

static void
set_certificate_error (TlsTransport  *tls,
                       GError       **error)
{
  gnutls_datum_t text = { 0 };

  if (gnutls_certificate_verification_status_print (tls->verify_status, gnutls_certificate_type_get (tls->session), &text, 0) < 0)
    text.data = NULL;

  g_set_error (error, S9WS_ERROR, S9WS_ERROR_TLS, _("The certificate of %s was refused: %s"), tls->name,
               text.data != NULL ? g_strchomp ((char *) text.data) : gnutls_strerror (GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR));
  gnutls_free (text.data);
}

/* Verifying */

/* NULL if it cannot be written. */
static char *
export_certificate (const gnutls_datum_t *der)
{
  gnutls_datum_t pem = { 0 };
  char *text = NULL;

  if (gnutls_pem_base64_encode2 ("CERTIFICATE", der, &pem) >= 0)
    text = g_strndup ((const char *) pem.data, pem.size);
  gnutls_free (pem.data);

  return text;
}

static char *
export_chain (TlsTransport *tls)
{
  GString *chain = g_string_new (NULL);
  unsigned n = 0;
  const gnutls_datum_t *certificates = gnutls_certificate_get_peers (tls->session, &n);

  for (unsigned i = 0; i < n; i++)
    {
      g_autofree char *certificate = export_certificate (&certificates[i]);

      if (certificate != NULL)
        g_string_append (chain, certificate);
    }

  return g_string_free (chain, FALSE);
}

static GTlsCertificateFlags
get_reasons (unsigned status)
{
  static const struct
  {
    unsigned bit;
    GTlsCertificateFlags flag;
  } reasons[] = {
    { GNUTLS_CERT_SIGNER_NOT_FOUND, G_TLS_CERTIFICATE_UNKNOWN_CA },
    { GNUTLS_CERT_UNEXPECTED_OWNER, G_TLS_CERTIFICATE_BAD_IDENTITY },
    { GNUTLS_CERT_NOT_ACTIVATED, G_TLS_CERTIFICATE_NOT_ACTIVATED },
    { GNUTLS_CERT_EXPIRED, G_TLS_CERTIFICATE_EXPIRED },
    { GNUTLS_CERT_REVOKED, G_TLS_CERTIFICATE_REVOKED },
    { GNUTLS_CERT_INSECURE_ALGORITHM, G_TLS_CERTIFICATE_INSECURE },
  };
  GTlsCertificateFlags flags = 0;

  /* It only says that there are others. */
  status &= ~(unsigned) GNUTLS_CERT_INVALID;
  for (gsize i = 0; i < G_N_ELEMENTS (reasons); i++)
    if ((status & reasons[i].bit) != 0)
      {
        flags |= reasons[i].flag;
        status &= ~reasons[i].bit;
      }

  return status != 0 || flags == 0 ? flags | G_TLS_CERTIFICATE_GENERIC_ERROR : flags;
}

static gboolean
ask (TlsTransport *tls)
{
  g_autofree char *chain = export_chain (tls);
  gint64 start = g_get_monotonic_time ();
  gboolean is_accepted = tls->question (chain, get_reasons (tls->verify_status), tls->question_data);

  tls->transport.asking_time += g_get_monotonic_time () - start;
  return is_accepted;
}

/* Within the handshake, where the certificate has come. */
static int
verify (gnutls_session_t session)
{
  TlsTransport *tls = gnutls_session_get_ptr (session);
  gnutls_typed_vdata_st data[] = {
    { .type = GNUTLS_DT_DNS_HOSTNAME, .data = (unsigned char *) tls->name },
    { .type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *) GNUTLS_KP_TLS_WWW_SERVER },
  };
  int code = gnutls_certificate_verify_peers (session, data, G_N_ELEMENTS (data), &tls->verify_status);

  if (code < 0)
    return code;
  if (tls->verify_status == 0)
    return 0;

  tls->is_excused = tls->question != NULL && ask (tls);
  return tls->is_excused ? 0 : GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
}

/* The table */

static gboolean
is_passing (int code)
{
  return code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED || code == GNUTLS_E_WARNING_ALERT_RECEIVED ||
         code == GNUTLS_E_REHANDSHAKE;
}

static S9wsIoResult
tls_handshake (S9wsTransport  *transport,
               GError        **error)
{
  TlsTransport *tls = (TlsTransport *) transport;
  int code;

  do
    code = gnutls_handshake (tls->session);
  while (code == GNUTLS_E_INTERRUPTED || code == GNUTLS_E_WARNING_ALERT_RECEIVED);

  if (code == GNUTLS_E_SUCCESS)
    {
      tls->is_established = TRUE;
      /* In TLS 1.2 it has come already, and is not renewed when it is used. */
      if (gnutls_protocol_get_version (tls->session) < GNUTLS_TLS1_3)
        keep_ticket (tls);
      return S9WS_IO_DONE;
    }

  if (code == GNUTLS_E_AGAIN)
    return gnutls_record_get_direction (tls->session) == 1 ? S9WS_IO_WANT_WRITE : S9WS_IO_WANT_READ;

  if (code == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
    set_certificate_error (tls, error);
  else
    set_tls_error (tls, code, error);
  if (code != GNUTLS_E_FATAL_ALERT_RECEIVED)
    gnutls_alert_send_appropriate (tls->session, code);

  return S9WS_IO_FAILED;
}

static gboolean
tls_has_pending (S9wsTransport *transport)
{
  TlsTransport *tls = (TlsTransport *) transport;

  return gnutls_record_check_pending (tls->session) > 0 || tls->pull_begin < tls->pull_end;
}

/* One record, or part of one.  Records without data are passed over. */
static gssize
read_record (TlsTransport *tls,
             void         *buffer,
             gsize         size)
{
  gssize n = GNUTLS_E_AGAIN;

  for (guint i = 0; i < MAX_IDLE_ROUNDS; i++)
    {
      n = gnutls_record_recv (tls->session, buffer, size);
      if (n >= 0 || !is_passing ((int) n))
        return n;

      /* A key update or a ticket says "again", too: there may be more behind it.  What
       * has come in half has to wait for its other half. */
      if (tls->pull_begin == tls->pull_end)
        return n;
    }

  return n;
}

static gssize
tls_read (S9wsTransport  *transport,
          void           *buffer,
          gsize           size,
          GError        **error)
{
  TlsTransport *tls = (TlsTransport *) transport;
  gsize total = 0;
  gssize n;

  n = read_record (tls, buffer, size);
  if (G_UNLIKELY (tls->has_new_ticket))
    keep_ticket (tls);

  if (n == 0)
    return 0;
  if (n < 0 && is_passing ((int) n))
    return S9WS_TRANSPORT_AGAIN;
  if (n < 0)
    {
      set_tls_error (tls, (int) n, error);
      return S9WS_TRANSPORT_FAILED;
    }

  /* All that came with it, but nothing more: an end or an error among them is seen the
   * next time. */
  total = (gsize) n;
  tls->pulls_only_buffered = TRUE;
  while (total < size && tls_has_pending (transport))
    {
      n = gnutls_record_recv (tls->session, (char *) buffer + total, size - total);
      if (n <= 0)
        break;
      total += (gsize) n;
    }
  tls->pulls_only_buffered = FALSE;

  return (gssize) total;
}

static gssize
tls_write (S9wsTransport  *transport,
           const void     *data,
           gsize           size,
           GError        **error)
{
  TlsTransport *tls = (TlsTransport *) transport;
  gssize n;

  if (G_LIKELY (tls->unconfirmed == 0))
    {
      n = gnutls_record_send (tls->session, data, size);
      if (G_UNLIKELY (n < 0))
        {
          set_tls_error (tls, (int) n, error);
          return S9WS_TRANSPORT_FAILED;
        }
      if (G_LIKELY (tls->unsent->len == 0))
        return n;

      tls->unconfirmed = (gsize) n;
    }

  /* What it stands for is taken once it has been sent whole. */
  if (send_unsent (tls))
    {
      n = (gssize) tls->unconfirmed;
      tls->unconfirmed = 0;
      return n;
    }
  if (errno == EAGAIN || errno == EWOULDBLOCK)
    return S9WS_TRANSPORT_AGAIN;

  set_tls_error (tls, GNUTLS_E_PUSH_ERROR, error);
  return S9WS_TRANSPORT_FAILED;
}

static void
tls_close (S9wsTransport *transport)
{
  TlsTransport *tls = (TlsTransport *) transport;

  if (tls->is_established)
    gnutls_bye (tls->session, GNUTLS_SHUT_WR);
  send_unsent (tls);
  gnutls_deinit (tls->session);
  s9ws_drain_and_close (transport->fd);
  s9ws_tls_settings_unref (tls->settings);
  g_free (tls->name);
  g_free (tls->ticket_key);
  g_byte_array_unref (tls->unsent);
  g_free (tls);
}

static const S9wsTransportTable tls_table = {
  .read = tls_read,
  .write = tls_write,
  .has_pending = tls_has_pending,
  .handshake = tls_handshake,
  .close = tls_close,
};

/* Opening */

static int
set_up_session (TlsTransport *tls)
{
  static const gnutls_datum_t alpn = { (unsigned char *) "http/1.1", 8 };
  S9wsTlsSettings *settings = tls->settings;
  int code;

  code = gnutls_priority_set (tls->session, settings->priority);
  if (code >= 0)
    code = gnutls_credentials_set (tls->session, GNUTLS_CRD_CERTIFICATE, settings->credentials);
  if (code >= 0)
    code = gnutls_alpn_set_protocols (tls->session, &alpn, 1, 0);
  /* RFC 6066, section 3: names only, no addresses. */
  if (code >= 0 && !g_hostname_is_ip_address (tls->name))
    code = gnutls_server_name_set (tls->session, GNUTLS_NAME_DNS, tls->name, strlen (tls->name));
  if (code >= 0 && settings->verify_peer)
    gnutls_session_set_verify_function (tls->session, verify);

  return code;
}

S9wsTransport *
s9ws_tls_transport_new (int               fd,
                        S9wsTlsSettings  *settings,
                        const char       *host,
                        guint16           port,
                        GError          **error)
{
  TlsTransport *tls = g_new0 (TlsTransport, 1);
  int code;

  tls->transport.table = &tls_table;
  tls->transport.fd = fd;
  tls->settings = s9ws_tls_settings_ref (settings);
  tls->name = g_strdup (settings->server_name != NULL ? settings->server_name : host);
  tls->unsent = g_byte_array_new ();
  tls->ticket_key = g_strdup_printf ("%s:%u", host, port);

  code = gnutls_init (&tls->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
  if (code >= 0)
    code = set_up_session (tls);
  if (code < 0)
    {
      set_tls_error (tls, code, error);
      tls_close (&tls->transport);
      return NULL;
    }

  gnutls_session_set_ptr (tls->session, tls);
  gnutls_transport_set_ptr (tls->session, tls);
  gnutls_transport_set_pull_function (tls->session, pull);
  gnutls_transport_set_pull_timeout_function (tls->session, pull_timeout);
  gnutls_transport_set_vec_push_function (tls->session, push);
  gnutls_handshake_set_hook_function (tls->session, GNUTLS_HANDSHAKE_NEW_SESSION_TICKET, GNUTLS_HOOK_POST, on_ticket);
  use_ticket (tls);

  return &tls->transport;
}

void
s9ws_tls_transport_set_question (S9wsTransport   *transport,
                                 S9wsTlsQuestion  question,
                                 gpointer         user_data)
{
  TlsTransport *tls = (TlsTransport *) transport;

  tls->question = question;
  tls->question_data = user_data;
}

S9wsTlsInfo *
s9ws_tls_transport_create_info (S9wsTransport *transport)
{
  gnutls_session_t session = s9ws_tls_transport_get_session (transport);
  const gnutls_datum_t *certificates;
  S9wsTlsInfo *info;
  unsigned n = 0;

  if (session == NULL)
    return NULL;

  info = g_new0 (S9wsTlsInfo, 1);
  info->version = gnutls_protocol_get_name (gnutls_protocol_get_version (session));
  info->cipher = gnutls_cipher_get_name (gnutls_cipher_get (session));
  info->is_resumed = gnutls_session_is_resumed (session) != 0;
  certificates = gnutls_certificate_get_peers (session, &n);
  if (n > 0)
    info->peer_certificate = export_certificate (&certificates[0]);

  return info;
}

void
s9ws_tls_info_free (S9wsTlsInfo *info)
{
  g_free (info->peer_certificate);
  g_free (info);
}

gpointer
s9ws_tls_transport_get_session (S9wsTransport *transport)
{
  return transport->table == &tls_table ? ((TlsTransport *) transport)->session : NULL;
}
