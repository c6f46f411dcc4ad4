/* ending.c: what is known of a connection once it has ended
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "ending.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

void
s9ws_ending_note_initiator (S9wsEnding          *ending,
                            S9wsEndingInitiator  initiator)
{
  if (ending->initiator == S9WS_ENDING_BY_NOBODY)
    ending->initiator = initiator;
}

void
s9ws_ending_note_sent (S9wsEnding *ending,
                       guint       code,
                       const char *reason,
                       gsize       size)
{
  s9ws_ending_note_initiator (ending, S9WS_ENDING_BY_US);
  ending->sent_code = code == 0 ? 1005 : code;
  ending->sent_reason = size > 0 ? g_strndup (reason, size) : NULL;
}

void
s9ws_ending_note_received (S9wsEnding *ending,
                           guint       code,
                           const char *reason,
                           gsize       size)
{
  s9ws_ending_note_initiator (ending, S9WS_ENDING_BY_PEER);
  ending->received_code = code;
  ending->received_reason = size > 0 ? g_strndup (reason, size) : NULL;
}

void
s9ws_ending_note_loss (S9wsEnding    *ending,
                       S9wsTransport *transport)
{
  if (transport->has_ended || transport->tls_alert != 0 ||
      transport->error_number == ECONNRESET || transport->error_number == EPIPE)
    s9ws_ending_note_initiator (ending, S9WS_ENDING_BY_PEER);
}

/* The kernel notes when bytes come and go, so that nobody has to read a clock for it. */
static void
read_ages (S9wsEnding    *ending,
           S9wsTransport *transport)
{
#ifdef HAVE_TCP_INFO_AGES
  struct tcp_info info = { 0 };
  socklen_t size = sizeof info;

  if (transport->fd < 0 || getsockopt (transport->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
    return;

  if (transport->n_reads > transport->n_empty_reads)
    ending->received_age = (gint64) info.tcpi_last_data_recv * 1000;
  if (transport->n_writes > 0)
    ending->sent_age = (gint64) info.tcpi_last_data_sent * 1000;
#endif
}

void
s9ws_ending_conclude (S9wsEnding    *ending,
                      S9wsTransport *transport,
                      gboolean       has_left)
{
  if (!has_left)
    {
      ending->sent_code = 0;
      g_clear_pointer (&ending->sent_reason, g_free);
    }
  ending->is_clean = ending->sent_code != 0 && ending->received_code != 0;
  ending->error_number = transport->error_number;
  ending->tls_alert = transport->tls_alert;
  ending->received_age = -1;
  ending->sent_age = -1;
  read_ages (ending, transport);
}

void
s9ws_ending_clear (S9wsEnding *ending)
{
  g_free (ending->sent_reason);
  g_free (ending->received_reason);
}
