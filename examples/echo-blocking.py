#!/usr/bin/python3
"""echo-blocking.py: says something to an echo server and waits for the answer

Usage: echo-blocking.py URI [CA-FILE]

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import sys

import gi

gi.require_version('S9ws', '1')
from gi.repository import GLib, S9ws  # noqa: E402


def on_activated(client):
    print('activated')
    client.send_text('Hello, blocking world')


def on_text_message(client, text):
    print('text-message:', text)
    client.close(1000, 'done')


def on_connection_closed(client, code, reason):
    print('connection-closed:', code, reason or '')


def main(uri, ca_file=None):
    options = S9ws.Options(tls_context=S9ws.TlsContext(ca_file=ca_file))
    client = S9ws.BlockingClient.new(uri, options)
    client.connect('activated', on_activated)
    client.connect('text-message', on_text_message)
    client.connect('connection-closed', on_connection_closed)
    client.connect('quit', lambda client: print('quit'))
    try:
        client.run(None)
    except GLib.Error as error:
        sys.exit(error.message)


if not 2 <= len(sys.argv) <= 3:
    sys.exit(f'Usage: {sys.argv[0]} URI [CA-FILE]')
main(*sys.argv[1:])
