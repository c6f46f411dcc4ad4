/* input.c: bytes that have been received, and the messages that lie in them
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "input.h"

#include <string.h>

#define BLOCK_CAPACITY (64 * 1024)    /* bytes, with the one behind for a NUL */
#define MIN_ROOM (16 * 1024)          /* less than this is not worth a system call */
#define LARGE_MAX (256 * 1024)        /* messages up to this have room for several */
#define LARGE_ROOM 4                  /* so many of them */
#define EXACT_MIN (64 * 1024)         /* a frame that lacks more is received up to its end */
#define READ_MAX (256 * 1024)         /* of other frames not more than caches hold */
#define INFLATED_CAPACITY (16 * 1024) /* bytes, at first */
#define N_SPARE 4                     /* blocks that wait to be used again, at most */
#define TRIM_DELAY G_USEC_PER_SEC     /* µs of idleness before a grown block is given back */

struct _S9wsBlockStore
{
  int ref_count;      /* atomic */
  GMutex lock;        /* guards the rest */
  gboolean is_in_use; /* or the client is idle, and nothing is kept */
  guint n_blocks;
  S9wsBlock *blocks[N_SPARE];
};

static S9wsBlockStore *
store_new (void)
{
  S9wsBlockStore *store = g_new0 (S9wsBlockStore, 1);

  store->ref_count = 1;
  g_mutex_init (&store->lock);
  return store;
}

/* With the lock held, or by the last owner. */
static void
free_blocks (S9wsBlockStore *store)
{
  while (store->n_blocks > 0)
    g_free (store->blocks[--store->n_blocks]);
}

static void
store_unref (S9wsBlockStore *store)
{
  if (!g_atomic_int_dec_and_test (&store->ref_count))
    return;

  free_blocks (store);
  g_mutex_clear (&store->lock);
  g_free (store);
}

/* One that fits, or NULL.  What does not fit will not do so the next time. */
static S9wsBlock *
store_take (S9wsBlockStore *store,
            gsize           capacity)
{
  S9wsBlock *block = NULL;

  g_mutex_lock (&store->lock);
  store->is_in_use = TRUE;
  while (block == NULL && store->n_blocks > 0)
    {
      block = store->blocks[--store->n_blocks];
      if (block->capacity < capacity || block->capacity / 2 > capacity)
        g_clear_pointer (&block, g_free);
    }
  g_mutex_unlock (&store->lock);

  return block;
}

static gboolean
store_put (S9wsBlockStore *store,
           S9wsBlock      *block)
{
  gboolean is_kept;

  g_mutex_lock (&store->lock);
  is_kept = store->is_in_use && store->n_blocks < N_SPARE;
  if (is_kept)
    store->blocks[store->n_blocks++] = block;
  g_mutex_unlock (&store->lock);

  return is_kept;
}

static void
store_empty (S9wsBlockStore *store)
{
  g_mutex_lock (&store->lock);
  store->is_in_use = FALSE;
  free_blocks (store);
  g_mutex_unlock (&store->lock);
}

static S9wsBlock *
block_new (S9wsBlockStore *store,
           gsize           capacity)
{
  S9wsBlock *block = store_take (store, capacity);

  if (block == NULL)
    {
      block = g_malloc (sizeof (S9wsBlock) + capacity);
      block->capacity = capacity;
    }

  g_atomic_ref_count_init (&block->ref_count);
  g_atomic_int_inc (&store->ref_count);
  block->store = store;
  block->is_counted = FALSE;
  return block;
}

S9wsBlock *
s9ws_block_ref (S9wsBlock *block)
{
  g_atomic_ref_count_inc (&block->ref_count);
  return block;
}

void
s9ws_block_unref (S9wsBlock *block)
{
  S9wsBlockStore *store = block->store;

  if (!g_atomic_ref_count_dec (&block->ref_count))
    return;

  if (store == NULL || !store_put (store, block))
    g_free (block);
  if (store != NULL)
    store_unref (store);
}

