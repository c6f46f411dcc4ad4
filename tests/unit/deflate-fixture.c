/* deflate-fixture.c: a connection over a transport in memory, whose peer can compress
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "deflate-fixture.h"

#include <string.h>

S9wsEndpoint endpoint = {
  .host = (char *) "example.org",
  .port = 80,
  .host_header = (char *) "example.org",
  .target = (char *) "/",
};

void
fixture_init (Fixture *fixture)
{
  memset (fixture, 0, sizeof *fixture);
  fixture->memory = memory_transport_new ();
  fixture->config.max_message_size = 1024 * 1024;
  fixture->config.max_buffered_amount = 1024 * 1024;
  fixture->config.compression = TRUE;
  fixture->config.compression_level = 6;
  fixture->config.compression_threshold = 10;
  fixture->config.deflate.client_max_window_bits = 15;
  fixture->config.deflate.server_max_window_bits = 15;
}

void
fixture_clear (Fixture *fixture)
{
  g_clear_pointer (&fixture->connection, s9ws_connection_free);
  s9ws_inflater_release (&fixture->inflater);
  g_free (fixture->inflated.data);
  g_free (fixture->window.data);
}

static char *
make_answer (GByteArray *request,
             const char *headers)
{
  static const char name[] = "\r\nSec-WebSocket-Key: ";
  g_autofree char *text = g_strndup ((const char *) request->data, request->len);
  const char *value = strstr (text, name) + strlen (name);
  g_autofree char *key = g_strndup (value, strcspn (value, "\r"));
  g_autofree char *joined = g_strconcat (key, S9WS_HANDSHAKE_GUID, NULL);
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA1);
  g_autofree char *accept = NULL;
  guint8 digest[20];
  gsize size = sizeof digest;

  g_checksum_update (checksum, (const guint8 *) joined, -1);
  g_checksum_get_digest (checksum, digest, &size);
  accept = g_base64_encode (digest, size);
  return g_strdup_printf ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Accept: %s\r\n%s\r\n",
                          accept, headers);
}

S9wsIoResult
fixture_answer (Fixture     *fixture,
                const char  *headers,
                GError     **error)
{
  g_autofree char *answer = NULL;

  fixture->connection = s9ws_connection_new (&fixture->memory->transport, &fixture->config, &endpoint);
  g_assert_cmpint (s9ws_connection_open (fixture->connection, error), ==, S9WS_IO_WANT_READ);
  answer = make_answer (fixture->memory->output, headers);
  memory_transport_add (fixture->memory, answer, strlen (answer));
  return s9ws_connection_open (fixture->connection, error);
}

void
fixture_open (Fixture    *fixture,
              const char *headers)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (fixture_answer (fixture, headers, &error), ==, S9WS_IO_DONE);
  g_assert_no_error (error);
  g_byte_array_set_size (fixture->memory->output, 0);

  s9ws_message_decoder_init (&fixture->decoder, S9WS_ROLE_SERVER, 0, 0);
  s9ws_inflater_init (&fixture->inflater, &s9ws_sender_memory, 15, TRUE);
  s9ws_message_decoder_use_inflater (&fixture->decoder, &fixture->inflater, &fixture->inflated);
}

static void
log_piece (GString     *log,
           S9wsMessage *message)
{
  g_string_append_printf (log, "%s%s%s(%.*s).", (message->piece_flags & S9WS_PIECE_IS_FIRST) != 0 ? "first-" : "",
                          (message->piece_flags & S9WS_PIECE_IS_LAST) != 0 ? "last-" : "",
                          (message->piece_flags & S9WS_PIECE_IS_TEXT) != 0 ? "text" : "binary",
                          (int) message->size, message->data);
}

static void
log_message (GString     *log,
             S9wsMessage *message)
{
  static const char *const names[] = { "?", "text", "binary", "?", "?", "?", "?", "?", "close", "ping", "pong" };

  if (message->opcode == S9WS_MESSAGE_PIECE)
    log_piece (log, message);
  else if (message->opcode == S9WS_OPCODE_CLOSE)
    g_string_append_printf (log, "close(%u).", message->close_code);
  else if (message->size > 64)
    g_string_append_printf (log, "%s(%" G_GSIZE_FORMAT ").", names[message->opcode], message->size);
  else
    g_string_append_printf (log, "%s(%.*s).", names[message->opcode], (int) message->size, message->data);
}

void
log_events (Fixture *fixture,
            GString *log)
{
  g_autoptr (GError) error = NULL;
  S9wsMessage message;
  S9wsReceiveResult result;

  while ((result = s9ws_connection_receive (fixture->connection, &message, &error)) == S9WS_RECEIVE_MESSAGE)
    {
      if (message.opcode == S9WS_OPCODE_TEXT)
        g_assert_cmpint (message.data[message.size], ==, '\0');
      log_message (log, &message);
    }

  if (result == S9WS_RECEIVE_ENDED)
    g_string_append_printf (log, "error(%s).closed(%u).", error != NULL ? error->message : "",
                            s9ws_connection_get_close_code (fixture->connection));
}

void
log_sent (Fixture *fixture,
          GString *log)
{
  GByteArray *output = fixture->memory->output;
  guint64 n_compressed = fixture->decoder.n_compressed;
  S9wsMessageResult result;
  S9wsMessage message;
  gsize kept = fixture->window.end - fixture->window.begin;
  guint8 *data = g_malloc (kept + output->len + 1);

  if (kept > 0)
    memcpy (data, fixture->window.data + fixture->window.begin, kept);
  memcpy (data + kept, output->data, output->len);
  g_free (fixture->window.data);
  fixture->window = (S9wsWindow){ data, 0, kept + output->len };
  g_byte_array_set_size (output, 0);

  do
    {
      result = s9ws_message_decoder_next (&fixture->decoder, &fixture->window, &message);
      if (result == S9WS_MESSAGE_NO_ROOM)
        {
          fixture->inflated.capacity = fixture->inflated.capacity * 2 + 100;
          fixture->inflated.data = g_realloc (fixture->inflated.data, fixture->inflated.capacity);
        }
      if (result == S9WS_MESSAGE_READY)
        {
          if (fixture->decoder.n_compressed > n_compressed)
            g_string_append_c (log, '*');
          n_compressed = fixture->decoder.n_compressed;
          log_message (log, &message);
        }
    }
  while (result == S9WS_MESSAGE_READY || result == S9WS_MESSAGE_NO_ROOM);

  g_assert_cmpint (result, ==, S9WS_MESSAGE_INCOMPLETE);
}

void
send_text (Fixture    *fixture,
           const char *text)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (s9ws_connection_send (fixture->connection, S9WS_OPCODE_TEXT, (const guint8 *) text, strlen (text), &error));
  g_assert_no_error (error);
}
