/* console-window.c: the window
 *
 * However fast messages come, the window does the same work: rows are added as frames
 * are drawn, a few a frame, the list keeps the last of them, and the figures change four
 * times a second.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "console-window.h"

#include <glib/gi18n.h>

#include "console-connection.h"
#include "console-message.h"
#include "console-plot.h"

#define ROWS_PER_FRAME 20
#define MAX_ROWS 1000
#define FIGURES_INTERVAL 250 /* ms */

struct _ConsoleWindow
{
  GtkApplicationWindow parent_instance;

  GtkWidget *connect_button;
  GtkWidget *disconnect_button;
  GtkWidget *address_entry;
  GtkWidget *error_bar;
  GtkLabel *error_label;
  GtkLabel *state_label;
  GtkLabel *trip_label;
  GtkLabel *rate_label;
  GtkLabel *received_label;
  GtkLabel *sent_label;
  GtkLabel *hidden_label;
  ConsolePlot *plot;
  GtkStack *stack;
  GtkScrolledWindow *scroller;
  GtkWidget *hint_label;
  GtkWidget *detail;
  GtkWidget *message_entry;

  ConsoleConnection *connection;
  GListStore *messages;
  GtkSingleSelection *selection;
  guint tick;
  guint n_added; /* rows, in the last frame */
  guint figures_source;
  gint64 figures_time;
  guint64 figures_received;
};

G_DEFINE_FINAL_TYPE (ConsoleWindow, console_window, GTK_TYPE_APPLICATION_WINDOW)

/* Figures */

static void
set_number (GtkLabel *label,
            guint64   number)
{
  g_autofree char *text = g_strdup_printf ("%'" G_GUINT64_FORMAT, number);

  gtk_label_set_label (label, text);
}

static void
set_round_trip (ConsoleWindow *window,
                gint64         round_trip)
{
  /* Translators: milliseconds */
  g_autofree char *text = g_strdup_printf (_("%.2f ms"), (double) round_trip / 1000);

  gtk_label_set_label (window->trip_label, round_trip >= 0 ? text : "–");
}

static void
show_figures (ConsoleWindow *window)
{
  ConsoleFigures figures;

  console_connection_get_figures (window->connection, &figures);
  set_number (window->received_label, figures.received);
  set_number (window->sent_label, figures.sent);
  set_number (window->hidden_label, figures.hidden);
  set_round_trip (window, figures.round_trip);
}

/* The interval is not what was asked for, but what it was. */
static gboolean
on_figures_time (gpointer data)
{
  ConsoleWindow *window = data;
  gint64 now = g_get_monotonic_time ();
  ConsoleFigures figures;
  double rate;

  console_connection_get_figures (window->connection, &figures);
  rate = (double) (figures.received - window->figures_received) * G_USEC_PER_SEC /
         (double) MAX (now - window->figures_time, 1);
  window->figures_received = figures.received;
  window->figures_time = now;

  show_figures (window);
  set_number (window->rate_label, (guint64) (rate + 0.5));
  console_plot_add (window->plot, rate);

  return G_SOURCE_CONTINUE;
}

static void
start_figures (ConsoleWindow *window)
{
  window->figures_time = g_get_monotonic_time ();
  window->figures_received = 0;
  if (window->figures_source == 0)
    window->figures_source = g_timeout_add (FIGURES_INTERVAL, on_figures_time, window);
}

/* The list */

/* Whether the list is where it was left, but for the rows that have been added since:
 * if not, somebody has scrolled back to read.  All rows are of one height. */
static gboolean
is_at_end (ConsoleWindow *window)
{
  GtkAdjustment *adjustment = gtk_scrolled_window_get_vadjustment (window->scroller);
  double upper = gtk_adjustment_get_upper (adjustment);
  double below = upper - gtk_adjustment_get_page_size (adjustment) - gtk_adjustment_get_value (adjustment);
  guint n = g_list_model_get_n_items (G_LIST_MODEL (window->messages));

  return n == 0 || below < (window->n_added + 1.5) * upper / n;
}

