/* s9ws-end-report.h: how a client's connection ended
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#if !defined(S9WS_INSIDE) && !defined(S9WS_COMPILATION)
#error "Only <s9ws/s9ws.h> can be included directly."
#endif

#include "s9ws-enums.h"

G_BEGIN_DECLS

#define S9WS_TYPE_END_REPORT (s9ws_end_report_get_type ())

typedef struct _S9wsEndReport S9wsEndReport;

S9WS_AVAILABLE_IN_0_1
GType s9ws_end_report_get_type (void) G_GNUC_CONST;

S9WS_AVAILABLE_IN_0_1
S9wsEndReport *s9ws_end_report_ref   (S9wsEndReport *report);
S9WS_AVAILABLE_IN_0_1
void           s9ws_end_report_unref (S9wsEndReport *report);

S9WS_AVAILABLE_IN_0_1
S9wsEndInitiator   s9ws_end_report_get_initiator        (S9wsEndReport *report);
S9WS_AVAILABLE_IN_0_1
gboolean           s9ws_end_report_get_has_opened       (S9wsEndReport *report);
S9WS_AVAILABLE_IN_0_1
gboolean           s9ws_end_report_get_is_clean         (S9wsEndReport *report);
S9WS_AVAILABLE_IN_0_1
guint              s9ws_end_report_get_code             (S9wsEndReport *report);
S9WS_AVAILABLE_IN_0_1
guint              s9ws_end_report_get_sent_code        (S9wsEndReport *report);
S9WS_AVAILABLE_IN_0_1
const char        *s9ws_end_report_get_sent_reason      (S9wsEndReport *report);
S9WS_AVAILABLE_IN_0_1
guint              s9ws_end_report_get_received_code    (S9wsEndReport *report);
S9WS_AVAILABLE_IN_0_1
const char        *s9ws_end_report_get_received_reason  (S9wsEndReport *report);
S9WS_AVAILABLE_IN_0_1
const GError      *s9ws_end_report_get_error            (S9wsEndReport *report);
S9WS_AVAILABLE_IN_0_1
int                s9ws_end_report_get_error_number     (S9wsEndReport *report);
S9WS_AVAILABLE_IN_0_1
int                s9ws_end_report_get_tls_alert        (S9wsEndReport *report);
S9WS_AVAILABLE_IN_0_1
guint              s9ws_end_report_get_response_status  (S9wsEndReport *report);
S9WS_AVAILABLE_IN_0_1
const char        *s9ws_end_report_get_response_header  (S9wsEndReport *report,
                                                         const char    *name);
S9WS_AVAILABLE_IN_0_1
char             **s9ws_end_report_get_response_headers (S9wsEndReport *report);
S9WS_AVAILABLE_IN_0_1
GBytes            *s9ws_end_report_get_response_body    (S9wsEndReport *report);
S9WS_AVAILABLE_IN_0_1
gint64             s9ws_end_report_get_received_age     (S9wsEndReport *report);
S9WS_AVAILABLE_IN_0_1
gint64             s9ws_end_report_get_sent_age         (S9wsEndReport *report);
S9WS_AVAILABLE_IN_0_1
guint64            s9ws_end_report_get_bytes_unsent     (S9wsEndReport *report);

S9WS_AVAILABLE_IN_0_1
char *s9ws_end_report_to_string (S9wsEndReport *report);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (S9wsEndReport, s9ws_end_report_unref)

G_END_DECLS
