#!/usr/bin/python3
"""check-readme.py: every program in README.md, run as it stands there.

Usage: check-readme.py README BUILD-ROOT URI TLS-URI

The programs say something to the server, print its answer and close.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TIMEOUT = 120  # seconds: a busy machine is slow
PROGRAM = re.compile(r'^```(\w+)\n(.*?)^```$', re.M | re.S)


def build_c(path, source, build):
    """By the command that README has, with the .pc file and the headers of the build tree."""
    environment = dict(os.environ, PKG_CONFIG_PATH=os.path.join(build, 'meson-uninstalled'))
    flags = subprocess.run(['pkg-config', '--cflags', '--libs', 's9ws-1'], env=environment,
                           stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    program = str(path.with_suffix(''))
    subprocess.run(['cc', '-Wall', '-Werror', f'-I{source}', f'-I{build}', str(path), *flags, '-o', program], check=True)
    return [program]


def get_command(language, path, source, build):
    if language == 'c':
        return build_c(path, source, build)
    if language == 'python':
        return ['/usr/bin/python3', str(path)]
    if language == 'js':
        return ['gjs', '-m', str(path)]
    sys.exit(f'No way to run a program in {language}')


def main(readme, build, uri, _):
    programs = PROGRAM.findall(pathlib.Path(readme).read_text(encoding='utf-8'))
    failed = 0
    print(f'1..{len(programs)}')
    with tempfile.TemporaryDirectory() as folder:
        for i, (language, text) in enumerate(programs, 1):
            path = pathlib.Path(folder, f'program{i}.{language}')
            path.write_text(text, encoding='utf-8')
            command = get_command(language, path, os.path.dirname(readme), build)
            done = subprocess.run([*command, uri], timeout=TIMEOUT,
                                  stdout=subprocess.PIPE, text=True, check=False)
            good = done.returncode == 0 and done.stdout == 'Hello\n'
            failed += not good
            print('ok' if good else 'not ok', i, f'program {i}, {language}', flush=True)
            if not good:
                print(f'# exit code {done.returncode}, printed {done.stdout!r}')
    return failed != 0 or not programs


sys.exit(main(*sys.argv[1:]))
