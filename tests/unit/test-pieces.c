/* test-pieces.c: messages in pieces on a connection, over a transport in memory
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <gio/gio.h>
#include <string.h>

#include "deflate-fixture.h"

#define BYTES(literal) literal, sizeof (literal) - 1

static void
begin (Fixture    *fixture,
       S9wsOpcode  opcode)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (s9ws_connection_begin_message (fixture->connection, opcode, &error));
  g_assert_no_error (error);
}

static void
append (Fixture    *fixture,
        const char *text)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (s9ws_connection_append (fixture->connection, (const guint8 *) text, strlen (text), &error));
  g_assert_no_error (error);
}

static void
finish (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (s9ws_connection_finish_message (fixture->connection, &error));
  g_assert_no_error (error);
}

/* Each test of sending is run with and without compression. */
static const char *const headers[] = { "", EXTENSION "\r\n", EXTENSION "; client_no_context_takeover\r\n" };

static char *
starred (const char *log,
         gsize       i)
{
  g_auto (GStrv) parts = g_strsplit (log, "*", -1);

  return g_strjoinv (i > 0 ? "*" : "", parts);
}

static void
test_send (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (headers); i++)
    {
      g_autofree char *expected = starred ("*text(Hello).text().*binary(one two three).text(short).*text(Hello Hello Hello).*text(x).", i);
      const S9wsCounters *counters;
      Fixture fixture;

      fixture_init (&fixture);
      fixture_open (&fixture, headers[i]);
      begin (&fixture, S9WS_OPCODE_TEXT);
      append (&fixture, "Hel");
      append (&fixture, "");
      append (&fixture, "lo");
      finish (&fixture);
      begin (&fixture, S9WS_OPCODE_TEXT);
      append (&fixture, "");
      finish (&fixture);
      begin (&fixture, S9WS_OPCODE_BINARY);
      append (&fixture, "one");
      append (&fixture, " two");
      append (&fixture, " three");
      finish (&fixture);
      send_text (&fixture, "short");
      send_text (&fixture, "Hello Hello Hello");
      begin (&fixture, S9WS_OPCODE_TEXT);
      append (&fixture, "x");
      finish (&fixture);
      assert_sent (&fixture, expected);

      counters = s9ws_connection_get_counters (fixture.connection);
      g_assert_cmpuint (counters->messages_sent, ==, 6);
      g_assert_cmpuint (counters->bytes_sent, ==, 5 + 13 + 5 + 17 + 1);
      g_assert_cmpuint (counters->compressed_messages_sent, ==, i > 0 ? 4 : 0);
      g_assert_cmpuint (counters->compressed_bytes_sent, ==, fixture.decoder.compressed);
      fixture_clear (&fixture);
    }
}

/* Each piece leaves at once, whatever it is compressed with. */
static void
test_at_once (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (headers); i++)
    {
      S9wsMessage message;
      Fixture fixture;

      fixture_init (&fixture);
      fixture_open (&fixture, headers[i]);
      s9ws_message_decoder_use_pieces (&fixture.decoder, 1000);
      fixture.inflated.capacity = 1000;
      fixture.inflated.data = g_malloc (1000);
      begin (&fixture, S9WS_OPCODE_BINARY);
      for (guint j = 0; j < 100; j++)
        {
          GByteArray *output = fixture.memory->output;
          g_autofree char *text = g_strdup_printf ("piece %u, ", j);

          append (&fixture, text);
          fixture.window = (S9wsWindow){ output->data, 0, output->len };
          g_assert_cmpint (s9ws_message_decoder_next (&fixture.decoder, &fixture.window, &message), ==, S9WS_MESSAGE_READY);
          g_assert_cmpmem (message.data, message.size, text, strlen (text));
          g_assert_cmpuint (fixture.window.begin, ==, fixture.window.end);
          g_byte_array_set_size (output, 0);
          fixture.window.data = NULL;
        }
      fixture_clear (&fixture);
    }
}

