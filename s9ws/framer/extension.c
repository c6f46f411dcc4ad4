/* extension.c: permessage-deflate, offered and agreed on (RFC 6455, section 9; RFC 7692,
 * section 7.1)
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "extension.h"

#include <string.h>

#define NAME "permessage-deflate"
#define BITS_MIN 8
#define BITS_MAX 15

/* The parameters, in the order of their names here. */
typedef enum
{
  CLIENT_MAX_WINDOW_BITS,
  CLIENT_NO_CONTEXT_TAKEOVER,
  SERVER_MAX_WINDOW_BITS,
  SERVER_NO_CONTEXT_TAKEOVER,
  N_PARAMETERS,
} Parameter;

static const char *const names[N_PARAMETERS] = {
  "client_max_window_bits",
  "client_no_context_takeover",
  "server_max_window_bits",
  "server_no_context_takeover",
};

/* The offer */

static char *
add_text (char       *at,
          const char *text)
{
  size_t size = strlen (text);

  memcpy (at, text, size + 1);
  return at + size;
}

static char *
add_bits (char     *at,
          unsigned  bits)
{
  *at++ = '=';
  if (bits >= 10)
    *at++ = '1';
  *at++ = (char) ('0' + bits % 10);
  *at = '\0';
  return at;
}

void
s9ws_deflate_write_offer (const S9wsDeflateParameters *offer,
                          char                        *buffer)
{
  char *at = add_text (buffer, NAME "; client_max_window_bits");

  if (offer->client_max_window_bits < BITS_MAX)
    at = add_bits (at, offer->client_max_window_bits);
  if (offer->server_max_window_bits < BITS_MAX)
    at = add_bits (add_text (at, "; server_max_window_bits"), offer->server_max_window_bits);
  if (offer->client_no_context_takeover)
    at = add_text (at, "; client_no_context_takeover");
  if (offer->server_no_context_takeover)
    add_text (at, "; server_no_context_takeover");
}

/* The answer */

typedef struct
{
  const char *at;
  const char *end;
} Scanner;

static void
skip_spaces (Scanner *scanner)
{
  while (scanner->at < scanner->end && (*scanner->at == ' ' || *scanner->at == '\t'))
    scanner->at++;
}

/* Whether the next thing is this character, which is then passed over. */
static bool
take (Scanner *scanner,
      char     c)
{
  skip_spaces (scanner);
  if (scanner->at == scanner->end || *scanner->at != c)
    return false;

  scanner->at++;
  return true;
}

static bool
take_token (Scanner   *scanner,
            S9wsSlice *token)
{
  skip_spaces (scanner);
  token->data = scanner->at;
  while (scanner->at < scanner->end && s9ws_is_token (scanner->at, 1))
    scanner->at++;
  token->size = (size_t) (scanner->at - token->data);
  return token->size > 0;
}

/* RFC 6455, section 9.1: what stands in quotes must be a token, too. */
static bool
take_value (Scanner   *scanner,
            S9wsSlice *value)
{
  if (!take (scanner, '"'))
    return take_token (scanner, value);

  value->data = scanner->at;
  while (scanner->at < scanner->end && s9ws_is_token (scanner->at, 1))
    scanner->at++;
  value->size = (size_t) (scanner->at - value->data);
  if (scanner->at == scanner->end || *scanner->at != '"')
    return false;

  scanner->at++;
  return value->size > 0;
}

static S9wsSlice
get_rest (const Scanner *scanner)
{
  return (S9wsSlice){ scanner->at, (size_t) (scanner->end - scanner->at) };
}

static bool
is_equal (S9wsSlice   slice,
          const char *text)
{
  return strlen (text) == slice.size && memcmp (text, slice.data, slice.size) == 0;
}

/* "a decimal integer value without leading zeroes between 8 to 15 inclusive" */
static bool
read_bits (S9wsSlice  value,
           uint8_t   *bits)
{
  unsigned n = 0;

  if (value.size < 1 || value.size > 2 || value.data[0] == '0')
    return false;

  for (size_t i = 0; i < value.size; i++)
    {
      if (value.data[i] < '0' || value.data[i] > '9')
        return false;
      n = n * 10 + (unsigned) (value.data[i] - '0');
    }

  *bits = (uint8_t) n;
  return n >= BITS_MIN && n <= BITS_MAX;
}

static Parameter
find_parameter (S9wsSlice name)
{
  Parameter i = 0;

  while (i < N_PARAMETERS && !is_equal (name, names[i]))
    i++;

  return i;
}

static S9wsHandshakeFault
accept_bits (S9wsSlice  value,
             uint8_t    limit,
             uint8_t   *bits)
{
  if (!read_bits (value, bits))
    return S9WS_HANDSHAKE_FAULT_PARAMETER_VALUE;

  return *bits <= limit ? S9WS_HANDSHAKE_FAULT_NONE : S9WS_HANDSHAKE_FAULT_PARAMETER_TOO_LARGE;
}

static S9wsHandshakeFault
accept_flag (S9wsSlice  value,
             bool      *flag)
{
  *flag = true;
  return value.data == NULL ? S9WS_HANDSHAKE_FAULT_NONE : S9WS_HANDSHAKE_FAULT_PARAMETER_VALUE;
}

