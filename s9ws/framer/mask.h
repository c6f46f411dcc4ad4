/* mask.h: the mask of RFC 6455, section 5.3, applied while copying
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* target[i] = source[i] ^ mask[(offset + i) % 4].  The two may be the same, but
 * must not overlap otherwise.  Any alignment; nothing outside is touched. */
void s9ws_mask_copy (uint8_t       *target,
                     const uint8_t *source,
                     size_t         size,
                     const uint8_t  mask[4],
                     size_t         offset);

/* The implementations that this machine can run, for tests and benchmarks: the
 * first is the scalar reference; the one that s9ws_mask_copy () uses is last. */
typedef struct
{
  const char *name;
  void (*copy) (uint8_t *target, const uint8_t *source, size_t size, const uint8_t mask[4], size_t offset);
} S9wsMaskKernel;

size_t s9ws_mask_get_kernels (S9wsMaskKernel *kernels,
                              size_t          max_kernels);
