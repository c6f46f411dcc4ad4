#!/usr/bin/python3
"""test-python-stubs.py: the type stubs against the typelib, and with mypy.

Usage: test-python-stubs.py S9WS.PYI WS-URI WSS-URI

Each thing of the namespace is in the stubs and nothing else is; a program is found to be
right, and each mistake in another is found. PyGObject brings no stubs of its namespaces;
those in stubs/ stand for them.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import ast
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from recorder import TestCase, main  # noqa: E402
import gi  # noqa: E402
from gi.repository import S9ws  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
STUBS = pathlib.Path(sys.argv[1])
# What PyGObject makes of each class.
NOT_OURS = {'__init__', 'Props', 'props'}
SPECIAL = {'__iter__', '__enter__', '__exit__', '__aiter__', '__aenter__', '__aexit__',
           '__str__', '__bytes__', '__repr__'}

RIGHT = '''
import asyncio
import gi
gi.require_version('S9ws', '1')
from gi.repository import Gio, GLib, GObject, S9ws

def iterate(uri: str) -> list[str]:
    texts: list[str] = []
    tls_context = S9ws.TlsContext(ca_file='a')
    options = S9ws.Options(nodelay=True, protocols=['chat'], tls_context=tls_context,
                           wait_strategy=S9ws.WaitStrategy.ADAPTIVE)
    with S9ws.BlockingClient(uri=uri, options=options) as client:
        client.send_text('Hello')
        client.send_binary(bytearray(5))
        client.send_ping(memoryview(b'x'))
        for message in client:
            if isinstance(message, str):
                texts.append(message)
            else:
                texts.append(message.decode())
    return texts

def run(uri: str) -> bool:
    client = S9ws.NonBlockingClient.new(uri, None)
    client.connect('text-message', lambda client, text: None)
    client.set_handler(Handler())
    is_fine, has_ended = client.run_for(1000)
    event = client.receive(-1)
    if event is not None and event.get_kind() == S9ws.EventKind.TEXT_MESSAGE:
        print(str(event), bytes(event), event.get_kind().value_nick)
    print(client.props.state.value_nick, client.get_stats().messages_sent + 1)
    print(client.props.end_report, str(client.get_end_report()).upper())
    return is_fine and has_ended and client.run(Gio.Cancellable())

class Handler(GObject.Object, S9ws.Handler):
    def do_text_message(self, client: S9ws.Client, text: str, length: int) -> None:
        client.close(1000, None)

    def do_binary_message(self, client: S9ws.Client, data: bytes, *length: int) -> None:
        client.close(1000)

def pop(client: S9ws.AsyncClient) -> int:
    client.start()
    events = client.pop_events(5, -1)
    event = client.pop_event() or client.try_pop_event()
    if event is not None:
        events.append(event)
    return sum(len(event.get_data()) for event in events)

async def talk(uri: str) -> str | bytes:
    async with S9ws.AsyncClient(uri=uri) as client:
        await client.asend('Hello')
        await client.asend(b'Hello')
        async for event in client.aevents():
            print(event.get_code())
        async for message in client:
            return message
    try:
        await client.aopen()
    except GLib.Error as error:
        if error.matches(S9ws.error_quark(), S9ws.Error.CONNECTION_CLOSED):
            await client.aclose(1000, 'end')
    return b''

print(asyncio.run(talk('ws://localhost/')))
'''

WRONG = '''
from gi.repository import GObject, S9ws
client = S9ws.AsyncClient(uri=5)
client = S9ws.AsyncClient(url='ws://localhost/')
S9ws.Options(nodelay='yes')
client.send_text(b'bytes')
client.send_binary('text')
client.no_such_method()
client.get_state().upper()
client.close('why')
client.props.state = S9ws.State.OPEN
client.props.no_such_property
client.pop_event().get_kind()
S9ws.State.NO_SUCH_STATE
S9ws.NoSuchClient(uri='')
for message in client: message.encode()
async def work() -> None:
    for event in client.aevents(): pass
    await client.asend(5)
class Handler(GObject.Object, S9ws.Handler):
    def do_text_message(self, client: S9ws.Client, text: bytes, length: int) -> None: pass
'''
# Lines of it that are right.
INNOCENT = {'from', 'async', 'class'}


def read_stubs():
    """The names of the namespace, and of each class in it."""
    names, classes = set(), {}
    for node in ast.parse(STUBS.read_text(encoding='utf-8')).body:
        if isinstance(node, ast.ClassDef):
            classes[node.name] = {
                item.name if hasattr(item, 'name') else item.target.id
                for item in node.body if not isinstance(item, ast.Expr)}
        elif isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign):
            names.add(node.target.id)
    return names, classes


def read_typelib():
    """The same, by what PyGObject finds in it."""
    names, classes = set(), {}
    for item in gi.Repository.get_default().get_infos('S9ws'):
        name = item.get_name()
        item = getattr(S9ws, name)
        info = getattr(item, '__info__', None)
        if not isinstance(item, type):
            names.add(name)
            continue
        members = {method.get_name() for method in info.get_methods()}
        if hasattr(info, 'get_values'):
            members |= {value.get_name().upper() for value in info.get_values()}
        elif hasattr(info, 'get_fields') and issubclass(item, S9ws.Stats):
            members |= {field.get_name() for field in info.get_fields()}
        if name == 'Handler':
            members |= {'do_' + function.get_name() for function in info.get_vfuncs()}
        classes[name] = members | read_overridden(item)
    return names, classes


def read_overridden(item):
    if item.__module__ != 'gi.overrides.S9ws':
        return set()
    return {name for name in vars(item) if not name.startswith('_') or name in SPECIAL}


def complete(folder):
    """Whatever else the stubs need of other namespaces: that it exists."""
    text = STUBS.read_text(encoding='utf-8')
    for path in folder.glob('G*.pyi'):
        known = path.read_text(encoding='utf-8')
        for name in sorted(set(re.findall(rf'\b{path.stem}\.(\w+)', text))):
            if f'class {name}' not in known:
                known += f'\nclass {name}: ...\n'
        path.write_text(known, encoding='utf-8')


class TestStubs(TestCase):
    maxDiff = None

    def test_namespace(self):
        names, classes = read_stubs()
        expected_names, expected_classes = read_typelib()
        self.assertEqual(names, expected_names)
        self.assertEqual(set(classes), set(expected_classes))

    def test_members(self):
        _, classes = read_stubs()
        _, expected = read_typelib()
        for name, members in classes.items():
            with self.subTest(name=name):
                self.assertEqual(members - NOT_OURS, expected[name])

    def test_properties(self):
        for node in ast.parse(STUBS.read_text(encoding='utf-8')).body:
            for item in getattr(node, 'body', ()):
                if getattr(item, 'name', '') == 'Props':
                    with self.subTest(name=node.name):
                        names = {prop.name if hasattr(prop, 'name') else prop.target.id
                                 for prop in item.body}
                        self.assertEqual(names, {
                            prop.name.replace('-', '_')
                            for prop in getattr(S9ws, node.name).list_properties()})


class TestMypy(TestCase):
    def check(self, text):
        """What is found, by the lines that it is found in."""
        with tempfile.TemporaryDirectory(prefix='s9ws-stubs-') as folder:
            shutil.copytree(HERE / 'stubs', folder, dirs_exist_ok=True)
            shutil.copy(STUBS, pathlib.Path(folder, 'gi/repository'))
            complete(pathlib.Path(folder, 'gi/repository'))
            program = pathlib.Path(folder, 'program.py')
            program.write_text(text, encoding='utf-8')
            done = subprocess.run(
                ['/usr/bin/mypy', '--strict', '--no-error-summary', '--cache-dir', 'cache',
                 '--python-executable', '/usr/bin/python3', program.name],
                cwd=folder, check=False, env={**os.environ, 'MYPYPATH': folder},
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        print(''.join(f'# {line}\n' for line in done.stdout.splitlines()), end='', flush=True)
        self.assertIn(done.returncode, (0, 1))
        return done.stdout

    def test_right(self):
        self.assertEqual(self.check(RIGHT), '')

    def test_wrong(self):
        found = self.check(WRONG)
        lines = {int(line) for line in re.findall(r'^program\.py:(\d+): error', found, re.M)}
        expected = {i for i, line in enumerate(WRONG.splitlines(), 1)
                    if line and line.split()[0] not in INNOCENT}
        self.assertEqual(lines, expected)
        self.assertNotRegex(found, r'\.pyi:\d+: error')


if __name__ == '__main__':
    main()
