/* fuzz-decoder.c: frames from anybody, whole and in pieces
 *
 * The first byte of the input says which role and limits, the second how it is cut up;
 * the rest is what the peer sends.  Cut up or not, the messages must be the same; and
 * whatever vector code makes of these bytes, the scalar reference must make of them, too.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mask.h"
#include "message.h"

int LLVMFuzzerTestOneInput (const uint8_t *data,
                            size_t         size);

#define INPUT_MAX 4096
#define MAX_KERNELS 8

/* Of the first byte. */
#define AS_SERVER 1
#define WITH_FRAME_LIMIT 2
#define WITH_MESSAGE_LIMIT 4
#define WITH_INFLATER 8
#define WITHOUT_TAKEOVER 16
#define IN_PIECES 32
#define IN_LARGE_PIECES 64

/* What came out: opcode, close code, size and payload of each message, then the end. */
typedef struct
{
  uint8_t *data;
  size_t size;
  size_t capacity;
  uint8_t violation;
} Log;

static void
log_bytes (Log        *log,
           const void *data,
           size_t      size)
{
  if (log->capacity - log->size < size)
    {
      log->capacity = (log->size + size) * 2;
      log->data = realloc (log->data, log->capacity);
    }
  if (size > 0)
    memcpy (log->data + log->size, data, size);
  log->size += size;
}

/* How a message is cut up must not be seen: only where it begins and ends. */
static void
log_piece (Log               *log,
           const S9wsMessage *message)
{
  uint8_t begin = 0x20 | (message->piece_flags & S9WS_PIECE_IS_TEXT);

  if ((message->piece_flags & S9WS_PIECE_IS_FIRST) != 0)
    log_bytes (log, &begin, 1);
  log_bytes (log, message->data, message->size);
  if ((message->piece_flags & S9WS_PIECE_IS_LAST) != 0)
    log_bytes (log, "!", 1);
}

static void
log_message (Log               *log,
             const S9wsMessage *message)
{
  uint16_t close_code = message->opcode == S9WS_OPCODE_CLOSE ? message->close_code : 0;
  uint32_t size = (uint32_t) message->size;

  if (message->opcode == S9WS_MESSAGE_PIECE)
    {
      log_piece (log, message);
      return;
    }

  log_bytes (log, &message->opcode, 1);
  log_bytes (log, &close_code, sizeof close_code);
  log_bytes (log, &size, sizeof size);
  log_bytes (log, message->data, message->size);
  if (message->opcode == S9WS_OPCODE_TEXT && !s9ws_utf8_is_valid (message->data, message->size))
    abort ();
}

static void *
allocate (void     *opaque,
          unsigned  n,
          unsigned  size)
{
  return calloc (n, size);
}

static void
release (void *opaque,
         void *data)
{
  free (data);
}

/* With what is inflated at the end of its buffer. */
static void
grow (S9wsInflated *inflated)
{
  uint8_t *data = malloc (inflated->capacity + 100);

  if (inflated->size > 0)
    memcpy (data, inflated->data, inflated->size);
  free (inflated->data);
  inflated->data = data;
  inflated->capacity += 100;
}

static S9wsMessageResult
decode_next (S9wsMessageDecoder *decoder,
             S9wsWindow         *window,
             S9wsInflated       *inflated,
             S9wsMessage        *message)
{
  S9wsMessageResult result;

  while ((result = s9ws_message_decoder_next (decoder, window, message)) == S9WS_MESSAGE_NO_ROOM)
    grow (inflated);

  return result;
}

