/* server-lws.c: the interop server on libwebsockets
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib.h>
#include <libwebsockets.h>

static int port;
static char *certificate_file;
static char *key_file;
static struct lws_context *context;
static int is_stopping; /* atomic */

static const GOptionEntry options[] = {
  { "port", 0, 0, G_OPTION_ARG_INT, &port, "The port; 0: any", "PORT" },
  { "certificate", 0, 0, G_OPTION_ARG_FILENAME, &certificate_file, "Serve wss (PEM)", "FILE" },
  { "key", 0, 0, G_OPTION_ARG_FILENAME, &key_file, "The certificate's key (PEM)", "FILE" },
  { NULL },
};

/* A frame in the queue, with room for a header in front of it. */
typedef struct
{
  enum lws_write_protocol kind;
  gboolean is_last; /* the connection is reset behind it */
  gsize size;
  guint8 *buffer;
} Item;

typedef struct
{
  GQueue *items;
  GByteArray *message; /* what of the current one has arrived */
  guint close_code;    /* close when the queue is empty; 0: do not */
  char *close_reason;
} Session;

static void
item_free (gpointer data)
{
  Item *item = data;

  g_free (item->buffer);
  g_free (item);
}

static Item *
push (Session                 *session,
      enum lws_write_protocol  kind,
      gconstpointer            data,
      gsize                    size)
{
  Item *item = g_new0 (Item, 1);

  item->kind = kind;
  item->size = size;
  item->buffer = g_malloc0 (LWS_PRE + size + 1);
  if (size > 0 && data != NULL)
    memcpy (item->buffer + LWS_PRE, data, size);
  g_queue_push_tail (session->items, item);

  return item;
}

static void
push_burst (Session *session,
            guint    n,
            gsize    size)
{
  for (guint i = 0; i < n; i++)
    {
      Item *item = push (session, LWS_WRITE_BINARY, NULL, size);

      memset (item->buffer + LWS_PRE, (int) (i % 256), size);
    }
}

static void
push_fragments (Session *session,
                guint    n,
                gsize    size)
{
  for (guint i = 0; i < n; i++)
    {
      int kind = i == 0 ? LWS_WRITE_BINARY : LWS_WRITE_CONTINUATION;
      Item *item = push (session, (enum lws_write_protocol) (i + 1 < n ? kind | LWS_WRITE_NO_FIN : kind), NULL, size);

      memset (item->buffer + LWS_PRE, (int) (i % 256), size);
    }
}

static void
run_command (struct lws *wsi,
             Session    *session,
             const char *line)
{
  g_auto (GStrv) words = g_strsplit (line, " ", 3);
  guint n = g_strv_length (words);

  if (strcmp (words[0], "!ping") == 0)
    push (session, LWS_WRITE_PING, n > 1 ? line + strlen ("!ping ") : NULL,
          n > 1 ? strlen (line) - strlen ("!ping ") : 0);
  else if (strcmp (words[0], "!close") == 0 && n > 1)
    {
      session->close_code = (guint) atoi (words[1]);
      session->close_reason = g_strdup (n > 2 ? words[2] : "");
    }
  else if (strcmp (words[0], "!burst") == 0 && n > 2)
    push_burst (session, (guint) atoi (words[1]), (gsize) atol (words[2]));
  else if (strcmp (words[0], "!fragments") == 0 && n > 2)
    push_fragments (session, (guint) atoi (words[1]), (gsize) atol (words[2]));
  else if (strcmp (words[0], "!reset") == 0)
    push (session, LWS_WRITE_BINARY | LWS_WRITE_NO_FIN, NULL, 1 << 16)->is_last = TRUE;
  else if (strcmp (words[0], "!subprotocol") == 0)
    {
      const char *protocol = lws_get_protocol (wsi)->name;

      push (session, LWS_WRITE_TEXT, protocol,
            strcmp (protocol, "none") != 0 ? strlen (protocol) : 0);
    }
  else
    push (session, LWS_WRITE_TEXT, line, strlen (line));
}

/* As raw bytes: the library's compression aborts on a second empty message. */
static void
push_empty (Session  *session,
            gboolean  is_binary)
{
  push (session, LWS_WRITE_RAW, is_binary ? "\x82\x00" : "\x81\x00", 2);
}

static void
receive (struct lws *wsi,
         Session    *session,
         const char *data,
         gsize       size)
{
  GByteArray *message = session->message;

  if (lws_is_first_fragment (wsi))
    g_byte_array_set_size (message, 0);
  if (size > 0)
    g_byte_array_append (message, (const guint8 *) data, (guint) size);
  if (!lws_is_final_fragment (wsi))
    return;

  if (message->len == 0)
    push_empty (session, lws_frame_is_binary (wsi));
  else if (!lws_frame_is_binary (wsi) && message->data[0] == '!')
    {
      g_autofree char *line = g_strndup ((const char *) message->data, message->len);

      run_command (wsi, session, line);
    }
  else
    push (session, lws_frame_is_binary (wsi) ? LWS_WRITE_BINARY : LWS_WRITE_TEXT,
          message->data, message->len);

  lws_callback_on_writable (wsi);
}