/* What nobody shares any more counts anew. */
static inline gboolean
block_is_shared (S9wsBlock *block)
{
  if (g_atomic_int_get (&block->ref_count) != 1)
    return TRUE;

  block->is_counted = FALSE;
  return FALSE;
}

gsize
s9ws_block_count (S9wsBlock *block)
{
  if (block->is_counted)
    return 0;

  block->is_counted = TRUE;
  return block->capacity;
}

void
s9ws_input_init (S9wsInput *input)
{
  memset (input, 0, sizeof *input);
  input->store = store_new ();
  input->block = block_new (input->store, BLOCK_CAPACITY);
  input->window.data = input->block->data;
}

void
s9ws_input_clear (S9wsInput *input)
{
  s9ws_block_unref (input->block);
  g_clear_pointer (&input->inflated_block, s9ws_block_unref);
  g_clear_pointer (&input->lent_block, s9ws_block_unref);
  store_empty (input->store);
  store_unref (input->store);
}

/* What a block should hold: a few messages of those that come. */
static gsize
get_capacity (S9wsInput *input)
{
  return MAX (BLOCK_CAPACITY, LARGE_ROOM * MIN (input->large_size, LARGE_MAX) + MIN_ROOM);
}

/* Moves the window into a new block; the old one is left as it is. */
static void
replace_block (S9wsInput *input,
               gsize      capacity)
{
  S9wsWindow *window = &input->window;
  gsize size = window->end - window->begin;
  S9wsBlock *block = block_new (input->store, MAX (capacity, size + 1));

  memcpy (block->data, window->data + window->begin, size);
  s9ws_block_unref (input->block);
  input->block = block;
  input->uses_store = TRUE;
  window->data = block->data;
  window->begin = 0;
  window->end = size;
}

static void
move_to_front (S9wsWindow *window)
{
  gsize size = window->end - window->begin;

  memmove (window->data, window->data + window->begin, size);
  window->begin = 0;
  window->end = size;
}

static inline gsize
get_room (S9wsInput *input)
{
  return input->block->capacity - input->window.end - 1;
}

/* Twice what has arrived, whatever a header announces. */
static void
grow_block (S9wsInput *input)
{
  gsize capacity = input->block->capacity * 2;

  input->block = g_realloc (input->block, sizeof (S9wsBlock) + capacity);
  input->block->capacity = capacity;
  input->window.data = input->block->data;
}

/* The unfinished message does not fit where it lies, or there is no room to speak of. */
static void
gain_room (S9wsInput *input,
           guint64    missing)
{
  S9wsWindow *window = &input->window;

  /* Moving costs what has arrived, once: only where that gains as much. */
  if (window->begin >= window->end - window->begin || missing < window->begin)
    move_to_front (window);
  if (get_room (input) < MIN_ROOM && (missing == 0 || get_room (input) < missing))
    grow_block (input);
}

gsize
s9ws_input_make_room_anyway (S9wsInput *input,
                             guint64    missing)
{
  S9wsWindow *window = &input->window;
  gsize reserve, room;

  if (G_UNLIKELY (block_is_shared (input->block)))
    {
      replace_block (input, MAX (get_capacity (input), (window->end - window->begin) * 2));
    }
  else if (window->begin == window->end)
    {
      if (G_UNLIKELY (input->block->capacity < get_capacity (input)))
        replace_block (input, get_capacity (input));
      window->begin = 0;
      window->end = 0;
    }

  room = get_room (input);
  if (G_UNLIKELY (room < missing || (missing == 0 && room < MIN_ROOM)))
    {
      gain_room (input, missing);
      room = get_room (input);
    }

  /* Behind what is received now there is to be room for the rest of a message that it
   * cuts in two, so that nothing has to be moved; and where there is no such room left, a
   * message is received up to its end, so that the next begins at the front. */
  reserve = MIN (input->large_size, room);
  if (missing > 0 && (missing >= EXACT_MIN || room < missing + reserve + MIN_ROOM))
    return MIN (room, missing);

  return MIN (room - reserve >= MIN_ROOM ? room - reserve : room, READ_MAX);
}

