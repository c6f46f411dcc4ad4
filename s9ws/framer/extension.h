/* extension.h: permessage-deflate, offered and agreed on (RFC 6455, section 9; RFC 7692,
 * section 7.1)
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "handshake.h"

typedef struct
{
  uint8_t client_max_window_bits; /* 8 to 15 */
  uint8_t server_max_window_bits;
  bool client_no_context_takeover;
  bool server_no_context_takeover;
} S9wsDeflateParameters;

#define S9WS_DEFLATE_OFFER_MAX 160 /* bytes, with the NUL */

/* Writes the value of Sec-WebSocket-Extensions.  What is at its default is left out, but
 * for client_max_window_bits, without which a server could not limit us. */
void s9ws_deflate_write_offer (const S9wsDeflateParameters *offer,
                               char                        *buffer);

/* Whether the answer's extensions are what was offered: permessage-deflate or nothing, and
 * nothing where @offer is NULL.  With *@is_agreed set, @agreed is what either side does:
 * the server's part of it is binding for the server, ours for us.  With a fault, @subject
 * is the extension or parameter that has it, in the response. */
S9wsHandshakeFault s9ws_response_check_extensions (const S9wsResponse          *response,
                                                   const S9wsDeflateParameters *offer,
                                                   bool                        *is_agreed,
                                                   S9wsDeflateParameters       *agreed,
                                                   S9wsSlice                   *subject);
