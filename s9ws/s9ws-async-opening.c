/* s9ws-async-opening.c: how an asynchronous client's connection is opened
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-async-thread-private.h"

#include "s9ws-opener.h"
#include "s9ws-question.h"

static gboolean
on_question (const char           *chain,
             GTlsCertificateFlags  reasons,
             gpointer              user_data)
{
  S9wsAsyncThread *thread = user_data;
  g_autoptr (GMainContext) context = NULL;

  if (thread->opens_itself)
    context = s9ws_async_queue_dup_context (thread->queue);
  return s9ws_ask_about_certificate (&thread->client, context, thread->quit, chain, reasons);
}

static void
fail_open_locked (S9wsAsyncThread *thread,
                  const GError    *error)
{
  thread->open_error = g_error_copy (error);
  s9ws_async_thread_report_end_locked (thread, error);
  s9ws_async_thread_set_state_locked (thread, S9WS_STATE_CLOSED);
}

static void
push_failure (S9wsAsyncThread *thread,
              const GError    *error)
{
  S9wsEventList events = { NULL, NULL, 0 };

  if (!s9ws_async_thread_is_quitting (thread))
    s9ws_event_list_append (&events, s9ws_event_new_error (error));
  s9ws_event_list_append (&events, s9ws_event_new (S9WS_EVENT_KIND_QUIT));
  s9ws_async_thread_push_events (thread, &events);
}

gboolean
s9ws_async_thread_begin (S9wsAsyncThread  *thread,
                         const char       *uri,
                         S9wsOptions      *options,
                         GError          **error)
{
  GError *local_error = NULL;
  gboolean is_new;

  g_mutex_lock (&thread->lock);
  is_new = s9ws_async_thread_get_state (thread) == S9WS_STATE_NEW;
  if (is_new)
    {
      thread->uri = g_strdup (uri);
      thread->settings = s9ws_options_read (options, &local_error);
      if (thread->settings != NULL)
        {
          thread->settings->question = on_question;
          thread->settings->question_data = thread;
          s9ws_async_queue_prepare (thread->queue, (gssize) MIN (thread->settings->max_queued_bytes, G_MAXSSIZE),
                                    &local_error);
        }
      /* Others must never see it connecting without what it needs. */
      if (local_error == NULL)
        s9ws_async_thread_set_state_locked (thread, S9WS_STATE_CONNECTING);
      else
        fail_open_locked (thread, local_error);
    }
  g_mutex_unlock (&thread->lock);

  if (!is_new)
    {
      s9ws_client_set_state_error (s9ws_async_thread_get_state (thread), error);
      return FALSE;
    }

  if (local_error == NULL)
    return TRUE;

  push_failure (thread, local_error);
  g_propagate_error (error, local_error);
  return FALSE;
}

/* What has been encoded before this goes as it is. */
static void
begin_compression_locked (S9wsAsyncThread *thread)
{
  const S9wsConnectionConfig *config = &thread->settings->connection;
  const S9wsAnswer *answer = s9ws_connection_get_answer (thread->connection);

  if (answer->has_deflate)
    s9ws_sender_use_deflate (&thread->sender, &answer->deflate, config->compression_level, config->compression_threshold);
}

/* What came of an opening, on its way to who wants to know. */
typedef struct
{
  GTask *task;
  GError *error; /* or NULL */
} Conclusion;

static void
conclusion_free (Conclusion *conclusion)
{
  g_object_unref (conclusion->task);
  g_clear_error (&conclusion->error);
  g_free (conclusion);
}

static gboolean
return_task (gpointer user_data)
{
  Conclusion *conclusion = user_data;

  if (conclusion->error == NULL)
    g_task_return_boolean (conclusion->task, TRUE);
  else
    g_task_return_error (conclusion->task, g_steal_pointer (&conclusion->error));

  return G_SOURCE_REMOVE;
}

/* Takes @task over, whose last reference is given up in its context, too: the client may go
 * by it, with handlers of a language that cannot be called on this thread, or not any more
 * where the program is ending. */
static void
return_in_context (GTask        *task,
                   const GError *error)
{
  g_autoptr (GMainContext) context = g_main_context_ref (g_task_get_context (task));
  g_autoptr (GSource) source = g_idle_source_new ();
  Conclusion *conclusion = g_new (Conclusion, 1);

  conclusion->task = task;
  conclusion->error = error != NULL ? g_error_copy (error) : NULL;
  g_source_set_static_name (source, "S9wsClient, opened");
  g_source_set_priority (source, g_task_get_priority (task));
  g_source_set_callback (source, return_task, conclusion, (GDestroyNotify) conclusion_free);
  g_source_attach (source, context);
}

/* Says how the opening ended, to all who wait for it.  Takes @error over. */
void
s9ws_async_thread_conclude_open (S9wsAsyncThread *thread,
                                 GError          *error)
{
  GQueue tasks = G_QUEUE_INIT;
  GTask *task;

  g_mutex_lock (&thread->lock);
  if (error != NULL)
    {
      fail_open_locked (thread, error);
    }
  else
    {
      begin_compression_locked (thread);
      s9ws_async_thread_set_state_locked (thread, S9WS_STATE_OPEN);
    }
  tasks = thread->tasks;
  g_queue_init (&thread->tasks);
  g_mutex_unlock (&thread->lock);

  if (error != NULL)
    push_failure (thread, error);
  while ((task = g_queue_pop_head (&tasks)) != NULL)
    return_in_context (task, error);

  g_clear_error (&error);
}

gboolean
s9ws_async_thread_wait_open (S9wsAsyncThread  *thread,
                             GError          **error)
{
  gboolean is_open;

  g_mutex_lock (&thread->lock);
  while (s9ws_async_thread_get_state (thread) == S9WS_STATE_CONNECTING)
    g_cond_wait (&thread->changed, &thread->lock);
  is_open = thread->open_error == NULL;
  if (!is_open && error != NULL)
    *error = g_error_copy (thread->open_error);
  g_mutex_unlock (&thread->lock);

  return is_open;
}

gboolean
s9ws_async_thread_open_once (S9wsAsyncThread  *thread,
                             gboolean          is_own,
                             GError          **error)
{
  GError *local_error = NULL;
  gboolean is_first;

  g_mutex_lock (&thread->lock);
  is_first = !thread->is_opening;
  thread->is_opening = TRUE;
  if (is_first)
    thread->opens_itself = is_own;
  g_mutex_unlock (&thread->lock);

  if (!is_first)
    return s9ws_async_thread_wait_open (thread, error);

  if (s9ws_open_connection (thread->uri, thread->settings, thread->quit, &thread->connection, &local_error))
    {
      s9ws_async_thread_conclude_open (thread, NULL);
      return TRUE;
    }

  g_propagate_error (error, g_error_copy (local_error));
  s9ws_async_thread_conclude_open (thread, local_error);
  return FALSE;
}

gboolean
s9ws_async_thread_open (S9wsAsyncThread  *thread,
                        GError          **error)
{
  return s9ws_async_thread_open_once (thread, FALSE, error);
}

void
s9ws_async_thread_add_task (S9wsAsyncThread *thread,
                            GTask           *task)
{
  g_autoptr (GError) error = NULL;
  gboolean is_waiting;

  g_mutex_lock (&thread->lock);
  is_waiting = s9ws_async_thread_get_state (thread) == S9WS_STATE_CONNECTING;
  if (is_waiting)
    g_queue_push_tail (&thread->tasks, task);
  else if (thread->open_error != NULL)
    error = g_error_copy (thread->open_error);
  g_mutex_unlock (&thread->lock);

  if (!is_waiting)
    return_in_context (task, error);
}
