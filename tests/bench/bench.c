/* bench.c: what the programs that are compared have in common
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define MAX_NOTES 8
#define PACED_SIZE 32 /* bytes; see bench-server.c */

static struct
{
  const char *name;
  double value;
} notes[MAX_NOTES];
static size_t n_notes;
static uint64_t *samples;
static size_t n_samples, max_samples;
static int is_counting; /* instructions: those of the clock are not of interest */
static uint64_t last_lap, begun, ended, cpu_begun, cpu_ended;

static void
fail (const char *what)
{
  fprintf (stderr, "%s\nUsage: PROGRAM URI WORK COUNT SIZE text|binary VARIANT [CA-FILE]\n", what);
  exit (2);
}

static BenchWork
parse_work (const char *name)
{
  static const char *const names[] = { "inbound", "round-trip", "outbound", "paced", "open", "idle", "records" };

  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp (name, names[i]) == 0)
      return (BenchWork) i;

  fail ("no such work");
  return BENCH_INBOUND;
}

static void
set_path (BenchTask *task)
{
  unsigned long long count = task->count;

  switch (task->work)
    {
    case BENCH_INBOUND:
      snprintf (task->path, sizeof task->path, "/blast/%llu/%zu/%s", count, task->size, task->is_text ? "text" : "binary");
      break;
    case BENCH_RECORDS:
      snprintf (task->path, sizeof task->path, "/records/%llu/%zu/%s", count, task->size, task->is_text ? "text" : "binary");
      task->work = BENCH_INBOUND;
      break;
    case BENCH_OUTBOUND:
      snprintf (task->path, sizeof task->path, "/sink/%llu", count);
      break;
    case BENCH_PACED:
      snprintf (task->path, sizeof task->path, "/paced/%llu/%zu", count, task->size);
      task->size = PACED_SIZE;
      break;
    case BENCH_ROUND_TRIP:
    case BENCH_OPEN:
    case BENCH_IDLE:
    default:
      snprintf (task->path, sizeof task->path, "/echo");
    }
}

void
bench_parse (int         argc,
             char      **argv,
             BenchTask  *task)
{
  const char *rest;

  if (argc < 7)
    fail ("too few arguments");

  memset (task, 0, sizeof *task);
  task->work = parse_work (argv[2]);
  task->count = strtoull (argv[3], NULL, 10);
  task->size = strtoull (argv[4], NULL, 10);
  task->is_text = strcmp (argv[5], "text") == 0;
  task->variant = argv[6];
  task->ca_file = argc > 7 ? argv[7] : NULL;
  task->is_tls = strncmp (argv[1], "wss://", 6) == 0;

  rest = strstr (argv[1], "://");
  if (rest == NULL || sscanf (rest + 3, "%63[^:]:%d", task->host, &task->port) != 2)
    fail ("the URI is to be ws://HOST:PORT or wss://HOST:PORT");

  set_path (task);
  snprintf (task->uri, sizeof task->uri, "%s://%s:%d%s", task->is_tls ? "wss" : "ws", task->host, task->port, task->path);

  task->payload = (char *) malloc (task->size + 1);
  for (size_t i = 0; i < task->size; i++)
    task->payload[i] = (char) ('a' + i % 26);
  task->payload[task->size] = '\0';

  max_samples = task->count;
  samples = (uint64_t *) malloc ((max_samples + 1) * sizeof *samples);
  is_counting = getenv ("BENCH_COUNTING") != NULL;
}

int
bench_variant_is (const BenchTask *task,
                  const char      *part)
{
  return strstr (task->variant, part) != NULL;
}

uint64_t
bench_now (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
}

static uint64_t
get_cpu (void)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  return (uint64_t) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000u +
         (uint64_t) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000u;
}

void
bench_begin (const BenchTask *task)
{
  cpu_begun = get_cpu ();
  begun = bench_now ();
  last_lap = begun;
}

void
bench_end (const BenchTask *task)
{
  ended = bench_now ();
  cpu_ended = get_cpu ();
}

void
bench_sample (uint64_t duration)
{
  if (n_samples < max_samples)
    samples[n_samples++] = duration;
}

void
bench_lap (void)
{
  uint64_t now;

  if (is_counting)
    return;

  now = bench_now ();
  bench_sample (now - last_lap);
  last_lap = now;
}

static int
compare (const void *a,
         const void *b)
{
  uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

  return x < y ? -1 : x > y;
}

static double
get_percentile (double part)
{
  size_t i = (size_t) ((double) n_samples * part);

  return (double) samples[i < n_samples ? i : n_samples - 1] / 1000.0;
}

uint64_t
bench_get_memory (void)
{
  unsigned long long total = 0, resident = 0;
  FILE *file = fopen ("/proc/self/statm", "r");

  if (file == NULL)
    return 0;

  if (fscanf (file, "%llu %llu", &total, &resident) != 2)
    resident = 0;
  fclose (file);
  return resident * (uint64_t) sysconf (_SC_PAGESIZE);
}

void
bench_note (const char *name,
            double      value)
{
  if (n_notes == MAX_NOTES)
    return;

  notes[n_notes].name = name;
  notes[n_notes++].value = value;
}

/* In KiB.  Not ru_maxrss, which begins with what the parent had. */
static long
get_peak_memory (void)
{
  FILE *file = fopen ("/proc/self/status", "r");
  char line[256];
  long peak = 0;

  if (file == NULL)
    return 0;

  while (fgets (line, sizeof line, file) != NULL)
    if (sscanf (line, "VmHWM: %ld", &peak) == 1)
      break;
  fclose (file);
  return peak;
}

void
bench_report (const BenchTask *task)
{
  double seconds = (double) (ended - begun) / 1e9;
  double cpu = (double) (cpu_ended - cpu_begun) / 1e9;

  printf ("{\"count\": %llu, \"seconds\": %.9f, \"cpu\": %.9f, \"peak_kib\": %ld",
          (unsigned long long) task->count, seconds, cpu, get_peak_memory ());
  if (seconds > 0)
    printf (", \"per_second\": %.1f", (double) task->count / seconds);
  for (size_t i = 0; i < n_notes; i++)
    printf (", \"%s\": %.3f", notes[i].name, notes[i].value);
  if (n_samples > 0)
    {
      static const double parts[] = { 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9,
                                      0.95, 0.98, 0.99, 0.995, 0.999, 0.9995, 0.9999 };

      qsort (samples, n_samples, sizeof *samples, compare);
      printf (", \"p50\": %.3f, \"p99\": %.3f, \"p999\": %.3f, \"distribution\": [",
              get_percentile (0.5), get_percentile (0.99), get_percentile (0.999));
      for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        printf ("%s[%g, %.3f]", i > 0 ? ", " : "", parts[i], get_percentile (parts[i]));
      printf ("]");
    }
  printf ("}\n");
}
