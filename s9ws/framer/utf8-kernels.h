/* utf8-kernels.h: what the two files of UTF-8 validation share
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "utf8.h"

/* The reference: eight bytes of ASCII at a time, or one character. */
bool s9ws_utf8_is_valid_scalar (const uint8_t *data,
                                size_t         size);
