"""recorder.py: notes what a client says, and TAP for unittest.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import sys
import time
import traceback
import unittest

import gi

gi.require_version('S9ws', '1')
from gi.repository import Gio, GLib, GObject, S9ws  # noqa: E402

PLAIN_URI, TLS_URI = sys.argv[-2:]


def make_options(**values):
    tls_context = S9ws.TlsContext(ca_file=os.environ['S9WS_TEST_CA'])
    return S9ws.Options(tls_context=tls_context, **values)


class Recorder:
    """Connects to all signals of a client, notes them, and does what the test wants."""

    def __init__(self, client, **actions):
        self.events = []
        self.polls = 0
        self.idles = 0
        self.failure = None
        self.actions = actions
        for name in ('activated', 'text-message', 'binary-message', 'ping', 'pong',
                     'connection-closed', 'error', 'quit'):
            client.connect(name, self.note, name)
        client.connect('poll', self.note_poll)
        client.connect('idle', self.note_idle)

    def note(self, client, *arguments):
        *arguments, name = arguments
        if name in ('binary-message', 'ping', 'pong'):
            arguments = [arguments[0].get_data()]
        self.events.append((name, *arguments))
        self.act(name.replace('-', '_'), client, *arguments)

    def note_poll(self, client):
        self.polls += 1

    def note_idle(self, client):
        self.idles += 1
        self.act('idle', client)

    def act(self, name, client, *arguments):
        """An exception in a callback would be printed and forgotten."""
        try:
            action = self.actions.get(name)
            if action:
                action(client, *arguments)
        except BaseException as failure:
            traceback.print_exc()
            self.failure = failure
            client.force_quit()

    @property
    def names(self):
        return [event[0] for event in self.events]

    def values(self, name):
        return [event[1] for event in self.events if event[0] == name]


class Handler(GObject.Object, S9ws.Handler):
    """The same by virtual functions, all of which are there.

    PyGObject gives a virtual function the length of an array, too.
    """

    def __init__(self, **actions):
        super().__init__()
        self.events = []
        self.polls = 0
        self.idles = 0
        self.failure = None
        self.actions = actions

    def note(self, client, name, *arguments):
        self.events.append((name, *arguments))
        action = self.actions.get(name.replace('-', '_'))
        try:
            if action:
                action(client, *arguments)
        except BaseException as failure:
            traceback.print_exc()
            self.failure = failure
            client.force_quit()

    def do_activated(self, client):
        self.note(client, 'activated')

    def do_poll(self, client):
        self.polls += 1

    def do_idle(self, client):
        self.idles += 1

    def do_text_message(self, client, text, length):
        assert len(text.encode()) <= length
        self.note(client, 'text-message', text)

    def do_binary_message(self, client, data, *length):
        self.note(client, 'binary-message', bytes(data))

    def do_ping(self, client, data, *length):
        self.note(client, 'ping', bytes(data))

    def do_pong(self, client, data, *length):
        self.note(client, 'pong', bytes(data))

    def do_connection_closed(self, client, code, reason):
        self.note(client, 'connection-closed', code, reason)

    def do_error(self, client, error):
        self.note(client, 'error', error)

    def do_quit(self, client):
        self.note(client, 'quit')

    names = Recorder.names
    values = Recorder.values


class TestCase(unittest.TestCase):
    def assert_error(self, error, code):
        self.assertIsInstance(error, GLib.Error)
        self.assertTrue(error.matches(S9ws.error_quark(), code), error)
        self.assertTrue(error.message)

    def assert_fails(self, code, function, *arguments):
        with self.assertRaises(GLib.Error) as context:
            function(*arguments)
        self.assert_error(context.exception, code)
        return context.exception

    def assert_threads(self, n):
        """A thread that has ended takes a moment to disappear."""
        end = time.monotonic() + 10
        while count_threads() > n and time.monotonic() < end:
            time.sleep(0.01)
        self.assertLessEqual(count_threads(), n)


def get_name(task):
    try:
        with open(f'/proc/self/task/{task}/comm', encoding='utf-8') as file:
            return file.read()
    except OSError:  # it has ended
        return None


def count_threads():
    """But for GLib's pool, which keeps its threads for the next name to look up."""
    names = [get_name(task) for task in os.listdir('/proc/self/task')]
    return len([name for name in names if name is not None and not name.startswith('pool-')])


class TapResult(unittest.TestResult):
    """One line a test, whatever its subtests are."""

    def startTest(self, test):
        super().startTest(test)
        self.n_before = self.n_wrong()
        self.explanations = []

    def stopTest(self, test):
        super().stopTest(test)
        word = 'ok' if self.n_wrong() == self.n_before else 'not ok'
        print(f'{word} {self.testsRun} -', test.id().partition('.')[2], flush=True)
        for line in self.explanations:
            print('#', line, flush=True)

    def n_wrong(self):
        return len(self.failures) + len(self.errors) + len(self.skipped)

    def explain(self, test, error):
        self.explanations += [str(test), *self._exc_info_to_string(error, test).splitlines()]

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.explain(test, error)

    def addError(self, test, error):
        super().addError(test, error)
        self.explain(test, error)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.explain(subtest, error)


def main():
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules['__main__'])
    print(f'1..{suite.countTestCases()}', flush=True)
    result = TapResult()
    suite.run(result)
    sys.exit(not result.wasSuccessful())
