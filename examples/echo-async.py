#!/usr/bin/python3
"""echo-async.py: a client with a thread of its own, in a main loop

Usage: echo-async.py URI [CA-FILE]

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import sys

import gi

gi.require_version('S9ws', '1')
from gi.repository import GLib, S9ws  # noqa: E402

N_MESSAGES = 3


class Talk:
    def __init__(self, uri, ca_file=None):
        options = S9ws.Options(tls_context=S9ws.TlsContext(ca_file=ca_file))
        self.loop = GLib.MainLoop()
        self.n_messages = 0
        self.failure = None

        self.client = S9ws.AsyncClient.new(uri, options)
        self.client.connect('text-message', self.on_text_message)
        self.client.connect('connection-closed', self.on_connection_closed)
        self.client.connect('error', self.on_error)
        self.client.connect('quit', self.on_quit)

    def run(self):
        self.client.open_async(None, self.on_open)
        self.loop.run()

    def on_open(self, client, result):
        try:
            client.open_finish(result)
        except GLib.Error:
            return  # on_error has been told
        print('open')
        for i in range(1, N_MESSAGES + 1):
            client.send_text(f'Message {i} of {N_MESSAGES}')

    def on_text_message(self, client, text):
        print('text-message:', text)
        self.n_messages += 1
        if self.n_messages == N_MESSAGES:
            client.close(1000, None)

    def on_connection_closed(self, client, code, reason):
        print('connection-closed:', code)

    def on_error(self, client, error):
        self.failure = error

    def on_quit(self, client):
        print('quit')
        self.loop.quit()


if not 2 <= len(sys.argv) <= 3:
    sys.exit(f'Usage: {sys.argv[0]} URI [CA-FILE]')
talk = Talk(*sys.argv[1:])
talk.run()
if talk.failure:
    sys.exit(talk.failure.message)
