/* test-interop.c: the clients against the server of another project
 *
 * Usage: test-interop URI, with S9WS_TEST_CA being the server's authority and
 * S9WS_TEST_PEER its name.
 * run-interop.py starts the server, which knows a few commands; see there.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "session.h"

#define MEGABYTES(n) ((gsize) (n) << 20)
#define N_BURST 1000
#define BURST_SIZE 500
#define N_FRAGMENTS 20
#define FRAGMENT_SIZE 3000
#define PIECE_SIZE 7777 /* which parts characters of two, three and four bytes */

static const char *uri;
static const char *ca_file;
static gboolean is_lws; /* the peer is libwebsockets, whose compression knows less */

/* The @index-th message of a conversation; returns NULL behind the last. */
typedef GBytes *(*Conversation) (guint index,
                                 gboolean *is_text);

/* UTF-8 with characters of one to four bytes, each message different. */
static GBytes *
make_text (gsize size,
           guint seed)
{
  static const char *const characters[] = { "", "a", "ß", "界", "🎈" };
  char *text = g_malloc (size + 1);
  gsize length = 0;

  while (length < size)
    {
      gsize n = MIN (1 + (length + seed) % 4, size - length);

      memcpy (text + length, characters[n], n);
      length += n;
    }

  return g_bytes_new_take (text, size);
}

static GBytes *
make_binary (gsize size,
             guint seed)
{
  guint8 *data = g_malloc (size + 1);

  for (gsize i = 0; i < size; i++)
    data[i] = (guint8) (i * 7 + i / 256 + seed);

  return g_bytes_new_take (data, size);
}

static GBytes *
make_message (gsize    size,
              guint    seed,
              gboolean is_text)
{
  return is_text ? make_text (size, seed) : make_binary (size, seed);
}

static GBytes *
few_texts (guint     index,
           gboolean *is_text)
{
  static const char *const texts[] = { "Hello", "Grüße, 世界 🎈", "{\"a\": [1, 2]}" };

  *is_text = TRUE;

  if (index >= G_N_ELEMENTS (texts))
    return NULL;

  return g_bytes_new_static (texts[index], strlen (texts[index]));
}

static GBytes *
few_binaries (guint     index,
              gboolean *is_text)
{
  *is_text = FALSE;

  return index < 3 ? make_binary (256, index) : NULL;
}

static GBytes *
all_sizes (guint     index,
           gboolean *is_text)
{
  static const gsize sizes[] = { 0, 1, 125, 126, 65535, 65536 };

  *is_text = index % 2 == 0;

  return index / 2 < G_N_ELEMENTS (sizes) ? make_message (sizes[index / 2], index, *is_text) : NULL;
}

/* libwebsockets 4.1 fails on compressed messages of half a megabyte, whichever client has
 * sent them. */
static GBytes *
large (guint     index,
       gboolean *is_text)
{
  *is_text = index == 1;

  return index < 2 ? make_message (is_lws ? 128 * 1024 : MEGABYTES (16), index, *is_text) : NULL;
}

static GBytes *
very_large (guint     index,
            gboolean *is_text)
{
  *is_text = index == 1;

  return index < 2 ? make_message (MEGABYTES (16), index, *is_text) : NULL;
}

static GBytes *
burst (guint     index,
       gboolean *is_text)
{
  *is_text = index % 3 == 0;

  return index < N_BURST ? make_message (index * 7 % 600, index, *is_text) : NULL;
}

/* Mostly small ones, some of up to 128 KiB.  Behind TLS libwebsockets 4.1 fails on
 * compressed ones of 13 KB already. */
static GBytes *
mixture (guint     index,
         gboolean *is_text)
{
  *is_text = index % 3 == 0;

  if (index % 50 == 49)
    return make_message (is_lws ? index + 1 : index * 131 + 1, index, *is_text);

  return burst (index, is_text);
}

