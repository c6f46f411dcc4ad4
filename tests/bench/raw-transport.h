/* raw-transport.h: the bytes below bench-raw.c, with one implementation a TLS library
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "bench.h"

/* Both blocking; @fd is connected.  With wss, does the handshake. */
void raw_open  (const BenchTask *task,
                int              fd);
void raw_close (void);

/* From here on raw_read () returns at once. */
void raw_stop_blocking (void);

/* 0: there is nothing now.  Ends the program where something fails. */
size_t raw_read  (void       *buffer,
                  size_t      size);
void   raw_write (const void *data,
                  size_t      size);

/* System calls of raw_read () and raw_write (), as far as this program makes them. */
extern uint64_t raw_n_reads;

void raw_die (const char *what);
