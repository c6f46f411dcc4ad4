/* message.c: messages, put together from the frames in a buffer (RFC 6455, section 5.4)
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "message.h"

#include <string.h>

#include "mask.h"

#define SHORT_LIMIT 126 /* a header of two bytes announces less */

void
s9ws_message_decoder_init (S9wsMessageDecoder *decoder,
                           S9wsRole            role,
                           uint64_t            max_frame_size,
                           uint64_t            max_message_size)
{
  memset (decoder, 0, sizeof *decoder);
  decoder->role = role;
  decoder->max_frame_size = max_frame_size != 0 ? max_frame_size : UINT64_MAX;
  decoder->max_message_size = max_message_size != 0 ? max_message_size : UINT64_MAX;
  decoder->short_max = role == S9WS_ROLE_CLIENT ? SHORT_LIMIT : 0;
  if (decoder->max_message_size < decoder->short_max)
    decoder->short_max = (uint8_t) (decoder->max_message_size + 1);
  if (decoder->max_frame_size < decoder->short_max)
    decoder->short_max = (uint8_t) (decoder->max_frame_size + 1);
  decoder->short_limit = decoder->short_max;
}

void
s9ws_message_decoder_use_inflater (S9wsMessageDecoder *decoder,
                                   S9wsInflater       *inflater,
                                   S9wsInflated       *inflated)
{
  decoder->inflater = inflater;
  decoder->inflated = inflated;
}

void
s9ws_message_decoder_use_pieces (S9wsMessageDecoder *decoder,
                                 uint64_t            max_piece_size)
{
  decoder->max_piece_size = max_piece_size;
  decoder->short_max = 0;
  decoder->short_limit = 0;
}

S9wsViolation
s9ws_message_decoder_get_violation (const S9wsMessageDecoder *decoder)
{
  return decoder->violation;
}

static S9wsMessageResult
fail (S9wsMessageDecoder *decoder,
      S9wsViolation       violation)
{
  decoder->violation = violation;
  decoder->short_limit = 0;
  return S9WS_MESSAGE_VIOLATION;
}

static bool
is_control (uint8_t opcode)
{
  return opcode >= S9WS_OPCODE_CLOSE;
}

/* RFC 6455, section 5.5.1. */
static S9wsViolation
read_close (S9wsMessage *message)
{
  if (message->size == 0)
    {
      message->close_code = 1005;
      return S9WS_VIOLATION_NONE;
    }

  if (message->size == 1)
    return S9WS_VIOLATION_CLOSE_SIZE;

  message->close_code = (uint16_t) (message->data[0] << 8 | message->data[1]);
  message->data += 2;
  message->size -= 2;
  if (!s9ws_close_code_is_valid (message->close_code))
    return S9WS_VIOLATION_CLOSE_CODE;

  return s9ws_utf8_is_valid (message->data, message->size) ? S9WS_VIOLATION_NONE : S9WS_VIOLATION_CLOSE_REASON;
}

/* Whether what has come of the message at hand stays in the window until its end. */
static bool
holds_message (const S9wsMessageDecoder *decoder)
{
  return !s9ws_message_decoder_is_between (decoder) && !decoder->is_compressed && decoder->max_piece_size == 0;
}

/* Gives up what has been read. */
static void
settle (S9wsMessageDecoder *decoder,
        S9wsWindow         *window)
{
  window->begin += decoder->next;
  decoder->next = 0;
}

/* Control frames are taken whole; next is where their header lies. */
static S9wsMessageResult
read_control (S9wsMessageDecoder    *decoder,
              S9wsWindow            *window,
              const S9wsFrameHeader *header,
              S9wsMessage           *message)
{
  uint8_t *payload = window->data + window->begin + decoder->next + header->size;
  size_t size = (size_t) header->payload_size;
  S9wsViolation violation;

  if (window->end - window->begin - decoder->next - header->size < size)
    return S9WS_MESSAGE_INCOMPLETE;

  if (header->is_masked)
    s9ws_mask_copy (payload, payload, size, header->mask, 0);

  message->opcode = header->opcode;
  message->data = payload;
  message->size = size;
  decoder->next += header->size + size;
  if (!holds_message (decoder))
    settle (decoder, window);

  if (header->opcode != S9WS_OPCODE_CLOSE)
    return S9WS_MESSAGE_READY;

  violation = read_close (message);
  return violation == S9WS_VIOLATION_NONE ? S9WS_MESSAGE_READY : fail (decoder, violation);
}

