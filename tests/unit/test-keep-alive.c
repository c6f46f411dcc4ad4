/* test-keep-alive.c: pings at intervals, and peers of which nothing is heard
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection/connection.h"
#include "connection/waiting.h"
#include "memory-transport.h"
#include "recorder.h"

#define INTERVAL 1000 /* ms */
#define TIMEOUT 400   /* ms */

/* Over a transport in memory, and a time of our own */

static S9wsClocks clocks; /* what time it is */
static guint n_clock_reads;

static S9wsClocks
read_clocks (void)
{
  n_clock_reads++;
  return clocks;
}

static void
pass (guint ms)
{
  clocks.monotonic += (gint64) ms * 1000;
  clocks.boottime += (gint64) ms * 1000;
}

static void
suspend (guint ms)
{
  clocks.boottime += (gint64) ms * 1000;
}

typedef struct
{
  MemoryTransport *memory;
  S9wsConnectionConfig config;
  S9wsConnection *connection;
  gint64 start;
} Fixture;

static char *
make_answer (GByteArray *request)
{
  g_autofree char *text = g_strndup ((const char *) request->data, request->len);
  const char *key = strstr (text, "Sec-WebSocket-Key: ") + strlen ("Sec-WebSocket-Key: ");
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA1);
  g_autofree char *accept = NULL;
  guint8 digest[20];
  gsize size = sizeof digest;

  g_checksum_update (checksum, (const guint8 *) key, (gssize) strcspn (key, "\r"));
  g_checksum_update (checksum, (const guint8 *) S9WS_HANDSHAKE_GUID, -1);
  g_checksum_get_digest (checksum, digest, &size);
  accept = g_base64_encode (digest, size);
  return g_strdup_printf ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Accept: %s\r\n\r\n",
                          accept);
}

static void
fixture_init (Fixture *fixture,
              guint    timeout)
{
  static const S9wsEndpoint endpoint = { .host_header = (char *) "example.org", .target = (char *) "/" };
  g_autofree char *answer = NULL;

  memset (fixture, 0, sizeof *fixture);
  fixture->memory = memory_transport_new ();
  fixture->config.ping_interval = INTERVAL;
  fixture->config.pong_timeout = timeout;
  fixture->config.read_clocks = read_clocks;
  fixture->connection = s9ws_connection_new (&fixture->memory->transport, &fixture->config, &endpoint);
  g_assert_cmpint (s9ws_connection_open (fixture->connection, NULL), ==, S9WS_IO_WANT_READ);
  answer = make_answer (fixture->memory->output);
  memory_transport_add (fixture->memory, answer, strlen (answer));
  g_assert_cmpint (s9ws_connection_open (fixture->connection, NULL), ==, S9WS_IO_DONE);
  g_byte_array_set_size (fixture->memory->output, 0);
  fixture->start = clocks.monotonic;
}

static void
fixture_clear (Fixture *fixture)
{
  s9ws_connection_free (fixture->connection);
}

/* What a client does in a turn: it waits, for as long as the connection says but not in
 * truth, then reads all that there is.  The error that it ended with, or NULL. */
static GError *
take_turns (Fixture *fixture)
{
  GError *error = NULL;
  S9wsMessage message;
  S9wsReceiveResult result;

  /* Once more than there is anything to do. */
  for (guint i = 0; i < 2; i++)
    {
      s9ws_connection_bound_wait (fixture->connection, -1);
      while ((result = s9ws_connection_receive (fixture->connection, &message, &error)) == S9WS_RECEIVE_MESSAGE)
        ;
      if (result == S9WS_RECEIVE_ENDED)
        break;
    }

  return error;
}

static guint64
get_n_pings (Fixture *fixture)
{
  return s9ws_connection_get_counters (fixture->connection)->pings_sent;
}

