#!/usr/bin/python3
"""check-symbols.py: what the headers declare, the library has and bindings can use.

Usage: check-symbols.py LIBRARY GIR SOURCE-FOLDER HEADER...

Every public function is exported, nothing else is, and every one that its
documentation does not skip can be called from a binding: it is in the GIR, and in the
typelib, as girepository reads it. So are all types, enumerators, constants, virtual
functions, and the properties and signals that the types have when they are asked.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import ctypes
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree

import gi

gi.require_version('GIRepository', '2.0')
from gi.repository import GIRepository, GObject  # noqa: E402

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

ENUMERATION = re.compile(r'typedef enum\s*\w*\s*\{(.*?)\}', re.DOTALL)
ENUMERATOR = re.compile(r'^\s*(S9WS_\w+)', re.MULTILINE)
CONSTANT = re.compile(r'^#define (S9WS_\w+)[ \t]+\(?[\d"@]', re.MULTILINE)
INTERFACE = re.compile(r'struct _(S9ws\w+)Interface\s*\{(.*?)^\};', re.DOTALL | re.MULTILINE)
VFUNC = re.compile(r'\(\*(\w+)\)')
STRUCTURE = re.compile(r'^typedef struct _(S9ws\w+) \1;|^typedef struct \{.*?\} (S9ws\w+);',
                       re.MULTILINE | re.DOTALL)
DECLARED_TYPE = re.compile(r'G_DECLARE_\w+ \((S9ws\w+),')


def read_text(path):
    text = pathlib.Path(path).read_text(encoding='utf-8')
    return re.sub(r'/\*.*?\*/', '', text, flags=re.DOTALL)


def read_headers(paths):
    declared, marked = set(), set()
    for path in paths:
        text = re.sub(r'^#.*(\\\n.*)*', '', read_text(path), flags=re.MULTILINE)
        text = re.sub(r'^G_DEFINE_AUTOPTR_CLEANUP_FUNC.*', '', text, flags=re.MULTILINE)
        declared.update(ANY_FUNCTION.findall(text))
        for match in DECLARATION.finditer(text):
            function = match['function']
            marked.add(function or match['declared'] + '_get_type')
    return declared | marked, marked


def read_declarations(paths):
    """Whatever is no function, each by the name that find_in_typelib () gives it."""
    names = set()
    for path in paths:
        text = read_text(path)
        for body in ENUMERATION.findall(text):
            names.update(f'enumerator {name}' for name in ENUMERATOR.findall(body))
        names.update(f'constant {name}' for name in CONSTANT.findall(text))
        names.update(f'type {name or other}' for name, other in STRUCTURE.findall(text))
        names.update(f'type {name}' for name in DECLARED_TYPE.findall(text))
        names.update(f'type {name}' for name in re.findall(r'^\} (S9ws\w+);', text, re.MULTILINE))
        for interface, body in INTERFACE.findall(text):
            names.update(f'virtual function {interface}.{name}' for name in VFUNC.findall(body))
    return names


def read_library(path):
    lines = subprocess.run(['nm', '-D', '--defined-only', path], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    return {line.split()[-1].partition('@')[0] for line in lines}


def ask_library(path, functions):
    """The properties and signals that the types have."""
    library = ctypes.CDLL(path)
    library.g_type_name.restype = ctypes.c_char_p
    library.g_type_name.argtypes = [ctypes.c_size_t]
    names = set()
    for function in functions:
        if not function.endswith('_get_type'):
            continue
        get_type = getattr(library, function)
        get_type.restype = ctypes.c_size_t
        gtype = GObject.type_from_name(library.g_type_name(get_type()).decode())
        if not gtype.is_a(GObject.TYPE_OBJECT):
            continue
        names.update(f'property {gtype.name}:{pspec.name}' for pspec in GObject.list_properties(gtype)
                     if pspec.owner_type == gtype)
        names.update(f'signal {gtype.name}::{name}' for name in GObject.signal_list_names(gtype))
    return names


def read_gir(path):
    functions = set()
    for element in xml.etree.ElementTree.parse(path).iter():
        if element.get('introspectable') != '0':
            functions.update(filter(None, (element.get(C + 'identifier'),
                                           element.get(GLIB + 'get-type'))))
    return functions


def get_children(info, kind, what):
    """By the functions of girepository for the kind: object_info_get_method () and so on."""
    count = getattr(GIRepository, f'{kind}_info_get_n_{what}', None)
    get = getattr(GIRepository, f'{kind}_info_get_{"property" if what == "properties" else what[:-1]}', None)
    return [get(info, i) for i in range(count(info))] if count else []


def read_typelib():
    functions, names = set(), set()
    repository = GIRepository.Repository.get_default()
    repository.require('S9ws', '1', 0)
    for i in range(repository.get_n_infos('S9ws')):
        info = repository.get_info('S9ws', i)
        kind = info.get_type().value_nick
        if kind == 'function':
            functions.add(GIRepository.function_info_get_symbol(info))
            continue
        if kind == 'constant':
            names.add(f'constant S9WS_{info.get_name()}')
            continue

        kind = {'boxed': 'struct', 'flags': 'enum'}.get(kind, kind)
        name = 'S9ws' + info.get_name()
        names.add(f'type {name}')
        functions.add(GIRepository.registered_type_info_get_type_init(info))
        functions.update(map(GIRepository.function_info_get_symbol, get_children(info, kind, 'methods')))
        names.update(f'enumerator {value.get_attribute("c:identifier")}'
                     for value in get_children(info, kind, 'values'))
        for what, pattern in (('properties', 'property {}:{}'), ('signals', 'signal {}::{}'),
                              ('vfuncs', 'virtual function {}.{}')):
            names.update(pattern.format(name, child.get_name())
                         for child in get_children(info, kind, what))
    return functions, names


def read_skipped(folder):
    return {name for path in pathlib.Path(folder).rglob('*.[ch]')
            for name in SKIPPED.findall(path.read_text(encoding='utf-8'))}


def check_functions(library, gir, folder, headers):
    declared, marked = read_headers(headers)
    exported = read_library(library)
    in_gir = read_gir(gir)
    in_typelib, _ = read_typelib()
    skipped = read_skipped(folder)

    yield 'headers declare something', len(marked) > 50
    for name in sorted(declared):
        yield f'{name} is marked {AVAILABLE}', name in marked
        yield f'{name} is exported', name in exported
        if name in skipped:
            yield f'{name} is skipped', name not in in_gir and name not in in_typelib
        else:
            yield f'{name} is in the GIR', name in in_gir
            yield f'{name} is in the typelib', name in in_typelib
    for name in sorted(exported):
        yield f'{name} is public', name in marked


def check_declarations(library, headers):
    _, marked = read_headers(headers)
    declared = read_declarations(headers) | ask_library(library, marked)
    _, in_typelib = read_typelib()
    for kind, least in {'type': 12, 'enumerator': 30, 'constant': 3, 'virtual function': 10,
                        'property': 25, 'signal': 10}.items():
        yield f'there are names of the kind {kind}', \
            sum(name.startswith(kind + ' ') for name in declared) >= least
    for name in sorted(declared):
        yield f'{name} is in the typelib', name in in_typelib
    for name in sorted(in_typelib - declared):
        # What GObject and the scanner make of a type.
        yield f'{name} is declared', bool(re.fullmatch(r'type S9ws\w+(Class|Interface)', name))


def check_errors(folder, headers):
    chapter = pathlib.Path(folder, '../introspection/docs/errors.md').read_text(encoding='utf-8')
    for name in sorted(read_declarations(headers)):
        if name.startswith('enumerator S9WS_ERROR_'):
            code = name.removeprefix('enumerator S9WS_ERROR_')
            yield f'the chapter of errors says what to do after {code}', f'\n| `{code}` |' in chapter


def main(library, gir, folder, *headers):
    results = [*check_functions(library, gir, folder, headers),
               *check_declarations(library, headers), *check_errors(folder, headers)]
    print(f'1..{len(results)}')
    for i, (name, is_right) in enumerate(results, start=1):
        print('ok' if is_right else 'not ok', i, '-', name)
    return 0 if all(is_right for _, is_right in results) else 1


sys.exit(main(*sys.argv[1:]))
