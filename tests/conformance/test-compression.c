/* test-compression.c: what RFC 7692 demands of a client that compresses
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The MUSTs and MUST NOTs that bind a client, in the order of the RFC.  Each test has the
 * number of its section.  The server's side is zlib alone, in codec.c.
 *
 * 5.1     What the server accepts has been offered; else the connection fails.
 * 6       RSV1 is set in the first frame of a compressed message and nowhere else; a
 *         control frame or a continuation that has it fails the connection.
 * 6.1     A message is compressed as a whole, and may be sent without.
 * 6.2     The data of all frames of a compressed message is decompressed as one; a message
 *         without RSV1 is taken as it is.
 * 7.1     Parameters that are not defined, have an invalid value, come more than once or
 *         are not supported fail the connection.
 * 7.1.1.1 server_no_context_takeover has no value; without it the server's window is kept.
 * 7.1.1.2 client_no_context_takeover has no value; with it each message begins with an
 *         empty window.
 * 7.1.2.1 server_max_window_bits is a number from 8 to 15, and not more than was asked for.
 * 7.1.2.2 client_max_window_bits, too; the client's window is no longer than that.
 * 7.2.1   The client compresses with DEFLATE, and takes the four bytes of an empty block off
 *         the end.
 * 7.2.2   It appends them before it decompresses, and takes any kind of block.
 */
#include <locale.h>
#include <string.h>

#include "cases.h"
#include "codec.h"

/* What a client does with what it receives */

#define HELLO "\xf2\x48\xcd\xc9\xc9\x07\x00"
#define AGREED "Sec-WebSocket-Extensions: permessage-deflate\r\n"

