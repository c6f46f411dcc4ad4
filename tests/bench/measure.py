#!/usr/bin/python3
"""measure.py: all figures of the comparison, as JSON

Usage: measure.py BUILD FILE [--quick]

What is measured is the table of cases below.  Every case runs in each round, one after the
other, so that whatever the machine does meanwhile meets all of them, and what is aimed at
more than once; a first round, which is not counted, finds out how many messages fill the
time.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import argparse
import datetime
import json
import os
import platform
import random
import sys
import time

import bench
import instructions
import report

# name: program, variant.  Whose name is not here is not in the figures.
OURS = {
    's9ws, handler': ('s9ws', 'blocking:handler'),
    's9ws, signal': ('s9ws', 'blocking:signal'),
}
ASYNC = {
    's9ws async, pop_event': ('s9ws', 'async:pop'),
    's9ws async, main context': ('s9ws', 'async:context'),
}
SPINNING = {
    's9ws spinning, handler': ('s9ws', 'non-blocking:handler'),
    's9ws spinning, signal': ('s9ws', 'non-blocking:signal'),
}
ADAPTIVE = {'s9ws adaptive, handler': ('s9ws', 'non-blocking:handler:adaptive')}
LANGUAGES = {
    's9ws in Python, handler': ('s9ws-python', 'blocking:handler'),
    's9ws in Python, signal': ('s9ws-python', 'blocking:signal'),
    's9ws in GJS, handler': ('s9ws-gjs', 'blocking:handler'),
    's9ws in GJS, signal': ('s9ws-gjs', 'blocking:signal'),
}
RAW = {'raw socket': ('raw', 'blocking')}
RAW_SPINNING = {'raw socket, spinning': ('raw', 'spin')}
RECV_ALONE = {'recv alone': ('raw', 'alone')}
RAW_TLS = {'raw GnuTLS': ('raw', 'blocking'), 'raw OpenSSL': ('raw-openssl', 'blocking')}
RAW_TLS_SPINNING = {'raw GnuTLS, spinning': ('raw', 'spin')}
C_PEERS = {
    'libsoup': ('soup', 'default'),
    'libwebsockets': ('lws', 'default'),
    'Boost.Beast': ('beast', 'default'),
}
WSLAY = {'wslay': ('wslay', 'default')}
COMPILED = {program for program, _ in (OURS | RAW | RAW_TLS | C_PEERS | WSLAY).values()}
SCRIPTED = {'websockets (Python)': ('websockets', 'default'), 'ws (Node)': ('ws', 'default')}

KIB = 1024
MIB = 1024 * 1024
SIZES = {'64 B text': (64, 'text'), '64 B binary': (64, 'binary'), '1 KiB text': (KIB, 'text'),
         '64 KiB binary': (64 * KIB, 'binary'), '64 KiB text': (64 * KIB, 'text'), '16 MiB binary': (16 * MIB, 'binary')}
QUICK_WORKS = ('round trip 32 B text', 'inbound 64 B text', 'outbound 64 B text', 'inbound 64 KiB binary',
               'TLS round trip 32 B text', 'TLS inbound 64 B text', 'open', 'TLS open, resumed',
               'one way, 1,000 a second')
RATES = {'10 a second': 10, '1,000 a second': 1000, '100,000 a second': 100000}
STRATEGIES = {
    'SPIN': 'non-blocking:handler:spin',
    'ADAPTIVE 20 µs': 'non-blocking:handler:adaptive:20',
    'ADAPTIVE 50 µs': 'non-blocking:handler:adaptive:50',
    'ADAPTIVE 200 µs': 'non-blocking:handler:adaptive:200',
    'ADAPTIVE 2 ms': 'non-blocking:handler:adaptive:2000',
    'WAIT': 'non-blocking:handler:wait',
    'SLEEP 20 µs': 'non-blocking:handler:sleep:20',
    'SLEEP 200 µs': 'non-blocking:handler:sleep:200',
    'SLEEP 2 ms': 'non-blocking:handler:sleep:2000',
    'blocking client': 'blocking:handler',
}


# What is aimed at may be missed or met by less than one run differs from the next: that is
# run more often.
REPEATED = {(work, peer) for work, ours, other, *_, limit in report.SUMMARY if limit is not None for peer in (ours, other)}
REPEATED |= {(work, ours) for work, ours, metric, _ in report.CPU_AT_MOST if metric == 'cpu_ns'}
REPEATED |= {(work, ours) for work, ours, *_ in report.LANGUAGES}
# And what is seen beside it where waking varies from one moment to the next.
REPEATED |= {(work, peer) for work, _ in REPEATED if 'round trip' in work for peer in report.PEERS}

MIN_ROUND_TRIPS = 3000  # for the 99.9th percentile
MAX_ONE_WAY = 20000     # is enough for it


def is_single_threaded(program, variant, kind):
    """Interpreters have helpers, and opening asks for proxies on another thread."""
    return program in COMPILED and not variant.startswith(('async', 'queue')) and kind not in ('open', 'idle')


class Case:
    """One cell of the figures, and what has been measured of it so far."""

    def __init__(self, work, peer, program, variant, arguments, count=None, is_tls=False):
        self.work = work
        self.peer = peer
        self.program = program
        self.variant = variant
        self.kind, self.size, self.text = arguments
        self.count = count       # None: as many as fill the time
        self.is_tls = is_tls
        # The server has another one, so that the two meet alike in every run.
        self.cpu = bench.CLIENT_CPU if is_single_threaded(program, variant, self.kind) else None
        self.results = []

    def get_first_count(self):
        """Of what is measured by time, so many as take some milliseconds."""
        return 500 if self.kind == 'round-trip' else max(3, min(20000, 20 * MIB // max(self.size, 1)))

    def run(self, build, server, count):
        return bench.run(build, bench.get_command(build, self.program),
                         server.tls_uri if self.is_tls else server.uri, self.kind, count,
                         self.size, self.text, self.variant, cpu=self.cpu,
                         ca_file=server.ca_file if self.is_tls else None)

    def calibrate(self, build, server, seconds):
        """Sets the number of messages that takes about so long."""
        if self.count is not None:
            return
        first = self.get_first_count()
        took = max(self.run(build, server, first)['seconds'], 1e-4)
        self.count = max(MIN_ROUND_TRIPS if self.kind == 'round-trip' else 3, int(first * min(seconds / took, 1000)))

    def summarize(self):
        figures = {name: bench.summarize([result[name] for result in self.results])
                   for name, value in self.results[0].items() if isinstance(value, (int, float))}
        figures['cpu_share'] = bench.summarize([result['cpu'] / max(result['seconds'], 1e-9) for result in self.results])
        figures['cpu_ns'] = bench.summarize([result['cpu'] * 1e9 / result['count'] for result in self.results])
        if 'distribution' in self.results[0]:
            curves = [dict(map(tuple, result['distribution'])) for result in self.results]
            figures['distribution'] = [[part, bench.summarize([curve[part] for curve in curves])['median']]
                                       for part in curves[0]]
        return figures


def get_flood_cases():
    for name, (size, kind) in SIZES.items():
        inbound = RAW | OURS | ASYNC | C_PEERS | WSLAY | SCRIPTED | LANGUAGES
        outbound = RAW | OURS | C_PEERS | WSLAY | SCRIPTED | LANGUAGES
        if size >= 64 * KIB and kind == 'binary':
            inbound = RECV_ALONE | inbound
        for peer, (program, variant) in inbound.items():
            # GJS stops calling back where its collector is at work on so large a string.
            if program != 's9ws-gjs' or size < MIB:
                yield Case(f'inbound {name}', peer, program, variant, ('inbound', size, kind))
        for peer, (program, variant) in outbound.items():
            if 'signal' not in variant and (program != 's9ws-gjs' or size < MIB):
                yield Case(f'outbound {name}', peer, program, variant, ('outbound', size, kind))


def get_round_trip_cases():
    for name, size in {'32 B text': 32, '1 KiB text': KIB}.items():
        peers = RAW | RAW_SPINNING | OURS | SPINNING | ADAPTIVE | ASYNC | C_PEERS | WSLAY | SCRIPTED | LANGUAGES
        for peer, (program, variant) in peers.items():
            yield Case(f'round trip {name}', peer, program, variant, ('round-trip', size, 'text'))


def get_tls_cases():
    both = RAW_TLS | OURS | C_PEERS | SCRIPTED
    works = {
        'TLS round trip 32 B text': ('round-trip', 32, 'text', both | RAW_TLS_SPINNING | SPINNING | ADAPTIVE),
        'TLS inbound 64 B text': ('inbound', 64, 'text', both),
        'TLS inbound 64 B binary, a record each': ('records', 64, 'binary', RAW_TLS | OURS | C_PEERS),
        'TLS inbound 64 KiB binary': ('inbound', 64 * KIB, 'binary', both),
        'TLS outbound 64 B text': ('outbound', 64, 'text', both),
        'TLS outbound 64 KiB binary': ('outbound', 64 * KIB, 'binary', both),
    }
    for work, (kind, size, text, peers) in works.items():
        for peer, (program, variant) in peers.items():
            if kind != 'outbound' or 'signal' not in variant:
                yield Case(work, peer, program, variant, (kind, size, text), is_tls=True)


def get_life_cases():
    """Opening, and what it costs to be open."""
    ours = {'s9ws': ('s9ws', 'blocking:handler')}
    for peer, (program, variant) in (RAW | ours | C_PEERS | WSLAY).items():
        yield Case('open', peer, program, variant, ('open', 32, 'text'), count=200)
        if program != 'raw':
            yield Case('memory of a connection', peer, program, variant, ('idle', 32, 'text'), count=100)
    for peer, (program, variant) in (RAW_TLS | ours | C_PEERS).items():
        yield Case('TLS open, first', peer, program, variant, ('open', 32, 'text'), count=50, is_tls=True)
        if program in ('raw', 'raw-openssl', 's9ws'):
            yield Case('TLS open, resumed', peer, program, f'{variant}:default:0:resumed', ('open', 32, 'text'),
                       count=50, is_tls=True)
        if 'raw' not in program:
            yield Case('TLS memory of a connection', peer, program, variant, ('idle', 32, 'text'), count=50, is_tls=True)


def get_waiting_cases(seconds):
    for name, rate in RATES.items():
        period = 10 ** 9 // rate
        count = max(5, min(int(rate * seconds), MAX_ONE_WAY))
        for strategy, variant in STRATEGIES.items():
            yield Case(f'one way, {name}', strategy, 's9ws', variant, ('paced', period, 'binary'), count=count)
        for peer, variant in {'raw socket': 'blocking', 'raw socket, spinning': 'spin'}.items():
            yield Case(f'one way, {name}', peer, 'raw', variant, ('paced', period, 'binary'), count=count)
    for peer, (program, variant) in {
            'GAsyncQueue alone': ('raw', 'queue'),
            's9ws async, pop_event': ('s9ws', 'async:pop'),
            's9ws async, main context': ('s9ws', 'async:context'),
            's9ws async spinning, pop_event': ('s9ws', 'async:pop:spin'),
            's9ws async adaptive, pop_event': ('s9ws', 'async:pop:adaptive'),
    }.items():
        yield Case('one way into a queue, 1,000 a second', peer, program, variant, ('paced', 10 ** 6, 'binary'),
                   count=max(100, int(1000 * seconds)))


def get_cases(seconds):
    yield from get_round_trip_cases()
    yield from get_flood_cases()
    yield from get_tls_cases()
    yield from get_life_cases()
    yield from get_waiting_cases(seconds)


def shuffle(cases, seed):
    """Those of one work stay together, as they are compared, but not always in one order."""
    generator = random.Random(seed)
    works = list(dict.fromkeys(case.work for case in cases))
    generator.shuffle(works)
    generator.shuffle(cases)
    cases.sort(key=lambda case: works.index(case.work))


def is_quick_case(case):
    """What starts slowly, as interpreters do, is run for one figure."""
    return case.work in QUICK_WORKS and (case.peer not in SCRIPTED | LANGUAGES or case.work == 'inbound 64 B text')


def time_loop():
    """In ms: what the machine takes for the same work just now, as other guests of its host slow it down."""
    begun = time.perf_counter()
    {i % 1000: str(i) for i in range(100000)}
    return (time.perf_counter() - begun) * 1e3


def measure_times(build, is_quick, failed):
    """The figures, and how fast the machine was meanwhile."""
    seconds = 0.04 if is_quick else 0.15
    n_rounds = 2 if is_quick else 5
    n_repeats = 3 if is_quick else 7
    in_order = [case for case in get_cases(0.1 if is_quick else 0.5)
                if (not is_quick or is_quick_case(case)) and bench.get_command(build, case.program) is not None]
    cases = [case for case in in_order for _ in range(n_repeats if (case.work, case.peer) in REPEATED else 1)]
    begun = time.monotonic()
    loops = []

    with bench.Server(build, with_tls=True) as server:
        for i in range(n_rounds + 1):
            shuffle(cases, i)
            work = None
            for case in cases:
                if case.work != work:
                    loops.append(time_loop())
                    work = case.work
                if (case.work, case.peer) in failed:
                    continue
                try:
                    if i == 0:
                        case.calibrate(build, server, seconds)
                    else:
                        case.results.append(case.run(build, server, case.count))
                except bench.Failed as error:
                    print(error, file=sys.stderr)
                    failed.add((case.work, case.peer))
            print(f'{f"round {i}" if i > 0 else "warmed up"} of {n_rounds}: {time.monotonic() - begun:.0f} s',
                  file=sys.stderr)

    figures = {}
    for case in in_order:
        if case.results:
            figures.setdefault(case.work, {})[case.peer] = case.summarize()
    return figures, bench.summarize(loops)


def measure_reads(build, failed):
    """System calls that read, for a thousand TLS records of 64 bytes."""
    reads = {}
    low, high = 2000, 22000
    with bench.Server(build, with_tls=True) as server:
        for peer, (program, variant) in (RAW_TLS | {'s9ws': ('s9ws', 'blocking:handler')} | C_PEERS).items():
            command = bench.get_command(build, program)
            if command is None:
                continue
            try:
                n = [bench.count_reads(build, command, server.tls_uri, 'records', count, 64, 'binary', variant,
                                       ca_file=server.ca_file) for count in (low, high)]
                reads[peer] = round((n[1] - n[0]) * 1000 / (high - low), 1)
            except bench.Failed as error:
                print(error, file=sys.stderr)
                failed.add(('system calls', peer))
    return reads


def get_machine():
    model = 'unknown'
    with open('/proc/cpuinfo', encoding='utf-8') as info:
        for line in info:
            if line.startswith('model name'):
                model = line.split(':', 1)[1].strip()
                break
    with open('/etc/os-release', encoding='utf-8') as release:
        system = next((line.split('=', 1)[1].strip().strip('"') for line in release if line.startswith('PRETTY_NAME=')), '')
    return {'cpu': model, 'n_cpus': os.cpu_count(), 'system': system, 'kernel': platform.release(),
            'load': os.getloadavg()[0]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('build')
    parser.add_argument('file')
    parser.add_argument('--quick', action='store_true')
    arguments = parser.parse_args()

    build = os.path.abspath(arguments.build)
    figures = {'date': datetime.date.today().isoformat(), 'is_quick': arguments.quick, 'machine': get_machine()}
    failed = set()
    figures['instructions'] = instructions.measure(build, arguments.quick, failed=failed)
    figures['reads'] = measure_reads(build, failed)
    figures['times'], figures['loop_ms'] = measure_times(build, arguments.quick, failed)
    figures['failed'] = sorted(f'{work}, {peer}' for work, peer in failed)
    with open(arguments.file, 'w', encoding='utf-8') as out:
        json.dump(figures, out, indent=1, ensure_ascii=False)
        out.write('\n')
    return 1 if figures['failed'] else 0


if __name__ == '__main__':
    sys.exit(main())
