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

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define MAX_INPUT 4096
#define MAX_KERNELS 8

/* What came out: opcode, close code, size and payload of each message, then the end. */
typedef struct
{
  uint8_t data[MAX_INPUT * 8];
  size_t size;
} Log;

static void
log_bytes (Log        *log,
           const void *data,
           size_t      size)
{
  if (size > sizeof log->data - log->size)
    abort ();
  memcpy (log->data + log->size, data, size);
  log->size += size;
}

static void
log_message (Log               *log,
             const S9wsMessage *message)
{
  uint16_t close_code = message->opcode == S9WS_OPCODE_CLOSE ? message->close_code : 0;
  uint32_t size = (uint32_t) message->size;

  log_bytes (log, &message->opcode, 1);
  log_bytes (log, &close_code, sizeof close_code);
  log_bytes (log, &size, sizeof size);
  log_bytes (log, message->data, message->size);
  if (message->opcode == S9WS_OPCODE_TEXT && !s9ws_utf8_is_valid (message->data, message->size))
    abort ();
}

static void
decode (const uint8_t *data,
        size_t         size,
        size_t         step,
        uint8_t        setup,
        Log           *log)
{
  uint8_t *buffer = malloc (size + 1);
  S9wsWindow window = { buffer, 0, 0 };
  S9wsMessageDecoder decoder;
  S9wsMessageResult result = S9WS_MESSAGE_INCOMPLETE;
  size_t given = 0;

  log->size = 0;
  s9ws_message_decoder_init (&decoder, setup & 1 ? S9WS_ROLE_SERVER : S9WS_ROLE_CLIENT,
                             setup & 2 ? 100 : 0, setup & 4 ? 300 : 0);
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
      while ((result = s9ws_message_decoder_next (&decoder, &window, &message)) == S9WS_MESSAGE_READY)
        log_message (log, &message);
    }

  if (result == S9WS_MESSAGE_VIOLATION)
    {
      uint8_t violation = (uint8_t) s9ws_message_decoder_get_violation (&decoder);

      if (s9ws_violation_get_close_code (violation) == 0)
        abort ();
      log_bytes (log, &violation, 1);
    }
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

int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  static Log whole, pieces;
  size_t step;

  if (size < 2 || size > MAX_INPUT)
    return 0;

  step = data[1] % 16 + 1;
  decode (data + 2, size - 2, size, data[0], &whole);
  decode (data + 2, size - 2, step, data[0], &pieces);
  if (whole.size != pieces.size || memcmp (whole.data, pieces.data, whole.size) != 0)
    {
      fprintf (stderr, "in pieces of %zu bytes something else comes out\n", step);
      abort ();
    }

  check_utf8 (data + 2, size - 2, step);
  if (size >= 6)
    check_mask (data + 2, size - 2, step);

  return 0;
}
