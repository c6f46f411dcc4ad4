// test-gjs-pieces.js: messages in pieces as a GJS program sees them
//
// Usage: gjs -m test-gjs-pieces.js WS-URI WSS-URI, of server.py
//
// SPDX-License-Identifier: LGPL-2.1-or-later
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import S9ws from 'gi://S9ws?version=1';
import System from 'system';

const URIS = System.programArgs;
const KINDS = [S9ws.BlockingClient, S9ws.NonBlockingClient, S9ws.AsyncClient];
const TEXT = 'Größe 世界 🎈 '.repeat(1000);
const PIECE = 1000;

function assert(value, message) {
  if (!value)
    throw new Error(message);
}

function makeClient(kind, uri, values) {
  const tlsContext = new S9ws.TlsContext({caFile: GLib.getenv('S9WS_TEST_CA')});
  const options = new S9ws.Options({tlsContext, waitStrategy: S9ws.WaitStrategy.WAIT, ...values});
  return new kind({uri, options});
}

function talk(client) {
  const bytes = new TextEncoder().encode(TEXT);
  client.begin_message(S9ws.MessageKind.TEXT);
  for (let i = 0; i < bytes.length; i += 777)
    client.append(bytes.slice(i, i + 777));
  client.finish_message();
}

class Pieces {
  bytes = [];
  flags = [];

  add(client, bytes, flags) {
    assert(bytes.length <= PIECE, `${bytes.length} bytes`);
    this.bytes.push(...bytes);
    this.flags.push(flags);
    if (flags & S9ws.PieceFlags.LAST)
      client.close(1000, null);
  }

  check() {
    assert(new TextDecoder().decode(Uint8Array.from(this.bytes)) === TEXT, 'another text');
    assert(this.flags.every(flags => flags & S9ws.PieceFlags.TEXT), 'no text');
    assert(this.flags.filter(flags => flags & S9ws.PieceFlags.FIRST).length === 1, 'first');
    assert(this.flags.filter(flags => flags & S9ws.PieceFlags.LAST).length === 1, 'last');
    assert(this.flags.length >= this.bytes.length / PIECE, 'too few pieces');
  }
}

function testSignal(kind, uri) {
  const pieces = new Pieces();
  const client = makeClient(kind, uri, {maxPieceSize: PIECE});
  client.connect('activated', talk);
  client.connect('message-piece', (self, data, flags) => pieces.add(self, data.toArray(), flags));
  assert(client.run(null), 'not run');
  pieces.check();
}

const Handler = GObject.registerClass({
  Implements: [S9ws.Handler],
}, class Handler extends GObject.Object {
  pieces = new Pieces();

  vfunc_activated(client) {
    talk(client);
  }

  vfunc_message_piece(client, data, flags) {
    this.pieces.add(client, data, flags);
  }
});

function testHandler(kind, uri) {
  const handler = new Handler();
  const client = makeClient(kind, uri, {maxPieceSize: PIECE, compression: false});
  client.set_handler(handler);
  assert(client.run(null), 'not run');
  handler.pieces.check();
}

function testEvents(uri) {
  const pieces = new Pieces();
  const client = makeClient(S9ws.AsyncClient, uri, {maxPieceSize: PIECE});
  client.start();
  talk(client);
  for (let event = client.pop_event(); event !== null; event = client.pop_event()) {
    if (event.get_kind() === S9ws.EventKind.MESSAGE_PIECE)
      pieces.add(client, event.get_data(), event.get_piece_flags());
  }
  pieces.check();
}

const tests = [];
for (const uri of URIS) {
  const scheme = uri.split(':')[0];
  for (const kind of KINDS) {
    tests.push([`${kind.name} ${scheme} signal`, () => testSignal(kind, uri)]);
    tests.push([`${kind.name} ${scheme} handler`, () => testHandler(kind, uri)]);
  }
  tests.push([`events ${scheme}`, () => testEvents(uri)]);
}

let n_failed = 0;
print(`1..${tests.length}`);
for (const [i, [name, test]] of tests.entries()) {
  try {
    test();
    print(`ok ${i + 1} - ${name}`);
  } catch (error) {
    n_failed++;
    print(`not ok ${i + 1} - ${name}`);
    print(`${error}\n${error.stack}`.replace(/^/gm, '# '));
  }
}
System.exit(n_failed > 0 ? 1 : 0);
