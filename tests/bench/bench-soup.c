/* bench-soup.c: libsoup 3, with its SoupWebsocketConnection in a main context
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <libsoup/soup.h>
#include <string.h>

#include "bench.h"

static BenchTask task;
static GMainLoop *loop;
static guint64 n_received;
static guint64 opening;
static SoupSession *session;
static guint64 memory_before;

static void open_one (void);

static void
say (SoupWebsocketConnection *connection)
{
  if (task.is_text)
    soup_websocket_connection_send_text (connection, task.payload);
  else
    soup_websocket_connection_send_binary (connection, task.payload, task.size);
}

static void
on_message (SoupWebsocketConnection *connection,
            SoupWebsocketDataType    type,
            GBytes                  *message,
            gpointer                 user_data)
{
  n_received++;
  if (task.work == BENCH_ROUND_TRIP)
    {
      bench_lap ();
      if (n_received < task.count)
        {
          say (connection);
          return;
        }
    }
  else if (task.work == BENCH_PACED)
    {
      guint64 time;

      memcpy (&time, g_bytes_get_data (message, NULL), sizeof time);
      bench_sample (bench_now () - time);
    }

  if (n_received == task.count || task.work == BENCH_OUTBOUND)
    {
      bench_end (&task);
      g_main_loop_quit (loop);
    }
}

/* Keeps it open, and opens the next. */
static void
hold (SoupWebsocketConnection *connection)
{
  say (connection);
  if (n_received++ == 0)
    memory_before = bench_get_memory ();
  if (n_received <= task.count)
    open_one ();
  else
    g_main_loop_quit (loop);
}

static void
on_opened (GObject      *object,
           GAsyncResult *result,
           gpointer      user_data)
{
  g_autoptr (GError) error = NULL;
  SoupWebsocketConnection *connection = soup_session_websocket_connect_finish (session, result, &error);

  if (connection == NULL)
    g_error ("%s", error->message);

  if (task.work == BENCH_IDLE)
    {
      hold (connection);
      return;
    }

  if (task.work == BENCH_OPEN)
    {
      bench_sample (bench_now () - opening);
      soup_websocket_connection_close (connection, 1000, NULL);
      if (++n_received < task.count)
        {
          open_one ();
          return;
        }
      bench_end (&task);
      g_main_loop_quit (loop);
      return;
    }

  soup_websocket_connection_set_max_incoming_payload_size (connection, 0);
  g_signal_connect (connection, "message", G_CALLBACK (on_message), NULL);
  bench_begin (&task);
  if (task.work == BENCH_OUTBOUND)
    for (guint64 i = 0; i < task.count; i++)
      say (connection);
  else
    say (connection);
}

static void
open_one (void)
{
  g_autoptr (SoupMessage) message = soup_message_new ("GET", task.uri);

  opening = bench_now ();
  soup_session_websocket_connect_async (session, message, NULL, NULL, G_PRIORITY_DEFAULT, NULL, on_opened, NULL);
}

int
main (int    argc,
      char **argv)
{
  bench_parse (argc, argv, &task);
  loop = g_main_loop_new (NULL, FALSE);
  session = soup_session_new_with_options ("max-conns", G_MAXINT16, "max-conns-per-host", G_MAXINT16, NULL);
  if (task.ca_file != NULL)
    {
      g_autoptr (GTlsDatabase) database = g_tls_file_database_new (task.ca_file, NULL);

      soup_session_set_tls_database (session, database);
    }

  bench_begin (&task);
  open_one ();
  g_main_loop_run (loop);
  if (task.work == BENCH_IDLE)
    {
      bench_end (&task);
      bench_note ("bytes_per_connection", (double) (bench_get_memory () - memory_before) / (double) task.count);
    }
  bench_report (&task);
  return 0;
}
