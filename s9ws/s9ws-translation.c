/* s9ws-translation.c: where the translations of messages are
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-translation.h"

#include <libintl.h>

/* Called by each class that a message can come from with no other class in use.  Doing it
 * again changes nothing. */
void
s9ws_bind_translations (void)
{
  bindtextdomain (GETTEXT_PACKAGE, LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
}
