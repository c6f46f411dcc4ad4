/* echo-async.vala: a client with a thread of its own, with yield
 *
 * Usage: echo-async-vala URI [CA-FILE]
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
const uint N_MESSAGES = 3;

async void talk (string uri, string? ca_file) throws Error {
  var options = new S9ws.Options ();
  options.tls_context = new S9ws.TlsContext ();
  options.tls_context.ca_file = ca_file;

  var client = new S9ws.AsyncClient (uri, options);
  uint n_messages = 0;
  client.text_message.connect ((text) => {
    print ("text-message: %s\n", text);
    if (++n_messages < N_MESSAGES)
      return;
    try {
      client.close (1000);
    } catch (Error e) {
      warning ("%s", e.message);
    }
  });
  client.connection_closed.connect ((code) => print ("connection-closed: %u\n", code));
  bool has_quit = false;
  bool is_waiting = false;
  client.quit.connect (() => {
    has_quit = true;
    if (is_waiting)
      Idle.add (talk.callback);
  });

  yield client.open_async ();
  print ("open\n");
  for (uint i = 1; i <= N_MESSAGES; i++)
    client.send_text ("Message %u of %u".printf (i, N_MESSAGES));

  is_waiting = true;
  if (!has_quit)
    yield;
  print ("quit\n");
}

int main (string[] args) {
  Intl.setlocale ();
  if (args.length < 2) {
    printerr ("Usage: %s URI [CA-FILE]\n", args[0]);
    return 1;
  }

  var loop = new MainLoop ();
  int status = 0;
  talk.begin (args[1], args.length > 2 ? args[2] : null, (_, result) => {
    try {
      talk.end (result);
    } catch (Error e) {
      printerr ("%s\n", e.message);
      status = 1;
    }
    loop.quit ();
  });
  loop.run ();
  return status;
}
