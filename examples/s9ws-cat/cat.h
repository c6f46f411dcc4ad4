/* cat.h: from the input to the server, and from the server to the output
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "options.h"
#include "status.h"

G_BEGIN_DECLS

/* Until the connection has ended. */
Status cat_run (const CatOptions *options);

G_END_DECLS
