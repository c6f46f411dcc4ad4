/* s9ws-strategy.h: what to do when the socket had nothing
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "s9ws-options-private.h"

G_BEGIN_DECLS

#define S9WS_ADAPTIVE_SPIN 50 /* µs, where spin-wait-duration says nothing */

/* Of one loop; zero-initialised by its owner. */
typedef struct
{
  gint64 spin_until; /* monotonic µs */
} S9wsStrategy;

/* How long to wait now, in µs: 0 not at all, -1 until something happens.
 * @is_first: the turn before brought something. */
gint64 s9ws_strategy_get_wait (S9wsStrategy     *strategy,
                               S9wsWaitStrategy  kind,
                               guint64           duration,
                               gboolean          is_first);

G_END_DECLS
