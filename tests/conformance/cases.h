/* cases.h: a rule of an RFC, tried with each client, plain and through TLS
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "../unit/recorder.h"

G_BEGIN_DECLS

/* A string literal as data and size, U+0000 and all. */
#define BYTES(literal) (literal), sizeof (literal) - 1

/* What a test is run with. */
typedef struct
{
  Kind kind;
  gboolean is_secure;
  gconstpointer data;
} Case;

typedef enum
{
  CASE_PLAIN = 1 << 0,
  CASE_TLS = 1 << 1,
  CASE_BOTH = CASE_PLAIN | CASE_TLS,
} CaseSchemes;

/* Adds "/SECTION/NAME/CLIENT/ws" and so on; @name begins with the section. */
void add_case (const char    *name,
               CaseSchemes    schemes,
               GTestDataFunc  function,
               gconstpointer  data);

TestServer *case_create_server (const Case *test,
                                TestScript  script,
                                gpointer    user_data);

/* Runs a client against a script until both have come to their end, and returns what it
 * emitted: see record_signals ().  @on_activated and @options may be NULL. */
char *case_run (const Case  *test,
                TestScript   script,
                GCallback    on_activated,
                gpointer     user_data,
                S9wsOptions *options);

/* Reads frames until the client's Close or the connection's end, and writes them down:
 * "text(Hello) pong(x) close(1000,bye) ".  What RFC 6455 forbids ends in "broken ". */
void case_log_frames (TestPeer *peer,
                      GString  *seen);

/* What a server sends, and what comes of it. */
typedef struct
{
  const char *name;
  const char *data; /* behind the upgrade */
  gsize size;
  const char *log;  /* what the client emits, without "activated" and "quit" */
  const char *seen; /* what it sends */
  gboolean server_closes; /* the server sends Close 1000 behind @data */
  guint64 max_message_size; /* 0: the default */
  const char *headers; /* more lines of the answer to the upgrade; NULL: none */
} CaseReceived;

/* An answer to the upgrade, and what the client did after it. */
typedef struct
{
  gboolean is_fine;
  gsize n_more; /* bytes that came */
  gboolean was_closed;
} CaseAnswered;

/* Behind the answer: a Close where that is fine, or all that the client sends still. */
void case_see_answered (TestPeer     *peer,
                        CaseAnswered *answered);

/* Runs a client against such a script.  One whose opening failed sends no frame, and closes. */
void case_answer (const Case   *test,
                  TestScript    script,
                  CaseAnswered *answered,
                  gpointer      user_data,
                  S9wsOptions  *options);

/* Ends of the two strings. */
#define FINE "closed(1000) "
#define CLOSED "close(1000) ", TRUE
#define PROTOCOL_ERROR "error(5) closed(1002) ", "close(1002) "
#define TEXT_ERROR "error(6) closed(1007) ", "close(1007) "
#define TOO_BIG_ERROR "error(7) closed(1009) ", "close(1009) "

/* A test of a CaseReceived.  Whatever happens, the client ends the connection. */
void case_receive (gconstpointer data);

/* What a client is told to do, and what its server sees of that.  The
 * last is a Close. */
typedef struct
{
  const char *name;
  void (*act) (S9wsClient *client);
  const char *seen;
} CaseSent;

/* A test of a CaseSent; the server answers the client's Close with 1000. */
void case_send (gconstpointer data);

G_END_DECLS
