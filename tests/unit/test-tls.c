/* test-tls.c: certificates that are asked about, sessions that are resumed
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <poll.h>
#include <string.h>

#include <gnutls/gnutls.h>

#include "recorder.h"

/* In which way a client comes to open. */
typedef enum
{
  WAY_OPEN,
  WAY_OPEN_ASYNC,
  WAY_RUN,
  WAY_ATTACH,
  WAY_START,
  N_WAYS,
} Way;

static const char *const way_names[N_WAYS] = { "open", "open-async", "run", "attach", "start" };

typedef struct
{
  Kind kind;
  Way way;
} Case;

/* What the certificate was asked about, and what is answered. */
typedef struct
{
  gboolean answer;
  guint n;
  GThread *thread;
  char *chain;
  GTlsCertificateFlags reasons;
  GString *log;
} Asked;

static gboolean
on_accept_certificate (S9wsClient           *client,
                       const char           *chain,
                       GTlsCertificateFlags  reasons,
                       Asked                *asked)
{
  asked->n++;
  asked->thread = g_thread_self ();
  g_free (asked->chain);
  asked->chain = g_strdup (chain);
  asked->reasons = reasons;
  return asked->answer;
}

static void
script_close (TestPeer *peer,
              gpointer  user_data)
{
  test_peer_accept (peer, NULL, NULL);
  test_peer_close (peer, 1000, NULL, NULL);
}

static TestServer *
create_server (const char *certificate,
               const char *priority,
               TestScript  script,
               gpointer    user_data)
{
  g_autofree char *key_name = g_strconcat (certificate, "-key", NULL);
  g_autofree char *certificate_file = get_certificate (certificate);
  g_autofree char *key_file = get_certificate (key_name);
  TestServerConfig config = { .script = script, .user_data = user_data, .certificate_file = certificate_file, .key_file = key_file, .priority = priority };

  return test_server_new_with_config (&config);
}

static void
on_opened (GObject      *object,
           GAsyncResult *result,
           gpointer      user_data)
{
  s9ws_client_open_finish (S9WS_CLIENT (object), result, user_data);
  g_object_set_data (object, "is-done", GINT_TO_POINTER (TRUE));
}

static gboolean
has_quit (GString *log)
{
  return g_str_has_suffix (log->str, "quit ");
}

static void
pop_all (S9wsClient *client)
{
  S9wsEvent *event;

  while ((event = s9ws_async_client_pop_event (S9WS_ASYNC_CLIENT (client))) != NULL)
    s9ws_event_unref (event);
}

/* To the end.  Without an error there may have been one all the same: see the log. */
static void
open_in_its_way (S9wsClient  *client,
                 Way          way,
                 GString     *log,
                 GError     **error)
{
  switch (way)
    {
    case WAY_OPEN:
      if (s9ws_client_open (client, NULL, error))
        s9ws_client_run (client, NULL, error);
      break;
    case WAY_OPEN_ASYNC:
      s9ws_client_open_async (client, NULL, on_opened, error);
      while (g_object_get_data (G_OBJECT (client), "is-done") == NULL)
        g_main_context_iteration (NULL, TRUE);
      if (!S9WS_IS_ASYNC_CLIENT (client) && *error == NULL)
        s9ws_client_run (client, NULL, error);
      break;
    case WAY_RUN:
      s9ws_client_run (client, NULL, error);
      break;
    case WAY_ATTACH:
      s9ws_async_client_attach (S9WS_ASYNC_CLIENT (client), NULL);
      while (!has_quit (log))
        g_main_context_iteration (NULL, TRUE);
      break;
    case WAY_START:
      s9ws_async_client_start (S9WS_ASYNC_CLIENT (client), NULL);
      pop_all (client);
      break;
    case N_WAYS:
    default:
      g_assert_not_reached ();
    }
}

typedef struct
{
  const char *certificate;
  GTlsCertificateFlags reasons;
  gboolean answer;
} Question;

static const Question questions[] = {
  { "good", 0, FALSE },
  { "expired", G_TLS_CERTIFICATE_EXPIRED, TRUE },
  { "wrong-host", G_TLS_CERTIFICATE_BAD_IDENTITY, TRUE },
  { "unknown", G_TLS_CERTIFICATE_UNKNOWN_CA, TRUE },
  { "self-signed", G_TLS_CERTIFICATE_UNKNOWN_CA, TRUE },
  { "self-signed", G_TLS_CERTIFICATE_UNKNOWN_CA, FALSE },
  { "client", G_TLS_CERTIFICATE_BAD_IDENTITY | G_TLS_CERTIFICATE_GENERIC_ERROR, FALSE },
};

