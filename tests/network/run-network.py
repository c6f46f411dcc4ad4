#!/usr/bin/python3
"""run-network.py: runs a test with proxies of other projects.

Starts them all, runs the test with their addresses in the environment (as
S9WS_TEST_TINYPROXY=127.0.0.1:PORT, and S9WS_TEST_TINYPROXY_BASIC for the one that wants a
name and a password, which are in S9WS_TEST_USER and S9WS_TEST_PASSWORD), and stops them.
The test's output and exit code are passed on.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import argparse
import concurrent.futures
import os
import signal
import subprocess
import sys

import daemons

TEST_TIMEOUT = 1200

KINDS = {
    'TINYPROXY': (daemons.tinyproxy, {}),
    'TINYPROXY_BASIC': (daemons.tinyproxy, {'basic': True}),
    'SQUID': (daemons.squid, {}),
    'SQUID_BASIC': (daemons.squid, {'basic': True}),
    'DANTE': (daemons.dante, {}),
    'DANTE_BASIC': (daemons.dante, {'basic': True}),
    'MICROSOCKS': (daemons.microsocks, {}),
    'MICROSOCKS_BASIC': (daemons.microsocks, {'basic': True}),
    'OPENSSH': (daemons.openssh, {}),
}


def start(names):
    """Those that cannot be started fail the test, and the others are stopped."""
    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        futures = {name: pool.submit(daemons.Daemon, KINDS[name][0], **KINDS[name][1])
                   for name in names}
    started = {name: future.result() for name, future in futures.items()
               if future.exception() is None}
    failures = [str(future.exception()) for future in futures.values() if future.exception()]
    if failures:
        daemons.stop_all(started.values())
        sys.exit('\n'.join(failures))
    return started


def run_test(command, started):
    environment = dict(os.environ, S9WS_TEST_USER=daemons.USER,
                       S9WS_TEST_PASSWORD=daemons.PASSWORD)
    for name, daemon in started.items():
        environment[f'S9WS_TEST_{name}'] = f'127.0.0.1:{daemon.port}'

    test = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
    try:
        return test.wait(TEST_TIMEOUT)
    except BaseException:
        test.kill()
        test.wait()
        raise


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--daemons', default=','.join(KINDS), help='which, by commas')
    parser.add_argument('test', nargs=argparse.REMAINDER, help='a command')
    arguments = parser.parse_args()

    # Meson ends what takes too long by SIGTERM; the daemons are stopped then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('terminated'))

    started = start(arguments.daemons.split(','))
    try:
        status = run_test(arguments.test, started)
    finally:
        daemons.stop_all(started.values())

    return status if status >= 0 else 128 - status


if __name__ == '__main__':
    sys.exit(main())
