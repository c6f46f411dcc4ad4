#!/usr/bin/python3
"""test-killed.py: nothing of the console's test is left where that is killed.

Usage: test-killed.py COMMAND...

COMMAND runs the console's test. It is killed in the middle, once itself and once the
test that it started, and all that they had started has to end.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import uuid

TIMEOUT = 60  # seconds: a busy machine is slow
PAUSE = 0.1
TEST = 'test-console.py'
STARTED = {'Xvfb', 'dbus-daemon', 'bench-server', 's9ws-console'}
MARK = 'S9WS_TEST_KILLED'


def find_marked(mark):
    """The processes that have it in their environment, and their commands."""
    found = {}
    for path in pathlib.Path('/proc').glob('[0-9]*'):
        try:
            if f'{MARK}={mark}'.encode() in (path / 'environ').read_bytes().split(b'\0'):
                found[int(path.name)] = (path / 'cmdline').read_bytes().decode().split('\0')
        except OSError:
            pass  # it has ended, or is somebody else's
    return found


def get_names(found):
    return {os.path.basename(words[0]) for words in found.values()}


def wait_for(function):
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        if function():
            return True
        time.sleep(PAUSE)
    return False


def check_killed(command, choose, folder):
    mark = uuid.uuid4().hex
    test = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, env={**os.environ, MARK: mark, 'TMPDIR': folder})
    try:
        if not wait_for(lambda: STARTED <= get_names(find_marked(mark))):
            return f'only these were started: {find_marked(mark)}'
        os.kill(choose(test.pid, find_marked(mark)), signal.SIGKILL)
        test.wait(TIMEOUT)
        if not wait_for(lambda: not find_marked(mark)):
            return f'these are left: {find_marked(mark)}'
        return None
    finally:
        for pid in find_marked(mark):
            os.kill(pid, signal.SIGKILL)
        test.wait()


def choose_runner(pid, _):
    return pid


def choose_test(_, found):
    return next(pid for pid, words in found.items()
                if words[0] == '/usr/bin/python3' and words[1].endswith(TEST))


def main(*command):
    failed = 0
    cases = {'the test': choose_test, 'who runs it': choose_runner}
    print(f'1..{len(cases)}', flush=True)
    for i, (name, choose) in enumerate(cases.items(), 1):
        # Which the killed cannot clean up.
        with tempfile.TemporaryDirectory(prefix='s9ws-killed-') as folder:
            complaint = check_killed(command, choose, folder)
        failed += complaint is not None
        print('not ok' if complaint else 'ok', i, '-', name, flush=True)
        if complaint:
            print('#', complaint, flush=True)
    return 1 if failed else 0


sys.exit(main(*sys.argv[1:]))
