/* cat.c: from the input to the server, and from the server to the output
 *
 * One loop for the three clients: it takes events off, sends what there is of the input,
 * and waits for either of the two by poll (). How long a client that spins or sleeps is
 * left to itself before the input is looked at again is a millisecond or its duration.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "cat.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "input.h"
#include "signals.h"
#include "stats.h"
#include "visible.h"

#define EVENTS_PER_TURN 256
#define BUFFER_LIMIT (1024 * 1024) /* bytes kept by the client, above which the input waits */
#define CHECK_INTERVAL 10          /* ms, where nothing tells that it is time */
#define SLICE 1000                 /* µs, of a client that spins */
#define ADAPTIVE_DURATION 50       /* µs, where none is given, as the library has it */

typedef struct
{
  const CatOptions *options;
  S9wsClient *client;
  CatInput input;
  int signal_fd;

  gint64 next_ping; /* µs, as the next */
  gint64 close_time;
  gboolean is_closing; /* we have begun it */
  gboolean has_quit;
  gboolean is_shown;  /* the output, on a terminal */
  gboolean is_unread; /* nobody reads the output any more */
  Status status;
} Cat;

/* What the server says is in some of it. */
static void
say (const char *message)
{
  g_autofree char *visible = isatty (STDERR_FILENO) ? cat_make_visible (message, strlen (message)) : NULL;

  g_printerr ("s9ws-cat: %s\n", visible != NULL ? visible : message);
}

static void
report (Cat        *cat,
        Status      status,
        const char *message)
{
  say (message);
  /* The first failure is the cause of others. */
  if (cat->status == STATUS_CLOSED)
    cat->status = status;
}

static void
begin_close (Cat   *cat,
             guint  code)
{
  if (cat->is_closing)
    return;

  cat->is_closing = TRUE;
  s9ws_client_close (cat->client, code, NULL, NULL);
}

/* Output */

static void
fail_output (Cat *cat)
{
  if (cat->status == STATUS_DATA)
    return;

  cat->is_unread = errno == EPIPE;
  if (cat->is_unread)
    cat->status = STATUS_DATA;
  else
    report (cat, STATUS_DATA, g_strerror (errno));
  begin_close (cat, 1001);
}

static void
write_message (Cat       *cat,
               S9wsEvent *event)
{
  gsize size;
  const void *data = s9ws_event_get_data (event, &size);
  g_autofree char *visible = NULL;

  if (cat->status == STATUS_DATA || (cat->options->one_message && cat->is_closing))
    return;

  if (cat->is_shown)
    {
      data = visible = cat_make_visible (data, size);
      size = strlen (visible);
    }

  if (fwrite (data, 1, size, stdout) < size || (!cat->options->is_binary && putchar ('\n') == EOF))
    fail_output (cat);
  else if (cat->options->one_message)
    begin_close (cat, 1000);
}

/* Events */

static Status
get_status (const GError *error,
            Status        otherwise)
{
  if (error->domain != S9WS_ERROR)
    return otherwise;

  switch ((S9wsError) error->code)
    {
    case S9WS_ERROR_INVALID_URI:
    case S9WS_ERROR_INVALID_CONFIGURATION:
      return STATUS_USAGE;
    case S9WS_ERROR_TLS:
      return STATUS_TLS;
    case S9WS_ERROR_HANDSHAKE:
      return STATUS_REFUSED;
    default:
      return otherwise;
    }
}

/* RFC 6455, section 7.4.1: 1000 is normal, 1001 going away, 1005 no code at all. */
static void
on_connection_closed (Cat       *cat,
                      S9wsEvent *event)
{
  guint code = s9ws_event_get_code (event);
  const char *reason = s9ws_event_get_reason (event);
  gboolean is_normal = code == 1000 || code == 1001 || code == 1005;
  g_autofree char *message = reason != NULL && reason[0] != '\0'
                               ? g_strdup_printf (_("The connection was closed with code %u: %s"), code, reason)
                               : g_strdup_printf (_("The connection was closed with code %u"), code);

  if (!is_normal && cat->status == STATUS_CLOSED)
    report (cat, STATUS_ENDED, message);
  else if (cat->options->is_verbose)
    say (message);
}

