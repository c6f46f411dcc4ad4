/* message.h: messages, put together from the frames in a buffer (RFC 6455, section 5.4)
 *
 * The buffer is the caller's and payloads are delivered where they lie in it.
 * Only the later fragments of a message are moved, each byte once: down to the
 * end of what the message has so far, even while their frame is unfinished.
 *
 * What is compressed is inflated into another buffer of the caller's, and leaves the window
 * as it comes.  So does what is delivered in pieces.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "deflate.h"
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

/* Where messages are inflated to: what the message at hand has so far, in a buffer that the
 * caller may replace by one with the same contents between two calls. */
typedef struct
{
  uint8_t *data;
  size_t size;
  size_t capacity;
} S9wsInflated;

/* In the place of an opcode: a part of a text or binary message. */
#define S9WS_MESSAGE_PIECE 0x10

/* Of a piece. */
#define S9WS_PIECE_IS_FIRST 1u
#define S9WS_PIECE_IS_LAST 2u
#define S9WS_PIECE_IS_TEXT 4u

typedef struct
{
  uint8_t opcode;      /* S9WS_OPCODE_TEXT, BINARY, CLOSE, PING or PONG, or S9WS_MESSAGE_PIECE */
  uint16_t close_code; /* of CLOSE: 1005 if the frame had none */
  uint8_t *data;       /* of CLOSE: the reason */
  size_t size;
  uint8_t piece_flags; /* of a piece: S9WS_PIECE_IS_*; of others undefined */
} S9wsMessage;

typedef enum
{
  S9WS_MESSAGE_READY,
  S9WS_MESSAGE_INCOMPLETE,
  S9WS_MESSAGE_VIOLATION,
  S9WS_MESSAGE_NO_ROOM, /* for what is inflated: call again with a larger buffer */
} S9wsMessageResult;

/* Allocated by the caller; everything in it is private. */
typedef struct
{
  uint64_t max_frame_size;
  uint64_t max_message_size;
  uint64_t max_piece_size;  /* 0: messages are delivered whole */
  uint64_t frame_remaining; /* payload bytes of the frame at hand still to come */
  uint64_t message_size;    /* so far, inflated */
  size_t message_start;     /* this and the next: offsets from the window's begin */
  size_t next;              /* where the next header or unread payload is expected */
  size_t mask_offset;       /* into the frame at hand, for the server's role */
  size_t unmasked;          /* bytes of compressed payload that have been, but not been read */
  S9wsInflater *inflater;   /* NULL: nothing may be compressed */
  S9wsInflated *inflated;
  uint64_t n_compressed; /* messages so far */
  uint64_t compressed;   /* bytes of their payload */
  uint8_t mask[S9WS_MASK_SIZE];
  S9wsUtf8 utf8;
  S9wsRole role;
  S9wsViolation violation;
  uint8_t message_opcode; /* CONTINUATION: between messages */
  uint8_t short_limit;    /* see s9ws_message_decoder_peek_short () */
  uint8_t short_max;
  uint8_t tail_left;      /* of what ends a compressed message */
  bool in_frame;          /* a data frame's payload has not come whole */
  bool in_tail;
  bool is_final;
  bool is_compressed; /* the message at hand */
  bool has_begun;     /* a piece of it has been delivered */
} S9wsMessageDecoder;

/* Limits of 0 mean none. */
void s9ws_message_decoder_init (S9wsMessageDecoder *decoder,
                                S9wsRole            role,
                                uint64_t            max_frame_size,
                                uint64_t            max_message_size);

/* Lets messages be compressed from now on: through @inflater into @inflated. */
void s9ws_message_decoder_use_inflater (S9wsMessageDecoder *decoder,
                                        S9wsInflater       *inflater,
                                        S9wsInflated       *inflated);

/* Has messages delivered in pieces of at most @max_piece_size bytes, as they arrive.  A
 * text's may end within a character. */
void s9ws_message_decoder_use_pieces (S9wsMessageDecoder *decoder,
                                      uint64_t            max_piece_size);

/* Takes the next message out of the window.  With READY, @message lies in the
 * window's buffer, or in that for what is inflated, and stays there until the next call
 * or until the caller moves or receives anything.  A violation latches:
 * s9ws_message_decoder_next () says the same for ever after.  Text is valid UTF-8, and a bad byte of an unfinished
 * frame is a violation at once; so is a header that breaks a limit, and inflating ends with
 * the first byte that does. */
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

/* Whether no message has begun that has not ended. */
static inline bool
s9ws_message_decoder_is_between (const S9wsMessageDecoder *decoder)
{
  return decoder->message_opcode == S9WS_OPCODE_CONTINUATION;
}

/* After INCOMPLETE: how many payload bytes of an unfinished data frame are still
 * to come, as its header says; 0 if that is not known. */
static inline uint64_t
s9ws_message_decoder_get_missing (const S9wsMessageDecoder *decoder)
{
  return decoder->in_frame ? decoder->frame_remaining : 0;
}
