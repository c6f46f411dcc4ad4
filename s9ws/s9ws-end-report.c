/* s9ws-end-report.c: how a client's connection ended
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-end-report-private.h"

#include "connection/tls-transport.h"

/**
 * S9wsEndReport:
 *
 * How a client's connection ended, or why there was none.
 *
 * It is there from [signal@S9ws.Client::error] and
 * [signal@S9ws.Client::connection-closed] on, through [signal@S9ws.Client::quit] and
 * after it: see [property@S9ws.Client:end-report]. It never changes, and may be used by
 * any thread.
 *
 * Since: 0.1
 */
struct _S9wsEndReport
{
  gatomicrefcount ref_count;
  S9wsEndInitiator initiator;
  gboolean has_opened;
  gboolean is_clean;
  guint code;
  guint sent_code;
  char *sent_reason;
  guint received_code;
  char *received_reason;
  GError *error;
  int error_number;
  int tls_alert;
  guint response_status;
  GPtrArray *response_headers; /* of char *, names and values in turn; or NULL */
  GBytes *response_body;       /* or NULL */
  gint64 received_age;
  gint64 sent_age;
  guint64 bytes_unsent;
};

G_DEFINE_BOXED_TYPE (S9wsEndReport, s9ws_end_report, s9ws_end_report_ref, s9ws_end_report_unref)

/* Making it */

static S9wsEndInitiator
get_initiator (const S9wsEnding *ending,
               gboolean          is_forced)
{
  if (ending != NULL && ending->initiator == S9WS_ENDING_BY_PEER)
    return S9WS_END_INITIATOR_REMOTE;
  if (is_forced || (ending != NULL && ending->initiator == S9WS_ENDING_BY_US))
    return S9WS_END_INITIATOR_LOCAL;

  return S9WS_END_INITIATOR_NOBODY;
}

static void
take_ending (S9wsEndReport    *report,
             const S9wsEnding *ending)
{
  report->has_opened = ending->has_opened;
  report->is_clean = ending->is_clean;
  report->sent_code = ending->sent_code;
  report->sent_reason = g_strdup (ending->sent_reason);
  report->received_code = ending->received_code;
  report->received_reason = g_strdup (ending->received_reason);
  /* After a redirect that led to nobody there is one of connecting. */
  if (report->error_number == 0)
    report->error_number = ending->error_number;
  report->tls_alert = ending->tls_alert;
  report->received_age = ending->received_age;
  report->sent_age = ending->sent_age;
}

static void
take_answer (S9wsEndReport    *report,
             const S9wsAnswer *answer)
{
  report->response_status = answer->status;
  if (answer->headers != NULL)
    report->response_headers = g_ptr_array_ref (answer->headers);
  if (answer->body != NULL)
    report->response_body = g_bytes_new (answer->body->data, answer->body->len);
}

S9wsEndReport *
s9ws_end_report_new (S9wsConnection     *connection,
                     const S9wsSettings *settings,
                     const GError       *error,
                     gboolean            is_forced,
                     guint64             more_unsent)
{
  const S9wsEnding *ending = connection != NULL ? s9ws_connection_get_ending (connection) : NULL;
  S9wsEndReport *report = g_new0 (S9wsEndReport, 1);

  g_atomic_ref_count_init (&report->ref_count);
  report->initiator = get_initiator (ending, is_forced);
  report->received_age = -1;
  report->sent_age = -1;
  report->bytes_unsent = more_unsent;
  if (error != NULL && !is_forced)
    report->error = g_error_copy (error);
  if (settings != NULL)
    report->error_number = settings->connect_error_number;

  if (connection != NULL)
    {
      take_ending (report, ending);
      take_answer (report, s9ws_connection_get_answer (connection));
      report->bytes_unsent += s9ws_connection_get_unsent (connection);
      if (report->has_opened && !is_forced)
        report->code = s9ws_connection_get_close_code (connection);
    }

  return report;
}

/* Public API */

/**
 * s9ws_end_report_ref:
 * @report: a report
 *
 * Takes a reference. May be called from any thread.
 *
 * Returns: (transfer full): @report
 *
 * Since: 0.1
 */
S9wsEndReport *
s9ws_end_report_ref (S9wsEndReport *report)
{
  g_return_val_if_fail (report != NULL, NULL);

  g_atomic_ref_count_inc (&report->ref_count);
  return report;
}

