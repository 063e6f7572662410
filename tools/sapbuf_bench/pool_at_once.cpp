// Two processes that acquire and release, each from its own core, against one.
#include <fmt/format.h>

#include "allocators.hpp"
#include "at_once.hpp"
#include "one_of_users.hpp"
#include "scenarios.hpp"

namespace sapbuf::bench {
namespace {

constexpr std::size_t kBytes = 64;

// Millions of buffers a second, of all processes together.
std::function<double()> rate(const Loop& loop, unsigned processes, std::uint64_t count) {
  return [=] {
    const double seconds = at_once(processes, [&](unsigned, const Ready& ready) { loop.run(count, ready); });
    return processes * static_cast<double>(count) / seconds / 1e6;
  };
}

}  // namespace

void measure_pool_at_once(Report& report) {
  const std::uint64_t count = report.options().quick ? 100'000 : 5'000'000;
  const PoolPlace place{{.buffer_bytes = kBytes, .count = buffers_of(kBytes)}};
  std::vector<Loop> loops{{"sapbuf pool", [&](std::uint64_t bursts, const Ready& ready) {
                             OneOfUsers allocator{place.pool(), 1};
                             ready();
                             repeat_bursts(allocator, bursts);
                           }}};
#ifdef SAPBUF_BENCH_DPDK
  loops.push_back(loop_of_rte_mempool(kBytes));
#endif
  for (Loop& loop : loops_of_boost(kBytes)) loops.push_back(std::move(loop));
  std::vector<Column> columns;
  for (const Loop& loop : loops) {
    columns.push_back({loop.column + ", one", rate(loop, 1, count)});
    columns.push_back({loop.column + ", two", rate(loop, 2, count)});
  }
  report.measure({"pool-at-once", fmt::format("acquire + release, {} bytes, bursts of {}", kBytes, kBurst), "M/s",
                  std::move(columns), 0, true});
}

}  // namespace sapbuf::bench
