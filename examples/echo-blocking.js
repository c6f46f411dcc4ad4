#!/usr/bin/env -S gjs -m
// echo-blocking.js: says something to an echo server and waits for the answer
//
// Usage: gjs -m echo-blocking.js URI [CA-FILE]
//
// SPDX-License-Identifier: LGPL-2.1-or-later
import S9ws from 'gi://S9ws?version=1';
import System from 'system';

const [uri, caFile = null] = ARGV;
if (uri === undefined) {
  printerr('Usage: gjs -m echo-blocking.js URI [CA-FILE]');
  System.exit(1);
}

const options = new S9ws.Options({tlsContext: new S9ws.TlsContext({caFile})});
const client = S9ws.BlockingClient.new(uri, options);
client.connect('activated', () => {
  print('activated');
  client.send_text('Hello, blocking world');
});
client.connect('text-message', (_, text) => {
  print(`text-message: ${text}`);
  client.close(1000, 'done');
});
client.connect('connection-closed', (_, code, reason) => {
  print(`connection-closed: ${code} ${reason ?? ''}`);
});
client.connect('quit', () => print('quit'));

try {
  client.run(null);
} catch (error) {
  printerr(error.message);
  System.exit(1);
}
