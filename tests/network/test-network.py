#!/usr/bin/python3
"""test-network.py: ways to a server, from Python.

run-network.py starts the proxies, run-binding.py the servers.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'bindings'))
from recorder import PLAIN_URI, TLS_URI, Recorder, TestCase, main, make_options  # noqa: E402
from gi.repository import Gio, S9ws  # noqa: E402

KINDS = S9ws.BlockingClient, S9ws.NonBlockingClient, S9ws.AsyncClient
URIS = PLAIN_URI, TLS_URI


def get_proxy(scheme, name, password=None):
    password = password or os.environ['S9WS_TEST_PASSWORD']
    credentials = f'{os.environ["S9WS_TEST_USER"]}:{password}@' if name.endswith('BASIC') else ''
    return f'{scheme}://{credentials}{os.environ["S9WS_TEST_" + name]}'


class ProxyTest(TestCase):
    def talk(self, kind, uri, **options):
        client = kind.new(uri, make_options(**options))
        recorder = Recorder(client,
                            activated=lambda client: client.send_text('Grüße'),
                            text_message=lambda client, text: client.close(4000, 'enough'))
        client.run(None)
        self.assertIsNone(recorder.failure)
        self.assertEqual(recorder.names, ['activated', 'text-message', 'connection-closed', 'quit'])

    def test_simple_resolver(self):
        for proxy in (get_proxy('http', 'TINYPROXY_BASIC'), get_proxy('socks5', 'MICROSOCKS_BASIC')):
            for kind in KINDS:
                for uri in URIS:
                    with self.subTest(proxy=proxy, kind=kind, uri=uri):
                        resolver = Gio.SimpleProxyResolver.new(proxy, None)
                        self.talk(kind, uri, proxy_resolver=resolver)

    def test_wrong_password(self):
        resolver = Gio.SimpleProxyResolver.new(get_proxy('http', 'SQUID_BASIC', 'guessed'), None)
        for kind in KINDS:
            client = kind.new(PLAIN_URI, make_options(proxy_resolver=resolver))
            error = self.assert_fails(S9ws.Error.CONNECT, client.open, None)
            self.assertIn(os.environ['S9WS_TEST_SQUID_BASIC'], error.message)
            self.assertNotIn('guessed', error.message)


if __name__ == '__main__':
    main()
