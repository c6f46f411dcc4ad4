"""peer.py: what the measured programs in Python have in common; bench.h says the rest

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import json
import resource
import sys
import time


def get_peak_memory():
    """In KiB. Not ru_maxrss, which begins with what the parent had."""
    with open('/proc/self/status', encoding='utf-8') as status:
        return next(int(line.split()[1]) for line in status if line.startswith('VmHWM'))


class Task:
    def __init__(self, argv):
        uri, self.work, count, size, kind, self.variant = argv[1:7]
        self.count = int(count)
        self.is_text = kind == 'text'
        self.ca_file = argv[7] if len(argv) > 7 else None
        text = ('abcdefghijklmnopqrstuvwxyz' * (int(size) // 26 + 1))[:int(size)]
        self.payload = text if self.is_text else text.encode()
        self.uri = uri + {
            'inbound': f'/blast/{count}/{size}/{kind}',
            'outbound': f'/sink/{count}',
        }.get(self.work, '/echo')
        self.samples = []

    def begin(self):
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self.cpu = -usage.ru_utime - usage.ru_stime
        self.begun = self.last = time.perf_counter_ns()

    def lap(self):
        now = time.perf_counter_ns()
        self.samples.append(now - self.last)
        self.last = now

    def end(self):
        seconds = (time.perf_counter_ns() - self.begun) / 1e9
        usage = resource.getrusage(resource.RUSAGE_SELF)
        report = {
            'count': self.count, 'seconds': seconds, 'cpu': self.cpu + usage.ru_utime + usage.ru_stime,
            'peak_kib': get_peak_memory(), 'per_second': self.count / seconds,
        }
        self.samples.sort()
        for name, part in ('p50', 0.5), ('p99', 0.99), ('p999', 0.999):
            if self.samples:
                report[name] = self.samples[int(len(self.samples) * part)] / 1000
        print(json.dumps(report))


def parse():
    return Task(sys.argv)
