#!/usr/bin/python3
"""test-python-tls.py: TLS from Python, with nginx, openssl and a token.

Usage: test-python-tls.py WS-URI WSS-URI, as run-binding.py calls it

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import pathlib
import select
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from recorder import PLAIN_URI, TLS_URI, Gio, GLib, Recorder, S9ws, TestCase, main

KINDS = (S9ws.BlockingClient, S9ws.NonBlockingClient, S9ws.AsyncClient)
CERTIFICATES = pathlib.Path(os.environ['S9WS_TEST_CA']).parent
START_TIMEOUT = 60  # seconds: a busy machine is slow
PIN = '7263'

WORK = tempfile.TemporaryDirectory(prefix='s9ws-tls-')
FOLDER = pathlib.Path(WORK.name)

NGINX = '''
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {certificates}/good.pem;
    ssl_certificate_key {certificates}/good-key.pem;
    ssl_client_certificate {certificates}/ca.pem;
    ssl_verify_client optional;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache none;
    ssl_session_tickets on;
    location / {{
      proxy_pass http://127.0.0.1:{backend};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_set_header X-Client $ssl_client_s_dn;
      proxy_set_header X-Reused $ssl_session_reused;
      proxy_set_header X-Version $ssl_protocol;
      proxy_set_header X-Cipher $ssl_cipher;
      proxy_set_header X-Name $ssl_server_name;
    }}
  }}
}}
'''


def get_free_port():
    with socket.socket() as unused:
        unused.bind(('127.0.0.1', 0))
        return unused.getsockname()[1]


class Nginx:
    """In front of the server that speaks no TLS: its requests' headers tell what nginx saw."""

    def __enter__(self):
        # Somebody else may be quicker to take the port.
        for _ in range(5):
            if self.start():
                return self
        raise RuntimeError((FOLDER / 'error.log').read_text())

    def start(self):
        port = get_free_port()
        self.uri = f'wss://localhost:{port}/'
        (FOLDER / 'nginx.conf').write_text(NGINX.format(
            folder=FOLDER, port=port, certificates=CERTIFICATES,
            backend=GLib.Uri.parse(PLAIN_URI, 0).get_port()))
        self.process = subprocess.Popen(['/usr/sbin/nginx', '-p', FOLDER, '-c', FOLDER / 'nginx.conf',
                                         '-e', FOLDER / 'error.log'])
        end = time.monotonic() + START_TIMEOUT
        while self.process.poll() is None and time.monotonic() < end:
            try:
                with socket.create_connection(('127.0.0.1', port)):
                    return True
            except OSError:
                time.sleep(0.01)
        self.__exit__()
        return False

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def p11tool(*arguments):
    subprocess.run(['p11tool', '--batch', *arguments], check=True, stdout=subprocess.DEVNULL,
                   env=dict(os.environ, GNUTLS_PIN=PIN))


def make_token():
    """A token with the client's certificate and key, and the authority."""
    (FOLDER / 'tokens').mkdir()
    (FOLDER / 'softhsm2.conf').write_text(f'directories.tokendir = {FOLDER}/tokens\nlog.level = ERROR\n')
    os.environ['SOFTHSM2_CONF'] = str(FOLDER / 'softhsm2.conf')
    subprocess.run(['softhsm2-util', '--init-token', '--free', '--label', 's9ws', '--pin', PIN, '--so-pin', PIN],
                   check=True, stdout=subprocess.DEVNULL)
    token = ('--login', '--label', 'client', '--id', '01', 'pkcs11:token=s9ws')
    p11tool('--write', '--load-privkey', CERTIFICATES / 'client-key.pem', *token)
    p11tool('--write', '--load-certificate', CERTIFICATES / 'client.pem', *token)
    p11tool('--write', '--load-certificate', CERTIFICATES / 'ca.pem', '--login', '--label', 'authority',
            'pkcs11:token=s9ws')


def make_options(**values):
    context = S9ws.TlsContext(**{'ca_file': str(CERTIFICATES / 'ca.pem'), **values})
    return S9ws.Options(tls_context=context)


