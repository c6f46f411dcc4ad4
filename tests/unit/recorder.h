/* recorder.h: writes down what a client emits, for comparison
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <s9ws/s9ws.h>

#include "test-server.h"

G_BEGIN_DECLS

typedef enum
{
  KIND_BLOCKING,
  KIND_NON_BLOCKING,
  KIND_ASYNC,
  N_KINDS,
} Kind;

extern const char *const kind_names[N_KINDS];

S9wsClient *create_client (Kind         kind,
                           const char  *uri,
                           S9wsOptions *options);

/* Options for servers with the tests' certificates; the rest as g_object_new (),
 * with NULL alone where there is nothing more. */
S9wsOptions *create_options (const char *first_property,
                             ...);

/* The path of a file that was made for the tests. */
char *get_certificate (const char *name);

/* A server that starts in clear, as a proxy, and is the server behind itself: with TLS once
 * the script has called test_peer_start_tls (), if it is secure. */
TestServer *create_proxy (gboolean   is_secure,
                          TestScript script,
                          gpointer   user_data);

/* "activated text(Hello) closed(1000,bye) quit "; an error is error(CODE).  poll and
 * idle are left out. */
void record_signals (S9wsClient *client,
                     GString    *log);

/* Ends the program where a test hangs. */
void start_watchdog (guint seconds);

G_END_DECLS