static void
on_pong (Cat *cat)
{
  g_autoptr (S9wsStats) stats = s9ws_client_get_stats (cat->client);

  if (cat->options->ping_interval > 0 && stats->last_round_trip >= 0)
    g_printerr (_("Round trip: %.3f ms\n"), (double) stats->last_round_trip / 1000);
}

static void
handle_event (Cat       *cat,
              S9wsEvent *event)
{
  switch (s9ws_event_get_kind (event))
    {
    case S9WS_EVENT_KIND_TEXT_MESSAGE:
    case S9WS_EVENT_KIND_BINARY_MESSAGE:
      write_message (cat, event);
      break;
    case S9WS_EVENT_KIND_PONG:
      on_pong (cat);
      break;
    case S9WS_EVENT_KIND_ERROR:
      report (cat, get_status (s9ws_event_get_error (event), STATUS_ENDED), s9ws_event_get_error (event)->message);
      break;
    case S9WS_EVENT_KIND_CONNECTION_CLOSED:
      on_connection_closed (cat, event);
      break;
    case S9WS_EVENT_KIND_QUIT:
      cat->has_quit = TRUE;
      break;
    default:
      break;
    }
}

/* For how long the client may wait in its own way, in µs. */
static gint64
get_slice (const CatOptions *options)
{
  gint64 duration = (gint64) MIN (options->spin_wait_duration, G_USEC_PER_SEC);

  if (options->client_type != S9WS_TYPE_NON_BLOCKING_CLIENT)
    return 0;

  switch (options->strategy)
    {
    case S9WS_WAIT_STRATEGY_WAIT:
      return 0;
    case S9WS_WAIT_STRATEGY_ADAPTIVE:
      return duration > 0 ? duration : ADAPTIVE_DURATION;
    default:
      return MAX (duration, SLICE);
    }
}

static void
receive_some (Cat *cat)
{
  gint64 slice = get_slice (cat->options);

  for (guint i = 0; i < EVENTS_PER_TURN && !cat->has_quit; i++)
    {
      g_autoptr (S9wsEvent) event = s9ws_client_receive (cat->client, slice, NULL);

      if (event == NULL)
        break;

      handle_event (cat, event);
      slice = 0;
    }

  if (fflush (stdout) != 0)
    fail_output (cat);
}

/* Input */

static gboolean
may_send (Cat *cat)
{
  return !cat->is_closing && s9ws_client_get_state (cat->client) == S9WS_STATE_OPEN &&
         s9ws_client_get_buffered_amount (cat->client) < BUFFER_LIMIT;
}

static void
send_some (Cat *cat)
{
  g_autoptr (GError) error = NULL;
  const guint8 *data;
  gsize size;

  while (may_send (cat) && cat_input_next (&cat->input, &data, &size))
    {
      gboolean is_sent = cat->options->is_binary
                           ? s9ws_client_send_binary (cat->client, data, size, &error)
                           : s9ws_client_send_text_len (cat->client, (const char *) data, (gssize) size, &error);

      if (is_sent)
        continue;

      /* What ended the connection is told by its events. */
      if (g_error_matches (error, S9WS_ERROR, S9WS_ERROR_INVALID_UTF8))
        {
          report (cat, STATUS_DATA, error->message);
          begin_close (cat, 1000);
        }
      return;
    }
}

static void
read_input (Cat *cat)
{
  g_autoptr (GError) error = NULL;

  if (!cat_input_read (&cat->input, STDIN_FILENO, &error))
    {
      report (cat, STATUS_DATA, error->message);
      begin_close (cat, 1000);
    }
}

/* Closes once all of the input has been given to the client. */
static void
attend_end (Cat    *cat,
            gint64  now)
{
  gboolean has_all = cat->input.has_ended && cat->input.taken == cat->input.bytes->len;

  if (!has_all || cat->options->keeps_open || cat->options->one_message)
    return;

  if (cat->close_time == 0)
    cat->close_time = now + cat->options->wait;
  if (now >= cat->close_time)
    begin_close (cat, 1000);
}

