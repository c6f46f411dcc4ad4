#!/usr/bin/python3
"""test-python-interrupt.py: Ctrl-C while a client waits, in Python.

Usage: test-python-interrupt.py WS-URI WSS-URI, of server.py

A program is started for each case, says that it waits, and is sent SIGINT. It has to see
KeyboardInterrupt where it waits, and to be able to go on with its client after that.
How long that took is printed, not judged: the bound is that of the overrides.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from mute_server import be_silent, count, flood, serving  # noqa: E402
from recorder import PLAIN_URI, TLS_URI, TestCase, main  # noqa: E402
from gi.overrides import S9ws as overrides  # noqa: E402

TIMEOUT = 60  # s
N_NUMBERS = 100000

BEGIN = '''
import os, signal, sys, time
# Whoever runs the test may ignore it, which is inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)
import gi
gi.require_version('S9ws', '1')
from gi.repository import GLib, S9ws

# Handlers of signals say something, too, and print () cannot be entered twice.
def say(word):
    os.write(1, f'{word}\\n'.encode())

kind, uri, strategy = sys.argv[1:]
options = S9ws.Options(wait_strategy=int(strategy), spin_wait_duration=1000, close_timeout=5000,
                       tls_context=S9ws.TlsContext(ca_file=os.environ['S9WS_TEST_CA']))
client = getattr(S9ws, kind)(uri=uri, options=options)
client.connect('connection-closed', lambda client, code, reason: say('closed %d' % code))
'''

END = '''
say('left ' + client.props.state.value_nick)
if client.props.state == S9ws.State.OPEN:
    client.close(1000, None)
    client.run()
say('ended ' + client.props.state.value_nick)
'''

# Where the server does not answer it.
NO_CLOSE = '''
say('left ' + client.props.state.value_nick)
client.force_quit()
sys.exit()
'''

WAITS = {
    # Says that it waits from inside, so that it does.
    'run': '''
client.connect('activated', lambda client: say('waits'))
try:
    client.run()
except KeyboardInterrupt:
    say('interrupted')
''',
    'run_with_handler': '''
from gi.repository import GObject
class Handler(GObject.Object, S9ws.Handler):
    def do_activated(self, client):
        say('waits')
client.set_handler(Handler())
try:
    client.run()
except KeyboardInterrupt:
    client.set_handler(None)
    say('interrupted')
''',
    'run_twice': '''
client.connect('activated', lambda client: say('waits'))
for i in range(2):
    try:
        if i == 1:
            say('waits')
        client.run()
    except KeyboardInterrupt:
        say('interrupted')
''',
    'for': '''
client.open()
client.send_text('x')
try:
    for message in client:
        say('waits')
except KeyboardInterrupt:
    say('interrupted')
''',
    'receive': '''
client.receive(-1)
try:
    say('waits')
    client.receive(-1)
except KeyboardInterrupt:
    say('interrupted')
''',
    'with': '''
try:
    with client:
        say('waits')
        for message in client:
            pass
except KeyboardInterrupt:
    say('interrupted')
''',
}

POPS = {
    name: f'''
client.start()
client.pop_event()
try:
    say('waits')
    client.{call}
except KeyboardInterrupt:
    say('interrupted')
''' for name, call in (
        ('pop_event', 'pop_event()'),
        ('timeout_pop_event', 'timeout_pop_event(10 ** 9)'),
        ('pop_events', 'pop_events(0, -1)'),
        ('join', 'join()'),
    )
}

BUSY = {
    # With Python's own handlers running all the time, an exception in one of them is lost.
    'signals': '''
client.connect('activated', lambda client: say('waits'))
client.connect('text-message', lambda client, text: None)
try:
    client.run()
except KeyboardInterrupt:
    say('interrupted')
''',
    'nobody': '''
client.connect('activated', lambda client: say('waits'))
try:
    client.run()
except KeyboardInterrupt:
    say('interrupted')
''',
    'for': '''
client.open()
try:
    say('waits')
    for message in client:
        pass
except KeyboardInterrupt:
    say('interrupted')
''',
}

# Takes all numbers although it is interrupted again and again, where chance has it, but
# never outside of the try: the next one is sent once that has been entered again. A function
# takes, as newer Pythons do not count every jump of a loop to the try around it. What was
# taken off is noted without a call before, which Ctrl-C could follow.
COUNT = '''
import threading
n_numbers = %d
taken = []
n_interrupts = 0
is_trying = False

def interrupt():
    global is_trying
    while len(taken) < n_numbers // 2:
        if is_trying:
            is_trying = False
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.0002)

def take():
    while len(taken) < n_numbers:
%s

client.start() if kind == 'AsyncClient' else client.open()
while client.receive(-1).get_kind() != S9ws.EventKind.ACTIVATED:
    pass
thread = threading.Thread(target=interrupt, daemon=True)
thread.start()
while len(taken) < n_numbers:
    try:
        is_trying = True
        take()
    except KeyboardInterrupt:
        n_interrupts += 1
thread.join()
numbers = list(map(str, taken[:n_numbers]))
say('all' if numbers == list(map(str, range(n_numbers))) else 'not all')
say(str(n_interrupts))
client.force_quit()
'''

COUNTS = {
    'for': '''
        for number in client:
            taken.append(number)
            if len(taken) >= n_numbers:
                break
''',
    'events': '''
        for event in client.events():
            taken.append(event)
            if len(taken) >= n_numbers:
                break
''',
} | {
    name: f'''
        while len(taken) < n_numbers:
            event = client.{name}({arguments})
            if event is not None:
                taken.append(event)
''' for name, arguments in (('receive', '-1'), ('pop_event', ''), ('try_pop_event', ''),
                            ('timeout_pop_event', '100000'))
} | {
    'pop_events': '''
        while len(taken) < n_numbers:
            events = client.pop_events(100, -1)
            taken.extend(events)
''',
}

OPENING = {
    name: f'''
import threading
def watch():
    while client.props.state != S9ws.State.CONNECTING:
        time.sleep(0.01)
    say('waits')
threading.Thread(target=watch).start()
try:
    {statement}
except KeyboardInterrupt:
    say('interrupted')
''' for name, statement in (
        ('open', 'client.open()'),
        ('run', 'client.run()'),
        ('for', 'list(client)'),
        ('with', 'client.__enter__()'),
    )
}

OWN_HANDLER = '''
signal.signal(signal.SIGINT, lambda *_: (say('interrupted'), client.close(1000, None)))
client.connect('activated', lambda client: say('waits'))
say('ran ' + str(client.run()))
'''

IN_MAIN_LOOP = '''
loop = GLib.MainLoop()
def run(*_):
    try:
        client.run()
    except KeyboardInterrupt:
        say('interrupted')
client.connect('activated', lambda client: say('waits'))
GLib.idle_add(run)
try:
    loop.run()
except KeyboardInterrupt:
    say('and the loop')
'''

IN_ASYNCIO = '''
import asyncio
async def talk():
    async with client:
        await client.asend('x')
        async for message in client:
            say('waits')
try:
    asyncio.run(talk())
except KeyboardInterrupt:
    say('interrupted')
'''

STRATEGIES = {'BlockingClient': (0,), 'NonBlockingClient': (1, 2, 3, 4), 'AsyncClient': (3,)}


class TestInterrupt(TestCase):
    def start(self, program, *arguments):
        """A program that is ended where it hangs."""
        child = subprocess.Popen([sys.executable, '-c', program, *map(str, arguments)],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        timer = threading.Timer(TIMEOUT, child.kill)
        timer.start()
        self.addCleanup(timer.cancel)
        self.addCleanup(child.stdout.close)
        return child

    def interrupt(self, program, kind, uri, strategy=3, times=1):
        """What it said, but for that it waits."""
        child = self.start(BEGIN + program + END, kind, uri, strategy)
        lines = []
        for _ in range(times):
            self.assertEqual(child.stdout.readline(), 'waits\n')
            begin = time.monotonic()
            child.send_signal(signal.SIGINT)
            lines.append(child.stdout.readline().strip())
            print(f'# {kind}: {lines[-1]} after {(time.monotonic() - begin) * 1000:.0f} ms',
                  flush=True)
        lines += child.stdout.read().splitlines()
        self.assertEqual(child.wait(), 0)
        return lines

    def check_all(self, programs, uris=(PLAIN_URI, TLS_URI), kinds=tuple(STRATEGIES),
                  expected=('interrupted', 'left open', 'closed 1000', 'ended closed')):
        for kind in kinds:
            for name, program in programs.items():
                for uri in uris:
                    times = 2 if name == 'run_twice' else 1
                    end = expected if name != 'with' else (
                        *expected[-2:-1], expected[0], 'left closed', expected[-1])
                    with self.subTest(kind=kind, name=name, uri=uri.partition(':')[0]):
                        lines = self.interrupt(program, kind, uri, times=times)
                        self.assertEqual(lines, [*['interrupted'] * (times - 1), *end])

    def test_bound(self):
        self.assertLessEqual(overrides._SLICE, 100000)

    def test_waiting(self):
        self.check_all(WAITS, uris=(PLAIN_URI,))

    def test_waiting_with_tls(self):
        self.check_all({'run': WAITS['run'], 'for': WAITS['for']}, uris=(TLS_URI,))

    def test_popping(self):
        self.check_all(POPS, uris=(PLAIN_URI,), kinds=('AsyncClient',))

    def test_strategies(self):
        for strategy in STRATEGIES['NonBlockingClient']:
            with self.subTest(strategy=strategy):
                lines = self.interrupt(WAITS['run'], 'NonBlockingClient', PLAIN_URI, strategy)
                self.assertEqual(lines, ['interrupted', 'left open', 'closed 1000', 'ended closed'])

    def test_busy(self):
        with serving(flood) as uri:
            for kind in STRATEGIES:
                for name, program in BUSY.items():
                    with self.subTest(kind=kind, name=name):
                        lines = self.interrupt(program + NO_CLOSE, kind, uri)
                        self.assertEqual(lines, ['interrupted', 'left open'])

    def test_nothing_lost(self):
        """Nor is anything there twice."""
        with serving(count) as uri:
            for kind in STRATEGIES:
                for name, program in COUNTS.items():
                    if 'pop' in name and kind != 'AsyncClient':
                        continue
                    with self.subTest(kind=kind, name=name):
                        child = self.start(BEGIN + COUNT % (N_NUMBERS, program), kind, uri, 3)
                        word, n_interrupts = child.stdout.read().split('\n')[:2]
                        print(f'# {kind}: {name} was interrupted {n_interrupts} times', flush=True)
                        self.assertEqual(word, 'all')
                        self.assertGreater(int(n_interrupts), 0)
                        self.assertEqual(child.wait(), 0)

    def test_opening(self):
        """There is no connection that could be left."""
        with serving(None) as uri:
            for kind in STRATEGIES:
                for name, program in OPENING.items():
                    with self.subTest(kind=kind, name=name):
                        lines = self.interrupt(program, kind, uri)
                        self.assertEqual(lines, ['interrupted', 'left closed', 'ended closed'])

    def test_closing(self):
        """Whoever is in a hurry at the end of a `with`, too, gets out of it."""
        with serving(be_silent) as uri:
            for kind in STRATEGIES:
                with self.subTest(kind=kind):
                    program = BEGIN.replace('close_timeout=5000', 'close_timeout=0') + '''
try:
    with client:
        say('waits')
        time.sleep(1000)
except KeyboardInterrupt:
    say('interrupted')
'''
                    child = self.start(program, kind, uri, 3)
                    self.assertEqual(child.stdout.readline(), 'waits\n')
                    # The first ends the sleep; when the next ones hit is left to chance.
                    while child.poll() is None:
                        child.send_signal(signal.SIGINT)
                        try:
                            child.wait(0.3)
                        except subprocess.TimeoutExpired:
                            pass

    def test_own_handler(self):
        """A handler of the program's runs, and may do with the client what it likes."""
        for kind in STRATEGIES:
            with self.subTest(kind=kind):
                self.assertEqual(self.interrupt(OWN_HANDLER, kind, PLAIN_URI), [
                    'interrupted', 'closed 1000', 'ran True', 'left closed', 'ended closed'])

    def test_in_asyncio(self):
        """Whose own way of it leaves `async with`, which closes."""
        self.assertEqual(self.interrupt(IN_ASYNCIO, 'AsyncClient', PLAIN_URI), [
            'interrupted', 'left closed', 'ended closed'])

    def test_in_main_loop(self):
        for kind in STRATEGIES:
            with self.subTest(kind=kind):
                self.assertEqual(self.interrupt(IN_MAIN_LOOP, kind, PLAIN_URI), [
                    'interrupted', 'and the loop', 'left open', 'closed 1000', 'ended closed'])


if __name__ == '__main__':
    main()
