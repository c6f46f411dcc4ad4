/* console-window.h: the window
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gtk/gtk.h>
#include <s9ws/s9ws.h>

G_BEGIN_DECLS

#define CONSOLE_TYPE_WINDOW (console_window_get_type ())
G_DECLARE_FINAL_TYPE (ConsoleWindow, console_window, CONSOLE, WINDOW, GtkApplicationWindow)

ConsoleWindow *console_window_new  (GtkApplication *application,
                                    S9wsOptions    *options);
void           console_window_open (ConsoleWindow  *window,
                                    const char     *uri);

G_END_DECLS
