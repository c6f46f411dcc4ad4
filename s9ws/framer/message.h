/* message.h: messages, put together from the frames in a buffer (RFC 6455, section 5.4)
 *
 * The buffer is the caller's and payloads are delivered where they lie in it.
 * Only the later fragments of a message are moved, each byte once: down to the
 * end of what the message has so far, even while their frame is unfinished.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "frame.h"
#include "utf8.h"

/* The received bytes that are still of use.  The caller appends at end, and may
 * move all of [begin, end) elsewhere between two calls (the decoder keeps
 * offsets from begin only); the decoder advances begin and may lower end. */
typedef struct
{
  uint8_t *data;
  size_t begin;
  size_t end;
} S9wsWindow;

typedef struct
{
  uint8_t opcode;      /* S9WS_OPCODE_TEXT, BINARY, CLOSE, PING or PONG */
  uint16_t close_code; /* of CLOSE: 1005 if the frame had none */
  uint8_t *data;       /* of CLOSE: the reason */
  size_t size;
} S9wsMessage;

typedef enum
{
  S9WS_MESSAGE_READY,
  S9WS_MESSAGE_INCOMPLETE,
  S9WS_MESSAGE_VIOLATION,
} S9wsMessageResult;

/* Allocated by the caller; everything in it is private. */
typedef struct
{
  uint64_t max_frame_size;
  uint64_t max_message_size;
  uint64_t frame_remaining; /* payload bytes of the frame at hand still to come */
  size_t message_start;     /* these three: offsets from the window's begin */
  size_t message_size;
  size_t next;            /* where the next header is expected */
  size_t mask_offset;     /* into the frame at hand, for the server's role */
  uint8_t mask[S9WS_MASK_SIZE];
  S9wsUtf8 utf8;
  S9wsRole role;
  S9wsViolation violation;
  uint8_t message_opcode; /* CONTINUATION: between messages */
  bool in_frame;          /* a data frame's payload has not come whole */
  bool is_final;
} S9wsMessageDecoder;

/* Limits of 0 mean none. */
void s9ws_message_decoder_init (S9wsMessageDecoder *decoder,
                                S9wsRole            role,
                                uint64_t            max_frame_size,
                                uint64_t            max_message_size);

/* Takes the next message out of the window.  With READY, @message lies in the
 * window's buffer and stays there until the next call or until the caller moves
 * or receives anything.  A violation latches: s9ws_message_decoder_next () says
 * the same for ever after.  Text is valid UTF-8, and a bad byte of an unfinished
 * frame is a violation at once; so is a header that breaks a limit. */
S9wsMessageResult s9ws_message_decoder_next (S9wsMessageDecoder *decoder,
                                             S9wsWindow         *window,
                                             S9wsMessage        *message);

S9wsViolation s9ws_message_decoder_get_violation (const S9wsMessageDecoder *decoder);

/* After INCOMPLETE: how many payload bytes of an unfinished data frame are still
 * to come, as its header says; 0 if that is not known. */
uint64_t s9ws_message_decoder_get_missing (const S9wsMessageDecoder *decoder);
