#!/usr/bin/python3
"""check-installed.py: the library as it is installed, and as a subproject.

Usage: check-installed.py SOURCE-ROOT BUILD-ROOT

Installs the build into a staging folder, and uses it from there: a C program by
pkg-config, Python and GJS by the typelib, Vala by the vapi. Runs the installed tests, if the
build has them. The build tree is used by its devenv. Then a project of its own builds the
source tree as its subproject.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import configparser
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

PROGRAM = r'''
#include <s9ws/s9ws.h>

int
main (void)
{
  g_autoptr (S9wsOptions) options = s9ws_options_new ();
  g_autoptr (S9wsClient) client = S9WS_CLIENT (s9ws_async_client_new ("ws:nonsense", options));
  g_autoptr (S9wsStats) stats = s9ws_client_get_stats (client);
  g_autoptr (GError) error = NULL;

  if (!S9WS_CHECK_VERSION (0, 1, 0) || stats->messages_sent != 0)
    return 1;
  if (s9ws_client_open (client, NULL, &error))
    return 2;
  if (!g_error_matches (error, S9WS_ERROR, S9WS_ERROR_INVALID_URI))
    return 3;

  g_print ("%s\n", G_OBJECT_TYPE_NAME (client));
  return 0;
}
'''

ALONE = '#include <{}>\nint main (void) {{ return 0; }}\n'

SCRIPT = '''
import gi
gi.require_version('S9ws', '1')
from gi.repository import GLib, S9ws
client = S9ws.AsyncClient(uri='ws:nonsense', options=S9ws.Options(nodelay=True))
try:
    client.open()
except GLib.Error as error:
    assert error.matches(S9ws.error_quark(), S9ws.Error.INVALID_URI), error
    assert S9ws.Client.__iter__, 'no overrides'
    print(type(client).__gtype__.name)
'''

GJS = '''
import S9ws from 'gi://S9ws?version=1';
const client = new S9ws.AsyncClient({uri: 'ws:nonsense'});
const [failed] = client; // by what is installed for GJS
if (!failed.get_error().matches(S9ws.Error, S9ws.Error.INVALID_URI))
  throw failed.get_error();
print(client.constructor.$gtype.name);
'''

VALA = '''
int main () {
  var client = new S9ws.AsyncClient ("ws:nonsense", null);
  try {
    client.open ();
  } catch (S9ws.Error.INVALID_URI e) {
    print ("%s\\n", client.get_type ().name ());
    return 0;
  } catch (Error e) {
  }
  return 1;
}
'''

PROJECT = '''
project('consumer', 'c', default_options: ['werror=true'])
s9ws_dep = dependency('s9ws-1', fallback: ['s9ws', 's9ws_dep'],
  default_options: ['examples=false', 'introspection=disabled', 'vapi=disabled'])
assert(s9ws_dep.type_name() == 'internal')
assert(s9ws_dep.version() == '@VERSION@')
executable('consumer', 'consumer.c', dependencies: s9ws_dep)
'''

EXPECTED = 'S9wsAsyncClient\n'
TIMEOUT = 240  # s


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=TIMEOUT, **more)
    if done.returncode != 0:
        raise AssertionError(f'{command[0]} ended with {done.returncode}:\n{done.stdout}')
    return done.stdout


def say_expected(*command, **more):
    output = run(*command, **more)
    assert output == EXPECTED, output


def clean_environment(**more):
    """Without what the tests of the build tree are run with."""
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(('MESON', 'GI_', 'GJS_', 'PKG_CONFIG', 'DESTDIR', 'NINJA'))}
    environment.pop('LD_LIBRARY_PATH', None)
    return {**environment, **{name: str(value) for name, value in more.items()}}


class Staging:
    def __init__(self, source, build, work):
        self.source, self.build, self.work = source, build, work
        self.stage = work / 'stage'
        options = json.loads(run('meson', 'introspect', build, '--buildoptions'))
        self.options = {option['name']: option['value'] for option in options}
        self.project = json.loads(run('meson', 'introspect', build, '--projectinfo'))
        self.prefix = self.stage / self.options['prefix'].lstrip('/')
        self.libraries = self.prefix / self.options['libdir']
        self.data = self.prefix / self.options['datadir']

    def test_install(self):
        run('meson', 'install', '-C', self.build, '--no-rebuild',
            env=clean_environment(DESTDIR=self.stage))
        include = self.prefix / self.options['includedir'] / 's9ws-1' / 's9ws'
        for path in (self.libraries / 'libs9ws-1.so.0', self.libraries / 'pkgconfig/s9ws-1.pc',
                     self.libraries / 'girepository-1.0/S9ws-1.typelib',
                     self.data / 'gir-1.0/S9ws-1.gir', include / 's9ws.h',
                     include / 's9ws-version.h'):
            assert path.exists(), path

    def test_programs(self):
        """What a distribution has to pack with the two examples that are installed."""
        binaries = self.prefix / self.options['bindir']
        manual_page = self.prefix / self.options['mandir'] / 'man1/s9ws-cat.1'
        environment = clean_environment(LD_LIBRARY_PATH=self.libraries)
        if self.options['examples'] and self.options['cat']:
            version = run(binaries / 's9ws-cat', '--version', env=environment)
            assert version == f's9ws-cat {self.project["version"]}\n', version
            for path in (manual_page, self.data / 'bash-completion/completions/s9ws-cat'):
                assert path.exists(), path
        if (binaries / 's9ws-console').exists():
            entry = (self.data / 'applications/s9ws.Console.desktop').read_text(encoding='utf-8')
            assert (self.data / 'icons/hicolor/scalable/apps/s9ws.Console.svg').exists()
            assert 'Exec=s9ws-console' in entry, entry
            assert 'Usage:' in run(binaries / 's9ws-console', '--help', env=environment)

    def pkg_config(self, *arguments):
        environment = clean_environment(PKG_CONFIG_SYSROOT_DIR=self.stage,
                                        PKG_CONFIG_PATH=self.libraries / 'pkgconfig')
        words = run('pkg-config', *arguments, 's9ws-1', env=environment).split()
        # The sysroot is put before what belongs to the system, too.
        return [word for word in words
                if not word.startswith(('-I', '-L')) or os.path.exists(word[2:])] + \
               [word.replace(str(self.stage), '') for word in words]

    def compile(self, name, text):
        path = self.work / name
        path.with_suffix('.c').write_text(text, encoding='utf-8')
        run('cc', '-Wall', '-Wextra', '-Werror', path.with_suffix('.c'), '-o', path,
            *self.pkg_config('--cflags', '--libs'), env=clean_environment())
        return path

    def test_version(self):
        assert self.pkg_config('--modversion')[0] == self.project['version']

    def test_program(self):
        program = self.compile('program', PROGRAM)
        say_expected(program, env=clean_environment(LD_LIBRARY_PATH=self.libraries))

    def test_headers(self):
        """No header but the one can be included, and it includes all there are."""
        folder = self.prefix / self.options['includedir'] / 's9ws-1'
        umbrella = (folder / 's9ws/s9ws.h').read_text(encoding='utf-8')
        for path in sorted((folder / 's9ws').iterdir()):
            if path.name == 's9ws.h':
                continue
            name = path.relative_to(folder)
            assert f'#include <{name}>' in umbrella, name
            try:
                self.compile('alone', ALONE.format(name))
            except AssertionError as error:
                assert 'can be included directly' in str(error), error
            else:
                raise AssertionError(f'{name} can be included alone')

    def test_python(self):
        overrides, = self.stage.rglob('gi/overrides/S9ws.py')
        assert (overrides.parents[2] / 'gi-stubs/repository/S9ws.pyi').exists()
        say_expected('/usr/bin/python3', '-c', SCRIPT, env=clean_environment(
            GI_TYPELIB_PATH=self.libraries / 'girepository-1.0', LD_LIBRARY_PATH=self.libraries,
            PYTHONPATH=overrides.parents[2], PYTHONDONTWRITEBYTECODE=1))

    def test_gjs(self):
        script = self.work / 'program.js'
        script.write_text(GJS, encoding='utf-8')
        say_expected('gjs', '-m', script, env=clean_environment(
            GI_TYPELIB_PATH=self.libraries / 'girepository-1.0', LD_LIBRARY_PATH=self.libraries,
            XDG_DATA_DIRS=f'{self.data}:/usr/share'))

    def test_devenv(self):
        devenv = ['meson', 'devenv', '-C', self.build]
        script = self.work / 'devenv.js'
        script.write_text(GJS, encoding='utf-8')
        for command in (['/usr/bin/python3', '-c', SCRIPT], ['gjs', '-m', script]):
            say_expected(*devenv, *command, env=clean_environment())

    def test_installed_tests(self):
        tests = self.data / 'installed-tests/s9ws-1'
        programs = self.prefix / self.options['libexecdir'] / 'installed-tests/s9ws-1'
        environment = clean_environment(
            GI_TYPELIB_PATH=self.libraries / 'girepository-1.0', LD_LIBRARY_PATH=self.libraries,
            XDG_DATA_DIRS=f'{self.data}:/usr/share')
        descriptions = sorted(tests.glob('*.test'))
        assert descriptions, tests
        for path in descriptions:
            description = configparser.ConfigParser(interpolation=None)
            description.read(path)
            command = description['Test']['Exec'].replace(
                str(programs).replace(str(self.stage), ''), str(programs))
            output = run(*shlex.split(command), env=environment)
            assert re.search('^ok', output, re.M) and not re.search('^not ok', output, re.M), output

    def test_vala(self):
        source = self.work / 'program.vala'
        source.write_text(VALA, encoding='utf-8')
        flags = [word for flag in self.pkg_config('--cflags', '--libs') for word in ('-X', flag)]
        run('valac', '--vapidir', self.data / 'vala/vapi', '--pkg', 's9ws-1', '-X', '-w', *flags,
            '-o', self.work / 'vala', source, cwd=self.work, env=clean_environment())
        say_expected(self.work / 'vala', env=clean_environment(LD_LIBRARY_PATH=self.libraries))

    def test_subproject(self):
        project = self.work / 'consumer'
        copy = project / 'subprojects' / 's9ws'
        copy.mkdir(parents=True)
        # Not all of it: there may be folders of builds.
        for path in self.source.iterdir():
            if path.is_file() and not path.name.startswith('.'):
                shutil.copy(path, copy)
        for name in ('s9ws', 'introspection', 'examples', 'tests', 'po'):
            shutil.copytree(self.source / name, copy / name,
                            ignore=shutil.ignore_patterns('_build*', '__pycache__'))
        (project / 'consumer.c').write_text(PROGRAM, encoding='utf-8')
        (project / 'meson.build').write_text(
            PROJECT.replace('@VERSION@', self.project['version']), encoding='utf-8')

        for kind in ('shared', 'static'):
            build = project / kind
            run('meson', 'setup', build, project, '--wrap-mode=nodownload', '--default-library', kind,
                env=clean_environment())
            run('ninja', '-C', build, env=clean_environment())
            say_expected(build / 'consumer', env=clean_environment())
            assert not (build / 'subprojects/s9ws/tests').exists(), 'with its tests'
            assert kind == 'shared' or not list(build.rglob('libs9ws-1.so')), 'not static'


def main(source, build):
    failed = 0
    with tempfile.TemporaryDirectory(prefix='s9ws-installed-') as work:
        staging = Staging(pathlib.Path(source), pathlib.Path(build), pathlib.Path(work))
        tests = [staging.test_install, staging.test_programs, staging.test_version, staging.test_program,
                 staging.test_headers, staging.test_python, staging.test_gjs]
        # A file in the build folder may be of an earlier configuration.
        if 's9ws-1.vapi' in run('meson', 'introspect', build, '--installed'):
            tests.append(staging.test_vala)
        if staging.options['installed_tests']:
            tests.append(staging.test_installed_tests)
        tests += [staging.test_devenv, staging.test_subproject]

        print(f'1..{len(tests)}', flush=True)
        for i, test in enumerate(tests, start=1):
            try:
                test()
                print(f'ok {i} - {test.__name__}', flush=True)
            except (AssertionError, OSError, subprocess.SubprocessError) as error:
                failed += 1
                print(f'not ok {i} - {test.__name__}')
                print('# ' + str(error).replace('\n', '\n# '), flush=True)
    return 1 if failed else 0


sys.exit(main(*sys.argv[1:]))
