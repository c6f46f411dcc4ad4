#!/usr/bin/python3
"""instructions.py: user-mode instructions a message, by callgrind

Usage: instructions.py BUILD [--check RECORDED] [--record FILE] [--quick]

Each figure is the difference between runs with two numbers of messages, so that what a
program does once cancels out.

  --check FILE   fail where a figure of ours is more than 15 % above the recorded one;
                 prints TAP
  --record FILE  write ours down
  --quick        leave the peers out, but for the raw socket

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import argparse
import json
import sys

import bench

TOLERANCE = 1.15
TRIES = 5  # into how many reads a stream is cut is not the same twice

# name: work, size, type, lower and higher number of messages
WORKS = {
    'inbound 64 B binary': ('inbound', 64, 'binary', 2000, 12000),
    'inbound 64 B text': ('inbound', 64, 'text', 2000, 12000),
    'round trip 32 B text': ('round-trip', 32, 'text', 500, 3500),
    'outbound 64 B binary': ('outbound', 64, 'binary', 1000, 6000),
    'inbound 1 KiB text': ('inbound', 1024, 'text', 1000, 6000),
    'outbound 1 KiB text': ('outbound', 1024, 'text', 1000, 6000),
    'inbound 64 KiB binary': ('inbound', 65536, 'binary', 100, 600),
    'inbound 64 KiB text': ('inbound', 65536, 'text', 100, 600),
    'outbound 64 KiB binary': ('outbound', 65536, 'binary', 100, 600),
    'inbound 16 MiB binary': ('inbound', 16777216, 'binary', 20, 120),
    'outbound 16 MiB binary': ('outbound', 16777216, 'binary', 5, 15),
}

# name: program, variant
PEERS = {
    's9ws, handler': ('s9ws', 'blocking:handler'),
    's9ws, signal': ('s9ws', 'blocking:signal'),
    'raw socket': ('raw', 'blocking'),
    'Boost.Beast': ('beast', 'default'),
    'wslay': ('wslay', 'default'),
    'libwebsockets': ('lws', 'default'),
    'libsoup': ('soup', 'default'),
}
# 80 for each byte: half a minute, to learn what 64 KiB have told.
LEFT_OUT = (('inbound 16 MiB binary', 'libwebsockets'), ('outbound 16 MiB binary', 'libwebsockets'))
QUICK = ('s9ws, handler', 's9ws, signal', 'raw socket')


def count(command, server, work, peer):
    kind_of_work, size, kind, low, high = WORKS[work]
    # Some need millions, or a thousand of them, for a large message.
    counts = (low, high) if peer in QUICK or size < 65536 else (low // 5, high // 5)
    n = [bench.count_instructions(command, server.uri, kind_of_work, n_messages, size, kind, PEERS[peer][1])
         for n_messages in counts]
    return round((n[1] - n[0]) / (counts[1] - counts[0]))


def measure(build, is_quick, recorded=None, failed=None):
    """{work: {peer: instructions a message}}; the least of some tries where it is more than recorded.

    Who fails is added to failed, or nobody may fail where that is None."""
    figures = {}
    with bench.Server(build) as server:
        for work in WORKS:
            figures[work] = {}
            for peer, (program, _) in PEERS.items():
                command = bench.get_command(build, program)
                if command is None or (is_quick and peer not in QUICK) or (work, peer) in LEFT_OUT:
                    continue
                try:
                    figures[work][peer] = count(command, server, work, peer)
                except bench.Failed as error:
                    if failed is None:
                        raise
                    print(error, file=sys.stderr)
                    failed.add((f'instructions, {work}', peer))
                    continue
                limit = (recorded or {}).get(work, {}).get(peer)
                for _ in range(1, TRIES):
                    if limit is None or figures[work][peer] <= limit * TOLERANCE:
                        break
                    figures[work][peer] = min(figures[work][peer], count(command, server, work, peer))
    return figures


def get_table(figures):
    """Lines of Markdown."""
    peers = [peer for peer in PEERS if any(peer in row for row in figures.values())]
    yield '| instructions a message | ' + ' | '.join(peers) + ' |'
    yield '|---' * (len(peers) + 1) + '|'
    for work, row in figures.items():
        yield f'| {work} | ' + ' | '.join(f'{row[peer]:,}' if peer in row else '' for peer in peers) + ' |'


def check(figures, recorded):
    n = 0
    for work, row in recorded.items():
        for peer, limit in row.items():
            n += 1
            verdict = 'ok' if figures[work][peer] <= limit * TOLERANCE else 'not ok'
            print(f'{verdict} {n} {work}, {peer}: {figures[work][peer]}, recorded are {limit}')
    print(f'1..{n}')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('build')
    parser.add_argument('--check')
    parser.add_argument('--record')
    parser.add_argument('--quick', action='store_true')
    arguments = parser.parse_args()

    recorded = None
    if arguments.check:
        with open(arguments.check, encoding='utf-8') as file:
            recorded = json.load(file)

    figures = measure(arguments.build, arguments.quick, recorded=recorded)
    for line in get_table(figures):
        print(f'# {line}' if arguments.check else line)
    if arguments.record:
        ours = {work: {peer: n for peer, n in row.items() if peer.startswith('s9ws')} for work, row in figures.items()}
        with open(arguments.record, 'w', encoding='utf-8') as out:
            json.dump(ours, out, indent=2)
            out.write('\n')
    if recorded:
        check(figures, recorded)


if __name__ == '__main__':
    sys.exit(main())
