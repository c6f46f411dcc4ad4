#!/usr/bin/python3
"""bench-websockets.py: Python's websockets, without compression and without limits

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import asyncio
import ssl

import websockets

import peer


async def main():
    task = peer.parse()
    context = ssl.create_default_context(cafile=task.ca_file) if task.ca_file else None
    async with websockets.connect(task.uri, compression=None, max_size=None, max_queue=None,
                                  ping_interval=None, ssl=context) as connection:
        task.begin()
        if task.work == 'inbound':
            await connection.send(task.payload)
            for _ in range(task.count):
                await connection.recv()
        elif task.work == 'outbound':
            for _ in range(task.count):
                await connection.send(task.payload)
            await connection.recv()
        else:
            for _ in range(task.count):
                await connection.send(task.payload)
                await connection.recv()
                task.lap()
        task.end()

asyncio.run(main())
