/* console-connection.h: the connection, and what came from it and is not shown yet
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <s9ws/s9ws.h>

G_BEGIN_DECLS

/* Signals: "notify::state"; "pending", once, when there is something to take after all
 * had been taken; "failed" with a message for people. */
#define CONSOLE_TYPE_CONNECTION (console_connection_get_type ())
G_DECLARE_FINAL_TYPE (ConsoleConnection, console_connection, CONSOLE, CONNECTION, GObject)

typedef struct
{
  guint64 received;
  guint64 sent;
  guint64 hidden;    /* counted, and never shown */
  gint64 round_trip; /* µs, -1: none yet */
} ConsoleFigures;

ConsoleConnection *console_connection_new (S9wsOptions *options);

void      console_connection_open        (ConsoleConnection  *connection,
                                          const char         *uri);
void      console_connection_close       (ConsoleConnection  *connection);
void      console_connection_stop        (ConsoleConnection  *connection);
gboolean  console_connection_send_text   (ConsoleConnection  *connection,
                                          const char         *text,
                                          GError            **error);
S9wsState console_connection_get_state   (ConsoleConnection  *connection);
void      console_connection_get_figures (ConsoleConnection  *connection,
                                          ConsoleFigures     *figures);
void      console_connection_set_paused  (ConsoleConnection  *connection,
                                          gboolean            is_paused);

/* At most @max rows for the list, oldest first; FALSE if there are none. */
gboolean console_connection_take (ConsoleConnection *connection,
                                  GPtrArray         *messages,
                                  guint              max);

G_END_DECLS
