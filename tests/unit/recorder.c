/* recorder.c: writes down what a client emits, for comparison
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "recorder.h"

#include <string.h>
#include <unistd.h>

const char *const kind_names[N_KINDS] = { "blocking", "non-blocking", "async" };

S9wsClient *
create_client (Kind         kind,
               const char  *uri,
               S9wsOptions *options)
{
  switch (kind)
    {
    case KIND_BLOCKING:
      return S9WS_CLIENT (s9ws_blocking_client_new (uri, options));
    case KIND_NON_BLOCKING:
      return S9WS_CLIENT (s9ws_non_blocking_client_new (uri, options));
    case KIND_ASYNC:
      return S9WS_CLIENT (s9ws_async_client_new (uri, options));
    case N_KINDS:
    default:
      g_return_val_if_reached (NULL);
    }
}

char *
get_certificate (const char *name)
{
  return g_strdup_printf ("%s/%s.pem", g_getenv ("S9WS_TEST_CERTIFICATES"), name);
}

TestServer *
create_proxy (gboolean   is_secure,
              TestScript script,
              gpointer   user_data)
{
  g_autofree char *certificate = get_certificate ("good");
  g_autofree char *key = get_certificate ("good-key");
  TestServerConfig config = {
    .script = script,
    .user_data = user_data,
    .certificate_file = is_secure ? certificate : NULL,
    .key_file = is_secure ? key : NULL,
    .defer_tls = TRUE,
  };

  return test_server_new_with_config (&config);
}

S9wsOptions *
create_options (const char *first_property,
                ...)
{
  g_autofree char *ca_file = get_certificate ("ca");
  g_autoptr (S9wsTlsContext) context = g_object_new (S9WS_TYPE_TLS_CONTEXT, "ca-file", ca_file, NULL);
  S9wsOptions *options = g_object_new (S9WS_TYPE_OPTIONS, "tls-context", context, NULL);
  va_list args;

  va_start (args, first_property);
  if (first_property != NULL)
    g_object_set_valist (G_OBJECT (options), first_property, args);
  va_end (args);
  return options;
}

static void
on_plain (S9wsClient *client,
          GString    *log,
          const char *name)
{
  g_string_append_printf (log, "%s ", name);
}

static void
on_activated (S9wsClient *client,
              GString    *log)
{
  on_plain (client, log, "activated");
}

static void
on_quit (S9wsClient *client,
         GString    *log)
{
  on_plain (client, log, "quit");
}

static void
on_text_message (S9wsClient *client,
                 const char *text,
                 GString    *log)
{
  if (strlen (text) > 64)
    g_string_append_printf (log, "text(%" G_GSIZE_FORMAT ") ", strlen (text));
  else
    g_string_append_printf (log, "text(%s) ", text);
}

static void
log_bytes (GString    *log,
           const char *name,
           GBytes     *bytes)
{
  gsize size;
  const char *data = g_bytes_get_data (bytes, &size);

  if (size > 64)
    g_string_append_printf (log, "%s(%" G_GSIZE_FORMAT ") ", name, size);
  else
    g_string_append_printf (log, "%s(%.*s) ", name, (int) size, size > 0 ? data : "");
}

static void
on_binary_message (S9wsClient *client,
                   GBytes     *bytes,
                   GString    *log)
{
  log_bytes (log, "binary", bytes);
}

static void
on_ping (S9wsClient *client,
         GBytes     *bytes,
         GString    *log)
{
  log_bytes (log, "ping", bytes);
}

static void
on_pong (S9wsClient *client,
         GBytes     *bytes,
         GString    *log)
{
  log_bytes (log, "pong", bytes);
}

static void
on_connection_closed (S9wsClient *client,
                      guint       code,
                      const char *reason,
                      GString    *log)
{
  g_string_append_printf (log, "closed(%u%s%s) ", code, reason != NULL ? "," : "", reason != NULL ? reason : "");
}

static void
on_error (S9wsClient *client,
          GError     *error,
          GString    *log)
{
  g_assert_true (error->domain == S9WS_ERROR);
  g_string_append_printf (log, "error(%d) ", error->code);
}

void
record_signals (S9wsClient *client,
                GString    *log)
{
  g_signal_connect (client, "activated", G_CALLBACK (on_activated), log);
  g_signal_connect (client, "text-message", G_CALLBACK (on_text_message), log);
  g_signal_connect (client, "binary-message", G_CALLBACK (on_binary_message), log);
  g_signal_connect (client, "ping", G_CALLBACK (on_ping), log);
  g_signal_connect (client, "pong", G_CALLBACK (on_pong), log);
  g_signal_connect (client, "connection-closed", G_CALLBACK (on_connection_closed), log);
  g_signal_connect (client, "error", G_CALLBACK (on_error), log);
  g_signal_connect (client, "quit", G_CALLBACK (on_quit), log);
}

void
start_watchdog (guint seconds)
{
  alarm (seconds);
}
