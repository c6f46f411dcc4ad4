/* ending.h: what is known of a connection once it has ended
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "connection.h"

G_BEGIN_DECLS

/* The first to be named stays. */
void s9ws_ending_note_initiator (S9wsEnding          *ending,
                                 S9wsEndingInitiator  initiator);

/* Close frames.  @reason need not be terminated. */
void s9ws_ending_note_sent     (S9wsEnding *ending,
                                guint       code,
                                const char *reason,
                                gsize       size);
void s9ws_ending_note_received (S9wsEnding *ending,
                                guint       code,
                                const char *reason,
                                gsize       size);

/* Reading or writing has failed, or the stream has ended. */
void s9ws_ending_note_loss (S9wsEnding    *ending,
                            S9wsTransport *transport);

/* Before the transport is closed.  @has_left: so has our close frame. */
void s9ws_ending_conclude (S9wsEnding    *ending,
                           S9wsTransport *transport,
                           gboolean       has_left);

void s9ws_ending_clear (S9wsEnding *ending);

G_END_DECLS
