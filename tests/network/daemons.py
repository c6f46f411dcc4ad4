"""daemons.py: proxies and front ends of other projects, each on a free port of 127.0.0.1.

All are in the foreground, have their files in a temporary folder, and are stopped by
their process's id.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time

START_TIMEOUT = 60  # seconds; sanitizers and a busy machine are slow
STOP_TIMEOUT = 20
MAX_TRIES = 5

USER, PASSWORD = 'user', 'open-sesame'

TINYPROXY = '''
Port {port}
Listen 127.0.0.1
Timeout 60
Allow 127.0.0.1
Filter "{folder}/refused"
'''

SQUID = '''
http_port 127.0.0.1:{port}
{authentication}
acl refused dstdomain refused.example
http_access deny refused
http_access allow {allowed}
http_access deny all
cache deny all
cache_mem 0
cache_log stdio:/dev/null
access_log none
netdb_filename none
pid_filename none
pinger_enable off
shutdown_lifetime 0 seconds
hosts_file {folder}/hosts
'''

SQUID_BASIC = '''
auth_param basic program /usr/lib/squid/basic_ncsa_auth {folder}/passwords
auth_param basic children 1 startup=1
acl known proxy_auth REQUIRED
'''

DANTE = '''
logoutput: {folder}/log
internal: 127.0.0.1 port = {port}
external: 127.0.0.1
clientmethod: none
socksmethod: {method}
user.privileged: {user}
user.unprivileged: {user}
client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
socks block {{ from: 0.0.0.0/0 to: 127.0.0.1/32 port = 9 }}
socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
'''

NGINX = '''
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder};
  proxy_temp_path {folder};
  fastcgi_temp_path {folder};
  uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port} {tls};
    ssl_certificate {certificates}/good.pem;
    ssl_certificate_key {certificates}/good-key.pem;
    location / {{
      proxy_pass http://127.0.0.1:{server_port};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_set_header Host $http_host;
    }}
    location /redirected {{ return {status} {location}; }}
  }}
}}
'''

HAPROXY = '''
defaults
  mode http
  timeout connect 60s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
frontend front
  bind 127.0.0.1:{port} ssl crt {folder}/bundle.pem
  default_backend back
backend back
  server one 127.0.0.1:{server_port}
'''


def find_free_port():
    """Outside of where the system takes its own from, so that nobody gets it meanwhile."""
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(('127.0.0.1', port))
            except OSError:
                continue
            return port


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
    os.chmod(path, 0o644)
    return path


def read(*path):
    with open(os.path.join(*path), encoding='utf-8') as file:
        return file.read()


def me():
    return 'root' if os.getuid() == 0 else os.environ.get('USER', 'nobody')


def tinyproxy(folder, port, basic=False):
    write(folder, 'refused', '^refused\\.example$\n')
    config = TINYPROXY.format(folder=folder, port=port)
    if basic:
        config += f'BasicAuth {USER} {PASSWORD}\n'
    return ['tinyproxy', '-d', '-c', write(folder, 'config', config)]


def squid(folder, port, basic=False):
    if basic:
        hashed = subprocess.run(['openssl', 'passwd', '-apr1', PASSWORD], check=True,
                                stdout=subprocess.PIPE, text=True).stdout
        write(folder, 'passwords', f'{USER}:{hashed}')
    # It keeps but one address of a name, and many machines have ::1 for localhost, too.
    write(folder, 'hosts', '127.0.0.1 localhost\n')
    config = SQUID.format(folder=folder, port=port, allowed='known' if basic else 'all',
                          authentication=SQUID_BASIC.format(folder=folder) if basic else '')
    return ['squid', '-N', '-f', write(folder, 'config', config)]


def dante(folder, port, basic=False):
    """With passwords it knows the users of the system: none of them is ours."""
    config = DANTE.format(folder=folder, port=port, user=me(),
                          method='username' if basic else 'none')
    return ['danted', '-f', write(folder, 'config', config), '-p', os.path.join(folder, 'pid')]


def microsocks(folder, port, basic=False):
    return ['microsocks', '-i', '127.0.0.1', '-p', str(port),
            *(['-u', USER, '-P', PASSWORD] if basic else [])]


def openssh(folder, port):
    """The client, which is a SOCKS proxy where one asks it to be."""
    return [os.path.join(os.path.dirname(os.path.abspath(__file__)), 'ssh-proxy.py'), str(port)]


def nginx(folder, port, certificates, server_port=9, tls='ssl', status=302, location='/'):
    config = NGINX.format(folder=folder, port=port, certificates=certificates, tls=tls,
                          server_port=server_port, status=status, location=location)
    return ['nginx', '-p', folder, '-e', os.path.join(folder, 'log'),
            '-c', write(folder, 'config', config)]


def haproxy(folder, port, certificates, server_port):
    write(folder, 'bundle.pem', read(certificates, 'good.pem') + read(certificates, 'good-key.pem'))
    config = HAPROXY.format(folder=folder, port=port, server_port=server_port)
    return ['haproxy', '-db', '-f', write(folder, 'config', config)]


class Daemon:
    """Runs what one of the functions above has configured; listens when it is made."""

    def __init__(self, configure, **values):
        self.folder = tempfile.mkdtemp(prefix='s9ws-')
        os.chmod(self.folder, 0o755)  # some of them give root up
        self.process = None
        try:
            for _ in range(MAX_TRIES):
                if self.start(configure, values):
                    return
            raise RuntimeError(f'{configure.__name__} did not start: {self.read_output()}')
        except BaseException:
            self.stop()
            raise

    def start(self, configure, values):
        self.port = find_free_port()
        command = configure(self.folder, self.port, **values)
        environment = dict(os.environ)
        environment['PATH'] += ':/usr/sbin:/sbin'
        command[0] = shutil.which(command[0], path=environment['PATH']) or command[0]
        with open(os.path.join(self.folder, 'output'), 'wb') as output:
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=subprocess.STDOUT)

        end = time.monotonic() + START_TIMEOUT
        while self.process.poll() is None and time.monotonic() < end:
            if is_listening(self.port):
                return True
            time.sleep(0.02)  # it tells nobody
        self.stop_process()
        return False

    def read_output(self):
        return read(self.folder, 'output')

    def ask_to_stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()

    def stop_process(self):
        self.ask_to_stop()
        try:
            self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def stop(self):
        if self.process:
            self.stop_process()
        shutil.rmtree(self.folder, ignore_errors=True)


def stop_all(daemons):
    """All at once, since some take their time."""
    for daemon in daemons:
        daemon.ask_to_stop()
    for daemon in daemons:
        daemon.stop()
