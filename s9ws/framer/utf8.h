/* utf8.h: UTF-8 as RFC 3629 has it, validated as bytes arrive
 *
 * U+0000 is valid; surrogates, overlong forms and anything above U+10FFFF are not.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised by the caller; everything in it is private. */
typedef struct
{
  uint8_t tail[4]; /* the character that has begun, so far */
  uint8_t tail_size;
} S9wsUtf8;

/* Whether all of @data is valid and no character is cut off at its end. */
bool s9ws_utf8_is_valid (const uint8_t *data,
                         size_t         size);

/* Takes in the next bytes of a text.  FALSE as soon as what has come so far
 * cannot be the beginning of valid UTF-8; nothing may be fed after that. */
bool s9ws_utf8_feed (S9wsUtf8      *utf8,
                     const uint8_t *data,
                     size_t         size);

/* Whether the text could end here: no character is cut off. */
static inline bool
s9ws_utf8_is_complete (const S9wsUtf8 *utf8)
{
  return utf8->tail_size == 0;
}

/* The implementations of s9ws_utf8_is_valid () that this machine can run, for
 * tests and benchmarks: the scalar reference first, the one in use last. */
typedef struct
{
  const char *name;
  bool (*is_valid) (const uint8_t *data, size_t size);
} S9wsUtf8Kernel;

size_t s9ws_utf8_get_kernels (S9wsUtf8Kernel *kernels,
                              size_t          max_kernels);
