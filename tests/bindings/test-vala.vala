/* test-vala.vala: the library as a Vala program sees it
 *
 * Usage: test-vala --tap WS-URI WSS-URI, of server.py
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
string plain_uri;
string tls_uri;

const uint N_MESSAGES = 10000;
const uint N_BYTES = 256;

uint8[] make_bytes () {
  var bytes = new uint8[N_BYTES];
  for (uint i = 0; i < N_BYTES; i++)
    bytes[i] = (uint8) i;
  return bytes;
}

S9ws.Options make_options () {
  var tls_context = new S9ws.TlsContext ();
  tls_context.ca_file = Environment.get_variable ("S9WS_TEST_CA");

  var options = new S9ws.Options ();
  options.tls_context = tls_context;
  options.wait_strategy = S9ws.WaitStrategy.WAIT;
  return options;
}

S9ws.Client make_client (Type kind, string uri) {
  return (S9ws.Client) Object.new (kind, "uri", uri, "options", make_options ());
}

string hex (uint8[] data) {
  return Checksum.compute_for_data (ChecksumType.SHA1, data);
}

/* One of everything, each when the answer to the last one has come. */
class Session {
  public string[] events = {};
  int step = 0;

  public void add (string event) {
    events += event;
  }

  public void go_on (S9ws.Client client) {
    try {
      switch (step++) {
      case 0:
        assert_true (client.send_text ("Grüße, 世界 🙂"));
        break;
      case 1:
        assert_true (client.send_binary (make_bytes ()));
        break;
      case 2:
        assert_true (client.send_binary (null));
        break;
      case 3:
        assert_true (client.send_bytes (new Bytes (make_bytes ())));
        break;
      case 4:
        assert_true (client.send_ping ("abc".data));
        break;
      case 5:
        assert_true (client.send_pong (null));
        assert_true (client.send_text ("!ping xyz"));
        assert_true (client.send_text ("on"));
        break;
      default:
        assert_true (client.close (4001, "Auf Wiedersehen ☺"));
        break;
      }
    } catch (Error e) {
      Test.message ("%s", e.message);
      Test.fail ();
      client.force_quit ();
    }
  }

  public void check () {
    string[] expected = {
      "activated",
      "text-message Grüße, 世界 🙂",
      "binary-message " + hex (make_bytes ()),
      "binary-message " + hex ({}),
      "binary-message " + hex (make_bytes ()),
      "pong " + hex ("abc".data),
      "ping " + hex ("xyz".data),
      "text-message on",
      "connection-closed 4001 Auf Wiedersehen ☺",
      "quit"
    };
    assert_cmpstrv (events, expected);
  }
}

void listen (S9ws.Client client, Session session) {
  client.activated.connect (() => {
    session.add ("activated");
    session.go_on (client);
  });
  client.text_message.connect ((text) => {
    session.add ("text-message " + text);
    session.go_on (client);
  });
  client.binary_message.connect ((data) => {
    session.add ("binary-message " + hex (data.get_data ()));
    session.go_on (client);
  });
  client.ping.connect ((data) => session.add ("ping " + hex (data.get_data ())));
  client.pong.connect ((data) => {
    session.add ("pong " + hex (data.get_data ()));
    session.go_on (client);
  });
  client.connection_closed.connect ((code, reason) => {
    session.add ("connection-closed %u %s".printf (code, reason ?? "-"));
  });
  client.error.connect ((error) => session.add ("error " + error.message));
  client.quit.connect (() => session.add ("quit"));
}

class Handler : Object, S9ws.Handler {
  public Session session = new Session ();
  public uint n_polls;
  public uint n_idles;

  void activated (S9ws.Client client) {
    session.add ("activated");
    session.go_on (client);
  }

  void poll (S9ws.Client client) {
    n_polls++;
  }

  void idle (S9ws.Client client) {
    n_idles++;
  }