static void
check_question (const Case     *test,
                const Question *question)
{
  g_autoptr (TestServer) server = create_server (question->certificate, NULL, script_close, NULL);
  g_autoptr (S9wsOptions) options = create_options (NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  g_autofree char *file = get_certificate (question->certificate);
  g_autofree char *certificate = NULL;
  Asked asked = { .answer = question->answer };
  gboolean is_fine = question->reasons == 0 || question->answer;

  g_assert_true (g_file_get_contents (file, &certificate, NULL, NULL));
  record_signals (client, log);
  g_signal_connect (client, "accept-certificate", G_CALLBACK (on_accept_certificate), &asked);
  open_in_its_way (client, test->way, log, &error);

  g_assert_cmpuint (asked.n, ==, question->reasons != 0);
  g_assert_cmpuint (asked.reasons, ==, question->reasons);
  if (asked.n > 0)
    {
      g_assert_true ((asked.thread == g_thread_self ()) == (test->way != WAY_START));
      g_assert_cmpstr (asked.chain, ==, certificate);
    }
  if (is_fine)
    {
      g_assert_no_error (error);
      g_assert_cmpstr (s9ws_client_get_peer_certificate (client), ==, certificate);
    }
  else if (test->way != WAY_ATTACH && test->way != WAY_START)
    {
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_TLS);
    }
  g_assert_true ((s9ws_client_get_response_status (client) == 101) == is_fine);
  g_free (asked.chain);
}

static void
test_question (gconstpointer data)
{
  for (gsize i = 0; i < G_N_ELEMENTS (questions); i++)
    check_question (data, &questions[i]);
}

/* With nobody to ask, it is refused, and told why. */
static void
test_nobody (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server ("expired", NULL, script_close, NULL);
  g_autoptr (S9wsOptions) options = create_options (NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  record_signals (client, log);
  open_in_its_way (client, test->way, log, &error);
  if (test->way == WAY_OPEN || test->way == WAY_OPEN_ASYNC || test->way == WAY_RUN)
    {
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_TLS);
      g_assert_nonnull (strstr (error->message, "expired"));
    }
  g_assert_cmpint (s9ws_client_get_state (client), ==, S9WS_STATE_CLOSED);
  g_assert_null (s9ws_client_get_tls_version (client));
}

/* Giving up while the question is open: where it is put in a main context, nobody comes
 * to answer it. */
static gpointer
force_quit (gpointer data)
{
  s9ws_client_force_quit (data);
  return NULL;
}

static gboolean
on_accept_force_quit (S9wsClient           *client,
                      const char           *chain,
                      GTlsCertificateFlags  reasons,
                      gpointer              user_data)
{
  g_thread_join (g_thread_new ("quit", force_quit, client));
  return TRUE;
}

