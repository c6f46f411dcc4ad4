#!/usr/bin/python3
"""test-console.py: the GTK console, used by its keys and read as a screen reader does.

Usage: test-console.py BENCH-SERVER SCREENSHOT PROGRAM... URI TLS-URI

PROGRAM is what starts the console. It is run in a screen, a session bus and an
accessibility bus of its own, keys are typed by xdotool, and what the window shows is
read by AT-SPI. SCREENSHOT is written at the end.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

import gi
gi.require_version('Atspi', '2.0')
from gi.repository import Atspi, GLib

TIMEOUT = 60  # seconds, for everything that is waited for: a busy machine is slow
PAUSE = 0.05
# What is started ends with this test, even where that is killed.
TOGETHER = ['setpriv', '--pdeathsig', 'TERM']
N_ROWS = 30  # that are looked at
RATE = 200000  # messages a second
N_FLOOD = 5 * RATE
MAX_HEIGHT = 50 * 1000  # pixels, of at most a thousand rows
MAX_GROWTH = 64 * 1024  # KiB of memory, while ten times that comes from the server


class Desktop:
    """A screen, a session bus and an accessibility bus, which nobody else uses."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix='s9ws-console-')
        # Where the accessibility bus has its socket, whatever it is that it looks at.
        for name in ('HOME', 'XDG_CACHE_HOME', 'XDG_RUNTIME_DIR'):
            os.environ[name] = self.folder.name
        os.environ.update(GSK_RENDERER='cairo', GDK_BACKEND='x11', GTK_THEME='Adwaita',
                          GSETTINGS_BACKEND='memory', LC_ALL='C.UTF-8',
                          # What is kept would have to be cleared, at which AT-SPI 2.46 does not
                          # come to an end where an object that is gone has been replaced.
                          ATSPI_NO_CACHE='1')
        self.processes = []

    def __enter__(self):
        os.environ['DISPLAY'] = ':' + self.start('Xvfb', '-displayfd', '{}', '-noreset', '-nolisten', 'tcp',
                                                 '-screen', '0', '1024x768x24')
        os.environ['DBUS_SESSION_BUS_ADDRESS'] = self.start('dbus-daemon', '--session', '--nofork',
                                                            '--print-address={}')
        Atspi.init()
        return self

    def start(self, *words):
        """The line that the program writes to a descriptor."""
        read_fd, write_fd = os.pipe()
        # What they say on their output would be taken for a result.
        self.processes.append(subprocess.Popen([*TOGETHER, *(word.format(write_fd) for word in words)],
                                               pass_fds=[write_fd], stdout=subprocess.DEVNULL,
                                               stderr=subprocess.DEVNULL))
        os.close(write_fd)
        with os.fdopen(read_fd) as file:
            return file.readline().strip()

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
            process.wait()
        self.folder.cleanup()


