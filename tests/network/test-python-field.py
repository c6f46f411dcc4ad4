#!/usr/bin/python3
"""test-python-field.py: what happens in the field, from Python, with servers of others.

Usage: test-python-field.py WS-URI WSS-URI, of server.py

They compress, stand still, listen on Unix sockets and end in each way. Those that have to
stand still are processes of their own, stopped by SIGSTOP.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import asyncio
import contextlib
import errno
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

import websockets

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'bindings'))
from recorder import PLAIN_URI, TLS_URI, Recorder, TestCase, main, make_options  # noqa: E402
from gi.repository import GLib, S9ws  # noqa: E402

KINDS = S9ws.BlockingClient, S9ws.NonBlockingClient, S9ws.AsyncClient
CERTIFICATES = pathlib.Path(os.environ['S9WS_TEST_CA']).parent
IDENTITY = CERTIFICATES / 'good.pem', CERTIFICATES / 'good-key.pem'
TEXT = 'Größe 世界 🎈 ' * 500
SHORT, LONG = 100, 120000  # ms: what is waited for, and what never passes

PEERS = {
    'websockets': ['/usr/bin/python3', HERE.parent / 'interop/server-websockets.py'],
    'ws': ['node', HERE.parent / 'interop/server-ws.cjs'],
}


@contextlib.contextmanager
def running(peer, is_secure=False):
    """The process, and its URI."""
    options = ['--certificate', IDENTITY[0], '--key', IDENTITY[1]] if is_secure else []
    process = subprocess.Popen([*PEERS[peer], '--port', '0', *options],
                               env=dict(os.environ, NODE_PATH='/usr/share/nodejs'),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        port = int(process.stdout.readline().split()[1])
        yield process, f'wss://localhost:{port}/' if is_secure else f'ws://127.0.0.1:{port}/'
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def standing_still(process):
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


class TestCompression(TestCase):
    """The options, and the parameters that each server answers with."""

    CASES = [
        ({}, {}),
        ({'server_max_window_bits': 9}, {'server_max_window_bits': '9'}),
        ({'client_no_context_takeover': True}, {'client_no_context_takeover': ''}),
        ({'server_no_context_takeover': True}, {'server_no_context_takeover': ''}),
        ({'client_max_window_bits': 10, 'server_max_window_bits': 12, 'compression_level': 9,
          'client_no_context_takeover': True, 'server_no_context_takeover': True},
         {'server_max_window_bits': '12', 'client_no_context_takeover': '',
          'server_no_context_takeover': ''}),
    ]

    def check(self, client, expected):
        recorder = Recorder(client)
        client.connect('activated', lambda client: [client.send_text(TEXT) for _ in range(3)])
        client.connect('text-message', lambda client, text:
                       len(recorder.values('text-message')) == 3 and client.close(1000, None))
        self.assertTrue(client.run(None))
        self.assertEqual(recorder.values('text-message'), [TEXT] * 3)

        name, *parameters = client.get_response_header('Sec-WebSocket-Extensions').split(';')
        self.assertEqual(name, 'permessage-deflate')
        parameters = dict(item.strip().partition('=')[::2] for item in parameters)
        parameters.pop('client_max_window_bits', None)  # it may be answered, and need not be
        self.assertEqual(parameters, expected)

        stats = client.get_stats()
        for n_messages, n_bytes in ((stats.compressed_messages_sent, stats.compressed_bytes_sent),
                                    (stats.compressed_messages_received,
                                     stats.compressed_bytes_received)):
            self.assertEqual(n_messages, 3)
            self.assertLess(n_bytes, len(TEXT))

    def test_parameters(self):
        for peer in PEERS:
            for is_secure in (False, True):
                with running(peer, is_secure) as (_, uri):
                    for values, expected in self.CASES:
                        for kind in KINDS:
                            with self.subTest(peer=peer, uri=uri, values=values, kind=kind):
                                options = make_options(compression_threshold=0, **values)
                                self.check(kind(uri=uri, options=options), expected)


class TestClocks(TestCase):
    """The server stands still in one of the phases of a connection."""

    def each(self, check):
        for is_secure in (False, True):
            with running('websockets', is_secure) as (process, uri):
                for kind in KINDS:
                    with self.subTest(uri=uri, kind=kind):
                        check(process, uri, kind)

    def test_handshake(self):
        def check(process, uri, kind):
            client = kind(uri=uri, options=make_options(handshake_timeout=SHORT,
                                                        connect_timeout=LONG))
            with standing_still(process):
                error = self.assert_fails(S9ws.Error.TIMED_OUT, client.open, None)
            self.assertIn('handshake-timeout', error.message)
            self.assertFalse(client.props.end_report.get_has_opened())

        self.each(check)

    def test_connect(self):
        """Of a server that takes nobody any more: its queue is full."""
        with socket.socket() as server, contextlib.ExitStack() as stack:
            server.bind(('127.0.0.1', 0))
            server.listen(0)
            address = server.getsockname()
            for _ in range(3):
                queued = stack.enter_context(socket.socket())
                queued.setblocking(False)
                queued.connect_ex(address)
            for kind in KINDS:
                with self.subTest(kind=kind):
                    client = kind(uri='ws://127.0.0.1:%d/' % address[1],
                                  options=make_options(connect_timeout=SHORT))
                    error = self.assert_fails(S9ws.Error.TIMED_OUT, client.open, None)
                    self.assertIn('connect-timeout', error.message)

    def test_close(self):
        def check(process, uri, kind):
            client = kind(uri=uri, options=make_options(close_timeout=SHORT))
            recorder = Recorder(client)
            client.open(None)
            with standing_still(process):
                client.close(4000, 'enough')
                self.assertTrue(client.run(None))
            self.assertEqual(recorder.events[-2:], [('connection-closed', 1006, None), ('quit',)])
            report = client.props.end_report
            self.assertEqual(report.get_initiator(), S9ws.EndInitiator.LOCAL)
            self.assertEqual((report.get_sent_code(), report.get_received_code()), (4000, 0))
            self.assertFalse(report.get_is_clean())

        self.each(check)

    def test_pong(self):
        def check(process, uri, kind):
            client = kind(uri=uri, options=make_options(ping_interval=20, pong_timeout=SHORT * 3))
            recorder = Recorder(client)
            client.open(None)
            with standing_still(process):
                error = self.assert_fails(S9ws.Error.TIMED_OUT, client.run, None)
            self.assertEqual(recorder.names[-3:], ['error', 'connection-closed', 'quit'])
            report = client.props.end_report
            self.assertEqual(report.get_code(), 1006)
            self.assertEqual(report.get_error().message, error.message)
            self.assertFalse(report.get_is_clean())
            self.assertGreaterEqual(report.get_received_age(), report.get_sent_age())

        self.each(check)

    def test_stuck(self):
        """What could not be sent is counted, where a sender is stuck as well."""
        def check(process, uri, kind):
            client = kind(uri=uri, options=make_options(
                ping_interval=20, pong_timeout=SHORT * 3,
                compression=False, max_buffered_amount=1 << 28))
            client.open(None)
            with standing_still(process):
                client.send_binary(bytes(1 << 26))
                self.assert_fails(S9ws.Error.TIMED_OUT, client.run, None)
            self.assertGreater(client.props.end_report.get_bytes_unsent(), 1 << 20)

        self.each(check)


async def tell_host(ws):
    await ws.send(ws.request_headers['Host'])
    with contextlib.suppress(websockets.ConnectionClosed):
        async for message in ws:
            await ws.send(message)


@contextlib.contextmanager
def serving_unix(path, tls):
    """A thread's server, on Python's websockets."""
    loop = asyncio.new_event_loop()
    is_up = threading.Event()
    is_over = asyncio.Event()

    async def serve():
        async with websockets.unix_serve(tell_host, path, ssl=tls):
            is_up.set()
            await is_over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        is_up.wait()
        yield
    finally:
        loop.call_soon_threadsafe(is_over.set)
        thread.join()
        loop.close()


class TestAddresses(TestCase):
    def talk(self, kind, uri, **values):
        client = kind(uri=uri, options=make_options(**values))
        recorder = Recorder(client, text_message=lambda client, text: client.close(1000, None))
        self.assertTrue(client.run(None))
        return recorder.values('text-message')

    def test_unix(self):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*IDENTITY)
        with tempfile.TemporaryDirectory() as folder:
            for scheme, context in (('ws', None), ('wss', tls)):
                path = os.path.join(folder, scheme)
                uri = f'{scheme}+unix:{path}:/chat'
                with serving_unix(path, context):
                    for kind in KINDS:
                        with self.subTest(uri=uri, kind=kind):
                            self.assertEqual(self.talk(kind, uri), ['localhost'])
                            self.assertEqual(self.talk(kind, uri, host_header='chat.example'),
                                             ['chat.example'])

    def test_server_name(self):
        """Of another host than the URI's: of one that is in the certificate, and of one not."""
        with running('ws', True) as (_, uri):
            for name, is_right in (('localhost', True), ('other.example', False)):
                for kind in KINDS:
                    with self.subTest(name=name, kind=kind):
                        tls = S9ws.TlsContext(ca_file=os.environ['S9WS_TEST_CA'], server_name=name)
                        client = kind(uri=uri.replace('localhost', '127.0.0.1'),
                                      options=S9ws.Options(tls_context=tls))
                        if is_right:
                            client.connect('activated', lambda client: client.close(1000, None))
                            self.assertTrue(client.run(None))
                        else:
                            error = self.assert_fails(S9ws.Error.TLS, client.open, None)
                            self.assertIn(name, error.message)


