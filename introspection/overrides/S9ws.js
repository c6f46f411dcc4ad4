// S9ws.js: iteration over the events of an asynchronous client, for GJS
//
// GJS loads this with the typelib. It changes nothing that is there without it.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
const {GLib} = imports.gi;
const System = imports.system;

// Events between two turns of the main loop.
const BATCH = 64;
// How much may become garbage before it is collected.
const MAX_EVENTS = 10000;
const MAX_BYTES = 8 * 1024 * 1024;

// Until there is an event, and others have had their turn.
function wait(client) {
  return new Promise(resolve => {
    GLib.unix_fd_add_full(GLib.PRIORITY_DEFAULT_IDLE, client.get_event_fd(), GLib.IOCondition.IN,
      () => {
        resolve();
        return GLib.SOURCE_REMOVE;
      });
  });
}

// Where starting fails, the events say so.
function start(client) {
  try {
    client.start();
  } catch (error) {
    if (!(error instanceof GLib.Error))
      throw error;
  }
}

// While GJS collects garbage little by little, it drops callbacks, that of wait () too.
// It does so once enough byte arrays have been made: whole collections prevent that.
class Collector {
  constructor(client) {
    this._client = client;
    this._nEvents = 0;
    this._nBytes = 0;
  }

  collect(nEvents) {
    const {bytes_received: nBytes} = this._client.get_stats();
    this._nEvents += nEvents;
    if (this._nEvents < MAX_EVENTS && nBytes - this._nBytes < MAX_BYTES)
      return;

    System.gc();
    this._nEvents = 0;
    this._nBytes = nBytes;
  }
}

function* iterate(S9ws, client) {
  start(client);
  for (let event; (event = client.pop_event()) !== null;)
    yield event;
}

async function* iterateAsync(S9ws, client) {
  const collector = new Collector(client);

  start(client);
  for (;;) {
    await wait(client);
    let nEvents = 0;
    for (let event; nEvents < BATCH && (event = client.try_pop_event()) !== null; nEvents++)
      yield event;

    if (nEvents === 0 && client.state === S9ws.State.CLOSED) {
      // Nothing but the end is left, or somebody else has taken an event off.
      const event = client.pop_event();
      if (event === null)
        return;
      yield event;
    }
    collector.collect(nEvents);
  }
}

function _init() {
  const S9ws = this;
  const {prototype} = S9ws.AsyncClient;

  prototype[Symbol.iterator] = function () {
    return iterate(S9ws, this);
  };
  prototype[Symbol.asyncIterator] = function () {
    return iterateAsync(S9ws, this);
  };
}