/* Of the last ping that was sent. */
static void
take_payload (Fixture *fixture,
              guint8  *payload)
{
  const guint8 *frame = fixture->memory->output->data + fixture->memory->output->len - 14;

  g_assert_cmpuint (fixture->memory->output->len, >=, 14);
  g_assert_cmpuint (frame[0], ==, 0x89);
  g_assert_cmpuint (frame[1], ==, 0x88);
  for (guint i = 0; i < 8; i++)
    payload[i] = frame[6 + i] ^ frame[2 + i % 4];
}

static void
add_pong (Fixture *fixture)
{
  guint8 frame[10] = { 0x8a, 8 };

  take_payload (fixture, frame + 2);
  memory_transport_add (fixture->memory, frame, sizeof frame);
}

static void
assert_lost (Fixture    *fixture,
             GError     *error,
             const char *part)
{
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_TIMED_OUT);
  g_assert_nonnull (strstr (error->message, "pong-timeout of 400 ms"));
  g_assert_nonnull (strstr (error->message, part));
  g_assert_cmpuint (s9ws_connection_get_close_code (fixture->connection), ==, 1006);
  g_clear_error (&error);
}

static void
test_intervals (void)
{
  Fixture fixture;
  guint8 payloads[2][8];

  fixture_init (&fixture, 0);
  g_assert_cmpint (s9ws_connection_get_deadline (fixture.connection), ==, fixture.start + INTERVAL * 1000);
  g_assert_cmpint (s9ws_connection_bound_wait (fixture.connection, -1), ==, INTERVAL * 1000);
  g_assert_cmpint (s9ws_connection_bound_wait (fixture.connection, 5), ==, 5);
  g_assert_false (s9ws_connection_may_block (fixture.connection));

  pass (INTERVAL - 1);
  g_assert_null (take_turns (&fixture));
  g_assert_cmpuint (get_n_pings (&fixture), ==, 0);
  for (guint i = 0; i < 2; i++)
    {
      pass (i == 0 ? 1 : INTERVAL);
      g_assert_null (take_turns (&fixture));
      g_assert_cmpuint (get_n_pings (&fixture), ==, i + 1);
      take_payload (&fixture, payloads[i]);
    }
  g_assert_cmpmem (payloads[0], 4, "s9ws", 4);
  g_assert_true (memcmp (payloads[0], payloads[1], 8) != 0);

  /* Without a pong-timeout nothing has to come, ever. */
  for (guint i = 0; i < 100; i++)
    {
      pass (INTERVAL);
      g_assert_null (take_turns (&fixture));
    }
  g_assert_cmpuint (get_n_pings (&fixture), ==, 102);
  fixture_clear (&fixture);
}

static void
test_silence (void)
{
  Fixture fixture;

  fixture_init (&fixture, TIMEOUT);
  pass (INTERVAL);
  g_assert_null (take_turns (&fixture));
  g_assert_cmpint (s9ws_connection_bound_wait (fixture.connection, -1), ==, TIMEOUT * 1000);
  pass (TIMEOUT - 1);
  g_assert_null (take_turns (&fixture));
  pass (1);
  assert_lost (&fixture, take_turns (&fixture), "Nothing came");
  g_assert_cmpuint (get_n_pings (&fixture), ==, 1);
  g_assert_cmpint (s9ws_connection_get_deadline (fixture.connection), ==, 0);
  fixture_clear (&fixture);
}

/* Half a frame is as good as a pong. */
static void
test_any_byte (void)
{
  Fixture fixture;

  fixture_init (&fixture, TIMEOUT);
  memory_transport_add (fixture.memory, "\x81\x7e\xff\xff", 4);
  for (guint i = 0; i < 10; i++)
    {
      pass (INTERVAL);
      g_assert_null (take_turns (&fixture));
      pass (TIMEOUT - 1);
      memory_transport_add (fixture.memory, "x", 1);
      g_assert_null (take_turns (&fixture));
      pass (1);
      g_assert_null (take_turns (&fixture));
      pass (INTERVAL - TIMEOUT);
    }
  g_assert_cmpuint (get_n_pings (&fixture), >=, 10);
  g_assert_null (take_turns (&fixture));
  pass (TIMEOUT);
  assert_lost (&fixture, take_turns (&fixture), "Nothing came");
  fixture_clear (&fixture);
}

