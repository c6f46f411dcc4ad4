/* test-handler.c: the fast path, by all three clients
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "allocations.h"
#include "recorder.h"

#define N_COUNTED 10000

/* A handler that writes down what it is given, and calls act once where it is told to. */

#define TEST_TYPE_HANDLER (test_handler_get_type ())
G_DECLARE_FINAL_TYPE (TestHandler, test_handler, TEST, HANDLER, GObject)

typedef void (*Act) (TestHandler *handler,
                     S9wsClient *client);

struct _TestHandler
{
  GObject parent_instance;

  GString *log;
  const char *act_at; /* or NULL */
  Act act;
  S9wsClient *client; /* for the act that drops it */
  guint n_polls;
  guint n_idles;
};

static void test_handler_iface_init (S9wsHandlerInterface *iface);

G_DEFINE_TYPE_WITH_CODE (TestHandler, test_handler, G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (S9WS_TYPE_HANDLER, test_handler_iface_init))

static void
act (TestHandler *handler,
     S9wsClient  *client,
     const char  *where)
{
  if (g_strcmp0 (handler->act_at, where) != 0)
    return;

  handler->act_at = NULL;
  handler->act (handler, client);
}

static void
note (S9wsHandler *handler,
      S9wsClient  *client,
      const char  *what)
{
  g_string_append_printf (TEST_HANDLER (handler)->log, "%s ", what);
  act (TEST_HANDLER (handler), client, what);
}

static void
note_data (S9wsHandler  *handler,
           S9wsClient   *client,
           const char   *what,
           const guint8 *data,
           gsize         size)
{
  GString *log = TEST_HANDLER (handler)->log;

  g_string_append_printf (log, "%s(", what);
  for (gsize i = 0; i < MIN (size, 16); i++)
    g_string_append_c (log, data[i] != '\0' ? (char) data[i] : '0');
  if (size > 16)
    g_string_append_printf (log, "... %" G_GSIZE_FORMAT, size);
  g_string_append (log, ") ");
  act (TEST_HANDLER (handler), client, what);
}

static void
on_activated (S9wsHandler *handler,
              S9wsClient  *client)
{
  note (handler, client, "activated");
}

static void
on_poll (S9wsHandler *handler,
         S9wsClient  *client)
{
  TEST_HANDLER (handler)->n_polls++;
  act (TEST_HANDLER (handler), client, "poll");
}

static void
on_idle (S9wsHandler *handler,
         S9wsClient  *client)
{
  TEST_HANDLER (handler)->n_idles++;
  act (TEST_HANDLER (handler), client, "idle");
}

static void
on_text_message (S9wsHandler *handler,
                 S9wsClient  *client,
                 const char  *text,
                 gsize        length)
{
  g_assert_cmpint (text[length], ==, '\0');
  note_data (handler, client, "text", (const guint8 *) text, length);
}

static void
on_binary_message (S9wsHandler  *handler,
                   S9wsClient   *client,
                   const guint8 *data,
                   gsize         length)
{
  note_data (handler, client, "binary", data, length);
}

static void
on_ping (S9wsHandler  *handler,
         S9wsClient   *client,
         const guint8 *data,
         gsize         length)
{
  note_data (handler, client, "ping", data, length);
}

static void
on_pong (S9wsHandler  *handler,
         S9wsClient   *client,
         const guint8 *data,
         gsize         length)
{
  note_data (handler, client, "pong", data, length);
}

static void
on_connection_closed (S9wsHandler *handler,
                      S9wsClient  *client,
                      guint        code,
                      const char  *reason)
{
  g_string_append_printf (TEST_HANDLER (handler)->log, "closed(%u,%s) ", code, reason != NULL ? reason : "");
  act (TEST_HANDLER (handler), client, "closed");
}

static void
on_error (S9wsHandler  *handler,
          S9wsClient   *client,
          const GError *error)
{
  g_assert_true (error->domain == S9WS_ERROR);
  g_string_append_printf (TEST_HANDLER (handler)->log, "error(%d) ", error->code);
  act (TEST_HANDLER (handler), client, "error");
}