  void text_message (S9ws.Client client, string text, size_t length) {
    assert_cmpuint (text.length, EQ, (uint) length);
    session.add ("text-message " + text);
    session.go_on (client);
  }

  void binary_message (S9ws.Client client, uint8[] data) {
    session.add ("binary-message " + hex (data));
    session.go_on (client);
  }

  void ping (S9ws.Client client, uint8[] data) {
    session.add ("ping " + hex (data));
  }

  void pong (S9ws.Client client, uint8[] data) {
    session.add ("pong " + hex (data));
    session.go_on (client);
  }

  void connection_closed (S9ws.Client client, uint code, string? reason) {
    session.add ("connection-closed %u %s".printf (code, reason ?? "-"));
  }

  void error (S9ws.Client client, Error error) {
    session.add ("error " + error.message);
  }

  void quit (S9ws.Client client) {
    session.add ("quit");
  }
}

/* What is left out is not called. */
class PartialHandler : Object, S9ws.Handler {
  public string[] texts = {};

  void text_message (S9ws.Client client, string text, size_t length) {
    texts += text;
    try {
      client.close (1000, null);
    } catch (Error e) {
      GLib.error ("%s", e.message);
    }
  }
}

void test_signals (Type kind, string uri) throws Error {
  var client = make_client (kind, uri);
  var session = new Session ();
  listen (client, session);
  assert_true (client.run (null));
  session.check ();

  var stats = client.get_stats ();
  assert_cmpuint ((uint) stats.messages_sent, EQ, 6);
  assert_cmpuint ((uint) stats.messages_received, EQ, 5);
  assert_cmpuint ((uint) stats.pongs_received, EQ, 1);
  assert_cmpint ((int) stats.last_round_trip, GT, 0);
  assert_true (client.state == S9ws.State.CLOSED);
  assert_cmpuint (client.get_response_status (), EQ, 101);
  assert_cmpstr (client.get_response_header ("Upgrade"), EQ, "websocket");
}

void test_handler (Type kind, string uri) throws Error {
  var client = make_client (kind, uri);
  var handler = new Handler ();
  client.set_handler (handler);
  assert_true (client.run (null));
  handler.session.check ();
  assert_true ((handler.n_polls > 0) == (kind != typeof (S9ws.AsyncClient)));
}

void test_partial_handler (Type kind, string uri) throws Error {
  var client = make_client (kind, uri);
  var handler = new PartialHandler ();
  client.set_handler (handler);
  assert_true (client.open ());
  if (client is S9ws.AsyncClient)
    assert_true (((S9ws.AsyncClient) client).start ());
  assert_true (client.send_binary ({1, 2, 3}));
  assert_true (client.send_text ("seen"));
  assert_true (client.run (null));
  assert_cmpstrv (handler.texts, {"seen"});
}

void test_flood (Type kind, string uri) throws Error {
  var client = make_client (kind, uri);
  uint n = 0;
  client.activated.connect (() => {
    try {
      client.send_text ("!burst %u".printf (N_MESSAGES));
    } catch (Error e) {
      error ("%s", e.message);
    }
  });
  client.text_message.connect ((text) => {
    assert_cmpstr (text, EQ, n.to_string ());
    if (++n < N_MESSAGES)
      return;
    try {
      client.close (1000, null);
    } catch (Error e) {
      error ("%s", e.message);
    }
  });
  assert_true (client.run (null));
  assert_cmpuint (n, EQ, N_MESSAGES);
}

