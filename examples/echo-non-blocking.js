#!/usr/bin/env -S gjs -m
// echo-non-blocking.js: round trips with a client that spins, by a handler
//
// Usage: gjs -m echo-non-blocking.js URI [CA-FILE]
//
// SPDX-License-Identifier: LGPL-2.1-or-later
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import S9ws from 'gi://S9ws?version=1';
import System from 'system';

const N_MESSAGES = 10;

// Called instead of the signals; what it leaves out is not called.
const Echo = GObject.registerClass({
  Implements: [S9ws.Handler],
}, class extends GObject.Object {
  nMessages = 0;
  nIdles = 0;

  send(client) {
    this.sent = GLib.get_monotonic_time();
    client.send_text(`Message ${this.nMessages + 1} of ${N_MESSAGES}`);
  }

  vfunc_activated(client) {
    print('activated');
    this.send(client);
  }

  vfunc_idle() {
    this.nIdles++; // here a program does what else it has to do
  }

  vfunc_text_message(client, text) {
    print(`text-message: ${text}, after ${GLib.get_monotonic_time() - this.sent} µs`);
    if (++this.nMessages < N_MESSAGES)
      this.send(client);
    else
      client.close(1000, null);
  }

  vfunc_connection_closed(client, code) {
    print(`connection-closed: ${code}`);
  }

  vfunc_quit() {
    print(`quit, after ${this.nIdles} turns with nothing to read`);
  }
});

const [uri, caFile = null] = ARGV;
if (uri === undefined) {
  printerr('Usage: gjs -m echo-non-blocking.js URI [CA-FILE]');
  System.exit(1);
}

const client = S9ws.NonBlockingClient.new(uri, new S9ws.Options({
  tlsContext: new S9ws.TlsContext({caFile}),
  waitStrategy: S9ws.WaitStrategy.SPIN,
}));
client.set_handler(new Echo());

try {
  client.run(null);
} catch (error) {
  printerr(error.message);
  System.exit(1);
}
