/* deflate-fixture.h: a connection over a transport in memory, whose peer can compress
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "connection/connection-private.h"
#include "memory-transport.h"

G_BEGIN_DECLS

#define EXTENSION "Sec-WebSocket-Extensions: permessage-deflate"

typedef struct
{
  MemoryTransport *memory;
  S9wsConnectionConfig config;
  S9wsConnection *connection;

  /* the peer's */
  S9wsMessageDecoder decoder;
  S9wsInflater inflater;
  S9wsInflated inflated;
  S9wsWindow window;
} Fixture;

extern S9wsEndpoint endpoint;

/* Everything is compressed from 10 bytes on; to be changed before opening. */
void fixture_init  (Fixture *fixture);
void fixture_clear (Fixture *fixture);

/* The peer answers with these headers, each with its CR LF. */
S9wsIoResult fixture_answer (Fixture     *fixture,
                             const char  *headers,
                             GError     **error);
void         fixture_open   (Fixture     *fixture,
                             const char  *headers);

void send_text (Fixture    *fixture,
                const char *text);

/* What the connection delivers: "text(Hello).first-text(He).last-text(llo)." */
void log_events (Fixture *fixture,
                 GString *log);

/* What the peer receives since the last time; a star stands before what was compressed. */
void log_sent (Fixture *fixture,
               GString *log);

#define assert_events(fixture, expected)               \
  G_STMT_START                                         \
  {                                                    \
    g_autoptr (GString) events_ = g_string_new (NULL); \
    log_events ((fixture), events_);                   \
    g_assert_cmpstr (events_->str, ==, (expected));    \
  }                                                    \
  G_STMT_END

#define assert_sent(fixture, expected)               \
  G_STMT_START                                       \
  {                                                  \
    g_autoptr (GString) sent_ = g_string_new (NULL); \
    log_sent ((fixture), sent_);                     \
    g_assert_cmpstr (sent_->str, ==, (expected));    \
  }                                                  \
  G_STMT_END

G_END_DECLS
