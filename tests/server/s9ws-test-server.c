/* s9ws-test-server.c: an echo server on free loopback ports, for ws and for wss
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <unistd.h>

#include <glib-unix.h>

#include "test-server.h"

static char *certificate_file;
static char *key_file;
static gboolean until_stdin_closes;

static const GOptionEntry options[] = {
  { "tls-certificate", 0, 0, G_OPTION_ARG_FILENAME, &certificate_file,
    "Serve wss, too, with this certificate (PEM)", "FILE" },
  { "tls-key", 0, 0, G_OPTION_ARG_FILENAME, &key_file,
    "The certificate's private key (PEM)", "FILE" },
  { "until-stdin-closes", 0, 0, G_OPTION_ARG_NONE, &until_stdin_closes,
    "End when the standard input is closed", NULL },
  { NULL },
};

static gboolean
on_signal (gpointer loop)
{
  g_main_loop_quit (loop);

  return G_SOURCE_CONTINUE;
}

static gboolean
on_stdin (int          fd,
          GIOCondition condition,
          gpointer     loop)
{
  char buffer[256];

  if (read (fd, buffer, sizeof buffer) > 0)
    return G_SOURCE_CONTINUE;

  g_main_loop_quit (loop);

  return G_SOURCE_REMOVE;
}

static TestServer *
start_server (gboolean with_tls)
{
  TestServerConfig config = {
    .script = test_script_echo,
    .certificate_file = with_tls ? certificate_file : NULL,
    .key_file = with_tls ? key_file : NULL,
    .timeout = -1,
  };
  TestServer *server = test_server_new_with_config (&config);

  g_print ("%s\n", test_server_get_uri (server));

  return server;
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (TestServer) plain_server = NULL;
  g_autoptr (TestServer) tls_server = NULL;
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, options, NULL);
  g_option_context_set_summary (context, "A WebSocket server that sends every message back.");
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      g_printerr ("%s\n", error->message);
      return 2;
    }
  if (argc > 1 || (certificate_file == NULL) != (key_file == NULL))
    {
      g_printerr ("A certificate and its key go together, and there is no other argument.\n");
      return 2;
    }

  g_unix_signal_add (SIGTERM, on_signal, loop);
  g_unix_signal_add (SIGINT, on_signal, loop);
  if (until_stdin_closes)
    g_unix_fd_add (STDIN_FILENO, G_IO_IN | G_IO_HUP | G_IO_ERR, on_stdin, loop);

  plain_server = start_server (FALSE);
  if (certificate_file != NULL)
    tls_server = start_server (TRUE);

  g_main_loop_run (loop);

  return 0;
}
