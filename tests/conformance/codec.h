/* codec.h: a server's side of permessage-deflate (RFC 7692), on zlib alone
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * It shares no code with the library, and takes nothing that it need not: a client that
 * refers to more than its window, or to messages that it was told to forget, has sent what
 * cannot be unpacked.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  guint client_bits; /* 8 to 15 */
  guint server_bits;
  gboolean client_takes_over;
  gboolean server_takes_over;
} CodecSetup;

/* The header of the answer that says so, with its line's end. */
char *codec_setup_dup_header (const CodecSetup *setup);

typedef struct _Codec Codec;

Codec *codec_new  (const CodecSetup *setup);
void   codec_free (Codec            *codec);

/* A message's payload; valid until the next call.  NULL: it is malformed. */
GString *codec_unpack (Codec      *codec,
                       const char *data,
                       gsize       size);

GString *codec_pack (Codec      *codec,
                     const char *data,
                     gsize       size);

G_END_DECLS
