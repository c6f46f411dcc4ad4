/* test-gate.c: a gate, which holds a thread until another opens it
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "test-server.h"

void
test_gate_init (TestGate *gate)
{
  g_mutex_init (&gate->mutex);
  g_cond_init (&gate->cond);
  gate->is_open = FALSE;
}

void
test_gate_clear (TestGate *gate)
{
  g_mutex_clear (&gate->mutex);
  g_cond_clear (&gate->cond);
}

void
test_gate_open (TestGate *gate)
{
  g_mutex_lock (&gate->mutex);
  gate->is_open = TRUE;
  g_cond_broadcast (&gate->cond);
  g_mutex_unlock (&gate->mutex);
}

void
test_gate_close (TestGate *gate)
{
  g_mutex_lock (&gate->mutex);
  gate->is_open = FALSE;
  g_mutex_unlock (&gate->mutex);
}

gboolean
test_gate_wait (TestGate *gate)
{
  gint64 end = g_get_monotonic_time () + TEST_TIMEOUT * G_TIME_SPAN_SECOND;
  gboolean is_open;

  g_mutex_lock (&gate->mutex);
  while (!gate->is_open && g_cond_wait_until (&gate->cond, &gate->mutex, end))
    continue;
  is_open = gate->is_open;
  g_mutex_unlock (&gate->mutex);

  return is_open;
}
