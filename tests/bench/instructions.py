#!/usr/bin/python3
"""instructions.py: user-mode instructions a message, by callgrind

Usage: instructions.py BUILD [--check RECORDED] [--record FILE] [--only s9ws]

Each figure is the difference between runs with two numbers of messages, so that what a
program does once cancels out.

  --check FILE   fail where a figure of ours is more than 15 % above the recorded one;
                 prints TAP
  --record FILE  write the figures down
  --ours         leave the peers out

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import argparse
import json
import os
import sys

import bench

TOLERANCE = 1.15

# name: work, size, type, lower and higher number of messages
WORKS = {
    'inbound 64 B binary': ('inbound', 64, 'binary', 2000, 12000),
    'inbound 64 B text': ('inbound', 64, 'text', 2000, 12000),
    'round trip 32 B text': ('round-trip', 32, 'text', 500, 3500),
    'outbound 64 B binary': ('outbound', 64, 'binary', 1000, 6000),
    'inbound 64 KiB binary': ('inbound', 65536, 'binary', 100, 600),
    'inbound 64 KiB text': ('inbound', 65536, 'text', 100, 600),
    'outbound 64 KiB binary': ('outbound', 65536, 'binary', 100, 600),
}

# name: program, variant
PEERS = {
    's9ws, handler': ('s9ws', 'blocking:handler'),
    's9ws, signal': ('s9ws', 'blocking:signal'),
    'raw socket': ('raw', 'blocking'),
    'libsoup': ('soup', 'default'),
    'libwebsockets': ('lws', 'default'),
    'Boost.Beast': ('beast', 'default'),
    'wslay': ('wslay', 'default'),
}


def measure(build, ours):
    """{work: {peer: instructions a message}}"""
    figures = {}
    with bench.Server(build) as server:
        for work, (kind_of_work, size, kind, low, high) in WORKS.items():
            figures[work] = {}
            for peer, (program, variant) in PEERS.items():
                path = os.path.join(build, 'tests/bench', f'bench-{program}')
                if not os.path.exists(path) or (ours and program != 's9ws'):
                    continue
                n = [bench.count_instructions([path], server.uri, kind_of_work, count, size, kind, variant)
                     for count in (low, high)]
                figures[work][peer] = round((n[1] - n[0]) / (high - low))
                print(f'# {work}, {peer}: {figures[work][peer]}', flush=True)
    return figures


def print_table(figures):
    peers = [peer for peer in PEERS if any(peer in row for row in figures.values())]
    print('| instructions a message | ' + ' | '.join(peers) + ' |')
    print('|---' * (len(peers) + 1) + '|')
    for work, row in figures.items():
        print(f'| {work} | ' + ' | '.join(f'{row[peer]:,}' if peer in row else '' for peer in peers) + ' |')


def check(figures, recorded):
    n = 0
    for work, row in recorded.items():
        for peer, limit in row.items():
            if peer not in figures.get(work, {}):
                continue
            n += 1
            verdict = 'ok' if figures[work][peer] <= limit * TOLERANCE else 'not ok'
            print(f'{verdict} {n} {work}, {peer}: {figures[work][peer]}, recorded are {limit}')
    print(f'1..{n}')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('build')
    parser.add_argument('--check')
    parser.add_argument('--record')
    parser.add_argument('--ours', action='store_true')
    arguments = parser.parse_args()

    figures = measure(arguments.build, arguments.ours)
    if arguments.record:
        with open(arguments.record, 'w', encoding='utf-8') as out:
            json.dump(figures, out, indent=2)
            out.write('\n')
    if arguments.check:
        with open(arguments.check, encoding='utf-8') as recorded:
            check(figures, json.load(recorded))
    else:
        print_table(figures)


sys.exit(main())
