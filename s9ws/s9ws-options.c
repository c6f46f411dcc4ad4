/* s9ws-options.c: how to connect, to wait and to limit
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "config.h"

#include "s9ws-options-private.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "s9ws-translation.h"

/* What a timer can hold without overflowing once it is added to the time. */
#define MAX_DURATION (G_GUINT64_CONSTANT (365) * 24 * 3600 * G_USEC_PER_SEC)

/**
 * S9wsOptions:
 *
 * How a client connects, waits and limits.
 *
 * One object may be shared by any number of clients. A client reads it when it
 * opens; what is changed later has no effect on it. Values that are out of their range
 * or contradict each other make opening fail with
 * %S9WS_ERROR_INVALID_CONFIGURATION, naming the option.
 *
 * An options object may be used by one thread at a time.
 *
 * Since: 0.1
 */
struct _S9wsOptions
{
  GObject parent_instance;

  gboolean nodelay;
  guint ttl;
  guint64 spin_wait_duration;
  S9wsWaitStrategy wait_strategy;
  guint64 read_timeout;
  guint64 write_timeout;
  guint connect_timeout;
  guint handshake_timeout;
  guint close_timeout;
  guint64 max_message_size;
  guint64 max_buffered_amount;
  guint64 max_queued_bytes;
  guint ping_interval;
  guint pong_timeout;
  char **protocols;
  gboolean compression;
  guint compression_level;
  guint64 compression_threshold;
  guint64 max_piece_size;
  guint client_max_window_bits;
  guint server_max_window_bits;
  gboolean client_no_context_takeover;
  gboolean server_no_context_takeover;
  guint max_redirects;
  GProxyResolver *proxy_resolver;
  S9wsTlsContext *tls_context;
  GSocketAddress *local_address;
  char *host_header;

  GPtrArray *headers; /* of char *, names and values in turn */
};

enum
{
  PROP_NODELAY = 1,
  PROP_TTL,
  PROP_SPIN_WAIT_DURATION,
  PROP_WAIT_STRATEGY,
  PROP_READ_TIMEOUT,
  PROP_WRITE_TIMEOUT,
  PROP_CONNECT_TIMEOUT,
  PROP_HANDSHAKE_TIMEOUT,
  PROP_CLOSE_TIMEOUT,
  PROP_MAX_MESSAGE_SIZE,
  PROP_MAX_BUFFERED_AMOUNT,
  PROP_MAX_QUEUED_BYTES,
  PROP_PING_INTERVAL,
  PROP_PONG_TIMEOUT,
  PROP_PROTOCOLS,
  PROP_COMPRESSION,
  PROP_COMPRESSION_LEVEL,
  PROP_COMPRESSION_THRESHOLD,
  PROP_MAX_PIECE_SIZE,
  PROP_CLIENT_MAX_WINDOW_BITS,
  PROP_SERVER_MAX_WINDOW_BITS,
  PROP_CLIENT_NO_CONTEXT_TAKEOVER,
  PROP_SERVER_NO_CONTEXT_TAKEOVER,
  PROP_MAX_REDIRECTS,
  PROP_PROXY_RESOLVER,
  PROP_TLS_CONTEXT,
  PROP_LOCAL_ADDRESS,
  PROP_HOST_HEADER,
  N_PROPERTIES
};

static GParamSpec *properties[N_PROPERTIES];

G_DEFINE_FINAL_TYPE (S9wsOptions, s9ws_options, G_TYPE_OBJECT)

