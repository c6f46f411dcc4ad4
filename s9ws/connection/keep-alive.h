/* keep-alive.h: when to send a ping, and when the peer counts as lost
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* In µs.  Only the second goes on while the machine is suspended. */
typedef struct
{
  gint64 monotonic;
  gint64 boottime;
} S9wsClocks;

/* How the time is asked for; a test has its own. */
typedef S9wsClocks (*S9wsReadClocks) (void);

S9wsClocks s9ws_clocks_read (void);

#define S9WS_KEEP_ALIVE_PAYLOAD_SIZE 8 /* bytes: "s9ws" and a number */
#define S9WS_KEEP_ALIVE_MEASURED 8     /* pings on their way at once whose times are kept */

/* Of one connection; zero-initialised by its owner. */
typedef struct
{
  gint64 interval; /* µs; 0: no pings */
  gint64 timeout;  /* µs; 0: none */
  gint64 ping_due; /* monotonic µs; 0: not started, or stopped */
  gint64 pong_due; /* likewise; 0: nothing is waited for */
  gint64 asleep;   /* how long the machine has been suspended so far, µs */
  guint64 signs;   /* of life, when the last ping was sent */
  guint32 n_pings;
  gint64 ping_times[S9WS_KEEP_ALIVE_MEASURED]; /* by number; 0: it has been answered */
  guint8 payload[S9WS_KEEP_ALIVE_PAYLOAD_SIZE]; /* the last one's */
} S9wsKeepAlive;

typedef enum
{
  S9WS_KEEP_ALIVE_FINE,
  S9WS_KEEP_ALIVE_PING, /* send one, then call s9ws_keep_alive_note_ping () */
  S9WS_KEEP_ALIVE_LOST,
} S9wsKeepAliveVerdict;

void s9ws_keep_alive_start (S9wsKeepAlive *keep_alive,
                            guint          interval,
                            guint          timeout,
                            S9wsClocks     now);
void s9ws_keep_alive_stop  (S9wsKeepAlive *keep_alive);

/* When it is to be looked at again, in monotonic µs; 0: never. */
gint64 s9ws_keep_alive_get_due (const S9wsKeepAlive *keep_alive);

/* Whether it is to be looked at now: something is due, or the machine has slept. */
gboolean s9ws_keep_alive_is_due (const S9wsKeepAlive *keep_alive,
                                 S9wsClocks           now);

/* @signs is any number that changes with every byte that comes or goes.  @has_looked:
 * a read has just found nothing; otherwise it cannot be known that nothing has come. */
S9wsKeepAliveVerdict s9ws_keep_alive_look (S9wsKeepAlive *keep_alive,
                                           S9wsClocks     now,
                                           guint64        signs,
                                           gboolean       has_looked);

/* Makes the payload of the next ping. */
void s9ws_keep_alive_begin_ping (S9wsKeepAlive *keep_alive,
                                 S9wsClocks     now);
/* Once it has been sent: what comes after it is life. */
void s9ws_keep_alive_note_ping (S9wsKeepAlive *keep_alive,
                                guint64        signs);

/* Whether a pong with this payload answers one of the last pings: how long it took in
 * µs, or -1.  The clock is only read where it does. */
gint64 s9ws_keep_alive_take_pong (S9wsKeepAlive  *keep_alive,
                                  const guint8   *data,
                                  gsize           size,
                                  S9wsReadClocks  read_clocks);

G_END_DECLS
