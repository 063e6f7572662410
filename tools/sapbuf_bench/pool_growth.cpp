// What a pool's growth costs those who do not need it, and what a buffer costs in memory.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <vector>

#include "crew.hpp"
#include "pool_place.hpp"
#include "scenarios.hpp"
#include "shared_memory.hpp"

namespace sapbuf::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kBufferBytes = 64 << 10;
constexpr std::uint64_t kAtFirst = 16;
constexpr std::chrono::seconds kPatience{10};

// Acquires and releases until it is told to end. The longest time from one buffer to the next, in nanoseconds; where
// somebody else took the one that it released, that of getting another one counts.
std::uint64_t longest_pause(const Pool& pool, const std::atomic<bool>& end, const std::function<void()>& ready) {
  PoolUser user{pool};
  Clock::duration longest{0};
  static_cast<void>(user.acquire());
  ready();
  auto before = Clock::now();
  while (!end.load(std::memory_order_relaxed)) {
    if (!user.acquire()) continue;
    const auto now = Clock::now();
    longest = std::max(longest, now - before);
    before = now;
  }
  return static_cast<std::uint64_t>(std::chrono::nanoseconds{longest}.count());
}

// Waits where the other process is about to let the pool grow itself, or has taken what is new.
void grow_to(const Pool& pool, std::uint64_t count) {
  PoolUser user{pool};
  std::vector<Buffer> all;
  while (pool.count() < count) {
    all.push_back(user.acquire_for(kPatience));
    if (!all.back()) throw std::runtime_error("the pool did not grow: " + std::string(to_string(all.back().status())));
  }
}

// Milliseconds. `meanwhile` is done on another core.
double longest_pause_ms(std::uint64_t more, const std::function<void(const Pool&)>& meanwhile) {
  const PoolPlace place{{.buffer_bytes = kBufferBytes, .count = kAtFirst, .max_count = kAtFirst + more}};
  const SharedMemory memory{4096};
  auto* const end = new (memory.get()) std::atomic<bool>{false};
  const Pipe results;
  Crew crew;
  crew.add(start(1, results, [&] { results.send(longest_pause(place.pool(), *end, [&] { results.send(kReady); })); }));
  if (results.receive() != kReady) throw std::runtime_error("a process did not begin");
  {
    const Pinned pinned{0};
    meanwhile(place.pool());
  }
  end->store(true, std::memory_order_relaxed);
  const std::uint64_t longest = results.receive();
  if (longest == kFailed) throw std::runtime_error("a process failed");
  crew.wait_for_ends();
  return static_cast<double>(longest) / 1e6;
}

}  // namespace

void measure_pool_growth(Report& report) {
  const std::uint64_t grown_bytes = report.options().quick ? 8 << 20 : 64 << 20;
  const std::uint64_t more = grown_bytes / kBufferBytes;
  // As long as growing takes, from one run to the next, with nobody who does it.
  Clock::duration took{0};
  const auto growing = [&, more](const Pool& pool) {
    const auto begin = Clock::now();
    grow_to(pool, kAtFirst + more);
    took = Clock::now() - begin;
  };
  const auto waiting = [&](const Pool&) {
    const auto end = Clock::now() + took;
    while (Clock::now() < end) {
    }
  };
  report.measure({"pool-growth",
                  "longest pause of one who acquires and releases, on another core",
                  "ms",
                  {{fmt::format("while the pool grows by {} MiB", grown_bytes >> 20),
                    [&, more] { return longest_pause_ms(more, growing); }},
                   {"as long, while nobody lets it grow", [&, more] { return longest_pause_ms(more, waiting); }}}});
}

void measure_pool_memory(Report& report) {
  constexpr std::uint64_t kCount = 100'000;
  constexpr std::uint64_t kBytes = 64;
  const PoolPlace place{{.buffer_bytes = kBytes, .count = kCount}, SegmentOptions{}.participants};
  const double own = static_cast<double>(place.pool().bytes()) / kCount - kBytes;
  report.add({"pool-memory", "what a pool of 100,000 buffers needs beside them", "B/buffer", {{"default", {}, {own}}}});
}

}  // namespace sapbuf::bench
