/* test-compression.c: permessage-deflate on a connection, over a transport in memory
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <gio/gio.h>
#include <string.h>

#include "deflate-fixture.h"

#define BYTES(literal) literal, sizeof (literal) - 1
#define HELLO "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00" /* RFC 7692, section 7.2.3.1 */
#define HELLO_AGAIN "\xc1\x05\xf2\x00\x11\x00\x00"   /* section 7.2.3.2 */

static void
test_offer (void)
{
  Fixture fixture;

  for (int compression = FALSE; compression <= TRUE; compression++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *request = NULL;

      fixture_init (&fixture);
      fixture.config.compression = compression;
      fixture.connection = s9ws_connection_new (&fixture.memory->transport, &fixture.config, &endpoint);
      s9ws_connection_open (fixture.connection, &error);
      request = g_strndup ((const char *) fixture.memory->output->data, fixture.memory->output->len);
      g_assert_cmpint (strstr (request, "\r\n" EXTENSION "; client_max_window_bits\r\n") != NULL, ==, compression);
      g_assert_cmpint (strstr (request, "Extensions") != NULL, ==, compression);
      fixture_clear (&fixture);
    }
}

typedef struct
{
  const char *name;
  const char *headers;
  const char *message; /* part of it */
} Nonsense;

static const Nonsense nonsense[] = {
  { "unknown-extension", "Sec-WebSocket-Extensions: foo\r\n", "“foo”, which was not asked for" },
  { "twice", EXTENSION "; server_max_window_bits=12, permessage-deflate\r\n", "“permessage-deflate” twice" },
  { "unknown-parameter", EXTENSION "; foo\r\n", "no parameter “foo”" },
  { "parameter-twice", EXTENSION "; server_no_context_takeover; server_no_context_takeover\r\n", "server_no_context_takeover of permessage-deflate comes twice" },
  { "value", EXTENSION "; server_max_window_bits=16\r\n", "server_max_window_bits of permessage-deflate is not a number from 8 to 15" },
  { "no-value", EXTENSION "; client_max_window_bits\r\n", "client_max_window_bits of permessage-deflate is not a number from 8 to 15" },
  { "flag-with-value", EXTENSION "; client_no_context_takeover=no\r\n", "client_no_context_takeover of permessage-deflate has a value" },
  { "larger", EXTENSION "; server_max_window_bits=15\r\n", "server_max_window_bits of permessage-deflate is larger" },
  { "missing", EXTENSION "\r\n", "server_max_window_bits of permessage-deflate was asked for" },
  { "malformed", EXTENSION "; =\xff\r\n", "malformed at “ =\xef\xbf\xbd”" },
};

static void
test_nonsense (gconstpointer data)
{
  const Nonsense *answer = data;
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  fixture_init (&fixture);
  fixture.config.deflate.server_max_window_bits = 12;
  g_assert_cmpint (fixture_answer (&fixture, answer->headers, &error), ==, S9WS_IO_FAILED);
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_HANDSHAKE);
  if (strstr (error->message, answer->message) == NULL)
    g_assert_cmpstr (error->message, ==, answer->message);
  fixture_clear (&fixture);
}

/* The server decides: without its word nothing is compressed, and nothing may be. */
static void
test_declined (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  fixture_open (&fixture, "");
  send_text (&fixture, "long enough");
  assert_sent (&fixture, "text(long enough).");
  memory_transport_add (fixture.memory, BYTES (HELLO));
  assert_events (&fixture, "error(The server broke the protocol: a frame has reserved bits set that no extension was "
                           "agreed on for).closed(1002).");
  assert_sent (&fixture, "close(1002).");
  fixture_clear (&fixture);
}

