/* bench-lws.c: libwebsockets, in its own event loop
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static BenchTask task;
static struct lws_context *context;
static unsigned char *outgoing; /* LWS_PRE bytes in front of the payload */
static uint64_t n_sent, n_received, n_opened;
static size_t n_in_message;
static uint64_t opening, memory_before;
static int is_done;

static void
open_one (void)
{
  struct lws_client_connect_info info = { 0 };

  info.context = context;
  info.address = task.host;
  info.port = task.port;
  info.path = task.path;
  info.host = task.host;
  info.origin = task.host;
  info.local_protocol_name = "bench";
  info.ssl_connection = task.is_tls ? LCCSCF_USE_SSL : 0;

  opening = bench_now ();
  if (lws_client_connect_via_info (&info) == NULL)
    {
      fprintf (stderr, "bench-lws: %s could not be connected to\n", task.host);
      exit (1);
    }
}

static void
end (void)
{
  bench_end (&task);
  is_done = 1;
  lws_cancel_service (context);
}

/* In one piece, masked in place. */
static void
say (struct lws *wsi)
{
  memcpy (outgoing + LWS_PRE, task.payload, task.size);
  if (lws_write (wsi, outgoing + LWS_PRE, task.size, task.is_text ? LWS_WRITE_TEXT : LWS_WRITE_BINARY) < (int) task.size)
    exit (1);
  n_sent++;
}

static void
on_writable (struct lws *wsi)
{
  uint64_t n = task.work == BENCH_OUTBOUND ? task.count : task.work == BENCH_ROUND_TRIP ? n_received + 1
                                                                                        : 1;

  while (n_sent < n && !lws_send_pipe_choked (wsi))
    say (wsi);
  if (n_sent < n)
    lws_callback_on_writable (wsi);
}

static void
on_established (struct lws *wsi)
{
  n_opened++;
  if (task.work == BENCH_OPEN)
    {
      bench_sample (bench_now () - opening);
      if (n_opened == task.count)
        end ();
      else
        lws_callback_on_writable (wsi);
      return;
    }

  if (task.work == BENCH_IDLE)
    {
      if (n_opened == 1)
        memory_before = bench_get_memory ();
      if (n_opened <= task.count)
        open_one ();
      else
        end ();
      return;
    }

  bench_begin (&task);
  lws_callback_on_writable (wsi);
}

static void
on_message (struct lws *wsi,
            const void *data)
{
  n_received++;
  if (task.work == BENCH_ROUND_TRIP)
    {
      bench_lap ();
      if (n_received < task.count)
        on_writable (wsi);
    }
  else if (task.work == BENCH_PACED)
    {
      uint64_t time;

      memcpy (&time, data, sizeof time);
      bench_sample (bench_now () - time);
    }

  if (n_received == task.count || task.work == BENCH_OUTBOUND)
    end ();
}

static int
callback (struct lws                *wsi,
          enum lws_callback_reasons  reason,
          void                      *user,
          void                      *data,
          size_t                     size)
{
  switch (reason)
    {
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
      on_established (wsi);
      break;
    case LWS_CALLBACK_CLIENT_RECEIVE:
      n_in_message += size;
      if (lws_is_final_fragment (wsi) && lws_remaining_packet_payload (wsi) == 0)
        {
          n_in_message = 0;
          on_message (wsi, data);
        }
      break;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
      if (task.work == BENCH_OPEN)
        return -1;
      on_writable (wsi);
      break;
    case LWS_CALLBACK_CLIENT_CLOSED:
      if (task.work == BENCH_OPEN && n_opened < task.count)
        open_one ();
      break;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
      fprintf (stderr, "bench-lws: %s\n", data != NULL ? (const char *) data : "connecting failed");
      exit (1);
    default:
      break;
    }

  return 0;
}

int
main (int    argc,
      char **argv)
{
  /* Messages are to come whole, as far as it goes. */
  const struct lws_protocols protocols[] = {
    { "bench", callback, 0, 65536 + 64, 0, NULL, 0 },
    { NULL, NULL, 0, 0, 0, NULL, 0 },
  };
  struct lws_context_creation_info info = { 0 };

  bench_parse (argc, argv, &task);
  outgoing = malloc (LWS_PRE + task.size);
  lws_set_log_level (0, NULL);
  info.port = CONTEXT_PORT_NO_LISTEN;
  info.protocols = protocols;
  info.pt_serv_buf_size = 65536 + 64;
  if (task.is_tls)
    {
      info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
      info.client_ssl_ca_filepath = task.ca_file;
    }
  context = lws_create_context (&info);
  if (context == NULL)
    return 1;

  bench_begin (&task);
  open_one ();
  while (!is_done && lws_service (context, 0) >= 0)
    ;
  if (task.work == BENCH_IDLE)
    bench_note ("bytes_per_connection", (double) (bench_get_memory () - memory_before) / (double) task.count);
  bench_report (&task);
  return 0;
}
