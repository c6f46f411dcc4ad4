/* echo-async.c: a client with a thread of its own, and a thread for its events
 *
 * Three threads: the client's, which owns the socket; one that takes events off; and
 * this one, which sends.
 *
 * Usage: echo-async URI [CA-FILE]
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <locale.h>
#include <s9ws/s9ws.h>
#include <stdlib.h>

#define N_MESSAGES 3

static void
print_event (S9wsEvent *event)
{
  switch (s9ws_event_get_kind (event))
    {
    case S9WS_EVENT_KIND_ACTIVATED:
      g_print ("activated\n");
      break;
    case S9WS_EVENT_KIND_TEXT_MESSAGE:
      g_print ("text-message: %s\n", s9ws_event_get_text (event));
      break;
    case S9WS_EVENT_KIND_CONNECTION_CLOSED:
      g_print ("connection-closed: %u\n", s9ws_event_get_code (event));
      break;
    case S9WS_EVENT_KIND_ERROR:
      g_printerr ("error: %s\n", s9ws_event_get_error (event)->message);
      break;
    case S9WS_EVENT_KIND_QUIT:
      g_print ("quit\n");
      break;
    default:
      break;
    }
}

/* Closes once all answers have come. */
static gpointer
take_events_off (gpointer data)
{
  S9wsAsyncClient *client = data;
  guint n_messages = 0;
  gboolean has_failed = FALSE;
  S9wsEvent *event;

  while ((event = s9ws_async_client_pop_event (client)) != NULL)
    {
      S9wsEventKind kind = s9ws_event_get_kind (event);

      print_event (event);
      s9ws_event_unref (event);

      has_failed |= kind == S9WS_EVENT_KIND_ERROR;
      if (kind == S9WS_EVENT_KIND_TEXT_MESSAGE && ++n_messages == N_MESSAGES)
        s9ws_client_close (S9WS_CLIENT (client), 1000, NULL, NULL);
      if (kind == S9WS_EVENT_KIND_QUIT)
        break;
    }

  return GINT_TO_POINTER (has_failed);
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (S9wsOptions) options = s9ws_options_new ();
  g_autoptr (S9wsTlsContext) tls_context = NULL;
  g_autoptr (S9wsAsyncClient) client = NULL;
  g_autoptr (GError) error = NULL;
  gpointer has_failed;
  GThread *thread;

  setlocale (LC_ALL, "");

  if (argc < 2)
    {
      g_printerr ("Usage: %s URI [CA-FILE]\n", argv[0]);
      return EXIT_FAILURE;
    }

  if (argc > 2)
    tls_context = g_object_new (S9WS_TYPE_TLS_CONTEXT, "ca-file", argv[2], NULL);
  g_object_set (options, "tls-context", tls_context, NULL);

  client = s9ws_async_client_new (argv[1], options);
  if (!s9ws_async_client_start (client, &error))
    {
      g_printerr ("%s\n", error->message);
      return EXIT_FAILURE;
    }

  thread = g_thread_new ("events", take_events_off, client);

  /* What is sent before the connection is open goes out when it is. */
  for (guint i = 1; i <= N_MESSAGES; i++)
    {
      g_autofree char *text = g_strdup_printf ("Message %u of %u", i, N_MESSAGES);

      if (!s9ws_client_send_text (S9WS_CLIENT (client), text, &error))
        {
          g_printerr ("%s\n", error->message);
          break;
        }
    }

  has_failed = g_thread_join (thread);
  s9ws_async_client_join (client);

  return has_failed == NULL && error == NULL ? EXIT_SUCCESS : EXIT_FAILURE;
}
