/* bench-server.c: the server that all are measured against
 *
 *   bench-server [CERTIFICATE-FILE KEY-FILE]
 *
 * Prints the port that it listens on, on 127.0.0.1, and serves until its standard input
 * ends.  The path says what a connection is for:
 *
 *   /echo                     every message comes back
 *   /blast/COUNT/SIZE/TYPE    after each message, COUNT messages back to back
 *   /records/COUNT/SIZE/TYPE  the same; over TLS, each message in a record of its own
 *   /sink/COUNT               after COUNT messages, one message
 *   /paced/COUNT/NS           after a message, COUNT messages, one each NS nanoseconds,
 *                             each with the time at which it was sent (8 bytes, ns of
 *                             CLOCK_MONOTONIC, this machine's order) in 32 bytes
 *   /flood/RATE/SIZE/TYPE     RATE messages a second until the client closes, in a write
 *                             each millisecond; what the client does not take is not
 *                             made up for.  Without TLS.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>
#include <glib.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "framer/message.h"

#define BUFFER_SIZE (1024 * 1024)
#define SPIN_BELOW 200000 /* ns: a sleep would be too late */

typedef struct
{
  int fd;
  gnutls_session_t session; /* or NULL */
  S9wsMessageDecoder decoder;
  S9wsWindow window;
  size_t capacity;
  GByteArray *held; /* TLS records that are to go out together; NULL: each at once */
} Peer;

static gnutls_certificate_credentials_t credentials; /* or NULL */
static gnutls_datum_t ticket_key;

static gssize
receive (Peer   *peer,
         void   *buffer,
         size_t  size)
{
  gssize n;

  do
    n = peer->session != NULL ? gnutls_record_recv (peer->session, buffer, size) : recv (peer->fd, buffer, size, 0);
  while (peer->session != NULL ? n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED : n < 0 && errno == EINTR);

  return n;
}

/* Below GnuTLS, for the time that records are held. */
static ssize_t
push (gnutls_transport_ptr_t  user_data,
      const void             *data,
      size_t                  size)
{
  Peer *peer = user_data;

  if (peer->held == NULL)
    return send (peer->fd, data, size, MSG_NOSIGNAL);

  g_byte_array_append (peer->held, data, (guint) size);
  return (ssize_t) size;
}

static gboolean
send_all (Peer       *peer,
          const void *data,
          size_t      size)
{
  const char *p = data;

  while (size > 0)
    {
      gssize n = peer->session != NULL ? gnutls_record_send (peer->session, p, size) : send (peer->fd, p, size, MSG_NOSIGNAL);

      if (n < 0)
        return FALSE;
      p += n;
      size -= (size_t) n;
    }

  return TRUE;
}

static gboolean
accept_upgrade (Peer *peer,
                char  path[128])
{
  static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  char request[8192];
  size_t size = 0;
  char *key, *end;
  g_autofree char *response = NULL;
  g_autofree char *accept = NULL;
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA1);
  guint8 digest[20];
  gsize digest_size = sizeof digest;

  do
    {
      gssize n = receive (peer, request + size, sizeof request - 1 - size);

      if (n <= 0)
        return FALSE;
      size += (size_t) n;
      request[size] = '\0';
    }
  while (strstr (request, "\r\n\r\n") == NULL && size < sizeof request - 1);

  if (sscanf (request, "GET %127s", path) != 1)
    return FALSE;
  key = strcasestr (request, "Sec-WebSocket-Key:");
  if (key == NULL)
    return FALSE;
  key += strlen ("Sec-WebSocket-Key:");
  key += strspn (key, " \t");
  end = key + strcspn (key, " \t\r");

  g_checksum_update (checksum, (const guchar *) key, end - key);
  g_checksum_update (checksum, (const guchar *) guid, sizeof guid - 1);
  g_checksum_get_digest (checksum, digest, &digest_size);
  accept = g_base64_encode (digest, digest_size);
  response = g_strdup_printf ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                              "Sec-WebSocket-Accept: %s\r\n\r\n",
                              accept);
  return send_all (peer, response, strlen (response));
}

