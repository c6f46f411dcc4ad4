/* test-endpoint.c: what URIs and redirects say, and which are refused by which rule
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "connection/endpoint.h"
#include "s9ws-error.h"

/* "host port host-header target", with a Unix socket's path in place of the port, and
 * "authorization" behind it. */
static char *
describe (const S9wsEndpoint *endpoint)
{
  g_autofree char *port = g_strdup_printf ("%u", endpoint->port);

  return g_strjoin (" ",
                    endpoint->is_secure ? "tls" : "plain",
                    endpoint->host,
                    endpoint->socket_path != NULL ? endpoint->socket_path : port,
                    endpoint->host_header,
                    endpoint->target,
                    endpoint->is_foreign ? "foreign" : "own",
                    endpoint->authorization,
                    NULL);
}

typedef struct
{
  const char *name;
  const char *uri;
  const char *endpoint;
} Good;

static const Good goods[] = {
  { "plain", "ws://example.org", "plain example.org 80 example.org / own" },
  { "tls", "wss://example.org/a/b?c=d", "tls example.org 443 example.org /a/b?c=d own" },
  { "case", "WSS://Example.ORG/A", "tls example.org 443 example.org /A own" },
  { "port", "ws://example.org:8080/", "plain example.org 8080 example.org:8080 / own" },
  { "default-port", "wss://example.org:443/", "tls example.org 443 example.org / own" },
  { "empty-port", "ws://example.org:/", "plain example.org 80 example.org / own" },
  { "query-only", "ws://example.org?q", "plain example.org 80 example.org /?q own" },
  { "ipv4", "ws://127.0.0.1:81/", "plain 127.0.0.1 81 127.0.0.1:81 / own" },
  { "ipv6", "ws://[::1]/", "plain ::1 80 [::1] / own" },
  { "ipv6-zone", "ws://[fe80::1%25eth0]:81/", "plain fe80::1%eth0 81 [fe80::1]:81 / own" },
  { "international", "ws://bücher.example/", "plain xn--bcher-kva.example 80 xn--bcher-kva.example / own" },
  { "escapes", "ws://example.org/ä%2F<>?ä", "plain example.org 80 example.org /%C3%A4%2F%3C%3E?%C3%A4 own" },
  { "escaped-host", "ws://ex%61mple.org/", "plain example.org 80 example.org / own" },
  { "credentials", "ws://us%20er:p%40ss@example.org/", "plain example.org 80 example.org / own Basic dXMgZXI6cEBzcw==" },
  { "user-only", "ws://user@example.org/", "plain example.org 80 example.org / own Basic dXNlcjo=" },
  { "unix", "ws+unix:/run/a.sock:/chat?x=1", "plain localhost /run/a.sock localhost /chat?x=1 own" },
  { "unix-tls", "wss+unix:/run/a.sock:/chat", "tls localhost /run/a.sock localhost /chat own" },
  { "unix-without-request", "ws+unix:/run/a.sock", "plain localhost /run/a.sock localhost / own" },
  { "unix-without-path", "ws+unix:/run/a.sock?x", "plain localhost /run/a.sock localhost /?x own" },
  { "unix-empty-request", "ws+unix:/run/a.sock:", "plain localhost /run/a.sock localhost / own" },
  { "unix-slashes", "ws+unix:///run/a.sock:/chat", "plain localhost /run/a.sock localhost /chat own" },
  { "unix-relative", "ws+unix:a.sock:/chat", "plain localhost a.sock localhost /chat own" },
  { "unix-escapes", "ws+unix:/run/a%3Ab%3F%23%20c:/a:b", "plain localhost /run/a:b?# c localhost /a:b own" },
};

static void
test_good (gconstpointer data)
{
  const Good *good = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (S9wsEndpoint) endpoint = s9ws_endpoint_parse (good->uri, &error);
  g_autofree char *description = NULL;

  g_assert_no_error (error);
  description = describe (endpoint);
  g_assert_cmpstr (description, ==, good->endpoint);
}

typedef struct
{
  const char *name;
  const char *uri;
  const char *rule; /* as the message says it */
} Bad;

#define X10 "xxxxxxxxxx"

