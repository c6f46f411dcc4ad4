/* test-client-compression.c: the three clients and permessage-deflate, against servers that
 * do as they are told
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <locale.h>
#include <string.h>
#include <zlib.h>

#include "recorder.h"

#define EXTENSION "Sec-WebSocket-Extensions: permessage-deflate"
#define N_THREADS 4
#define N_MESSAGES 250 /* of each thread */

typedef struct
{
  Kind kind;
  gboolean is_secure;
  gconstpointer data;
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

/* What a server inflates by itself, so that a mistake of the library is not repeated. */
typedef struct
{
  z_stream stream;
  GString *text;
} Inflater;

static void
inflater_init (Inflater *inflater)
{
  memset (inflater, 0, sizeof *inflater);
  g_assert_cmpint (inflateInit2 (&inflater->stream, -15), ==, Z_OK);
  inflater->text = g_string_new (NULL);
}

static void
inflater_clear (Inflater *inflater)
{
  inflateEnd (&inflater->stream);
  g_string_free (inflater->text, TRUE);
}

static void
inflate_bytes (Inflater   *inflater,
               const char *data,
               gsize       size)
{
  inflater->stream.next_in = (guint8 *) data;
  inflater->stream.avail_in = (guint) size;
  while (inflater->stream.avail_in > 0)
    {
      char buffer[1000];
      int result;

      inflater->stream.next_out = (guint8 *) buffer;
      inflater->stream.avail_out = sizeof buffer;
      result = inflate (&inflater->stream, Z_SYNC_FLUSH);
      g_assert_true (result == Z_OK || result == Z_BUF_ERROR);
      g_string_append_len (inflater->text, buffer, sizeof buffer - inflater->stream.avail_out);
    }
}

/* The next message's text, whether it was compressed or not; NULL at the end. */
static const char *
read_text (TestPeer *peer,
           Inflater *inflater)
{
  TestFrame frame;

  if (!test_peer_read_frame (peer, &frame) || frame.opcode == TEST_CLOSE)
    return NULL;

  g_string_truncate (inflater->text, 0);
  if ((frame.reserved_bits & TEST_RSV1) != 0)
    {
      inflate_bytes (inflater, frame.payload, frame.size);
      inflate_bytes (inflater, "\x00\x00\xff\xff", 4);
      g_string_append_c (inflater->text, '*');
    }
  else
    {
      g_string_append_len (inflater->text, frame.payload, (gssize) frame.size);
    }

  return inflater->text->str;
}

/* Ends */

typedef struct
{
  const char *name;
  const char *headers;
  const char *frames;
  gsize size;
  const char *log;
  const char *message; /* a part of the error's */
} End;

#define BYTES(literal) literal, sizeof (literal) - 1

static const End ends[] = {
  { "hello", EXTENSION "\r\n", BYTES ("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00\x88\x02\x03\xe8"), "activated text(Hello) text(Hello) closed(1000) quit ", NULL },
  { "fragments", EXTENSION "\r\n", BYTES ("\x42\x03\xf2\x48\xcd\x89\x01?\x80\x04\xc9\xc9\x07\x00\x88\x02\x03\xe8"), "activated ping(?) binary(Hello) closed(1000) quit ", NULL },
  { "not-agreed-on", "", BYTES ("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"), "activated error(5) closed(1002) quit ", "reserved bits" },
  { "malformed", EXTENSION "\r\n", BYTES ("\xc1\x01\x07"), "activated error(5) closed(1002) quit ", "DEFLATE" },
  { "bad-text", EXTENSION "\r\n", BYTES ("\x41\x7d\x00\x05\x00\xfa\xff\x48\x65\xff"), "activated error(6) closed(1007) quit ", "UTF-8" },
  { "too-big", EXTENSION "\r\n", BYTES ("\xc2\x08\x4a\x4c\x1c\x05\x23\x19\x00\x00"), "activated error(7) closed(1009) quit ", "max-message-size" },
  { "unknown-extension", "Sec-WebSocket-Extensions: foo\r\n", BYTES (""), "error(4) quit ", "“foo”" },
  { "twice", EXTENSION ", permessage-deflate\r\n", BYTES (""), "error(4) quit ", "“permessage-deflate” twice" },
  { "unknown-parameter", EXTENSION "; level=9\r\n", BYTES (""), "error(4) quit ", "parameter “level”" },
  { "parameter-twice", EXTENSION "; server_no_context_takeover; server_no_context_takeover\r\n", BYTES (""), "error(4) quit ", "server_no_context_takeover of permessage-deflate comes twice" },
  { "bad-value", EXTENSION "; client_max_window_bits=16\r\n", BYTES (""), "error(4) quit ", "client_max_window_bits of permessage-deflate is not a number" },
};

static void
script_end (TestPeer *peer,
            gpointer  user_data)
{
  const End *end = user_data;

  test_peer_accept (peer, NULL, end->headers);
  test_peer_send (peer, end->frames, end->size);
  test_peer_wait_end (peer);
}

static void
test_end (gconstpointer data)
{
  const Case *test = data;
  const End *end = test->data;
  g_autoptr (TestServer) server = create_server (test, script_end, (gpointer) end);
  g_autoptr (S9wsOptions) options = create_options ("max-message-size", G_GUINT64_CONSTANT (500), NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  record_signals (client, log);
  g_assert_cmpint (s9ws_client_run (client, NULL, &error), ==, end->message == NULL);
  g_assert_cmpstr (log->str, ==, end->log);
  if (end->message != NULL)
    g_assert_nonnull (strstr (error->message, end->message));
}

/* Sending */

static void
script_collect (TestPeer *peer,
                gpointer  user_data)
{
  GString *received = user_data;
  Inflater inflater;
  const char *text;

  inflater_init (&inflater);
  test_peer_accept (peer, NULL, EXTENSION "\r\n");
  while ((text = read_text (peer, &inflater)) != NULL)
    g_string_append_printf (received, "%s ", text);
  test_peer_send_close (peer, 1000, NULL);
  inflater_clear (&inflater);
}

static void
send_some (S9wsClient *client)
{
  g_autoptr (S9wsStats) stats = NULL;
  g_autoptr (GError) error = NULL;

  s9ws_client_send_text (client, "few", &error);
  g_assert_no_error (error);
  s9ws_client_send_text (client, "many more", &error);
  g_assert_no_error (error);
  g_object_set (client, "compress", FALSE, NULL);
  s9ws_client_send_text (client, "many plain", &error);
  g_assert_no_error (error);
  s9ws_client_set_compress (client, TRUE);
  s9ws_client_send_text (client, "many more", &error);
  g_assert_no_error (error);
  s9ws_client_close (client, 1000, NULL, &error);
  g_assert_no_error (error);

  stats = s9ws_client_get_stats (client);
  g_assert_cmpuint (stats->messages_sent, ==, 4);
  g_assert_cmpuint (stats->bytes_sent, ==, 3 + 9 + 10 + 9);
  g_assert_cmpuint (stats->compressed_messages_sent, ==, 2);
  g_assert_cmpuint (stats->compressed_bytes_sent, <, 20);
}

static void
test_send (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (GString) received = g_string_new (NULL);
  TestServer *server = create_server (test, script_collect, received);
  g_autoptr (S9wsOptions) options = create_options ("compression-threshold", G_GUINT64_CONSTANT (5), NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GError) error = NULL;

  g_signal_connect (client, "activated", G_CALLBACK (send_some), NULL);
  s9ws_client_run (client, NULL, &error);
  g_assert_no_error (error);
  test_server_free (server);
  g_assert_cmpstr (received->str, ==, "few many more* many plain many more* ");
}

/* What was said about compressing before opening holds after it, too. */
static void
test_send_plain (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (GString) received = g_string_new (NULL);
  TestServer *server = create_server (test, script_collect, received);
  g_autoptr (S9wsOptions) options = create_options ("compression-threshold", G_GUINT64_CONSTANT (0), NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GError) error = NULL;

  g_assert_true (s9ws_client_get_compress (client));
  g_object_set (client, "compress", FALSE, NULL);
  g_assert_false (s9ws_client_get_compress (client));
  s9ws_client_open (client, NULL, &error);
  g_assert_no_error (error);
  s9ws_client_send_text (client, "one", &error);
  g_assert_no_error (error);
  g_object_set (client, "compress", TRUE, NULL);
  s9ws_client_send_text (client, "two", &error);
  g_assert_no_error (error);
  s9ws_client_close (client, 1000, NULL, &error);
  g_assert_no_error (error);
  s9ws_client_run (client, NULL, &error);
  g_assert_no_error (error);
  test_server_free (server);
  g_assert_cmpstr (received->str, ==, "one two* ");
}

/* The same where receiving is what opens. */
static void
test_receive_plain (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (GString) received = g_string_new (NULL);
  TestServer *server = create_server (test, script_collect, received);
  g_autoptr (S9wsOptions) options = create_options ("compression-threshold", G_GUINT64_CONSTANT (0), NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GError) error = NULL;
  S9wsEvent *event;

  s9ws_client_set_compress (client, FALSE);
  while ((event = s9ws_client_receive (client, -1, &error)) != NULL)
    {
      if (s9ws_event_get_kind (event) == S9WS_EVENT_KIND_ACTIVATED)
        {
          s9ws_client_send_text (client, "one", &error);
          s9ws_client_set_compress (client, TRUE);
          s9ws_client_send_text (client, "two", &error);
          s9ws_client_close (client, 1000, NULL, &error);
        }
      s9ws_event_unref (event);
    }
  g_assert_no_error (error);
  test_server_free (server);
  g_assert_cmpstr (received->str, ==, "one two* ");
}

/* Many threads: messages refer to those sent before them, whoever sent them. */

typedef struct
{
  guint n_messages;
  guint next[N_THREADS]; /* of each thread's messages come in order */
} Order;

static void
script_order (TestPeer *peer,
              gpointer  user_data)
{
  Order *order = user_data;
  Inflater inflater;
  const char *text;

  inflater_init (&inflater);
  test_peer_accept (peer, NULL, EXTENSION "\r\n");
  while ((text = read_text (peer, &inflater)) != NULL)
    {
      guint thread = (guint) g_ascii_digit_value (text[0]);

      g_assert_cmpuint (thread, <, N_THREADS);
      g_assert_cmpuint (g_ascii_strtoull (text + 2, NULL, 10), ==, order->next[thread]);
      g_assert_nonnull (strchr (text, '*'));
      order->next[thread]++;
      order->n_messages++;
    }
  test_peer_send_close (peer, 1000, NULL);
  inflater_clear (&inflater);
}

typedef struct
{
  S9wsClient *client;
  guint number;
  GThread *thread;
} Sender;

static gpointer
send_many (gpointer data)
{
  Sender *sender = data;

  for (guint i = 0; i < N_MESSAGES; i++)
    {
      g_autofree char *text = g_strdup_printf ("%u %u and so on, as ever with a few words more", sender->number, i);
      g_autoptr (GError) error = NULL;

      s9ws_client_send_text (sender->client, text, &error);
      g_assert_no_error (error);
    }

  return NULL;
}

static void
test_order (void)
{
  Order order = { 0 };
  TestServer *server = test_server_new (script_order, &order);
  g_autoptr (S9wsOptions) options = create_options ("compression-threshold", G_GUINT64_CONSTANT (0), NULL);
  g_autoptr (S9wsClient) client = create_client (KIND_ASYNC, test_server_get_uri (server), options);
  g_autoptr (GError) error = NULL;
  Sender senders[N_THREADS];

  s9ws_client_open (client, NULL, &error);
  g_assert_no_error (error);
  s9ws_async_client_start (S9WS_ASYNC_CLIENT (client), &error);
  g_assert_no_error (error);
  for (guint i = 0; i < N_THREADS; i++)
    {
      senders[i].client = client;
      senders[i].number = i;
      senders[i].thread = g_thread_new ("sender", send_many, &senders[i]);
    }
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (senders[i].thread);
  s9ws_client_close (client, 1000, NULL, &error);
  g_assert_no_error (error);
  s9ws_async_client_join (S9WS_ASYNC_CLIENT (client));
  test_server_free (server);
  g_assert_cmpuint (order.n_messages, ==, N_THREADS * N_MESSAGES);
}

/* Sent before there is a connection, so before it is known what was agreed on. */
static void
test_early (void)
{
  g_autoptr (GString) received = g_string_new (NULL);
  TestServer *server = test_server_new (script_collect, received);
  g_autoptr (S9wsOptions) options = create_options ("compression-threshold", G_GUINT64_CONSTANT (0), NULL);
  g_autoptr (S9wsClient) client = create_client (KIND_ASYNC, test_server_get_uri (server), options);
  g_autoptr (GError) error = NULL;
  S9wsEvent *event;

  s9ws_async_client_start (S9WS_ASYNC_CLIENT (client), &error);
  g_assert_no_error (error);
  s9ws_client_send_text (client, "early", &error);
  g_assert_no_error (error);
  event = s9ws_async_client_pop_event (S9WS_ASYNC_CLIENT (client));
  g_assert_cmpint (s9ws_event_get_kind (event), ==, S9WS_EVENT_KIND_ACTIVATED);
  s9ws_event_unref (event);
  s9ws_client_send_text (client, "late", &error);
  g_assert_no_error (error);
  s9ws_client_close (client, 1000, NULL, &error);
  g_assert_no_error (error);
  s9ws_async_client_join (S9WS_ASYNC_CLIENT (client));
  test_server_free (server);
  g_assert_true (g_str_equal (received->str, "early late* ") || g_str_equal (received->str, "early* late* "));
}

/* Options */

static void
script_request (TestPeer *peer,
                gpointer  user_data)
{
  GString *offers = user_data;
  const char *offer;

  test_peer_read_request (peer);
  offer = test_peer_get_request_header (peer, "Sec-WebSocket-Extensions");
  g_string_append_printf (offers, "%s\n", offer != NULL ? offer : "nothing");
  test_peer_accept (peer, NULL, NULL);
  test_peer_close (peer, 1000, NULL, NULL);
}

static void
test_options (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (GString) offers = g_string_new (NULL);
  TestServer *server = create_server (test, script_request, offers);
  g_autoptr (S9wsOptions) none = create_options ("compression", FALSE, NULL);
  g_autoptr (S9wsOptions) defaults = create_options (NULL, NULL);
  g_autoptr (S9wsOptions) all = create_options ("client-max-window-bits", 9, "server-max-window-bits", 14,
                                                "client-no-context-takeover", TRUE, "server-no-context-takeover", TRUE,
                                                "compression-level", 1, NULL);
  S9wsOptions *const options[] = { none, defaults, all };

  for (gsize i = 0; i < G_N_ELEMENTS (options); i++)
    {
      g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options[i]);
      g_autoptr (GError) error = NULL;

      s9ws_client_run (client, NULL, &error);
      g_assert_no_error (error);
    }

  test_server_free (server);
  g_assert_cmpstr (offers->str, ==, "nothing\n"
                                    "permessage-deflate; client_max_window_bits\n"
                                    "permessage-deflate; client_max_window_bits=9; server_max_window_bits=14; "
                                    "client_no_context_takeover; server_no_context_takeover\n");
}

static void
on_notify (GObject    *object,
           GParamSpec *pspec,
           guint      *n)
{
  (*n)++;
}

static void
test_notify (void)
{
  g_autoptr (S9wsClient) client = create_client (KIND_BLOCKING, "ws://127.0.0.1:1/", NULL);
  guint n = 0;

  g_signal_connect (client, "notify::compress", G_CALLBACK (on_notify), &n);
  s9ws_client_set_compress (client, TRUE);
  g_assert_cmpuint (n, ==, 0);
  s9ws_client_set_compress (client, FALSE);
  s9ws_client_set_compress (client, FALSE);
  g_assert_cmpuint (n, ==, 1);
}

static void
add (const char    *name,
     GTestDataFunc  function,
     gconstpointer  data)
{
  for (Kind kind = 0; kind < N_KINDS; kind++)
    for (int is_secure = FALSE; is_secure <= TRUE; is_secure++)
      {
        Case *test = g_new0 (Case, 1);
        g_autofree char *path = g_strdup_printf ("/client-compression/%s/%s/%s", kind_names[kind],
                                                 is_secure ? "wss" : "ws", name);

        test->kind = kind;
        test->is_secure = is_secure;
        test->data = data;
        g_test_add_data_func_full (path, test, function, g_free);
      }
}

int
main (int    argc,
      char **argv)
{
  setlocale (LC_ALL, "C");
  g_test_init (&argc, &argv, NULL);
  start_watchdog (240);

  for (gsize i = 0; i < G_N_ELEMENTS (ends); i++)
    {
      g_autofree char *name = g_strconcat ("end/", ends[i].name, NULL);

      add (name, test_end, &ends[i]);
    }
  add ("send", test_send, NULL);
  add ("send-plain", test_send_plain, NULL);
  add ("receive-plain", test_receive_plain, NULL);
  add ("options", test_options, NULL);
  g_test_add_func ("/client-compression/order", test_order);
  g_test_add_func ("/client-compression/early", test_early);
  g_test_add_func ("/client-compression/notify", test_notify);

  return g_test_run ();
}