static void
test_send (void)
{
  static const guint8 noise[200] = { 17, 4 };
  const S9wsCounters *counters;
  Fixture fixture;

  fixture_init (&fixture);
  fixture_open (&fixture, EXTENSION "\r\n");
  send_text (&fixture, "");
  send_text (&fixture, "too short");
  send_text (&fixture, "just right");
  send_text (&fixture, "just right");
  g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_BINARY, noise, sizeof noise, NULL));
  g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_PING, (const guint8 *) "long enough", 11, NULL));
  s9ws_connection_set_compress (fixture.connection, FALSE);
  send_text (&fixture, "just right");
  g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_BINARY, noise, sizeof noise, NULL));
  s9ws_connection_set_compress (fixture.connection, TRUE);
  send_text (&fixture, "just right");
  memory_transport_add (fixture.memory, BYTES ("\x89\x0clong enough!"));
  assert_events (&fixture, "ping(long enough!).");
  g_assert_true (s9ws_connection_close (fixture.connection, 1000, "long enough", NULL));
  assert_sent (&fixture, "text().text(too short).*text(just right).*text(just right).*binary(200).ping(long enough)."
                         "text(just right).binary(200).*text(just right).pong(long enough!).close(1000).");

  counters = s9ws_connection_get_counters (fixture.connection);
  g_assert_cmpuint (counters->messages_sent, ==, 8);
  g_assert_cmpuint (counters->bytes_sent, ==, 9 + 4 * 10 + 2 * 200);
  g_assert_cmpuint (counters->compressed_messages_sent, ==, 4);
  g_assert_cmpuint (counters->compressed_bytes_sent, ==, fixture.decoder.compressed);
  fixture_clear (&fixture);
}

static void
test_threshold (void)
{
  static const guint64 thresholds[] = { 0, 1, 125, 126, 127, 1000, G_MAXUINT64 };
  g_autofree char *text = g_strnfill (2000, 'a');

  for (gsize i = 0; i < G_N_ELEMENTS (thresholds); i++)
    for (gsize size = 0; size <= 2000; size += size < 130 ? 1 : 435)
      {
        g_autofree char *expected = NULL;
        g_autofree char *short_text = g_strndup (text, size);
        gboolean is_compressed = size > 0 && size >= thresholds[i];
        Fixture fixture;

        fixture_init (&fixture);
        fixture.config.compression_threshold = thresholds[i];
        fixture_open (&fixture, EXTENSION "\r\n");
        send_text (&fixture, short_text);
        expected = size <= 64 ? g_strdup_printf ("%stext(%s).", is_compressed ? "*" : "", short_text)
                              : g_strdup_printf ("%stext(%" G_GSIZE_FORMAT ").", is_compressed ? "*" : "", size);
        assert_sent (&fixture, expected);
        fixture_clear (&fixture);
      }
}

/* A message that is refused has left no trace in what the next ones refer to. */
static void
test_refused (void)
{
  g_autofree guint8 *data = g_malloc (2000);
  g_autoptr (GRand) rand = g_rand_new_with_seed (5);
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  for (gsize i = 0; i < 2000; i++)
    data[i] = (guint8) g_rand_int (rand);

  fixture_init (&fixture);
  fixture.config.max_buffered_amount = 1000;
  fixture_open (&fixture, EXTENSION "\r\n");
  for (guint i = 0; i < 3; i++)
    {
      g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_BINARY, data, 900, &error));
      g_assert_false (s9ws_connection_send (fixture.connection, S9WS_OPCODE_BINARY, data + 500, 1400, &error));
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_BUFFER_FULL);
      g_clear_error (&error);
      g_assert_false (s9ws_connection_send (fixture.connection, S9WS_OPCODE_TEXT, data, 900, &error));
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_UTF8);
      g_clear_error (&error);
      g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_BINARY, data + 1000, 1000, &error));
      g_assert_no_error (error);
    }
  assert_sent (&fixture, "*binary(900).*binary(1000).*binary(900).*binary(1000).*binary(900).*binary(1000).");
  g_assert_cmpuint (fixture.decoder.compressed, <, 2500);
  fixture_clear (&fixture);
}

