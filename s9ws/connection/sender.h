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

/* How long a payload must be to need more than a frame as it is. */
guint8 s9ws_sender_get_short_limit (const S9wsSender *sender);

/* Compresses and encodes a whole frame; returns the size of its payload.  @frame has
 * is_compressed set by s9ws_sender_prepare (). */
gsize s9ws_sender_compress (S9wsSender      *sender,
                            S9wsOutput      *output,
                            S9wsOutputFrame *frame);

/* Fills in what is to be sent of a whole message, or a control frame. */
void s9ws_sender_prepare (const S9wsSender *sender,
                          S9wsOutputFrame  *frame,
                          S9wsOpcode        opcode,
                          const guint8     *data,
                          gsize             size);

G_END_DECLS