static void
test_round_trips (void)
{
  const S9wsCounters *counters;
  Fixture fixture;

  fixture_init (&fixture, TIMEOUT);
  counters = s9ws_connection_get_counters (fixture.connection);
  for (guint i = 1; i <= 3; i++)
    {
      pass (INTERVAL);
      g_assert_null (take_turns (&fixture));
      /* A ping of the user's in between is another matter. */
      g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_PING, (const guint8 *) "me", 2, NULL));
      g_byte_array_set_size (fixture.memory->output, fixture.memory->output->len - 8);
      pass (100 + i);
      add_pong (&fixture);
      g_assert_null (take_turns (&fixture));
      g_assert_cmpint (counters->last_round_trip, ==, (100 + i) * 1000);
      memory_transport_add (fixture.memory, "\x8a\x02me", 4);
      g_assert_null (take_turns (&fixture));
      g_assert_cmpuint (counters->round_trips, ==, 2 * i);
    }

  /* What answers no ping of ours is no round trip. */
  memory_transport_add (fixture.memory, "\x8a\x08s9ws\0\0\0\1", 10);
  g_assert_null (take_turns (&fixture));
  g_assert_cmpuint (counters->round_trips, ==, 6);
  g_assert_cmpuint (counters->pongs_received, ==, 7);
  fixture_clear (&fixture);
}

/* The way may be longer than the interval. */
static void
test_long_way (void)
{
  const S9wsCounters *counters;
  guint8 frames[10][10];
  Fixture fixture;

  fixture_init (&fixture, 0);
  counters = s9ws_connection_get_counters (fixture.connection);
  for (guint i = 0; i < G_N_ELEMENTS (frames); i++)
    {
      frames[i][0] = 0x8a;
      frames[i][1] = 8;
      pass (INTERVAL);
      g_assert_null (take_turns (&fixture));
      take_payload (&fixture, frames[i] + 2);
    }

  /* The times of the first two are not kept any more. */
  for (guint i = 0; i < G_N_ELEMENTS (frames); i++)
    {
      memory_transport_add (fixture.memory, frames[i], sizeof frames[i]);
      g_assert_null (take_turns (&fixture));
      g_assert_cmpuint (counters->round_trips, ==, i < 2 ? 0 : i - 1);
      if (i >= 2)
        g_assert_cmpint (counters->last_round_trip, ==, (9 - i) * INTERVAL * 1000);
    }
  fixture_clear (&fixture);
}

/* Who does not read cannot say that nothing has come. */
static void
test_not_reading (void)
{
  Fixture fixture;

  fixture_init (&fixture, TIMEOUT);
  pass (INTERVAL);
  g_assert_null (take_turns (&fixture));
  add_pong (&fixture);
  for (guint i = 0; i < 10; i++)
    {
      pass (INTERVAL);
      g_assert_cmpint (s9ws_connection_bound_wait (fixture.connection, -1), ==, 0);
      g_assert_cmpint (s9ws_connection_progress (fixture.connection, NULL), ==, S9WS_RECEIVE_AGAIN);
      g_assert_cmpint (s9ws_connection_bound_wait (fixture.connection, -1), >, 0);
    }
  g_assert_cmpuint (get_n_pings (&fixture), ==, 11);
  g_assert_null (take_turns (&fixture));
  g_assert_cmpuint (s9ws_connection_get_counters (fixture.connection)->pongs_received, ==, 1);
  fixture_clear (&fixture);
}

/* Nor is there anything to wait for where writing has failed, before that is told. */
static void
test_not_writing (void)
{
  GError *error = NULL;
  Fixture fixture;

  fixture_init (&fixture, TIMEOUT);
  fixture.memory->is_unwritable = TRUE;
  pass (INTERVAL);
  for (guint i = 0; i < 3; i++)
    {
      s9ws_connection_bound_wait (fixture.connection, -1);
      g_assert_cmpint (s9ws_connection_progress (fixture.connection, NULL), ==, S9WS_RECEIVE_AGAIN);
      pass (INTERVAL);
    }
  g_assert_cmpint (s9ws_connection_bound_wait (fixture.connection, -1), ==, -1);
  error = take_turns (&fixture);
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_IO);
  g_clear_error (&error);
  fixture_clear (&fixture);
}

