/* options.c: what s9ws-cat is told by its command line
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "options.h"

#include <glib/gi18n.h>
#include <stdlib.h>
#include <string.h>

#include "status.h"

#define MAX_SECONDS 1e6
#define WRITE_TIMEOUT G_GUINT64_CONSTANT (10000) /* µs, of the blocking client: signals are not to wait for the server */

/* Where GOption puts what it finds. */
static struct
{
  char **headers;
  char **protocols;
  char *ca_file;
  char *certificate_file;
  char *key_file;
  gboolean is_insecure;
  double ping_interval;
  double pong_timeout;
  double wait;
  gint64 spin_wait_duration;
  gboolean shows_version;
  char **uris;
} found;

static CatOptions parsed;

/* Names the values that there are where it is none of them. */
static gboolean
parse_choice (const char         *option,
              const char         *value,
              const char *const  *choices,
              guint              *index,
              GError            **error)
{
  g_autofree char *list = g_strjoinv (", ", (char **) choices);

  for (*index = 0; choices[*index] != NULL; ++*index)
    if (strcmp (value, choices[*index]) == 0)
      return TRUE;

  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               _("“%s” is no value for %s, which is one of: %s"), value, option, list);
  return FALSE;
}

static gboolean
parse_client (const char  *name,
              const char  *value,
              gpointer     data,
              GError     **error)
{
  static const char *const choices[] = { "blocking", "non-blocking", "async", NULL };
  const GType types[] = { S9WS_TYPE_BLOCKING_CLIENT, S9WS_TYPE_NON_BLOCKING_CLIENT, S9WS_TYPE_ASYNC_CLIENT };
  guint i;

  if (!parse_choice (name, value, choices, &i, error))
    return FALSE;

  parsed.client_type = types[i];
  return TRUE;
}

static gboolean
parse_strategy (const char  *name,
                const char  *value,
                gpointer     data,
                GError     **error)
{
  static const char *const choices[] = { "spin", "sleep", "wait", "adaptive", NULL };
  guint i;

  if (!parse_choice (name, value, choices, &i, error))
    return FALSE;

  parsed.strategy = S9WS_WAIT_STRATEGY_SPIN + i;
  return TRUE;
}

static const GOptionEntry entries[] = {
  { "binary", 'b', 0, G_OPTION_ARG_NONE, &parsed.is_binary,
    N_("Send blocks of input as binary messages, and write messages without line ends"), NULL },
  { "one-message", '1', 0, G_OPTION_ARG_NONE, &parsed.one_message,
    N_("Close after the first message that comes"), NULL },
  { "keep-open", 'k', 0, G_OPTION_ARG_NONE, &parsed.keeps_open,
    N_("Do not close when the input ends"), NULL },
  { "wait", 'w', 0, G_OPTION_ARG_DOUBLE, &found.wait,
    N_("Close this long after the input has ended"), N_("SECONDS") },
  { "ping", 'p', 0, G_OPTION_ARG_DOUBLE, &found.ping_interval,
    N_("Send pings at this interval, and print the round trips"), N_("SECONDS") },
  { "pong-timeout", 't', 0, G_OPTION_ARG_DOUBLE, &found.pong_timeout,
    N_("Give up where nothing comes for this long after a ping"), N_("SECONDS") },
  { "stats", 's', 0, G_OPTION_ARG_NONE, &parsed.shows_stats,
    N_("Print statistics at the end"), NULL },
  { "verbose", 'v', 0, G_OPTION_ARG_NONE, &parsed.is_verbose,
    N_("Say what happens to the connection"), NULL },
  { "header", 'H', 0, G_OPTION_ARG_STRING_ARRAY, &found.headers,
    N_("Add a header to the request; may be repeated"), N_("NAME:VALUE") },
  { "protocol", 'P', 0, G_OPTION_ARG_STRING_ARRAY, &found.protocols,
    N_("Offer a subprotocol; may be repeated"), N_("NAME") },
  { "ca-file", 0, 0, G_OPTION_ARG_FILENAME, &found.ca_file,
    N_("Trust the certificate authorities in FILE (PEM) instead of the system’s"), N_("FILE") },
  { "certificate-file", 0, 0, G_OPTION_ARG_FILENAME, &found.certificate_file,
    N_("Show the server the certificate in FILE (PEM)"), N_("FILE") },
  { "key-file", 0, 0, G_OPTION_ARG_FILENAME, &found.key_file,
    N_("The private key of that certificate, if it is not in its file (PEM)"), N_("FILE") },
  { "insecure", 0, 0, G_OPTION_ARG_NONE, &found.is_insecure,
    N_("Trust any certificate: whoever is in between can read and change all"), NULL },
  { "client", 'c', 0, G_OPTION_ARG_CALLBACK, parse_client,
    N_("The client: blocking (the default), non-blocking or async"), N_("CLIENT") },
  { "wait-strategy", 0, 0, G_OPTION_ARG_CALLBACK, parse_strategy,
    N_("How a client that does not block waits: spin, sleep, wait or adaptive"), N_("STRATEGY") },
  { "spin-wait-duration", 0, 0, G_OPTION_ARG_INT64, &found.spin_wait_duration,
    N_("How long it spins or sleeps, in µs"), N_("DURATION") },
  { "version", 'V', 0, G_OPTION_ARG_NONE, &found.shows_version,
    N_("Print the version and exit"), NULL },
  { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &found.uris, NULL, N_("URI") },
  { NULL },
};