static void
s9ws_options_get_property (GObject    *object,
                           guint       property_id,
                           GValue     *value,
                           GParamSpec *pspec)
{
  S9wsOptions *options = S9WS_OPTIONS (object);

  switch (property_id)
    {
    case PROP_NODELAY:
      g_value_set_boolean (value, options->nodelay);
      break;
    case PROP_TTL:
      g_value_set_uint (value, options->ttl);
      break;
    case PROP_SPIN_WAIT_DURATION:
      g_value_set_uint64 (value, options->spin_wait_duration);
      break;
    case PROP_WAIT_STRATEGY:
      g_value_set_enum (value, options->wait_strategy);
      break;
    case PROP_READ_TIMEOUT:
      g_value_set_uint64 (value, options->read_timeout);
      break;
    case PROP_WRITE_TIMEOUT:
      g_value_set_uint64 (value, options->write_timeout);
      break;
    case PROP_CONNECT_TIMEOUT:
      g_value_set_uint (value, options->connect_timeout);
      break;
    case PROP_HANDSHAKE_TIMEOUT:
      g_value_set_uint (value, options->handshake_timeout);
      break;
    case PROP_CLOSE_TIMEOUT:
      g_value_set_uint (value, options->close_timeout);
      break;
    case PROP_MAX_MESSAGE_SIZE:
      g_value_set_uint64 (value, options->max_message_size);
      break;
    case PROP_MAX_BUFFERED_AMOUNT:
      g_value_set_uint64 (value, options->max_buffered_amount);
      break;
    case PROP_MAX_QUEUED_BYTES:
      g_value_set_uint64 (value, options->max_queued_bytes);
      break;
    case PROP_PING_INTERVAL:
      g_value_set_uint (value, options->ping_interval);
      break;
    case PROP_PONG_TIMEOUT:
      g_value_set_uint (value, options->pong_timeout);
      break;
    case PROP_PROTOCOLS:
      g_value_set_boxed (value, options->protocols);
      break;
    case PROP_COMPRESSION:
      g_value_set_boolean (value, options->compression);
      break;
    case PROP_COMPRESSION_LEVEL:
      g_value_set_uint (value, options->compression_level);
      break;
    case PROP_COMPRESSION_THRESHOLD:
      g_value_set_uint64 (value, options->compression_threshold);
      break;
    case PROP_MAX_PIECE_SIZE:
      g_value_set_uint64 (value, options->max_piece_size);
      break;
    case PROP_CLIENT_MAX_WINDOW_BITS:
      g_value_set_uint (value, options->client_max_window_bits);
      break;
    case PROP_SERVER_MAX_WINDOW_BITS:
      g_value_set_uint (value, options->server_max_window_bits);
      break;
    case PROP_CLIENT_NO_CONTEXT_TAKEOVER:
      g_value_set_boolean (value, options->client_no_context_takeover);
      break;
    case PROP_SERVER_NO_CONTEXT_TAKEOVER:
      g_value_set_boolean (value, options->server_no_context_takeover);
      break;
    case PROP_MAX_REDIRECTS:
      g_value_set_uint (value, options->max_redirects);
      break;
    case PROP_PROXY_RESOLVER:
      g_value_set_object (value, options->proxy_resolver);
      break;
    case PROP_TLS_CONTEXT:
      g_value_set_object (value, options->tls_context);
      break;
    case PROP_LOCAL_ADDRESS:
      g_value_set_object (value, options->local_address);
      break;
    case PROP_HOST_HEADER:
      g_value_set_string (value, options->host_header);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
s9ws_options_set_property (GObject      *object,
                           guint         property_id,
                           const GValue *value,
                           GParamSpec   *pspec)
{
  S9wsOptions *options = S9WS_OPTIONS (object);

  switch (property_id)
    {
    case PROP_NODELAY:
      options->nodelay = g_value_get_boolean (value);
      break;
    case PROP_TTL:
      options->ttl = g_value_get_uint (value);
      break;
    case PROP_SPIN_WAIT_DURATION:
      options->spin_wait_duration = g_value_get_uint64 (value);
      break;
    case PROP_WAIT_STRATEGY:
      options->wait_strategy = g_value_get_enum (value);
      break;
    case PROP_READ_TIMEOUT:
      options->read_timeout = g_value_get_uint64 (value);
      break;
    case PROP_WRITE_TIMEOUT:
      options->write_timeout = g_value_get_uint64 (value);
      break;
    case PROP_CONNECT_TIMEOUT:
      options->connect_timeout = g_value_get_uint (value);
      break;
    case PROP_HANDSHAKE_TIMEOUT:
      options->handshake_timeout = g_value_get_uint (value);
      break;
    case PROP_CLOSE_TIMEOUT:
      options->close_timeout = g_value_get_uint (value);
      break;
    case PROP_MAX_MESSAGE_SIZE:
      options->max_message_size = g_value_get_uint64 (value);
      break;
    case PROP_MAX_BUFFERED_AMOUNT:
      options->max_buffered_amount = g_value_get_uint64 (value);
      break;
    case PROP_MAX_QUEUED_BYTES:
      options->max_queued_bytes = g_value_get_uint64 (value);
      break;
    case PROP_PING_INTERVAL:
      options->ping_interval = g_value_get_uint (value);
      break;
    case PROP_PONG_TIMEOUT:
      options->pong_timeout = g_value_get_uint (value);
      break;
    case PROP_PROTOCOLS:
      g_strfreev (options->protocols);
      options->protocols = g_value_dup_boxed (value);
      break;
    case PROP_COMPRESSION:
      options->compression = g_value_get_boolean (value);
      break;
    case PROP_COMPRESSION_LEVEL:
      options->compression_level = g_value_get_uint (value);
      break;
    case PROP_COMPRESSION_THRESHOLD:
      options->compression_threshold = g_value_get_uint64 (value);
      break;
    case PROP_MAX_PIECE_SIZE:
      options->max_piece_size = g_value_get_uint64 (value);
      break;
    case PROP_CLIENT_MAX_WINDOW_BITS:
      options->client_max_window_bits = g_value_get_uint (value);
      break;
    case PROP_SERVER_MAX_WINDOW_BITS:
      options->server_max_window_bits = g_value_get_uint (value);
      break;
    case PROP_CLIENT_NO_CONTEXT_TAKEOVER:
      options->client_no_context_takeover = g_value_get_boolean (value);
      break;
    case PROP_SERVER_NO_CONTEXT_TAKEOVER:
      options->server_no_context_takeover = g_value_get_boolean (value);
      break;
    case PROP_MAX_REDIRECTS:
      options->max_redirects = g_value_get_uint (value);
      break;
    case PROP_PROXY_RESOLVER:
      g_set_object (&options->proxy_resolver, g_value_get_object (value));
      break;
    case PROP_TLS_CONTEXT:
      g_set_object (&options->tls_context, g_value_get_object (value));
      break;
    case PROP_LOCAL_ADDRESS:
      g_set_object (&options->local_address, g_value_get_object (value));
      break;
    case PROP_HOST_HEADER:
      g_free (options->host_header);
      options->host_header = g_value_dup_string (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
s9ws_options_finalize (GObject *object)
{
  S9wsOptions *options = S9WS_OPTIONS (object);

  g_strfreev (options->protocols);
  g_clear_object (&options->proxy_resolver);
  g_clear_object (&options->tls_context);
  g_clear_object (&options->local_address);
  g_free (options->host_header);
  g_ptr_array_unref (options->headers);

  G_OBJECT_CLASS (s9ws_options_parent_class)->finalize (object);
}

static void
s9ws_options_class_init (S9wsOptionsClass *klass)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_CONSTRUCT | G_PARAM_STATIC_STRINGS;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = s9ws_options_get_property;
  object_class->set_property = s9ws_options_set_property;
  object_class->finalize = s9ws_options_finalize;

  s9ws_bind_translations ();

  /**
   * S9wsOptions:nodelay:
   *
   * Whether small messages leave at once (`TCP_NODELAY`).
   *
   * Since: 0.1
   */
  properties[PROP_NODELAY] =
    g_param_spec_boolean ("nodelay", NULL, NULL,
                          TRUE,
                          flags);

  /**
   * S9wsOptions:ttl:
   *
   * The time to live, or hop limit, of packets sent, 1 to 255; 0 leaves it to the system.
   *
   * Since: 0.1
   */
  properties[PROP_TTL] =
    g_param_spec_uint ("ttl", NULL, NULL,
                       0, G_MAXUINT, 0,
                       flags);

  /**
   * S9wsOptions:spin-wait-duration:
   *
   * How long to spin, sleep or wait, in µs; what it means depends on
   * [property@S9ws.Options:wait-strategy]. 0 means none.
   *
   * Since: 0.1
   */
  properties[PROP_SPIN_WAIT_DURATION] =
    g_param_spec_uint64 ("spin-wait-duration", NULL, NULL,
                         0, G_MAXUINT64, 0,
                         flags);

  /**
   * S9wsOptions:wait-strategy:
   *
   * What to do when the socket has nothing to read. Without effect on
   * [class@S9ws.BlockingClient].
   *
   * Since: 0.1
   */
  properties[PROP_WAIT_STRATEGY] =
    g_param_spec_enum ("wait-strategy", NULL, NULL,
                       S9WS_TYPE_WAIT_STRATEGY, S9WS_WAIT_STRATEGY_DEFAULT,
                       flags);

  /**
   * S9wsOptions:read-timeout:
   *
   * How long [class@S9ws.BlockingClient] waits for data before it emits
   * [signal@S9ws.Client::idle], in µs; 0 means for ever. Without effect on the
   * other clients.
   *
   * Since: 0.1
   */
  properties[PROP_READ_TIMEOUT] =
    g_param_spec_uint64 ("read-timeout", NULL, NULL,
                         0, G_MAXUINT64, 0,
                         flags);

  /**
   * S9wsOptions:write-timeout:
   *
   * How long a send of [class@S9ws.BlockingClient] waits for the socket to take
   * the whole message, in µs; 0 means as long as it takes. What has not been taken
   * by then is kept and sent as soon as the socket takes it, as on the other clients,
   * where this is without effect.
   *
   * Since: 0.1
   */
  properties[PROP_WRITE_TIMEOUT] =
    g_param_spec_uint64 ("write-timeout", NULL, NULL,
                         0, G_MAXUINT64, 0,
                         flags);

  /**
   * S9wsOptions:connect-timeout:
   *
   * How long resolving and connecting may take, proxies included, in ms; 0 means
   * for ever.
   *
   * Since: 0.1
   */
  properties[PROP_CONNECT_TIMEOUT] =
    g_param_spec_uint ("connect-timeout", NULL, NULL,
                       0, G_MAXUINT, 30000,
                       flags);

  /**
   * S9wsOptions:handshake-timeout:
   *
   * How long TLS and the upgrade together may take, in ms; 0 means for ever.
   *
   * Since: 0.1
   */
  properties[PROP_HANDSHAKE_TIMEOUT] =
    g_param_spec_uint ("handshake-timeout", NULL, NULL,
                       0, G_MAXUINT, 30000,
                       flags);

  /**
   * S9wsOptions:close-timeout:
   *
   * How long the server's answer to a close is waited for, in ms; 0 means for ever.
   * A connection that the server cuts off meanwhile counts as not answered, too, which
   * is no error: [signal@S9ws.Client::connection-closed] comes with 1006.
   *
   * Since: 0.1
   */
  properties[PROP_CLOSE_TIMEOUT] =
    g_param_spec_uint ("close-timeout", NULL, NULL,
                       0, G_MAXUINT, 5000,
                       flags);

  /**
   * S9wsOptions:max-message-size:
   *
   * The largest message to accept, in bytes; a larger one ends the connection
   * with code 1009 and %S9WS_ERROR_MESSAGE_TOO_BIG. 0 means no limit.
   *
   * Since: 0.1
   */
  properties[PROP_MAX_MESSAGE_SIZE] =
    g_param_spec_uint64 ("max-message-size", NULL, NULL,
                         0, G_MAXUINT64, G_GUINT64_CONSTANT (64) * 1024 * 1024,
                         flags);

  /**
   * S9wsOptions:max-piece-size:
   *
   * If it is not 0, messages are not put together: what has arrived of a text or binary
   * message is delivered at once, as [signal@S9ws.Client::message-piece], in pieces of at
   * most this many bytes.
   *
   * The memory for a message is bounded by its pieces then, whether it is compressed or
   * not, and [property@S9ws.Options:max-message-size] goes on bounding its length: set that
   * to 0 for messages of any length.
   *
   * Since: 0.1
   */
  properties[PROP_MAX_PIECE_SIZE] =
    g_param_spec_uint64 ("max-piece-size", NULL, NULL,
                         0, G_MAXUINT64, 0,
                         flags);

  /**
   * S9wsOptions:max-buffered-amount:
   *
   * How much may be kept that the socket has not taken yet, in bytes, the message
   * to be sent included; past it sending fails with %S9WS_ERROR_BUFFER_FULL. 0 means
   * no limit.
   *
   * Since: 0.1
   */
  properties[PROP_MAX_BUFFERED_AMOUNT] =
    g_param_spec_uint64 ("max-buffered-amount", NULL, NULL,
                         0, G_MAXUINT64, G_GUINT64_CONSTANT (64) * 1024 * 1024,
                         flags);

  /**
   * S9wsOptions:max-queued-bytes:
   *
   * How much memory the events that [class@S9ws.AsyncClient] queues may take, in bytes;
   * past it, it stops reading until events are taken off, so that TCP holds the server
   * back and nothing is dropped. 0 means no limit.
   *
   * Long before that, where hundreds of events are queued that take 1.5 MiB, it pauses
   * between two reads, for 1 ms at most: what comes faster than events are taken off waits
   * in the socket, where it takes no new memory.
   *
   * Once the client is closing, 16 MiB more may be queued, so that the server's answer,
   * which comes behind all that it sent before, is read even if nobody takes events off.
   *
   * Since: 0.1
   */
  properties[PROP_MAX_QUEUED_BYTES] =
    g_param_spec_uint64 ("max-queued-bytes", NULL, NULL,
                         0, G_MAXUINT64, G_GUINT64_CONSTANT (64) * 1024 * 1024,
                         flags);

  /**
   * S9wsOptions:ping-interval:
   *
   * How often to send a ping, in ms; 0 means never (RFC 6455, section 5.5.2).
   *
   * The client sends them by itself while the connection is open. Their payload is
   * `s9ws` and a number of four bytes; their pongs are emitted like all others, and
   * what they tell is in [struct@S9ws.Stats]. No ping is put behind what the socket has
   * not taken yet. A machine that wakes from suspension sends one at once.
   * [class@S9ws.BlockingClient] then waits for the time, too, which costs it a system call
   * more for each read.
   *
   * Since: 0.1
   */
  properties[PROP_PING_INTERVAL] =
    g_param_spec_uint ("ping-interval", NULL, NULL,
                       0, G_MAXUINT, 0,
                       flags);

  /**
   * S9wsOptions:pong-timeout:
   *
   * How long after such a ping something has to come from the server, in ms; 0 means
   * that nothing has to. Needs [property@S9ws.Options:ping-interval].
   *
   * Any byte is a sign of life, and so is any that the socket takes of what it had left.
   * Where there is none, the connection ends with %S9WS_ERROR_TIMED_OUT and code 1006.
   * On Linux what the server does not acknowledge for as long ends it, too
   * (`TCP_USER_TIMEOUT`), so that nobody waits for ever to send.
   *
   * Since: 0.1
   */
  properties[PROP_PONG_TIMEOUT] =
    g_param_spec_uint ("pong-timeout", NULL, NULL,
                       0, G_MAXUINT, 0,
                       flags);

  /**
   * S9wsOptions:protocols:
   *
   * The subprotocols to ask for, the most wanted first (RFC 6455, section 1.9).
   *
   * Since: 0.1
   */
  properties[PROP_PROTOCOLS] =
    g_param_spec_boxed ("protocols", NULL, NULL,
                        G_TYPE_STRV,
                        flags);

  /**
   * S9wsOptions:compression:
   *
   * Whether to offer permessage-deflate (RFC 7692), which compresses messages both ways if
   * the server agrees.
   *
   * Compressing costs some 300 KiB while messages come and go, and time for each of them.
   * Where secrets and what others choose share a message, its compressed size tells of the
   * secrets: such messages are sent with [property@S9ws.Client:compress] turned off.
   *
   * Since: 0.1
   */
  properties[PROP_COMPRESSION] =
    g_param_spec_boolean ("compression", NULL, NULL,
                          TRUE,
                          flags);

  /**
   * S9wsOptions:compression-level:
   *
   * How hard to compress what is sent: 1 is fastest, 9 is smallest.
   *
   * Since: 0.1
   */
  properties[PROP_COMPRESSION_LEVEL] =
    g_param_spec_uint ("compression-level", NULL, NULL,
                       1, 9, 6,
                       flags);

  /**
   * S9wsOptions:compression-threshold:
   *
   * The size from which on messages are compressed, in bytes; shorter ones are sent as they
   * are. An empty message is never compressed.
   *
   * Since: 0.1
   */
  properties[PROP_COMPRESSION_THRESHOLD] =
    g_param_spec_uint64 ("compression-threshold", NULL, NULL,
                         0, G_MAXUINT64, 1024,
                         flags);

  /**
   * S9wsOptions:client-max-window-bits:
   *
   * How far back what is sent may refer, as the binary logarithm of a number of bytes
   * (RFC 7692, section 7.1.2.2). Less needs less memory and compresses less. The server may
   * ask for less still: with 8, which zlib cannot do, there are no references but to the
   * byte before.
   *
   * Since: 0.1
   */
  properties[PROP_CLIENT_MAX_WINDOW_BITS] =
    g_param_spec_uint ("client-max-window-bits", NULL, NULL,
                       9, 15, 15,
                       flags);

  /**
   * S9wsOptions:server-max-window-bits:
   *
   * How far back what is received may refer, as the binary logarithm of a number of bytes
   * (RFC 7692, section 7.1.2.1). A server that compresses, but does not keep to less than
   * 15, is refused.
   *
   * Since: 0.1
   */
  properties[PROP_SERVER_MAX_WINDOW_BITS] =
    g_param_spec_uint ("server-max-window-bits", NULL, NULL,
                       9, 15, 15,
                       flags);

  /**
   * S9wsOptions:client-no-context-takeover:
   *
   * Whether each message that is sent is compressed without reference to those before it
   * (RFC 7692, section 7.1.1.2). The server may ask for that, too.
   *
   * Since: 0.1
   */
  properties[PROP_CLIENT_NO_CONTEXT_TAKEOVER] =
    g_param_spec_boolean ("client-no-context-takeover", NULL, NULL,
                          FALSE,
                          flags);

  /**
   * S9wsOptions:server-no-context-takeover:
   *
   * Whether the server must compress each message without reference to those before it
   * (RFC 7692, section 7.1.1.1), so that no memory is kept between them. A server that
   * compresses, but does not agree to this, is refused.
   *
   * Since: 0.1
   */
  properties[PROP_SERVER_NO_CONTEXT_TAKEOVER] =
    g_param_spec_boolean ("server-no-context-takeover", NULL, NULL,
                          FALSE,
                          flags);

  /**
   * S9wsOptions:max-redirects:
   *
   * How many redirects of the upgrade to follow (RFC 9110, section 15.4): answers with
   * status 301, 302, 303, 307 or 308. With 0 a redirect is a refusal, whose message
   * names the location.
   *
   * Locations of `http` and `https` mean `ws` and `wss`. A redirect never leads from
   * `wss` to `ws`, nor to a Unix socket. Once it has left the scheme, host and port that
   * the client was opened for, the user's name and password in the URI, the headers
   * Authorization and Cookie and those that begin with Proxy- are not sent any more,
   * nor is [property@S9ws.Options:host-header]; other headers are. A
   * [property@S9ws.TlsContext:server-name] is expected of every server on the way.
   *
   * The timeouts begin anew with each redirect. What cannot be followed fails with
   * %S9WS_ERROR_HANDSHAKE. [method@S9ws.Client.get_response_status] and its like tell of
   * the last answer; [property@S9ws.Client:uri] stays as it was.
   *
   * Since: 0.1
   */
  properties[PROP_MAX_REDIRECTS] =
    g_param_spec_uint ("max-redirects", NULL, NULL,
                       0, G_MAXUINT, 0,
                       flags);

  /**
   * S9wsOptions:proxy-resolver:
   *
   * Who knows which proxy to use, or %NULL for the system's.
   *
   * It is asked for a proxy to `http://` for a `ws` URI and to `https://` for a `wss`
   * one, on the thread that opens. Proxies may be `http://` ones, which are asked to
   * CONNECT for both (RFC 9110, section 9.3.6), and `socks5://`, `socks4a://` or
   * `socks4://` ones; a user's name and password in the proxy's URI are sent to it,
   * to a `http://` proxy as Basic credentials. A proxy that is itself reached by TLS
   * (`https://`) fails with %S9WS_ERROR_CONNECT, and so does one that refuses; the
   * message names the proxy, without the password. `direct://` means none.
   *
   * [class@Gio.SimpleProxyResolver] is a resolver for a proxy that the program knows.
   * The system's is [func@Gio.ProxyResolver.get_default]; with glib-networking it
   * follows the desktop's settings or the variables `http_proxy`, `https_proxy` and
   * `no_proxy` of the environment.
   *
   * A resolver of the program's own may implement the asynchronous functions, for which
   * cancelling and [property@S9ws.Options:connect-timeout] hold even if they never answer,
   * or [vfunc@Gio.ProxyResolver.lookup] alone, which has to come back by itself.
   *
   * Since: 0.1
   */
  properties[PROP_PROXY_RESOLVER] =
    g_param_spec_object ("proxy-resolver", NULL, NULL,
                         G_TYPE_PROXY_RESOLVER,
                         flags);

  /**
   * S9wsOptions:tls-context:
   *
   * Trust, certificates and session tickets for `wss`, or %NULL for one that all
   * clients of the process share.
   *
   * Since: 0.1
   */
  properties[PROP_TLS_CONTEXT] =
    g_param_spec_object ("tls-context", NULL, NULL,
                         S9WS_TYPE_TLS_CONTEXT,
                         flags);

  /**
   * S9wsOptions:local-address:
   *
   * The address of this machine to connect from, a [class@Gio.InetSocketAddress], or
   * %NULL for any. Port 0 stands for any port. Servers, or proxies, are tried at
   * addresses of its family only. Without effect on Unix sockets.
   *
   * Since: 0.1
   */
  properties[PROP_LOCAL_ADDRESS] =
    g_param_spec_object ("local-address", NULL, NULL,
                         G_TYPE_SOCKET_ADDRESS,
                         flags);

  /**
   * S9wsOptions:host-header:
   *
   * The value of the header Host (RFC 9110, section 7.2), a name or address with a port
   * or without; %NULL for what the URI says, which is `localhost` for Unix sockets.
   *
   * It changes neither whom is connected to nor the name that a certificate is expected
   * to have; see [property@S9ws.TlsContext:server-name] for that.
   *
   * Since: 0.1
   */
  properties[PROP_HOST_HEADER] =
    g_param_spec_string ("host-header", NULL, NULL,
                         NULL,
                         flags);

  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
}

static void
s9ws_options_init (S9wsOptions *options)
{
  options->headers = g_ptr_array_new_with_free_func (g_free);
}

static gboolean
check_duration (const char  *name,
                guint64      duration,
                GError     **error)
{
  if (duration <= MAX_DURATION)
    return TRUE;

  g_set_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION,
               _("The option %s is %llu µs, but must not exceed a year"), name, (unsigned long long) duration);
  return FALSE;
}

/* RFC 6455, section 4.1: tokens, each of them once. */
static gboolean
check_protocols (char   **protocols,
                 GError **error)
{
  for (gsize i = 0; protocols != NULL && protocols[i] != NULL; i++)
    {
      g_autofree char *escaped = g_strescape (protocols[i], NULL);

      if (!s9ws_is_token (protocols[i], strlen (protocols[i])))
        {
          g_set_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION,
                       _("The option protocols has “%s”, which is not a token as HTTP defines it"), escaped);
          return FALSE;
        }

      for (gsize j = 0; j < i; j++)
        if (strcmp (protocols[i], protocols[j]) == 0)
          {
            g_set_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION,
                         _("The option protocols has “%s” twice"), escaped);
            return FALSE;
          }
    }

  return TRUE;
}

/* RFC 3986, section 3.2.2 and 3.2.3: what a host and a port are made of. */
static gboolean
check_host_header (const char  *host_header,
                   GError     **error)
{
  static const char punctuation[] = "-._~%!$&'()*+,;=:[]";
  g_autofree char *escaped = NULL;
  gboolean is_fine = TRUE;

  if (host_header == NULL)
    return TRUE;

  for (const char *c = host_header; *c != '\0'; c++)
    is_fine = is_fine && (g_ascii_isalnum (*c) || strchr (punctuation, *c) != NULL);
  if (is_fine && *host_header != '\0')
    return TRUE;

  escaped = g_strescape (host_header, NULL);
  g_set_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION,
               _("The option host-header is “%s”; expected a host, with a port or without"), escaped);
  return FALSE;
}

