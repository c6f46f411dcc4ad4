/* console-plot.h: messages a second, over the last half minute
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define CONSOLE_TYPE_PLOT (console_plot_get_type ())
G_DECLARE_FINAL_TYPE (ConsolePlot, console_plot, CONSOLE, PLOT, GtkWidget)

void console_plot_add (ConsolePlot *plot,
                       double       value);

G_END_DECLS
