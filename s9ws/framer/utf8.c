/* utf8.c: UTF-8 as RFC 3629 has it, validated as bytes arrive
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "utf8.h"

#include <string.h>

#include "utf8-kernels.h"

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
  *second_min = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90
                                                     : 0x80;
  *second_max = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f
                                                     : 0xbf;

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

bool
s9ws_utf8_is_valid_scalar (const uint8_t *data,
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
