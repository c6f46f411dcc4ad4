/* test-async.c: what only the asynchronous client does
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <dlfcn.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>

#include "recorder.h"

#define N_THREADS 4
#define N_MESSAGES 500

static S9wsAsyncClient *
create (TestServer *server,
        const char *first_property,
        guint64     value)
{
  g_autoptr (S9wsOptions) options = create_options (first_property, value, NULL);

  return s9ws_async_client_new (test_server_get_uri (server), options);
}

/* Sending from many threads */

static gpointer
send_many (gpointer data)
{
  S9wsClient *client = data;

  for (guint i = 0; i < N_MESSAGES; i++)
    {
      /* Of all sizes, so that frames mix if they can. */
      g_autofree char *padding = g_strnfill (i % 50 == 0 ? 70000 : i % 200, 'x');
      g_autofree char *text = g_strdup_printf ("%p %u %s", (gpointer) g_thread_self (), i, padding);

      g_assert_true (s9ws_client_send_text (client, text, NULL));
    }

  return NULL;
}

static void
test_many_threads (void)
{
  g_autoptr (TestServer) server = test_server_new (test_script_echo, NULL);
  g_autoptr (S9wsAsyncClient) client = create (server, NULL, 0);
  g_autoptr (GHashTable) next = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  GThread *threads[N_THREADS];
  guint n = 0;

  g_assert_true (s9ws_async_client_start (client, NULL));
  for (guint i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("sender", send_many, client);

  while (n < N_THREADS * N_MESSAGES)
    {
      g_autoptr (S9wsEvent) event = s9ws_async_client_pop_event (client);
      g_auto (GStrv) parts = NULL;
      guint expected;

      g_assert_nonnull (event);
      if (s9ws_event_get_kind (event) != S9WS_EVENT_KIND_TEXT_MESSAGE)
        {
          g_assert_cmpint (s9ws_event_get_kind (event), ==, S9WS_EVENT_KIND_ACTIVATED);
          continue;
        }

      parts = g_strsplit (s9ws_event_get_text (event), " ", 3);
      expected = GPOINTER_TO_UINT (g_hash_table_lookup (next, parts[0]));
      g_assert_cmpuint (g_ascii_strtoull (parts[1], NULL, 10), ==, expected);
      g_hash_table_replace (next, g_strdup (parts[0]), GUINT_TO_POINTER (expected + 1));
      n++;
    }

  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
  g_assert_true (s9ws_client_close (S9WS_CLIENT (client), 1000, NULL, NULL));
  s9ws_async_client_join (client);
  g_assert_cmpint (s9ws_client_get_state (S9WS_CLIENT (client)), ==, S9WS_STATE_CLOSED);
}

/* The queue */

/* Of one that has been taken off, which is freed. */
static S9wsEventKind
free_for_kind (S9wsEvent *taken)
{
  g_autoptr (S9wsEvent) event = taken;

  g_assert_nonnull (event);
  return s9ws_event_get_kind (event);
}

static S9wsEventKind
pop_kind (S9wsAsyncClient *client)
{
  return free_for_kind (s9ws_async_client_pop_event (client));
}

static void
script_five (TestPeer *peer,
             gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_send_frame (peer, TEST_TEXT, TRUE, "a\0b", 3);
  test_peer_send_frame (peer, TEST_BINARY, TRUE, "\1\2", 2);
  test_peer_send_frame (peer, TEST_PING, TRUE, "p", 1);
  test_peer_send_frame (peer, TEST_PONG, TRUE, NULL, 0);
  test_peer_close (peer, 3001, "five", NULL);
}

static void
test_events (void)
{
  g_autoptr (TestServer) server = test_server_new (script_five, NULL);
  g_autoptr (S9wsAsyncClient) client = create (server, NULL, 0);
  g_autoptr (S9wsEvent) text = NULL;
  g_autoptr (S9wsEvent) binary = NULL;
  g_autoptr (S9wsEvent) closed = NULL;
  g_autoptr (GBytes) bytes = NULL;
  const guint8 *data;
  gsize size;

  g_assert_null (s9ws_async_client_try_pop_event (client));
  g_assert_true (s9ws_async_client_start (client, NULL));
  g_assert_true (s9ws_async_client_start (client, NULL));
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_ACTIVATED);
  g_assert_cmpint (s9ws_client_get_fd (S9WS_CLIENT (client)), ==, -1);
  g_assert_null (s9ws_client_get_socket (S9WS_CLIENT (client)));

  text = s9ws_async_client_pop_event (client);
  g_assert_cmpint (s9ws_event_get_kind (text), ==, S9WS_EVENT_KIND_TEXT_MESSAGE);
  g_assert_cmpstr (s9ws_event_get_text (text), ==, "a\357\277\275b");
  data = s9ws_event_get_data (text, &size);
  g_assert_cmpmem (data, size, "a\0b", 3);
  g_assert_cmpuint (s9ws_event_get_code (text), ==, 0);
  g_assert_null (s9ws_event_get_reason (text));
  g_assert_null (s9ws_event_get_error (text));

  binary = s9ws_async_client_pop_event (client);
  g_assert_cmpint (s9ws_event_get_kind (binary), ==, S9WS_EVENT_KIND_BINARY_MESSAGE);
  g_assert_null (s9ws_event_get_text (binary));
  bytes = s9ws_event_get_bytes (binary);
  g_clear_pointer (&binary, s9ws_event_unref);
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), "\1\2", 2);

  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_PING);
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_PONG);
  closed = s9ws_async_client_pop_event (client);
  g_assert_cmpint (s9ws_event_get_kind (closed), ==, S9WS_EVENT_KIND_CONNECTION_CLOSED);
  g_assert_cmpuint (s9ws_event_get_code (closed), ==, 3001);
  g_assert_cmpstr (s9ws_event_get_reason (closed), ==, "five");
  data = s9ws_event_get_data (closed, &size);
  g_assert_cmpuint (size, ==, 0);
  g_assert_null (s9ws_event_get_bytes (closed));
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_QUIT);

  /* There is nothing more, and nobody waits for it. */
  g_assert_null (s9ws_async_client_pop_event (client));
  g_assert_null (s9ws_async_client_timeout_pop_event (client, G_MAXUINT64));
  g_assert_null (s9ws_async_client_pop_events (client, 10, -1));
  s9ws_async_client_join (client);
}

static gboolean
is_readable (int fd,
             int timeout)
{
  struct pollfd pollfd = { .fd = fd, .events = POLLIN };

  return poll (&pollfd, 1, timeout) == 1 && (pollfd.revents & POLLIN) != 0;
}

static void
script_two_at_gate (TestPeer *peer,
                    gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  for (guint i = 0; i < 2; i++)
    {
      test_gate_wait (user_data);
      test_gate_close (user_data);
      test_peer_send_frame (peer, TEST_TEXT, TRUE, "Hello", 5);
    }
  test_peer_close (peer, 1000, NULL, NULL);
}