/* Of a compressed message the header tells nothing about its size. */
static bool
is_too_big (const S9wsMessageDecoder *decoder,
            const S9wsFrameHeader    *header,
            bool                      in_message)
{
  if (in_message ? decoder->is_compressed : header->reserved_bits != 0)
    return false;

  return header->payload_size > decoder->max_message_size - decoder->message_size ||
         (decoder->max_piece_size == 0 && header->payload_size > SIZE_MAX / 2 - decoder->message_size);
}

static S9wsViolation
check_data_header (S9wsMessageDecoder    *decoder,
                   const S9wsFrameHeader *header)
{
  bool in_message = !s9ws_message_decoder_is_between (decoder);

  if (header->opcode == S9WS_OPCODE_CONTINUATION && !in_message)
    return S9WS_VIOLATION_UNEXPECTED_CONTINUATION;
  if (header->opcode != S9WS_OPCODE_CONTINUATION && in_message)
    return S9WS_VIOLATION_EXPECTED_CONTINUATION;
  if (header->payload_size > decoder->max_frame_size)
    return S9WS_VIOLATION_FRAME_TOO_BIG;
  if (is_too_big (decoder, header, in_message))
    return S9WS_VIOLATION_MESSAGE_TOO_BIG;

  return S9WS_VIOLATION_NONE;
}

static void
begin_data_frame (S9wsMessageDecoder    *decoder,
                  const S9wsFrameHeader *header)
{
  decoder->next += header->size;
  if (s9ws_message_decoder_is_between (decoder))
    {
      decoder->message_opcode = header->opcode;
      decoder->is_compressed = header->reserved_bits != 0;
      decoder->has_begun = false;
      decoder->short_limit = 0;
      decoder->message_start = decoder->next;
      memset (&decoder->utf8, 0, sizeof decoder->utf8);
    }

  decoder->in_frame = true;
  decoder->is_final = header->is_final;
  decoder->frame_remaining = header->payload_size;
  decoder->mask_offset = 0;
  memcpy (decoder->mask, header->mask, S9WS_MASK_SIZE);
}

/* How far the frame at hand is. */
typedef enum
{
  PROGRESS_DONE,
  PROGRESS_INCOMPLETE,
  PROGRESS_FULL, /* there is no room for more of it, or it fills a piece */
  PROGRESS_FAILED,
} Progress;

static Progress
fail_frame (S9wsMessageDecoder *decoder,
            S9wsViolation       violation)
{
  fail (decoder, violation);
  return PROGRESS_FAILED;
}

static Progress
get_progress (const S9wsMessageDecoder *decoder)
{
  return decoder->frame_remaining > 0 ? PROGRESS_INCOMPLETE : PROGRESS_DONE;
}

/* What has come of the frame's payload joins the message: it is moved down to it, if it
 * is not there already, and what lies behind follows it. */
static Progress
take_payload (S9wsMessageDecoder *decoder,
              S9wsWindow         *window)
{
  uint8_t *base = window->data + window->begin;
  size_t available = window->end - window->begin - decoder->next;
  size_t size = decoder->frame_remaining < available ? (size_t) decoder->frame_remaining : available;
  size_t message_end = decoder->message_start + (size_t) decoder->message_size;

  if (size == 0)
    return get_progress (decoder);

  if (message_end != decoder->next)
    {
      size_t gap = decoder->next - message_end;

      /* The rest of an unfinished frame is then received straight into place; where the
       * frame is finished, what follows stays where it is. */
      memmove (base + message_end, base + decoder->next, size);
      if (size == available)
        {
          window->end -= gap;
          decoder->next = message_end;
        }
    }

  if (decoder->role == S9WS_ROLE_SERVER)
    s9ws_mask_copy (base + message_end, base + message_end, size, decoder->mask, decoder->mask_offset);

  decoder->mask_offset = (decoder->mask_offset + size) & 3;
  decoder->message_size += size;
  decoder->next += size;
  decoder->frame_remaining -= size;

  if (decoder->message_opcode == S9WS_OPCODE_TEXT && !s9ws_utf8_feed (&decoder->utf8, base + message_end, size))
    return fail_frame (decoder, S9WS_VIOLATION_TEXT);

  return get_progress (decoder);
}

/* What is to be inflated next: payload in the window, and behind a message's last of it the
 * tail that its sender has taken off (RFC 7692, section 7.2.2). */
