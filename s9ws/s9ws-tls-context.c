/* s9ws-tls-context.c: trust, certificates and session tickets
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-tls-context-private.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>
#include <unistd.h>

#include "s9ws-error.h"

/* Fast where CPUs have AES, and with a group that is cheap: plain NORMAL prefers P-256
 * and AES-256, and ChaCha20 is several times slower than AES. */
#define DEFAULT_PRIORITY                                                                                 \
  "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:" \
  "-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1"

/**
 * S9wsTlsContext:
 *
 * What a `wss` connection needs that is expensive and worth sharing: the trust store,
 * a client certificate and session tickets.
 *
 * One context may be used by any number of clients on any threads at once. Files are
 * read when the first of them opens. Its properties are to be set before that; what is
 * changed later holds for clients that open later, which then start without tickets.
 *
 * Clients without a context share one with the defaults: the system's trust, and
 * everything verified.
 *
 * What a server gives to make the next handshake with it shorter, a session ticket, is
 * kept in the context and used once, by the next client that opens the same host and
 * port; [struct@S9ws.Stats] tells whether the session was resumed. Sessions that
 * [signal@S9ws.Client::accept-certificate] had to excuse are not kept.
 *
 * Certificates and keys may lie on a token or in a hardware module: PKCS #11 URIs
 * (RFC 7512) stand for files. Whatever PIN they need is in them, or in a file that they
 * name (`pin-value`, `pin-source`); it is not repeated in error messages.
 *
 * Where the environment variable `SSLKEYLOGFILE` was set when the process began, the
 * secrets of all sessions are written to the file that it names, so that tools such as
 * Wireshark can decrypt what they have recorded. That is GnuTLS's doing.
 *
 * Since: 0.1
 */
struct _S9wsTlsContext
{
  GObject parent_instance;

  GMutex lock; /* guards all of the following */
  char *ca_file;
  char *certificate_file;
  char *key_file;
  char *priority;
  char *server_name;
  gboolean verify_peer;
  S9wsTlsSettings *settings; /* NULL until they are loaded */
};

enum
{
  PROP_CA_FILE = 1,
  PROP_CERTIFICATE_FILE,
  PROP_KEY_FILE,
  PROP_PRIORITY,
  PROP_VERIFY_PEER,
  PROP_SERVER_NAME,
  N_PROPERTIES
};

static GParamSpec *properties[N_PROPERTIES];

G_DEFINE_FINAL_TYPE (S9wsTlsContext, s9ws_tls_context, G_TYPE_OBJECT)

