/* s9ws-question.h: whether a certificate is to be accepted, asked by signal
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "s9ws-client-private.h"

G_BEGIN_DECLS

/* Emits accept-certificate.  With a @context, this is done there, by the thread that
 * iterates it, and waited for, until @quit is cancelled: no binding is to be called on a
 * thread that it does not know.  FALSE where nobody is connected, or the client is gone:
 * while it waits it does not hold it. */
gboolean s9ws_ask_about_certificate (GWeakRef             *client_ref,
                                     GMainContext         *context,
                                     GCancellable         *quit,
                                     const char           *chain,
                                     GTlsCertificateFlags  reasons);

G_END_DECLS
