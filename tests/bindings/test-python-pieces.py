#!/usr/bin/python3
"""test-python-pieces.py: compression and messages in pieces as a Python program sees them.

Usage: test-python-pieces.py WS-URI WSS-URI, of server.py

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from recorder import PLAIN_URI, TLS_URI, TestCase, main, make_options  # noqa: E402
from gi.repository import Gio, GLib, GObject, S9ws  # noqa: E402

KINDS = (S9ws.BlockingClient, S9ws.NonBlockingClient, S9ws.AsyncClient)
TEXT = 'Größe 世界 🎈 ' * 2000
PIECE = 1000


def each_client(method):
    """Runs a test with each client, over ws and wss."""
    def test(self):
        for kind in KINDS:
            for uri in (PLAIN_URI, TLS_URI):
                with self.subTest(kind=kind.__name__, uri=uri.partition(':')[0]):
                    method(self, kind, uri)
    return test


def make_client(kind, uri, **values):
    return kind(uri=uri, options=make_options(wait_strategy=S9ws.WaitStrategy.WAIT, **values))


def send_in_pieces(client, kind, data, size=777):
    client.begin_message(kind)
    for i in range(0, len(data), size):
        client.append(data[i:i + size])
    client.finish_message()


class Pieces:
    """Puts messages together again, and closes behind the last of them."""

    def __init__(self, n_messages):
        self.n_messages = n_messages
        self.messages = []
        self.flags = []
        self.data = b''

    def add(self, client, data, flags):
        assert len(data) <= PIECE, len(data)
        self.flags.append(flags)
        self.data += data
        if flags & S9ws.PieceFlags.LAST:
            is_text = bool(flags & S9ws.PieceFlags.TEXT)
            self.messages.append(self.data.decode() if is_text else self.data)
            self.data = b''
            if len(self.messages) == self.n_messages:
                client.close(1000, None)


def talk(client):
    send_in_pieces(client, S9ws.MessageKind.TEXT, TEXT.encode())
    send_in_pieces(client, S9ws.MessageKind.BINARY, bytes(5000))
    client.send_text('whole')


EXPECTED = [TEXT, bytes(5000), 'whole']


class TestPieces(TestCase):
    def check(self, pieces):
        self.assertEqual(pieces.messages, EXPECTED)
        first, last = S9ws.PieceFlags.FIRST, S9ws.PieceFlags.LAST
        self.assertEqual(sum(bool(flags & first) for flags in pieces.flags), 3)
        self.assertEqual(sum(bool(flags & last) for flags in pieces.flags), 3)
        self.assertTrue(pieces.flags[0] & first and not pieces.flags[0] & last)
        self.assertGreater(len(pieces.flags), len(TEXT.encode()) / PIECE)

    @each_client
    def test_signal(self, kind, uri):
        client = make_client(kind, uri, max_piece_size=PIECE)
        pieces = Pieces(3)
        whole = []
        client.connect('activated', talk)
        client.connect('message-piece', lambda client, data, flags:
                       pieces.add(client, data.get_data(), flags))
        client.connect('text-message', lambda *arguments: whole.append(arguments))
        client.connect('binary-message', lambda *arguments: whole.append(arguments))
        self.assertTrue(client.run())
        self.check(pieces)
        self.assertEqual(whole, [])
        self.assertEqual(client.get_stats().messages_received, 3)
        self.assertEqual(client.get_stats().messages_sent, 3)

    @each_client
    def test_handler(self, kind, uri):
        pieces = Pieces(3)

        class Handler(GObject.Object, S9ws.Handler):
            def do_activated(self, client):
                talk(client)

            def do_message_piece(self, client, data, *rest):
                pieces.add(client, bytes(data), rest[-1])

        client = make_client(kind, uri, max_piece_size=PIECE, compression=False)
        client.set_handler(Handler())
        self.assertTrue(client.run())
        self.check(pieces)

    def test_events(self):
        client = make_client(S9ws.AsyncClient, PLAIN_URI, max_piece_size=PIECE)
        pieces = Pieces(3)
        client.start()
        talk(client)
        while (event := client.pop_event()) is not None:
            if event.get_kind() == S9ws.EventKind.MESSAGE_PIECE:
                self.assertEqual(event.get_bytes().get_data(), bytes(event.get_data()))
                pieces.add(client, bytes(event.get_data()), event.get_piece_flags())
        self.check(pieces)

    @each_client
    def test_receive(self, kind, uri):
        client = make_client(kind, uri, max_piece_size=PIECE)
        pieces = Pieces(3)
        client.open()
        talk(client)
        while (event := client.receive(-1)) is not None:
            if event.get_kind() == S9ws.EventKind.MESSAGE_PIECE:
                pieces.add(client, bytes(event.get_data()), event.get_piece_flags())
        self.check(pieces)

    @each_client
    def test_errors(self, kind, uri):
        client = make_client(kind, uri)
        client.open()
        self.assert_fails(S9ws.Error.PROTOCOL, client.append, b'x')
        client.begin_message(S9ws.MessageKind.TEXT)
        with self.assertRaises(GLib.Error) as context:
            client.send_text('x')
        self.assertTrue(context.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.PENDING))
        client.append('ä'.encode()[:1])
        self.assert_fails(S9ws.Error.INVALID_UTF8, client.append, b'x')
        self.assert_fails(S9ws.Error.INVALID_UTF8, client.finish_message)
        client.append('ä'.encode()[1:])
        client.finish_message()
        echoed = []
        client.connect('text-message', lambda client, text: (echoed.append(text),
                                                             client.close(1000, None)))
        self.assertTrue(client.run())
        self.assertEqual(echoed, ['ä'])


class TestCompression(TestCase):
    @each_client
    def test_compress(self, kind, uri):
        client = make_client(kind, uri, compression_threshold=100)
        received = []

        def on_text(client, text):
            received.append(text)
            if len(received) == 4:
                client.close(1000, None)

        def on_activated(client):
            client.send_text('short')
            client.send_text(TEXT)
            client.props.compress = False
            client.send_text(TEXT)
            client.props.compress = True
            client.send_text(TEXT)

        client.connect('activated', on_activated)
        client.connect('text-message', on_text)
        self.assertTrue(client.run())
        self.assertEqual(received, ['short', TEXT, TEXT, TEXT])
        stats = client.get_stats()
        self.assertEqual(stats.compressed_messages_sent, 2)
        self.assertGreaterEqual(stats.compressed_messages_received, 3)
        self.assertLess(stats.compressed_bytes_sent, len(TEXT) / 10)
        self.assertLess(stats.compressed_bytes_received, len(TEXT) / 10)
        self.assertTrue(client.get_response_header('Sec-WebSocket-Extensions')
                        .startswith('permessage-deflate'))

    @each_client
    def test_off(self, kind, uri):
        client = make_client(kind, uri, compression=False)
        client.connect('activated', lambda client: client.send_text(TEXT))
        client.connect('text-message', lambda client, text: client.close(1000, None))
        self.assertTrue(client.run())
        self.assertIsNone(client.get_response_header('Sec-WebSocket-Extensions'))
        self.assertEqual(client.get_stats().compressed_messages_sent, 0)
        self.assertEqual(client.get_stats().compressed_messages_received, 0)


if __name__ == '__main__':
    main()
