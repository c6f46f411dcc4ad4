/* short-ascii.h: what most short texts are
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <emmintrin.h>
#elif defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>
#endif

/* Whether all of a short text, of some hundred bytes at most, is ASCII: then it is valid.
 * Inline, as a call would cost as much again. */
static inline bool
s9ws_utf8_is_short_ascii (const uint8_t *data,
                          size_t         size)
#if defined(__x86_64__) && defined(__GNUC__)
{
  __m128i any = _mm_setzero_si128 ();
  uint8_t rest = 0;

  if (size < 16)
    {
      for (size_t i = 0; i < size; i++)
        rest |= data[i];
      return rest < 0x80;
    }

  for (size_t i = 0; i + 16 <= size; i += 16)
    any = _mm_or_si128 (any, _mm_loadu_si128 ((const __m128i *) (data + i)));
  /* The last bytes once more, with some before. */
  any = _mm_or_si128 (any, _mm_loadu_si128 ((const __m128i *) (data + size - 16)));

  return _mm_movemask_epi8 (any) == 0;
}
#elif defined(__aarch64__) && defined(__ARM_NEON)
{
  uint8x16_t any = vdupq_n_u8 (0);
  uint8_t rest = 0;
  size_t i = 0;

  for (; size - i >= 16; i += 16)
    any = vorrq_u8 (any, vld1q_u8 (data + i));
  for (; i < size; i++)
    rest |= data[i];

  return (vmaxvq_u8 (any) | rest) < 0x80;
}
#else
{
  uint8_t any = 0;

  for (size_t i = 0; i < size; i++)
    any |= data[i];

  return any < 0x80;
}
#endif
