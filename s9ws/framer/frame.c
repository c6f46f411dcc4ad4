/* frame.c: the header of a WebSocket frame, read and written (RFC 6455, section 5.2)
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "frame.h"

#include <string.h>

#define FINAL 0x80
#define MASKED 0x80
#define LENGTH_16 126
#define LENGTH_64 127

static uint64_t
read_big_endian (const uint8_t *data,
                 size_t         size)
{
  uint64_t value = 0;

  for (size_t i = 0; i < size; i++)
    value = value << 8 | data[i];

  return value;
}

static void
write_big_endian (uint8_t  *data,
                  uint64_t  value,
                  size_t    size)
{
  while (size-- > 0)
    {
      data[size] = (uint8_t) value;
      value >>= 8;
    }
}

static S9wsViolation
check_first_byte (uint8_t byte,
                  uint8_t allowed_reserved_bits)
{
  uint8_t opcode = byte & 0x0f;

  if (opcode != S9WS_OPCODE_TEXT && opcode != S9WS_OPCODE_BINARY)
    allowed_reserved_bits = 0;

  if (((byte >> 4) & 0x7 & ~allowed_reserved_bits) != 0)
    return S9WS_VIOLATION_RESERVED_BITS;

  if ((opcode > S9WS_OPCODE_BINARY && opcode < S9WS_OPCODE_CLOSE) || opcode > S9WS_OPCODE_PONG)
    return S9WS_VIOLATION_UNKNOWN_OPCODE;

  if (opcode >= S9WS_OPCODE_CLOSE && (byte & FINAL) == 0)
    return S9WS_VIOLATION_CONTROL_FRAGMENTED;

  return S9WS_VIOLATION_NONE;
}

static S9wsViolation
check_second_byte (uint8_t  byte,
                   uint8_t  opcode,
                   S9wsRole role)
{
  if (role == S9WS_ROLE_CLIENT && (byte & MASKED) != 0)
    return S9WS_VIOLATION_MASKED;

  if (role == S9WS_ROLE_SERVER && (byte & MASKED) == 0)
    return S9WS_VIOLATION_UNMASKED;

  if (opcode >= S9WS_OPCODE_CLOSE && (byte & 0x7f) > S9WS_CONTROL_PAYLOAD_MAX)
    return S9WS_VIOLATION_CONTROL_TOO_LONG;

  return S9WS_VIOLATION_NONE;
}

/* "the minimal number of bytes MUST be used to encode the length" */
static S9wsViolation
check_length (uint64_t length,
              size_t   length_size)
{
  if (length_size == 8 && length >> 63 != 0)
    return S9WS_VIOLATION_LENGTH_TOO_LARGE;

  if ((length_size == 2 && length < LENGTH_16) || (length_size == 8 && length <= UINT16_MAX))
    return S9WS_VIOLATION_LENGTH_NOT_MINIMAL;

  return S9WS_VIOLATION_NONE;
}

static size_t
get_length_size (uint8_t byte)
{
  switch (byte & 0x7f)
    {
    case LENGTH_16:
      return 2;
    case LENGTH_64:
      return 8;
    default:
      return 0;
    }
}

static S9wsViolation
read_length (const uint8_t   *data,
             size_t           length_size,
             S9wsFrameHeader *header)
{
  if (length_size == 0)
    {
      header->payload_size = data[1] & 0x7f;
      return S9WS_VIOLATION_NONE;
    }

  header->payload_size = read_big_endian (data + 2, length_size);
  return check_length (header->payload_size, length_size);
}

S9wsFrameResult
s9ws_frame_read_header (const uint8_t   *data,
                        size_t           size,
                        S9wsRole         role,
                        uint8_t          allowed_reserved_bits,
                        S9wsFrameHeader *header,
                        S9wsViolation   *violation)
{
  S9wsViolation found = S9WS_VIOLATION_NONE;
  size_t length_size = 0;
  size_t mask_size;

  if (size >= 1)
    found = check_first_byte (data[0], allowed_reserved_bits);
  if (size >= 2 && found == S9WS_VIOLATION_NONE)
    found = check_second_byte (data[1], data[0] & 0x0f, role);
  if (size >= 2 && found == S9WS_VIOLATION_NONE)
    {
      length_size = get_length_size (data[1]);
      if (size >= 2 + length_size)
        found = read_length (data, length_size, header);
    }

  if (found != S9WS_VIOLATION_NONE)
    {
      *violation = found;
      return S9WS_FRAME_VIOLATION;
    }

  mask_size = role == S9WS_ROLE_SERVER ? S9WS_MASK_SIZE : 0;
  if (size < 2 || size < 2 + length_size + mask_size)
    return S9WS_FRAME_INCOMPLETE;

  header->opcode = data[0] & 0x0f;
  header->reserved_bits = (data[0] >> 4) & 0x7;
  header->is_final = (data[0] & FINAL) != 0;
  header->is_masked = mask_size > 0;
  header->size = (uint8_t) (2 + length_size + mask_size);
  memset (header->mask, 0, S9WS_MASK_SIZE);
  memcpy (header->mask, data + 2 + length_size, mask_size);
  return S9WS_FRAME_READY;
}

