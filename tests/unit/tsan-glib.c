/* tsan-glib.c: tells ThreadSanitizer what GLib's locks order
 *
 * GLib as distributed is not built with it and does not lock by pthread functions, so
 * that it sees neither GMutex nor GAsyncQueue nor the last g_object_unref ().  Each
 * function here calls GLib's own and says what that orders; linked into a test program,
 * it stands before GLib's for the program and for libs9ws.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <dlfcn.h>
#include <gio/gio.h>
#include <string.h>

extern void __tsan_acquire (void *address);
extern void __tsan_release (void *address);

/* GLib's own, looked up when first called: that may be before main (). */
#define REAL(name) ((__typeof__ (&name)) find_real (#name))

static void *
find_real (const char *name)
{
  return dlsym (RTLD_NEXT, name);
}

void
g_mutex_lock (GMutex *mutex)
{
  REAL (g_mutex_lock) (mutex);
  __tsan_acquire (mutex);
}

void
g_mutex_unlock (GMutex *mutex)
{
  __tsan_release (mutex);
  REAL (g_mutex_unlock) (mutex);
}

void
g_cond_wait (GCond  *cond,
             GMutex *mutex)
{
  __tsan_release (mutex);
  REAL (g_cond_wait) (cond, mutex);
  __tsan_acquire (mutex);
}

void
g_async_queue_lock (GAsyncQueue *queue)
{
  REAL (g_async_queue_lock) (queue);
  __tsan_acquire (queue);
}

void
g_async_queue_unlock (GAsyncQueue *queue)
{
  __tsan_release (queue);
  REAL (g_async_queue_unlock) (queue);
}

void
g_async_queue_push (GAsyncQueue *queue,
                    gpointer     data)
{
  __tsan_release (queue);
  REAL (g_async_queue_push) (queue, data);
}

gpointer
g_async_queue_pop (GAsyncQueue *queue)
{
  gpointer item = REAL (g_async_queue_pop) (queue);

  __tsan_acquire (queue);
  return item;
}

gpointer
g_async_queue_try_pop (GAsyncQueue *queue)
{
  gpointer item = REAL (g_async_queue_try_pop) (queue);

  __tsan_acquire (queue);
  return item;
}

/* The last of several owners sees what the others did: they are counted here, where the
 * sanitizer can see it, as GLib does where there are no toggle references. */
#undef g_object_unref
void
g_object_unref (gpointer object)
{
  int *count = (int *) &((GObject *) object)->ref_count;
  int n;

  __tsan_release (object);
  while ((n = g_atomic_int_get (count)) > 1)
    if (g_atomic_int_compare_and_exchange (count, n, n - 1))
      return;

  __tsan_acquire (object);
  REAL (g_object_unref) (object);
}

void
g_source_unref (GSource *source)
{
  __tsan_release (source);
  __tsan_acquire (source);
  REAL (g_source_unref) (source);
}

/* Whoever dispatches a source sees what was done before its callback was set.  Other
 * sources than these call back with other arguments. */
typedef struct
{
  GSourceFunc function;
  gpointer data;
  GDestroyNotify notify;
} Callback;

static gboolean
callback_call (gpointer user_data)
{
  Callback *callback = user_data;

  __tsan_acquire (callback);
  return callback->function (callback->data);
}

static void
callback_free (gpointer user_data)
{
  Callback *callback = user_data;

  __tsan_acquire (callback);
  if (callback->notify != NULL)
    callback->notify (callback->data);
  g_free (callback);
}

void
g_source_set_callback (GSource        *source,
                       GSourceFunc     function,
                       gpointer        data,
                       GDestroyNotify  notify)
{
  Callback *callback;

  if (source->source_funcs != &g_idle_funcs && source->source_funcs != &g_timeout_funcs)
    {
      REAL (g_source_set_callback) (source, function, data, notify);
      return;
    }

  callback = g_new (Callback, 1);
  callback->function = function;
  callback->data = data;
  callback->notify = notify;
  __tsan_release (callback);
  REAL (g_source_set_callback) (source, callback_call, callback, callback_free);
}

void
g_cancellable_cancel (GCancellable *cancellable)
{
  if (cancellable != NULL)
    __tsan_release (cancellable);
  REAL (g_cancellable_cancel) (cancellable);
}

gboolean
g_cancellable_is_cancelled (GCancellable *cancellable)
{
  gboolean is_cancelled = REAL (g_cancellable_is_cancelled) (cancellable);

  if (is_cancelled)
    __tsan_acquire (cancellable);
  return is_cancelled;
}