/* Readable for exactly as long as there are events, and after the end. */
static void
check_event_fd (gboolean is_early)
{
  TestGate gate = { 0 };
  g_autoptr (TestServer) server = test_server_new (script_two_at_gate, &gate);
  g_autoptr (S9wsAsyncClient) client = create (server, NULL, 0);
  int fd = is_early ? s9ws_async_client_get_event_fd (client) : -1;

  if (is_early)
    g_assert_false (is_readable (fd, 0));
  g_assert_true (s9ws_async_client_start (client, NULL));
  if (is_early)
    g_assert_true (is_readable (fd, TEST_TIMEOUT * 1000));
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_ACTIVATED);

  fd = s9ws_async_client_get_event_fd (client);
  g_assert_cmpint (fd, ==, s9ws_async_client_get_event_fd (client));
  g_assert_false (is_readable (fd, 0));
  test_gate_open (&gate);
  g_assert_true (is_readable (fd, TEST_TIMEOUT * 1000));
  g_assert_true (is_readable (fd, 0));
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_TEXT_MESSAGE);
  g_assert_false (is_readable (fd, 0));
  g_assert_null (s9ws_async_client_try_pop_event (client));
  g_assert_false (is_readable (fd, 0));

  test_gate_open (&gate);
  s9ws_async_client_join (client);
  for (S9wsEventKind kind = 0; kind != S9WS_EVENT_KIND_QUIT; kind = pop_kind (client))
    g_assert_true (is_readable (fd, 0));
  g_assert_true (is_readable (fd, 0));
}

static void
test_event_fd (void)
{
  check_event_fd (TRUE);
  check_event_fd (FALSE);
}

static gpointer
pop_all (gpointer data)
{
  S9wsAsyncClient *client = data;
  S9wsEvent *event;
  guint n = 0;

  while ((event = s9ws_async_client_pop_event (client)) != NULL)
    {
      s9ws_event_unref (event);
      n++;
    }

  return GUINT_TO_POINTER (n);
}

/* Each of several who wait is told of the end. */
static void
test_many_poppers (void)
{
  g_autoptr (TestServer) server = test_server_new (script_five, NULL);
  g_autoptr (S9wsAsyncClient) client = create (server, NULL, 0);
  GThread *threads[N_THREADS];
  guint n = 0;

  g_assert_true (s9ws_async_client_start (client, NULL));
  for (guint i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("popper", pop_all, client);
  for (guint i = 0; i < N_THREADS; i++)
    n += GPOINTER_TO_UINT (g_thread_join (threads[i]));
  g_assert_cmpuint (n, ==, 7);
}

static void
test_pop_events (void)
{
  g_autoptr (TestServer) server = test_server_new (script_five, NULL);
  g_autoptr (S9wsAsyncClient) client = create (server, NULL, 0);
  guint n = 0;

  g_assert_true (s9ws_async_client_start (client, NULL));
  while (n < 7)
    {
      GList *events = s9ws_async_client_pop_events (client, 3, n % 2 == 0 ? -1 : G_MAXINT64);

      g_assert_cmpuint (g_list_length (events), >=, 1);
      g_assert_cmpuint (g_list_length (events), <=, 3);
      n += g_list_length (events);
      g_list_free_full (events, (GDestroyNotify) s9ws_event_unref);
    }
  g_assert_cmpuint (n, ==, 7);
}

/* Small and large ones in turn, around the sizes up to which memory is used again. */
static gsize
get_size_of (guint i)
{
  static const gsize sizes[] = { 0, 16383, 135, 136, 64, 16384, 519, 520, 1, 8199, 8200, 263, 264, 1031, 4103, 16385, 2055, 120 };

  return sizes[i / 2 % G_N_ELEMENTS (sizes)];
}

static void
fill_payload (guint8 *payload,
              guint   i)
{
  memset (payload, 'a' + (int) i % 26, get_size_of (i) + 1);
  payload[i % 100] = '\0';
}

/* Events whose memory has been used before, and those that are kept meanwhile. */
static void
test_events_again (void)
{
  g_autoptr (TestServer) server = test_server_new (test_script_echo, NULL);
  g_autoptr (S9wsAsyncClient) client = create (server, NULL, 0);
  g_autoptr (GPtrArray) kept = g_ptr_array_new_with_free_func ((GDestroyNotify) s9ws_event_unref);
  guint8 payload[17000] = { 0 };

  g_assert_true (s9ws_async_client_start (client, NULL));
  s9ws_event_unref (s9ws_async_client_pop_event (client));
  for (guint i = 0; i < N_MESSAGES; i++)
    {
      fill_payload (payload, i);
      if (i % 2 == 0)
        g_assert_true (s9ws_client_send_text_len (S9WS_CLIENT (client), (const char *) payload, (gssize) get_size_of (i), NULL));
      else
        g_assert_true (s9ws_client_send_binary (S9WS_CLIENT (client), payload, get_size_of (i), NULL));

      g_ptr_array_add (kept, s9ws_async_client_pop_event (client));
      if (i % 2 == 0)
        g_assert_nonnull (s9ws_event_get_text (g_ptr_array_index (kept, kept->len - 1)));
      if (i % 3 != 0)
        g_ptr_array_remove_index (kept, kept->len - 1);
    }

  for (guint i = 0; i < kept->len; i++)
    {
      guint number = i * 3;
      gsize size;
      const guint8 *data = s9ws_event_get_data (kept->pdata[i], &size);

      fill_payload (payload, number);
      g_assert_cmpmem (data, size, payload, get_size_of (number));
      if (s9ws_event_get_kind (kept->pdata[i]) == S9WS_EVENT_KIND_TEXT_MESSAGE)
        g_assert_cmpuint (data[size], ==, 0);
    }

  s9ws_client_force_quit (S9WS_CLIENT (client));
  s9ws_async_client_join (client);
  g_clear_object (&client);
}

static void
test_get_queue (void)
{
  g_autoptr (TestServer) server = test_server_new (script_five, NULL);
  g_autoptr (S9wsAsyncClient) client = create (server, "max-queued-bytes", 1);
  S9wsEventKind kind;
  guint n = 0;

  g_assert_true (s9ws_async_client_start (client, NULL));
  do
    {
      kind = free_for_kind (g_async_queue_pop (s9ws_async_client_get_queue (client)));
      n++;
    }
  while (kind != S9WS_EVENT_KIND_QUIT);
  g_assert_cmpuint (n, ==, 7);
}

/* Asked for once all has come: it has all that is left, in order, and the client's methods
 * take off what is in it. */
static void
test_get_queue_late (void)
{
  g_autoptr (TestServer) server = test_server_new (script_five, NULL);
  g_autoptr (S9wsAsyncClient) client = create (server, NULL, 0);
  GAsyncQueue *queue;

  g_assert_true (s9ws_async_client_start (client, NULL));
  s9ws_async_client_join (client);
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_ACTIVATED);

  queue = s9ws_async_client_get_queue (client);
  g_assert_true (queue == s9ws_async_client_get_queue (client));
  g_assert_cmpint (g_async_queue_length (queue), ==, 6);
  g_assert_cmpint (free_for_kind (g_async_queue_try_pop (queue)), ==, S9WS_EVENT_KIND_TEXT_MESSAGE);
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_BINARY_MESSAGE);
  g_assert_cmpint (free_for_kind (g_async_queue_try_pop (queue)), ==, S9WS_EVENT_KIND_PING);
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_PONG);
  g_assert_cmpint (free_for_kind (g_async_queue_try_pop (queue)), ==, S9WS_EVENT_KIND_CONNECTION_CLOSED);
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_QUIT);
  g_assert_null (g_async_queue_try_pop (queue));
  g_assert_null (s9ws_async_client_pop_event (client));
}

/* Asked for while messages come: none is lost, and none overtakes another. */

#define N_NUMBERS 20000

static void
script_numbers (TestPeer *peer,
                gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  for (guint i = 0; i < N_NUMBERS; i++)
    test_peer_send_frame (peer, TEST_BINARY, TRUE, &i, sizeof i);
  test_peer_close (peer, 1000, NULL, NULL);
}

