/* sender.h: messages on their way into frames: which are compressed, and which come in pieces
 *
 * Whoever encodes frames has one, and its calls are in the order in which the frames are
 * sent: compressed messages refer to those before them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "output.h"

#include "../framer/deflate.h"
#include "../framer/extension.h"
#include "../framer/utf8.h"

G_BEGIN_DECLS

typedef struct
{
  S9wsDeflater deflater;
  guint64 threshold;       /* bytes: shorter messages are not compressed */
  gboolean may_compress;   /* it was agreed on ... */
  gboolean wants_compress; /* ... and is wanted */

  /* of a message that has begun, and is sent in pieces */
  gboolean is_amid;
  gboolean is_text;
  gboolean is_compressed;
  guint8 next_opcode; /* of its next frame */
  S9wsUtf8 utf8;
} S9wsSender;

/* GLib's memory for zlib's states. */
extern const S9wsDeflateMemory s9ws_sender_memory;

/* Nothing is compressed before s9ws_sender_use_deflate (). */
void s9ws_sender_init        (S9wsSender                  *sender);
void s9ws_sender_use_deflate (S9wsSender                  *sender,
                              const S9wsDeflateParameters *agreed,
                              guint                        level,
                              guint64                      threshold);
void s9ws_sender_clear       (S9wsSender                  *sender);

/* How long a payload must be to need more than a frame as it is; 0 amid a message, where
 * there can be no other. */
guint8 s9ws_sender_get_short_limit (const S9wsSender *sender);

/* Compresses and encodes a whole frame; returns the size of its payload.  @frame has
 * is_compressed set by one of the functions below. */
gsize s9ws_sender_compress (S9wsSender      *sender,
                            S9wsOutput      *output,
                            S9wsOutputFrame *frame);

/* Fills in what is to be sent of a whole message, or a control frame. */
void s9ws_sender_prepare (const S9wsSender *sender,
                          S9wsOutputFrame  *frame,
                          S9wsOpcode        opcode,
                          const guint8     *data,
                          gsize             size);

/* Whether a whole message can be sent now; not amid another: G_IO_ERROR_PENDING. */
gboolean s9ws_sender_check_whole (const S9wsSender  *sender,
                                  GError           **error);

/* A message in pieces: _check_piece () is what may fail, with S9WS_ERROR_PROTOCOL where no
 * message has begun or S9WS_ERROR_INVALID_UTF8, and changes nothing but @utf8, which is for
 * _prepare_piece ().  A final piece is empty. */
void     s9ws_sender_begin         (S9wsSender        *sender,
                                    S9wsOpcode         opcode);
gboolean s9ws_sender_check_piece   (const S9wsSender  *sender,
                                    const guint8      *data,
                                    gsize              size,
                                    gboolean           is_final,
                                    S9wsUtf8          *utf8,
                                    GError           **error);
void     s9ws_sender_prepare_piece (S9wsSender        *sender,
                                    S9wsOutputFrame   *frame,
                                    const guint8      *data,
                                    gsize              size,
                                    gboolean           is_final,
                                    const S9wsUtf8    *utf8);

G_END_DECLS
