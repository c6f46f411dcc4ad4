/* main.c: a console for WebSocket servers
 *
 * Usage: s9ws-console [--ca-file FILE] [--report-frames] [URI]
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include <glib/gi18n.h>
#include <locale.h>

#include "console-frames.h"
#include "console-window.h"

#define APPLICATION_ID "s9ws.Console"
#define RESOURCES "/s9ws/Console"

/* What is behind a longer queue would be old when it is shown. */
#define MAX_QUEUED_BYTES (G_GUINT64_CONSTANT (1) << 20)

static char *ca_file;
static gboolean reports_frames;
static char **uris;

static const GOptionEntry entries[] = {
  { "ca-file", 0, 0, G_OPTION_ARG_FILENAME, &ca_file,
    N_("Trust the certificate authorities in FILE (PEM) instead of the system’s"), N_("FILE") },
  { "report-frames", 0, 0, G_OPTION_ARG_NONE, &reports_frames,
    N_("Print each second how many frames have been drawn"), NULL },
  { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &uris, NULL, N_("[URI]") },
  { NULL },
};

static void
on_about (GSimpleAction *action,
          GVariant      *parameter,
          gpointer       application)
{
  gtk_show_about_dialog (gtk_application_get_active_window (application),
                         "program-name", _("WebSocket Console"),
                         "logo-icon-name", APPLICATION_ID,
                         "version", PACKAGE_VERSION,
                         "comments", _("An example of s9ws, WebSocket clients for GLib programs"),
                         "license-type", GTK_LICENSE_LGPL_2_1,
                         NULL);
}

static void
on_quit (GSimpleAction *action,
         GVariant      *parameter,
         gpointer       application)
{
  GList *windows;

  while ((windows = gtk_application_get_windows (application)) != NULL)
    gtk_window_destroy (windows->data);
}

static const GActionEntry actions[] = {
  { .name = "about", .activate = on_about },
  { .name = "quit", .activate = on_quit },
};

static const struct
{
  const char *action;
  const char *accelerators[2];
} accelerators[] = {
  { "win.edit-address", { "<Control>l" } },
  { "win.edit-message", { "<Control>m" } },
  { "win.connect", { "<Control>Return" } },
  { "win.disconnect", { "<Control>d" } },
  { "win.pause", { "<Control>p" } },
  { "win.clear", { "<Control>k" } },
  { "win.copy", { "<Control><Shift>c" } },
  { "window.close", { "<Control>w" } },
  { "app.quit", { "<Control>q" } },
};

static void
on_startup (GtkApplication *application)
{
  g_autoptr (GtkCssProvider) style = gtk_css_provider_new ();

  g_action_map_add_action_entries (G_ACTION_MAP (application), actions, G_N_ELEMENTS (actions), application);
  for (guint i = 0; i < G_N_ELEMENTS (accelerators); i++)
    gtk_application_set_accels_for_action (application, accelerators[i].action, accelerators[i].accelerators);

  gtk_css_provider_load_from_resource (style, RESOURCES "/style.css");
  gtk_style_context_add_provider_for_display (gdk_display_get_default (), GTK_STYLE_PROVIDER (style),
                                              GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
}

static void
on_activate (GtkApplication *application)
{
  g_autoptr (S9wsOptions) options = s9ws_options_new ();
  g_autoptr (S9wsTlsContext) tls_context = NULL;
  ConsoleWindow *window;

  if (ca_file != NULL)
    tls_context = g_object_new (S9WS_TYPE_TLS_CONTEXT, "ca-file", ca_file, NULL);
  g_object_set (options, "tls-context", tls_context, "max-queued-bytes", MAX_QUEUED_BYTES, NULL);

  window = console_window_new (application, options);
  if (reports_frames)
    console_frames_report (GTK_WINDOW (window));
  gtk_window_present (GTK_WINDOW (window));
  if (uris != NULL)
    console_window_open (window, uris[0]);
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (GtkApplication) application = NULL;
  g_autoptr (GOptionContext) context = NULL;
  g_autoptr (GError) error = NULL;

  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);

  context = g_option_context_new (NULL);
  g_option_context_add_main_entries (context, entries, GETTEXT_PACKAGE);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      g_printerr ("%s\n", error->message);
      return 2;
    }

  g_set_application_name (_("WebSocket Console"));
  application = gtk_application_new (APPLICATION_ID, G_APPLICATION_NON_UNIQUE);
  g_application_set_resource_base_path (G_APPLICATION (application), RESOURCES);
  g_signal_connect (application, "startup", G_CALLBACK (on_startup), NULL);
  g_signal_connect (application, "activate", G_CALLBACK (on_activate), NULL);

  return g_application_run (G_APPLICATION (application), 1, argv);
}
