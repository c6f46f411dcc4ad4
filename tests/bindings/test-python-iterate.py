#!/usr/bin/python3
"""test-python-iterate.py: iteration, `with`, and what can be sent, in Python.

Usage: test-python-iterate.py WS-URI WSS-URI, of server.py

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import array
import gc
import os
import sys
import threading
import weakref

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from mute_server import be_silent, flood, greet, serving  # noqa: E402
from recorder import (Handler, PLAIN_URI, Recorder, TLS_URI, TestCase,  # noqa: E402
                      main, make_options)
from gi.repository import Gio, GLib, S9ws  # noqa: E402

N_MESSAGES = 10000
BYTES = bytes(range(256))
KINDS = (S9ws.BlockingClient, S9ws.NonBlockingClient, S9ws.AsyncClient)
WAIT = S9ws.WaitStrategy.WAIT


def each_client(method):
    """Runs a test with each client, over ws and wss."""
    def test(self):
        for kind in KINDS:
            for uri in (PLAIN_URI, TLS_URI):
                with self.subTest(kind=kind.__name__, uri=uri.partition(':')[0]):
                    method(self, kind(uri=uri, options=make_options(wait_strategy=WAIT)))
    return test


def elsewhere(function):
    """On a thread that is not the main one, where waits are not cut into turns."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


class TestIteration(TestCase):
    @each_client
    def test_messages(self, client):
        with client:
            self.assertTrue(client.send_text('Grüße'))
            self.assertTrue(client.send_binary(BYTES))
            self.assertTrue(client.send_ping(b'unseen'))
            self.assertTrue(client.send_text('!nul'))
            self.assertTrue(client.send_text(''))
            self.assertTrue(client.send_binary(b''))
            self.assertTrue(client.send_text('a\ufffdb'))
            self.assertTrue(client.send_text('!close 1000 end'))
            self.assertEqual(list(client), ['Grüße', BYTES, 'before\0after', '', b'', 'a\ufffdb'])
            self.assertEqual(client.props.state, S9ws.State.CLOSED)
            self.assertEqual(list(client), [])
        report = client.props.end_report
        self.assertIn('received 1000 “end”', str(report))
        self.assertEqual([str(report), f'{client.get_end_report()}'], [report.to_string()] * 2)

    @each_client
    def test_elsewhere(self, client):
        def iterate():
            with client:
                client.send_text(f'!burst {N_MESSAGES}')
                client.send_text('!close 1000 end')
                return list(client)

        self.assertEqual(elsewhere(iterate), [str(i) for i in range(N_MESSAGES)])

    @each_client
    def test_flood(self, client):
        client.open()
        client.send_text(f'!burst {N_MESSAGES}')
        texts = []
        for text in client:
            texts.append(text)
            if text == str(N_MESSAGES - 1):
                client.close(1000, None)
        self.assertEqual(texts, [str(i) for i in range(N_MESSAGES)])

    @each_client
    def test_opens(self, client):
        """It need not be opened before."""
        for event in client.events():
            if event.get_kind() == S9ws.EventKind.ACTIVATED:
                client.send_text('!close 1000 end')
        self.assertEqual(client.props.state, S9ws.State.CLOSED)

    @each_client
    def test_break(self, client):
        """What is left can be iterated over later, or comes as signals."""
        recorder = Recorder(client)
        client.open()
        client.send_text('!burst 30')
        for text in client:
            if text == '9':
                break
        for text in client:
            if text == '19':
                break
        client.send_text('!close 4000 end')
        self.assertTrue(client.run())
        self.assertEqual(recorder.values('text-message'), [str(i) for i in range(20, 30)])
        self.assertEqual(recorder.events[-2:], [('connection-closed', 4000, 'end'), ('quit',)])
        self.assertNotIn('activated', recorder.names)

    @each_client
    def test_lost(self, client):
        with client:
            client.send_text('!burst 3')
            client.send_text('!reset')
            messages = []
            with self.assertRaises(GLib.Error) as context:
                for message in client:
                    messages.append(message)
            self.assertEqual(context.exception.domain, 's9ws-error-quark')
            self.assertEqual(messages, messages and ['0', '1', '2'][:len(messages)])

    def test_refused(self):
        for kind in KINDS:
            with self.subTest(kind=kind.__name__):
                self.assert_fails(S9ws.Error.HANDSHAKE, list, kind(uri=PLAIN_URI + 'refused'))
                self.assert_fails(S9ws.Error.HANDSHAKE,
                                  kind(uri=PLAIN_URI + 'refused').__enter__)

    @each_client
    def test_handler_and_signals_rest(self, client):
        handler = Handler()
        client.set_handler(handler)
        with client:
            client.send_text('x')
            client.send_text('!close 1000 end')
            self.assertEqual(list(client), ['x'])
        self.assertEqual(handler.events, [])

    @each_client
    def test_inside_run(self, client):
        errors = []

        def on_activated(client):
            try:
                list(client)
            except GLib.Error as error:
                errors.append(error)
            client.close(1000, None)

        recorder = Recorder(client, activated=on_activated)
        self.assertTrue(client.run())
        self.assertIsNone(recorder.failure)
        self.assertTrue(errors[0].matches(Gio.io_error_quark(), Gio.IOErrorEnum.PENDING))

    @each_client
    def test_force_quit(self, client):
        client.open()
        thread = threading.Timer(0.1, client.force_quit)
        thread.start()
        self.assertEqual(list(client), [])
        thread.join()

    def test_idle(self):
        """Is emitted as in run (), and no more often."""
        client = S9ws.BlockingClient(uri=PLAIN_URI, options=S9ws.Options(read_timeout=70000))
        n_idles = []

        def on_idle(client):
            n_idles.append(client.props.state)
            if len(n_idles) == 3:
                client.close(1000, None)

        client.connect('idle', on_idle)
        self.assertEqual(list(client), [])
        self.assertGreaterEqual(len(n_idles), 3)


