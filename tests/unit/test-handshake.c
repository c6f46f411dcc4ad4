/* test-handshake.c: the upgrade's request, its answer, and the body of a refusal
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "framer/handshake.h"
#include "runners.h"

#define OK "HTTP/1.1 101 Switching Protocols\r\n"
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* Requests */

typedef struct
{
  const char *name;
  S9wsRequest request;
  const char *text;
} Request;

#define SLICE(text)           \
  {                           \
    (text), sizeof (text) - 1 \
  }

static const S9wsHeader own_headers[] = {
  { SLICE ("X-One"), SLICE ("1") },
  { SLICE ("Cookie"), SLICE ("a=b; c=d") },
  { SLICE ("X-Empty"), SLICE ("") },
};

/* clang-format off */
static const Request requests[] = {
  { "plain", { .target = "/", .host = "example.org", .key = "dGhlIHNhbXBsZSBub25jZQ==" },
    "GET / HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n" },
  { "all", { "/chat?room=1", "[::1]:8080", "key", "chat, echo", "permessage-deflate", "Basic dTpw", own_headers, 3 },
    "GET /chat?room=1 HTTP/1.1\r\nHost: [::1]:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: key\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat, echo\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate\r\nAuthorization: Basic dTpw\r\n"
    "X-One: 1\r\nCookie: a=b; c=d\r\nX-Empty: \r\n\r\n" },
};
/* clang-format on */

/* Into room for it, into too little and into none: never more than there is. */
static void
test_request (gconstpointer data)
{
  const Request *test = data;
  gsize size = strlen (test->text);
  g_auto (Guard) guard = { 0 };

  guard_init (&guard, size + 1);
  g_assert_cmpuint (s9ws_request_write (&test->request, NULL, 0), ==, size);
  for (gsize room = 0; room <= size + 1; room++)
    {
      char *buffer = (char *) guard.end - room;

      memset (guard.begin, 0xa5, (gsize) (guard.end - guard.begin));
      g_assert_cmpuint (s9ws_request_write (&test->request, buffer, room), ==, size);
      g_assert_cmpmem (buffer, MIN (room, size), test->text, MIN (room, size));
      if (room > size)
        g_assert_cmpuint ((guint8) buffer[size], ==, 0xa5);
    }
}

/* Words */