static S9wsHandshakeFault
accept_parameter (const S9wsDeflateParameters *offer,
                  S9wsSlice                    name,
                  S9wsSlice                    value,
                  unsigned                    *seen,
                  S9wsDeflateParameters       *agreed)
{
  Parameter parameter = find_parameter (name);

  if (parameter == N_PARAMETERS)
    return S9WS_HANDSHAKE_FAULT_PARAMETER_UNKNOWN;
  if ((*seen & 1u << parameter) != 0)
    return S9WS_HANDSHAKE_FAULT_PARAMETER_REPEATED;

  *seen |= 1u << parameter;
  switch (parameter)
    {
    case CLIENT_MAX_WINDOW_BITS:
      return accept_bits (value, offer->client_max_window_bits, &agreed->client_max_window_bits);
    case SERVER_MAX_WINDOW_BITS:
      return accept_bits (value, offer->server_max_window_bits, &agreed->server_max_window_bits);
    case CLIENT_NO_CONTEXT_TAKEOVER:
      return accept_flag (value, &agreed->client_no_context_takeover);
    case SERVER_NO_CONTEXT_TAKEOVER:
    default:
      return accept_flag (value, &agreed->server_no_context_takeover);
    }
}

/* The server accepts these by repeating them (RFC 7692, sections 7.1.1.1 and 7.1.2.1). */
static S9wsHandshakeFault
check_binding (const S9wsDeflateParameters *offer,
               unsigned                     seen,
               S9wsSlice                   *subject)
{
  Parameter missing = N_PARAMETERS;

  if (offer->server_no_context_takeover && (seen & 1u << SERVER_NO_CONTEXT_TAKEOVER) == 0)
    missing = SERVER_NO_CONTEXT_TAKEOVER;
  else if (offer->server_max_window_bits < BITS_MAX && (seen & 1u << SERVER_MAX_WINDOW_BITS) == 0)
    missing = SERVER_MAX_WINDOW_BITS;

  if (missing == N_PARAMETERS)
    return S9WS_HANDSHAKE_FAULT_NONE;

  *subject = (S9wsSlice){ names[missing], strlen (names[missing]) };
  return S9WS_HANDSHAKE_FAULT_PARAMETER_MISSING;
}

static S9wsHandshakeFault
read_parameters (Scanner                     *scanner,
                 const S9wsDeflateParameters *offer,
                 S9wsDeflateParameters       *agreed,
                 S9wsSlice                   *subject)
{
  unsigned seen = 0;

  *agreed = *offer;
  while (take (scanner, ';'))
    {
      S9wsSlice value = { NULL, 0 };
      S9wsSlice rest = get_rest (scanner);
      S9wsHandshakeFault fault;

      if (!take_token (scanner, subject) || (take (scanner, '=') && !take_value (scanner, &value)))
        {
          *subject = rest;
          return S9WS_HANDSHAKE_FAULT_EXTENSION_SYNTAX;
        }

      fault = accept_parameter (offer, *subject, value, &seen, agreed);
      if (fault != S9WS_HANDSHAKE_FAULT_NONE)
        return fault;
    }

  return check_binding (offer, seen, subject);
}

/* One header's list.  Empty elements of it count for nothing (RFC 9110, section 5.6.1),
 * but there must be one that is not. */
static S9wsHandshakeFault
read_list (S9wsSlice                    list,
           const S9wsDeflateParameters *offer,
           bool                        *is_agreed,
           S9wsDeflateParameters       *agreed,
           S9wsSlice                   *subject)
{
  Scanner scanner = { list.data, list.data + list.size };
  bool is_empty = true;

  while (true)
    {
      S9wsHandshakeFault fault;

      while (take (&scanner, ','))
        continue;
      skip_spaces (&scanner);
      if (scanner.at == scanner.end)
        {
          *subject = list;
          return is_empty ? S9WS_HANDSHAKE_FAULT_EXTENSION_SYNTAX : S9WS_HANDSHAKE_FAULT_NONE;
        }

      is_empty = false;

      if (!take_token (&scanner, subject))
        {
          *subject = get_rest (&scanner);
          return S9WS_HANDSHAKE_FAULT_EXTENSION_SYNTAX;
        }
      if (offer == NULL || !is_equal (*subject, NAME))
        return S9WS_HANDSHAKE_FAULT_EXTENSION;
      if (*is_agreed)
        return S9WS_HANDSHAKE_FAULT_EXTENSION_REPEATED;

      *is_agreed = true;
      fault = read_parameters (&scanner, offer, agreed, subject);
      if (fault != S9WS_HANDSHAKE_FAULT_NONE)
        return fault;

      skip_spaces (&scanner);
      if (scanner.at < scanner.end && *scanner.at != ',')
        {
          *subject = get_rest (&scanner);
          return S9WS_HANDSHAKE_FAULT_EXTENSION_SYNTAX;
        }
    }
}

S9wsHandshakeFault
s9ws_response_check_extensions (const S9wsResponse          *response,
                                const S9wsDeflateParameters *offer,
                                bool                        *is_agreed,
                                S9wsDeflateParameters       *agreed,
                                S9wsSlice                   *subject)
{
  *is_agreed = false;
  for (size_t i = 0; i < response->n_headers; i++)
    {
      S9wsHandshakeFault fault;

      if (!s9ws_header_is (&response->headers[i], "Sec-WebSocket-Extensions"))
        continue;

      fault = read_list (response->headers[i].value, offer, is_agreed, agreed, subject);
      if (fault != S9WS_HANDSHAKE_FAULT_NONE)
        return fault;
    }

  return S9WS_HANDSHAKE_FAULT_NONE;
}
