/* test-connection.c: a connection's whole life, over a transport in memory
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <poll.h>
#include <string.h>

#include "connection/connection-private.h"
#include "memory-transport.h"
#include "s9ws-error.h"

typedef struct
{
  MemoryTransport *memory;
  S9wsConnectionConfig config;
  S9wsConnection *connection;
  char *key;
} Fixture;

static S9wsEndpoint endpoint = {
  .host = (char *) "example.org",
  .port = 80,
  .host_header = (char *) "example.org",
  .target = (char *) "/chat?a=b",
};

static void
fixture_init (Fixture *fixture)
{
  memset (fixture, 0, sizeof *fixture);
  fixture->memory = memory_transport_new ();
  fixture->config.max_message_size = 1024 * 1024;
  fixture->config.max_buffered_amount = 1024 * 1024;
}

static void
fixture_clear (Fixture *fixture)
{
  g_clear_pointer (&fixture->connection, s9ws_connection_free);
  g_free (fixture->key);
}

static char *
find_header (GByteArray *request,
             const char *name)
{
  g_autofree char *text = g_strndup ((const char *) request->data, request->len);
  g_autofree char *start = g_strconcat ("\r\n", name, ": ", NULL);
  const char *value = strstr (text, start);

  if (value == NULL)
    return NULL;

  value += strlen (start);
  return g_strndup (value, strcspn (value, "\r"));
}

static char *
make_answer (const char *key,
             const char *more)
{
  g_autofree char *text = g_strconcat (key, S9WS_HANDSHAKE_GUID, NULL);
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA1);
  g_autofree char *accept = NULL;
  guint8 digest[20];
  gsize size = sizeof digest;

  g_checksum_update (checksum, (const guint8 *) text, -1);
  g_checksum_get_digest (checksum, digest, &size);
  accept = g_base64_encode (digest, size);
  return g_strdup_printf ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
                          "Sec-WebSocket-Accept: %s\r\n%s\r\n",
                          accept, more);
}

/* Sends the request. */
static void
fixture_begin (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;

  fixture->connection = s9ws_connection_new (&fixture->memory->transport, &fixture->config, &endpoint);
  g_assert_cmpint (s9ws_connection_open (fixture->connection, &error), ==, S9WS_IO_WANT_READ);
  g_assert_no_error (error);
  fixture->key = find_header (fixture->memory->output, "Sec-WebSocket-Key");
  g_assert_nonnull (fixture->key);
}

static void
fixture_open (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *answer = NULL;

  fixture_begin (fixture);
  answer = make_answer (fixture->key, "");
  memory_transport_add (fixture->memory, answer, strlen (answer));
  g_assert_cmpint (s9ws_connection_open (fixture->connection, &error), ==, S9WS_IO_DONE);
  g_assert_no_error (error);
  g_byte_array_set_size (fixture->memory->output, 0);
}

static void
log_bytes (GString      *log,
           const char   *name,
           const guint8 *data,
           gsize         size)
{
  if (size > 64)
    {
      g_string_append_printf (log, "%s(%" G_GSIZE_FORMAT ").", name, size);
      return;
    }

  g_string_append_printf (log, "%s(", name);
  for (gsize i = 0; i < size; i++)
    {
      if (g_ascii_isprint (data[i]))
        g_string_append_c (log, (char) data[i]);
      else
        g_string_append_printf (log, "\\%02x", data[i]);
    }
  g_string_append (log, ").");
}

static const char *const names[] = { "?", "text", "binary", "?", "?", "?", "?", "?", "close", "ping", "pong" };

/* All that happens until there is nothing more. */
static void
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
      log_bytes (log, names[message.opcode], message.data, message.size);
    }

  if (result == S9WS_RECEIVE_ENDED)
    {
      if (error != NULL)
        g_string_append_printf (log, "error(%d).", error->code);
      g_string_append_printf (log, "closed(%u", s9ws_connection_get_close_code (fixture->connection));
      if (s9ws_connection_get_close_reason (fixture->connection) != NULL)
        g_string_append_printf (log, ",%s", s9ws_connection_get_close_reason (fixture->connection));
      g_string_append (log, ").");
    }
}

/* What was sent, with the masks taken off. */
static void
log_sent (GByteArray *output,
          GString    *log)
{
  gsize i = 0;

  while (i < output->len)
    {
      S9wsFrameHeader header;
      S9wsViolation violation;
      g_autofree guint8 *payload = NULL;

      g_assert_cmpint (s9ws_frame_read_header (output->data + i, output->len - i, S9WS_ROLE_SERVER, 0, &header, &violation),
                       ==, S9WS_FRAME_READY);
      i += header.size;
      g_assert_cmpuint (header.payload_size, <=, output->len - i);
      payload = g_malloc (header.payload_size + 1);
      for (gsize j = 0; j < header.payload_size; j++)
        payload[j] = output->data[i + j] ^ header.mask[j % 4];
      i += header.payload_size;
      log_bytes (log, names[header.opcode], payload, header.payload_size);
    }
}

