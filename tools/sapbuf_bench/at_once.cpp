#include "at_once.hpp"

#include <chrono>
#include <optional>
#include <stdexcept>

#include "crew.hpp"
#include "processes.hpp"

namespace sapbuf::bench {

double at_once(unsigned processes, const Work& work) {
  const Pipe go;
  const Pipe results;
  Crew crew;
  for (unsigned i = 0; i < processes; ++i) {
    crew.add(start(processes <= cores() ? std::optional{i} : std::nullopt, results, [&, i] {
      work(i, [&] {
        results.send(kReady);
        go.receive();
      });
      results.send(kReady);
    }));
    if (results.receive() != kReady) throw std::runtime_error("a process did not begin");
  }
  const auto begin = std::chrono::steady_clock::now();
  for (unsigned i = 0; i < processes; ++i) go.send(1);
  for (unsigned i = 0; i < processes; ++i) {
    if (results.receive() != kReady) throw std::runtime_error("a process failed");
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  crew.wait_for_ends();
  return seconds.count();
}

}  // namespace sapbuf::bench
