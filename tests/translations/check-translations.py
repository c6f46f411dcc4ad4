#!/usr/bin/python3
"""check-translations.py: every message is there for translators, and has been translated.

Usage: check-translations.py SOURCE-FOLDER

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(sys.argv[1])
PO = SOURCE / 'po'
FOLDERS = ['s9ws', 'introspection', 'examples']
# What says that a file has messages, by its name's end.
MARKS = {
    '.c': r'\b(N?C?_|g?_?d?n?gettext) ?\(\s*"',
    '.h': r'\b(N?C?_|g?_?d?n?gettext) ?\(\s*"',
    '.js': r'\b(_|n?gettext) ?\(\s*[\'"`]',
    '.py': r'\b(_|n?gettext)\(\s*[\'"]',
    '.vala': r'\b(N?C?_|n?gettext) ?\(\s*"',
    '.ui': r'\btranslatable="(yes|true)"',
    '.desktop.in': r'^Name=',
}
# As meson has them for GLib programs.
KEYWORDS = ['_', 'N_', 'C_:1c,2', 'NC_:1c,2', 'g_dcgettext:2', 'g_dngettext:2,3', 'g_dpgettext2:2c,3']
# A name of an option, which is the same in each language.
NAME = r'(?<![\w-])--[a-z-]+|\b(?:ca|key|certificate)-file\b|\b(?:connect|handshake|pong)-timeout\b|' \
       r'\bmax-[a-z-]+|\bping-interval\b|\bwait-strategy\b|\bspin-wait-duration\b|\bhost-header\b|' \
       r'\blocal-address\b|\bpermessage-deflate\b|\bSec-WebSocket-\w+|\b\w+\(\)|\bS9ws\w+'
PLACEHOLDER = r'%[\d.$]*(?:ll|z|l)?[a-z%]'
# How each language quotes: what a translation must not have.
FOREIGN = {'de': r'["”«»]|“(?=\w)|\.\.\.', 'fr': r'["“”„]|«(?!\u00a0)|(?<!\u00a0)»|(?<!\u00a0)[!?;]| :|\'|\.\.\.'}


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False, **more)
    assert done.returncode == 0, f'{command[0]} ended with {done.returncode}: {done.stdout}'
    return done.stdout


def read_lines(path):
    lines = path.read_text(encoding='utf-8').splitlines()
    return [line for line in lines if line and not line.startswith('#')]


def read_entries(path):
    """Message to translations, both lists of forms, but for the header and what is obsolete."""
    entries, forms = {}, {}
    word = None
    for line in run('msgcat', '--no-wrap', path).splitlines() + ['']:
        match = re.match(r'(msg\w+(?:\[\d+\])?) "(.*)"$', line)
        if match:
            word = match[1]
            forms[word] = match[2]
        elif line.startswith('"'):
            forms[word] += line[1:-1]
        elif not line and forms:
            messages = [forms[word] for word in sorted(forms) if word.startswith('msgid') or word == 'msgctxt']
            if any(messages):
                entries[tuple(messages)] = [forms[word] for word in sorted(forms) if word.startswith('msgstr')]
            forms = {}
    return entries


def find_sources():
    for folder in FOLDERS:
        for path in sorted((SOURCE / folder).rglob('*')):
            mark = next((MARKS[end] for end in MARKS if path.name.endswith(end)), None)
            if mark and path.is_file() and re.search(mark, path.read_text(encoding='utf-8'), re.M):
                yield str(path.relative_to(SOURCE))


def test_potfiles():
    listed = read_lines(PO / 'POTFILES.in')
    assert listed == sorted(listed), 'POTFILES.in is not sorted'
    wanted = sorted(find_sources())
    assert len(wanted) > 20, wanted
    assert listed == wanted, f'POTFILES.in and the sources differ in {sorted(set(listed) ^ set(wanted))}'


def test_linguas():
    languages = read_lines(PO / 'LINGUAS')
    assert languages == sorted(path.stem for path in PO.glob('*.po')), languages
    assert {'de', 'fr'} <= set(languages), languages


def extract():
    """All messages of the sources, from xgettext."""
    with tempfile.TemporaryDirectory(prefix='s9ws-po-') as work:
        pot = pathlib.Path(work) / 's9ws.pot'
        run('xgettext', '--files-from', PO / 'POTFILES.in', '--directory', SOURCE, '--output', pot,
            '--from-code=UTF-8', *['--keyword=' + word for word in KEYWORDS])
        entries = read_entries(pot)
    assert len(entries) > 200, len(entries)
    return set(entries)


def check_forms(language, messages, translations):
    message = messages[-1]
    for text in translations:
        assert re.findall(PLACEHOLDER, text) == re.findall(PLACEHOLDER, message), f'{text}: not the same placeholders'
        assert sorted(re.findall(NAME, text)) == sorted(re.findall(NAME, message)), f'{text}: not the same names'
        assert text.count('_') == message.count('_'), f'{text}: not the same mnemonic'
        assert text.endswith('\\n') == message.endswith('\\n'), f'{text}: not the same end of line'
        # Keywords of the desktop file, which are a list.
        if not message.endswith(';'):
            found = re.search(FOREIGN.get(language, '$^'), text)
            assert not found, f'{text}: “{found[0]}” is not how that language is written'


def check_language(language):
    path = PO / (language + '.po')
    statistics = run('msgfmt', '--check', '--statistics', '--output-file', os.devnull, path,
                     env={**os.environ, 'LC_ALL': 'C'})
    assert re.fullmatch(r'\d+ translated messages\.\s*', statistics), statistics
    entries = read_entries(path)
    differences = set(entries) ^ extract()
    assert not differences, f'{path.name} and the sources differ in {sorted(differences)}'
    assert '#~' not in path.read_text(encoding='utf-8'), f'{path.name} has obsolete messages'
    for messages, translations in entries.items():
        check_forms(language, messages, translations)


def main():
    tests = [('potfiles', test_potfiles), ('linguas', test_linguas)]
    tests += [(language, lambda language=language: check_language(language))
              for language in read_lines(PO / 'LINGUAS')]
    failed = 0
    print(f'1..{len(tests)}')
    for i, (name, test) in enumerate(tests, start=1):
        try:
            test()
            print(f'ok {i} - {name}', flush=True)
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            failed += 1
            print(f'not ok {i} - {name}')
            print('# ' + str(error).replace('\n', '\n# '), flush=True)
    return 1 if failed else 0


sys.exit(main())
