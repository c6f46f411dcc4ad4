// test-gjs.js: the library as a GJS program sees it
//
// Usage: gjs -m test-gjs.js WS-URI WSS-URI, of server.py
//
// SPDX-License-Identifier: LGPL-2.1-or-later
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import S9ws from 'gi://S9ws?version=1';
import System from 'system';

const [PLAIN_URI, TLS_URI] = System.programArgs;
const KINDS = [S9ws.BlockingClient, S9ws.NonBlockingClient, S9ws.AsyncClient];
const N_MESSAGES = 10000;
const TIMEOUT = 20; // s
const SECOND = 1000000; // µs
const BYTES = Uint8Array.from({length: 256}, (_, i) => i);

Gio._promisify(S9ws.Client.prototype, 'open_async', 'open_finish');
Gio._promisify(Gio.SocketListener.prototype, 'accept_async', 'accept_finish');
Gio._promisify(Gio.InputStream.prototype, 'read_bytes_async', 'read_bytes_finish');

// What is compared is shown: bytes as numbers, errors and objects by their names.
function show(value) {
  return JSON.stringify(value, (_, v) => {
    if (v instanceof Uint8Array)
      return `bytes ${Array.from(v)}`;
    if (v instanceof GLib.Bytes)
      return `bytes ${Array.from(v.toArray())}`;
    if (v instanceof GLib.Error)
      return `error ${GLib.quark_to_string(v.domain)} ${v.code}`;
    return v === undefined ? 'undefined' : v;
  });
}

function assertEqual(got, expected) {
  const [a, b] = [show(got), show(expected)];
  if (a === b)
    return;

  let start = 0;
  while (a[start] === b[start])
    start++;
  const part = text => text.slice(Math.max(start - 60, 0), start + 120);
  throw new Error(`got … ${part(a)} …, expected … ${part(b)} …`);
}

function assert(value, message) {
  if (!value)
    throw new Error(message ?? 'not true');
}

function assertError(error, code) {
  assert(error instanceof S9ws.Error, `${error} is no S9ws.Error`);
  assert(error.matches(S9ws.Error, code), `code ${error.code}, expected ${code}: ${error.message}`);
  assert(error.matches(S9ws.error_quark(), code));
  assert(error.message.length > 0);
}

function assertFails(code, callback) {
  let error = null;
  try {
    callback();
  } catch (e) {
    error = e;
  }
  assertError(error, code);
  return error;
}

async function assertRejects(code, promise) {
  let error = null;
  try {
    await promise;
  } catch (e) {
    error = e;
  }
  assertError(error, code);
}

function makeOptions(values = {}) {
  const tlsContext = new S9ws.TlsContext({caFile: GLib.getenv('S9WS_TEST_CA')});
  return new S9ws.Options({tlsContext, ...values});
}

function makeClient(kind, uri, values = {waitStrategy: S9ws.WaitStrategy.WAIT}) {
  return new kind({uri, options: makeOptions(values)});
}

const sleep = ms => new Promise(resolve => GLib.timeout_add(GLib.PRIORITY_DEFAULT, ms, () => {
  resolve();
  return GLib.SOURCE_REMOVE;
}));

// Notes events and does what the test wants; an exception in a callback would be
// printed and forgotten.
class Notes {
  events = [];
  failure = null;

  constructor(actions = {}) {
    this.actions = actions;
  }

  add(client, name, ...values) {
    this.events.push([name, ...values]);
    try {
      this.actions[name]?.(client, ...values);
    } catch (e) {
      this.failure = e;
      client.force_quit();
    }
  }

  get names() {
    return this.events.map(([name]) => name);
  }

  check(expected) {
    if (this.failure !== null)
      throw this.failure;
    assertEqual(this.events, expected);
  }
}

// An attached client lives as long as something refers to it: a promise that it is to
// resolve does not.
let kept = null;

function listen(client, actions) {
  const notes = new Notes(actions);
  kept = client;
  for (const name of ['activated', 'text-message', 'binary-message', 'ping', 'pong',
    'connection-closed', 'error', 'quit'])
    client.connect(name, (self, ...values) => notes.add(self, name, ...values));
  return notes;
}

