// One way from process to process. Spinning: half a round trip over two streams, beside half a round trip of a cache
// line. At a fixed rate: from the time when a message was due (not from when it was sent: no coordinated omission).
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <sapbuf/sapbuf.hpp>
#include <stdexcept>

#include "cache_line.hpp"
#include "hand_over.hpp"
#include "processes.hpp"
#include "scenarios.hpp"

namespace sapbuf::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

std::uint64_t now_ns() noexcept {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(Clock::now().time_since_epoch()).count());
}

// A stream that is there as long as this object.
class Stream {
 public:
  explicit Stream(const char* role) : name_(fmt::format("bench.{}.{}", role, ::getpid())), owner_(::getpid()) {
    Segment::remove(name_);
    Segment::create(name_);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() {
    if (owner_ == ::getpid()) Segment::remove(name_);
  }
  Segment open() const { return Segment::open(name_); }

 private:
  std::string name_;
  pid_t owner_;
};

// The two ends of a conversation. A message is its number, and there is never more than one on its way.
struct End {
  Segment to;
  Segment from;
  Writer writer{to};
  Reader reader{from};

  void send(std::uint64_t number) {
    if (writer.write(std::as_bytes(std::span{&number, 1})) != Status::ok) throw std::runtime_error("no room");
  }
  // Calls `answer(number)` with what has come, where it stands; it may send.
  template <typename Answer>
  void listen(Answer answer) {
    for (const Frame& frame : reader.pin()) {
      std::uint64_t number = 0;
      std::memcpy(&number, frame.bytes().data(), sizeof number);
      answer(number);
    }
    spin_pause();
  }
};

// Both answer in place, from within the range, as a server would.
Percentiles ping_pong_of_streams(unsigned count) {
  const Stream there{"ping"};
  const Stream back{"pong"};
  const Pipe results;
  const Pipe ready;
  RoundTrips trips{count};
  const pid_t echo = start(1, results, [&] {
    End end{back.open(), there.open()};
    ready.send(1);
    for (std::uint64_t seen = 0; seen < trips.total();) {
      end.listen([&](std::uint64_t number) {
        end.send(number);
        ++seen;
      });
    }
  });
  const Pinned pinned{0};
  End end{there.open(), back.open()};
  ready.receive();
  trips.begin();
  end.send(0);
  while (trips.ended() < trips.total()) {
    end.listen([&](std::uint64_t number) {
      if (number != trips.ended()) throw std::runtime_error("the echo is another");
      trips.end();
      if (trips.ended() == trips.total()) return;
      trips.begin();
      end.send(trips.ended());
    });
  }
  wait_for_end(echo);
  return trips.halves();
}

// From when each message was due to when it was read, in microseconds, sorted.
std::vector<double> delays_at_rate(double per_second, unsigned count) {
  const Stream stream{"rate"};
  const Pipe results;
  const Segment segment = stream.open();
  Reader reader{segment};
  const pid_t producer = start(1, results, [&] {
    const Segment own = stream.open();
    Writer writer{own};
    const double interval_ns = 1e9 / per_second;
    const std::uint64_t begin = now_ns() + 1'000'000;
    for (unsigned i = 0; i < count; ++i) {
      const std::uint64_t due = begin + static_cast<std::uint64_t>(interval_ns * i);
      while (now_ns() < due) spin_pause();
      if (writer.write(std::as_bytes(std::span{&due, 1})) != Status::ok) throw std::runtime_error("no room");
    }
  });
  const Pinned pinned{0};
  std::vector<double> delays;
  delays.reserve(count);
  while (delays.size() < count) {
    if (!reader.wait_for(20s)) throw std::runtime_error("nothing came for 20 s");
    for (const Frame& frame : reader.pin()) {
      std::uint64_t due = 0;
      std::memcpy(&due, frame.bytes().data(), sizeof due);
      delays.push_back(static_cast<double>(now_ns() - due) / 1000);
    }
  }
  wait_for_end(producer);
  return delays;
}

// How long each reservation with its commit took, in nanoseconds, while a reader follows; the clock's own time
// included.
std::vector<double> calls_under_load(unsigned count) {
  const Stream stream{"load"};
  const Pipe results;
  const Pipe ready;
  const pid_t consumer = start(1, results, [&] {
    const Segment own = stream.open();
    Reader reader{own};
    ready.send(1);
    for (unsigned seen = 0; seen < count;) {
      if (!reader.wait_for(20s)) throw std::runtime_error("nothing came for 20 s");
      for (const Frame& frame : reader.pin()) {
        static_cast<void>(frame);
        ++seen;
      }
    }
  });
  ready.receive();
  const Pinned pinned{0};
  std::vector<double> times;
  times.reserve(count);
  {
    const Segment segment = stream.open();
    Writer writer{segment};
    std::uint64_t before = now_ns();
    for (unsigned i = 0; i < count; ++i) {
      if (writer.write(std::as_bytes(std::span{&before, 1})) != Status::ok) throw std::runtime_error("no room");
      const std::uint64_t after = now_ns();
      times.push_back(static_cast<double>(after - before));
      before = after;
    }
  }
  wait_for_end(consumer);
  return times;
}

// One run gives the figures of all columns.
void measure_distribution(Report& report, const std::string& scenario, const std::string& title,
                          const std::string& unit, const std::function<std::vector<double>()>& run) {
  std::vector<double> figures;
  std::vector<Column> columns{{"p50", [&] {
                                 figures = run();
                                 return percentile(figures, 50);
                               }}};
  for (const double hundredths : {99.0, 99.9, 99.99, 100.0}) {
    columns.push_back({hundredths == 100.0 ? "max" : fmt::format("p{}", hundredths),
                       [&figures, hundredths] { return percentile(figures, hundredths); }});
  }
  report.measure({scenario, title, unit, std::move(columns)});
}

}  // namespace

void measure_latency(Report& report) {
  const unsigned count = report.options().quick ? 10'000 : 200'000;
  Percentiles line;
  Percentiles streams;
  std::vector<Column> columns{
      {"cache line, p50", [&] { return (line = ping_pong_of_a_line(0, 1, count)).p50; }},
      {"cache line, p99", [&] { return line.p99; }},
      {"sapbuf, p50", [&] { return (streams = ping_pong_of_streams(count)).p50; }},
      {"sapbuf, p99", [&] { return streams.p99; }},
  };
  report.measure({"latency", "one way, spinning, 8 bytes", "ns", std::move(columns)});
}

void measure_tails(Report& report) {
  const bool quick = report.options().quick;
  for (const double per_second : {10'000.0, 100'000.0, 1'000'000.0}) {
    const auto count = static_cast<unsigned>(per_second * (quick ? 0.2 : 2));
    measure_distribution(report, fmt::format("rate-{}", per_second),
                         fmt::format("delivery of {} messages a second, from when they were due", per_second), "us",
                         [=] { return delays_at_rate(per_second, count); });
  }
  measure_distribution(report, "calls-under-load", "a write of 8 bytes and a look at the clock, beside a reader", "ns",
                       [=] { return calls_under_load(quick ? 100'000 : 5'000'000); });
}

}  // namespace sapbuf::bench