static void
on_quit (S9wsHandler *handler,
         S9wsClient  *client)
{
  note (handler, client, "quit");
}

static void
test_handler_iface_init (S9wsHandlerInterface *iface)
{
  iface->activated = on_activated;
  iface->poll = on_poll;
  iface->idle = on_idle;
  iface->text_message = on_text_message;
  iface->binary_message = on_binary_message;
  iface->ping = on_ping;
  iface->pong = on_pong;
  iface->connection_closed = on_connection_closed;
  iface->error = on_error;
  iface->quit = on_quit;
}

static void
test_handler_finalize (GObject *object)
{
  g_string_free (TEST_HANDLER (object)->log, TRUE);
  G_OBJECT_CLASS (test_handler_parent_class)->finalize (object);
}

static void
test_handler_class_init (TestHandlerClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = test_handler_finalize;
}

static void
test_handler_init (TestHandler *handler)
{
  handler->log = g_string_new (NULL);
}

/* One that has no virtual function at all. */

#define DEAF_TYPE_HANDLER (deaf_handler_get_type ())
G_DECLARE_FINAL_TYPE (DeafHandler, deaf_handler, DEAF, HANDLER, GObject)

struct _DeafHandler
{
  GObject parent_instance;
};

G_DEFINE_TYPE_WITH_CODE (DeafHandler, deaf_handler, G_TYPE_OBJECT, G_IMPLEMENT_INTERFACE (S9WS_TYPE_HANDLER, NULL))

static void
deaf_handler_class_init (DeafHandlerClass *klass)
{
}

static void
deaf_handler_init (DeafHandler *handler)
{
}

/* Everything once */

static void
script_all (TestPeer *peer,
            gpointer  user_data)
{
  g_autofree char *large = g_strnfill (70000, 'l');
  TestFrame frame;

  test_peer_accept (peer, NULL, NULL);
  test_peer_send_frame (peer, TEST_TEXT, TRUE, "a\0b", 3);
  test_peer_send_frame (peer, TEST_TEXT, TRUE, NULL, 0);
  test_peer_send_frame (peer, TEST_BINARY, TRUE, "1\0"
                                                 "2",
                        3);
  test_peer_send_frame (peer, TEST_BINARY, TRUE, large, 70000);
  test_peer_send_frame (peer, TEST_TEXT, FALSE, "fr", 2);
  test_peer_send_frame (peer, TEST_PING, TRUE, "p", 1);
  test_peer_send_frame (peer, TEST_CONTINUATION, TRUE, "ag", 2);
  test_peer_send_frame (peer, TEST_PONG, TRUE, "q", 1);
  test_peer_read_frame (peer, &frame);
  test_peer_close (peer, 4001, "done", NULL);
}

#define ALL "activated text(a0b) text() binary(102) binary(llllllllllllllll... 70000) ping(p) text(frag) pong(q) " \
            "closed(4001,done) quit "

static void
on_any_signal (S9wsClient *client,
               gpointer    user_data)
{
  g_assert_not_reached ();
}

static void
test_all (gconstpointer data)
{
  Kind kind = GPOINTER_TO_UINT (data);
  g_autoptr (TestServer) server = test_server_new (script_all, NULL);
  g_autoptr (S9wsClient) client = create_client (kind, test_server_get_uri (server), NULL);
  g_autoptr (TestHandler) handler = g_object_new (TEST_TYPE_HANDLER, NULL);

  g_signal_connect (client, "activated", G_CALLBACK (on_any_signal), NULL);
  g_signal_connect (client, "quit", G_CALLBACK (on_any_signal), NULL);
  s9ws_client_set_handler (client, S9WS_HANDLER (handler));
  g_assert_true (s9ws_client_run (client, NULL, NULL));
  g_assert_cmpstr (handler->log->str, ==, ALL);
  if (kind != KIND_ASYNC)
    g_assert_cmpuint (handler->n_polls, >, 1);
}

