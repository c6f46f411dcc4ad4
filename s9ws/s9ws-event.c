/* s9ws-event.c: one event that is taken off instead of emitted
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-event-private.h"

#include <string.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

/**
 * S9wsEvent:
 *
 * One event, as [method@S9ws.Client.receive] and the methods of
 * [class@S9ws.AsyncClient] take it off.
 *
 * Events are immutable and reference-counted, and may be used on any thread.
 *
 * Since: 0.1
 */
/* Small: each line of the cache that it takes goes from the core that makes it to the one
 * that takes it off, and back. */
struct _S9wsEvent
{
  gatomicrefcount ref_count;
  guint16 code; /* of a piece: its flags */
  guint8 kind;
  guint8 flags; /* IS_CHARGED, and above it the size class */
  gsize size;
  const guint8 *data;      /* NUL-terminated if it is a text; in payload or in block */
  S9wsQueueBudget *budget; /* NULL before it has been queued */
  gsize cost;              /* what it counts for while it is queued, in bytes */
  union
  {
    S9wsBlock *block; /* or NULL */
    GError *error;    /* of an ERROR */
  };
  union
  {
    S9wsEvent *next; /* while it is in a list, or in the budget */
    char *text;      /* atomic: the text without U+0000, made when first asked for; or NULL */
  };
  guint8 payload[];
};

G_DEFINE_BOXED_TYPE (S9wsEvent, s9ws_event, s9ws_event_ref, s9ws_event_unref)

#define IS_CHARGED 1u /* until it has been taken off; by then it has one owner */
#define CLASS_SHIFT 1

#define RETURNED_MAX (1024 * 1024) /* bytes; twice as much may have been taken */
#define LOOKS 8                    /* at events that have been taken, for one that fits */

/* Size classes: the capacity is that of the payload, with the byte behind for a NUL.  Class
 * 0 is what has the size that it needs, and is not made into another. */

#define CAPACITY(size_class) (((gsize) 64 << (size_class)) + 8)
#define COST(size_class) (sizeof (S9wsEvent) + CAPACITY (size_class))
G_STATIC_ASSERT (CAPACITY (S9WS_EVENT_CLASSES - 1) > S9WS_SHARED_MIN);

static inline guint
get_size_class (gsize size)
{
  if (G_LIKELY (size < CAPACITY (1)))
    return 1;

  return size < S9WS_SHARED_MIN ? g_bit_storage ((size - 8) >> 7) + 1 : 0;
}

static inline guint
get_own_class (S9wsEvent *event)
{
  return event->flags >> CLASS_SHIFT;
}

/* What of a payload nobody may touch, as AddressSanitizer cannot know it where memory is
 * used again. */
#ifdef __SANITIZE_ADDRESS__
#define HIDE(event, begin, size) __asan_poison_memory_region ((event)->payload + (begin), (size))
#define SHOW(event, begin, size) __asan_unpoison_memory_region ((event)->payload + (begin), (size))
#else
#define HIDE(event, begin, size)
#define SHOW(event, begin, size)
#endif

/* The budget */

S9wsQueueBudget *
s9ws_queue_budget_new (void)
{
  S9wsQueueBudget *budget = g_new0 (S9wsQueueBudget, 1);

  budget->ref_count = 1;
  budget->waker = (S9wsWaker) S9WS_WAKER_INIT;
  return budget;
}

static void
free_chain (S9wsEvent *event)
{
  while (event != NULL)
    {
      S9wsEvent *next = event->next;

      g_free (event);
      event = next;
    }
}

/* All at once, so that none can have been taken and come back meanwhile. */
static void
take_all_returned (S9wsQueueBudget *budget)
{
  if (g_atomic_pointer_get (&budget->returned) == NULL)
    return;

  budget->taken = g_atomic_pointer_exchange (&budget->returned, NULL);
  budget->taken_bytes += g_atomic_int_exchange (&budget->returned_bytes, 0);
}

gsize
s9ws_queue_budget_get_used (S9wsQueueBudget *budget)
{
  return (gsize) g_atomic_pointer_get (&budget->bytes) +
         (gsize) MAX (budget->taken_bytes + g_atomic_int_get (&budget->returned_bytes), 0);
}

