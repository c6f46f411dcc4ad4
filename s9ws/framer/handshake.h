/* handshake.h: the upgrade from HTTP (RFC 6455, section 4; RFC 9110, 9112)
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define S9WS_RESPONSE_HEAD_MAX 65536 /* bytes */
#define S9WS_RESPONSE_HEADERS_MAX 128
#define S9WS_HANDSHAKE_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

typedef struct
{
  const char *data; /* not terminated */
  size_t size;
} S9wsSlice;

typedef struct
{
  S9wsSlice name;
  S9wsSlice value; /* without the white space around it */
} S9wsHeader;

/* All strings are NUL-terminated, those marked so may be NULL. */
typedef struct
{
  const char *target;        /* path and query, as they go into the request line */
  const char *host;          /* the Host header's value */
  const char *key;           /* of Sec-WebSocket-Key */
  const char *protocols;     /* NULL, or the whole value of Sec-WebSocket-Protocol */
  const char *extensions;    /* NULL, or the whole value of Sec-WebSocket-Extensions */
  const char *authorization; /* NULL, or the whole value of Authorization */
  const S9wsHeader *headers; /* the user's, checked already */
  size_t n_headers;
} S9wsRequest;

/* Writes as much of the request as fits, without a NUL; returns the size of the
 * whole, like snprintf (). */
size_t s9ws_request_write (const S9wsRequest *request,
                           char              *buffer,
                           size_t             size);

/* RFC 9110, section 5.6.2: one or more tchar. */
bool s9ws_is_token (const char *text,
                    size_t      size);

/* RFC 9110, section 5.5: no control character but HTAB. */
bool s9ws_is_field_value (const char *text,
                          size_t      size);

/* Whether the client writes this header itself or must not send it in an
 * upgrade: Host, Upgrade, Connection, Sec-WebSocket-*, Content-Length,
 * Transfer-Encoding, TE, Trailer (in any case). */
bool s9ws_is_reserved_header (const char *name,
                              size_t      size);

typedef enum
{
  S9WS_RESPONSE_READY,
  S9WS_RESPONSE_INCOMPLETE,
  S9WS_RESPONSE_FAILED,
} S9wsResponseResult;

typedef enum
{
  S9WS_HANDSHAKE_FAULT_NONE,
  /* found by s9ws_response_read () */
  S9WS_HANDSHAKE_FAULT_STATUS_LINE,
  S9WS_HANDSHAKE_FAULT_HEADER_LINE, /* no colon, bad name, bad value, folded, bare CR or LF */
  S9WS_HANDSHAKE_FAULT_HEAD_TOO_LONG,
  S9WS_HANDSHAKE_FAULT_TOO_MANY_HEADERS,
  /* found by s9ws_response_check () */
  S9WS_HANDSHAKE_FAULT_STATUS,       /* not 101 */
  S9WS_HANDSHAKE_FAULT_HTTP_VERSION, /* 101 from HTTP/1.0 */
  S9WS_HANDSHAKE_FAULT_UPGRADE,      /* Upgrade is not "websocket" */
  S9WS_HANDSHAKE_FAULT_CONNECTION,   /* Connection has no "upgrade" */
  S9WS_HANDSHAKE_FAULT_ACCEPT_MISSING,
  S9WS_HANDSHAKE_FAULT_ACCEPT_WRONG,
  S9WS_HANDSHAKE_FAULT_EXTENSION, /* one that was not asked for */
  S9WS_HANDSHAKE_FAULT_PROTOCOL,  /* one that was not asked for, or two */
  /* found by s9ws_response_check_extensions (), as well as EXTENSION */
  S9WS_HANDSHAKE_FAULT_EXTENSION_SYNTAX,
  S9WS_HANDSHAKE_FAULT_EXTENSION_REPEATED,
  S9WS_HANDSHAKE_FAULT_PARAMETER_UNKNOWN,
  S9WS_HANDSHAKE_FAULT_PARAMETER_REPEATED,
  S9WS_HANDSHAKE_FAULT_PARAMETER_VALUE,
  S9WS_HANDSHAKE_FAULT_PARAMETER_TOO_LARGE, /* than what was offered */
  S9WS_HANDSHAKE_FAULT_PARAMETER_MISSING,   /* one that accepts our offer only if it is there */
  S9WS_N_HANDSHAKE_FAULTS,
} S9wsHandshakeFault;

/* Slices point into what s9ws_response_read () was given. */
typedef struct
{
  unsigned status;
  unsigned minor_version; /* of HTTP/1.x */
  S9wsSlice reason;
  size_t n_headers;
  S9wsHeader headers[S9WS_RESPONSE_HEADERS_MAX];
  size_t head_size; /* up to and with the empty line */
  S9wsHandshakeFault fault;
} S9wsResponse;

/* Reads the head of a response, all of it so far being at @data.  @scanned is 0
 * at first and is kept by the caller between calls, so that no byte is searched
 * twice for the end.  What can never become a valid head fails before its end. */
S9wsResponseResult s9ws_response_read (S9wsResponse *response,
                                       const char   *data,
                                       size_t        size,
                                       size_t       *scanned);

/* The value of the first header of that name, in any case; NULL if there is none. */
const S9wsSlice *s9ws_response_get_header (const S9wsResponse *response,
                                           const char         *name);

/* Whether it is a header of that name, in any case. */
bool s9ws_header_is (const S9wsHeader *header,
                     const char       *name);

/* Whether this is the answer to our request (RFC 6455, section 4.1, the list
 * after "the client MUST validate the server's response").  @protocols is a
 * NULL-terminated array or NULL; on success @protocol_index is the chosen one's
 * place in it, or -1.  Every extension is refused unless @allow_extensions: then they are
 * left to s9ws_response_check_extensions (). */
S9wsHandshakeFault s9ws_response_check (const S9wsResponse *response,
                                        const char         *accept,
                                        const char *const  *protocols,
                                        bool                allow_extensions,
                                        int                *protocol_index);

/* What was wrong, in English, for logs and tests; "" for NONE. */
const char *s9ws_handshake_fault_get_name (S9wsHandshakeFault fault);

/* The body behind a response that was no 101 (RFC 9112, section 6).  Allocated
 * by the caller; everything in it is private. */
typedef struct
{
  uint64_t remaining;
  uint8_t state;
  bool is_chunked;
  bool is_sized; /* neither: the body ends with the connection */
} S9wsBody;

typedef enum
{
  S9WS_BODY_DONE,
  S9WS_BODY_INCOMPLETE,
  S9WS_BODY_FAILED, /* a chunk's size is malformed */
} S9wsBodyResult;

void s9ws_body_init (S9wsBody           *body,
                     const S9wsResponse *response);

/* Decodes in place: the @size bytes at @data become *@decoded_size at its start. */
S9wsBodyResult s9ws_body_decode (S9wsBody *body,
                                 uint8_t  *data,
                                 size_t    size,
                                 size_t   *decoded_size);
