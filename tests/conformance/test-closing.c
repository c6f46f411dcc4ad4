/* test-closing.c: what RFC 6455 demands of a client that closes
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The MUSTs and MUST NOTs that bind a client, in the order of the RFC; see test-framing.c.
 *
 * 5.5.1 If a Close has a body, its first two bytes are a code in network byte order.
 *       No data frames are sent after a Close.
 *       A Close that has not been preceded by one of ours is answered by one.
 *       After both, the TCP connection is closed; also if both were sent at once.
 * 5.5.2 A ping that comes behind our Close, but before the server's, is answered.
 * 7.1.2 To start the closing handshake is to send a Close with code and reason.
 * 7.1.5 A Close without a code counts as 1005, an end without a Close as 1006.
 * 7.1.7 To fail the connection is to close it.
 *       Nothing that comes after a failure is processed, not even a Close.
 * 7.2.1 A client whose connection is lost fails it.
 * 7.4.1 1005, 1006 and 1015 are not sent in a Close.
 * 7.4.2 Only codes from 1000 to 4999 are used, and of those below 3000 only what has been
 *       defined.
 */
#include <locale.h>

#include "cases.h"

/* What a client does with what it receives */

#define CLOSES(code) "closed(" code ") ", "close(" code ") "

/* clang-format off */
static const CaseReceived received[] = {
  { "5.5.1/close-is-answered", BYTES ("\x88\x05\x03\xe9" "bye"), "closed(1001,bye) ", "close(1001) " },
  { "5.5.1/close-without-a-body-is-answered", BYTES ("\x88\x00"), CLOSES ("1005") },
  { "5.5.1/close-behind-messages-is-answered", BYTES ("\x81\x01" "a\x82\x01" "b\x88\x02\x03\xe8"), "text(a) binary(b) " CLOSES ("1000") },
  { "5.5.1/code-is-in-network-byte-order", BYTES ("\x88\x02\x0f\xa1"), CLOSES ("4001") },
  { "5.5.1/body-of-one-byte-fails", BYTES ("\x88\x01\x03"), PROTOCOL_ERROR },
  { "5.5.1/data-behind-close-is-ignored", BYTES ("\x88\x02\x03\xe8\x81\x02hi\x83\x00"), CLOSES ("1000") },

  { "7.1.5/no-code-is-1005", BYTES ("\x88\x00"), CLOSES ("1005") },
  { "7.1.6/reason-is-delivered", BYTES ("\x88\x05\x03\xe8\xe2\x82\xac"), "closed(1000,\xe2\x82\xac) ", "close(1000) " },
  { "7.1.7/nothing-behind-a-failure-is-delivered", BYTES ("\x83\x00\x81\x02hi\x82\x01x"), PROTOCOL_ERROR },
  { "7.1.7/no-ping-behind-a-failure-is-answered", BYTES ("\x83\x00\x89\x01p"), PROTOCOL_ERROR },
  { "7.1.7/no-close-behind-a-failure-counts", BYTES ("\x83\x00\x88\x02\x03\xe8"), PROTOCOL_ERROR },
  { "7.1.7/all-before-a-failure-is-delivered", BYTES ("\x81\x02hi\x89\x01p\x83\x00"), "text(hi) ping(p) error(5) closed(1002) ", "pong(p) close(1002) " },

  { "7.4.1/1000", BYTES ("\x88\x02\x03\xe8"), CLOSES ("1000") },
  { "7.4.1/1001", BYTES ("\x88\x02\x03\xe9"), CLOSES ("1001") },
  { "7.4.1/1002", BYTES ("\x88\x02\x03\xea"), CLOSES ("1002") },
  { "7.4.1/1003", BYTES ("\x88\x02\x03\xeb"), CLOSES ("1003") },
  { "7.4.1/1007", BYTES ("\x88\x02\x03\xef"), CLOSES ("1007") },
  { "7.4.1/1008", BYTES ("\x88\x02\x03\xf0"), CLOSES ("1008") },
  { "7.4.1/1009", BYTES ("\x88\x02\x03\xf1"), CLOSES ("1009") },
  { "7.4.1/1010", BYTES ("\x88\x02\x03\xf2"), CLOSES ("1010") },
  { "7.4.1/1011", BYTES ("\x88\x02\x03\xf3"), CLOSES ("1011") },
  { "7.4.1/1004-fails", BYTES ("\x88\x02\x03\xec"), PROTOCOL_ERROR },
  { "7.4.1/1005-fails", BYTES ("\x88\x02\x03\xed"), PROTOCOL_ERROR },
  { "7.4.1/1006-fails", BYTES ("\x88\x02\x03\xee"), PROTOCOL_ERROR },
  { "7.4.1/1015-fails", BYTES ("\x88\x02\x03\xf7"), PROTOCOL_ERROR },
  { "7.4.2/0-fails", BYTES ("\x88\x02\x00\x00"), PROTOCOL_ERROR },
  { "7.4.2/999-fails", BYTES ("\x88\x02\x03\xe7"), PROTOCOL_ERROR },
  { "7.4.2/1016-fails", BYTES ("\x88\x02\x03\xf8"), PROTOCOL_ERROR },
  { "7.4.2/2999-fails", BYTES ("\x88\x02\x0b\xb7"), PROTOCOL_ERROR },
  { "7.4.2/3000", BYTES ("\x88\x02\x0b\xb8"), CLOSES ("3000") },
  { "7.4.2/4999", BYTES ("\x88\x02\x13\x87"), CLOSES ("4999") },
  { "7.4.2/5000-fails", BYTES ("\x88\x02\x13\x88"), PROTOCOL_ERROR },
  { "7.4.2/65535-fails", BYTES ("\x88\x02\xff\xff"), PROTOCOL_ERROR },
};
/* clang-format on */