static void
test_get_queue_amid (void)
{
  g_autoptr (TestServer) server = test_server_new (script_numbers, NULL);
  g_autoptr (S9wsAsyncClient) client = create (server, NULL, 0);
  guint n = 0;

  g_assert_true (s9ws_async_client_start (client, NULL));
  while (TRUE)
    {
      g_autoptr (S9wsEvent) event = s9ws_async_client_pop_event (client);
      guint number;
      gsize size;

      g_assert_nonnull (event);
      if (s9ws_event_get_kind (event) == S9WS_EVENT_KIND_QUIT)
        break;
      if (s9ws_event_get_kind (event) != S9WS_EVENT_KIND_BINARY_MESSAGE)
        continue;

      memcpy (&number, s9ws_event_get_data (event, &size), sizeof number);
      g_assert_cmpuint (number, ==, n);
      if (++n == N_NUMBERS / 4)
        s9ws_async_client_get_queue (client);
    }
  g_assert_cmpuint (n, ==, N_NUMBERS);
}

/* Opened and started at once, by two threads: there is one connection. */

static void
script_late (TestPeer *peer,
             gpointer  user_data)
{
  TestGate *gates = user_data;

  test_peer_read_request (peer);
  test_gate_open (&gates[0]);
  test_gate_wait (&gates[1]);
  test_peer_accept (peer, NULL, NULL);
  test_peer_close (peer, 1000, NULL, NULL);
}

static gpointer
open_client (gpointer data)
{
  return GINT_TO_POINTER (s9ws_client_open (data, NULL, NULL));
}

static void
test_start_while_opening (void)
{
  TestGate gates[2] = { 0 };
  g_autoptr (TestServer) server = test_server_new (script_late, gates);
  g_autoptr (S9wsAsyncClient) client = create (server, NULL, 0);
  GThread *thread = g_thread_new ("open", open_client, client);

  g_assert_true (test_gate_wait (&gates[0]));
  g_assert_true (s9ws_async_client_start (client, NULL));
  g_assert_null (s9ws_async_client_timeout_pop_event (client, 20000));
  test_gate_open (&gates[1]);
  g_assert_true (GPOINTER_TO_INT (g_thread_join (thread)));
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_ACTIVATED);
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_CONNECTION_CLOSED);
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_QUIT);
  g_assert_cmpuint (test_server_get_n_connections (server), ==, 1);
}

/* Holding back */

#define N_HELD 2000
#define HELD_SIZE 4000

typedef struct
{
  int n_sent; /* atomic */
  TestGate done;
} Held;

static void
script_held (TestPeer *peer,
             gpointer  user_data)
{
  Held *held = user_data;
  g_autofree char *payload = g_malloc0 (HELD_SIZE);

  test_peer_accept (peer, NULL, NULL);
  for (guint i = 0; i < N_HELD; i++)
    {
      if (!test_peer_send_frame (peer, TEST_BINARY, TRUE, payload, HELD_SIZE))
        return;
      g_atomic_int_inc (&held->n_sent);
    }
  test_peer_close (peer, 1000, NULL, NULL);
}

static gssize
get_queued (S9wsAsyncClient *client)
{
  return g_async_queue_length (s9ws_async_client_get_queue (client));
}

static void
test_max_queued_bytes (void)
{
  Held held = { 0 };
  g_autoptr (TestServer) server = test_server_new (script_held, &held);
  g_autoptr (S9wsAsyncClient) client = create (server, "max-queued-bytes", 100000);
  guint n = 0, calm = 0;
  gssize queued = -1;

  g_assert_true (s9ws_async_client_start (client, NULL));
  /* Until the queue has stopped growing: then the thread must have stopped reading. */
  while (calm < 50)
    {
      gssize now = get_queued (client);

      calm = now == queued && now > 1 ? calm + 1 : 0;
      queued = now;
      g_usleep (1000);
    }
  g_assert_cmpint (queued, <=, (100000 + 2 * 65536) / HELD_SIZE + 2);

  while (TRUE)
    {
      g_autoptr (S9wsEvent) event = s9ws_async_client_pop_event (client);

      g_assert_nonnull (event);
      if (s9ws_event_get_kind (event) == S9WS_EVENT_KIND_BINARY_MESSAGE)
        n++;
      if (s9ws_event_get_kind (event) == S9WS_EVENT_KIND_QUIT)
        break;
    }
  g_assert_cmpuint (n, ==, N_HELD);
}

#define N_PULLED 64
#define PULLED_SIZE (16 * 1024)
#define PULLED_LIMIT (256 * 1024)

/* A message for each that comes. */
static void
script_pulled (TestPeer *peer,
               gpointer  user_data)
{
  g_autofree char *payload = g_malloc0 (PULLED_SIZE);
  TestFrame frame;

  test_peer_accept (peer, NULL, NULL);
  while (test_peer_read_frame (peer, &frame))
    test_peer_send_frame (peer, TEST_BINARY, TRUE, payload, PULLED_SIZE);
}

/* A message that comes alone keeps a whole receive buffer alive: that is what counts. */
static void
test_max_queued_bytes_trickling (void)
{
  g_autoptr (TestServer) server = test_server_new (script_pulled, NULL);
  g_autoptr (S9wsAsyncClient) client = create (server, "max-queued-bytes", PULLED_LIMIT);
  gssize queued = 0;
  guint n_pulled = 0;

  g_assert_true (s9ws_async_client_start (client, NULL));
  for (guint calm = 0; calm < 50 && n_pulled < N_PULLED;)
    {
      gssize now = get_queued (client);

      if (now > queued)
        {
          g_assert_true (s9ws_client_send_text (S9WS_CLIENT (client), "one", NULL));
          n_pulled++;
          calm = 0;
        }
      else if (now > 1)
        {
          calm++;
          g_usleep (1000);
        }
      queued = now;
    }
  g_assert_cmpint (queued, <=, PULLED_LIMIT / 65536 + 2);

  s9ws_client_force_quit (S9WS_CLIENT (client));
  s9ws_async_client_join (client);
}

/* Sends go out, and a close works, while reading is held back. */
static void
script_held_and_listening (TestPeer *peer,
                           gpointer  user_data)
{
  TestGate *gate = user_data;
  g_autofree char *payload = g_malloc0 (HELD_SIZE);
  TestFrame frame;

  test_peer_accept (peer, NULL, NULL);
  for (guint i = 0; i < 20; i++)
    test_peer_send_frame (peer, TEST_BINARY, TRUE, payload, HELD_SIZE);
  if (test_peer_read_frame (peer, &frame) && strcmp (frame.payload, "through") == 0)
    test_gate_open (gate);
  test_peer_wait_end (peer);
}

static void
test_send_while_held (void)
{
  TestGate gate = { 0 };
  g_autoptr (TestServer) server = test_server_new (script_held_and_listening, &gate);
  g_autoptr (S9wsAsyncClient) client = create (server, "max-queued-bytes", 1000);

  g_assert_true (s9ws_async_client_start (client, NULL));
  while (get_queued (client) < 2)
    g_thread_yield ();
  g_assert_true (s9ws_client_send_text (S9WS_CLIENT (client), "through", NULL));
  g_assert_true (test_gate_wait (&gate));
  s9ws_client_force_quit (S9WS_CLIENT (client));
  s9ws_async_client_join (client);
}

/* What the server sends behind the client's Close, and before it answers. */

#define CLOSING_MAX (16 * 1024 * 1024) /* bytes that may be queued then beyond the limit */

typedef struct
{
  guint n_before, n_after; /* messages */
  gsize size;              /* of each, in bytes */
  gboolean is_bounded;     /* more than may be queued */
} Tail;

