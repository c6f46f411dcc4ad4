/* input.h: bytes that have been received, and the messages that lie in them
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

#include "../framer/message.h"

G_BEGIN_DECLS

/* Where blocks go that nobody uses any more, and new ones come from: one thread frees what
 * another has allocated, and memory of that size goes back to the kernel each time. */
typedef struct _S9wsBlockStore S9wsBlockStore;

/* A block of received bytes.  Messages handed to others share it, so it is never
 * written to again below the window once it has more than one owner. */
typedef struct
{
  gatomicrefcount ref_count;
  S9wsBlockStore *store; /* or NULL */
  gboolean is_counted; /* the reader's: one of those who share it stands for all of it */
  gsize capacity;
  guint8 data[];
} S9wsBlock;

S9wsBlock *s9ws_block_ref   (S9wsBlock *block);
void       s9ws_block_unref (S9wsBlock *block);

typedef struct
{
  S9wsWindow window; /* into block */
  S9wsBlock *block;
  S9wsBlockStore *store;
  gboolean uses_store;       /* blocks have been replaced since the last trimming */
  S9wsBlock *inflated_block; /* for compressed messages; or NULL */
  S9wsInflated inflated;     /* what is in it */
  S9wsBlock *lent_block;  /* what a lent message lies in, if it is not block, or not any more */
  guint8 *terminated;     /* the byte that a NUL behind a lent text stands on, or NULL */
  guint8 terminated_byte; /* what was there */
  gboolean is_lent;       /* a message has been handed out and not been taken back */
  gsize large_size;       /* of the largest message that was worth making room for */
  gint64 trim_time;       /* when an idle block that has grown is given back; 0: none */
} S9wsInput;

void s9ws_input_init  (S9wsInput *input);
void s9ws_input_clear (S9wsInput *input);

/* See s9ws_input_make_room (). */
gsize s9ws_input_make_room_anyway (S9wsInput *input,
                                   guint64    missing);

/* A message of @size bytes has come whole: the next ones may be like it. */
void s9ws_input_expect_like (S9wsInput *input,
                             gsize      size);

/* Makes the room for the message that is being inflated larger; @limit is how large it can
 * become, or 0. */
void s9ws_input_grow_inflated (S9wsInput *input,
                               guint64    limit);

/* A message that has been inflated is lent; puts a NUL behind it. */
void s9ws_input_lend_inflated (S9wsInput   *input,
                               S9wsMessage *message);

/* Called while nothing comes: gives back what has grown, after a while.  @has_more: so will
 * others, when this returns TRUE. */
gboolean s9ws_input_trim (S9wsInput *input,
                          gboolean   has_more);

/* Has the time of s9ws_input_trim () come a while from now. */
void s9ws_input_expect_trim (S9wsInput *input);

/* The lent message stays where it is, and what follows it moves. */
void s9ws_input_keep_lent (S9wsInput *input);

/* A reference to the block that the lent message lies in: it stays as it is, the NUL
 * behind a text included, for as long as that is held. */
S9wsBlock *s9ws_input_share (S9wsInput *input);

/* How much memory one more who shares @block keeps alive: all of it, or nothing where
 * another does so already. */
gsize s9ws_block_count (S9wsBlock *block);

/* Makes room behind the window and returns how much is to be received at most.  @missing
 * is what the frame at hand still lacks, as its header says. */
static inline gsize
s9ws_input_make_room (S9wsInput *input,
                      guint64    missing)
{
  /* As long as messages are small, there is room once they have been decoded. */
  if (G_LIKELY (input->window.begin == input->window.end && input->large_size == 0 &&
                g_atomic_int_get (&input->block->ref_count) == 1))
    {
      input->block->is_counted = FALSE;
      input->window.begin = 0;
      input->window.end = 0;
      return input->block->capacity - 1;
    }

  return s9ws_input_make_room_anyway (input, missing);
}

static inline gboolean
s9ws_input_is_inflated (S9wsInput   *input,
                        S9wsMessage *message)
{
  return input->inflated_block != NULL && message->data == input->inflated.data;
}

/* Gives up the block of a message that is lent no more. */
void s9ws_input_take_back_block (S9wsInput *input);

/* Puts back the byte that a NUL stands on. */
static inline void
s9ws_input_restore (S9wsInput *input)
{
  if (input->terminated != NULL)
    {
      *input->terminated = input->terminated_byte;
      input->terminated = NULL;
    }
}

/* Takes back what was lent. */
static inline void
s9ws_input_take_back (S9wsInput *input)
{
  s9ws_input_restore (input);
  if (G_UNLIKELY (input->lent_block != NULL))
    s9ws_input_take_back_block (input);
}

/* Puts a NUL behind a text that is to be lent. */
static inline void
s9ws_input_terminate (S9wsInput   *input,
                      S9wsMessage *message)
{
  input->terminated = message->data + message->size;
  input->terminated_byte = *input->terminated;
  *input->terminated = '\0';
}

G_END_DECLS
