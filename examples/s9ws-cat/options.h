/* options.h: what s9ws-cat is told by its command line
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <s9ws/s9ws.h>

G_BEGIN_DECLS

typedef struct
{
  char *uri;
  GType client_type;
  S9wsWaitStrategy strategy;
  guint64 spin_wait_duration; /* µs */
  S9wsOptions *connection;    /* for the client */

  gboolean is_binary;
  gboolean is_verbose;
  gboolean shows_stats;
  gboolean expects_pongs;
  gboolean keeps_open;  /* when the input has ended */
  gboolean one_message; /* is enough */
  gint64 wait;          /* µs, from the input's end to the close */
  gint64 ping_interval; /* µs, 0: none */
} CatOptions;

/* FALSE with @status, if the program is to end with it. */
gboolean cat_options_parse (CatOptions   *options,
                            int          *argc,
                            char       ***argv,
                            int          *status);
void     cat_options_clear (CatOptions   *options);

G_END_DECLS
