/* bench-s9ws.c: our clients
 *
 * VARIANT is CLIENT:DELIVERY[:STRATEGY[:DURATION]], with
 *   CLIENT    blocking, non-blocking or async
 *   DELIVERY  handler or signal (by run ()); of async also pop, batch (pop_events ()) and
 *             context (signals in a main context)
 *   STRATEGY  spin, sleep, wait or adaptive
 *   DURATION  spin-wait-duration in µs
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <stdlib.h>
#include <string.h>

#include <s9ws/s9ws.h>

#include "bench.h"

static BenchTask task;
static guint64 n_received, n_expected;

static void
say (S9wsClient *client)
{
  g_autoptr (GError) error = NULL;
  gboolean is_sent = task.is_text ? s9ws_client_send_text_len (client, task.payload, (gssize) task.size, &error)
                                  : s9ws_client_send_binary (client, (const guint8 *) task.payload, task.size, &error);

  if (!is_sent)
    g_error ("%s", error->message);
}

static void
begin (S9wsClient *client)
{
  bench_begin (&task);
  if (task.work == BENCH_OUTBOUND)
    for (guint64 i = 0; i < task.count; i++)
      say (client);
  else
    say (client);
}

static void
end (S9wsClient *client)
{
  g_autoptr (S9wsStats) stats = s9ws_client_get_stats (client);

  bench_end (&task);
  bench_note ("reads", (double) stats->reads);
  bench_note ("writes", (double) stats->writes);
  s9ws_client_force_quit (client);
}

G_NO_INLINE static void
take_sample (const void *data)
{
  guint64 time;

  memcpy (&time, data, sizeof time);
  bench_sample (bench_now () - time);
}

/* As little as it can be: it is counted, too. */
static inline void
on_message (S9wsClient *client,
            const void *data)
{
  n_received++;
  if (task.work == BENCH_ROUND_TRIP)
    {
      bench_lap ();
      if (n_received < task.count)
        say (client);
    }
  else if (task.work == BENCH_PACED)
    {
      take_sample (data);
    }

  if (n_received == n_expected)
    end (client);
}

/* By handler */

#define COUNTER_TYPE (counter_get_type ())
G_DECLARE_FINAL_TYPE (Counter, counter, BENCH, COUNTER, GObject)

struct _Counter
{
  GObject parent_instance;
};

static void
counter_activated (S9wsHandler *handler,
                   S9wsClient  *client)
{
  if (S9WS_IS_ASYNC_CLIENT (client))
    begin (client);
}

static void
counter_text_message (S9wsHandler *handler,
                      S9wsClient  *client,
                      const char  *text,
                      gsize        length)
{
  on_message (client, text);
}

static void
counter_binary_message (S9wsHandler  *handler,
                        S9wsClient   *client,
                        const guint8 *data,
                        gsize         length)
{
  on_message (client, data);
}

static void
counter_iface_init (S9wsHandlerInterface *iface)
{
  iface->activated = counter_activated;
  iface->text_message = counter_text_message;
  iface->binary_message = counter_binary_message;
}

G_DEFINE_TYPE_WITH_CODE (Counter, counter, G_TYPE_OBJECT, G_IMPLEMENT_INTERFACE (S9WS_TYPE_HANDLER, counter_iface_init))

static void
counter_class_init (CounterClass *klass)
{
}

static void
counter_init (Counter *counter)
{
}

/* By signals */

static void
on_text_message (S9wsClient *client,
                 const char *text,
                 gpointer    user_data)
{
  on_message (client, text);
}

static void
on_binary_message (S9wsClient *client,
                   GBytes     *bytes,
                   gpointer    user_data)
{
  on_message (client, g_bytes_get_data (bytes, NULL));
}

static void
on_error (S9wsClient *client,
          GError     *error,
          gpointer    user_data)
{
  g_error ("%s", error->message);
}

static void
listen_to (S9wsClient *client)
{
  if (bench_variant_is (&task, ":handler"))
    {
      g_autoptr (Counter) counter = g_object_new (COUNTER_TYPE, NULL);

      s9ws_client_set_handler (client, S9WS_HANDLER (counter));
      return;
    }

  if (S9WS_IS_ASYNC_CLIENT (client))
    {
      g_signal_connect (client, "activated", G_CALLBACK (begin), NULL);
      g_signal_connect (client, "error", G_CALLBACK (on_error), NULL);
    }
  if (task.is_text || task.work == BENCH_OUTBOUND)
    g_signal_connect (client, "text-message", G_CALLBACK (on_text_message), NULL);
  else
    g_signal_connect (client, "binary-message", G_CALLBACK (on_binary_message), NULL);
}

/* By events */

static gboolean
on_event (S9wsClient *client,
          S9wsEvent  *event)
{
  const guint8 *data;
  gsize size;

  switch (s9ws_event_get_kind (event))
    {
    case S9WS_EVENT_KIND_ACTIVATED:
      begin (client);
      break;
    case S9WS_EVENT_KIND_TEXT_MESSAGE:
    case S9WS_EVENT_KIND_BINARY_MESSAGE:
      data = s9ws_event_get_data (event, &size);
      on_message (client, data);
      break;
    case S9WS_EVENT_KIND_ERROR:
      g_error ("%s", s9ws_event_get_error (event)->message);
      break;
    case S9WS_EVENT_KIND_QUIT:
      return FALSE;
    case S9WS_EVENT_KIND_PING:
    case S9WS_EVENT_KIND_PONG:
    case S9WS_EVENT_KIND_CONNECTION_CLOSED:
    default:
      break;
    }

  return TRUE;
}

static void
pop_all (S9wsAsyncClient *client)
{
  gboolean goes_on = TRUE;

  while (goes_on)
    {
      g_autoptr (S9wsEvent) event = s9ws_async_client_pop_event (client);

      goes_on = on_event (S9WS_CLIENT (client), event);
    }
}

