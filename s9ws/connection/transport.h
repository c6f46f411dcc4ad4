/* transport.h: bytes to and from the peer, whatever lies below
 *
 * A transport belongs to one connection and is used by one thread at a time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _S9wsTransport S9wsTransport;

/* What read and write answer instead of a size. */
#define S9WS_TRANSPORT_AGAIN (-1)  /* the socket would block, or a signal came */
#define S9WS_TRANSPORT_FAILED (-2) /* error is set */

typedef enum
{
  S9WS_IO_DONE,
  S9WS_IO_WANT_READ,
  S9WS_IO_WANT_WRITE,
  S9WS_IO_FAILED,
} S9wsIoResult;

typedef struct
{
  /* As many bytes as there are, at most @size (> 0), with at most one system
   * call that brings something.  0: the peer ended the stream in an orderly way. */
  gssize (*read) (S9wsTransport *transport,
                  void          *buffer,
                  gsize          size,
                  GError       **error);

  /* As many bytes as the socket takes, never blocking.  After AGAIN or a short
   * count, the bytes not taken must be offered again, first and unchanged. */
  gssize (*write) (S9wsTransport *transport,
                   const void    *data,
                   gsize          size,
                   GError       **error);

  /* Whether read has something although poll () says that the socket has not. */
  gboolean (*has_pending) (S9wsTransport *transport);

  /* Called until DONE, before read and write.  Never blocks. */
  S9wsIoResult (*handshake) (S9wsTransport *transport,
                             GError       **error);

  /* Says goodbye without waiting for it to be heard, closes the descriptor and
   * frees the transport. */
  void (*close) (S9wsTransport *transport);
} S9wsTransportTable;

struct _S9wsTransport
{
  const S9wsTransportTable *table;
  int fd;             /* -1 for a transport in memory */
  gboolean may_block; /* read may wait for the first byte (the blocking client) */
  guint64 n_reads;    /* system calls, those that brought nothing included */
  guint64 n_empty_reads; /* those */
  guint64 n_writes;
  int error_number;      /* errno, of what failed first; 0: nothing has */
  gboolean has_ended;    /* the peer has ended the stream, in whichever way */
  int tls_alert;         /* the fatal one that the peer sent; 0: none */
  gint64 asking_time;    /* µs that the handshake has waited for the user's decision */
};

/* The first one stays: what fails later fails because of it. */
static inline void
s9ws_transport_note_error (S9wsTransport *transport,
                           int            error_number)
{
  if (transport->error_number == 0)
    transport->error_number = error_number;
}

static inline gssize
s9ws_transport_read (S9wsTransport  *transport,
                     void           *buffer,
                     gsize           size,
                     GError        **error)
{
  return transport->table->read (transport, buffer, size, error);
}

static inline gssize
s9ws_transport_write (S9wsTransport  *transport,
                      const void     *data,
                      gsize           size,
                      GError        **error)
{
  return transport->table->write (transport, data, size, error);
}

static inline gboolean
s9ws_transport_has_pending (S9wsTransport *transport)
{
  return transport->table->has_pending (transport);
}

static inline S9wsIoResult
s9ws_transport_handshake (S9wsTransport  *transport,
                          GError        **error)
{
  return transport->table->handshake (transport, error);
}

static inline void
s9ws_transport_close (S9wsTransport *transport)
{
  transport->table->close (transport);
}

G_END_DECLS