/* It asks at once when it wakes, and waits anew for the answer. */
static void
test_suspension (void)
{
  Fixture fixture;

  fixture_init (&fixture, TIMEOUT);
  pass (10);
  suspend (500);
  g_assert_null (take_turns (&fixture));
  g_assert_cmpuint (get_n_pings (&fixture), ==, 0);
  suspend (3600 * 1000);
  g_assert_cmpint (s9ws_connection_bound_wait (fixture.connection, -1), ==, 0);
  g_assert_null (take_turns (&fixture));
  g_assert_cmpuint (get_n_pings (&fixture), ==, 1);

  pass (TIMEOUT - 1);
  suspend (3600 * 1000);
  pass (1);
  g_assert_null (take_turns (&fixture));
  g_assert_cmpuint (get_n_pings (&fixture), ==, 2);
  pass (TIMEOUT);
  assert_lost (&fixture, take_turns (&fixture), "Nothing came");
  fixture_clear (&fixture);
}

/* What the socket takes is a sign of life, too; and there is no ping behind the rest. */
static void
test_sending (void)
{
  g_autofree guint8 *data = g_malloc0 (10000);
  Fixture fixture;

  fixture_init (&fixture, TIMEOUT);
  fixture.memory->room = 0;
  g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_BINARY, data, 10000, NULL));
  for (guint i = 0; i < 10; i++)
    {
      pass (INTERVAL);
      g_assert_null (take_turns (&fixture));
      pass (TIMEOUT - 1);
      fixture.memory->room = 10;
      g_assert_null (take_turns (&fixture));
      pass (1);
      g_assert_null (take_turns (&fixture));
      pass (INTERVAL - TIMEOUT);
    }
  g_assert_cmpuint (get_n_pings (&fixture), ==, 0);
  g_assert_null (take_turns (&fixture));
  pass (TIMEOUT);
  assert_lost (&fixture, take_turns (&fixture), "Nothing came");
  fixture_clear (&fixture);
}

/* The same for who waits in the middle of sending. */
static void
test_stuck (void)
{
  GError *error = NULL;
  Fixture fixture;

  fixture_init (&fixture, TIMEOUT);
  fixture.memory->room = 1;
  g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_TEXT, (const guint8 *) "Hello", 5, NULL));
  pass (INTERVAL);
  s9ws_connection_attend_sending (fixture.connection, TRUE);
  pass (TIMEOUT);
  s9ws_connection_attend_sending (fixture.connection, FALSE);
  g_assert_cmpuint (s9ws_connection_get_buffered (fixture.connection), ==, 10);
  pass (TIMEOUT);
  s9ws_connection_attend_sending (fixture.connection, TRUE);
  g_assert_cmpuint (s9ws_connection_get_buffered (fixture.connection), ==, 0);
  g_assert_false (s9ws_connection_send (fixture.connection, S9WS_OPCODE_TEXT, NULL, 0, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_CONNECTION_CLOSED);
  g_clear_error (&error);
  assert_lost (&fixture, take_turns (&fixture), "Nothing came");
  fixture_clear (&fixture);
}

/* Behind half a frame that was given up nothing is sent any more, no Close either. */
static void
test_stuck_close (void)
{
  Fixture fixture;
  GError *error;

  fixture_init (&fixture, TIMEOUT);
  fixture.memory->room = 1;
  g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_TEXT, (const guint8 *) "Hello", 5, NULL));
  pass (INTERVAL);
  s9ws_connection_attend_sending (fixture.connection, TRUE);
  pass (TIMEOUT);
  s9ws_connection_attend_sending (fixture.connection, TRUE);
  fixture.memory->room = G_MAXSIZE;
  memory_transport_add (fixture.memory, "\x88\x02\x03\xe8", 4);
  error = take_turns (&fixture);
  g_assert_no_error (error);
  g_assert_cmpuint (s9ws_connection_get_close_code (fixture.connection), ==, 1000);
  g_assert_cmpuint (fixture.memory->output->len, ==, 1);
  fixture_clear (&fixture);
}

