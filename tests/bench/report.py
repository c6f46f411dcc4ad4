#!/usr/bin/python3
"""report.py: the tables of a comparison, in Markdown

Usage: report.py FILE [--readme|--waiting]

  --readme   only the summary that README shows
  --waiting  only the table of wait strategies that the documentation shows

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import json
import statistics
import sys

import instructions

# What README shows of the times: work, the peer that is ours, what it is compared with, the
# metric, whether less is better, and the ratio that is aimed at, if any.
SUMMARY = [
    ('round trip 32 B text', 's9ws, handler', 'raw socket', 'p50', True, 1.03),
    ('round trip 32 B text', 's9ws, handler', 'raw socket', 'p99', True, 1.1),
    ('round trip 32 B text', 's9ws spinning, handler', 'raw socket, spinning', 'p50', True, None),
    ('TLS round trip 32 B text', 's9ws, handler', 'raw GnuTLS', 'p50', True, 1.05),
    ('inbound 64 B text', 's9ws, handler', 'raw socket', 'per_second', False, None),
    ('inbound 64 B text', 's9ws, signal', 'raw socket', 'per_second', False, None),
    ('inbound 64 KiB binary', 's9ws, handler', 'recv alone', 'per_second', False, 0.95),
    ('inbound 16 MiB binary', 's9ws, handler', 'recv alone', 'per_second', False, 0.95),
    ('outbound 64 B text', 's9ws, handler', 'raw socket', 'per_second', False, None),
    ('TLS inbound 64 B text', 's9ws, handler', 'raw GnuTLS', 'per_second', False, 0.95),
    ('TLS inbound 64 B binary, a record each', 's9ws, handler', 'raw GnuTLS', 'per_second', False, 0.95),
    ('TLS inbound 64 KiB binary', 's9ws, handler', 'raw GnuTLS', 'per_second', False, 0.95),
    ('one way, 100,000 a second', 'ADAPTIVE 50 µs', 'SPIN', 'p50', True, 1.1),
    ('one way into a queue, 1,000 a second', 's9ws async, pop_event', 'GAsyncQueue alone', 'p50', True, 1),
    ('inbound 64 B text', 's9ws async, main context', 's9ws, signal', 'cpu_ns', True, None),
    ('open', 's9ws', 'raw socket', 'p50', True, None),
    ('TLS open, first', 's9ws', 'raw GnuTLS', 'p50', True, None),
    ('TLS open, resumed', 's9ws', 'raw GnuTLS', 'p50', True, None),
]
# And of languages: work, ours, a peer, and how many messages a second are aimed at.
LANGUAGES = [
    ('inbound 64 B text', 's9ws in Python, handler', 'websockets (Python)', 3000000),
    ('inbound 64 B text', 's9ws in Python, signal', 'websockets (Python)', 1500000),
    ('inbound 64 B text', 's9ws in GJS, handler', 'ws (Node)', 1000000),
    ('inbound 64 B text', 's9ws in GJS, signal', 'ws (Node)', 450000),
]
PEERS = ('Boost.Beast', 'wslay', 'libwebsockets', 'libsoup')

# What else is aimed at.  Instructions: work, by handler, by signal.
INSTRUCTIONS_AT_MOST = [
    ('inbound 64 B binary', 110, 1400),
    ('inbound 64 B text', 180, 900),
    ('round trip 32 B text', 700, 1400),
    ('outbound 64 B binary', 300, None),
    ('inbound 64 KiB binary', 1500, None),
    ('inbound 64 KiB text', 12000, None),
    ('outbound 64 KiB binary', 9000, None),
]
# CPU: work, ours, the metric.
CPU_AT_MOST = [
    ('one way, 10 a second', 'ADAPTIVE 50 µs', 'cpu_share', 0.02),
    ('inbound 64 B text', 's9ws async, main context', 'cpu_ns', 300),
]
READS_AT_MOST = 2  # for a thousand records of 64 B, which are 88 kB, by 64 KiB at most


def is_ours(peer):
    return peer.startswith('s9ws')


def format_number(value):
    if value >= 100:
        return f'{value:,.0f}'
    return f'{value:.1f}' if value >= 10 else f'{value:.2f}'


def format_spread(figure):
    return f'{format_number(figure["median"])} ({format_number(figure["min"])} – {format_number(figure["max"])})'


def get_medians(values, n):
    """Of n parts: some run more often a round than others."""
    size = len(values) // n
    return [statistics.median(values[i * size:(i + 1) * size]) for i in range(n)]


def get_ratio(ours, limit):
    """The median of what it is in each round: a machine is not the same in all of them."""
    n = min(len(ours['rounds']), len(limit['rounds']))
    return statistics.median(a / max(b, 1e-9) for a, b in zip(get_medians(ours['rounds'], n), get_medians(limit['rounds'], n)))


def get_value(figures, work, peer, metric):
    return figures['times'].get(work, {}).get(peer, {}).get(metric)


def get_machine(figures):
    machine = figures['machine']
    return f'{machine["cpu"]}, {machine["n_cpus"]} cores, {machine["system"]}, Linux {machine["kernel"]}; {figures["date"]}'


UNITS = {'p50': 'median, µs', 'p99': '99th percentile, µs', 'per_second': 'messages a second',
         'cpu_ns': 'CPU of both threads, ns a message', 'cpu_share': 'part of a core'}


def get_best_peer(figures, work, metric, is_lower_better):
    values = {peer: get_value(figures, work, peer, metric) for peer in PEERS}
    values = {peer: value['median'] for peer, value in values.items() if value is not None}
    if not values:
        return ''
    best = (min if is_lower_better else max)(values, key=values.get)
    return f'{format_number(values[best])} ({best})'


def get_summary(figures):
    yield '| time | s9ws | compared with | ratio | best peer | libsoup |'
    yield '|---|---|---|---|---|---|'
    for work, ours, limit, metric, is_lower_better, _ in SUMMARY:
        values = [get_value(figures, work, peer, metric) for peer in (ours, limit)]
        if None in values:
            continue
        way = ours.removeprefix('s9ws').lstrip(', ')
        name = f'{work}, {way}' if way else work
        soup = get_value(figures, work, 'libsoup', metric)
        yield (f'| {name}: {UNITS[metric]} | {format_number(values[0]["median"])} '
               f'| {format_number(values[1]["median"])} ({limit}) | {get_ratio(*values):.2f} '
               f'| {get_best_peer(figures, work, metric, is_lower_better)} '
               f'| {format_number(soup["median"]) if soup else ""} |')
    yield ''
    yield '| messages of 64 B a second | s9ws | peer |'
    yield '|---|---|---|'
    for work, ours, peer, _ in LANGUAGES:
        values = [get_value(figures, work, name, 'per_second') for name in (ours, peer)]
        if None not in values:
            yield f'| {ours.removeprefix("s9ws ")} | {format_spread(values[0])} | {format_number(values[1]["median"])} ({peer}) |'


def get_waiting(figures):
    """What each way to wait costs, at each rate."""
    works = [work for work in figures['times'] if work.startswith('one way, ')]
    yield '| latency in µs, and part of a core | ' + ' | '.join(work.removeprefix('one way, ') for work in works) + ' |'
    yield '|---' * (len(works) + 1) + '|'
    for peer in figures['times'][works[0]]:
        cells = []
        for work in works:
            row = figures['times'][work].get(peer)
            cells.append(f'{format_number(row["p50"]["median"])}, {row["cpu_share"]["median"] * 100:.0f} %' if row else '')
        yield f'| {peer} | ' + ' | '.join(cells) + ' |'
    yield ''
    yield f'Medians, measured on {get_machine(figures)}.'


def get_readme(figures):
    yield 'User-mode instructions a message in the client process, counted by callgrind:'
    yield ''
    yield from instructions.get_table(figures['instructions'])
    yield ''
    yield 'Time, medians of interleaved rounds; the ratio is the median of what it is in each of them:'
    yield ''
    yield from get_summary(figures)
    yield ''
    yield '![Latency of a round trip](tests/bench/latency.svg)'
    yield ''
    yield (f'Measured on {get_machine(figures)}. `tests/bench/run.sh` repeats it. '
           f'A fixed loop took {format_spread(figures["loop_ms"])} ms meanwhile: so much does the machine itself vary.')


# What a table of a work shows.
def get_metrics(work):
    if 'round trip' in work:
        return {'p50 µs': 'p50', 'p99 µs': 'p99', 'p99.9 µs': 'p999', 'CPU ns a message': 'cpu_ns'}
    if 'one way' in work:
        return {'p50 µs': 'p50', 'p99 µs': 'p99', 'p99.9 µs': 'p999', 'part of a core': 'cpu_share'}
    if 'open' in work:
        return {'p50 µs': 'p50', 'p99 µs': 'p99'}
    if 'memory' in work:
        return {'bytes a connection': 'bytes_per_connection'}
    return {'messages a second': 'per_second', 'CPU ns a message': 'cpu_ns', 'peak KiB': 'peak_kib'}


def get_reference(rows):
    return next((peer for peer in ('raw socket', 'raw GnuTLS', 'GAsyncQueue alone') if peer in rows), None)


def get_work_table(work, rows):
    metrics = get_metrics(work)
    reference = get_reference(rows)
    first = next(iter(metrics.values()))
    yield f'### {work}'
    yield ''
    yield '| | ' + ' | '.join(metrics) + (f' | ratio to {reference} |' if reference else ' |')
    yield '|---' * (len(metrics) + 1 + bool(reference)) + '|'
    for peer, figures in rows.items():
        cells = [format_spread(figures[metric]) if metric in figures else '' for metric in metrics.values()]
        if reference:
            cells.append(f'{get_ratio(figures[first], rows[reference][first]):.2f}')
        yield f'| {peer} | ' + ' | '.join(cells) + ' |'
    yield ''


def get_results(figures):
    """What is aimed at, and what came of it: name, sign, limit, and number, summary or None."""
    for work, *limits in INSTRUCTIONS_AT_MOST:
        for peer, limit in zip(('s9ws, handler', 's9ws, signal'), limits):
            if limit is not None:
                yield f'{work}, {peer.removeprefix("s9ws, ")}: instructions', '≤', limit, figures['instructions'][work].get(peer)
    for work, ours, other, metric, is_lower_better, limit in SUMMARY:
        values = [get_value(figures, work, peer, metric) for peer in (ours, other)]
        if limit is not None:
            yield (f'{work}, {ours}: {UNITS[metric]}, ratio to {other}', '≤' if is_lower_better else '≥', limit,
                   None if None in values else get_ratio(*values))
    yield 'system calls that read, a thousand TLS records of 64 B', '≤', READS_AT_MOST, figures['reads'].get('s9ws')
    for work, ours, metric, sign, limit in (
            *((work, ours, metric, '≤', limit) for work, ours, metric, limit in CPU_AT_MOST),
            *((work, ours, 'per_second', '≥', limit) for work, ours, _, limit in LANGUAGES)):
        yield f'{work}, {ours}: {UNITS[metric]}', sign, limit, get_value(figures, work, ours, metric)


def get_targets(figures):
    yield '| target | | | |'
    yield '|---|---|---|---|'
    for name, sign, limit, figure in get_results(figures):
        if figure is None:
            yield f'| {name} | {sign} {format_number(limit)} | | not measured |'
            continue
        reached, text = (figure['median'], format_spread(figure)) if isinstance(figure, dict) else (figure, format_number(figure))
        is_met = reached <= limit if sign == '≤' else reached >= limit
        yield f'| {name} | {sign} {format_number(limit)} | {text} | {"met" if is_met else "missed"} |'


def get_report(figures):
    yield f'# Figures of {get_machine(figures)}'
    yield ''
    if figures['is_quick']:
        yield 'From a quick run: for a look, not for comparing.'
        yield ''
    yield from get_targets(figures)
    yield ''
    yield 'Medians, with minimum and maximum in brackets; ratios are medians of those in each round.'
    yield ''
    yield from instructions.get_table(figures['instructions'])
    yield ''
    yield '| system calls that read, a thousand TLS records of 64 B | |'
    yield '|---|---|'
    for peer, n in figures['reads'].items():
        yield f'| {peer} | {n:,.1f} |'
    yield ''
    for work, rows in figures['times'].items():
        yield from get_work_table(work, rows)
    for failed in figures['failed']:
        yield f'Failed: {failed}'


def main():
    with open(sys.argv[1], encoding='utf-8') as file:
        figures = json.load(file)
    parts = {'--readme': get_readme, '--waiting': get_waiting}
    for line in parts.get(sys.argv[-1], get_report)(figures):
        print(line)


if __name__ == '__main__':
    sys.exit(main())
