/* output.h: frames on their way out, encoded and masked
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>
#include <string.h>

#include "../framer/frame.h"
#include "../framer/mask.h"

G_BEGIN_DECLS

#define S9WS_SHORT_PAYLOAD_MAX 125 /* bytes: what a header of two bytes announces */
#define S9WS_SHORT_HEADER_SIZE (2 + S9WS_MASK_SIZE)
#define S9WS_MASK_POOL_SIZE 64 /* masks; more at once would be felt as latency */

/* Zero-initialised by the owner.  The bytes in [begin, end) are to be sent. */
typedef struct
{
  guint8 *data;
  gsize begin;
  gsize end;
  gsize capacity;
  guint n_masks; /* unused ones, at the start of masks */
  guint8 masks[S9WS_MASK_POOL_SIZE][S9WS_MASK_SIZE];
} S9wsOutput;

/* A frame of which part has been encoded: large ones are encoded piece by piece,
 * so that masked bytes are still in the cache when they are sent. */
typedef struct
{
  const guint8 *data;
  gsize size;
  guint8 opcode;
  guint8 reserved_bits;
  gboolean is_final;
  gboolean is_compressed; /* to be compressed, by a sender */
  gsize offset; /* this and the next are filled in here */
  guint8 mask[S9WS_MASK_SIZE];
} S9wsOutputFrame;

/* For the inline functions below. */
void s9ws_output_grow         (S9wsOutput *output,
                               gsize       size);
void s9ws_output_refill_masks (S9wsOutput *output);

/* Encodes the header and at most about @max_size bytes of the payload. */
void s9ws_output_begin_frame    (S9wsOutput      *output,
                                 S9wsOutputFrame *frame,
                                 gsize            max_size);
void s9ws_output_continue_frame (S9wsOutput      *output,
                                 S9wsOutputFrame *frame,
                                 gsize            max_size);

/* Encodes a whole frame. */
void s9ws_output_append_frame (S9wsOutput      *output,
                               S9wsOutputFrame *frame);

/* Encodes a frame whose payload is first put into the output, behind what _open_frame ()
 * reserves and returns the start of; there is room for one byte.  Returns the size of the payload. */
gsize s9ws_output_open_frame  (S9wsOutput      *output);
gsize s9ws_output_close_frame (S9wsOutput      *output,
                               S9wsOutputFrame *frame,
                               gsize            start);

/* Appends what is encoded already, and takes it out of @other. */
void s9ws_output_take (S9wsOutput *output,
                       S9wsOutput *other);

/* Forgets the first @size bytes, which have been sent. */
void s9ws_output_consume (S9wsOutput *output,
                          gsize       size);
void s9ws_output_clear   (S9wsOutput *output);

static inline gsize
s9ws_output_get_size (const S9wsOutput *output)
{
  return output->end - output->begin;
}

static inline guint8 *
s9ws_output_reserve (S9wsOutput *output,
                     gsize       size)
{
  if (G_UNLIKELY (output->capacity - output->end < size))
    s9ws_output_grow (output, size);

  return output->data + output->end;
}

static inline const guint8 *
s9ws_output_take_mask (S9wsOutput *output)
{
  if (G_UNLIKELY (output->n_masks == 0))
    s9ws_output_refill_masks (output);

  return output->masks[--output->n_masks];
}

/* Encodes a whole frame of at most S9WS_SHORT_PAYLOAD_MAX bytes, without taking it into
 * [begin, end) yet. */
static inline const guint8 *
s9ws_output_encode_short (S9wsOutput   *output,
                          S9wsOpcode    opcode,
                          const guint8 *data,
                          gsize         size)
{
  guint8 *target = s9ws_output_reserve (output, S9WS_SHORT_HEADER_SIZE + size);
  const guint8 *mask = s9ws_output_take_mask (output);

  target[0] = 0x80 | (guint8) opcode;
  target[1] = 0x80 | (guint8) size;
  memcpy (target + 2, mask, S9WS_MASK_SIZE);
  s9ws_mask_copy (target + S9WS_SHORT_HEADER_SIZE, data, size, mask, 0);
  return target;
}

G_END_DECLS