static void
test_bytes (void)
{
  static const char tchars[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

  for (guint c = 0; c < 256; c++)
    {
      char text[3] = { 'a', (char) c, 'b' };
      gboolean is_tchar = c != 0 && strchr (tchars, (int) c) != NULL;

      g_assert_true (s9ws_is_token (text, 3) == is_tchar);
      g_assert_true (s9ws_is_token (text + 1, 1) == is_tchar);
      g_assert_true (s9ws_is_field_value (text, 3) == (c == '\t' || (c >= ' ' && c != 0x7f)));
    }

  g_assert_false (s9ws_is_token ("", 0));
  g_assert_true (s9ws_is_field_value ("", 0));
}

static void
test_reserved_headers (void)
{
  static const char *const reserved[] = {
    "Host", "host", "HOST", "Upgrade", "Connection", "Content-Length", "Transfer-Encoding", "TE", "te", "Trailer",
    "Sec-WebSocket-Key", "sec-websocket-version", "Sec-WebSocket-", "SEC-WEBSOCKET-ANYTHING"
  };
  static const char *const others[] = {
    "", "Hos", "Hosts", "T", "TEE", "Sec-WebSocket", "Sec-Fetch-Mode", "Cookie", "Authorization", "Origin", "User-Agent"
  };

  for (gsize i = 0; i < G_N_ELEMENTS (reserved); i++)
    g_assert_true (s9ws_is_reserved_header (reserved[i], strlen (reserved[i])));
  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    g_assert_false (s9ws_is_reserved_header (others[i], strlen (others[i])));
}

/* Heads of responses: "101/1 (Switching Protocols) Upgrade=websocket." or
 * "!header line"; "" for one that is not whole. */
typedef struct
{
  const char *name;
  const char *data;
  gsize size;
  const char *log;
  gsize fails_at; /* with so many bytes it is seen; 0 if that is not said */
} Vector;

/* clang-format off */
static const Vector vectors[] = {
  { "accepted", BYTES (OK "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n"),
    "101/1 (Switching Protocols) Upgrade=websocket.Connection=Upgrade.Sec-WebSocket-Accept=" ACCEPT "." },
  { "no-headers", BYTES ("HTTP/1.1 200 OK\r\n\r\n"), "200/1 (OK) " },
  { "frames-behind", BYTES ("HTTP/1.1 200 OK\r\nA: b\r\n\r\n\x81\x02hi\r\n\r\n"), "200/1 (OK) A=b." },
  { "no-reason", BYTES ("HTTP/1.1 404 \r\n\r\n"), "404/1 () " },
  { "no-reason-no-space", BYTES ("HTTP/1.1 404\r\n\r\n"), "404/1 () " },
  { "reason-not-ascii", BYTES ("HTTP/1.1 404 \xc3\xa4\r\n\r\n"), "404/1 (\xc3\xa4) " },
  { "1.0", BYTES ("HTTP/1.0 403 Forbidden\r\n\r\n"), "403/0 (Forbidden) " },
  { "space-around-value", BYTES ("HTTP/1.1 200 OK\r\nA:  \t b c \t \r\nB:c\r\n\r\n"), "200/1 (OK) A=b c.B=c." },
  { "empty-value", BYTES ("HTTP/1.1 200 OK\r\nA:\r\nB: \r\n\r\n"), "200/1 (OK) A=.B=." },
  { "colon-in-value", BYTES ("HTTP/1.1 200 OK\r\nA: b:c:\r\n\r\n"), "200/1 (OK) A=b:c:." },
  { "same-name-twice", BYTES ("HTTP/1.1 200 OK\r\nA: 1\r\na: 2\r\n\r\n"), "200/1 (OK) A=1.a=2." },
  { "tab-in-value", BYTES ("HTTP/1.1 200 OK\r\nA: 1\t2\r\n\r\n"), "200/1 (OK) A=1\t2." },
  { "latin-1-in-value", BYTES ("HTTP/1.1 200 OK\r\nA: \xe4\r\n\r\n"), "200/1 (OK) A=\xe4." },

  { "nothing", BYTES (""), "" },
  { "cut-off-version", BYTES ("HTTP/1"), "" },
  { "cut-off-status", BYTES ("HTTP/1.1 10"), "" },
  { "cut-off-cr", BYTES (OK "A: b\r"), "" },
  { "cut-off-end", BYTES (OK "A: b\r\n\r"), "" },

  { "not-http", BYTES ("SSH-2.0-OpenSSH\r\n"), "!status line", 1 },
  { "lower-case", BYTES ("http/1.1 101 OK\r\n"), "!status line", 1 },
  { "http-2", BYTES ("HTTP/2.0 101 OK\r\n\r\n"), "!status line", 6 },
  { "http-09", BYTES ("<html>"), "!status line", 1 },
  { "empty-line-first", BYTES ("\r\nHTTP/1.1 101 OK\r\n\r\n"), "!status line", 1 },
  { "minor-of-two-digits", BYTES ("HTTP/1.10 101 OK\r\n\r\n"), "!status line", 18 },
  { "minor-of-none", BYTES ("HTTP/1. 101 OK\r\n\r\n"), "!status line", 16 },
  { "status-of-two", BYTES ("HTTP/1.1 10 OK\r\n\r\n"), "!status line", 16 },
  { "status-of-four", BYTES ("HTTP/1.1 1011 OK\r\n\r\n"), "!status line", 18 },
  { "status-of-letters", BYTES ("HTTP/1.1 1o1 OK\r\n\r\n"), "!status line", 17 },
  { "status-below-100", BYTES ("HTTP/1.1 099 OK\r\n\r\n"), "!status line", 17 },
  { "two-spaces", BYTES ("HTTP/1.1  101 OK\r\n\r\n"), "!status line", 18 },
  { "tab-for-space", BYTES ("HTTP/1.1\t101 OK\r\n\r\n"), "!status line", 17 },
  { "no-status", BYTES ("HTTP/1.1\r\n\r\n"), "!status line", 10 },
  { "nul-in-reason", BYTES ("HTTP/1.1 101 O\0K\r\n\r\n"), "!status line", 18 },
  { "cr-in-reason", BYTES ("HTTP/1.1 101 O\rK\r\n\r\n"), "!status line", 18 },
  { "bare-lf-behind-status", BYTES ("HTTP/1.1 101 OK\nA: b\r\n\r\n"), "!status line", 16 },

  { "bare-lf-behind-header", BYTES (OK "A: b\nC: d\r\n\r\n"), "!header line", 39 },
  { "bare-lf-as-end", BYTES (OK "A: b\r\n\n"), "!header line", 41 },
  { "no-colon", BYTES (OK "Upgrade websocket\r\n\r\n"), "!header line", 53 },
  { "no-name", BYTES (OK ": websocket\r\n\r\n"), "!header line", 47 },
  { "space-before-colon", BYTES (OK "Upgrade : websocket\r\n\r\n"), "!header line", 55 },
  { "space-in-name", BYTES (OK "Up grade: websocket\r\n\r\n"), "!header line", 55 },
  { "folded", BYTES (OK "A: b\r\n c: d\r\n\r\n"), "!header line", 47 },
  { "folded-by-tab", BYTES (OK "A: b\r\n\tc\r\n\r\n"), "!header line", 44 },
  { "cr-in-value", BYTES (OK "A: b\rc\r\n\r\n"), "!header line", 42 },
  { "nul-in-value", BYTES (OK "A: b\0c\r\n\r\n"), "!header line", 42 },
  { "nul-in-name", BYTES (OK "A\0: b\r\n\r\n"), "!header line", 41 },
  { "del-in-value", BYTES (OK "A: \x7f\r\n\r\n"), "!header line", 40 },
  { "not-ascii-in-name", BYTES (OK "\xc3\xa4: b\r\n\r\n"), "!header line", 41 },
};
/* clang-format on */

typedef struct
{
  const char *data;
  gsize size;
  const char *log;
  gsize fails_at;
  Guard guard;
} Run;

static void
log_response (GString            *log,
              S9wsResponseResult  result,
              S9wsResponse       *response)
{
  if (result == S9WS_RESPONSE_FAILED)
    {
      g_string_append_printf (log, "!%s", s9ws_handshake_fault_get_name (response->fault));
      return;
    }
  if (result == S9WS_RESPONSE_INCOMPLETE)
    return;

  g_string_append_printf (log, "%u/%u (%.*s) ", response->status, response->minor_version,
                          (int) response->reason.size, response->reason.data);
  for (gsize i = 0; i < response->n_headers; i++)
    {
      const S9wsHeader *header = &response->headers[i];

      g_string_append_len (log, header->name.data, (gssize) header->name.size);
      g_string_append_c (log, '=');
      g_string_append_len (log, header->value.data, (gssize) header->value.size);
      g_string_append_c (log, '.');
    }
}

/* Each time at another place, as in a buffer that grows. */
static void
run_cut (const Cut *cut,
         gpointer   user_data)
{
  Run *run = user_data;
  static S9wsResponse response;
  S9wsResponseResult result = S9WS_RESPONSE_INCOMPLETE;
  g_autoptr (GString) log = g_string_new (NULL);
  gsize scanned = 0;

  for (gsize i = 0; i < cut->n_ends && result == S9WS_RESPONSE_INCOMPLETE; i++)
    {
      const char *head = (const char *) guard_place (&run->guard, run->data, cut->ends[i]);

      result = s9ws_response_read (&response, head, cut->ends[i], &scanned);
      if (run->fails_at != 0)
        g_assert_true ((result == S9WS_RESPONSE_FAILED) == (cut->ends[i] >= run->fails_at));
      if (result == S9WS_RESPONSE_READY)
        {
          const char *end = memmem (head, cut->ends[i], "\r\n\r\n", 4);

          g_assert_cmpuint (response.head_size, ==, end + 4 - head);
        }
    }

  log_response (log, result, &response);
  if (strcmp (log->str, run->log) != 0)
    {
      g_autofree char *text = cut_dup_text (cut);

      g_test_message ("cut at %s", text);
      g_assert_cmpstr (log->str, ==, run->log);
    }
}

static void
run_all (Run *run)
{
  guard_init (&run->guard, run->size);
  for (CutKind kind = 0; kind < N_CUTS; kind++)
    for_each_cut (kind, run->size, run_cut, run);
  guard_clear (&run->guard);
}

static void
test_vector (gconstpointer data)
{
  const Vector *vector = data;
  Run run = { vector->data, vector->size, vector->log, vector->fails_at };

  run_all (&run);
}

/* 128 headers are taken, one more is not. */
static void
test_many_headers (void)
{
  g_autoptr (GString) head = g_string_new (OK);
  g_autoptr (GString) log = g_string_new ("101/1 (Switching Protocols) ");
  Run run = { 0 };

  for (guint i = 0; i < S9WS_RESPONSE_HEADERS_MAX; i++)
    {
      g_string_append_printf (head, "X-%u: %u\r\n", i, i);
      g_string_append_printf (log, "X-%u=%u.", i, i);
    }
  g_string_append (head, "\r\n");
  run = (Run){ head->str, head->len, log->str, 0 };
  run_all (&run);

  g_string_truncate (head, head->len - 2);
  g_string_append (head, "X: 1\r\n\r\n");
  run = (Run){ head->str, head->len, "!too many headers", head->len - 2 };
  run_all (&run);
}

/* A head of 64 KiB is taken, one more byte is not, and without an end it ends there. */
static void
test_long_head (void)
{
  static S9wsResponse response;
  g_autoptr (GString) head = g_string_new (OK "X: ");
  g_autofree char *log = NULL;
  gsize prefix = head->len;
  Run run = { 0 };

  while (head->len < S9WS_RESPONSE_HEAD_MAX - 4)
    g_string_append_c (head, 'x');
  g_string_append (head, "\r\n\r\n");
  log = g_strdup_printf ("101/1 (Switching Protocols) X=%.*s.", (int) (head->len - 4 - prefix), head->str + prefix);
  run = (Run){ head->str, head->len, log, 0 };
  g_assert_cmpuint (run.size, ==, S9WS_RESPONSE_HEAD_MAX);
  run_all (&run);

  g_string_insert_c (head, (gssize) prefix, 'x');
  run = (Run){ head->str, head->len, "!head too long", S9WS_RESPONSE_HEAD_MAX };
  run_all (&run);

  /* Even where nothing has been searched before. */
  for (gsize more = 0; more < 3; more++)
    {
      gsize scanned = 0;

      g_string_append (head, X64 "\r\n\r\n");
      g_assert_cmpint (s9ws_response_read (&response, head->str, head->len, &scanned), ==, S9WS_RESPONSE_FAILED);
      g_assert_cmpint (response.fault, ==, S9WS_HANDSHAKE_FAULT_HEAD_TOO_LONG);
    }
}

/* Reads a head that is known to be fine. */
static void
read_response (S9wsResponse *response,
               const char   *head,
               gsize         size)
{
  gsize scanned = 0;

  g_assert_cmpint (s9ws_response_read (response, head, size, &scanned), ==, S9WS_RESPONSE_READY);
}

static void
test_get_header (void)
{
  static S9wsResponse response;

  read_response (&response, BYTES ("HTTP/1.1 200 OK\r\nX-One: 1\r\nx-one: 2\r\nX-Two: \r\n\r\n"));
  g_assert_cmpmem (s9ws_response_get_header (&response, "x-ONE")->data, 1, "1", 1);
  g_assert_cmpuint (s9ws_response_get_header (&response, "X-Two")->size, ==, 0);
  g_assert_null (s9ws_response_get_header (&response, "X"));
  g_assert_null (s9ws_response_get_header (&response, "X-One-"));
  g_assert_null (s9ws_response_get_header (&response, ""));
}

/* Checks of a response */

typedef struct
{
  const char *name;
  const char *head;
  S9wsHandshakeFault fault;
  int protocol_index;
  gboolean allows_extensions;
} Check;

#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define ACCEPTED "Sec-WebSocket-Accept: " ACCEPT "\r\n"
#define ALL OK UPGRADE CONNECTION ACCEPTED
#define END "\r\n"

/* clang-format off */
static const Check checks[] = {
  { "good", ALL END, S9WS_HANDSHAKE_FAULT_NONE, -1 },
  { "any-order", OK ACCEPTED CONNECTION UPGRADE END, S9WS_HANDSHAKE_FAULT_NONE, -1 },
  { "any-case", OK "upgrade: WebSocket\r\nCONNECTION: upgrade\r\nsec-websocket-accept: " ACCEPT "\r\n" END, S9WS_HANDSHAKE_FAULT_NONE, -1 },
  { "connection-list", OK UPGRADE "Connection: keep-alive , Upgrade\r\n" ACCEPTED END, S9WS_HANDSHAKE_FAULT_NONE, -1 },
  { "connection-lines", OK UPGRADE "Connection: keep-alive\r\nConnection: Upgrade\r\n" ACCEPTED END, S9WS_HANDSHAKE_FAULT_NONE, -1 },
  { "connection-empty-items", OK UPGRADE "Connection: ,, Upgrade,\r\n" ACCEPTED END, S9WS_HANDSHAKE_FAULT_NONE, -1 },
  { "other-headers", ALL "Server: x\r\nX: y\r\n" END, S9WS_HANDSHAKE_FAULT_NONE, -1 },
  { "status-200", "HTTP/1.1 200 OK\r\n" UPGRADE CONNECTION ACCEPTED END, S9WS_HANDSHAKE_FAULT_STATUS, -1 },
  { "status-100", "HTTP/1.1 100 Continue\r\n" UPGRADE CONNECTION ACCEPTED END, S9WS_HANDSHAKE_FAULT_STATUS, -1 },
  { "status-401", "HTTP/1.1 401 No\r\n" END, S9WS_HANDSHAKE_FAULT_STATUS, -1 },
  { "http-1.0", "HTTP/1.0 101 OK\r\n" UPGRADE CONNECTION ACCEPTED END, S9WS_HANDSHAKE_FAULT_HTTP_VERSION, -1 },
  { "http-1.9", "HTTP/1.9 101 OK\r\n" UPGRADE CONNECTION ACCEPTED END, S9WS_HANDSHAKE_FAULT_NONE, -1 },
  { "no-upgrade", OK CONNECTION ACCEPTED END, S9WS_HANDSHAKE_FAULT_UPGRADE, -1 },
  { "other-upgrade", OK "Upgrade: h2c\r\n" CONNECTION ACCEPTED END, S9WS_HANDSHAKE_FAULT_UPGRADE, -1 },
  { "upgrade-list", OK "Upgrade: websocket, h2c\r\n" CONNECTION ACCEPTED END, S9WS_HANDSHAKE_FAULT_UPGRADE, -1 },
  { "upgrade-twice", OK UPGRADE UPGRADE CONNECTION ACCEPTED END, S9WS_HANDSHAKE_FAULT_UPGRADE, -1 },
  { "upgrade-empty", OK "Upgrade:\r\n" CONNECTION ACCEPTED END, S9WS_HANDSHAKE_FAULT_UPGRADE, -1 },
  { "upgrade-longer", OK "Upgrade: websockets\r\n" CONNECTION ACCEPTED END, S9WS_HANDSHAKE_FAULT_UPGRADE, -1 },
  { "no-connection", OK UPGRADE ACCEPTED END, S9WS_HANDSHAKE_FAULT_CONNECTION, -1 },
  { "connection-close", OK UPGRADE "Connection: close\r\n" ACCEPTED END, S9WS_HANDSHAKE_FAULT_CONNECTION, -1 },
  { "connection-upgrades", OK UPGRADE "Connection: Upgrades, xUpgrade\r\n" ACCEPTED END, S9WS_HANDSHAKE_FAULT_CONNECTION, -1 },
  { "no-accept", OK UPGRADE CONNECTION END, S9WS_HANDSHAKE_FAULT_ACCEPT_MISSING, -1 },
  { "accept-empty", OK UPGRADE CONNECTION "Sec-WebSocket-Accept:\r\n" END, S9WS_HANDSHAKE_FAULT_ACCEPT_WRONG, -1 },
  { "accept-other", OK UPGRADE CONNECTION "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=\r\n" END, S9WS_HANDSHAKE_FAULT_ACCEPT_WRONG, -1 },
  { "accept-other-case", OK UPGRADE CONNECTION "Sec-WebSocket-Accept: S3PPLMBITXAQ9KYGZZHZRBK+XOO=\r\n" END, S9WS_HANDSHAKE_FAULT_ACCEPT_WRONG, -1 },
  { "accept-longer", OK UPGRADE CONNECTION "Sec-WebSocket-Accept: " ACCEPT "=\r\n" END, S9WS_HANDSHAKE_FAULT_ACCEPT_WRONG, -1 },
  { "accept-shorter", OK UPGRADE CONNECTION "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo\r\n" END, S9WS_HANDSHAKE_FAULT_ACCEPT_WRONG, -1 },
  { "accept-with-space", OK UPGRADE CONNECTION "Sec-WebSocket-Accept:    " ACCEPT " \t\r\n" END, S9WS_HANDSHAKE_FAULT_NONE, -1 },
  { "accept-twice", ALL ACCEPTED END, S9WS_HANDSHAKE_FAULT_ACCEPT_WRONG, -1 },
  { "extension", ALL "Sec-WebSocket-Extensions: permessage-deflate\r\n" END, S9WS_HANDSHAKE_FAULT_EXTENSION, -1 },
  { "extension-allowed", ALL "Sec-WebSocket-Extensions: permessage-deflate\r\n" END, S9WS_HANDSHAKE_FAULT_NONE, -1, TRUE },
  { "protocol-first", ALL "Sec-WebSocket-Protocol: chat\r\n" END, S9WS_HANDSHAKE_FAULT_NONE, 0 },
  { "protocol-second", ALL "Sec-WebSocket-Protocol: echo\r\n" END, S9WS_HANDSHAKE_FAULT_NONE, 1 },
  { "protocol-other", ALL "Sec-WebSocket-Protocol: other\r\n" END, S9WS_HANDSHAKE_FAULT_PROTOCOL, -1 },
  { "protocol-other-case", ALL "Sec-WebSocket-Protocol: Chat\r\n" END, S9WS_HANDSHAKE_FAULT_PROTOCOL, -1 },
  { "protocol-empty", ALL "Sec-WebSocket-Protocol:\r\n" END, S9WS_HANDSHAKE_FAULT_PROTOCOL, -1 },
  { "protocol-list", ALL "Sec-WebSocket-Protocol: chat, echo\r\n" END, S9WS_HANDSHAKE_FAULT_PROTOCOL, -1 },
  { "protocol-twice", ALL "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: echo\r\n" END, S9WS_HANDSHAKE_FAULT_PROTOCOL, -1 },
};
/* clang-format on */

static void
test_check (gconstpointer data)
{
  const Check *check = data;
  static const char *const protocols[] = { "chat", "echo", NULL };
  static S9wsResponse response;
  int index = 7;

  read_response (&response, check->head, strlen (check->head));
  g_assert_cmpint (s9ws_response_check (&response, ACCEPT, protocols, check->allows_extensions, &index), ==, check->fault);
  g_assert_cmpint (index, ==, check->protocol_index);

  /* What nobody has asked for nobody may choose. */
  if (check->protocol_index >= 0)
    {
      g_assert_cmpint (s9ws_response_check (&response, ACCEPT, NULL, FALSE, &index), ==, S9WS_HANDSHAKE_FAULT_PROTOCOL);
      g_assert_cmpint (index, ==, -1);
    }
}

static void
test_fault_names (void)
{
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);

  g_assert_cmpstr (s9ws_handshake_fault_get_name (S9WS_HANDSHAKE_FAULT_NONE), ==, "");
  g_assert_cmpstr (s9ws_handshake_fault_get_name (S9WS_N_HANDSHAKE_FAULTS), ==, "");
  for (S9wsHandshakeFault i = S9WS_HANDSHAKE_FAULT_NONE + 1; i < S9WS_N_HANDSHAKE_FAULTS; i++)
    {
      const char *name = s9ws_handshake_fault_get_name (i);

      g_assert_nonnull (name);
      g_assert_cmpstr (name, !=, "");
      g_assert_true (g_hash_table_add (names, (gpointer) name));
    }
}