class TestEndReport(TestCase):
    def test_refused_connection(self):
        with socket.socket() as unused:
            unused.bind(('127.0.0.1', 0))  # no listen ()
            for kind in KINDS:
                with self.subTest(kind=kind):
                    client = kind(uri='ws://127.0.0.1:%d/' % unused.getsockname()[1])
                    self.assert_fails(S9ws.Error.CONNECT, client.open, None)
                    report = client.props.end_report
                    self.assertEqual(report.get_error_number(), errno.ECONNREFUSED)
                    self.assertEqual((report.get_received_age(), report.get_sent_age()), (-1, -1))
                    self.assertIn(os.strerror(errno.ECONNREFUSED), str(report))

    def test_alert(self):
        """A server that refuses the one version that the client has."""
        with running('ws', True) as (_, uri):
            for kind in KINDS:
                with self.subTest(kind=kind):
                    tls = S9ws.TlsContext(ca_file=os.environ['S9WS_TEST_CA'],
                                          priority='NORMAL:-VERS-ALL:+VERS-TLS1.1')
                    client = kind(uri=uri, options=S9ws.Options(tls_context=tls))
                    self.assert_fails(S9ws.Error.TLS, client.open, None)
                    report = client.props.end_report
                    self.assertEqual(report.get_tls_alert(), 70)  # protocol_version
                    self.assertIn('TLS alert 70', str(report))

    def test_server_ends(self):
        """By each way: the code of the server, and what the report has of it."""
        for uri in (PLAIN_URI, TLS_URI):
            for text, received, reason, is_clean in (('!close 4001 away', 4001, 'away', True),
                                                     ('!reset', 0, None, False)):
                for kind in KINDS:
                    with self.subTest(uri=uri, text=text, kind=kind):
                        client = kind(uri=uri, options=make_options())
                        client.connect('activated', lambda client, text=text: client.send_text(text))
                        with contextlib.nullcontext() if is_clean else self.assertRaises(GLib.Error):
                            client.run(None)
                        report = client.props.end_report
                        self.assertEqual(report.get_initiator(), S9ws.EndInitiator.REMOTE)
                        self.assertEqual(report.get_code(), received or 1006)
                        self.assertEqual(report.get_received_code(), received)
                        self.assertEqual(report.get_received_reason(), reason)
                        self.assertEqual(report.get_is_clean(), is_clean)
                        self.assertEqual(report.get_bytes_unsent(), 0)
                        self.assertGreaterEqual(report.get_sent_age(), 0)
                        self.assertGreaterEqual(report.get_received_age(), 0)
                        self.assertEqual(report.get_response_status(), 101)


if __name__ == '__main__':
    # Whoever stands still would stand for ever.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('terminated'))
    main()