/* What may come between, and what may not. */
static void
test_between (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (headers); i++)
    {
      g_autofree char *expected = starred ("ping(p).pong(q).pong(from the peer).*text(Hello).*text(after them).", i);
      g_autoptr (GError) error = NULL;
      Fixture fixture;

      fixture_init (&fixture);
      fixture_open (&fixture, headers[i]);
      begin (&fixture, S9WS_OPCODE_TEXT);
      append (&fixture, "Hel");
      g_assert_false (s9ws_connection_send (fixture.connection, S9WS_OPCODE_TEXT, (const guint8 *) "x", 1, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
      g_clear_error (&error);
      g_assert_false (s9ws_connection_send (fixture.connection, S9WS_OPCODE_BINARY, NULL, 0, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
      g_clear_error (&error);
      g_assert_false (s9ws_connection_begin_message (fixture.connection, S9WS_OPCODE_TEXT, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
      g_clear_error (&error);
      g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_PING, (const guint8 *) "p", 1, NULL));
      g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_PONG, (const guint8 *) "q", 1, NULL));
      memory_transport_add (fixture.memory, BYTES ("\x89\x0d"
                                                   "from the peer"));
      assert_events (&fixture, "ping(from the peer).");
      append (&fixture, "lo");
      finish (&fixture);
      send_text (&fixture, "after them");
      assert_sent (&fixture, expected);

      begin (&fixture, S9WS_OPCODE_TEXT);
      append (&fixture, "never finished");
      g_assert_true (s9ws_connection_close (fixture.connection, 1000, NULL, &error));
      g_assert_no_error (error);
      g_assert_false (s9ws_connection_append (fixture.connection, (const guint8 *) "x", 1, &error));
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_CONNECTION_CLOSED);
      assert_sent (&fixture, "close(1000).");
      fixture_clear (&fixture);
    }
}

static void
test_not_begun (void)
{
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  fixture_init (&fixture);
  fixture.connection = s9ws_connection_new (&fixture.memory->transport, &fixture.config, &endpoint);
  g_assert_false (s9ws_connection_begin_message (fixture.connection, S9WS_OPCODE_TEXT, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_NOT_OPEN);
  g_clear_error (&error);
  s9ws_connection_free (fixture.connection);

  fixture_init (&fixture);
  fixture_open (&fixture, "");
  g_assert_false (s9ws_connection_append (fixture.connection, (const guint8 *) "x", 1, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_PROTOCOL);
  g_clear_error (&error);
  g_assert_false (s9ws_connection_finish_message (fixture.connection, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_PROTOCOL);
  assert_sent (&fixture, "");
  fixture_clear (&fixture);
}

/* A text is valid as a whole; what would make it invalid is not sent, and can be replaced. */
static void
test_text (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (headers); i++)
    {
      g_autofree char *expected = starred ("*text(caf\xc3\xa9 \xe4\xb8\x96!).*binary(\xff).", i);
      g_autoptr (GError) error = NULL;
      Fixture fixture;

      fixture_init (&fixture);
      fixture_open (&fixture, headers[i]);
      begin (&fixture, S9WS_OPCODE_TEXT);
      append (&fixture, "caf\xc3");
      g_assert_false (s9ws_connection_append (fixture.connection, (const guint8 *) "e", 1, &error));
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_UTF8);
      g_clear_error (&error);
      g_assert_false (s9ws_connection_finish_message (fixture.connection, &error));
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_UTF8);
      g_clear_error (&error);
      append (&fixture, "\xa9 \xe4");
      append (&fixture, "\xb8");
      append (&fixture, "\x96");
      g_assert_false (s9ws_connection_append (fixture.connection, (const guint8 *) "x\xff", 2, &error));
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_UTF8);
      append (&fixture, "!");
      finish (&fixture);
      begin (&fixture, S9WS_OPCODE_BINARY);
      append (&fixture, "\xff");
      finish (&fixture);
      assert_sent (&fixture, expected);
      fixture_clear (&fixture);
    }
}

/* A piece that does not fit is not sent and can be sent later; the end always fits. */
static void
test_buffer_full (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (headers); i++)
    {
      g_autofree char *expected = starred ("*binary(2000).", i);
      g_autofree guint8 *noise = g_malloc (1000);
      g_autoptr (GRand) rand = g_rand_new_with_seed (9);
      g_autoptr (GError) error = NULL;
      Fixture fixture;

      for (gsize j = 0; j < 1000; j++)
        noise[j] = (guint8) g_rand_int (rand);

      fixture_init (&fixture);
      fixture.config.max_buffered_amount = 1500;
      fixture_open (&fixture, headers[i]);
      fixture.memory->room = 0;
      begin (&fixture, S9WS_OPCODE_BINARY);
      g_assert_true (s9ws_connection_append (fixture.connection, noise, 1000, &error));
      g_assert_false (s9ws_connection_append (fixture.connection, noise, 1000, &error));
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_BUFFER_FULL);
      fixture.memory->room = G_MAXSIZE;
      s9ws_connection_flush (fixture.connection);
      fixture.memory->room = 0;
      g_assert_true (s9ws_connection_append (fixture.connection, noise, 1000, NULL));
      finish (&fixture);
      fixture.memory->room = G_MAXSIZE;
      s9ws_connection_flush (fixture.connection);
      assert_sent (&fixture, expected);
      fixture_clear (&fixture);
    }
}