static const Bad bads[] = {
  { "null", NULL, "There is no URI" },
  { "empty", "", "There is no URI" },
  { "no-scheme", "example.org/chat", "has no scheme" },
  { "relative", "/chat", "has no scheme" },
  { "http", "http://example.org/", "its scheme is “http”" },
  { "host-as-scheme", "localhost:80/", "its scheme is “localhost”" },
  { "no-slashes", "ws:example.org", "has no host" },
  { "no-host", "ws:///chat", "has no host" },
  { "no-host-but-port", "ws://:80/", "has no host" },
  { "no-host-but-user", "ws://user@/", "has no host" },
  { "port-0", "ws://example.org:0/", "port is no number from 1 to 65535" },
  { "port-65536", "ws://example.org:65536/", "port is no number from 1 to 65535" },
  { "port-text", "ws://example.org:http/", "port is no number from 1 to 65535" },
  { "port-negative", "ws://example.org:-1/", "port is no number from 1 to 65535" },
  { "fragment", "ws://example.org/#here", "has a fragment" },
  { "empty-fragment", "ws://example.org/#", "has a fragment" },
  { "space", "ws://example.org/a b", "white space or control characters" },
  { "space-before", " ws://example.org/", "white space or control characters" },
  { "line-feed", "ws://example.org/a\nb", "white space or control characters" },
  { "tab", "ws://example.org/\t", "white space or control characters" },
  { "delete", "ws://example.org/\x7f", "white space or control characters" },
  { "escaped-space", "ws://exa%20mple.org/", "host is no valid name" },
  { "escaped-line-feed", "ws://exa%0D%0Ample.org/", "host is no valid name" },
  { "escaped-slash", "ws://example.org%2Fa/", "host is no valid name" },
  { "backslash", "ws://example.org\\a/", "host is no valid name" },
  { "bad-escape", "ws://exam%ple.org/", "host is malformed" },
  { "bad-utf8", "ws://exam\xffple.org/", "host is malformed" },
  { "ipv6-open", "ws://[::1/", "host is malformed" },
  { "ipv6-wrong", "ws://[::x]/", "host is malformed" },
  { "ipv6-bare", "ws://::1/", "port is no number from 1 to 65535" },
  { "ipv6-bad-utf8", "ws://[::\xff]/", "host is malformed" },
  { "escaped-twice", "ws://exam%2541ple.org/", "host is no valid name" },
  { "escaped-colon", "ws://example.org%3A81/", "no IPv6 address" },
  { "ipv6-future", "ws://[v1.a:b]/", "host is malformed" },
  { "colon-in-user", "ws://us%3Aer:x@example.org/", "user name has a colon" },
  { "unix-no-path", "ws+unix:", "no path of a Unix socket" },
  { "unix-only-request", "ws+unix::/chat", "no path of a Unix socket" },
  { "unix-host", "ws+unix://example.org/run/a:/", "it has a host" },
  { "unix-user", "ws+unix://user:word@/run/a:/", "it has a host" },
  { "unix-request", "ws+unix:/run/a:chat", "does not begin with a slash" },
  { "unix-nul", "ws+unix:/run/%00a:/", "not percent-encoded correctly" },
  { "unix-bad-escape", "ws+unix:/run/%zz:/", "not percent-encoded correctly" },
  { "unix-fragment", "ws+unix:/run/a:/#x", "has a fragment" },
  { "unix-long", "ws+unix:/" X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 "1234567:/", "more than 107 bytes" },
};

static void
test_bad (gconstpointer data)
{
  const Bad *bad = data;
  g_autoptr (GError) error = NULL;

  g_assert_null (s9ws_endpoint_parse (bad->uri, &error));
  g_assert_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_URI);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, bad->rule));
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
}

static void
test_no_secrets (void)
{
  static const char *const uris[] = {
    "ftp://user:SECRET@example.org/",
    "ws://user:SECRET@example.org:0/",
    "ws://user:SE/CRET@example.org/",
    "ws://user:SE#CRET@example.org/",
    "ws://user:SE?CRET@example.org/#x",
    "ws://user:SE@CRET@exa%20mple.org/",
    "ws+unix://user:SECRET@example.org/a:/",
    "ws://user:SECRET/CRET@example.org/",
    "ws://user:SECRET%@example.org/",
    "//user:SECRET@example.org/",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (uris); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (s9ws_endpoint_parse (uris[i], &error));
      g_assert_null (strstr (error->message, "SE"));
      g_assert_null (strstr (error->message, "CRET"));
      g_assert_null (strstr (error->message, "user:"));
    }
}

typedef struct
{
  const char *name;
  const char *uri;
  const char *location;
  const char *endpoint; /* NULL: refused */
  const char *rule;     /* why */
} Redirect;

#define AUTHORIZATION " Basic dTpw" /* u:p */

