#!/usr/bin/python3
"""test-network.py: ways to a server, from Python.

run-network.py starts the proxies, run-binding.py the servers.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import contextlib
import http.server
import os
import socketserver
import sys
import tempfile
import threading

import daemons

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'bindings'))
from recorder import PLAIN_URI, TLS_URI, Recorder, TestCase, main, make_options  # noqa: E402
from gi.repository import Gio, GLib, GObject, S9ws  # noqa: E402

KINDS = S9ws.BlockingClient, S9ws.NonBlockingClient, S9ws.AsyncClient
URIS = PLAIN_URI, TLS_URI


def get_proxy(scheme, name, password=None):
    password = password or os.environ['S9WS_TEST_PASSWORD']
    credentials = f'{os.environ["S9WS_TEST_USER"]}:{password}@' if name.endswith('BASIC') else ''
    return f'{scheme}://{credentials}{os.environ["S9WS_TEST_" + name]}'


class Resolver(GObject.Object):
    """What a program's own resolvers have in common: they note what they are asked for."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer
        self.asked = []

    def look_up(self, uri):
        self.asked.append(uri)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class PlainResolver(Resolver, Gio.ProxyResolver):
    """All that a program needs to write."""

    def do_lookup(self, uri, cancellable):
        return self.look_up(uri)


class AsyncResolver(Resolver, Gio.ProxyResolver):
    def do_lookup_async(self, uri, cancellable, callback, user_data):
        self.asked.append(uri)
        Gio.Task.new(self, cancellable, callback).return_boolean(True)

    def do_lookup_finish(self, result):
        return self.look_up(self.asked.pop())


class MuteResolver(Resolver, Gio.ProxyResolver):
    def do_lookup_async(self, uri, cancellable, callback, user_data):
        self.look_up(uri)

    def do_lookup_finish(self, result):
        return []


class RedirectHandler(http.server.BaseHTTPRequestHandler):
    """Sends whoever asks to the server's target."""

    def do_GET(self):
        self.server.cookies.append(self.headers.get('Cookie'))
        self.send_response(307)
        self.send_header('Location', self.server.target)
        self.send_header('Content-Length', '0')
        self.end_headers()

    def log_message(self, *arguments):
        pass


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self):
        return super().get_request()[0], ('unix', 0)