static size_t
get_compressed (S9wsMessageDecoder  *decoder,
                S9wsWindow          *window,
                const uint8_t      **data)
{
  static const uint8_t tail[S9WS_DEFLATE_TAIL_SIZE] = { 0x00, 0x00, 0xff, 0xff };
  uint8_t *payload = window->data + window->begin + decoder->next;
  size_t size = window->end - window->begin - decoder->next;

  if (decoder->in_tail)
    {
      *data = tail + sizeof tail - decoder->tail_left;
      return decoder->tail_left;
    }

  if (decoder->frame_remaining < size)
    size = (size_t) decoder->frame_remaining;
  if (decoder->role == S9WS_ROLE_SERVER)
    {
      s9ws_mask_copy (payload + decoder->unmasked, payload + decoder->unmasked, size - decoder->unmasked,
                      decoder->mask, decoder->mask_offset);
      decoder->mask_offset = (decoder->mask_offset + size - decoder->unmasked) & 3;
      decoder->unmasked = size;
    }

  *data = payload;
  return size;
}

static void
consume_compressed (S9wsMessageDecoder *decoder,
                    size_t              size)
{
  if (decoder->in_tail)
    {
      decoder->tail_left -= (uint8_t) size;
      return;
    }

  decoder->next += size;
  decoder->frame_remaining -= size;
  decoder->compressed += size;
  if (decoder->role == S9WS_ROLE_SERVER)
    decoder->unmasked -= size;
}

/* One byte more than is allowed shows that a message is too big. */
static size_t
get_inflated_room (const S9wsMessageDecoder *decoder)
{
  const S9wsInflated *inflated = decoder->inflated;
  uint64_t left = decoder->max_message_size - decoder->message_size;
  size_t room = inflated->capacity - inflated->size;

  if (decoder->max_piece_size != 0 && decoder->max_piece_size - inflated->size < room)
    room = (size_t) (decoder->max_piece_size - inflated->size);

  return left < room ? (size_t) left + 1 : room;
}

static S9wsViolation
add_inflated (S9wsMessageDecoder *decoder,
              size_t              size)
{
  S9wsInflated *inflated = decoder->inflated;
  const uint8_t *data = inflated->data + inflated->size;

  inflated->size += size;
  decoder->message_size += size;
  if (decoder->message_size > decoder->max_message_size)
    return S9WS_VIOLATION_MESSAGE_TOO_BIG;
  if (decoder->message_opcode == S9WS_OPCODE_TEXT && !s9ws_utf8_feed (&decoder->utf8, data, size))
    return S9WS_VIOLATION_TEXT;

  return S9WS_VIOLATION_NONE;
}

/* All that could be inflated has been: FULL is what says that the tail comes next. */
static Progress
end_inflated_part (S9wsMessageDecoder *decoder)
{
  if (decoder->frame_remaining > 0)
    return PROGRESS_INCOMPLETE;
  if (!decoder->is_final)
    return PROGRESS_DONE;

  if (!decoder->in_tail)
    {
      decoder->in_tail = true;
      decoder->tail_left = s9ws_inflater_needs_tail (decoder->inflater) ? S9WS_DEFLATE_TAIL_SIZE : 0;
      if (decoder->tail_left > 0)
        return PROGRESS_FULL;
    }

  decoder->in_tail = false;
  decoder->n_compressed++;
  return s9ws_inflater_end_message (decoder->inflater) ? PROGRESS_DONE
                                                       : fail_frame (decoder, S9WS_VIOLATION_DEFLATE);
}

/* Until there is no room, payload stays in the window although it has been read: what zlib
 * has kept of it is as much as unread. */
static Progress
inflate_payload (S9wsMessageDecoder *decoder,
                 S9wsWindow         *window)
{
  S9wsInflated *inflated = decoder->inflated;
  Progress progress = PROGRESS_FULL;

  while (progress == PROGRESS_FULL)
    {
      size_t room = get_inflated_room (decoder);
      const uint8_t *data;
      size_t size = get_compressed (decoder, window, &data);
      size_t consumed, written;
      S9wsViolation violation;
      bool is_valid;

      if (room == 0)
        return PROGRESS_FULL;

      is_valid = s9ws_inflater_run (decoder->inflater, data, size, &consumed, inflated->data + inflated->size,
                                    room, &written);
      consume_compressed (decoder, consumed);
      violation = add_inflated (decoder, written);
      if (violation == S9WS_VIOLATION_NONE && !is_valid)
        violation = S9WS_VIOLATION_DEFLATE;
      if (violation != S9WS_VIOLATION_NONE)
        return fail_frame (decoder, violation);
      if (written < room)
        progress = consumed == size ? end_inflated_part (decoder) : fail_frame (decoder, S9WS_VIOLATION_DEFLATE);
    }

  settle (decoder, window);
  return progress;
}

