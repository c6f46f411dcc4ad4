#!/usr/bin/python3
"""section.py: puts a section of README.md into a chapter.

Usage: section.py CHAPTER README TITLE

Prints CHAPTER with the section for its line @SECTION@, without pictures, whose files the
reference does not have.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import pathlib
import re
import sys


def main(chapter, readme, title):
    text = pathlib.Path(readme).read_text(encoding='utf-8')
    section = re.search(rf'^## ({re.escape(title)}\n.*?)(?=^## |\Z)', text, re.M | re.S)
    if section is None:
        sys.exit(f'{readme} has no section "{title}"')
    section = re.sub(r'^!\[.*\n+', '', section[1], flags=re.M)
    print(pathlib.Path(chapter).read_text(encoding='utf-8').replace('@SECTION@', '# ' + section))


main(*sys.argv[1:])
