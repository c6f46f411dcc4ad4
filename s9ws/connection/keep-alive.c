/* keep-alive.c: when to send a ping, and when the peer counts as lost
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "keep-alive.h"

#include <string.h>
#include <time.h>

#define SLEEP_MIN G_USEC_PER_SEC /* µs: less than that is the clocks' own drift */

S9wsClocks
s9ws_clocks_read (void)
{
  S9wsClocks clocks = { .monotonic = g_get_monotonic_time () };

#ifdef CLOCK_BOOTTIME
  struct timespec time;

  if (clock_gettime (CLOCK_BOOTTIME, &time) == 0)
    clocks.boottime = (gint64) time.tv_sec * G_USEC_PER_SEC + time.tv_nsec / 1000;
  else
#endif
    clocks.boottime = clocks.monotonic;

  return clocks;
}

static gint64
get_asleep (S9wsClocks now)
{
  return now.boottime - now.monotonic;
}

void
s9ws_keep_alive_start (S9wsKeepAlive *keep_alive,
                       guint          interval,
                       guint          timeout,
                       S9wsClocks     now)
{
  keep_alive->interval = (gint64) interval * 1000;
  keep_alive->timeout = (gint64) timeout * 1000;
  keep_alive->asleep = get_asleep (now);
  keep_alive->ping_due = now.monotonic + keep_alive->interval;
}

void
s9ws_keep_alive_stop (S9wsKeepAlive *keep_alive)
{
  keep_alive->ping_due = 0;
  keep_alive->pong_due = 0;
}

gint64
s9ws_keep_alive_get_due (const S9wsKeepAlive *keep_alive)
{
  if (keep_alive->pong_due != 0 && keep_alive->pong_due < keep_alive->ping_due)
    return keep_alive->pong_due;

  return keep_alive->ping_due;
}

static gboolean
has_slept (const S9wsKeepAlive *keep_alive,
           S9wsClocks           now)
{
  return get_asleep (now) - keep_alive->asleep >= SLEEP_MIN;
}

gboolean
s9ws_keep_alive_is_due (const S9wsKeepAlive *keep_alive,
                        S9wsClocks           now)
{
  return now.monotonic >= s9ws_keep_alive_get_due (keep_alive) || has_slept (keep_alive, now);
}

S9wsKeepAliveVerdict
s9ws_keep_alive_look (S9wsKeepAlive *keep_alive,
                      S9wsClocks     now,
                      guint64        signs,
                      gboolean       has_looked)
{
  if (has_slept (keep_alive, now))
    {
      /* Whoever was asked before has been waited for by nobody: ask anew, at once. */
      keep_alive->asleep = get_asleep (now);
      keep_alive->ping_due = now.monotonic;
      keep_alive->pong_due = 0;
    }

  if (signs != keep_alive->signs)
    keep_alive->pong_due = 0;

  if (keep_alive->pong_due != 0 && now.monotonic >= keep_alive->pong_due)
    {
      if (has_looked)
        return S9WS_KEEP_ALIVE_LOST;
      keep_alive->pong_due = now.monotonic + keep_alive->timeout;
    }

  return now.monotonic >= keep_alive->ping_due ? S9WS_KEEP_ALIVE_PING : S9WS_KEEP_ALIVE_FINE;
}

static gint64 *
get_ping_time (S9wsKeepAlive *keep_alive,
               guint32        number)
{
  return &keep_alive->ping_times[number % S9WS_KEEP_ALIVE_MEASURED];
}

void
s9ws_keep_alive_begin_ping (S9wsKeepAlive *keep_alive,
                            S9wsClocks     now)
{
  guint32 number = GUINT32_TO_BE (keep_alive->n_pings);

  memcpy (keep_alive->payload, "s9ws", 4);
  memcpy (keep_alive->payload + 4, &number, sizeof number);
  *get_ping_time (keep_alive, keep_alive->n_pings) = now.monotonic;
  keep_alive->n_pings++;
  keep_alive->ping_due = now.monotonic + keep_alive->interval;
  if (keep_alive->timeout > 0 && keep_alive->pong_due == 0)
    keep_alive->pong_due = now.monotonic + keep_alive->timeout;
}

void
s9ws_keep_alive_note_ping (S9wsKeepAlive *keep_alive,
                           guint64        signs)
{
  keep_alive->signs = signs;
}

gint64
s9ws_keep_alive_take_pong (S9wsKeepAlive  *keep_alive,
                           const guint8   *data,
                           gsize           size,
                           S9wsReadClocks  read_clocks)
{
  gint64 *time;
  gint64 round_trip;
  guint32 number;

  if (size != S9WS_KEEP_ALIVE_PAYLOAD_SIZE || memcmp (data, "s9ws", 4) != 0)
    return -1;

  memcpy (&number, data + 4, sizeof number);
  number = GUINT32_FROM_BE (number);
  time = get_ping_time (keep_alive, number);
  /* Older ones have given their place to others, and newer ones are invented. */
  if (keep_alive->n_pings - 1 - number >= S9WS_KEEP_ALIVE_MEASURED || *time == 0)
    return -1;

  round_trip = read_clocks ().monotonic - *time;
  *time = 0;
  return round_trip;
}