static gboolean
check_local_address (GSocketAddress  *address,
                     GError         **error)
{
  if (address == NULL || G_IS_INET_SOCKET_ADDRESS (address))
    return TRUE;

  g_set_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION,
               _("The option local-address is a %s; expected an Internet address, a GInetSocketAddress"),
               G_OBJECT_TYPE_NAME (address));
  return FALSE;
}

static gboolean
check (S9wsOptions  *options,
       GError      **error)
{
  if (options->ttl > 255)
    {
      g_set_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION,
                   _("The option ttl is %u, but must be at most 255"), options->ttl);
      return FALSE;
    }

  if (options->wait_strategy == S9WS_WAIT_STRATEGY_SLEEP && options->spin_wait_duration == 0)
    {
      g_set_error_literal (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION,
                           _("The option wait-strategy is “sleep”, but spin-wait-duration is 0: it must say how long"));
      return FALSE;
    }

  if (options->pong_timeout > 0 && options->ping_interval == 0)
    {
      g_set_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION,
                   _("The option pong-timeout is %u ms, but ping-interval is 0: without pings there is nothing to wait for"),
                   options->pong_timeout);
      return FALSE;
    }

  return check_duration ("spin-wait-duration", options->spin_wait_duration, error) &&
         check_duration ("read-timeout", options->read_timeout, error) &&
         check_duration ("write-timeout", options->write_timeout, error) &&
         check_protocols (options->protocols, error) &&
         check_local_address (options->local_address, error) &&
         check_host_header (options->host_header, error);
}

