// What a buffer costs that is at hand: acquired and released by one user, while others are registered.
#include <fmt/format.h>

#include "allocators.hpp"
#include "pool_place.hpp"
#include "scenarios.hpp"

namespace sapbuf::bench {
namespace {

class OneOfUsers {
 public:
  OneOfUsers(const Pool& pool, unsigned users) : user_(pool) {
    for (unsigned i = 1; i < users; ++i) others_.emplace_back(pool);
  }
  Buffer acquire() noexcept { return user_.acquire(); }
  static std::byte* at(const Buffer& held) noexcept { return held.bytes().data(); }
  static void release(Buffer& held) noexcept { held.release(); }

 private:
  PoolUser user_;
  std::vector<PoolUser> others_;
};

void measure_hits_of(Report& report, Pattern pattern, std::size_t bytes) {
  const PoolPlace place{{.buffer_bytes = bytes, .count = buffers_of(bytes)}};
  const Pool pool = place.pool();
  std::vector<Call> calls;
  for (const unsigned users : {2u, 64u}) {
    calls.push_back({fmt::format("sapbuf pool, {} users", users), [=](benchmark::State& state) {
                       OneOfUsers allocator{pool, users};
                       acquire_and_release(state, pattern, allocator);
                     }});
  }
  const auto add = [&](Calls more) { calls.insert(calls.end(), more.begin(), more.end()); };
#ifdef SAPBUF_BENCH_DPDK
  add(calls_of_rte_mempool(pattern, bytes));
#endif
  add(calls_of_boost(pattern, bytes));
  add(calls_of_heaps(pattern, bytes));
  const bool singly = pattern == Pattern::singly;
  const std::string how = singly ? "one at a time" : fmt::format("{} acquired, then released", kBurst);
  report.add({singly ? "pool-singly" : "pool-bursts", fmt::format("acquire + release, {} bytes, {}", bytes, how), "ns",
              run_calls(calls, report.options(), 1), static_cast<double>(bytes)});
}

}  // namespace

void measure_pool_hits(Report& report) {
  for (const Pattern pattern : {Pattern::singly, Pattern::in_bursts}) {
    for (const std::size_t bytes : {std::size_t{64}, std::size_t{4096}, std::size_t{1} << 20}) {
      measure_hits_of(report, pattern, bytes);
    }
  }
}

}  // namespace sapbuf::bench
