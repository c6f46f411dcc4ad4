/* console-frames.c: says how many frames a window draws, and how long it pauses
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "console-frames.h"

/* There is one window. */
static struct
{
  guint n_frames;
  gint64 since; /* µs, as the others */
  gint64 last;
  gint64 longest_gap;
} frames;

static void
on_after_paint (GdkFrameClock *clock)
{
  gint64 now = g_get_monotonic_time ();

  if (frames.last == 0)
    frames.since = now;
  else
    frames.longest_gap = MAX (frames.longest_gap, now - frames.last);
  frames.last = now;
  frames.n_frames++;

  if (now - frames.since < G_USEC_PER_SEC)
    return;

  g_print ("frames %u in %.0f ms, longest gap %.1f ms\n", frames.n_frames,
           (double) (now - frames.since) / 1000, (double) frames.longest_gap / 1000);
  frames.since = now;
  frames.n_frames = 0;
  frames.longest_gap = 0;
}

static void
on_realize (GtkWidget *window)
{
  GdkFrameClock *clock = gtk_widget_get_frame_clock (window);

  g_signal_connect (clock, "after-paint", G_CALLBACK (on_after_paint), NULL);
  gdk_frame_clock_begin_updating (clock);
}

void
console_frames_report (GtkWindow *window)
{
  g_signal_connect (window, "realize", G_CALLBACK (on_realize), NULL);
}