/* clang-format off */
static const CaseReceived received[] = {
  { "6/compressed-message", BYTES ("\xc1\x07" HELLO), "text(Hello) " FINE, CLOSED, 0, AGREED },
  { "6/reserved-bit-1-of-ping-fails", BYTES ("\xc9\x00"), PROTOCOL_ERROR, FALSE, 0, AGREED },
  { "6/reserved-bit-1-of-pong-fails", BYTES ("\xca\x00"), PROTOCOL_ERROR, FALSE, 0, AGREED },
  { "6/reserved-bit-1-of-close-fails", BYTES ("\xc8\x02\x03\xe8"), PROTOCOL_ERROR, FALSE, 0, AGREED },
  { "6/reserved-bit-1-of-continuation-fails", BYTES ("\x41\x03\xf2\x48\xcd\xc0\x04\xc9\xc9\x07\x00"), PROTOCOL_ERROR, FALSE, 0, AGREED },
  { "6/reserved-bit-1-of-plain-continuation-fails", BYTES ("\x01\x03Hel\xc0\x02lo"), PROTOCOL_ERROR, FALSE, 0, AGREED },
  { "6/reserved-bit-2-fails", BYTES ("\xe1\x07" HELLO), PROTOCOL_ERROR, FALSE, 0, AGREED },
  { "6/reserved-bit-3-fails", BYTES ("\x91\x05Hello"), PROTOCOL_ERROR, FALSE, 0, AGREED },
  { "6/reserved-bit-1-that-was-not-agreed-on-fails", BYTES ("\xc1\x07" HELLO), PROTOCOL_ERROR, FALSE, 0, NULL },

  { "6.2/message-without-compression", BYTES ("\x81\x05Hello"), "text(Hello) " FINE, CLOSED, 0, AGREED },
  { "6.2/messages-of-both-kinds", BYTES ("\xc1\x07" HELLO "\x81\x02Hi\xc1\x05\xf2\x00\x11\x00\x00"), "text(Hello) text(Hi) text(Hello) " FINE, CLOSED, 0, AGREED },
  { "6.2/type-stays", BYTES ("\xc2\x07" HELLO), "binary(Hello) " FINE, CLOSED, 0, AGREED },
  { "6.2/fragments", BYTES ("\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00"), "text(Hello) " FINE, CLOSED, 0, AGREED },
  { "6.2/fragments-of-one-byte", BYTES ("\x41\x01\xf2\x00\x01\x48\x00\x01\xcd\x00\x01\xc9\x00\x01\xc9\x00\x01\x07\x80\x01\x00"), "text(Hello) " FINE, CLOSED, 0, AGREED },
  { "6.2/empty-fragments", BYTES ("\x41\x00\x00\x07" HELLO "\x00\x00\x80\x00"), "text(Hello) " FINE, CLOSED, 0, AGREED },
  { "6.2/control-frames-amid-fragments", BYTES ("\x41\x03\xf2\x48\xcd\x89\x01p\x80\x04\xc9\xc9\x07\x00"), "ping(p) text(Hello) " FINE, "pong(p) " CLOSED, 0, AGREED },

  { "7.1.1.1/window-is-kept", BYTES ("\xc1\x07" HELLO "\xc1\x05\xf2\x00\x11\x00\x00"), "text(Hello) text(Hello) " FINE, CLOSED, 0, AGREED },
  { "7.1.1.1/window-that-should-be-empty-fails", BYTES ("\xc1\x07" HELLO "\xc1\x05\xf2\x00\x11\x00\x00"), "text(Hello) " PROTOCOL_ERROR, FALSE, 0,
    "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n" },

  { "7.2.2/block-without-compression", BYTES ("\xc1\x0b\x00\x05\x00\xfa\xffHello\x00"), "text(Hello) " FINE, CLOSED, 0, AGREED },
  { "7.2.2/final-block", BYTES ("\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), "text(Hello) " FINE, CLOSED, 0, AGREED },
  { "7.2.2/message-behind-a-final-block", BYTES ("\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00\xc1\x07" HELLO), "text(Hello) text(Hello) " FINE, CLOSED, 0, AGREED },
  { "7.2.2/two-blocks", BYTES ("\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), "text(Hello) " FINE, CLOSED, 0, AGREED },
  { "7.2.2/empty-block", BYTES ("\xc1\x01\x00"), "text() " FINE, CLOSED, 0, AGREED },
  { "7.2.2/malformed-block-fails", BYTES ("\xc1\x01\x07"), PROTOCOL_ERROR, FALSE, 0, AGREED },
  { "7.2.2/reference-before-the-beginning-fails", BYTES ("\xc1\x05\xf2\x00\x11\x00\x00"), PROTOCOL_ERROR, FALSE, 0, AGREED },
  { "7.2.2/text-that-is-not-utf-8-fails", BYTES ("\xc1\x07\x00\x01\x00\xfe\xff\xff\x00"), TEXT_ERROR, FALSE, 0, AGREED },
  { "7.2.2/unfinished-text-fails-at-once", BYTES ("\xc1\x7d\x00\x05\x00\xfa\xff" "ab\xff"), TEXT_ERROR, FALSE, 0, AGREED },
  { "7.2.2/limit-is-kept-while-inflating", BYTES ("\xc2\x08\x4a\x4c\x1c\x05\x23\x19\x00\x00"), TOO_BIG_ERROR, FALSE, 500, AGREED },
};
/* clang-format on */

/* What is agreed on */

typedef struct
{
  const char *name;
  const char *extensions; /* the server's; NULL: none */
  gboolean is_fine;
  /* What the client asks for; 0: what it does by itself. */
  guint client_bits;
  guint server_bits;
  gboolean client_no_takeover;
  gboolean server_no_takeover;
  gboolean is_off;
} Answer;

#define DEFLATE "permessage-deflate"

/* clang-format off */
static const Answer answers[] = {
  { "5.1/declined", NULL, TRUE },
  { "5.1/accepted", DEFLATE, TRUE },
  { "5.1/what-was-not-offered-fails", DEFLATE, FALSE, .is_off = TRUE },
  { "5.1/other-extension-fails", "x-other" },
  { "5.1/other-extension-too-fails", DEFLATE ", x-other" },
  { "5.1/accepted-twice-fails", DEFLATE ", " DEFLATE },
  { "7.1/all-parameters", DEFLATE "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=11", TRUE },
  { "7.1/spaces", DEFLATE " ;server_no_context_takeover ; client_max_window_bits = 11", TRUE },
  { "7.1/value-in-quotes", DEFLATE "; server_max_window_bits=\"12\"", TRUE },
  { "7.1/undefined-parameter-fails", DEFLATE "; level=9" },
  { "7.1/misspelt-parameter-fails", DEFLATE "; server_max_window_bit=9" },
  { "7.1/same-parameter-twice-fails", DEFLATE "; server_max_window_bits=12; server_max_window_bits=12" },
  { "7.1/same-flag-twice-fails", DEFLATE "; client_no_context_takeover; client_no_context_takeover" },
  { "7.1.1.1/accepted", DEFLATE "; server_no_context_takeover", TRUE },
  { "7.1.1.1/accepted-as-asked-for", DEFLATE "; server_no_context_takeover", TRUE, .server_no_takeover = TRUE },
  { "7.1.1.1/asked-for-and-not-accepted-fails", DEFLATE, FALSE, .server_no_takeover = TRUE },
  { "7.1.1.1/value-fails", DEFLATE "; server_no_context_takeover=1" },
  { "7.1.1.2/accepted", DEFLATE "; client_no_context_takeover", TRUE },
  { "7.1.1.2/offered-and-not-repeated", DEFLATE, TRUE, .client_no_takeover = TRUE },
  { "7.1.1.2/value-fails", DEFLATE "; client_no_context_takeover=true" },
  { "7.1.2.1/8", DEFLATE "; server_max_window_bits=8", TRUE },
  { "7.1.2.1/15", DEFLATE "; server_max_window_bits=15", TRUE },
  { "7.1.2.1/less-than-asked-for", DEFLATE "; server_max_window_bits=10", TRUE, .server_bits = 11 },
  { "7.1.2.1/more-than-asked-for-fails", DEFLATE "; server_max_window_bits=12", FALSE, .server_bits = 11 },
  { "7.1.2.1/asked-for-and-not-accepted-fails", DEFLATE, FALSE, .server_bits = 11 },
  { "7.1.2.1/no-value-fails", DEFLATE "; server_max_window_bits" },
  { "7.1.2.1/7-fails", DEFLATE "; server_max_window_bits=7" },
  { "7.1.2.1/16-fails", DEFLATE "; server_max_window_bits=16" },
  { "7.1.2.1/leading-zero-fails", DEFLATE "; server_max_window_bits=09" },
  { "7.1.2.1/no-number-fails", DEFLATE "; server_max_window_bits=ten" },
  { "7.1.2.1/long-number-fails", DEFLATE "; server_max_window_bits=4294967306" },
  { "7.1.2.2/8", DEFLATE "; client_max_window_bits=8", TRUE },
  { "7.1.2.2/15", DEFLATE "; client_max_window_bits=15", TRUE },
  { "7.1.2.2/less-than-offered", DEFLATE "; client_max_window_bits=10", TRUE, .client_bits = 11 },
  { "7.1.2.2/more-than-offered-fails", DEFLATE "; client_max_window_bits=12", FALSE, .client_bits = 11 },
  { "7.1.2.2/no-value-fails", DEFLATE "; client_max_window_bits" },
  { "7.1.2.2/7-fails", DEFLATE "; client_max_window_bits=7" },
  { "7.1.2.2/16-fails", DEFLATE "; client_max_window_bits=16" },
  { "7.1.2.2/leading-zero-fails", DEFLATE "; client_max_window_bits=010" },
  { "7.1.2.2/no-number-fails", DEFLATE "; client_max_window_bits=1e1" },
};
/* clang-format on */

typedef struct
{
  const Answer *rule;
  CaseAnswered answered;
} Answering;

static void
script_answer (TestPeer *peer,
               gpointer  user_data)
{
  Answering *answering = user_data;
  const char *extensions = answering->rule->extensions;
  g_autofree char *header = extensions != NULL ? g_strconcat ("Sec-WebSocket-Extensions: ", extensions, "\r\n", NULL) : NULL;

  test_peer_accept (peer, NULL, header);
  case_see_answered (peer, &answering->answered);
}

static void
test_answer (gconstpointer data)
{
  const Case *test = data;
  const Answer *rule = test->data;
  Answering answering = { rule, { rule->is_fine } };
  g_autoptr (S9wsOptions) options = create_options ("compression", !rule->is_off,
                                                    "client-max-window-bits", rule->client_bits != 0 ? rule->client_bits : 15,
                                                    "server-max-window-bits", rule->server_bits != 0 ? rule->server_bits : 15,
                                                    "client-no-context-takeover", rule->client_no_takeover,
                                                    "server-no-context-takeover", rule->server_no_takeover, NULL);

  case_answer (test, script_answer, &answering.answered, &answering, options);
}

/* Every window and takeover, there and back */

static const gsize sizes[] = {
  1, 2, 3, 4, 5, 64, 125, 126, 127, 255, 256, 257, 511, 512, 1000, 1024, 4096, 16384, 32767, 32768, 32769, 65535, 65536, 131071, 131072
};

#define N_LARGE (2 * G_N_ELEMENTS (sizes)) /* each of them twice: the second refers to the first */
#define N_MESSAGES (N_LARGE + 1000)

typedef struct
{
  CodecSetup setup;
  gsize first; /* of the messages above */
  gsize end;
} ExchangeSetup;

typedef struct
{
  CodecSetup setup;
  gsize n_sent; /* or left out */
  gsize end;
  gsize n_right; /* of those that came back */
  gsize n_compressed;
  gboolean is_server_content;
} Exchange;

/* Random bytes that repeat at half of the window, at the window and beyond it; and small
 * messages of words. */
static GBytes *
make_message (const CodecSetup *setup,
              gsize             n)
{
  guint32 random = 2463534242u + (guint32) (n / 2);
  gsize period = (gsize) (n / 2 % 3 + 1) << (setup->client_bits - 1);
  gsize size = n < N_LARGE ? sizes[n / 2] : 1 + n * 37 % 300;
  guint8 *data = g_malloc (size);

  for (gsize i = 0; i < size; i++)
    {
      random ^= random << 13;
      random ^= random >> 17;
      random ^= random << 5;
      if (n >= N_LARGE)
        data[i] = (guint8) "words and more words, of message after message; "[(i + n) % 48];
      else
        data[i] = i < period ? (guint8) random : data[i - period];
    }

  return g_bytes_new_take (data, size);
}

/* Sends every message back, in one frame or in three with a ping between. */
static gboolean
echo (TestPeer *peer,
      Codec    *codec,
      gsize     n,
      GString  *message)
{
  GString *packed = codec_pack (codec, message->str, message->len);
  gsize third = n % 2 == 0 ? 0 : packed->len / 3;

  if (third == 0)
    return test_peer_send_frame (peer, TEST_BINARY | TEST_RSV1, TRUE, packed->str, packed->len);

  return test_peer_send_frame (peer, TEST_BINARY | TEST_RSV1, FALSE, packed->str, third) &&
         test_peer_send_frame (peer, TEST_CONTINUATION, FALSE, packed->str + third, third) &&
         test_peer_send_frame (peer, TEST_PING, TRUE, "?", 1) &&
         test_peer_send_frame (peer, TEST_CONTINUATION, TRUE, packed->str + 2 * third, packed->len - 2 * third);
}

static void
script_exchange (TestPeer *peer,
                 gpointer  user_data)
{
  Exchange *exchange = user_data;
  Codec *codec = codec_new (&exchange->setup);
  g_autofree char *header = codec_setup_dup_header (&exchange->setup);
  gsize n = 0;
  gboolean is_good = TRUE;
  TestFrame frame;

  test_peer_accept (peer, NULL, header);
  while (is_good && test_peer_read_frame (peer, &frame) && frame.opcode != TEST_CLOSE)
    {
      GString *message;

      /* RSV1 is in the first frames of messages and nowhere else. */
      is_good = frame.reserved_bits == (frame.opcode == TEST_BINARY ? TEST_RSV1 : 0);
      if (!is_good || frame.opcode == TEST_PONG)
        continue;

      message = codec_unpack (codec, frame.payload, frame.size);
      is_good = message != NULL && echo (peer, codec, n++, message);
      exchange->n_compressed += is_good;
    }
  exchange->is_server_content = is_good;
  test_peer_send_close (peer, 1000, NULL);
  codec_free (codec);
}

static void
send_next (S9wsClient *client,
           Exchange   *exchange)
{
  g_autoptr (GBytes) message = NULL;

  if (exchange->n_sent == exchange->end)
    {
      g_assert_true (s9ws_client_close (client, 1000, NULL, NULL));
      return;
    }

  message = make_message (&exchange->setup, exchange->n_sent++);
  g_assert_true (s9ws_client_send_bytes (client, message, NULL));
}

static void
on_binary_message (S9wsClient *client,
                   GBytes     *bytes,
                   gpointer    user_data)
{
  Exchange *exchange = user_data;
  g_autoptr (GBytes) expected = make_message (&exchange->setup, exchange->n_sent - 1);

  exchange->n_right += g_bytes_equal (bytes, expected);
  send_next (client, exchange);
}

static void
on_activated_exchange (S9wsClient *client,
                       gpointer    user_data)
{
  g_signal_connect (client, "binary-message", G_CALLBACK (on_binary_message), user_data);
  send_next (client, user_data);
}

static void
test_exchange (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (S9wsOptions) options = create_options ("compression-threshold", G_GUINT64_CONSTANT (0), NULL);
  const ExchangeSetup *setup = test->data;
  Exchange exchange = { .setup = setup->setup, .n_sent = setup->first, .end = setup->end };
  g_autofree char *log = case_run (test, script_exchange, G_CALLBACK (on_activated_exchange), &exchange, options);

  g_assert_true (exchange.is_server_content);
  g_assert_cmpuint (exchange.n_compressed, ==, setup->end - setup->first);
  g_assert_cmpuint (exchange.n_right, ==, setup->end - setup->first);
  g_assert_true (g_str_has_suffix (log, "closed(1000) quit "));
}

#define N_WINDOWS 8

/* Where the two windows differ, these are enough to refer to what is in the one and not in
 * the other: of 4096 to 32769 bytes, each of them twice. */
#define UNEQUAL_FIRST 32
#define UNEQUAL_END 42

static void
add_exchange (ExchangeSetup *setup)
{
  guint client_bits = setup->setup.client_bits;
  guint server_bits = setup->setup.server_bits;
  g_autofree char *windows = client_bits == server_bits ? g_strdup_printf ("window-of-%u-bits", client_bits)
                                                        : g_strdup_printf ("windows-of-%u-and-%u-bits", client_bits, server_bits);
  g_autofree char *name = g_strdup_printf ("7.2.1/%s-%s-%s", windows, setup->setup.client_takes_over ? "takeover" : "none",
                                           setup->setup.server_takes_over ? "takeover" : "none");

  add_case (name, client_bits == 15 && server_bits == 15 ? CASE_BOTH : CASE_PLAIN, test_exchange, setup);
}

static void
add_exchanges (void)
{
  static ExchangeSetup setups[N_WINDOWS * N_WINDOWS * 4];

  for (guint i = 0; i < G_N_ELEMENTS (setups); i++)
    {
      guint client_bits = 8 + i / 4 % N_WINDOWS;
      guint server_bits = 8 + i / 4 / N_WINDOWS;
      gboolean is_equal = client_bits == server_bits;

      setups[i].setup = (CodecSetup){ client_bits, server_bits, (i & 1) == 0, (i & 2) == 0 };
      setups[i].first = is_equal ? 0 : UNEQUAL_FIRST;
      setups[i].end = is_equal ? N_MESSAGES : UNEQUAL_END;
      add_exchange (&setups[i]);
    }
}

/* What a client sends */

static void
on_activated_some (S9wsClient *client,
                   gpointer    user_data)
{
  g_assert_true (s9ws_client_send_text (client, "Hello", NULL));
  g_assert_true (s9ws_client_send_text (client, "Hello", NULL));
  g_assert_true (s9ws_client_send_ping (client, (const guint8 *) "p", 1, NULL));
  s9ws_client_set_compress (client, FALSE);
  g_assert_true (s9ws_client_send_text (client, "Hello", NULL));
  g_assert_true (s9ws_client_close (client, 1000, "bye", NULL));
}

static gboolean
expect_compressed (TestPeer   *peer,
                   const char *payload,
                   gsize       size)
{
  TestFrame frame;

  return test_peer_read_frame (peer, &frame) && frame.reserved_bits == TEST_RSV1 && frame.is_final &&
         frame.opcode == TEST_TEXT && frame.size == size && memcmp (frame.payload, payload, size) == 0;
}

/* The bytes of the RFC's own examples, and RSV1 where it belongs. */
static void
script_some (TestPeer *peer,
             gpointer  user_data)
{
  gboolean *is_right = user_data;

  test_peer_accept (peer, NULL, AGREED);
  *is_right = expect_compressed (peer, HELLO, 7) &&
              expect_compressed (peer, "\xf2\x00\x11\x00\x00", 5) &&
              test_peer_expect_frame (peer, TEST_PING, "p", 1) &&
              test_peer_expect_frame (peer, TEST_TEXT, "Hello", 5) &&
              test_peer_expect_frame (peer, TEST_CLOSE, BYTES ("\x03\xe8"
                                                               "bye"));
  test_peer_send_close (peer, 1000, NULL);
}

static void
test_some (gconstpointer data)
{
  g_autoptr (S9wsOptions) options = create_options ("compression-threshold", G_GUINT64_CONSTANT (0), NULL);
  gboolean is_right = FALSE;
  g_autofree char *log = case_run (data, script_some, G_CALLBACK (on_activated_some), &is_right, options);

  g_assert_true (is_right);
  g_assert_cmpstr (log, ==, "activated closed(1000) quit ");
}

/* What a client sends in pieces */

#define PING_BETWEEN "?" /* not a piece, but a ping */

typedef struct
{
  const char *name;
  const char *pieces[6]; /* up to the first NULL */
  gboolean is_plain;     /* there is nothing to compress */
} Pieces;

static const Pieces pieces[] = {
  { "6.1/pieces", { "Hel", "lo, ", "Hello" } },
  { "6.1/one-piece", { "Hello" } },
  { "6.1/no-piece", { NULL }, TRUE },
  { "6.1/one-piece-that-is-empty", { "" }, TRUE },
  { "6.1/empty-pieces", { "", "Hel", "", "lo", "" } },
  { "6.1/control-frames-amid-pieces", { PING_BETWEEN, "Hel", PING_BETWEEN, "lo", PING_BETWEEN } },
  { "6.1/character-cut-in-two", { "H\xc3", "\xa4llo" } },
};

typedef struct
{
  const Pieces *pieces;
  gboolean is_right;
} PiecesRun;

static void
send_pieces (S9wsClient   *client,
             const Pieces *message)
{
  g_assert_true (s9ws_client_begin_message (client, S9WS_MESSAGE_KIND_TEXT, NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (message->pieces) && message->pieces[i] != NULL; i++)
    {
      const guint8 *data = (const guint8 *) message->pieces[i];

      if (g_str_equal (message->pieces[i], PING_BETWEEN))
        g_assert_true (s9ws_client_send_ping (client, data, 1, NULL));
      else
        g_assert_true (s9ws_client_append (client, data, strlen (message->pieces[i]), NULL));
    }
  g_assert_true (s9ws_client_finish_message (client, NULL));
}

/* Twice: with context takeover the second refers to the first. */
static void
on_activated_pieces (S9wsClient *client,
                     gpointer    user_data)
{
  PiecesRun *run = user_data;

  send_pieces (client, run->pieces);
  send_pieces (client, run->pieces);
  g_assert_true (s9ws_client_close (client, 1000, NULL, NULL));
}

/* The payloads of a message's frames, joined, or NULL where a frame is not as it has to be. */
static GString *
read_joined (TestPeer *peer,
             gsize    *n_pings)
{
  g_autoptr (GString) joined = g_string_new (NULL);
  gboolean is_first = TRUE;
  TestFrame frame;

  while (test_peer_read_frame (peer, &frame))
    {
      if (frame.opcode == TEST_PING && frame.reserved_bits == 0)
        {
          (*n_pings)++;
          continue;
        }
      if (frame.opcode != (is_first ? TEST_TEXT : TEST_CONTINUATION) || frame.reserved_bits != (is_first ? TEST_RSV1 : 0))
        return NULL;
      is_first = FALSE;
      g_string_append_len (joined, frame.payload, (gssize) frame.size);
      if (frame.is_final)
        return g_steal_pointer (&joined);
    }

  return NULL;
}

/* One DEFLATE stream over all frames; with the four bytes of its end, the codec refuses it. */
static gboolean
expect_pieces (TestPeer     *peer,
               Codec        *codec,
               const Pieces *message)
{
  g_autoptr (GString) expected = g_string_new (NULL);
  gsize n_expected_pings = 0;
  gsize n_pings = 0;
  g_autoptr (GString) joined = NULL;
  GString *text;

  if (message->is_plain)
    return test_peer_expect_frame (peer, TEST_TEXT, "", 0);

  for (gsize i = 0; i < G_N_ELEMENTS (message->pieces) && message->pieces[i] != NULL; i++)
    if (g_str_equal (message->pieces[i], PING_BETWEEN))
      n_expected_pings++;
    else
      g_string_append (expected, message->pieces[i]);

  joined = read_joined (peer, &n_pings);
  if (joined == NULL || n_pings != n_expected_pings)
    return FALSE;

  text = codec_unpack (codec, joined->str, joined->len);
  return text != NULL && g_string_equal (text, expected);
}

static void
script_pieces (TestPeer *peer,
               gpointer  user_data)
{
  const CodecSetup setup = { 15, 15, TRUE, TRUE };
  PiecesRun *run = user_data;
  Codec *codec = codec_new (&setup);

  test_peer_accept (peer, NULL, AGREED);
  run->is_right = expect_pieces (peer, codec, run->pieces) &&
                  expect_pieces (peer, codec, run->pieces) &&
                  test_peer_expect_frame (peer, TEST_CLOSE, BYTES ("\x03\xe8"));
  test_peer_send_close (peer, 1000, NULL);
  codec_free (codec);
}

static void
test_pieces (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (S9wsOptions) options = create_options ("compression-threshold", G_GUINT64_CONSTANT (0), NULL);
  PiecesRun run = { .pieces = test->data };
  g_autofree char *log = case_run (test, script_pieces, G_CALLBACK (on_activated_pieces), &run, options);

  g_assert_true (run.is_right);
  g_assert_cmpstr (log, ==, "activated closed(1000) quit ");
}

int
main (int    argc,
      char **argv)
{
  setlocale (LC_ALL, "C");
  g_test_init (&argc, &argv, NULL);
  start_watchdog (900);

  for (gsize i = 0; i < G_N_ELEMENTS (received); i++)
    add_case (received[i].name, CASE_BOTH, case_receive, &received[i]);
  add_case ("6.1/reserved-bit-1-is-where-it-belongs", CASE_BOTH, test_some, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (pieces); i++)
    add_case (pieces[i].name, CASE_BOTH, test_pieces, &pieces[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (answers); i++)
    add_case (answers[i].name, CASE_BOTH, test_answer, &answers[i]);
  add_exchanges ();

  return g_test_run ();
}
