/* signals.h: the signals that ask s9ws-cat to end
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

/* Catches SIGINT and SIGTERM, once: another one kills.  A descriptor that can be read
 * when one has come. */
int cat_signals_catch      (void);
int cat_signals_get_caught (void);

/* What started the program sees by which signal it ended; does nothing for 0. */
void cat_signals_die (int signal);
