#!/usr/bin/python3
"""ssh-proxy.py: OpenSSH's client as a SOCKS proxy, together with a server for it.

Usage: ssh-proxy.py PORT

The client alone is on trial. Unlike OpenSSH's, this server needs neither root nor a user of
its own, and does not stay on a machine as a service because a test was run there.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import asyncio
import signal
import sys
import warnings

warnings.simplefilter('ignore')  # of ciphers that nobody asks for
import asyncssh  # noqa: E402


class Server(asyncssh.SSHServer):
    def begin_auth(self, username):
        return False  # whoever comes has nothing to prove

    def connection_requested(self, dest_host, dest_port, orig_host, orig_port):
        return True  # it connects them on


def get_command(port, server_port):
    """No configuration and no keys of the user's."""
    options = ('BatchMode=yes', 'ExitOnForwardFailure=yes', 'IdentityAgent=none', 'LogLevel=ERROR',
               'StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null')
    return ['setpriv', '--pdeathsig', 'TERM', 'ssh', '-F', 'none', '-N',
            *(word for option in options for word in ('-o', option)),
            '-D', f'127.0.0.1:{port}', '-p', str(server_port), 'user@127.0.0.1']


async def main():
    key = asyncssh.generate_private_key('ssh-ed25519')
    async with asyncssh.listen('127.0.0.1', 0, server_factory=Server,
                               server_host_keys=[key]) as server:
        command = get_command(sys.argv[1], server.sockets[0].getsockname()[1])
        client = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, client.terminate)
        await client.wait()


asyncio.run(main())
