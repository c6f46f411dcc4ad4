#!/usr/bin/python3
"""run-apart.py: runs a command in a network of its own, whose loopback it has brought up.

Root makes one as it is, and a user by way of a user namespace, where the system allows that.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import subprocess
import sys

import loopback

WAYS = ['unshare', '--net'], ['unshare', '--map-root-user', '--net']
INSIDE = '--inside'


def find_way():
    """A test that cannot have its network fails: what was not tried is not supported."""
    messages = []
    for way in WAYS:
        probe = subprocess.run([*way, 'true'], check=False, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
        if probe.returncode == 0:
            return way
        messages.append(f'"{" ".join(way)}" says: {probe.stderr.strip()}')
    sys.exit('No network namespace can be made here, which this test needs: a kernel '
             'with user namespaces, and a container that allows them, or CAP_SYS_ADMIN\n'
             + '\n'.join(messages))


def main():
    if sys.argv[1] == INSIDE:
        loopback.set_up(True)
        os.execvp(sys.argv[2], sys.argv[2:])

    way = find_way()
    os.execvp(way[0], [*way, sys.executable, os.path.abspath(__file__), INSIDE, *sys.argv[1:]])


if __name__ == '__main__':
    main()
