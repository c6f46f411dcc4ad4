#!/usr/bin/python3
"""test-cat.py: s9ws-cat as shells and scripts use it, against a server of another project.

Usage: test-cat.py PROGRAM MANUAL-PAGE COMPLETION URI TLS-URI

The commands that the server obeys are in tests/bindings/server.py.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import base64
import contextlib
import hashlib
import os
import random
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import tty

TIMEOUT = 60  # seconds, for everything that is waited for: a busy machine is slow
CLIENTS = ['blocking', 'non-blocking', 'async']
SIGNALS = [signal.SIGINT, signal.SIGTERM]
STRATEGIES = [['--wait-strategy=spin'], ['--wait-strategy=sleep', '--spin-wait-duration=500'],
              ['--wait-strategy=wait'], ['--wait-strategy=adaptive']]

PROGRAM, MANUAL_PAGE, COMPLETION, URI, TLS_URI = sys.argv[1:]
PIPES = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE}


def run(*arguments, given=b'', **more):
    done = subprocess.run([PROGRAM, *arguments], input=given, timeout=TIMEOUT, check=False,
                          **{'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, **more})
    return done.returncode, done.stdout, done.stderr.decode()


def expect(found, wanted, more=''):
    assert found == wanted, f'{found!r} instead of {wanted!r} {more}'


def expect_end(status, *arguments, given=b'', error='', **more):
    returncode, output, errors = run(*arguments, given=given, **more)
    expect(returncode, status, errors)
    assert error in errors and bool(error) == bool(errors), f'“{errors}” without “{error}”'
    return output


class Cat:
    """One that runs while it is talked to."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([PROGRAM, *arguments], **PIPES)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()

    def write(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def expect(self, data):
        expect(self.process.stdout.read(len(data)), data)

    def end(self, status):
        output, errors = self.process.communicate(timeout=TIMEOUT)
        expect(self.process.returncode, status, errors)
        return output, errors.decode()


# With each client

def test_lines(client):
    with Cat('-c', client, URI) as cat:
        for line in ('Hello\n', 'Grüße, мир, 世界\n', '\n', 'x' * 500000 + '\n'):
            cat.write(line.encode())
            cat.expect(line.encode())
        expect(cat.end(0), (b'', ''))


def test_last_line(client):
    """It may have no end; and no line is no message."""
    expect(expect_end(0, '-1', '-c', client, URI, given=b'last'), b'last\n')
    expect(expect_end(0, '-c', client, URI), b'')


def test_binary(client):
    data = random.Random(1).randbytes(300000)
    with Cat('--binary', '-c', client, URI) as cat:
        # More than the pipes hold: somebody has to read meanwhile.
        writer = threading.Thread(target=cat.write, args=(data,))
        writer.start()
        cat.expect(data)
        writer.join()
        expect(cat.end(0), (b'', ''))


def test_binary_among_lines(client):
    given = b'!binary 2 5\n!close 1000 done\n'
    expect(expect_end(0, '-k', '-c', client, URI, given=given), b'\0\0\0\0\0\n\1\1\1\1\1\n')


def test_many(client):
    """Both ways at once, more than sockets hold."""
    lines = b''.join(b'%d %s\n' % (i, b'x' * 100) for i in range(50000))
    given = lines + b'!close 1000 done\n'
    expect(expect_end(0, '-k', '-c', client, URI, given=given), lines)


def test_server_closes(client):
    expect_end(0, '-k', '-c', client, URI, given=b'!close 1000 bye\n')
    expect_end(1, '-k', '-c', client, URI, given=b'!close 4000 enough\n', error='4000: enough')
    expect_end(1, '-k', '-c', client, URI, given=b'!reset\n', error='s9ws-cat: ')


def test_ping(client):
    with Cat('-k', '-p', '0.02', '-c', client, URI) as cat:
        for _ in range(3):
            line = cat.process.stderr.readline().decode()
            assert re.fullmatch(r'Round trip: \d+\.\d\d\d ms\n', line), line
        cat.write(b'!close 1000 done\n')
        cat.end(0)


def test_signals(client):
    """The server is told, then it dies by the signal."""
    for number in SIGNALS:
        with Cat('-v', '-c', client, URI) as cat:
            cat.write(b'Hello\n')
            cat.expect(b'Hello\n')
            cat.process.send_signal(number)
            cat.process.wait(TIMEOUT)
            assert 'code 1001' in cat.end(-number)[1]


def test_reader_ends(client):
    """Although no message comes that could not be written."""
    with Cat('-v', '-c', client, URI) as cat:
        cat.write(b'Hello\n')
        cat.expect(b'Hello\n')
        cat.process.stdout.close()
        cat.process.wait(TIMEOUT)
        expect(cat.process.returncode, -signal.SIGPIPE)
        assert 'code 1001' in cat.process.stderr.read().decode()


def test_tls(client):
    given = b'!close 1000 done\n'
    expect_end(0, '-k', '-c', client, '--ca-file', os.environ['S9WS_TEST_CA'], TLS_URI, given=given)
    expect_end(0, '-k', '-c', client, '--insecure', TLS_URI, given=given)
    expect_end(4, '-k', '-c', client, TLS_URI, error='s9ws-cat: ')


def test_certificate():
    """The key may be in a file of its own, or with the certificate."""
    trust = ['-k', '--ca-file', os.environ['S9WS_TEST_CA']]
    folder = os.path.dirname(os.environ['S9WS_TEST_CA'])
    certificate, key = (os.path.join(folder, name) for name in ('client.pem', 'client-key.pem'))
    given = b'!close 1000 done\n'
    expect_end(0, *trust, '--certificate-file', certificate, '--key-file', key, TLS_URI, given=given)
    expect_end(2, *trust, '--certificate-file', certificate, TLS_URI, error=certificate)
    with tempfile.NamedTemporaryFile() as both:
        for path in (certificate, key):
            with open(path, 'rb') as part:
                both.write(part.read())
        both.flush()
        expect_end(0, *trust, '--certificate-file', both.name, TLS_URI, given=given)


def test_opening(client):
    expect_end(2, '-c', client, 'http://127.0.0.1/', error='expected ws, wss')
    expect_end(5, '-c', client, URI + 'refused', error='403')
    # Bound, so that nobody else listens there, but not listening.
    with socket.socket() as unheard:
        unheard.bind(('127.0.0.1', 0))
        expect_end(3, '-c', client, f'ws://127.0.0.1:{unheard.getsockname()[1]}/', error='s9ws-cat: ')


# Once

def test_strategies():
    for strategy in STRATEGIES:
        for client in CLIENTS[1:]:
            with Cat('-c', client, *strategy, URI) as cat:
                cat.write(b'Hello\n')
                cat.expect(b'Hello\n')
                expect(cat.end(0), (b'', ''))


def test_headers_and_protocols():
    with Cat('-v', '-H', 'X-First: one', '--header=X-Second:two', '-P', 'other', '-P', 'chat', URI) as cat:
        cat.write(b'!header X-First\n!header X-Second\n')
        cat.expect(b'one\ntwo\n')
        assert 'chat' in cat.end(0)[1]


def test_wait():
    expect(expect_end(0, '-w', '3600', URI, given=b'Hello\n!close 1000 done\n'), b'Hello\n')
    expect_end(0, '-w', '0.01', URI)


def test_one_message():
    expect(expect_end(0, '-1', URI, given=b'!burst 100\n'), b'0\n')


def test_stats():
    errors = run('-k', '-s', URI, given=b'Hello\n!close 1000 done\n')[2]
    assert 'Received: 1 message, 5 bytes' in errors and 'Sent: 2 messages, 21 bytes' in errors, errors


def test_no_input():
    expect(subprocess.run(['sh', '-c', 'exec "$0" "$1" <&-', PROGRAM, URI], check=False,
                          timeout=TIMEOUT, stdout=subprocess.PIPE).returncode, 0)


def test_data():
    expect_end(6, '-k', URI, given=b'good\nb\xffd\n', error='s9ws-cat: ')
    with open('/dev/full', 'wb') as full:
        expect_end(6, '-k', URI, given=b'Hello\n', error='s9ws-cat: ', stdout=full)


def test_signal_before_open():
    """Nobody is there to be polite to."""
    with socket.socket() as silent:
        silent.bind(('127.0.0.1', 0))
        silent.listen()
        with Cat(f'ws://127.0.0.1:{silent.getsockname()[1]}/') as cat:
            silent.settimeout(TIMEOUT)
            with silent.accept()[0] as peer:
                assert peer.recv(1)
                cat.process.send_signal(signal.SIGINT)
                cat.end(-signal.SIGINT)


def accept_deaf(listener):
    """Agrees to the upgrade, and reads nothing any more."""
    peer = listener.accept()[0]
    request = b''
    while not request.endswith(b'\r\n\r\n'):
        request += peer.recv(1)
    key = re.search(rb'Sec-WebSocket-Key: (.*)\r', request)[1]
    accept = base64.b64encode(hashlib.sha1(key + b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest())
    peer.sendall(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
                 b'Sec-WebSocket-Accept: ' + accept + b'\r\n\r\n')
    return peer


def fill(pipe):
    """Until nobody has taken any of it for a while."""
    os.set_blocking(pipe.fileno(), False)
    while select.select([], [pipe], [], 0.5)[1]:
        pipe.write(b'x' * 99 + b'\n')


def test_signal_while_server_is_deaf():
    """One is enough, however much waits to be sent."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(('127.0.0.1', 0))
        listener.listen()
        listener.settimeout(TIMEOUT)
        cats = []
        for client in CLIENTS:
            cats.append(stack.enter_context(Cat('-c', client, f'ws://127.0.0.1:{listener.getsockname()[1]}/')))
            stack.enter_context(accept_deaf(listener))
        for cat in cats:
            fill(cat.process.stdin.raw)
            cat.process.send_signal(signal.SIGINT)
        for cat in cats:
            expect(cat.process.wait(TIMEOUT), -signal.SIGINT)


def test_pong_timeout():
    """It ends where the server says nothing, and goes on where it answers."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(('127.0.0.1', 0))
        listener.listen()
        listener.settimeout(TIMEOUT)
        deaf = f'ws://127.0.0.1:{listener.getsockname()[1]}/'
        for client in CLIENTS:
            with Cat('-k', '-p', '0.05', '-t', '0.2', '-c', client, deaf) as cat:
                stack.enter_context(accept_deaf(listener))
                cat.process.wait(TIMEOUT)
                assert 'pong-timeout' in cat.end(1)[1]
    with Cat('-k', '-p', '0.02', '-t', '3600', URI) as cat:
        for _ in range(3):
            assert 'Round trip' in cat.process.stderr.readline().decode()
        cat.write(b'!close 1000 done\n')
        cat.end(0)


def run_on_terminal(stream, *arguments, given):
    """What it shows there."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    try:
        subprocess.run([PROGRAM, *arguments], input=given, timeout=TIMEOUT, check=False, **{stream: theirs})
    finally:
        os.close(theirs)
    shown = b''
    # The end is an error, after all that has been written.
    with open(ours, 'rb', buffering=0) as terminal, contextlib.suppress(OSError):
        while part := terminal.read(4096):
            shown += part
    return shown.decode()


def test_terminal():
    """Whoever sends something does not steer it, and a pipe gets what was sent."""
    sent = '\ta\x1b]0;title\x07\x7f\r\x9b31mé\n'.encode()
    expect(run_on_terminal('stdout', '-1', URI, given=sent), '\ta\ufffd]0;title\ufffd\ufffd\ufffd\ufffd31mé\n')
    expect(expect_end(0, '-1', URI, given=sent), sent)
    expect(run_on_terminal('stdout', '-1', URI, given=b'!binary 1 3\n'), '\ufffd\ufffd\ufffd\n')
    closing = b'!close 4000 x\x1b[2J\n'
    shown = run_on_terminal('stderr', '-k', URI, given=closing)
    assert shown.endswith('4000: x\ufffd[2J\n'), repr(shown)
    expect_end(1, '-k', URI, given=closing, error='4000: x\x1b[2J')


def test_unix_socket():
    """The other end of the socket is the server's, byte by byte."""
    port = int(re.search(r':(\d+)/', URI)[1])
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = os.path.join(folder, 'socket')
        listener.bind(path)
        listener.listen()
        listener.settimeout(TIMEOUT)
        with Cat('-k', f'ws+unix:{path}:/feed') as cat:
            ours, theirs = listener.accept()[0], socket.create_connection(('127.0.0.1', port))
            threads = [threading.Thread(target=pass_on, args=ends) for ends in ((ours, theirs), (theirs, ours))]
            for thread in threads:
                thread.start()
            cat.write(b'Hello\n')
            cat.expect(b'Hello\n')
            cat.write(b'!close 1000 done\n')
            cat.end(0)
            for thread in threads:
                thread.join()
            ours.close()
            theirs.close()


def pass_on(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


def test_usage():
    for arguments, error in (([], 'no URI'), ([URI, URI], 'more than one URI'), (['--nonsense', URI], '--nonsense'),
                             (['-c', 'other', URI], 'blocking, non-blocking, async'),
                             (['--wait-strategy', 'other', URI], 'adaptive'),
                             (['-H', 'no colon', URI], 'no colon'), (['-H', 'Host: x', URI], 'Host'),
                             (['-w', '-1', URI], 'negative'), (['-p', 'nan', URI], 'negative'),
                             (['-t', '1', URI], '--pong-timeout needs'), (['--key-file', 'x', URI], '--key-file needs'),
                             (['-k', '--ca-file', '/nowhere', TLS_URI], '/nowhere')):
        expect_end(2, *arguments, error=error)


def get_options():
    return set(re.findall(r'--[\w-]+', run('--help')[1].decode()))


def test_help():
    expect(run('--help')[0], 0)
    assert re.fullmatch(r's9ws-cat \d+\.\d+\.\d+\n', run('--version')[1].decode())
    assert '--binary' in get_options()


def test_manual_page():
    lint = subprocess.run(['mandoc', '-T', 'lint', MANUAL_PAGE], stdout=subprocess.PIPE, check=False, text=True)
    expect(lint.stdout, '')
    with open(MANUAL_PAGE, encoding='utf-8') as page:
        items = ' '.join(re.findall(r'^\.It (.*)', page.read(), re.M))
    expect({'-' + name for name in re.findall(r' (-[a-z][\w-]+)', items)}, get_options())


def complete(*words):
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
              '_s9ws_cat; printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(['bash', '--norc', '-u', '-c', script, 'bash', COMPLETION, 's9ws-cat', *words],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True, text=True)
    return done.stdout.split()


def test_completion():
    expect(set(complete('--')), get_options())
    expect(complete('--st'), ['--stats'])
    expect(complete('--client', 'a'), ['async'])
    expect(complete('-c', ''), CLIENTS)
    # Bash takes the sign for a word.
    expect(complete('--client', '=', 'b'), ['blocking'])
    expect(complete('--wait-strategy', '='), ['spin', 'sleep', 'wait', 'adaptive'])
    expect(complete('--ca-file', MANUAL_PAGE), [MANUAL_PAGE])
    expect(complete('ws'), ['ws://', 'wss://', 'ws+unix:', 'wss+unix:'])
    expect(complete('--wait', ''), [])
    registered = subprocess.run(['bash', '--norc', '-c', 'source "$1"; complete -p s9ws-cat', 'bash', COMPLETION],
                                stdout=subprocess.PIPE, check=True, text=True).stdout
    assert '_s9ws_cat' in registered


EACH = [test_lines, test_last_line, test_binary, test_binary_among_lines, test_many, test_server_closes,
        test_ping, test_signals, test_reader_ends, test_tls, test_opening]
ONCE = [test_certificate, test_strategies, test_headers_and_protocols, test_wait, test_one_message,
        test_stats, test_no_input, test_data, test_signal_before_open, test_signal_while_server_is_deaf,
        test_pong_timeout, test_terminal, test_unix_socket, test_usage, test_help, test_manual_page, test_completion]


def main():
    os.environ['LC_ALL'] = 'C.UTF-8'
    tests = [(test, (client,)) for test in EACH for client in CLIENTS] + [(test, ()) for test in ONCE]
    n_failed = 0
    print(f'1..{len(tests)}', flush=True)
    for i, (test, arguments) in enumerate(tests, 1):
        name = ' '.join((test.__name__, *arguments))
        try:
            test(*arguments)
            print(f'ok {i} - {name}', flush=True)
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            n_failed += 1
            print(f'not ok {i} - {name}')
            print(f'# {type(error).__name__}: {str(error)[:1000]}'.replace('\n', '\n# '), flush=True)
    return n_failed != 0


sys.exit(main())