const Handler = GObject.registerClass({
  Implements: [S9ws.Handler],
}, class Handler extends GObject.Object {
  notes = new Notes();
  n_polls = 0;
  n_idles = 0;

  vfunc_activated(client) {
    this.notes.add(client, 'activated');
  }

  vfunc_poll() {
    this.n_polls++;
  }

  vfunc_idle() {
    this.n_idles++;
  }

  vfunc_text_message(client, text, length) {
    this.length = length;
    this.notes.add(client, 'text-message', text);
  }

  vfunc_binary_message(client, data) {
    this.notes.add(client, 'binary-message', data);
  }

  vfunc_ping(client, data) {
    this.notes.add(client, 'ping', data);
  }

  vfunc_pong(client, data) {
    this.notes.add(client, 'pong', data);
  }

  vfunc_connection_closed(client, code, reason) {
    this.notes.add(client, 'connection-closed', code, reason);
  }

  vfunc_error(client, error) {
    this.notes.add(client, 'error', error);
  }

  vfunc_quit(client) {
    this.notes.add(client, 'quit');
  }
});

// One of everything, each when the answer to the last one has come.
function makeSession() {
  const steps = [
    client => client.send_text('Grüße, 世界 🙂'),
    client => client.send_text(''),
    client => client.send_binary(BYTES),
    client => client.send_binary([]),
    client => client.send_bytes(new GLib.Bytes(BYTES)),
    client => client.send_ping(BYTES.slice(0, 125)),
    client => client.send_text('!ping abc') && client.send_text('on'),
    client => client.send_pong(null) && client.send_text('!nul'),
    client => client.close(4001, 'Auf Wiedersehen ☺'),
  ];
  const goOn = client => assert(steps.shift()(client));
  return {'activated': goOn, 'text-message': goOn, 'binary-message': goOn, 'pong': goOn};
}

const makeSessionEvents = nul => [
  ['activated'],
  ['text-message', 'Grüße, 世界 🙂'],
  ['text-message', ''],
  ['binary-message', BYTES],
  ['binary-message', new Uint8Array()],
  ['binary-message', BYTES],
  ['pong', BYTES.slice(0, 125)],
  ['ping', Uint8Array.of(97, 98, 99)],
  ['text-message', 'on'],
  ['text-message', nul],
  ['connection-closed', 4001, 'Auf Wiedersehen ☺'],
  ['quit'],
];

const tests = {};

function forEachClient(name, test) {
  for (const kind of KINDS) {
    for (const uri of [PLAIN_URI, TLS_URI])
      tests[`${name}: ${kind.name}, ${uri.split(':')[0]}`] = () => test(makeClient(kind, uri));
  }
}

forEachClient('signals', client => {
  const notes = listen(client, makeSession());
  assert(client.run(null));
  notes.check(makeSessionEvents('before\ufffdafter'));

  const stats = client.get_stats();
  assertEqual([stats.messages_sent, stats.messages_received, stats.pings_sent,
    stats.pongs_received, stats.pings_received, stats.pongs_sent, stats.bytes_unsent],
  [8, 7, 1, 1, 1, 2, 0]);
  assert(stats.last_round_trip > 0 && stats.reads > 0 && stats.writes > 0);
  assert(stats.bytes_sent > 512 && stats.bytes_received > 512);
});

forEachClient('handler', client => {
  const handler = new Handler();
  handler.notes.actions = makeSession();
  const notes = listen(client);
  client.set_handler(handler);
  assert(client.run(null));
  // U+0000 ends a string that a virtual function is given.
  handler.notes.check(makeSessionEvents('before'));
  assertEqual(handler.length, 'before-after'.length);
  notes.check([]);
  assertEqual(handler.n_polls > 0, !(client instanceof S9ws.AsyncClient));
});

// What callbacks throw is logged, and the client goes on: GJS logs it as critical, which
// ends the tests elsewhere.
function throwIt() {
  throw new Error('thrown on purpose');
}

async function withoutEnd(test) {
  const fatal = GLib.log_set_always_fatal(GLib.LogLevelFlags.LEVEL_ERROR);
  try {
    await test();
  } finally {
    GLib.log_set_always_fatal(fatal);
  }
}