void
s9ws_input_expect_like (S9wsInput *input,
                        gsize      size)
{
  if (size > MIN_ROOM && size > input->large_size)
    input->large_size = size;
}

/* What is inflated */

static void
drop_inflated (S9wsInput *input)
{
  g_clear_pointer (&input->inflated_block, s9ws_block_unref);
  memset (&input->inflated, 0, sizeof input->inflated);
}

void
s9ws_input_grow_inflated (S9wsInput *input,
                          guint64    limit)
{
  S9wsBlock *block = input->inflated_block;
  gsize capacity = block != NULL ? block->capacity * 2 : INFLATED_CAPACITY;

  /* With the byte that shows that it is too much, and the one behind for a NUL. */
  if (limit != 0 && limit < capacity - 2)
    capacity = (gsize) limit + 2;

  block = g_realloc (block, sizeof (S9wsBlock) + capacity);
  if (input->inflated_block == NULL)
    {
      g_atomic_ref_count_init (&block->ref_count);
      block->store = NULL;
      block->is_counted = FALSE;
    }
  block->capacity = capacity;
  input->inflated_block = block;
  input->inflated.data = block->data;
  input->inflated.capacity = capacity - 1;
}

void
s9ws_input_lend_inflated (S9wsInput   *input,
                          S9wsMessage *message)
{
  message->data[message->size] = '\0';
  input->lent_block = s9ws_block_ref (input->inflated_block);
}

void
s9ws_input_take_back_block (S9wsInput *input)
{
  g_clear_pointer (&input->lent_block, s9ws_block_unref);
  /* Whoever shares it keeps it as it is. */
  if (input->inflated_block != NULL && block_is_shared (input->inflated_block))
    drop_inflated (input);
}

/* Idleness */

void
s9ws_input_expect_trim (S9wsInput *input)
{
  input->trim_time = g_get_monotonic_time () + TRIM_DELAY;
}

static gboolean
has_grown (S9wsInput *input)
{
  return input->block->capacity > BLOCK_CAPACITY || input->inflated_block != NULL || input->uses_store;
}

gboolean
s9ws_input_trim (S9wsInput *input,
                 gboolean   has_more)
{
  gboolean is_amid = input->window.begin != input->window.end || input->inflated.size > 0;

  if (G_LIKELY ((!has_grown (input) && !has_more) || (is_amid && input->trim_time == 0)))
    return FALSE;

  /* Not at once: where one large message came another may follow. */
  if (input->trim_time == 0)
    s9ws_input_expect_trim (input);
  if (g_get_monotonic_time () < input->trim_time)
    return FALSE;

  /* Whoever waits until then would not wait any more. */
  if (is_amid)
    {
      s9ws_input_expect_trim (input);
      return FALSE;
    }

  input->large_size = 0;
  input->trim_time = 0;
  /* Before, as they may be large, and after, as the old one goes there. */
  store_empty (input->store);
  if (input->block->capacity > BLOCK_CAPACITY)
    replace_block (input, BLOCK_CAPACITY);
  store_empty (input->store);
  drop_inflated (input);
  input->uses_store = FALSE;
  return TRUE;
}

void
s9ws_input_keep_lent (S9wsInput *input)
{
  S9wsWindow *window = &input->window;
  gsize terminated = input->terminated != NULL ? (gsize) (input->terminated - window->data) : window->end;
  gsize begin = window->begin;
  gsize end = window->end;

  input->lent_block = s9ws_block_ref (input->block);
  replace_block (input, MAX (get_capacity (input), (end - begin) * 2));
  if (terminated >= begin && terminated < end)
    window->data[terminated - begin] = input->terminated_byte;
  input->terminated = NULL;
}

S9wsBlock *
s9ws_input_share (S9wsInput *input)
{
  if (input->terminated != NULL)
    s9ws_input_keep_lent (input);

  return s9ws_block_ref (input->lent_block != NULL ? input->lent_block : input->block);
}
