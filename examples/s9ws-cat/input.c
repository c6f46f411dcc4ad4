/* input.c: the standard input, as messages
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "input.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_SIZE (64 * 1024)
#define MAX_LINE_SIZE (64 * 1024 * 1024)

void
cat_input_init (CatInput *input,
                gboolean  is_binary)
{
  *input = (CatInput){ .bytes = g_byte_array_new (), .is_binary = is_binary };
}

void
cat_input_clear (CatInput *input)
{
  g_clear_pointer (&input->bytes, g_byte_array_unref);
}

gboolean
cat_input_read (CatInput  *input,
                int        fd,
                GError   **error)
{
  guint size;
  gssize n;

  g_byte_array_remove_range (input->bytes, 0, (guint) input->taken);
  input->taken = 0;
  size = input->bytes->len;
  if (size > MAX_LINE_SIZE)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _("A line of the input is longer than %d MiB"),
                   MAX_LINE_SIZE / 1024 / 1024);
      return FALSE;
    }

  g_byte_array_set_size (input->bytes, size + BLOCK_SIZE);
  do
    n = read (fd, input->bytes->data + size, BLOCK_SIZE);
  while (n < 0 && errno == EINTR);
  g_byte_array_set_size (input->bytes, size + (guint) MAX (n, 0));

  /* It is not ours alone: another program may have made it non-blocking. */
  if (n < 0 && errno != EAGAIN)
    {
      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), _("The input cannot be read: %s"), g_strerror (errno));
      return FALSE;
    }

  input->has_ended = n == 0;
  return TRUE;
}

static void
take (CatInput      *input,
      gsize          size,
      gsize          end,
      const guint8 **data,
      gsize         *taken)
{
  *data = input->bytes->data + input->taken;
  *taken = size;
  input->taken += size + end;
  input->searched = 0;
}

gboolean
cat_input_next (CatInput      *input,
                const guint8 **data,
                gsize         *size)
{
  gsize left = input->bytes->len - input->taken;
  const guint8 *begin = input->bytes->data + input->taken;
  const guint8 *end = NULL;

  if (left == 0)
    return FALSE;

  if (!input->is_binary)
    end = memchr (begin + input->searched, '\n', left - input->searched);
  if (end != NULL)
    take (input, (gsize) (end - begin), 1, data, size);
  else if (input->is_binary || input->has_ended)
    take (input, left, 0, data, size);
  else
    input->searched = left;

  return end != NULL || input->is_binary || input->has_ended;
}
