/* test-client-pieces.c: the three clients and messages in pieces, against servers that do as
 * they are told
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "recorder.h"

#define EXTENSION "Sec-WebSocket-Extensions: permessage-deflate\r\n"
#define PIECE (1 << 20)
#define TLS_N_PIECES 16

/* A message of N_PIECES, and what it must not take.  Sanitizers are slow, and keep what has
 * been freed, and books on it. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define N_PIECES 16
#define MEMORY_MAX G_MAXSIZE
#else
#define N_PIECES 256
#define MEMORY_MAX ((gsize) 64 << 20)
#endif

typedef struct
{
  Kind kind;
  gboolean is_secure;
} Case;

static TestServer *
create_server (const Case *test,
               TestScript  script,
               gpointer    user_data)
{
  g_autofree char *certificate = get_certificate ("good");
  g_autofree char *key = get_certificate ("good-key");

  return test->is_secure ? test_server_new_with_tls (script, user_data, certificate, key)
                         : test_server_new (script, user_data);
}

/* Of this process, at its most, in bytes. */
static gsize
get_peak_memory (void)
{
  g_autofree char *status = NULL;
  const char *line;

  g_assert_true (g_file_get_contents ("/proc/self/status", &status, NULL, NULL));
  line = strstr (status, "VmHWM:");
  g_assert_nonnull (line);
  return (gsize) g_ascii_strtoull (line + strlen ("VmHWM:"), NULL, 10) * 1024;
}

/* From here on the peak counts anew. */
static void
reset_peak_memory (void)
{
  FILE *file = fopen ("/proc/self/clear_refs", "w");

  g_assert_nonnull (file);
  g_assert_cmpint (fputs ("5", file), >=, 0);
  g_assert_cmpint (fclose (file), ==, 0);
}

/* Receiving */

static void
script_pieces (TestPeer *peer,
               gpointer  user_data)
{
  test_peer_accept (peer, NULL, EXTENSION);
  test_peer_send_frame (peer, TEST_TEXT, FALSE, "Gr\xc3", 3);
  test_peer_send_frame (peer, TEST_PING, TRUE, "?", 1);
  test_peer_send_frame (peer, TEST_CONTINUATION, FALSE, "\xbc\xc3\x9f", 3);
  test_peer_send_frame (peer, TEST_CONTINUATION, TRUE, "e", 1);
  test_peer_send_frame (peer, TEST_BINARY, TRUE, NULL, 0);
  test_peer_send_frame (peer, TEST_BINARY | TEST_RSV1, TRUE, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
  test_peer_send_frame (peer, TEST_TEXT, TRUE, "0123456789", 10);
  test_peer_close (peer, 1000, NULL, NULL);
}

/* Pieces come as they arrive: taken together they are always the same.  The ping comes
 * behind the first. */
static const char merged[] = "activated text[ping(?) Gr\xc3\xbc\xc3\x9f"
                             "e] binary[] binary[Hello] text[0123456789] closed(1000) quit ";

typedef struct
{
  GString *log;
  GString *message; /* what has come of it */
  gboolean is_amid;
} Merger;

static void
add_piece (Merger         *merger,
           const guint8   *data,
           gsize           size,
           S9wsPieceFlags  flags)
{
  g_assert_cmpuint (size, <=, 4);
  g_assert_cmpint ((flags & S9WS_PIECE_FIRST) != 0, ==, !merger->is_amid);
  if ((flags & S9WS_PIECE_FIRST) != 0)
    g_string_append (merger->log, (flags & S9WS_PIECE_TEXT) != 0 ? "text[" : "binary[");
  g_string_append_len (merger->message, (const char *) data, (gssize) size);
  merger->is_amid = (flags & S9WS_PIECE_LAST) == 0;
  if (merger->is_amid)
    return;

  g_string_append_printf (merger->log, "%s] ", merger->message->str);
  g_string_truncate (merger->message, 0);
}

static void
on_piece (S9wsClient     *client,
          GBytes         *bytes,
          S9wsPieceFlags  flags,
          Merger         *merger)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);

  add_piece (merger, data, size, flags);
}

