#!/usr/bin/python3
"""check-readme.py: every program in a Markdown file, run as it stands there.

Usage: check-readme.py SOURCE-ROOT BUILD-ROOT LANGUAGES MARKDOWN-FILE URI TLS-URI

The programs say something to the server, print its answer and close. Those that have
windows get a display of their own. What is no program is indented, not fenced. LANGUAGES,
with commas between them, are those that the build knows; programs in others are left out.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TIMEOUT = 120  # seconds: a busy machine is slow
STOP_TIMEOUT = 20
PROGRAM = re.compile(r'^```(\w+)\n(.*?)^```$', re.M | re.S)


def get_flags(text, build):
    """By the .pc file of the build tree."""
    packages = ['s9ws-1'] + ['gtk4'] * ('gtk/gtk.h' in text)
    environment = dict(os.environ, PKG_CONFIG_PATH=os.path.join(build, 'meson-uninstalled'))
    return subprocess.run(['pkg-config', '--cflags', '--libs', *packages], env=environment,
                          stdout=subprocess.PIPE, text=True, check=True).stdout.split()


def build_c(path, text, source, build):
    program = str(path.with_suffix(''))
    subprocess.run(['cc', '-Wall', '-Werror', f'-I{source}', f'-I{build}', str(path),
                    *get_flags(text, build), '-o', program], check=True)
    return [program]


def build_vala(path, text, source, build):
    program = str(path.with_suffix(''))
    flags = [f'-I{source}', f'-I{build}', *get_flags(text, build), '-w']
    # What the vapi depends on is found beside it only where it is installed.
    subprocess.run(['valac', '--vapidir', os.path.join(build, 'introspection'),
                    '--pkg', 'gio-2.0', '--pkg', 's9ws-1',
                    *[word for flag in flags for word in ('-X', flag)], '-o', program, str(path)],
                   cwd=path.parent, check=True)
    return [program]


def get_command(language, path, text, source, build):
    if language == 'c':
        return build_c(path, text, source, build)
    if language == 'vala':
        return build_vala(path, text, source, build)
    if language == 'python':
        return ['/usr/bin/python3', str(path)]
    if language == 'js':
        return ['gjs', '-m', str(path)]
    sys.exit(f'No way to run a program in {language}')


@contextlib.contextmanager
def open_display():
    reader, writer = os.pipe()
    # It ends where this one is killed.
    with subprocess.Popen(['setpriv', '--pdeathsig', 'TERM', 'Xvfb', '-displayfd', str(writer), '-nolisten', 'tcp', '-noreset'],
                          pass_fds=[writer], stderr=subprocess.DEVNULL) as server:
        try:
            os.close(writer)
            with os.fdopen(reader) as lines:
                display = ':' + lines.readline().strip()
            # Nothing of the machine's desktop, where there is one.
            yield dict(os.environ, DISPLAY=display, GDK_BACKEND='x11', GSK_RENDERER='cairo',
                       GTK_A11Y='none', GSETTINGS_BACKEND='memory')
        finally:
            server.terminate()
            server.wait(STOP_TIMEOUT)


def run(command, text):
    with contextlib.ExitStack() as stack:
        has_window = re.search(r'\bgtk', text, re.I)
        environment = stack.enter_context(open_display()) if has_window else os.environ
        return subprocess.run(command, timeout=TIMEOUT, env=environment, stdout=subprocess.PIPE,
                              text=True, check=False)


def find_broken_links(markdown, folder):
    """To files, or from chapter to chapter."""
    links = re.findall(r'\]\(([^):#]+)\)', markdown)
    return [link for link in links if not any(
        folder.joinpath(re.sub(r'\.html$', suffix, link)).exists() for suffix in ('.md', '.md.in'))]


def main(source, build, languages, path, *uris):
    markdown = pathlib.Path(path).read_text(encoding='utf-8')
    programs = PROGRAM.findall(markdown)
    is_all = len(re.findall('^ *```', markdown, re.M)) == 2 * len(programs)
    programs = [program for program in programs if program[0] in languages.split(',')]
    print(f'1..{len(programs) + 2}')
    print('ok' if is_all else 'not ok', 1, 'all that is fenced are programs')
    broken = find_broken_links(markdown, pathlib.Path(path).parent)
    print('not ok' if broken else 'ok', 2, 'links lead somewhere', *broken)
    failed = len(broken) + (not is_all)
    with tempfile.TemporaryDirectory() as folder:
        for i, (language, text) in enumerate(programs, 3):
            path = pathlib.Path(folder, f'program{i}.{language}')
            path.write_text(text, encoding='utf-8')
            done = run([*get_command(language, path, text, source, build), *uris], text)
            good = done.returncode == 0 and done.stdout == 'Hello\n'
            failed += not good
            print('ok' if good else 'not ok', i, f'program {i - 2}, {language}', flush=True)
            if not good:
                print(f'# exit code {done.returncode}, printed {done.stdout!r}')
    return failed != 0


sys.exit(main(*sys.argv[1:]))
