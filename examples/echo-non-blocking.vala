/* echo-non-blocking.vala: round trips with a client that spins, by a handler
 *
 * Usage: echo-non-blocking-vala URI [CA-FILE]
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
const uint N_MESSAGES = 10;

/* Called instead of the signals; what it leaves out is not called. */
class Echo : Object, S9ws.Handler {
  uint n_messages;
  uint n_idles;
  int64 sent;

  void send (S9ws.Client client) {
    sent = get_monotonic_time ();
    try {
      client.send_text ("Message %u of %u".printf (n_messages + 1, N_MESSAGES));
    } catch (Error e) {
      warning ("%s", e.message);
    }
  }

  void activated (S9ws.Client client) {
    print ("activated\n");
    send (client);
  }

  void idle (S9ws.Client client) {
    n_idles++; // here a program does what else it has to do
  }

  void text_message (S9ws.Client client, string text, size_t length) {
    print ("text-message: %s, after %lld µs\n", text, get_monotonic_time () - sent);
    if (++n_messages < N_MESSAGES) {
      send (client);
      return;
    }
    try {
      client.close (1000);
    } catch (Error e) {
      warning ("%s", e.message);
    }
  }

  void connection_closed (S9ws.Client client, uint code, string? reason) {
    print ("connection-closed: %u\n", code);
  }

  void quit (S9ws.Client client) {
    print ("quit, after %u turns with nothing to read\n", n_idles);
  }
}

int main (string[] args) {
  Intl.setlocale ();
  if (args.length < 2) {
    printerr ("Usage: %s URI [CA-FILE]\n", args[0]);
    return 1;
  }

  var options = new S9ws.Options ();
  options.tls_context = new S9ws.TlsContext ();
  options.tls_context.ca_file = args.length > 2 ? args[2] : null;
  options.wait_strategy = S9ws.WaitStrategy.SPIN;

  var client = new S9ws.NonBlockingClient (args[1], options);
  client.set_handler (new Echo ());
  try {
    client.run ();
  } catch (Error e) {
    printerr ("%s\n", e.message);
    return 1;
  }
  return 0;
}