typedef struct
{
  const char *name;
  const char *input;
  gsize size;
  gboolean has_ended;
  const char *events;
  const char *sent;
} Vector;

#define BYTES(literal) literal, sizeof (literal) - 1

/* clang-format off */
static const Vector vectors[] = {
  { "text", BYTES ("\x81\x05Hello"), FALSE, "text(Hello).", "" },
  { "binary", BYTES ("\x82\x03\x00\x01\x02"), FALSE, "binary(\\00\\01\\02).", "" },
  { "empty", BYTES ("\x81\x00\x82\x00"), FALSE, "text().binary().", "" },
  { "fragments", BYTES ("\x01\x03Hel\x80\x02lo"), FALSE, "text(Hello).", "" },
  { "fragments-empty", BYTES ("\x01\x00\x00\x02Hi\x00\x00\x80\x00\x81\x01!"), FALSE, "text(Hi).text(!).", "" },
  { "ping-between", BYTES ("\x01\x03Hel\x89\x01?\x80\x02lo\x81\x01x"), FALSE, "ping(?).text(Hello).text(x).", "pong(?)." },
  { "texts-in-a-row", BYTES ("\x81\x01" "a\x81\x01" "b\x81\x01" "c"), FALSE, "text(a).text(b).text(c).", "" },
  { "character-across-fragments", BYTES ("\x01\x01\xc3\x80\x01\xa4"), FALSE, "text(\\c3\\a4).", "" },
  { "ping", BYTES ("\x89\x02hi"), FALSE, "ping(hi).", "pong(hi)." },
  { "pong-unasked", BYTES ("\x8a\x02hi"), FALSE, "pong(hi).", "" },
  { "close", BYTES ("\x88\x05\x03\xe8" "bye"), FALSE, "closed(1000,bye).", "close(\\03\\e8)." },
  { "close-without-code", BYTES ("\x88\x00"), FALSE, "closed(1005).", "close()." },
  { "close-then-data", BYTES ("\x88\x02\x03\xe9\x81\x01x"), FALSE, "closed(1001).", "close(\\03\\e9)." },
  { "message-then-close", BYTES ("\x81\x01x\x88\x02\x03\xe8"), FALSE, "text(x).closed(1000).", "close(\\03\\e8)." },
  { "end", BYTES ("\x81\x01x"), TRUE, "text(x).error(13).closed(1006).", "" },
  { "end-within-message", BYTES ("\x81\x05Hel"), TRUE, "error(13).closed(1006).", "" },
  { "reserved-bits", BYTES ("\xc1\x01x"), FALSE, "error(5).closed(1002).", "close(\\03\\ea)." },
  { "masked", BYTES ("\x81\x81zzzzx"), FALSE, "error(5).closed(1002).", "close(\\03\\ea)." },
  { "message-then-violation", BYTES ("\x81\x01x\x83\x00"), FALSE, "text(x).error(5).closed(1002).", "close(\\03\\ea)." },
  { "bad-text", BYTES ("\x81\x02\xc3\x28"), FALSE, "error(6).closed(1007).", "close(\\03\\ef)." },
  { "bad-text-unfinished", BYTES ("\x81\x05\xff"), FALSE, "error(6).closed(1007).", "close(\\03\\ef)." },
  { "too-big", BYTES ("\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x01"), FALSE, "error(7).closed(1009).", "close(\\03\\f1)." },
  { "nul-in-text", BYTES ("\x81\x03" "a\0b"), FALSE, "text(a\\00b).", "" },
};
/* clang-format on */

static void
check_vector (const Vector *vector,
              gsize         max_read)
{
  g_autoptr (GString) events = g_string_new (NULL);
  g_autoptr (GString) sent = g_string_new (NULL);
  Fixture fixture;

  fixture_init (&fixture);
  fixture_open (&fixture);
  fixture.memory->max_read = max_read;
  fixture.memory->has_ended = vector->has_ended;
  memory_transport_add (fixture.memory, vector->input, vector->size);

  log_events (&fixture, events);
  log_sent (fixture.memory->output, sent);
  g_assert_cmpstr (events->str, ==, vector->events);
  g_assert_cmpstr (sent->str, ==, vector->sent);
  fixture_clear (&fixture);
}

static void
test_vector (gconstpointer data)
{
  const Vector *vector = data;

  for (gsize max_read = 0; max_read <= vector->size; max_read++)
    check_vector (vector, max_read);
}

