/* frame.h: the header of a WebSocket frame, read and written (RFC 6455, section 5.2)
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum
{
  S9WS_OPCODE_CONTINUATION = 0x0,
  S9WS_OPCODE_TEXT = 0x1,
  S9WS_OPCODE_BINARY = 0x2,
  S9WS_OPCODE_CLOSE = 0x8,
  S9WS_OPCODE_PING = 0x9,
  S9WS_OPCODE_PONG = 0xa,
} S9wsOpcode;

/* Whose side of the connection we are: a client refuses masked frames, a
 * server refuses unmasked ones (RFC 6455, section 5.1). */
typedef enum
{
  S9WS_ROLE_CLIENT,
  S9WS_ROLE_SERVER,
} S9wsRole;

/* What a peer can do wrong.  Each has one close code. */
typedef enum
{
  S9WS_VIOLATION_NONE,
  S9WS_VIOLATION_RESERVED_BITS,
  S9WS_VIOLATION_UNKNOWN_OPCODE,
  S9WS_VIOLATION_MASKED,
  S9WS_VIOLATION_UNMASKED,
  S9WS_VIOLATION_LENGTH_NOT_MINIMAL,
  S9WS_VIOLATION_LENGTH_TOO_LARGE, /* the most significant bit of 64 is set */
  S9WS_VIOLATION_CONTROL_FRAGMENTED,
  S9WS_VIOLATION_CONTROL_TOO_LONG,
  S9WS_VIOLATION_UNEXPECTED_CONTINUATION, /* no message has begun */
  S9WS_VIOLATION_EXPECTED_CONTINUATION,   /* a message has not ended */
  S9WS_VIOLATION_CLOSE_SIZE,              /* a close payload of one byte */
  S9WS_VIOLATION_CLOSE_CODE,
  S9WS_VIOLATION_CLOSE_REASON,  /* not UTF-8 */
  S9WS_VIOLATION_TEXT,          /* not UTF-8 */
  S9WS_VIOLATION_FRAME_TOO_BIG, /* over the limit for one frame */
  S9WS_VIOLATION_MESSAGE_TOO_BIG,
  S9WS_VIOLATION_DEFLATE, /* a compressed message is malformed */
  S9WS_N_VIOLATIONS,
} S9wsViolation;

typedef enum
{
  S9WS_FRAME_READY,
  S9WS_FRAME_INCOMPLETE,
  S9WS_FRAME_VIOLATION,
} S9wsFrameResult;

#define S9WS_FRAME_HEADER_MAX 14
#define S9WS_CONTROL_PAYLOAD_MAX 125
#define S9WS_CLOSE_REASON_MAX 123
#define S9WS_MASK_SIZE 4

#define S9WS_RSV1 4 /* as in reserved_bits */

typedef struct
{
  uint64_t payload_size;
  uint8_t mask[S9WS_MASK_SIZE]; /* zeros if not masked */
  uint8_t opcode;
  uint8_t reserved_bits; /* RSV1 is 4, RSV2 2, RSV3 1 */
  uint8_t size;          /* of the header itself, 2 to 14 bytes */
  bool is_final;
  bool is_masked;
} S9wsFrameHeader;

/* Reads the header that starts at @data.  It is read whole or not at all:
 * INCOMPLETE leaves @header undefined, though a violation that the bytes so far
 * already prove is reported at once.  @violation is set with VIOLATION only.
 * Bits of @allowed_reserved_bits may be set by the peer in the first frame of a message,
 * which is where extensions of messages have theirs (RFC 7692, section 6). */
S9wsFrameResult s9ws_frame_read_header (const uint8_t   *data,
                                        size_t           size,
                                        S9wsRole         role,
                                        uint8_t          allowed_reserved_bits,
                                        S9wsFrameHeader *header,
                                        S9wsViolation   *violation);

/* Writes a header of the shortest form; returns its size.  @mask is NULL for
 * the server's role.  @buffer has room for S9WS_FRAME_HEADER_MAX bytes. */
size_t s9ws_frame_write_header (uint8_t       *buffer,
                                uint8_t        opcode,
                                bool           is_final,
                                uint8_t        reserved_bits,
                                uint64_t       payload_size,
                                const uint8_t *mask);

/* Whether @code may stand in a close frame, sent or received (RFC 6455, section
 * 7.4, and IANA's registry: 1000 to 1003, 1007 to 1014, 3000 to 4999). */
bool s9ws_close_code_is_valid (unsigned code);

/* Writes a close frame's payload; returns its size.  A @code of 0 writes none.
 * @buffer has room for S9WS_CONTROL_PAYLOAD_MAX bytes. */
size_t s9ws_frame_write_close_payload (uint8_t    *buffer,
                                       uint16_t    code,
                                       const char *reason,
                                       size_t      reason_size);

uint16_t s9ws_violation_get_close_code (S9wsViolation violation);

/* What was wrong, in English, for logs and tests; "" for NONE. */
const char *s9ws_violation_get_name (S9wsViolation violation);
