/* s9ws-event.h: one event that is taken off instead of emitted
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#if !defined(S9WS_INSIDE) && !defined(S9WS_COMPILATION)
#error "Only <s9ws/s9ws.h> can be included directly."
#endif

#include "s9ws-enums.h"

G_BEGIN_DECLS

#define S9WS_TYPE_EVENT (s9ws_event_get_type ())

typedef struct _S9wsEvent S9wsEvent;

S9WS_AVAILABLE_IN_0_1
GType           s9ws_event_get_type        (void) G_GNUC_CONST;
S9WS_AVAILABLE_IN_0_1
S9wsEvent      *s9ws_event_ref             (S9wsEvent *event);
S9WS_AVAILABLE_IN_0_1
void            s9ws_event_unref           (S9wsEvent *event);
S9WS_AVAILABLE_IN_0_1
S9wsEventKind   s9ws_event_get_kind        (S9wsEvent *event);
S9WS_AVAILABLE_IN_0_1
const char     *s9ws_event_get_text        (S9wsEvent *event);
S9WS_AVAILABLE_IN_0_1
const guint8   *s9ws_event_get_data        (S9wsEvent *event,
                                            gsize     *length);
S9WS_AVAILABLE_IN_0_1
GBytes         *s9ws_event_get_bytes       (S9wsEvent *event);
S9WS_AVAILABLE_IN_0_1
guint           s9ws_event_get_code        (S9wsEvent *event);
S9WS_AVAILABLE_IN_0_1
S9wsPieceFlags  s9ws_event_get_piece_flags (S9wsEvent *event);
S9WS_AVAILABLE_IN_0_1
const char     *s9ws_event_get_reason      (S9wsEvent *event);
S9WS_AVAILABLE_IN_0_1
const GError   *s9ws_event_get_error       (S9wsEvent *event);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (S9wsEvent, s9ws_event_unref)

G_END_DECLS
