#!/usr/bin/env -S gjs -m
// echo-async.js: a client with a thread of its own, by iteration in a main loop
//
// Usage: gjs -m echo-async.js URI [CA-FILE]
//
// SPDX-License-Identifier: LGPL-2.1-or-later
import GLib from 'gi://GLib';
import S9ws from 'gi://S9ws?version=1';
import System from 'system';

const N_MESSAGES = 3;

async function talk(uri, caFile = null) {
  const options = new S9ws.Options({tlsContext: new S9ws.TlsContext({caFile})});
  const client = S9ws.AsyncClient.new(uri, options);
  let nMessages = 0;

  for await (const event of client) {
    switch (event.get_kind()) {
    case S9ws.EventKind.ACTIVATED:
      print('activated');
      for (let i = 1; i <= N_MESSAGES; i++)
        client.send_text(`Message ${i} of ${N_MESSAGES}`);
      break;
    case S9ws.EventKind.TEXT_MESSAGE:
      print(`text-message: ${event.get_text()}`);
      if (++nMessages === N_MESSAGES)
        client.close(1000, null);
      break;
    case S9ws.EventKind.CONNECTION_CLOSED:
      print(`connection-closed: ${event.get_code()}`);
      break;
    case S9ws.EventKind.ERROR:
      throw event.get_error();
    case S9ws.EventKind.QUIT:
      print('quit');
      break;
    }
  }
}

if (ARGV.length < 1) {
  printerr('Usage: gjs -m echo-async.js URI [CA-FILE]');
  System.exit(1);
}

const loop = new GLib.MainLoop(null, false);
let status = 0;
talk(...ARGV).catch(error => {
  printerr(error.message);
  status = 1;
}).finally(() => loop.quit());
loop.run();
System.exit(status);