/* The next message, unmasked; FALSE at the end. */
static gboolean
read_message (Peer        *peer,
              S9wsMessage *message)
{
  S9wsMessageResult result;

  while ((result = s9ws_message_decoder_next (&peer->decoder, &peer->window, message)) == S9WS_MESSAGE_INCOMPLETE)
    {
      S9wsWindow *window = &peer->window;
      gssize n;

      memmove (window->data, window->data + window->begin, window->end - window->begin);
      window->end -= window->begin;
      window->begin = 0;
      if (peer->capacity - window->end < BUFFER_SIZE / 2)
        {
          peer->capacity *= 2;
          window->data = g_realloc (window->data, peer->capacity);
        }

      n = receive (peer, window->data + window->end, peer->capacity - window->end);
      if (n <= 0)
        return FALSE;
      window->end += (size_t) n;
    }

  return result == S9WS_MESSAGE_READY;
}

static gboolean
send_message (Peer       *peer,
              guint8      opcode,
              const void *data,
              size_t      size)
{
  g_autofree guint8 *large = NULL;
  guint8 small[4096];
  guint8 *frame = small;
  size_t header_size;

  if (size > sizeof small - S9WS_FRAME_HEADER_MAX)
    frame = large = g_malloc (size + S9WS_FRAME_HEADER_MAX);

  header_size = s9ws_frame_write_header (frame, opcode, true, 0, size, NULL);
  memcpy (frame + header_size, data, size);
  return send_all (peer, frame, header_size + size);
}

/* As many frames in a write as fit: nobody is to wait for this server. */
static gboolean
blast (Peer    *peer,
       guint64  count,
       size_t   size,
       guint8   opcode)
{
  g_autoptr (GByteArray) frames = g_byte_array_new ();
  guint8 header[S9WS_FRAME_HEADER_MAX];
  size_t header_size = s9ws_frame_write_header (header, opcode, true, 0, size, NULL);
  size_t frame_size = header_size + size;
  g_autofree guint8 *payload = g_malloc (size + 1);
  guint64 in_buffer = MAX (BUFFER_SIZE / frame_size, 1);

  for (size_t i = 0; i < size; i++)
    payload[i] = (guint8) ('a' + i % 26);
  for (guint64 i = 0; i < MIN (in_buffer, count); i++)
    {
      g_byte_array_append (frames, header, (guint) header_size);
      g_byte_array_append (frames, payload, (guint) size);
    }

  while (count > 0)
    {
      guint64 n = MIN (count, in_buffer);

      if (!send_all (peer, frames->data, n * frame_size))
        return FALSE;
      count -= n;
    }

  return TRUE;
}

static gboolean
send_held (Peer *peer)
{
  const guint8 *p = peer->held->data;
  gsize left = peer->held->len;

  while (left > 0)
    {
      gssize n = send (peer->fd, p, left, MSG_NOSIGNAL);

      if (n < 0)
        return FALSE;
      p += n;
      left -= (gsize) n;
    }
  g_byte_array_set_size (peer->held, 0);

  return TRUE;
}

/* Many records in a write: nobody is to wait for this server. */
static gboolean
blast_records (Peer    *peer,
               guint64  count,
               size_t   size,
               guint8   opcode)
{
  g_autofree guint8 *frame = g_malloc0 (size + S9WS_FRAME_HEADER_MAX);
  size_t header_size = s9ws_frame_write_header (frame, opcode, true, 0, size, NULL);
  gboolean goes_on = TRUE;

  memset (frame + header_size, 'a', size);
  peer->held = g_byte_array_new ();
  while (count-- > 0 && goes_on)
    {
      goes_on = send_all (peer, frame, header_size + size);
      if (goes_on && (peer->held->len > BUFFER_SIZE || count == 0))
        goes_on = send_held (peer);
    }
  g_clear_pointer (&peer->held, g_byte_array_unref);

  return goes_on;
}

