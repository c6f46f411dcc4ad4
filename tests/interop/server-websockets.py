#!/usr/bin/python3
"""server-websockets.py: the interop server on Python's websockets.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import argparse
import asyncio
import socket
import ssl
import struct
import sys

import websockets
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory


async def reset(ws):
    """A megabyte is announced, a part of it comes, then a RST."""
    raw = ws.transport.get_extra_info('socket')
    ws.transport.write(b'\x82\x7f' + struct.pack('!Q', 1 << 20) + bytes(65536))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    ws.transport.abort()


async def command(ws, line):
    name, _, rest = line.partition(' ')
    if name == '!ping':
        await ws.ping(rest)
    elif name == '!close':
        code, _, reason = rest.partition(' ')
        await ws.close(int(code), reason)
    elif name == '!burst':
        n, size = map(int, rest.split())
        for i in range(n):
            await ws.send(bytes([i % 256]) * size)
    elif name == '!fragments':
        n, size = map(int, rest.split())
        await ws.send(bytes([i % 256]) * size for i in range(n))
    elif name == '!reset':
        await reset(ws)
    elif name == '!subprotocol':
        await ws.send(ws.subprotocol or '')
    else:
        await ws.send(line)


async def serve_connection(ws):
    try:
        async for message in ws:
            if isinstance(message, str) and message.startswith('!'):
                await command(ws, message)
            else:
                await ws.send(message)
    except websockets.ConnectionClosed:
        pass


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--port', type=int, default=0)
    parser.add_argument('--certificate')
    parser.add_argument('--key')
    arguments = parser.parse_args()

    tls = None
    if arguments.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(arguments.certificate, arguments.key)

    async with websockets.serve(serve_connection, '127.0.0.1', arguments.port, ssl=tls,
                                subprotocols=['echo', 'chat'],
                                extensions=[ServerPerMessageDeflateFactory()], compression=None,
                                max_size=1 << 27, ping_interval=None) as server:
        print('PORT', server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)


asyncio.run(main())
