/* memory-transport.h: a transport in memory, the connection's test double
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "connection/transport.h"

G_BEGIN_DECLS

typedef struct
{
  S9wsTransport transport;
  GByteArray *input;  /* what the peer has sent */
  gsize read_offset;
  gsize max_read;     /* bytes a read brings at most; 0: no limit */
  gboolean has_ended; /* behind input: the end of the stream, not "again" */
  gboolean is_broken; /* behind input: an error */
  GByteArray *output; /* what was sent to the peer */
  gsize room;         /* bytes that writes still take; G_MAXSIZE: no limit */
  gboolean is_unwritable; /* writing fails */
  gboolean *is_closed;    /* set when the transport is closed, or NULL */
} MemoryTransport;

MemoryTransport *memory_transport_new (void);
void             memory_transport_add (MemoryTransport *memory,
                                       const void      *data,
                                       gsize            size);

G_END_DECLS
