#!/usr/bin/python3
"""check-examples.py: every small program of examples/, against a server.

Usage: check-examples.py SOURCE-ROOT BUILD-ROOT LANGUAGES URI TLS-URI

Each talks to both URIs, says what came back, and fails where nobody listens. LANGUAGES,
with commas between them, are those that the build knows.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import pathlib
import subprocess
import sys

TIMEOUT = 60  # seconds: a busy machine is slow
NOBODY = 'ws://127.0.0.1:1/'


def find_examples(source, build, languages):
    """By language; the programs of one are called alike in all of them."""
    for path in sorted(pathlib.Path(source, 'examples').glob('echo-*.*')):
        if path.suffix[1:] not in languages:
            continue
        if path.suffix == '.c':
            yield path.name, [str(pathlib.Path(build, 'examples', path.stem))]
        elif path.suffix == '.vala':
            yield path.name, [str(pathlib.Path(build, 'examples', path.stem + '-vala'))]
        elif path.suffix == '.py':
            yield path.name, ['/usr/bin/python3', str(path)]
        elif path.suffix == '.js':
            yield path.name, ['gjs', '-m', str(path)]
        else:
            sys.exit(f'No way to run {path}')


def run(command, *arguments):
    return subprocess.run([*command, *arguments], timeout=TIMEOUT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)


def check_talk(command, *arguments):
    done = run(command, *arguments)
    lines = done.stdout.splitlines()
    good = (done.returncode == 0 and not done.stderr
            and any(line.startswith(('text-message: Hello', 'text-message: Message')) for line in lines)
            and any(line.startswith('connection-closed: 1000') for line in lines))
    return good, done


def check_failure(command, *arguments):
    done = run(command, *arguments)
    return done.returncode == 1 and done.stderr != '', done


def main(source, build, languages, *uris):
    languages = languages.split(',')
    examples = list(find_examples(source, build, languages))
    suffixes = {pathlib.Path(name).suffix[1:] for name, _ in examples}
    results = [('there are examples in each language', suffixes == set(languages), None)]
    for name, command in examples:
        for uri in uris:
            good, done = check_talk(command, uri, os.environ['S9WS_TEST_CA'])
            results.append((f'{name}, {uri.partition(":")[0]}', good, done))
        for what, arguments in {'nobody there': [NOBODY], 'no arguments': []}.items():
            good, done = check_failure(command, *arguments)
            results.append((f'{name}, {what}', good, done))

    print(f'1..{len(results)}')
    for i, (name, good, done) in enumerate(results, 1):
        print('ok' if good else 'not ok', i, '-', name)
        if not good and done is not None:
            print(f'# exit code {done.returncode}, printed {done.stdout!r} and {done.stderr!r}')
    return 0 if all(good for _, good, _ in results) else 1


sys.exit(main(*sys.argv[1:]))
