/* s9ws-translation.h: where the translations of messages are
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

void s9ws_bind_translations (void);

G_END_DECLS