class Headers:
    """Asks for headers of the upgrade as they reached the server behind nginx."""

    def __init__(self, client, *names):
        self.client = client
        self.names = list(names)
        self.values = []
        client.connect('activated', lambda client: self.ask())
        client.connect('text-message', self.on_text)

    def ask(self):
        if len(self.values) < len(self.names):
            self.client.send_text('!header ' + self.names[len(self.values)])
        else:
            self.client.close(1000, None)

    def on_text(self, client, text):
        self.values.append(text)
        self.ask()


class TestNginx(TestCase):
    def check_client_certificate(self, **values):
        with Nginx() as nginx:
            for kind in KINDS:
                with self.subTest(kind=kind.__name__):
                    client = kind(uri=nginx.uri, options=make_options(**values))
                    headers = Headers(client, 'X-Client', 'X-Name')
                    self.assertTrue(client.run(None))
                    self.assertEqual(headers.values, ['CN=s9ws test client', 'localhost'])

    def test_files(self):
        self.check_client_certificate(certificate_file=str(CERTIFICATES / 'client.pem'),
                                      key_file=str(CERTIFICATES / 'client-key.pem'))

    def test_token(self):
        self.check_client_certificate(
            certificate_file=f'pkcs11:token=s9ws;object=client;type=cert?pin-value={PIN}',
            key_file=f'pkcs11:token=s9ws;object=client;type=private?pin-value={PIN}')

    def test_authority_on_token(self):
        uri = f'pkcs11:token=s9ws;object=authority;type=cert?pin-value={PIN}'
        for kind in KINDS:
            with self.subTest(kind=kind.__name__):
                client = kind(uri=TLS_URI, options=make_options(ca_file=uri))
                client.connect('activated', lambda client: client.close(1000, None))
                self.assertTrue(client.run(None))

    def test_no_pin_in_errors(self):
        for uri in ('pkcs11:token=s9ws;object=none?pin-value=9999', 'pkcs11:token=none?pin-value=9999'):
            client = S9ws.BlockingClient(uri=TLS_URI, options=make_options(certificate_file=uri))
            error = self.assert_fails(S9ws.Error.INVALID_CONFIGURATION, client.open, None)
            self.assertIn('pkcs11:token=', error.message)
            self.assertNotIn('9999', error.message)

    def test_no_certificate(self):
        with Nginx() as nginx:
            client = S9ws.BlockingClient(uri=nginx.uri, options=make_options())
            headers = Headers(client, 'X-Client')
            self.assertTrue(client.run(None))
            self.assertEqual(headers.values, [''])

    def test_resumption(self):
        for version, priority in (('TLSv1.2', 'NORMAL:-VERS-ALL:+VERS-TLS1.2'),
                                  ('TLSv1.3', 'NORMAL:-VERS-ALL:+VERS-TLS1.3')):
            with Nginx() as nginx:
                options = make_options(priority=priority)
                for i, kind in enumerate(KINDS):
                    with self.subTest(kind=kind.__name__, version=version):
                        client = kind(uri=nginx.uri, options=options)
                        headers = Headers(client, 'X-Reused', 'X-Version')
                        self.assertTrue(client.run(None))
                        self.assertEqual(headers.values, ['r' if i > 0 else '.', version])
                        self.assertEqual(client.get_stats().tls_resumed, i > 0)
                        self.assertEqual(client.get_tls_version(), version.replace('v', ''))

    def test_negotiated(self):
        with Nginx() as nginx:
            client = S9ws.AsyncClient(uri=nginx.uri, options=make_options())
            self.assertIsNone(client.get_tls_version())
            headers = Headers(client, 'X-Cipher')
            self.assertTrue(client.run(None))
            self.assertEqual(headers.values, ['TLS_AES_128_GCM_SHA256'])
            self.assertEqual(client.get_tls_cipher(), 'AES-128-GCM')
            self.assertEqual(ssl.PEM_cert_to_DER_cert(client.get_peer_certificate()),
                             ssl.PEM_cert_to_DER_cert((CERTIFICATES / 'good.pem').read_text()))

    def test_minimum_version(self):
        with Nginx() as nginx:
            options = make_options(priority='NORMAL:-VERS-ALL:+VERS-TLS1.1')
            for kind in KINDS:
                with self.subTest(kind=kind.__name__):
                    self.assert_fails(S9ws.Error.TLS, kind(uri=nginx.uri, options=options).open, None)