/* What the kernel ends because nobody acknowledges anything has been ended by no peer. */
static void
test_unacknowledged (void)
{
  for (guint ends_by_eof = 0; ends_by_eof < 2; ends_by_eof++)
    {
      GError *error = NULL;
      Fixture fixture;

      fixture_init (&fixture, TIMEOUT);
      fixture.memory->is_unwritable = ends_by_eof;
      fixture.memory->has_ended = ends_by_eof;
      fixture.memory->is_broken = !ends_by_eof;
      fixture.memory->transport.error_number = ETIMEDOUT;
      g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_TEXT, NULL, 0, &error) == !ends_by_eof);
      g_clear_error (&error);
      assert_lost (&fixture, take_turns (&fixture), "not acknowledged");
      fixture_clear (&fixture);
    }
}

/* Where something always comes the clock is hardly read, and pings go out. */
static void
test_flood (void)
{
  S9wsMessage message;
  Fixture fixture;

  fixture_init (&fixture, TIMEOUT);
  fixture.memory->max_read = 3;
  for (guint i = 0; i < 6400; i++)
    memory_transport_add (fixture.memory, "\x82\x01x", 3);

  n_clock_reads = 0;
  for (guint i = 0; i < 6400; i++)
    {
      g_assert_cmpint (s9ws_connection_read (fixture.connection, NULL), ==, S9WS_RECEIVE_MESSAGE);
      g_assert_cmpint (s9ws_connection_next (fixture.connection, &message, NULL), ==, S9WS_RECEIVE_MESSAGE);
      pass (1);
    }
  g_assert_cmpuint (n_clock_reads, <=, 101);
  g_assert_cmpuint (get_n_pings (&fixture), >=, 5);
  g_assert_cmpuint (get_n_pings (&fixture), <=, 6);

  /* Spinning neither. */
  n_clock_reads = 0;
  for (guint i = 0; i < 640; i++)
    g_assert_cmpint (s9ws_connection_read (fixture.connection, NULL), ==, S9WS_RECEIVE_AGAIN);
  g_assert_cmpuint (n_clock_reads, <=, 11);
  fixture_clear (&fixture);
}

static void
test_closing (void)
{
  Fixture fixture;

  fixture_init (&fixture, TIMEOUT);
  g_assert_true (s9ws_connection_close (fixture.connection, 1000, NULL, NULL));
  pass (INTERVAL);
  g_assert_null (take_turns (&fixture));
  g_assert_cmpuint (get_n_pings (&fixture), ==, 0);
  g_assert_cmpint (s9ws_connection_get_deadline (fixture.connection), ==, 0);
  fixture_clear (&fixture);
}

static void
test_system_clocks (void)
{
  S9wsClocks first = s9ws_clocks_read ();
  S9wsClocks second = s9ws_clocks_read ();

  g_assert_cmpint (first.monotonic, <=, second.monotonic);
  g_assert_cmpint (first.boottime, <=, second.boottime);
  g_assert_cmpint (second.boottime - second.monotonic + G_USEC_PER_SEC, >=, 0);
}

/* The three clients */

typedef struct
{
  Kind kind;
  S9wsWaitStrategy strategy;
  gboolean is_secure;
} Case;

static TestServer *
create_server (const Case *test,
               TestScript  script)
{
  g_autofree char *certificate = get_certificate ("good");
  g_autofree char *key = get_certificate ("good-key");

  return test->is_secure ? test_server_new_with_tls (script, NULL, certificate, key) : test_server_new (script, NULL);
}