static void
pop_batches (S9wsAsyncClient *client)
{
  gboolean goes_on = TRUE;

  while (goes_on)
    {
      GList *events = s9ws_async_client_pop_events (client, 0, -1);

      for (GList *l = events; l != NULL && goes_on; l = l->next)
        goes_on = on_event (S9WS_CLIENT (client), l->data);
      g_list_free_full (events, (GDestroyNotify) s9ws_event_unref);
    }
}

static void
on_quit (S9wsClient *client,
         GMainLoop  *loop)
{
  g_main_loop_quit (loop);
}

static void
run_in_context (S9wsClient *client)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);

  g_signal_connect (client, "quit", G_CALLBACK (on_quit), loop);
  s9ws_async_client_attach (S9WS_ASYNC_CLIENT (client), NULL);
  g_main_loop_run (loop);
}

static void
run (S9wsClient *client)
{
  g_autoptr (GError) error = NULL;

  if (bench_variant_is (&task, ":pop") || bench_variant_is (&task, ":batch"))
    {
      if (!s9ws_async_client_start (S9WS_ASYNC_CLIENT (client), &error))
        g_error ("%s", error->message);
      if (bench_variant_is (&task, ":pop"))
        pop_all (S9WS_ASYNC_CLIENT (client));
      else
        pop_batches (S9WS_ASYNC_CLIENT (client));
      s9ws_async_client_join (S9WS_ASYNC_CLIENT (client));
      return;
    }

  listen_to (client);
  if (bench_variant_is (&task, ":context"))
    {
      run_in_context (client);
      return;
    }

  if (!S9WS_IS_ASYNC_CLIENT (client))
    {
      if (!s9ws_client_open (client, NULL, &error))
        g_error ("%s", error->message);
      begin (client);
    }
  if (!s9ws_client_run (client, NULL, &error))
    g_error ("%s", error->message);
}

/* Clients */

static S9wsOptions *
create_options (void)
{
  g_auto (GStrv) parts = g_strsplit (task.variant, ":", 4);
  S9wsOptions *options = s9ws_options_new ();

  if (g_strv_length (parts) > 2)
    {
      g_autoptr (GEnumClass) strategies = g_type_class_ref (S9WS_TYPE_WAIT_STRATEGY);
      GEnumValue *value = g_enum_get_value_by_nick (strategies, parts[2]);

      g_object_set (options, "wait-strategy", value->value, NULL);
      if (parts[3] != NULL)
        g_object_set (options, "spin-wait-duration", g_ascii_strtoull (parts[3], NULL, 10), NULL);
    }

  if (task.ca_file != NULL)
    {
      g_autoptr (S9wsTlsContext) context = g_object_new (S9WS_TYPE_TLS_CONTEXT, "ca-file", task.ca_file, NULL);

      g_object_set (options, "tls-context", context, NULL);
    }

  /* No limit is to end a measurement. */
  g_object_set (options, "max-buffered-amount", (guint64) 0, NULL);
  return options;
}

static S9wsClient *
create_client (S9wsOptions *options)
{
  if (g_str_has_prefix (task.variant, "blocking"))
    return S9WS_CLIENT (s9ws_blocking_client_new (task.uri, options));
  if (g_str_has_prefix (task.variant, "non-blocking"))
    return S9WS_CLIENT (s9ws_non_blocking_client_new (task.uri, options));

  return S9WS_CLIENT (s9ws_async_client_new (task.uri, options));
}

/* How long from open () to activated.  A TLS ticket lies in a connection's data, behind
 * the answer to the upgrade, so that each connection but the first resumes; with a context
 * of its own, none does. */
static void
open_many (void)
{
  g_autoptr (S9wsOptions) options = create_options ();

  for (guint64 i = 0; i < task.count; i++)
    {
      g_autoptr (S9wsClient) client = NULL;
      g_autoptr (GError) error = NULL;
      guint64 before;

      if (i > 0 && !bench_variant_is (&task, "resumed"))
        {
          g_object_unref (options);
          options = create_options ();
        }
      client = create_client (options);
      before = bench_now ();
      if (!s9ws_client_open (client, NULL, &error))
        g_error ("%s", error->message);
      bench_sample (bench_now () - before);
    }
}

/* What a connection takes that is open and has been used once. */
static void
hold_many (S9wsOptions *options)
{
  g_autoptr (GPtrArray) clients = g_ptr_array_new_with_free_func (g_object_unref);
  guint64 before = 0;

  for (guint64 i = 0; i <= task.count; i++)
    {
      S9wsClient *client = create_client (options);
      g_autoptr (GError) error = NULL;

      if (!s9ws_client_open (client, NULL, &error))
        g_error ("%s", error->message);
      say (client);
      if (S9WS_IS_ASYNC_CLIENT (client))
        s9ws_async_client_start (S9WS_ASYNC_CLIENT (client), NULL);
      g_ptr_array_add (clients, client);
      /* The first has paid for what all share. */
      if (i == 0)
        before = bench_get_memory ();
    }

  bench_note ("bytes_per_connection", (double) (bench_get_memory () - before) / (double) task.count);
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (S9wsOptions) options = NULL;

  bench_parse (argc, argv, &task);
  n_expected = task.work == BENCH_OUTBOUND ? 1 : task.count;
  options = create_options ();
  if (task.work == BENCH_IDLE)
    {
      hold_many (options);
    }
  else if (task.work == BENCH_OPEN)
    {
      bench_begin (&task);
      open_many ();
      bench_end (&task);
    }
  else
    {
      g_autoptr (S9wsClient) client = create_client (options);

      run (client);
    }

  bench_report (&task);
  return 0;
}
