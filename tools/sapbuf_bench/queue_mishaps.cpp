// What it costs a queue's others that a producer is stopped, or a consumer takes its time; and how long a block waits
// whose consumer was killed.
#include <signal.h>
#include <unistd.h>

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <sapbuf/sapbuf.hpp>
#include <stdexcept>

#include "crew.hpp"
#include "hand_over.hpp"
#include "scenarios.hpp"
#include "waiter.hpp"
#include "watchdog.hpp"

namespace sapbuf::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSlots = 1024;

double redelivery_ms(const std::string& watchdog_program) {
  const std::string name = "bench.redelivery." + std::to_string(::getpid());
  Segment::remove(name);
  const Segment segment = Segment::create(name, {.main_stream = false});
  const Queue queue = Queue::create(segment, "jobs", {});
  {
    Producer producer{queue};
    ReservedBlocks job = producer.reserve(1);
    if (job.release() != 1) throw std::runtime_error("a block was not handed over");
  }
  const Pipe results;
  Crew crew;
  const pid_t holder = start(0, results, [&] {
    Consumer consumer{Queue::open(Segment::open(name), "jobs")};
    const TakenBlock job = consumer.take();
    results.send(job ? kReady : kFailed);
    for (;;) ::pause();
  });
  crew.add(holder);
  if (results.receive() != kReady) throw std::runtime_error("a process did not begin");
  std::optional<Watchdog> watchdog;
  if (!watchdog_program.empty()) watchdog.emplace(watchdog_program, name);
  const auto take_it = [&](const auto& begin) {
    Consumer other{Queue::open(Segment::open(name), "jobs")};
    begin();
    const bool came = other.wait_for(10s);
    TakenBlock job = other.take();
    if (!came || !job || job.deliveries() != 2) throw std::runtime_error("the block was not handed out again");
    job.done();
  };
  const double milliseconds = ms_until_it_goes_on(crew, take_it, [&] { ::kill(holder, SIGKILL); });
  crew.wait_for_ends();
  watchdog.reset();
  Segment::remove(name);
  return milliseconds;
}

}  // namespace

void measure_queue_mishaps(Report& report) {
  const std::uint64_t messages = report.options().quick ? 20'000 : 1'000'000;
  for (const std::size_t bytes : {64, 1024}) {
    const auto column = [&](const char* name, Beside beside) {
      return Column{name, [=] {
                      const Load load{bytes, messages};
                      return hand_over(*make_queue({.slots = kSlots, .beside = beside}), load) / 1e6;
                    }};
    };
    report.measure(
        {"queue-mishaps",
         fmt::format("blocks of {} bytes from one to one, {} slots", bytes, kSlots),
         "M msg/s",
         {column("undisturbed", Beside::nobody), column("beside a producer that was stopped", Beside::stopped_producer),
          column("beside a job that does not end", Beside::slow_consumer)},
         static_cast<double>(bytes),
         true});
  }
}

void measure_redelivery(Report& report) {
  measure_recoveries(report, "redelivery", "SIGKILL of a block's consumer -> another one has it", redelivery_ms);
}

}  // namespace sapbuf::bench