static const Redirect redirects[] = {
  { "path", "ws://u:p@a.example/x/y?z", "/b", "plain a.example 80 a.example /b own" AUTHORIZATION },
  { "relative", "ws://u:p@a.example/x/y?z", "b", "plain a.example 80 a.example /x/b own" AUTHORIZATION },
  { "parent", "ws://u:p@a.example/x/y/z", "../b?c", "plain a.example 80 a.example /x/b?c own" AUTHORIZATION },
  { "above-root", "ws://a.example/x", "../../b", "plain a.example 80 a.example /b own" },
  { "query", "ws://a.example/x/y?z", "?b", "plain a.example 80 a.example /x/y?b own" },
  { "empty", "ws://a.example/x?z", "", "plain a.example 80 a.example /x?z own" },
  { "fragment", "ws://a.example/x", "/b#c", "plain a.example 80 a.example /b own" },
  { "http", "ws://u:p@a.example/x", "http://a.example/b", "plain a.example 80 a.example /b own" AUTHORIZATION },
  { "ws", "ws://u:p@a.example/x", "ws://a.example/b", "plain a.example 80 a.example /b own" AUTHORIZATION },
  { "case", "ws://u:p@a.example/x", "HTTP://A.Example:80/b", "plain a.example 80 a.example /b own" AUTHORIZATION },
  { "https", "wss://u:p@a.example/x", "https://a.example/b", "tls a.example 443 a.example /b own" AUTHORIZATION },
  { "to-tls", "ws://u:p@a.example/x", "https://a.example/b", "tls a.example 443 a.example /b foreign" },
  { "host", "ws://u:p@a.example/x", "http://b.example/b", "plain b.example 80 b.example /b foreign" },
  { "network-path", "wss://u:p@a.example/x", "//b.example/b", "tls b.example 443 b.example /b foreign" },
  { "port", "ws://u:p@a.example/x", "http://a.example:81/b", "plain a.example 81 a.example:81 /b foreign" },
  { "credentials", "ws://u:p@a.example/x", "http://v:q@b.example/", "plain b.example 80 b.example / foreign Basic djpx" },
  { "ipv6", "ws://u:p@[::1]:81/x", "/b", "plain ::1 81 [::1]:81 /b own" AUTHORIZATION },
  { "zone", "ws://[fe80::1%25eth0]:81/x", "b", "plain fe80::1%eth0 81 [fe80::1]:81 /b own" },
  { "unix", "ws+unix:/run/a.sock:/x/y", "b", "plain localhost /run/a.sock localhost /x/b own" },
  { "unix-absolute", "ws+unix:/run/a.sock:/x/y", "http://localhost/b", "plain localhost /run/a.sock localhost /b own" },
  { "unix-away", "ws+unix:/run/a.sock:/x", "http://b.example/b", "plain b.example 80 b.example /b foreign" },
  { "unix-tls", "wss+unix:/run/a.sock:/x", "/b", "tls localhost /run/a.sock localhost /b own" },
  { "downgrade", "wss://a.example/", "http://a.example/", NULL, "must not lead from wss to ws" },
  { "downgrade-ws", "wss://a.example/", "ws://b.example/", NULL, "must not lead from wss to ws" },
  { "unix-downgrade", "wss+unix:/run/a.sock:/", "http://localhost/", NULL, "must not lead from wss to ws" },
  { "to-unix", "ws://a.example/", "ws+unix:/run/a.sock:/", NULL, "http, https, ws and wss only" },
  { "to-file", "ws://a.example/", "file:///etc/passwd", NULL, "http, https, ws and wss only" },
  { "no-host", "ws://a.example/", "http:///b", NULL, "no host" },
  { "port-0", "ws://a.example/", "http://b.example:0/", NULL, "port is no number from 1 to 65535" },
  { "bad-port", "ws://a.example/", "http://b.example:x/", NULL, "port is no number from 1 to 65535" },
  { "space", "ws://a.example/", "/a b", "plain a.example 80 a.example /a%20b own" },
  { "secret", "wss://a.example/", "http://v:SECRET@b.example/", NULL, "must not lead from wss to ws" },
};

static void
test_redirect (gconstpointer data)
{
  const Redirect *redirect = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (S9wsEndpoint) endpoint = s9ws_endpoint_parse (redirect->uri, &error);
  g_autoptr (S9wsEndpoint) next = NULL;

  g_assert_no_error (error);
  next = s9ws_endpoint_redirect (endpoint, redirect->location, &error);
  if (redirect->endpoint != NULL)
    {
      g_autofree char *description = NULL;

      g_assert_no_error (error);
      description = describe (next);
      g_assert_cmpstr (description, ==, redirect->endpoint);
      g_assert_cmpuint (next->n_redirects, ==, 1);
    }
  else
    {
      g_assert_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_URI);
      g_test_message ("%s", error->message);
      g_assert_nonnull (strstr (error->message, redirect->rule));
      g_assert_null (strstr (error->message, "SECRET"));
    }
}

/* Once away, coming back gives nothing back. */
static void
test_redirect_back (void)
{
  g_autoptr (S9wsEndpoint) first = s9ws_endpoint_parse ("ws://u:p@a.example/", NULL);
  g_autoptr (S9wsEndpoint) second = s9ws_endpoint_redirect (first, "http://b.example/", NULL);
  g_autoptr (S9wsEndpoint) third = s9ws_endpoint_redirect (second, "http://a.example/", NULL);

  g_assert_true (third->is_foreign);
  g_assert_null (third->authorization);
  g_assert_cmpuint (third->n_redirects, ==, 2);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (goods); i++)
    {
      g_autofree char *path = g_strconcat ("/endpoint/good/", goods[i].name, NULL);

      g_test_add_data_func (path, &goods[i], test_good);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (bads); i++)
    {
      g_autofree char *path = g_strconcat ("/endpoint/bad/", bads[i].name, NULL);

      g_test_add_data_func (path, &bads[i], test_bad);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (redirects); i++)
    {
      g_autofree char *path = g_strconcat ("/endpoint/redirect/", redirects[i].name, NULL);

      g_test_add_data_func (path, &redirects[i], test_redirect);
    }
  g_test_add_func ("/endpoint/no-secrets", test_no_secrets);
  g_test_add_func ("/endpoint/redirect-back", test_redirect_back);

  return g_test_run ();
}
