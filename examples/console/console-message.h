/* console-message.h: one row of the list
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef enum
{
  CONSOLE_KIND_TEXT,
  CONSOLE_KIND_BINARY,
  CONSOLE_KIND_PING,
  CONSOLE_KIND_OPENED,
  CONSOLE_KIND_CLOSED,
  CONSOLE_KIND_ERROR,
  CONSOLE_KIND_GAP, /* its size is how many messages are not shown */
} ConsoleKind;

#define CONSOLE_PREVIEW_SIZE 2048

/* What a row needs of a message: it allocates nothing, however fast they come. */
typedef struct
{
  ConsoleKind kind;
  gboolean is_sent;
  gint64 time;  /* µs since 1970 */
  guint64 size; /* bytes of the whole message */
  gsize preview_size;
  char preview[CONSOLE_PREVIEW_SIZE];
} ConsoleEntry;

void console_entry_fill (ConsoleEntry *entry,
                         ConsoleKind   kind,
                         gboolean      is_sent,
                         const void   *data,
                         gsize         size);

#define CONSOLE_TYPE_MESSAGE (console_message_get_type ())
G_DECLARE_FINAL_TYPE (ConsoleMessage, console_message, CONSOLE, MESSAGE, GObject)

ConsoleMessage *console_message_new      (const ConsoleEntry *entry);
char           *console_message_dup_text (ConsoleMessage     *message);

G_END_DECLS
