#!/usr/bin/python3
"""count.py: passed, failed and skipped subtests in a testlog.json of meson.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import json
import re
import sys

TAP = re.compile(r'^\s*(not )?ok\b(?:\s+\d+)?(.*)$')


def count(test):
    passed = failed = skipped = 0
    for line in test.get('stdout', '').splitlines():
        match = TAP.match(line)
        if not match:
            continue
        if match[1]:
            failed += 1
        elif re.search(r'#\s*SKIP', match[2], re.I):
            skipped += 1
        else:
            passed += 1

    result = test['result']
    if result in ('OK', 'EXPECTEDFAIL') or (result == 'SKIP' and skipped):
        if passed + failed + skipped == 0:
            passed = 1
    elif result == 'SKIP':
        skipped = 1
    elif failed == 0:
        failed = 1
    return passed, failed, skipped


def main(path):
    totals = [0, 0, 0]
    with open(path, encoding='utf-8') as log:
        for line in log:
            for i, n in enumerate(count(json.loads(line))):
                totals[i] += n
    print(*totals)


main(sys.argv[1])