/**
 * s9ws_end_report_unref:
 * @report: (transfer full): a report
 *
 * Drops a reference. May be called from any thread.
 *
 * Since: 0.1
 */
void
s9ws_end_report_unref (S9wsEndReport *report)
{
  g_return_if_fail (report != NULL);

  if (!g_atomic_ref_count_dec (&report->ref_count))
    return;

  g_free (report->sent_reason);
  g_free (report->received_reason);
  g_clear_error (&report->error);
  g_clear_pointer (&report->response_headers, g_ptr_array_unref);
  g_clear_pointer (&report->response_body, g_bytes_unref);
  g_free (report);
}

/**
 * s9ws_end_report_get_initiator:
 * @report: a report
 *
 * Gets who ended the connection first.
 *
 * Returns: who it was
 *
 * Since: 0.1
 */
S9wsEndInitiator
s9ws_end_report_get_initiator (S9wsEndReport *report)
{
  g_return_val_if_fail (report != NULL, S9WS_END_INITIATOR_NOBODY);

  return report->initiator;
}

/**
 * s9ws_end_report_get_has_opened:
 * @report: a report
 *
 * Gets whether there had been a connection: whether the server had accepted the upgrade.
 *
 * Returns: %TRUE if there had
 *
 * Since: 0.1
 */
gboolean
s9ws_end_report_get_has_opened (S9wsEndReport *report)
{
  g_return_val_if_fail (report != NULL, FALSE);

  return report->has_opened;
}

/**
 * s9ws_end_report_get_is_clean:
 * @report: a report
 *
 * Gets whether the closing handshake was complete (RFC 6455, section 7.1.4): each side
 * sent a close frame, and ours has left.
 *
 * Returns: %TRUE if it was
 *
 * Since: 0.1
 */
gboolean
s9ws_end_report_get_is_clean (S9wsEndReport *report)
{
  g_return_val_if_fail (report != NULL, FALSE);

  return report->is_clean;
}

/**
 * s9ws_end_report_get_code:
 * @report: a report
 *
 * Gets the code that [signal@S9ws.Client::connection-closed] is emitted with.
 *
 * Returns: the code, or 0 if it is not emitted
 *
 * Since: 0.1
 */
guint
s9ws_end_report_get_code (S9wsEndReport *report)
{
  g_return_val_if_fail (report != NULL, 0);

  return report->code;
}

/**
 * s9ws_end_report_get_sent_code:
 * @report: a report
 *
 * Gets the code in the close frame that the client sent, as an answer or by itself.
 *
 * Returns: the code; 1005 if the frame had none, 0 if none was sent or it has not left
 *
 * Since: 0.1
 */
guint
s9ws_end_report_get_sent_code (S9wsEndReport *report)
{
  g_return_val_if_fail (report != NULL, 0);

  return report->sent_code;
}

/**
 * s9ws_end_report_get_sent_reason:
 * @report: a report
 *
 * Gets the reason in the close frame that the client sent.
 *
 * Returns: (transfer none) (nullable): the reason, or %NULL if there was none
 *
 * Since: 0.1
 */
const char *
s9ws_end_report_get_sent_reason (S9wsEndReport *report)
{
  g_return_val_if_fail (report != NULL, NULL);

  return report->sent_reason;
}

/**
 * s9ws_end_report_get_received_code:
 * @report: a report
 *
 * Gets the code in the close frame that the server sent, as an answer or by itself.
 *
 * Returns: the code; 1005 if the frame had none, 0 if none was received
 *
 * Since: 0.1
 */
guint
s9ws_end_report_get_received_code (S9wsEndReport *report)
{
  g_return_val_if_fail (report != NULL, 0);

  return report->received_code;
}

/**
 * s9ws_end_report_get_received_reason:
 * @report: a report
 *
 * Gets the reason in the close frame that the server sent.
 *
 * Returns: (transfer none) (nullable): the reason, or %NULL if there was none
 *
 * Since: 0.1
 */
const char *
s9ws_end_report_get_received_reason (S9wsEndReport *report)
{
  g_return_val_if_fail (report != NULL, NULL);

  return report->received_reason;
}

