/* bench-raw.c: a bare socket: what no client can beat by much
 *
 * The framer's mask and UTF-8 kernels, a loop around recv () and send (), and nothing
 * else: no state, no callback, no limits.  Variants:
 *
 *   blocking  waits in recv ()
 *   spin      reads again at once
 *   alone     recv () and nothing else: nobody looks at what has come (inbound)
 *   queue     a thread reads and pushes into a GAsyncQueue, the main thread pops (paced)
 *   resumed   takes the last connection's TLS ticket (open)
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bench.h"
#include "framer/frame.h"
#include "framer/mask.h"
#include "framer/utf8.h"
#include "raw-transport.h"

#define MIN_ROOM (64 * 1024)

static unsigned char *buffer;
static size_t capacity, begin, end;

void
raw_die (const char *what)
{
  fprintf (stderr, "bench-raw: %s: %s\n", what, strerror (errno));
  exit (1);
}

static void
receive_more (void)
{
  size_t n;

  if (begin == end)
    begin = end = 0;
  if (capacity - end < MIN_ROOM)
    {
      memmove (buffer, buffer + begin, end - begin);
      end -= begin;
      begin = 0;
    }

  while ((n = raw_read (buffer + end, capacity - end)) == 0)
    ;
  end += n;
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
    raw_die ("UTF-8");
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
  raw_write (frame, header_size + task->size);
}

static void
connect_to (const BenchTask *task)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons ((uint16_t) task->port), .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  char request[512];
  const int on = 1;
  unsigned char *head_end;
  int fd, size;

  fd = socket (AF_INET, SOCK_STREAM, 0);
  if (connect (fd, (struct sockaddr *) &address, sizeof address) < 0)
    raw_die ("connect");
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  raw_open (task, fd);

  size = snprintf (request, sizeof request,
                   "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                   task->path, task->host);
  raw_write (request, (size_t) size);
  begin = end = 0;
  do
    receive_more ();
  while ((head_end = memmem (buffer, end, "\r\n\r\n", 4)) == NULL);
  begin = (size_t) (head_end - buffer) + 4;
}

/* Nothing but the system call, into as much memory as a message takes. */
static void
receive_alone (const BenchTask *task)
{
  size_t frame_size = s9ws_frame_write_header (buffer, S9WS_OPCODE_BINARY, true, 0, task->size, NULL) + task->size;
  uint64_t left = task->count * frame_size;
  size_t offset = 0;

  send_message (task);
  while (left > 0)
    {
      size_t n = raw_read (buffer + offset, frame_size - offset);

      left -= n;
      offset = (offset + n) % frame_size;
    }
}

static void
take_sample (const void *payload)
{
  uint64_t time;

  memcpy (&time, payload, sizeof time);
  bench_sample (bench_now () - time);
}

typedef struct
{
  const BenchTask *task;
  GAsyncQueue *queue;
} Reader;

static gpointer
read_into_queue (gpointer data)
{
  Reader *reader = data;
  size_t size;

  for (uint64_t i = 0; i < reader->task->count; i++)
    {
      const unsigned char *payload = read_message (&size, 0);

      g_async_queue_push (reader->queue, g_memdup2 (payload, size));
    }

  return NULL;
}

/* What a queue costs that has nothing around it. */
static void
pop_from_queue (const BenchTask *task)
{
  Reader reader = { task, g_async_queue_new_full (g_free) };
  GThread *thread = g_thread_new ("reader", read_into_queue, &reader);

  for (uint64_t i = 0; i < task->count; i++)
    {
      gpointer payload = g_async_queue_pop (reader.queue);

      take_sample (payload);
      g_free (payload);
    }
  g_thread_join (thread);
  g_async_queue_unref (reader.queue);
}

static void
work_on_messages (const BenchTask *task)
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
        take_sample (read_message (&size, 0));
      break;
    case BENCH_OPEN:
    case BENCH_IDLE:
    default:
      raw_die ("no such work");
    }
}

static void
open_many (const BenchTask *task)
{
  for (uint64_t i = 0; i < task->count; i++)
    {
      uint64_t before = bench_now ();

      connect_to (task);
      bench_sample (bench_now () - before);
      raw_close ();
    }
}

int
main (int    argc,
      char **argv)
{
  BenchTask task;

  bench_parse (argc, argv, &task);
  capacity = MAX (4 * MIN_ROOM, 2 * task.size + MIN_ROOM);
  buffer = malloc (capacity);
  if (task.work != BENCH_OPEN)
    connect_to (&task);
  if (bench_variant_is (&task, "spin"))
    raw_stop_blocking ();

  bench_begin (&task);
  if (task.work == BENCH_OPEN)
    open_many (&task);
  else if (bench_variant_is (&task, "alone"))
    receive_alone (&task);
  else if (bench_variant_is (&task, "queue"))
    {
      send_message (&task);
      pop_from_queue (&task);
    }
  else
    work_on_messages (&task);
  bench_end (&task);
  bench_report (&task);
  return 0;
}