static void
decode (const uint8_t *data,
        size_t         size,
        size_t         step,
        uint8_t        setup,
        Log           *log)
{
  static const S9wsDeflateMemory memory = { allocate, release };
  uint8_t *buffer = malloc (size + 1);
  S9wsWindow window = { buffer, 0, 0 };
  S9wsInflated inflated = { NULL, 0, 0 };
  S9wsInflater inflater;
  S9wsMessageDecoder decoder;
  S9wsMessageResult result = S9WS_MESSAGE_INCOMPLETE;
  uint64_t max_size = setup & WITH_MESSAGE_LIMIT ? 300 : setup & WITH_INFLATER ? 20000
                                                                               : 0;
  size_t given = 0;

  log->size = 0;
  log->violation = 0;
  s9ws_message_decoder_init (&decoder, setup & AS_SERVER ? S9WS_ROLE_SERVER : S9WS_ROLE_CLIENT,
                             setup & WITH_FRAME_LIMIT ? 100 : 0, max_size);
  /* Whether a reference beyond a smaller window is found out depends on the pieces. */
  s9ws_inflater_init (&inflater, &memory, 15, (setup & WITHOUT_TAKEOVER) == 0);
  if ((setup & WITH_INFLATER) != 0)
    s9ws_message_decoder_use_inflater (&decoder, &inflater, &inflated);
  if ((setup & IN_PIECES) != 0)
    s9ws_message_decoder_use_pieces (&decoder, setup & IN_LARGE_PIECES ? 1000 : 3);

  while (given < size && result != S9WS_MESSAGE_VIOLATION)
    {
      size_t n = step < size - given ? step : size - given;
      S9wsMessage message;

      /* As the connection does: what is left moves to the front. */
      memmove (buffer, buffer + window.begin, window.end - window.begin);
      window.end -= window.begin;
      window.begin = 0;
      memcpy (buffer + window.end, data + given, n);
      window.end += n;
      given += n;
      while ((result = decode_next (&decoder, &window, &inflated, &message)) == S9WS_MESSAGE_READY)
        log_message (log, &message);
    }

  if (result == S9WS_MESSAGE_VIOLATION)
    {
      log->violation = (uint8_t) s9ws_message_decoder_get_violation (&decoder);
      if (s9ws_violation_get_close_code (log->violation) == 0)
        abort ();
    }
  s9ws_inflater_release (&inflater);
  free (inflated.data);
  free (buffer);
}

static void
check_utf8 (const uint8_t *data,
            size_t         size,
            size_t         step)
{
  S9wsUtf8Kernel kernels[MAX_KERNELS];
  size_t n = s9ws_utf8_get_kernels (kernels, MAX_KERNELS);
  bool expected = kernels[0].is_valid (data, size);
  bool is_valid = true;
  S9wsUtf8 utf8 = { 0 };

  for (size_t i = 1; i < n; i++)
    if (kernels[i].is_valid (data, size) != expected)
      {
        fprintf (stderr, "UTF-8: %s is not as %s\n", kernels[i].name, kernels[0].name);
        abort ();
      }

  for (size_t i = 0; i < size && is_valid; i += step)
    is_valid = s9ws_utf8_feed (&utf8, data + i, step < size - i ? step : size - i);
  if ((is_valid && s9ws_utf8_is_complete (&utf8)) != expected)
    {
      fprintf (stderr, "UTF-8: in pieces of %zu bytes it is not the same\n", step);
      abort ();
    }
}

/* The input's begin is the mask. */
static void
check_mask (const uint8_t *data,
            size_t         size,
            size_t         offset)
{
  S9wsMaskKernel kernels[MAX_KERNELS];
  size_t n = s9ws_mask_get_kernels (kernels, MAX_KERNELS);
  uint8_t *expected = malloc (size);
  uint8_t *target = malloc (size);

  kernels[0].copy (expected, data, size, data, offset);
  for (size_t i = 1; i < n; i++)
    {
      memset (target, 0, size);
      kernels[i].copy (target, data, size, data, offset);
      if (memcmp (target, expected, size) != 0)
        {
          fprintf (stderr, "mask: %s is not as %s\n", kernels[i].name, kernels[0].name);
          abort ();
        }
    }
  free (expected);
  free (target);
}

/* How much one byte inflates to is not known before: whether what is no text or what is
 * too much is found first depends on where the input was cut. */
static int
is_either (uint8_t violation)
{
  return violation == S9WS_VIOLATION_TEXT || violation == S9WS_VIOLATION_MESSAGE_TOO_BIG;
}

static int
is_same_violation (uint8_t a,
                   uint8_t b,
                   uint8_t setup)
{
  return a == b || ((setup & WITH_INFLATER) != 0 && is_either (a) && is_either (b));
}

/* Where a message is delivered as it comes, more or less of it may come before what is
 * wrong with it. */
static int
is_same (const Log *a,
         const Log *b,
         uint8_t    setup)
{
  size_t common = a->size < b->size ? a->size : b->size;

  if (!is_same_violation (a->violation, b->violation, setup) || (common > 0 && memcmp (a->data, b->data, common) != 0))
    return 0;

  return a->size == b->size || ((setup & IN_PIECES) != 0 && a->violation != 0);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  static Log whole, pieces;
  size_t step;

  if (size < 2 || size > INPUT_MAX)
    return 0;

  step = data[1] % 16 + 1;
  decode (data + 2, size - 2, size, data[0], &whole);
  decode (data + 2, size - 2, step, data[0], &pieces);
  if (!is_same (&whole, &pieces, data[0]))
    {
      fprintf (stderr, "in pieces of %zu bytes something else comes out\n", step);
      abort ();
    }

  check_utf8 (data + 2, size - 2, step);
  if (size >= 6)
    check_mask (data + 2, size - 2, step);

  return 0;
}
