/* echo-blocking.c: says something to an echo server and waits for the answer
 *
 * Usage: echo-blocking URI [CA-FILE]
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <locale.h>
#include <s9ws/s9ws.h>
#include <stdlib.h>

static void
on_activated (S9wsClient *client,
              gpointer    user_data)
{
  g_print ("activated\n");
  s9ws_client_send_text (client, "Hello, blocking world", NULL);
}

static void
on_text_message (S9wsClient *client,
                 const char *text,
                 gpointer    user_data)
{
  g_print ("text-message: %s\n", text);
  s9ws_client_close (client, 1000, "done", NULL);
}

static void
on_connection_closed (S9wsClient *client,
                      guint       code,
                      const char *reason,
                      gpointer    user_data)
{
  g_print ("connection-closed: %u %s\n", code, reason != NULL ? reason : "");
}

static void
on_quit (S9wsClient *client,
         gpointer    user_data)
{
  g_print ("quit\n");
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (S9wsOptions) options = s9ws_options_new ();
  g_autoptr (S9wsTlsContext) tls_context = NULL;
  g_autoptr (S9wsClient) client = NULL;
  g_autoptr (GError) error = NULL;

  setlocale (LC_ALL, "");

  if (argc < 2)
    {
      g_printerr ("Usage: %s URI [CA-FILE]\n", argv[0]);
      return EXIT_FAILURE;
    }

  if (argc > 2)
    {
      tls_context = g_object_new (S9WS_TYPE_TLS_CONTEXT, "ca-file", argv[2], NULL);
      g_object_set (options, "tls-context", tls_context, NULL);
    }

  client = S9WS_CLIENT (s9ws_blocking_client_new (argv[1], options));
  g_signal_connect (client, "activated", G_CALLBACK (on_activated), NULL);
  g_signal_connect (client, "text-message", G_CALLBACK (on_text_message), NULL);
  g_signal_connect (client, "connection-closed", G_CALLBACK (on_connection_closed), NULL);
  g_signal_connect (client, "quit", G_CALLBACK (on_quit), NULL);

  if (!s9ws_client_run (client, NULL, &error))
    {
      g_printerr ("%s\n", error->message);
      return EXIT_FAILURE;
    }

  return EXIT_SUCCESS;
}