def wait_for(what, function):
    """What the function returns, once it is something."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        result = function()
        if result:
            return result
        assert time.monotonic() < deadline, f'there was no {what}'
        time.sleep(PAUSE)


def xdotool(*words):
    return subprocess.run(['xdotool', *words], timeout=TIMEOUT, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.split()


def press(*keys):
    xdotool('key', *keys)


def write(text):
    xdotool('type', text)


def take_keys():
    windows = xdotool('search', '--onlyvisible', '--name', '^WebSocket Console$')
    for window in windows:
        xdotool('windowfocus', window)
    return any(window in windows for window in xdotool('getwindowfocus'))


class Console:
    """One run of the program, and its window."""

    def __init__(self, program, *arguments):
        self.process = subprocess.Popen([*TOGETHER, *program, *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.lines = {'stdout': [], 'stderr': []}
        self.readers = [threading.Thread(target=self.read, args=(name,), daemon=True) for name in self.lines]
        for reader in self.readers:
            reader.start()
        self.window = wait_for('window', self.find_window)
        # There is no window manager that would give it the keys.
        wait_for('window that takes the keys', take_keys)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def read(self, name):
        for line in getattr(self.process, name):
            self.lines[name].append(line.rstrip())

    def find_window(self):
        assert self.process.poll() is None, f'it ended: {self.lines["stderr"]}'
        desktop = Atspi.get_desktop(0)
        for i in range(desktop.get_child_count()):
            application = desktop.get_child_at_index(i)
            if application is not None and application.get_process_id() == self.process.pid:
                return application.get_child_at_index(0)
        return None

    def walk(self, top):
        """All that a screen reader can come to, but for the rows, of which there are many."""
        yield top
        if top.get_role_name() == 'list':
            return
        for i in range(top.get_child_count()):
            child = top.get_child_at_index(i)
            if child is not None:
                yield from self.walk(child)

    def find(self, role, name):
        def look():
            return next((found for found in self.walk(self.window)
                         if found.get_role_name() == role and found.get_name() == name), None)
        return wait_for(f'{role} with the name {name}', look)

    def get_figure(self, name):
        group = self.find('panel', name)
        return group.get_child_at_index(1).get_name()

    def get_number(self, name):
        return int(re.sub('[^0-9]', '', self.get_figure(name)) or 0)

    def wait_figure(self, name, expected):
        wait_for(f'{name} of {expected}', lambda: self.get_figure(name) == expected)

    def get_rows(self):
        """The texts in each of the last rows, without the time."""
        rows = []
        messages = self.find('list', 'Messages')
        n_rows = messages.get_child_count()
        for i in range(max(n_rows - N_ROWS, 0), n_rows):
            # A row that is there may have gone while it is looked at.
            try:
                row = messages.get_child_at_index(i).get_child_at_index(0)
                rows.append(tuple(row.get_child_at_index(column).get_name() for column in range(1, 4)))
            except (GLib.Error, AttributeError):
                pass
        return rows

    def wait_row(self, *row):
        wait_for(f'row {row}', lambda: row in self.get_rows())

    def has_focus(self, role, name):
        found = self.find(role, name)
        return found.get_state_set().contains(Atspi.StateType.FOCUSED)

    def get_list_height(self):
        """In pixels, what is out of sight included."""
        ranges = [found for found in self.walk(self.find('scroll pane', '')) if 'Value' in found.get_interfaces()]
        return max(found.get_maximum_value() for found in ranges)

    def wait_focus(self, role, name):
        wait_for(f'focus on {role} {name}', lambda: self.has_focus(role, name))

    def get_memory(self):
        """In KiB."""
        with open(f'/proc/{self.process.pid}/status', encoding='ascii') as status:
            return int(re.search(r'^VmRSS:\s+(\d+)', status.read(), re.M)[1])

    def quit(self):
        press('ctrl+q')
        status = self.process.wait(TIMEOUT)
        for reader in self.readers:
            reader.join()
        assert status == 0, f'it ended with {status}: {self.lines["stderr"]}'
        complaints = [line for line in self.lines['stderr'] if re.search('WARNING|CRITICAL|Error|Traceback', line)]
        assert not complaints, complaints


class Tests:
    def __init__(self, flood_uri, screenshot, program, uri, tls_uri):
        self.flood_uri, self.screenshot, self.program = flood_uri, screenshot, program
        self.uri, self.tls_uri = uri, tls_uri

    def test_names(self):
        """A screen reader finds a name on everything that can have the focus."""
        with Console(self.program) as console:
            for role, name in (('text', 'Address'), ('push button', 'Connect'), ('text', 'Message'),
                               ('push button', 'Send'), ('push button', 'Pause'), ('list', 'Messages'),
                               ('status bar', 'Not connected'),
                               ('image', 'Messages received a second, over the last 30 seconds')):
                console.find(role, name)
            console.quit()

    def test_keys(self):
        """Everything can be done without a pointer."""
        with Console(self.program) as console:
            console.wait_focus('text', 'Address')
            write(self.uri)
            press('Return')
            console.wait_figure('State', 'Connected')
            console.wait_focus('text', 'Message')
            write('Hello')
            press('Return')
            console.wait_row('Sent text', 'Hello', '5 bytes')
            console.wait_row('Received text', 'Hello', '5 bytes')
            write('again')
            press('Tab')
            console.wait_focus('push button', 'Send')
            press('space')
            console.wait_row('Received text', 'again', '5 bytes')
            press('ctrl+m')
            console.wait_focus('text', 'Message')
            write('!binary 1 40')
            press('alt+s')
            console.wait_row('Received binary', ' '.join(['00'] * 32) + ' …', '40 bytes')
            console.wait_figure('Received', '3')
            console.wait_figure('Sent', '3')
            wait_for('round trip', lambda: re.fullmatch(r'\d+\.\d\d ms', console.get_figure('Round Trip')))
            press('alt+d')
            console.wait_figure('State', 'Not connected')
            console.wait_row('Closed', '1000', '–')
            press('ctrl+k')
            wait_for('empty list', lambda: not console.get_rows())
            console.quit()

    def test_copy(self):
        """A row is chosen by keys, and comes back by the clipboard."""
        with Console(self.program, self.uri) as console:
            console.wait_focus('text', 'Message')
            write('copied')
            press('Return')
            console.wait_row('Received text', 'copied', '6 bytes')
            press('shift+Tab')
            press('End')
            wait_for('row with the focus', lambda: not console.has_focus('text', 'Message'))
            press('ctrl+shift+c')
            press('ctrl+m')
            console.wait_focus('text', 'Message')
            press('ctrl+v', 'Return')
            console.wait_figure('Received', '2')
            expected = [('Sent text', 'copied', '6 bytes'), ('Received text', 'copied', '6 bytes')] * 2
            assert console.get_rows()[1:] == expected, console.get_rows()
            console.quit()

    def test_detail(self):
        """What is too long for a row is shown below when it is chosen."""
        text = ' '.join(map(str, range(1000, 1200)))
        with Console(self.program, self.uri) as console:
            console.wait_focus('text', 'Message')
            write(text)
            press('Return')
            console.wait_row('Received text', text, '999 bytes')
            press('shift+Tab')
            press('End')
            console.find('label', text)
            button = console.find('push button', 'Unselect the message')
            press('Escape')
            wait_for('end of the detail', lambda: not button.get_state_set().contains(Atspi.StateType.SHOWING))
            console.quit()

    def test_narrow(self):
        """It fits half a screen, and says so."""
        with Console(self.program) as console:
            for window in xdotool('search', '--onlyvisible', '--name', '^WebSocket Console$'):
                xdotool('windowsize', window, '400', '400')
            wait_for('narrow window', lambda: console.window.get_extents(Atspi.CoordType.WINDOW).width <= 580)
            console.quit()

    def test_help(self):
        with Console(self.program) as console:
            press('ctrl+question')
            wait_for('window of shortcuts', lambda: xdotool('search', '--onlyvisible', '--name', '^Keyboard Shortcuts$'))
            press('Escape')
            console.quit()

    def test_server_closes(self):
        with Console(self.program, self.uri) as console:
            console.wait_focus('text', 'Message')
            write('!close 4000 enough')
            press('Return')
            console.wait_row('Closed', '4000 enough', '–')
            console.wait_figure('State', 'Not connected')
            press('ctrl+Return')
            console.wait_figure('State', 'Connected')
            console.quit()

    def test_errors(self):
        """They are shown, and one can go on."""
        with Console(self.program, self.uri + 'refused') as console:
            wait_for('word of 403', lambda: any(row[0] == 'Error' and '403' in row[1] for row in console.get_rows()))
            # Which a screen reader speaks without being asked.
            wait_for('alert', lambda: any(found.get_role_name() == 'alert' and '403' in found.get_name()
                                          for found in console.walk(console.find('filler', 'GtkInfoBar'))))
            for address in ('nonsense', self.tls_uri):
                press('ctrl+l', 'ctrl+a')
                n_errors = sum(row[0] == 'Error' for row in console.get_rows())
                write(address)
                press('Return')
                wait_for('error', lambda: sum(row[0] == 'Error' for row in console.get_rows()) > n_errors)
            press('ctrl+l', 'ctrl+a')
            write(self.uri)
            press('Return')
            console.wait_figure('State', 'Connected')
            console.quit()

    def test_tls(self):
        with Console(self.program, '--ca-file', os.environ['S9WS_TEST_CA'], self.tls_uri) as console:
            console.wait_figure('State', 'Connected')
            console.quit()

    def test_flood(self):
        """It answers, draws, counts, and does not grow."""
        with Console(self.program, '--report-frames', self.flood_uri) as console:
            wait_for('flood', lambda: console.get_number('Received') > 2000)
            memory = console.get_memory()
            console.wait_focus('text', 'Message')
            write('Hello')
            press('Return')
            console.wait_figure('Sent', '1')
            wait_for('messages', lambda: console.get_number('Received') > N_FLOOD)
            assert console.get_number('Not Shown') > N_FLOOD / 2
            assert console.get_list_height() < MAX_HEIGHT, console.get_list_height()
            assert console.get_memory() - memory < MAX_GROWTH, f'{memory} KiB became {console.get_memory()} KiB'
            wait_for('row of those not shown', lambda: any(row[0] == 'Not shown' for row in console.get_rows()))
            press('ctrl+p')
            wait_for('still list', lambda: (console.get_rows(), time.sleep(PAUSE))[0] == console.get_rows() != [])
            subprocess.run(['import', '-window', 'root', self.screenshot], check=True)
            press('alt+d')
            console.wait_figure('State', 'Not connected')
            console.quit()
            self.report(console.lines['stdout'])

    @staticmethod
    def report(lines):
        """How it was; a machine under load is no failure."""
        assert lines
        for line in lines:
            print('#', line)
        numbers = [list(map(float, re.findall(r'[\d.]+', line))) for line in lines]
        rate = sum(number[0] for number in numbers) / sum(number[1] for number in numbers) * 1000
        longest = max(number[2] for number in numbers)
        print(f'# {rate:.0f} frames a second, longest gap {longest:.0f} ms')
        assert rate > 1

    def test_screenshot(self):
        colors = subprocess.run(['identify', '-format', '%k', self.screenshot],
                                stdout=subprocess.PIPE, check=True, text=True).stdout
        assert int(colors) > 100, f'{colors} colours'


def run(flood_uri, screenshot, program, uri, tls_uri):
    tests = Tests(flood_uri, screenshot, program, uri, tls_uri)
    names = [name for name in dir(Tests) if name.startswith('test_')]
    # The screenshot comes last.
    names.sort(key=lambda name: name == 'test_screenshot')
    print(f'1..{len(names)}', flush=True)
    n_failed = 0
    for i, name in enumerate(names, 1):
        try:
            getattr(tests, name)()
            print(f'ok {i} - {name}', flush=True)
        except Exception as error:  # whatever it is, the next one is run
            n_failed += 1
            print(f'not ok {i} - {name}')
            print(f'# {type(error).__name__}: {error}'.replace('\n', '\n# '), flush=True)
    return n_failed != 0


def main(bench_server, screenshot, *rest):
    *program, uri, tls_uri = rest
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('terminated'))
    with subprocess.Popen([*TOGETHER, bench_server], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            port = int(server.stdout.readline())
            with Desktop():
                return run(f'ws://127.0.0.1:{port}/flood/{RATE}/64/text', screenshot, program, uri, tls_uri)
        finally:
            server.kill()


sys.exit(main(*sys.argv[1:]))
