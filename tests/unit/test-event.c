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
  g_autoptr (GPtrArray) events = g_ptr_array_new ();

  g_ptr_array_add (events, s9ws_event_new_message (budget, NULL, &message));
  s9ws_events_charge (events, budget);
  return events->pdata[0];
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
  S9wsEvent *small, *large;

  g_assert_true (first != second);
  s9ws_event_unref (first);
  small = create_event (budget, 30);
  g_assert_true (small == first);
  check_event (second, 100);

  /* One with some more room will do, but it does not count for less. */
  s9ws_event_unref (second);
  s9ws_event_unref (small);
  second = create_event (budget, 200);
  s9ws_event_unref (second);
  small = create_event (budget, 100);
  g_assert_true (small == second);
  g_assert_cmpint (budget->bytes, >, 264);
  check_event (small, 100);
  second = create_event (budget, 100);

  /* What is of another size is not of use. */
  s9ws_event_unref (small);
  large = create_event (budget, 1000);
  check_event (large, 1000);
  s9ws_event_unref (large);
  s9ws_event_unref (second);
  g_assert_cmpint (budget->bytes, ==, 0);
  s9ws_queue_budget_unref (budget);
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
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *path = g_strdup_printf ("/event/kept-at-most/%" G_GSIZE_FORMAT, sizes[i]);

      g_test_add_data_func (path, GSIZE_TO_POINTER (sizes[i]), test_kept_at_most);
    }
  g_test_add_func ("/event/end", test_end);

  return g_test_run ();
}
