// How long a key cannot be written whose writer is killed in the middle of an update.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <sapbuf/sapbuf.hpp>
#include <stdexcept>

#include "crew.hpp"
#include "scenarios.hpp"
#include "waiter.hpp"
#include "watchdog.hpp"

namespace sapbuf::bench {
namespace {

using namespace std::chrono_literals;

double map_recovery_ms(const std::string& watchdog_program) {
  const std::string name = "bench.map-recovery." + std::to_string(::getpid());
  Segment::remove(name);
  const Segment segment = Segment::create(name, {.main_stream = false});
  Map::create(segment, "values", {.keys = 16, .value_bytes = 64, .key_bytes = 8});
  const auto open = [&] { return Map::open(Segment::open(name), "values"); };
  const Pipe results;
  Crew crew;
  const pid_t holder = start(0, results, [&] {
    MapWriter writer{open()};
    const auto hangs = [&](std::span<const std::byte>, MapDraft&) {
      results.send(kReady);
      for (;;) ::pause();
    };
    if (writer.put(1, "old") == Status::ok) static_cast<void>(writer.update(1, hangs));
    results.send(kFailed);
  });
  crew.add(holder);
  if (results.receive() != kReady) throw std::runtime_error("a process did not begin");
  std::optional<Watchdog> watchdog;
  if (!watchdog_program.empty()) watchdog.emplace(watchdog_program, name);
  const auto write_it = [&](const auto& begin) {
    MapWriter writer{open(), {.timeout = 10s}};
    begin();
    if (writer.put(1, "new") != Status::ok) throw std::runtime_error("the key was not written");
  };
  const double milliseconds = ms_until_it_goes_on(crew, write_it, [&] { ::kill(holder, SIGKILL); });
  crew.wait_for_ends();
  watchdog.reset();
  Segment::remove(name);
  return milliseconds;
}

}  // namespace

void measure_map_recovery(Report& report) {
  measure_recoveries(report, "map-recovery", "SIGKILL of a key's writer -> another one has written it",
                     map_recovery_ms);
}

}  // namespace sapbuf::bench