static void
scroll_to_end (ConsoleWindow *window)
{
  GtkAdjustment *adjustment = gtk_scrolled_window_get_vadjustment (window->scroller);

  gtk_adjustment_set_value (adjustment, gtk_adjustment_get_upper (adjustment));
}

static void
append_rows (ConsoleWindow *window,
             GPtrArray     *rows)
{
  guint n = g_list_model_get_n_items (G_LIST_MODEL (window->messages));

  g_list_store_splice (window->messages, n, 0, rows->pdata, rows->len);
  n += rows->len;
  if (n > MAX_ROWS)
    g_list_store_splice (window->messages, 0, n - MAX_ROWS, NULL, 0);

  gtk_stack_set_visible_child_name (window->stack, "messages");
}

/* The rows of a frame are scrolled to in the next one, when their place is known. */
static gboolean
on_tick (GtkWidget     *widget,
         GdkFrameClock *clock,
         gpointer       data)
{
  ConsoleWindow *window = CONSOLE_WINDOW (widget);
  g_autoptr (GPtrArray) rows = g_ptr_array_new_with_free_func (g_object_unref);
  gboolean is_over = !console_connection_take (window->connection, rows, ROWS_PER_FRAME);

  if (is_at_end (window))
    scroll_to_end (window);

  window->n_added = rows->len;
  if (is_over)
    {
      window->tick = 0;
      return G_SOURCE_REMOVE;
    }

  append_rows (window, rows);
  return G_SOURCE_CONTINUE;
}

static void
on_pending (ConsoleWindow *window)
{
  if (window->tick == 0)
    window->tick = gtk_widget_add_tick_callback (GTK_WIDGET (window), on_tick, NULL, NULL);
}

/* The connection */

static void
set_action_enabled (ConsoleWindow *window,
                    const char    *name,
                    gboolean       is_enabled)
{
  GAction *action = g_action_map_lookup_action (G_ACTION_MAP (window), name);

  g_simple_action_set_enabled (G_SIMPLE_ACTION (action), is_enabled);
}

static const char *
get_state_text (S9wsState state)
{
  switch (state)
    {
    case S9WS_STATE_CONNECTING:
      return _("Connecting…");
    case S9WS_STATE_OPEN:
      return _("Connected");
    case S9WS_STATE_CLOSING:
      return _("Closing…");
    default:
      return _("Not connected");
    }
}

static void
show_state (ConsoleWindow *window)
{
  S9wsState state = console_connection_get_state (window->connection);
  gboolean is_closed = state == S9WS_STATE_CLOSED;
  const char *address = gtk_editable_get_text (GTK_EDITABLE (window->address_entry));

  gtk_label_set_label (window->state_label, get_state_text (state));
  gtk_widget_set_visible (window->connect_button, is_closed);
  gtk_widget_set_visible (window->disconnect_button, !is_closed);
  gtk_widget_set_visible (window->hint_label, is_closed);
  gtk_editable_set_editable (GTK_EDITABLE (window->address_entry), is_closed);
  set_action_enabled (window, "connect", is_closed && address[0] != '\0');
  set_action_enabled (window, "disconnect", !is_closed);
  set_action_enabled (window, "send", state == S9WS_STATE_OPEN);
}

static void
on_state_changed (ConsoleWindow *window)
{
  S9wsState state = console_connection_get_state (window->connection);

  show_state (window);
  if (state == S9WS_STATE_CONNECTING)
    start_figures (window);
  else if (state == S9WS_STATE_OPEN)
    gtk_widget_grab_focus (window->message_entry);
  else if (state == S9WS_STATE_CLOSED)
    gtk_widget_grab_focus (window->address_entry);
}

static void
show_error (ConsoleWindow *window,
            const char    *message)
{
  gtk_label_set_label (window->error_label, message);
  g_object_set (window->error_bar, "revealed", TRUE, NULL);
}

/* Actions */

static void
on_connect (GSimpleAction *action,
            GVariant      *parameter,
            gpointer       data)
{
  ConsoleWindow *window = data;
  g_autofree char *uri = g_strdup (gtk_editable_get_text (GTK_EDITABLE (window->address_entry)));

  g_object_set (window->error_bar, "revealed", FALSE, NULL);
  console_connection_open (window->connection, g_strstrip (uri));
}

