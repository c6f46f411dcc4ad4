/* types.c: brings types into the record that no function of the library mentions
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <s9ws/s9ws.h>

void types (S9wsHandlerInterface *handler,
            S9wsError             error,
            S9wsWaitStrategy      strategy);

void
types (S9wsHandlerInterface *handler,
       S9wsError             error,
       S9wsWaitStrategy      strategy)
{
}
