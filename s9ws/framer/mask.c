/* mask.c: the mask of RFC 6455, section 5.3, applied while copying
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "mask.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_X86 1
#include <immintrin.h>
#elif defined(__aarch64__) && defined(__ARM_NEON)
#define HAVE_NEON 1
#include <arm_neon.h>
#endif

static void
copy_bytes (uint8_t       *target,
            const uint8_t *source,
            size_t         size,
            const uint8_t  mask[4],
            size_t         offset)
{
  for (size_t i = 0; i < size; i++)
    target[i] = source[i] ^ mask[(offset + i) & 3];
}

/* The mask, turned so that its first byte is the one for offset. */
static inline uint32_t
turn_mask (const uint8_t mask[4],
           size_t        offset)
{
  uint8_t turned[4];
  uint32_t word;

  if ((offset & 3) == 0)
    {
      memcpy (&word, mask, sizeof word);
      return word;
    }

  for (size_t i = 0; i < 4; i++)
    turned[i] = mask[(offset + i) & 3];
  memcpy (&word, turned, sizeof word);

  return word;
}

/* A word at a time. */
static inline void
copy_tail (uint8_t       *target,
           const uint8_t *source,
           size_t         size,
           uint32_t       word)
{
  uint64_t wide = (uint64_t) word << 32 | word;
  const uint8_t *mask = (const uint8_t *) &word;

  while (size >= 8)
    {
      uint64_t part;

      memcpy (&part, source, sizeof part);
      part ^= wide;
      memcpy (target, &part, sizeof part);
      source += 8;
      target += 8;
      size -= 8;
    }

  for (size_t i = 0; i < size; i++)
    target[i] = source[i] ^ mask[i & 3];
}

static void
copy_words (uint8_t       *target,
            const uint8_t *source,
            size_t         size,
            const uint8_t  mask[4],
            size_t         offset)
{
  copy_tail (target, source, size, turn_mask (mask, offset));
}

#ifdef HAVE_X86
/* 16 bytes at a time, four of them a round; the period of the mask divides both. */
static void
copy_sse2 (uint8_t       *target,
           const uint8_t *source,
           size_t         size,
           const uint8_t  mask[4],
           size_t         offset)
{
  uint32_t word = turn_mask (mask, offset);
  __m128i wide = _mm_set1_epi32 ((int) word);

  for (; size >= 64; size -= 64, source += 64, target += 64)
    for (size_t i = 0; i < 64; i += 16)
      _mm_storeu_si128 ((__m128i *) (target + i),
                        _mm_xor_si128 (_mm_loadu_si128 ((const __m128i *) (source + i)), wide));

  for (; size >= 16; size -= 16, source += 16, target += 16)
    _mm_storeu_si128 ((__m128i *) target,
                      _mm_xor_si128 (_mm_loadu_si128 ((const __m128i *) source), wide));

  if (size > 0)
    copy_tail (target, source, size, word);
}

/* The same with 32 bytes. */
__attribute__ ((target ("avx2"))) static void
copy_avx2 (uint8_t       *target,
           const uint8_t *source,
           size_t         size,
           const uint8_t  mask[4],
           size_t         offset)
{
  uint32_t word = turn_mask (mask, offset);
  __m256i wide = _mm256_set1_epi32 ((int) word);

  for (; size >= 256; size -= 256, source += 256, target += 256)
#pragma GCC unroll 8
    for (size_t i = 0; i < 256; i += 32)
      _mm256_storeu_si256 ((__m256i *) (target + i),
                           _mm256_xor_si256 (_mm256_loadu_si256 ((const __m256i *) (source + i)), wide));

  for (; size >= 32; size -= 32, source += 32, target += 32)
    _mm256_storeu_si256 ((__m256i *) target,
                         _mm256_xor_si256 (_mm256_loadu_si256 ((const __m256i *) source), wide));

  copy_tail (target, source, size, word);
}
#endif

#ifdef HAVE_NEON
/* 16 bytes at a time, four of them a round; the period of the mask divides both. */
static void
copy_neon (uint8_t       *target,
           const uint8_t *source,
           size_t         size,
           const uint8_t  mask[4],
           size_t         offset)
{
  uint32_t word = turn_mask (mask, offset);
  uint8x16_t wide = vreinterpretq_u8_u32 (vdupq_n_u32 (word));

  for (; size >= 64; size -= 64, source += 64, target += 64)
    for (size_t i = 0; i < 64; i += 16)
      vst1q_u8 (target + i, veorq_u8 (vld1q_u8 (source + i), wide));

  for (; size >= 16; size -= 16, source += 16, target += 16)
    vst1q_u8 (target, veorq_u8 (vld1q_u8 (source), wide));

  copy_tail (target, source, size, word);
}
#endif

typedef void (*Copy) (uint8_t *target, const uint8_t *source, size_t size, const uint8_t mask[4], size_t offset);

static Copy large_copy = copy_words;

/* Before main (), so that no call has to ask. */
__attribute__ ((constructor)) static void
choose_kernel (void)
{
  S9wsMaskKernel kernels[8];
  size_t n = s9ws_mask_get_kernels (kernels, 8);

  large_copy = kernels[n - 1].copy;
}

void
s9ws_mask_copy (uint8_t       *target,
                const uint8_t *source,
                size_t         size,
                const uint8_t  mask[4],
                size_t         offset)
{
  if (size >= 256)
    {
      large_copy (target, source, size, mask, offset);
      return;
    }

#if defined(HAVE_X86)
  copy_sse2 (target, source, size, mask, offset);
#elif defined(HAVE_NEON)
  copy_neon (target, source, size, mask, offset);
#else
  copy_words (target, source, size, mask, offset);
#endif
}

size_t
s9ws_mask_get_kernels (S9wsMaskKernel *kernels,
                       size_t          max_kernels)
{
  const S9wsMaskKernel all[] = {
    { "bytes", copy_bytes },
    { "words", copy_words },
#ifdef HAVE_X86
    { "sse2", copy_sse2 },
    { "avx2", copy_avx2 },
#endif
#ifdef HAVE_NEON
    { "neon", copy_neon },
#endif
  };
  size_t n = sizeof all / sizeof *all;

#ifdef HAVE_X86
  __builtin_cpu_init ();
  if (!__builtin_cpu_supports ("avx2"))
    n--;
#endif
  if (n > max_kernels)
    n = max_kernels;
  memcpy (kernels, all, n * sizeof *all);

  return n;
}
