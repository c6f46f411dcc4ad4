/* utf8.c: UTF-8 as RFC 3629 has it, validated as bytes arrive
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "utf8.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_X86 1
#include <immintrin.h>
#endif

#define VECTOR_MIN 64 /* bytes: below this the scalar loop is faster than a lookup */

typedef enum
{
  CHARACTER_VALID,
  CHARACTER_CUT_OFF, /* so far it is valid */
  CHARACTER_INVALID,
} Character;

/* RFC 3629, section 4: what may come second depends on the first; 0 for what cannot
 * be a first byte. */
static size_t
get_size (uint8_t  first,
          uint8_t *second_min,
          uint8_t *second_max)
{
  *second_min = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  *second_max = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;

  if (first < 0x80)
    return 1;
  if (first < 0xc2)
    return 0;
  if (first < 0xe0)
    return 2;
  if (first < 0xf0)
    return 3;

  return first < 0xf5 ? 4 : 0;
}

static Character
read_character (const uint8_t *data,
                size_t         size,
                size_t        *character_size)
{
  uint8_t second_min, second_max;

  *character_size = get_size (data[0], &second_min, &second_max);
  if (*character_size == 0)
    return CHARACTER_INVALID;

  for (size_t i = 1; i < *character_size; i++)
    {
      uint8_t min = i == 1 ? second_min : 0x80;
      uint8_t max = i == 1 ? second_max : 0xbf;

      if (i == size)
        return CHARACTER_CUT_OFF;
      if (data[i] < min || data[i] > max)
        return CHARACTER_INVALID;
    }

  return CHARACTER_VALID;
}

/* The reference: eight bytes of ASCII at a time, or one character. */
static bool
is_valid_scalar (const uint8_t *data,
                 size_t         size)
{
  while (size > 0)
    {
      size_t character_size;
      uint64_t word;

      if (size >= sizeof word)
        {
          memcpy (&word, data, sizeof word);
          if ((word & 0x8080808080808080u) == 0)
            {
              data += sizeof word;
              size -= sizeof word;
              continue;
            }
        }

      if (read_character (data, size, &character_size) != CHARACTER_VALID)
        return false;
      data += character_size;
      size -= character_size;
    }

  return true;
}

#ifdef HAVE_X86
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

#define FIRST_HIGH \
  TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, \
    (char) TWO_CONTINUATIONS, (char) TWO_CONTINUATIONS, (char) TWO_CONTINUATIONS, (char) TWO_CONTINUATIONS, \
    TOO_SHORT | OVERLONG_2, TOO_SHORT, TOO_SHORT | OVERLONG_3 | SURROGATE, \
    TOO_SHORT | TOO_LARGE | TOO_LARGE_1000

#define LARGE_ENTRY (char) (CARRY | TOO_LARGE | TOO_LARGE_1000)
#define FIRST_LOW \
  (char) (CARRY | OVERLONG_3 | OVERLONG_2 | TOO_LARGE_1000), (char) (CARRY | OVERLONG_2), (char) CARRY, (char) CARRY, \
    (char) (CARRY | TOO_LARGE), LARGE_ENTRY, LARGE_ENTRY, LARGE_ENTRY, LARGE_ENTRY, LARGE_ENTRY, LARGE_ENTRY, \
    LARGE_ENTRY, LARGE_ENTRY, (char) (CARRY | TOO_LARGE | TOO_LARGE_1000 | SURROGATE), LARGE_ENTRY, LARGE_ENTRY

#define CONTINUATION_ENTRY (TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS)
#define SECOND_HIGH \
  TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, \
    (char) (CONTINUATION_ENTRY | OVERLONG_3 | TOO_LARGE_1000), (char) (CONTINUATION_ENTRY | OVERLONG_3 | TOO_LARGE), \
    (char) (CONTINUATION_ENTRY | SURROGATE | TOO_LARGE), (char) (CONTINUATION_ENTRY | SURROGATE | TOO_LARGE), \
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT

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

/* Whether up to 127 bytes are ASCII alone: most short texts are. */
static inline bool
is_short_ascii (const uint8_t *data,
                size_t         size)
{
  __m128i any = _mm_setzero_si128 ();
  uint64_t rest = 0;
  size_t i = 0;

  for (; size - i >= 16; i += 16)
    any = _mm_or_si128 (any, _mm_loadu_si128 ((const __m128i *) (data + i)));
  if (size >= 16)
    {
      /* The last bytes once more, with some before. */
      any = _mm_or_si128 (any, _mm_loadu_si128 ((const __m128i *) (data + size - 16)));
      return _mm_movemask_epi8 (any) == 0;
    }

  for (; i < size; i++)
    rest |= data[i];
  return (rest & 0x80) == 0;
}
#endif

typedef bool (*IsValid) (const uint8_t *data, size_t size);

static IsValid is_long_valid = is_valid_scalar;

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
#ifdef HAVE_X86
  if (size < 128 && is_short_ascii (data, size))
    return true;
#endif

  return size < VECTOR_MIN ? is_valid_scalar (data, size) : is_long_valid (data, size);
}

size_t
s9ws_utf8_get_kernels (S9wsUtf8Kernel *kernels,
                       size_t          max_kernels)
{
  const S9wsUtf8Kernel all[] = {
    { "scalar", is_valid_scalar },
#ifdef HAVE_X86
    { "ssse3", is_valid_ssse3 },
    { "avx2", is_valid_avx2 },
#endif
  };
  size_t n = sizeof all / sizeof *all;

#ifdef HAVE_X86
  __builtin_cpu_init ();
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

/* How many bytes at the end belong to a character that is not whole, at most three.  They
 * may be invalid. */
static size_t
get_open_size (const uint8_t *data,
               size_t         size)
{
  for (size_t n = 1; n <= 3 && n <= size; n++)
    {
      uint8_t byte = data[size - n];

      if ((byte & 0xc0) == 0x80)
        continue;

      if ((byte >= 0xc0 && n < 2) || (byte >= 0xe0 && n < 3) || (byte >= 0xf0 && n < 4))
        return n;
      return 0;
    }

  return 0;
}

/* Adds to the character that has begun; returns how many bytes that took. */
static size_t
feed_tail (S9wsUtf8      *utf8,
           const uint8_t *data,
           size_t         size,
           bool          *is_valid)
{
  size_t used = 0;

  while (utf8->tail_size > 0 && used < size)
    {
      size_t character_size;

      utf8->tail[utf8->tail_size++] = data[used++];
      switch (read_character (utf8->tail, utf8->tail_size, &character_size))
        {
        case CHARACTER_VALID:
          utf8->tail_size = 0;
          break;
        case CHARACTER_CUT_OFF:
          break;
        case CHARACTER_INVALID:
        default:
          *is_valid = false;
          return used;
        }
    }

  return used;
}

bool
s9ws_utf8_feed (S9wsUtf8      *utf8,
                const uint8_t *data,
                size_t         size)
{
  bool is_valid = true;
  size_t used = feed_tail (utf8, data, size, &is_valid);
  size_t open_size, character_size;

  if (!is_valid || used == size)
    return is_valid;

  data += used;
  size -= used;
  open_size = get_open_size (data, size);
  if (!s9ws_utf8_is_valid (data, size - open_size))
    return false;

  if (open_size == 0)
    return true;

  memcpy (utf8->tail, data + size - open_size, open_size);
  utf8->tail_size = (uint8_t) open_size;
  return read_character (utf8->tail, open_size, &character_size) == CHARACTER_CUT_OFF;
}