/**
 * s9ws_end_report_get_error:
 * @report: a report
 *
 * Gets what failed: what [signal@S9ws.Client::error] is emitted with.
 *
 * Returns: (transfer none) (nullable): the error, or %NULL if nothing failed
 *
 * Since: 0.1
 */
const GError *
s9ws_end_report_get_error (S9wsEndReport *report)
{
  g_return_val_if_fail (report != NULL, NULL);

  return report->error;
}

/**
 * s9ws_end_report_get_error_number:
 * @report: a report
 *
 * Gets the system's error number (`errno`) where it was the system that failed: while
 * connecting, reading or writing.
 *
 * Returns: the number, or 0 if there is none
 *
 * Since: 0.1
 */
int
s9ws_end_report_get_error_number (S9wsEndReport *report)
{
  g_return_val_if_fail (report != NULL, 0);

  return report->error_number;
}

/**
 * s9ws_end_report_get_tls_alert:
 * @report: a report
 *
 * Gets the fatal alert with which the server ended TLS, as 42 for a bad certificate (RFC
 * 8446, section 6.2).
 *
 * Returns: the alert's number, or 0 if there was none
 *
 * Since: 0.1
 */
int
s9ws_end_report_get_tls_alert (S9wsEndReport *report)
{
  g_return_val_if_fail (report != NULL, 0);

  return report->tls_alert;
}

/**
 * s9ws_end_report_get_response_status:
 * @report: a report
 *
 * Gets the HTTP status of the server's answer to the upgrade: 101 if it accepted.
 *
 * Returns: the status, or 0 if no answer had come
 *
 * Since: 0.1
 */
guint
s9ws_end_report_get_response_status (S9wsEndReport *report)
{
  g_return_val_if_fail (report != NULL, 0);

  return report->response_status;
}

/**
 * s9ws_end_report_get_response_header:
 * @report: a report
 * @name: the name of a header, in any case
 *
 * Gets a header of the server's answer to the upgrade.
 *
 * Returns: (transfer none) (nullable): the value of the first header of that name, or
 *   %NULL if there is none or no answer had come
 *
 * Since: 0.1
 */
const char *
s9ws_end_report_get_response_header (S9wsEndReport *report,
                                     const char    *name)
{
  GPtrArray *headers;

  g_return_val_if_fail (report != NULL, NULL);
  g_return_val_if_fail (name != NULL, NULL);

  headers = report->response_headers;
  for (guint i = 0; headers != NULL && i < headers->len; i += 2)
    if (g_ascii_strcasecmp (headers->pdata[i], name) == 0)
      return headers->pdata[i + 1];

  return NULL;
}

/**
 * s9ws_end_report_get_response_headers:
 * @report: a report
 *
 * Gets all headers of the server's answer to the upgrade.
 *
 * Returns: (transfer full) (array zero-terminated=1): lines of the form `Name: value`, as
 *   they came; empty if no answer had come
 *
 * Since: 0.1
 */
char **
s9ws_end_report_get_response_headers (S9wsEndReport *report)
{
  g_autoptr (GStrvBuilder) lines = NULL;
  GPtrArray *headers;

  g_return_val_if_fail (report != NULL, NULL);

  lines = g_strv_builder_new ();
  headers = report->response_headers;
  for (guint i = 0; headers != NULL && i < headers->len; i += 2)
    {
      g_autofree char *line = g_strconcat (headers->pdata[i], ": ", headers->pdata[i + 1], NULL);

      g_strv_builder_add (lines, line);
    }

  return g_strv_builder_end (lines);
}

/**
 * s9ws_end_report_get_response_body:
 * @report: a report
 *
 * Gets what a server that refused the upgrade said about it: the body of its answer, up
 * to 64 KiB of it.
 *
 * Returns: (transfer none) (nullable): the body, or %NULL if the upgrade was not refused
 *
 * Since: 0.1
 */
GBytes *
s9ws_end_report_get_response_body (S9wsEndReport *report)
{
  g_return_val_if_fail (report != NULL, NULL);

  return report->response_body;
}

/**
 * s9ws_end_report_get_received_age:
 * @report: a report
 *
 * Gets how long before the end the last byte came from the server. It is the kernel who
 * knows, to a few milliseconds.
 *
 * Returns: the time in µs, or -1 if it is not known or none came: it is known of TCP on
 *   Linux
 *
 * Since: 0.1
 */
