#!/usr/bin/python3
"""check-valgrind.py: examples in C under valgrind, with the suppressions that are installed.

Usage: check-valgrind.py SOURCE-ROOT BUILD-ROOT URI TLS-URI

Fails for what memcheck has to say, leaks included.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import pathlib
import subprocess
import sys

TIMEOUT = 300  # seconds: valgrind is slow, and so is a busy machine
EXAMPLES = ['echo-blocking', 'echo-blocking-timeout', 'echo-non-blocking', 'echo-async']


def find_glib():
    """GLib's own suppressions."""
    done = subprocess.run(['pkg-config', '--variable=prefix', 'glib-2.0'], stdout=subprocess.PIPE,
                          text=True, check=True)
    return pathlib.Path(done.stdout.strip(), 'share/glib-2.0/valgrind/glib.supp')


def run(suppressions, program, uri):
    # The system's way to find a proxy is part of what is tried, but not its proxies.
    environment = {name: value for name, value in os.environ.items()
                   if not name.lower().endswith('_proxy') and name != 'GIO_USE_PROXY_RESOLVER'}
    environment.update(G_SLICE='always-malloc', no_proxy='*')
    return subprocess.run(['valgrind', '-q', '--error-exitcode=99', '--leak-check=full',
                           '--errors-for-leak-kinds=definite,indirect,possible',
                           *[f'--suppressions={path}' for path in suppressions],
                           program, uri, os.environ['S9WS_TEST_CA']],
                          env=environment, timeout=TIMEOUT, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)


def main(source, build, *uris):
    suppressions = [find_glib(), pathlib.Path(source, 's9ws/s9ws.supp')]
    failed = i = 0
    print(f'1..{len(EXAMPLES) * len(uris)}')
    for example in EXAMPLES:
        for uri in uris:
            i += 1
            done = run(suppressions, os.path.join(build, 'examples', example), uri)
            print('ok' if done.returncode == 0 else 'not ok', i,
                  f'- {example}, {uri.partition(":")[0]}', flush=True)
            if done.returncode != 0:
                failed += 1
                print('# ' + done.stdout.replace('\n', '\n# '))
    return 1 if failed else 0


sys.exit(main(*sys.argv[1:]))