static guint64
get_now (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (guint64) now.tv_sec * 1000000000u + (guint64) now.tv_nsec;
}

static void
wait_until (guint64 time)
{
  guint64 now = get_now ();

  if (time > now + SPIN_BELOW)
    {
      guint64 left = time - now - SPIN_BELOW / 2;
      struct timespec duration = { (time_t) (left / 1000000000u), (long) (left % 1000000000u) };

      nanosleep (&duration, NULL);
    }
  while (get_now () < time)
    ;
}

static gboolean
pace (Peer    *peer,
      guint64  count,
      guint64  period)
{
  guint64 next = get_now ();
  guint8 payload[32] = { 0 };

  for (guint64 i = 0; i < count; i++)
    {
      guint64 now;

      next += period;
      wait_until (next);
      now = get_now ();
      memcpy (payload, &now, sizeof now);
      if (!send_message (peer, S9WS_OPCODE_BINARY, payload, sizeof payload))
        return FALSE;
    }

  return TRUE;
}

/* FALSE after an answer to a close, and where there can be none. */
static gboolean
answer (Peer *peer)
{
  S9wsMessage message;

  if (!read_message (peer, &message))
    return FALSE;
  if (message.opcode == S9WS_OPCODE_CLOSE)
    {
      send_all (peer, "\x88\x00", 2);
      return FALSE;
    }

  return message.opcode != S9WS_OPCODE_PING || send_message (peer, S9WS_OPCODE_PONG, message.data, message.size);
}

/* Answers in between: what is sent has an end every millisecond. */
static void
flood (Peer    *peer,
       guint64  rate,
       size_t   size,
       guint8   opcode)
{
  struct pollfd polled = { .fd = peer->fd, .events = POLLIN };
  guint64 begin = get_now (), n_sent = 0;
  gboolean goes_on = TRUE;

  while (goes_on)
    {
      guint64 n_due = (get_now () - begin) / 1000 * rate / 1000000;

      if (n_due > n_sent + rate / 10)
        n_sent = n_due - rate / 10;
      goes_on = blast (peer, n_due - n_sent, size, opcode);
      n_sent = n_due;

      if (goes_on && (peer->window.begin < peer->window.end || poll (&polled, 1, 1) > 0))
        goes_on = answer (peer);
    }
}

typedef enum
{
  DUTY_ECHO,
  DUTY_BLAST,
  DUTY_RECORDS,
  DUTY_SINK,
  DUTY_PACED,
  DUTY_FLOOD,
} Duty;

/* @size is the second number, whatever it is. */
static Duty
parse_path (const char *path,
            guint64    *count,
            guint64    *size,
            guint8     *opcode)
{
  static const char *const names[] = { "/echo", "/blast/", "/records/", "/sink/", "/paced/", "/flood/" };
  Duty duty = DUTY_ECHO;
  char **parts = g_strsplit (path, "/", 5);

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_str_has_prefix (path, names[i]))
      duty = (Duty) i;

  /* Part 0 is empty, part 1 the name. */
  if (g_strv_length (parts) > 2)
    *count = g_ascii_strtoull (parts[2], NULL, 10);
  if (g_strv_length (parts) > 3)
    *size = g_ascii_strtoull (parts[3], NULL, 10);
  if (g_strv_length (parts) > 4 && strcmp (parts[4], "text") == 0)
    *opcode = S9WS_OPCODE_TEXT;

  g_strfreev (parts);
  return duty;
}

