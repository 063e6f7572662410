// What it takes to wake a reader that sleeps: on the stream's futex, or behind its descriptor, beside a pipe's reader.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <sapbuf/sapbuf.hpp>
#include <stdexcept>
#include <vector>

#include "crew.hpp"
#include "scenarios.hpp"

namespace sapbuf::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;  // one clock for all processes

constexpr auto kPause = 300us;  // between two messages: far longer than a reader spins

std::int64_t now_ns() { return std::chrono::nanoseconds{Clock::now().time_since_epoch()}.count(); }

void pause() {
  const auto end = Clock::now() + kPause;
  while (Clock::now() < end) {
  }
}

// Hands on when each message was sent.
using Visit = std::function<void(std::int64_t sent_ns)>;

std::uint64_t median_of(unsigned count, const std::function<void(const Visit&)>& receive_some) {
  std::vector<double> took;
  while (took.size() < count) {
    receive_some([&took](std::int64_t sent_ns) { took.push_back(static_cast<double>(now_ns() - sent_ns)); });
  }
  return static_cast<std::uint64_t>(percentile(took, 50));
}

double microseconds(std::uint64_t ns) {
  if (ns == kFailed) throw std::runtime_error("a process failed");
  return static_cast<double>(ns) / 1e3;
}

// `wait` returns once there is something, which the reader's last look did not find.
double stream_wakes_us(unsigned count, const std::function<void(Reader&)>& wait) {
  const std::string name = "bench.waking." + std::to_string(::getpid());
  Segment::remove(name);
  const Segment segment = Segment::create(name, {});
  const Pipe results;
  Crew crew;
  crew.add(start(1, results, [&] {
    Reader reader{Segment::open(name)};
    results.send(kReady);
    results.send(median_of(count, [&](const Visit& visit) {
      wait(reader);
      for (const Frame& frame : reader.pin()) visit(frame.as<std::int64_t>().value_or(0));
    }));
  }));
  if (results.receive() != kReady) throw std::runtime_error("a process did not begin");
  {
    const Pinned pinned{0};
    Writer writer{segment};
    for (unsigned sent = 0; sent < count; ++sent) {
      pause();
      if (writer.write(now_ns()) != Status::ok) throw std::runtime_error("a message was not written");
    }
  }
  const double median = microseconds(results.receive());
  crew.wait_for_ends();
  Segment::remove(name);
  return median;
}

void wait_by_descriptor(Reader& reader) {
  pollfd asked{.fd = reader.event_fd(), .events = POLLIN, .revents = 0};
  do {
    ::poll(&asked, 1, -1);
  } while (!reader.wait_for(0ms));
}

double pipe_wakes_us(unsigned count) {
  const Pipe pipe;
  const Pipe results;
  Crew crew;
  crew.add(start(1, results, [&] {
    results.send(kReady);
    results.send(median_of(count, [&](const Visit& visit) { visit(static_cast<std::int64_t>(pipe.receive())); }));
  }));
  if (results.receive() != kReady) throw std::runtime_error("a process did not begin");
  {
    const Pinned pinned{0};
    for (unsigned sent = 0; sent < count; ++sent) {
      pause();
      pipe.send(static_cast<std::uint64_t>(now_ns()));
    }
  }
  const double median = microseconds(results.receive());
  crew.wait_for_ends();
  return median;
}

}  // namespace

void measure_waking(Report& report) {
  const unsigned count = report.options().quick ? 200 : 2000;
  report.measure(
      {"waking",
       "from a write to the reader, on another core, that slept",
       "us",
       {{"Reader::wait_for", [=] { return stream_wakes_us(count, [](Reader& reader) { reader.wait_for(1h); }); }},
        {"poll on Reader::event_fd", [=] { return stream_wakes_us(count, wait_by_descriptor); }},
        {"pipe", [=] { return pipe_wakes_us(count); }}}});
}

}  // namespace sapbuf::bench
