/* raw-openssl.c: OpenSSL as its manual shows it
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "raw-transport.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <unistd.h>

uint64_t raw_n_reads;

static int fd;
static SSL *ssl;
static SSL_SESSION *ticket;

void
raw_open (const BenchTask *task,
          int              connected_fd)
{
  static SSL_CTX *context;

  fd = connected_fd;
  if (context == NULL)
    {
      context = SSL_CTX_new (TLS_client_method ());
      SSL_CTX_load_verify_locations (context, task->ca_file, NULL);
      SSL_CTX_set_verify (context, SSL_VERIFY_PEER, NULL);
      SSL_CTX_set_mode (context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
      /* "can make data transfer more efficient": SSL_CTX_set_read_ahead (3). */
      SSL_CTX_set_read_ahead (context, 1);
    }
  ssl = SSL_new (context);
  SSL_set1_host (ssl, task->host);
  SSL_set_tlsext_host_name (ssl, task->host);
  SSL_set_fd (ssl, fd);
  if (bench_variant_is (task, "resumed") && ticket != NULL)
    SSL_set_session (ssl, ticket);
  if (SSL_connect (ssl) != 1)
    raw_die ("TLS");
}

void
raw_close (void)
{
  SSL_SESSION_free (ticket);
  ticket = SSL_get1_session (ssl);
  SSL_set_shutdown (ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free (ssl);
  close (fd);
}

void
raw_stop_blocking (void)
{
  fcntl (fd, F_SETFL, fcntl (fd, F_GETFL) | O_NONBLOCK);
}

static int
is_passing (int n)
{
  int error = SSL_get_error (ssl, n);

  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

size_t
raw_read (void   *buffer,
          size_t  size)
{
  size_t n;
  int result;

  raw_n_reads++;
  result = SSL_read_ex (ssl, buffer, size, &n);
  if (result == 1)
    return n;

  if (!is_passing (result))
    raw_die ("reading");
  return 0;
}

void
raw_write (const void *data,
           size_t      size)
{
  const char *p = data;

  while (size > 0)
    {
      size_t n;
      int result = SSL_write_ex (ssl, p, size, &n);

      if (result != 1)
        {
          if (!is_passing (result))
            raw_die ("writing");
          continue;
        }
      p += n;
      size -= n;
    }
}