static gpointer
copy_string (gconstpointer string,
             gpointer      user_data)
{
  return g_strdup (string);
}

static S9wsSettings *
copy (S9wsOptions *options)
{
  S9wsSettings *settings = g_new0 (S9wsSettings, 1);

  settings->connection.protocols = g_strdupv (options->protocols);
  settings->connection.headers = g_ptr_array_copy (options->headers, copy_string, NULL);
  g_ptr_array_set_free_func (settings->connection.headers, g_free);
  settings->connection.handshake_timeout = options->handshake_timeout;
  settings->connection.close_timeout = options->close_timeout;
  settings->connection.ping_interval = options->ping_interval;
  settings->connection.pong_timeout = options->pong_timeout;
  settings->connection.max_message_size = options->max_message_size;
  settings->connection.max_buffered_amount = options->max_buffered_amount;
  settings->connection.compression = options->compression;
  settings->connection.deflate.client_max_window_bits = (guint8) options->client_max_window_bits;
  settings->connection.deflate.server_max_window_bits = (guint8) options->server_max_window_bits;
  settings->connection.deflate.client_no_context_takeover = options->client_no_context_takeover;
  settings->connection.deflate.server_no_context_takeover = options->server_no_context_takeover;
  settings->connection.compression_level = options->compression_level;
  settings->connection.compression_threshold = options->compression_threshold;
  settings->connection.max_piece_size = options->max_piece_size;
  settings->dial.timeout = options->connect_timeout;
  settings->dial.nodelay = options->nodelay;
  settings->dial.ttl = options->ttl;
  settings->dial.error_number = &settings->connect_error_number;
  g_set_object (&settings->dial.proxy_resolver, options->proxy_resolver);
  g_set_object (&settings->dial.local_address, options->local_address);
  settings->connection.max_redirects = options->max_redirects;
  settings->host_header = g_strdup (options->host_header);
  settings->wait_strategy = options->wait_strategy;
  settings->spin_wait_duration = options->spin_wait_duration;
  settings->read_timeout = options->read_timeout;
  settings->write_timeout = options->write_timeout;
  settings->max_queued_bytes = options->max_queued_bytes;
  g_set_object (&settings->tls_context, options->tls_context);

  return settings;
}