const makeThrowing = () => Object.fromEntries(Object.entries(makeSession()).map(
  ([name, goOn]) => [name, client => {
    goOn(client);
    throwIt();
  }]));

forEachClient('signals that throw', client => withoutEnd(() => {
  const notes = listen(client);
  const actions = makeThrowing();
  for (const name of ['activated', 'text-message', 'binary-message', 'ping', 'pong',
    'connection-closed', 'quit'])
    client.connect(name, actions[name] ?? throwIt);
  assert(client.run(null));
  notes.check(makeSessionEvents('before\ufffdafter'));
}));

const ThrowingHandler = GObject.registerClass({
  Implements: [S9ws.Handler],
}, class ThrowingHandler extends Handler {
  vfunc_activated(client) {
    super.vfunc_activated(client);
    throwIt();
  }

  vfunc_text_message(client, text, length) {
    super.vfunc_text_message(client, text, length);
    throwIt();
  }

  vfunc_quit(client) {
    super.vfunc_quit(client);
    throwIt();
  }
});

forEachClient('a handler that throws', client => withoutEnd(() => {
  const handler = new ThrowingHandler();
  handler.notes.actions = makeSession();
  client.set_handler(handler);
  assert(client.run(null));
  handler.notes.check(makeSessionEvents('before'));
}));

forEachClient('partial handler', client => {
  const texts = [];
  const Partial = GObject.registerClass({
    Implements: [S9ws.Handler],
  }, class extends GObject.Object {
    vfunc_activated() {
      client.send_binary([1, 2, 3]);
      client.send_text('seen');
    }

    vfunc_text_message(_, text) {
      texts.push(text);
      client.close(1000, null);
    }
  });
  client.set_handler(new Partial());
  assert(client.run(null));
  assertEqual(texts, ['seen']);
});

forEachClient('handler of a lost connection', client => {
  const handler = new Handler();
  handler.notes.actions = {'activated': () => client.send_text('!reset')};
  client.set_handler(handler);
  let error = null;
  try {
    client.run(null);
  } catch (e) {
    error = e;
  }
  handler.notes.check([['activated'], ['error', error], ['connection-closed', 1006, null],
    ['quit']]);
  assert(handler.notes.events[1][1] instanceof S9ws.Error);
});

forEachClient('open, then run', client => {
  const notes = listen(client, {'activated': () => client.close(1000, null)});
  assertEqual(client.state, S9ws.State.NEW);
  assert(client.open(null));
  assertEqual(client.state, S9ws.State.OPEN);
  assertEqual(client.get_response_status(), 101);
  assertEqual(client.get_response_header('upGRADE'), 'websocket');
  assertEqual(client.get_response_header('No-Such'), null);
  assert(client.get_fd() >= 0);
  notes.check([]);
  assert(client.run(null));
  notes.check([['activated'], ['connection-closed', 1000, null], ['quit']]);
  assertEqual(client.state, S9ws.State.CLOSED);
});

forEachClient('force_quit', client => {
  const notes = listen(client, {
    'activated': () => client.send_text('x'),
    'text-message': () => client.force_quit(),
  });
  assert(client.run(null));
  notes.check([['activated'], ['text-message', 'x'], ['quit']]);
});

forEachClient('flood', client => {
  const notes = listen(client, {
    'activated': () => client.send_text(`!burst ${N_MESSAGES}`),
    'text-message': (_, text) => text === `${N_MESSAGES - 1}` && client.close(1000, null),
  });
  assert(client.run(null));
  notes.check([['activated'],
    ...Array.from({length: N_MESSAGES}, (_, i) => ['text-message', `${i}`]),
    ['connection-closed', 1000, null], ['quit']]);
});

// Few: GJS drops callbacks while it collects garbage.
forEachClient('kept bytes', client => {
  const messages = [];
  const notes = listen(client, {
    'activated': () => client.send_text('!binary 10 20000'),
    'binary-message': (_, data) => messages.push(data) === 10 && client.close(1000, null),
  });
  assert(client.run(null));
  assert(notes.failure === null);
  client = null;
  kept = null;
  System.gc();
  assertEqual(messages, Array.from({length: 10}, (_, i) => new Uint8Array(20000).fill(i)));
});

