/* allocations.h: counts what the calling thread allocates
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <stddef.h>

/* How often the calling thread has called malloc, calloc, realloc or a kin of theirs. */
size_t allocations_get (void);
