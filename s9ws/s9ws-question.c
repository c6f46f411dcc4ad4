/* s9ws-question.c: whether a certificate is to be accepted, asked by signal
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-question.h"

/* Shared by who asks and the source that answers, which may come too late. */
typedef struct
{
  gatomicrefcount ref_count;
  GWeakRef client;
  char *chain;
  GTlsCertificateFlags reasons;

  GMutex lock; /* guards all of the following */
  GCond changed;
  gboolean is_over; /* answered, or nobody waits any more */
  gboolean is_accepted;
} Question;

static Question *
question_new (S9wsClient           *client,
              const char           *chain,
              GTlsCertificateFlags  reasons)
{
  Question *question = g_new0 (Question, 1);

  g_atomic_ref_count_init (&question->ref_count);
  g_weak_ref_init (&question->client, client);
  question->chain = g_strdup (chain);
  question->reasons = reasons;
  g_mutex_init (&question->lock);
  g_cond_init (&question->changed);
  return question;
}

static Question *
question_ref (Question *question)
{
  g_atomic_ref_count_inc (&question->ref_count);
  return question;
}

static void
question_unref (Question *question)
{
  if (!g_atomic_ref_count_dec (&question->ref_count))
    return;

  g_weak_ref_clear (&question->client);
  g_mutex_clear (&question->lock);
  g_cond_clear (&question->changed);
  g_free (question->chain);
  g_free (question);
}

static void
conclude (Question *question,
          gboolean  is_accepted)
{
  g_mutex_lock (&question->lock);
  if (!question->is_over)
    {
      question->is_over = TRUE;
      question->is_accepted = is_accepted;
      g_cond_signal (&question->changed);
    }
  g_mutex_unlock (&question->lock);
}

static gboolean
is_over (Question *question)
{
  gboolean is_over_now;

  g_mutex_lock (&question->lock);
  is_over_now = question->is_over;
  g_mutex_unlock (&question->lock);

  return is_over_now;
}

static gboolean
on_turn (gpointer user_data)
{
  Question *question = user_data;
  g_autoptr (S9wsClient) client = g_weak_ref_get (&question->client);

  if (!is_over (question))
    conclude (question, client != NULL &&
                          s9ws_client_deliver_certificate (client, question->chain, question->reasons));
  return G_SOURCE_REMOVE;
}

static void
on_quit (GCancellable *quit,
         Question     *question)
{
  conclude (question, FALSE);
}

static gboolean
ask_in_context (Question     *question,
                GMainContext *context,
                GCancellable *quit)
{
  GSource *source = g_idle_source_new ();
  gulong handler;

  g_source_set_static_name (source, "S9wsClient::accept-certificate");
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, on_turn, question_ref (question), (GDestroyNotify) question_unref);
  g_source_attach (source, context);

  handler = g_cancellable_connect (quit, G_CALLBACK (on_quit), question, NULL);
  g_mutex_lock (&question->lock);
  while (!question->is_over)
    g_cond_wait (&question->changed, &question->lock);
  g_mutex_unlock (&question->lock);
  g_cancellable_disconnect (quit, handler);

  g_source_destroy (source);
  g_source_unref (source);
  return question->is_accepted;
}

gboolean
s9ws_ask_about_certificate (GWeakRef             *client_ref,
                            GMainContext         *context,
                            GCancellable         *quit,
                            const char           *chain,
                            GTlsCertificateFlags  reasons)
{
  g_autoptr (S9wsClient) client = g_weak_ref_get (client_ref);
  Question *question;
  gboolean is_accepted;

  if (client == NULL || !s9ws_client_has_certificate_handler (client) || g_cancellable_is_cancelled (quit))
    return FALSE;

  if (context == NULL)
    {
      is_accepted = s9ws_client_deliver_certificate (client, chain, reasons);
    }
  else
    {
      question = question_new (client, chain, reasons);
      g_clear_object (&client);
      is_accepted = ask_in_context (question, context, quit);
      question_unref (question);
    }

  /* Who has given up meanwhile wants nothing accepted. */
  return is_accepted && !g_cancellable_is_cancelled (quit);
}