static void
script_refuse (TestPeer *peer,
               gpointer  user_data)
{
  test_peer_read_request (peer);
  test_peer_send_string (peer, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
}

static void
test_failing (gconstpointer data)
{
  Kind kind = GPOINTER_TO_UINT (data);
  g_autoptr (TestServer) server = test_server_new (script_refuse, NULL);
  g_autoptr (S9wsClient) client = create_client (kind, test_server_get_uri (server), NULL);
  g_autoptr (TestHandler) handler = g_object_new (TEST_TYPE_HANDLER, NULL);
  g_autofree char *expected = g_strdup_printf ("error(%d) quit ", S9WS_ERROR_HANDSHAKE);

  s9ws_client_set_handler (client, S9WS_HANDLER (handler));
  g_assert_false (s9ws_client_run (client, NULL, NULL));
  g_assert_cmpstr (handler->log->str, ==, expected);
}

static void
test_deaf (gconstpointer data)
{
  Kind kind = GPOINTER_TO_UINT (data);
  g_autoptr (TestServer) server = test_server_new (script_all, NULL);
  g_autoptr (S9wsClient) client = create_client (kind, test_server_get_uri (server), NULL);
  g_autoptr (DeafHandler) handler = g_object_new (DEAF_TYPE_HANDLER, NULL);
  g_autoptr (S9wsStats) stats = NULL;

  s9ws_client_set_handler (client, S9WS_HANDLER (handler));
  g_assert_true (s9ws_client_run (client, NULL, NULL));
  stats = s9ws_client_get_stats (client);
  g_assert_cmpuint (stats->messages_received, ==, 5);
}

/* Acts from inside */

static void
act_close (TestHandler *handler,
           S9wsClient  *client)
{
  s9ws_client_close (client, 1000, NULL, NULL);
}

static void
act_force_quit (TestHandler *handler,
                S9wsClient  *client)
{
  s9ws_client_force_quit (client);
}

static void
act_drop (TestHandler *handler,
          S9wsClient  *client)
{
  g_clear_object (&handler->client);
}

static void
act_run (TestHandler *handler,
         S9wsClient  *client)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (s9ws_client_run (client, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
}

/* The handler that is running is dropped, and signals take over. */
static void
act_to_signals (TestHandler *handler,
                S9wsClient  *client)
{
  record_signals (client, handler->log);
  s9ws_client_set_handler (client, NULL);
}

static void
check_act (Kind        kind,
           const char *where,
           TestScript  script,
           Act         what)
{
  g_autoptr (TestServer) server = test_server_new (script, NULL);
  g_autoptr (S9wsOptions) options = create_options ("read-timeout", (guint64) 1000, "close-timeout", 100, NULL);
  g_autoptr (TestHandler) handler = g_object_new (TEST_TYPE_HANDLER, NULL);

  handler->client = create_client (kind, test_server_get_uri (server), options);
  handler->act_at = where;
  handler->act = what;
  s9ws_client_set_handler (handler->client, S9WS_HANDLER (handler));
  s9ws_client_run (handler->client, NULL, NULL);
  g_assert_null (handler->act_at);
  g_assert_true (g_str_has_suffix (handler->log->str, "quit "));
  g_clear_object (&handler->client);
}

/* Closes as soon as it has said everything, whatever the client does. */
static void
script_all_at_once (TestPeer *peer,
                    gpointer  user_data)
{
  static const char bytes[] = "\x81\x01t\x82\x01"
                              "b\x89\x01p\x8a\x01q\x88\x02\x03\xe8";

  test_peer_accept (peer, NULL, NULL);
  test_peer_send (peer, bytes, sizeof bytes - 1);
  test_peer_wait_end (peer);
}

static void
script_silent (TestPeer *peer,
               gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_wait_end (peer);
}

static void
test_acts (gconstpointer data)
{
  Kind kind = GPOINTER_TO_UINT (data);
  static const char *const wheres[] = { "activated", "text", "binary", "ping", "pong", "closed", "quit" };
  static const Act acts[] = { act_close, act_force_quit, act_drop, act_run, act_to_signals };

  for (guint i = 0; i < G_N_ELEMENTS (acts); i++)
    {
      for (guint j = 0; j < G_N_ELEMENTS (wheres); j++)
        check_act (kind, wheres[j], script_all_at_once, acts[i]);
      check_act (kind, "error", script_refuse, acts[i]);
      if (kind != KIND_ASYNC)
        check_act (kind, "poll", script_all, acts[i]);
    }

  if (kind != KIND_ASYNC)
    {
      check_act (kind, "idle", script_silent, act_close);
      check_act (kind, "idle", script_silent, act_force_quit);
    }
}

/* From handler to handler to signals, and each message goes to one of them. */

static void
act_to_next (TestHandler *handler,
             S9wsClient  *client)
{
  g_autoptr (TestHandler) next = g_object_new (TEST_TYPE_HANDLER, NULL);

  g_string_append (next->log, handler->log->str);
  next->act_at = "binary";
  next->act = act_to_signals;
  s9ws_client_set_handler (client, S9WS_HANDLER (next));
  /* So that the test can look at it. */
  g_object_set_data_full (G_OBJECT (client), "next", g_steal_pointer (&next), g_object_unref);
}

static void
test_change (gconstpointer data)
{
  Kind kind = GPOINTER_TO_UINT (data);
  g_autoptr (TestServer) server = test_server_new (script_all_at_once, NULL);
  g_autoptr (S9wsClient) client = create_client (kind, test_server_get_uri (server), NULL);
  TestHandler *handler = g_object_new (TEST_TYPE_HANDLER, NULL);
  TestHandler *next;
  GWeakRef weak;

  handler->act_at = "text";
  handler->act = act_to_next;
  g_weak_ref_init (&weak, handler);
  s9ws_client_set_handler (client, S9WS_HANDLER (handler));
  g_object_unref (handler);
  g_assert_true (s9ws_client_run (client, NULL, NULL));

  g_assert_null (g_weak_ref_get (&weak));
  g_weak_ref_clear (&weak);
  next = g_object_get_data (G_OBJECT (client), "next");
  g_assert_cmpstr (next->log->str, ==, "activated text(t) binary(b) ping(p) pong(q) closed(1000) quit ");
}

/* Allocations */

typedef struct
{
  guint n_messages;
  guint n_counted;
  gsize before;
  gsize allocations;
  gboolean answers;
} Count;

#define COUNT_TYPE_HANDLER (count_handler_get_type ())
G_DECLARE_FINAL_TYPE (CountHandler, count_handler, COUNT, HANDLER, GObject)

struct _CountHandler
{
  GObject parent_instance;

  Count count;
};

static void count_handler_iface_init (S9wsHandlerInterface *iface);

G_DEFINE_TYPE_WITH_CODE (CountHandler, count_handler, G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (S9WS_TYPE_HANDLER, count_handler_iface_init))

static void
count_handler_class_init (CountHandlerClass *klass)
{
}

static void
count_handler_init (CountHandler *handler)
{
}

/* The first ones may fill pools. */
#define N_WARM_UP 2000

static void
count (S9wsHandler *handler,
       S9wsClient  *client)
{
  Count *c = &COUNT_HANDLER (handler)->count;

  if (++c->n_messages == N_WARM_UP)
    c->before = allocations_get ();
  else if (c->n_messages == N_WARM_UP + N_COUNTED)
    c->allocations = allocations_get () - c->before;

  if (c->answers)
    g_assert_true (s9ws_client_send_text_len (client, "an answer of some length, as usual", 34, NULL));
}

static void
count_text (S9wsHandler *handler,
            S9wsClient  *client,
            const char  *text,
            gsize        length)
{
  count (handler, client);
}

static void
count_binary (S9wsHandler  *handler,
              S9wsClient   *client,
              const guint8 *data,
              gsize         length)
{
  count (handler, client);
}

static void
count_handler_iface_init (S9wsHandlerInterface *iface)
{
  iface->text_message = count_text;
  iface->binary_message = count_binary;
  iface->ping = count_binary;
}

/* Of all lengths of header, in fragments, text, binary and pings: @user_data says whether
 * the client answers each. */
static void
script_thousands (TestPeer *peer,
                  gpointer  user_data)
{
  const gboolean *answers = user_data;
  g_autofree char *payload = g_strnfill (70000, 'x');
  TestFrame frame;

  test_peer_accept (peer, NULL, NULL);
  for (guint i = 0; i < N_WARM_UP + N_COUNTED; i++)
    {
      gsize size = i % 1000 == 0 ? 70000 : i % 100 == 0 ? 1000
                                                        : i % 126;
      guint8 opcode = i % 3 == 0 ? TEST_TEXT : i % 50 == 1 ? TEST_PING
                                                           : TEST_BINARY;

      if (opcode == TEST_PING)
        size %= 126;
      if (i % 10 == 3)
        {
          test_peer_send_frame (peer, opcode, FALSE, payload, size / 2);
          test_peer_send_frame (peer, TEST_CONTINUATION, TRUE, payload, size - size / 2);
        }
      else
        {
          test_peer_send_frame (peer, opcode, TRUE, payload, size);
        }

      if (*answers)
        test_peer_read_frame (peer, &frame);
      if (*answers && opcode == TEST_PING)
        test_peer_read_frame (peer, &frame);
    }

  test_peer_close (peer, 1000, NULL, NULL);
}

static void
check_allocations (Kind         kind,
                   gboolean     answers,
                   S9wsOptions *options)
{
  g_autoptr (TestServer) server = test_server_new (script_thousands, &answers);
  g_autoptr (S9wsClient) client = create_client (kind, test_server_get_uri (server), options);
  g_autoptr (CountHandler) handler = g_object_new (COUNT_TYPE_HANDLER, NULL);

  handler->count.answers = answers;
  s9ws_client_set_handler (client, S9WS_HANDLER (handler));
  g_assert_true (s9ws_client_run (client, NULL, NULL));
  g_assert_cmpuint (handler->count.n_messages, ==, N_WARM_UP + N_COUNTED);
  g_assert_cmpuint (handler->count.allocations, ==, 0);
}

static void
test_allocations (gconstpointer data)
{
  Kind kind = GPOINTER_TO_UINT (data);
  g_autoptr (S9wsOptions) options = create_options ("wait-strategy", S9WS_WAIT_STRATEGY_ADAPTIVE,
                                                    "read-timeout", (guint64) 1000000, NULL);

  check_allocations (kind, FALSE, NULL);
  check_allocations (kind, TRUE, NULL);
  check_allocations (kind, FALSE, options);
  check_allocations (kind, TRUE, options);
}

/* So that the count above cannot be 0 for nothing. */
static void
test_counting (void)
{
  gsize before = allocations_get ();

  g_free (g_strdup ("counted"));
  g_assert_cmpuint (allocations_get (), >, before);
}

int
main (int    argc,
      char **argv)
{
  static const struct
  {
    const char *name;
    GTestDataFunc function;
  } tests[] = {
    { "all", test_all },
    { "failing", test_failing },
    { "deaf", test_deaf },
    { "acts", test_acts },
    { "change", test_change },
    { "allocations", test_allocations },
  };

  g_test_init (&argc, &argv, NULL);
  start_watchdog (240);

  g_test_add_func ("/handler/counting", test_counting);
  for (guint kind = 0; kind < N_KINDS; kind++)
    for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
      {
        g_autofree char *path = g_strdup_printf ("/handler/%s/%s", kind_names[kind], tests[i].name);

        if (kind == KIND_ASYNC && tests[i].function == test_allocations)
          continue;
        g_test_add_data_func (path, GUINT_TO_POINTER (kind), tests[i].function);
      }

  return g_test_run ();
}
