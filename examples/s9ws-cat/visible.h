/* visible.h: text of others, for a terminal
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Valid UTF-8, with U+FFFD for each control character but tabs and ends of lines. */
char *cat_make_visible (const void *data,
                        gsize       size);

G_END_DECLS
