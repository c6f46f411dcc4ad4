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
  if (decoder->message_opcode == S9WS_OPCODE_CONTINUATION)
    {
      window->begin += decoder->next;
      decoder->next = 0;
    }

  if (header->opcode != S9WS_OPCODE_CLOSE)
    return S9WS_MESSAGE_READY;

  violation = read_close (message);
  return violation == S9WS_VIOLATION_NONE ? S9WS_MESSAGE_READY : fail (decoder, violation);
}

static S9wsViolation
check_data_header (S9wsMessageDecoder    *decoder,
                   const S9wsFrameHeader *header)
{
  bool in_message = decoder->message_opcode != S9WS_OPCODE_CONTINUATION;

  if (header->opcode == S9WS_OPCODE_CONTINUATION && !in_message)
    return S9WS_VIOLATION_UNEXPECTED_CONTINUATION;
  if (header->opcode != S9WS_OPCODE_CONTINUATION && in_message)
    return S9WS_VIOLATION_EXPECTED_CONTINUATION;
  if (header->payload_size > decoder->max_frame_size)
    return S9WS_VIOLATION_FRAME_TOO_BIG;
  if (header->payload_size > decoder->max_message_size - decoder->message_size ||
      header->payload_size > SIZE_MAX / 2 - decoder->message_size)
    return S9WS_VIOLATION_MESSAGE_TOO_BIG;

  return S9WS_VIOLATION_NONE;
}

static void
begin_data_frame (S9wsMessageDecoder    *decoder,
                  const S9wsFrameHeader *header)
{
  decoder->next += header->size;
  if (decoder->message_opcode == S9WS_OPCODE_CONTINUATION)
    {
      decoder->message_opcode = header->opcode;
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

/* What has come of the frame's payload joins the message: it is moved down to it, if it
 * is not there already, and what lies behind follows it. */
static S9wsViolation
take_payload (S9wsMessageDecoder *decoder,
              S9wsWindow         *window)
{
  uint8_t *base = window->data + window->begin;
  size_t available = window->end - window->begin - decoder->next;
  size_t size = decoder->frame_remaining < available ? (size_t) decoder->frame_remaining : available;
  size_t message_end = decoder->message_start + decoder->message_size;

  if (size == 0)
    return S9WS_VIOLATION_NONE;

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
    return S9WS_VIOLATION_TEXT;

  return S9WS_VIOLATION_NONE;
}

static S9wsMessageResult
finish_message (S9wsMessageDecoder *decoder,
                S9wsWindow         *window,
                S9wsMessage        *message)
{
  if (decoder->message_opcode == S9WS_OPCODE_TEXT && !s9ws_utf8_is_complete (&decoder->utf8))
    return fail (decoder, S9WS_VIOLATION_TEXT);

  message->opcode = decoder->message_opcode;
  message->data = window->data + window->begin + decoder->message_start;
  message->size = decoder->message_size;
  window->begin += decoder->next;
  decoder->next = 0;
  decoder->message_start = 0;
  decoder->message_size = 0;
  decoder->message_opcode = S9WS_OPCODE_CONTINUATION;
  decoder->short_limit = decoder->short_max;
  return S9WS_MESSAGE_READY;
}

static S9wsMessageResult
read_frames (S9wsMessageDecoder *decoder,
             S9wsWindow         *window,
             S9wsMessage        *message)
{
  while (true)
    {
      S9wsViolation violation;

      if (!decoder->in_frame)
        {
          S9wsFrameHeader header;
          S9wsFrameResult result = s9ws_frame_read_header (window->data + window->begin + decoder->next,
                                                           window->end - window->begin - decoder->next,
                                                           decoder->role, 0, &header, &violation);

          if (result == S9WS_FRAME_INCOMPLETE)
            return S9WS_MESSAGE_INCOMPLETE;
          if (result == S9WS_FRAME_VIOLATION)
            return fail (decoder, violation);
          if (is_control (header.opcode))
            return read_control (decoder, window, &header, message);

          violation = check_data_header (decoder, &header);
          if (violation != S9WS_VIOLATION_NONE)
            return fail (decoder, violation);
          begin_data_frame (decoder, &header);
        }

      violation = take_payload (decoder, window);
      if (violation != S9WS_VIOLATION_NONE)
        return fail (decoder, violation);
      if (decoder->frame_remaining > 0)
        return S9WS_MESSAGE_INCOMPLETE;

      decoder->in_frame = false;
      if (decoder->is_final)
        return finish_message (decoder, window, message);
    }
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

  if (decoder->violation != S9WS_VIOLATION_NONE)
    return S9WS_MESSAGE_VIOLATION;

  return read_frames (decoder, window, message);
}
