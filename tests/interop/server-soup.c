/* server-soup.c: the interop server on libsoup
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib-unix.h>
#include <libsoup/soup.h>

static int port;
static char *certificate_file;
static char *key_file;

static const GOptionEntry options[] = {
  { "port", 0, 0, G_OPTION_ARG_INT, &port, "The port; 0: any", "PORT" },
  { "certificate", 0, 0, G_OPTION_ARG_FILENAME, &certificate_file, "Serve wss (PEM)", "FILE" },
  { "key", 0, 0, G_OPTION_ARG_FILENAME, &key_file, "The certificate's key (PEM)", "FILE" },
  { NULL },
};

/* What libsoup cannot send goes past it; nothing of its own is in its queue. */
static void
send_raw (SoupWebsocketConnection *connection,
          const guint8            *data,
          gsize                    size)
{
  GIOStream *stream = soup_websocket_connection_get_io_stream (connection);
  g_autoptr (GError) error = NULL;

  if (!g_output_stream_write_all (g_io_stream_get_output_stream (stream), data, size,
                                  NULL, NULL, &error))
    g_printerr ("%s\n", error->message);
}

static void
send_ping (SoupWebsocketConnection *connection,
           const char              *text)
{
  guint8 frame[2 + 125] = { 0x89, (guint8) strlen (text) };

  g_return_if_fail (strlen (text) <= 125);

  memcpy (frame + 2, text, strlen (text));
  send_raw (connection, frame, 2 + strlen (text));
}

/* A megabyte is announced, a part of it comes, then a RST. */
static void
reset (SoupWebsocketConnection *connection,
       GSocket                 *socket)
{
  const struct linger linger = { .l_onoff = 1, .l_linger = 0 };
  g_autofree guint8 *part = g_malloc0 (10 + 65536);

  memcpy (part, "\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x00", 10);
  send_raw (connection, part, 10 + 65536);
  setsockopt (g_socket_get_fd (socket), SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  g_socket_close (socket, NULL);
}

static void
send_burst (SoupWebsocketConnection *connection,
            guint                    n,
            gsize                    size)
{
  g_autofree guint8 *data = g_malloc (size);

  for (guint i = 0; i < n; i++)
    {
      memset (data, (int) (i % 256), size);
      soup_websocket_connection_send_binary (connection, data, size);
    }
}

/* libsoup sends messages whole. */
static void
send_whole (SoupWebsocketConnection *connection,
            guint                    n,
            gsize                    size)
{
  g_autofree guint8 *data = g_malloc (n * size + 1);

  for (guint i = 0; i < n; i++)
    memset (data + i * size, (int) (i % 256), size);
  soup_websocket_connection_send_binary (connection, data, n * size);
}

static void
run_command (SoupWebsocketConnection *connection,
             const char              *line,
             GSocket                 *socket)
{
  g_auto (GStrv) words = g_strsplit (line, " ", 3);
  guint n = g_strv_length (words);

  if (strcmp (words[0], "!ping") == 0)
    send_ping (connection, n > 1 ? line + strlen ("!ping ") : "");
  else if (strcmp (words[0], "!close") == 0 && n > 1)
    soup_websocket_connection_close (connection, (gushort) atoi (words[1]), n > 2 ? words[2] : "");
  else if (strcmp (words[0], "!burst") == 0 && n > 2)
    send_burst (connection, (guint) atoi (words[1]), (gsize) atol (words[2]));
  else if (strcmp (words[0], "!fragments") == 0 && n > 2)
    send_whole (connection, (guint) atoi (words[1]), (gsize) atol (words[2]));
  else if (strcmp (words[0], "!reset") == 0)
    reset (connection, socket);
  else if (strcmp (words[0], "!subprotocol") == 0)
    {
      const char *protocol = soup_websocket_connection_get_protocol (connection);

      soup_websocket_connection_send_text (connection, protocol != NULL ? protocol : "");
    }
  else
    soup_websocket_connection_send_text (connection, line);
}

static void
on_message (SoupWebsocketConnection *connection,
            SoupWebsocketDataType    type,
            GBytes                  *message,
            GSocket                 *socket)
{
  const char *text = g_bytes_get_data (message, NULL);

  if (type == SOUP_WEBSOCKET_DATA_TEXT && g_bytes_get_size (message) > 0 && text[0] == '!')
    {
      g_autofree char *line = g_strndup (text, g_bytes_get_size (message));

      run_command (connection, line, socket);
    }
  else
    soup_websocket_connection_send_message (connection, type, message);
}

static void
on_connection (SoupServer              *server,
               SoupServerMessage       *message,
               const char              *path,
               SoupWebsocketConnection *connection,
               gpointer                 user_data)
{
  GSocket *socket = soup_server_message_get_socket (message);

  soup_websocket_connection_set_max_incoming_payload_size (connection, 1 << 27);
  g_signal_connect_data (connection, "message", G_CALLBACK (on_message), g_object_ref (socket),
                         (GClosureNotify) (void (*) (void)) g_object_unref, 0);
  g_signal_connect (connection, "closed", G_CALLBACK (g_object_unref), NULL);
  g_object_ref (connection);
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

static gboolean
start_listening (SoupServer  *server,
                 GError     **error)
{
  SoupServerListenOptions listen_options = SOUP_SERVER_LISTEN_IPV4_ONLY;
  GSList *uris;

  if (certificate_file != NULL)
    {
      g_autoptr (GTlsCertificate) certificate =
        g_tls_certificate_new_from_files (certificate_file, key_file, error);

      if (certificate == NULL)
        return FALSE;

      soup_server_set_tls_certificate (server, certificate);
      listen_options |= SOUP_SERVER_LISTEN_HTTPS;
    }

  if (!soup_server_listen_local (server, (guint) port, listen_options, error))
    return FALSE;

  uris = soup_server_get_uris (server);
  g_print ("PORT %d\n", g_uri_get_port (uris->data));
  g_slist_free_full (uris, (GDestroyNotify) g_uri_unref);

  return TRUE;
}

int
main (int    argc,
      char **argv)
{
  char *protocols[] = { (char *) "echo", (char *) "chat", NULL };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (SoupServer) server = soup_server_new (NULL, NULL);
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    g_error ("%s", error->message);

  soup_server_add_websocket_handler (server, NULL, NULL, protocols, on_connection, NULL, NULL);
  if (!start_listening (server, &error))
    g_error ("%s", error->message);

  g_unix_fd_add (STDIN_FILENO, G_IO_IN | G_IO_HUP | G_IO_ERR, on_stdin, loop);
  g_main_loop_run (loop);

  return 0;
}
