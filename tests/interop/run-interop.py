#!/usr/bin/python3
"""run-interop.py: runs a test against the WebSocket server of another project.

Starts the server, runs the test with the server's URI behind its arguments, with the
certificate authority in S9WS_TEST_CA and the server's name in S9WS_TEST_PEER, and stops
the server. The test's output and exit code are passed on. With a front, which speaks TLS
to the client and none to the server, the URI is the front's.

All servers compress if the client offers it, and send text and binary messages back, but
for these texts, with which a client makes them do something:

  !ping TEXT          ping with that payload
  !close CODE REASON  start the closing handshake
  !burst N SIZE       send N binary messages, the i-th of bytes i % 256
  !fragments N SIZE   send one binary message of N times SIZE bytes, the i-th ones i % 256,
                      in N frames if they can
  !reset              send a part of a large message, then RST
  !subprotocol        send the negotiated one of "echo" and "chat", or nothing

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import argparse
import os
import select
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'network'))
import daemons  # noqa: E402

FRONTS = {'nginx': daemons.nginx, 'haproxy': daemons.haproxy}
START_TIMEOUT = 60  # seconds; sanitizers and a busy machine are slow
STOP_TIMEOUT = 10
TEST_TIMEOUT = 1800


def command_of(name, build_dir):
    return {
        'websockets': ['/usr/bin/python3', os.path.join(HERE, 'server-websockets.py')],
        'ws': ['node', os.path.join(HERE, 'server-ws.cjs')],
        'soup': [os.path.join(build_dir, 'server-soup')],
        'lws': [os.path.join(build_dir, 'server-lws')],
    }[name]


def start_server(arguments):
    command = command_of(arguments.server, arguments.build_dir) + ['--port', '0']
    if arguments.scheme == 'wss' and not arguments.front:
        command += ['--certificate', os.path.join(arguments.certificates, 'good.pem'),
                    '--key', os.path.join(arguments.certificates, 'good-key.pem')]

    environment = dict(os.environ)
    environment['NODE_PATH'] = os.pathsep.join(
        filter(None, ['/usr/share/nodejs', environment.get('NODE_PATH')]))

    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def read_port(server):
    line = b''
    while not line.endswith(b'\n'):
        readable, _, _ = select.select([server.stdout], [], [], START_TIMEOUT)
        byte = os.read(server.stdout.fileno(), 1) if readable else b''
        if not byte:
            sys.exit('The server did not start')
        line += byte

    word, port = line.split()
    assert word == b'PORT', line
    return int(port)


def stop(process):
    """Ends what we started, and waits for it."""
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(STOP_TIMEOUT if process.stdin else 0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run_test_behind(arguments, port):
    front = daemons.Daemon(FRONTS[arguments.front], certificates=arguments.certificates,
                           server_port=port)
    try:
        return run_test(arguments, front.port)
    finally:
        front.stop()


def run_test(arguments, port):
    host = 'localhost' if arguments.scheme == 'wss' else '127.0.0.1'
    environment = dict(os.environ, S9WS_TEST_CA=os.path.join(arguments.certificates, 'ca.pem'),
                       S9WS_TEST_PEER=arguments.server)
    uri = f'{arguments.scheme}://{host}:{port}/'
    test = subprocess.Popen(arguments.test + [uri], env=environment)
    try:
        return test.wait(TEST_TIMEOUT)
    except subprocess.TimeoutExpired:
        sys.exit('The test did not end')
    finally:
        stop(test)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build-dir', default='.', help='where the servers in C are')
    parser.add_argument('--certificates', default='.',
                        help='where ca.pem, good.pem and good-key.pem are')
    parser.add_argument('--front', choices=FRONTS, help='what is between client and server')
    parser.add_argument('server', choices=['websockets', 'ws', 'soup', 'lws'])
    parser.add_argument('scheme', choices=['ws', 'wss'])
    parser.add_argument('test', nargs=argparse.REMAINDER)
    arguments = parser.parse_args()

    # Meson ends what takes too long by SIGTERM; the server is stopped then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('terminated'))

    server = start_server(arguments)
    try:
        run = run_test_behind if arguments.front else run_test
        status = run(arguments, read_port(server))
    finally:
        stop(server)

    if status == 0 and server.returncode != 0:
        sys.exit(f'The server ended with status {server.returncode}')
    return status if status >= 0 else 128 - status


sys.exit(main())