/* Both directions at once: what came right behind the answer is the first message. */
static void
test_behind_answer (void)
{
  g_autoptr (GString) events = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  g_autofree char *answer = NULL;
  Fixture fixture;

  fixture_init (&fixture);
  fixture_begin (&fixture);
  answer = make_answer (fixture.key, "");
  memory_transport_add (fixture.memory, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", 37);
  memory_transport_add (fixture.memory, answer, strlen (answer));
  memory_transport_add (fixture.memory, BYTES ("\x81\x02hi"));
  g_assert_cmpint (s9ws_connection_open (fixture.connection, &error), ==, S9WS_IO_DONE);
  g_assert_no_error (error);
  log_events (&fixture, events);
  g_assert_cmpstr (events->str, ==, "text(hi).");
  fixture_clear (&fixture);
}

typedef struct
{
  const char *name;
  const char *answer; /* %s stands for the valid one, without its last line end */
  guint status;
  const char *body;
  const char *message; /* part of it */
} Refusal;

static const Refusal refusals[] = {
  { "forbidden", "HTTP/1.1 403 Forbidden\r\nX-Why: because\r\nContent-Length: 4\r\n\r\nno!!", 403, "no!!", "403 (Forbidden)" },
  { "chunked", "HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", 500, "abcde", "500 (Oh)" },
  { "no-body", "HTTP/1.1 204 Empty\r\n\r\n", 204, "", "204" },
  { "no-http", "SSH-2.0-OpenSSH\r\n", 0, NULL, "status line" },
  { "bad-header", "HTTP/1.1 101 X\r\nno colon\r\n\r\n", 0, NULL, "header line" },
  { "folded", "HTTP/1.1 101 X\r\nA: b\r\n c\r\n\r\n", 0, NULL, "header line" },
  { "bare-lf", "HTTP/1.1 101 X\nA: b\n\n", 0, NULL, "status line" },
  { "no-upgrade", "HTTP/1.1 101 X\r\nConnection: Upgrade\r\n\r\n", 101, NULL, "Upgrade" },
  { "no-accept", "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 101, NULL, "Accept is missing" },
  { "wrong-accept", "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n", 101, NULL, "does not match" },
};

static void
test_refusal (gconstpointer data)
{
  const Refusal *refusal = data;

  for (gsize max_read = 0; max_read < 3; max_read++)
    {
      g_autoptr (GError) error = NULL;
      const S9wsAnswer *answer;
      Fixture fixture;

      fixture_init (&fixture);
      fixture_begin (&fixture);
      fixture.memory->max_read = max_read;
      memory_transport_add (fixture.memory, refusal->answer, strlen (refusal->answer));
      g_assert_cmpint (s9ws_connection_open (fixture.connection, &error), ==, S9WS_IO_FAILED);
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_HANDSHAKE);
      g_assert_nonnull (strstr (error->message, refusal->message));
      answer = s9ws_connection_get_answer (fixture.connection);
      g_assert_cmpuint (answer->status, ==, refusal->status);
      if (refusal->body == NULL)
        g_assert_null (answer->body);
      else
        g_assert_cmpmem (answer->body->data, answer->body->len, refusal->body, strlen (refusal->body));
      fixture_clear (&fixture);
    }
}

/* Given up while the rest of its body is waited for: what the refusal said is not kept. */
static void
test_refusal_given_up (void)
{
  static const char answer[] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nno";
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  fixture_init (&fixture);
  fixture_begin (&fixture);
  memory_transport_add (fixture.memory, answer, strlen (answer));
  g_assert_cmpint (s9ws_connection_open (fixture.connection, &error), ==, S9WS_IO_WANT_READ);
  s9ws_connection_hang_up (fixture.connection);
  g_assert_no_error (error);
  g_assert_cmpuint (s9ws_connection_get_answer (fixture.connection)->status, ==, 403);
  fixture_clear (&fixture);
}

static void
test_unasked (void)
{
  static const char *const headers[] = { "Sec-WebSocket-Protocol: x\r\n", "Sec-WebSocket-Extensions: permessage-deflate\r\n" };

  for (gsize i = 0; i < G_N_ELEMENTS (headers); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *answer = NULL;
      Fixture fixture;

      fixture_init (&fixture);
      fixture_begin (&fixture);
      answer = make_answer (fixture.key, headers[i]);
      memory_transport_add (fixture.memory, answer, strlen (answer));
      g_assert_cmpint (s9ws_connection_open (fixture.connection, &error), ==, S9WS_IO_FAILED);
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_HANDSHAKE);
      g_assert_nonnull (strstr (error->message, "not asked for"));
      fixture_clear (&fixture);
    }
}

static void
test_body_bound (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *body = g_malloc0 (200000);
  Fixture fixture;

  fixture_init (&fixture);
  fixture_begin (&fixture);
  memory_transport_add (fixture.memory, BYTES ("HTTP/1.1 404 Not Found\r\n\r\n"));
  memory_transport_add (fixture.memory, body, 200000);
  g_assert_cmpint (s9ws_connection_open (fixture.connection, &error), ==, S9WS_IO_FAILED);
  g_assert_cmpuint (s9ws_connection_get_answer (fixture.connection)->body->len, ==, 65536);
  fixture_clear (&fixture);
}

