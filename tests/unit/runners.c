/* runners.c: ways to hand bytes to what is tested: in pieces, and against a page's end
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "runners.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LARGE 1024  /* bytes: more is not cut at every place */
#define EDGE 100    /* bytes at both ends of it that are */
#define STRIDE 4099 /* bytes between the cuts in its middle */
#define N_RANDOM 20
#define RANDOM_SEED 6455

const char *const cut_names[N_CUTS] = { "whole", "bytes", "splits", "random" };

void
guard_init (Guard *guard,
            gsize  size)
{
  gsize page_size = (gsize) sysconf (_SC_PAGESIZE);
  gsize room = (size / page_size + 1) * page_size;

  guard->pages_size = room + 2 * page_size;
  guard->pages = mmap (NULL, guard->pages_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  g_assert_true (guard->pages != MAP_FAILED);
  guard->begin = guard->pages + page_size;
  guard->end = guard->begin + room;
  g_assert_cmpint (mprotect (guard->pages, page_size, PROT_NONE), ==, 0);
  g_assert_cmpint (mprotect (guard->end, page_size, PROT_NONE), ==, 0);
}

void
guard_clear (Guard *guard)
{
  munmap (guard->pages, guard->pages_size);
}

guint8 *
guard_place (Guard         *guard,
             gconstpointer  data,
             gsize          size)
{
  guint8 *place = guard->end - size;

  g_assert_cmpuint (size, <=, (gsize) (guard->end - guard->begin));
  if (size > 0)
    memmove (place, data, size);
  return place;
}

static gboolean
is_place_to_cut (gsize at,
                 gsize size)
{
  return size <= LARGE || at < EDGE || size - at < EDGE || at % STRIDE == 0;
}

static void
call (GArray   *ends,
      CutFunc   func,
      gpointer  user_data)
{
  Cut cut = { &g_array_index (ends, gsize, 0), ends->len };

  func (&cut, user_data);
  g_array_set_size (ends, 0);
}

static void
call_with_bytes (GArray   *ends,
                 gsize     size,
                 CutFunc   func,
                 gpointer  user_data)
{
  for (gsize at = 1; at <= size; at++)
    if (at == size || is_place_to_cut (at, size))
      g_array_append_val (ends, at);
  call (ends, func, user_data);
}

static void
call_with_splits (GArray   *ends,
                  gsize     size,
                  CutFunc   func,
                  gpointer  user_data)
{
  for (gsize at = 1; at < size; at++)
    if (is_place_to_cut (at, size))
      {
        g_array_append_val (ends, at);
        g_array_append_val (ends, size);
        call (ends, func, user_data);
      }
}

static void
call_with_random (GArray   *ends,
                  gsize     size,
                  CutFunc   func,
                  gpointer  user_data)
{
  GRand *rand = g_rand_new_with_seed (RANDOM_SEED);

  for (guint i = 0; i < N_RANDOM; i++)
    {
      gint32 max_piece = (gint32) (size / (i + 1) + 1);
      gsize at = 0;

      while (at < size)
        {
          at += (gsize) g_rand_int_range (rand, 1, max_piece + 1);
          at = MIN (at, size);
          g_array_append_val (ends, at);
        }
      call (ends, func, user_data);
    }

  g_rand_free (rand);
}

void
for_each_cut (CutKind  kind,
              gsize    size,
              CutFunc  func,
              gpointer user_data)
{
  g_autoptr (GArray) ends = g_array_new (FALSE, FALSE, sizeof (gsize));

  switch (kind)
    {
    case CUT_WHOLE:
      g_array_append_val (ends, size);
      call (ends, func, user_data);
      break;
    case CUT_BYTES:
      call_with_bytes (ends, size, func, user_data);
      break;
    case CUT_SPLITS:
      call_with_splits (ends, size, func, user_data);
      break;
    case CUT_RANDOM:
      call_with_random (ends, size, func, user_data);
      break;
    case N_CUTS:
    default:
      g_assert_not_reached ();
    }
}

char *
cut_dup_text (const Cut *cut)
{
  GString *text = g_string_new (NULL);

  for (gsize i = 0; i < cut->n_ends && i < 100; i++)
    g_string_append_printf (text, "%s%" G_GSIZE_FORMAT, i > 0 ? "," : "", cut->ends[i]);
  return g_string_free (text, FALSE);
}
