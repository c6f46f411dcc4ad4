/* bench-beast.cc: Boost.Beast, its synchronous functions
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <cstring>
#include <iostream>
#include <memory>
#include <vector>

#include "bench.h"

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;

using Plain = websocket::stream<tcp::socket>;
using Tls = websocket::stream<beast::ssl_stream<tcp::socket>>;

static BenchTask task;
static asio::io_context io_context{ 1 };
static asio::ssl::context ssl_context{ asio::ssl::context::tls_client };

static void
prepare (Plain &stream)
{
}

static void
prepare (Tls &stream)
{
  SSL_set_tlsext_host_name (stream.next_layer ().native_handle (), task.host);
  stream.next_layer ().handshake (asio::ssl::stream_base::client);
}

static std::unique_ptr<Plain>
create (Plain *)
{
  return std::make_unique<Plain> (io_context);
}

static std::unique_ptr<Tls>
create (Tls *)
{
  return std::make_unique<Tls> (io_context, ssl_context);
}

template <class Stream>
static std::unique_ptr<Stream>
open ()
{
  auto stream = create (static_cast<Stream *> (nullptr));
  auto &socket = beast::get_lowest_layer (*stream);

  socket.connect ({ asio::ip::make_address ("127.0.0.1"), static_cast<unsigned short> (task.port) });
  socket.set_option (tcp::no_delay (true));
  prepare (*stream);
  /* One frame a message, of any size. */
  stream->auto_fragment (false);
  stream->read_message_max (0);
  stream->text (task.is_text);
  stream->handshake (task.host, task.path);
  return stream;
}

template <class Stream>
static void
work ()
{
  auto stream = open<Stream> ();
  beast::flat_buffer buffer;
  auto say = [&] { stream->write (asio::buffer (task.payload, task.size)); };
  auto receive = [&] {
    buffer.clear ();
    stream->read (buffer);
  };

  bench_begin (&task);
  if (task.work == BENCH_OUTBOUND)
    {
      for (uint64_t i = 0; i < task.count; i++)
        say ();
      receive ();
    }
  else if (task.work == BENCH_ROUND_TRIP)
    {
      for (uint64_t i = 0; i < task.count; i++)
        {
          say ();
          receive ();
          bench_lap ();
        }
    }
  else
    {
      say ();
      for (uint64_t i = 0; i < task.count; i++)
        {
          uint64_t time;

          receive ();
          if (task.work != BENCH_PACED)
            continue;
          std::memcpy (&time, buffer.data ().data (), sizeof time);
          bench_sample (bench_now () - time);
        }
    }
  bench_end (&task);
}

template <class Stream>
static void
open_many ()
{
  bench_begin (&task);
  for (uint64_t i = 0; i < task.count; i++)
    {
      uint64_t before = bench_now ();
      auto stream = open<Stream> ();

      bench_sample (bench_now () - before);
    }
  bench_end (&task);
}

template <class Stream>
static void
hold_many ()
{
  std::vector<std::unique_ptr<Stream>> streams;
  uint64_t before = 0;

  for (uint64_t i = 0; i <= task.count; i++)
    {
      beast::flat_buffer buffer;

      streams.push_back (open<Stream> ());
      streams.back ()->write (asio::buffer (task.payload, task.size));
      streams.back ()->read (buffer);
      if (i == 0)
        before = bench_get_memory ();
    }
  bench_note ("bytes_per_connection", static_cast<double> (bench_get_memory () - before) / static_cast<double> (task.count));
}

template <class Stream>
static void
run ()
{
  if (task.work == BENCH_OPEN)
    open_many<Stream> ();
  else if (task.work == BENCH_IDLE)
    hold_many<Stream> ();
  else
    work<Stream> ();
}

int
main (int    argc,
      char **argv)
{
  bench_parse (argc, argv, &task);
  try
    {
      if (task.is_tls)
        {
          ssl_context.load_verify_file (task.ca_file);
          ssl_context.set_verify_mode (asio::ssl::verify_peer);
          run<Tls> ();
        }
      else
        {
          run<Plain> ();
        }
    }
  catch (const std::exception &error)
    {
      std::cerr << "bench-beast: " << error.what () << "\n";
      return 1;
    }
  bench_report (&task);
  return 0;
}