static void
end_message (S9wsMessageDecoder *decoder)
{
  decoder->message_start = 0;
  decoder->message_size = 0;
  decoder->message_opcode = S9WS_OPCODE_CONTINUATION;
  decoder->short_limit = decoder->short_max;
}

static S9wsMessageResult
finish_message (S9wsMessageDecoder *decoder,
                S9wsWindow         *window,
                S9wsMessage        *message)
{
  if (decoder->message_opcode == S9WS_OPCODE_TEXT && !s9ws_utf8_is_complete (&decoder->utf8))
    return fail (decoder, S9WS_VIOLATION_TEXT);

  message->opcode = decoder->message_opcode;
  message->size = (size_t) decoder->message_size;
  if (decoder->is_compressed)
    {
      message->data = decoder->inflated->data;
      decoder->inflated->size = 0;
    }
  else
    {
      message->data = window->data + window->begin + decoder->message_start;
    }
  settle (decoder, window);
  end_message (decoder);
  return S9WS_MESSAGE_READY;
}

/* Pieces */

/* What has come of the frame's payload, or as much of it as fills a piece. */
static Progress
take_piece (S9wsMessageDecoder *decoder,
            S9wsWindow         *window,
            S9wsMessage        *message)
{
  uint64_t size = window->end - window->begin;
  bool is_full = size >= decoder->max_piece_size && decoder->frame_remaining > decoder->max_piece_size;

  if (decoder->frame_remaining < size)
    size = decoder->frame_remaining;
  if (is_full)
    size = decoder->max_piece_size;

  message->data = window->data + window->begin;
  message->size = (size_t) size;
  window->begin += message->size;
  if (decoder->role == S9WS_ROLE_SERVER)
    s9ws_mask_copy (message->data, message->data, message->size, decoder->mask, decoder->mask_offset);

  decoder->mask_offset = (decoder->mask_offset + message->size) & 3;
  decoder->message_size += size;
  decoder->frame_remaining -= size;
  if (decoder->message_opcode == S9WS_OPCODE_TEXT && !s9ws_utf8_feed (&decoder->utf8, message->data, message->size))
    return fail_frame (decoder, S9WS_VIOLATION_TEXT);

  return is_full ? PROGRESS_FULL : get_progress (decoder);
}

static Progress
inflate_piece (S9wsMessageDecoder *decoder,
               S9wsWindow         *window,
               S9wsMessage        *message)
{
  Progress progress = inflate_payload (decoder, window);

  message->data = decoder->inflated->data;
  message->size = decoder->inflated->size;
  return progress;
}

static S9wsMessageResult
finish_piece (S9wsMessageDecoder *decoder,
              S9wsMessage        *message,
              bool                is_last)
{
  bool is_text = decoder->message_opcode == S9WS_OPCODE_TEXT;

  if (is_last && is_text && !s9ws_utf8_is_complete (&decoder->utf8))
    return fail (decoder, S9WS_VIOLATION_TEXT);

  message->opcode = S9WS_MESSAGE_PIECE;
  message->piece_flags = (uint8_t) ((decoder->has_begun ? 0 : S9WS_PIECE_IS_FIRST) | (is_last ? S9WS_PIECE_IS_LAST : 0) |
                                    (is_text ? S9WS_PIECE_IS_TEXT : 0));
  decoder->has_begun = true;
  if (decoder->is_compressed)
    decoder->inflated->size = 0;
  if (is_last)
    end_message (decoder);

  return S9WS_MESSAGE_READY;
}

/* Frames */

/* These three return whether to go on reading; if not, @result is what came of it. */

static bool
read_piece (S9wsMessageDecoder *decoder,
            S9wsWindow         *window,
            S9wsMessage        *message,
            S9wsMessageResult  *result)
{
  Progress progress = decoder->is_compressed ? inflate_piece (decoder, window, message)
                                             : take_piece (decoder, window, message);
  bool is_last = progress == PROGRESS_DONE && decoder->is_final;

  decoder->in_frame = progress != PROGRESS_DONE;
  *result = S9WS_MESSAGE_VIOLATION;
  if (progress == PROGRESS_FAILED)
    return false;

  if (progress == PROGRESS_FULL && message->size < decoder->max_piece_size)
    *result = S9WS_MESSAGE_NO_ROOM;
  else if (message->size > 0 || is_last)
    *result = finish_piece (decoder, message, is_last);
  else
    *result = S9WS_MESSAGE_INCOMPLETE;

  return progress == PROGRESS_DONE && *result == S9WS_MESSAGE_INCOMPLETE;
}