static void
test_quit_while_asked (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server ("expired", NULL, script_close, NULL);
  g_autoptr (S9wsOptions) options = create_options (NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  record_signals (client, log);
  g_signal_connect (client, "accept-certificate", G_CALLBACK (on_accept_force_quit), NULL);
  open_in_its_way (client, test->way, log, &error);
  while (test->way == WAY_OPEN_ASYNC && !has_quit (log))
    g_main_context_iteration (NULL, TRUE);
  if (test->way == WAY_OPEN && test->kind == KIND_ASYNC)
    pop_all (client);
  else if (test->way != WAY_START)
    g_assert_cmpstr (log->str, ==, "quit ");
  g_assert_cmpint (s9ws_client_get_state (client), ==, S9WS_STATE_CLOSED);
}

/* A context that nobody iterates: the last reference, dropped, ends the waiting, at
 * whichever moment. */
static void
check_dropped (guint n_yields)
{
  g_autoptr (TestServer) server = create_server ("expired", NULL, script_close, NULL);
  g_autoptr (S9wsOptions) options = create_options (NULL);
  g_autoptr (GMainContext) context = g_main_context_new ();
  S9wsClient *client = create_client (KIND_ASYNC, test_server_get_uri (server), options);
  Asked asked = { .answer = TRUE };

  g_signal_connect (client, "accept-certificate", G_CALLBACK (on_accept_certificate), &asked);
  s9ws_async_client_attach (S9WS_ASYNC_CLIENT (client), context);
  while (test_server_get_n_connections (server) == 0)
    g_thread_yield ();
  for (guint i = 0; i < n_yields; i++)
    g_usleep (100);
  g_object_unref (client);
  g_assert_true (test_server_wait_finished (server, 1));
  g_assert_cmpuint (asked.n, ==, 0);
}

static void
test_dropped_while_asked (void)
{
  for (guint i = 0; i < 10; i++)
    check_dropped (i * i);
}

/* The time that a user takes is not the server's. */
static gboolean
on_accept_slowly (S9wsClient           *client,
                  const char           *chain,
                  GTlsCertificateFlags  reasons,
                  guint                *n)
{
  gint64 end = g_get_monotonic_time () + 2100 * 1000;

  while (g_get_monotonic_time () < end)
    g_usleep (10000);
  ++*n;
  return TRUE;
}

static void
test_slow_answer (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (TestServer) server = create_server ("expired", NULL, script_close, NULL);
  g_autoptr (S9wsOptions) options = create_options ("handshake-timeout", 2000, NULL);
  g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  guint n = 0;

  record_signals (client, log);
  g_signal_connect (client, "accept-certificate", G_CALLBACK (on_accept_slowly), &n);
  open_in_its_way (client, test->way, log, &error);
  g_assert_cmpuint (n, ==, 1);
  g_assert_no_error (error);
}

/* Servers that do not speak TLS: one that says nothing, and one that says something. */

static void
script_mute (TestPeer *peer,
             gpointer  user_data)
{
  test_peer_wait_end (peer);
}

static void
script_http (TestPeer *peer,
             gpointer  user_data)
{
  test_peer_send_string (peer, "HTTP/1.1 400 Bad Request\r\n\r\n");
  test_peer_wait_end (peer);
}

static void
test_no_tls (gconstpointer data)
{
  const Case *test = data;
  static const TestScript scripts[] = { script_mute, script_http };
  static const int codes[] = { S9WS_ERROR_TIMED_OUT, S9WS_ERROR_TLS };
  static const guint timeouts[] = { 100, TEST_TIMEOUT * 1000 };

  for (gsize i = 0; i < G_N_ELEMENTS (scripts); i++)
    {
      g_autoptr (TestServer) server = test_server_new (scripts[i], NULL);
      g_autofree char *uri = g_strdup_printf ("wss://localhost:%u/", test_server_get_port (server));
      g_autoptr (S9wsOptions) options = create_options ("handshake-timeout", timeouts[i], NULL);
      g_autoptr (S9wsClient) client = create_client (test->kind, uri, options);
      g_autoptr (GString) log = g_string_new (NULL);
      g_autoptr (GError) error = NULL;

      record_signals (client, log);
      open_in_its_way (client, test->way, log, &error);
      g_assert_error (error, S9WS_ERROR, codes[i]);
    }
}

/* Sessions */

static gboolean
run_once (Kind         kind,
          TestServer  *server,
          S9wsOptions *options,
          Asked       *asked)
{
  g_autoptr (S9wsClient) client = create_client (kind, test_server_get_uri (server), options);
  g_autoptr (S9wsStats) stats = NULL;
  g_autoptr (GError) error = NULL;

  if (asked != NULL)
    g_signal_connect (client, "accept-certificate", G_CALLBACK (on_accept_certificate), asked);
  s9ws_client_run (client, NULL, &error);
  if (error != NULL)
    return FALSE;

  g_assert_nonnull (s9ws_client_get_peer_certificate (client));
  stats = s9ws_client_get_stats (client);
  return stats->tls_resumed;
}

static const char *const versions[] = { TEST_TLS_1_2, TEST_TLS_1_3 };

static void
test_resumption (gconstpointer data)
{
  const Case *test = data;

  for (gsize i = 0; i < G_N_ELEMENTS (versions); i++)
    {
      g_autoptr (TestServer) server = create_server ("good", versions[i], script_close, NULL);
      g_autoptr (S9wsOptions) options = create_options (NULL);
      g_autoptr (S9wsOptions) others = create_options (NULL);

      g_assert_false (run_once (test->kind, server, options, NULL));
      g_assert_true (run_once (test->kind, server, options, NULL));
      g_assert_true (run_once (test->kind, server, options, NULL));
      /* Another context has its own. */
      g_assert_false (run_once (test->kind, server, others, NULL));
    }
}

/* What one client accepted is no reason for another not to be asked. */
static void
test_excused (gconstpointer data)
{
  const Case *test = data;

  for (gsize i = 0; i < G_N_ELEMENTS (versions); i++)
    {
      g_autoptr (TestServer) server = create_server ("self-signed", versions[i], script_close, NULL);
      g_autoptr (S9wsOptions) options = create_options (NULL);
      g_autoptr (S9wsClient) last = create_client (test->kind, test_server_get_uri (server), options);
      g_autoptr (GError) error = NULL;
      Asked asked = { .answer = TRUE };

      for (guint j = 1; j <= 3; j++)
        {
          g_assert_false (run_once (test->kind, server, options, &asked));
          g_assert_cmpuint (asked.n, ==, j);
        }
      g_assert_false (s9ws_client_run (last, NULL, &error));
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_TLS);
      g_free (asked.chain);
    }
}