S9wsSettings *
s9ws_options_read (S9wsOptions  *options,
                   GError      **error)
{
  g_autoptr (S9wsOptions) defaults = NULL;

  if (options == NULL)
    options = defaults = s9ws_options_new ();

  return check (options, error) ? copy (options) : NULL;
}

void
s9ws_settings_free (S9wsSettings *settings)
{
  g_strfreev (settings->connection.protocols);
  g_ptr_array_unref (settings->connection.headers);
  g_clear_object (&settings->dial.proxy_resolver);
  g_clear_object (&settings->dial.local_address);
  g_free (settings->host_header);
  g_clear_object (&settings->tls_context);
  g_free (settings);
}

/**
 * s9ws_options_new:
 *
 * Creates options that have their defaults.
 *
 * Returns: (transfer full): new options
 *
 * Since: 0.1
 */
S9wsOptions *
s9ws_options_new (void)
{
  return g_object_new (S9WS_TYPE_OPTIONS, NULL);
}

/**
 * s9ws_options_set_header:
 * @options: options
 * @name: the header's name, a token (RFC 9110, section 5.6.2)
 * @value: the header's value, without control characters
 * @error: return location for a #GError
 *
 * Sets a header of the upgrade request, in place of one of the same name.
 *
 * The headers that the handshake writes itself cannot be set: Host, Upgrade,
 * Connection, those whose names begin with Sec-WebSocket-, and those that announce a
 * body.
 *
 * Returns: %TRUE, or %FALSE with %S9WS_ERROR_INVALID_CONFIGURATION
 *
 * Since: 0.1
 */
