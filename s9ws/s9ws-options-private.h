/* s9ws-options-private.h: the options as a client reads them
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "s9ws-options.h"

#include "connection/connection.h"
#include "connection/dial.h"

G_BEGIN_DECLS

/* A snapshot: changing the options later changes no client that has opened. */
typedef struct
{
  S9wsConnectionConfig connection;
  S9wsDialOptions dial;
  S9wsWaitStrategy wait_strategy;
  guint64 spin_wait_duration; /* µs */
  guint64 read_timeout;       /* µs */
  guint64 write_timeout;      /* µs */
  guint64 max_queued_bytes;
  S9wsTlsContext *tls_context; /* owned, or NULL */
  int connect_error_number;    /* errno, where connecting failed */
  S9wsTlsQuestion question;    /* the client's, or NULL */
  gpointer question_data;
  char *host_header;           /* owned, or NULL */
} S9wsSettings;

/* NULL stands for the defaults.  Fails with S9WS_ERROR_INVALID_CONFIGURATION. */
S9wsSettings *s9ws_options_read  (S9wsOptions   *options,
                                  GError       **error);
void          s9ws_settings_free (S9wsSettings  *settings);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (S9wsSettings, s9ws_settings_free)

G_END_DECLS
