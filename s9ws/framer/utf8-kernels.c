/* utf8-kernels.c: UTF-8 validated a vector at a time
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "utf8-kernels.h"

#include <string.h>

#include "short-ascii.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_X86 1
#include <immintrin.h>
#elif defined(__aarch64__) && defined(__ARM_NEON)
#define HAVE_NEON 1
#include <arm_neon.h>
#endif

#define VECTOR_MIN 64 /* bytes: below this the scalar loop is faster than a lookup */

#if defined(HAVE_X86) || defined(HAVE_NEON)
/* John Keiser and Daniel Lemire, "Validating UTF-8 In Less Than One Instruction Per
 * Byte" (2021): three table lookups, by the two halves of a byte and the upper half of
 * the next, each give the set of errors that are still possible; what is in all three
 * sets is one.  Being the second or third continuation is told by the bytes before. */
enum
{
  TOO_SHORT = 1 << 0,
  TOO_LONG = 1 << 1,
  OVERLONG_3 = 1 << 2,
  TOO_LARGE = 1 << 3,
  SURROGATE = 1 << 4,
  OVERLONG_2 = 1 << 5,
  TOO_LARGE_1000 = 1 << 6, /* and overlong of four bytes: the first bytes differ */
  TWO_CONTINUATIONS = 1 << 7,
  CARRY = TOO_SHORT | TOO_LONG | TWO_CONTINUATIONS,
};

#define FIRST_HIGH                                                                                          \
  TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,                           \
    (char) TWO_CONTINUATIONS, (char) TWO_CONTINUATIONS, (char) TWO_CONTINUATIONS, (char) TWO_CONTINUATIONS, \
    TOO_SHORT | OVERLONG_2, TOO_SHORT, TOO_SHORT | OVERLONG_3 | SURROGATE,                                  \
    TOO_SHORT | TOO_LARGE | TOO_LARGE_1000

#define LARGE_ENTRY (char) (CARRY | TOO_LARGE | TOO_LARGE_1000)
#define FIRST_LOW                                                                                                     \
  (char) (CARRY | OVERLONG_3 | OVERLONG_2 | TOO_LARGE_1000), (char) (CARRY | OVERLONG_2), (char) CARRY, (char) CARRY, \
    (char) (CARRY | TOO_LARGE), LARGE_ENTRY, LARGE_ENTRY, LARGE_ENTRY, LARGE_ENTRY, LARGE_ENTRY, LARGE_ENTRY,         \
    LARGE_ENTRY, LARGE_ENTRY, (char) (CARRY | TOO_LARGE | TOO_LARGE_1000 | SURROGATE), LARGE_ENTRY, LARGE_ENTRY

#define CONTINUATION_ENTRY (TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS)
#define SECOND_HIGH                                                                                                  \
  TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,                            \
    (char) (CONTINUATION_ENTRY | OVERLONG_3 | TOO_LARGE_1000), (char) (CONTINUATION_ENTRY | OVERLONG_3 | TOO_LARGE), \
    (char) (CONTINUATION_ENTRY | SURROGATE | TOO_LARGE), (char) (CONTINUATION_ENTRY | SURROGATE | TOO_LARGE),        \
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT
#endif

#ifdef HAVE_X86
/* The errors in 16 bytes, given the 16 before. */
__attribute__ ((target ("ssse3"))) static inline __m128i
check_ssse3 (__m128i input,
             __m128i before)
{
  const __m128i first_high = _mm_setr_epi8 (FIRST_HIGH);
  const __m128i first_low = _mm_setr_epi8 (FIRST_LOW);
  const __m128i second_high = _mm_setr_epi8 (SECOND_HIGH);
  const __m128i nibble = _mm_set1_epi8 (0x0f);
  __m128i previous_1 = _mm_alignr_epi8 (input, before, 15);
  __m128i previous_2 = _mm_alignr_epi8 (input, before, 14);
  __m128i previous_3 = _mm_alignr_epi8 (input, before, 13);
  __m128i special, third, fourth, must_continue;

  special = _mm_and_si128 (
    _mm_and_si128 (_mm_shuffle_epi8 (first_high, _mm_and_si128 (_mm_srli_epi16 (previous_1, 4), nibble)),
                   _mm_shuffle_epi8 (first_low, _mm_and_si128 (previous_1, nibble))),
    _mm_shuffle_epi8 (second_high, _mm_and_si128 (_mm_srli_epi16 (input, 4), nibble)));
  third = _mm_subs_epu8 (previous_2, _mm_set1_epi8 (0xe0 - 0x80));
  fourth = _mm_subs_epu8 (previous_3, _mm_set1_epi8 (0xf0 - 0x80));
  must_continue = _mm_and_si128 (_mm_or_si128 (third, fourth), _mm_set1_epi8 ((char) 0x80));

  return _mm_xor_si128 (must_continue, special);
}

