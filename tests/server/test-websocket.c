/* test-websocket.c: the upgrade and the frames of a test server's connection
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "test-peer-private.h"
#include "test-server.h"

#include <string.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define HEAD_MAX 65536
#define SMALL_MAX 65536 /* bytes of payload that are copied behind their header */
#define FRAME_MAX ((guint64) 256 << 20)

const char *
test_peer_read_request (TestPeer *peer)
{
  g_string_truncate (peer->request, 0);

  while (!g_str_has_suffix (peer->request->str, "\r\n\r\n"))
    {
      char byte;

      if (!test_peer_read_all (peer, &byte, 1))
        return NULL;

      if (byte == '\0' || peer->request->len >= HEAD_MAX)
        {
          test_peer_fail (peer, TEST_END_BROKEN);
          return NULL;
        }

      g_string_append_c (peer->request, byte);
    }

  return peer->request->str;
}

const char *
test_peer_get_request (TestPeer *peer)
{
  return peer->request->str;
}

const char *
test_peer_get_request_header (TestPeer   *peer,
                              const char *name)
{
  g_auto (GStrv) lines = g_strsplit (peer->request->str, "\r\n", -1);
  gsize length = strlen (name);

  for (gsize i = 1; lines[0] != NULL && lines[i] != NULL; i++)
    if (g_ascii_strncasecmp (lines[i], name, length) == 0 && lines[i][length] == ':')
      {
        char *value = g_strdup (g_strstrip (lines[i] + length + 1));

        g_ptr_array_add (peer->values, value);
        return value;
      }

  return NULL;
}

char *
test_peer_dup_accept_key (TestPeer *peer)
{
  const char *key = test_peer_get_request_header (peer, "Sec-WebSocket-Key");
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA1);
  guint8 digest[20];
  gsize size = sizeof digest;

  if (key != NULL)
    g_checksum_update (checksum, (const guchar *) key, -1);
  g_checksum_update (checksum, (const guchar *) GUID, -1);
  g_checksum_get_digest (checksum, digest, &size);

  return g_base64_encode (digest, size);
}

char *
test_peer_dup_response (TestPeer   *peer,
                        const char *protocol,
                        const char *headers)
{
  g_autofree char *accept = test_peer_dup_accept_key (peer);

  return g_strconcat ("HTTP/1.1 101 Switching Protocols\r\n"
                      "Upgrade: websocket\r\n"
                      "Connection: Upgrade\r\n"
                      "Sec-WebSocket-Accept: ",
                      accept, "\r\n",
                      protocol != NULL ? "Sec-WebSocket-Protocol: " : "",
                      protocol != NULL ? protocol : "",
                      protocol != NULL ? "\r\n" : "",
                      headers != NULL ? headers : "",
                      "\r\n", NULL);
}

gboolean
test_peer_accept (TestPeer   *peer,
                  const char *protocol,
                  const char *headers)
{
  g_autofree char *response = NULL;

  if (peer->request->len == 0 && test_peer_read_request (peer) == NULL)
    return FALSE;

  response = test_peer_dup_response (peer, protocol, headers);

  return test_peer_send_string (peer, response);
}

static gsize
write_header (guint8   *header,
              guint8    opcode,
              gboolean  is_final,
              guint64   size)
{
  guint n_length_bytes = size < 126 ? 0 : size <= G_MAXUINT16 ? 2
                                                              : 8;

  header[0] = (is_final ? 0x80 : 0) | opcode;
  header[1] = n_length_bytes == 0 ? (guint8) size : n_length_bytes == 2 ? 126
                                                                        : 127;
  for (guint i = 0; i < n_length_bytes; i++)
    header[2 + i] = (guint8) (size >> 8 * (n_length_bytes - 1 - i));

  return 2 + n_length_bytes;
}

gboolean
test_peer_send_header (TestPeer *peer,
                       guint8    opcode,
                       gboolean  is_final,
                       guint64   size)
{
  guint8 header[10];

  return test_peer_send (peer, header, write_header (header, opcode, is_final, size));
}

gboolean
test_peer_send_frame (TestPeer      *peer,
                      guint8         opcode,
                      gboolean       is_final,
                      gconstpointer  payload,
                      gsize          size)
{
  guint8 buffer[10 + SMALL_MAX];
  gsize header_size = write_header (buffer, opcode, is_final, size);

  if (size > SMALL_MAX)
    return test_peer_send (peer, buffer, header_size) &&
           test_peer_send (peer, payload, size);

  if (size > 0)
    memcpy (buffer + header_size, payload, size);

  return test_peer_send (peer, buffer, header_size + size);
}

gboolean
test_peer_send_close (TestPeer   *peer,
                      guint       code,
                      const char *reason)
{
  guint8 payload[125] = { (guint8) (code >> 8), (guint8) code };
  gsize length = reason != NULL ? strlen (reason) : 0;

  g_assert_cmpuint (length, <=, sizeof payload - 2);
  if (length > 0)
    memcpy (payload + 2, reason, length);

  return test_peer_send_frame (peer, TEST_CLOSE, TRUE, payload, code != 0 ? 2 + length : 0);
}