static S9wsOptions *
create_case_options (const Case *test,
                     guint       interval,
                     guint       timeout)
{
  return create_options ("ping-interval", interval, "pong-timeout", timeout, "wait-strategy", test->strategy,
                         "spin-wait-duration", (guint64) (test->strategy == S9WS_WAIT_STRATEGY_SLEEP ? 1000 : 0), NULL);
}

static void
script_silent (TestPeer *peer,
               gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_wait_end (peer);
}

static void
test_silent_server (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, script_silent);
  g_autoptr (S9wsOptions) options = create_case_options (test, 20, 40);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (S9wsStats) stats = NULL;

  record_signals (client, log);
  g_assert_false (s9ws_client_run (client, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_TIMED_OUT);
  g_assert_nonnull (strstr (error->message, "pong-timeout of 40 ms"));
  g_assert_cmpstr (log->str, ==, "activated error(8) closed(1006) quit ");
  stats = s9ws_client_get_stats (client);
  g_assert_cmpuint (stats->pings_sent, >=, 1);
  g_assert_cmpuint (stats->round_trips, ==, 0);
}

/* Answers pings by what is no pong. */
static void
script_talk (TestPeer *peer,
             gpointer  user_data)
{
  TestFrame frame;

  test_peer_accept (peer, NULL, NULL);
  for (guint i = 0; i < 3 && test_peer_read_frame (peer, &frame); i++)
    test_peer_send_frame (peer, TEST_TEXT, TRUE, frame.payload, 4);
  test_peer_close (peer, 1000, NULL, NULL);
}

static void
test_talking_server (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, script_talk);
  g_autoptr (S9wsOptions) options = create_case_options (test, 20, TEST_TIMEOUT * 1000);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  record_signals (client, log);
  s9ws_client_run (client, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (log->str, ==, "activated text(s9ws) text(s9ws) text(s9ws) closed(1000) quit ");
}

static void
on_pong (S9wsClient *client,
         GBytes     *data,
         guint      *n)
{
  g_assert_cmpmem (g_bytes_get_data (data, NULL), MIN (g_bytes_get_size (data), 4), "s9ws", 4);
  if (++*n == 3)
    s9ws_client_close (client, 1000, NULL, NULL);
}

static void
test_answering_server (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, test_script_echo);
  g_autoptr (S9wsOptions) options = create_case_options (test, 20, TEST_TIMEOUT * 1000);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GError) error = NULL;
  g_autoptr (S9wsStats) stats = NULL;
  guint n = 0;

  g_signal_connect (client, "pong", G_CALLBACK (on_pong), &n);
  s9ws_client_run (client, NULL, &error);
  g_assert_no_error (error);
  stats = s9ws_client_get_stats (client);
  g_assert_cmpuint (stats->round_trips, >=, 1);
  g_assert_cmpuint (stats->pings_sent, >=, 3);
  g_assert_cmpint (stats->last_round_trip, >=, 0);
}

/* Pings in between do not put the read-timeout off. */
static void
on_idle_close (S9wsClient *client,
               guint      *n)
{
  if (++*n == 2)
    s9ws_client_close (client, 1000, NULL, NULL);
}

static void
test_read_timeout (void)
{
  const Case test = { .kind = KIND_BLOCKING };
  g_autoptr (TestServer) server = create_server (&test, script_silent);
  g_autoptr (S9wsOptions) options = create_options ("ping-interval", 20, "read-timeout", (guint64) 70000, "close-timeout", 20, NULL);
  g_autoptr (S9wsClient) client = create_client (test.kind, test_server_get_uri (server), options);
  g_autoptr (S9wsStats) stats = NULL;
  guint n = 0;

  g_signal_connect (client, "idle", G_CALLBACK (on_idle_close), &n);
  g_assert_true (s9ws_client_run (client, NULL, NULL));
  stats = s9ws_client_get_stats (client);
  g_assert_cmpuint (n, >=, 2);
  g_assert_cmpuint (stats->pings_sent, >=, 1);
}

