#!/usr/bin/python3
"""test-python.py: the library as a Python program sees it.

Usage: test-python.py WS-URI WSS-URI, of server.py

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import copy
import gc
import os
import pickle
import socket
import sys
import threading
import time
import unittest.mock
import weakref

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from recorder import (Handler, PLAIN_URI, Recorder, TLS_URI, TestCase,  # noqa: E402
                      count_threads, main, make_options)
from gi.repository import Gio, GLib, GObject, S9ws  # noqa: E402

N_MESSAGES = 10000
BYTES = bytes(range(256))
KINDS = (S9ws.BlockingClient, S9ws.NonBlockingClient, S9ws.AsyncClient)
WAIT = S9ws.WaitStrategy.WAIT
TIMEOUT = 20  # s


def each_client(method):
    """Runs a test with each client, over ws and wss."""
    def test(self):
        for kind in KINDS:
            for uri in (PLAIN_URI, TLS_URI):
                with self.subTest(kind=kind.__name__, uri=uri.partition(':')[0]):
                    method(self, kind(uri=uri, options=make_options(wait_strategy=WAIT)))
    return test


class Session:
    """Says one of everything, each when the answer to the last one has come."""

    def __init__(self):
        self.steps = iter((
            lambda client: client.send_text('Grüße, 世界 🙂'),
            lambda client: client.send_text(''),
            lambda client: client.send_binary(BYTES),
            lambda client: client.send_binary(b''),
            lambda client: client.send_bytes(GLib.Bytes.new(BYTES * 64)),
            lambda client: client.send_ping(b'round trip'),
            lambda client: client.send_text('!ping from there') and client.send_text('on'),
            lambda client: client.send_pong(b'unasked') and client.send_text('!nul'),
            lambda client: client.close(4001, 'Auf Wiedersehen ☺'),
        ))
        self.results = []

    def go_on(self, client, *_):
        self.results.append(next(self.steps)(client))

    EXPECTED = [
        ('activated',),
        ('text-message', 'Grüße, 世界 🙂'),
        ('text-message', ''),
        ('binary-message', BYTES),
        ('binary-message', b''),
        ('binary-message', BYTES * 64),
        ('pong', b'round trip'),
        ('ping', b'from there'),
        ('text-message', 'on'),
        ('text-message', 'before\ufffdafter'),
        ('connection-closed', 4001, 'Auf Wiedersehen ☺'),
        ('quit',),
    ]

    def get_actions(self):
        return dict.fromkeys(('activated', 'text_message', 'binary_message', 'pong'), self.go_on)


class TestClients(TestCase):
    def check_session(self, client, recorder, session):
        self.assertEqual(recorder.events, Session.EXPECTED)
        self.assertEqual(session.results, [True] * 9)
        self.assertEqual(client.props.state, S9ws.State.CLOSED)
        if isinstance(client, S9ws.AsyncClient):
            self.assertEqual((recorder.polls, recorder.idles), (0, 0))
        else:
            self.assertGreater(recorder.polls, 0)

        stats = client.get_stats()
        self.assertEqual(stats.messages_sent, 8)
        self.assertEqual(stats.messages_received, 7)
        self.assertEqual(stats.pings_sent, 1)
        self.assertEqual(stats.pongs_received, 1)
        self.assertEqual(stats.pings_received, 1)
        self.assertEqual(stats.pongs_sent, 2)
        self.assertEqual(stats.bytes_received,
                         len('Grüße, 世界 🙂'.encode()) + 65 * 256 + len('on' 'before-after'))
        self.assertGreater(stats.bytes_sent, stats.bytes_received)
        self.assertGreater(stats.reads, 0)
        self.assertGreater(stats.writes, 0)
        self.assertGreater(stats.last_round_trip, 0)
        self.assertLess(stats.last_round_trip, 60 * 1000000)
        self.assertEqual(stats.bytes_unsent, 0)
        self.assertEqual(stats.messages_unsent, 0)

    @each_client
    def test_signals(self, client):
        session = Session()
        recorder = Recorder(client, **session.get_actions())
        self.assertIs(client.run(), True)
        self.assertIsNone(recorder.failure)
        self.check_session(client, recorder, session)

    @each_client
    def test_open_then_run(self, client):
        states = []
        client.connect('notify::state', lambda client, _: states.append(client.props.state))
        recorder = Recorder(client, activated=lambda client: client.close(1000, None))
        self.assertEqual(client.props.state, S9ws.State.NEW)
        self.assertEqual(client.get_response_status(), 0)
        self.assertIsNone(client.get_response_header('Upgrade'))

        self.assertTrue(client.open())
        self.assertEqual(client.props.state, S9ws.State.OPEN)
        self.assertEqual(recorder.events, [])
        self.assertEqual(client.get_response_status(), 101)
        self.assertEqual(client.get_response_header('upGRADE'), 'websocket')
        self.assertIsNone(client.get_response_header('No-Such-Header'))
        self.assertIsNone(client.get_response_body())
        self.assertGreaterEqual(client.get_fd(), 0)
        self.assertEqual(client.get_socket().get_remote_address().get_port(),
                         GLib.Uri.parse(client.props.uri, 0).get_port())

        self.assertTrue(client.run())
        self.assertEqual(recorder.events,
                         [('activated',), ('connection-closed', 1000, None), ('quit',)])
        self.assertEqual(states[-1], S9ws.State.CLOSED)
        self.assertIn(S9ws.State.OPEN, states)
        self.assertEqual(client.get_fd(), -1)
        self.assertIsNone(client.get_socket())

    @each_client
    def test_server_closes(self, client):
        recorder = Recorder(client, activated=lambda client: client.send_text('!close 3000 bye'))
        self.assertTrue(client.run())
        self.assertEqual(recorder.events,
                         [('activated',), ('connection-closed', 3000, 'bye'), ('quit',)])

    @each_client
    def test_lost(self, client):
        recorder = Recorder(client, activated=lambda client: client.send_text('!reset'))
        with self.assertRaises(GLib.Error) as context:
            client.run()
        self.assertEqual(context.exception.domain, 's9ws-error-quark')
        self.assertEqual(recorder.names, ['activated', 'error', 'connection-closed', 'quit'])
        self.assertIsInstance(recorder.events[1][1], GLib.Error)
        self.assertEqual(recorder.events[1][1].message, context.exception.message)
        self.assertEqual(recorder.events[2][1:], (1006, None))

    @each_client
    def test_force_quit(self, client):
        recorder = Recorder(client, activated=lambda client: client.send_text('x'),
                            text_message=lambda client, text: client.force_quit())
        self.assertTrue(client.run())
        self.assertEqual(recorder.names, ['activated', 'text-message', 'quit'])

    @each_client
    def test_force_quit_from_thread(self, client):
        thread = threading.Timer(0.1, client.force_quit)
        recorder = Recorder(client, activated=lambda client: thread.start())
        self.assertTrue(client.run())
        thread.join()
        self.assertEqual(recorder.names, ['activated', 'quit'])

    @each_client
    def test_cancel(self, client):
        cancellable = Gio.Cancellable()
        thread = threading.Timer(0.1, cancellable.cancel)
        recorder = Recorder(client, activated=lambda client: thread.start())
        with self.assertRaises(GLib.Error) as context:
            client.run(cancellable)
        thread.join()
        self.assertTrue(context.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED))
        self.assertEqual(recorder.names, ['activated', 'quit'])

    @each_client
    def test_flood(self, client):
        def on_text(client, text):
            if text == str(N_MESSAGES - 1):
                client.close(1000, None)

        recorder = Recorder(client, text_message=on_text,
                            activated=lambda client: client.send_text(f'!burst {N_MESSAGES}'))
        self.assertTrue(client.run())
        self.assertEqual(recorder.values('text-message'), [str(i) for i in range(N_MESSAGES)])
        self.assertEqual(recorder.names[-2:], ['connection-closed', 'quit'])
        self.assertEqual(client.get_stats().messages_received, N_MESSAGES)

    @each_client
    def test_kept_bytes(self, client):
        """Data of a signal may be kept: large data stays as it was, too."""
        kept = []

        def on_binary(client, data):
            kept.append(data)
            if len(kept) == 40:
                client.close(1000, None)

        client.connect('binary-message', on_binary)
        client.connect('activated', lambda client: client.send_text('!binary 40 20000'))
        self.assertTrue(client.run())
        del client
        gc.collect()
        for i, data in enumerate(kept):
            self.assertEqual(data.get_data(), bytes([i]) * 20000)

    @each_client
    def test_errors_when_sending(self, client):
        def check(client):
            for send in (client.send_ping, client.send_pong):
                self.assert_fails(S9ws.Error.MESSAGE_TOO_BIG, send, bytes(126))
                self.assertTrue(send(bytes(125)))
            self.assert_fails(S9ws.Error.PROTOCOL, client.close, 1005, None)
            self.assert_fails(S9ws.Error.MESSAGE_TOO_BIG, client.close, 1000, 'x' * 124)
            self.assertRaises(UnicodeEncodeError, client.send_text, 'half a pair: \ud800')
            self.assertRaises(TypeError, client.send_text, None)
            self.assertRaises(TypeError, client.send_text, b'bytes')
            self.assertTrue(client.close(1000, None))
            self.assert_fails(S9ws.Error.CONNECTION_CLOSED, client.send_text, 'late')
            self.assert_fails(S9ws.Error.CONNECTION_CLOSED, client.send_binary, b'late')

        self.assert_fails(S9ws.Error.NOT_OPEN, client.send_text, 'early')
        self.assert_fails(S9ws.Error.NOT_OPEN, client.send_binary, b'early')
        self.assert_fails(S9ws.Error.NOT_OPEN, client.send_ping, b'early')
        self.assert_fails(S9ws.Error.NOT_OPEN, client.close, 1000, None)
        recorder = Recorder(client, activated=check)
        self.assertTrue(client.run())
        self.assertIsNone(recorder.failure)
        error = self.assert_fails(S9ws.Error.CONNECTION_CLOSED, client.run)
        self.assertIn('new client', error.message)


    @each_client
    def test_wrong_types(self, client):
        """Whatever thread it is that finds out."""
        calls = [
            (client.open, 'now'), (client.run, 5), (client.receive, 'soon'), (client.close, 'code', None),
            (client.close, 1000, b'reason'), (client.close,), (client.set_handler, object()),
            (client.send_text, 5), (client.send_binary, 'text'), (client.send_ping, 'text'),
            (client.send_pong, 'text'), (client.send_bytes, b'bytes'),
            (copy.copy, client), (copy.deepcopy, client), (pickle.dumps, client),
        ]
        if isinstance(client, S9ws.AsyncClient):
            calls += [(client.attach, 'context'), (client.timeout_pop_event, 'soon'),
                      (client.pop_events, 'many', 0)]
        for function, *arguments in calls:
            with self.subTest(function=function, arguments=arguments):
                self.assertRaises(TypeError, function, *arguments)
        self.assertEqual(client.props.state, S9ws.State.NEW)
        self.assertTrue(client.open())
        client.force_quit()


class Failure(Exception):
    pass


class TestExceptions(TestCase):
    """What callbacks raise is printed, and the client goes on."""

    def check(self, client, prepare, get_names):
        with unittest.mock.patch('sys.excepthook') as hook:
            prepare(client)
            self.assertTrue(client.run())
        self.assertEqual([call.args[0] for call in hook.call_args_list], [Failure] * len(self.NAMES))
        self.assertEqual(get_names(), self.NAMES)

    NAMES = ['activated', 'text-message', 'binary-message', 'pong', 'ping', 'connection-closed', 'quit']
    # Each is the answer to what the one before has sent.
    STEPS = {
        'activated': lambda client: client.send_text('text'),
        'text-message': lambda client: client.send_binary(b'binary'),
        'binary-message': lambda client: client.send_ping(b'pong'),
        'pong': lambda client: client.send_text('!ping ping'),
        'ping': lambda client: client.close(1000, None),
    }

    @each_client
    def test_signals(self, client):
        names = []

        def note(client, *arguments):
            names.append(arguments[-1])
            self.STEPS.get(names[-1], bool)(client)
            raise Failure

        def prepare(client):
            for name in self.NAMES:
                client.connect(name, note, name)

        self.check(client, prepare, lambda: names)

    @each_client
    def test_handler(self, client):
        class Bad(Handler):
            def note(self, client, name, *arguments):
                super().note(client, name, *arguments)
                raise Failure

        handler = Bad(**{name.replace('-', '_'): lambda client, *_, step=step: step(client)
                         for name, step in self.STEPS.items()})
        self.check(client, lambda client: client.set_handler(handler), lambda: handler.names)
        self.assertIsNone(handler.failure)

    @each_client
    def test_error(self, client):
        def fail(*_):
            raise Failure

        client.props.uri = PLAIN_URI + 'refused'
        client.connect('error', fail)
        names = []
        client.connect('quit', lambda *_: names.append('quit'))
        with unittest.mock.patch('sys.excepthook') as hook:
            self.assert_fails(S9ws.Error.HANDSHAKE, client.run)
        self.assertEqual([call.args[0] for call in hook.call_args_list], [Failure])
        self.assertEqual(names, ['quit'])

    def test_certificate_is_refused(self):
        def fail(*_):
            raise Failure

        for kind in KINDS:
            with self.subTest(kind=kind.__name__):
                client = kind(uri=TLS_URI)
                client.connect('accept-certificate', fail)
                with unittest.mock.patch('sys.excepthook') as hook:
                    self.assert_fails(S9ws.Error.TLS, client.open)
                self.assertEqual([call.args[0] for call in hook.call_args_list], [Failure])


class TestFreeing(TestCase):
    def check_freed(self, make_cycle):
        for kind in KINDS:
            with self.subTest(kind=kind.__name__):
                client = kind(uri=PLAIN_URI, options=make_options(wait_strategy=WAIT))
                freed = []
                client.weak_ref(freed.append, True)
                make_cycle(client)
                self.assertTrue(client.open())
                del client
                # The thread that has opened it may let go of it a moment later.
                end = time.monotonic() + TIMEOUT
                while not freed and time.monotonic() < end:
                    gc.collect()
                    time.sleep(0.01)
                self.assertEqual(freed, [True])

    def test_attribute(self):
        def make_cycle(client):
            client.itself = client

        self.check_freed(make_cycle)

    def test_signal(self):
        """PyGObject lets the collector see what a closure refers to."""
        self.check_freed(lambda client: client.connect('quit', lambda *_: client))

    def test_handler(self):
        def make_cycle(client):
            handler = Handler()
            handler.client = weakref.ref(client)
            client.set_handler(handler)

        self.check_freed(make_cycle)

    def test_handler_taken_away(self):
        def make_cycle(client):
            handler = Handler()
            handler.client = client
            client.set_handler(handler)
            client.set_handler(None)

        self.check_freed(make_cycle)


class TestEndReport(TestCase):
    @each_client
    def test_closed(self, client):
        seen = []

        def note(client, *_):
            seen.append(client.props.end_report)

        client.connect('activated', lambda client: client.close(4000, 'enough'))
        client.connect('connection-closed', note)
        client.connect('quit', note)
        self.assertIsNone(client.props.end_report)
        self.assertTrue(client.run(None))
        report = client.get_end_report()
        self.assertEqual(len(seen), 2)
        self.assertNotIn(None, seen)
        self.assertEqual(report.get_initiator(), S9ws.EndInitiator.LOCAL)
        self.assertEqual((report.get_sent_code(), report.get_sent_reason()), (4000, 'enough'))
        self.assertEqual((report.get_received_code(), report.get_received_reason()), (4000, 'enough'))
        self.assertTrue(report.get_is_clean())
        self.assertTrue(report.get_has_opened())
        self.assertIsNone(report.get_error())
        self.assertGreaterEqual(report.get_received_age(), 0)
        self.assertIn('Upgrade: websocket', report.get_response_headers())
        self.assertTrue(report.to_string().startswith('closed by the client, cleanly, received 4000 “enough”'))
        self.assertEqual(seen[0].to_string(), report.to_string())

    @each_client
    def test_lost(self, client):
        client.connect('activated', lambda client: client.send_text('!reset'))
        with self.assertRaises(GLib.Error) as context:
            client.run(None)
        report = client.get_end_report()
        self.assertEqual(report.get_initiator(), S9ws.EndInitiator.REMOTE)
        self.assertEqual(report.get_code(), 1006)
        self.assertEqual(report.get_received_code(), 0)
        self.assertEqual(report.get_error().message, context.exception.message)
        self.assertFalse(report.get_is_clean())

    def test_refused(self):
        for kind in KINDS:
            with self.subTest(kind=kind.__name__):
                client = kind(uri=PLAIN_URI + 'refused')
                self.assert_fails(S9ws.Error.HANDSHAKE, client.run, None)
                report = client.props.end_report
                self.assertEqual(report.get_initiator(), S9ws.EndInitiator.NOBODY)
                self.assertEqual(report.get_response_status(), 403)
                self.assertEqual(report.get_response_header('X-Why'), 'tested')
                self.assertEqual(report.get_response_body().get_data(), b'Not for you\n')
                self.assertIn('HTTP status 403', report.to_string())


class TestKeepAlive(TestCase):
    def test_pings(self):
        for kind in KINDS:
            with self.subTest(kind=kind.__name__):
                client = kind(uri=TLS_URI, options=make_options(ping_interval=20, pong_timeout=20000))
                recorder = Recorder(client, pong=lambda client, _: client.close(1000, None))
                self.assertTrue(client.run(None))
                self.assertEqual(recorder.values('pong')[0][:4], b's9ws')
                self.assertGreaterEqual(client.get_stats().round_trips, 1)

    def test_timeout_alone(self):
        client = S9ws.BlockingClient(uri=PLAIN_URI, options=make_options(pong_timeout=10))
        self.assert_fails(S9ws.Error.INVALID_CONFIGURATION, client.open, None)


class TestOpening(TestCase):
    def check_failure(self, kind, uri, code, options=None, then=None):
        for method in ('open', 'run'):
            client = kind(uri=uri, options=options)
            recorder = Recorder(client)
            error = self.assert_fails(code, getattr(client, method))
            if kind is S9ws.AsyncClient and method == 'open':
                events = client.pop_events(0, 0)
                self.assertEqual([event.get_kind() for event in events],
                                 [S9ws.EventKind.ERROR, S9ws.EventKind.QUIT])
                self.assert_error(events[0].get_error(), code)
            else:
                self.assertEqual(recorder.names, ['error', 'quit'])
                self.assert_error(recorder.events[0][1], code)
                self.assertEqual(recorder.events[0][1].message, error.message)
            self.assertEqual(client.props.state, S9ws.State.CLOSED)
            if then:
                then(client, error)

    def test_bad_uris(self):
        for kind in KINDS:
            for uri in (None, '', 'no uri', 'http://localhost/', 'ws:///', 'ws://localhost/#part'):
                with self.subTest(kind=kind.__name__, uri=uri):
                    self.check_failure(kind, uri, S9ws.Error.INVALID_URI)

    def test_refused_connection(self):
        with socket.socket() as unused:
            unused.bind(('127.0.0.1', 0))  # no listen ()
            uri = 'ws://127.0.0.1:%d/' % unused.getsockname()[1]
            for kind in KINDS:
                with self.subTest(kind=kind.__name__):
                    self.check_failure(kind, uri, S9ws.Error.CONNECT)

    def test_refused_upgrade(self):
        def check(client, error):
            self.assertIn('403', error.message)
            self.assertEqual(client.get_response_status(), 403)
            self.assertEqual(client.get_response_header('X-Why'), 'tested')
            self.assertEqual(client.get_response_body().get_data(), b'Not for you\n')

        for kind in KINDS:
            with self.subTest(kind=kind.__name__):
                self.check_failure(kind, PLAIN_URI + 'refused', S9ws.Error.HANDSHAKE, then=check)

    def test_unknown_authority(self):
        for kind in KINDS:
            with self.subTest(kind=kind.__name__):
                self.check_failure(kind, TLS_URI, S9ws.Error.TLS)

    def test_bad_option(self):
        for kind in KINDS:
            with self.subTest(kind=kind.__name__):
                self.check_failure(kind, PLAIN_URI, S9ws.Error.INVALID_CONFIGURATION,
                                   S9ws.Options(ttl=256),
                                   lambda client, error: self.assertIn('ttl', error.message))

    def test_abstract(self):
        class Derived(S9ws.Client):
            pass

        client = Derived(uri=PLAIN_URI)
        for function, *arguments in ((client.open,), (client.run,), (client.send_text, 'x'),
                                     (client.close, 1000, None)):
            self.assert_fails(S9ws.Error.INVALID_CONFIGURATION, function, *arguments)
        self.assertEqual(client.props.state, S9ws.State.NEW)
        client.force_quit()


class TestOptions(TestCase):
    def test_keywords(self):
        options = S9ws.Options(nodelay=True, spin_wait_duration=10000)
        self.assertTrue(options.props.nodelay)
        self.assertEqual(options.props.spin_wait_duration, 10000)
        self.assertEqual(options.props.wait_strategy, S9ws.WaitStrategy.DEFAULT)

        for kind in KINDS:
            client = kind(uri=PLAIN_URI, options=options)
            self.assertEqual(client.props.uri, PLAIN_URI)
            self.assertIs(client.props.options, options)
            self.assertIs(client.get_options(), options)
            client = kind.new(PLAIN_URI, None)
            self.assertEqual(client.get_uri(), PLAIN_URI)
            self.assertIsNone(client.get_options())

    def check_properties(self, instance, values):
        self.assertEqual({p.name.replace('-', '_') for p in instance.list_properties()},
                         set(values))
        for name, value in values.items():
            self.assertEqual(instance.get_property(name), value, name)

    def test_every_property(self):
        values = {
            'ca_file': '/a', 'certificate_file': '/b', 'key_file': '/c', 'priority': 'NORMAL',
            'verify_peer': False, 'server_name': 'd',
        }
        tls_context = S9ws.TlsContext(**values)
        self.check_properties(tls_context, values)
        values = {
            'nodelay': False, 'ttl': 7, 'spin_wait_duration': 1 << 40,
            'wait_strategy': S9ws.WaitStrategy.ADAPTIVE, 'read_timeout': 1, 'write_timeout': 2,
            'connect_timeout': 3, 'handshake_timeout': 4, 'close_timeout': 5,
            'max_message_size': 1 << 41, 'max_buffered_amount': 1 << 42,
            'max_queued_bytes': 1 << 43, 'ping_interval': 6, 'pong_timeout': 8,
            'protocols': ['one', 'two'], 'compression': False, 'compression_level': 1,
            'compression_threshold': 1 << 44, 'max_piece_size': 1 << 45,
            'client_max_window_bits': 9,
            'server_max_window_bits': 10, 'client_no_context_takeover': True,
            'server_no_context_takeover': True, 'max_redirects': 9,
            'proxy_resolver': Gio.ProxyResolver.get_default(), 'tls_context': tls_context,
            'local_address': Gio.InetSocketAddress.new_from_string('127.0.0.1', 0),
            'host_header': 'example.org:81',
        }
        self.check_properties(S9ws.Options(**values), values)

    def test_protocol(self):
        client = S9ws.BlockingClient(uri=PLAIN_URI, options=S9ws.Options(protocols=['no', 'chat']))
        self.assertIsNone(client.props.protocol)
        client.open()
        self.assertEqual(client.props.protocol, 'chat')
        self.assertEqual(client.get_response_header('sec-websocket-protocol'), 'chat')

    def test_header(self):
        options = S9ws.Options()
        self.assertTrue(options.set_header('X-Test', 'first'))
        self.assertTrue(options.set_header('x-test', 'second'))
        for name, value in (('X-Test', 'a\r\nX-Evil: b'), ('X-Test', 'a\rb'), ('X-Test', 'a\nb'),
                            ('X-Test\r\nX-Evil', 'b'), ('X Test', 'b'), ('', 'b'),
                            ('Sec-WebSocket-Key', 'b'), ('Host', 'b')):
            with self.subTest(name=name, value=value):
                self.assert_fails(S9ws.Error.INVALID_CONFIGURATION,
                                  options.set_header, name, value)

        client = S9ws.BlockingClient(uri=PLAIN_URI, options=options)
        recorder = Recorder(client, activated=lambda client: client.send_text('!header X-Test'),
                            text_message=lambda client, text: client.close(1000, None))
        self.assertTrue(client.run())
        self.assertEqual(recorder.values('text-message'), ['second'])

    def test_buffer_full(self):
        client = S9ws.BlockingClient(uri=PLAIN_URI, options=S9ws.Options(max_buffered_amount=100))
        client.open()
        self.assert_fails(S9ws.Error.BUFFER_FULL, client.send_binary, bytes(1 << 26))
        self.assertEqual(client.props.buffered_amount, 0)
        self.assertEqual(client.get_stats().messages_sent, 0)

    def test_idle(self):
        """A read timeout is what lets a blocking client do something else."""
        for kind, values in ((S9ws.BlockingClient, {'read_timeout': 1000}),
                             (S9ws.NonBlockingClient, {'wait_strategy': S9ws.WaitStrategy.SPIN}),
                             (S9ws.NonBlockingClient, {'spin_wait_duration': 100})):
            with self.subTest(kind=kind.__name__, values=values):
                client = kind(uri=PLAIN_URI, options=S9ws.Options(**values))
                recorder = Recorder(client, idle=lambda client: client.props.state ==
                                    S9ws.State.OPEN and client.close(1000, None))
                self.assertTrue(client.run())
                self.assertGreater(recorder.idles, 0)
                self.assertEqual(recorder.names, ['activated', 'connection-closed', 'quit'])


class TestHandler(TestCase):
    @each_client
    def test_handler(self, client):
        # U+0000 ends a string that a virtual function is given.
        expected = list(Session.EXPECTED)
        expected[9] = ('text-message', 'before')
        session = Session()
        handler = Handler(**session.get_actions())
        recorder = Recorder(client)
        client.set_handler(handler)
        self.assertTrue(client.run())
        self.assertEqual(handler.events, expected)
        self.assertEqual(session.results, [True] * 9)
        self.assertEqual(recorder.events, [])
        self.assertEqual(handler.polls > 0, not isinstance(client, S9ws.AsyncClient))

    @each_client
    def test_handler_of_lost(self, client):
        handler = Handler(activated=lambda client: client.send_text('!reset'))
        client.set_handler(handler)
        self.assertRaises(GLib.Error, client.run)
        self.assertEqual(handler.names, ['activated', 'error', 'connection-closed', 'quit'])
        self.assertIsInstance(handler.events[1][1], GLib.Error)
        self.assertEqual(handler.events[2][1:], (1006, None))

    @each_client
    def test_partial_handler(self, client):
        class Partial(GObject.Object, S9ws.Handler):
            texts = []

            def do_activated(self, client):
                client.send_binary(b'goes unseen')
                client.send_text('seen')

            def do_text_message(self, client, text, length):
                self.texts.append(text)
                client.close(1000, None)

        Partial.texts.clear()
        client.set_handler(Partial())
        gc.collect()  # the client holds it
        self.assertTrue(client.run())
        self.assertEqual(Partial.texts, ['seen'])

    def test_every_function(self):
        """Whatever virtual functions the typelib has are called, with a client first."""
        # Pieces come instead of messages, if they are asked for: see test-python-pieces.py.
        names = {function.get_name() for function in S9ws.Handler.__info__.get_vfuncs()}
        names.remove('message_piece')
        called = {}

        def make(name):
            def function(handler, client, *arguments):
                called[name] = (client, *arguments)
                if name == 'idle' and {'text_message', 'binary_message', 'ping', 'pong'} <= set(called):
                    client.send_text('!reset')
                elif name == 'activated':
                    client.send_text('text')
                    client.send_binary(b'binary')
                    client.send_text('!ping ping')
                    client.send_ping(b'pong')
            return function

        Every = type('Every', (GObject.Object, S9ws.Handler),
                     {'do_' + name: make(name) for name in names})
        client = S9ws.BlockingClient(uri=PLAIN_URI, options=S9ws.Options(read_timeout=1000))
        client.set_handler(Every())
        self.assertRaises(GLib.Error, client.run)
        self.assertEqual(set(called), names)
        self.assertEqual({arguments[0] for arguments in called.values()}, {client})
        self.assertEqual(called['text_message'][1:], ('text', 4))
        self.assertEqual(bytes(called['binary_message'][1]), b'binary')
        self.assertEqual(bytes(called['ping'][1]), b'ping')
        self.assertEqual(bytes(called['pong'][1]), b'pong')
        self.assertEqual(called['connection_closed'][1:], (1006, None))
        self.assert_error(called['error'][1], S9ws.Error.IO)

    @each_client
    def test_change(self, client):
        """From a handler to another, and to signals, inside of them."""
        second = Handler(text_message=lambda client, text: (client.set_handler(None),
                                                            client.send_text('third')))
        first = Handler(activated=lambda client: client.send_text('first'),
                        text_message=lambda client, text: (client.set_handler(second),
                                                           client.send_text('second')))
        recorder = Recorder(client, text_message=lambda client, text: client.close(1000, None))
        client.set_handler(first)
        self.assertTrue(client.run())
        self.assertEqual(first.names, ['activated', 'text-message'])
        self.assertEqual(second.names, ['text-message'])
        self.assertEqual(recorder.names, ['text-message', 'connection-closed', 'quit'])


if __name__ == '__main__':
    main()