__attribute__ ((target ("ssse3"))) static bool
is_valid_ssse3 (const uint8_t *data,
                size_t         size)
{
  __m128i before = _mm_setzero_si128 ();
  __m128i errors = _mm_setzero_si128 ();
  uint8_t last[16] = { 0 };
  size_t i = 0;

  for (; size - i >= 16; i += 16)
    {
      __m128i input = _mm_loadu_si128 ((const __m128i *) (data + i));

      errors = _mm_or_si128 (errors, check_ssse3 (input, before));
      before = input;
    }

  /* The rest, at most 15 bytes, and zeros behind it: a character that is cut off meets one. */
  memcpy (last, data + i, size - i);
  errors = _mm_or_si128 (errors, check_ssse3 (_mm_loadu_si128 ((const __m128i *) last), before));

  return _mm_movemask_epi8 (_mm_cmpeq_epi8 (errors, _mm_setzero_si128 ())) == 0xffff;
}

__attribute__ ((target ("avx2"))) static inline __m256i
check_avx2 (__m256i input,
            __m256i before)
{
  const __m256i first_high = _mm256_broadcastsi128_si256 (_mm_setr_epi8 (FIRST_HIGH));
  const __m256i first_low = _mm256_broadcastsi128_si256 (_mm_setr_epi8 (FIRST_LOW));
  const __m256i second_high = _mm256_broadcastsi128_si256 (_mm_setr_epi8 (SECOND_HIGH));
  const __m256i nibble = _mm256_set1_epi8 (0x0f);
  __m256i middle = _mm256_permute2x128_si256 (before, input, 0x21);
  __m256i previous_1 = _mm256_alignr_epi8 (input, middle, 15);
  __m256i previous_2 = _mm256_alignr_epi8 (input, middle, 14);
  __m256i previous_3 = _mm256_alignr_epi8 (input, middle, 13);
  __m256i special, third, fourth, must_continue;

  special = _mm256_and_si256 (
    _mm256_and_si256 (_mm256_shuffle_epi8 (first_high, _mm256_and_si256 (_mm256_srli_epi16 (previous_1, 4), nibble)),
                      _mm256_shuffle_epi8 (first_low, _mm256_and_si256 (previous_1, nibble))),
    _mm256_shuffle_epi8 (second_high, _mm256_and_si256 (_mm256_srli_epi16 (input, 4), nibble)));
  third = _mm256_subs_epu8 (previous_2, _mm256_set1_epi8 (0xe0 - 0x80));
  fourth = _mm256_subs_epu8 (previous_3, _mm256_set1_epi8 (0xf0 - 0x80));
  must_continue = _mm256_and_si256 (_mm256_or_si256 (third, fourth), _mm256_set1_epi8 ((char) 0x80));

  return _mm256_xor_si256 (must_continue, special);
}

/* 128 bytes of ASCII at a time, behind a vector that leaves no character open; anything
 * else 32 bytes at a time. */
__attribute__ ((target ("avx2"))) static bool
is_valid_avx2 (const uint8_t *data,
               size_t         size)
{
  __m256i before = _mm256_setzero_si256 ();
  __m256i errors = _mm256_setzero_si256 ();
  uint8_t last[32] = { 0 };
  size_t i = 0;

  while (size - i >= 32)
    {
      __m256i input;

      if (size - i >= 128)
        {
          __m256i a = _mm256_loadu_si256 ((const __m256i *) (data + i));
          __m256i b = _mm256_loadu_si256 ((const __m256i *) (data + i + 32));
          __m256i c = _mm256_loadu_si256 ((const __m256i *) (data + i + 64));
          __m256i d = _mm256_loadu_si256 ((const __m256i *) (data + i + 96));
          __m256i any = _mm256_or_si256 (_mm256_or_si256 (a, b), _mm256_or_si256 (c, d));

          if (_mm256_movemask_epi8 (_mm256_or_si256 (any, before)) == 0)
            {
              i += 128;
              continue;
            }
        }

      input = _mm256_loadu_si256 ((const __m256i *) (data + i));
      errors = _mm256_or_si256 (errors, check_avx2 (input, before));
      before = input;
      i += 32;
    }

  memcpy (last, data + i, size - i);
  errors = _mm256_or_si256 (errors, check_avx2 (_mm256_loadu_si256 ((const __m256i *) last), before));

  return _mm256_testz_si256 (errors, errors);
}