forEachClient('errors', client => {
  const notes = listen(client, {
    'activated': () => {
      assertFails(S9ws.Error.MESSAGE_TOO_BIG, () => client.send_ping(new Uint8Array(126)));
      assertFails(S9ws.Error.PROTOCOL, () => client.close(1005, null));
      assertFails(S9ws.Error.MESSAGE_TOO_BIG, () => client.close(1000, 'x'.repeat(124)));
      assert(client.close(1000, null));
      assertFails(S9ws.Error.CONNECTION_CLOSED, () => client.send_text('late'));
    },
  });
  assertFails(S9ws.Error.NOT_OPEN, () => client.send_text('early'));
  assert(client.run(null));
  notes.check([['activated'], ['connection-closed', 1000, null], ['quit']]);
  assertFails(S9ws.Error.CONNECTION_CLOSED, () => client.run(null));
});

for (const kind of KINDS) {
  tests[`failures of opening: ${kind.name}`] = () => {
    for (const [uri, code] of [['nonsense', S9ws.Error.INVALID_URI],
      ['ws://127.0.0.1:1/', S9ws.Error.CONNECT],
      [`${PLAIN_URI}refused`, S9ws.Error.HANDSHAKE],
      [TLS_URI, S9ws.Error.TLS]]) {
      const client = new kind({uri});
      const notes = listen(client);
      const error = assertFails(code, () => client.run(null));
      notes.check([['error', error], ['quit']]);
      assertError(notes.events[0][1], code);
      assertEqual(client.get_response_status(), code === S9ws.Error.HANDSHAKE ? 403 : 0);
    }
  };

  tests[`await open_async: ${kind.name}`] = async () => {
    const client = makeClient(kind, TLS_URI);
    let notes;
    const ended = new Promise(resolve => {
      notes = listen(client, {
        'activated': () => client.send_text('!close 1001 away'),
        'quit': resolve,
      });
    });

    assertEqual(await client.open_async(null), true);
    if (kind !== S9ws.AsyncClient) {
      assertEqual(client.state, S9ws.State.OPEN);
      assert(client.run(null));
    }
    await ended;
    notes.check([['activated'], ['connection-closed', 1001, 'away'], ['quit']]);
  };

  tests[`end-report: ${kind.name}`] = () => {
    const client = makeClient(kind, PLAIN_URI);
    let line = null;
    client.connect('activated', () => client.close(4000, 'enough'));
    client.connect('connection-closed', () => (line = client.end_report.to_string()));
    assertEqual(client.end_report, null);
    client.run(null);
    assertEqual(client.end_report.get_initiator(), S9ws.EndInitiator.LOCAL);
    assertEqual(client.end_report.get_received_reason(), 'enough');
    assertEqual(line, client.end_report.to_string());
    assertEqual(line, `${client.end_report}`);
  };

  tests[`accept-certificate: ${kind.name}`] = async () => {
    for (const answer of [true, false]) {
      const client = new kind({uri: TLS_URI, options: new S9ws.Options()});
      const asked = [];
      client.connect('accept-certificate', (_, chain, reasons) => {
        asked.push([chain.split('\n')[0], reasons]);
        return answer;
      });
      if (answer)
        assertEqual(await client.open_async(null), true);
      else
        await assertRejects(S9ws.Error.TLS, client.open_async(null));
      assertEqual(asked, [['-----BEGIN CERTIFICATE-----', Gio.TlsCertificateFlags.UNKNOWN_CA]]);
      assertEqual(client.get_tls_version(), answer ? 'TLS1.3' : null);
      client.force_quit();
    }
  };

  tests[`accept-certificate that throws: ${kind.name}`] = () => withoutEnd(async () => {
    const client = new kind({uri: TLS_URI, options: new S9ws.Options()});
    client.connect('accept-certificate', throwIt);
    await assertRejects(S9ws.Error.TLS, client.open_async(null));
  });

  tests[`await open_async that is cancelled: ${kind.name}`] = async () => {
    // Somebody takes the request, and does not answer.
    const listener = new Gio.SocketListener();
    const port = listener.add_any_inet_port(null);
    const cancellable = new Gio.Cancellable();
    const opening = new kind({uri: `ws://127.0.0.1:${port}/`}).open_async(cancellable);
    let isOver = false;
    opening.catch(() => {}).finally(() => (isOver = true));
    const [connection] = await listener.accept_async(null);
    const request = await connection.get_input_stream().read_bytes_async(1, GLib.PRIORITY_DEFAULT, null);
    assertEqual(request.get_size(), 1);
    assert(!isOver, 'it has not waited for the answer');
    cancellable.cancel();
    try {
      await opening;
    } catch (error) {
      connection.close(null);
      listener.close();
      assert(error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED), error.message);
      return;
    }
    throw new Error('it was not cancelled');
  };

  tests[`await open_async that fails: ${kind.name}`] = async () => {
    await assertRejects(S9ws.Error.INVALID_URI, new kind({uri: 'x'}).open_async(null));
    await assertRejects(S9ws.Error.HANDSHAKE,
      new kind({uri: `${PLAIN_URI}refused`}).open_async(null));

    const cancellable = new Gio.Cancellable();
    cancellable.cancel();
    try {
      await new kind({uri: PLAIN_URI}).open_async(cancellable);
    } catch (error) {
      assert(error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED), error.message);
      return;
    }
    throw new Error('it was not cancelled');
  };
}

