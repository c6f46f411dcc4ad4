"""bench.py: starts the server and the programs that are compared

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import json
import os
import re
import statistics
import subprocess
import tempfile

TIMEOUT = 60
CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPU, CLIENT_CPU = (CPUS[0], CPUS[-1]) if len(CPUS) > 1 else (None, None)
HERE = os.path.dirname(os.path.abspath(__file__))

# Programs in other languages: how they are started.
SCRIPTS = {
    's9ws-python': ['/usr/bin/python3', os.path.join(HERE, 'bench-s9ws.py')],
    's9ws-gjs': ['gjs', '-m', os.path.join(HERE, 'bench-s9ws.js')],
    'websockets': ['/usr/bin/python3', os.path.join(HERE, 'bench-websockets.py')],
    'ws': ['/usr/bin/node', os.path.join(HERE, 'bench-ws.cjs')],
}


def stay_on(cpu):
    """What keeps a program that is started on one CPU, where there are several."""
    return None if cpu is None else lambda: os.sched_setaffinity(0, {cpu})


class Failed(Exception):
    """A program that was to be measured did not do its work."""


class Server:
    """The neutral server, plain and TLS, for the length of a with block."""

    def __init__(self, build, with_tls=False):
        self.program = os.path.join(build, 'tests/bench/bench-server')
        self.certificates = os.path.join(build, 'tests/certificates') if with_tls else None
        self.processes = []

    def start(self, *arguments):
        process = subprocess.Popen([self.program, *arguments], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True, preexec_fn=stay_on(SERVER_CPU))
        self.processes.append(process)
        return int(process.stdout.readline())

    def __enter__(self):
        self.uri = f'ws://127.0.0.1:{self.start()}'
        if self.certificates:
            port = self.start(os.path.join(self.certificates, 'good.pem'),
                              os.path.join(self.certificates, 'good-key.pem'))
            self.tls_uri = f'wss://localhost:{port}'
            self.ca_file = os.path.join(self.certificates, 'ca.pem')
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.stdin.close()
            process.stdout.close()
            process.kill()
            process.wait()


def get_command(build, program):
    """How a program is started, or None if it is not built."""
    if program in SCRIPTS:
        return SCRIPTS[program]
    path = os.path.join(build, 'tests/bench', f'bench-{program}')
    return [path] if os.path.exists(path) else None


def get_environment(build):
    return os.environ | {
        'GI_TYPELIB_PATH': os.path.join(build, 'introspection'),
        'LD_LIBRARY_PATH': os.path.join(build, 's9ws'),
        'NODE_PATH': '/usr/share/nodejs',
        'PYTHONDONTWRITEBYTECODE': '1',
    }


def get_arguments(command, uri, work, count, size, kind, variant, ca_file=None):
    arguments = [*command, uri, work, str(count), str(size), kind, variant]
    return arguments + [ca_file] if ca_file else arguments


def execute(command, line, **more):
    """One run of a program by its command line, maybe within another command."""
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT,
                              check=True, **more)
    except subprocess.SubprocessError as error:
        said = getattr(error, 'stderr', None) or ''
        said = said if isinstance(said, str) else said.decode(errors='replace')
        raise Failed(f'{" ".join(line)}: {type(error).__name__}: {said[-300:]}') from error


def run(build, *arguments, cpu=None, **more):
    """One run of a program: what it prints, as a dictionary."""
    line = get_arguments(*arguments, **more)
    done = execute(line, line, env=get_environment(build), preexec_fn=stay_on(cpu))
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise Failed(f'{" ".join(line)}: no figures, but {done.stdout[-300:]!r}') from error


def count_instructions(*arguments, **more):
    """User-mode instructions of one run, all threads together."""
    line = get_arguments(*arguments, **more)
    with tempfile.NamedTemporaryFile() as out:
        done = execute(['valgrind', '--tool=callgrind', f'--callgrind-out-file={out.name}', *line], line,
                       env=os.environ | {'BENCH_COUNTING': '1'})
    return int(re.search(r'Collected : (\d+)', done.stderr)[1])


def count_reads(build, *arguments, **more):
    """System calls of one run that read from a socket and brought something."""
    line = get_arguments(*arguments, **more)
    with tempfile.NamedTemporaryFile() as out:
        execute(['strace', '-f', '-qq', '-e', 'trace=recvfrom,recvmsg,read', '-o', out.name, *line], line,
                env=get_environment(build))
        with open(out.name, encoding='utf-8', errors='replace') as trace:
            # What is read from files, before, is little and the same for all counts.
            return sum(1 for line in trace if re.search(r'= [1-9]\d*$', line))


def summarize(values):
    return {'median': statistics.median(values), 'min': min(values), 'max': max(values), 'rounds': values}