/* A socket that takes a few bytes at a time; large messages that can hardly be compressed. */
static void
test_slow_socket (void)
{
  enum
  {
    SIZE = 700000
  };
  g_autofree guint8 *noise = g_malloc (SIZE);
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);
  g_autoptr (GString) sent = g_string_new (NULL);
  Fixture fixture;

  for (gsize i = 0; i < SIZE; i++)
    noise[i] = (guint8) g_rand_int (rand);

  fixture_init (&fixture);
  fixture.config.max_buffered_amount = 0;
  fixture_open (&fixture, EXTENSION "\r\n");
  fixture.memory->room = 3;
  for (guint i = 0; i < 3; i++)
    {
      g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_BINARY, noise, SIZE, NULL));
      send_text (&fixture, "short");
      send_text (&fixture, "long enough");
    }
  while (s9ws_connection_get_buffered (fixture.connection) > 0)
    {
      fixture.memory->room = 50001;
      assert_events (&fixture, "");
      log_sent (&fixture, sent);
    }
  g_assert_cmpstr (sent->str, ==, "*binary(700000).text(short).*text(long enough).*binary(700000).text(short)."
                                  "*text(long enough).*binary(700000).text(short).*text(long enough).");
  fixture_clear (&fixture);
}

static void
test_receive (void)
{
  const S9wsCounters *counters;

  for (gsize max_read = 0; max_read < 20; max_read++)
    {
      Fixture fixture;

      fixture_init (&fixture);
      fixture_open (&fixture, EXTENSION "\r\n");
      fixture.memory->max_read = max_read;
      memory_transport_add (fixture.memory, BYTES (HELLO "\x81\x01x" HELLO_AGAIN "\x82\x01y\x41\x03\xf2\x00\x11\x89\x00\x80\x02\x00\x00"));
      assert_events (&fixture, "text(Hello).text(x).text(Hello).binary(y).ping().text(Hello).");
      counters = s9ws_connection_get_counters (fixture.connection);
      g_assert_cmpuint (counters->messages_received, ==, 5);
      g_assert_cmpuint (counters->bytes_received, ==, 17);
      g_assert_cmpuint (counters->compressed_messages_received, ==, 3);
      g_assert_cmpuint (counters->compressed_bytes_received, ==, 17);
      fixture_clear (&fixture);
    }
}

/* Inflated messages can be kept, and stay as they are while others come. */
static void
test_share (void)
{
  enum
  {
    N = 40,
    SIZE = 30000
  };
  g_autofree guint8 *payload = g_malloc (SIZE);
  S9wsBlock *blocks[N];
  const guint8 *data[N];
  S9wsSender sender;
  S9wsOutput frames = { 0 };
  Fixture fixture;

  fixture_init (&fixture);
  fixture_open (&fixture, EXTENSION "\r\n");
  s9ws_sender_init (&sender);
  s9ws_sender_use_deflate (&sender, &fixture.config.deflate, 6, 0);
  for (guint i = 0; i < N; i++)
    {
      S9wsOutputFrame frame;
      S9wsFrameHeader header;
      S9wsViolation violation;

      memset (payload, 'A' + (int) i, SIZE);
      s9ws_sender_prepare (&sender, &frame, i % 2 ? S9WS_OPCODE_TEXT : S9WS_OPCODE_BINARY, payload, SIZE);
      s9ws_sender_compress (&sender, &frames, &frame);

      /* A server does not mask. */
      g_assert_cmpint (s9ws_frame_read_header (frames.data, frames.end, S9WS_ROLE_SERVER, S9WS_RSV1, &header, &violation),
                       ==, S9WS_FRAME_READY);
      g_assert_cmpuint (header.payload_size, <, 126);
      s9ws_mask_copy (frames.data + 6, frames.data + 6, frames.end - 6, header.mask, 0);
      frames.data[1] &= 0x7f;
      memory_transport_add (fixture.memory, frames.data, 2);
      memory_transport_add (fixture.memory, frames.data + 6, frames.end - 6);
      s9ws_output_consume (&frames, frames.end);
    }
  s9ws_sender_clear (&sender);
  s9ws_output_clear (&frames);

  for (guint i = 0; i < N; i++)
    {
      S9wsMessage message;

      g_assert_cmpint (s9ws_connection_receive (fixture.connection, &message, NULL), ==, S9WS_RECEIVE_MESSAGE);
      g_assert_cmpuint (message.size, ==, SIZE);
      data[i] = message.data;
      blocks[i] = i % 3 ? s9ws_connection_share_block (fixture.connection) : NULL;
    }

  for (guint i = 0; i < N; i++)
    {
      if (blocks[i] == NULL)
        continue;

      for (guint j = 0; j < SIZE; j++)
        if (data[i][j] != 'A' + i)
          g_assert_cmpint (data[i][j], ==, 'A' + i);
      if (i % 2)
        g_assert_cmpint (data[i][SIZE], ==, '\0');
      s9ws_block_unref (blocks[i]);
    }
  fixture_clear (&fixture);
}

