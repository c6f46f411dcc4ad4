#!/usr/bin/python3
"""echo-non-blocking.py: round trips with a client that spins, by a handler

Usage: echo-non-blocking.py URI [CA-FILE]

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import sys
import time

import gi

gi.require_version('S9ws', '1')
from gi.repository import GLib, GObject, S9ws  # noqa: E402

N_MESSAGES = 10


class Echo(GObject.Object, S9ws.Handler):
    """Called instead of the signals; what it leaves out is not called."""

    n_messages = 0
    n_idles = 0

    def send(self, client):
        self.sent = time.perf_counter_ns()
        client.send_text(f'Message {self.n_messages + 1} of {N_MESSAGES}')

    def do_activated(self, client):
        print('activated')
        self.send(client)

    def do_idle(self, client):
        self.n_idles += 1  # here a program does what else it has to do

    def do_text_message(self, client, text, length):
        print(f'text-message: {text}, after {(time.perf_counter_ns() - self.sent) // 1000} µs')
        self.n_messages += 1
        if self.n_messages < N_MESSAGES:
            self.send(client)
        else:
            client.close(1000, None)

    def do_connection_closed(self, client, code, reason):
        print('connection-closed:', code)

    def do_quit(self, client):
        print(f'quit, after {self.n_idles} turns with nothing to read')


def main(uri, ca_file=None):
    options = S9ws.Options(tls_context=S9ws.TlsContext(ca_file=ca_file),
                           wait_strategy=S9ws.WaitStrategy.SPIN)
    client = S9ws.NonBlockingClient.new(uri, options)
    client.set_handler(Echo())
    try:
        client.run(None)
    except GLib.Error as error:
        sys.exit(error.message)


if not 2 <= len(sys.argv) <= 3:
    sys.exit(f'Usage: {sys.argv[0]} URI [CA-FILE]')
main(*sys.argv[1:])
