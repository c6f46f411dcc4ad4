/* test-answer.c: what RFC 6455 demands of a client that is answered
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The MUSTs and MUST NOTs that bind a client, in the order of the RFC; see test-framing.c.
 *
 * 4.1    The answer is validated: status, Upgrade, Connection, Sec-WebSocket-Accept,
 *        extensions and subprotocol; what does not conform fails the connection.
 * 9.1    Extensions that are malformed fail the connection.
 * 11.3.2 to 11.3.4: extensions, accept and protocol come once in an answer.
 */
#include <locale.h>

#include "cases.h"

/* Answers: <accept> stands for what the client expects. */

typedef struct
{
  const char *name;
  const char *answer;
  gboolean is_fine;
} Answer;

#define STATUS "HTTP/1.1 101 Switching Protocols\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define ACCEPTED "Sec-WebSocket-Accept: <accept>\r\n"
#define ALL STATUS UPGRADE CONNECTION ACCEPTED
#define END "\r\n"

static const Answer answers[] = {
  { "4.1/valid-answer", ALL END, TRUE },
  { "4.1/names-and-keywords-in-any-case", STATUS "UPGRADE: WebSocket\r\nconnection: uPGRADE\r\nsec-websocket-ACCEPT: <accept>\r\n" END, TRUE },
  { "4.1/connection-with-more-tokens", STATUS UPGRADE "Connection: keep-alive, Upgrade\r\n" ACCEPTED END, TRUE },
  { "4.1/space-around-accept-is-ignored", STATUS UPGRADE CONNECTION "Sec-WebSocket-Accept: \t <accept> \t\r\n" END, TRUE },
  { "4.1/interim-answers-are-passed-over", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" ALL END, TRUE },
  { "4.1/protocol-that-was-asked-for", ALL "Sec-WebSocket-Protocol: two\r\n" END, TRUE },
  { "4.1/status-200-is-no-upgrade", "HTTP/1.1 200 OK\r\n" UPGRADE CONNECTION ACCEPTED "Content-Length: 0\r\n" END },
  { "4.1/status-401-is-no-upgrade", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n" END },
  { "4.1/no-upgrade-fails", STATUS CONNECTION ACCEPTED END },
  { "4.1/other-upgrade-fails", STATUS "Upgrade: h2c\r\n" CONNECTION ACCEPTED END },
  { "4.1/no-connection-fails", STATUS UPGRADE ACCEPTED END },
  { "4.1/connection-without-upgrade-fails", STATUS UPGRADE "Connection: keep-alive\r\n" ACCEPTED END },
  { "4.1/no-accept-fails", STATUS UPGRADE CONNECTION END },
  { "4.1/empty-accept-fails", STATUS UPGRADE CONNECTION "Sec-WebSocket-Accept:\r\n" END },
  { "4.1/accept-of-another-key-fails", STATUS UPGRADE CONNECTION "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" END },
  { "4.1/accept-with-more-behind-fails", STATUS UPGRADE CONNECTION "Sec-WebSocket-Accept: <accept>x\r\n" END },
  { "4.1/extension-that-was-not-asked-for-fails", ALL "Sec-WebSocket-Extensions: x-unheard-of\r\n" END },
  { "4.1/protocol-that-was-not-asked-for-fails", ALL "Sec-WebSocket-Protocol: three\r\n" END },
  { "4.1/protocol-in-other-case-fails", ALL "Sec-WebSocket-Protocol: TWO\r\n" END },
  { "4.1/answer-that-is-not-http-fails", "SSH-2.0-OpenSSH_9.2\r\n" },
  { "4.1/http-1.0-fails", "HTTP/1.0 101 Switching Protocols\r\n" UPGRADE CONNECTION ACCEPTED END },
  { "4.1/malformed-header-fails", ALL "No colon here\r\n" END },
  { "9.1/extension-without-a-name-fails", ALL "Sec-WebSocket-Extensions: ; a=b\r\n" END },
  { "9.1/parameter-without-a-name-fails", ALL "Sec-WebSocket-Extensions: permessage-deflate; =1\r\n" END },
  { "9.1/parameter-without-a-value-fails", ALL "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=\r\n" END },
  { "9.1/open-quotes-fail", ALL "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=\"15\r\n" END },
  { "9.1/text-behind-quotes-fails", ALL "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=\"15\"5\r\n" END },
  { "9.1/extension-that-is-no-token-fails", ALL "Sec-WebSocket-Extensions: permessage deflate\r\n" END },
  { "9.1/empty-extensions-fail", ALL "Sec-WebSocket-Extensions:\r\n" END },
  { "11.3.2/extensions-twice-fail", ALL "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Extensions: permessage-deflate\r\n" END },
  { "11.3.3/accept-twice-fails", ALL ACCEPTED END },
  { "11.3.4/protocol-twice-fails", ALL "Sec-WebSocket-Protocol: one\r\nSec-WebSocket-Protocol: two\r\n" END },
};

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
  g_autoptr (GString) answer = g_string_new (answering->rule->answer);
  g_autofree char *accept = NULL;

  test_peer_read_request (peer);
  accept = test_peer_dup_accept_key (peer);
  g_string_replace (answer, "<accept>", accept, 0);
  test_peer_send (peer, answer->str, answer->len);
  case_see_answered (peer, &answering->answered);
}

static void
test_answer (gconstpointer data)
{
  static const char *const protocols[] = { "one", "two", NULL };
  const Case *test = data;
  const Answer *rule = test->data;
  Answering answering = { rule, { rule->is_fine } };
  g_autoptr (S9wsOptions) options = create_options ("protocols", protocols, NULL);

  case_answer (test, script_answer, &answering.answered, &answering, options);
}

int
main (int    argc,
      char **argv)
{
  setlocale (LC_ALL, "C");
  g_test_init (&argc, &argv, NULL);
  start_watchdog (280);

  for (gsize i = 0; i < G_N_ELEMENTS (answers); i++)
    add_case (answers[i].name, CASE_BOTH, test_answer, &answers[i]);

  return g_test_run ();
}
