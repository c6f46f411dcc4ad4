/* bench-raw.c: a bare socket: what no client can beat by much
 *
 * The framer's mask and UTF-8 kernels, a loop around recv () and send (), and nothing
 * else: no state, no callback, no limits.  Variants: "blocking" and "spin"; over TLS,
 * GnuTLS used as its manual shows.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "framer/frame.h"
#include "framer/mask.h"
#include "framer/utf8.h"

#define ROOM (64 * 1024)

static int fd;
static gnutls_session_t session; /* or NULL */
static int flags;
static unsigned char *buffer;
static size_t capacity, begin, end;

static void
die (const char *what)
{
  fprintf (stderr, "bench-raw: %s: %s\n", what, strerror (errno));
  exit (1);
}

static void
receive_more (void)
{
  ssize_t n;

  if (begin == end)
    begin = end = 0;
  if (capacity - end < ROOM)
    {
      memmove (buffer, buffer + begin, end - begin);
      end -= begin;
      begin = 0;
    }
  if (capacity - end < ROOM)
    {
      capacity *= 2;
      buffer = realloc (buffer, capacity);
    }

  do
    n = session != NULL ? gnutls_record_recv (session, buffer + end, capacity - end)
                        : recv (fd, buffer + end, capacity - end, flags);
  while (session != NULL ? n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED : n < 0 && errno == EAGAIN);

  if (n <= 0)
    die ("recv");
  end += (size_t) n;
}

static void
send_all (const unsigned char *data,
          size_t               size)
{
  while (size > 0)
    {
      ssize_t n = session != NULL ? gnutls_record_send (session, data, size) : send (fd, data, size, MSG_NOSIGNAL);

      if (n < 0)
        die ("send");
      data += n;
      size -= (size_t) n;
    }
}

/* Its payload, valid until the next call. */
static const unsigned char *
read_message (size_t *size,
              int     is_text)
{
  S9wsFrameHeader header;
  S9wsViolation violation;
  const unsigned char *payload;

  while (s9ws_frame_read_header (buffer + begin, end - begin, S9WS_ROLE_CLIENT, 0, &header, &violation) != S9WS_FRAME_READY)
    receive_more ();
  while (end - begin < header.size + header.payload_size)
    receive_more ();

  payload = buffer + begin + header.size;
  *size = header.payload_size;
  begin += header.size + header.payload_size;
  if (is_text && !s9ws_utf8_is_valid (payload, *size))
    die ("UTF-8");
  return payload;
}

static void
send_message (const BenchTask *task)
{
  static unsigned char *frame;
  static uint32_t state = 2463534242u;
  unsigned char mask[4];
  size_t header_size;

  if (frame == NULL)
    frame = malloc (task->size + S9WS_FRAME_HEADER_MAX);

  /* Not unpredictable, but as cheap as a mask can be. */
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  memcpy (mask, &state, sizeof mask);
  header_size = s9ws_frame_write_header (frame, task->is_text ? S9WS_OPCODE_TEXT : S9WS_OPCODE_BINARY, true, 0, task->size, mask);
  s9ws_mask_copy (frame + header_size, (const unsigned char *) task->payload, task->size, mask, 0);
  send_all (frame, header_size + task->size);
}

static void
connect_to (const BenchTask *task)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons ((uint16_t) task->port), .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  static gnutls_certificate_credentials_t credentials;
  char request[512];
  const int on = 1;
  int size;

  fd = socket (AF_INET, SOCK_STREAM, 0);
  if (connect (fd, (struct sockaddr *) &address, sizeof address) < 0)
    die ("connect");
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (task->is_tls)
    {
      if (credentials == NULL)
        {
          gnutls_certificate_allocate_credentials (&credentials);
          gnutls_certificate_set_x509_trust_file (credentials, task->ca_file, GNUTLS_X509_FMT_PEM);
        }
      gnutls_init (&session, GNUTLS_CLIENT);
      gnutls_set_default_priority (session);
      gnutls_credentials_set (session, GNUTLS_CRD_CERTIFICATE, credentials);
      gnutls_session_set_verify_cert (session, task->host, 0);
      gnutls_transport_set_int (session, fd);
      if (gnutls_handshake (session) < 0)
        die ("TLS");
    }

  size = snprintf (request, sizeof request,
                   "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                   task->path, task->host);
  send_all ((unsigned char *) request, (size_t) size);
  do
    receive_more ();
  while (memmem (buffer, end, "\r\n\r\n", 4) == NULL);
  begin = (size_t) ((unsigned char *) memmem (buffer, end, "\r\n\r\n", 4) - buffer) + 4;
}

static void
disconnect (void)
{
  if (session != NULL)
    gnutls_deinit (session);
  session = NULL;
  close (fd);
  begin = end = 0;
}

static void
work (const BenchTask *task)
{
  size_t size;

  switch (task->work)
    {
    case BENCH_INBOUND:
      send_message (task);
      for (uint64_t i = 0; i < task->count; i++)
        read_message (&size, task->is_text);
      break;
    case BENCH_ROUND_TRIP:
      for (uint64_t i = 0; i < task->count; i++)
        {
          send_message (task);
          read_message (&size, task->is_text);
          bench_lap ();
        }
      break;
    case BENCH_OUTBOUND:
      for (uint64_t i = 0; i < task->count; i++)
        send_message (task);
      read_message (&size, 1);
      break;
    case BENCH_PACED:
      send_message (task);
      for (uint64_t i = 0; i < task->count; i++)
        {
          const unsigned char *payload = read_message (&size, 0);
          uint64_t time;

          memcpy (&time, payload, sizeof time);
          bench_sample (bench_now () - time);
        }
      break;
    case BENCH_OPEN:
      for (uint64_t i = 0; i < task->count; i++)
        {
          uint64_t before = bench_now ();

          connect_to (task);
          bench_sample (bench_now () - before);
          disconnect ();
        }
      break;
    case BENCH_IDLE:
    default:
      die ("no such work");
    }
}

int
main (int    argc,
      char **argv)
{
  BenchTask task;

  bench_parse (argc, argv, &task);
  capacity = 4 * ROOM;
  buffer = malloc (capacity);
  flags = 0;
  if (task.work == BENCH_PACED)
    task.size = 32;
  if (task.work != BENCH_OPEN)
    connect_to (&task);
  if (bench_variant_is (&task, "spin"))
    flags = MSG_DONTWAIT;

  bench_begin (&task);
  work (&task);
  bench_end (&task);
  bench_report (&task);
  return 0;
}