static GBytes *
up_to_128k (guint     index,
            gboolean *is_text)
{
  static const gsize sizes[] = { 0, 1, 126, 7777, 65536, 131072 };

  *is_text = index % 2 == 0;

  return index / 2 < G_N_ELEMENTS (sizes) ? make_message (sizes[index / 2], index, *is_text) : NULL;
}

static gboolean
send_message (Session *session,
              guint    index)
{
  const Conversation *conversation = session->script->data;
  gboolean is_text;
  g_autoptr (GBytes) message = (*conversation) (index, &is_text);
  g_autoptr (GError) error = NULL;

  if (message == NULL)
    return FALSE;

  if (is_text)
    s9ws_client_send_text_len (session->client, g_bytes_get_data (message, NULL),
                               g_bytes_get_size (message), &error);
  else
    s9ws_client_send_bytes (session->client, message, &error);
  g_assert_no_error (error);

  return TRUE;
}

static void
end_session (Session *session)
{
  g_autoptr (GError) error = NULL;

  s9ws_client_close (session->client, 3001, "done", &error);
  g_assert_no_error (error);
}

static void
send_first (Session *session)
{
  g_assert_true (send_message (session, 0));
}

static void
send_all (Session *session)
{
  for (guint i = 0; send_message (session, i); i++)
    continue;
}

static void
check_echo (Session      *session,
            gboolean      is_text,
            const guint8 *data,
            gsize         size)
{
  const Conversation *conversation = session->script->data;
  gboolean expected_is_text;
  g_autoptr (GBytes) expected = (*conversation) (session->n_messages, &expected_is_text);

  g_assert_nonnull (expected);
  g_assert_cmpint (is_text, ==, expected_is_text);
  g_assert_cmpuint (size, ==, g_bytes_get_size (expected));
  g_assert_true (size == 0 || memcmp (data, g_bytes_get_data (expected, NULL), size) == 0);
}

static void
check_echo_and_send_next (Session      *session,
                          gboolean      is_text,
                          const guint8 *data,
                          gsize         size)
{
  check_echo (session, is_text, data, size);
  if (!send_message (session, session->n_messages + 1))
    end_session (session);
}

static void
check_echo_of_burst (Session      *session,
                     gboolean      is_text,
                     const guint8 *data,
                     gsize         size)
{
  check_echo (session, is_text, data, size);
  if (session->n_messages + 1 == N_BURST)
    end_session (session);
}

static void
ask_for_burst (Session *session)
{
  g_autofree char *command = g_strdup_printf ("!burst %d %d", N_BURST, BURST_SIZE);

  session_send_text (session, command);
}

static void
check_burst (Session      *session,
             gboolean      is_text,
             const guint8 *data,
             gsize         size)
{
  g_assert_false (is_text);
  g_assert_cmpuint (size, ==, BURST_SIZE);
  for (gsize i = 0; i < size; i++)
    g_assert_cmpuint (data[i], ==, session->n_messages % 256);

  if (session->n_messages + 1 == N_BURST)
    end_session (session);
}

static void
ask_for_fragments (Session *session)
{
  g_autofree char *command = g_strdup_printf ("!fragments %d %d", N_FRAGMENTS, FRAGMENT_SIZE);

  session_send_text (session, command);
}

static void
check_fragments (Session      *session,
                 gboolean      is_text,
                 const guint8 *data,
                 gsize         size)
{
  g_assert_false (is_text);
  g_assert_cmpuint (size, ==, N_FRAGMENTS * FRAGMENT_SIZE);
  for (gsize i = 0; i < size; i++)
    g_assert_cmpuint (data[i], ==, i / FRAGMENT_SIZE);

  if (session->n_messages == 0)
    ask_for_fragments (session);
  else
    end_session (session);
}

