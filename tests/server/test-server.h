/* test-server.h: a WebSocket server inside a test, which does what the test says
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A test starts a server with a script, a function that the server calls on a
 * thread of its own for each connection:
 *
 *   static void
 *   script (TestPeer *peer, gpointer user_data)
 *   {
 *     test_peer_accept (peer, NULL, NULL);
 *     test_peer_send_frame (peer, TEST_TEXT, TRUE, "Hello", 5);
 *     test_peer_close (peer, 1000, "bye");
 *   }
 *
 *   g_autoptr (TestServer) server = test_server_new (script, NULL);
 *   g_autoptr (S9wsClient) client = ... (test_server_get_uri (server), NULL);
 *
 * What a script does with its connection is in test-peer.h.  Freeing the server
 * ends all connections and waits for all scripts, so that what a script wrote
 * into @user_data can be read afterwards.
 *
 * It shares no code with the library: what it sends and accepts is its own
 * reading of RFC 6455.
 */
#pragma once

#include <glib.h>

#include "test-peer.h"

G_BEGIN_DECLS

/* In seconds: no wait of a script or of a gate is longer. */
#define TEST_TIMEOUT 20

#define TEST_TLS_1_2 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define TEST_TLS_1_3 "NORMAL:-VERS-ALL:+VERS-TLS1.3"

typedef struct _TestServer TestServer;

typedef void (*TestScript) (TestPeer *peer,
                            gpointer  user_data);

/* Zeros are the defaults of everything but @script. */
typedef struct
{
  TestScript script;
  gpointer user_data;

  /* PEM files, the certificate's with its chain.  NULL: no TLS. */
  const char *certificate_file;
  const char *key_file;

  /* A priority string of GnuTLS, which also says which versions of TLS there
   * are: TEST_TLS_1_2, TEST_TLS_1_3, or "NORMAL:-VERS-ALL:+VERS-TLS1.1:%COMPAT"
   * and the like.  NULL: "NORMAL". */
  const char *priority;

  /* A client has to have a certificate of this authority. */
  const char *client_ca_file;

  /* The script begins in clear and calls test_peer_start_tls () itself, as
   * behind the CONNECT of a proxy. */
  gboolean defer_tls;

  /* Where to listen, other than on 127.0.0.1: on ::1, or on a Unix socket, whose
   * path it unlinks in the end. */
  gboolean is_ipv6;
  const char *socket_path;

  /* The port to listen on; 0: a free one. */
  guint16 port;

  /* Seconds that a read or a write may take: 0 is TEST_TIMEOUT, negative is no
   * limit, which is for servers that people talk to. */
  int timeout;
} TestServerConfig;

/* Listens on a free port of 127.0.0.1 unless the config says otherwise.  A server that cannot be started ends
 * the program. */
TestServer *test_server_new             (TestScript              script,
                                         gpointer                user_data);
TestServer *test_server_new_with_tls    (TestScript              script,
                                         gpointer                user_data,
                                         const char             *certificate_file,
                                         const char             *key_file);
TestServer *test_server_new_with_config (const TestServerConfig *config);

/* Ends all connections and waits for all scripts. */
void test_server_free (TestServer *server);

guint16 test_server_get_port (TestServer *server);

/* "ws://127.0.0.1:PORT/", or "wss://localhost:PORT/" with TLS; with an address of its own
 * "ws://[::1]:PORT/", or "ws+unix:PATH:/". */
const char *test_server_get_uri (TestServer *server);

/* How many connections have been accepted so far, and in how many of them the
 * TLS handshake failed, so that there was no script (with defer_tls: in which
 * test_peer_start_tls () failed). */
guint test_server_get_n_connections  (TestServer *server);
guint test_server_get_n_tls_failures (TestServer *server);

/* Waits until @n connections have come to their end; FALSE after TEST_TIMEOUT. */
gboolean test_server_wait_finished (TestServer *server,
                                    guint       n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TestServer, test_server_free)

/* A script that accepts any upgrade, with the first protocol that was asked for,
 * and sends every message back until the client closes.  @user_data is not used. */
void test_script_echo (TestPeer *peer,
                       gpointer  user_data);

/* A gate holds a thread until another opens it: "the client has received the
 * first message, now reset".  In static storage zeros make a closed gate. */
typedef struct
{
  GMutex mutex;
  GCond cond;
  gboolean is_open;
} TestGate;

void test_gate_init  (TestGate *gate);
void test_gate_clear (TestGate *gate);
void test_gate_open  (TestGate *gate);
void test_gate_close (TestGate *gate);

/* FALSE if nobody has opened it for TEST_TIMEOUT. */
gboolean test_gate_wait (TestGate *gate);

G_END_DECLS
