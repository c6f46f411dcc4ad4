/* bench-wslay.c: wslay's event API over a blocking socket
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wslay/wslay.h>

#include "bench.h"

static BenchTask task;
static wslay_event_context_ptr context;
static uint64_t n_received, n_expected;
static char begun_with[4096]; /* what came behind the answer to the upgrade */
static size_t begun_begin, begun_end;

static void
die (const char *what)
{
  fprintf (stderr, "bench-wslay: %s: %s\n", what, strerror (errno));
  exit (1);
}

static ssize_t
on_receive (wslay_event_context_ptr  ctx,
            uint8_t                 *buffer,
            size_t                   size,
            int                      flags,
            void                    *user_data)
{
  ssize_t n;

  /* Otherwise wslay_event_recv () would go on waiting for more. */
  if (n_received == n_expected)
    {
      wslay_event_set_error (ctx, WSLAY_ERR_WOULDBLOCK);
      return -1;
    }

  if (begun_begin < begun_end)
    {
      n = (ssize_t) (size < begun_end - begun_begin ? size : begun_end - begun_begin);
      memcpy (buffer, begun_with + begun_begin, (size_t) n);
      begun_begin += (size_t) n;
      return n;
    }

  n = recv (*(int *) user_data, buffer, size, 0);
  if (n <= 0)
    die ("recv");
  return n;
}

static ssize_t
on_send (wslay_event_context_ptr  ctx,
         const uint8_t           *data,
         size_t                   size,
         int                      flags,
         void                    *user_data)
{
  ssize_t n = send (*(int *) user_data, data, size, MSG_NOSIGNAL | (flags & WSLAY_MSG_MORE ? MSG_MORE : 0));

  if (n < 0)
    die ("send");
  return n;
}

/* As many masks in a system call as getrandom () gives without being interrupted. */
static int
on_mask (wslay_event_context_ptr  ctx,
         uint8_t                 *mask,
         size_t                   size,
         void                    *user_data)
{
  static uint8_t pool[256];
  static size_t left;

  if (left < size)
    {
      if (getrandom (pool, sizeof pool, 0) != sizeof pool)
        die ("getrandom");
      left = sizeof pool;
    }
  left -= size;
  memcpy (mask, pool + left, size);
  return 0;
}

static void
say (void)
{
  struct wslay_event_msg message = { task.is_text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME,
                                     (const uint8_t *) task.payload, task.size };

  if (wslay_event_queue_msg (context, &message) != 0 || wslay_event_send (context) != 0)
    die ("sending");
}

static void
on_message (wslay_event_context_ptr                   ctx,
            const struct wslay_event_on_msg_recv_arg *message,
            void                                     *user_data)
{
  n_received++;
  if (task.work == BENCH_ROUND_TRIP)
    {
      bench_lap ();
      if (n_received < task.count)
        say ();
    }
  else if (task.work == BENCH_PACED)
    {
      uint64_t time;

      memcpy (&time, message->msg, sizeof time);
      bench_sample (bench_now () - time);
    }
}

static void
connect_to (int *fd)
{
  static const struct wslay_event_callbacks callbacks = { on_receive, on_send, on_mask, NULL, NULL, NULL, on_message };
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons ((uint16_t) task.port), .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  char request[512];
  const int on = 1;
  char *head_end;
  int size;

  *fd = socket (AF_INET, SOCK_STREAM, 0);
  if (connect (*fd, (struct sockaddr *) &address, sizeof address) < 0)
    die ("connect");
  setsockopt (*fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  size = snprintf (request, sizeof request,
                   "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                   task.path, task.host);
  if (send (*fd, request, (size_t) size, 0) != size)
    die ("send");

  begun_end = 0;
  do
    {
      ssize_t n = recv (*fd, begun_with + begun_end, sizeof begun_with - begun_end, 0);

      if (n <= 0)
        die ("recv");
      begun_end += (size_t) n;
    }
  while ((head_end = memmem (begun_with, begun_end, "\r\n\r\n", 4)) == NULL);
  begun_begin = (size_t) (head_end - begun_with) + 4;

  if (wslay_event_context_client_init (&context, &callbacks, fd) != 0)
    die ("wslay");
}

static void
work (void)
{
  n_expected = task.work == BENCH_OUTBOUND ? 1 : task.count;
  if (task.work == BENCH_OUTBOUND)
    for (uint64_t i = 0; i < task.count; i++)
      say ();
  else
    say ();

  while (n_received < n_expected)
    if (wslay_event_recv (context) != 0)
      die ("receiving");
}

static void
open_many (void)
{
  for (uint64_t i = 0; i < task.count; i++)
    {
      uint64_t before = bench_now ();
      int fd;

      connect_to (&fd);
      bench_sample (bench_now () - before);
      wslay_event_context_free (context);
      close (fd);
    }
}

static void
hold_many (void)
{
  int *fds = malloc ((task.count + 1) * sizeof *fds);
  uint64_t before = 0;

  for (uint64_t i = 0; i <= task.count; i++)
    {
      connect_to (&fds[i]);
      if (i == 0)
        before = bench_get_memory ();
    }
  bench_note ("bytes_per_connection", (double) (bench_get_memory () - before) / (double) task.count);
}

int
main (int    argc,
      char **argv)
{
  int fd;

  bench_parse (argc, argv, &task);
  if (task.work == BENCH_OPEN || task.work == BENCH_IDLE)
    {
      bench_begin (&task);
      if (task.work == BENCH_OPEN)
        open_many ();
      else
        hold_many ();
    }
  else
    {
      connect_to (&fd);
      bench_begin (&task);
      work ();
    }
  bench_end (&task);
  bench_report (&task);
  return 0;
}
