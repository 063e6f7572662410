// How long a writer is blocked by a slab whose holder is killed.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <sapbuf/sapbuf.hpp>
#include <stdexcept>

#include "processes.hpp"
#include "scenarios.hpp"
#include "watchdog.hpp"

namespace sapbuf::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Pins what there is, until it is killed.
void hold(const std::string& name, const Pipe& ready) {
  const Segment segment = Segment::open(name);
  Reader reader{segment, {.name = "holder"}};
  ready.send(1);
  if (!reader.wait_for(10s)) throw std::runtime_error("nothing to hold");
  const auto range = reader.pin();
  for (;;) ::pause();
}

double recovery_ms(const std::string& watchdog_program) {
  const std::string name = "bench.recovery." + std::to_string(::getpid());
  Segment::remove(name);
  const Segment segment = Segment::create(name, {.slab_bytes = 64 << 10});
  const Pipe ready;
  const pid_t holder = start(0, ready, [&] { hold(name, ready); });
  ready.receive();
  std::optional<Watchdog> watchdog;
  if (!watchdog_program.empty()) watchdog.emplace(watchdog_program, name);
  const std::string line(1000, 'x');
  {
    Writer filler{segment, {.timeout = 20ms}};
    while (filler.write(line) == Status::ok) {
    }
  }
  Writer writer{segment, {.timeout = 10s}};
  const auto begin = Clock::now();
  ::kill(holder, SIGKILL);
  const bool fine = writer.write(line) == Status::ok;
  const double milliseconds = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  wait_for_end(holder);
  Segment::remove(name);
  if (!fine) throw std::runtime_error("the recovery run failed");
  return milliseconds;
}

}  // namespace

void measure_recovery(Report& report) {
  std::vector<Column> columns{{"without watchdog", [] { return recovery_ms({}); }}};
  if (!report.options().watchdog.empty()) {
    columns.push_back({"with watchdog", [program = report.options().watchdog] { return recovery_ms(program); }});
  }
  report.measure({"recovery", "SIGKILL of a slab's holder -> blocked writer goes on", "ms", std::move(columns)},
                 report.options().quick ? 3 : 100);
}

}  // namespace sapbuf::bench