static void
on_disconnect (GSimpleAction *action,
               GVariant      *parameter,
               gpointer       data)
{
  console_connection_close (CONSOLE_WINDOW (data)->connection);
}

static void
on_send (GSimpleAction *action,
         GVariant      *parameter,
         gpointer       data)
{
  ConsoleWindow *window = data;
  GtkEditable *entry = GTK_EDITABLE (window->message_entry);
  g_autoptr (GError) error = NULL;

  if (console_connection_send_text (window->connection, gtk_editable_get_text (entry), &error))
    gtk_editable_set_text (entry, "");
  else
    show_error (window, error->message);
  show_figures (window);
}

static void
on_pause (GSimpleAction *action,
          GVariant      *state,
          gpointer       data)
{
  g_simple_action_set_state (action, state);
  console_connection_set_paused (CONSOLE_WINDOW (data)->connection, g_variant_get_boolean (state));
}

static void
on_clear (GSimpleAction *action,
          GVariant      *parameter,
          gpointer       data)
{
  ConsoleWindow *window = data;

  g_list_store_remove_all (window->messages);
  gtk_stack_set_visible_child_name (window->stack, "empty");
}

static void
on_copy (GSimpleAction *action,
         GVariant      *parameter,
         gpointer       data)
{
  ConsoleWindow *window = data;
  ConsoleMessage *message = gtk_single_selection_get_selected_item (window->selection);
  g_autofree char *text = message != NULL ? console_message_dup_text (message) : NULL;

  if (text != NULL)
    gdk_clipboard_set_text (gtk_widget_get_clipboard (GTK_WIDGET (window)), text);
}

static void
on_unselect (GSimpleAction *action,
             GVariant      *parameter,
             gpointer       data)
{
  gtk_single_selection_set_selected (CONSOLE_WINDOW (data)->selection, GTK_INVALID_LIST_POSITION);
}

static void
on_edit_address (GSimpleAction *action,
                 GVariant      *parameter,
                 gpointer       data)
{
  gtk_widget_grab_focus (CONSOLE_WINDOW (data)->address_entry);
}

static void
on_edit_message (GSimpleAction *action,
                 GVariant      *parameter,
                 gpointer       data)
{
  gtk_widget_grab_focus (CONSOLE_WINDOW (data)->message_entry);
}

static const GActionEntry actions[] = {
  { .name = "connect", .activate = on_connect },
  { .name = "disconnect", .activate = on_disconnect },
  { .name = "send", .activate = on_send },
  { .name = "pause", .state = "false", .change_state = on_pause },
  { .name = "clear", .activate = on_clear },
  { .name = "copy", .activate = on_copy },
  { .name = "unselect", .activate = on_unselect },
  { .name = "edit-address", .activate = on_edit_address },
  { .name = "edit-message", .activate = on_edit_message },
};

/* What the template names */

/* What a row has no room for. */
static void
on_selected (GtkSingleSelection *selection,
             GParamSpec         *pspec,
             ConsoleWindow      *window)
{
  gtk_widget_set_visible (window->detail, gtk_single_selection_get_selected_item (selection) != NULL);
}

static void
on_address_activate (GtkWidget     *entry,
                     ConsoleWindow *window)
{
  g_action_group_activate_action (G_ACTION_GROUP (window), "connect", NULL);
}

static void
on_address_changed (GtkWidget     *entry,
                    ConsoleWindow *window)
{
  show_state (window);
}

static void
on_message_activate (GtkWidget     *entry,
                     ConsoleWindow *window)
{
  g_action_group_activate_action (G_ACTION_GROUP (window), "send", NULL);
}

static void
on_error_response (GtkWidget     *error_bar,
                   int            response,
                   ConsoleWindow *window)
{
  g_object_set (error_bar, "revealed", FALSE, NULL);
}

/* GObject */

