#!/usr/bin/python3
"""bench-s9ws.py: our clients from Python; VARIANT is as for bench-s9ws.c

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import gi

gi.require_version('S9ws', '1')
from gi.repository import GObject, S9ws

import peer

task = peer.parse()
send = None
n_received = 0


def on_message(client, message):
    """Does as little as it can: what calls it is measured."""
    global n_received
    n_received += 1
    if n_received == n_expected:
        task.end()
        client.force_quit()


def on_echo(client, message=None):
    global n_received
    task.lap()
    n_received += 1
    if n_received == n_expected:
        task.end()
        client.force_quit()
    else:
        send(task.payload)


n_expected = 1 if task.work == 'outbound' else task.count
callback = on_echo if task.work == 'round-trip' else on_message


class CountingHandler(GObject.Object, S9ws.Handler):
    def do_text_message(self, client, text, length):
        global n_received
        n_received += 1
        if n_received == n_expected:
            task.end()
            client.force_quit()

    def do_binary_message(self, client, data, length):
        global n_received
        n_received += 1
        if n_received == n_expected:
            task.end()
            client.force_quit()


class EchoingHandler(GObject.Object, S9ws.Handler):
    def do_text_message(self, client, text, length):
        on_echo(client)

    def do_binary_message(self, client, data, length):
        on_echo(client)


def main():
    global send
    options = S9ws.Options(max_buffered_amount=0)
    if task.ca_file:
        options.props.tls_context = S9ws.TlsContext(ca_file=task.ca_file)
    create = S9ws.NonBlockingClient if task.variant.startswith('non-blocking') else S9ws.BlockingClient
    client = create(uri=task.uri, options=options)
    send = (lambda text: client.send_text(text)) if task.is_text else (lambda data: client.send_binary(data))
    expects_text = task.is_text or task.work == 'outbound'
    if ':handler' in task.variant:
        # Kept: a wrapper that nobody refers to is made anew for each call.
        handler = EchoingHandler() if task.work == 'round-trip' else CountingHandler()
        client.set_handler(handler)
    else:
        client.connect('text-message' if expects_text else 'binary-message', callback)
    client.open(None)
    task.begin()
    for _ in range(task.count if task.work == 'outbound' else 1):
        send(task.payload)
    client.run(None)

main()
