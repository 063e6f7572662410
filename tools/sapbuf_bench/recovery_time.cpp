// How long a writer is blocked by a slab whose holder is killed.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <sapbuf/sapbuf.hpp>
#include <stdexcept>

#include "crew.hpp"
#include "processes.hpp"
#include "scenarios.hpp"
#include "waiter.hpp"
#include "watchdog.hpp"

namespace sapbuf::bench {
namespace {

using namespace std::chrono_literals;

// Pins what there is, until it is killed.
void hold(const std::string& name, const Pipe& ready) {
  const Segment segment = Segment::open(name);
  Reader reader{segment, {.name = "holder"}};
  ready.send(kReady);
  if (!reader.wait_for(10s)) throw std::runtime_error("nothing to hold");
  const auto range = reader.pin();
  for (;;) ::pause();
}

double recovery_ms(const std::string& watchdog_program) {
  const std::string name = "bench.recovery." + std::to_string(::getpid());
  Segment::remove(name);
  const Segment segment = Segment::create(name, {.slab_bytes = 64 << 10});
  Crew crew;
  const Pipe ready;
  const pid_t holder = start(0, ready, [&] { hold(name, ready); });
  crew.add(holder);
  if (ready.receive() != kReady) throw std::runtime_error("a process did not begin");
  std::optional<Watchdog> watchdog;
  if (!watchdog_program.empty()) watchdog.emplace(watchdog_program, name);
  const std::string line(1000, 'x');
  {
    Writer filler{segment, {.timeout = 20ms}};
    while (filler.write(line) == Status::ok) {
    }
  }
  const auto write_one_more = [&](const auto& begin) {
    const Segment own = Segment::open(name);
    Writer writer{own, {.timeout = 10s}};
    begin();
    if (writer.write(line) != Status::ok) throw std::runtime_error("the writer was not let go on");
  };
  const double milliseconds = ms_until_it_goes_on(crew, write_one_more, [&] { ::kill(holder, SIGKILL); });
  crew.wait_for_ends();
  Segment::remove(name);
  return milliseconds;
}

}  // namespace

void measure_recovery(Report& report) {
  measure_recoveries(report, "recovery", "SIGKILL of a slab's holder -> blocked writer goes on", recovery_ms);
}

}  // namespace sapbuf::bench
