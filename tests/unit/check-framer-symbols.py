#!/usr/bin/python3
"""check-framer-symbols.py: what the framer needs from outside, which is next to nothing.

Usage: check-framer-symbols.py LIBRARY

The framer is plain C and zlib: whoever makes it call GLib, the system or an allocator of
its own is told so here.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import re
import subprocess
import sys

ALLOWED = {
    # of the C library: nothing that allocates, waits or asks the system
    'memchr', 'memcmp', 'memcpy', 'memmove', 'memset', 'strchr', 'strlen',
    # zlib, whose allocator is the caller's
    'deflate', 'deflateEnd', 'deflateInit2_', 'deflateReset',
    'inflate', 'inflateEnd', 'inflateInit2_', 'inflateReset', 'inflateResetKeep',
    # what the CPU can do
    '__cpu_indicator_init', '__cpu_model',
    # what a compiler adds by itself
    '_GLOBAL_OFFSET_TABLE_', '__stack_chk_fail', '__stack_chk_guard',
}
# Fortified forms of those above, and the run times of sanitizers.
ALLOWED_PATTERN = re.compile(r'__(mem|str)\w+_chk|__(asan|tsan|ubsan|sanitizer)_\w+')


def list_symbols(library, option):
    output = subprocess.run(['nm', '--format=posix', option, library],
                            check=True, capture_output=True, text=True).stdout
    return {line.split()[0] for line in output.splitlines() if line and not line.endswith(':')}


def main():
    library = sys.argv[1]
    own = list_symbols(library, '--defined-only')
    needed = list_symbols(library, '--undefined-only') - own
    foreign = sorted(name for name in needed
                     if name not in ALLOWED and not ALLOWED_PATTERN.fullmatch(name))

    print('TAP version 13')
    print('1..2')
    # An empty list would say that nm did not look where the framer is.
    print('ok' if 's9ws_message_decoder_next' in own and 'memcpy' in needed else 'not ok',
          '1 the framer was found')
    print('not ok' if foreign else 'ok', '2 it needs nothing that it may not')
    for name in foreign:
        print('# needed:', name)
    return 1 if foreign else 0


if __name__ == '__main__':
    sys.exit(main())
