/* visible.c: text of others, for a terminal
 *
 * A terminal obeys what it is sent: who could write to it as they like would change its
 * title, hide lines, or have it type something.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "visible.h"

#define REPLACEMENT 0xfffd

char *
cat_make_visible (const void *data,
                  gsize       size)
{
  g_autofree char *valid = g_utf8_make_valid (size > 0 ? data : "", (gssize) size);
  GString *visible = g_string_sized_new (size);

  for (const char *at = valid; *at != '\0'; at = g_utf8_next_char (at))
    {
      gunichar character = g_utf8_get_char (at);
      gboolean is_control = g_unichar_iscntrl (character) && character != '\t' && character != '\n';

      g_string_append_unichar (visible, is_control ? REPLACEMENT : character);
    }

  return g_string_free (visible, FALSE);
}