tests['a flood in the main loop'] = async () => {
  const client = makeClient(S9ws.AsyncClient, PLAIN_URI);
  const turns = [];
  let notes;
  const ended = new Promise(resolve => {
    notes = listen(client, {
      'activated': () => client.send_text(`!burst ${N_MESSAGES}`),
      'text-message': (_, text) => text === `${N_MESSAGES - 1}` && client.close(1000, null),
      'quit': resolve,
    });
  });
  const timer = GLib.timeout_add(GLib.PRIORITY_DEFAULT, 1, () => {
    turns.push(notes.events.length);
    return GLib.SOURCE_CONTINUE;
  });
  await client.open_async(null);
  await ended;
  GLib.source_remove(timer);
  assert(notes.failure === null);
  assertEqual(notes.events.slice(1, -2), Array.from({length: N_MESSAGES},
    (_, i) => ['text-message', `${i}`]));
  assert(turns.some(n => n > 1 && n < N_MESSAGES), 'nobody else had a turn');
};

tests['attach'] = async () => {
  const client = makeClient(S9ws.AsyncClient, PLAIN_URI);
  const handler = new Handler();
  client.set_handler(handler);
  kept = client;
  await new Promise(resolve => {
    handler.notes.actions = {'activated': () => client.close(1000, null), 'quit': resolve};
    client.attach(null);
  });
  handler.notes.check([['activated'], ['connection-closed', 1000, null], ['quit']]);
};

for (const [name, pop] of Object.entries({
  pop_event: client => [client.pop_event()],
  try_pop_event: client => [client.try_pop_event()].filter(event => event !== null),
  timeout_pop_event: client => [client.timeout_pop_event(SECOND * TIMEOUT)],
  pop_events: client => client.pop_events(0, -1),
  'pop_events, two at a time': client => client.pop_events(2, SECOND),
})) {
  for (const uri of [PLAIN_URI, TLS_URI]) {
    tests[`${name}, ${uri.split(':')[0]}`] = () => {
      const client = makeClient(S9ws.AsyncClient, uri);
      assertEqual([client.try_pop_event(), client.timeout_pop_event(10), client.pop_events(0, 0)],
        [null, null, []]);
      assert(client.start());
      client.send_text('Grüße');
      client.send_binary(BYTES);
      client.send_text('!ping abc');
      client.send_text('!nul');
      client.send_text('!close 4000 fertig ☺');

      const end = GLib.get_monotonic_time() + TIMEOUT * SECOND;
      const events = [];
      while (events.at(-1)?.get_kind() !== S9ws.EventKind.QUIT) {
        assert(GLib.get_monotonic_time() < end, 'no end came');
        events.push(...pop(client));
      }
      client.join();

      const {ACTIVATED, TEXT_MESSAGE, BINARY_MESSAGE, PING, CONNECTION_CLOSED, QUIT} =
        S9ws.EventKind;
      const bytes = text => new TextEncoder().encode(text);
      const none = new Uint8Array();
      assertEqual(events.map(e => [e.get_kind(), e.get_text(), e.get_data(), e.get_bytes(),
        e.get_code(), e.get_reason(), e.get_error()]), [
        [ACTIVATED, null, none, null, 0, null, null],
        [TEXT_MESSAGE, 'Grüße', bytes('Grüße'), bytes('Grüße'), 0, null, null],
        [BINARY_MESSAGE, null, BYTES, BYTES, 0, null, null],
        [PING, null, bytes('abc'), bytes('abc'), 0, null, null],
        [TEXT_MESSAGE, 'before\ufffdafter', bytes('before\0after'), bytes('before\0after'), 0,
          null, null],
        [CONNECTION_CLOSED, null, none, null, 4000, 'fertig ☺', null],
        [QUIT, null, none, null, 0, null, null],
      ]);
      assertEqual(client.pop_event(), null);
      assertFails(S9ws.Error.CONNECTION_CLOSED, () => client.start());
    };
  }
}

