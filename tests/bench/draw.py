#!/usr/bin/python3
"""draw.py: pictures of a comparison, as SVG and PNG

Usage: draw.py FILE FOLDER

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import json
import os
import sys

import matplotlib
matplotlib.use('Agg')
# The same figures give the same file.
matplotlib.rcParams['svg.hashsalt'] = 's9ws'
matplotlib.rcParams['axes.grid'] = True
matplotlib.rcParams['grid.alpha'] = 0.3
from matplotlib import pyplot

import report

COLOURS = {
    'raw socket': 'black', 'raw socket, spinning': 'dimgrey', 's9ws, handler': 'tab:blue', 's9ws, signal': 'tab:cyan',
    's9ws spinning, handler': 'navy', 's9ws adaptive, handler': 'royalblue', 'libsoup': 'tab:red',
    'libwebsockets': 'tab:orange', 'Boost.Beast': 'tab:green', 'wslay': 'tab:brown',
    'websockets (Python)': 'tab:olive', 'ws (Node)': 'tab:purple',
}


def save(figure, folder, name, figures):
    figure.text(0.995, 0.005, report.get_machine(figures), ha='right', va='bottom', fontsize=6, color='grey')
    figure.tight_layout(rect=(0, 0.02, 1, 1))
    for ending in 'svg', 'png':
        metadata = {'Date': None} if ending == 'svg' else {}
        figure.savefig(os.path.join(folder, f'{name}.{ending}'), dpi=120, metadata=metadata)
    pyplot.close(figure)


def draw_latency(figures, folder):
    """From the median outwards, as far as the tail is known."""
    figure, axes = pyplot.subplots(figsize=(8, 5))
    for peer, colour in COLOURS.items():
        rows = figures['times']['round trip 32 B text'].get(peer)
        if rows is None or 'distribution' not in rows:
            continue
        points = [(1 / (1 - part), microseconds) for part, microseconds in rows['distribution'] if part <= 0.999]
        axes.plot(*zip(*points), label=peer, color=colour, linestyle='--' if 'raw' in peer else '-',
                  linewidth=2 if report.is_ours(peer) else 1.2)
    axes.set(xscale='log', yscale='log', title='Round trip of 32 bytes over loopback', xlabel='percentile',
             ylabel='µs')
    axes.set_xticks([2, 10, 100, 1000], ['50', '90', '99', '99.9'])
    axes.set_xlim(left=1.2)
    axes.yaxis.set_major_formatter('{x:g}')
    axes.yaxis.set_minor_formatter('{x:g}')
    axes.tick_params(axis='y', which='minor', labelsize=6)
    axes.legend(fontsize=8)
    save(figure, folder, 'latency', figures)


def draw_throughput(figures, folder):
    figure, both = pyplot.subplots(1, 2, figsize=(11, 5), sharey=True)
    works = {
        'inbound': ['64 B binary', '1 KiB text', '64 KiB binary', '16 MiB binary'],
        'outbound': ['64 B binary', '1 KiB text', '64 KiB binary', '16 MiB binary'],
    }
    sizes = {'64 B binary': 64, '1 KiB text': 1024, '64 KiB binary': 65536, '16 MiB binary': 16 * 1024 * 1024}
    for axes, (direction, names) in zip(both, works.items()):
        for peer, colour in COLOURS.items():
            points = []
            for name in names:
                value = report.get_value(figures, f'{direction} {name}', peer, 'per_second')
                if value is not None:
                    points.append((sizes[name], value['median'] * sizes[name] / 1e6))
            if points:
                axes.plot(*zip(*points), label=peer, color=colour, marker='.', linestyle='--' if 'raw' in peer else '-',
                          linewidth=2 if report.is_ours(peer) else 1.2)
        axes.set(xscale='log', yscale='log', title=direction, xlabel='message size', ylabel='MB a second')
        axes.set_xticks(list(sizes.values()), ['64 B', '1 KiB', '64 KiB', '16 MiB'])
        axes.minorticks_off()
    both[0].legend(fontsize=8)
    save(figure, folder, 'throughput', figures)


def draw_waiting(figures, folder):
    works = {work: rows for work, rows in figures['times'].items() if work.startswith('one way, ')}
    figure, all_axes = pyplot.subplots(1, len(works), figsize=(13, 4.8), sharey=True, squeeze=False)
    all_axes = all_axes[0]
    for axes, (work, rows) in zip(all_axes, works.items()):
        for i, (strategy, values) in enumerate(rows.items()):
            axes.plot(max(values['cpu_share']['median'] * 100, 0.01), values['p50']['median'], 'o' if 'raw' not in strategy else 'x',
                      color=f'C{i}' if i < 10 else 'black', label=strategy)
        axes.set(xscale='log', yscale='log', title=work.removeprefix('one way, '), xlabel='% of a core')
        axes.yaxis.set_major_formatter('{x:g}')
        axes.xaxis.set_major_formatter('{x:g}')
    all_axes[0].set_ylabel('one-way latency, median, µs')
    all_axes[-1].legend(fontsize=7)
    save(figure, folder, 'waiting', figures)


def main():
    with open(sys.argv[1], encoding='utf-8') as file:
        figures = json.load(file)
    for draw in draw_latency, draw_throughput, draw_waiting:
        draw(figures, sys.argv[2])


if __name__ == '__main__':
    sys.exit(main())