static void
serve (Peer       *peer,
       const char *path)
{
  guint64 count = 0, size = 0, n = 0;
  guint8 opcode = S9WS_OPCODE_BINARY;
  Duty duty = parse_path (path, &count, &size, &opcode);
  gboolean goes_on = TRUE;
  S9wsMessage message;

  if (duty == DUTY_FLOOD)
    {
      flood (peer, count, size, opcode);
      return;
    }

  while (goes_on && read_message (peer, &message))
    {
      if (message.opcode == S9WS_OPCODE_CLOSE)
        {
          send_all (peer, "\x88\x00", 2);
          break;
        }

      if (message.opcode == S9WS_OPCODE_PING)
        goes_on = send_message (peer, S9WS_OPCODE_PONG, message.data, message.size);
      else if (message.opcode == S9WS_OPCODE_PONG)
        continue;
      else if (duty == DUTY_RECORDS && peer->session != NULL)
        goes_on = blast_records (peer, count, size, opcode);
      else if (duty == DUTY_BLAST || duty == DUTY_RECORDS)
        goes_on = blast (peer, count, size, opcode);
      else if (duty == DUTY_PACED)
        goes_on = pace (peer, count, size);
      else if (duty == DUTY_ECHO)
        goes_on = send_message (peer, message.opcode, message.data, message.size);
      else if (++n == count)
        goes_on = send_message (peer, S9WS_OPCODE_TEXT, "done", 4);
    }
}

static gboolean
start_tls (Peer *peer)
{
  int result;

  gnutls_init (&peer->session, GNUTLS_SERVER);
  gnutls_set_default_priority (peer->session);
  gnutls_credentials_set (peer->session, GNUTLS_CRD_CERTIFICATE, credentials);
  gnutls_transport_set_ptr2 (peer->session, GINT_TO_POINTER (peer->fd), peer);
  gnutls_transport_set_push_function (peer->session, push);
  gnutls_session_ticket_enable_server (peer->session, &ticket_key);
  gnutls_handshake_set_timeout (peer->session, 10000);
  do
    result = gnutls_handshake (peer->session);
  while (result < 0 && !gnutls_error_is_fatal (result));

  return result == 0;
}

static gpointer
attend (gpointer data)
{
  Peer peer = { .fd = GPOINTER_TO_INT (data), .capacity = BUFFER_SIZE };
  char path[128] = "";
  const int on = 1;

  setsockopt (peer.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  peer.window.data = g_malloc (peer.capacity);
  s9ws_message_decoder_init (&peer.decoder, S9WS_ROLE_SERVER, 0, 0);
  if ((credentials == NULL || start_tls (&peer)) && accept_upgrade (&peer, path))
    serve (&peer, path);

  if (peer.session != NULL)
    {
      gnutls_bye (peer.session, GNUTLS_SHUT_WR);
      gnutls_deinit (peer.session);
    }
  shutdown (peer.fd, SHUT_WR);
  while (recv (peer.fd, peer.window.data, peer.capacity, 0) > 0)
    ;
  close (peer.fd);
  g_free (peer.window.data);
  return NULL;
}

static int
listen_on_loopback (void)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof address;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (fd < 0 || bind (fd, (struct sockaddr *) &address, size) < 0 || listen (fd, 128) < 0 ||
      getsockname (fd, (struct sockaddr *) &address, &size) < 0)
    {
      perror ("bench-server");
      exit (1);
    }

  printf ("%d\n", ntohs (address.sin_port));
  fflush (stdout);
  return fd;
}

int
main (int    argc,
      char **argv)
{
  struct pollfd polled[2] = { { .fd = STDIN_FILENO, .events = POLLIN } };

  if (argc == 3)
    {
      gnutls_certificate_allocate_credentials (&credentials);
      gnutls_session_ticket_key_generate (&ticket_key);
      if (gnutls_certificate_set_x509_key_file (credentials, argv[1], argv[2], GNUTLS_X509_FMT_PEM) < 0)
        {
          fprintf (stderr, "bench-server: no certificate in %s and %s\n", argv[1], argv[2]);
          return 1;
        }
    }

  polled[1].fd = listen_on_loopback ();
  polled[1].events = POLLIN;
  while (poll (polled, 2, -1) >= 0 && polled[0].revents == 0)
    {
      int fd = accept4 (polled[1].fd, NULL, NULL, SOCK_CLOEXEC);

      if (fd >= 0)
        g_thread_unref (g_thread_new ("peer", attend, GINT_TO_POINTER (fd)));
    }

  return 0;
}
