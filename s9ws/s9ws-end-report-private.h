/* s9ws-end-report-private.h: reports as they are made
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "s9ws-end-report.h"

#include "s9ws-options-private.h"

G_BEGIN_DECLS

/* Once the connection, where there was one, has been hung up; NULL stands for none.
 * @settings may be NULL, too.  @error is what it ended with, or NULL; @is_forced says
 * that the user wanted it at once, and then counts for more.  @more_unsent are bytes that
 * the connection has not seen. */
S9wsEndReport *s9ws_end_report_new (S9wsConnection     *connection,
                                    const S9wsSettings *settings,
                                    const GError       *error,
                                    gboolean            is_forced,
                                    guint64             more_unsent);

G_END_DECLS