void
s9ws_queue_budget_trim (S9wsQueueBudget *budget)
{
  for (guint i = 0; i < S9WS_EVENT_CLASSES; i++)
    free_chain (g_steal_pointer (&budget->sorted[i]));
  free_chain (g_steal_pointer (&budget->taken));
  take_all_returned (budget);
  free_chain (g_steal_pointer (&budget->taken));
  budget->taken_bytes = 0;
}

void
s9ws_queue_budget_end (S9wsQueueBudget *budget)
{
  s9ws_queue_budget_trim (budget);
  /* So much that there is room for nothing, and what is rolled back changes nothing. */
  g_atomic_int_set (&budget->returned_bytes, G_MAXINT / 2);
}

void
s9ws_queue_budget_unref (S9wsQueueBudget *budget)
{
  if (!g_atomic_int_dec_and_test (&budget->ref_count))
    return;

  s9ws_queue_budget_trim (budget);
  s9ws_waker_close (&budget->waker);
  g_free (budget);
}

gboolean
s9ws_queue_budget_is_full (S9wsQueueBudget *budget,
                           gssize           beyond)
{
  return budget->limit > 0 && (gssize) g_atomic_pointer_get (&budget->bytes) - beyond > budget->limit;
}

void
s9ws_event_list_charge (S9wsEventList   *list,
                        S9wsQueueBudget *budget)
{
  gsize cost = 0;

  for (S9wsEvent *event = list->first; event != NULL; event = event->next)
    {
      event->budget = budget;
      event->flags |= IS_CHARGED;
      cost += event->cost;
    }

  g_atomic_int_add (&budget->ref_count, (int) list->length);
  g_atomic_pointer_add (&budget->bytes, (gssize) cost);
}

void
s9ws_event_discharge (S9wsEvent *event)
{
  S9wsQueueBudget *budget = event->budget;
  gssize cost = (gssize) event->cost;
  gssize before;

  if ((event->flags & IS_CHARGED) == 0)
    return;

  event->flags &= (guint8) ~IS_CHARGED;
  before = (gssize) g_atomic_pointer_add (&budget->bytes, -cost);
  if (budget->limit > 0 && before > budget->limit && before - cost <= budget->limit)
    s9ws_waker_wake (&budget->waker);
}

static void
return_event (S9wsQueueBudget *budget,
              S9wsEvent       *event)
{
  int cost = (int) event->cost;

  if (g_atomic_int_add (&budget->returned_bytes, cost) > RETURNED_MAX)
    {
      g_atomic_int_add (&budget->returned_bytes, -cost);
      g_free (event);
      return;
    }

  HIDE (event, 0, CAPACITY (get_own_class (event)));
  do
    event->next = g_atomic_pointer_get (&budget->returned);
  while (!g_atomic_pointer_compare_and_exchange (&budget->returned, event->next, event));
}

static inline gboolean
fits (S9wsEvent *event,
      guint      size_class)
{
  return get_own_class (event) == size_class || get_own_class (event) == size_class + 1;
}

static S9wsEvent *
take_first (S9wsQueueBudget  *budget,
            S9wsEvent       **chain)
{
  S9wsEvent *event = *chain;

  *chain = event->next;
  budget->taken_bytes -= (int) COST (get_own_class (event));
  return event;
}

/* One that was in the way is at hand when its turn comes, as long as they are not too many. */
static void
put_aside (S9wsQueueBudget *budget,
           S9wsEvent       *event)
{
  guint size_class = get_own_class (event);

  if (budget->taken_bytes > RETURNED_MAX)
    {
      g_free (event);
      return;
    }

  event->next = budget->sorted[size_class];
  budget->sorted[size_class] = event;
  budget->taken_bytes += (int) COST (size_class);
}

/* One of @size_class or the next larger one, or NULL.  Not many are looked at, as a message
 * waits. */
static S9wsEvent *
take_returned (S9wsQueueBudget *budget,
               guint            size_class)
{
  if (budget->sorted[size_class] != NULL)
    return take_first (budget, &budget->sorted[size_class]);

  if (budget->taken == NULL)
    take_all_returned (budget);

  for (guint i = 0; i < LOOKS && budget->taken != NULL; i++)
    {
      S9wsEvent *event = take_first (budget, &budget->taken);

      if (G_LIKELY (fits (event, size_class)))
        return event;
      put_aside (budget, event);
    }

  return NULL;
}