static void
test_send (void)
{
  g_autoptr (GString) sent = g_string_new (NULL);
  g_autofree guint8 *large = g_malloc0 (1024 * 1024 + 1);
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  fixture_init (&fixture);
  fixture_open (&fixture);
  g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_TEXT, (const guint8 *) "Hi", 2, &error));
  g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_BINARY, large, 125, &error));
  g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_BINARY, large, 126, &error));
  g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_BINARY, large, 65536, &error));
  g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_BINARY, large, 1024 * 1024, &error));
  g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_PING, NULL, 0, &error));
  log_sent (fixture.memory->output, sent);
  g_assert_cmpstr (sent->str, ==, "text(Hi).binary(125).binary(126).binary(65536).binary(1048576).ping().");

  g_assert_false (s9ws_connection_send (fixture.connection, S9WS_OPCODE_BINARY, large, 1024 * 1024 + 1, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_BUFFER_FULL);
  g_clear_error (&error);
  g_assert_false (s9ws_connection_send (fixture.connection, S9WS_OPCODE_PING, large, 126, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_MESSAGE_TOO_BIG);
  g_clear_error (&error);
  g_assert_false (s9ws_connection_send (fixture.connection, S9WS_OPCODE_TEXT, (const guint8 *) "\xff", 1, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_UTF8);
  fixture_clear (&fixture);
}

/* A socket that takes a few bytes at a time gets all of them, in order. */
static void
test_partial_send (void)
{
  static const gsize rooms[] = { 0, 1, 5, 7, 131072, 200000 };
  g_autofree guint8 *large = g_malloc (300000);

  for (gsize i = 0; i < 300000; i++)
    large[i] = (guint8) (i * 7);

  for (gsize i = 0; i < G_N_ELEMENTS (rooms); i++)
    {
      g_autoptr (GString) sent = g_string_new (NULL);
      g_autoptr (GString) events = g_string_new (NULL);
      Fixture fixture;

      fixture_init (&fixture);
      fixture_open (&fixture);
      fixture.memory->room = rooms[i];
      g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_BINARY, large, 300000, NULL));
      g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_TEXT, (const guint8 *) "end", 3, NULL));
      g_assert_cmpuint (s9ws_connection_get_buffered (fixture.connection), ==, 300014 + 9 - rooms[i]);
      g_assert_cmpint (s9ws_connection_get_poll_events (fixture.connection), ==, POLLIN | POLLOUT);
      while (s9ws_connection_get_buffered (fixture.connection) > 0)
        {
          fixture.memory->room = 50001;
          log_events (&fixture, events);
        }
      g_assert_cmpint (s9ws_connection_get_poll_events (fixture.connection), ==, POLLIN);
      log_sent (fixture.memory->output, sent);
      g_assert_cmpstr (sent->str, ==, "binary(300000).text(end).");
      fixture_clear (&fixture);
    }
}

