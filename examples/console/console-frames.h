/* console-frames.h: says how many frames a window draws, and how long it pauses
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* Has the window draw as often as it can, and prints a line each second. */
void console_frames_report (GtkWindow *window);

G_END_DECLS