@contextlib.contextmanager
def serve_redirects(server_class, address, target):
    with server_class(address, RedirectHandler) as server:
        server.target, server.cookies = target, []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class NetworkTest(TestCase):
    def talk(self, kind, uri, **options):
        client = kind.new(uri, make_options(**options))
        recorder = Recorder(client,
                            activated=lambda client: client.send_text('Grüße'),
                            text_message=lambda client, text: client.close(4000, 'enough'))
        client.run(None)
        self.assertIsNone(recorder.failure)
        self.assertEqual(recorder.names, ['activated', 'text-message', 'connection-closed', 'quit'])
        return client

    def test_simple_resolver(self):
        for proxy in (get_proxy('http', 'TINYPROXY_BASIC'), get_proxy('socks5', 'MICROSOCKS_BASIC')):
            for kind in KINDS:
                for uri in URIS:
                    with self.subTest(proxy=proxy, kind=kind, uri=uri):
                        resolver = Gio.SimpleProxyResolver.new(proxy, None)
                        # Of localhost microsocks tries one address only, which may be ::1.
                        by_address = uri.replace('localhost', '127.0.0.1')
                        self.talk(kind, by_address, proxy_resolver=resolver)

    def test_own_resolver(self):
        direct = ['direct://']
        proxies = [get_proxy('http', 'TINYPROXY')]
        for make in (PlainResolver, AsyncResolver):
            for answer in (direct, proxies, proxies + direct):
                for kind in KINDS:
                    for uri in URIS:
                        with self.subTest(make=make, answer=answer, kind=kind, uri=uri):
                            resolver = make(answer)
                            self.talk(kind, uri, proxy_resolver=resolver)
                            expected = uri.replace('ws', 'http', 1).rstrip('/')
                            self.assertEqual(resolver.asked, [expected])

    def test_own_resolver_fails(self):
        failure = GLib.Error('no idea', 'g-io-error-quark', Gio.IOErrorEnum.NOT_FOUND)
        for make in (PlainResolver, AsyncResolver):
            for answer, message in ((failure, 'no idea'), ([], 'direct://'),
                                    (ValueError('printed, and lost'), 'direct://')):
                for kind in KINDS:
                    with self.subTest(make=make, answer=answer, kind=kind):
                        options = make_options(proxy_resolver=make(answer))
                        client = kind.new(PLAIN_URI, options)
                        error = self.assert_fails(S9ws.Error.CONNECT, client.open, None)
                        self.assertIn(make.__name__, error.message)
                        self.assertIn(message, error.message)
                        self.assertEqual(client.props.end_report.get_error_number(), 0)

    def test_own_resolver_is_mute(self):
        """It leaves its caller waiting: neither a timeout nor who cancels waits along."""
        for kind in KINDS:
            with self.subTest(kind=kind):
                options = make_options(proxy_resolver=MuteResolver(None), connect_timeout=50)
                self.assert_fails(S9ws.Error.TIMED_OUT, kind.new(PLAIN_URI, options).open, None)

                resolver = MuteResolver(None)
                cancellable = Gio.Cancellable()
                resolver.look_up = lambda uri: GLib.idle_add(cancellable.cancel)
                client = kind.new(PLAIN_URI, make_options(proxy_resolver=resolver))
                results = []
                client.open_async(cancellable, lambda client, result: results.append(result))
                while not results:
                    GLib.MainContext.default().iteration(True)
                with self.assertRaises(GLib.Error) as context:
                    client.open_finish(results[0])
                self.assertTrue(context.exception.matches(Gio.io_error_quark(),
                                                          Gio.IOErrorEnum.CANCELLED))

    def test_wrong_password(self):
        resolver = Gio.SimpleProxyResolver.new(get_proxy('http', 'SQUID_BASIC', 'guessed'), None)
        for kind in KINDS:
            client = kind.new(PLAIN_URI, make_options(proxy_resolver=resolver))
            error = self.assert_fails(S9ws.Error.CONNECT, client.open, None)
            self.assertIn(os.environ['S9WS_TEST_SQUID_BASIC'], error.message)
            self.assertNotIn('guessed', error.message)

    def test_redirect(self):
        with serve_redirects(http.server.ThreadingHTTPServer, ('127.0.0.1', 0), TLS_URI) as server:
            uri = f'ws://127.0.0.1:{server.server_port}/'
            for kind in KINDS:
                with self.subTest(kind=kind):
                    client = self.talk(kind, uri, max_redirects=1)
                    self.assertEqual(client.props.uri, uri)
                    self.assertEqual(client.get_response_status(), 101)

                    client = kind.new(uri, make_options())
                    error = self.assert_fails(S9ws.Error.HANDSHAKE, client.open, None)
                    self.assertIn(TLS_URI, error.message)
                    self.assertEqual(client.get_response_status(), 307)
                    self.assertEqual(client.get_response_header('location'), TLS_URI)

    def test_redirect_by_nginx(self):
        certificates = os.path.dirname(os.environ['S9WS_TEST_CA'])
        for status in (301, 302, 303, 307, 308):
            nginx = daemons.Daemon(daemons.nginx, certificates=certificates, tls='',
                                   status=status, location=PLAIN_URI)
            try:
                for kind in KINDS:
                    with self.subTest(status=status, kind=kind):
                        uri = f'ws://127.0.0.1:{nginx.port}/redirected'
                        self.talk(kind, uri, max_redirects=1)
                        client = kind.new(uri, make_options())
                        error = self.assert_fails(S9ws.Error.HANDSHAKE, client.open, None)
                        self.assertIn(PLAIN_URI, error.message)
                        self.assertIn(str(status), error.message)
            finally:
                nginx.stop()

    def test_unix_socket(self):
        """There is no WebSocket server on one here: what it says leads to one that is."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'socket')
            with serve_redirects(UnixServer, path, PLAIN_URI):
                for kind in KINDS:
                    with self.subTest(kind=kind):
                        self.talk(kind, f'ws+unix:{path}:/chat', max_redirects=1)

    def test_local_address(self):
        address = Gio.InetSocketAddress.new_from_string('127.0.0.3', 0)
        for kind in KINDS:
            with self.subTest(kind=kind):
                client = kind.new(PLAIN_URI, make_options(local_address=address))
                client.open(None)
                local = client.get_socket().get_local_address()
                self.assertEqual(local.get_address().to_string(), '127.0.0.3')
                client.force_quit()

    def test_host_header(self):
        for kind in KINDS:
            with self.subTest(kind=kind):
                client = kind.new(PLAIN_URI, make_options(host_header='chat.example:8080'))
                recorder = Recorder(client,
                                    activated=lambda client: client.send_text('!header Host'),
                                    text_message=lambda client, text: client.close(1000, None))
                client.run(None)
                self.assertEqual(recorder.values('text-message'), ['chat.example:8080'])

                client = kind.new(PLAIN_URI, make_options(host_header='chat.example\r\nX: y'))
                self.assert_fails(S9ws.Error.INVALID_CONFIGURATION, client.open, None)


if __name__ == '__main__':
    main()