static void
s9ws_tls_context_get_property (GObject    *object,
                               guint       property_id,
                               GValue     *value,
                               GParamSpec *pspec)
{
  S9wsTlsContext *context = S9WS_TLS_CONTEXT (object);

  g_mutex_lock (&context->lock);
  switch (property_id)
    {
    case PROP_CA_FILE:
      g_value_set_string (value, context->ca_file);
      break;
    case PROP_CERTIFICATE_FILE:
      g_value_set_string (value, context->certificate_file);
      break;
    case PROP_KEY_FILE:
      g_value_set_string (value, context->key_file);
      break;
    case PROP_PRIORITY:
      g_value_set_string (value, context->priority);
      break;
    case PROP_VERIFY_PEER:
      g_value_set_boolean (value, context->verify_peer);
      break;
    case PROP_SERVER_NAME:
      g_value_set_string (value, context->server_name);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
  g_mutex_unlock (&context->lock);
}

static void
replace (char         **string,
         const GValue  *value)
{
  g_free (*string);
  *string = g_value_dup_string (value);
}

static void
s9ws_tls_context_set_property (GObject      *object,
                               guint         property_id,
                               const GValue *value,
                               GParamSpec   *pspec)
{
  S9wsTlsContext *context = S9WS_TLS_CONTEXT (object);

  g_mutex_lock (&context->lock);
  switch (property_id)
    {
    case PROP_CA_FILE:
      replace (&context->ca_file, value);
      break;
    case PROP_CERTIFICATE_FILE:
      replace (&context->certificate_file, value);
      break;
    case PROP_KEY_FILE:
      replace (&context->key_file, value);
      break;
    case PROP_PRIORITY:
      replace (&context->priority, value);
      break;
    case PROP_VERIFY_PEER:
      context->verify_peer = g_value_get_boolean (value);
      break;
    case PROP_SERVER_NAME:
      replace (&context->server_name, value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }

  /* With the tickets: a session that was verified in another way must not be resumed. */
  g_clear_pointer (&context->settings, s9ws_tls_settings_unref);
  g_mutex_unlock (&context->lock);
}

static void
s9ws_tls_context_finalize (GObject *object)
{
  S9wsTlsContext *context = S9WS_TLS_CONTEXT (object);

  g_clear_pointer (&context->settings, s9ws_tls_settings_unref);
  g_free (context->ca_file);
  g_free (context->certificate_file);
  g_free (context->key_file);
  g_free (context->priority);
  g_free (context->server_name);
  g_mutex_clear (&context->lock);

  G_OBJECT_CLASS (s9ws_tls_context_parent_class)->finalize (object);
}

static void
s9ws_tls_context_class_init (S9wsTlsContextClass *klass)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_CONSTRUCT | G_PARAM_STATIC_STRINGS;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = s9ws_tls_context_get_property;
  object_class->set_property = s9ws_tls_context_set_property;
  object_class->finalize = s9ws_tls_context_finalize;

  /**
   * S9wsTlsContext:ca-file:
   *
   * A file of certificates, in PEM, to be trusted instead of the system's, or a
   * `pkcs11:` URI of one; %NULL for the system's.
   *
   * Since: 0.1
   */
  properties[PROP_CA_FILE] = g_param_spec_string ("ca-file", NULL, NULL, NULL, flags);

  /**
   * S9wsTlsContext:certificate-file:
   *
   * A file with the client's certificate, in PEM, with its chain behind it, or a
   * `pkcs11:` URI; %NULL for none.
   *
   * Since: 0.1
   */
  properties[PROP_CERTIFICATE_FILE] = g_param_spec_string ("certificate-file", NULL, NULL, NULL, flags);

  /**
   * S9wsTlsContext:key-file:
   *
   * A file with the key of the client's certificate, in PEM, or a `pkcs11:` URI, of which
   * the key never leaves the token; %NULL if [property@S9ws.TlsContext:certificate-file]
   * holds it as well.
   *
   * Since: 0.1
   */
  properties[PROP_KEY_FILE] = g_param_spec_string ("key-file", NULL, NULL, NULL, flags);

  /**
   * S9wsTlsContext:priority:
   *
   * A GnuTLS priority string that says which versions, ciphers and groups to use; %NULL
   * for TLS 1.3 and 1.2 with AEAD ciphers. `NORMAL:-VERS-ALL:+VERS-TLS1.3` asks for TLS
   * 1.3 at least.
   *
   * Since: 0.1
   */
  properties[PROP_PRIORITY] = g_param_spec_string ("priority", NULL, NULL, NULL, flags);

  /**
   * S9wsTlsContext:verify-peer:
   *
   * Whether the server's certificate is verified: its chain, host name and dates.
   * Without it, anybody can pretend to be the server.
   *
   * Since: 0.1
   */
  properties[PROP_VERIFY_PEER] = g_param_spec_boolean ("verify-peer", NULL, NULL, TRUE, flags);

  /**
   * S9wsTlsContext:server-name:
   *
   * The name to ask for by SNI and to find in the certificate; %NULL for the URI's host.
   *
   * Since: 0.1
   */
  properties[PROP_SERVER_NAME] = g_param_spec_string ("server-name", NULL, NULL, NULL, flags);

  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
}

static void
s9ws_tls_context_init (S9wsTlsContext *context)
{
  g_mutex_init (&context->lock);
}

/* Loading, with the lock held */

static gboolean
is_url (const char *name)
{
  return g_ascii_strncasecmp (name, "pkcs11:", 7) == 0;
}

/* The name for messages: of a PKCS #11 URI the attributes of the query, among which the
 * PIN is, are left out. */
static char *
redact (const char *name)
{
  if (!is_url (name) || strchr (name, '?') == NULL)
    return g_strdup (name);

  return g_strdup_printf ("%.*s?…", (int) strcspn (name, "?"), name);
}

/* GnuTLS says of a file no more than that it could not be read, and ends its sentences. */
static char *
describe (int         code,
          const char *file)
{
  const char *text = gnutls_strerror (code);

  if (code == GNUTLS_E_FILE_ERROR && access (file, R_OK) != 0)
    text = g_strerror (errno);

  return g_strndup (text, strlen (text) - g_str_has_suffix (text, "."));
}

/* GnuTLS by itself takes from a token only what is marked there as trusted.  How many
 * there are, or an error. */
static int
load_authority (gnutls_certificate_credentials_t  credentials,
                const char                       *name)
{
  gnutls_x509_crt_t certificate;
  int n;

  if (!is_url (name))
    return gnutls_certificate_set_x509_trust_file (credentials, name, GNUTLS_X509_FMT_PEM);

  n = gnutls_x509_crt_init (&certificate);
  if (n < 0)
    return n;

  n = gnutls_x509_crt_import_url (certificate, name, 0);
  if (n >= 0)
    n = gnutls_certificate_set_x509_trust (credentials, &certificate, 1);
  gnutls_x509_crt_deinit (certificate);

  return n;
}

static gboolean
load_trust (S9wsTlsContext                    *context,
            gnutls_certificate_credentials_t   credentials,
            GError                           **error)
{
  g_autofree char *name = NULL;
  g_autofree char *reason = NULL;
  int n;

  if (context->ca_file == NULL)
    {
      n = context->verify_peer ? gnutls_certificate_set_x509_system_trust (credentials) : 0;
      if (n < 0)
        g_set_error (error, S9WS_ERROR, S9WS_ERROR_TLS, _("The system’s trusted certificates could not be loaded: %s"),
                     gnutls_strerror (n));
      return n >= 0;
    }

  n = load_authority (credentials, context->ca_file);
  if (n > 0)
    return TRUE;

  name = redact (context->ca_file);
  reason = n < 0 ? describe (n, context->ca_file) : g_strdup (_("it has no certificate"));
  g_set_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION,
               _("The ca-file “%s” could not be loaded: %s; expected certificates in PEM"), name, reason);
  return FALSE;
}