/* Everything but the payload. */
static gboolean
read_header (TestPeer  *peer,
             TestFrame *frame)
{
  guint8 bytes[8];
  guint n_length_bytes;
  guint64 size;

  if (!test_peer_read_all (peer, bytes, 2))
    return FALSE;

  frame->is_final = (bytes[0] & 0x80) != 0;
  frame->reserved_bits = bytes[0] & 0x70;
  frame->opcode = bytes[0] & 0x0f;
  size = bytes[1] & 0x7f;
  n_length_bytes = size == 126 ? 2 : size == 127 ? 8
                                                 : 0;

  if ((bytes[1] & 0x80) == 0 ||
      (frame->opcode > TEST_BINARY && frame->opcode < TEST_CLOSE) || frame->opcode > TEST_PONG ||
      (frame->opcode >= TEST_CLOSE && (size > 125 || !frame->is_final)))
    return test_peer_fail (peer, TEST_END_BROKEN);

  if (n_length_bytes > 0)
    {
      if (!test_peer_read_all (peer, bytes, n_length_bytes))
        return FALSE;

      size = 0;
      for (guint i = 0; i < n_length_bytes; i++)
        size = size << 8 | bytes[i];

      if (size < (n_length_bytes == 2 ? 126 : 65536) || size > FRAME_MAX)
        return test_peer_fail (peer, TEST_END_BROKEN);
    }

  frame->size = size;

  return test_peer_read_all (peer, frame->mask, sizeof frame->mask);
}

gboolean
test_peer_read_frame (TestPeer  *peer,
                      TestFrame *frame)
{
  *frame = (TestFrame){ 0 };

  if (!read_header (peer, frame))
    return FALSE;

  g_string_set_size (peer->payload, frame->size);
  if (!test_peer_read_all (peer, peer->payload->str, frame->size))
    return FALSE;

  for (gsize i = 0; i < frame->size; i++)
    peer->payload->str[i] ^= (char) frame->mask[i % 4];
  frame->payload = peer->payload->str;

  if (frame->opcode == TEST_CLOSE)
    {
      const guint8 *bytes = (const guint8 *) frame->payload;

      if (frame->size == 1)
        return test_peer_fail (peer, TEST_END_BROKEN);

      frame->close_code = frame->size >= 2 ? (guint) (bytes[0] << 8 | bytes[1]) : 1005;
      frame->reason = frame->size >= 2 ? frame->payload + 2 : "";
    }

  return TRUE;
}

gboolean
test_peer_expect_frame (TestPeer      *peer,
                        guint8         opcode,
                        gconstpointer  payload,
                        gsize          size)
{
  TestFrame frame;

  if (!test_peer_read_frame (peer, &frame))
    {
      g_printerr ("# server: expected a frame with opcode %u, but the connection ended (%d)\n",
                  opcode, (int) peer->end);
      return FALSE;
    }

  if (frame.opcode == opcode && frame.is_final && frame.reserved_bits == 0 &&
      frame.size == size && (size == 0 || memcmp (frame.payload, payload, size) == 0))
    return TRUE;

  g_printerr ("# server: expected opcode %u with %" G_GSIZE_FORMAT " bytes, not "
              "opcode %u%s with %" G_GSIZE_FORMAT " bytes: %.80s\n",
              opcode, size, frame.opcode, frame.is_final ? "" : " (not final)", frame.size,
              frame.payload);

  return FALSE;
}

gboolean
test_peer_close (TestPeer   *peer,
                 guint       code,
                 const char *reason,
                 guint      *answer)
{
  TestFrame frame;

  if (!test_peer_send_close (peer, code, reason))
    return FALSE;

  do
    if (!test_peer_read_frame (peer, &frame))
      return FALSE;
  while (frame.opcode != TEST_CLOSE);

  if (answer != NULL)
    *answer = frame.close_code;

  test_peer_half_close (peer);

  return test_peer_wait_end (peer) != TEST_END_TIMEOUT;
}

void
test_script_echo (TestPeer *peer,
                  gpointer  user_data)
{
  g_auto (GStrv) protocols = NULL;
  const char *wanted;
  TestFrame frame;

  if (test_peer_read_request (peer) == NULL)
    return;

  wanted = test_peer_get_request_header (peer, "Sec-WebSocket-Protocol");
  if (wanted != NULL)
    protocols = g_strsplit (wanted, ",", 2);

  if (!test_peer_accept (peer, protocols != NULL ? g_strstrip (protocols[0]) : NULL, NULL))
    return;

  while (test_peer_read_frame (peer, &frame))
    {
      if (frame.opcode == TEST_PONG)
        continue;

      if (!test_peer_send_frame (peer,
                                 frame.opcode == TEST_PING ? TEST_PONG : frame.opcode,
                                 frame.is_final, frame.payload, frame.size))
        return;

      if (frame.opcode == TEST_CLOSE)
        return;
    }
}