/* What a client sends */

static void
close_with_data_behind (S9wsClient *client)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (s9ws_client_send_text (client, "before", NULL));
  g_assert_true (s9ws_client_close (client, 1000, "bye", NULL));
  g_assert_false (s9ws_client_send_text (client, "behind", &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_CONNECTION_CLOSED);
  g_assert_false (s9ws_client_send_binary (client, (const guint8 *) "behind", 6, NULL));
  g_assert_false (s9ws_client_send_ping (client, (const guint8 *) "behind", 6, NULL));
}

static void
close_twice (S9wsClient *client)
{
  g_assert_true (s9ws_client_close (client, 1000, "first", NULL));
  g_assert_false (s9ws_client_close (client, 1001, "second", NULL));
}

static void
close_without_code (S9wsClient *client)
{
  g_assert_true (s9ws_client_close (client, 0, NULL, NULL));
}

static void
close_with_code (S9wsClient *client)
{
  g_assert_true (s9ws_client_close (client, 4001, "\xe2\x82\xac", NULL));
}

static void
close_with_forbidden_codes (S9wsClient *client)
{
  static const guint codes[] = { 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535, 65536 + 1000 };

  for (gsize i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (s9ws_client_close (client, codes[i], NULL, &error));
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_PROTOCOL);
    }
  g_assert_true (s9ws_client_close (client, 4999, NULL, NULL));
}

static const CaseSent sent[] = {
  { "5.5.1/no-data-behind-close", close_with_data_behind, "text(before) close(1000,bye) " },
  { "5.5.1/one-close-only", close_twice, "close(1000,first) " },
  { "5.5.1/sent-code-is-in-network-byte-order", close_with_code, "close(4001,\xe2\x82\xac) " },
  { "7.1.2/close-has-code-and-reason", close_with_code, "close(4001,\xe2\x82\xac) " },
  { "7.1.2/close-without-code", close_without_code, "close(1005) " },
  { "7.4.1/reserved-codes-are-not-sent", close_with_forbidden_codes, "close(4999) " },
};

/* Both at once: neither has read the other's */

typedef struct
{
  TestGate gate;
  GString *seen;
} Meeting;

static void
script_meet (TestPeer *peer,
             gpointer  user_data)
{
  Meeting *meeting = user_data;

  test_peer_accept (peer, NULL, NULL);
  test_gate_wait (&meeting->gate);
  test_peer_send_close (peer, 1001, "server");
  case_log_frames (peer, meeting->seen);
  g_string_append_printf (meeting->seen, "end(%d)", test_peer_wait_end (peer) == TEST_END_EOF);
}

