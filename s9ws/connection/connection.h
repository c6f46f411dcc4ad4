/* connection.h: one socket's whole life, from TLS to the last byte
 *
 * A state machine that is pulled.  It never blocks (unless the transport may),
 * knows no loop and no thread: one thread at a time may use it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "endpoint.h"
#include "input.h"
#include "keep-alive.h"
#include "output.h"
#include "tls-transport.h"
#include "transport.h"

#include "../framer/extension.h"
#include "../framer/handshake.h"

G_BEGIN_DECLS

/* In milliseconds and bytes; 0 means none. */
typedef struct
{
  char **protocols;             /* owned, or NULL */
  GPtrArray *headers;           /* of char *, names and values in turn; or NULL */
  guint handshake_timeout;
  guint close_timeout;
  guint ping_interval;
  guint pong_timeout;
  guint64 max_message_size;
  guint64 max_buffered_amount;
  S9wsReadClocks read_clocks;   /* NULL: the system's */
  guint max_redirects;
  gboolean compression;          /* permessage-deflate is offered, with these parameters: */
  S9wsDeflateParameters deflate;
  guint compression_level;
  guint64 compression_threshold; /* shorter messages are sent as they are */
  guint64 max_piece_size;        /* 0: messages are delivered whole */
} S9wsConnectionConfig;

typedef enum
{
  S9WS_PHASE_TLS_HANDSHAKE,
  S9WS_PHASE_UPGRADE,
  S9WS_PHASE_OPEN,
  S9WS_PHASE_CLOSING,   /* a close frame has been sent, and none received */
  S9WS_PHASE_FINISHING, /* one has been received; our answer may still be on its way */
  S9WS_PHASE_CLOSED,
} S9wsPhase;

/* What TLS and the upgrade were answered with. */
typedef struct
{
  S9wsTlsInfo *tls;   /* or NULL */
  guint status;
  GPtrArray *headers; /* of char *, names and values in turn; or NULL */
  GByteArray *body;   /* of a refusal, or NULL */
  char *protocol;     /* the negotiated one, or NULL */
  gboolean has_deflate;          /* permessage-deflate was agreed on, like this: */
  S9wsDeflateParameters deflate;
} S9wsAnswer;

typedef struct
{
  guint64 bytes_received, bytes_sent;
  guint64 messages_received, messages_sent;
  guint64 pings_received, pings_sent;
  guint64 pongs_received, pongs_sent;
  guint64 reads, writes;  /* system calls; up to date once the transport is closed */
  gint64 last_round_trip; /* µs, -1: none */
  guint64 round_trips;
  gboolean tls_resumed;
  guint64 compressed_messages_received, compressed_messages_sent;
  guint64 compressed_bytes_received, compressed_bytes_sent; /* of their payloads in frames */
} S9wsCounters;

typedef enum
{
  S9WS_ENDING_BY_NOBODY,
  S9WS_ENDING_BY_US,
  S9WS_ENDING_BY_PEER,
} S9wsEndingInitiator;

/* How the connection ended.  A code of 0 stands for no close frame, 1005 for one
 * without a code. */
typedef struct
{
  S9wsEndingInitiator initiator; /* who sent the first close frame or, without any, ended the stream */
  gboolean has_opened;
  gboolean is_clean; /* the closing handshake was complete */
  guint sent_code;
  char *sent_reason; /* or NULL */
  guint received_code;
  char *received_reason; /* or NULL */
  int error_number;    /* errno; 0: none */
  int tls_alert;       /* the fatal one that the peer sent; 0: none */
  gint64 received_age; /* µs since the last byte came; -1: not known, or none came */
  gint64 sent_age;     /* likewise */
} S9wsEnding;

typedef enum
{
  S9WS_RECEIVE_MESSAGE, /* a text, binary, ping or pong message */
  S9WS_RECEIVE_AGAIN,   /* nothing there */
  S9WS_RECEIVE_ENDED,   /* see s9ws_connection_get_close_code () and _reason () */
} S9wsReceiveResult;

typedef struct _S9wsConnection S9wsConnection;

/* Takes @transport over; @config must outlive the connection, @endpoint need not. */
S9wsConnection *s9ws_connection_new  (S9wsTransport              *transport,
                                      const S9wsConnectionConfig *config,
                                      const S9wsEndpoint         *endpoint);
void            s9ws_connection_free (S9wsConnection             *connection);

/* TLS, then the upgrade.  Call again once the socket is ready for what is asked, or
 * the deadline has come.  After FAILED nothing but the answer is of use. */
S9wsIoResult s9ws_connection_open (S9wsConnection  *connection,
                                   GError         **error);

/* Where to go instead, after it has failed: the value of Location, or NULL. */
const char *s9ws_connection_get_redirect (S9wsConnection *connection);

/* Sends what is kept and looks at the timers: what reading does first, for a caller
 * who must not read now.  AGAIN or ENDED. */
S9wsReceiveResult s9ws_connection_progress (S9wsConnection  *connection,
                                            GError         **error);

/* Reads once: MESSAGE stands for "something came". */
S9wsReceiveResult s9ws_connection_read (S9wsConnection  *connection,
                                        GError         **error);

/* Takes the next message out of what has been read.  It is lent until the next
 * call of any receiving function; text is NUL-terminated in place.  Pings have been
 * answered.  AGAIN: read first.  ENDED comes once, with @error set where the
 * connection did not end by the closing handshake. */
S9wsReceiveResult s9ws_connection_next (S9wsConnection  *connection,
                                        S9wsMessage     *message,
                                        GError         **error);