void test_errors (Type kind, string uri) throws Error {
  var client = make_client (kind, uri);
  try {
    client.send_text ("early");
    assert_not_reached ();
  } catch (S9ws.Error e) {
    assert_true (e is S9ws.Error.NOT_OPEN);
  }

  client.activated.connect (() => {
    try {
      client.send_ping (new uint8[126]);
      assert_not_reached ();
    } catch (S9ws.Error.MESSAGE_TOO_BIG e) {
      client.force_quit ();
    } catch (Error e) {
      error ("%s", e.message);
    }
  });
  assert_true (client.run (null));

  try {
    client.run (null);
    assert_not_reached ();
  } catch (S9ws.Error.CONNECTION_CLOSED e) {
  }

  try {
    make_client (kind, "nonsense").open ();
    assert_not_reached ();
  } catch (S9ws.Error.INVALID_URI e) {
  }

  client = make_client (kind, plain_uri + "refused");
  try {
    client.run (null);
    assert_not_reached ();
  } catch (S9ws.Error.HANDSHAKE e) {
    assert_cmpuint (client.get_response_status (), EQ, 403);
    assert_cmpmem (client.get_response_body ().get_data (), "Not for you\n".data);
  }

  try {
    make_options ().set_header ("X-Test", "a\r\nX-Evil: b");
    assert_not_reached ();
  } catch (S9ws.Error.INVALID_CONFIGURATION e) {
  }
}

/* All that is not given has its default, and what is not set is null. */
void test_properties (Type kind, string uri) throws Error {
  S9ws.Client[] clients = {
    new S9ws.BlockingClient (uri), new S9ws.NonBlockingClient (uri), new S9ws.AsyncClient (uri)
  };
  foreach (var client in clients) {
    assert_cmpstr (client.uri, EQ, uri);
    assert_null (client.options);
    assert_null (client.protocol);
    assert_null (client.end_report);
    assert_true (client.state == S9ws.State.NEW);
  }

  var options = new S9ws.Options () {
    nodelay = false,
    wait_strategy = S9ws.WaitStrategy.ADAPTIVE,
    spin_wait_duration = 20,
    protocols = { "chat", "echo" },
    tls_context = new S9ws.TlsContext () {
      ca_file = Environment.get_variable ("S9WS_TEST_CA")
    }
  };
  assert_false (options.nodelay);
  assert_true (options.wait_strategy == S9ws.WaitStrategy.ADAPTIVE);
  assert_cmpuint ((uint) options.spin_wait_duration, EQ, 20);
  assert_cmpstrv (options.protocols, { "chat", "echo" });
  assert_true (options.tls_context.verify_peer);
  assert_null (options.tls_context.priority);
  assert_null (options.host_header);
  assert_null (options.local_address);
  assert_null (options.proxy_resolver);
  options.tls_context.server_name = null;
  assert_null (options.tls_context.server_name);
  assert_null (new S9ws.Options ().protocols);

  var client = (S9ws.Client) Object.new (kind, "uri", uri, "options", options);
  assert_true (client.options == options);
  assert_true (client.open ());
  assert_true (client.state == S9ws.State.OPEN);
  assert_true (client.protocol in options.protocols);
  assert_true (client.close (1000));
  assert_true (client.run ());
  assert_cmpuint (client.end_report.get_code (), EQ, 1000);
  assert_null (client.end_report.get_received_reason ());
}

async void open_with_defaults (Type kind, string uri) throws Error {
  var client = make_client (kind, uri);
  var cancellable = new Cancellable ();
  assert_true (yield client.open_async ());
  client.force_quit ();

  cancellable.cancel ();
  try {
    yield make_client (kind, uri).open_async (cancellable);
    assert_not_reached ();
  } catch (IOError.CANCELLED e) {
  }
}

void test_open_async_defaults (Type kind, string uri) throws Error {
  var loop = new MainLoop ();
  Error? failure = null;
  open_with_defaults.begin (kind, uri, (_, result) => {
    try {
      open_with_defaults.end (result);
    } catch (Error e) {
      failure = e;
    }
    loop.quit ();
  });
  loop.run ();
  if (failure != null)
    throw failure;
}