static void
test_close (void)
{
  g_autoptr (GString) events = g_string_new (NULL);
  g_autoptr (GString) sent = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  fixture_init (&fixture);
  fixture.config.close_timeout = 60000;
  fixture_open (&fixture);
  g_assert_cmpint (s9ws_connection_get_deadline (fixture.connection), ==, 0);
  g_assert_true (s9ws_connection_close (fixture.connection, 3000, "why not", &error));
  g_assert_cmpint (s9ws_connection_get_deadline (fixture.connection), >, g_get_monotonic_time ());
  g_assert_false (s9ws_connection_close (fixture.connection, 1000, NULL, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_CONNECTION_CLOSED);
  g_clear_error (&error);
  g_assert_false (s9ws_connection_send (fixture.connection, S9WS_OPCODE_TEXT, NULL, 0, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_CONNECTION_CLOSED);

  /* What came before the answer still counts, and pings are still answered. */
  memory_transport_add (fixture.memory, BYTES ("\x81\x01x\x89\x00\x88\x02\x0b\xb8"));
  log_events (&fixture, events);
  log_sent (fixture.memory->output, sent);
  g_assert_cmpstr (events->str, ==, "text(x).ping().closed(3000).");
  g_assert_cmpstr (sent->str, ==, "close(\\0b\\b8why not).pong().");
  fixture_clear (&fixture);
}

typedef struct
{
  const char *name;
  guint code;
  const char *reason;
  S9wsError error;
} BadClose;

static const char long_reason[] = "0123456789012345678901234567890123456789012345678901234567890123456789"
                                  "012345678901234567890123456789012345678901234567890123";

static const BadClose bad_closes[] = {
  { "999", 999, NULL, S9WS_ERROR_PROTOCOL },
  { "1004", 1004, NULL, S9WS_ERROR_PROTOCOL },
  { "1005", 1005, NULL, S9WS_ERROR_PROTOCOL },
  { "1006", 1006, NULL, S9WS_ERROR_PROTOCOL },
  { "1015", 1015, NULL, S9WS_ERROR_PROTOCOL },
  { "2999", 2999, NULL, S9WS_ERROR_PROTOCOL },
  { "5000", 5000, NULL, S9WS_ERROR_PROTOCOL },
  { "reason-without-code", 0, "x", S9WS_ERROR_PROTOCOL },
  { "reason-too-long", 1000, long_reason, S9WS_ERROR_MESSAGE_TOO_BIG },
  { "reason-no-utf8", 1000, "\xff", S9WS_ERROR_INVALID_UTF8 },
};

static void
test_bad_close (gconstpointer data)
{
  const BadClose *bad = data;
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  fixture_init (&fixture);
  fixture_open (&fixture);
  g_assert_false (s9ws_connection_close (fixture.connection, bad->code, bad->reason, &error));
  g_assert_error (error, S9WS_ERROR, (int) bad->error);
  g_assert_cmpint (s9ws_connection_get_phase (fixture.connection), ==, S9WS_PHASE_OPEN);
  fixture_clear (&fixture);
}

static void
test_close_timeout (void)
{
  g_autoptr (GString) events = g_string_new (NULL);
  Fixture fixture;

  fixture_init (&fixture);
  fixture.config.close_timeout = 1;
  fixture_open (&fixture);
  g_assert_true (s9ws_connection_close (fixture.connection, 1000, NULL, NULL));
  while (g_get_monotonic_time () < s9ws_connection_get_deadline (fixture.connection))
    g_thread_yield ();
  /* A peer that goes on talking does not put the end off. */
  memory_transport_add (fixture.memory, BYTES ("\x81\x01x"));
  log_events (&fixture, events);
  g_assert_cmpstr (events->str, ==, "closed(1006).");
  fixture_clear (&fixture);
}

static void
test_handshake_timeout (void)
{
  g_autoptr (GError) error = NULL;
  Fixture fixture;
  S9wsIoResult result;

  fixture_init (&fixture);
  fixture.config.handshake_timeout = 1;
  fixture.connection = s9ws_connection_new (&fixture.memory->transport, &fixture.config, &endpoint);
  while ((result = s9ws_connection_open (fixture.connection, &error)) == S9WS_IO_WANT_READ)
    g_thread_yield ();
  g_assert_cmpint (result, ==, S9WS_IO_FAILED);
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_TIMED_OUT);
  fixture_clear (&fixture);
}

static void
test_close_without_answer (void)
{
  g_autoptr (GString) events = g_string_new (NULL);
  Fixture fixture;

  fixture_init (&fixture);
  fixture_open (&fixture);
  g_assert_true (s9ws_connection_close (fixture.connection, 1000, NULL, NULL));
  fixture.memory->has_ended = TRUE;
  log_events (&fixture, events);
  g_assert_cmpstr (events->str, ==, "closed(1006).");
  fixture_clear (&fixture);
}

/* The answer to a close goes out even if the socket is slow to take it. */
static void
test_finishing (void)
{
  g_autoptr (GString) events = g_string_new (NULL);
  g_autoptr (GString) sent = g_string_new (NULL);
  Fixture fixture;

  fixture_init (&fixture);
  fixture_open (&fixture);
  fixture.memory->room = 3;
  memory_transport_add (fixture.memory, BYTES ("\x88\x02\x03\xe8"));
  log_events (&fixture, events);
  g_assert_cmpstr (events->str, ==, "");
  g_assert_cmpint (s9ws_connection_get_phase (fixture.connection), ==, S9WS_PHASE_FINISHING);
  g_assert_cmpint (s9ws_connection_get_poll_events (fixture.connection), ==, POLLOUT);
  fixture.memory->room = G_MAXSIZE;
  log_events (&fixture, events);
  log_sent (fixture.memory->output, sent);
  g_assert_cmpstr (events->str, ==, "closed(1000).");
  g_assert_cmpstr (sent->str, ==, "close(\\03\\e8).");
  fixture_clear (&fixture);
}

/* Where writing fails, what had arrived is delivered first. */
static void
test_write_failure (void)
{
  g_autoptr (GString) events = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  fixture_init (&fixture);
  fixture_open (&fixture);
  fixture.memory->is_unwritable = TRUE;
  memory_transport_add (fixture.memory, BYTES ("\x81\x01"
                                               "a\x81\x01"
                                               "b"));
  g_assert_false (s9ws_connection_send (fixture.connection, S9WS_OPCODE_TEXT, (const guint8 *) "x", 1, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_CONNECTION_CLOSED);
  g_assert_true (s9ws_connection_has_failed (fixture.connection));
  g_assert_false (s9ws_connection_may_block (fixture.connection));
  log_events (&fixture, events);
  g_assert_cmpstr (events->str, ==, "text(a).text(b).error(13).closed(1006).");
  fixture_clear (&fixture);
}

/* What was kept when writing failed is lost, and so is what comes from elsewhere later on;
 * what failed itself is not counted. */
static void
test_unsent (void)
{
  g_autoptr (GString) events = g_string_new (NULL);
  S9wsOutput frames = { 0 };
  S9wsOutputFrame frame = { .data = (const guint8 *) "late", .size = 4, .opcode = S9WS_OPCODE_TEXT, .is_final = TRUE };
  Fixture fixture;

  fixture_init (&fixture);
  fixture_open (&fixture);
  fixture.memory->room = 1;
  g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_TEXT, (const guint8 *) "Hi", 2, NULL));
  g_assert_cmpuint (s9ws_connection_get_buffered (fixture.connection), ==, 7);
  fixture.memory->is_unwritable = TRUE;
  g_assert_false (s9ws_connection_send (fixture.connection, S9WS_OPCODE_TEXT, (const guint8 *) "you", 3, NULL));
  g_assert_cmpuint (s9ws_connection_get_unsent (fixture.connection), ==, 7);
  s9ws_output_append_frame (&frames, &frame);
  s9ws_connection_send_encoded (fixture.connection, &frames);
  log_events (&fixture, events);
  g_assert_cmpstr (events->str, ==, "error(13).closed(1006).");
  s9ws_connection_hang_up (fixture.connection);
  g_assert_cmpuint (s9ws_connection_get_unsent (fixture.connection), ==, 7 + 10);
  s9ws_output_clear (&frames);
  fixture_clear (&fixture);
}