static void
script_tail (TestPeer *peer,
             gpointer  user_data)
{
  const Tail *tail = user_data;
  g_autofree char *payload = g_malloc0 (tail->size);
  TestFrame frame;

  test_peer_accept (peer, NULL, NULL);
  for (guint i = 0; i < tail->n_before; i++)
    test_peer_send_frame (peer, TEST_BINARY, TRUE, payload, tail->size);
  g_assert_true (test_peer_read_frame (peer, &frame));
  g_assert_cmpint (frame.opcode, ==, TEST_CLOSE);
  for (guint i = 0; i < tail->n_after; i++)
    test_peer_send_frame (peer, TEST_BINARY, TRUE, payload, tail->size);
  test_peer_send_close (peer, 3001, NULL);
  test_peer_wait_end (peer);
}

/* Until the queue has stopped growing, far beyond its limit. */
static void
wait_held (S9wsAsyncClient *client,
           gsize            size)
{
  gssize queued = -1;

  for (guint calm = 0; calm < 50;)
    {
      gssize now = get_queued (client);

      calm = now == queued && (gsize) now * size > CLOSING_MAX / 4 ? calm + 1 : 0;
      queued = now;
      g_usleep (1000);
    }
}

/* Nobody takes events off, and yet it ends by the server's answer; nothing is lost. */
static void
test_close_while_held (gconstpointer data)
{
  const Tail *tail = data;
  g_autoptr (TestServer) server = test_server_new (script_tail, (gpointer) tail);
  g_autoptr (S9wsOptions) options = create_options ("max-queued-bytes", (guint64) 1000, "close-timeout", 0u, NULL);
  g_autoptr (S9wsAsyncClient) client = s9ws_async_client_new (test_server_get_uri (server), options);
  S9wsEventKind kind = S9WS_EVENT_KIND_ACTIVATED;
  guint n = 0;

  g_assert_true (s9ws_async_client_start (client, NULL));
  while (get_queued (client) < 2)
    g_thread_yield ();
  g_assert_true (s9ws_client_close (S9WS_CLIENT (client), 1000, NULL, NULL));
  if (!tail->is_bounded)
    s9ws_async_client_join (client);
  else
    wait_held (client, tail->size);
  g_assert_cmpuint ((gsize) get_queued (client) * tail->size, <, 2 * CLOSING_MAX);

  while (kind != S9WS_EVENT_KIND_QUIT)
    {
      g_autoptr (S9wsEvent) event = s9ws_async_client_pop_event (client);

      kind = s9ws_event_get_kind (event);
      n += kind == S9WS_EVENT_KIND_BINARY_MESSAGE;
      if (kind == S9WS_EVENT_KIND_CONNECTION_CLOSED)
        g_assert_cmpuint (s9ws_event_get_code (event), ==, 3001);
    }
  g_assert_cmpuint (n, ==, tail->n_before + tail->n_after);
}

/* Before it is open */

static void
test_send_before_open (void)
{
  g_autoptr (TestServer) server = test_server_new (test_script_echo, NULL);
  g_autoptr (S9wsAsyncClient) client = create (server, NULL, 0);
  S9wsClient *base = S9WS_CLIENT (client);
  g_autoptr (S9wsEvent) event = NULL;

  g_assert_true (s9ws_async_client_start (client, NULL));
  g_assert_true (s9ws_client_send_text (base, "early", NULL));
  g_assert_true (s9ws_client_close (base, 1000, NULL, NULL));
  g_assert_false (s9ws_client_send_text (base, "late", NULL));
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_ACTIVATED);
  event = s9ws_async_client_pop_event (client);
  g_assert_cmpstr (s9ws_event_get_text (event), ==, "early");
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_CONNECTION_CLOSED);
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_QUIT);
}

static void
script_refuse_at_gate (TestPeer *peer,
                       gpointer  user_data)
{
  test_peer_read_request (peer);
  test_gate_wait (user_data);
  test_peer_send_string (peer, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
}

static void
test_unsent (void)
{
  TestGate gate = { 0 };
  g_autoptr (TestServer) server = test_server_new (script_refuse_at_gate, &gate);
  g_autoptr (S9wsAsyncClient) client = create (server, NULL, 0);
  S9wsClient *base = S9WS_CLIENT (client);
  g_autoptr (S9wsStats) stats = NULL;

  g_assert_true (s9ws_async_client_start (client, NULL));
  g_assert_true (s9ws_client_send_text (base, "one", NULL));
  g_assert_true (s9ws_client_send_text (base, "two", NULL));
  g_assert_cmpuint (s9ws_client_get_buffered_amount (base), ==, 2 * (6 + 3));
  test_gate_open (&gate);
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_ERROR);
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_QUIT);
  stats = s9ws_client_get_stats (base);
  g_assert_cmpuint (stats->messages_unsent, ==, 2);
  g_assert_cmpuint (stats->bytes_unsent, ==, 18);
  g_assert_cmpuint (s9ws_client_get_buffered_amount (base), ==, 0);
  g_assert_cmpuint (s9ws_client_get_response_status (base), ==, 503);
}

/* Messages without a piece are bytes, too. */
static void
test_begin_when_full (void)
{
  TestGate gate = { 0 };
  g_autoptr (TestServer) server = test_server_new (script_refuse_at_gate, &gate);
  g_autoptr (S9wsAsyncClient) client = create (server, "max-buffered-amount", 100);
  S9wsClient *base = S9WS_CLIENT (client);
  g_autoptr (GError) error = NULL;
  guint n = 0;

  g_assert_true (s9ws_async_client_start (client, NULL));
  while (n < 1000 && s9ws_client_begin_message (base, S9WS_MESSAGE_KIND_TEXT, &error))
    {
      g_assert_true (s9ws_client_finish_message (base, NULL));
      n++;
    }
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_BUFFER_FULL);
  g_assert_cmpuint (n, ==, 100 / 6 + 1);
  test_gate_open (&gate);
  s9ws_async_client_join (client);
}

/* Opened by hand, then given its thread: what is sent in between goes out, too. */
static void
test_open_then_start (void)
{
  g_autoptr (TestServer) server = test_server_new (test_script_echo, NULL);
  g_autoptr (S9wsAsyncClient) client = create (server, NULL, 0);
  S9wsClient *base = S9WS_CLIENT (client);
  g_autoptr (S9wsEvent) event = NULL;

  g_assert_true (s9ws_client_open (base, NULL, NULL));
  g_assert_cmpint (s9ws_client_get_fd (base), >=, 0);
  g_assert_true (s9ws_client_send_text (base, "between", NULL));
  g_assert_true (s9ws_async_client_start (client, NULL));
  g_assert_cmpint (s9ws_client_get_fd (base), ==, -1);
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_ACTIVATED);
  event = s9ws_async_client_pop_event (client);
  g_assert_cmpstr (s9ws_event_get_text (event), ==, "between");
}

static void
test_open_while_started (void)
{
  g_autoptr (TestServer) server = test_server_new (test_script_echo, NULL);
  g_autoptr (S9wsAsyncClient) client = create (server, NULL, 0);
  g_autoptr (GError) error = NULL;

  s9ws_async_client_attach (client, NULL);
  if (!s9ws_client_open (S9WS_CLIENT (client), NULL, &error))
    /* It was faster than we were. */
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
  g_assert_cmpint (s9ws_client_get_state (S9WS_CLIENT (client)), ==, S9WS_STATE_OPEN);
}

/* Main contexts */

typedef struct
{
  GMainContext *context;
  GMainLoop *loop;
  GThread *thread; /* where signals have to come */
  guint n_messages;
  guint n_timeouts;
  guint n_timeouts_in_flood;
} Context;

static void
on_text_in_context (S9wsClient *client,
                    const char *text,
                    gpointer    user_data)
{
  Context *context = user_data;

  g_assert_true (g_thread_self () == context->thread);
  context->n_messages++;
}

static void
on_quit_in_context (S9wsClient *client,
                    gpointer    user_data)
{
  Context *context = user_data;

  g_assert_true (g_thread_self () == context->thread);
  g_main_loop_quit (context->loop);
}

