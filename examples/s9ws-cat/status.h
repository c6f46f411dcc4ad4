/* status.h: what s9ws-cat ends with, as its manual page has it
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

typedef enum
{
  STATUS_CLOSED,  /* by agreement */
  STATUS_ENDED,   /* in any other way, once it was open */
  STATUS_USAGE,   /* options, the URI included */
  STATUS_CONNECT, /* no connection */
  STATUS_TLS,
  STATUS_REFUSED, /* by HTTP */
  STATUS_DATA,    /* input or output */
} Status;
