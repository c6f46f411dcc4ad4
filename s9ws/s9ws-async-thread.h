/* s9ws-async-thread.h: the thread that owns an asynchronous client's socket
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "s9ws-async-queue.h"
#include "s9ws-client-private.h"

G_BEGIN_DECLS

/* What client and thread share.  Reference-counted, so that the thread holds no
 * reference to the client: dropping the last one ends the thread. */
typedef struct _S9wsAsyncThread S9wsAsyncThread;

/* @quit is the client's: cancelled, the thread ends at once. */
S9wsAsyncThread *s9ws_async_thread_new   (GCancellable    *quit);
void             s9ws_async_thread_unref (S9wsAsyncThread *thread);

/* Whose signal asks about certificates. */
void s9ws_async_thread_set_client (S9wsAsyncThread *thread,
                                   S9wsClient      *client);

/* All of these may be called from any thread. */

/* From NEW to CONNECTING: reads the options.  FALSE in any other state. */
gboolean s9ws_async_thread_begin (S9wsAsyncThread  *thread,
                                  const char       *uri,
                                  S9wsOptions      *options,
                                  GError          **error);
/* Ends CONNECTING; takes @error over, NULL if the connection is open. */
void s9ws_async_thread_conclude_open (S9wsAsyncThread *thread,
                                      GError          *error);
/* Opens on the calling thread, after _begin (). */
gboolean s9ws_async_thread_open  (S9wsAsyncThread  *thread,
                                  GError          **error);
gboolean s9ws_async_thread_start (S9wsAsyncThread  *thread,
                                  GError          **error);
/* Reports @error as the end, if there is no thread and nobody who opens instead. */
void     s9ws_async_thread_fail_start (S9wsAsyncThread *thread,
                                       const GError    *error);
gboolean s9ws_async_thread_is_started (S9wsAsyncThread *thread);
/* Waits until the thread has opened the connection, or failed to. */
gboolean s9ws_async_thread_wait_open (S9wsAsyncThread  *thread,
                                      GError          **error);
/* Returns @task when that is so; takes it over. */
void     s9ws_async_thread_add_task      (S9wsAsyncThread  *thread,
                                          GTask            *task);
gboolean s9ws_async_thread_send          (S9wsAsyncThread  *thread,
                                          S9wsOpcode        opcode,
                                          const guint8     *data,
                                          gsize             size,
                                          GError          **error);
gboolean s9ws_async_thread_close         (S9wsAsyncThread  *thread,
                                          guint             code,
                                          const char       *reason,
                                          GError          **error);
gboolean s9ws_async_thread_begin_message (S9wsAsyncThread  *thread,
                                          S9wsOpcode        opcode,
                                          GError          **error);
/* The last piece has no bytes. */
gboolean s9ws_async_thread_send_piece   (S9wsAsyncThread  *thread,
                                         const guint8     *data,
                                         gsize             size,
                                         gboolean          is_final,
                                         GError          **error);
void     s9ws_async_thread_set_compress (S9wsAsyncThread  *thread,
                                         gboolean          compress);
void     s9ws_async_thread_wake         (S9wsAsyncThread  *thread);
void     s9ws_async_thread_join         (S9wsAsyncThread  *thread);
/* Nobody will take events off any more: close, and end. */
void s9ws_async_thread_abandon (S9wsAsyncThread *thread);

S9wsState s9ws_async_thread_get_state           (S9wsAsyncThread *thread);
guint64   s9ws_async_thread_get_buffered_amount (S9wsAsyncThread *thread);
/* NULL once the thread has been started. */
S9wsConnection   *s9ws_async_thread_get_connection (S9wsAsyncThread *thread);
const S9wsAnswer *s9ws_async_thread_get_answer     (S9wsAsyncThread *thread);
S9wsEndReport    *s9ws_async_thread_get_end_report (S9wsAsyncThread *thread);
void              s9ws_async_thread_get_stats      (S9wsAsyncThread *thread,
                                                    S9wsStats       *stats);
S9wsAsyncQueue   *s9ws_async_thread_get_queue      (S9wsAsyncThread *thread);

G_END_DECLS