__attribute__ ((target ("avx512f,avx512bw"))) static inline __m512i
check_avx512 (__m512i input,
              __m512i before)
{
  const __m512i first_high = _mm512_broadcast_i32x4 (_mm_setr_epi8 (FIRST_HIGH));
  const __m512i first_low = _mm512_broadcast_i32x4 (_mm_setr_epi8 (FIRST_LOW));
  const __m512i second_high = _mm512_broadcast_i32x4 (_mm_setr_epi8 (SECOND_HIGH));
  const __m512i nibble = _mm512_set1_epi8 (0x0f);
  __m512i middle = _mm512_alignr_epi64 (input, before, 6);
  __m512i previous_1 = _mm512_alignr_epi8 (input, middle, 15);
  __m512i previous_2 = _mm512_alignr_epi8 (input, middle, 14);
  __m512i previous_3 = _mm512_alignr_epi8 (input, middle, 13);
  __m512i special, third, fourth, must_continue;

  special = _mm512_and_si512 (
    _mm512_and_si512 (_mm512_shuffle_epi8 (first_high, _mm512_and_si512 (_mm512_srli_epi16 (previous_1, 4), nibble)),
                      _mm512_shuffle_epi8 (first_low, _mm512_and_si512 (previous_1, nibble))),
    _mm512_shuffle_epi8 (second_high, _mm512_and_si512 (_mm512_srli_epi16 (input, 4), nibble)));
  third = _mm512_subs_epu8 (previous_2, _mm512_set1_epi8 (0xe0 - 0x80));
  fourth = _mm512_subs_epu8 (previous_3, _mm512_set1_epi8 (0xf0 - 0x80));
  must_continue = _mm512_and_si512 (_mm512_or_si512 (third, fourth), _mm512_set1_epi8 ((char) 0x80));

  return _mm512_xor_si512 (must_continue, special);
}

/* As above with 64 bytes; the rest is loaded with zeros behind it, and nothing beyond it is
 * touched. */
__attribute__ ((target ("avx512f,avx512bw"))) static bool
is_valid_avx512 (const uint8_t *data,
                 size_t         size)
{
  __m512i before = _mm512_setzero_si512 ();
  __m512i errors = _mm512_setzero_si512 ();
  __m512i input;
  size_t i = 0;

  while (size - i >= 64)
    {
      if (size - i >= 256)
        {
          __m512i a = _mm512_loadu_si512 (data + i);
          __m512i b = _mm512_loadu_si512 (data + i + 64);
          __m512i c = _mm512_loadu_si512 (data + i + 128);
          __m512i d = _mm512_loadu_si512 (data + i + 192);
          __m512i any = _mm512_or_si512 (_mm512_or_si512 (a, b), _mm512_or_si512 (c, d));

          if (_mm512_movepi8_mask (_mm512_or_si512 (any, before)) == 0)
            {
              i += 256;
              continue;
            }
        }

      input = _mm512_loadu_si512 (data + i);
      errors = _mm512_or_si512 (errors, check_avx512 (input, before));
      before = input;
      i += 64;
    }

  input = _mm512_maskz_loadu_epi8 (((__mmask64) 1 << (size - i)) - 1, data + i);
  errors = _mm512_or_si512 (errors, check_avx512 (input, before));

  return _mm512_test_epi8_mask (errors, errors) == 0;
}
#endif

#ifdef HAVE_NEON
static inline uint8x16_t
load_table (const char table[16])
{
  return vld1q_u8 ((const uint8_t *) table);
}

