/* memory-transport.c: a transport in memory, the connection's test double
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "memory-transport.h"

#include <string.h>

#include "s9ws-error.h"

static gssize
memory_read (S9wsTransport  *transport,
             void           *buffer,
             gsize           size,
             GError        **error)
{
  MemoryTransport *memory = (MemoryTransport *) transport;
  gsize n = MIN (size, memory->input->len - memory->read_offset);

  transport->n_reads++;
  if (memory->max_read > 0)
    n = MIN (n, memory->max_read);
  transport->n_empty_reads += n == 0;
  if (n == 0 && memory->is_broken)
    {
      g_set_error_literal (error, S9WS_ERROR, S9WS_ERROR_IO, "broken");
      return S9WS_TRANSPORT_FAILED;
    }
  if (n == 0)
    return memory->has_ended ? 0 : S9WS_TRANSPORT_AGAIN;

  memcpy (buffer, memory->input->data + memory->read_offset, n);
  memory->read_offset += n;
  return (gssize) n;
}

static gssize
memory_write (S9wsTransport  *transport,
              const void     *data,
              gsize           size,
              GError        **error)
{
  MemoryTransport *memory = (MemoryTransport *) transport;
  gsize n = MIN (size, memory->room);

  transport->n_writes++;
  if (memory->is_unwritable)
    {
      g_set_error_literal (error, S9WS_ERROR, S9WS_ERROR_IO, "unwritable");
      return S9WS_TRANSPORT_FAILED;
    }
  if (n == 0)
    return S9WS_TRANSPORT_AGAIN;

  g_byte_array_append (memory->output, data, (guint) n);
  if (memory->room != G_MAXSIZE)
    memory->room -= n;
  return (gssize) n;
}

static gboolean
memory_has_pending (S9wsTransport *transport)
{
  MemoryTransport *memory = (MemoryTransport *) transport;

  return memory->read_offset < memory->input->len;
}

static S9wsIoResult
memory_handshake (S9wsTransport  *transport,
                  GError        **error)
{
  return S9WS_IO_DONE;
}

static void
memory_close (S9wsTransport *transport)
{
  MemoryTransport *memory = (MemoryTransport *) transport;

  if (memory->is_closed != NULL)
    *memory->is_closed = TRUE;
  g_byte_array_unref (memory->input);
  g_byte_array_unref (memory->output);
  g_free (memory);
}

static const S9wsTransportTable memory_table = {
  .read = memory_read,
  .write = memory_write,
  .has_pending = memory_has_pending,
  .handshake = memory_handshake,
  .close = memory_close,
};

MemoryTransport *
memory_transport_new (void)
{
  MemoryTransport *memory = g_new0 (MemoryTransport, 1);

  memory->transport.table = &memory_table;
  memory->transport.fd = -1;
  memory->input = g_byte_array_new ();
  memory->output = g_byte_array_new ();
  memory->room = G_MAXSIZE;
  return memory;
}

void
memory_transport_add (MemoryTransport *memory,
                      const void      *data,
                      gsize            size)
{
  g_byte_array_append (memory->input, data, (guint) size);
}
