/* raw-gnutls.c: recv () and send (), or GnuTLS as its manual shows it
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "raw-transport.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <sys/socket.h>
#include <unistd.h>

uint64_t raw_n_reads;

static int fd;
static int flags;
static gnutls_session_t session; /* or NULL */
static gnutls_datum_t ticket;

void
raw_open (const BenchTask *task,
          int              connected_fd)
{
  static gnutls_certificate_credentials_t credentials;

  fd = connected_fd;
  if (!task->is_tls)
    return;

  if (credentials == NULL)
    {
      gnutls_certificate_allocate_credentials (&credentials);
      gnutls_certificate_set_x509_trust_file (credentials, task->ca_file, GNUTLS_X509_FMT_PEM);
    }
  gnutls_init (&session, GNUTLS_CLIENT);
  gnutls_set_default_priority (session);
  gnutls_credentials_set (session, GNUTLS_CRD_CERTIFICATE, credentials);
  gnutls_session_set_verify_cert (session, task->host, 0);
  gnutls_server_name_set (session, GNUTLS_NAME_DNS, "localhost", 9);
  gnutls_transport_set_int (session, fd);
  if (bench_variant_is (task, "resumed") && ticket.data != NULL)
    gnutls_session_set_data (session, ticket.data, ticket.size);
  if (gnutls_handshake (session) < 0)
    raw_die ("TLS");
}

void
raw_close (void)
{
  if (session != NULL)
    {
      /* What has been received by now has brought it. */
      gnutls_free (ticket.data);
      ticket.data = NULL;
      gnutls_session_get_data2 (session, &ticket);
      gnutls_deinit (session);
    }
  session = NULL;
  close (fd);
}

void
raw_stop_blocking (void)
{
  flags = MSG_DONTWAIT;
  if (session != NULL)
    fcntl (fd, F_SETFL, fcntl (fd, F_GETFL) | O_NONBLOCK);
}

static int
is_passing (ssize_t n)
{
  return n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED;
}

size_t
raw_read (void   *buffer,
          size_t  size)
{
  ssize_t n;

  raw_n_reads++;
  if (session == NULL)
    {
      n = recv (fd, buffer, size, flags);
      if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    }
  else
    {
      n = gnutls_record_recv (session, buffer, size);
      if (is_passing (n))
        return 0;
    }

  if (n <= 0)
    raw_die ("reading");
  return (size_t) n;
}

void
raw_write (const void *data,
           size_t      size)
{
  const char *p = data;

  while (size > 0)
    {
      ssize_t n = session == NULL ? send (fd, p, size, MSG_NOSIGNAL) : gnutls_record_send (session, p, size);

      if (session != NULL && is_passing (n))
        continue;
      if (n < 0)
        raw_die ("writing");
      p += n;
      size -= (size_t) n;
    }
}
