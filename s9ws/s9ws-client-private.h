/* s9ws-client-private.h: the base as the clients see it
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "s9ws-client.h"

#include "s9ws-end-report-private.h"
#include "s9ws-event.h"
#include "s9ws-options-private.h"

G_BEGIN_DECLS

typedef enum
{
  S9WS_TURN_RECEIVED,
  S9WS_TURN_IDLE,
  S9WS_TURN_ENDED,
} S9wsTurn;

struct _S9wsClient
{
  GObject parent_instance;

  char *uri;            /* written before opening only */
  S9wsOptions *options; /* likewise; or NULL */

  /* The delivering thread's. */
  S9wsHandler *handler;
  S9wsHandlerInterface *handler_iface;
  GPtrArray *retired_handlers; /* replaced while they may have been running */
  guint delivery_depth;
  guint listened;       /* bits of opcodes: signals that had a handler when last looked */
  gboolean hears_turns;   /* so had poll or idle */
  guint turns_until_look; /* these three: see are_turns_heard () */
  guint look_delay;
  guint vain_looks;

  int compress;         /* atomic; the property */
  int state;            /* atomic; S9wsState, the caller-thread clients' */
  gboolean has_notified_end; /* the delivering thread's */
  int is_running;       /* atomic */
  int is_quitting;      /* atomic; set by force_quit (), which then cancels this: */
  GCancellable *quit;   /* thread-safe */
  GSocket *socket;      /* the caller's thread's; made when first asked for */
  gint64 run_until;     /* the running thread's: monotonic µs; 0: until the end */
  gboolean is_cut_short; /* likewise: run () returned because of that */

  /* The caller-thread clients' only, and the running thread's, but for the lock and
   * what it guards. */
  S9wsSettings *settings;
  S9wsConnection *connection;
  gboolean is_activated; /* that has been told */
  gboolean has_received; /* the last turn has, or there was none */
  gint64 wait_until;     /* when the wait that a timer or run_until cut short is over; 0: none was */
  GQueue ends;           /* of S9wsEvent: what receive () has still to tell of the end */
  GMainContext *asking_context; /* of open_async (), or NULL */
  S9wsEndReport *end_report;    /* NULL before the end */
  GMutex wake_lock;
  int wake_fd;          /* guarded by wake_lock; -1 unless the connection is open */
};

struct _S9wsClientClass
{
  GObjectClass parent_class;

  gboolean (*open) (S9wsClient   *client,
                    GCancellable *cancellable,
                    GError      **error);
  void (*open_async) (S9wsClient   *client,
                      GCancellable *cancellable,
                      GTask        *task);
  /* These two return at run_until, too; the first says that by is_cut_short. */
  gboolean (*run) (S9wsClient   *client,
                   GCancellable *cancellable,
                   GError      **error);
  S9wsEvent *(*receive) (S9wsClient *client,
                         GError    **error);
  gboolean (*send) (S9wsClient   *client,
                    S9wsOpcode    opcode,
                    const guint8 *data,
                    gsize         size,
                    GError      **error);
  /* Of a message in pieces; the last has no bytes. */
  gboolean (*begin_message) (S9wsClient *client,
                             S9wsOpcode  opcode,
                             GError    **error);
  gboolean (*append) (S9wsClient   *client,
                      const guint8 *data,
                      gsize         size,
                      GError      **error);
  gboolean (*finish_message) (S9wsClient *client,
                              GError    **error);
  gboolean (*close) (S9wsClient *client,
                     guint       code,
                     const char *reason,
                     GError    **error);
  /* compress has changed. */
  void (*set_compress) (S9wsClient *client,
                        gboolean    compress);
  /* After quit has been cancelled: wakes whoever waits. */
  void (*wake) (S9wsClient *client);

  S9wsState (*get_state) (S9wsClient *client);
  guint64 (*get_buffered_amount) (S9wsClient *client);
  /* What may be looked at from the caller's thread, or NULL. */
  S9wsConnection *(*get_connection) (S9wsClient *client);
  /* The answer to the upgrade, or NULL as long as there is none. */
  const S9wsAnswer *(*get_answer) (S9wsClient *client);
  /* NULL before the end; from any thread that may ask. */
  S9wsEndReport *(*get_end_report) (S9wsClient *client);
  void (*get_stats) (S9wsClient *client,
                     S9wsStats  *stats);