/* Lists */

void
s9ws_event_list_append (S9wsEventList *list,
                        S9wsEvent     *event)
{
  event->next = NULL;
  if (list->first == NULL)
    list->first = event;
  else
    list->last->next = event;
  list->last = event;
  list->length++;
}

/* Another core has written the next one: it is on its way here by the time that its turn
 * comes. */
static inline void
prefetch (S9wsEvent *event)
{
  __builtin_prefetch (event);
  __builtin_prefetch ((const char *) event + 64);
  __builtin_prefetch ((const char *) event + 128);
}

S9wsEvent *
s9ws_event_list_take_first (S9wsEventList *list)
{
  S9wsEvent *event = list->first;

  if (event == NULL)
    return NULL;

  list->first = event->next;
  list->length--;
  event->text = NULL;
  if (list->first != NULL)
    prefetch (list->first);
  return event;
}

void
s9ws_event_list_move (S9wsEventList *list,
                      S9wsEventList *from)
{
  if (from->first == NULL)
    return;

  if (list->first == NULL)
    list->first = from->first;
  else
    list->last->next = from->first;
  list->last = from->last;
  list->length += from->length;
  *from = (S9wsEventList){ NULL, NULL, 0 };
}

void
s9ws_event_list_clear (S9wsEventList *list)
{
  S9wsEvent *event;

  while ((event = s9ws_event_list_take_first (list)) != NULL)
    s9ws_event_unref (event);
}

/* Events */

static S9wsEvent *
event_init (S9wsEvent     *event,
            S9wsEventKind  kind,
            const guint8  *data,
            gsize          size)
{
  memset (event, 0, sizeof (S9wsEvent));
  g_atomic_ref_count_init (&event->ref_count);
  event->kind = (guint8) kind;
  event->size = size;
  event->cost = sizeof (S9wsEvent) + size;
  event->data = event->payload;
  if (size > 0)
    memcpy (event->payload, data, size);
  event->payload[size] = '\0';
  return event;
}

static S9wsEvent *
event_alloc (S9wsEventKind  kind,
             const guint8  *data,
             gsize          size)
{
  return event_init (g_malloc (sizeof (S9wsEvent) + size + 1), kind, data, size);
}

static S9wsEvent *
event_alloc_classed (S9wsQueueBudget *budget,
                     S9wsEventKind    kind,
                     const guint8    *data,
                     gsize            size,
                     guint            size_class)
{
  S9wsEvent *event = take_returned (budget, size_class);

  if (event != NULL)
    size_class = get_own_class (event);
  else
    event = g_malloc (COST (size_class));
  SHOW (event, 0, CAPACITY (size_class));
  event_init (event, kind, data, size);
  HIDE (event, size + 1, CAPACITY (size_class) - size - 1);
  event->cost = COST (size_class);
  event->flags = (guint8) (size_class << CLASS_SHIFT);
  return event;
}

static void
event_free (S9wsEvent *event)
{
  S9wsQueueBudget *budget = event->budget;

  if (event->kind == S9WS_EVENT_KIND_ERROR)
    g_error_free (event->error);
  else if (event->block != NULL)
    s9ws_block_unref (event->block);
  g_free (event->text);
  if (budget == NULL || get_own_class (event) == 0)
    g_free (event);
  else
    return_event (budget, event);

  if (budget != NULL)
    s9ws_queue_budget_unref (budget);
}

S9wsEvent *
s9ws_event_new (S9wsEventKind kind)
{
  return event_alloc (kind, NULL, 0);
}

static S9wsEventKind
get_message_kind (const S9wsMessage *message)
{
  switch (message->opcode)
    {
    case S9WS_OPCODE_TEXT:
      return S9WS_EVENT_KIND_TEXT_MESSAGE;
    case S9WS_OPCODE_BINARY:
      return S9WS_EVENT_KIND_BINARY_MESSAGE;
    case S9WS_OPCODE_PING:
      return S9WS_EVENT_KIND_PING;
    case S9WS_MESSAGE_PIECE:
      return S9WS_EVENT_KIND_MESSAGE_PIECE;
    default:
      return S9WS_EVENT_KIND_PONG;
    }
}

