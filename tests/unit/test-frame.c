/* test-frame.c: headers of frames, read and written
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "framer/frame.h"
#include "runners.h"

static Guard guard;

static const char mask[S9WS_MASK_SIZE] = "\x37\xfa\x21\x3d";

/* Reads against the page's end: what is not there yet is not looked at. */
static S9wsFrameResult
read_header (gconstpointer    data,
             gsize            size,
             S9wsRole         role,
             guint8           allowed,
             S9wsFrameHeader *header,
             S9wsViolation   *violation)
{
  return s9ws_frame_read_header (guard_place (&guard, data, size), size, role, allowed, header, violation);
}

/* Headers that are fine */

typedef struct
{
  const char *name;
  const char *data;
  gsize size;
  S9wsRole role;
  guint8 allowed;
  S9wsFrameHeader header;
} Good;

/* clang-format off */
static const Good goods[] = {
  { "continuation", BYTES ("\x00\x00"), S9WS_ROLE_CLIENT, 0, { 0, "", 0x0, 0, 2, FALSE, FALSE } },
  { "text", BYTES ("\x81\x05"), S9WS_ROLE_CLIENT, 0, { 5, "", 0x1, 0, 2, TRUE, FALSE } },
  { "text-begins", BYTES ("\x01\x05"), S9WS_ROLE_CLIENT, 0, { 5, "", 0x1, 0, 2, FALSE, FALSE } },
  { "binary", BYTES ("\x82\x7d"), S9WS_ROLE_CLIENT, 0, { 125, "", 0x2, 0, 2, TRUE, FALSE } },
  { "close", BYTES ("\x88\x02"), S9WS_ROLE_CLIENT, 0, { 2, "", 0x8, 0, 2, TRUE, FALSE } },
  { "ping", BYTES ("\x89\x00"), S9WS_ROLE_CLIENT, 0, { 0, "", 0x9, 0, 2, TRUE, FALSE } },
  { "pong", BYTES ("\x8a\x7d"), S9WS_ROLE_CLIENT, 0, { 125, "", 0xa, 0, 2, TRUE, FALSE } },
  { "16-smallest", BYTES ("\x82\x7e\x00\x7e"), S9WS_ROLE_CLIENT, 0, { 126, "", 0x2, 0, 4, TRUE, FALSE } },
  { "16-bytes-in-order", BYTES ("\x82\x7e\x12\x34"), S9WS_ROLE_CLIENT, 0, { 0x1234, "", 0x2, 0, 4, TRUE, FALSE } },
  { "16-largest", BYTES ("\x82\x7e\xff\xff"), S9WS_ROLE_CLIENT, 0, { 65535, "", 0x2, 0, 4, TRUE, FALSE } },
  { "64-smallest", BYTES ("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"), S9WS_ROLE_CLIENT, 0,
    { 65536, "", 0x2, 0, 10, TRUE, FALSE } },
  { "64-bytes-in-order", BYTES ("\x82\x7f\x01\x23\x45\x67\x89\xab\xcd\xef"), S9WS_ROLE_CLIENT, 0,
    { G_GUINT64_CONSTANT (0x0123456789abcdef), "", 0x2, 0, 10, TRUE, FALSE } },
  { "64-largest", BYTES ("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), S9WS_ROLE_CLIENT, 0,
    { G_MAXINT64, "", 0x2, 0, 10, TRUE, FALSE } },
  { "masked", BYTES ("\x81\x85\x37\xfa\x21\x3d"), S9WS_ROLE_SERVER, 0,
    { 5, { 0x37, 0xfa, 0x21, 0x3d }, 0x1, 0, 6, TRUE, TRUE } },
  { "masked-with-zeros", BYTES ("\x81\x80\x00\x00\x00\x00"), S9WS_ROLE_SERVER, 0, { 0, "", 0x1, 0, 6, TRUE, TRUE } },
  { "masked-16", BYTES ("\x02\xfe\x01\x00\x01\x02\x03\x04"), S9WS_ROLE_SERVER, 0,
    { 256, { 1, 2, 3, 4 }, 0x2, 0, 8, FALSE, TRUE } },
  { "masked-64", BYTES ("\x82\xff\x00\x00\x00\x01\x00\x00\x00\x00\x01\x02\x03\x04"), S9WS_ROLE_SERVER, 0,
    { G_GUINT64_CONSTANT (1) << 32, { 1, 2, 3, 4 }, 0x2, 0, 14, TRUE, TRUE } },
  { "rsv1-allowed", BYTES ("\xc1\x01"), S9WS_ROLE_CLIENT, 4, { 1, "", 0x1, 4, 2, TRUE, FALSE } },
  { "rsv2-allowed", BYTES ("\xa1\x01"), S9WS_ROLE_CLIENT, 2, { 1, "", 0x1, 2, 2, TRUE, FALSE } },
  { "rsv3-allowed", BYTES ("\x91\x01"), S9WS_ROLE_CLIENT, 1, { 1, "", 0x1, 1, 2, TRUE, FALSE } },
  { "all-allowed", BYTES ("\xf1\x01"), S9WS_ROLE_CLIENT, 7, { 1, "", 0x1, 7, 2, TRUE, FALSE } },
};
/* clang-format on */

static void
test_good (gconstpointer data)
{
  const Good *good = data;
  const S9wsFrameHeader *expected = &good->header;
  S9wsViolation violation = S9WS_VIOLATION_NONE;
  S9wsFrameHeader header;
  guint8 written[S9WS_FRAME_HEADER_MAX];
  gsize size;

  for (size = 0; size < good->size; size++)
    g_assert_cmpint (read_header (good->data, size, good->role, good->allowed, &header, &violation), ==, S9WS_FRAME_INCOMPLETE);

  memset (&header, 0xff, sizeof header);
  g_assert_cmpint (read_header (good->data, good->size, good->role, good->allowed, &header, &violation), ==, S9WS_FRAME_READY);
  g_assert_cmpint (violation, ==, S9WS_VIOLATION_NONE);
  g_assert_cmpuint (header.payload_size, ==, expected->payload_size);
  g_assert_cmpmem (header.mask, S9WS_MASK_SIZE, expected->mask, S9WS_MASK_SIZE);
  g_assert_cmpuint (header.opcode, ==, expected->opcode);
  g_assert_cmpuint (header.reserved_bits, ==, expected->reserved_bits);
  g_assert_cmpuint (header.size, ==, expected->size);
  g_assert_true (header.is_final == expected->is_final);
  g_assert_true (header.is_masked == expected->is_masked);

  /* What follows it makes no difference. */
  {
    g_autofree char *more = g_strnfill (good->size + 20, '\xff');

    memcpy (more, good->data, good->size);
    g_assert_cmpint (read_header (more, good->size + 20, good->role, good->allowed, &header, &violation), ==, S9WS_FRAME_READY);
    g_assert_cmpuint (header.size, ==, expected->size);
  }

  size = s9ws_frame_write_header (written, expected->opcode, expected->is_final, expected->reserved_bits,
                                  expected->payload_size, expected->is_masked ? expected->mask : NULL);
  g_assert_cmpmem (written, size, good->data, good->size);
}

/* Headers that are not */

typedef struct
{
  const char *name;
  const char *data;
  gsize size;
  S9wsRole role;
  guint8 allowed;
  S9wsViolation violation;
  gsize fails_at; /* bytes: with so many it is seen */
} Bad;

/* clang-format off */
static const Bad bads[] = {
  { "rsv1", BYTES ("\xc1\x00"), S9WS_ROLE_CLIENT, 0, S9WS_VIOLATION_RESERVED_BITS, 1 },
  { "rsv2", BYTES ("\xa1\x00"), S9WS_ROLE_CLIENT, 0, S9WS_VIOLATION_RESERVED_BITS, 1 },
  { "rsv3", BYTES ("\x91\x00"), S9WS_ROLE_CLIENT, 0, S9WS_VIOLATION_RESERVED_BITS, 1 },
  { "rsv2-where-rsv1-may", BYTES ("\xa1\x00"), S9WS_ROLE_CLIENT, 4, S9WS_VIOLATION_RESERVED_BITS, 1 },
  { "rsv1-and-2-where-rsv1-may", BYTES ("\xe1\x00"), S9WS_ROLE_CLIENT, 4, S9WS_VIOLATION_RESERVED_BITS, 1 },
  { "opcode-3", BYTES ("\x83\x00"), S9WS_ROLE_CLIENT, 0, S9WS_VIOLATION_UNKNOWN_OPCODE, 1 },
  { "opcode-7", BYTES ("\x07\x00"), S9WS_ROLE_CLIENT, 0, S9WS_VIOLATION_UNKNOWN_OPCODE, 1 },
  { "opcode-b", BYTES ("\x8b\x00"), S9WS_ROLE_CLIENT, 0, S9WS_VIOLATION_UNKNOWN_OPCODE, 1 },
  { "opcode-f", BYTES ("\x8f\x00"), S9WS_ROLE_SERVER, 0, S9WS_VIOLATION_UNKNOWN_OPCODE, 1 },
  { "close-not-final", BYTES ("\x08\x00"), S9WS_ROLE_CLIENT, 0, S9WS_VIOLATION_CONTROL_FRAGMENTED, 1 },
  { "ping-not-final", BYTES ("\x09\x00"), S9WS_ROLE_CLIENT, 0, S9WS_VIOLATION_CONTROL_FRAGMENTED, 1 },
  { "pong-not-final", BYTES ("\x0a\x00"), S9WS_ROLE_SERVER, 0, S9WS_VIOLATION_CONTROL_FRAGMENTED, 1 },
  { "ping-of-126", BYTES ("\x89\x7e\x00\x7e"), S9WS_ROLE_CLIENT, 0, S9WS_VIOLATION_CONTROL_TOO_LONG, 2 },
  { "close-of-64-bits", BYTES ("\x88\x7f\x00\x00\x00\x00\x00\x01\x00\x00"), S9WS_ROLE_CLIENT, 0, S9WS_VIOLATION_CONTROL_TOO_LONG, 2 },
  { "pong-of-126-masked", BYTES ("\x8a\xfe\x00\x7e\x00\x00\x00\x00"), S9WS_ROLE_SERVER, 0, S9WS_VIOLATION_CONTROL_TOO_LONG, 2 },
  { "masked-to-client", BYTES ("\x81\x80\x00\x00\x00\x00"), S9WS_ROLE_CLIENT, 0, S9WS_VIOLATION_MASKED, 2 },
  { "unmasked-to-server", BYTES ("\x81\x00"), S9WS_ROLE_SERVER, 0, S9WS_VIOLATION_UNMASKED, 2 },
  { "16-for-0", BYTES ("\x82\x7e\x00\x00"), S9WS_ROLE_CLIENT, 0, S9WS_VIOLATION_LENGTH_NOT_MINIMAL, 4 },
  { "16-for-125", BYTES ("\x82\x7e\x00\x7d"), S9WS_ROLE_CLIENT, 0, S9WS_VIOLATION_LENGTH_NOT_MINIMAL, 4 },
  { "16-for-125-masked", BYTES ("\x82\xfe\x00\x7d\x00\x00\x00\x00"), S9WS_ROLE_SERVER, 0, S9WS_VIOLATION_LENGTH_NOT_MINIMAL, 4 },
  { "64-for-0", BYTES ("\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x00"), S9WS_ROLE_CLIENT, 0, S9WS_VIOLATION_LENGTH_NOT_MINIMAL, 10 },
  { "64-for-126", BYTES ("\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x7e"), S9WS_ROLE_CLIENT, 0, S9WS_VIOLATION_LENGTH_NOT_MINIMAL, 10 },
  { "64-for-65535", BYTES ("\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff"), S9WS_ROLE_CLIENT, 0, S9WS_VIOLATION_LENGTH_NOT_MINIMAL, 10 },
  { "64-highest-bit", BYTES ("\x82\x7f\x80\x00\x00\x00\x00\x01\x00\x00"), S9WS_ROLE_CLIENT, 0, S9WS_VIOLATION_LENGTH_TOO_LARGE, 10 },
  { "64-all-bits", BYTES ("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00"), S9WS_ROLE_SERVER, 0, S9WS_VIOLATION_LENGTH_TOO_LARGE, 10 },
};
/* clang-format on */

static void
test_bad (gconstpointer data)
{
  const Bad *bad = data;
  S9wsFrameHeader header;
  S9wsViolation violation;

  for (gsize size = 0; size <= bad->size; size++)
    {
      S9wsFrameResult result;

      violation = S9WS_VIOLATION_NONE;
      result = read_header (bad->data, size, bad->role, bad->allowed, &header, &violation);
      g_assert_cmpint (result, ==, size < bad->fails_at ? S9WS_FRAME_INCOMPLETE : S9WS_FRAME_VIOLATION);
      g_assert_cmpint (violation, ==, size < bad->fails_at ? S9WS_VIOLATION_NONE : bad->violation);
    }
}

/* Every pair of first bytes, against the rules written down once more. */
static gboolean
is_pair_valid (guint    first,
               guint    second,
               S9wsRole role,
               guint    allowed)
{
  gboolean is_final = first >= 0x80;
  gboolean is_masked = second >= 0x80;
  guint reserved = first % 0x80 / 0x10;
  guint opcode = first % 0x10;
  guint length = second % 0x80;

  /* Only the first frame of a message has any. */
  if (opcode != 1 && opcode != 2)
    allowed = 0;

  if ((reserved | allowed) != allowed || is_masked != (role == S9WS_ROLE_SERVER))
    return FALSE;

  switch (opcode)
    {
    case 0:
    case 1:
    case 2:
      return TRUE;
    case 8:
    case 9:
    case 10:
      return is_final && length < 126;
    default:
      return FALSE;
    }
}

static void
test_pairs (void)
{
  for (guint n = 0; n < 2 * 8 * 65536; n++)
    {
      S9wsRole role = n & 1 ? S9WS_ROLE_CLIENT : S9WS_ROLE_SERVER;
      guint8 allowed = n >> 1 & 7;
      guint8 bytes[14] = { (guint8) (n >> 4), (guint8) (n >> 12), 0x12, 0x34, 0x56 };
      guint length = bytes[1] & 0x7f;
      gsize length_size = length < 126 ? 0 : 2;
      gsize size;
      S9wsFrameHeader header;
      S9wsViolation violation = S9WS_VIOLATION_NONE;
      S9wsFrameResult result = s9ws_frame_read_header (bytes, sizeof bytes, role, allowed, &header, &violation);

      if (length == 127)
        length_size = 8;
      size = 2 + length_size + (role == S9WS_ROLE_SERVER ? 4 : 0);
      if (!is_pair_valid (bytes[0], bytes[1], role, allowed))
        {
          g_assert_cmpint (result, ==, S9WS_FRAME_VIOLATION);
          g_assert_cmpint (violation, !=, S9WS_VIOLATION_NONE);
          continue;
        }

      g_assert_cmpint (result, ==, S9WS_FRAME_READY);
      g_assert_cmpuint (header.size, ==, size);
      g_assert_cmpuint (header.opcode, ==, bytes[0] & 0x0f);
      g_assert_cmpuint (header.reserved_bits, ==, bytes[0] >> 4 & 7);
      g_assert_cmpint (header.is_final, ==, bytes[0] >> 7);
      g_assert_cmpint (header.is_masked, ==, bytes[1] >> 7);
    }
}

/* Every length of 16 bits in every form. */
static void
test_lengths (void)
{
  for (guint length = 0; length < 65536; length++)
    {
      guint8 form_16[4] = { 0x82, 126, (guint8) (length >> 8), (guint8) length };
      guint8 form_64[10] = { 0x82, 127, 0, 0, 0, 0, 0, 0, (guint8) (length >> 8), (guint8) length };
      guint8 written[S9WS_FRAME_HEADER_MAX];
      S9wsFrameHeader header;
      S9wsViolation violation;
      gsize size;

      g_assert_cmpint (s9ws_frame_read_header (form_16, 4, S9WS_ROLE_CLIENT, 0, &header, &violation), ==,
                       length < 126 ? S9WS_FRAME_VIOLATION : S9WS_FRAME_READY);
      if (length >= 126)
        g_assert_cmpuint (header.payload_size, ==, length);
      g_assert_cmpint (s9ws_frame_read_header (form_64, 10, S9WS_ROLE_CLIENT, 0, &header, &violation), ==, S9WS_FRAME_VIOLATION);
      g_assert_cmpint (violation, ==, S9WS_VIOLATION_LENGTH_NOT_MINIMAL);

      size = s9ws_frame_write_header (written, S9WS_OPCODE_BINARY, TRUE, 0, length, NULL);
      g_assert_cmpuint (size, ==, length < 126 ? 2 : 4);
      g_assert_cmpint (s9ws_frame_read_header (written, size, S9WS_ROLE_CLIENT, 0, &header, &violation), ==, S9WS_FRAME_READY);
      g_assert_cmpuint (header.payload_size, ==, length);
    }
}

/* What is written is read again, and nothing is written behind it. */
static void
test_round_trip (void)
{
  static const guint8 opcodes[] = { 0x0, 0x1, 0x2, 0x8, 0x9, 0xa };

  for (guint n = 0; n < G_N_ELEMENTS (opcodes) * 2 * 8 * 2 * 64; n++)
    {
      guint8 opcode = opcodes[n % G_N_ELEMENTS (opcodes)];
      guint rest = n / G_N_ELEMENTS (opcodes);
      gboolean is_control = opcode >= 8;
      gboolean is_final = is_control || (rest & 1) != 0;
      guint8 reserved_bits = opcode == 1 || opcode == 2 ? rest >> 1 & 7 : 0;
      gboolean is_masked = (rest >> 4 & 1) != 0;
      guint64 payload_size = is_control ? (rest >> 5) : (G_GUINT64_CONSTANT (1) << (rest >> 5)) - 1;
      guint8 written[S9WS_FRAME_HEADER_MAX + 1];
      S9wsFrameHeader header;
      S9wsViolation violation;
      gsize size;

      memset (written, 0xa5, sizeof written);
      size = s9ws_frame_write_header (written, opcode, is_final, reserved_bits, payload_size, is_masked ? (const guint8 *) mask : NULL);
      for (gsize i = size; i < sizeof written; i++)
        g_assert_cmpuint (written[i], ==, 0xa5);
      g_assert_cmpint (read_header (written, size, is_masked ? S9WS_ROLE_SERVER : S9WS_ROLE_CLIENT, 7, &header, &violation), ==, S9WS_FRAME_READY);
      g_assert_cmpuint (header.size, ==, size);
      g_assert_cmpuint (header.payload_size, ==, payload_size);
      g_assert_cmpuint (header.opcode, ==, opcode);
      g_assert_cmpuint (header.reserved_bits, ==, reserved_bits);
      g_assert_true (header.is_final == is_final);
      g_assert_true (header.is_masked == is_masked);
      g_assert_cmpmem (header.mask, S9WS_MASK_SIZE, is_masked ? mask : "\0\0\0\0", S9WS_MASK_SIZE);
    }
}

/* Closing */

static void
test_close_codes (void)
{
  static const struct
  {
    guint first, last;
  } valid[] = { { 1000, 1003 }, { 1007, 1014 }, { 3000, 4999 } };

  for (guint code = 0; code < 70000; code++)
    {
      gboolean is_valid = FALSE;

      for (gsize i = 0; i < G_N_ELEMENTS (valid); i++)
        is_valid |= code >= valid[i].first && code <= valid[i].last;
      g_assert_true (s9ws_close_code_is_valid (code) == is_valid);
    }
}

static void
test_close_payload (void)
{
  guint8 buffer[S9WS_CONTROL_PAYLOAD_MAX + 1];
  g_autofree char *longest = g_strnfill (S9WS_CLOSE_REASON_MAX, 'r');

  memset (buffer, 0xa5, sizeof buffer);
  g_assert_cmpuint (s9ws_frame_write_close_payload (buffer, 0, NULL, 0), ==, 0);
  g_assert_cmpuint (s9ws_frame_write_close_payload (buffer, 0, "ignored", 7), ==, 0);
  g_assert_cmpuint (buffer[0], ==, 0xa5);
  g_assert_cmpuint (s9ws_frame_write_close_payload (buffer, 1000, NULL, 0), ==, 2);
  g_assert_cmpmem (buffer, 3, "\x03\xe8\xa5", 3);
  g_assert_cmpuint (s9ws_frame_write_close_payload (buffer, 4999, "bye", 3), ==, 5);
  g_assert_cmpmem (buffer, 6, "\x13\x87"
                              "bye\xa5",
                   6);
  g_assert_cmpuint (s9ws_frame_write_close_payload (buffer, 1001, longest, S9WS_CLOSE_REASON_MAX), ==, S9WS_CONTROL_PAYLOAD_MAX);
  g_assert_cmpmem (buffer + 2, S9WS_CLOSE_REASON_MAX, longest, S9WS_CLOSE_REASON_MAX);
  g_assert_cmpuint (buffer[S9WS_CONTROL_PAYLOAD_MAX], ==, 0xa5);
}

/* Violations */

static void
test_violations (void)
{
  static const guint16 close_codes[S9WS_N_VIOLATIONS] = {
    [S9WS_VIOLATION_RESERVED_BITS] = 1002,
    [S9WS_VIOLATION_UNKNOWN_OPCODE] = 1002,
    [S9WS_VIOLATION_MASKED] = 1002,
    [S9WS_VIOLATION_UNMASKED] = 1002,
    [S9WS_VIOLATION_LENGTH_NOT_MINIMAL] = 1002,
    [S9WS_VIOLATION_LENGTH_TOO_LARGE] = 1002,
    [S9WS_VIOLATION_CONTROL_FRAGMENTED] = 1002,
    [S9WS_VIOLATION_CONTROL_TOO_LONG] = 1002,
    [S9WS_VIOLATION_UNEXPECTED_CONTINUATION] = 1002,
    [S9WS_VIOLATION_EXPECTED_CONTINUATION] = 1002,
    [S9WS_VIOLATION_CLOSE_SIZE] = 1002,
    [S9WS_VIOLATION_CLOSE_CODE] = 1002,
    [S9WS_VIOLATION_CLOSE_REASON] = 1007,
    [S9WS_VIOLATION_TEXT] = 1007,
    [S9WS_VIOLATION_FRAME_TOO_BIG] = 1009,
    [S9WS_VIOLATION_MESSAGE_TOO_BIG] = 1009,
    [S9WS_VIOLATION_DEFLATE] = 1002,
  };
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);

  g_assert_cmpuint (s9ws_violation_get_close_code (S9WS_VIOLATION_NONE), ==, 0);
  g_assert_cmpuint (s9ws_violation_get_close_code (S9WS_N_VIOLATIONS), ==, 0);
  g_assert_cmpstr (s9ws_violation_get_name (S9WS_VIOLATION_NONE), ==, "");
  g_assert_cmpstr (s9ws_violation_get_name (S9WS_N_VIOLATIONS), ==, "");
  for (S9wsViolation i = S9WS_VIOLATION_NONE + 1; i < S9WS_N_VIOLATIONS; i++)
    {
      const char *name = s9ws_violation_get_name (i);

      g_assert_cmpuint (s9ws_violation_get_close_code (i), ==, close_codes[i]);
      g_assert_nonnull (name);
      g_assert_cmpstr (name, !=, "");
      g_assert_true (g_hash_table_add (names, (gpointer) name));
    }
}

int
main (int    argc,
      char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  guard_init (&guard, 64);

  ADD_TABLE ("/frame/good/", goods, test_good);
  ADD_TABLE ("/frame/bad/", bads, test_bad);
  g_test_add_func ("/frame/pairs", test_pairs);
  g_test_add_func ("/frame/lengths", test_lengths);
  g_test_add_func ("/frame/round-trip", test_round_trip);
  g_test_add_func ("/frame/close-codes", test_close_codes);
  g_test_add_func ("/frame/close-payload", test_close_payload);
  g_test_add_func ("/frame/violations", test_violations);

  status = g_test_run ();
  guard_clear (&guard);
  return status;
}