class TestKeyLog(TestCase):
    """What GnuTLS writes of a session is what openssl writes of it."""

    PROGRAM = '''
import sys
from gi.repository import S9ws
context = S9ws.TlsContext(ca_file=sys.argv[2])
client = S9ws.BlockingClient(uri=sys.argv[1], options=S9ws.Options(tls_context=context))
try:
    client.open(None)
except Exception as error:
    print(client.get_response_status())
'''

    def test_key_log(self):
        theirs, ours = FOLDER / 'openssl.keys', FOLDER / 'gnutls.keys'
        server = subprocess.Popen(['openssl', 's_server', '-accept', '127.0.0.1:0', '-www',
                                   '-cert', CERTIFICATES / 'good.pem', '-key', CERTIFICATES / 'good-key.pem',
                                   '-keylogfile', theirs], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            port = self.read_port(server)
            done = subprocess.run([sys.executable, '-c', self.PROGRAM, f'wss://localhost:{port}/',
                                   CERTIFICATES / 'ca.pem'], check=True, stdout=subprocess.PIPE,
                                  env=dict(os.environ, SSLKEYLOGFILE=str(ours)))
            self.assertEqual(done.stdout.split(), [b'200'])
        finally:
            server.kill()
            server.communicate()
        secrets = [{line for line in path.read_text().splitlines() if line.startswith('CLIENT_TRAFFIC_SECRET_0 ')}
                   for path in (theirs, ours)]
        self.assertEqual(len(secrets[0]), 1)
        self.assertEqual(*secrets)

    def read_port(self, server):
        text = b''
        while b'ACCEPT' not in text or not text.endswith(b'\n'):
            readable, _, _ = select.select([server.stdout], [], [], START_TIMEOUT)
            part = os.read(server.stdout.fileno(), 4096) if readable else b''
            self.assertTrue(part, text)
            text += part
        return int(text.decode().split('ACCEPT')[1].split()[0].rpartition(':')[2])


class TestAcceptCertificate(TestCase):
    """With the system's trust, which does not know the authority of the tests."""

    def setUp(self):
        self.asked = []

    def create(self, kind, answer):
        def on_accept_certificate(client, chain, reasons):
            self.asked.append((chain, reasons, threading.current_thread()))
            return answer

        client = kind(uri=TLS_URI, options=S9ws.Options())
        client.connect('accept-certificate', on_accept_certificate)
        client.connect('activated', lambda client: client.close(1000, None))
        return client

    def check_asked(self):
        self.assertEqual(len(self.asked), 1)
        chain, reasons, thread = self.asked[0]
        self.assertEqual(chain, (CERTIFICATES / 'good.pem').read_text())
        self.assertEqual(reasons, Gio.TlsCertificateFlags.UNKNOWN_CA)
        return thread

    def test_run(self):
        for kind in KINDS:
            with self.subTest(kind=kind.__name__):
                self.setUp()
                self.assertTrue(self.create(kind, True).run(None))
                self.assertIs(self.check_asked(), threading.main_thread())

    def test_refuse(self):
        for kind in KINDS:
            with self.subTest(kind=kind.__name__):
                self.setUp()
                client = self.create(kind, False)
                self.assert_fails(S9ws.Error.TLS, client.run, None)
                self.check_asked()
                self.assertIsNone(client.get_tls_version())

    def test_open_async(self):
        for kind in KINDS:
            with self.subTest(kind=kind.__name__):
                self.setUp()
                loop = GLib.MainLoop()
                client = self.create(kind, True)
                client.open_async(None, lambda client, result: (client.open_finish(result), loop.quit()))
                loop.run()
                self.assertIs(self.check_asked(), threading.main_thread())
                client.force_quit()

    def test_pop(self):
        client = self.create(S9ws.AsyncClient, True)
        client.start()
        self.assertEqual(client.pop_event().get_kind(), S9ws.EventKind.ACTIVATED)
        self.assertIsNot(self.check_asked(), threading.main_thread())
        client.close(1000, None)
        client.join()


make_token()
main()