/* Reading ahead leaves an inflated message that is lent. */
static void
test_read_ahead (void)
{
  S9wsMessage message;
  S9wsBlock *block;
  Fixture fixture;

  fixture_init (&fixture);
  fixture_open (&fixture, EXTENSION "\r\n");
  memory_transport_add (fixture.memory, BYTES (HELLO "\x81\x03two"));
  g_assert_cmpint (s9ws_connection_receive (fixture.connection, &message, NULL), ==, S9WS_RECEIVE_MESSAGE);
  memory_transport_add (fixture.memory, BYTES (HELLO_AGAIN));
  g_assert_true (s9ws_connection_read_ahead (fixture.connection));
  g_assert_cmpstr ((const char *) message.data, ==, "Hello");
  block = s9ws_connection_share_block (fixture.connection);
  g_assert_true (message.data >= block->data && message.data < block->data + block->capacity);
  assert_events (&fixture, "text(two).text(Hello).");
  g_assert_cmpstr ((const char *) message.data, ==, "Hello");
  s9ws_block_unref (block);
  fixture_clear (&fixture);
}

/* What is too big is noticed before it has taken more room than is allowed. */
static void
test_too_big (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  fixture.config.max_message_size = 500;
  fixture_open (&fixture, EXTENSION "\r\n");
  memory_transport_add (fixture.memory, BYTES (HELLO "\xc2\x08\x4a\x4c\x1c\x05\x23\x19\x00\x00")); /* 512 bytes */
  assert_events (&fixture, "text(Hello).error(The server broke the protocol: a message is larger than max-message-size "
                           "allows).closed(1009).");
  assert_sent (&fixture, "close(1009).");
  g_assert_cmpuint (fixture.connection->input.inflated.capacity, ==, 501);
  fixture_clear (&fixture);
}

static void
test_malformed (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  fixture_open (&fixture, EXTENSION "\r\n");
  memory_transport_add (fixture.memory, BYTES ("\xc1\x01\x07"));
  assert_events (&fixture, "error(The server broke the protocol: a compressed message is not valid DEFLATE data).closed(1002).");
  assert_sent (&fixture, "close(1002).");
  fixture_clear (&fixture);
}