static void
console_window_dispose (GObject *object)
{
  ConsoleWindow *window = CONSOLE_WINDOW (object);

  g_clear_handle_id (&window->figures_source, g_source_remove);
  if (window->connection != NULL)
    {
      g_signal_handlers_disconnect_by_data (window->connection, window);
      console_connection_stop (window->connection);
    }
  g_clear_object (&window->connection);
  g_clear_object (&window->messages);

  G_OBJECT_CLASS (console_window_parent_class)->dispose (object);
}

static void
console_window_class_init (ConsoleWindowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = console_window_dispose;

  g_type_ensure (CONSOLE_TYPE_MESSAGE);
  g_type_ensure (CONSOLE_TYPE_PLOT);
  gtk_widget_class_set_template_from_resource (widget_class, "/s9ws/Console/window.ui");
  gtk_widget_class_bind_template_child (widget_class, ConsoleWindow, connect_button);
  gtk_widget_class_bind_template_child (widget_class, ConsoleWindow, disconnect_button);
  gtk_widget_class_bind_template_child (widget_class, ConsoleWindow, address_entry);
  gtk_widget_class_bind_template_child (widget_class, ConsoleWindow, error_bar);
  gtk_widget_class_bind_template_child (widget_class, ConsoleWindow, error_label);
  gtk_widget_class_bind_template_child (widget_class, ConsoleWindow, state_label);
  gtk_widget_class_bind_template_child (widget_class, ConsoleWindow, trip_label);
  gtk_widget_class_bind_template_child (widget_class, ConsoleWindow, rate_label);
  gtk_widget_class_bind_template_child (widget_class, ConsoleWindow, received_label);
  gtk_widget_class_bind_template_child (widget_class, ConsoleWindow, sent_label);
  gtk_widget_class_bind_template_child (widget_class, ConsoleWindow, hidden_label);
  gtk_widget_class_bind_template_child (widget_class, ConsoleWindow, plot);
  gtk_widget_class_bind_template_child (widget_class, ConsoleWindow, stack);
  gtk_widget_class_bind_template_child (widget_class, ConsoleWindow, scroller);
  gtk_widget_class_bind_template_child (widget_class, ConsoleWindow, hint_label);
  gtk_widget_class_bind_template_child (widget_class, ConsoleWindow, selection);
  gtk_widget_class_bind_template_child (widget_class, ConsoleWindow, detail);
  gtk_widget_class_bind_template_child (widget_class, ConsoleWindow, message_entry);
  gtk_widget_class_bind_template_callback (widget_class, on_selected);
  gtk_widget_class_bind_template_callback (widget_class, on_address_activate);
  gtk_widget_class_bind_template_callback (widget_class, on_address_changed);
  gtk_widget_class_bind_template_callback (widget_class, on_message_activate);
  gtk_widget_class_bind_template_callback (widget_class, on_error_response);
}

static void
console_window_init (ConsoleWindow *window)
{
  gtk_widget_init_template (GTK_WIDGET (window));
  g_action_map_add_action_entries (G_ACTION_MAP (window), actions, G_N_ELEMENTS (actions), window);

  window->messages = g_list_store_new (CONSOLE_TYPE_MESSAGE);
  gtk_single_selection_set_model (window->selection, G_LIST_MODEL (window->messages));
}

/* Public API */

ConsoleWindow *
console_window_new (GtkApplication *application,
                    S9wsOptions    *options)
{
  ConsoleWindow *window = g_object_new (CONSOLE_TYPE_WINDOW, "application", application, NULL);

  window->connection = console_connection_new (options);
  g_signal_connect_swapped (window->connection, "notify::state", G_CALLBACK (on_state_changed), window);
  g_signal_connect_swapped (window->connection, "pending", G_CALLBACK (on_pending), window);
  g_signal_connect_swapped (window->connection, "failed", G_CALLBACK (show_error), window);
  show_state (window);
  gtk_widget_grab_focus (window->address_entry);
  return window;
}

void
console_window_open (ConsoleWindow *window,
                     const char    *uri)
{
  gtk_editable_set_text (GTK_EDITABLE (window->address_entry), uri);
  g_action_group_activate_action (G_ACTION_GROUP (window), "connect", NULL);
}