/* As many of both directions as there are messages that can be. */
static void
check_compressed (Session      *session,
                  gboolean      is_text,
                  const guint8 *data,
                  gsize         size)
{
  g_autoptr (S9wsStats) stats = s9ws_client_get_stats (session->client);

  check_echo (session, is_text, data, size);
  if (session->n_messages + 1 < N_BURST)
    return;

  g_assert_cmpuint (stats->compressed_messages_sent, >, N_BURST - 10);
  g_assert_cmpuint (stats->compressed_messages_received, >, N_BURST - 10);
  g_assert_cmpuint (stats->compressed_bytes_sent, <, stats->bytes_sent * 3 / 4);
  end_session (session);
}

static void
check_uncompressed (Session      *session,
                    gboolean      is_text,
                    const guint8 *data,
                    gsize         size)
{
  g_autoptr (S9wsStats) stats = s9ws_client_get_stats (session->client);

  g_assert_cmpuint (stats->compressed_messages_sent, ==, 0);
  g_assert_cmpuint (stats->compressed_messages_received, ==, 0);
  check_echo_and_send_next (session, is_text, data, size);
}

static void
offer_nothing (S9wsOptions *options)
{
  g_object_set (options, "compression", FALSE, NULL);
}

static void
compress_all (S9wsOptions *options)
{
  g_object_set (options, "compression-threshold", G_GUINT64_CONSTANT (0), NULL);
}

static void
in_pieces (S9wsOptions *options)
{
  g_object_set (options, "max-piece-size", G_GUINT64_CONSTANT (1000), NULL);
}

static void
in_plain_pieces (S9wsOptions *options)
{
  in_pieces (options);
  offer_nothing (options);
}

static gboolean
send_in_pieces (Session *session,
                guint    index)
{
  const Conversation *conversation = session->script->data;
  gboolean is_text;
  g_autoptr (GBytes) message = (*conversation) (index, &is_text);
  g_autoptr (GError) error = NULL;
  const guint8 *data;
  gsize size;

  if (message == NULL)
    return FALSE;

  data = g_bytes_get_data (message, &size);
  s9ws_client_begin_message (session->client, is_text ? S9WS_MESSAGE_KIND_TEXT : S9WS_MESSAGE_KIND_BINARY, &error);
  g_assert_no_error (error);
  for (gsize i = 0; i < size; i += PIECE_SIZE)
    {
      s9ws_client_append (session->client, data + i, MIN (PIECE_SIZE, size - i), &error);
      g_assert_no_error (error);
    }
  s9ws_client_send_ping (session->client, NULL, 0, &error);
  g_assert_no_error (error);
  s9ws_client_finish_message (session->client, &error);
  g_assert_no_error (error);

  return TRUE;
}

static void
send_first_in_pieces (Session *session)
{
  g_assert_true (send_in_pieces (session, 0));
}

/* The pong to the ping within it comes before the echo. */
static void
check_pieces (Session      *session,
              gboolean      is_text,
              const guint8 *data,
              gsize         size)
{
  check_echo (session, is_text, data, size);
  if (send_in_pieces (session, session->n_messages + 1))
    return;

  g_assert_cmpuint (session->n_pieces, >, 2 * 131072 / 1000);
  end_session (session);
}

static void
send_ping (Session *session)
{
  g_autoptr (GError) error = NULL;

  s9ws_client_send_ping (session->client, (const guint8 *) "from us", strlen ("from us"), &error);
  g_assert_no_error (error);
}

static void
ask_for_ping (Session *session,
              GBytes  *data)
{
  session_send_text (session, "!ping from the server");
}

static void
answer_ping (Session *session,
             GBytes  *data)
{
  session_send_text (session, "the pong was before this");
}

static void
check_pings (Session      *session,
             gboolean      is_text,
             const guint8 *data,
             gsize         size)
{
  g_autoptr (S9wsStats) stats = s9ws_client_get_stats (session->client);

  g_assert_cmpuint (stats->pings_sent, ==, 1);
  g_assert_cmpuint (stats->pongs_received, ==, 1);
  g_assert_cmpuint (stats->pings_received, ==, 1);
  g_assert_cmpuint (stats->pongs_sent, ==, 1);
  end_session (session);
}