static void
on_activated_meet (S9wsClient *client,
                   gpointer    user_data)
{
  Meeting *meeting = user_data;

  g_assert_true (s9ws_client_close (client, 4000, "client", NULL));
  test_gate_open (&meeting->gate);
}

static void
test_meet (gconstpointer data)
{
  g_autoptr (GString) seen = g_string_new (NULL);
  Meeting meeting = { .seen = seen };
  g_autofree char *log = NULL;

  test_gate_init (&meeting.gate);
  log = case_run (data, script_meet, G_CALLBACK (on_activated_meet), &meeting, NULL);
  g_assert_cmpstr (log, ==, "activated closed(1001,server) quit ");
  g_assert_cmpstr (seen->str, ==, "close(4000,client) end(1)");
  test_gate_clear (&meeting.gate);
}

/* A ping amid the closing handshake */

static void
script_ping (TestPeer *peer,
             gpointer  user_data)
{
  GString *seen = user_data;

  test_peer_accept (peer, NULL, NULL);
  case_log_frames (peer, seen);
  test_peer_send_frame (peer, TEST_PING, TRUE, "late", 4);
  test_peer_send_close (peer, 1000, NULL);
  case_log_frames (peer, seen);
}

static void
on_activated_close (S9wsClient *client,
                    gpointer    user_data)
{
  g_assert_true (s9ws_client_close (client, 1000, NULL, NULL));
}

static void
test_ping (gconstpointer data)
{
  g_autoptr (GString) seen = g_string_new (NULL);
  g_autofree char *log = case_run (data, script_ping, G_CALLBACK (on_activated_close), seen, NULL);

  g_assert_cmpstr (log, ==, "activated ping(late) closed(1000) quit ");
  g_assert_cmpstr (seen->str, ==, "close(1000) pong(late) end ");
}

/* Lost connections */

static void
script_vanish (TestPeer *peer,
               gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_send_frame (peer, TEST_TEXT, TRUE, "Hello", 5);
}

static void
script_vanish_in_message (TestPeer *peer,
                          gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_send_frame (peer, TEST_TEXT, TRUE, "Hello", 5);
  test_peer_send_frame (peer, TEST_TEXT, FALSE, "lost", 4);
}

static void
script_reset (TestPeer *peer,
              gpointer  user_data)
{
  TestFrame frame;

  test_peer_accept (peer, NULL, NULL);
  test_peer_send_frame (peer, TEST_TEXT, TRUE, "Hello", 5);
  /* The client has read it: a reset may overtake what has not been read. */
  test_peer_read_frame (peer, &frame);
  test_peer_reset (peer);
}

static const struct
{
  const char *name;
  TestScript script;
} losses[] = {
  { "7.2.1/end-without-close-fails", script_vanish },
  { "7.2.1/end-in-a-message-fails", script_vanish_in_message },
  { "7.2.1/reset-fails", script_reset },
};

static void
on_text_answer (S9wsClient *client,
                const char *text,
                gpointer    user_data)
{
  s9ws_client_send_text (client, "read", NULL);
}

static void
on_activated_answer (S9wsClient *client,
                     gpointer    user_data)
{
  g_signal_connect (client, "text-message", G_CALLBACK (on_text_answer), NULL);
}

static void
test_loss (gconstpointer data)
{
  const Case *test = data;
  TestScript script = *(const TestScript *) test->data;
  g_autofree char *log = case_run (test, script, G_CALLBACK (on_activated_answer), NULL, NULL);

  /* Through TLS it may be an error of TLS. */
  g_assert_true (g_str_has_prefix (log, "activated text(Hello) error("));
  g_assert_true (g_str_has_suffix (log, ") closed(1006) quit "));
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
  add_case ("5.5.1/both-close-at-once", CASE_BOTH, test_meet, NULL);
  add_case ("5.5.2/ping-behind-our-close-is-answered", CASE_BOTH, test_ping, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (losses); i++)
    add_case (losses[i].name, CASE_BOTH, test_loss, &losses[i].script);

  return g_test_run ();
}