/* Bodies */

typedef struct
{
  const char *name;
  const char *head; /* the headers behind the status */
  const char *body;
  gsize size;
  const char *decoded;
  S9wsBodyResult result;
  const char *status; /* NULL: 403 */
} Body;

/* clang-format off */
static const Body bodies[] = {
  { "length", "Content-Length: 5\r\n", BYTES ("Hello"), "Hello", S9WS_BODY_DONE },
  { "length-cut-off", "Content-Length: 5\r\n", BYTES ("Hel"), "Hel", S9WS_BODY_INCOMPLETE },
  { "length-more-behind", "Content-Length: 5\r\n", BYTES ("Hello, world"), "Hello", S9WS_BODY_DONE },
  { "length-0", "Content-Length: 0\r\n", BYTES ("x"), "", S9WS_BODY_DONE },
  { "length-large", "Content-Length: 1152921504606846975\r\n", BYTES ("x"), "x", S9WS_BODY_INCOMPLETE },
  { "length-too-large", "Content-Length: 99999999999999999999\r\n", BYTES ("x"), "x", S9WS_BODY_INCOMPLETE },
  { "length-negative", "Content-Length: -1\r\n", BYTES ("x"), "x", S9WS_BODY_INCOMPLETE },
  { "length-empty", "Content-Length:\r\n", BYTES ("x"), "x", S9WS_BODY_INCOMPLETE },
  { "until-close", "", BYTES ("Hello"), "Hello", S9WS_BODY_INCOMPLETE },
  { "none-with-204", "Content-Length: 5\r\n", BYTES ("x"), "", S9WS_BODY_DONE, "204" },
  { "none-with-304", "Transfer-Encoding: chunked\r\n", BYTES ("x"), "", S9WS_BODY_DONE, "304" },
  { "chunks", "Transfer-Encoding: chunked\r\n", BYTES ("5\r\nHello\r\n7\r\n, world\r\n0\r\n\r\n"), "Hello, world", S9WS_BODY_DONE },
  { "chunks-win-over-length", "Content-Length: 3\r\nTransfer-Encoding: Chunked\r\n", BYTES ("5\r\nHello\r\n0\r\n\r\n"), "Hello", S9WS_BODY_DONE },
  { "chunks-hex", "Transfer-Encoding: gzip, chunked\r\n", BYTES ("a\r\n0123456789\r\nA\r\n0123456789\r\n010\r\n0123456789abcdef\r\n0\r\n\r\n"),
    "012345678901234567890123456789abcdef", S9WS_BODY_DONE },
  { "chunks-extension", "Transfer-Encoding: chunked\r\n", BYTES ("5;a=b;c=\"d\"\r\nHello\r\n0 ;x\r\n\r\n"), "Hello", S9WS_BODY_DONE },
  { "chunks-trailer", "Transfer-Encoding: chunked\r\n", BYTES ("1\r\nH\r\n0\r\nX: y\r\n\r\n"), "H", S9WS_BODY_DONE },
  { "chunks-leading-zeros", "Transfer-Encoding: chunked\r\n", BYTES ("00000000000000000000000001\r\nH\r\n000\r\n\r\n"), "H", S9WS_BODY_DONE },
  { "chunks-with-line-ends", "Transfer-Encoding: chunked\r\n", BYTES ("4\r\n\r\n\r\n\r\n0\r\n\r\n"), "\r\n\r\n", S9WS_BODY_DONE },
  { "chunks-none", "Transfer-Encoding: chunked\r\n", BYTES ("0\r\n\r\n"), "", S9WS_BODY_DONE },
  { "chunks-cut-off", "Transfer-Encoding: chunked\r\n", BYTES ("5\r\nHel"), "Hel", S9WS_BODY_INCOMPLETE },
  { "chunks-cut-off-at-size", "Transfer-Encoding: chunked\r\n", BYTES ("1\r\nH\r\n1"), "H", S9WS_BODY_INCOMPLETE },
  { "chunks-cut-off-at-line-end", "Transfer-Encoding: chunked\r\n", BYTES ("1\r\nH\r"), "H", S9WS_BODY_INCOMPLETE },
  { "chunks-no-size", "Transfer-Encoding: chunked\r\n", BYTES ("\r\nH\r\n"), "", S9WS_BODY_FAILED },
  { "chunks-not-hex", "Transfer-Encoding: chunked\r\n", BYTES ("g\r\n"), "", S9WS_BODY_FAILED },
  { "chunks-negative", "Transfer-Encoding: chunked\r\n", BYTES ("-1\r\n"), "", S9WS_BODY_FAILED },
  { "chunks-0x", "Transfer-Encoding: chunked\r\n", BYTES ("0x1\r\n"), "", S9WS_BODY_FAILED },
  { "chunks-too-large", "Transfer-Encoding: chunked\r\n", BYTES ("fffffffffffffffff\r\n"), "", S9WS_BODY_FAILED },
  { "chunks-bare-lf", "Transfer-Encoding: chunked\r\n", BYTES ("1\nH\r\n"), "", S9WS_BODY_FAILED },
  { "chunks-bare-lf-in-extension", "Transfer-Encoding: chunked\r\n", BYTES ("1;x\nH\r\n"), "", S9WS_BODY_FAILED },
  { "chunks-bare-cr", "Transfer-Encoding: chunked\r\n", BYTES ("1\rH\r\n"), "", S9WS_BODY_FAILED },
  { "chunks-longer-than-said", "Transfer-Encoding: chunked\r\n", BYTES ("1\r\nHello\r\n"), "H", S9WS_BODY_FAILED },
  { "chunks-no-lf-behind", "Transfer-Encoding: chunked\r\n", BYTES ("1\r\nH\rx"), "H", S9WS_BODY_FAILED },
};
/* clang-format on */