static void
check_protocol (Session *session)
{
  g_assert_cmpstr (s9ws_client_get_protocol (session->client), ==, session->script->data);
  session_send_text (session, "!subprotocol");
}

static void
check_protocol_of_server (Session      *session,
                          gboolean      is_text,
                          const guint8 *data,
                          gsize         size)
{
  g_autofree char *protocol = g_strndup ((const char *) data, size);

  g_assert_cmpstr (protocol, ==, session->script->data != NULL ? session->script->data : "");
  end_session (session);
}

static void
ask_for_close (Session *session)
{
  session_send_text (session, "!close 4000 going now");
}

static void
ask_for_reset (Session *session)
{
  session_send_text (session, "!reset");
}

static const Conversation few_texts_in = few_texts;
static const Conversation few_binaries_in = few_binaries;
static const Conversation all_sizes_in = all_sizes;
static const Conversation large_in = large;
static const Conversation very_large_in = very_large;
static const Conversation burst_in = burst;
static const Conversation mixture_in = mixture;
static const Conversation up_to_128k_in = up_to_128k;
static const char *const chat_only[] = { "chat", NULL };
static const char *const unknown_and_chat[] = { "unknown", "chat", NULL };

#define PONG_AND_MESSAGE "pong() 1 messages "
#define PIECES_LOG "activated " PONG_AND_MESSAGE PONG_AND_MESSAGE PONG_AND_MESSAGE PONG_AND_MESSAGE \
  PONG_AND_MESSAGE PONG_AND_MESSAGE PONG_AND_MESSAGE PONG_AND_MESSAGE                               \
    PONG_AND_MESSAGE PONG_AND_MESSAGE PONG_AND_MESSAGE PONG_AND_MESSAGE                             \
                   "closed(3001,done) quit"

/* clang-format off */
static const SessionScript scripts[] = {
  { .name = "text", .log = "activated 3 messages closed(3001,done) quit",
    .activated = send_first, .message = check_echo_and_send_next, .data = &few_texts_in },
  { .name = "binary", .log = "activated 3 messages closed(3001,done) quit",
    .activated = send_first, .message = check_echo_and_send_next, .data = &few_binaries_in },
  { .name = "sizes", .log = "activated 12 messages closed(3001,done) quit",
    .activated = send_first, .message = check_echo_and_send_next, .data = &all_sizes_in },
  { .name = "large", .log = "activated 2 messages closed(3001,done) quit",
    .activated = send_first, .message = check_echo_and_send_next, .data = &large_in },
  { .name = "burst-to-server", .log = "activated 1000 messages closed(3001,done) quit",
    .activated = send_all, .message = check_echo_of_burst, .data = &burst_in },
  { .name = "burst-from-server", .log = "activated 1000 messages closed(3001,done) quit",
    .activated = ask_for_burst, .message = check_burst },
  { .name = "fragments-from-server", .log = "activated 2 messages closed(3001,done) quit",
    .activated = ask_for_fragments, .message = check_fragments },
  { .name = "all-compressed", .log = "activated 12 messages closed(3001,done) quit",
    .configure = compress_all,
    .activated = send_first, .message = check_echo_and_send_next, .data = &all_sizes_in },
  { .name = "uncompressed", .log = "activated 12 messages closed(3001,done) quit",
    .configure = offer_nothing,
    .activated = send_first, .message = check_uncompressed, .data = &all_sizes_in },
  { .name = "uncompressed-large", .log = "activated 2 messages closed(3001,done) quit",
    .configure = offer_nothing,
    .activated = send_first, .message = check_uncompressed, .data = &very_large_in },
  { .name = "pieces", .log = PIECES_LOG,
    .configure = in_pieces,
    .activated = send_first_in_pieces, .message = check_pieces, .data = &up_to_128k_in },
  { .name = "uncompressed-pieces", .log = PIECES_LOG,
    .configure = in_plain_pieces,
    .activated = send_first_in_pieces, .message = check_pieces, .data = &up_to_128k_in },
  { .name = "ping-pong",
    .log = "activated pong(from us) ping(from the server) 1 messages closed(3001,done) quit",
    .activated = send_ping, .pong = ask_for_ping, .ping = answer_ping, .message = check_pings },
  { .name = "subprotocol", .log = "activated 1 messages closed(3001,done) quit",
    .protocols = chat_only,
    .activated = check_protocol, .message = check_protocol_of_server, .data = "chat" },
  { .name = "subprotocol-second-choice", .log = "activated 1 messages closed(3001,done) quit",
    .protocols = unknown_and_chat,
    .activated = check_protocol, .message = check_protocol_of_server, .data = "chat" },
  { .name = "subprotocol-none", .log = "activated 1 messages closed(3001,done) quit",
    .activated = check_protocol, .message = check_protocol_of_server },
  { .name = "close-by-client", .log = "activated closed(3001,done) quit",
    .activated = end_session },
  { .name = "close-by-server", .log = "activated closed(4000,going now) quit",
    .activated = ask_for_close },
  { .name = "reset", .log = "activated error(lost) closed(1006,) quit",
    .activated = ask_for_reset },
};
/* clang-format on */

