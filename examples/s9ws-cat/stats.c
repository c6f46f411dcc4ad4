/* stats.c: what there was, at the end
 *
 * Each number is formatted for itself, for each has a plural of its own. The tools of
 * translators do not know G_GUINT64_FORMAT.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "stats.h"

#include <glib/gi18n.h>

static char *
format_messages (guint64 number)
{
  return g_strdup_printf (ngettext ("%llu message", "%llu messages", (gulong) number), (unsigned long long) number);
}

static char *
format_bytes (guint64 number)
{
  return g_strdup_printf (ngettext ("%llu byte", "%llu bytes", (gulong) number), (unsigned long long) number);
}

static void
print_received (const S9wsStats *stats)
{
  g_autofree char *messages = format_messages (stats->messages_received);
  g_autofree char *bytes = format_bytes (stats->bytes_received);
  g_autofree char *reads = g_strdup_printf (ngettext ("%llu read", "%llu reads", (gulong) stats->reads),
                                            (unsigned long long) stats->reads);

  g_printerr (_("Received: %s, %s, in %s\n"), messages, bytes, reads);
}

static void
print_sent (const S9wsStats *stats)
{
  g_autofree char *messages = format_messages (stats->messages_sent);
  g_autofree char *bytes = format_bytes (stats->bytes_sent);
  g_autofree char *writes = g_strdup_printf (ngettext ("%llu write", "%llu writes", (gulong) stats->writes),
                                             (unsigned long long) stats->writes);

  g_printerr (_("Sent: %s, %s, in %s\n"), messages, bytes, writes);
}

void
cat_print_stats (S9wsClient *client)
{
  g_autoptr (S9wsStats) stats = s9ws_client_get_stats (client);

  print_received (stats);
  print_sent (stats);
  g_printerr (_("Pings: %llu received, %llu sent, %llu answered\n"), (unsigned long long) stats->pings_received,
              (unsigned long long) stats->pings_sent, (unsigned long long) stats->round_trips);
  if (stats->last_round_trip >= 0)
    g_printerr (_("Last round trip: %.3f ms\n"), (double) stats->last_round_trip / 1000);
}
