/* test-peer.c: the bytes, the TLS and the end of a test server's connection
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "test-peer-private.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE 65536

TestPeer *
test_peer_new (int   fd,
               guint number)
{
  TestPeer *peer = g_new0 (TestPeer, 1);

  peer->fd = fd;
  peer->number = number;
  peer->input = g_string_new (NULL);
  peer->request = g_string_new (NULL);
  peer->values = g_ptr_array_new_with_free_func (g_free);
  peer->payload = g_string_new (NULL);

  return peer;
}

/* The server closes the descriptor, under its lock. */
void
test_peer_free (TestPeer *peer)
{
  if (peer->session != NULL)
    gnutls_deinit (peer->session);
  g_free (peer->server_name);
  g_string_free (peer->input, TRUE);
  g_string_free (peer->request, TRUE);
  g_ptr_array_unref (peer->values);
  g_string_free (peer->payload, TRUE);
  g_free (peer);
}

gboolean
test_peer_fail (TestPeer *peer,
                TestEnd   end)
{
  if (peer->end == TEST_END_NONE)
    peer->end = end;

  return FALSE;
}

static TestEnd
end_of_errno (int code)
{
  switch (code)
    {
    case EAGAIN:
      return TEST_END_TIMEOUT;
    case ECONNRESET:
    case EPIPE:
      return TEST_END_RESET;
    default:
      return TEST_END_BROKEN;
    }
}

/* Of what a GnuTLS call returned; errno is still that of its system call. */
static TestEnd
end_of_gnutls (gssize result)
{
  switch (result)
    {
    case 0:
      return TEST_END_EOF;
    case GNUTLS_E_PREMATURE_TERMINATION:
      return errno == ECONNRESET ? TEST_END_RESET : TEST_END_TRUNCATED;
    case GNUTLS_E_AGAIN:
      return TEST_END_TIMEOUT;
    case GNUTLS_E_FATAL_ALERT_RECEIVED:
      return TEST_END_ALERT;
    case GNUTLS_E_PULL_ERROR:
    case GNUTLS_E_PUSH_ERROR:
      return end_of_errno (errno);
    default:
      return TEST_END_BROKEN;
    }
}

/* The client learns why: what it has sent is read, so that no RST overtakes the
 * alert. */
static void
refuse_tls (TestPeer *peer,
            int       result)
{
  char buffer[4096];

  peer->tls_failed = TRUE;
  gnutls_alert_send_appropriate (peer->session, result);
  shutdown (peer->fd, SHUT_WR);
  if (peer->end != TEST_END_TIMEOUT)
    while (recv (peer->fd, buffer, sizeof buffer, 0) > 0)
      continue;
}

gboolean
test_peer_start_tls (TestPeer *peer)
{
  char name[256];
  size_t size = sizeof name;
  unsigned type;
  int result;

  g_assert_nonnull (peer->credentials);
  g_assert_null (peer->session);
  g_assert_cmpuint (peer->consumed, ==, peer->input->len);

  if (peer->end != TEST_END_NONE)
    return FALSE;

  gnutls_init (&peer->session, GNUTLS_SERVER | GNUTLS_NO_SIGNAL);
  result = gnutls_priority_set_direct (peer->session, peer->priority, NULL);
  g_assert_cmpint (result, ==, 0);
  gnutls_credentials_set (peer->session, GNUTLS_CRD_CERTIFICATE, peer->credentials);
  gnutls_session_ticket_enable_server (peer->session, peer->ticket_key);
  if (peer->requires_certificate)
    {
      gnutls_certificate_server_set_request (peer->session, GNUTLS_CERT_REQUIRE);
      gnutls_session_set_verify_cert (peer->session, NULL, 0);
    }
  gnutls_transport_set_int (peer->session, peer->fd);

  do
    {
      errno = 0;
      result = gnutls_handshake (peer->session);
    }
  while (result < 0 && !gnutls_error_is_fatal (result) && result != GNUTLS_E_AGAIN);

  if (result < 0)
    {
      test_peer_fail (peer, end_of_gnutls (result));
      refuse_tls (peer, result);

      return FALSE;
    }

  if (gnutls_server_name_get (peer->session, name, &size, &type, 0) == 0 && type == GNUTLS_NAME_DNS)
    peer->server_name = g_strndup (name, size);

  return TRUE;
}

/* At least one byte, or 0 with the end noted. */
static gsize
receive (TestPeer *peer,
         gpointer  buffer,
         gsize     size)
{
  gssize result;

  if (peer->end != TEST_END_NONE)
    return 0;

  do
    {
      errno = 0;
      if (peer->session != NULL)
        result = gnutls_record_recv (peer->session, buffer, size);
      else
        result = recv (peer->fd, buffer, size, 0);
    }
  while (result < 0 && (peer->session != NULL
                          /* New keys, too, say "again", and have no part in errno. */
                          ? !gnutls_error_is_fatal (result) && (result != GNUTLS_E_AGAIN || errno == 0)
                          : errno == EINTR));

  if (result > 0)
    return (gsize) result;

  if (peer->session != NULL)
    test_peer_fail (peer, end_of_gnutls (result));
  else
    test_peer_fail (peer, result == 0 ? TEST_END_EOF : end_of_errno (errno));

  return 0;
}