forEachClient('for', client => {
  const {ACTIVATED, CONNECTION_CLOSED, QUIT} = S9ws.EventKind;
  const seen = [];
  for (const event of client) {
    seen.push(event.get_text() ?? event.get_kind());
    if (event.get_kind() === ACTIVATED)
      client.send_text(`!burst ${N_MESSAGES}`);
    if (event.get_text() === '9')
      break; // and go on below
  }
  for (const event of client) {
    seen.push(event.get_text() ?? event.get_kind());
    if (event.get_text() === `${N_MESSAGES - 1}`)
      client.close(1000, null);
  }
  assertEqual(seen, [ACTIVATED, ...Array.from({length: N_MESSAGES}, (_, i) => `${i}`),
    CONNECTION_CLOSED, QUIT]);
  assertEqual([...client], []);
});

for (const kind of KINDS) {
  tests[`for of a client that cannot open: ${kind.name}`] = () => {
    const {ERROR, QUIT} = S9ws.EventKind;
    for (const uri of ['nonsense', `${PLAIN_URI}refused`]) {
      const client = new kind({uri});
      assertEqual(Array.from(client, event => event.get_kind()), [ERROR, QUIT]);
      assertEqual([...client], []);
    }
  };
}

const getEventTexts = async client => {
  const texts = [];
  for await (const event of client)
    texts.push(event.get_text() ?? event.get_kind());
  return texts;
};

for (const uri of [PLAIN_URI, TLS_URI]) {
  const {ACTIVATED, CONNECTION_CLOSED, QUIT} = S9ws.EventKind;
  const scheme = uri.split(':')[0];

  tests[`for await, ${scheme}`] = async () => {
    const client = makeClient(S9ws.AsyncClient, uri);
    const seen = [];
    for await (const event of client) {
      seen.push(event.get_text() ?? event.get_kind());
      if (event.get_kind() === ACTIVATED)
        client.send_text('!burst 100');
      if (event.get_text() === '9')
        break; // and go on below
    }
    for await (const event of client) {
      seen.push(event.get_text() ?? event.get_kind());
      if (event.get_text() === '20')
        await sleep(1);
      if (event.get_text() === '99')
        client.close(1000, null);
    }
    assertEqual(seen, [ACTIVATED, ...Array.from({length: 100}, (_, i) => `${i}`),
      CONNECTION_CLOSED, QUIT]);
    assertEqual(await getEventTexts(client), []);
  };

  tests[`for await of an open client, ${scheme}`] = async () => {
    const client = makeClient(S9ws.AsyncClient, uri);
    assert(client.open(null));
    client.send_text('!close 1001 away');
    assertEqual(await getEventTexts(client), [ACTIVATED, CONNECTION_CLOSED, QUIT]);
  };
}

tests['for await of a client that cannot open'] = async () => {
  const {ERROR, QUIT} = S9ws.EventKind;
  for (const uri of ['nonsense', `${PLAIN_URI}refused`]) {
    const client = new S9ws.AsyncClient({uri});
    assertEqual(await getEventTexts(client), [ERROR, QUIT]);
    assertEqual(await getEventTexts(client), []);
  }
};