static void
test_receive (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, script_pieces, NULL);
  g_autoptr (S9wsOptions) options = create_options ("max-piece-size", G_GUINT64_CONSTANT (4), NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GString) message = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (S9wsStats) stats = NULL;
  Merger merger = { log, message, FALSE };

  record_signals (client, log);
  g_signal_connect (client, "message-piece", G_CALLBACK (on_piece), &merger);
  s9ws_client_run (client, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (log->str, ==, merged);
  stats = s9ws_client_get_stats (client);
  g_assert_cmpuint (stats->messages_received, ==, 4);
  g_assert_cmpuint (stats->bytes_received, ==, 7 + 5 + 10);
  g_assert_cmpuint (stats->compressed_messages_received, ==, 1);
}

/* Taken off the queue. */
static void
test_pop (void)
{
  g_autoptr (TestServer) server = test_server_new (script_pieces, NULL);
  g_autoptr (S9wsOptions) options = create_options ("max-piece-size", G_GUINT64_CONSTANT (4), NULL);
  g_autoptr (S9wsClient) client = create_client (KIND_ASYNC, test_server_get_uri (server), options);
  g_autoptr (GString) log = g_string_new ("activated ");
  g_autoptr (GString) message = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  Merger merger = { log, message, FALSE };
  S9wsEvent *event;

  s9ws_async_client_start (S9WS_ASYNC_CLIENT (client), &error);
  g_assert_no_error (error);
  while ((event = s9ws_async_client_pop_event (S9WS_ASYNC_CLIENT (client))) != NULL)
    {
      gsize size;
      const guint8 *data = s9ws_event_get_data (event, &size);

      if (s9ws_event_get_kind (event) == S9WS_EVENT_KIND_MESSAGE_PIECE)
        {
          g_autoptr (GBytes) bytes = s9ws_event_get_bytes (event);

          g_assert_cmpuint (g_bytes_get_size (bytes), ==, size);
          g_assert_null (s9ws_event_get_text (event));
          g_assert_cmpuint (s9ws_event_get_code (event), ==, 0);
          add_piece (&merger, data, size, s9ws_event_get_piece_flags (event));
        }
      else
        {
          g_assert_cmpint (s9ws_event_get_piece_flags (event), ==, 0);
        }
      if (s9ws_event_get_kind (event) == S9WS_EVENT_KIND_PING)
        g_string_append (log, "ping(?) ");
      s9ws_event_unref (event);
    }
  g_string_append (log, "closed(1000) quit ");
  g_assert_cmpstr (log->str, ==, merged);
}

/* Messages of any length */

static void
script_flood (TestPeer *peer,
              gpointer  user_data)
{
  guint n = GPOINTER_TO_UINT (user_data);
  g_autofree guint8 *data = g_malloc (PIECE);

  memset (data, 'x', PIECE);
  test_peer_accept (peer, NULL, NULL);
  test_peer_send_header (peer, TEST_BINARY, TRUE, (guint64) n * PIECE);
  for (guint i = 0; i < n; i++)
    if (!test_peer_send (peer, data, PIECE))
      return;
  test_peer_close (peer, 1000, NULL, NULL);
}

static void
script_compressed_flood (TestPeer *peer,
                         gpointer  user_data)
{
  guint n = GPOINTER_TO_UINT (user_data);
  g_autofree guint8 *data = g_malloc (PIECE);
  g_autofree guint8 *out = g_malloc (PIECE);
  z_stream stream = { 0 };

  memset (data, 'x', PIECE);
  g_assert_cmpint (deflateInit2 (&stream, 1, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), ==, Z_OK);
  test_peer_accept (peer, NULL, EXTENSION);
  for (guint i = 0; i < n; i++)
    {
      stream.next_in = data;
      stream.avail_in = PIECE;
      stream.next_out = out;
      stream.avail_out = PIECE;
      g_assert_cmpint (deflate (&stream, Z_SYNC_FLUSH), ==, Z_OK);
      test_peer_send_frame (peer, i == 0 ? TEST_BINARY | TEST_RSV1 : TEST_CONTINUATION, FALSE, out, PIECE - stream.avail_out);
    }
  deflateEnd (&stream);
  test_peer_send_frame (peer, TEST_CONTINUATION, TRUE, "", 1);
  test_peer_close (peer, 1000, NULL, NULL);
}

static void
count_piece (S9wsClient     *client,
             GBytes         *bytes,
             S9wsPieceFlags  flags,
             guint64        *size)
{
  *size += g_bytes_get_size (bytes);
}

