/* proxy-resolver.c: a resolver of the program's, made safe for GIO
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "proxy-resolver.h"

#include <glib/gi18n-lib.h>

struct _S9wsProxyResolver
{
  GObject parent_instance;

  GProxyResolver *program;
};

typedef struct
{
  gulong cancelled; /* the handler */
  gboolean is_over;
} Lookup;

static void implement_proxy_resolver (GProxyResolverInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (S9wsProxyResolver, s9ws_proxy_resolver, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_PROXY_RESOLVER, implement_proxy_resolver))

/* The answer, or whoever gives up waiting for it, whichever is first. */
static gboolean
end_lookup (GTask *task)
{
  Lookup *lookup = g_task_get_task_data (task);

  if (lookup->is_over)
    return FALSE;

  lookup->is_over = TRUE;
  if (lookup->cancelled != 0)
    g_signal_handler_disconnect (g_task_get_cancellable (task), lookup->cancelled);
  return TRUE;
}

/* A function of a binding may have failed without having said so.  GIO's own calls abort
 * then: the program's functions are called without them. */
static void
return_proxies (GTask         *task,
                char         **proxies,
                const GError  *error)
{
  S9wsProxyResolver *resolver = g_task_get_source_object (task);
  const char *name = G_OBJECT_TYPE_NAME (resolver->program);

  if (!end_lookup (task))
    g_strfreev (proxies);
  else if (proxies != NULL && proxies[0] != NULL)
    g_task_return_pointer (task, proxies, (GDestroyNotify) g_strfreev);
  else
    {
      g_strfreev (proxies);
      if (error != NULL)
        g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_FAILED,
                                 _("the proxy resolver %s failed: %s"), name, error->message);
      else
        g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_FAILED,
                                 _("the proxy resolver %s named nothing; expected proxies or direct://"), name);
    }
}

static void
on_looked_up (GObject      *object,
              GAsyncResult *result,
              gpointer      user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  S9wsProxyResolver *resolver = g_task_get_source_object (task);
  GProxyResolverInterface *iface = G_PROXY_RESOLVER_GET_IFACE (resolver->program);
  char **proxies = iface->lookup_finish (resolver->program, result, &error);

  return_proxies (task, proxies, error);
}

static gboolean
give_up (gpointer user_data)
{
  if (end_lookup (user_data))
    g_task_return_error_if_cancelled (user_data);

  return G_SOURCE_REMOVE;
}

/* Not at once: what is called then may disconnect handlers of this very signal. */
static void
on_cancelled (GCancellable *cancellable,
              GTask        *task)
{
  g_autoptr (GSource) source = g_idle_source_new ();

  g_task_attach_source (task, source, give_up);
}

static void
s9ws_proxy_resolver_lookup_async (GProxyResolver      *proxy_resolver,
                                  const char          *uri,
                                  GCancellable        *cancellable,
                                  GAsyncReadyCallback  callback,
                                  gpointer             user_data)
{
  GProxyResolver *program = S9WS_PROXY_RESOLVER (proxy_resolver)->program;
  GProxyResolverInterface *iface = G_PROXY_RESOLVER_GET_IFACE (program);
  g_autoptr (GTask) task = g_task_new (proxy_resolver, cancellable, callback, user_data);
  g_autoptr (GError) error = NULL;
  Lookup *lookup = g_new0 (Lookup, 1);

  g_task_set_task_data (task, lookup, g_free);
  if (g_task_return_error_if_cancelled (task))
    return;

  if (iface->lookup_async == NULL || iface->lookup_finish == NULL)
    {
      char **proxies = iface->lookup == NULL ? NULL : iface->lookup (program, uri, cancellable, &error);

      return_proxies (task, proxies, error);
      return;
    }

  if (cancellable != NULL)
    lookup->cancelled = g_signal_connect_data (cancellable, "cancelled", G_CALLBACK (on_cancelled),
                                               g_object_ref (task), (GClosureNotify) (GCallback) g_object_unref, 0);
  iface->lookup_async (program, uri, cancellable, on_looked_up, g_object_ref (task));
}

static char **
s9ws_proxy_resolver_lookup_finish (GProxyResolver  *proxy_resolver,
                                   GAsyncResult    *result,
                                   GError         **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

static void
s9ws_proxy_resolver_finalize (GObject *object)
{
  S9wsProxyResolver *resolver = S9WS_PROXY_RESOLVER (object);

  g_object_unref (resolver->program);
  G_OBJECT_CLASS (s9ws_proxy_resolver_parent_class)->finalize (object);
}

static void
s9ws_proxy_resolver_class_init (S9wsProxyResolverClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = s9ws_proxy_resolver_finalize;
}

static void
implement_proxy_resolver (GProxyResolverInterface *iface)
{
  /* GSocketClient asks asynchronously alone. */
  iface->lookup_async = s9ws_proxy_resolver_lookup_async;
  iface->lookup_finish = s9ws_proxy_resolver_lookup_finish;
}

static void
s9ws_proxy_resolver_init (S9wsProxyResolver *resolver)
{
}

GProxyResolver *
s9ws_proxy_resolver_new (GProxyResolver *program)
{
  S9wsProxyResolver *resolver = g_object_new (S9WS_TYPE_PROXY_RESOLVER, NULL);

  resolver->program = g_object_ref (program);
  return G_PROXY_RESOLVER (resolver);
}
