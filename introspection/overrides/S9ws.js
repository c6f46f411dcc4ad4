// S9ws.js: iteration over the events of a client, and reports as strings, for GJS
//
// GJS loads this with the typelib. It changes nothing that is there without it.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
const {GLib} = imports.gi;
const System = imports.system;

// Events between two turns of the main loop.
const BATCH = 64;
// How long a program may take for events, in µs, and how large they may be together, before
// what has become garbage is collected.
const MAX_TIME = 50000;
const MAX_BYTES = 8 * 1024 * 1024;

// Newer versions of GLib have it in a namespace of its own.
function findFdAdd() {
  try {
    return imports.gi.GLibUnix.fd_add_full;
  } catch {
    return GLib.unix_fd_add_full;
  }
}

const fdAdd = findFdAdd();

// Until there is an event, and others have had their turn.
function wait(client) {
  return new Promise(resolve => {
    fdAdd(GLib.PRIORITY_DEFAULT_IDLE, client.get_event_fd(), GLib.IOCondition.IN,
      () => {
        resolve();
        return GLib.SOURCE_REMOVE;
      });
  });
}

// While GJS collects garbage little by little, it drops callbacks, that of wait () too.
// It does so once much has gathered, byte arrays above all: whole collections prevent that.
class Collector {
  constructor(client) {
    this._client = client;
    this._time = 0;
    this._nBytes = 0;
  }

  collect(time) {
    const {bytes_received: nBytes} = this._client.get_stats();
    this._time += time;
    if (this._time < MAX_TIME && nBytes - this._nBytes < MAX_BYTES)
      return;

    System.gc();
    this._time = 0;
    this._nBytes = nBytes;
  }
}

function* iterate(client) {
  for (let event; (event = client.receive(-1)) !== null;)
    yield event;
}

async function* iterateAsync(S9ws, client) {
  const collector = new Collector(client);

  for (;;) {
    const start = GLib.get_monotonic_time();
    let nEvents = 0;
    for (let event; nEvents < BATCH && (event = client.receive(0)) !== null; nEvents++)
      yield event;

    if (nEvents === 0 && client.state === S9ws.State.CLOSED) {
      // Nothing but the end is left, or somebody else has taken an event off.
      const event = client.receive(-1);
      if (event === null)
        return;
      yield event;
    }
    collector.collect(GLib.get_monotonic_time() - start);
    await wait(client);
  }
}

function _init() {
  const S9ws = this;

  S9ws.Client.prototype[Symbol.iterator] = function () {
    return iterate(this);
  };
  S9ws.AsyncClient.prototype[Symbol.asyncIterator] = function () {
    return iterateAsync(S9ws, this);
  };
  S9ws.EndReport.prototype.toString = function () {
    return this.to_string();
  };
}
