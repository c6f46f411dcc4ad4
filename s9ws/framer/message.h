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
  uint8_t short_limit;    /* see s9ws_message_decoder_peek_short () */
  uint8_t short_max;
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

/* The same for nothing but what nearly all frames are: short, and a whole message to a
 * client.  Its text has not been validated, and it is not taken out of the window yet: see
 * s9ws_window_take_short ().  FALSE says nothing: s9ws_message_decoder_next () is to be
 * asked. */
static inline bool
s9ws_message_decoder_peek_short (const S9wsMessageDecoder *decoder,
                                 const S9wsWindow         *window,
                                 S9wsMessage              *message)
{
  uint8_t *data = window->data + window->begin;
  size_t available = window->end - window->begin;
  size_t size;

  if (available < 2)
    return false;

  /* The limit is 126 for a client that is between messages, or less where less is allowed,
   * and else 0: one comparison for all of that.  0x81 is a final text frame, 0x82 a final
   * binary one. */
  size = data[1];
  if (size >= decoder->short_limit || size > available - 2 || (uint8_t) (data[0] - 0x81) > 1)
    return false;

  message->opcode = data[0] & 0x0f;
  message->data = data + 2;
  message->size = size;
  return true;
}

static inline void
s9ws_window_take_short (S9wsWindow        *window,
                        const S9wsMessage *message)
{
  window->begin += 2 + message->size;
}

S9wsViolation s9ws_message_decoder_get_violation (const S9wsMessageDecoder *decoder);

/* After INCOMPLETE: how many payload bytes of an unfinished data frame are still
 * to come, as its header says; 0 if that is not known. */
static inline uint64_t
s9ws_message_decoder_get_missing (const S9wsMessageDecoder *decoder)
{
  return decoder->in_frame ? decoder->frame_remaining : 0;
}
