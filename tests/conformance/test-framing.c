/* test-framing.c: what RFC 6455 demands of a client's frames
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The MUSTs and MUST NOTs that bind a client, in the order of the RFC.  Each test has
 * the number of its section.  What binds servers, intermediaries, browsers or extensions
 * alone is left out; sections 3, 4, 9 and 11 are in test-opening.c and test-answer.c,
 * 5.5.1 and 7 in test-closing.c.
 *
 * 5.1   A client masks all frames that it sends.
 *       It closes the connection if it detects a masked frame.
 * 5.2   Reserved bits are 0; else the receiver fails the connection.
 *       An unknown opcode fails the connection.
 *       The highest bit of a length of 64 bits is 0.
 *       A length is encoded in as few bytes as possible.
 * 5.3   Each frame has a fresh mask, from a strong source of entropy, which does not make
 *       the next one easy to predict.
 * 5.4   Control frames are not fragmented, and may come amid a message.
 *       Fragments are delivered in order; those of two messages are not interleaved.
 *       A receiver takes fragmented and unfragmented messages.
 * 5.5   A control frame has at most 125 bytes of payload.
 * 5.5.2 A ping is answered by a pong, unless a Close has been received already.
 * 5.5.3 The pong has the ping's payload.
 * 5.6   A text message is valid UTF-8 as a whole.
 * 6.1   Data is sent in the OPEN state only, in frames, with the opcode of its type in the
 *       first, with FIN in the last, masked, and goes out.
 * 6.2   What comes in is parsed as frames; control frames are handled as such; a message
 *       has the type of its first frame and the data of all of them.
 * 8.1   A text that is not UTF-8 fails the connection.
 * 10.3  Data whose transmission has begun cannot be changed by the application.
 * 10.4  Limits of frames and messages are kept.
 * 10.7  Incoming data is always validated: see all of the above.
 */
#include <locale.h>
#include <string.h>

#include "cases.h"

#define X25 "xxxxxxxxxxxxxxxxxxxxxxxxx"
#define X125 X25 X25 X25 X25 X25

/* What a client does with what it receives */

