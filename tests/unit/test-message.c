/* test-message.c: messages out of frames, whole and in pieces, for both roles
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "framer/mask.h"
#include "framer/message.h"
#include "runners.h"

#define X5 "xxxxx"
#define X25 X5 X5 X5 X5 X5
#define X125 X25 X25 X25 X25 X25
#define X123 X25 X25 X25 X25 X5 X5 X5 X5 "xxx"

/* What a peer sends and what comes of it: "ping(?).text(Hello)." for the messages, then
 * "!1002 masked" for a violation.  For a server the same is masked. */
typedef struct
{
  const char *name;
  const char *data;
  gsize size;
  const char *log;
  gsize fails_at; /* with so many bytes a client sees the violation */
  guint64 max_frame_size;
  guint64 max_message_size;
} Vector;

/* clang-format off */
static const Vector vectors[] = {
  { "nothing", BYTES (""), "" },

  { "text", BYTES ("\x81\x05Hello"), "text(Hello)." },
  { "text-empty", BYTES ("\x81\x00"), "text()." },
  { "text-nul", BYTES ("\x81\x03" "a\0b"), "text(a\\00b)." },
  { "text-125", BYTES ("\x81\x7d" X125), "text(125)." },
  { "text-126", BYTES ("\x81\x7e\x00\x7e" X125 "x"), "text(126)." },
  { "binary", BYTES ("\x82\x03\x00\xff\x80"), "binary(\\00\\ff\\80)." },
  { "binary-empty", BYTES ("\x82\x00"), "binary()." },
  { "binary-126", BYTES ("\x82\x7e\x00\x7e" X125 "x"), "binary(126)." },
  { "messages", BYTES ("\x81\x01" "a\x82\x01" "b\x81\x00\x89\x00\x81\x02" "cd"), "text(a).binary(b).text().ping().text(cd)." },
  { "cut-off-header", BYTES ("\x81\x01" "a\x81"), "text(a)." },
  { "cut-off-length", BYTES ("\x81\x01" "a\x82\x7e\x01"), "text(a)." },
  { "cut-off-payload", BYTES ("\x81\x01" "a\x81\x05Hel"), "text(a)." },
  { "cut-off-ping", BYTES ("\x81\x01" "a\x89\x05Hel"), "text(a)." },
  { "cut-off-fragment", BYTES ("\x01\x01" "a\x80\x05Hel"), "" },
  { "huge", BYTES ("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff" "abc"), "" },

  { "fragments", BYTES ("\x01\x03Hel\x80\x02lo"), "text(Hello)." },
  { "fragments-three", BYTES ("\x02\x01" "a\x00\x02" "bc\x80\x03" "def"), "binary(abcdef)." },
  { "fragments-many", BYTES ("\x01\x01" "a\x00\x01" "b\x00\x01" "c\x00\x01" "d\x00\x01" "e\x00\x01" "f\x80\x01" "g"), "text(abcdefg)." },
  { "fragments-first-empty", BYTES ("\x01\x00\x80\x02lo"), "text(lo)." },
  { "fragments-middle-empty", BYTES ("\x01\x02he\x00\x00\x80\x02lo"), "text(helo)." },
  { "fragments-last-empty", BYTES ("\x01\x02he\x80\x00"), "text(he)." },
  { "fragments-all-empty", BYTES ("\x02\x00\x00\x00\x80\x00"), "binary()." },
  { "fragments-then-text", BYTES ("\x01\x01" "a\x80\x01" "b\x81\x01" "c\x01\x01" "d\x80\x01" "e"), "text(ab).text(c).text(de)." },
  { "fragment-long", BYTES ("\x02\x01" "a\x80\x7e\x00\x7e" X125 "x"), "binary(127)." },
  { "fragments-short-behind-long", BYTES ("\x02\x7e\x00\x7e" X125 "x\x80\x01" "b"), "binary(127)." },

  { "ping", BYTES ("\x89\x02hi"), "ping(hi)." },
  { "ping-empty", BYTES ("\x89\x00"), "ping()." },
  { "ping-125", BYTES ("\x89\x7d" X125), "ping(125)." },
  { "ping-not-utf-8", BYTES ("\x89\x02\xff\xc3"), "ping(\\ff\\c3)." },
  { "pong", BYTES ("\x8a\x01x"), "pong(x)." },
  { "pong-125", BYTES ("\x8a\x7d" X125), "pong(125)." },
  { "ping-between", BYTES ("\x01\x03Hel\x89\x01?\x80\x02lo"), "ping(?).text(Hello)." },
  { "pings-between", BYTES ("\x01\x01" "a\x89\x01" "1\x8a\x01" "2\x00\x01" "b\x89\x00\x80\x01" "c\x81\x01" "d"), "ping(1).pong(2).ping().text(abc).text(d)." },
  { "ping-behind-empty-fragment", BYTES ("\x01\x00\x89\x01" "1\x80\x02hi"), "ping(1).text(hi)." },
  { "ping-in-character", BYTES ("\x01\x02\xe2\x82\x89\x01" "1\x80\x01\xac"), "ping(1).text(\\e2\\82\\ac)." },
  { "ping-125-between", BYTES ("\x02\x01" "a\x89\x7d" X125 "\x80\x01" "b"), "ping(125).binary(ab)." },

  { "close-empty", BYTES ("\x88\x00"), "close(1005,)." },
  { "close-code", BYTES ("\x88\x02\x03\xe8"), "close(1000,)." },
  { "close-reason", BYTES ("\x88\x05\x03\xe9" "bye"), "close(1001,bye)." },
  { "close-reason-utf-8", BYTES ("\x88\x05\x03\xe9\xe2\x82\xac"), "close(1001,\\e2\\82\\ac)." },
  { "close-reason-longest", BYTES ("\x88\x7d\x0b\xb8" X123), "close(3000,123)." },
  { "close-4999", BYTES ("\x88\x02\x13\x87"), "close(4999,)." },
  { "close-1003", BYTES ("\x88\x02\x03\xeb"), "close(1003,)." },
  { "close-1007", BYTES ("\x88\x02\x03\xef"), "close(1007,)." },
  { "close-1014", BYTES ("\x88\x02\x03\xf6"), "close(1014,)." },
  { "close-between", BYTES ("\x01\x01" "a\x88\x02\x03\xe8"), "close(1000,)." },
  { "close-behind-messages", BYTES ("\x81\x01" "a\x88\x02\x03\xe8"), "text(a).close(1000,)." },

  { "utf-8", BYTES ("\x81\x09\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "text(\\c3\\a4\\e2\\82\\ac\\f0\\9f\\98\\80)." },
  { "utf-8-over-fragments", BYTES ("\x01\x01\xf0\x00\x01\x9f\x00\x01\x98\x80\x01\x80"), "text(\\f0\\9f\\98\\80)." },
  { "utf-8-over-empty-fragment", BYTES ("\x01\x01\xc3\x00\x00\x80\x01\xa4"), "text(\\c3\\a4)." },
  { "utf-8-longer", BYTES ("\x81\x7d" X25 X25 X25 X25 X5 X5 X5 X5 "\xc3\xa4xxx"), "text(125)." },
  { "utf-8-not-in-binary", BYTES ("\x82\x02\xff\xfe\x02\x01\xc3\x80\x01\xff"), "binary(\\ff\\fe).binary(\\c3\\ff)." },
  { "utf-8-bad", BYTES ("\x81\x05He\xff" "lo"), "!1007 text", 5 },
  { "utf-8-bad-behind-good", BYTES ("\x81\x01" "a\x81\x01\x80"), "text(a).!1007 text", 6 },
  { "utf-8-bad-in-unfinished", BYTES ("\x81\x7e\x03\xe8" "abc\xff"), "!1007 text", 8 },
  { "utf-8-bad-in-unfinished-64", BYTES ("\x81\x7f\x00\x00\x00\x00\x00\x10\x00\x00" "abc\xc0"), "!1007 text", 14 },
  { "utf-8-bad-in-unfinished-fragment", BYTES ("\x01\x02" "ab\x00\x7e\x10\x00" "c\xed\xa0"), "!1007 text", 11 },
  { "utf-8-bad-in-empty-rest", BYTES ("\x01\x03" "ab\xf5"), "!1007 text", 5 },
  { "utf-8-surrogate", BYTES ("\x81\x7d\xed\xa0"), "!1007 text", 4 },
  { "utf-8-overlong", BYTES ("\x81\x7d\xe0\x80"), "!1007 text", 4 },
  { "utf-8-too-large", BYTES ("\x81\x7d\xf4\x90"), "!1007 text", 4 },
  { "utf-8-bad-late", BYTES ("\x81\x7e\x00\xff" X125 "\xfe"), "!1007 text", 130 },
  { "utf-8-cut-off", BYTES ("\x81\x02" "a\xc3"), "!1007 text", 4 },
  { "utf-8-cut-off-long", BYTES ("\x81\x7e\x00\x7f" X125 "\xe2\x82"), "!1007 text", 131 },
  { "utf-8-cut-off-at-fragments-end", BYTES ("\x01\x01\xe2\x80\x01\x82"), "!1007 text", 6 },
  { "utf-8-cut-off-by-empty", BYTES ("\x01\x01\xe2\x80\x00"), "!1007 text", 5 },
  { "utf-8-broken-over-fragments", BYTES ("\x01\x02\xe2\x82\x80\x01x"), "!1007 text", 7 },
  { "utf-8-bad-behind-ping", BYTES ("\x01\x01" "a\x89\x01?\x80\x01\xff"), "ping(?).!1007 text", 9 },
  { "utf-8-fresh-after-message", BYTES ("\x01\x01\xc3\x80\x01\xa4\x81\x01\xa4"), "text(\\c3\\a4).!1007 text", 9 },

  { "rsv1", BYTES ("\xc1\x00"), "!1002 reserved bits", 1 },
  { "rsv2", BYTES ("\xa2\x00"), "!1002 reserved bits", 1 },
  { "rsv3", BYTES ("\x99\x00"), "!1002 reserved bits", 1 },
  { "rsv1-126", BYTES ("\xc1\x7e\x00\x7e" X125 "x"), "!1002 reserved bits", 1 },
  { "rsv2-126", BYTES ("\xa2\x7e\x00\x7e" X125 "x"), "!1002 reserved bits", 1 },
  { "rsv1-in-continuation", BYTES ("\x01\x01" "a\xc0\x00"), "!1002 reserved bits", 4 },
  { "opcode-3", BYTES ("\x83\x00"), "!1002 unknown opcode", 1 },
  { "opcode-4", BYTES ("\x84\x00"), "!1002 unknown opcode", 1 },
  { "opcode-5", BYTES ("\x85\x00"), "!1002 unknown opcode", 1 },
  { "opcode-6", BYTES ("\x86\x00"), "!1002 unknown opcode", 1 },
  { "opcode-7", BYTES ("\x07\x00"), "!1002 unknown opcode", 1 },
  { "opcode-b", BYTES ("\x8b\x00"), "!1002 unknown opcode", 1 },
  { "opcode-c", BYTES ("\x8c\x00"), "!1002 unknown opcode", 1 },
  { "opcode-d", BYTES ("\x8d\x00"), "!1002 unknown opcode", 1 },
  { "opcode-e", BYTES ("\x8e\x00"), "!1002 unknown opcode", 1 },
  { "opcode-f", BYTES ("\x8f\x00"), "!1002 unknown opcode", 1 },
  { "opcode-in-message", BYTES ("\x01\x01" "a\x83\x00"), "!1002 unknown opcode", 4 },
  { "good-then-bad", BYTES ("\x81\x02hi\x83\x00"), "text(hi).!1002 unknown opcode", 5 },
  { "bad-then-good", BYTES ("\x83\x02hi\x81\x02hi\x82\x01x"), "!1002 unknown opcode", 1 },
  { "ping-fragmented", BYTES ("\x09\x01x"), "!1002 control frame fragmented", 1 },
  { "pong-fragmented", BYTES ("\x0a\x01x"), "!1002 control frame fragmented", 1 },
  { "close-fragmented", BYTES ("\x08\x02\x03\xe8"), "!1002 control frame fragmented", 1 },
  { "ping-too-long", BYTES ("\x89\x7e\x00\x7e" X125 "x"), "!1002 control frame too long", 2 },
  { "close-too-long", BYTES ("\x88\x7e\x00\x7e"), "!1002 control frame too long", 2 },
  { "pong-too-long-64", BYTES ("\x8a\x7f\x00\x00\x00\x00\x00\x01\x00\x00"), "!1002 control frame too long", 2 },
  { "length-16-not-minimal", BYTES ("\x82\x7e\x00\x05Hello"), "!1002 length not minimal", 4 },
  { "length-16-not-minimal-at-125", BYTES ("\x81\x7e\x00\x7d" X125), "!1002 length not minimal", 4 },
  { "length-64-not-minimal", BYTES ("\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x05Hello"), "!1002 length not minimal", 10 },
  { "length-64-not-minimal-at-65535", BYTES ("\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff"), "!1002 length not minimal", 10 },
  { "length-64-highest-bit", BYTES ("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00"), "!1002 length too large", 10 },
  { "continuation-first", BYTES ("\x80\x00"), "!1002 unexpected continuation", 2 },
  { "continuation-first-not-final", BYTES ("\x00\x01x"), "!1002 unexpected continuation", 2 },
  { "continuation-behind-whole", BYTES ("\x81\x01" "a\x80\x01" "b"), "text(a).!1002 unexpected continuation", 5 },
  { "continuation-behind-end", BYTES ("\x01\x01" "a\x80\x01" "b\x80\x01" "c"), "text(ab).!1002 unexpected continuation", 8 },
  { "text-in-message", BYTES ("\x01\x01" "a\x81\x01" "b"), "!1002 expected continuation", 5 },
  { "binary-in-message", BYTES ("\x01\x01" "a\x02\x01" "b"), "!1002 expected continuation", 5 },
  { "text-in-message-behind-ping", BYTES ("\x02\x01" "a\x89\x00\x81\x01" "b"), "ping().!1002 expected continuation", 7 },
  { "text-126-in-message", BYTES ("\x01\x01" "a\x81\x7e\x00\x7e" X125 "x"), "!1002 expected continuation", 7 },
  { "text-in-empty-message", BYTES ("\x01\x00\x81\x00"), "!1002 expected continuation", 4 },

  { "close-of-one-byte", BYTES ("\x88\x01\x03"), "!1002 close payload of one byte", 3 },
  { "close-0", BYTES ("\x88\x02\x00\x00"), "!1002 close code", 4 },
  { "close-999", BYTES ("\x88\x02\x03\xe7"), "!1002 close code", 4 },
  { "close-1004", BYTES ("\x88\x02\x03\xec"), "!1002 close code", 4 },
  { "close-1005", BYTES ("\x88\x02\x03\xed"), "!1002 close code", 4 },
  { "close-1006", BYTES ("\x88\x02\x03\xee"), "!1002 close code", 4 },
  { "close-1015", BYTES ("\x88\x02\x03\xf7"), "!1002 close code", 4 },
  { "close-1016", BYTES ("\x88\x02\x03\xf8"), "!1002 close code", 4 },
  { "close-2999", BYTES ("\x88\x02\x0b\xb7"), "!1002 close code", 4 },
  { "close-5000", BYTES ("\x88\x02\x13\x88"), "!1002 close code", 4 },
  { "close-65535", BYTES ("\x88\x02\xff\xff"), "!1002 close code", 4 },
  { "close-reason-bad", BYTES ("\x88\x04\x03\xe8\xc3\x28"), "!1007 close reason", 6 },
  { "close-reason-cut-off", BYTES ("\x88\x04\x03\xe8" "a\xc3"), "!1007 close reason", 6 },
  { "close-bad-between", BYTES ("\x01\x01" "a\x88\x01x"), "!1002 close payload of one byte", 6 },

  { "frame-limit", BYTES ("\x81\x05Hello\x82\x05Hello"), "text(Hello).binary(Hello).", 0, 5, 0 },
  { "frame-limit-broken", BYTES ("\x81\x06Hello!"), "!1009 frame too big", 2, 5, 0 },
  { "frame-limit-broken-in-binary", BYTES ("\x82\x05Hello\x82\x06Hello!"), "binary(Hello).!1009 frame too big", 9, 5, 0 },
  { "frame-limit-broken-by-header", BYTES ("\x82\x7f\x00\x00\x01\x00\x00\x00\x00\x00"), "!1009 frame too big", 10, 65536, 0 },
  { "frame-limit-of-125", BYTES ("\x82\x7d" X125 "\x82\x7e\x00\x7e"), "binary(125).!1009 frame too big", 131, 125, 0 },
  { "frame-limit-of-126", BYTES ("\x82\x7e\x00\x7e" X125 "x\x82\x7e\x00\x7f"), "binary(126).!1009 frame too big", 134, 126, 0 },
  { "frame-limit-is-not-for-messages", BYTES ("\x01\x05Hello\x80\x05World"), "text(HelloWorld).", 0, 5, 0 },
  { "frame-limit-of-continuation", BYTES ("\x01\x05Hello\x80\x06World!"), "!1009 frame too big", 9, 5, 0 },
  { "frame-limit-is-not-for-control", BYTES ("\x89\x06Hello!\x88\x05\x03\xe8" "bye"), "ping(Hello!).close(1000,bye).", 0, 2, 2 },
  { "message-limit", BYTES ("\x81\x05Hello\x82\x05Hello"), "text(Hello).binary(Hello).", 0, 0, 5 },
  { "message-limit-broken", BYTES ("\x81\x06Hello!"), "!1009 message too big", 2, 0, 5 },
  { "message-limit-over-fragments", BYTES ("\x01\x03Hel\x80\x02lo\x01\x03Hel\x80\x03lo!"), "text(Hello).!1009 message too big", 16, 0, 5 },
  { "message-limit-of-126", BYTES ("\x82\x7e\x00\x7e" X125 "x\x81\x7e\x00\x7f" X125 "xx"), "binary(126).!1009 message too big", 134, 0, 126 },
  { "message-limit-starts-anew", BYTES ("\x82\x05" "abcde\x82\x05" "abcde\x02\x05" "abcde\x80\x00"), "binary(abcde).binary(abcde).binary(abcde).", 0, 0, 5 },
  { "message-limit-by-header", BYTES ("\x01\x01" "a\x80\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), "!1009 message too big", 13, 0, 1000 },
  { "message-limit-of-size", BYTES ("\x02\x01" "a\x80\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), "!1009 message too big", 13, 0, 0 },
  { "message-limit-of-1", BYTES ("\x81\x01" "a\x81\x00\x82\x02"), "text(a).text().!1009 message too big", 7, 0, 1 },
  { "smaller-limit-counts", BYTES ("\x82\x03" "abc\x82\x04"), "binary(abc).!1009 frame too big", 7, 3, 100 },
};

/* Masked or not is what these are about. */
static const Vector client_vectors[] = {
  { "masked", BYTES ("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "!1002 masked", 2 },
  { "masked-empty", BYTES ("\x81\x01" "a\x82\x80\x00\x00\x00\x00"), "text(a).!1002 masked", 5 },
  { "masked-ping", BYTES ("\x89\x80\x00\x00\x00\x00"), "!1002 masked", 2 },
  { "masked-126", BYTES ("\x81\xfe\x00\x7e\x00\x00\x00\x00" X125 "x"), "!1002 masked", 2 },
  { "masked-continuation", BYTES ("\x01\x01" "a\x80\x81\x00\x00\x00\x00" "b"), "!1002 masked", 5 },
};

static const Vector server_vectors[] = {
  { "unmasked", BYTES ("\x81\x05Hello"), "!1002 unmasked", 2 },
  { "unmasked-ping", BYTES ("\x81\x81\x01\x02\x03\x04" "`\x89\x00"), "text(a).!1002 unmasked", 9 },
  { "the-rfc-s-own", BYTES ("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "text(Hello)." },
};
/* clang-format on */

/* Only zeros leave payload as it is; the last shows which byte of the mask is used. */
static const guint8 masks[][4] = {
  { 0x37, 0xfa, 0x21, 0x3d },
  { 0x00, 0x00, 0x00, 0x00 },
  { 0xff, 0xff, 0xff, 0xff },
  { 0x01, 0x00, 0x00, 0x00 },
};

/* Of a header without a mask, as far as that can be told. */
static gsize
get_header_size (const guint8 *data,
                 gsize         size)
{
  if (size < 2)
    return 1;

  switch (data[1])
    {
    case 126:
      return 4;
    case 127:
      return 10;
    default:
      return 2;
    }
}

static gsize
get_length (const guint8 *data,
            gsize         n)
{
  gsize length = 0;

  for (gsize i = 0; i < n; i++)
    length = length << 8 | data[i];
  return length;
}

/* Turns frames for a client into the same for a server; what is wrong stays wrong, and
 * what is cut off stays so. */
static GByteArray *
mask_frames (const char   *bytes,
             gsize         size,
             const guint8  mask[4])
{
  const guint8 *data = (const guint8 *) bytes;
  GByteArray *masked = g_byte_array_new ();

  while (size > 0)
    {
      gsize header_size = get_header_size (data, size);
      gsize payload_size;

      g_byte_array_append (masked, data, (guint) MIN (header_size, size));
      if (size >= 2)
        masked->data[masked->len - MIN (header_size, size) + 1] |= 0x80;
      if (size < 2 || size < header_size)
        break;

      payload_size = header_size == 2 ? data[1] : get_length (data + 2, header_size - 2);
      payload_size = MIN (payload_size, size - header_size);
      g_byte_array_append (masked, mask, 4);
      for (gsize i = 0; i < payload_size; i++)
        {
          guint8 byte = data[header_size + i] ^ mask[i % 4];

          g_byte_array_append (masked, &byte, 1);
        }
      data += header_size + payload_size;
      size -= header_size + payload_size;
    }

  return masked;
}

/* Where the bytes lie that the decoder sees. */
typedef enum
{
  LAYOUT_APPENDED, /* all in one buffer, as they come */
  LAYOUT_MOVED,    /* each time in another of just that size */
  LAYOUT_GUARDED,  /* each time at the end of a page */
  N_LAYOUTS,
} Layout;

typedef struct
{
  const guint8 *data;
  gsize size;
  S9wsRole role;
  guint64 max_frame_size;
  guint64 max_message_size;
  const char *log;
  gsize fails_at;
  Layout layout;
  gboolean peeks; /* asks s9ws_message_decoder_peek_short () first, as a connection does */
  Guard guard;
  guint8 *buffer; /* of LAYOUT_APPENDED and LAYOUT_MOVED */
} Run;

static void
log_message (GString           *log,
             const S9wsMessage *message)
{
  static const char *const names[] = { "?", "text", "binary", "?", "?", "?", "?", "?", "close", "ping", "pong" };

  g_string_append_printf (log, "%s(", names[message->opcode]);
  if (message->opcode == S9WS_OPCODE_CLOSE)
    g_string_append_printf (log, "%u,", message->close_code);
  if (message->size > 64)
    g_string_append_printf (log, "%" G_GSIZE_FORMAT, message->size);
  else
    for (gsize i = 0; i < message->size; i++)
      g_string_append_printf (log, g_ascii_isprint (message->data[i]) ? "%c" : "\\%02x", message->data[i]);
  g_string_append (log, ").");
}

/* Adds what came to the window, which may then lie elsewhere. */
static void
add (Run          *run,
     S9wsWindow   *window,
     const guint8 *data,
     gsize         size)
{
  gsize kept = window->end - window->begin;
  g_autofree guint8 *joined = NULL;

  if (size == 0)
    return;

  if (run->layout == LAYOUT_APPENDED)
    {
      memcpy (window->data + window->end, data, size);
      window->end += size;
      return;
    }

  joined = g_malloc (kept + size + 1);
  memcpy (joined, window->data + window->begin, kept);
  memcpy (joined + kept, data, size);
  if (run->layout == LAYOUT_GUARDED)
    {
      /* With something before, so that offsets matter. */
      gsize before = kept % 3;
      guint8 *place = guard_place (&run->guard, joined, kept + size);

      *window = (S9wsWindow){ place - before, before, before + kept + size };
      return;
    }

  g_free (run->buffer);
  run->buffer = g_malloc (kept + size);
  memcpy (run->buffer, joined, kept + size);
  *window = (S9wsWindow){ run->buffer, 0, kept + size };
}

static S9wsMessageResult
next (Run                *run,
      S9wsMessageDecoder *decoder,
      S9wsWindow         *window,
      S9wsMessage        *message)
{
  if (run->peeks && s9ws_message_decoder_peek_short (decoder, window, message) &&
      (message->opcode == S9WS_OPCODE_BINARY || s9ws_utf8_is_valid (message->data, message->size)))
    {
      s9ws_window_take_short (window, message);
      return S9WS_MESSAGE_READY;
    }

  return s9ws_message_decoder_next (decoder, window, message);
}

static S9wsMessageResult
take_all (Run                *run,
          S9wsMessageDecoder *decoder,
          S9wsWindow         *window,
          GString            *log)
{
  S9wsMessageResult result;
  S9wsMessage message = { 0 };

  while ((result = next (run, decoder, window, &message)) == S9WS_MESSAGE_READY)
    {
      g_assert_true (message.data >= window->data && message.data + message.size <= window->data + window->end);
      g_assert_cmpuint (window->begin, <=, window->end);
      log_message (log, &message);
    }

  return result;
}

/* Once broken it stays so, whatever comes. */
static void
check_latched (Run                *run,
               S9wsMessageDecoder *decoder,
               S9wsWindow         *window)
{
  S9wsViolation violation = s9ws_message_decoder_get_violation (decoder);
  S9wsMessage message = { 0 };

  for (guint i = 0; i < 2; i++)
    {
      g_assert_cmpint (next (run, decoder, window, &message), ==, S9WS_MESSAGE_VIOLATION);
      g_assert_cmpint (s9ws_message_decoder_get_violation (decoder), ==, violation);
      add (run, window, (const guint8 *) "\x81\x01x", 3);
    }
}

static void
run_cut (const Cut *cut,
         gpointer   user_data)
{
  Run *run = user_data;
  S9wsMessageResult result = S9WS_MESSAGE_INCOMPLETE;
  g_autoptr (GString) log = g_string_new (NULL);
  S9wsMessageDecoder decoder;
  S9wsWindow window = { 0 };
  gsize from = 0;

  if (run->layout == LAYOUT_APPENDED)
    window.data = run->buffer = g_malloc (run->size + 6);
  else
    window.data = run->buffer = g_malloc (1);

  s9ws_message_decoder_init (&decoder, run->role, run->max_frame_size, run->max_message_size);
  for (gsize i = 0; i < cut->n_ends && result != S9WS_MESSAGE_VIOLATION; i++)
    {
      add (run, &window, run->data + from, cut->ends[i] - from);
      from = cut->ends[i];
      result = take_all (run, &decoder, &window, log);
      if (run->fails_at != 0)
        g_assert_true ((result == S9WS_MESSAGE_VIOLATION) == (from >= run->fails_at));
    }

  if (result == S9WS_MESSAGE_VIOLATION)
    {
      S9wsViolation violation = s9ws_message_decoder_get_violation (&decoder);

      g_string_append_printf (log, "!%u %s", s9ws_violation_get_close_code (violation), s9ws_violation_get_name (violation));
      check_latched (run, &decoder, &window);
    }
  else
    g_assert_cmpint (s9ws_message_decoder_get_violation (&decoder), ==, S9WS_VIOLATION_NONE);

  if (strcmp (log->str, run->log) != 0)
    {
      g_autofree char *text = cut_dup_text (cut);

      g_test_message ("cut at %s, layout %d", text, run->layout);
      g_assert_cmpstr (log->str, ==, run->log);
    }
  g_clear_pointer (&run->buffer, g_free);
}

static void
run_all (Run     *run,
         CutKind  kind)
{
  guard_init (&run->guard, run->size + 16);
  for (run->layout = 0; run->layout < N_LAYOUTS; run->layout++)
    {
      run->peeks = FALSE;
      for_each_cut (kind, run->size, run_cut, run);
      run->peeks = TRUE;
      for_each_cut (kind, run->size, run_cut, run);
    }
  guard_clear (&run->guard);
}

typedef struct
{
  const Vector *vector;
  CutKind kind;
} Case;

static void
test_vector (gconstpointer data,
             S9wsRole      role,
             gsize         fails_at)
{
  const Case *test = data;
  const Vector *vector = test->vector;
  Run run = { (const guint8 *) vector->data, vector->size, role, vector->max_frame_size, vector->max_message_size,
              vector->log, fails_at };

  run_all (&run, test->kind);
}

static void
test_client (gconstpointer data)
{
  const Case *test = data;

  test_vector (data, S9WS_ROLE_CLIENT, test->vector->fails_at);
}

static void
test_server (gconstpointer data)
{
  const Case *test = data;

  test_vector (data, S9WS_ROLE_SERVER, test->vector->fails_at);
}

static void
test_server_masked (gconstpointer data)
{
  const Case *test = data;

  for (gsize i = 0; i < G_N_ELEMENTS (masks); i++)
    {
      g_autoptr (GByteArray) masked = mask_frames (test->vector->data, test->vector->size, masks[i]);
      Vector vector = *test->vector;
      Case masked_case = { &vector, test->kind };

      vector.data = (const char *) masked->data;
      vector.size = masked->len;
      test_vector (&masked_case, S9WS_ROLE_SERVER, 0);
    }
}

/* What our own encoder writes */

static void
append_frame (GByteArray   *stream,
              guint8        opcode,
              gboolean      is_final,
              const guint8 *payload,
              gsize         size,
              const guint8 *mask)
{
  guint8 header[S9WS_FRAME_HEADER_MAX];
  gsize at;

  g_byte_array_append (stream, header, (guint) s9ws_frame_write_header (header, opcode, is_final, 0, size, mask));
  at = stream->len;
  g_byte_array_set_size (stream, (guint) (at + size));
  if (mask != NULL)
    s9ws_mask_copy (stream->data + at, payload, size, mask, 0);
  else if (size > 0)
    memcpy (stream->data + at, payload, size);
}

static void
test_encoder (gconstpointer data,
              S9wsRole      role)
{
  static const gsize sizes[] = { 0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 300, 65534, 65535, 65536, 65537, 200000 };
  const guint8 *mask = role == S9WS_ROLE_SERVER ? masks[0] : NULL;
  g_autofree guint8 *payload = g_malloc (200000);

  memset (payload, 'x', 200000);
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      gsize half = sizes[i] / 2;
      g_autoptr (GByteArray) stream = g_byte_array_new ();
      g_autoptr (GString) log = g_string_new (NULL);
      S9wsMessage text = { S9WS_OPCODE_TEXT, 0, payload, sizes[i] };
      S9wsMessage binary = { S9WS_OPCODE_BINARY, 0, payload, sizes[i] };
      S9wsMessage ping = { S9WS_OPCODE_PING, 0, payload, MIN (sizes[i], 125) };

      append_frame (stream, S9WS_OPCODE_TEXT, TRUE, payload, sizes[i], mask);
      append_frame (stream, S9WS_OPCODE_BINARY, FALSE, payload, half, mask);
      append_frame (stream, S9WS_OPCODE_PING, TRUE, payload, ping.size, mask);
      append_frame (stream, S9WS_OPCODE_CONTINUATION, TRUE, payload + half, sizes[i] - half, mask);
      log_message (log, &text);
      log_message (log, &ping);
      log_message (log, &binary);
      {
        Run run = { stream->data, stream->len, role, 200000, 200000, log->str, 0 };

        run_all (&run, GPOINTER_TO_UINT (data));
      }
    }
}

static void
test_client_encoder (gconstpointer data)
{
  /* What a client sends a server decodes. */
  test_encoder (data, S9WS_ROLE_SERVER);
}

static void
test_server_encoder (gconstpointer data)
{
  test_encoder (data, S9WS_ROLE_CLIENT);
}

/* Bytes of every value, masked, moved and put together again. */
static void
test_contents (void)
{
  g_autofree guint8 *payload = g_malloc (100000);

  for (gsize i = 0; i < 100000; i++)
    payload[i] = (guint8) (i * 7 + i / 256);

  for (gsize n_fragments = 1; n_fragments <= 5; n_fragments++)
    for (gsize m = 0; m <= G_N_ELEMENTS (masks); m++)
      {
        const guint8 *mask = m < G_N_ELEMENTS (masks) ? masks[m] : NULL;
        gsize step = 100000 / n_fragments;
        g_autoptr (GByteArray) stream = g_byte_array_new ();
        S9wsMessageDecoder decoder;
        S9wsMessage message = { 0 };
        S9wsWindow window;

        for (gsize i = 0; i < n_fragments; i++)
          append_frame (stream, i == 0 ? S9WS_OPCODE_BINARY : S9WS_OPCODE_CONTINUATION, i + 1 == n_fragments,
                        payload + i * step, step, mask);
        s9ws_message_decoder_init (&decoder, mask != NULL ? S9WS_ROLE_SERVER : S9WS_ROLE_CLIENT, 0, 0);
        window = (S9wsWindow){ stream->data, 0, 0 };
        for (gsize at = 0; at < stream->len;)
          {
            gsize piece = MIN (7777 + n_fragments, stream->len - at);

            /* end is lower than at, once a header has been dropped. */
            memmove (stream->data + window.end, stream->data + at, piece);
            window.end += piece;
            at += piece;
            g_assert_cmpint (s9ws_message_decoder_next (&decoder, &window, &message), ==,
                             at < stream->len ? S9WS_MESSAGE_INCOMPLETE : S9WS_MESSAGE_READY);
          }
        g_assert_cmpmem (message.data, message.size, payload, step * n_fragments);
        g_assert_cmpuint (window.begin, ==, window.end);
      }
}

/* Where things lie */

static void
test_in_place (void)
{
  guint8 data[] = "..\x81\x05Hello\x89\x01?\x02\x02He\x80\x03llo\x82\x01x";
  S9wsWindow window = { data, 2, sizeof data - 1 };
  S9wsMessageDecoder decoder;
  S9wsMessage message = { 0 };

  s9ws_message_decoder_init (&decoder, S9WS_ROLE_CLIENT, 0, 0);
  g_assert_cmpint (s9ws_message_decoder_next (&decoder, &window, &message), ==, S9WS_MESSAGE_READY);
  g_assert_true (message.data == data + 4);
  g_assert_cmpuint (window.begin, ==, 9);
  g_assert_cmpint (s9ws_message_decoder_next (&decoder, &window, &message), ==, S9WS_MESSAGE_READY);
  g_assert_true (message.data == data + 11);
  g_assert_cmpuint (window.begin, ==, 12);

  /* The second fragment has come down to the first. */
  g_assert_cmpint (s9ws_message_decoder_next (&decoder, &window, &message), ==, S9WS_MESSAGE_READY);
  g_assert_true (message.data == data + 14);
  g_assert_cmpmem (message.data, message.size, "Hello", 5);
  g_assert_cmpint (s9ws_message_decoder_next (&decoder, &window, &message), ==, S9WS_MESSAGE_READY);
  g_assert_cmpmem (message.data, message.size, "x", 1);
  g_assert_cmpuint (window.begin, ==, sizeof data - 1);
}

/* Behind a longer header, too, and while it is unfinished. */
static void
test_in_place_long (void)
{
  guint8 data[] = "\x82\x7e\x00\x7e" X125 "x";
  S9wsWindow window = { data, 0, 20 };
  S9wsMessageDecoder decoder;
  S9wsMessage message = { 0 };

  s9ws_message_decoder_init (&decoder, S9WS_ROLE_CLIENT, 0, 0);
  g_assert_cmpint (s9ws_message_decoder_next (&decoder, &window, &message), ==, S9WS_MESSAGE_INCOMPLETE);
  g_assert_cmpuint (window.end, ==, 20);
  window.end = sizeof data - 1;
  g_assert_cmpint (s9ws_message_decoder_next (&decoder, &window, &message), ==, S9WS_MESSAGE_READY);
  g_assert_true (message.data == data + 4);
}

static void
test_missing (void)
{
  guint8 data[64] = "\x82\x7e\x03\xe8"
                    "abc";
  S9wsWindow window = { data, 0, 3 };
  S9wsMessageDecoder decoder;
  S9wsMessage message = { 0 };

  s9ws_message_decoder_init (&decoder, S9WS_ROLE_CLIENT, 0, 0);
  g_assert_cmpuint (s9ws_message_decoder_get_missing (&decoder), ==, 0);
  g_assert_cmpint (s9ws_message_decoder_next (&decoder, &window, &message), ==, S9WS_MESSAGE_INCOMPLETE);
  g_assert_cmpuint (s9ws_message_decoder_get_missing (&decoder), ==, 0);
  window.end = 4;
  g_assert_cmpint (s9ws_message_decoder_next (&decoder, &window, &message), ==, S9WS_MESSAGE_INCOMPLETE);
  g_assert_cmpuint (s9ws_message_decoder_get_missing (&decoder), ==, 1000);
  window.end = 7;
  g_assert_cmpint (s9ws_message_decoder_next (&decoder, &window, &message), ==, S9WS_MESSAGE_INCOMPLETE);
  g_assert_cmpuint (s9ws_message_decoder_get_missing (&decoder), ==, 997);
}

/* Short messages */

typedef struct
{
  const char *name;
  const char *data;
  gsize size;
  gboolean is_short;
  S9wsRole role;
  guint64 max_frame_size;
  guint64 max_message_size;
} Short;

/* clang-format off */
static const Short shorts[] = {
  { "nothing", BYTES (""), FALSE },
  { "one-byte", BYTES ("\x81"), FALSE },
  { "text", BYTES ("\x81\x02hi"), TRUE },
  { "binary", BYTES ("\x82\x02hi"), TRUE },
  { "empty", BYTES ("\x82\x00"), TRUE },
  { "more-behind", BYTES ("\x82\x01xyz"), TRUE },
  { "longest", BYTES ("\x81\x7d" X125), TRUE },
  { "longer", BYTES ("\x81\x7e\x00\x7e" X125 "x"), FALSE },
  { "unfinished", BYTES ("\x81\x03hi"), FALSE },
  { "text-not-validated", BYTES ("\x81\x01\xff"), TRUE },
  { "not-final", BYTES ("\x01\x02hi"), FALSE },
  { "continuation", BYTES ("\x80\x02hi"), FALSE },
  { "ping", BYTES ("\x89\x02hi"), FALSE },
  { "close", BYTES ("\x88\x02\x03\xe8"), FALSE },
  { "reserved-bit", BYTES ("\xc1\x02hi"), FALSE },
  { "opcode-3", BYTES ("\x83\x02hi"), FALSE },
  { "masked", BYTES ("\x81\x80\x00\x00\x00\x00"), FALSE },
  { "server", BYTES ("\x81\x00"), FALSE, S9WS_ROLE_SERVER },
  { "server-masked", BYTES ("\x81\x81\x00\x00\x00\x00x"), FALSE, S9WS_ROLE_SERVER },
  { "frame-limit", BYTES ("\x81\x02hi"), TRUE, S9WS_ROLE_CLIENT, 2, 0 },
  { "over-frame-limit", BYTES ("\x81\x03hi!"), FALSE, S9WS_ROLE_CLIENT, 2, 0 },
  { "message-limit", BYTES ("\x81\x02hi"), TRUE, S9WS_ROLE_CLIENT, 0, 2 },
  { "over-message-limit", BYTES ("\x81\x03hi!"), FALSE, S9WS_ROLE_CLIENT, 0, 2 },
  { "limit-of-125", BYTES ("\x81\x7d" X125), TRUE, S9WS_ROLE_CLIENT, 125, 125 },
  { "limit-of-124", BYTES ("\x81\x7d" X125), FALSE, S9WS_ROLE_CLIENT, 0, 124 },
};
/* clang-format on */

static void
test_short (gconstpointer data)
{
  const Short *test = data;
  g_auto (Guard) guard = { 0 };
  S9wsMessageDecoder decoder;
  S9wsMessage message = { 0 };
  S9wsWindow window;

  guard_init (&guard, test->size);
  window = (S9wsWindow){ guard_place (&guard, test->data, test->size), 0, test->size };
  s9ws_message_decoder_init (&decoder, test->role, test->max_frame_size, test->max_message_size);
  g_assert_true (s9ws_message_decoder_peek_short (&decoder, &window, &message) == test->is_short);
  if (!test->is_short)
    return;

  g_assert_cmpuint (message.opcode, ==, test->data[0] & 0x0f);
  g_assert_true (message.data == window.data + 2);
  g_assert_cmpuint (message.size, ==, (guint8) test->data[1]);
  g_assert_cmpuint (window.begin, ==, 0);
  s9ws_window_take_short (&window, &message);
  g_assert_cmpuint (window.begin, ==, 2 + message.size);
}

/* Inside a message nothing is a message of its own, but behind it is. */
static void
test_short_in_message (void)
{
  guint8 data[] = "\x01\x01x\x80\x00\x81\x01y";
  S9wsWindow window = { data, 0, 3 };
  S9wsWindow behind = { data, 5, 8 };
  S9wsMessageDecoder decoder;
  S9wsMessage message = { 0 };

  s9ws_message_decoder_init (&decoder, S9WS_ROLE_CLIENT, 0, 0);
  g_assert_cmpint (s9ws_message_decoder_next (&decoder, &window, &message), ==, S9WS_MESSAGE_INCOMPLETE);
  g_assert_false (s9ws_message_decoder_peek_short (&decoder, &behind, &message));
  window.end = 5;
  g_assert_cmpint (s9ws_message_decoder_next (&decoder, &window, &message), ==, S9WS_MESSAGE_READY);
  g_assert_true (s9ws_message_decoder_peek_short (&decoder, &behind, &message));
}

/* For every vector and every way to cut it up. */
static void
add_vectors (const char    *prefix,
             const Vector  *table,
             gsize          n,
             GTestDataFunc  function)
{
  for (guint kind = 0; kind < N_CUTS; kind++)
    for (gsize i = 0; i < n; i++)
      {
        g_autofree char *path = g_strdup_printf ("/message/%s/%s/%s", prefix, cut_names[kind], table[i].name);
        Case *test = g_new (Case, 1);

        *test = (Case){ &table[i], kind };
        g_test_add_data_func_full (path, test, function, g_free);
      }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  add_vectors ("client", vectors, G_N_ELEMENTS (vectors), test_client);
  add_vectors ("client", client_vectors, G_N_ELEMENTS (client_vectors), test_client);
  add_vectors ("server", vectors, G_N_ELEMENTS (vectors), test_server_masked);
  add_vectors ("server", server_vectors, G_N_ELEMENTS (server_vectors), test_server);
  for (guint kind = 0; kind < N_CUTS; kind++)
    {
      g_autofree char *client = g_strconcat ("/message/encoder/client/", cut_names[kind], NULL);
      g_autofree char *server = g_strconcat ("/message/encoder/server/", cut_names[kind], NULL);

      g_test_add_data_func (client, GUINT_TO_POINTER (kind), test_client_encoder);
      g_test_add_data_func (server, GUINT_TO_POINTER (kind), test_server_encoder);
    }
  g_test_add_func ("/message/contents", test_contents);
  g_test_add_func ("/message/in-place", test_in_place);
  g_test_add_func ("/message/in-place-long", test_in_place_long);
  g_test_add_func ("/message/missing", test_missing);
  ADD_TABLE ("/message/short/", shorts, test_short);
  g_test_add_func ("/message/short-in-message", test_short_in_message);

  return g_test_run ();
}
