/* dial.h: a connected socket, by way of GIO
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

#include "endpoint.h"

G_BEGIN_DECLS

typedef struct
{
  guint timeout; /* ms, 0: none */
  gboolean nodelay;               /* as ttl and local_address, without effect on Unix sockets */
  guint ttl;                      /* 0: the system's */
  GProxyResolver *proxy_resolver; /* owned; NULL: the system's */
  int *error_number;              /* where errno of a failure goes; or NULL */
  GSocketAddress *local_address;  /* owned; NULL: any */
} S9wsDialOptions;

/* Connects (proxies, SOCKS and Happy Eyeballs by GSocketClient, run on a main
 * context of its own so that the calling thread's is left alone), and returns the
 * descriptor: in blocking mode, close-on-exec, set up as @options say.  -1 with
 * S9WS_ERROR_CONNECT, TIMED_OUT, SOCKET_UNAVAILABLE or G_IO_ERROR_CANCELLED. */
int s9ws_dial (const S9wsEndpoint     *endpoint,
               const S9wsDialOptions  *options,
               GCancellable           *cancellable,
               GError                **error);

G_END_DECLS