/* Only a close frame that has left whole is told of as sent. */
static void
test_close_sent (void)
{
  static const struct
  {
    gsize room; /* of eight bytes, then */
    gboolean is_unwritable;
    guint sent_code;
  } cases[] = {
    { G_MAXSIZE, FALSE, 4000 },
    { 7, FALSE, 0 },
    { 7, TRUE, 0 },
    { 8, FALSE, 4000 },
    /* The answer to a ping fails behind it. */
    { 8, TRUE, 4000 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GString) events = g_string_new (NULL);
      const S9wsEnding *ending;
      Fixture fixture;

      fixture_init (&fixture);
      fixture_open (&fixture);
      fixture.memory->room = cases[i].room;
      g_assert_true (s9ws_connection_close (fixture.connection, 4000, NULL, NULL));
      fixture.memory->is_unwritable = cases[i].is_unwritable;
      memory_transport_add (fixture.memory, BYTES ("\x89\x01p\x88\x02\x0f\xa0"));
      log_events (&fixture, events);
      s9ws_connection_hang_up (fixture.connection);
      ending = s9ws_connection_get_ending (fixture.connection);
      g_assert_cmpuint (ending->sent_code, ==, cases[i].sent_code);
      g_assert_cmpuint (ending->received_code, ==, 4000);
      g_assert_true (ending->is_clean == (cases[i].sent_code != 0));
      fixture_clear (&fixture);
    }
}

/* After a write that has failed none is sent, whatever comes. */
static void
test_close_unsent (void)
{
  static const struct
  {
    const char *input;
    gsize size;
    guint received_code;
    S9wsEndingInitiator initiator;
  } cases[] = {
    { BYTES ("\x88\x02\x03\xe8"), 1000, S9WS_ENDING_BY_PEER },
    { BYTES ("\xf1\x01?"), 0, S9WS_ENDING_BY_US },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GString) events = g_string_new (NULL);
      const S9wsEnding *ending;
      Fixture fixture;

      fixture_init (&fixture);
      fixture_open (&fixture);
      fixture.memory->is_unwritable = TRUE;
      g_assert_false (s9ws_connection_send (fixture.connection, S9WS_OPCODE_TEXT, (const guint8 *) "x", 1, NULL));
      memory_transport_add (fixture.memory, cases[i].input, cases[i].size);
      log_events (&fixture, events);
      s9ws_connection_hang_up (fixture.connection);
      ending = s9ws_connection_get_ending (fixture.connection);
      g_assert_cmpuint (ending->sent_code, ==, 0);
      g_assert_cmpuint (ending->received_code, ==, cases[i].received_code);
      g_assert_cmpint (ending->initiator, ==, cases[i].initiator);
      g_assert_false (ending->is_clean);
      fixture_clear (&fixture);
    }
}