static gboolean
on_idle_in_context (gpointer user_data)
{
  Context *context = user_data;

  context->n_timeouts++;
  if (context->n_messages > 0 && context->n_messages < 20000)
    context->n_timeouts_in_flood++;
  return G_SOURCE_CONTINUE;
}

static void
script_many (TestPeer *peer,
             gpointer  user_data)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  test_peer_accept (peer, NULL, NULL);
  for (guint i = 0; i < 20000; i++)
    g_byte_array_append (bytes, (const guint8 *) "\x81\x04text", 6);
  test_peer_send (peer, bytes->data, bytes->len);
  test_peer_close (peer, 1000, NULL, NULL);
}

/* In its own context only, and so that others there have their turn. */
static void
test_attach (void)
{
  g_autoptr (TestServer) server = test_server_new (script_many, NULL);
  g_autoptr (S9wsAsyncClient) client = create (server, NULL, 0);
  g_autoptr (GSource) timeout = g_idle_source_new ();
  Context context = { .context = g_main_context_new (), .thread = g_thread_self () };

  context.loop = g_main_loop_new (context.context, FALSE);
  g_source_set_priority (timeout, G_PRIORITY_DEFAULT);
  g_source_set_callback (timeout, on_idle_in_context, &context, NULL);
  g_source_attach (timeout, context.context);
  g_signal_connect (client, "text-message", G_CALLBACK (on_text_in_context), &context);
  g_signal_connect (client, "quit", G_CALLBACK (on_quit_in_context), &context);
  s9ws_async_client_attach (client, context.context);
  g_main_loop_run (context.loop);
  g_assert_cmpuint (context.n_messages, ==, 20000);
  g_assert_cmpuint (context.n_timeouts_in_flood, >=, 20000 / 256 - 2);

  g_source_destroy (timeout);
  g_main_loop_unref (context.loop);
  g_main_context_unref (context.context);
}

/* What GTK redraws by comes after the default priority, and has its turn all the same. */
static void
test_attach_and_redraw (void)
{
  g_autoptr (TestServer) server = test_server_new (script_many, NULL);
  g_autoptr (S9wsAsyncClient) client = create (server, NULL, 0);
  g_autoptr (GSource) redraw = g_idle_source_new ();
  Context context = { .context = g_main_context_new (), .thread = g_thread_self () };

  /* All is there before anything is taken off: only turns count, not time. */
  g_assert_true (s9ws_async_client_start (client, NULL));
  s9ws_async_client_join (client);

  context.loop = g_main_loop_new (context.context, FALSE);
  g_source_set_priority (redraw, G_PRIORITY_HIGH_IDLE + 20);
  g_source_set_callback (redraw, on_idle_in_context, &context, NULL);
  g_source_attach (redraw, context.context);
  g_signal_connect (client, "text-message", G_CALLBACK (on_text_in_context), &context);
  g_signal_connect (client, "quit", G_CALLBACK (on_quit_in_context), &context);
  s9ws_async_client_attach (client, context.context);
  g_main_loop_run (context.loop);
  g_assert_cmpuint (context.n_messages, ==, 20000);
  /* Now and then the source steps forward. */
  g_assert_cmpuint (context.n_timeouts_in_flood, >=, 20000 / 256 / 4);

  g_source_destroy (redraw);
  g_main_loop_unref (context.loop);
  g_main_context_unref (context.context);
}

/* From one context to another, from inside handlers: no signal in the wrong one, none
 * beside a handler that still runs in another thread, and all in their order. */

#define MOVED_EVERY 37

typedef struct
{
  GMainContext *contexts[2];
  GMainLoop *loops[2];
  GMainContext *expected; /* only whoever emits has to do with the next three */
  guint n_messages;
  gboolean is_emitting;
} Moves;

static void
begin_in_moved (Moves *moves)
{
  g_assert_true (g_source_get_context (g_main_current_source ()) == moves->expected);
  g_assert_false (moves->is_emitting);
  moves->is_emitting = TRUE;
}

static void
on_text_moved (S9wsClient *client,
               const char *text,
               gpointer    user_data)
{
  Moves *moves = user_data;

  begin_in_moved (moves);
  g_assert_cmpuint (strlen (text), ==, 4);
  if (++moves->n_messages % MOVED_EVERY == 0)
    {
      moves->expected = moves->contexts[(moves->n_messages / MOVED_EVERY) % 2];
      s9ws_async_client_attach (S9WS_ASYNC_CLIENT (client), moves->expected);
      g_thread_yield ();
    }
  moves->is_emitting = FALSE;
}

static void
on_quit_moved (S9wsClient *client,
               gpointer    user_data)
{
  Moves *moves = user_data;

  begin_in_moved (moves);
  g_main_loop_quit (moves->loops[0]);
  g_main_loop_quit (moves->loops[1]);
}

static gpointer
run_loop (gpointer data)
{
  GMainLoop *loop = data;

  g_main_context_push_thread_default (g_main_loop_get_context (loop));
  g_main_loop_run (loop);
  g_main_context_pop_thread_default (g_main_loop_get_context (loop));
  return NULL;
}

static void
test_attach_elsewhere (void)
{
  g_autoptr (TestServer) server = test_server_new (script_many, NULL);
  g_autoptr (S9wsAsyncClient) client = create (server, NULL, 0);
  GThread *threads[2];
  Moves moves = { 0 };

  for (guint i = 0; i < 2; i++)
    {
      moves.contexts[i] = g_main_context_new ();
      moves.loops[i] = g_main_loop_new (moves.contexts[i], FALSE);
    }
  moves.expected = moves.contexts[0];
  g_signal_connect (client, "text-message", G_CALLBACK (on_text_moved), &moves);
  g_signal_connect (client, "quit", G_CALLBACK (on_quit_moved), &moves);
  s9ws_async_client_attach (client, moves.contexts[0]);

  for (guint i = 0; i < 2; i++)
    threads[i] = g_thread_new ("loop", run_loop, moves.loops[i]);
  for (guint i = 0; i < 2; i++)
    g_thread_join (threads[i]);
  g_assert_cmpuint (moves.n_messages, ==, 20000);

  for (guint i = 0; i < 2; i++)
    {
      g_main_loop_unref (moves.loops[i]);
      g_main_context_unref (moves.contexts[i]);
    }
}

static void
on_opened_count (GObject      *object,
                 GAsyncResult *result,
                 gpointer      user_data)
{
  guint *n = user_data;

  g_assert_true (s9ws_client_open_finish (S9WS_CLIENT (object), result, NULL));
  ++*n;
}

static void
script_echo_at_gate (TestPeer *peer,
                     gpointer  user_data)
{
  test_gate_wait (user_data);
  test_script_echo (peer, NULL);
}

/* Whoever asks while it is being opened is told when it is. */
static void
test_open_async_twice (void)
{
  TestGate gate = { 0 };
  g_autoptr (TestServer) server = test_server_new (script_echo_at_gate, &gate);
  g_autoptr (S9wsAsyncClient) client = create (server, NULL, 0);
  guint n = 0;

  s9ws_client_open_async (S9WS_CLIENT (client), NULL, on_opened_count, &n);
  s9ws_client_open_async (S9WS_CLIENT (client), NULL, on_opened_count, &n);
  g_assert_cmpuint (n, ==, 0);
  test_gate_open (&gate);
  while (n < 2)
    g_main_context_iteration (NULL, TRUE);
}

typedef struct
{
  GAsyncResult *result;
  guint n_texts;
  gboolean has_quit;
} Kept;