gboolean
s9ws_options_set_header (S9wsOptions  *options,
                         const char   *name,
                         const char   *value,
                         GError      **error)
{
  g_autofree char *escaped = NULL;

  g_return_val_if_fail (S9WS_IS_OPTIONS (options), FALSE);
  g_return_val_if_fail (name != NULL, FALSE);
  g_return_val_if_fail (value != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  escaped = g_strescape (name, NULL);
  if (!s9ws_is_token (name, strlen (name)))
    {
      g_set_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION,
                   _("The header name “%s” is not a token as HTTP defines it"), escaped);
      return FALSE;
    }

  if (s9ws_is_reserved_header (name, strlen (name)))
    {
      g_set_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION,
                   _("The header %s cannot be set: the handshake decides on it"), escaped);
      return FALSE;
    }

  /* The value may be a secret: it is not repeated. */
  if (!s9ws_is_field_value (value, strlen (value)))
    {
      g_set_error (error, S9WS_ERROR, S9WS_ERROR_INVALID_CONFIGURATION,
                   _("The value of the header %s has control characters, which are not allowed"), escaped);
      return FALSE;
    }

  for (guint i = 0; i < options->headers->len; i += 2)
    if (g_ascii_strcasecmp (options->headers->pdata[i], name) == 0)
      {
        g_ptr_array_remove_range (options->headers, i, 2);
        break;
      }

  g_ptr_array_add (options->headers, g_strdup (name));
  g_ptr_array_add (options->headers, g_strdup (value));
  return TRUE;
}