class TestReceive(TestCase):
    @each_client
    def test_receive(self, client):
        self.assertEqual(client.receive(-1).get_kind(), S9ws.EventKind.ACTIVATED)
        for timeout in (0, 1000, 120000):
            self.assertIsNone(client.receive(timeout))
            self.assertIsNone(elsewhere(lambda: client.receive(timeout)))
        client.send_text('one')
        self.assertEqual(str(client.receive(20000000)), 'one')
        client.send_text('two')
        self.assertEqual(str(elsewhere(lambda: client.receive(-1))), 'two')
        client.force_quit()
        self.assertEqual(client.receive(-1).get_kind(), S9ws.EventKind.QUIT)
        self.assertIsNone(client.receive(-1))
        self.assertIsNone(client.receive(1000000))

    @each_client
    def test_run_for(self, client):
        recorder = Recorder(client)
        while 'activated' not in recorder.names:
            self.assertEqual(client.run_for(1000), (True, False))
        client.send_text('!close 1000 end')
        self.assertEqual(client.run_for(1 << 60), (True, True))
        self.assertEqual(recorder.names, ['activated', 'connection-closed', 'quit'])

    def test_pop(self):
        client = S9ws.AsyncClient(uri=PLAIN_URI)
        client.start()
        self.assertEqual(client.pop_event().get_kind(), S9ws.EventKind.ACTIVATED)
        self.assertIsNone(client.timeout_pop_event(120000))
        self.assertEqual(client.pop_events(0, 120000), [])
        client.send_text('one')
        self.assertEqual([str(event) for event in client.pop_events(5, -1)], ['one'])
        client.send_text('two')
        self.assertEqual(str(client.timeout_pop_event(20000000)), 'two')
        client.send_text('three')
        self.assertEqual(str(client.pop_event()), 'three')


class TestWith(TestCase):
    @each_client
    def test_closes(self, client):
        recorder = Recorder(client)
        with client as same:
            self.assertIs(same, client)
            self.assertEqual(client.props.state, S9ws.State.OPEN)
        self.assertEqual(client.props.state, S9ws.State.CLOSED)
        self.assertEqual(recorder.events,
                         [('activated',), ('connection-closed', 1000, None), ('quit',)])

    def test_unread(self):
        """What nobody has iterated over comes as signals."""
        with serving(greet) as uri:
            for kind in KINDS:
                with self.subTest(kind=kind.__name__):
                    client = kind(uri=uri)
                    recorder = Recorder(client)
                    with client:
                        pass
                    self.assertEqual(recorder.events, [
                        ('activated',), ('text-message', 'Hello'),
                        ('connection-closed', 1000, None), ('quit',)])

    @each_client
    def test_opened_before(self, client):
        client.open()
        with client:
            client.send_text('x')
            self.assertEqual(next(iter(client)), 'x')
        self.assertEqual(client.props.state, S9ws.State.CLOSED)

    @each_client
    def test_closed_inside(self, client):
        with client:
            client.close(1001, 'away')
        self.assertEqual(client.props.state, S9ws.State.CLOSED)
        for _ in range(2):
            with self.assertRaises(GLib.Error), client:
                client.send_text('late')

    @each_client
    def test_exception(self, client):
        recorder = Recorder(client)
        with self.assertRaises(ZeroDivisionError), client:
            1 / 0
        self.assertEqual(recorder.events[-2:], [('connection-closed', 1000, None), ('quit',)])

    @each_client
    def test_lost(self, client):
        recorder = Recorder(client)
        with client:
            client.send_text('!reset')
            self.assertRaises(GLib.Error, list, client)
        self.assertEqual(client.props.state, S9ws.State.CLOSED)
        self.assertEqual(recorder.events, [])

    @each_client
    def test_elsewhere(self, client):
        def work():
            with client:
                client.send_text('x')
                return next(iter(client))

        self.assertEqual(elsewhere(work), 'x')
        self.assertEqual(client.props.state, S9ws.State.CLOSED)

    def test_close_timeout(self):
        """Bounds it, where the server does not answer and where it never stops talking."""
        for serve in (be_silent, flood):
            with serving(serve) as uri:
                for kind in KINDS:
                    with self.subTest(kind=kind.__name__, serve=serve.__name__):
                        client = kind(uri=uri, options=S9ws.Options(
                            close_timeout=200, wait_strategy=WAIT, max_queued_bytes=100000))
                        codes = []
                        client.connect('connection-closed', lambda _, code, reason:
                                       codes.append(code))
                        with client:
                            pass
                        self.assertEqual(codes, [1006])
                        self.assertEqual(client.props.state, S9ws.State.CLOSED)

    @each_client
    def test_inside_handler(self, client):
        """The loop that runs sees to the rest."""
        def on_activated(client):
            with client:
                pass

        recorder = Recorder(client, activated=on_activated)
        self.assertTrue(client.run())
        self.assertIsNone(recorder.failure)
        self.assertEqual(recorder.names, ['activated', 'connection-closed', 'quit'])

    @each_client
    def test_is_freed(self, client):
        gone = weakref.ref(client)
        with client:
            client.send_text('x')
            next(iter(client))
        del client
        gc.collect()
        self.assertIsNone(gone())


