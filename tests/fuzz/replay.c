/* replay.c: runs a fuzz target over files, where there is no libFuzzer
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <glib.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput (const guint8 *data,
                            gsize         size);

int
main (int    argc,
      char **argv)
{
  g_autoptr (GDir) dir = g_dir_open (argv[1], 0, NULL);
  const char *name;
  guint n = 0;

  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (argv[1], name, NULL);
      g_autofree char *data = NULL;
      gsize size;

      g_assert_true (g_file_get_contents (path, &data, &size, NULL));
      LLVMFuzzerTestOneInput ((const guint8 *) data, size);
      g_print ("ok %u %s\n", ++n, name);
    }

  g_print ("1..%u\n", n);
  return n > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