S9wsEvent *
s9ws_event_new_message (S9wsQueueBudget   *budget,
                        S9wsConnection    *connection,
                        const S9wsMessage *message)
{
  guint size_class = budget != NULL ? get_size_class (message->size) : 0;
  S9wsEventKind kind = get_message_kind (message);
  S9wsEvent *event;

  if (G_LIKELY (size_class != 0))
    {
      event = event_alloc_classed (budget, kind, message->data, message->size, size_class);
    }
  else if (message->size < S9WS_SHARED_MIN)
    {
      event = event_alloc (kind, message->data, message->size);
    }
  else
    {
      event = event_alloc (kind, NULL, 0);
      event->block = s9ws_connection_share_block (connection);
      event->data = message->data;
      event->size = message->size;
      event->cost += s9ws_block_count (event->block);
    }

  if (kind == S9WS_EVENT_KIND_MESSAGE_PIECE)
    event->code = message->piece_flags;
  return event;
}

S9wsEvent *
s9ws_event_new_closed (guint       code,
                       const char *reason)
{
  S9wsEvent *event = event_alloc (S9WS_EVENT_KIND_CONNECTION_CLOSED, (const guint8 *) reason,
                                  reason != NULL ? strlen (reason) : 0);

  event->code = (guint16) code;
  return event;
}

S9wsEvent *
s9ws_event_new_error (const GError *error)
{
  S9wsEvent *event = s9ws_event_new (S9WS_EVENT_KIND_ERROR);

  event->error = g_error_copy (error);
  return event;
}

char *
s9ws_text_without_nul (const char *text,
                       gsize       size)
{
  const char *end = text + size;
  GString *string;

  if (G_LIKELY (memchr (text, '\0', size) == NULL))
    return NULL;

  string = g_string_sized_new (size + 16);
  while (text < end)
    {
      const char *nul = memchr (text, '\0', (gsize) (end - text));

      g_string_append_len (string, text, (nul != NULL ? nul : end) - text);
      if (nul == NULL)
        break;
      g_string_append (string, "\357\277\275");
      text = nul + 1;
    }

  return g_string_free (string, FALSE);
}

/**
 * s9ws_event_ref:
 * @event: an event
 *
 * Takes a reference.
 *
 * Returns: (transfer full): @event
 *
 * Since: 0.1
 */
S9wsEvent *
s9ws_event_ref (S9wsEvent *event)
{
  g_return_val_if_fail (event != NULL, NULL);

  g_atomic_ref_count_inc (&event->ref_count);
  return event;
}

/**
 * s9ws_event_unref:
 * @event: (transfer full): an event
 *
 * Gives a reference up; the last one frees the event.
 *
 * Since: 0.1
 */
void
s9ws_event_unref (S9wsEvent *event)
{
  g_return_if_fail (event != NULL);

  if (!g_atomic_ref_count_dec (&event->ref_count))
    return;

  s9ws_event_discharge (event);
  event_free (event);
}

/**
 * s9ws_event_get_kind:
 * @event: an event
 *
 * Gets what the event tells of.
 *
 * Returns: the kind
 *
 * Since: 0.1
 */
S9wsEventKind
s9ws_event_get_kind (S9wsEvent *event)
{
  g_return_val_if_fail (event != NULL, S9WS_EVENT_KIND_QUIT);

  return (S9wsEventKind) event->kind;
}

/**
 * s9ws_event_get_text:
 * @event: an event
 *
 * Gets the text of a text message. U+0000, which a string cannot hold, is replaced
 * by U+FFFD; [method@S9ws.Event.get_bytes] has the exact bytes.
 *
 * Returns: (transfer none) (nullable): the text, or %NULL if the event is no text
 *   message
 *
 * Since: 0.1
 */
const char *
s9ws_event_get_text (S9wsEvent *event)
{
  char *text;

  g_return_val_if_fail (event != NULL, NULL);

  if (event->kind != S9WS_EVENT_KIND_TEXT_MESSAGE)
    return NULL;

  text = g_atomic_pointer_get (&event->text);
  if (text != NULL)
    return text;

  text = s9ws_text_without_nul ((const char *) event->data, event->size);
  if (text == NULL)
    return (const char *) event->data;

  if (!g_atomic_pointer_compare_and_exchange (&event->text, NULL, text))
    g_free (text);

  return g_atomic_pointer_get (&event->text);
}

