// What a buffer costs that is at hand: acquired and released by one user, while others are registered.
#include <fmt/format.h>

#include <random>

#include "allocators.hpp"
#include "one_of_users.hpp"
#include "scenarios.hpp"

namespace sapbuf::bench {
namespace {

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

constexpr std::size_t kSizes[] = {64, 4096, 1 << 20};

void measure_sizes(Report& report) {
  std::vector<Call> calls;
  for (const std::size_t bytes : kSizes) {
    auto place = std::make_shared<PoolPlace>(PoolOptions{.buffer_bytes = bytes, .count = buffers_of(bytes)});
    calls.push_back({fmt::format("{} B", bytes), [=](benchmark::State& state) {
                       OneOfUsers allocator{place->pool(), 1};
                       acquire_and_release(state, Pattern::in_bursts, allocator);
                     }});
  }
  report.add({"pool-sizes", fmt::format("acquire + release, bursts of {}, buffers of", kBurst), "ns",
              run_calls(calls, report.options(), 1)});
}

constexpr std::uint64_t kRoom = 16 << 20;  // of a pool with size classes

}  // namespace

const std::vector<std::size_t>& mixed_sizes() {
  static const std::vector<std::size_t> sizes = [] {
    std::mt19937 random{1};
    std::vector<std::size_t> all(1021);  // a prime: each place gets all sizes in turn
    for (std::size_t& size : all) {
      const std::size_t most = std::size_t{16} << (1 + random() % 8);
      size = most / 2 + random() % (most / 2) + 1;
    }
    return all;
  }();
  return sizes;
}

void measure_pool_any_size(Report& report) {
  const PoolPlace place{PoolOptions::for_sizes(16, kLargestMixed, kRoom)};
  const Pool pool = place.pool();
  std::vector<Call> calls{{"sapbuf pool", [=](benchmark::State& state) {
                             OneOfUsers allocator{pool, 2};
                             replace_mixed(state, allocator);
                           }}};
  const auto add = [&](Calls more) { calls.insert(calls.end(), more.begin(), more.end()); };
  add(mixed_calls_of_boost());
  add(mixed_calls_of_heaps());
  report.add({"pool-any-size",
              fmt::format("acquire + release, 16 to {} bytes by chance, {} held", kLargestMixed, kHeldAtOnce), "ns",
              run_calls(calls, report.options(), 1)});
}

void measure_pool_hits(Report& report) {
  for (const Pattern pattern : {Pattern::singly, Pattern::in_bursts}) {
    for (const std::size_t bytes : kSizes) measure_hits_of(report, pattern, bytes);
  }
  measure_sizes(report);
}

}  // namespace sapbuf::bench