  /* Of the caller-thread clients: waits before a read, or after one that brought
   * nothing; @is_first says that the one before it did. */
  void (*wait_before) (S9wsClient *client);
  void (*wait_after) (S9wsClient *client,
                      gboolean    is_first);
  /* Waits until what a send has left is taken; or NULL. */
  void (*finish_send) (S9wsClient *client);
};

#define S9WS_CLIENT_CLASS(klass) (G_TYPE_CHECK_CLASS_CAST ((klass), S9WS_TYPE_CLIENT, S9wsClientClass))
#define S9WS_CLIENT_GET_CLASS(client) (G_TYPE_INSTANCE_GET_CLASS ((client), S9WS_TYPE_CLIENT, S9wsClientClass))

/* Delivering: to the handler if there is one, by signals otherwise. */
void s9ws_client_install_signals   (S9wsClientClass *klass);
void s9ws_client_deliver_activated (S9wsClient      *client);
void s9ws_client_deliver_poll      (S9wsClient      *client);
void s9ws_client_deliver_idle      (S9wsClient      *client);
/* The parts of _deliver_message (), below. */
void     s9ws_client_hand_over               (S9wsClient           *client,
                                              S9wsMessage          *message);
void     s9ws_client_emit_text               (S9wsClient           *client,
                                              S9wsMessage          *message);
void     s9ws_client_emit_bytes              (S9wsClient           *client,
                                              S9wsConnection       *connection,
                                              S9wsMessage          *message);
void     s9ws_client_deliver_closed          (S9wsClient           *client,
                                              guint                 code,
                                              const char           *reason);
void     s9ws_client_deliver_error           (S9wsClient           *client,
                                              const GError         *error);
void     s9ws_client_deliver_quit            (S9wsClient           *client);
gboolean s9ws_client_has_certificate_handler (S9wsClient           *client);
gboolean s9ws_client_deliver_certificate     (S9wsClient           *client,
                                              const char           *chain,
                                              GTlsCertificateFlags  reasons);
void     s9ws_client_deliver_event           (S9wsClient           *client,
                                              S9wsEvent            *event);

/* Somebody may have connected something: it is looked for again. */
void s9ws_client_look_for_listeners (S9wsClient *client);

/* While delivering, a handler that is replaced is kept. */
void s9ws_client_begin_delivery (S9wsClient *client);
void s9ws_client_end_delivery   (S9wsClient *client);

void s9ws_client_notify_state (S9wsClient *client);
/* The first time, and only where there is a report. */
void s9ws_client_notify_end_report (S9wsClient          *client);
void s9ws_client_set_state_error   (S9wsState            state,
                                    GError             **error);
void s9ws_client_take_counters     (S9wsStats           *stats,
                                    const S9wsCounters  *counters);
/* A cancelled @cancellable forces the client to quit until _unchain (). */
gulong s9ws_client_chain_cancellable (S9wsClient   *client,
                                      GCancellable *cancellable);

/* What the two caller-thread clients share. */
void     s9ws_client_class_use_direct (S9wsClientClass *klass);
gboolean s9ws_client_is_time_up       (S9wsClient      *client);
/* Waits for the socket as long as @timeout, in µs, and the connection's timers say, but
 * not past run_until.  TRUE if nothing came until then; FALSE if something did, or if
 * run_until cut it short.  Where @timeout has not passed, wait_until tells how much of it is
 * left, and the wait goes on with the next turn. */
gboolean s9ws_client_wait (S9wsClient *client,
                           short       events,
                           gint64      timeout);

static inline gboolean
s9ws_client_is_quitting (S9wsClient *client)
{
  return g_atomic_int_get (&client->is_quitting);
}

/* Texts, and binary messages to a handler, are what has to be fast. */
static inline void
s9ws_client_deliver_message (S9wsClient     *client,
                             S9wsConnection *connection,
                             S9wsMessage    *message)
{
  S9wsHandlerInterface *iface = client->handler_iface;

  if (iface == NULL && message->opcode == S9WS_OPCODE_TEXT)
    s9ws_client_emit_text (client, message);
  else if (iface == NULL)
    s9ws_client_emit_bytes (client, connection, message);
  else if (message->opcode == S9WS_OPCODE_BINARY && iface->binary_message != NULL)
    iface->binary_message (client->handler, client, message->data, message->size);
  else if (message->opcode == S9WS_OPCODE_TEXT && iface->text_message != NULL)
    iface->text_message (client->handler, client, (const char *) message->data, message->size);
  else
    s9ws_client_hand_over (client, message);
}

G_END_DECLS