/* Once nothing has come for a while the memory is given back; the connection goes on. */
static void
test_idle (void)
{
  Fixture fixture;

  for (int takes_over = FALSE; takes_over <= TRUE; takes_over++)
    {
      fixture_init (&fixture);
      fixture.config.deflate.server_no_context_takeover = !takes_over;
      fixture_open (&fixture, takes_over ? EXTENSION "\r\n" : EXTENSION "; server_no_context_takeover\r\n");
      g_assert_true (s9ws_connection_may_block (fixture.connection));
      g_assert_false (fixture.connection->sender.deflater.is_live);
      g_assert_false (fixture.connection->inflater.is_live);

      memory_transport_add (fixture.memory, BYTES (HELLO));
      assert_events (&fixture, "text(Hello).");
      send_text (&fixture, "long enough");
      g_assert_true (fixture.connection->sender.deflater.is_live);
      g_assert_true (fixture.connection->inflater.is_live);
      g_assert_nonnull (fixture.connection->input.inflated_block);
      g_assert_false (s9ws_connection_may_block (fixture.connection));
      while (s9ws_connection_get_deadline (fixture.connection) != 0)
        {
          g_usleep (10000);
          assert_events (&fixture, "");
        }
      g_assert_false (fixture.connection->sender.deflater.is_live);
      g_assert_cmpint (fixture.connection->inflater.is_live, ==, takes_over);
      g_assert_null (fixture.connection->input.inflated_block);
      g_assert_true (s9ws_connection_may_block (fixture.connection));

      if (takes_over)
        memory_transport_add (fixture.memory, BYTES (HELLO_AGAIN));
      else
        memory_transport_add (fixture.memory, BYTES (HELLO));
      assert_events (&fixture, "text(Hello).");
      send_text (&fixture, "long enough");
      assert_sent (&fixture, "*text(long enough).*text(long enough).");
      fixture_clear (&fixture);
    }
}

/* Where nothing can be given back when its time has come, that time is put off: whoever
 * waits until then would spin. */
static void
test_idle_amid (void)
{
  Fixture fixture;
  gint64 due;

  fixture_init (&fixture);
  fixture.config.close_timeout = 0;
  fixture_open (&fixture, EXTENSION "\r\n");
  memory_transport_add (fixture.memory, BYTES ("\x01\x02He"));
  assert_events (&fixture, "");
  send_text (&fixture, "long enough");
  due = s9ws_connection_get_deadline (fixture.connection);
  g_assert_cmpint (due, >, 0);
  while (g_get_monotonic_time () < due)
    g_usleep (10000);
  s9ws_connection_attend_sending (fixture.connection, TRUE);
  g_assert_cmpint (s9ws_connection_get_deadline (fixture.connection), >=, due + G_USEC_PER_SEC);

  fixture.connection->input.trim_time = due;
  assert_events (&fixture, "");
  g_assert_cmpint (s9ws_connection_get_deadline (fixture.connection), >=, due + G_USEC_PER_SEC);

  fixture.memory->room = 0;
  fixture.connection->input.trim_time = due;
  memory_transport_add (fixture.memory, BYTES ("\x88\x00"));
  assert_events (&fixture, "");
  fixture.connection->input.trim_time = due;
  g_assert_cmpint (s9ws_connection_get_deadline (fixture.connection), ==, 0);
  fixture.memory->room = G_MAXSIZE;
  assert_events (&fixture, "error().closed(1005).");
  fixture_clear (&fixture);
}

#define ADD_TABLE(prefix, table, function)                                 \
  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)                         \
    {                                                                      \
      g_autofree char *path = g_strconcat (prefix, (table)[i].name, NULL); \
      g_test_add_data_func (path, &(table)[i], function);                  \
    }

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/compression/offer", test_offer);
  ADD_TABLE ("/compression/nonsense/", nonsense, test_nonsense);
  g_test_add_func ("/compression/declined", test_declined);
  g_test_add_func ("/compression/send", test_send);
  g_test_add_func ("/compression/threshold", test_threshold);
  g_test_add_func ("/compression/refused", test_refused);
  g_test_add_func ("/compression/slow-socket", test_slow_socket);
  g_test_add_func ("/compression/receive", test_receive);
  g_test_add_func ("/compression/share", test_share);
  g_test_add_func ("/compression/read-ahead", test_read_ahead);
  g_test_add_func ("/compression/too-big", test_too_big);
  g_test_add_func ("/compression/malformed", test_malformed);
  g_test_add_func ("/compression/idle", test_idle);
  g_test_add_func ("/compression/idle-amid", test_idle_amid);

  return g_test_run ();
}
