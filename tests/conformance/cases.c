/* cases.c: a rule of an RFC, tried with each client, plain and through TLS
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "cases.h"

void
add_case (const char    *name,
          CaseSchemes    schemes,
          GTestDataFunc  function,
          gconstpointer  data)
{
  for (Kind kind = 0; kind < N_KINDS; kind++)
    for (CaseSchemes scheme = CASE_PLAIN; scheme <= CASE_TLS; scheme <<= 1)
      if ((schemes & scheme) != 0)
        {
          Case *test = g_new0 (Case, 1);
          g_autofree char *path = g_strdup_printf ("/%s/%s/%s", name, kind_names[kind], scheme == CASE_TLS ? "wss" : "ws");

          *test = (Case){ kind, scheme == CASE_TLS, data };
          g_test_add_data_func_full (path, test, function, g_free);
        }
}

TestServer *
case_create_server (const Case *test,
                    TestScript  script,
                    gpointer    user_data)
{
  g_autofree char *certificate = get_certificate ("good");
  g_autofree char *key = get_certificate ("good-key");

  return test->is_secure ? test_server_new_with_tls (script, user_data, certificate, key)
                         : test_server_new (script, user_data);
}

char *
case_run (const Case  *test,
          TestScript   script,
          GCallback    on_activated,
          gpointer     user_data,
          S9wsOptions *options)
{
  g_autoptr (TestServer) server = case_create_server (test, script, user_data);
  g_autoptr (S9wsOptions) own_options = options != NULL ? g_object_ref (options) : create_options (NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), own_options);
  GString *log = g_string_new (NULL);

  record_signals (client, log);
  if (on_activated != NULL)
    g_signal_connect (client, "activated", on_activated, user_data);
  s9ws_client_run (client, NULL, NULL);
  g_assert_true (test_server_wait_finished (server, 1));
  g_assert_cmpuint (test_server_get_n_connections (server), ==, 1);

  return g_string_free (log, FALSE);
}

static const char *const frame_names[] = {
  "continuation", "text", "binary", "?", "?", "?", "?", "?", "close", "ping", "pong"
};

static void
log_frame (const TestFrame *frame,
           GString         *seen)
{
  g_string_append_printf (seen, "%s%s(", frame->reserved_bits != 0 ? "reserved " : "", frame_names[frame->opcode]);
  if (frame->opcode == TEST_CLOSE)
    g_string_append_printf (seen, "%u%s%s", frame->close_code, *frame->reason != '\0' ? "," : "", frame->reason);
  else if (frame->size > 64)
    g_string_append_printf (seen, "%" G_GSIZE_FORMAT, frame->size);
  else
    g_string_append_len (seen, frame->payload, (gssize) frame->size);
  g_string_append (seen, frame->is_final ? ") " : ")... ");
}

void
case_see_answered (TestPeer     *peer,
                   CaseAnswered *answered)
{
  char bytes[64];
  gsize n;

  if (answered->is_fine)
    {
      test_peer_close (peer, 1000, NULL, NULL);
      return;
    }

  while ((n = test_peer_read (peer, bytes, sizeof bytes)) > 0)
    answered->n_more += n;
  answered->was_closed = test_peer_get_end (peer) == TEST_END_EOF;
}

void
case_answer (const Case   *test,
             TestScript    script,
             CaseAnswered *answered,
             gpointer      user_data,
             S9wsOptions  *options)
{
  g_autofree char *log = case_run (test, script, NULL, user_data, options);

  g_assert_cmpstr (log, ==, answered->is_fine ? "activated closed(1000) quit " : "error(4) quit ");
  if (!answered->is_fine)
    {
      g_assert_cmpuint (answered->n_more, ==, 0);
      g_assert_true (answered->was_closed);
    }
}

void
case_log_frames (TestPeer *peer,
                 GString  *seen)
{
  TestFrame frame;

  while (test_peer_read_frame (peer, &frame))
    {
      log_frame (&frame, seen);
      if (frame.opcode == TEST_CLOSE)
        return;
    }

  g_string_append (seen, test_peer_get_end (peer) == TEST_END_BROKEN ? "broken " : "end ");
}

typedef struct
{
  const CaseReceived *rule;
  GString *seen;
  TestEnd end;
} Receiving;

static void
script_receive (TestPeer *peer,
                gpointer  user_data)
{
  Receiving *receiving = user_data;

  test_peer_accept (peer, NULL, receiving->rule->headers);
  test_peer_send (peer, receiving->rule->data, receiving->rule->size);
  if (receiving->rule->server_closes)
    test_peer_send_close (peer, 1000, NULL);
  case_log_frames (peer, receiving->seen);
  receiving->end = test_peer_wait_end (peer);
}

void
case_receive (gconstpointer data)
{
  const Case *test = data;
  const CaseReceived *rule = test->data;
  g_autoptr (GString) seen = g_string_new (NULL);
  Receiving receiving = { rule, seen };
  g_autoptr (S9wsOptions) options = create_options (NULL);
  g_autofree char *expected = g_strconcat ("activated ", rule->log, "quit ", NULL);
  g_autofree char *log = NULL;

  if (rule->max_message_size != 0)
    g_object_set (options, "max-message-size", rule->max_message_size, NULL);
  log = case_run (test, script_receive, NULL, &receiving, options);
  g_assert_cmpstr (log, ==, expected);
  g_assert_cmpstr (seen->str, ==, rule->seen);
  g_assert_cmpint (receiving.end, ==, TEST_END_EOF);
}

typedef struct
{
  const CaseSent *rule;
  GString *seen;
} Sending;

/* Behind the client's Close nothing may come but the end. */
static void
script_send (TestPeer *peer,
             gpointer  user_data)
{
  Sending *sending = user_data;
  char byte;

  test_peer_accept (peer, NULL, NULL);
  case_log_frames (peer, sending->seen);
  test_peer_send_close (peer, 1000, NULL);
  if (test_peer_read (peer, &byte, 1) != 0)
    g_string_append (sending->seen, "more ");
  else if (test_peer_get_end (peer) != TEST_END_EOF)
    g_string_append (sending->seen, "no end ");
}

static void
on_activated_send (S9wsClient *client,
                   gpointer    user_data)
{
  Sending *sending = user_data;

  sending->rule->act (client);
}

void
case_send (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (GString) seen = g_string_new (NULL);
  Sending sending = { test->data, seen };
  g_autofree char *log = case_run (test, script_send, G_CALLBACK (on_activated_send), &sending, NULL);

  g_assert_cmpstr (seen->str, ==, sending.rule->seen);
  g_assert_cmpstr (log, ==, "activated closed(1000) quit ");
}
