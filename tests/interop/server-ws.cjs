/* server-ws.cjs: the interop server on Node's ws
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
'use strict';

const fs = require('fs');
const http = require('http');
const https = require('https');
const { parseArgs } = require('util');
const { WebSocketServer } = require('ws');

const { values: options } = parseArgs({
    options: {
        port: { type: 'string', default: '0' },
        certificate: { type: 'string' },
        key: { type: 'string' },
    },
});

const server = options.certificate
    ? https.createServer({
        cert: fs.readFileSync(options.certificate),
        key: fs.readFileSync(options.key),
    })
    : http.createServer();

/* The sockets below TLS, which alone can be reset, by the client's port. */
const rawSockets = new Map();
server.on('connection', socket => {
    const port = socket.remotePort;

    rawSockets.set(port, socket);
    socket.on('close', () => rawSockets.delete(port));
});

/* A megabyte is announced, a part of it comes, then a RST. */
function reset(ws) {
    const head = Buffer.alloc(10 + 65536);

    head.writeUInt16BE(0x827f);
    head.writeBigUInt64BE(1n << 20n, 2);
    ws._socket.write(head, () => rawSockets.get(ws._socket.remotePort).resetAndDestroy());
}

function command(ws, line) {
    const [name, first, ...others] = line.split(' ');

    switch (name) {
    case '!ping':
        ws.ping([first, ...others].join(' '));
        break;
    case '!close':
        ws.close(Number(first), others.join(' '));
        break;
    case '!burst':
        for (let i = 0; i < Number(first); i++)
            ws.send(Buffer.alloc(Number(others[0]), i % 256));
        break;
    case '!fragments':
        for (let i = 0; i < Number(first); i++)
            ws.send(Buffer.alloc(Number(others[0]), i % 256), { fin: i === Number(first) - 1 });
        break;
    case '!reset':
        reset(ws);
        break;
    case '!subprotocol':
        ws.send(ws.protocol);
        break;
    default:
        ws.send(line);
    }
}

const supported = ['echo', 'chat'];
const webSocketServer = new WebSocketServer({
    server,
    perMessageDeflate: { threshold: 0 },
    maxPayload: 2 ** 27,
    handleProtocols: offered => [...offered].find(name => supported.includes(name)) ?? false,
});

webSocketServer.on('connection', ws => {
    ws.on('error', () => {});
    ws.on('message', (data, isBinary) => {
        if (!isBinary && data[0] === 0x21)
            command(ws, data.toString());
        else
            ws.send(data, { binary: isBinary });
    });
});

server.listen(Number(options.port), '127.0.0.1', () => {
    console.log(`PORT ${server.address().port}`);
});
process.stdin.on('end', () => process.exit(0)).resume();