/* What is negotiated */

static void
script_name (TestPeer *peer,
             gpointer  user_data)
{
  GString *name = user_data;

  g_string_assign (name, test_peer_get_server_name (peer) != NULL ? test_peer_get_server_name (peer) : "-");
  script_close (peer, NULL);
}

typedef struct
{
  const char *client_priority;
  const char *server_priority;
  const char *version; /* NULL: none that both know */
  const char *cipher;
} Negotiation;

static const Negotiation negotiations[] = {
  { NULL, NULL, "TLS1.3", "AES-128-GCM" },
  { NULL, TEST_TLS_1_2, "TLS1.2", "AES-128-GCM" },
  { "NORMAL:-CIPHER-ALL:+CHACHA20-POLY1305", NULL, "TLS1.3", "CHACHA20-POLY1305" },
  { TEST_TLS_1_3, TEST_TLS_1_2, NULL, NULL },
  { TEST_TLS_1_3, NULL, "TLS1.3", NULL },
};

static void
test_negotiation (gconstpointer data)
{
  const Case *test = data;

  for (gsize i = 0; i < G_N_ELEMENTS (negotiations); i++)
    {
      const Negotiation *negotiation = &negotiations[i];
      g_autoptr (GString) name = g_string_new (NULL);
      TestServer *server = create_server ("wrong-host", negotiation->server_priority, script_name, name);
      g_autofree char *ca_file = get_certificate ("ca");
      g_autoptr (S9wsTlsContext) context = g_object_new (S9WS_TYPE_TLS_CONTEXT, "ca-file", ca_file, "priority",
                                                         negotiation->client_priority, "server-name", "elsewhere.example", NULL);
      g_autoptr (S9wsOptions) options = g_object_new (S9WS_TYPE_OPTIONS, "tls-context", context, NULL);
      g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
      g_autoptr (GError) error = NULL;

      g_assert_null (s9ws_client_get_tls_version (client));
      g_assert_null (s9ws_client_get_tls_cipher (client));
      g_assert_null (s9ws_client_get_peer_certificate (client));
      s9ws_client_run (client, NULL, &error);
      g_assert_cmpstr (s9ws_client_get_tls_version (client), ==, negotiation->version);
      if (negotiation->version == NULL)
        {
          g_assert_error (error, S9WS_ERROR, S9WS_ERROR_TLS);
        }
      else
        {
          g_assert_no_error (error);
          if (negotiation->cipher != NULL)
            g_assert_cmpstr (s9ws_client_get_tls_cipher (client), ==, negotiation->cipher);
        }
      test_server_free (server);
      g_assert_cmpstr (name->str, ==, negotiation->version != NULL ? "elsewhere.example" : "");
    }
}

/* New keys */

#define FILLING (16 * 1024 * 1024) /* bytes: more than the sockets take */

/* Asks for new keys where the client has sent half a record, and sends a message behind. */
static void
script_new_keys (TestPeer *peer,
                 gpointer  user_data)
{
  struct pollfd readable = { .fd = test_peer_get_fd (peer), .events = POLLIN };
  TestFrame frame;

  test_peer_accept (peer, NULL, NULL);
  /* The client does not read before it has been stopped in the middle of its message. */
  g_assert_cmpint (poll (&readable, 1, TEST_TIMEOUT * 1000), ==, 1);
  g_assert_cmpint (gnutls_session_key_update (test_peer_get_tls_session (peer), GNUTLS_KU_PEER), ==, 0);
  test_peer_send_frame (peer, TEST_TEXT, TRUE, "new keys", 8);
  g_assert_true (test_peer_read_frame (peer, &frame));
  g_assert_cmpuint (frame.size, ==, FILLING);
  for (gsize i = 0; i < frame.size; i++)
    if ((guint8) frame.payload[i] != (guint8) (i >> 9))
      g_error ("byte %zu is wrong", i);
  g_assert_true (test_peer_expect_frame (peer, TEST_TEXT, "behind", 6));
  test_peer_close (peer, 1000, NULL, NULL);
}