static guint
get_n_pieces (const Case *test)
{
  return test->is_secure ? TLS_N_PIECES : N_PIECES;
}

static void
check_flood (const Case *test,
             TestScript  script)
{
  guint n = get_n_pieces (test);
  g_autoptr (TestServer) server = create_server (test, script, GUINT_TO_POINTER (n));
  g_autoptr (S9wsOptions) options = create_options ("max-piece-size", G_GUINT64_CONSTANT (100000),
                                                    "max-message-size", G_GUINT64_CONSTANT (0),
                                                    "max-queued-bytes", G_GUINT64_CONSTANT (1000000), NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GError) error = NULL;
  guint64 size = 0;
  gsize before;

  reset_peak_memory ();
  before = get_peak_memory ();
  g_signal_connect (client, "message-piece", G_CALLBACK (count_piece), &size);
  s9ws_client_run (client, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (size, ==, (guint64) n * PIECE);
  g_assert_cmpuint (get_peak_memory () - before, <, MEMORY_MAX);
}

static void
test_flood (gconstpointer data)
{
  check_flood (data, script_flood);
}

static void
test_compressed_flood (gconstpointer data)
{
  check_flood (data, script_compressed_flood);
}

/* The limit for messages holds for what comes in pieces, too. */
static void
test_too_big (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, script_flood, GUINT_TO_POINTER (4));
  g_autoptr (S9wsOptions) options = create_options ("max-piece-size", G_GUINT64_CONSTANT (100000),
                                                    "max-message-size", G_GUINT64_CONSTANT (3000000), NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GError) error = NULL;

  g_assert_false (s9ws_client_run (client, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_MESSAGE_TOO_BIG);
}

/* Sending */

typedef struct
{
  guint64 size;
  guint n_frames;
  guint n_messages;
  guint n_pings;
} Received;

static void
script_count (TestPeer *peer,
              gpointer  user_data)
{
  Received *received = user_data;
  TestFrame frame;

  test_peer_accept (peer, NULL, NULL);
  while (test_peer_read_frame (peer, &frame) && frame.opcode != TEST_CLOSE)
    {
      if (frame.opcode == TEST_PING)
        {
          received->n_pings++;
          continue;
        }

      g_assert_cmpint (frame.opcode == TEST_CONTINUATION, ==, received->n_frames > 0);
      received->n_frames++;
      received->size += frame.size;
      received->n_messages += frame.is_final;
    }
  test_peer_send_close (peer, 1000, NULL);
}

/* As soon as there is room, which the client's thread makes. */
static void
append (S9wsClient   *client,
        const guint8 *data,
        gsize         size)
{
  g_autoptr (GError) error = NULL;

  while (!s9ws_client_append (client, data, size, &error))
    {
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_BUFFER_FULL);
      g_clear_error (&error);
      g_thread_yield ();
    }
}

typedef struct
{
  guint n_left; /* pieces */
  guint8 *data;
} Sending;

/* In each turn as much as there is room for. */
static void
send_more (S9wsClient *client,
           Sending    *sending)
{
  g_autoptr (GError) error = NULL;

  while (sending->n_left > 0)
    {
      if (!s9ws_client_append (client, sending->data, PIECE, &error))
        {
          g_assert_error (error, S9WS_ERROR, S9WS_ERROR_BUFFER_FULL);
          return;
        }
      sending->n_left--;
      if (sending->n_left == 0)
        {
          s9ws_client_finish_message (client, &error);
          g_assert_no_error (error);
          s9ws_client_close (client, 1000, NULL, &error);
          g_assert_no_error (error);
        }
    }
}

