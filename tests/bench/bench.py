"""bench.py: starts the server and the programs that are compared

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import json
import os
import re
import statistics
import subprocess
import tempfile

TIMEOUT = 300


class Server:
    """The neutral server, plain and TLS, for the length of a with block."""

    def __init__(self, build, certificates=None):
        self.program = os.path.join(build, 'tests/bench/bench-server')
        self.certificates = certificates
        self.processes = []

    def start(self, *arguments):
        process = subprocess.Popen([self.program, *arguments], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return int(process.stdout.readline())

    def __enter__(self):
        self.uri = f'ws://127.0.0.1:{self.start()}'
        if self.certificates:
            port = self.start(os.path.join(self.certificates, 'good.pem'),
                              os.path.join(self.certificates, 'good.key'))
            self.tls_uri = f'wss://localhost:{port}'
            self.ca_file = os.path.join(self.certificates, 'ca.pem')
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.stdin.close()
            process.stdout.close()
            process.kill()
            process.wait()


def get_arguments(command, uri, work, count, size, kind, variant, ca_file=None):
    arguments = [*command, uri, work, str(count), str(size), kind, variant]
    return arguments + [ca_file] if ca_file else arguments


def run(*arguments, **more):
    """One run of a program: what it prints, as a dictionary."""
    done = subprocess.run(get_arguments(*arguments, **more), stdout=subprocess.PIPE, text=True,
                          timeout=TIMEOUT, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def count_instructions(*arguments, **more):
    """User-mode instructions of one run, all threads together."""
    with tempfile.NamedTemporaryFile() as out:
        done = subprocess.run(['valgrind', '--tool=callgrind', f'--callgrind-out-file={out.name}',
                               *get_arguments(*arguments, **more)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=os.environ | {'BENCH_COUNTING': '1'}, timeout=TIMEOUT, check=True)
    return int(re.search(r'Collected : (\d+)', done.stderr)[1])


def summarize(values):
    return {'median': statistics.median(values), 'min': min(values), 'max': max(values)}
