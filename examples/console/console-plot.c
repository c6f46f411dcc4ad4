/* console-plot.c: messages a second, over the last half minute
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "console-plot.h"

#include <math.h>
#include <string.h>

#define N_VALUES 120
#define N_LINES 2 /* above the ground */
#define HEIGHT 120

struct _ConsolePlot
{
  GtkWidget parent_instance;

  double values[N_VALUES]; /* oldest first */
};

G_DEFINE_FINAL_TYPE (ConsolePlot, console_plot, GTK_TYPE_WIDGET)

/* 1, 2 or 5 times a power of ten, and not below all values. */
static double
get_top (ConsolePlot *plot)
{
  double max = 10, power;

  for (guint i = 0; i < N_VALUES; i++)
    max = MAX (max, plot->values[i]);

  power = pow (10, floor (log10 (max)));
  if (max <= power)
    return power;
  if (max <= 2 * power)
    return 2 * power;
  return max <= 5 * power ? 5 * power : 10 * power;
}

static void
draw_line (GtkWidget     *widget,
           GtkSnapshot   *snapshot,
           const GdkRGBA *color,
           double         value,
           float          y)
{
  g_autofree char *text = g_strdup_printf ("%'.0f", value);
  g_autoptr (PangoLayout) layout = gtk_widget_create_pango_layout (widget, text);
  GdkRGBA pale = *color;
  int height;

  pale.alpha *= 0.15f;
  gtk_snapshot_append_color (snapshot, &pale, &GRAPHENE_RECT_INIT (0, roundf (y), gtk_widget_get_width (widget), 1));
  if (value == 0)
    return;

  pale.alpha = color->alpha * 0.65f;
  pango_layout_get_pixel_size (layout, NULL, &height);
  gtk_snapshot_save (snapshot);
  gtk_snapshot_translate (snapshot, &GRAPHENE_POINT_INIT (2, roundf (y) + 1));
  gtk_snapshot_append_layout (snapshot, layout, &pale);
  gtk_snapshot_restore (snapshot);
}

static void
console_plot_snapshot (GtkWidget   *widget,
                       GtkSnapshot *snapshot)
{
  ConsolePlot *plot = CONSOLE_PLOT (widget);
  GtkStyleContext *style = gtk_widget_get_style_context (widget);
  float width = gtk_widget_get_width (widget);
  float height = gtk_widget_get_height (widget) - 1;
  float step = width / N_VALUES;
  double top = get_top (plot);
  GdkRGBA text_color, color;

  gtk_style_context_get_color (style, &text_color);
  if (!gtk_style_context_lookup_color (style, "theme_selected_bg_color", &color))
    color = text_color;

  for (guint i = 0; i < N_VALUES; i++)
    {
      float size = ceilf (height * (float) (plot->values[i] / top));
      float left = roundf (i * step);

      gtk_snapshot_append_color (snapshot, &color,
                                 &GRAPHENE_RECT_INIT (left, height - size, MAX (roundf ((i + 1) * step) - left - 1, 1), size));
    }
  for (guint i = 0; i <= N_LINES; i++)
    draw_line (widget, snapshot, &text_color, top * i / N_LINES, height - height * i / N_LINES);
}

static void
console_plot_measure (GtkWidget      *widget,
                      GtkOrientation  orientation,
                      int             for_size,
                      int            *minimum,
                      int            *natural,
                      int            *minimum_baseline,
                      int            *natural_baseline)
{
  *minimum = *natural = orientation == GTK_ORIENTATION_VERTICAL ? HEIGHT : N_VALUES;
}

static void
console_plot_class_init (ConsolePlotClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  widget_class->snapshot = console_plot_snapshot;
  widget_class->measure = console_plot_measure;
}

static void
console_plot_init (ConsolePlot *plot)
{
}

void
console_plot_add (ConsolePlot *plot,
                  double       value)
{
  memmove (plot->values, plot->values + 1, sizeof plot->values - sizeof plot->values[0]);
  plot->values[N_VALUES - 1] = value;
  gtk_widget_queue_draw (GTK_WIDGET (plot));
}