static void
begin_to_send (S9wsClient *client,
               Sending    *sending)
{
  g_autoptr (GError) error = NULL;

  s9ws_client_begin_message (client, S9WS_MESSAGE_KIND_BINARY, &error);
  g_assert_no_error (error);
  s9ws_client_send_ping (client, NULL, 0, &error);
  g_assert_no_error (error);
  g_assert_false (s9ws_client_send_text (client, "x", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
  g_clear_error (&error);
  if (!S9WS_IS_ASYNC_CLIENT (client))
    return;

  for (; sending->n_left > 0; sending->n_left--)
    append (client, sending->data, PIECE);
  s9ws_client_finish_message (client, &error);
  g_assert_no_error (error);
  s9ws_client_close (client, 1000, NULL, &error);
  g_assert_no_error (error);
}

static void
test_send (gconstpointer data)
{
  const Case *test = data;
  guint n = get_n_pieces (test);
  Received received = { 0 };
  TestServer *server = create_server (test, script_count, &received);
  g_autoptr (S9wsOptions) options = create_options ("max-buffered-amount", G_GUINT64_CONSTANT (4000000),
                                                    "wait-strategy", S9WS_WAIT_STRATEGY_WAIT,
                                                    "spin-wait-duration", G_GUINT64_CONSTANT (1000),
                                                    "read-timeout", G_GUINT64_CONSTANT (1000), NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autofree guint8 *piece = g_malloc0 (PIECE);
  g_autoptr (GError) error = NULL;
  Sending sending = { n, piece };
  gsize before;

  reset_peak_memory ();
  before = get_peak_memory ();
  g_signal_connect (client, "activated", G_CALLBACK (begin_to_send), &sending);
  g_signal_connect (client, "poll", G_CALLBACK (send_more), &sending);
  s9ws_client_run (client, NULL, &error);
  g_assert_no_error (error);
  test_server_free (server);
  g_assert_cmpuint (received.size, ==, (guint64) n * PIECE);
  g_assert_cmpuint (received.n_frames, ==, n + 1);
  g_assert_cmpuint (received.n_messages, ==, 1);
  g_assert_cmpuint (received.n_pings, ==, 1);
  g_assert_cmpuint (get_peak_memory () - before, <, MEMORY_MAX);
}

static void
test_misuse (gconstpointer data)
{
  const Case *test = data;
  Received received = { 0 };
  g_autoptr (TestServer) server = create_server (test, script_count, &received);
  g_autoptr (S9wsOptions) options = create_options (NULL, NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GError) error = NULL;

  g_assert_false (s9ws_client_begin_message (client, S9WS_MESSAGE_KIND_TEXT, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_NOT_OPEN);
  g_clear_error (&error);
  s9ws_client_open (client, NULL, &error);
  g_assert_no_error (error);
  g_assert_false (s9ws_client_append (client, (const guint8 *) "x", 1, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_PROTOCOL);
  g_clear_error (&error);
  g_assert_false (s9ws_client_finish_message (client, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_PROTOCOL);
  g_clear_error (&error);
  g_assert_true (s9ws_client_begin_message (client, S9WS_MESSAGE_KIND_TEXT, &error));
  g_assert_false (s9ws_client_begin_message (client, S9WS_MESSAGE_KIND_TEXT, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
  g_clear_error (&error);
  g_assert_true (s9ws_client_append (client, (const guint8 *) "\xc3", 1, &error));
  g_assert_false (s9ws_client_append (client, (const guint8 *) "x", 1, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_UTF8);
  g_clear_error (&error);
  g_assert_false (s9ws_client_finish_message (client, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_UTF8);
  g_clear_error (&error);
  s9ws_client_force_quit (client);
  s9ws_client_run (client, NULL, NULL);
  g_assert_false (s9ws_client_begin_message (client, S9WS_MESSAGE_KIND_TEXT, &error));
  g_assert_nonnull (error);
}

static void
add (const char    *name,
     GTestDataFunc  function)
{
  for (Kind kind = 0; kind < N_KINDS; kind++)
    for (int is_secure = FALSE; is_secure <= TRUE; is_secure++)
      {
        Case *test = g_new0 (Case, 1);
        g_autofree char *path = g_strdup_printf ("/client-pieces/%s/%s/%s", kind_names[kind], is_secure ? "wss" : "ws", name);

        test->kind = kind;
        test->is_secure = is_secure;
        g_test_add_data_func_full (path, test, function, g_free);
      }
}

int
main (int    argc,
      char **argv)
{
  setlocale (LC_ALL, "C");
  g_test_init (&argc, &argv, NULL);
  start_watchdog (280);

  add ("receive", test_receive);
  add ("flood", test_flood);
  add ("compressed-flood", test_compressed_flood);
  add ("too-big", test_too_big);
  add ("send", test_send);
  add ("misuse", test_misuse);
  g_test_add_func ("/client-pieces/pop", test_pop);

  return g_test_run ();
}