/* The RST is sent by dissolving the connection: libwebsockets would send a FIN
 * before it closes the descriptor. */
static void
reset (struct lws *wsi)
{
  const struct linger linger = { .l_onoff = 1, .l_linger = 0 };
  const struct sockaddr nothing = { .sa_family = AF_UNSPEC };
  int fd = lws_get_socket_fd (wsi);

  setsockopt (fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  connect (fd, &nothing, sizeof nothing);
}

/* -1 ends the connection. */
static int
write_next (struct lws *wsi,
            Session    *session)
{
  Item *item = g_queue_pop_head (session->items);
  gboolean is_last;
  int result;

  if (item == NULL)
    {
      if (session->close_code == 0)
        return 0;

      lws_close_reason (wsi, session->close_code, (unsigned char *) session->close_reason,
                        strlen (session->close_reason));
      return -1;
    }

  result = lws_write (wsi, item->buffer + LWS_PRE, item->size, item->kind);
  is_last = item->is_last;
  item_free (item);
  if (result < 0)
    return -1;

  if (is_last)
    {
      reset (wsi);
      return -1;
    }

  lws_callback_on_writable (wsi);

  return 0;
}

static int
on_event (struct lws                *wsi,
          enum lws_callback_reasons  reason,
          void                      *user,
          void                      *data,
          size_t                     size)
{
  Session *session = user;

  switch ((int) reason)
    {
    case LWS_CALLBACK_ESTABLISHED:
      session->items = g_queue_new ();
      session->message = g_byte_array_new ();
      return 0;

    case LWS_CALLBACK_RECEIVE:
      receive (wsi, session, data, size);
      return 0;

    case LWS_CALLBACK_SERVER_WRITEABLE:
      return write_next (wsi, session);

    case LWS_CALLBACK_CLOSED:
      g_queue_free_full (session->items, item_free);
      g_byte_array_unref (session->message);
      g_free (session->close_reason);
      return 0;

    default:
      return lws_callback_http_dummy (wsi, reason, user, data, size);
    }
}

#define PROTOCOL(protocol)                     \
  {                                            \
    .name = (protocol),                        \
    .callback = on_event,                      \
    .per_session_data_size = sizeof (Session), \
    .rx_buffer_size = 1 << 16,                 \
  }

/* The first is for clients that ask for none. */
static const struct lws_protocols protocols[] = {
  PROTOCOL ("none"),
  PROTOCOL ("echo"),
  PROTOCOL ("chat"),
  { 0 },
};

static const struct lws_extension extensions[] = {
  { "permessage-deflate", lws_extension_callback_pm_deflate, "permessage-deflate; client_no_context_takeover; client_max_window_bits" },
  { 0 },
};

static gpointer
wait_for_stdin (gpointer data)
{
  char buffer[256];

  while (read (STDIN_FILENO, buffer, sizeof buffer) > 0)
    continue;

  g_atomic_int_set (&is_stopping, 1);
  lws_cancel_service (context);

  return NULL;
}

int
main (int    argc,
      char **argv)
{
  struct lws_context_creation_info info = { 0 };
  g_autoptr (GOptionContext) option_context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  struct lws_vhost *vhost;
  GThread *thread;

  g_option_context_add_main_entries (option_context, options, NULL);
  if (!g_option_context_parse (option_context, &argc, &argv, &error))
    g_error ("%s", error->message);

  lws_set_log_level (LLL_ERR | LLL_WARN, NULL);
  info.port = port;
  info.iface = "127.0.0.1";
  info.protocols = protocols;
  info.extensions = extensions;
  info.gid = (gid_t) -1;
  info.uid = (uid_t) -1;
  info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
  if (certificate_file != NULL)
    {
      info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
      info.ssl_cert_filepath = certificate_file;
      info.ssl_private_key_filepath = key_file;
    }

  context = lws_create_context (&info);
  vhost = context != NULL ? lws_create_vhost (context, &info) : NULL;
  if (vhost == NULL)
    g_error ("Cannot start libwebsockets");

  g_print ("PORT %d\n", lws_get_vhost_listen_port (vhost));
  thread = g_thread_new ("stdin", wait_for_stdin, NULL);

  while (g_atomic_int_get (&is_stopping) == 0 && lws_service (context, 0) >= 0)
    continue;

  lws_context_destroy (context);
  if (g_atomic_int_get (&is_stopping) == 0)
    return 1;
  g_thread_join (thread);

  return 0;
}
