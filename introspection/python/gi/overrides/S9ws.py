"""S9ws.py: what makes the library at home in Python.

PyGObject loads it with the namespace: `from gi.repository import S9ws` is all that a
program writes. It adds iteration, `with` and asyncio, lets Python see its signals while a
client waits, and changes no signature.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
from __future__ import annotations

import contextlib
import functools
import itertools
import threading
import time
import typing
import weakref

from gi._ossighelper import register_sigint_fallback
from gi.module import get_introspection_module
from gi.overrides import override
from gi.repository import GLib, GObject

if typing.TYPE_CHECKING:
    from array import array
    from types import TracebackType

    from gi.repository import Gio

    BytesLike = typing.Union[bytes, bytearray, memoryview, 'array[typing.Any]']
    Message = typing.Union[str, bytes]

S9ws = get_introspection_module('S9ws')
__all__ = ['AsyncClient', 'Client', 'EndReport', 'Event']

# A wait in C comes back to Python this often, in µs: that is where the handlers of
# signals run. Python has no other threads run them, and no other threads wait in turns.
_SLICE = 50000
# How many events a task of asyncio takes before the others have their turn.
_EVENTS_PER_TURN = 64
# Of what waits for room to send, in s: the socket, which would tell, is the thread's, and the
# descriptor of the events tells of nothing else.
_BUFFER_POLL = 0.002

# Bound once, for what is called for each message.
_receive = S9ws.Client.receive
_send_text = S9ws.Client.send_text
_send_binary = S9ws.Client.send_binary


# What a loop has taken off and not handed out yet, for each client.
_kept: weakref.WeakKeyDictionary[Client, list[Event]] = weakref.WeakKeyDictionary()


def _get_kept(client: Client) -> list[Event]:
    kept = _kept.get(client)
    return _kept.setdefault(client, []) if kept is None else kept


def _take(client: Client, pop: functools.partial[Event | None]) -> Event | None:
    """What is kept, else what pop takes off.

    Python runs handlers of signals, which may raise, after a call and where a loop goes
    round. Whatever was called by then is lost, so here the iterator of a loop calls, and
    no call comes before the return.
    """
    kept = _kept.get(client)
    if kept:
        event = kept[0]
        del kept[0]
        return event
    for event in iter(pop, None):
        return event
    return None


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def _interruption() -> typing.Iterator[list[bool]]:
    """Ctrl-C is noted in the list, and raised when the block is left.

    An exception that a handler of signals raises inside of a callback from C would be
    printed and forgotten. PyGObject's own loops do it this way, too.
    """
    interrupted: list[bool] = []
    with register_sigint_fallback(lambda: interrupted.append(True)):
        yield interrupted
    if interrupted:
        raise KeyboardInterrupt


def _call_in_thread(function: typing.Callable[..., object], *arguments: object,
                    end: typing.Callable[[], None] | None = None) -> None:
    """Waits for it in Python, where Ctrl-C is seen: it calls what ends the function."""
    failures = []

    def work() -> None:
        try:
            function(*arguments)
        except Exception as error:  # of wrong arguments, too: it is raised below
            failures.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    with _interruption() as interrupted:
        while thread.is_alive() and not interrupted:
            thread.join(_SLICE / 1e6)
        if interrupted and end is not None:
            end()
            thread.join()
    for error in failures:
        raise error


def _flatten(data: typing.Any) -> typing.Any:
    """What has the buffer protocol as bytes; else what it is, for PyGObject to judge."""
    if type(data) is bytes:
        return data
    # A sequence, for PyGObject: of numbers, if it is empty.
    if isinstance(data, str):
        raise TypeError('expected bytes or what has the buffer protocol, not str')
    try:
        return memoryview(data).tobytes()
    except TypeError:
        return data


def _get_text(event: Event) -> str | None:
    text = event.get_text()
    # What stands for U+0000, which a string of C cannot hold, or was sent as it is.
    if text is not None and '\ufffd' in text:
        return event.get_data().decode()
    return text


class Event(S9ws.Event):
    """One event. `str(event)` is its text, `bytes(event)` its payload, both exact."""

    def __str__(self) -> str:
        text = _get_text(self)
        return repr(self) if text is None else text

    def __bytes__(self) -> bytes:
        return self.get_data()

    def __repr__(self) -> str:
        kind = self.get_kind()
        parts = [kind.value_nick]
        if kind == S9ws.EventKind.TEXT_MESSAGE:
            parts.append(repr(str(self)))
        elif kind == S9ws.EventKind.CONNECTION_CLOSED:
            parts += [str(self.get_code()), repr(self.get_reason())]
        elif kind == S9ws.EventKind.ERROR:
            parts.append(repr(self.get_error().message))
        elif self.get_bytes() is not None:
            parts.append(repr(self.get_data()))
        return '<S9ws.Event %s>' % ' '.join(part if len(part) < 80 else part[:76] + ' ...'
                                            for part in parts)


Event = override(Event)


class EndReport(S9ws.EndReport):
    """How a connection ended. `str(report)` is its line for a log."""

    def __str__(self) -> str:
        return self.to_string()


EndReport = override(EndReport)


class Client(S9ws.Client):
    """A WebSocket client.

    Messages can be iterated over, `str` for a text and `bytes` for a binary one:

        with S9ws.BlockingClient(uri='wss://example.org/') as client:
            client.send_text('Hello')
            for message in client:
                print(message)

    `with` opens the client, and closes it at the end. Whatever waits on the main thread
    is interrupted by Ctrl-C, and the connection left as it is.
    """

    def open(self, cancellable: Gio.Cancellable | None = None) -> bool:
        """Connects. Ctrl-C ends the client, since there is no connection to be left."""
        if not _is_main_thread():
            return super().open(cancellable)

        results = []
        context = GLib.MainContext.new()
        ticker = GLib.timeout_source_new(_SLICE // 1000)
        ticker.set_callback(lambda *_: GLib.SOURCE_CONTINUE)
        ticker.attach(context)
        context.push_thread_default()
        try:
            with _interruption() as interrupted:
                self.open_async(cancellable, lambda _, result: results.append(result))
                while not results:
                    context.iteration(True)
                    if interrupted:
                        self.force_quit()
        finally:
            context.pop_thread_default()
            ticker.destroy()
        return self.open_finish(results[0])

    def run(self, cancellable: Gio.Cancellable | None = None) -> bool:
        """Opens the client if need be, and emits its signals until the connection ends.

        Ctrl-C raises KeyboardInterrupt once the handler that runs has returned, and
        leaves the connection open: run() may be called again, or close().
        """
        if not _is_main_thread():
            return super().run(cancellable)

        if self.get_state() == S9ws.State.NEW:
            try:
                self.open(cancellable)
            except GLib.Error:
                # What the asynchronous client has queued about it comes as signals, too.
                with contextlib.suppress(GLib.Error):
                    super().run(None)
                raise
        with _interruption() as interrupted:
            while not interrupted:
                _, has_ended = self.run_for(_SLICE, cancellable)
                if has_ended:
                    return True
        return False

    def receive(self, timeout_us: int) -> Event | None:
        """Takes the next event off, waiting for it for so many µs, for ever if negative."""
        if not _is_main_thread() or 0 <= timeout_us <= _SLICE:
            return _take(self, functools.partial(_receive, self, timeout_us))

        end = time.monotonic() + timeout_us / 1e6
        while True:
            rest = _SLICE if timeout_us < 0 else int((end - time.monotonic()) * 1e6)
            event = _take(self, functools.partial(_receive, self, max(0, min(rest, _SLICE))))
            if event is not None or rest <= 0:
                return event
            # QUIT comes at once, if nobody has taken it off.
            if self.get_state() == S9ws.State.CLOSED:
                return _take(self, functools.partial(_receive, self, -1))

    def _wait_events(self, kept: list[Event]) -> typing.Iterator[Event]:
        """All events, each of them kept until whoever asked has let go of it."""
        if self.get_state() == S9ws.State.NEW:
            self.open()

        timeout = _SLICE if _is_main_thread() else -1
        while kept:
            yield kept[0]
        # As in _take(), the loop calls.
        for event in map(_receive, itertools.repeat(self), itertools.repeat(timeout)):
            if event is not None:
                kept.append(event)
            elif self.get_state() == S9ws.State.CLOSED:
                # QUIT comes at once, if nobody has taken it off.
                kept.extend(filter(None, map(_receive, (self,), (-1,))))
                if not kept:
                    return
            # Unless another thread, or a handler of a signal, was faster.
            while kept:
                yield kept[0]

    def events(self) -> typing.Iterator[Event]:
        """Opens the client if need be, and gives all its events, the last of them QUIT.

        None of them is emitted. Raises GLib.Error where it could not be opened.
        """
        kept = _get_kept(self)
        for event in self._wait_events(kept):
            if kept and kept[0] is event:
                del kept[0]
                yield event

    def __iter__(self) -> typing.Iterator[Message]:
        """Opens the client if need be, and gives its messages until the connection ends.

        Raises GLib.Error where it could not be opened or was ended by an error.
        """
        failure = None
        kept = _get_kept(self)
        for event in self._wait_events(kept):
            message: Message | None = _get_text(event)
            if message is None:
                kind = event.get_kind()
                if kind == S9ws.EventKind.BINARY_MESSAGE:
                    message = event.get_data()
                elif kind == S9ws.EventKind.ERROR:
                    failure = event.get_error()
            # From here on no call, which Ctrl-C could follow.
            if kept and kept[0] is event:
                del kept[0]
                if message is not None:
                    yield message
        if failure is not None:
            raise failure

    def __enter__(self) -> typing.Self:
        if self.get_state() == S9ws.State.NEW:
            self.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        """Closes the connection, and waits until it has ended, for close-timeout at most.

        What the client has still to tell comes as signals. How the connection ended is
        not raised here: it is over, which is what the block has been left for.
        """
        with contextlib.suppress(GLib.Error):
            self.close(1000, None)
        try:
            self.run()
        except GLib.Error:
            pass
        except BaseException:
            self.force_quit()
            raise

    def send_text(self, text: str) -> bool:
        """Sends a text message. It may hold U+0000."""
        if isinstance(text, str) and '\0' in text:
            return self.send_text_bytes(GLib.Bytes.new(text.encode()))
        return _send_text(self, text)

    def send_binary(self, data: BytesLike | typing.Sequence[int] | None) -> bool:
        """Sends a binary message: bytes, or whatever has the buffer protocol."""
        return _send_binary(self, _flatten(data))

    def send_ping(self, data: BytesLike | typing.Sequence[int] | None) -> bool:
        """Sends a ping, with at most 125 bytes."""
        return super().send_ping(_flatten(data))

    def send_pong(self, data: BytesLike | typing.Sequence[int] | None) -> bool:
        """Sends a pong that no ping has asked for, with at most 125 bytes."""
        return super().send_pong(_flatten(data))


Client = override(Client)


# Descriptors that a task of asyncio waits for. A loop has one callback for each.
_awaited: set[int] = set()


async def _wait_readable(fd: int) -> None:
    import asyncio

    if fd in _awaited:
        raise RuntimeError('another task waits for the events of this client already')

    loop = asyncio.get_running_loop()
    future = loop.create_future()
    _awaited.add(fd)
    # It may be readable more than once before the task goes on.
    loop.add_reader(fd, lambda: future.done() or future.set_result(None))
    try:
        await future
    finally:
        loop.remove_reader(fd)
        _awaited.discard(fd)


class AsyncClient(S9ws.AsyncClient):
    """A client whose socket belongs to a background thread.

    It is the one for asyncio, which needs no main loop of GLib's beside it:

        async with S9ws.AsyncClient(uri='wss://example.org/') as client:
            await client.asend('Hello')
            async for message in client:
                print(message)
    """

    def open(self, cancellable: Gio.Cancellable | None = None) -> bool:
        """Connects. Ctrl-C ends the client, since there is no connection to be left."""
        function = super(Client, self).open
        # Who accepts certificates is asked on the thread that opens: on this one.
        if not _is_main_thread() or GObject.signal_has_handler_pending(
                self, GObject.signal_lookup('accept-certificate', self), 0, True):
            return function(cancellable)

        _call_in_thread(function, cancellable, end=self.force_quit)
        return True

    def __enter__(self) -> typing.Self:
        super().__enter__()
        if self.get_state() != S9ws.State.CLOSED:
            self.start()
        return self

    def _pop(self, pop: typing.Callable[[int], typing.Any], timeout_us: int) -> typing.Any:
        """In turns, if need be, until there is something, the time is up or the end."""
        if not _is_main_thread():
            return pop(timeout_us)

        end = time.monotonic() + timeout_us / 1e6
        while True:
            rest = _SLICE if timeout_us < 0 else int((end - time.monotonic()) * 1e6)
            popped = pop(max(0, min(rest, _SLICE)))
            if popped or rest <= 0:
                return popped
            # QUIT comes at once, if nobody has taken it off.
            if self.get_state() in (S9ws.State.NEW, S9ws.State.CLOSED):
                return pop(timeout_us)

    def pop_event(self) -> Event | None:
        """Takes the next event off, waiting until there is one; None after QUIT."""
        timeout_pop = functools.partial(super().timeout_pop_event, _SLICE)
        while _is_main_thread():
            event = _take(self, timeout_pop)
            if event is not None:
                return event
            if self.get_state() in (S9ws.State.NEW, S9ws.State.CLOSED):
                break
        return _take(self, functools.partial(super().pop_event))

    def try_pop_event(self) -> Event | None:
        """Takes the next event off, if there is one."""
        return _take(self, functools.partial(super().try_pop_event))

    def timeout_pop_event(self, timeout_us: int) -> Event | None:
        """Takes the next event off, waiting for it for so many µs."""
        pop = super().timeout_pop_event
        return self._pop(lambda timeout: _take(self, functools.partial(pop, timeout)),
                         timeout_us)

    def pop_events(self, max: int, timeout_us: int) -> list[Event]:
        """Takes up to so many events off, waiting for the first; all there are if 0."""
        pop = super().pop_events
        kept = _get_kept(self)

        def pop_list(timeout: int) -> list[Event]:
            if kept:
                events = kept[:max or None]
                del kept[:max or None]
                return events
            for events in map(pop, (max,), (timeout,)):
                return events
            return []

        return self._pop(pop_list, timeout_us)

    def join(self) -> None:
        """Waits until the client's thread has ended."""
        if _is_main_thread():
            _call_in_thread(super().join)
        else:
            super().join()

    async def aopen(self) -> None:
        """Connects and starts the client, without blocking asyncio's loop.

        On another thread, where `accept-certificate` is emitted, too.
        """
        import asyncio

        loop = asyncio.get_running_loop()
        opening = loop.run_in_executor(None, super(Client, self).open, None)
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            self.force_quit()
            await asyncio.wait([opening])
            opening.exception()
            raise
        self.start()

    async def aclose(self, code: int = 1000, reason: str | None = None) -> None:
        """Closes the connection, and waits until it has ended, for close-timeout at most.

        What has come before can still be iterated over.
        """
        import asyncio

        with contextlib.suppress(GLib.Error):
            self.close(code, reason)
        await asyncio.get_running_loop().run_in_executor(None, super().join)

    async def asend(self, message: str | BytesLike) -> None:
        """Sends a text or a binary message, once there is room for it.

        Sending never blocks: send_text() fails where max-buffered-amount is reached.
        This waits instead, so that a fast task does not get ahead of a slow server.
        """
        import asyncio

        if message is None:
            raise TypeError('expected str or bytes, not None')
        send = self.send_text if isinstance(message, str) else self.send_binary
        while True:
            was_empty = self.get_buffered_amount() == 0
            try:
                send(message)
                return
            except GLib.Error as error:
                if was_empty or not error.matches(S9ws.error_quark(), S9ws.Error.BUFFER_FULL):
                    raise
            await asyncio.sleep(_BUFFER_POLL)

    async def aevents(self) -> typing.AsyncIterator[Event]:
        """Starts the client if need be, and gives all its events, the last of them QUIT.

        None of them is emitted. One task at a time may wait for them.
        """
        import asyncio

        receive = functools.partial(_receive, self, 0)
        n_events = 0
        is_over = False
        while True:
            event = _take(self, receive)
            if event is not None:
                yield event
                n_events += 1
                if n_events % _EVENTS_PER_TURN == 0:
                    await asyncio.sleep(0)
            elif is_over:
                return
            else:
                # Readable once there is an event, or for good after the last.
                await _wait_readable(self.get_event_fd())
                is_over = self.get_state() == S9ws.State.CLOSED

    async def __aiter__(self) -> typing.AsyncIterator[Message]:
        """Starts the client if need be, and gives its messages until the connection ends.

        Raises GLib.Error where it could not be opened or was ended by an error.
        """
        failure = None
        async for event in self.aevents():
            text = _get_text(event)
            if text is not None:
                yield text
                continue
            kind = event.get_kind()
            if kind == S9ws.EventKind.BINARY_MESSAGE:
                yield event.get_data()
            elif kind == S9ws.EventKind.ERROR:
                failure = event.get_error()
        if failure is not None:
            raise failure

    async def __aenter__(self) -> typing.Self:
        if self.get_state() == S9ws.State.NEW:
            await self.aopen()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        traceback: TracebackType | None) -> None:
        """Closes the connection, and waits until it has ended, for close-timeout at most.

        Messages that nobody has iterated over are dropped.
        """
        with contextlib.suppress(GLib.Error):
            self.close(1000, None)
        if self.get_event_fd() in _awaited:
            await self.aclose()
            return
        async for _ in self.aevents():
            pass


AsyncClient = override(AsyncClient)
