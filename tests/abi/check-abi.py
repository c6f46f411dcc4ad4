#!/usr/bin/python3
"""check-abi.py: what programs that were compiled before rely on, by libabigail.

Usage: check-abi.py [--record] LIBRARY RECORD HEADER...

LIBRARY has debug information; what HEADERs do not define is left out.

Fails where a function or type has gone or changed since RECORD was written; what has
been added since is shown, and fine. With --record, RECORD is written.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

SUPPRESSIONS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'additions.abignore')
GROWING = ['_S9wsStats', '_S9wsHandlerInterface']


def record(arguments, path):
    with tempfile.TemporaryDirectory() as headers:
        for header in arguments.headers:
            shutil.copy(header, headers)
        subprocess.run(['abidw', '--headers-dir', headers, '--drop-private-types',
                        '--no-show-locs', '--no-corpus-path', '--no-comp-dir-path',
                        '--no-elf-needed', '--exported-interfaces-only', '--out-file', path,
                        arguments.library], check=True)


class Layouts:
    """The fields of structures that only the library makes."""

    def __init__(self, path):
        root = xml.etree.ElementTree.parse(path).getroot()
        self.types = {element.get('id'): element for element in root.iter() if element.get('id')}
        self.structures = {element.get('name'): self.describe_fields(element)
                           for element in root.iter('class-decl')
                           if element.get('name') in GROWING and len(element) > 0}

    def describe(self, type_id):
        element = self.types[type_id]
        inner = element.get('type-id')
        if element.tag == 'pointer-type-def':
            return self.describe(inner) + '*'
        if element.tag == 'qualified-type-def':
            return self.describe(inner) + ' const'
        if element.tag == 'function-type':
            return self.describe(element.find('return').get('type-id')) + str(
                [self.describe(parameter.get('type-id')) for parameter in element.iter('parameter')])
        return element.get('name')

    def describe_fields(self, structure):
        return [(member.get('layout-offset-in-bits'), member[0].get('name'),
                 self.describe(member[0].get('type-id')))
                for member in structure.iter('data-member')]


def find_moved(old, new):
    """Fields may come behind the others; abidiff suppresses more than that."""
    structures = Layouts(new).structures
    for name, fields in Layouts(old).structures.items():
        for i, field in enumerate(fields):
            if structures[name][i:i + 1] != [field]:
                yield f'{name} has no longer {field}'


def compare(arguments, new, *options):
    return subprocess.run(['abidiff', *options, '--suppressions', SUPPRESSIONS,
                           arguments.record, new],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def check(arguments):
    with tempfile.TemporaryDirectory() as folder:
        new = os.path.join(folder, 'new.abi')
        record(arguments, new)
        changes = compare(arguments, new, '--no-added-syms')
        everything = compare(arguments, new).stdout
        moved = list(find_moved(arguments.record, new))

    results = {'nothing has gone or changed': changes.returncode == 0, 'no field has moved': not moved}
    print(f'1..{len(results)}')
    for i, (name, is_right) in enumerate(results.items(), 1):
        print('ok' if is_right else 'not ok', i, '-', name)
    for line in (changes.stdout or everything).splitlines() + moved:
        print('#', line)
    return 0 if all(results.values()) else 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--record', dest='is_recording', action='store_true')
    parser.add_argument('library')
    parser.add_argument('record')
    parser.add_argument('headers', nargs='+')
    arguments = parser.parse_args()

    if arguments.is_recording:
        record(arguments, arguments.record)
        return 0

    return check(arguments)


sys.exit(main())