/* clang-format off */
static const CaseReceived received[] = {
  { "5.1/masked-text-fails", BYTES ("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), PROTOCOL_ERROR },
  { "5.1/text-masked-with-zeros-fails", BYTES ("\x81\x81\x00\x00\x00\x00x"), PROTOCOL_ERROR },
  { "5.1/masked-continuation-fails", BYTES ("\x01\x01" "a\x80\x81\x00\x00\x00\x00" "b"), PROTOCOL_ERROR },
  { "5.1/masked-ping-fails", BYTES ("\x89\x80\x01\x02\x03\x04"), PROTOCOL_ERROR },
  { "5.1/masked-close-fails", BYTES ("\x88\x80\x01\x02\x03\x04"), PROTOCOL_ERROR },

  { "5.2/reserved-bit-1-fails", BYTES ("\xc1\x01x"), PROTOCOL_ERROR },
  { "5.2/reserved-bit-2-fails", BYTES ("\xa1\x01x"), PROTOCOL_ERROR },
  { "5.2/reserved-bit-3-fails", BYTES ("\x92\x01x"), PROTOCOL_ERROR },
  { "5.2/reserved-bit-of-ping-fails", BYTES ("\xc9\x00"), PROTOCOL_ERROR },
  { "5.2/reserved-bit-of-close-fails", BYTES ("\xa8\x02\x03\xe8"), PROTOCOL_ERROR },
  { "5.2/reserved-bit-of-continuation-fails", BYTES ("\x01\x01" "a\x90\x01" "b"), PROTOCOL_ERROR },
  { "5.2/opcode-3-fails", BYTES ("\x83\x00"), PROTOCOL_ERROR },
  { "5.2/opcode-4-fails", BYTES ("\x84\x00"), PROTOCOL_ERROR },
  { "5.2/opcode-5-fails", BYTES ("\x85\x00"), PROTOCOL_ERROR },
  { "5.2/opcode-6-fails", BYTES ("\x86\x00"), PROTOCOL_ERROR },
  { "5.2/opcode-7-fails", BYTES ("\x87\x00"), PROTOCOL_ERROR },
  { "5.2/opcode-b-fails", BYTES ("\x8b\x00"), PROTOCOL_ERROR },
  { "5.2/opcode-c-fails", BYTES ("\x8c\x00"), PROTOCOL_ERROR },
  { "5.2/opcode-d-fails", BYTES ("\x8d\x00"), PROTOCOL_ERROR },
  { "5.2/opcode-e-fails", BYTES ("\x8e\x00"), PROTOCOL_ERROR },
  { "5.2/opcode-f-fails", BYTES ("\x8f\x00"), PROTOCOL_ERROR },
  { "5.2/length-with-highest-bit-fails", BYTES ("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x01x"), PROTOCOL_ERROR },
  { "5.2/16-bits-for-125-fails", BYTES ("\x82\x7e\x00\x7d" X125), PROTOCOL_ERROR },
  { "5.2/64-bits-for-126-fails", BYTES ("\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x7e" X125 "x"), PROTOCOL_ERROR },
  { "5.2/64-bits-for-65535-fails", BYTES ("\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff"), PROTOCOL_ERROR },
  { "5.2/16-bits-for-126", BYTES ("\x82\x7e\x00\x7e" X125 "x"), "binary(126) " FINE, CLOSED },

  { "5.4/unfragmented", BYTES ("\x81\x05Hello\x82\x01x"), "text(Hello) binary(x) " FINE, CLOSED },
  { "5.4/fragments-in-order", BYTES ("\x01\x02He\x00\x01l\x00\x00\x80\x02lo"), "text(Hello) " FINE, CLOSED },
  { "5.4/fragments-of-binary", BYTES ("\x02\x02He\x80\x03llo"), "binary(Hello) " FINE, CLOSED },
  { "5.4/fragments-all-empty", BYTES ("\x01\x00\x00\x00\x80\x00"), "text() " FINE, CLOSED },
  { "5.4/control-frames-amid-a-message", BYTES ("\x01\x02He\x89\x01p\x00\x01l\x8a\x01q\x89\x00\x80\x02lo"),
    "ping(p) pong(q) ping() text(Hello) " FINE, "pong(p) pong() " CLOSED },
  { "5.4/close-amid-a-message", BYTES ("\x01\x02He\x88\x05\x03\xe9" "bye"), "closed(1001,bye) ", "close(1001) " },
  { "5.4/fragmented-ping-fails", BYTES ("\x09\x01p\x80\x01q"), PROTOCOL_ERROR },
  { "5.4/fragmented-pong-fails", BYTES ("\x0a\x01p\x80\x01q"), PROTOCOL_ERROR },
  { "5.4/fragmented-close-fails", BYTES ("\x08\x02\x03\xe8\x80\x01q"), PROTOCOL_ERROR },
  { "5.4/text-amid-a-message-fails", BYTES ("\x01\x02He\x81\x03llo"), PROTOCOL_ERROR },
  { "5.4/binary-amid-a-message-fails", BYTES ("\x02\x02He\x02\x03llo"), PROTOCOL_ERROR },
  { "5.4/continuation-of-nothing-fails", BYTES ("\x80\x01x"), PROTOCOL_ERROR },
  { "5.4/continuation-behind-a-message-fails", BYTES ("\x81\x01x\x00\x01x"), "text(x) " PROTOCOL_ERROR },

  { "5.5/ping-of-125", BYTES ("\x89\x7d" X125), "ping(125) " FINE, "pong(125) " CLOSED },
  { "5.5/ping-of-126-fails", BYTES ("\x89\x7e\x00\x7e" X125 "x"), PROTOCOL_ERROR },
  { "5.5/pong-of-126-fails", BYTES ("\x8a\x7e\x00\x7e" X125 "x"), PROTOCOL_ERROR },
  { "5.5/close-of-126-fails", BYTES ("\x88\x7e\x00\x7e\x03\xe8" X125), PROTOCOL_ERROR },
  { "5.5/ping-of-64-bits-fails", BYTES ("\x89\x7f\x00\x00\x00\x00\x00\x01\x00\x00"), PROTOCOL_ERROR },

  { "5.5.2/ping-is-answered", BYTES ("\x89\x02hi"), "ping(hi) " FINE, "pong(hi) " CLOSED },
  { "5.5.2/each-ping-is-answered", BYTES ("\x89\x01" "1\x89\x01" "2\x89\x01" "3"), "ping(1) ping(2) ping(3) " FINE, "pong(1) pong(2) pong(3) " CLOSED },
  { "5.5.2/ping-behind-close-is-not", BYTES ("\x88\x02\x03\xe8\x89\x02hi"), "closed(1000) ", "close(1000) " },
  { "5.5.3/pong-has-the-pings-data", BYTES ("\x89\x08" "01\r\n\"~\\7"), "ping(01\r\n\"~\\7) " FINE, "pong(01\r\n\"~\\7) " CLOSED },
  { "5.5.3/pong-of-an-empty-ping", BYTES ("\x89\x00"), "ping() " FINE, "pong() " CLOSED },
  { "5.5.3/unasked-pong-is-not-answered", BYTES ("\x8a\x02hi"), "pong(hi) " FINE, CLOSED },

  { "5.6/text-in-utf-8", BYTES ("\x81\x09\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "text(\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80) " FINE, CLOSED },
  { "5.6/character-over-fragments", BYTES ("\x01\x01\xf0\x00\x02\x9f\x98\x80\x01\x80"), "text(\xf0\x9f\x98\x80) " FINE, CLOSED },
  { "5.6/character-around-a-ping", BYTES ("\x01\x01\xc3\x89\x01p\x80\x01\xa4"), "ping(p) text(\xc3\xa4) " FINE, "pong(p) " CLOSED },
  { "5.6/binary-need-not-be-utf-8", BYTES ("\x82\x02\xff\xc3"), "binary(\xff\xc3) " FINE, CLOSED },

  { "6.2/type-is-the-first-frames", BYTES ("\x02\x02He\x80\x01l\x01\x01l\x80\x01o"), "binary(Hel) text(lo) " FINE, CLOSED },
  { "6.2/empty-messages", BYTES ("\x81\x00\x82\x00"), "text() binary() " FINE, CLOSED },

  { "8.1/lone-continuation-fails", BYTES ("\x81\x01\x80"), TEXT_ERROR },
  { "8.1/overlong-fails", BYTES ("\x81\x02\xc0\xaf"), TEXT_ERROR },
  { "8.1/surrogate-fails", BYTES ("\x81\x03\xed\xa0\x80"), TEXT_ERROR },
  { "8.1/above-10ffff-fails", BYTES ("\x81\x04\xf4\x90\x80\x80"), TEXT_ERROR },
  { "8.1/cut-off-character-fails", BYTES ("\x81\x03" "a\xe2\x82"), TEXT_ERROR },
  { "8.1/cut-off-by-the-last-fragment-fails", BYTES ("\x01\x02" "a\xe2\x80\x01\x82"), TEXT_ERROR },
  { "8.1/good-messages-before-are-delivered", BYTES ("\x81\x02ok\x81\x01\xff\x81\x02no"), "text(ok) " TEXT_ERROR },
  /* Nothing more comes: the byte alone must do it. */
  { "8.1/unfinished-frame-fails-at-once", BYTES ("\x81\x05" "abc\xff"), TEXT_ERROR },
  { "8.1/unfinished-long-frame-fails-at-once", BYTES ("\x81\x7f\x00\x00\x00\x00\x00\x10\x00\x00" X125 "\xc3\x28"), TEXT_ERROR },
  { "8.1/unfinished-fragment-fails-at-once", BYTES ("\x01\x03" "abc\x00\x7e\x10\x00\xe2\x28"), TEXT_ERROR },
  { "8.1/unfinished-message-fails-at-once", BYTES ("\x01\x04" "abc\xf5"), TEXT_ERROR },
  { "8.1/reason-that-is-not-utf-8-fails", BYTES ("\x88\x04\x03\xe8\xc3\x28"), TEXT_ERROR },

  { "10.4/limit-is-kept-by-a-frame", BYTES ("\x82\x08" "12345678\x82\x09" "123456789"), "binary(12345678) " TOO_BIG_ERROR, FALSE, 8 },
  { "10.4/limit-is-kept-by-fragments", BYTES ("\x01\x04" "1234\x00\x04" "5678\x80\x01" "9"), TOO_BIG_ERROR, FALSE, 8 },
  { "10.4/limit-is-kept-by-the-header-alone", BYTES ("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), TOO_BIG_ERROR, FALSE, 8 },
  { "10.4/limit-is-reached", BYTES ("\x01\x04" "1234\x80\x04" "5678"), "text(12345678) " FINE, CLOSED, 8 },
};
/* clang-format on */

/* What a client sends */

static void
send_everything (S9wsClient *client)
{
  g_assert_true (s9ws_client_send_text (client, "Hello", NULL));
  g_assert_true (s9ws_client_send_text (client, "", NULL));
  g_assert_true (s9ws_client_send_binary (client, (const guint8 *) "bin", 3, NULL));
  g_assert_true (s9ws_client_send_binary (client, NULL, 0, NULL));
  g_assert_true (s9ws_client_send_ping (client, (const guint8 *) "p", 1, NULL));
  g_assert_true (s9ws_client_send_pong (client, NULL, 0, NULL));
  g_assert_true (s9ws_client_close (client, 1000, "bye", NULL));
}

static void
send_long_control (S9wsClient *client)
{
  g_autofree guint8 *data = (guint8 *) g_strnfill (126, 'x');

  g_assert_false (s9ws_client_send_ping (client, data, 126, NULL));
  g_assert_false (s9ws_client_send_pong (client, data, 126, NULL));
  g_assert_true (s9ws_client_send_ping (client, data, 125, NULL));
  g_assert_false (s9ws_client_close (client, 1000, (const char *) data, NULL));
  g_assert_true (s9ws_client_close (client, 1000, (const char *) data + 3, NULL));
}

static void
send_bad_text (S9wsClient *client)
{
  g_assert_false (s9ws_client_send_text (client, "\xff", NULL));
  g_assert_false (s9ws_client_send_text (client, "cut off: \xe2\x82", NULL));
  g_assert_false (s9ws_client_send_text_len (client, "\xed\xa0\x80", 3, NULL));
  g_assert_false (s9ws_client_close (client, 1000, "\xff", NULL));
  g_assert_true (s9ws_client_send_text (client, "\xe2\x82\xac", NULL));
  g_assert_true (s9ws_client_close (client, 1000, NULL, NULL));
}

static void
send_when_closing (S9wsClient *client)
{
  g_assert_true (s9ws_client_send_text (client, "before", NULL));
  g_assert_true (s9ws_client_close (client, 1000, NULL, NULL));
  g_assert_false (s9ws_client_send_text (client, "after", NULL));
  g_assert_false (s9ws_client_send_binary (client, (const guint8 *) "after", 5, NULL));
}

#define X123 X25 X25 X25 X25 "xxxxxxxxxxxxxxxxxxxxxxx"

static const CaseSent sent[] = {
  { "5.1/client-masks-every-frame", send_everything, "text(Hello) text() binary(bin) binary() ping(p) pong() close(1000,bye) " },
  { "5.5/control-frames-have-at-most-125-bytes", send_long_control, "ping(125) close(1000," X123 ") " },
  { "5.6/only-utf-8-is-sent-as-text", send_bad_text, "text(\xe2\x82\xac) close(1000) " },
  { "6.1/only-an-open-connection-sends", send_when_closing, "text(before) close(1000) " },
};

static void
test_before_open (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (S9wsClient) client = create_client (test->kind, "ws://127.0.0.1:1/", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_false (s9ws_client_send_text (client, "x", &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_NOT_OPEN);
}

/* Sizes: the server takes no length that is longer than it need be. */

static const gsize sizes[] = { 0, 1, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537, 1000000 };

typedef struct
{
  guint8 *data;
  gsize n_right;
} Sizes;

static void
script_sizes (TestPeer *peer,
              gpointer  user_data)
{
  Sizes *state = user_data;
  TestFrame frame;

  test_peer_accept (peer, NULL, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    if (test_peer_read_frame (peer, &frame) && frame.opcode == TEST_BINARY && frame.is_final && frame.size == sizes[i] &&
        memcmp (frame.payload, state->data, frame.size) == 0)
      state->n_right++;
  test_peer_close (peer, 1000, NULL, NULL);
}

static void
on_activated_sizes (S9wsClient *client,
                    gpointer    user_data)
{
  Sizes *state = user_data;

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    g_assert_true (s9ws_client_send_binary (client, state->data, sizes[i], NULL));
}

static guint8 *
make_noise (gsize size)
{
  guint8 *data = g_malloc (size);

  for (gsize i = 0; i < size; i++)
    data[i] = (guint8) (i * 7 + i / 253);
  return data;
}

static void
test_sizes (gconstpointer data)
{
  g_autofree guint8 *noise = make_noise (1000000);
  Sizes state = { noise };

  g_free (case_run (data, script_sizes, G_CALLBACK (on_activated_sizes), &state, NULL));
  g_assert_cmpuint (state.n_right, ==, G_N_ELEMENTS (sizes));
}

/* Masks */

#define N_MASKS 1000

typedef struct
{
  guint32 masks[N_MASKS];
  gsize n;
} Masks;

static void
script_masks (TestPeer *peer,
              gpointer  user_data)
{
  Masks *masks = user_data;
  TestFrame frame;

  test_peer_accept (peer, NULL, NULL);
  for (masks->n = 0; masks->n < N_MASKS && test_peer_read_frame (peer, &frame); masks->n++)
    memcpy (&masks->masks[masks->n], frame.mask, sizeof frame.mask);
  test_peer_close (peer, 1000, NULL, NULL);
}

static void
on_activated_masks (S9wsClient *client,
                    gpointer    user_data)
{
  for (guint i = 0; i < N_MASKS; i++)
    g_assert_true (s9ws_client_send_text (client, "the same", NULL));
}

/* Among so many of 32 bits, two pairs of equals happen once in millions of runs. */
static guint
count_equals (const guint32 *values,
              gsize          n)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  guint n_equals = 0;

  for (gsize i = 0; i < n; i++)
    n_equals += !g_hash_table_add (seen, GUINT_TO_POINTER (values[i]));
  return n_equals;
}

static void
test_masks (gconstpointer data)
{
  guint32 both[2 * N_MASKS];
  guint32 steps[N_MASKS - 1];

  for (gsize i = 0; i < 2; i++)
    {
      Masks masks = { 0 };

      g_free (case_run (data, script_masks, G_CALLBACK (on_activated_masks), &masks, NULL));
      g_assert_cmpuint (masks.n, ==, N_MASKS);
      memcpy (both + i * N_MASKS, masks.masks, sizeof masks.masks);
    }

  /* Neither in a connection nor in the next one; nor is one made from the one before. */
  g_assert_cmpuint (count_equals (both, 2 * N_MASKS), <=, 2);
  for (gsize i = 0; i < N_MASKS - 1; i++)
    steps[i] = both[i + 1] - both[i];
  g_assert_cmpuint (count_equals (steps, N_MASKS - 1), <=, 2);

  /* Every bit is set about half of the time: this is twelve standard deviations. */
  for (guint bit = 0; bit < 32; bit++)
    {
      guint n_set = 0;

      for (gsize i = 0; i < 2 * N_MASKS; i++)
        n_set += both[i] >> bit & 1;
      g_assert_cmpuint (n_set, >, N_MASKS - 270);
      g_assert_cmpuint (n_set, <, N_MASKS + 270);
    }
}

/* Many at once */

#define N_THREADS 4
#define N_MESSAGES 25
#define MESSAGE_SIZE 200000

static gpointer
send_letters (gpointer data)
{
  S9wsClient *client = data;
  static gint next_letter;
  g_autofree char *text = g_strnfill (MESSAGE_SIZE, (char) ('a' + g_atomic_int_add (&next_letter, 1) % 26));

  for (guint i = 0; i < N_MESSAGES; i++)
    g_assert_true (s9ws_client_send_text (client, text, NULL));
  return NULL;
}

/* Only one of the clients may be called from many threads. */
static void
on_activated_letters (S9wsClient *client,
                      gpointer    user_data)
{
  GThread *threads[N_THREADS] = { NULL };

  for (guint i = 0; i < N_THREADS; i++)
    if (S9WS_IS_ASYNC_CLIENT (client))
      threads[i] = g_thread_new ("letters", send_letters, client);
    else
      send_letters (client);
  for (guint i = 0; i < N_THREADS && threads[i] != NULL; i++)
    g_thread_join (threads[i]);
  s9ws_client_close (client, 1000, NULL, NULL);
}

static void
script_letters (TestPeer *peer,
                gpointer  user_data)
{
  guint *n_whole = user_data;
  TestFrame frame;

  test_peer_accept (peer, NULL, NULL);
  while (test_peer_read_frame (peer, &frame) && frame.opcode == TEST_TEXT)
    {
      g_autofree char *letters = g_strnfill (MESSAGE_SIZE, frame.payload[0]);

      if (frame.is_final && frame.size == MESSAGE_SIZE && memcmp (letters, frame.payload, MESSAGE_SIZE) == 0)
        (*n_whole)++;
    }
  test_peer_send_close (peer, 1000, NULL);
}

static void
test_letters (gconstpointer data)
{
  g_autoptr (S9wsOptions) options = create_options (NULL);
  g_autofree char *log = NULL;
  guint n_whole = 0;

  /* All of it may still have to be sent where closing begins. */
  g_object_set (options, "max-buffered-amount", (guint64) 0, "close-timeout", 0, NULL);
  log = case_run (data, script_letters, G_CALLBACK (on_activated_letters), &n_whole, options);
  g_assert_cmpuint (n_whole, ==, N_THREADS * N_MESSAGES);
  g_assert_cmpstr (log, ==, "activated closed(1000) quit ");
}

/* Data that is changed once it has been passed */

#define LARGE 8000000

typedef struct
{
  guint8 *data;
  guint8 *copy;
  gboolean is_same;
} Change;

static void
script_change (TestPeer *peer,
               gpointer  user_data)
{
  Change *change = user_data;
  TestFrame frame;

  test_peer_accept (peer, NULL, NULL);
  change->is_same = test_peer_read_frame (peer, &frame) && frame.size == LARGE && memcmp (frame.payload, change->copy, LARGE) == 0;
  test_peer_close (peer, 1000, NULL, NULL);
}

static void
on_activated_change (S9wsClient *client,
                     gpointer    user_data)
{
  Change *change = user_data;

  g_assert_true (s9ws_client_send_binary (client, change->data, LARGE, NULL));
  memset (change->data, 'x', LARGE);
}

static void
test_change (gconstpointer data)
{
  g_autofree guint8 *noise = make_noise (LARGE);
  g_autofree guint8 *copy = g_memdup2 (noise, LARGE);
  Change change = { noise, copy };
  g_autofree char *log = case_run (data, script_change, G_CALLBACK (on_activated_change), &change, NULL);

  g_assert_true (change.is_same);
  g_assert_cmpstr (log, ==, "activated closed(1000) quit ");
}

int
main (int    argc,
      char **argv)
{
  setlocale (LC_ALL, "C");
  g_test_init (&argc, &argv, NULL);
  start_watchdog (280);

  for (gsize i = 0; i < G_N_ELEMENTS (received); i++)
    add_case (received[i].name, CASE_BOTH, case_receive, &received[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (sent); i++)
    add_case (sent[i].name, CASE_BOTH, case_send, &sent[i]);
  add_case ("5.2/lengths-are-as-short-as-can-be", CASE_BOTH, test_sizes, NULL);
  add_case ("5.3/masks-are-fresh", CASE_BOTH, test_masks, NULL);
  add_case ("5.4/messages-are-not-interleaved", CASE_BOTH, test_letters, NULL);
  add_case ("6.1/nothing-is-sent-before", CASE_PLAIN, test_before_open, NULL);
  add_case ("10.3/data-cannot-change", CASE_BOTH, test_change, NULL);

  return g_test_run ();
}
