/* connection-private.h: what the connection's files share
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "connection.h"
#include "output.h"
#include "sender.h"

#include "../s9ws-error.h"

G_BEGIN_DECLS

struct _S9wsConnection
{
  S9wsTransport *transport;
  const S9wsConnectionConfig *config;
  S9wsPhase phase;
  gint64 deadline; /* of the phase, monotonic µs; 0: none */

  /* receiving */
  S9wsMessageDecoder decoder;
  S9wsInput input;
  S9wsInflater inflater;

  /* sending */
  S9wsOutput output;
  S9wsSender sender;
  guint8 short_limit;  /* shorter payloads are sent as they are, if nothing is in the way */
  gsize unsent;        /* what had been kept when writing failed, or the transport was closed */
  GError *write_error; /* writing failed; what has arrived is still delivered */

  S9wsReadClocks read_clocks;
  S9wsKeepAlive keep_alive;
  int resume_fd;   /* see s9ws_resumption_open (); -1: none */
  guint turns;     /* reads until the keep-alive is looked at; 1: it is due */
  guint64 n_taken; /* bytes that had been kept, our close frame included */

  /* the end */
  guint close_code;
  S9wsEnding ending; /* the peer's reason in it */
  guint64 close_end; /* what n_taken is at least once our close frame has left */
  GError *end_error; /* reported with ENDED */

  /* the opening */
  char *key;
  GByteArray *request; /* what of it has not been sent */
  gsize head_scanned;
  gboolean may_redirect;
  const char *redirect; /* followed by the caller; in the answer, or NULL */
  S9wsBody body;
  gboolean in_body;
  S9wsAnswer answer;

  S9wsCounters counters;
  gint64 ping_time; /* of the last ping sent, monotonic µs; 0: answered */
  guint8 ping[S9WS_CONTROL_PAYLOAD_MAX];
  guint8 ping_size;
  gboolean logs_frames;
};

/* The one place where the phase changes. */
void s9ws_connection_set_phase (S9wsConnection *connection,
                                S9wsPhase       phase,
                                guint           timeout);

/* Encodes the request of the upgrade, to be sent by s9ws_connection_open (). */
void s9ws_connection_write_request (S9wsConnection     *connection,
                                    const S9wsEndpoint *endpoint);

/* Compression was agreed on, as the answer says. */
void s9ws_connection_use_deflate (S9wsConnection *connection);

/* Ends: the next receive says so.  Takes @error over. */
void s9ws_connection_end (S9wsConnection *connection,
                          guint           close_code,
                          GError         *error);

gboolean s9ws_connection_is_overdue (S9wsConnection *connection);

/* ENDED, with the error that it ended with. */
S9wsReceiveResult s9ws_connection_report_end (S9wsConnection  *connection,
                                              GError         **error);

/* Sends a ping that is due.  FALSE if the peer counts as lost. */
gboolean  s9ws_connection_attend_keep_alive    (S9wsConnection *connection,
                                                gboolean        has_looked);
GError   *s9ws_connection_create_silence_error (S9wsConnection *connection);

/* Behind a final block, too, the rest of a message may refer to what came before. */
static inline gboolean
s9ws_connection_has_spare_inflater (S9wsConnection *connection)
{
  return s9ws_inflater_is_spare (&connection->inflater) && s9ws_message_decoder_is_between (&connection->decoder);
}

/* What zlib holds and can do without: some 300 KiB. */
static inline gboolean
s9ws_connection_has_spare_states (S9wsConnection *connection)
{
  return connection->sender.deflater.is_live || s9ws_connection_has_spare_inflater (connection);
}

/* sending.c */

/* Gives up what is kept: it cannot be sent any more. */
void s9ws_connection_give_up_output (S9wsConnection *connection);

/* Whether the connection is open. */
gboolean s9ws_connection_check_phase (S9wsConnection  *connection,
                                      GError         **error);
/* Whether the send buffer has room. */
gboolean s9ws_connection_check_room (S9wsConnection  *connection,
                                     gsize            size,
                                     GError         **error);

/* Sends, or keeps, a frame that has been checked. */
void s9ws_connection_send_frame (S9wsConnection *connection,
                                 S9wsOpcode      opcode,
                                 const guint8   *data,
                                 gsize           size);
void s9ws_connection_log_frame  (S9wsConnection *connection,
                                 const char     *direction,
                                 guint           opcode,
                                 gsize           size);

/* closing.c */

void s9ws_connection_on_close     (S9wsConnection *connection,
                                   S9wsMessage    *message);
void s9ws_connection_on_violation (S9wsConnection *connection);
void s9ws_connection_on_eof       (S9wsConnection *connection);

/* Reading or writing has failed.  Takes @error over. */
void s9ws_connection_on_loss (S9wsConnection *connection,
                              GError         *error);

/* Logging: domain s9ws for the connection's life, s9ws-wire for frames.  Never
 * payload, credentials or cookies. */
#define s9ws_log_life(level, ...) \
  g_log_structured ("s9ws", level, "MESSAGE", __VA_ARGS__)

G_END_DECLS
