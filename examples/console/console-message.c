/* console-message.c: one row of the list
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "console-message.h"

#include <glib/gi18n.h>
#include <string.h>

#define HEX_SIZE 32 /* bytes of a binary message that a row shows */

struct _ConsoleMessage
{
  GObject parent_instance;

  ConsoleEntry entry;
};

enum
{
  PROP_ICON_NAME = 1,
  PROP_TIME,
  PROP_KIND,
  PROP_TEXT,
  PROP_SIZE,
  N_PROPERTIES
};

static GParamSpec *properties[N_PROPERTIES];

G_DEFINE_FINAL_TYPE (ConsoleMessage, console_message, G_TYPE_OBJECT)

static const char *
get_icon_name (const ConsoleEntry *entry)
{
  switch (entry->kind)
    {
    case CONSOLE_KIND_OPENED:
      return "network-idle-symbolic";
    case CONSOLE_KIND_CLOSED:
      return "network-offline-symbolic";
    case CONSOLE_KIND_ERROR:
      return "dialog-error-symbolic";
    case CONSOLE_KIND_GAP:
      return "view-more-symbolic";
    default:
      return entry->is_sent ? "go-up-symbolic" : "go-down-symbolic";
    }
}

/* The direction is said in words: an arrow says nothing to a screen reader. */
static const char *
get_kind (const ConsoleEntry *entry)
{
  switch (entry->kind)
    {
    case CONSOLE_KIND_TEXT:
      return entry->is_sent ? _("Sent text") : _("Received text");
    case CONSOLE_KIND_BINARY:
      return entry->is_sent ? _("Sent binary") : _("Received binary");
    case CONSOLE_KIND_PING:
      return _("Received ping");
    case CONSOLE_KIND_OPENED:
      return _("Connected");
    case CONSOLE_KIND_CLOSED:
      return _("Closed");
    case CONSOLE_KIND_ERROR:
      return _("Error");
    default:
      return _("Not shown");
    }
}

static char *
format_time (const ConsoleEntry *entry)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_local (entry->time / G_USEC_PER_SEC);
  g_autofree char *seconds = g_date_time_format (time, "%H:%M:%S");

  return g_strdup_printf ("%s.%03d", seconds, (int) (entry->time % G_USEC_PER_SEC / 1000));
}

static char *
format_hex (const ConsoleEntry *entry)
{
  GString *text = g_string_new (NULL);

  for (gsize i = 0; i < MIN (entry->preview_size, HEX_SIZE); i++)
    g_string_append_printf (text, i > 0 ? " %02x" : "%02x", (guint8) entry->preview[i]);
  if (entry->size > HEX_SIZE)
    g_string_append (text, " …");

  return g_string_free (text, FALSE);
}

static char *
format_text (const ConsoleEntry *entry)
{
  g_autofree char *text = NULL;

  if (entry->kind == CONSOLE_KIND_BINARY || entry->kind == CONSOLE_KIND_PING)
    return format_hex (entry);
  if (entry->kind == CONSOLE_KIND_GAP)
    {
      text = g_strdup_printf ("%'" G_GUINT64_FORMAT, entry->size);
      return g_strdup_printf (ngettext ("%s message", "%s messages", entry->size), text);
    }

  text = g_utf8_make_valid (entry->preview, (gssize) entry->preview_size);
  return g_strconcat (text, entry->size > entry->preview_size ? "…" : NULL, NULL);
}

static char *
format_size (const ConsoleEntry *entry)
{
  return entry->kind <= CONSOLE_KIND_PING ? g_format_size (entry->size) : g_strdup ("–");
}

/* Only rows that are on the screen are asked. */
static void
console_message_get_property (GObject    *object,
                              guint       property_id,
                              GValue     *value,
                              GParamSpec *pspec)
{
  ConsoleEntry *entry = &CONSOLE_MESSAGE (object)->entry;

  switch (property_id)
    {
    case PROP_ICON_NAME:
      g_value_set_static_string (value, get_icon_name (entry));
      break;
    case PROP_TIME:
      g_value_take_string (value, format_time (entry));
      break;
    case PROP_KIND:
      g_value_set_static_string (value, get_kind (entry));
      break;
    case PROP_TEXT:
      g_value_take_string (value, format_text (entry));
      break;
    case PROP_SIZE:
      g_value_take_string (value, format_size (entry));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
console_message_class_init (ConsoleMessageClass *klass)
{
  static const char *names[] = {
    [PROP_ICON_NAME] = "icon-name",
    [PROP_TIME] = "time",
    [PROP_KIND] = "kind",
    [PROP_TEXT] = "text",
    [PROP_SIZE] = "size",
  };
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = console_message_get_property;

  for (guint i = PROP_ICON_NAME; i < N_PROPERTIES; i++)
    properties[i] = g_param_spec_string (names[i], NULL, NULL, NULL, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
}

static void
console_message_init (ConsoleMessage *message)
{
}

void
console_entry_fill (ConsoleEntry *entry,
                    ConsoleKind   kind,
                    gboolean      is_sent,
                    const void   *data,
                    gsize         size)
{
  const char *bytes = data;

  entry->kind = kind;
  entry->is_sent = is_sent;
  entry->time = g_get_real_time ();
  entry->size = size;
  entry->preview_size = MIN (size, CONSOLE_PREVIEW_SIZE);

  /* Not in the middle of a character. */
  if (size > CONSOLE_PREVIEW_SIZE && kind == CONSOLE_KIND_TEXT)
    while (entry->preview_size > 0 && (bytes[entry->preview_size] & 0xc0) == 0x80)
      entry->preview_size--;

  if (entry->preview_size > 0)
    memcpy (entry->preview, bytes, entry->preview_size);
}

ConsoleMessage *
console_message_new (const ConsoleEntry *entry)
{
  ConsoleMessage *message = g_object_new (CONSOLE_TYPE_MESSAGE, NULL);

  message->entry = *entry;
  return message;
}

char *
console_message_dup_text (ConsoleMessage *message)
{
  return format_text (&message->entry);
}