/* The errors in 16 bytes, given the 16 before. */
static inline uint8x16_t
check_neon (uint8x16_t input,
            uint8x16_t before)
{
  static const char first_high[16] = { FIRST_HIGH };
  static const char first_low[16] = { FIRST_LOW };
  static const char second_high[16] = { SECOND_HIGH };
  uint8x16_t previous_1 = vextq_u8 (before, input, 15);
  uint8x16_t previous_2 = vextq_u8 (before, input, 14);
  uint8x16_t previous_3 = vextq_u8 (before, input, 13);
  uint8x16_t special, third, fourth, must_continue;

  special = vandq_u8 (vandq_u8 (vqtbl1q_u8 (load_table (first_high), vshrq_n_u8 (previous_1, 4)),
                                vqtbl1q_u8 (load_table (first_low), vandq_u8 (previous_1, vdupq_n_u8 (0x0f)))),
                      vqtbl1q_u8 (load_table (second_high), vshrq_n_u8 (input, 4)));
  third = vqsubq_u8 (previous_2, vdupq_n_u8 (0xe0 - 0x80));
  fourth = vqsubq_u8 (previous_3, vdupq_n_u8 (0xf0 - 0x80));
  must_continue = vandq_u8 (vorrq_u8 (third, fourth), vdupq_n_u8 (0x80));

  return veorq_u8 (must_continue, special);
}

/* 64 bytes of ASCII at a time, behind a vector that leaves no character open; anything
 * else 16 bytes at a time. */
static bool
is_valid_neon (const uint8_t *data,
               size_t         size)
{
  uint8x16_t before = vdupq_n_u8 (0);
  uint8x16_t errors = vdupq_n_u8 (0);
  uint8_t last[16] = { 0 };
  size_t i = 0;

  while (size - i >= 16)
    {
      uint8x16_t input;

      if (size - i >= 64)
        {
          uint8x16_t any = vorrq_u8 (vorrq_u8 (vld1q_u8 (data + i), vld1q_u8 (data + i + 16)),
                                     vorrq_u8 (vld1q_u8 (data + i + 32), vld1q_u8 (data + i + 48)));

          if (vmaxvq_u8 (vorrq_u8 (any, before)) < 0x80)
            {
              i += 64;
              continue;
            }
        }

      input = vld1q_u8 (data + i);
      errors = vorrq_u8 (errors, check_neon (input, before));
      before = input;
      i += 16;
    }

  memcpy (last, data + i, size - i);
  errors = vorrq_u8 (errors, check_neon (vld1q_u8 (last), before));

  return vmaxvq_u8 (errors) == 0;
}
#endif

typedef bool (*IsValid) (const uint8_t *data, size_t size);

static IsValid is_long_valid = s9ws_utf8_is_valid_scalar;

/* Before main (), so that no call has to ask. */
__attribute__ ((constructor)) static void
choose_kernel (void)
{
  S9wsUtf8Kernel kernels[8];
  size_t n = s9ws_utf8_get_kernels (kernels, 8);

  is_long_valid = kernels[n - 1].is_valid;
}

bool
s9ws_utf8_is_valid (const uint8_t *data,
                    size_t         size)
{
  if (size < 128 && s9ws_utf8_is_short_ascii (data, size))
    return true;

  return size < VECTOR_MIN ? s9ws_utf8_is_valid_scalar (data, size) : is_long_valid (data, size);
}

size_t
s9ws_utf8_get_kernels (S9wsUtf8Kernel *kernels,
                       size_t          max_kernels)
{
  const S9wsUtf8Kernel all[] = {
    { "scalar", s9ws_utf8_is_valid_scalar },
#ifdef HAVE_X86
    { "ssse3", is_valid_ssse3 },
    { "avx2", is_valid_avx2 },
    { "avx512", is_valid_avx512 },
#endif
#ifdef HAVE_NEON
    { "neon", is_valid_neon },
#endif
  };
  size_t n = sizeof all / sizeof *all;

#ifdef HAVE_X86
  __builtin_cpu_init ();
  /* What has this has no clock that falls where such vectors are used, either. */
  if (!__builtin_cpu_supports ("avx512vbmi2"))
    n--;
  if (!__builtin_cpu_supports ("avx2"))
    n--;
  if (!__builtin_cpu_supports ("ssse3"))
    n--;
#endif
  if (n > max_kernels)
    n = max_kernels;
  memcpy (kernels, all, n * sizeof *all);

  return n;
}
