/* runners.h: ways to hand bytes to what is tested: in pieces, and against a page's end
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A string literal as data and size, U+0000 and all. */
#define BYTES(literal) (literal), sizeof (literal) - 1

/* One test for each entry of a table that has names. */
#define ADD_TABLE(prefix, table, function) \
  for (gsize i = 0; i < G_N_ELEMENTS (table); i++) \
    { \
      g_autofree char *path = g_strconcat (prefix, (table)[i].name, NULL); \
      g_test_add_data_func (path, &(table)[i], function); \
    }

/* Memory with a page on either side that can be neither read nor written. */
typedef struct
{
  guint8 *pages;
  gsize pages_size;
  guint8 *begin;
  guint8 *end;
} Guard;

void guard_init  (Guard *guard,
                  gsize  size);
void guard_clear (Guard *guard);

/* Copies @data to where it ends right before the page; returns its place. */
guint8 *guard_place (Guard         *guard,
                     gconstpointer  data,
                     gsize          size);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Guard, guard_clear)

/* How an input is cut up. */
typedef enum
{
  CUT_WHOLE,
  CUT_BYTES,  /* a byte at a time */
  CUT_SPLITS, /* in two, at every place */
  CUT_RANDOM, /* in pieces of any size, with a fixed seed */
  N_CUTS,
} CutKind;

extern const char *const cut_names[N_CUTS];

/* @ends are where each piece ends, in ascending order; the last is the input's size. */
typedef struct
{
  const gsize *ends;
  gsize n_ends;
} Cut;

typedef void (*CutFunc) (const Cut *cut,
                         gpointer   user_data);

/* Calls @func for each cut of that kind.  Of a large input only the ends are cut at
 * every place. */
void for_each_cut (CutKind  kind,
                   gsize    size,
                   CutFunc  func,
                   gpointer user_data);

/* "3,5,9", for messages. */
char *cut_dup_text (const Cut *cut);

G_END_DECLS