tests['an error that is popped'] = () => {
  const client = new S9ws.AsyncClient({uri: `${PLAIN_URI}refused`});
  assert(client.start());
  const failed = client.pop_event();
  assertEqual(failed.get_kind(), S9ws.EventKind.ERROR);
  assertError(failed.get_error(), S9ws.Error.HANDSHAKE);
  assertEqual(client.pop_event().get_kind(), S9ws.EventKind.QUIT);
};

tests['options'] = () => {
  const options = new S9ws.Options({nodelay: false, spin_wait_duration: 10000,
    protocols: ['no', 'chat']});
  assertEqual([options.nodelay, options.spinWaitDuration, options.protocols, options.compression],
    [false, 10000, ['no', 'chat'], true]);
  assert(options.set_header('X-Test', 'value'));
  for (const value of ['a\r\nX-Evil: b', 'a\rb', 'a\nb']) {
    assertFails(S9ws.Error.INVALID_CONFIGURATION, () => options.set_header('X-Test', value));
    assertFails(S9ws.Error.INVALID_CONFIGURATION, () => options.set_header(value, 'b'));
  }

  const client = S9ws.BlockingClient.new(PLAIN_URI, options);
  const notes = listen(client, {
    'activated': () => client.send_text('!header X-Test'),
    'text-message': () => client.close(1000, null),
  });
  assert(client.run(null));
  notes.check([['activated'], ['text-message', 'value'], ['connection-closed', 1000, null],
    ['quit']]);
  assertEqual(client.protocol, 'chat');
};

tests['no thread is left'] = async () => {
  // But for GLib's pool, which keeps its threads for the next name to look up.
  const countThreads = () => {
    const tasks = Gio.File.new_for_path('/proc/self/task');
    const infos = [...tasks.enumerate_children('standard::name', 0, null)];
    return infos.filter(info => {
      try {
        const [, name] = tasks.get_child(info.get_name()).get_child('comm').load_contents(null);
        return !new TextDecoder().decode(name).startsWith('pool-');
      } catch (error) {
        return false; // it has ended
      }
    }).length;
  };

  const open = async () => {
    const client = makeClient(S9ws.AsyncClient, TLS_URI);
    await client.open_async(null);
    return countThreads();
  };

  await open();
  for (let i = 0; i < 100; i++) {
    System.gc();
    await sleep(10);
  }
  const before = countThreads();
  const during = await open();
  assert(during > before, 'the client has no thread');
  for (let i = 0; i < 1000 && countThreads() > before; i++) {
    System.gc();
    await sleep(10);
  }
  assert(countThreads() <= before, `${countThreads()} threads, ${before} before`);
};

tests['no descriptor is left'] = async () => {
  const countDescriptors = () => [...Gio.File.new_for_path('/proc/self/fd')
    .enumerate_children('standard::name', 0, null)].length;
  const open = async kind => {
    const client = makeClient(kind, TLS_URI);
    // Which the collector finds, as it does not go through C.
    client.itself = client;
    client.connect('quit', () => client.itself);
    await client.open_async(null);
    return countDescriptors();
  };

  for (const kind of KINDS) {
    System.gc();
    const before = countDescriptors();
    const during = await open(kind);
    assert(during > before, 'the client has no descriptor');
    for (let i = 0; i < 1000 && countDescriptors() > before; i++) {
      System.gc();
      await sleep(10);
    }
    assert(countDescriptors() <= before, `${kind.name}: ${countDescriptors()}, ${before} before`);
  }
};

async function main() {
  const names = Object.keys(tests);
  let n_failed = 0;
  print(`1..${names.length}`);
  for (const [i, name] of names.entries()) {
    try {
      await tests[name]();
      print(`ok ${i + 1} - ${name}`);
    } catch (error) {
      n_failed++;
      print(`not ok ${i + 1} - ${name}`);
      print(`${error}\n${error.stack}`.replace(/^/gm, '# '));
    }
  }
  return n_failed;
}

const loop = new GLib.MainLoop(null, false);
let status = 1;
main().then(n_failed => (status = n_failed > 0 ? 1 : 0), logError).finally(() => loop.quit());
loop.run();
System.exit(status);