static bool
read_payload (S9wsMessageDecoder *decoder,
              S9wsWindow         *window,
              S9wsMessage        *message,
              S9wsMessageResult  *result)
{
  switch (decoder->is_compressed ? inflate_payload (decoder, window) : take_payload (decoder, window))
    {
    case PROGRESS_DONE:
      decoder->in_frame = false;
      if (!decoder->is_final)
        return true;
      *result = finish_message (decoder, window, message);
      break;
    case PROGRESS_INCOMPLETE:
      *result = S9WS_MESSAGE_INCOMPLETE;
      break;
    case PROGRESS_FULL:
      *result = S9WS_MESSAGE_NO_ROOM;
      break;
    case PROGRESS_FAILED:
    default:
      *result = S9WS_MESSAGE_VIOLATION;
      break;
    }

  return false;
}

/* A control frame is all that is read here of it, and of a data frame its header. */
static bool
begin_frame (S9wsMessageDecoder *decoder,
             S9wsWindow         *window,
             S9wsMessage        *message,
             S9wsMessageResult  *result)
{
  S9wsFrameHeader header;
  S9wsViolation violation;

  switch (s9ws_frame_read_header (window->data + window->begin + decoder->next,
                                  window->end - window->begin - decoder->next, decoder->role,
                                  decoder->inflater != NULL ? S9WS_RSV1 : 0, &header, &violation))
    {
    case S9WS_FRAME_INCOMPLETE:
      *result = S9WS_MESSAGE_INCOMPLETE;
      return false;
    case S9WS_FRAME_VIOLATION:
      *result = fail (decoder, violation);
      return false;
    case S9WS_FRAME_READY:
    default:
      break;
    }

  if (is_control (header.opcode))
    {
      *result = read_control (decoder, window, &header, message);
      return false;
    }

  violation = check_data_header (decoder, &header);
  if (violation != S9WS_VIOLATION_NONE)
    {
      *result = fail (decoder, violation);
      return false;
    }

  begin_data_frame (decoder, &header);
  if (decoder->max_piece_size != 0 && !decoder->is_compressed)
    settle (decoder, window);
  return true;
}

static S9wsMessageResult
read_frames (S9wsMessageDecoder *decoder,
             S9wsWindow         *window,
             S9wsMessage        *message)
{
  S9wsMessageResult result;
  bool goes_on;

  do
    {
      if (!decoder->in_frame && !begin_frame (decoder, window, message, &result))
        return result;

      goes_on = decoder->max_piece_size != 0 ? read_piece (decoder, window, message, &result)
                                             : read_payload (decoder, window, message, &result);
    }
  while (goes_on);

  return result;
}

/* What most other frames are: as s9ws_message_decoder_peek_short (), with a length of two
 * bytes.  What is invalid or too long is left to the others to say. */
static inline bool
take_medium (const S9wsMessageDecoder *decoder,
             S9wsWindow               *window,
             S9wsMessage              *message)
{
  uint8_t *data = window->data + window->begin;
  size_t available = window->end - window->begin;
  size_t size;

  if (available < 4 || data[1] != 126 || decoder->short_limit == 0)
    return false;

  size = (size_t) data[2] << 8 | data[3];
  if (size < 126 || size > available - 4 || size > decoder->max_frame_size || size > decoder->max_message_size ||
      (uint8_t) (data[0] - 0x81) > 1)
    return false;

  message->opcode = data[0] & 0x0f;
  message->data = data + 4;
  message->size = size;
  if (message->opcode == S9WS_OPCODE_TEXT && !s9ws_utf8_is_valid (message->data, size))
    return false;

  window->begin += 4 + size;
  return true;
}

S9wsMessageResult
s9ws_message_decoder_next (S9wsMessageDecoder *decoder,
                           S9wsWindow         *window,
                           S9wsMessage        *message)
{
  if (s9ws_message_decoder_peek_short (decoder, window, message) &&
      (message->opcode != S9WS_OPCODE_TEXT || s9ws_utf8_is_valid (message->data, message->size)))
    {
      s9ws_window_take_short (window, message);
      return S9WS_MESSAGE_READY;
    }
  if (take_medium (decoder, window, message))
    return S9WS_MESSAGE_READY;

  if (decoder->violation != S9WS_VIOLATION_NONE)
    return S9WS_MESSAGE_VIOLATION;

  return read_frames (decoder, window, message);
}