static void
on_opened_keep (GObject      *object,
                GAsyncResult *result,
                gpointer      user_data)
{
  Kept *kept = user_data;

  g_assert_true (s9ws_client_open_finish (S9WS_CLIENT (object), result, NULL));
  kept->result = g_object_ref (result);
}

static void
on_text_count (S9wsClient *client,
               const char *text,
               gpointer    user_data)
{
  ((Kept *) user_data)->n_texts++;
}

static void
on_quit_note (S9wsClient *client,
              gpointer    user_data)
{
  ((Kept *) user_data)->has_quit = TRUE;
}

/* It is the opening that was to be cancelled, however long the result is kept. */
static void
test_cancel_when_open (void)
{
  g_autoptr (TestServer) server = test_server_new (test_script_echo, NULL);
  g_autoptr (S9wsAsyncClient) client = create (server, NULL, 0);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Kept kept = { 0 };

  g_signal_connect (client, "text-message", G_CALLBACK (on_text_count), &kept);
  g_signal_connect (client, "quit", G_CALLBACK (on_quit_note), &kept);
  s9ws_client_open_async (S9WS_CLIENT (client), cancellable, on_opened_keep, &kept);
  while (kept.result == NULL)
    g_main_context_iteration (NULL, TRUE);

  g_cancellable_cancel (cancellable);
  g_assert_true (s9ws_client_send_text (S9WS_CLIENT (client), "still", NULL));
  while (kept.n_texts == 0 && !kept.has_quit)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (kept.n_texts, ==, 1);
  g_assert_false (kept.has_quit);
  g_object_unref (kept.result);
}

/* Whoever is first, there is one thread, and it is there for all. */

typedef struct
{
  S9wsAsyncClient *client;
  int n_missing; /* atomic */
} Race;

static gpointer
start_at_once (gpointer data)
{
  Race *race = data;
  GError *error = NULL;

  g_atomic_int_add (&race->n_missing, -1);
  while (g_atomic_int_get (&race->n_missing) > 0)
    g_thread_yield ();
  g_assert_true (s9ws_async_client_start (race->client, &error));
  g_assert_no_error (error);
  return NULL;
}

static void
test_start_race (void)
{
  g_autoptr (TestServer) server = test_server_new (test_script_echo, NULL);

  for (guint i = 0; i < 300; i++)
    {
      g_autoptr (S9wsAsyncClient) client = create (server, NULL, 0);
      Race race = { .client = client, .n_missing = N_THREADS };
      GThread *threads[N_THREADS];

      for (guint j = 0; j < N_THREADS; j++)
        threads[j] = g_thread_new ("starter", start_at_once, &race);
      for (guint j = 0; j < N_THREADS; j++)
        g_thread_join (threads[j]);
      g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_ACTIVATED);
      s9ws_client_force_quit (S9WS_CLIENT (client));
      s9ws_async_client_join (client);
    }
}

static gpointer
start_in_vain (gpointer data)
{
  Race *race = data;

  g_atomic_int_add (&race->n_missing, -1);
  while (g_atomic_int_get (&race->n_missing) > 0)
    g_thread_yield ();
  g_assert_false (s9ws_async_client_start (race->client, NULL));
  return NULL;
}

static gpointer
send_in_vain (gpointer data)
{
  Race *race = data;

  g_atomic_int_add (&race->n_missing, -1);
  while (s9ws_client_get_state (S9WS_CLIENT (race->client)) != S9WS_STATE_CLOSED)
    g_assert_false (s9ws_client_send_text (S9WS_CLIENT (race->client), "never", NULL));
  return NULL;
}

/* Without valid options there is nothing that others could do with it meanwhile. */
static void
test_invalid_race (void)
{
  for (guint i = 0; i < 300; i++)
    {
      g_autoptr (S9wsOptions) options = create_options ("ttl", 1000u, NULL);
      g_autoptr (S9wsAsyncClient) client = s9ws_async_client_new ("ws://127.0.0.1:1/", options);
      Race race = { .client = client, .n_missing = N_THREADS };
      GThread *threads[N_THREADS];

      for (guint j = 0; j < N_THREADS; j++)
        threads[j] = g_thread_new ("starter", j % 2 == 0 ? start_in_vain : send_in_vain, &race);
      for (guint j = 0; j < N_THREADS; j++)
        g_thread_join (threads[j]);
      g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_ERROR);
      g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_QUIT);
      g_assert_null (s9ws_async_client_try_pop_event (client));
    }
}

static void
on_end_count (S9wsClient *client,
              guint      *n)
{
  ++*n;
}

/* Whoever runs a client that another thread has just failed to open tells of that. */
static void
test_run_race (void)
{
  for (guint i = 0; i < 300; i++)
    {
      g_autoptr (S9wsOptions) options = create_options ("ttl", 1000u, NULL);
      g_autoptr (S9wsAsyncClient) client = s9ws_async_client_new ("ws://127.0.0.1:1/", options);
      Race race = { .client = client, .n_missing = 2 };
      GThread *thread;
      guint n = 0;

      g_signal_connect (client, "quit", G_CALLBACK (on_end_count), &n);
      thread = g_thread_new ("starter", start_in_vain, &race);
      g_atomic_int_add (&race.n_missing, -1);
      while (s9ws_client_get_state (S9WS_CLIENT (client)) == S9WS_STATE_NEW)
        ;
      g_assert_false (s9ws_client_run (S9WS_CLIENT (client), NULL, NULL));
      g_assert_cmpuint (n, ==, 1);
      g_thread_join (thread);
    }
}

/* A process that has no descriptor left: opening fails, where a thread that nobody could
 * wake would hang. */
static void
test_no_descriptors (void)
{
  g_autoptr (S9wsAsyncClient) client = s9ws_async_client_new ("ws://127.0.0.1:1/", NULL);
  g_autoptr (GError) error = NULL;
  struct rlimit before, none;
  gboolean is_started;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  none = before;
  none.rlim_cur = 0;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &none), ==, 0);
  is_started = s9ws_async_client_start (client, &error);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);

  g_assert_false (is_started);
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_IO);
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_ERROR);
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_QUIT);
}

/* A process that can have no more threads */

static gboolean has_no_threads;

/* In the place of GLib's. */
GThread *
g_thread_try_new (const char   *name,
                  GThreadFunc   function,
                  gpointer      data,
                  GError      **error)
{
  typedef GThread *(*TryNew) (const char *, GThreadFunc, gpointer, GError **);
  TryNew try_new = (TryNew) dlsym (RTLD_NEXT, "g_thread_try_new");

  if (!has_no_threads)
    return try_new (name, function, data, error);

  g_set_error_literal (error, G_THREAD_ERROR, G_THREAD_ERROR_AGAIN, "None left");
  return NULL;
}

static void
on_opened_in_vain (GObject      *object,
                   GAsyncResult *result,
                   gpointer      user_data)
{
  gboolean *is_done = user_data;

  g_assert_false (s9ws_client_open_finish (S9WS_CLIENT (object), result, NULL));
  *is_done = TRUE;
}

typedef enum
{
  NO_THREAD_ATTACH,
  NO_THREAD_START,
  NO_THREAD_OPEN_ASYNC,
  NO_THREAD_OPEN_AND_ATTACH,
  NO_THREAD_OPEN_AND_RUN,
} NoThread;

