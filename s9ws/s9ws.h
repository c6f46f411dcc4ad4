/* s9ws.h: the umbrella header
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#define S9WS_INSIDE

#include <s9ws/s9ws-async-client.h>
#include <s9ws/s9ws-blocking-client.h>
#include <s9ws/s9ws-client.h>
#include <s9ws/s9ws-end-report.h>
#include <s9ws/s9ws-enums.h>
#include <s9ws/s9ws-error.h>
#include <s9ws/s9ws-event.h>
#include <s9ws/s9ws-handler.h>
#include <s9ws/s9ws-non-blocking-client.h>
#include <s9ws/s9ws-options.h>
#include <s9ws/s9ws-tls-context.h>
#include <s9ws/s9ws-version.h>

#undef S9WS_INSIDE
