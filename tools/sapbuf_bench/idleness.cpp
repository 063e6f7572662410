// What those cost who do nothing: processor time of sleepers and of the watchdog, and memory.
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <sapbuf/sapbuf.hpp>
#include <stdexcept>
#include <thread>

#include "crew.hpp"
#include "processes.hpp"
#include "scenarios.hpp"

namespace sapbuf::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kUntilItWaits = 500ms;

// A stream that is there as long as this object.
class Stream {
 public:
  explicit Stream(const SegmentOptions& options = {}) : name_("bench.idle." + std::to_string(::getpid())) {
    Segment::remove(name_);
    segment_ = std::make_unique<Segment>(Segment::create(name_, options));
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() {
    try {
      Segment::remove(name_);
    } catch (const Error&) {
      // It was ours; if it cannot be removed, 'sapbuf ls' shows it.
    }
  }
  const std::string& name() const noexcept { return name_; }
  const Segment& segment() const noexcept { return *segment_; }

 private:
  std::string name_;
  std::unique_ptr<Segment> segment_;
};

// That a child has had so far.
double processor_seconds(pid_t child) {
  clockid_t clock;
  timespec time{};
  if (::clock_getcpuclockid(child, &clock) != 0 || ::clock_gettime(clock, &time) != 0) {
    throw std::runtime_error("no processor time of a process");
  }
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// Processor time in per cent of one core, of a child that has come to wait by then: what it opens, fills or runs before does not count.
double percent_of_core(const std::function<void()>& wait_idly, std::chrono::milliseconds how_long) {
  const Pipe results;
  const pid_t child = start(0, results, [&] {
    results.send(1);
    wait_idly();
  });
  Crew crew;
  crew.add(child);
  if (results.receive() != 1) throw std::runtime_error("it did not begin");
  std::this_thread::sleep_for(kUntilItWaits);
  const double before = processor_seconds(child);
  const auto begin = Clock::now();
  std::this_thread::sleep_for(how_long);
  const double used = processor_seconds(child) - before;
  const std::chrono::duration<double> seconds = Clock::now() - begin;
  return 100 * used / seconds.count();
}

void wait_as_reader(const std::string& name) {
  const Segment segment = Segment::open(name);
  Reader reader{segment};
  reader.wait_for(1h);
}

void wait_as_writer(const std::string& name) {
  const Segment segment = Segment::open(name);
  Writer writer{segment};
  const std::string line(1000, 'x');
  while (writer.write(line) == Status::ok) {
  }
}

void become_watchdog(const std::string& program, const std::string& name) {
  ::execl(program.c_str(), program.c_str(), name.c_str(), static_cast<char*>(nullptr));
  throw std::runtime_error("cannot run " + program);
}

}  // namespace

void measure_idleness(Report& report) {
  const auto how_long = report.options().quick ? 500ms : 3000ms;
  std::vector<Column> columns{
      {"reader of an idle stream",
       [=] {
         const Stream stream;
         return percent_of_core([&] { wait_as_reader(stream.name()); }, how_long);
       }},
      {"writer blocked by a reader",
       [=] {
         const Stream stream;
         const Reader holder{stream.segment()};
         return percent_of_core([&] { wait_as_writer(stream.name()); }, how_long);
       }},
  };
  if (!report.options().watchdog.empty()) {
    columns.push_back({"sapbuf-watchdog", [=, program = report.options().watchdog] {
                         const Stream stream;
                         const Reader reader{stream.segment()};
                         const Writer writer{stream.segment()};
                         return percent_of_core([&] { become_watchdog(program, stream.name()); }, how_long);
                       }});
  }
  report.measure({"idleness", "processor time of those who wait", "% of a core", std::move(columns)});
}

void measure_memory(Report& report) {
  const auto mebibytes = [](const SegmentOptions& options) {
    return static_cast<double>(Segment::bytes_needed(options)) / (1 << 20);
  };
  report.add({"memory",
              "size of a segment",
              "MiB",
              {{"default", {}, {mebibytes({})}},
               {"total order", {}, {mebibytes({.order = Order::total})}},
               {"1,000 participants", {}, {mebibytes({.participants = 1000})}}}});
}

}  // namespace sapbuf::bench
