/* echo-non-blocking.c: a spinning client that another thread asks to end
 *
 * The client belongs to its own thread: another one asks by a flag, which "idle" looks
 * at.  The first half of the program ends by a close, the second by force_quit ().
 *
 * Usage: echo-non-blocking URI [CA-FILE]
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <locale.h>
#include <s9ws/s9ws.h>
#include <stdlib.h>

#define PAUSE 300000 /* µs */

typedef enum
{
  REQUEST_NONE,
  REQUEST_CLOSE,
  REQUEST_FORCE_QUIT,
} Request;

typedef struct
{
  Request after_pause;
  int request; /* atomic: written by the other thread */
  guint n_polls;
} Talk;

static gpointer
ask_later (gpointer data)
{
  Talk *talk = data;

  g_usleep (PAUSE);
  g_atomic_int_set (&talk->request, talk->after_pause);
  return NULL;
}

static void
on_activated (S9wsClient *client,
              gpointer    user_data)
{
  g_print ("activated\n");
  s9ws_client_send_text (client, "Hello, spinning world", NULL);
}

static void
on_poll (S9wsClient *client,
         gpointer    user_data)
{
  Talk *talk = user_data;

  talk->n_polls++;
}

static void
on_idle (S9wsClient *client,
         gpointer    user_data)
{
  Talk *talk = user_data;

  switch (g_atomic_int_get (&talk->request))
    {
    case REQUEST_CLOSE:
      g_print ("idle: asked to close\n");
      s9ws_client_close (client, 1000, "asked to", NULL);
      break;
    case REQUEST_FORCE_QUIT:
      g_print ("idle: asked to quit at once\n");
      s9ws_client_force_quit (client);
      break;
    default:
      return;
    }

  g_atomic_int_set (&talk->request, REQUEST_NONE);
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
  g_print ("connection-closed: %u %s\n", code, reason != NULL ? reason : "");
}

static void
on_quit (S9wsClient *client,
         gpointer    user_data)
{
  g_print ("quit\n");
}

static gboolean
talk_to (const char  *uri,
         S9wsOptions *options,
         Request      after_pause)
{
  g_autoptr (S9wsClient) client = S9WS_CLIENT (s9ws_non_blocking_client_new (uri, options));
  g_autoptr (GError) error = NULL;
  Talk talk = { .after_pause = after_pause };
  GThread *thread = g_thread_new ("other", ask_later, &talk);
  gboolean is_fine;

  g_signal_connect (client, "activated", G_CALLBACK (on_activated), NULL);
  g_signal_connect (client, "poll", G_CALLBACK (on_poll), &talk);
  g_signal_connect (client, "idle", G_CALLBACK (on_idle), &talk);
  g_signal_connect (client, "text-message", G_CALLBACK (on_text_message), NULL);
  g_signal_connect (client, "connection-closed", G_CALLBACK (on_connection_closed), NULL);
  g_signal_connect (client, "quit", G_CALLBACK (on_quit), NULL);

  is_fine = s9ws_client_run (client, NULL, &error);
  g_thread_join (thread);

  if (is_fine)
    g_print ("%u turns of the loop\n", talk.n_polls);
  else
    g_printerr ("%s\n", error->message);
  return is_fine;
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (S9wsOptions) options = s9ws_options_new ();
  g_autoptr (S9wsTlsContext) tls_context = NULL;

  setlocale (LC_ALL, "");

  if (argc < 2)
    {
      g_printerr ("Usage: %s URI [CA-FILE]\n", argv[0]);
      return EXIT_FAILURE;
    }

  if (argc > 2)
    tls_context = g_object_new (S9WS_TYPE_TLS_CONTEXT, "ca-file", argv[2], NULL);
  g_object_set (options, "tls-context", tls_context, NULL);

  if (!talk_to (argv[1], options, REQUEST_CLOSE) || !talk_to (argv[1], options, REQUEST_FORCE_QUIT))
    return EXIT_FAILURE;

  return EXIT_SUCCESS;
}
