// test-gjs-flood.js: a million messages each way that loses none
//
// Usage: gjs -m test-gjs-flood.js WS-URI WSS-URI, of server.py
//
// GJS drops callbacks while it collects garbage little by little, as it does once many
// byte arrays have been made.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
import GLib from 'gi://GLib';
import S9ws from 'gi://S9ws?version=1';
import System from 'system';

const [PLAIN_URI] = System.programArgs;
const N_MESSAGES = 1000000;
const SIZE = 64;
const {TEXT_MESSAGE, BINARY_MESSAGE, ERROR, QUIT} = S9ws.EventKind;

const loop = new GLib.MainLoop(null, false);
// An attached client lives as long as something refers to it: a promise that it is to
// resolve does not.
let attached = null;

// What does not come as it was sent ends the test at once.
class Counter {
  n = 0;

  constructor() {
    this.client = new S9ws.AsyncClient({uri: PLAIN_URI});
  }

  add(isRight) {
    if (!isRight)
      throw new Error(`message ${this.n} is wrong or has been lost`);
    if (++this.n === N_MESSAGES)
      this.client.close(1000, null);
  }

  addText(text) {
    this.add(text === `${this.n}`);
  }

  addArray(array) {
    this.add(array.length === SIZE && array[0] === this.n % 256 && array.at(-1) === array[0]);
  }

  addEvent(event, getArray) {
    const kind = event.get_kind();
    if (kind === TEXT_MESSAGE)
      this.addText(event.get_text());
    else if (kind === BINARY_MESSAGE)
      this.addArray(getArray(event));
    else if (kind === ERROR)
      throw event.get_error();
    return kind === QUIT;
  }

  check() {
    if (this.n !== N_MESSAGES)
      throw new Error(`${this.n} messages came of ${N_MESSAGES}`);
  }
}

const ASK_TEXT = `!burst ${N_MESSAGES}`;
const ASK_BINARY = `!binary ${N_MESSAGES} ${SIZE}`;

async function popAll(getArray) {
  const counter = new Counter();
  const {client} = counter;
  client.start();
  client.send_text(ASK_BINARY);
  for (let hasQuit = false; !hasQuit;) {
    for (const event of client.pop_events(1000, -1))
      hasQuit = counter.addEvent(event, getArray);
  }
  counter.check();
}

const tests = {
  async 'text by signal'() {
    const counter = new Counter();
    const {client} = counter;
    let failure = null;
    client.connect('activated', () => client.send_text(ASK_TEXT));
    client.connect('text-message', (_, text) => {
      try {
        counter.addText(text);
      } catch (error) {
        failure = error;
        client.force_quit();
      }
    });
    const ended = new Promise(resolve => client.connect('quit', resolve));
    attached = client;
    client.attach(null);
    await ended;
    attached = null;
    if (failure !== null)
      throw failure;
    counter.check();
  },

  async 'binary by pop_events and get_data'() {
    await popAll(event => event.get_data());
  },

  async 'binary by pop_events and get_bytes'() {
    await popAll(event => event.get_bytes().toArray());
  },

  async 'binary by for await'() {
    const counter = new Counter();
    const {client} = counter;
    let n_turns = 0;
    const timer = GLib.timeout_add(GLib.PRIORITY_DEFAULT, 1, () => {
      n_turns++;
      return GLib.SOURCE_CONTINUE;
    });
    client.start();
    client.send_text(ASK_BINARY);
    for await (const event of client)
      counter.addEvent(event, e => e.get_data());
    GLib.source_remove(timer);
    counter.check();
    if (n_turns < 100)
      throw new Error(`nobody else had a turn: ${n_turns}`);
  },
};

async function main() {
  const names = Object.keys(tests);
  let nFailed = 0;
  print(`1..${names.length}`);
  for (const [i, name] of names.entries()) {
    const start = GLib.get_monotonic_time();
    try {
      await tests[name]();
      print(`ok ${i + 1} - ${name}`);
    } catch (error) {
      nFailed++;
      print(`not ok ${i + 1} - ${name}`);
      print(`${error}\n${error.stack}`.replace(/^/gm, '# '));
    }
    print(`# ${(GLib.get_monotonic_time() - start) / 1000000} s`);
  }
  return nFailed;
}

let status = 1;
main().then(nFailed => (status = nFailed > 0 ? 1 : 0), logError).finally(() => loop.quit());
loop.run();
System.exit(status);