/* Messages without a piece are bytes, too. */
static void
test_begin_when_full (void)
{
  g_autoptr (GError) error = NULL;
  Fixture fixture;
  guint n = 0;

  fixture_init (&fixture);
  fixture.config.max_buffered_amount = 100;
  fixture_open (&fixture, headers[0]);
  fixture.memory->room = 0;
  while (n < 1000 && s9ws_connection_begin_message (fixture.connection, S9WS_OPCODE_TEXT, &error))
    {
      finish (&fixture);
      n++;
    }
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_BUFFER_FULL);
  g_assert_cmpuint (n, ==, 100 / 6 + 1);
  fixture_clear (&fixture);
}

/* Turning compression off does not change a message that has begun. */
static void
test_compress (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  fixture_open (&fixture, EXTENSION "\r\n");
  begin (&fixture, S9WS_OPCODE_TEXT);
  append (&fixture, "Hel");
  s9ws_connection_set_compress (fixture.connection, FALSE);
  append (&fixture, "lo");
  g_assert_false (s9ws_connection_send (fixture.connection, S9WS_OPCODE_TEXT, (const guint8 *) "x", 1, NULL));
  finish (&fixture);
  begin (&fixture, S9WS_OPCODE_TEXT);
  append (&fixture, "Hel");
  s9ws_connection_set_compress (fixture.connection, TRUE);
  append (&fixture, "lo");
  finish (&fixture);
  assert_sent (&fixture, "*text(Hello).text(Hello).");
  fixture_clear (&fixture);
}

/* The deflater may be given back while a message waits for its next piece. */
static void
test_idle (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  fixture_open (&fixture, EXTENSION "\r\n");
  begin (&fixture, S9WS_OPCODE_TEXT);
  append (&fixture, "Hello, ");
  while (s9ws_connection_get_deadline (fixture.connection) != 0)
    {
      g_usleep (10000);
      assert_events (&fixture, "");
    }
  g_assert_false (fixture.connection->sender.deflater.is_live);
  append (&fixture, "Hello");
  finish (&fixture);
  assert_sent (&fixture, "*text(Hello, Hello).");
  fixture_clear (&fixture);
}

/* Receiving */

static void
test_receive (void)
{
  const S9wsCounters *counters;
  Fixture fixture;

  fixture_init (&fixture);
  fixture.config.max_piece_size = 3;
  fixture_open (&fixture, EXTENSION "\r\n");
  memory_transport_add (fixture.memory, BYTES ("\x81\x05Hello\x89\x00\x82\x00\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\x88\x02\x03\xe8"));
  assert_events (&fixture, "first-text(Hel).last-text(lo).ping().first-last-binary().first-text(Hel).last-text(lo)."
                           "error().closed(1000).");
  counters = s9ws_connection_get_counters (fixture.connection);
  g_assert_cmpuint (counters->messages_received, ==, 3);
  g_assert_cmpuint (counters->bytes_received, ==, 10);
  g_assert_cmpuint (counters->compressed_messages_received, ==, 1);
  fixture_clear (&fixture);
}

/* Behind a final block a message may go on, and refer to what stood before it. */
static void
test_final_block (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  fixture.config.max_piece_size = 100;
  fixture.config.deflate.server_no_context_takeover = TRUE;
  fixture_open (&fixture, EXTENSION "; server_no_context_takeover\r\n");
  memory_transport_add (fixture.memory, BYTES ("\x41\x07\xf3\x48\xcd\xc9\xc9\x07\x00"));
  assert_events (&fixture, "first-text(Hello).");
  while (s9ws_connection_get_deadline (fixture.connection) != 0)
    {
      g_usleep (10000);
      assert_events (&fixture, "");
    }
  memory_transport_add (fixture.memory, BYTES ("\x80\x05\xf2\x00\x11\x00\x00"));
  assert_events (&fixture, "last-text(Hello).");
  while (s9ws_connection_get_deadline (fixture.connection) != 0)
    {
      g_usleep (10000);
      assert_events (&fixture, "");
    }
  g_assert_false (fixture.connection->inflater.is_live);
  fixture_clear (&fixture);
}