static void
attend_ping (Cat    *cat,
             gint64  now)
{
  if (cat->options->ping_interval == 0 || now < cat->next_ping)
    return;

  s9ws_client_send_ping (cat->client, NULL, 0, NULL);
  /* Where pongs are expected the client itself sends the others. */
  cat->next_ping = cat->options->expects_pongs ? G_MAXINT64 : now + cat->options->ping_interval;
}

/* Waiting */

static int
get_client_fd (Cat *cat)
{
  if (S9WS_IS_ASYNC_CLIENT (cat->client))
    return s9ws_async_client_get_event_fd (S9WS_ASYNC_CLIENT (cat->client));

  return s9ws_client_get_fd (cat->client);
}

/* In ms, -1: nothing but what is polled ends it. */
static int
get_timeout (Cat    *cat,
             gint64  now)
{
  gint64 timeout = G_MAXINT64;

  if (get_slice (cat->options) > 0 && cat->options->strategy != S9WS_WAIT_STRATEGY_ADAPTIVE)
    return 0;

  /* The clients' own timers run while they are asked. */
  if (s9ws_client_get_state (cat->client) != S9WS_STATE_OPEN || s9ws_client_get_buffered_amount (cat->client) > 0 ||
      cat->options->expects_pongs)
    timeout = CHECK_INTERVAL;
  if (cat->options->ping_interval > 0 && !cat->options->expects_pongs)
    timeout = MIN (timeout, (cat->next_ping - now + 999) / 1000);
  if (cat->close_time > 0 && !cat->is_closing)
    timeout = MIN (timeout, (cat->close_time - now + 999) / 1000);

  return timeout == G_MAXINT64 ? -1 : (int) CLAMP (timeout, 0, G_MAXINT);
}

static void
wait_for_something (Cat    *cat,
                    gint64  now)
{
  struct pollfd polled[] = {
    { .fd = get_client_fd (cat), .events = POLLIN },
    { .fd = cat->signal_fd, .events = POLLIN },
    { .fd = !cat->input.has_ended && may_send (cat) ? STDIN_FILENO : -1, .events = POLLIN },
    /* Tells when nobody reads the output any more, however long no message comes. */
    { .fd = cat->status != STATUS_DATA ? STDOUT_FILENO : -1 },
  };

  if (poll (polled, G_N_ELEMENTS (polled), get_timeout (cat, now)) <= 0)
    return;

  if (polled[1].revents != 0)
    {
      cat->signal_fd = -1;
      begin_close (cat, 1001);
    }
  if (polled[2].revents != 0)
    read_input (cat);
  if ((polled[3].revents & POLLERR) != 0)
    {
      errno = EPIPE;
      fail_output (cat);
    }
}

/* Ends */

static void
tell_opened (Cat *cat)
{
  const char *protocol = s9ws_client_get_protocol (cat->client);

  if (!cat->options->is_verbose)
    return;

  if (protocol != NULL)
    g_printerr (_("s9ws-cat: Connected, with the protocol %s\n"), protocol);
  else
    g_printerr (_("s9ws-cat: Connected\n"));
}

static void
loop (Cat *cat)
{
  while (!cat->has_quit)
    {
      gint64 now;

      receive_some (cat);
      if (cat->has_quit)
        break;

      now = g_get_monotonic_time ();
      send_some (cat);
      attend_end (cat, now);
      attend_ping (cat, now);
      wait_for_something (cat, now);
    }
}

Status
cat_run (const CatOptions *options)
{
  g_autoptr (S9wsClient) client = g_object_new (options->client_type, "uri", options->uri,
                                                "options", options->connection, NULL);
  g_autoptr (GError) error = NULL;
  Cat cat = { .options = options, .client = client, .is_shown = isatty (STDOUT_FILENO) };

  if (!s9ws_client_open (client, NULL, &error))
    {
      report (&cat, get_status (error, STATUS_CONNECT), error->message);
      return cat.status;
    }

  tell_opened (&cat);
  cat.signal_fd = cat_signals_catch ();
  cat_input_init (&cat.input, options->is_binary);
  loop (&cat);
  cat_input_clear (&cat.input);
  if (options->shows_stats)
    cat_print_stats (client);

  /* As any filter ends there, now that the server knows. */
  if (cat.is_unread)
    cat_signals_die (SIGPIPE);
  cat_signals_die (cat_signals_get_caught ());

  return cat.status;
}
