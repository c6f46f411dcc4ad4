/* deflate.h: the compression of permessage-deflate (RFC 7692) on zlib
 *
 * The structs are the caller's, and so is the memory that zlib's states are made of, once
 * they are needed: some 260 KiB for a deflater and 40 KiB for an inflater.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <zlib.h>

/* RFC 7692, section 7.1.2: a window has 2 to the power of 8 to 15 bytes. */
#define S9WS_WINDOW_BITS_MIN 8
#define S9WS_WINDOW_BITS_MAX 15

/* What a flushed part of a message ends with, and a whole one goes without (section 7.2.1). */
#define S9WS_DEFLATE_TAIL_SIZE 4

/* The room that s9ws_deflater_run () is to be given at least. */
#define S9WS_DEFLATE_ROOM_MIN 64

/* Where zlib's states live; @alloc returns no NULL. */
typedef struct
{
  alloc_func alloc;
  free_func free;
} S9wsDeflateMemory;

/* Everything in these two is private. */
typedef struct
{
  z_stream stream;
  S9wsDeflateMemory memory;
  int level;
  int window_bits;
  bool takes_over;
  bool is_live;
} S9wsDeflater;

typedef struct
{
  z_stream stream;
  S9wsDeflateMemory memory;
  int window_bits;
  bool takes_over;
  bool is_live;
  bool is_amid; /* something has come since the last message or final block ended */
} S9wsInflater;

/* @window_bits is what was agreed on, 8 included.  @takes_over: messages may refer to
 * those before them. */
void s9ws_deflater_init (S9wsDeflater            *deflater,
                         const S9wsDeflateMemory *memory,
                         unsigned                 level,
                         unsigned                 window_bits,
                         bool                     takes_over);

typedef enum
{
  S9WS_DEFLATE_DONE, /* all of it is in the buffer, and ends with the tail 00 00 ff ff */
  S9WS_DEFLATE_MORE, /* call again with what is left and new room */
  S9WS_DEFLATE_FAILED, /* zlib is not what it was compiled against */
} S9wsDeflateResult;

/* Compresses a part of a message, which must not be empty: takes it off @data and @size,
 * and says how much of @buffer has been @written. */
S9wsDeflateResult s9ws_deflater_run (S9wsDeflater   *deflater,
                                     const uint8_t **data,
                                     size_t         *size,
                                     uint8_t        *buffer,
                                     size_t          room,
                                     size_t         *written);

void s9ws_deflater_end_message (S9wsDeflater *deflater);

/* Gives the memory back.  What follows refers to nothing before it, which needs no
 * agreement; not amid a message. */
void s9ws_deflater_release (S9wsDeflater *deflater);

void s9ws_inflater_init (S9wsInflater            *inflater,
                         const S9wsDeflateMemory *memory,
                         unsigned                 window_bits,
                         bool                     takes_over);

/* Inflates until @data is used up or @buffer is full.  If it is full there may be more to
 * come, even without more data.  False: @data is no DEFLATE. */
bool s9ws_inflater_run (S9wsInflater  *inflater,
                        const uint8_t *data,
                        size_t         size,
                        size_t        *consumed,
                        uint8_t       *buffer,
                        size_t         room,
                        size_t        *written);

/* Whether the tail 00 00 ff ff is to be run behind a message.  Not if the message is empty,
 * or has ended with a final block and nothing behind it. */
static inline bool
s9ws_inflater_needs_tail (const S9wsInflater *inflater)
{
  return inflater->is_amid;
}

/* Behind the tail.  False: the message ends within a block. */
bool s9ws_inflater_end_message (S9wsInflater *inflater);

/* Whether s9ws_inflater_release () may be called between messages: none of them refers to
 * those before it. */
static inline bool
s9ws_inflater_is_spare (const S9wsInflater *inflater)
{
  return inflater->is_live && !inflater->takes_over && !inflater->is_amid;
}

void s9ws_inflater_release (S9wsInflater *inflater);
