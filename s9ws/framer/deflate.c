/* deflate.c: the compression of permessage-deflate (RFC 7692) on zlib
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "deflate.h"

#include <limits.h>
#include <string.h>

#define MEMORY_LEVEL 8    /* zlib's default */
#define ZLIB_BITS_MIN 9   /* the smallest window that zlib compresses with */
#define AT_BLOCK_END 0x80 /* in data_type: see zlib.h on inflate () */

static unsigned
clamp (size_t size)
{
  return size < UINT_MAX ? (unsigned) size : UINT_MAX;
}

static int
get_zlib_bits (int window_bits)
{
  return window_bits < ZLIB_BITS_MIN ? ZLIB_BITS_MIN : window_bits;
}

static void
prepare (z_stream                *stream,
         const S9wsDeflateMemory *memory)
{
  memset (stream, 0, sizeof *stream);
  stream->zalloc = memory->alloc;
  stream->zfree = memory->free;
}

/* Compressing */

void
s9ws_deflater_init (S9wsDeflater            *deflater,
                    const S9wsDeflateMemory *memory,
                    unsigned                 level,
                    unsigned                 window_bits,
                    bool                     takes_over)
{
  memset (deflater, 0, sizeof *deflater);
  deflater->memory = *memory;
  deflater->level = (int) level;
  deflater->window_bits = (int) window_bits;
  deflater->takes_over = takes_over;
}

/* zlib has no raw DEFLATE with a window of 256 bytes, and does not promise that with one of
 * 512 it never refers to what such a peer has dropped.  With Z_RLE it refers to the last
 * byte alone, which every window holds. */
static bool
start_deflater (S9wsDeflater *deflater)
{
  int strategy = deflater->window_bits < ZLIB_BITS_MIN ? Z_RLE : Z_DEFAULT_STRATEGY;

  prepare (&deflater->stream, &deflater->memory);
  deflater->is_live = deflateInit2 (&deflater->stream, deflater->level, Z_DEFLATED, -get_zlib_bits (deflater->window_bits),
                                    MEMORY_LEVEL, strategy) == Z_OK;
  return deflater->is_live;
}

S9wsDeflateResult
s9ws_deflater_run (S9wsDeflater   *deflater,
                   const uint8_t **data,
                   size_t         *size,
                   uint8_t        *buffer,
                   size_t          room,
                   size_t         *written)
{
  z_stream *stream = &deflater->stream;
  unsigned n = clamp (*size);
  unsigned n_room = clamp (room);
  bool is_last = n == *size;

  *written = 0;
  if (!deflater->is_live && !start_deflater (deflater))
    return S9WS_DEFLATE_FAILED;

  stream->next_in = (uint8_t *) *data;
  stream->avail_in = n;
  stream->next_out = buffer;
  stream->avail_out = n_room;
  if (deflate (stream, is_last ? Z_SYNC_FLUSH : Z_NO_FLUSH) == Z_STREAM_ERROR)
    return S9WS_DEFLATE_FAILED;

  *data += n - stream->avail_in;
  *size -= n - stream->avail_in;
  *written = n_room - stream->avail_out;
  return is_last && stream->avail_out > 0 ? S9WS_DEFLATE_DONE : S9WS_DEFLATE_MORE;
}

void
s9ws_deflater_end_message (S9wsDeflater *deflater)
{
  if (deflater->is_live && !deflater->takes_over)
    deflateReset (&deflater->stream);
}

void
s9ws_deflater_release (S9wsDeflater *deflater)
{
  if (deflater->is_live)
    deflateEnd (&deflater->stream);
  deflater->is_live = false;
}

/* Inflating */

void
s9ws_inflater_init (S9wsInflater            *inflater,
                    const S9wsDeflateMemory *memory,
                    unsigned                 window_bits,
                    bool                     takes_over)
{
  memset (inflater, 0, sizeof *inflater);
  inflater->memory = *memory;
  inflater->window_bits = (int) window_bits;
  inflater->takes_over = takes_over;
}

/* A larger window than was agreed on does no harm: 9 bits read what was written with 8. */
static bool
start_inflater (S9wsInflater *inflater)
{
  prepare (&inflater->stream, &inflater->memory);
  inflater->is_live = inflateInit2 (&inflater->stream, -get_zlib_bits (inflater->window_bits)) == Z_OK;
  return inflater->is_live;
}

/* One call of zlib.  False: the data is malformed. */
static bool
inflate_some (S9wsInflater *inflater,
              bool         *has_progress)
{
  z_stream *stream = &inflater->stream;
  unsigned avail_in = stream->avail_in;
  int result = inflate (stream, Z_SYNC_FLUSH);

  if (stream->avail_in < avail_in)
    inflater->is_amid = true;

  *has_progress = result != Z_BUF_ERROR;
  if (result == Z_STREAM_END)
    {
      /* RFC 7692, section 7.2.3.4: the final block need not be the last.  The window
       * stays, unlike with inflateReset (). */
      inflater->is_amid = false;
      return inflateResetKeep (stream) == Z_OK;
    }

  return result == Z_OK || result == Z_BUF_ERROR;
}

bool
s9ws_inflater_run (S9wsInflater  *inflater,
                   const uint8_t *data,
                   size_t         size,
                   size_t        *consumed,
                   uint8_t       *buffer,
                   size_t         room,
                   size_t        *written)
{
  z_stream *stream = &inflater->stream;
  size_t left_in = size;
  size_t left_out = room;
  bool has_progress = true;
  bool is_valid = inflater->is_live || start_inflater (inflater);

  stream->next_in = (uint8_t *) data;
  stream->next_out = buffer;
  while (is_valid && has_progress && left_out > 0)
    {
      unsigned n_in = clamp (left_in);
      unsigned n_out = clamp (left_out);

      stream->avail_in = n_in;
      stream->avail_out = n_out;
      is_valid = inflate_some (inflater, &has_progress);
      left_in -= n_in - stream->avail_in;
      left_out -= n_out - stream->avail_out;
      if (left_in == 0 && left_out > 0)
        break;
    }

  *consumed = size - left_in;
  *written = room - left_out;
  return is_valid;
}

bool
s9ws_inflater_end_message (S9wsInflater *inflater)
{
  bool is_complete = !inflater->is_amid || (inflater->stream.data_type & AT_BLOCK_END) != 0;

  inflater->is_amid = false;
  if (inflater->is_live && !inflater->takes_over)
    inflateReset (&inflater->stream);

  return is_complete;
}

void
s9ws_inflater_release (S9wsInflater *inflater)
{
  if (inflater->is_live)
    inflateEnd (&inflater->stream);
  inflater->is_live = false;
}