void
g_task_return_boolean (GTask   *task,
                       gboolean result)
{
  __tsan_release (task);
  REAL (g_task_return_boolean) (task, result);
}

void
g_task_return_error (GTask  *task,
                     GError *error)
{
  __tsan_release (task);
  REAL (g_task_return_error) (task, error);
}

gboolean
g_task_propagate_boolean (GTask   *task,
                          GError **error)
{
  __tsan_acquire (task);
  return REAL (g_task_propagate_boolean) (task, error);
}

static void
run_task (GTask        *task,
          gpointer      source_object,
          gpointer      task_data,
          GCancellable *cancellable)
{
  GTaskThreadFunc function;

  __tsan_acquire (task);
  function = (GTaskThreadFunc) g_object_get_data (G_OBJECT (task), "tsan-function");
  function (task, source_object, task_data, cancellable);
}

void
g_task_run_in_thread (GTask          *task,
                      GTaskThreadFunc function)
{
  g_object_set_data (G_OBJECT (task), "tsan-function", (gpointer) function);
  __tsan_release (task);
  REAL (g_task_run_in_thread) (task, run_task);
}

#undef g_once_init_leave
void
(g_once_init_leave) (volatile void *location,
                     gsize          result)
{
  __tsan_release ((void *) location);
  REAL (g_once_init_leave) (location, result);
}

/* A context holds a reference on a source while it asks it: who drops the last one sees
 * what the source's functions did.  And it has had the lock under which the source was
 * attached.  These are never freed: a test has few. */
typedef struct
{
  GSourceFuncs funcs;
  GSourceFuncs *real;
} TracedFuncs;

static GSourceFuncs *
get_real_funcs (GSource *source)
{
  return ((TracedFuncs *) source->source_funcs)->real;
}

static gboolean
prepare_source (GSource *source,
                int     *timeout)
{
  gboolean is_ready;

  __tsan_acquire (source);
  is_ready = get_real_funcs (source)->prepare (source, timeout);
  __tsan_release (source);
  return is_ready;
}

static gboolean
check_source (GSource *source)
{
  gboolean is_ready;

  __tsan_acquire (source);
  is_ready = get_real_funcs (source)->check (source);
  __tsan_release (source);
  return is_ready;
}

static gboolean
dispatch_source (GSource    *source,
                 GSourceFunc callback,
                 gpointer    user_data)
{
  gboolean is_kept;

  __tsan_acquire (source);
  is_kept = get_real_funcs (source)->dispatch (source, callback, user_data);
  __tsan_release (source);
  return is_kept;
}

static void
finalize_source (GSource *source)
{
  __tsan_acquire (source);
  get_real_funcs (source)->finalize (source);
}

/* GLib tells some of its own sources by their functions. */
static gboolean
is_ours (GSourceFuncs *funcs)
{
  Dl_info info;

  return dladdr (funcs, &info) != 0 && strstr (info.dli_fname, "libs9ws") != NULL;
}

GSource *
g_source_new (GSourceFuncs *funcs,
              guint         size)
{
  TracedFuncs *traced;

  if (!is_ours (funcs))
    return REAL (g_source_new) (funcs, size);

  traced = g_new0 (TracedFuncs, 1);
  traced->real = funcs;
  traced->funcs.prepare = funcs->prepare != NULL ? prepare_source : NULL;
  traced->funcs.check = funcs->check != NULL ? check_source : NULL;
  traced->funcs.dispatch = dispatch_source;
  traced->funcs.finalize = funcs->finalize != NULL ? finalize_source : NULL;
  return REAL (g_source_new) (&traced->funcs, size);
}

guint
g_source_attach (GSource      *source,
                 GMainContext *context)
{
  __tsan_release (source);
  return REAL (g_source_attach) (source, context);
}

gboolean
g_cond_wait_until (GCond  *cond,
                   GMutex *mutex,
                   gint64  end_time)
{
  gboolean is_signalled;

  __tsan_release (mutex);
  is_signalled = REAL (g_cond_wait_until) (cond, mutex, end_time);
  __tsan_acquire (mutex);
  return is_signalled;
}

#undef g_atomic_ref_count_dec
gboolean
(g_atomic_ref_count_dec) (gatomicrefcount *count)
{
  /* What GLib's own does, where the sanitizer can see it. */
  return g_atomic_int_dec_and_test (count);
}
