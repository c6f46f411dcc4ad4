"""mute_server.py: servers inside a test, for what a real one will not do.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import base64
import contextlib
import hashlib
import itertools
import socket
import threading

GUID = b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
FRAME = b'\x81\x05Hello'
CLOSE = b'\x88\x02\x03\xe8'


def answer_upgrade(connection, more=b''):
    request = b''
    while not request.endswith(b'\r\n\r\n'):
        part = connection.recv(4096)
        if not part:
            return False
        request += part

    key = request.partition(b'Sec-WebSocket-Key: ')[2].split(b'\r\n')[0]
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    connection.sendall(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n'
                       b'Connection: Upgrade\r\n'
                       b'Sec-WebSocket-Accept: ' + accept + b'\r\n\r\n' + more)
    return True


def wait_end(connection):
    with contextlib.suppress(OSError):
        while connection.recv(65536):
            pass


def be_silent(connection):
    """Says nothing, not even when it is asked to close."""
    if answer_upgrade(connection):
        wait_end(connection)


def greet(connection):
    """Has said something before anybody can ask, and closes as soon as it is spoken to."""
    if answer_upgrade(connection, FRAME) and connection.recv(65536):
        connection.sendall(CLOSE)
        wait_end(connection)


def flood(connection):
    """The same, but sends texts for as long as there is anybody."""
    if answer_upgrade(connection):
        while True:
            connection.sendall(FRAME * 1000)


def count(connection):
    """The same, but the texts are the numbers from 0 on."""
    if answer_upgrade(connection):
        for i in itertools.count(0, 100):
            texts = [b'%d' % j for j in range(i, i + 100)]
            connection.sendall(b''.join(b'\x81%c%s' % (len(text), text) for text in texts))


def accept_all(listener, serve):
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve_one, args=(connection, serve), daemon=True).start()


def serve_one(connection, serve):
    with connection, contextlib.suppress(OSError):
        serve(connection)


@contextlib.contextmanager
def serving(serve):
    """The URI of a server; without a function, of one that never answers."""
    with socket.create_server(('127.0.0.1', 0)) as listener:
        if serve is not None:
            threading.Thread(target=accept_all, args=(listener, serve), daemon=True).start()
        yield 'ws://127.0.0.1:%d/' % listener.getsockname()[1]
        # Closing alone would not end accept ().
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