/* The events of an asynchronous client come by themselves; the others are run. */
async void talk (Type kind, string uri) throws Error {
  var client = make_client (kind, uri);
  var session = new Session ();
  listen (client, session);
  bool has_quit = false;
  bool is_waiting = false;
  client.quit.connect (() => {
    has_quit = true;
    if (is_waiting)
      Idle.add (talk.callback);
  });

  assert_true (yield client.open_async (null));
  assert_true (client.state == S9ws.State.OPEN);
  if (!(client is S9ws.AsyncClient))
    assert_true (client.run (null));
  is_waiting = true;
  if (!has_quit)
    yield;
  session.check ();

  try {
    yield make_client (kind, plain_uri + "refused").open_async (null);
    assert_not_reached ();
  } catch (S9ws.Error.HANDSHAKE e) {
  }
}

void test_open_async (Type kind, string uri) throws Error {
  var loop = new MainLoop ();
  Error? failure = null;
  talk.begin (kind, uri, (_, result) => {
    try {
      talk.end (result);
    } catch (Error e) {
      failure = e;
    }
    loop.quit ();
  });
  loop.run ();
  if (failure != null)
    throw failure;
}

void test_popping (string uri) throws Error {
  var client = new S9ws.AsyncClient (uri, make_options ());
  assert_null (client.try_pop_event ());
  assert_true (client.start ());
  assert_true (client.send_text ("text"));
  assert_true (client.send_binary (make_bytes ()));
  assert_true (client.send_text ("!close 1001 away"));

  assert_true (client.pop_event ().get_kind () == S9ws.EventKind.ACTIVATED);
  assert_cmpstr (client.pop_event ().get_text (), EQ, "text");

  var event = client.timeout_pop_event (20000000);
  assert_true (event.get_kind () == S9ws.EventKind.BINARY_MESSAGE);
  assert_cmpmem (event.get_data (), make_bytes ());
  assert_cmpmem (event.get_bytes ().get_data (), make_bytes ());
  assert_null (event.get_text ());

  var events = new List<S9ws.Event> ();
  while (events.length () < 2)
    events.concat (client.pop_events (1, -1));
  event = events.nth_data (0);
  assert_cmpuint (event.get_code (), EQ, 1001);
  assert_cmpstr (event.get_reason (), EQ, "away");
  assert_true (events.nth_data (1).get_kind () == S9ws.EventKind.QUIT);
  assert_null (client.pop_event ());

  client = new S9ws.AsyncClient (plain_uri + "refused", null);
  assert_true (client.start ());
  event = client.pop_event ();
  assert_true (event.get_error () is S9ws.Error.HANDSHAKE);
  client.join ();
}

void assert_cmpmem (uint8[] a, uint8[] b) {
  assert_cmpstr (hex (a), EQ, hex (b));
}

delegate void ClientTest (Type kind, string uri) throws Error;

void add (string name, Type[] kinds, owned ClientTest test) {
  foreach (var kind in kinds) {
    foreach (var uri in new string[] { plain_uri, tls_uri }) {
      Test.add_data_func ("/vala/%s/%s/%s".printf (name, kind.name (), uri.split (":")[0]), () => {
        try {
          test (kind, uri);
        } catch (Error e) {
          Test.message ("%s", e.message);
          Test.fail ();
        }
      });
    }
  }
}

int main (string[] args) {
  Test.init (ref args);
  plain_uri = args[args.length - 2];
  tls_uri = args[args.length - 1];

  Type[] kinds = {
    typeof (S9ws.BlockingClient), typeof (S9ws.NonBlockingClient), typeof (S9ws.AsyncClient)
  };
  add ("signals", kinds, test_signals);
  add ("handler", kinds, test_handler);
  add ("partial-handler", kinds, test_partial_handler);
  add ("flood", kinds, test_flood);
  add ("errors", kinds, test_errors);
  add ("open-async", kinds, test_open_async);
  add ("open-async-defaults", kinds, test_open_async_defaults);
  add ("properties", kinds, test_properties);
  add ("popping", { typeof (S9ws.AsyncClient) }, (kind, uri) => test_popping (uri));

  return Test.run ();
}
