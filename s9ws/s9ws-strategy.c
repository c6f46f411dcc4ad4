/* s9ws-strategy.c: what to do when the socket had nothing
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-strategy.h"

/* The clock is only read in turns that brought nothing. */
static gint64
get_adaptive_wait (S9wsStrategy *strategy,
                   guint64       duration,
                   gboolean      is_first)
{
  gint64 now = g_get_monotonic_time ();

  if (is_first)
    strategy->spin_until = now + (duration > 0 ? (gint64) duration : S9WS_ADAPTIVE_SPIN);

  return now < strategy->spin_until ? 0 : -1;
}

gint64
s9ws_strategy_get_wait (S9wsStrategy     *strategy,
                        S9wsWaitStrategy  kind,
                        guint64           duration,
                        gboolean          is_first)
{
  switch (kind)
    {
    case S9WS_WAIT_STRATEGY_SPIN:
      return 0;
    case S9WS_WAIT_STRATEGY_ADAPTIVE:
      return get_adaptive_wait (strategy, duration, is_first);
    case S9WS_WAIT_STRATEGY_DEFAULT:
    case S9WS_WAIT_STRATEGY_SLEEP:
    case S9WS_WAIT_STRATEGY_WAIT:
    default:
      return duration > 0 ? (gint64) duration : -1;
    }
}
