#!/usr/bin/python3
"""make-stubs.py: type stubs for Python, from the GIR and the overrides.

Usage: make-stubs.py GIR OVERRIDES OUTPUT

What the overrides define stands for what the GIR says of the same name. The stubs of
GLib's namespaces are left to those who have them: PyGObject brings none.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import ast
import keyword
import pathlib
import sys
import xml.etree.ElementTree

CORE = '{http://www.gtk.org/introspection/core/1.0}'
C = '{http://www.gtk.org/introspection/c/1.0}'
GLIB = '{http://www.gtk.org/introspection/glib/1.0}'

HEAD = '''\
# Type stubs of S9ws. Made from its introspection data: not to be edited.
import typing

from gi.repository import Gio, GLib, GObject

'''

TYPES = {
    'none': 'None', 'gboolean': 'bool', 'utf8': 'str', 'filename': 'str', 'gpointer': 'object',
    'gdouble': 'float', 'gfloat': 'float', 'GType': 'GObject.GType', 'GLib.Quark': 'int',
    **dict.fromkeys(('gint', 'guint', 'gint8', 'guint8', 'gint16', 'guint16', 'gint32', 'guint32',
                     'gint64', 'guint64', 'glong', 'gulong', 'gsize', 'gssize'), 'int'),
}
BYTE = ('guint8', 'gint8', 'gchar')

# What they are in the GIR, and in Python.
ENUMERATIONS = {'enumeration': 'GEnum', 'bitfield': 'GFlags'}
enumerations = set()


def find_all(element, name):
    return [child for child in element.findall(CORE + name) if child.get('introspectable') != '0']


def get_type(element):
    """Of a parameter, a return value, a property or a field."""
    array = element.find(CORE + 'array')
    if array is not None:
        item = array.find(CORE + 'type')
        return 'bytes' if item.get('name') in BYTE else f'list[{get_type(array)}]'

    name = element.find(CORE + 'type').get('name')
    if name == 'GLib.List':
        return f'list[{get_type(element.find(CORE + "type"))}]'
    if name == 'Gio.AsyncReadyCallback':
        return 'typing.Callable[..., object]'
    return TYPES.get(name, name)


def get_optional_type(element):
    name = get_type(element)
    return f'{name} | None' if element.get('nullable') == '1' else name


def get_lengths(element, parameters):
    """The parameters that PyGObject gives itself: lengths of arrays."""
    arrays = [parameter.find(CORE + 'array') for parameter in parameters]
    value = element.find(CORE + 'return-value')
    arrays.append(value.find(CORE + 'array') if value is not None else None)
    return {int(array.get('length')) for array in arrays
            if array is not None and array.get('length')}


def make_safe(name):
    return name + '_' if keyword.iskeyword(name) else name


def write_arguments(element, is_virtual):
    """The arguments, and the types of those that come back."""
    container = element.find(CORE + 'parameters')
    parameters = find_all(container, 'parameter') if container is not None else []
    lengths = set() if is_virtual else get_lengths(element, parameters)
    closures = {int(p.get('closure')) for p in parameters if p.get('closure')}

    arguments, outputs = [], []
    for i, parameter in enumerate(parameters):
        name = make_safe(parameter.get('name'))
        if parameter.get('direction', 'in') != 'in':
            if i not in lengths:
                outputs.append(get_optional_type(parameter))
        elif i in closures:
            arguments.append((f'*{name}: object', None))
        elif i not in lengths:
            arguments.append((f'{name}: {get_optional_type(parameter)}',
                              parameter.get('nullable') == '1'))

    # What may be None at the end may be left out.
    may_be_left_out = not is_virtual
    texts = []
    for text, is_nullable in reversed(arguments):
        if is_nullable is not None:
            may_be_left_out = may_be_left_out and is_nullable
            text += ' = ...' if may_be_left_out else ''
        texts.insert(0, text)
    return texts, outputs


def write_function(element, indent, first=None, prefix=''):
    arguments, outputs = write_arguments(element, bool(prefix))
    value = element.find(CORE + 'return-value')
    results = [get_optional_type(value)] if get_type(value) != 'None' else []
    results += outputs
    result = 'None' if not results else results[0]
    if len(results) > 1:
        result = f'tuple[{", ".join(results)}]'
    if first:
        arguments.insert(0, first)
    name = prefix + make_safe(element.get('name'))
    return f'{indent}def {name}({", ".join(arguments)}) -> {result}: ...\n'


def is_settable(element):
    return element.get('writable') == '1'


def write_properties(element, properties):
    text = ''
    if properties:
        parent = element.get('parent')
        base = f'({parent}.Props)' if '.' not in parent else ''
        text += f'    class Props{base}:\n'
        for item in properties:
            name = item.get('name').replace('-', '_')
            if is_settable(item):
                text += f'        {name}: {get_property_type(item)}\n'
            else:
                text += '        @property\n'
                text += f'        def {name}(self) -> {get_property_type(item)}: ...\n'
    if properties or '.' not in element.get('parent'):
        name = element.get('name') if properties else element.get('parent')
        text += f'    @property\n    def props(self) -> {name}.Props: ...\n'
    return text


def get_property_type(element):
    """Whatever is no plain value may be None; the GIR does not say it of properties."""
    name = get_type(element)
    return name if name in ('bool', 'int', 'float') or name in enumerations else f'{name} | None'


def write_members(element, overridden):
    """Methods and functions that the overrides leave as they are."""
    text = ''
    for kind, first, decorator in (('constructor', 'cls', '@classmethod'),
                                   ('function', None, '@staticmethod'),
                                   ('method', 'self', None), ('virtual-method', 'self', None)):
        for item in find_all(element, kind):
            prefix = 'do_' if kind == 'virtual-method' else ''
            if prefix + item.get('name') in overridden:
                continue
            if decorator:
                text += f'    {decorator}\n'
            text += write_function(item, '    ', first, prefix)
    return text


def write_overrides(functions):
    """Their signatures, as they stand there."""
    text = ''
    for function in functions:
        # Calling a generator gives it at once, `async` or not.
        is_generator = any(isinstance(node, ast.Yield) for node in ast.walk(function))
        kind = ast.FunctionDef if is_generator else type(function)
        stub = kind(name=function.name, args=function.args, body=[ast.Expr(ast.Constant(...))],
                    decorator_list=function.decorator_list, returns=function.returns)
        stub.args.defaults = [ast.Constant(...) for _ in stub.args.defaults]
        line = ast.unparse(ast.fix_missing_locations(stub)).replace(':\n    ...', ': ...')
        text += f'    {line}\n'
    return text


def get_all_properties(element, classes):
    inherited = classes.get(element.get('parent'))
    return (get_all_properties(inherited, classes) if inherited is not None else []) + \
        find_all(element, 'property')


def get_base(element):
    if element.tag == CORE + 'interface':
        return 'GObject.GInterface'
    if element.get(GLIB + 'is-gtype-struct-for'):
        return 'object'
    return element.get('parent', 'GObject.GBoxed')


def write_class(element, base, functions, classes):
    text = ''
    if element.get('parent'):
        text += write_properties(element, find_all(element, 'property'))
        settable = [item for item in get_all_properties(element, classes) if is_settable(item)]
        arguments = ''.join(
            f', {item.get("name").replace("-", "_")}: {get_property_type(item)} = ...'
            for item in settable)
        text += f'    def __init__(self, *{arguments}) -> None: ...\n'
    if base == 'GObject.GBoxed':
        for field in find_all(element, 'field'):
            text += f'    {field.get("name")}: {get_optional_type(field)}\n'
    text += write_members(element, {function.name for function in functions})
    text += write_overrides(functions)
    return f'class {element.get("name")}({base}):\n' + (text or '    ...\n') + '\n'


def write_enumeration(element, base):
    name = element.get('name')
    members = ''.join(f'    {member.get("name").upper()}: typing.ClassVar[{name}]\n'
                      for member in element.findall(CORE + 'member'))
    return f'class {name}(GObject.{base}):\n{members}{write_members(element, ())}\n'


def read_overrides(path):
    """The functions of each class, and what their annotations need."""
    functions, needed = {}, ''
    for node in ast.parse(pathlib.Path(path).read_text(encoding='utf-8')).body:
        if isinstance(node, ast.ClassDef):
            functions[node.name] = [
                item for item in node.body
                if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)) and
                (not item.name.startswith('_') or item.name.startswith('__'))]
        elif isinstance(node, ast.If) and ast.unparse(node.test) == 'typing.TYPE_CHECKING':
            needed = ''.join(ast.unparse(item) + '\n' for item in node.body
                             if 'gi.repository' not in ast.unparse(item))
    return functions, needed


def main(gir, overrides, output):
    namespace = xml.etree.ElementTree.parse(gir).find(CORE + 'namespace')
    functions, needed = read_overrides(overrides)
    for kind in ENUMERATIONS:
        enumerations.update(item.get('name') for item in find_all(namespace, kind))
    classes = {item.get('name'): item for item in find_all(namespace, 'class')}

    text = HEAD + needed + '\n'
    for item in find_all(namespace, 'constant'):
        text += f'{item.get("name")}: {get_type(item)}\n'
    text += '\n'
    for item in find_all(namespace, 'function'):
        text += write_function(item, '')
    text += '\n'
    for kind, base in ENUMERATIONS.items():
        for item in find_all(namespace, kind):
            text += write_enumeration(item, base)
    for kind in ('record', 'interface', 'class'):
        for item in find_all(namespace, kind):
            text += write_class(item, get_base(item), functions.get(item.get('name'), []), classes)
    pathlib.Path(output).write_text(text, encoding='utf-8')


main(*sys.argv[1:])