/* The end is told as any other is. */
static void
test_no_thread (gconstpointer data)
{
  NoThread where = GPOINTER_TO_UINT (data);
  gboolean is_open = where >= NO_THREAD_OPEN_AND_ATTACH, is_done = where != NO_THREAD_OPEN_ASYNC;
  g_autoptr (TestServer) server = test_server_new (test_script_echo, NULL);
  g_autoptr (S9wsAsyncClient) client = create (server, NULL, 0);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  record_signals (S9WS_CLIENT (client), log);
  if (is_open)
    g_assert_true (s9ws_client_open (S9WS_CLIENT (client), NULL, NULL));
  has_no_threads = TRUE;
  if (where == NO_THREAD_OPEN_ASYNC)
    s9ws_client_open_async (S9WS_CLIENT (client), NULL, on_opened_in_vain, &is_done);
  else if (where == NO_THREAD_OPEN_AND_RUN)
    g_assert_false (s9ws_client_run (S9WS_CLIENT (client), NULL, &error));
  else if (where == NO_THREAD_START)
    g_assert_false (s9ws_async_client_start (client, NULL));
  else
    s9ws_async_client_attach (client, NULL);
  has_no_threads = FALSE;

  if (where == NO_THREAD_START)
    s9ws_async_client_attach (client, NULL);
  while (!g_str_has_suffix (log->str, "quit ") || !is_done)
    g_main_context_iteration (NULL, TRUE);
  g_assert_true (g_str_has_prefix (log->str, is_open ? "activated error(" : "error("));
  g_assert_true (g_str_has_suffix (log->str, is_open ? ") closed(1006) quit " : ") quit "));
  g_assert_true (where != NO_THREAD_OPEN_AND_RUN || error != NULL);
  g_assert_cmpint (s9ws_client_get_state (S9WS_CLIENT (client)), ==, S9WS_STATE_CLOSED);
  g_assert_nonnull (s9ws_client_get_end_report (S9WS_CLIENT (client)));
  g_assert_false (s9ws_async_client_start (client, NULL));
  s9ws_async_client_join (client);
}

/* Nobody who takes events off by hand waits for what cannot come. */
static void
test_no_thread_receive (void)
{
  g_autoptr (S9wsAsyncClient) client = s9ws_async_client_new ("ws://127.0.0.1:1/", NULL);
  g_autoptr (S9wsEvent) event = NULL;

  has_no_threads = TRUE;
  event = s9ws_client_receive (S9WS_CLIENT (client), -1, NULL);
  has_no_threads = FALSE;

  g_assert_nonnull (event);
  g_assert_cmpint (s9ws_event_get_kind (event), ==, S9WS_EVENT_KIND_ERROR);
  g_assert_error (s9ws_event_get_error (event), S9WS_ERROR, S9WS_ERROR_IO);
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_QUIT);
  g_assert_null (s9ws_async_client_pop_event (client));
}

/* The last reference */

static void
script_report_end (TestPeer *peer,
                   gpointer  user_data)
{
  TestGate *gate = user_data;
  TestFrame frame;

  test_peer_accept (peer, NULL, NULL);
  test_peer_send_frame (peer, TEST_TEXT, TRUE, "Hello", 5);
  while (test_peer_read_frame (peer, &frame))
    if (frame.opcode == TEST_CLOSE && frame.close_code == 1001)
      {
        test_gate_open (gate);
        test_peer_send_close (peer, 1001, NULL);
        break;
      }
  test_peer_wait_end (peer);
}

static void
on_text_unref (S9wsClient *client,
               const char *text,
               gpointer    user_data)
{
  S9wsAsyncClient **owned = user_data;

  g_clear_object (owned);
}

typedef struct
{
  S9wsClient *client;
  guint n_messages;
} Dropped;

/* The I/O thread may be the one that drops the last reference, with a task of it. */
static void
wait_gone (GWeakRef *weak)
{
  gpointer client;

  while ((client = g_weak_ref_get (weak)) != NULL)
    {
      g_object_unref (client);
      g_main_context_iteration (NULL, FALSE);
    }
  g_weak_ref_clear (weak);
}

static void
on_text_drop (S9wsClient *client,
              const char *text,
              gpointer    user_data)
{
  Dropped *dropped = user_data;

  g_assert_true (dropped->client == client);
  g_clear_object (&dropped->client);
  dropped->n_messages++;
}

/* There are more events, and nobody whom they could be told. */
static void
test_unref_in_flood (void)
{
  g_autoptr (TestServer) server = test_server_new (script_many, NULL);
  Dropped dropped = { .client = S9WS_CLIENT (create (server, NULL, 0)) };
  GWeakRef weak;

  g_weak_ref_init (&weak, dropped.client);
  g_assert_true (s9ws_async_client_start (S9WS_ASYNC_CLIENT (dropped.client), NULL));
  s9ws_async_client_join (S9WS_ASYNC_CLIENT (dropped.client));
  g_signal_connect (dropped.client, "text-message", G_CALLBACK (on_text_drop), &dropped);
  s9ws_async_client_attach (S9WS_ASYNC_CLIENT (dropped.client), NULL);
  wait_gone (&weak);
  g_assert_cmpuint (dropped.n_messages, ==, 1);
}

static gpointer
unref_in_thread (gpointer data)
{
  g_object_unref (data);
  return NULL;
}

typedef enum
{
  UNREF_HERE,
  UNREF_IN_THREAD,
  UNREF_IN_SIGNAL,
  UNREF_BEFORE_START,
  UNREF_WITH_MESSAGES_QUEUED,
} UnrefWhere;

static void
test_unref (gconstpointer data)
{
  UnrefWhere where = GPOINTER_TO_UINT (data);
  TestGate gate = { 0 };
  g_autoptr (TestServer) server = test_server_new (script_report_end, &gate);
  S9wsAsyncClient *client = create (server, NULL, 0);
  GWeakRef weak;

  g_weak_ref_init (&weak, client);
  if (where == UNREF_BEFORE_START)
    {
      g_assert_true (s9ws_client_open (S9WS_CLIENT (client), NULL, NULL));
      g_object_unref (client);
    }
  else if (where == UNREF_IN_SIGNAL)
    {
      g_signal_connect (client, "text-message", G_CALLBACK (on_text_unref), &client);
      s9ws_async_client_attach (client, NULL);
      while (client != NULL)
        g_main_context_iteration (NULL, TRUE);
    }
  else
    {
      g_assert_true (s9ws_async_client_start (client, NULL));
      g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_ACTIVATED);
      if (where == UNREF_WITH_MESSAGES_QUEUED)
        while (get_queued (client) == 0)
          g_thread_yield ();
      if (where == UNREF_IN_THREAD)
        g_thread_join (g_thread_new ("unref", unref_in_thread, client));
      else
        g_object_unref (client);
    }

  /* It said goodbye. */
  g_assert_true (test_gate_wait (&gate));
  wait_gone (&weak);
}

#define KEPT_SIZE (20 * 1024 * 1024) /* bytes: more than a closing client may queue */

/* Says whether the client still reads behind its Close. */
static void
script_ping_dropped (TestPeer *peer,
                     gpointer  user_data)
{
  TestGate *gate = user_data;
  g_autofree char *payload = g_malloc0 (KEPT_SIZE);
  TestFrame frame = { 0 };

  test_peer_accept (peer, NULL, NULL);
  test_peer_send_frame (peer, TEST_BINARY, TRUE, payload, KEPT_SIZE);
  while (test_peer_read_frame (peer, &frame) && frame.opcode != TEST_CLOSE)
    ;
  g_assert_cmpint (frame.opcode, ==, TEST_CLOSE);
  test_peer_send_frame (peer, TEST_PING, TRUE, "p", 1);
  g_assert_true (test_peer_read_frame (peer, &frame));
  g_assert_cmpint (frame.opcode, ==, TEST_PONG);
  test_gate_open (gate);
  test_peer_send_close (peer, 1001, NULL);
  test_peer_wait_end (peer);
}

