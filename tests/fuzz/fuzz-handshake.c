/* fuzz-handshake.c: answers to the upgrade from anybody, whole and in pieces
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "extension.h"

int LLVMFuzzerTestOneInput (const uint8_t *data,
                            size_t         size);

static S9wsResponseResult
read_response (const char   *data,
               size_t        size,
               size_t        step,
               S9wsResponse *response)
{
  S9wsResponseResult result = S9WS_RESPONSE_INCOMPLETE;
  size_t scanned = 0;

  for (size_t given = step < size ? step : size; result == S9WS_RESPONSE_INCOMPLETE; given += step)
    {
      if (given > size)
        given = size;
      result = s9ws_response_read (response, data, given, &scanned);
      if (given == size)
        break;
    }

  return result;
}

static void
check_response (const S9wsResponse *response)
{
  static const char *const protocols[] = { "chat", "echo", NULL };
  int index;

  if (s9ws_response_check (response, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", protocols, false, &index) ==
        S9WS_HANDSHAKE_FAULT_NONE &&
      (response->status != 101 || index < -1 || index > 1))
    abort ();

  for (size_t i = 0; i < response->n_headers; i++)
    if (!s9ws_is_token (response->headers[i].name.data, response->headers[i].name.size) ||
        !s9ws_is_field_value (response->headers[i].value.data, response->headers[i].value.size))
      abort ();
}

/* What is agreed on is never more than what was offered. */
static void
check_extensions (const S9wsResponse *response,
                  uint8_t             setup)
{
  S9wsDeflateParameters offer = { 15, 15, false, false };
  S9wsDeflateParameters agreed;
  S9wsSlice subject;
  bool is_agreed;

  if ((setup & 1) != 0)
    offer = (S9wsDeflateParameters){ 10, 11, true, true };

  if (s9ws_response_check_extensions (response, (setup & 2) != 0 ? NULL : &offer, &is_agreed, &agreed, &subject) !=
      S9WS_HANDSHAKE_FAULT_NONE)
    {
      if (subject.size > 0 && memchr (subject.data, '\0', subject.size) != NULL)
        abort ();
      return;
    }

  if (is_agreed && ((setup & 2) != 0 || agreed.client_max_window_bits < 8 || agreed.server_max_window_bits < 8 ||
                    agreed.client_max_window_bits > offer.client_max_window_bits ||
                    agreed.server_max_window_bits > offer.server_max_window_bits ||
                    (offer.server_no_context_takeover && !agreed.server_no_context_takeover)))
    abort ();
}

static size_t
decode_body (const S9wsResponse *response,
             const uint8_t      *data,
             size_t              size,
             size_t              step,
             uint8_t            *decoded)
{
  S9wsBodyResult result = S9WS_BODY_INCOMPLETE;
  S9wsBody body;
  size_t total = 0;

  s9ws_body_init (&body, response);
  for (size_t i = 0; i < size && result == S9WS_BODY_INCOMPLETE; i += step)
    {
      size_t n = step < size - i ? step : size - i;
      size_t n_decoded;
      uint8_t *piece = malloc (n);

      memcpy (piece, data + i, n);
      result = s9ws_body_decode (&body, piece, n, &n_decoded);
      if (n_decoded > n)
        abort ();
      memcpy (decoded + total, piece, n_decoded);
      total += n_decoded;
      free (piece);
    }

  return total;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  static S9wsResponse whole, pieces;
  S9wsResponseResult result;
  uint8_t setup;
  size_t step;
  char *copy;

  if (size < 1)
    return 0;

  /* On the heap, so that reading past the end is seen. */
  step = data[0] % 32 + 1;
  setup = data[0] >> 5;
  data++;
  size--;
  copy = malloc (size > 0 ? size : 1);
  memcpy (copy, data, size);

  result = read_response (copy, size, size > 0 ? size : 1, &whole);
  if (read_response (copy, size, step, &pieces) != result ||
      (result == S9WS_RESPONSE_READY && pieces.head_size != whole.head_size))
    {
      fprintf (stderr, "in pieces of %zu bytes something else comes out\n", step);
      abort ();
    }

  if (result == S9WS_RESPONSE_READY)
    {
      const uint8_t *body = data + whole.head_size;
      size_t body_size = size - whole.head_size;
      uint8_t *a = malloc (body_size + 1);
      uint8_t *b = malloc (body_size + 1);
      size_t a_size, b_size;

      check_response (&whole);
      check_extensions (&whole, setup);
      a_size = decode_body (&whole, body, body_size, body_size + 1, a);
      b_size = decode_body (&whole, body, body_size, step, b);
      if (a_size != b_size || memcmp (a, b, a_size) != 0)
        abort ();
      free (a);
      free (b);
    }

  free (copy);
  return 0;
}