static void
on_activated_fill (S9wsClient *client)
{
  g_autofree guint8 *data = g_malloc (FILLING);

  for (gsize i = 0; i < FILLING; i++)
    data[i] = (guint8) (i >> 9);
  g_assert_true (s9ws_client_send_binary (client, data, FILLING, NULL));
}

static void
on_text_behind (S9wsClient *client,
                const char *text,
                GString    *texts)
{
  g_string_append (texts, text);
  g_assert_true (s9ws_client_send_text (client, "behind", NULL));
}

static void
test_new_keys (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (GString) texts = g_string_new (NULL);
  g_autoptr (S9wsOptions) options = create_options (NULL);
  g_autoptr (S9wsClient) client = NULL;
  g_autoptr (GError) error = NULL;
  TestServer *server = create_server ("good", TEST_TLS_1_3, script_new_keys, NULL);

  client = create_client (test->kind, test_server_get_uri (server), options);
  g_signal_connect (client, "activated", G_CALLBACK (on_activated_fill), NULL);
  g_signal_connect (client, "text-message", G_CALLBACK (on_text_behind), texts);
  s9ws_client_run (client, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (texts->str, ==, "new keys");
  test_server_free (server);
}

/* What is read while sending */

static void
script_truncate_unread (TestPeer *peer,
                        gpointer  user_data)
{
  struct pollfd readable = { .fd = test_peer_get_fd (peer), .events = POLLIN };

  test_peer_accept (peer, NULL, NULL);
  g_assert_cmpint (poll (&readable, 1, TEST_TIMEOUT * 1000), ==, 1);
  test_peer_truncate (peer);
}

static void
script_reset (TestPeer *peer,
              gpointer  user_data)
{
  TestFrame frame;

  test_peer_accept (peer, NULL, NULL);
  g_assert_true (test_peer_read_frame (peer, &frame));
  test_peer_reset (peer);
}

/* The blocking client reads ahead while it sends, and has to keep why that failed. */
static void
test_cause (gconstpointer data)
{
  static const struct
  {
    TestScript script;
    const char *cause;
  } ends[] = {
    { script_truncate_unread, "cut off" },
    { script_reset, "onnection reset" },
  };
  const Case *test = data;

  for (gsize i = 0; i < G_N_ELEMENTS (ends); i++)
    {
      g_autoptr (TestServer) server = create_server ("good", NULL, ends[i].script, NULL);
      g_autoptr (S9wsOptions) options = create_options (NULL);
      g_autoptr (S9wsClient) client = create_client (test->kind, test_server_get_uri (server), options);
      g_autoptr (GError) error = NULL;

      g_signal_connect (client, "activated", G_CALLBACK (on_activated_fill), NULL);
      g_assert_false (s9ws_client_run (client, NULL, &error));
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_TLS);
      g_test_message ("%s", error->message);
      g_assert_nonnull (strstr (error->message, ends[i].cause));
    }
}

static void
add (const char    *name,
     GTestDataFunc  function,
     Way            last)
{
  for (Kind kind = 0; kind < N_KINDS; kind++)
    for (Way way = 0; way <= (kind == KIND_ASYNC ? last : MIN (last, WAY_RUN)); way++)
      {
        Case *test = g_new0 (Case, 1);
        g_autofree char *path = g_strdup_printf ("/tls/%s/%s/%s", kind_names[kind], way_names[way], name);

        test->kind = kind;
        test->way = way;
        g_test_add_data_func_full (path, test, function, g_free);
      }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  start_watchdog (240);

  add ("question", test_question, WAY_START);
  add ("nobody", test_nobody, WAY_START);
  add ("quit-while-asked", test_quit_while_asked, WAY_START);
  add ("slow-answer", test_slow_answer, WAY_OPEN);
  g_test_add_func ("/tls/dropped-while-asked", test_dropped_while_asked);
  add ("no-tls", test_no_tls, WAY_RUN);
  add ("resumption", test_resumption, WAY_OPEN);
  add ("excused", test_excused, WAY_OPEN);
  add ("negotiation", test_negotiation, WAY_OPEN);
  add ("new-keys", test_new_keys, WAY_OPEN);
  add ("cause", test_cause, WAY_OPEN);

  return g_test_run ();
}
