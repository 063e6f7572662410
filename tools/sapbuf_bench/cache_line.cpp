#include "cache_line.hpp"

#include <atomic>

#include "processes.hpp"
#include "shared_memory.hpp"

namespace sapbuf::bench {

Percentiles ping_pong_of_a_line(unsigned here, unsigned there, unsigned count) {
  const SharedMemory memory{4096};
  auto* const ping = new (memory.get()) std::atomic<std::uint64_t>{0};
  auto* const pong = new (memory.get() + 256) std::atomic<std::uint64_t>{0};
  const Pipe results;
  RoundTrips trips{count};
  const pid_t echo = start(there, results, [&] {
    for (std::uint64_t number = 1; number <= trips.total(); ++number) {
      while (ping->load(std::memory_order_acquire) != number) {
      }
      pong->store(number, std::memory_order_release);
    }
  });
  const Pinned pinned{here};
  while (trips.ended() < trips.total()) {
    trips.begin();
    ping->store(trips.ended() + 1, std::memory_order_release);
    while (pong->load(std::memory_order_acquire) != trips.ended() + 1) {
    }
    trips.end();
  }
  wait_for_end(echo);
  return trips.halves();
}

double cache_line_ns() { return ping_pong_of_a_line(0, cores() - 1, 2'000).p50; }

}  // namespace sapbuf::bench
