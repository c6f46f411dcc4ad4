/* test-event.c: the memory of queued events
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "s9ws-event-private.h"

#define KEPT_MAX (1024 * 1024 + 17 * 1024) /* bytes, with the event that does not fit any more */

static guint8 payload[S9WS_SHARED_MIN];

/* One that is queued. */
static S9wsEvent *
create_event (S9wsQueueBudget *budget,
              gsize            size)
{
  S9wsMessage message = { .opcode = S9WS_OPCODE_TEXT, .data = payload, .size = size };
  S9wsEventList events = { NULL, NULL, 0 };

  s9ws_event_list_append (&events, s9ws_event_new_message (budget, NULL, &message));
  s9ws_event_list_charge (&events, budget);
  return s9ws_event_list_take_first (&events);
}

static void
check_event (S9wsEvent *event,
             gsize      size)
{
  gsize length;
  const guint8 *data = s9ws_event_get_data (event, &length);

  g_assert_cmpmem (data, length, payload, size);
  g_assert_cmpuint (data[size], ==, 0);
}

/* All sizes, in the memory of those a byte smaller and in that of those a byte larger. */
static void
test_sizes (void)
{
  S9wsQueueBudget *budget = s9ws_queue_budget_new ();

  for (gsize i = 0; i < 2 * sizeof payload; i++)
    {
      gsize size = i < sizeof payload ? i : 2 * sizeof payload - 1 - i;
      S9wsEvent *event = create_event (budget, size);

      check_event (event, size);
      g_assert_cmpuint (s9ws_queue_budget_get_used (budget), >=, size);
      s9ws_event_unref (event);
    }

  g_assert_cmpint (budget->bytes, ==, 0);
  s9ws_queue_budget_unref (budget);
}

static void
test_again (void)
{
  S9wsQueueBudget *budget = s9ws_queue_budget_new ();
  S9wsEvent *first = create_event (budget, 100);
  S9wsEvent *second = create_event (budget, 100);
  S9wsEvent *small;

  g_assert_true (first != second);
  s9ws_event_unref (first);
  small = create_event (budget, 30);
  g_assert_true (small == first);
  check_event (second, 100);

  s9ws_event_unref (second);
  s9ws_event_unref (small);
  g_assert_cmpint (budget->bytes, ==, 0);
  s9ws_queue_budget_unref (budget);
}

static void
test_larger (void)
{
  S9wsQueueBudget *budget = s9ws_queue_budget_new ();
  S9wsEvent *large = create_event (budget, 200);
  S9wsEvent *small, *larger;

  /* One with some more room will do, but it does not count for less. */
  s9ws_event_unref (large);
  small = create_event (budget, 100);
  g_assert_true (small == large);
  g_assert_cmpint (budget->bytes, >, 264);
  check_event (small, 100);

  /* What is too small waits for its turn. */
  s9ws_event_unref (small);
  larger = create_event (budget, 1000);
  check_event (larger, 1000);
  large = create_event (budget, 200);
  g_assert_true (large == small);
  check_event (large, 200);

  s9ws_event_unref (large);
  s9ws_event_unref (larger);
  g_assert_cmpint (budget->bytes, ==, 0);
  s9ws_queue_budget_unref (budget);
}

/* As a server sends them whose messages are now short, now long. */
static void
test_mixed (void)
{
  S9wsQueueBudget *budget = s9ws_queue_budget_new ();
  GRand *rand = g_rand_new_with_seed (1);
  S9wsEvent *queued[64] = { NULL };
  guint n_taken = 0;

  for (guint i = 0; i < 100000; i++)
    {
      S9wsEvent **event = &queued[g_rand_int_range (rand, 0, G_N_ELEMENTS (queued))];
      gsize size = (gsize) g_rand_int_range (rand, 0, S9WS_SHARED_MIN);
      int before;

      g_clear_pointer (event, s9ws_event_unref);
      before = budget->taken_bytes + budget->returned_bytes;
      *event = create_event (budget, size);
      check_event (*event, size);
      g_assert_cmpint (budget->taken_bytes + budget->returned_bytes, >=, 0);
      g_assert_cmpint (budget->taken_bytes + budget->returned_bytes, <, 2 * KEPT_MAX);
      if (budget->taken_bytes + budget->returned_bytes < before)
        n_taken++;
    }
  /* Nearly all are made of others. */
  g_assert_cmpuint (n_taken, >, 90000);

  for (guint i = 0; i < G_N_ELEMENTS (queued); i++)
    g_clear_pointer (&queued[i], s9ws_event_unref);
  g_assert_cmpint (budget->bytes, ==, 0);
  s9ws_queue_budget_trim (budget);
  g_assert_cmpuint (s9ws_queue_budget_get_used (budget), ==, 0);
  s9ws_queue_budget_unref (budget);
  g_rand_free (rand);
}

static void
free_many (S9wsQueueBudget *budget,
           gsize            size,
           guint            n)
{
  g_autoptr (GPtrArray) events = g_ptr_array_new_with_free_func ((GDestroyNotify) s9ws_event_unref);

  for (guint i = 0; i < n; i++)
    g_ptr_array_add (events, create_event (budget, size));
}

static void
test_kept_at_most (gconstpointer data)
{
  gsize size = GPOINTER_TO_SIZE (data);
  S9wsQueueBudget *budget = s9ws_queue_budget_new ();

  free_many (budget, size, 3 * 1024 * 1024 / ((guint) size + 1));
  g_assert_cmpuint (s9ws_queue_budget_get_used (budget), >, 512 * 1024);
  g_assert_cmpuint (s9ws_queue_budget_get_used (budget), <, KEPT_MAX);

  /* What has been taken of it counts, too. */
  s9ws_event_unref (create_event (budget, size));
  g_assert_cmpuint (s9ws_queue_budget_get_used (budget), >, 512 * 1024);

  s9ws_queue_budget_trim (budget);
  g_assert_cmpuint (s9ws_queue_budget_get_used (budget), ==, 0);
  s9ws_queue_budget_unref (budget);
}

/* Nobody could make new ones of them. */
static void
test_end (void)
{
  S9wsQueueBudget *budget = s9ws_queue_budget_new ();
  S9wsEvent *event = create_event (budget, 100);

  free_many (budget, 100, 100);
  s9ws_queue_budget_end (budget);
  g_assert_null (budget->returned);
  g_assert_null (budget->taken);
  s9ws_event_unref (event);
  g_assert_null (budget->returned);
  s9ws_queue_budget_unref (budget);
}

int
main (int    argc,
      char **argv)
{
  static const gsize sizes[] = { 64, 200, 1000, 5000, 16000 };

  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < sizeof payload; i++)
    payload[i] = (guint8) ('a' + i % 26);

  g_test_add_func ("/event/sizes", test_sizes);
  g_test_add_func ("/event/again", test_again);
  g_test_add_func ("/event/larger", test_larger);
  g_test_add_func ("/event/mixed", test_mixed);
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *path = g_strdup_printf ("/event/kept-at-most/%" G_GSIZE_FORMAT, sizes[i]);

      g_test_add_data_func (path, GSIZE_TO_POINTER (sizes[i]), test_kept_at_most);
    }
  g_test_add_func ("/event/end", test_end);

  return g_test_run ();
}
