#!/usr/bin/python3
"""test-python-async.py: the asynchronous client as a Python program sees it.

Usage: test-python-async.py WS-URI WSS-URI, of server.py

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import gc
import os
import sys
import threading
import time
import weakref

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from recorder import (Handler, PLAIN_URI, Recorder, TLS_URI, TestCase,  # noqa: E402
                      count_threads, main, make_options)
from gi.repository import Gio, GLib, S9ws  # noqa: E402

N_MESSAGES = 10000
BYTES = bytes(range(256))
SECOND = 1000000  # µs
TIMEOUT = 20  # s

# GLib makes threads for the first connection, and keeps them.
S9ws.BlockingClient(uri=PLAIN_URI).open()


def each_uri(method):
    def test(self):
        for uri in (PLAIN_URI, TLS_URI):
            with self.subTest(uri=uri.partition(':')[0]):
                method(self, S9ws.AsyncClient(uri=uri, options=make_options()))
    return test


class Loop:
    """A main loop that does not run for ever."""

    def __init__(self, context=None):
        self.context = context
        self.loop = GLib.MainLoop(context)

    def quit(self, *_):
        self.loop.quit()

    def run(self):
        source = GLib.timeout_source_new_seconds(TIMEOUT)
        source.set_callback(self.expire)
        source.attach(self.context)
        self.has_expired = False
        self.loop.run()
        source.destroy()
        if self.has_expired:
            raise TimeoutError('the main loop was not ended')

    def expire(self, _):
        self.has_expired = True
        self.loop.quit()
        return GLib.SOURCE_REMOVE


class TestMainLoop(TestCase):
    @each_uri
    def test_open_async(self, client):
        loop = Loop()
        results = []

        def on_open(source, result, data):
            self.assertIs(source, client)
            self.assertEqual(data, 'data')
            results.append(client.open_finish(result))

        recorder = Recorder(client, quit=loop.quit,
                            activated=lambda client: client.send_text('!close 1000 end'))
        client.open_async(None, on_open, 'data')
        self.assertNotEqual(client.props.state, S9ws.State.NEW)
        self.assertTrue(client.send_text('sent before it is open'))
        loop.run()
        self.assertEqual(results, [True])
        self.assertEqual(recorder.events, [
            ('activated',), ('text-message', 'sent before it is open'),
            ('connection-closed', 1000, 'end'), ('quit',)])
        client.join()

    def open(self, client, cancellable=None):
        loop = Loop()
        errors = []

        def on_open(client, result):
            try:
                client.open_finish(result)
            except GLib.Error as error:
                errors.append(error)
            loop.quit()

        client.open_async(cancellable, on_open)
        loop.run()
        return errors

    def wait_quit(self, recorder):
        end = time.monotonic() + TIMEOUT
        while 'quit' not in recorder.names and time.monotonic() < end:
            GLib.MainContext.default().iteration(False)

    def test_errors(self):
        for kind in (S9ws.AsyncClient, S9ws.BlockingClient, S9ws.NonBlockingClient):
            for uri, code in (('nonsense', S9ws.Error.INVALID_URI),
                              (PLAIN_URI + 'refused', S9ws.Error.HANDSHAKE),
                              (TLS_URI, S9ws.Error.TLS)):
                with self.subTest(kind=kind.__name__, uri=uri):
                    client = kind(uri=uri)
                    recorder = Recorder(client)
                    errors = self.open(client)
                    self.assert_error(errors[0], code)
                    self.wait_quit(recorder)
                    self.assertEqual(recorder.names, ['error', 'quit'])

    def test_cancelled(self):
        """Beforehand: it is never opened, however fast that is."""
        cancellable = Gio.Cancellable()
        cancellable.cancel()
        for kind in (S9ws.AsyncClient, S9ws.BlockingClient, S9ws.NonBlockingClient) * 20:
            with self.subTest(kind=kind.__name__):
                client = kind(uri=PLAIN_URI)
                recorder = Recorder(client)
                error, = self.open(client, cancellable)
                self.assertTrue(error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED))
                self.wait_quit(recorder)
                self.assertEqual(recorder.names, ['quit'])

    def test_direct_clients(self):
        for kind in (S9ws.BlockingClient, S9ws.NonBlockingClient):
            with self.subTest(kind=kind.__name__):
                client = kind(uri=PLAIN_URI)
                recorder = Recorder(client, activated=lambda client: client.close(1000, None))
                self.assertEqual(self.open(client), [])
                self.assertEqual(client.props.state, S9ws.State.OPEN)
                self.assertTrue(client.run())
                self.assertEqual(recorder.names, ['activated', 'connection-closed', 'quit'])

    @each_uri
    def test_flood(self, client):
        """Others of the main loop have their turn meanwhile."""
        loop = Loop()
        turns = []
        timer = GLib.timeout_add(1, lambda: turns.append(len(recorder.events)) or True)
        recorder = Recorder(client, quit=loop.quit,
                            activated=lambda client: client.send_text(f'!burst {N_MESSAGES}'),
                            text_message=lambda client, text: text == str(N_MESSAGES - 1) and
                            client.close(1000, None))
        client.open_async(None, None)
        loop.run()
        GLib.source_remove(timer)
        self.assertEqual(recorder.values('text-message'), [str(i) for i in range(N_MESSAGES)])
        self.assertTrue([n for n in turns if 1 < n < N_MESSAGES])

    @each_uri
    def test_thread_default_context(self, client):
        """The signals arrive in the context of the thread that opened."""
        threads = []

        def work():
            context = GLib.MainContext.new()
            context.push_thread_default()
            loop = Loop(context)
            for name in ('activated', 'quit'):
                client.connect(name, lambda _: threads.append(threading.current_thread()))
            client.connect('activated', lambda client: client.close(1000, None))
            client.connect('quit', loop.quit)
            client.open_async(None, None)
            loop.run()
            context.pop_thread_default()

        thread = threading.Thread(target=work)
        thread.start()
        thread.join(TIMEOUT)
        self.assertEqual(threads, [thread, thread])

    @each_uri
    def test_attach(self, client):
        context = GLib.MainContext.new()
        loop = Loop(context)
        handler = Handler(activated=lambda client: client.send_bytes(GLib.Bytes.new(BYTES)),
                          binary_message=lambda client, data: client.close(1001, 'away'),
                          quit=loop.quit)
        client.set_handler(handler)
        client.attach(context)
        loop.run()
        self.assertEqual(handler.events, [
            ('activated',), ('binary-message', BYTES), ('connection-closed', 1001, 'away'),
            ('quit',)])


class TestPopping(TestCase):
    def take_all(self, client, pop):
        events = []
        end = time.monotonic() + TIMEOUT
        while not events or events[-1].get_kind() != S9ws.EventKind.QUIT:
            self.assertLess(time.monotonic(), end)
            events += pop(client)
        return events

    def check(self, client, pop):
        self.assertIsNone(client.try_pop_event())
        self.assertIsNone(client.timeout_pop_event(1000))
        self.assertEqual(client.pop_events(0, 0), [])
        self.assertTrue(client.start())
        self.assertTrue(client.start())  # does no harm
        self.assertTrue(client.send_text('Grüße'))
        self.assertTrue(client.send_binary(BYTES))
        self.assertTrue(client.send_ping(b'ping'))
        self.assertTrue(client.send_text('!ping pong'))
        self.assertTrue(client.send_text('!nul'))
        self.assertTrue(client.send_text('!close 4000 fertig ☺'))
        events = self.take_all(client, pop)
        client.join()

        # The pong may overtake nothing, but it comes whenever the server likes.
        pong, = (event for event in events if event.get_kind() == S9ws.EventKind.PONG)
        events.remove(pong)
        self.assertEqual(pong.get_data(), b'ping')
        self.assertEqual([event.get_kind().value_nick for event in events],
                         ['activated', 'text-message', 'binary-message', 'ping', 'text-message',
                          'connection-closed', 'quit'])
        activated, text, binary, ping, nul, closed, end = events
        self.assertEqual(text.get_text(), 'Grüße')
        self.assertEqual(text.get_data(), 'Grüße'.encode())
        self.assertEqual(text.get_bytes().get_data(), 'Grüße'.encode())
        self.assertIsNone(binary.get_text())
        self.assertEqual(binary.get_data(), BYTES)
        self.assertEqual(binary.get_bytes().get_data(), BYTES)
        self.assertEqual(ping.get_data(), b'pong')
        self.assertEqual(nul.get_text(), 'before\ufffdafter')
        self.assertEqual(nul.get_data(), b'before\0after')
        self.assertEqual(nul.get_bytes().get_data(), b'before\0after')
        self.assertEqual((closed.get_code(), closed.get_reason()), (4000, 'fertig ☺'))
        for event in (activated, closed, end):
            self.assertIsNone(event.get_text())
            self.assertEqual(event.get_data(), b'')
            self.assertIsNone(event.get_bytes())
        for event in (activated, text, binary, ping, end):
            self.assertEqual(event.get_code(), 0)
            self.assertIsNone(event.get_reason())
            self.assertIsNone(event.get_error())

        # There are no more.
        self.assertIsNone(client.pop_event())
        self.assertIsNone(client.try_pop_event())
        self.assertIsNone(client.timeout_pop_event(SECOND))
        self.assertEqual(client.pop_events(0, -1), [])
        self.assert_fails(S9ws.Error.CONNECTION_CLOSED, client.start)

    @each_uri
    def test_pop_event(self, client):
        self.check(client, lambda client: [client.pop_event()])

    @each_uri
    def test_try_pop_event(self, client):
        self.check(client, lambda client: [e for e in [client.try_pop_event()] if e is not None])

    @each_uri
    def test_timeout_pop_event(self, client):
        self.check(client, lambda client: [client.timeout_pop_event(SECOND * TIMEOUT)])

    @each_uri
    def test_pop_events(self, client):
        self.check(client, lambda client: client.pop_events(0, -1))

    @each_uri
    def test_pop_two_events(self, client):
        def pop(client):
            events = client.pop_events(2, SECOND)
            self.assertLessEqual(len(events), 2)
            return events
        self.check(client, pop)

    @each_uri
    def test_flood(self, client):
        """In batches, by a thread of its own, of a queue that is always full."""
        client.props.options.props.max_queued_bytes = 1000
        texts = []

        def work():
            while events := client.pop_events(100, -1):
                for event in events:
                    if event.get_kind() == S9ws.EventKind.TEXT_MESSAGE:
                        texts.append(event.get_text())
                    if event.get_text() == str(N_MESSAGES - 1):
                        client.close(1000, None)

        self.assertTrue(client.start())
        thread = threading.Thread(target=work)
        thread.start()
        client.send_text(f'!burst {N_MESSAGES}')
        thread.join(TIMEOUT)
        self.assertFalse(thread.is_alive())
        self.assertEqual(texts, [str(i) for i in range(N_MESSAGES)])

    def test_error_event(self):
        client = S9ws.AsyncClient(uri=PLAIN_URI + 'refused')
        self.assertTrue(client.start())
        client.send_text('never leaves')
        failed, end = self.take_all(client, lambda client: client.pop_events(0, -1))
        self.assert_error(failed.get_error(), S9ws.Error.HANDSHAKE)
        self.assertEqual(failed.get_kind(), S9ws.EventKind.ERROR)
        self.assertEqual(end.get_kind(), S9ws.EventKind.QUIT)
        self.assertEqual(client.get_stats().messages_unsent, 1)

        client = S9ws.AsyncClient(uri=PLAIN_URI, options=S9ws.Options(ttl=1000))
        self.assert_fails(S9ws.Error.INVALID_CONFIGURATION, client.start)

    @each_uri
    def test_open_then_start(self, client):
        self.assertTrue(client.open())
        self.assertGreaterEqual(client.get_fd(), 0)
        self.assertTrue(client.start())
        self.assertEqual(client.get_fd(), -1)
        self.assertIsNone(client.get_socket())
        self.assertEqual(client.pop_event().get_kind(), S9ws.EventKind.ACTIVATED)
        client.force_quit()
        client.join()
        self.assertEqual(client.pop_event().get_kind(), S9ws.EventKind.QUIT)
        self.assertIsNone(client.pop_event())

    @each_uri
    def test_force_quit_ends_waiting(self, client):
        """Several threads that wait are all let go."""
        self.assertTrue(client.start())
        threads = [threading.Thread(target=lambda: self.take_while(client)) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        client.force_quit()
        for thread in threads:
            thread.join(TIMEOUT)
            self.assertFalse(thread.is_alive())

    @staticmethod
    def take_while(client):
        while client.pop_event() is not None:
            pass

    @each_uri
    def test_events_outlive_client(self, client):
        self.assertTrue(client.start())
        client.send_text('!binary 20 20000')
        client.send_text('!close 1000 end')
        events = self.take_all(client, lambda client: [client.pop_event()])
        data = [event.get_bytes() for event in events
                if event.get_kind() == S9ws.EventKind.BINARY_MESSAGE]
        del client, events
        gc.collect()
        self.assertEqual([d.get_data() for d in data], [bytes([i]) * 20000 for i in range(20)])


class TestDropping(TestCase):
    def check_drop(self, make_busy):
        for uri in (PLAIN_URI, TLS_URI):
            with self.subTest(uri=uri.partition(':')[0]):
                n_threads = count_threads()
                client = S9ws.AsyncClient(uri=uri, options=make_options())
                gone = weakref.ref(client)
                make_busy(self, client)
                del client
                gc.collect()
                self.assertIsNone(gone())
                self.assert_threads(n_threads)

    def wait_open(self, client):
        end = time.monotonic() + TIMEOUT
        while client.props.state == S9ws.State.CONNECTING and time.monotonic() < end:
            GLib.MainContext.default().iteration(False)
        self.assertEqual(client.props.state, S9ws.State.OPEN)

    def test_new(self):
        self.check_drop(lambda self, client: None)

    def test_opened(self):
        self.check_drop(lambda self, client: client.open())

    def test_started(self):
        def make_busy(self, client):
            n_threads = count_threads()
            client.start()
            self.wait_open(client)
            self.assertEqual(count_threads(), n_threads + 1)

        self.check_drop(make_busy)

    def test_connecting(self):
        self.check_drop(lambda self, client: client.start())

    def test_attached(self):
        def make_busy(self, client):
            client.attach(None)
            self.wait_open(client)

        self.check_drop(make_busy)

    def test_flooded(self):
        def make_busy(self, client):
            client.props.options.props.max_queued_bytes = 1000
            client.start()
            client.send_text(f'!burst {N_MESSAGES}')
            while client.pop_event().get_kind() != S9ws.EventKind.TEXT_MESSAGE:
                pass

        self.check_drop(make_busy)

    def test_from_other_thread(self):
        for uri in (PLAIN_URI, TLS_URI):
            with self.subTest(uri=uri.partition(':')[0]):
                n_threads = count_threads()
                held = [S9ws.AsyncClient(uri=uri, options=make_options())]
                gone = weakref.ref(held[0])
                held[0].start()
                self.wait_open(held[0])
                thread = threading.Thread(target=held.clear)
                thread.start()
                thread.join()
                self.assertIsNone(gone())
                self.assert_threads(n_threads)


if __name__ == '__main__':
    main()