/* Every window, with and without context takeover: a client of one kind for each. */

#define N_SETTINGS (7 * 4)

static guint setting; /* of the session that runs */

static void
configure_setting (S9wsOptions *options)
{
  guint bits = 9 + setting / 4;

  /* libwebsockets does not say that it agrees to what binds the server. */
  g_object_set (options,
                "compression-threshold", G_GUINT64_CONSTANT (0),
                "client-max-window-bits", bits,
                "server-max-window-bits", is_lws ? 15 : bits,
                "client-no-context-takeover", setting % 2 == 1,
                "server-no-context-takeover", !is_lws && setting / 2 % 2 == 1,
                NULL);
}

static const SessionScript setting_script = {
  .name = "setting",
  .log = "activated 1000 messages closed(3001,done) quit",
  .configure = configure_setting,
  .activated = send_all,
  .message = check_compressed,
  .data = &mixture_in
};

static void
run_setting (gconstpointer data)
{
  setting = GPOINTER_TO_UINT (data);
  session_run (&session_kinds[setting % n_session_kinds], &setting_script, uri, ca_file);
}

static void
add_settings (void)
{
  for (guint i = 0; i < N_SETTINGS; i++)
    {
      g_autofree char *path = g_strdup_printf ("/interop/compression/%u-bits%s%s", 9 + i / 4,
                                               i % 2 == 1 ? "/client-no-context-takeover" : "",
                                               i / 2 % 2 == 1 ? "/server-no-context-takeover" : "");

      g_test_add_data_func (path, GUINT_TO_POINTER (i), run_setting);
    }
}

typedef struct
{
  const SessionKind *kind;
  const SessionScript *script;
} Test;

static void
run_test (gconstpointer data)
{
  const Test *test = data;

  session_run (test->kind, test->script, uri, ca_file);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  if (argc != 2)
    g_error ("Usage: test-interop URI");

  uri = argv[1];
  ca_file = g_getenv ("S9WS_TEST_CA");
  is_lws = g_strcmp0 (g_getenv ("S9WS_TEST_PEER"), "lws") == 0;

  for (gsize i = 0; i < n_session_kinds; i++)
    for (gsize j = 0; j < G_N_ELEMENTS (scripts); j++)
      {
        g_autofree char *path = g_strdup_printf ("/interop/%s/%s", session_kinds[i].name,
                                                 scripts[j].name);
        Test *test = g_new (Test, 1);

        *test = (Test){ &session_kinds[i], &scripts[j] };
        g_test_add_data_func_full (path, test, run_test, g_free);
      }

  add_settings ();

  return g_test_run ();
}
