/* echo-blocking-timeout.c: a blocking client that has something to do in between
 *
 * With read-timeout the client emits "idle" whenever the server was silent for that
 * long: here it says something every half second, three times.
 *
 * Usage: echo-blocking-timeout URI [CA-FILE]
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <locale.h>
#include <s9ws/s9ws.h>
#include <stdlib.h>

#define READ_TIMEOUT 500000  /* µs */
#define WRITE_TIMEOUT 500000 /* µs */
#define N_MESSAGES 3

static void
on_idle (S9wsClient *client,
         gpointer    user_data)
{
  guint *n_sent = user_data;
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  if (*n_sent == N_MESSAGES)
    {
      s9ws_client_close (client, 1000, NULL, NULL);
      return;
    }

  text = g_strdup_printf ("Message %u of %u", ++*n_sent, N_MESSAGES);
  g_print ("idle: sending “%s”\n", text);
  if (!s9ws_client_send_text (client, text, &error))
    g_printerr ("%s\n", error->message);
}

static void
on_text_message (S9wsClient *client,
                 const char *text,
                 gpointer    user_data)
{
  g_print ("text-message: %s\n", text);
}

static void
on_connection_closed (S9wsClient *client,
                      guint       code,
                      const char *reason,
                      gpointer    user_data)
{
  g_print ("connection-closed: %u\n", code);
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (S9wsOptions) options = s9ws_options_new ();
  g_autoptr (S9wsTlsContext) tls_context = NULL;
  g_autoptr (S9wsClient) client = NULL;
  g_autoptr (GError) error = NULL;
  guint n_sent = 0;

  setlocale (LC_ALL, "");

  if (argc < 2)
    {
      g_printerr ("Usage: %s URI [CA-FILE]\n", argv[0]);
      return EXIT_FAILURE;
    }

  if (argc > 2)
    tls_context = g_object_new (S9WS_TYPE_TLS_CONTEXT, "ca-file", argv[2], NULL);
  g_object_set (options,
                "read-timeout", (guint64) READ_TIMEOUT,
                "write-timeout", (guint64) WRITE_TIMEOUT,
                "tls-context", tls_context,
                NULL);

  client = S9WS_CLIENT (s9ws_blocking_client_new (argv[1], options));
  g_signal_connect (client, "idle", G_CALLBACK (on_idle), &n_sent);
  g_signal_connect (client, "text-message", G_CALLBACK (on_text_message), NULL);
  g_signal_connect (client, "connection-closed", G_CALLBACK (on_connection_closed), NULL);

  if (!s9ws_client_run (client, NULL, &error))
    {
      g_printerr ("%s\n", error->message);
      return EXIT_FAILURE;
    }

  return EXIT_SUCCESS;
}
