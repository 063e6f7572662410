// What those cost who do nothing: processor time of sleepers and of the watchdog, and memory.
#include <fmt/format.h>
#include <sys/wait.h>
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

// A segment with a stream, which is there as long as this object.
class Place {
 public:
  Place() : name_("bench.idle." + std::to_string(::getpid())) {
    Segment::remove(name_);
    segment_ = std::make_unique<Segment>(Segment::create(name_));
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
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
  if (::waitpid(child, nullptr, WNOHANG) != 0) throw std::runtime_error("it did not wait");
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

Queue queue_of(const std::string& name) { return Queue::open_or_create(Segment::open(name), "jobs", {.slots = 16}); }

void wait_as_consumer(const std::string& name) {
  Consumer consumer{queue_of(name)};
  consumer.wait_for(1h);
}

void wait_as_producer(const std::string& name) {
  Producer producer{queue_of(name)};
  while (producer.reserve_for(1, 1h).release() == 1) {
  }
}

void wait_for_a_key(const std::string& name) {
  MapReader reader{Map::open_or_create(Segment::open(name), "config", {.keys = 16, .value_bytes = 64})};
  reader.entry("k").wait_changed(0, 1h);
}

void wait_for_a_buffer(const std::string& name) {
  PoolUser user{Pool::open_or_create(Segment::open(name), "frames", {.count = 1, .max_count = 1})};
  const Buffer only = user.acquire();
  static_cast<void>(user.acquire_for(1h));
}

void become_watchdog(const std::string& program, const std::string& name) {
  ::execl(program.c_str(), program.c_str(), name.c_str(), static_cast<char*>(nullptr));
  throw std::runtime_error("cannot run " + program);
}

}  // namespace

void measure_idleness(Report& report) {
  const auto how_long = report.options().quick ? 500ms : 3000ms;
  const auto waiting = [=](const char* who, void (*wait)(const std::string&)) {
    return Column{who, [=] {
                    const Place place;
                    return percent_of_core([&] { wait(place.name()); }, how_long);
                  }};
  };
  std::vector<Column> columns{
      waiting("reader of an idle stream", wait_as_reader),
      {"writer blocked by a reader",
       [=] {
         const Place place;
         const Reader holder{place.segment()};
         return percent_of_core([&] { wait_as_writer(place.name()); }, how_long);
       }},
      waiting("consumer of an empty queue", wait_as_consumer),
      waiting("producer of a full queue", wait_as_producer),
      waiting("reader that waits for a map's key", wait_for_a_key),
      waiting("user that waits for a buffer", wait_for_a_buffer),
  };
  if (!report.options().watchdog.empty()) {
    columns.push_back({"sapbuf-watchdog", [=, program = report.options().watchdog] {
                         const Place place;
                         const Reader reader{place.segment()};
                         const Writer writer{place.segment()};
                         return percent_of_core([&] { become_watchdog(program, place.name()); }, how_long);
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
