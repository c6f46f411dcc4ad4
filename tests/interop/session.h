/* session.h: one connection of one client, with a log of its events
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <s9ws/s9ws.h>

G_BEGIN_DECLS

typedef struct _Session Session;

/* How a client is made and its events are taken. */
typedef struct
{
  const char *name;
  GType (*get_type) (void);
  void (*drive) (Session *session);
} SessionKind;

extern const SessionKind session_kinds[];
extern const gsize n_session_kinds;

/* What a test does on events.  All may be NULL but @log, which is what the events
 * have to be, in their order: "activated 3 messages closed(1000,bye) quit". */
typedef struct
{
  const char *name;
  const char *log;
  const char *const *protocols;
  void (*activated) (Session *session);
  void (*message) (Session      *session,
                   gboolean      is_text,
                   const guint8 *data,
                   gsize         size);
  void (*ping) (Session *session,
                GBytes  *data);
  void (*pong) (Session *session,
                GBytes  *data);
  gconstpointer data; /* of the test */
  void (*configure) (S9wsOptions *options);
} SessionScript;

struct _Session
{
  const SessionKind *kind;
  const SessionScript *script;
  S9wsClient *client;
  GMainLoop *loop;     /* of a client in a main context */
  GString *log;
  guint n_messages;    /* in all */
  guint n_unlogged;    /* since the last entry in the log */
  guint n_pieces;      /* in all */
  GByteArray *message; /* the pieces that have come of it */
  gboolean has_failed; /* there was an error */
};

/* A whole connection.  No session lasts longer than a minute. */
void session_run (const SessionKind   *kind,
                  const SessionScript *script,
                  const char          *uri,
                  const char          *ca_file);

void session_send_text (Session    *session,
                        const char *text);

G_END_DECLS