static gboolean
fail (GError     **error,
      const char  *message)
{
  g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, message);
  return FALSE;
}

/* And no NaN, either. */
static gboolean
is_time (double seconds)
{
  return seconds >= 0 && seconds <= MAX_SECONDS;
}

static gboolean
check (GError **error)
{
  if (found.uris == NULL)
    return fail (error, _("There is no URI"));
  if (found.uris[1] != NULL)
    return fail (error, _("There is more than one URI"));
  if (!is_time (found.wait) || !is_time (found.ping_interval) || !is_time (found.pong_timeout) ||
      found.spin_wait_duration < 0)
    return fail (error, _("A time is negative, or too long"));
  if (found.pong_timeout > 0 && found.ping_interval == 0)
    return fail (error, _("--pong-timeout needs --ping"));
  if (found.key_file != NULL && found.certificate_file == NULL)
    return fail (error, _("--key-file needs --certificate-file"));

  return TRUE;
}

static gboolean
add_header (S9wsOptions  *options,
            const char   *header,
            GError      **error)
{
  const char *colon = strchr (header, ':');
  g_autofree char *name = NULL;
  g_autofree char *value = NULL;

  if (colon == NULL)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, _("There is no colon in the header “%s”"), header);
      return FALSE;
    }

  name = g_strndup (header, (gsize) (colon - header));
  value = g_strdup (colon + 1);
  return s9ws_options_set_header (options, g_strstrip (name), g_strstrip (value), error);
}

/* 0 is none, what is less than a millisecond is one. */
static guint
to_ms (double seconds)
{
  return seconds > 0 ? (guint) MAX (seconds * 1000, 1) : 0;
}

static gboolean
fill_in (CatOptions  *options,
         GError     **error)
{
  g_autoptr (S9wsTlsContext) tls_context = NULL;

  if (!check (error))
    return FALSE;

  *options = parsed;
  options->uri = g_strdup (found.uris[0]);
  options->wait = (gint64) (found.wait * G_USEC_PER_SEC);
  options->ping_interval = (gint64) (found.ping_interval * G_USEC_PER_SEC);
  options->spin_wait_duration = (guint64) found.spin_wait_duration;
  options->expects_pongs = found.pong_timeout > 0;

  tls_context = g_object_new (S9WS_TYPE_TLS_CONTEXT,
                              "ca-file", found.ca_file,
                              "certificate-file", found.certificate_file,
                              "key-file", found.key_file,
                              "verify-peer", !found.is_insecure,
                              NULL);
  /* The input is not read while much is kept, so that there need not be a limit. */
  options->connection = g_object_new (S9WS_TYPE_OPTIONS,
                                      "tls-context", tls_context,
                                      "protocols", found.protocols,
                                      "wait-strategy", options->strategy,
                                      "spin-wait-duration", options->spin_wait_duration,
                                      "max-buffered-amount", G_GUINT64_CONSTANT (0),
                                      "write-timeout", WRITE_TIMEOUT,
                                      "ping-interval", options->expects_pongs ? to_ms (found.ping_interval) : 0,
                                      "pong-timeout", to_ms (found.pong_timeout),
                                      NULL);

  for (guint i = 0; found.headers != NULL && found.headers[i] != NULL; i++)
    if (!add_header (options->connection, found.headers[i], error))
      return FALSE;

  return TRUE;
}

static GOptionContext *
create_context (void)
{
  GOptionContext *context = g_option_context_new (NULL);

  g_option_context_set_summary (context, _("Sends lines of the standard input as messages to a WebSocket server, and "
                                            "writes the\nmessages that come to the standard output."));
  g_option_context_set_description (context, _("The manual page s9ws-cat(1) says more, and what the exit codes mean."));
  g_option_context_add_main_entries (context, entries, GETTEXT_PACKAGE);
  return context;
}

gboolean
cat_options_parse (CatOptions   *options,
                   int          *argc,
                   char       ***argv,
                   int          *status)
{
  g_autoptr (GOptionContext) context = create_context ();
  g_autoptr (GError) error = NULL;

  *status = STATUS_CLOSED;
  parsed.client_type = S9WS_TYPE_BLOCKING_CLIENT;
  if (g_option_context_parse (context, argc, argv, &error))
    {
      if (found.shows_version)
        {
          g_print ("s9ws-cat %s\n", PACKAGE_VERSION);
          return FALSE;
        }
      if (fill_in (options, &error))
        return TRUE;
    }

  g_printerr ("s9ws-cat: %s\n", error->message);
  g_printerr (_("“%s” tells of all options.\n"), "s9ws-cat --help");
  *status = STATUS_USAGE;
  return FALSE;
}

void
cat_options_clear (CatOptions *options)
{
  g_clear_pointer (&options->uri, g_free);
  g_clear_object (&options->connection);
  g_clear_pointer (&found.headers, g_strfreev);
  g_clear_pointer (&found.protocols, g_strfreev);
  g_clear_pointer (&found.uris, g_strfreev);
  g_clear_pointer (&found.ca_file, g_free);
  g_clear_pointer (&found.certificate_file, g_free);
  g_clear_pointer (&found.key_file, g_free);
}
