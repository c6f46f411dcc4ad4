#!/usr/bin/python3
"""check-symbols.py: what the headers declare, the library exports and the GIR has.

Usage: check-symbols.py LIBRARY GIR SOURCE-FOLDER HEADER...

Every public function is exported, nothing else is, and every one that its
documentation does not skip can be called from a binding.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree

AVAILABLE = 'S9WS_AVAILABLE_IN_0_1'
CORE = '{http://www.gtk.org/introspection/core/1.0}'
C = '{http://www.gtk.org/introspection/c/1.0}'
GLIB = '{http://www.gtk.org/introspection/glib/1.0}'

DECLARATION = re.compile(rf'''^{AVAILABLE}\s+
    (?: G_DECLARE_\w+ \s* \( \s* \w+ \s*, \s* (?P<declared>\w+)
      | [^;(]*? (?P<function>\w+) \s* \( )''', re.MULTILINE | re.VERBOSE)
# Without the marker: hidden in a build with hidden symbols.
ANY_FUNCTION = re.compile(r'\b(s9ws_\w+)\s*\([^;{}]*\)[^;{}]*;')
SKIPPED = re.compile(r'^ \* (s9ws_\w+):.*\(skip\)', re.MULTILINE)


def read_headers(paths):
    declared, marked = set(), set()
    for path in paths:
        text = pathlib.Path(path).read_text(encoding='utf-8')
        text = re.sub(r'/\*.*?\*/', '', text, flags=re.DOTALL)
        text = re.sub(r'^#.*(\\\n.*)*', '', text, flags=re.MULTILINE)
        text = re.sub(r'^G_DEFINE_AUTOPTR_CLEANUP_FUNC.*', '', text, flags=re.MULTILINE)
        declared.update(ANY_FUNCTION.findall(text))
        for match in DECLARATION.finditer(text):
            function = match['function']
            marked.add(function or match['declared'] + '_get_type')
    return declared | marked, marked


def read_library(path):
    lines = subprocess.run(['nm', '-D', '--defined-only', path], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    return {line.split()[-1].partition('@')[0] for line in lines}


def read_gir(path):
    functions = set()
    for element in xml.etree.ElementTree.parse(path).iter():
        if element.get('introspectable') != '0':
            functions.update(filter(None, (element.get(C + 'identifier'),
                                           element.get(GLIB + 'get-type'))))
    return functions


def read_skipped(folder):
    return {name for path in pathlib.Path(folder).rglob('*.[ch]')
            for name in SKIPPED.findall(path.read_text(encoding='utf-8'))}


def main(library, gir, folder, *headers):
    declared, marked = read_headers(headers)
    exported = read_library(library)
    in_gir = read_gir(gir)
    skipped = read_skipped(folder)

    results = [('headers declare something', len(marked) > 50)]
    for name in sorted(declared):
        results.append((f'{name} is marked {AVAILABLE}', name in marked))
        results.append((f'{name} is exported', name in exported))
        if name in skipped:
            results.append((f'{name} is skipped', name not in in_gir))
        else:
            results.append((f'{name} is in the GIR', name in in_gir))
    for name in sorted(exported):
        results.append((f'{name} is public', name in marked))

    print(f'1..{len(results)}')
    for i, (name, is_right) in enumerate(results, start=1):
        print('ok' if is_right else 'not ok', i, '-', name)
    return 0 if all(is_right for _, is_right in results) else 1


sys.exit(main(*sys.argv[1:]))