class TestSending(TestCase):
    @each_client
    def test_texts(self, client):
        texts = ['', 'a\0b', '\0', '\0Grüße, 世界 🙂\0', 'x' * 100000 + '\0']
        with client:
            for text in texts:
                self.assertTrue(client.send_text(text))
                self.assertEqual(next(iter(client)), text)
            self.assertRaises(UnicodeEncodeError, client.send_text, 'half a pair: \0\ud800')
            self.assertRaises(TypeError, client.send_text, 5)

    @each_client
    def test_bytes_like(self, client):
        numbers = array.array('i', range(-100, 100))
        image = memoryview(BYTES).cast('B', (16, 16))
        pairs = [
            (BYTES, BYTES), (bytearray(BYTES), BYTES), (memoryview(BYTES), BYTES),
            (memoryview(BYTES)[::-2], BYTES[::-2]), (numbers, numbers.tobytes()),
            (image, BYTES), (bytearray(), b''), (memoryview(b''), b''),
            # What PyGObject takes without us.
            (list(BYTES), BYTES), (None, b''), ((), b''),
        ]
        with client:
            for data, expected in pairs:
                self.assertTrue(client.send_binary(data))
                self.assertEqual(next(iter(client)), expected)
            for bad in ('text', '', 5, 1.5, [256], object()):
                with self.subTest(bad=bad):
                    self.assertRaises((TypeError, ValueError, OverflowError),
                                      client.send_binary, bad)

    @each_client
    def test_pings(self, client):
        payloads = [b'bytes', bytearray(b'array'), memoryview(b'view'), array.array('B', b'a'), b'']
        events = client.events()
        next(events)
        for payload in payloads:
            self.assertTrue(client.send_ping(payload))
            self.assertEqual(bytes(next(events)), bytes(payload))
            self.assertTrue(client.send_pong(payload))
        for send in (client.send_ping, client.send_pong):
            self.assertRaises(TypeError, send, '')
        client.force_quit()

    @each_client
    def test_many_texts(self, client):
        """By keyword, too, as PyGObject allows."""
        with client:
            self.assertTrue(client.send_text(text='a'))
            self.assertTrue(client.send_binary(data=b'b'))
            messages = iter(client)
            self.assertEqual([next(messages), next(messages)], ['a', b'b'])


class TestEvents(TestCase):
    @each_client
    def test_events(self, client):
        client.open()
        client.send_text('Grüße')
        client.send_text('!nul')
        client.send_text('\ufffd')
        client.send_binary(b'\xff\0')
        client.send_text('!ping pong')
        client.send_text('x' * 200)
        client.send_text('!close 4001 bye')
        events = list(client.events())
        self.assertEqual([repr(event) for event in events], [
            '<S9ws.Event activated>', "<S9ws.Event text-message 'Grüße'>",
            r"<S9ws.Event text-message 'before\x00after'>", "<S9ws.Event text-message '\ufffd'>",
            r"<S9ws.Event binary-message b'\xff\x00'>", "<S9ws.Event ping b'pong'>",
            "<S9ws.Event text-message '" + 'x' * 75 + ' ...>',
            "<S9ws.Event connection-closed 4001 'bye'>", '<S9ws.Event quit>'])
        self.assertEqual([str(event) for event in events[1:4]],
                         ['Grüße', 'before\0after', '\ufffd'])
        self.assertEqual(str(events[0]), repr(events[0]))
        self.assertEqual(str(events[4]), repr(events[4]))
        self.assertEqual([bytes(event) for event in events[:6]],
                         [b'', 'Grüße'.encode(), b'before\0after', '\ufffd'.encode(), b'\xff\0',
                          b'pong'])

    def test_error(self):
        client = S9ws.AsyncClient(uri=PLAIN_URI + 'refused')
        client.start()
        events = list(client.events())
        self.assertIn(events[0].get_error().message[:20], repr(events[0]))
        self.assertTrue(repr(events[0]).startswith('<S9ws.Event error '))
        self.assertEqual(events[1].get_kind(), S9ws.EventKind.QUIT)


if __name__ == '__main__':
    main()
