#!/usr/bin/python3
"""test-python-asyncio.py: the asynchronous client in asyncio, without a main loop of GLib's.

Usage: test-python-asyncio.py WS-URI WSS-URI, of server.py

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import asyncio
import gc
import os
import sys
import threading
import weakref

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from mute_server import answer_upgrade, be_silent, flood, serving, wait_end  # noqa: E402
from recorder import PLAIN_URI, TLS_URI, TestCase, count_threads, main, make_options  # noqa: E402
from gi.repository import GLib, S9ws  # noqa: E402

N_MESSAGES = 5000
TIMEOUT = 60  # s
BYTES = bytes(range(256))

# GLib makes threads for the first connection, and keeps them.
S9ws.BlockingClient(uri=PLAIN_URI).open()


def each_uri(method):
    """Runs a coroutine in a loop of its own, over ws and wss."""
    def test(self):
        for uri in (PLAIN_URI, TLS_URI):
            with self.subTest(uri=uri.partition(':')[0]):
                run(method(self, S9ws.AsyncClient(uri=uri, options=make_options())))
    return test


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, TIMEOUT))


async def collect(iterator):
    return [item async for item in iterator]


class TestAsyncio(TestCase):
    @each_uri
    async def test_messages(self, client):
        async with client as same:
            self.assertIs(same, client)
            self.assertEqual(client.props.state, S9ws.State.OPEN)
            await client.asend('Grüße')
            await client.asend(BYTES)
            await client.asend(bytearray(BYTES))
            await client.asend('a\0b')
            client.send_text('!nul')
            client.send_text('!close 1000 end')
            self.assertEqual(await collect(client),
                             ['Grüße', BYTES, BYTES, 'a\0b', 'before\0after'])
            self.assertEqual(await collect(client), [])
        self.assertEqual(client.props.state, S9ws.State.CLOSED)

    @each_uri
    async def test_ping_pong(self, client):
        """Each answer is waited for."""
        await client.aopen()
        messages = aiter(client)
        for i in range(100):
            await client.asend(str(i))
            self.assertEqual(await anext(messages), str(i))
        await client.aclose(4000, 'enough')
        self.assertEqual(client.props.state, S9ws.State.CLOSED)

    @each_uri
    async def test_events(self, client):
        client.start()
        client.send_text('x')
        client.send_text('!close 4001 bye')
        events = await collect(client.aevents())
        self.assertEqual([event.get_kind().value_nick for event in events],
                         ['activated', 'text-message', 'connection-closed', 'quit'])
        self.assertEqual(events[2].get_code(), 4001)

    @each_uri
    async def test_opens(self, client):
        """It need not be opened before."""
        async for event in client.aevents():
            if event.get_kind() == S9ws.EventKind.ACTIVATED:
                client.send_text('!close 1000 end')
        self.assertEqual(client.props.state, S9ws.State.CLOSED)

    @each_uri
    async def test_flood(self, client):
        """Others have their turn meanwhile."""
        turns = []

        async def count():
            while True:
                turns.append(len(texts))
                await asyncio.sleep(0)

        texts = []
        counting = asyncio.create_task(count())
        async with client:
            client.send_text(f'!burst {N_MESSAGES}')
            client.send_text('!close 1000 end')
            async for text in client:
                texts.append(text)
        counting.cancel()
        self.assertEqual(texts, [str(i) for i in range(N_MESSAGES)])
        gaps = [after - before for before, after in zip(turns, turns[1:])]
        self.assertLessEqual(max(gaps), 64)

    @each_uri
    async def test_lost(self, client):
        async with client:
            client.send_text('!reset')
            with self.assertRaises(GLib.Error) as context:
                await collect(client)
            self.assertEqual(context.exception.domain, 's9ws-error-quark')

    def test_refused(self):
        async def check():
            for start in (S9ws.AsyncClient.aopen, S9ws.AsyncClient.__aenter__, collect):
                client = S9ws.AsyncClient(uri=PLAIN_URI + 'refused')
                with self.assertRaises(GLib.Error) as context:
                    await start(client)
                self.assert_error(context.exception, S9ws.Error.HANDSHAKE)

        run(check())

    def test_cancel_opening(self):
        async def check(uri):
            client = S9ws.AsyncClient(uri=uri)
            task = asyncio.create_task(client.aopen())
            while client.props.state != S9ws.State.CONNECTING:
                await asyncio.sleep(0.01)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            self.assertEqual(client.props.state, S9ws.State.CLOSED)

        with serving(None) as uri:
            run(check(uri))

    @each_uri
    async def test_cancel_waiting(self, client):
        """Nothing is lost by it, and it can be waited for again."""
        async with client:
            for i in range(3):
                task = asyncio.create_task(anext(aiter(client)))
                await asyncio.sleep(0.01)
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task
                with self.assertRaises(asyncio.TimeoutError):
                    await asyncio.wait_for(anext(aiter(client)), 0.01)
            client.send_text('still there')
            self.assertEqual(await anext(aiter(client)), 'still there')

    @each_uri
    async def test_two_tasks(self, client):
        async with client:
            first = asyncio.create_task(anext(aiter(client)))
            # Until it waits.
            while not self.is_waiting(client):
                await asyncio.sleep(0.01)
            with self.assertRaises(RuntimeError):
                await anext(aiter(client))
            client.send_text('for the first')
            self.assertEqual(await first, 'for the first')

    @staticmethod
    def is_waiting(client):
        from gi.overrides import S9ws as overrides
        return client.get_event_fd() in overrides._awaited

    @each_uri
    async def test_close_by_other_task(self, client):
        """Whoever iterates sees the end."""
        await client.aopen()
        task = asyncio.create_task(collect(client))
        await client.asend('one')
        while client.get_stats().messages_received < 1:
            await asyncio.sleep(0.01)
        await client.aclose()
        self.assertEqual(await task, ['one'])

    @each_uri
    async def test_leave_while_other_task_iterates(self, client):
        async with client:
            task = asyncio.create_task(collect(client))
            while not self.is_waiting(client):
                await asyncio.sleep(0.01)
        self.assertEqual(await task, [])

    def test_two_clients(self):
        async def talk(uri, name):
            async with S9ws.AsyncClient(uri=uri, options=make_options()) as client:
                for i in range(50):
                    await client.asend(f'{name} {i}')
                    self.assertEqual(await anext(aiter(client)), f'{name} {i}')

        async def check():
            await asyncio.gather(*(talk(uri, i) for i, uri in
                                   enumerate((PLAIN_URI, TLS_URI, PLAIN_URI, TLS_URI))))

        run(check())

    def test_close_timeout(self):
        """Bounds leaving, where the server does not answer and where it never stops."""
        async def check(uri):
            client = S9ws.AsyncClient(uri=uri, options=S9ws.Options(
                close_timeout=200, max_queued_bytes=100000))
            async with client:
                pass
            self.assertEqual(client.props.state, S9ws.State.CLOSED)

        for serve in (be_silent, flood):
            with serving(serve) as uri, self.subTest(serve=serve.__name__):
                run(check(uri))

    def test_asend_waits(self):
        """Until there is room, and lets others have their turn meanwhile."""
        gate = threading.Event()

        def be_deaf(connection):
            if answer_upgrade(connection):
                gate.wait(TIMEOUT)
                wait_end(connection)

        async def check(uri):
            client = S9ws.AsyncClient(uri=uri, options=S9ws.Options(
                max_buffered_amount=200000, close_timeout=200))
            async with client:
                # Until the system takes no more, either.
                n_failures = 0
                while n_failures < 20:
                    try:
                        client.send_binary(bytes(60000))
                        n_failures = 0
                    except GLib.Error:
                        n_failures += 1
                    await asyncio.sleep(0.005)
                tasks = [asyncio.create_task(client.asend(bytes(60000))) for _ in range(5)]
                await asyncio.sleep(0.05)
                self.assertFalse([task for task in tasks if task.done()])
                gate.set()
                await asyncio.gather(*tasks)
                with self.assertRaises(GLib.Error) as context:
                    while client.get_buffered_amount() > 0:
                        await asyncio.sleep(0.01)
                    await client.asend(bytes(200001))
                self.assert_error(context.exception, S9ws.Error.BUFFER_FULL)
            with self.assertRaises(GLib.Error) as context:
                await client.asend('late')
            self.assert_error(context.exception, S9ws.Error.CONNECTION_CLOSED)

        with serving(be_deaf) as uri:
            run(check(uri))

    def test_wrong_types(self):
        async def check():
            async with S9ws.AsyncClient(uri=PLAIN_URI) as client:
                for bad in (None, 5, 1.5, object()):
                    with self.subTest(bad=bad), self.assertRaises(TypeError):
                        await client.asend(bad)
                with self.assertRaises(TypeError):
                    await client.aclose('code')
                # None of these has been sent.
                await client.asend('x')
                self.assertEqual(await anext(aiter(client)), 'x')

        run(check())

    def test_is_freed(self):
        async def check():
            client = S9ws.AsyncClient(uri=PLAIN_URI)
            gone = weakref.ref(client)
            async with client:
                await client.asend('x')
                await anext(aiter(client))
            return gone

        n_threads = count_threads()
        gone = run(check())
        gc.collect()
        self.assertIsNone(gone())
        self.assert_threads(n_threads)


if __name__ == '__main__':
    main()