/* What a user keeps of the bare queue leaves no room, and who is gone needs none. */
static void
test_unref_while_held (void)
{
  TestGate gate = { 0 };
  g_autoptr (TestServer) server = test_server_new (script_ping_dropped, &gate);
  S9wsAsyncClient *client = create (server, "max-queued-bytes", 1000);
  g_autoptr (S9wsEvent) kept = NULL;

  g_assert_true (s9ws_async_client_start (client, NULL));
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_ACTIVATED);
  kept = g_async_queue_pop (s9ws_async_client_get_queue (client));
  g_assert_cmpint (s9ws_event_get_kind (kept), ==, S9WS_EVENT_KIND_BINARY_MESSAGE);
  g_object_unref (client);
  g_assert_true (test_gate_wait (&gate));
}

static void
on_opened_unref (GObject      *object,
                 GAsyncResult *result,
                 gpointer      user_data)
{
  gboolean *is_done = user_data;

  *is_done = TRUE;
}

static void
on_gone_cancel (gpointer  data,
                GObject  *client)
{
  g_cancellable_cancel (data);
}

/* The task, which holds the last reference, must not let a client be cancelled that is
 * gone.  This one says goodbye, as it has not been. */
static void
test_unref_then_cancel (void)
{
  TestGate gate = { 0 };
  g_autoptr (TestServer) server = test_server_new (script_report_end, &gate);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  S9wsAsyncClient *client = create (server, NULL, 0);
  gboolean is_done = FALSE;

  g_object_weak_ref (G_OBJECT (client), on_gone_cancel, cancellable);
  s9ws_client_open_async (S9WS_CLIENT (client), cancellable, on_opened_unref, &is_done);
  g_object_unref (client);
  while (!is_done)
    g_main_context_iteration (NULL, TRUE);
  while (!g_cancellable_is_cancelled (cancellable))
    g_main_context_iteration (NULL, FALSE);
  g_assert_true (test_gate_wait (&gate));
}

/* The task of open_async () holds the last reference. */
static void
test_unref_while_opening (void)
{
  TestGate gate = { 0 };
  g_autoptr (TestServer) server = test_server_new (script_refuse_at_gate, &gate);
  S9wsAsyncClient *client = create (server, NULL, 0);
  gboolean is_done = FALSE;
  GWeakRef weak;

  g_weak_ref_init (&weak, client);
  s9ws_client_open_async (S9WS_CLIENT (client), NULL, on_opened_unref, &is_done);
  g_object_unref (client);
  test_gate_open (&gate);
  while (!is_done)
    g_main_context_iteration (NULL, TRUE);
  wait_gone (&weak);
}

static void
test_strategies (gconstpointer data)
{
  S9wsWaitStrategy strategy = GPOINTER_TO_UINT (data);
  g_autoptr (TestServer) server = test_server_new (test_script_echo, NULL);
  g_autoptr (S9wsOptions) options = create_options ("wait-strategy", strategy, "spin-wait-duration", (guint64) 100, NULL);
  g_autoptr (S9wsAsyncClient) client = s9ws_async_client_new (test_server_get_uri (server), options);

  g_assert_true (s9ws_async_client_start (client, NULL));
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_ACTIVATED);
  for (guint i = 0; i < 100; i++)
    {
      g_assert_true (s9ws_client_send_text (S9WS_CLIENT (client), "ping", NULL));
      g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_TEXT_MESSAGE);
    }
  g_assert_true (s9ws_client_close (S9WS_CLIENT (client), 1000, NULL, NULL));
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_CONNECTION_CLOSED);
  g_assert_cmpint (pop_kind (client), ==, S9WS_EVENT_KIND_QUIT);
}

int
main (int    argc,
      char **argv)
{
  static const char *const wheres[] = { "here", "in-thread", "in-signal", "before-start", "with-messages-queued" };
  static const char *const no_threads[] = { "attach", "start", "open-async", "open-and-attach", "open-and-run" };
  static const char *const strategies[] = { "default", "spin", "sleep", "wait", "adaptive" };
  static const char *const tail_names[] = { "nothing-more", "more", "too-much" };
  static const Tail tails[] = {
    { .n_before = 20, .n_after = 0, .size = HELD_SIZE },
    { .n_before = 20, .n_after = 500, .size = HELD_SIZE },
    { .n_before = 20, .n_after = 48, .size = 1024 * 1024, .is_bounded = TRUE },
  };

  g_test_init (&argc, &argv, NULL);
  start_watchdog (240);

  g_test_add_func ("/async/many-threads", test_many_threads);
  g_test_add_func ("/async/start-while-opening", test_start_while_opening);
  g_test_add_func ("/async/events", test_events);
  g_test_add_func ("/async/many-poppers", test_many_poppers);
  g_test_add_func ("/async/pop-events", test_pop_events);
  g_test_add_func ("/async/event-fd", test_event_fd);
  g_test_add_func ("/async/events/again", test_events_again);
  g_test_add_func ("/async/get-queue", test_get_queue);
  g_test_add_func ("/async/get-queue/late", test_get_queue_late);
  g_test_add_func ("/async/get-queue/amid", test_get_queue_amid);
  g_test_add_func ("/async/max-queued-bytes", test_max_queued_bytes);
  g_test_add_func ("/async/max-queued-bytes/trickling", test_max_queued_bytes_trickling);
  g_test_add_func ("/async/send-while-held", test_send_while_held);
  for (guint i = 0; i < G_N_ELEMENTS (tails); i++)
    {
      g_autofree char *path = g_strconcat ("/async/close-while-held/", tail_names[i], NULL);

      g_test_add_data_func (path, &tails[i], test_close_while_held);
    }
  g_test_add_func ("/async/send-before-open", test_send_before_open);
  g_test_add_func ("/async/unsent", test_unsent);
  g_test_add_func ("/async/begin-when-full", test_begin_when_full);
  g_test_add_func ("/async/open-then-start", test_open_then_start);
  g_test_add_func ("/async/open-while-started", test_open_while_started);
  g_test_add_func ("/async/attach", test_attach);
  g_test_add_func ("/async/attach-and-redraw", test_attach_and_redraw);
  g_test_add_func ("/async/attach-elsewhere", test_attach_elsewhere);
  g_test_add_func ("/async/open-async-twice", test_open_async_twice);
  g_test_add_func ("/async/cancel-when-open", test_cancel_when_open);
  g_test_add_func ("/async/start-race", test_start_race);
  g_test_add_func ("/async/invalid-race", test_invalid_race);
  g_test_add_func ("/async/run-race", test_run_race);
  g_test_add_func ("/async/no-descriptors", test_no_descriptors);
  for (guint i = 0; i < G_N_ELEMENTS (wheres); i++)
    {
      g_autofree char *path = g_strconcat ("/async/unref/", wheres[i], NULL);

      g_test_add_data_func (path, GUINT_TO_POINTER (i), test_unref);
    }
  for (guint i = 0; i < G_N_ELEMENTS (no_threads); i++)
    {
      g_autofree char *path = g_strconcat ("/async/no-thread/", no_threads[i], NULL);

      g_test_add_data_func (path, GUINT_TO_POINTER (i), test_no_thread);
    }
  g_test_add_func ("/async/no-thread/receive", test_no_thread_receive);
  g_test_add_func ("/async/unref/in-flood", test_unref_in_flood);
  g_test_add_func ("/async/unref/while-held", test_unref_while_held);
  g_test_add_func ("/async/unref/then-cancel", test_unref_then_cancel);
  g_test_add_func ("/async/unref/while-opening", test_unref_while_opening);
  for (guint i = 0; i < G_N_ELEMENTS (strategies); i++)
    {
      g_autofree char *path = g_strconcat ("/async/strategy/", strategies[i], NULL);

      g_test_add_data_func (path, GUINT_TO_POINTER (i), test_strategies);
    }

  return g_test_run ();
}
