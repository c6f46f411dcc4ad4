/* test-peer.h: one connection of a test server, as its script sees it
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Everything here is for the connection's own thread, which is the script's.
 * Nothing waits longer than the server's timeout.  What fails returns FALSE and
 * leaves the reason in test_peer_get_end (); after that all fails.  A script
 * that returns without having ended the connection ends it in an orderly way:
 * what it sent arrives, then comes the end of the stream, without a close frame.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define TEST_CONTINUATION 0x0
#define TEST_TEXT 0x1
#define TEST_BINARY 0x2
#define TEST_CLOSE 0x8
#define TEST_PING 0x9
#define TEST_PONG 0xa

/* Reserved bits, to be added to an opcode. */
#define TEST_RSV1 0x40
#define TEST_RSV2 0x20
#define TEST_RSV3 0x10

typedef struct _TestPeer TestPeer;

/* How a connection ended, as far as the server saw it. */
typedef enum
{
  TEST_END_NONE,      /* it has not */
  TEST_END_OURS,      /* the script ended it */
  TEST_END_EOF,       /* the client did; with TLS: after a close_notify */
  TEST_END_TRUNCATED, /* the client did, without a close_notify */
  TEST_END_RESET,
  TEST_END_TIMEOUT, /* the client did not do in time what we were waiting for */
  TEST_END_ALERT,   /* TLS: the client sent a fatal alert */
  TEST_END_BROKEN,  /* TLS, HTTP or a frame was malformed */
} TestEnd;

TestEnd test_peer_get_end (TestPeer *peer);

/* The number of the connection: 0 for the server's first. */
guint test_peer_get_number (TestPeer *peer);

int test_peer_get_fd (TestPeer *peer);

/* TLS, on the connection's thread and with TLS only.  The session is a
 * gnutls_session_t; the server name is what the client asked for (SNI), or NULL. */
gboolean    test_peer_start_tls       (TestPeer *peer);
gpointer    test_peer_get_tls_session (TestPeer *peer);
const char *test_peer_get_server_name (TestPeer *peer);
gboolean    test_peer_is_resumed      (TestPeer *peer);

/* Bytes, through TLS if there is TLS.  Reading returns at least one byte, or 0
 * at the end, whatever it was. */
gsize    test_peer_read        (TestPeer      *peer,
                                gpointer       buffer,
                                gsize          size);
gboolean test_peer_send        (TestPeer      *peer,
                                gconstpointer  data,
                                gsize          size);
gboolean test_peer_send_string (TestPeer      *peer,
                                const char    *text);

/* Each byte in a write of its own (with TLS: a record of its own). */
gboolean test_peer_send_slowly (TestPeer      *peer,
                                gconstpointer  data,
                                gsize          size);

/* The client's HTTP request.  What it returns is the whole head, up to and with
 * the empty line, or NULL.  A second call reads a second request, as behind a
 * CONNECT or a 401. */
const char *test_peer_read_request (TestPeer *peer);
const char *test_peer_get_request  (TestPeer *peer);

/* The value of the request's first header of that name, in any case, or NULL. */
const char *test_peer_get_request_header (TestPeer   *peer,
                                          const char *name);

/* What goes into Sec-WebSocket-Accept. */
char *test_peer_dup_accept_key (TestPeer *peer);

/* A complete 101, for scripts which send it in pieces or together with frames.
 * @protocol may be NULL; so may @headers, whole lines with their CR LF. */
char *test_peer_dup_response (TestPeer   *peer,
                              const char *protocol,
                              const char *headers);

/* Reads the request if that has not been done, and sends the response. */
gboolean test_peer_accept (TestPeer   *peer,
                           const char *protocol,
                           const char *headers);

/* One frame, unmasked and in one write if it is small.  @payload may be NULL if
 * @size is 0. */
gboolean test_peer_send_frame (TestPeer      *peer,
                               guint8         opcode,
                               gboolean       is_final,
                               gconstpointer  payload,
                               gsize          size);

/* Only the header, which promises @size bytes. */
gboolean test_peer_send_header (TestPeer *peer,
                                guint8    opcode,
                                gboolean  is_final,
                                guint64   size);

/* A close frame; a @code of 0 has no payload, a @reason of NULL no text. */
gboolean test_peer_send_close (TestPeer   *peer,
                               guint       code,
                               const char *reason);

typedef struct
{
  guint8 opcode; /* without the reserved bits */
  guint8 reserved_bits;
  gboolean is_final;
  guint8 mask[4];
  const char *payload; /* unmasked, with a NUL behind it; valid until the next read */
  gsize size;
  guint close_code;   /* of a close frame; 1005 if it has none */
  const char *reason; /* of a close frame: behind the code; else NULL */
} TestFrame;

/* The client's next frame.  A frame that RFC 6455 forbids (not masked, a length
 * in more bytes than it needs, an unknown opcode, a control frame that is long or
 * not final) is TEST_END_BROKEN. */
gboolean test_peer_read_frame (TestPeer  *peer,
                               TestFrame *frame);

/* The same, and TRUE only if it is this frame.  What came instead is printed. */
gboolean test_peer_expect_frame (TestPeer      *peer,
                                 guint8         opcode,
                                 gconstpointer  payload,
                                 gsize          size);

/* The closing handshake from the server's side: sends Close, reads frames until
 * the client's Close, then ends the stream and waits until the client has ended it,
 * too; in which way it did, test_peer_get_end () says.  @answer is the client's
 * close code, and may be NULL. */
gboolean test_peer_close (TestPeer   *peer,
                          guint       code,
                          const char *reason,
                          guint      *answer);

/* No more is going to be sent, but may be received: close_notify and FIN. */
gboolean test_peer_half_close (TestPeer *peer);

/* FIN without a close_notify; then waits for the client's end.  Without TLS it
 * is half_close and wait_end. */
TestEnd test_peer_truncate (TestPeer *peer);

/* RST, at once (SO_LINGER 0). */
void test_peer_reset (TestPeer *peer);

/* Reads and throws away until the client has ended the connection. */
TestEnd test_peer_wait_end (TestPeer *peer);

G_END_DECLS
