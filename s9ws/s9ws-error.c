/* s9ws-error.c: the error domain
 *
 * The one public file that the connection knows: it is the lowest layer that has
 * a GError to fill in.  Built into its library for that.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-error.h"

/**
 * s9ws_error_quark:
 *
 * Gets the quark of the error domain `S9WS_ERROR`.
 *
 * Returns: the quark
 *
 * Since: 0.1
 */
G_DEFINE_QUARK (s9ws-error-quark, s9ws_error)