gint64
s9ws_end_report_get_received_age (S9wsEndReport *report)
{
  g_return_val_if_fail (report != NULL, -1);

  return report->received_age;
}

/**
 * s9ws_end_report_get_sent_age:
 * @report: a report
 *
 * Gets how long before the end the last byte was sent to the server, what was sent again
 * included.
 *
 * Returns: the time in µs, or -1 as from [method@S9ws.EndReport.get_received_age]
 *
 * Since: 0.1
 */
gint64
s9ws_end_report_get_sent_age (S9wsEndReport *report)
{
  g_return_val_if_fail (report != NULL, -1);

  return report->sent_age;
}

/**
 * s9ws_end_report_get_bytes_unsent:
 * @report: a report
 *
 * Gets how much had been accepted for sending and had not left, in bytes of frames. What
 * the kernel had taken counts as gone.
 *
 * Returns: the number of bytes
 *
 * Since: 0.1
 */
guint64
s9ws_end_report_get_bytes_unsent (S9wsEndReport *report)
{
  g_return_val_if_fail (report != NULL, 0);

  return report->bytes_unsent;
}

/* As a line */

/* What the peer wrote must not look like another line of the log. */
static void
append_printable (GString    *line,
                  const char *text)
{
  for (const char *c = text; *c != '\0'; c = g_utf8_next_char (c))
    {
      gunichar character = g_utf8_get_char (c);

      if (g_unichar_isprint (character))
        g_string_append_unichar (line, character);
      else
        g_string_append_printf (line, "\\u%04x", character);
    }
}

static void
append_close (GString    *line,
              const char *what,
              guint       code,
              const char *reason)
{
  if (code == 0)
    {
      g_string_append_printf (line, ", no close %s", what);
      return;
    }

  g_string_append_printf (line, ", %s %u", what, code);
  if (reason != NULL)
    {
      g_string_append (line, " “");
      append_printable (line, reason);
      g_string_append (line, "”");
    }
}

static void
append_age (GString    *line,
            const char *what,
            gint64      age)
{
  if (age >= 0)
    g_string_append_printf (line, ", last byte %s %" G_GINT64_FORMAT " ms before", what, age / 1000);
}

static void
append_who (GString       *line,
            S9wsEndReport *report)
{
  if (report->initiator == S9WS_END_INITIATOR_LOCAL)
    g_string_append (line, report->has_opened ? "closed by the client" : "given up by the client");
  else if (report->initiator == S9WS_END_INITIATOR_REMOTE)
    g_string_append (line, "closed by the server");
  else
    g_string_append (line, report->has_opened ? "lost" : "never opened");

  if (!report->has_opened)
    return;

  g_string_append (line, report->is_clean ? ", cleanly" : ", not cleanly");
  append_close (line, "received", report->received_code, report->received_reason);
  append_close (line, "sent", report->sent_code, report->sent_reason);
}

/**
 * s9ws_end_report_to_string:
 * @report: a report
 *
 * Puts the report into one line for a log: in English, without headers, bodies and
 * whatever else may be secret, and with nothing in it that a terminal would act upon.
 *
 * Returns: (transfer full): the line
 *
 * Since: 0.1
 */
char *
s9ws_end_report_to_string (S9wsEndReport *report)
{
  GString *line;

  g_return_val_if_fail (report != NULL, NULL);

  line = g_string_new (NULL);
  append_who (line, report);
  if (report->response_status != 0 && report->response_status != 101)
    g_string_append_printf (line, ", HTTP status %u", report->response_status);
  if (report->tls_alert != 0)
    g_string_append_printf (line, ", TLS alert %d (%s)", report->tls_alert,
                            s9ws_tls_get_alert_name (report->tls_alert));
  if (report->error_number != 0)
    g_string_append_printf (line, ", errno %d (%s)", report->error_number, g_strerror (report->error_number));
  append_age (line, "received", report->received_age);
  append_age (line, "sent", report->sent_age);
  g_string_append_printf (line, ", %" G_GUINT64_FORMAT " bytes unsent", report->bytes_unsent);
  if (report->error != NULL)
    {
      g_string_append (line, ": ");
      append_printable (line, report->error->message);
    }

  return g_string_free (line, FALSE);
}
