/* input.h: the standard input, as messages
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  GByteArray *bytes;
  gsize taken;      /* of the bytes */
  gsize searched;   /* of what is left, without finding a line's end */
  gboolean is_binary;
  gboolean has_ended;
} CatInput;

void cat_input_init  (CatInput *input,
                      gboolean  is_binary);
void cat_input_clear (CatInput *input);

/* Reads once. */
gboolean cat_input_read (CatInput  *input,
                         int        fd,
                         GError   **error);

/* The next line without its end, or the next block, lent until more is read; FALSE if
 * there is none yet. */
gboolean cat_input_next (CatInput      *input,
                         const guint8 **data,
                         gsize         *size);

G_END_DECLS