static gboolean
has_payload (S9wsEvent *event)
{
  return (event->kind >= S9WS_EVENT_KIND_TEXT_MESSAGE && event->kind <= S9WS_EVENT_KIND_PONG) ||
         event->kind == S9WS_EVENT_KIND_MESSAGE_PIECE;
}

/**
 * s9ws_event_get_data:
 * @event: an event
 * @length: (out): the number of bytes
 *
 * Gets the exact bytes of a message, piece, ping or pong. They live as long as the event.
 *
 * Returns: (transfer none) (array length=length) (element-type guint8): the bytes;
 *   none if the event has no payload
 *
 * Since: 0.1
 */
const guint8 *
s9ws_event_get_data (S9wsEvent *event,
                     gsize     *length)
{
  g_return_val_if_fail (event != NULL, NULL);
  g_return_val_if_fail (length != NULL, NULL);

  *length = has_payload (event) ? event->size : 0;
  return event->data;
}

/**
 * s9ws_event_get_bytes:
 * @event: an event
 *
 * Gets the exact bytes of a message, piece, ping or pong. They share the event's memory and
 * keep it alive.
 *
 * Returns: (transfer full) (nullable): the bytes, or %NULL if the event has no payload
 *
 * Since: 0.1
 */
GBytes *
s9ws_event_get_bytes (S9wsEvent *event)
{
  g_return_val_if_fail (event != NULL, NULL);

  if (!has_payload (event))
    return NULL;

  return g_bytes_new_with_free_func (event->data, event->size,
                                     (GDestroyNotify) s9ws_event_unref, s9ws_event_ref (event));
}

/**
 * s9ws_event_get_code:
 * @event: an event
 *
 * Gets the close code (RFC 6455, section 7.4).
 *
 * Returns: the code of a %S9WS_EVENT_KIND_CONNECTION_CLOSED, 0 for other kinds
 *
 * Since: 0.1
 */
guint
s9ws_event_get_code (S9wsEvent *event)
{
  g_return_val_if_fail (event != NULL, 0);

  return event->kind == S9WS_EVENT_KIND_MESSAGE_PIECE ? 0 : event->code;
}

/**
 * s9ws_event_get_piece_flags:
 * @event: an event
 *
 * Gets where in its message a piece stands. Its bytes are those of
 * [method@S9ws.Event.get_bytes].
 *
 * Returns: the flags of a %S9WS_EVENT_KIND_MESSAGE_PIECE, 0 for other kinds
 *
 * Since: 0.1
 */
S9wsPieceFlags
s9ws_event_get_piece_flags (S9wsEvent *event)
{
  g_return_val_if_fail (event != NULL, 0);

  return event->kind == S9WS_EVENT_KIND_MESSAGE_PIECE ? (S9wsPieceFlags) event->code : 0;
}

/**
 * s9ws_event_get_reason:
 * @event: an event
 *
 * Gets the reason for closing.
 *
 * Returns: (transfer none) (nullable): the reason of a
 *   %S9WS_EVENT_KIND_CONNECTION_CLOSED, or %NULL if none was given
 *
 * Since: 0.1
 */
const char *
s9ws_event_get_reason (S9wsEvent *event)
{
  g_return_val_if_fail (event != NULL, NULL);

  if (event->kind != S9WS_EVENT_KIND_CONNECTION_CLOSED || event->size == 0)
    return NULL;

  return (const char *) event->data;
}

/**
 * s9ws_event_get_error:
 * @event: an event
 *
 * Gets what failed.
 *
 * Returns: (transfer none) (nullable): the error of a %S9WS_EVENT_KIND_ERROR, or
 *   %NULL for other kinds
 *
 * Since: 0.1
 */
const GError *
s9ws_event_get_error (S9wsEvent *event)
{
  g_return_val_if_fail (event != NULL, NULL);

  return event->kind == S9WS_EVENT_KIND_ERROR ? event->error : NULL;
}
