#!/usr/bin/python3
"""run-binding.py: runs a test of a binding against a server of another project.

Starts server.py, runs the given command with the server's two URIs behind its
arguments, with the build tree's library, typelib and overrides to be found first and with
the certificate authority in S9WS_TEST_CA, and stops the server. The command's output and
exit code are passed on.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import argparse
import os
import select
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
OVERRIDES = os.path.join(HERE, '../../introspection')
PYTHON_OVERRIDES = os.path.join(OVERRIDES, 'python')
START_TIMEOUT = 60  # seconds, as all of these: a busy machine is slow
STOP_TIMEOUT = 10
TEST_TIMEOUT = 240


def start_server(certificates):
    return subprocess.Popen(['/usr/bin/python3', os.path.join(HERE, 'server.py'),
                             os.path.join(certificates, 'good.pem'),
                             os.path.join(certificates, 'good-key.pem')],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def read_uris(server):
    line = b''
    while not line.endswith(b'\n'):
        readable, _, _ = select.select([server.stdout], [], [], START_TIMEOUT)
        part = os.read(server.stdout.fileno(), 4096) if readable else b''
        if not part:
            sys.exit('The server did not start')
        line += part

    return line.decode().split()


def stop(process):
    """Ends what we started, and waits for it."""
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(STOP_TIMEOUT if process.stdin else 0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def prepend(environment, name, folder):
    environment[name] = os.pathsep.join(filter(None, [folder, environment.get(name)]))


def run_test(arguments, uris):
    environment = dict(os.environ, S9WS_TEST_CA=os.path.join(arguments.certificates, 'ca.pem'))
    # What is installed needs none of these.
    if arguments.typelibs:
        prepend(environment, 'GI_TYPELIB_PATH', arguments.typelibs)
        prepend(environment, 'LD_LIBRARY_PATH', arguments.libraries)
        prepend(environment, 'GJS_PATH', OVERRIDES)
        prepend(environment, 'PYTHONPATH', PYTHON_OVERRIDES)
        environment['PYTHONDONTWRITEBYTECODE'] = '1'  # into the source tree

    # It is told to end where this one is killed, and can stop what it has started.
    test = subprocess.Popen(['setpriv', '--pdeathsig', 'TERM', *arguments.test, *uris],
                            env=environment, stdin=subprocess.DEVNULL)
    try:
        return test.wait(arguments.timeout)
    except subprocess.TimeoutExpired:
        sys.exit('The test did not end')
    finally:
        stop(test)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--typelibs', help='where S9ws-1.typelib is')
    parser.add_argument('--libraries', help='where libs9ws-1.so is')
    parser.add_argument('--timeout', type=int, default=TEST_TIMEOUT,
                        help='how long the test may take, in seconds')
    parser.add_argument('--certificates', required=True,
                        help='where ca.pem, good.pem and good-key.pem are')
    parser.add_argument('test', nargs=argparse.REMAINDER, help='a command')
    arguments = parser.parse_args()

    # Meson ends what takes too long by SIGTERM; the server is stopped then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('terminated'))

    server = start_server(arguments.certificates)
    try:
        status = run_test(arguments, read_uris(server))
    finally:
        stop(server)

    if status == 0 and server.returncode != 0:
        sys.exit(f'The server ended with status {server.returncode}')
    return status if status >= 0 else 128 - status


sys.exit(main())