static gsize
take (TestPeer *peer,
      gpointer  buffer,
      gsize     size)
{
  gsize n = MIN (size, peer->input->len - peer->consumed);

  memcpy (buffer, peer->input->str + peer->consumed, n);
  peer->consumed += n;

  return n;
}

gboolean
test_peer_read_all (TestPeer *peer,
                    gpointer  buffer,
                    gsize     size)
{
  char *bytes = buffer;
  gsize n = take (peer, bytes, size);

  while (n < size)
    {
      gsize received;

      /* What is short is read with what follows it, what is long in place. */
      if (size - n < READ_SIZE)
        {
          g_string_set_size (peer->input, READ_SIZE);
          received = receive (peer, peer->input->str, READ_SIZE);
          g_string_truncate (peer->input, received);
          peer->consumed = 0;
          n += take (peer, bytes + n, size - n);
        }
      else
        {
          received = receive (peer, bytes + n, size - n);
          n += received;
        }

      if (received == 0)
        return FALSE;
    }

  return TRUE;
}

gsize
test_peer_read (TestPeer *peer,
                gpointer  buffer,
                gsize     size)
{
  gsize n = take (peer, buffer, size);

  return n > 0 ? n : receive (peer, buffer, size);
}

gboolean
test_peer_send (TestPeer      *peer,
                gconstpointer  data,
                gsize          size)
{
  const char *bytes = data;
  gsize sent = 0;

  if (peer->end != TEST_END_NONE || peer->sent_fin)
    return FALSE;

  while (sent < size)
    {
      gssize result;

      errno = 0;
      if (peer->session != NULL)
        result = gnutls_record_send (peer->session, bytes + sent, size - sent);
      else
        result = send (peer->fd, bytes + sent, size - sent, MSG_NOSIGNAL);

      if (result > 0)
        sent += (gsize) result;
      else if (peer->session != NULL && result != GNUTLS_E_INTERRUPTED)
        return test_peer_fail (peer, end_of_gnutls (result));
      else if (peer->session == NULL && errno != EINTR)
        return test_peer_fail (peer, end_of_errno (errno));
    }

  return TRUE;
}

gboolean
test_peer_send_string (TestPeer   *peer,
                       const char *text)
{
  return test_peer_send (peer, text, strlen (text));
}

gboolean
test_peer_send_slowly (TestPeer      *peer,
                       gconstpointer  data,
                       gsize          size)
{
  const char *bytes = data;

  for (gsize i = 0; i < size; i++)
    if (!test_peer_send (peer, bytes + i, 1))
      return FALSE;

  return TRUE;
}

gboolean
test_peer_half_close (TestPeer *peer)
{
  if (peer->end != TEST_END_NONE || peer->sent_fin)
    return FALSE;

  peer->sent_fin = TRUE;
  if (peer->session != NULL)
    gnutls_bye (peer->session, GNUTLS_SHUT_WR);

  return shutdown (peer->fd, SHUT_WR) == 0 || test_peer_fail (peer, end_of_errno (errno));
}

TestEnd
test_peer_wait_end (TestPeer *peer)
{
  g_autofree char *buffer = g_malloc (READ_SIZE);

  while (receive (peer, buffer, READ_SIZE) > 0)
    continue;

  return peer->end;
}

TestEnd
test_peer_truncate (TestPeer *peer)
{
  if (peer->end == TEST_END_NONE && !peer->sent_fin)
    {
      peer->sent_fin = TRUE;
      shutdown (peer->fd, SHUT_WR);
    }

  return test_peer_wait_end (peer);
}

void
test_peer_reset (TestPeer *peer)
{
  const struct linger linger = { .l_onoff = 1, .l_linger = 0 };
  const struct sockaddr nothing = { .sa_family = AF_UNSPEC };

  test_peer_fail (peer, TEST_END_OURS);

  /* Dissolving the connection sends the RST now; the descriptor stays the
   * server's, which closes it under its lock. */
  setsockopt (peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  if (connect (peer->fd, &nothing, sizeof nothing) != 0)
    g_error ("Cannot reset a connection: %s", g_strerror (errno));
}

void
test_peer_finish (TestPeer *peer)
{
  if (peer->end == TEST_END_NONE)
    {
      test_peer_half_close (peer);
      test_peer_wait_end (peer);
    }
}

TestEnd
test_peer_get_end (TestPeer *peer)
{
  return peer->end;
}

guint
test_peer_get_number (TestPeer *peer)
{
  return peer->number;
}

int
test_peer_get_fd (TestPeer *peer)
{
  return peer->fd;
}

gpointer
test_peer_get_tls_session (TestPeer *peer)
{
  return peer->session;
}

const char *
test_peer_get_server_name (TestPeer *peer)
{
  return peer->server_name;
}

gboolean
test_peer_is_resumed (TestPeer *peer)
{
  return peer->session != NULL && gnutls_session_is_resumed (peer->session);
}
