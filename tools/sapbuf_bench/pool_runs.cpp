// What a run of adjacent buffers costs: acquired and released, beside one buffer, and as many of them one by one.
#include <fmt/format.h>

#include "pool_place.hpp"
#include "scenarios.hpp"
#include "single_calls.hpp"

namespace sapbuf::bench {
namespace {

constexpr std::uint32_t kBuffers = 4096;
constexpr std::uint32_t kSizes[] = {4, 64, 1024};

Call call_of_run(const Pool& pool, std::uint32_t size) {
  return {fmt::format("run of {}", size), [=](benchmark::State& state) {
            PoolUser user{pool};
            for (auto _ : state) {
              Run run = user.acquire_run(size);
              if (!run) return state.SkipWithError("no run");
              benchmark::DoNotOptimize(run);
            }
          }};
}

Call call_of_one(const Pool& pool) {
  return {"one buffer", [=](benchmark::State& state) {
            PoolUser user{pool};
            for (auto _ : state) {
              Buffer buffer = user.acquire();
              std::byte* at = buffer.bytes().data();
              benchmark::DoNotOptimize(at);
              if (at == nullptr) return state.SkipWithError("no buffer");
            }
          }};
}

Call call_of_many(const Pool& pool, std::uint32_t size) {
  return {fmt::format("{} buffers, one by one", size), [=](benchmark::State& state) {
            PoolUser user{pool};
            std::vector<Buffer> all(size);
            for (auto _ : state) {
              for (Buffer& buffer : all) buffer = user.acquire();
              if (!all.back()) return state.SkipWithError("no buffer");
              for (Buffer& buffer : all) buffer.release();
            }
          }};
}

}  // namespace

void measure_pool_runs(Report& report) {
  const PoolPlace place{{.buffer_bytes = 64, .count = kBuffers}};
  const Pool pool = place.pool();
  std::vector<Call> calls{call_of_one(pool)};
  for (const std::uint32_t size : kSizes) calls.push_back(call_of_run(pool, size));
  calls.push_back(call_of_many(pool, kSizes[2]));
  report.add({"pool-runs", "acquire + release, adjacent buffers of 64 bytes at once", "ns",
              run_calls(calls, report.options(), 1)});
}

}  // namespace sapbuf::bench