/* What tells of the end of a suspension ends a wait, once. */
static void
test_wait_or_resume (void)
{
  int resume_fd = s9ws_resumption_open ();
  int fd = eventfd (1, EFD_NONBLOCK | EFD_CLOEXEC);

  g_assert_cmpint (s9ws_wait_or_resume (-1, 0, -1, resume_fd, 0), ==, 0);
  g_assert_cmpint (s9ws_wait_or_resume (-1, 0, -1, fd, -1), ==, S9WS_WAIT_RESUMED);
  g_assert_cmpint (s9ws_wait_or_resume (-1, 0, -1, fd, 0), ==, 0);
  g_assert_cmpint (s9ws_wait_or_resume (fd, POLLOUT, -1, resume_fd, -1), ==, POLLOUT);
  close (fd);
  if (resume_fd >= 0)
    close (resume_fd);
}

/* Somebody who only sends, to a server that does not read. */
static void
on_activated_send (S9wsClient *client,
                   gpointer    user_data)
{
  g_autofree guint8 *data = g_malloc0 (32 * 1024 * 1024);

  s9ws_client_send_binary (client, data, 32 * 1024 * 1024, NULL);
}

static void
script_deaf (TestPeer *peer,
             gpointer  user_data)
{
  TestGate *gate = user_data;

  test_peer_accept (peer, NULL, NULL);
  test_gate_wait (gate);
}

static void
test_deaf_server (gconstpointer data)
{
  const Case *test = data;
  TestGate gate = { 0 };
  g_autoptr (TestServer) server = test_server_new (script_deaf, &gate);
  g_autoptr (S9wsOptions) options = create_case_options (test, 20, 100);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  record_signals (client, log);
  g_signal_connect (client, "activated", G_CALLBACK (on_activated_send), NULL);
  g_assert_false (s9ws_client_run (client, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_TIMED_OUT);
  g_assert_nonnull (strstr (error->message, "pong-timeout of 100 ms"));
  g_assert_cmpstr (log->str, ==, "activated error(8) closed(1006) quit ");
  test_gate_open (&gate);
}

static void
test_user_timeout (gconstpointer data)
{
#ifdef TCP_USER_TIMEOUT
  const Case *test = data;
  g_autoptr (TestServer) server = create_server (test, script_silent);
  g_autoptr (S9wsOptions) options = create_case_options (test, 1000, 12345);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  guint timeout = 0;
  socklen_t size = sizeof timeout;

  g_assert_true (s9ws_client_open (client, NULL, NULL));
  g_assert_cmpint (getsockopt (s9ws_client_get_fd (client), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, &size), ==, 0);
  g_assert_cmpuint (timeout, ==, 12345);
#endif
}

/* A socket on which nobody accepts, and whose queue is full: its kernel does not answer. */
static void
test_connect_timeout (gconstpointer data)
{
  const Case *test = data;
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl (INADDR_LOOPBACK) } };
  socklen_t size = sizeof address;
  int listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_autoptr (S9wsOptions) options = create_options ("connect-timeout", 200, NULL);
  g_autoptr (S9wsClient) client = NULL;
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  g_autofree char *uri = NULL;
  int fillers[8];

  g_assert_cmpint (bind (listener, (struct sockaddr *) &address, size), ==, 0);
  g_assert_cmpint (listen (listener, 0), ==, 0);
  g_assert_cmpint (getsockname (listener, (struct sockaddr *) &address, &size), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (fillers); i++)
    {
      fillers[i] = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      connect (fillers[i], (struct sockaddr *) &address, size);
    }

  uri = g_strdup_printf ("%s://127.0.0.1:%u/", test->is_secure ? "wss" : "ws", ntohs (address.sin_port));
  client = create_client (test->kind, uri, options);
  record_signals (client, log);
  g_assert_false (s9ws_client_run (client, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_TIMED_OUT);
  g_assert_nonnull (strstr (error->message, "connect-timeout of 200 ms"));
  g_assert_cmpstr (log->str, ==, "error(8) quit ");

  for (guint i = 0; i < G_N_ELEMENTS (fillers); i++)
    close (fillers[i]);
  close (listener);
}