/* FALSE: the next message has to be read first, so that asking for it is idle. */
gboolean s9ws_connection_has_received (S9wsConnection *connection);

/* Both: next, and read where there is nothing. */
S9wsReceiveResult s9ws_connection_receive (S9wsConnection  *connection,
                                           S9wsMessage     *message,
                                           GError         **error);

/* A reference to the block that the message at hand lies in: it stays as it is, the
 * NUL behind a text included, for as long as that is held. */
S9wsBlock *s9ws_connection_share_block (S9wsConnection *connection);

/* Reads ahead, without decoding, while a send waits: so that two peers who both
 * wait to send cannot wait for ever.  A lent message stays as it is.  FALSE once
 * no more may be read ahead, or there is nothing to come. */
gboolean s9ws_connection_read_ahead (S9wsConnection *connection);

/* Sends a frame.  FALSE with S9WS_ERROR_NOT_OPEN, CONNECTION_CLOSED, BUFFER_FULL,
 * MESSAGE_TOO_BIG or INVALID_UTF8; nothing has been sent then.  What the socket
 * does not take is kept. */
gboolean s9ws_connection_send (S9wsConnection  *connection,
                               S9wsOpcode       opcode,
                               const guint8    *data,
                               gsize            size,
                               GError         **error);

/* Sends a message in pieces: it is begun, gets any number of pieces and is finished.  In
 * between only control frames can be sent.  What fails has changed nothing. */
gboolean s9ws_connection_begin_message  (S9wsConnection  *connection,
                                         S9wsOpcode       opcode,
                                         GError         **error);
gboolean s9ws_connection_append         (S9wsConnection  *connection,
                                         const guint8    *data,
                                         gsize            size,
                                         GError         **error);
gboolean s9ws_connection_finish_message (S9wsConnection  *connection,
                                         GError         **error);

/* Whether messages that are sent may be compressed, where that was agreed on. */
void s9ws_connection_set_compress (S9wsConnection *connection,
                                   gboolean        compress);

/* Sends frames that were encoded elsewhere and counted there; takes them out of
 * @frames.  Nothing is sent once the closing handshake has begun. */
void s9ws_connection_send_encoded (S9wsConnection *connection,
                                   S9wsOutput     *frames);

/* Of a ping among them: its payload, and when it was sent, in monotonic µs. */
void s9ws_connection_expect_pong (S9wsConnection *connection,
                                  const guint8   *data,
                                  gsize           size,
                                  gint64          time);

/* Starts the closing handshake; @reason may be NULL. */
gboolean s9ws_connection_close (S9wsConnection  *connection,
                                guint            code,
                                const char      *reason,
                                GError         **error);

/* Sends what is kept as far as the socket takes it. */
void s9ws_connection_flush (S9wsConnection *connection);

/* Closes the transport; only the getters are of use then. */
void s9ws_connection_hang_up (S9wsConnection *connection);

S9wsPhase           s9ws_connection_get_phase     (S9wsConnection *connection);
gsize               s9ws_connection_get_buffered  (S9wsConnection *connection);
gsize               s9ws_connection_get_unsent    (S9wsConnection *connection);
gboolean            s9ws_connection_has_pending   (S9wsConnection *connection);
S9wsTransport      *s9ws_connection_get_transport (S9wsConnection *connection);
const S9wsAnswer   *s9ws_connection_get_answer    (S9wsConnection *connection);
const S9wsCounters *s9ws_connection_get_counters  (S9wsConnection *connection);
/* Complete once the connection has been hung up. */
const S9wsEnding *s9ws_connection_get_ending       (S9wsConnection *connection);
guint             s9ws_connection_get_close_code   (S9wsConnection *connection);
const char       *s9ws_connection_get_close_reason (S9wsConnection *connection);

/* What to poll the socket for: POLLIN, POLLOUT or both. */
short s9ws_connection_get_poll_events (S9wsConnection *connection);

/* Whether there is nothing to do but to read: no timer, nothing to send. */
gboolean s9ws_connection_may_block (S9wsConnection *connection);

/* Writing has failed: the connection ends once what has arrived is read, so that nothing
 * more is to be waited for. */
gboolean s9ws_connection_has_failed (S9wsConnection *connection);

/* When the next timer is due, in monotonic µs; 0: none.  Waiting must end by then,
 * and s9ws_connection_read () be called. */
gint64 s9ws_connection_get_deadline (S9wsConnection *connection);

/* The shorter of @timeout (µs, -1: none) and the time until then: to be asked right
 * before waiting.  0 where a ping is due, which the next call of _read () or
 * _progress () sends. */
gint64 s9ws_connection_bound_wait (S9wsConnection *connection,
                                   gint64          timeout);

/* For s9ws_wait_or_resume (), or -1. */
int s9ws_connection_get_resume_fd (S9wsConnection *connection);

/* Sends a ping that is due, for a caller who waits in the middle of sending.  Where the
 * peer counts as lost, nothing more is to be sent.  @has_looked: reading ahead has just
 * found nothing. */
void s9ws_connection_attend_sending (S9wsConnection *connection,
                                     gboolean        has_looked);

/* Whether @code, @reason, a control payload or a text may be sent at all: what
 * s9ws_connection_send () and _close () check first, for a caller who queues. */
gboolean s9ws_connection_check_send  (S9wsOpcode     opcode,
                                      const guint8  *data,
                                      gsize          size,
                                      GError       **error);
gboolean s9ws_connection_check_close (guint          code,
                                      const char    *reason,
                                      GError       **error);

gboolean s9ws_connection_check_buffer (guint64   limit,
                                       guint64   used,
                                       gsize     size,
                                       GError  **error);

G_END_DECLS
