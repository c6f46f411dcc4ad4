/* stats.h: what there was, at the end
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <s9ws/s9ws.h>

G_BEGIN_DECLS

/* To the standard error. */
void cat_print_stats (S9wsClient *client);

G_END_DECLS