size_t
s9ws_frame_write_header (uint8_t       *buffer,
                         uint8_t        opcode,
                         bool           is_final,
                         uint8_t        reserved_bits,
                         uint64_t       payload_size,
                         const uint8_t *mask)
{
  size_t size = 2;

  buffer[0] = (uint8_t) ((is_final ? FINAL : 0) | reserved_bits << 4 | opcode);
  if (payload_size < LENGTH_16)
    {
      buffer[1] = (uint8_t) payload_size;
    }
  else if (payload_size <= UINT16_MAX)
    {
      buffer[1] = LENGTH_16;
      write_big_endian (buffer + 2, payload_size, 2);
      size += 2;
    }
  else
    {
      buffer[1] = LENGTH_64;
      write_big_endian (buffer + 2, payload_size, 8);
      size += 8;
    }

  if (mask != NULL)
    {
      buffer[1] |= MASKED;
      memcpy (buffer + size, mask, S9WS_MASK_SIZE);
      size += S9WS_MASK_SIZE;
    }

  return size;
}

bool
s9ws_close_code_is_valid (unsigned code)
{
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

size_t
s9ws_frame_write_close_payload (uint8_t    *buffer,
                                uint16_t    code,
                                const char *reason,
                                size_t      reason_size)
{
  if (code == 0)
    return 0;

  write_big_endian (buffer, code, 2);
  if (reason_size > 0)
    memcpy (buffer + 2, reason, reason_size);

  return 2 + reason_size;
}

uint16_t
s9ws_violation_get_close_code (S9wsViolation violation)
{
  switch (violation)
    {
    case S9WS_VIOLATION_NONE:
    case S9WS_N_VIOLATIONS:
      return 0;
    case S9WS_VIOLATION_CLOSE_REASON:
    case S9WS_VIOLATION_TEXT:
      return 1007;
    case S9WS_VIOLATION_FRAME_TOO_BIG:
    case S9WS_VIOLATION_MESSAGE_TOO_BIG:
      return 1009;
    default:
      return 1002;
    }
}

const char *
s9ws_violation_get_name (S9wsViolation violation)
{
  static const char *const names[S9WS_N_VIOLATIONS] = {
    [S9WS_VIOLATION_NONE] = "",
    [S9WS_VIOLATION_RESERVED_BITS] = "reserved bits",
    [S9WS_VIOLATION_UNKNOWN_OPCODE] = "unknown opcode",
    [S9WS_VIOLATION_MASKED] = "masked",
    [S9WS_VIOLATION_UNMASKED] = "unmasked",
    [S9WS_VIOLATION_LENGTH_NOT_MINIMAL] = "length not minimal",
    [S9WS_VIOLATION_LENGTH_TOO_LARGE] = "length too large",
    [S9WS_VIOLATION_CONTROL_FRAGMENTED] = "control frame fragmented",
    [S9WS_VIOLATION_CONTROL_TOO_LONG] = "control frame too long",
    [S9WS_VIOLATION_UNEXPECTED_CONTINUATION] = "unexpected continuation",
    [S9WS_VIOLATION_EXPECTED_CONTINUATION] = "expected continuation",
    [S9WS_VIOLATION_CLOSE_SIZE] = "close payload of one byte",
    [S9WS_VIOLATION_CLOSE_CODE] = "close code",
    [S9WS_VIOLATION_CLOSE_REASON] = "close reason",
    [S9WS_VIOLATION_TEXT] = "text",
    [S9WS_VIOLATION_FRAME_TOO_BIG] = "frame too big",
    [S9WS_VIOLATION_MESSAGE_TOO_BIG] = "message too big",
    [S9WS_VIOLATION_DEFLATE] = "compressed data",
  };

  return violation < S9WS_N_VIOLATIONS ? names[violation] : "";
}
