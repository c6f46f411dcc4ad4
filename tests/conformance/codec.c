/* codec.c: a server's side of permessage-deflate (RFC 7692), on zlib alone
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "codec.h"

#include <string.h>
#include <zlib.h>

#define TAIL "\x00\x00\xff\xff"
#define TAIL_SIZE 4

struct _Codec
{
  CodecSetup setup;
  z_stream inflating;
  z_stream deflating;
  GString *unpacked;
  GString *packed;
};

char *
codec_setup_dup_header (const CodecSetup *setup)
{
  return g_strdup_printf ("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=%u; server_max_window_bits=%u%s%s\r\n",
                          setup->client_bits, setup->server_bits,
                          setup->client_takes_over ? "" : "; client_no_context_takeover",
                          setup->server_takes_over ? "" : "; server_no_context_takeover");
}

Codec *
codec_new (const CodecSetup *setup)
{
  Codec *codec = g_new0 (Codec, 1);
  /* zlib inflates with a window of 8 bits, but deflates with one of 9 instead; Z_RLE refers
   * to the byte before only. */
  int bits = MAX ((int) setup->server_bits, 9);
  int strategy = setup->server_bits < 9 ? Z_RLE : Z_DEFAULT_STRATEGY;

  codec->setup = *setup;
  codec->unpacked = g_string_new (NULL);
  codec->packed = g_string_new (NULL);
  g_assert_cmpint (inflateInit2 (&codec->inflating, -(int) setup->client_bits), ==, Z_OK);
  g_assert_cmpint (deflateInit2 (&codec->deflating, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -bits, 8, strategy), ==, Z_OK);

  return codec;
}

void
codec_free (Codec *codec)
{
  inflateEnd (&codec->inflating);
  deflateEnd (&codec->deflating);
  g_string_free (codec->unpacked, TRUE);
  g_string_free (codec->packed, TRUE);
  g_free (codec);
}

/* A byte at a time: what zlib has not put into its window yet it would find in the buffer,
 * however far back that is. */
static gboolean
unpack (Codec      *codec,
        const char *data,
        gsize       size)
{
  z_stream *stream = &codec->inflating;
  gboolean is_full = TRUE;

  stream->next_in = (guint8 *) data;
  stream->avail_in = (guint) size;
  while (stream->avail_in > 0 || is_full)
    {
      char byte;
      int result;

      stream->next_out = (guint8 *) &byte;
      stream->avail_out = 1;
      result = inflate (stream, Z_SYNC_FLUSH);
      is_full = stream->avail_out == 0;
      if (is_full)
        g_string_append_c (codec->unpacked, byte);
      if (result != Z_OK && result != Z_BUF_ERROR)
        return FALSE;
    }

  return TRUE;
}

GString *
codec_unpack (Codec      *codec,
              const char *data,
              gsize       size)
{
  g_string_truncate (codec->unpacked, 0);

  /* The tail has been taken off. */
  if (size >= TAIL_SIZE && memcmp (data + size - TAIL_SIZE, TAIL, TAIL_SIZE) == 0)
    return NULL;
  if (!unpack (codec, data, size) || !unpack (codec, TAIL, TAIL_SIZE))
    return NULL;

  if (!codec->setup.client_takes_over)
    inflateReset (&codec->inflating);
  return codec->unpacked;
}

GString *
codec_pack (Codec      *codec,
            const char *data,
            gsize       size)
{
  z_stream *stream = &codec->deflating;

  g_string_set_size (codec->packed, deflateBound (stream, size) + 64);
  stream->next_in = (guint8 *) data;
  stream->avail_in = (guint) size;
  stream->next_out = (guint8 *) codec->packed->str;
  stream->avail_out = (guint) codec->packed->len;
  g_assert_cmpint (deflate (stream, Z_SYNC_FLUSH), ==, Z_OK);
  g_assert_cmpuint (stream->avail_out, >, 0);
  g_string_truncate (codec->packed, codec->packed->len - stream->avail_out - TAIL_SIZE);
  g_assert_cmpmem (codec->packed->str + codec->packed->len, TAIL_SIZE, TAIL, TAIL_SIZE);

  if (!codec->setup.server_takes_over)
    deflateReset (stream);
  return codec->packed;
}