static void
test_timeout_alone (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (S9wsOptions) options = create_options ("pong-timeout", 10, NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, "ws://127.0.0.1:1/", options);
  g_autoptr (GError) error = NULL;

  g_assert_false (s9ws_client_open (client, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION);
  g_assert_nonnull (strstr (error->message, "ping-interval is 0"));
}

static const struct
{
  Kind kind;
  S9wsWaitStrategy strategy;
  const char *name;
} loops[] = {
  { KIND_BLOCKING, S9WS_WAIT_STRATEGY_DEFAULT, "blocking" },
  { KIND_NON_BLOCKING, S9WS_WAIT_STRATEGY_SPIN, "non-blocking-spin" },
  { KIND_NON_BLOCKING, S9WS_WAIT_STRATEGY_SLEEP, "non-blocking-sleep" },
  { KIND_NON_BLOCKING, S9WS_WAIT_STRATEGY_WAIT, "non-blocking-wait" },
  { KIND_NON_BLOCKING, S9WS_WAIT_STRATEGY_ADAPTIVE, "non-blocking-adaptive" },
  { KIND_ASYNC, S9WS_WAIT_STRATEGY_WAIT, "async-wait" },
  { KIND_ASYNC, S9WS_WAIT_STRATEGY_SPIN, "async-spin" },
};

static void
add (const char    *name,
     GTestDataFunc  function,
     gboolean       with_tls)
{
  for (gsize i = 0; i < G_N_ELEMENTS (loops); i++)
    for (int is_secure = FALSE; is_secure <= with_tls; is_secure++)
      {
        Case *test = g_new0 (Case, 1);
        g_autofree char *path = g_strdup_printf ("/keep-alive/%s/%s/%s", loops[i].name, is_secure ? "wss" : "ws", name);

        test->kind = loops[i].kind;
        test->strategy = loops[i].strategy;
        test->is_secure = is_secure;
        g_test_add_data_func_full (path, test, function, g_free);
      }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  start_watchdog (240);
  clocks = s9ws_clocks_read ();

  g_test_add_func ("/keep-alive/memory/intervals", test_intervals);
  g_test_add_func ("/keep-alive/memory/silence", test_silence);
  g_test_add_func ("/keep-alive/memory/any-byte", test_any_byte);
  g_test_add_func ("/keep-alive/memory/round-trips", test_round_trips);
  g_test_add_func ("/keep-alive/memory/long-way", test_long_way);
  g_test_add_func ("/keep-alive/memory/not-reading", test_not_reading);
  g_test_add_func ("/keep-alive/memory/not-writing", test_not_writing);
  g_test_add_func ("/keep-alive/memory/suspension", test_suspension);
  g_test_add_func ("/keep-alive/memory/sending", test_sending);
  g_test_add_func ("/keep-alive/memory/stuck", test_stuck);
  g_test_add_func ("/keep-alive/memory/stuck-close", test_stuck_close);
  g_test_add_func ("/keep-alive/memory/unacknowledged", test_unacknowledged);
  g_test_add_func ("/keep-alive/memory/flood", test_flood);
  g_test_add_func ("/keep-alive/memory/closing", test_closing);
  g_test_add_func ("/keep-alive/system-clocks", test_system_clocks);
  g_test_add_func ("/keep-alive/wait-or-resume", test_wait_or_resume);
  g_test_add_func ("/keep-alive/read-timeout", test_read_timeout);
  add ("silent", test_silent_server, TRUE);
  add ("talking", test_talking_server, TRUE);
  add ("answering", test_answering_server, TRUE);
  add ("deaf", test_deaf_server, FALSE);
  add ("user-timeout", test_user_timeout, TRUE);
  add ("connect-timeout", test_connect_timeout, TRUE);
  add ("timeout-alone", test_timeout_alone, FALSE);

  return g_test_run ();
}