static gboolean
load_certificate (S9wsTlsContext                    *context,
                  gnutls_certificate_credentials_t   credentials,
                  GError                           **error)
{
  const char *key_file = context->key_file != NULL ? context->key_file : context->certificate_file;
  g_autofree char *certificate_name = NULL;
  g_autofree char *key_name = NULL;
  g_autofree char *reason = NULL;
  int code;

  if (key_file == NULL)
    return TRUE;

  key_name = redact (key_file);
  if (context->certificate_file == NULL)
    {
      g_set_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION,
                   _("There is the key-file “%s”, but no certificate-file: a key is of use only with its certificate"),
                   key_name);
      return FALSE;
    }

  code = gnutls_certificate_set_x509_key_file (credentials, context->certificate_file, key_file, GNUTLS_X509_FMT_PEM);
  if (code >= 0)
    return TRUE;

  certificate_name = redact (context->certificate_file);
  reason = describe (code, access (context->certificate_file, R_OK) != 0 ? context->certificate_file : key_file);
  g_set_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION,
               _("The certificate-file “%s” with the key-file “%s” could not be loaded: %s"),
               certificate_name, key_name, reason);
  return FALSE;
}

static gnutls_priority_t
load_priority (S9wsTlsContext  *context,
               GError         **error)
{
  gnutls_priority_t priority = NULL;
  const char *place = NULL;
  int code = gnutls_priority_init (&priority, context->priority != NULL ? context->priority : DEFAULT_PRIORITY, &place);

  if (code >= 0)
    return priority;

  g_set_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION,
               _("The priority “%s” is no GnuTLS priority string: %s at “%s”"),
               context->priority, gnutls_strerror (code), place != NULL ? place : "");
  return NULL;
}

static S9wsTlsSettings *
load (S9wsTlsContext  *context,
      GError         **error)
{
  gnutls_certificate_credentials_t credentials;
  gnutls_priority_t priority = load_priority (context, error);

  if (priority == NULL)
    return NULL;

  gnutls_certificate_allocate_credentials (&credentials);
  if (load_trust (context, credentials, error) && load_certificate (context, credentials, error))
    return s9ws_tls_settings_new (credentials, priority, context->verify_peer, context->server_name);

  gnutls_certificate_free_credentials (credentials);
  gnutls_priority_deinit (priority);
  return NULL;
}

static S9wsTlsContext *
get_default (void)
{
  static S9wsTlsContext *context = NULL;

  if (g_once_init_enter (&context))
    g_once_init_leave (&context, s9ws_tls_context_new ());

  return context;
}

S9wsTlsSettings *
s9ws_tls_context_load (S9wsTlsContext  *context,
                       GError         **error)
{
  S9wsTlsSettings *settings = NULL;

  if (context == NULL)
    context = get_default ();

  g_mutex_lock (&context->lock);
  if (context->settings == NULL)
    context->settings = load (context, error);
  if (context->settings != NULL)
    settings = s9ws_tls_settings_ref (context->settings);
  g_mutex_unlock (&context->lock);

  return settings;
}

/**
 * s9ws_tls_context_new:
 *
 * Creates a context that has the defaults.
 *
 * Returns: (transfer full): a new context
 *
 * Since: 0.1
 */
S9wsTlsContext *
s9ws_tls_context_new (void)
{
  return g_object_new (S9WS_TYPE_TLS_CONTEXT, NULL);
}
