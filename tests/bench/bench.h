/* bench.h: what the programs that are compared have in common
 *
 * Each is called
 *
 *   PROGRAM URI WORK COUNT SIZE text|binary VARIANT [CA-FILE]
 *
 * with the server's address, "ws://127.0.0.1:PORT" or "wss://localhost:PORT", and prints
 * one line of JSON.  Plain C, so that every peer can use it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum
{
  BENCH_INBOUND,    /* one message to begin with, then count messages come */
  BENCH_ROUND_TRIP, /* count messages, each sent once the last one has come back */
  BENCH_OUTBOUND,   /* count messages, and one that comes back for all */
  BENCH_PACED,      /* as inbound: each holds the time at which it was sent */
  BENCH_OPEN,       /* count connections, one after the other */
  BENCH_IDLE,       /* count connections at once, and one before: how much memory each takes */
  BENCH_RECORDS,    /* becomes inbound: over TLS, each message comes in a record of its own */
} BenchWork;

typedef struct
{
  BenchWork work;
  uint64_t count; /* of messages or connections */
  size_t size;    /* of a message in bytes; as argument of BENCH_PACED: the time between two in ns */
  int is_text;
  int is_tls;
  const char *variant;
  const char *ca_file; /* or NULL */
  char host[64];
  int port;
  char path[128];
  char uri[256];
  char *payload; /* of size bytes and a NUL: ASCII */
} BenchTask;

/* Ends the program where the arguments are wrong. */
void bench_parse (int         argc,
                  char      **argv,
                  BenchTask  *task);

int bench_variant_is (const BenchTask *task,
                      const char      *part);

/* In ns, of CLOCK_MONOTONIC. */
uint64_t bench_now (void);

/* Around the work itself: from the first message to the last. */
void bench_begin (const BenchTask *task);
void bench_end   (const BenchTask *task);

/* One sample of BENCH_ROUND_TRIP, BENCH_PACED and BENCH_OPEN, in ns. */
void bench_sample (uint64_t duration);
/* The time since the last call of this function or of bench_begin (). */
void bench_lap (void);

/* Of this process, resident, in bytes. */
uint64_t bench_get_memory (void);

/* One more figure for the line; NAME is a literal. */
void bench_note (const char *name,
                 double      value);

/* Prints the line. */
void bench_report (const BenchTask *task);

#ifdef __cplusplus
}
#endif
