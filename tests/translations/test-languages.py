#!/usr/bin/python3
"""test-languages.py: what a German and a French user reads.

Usage: test-languages.py SOURCE-FOLDER BUILD-FOLDER

The library knows the folder of its translations since it was built, so that it is built
once more, to be installed into a folder of this test. The locales are made here too, as
there may be none but C.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import pathlib
import subprocess
import sys
import tempfile

TIMEOUT = 300  # s

PROGRAM = r'''
#include <locale.h>
#include <s9ws/s9ws.h>

static void
say (GError *error)
{
  g_print ("%s\n", error->message);
  g_error_free (error);
}

int
main (int    argc,
      char **argv)
{
  GError *error = NULL;

  setlocale (LC_ALL, "");
  /* Before there is any client. */
  if (g_str_equal (argv[1], "options"))
    {
      S9wsOptions *options = s9ws_options_new ();

      if (!s9ws_options_set_header (options, "Host", "example.org", &error))
        say (error);
      g_object_unref (options);
    }
  else
    {
      S9wsClient *client = S9WS_CLIENT (s9ws_blocking_client_new (argv[1], NULL));

      if (!s9ws_client_open (client, NULL, &error))
        say (error);
      g_object_unref (client);
    }
  return 0;
}
'''

SCRIPT = '''
import locale, sys
import gi
gi.require_version('S9ws', '1')
from gi.repository import GLib, S9ws
locale.setlocale(locale.LC_ALL, '')
try:
    if sys.argv[1] == 'options':
        S9ws.Options().set_header('Host', 'example.org')
    else:
        S9ws.BlockingClient.new(sys.argv[1], None).open(None)
except GLib.Error as error:
    print(error.message)
'''

GJS = '''
import S9ws from 'gi://S9ws?version=1';
try {
  if (ARGV[0] === 'options')
    new S9ws.Options().set_header('Host', 'example.org');
  else
    S9ws.BlockingClient.new(ARGV[0], null).open(null);
} catch (error) {
  print(error.message);
}
'''

LOCALES = {'de': 'de_DE', 'fr': 'fr_FR'}

# What fails: how the message says it.
ERRORS = {
    'options': {
        'de': 'Die Kopfzeile Host kann nicht gesetzt werden: Sie wird vom Handshake bestimmt',
        'fr': 'L’en-tête Host ne peut pas être défini\u00a0: c’est la négociation qui en décide',
        None: 'The header Host cannot be set: the handshake decides on it',
    },
    'gopher://example.org/': {
        'de': '„gopher://example.org/“ ist nicht die URI eines WebSocket-Servers: '
              'ihr Schema ist „gopher“; erwartet wird ws, wss, ws+unix oder wss+unix',
        'fr': '«\u00a0gopher://example.org/\u00a0» n’est pas l’URI d’un serveur WebSocket\u00a0: '
              'son schéma est «\u00a0gopher\u00a0»\u00a0; ws, wss, ws+unix ou wss+unix est attendu',
        None: '“gopher://example.org/” is not the URI of a WebSocket server: '
              'its scheme is “gopher”; expected ws, wss, ws+unix or wss+unix',
    },
}

HELP = {
    'de': ['Sendet die Zeilen der Standardeingabe', 'Am Ende eine Statistik ausgeben', '--ping=SEKUNDEN'],
    'fr': ['Envoie les lignes de l’entrée standard', 'Afficher des statistiques à la fin', '--ping=SECONDES'],
    None: ['Sends lines of the standard input', 'Print statistics at the end', '--ping=SECONDS'],
}

NO_URI = {
    'de': 's9ws-cat: Es ist keine URI angegeben\n„s9ws-cat --help“ beschreibt alle Optionen.\n',
    'fr': 's9ws-cat: Aucune URI n’est indiquée\n«\u00a0s9ws-cat --help\u00a0» décrit toutes les options.\n',
    None: 's9ws-cat: There is no URI\n“s9ws-cat --help” tells of all options.\n',
}

DESKTOP = ['Name[de]=WebSocket-Konsole', 'Name[fr]=Console WebSocket',
           'Keywords[de]=websocket;ws;wss;netzwerk;debug;fehlersuche;',
           'Keywords[fr]=websocket;ws;wss;réseau;débogage;']


def run(*command, status=0, **more):
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT, check=False, **more)
    assert done.returncode == status, f'{command[0]} ended with {done.returncode}:\n{done.stdout}'
    return done.stdout


def expect(found, wanted):
    assert found == wanted, f'“{found}” instead of “{wanted}”'


class Languages:
    def __init__(self, source, build, work):
        self.source, self.build, self.work = source, build, work
        self.prefix = work / 'prefix'
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(('LC_', 'LANG', 'MESON', 'NINJA', 'DESTDIR', 'G_DEBUG'))}
        self.environment.update(
            GI_TYPELIB_PATH=str(build / 'introspection'),
            LD_LIBRARY_PATH=str(self.prefix / 'lib'),
            LOCPATH=str(work / 'locales'),
            PKG_CONFIG_PATH=str(self.prefix / 'lib/pkgconfig'),
            PYTHONPATH=str(source / 'introspection/python'),
            PYTHONDONTWRITEBYTECODE='1')
        self.script = work / 'program.js'

    def test_install(self):
        """Makes what the other tests need."""
        (self.work / 'locales').mkdir()
        for name in LOCALES.values():
            run('localedef', '-i', name, '-f', 'UTF-8', self.work / 'locales' / (name + '.UTF-8'))
        run('meson', 'setup', self.work / 'build', self.source, '--prefix', self.prefix, '--libdir=lib',
            '--buildtype=plain', '-Dtests=false', '-Dgtk=disabled', '-Dintrospection=disabled',
            '-Dvapi=disabled', '-Ddocs=disabled', env=self.environment)
        run('meson', 'install', '-C', self.work / 'build', env=self.environment)
        for language in LOCALES:
            path = self.prefix / 'share/locale' / language / 'LC_MESSAGES/s9ws-1.mo'
            assert path.exists(), path
        (self.work / 'program.c').write_text(PROGRAM, encoding='utf-8')
        run('cc', self.work / 'program.c', '-o', self.work / 'program',
            *run('pkg-config', '--cflags', '--libs', 's9ws-1', env=self.environment).split())
        self.script.write_text(GJS, encoding='utf-8')

    def read(self, language, *command, **more):
        """What a command says to who reads that language; None for a locale without one."""
        name = LOCALES[language] + '.UTF-8' if language else 'C.UTF-8'
        return run(*command, env={**self.environment, 'LC_ALL': name}, **more)

    def check_errors(self, *command):
        for what, texts in ERRORS.items():
            for language, text in texts.items():
                expect(self.read(language, *command, what), text + '\n')

    def test_c(self):
        self.check_errors(self.work / 'program')

    def test_python(self):
        self.check_errors('/usr/bin/python3', '-c', SCRIPT)

    def test_gjs(self):
        self.check_errors('gjs', '-m', self.script)

    def test_preferred_languages(self):
        """LANGUAGE comes before the locale, and what has no translation is in English."""
        for preferred, language in (('fr:de', 'fr'), ('tlh', None), ('tlh:de', 'de')):
            environment = {**self.environment, 'LC_ALL': 'de_DE.UTF-8', 'LANGUAGE': preferred}
            expect(run(self.work / 'program', 'options', env=environment), ERRORS['options'][language] + '\n')

    def test_cat(self):
        program = self.prefix / 'bin/s9ws-cat'
        for language, texts in HELP.items():
            output = self.read(language, program, '--help')
            for text in texts:
                assert text in output, f'no “{text}” in {output}'
        for language, text in NO_URI.items():
            expect(self.read(language, program, status=2), text)

    def test_desktop_file(self):
        output = run('msgfmt', '--desktop', '-d', self.source / 'po', '-o', '-',
                     '--template', self.source / 'examples/console/s9ws.Console.desktop.in')
        for line in DESKTOP:
            assert line in output.splitlines(), f'no {line} in {output}'


def main(source, build):
    failed = 0
    with tempfile.TemporaryDirectory(prefix='s9ws-languages-') as work:
        languages = Languages(pathlib.Path(source), pathlib.Path(build), pathlib.Path(work))
        tests = [languages.test_install, languages.test_c, languages.test_python, languages.test_gjs,
                 languages.test_preferred_languages, languages.test_cat, languages.test_desktop_file]
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
