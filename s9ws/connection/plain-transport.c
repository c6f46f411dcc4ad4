/* plain-transport.c: a transport on a bare socket
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "plain-transport.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef HAVE_SYSCALL_SOCKET
#include <sys/syscall.h>
#endif

#include "../s9ws-error.h"
#include "draining.h"

/* recv () and send () are cancellation points: in a program with threads their
 * bookkeeping costs more instructions than all else that a short read needs. */
static inline gssize
receive (int    fd,
         void  *buffer,
         gsize  size,
         int    flags)
{
#ifdef HAVE_SYSCALL_SOCKET
  return syscall (SYS_recvfrom, fd, buffer, size, flags, NULL, NULL);
#else
  return recv (fd, buffer, size, flags);
#endif
}

static inline gssize
transmit (int         fd,
          const void *data,
          gsize       size,
          int         flags)
{
#ifdef HAVE_SYSCALL_SOCKET
  return syscall (SYS_sendto, fd, data, size, flags, NULL, 0);
#else
  return send (fd, data, size, flags);
#endif
}

G_NO_INLINE static gssize
fail_reading (S9wsTransport  *transport,
              GError        **error)
{
  transport->n_empty_reads++;
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
    return S9WS_TRANSPORT_AGAIN;

  s9ws_transport_note_error (transport, errno);
  g_set_error (error, S9WS_ERROR, S9WS_ERROR_IO, _("Reading from the server failed: %s"), g_strerror (errno));
  return S9WS_TRANSPORT_FAILED;
}

static gssize
plain_read (S9wsTransport  *transport,
            void           *buffer,
            gsize           size,
            GError        **error)
{
  gssize n;

  transport->n_reads++;
  n = receive (transport->fd, buffer, size, transport->may_block ? 0 : MSG_DONTWAIT);

  return G_LIKELY (n >= 0) ? n : fail_reading (transport, error);
}

G_NO_INLINE static gssize
fail_writing (S9wsTransport  *transport,
              GError        **error)
{
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
    return S9WS_TRANSPORT_AGAIN;

  s9ws_transport_note_error (transport, errno);
  g_set_error (error, S9WS_ERROR, S9WS_ERROR_IO, _("Writing to the server failed: %s"), g_strerror (errno));
  return S9WS_TRANSPORT_FAILED;
}

static gssize
plain_write (S9wsTransport  *transport,
             const void     *data,
             gsize           size,
             GError        **error)
{
  gssize n;

  transport->n_writes++;
  n = transmit (transport->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

  return G_LIKELY (n >= 0) ? n : fail_writing (transport, error);
}

static gboolean
plain_has_pending (S9wsTransport *transport)
{
  return FALSE;
}

static S9wsIoResult
plain_handshake (S9wsTransport  *transport,
                 GError        **error)
{
  return S9WS_IO_DONE;
}

static void
plain_close (S9wsTransport *transport)
{
  s9ws_drain_and_close (transport->fd);
  g_free (transport);
}

static const S9wsTransportTable plain_table = {
  .read = plain_read,
  .write = plain_write,
  .has_pending = plain_has_pending,
  .handshake = plain_handshake,
  .close = plain_close,
};

S9wsTransport *
s9ws_plain_transport_new (int fd)
{
  S9wsTransport *transport = g_new0 (S9wsTransport, 1);

  transport->table = &plain_table;
  transport->fd = fd;
  return transport;
}
