#!/usr/bin/python3
"""test-vanishing.py: a network that is gone, and tells nobody.

run-apart.py gives it a network of its own, run-binding.py the servers in there.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import sys

import loopback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'bindings'))
from recorder import PLAIN_URI, TLS_URI, Recorder, TestCase, main, make_options  # noqa: E402
from gi.repository import GLib, S9ws  # noqa: E402

KINDS = S9ws.BlockingClient, S9ws.NonBlockingClient, S9ws.AsyncClient
URIS = PLAIN_URI, TLS_URI
MORE_THAN_FITS = 32 << 20  # bytes; into the system's buffers


class VanishingTest(TestCase):
    def tearDown(self):
        loopback.set_up(True)

    def lose(self, kind, uri, ping_interval, on_lost):
        """Talks to the server, and loses it."""
        def on_text(client, _text):
            loopback.set_up(False)
            on_lost(client)

        options = make_options(ping_interval=ping_interval, pong_timeout=500, compression=False,
                               max_buffered_amount=2 * MORE_THAN_FITS)
        client = kind.new(uri, options)
        errors = []
        client.connect('error', lambda _client, error: errors.append(error))
        recorder = Recorder(client, activated=lambda client: client.send_text('Hello'),
                            text_message=on_text)
        with self.assertRaises(GLib.Error):
            client.run(None)
        loopback.set_up(True)
        self.assertEqual(recorder.names[-3:], ['error', 'connection-closed', 'quit'])
        self.assertTrue(errors[0].matches(S9ws.Error.quark(), S9ws.Error.TIMED_OUT), errors[0])
        self.assertIn('pong-timeout', errors[0].message)
        return client.props.end_report.to_string()

    def try_all(self, ping_interval, on_lost, expected):
        for kind in KINDS:
            for uri in URIS:
                with self.subTest(kind=kind, uri=uri):
                    self.assertIn(expected, self.lose(kind, uri, ping_interval, on_lost))

    def test_idle(self):
        self.try_all(100, lambda client: None, ' 0 bytes unsent')

    def test_stuck_sender(self):
        # No ping is due: only what the system knows can end it.
        self.try_all(30000, lambda client: client.send_binary(bytes(MORE_THAN_FITS)),
                     'not acknowledged')


if __name__ == '__main__':
    main()
