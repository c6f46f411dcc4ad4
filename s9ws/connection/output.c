/* output.c: frames on their way out, encoded and masked
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "output.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "../framer/mask.h"

#define MIN_CAPACITY 4096
#define KEPT_CAPACITY (256 * 1024) /* an emptied buffer above this is given back */

/* RFC 6455, section 5.3: masks must not be predictable. */
void
s9ws_output_refill_masks (S9wsOutput *output)
{
  if (gnutls_rnd (GNUTLS_RND_NONCE, output->masks, sizeof output->masks) < 0)
    g_error ("s9ws: no random numbers for masks");

  output->n_masks = S9WS_MASK_POOL_SIZE;
}

void
s9ws_output_grow (S9wsOutput *output,
                  gsize       size)
{
  gsize used = s9ws_output_get_size (output);

  if (output->begin > 0 && used > 0)
    memmove (output->data, output->data + output->begin, used);
  output->begin = 0;
  output->end = used;

  if (output->capacity - used < size)
    {
      output->capacity = MAX (MAX (used + size, output->capacity * 2), MIN_CAPACITY);
      output->data = g_realloc (output->data, output->capacity);
    }
}

void
s9ws_output_begin_frame (S9wsOutput      *output,
                         S9wsOutputFrame *frame,
                         gsize            max_size)
{
  gsize piece = MIN (frame->size, max_size);
  guint8 *target = s9ws_output_reserve (output, S9WS_FRAME_HEADER_MAX + piece);
  gsize header_size;

  memcpy (frame->mask, s9ws_output_take_mask (output), S9WS_MASK_SIZE);
  header_size = s9ws_frame_write_header (target, frame->opcode, frame->is_final, frame->reserved_bits,
                                         frame->size, frame->mask);

  /* So that pieces of a large frame fill whole TLS records. */
  if (piece < frame->size)
    piece -= header_size;

  if (piece > 0)
    s9ws_mask_copy (target + header_size, frame->data, piece, frame->mask, 0);
  output->end += header_size + piece;

  frame->offset = piece;
}

void
s9ws_output_continue_frame (S9wsOutput      *output,
                            S9wsOutputFrame *frame,
                            gsize            max_size)
{
  gsize piece = MIN (frame->size - frame->offset, max_size);
  guint8 *target = s9ws_output_reserve (output, piece);

  s9ws_mask_copy (target, frame->data + frame->offset, piece, frame->mask, frame->offset);
  output->end += piece;
  frame->offset += piece;
}

void
s9ws_output_append_frame (S9wsOutput      *output,
                          S9wsOutputFrame *frame)
{
  s9ws_output_begin_frame (output, frame, frame->size);
}

gsize
s9ws_output_open_frame (S9wsOutput *output)
{
  gsize start = s9ws_output_get_size (output);

  s9ws_output_reserve (output, S9WS_FRAME_HEADER_MAX + 1);
  output->end += S9WS_FRAME_HEADER_MAX;
  return start;
}

gsize
s9ws_output_close_frame (S9wsOutput      *output,
                         S9wsOutputFrame *frame,
                         gsize            start)
{
  guint8 *target = output->data + output->begin + start;
  guint8 *payload = target + S9WS_FRAME_HEADER_MAX;
  gsize size = s9ws_output_get_size (output) - start - S9WS_FRAME_HEADER_MAX;
  gsize header_size;

  memcpy (frame->mask, s9ws_output_take_mask (output), S9WS_MASK_SIZE);
  header_size = s9ws_frame_write_header (target, frame->opcode, frame->is_final, frame->reserved_bits, size, frame->mask);
  if (header_size < S9WS_FRAME_HEADER_MAX)
    memmove (target + header_size, payload, size);
  s9ws_mask_copy (target + header_size, target + header_size, size, frame->mask, 0);
  output->end -= S9WS_FRAME_HEADER_MAX - header_size;

  return size;
}

void
s9ws_output_take (S9wsOutput *output,
                  S9wsOutput *other)
{
  gsize size = s9ws_output_get_size (other);

  if (s9ws_output_get_size (output) == 0)
    {
      guint8 *data = output->data;
      gsize capacity = output->capacity;

      output->data = other->data;
      output->begin = other->begin;
      output->end = other->end;
      output->capacity = other->capacity;
      other->data = data;
      other->capacity = capacity;
    }
  else if (size > 0)
    {
      memcpy (s9ws_output_reserve (output, size), other->data + other->begin, size);
      output->end += size;
    }

  other->begin = 0;
  other->end = 0;
}

void
s9ws_output_consume (S9wsOutput *output,
                     gsize       size)
{
  output->begin += size;
  if (output->begin < output->end)
    return;

  output->begin = 0;
  output->end = 0;
  if (G_UNLIKELY (output->capacity > KEPT_CAPACITY))
    {
      output->capacity = 0;
      g_clear_pointer (&output->data, g_free);
    }
}

void
s9ws_output_clear (S9wsOutput *output)
{
  g_free (output->data);
  output->data = NULL;
  output->begin = 0;
  output->end = 0;
  output->capacity = 0;
}