/* A gigabyte's header, and as much of it as there is memory for otherwise. */
static void
test_bound (void)
{
  enum
  {
    SIZE = 1 << 20,
    N = 64,
    PIECE = 50000
  };
  g_autofree guint8 *zeros = g_malloc0 (SIZE);
  gsize size = 0;
  Fixture fixture;

  fixture_init (&fixture);
  fixture.config.max_message_size = 0;
  fixture.config.max_piece_size = PIECE;
  fixture_open (&fixture, "");
  memory_transport_add (fixture.memory, BYTES ("\x82\x7f\x00\x00\x00\x00\x40\x00\x00\x00"));
  for (guint i = 0; i < N; i++)
    {
      S9wsReceiveResult result;
      S9wsMessage message;

      memory_transport_add (fixture.memory, zeros, SIZE);
      while ((result = s9ws_connection_receive (fixture.connection, &message, NULL)) == S9WS_RECEIVE_MESSAGE)
        {
          g_assert_cmpint (message.opcode, ==, S9WS_MESSAGE_PIECE);
          g_assert_cmpuint (message.size, <=, PIECE);
          size += message.size;
        }
      g_assert_cmpint (result, ==, S9WS_RECEIVE_AGAIN);
      g_byte_array_set_size (fixture.memory->input, 0);
      fixture.memory->read_offset = 0;
    }
  g_assert_cmpuint (size, ==, (gsize) SIZE * N);
  g_assert_cmpuint (fixture.connection->input.block->capacity, <=, 64 * 1024);
  fixture_clear (&fixture);
}

/* Pieces that are kept stay as they are. */
static void
test_share (void)
{
  enum
  {
    SIZE = 1000000,
    PIECE = 20000
  };
  g_autofree guint8 *data = g_malloc (SIZE);
  g_autoptr (GPtrArray) blocks = g_ptr_array_new_with_free_func ((GDestroyNotify) s9ws_block_unref);
  g_autoptr (GArray) pieces = g_array_new (FALSE, FALSE, sizeof (S9wsMessage));
  S9wsMessage message;
  gsize at = 0;
  Fixture fixture;

  for (gsize i = 0; i < SIZE; i++)
    data[i] = (guint8) (i * 7 + i / 256);

  fixture_init (&fixture);
  fixture.config.max_piece_size = PIECE;
  fixture_open (&fixture, "");
  memory_transport_add (fixture.memory, BYTES ("\x82\x7f\x00\x00\x00\x00\x00\x0f\x42\x40"));
  memory_transport_add (fixture.memory, data, SIZE);
  while (s9ws_connection_receive (fixture.connection, &message, NULL) == S9WS_RECEIVE_MESSAGE)
    {
      g_ptr_array_add (blocks, s9ws_connection_share_block (fixture.connection));
      g_array_append_val (pieces, message);
    }

  for (guint i = 0; i < pieces->len; i++)
    {
      S9wsMessage *piece = &g_array_index (pieces, S9wsMessage, i);

      g_assert_true (memcmp (piece->data, data + at, piece->size) == 0);
      at += piece->size;
    }
  g_assert_cmpuint (at, ==, SIZE);
  fixture_clear (&fixture);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/pieces/send", test_send);
  g_test_add_func ("/pieces/at-once", test_at_once);
  g_test_add_func ("/pieces/between", test_between);
  g_test_add_func ("/pieces/not-begun", test_not_begun);
  g_test_add_func ("/pieces/text", test_text);
  g_test_add_func ("/pieces/buffer-full", test_buffer_full);
  g_test_add_func ("/pieces/begin-when-full", test_begin_when_full);
  g_test_add_func ("/pieces/compress", test_compress);
  g_test_add_func ("/pieces/idle", test_idle);
  g_test_add_func ("/pieces/receive", test_receive);
  g_test_add_func ("/pieces/final-block", test_final_block);
  g_test_add_func ("/pieces/bound", test_bound);
  g_test_add_func ("/pieces/share", test_share);

  return g_test_run ();
}
