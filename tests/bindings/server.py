#!/usr/bin/python3
"""server.py: what the tests of the bindings talk to, on Python's websockets.

Serves ws and wss on free ports, prints their URIs on one line, and ends when its
standard input does. The path /refused is answered with 403.

Messages are sent back, but for these texts:

  !ping TEXT          ping with that payload
  !close CODE REASON  start the closing handshake
  !burst N            send N texts, the i-th being the number i
  !nul                send a text with U+0000 in it
  !binary N SIZE      send N binary messages, the i-th of bytes i % 256
  !header NAME        send that header of the upgrade request
  !reset              end the TCP connection without a close frame

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import argparse
import asyncio
import http
import ssl
import sys

import websockets
from websockets.legacy.server import serve as serve_websockets

PROTOCOLS = ['echo', 'chat']


async def obey(ws, line):
    name, _, rest = line.partition(' ')
    if name == '!ping':
        await ws.ping(rest)
    elif name == '!close':
        code, _, reason = rest.partition(' ')
        await ws.close(int(code), reason)
    elif name == '!burst':
        for i in range(int(rest)):
            await ws.send(str(i))
    elif name == '!nul':
        await ws.send('before\0after')
    elif name == '!binary':
        n, size = map(int, rest.split())
        for i in range(n):
            await ws.send(bytes([i % 256]) * size)
    elif name == '!header':
        await ws.send(ws.request_headers.get(rest, ''))
    elif name == '!reset':
        ws.transport.abort()
    else:
        await ws.send(line)


async def serve_connection(ws):
    try:
        async for message in ws:
            if isinstance(message, str) and message.startswith('!'):
                await obey(ws, message)
            else:
                await ws.send(message)
    except websockets.ConnectionClosed:
        pass


async def refuse(path, headers):
    if path == '/refused':
        return http.HTTPStatus.FORBIDDEN, [('X-Why', 'tested')], b'Not for you\n'
    return None


def serve(tls):
    return serve_websockets(serve_connection, '127.0.0.1', 0, ssl=tls, subprotocols=PROTOCOLS,
                            process_request=refuse, ping_interval=None)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('certificate')
    parser.add_argument('key')
    arguments = parser.parse_args()

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(arguments.certificate, arguments.key)

    async with serve(None) as plain, serve(tls) as secure:
        ports = [server.sockets[0].getsockname()[1] for server in (plain, secure)]
        print(f'ws://127.0.0.1:{ports[0]}/ wss://localhost:{ports[1]}/', flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)


asyncio.run(main())