typedef struct
{
  const Body *body;
  S9wsResponse *response;
  Guard guard;
} BodyRun;

static void
run_body (const Cut *cut,
          gpointer   user_data)
{
  BodyRun *run = user_data;
  g_autoptr (GString) decoded = g_string_new (NULL);
  S9wsBodyResult result = S9WS_BODY_INCOMPLETE;
  S9wsBody body;
  gsize from = 0;

  s9ws_body_init (&body, run->response);
  for (gsize i = 0; i < cut->n_ends && result == S9WS_BODY_INCOMPLETE; i++)
    {
      gsize size = cut->ends[i] - from;
      guint8 *piece = guard_place (&run->guard, run->body->body + from, size);
      gsize decoded_size = 99999;

      result = s9ws_body_decode (&body, piece, size, &decoded_size);
      g_assert_cmpuint (decoded_size, <=, size);
      g_string_append_len (decoded, (const char *) piece, (gssize) decoded_size);
      from = cut->ends[i];
    }

  g_assert_cmpint (result, ==, run->body->result);
  g_assert_cmpstr (decoded->str, ==, run->body->decoded);
}

static void
test_body (gconstpointer data)
{
  static S9wsResponse response;
  const Body *body = data;
  g_autofree char *head = g_strdup_printf ("HTTP/1.1 %s X\r\n%s\r\n", body->status != NULL ? body->status : "403", body->head);
  BodyRun run = { body, &response };

  read_response (&response, head, strlen (head));
  guard_init (&run.guard, body->size);
  for (CutKind kind = 0; kind < N_CUTS; kind++)
    for_each_cut (kind, body->size, run_body, &run);
  guard_clear (&run.guard);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD_TABLE ("/handshake/request/", requests, test_request);
  g_test_add_func ("/handshake/bytes", test_bytes);
  g_test_add_func ("/handshake/reserved-headers", test_reserved_headers);
  ADD_TABLE ("/handshake/response/", vectors, test_vector);
  g_test_add_func ("/handshake/many-headers", test_many_headers);
  g_test_add_func ("/handshake/long-head", test_long_head);
  g_test_add_func ("/handshake/get-header", test_get_header);
  ADD_TABLE ("/handshake/check/", checks, test_check);
  g_test_add_func ("/handshake/fault-names", test_fault_names);
  ADD_TABLE ("/handshake/body/", bodies, test_body);

  return g_test_run ();
}
