/* handshake.c: the upgrade from HTTP (RFC 6455, section 4; RFC 9110, 9112)
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "handshake.h"

#include <string.h>

/* What is common to bytes of HTTP */

static bool
is_tchar (unsigned char c)
{
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c != '\0' && strchr ("!#$%&'*+-.^_`|~", c) != NULL);
}

bool
s9ws_is_token (const char *text,
               size_t      size)
{
  for (size_t i = 0; i < size; i++)
    if (!is_tchar ((unsigned char) text[i]))
      return false;

  return size > 0;
}

bool
s9ws_is_field_value (const char *text,
                     size_t      size)
{
  for (size_t i = 0; i < size; i++)
    {
      unsigned char c = (unsigned char) text[i];

      if ((c < 0x20 && c != '\t') || c == 0x7f)
        return false;
    }

  return true;
}

static char
to_lower (char c)
{
  return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

/* In any case. */
static bool
is_equal (const char *text,
          size_t      size,
          const char *other)
{
  if (strlen (other) != size)
    return false;

  for (size_t i = 0; i < size; i++)
    if (to_lower (text[i]) != to_lower (other[i]))
      return false;

  return true;
}

bool
s9ws_is_reserved_header (const char *name,
                         size_t      size)
{
  static const char *const reserved[] = {
    "Host", "Upgrade", "Connection", "Content-Length", "Transfer-Encoding", "TE", "Trailer"
  };
  static const char prefix[] = "Sec-WebSocket-";

  if (size >= sizeof prefix - 1 && is_equal (name, sizeof prefix - 1, prefix))
    return true;

  for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
    if (is_equal (name, size, reserved[i]))
      return true;

  return false;
}

static bool
is_space (char c)
{
  return c == ' ' || c == '\t';
}

static S9wsSlice
trim (const char *data,
      size_t      size)
{
  while (size > 0 && is_space (data[0]))
    {
      data++;
      size--;
    }
  while (size > 0 && is_space (data[size - 1]))
    size--;

  return (S9wsSlice){ data, size };
}

/* The request */

typedef struct
{
  char *buffer;
  size_t size;
  size_t written; /* more than size where it did not fit */
} Writer;

static void
write_bytes (Writer     *writer,
             const char *data,
             size_t      size)
{
  if (writer->written < writer->size)
    {
      size_t room = writer->size - writer->written;

      memcpy (writer->buffer + writer->written, data, size < room ? size : room);
    }
  writer->written += size;
}

static void
write_string (Writer     *writer,
              const char *string)
{
  write_bytes (writer, string, strlen (string));
}

static void
write_header (Writer     *writer,
              const char *name,
              const char *value)
{
  if (value == NULL)
    return;

  write_string (writer, name);
  write_string (writer, ": ");
  write_string (writer, value);
  write_string (writer, "\r\n");
}

size_t
s9ws_request_write (const S9wsRequest *request,
                    char              *buffer,
                    size_t             size)
{
  Writer writer = { buffer, size, 0 };

  write_string (&writer, "GET ");
  write_string (&writer, request->target);
  write_string (&writer, " HTTP/1.1\r\n");
  write_header (&writer, "Host", request->host);
  write_header (&writer, "Upgrade", "websocket");
  write_header (&writer, "Connection", "Upgrade");
  write_header (&writer, "Sec-WebSocket-Key", request->key);
  write_header (&writer, "Sec-WebSocket-Version", "13");
  write_header (&writer, "Sec-WebSocket-Protocol", request->protocols);
  write_header (&writer, "Sec-WebSocket-Extensions", request->extensions);
  write_header (&writer, "Authorization", request->authorization);
  for (size_t i = 0; i < request->n_headers; i++)
    {
      write_bytes (&writer, request->headers[i].name.data, request->headers[i].name.size);
      write_string (&writer, ": ");
      write_bytes (&writer, request->headers[i].value.data, request->headers[i].value.size);
      write_string (&writer, "\r\n");
    }
  write_string (&writer, "\r\n");

  return writer.written;
}

/* The response */

static S9wsHandshakeFault
read_status_line (S9wsResponse *response,
                  const char   *line,
                  size_t        size)
{
  static const char version[] = "HTTP/1.";
  const size_t version_size = sizeof version - 1;

  /* HTTP/1.x NNN reason */
  if (size < version_size + 5 || memcmp (line, version, version_size) != 0 || line[version_size] < '0' ||
      line[version_size] > '9' || line[version_size + 1] != ' ')
    return S9WS_HANDSHAKE_FAULT_STATUS_LINE;

  response->minor_version = (unsigned) (line[version_size] - '0');
  response->status = 0;
  for (size_t i = version_size + 2; i < version_size + 5; i++)
    {
      if (line[i] < '0' || line[i] > '9')
        return S9WS_HANDSHAKE_FAULT_STATUS_LINE;
      response->status = response->status * 10 + (unsigned) (line[i] - '0');
    }

  line += version_size + 5;
  size -= version_size + 5;
  if (response->status < 100 || (size > 0 && line[0] != ' ') || !s9ws_is_field_value (line, size))
    return S9WS_HANDSHAKE_FAULT_STATUS_LINE;

  response->reason = trim (line, size);
  return S9WS_HANDSHAKE_FAULT_NONE;
}

static S9wsHandshakeFault
read_header_line (S9wsResponse *response,
                  const char   *line,
                  size_t        size)
{
  const char *colon = memchr (line, ':', size);
  size_t name_size = colon != NULL ? (size_t) (colon - line) : 0;
  S9wsHeader *header;

  if (colon == NULL || !s9ws_is_token (line, name_size) ||
      !s9ws_is_field_value (colon + 1, size - name_size - 1))
    return S9WS_HANDSHAKE_FAULT_HEADER_LINE;

  if (response->n_headers == S9WS_RESPONSE_HEADERS_MAX)
    return S9WS_HANDSHAKE_FAULT_TOO_MANY_HEADERS;

  header = &response->headers[response->n_headers++];
  header->name = (S9wsSlice){ line, name_size };
  header->value = trim (colon + 1, size - name_size - 1);
  return S9WS_HANDSHAKE_FAULT_NONE;
}

static S9wsResponseResult
fail (S9wsResponse       *response,
      S9wsHandshakeFault  fault)
{
  response->fault = fault;
  return S9WS_RESPONSE_FAILED;
}

/* Lines end with CRLF and nothing else; NULL if there is none yet. */
static const char *
find_line_end (const char *data,
               size_t      size,
               bool       *is_bare)
{
  const char *end = memchr (data, '\n', size);

  *is_bare = end != NULL && (end == data || end[-1] != '\r');
  return end;
}

static S9wsResponseResult
read_lines (S9wsResponse *response,
            const char   *data,
            size_t        size)
{
  size_t at = 0;

  while (true)
    {
      bool is_bare;
      const char *end = find_line_end (data + at, size - at, &is_bare);
      size_t line_size;
      S9wsHandshakeFault fault;

      if (end == NULL)
        return S9WS_RESPONSE_INCOMPLETE;
      if (is_bare)
        return fail (response, at == 0 ? S9WS_HANDSHAKE_FAULT_STATUS_LINE : S9WS_HANDSHAKE_FAULT_HEADER_LINE);

      line_size = (size_t) (end - 1 - (data + at));
      if (line_size == 0 && at > 0)
        {
          response->head_size = (size_t) (end + 1 - data);
          return S9WS_RESPONSE_READY;
        }

      fault = at == 0 ? read_status_line (response, data, line_size)
                      : read_header_line (response, data + at, line_size);
      if (fault != S9WS_HANDSHAKE_FAULT_NONE)
        return fail (response, fault);

      at = (size_t) (end + 1 - data);
    }
}

/* Whether what has come can still become a status line. */
static bool
can_be_status_line (const char *data,
                    size_t      size)
{
  static const char start[] = "HTTP/1.";
  size_t n = size < sizeof start - 1 ? size : sizeof start - 1;

  return memcmp (data, start, n) == 0;
}

S9wsResponseResult
s9ws_response_read (S9wsResponse *response,
                    const char   *data,
                    size_t        size,
                    size_t       *scanned)
{
  size_t head_size = size < S9WS_RESPONSE_HEAD_MAX ? size : S9WS_RESPONSE_HEAD_MAX;
  S9wsResponseResult result;

  response->status = 0;
  response->minor_version = 0;
  response->reason = (S9wsSlice){ NULL, 0 };
  response->n_headers = 0;
  response->head_size = 0;
  response->fault = S9WS_HANDSHAKE_FAULT_NONE;

  if (!can_be_status_line (data, size))
    return fail (response, S9WS_HANDSHAKE_FAULT_STATUS_LINE);

  /* Only a new line can change the answer. */
  if (*scanned < head_size && memchr (data + *scanned, '\n', head_size - *scanned) == NULL)
    result = S9WS_RESPONSE_INCOMPLETE;
  else
    result = *scanned < head_size ? read_lines (response, data, head_size) : S9WS_RESPONSE_INCOMPLETE;
  *scanned = head_size;

  if (result == S9WS_RESPONSE_INCOMPLETE && size >= S9WS_RESPONSE_HEAD_MAX)
    return fail (response, S9WS_HANDSHAKE_FAULT_HEAD_TOO_LONG);

  return result;
}

bool
s9ws_header_is (const S9wsHeader *header,
                const char       *name)
{
  return is_equal (header->name.data, header->name.size, name);
}

static const S9wsHeader *
find_header (const S9wsResponse *response,
             const char         *name,
             size_t              from)
{
  for (size_t i = from; i < response->n_headers; i++)
    if (s9ws_header_is (&response->headers[i], name))
      return &response->headers[i];

  return NULL;
}

static size_t
count_headers (const S9wsResponse *response,
               const char         *name)
{
  size_t n = 0;

  for (size_t i = 0; i < response->n_headers; i++)
    if (s9ws_header_is (&response->headers[i], name))
      n++;

  return n;
}

const S9wsSlice *
s9ws_response_get_header (const S9wsResponse *response,
                          const char         *name)
{
  const S9wsHeader *header = find_header (response, name, 0);

  return header != NULL ? &header->value : NULL;
}

/* Whether a list of tokens, parted by commas, has this one. */
static bool
has_token (S9wsSlice   list,
           const char *token)
{
  while (list.size > 0)
    {
      const char *comma = memchr (list.data, ',', list.size);
      size_t size = comma != NULL ? (size_t) (comma - list.data) : list.size;
      S9wsSlice item = trim (list.data, size);

      if (is_equal (item.data, item.size, token))
        return true;
      if (comma == NULL)
        break;
      list.data = comma + 1;
      list.size -= size + 1;
    }

  return false;
}

/* A header may come in several lines, which make up one list. */
static bool
any_has_token (const S9wsResponse *response,
               const char         *name,
               const char         *token)
{
  for (size_t i = 0; i < response->n_headers; i++)
    if (s9ws_header_is (&response->headers[i], name) &&
        has_token (response->headers[i].value, token))
      return true;

  return false;
}

static S9wsHandshakeFault
check_protocol (const S9wsResponse *response,
                const char *const  *protocols,
                int                *protocol_index)
{
  const S9wsSlice *chosen = s9ws_response_get_header (response, "Sec-WebSocket-Protocol");

  *protocol_index = -1;
  if (chosen == NULL)
    return S9WS_HANDSHAKE_FAULT_NONE;

  if (count_headers (response, "Sec-WebSocket-Protocol") > 1)
    return S9WS_HANDSHAKE_FAULT_PROTOCOL;

  for (int i = 0; protocols != NULL && protocols[i] != NULL; i++)
    if (strlen (protocols[i]) == chosen->size && memcmp (protocols[i], chosen->data, chosen->size) == 0)
      {
        *protocol_index = i;
        return S9WS_HANDSHAKE_FAULT_NONE;
      }

  return S9WS_HANDSHAKE_FAULT_PROTOCOL;
}

static S9wsHandshakeFault
check_accept (const S9wsResponse *response,
              const char         *accept)
{
  const S9wsSlice *value = s9ws_response_get_header (response, "Sec-WebSocket-Accept");

  if (value == NULL)
    return S9WS_HANDSHAKE_FAULT_ACCEPT_MISSING;

  if (count_headers (response, "Sec-WebSocket-Accept") > 1 || value->size != strlen (accept) ||
      memcmp (value->data, accept, value->size) != 0)
    return S9WS_HANDSHAKE_FAULT_ACCEPT_WRONG;

  return S9WS_HANDSHAKE_FAULT_NONE;
}

S9wsHandshakeFault
s9ws_response_check (const S9wsResponse *response,
                     const char         *accept,
                     const char *const  *protocols,
                     bool                allow_extensions,
                     int                *protocol_index)
{
  const S9wsSlice *upgrade = s9ws_response_get_header (response, "Upgrade");
  S9wsHandshakeFault fault;

  *protocol_index = -1;
  if (response->status != 101)
    return S9WS_HANDSHAKE_FAULT_STATUS;
  if (response->minor_version == 0)
    return S9WS_HANDSHAKE_FAULT_HTTP_VERSION;
  if (upgrade == NULL || count_headers (response, "Upgrade") > 1 ||
      !is_equal (upgrade->data, upgrade->size, "websocket"))
    return S9WS_HANDSHAKE_FAULT_UPGRADE;
  if (!any_has_token (response, "Connection", "upgrade"))
    return S9WS_HANDSHAKE_FAULT_CONNECTION;

  fault = check_accept (response, accept);
  if (fault != S9WS_HANDSHAKE_FAULT_NONE)
    return fault;

  if (!allow_extensions && s9ws_response_get_header (response, "Sec-WebSocket-Extensions") != NULL)
    return S9WS_HANDSHAKE_FAULT_EXTENSION;

  return check_protocol (response, protocols, protocol_index);
}

const char *
s9ws_handshake_fault_get_name (S9wsHandshakeFault fault)
{
  static const char *const names[S9WS_N_HANDSHAKE_FAULTS] = {
    [S9WS_HANDSHAKE_FAULT_NONE] = "",
    [S9WS_HANDSHAKE_FAULT_STATUS_LINE] = "status line",
    [S9WS_HANDSHAKE_FAULT_HEADER_LINE] = "header line",
    [S9WS_HANDSHAKE_FAULT_HEAD_TOO_LONG] = "head too long",
    [S9WS_HANDSHAKE_FAULT_TOO_MANY_HEADERS] = "too many headers",
    [S9WS_HANDSHAKE_FAULT_STATUS] = "status",
    [S9WS_HANDSHAKE_FAULT_HTTP_VERSION] = "HTTP version",
    [S9WS_HANDSHAKE_FAULT_UPGRADE] = "upgrade",
    [S9WS_HANDSHAKE_FAULT_CONNECTION] = "connection",
    [S9WS_HANDSHAKE_FAULT_ACCEPT_MISSING] = "accept missing",
    [S9WS_HANDSHAKE_FAULT_ACCEPT_WRONG] = "accept wrong",
    [S9WS_HANDSHAKE_FAULT_EXTENSION] = "extension",
    [S9WS_HANDSHAKE_FAULT_PROTOCOL] = "protocol",
    [S9WS_HANDSHAKE_FAULT_EXTENSION_SYNTAX] = "extension syntax",
    [S9WS_HANDSHAKE_FAULT_EXTENSION_REPEATED] = "extension repeated",
    [S9WS_HANDSHAKE_FAULT_PARAMETER_UNKNOWN] = "parameter unknown",
    [S9WS_HANDSHAKE_FAULT_PARAMETER_REPEATED] = "parameter repeated",
    [S9WS_HANDSHAKE_FAULT_PARAMETER_VALUE] = "parameter value",
    [S9WS_HANDSHAKE_FAULT_PARAMETER_TOO_LARGE] = "parameter too large",
    [S9WS_HANDSHAKE_FAULT_PARAMETER_MISSING] = "parameter missing",
  };

  return fault < S9WS_N_HANDSHAKE_FAULTS ? names[fault] : "";
}

/* The body of a refusal */

/* Of a chunked body: what is expected next. */
typedef enum
{
  EXPECT_SIZE,
  EXPECT_SIZE_MORE, /* at least one digit has come */
  EXPECT_EXTENSION, /* anything up to the line's end */
  EXPECT_SIZE_LF,
  EXPECT_DATA,
  EXPECT_DATA_CR,
  EXPECT_DATA_LF,
  EXPECT_END, /* the trailer is of no interest */
} BodyState;

static bool
read_content_length (S9wsSlice  value,
                     uint64_t  *length)
{
  *length = 0;
  for (size_t i = 0; i < value.size; i++)
    {
      if (value.data[i] < '0' || value.data[i] > '9' || *length > UINT64_MAX / 16)
        return false;
      *length = *length * 10 + (uint64_t) (value.data[i] - '0');
    }

  return value.size > 0;
}

void
s9ws_body_init (S9wsBody           *body,
                const S9wsResponse *response)
{
  const S9wsSlice *length = s9ws_response_get_header (response, "Content-Length");

  memset (body, 0, sizeof *body);
  body->state = EXPECT_SIZE;

  if (response->status == 204 || response->status == 304)
    body->is_sized = true;
  else if (any_has_token (response, "Transfer-Encoding", "chunked"))
    body->is_chunked = true;
  else if (length != NULL)
    body->is_sized = read_content_length (*length, &body->remaining);
}

static int
get_hex_digit (uint8_t c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of what frames the chunks; false if it is malformed. */
static bool
read_framing (S9wsBody *body,
              uint8_t   c)
{
  switch (body->state)
    {
    case EXPECT_SIZE:
    case EXPECT_SIZE_MORE:
      if (get_hex_digit (c) >= 0)
        {
          if (body->remaining > UINT64_MAX / 32)
            return false;
          body->remaining = body->remaining * 16 + (uint64_t) get_hex_digit (c);
          body->state = EXPECT_SIZE_MORE;
          return true;
        }
      if (body->state == EXPECT_SIZE)
        return false;
      if (c != '\r' && c != ';' && !is_space ((char) c))
        return false;
      body->state = c == '\r' ? EXPECT_SIZE_LF : EXPECT_EXTENSION;
      return true;
    case EXPECT_EXTENSION:
      if (c == '\r')
        body->state = EXPECT_SIZE_LF;
      return c != '\n';
    case EXPECT_SIZE_LF:
      body->state = body->remaining > 0 ? EXPECT_DATA : EXPECT_END;
      return c == '\n';
    case EXPECT_DATA_CR:
      body->state = EXPECT_DATA_LF;
      return c == '\r';
    case EXPECT_DATA_LF:
    default:
      body->state = EXPECT_SIZE;
      return c == '\n';
    }
}

static S9wsBodyResult
decode_chunks (S9wsBody *body,
               uint8_t  *data,
               size_t    size,
               size_t   *decoded_size)
{
  size_t i = 0;

  while (i < size && body->state != EXPECT_END)
    {
      size_t n = size - i;

      if (body->state != EXPECT_DATA)
        {
          if (!read_framing (body, data[i++]))
            return S9WS_BODY_FAILED;
          continue;
        }

      if (n > body->remaining)
        n = (size_t) body->remaining;
      memmove (data + *decoded_size, data + i, n);
      *decoded_size += n;
      i += n;
      body->remaining -= n;
      if (body->remaining == 0)
        body->state = EXPECT_DATA_CR;
    }

  return body->state == EXPECT_END ? S9WS_BODY_DONE : S9WS_BODY_INCOMPLETE;
}

S9wsBodyResult
s9ws_body_decode (S9wsBody *body,
                  uint8_t  *data,
                  size_t    size,
                  size_t   *decoded_size)
{
  *decoded_size = 0;
  if (body->is_chunked)
    return decode_chunks (body, data, size, decoded_size);

  *decoded_size = size;
  if (!body->is_sized)
    return S9WS_BODY_INCOMPLETE;

  if (size > body->remaining)
    *decoded_size = (size_t) body->remaining;
  body->remaining -= *decoded_size;
  return body->remaining == 0 ? S9WS_BODY_DONE : S9WS_BODY_INCOMPLETE;
}