/* A peer that pings without reading the answers costs no more than the limit. */
static void
test_ping_flood (void)
{
  g_autoptr (GString) events = g_string_new (NULL);
  Fixture fixture;

  fixture_init (&fixture);
  fixture.config.max_buffered_amount = 100;
  fixture_open (&fixture);
  fixture.memory->room = 0;
  for (guint i = 0; i < 1000; i++)
    memory_transport_add (fixture.memory, BYTES ("\x89\x08payload!"));
  log_events (&fixture, events);
  g_assert_cmpuint (s9ws_connection_get_counters (fixture.connection)->pings_received, ==, 1000);
  g_assert_cmpuint (s9ws_connection_get_buffered (fixture.connection), <=, 100 + 14);
  fixture_clear (&fixture);
}

static void
test_round_trip_time (void)
{
  g_autoptr (GString) events = g_string_new (NULL);
  Fixture fixture;

  fixture_init (&fixture);
  fixture_open (&fixture);
  g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_PING, (const guint8 *) "me", 2, NULL));
  memory_transport_add (fixture.memory, BYTES ("\x8a\x03you"));
  log_events (&fixture, events);
  g_assert_cmpint (s9ws_connection_get_counters (fixture.connection)->last_round_trip, ==, -1);
  memory_transport_add (fixture.memory, BYTES ("\x8a\x02me"));
  log_events (&fixture, events);
  g_assert_cmpint (s9ws_connection_get_counters (fixture.connection)->last_round_trip, >=, 0);
  fixture_clear (&fixture);
}

/* Reading ahead leaves the lent message, its NUL included, and loses nothing. */
static void
test_read_ahead (void)
{
  g_autoptr (GString) events = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  S9wsMessage message;
  Fixture fixture;

  fixture_init (&fixture);
  fixture_open (&fixture);
  memory_transport_add (fixture.memory, BYTES ("\x81\x03one\x81\x03two\x01\x02th"));
  g_assert_cmpint (s9ws_connection_receive (fixture.connection, &message, &error), ==, S9WS_RECEIVE_MESSAGE);
  g_assert_cmpstr ((const char *) message.data, ==, "one");
  memory_transport_add (fixture.memory, BYTES ("\x80\x03ree"));
  g_assert_true (s9ws_connection_read_ahead (fixture.connection));
  g_assert_cmpstr ((const char *) message.data, ==, "one");
  for (guint i = 0; i < 20000; i++)
    memory_transport_add (fixture.memory, BYTES ("\x82\x08"
                                                 "12345678"));
  while (s9ws_connection_read_ahead (fixture.connection) && s9ws_connection_has_pending (fixture.connection))
    ;
  g_assert_cmpstr ((const char *) message.data, ==, "one");
  log_events (&fixture, events);
  g_assert_true (g_str_has_prefix (events->str, "text(two).text(three).binary(12345678)."));
  g_assert_cmpuint (s9ws_connection_get_counters (fixture.connection)->messages_received, ==, 20003);
  fixture_clear (&fixture);
}

/* A message that was shared stays as it is while the connection goes on receiving. */
static void
test_share (void)
{
  enum
  {
    N = 40,
    SIZE = 30000
  };
  g_autofree guint8 *payload = g_malloc (SIZE + 4);
  S9wsBlock *blocks[N];
  const guint8 *data[N];
  Fixture fixture;

  fixture_init (&fixture);
  fixture_open (&fixture);
  for (guint i = 0; i < N; i++)
    {
      payload[0] = i % 2 ? 0x81 : 0x82;
      payload[1] = 126;
      payload[2] = SIZE >> 8;
      payload[3] = SIZE & 0xff;
      memset (payload + 4, 'A' + (int) i, SIZE);
      memory_transport_add (fixture.memory, payload, SIZE + 4);
    }

  for (guint i = 0; i < N; i++)
    {
      S9wsMessage message;

      g_assert_cmpint (s9ws_connection_receive (fixture.connection, &message, NULL), ==, S9WS_RECEIVE_MESSAGE);
      g_assert_cmpuint (message.size, ==, SIZE);
      data[i] = message.data;
      blocks[i] = s9ws_connection_share_block (fixture.connection);
    }

  for (guint i = 0; i < N; i++)
    {
      for (guint j = 0; j < SIZE; j++)
        if (data[i][j] != 'A' + i)
          g_assert_cmpint (data[i][j], ==, 'A' + i);
      if (i % 2)
        g_assert_cmpint (data[i][SIZE], ==, '\0');
      s9ws_block_unref (blocks[i]);
    }
  fixture_clear (&fixture);
}

static S9wsBlock *
share_next (Fixture *fixture,
            gsize    size)
{
  g_autofree guint8 *payload = g_malloc0 (size);
  const guint8 header[] = { 0x82, 126, (guint8) (size >> 8), (guint8) (size & 0xff) };
  S9wsMessage message;

  memory_transport_add (fixture->memory, header, sizeof header);
  memory_transport_add (fixture->memory, payload, size);
  g_assert_cmpint (s9ws_connection_receive (fixture->connection, &message, NULL), ==, S9WS_RECEIVE_MESSAGE);
  return s9ws_connection_share_block (fixture->connection);
}

