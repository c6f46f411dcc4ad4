/* echo-blocking.vala: says something to an echo server and waits for the answer
 *
 * Usage: echo-blocking-vala URI [CA-FILE]
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
int main (string[] args) {
  Intl.setlocale ();
  if (args.length < 2) {
    printerr ("Usage: %s URI [CA-FILE]\n", args[0]);
    return 1;
  }

  var options = new S9ws.Options ();
  options.tls_context = new S9ws.TlsContext ();
  options.tls_context.ca_file = args.length > 2 ? args[2] : null;

  var client = new S9ws.BlockingClient (args[1], options);
  client.text_message.connect ((text) => {
    print ("text-message: %s\n", text);
    try {
      client.close (1000, "done");
    } catch (Error e) {
      warning ("%s", e.message);
    }
  });
  client.connection_closed.connect ((code, reason) => {
    print ("connection-closed: %u %s\n", code, reason ?? "");
  });
  client.quit.connect (() => print ("quit\n"));

  try {
    client.open ();
    client.send_text ("Hello, blocking world");
    client.run ();
  } catch (Error e) {
    printerr ("%s\n", e.message);
    return 1;
  }
  return 0;
}