/* A block that others have done with is used again, on whichever thread that was; once the
 * client is idle, all but one are given back. */
static void
test_share_again (void)
{
  S9wsBlock *first, *second, *third;
  S9wsInput *input;
  Fixture fixture;

  fixture_init (&fixture);
  fixture_open (&fixture);
  input = &fixture.connection->input;
  /* After this one, blocks are made for messages like it. */
  s9ws_block_unref (share_next (&fixture, 20000));
  first = share_next (&fixture, 20000);
  second = share_next (&fixture, 20000);
  g_assert_true (first != second);
  s9ws_block_unref (first);
  third = share_next (&fixture, 20000);
  g_assert_true (third == first);

  g_assert_false (s9ws_input_trim (input, FALSE));
  g_assert_cmpint (input->trim_time, >, 0);
  input->trim_time = 1;
  g_assert_true (s9ws_input_trim (input, FALSE));
  g_assert_false (s9ws_input_trim (input, FALSE));
  g_assert_cmpint (input->trim_time, ==, 0);
  s9ws_block_unref (second);
  s9ws_block_unref (third);
  fixture_clear (&fixture);
}

static void
test_large (void)
{
  g_autofree guint8 *payload = g_malloc0 (900000);
  g_autoptr (GString) events = g_string_new (NULL);
  static const gsize reads[] = { 1000, 65536, 0 };

  for (gsize i = 0; i < G_N_ELEMENTS (reads); i++)
    {
      Fixture fixture;

      fixture_init (&fixture);
      fixture_open (&fixture);
      fixture.memory->max_read = reads[i];
      memory_transport_add (fixture.memory, BYTES ("\x82\x7f\x00\x00\x00\x00\x00\x0d\xbb\xa0"));
      memory_transport_add (fixture.memory, payload, 900000);
      memory_transport_add (fixture.memory, BYTES ("\x81\x02ok"));
      g_string_truncate (events, 0);
      log_events (&fixture, events);
      g_assert_cmpstr (events->str, ==, "binary(900000).text(ok).");
      fixture_clear (&fixture);
    }
}

static void
test_hang_up (void)
{
  gboolean is_closed = FALSE;
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  fixture_init (&fixture);
  fixture_open (&fixture);
  fixture.memory->is_closed = &is_closed;
  fixture.memory->room = 1;
  g_assert_true (s9ws_connection_send (fixture.connection, S9WS_OPCODE_TEXT, (const guint8 *) "Hi", 2, NULL));
  s9ws_connection_hang_up (fixture.connection);
  g_assert_true (is_closed);
  g_assert_null (s9ws_connection_get_transport (fixture.connection));
  g_assert_cmpuint (s9ws_connection_get_unsent (fixture.connection), ==, 7);
  g_assert_false (s9ws_connection_send (fixture.connection, S9WS_OPCODE_TEXT, NULL, 0, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_CONNECTION_CLOSED);
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

  ADD_TABLE ("/connection/receive/", vectors, test_vector);
  ADD_TABLE ("/connection/refusal/", refusals, test_refusal);
  g_test_add_func ("/connection/refusal-given-up", test_refusal_given_up);
  ADD_TABLE ("/connection/bad-close/", bad_closes, test_bad_close);
  g_test_add_func ("/connection/behind-answer", test_behind_answer);
  g_test_add_func ("/connection/unasked", test_unasked);
  g_test_add_func ("/connection/body-bound", test_body_bound);
  g_test_add_func ("/connection/send", test_send);
  g_test_add_func ("/connection/partial-send", test_partial_send);
  g_test_add_func ("/connection/close", test_close);
  g_test_add_func ("/connection/close-timeout", test_close_timeout);
  g_test_add_func ("/connection/close-without-answer", test_close_without_answer);
  g_test_add_func ("/connection/handshake-timeout", test_handshake_timeout);
  g_test_add_func ("/connection/finishing", test_finishing);
  g_test_add_func ("/connection/write-failure", test_write_failure);
  g_test_add_func ("/connection/unsent", test_unsent);
  g_test_add_func ("/connection/close-sent", test_close_sent);
  g_test_add_func ("/connection/close-unsent", test_close_unsent);
  g_test_add_func ("/connection/ping-flood", test_ping_flood);
  g_test_add_func ("/connection/round-trip-time", test_round_trip_time);
  g_test_add_func ("/connection/read-ahead", test_read_ahead);
  g_test_add_func ("/connection/share", test_share);
  g_test_add_func ("/connection/share/again", test_share_again);
  g_test_add_func ("/connection/large", test_large);
  g_test_add_func ("/connection/hang-up", test_hang_up);

  return g_test_run ();
}
