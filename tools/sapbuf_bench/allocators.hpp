// Ways to get a buffer and to give it back, as the pool's peers have them, and how their calls are timed.
//
// An allocator is a class with
//   Held acquire();               Held may be a pointer, an index, a handle; it can be made without a buffer, and moved to
//   std::byte* at(const Held&);   where the buffer is; null if there was none
//   void release(Held&);
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "hand_over.hpp"
#include "single_calls.hpp"

namespace sapbuf::bench {

enum class Pattern {
  singly,    // acquired, and released at once: the same buffer again and again
  in_bursts  // kBurst acquired, then released in the same order
};
inline constexpr std::size_t kBurst = 32;

// What the pool and its peers have room for. Nobody touches a buffer here: what bytes cost is the same for all.
constexpr std::size_t buffers_of(std::size_t bytes) noexcept { return bytes < (1 << 20) ? 1024 : 40; }

template <typename Allocator>
void acquire_singly(benchmark::State& state, Allocator& allocator) {
  for (auto _ : state) {
    auto held = allocator.acquire();
    std::byte* at = allocator.at(held);
    benchmark::DoNotOptimize(at);
    if (at == nullptr) return state.SkipWithError("no buffer");
    allocator.release(held);
  }
}

template <typename Allocator>
void acquire_bursts(benchmark::State& state, Allocator& allocator) {
  std::array<decltype(allocator.acquire()), kBurst> held{};
  while (state.KeepRunningBatch(kBurst)) {
    for (auto& one : held) {
      one = allocator.acquire();
      std::byte* at = allocator.at(one);
      benchmark::DoNotOptimize(at);
      if (at == nullptr) return state.SkipWithError("no buffer");
    }
    for (auto& one : held) allocator.release(one);
  }
}

template <typename Allocator>
void acquire_and_release(benchmark::State& state, Pattern pattern, Allocator& allocator) {
  pattern == Pattern::singly ? acquire_singly(state, allocator) : acquire_bursts(state, allocator);
}

// Of any size: so many are held, and one after the other is released, and one of another size acquired in its place, as in a heap that
// is in use. The allocator's acquire() takes the size.
inline constexpr std::size_t kHeldAtOnce = 256;
inline constexpr std::size_t kLargestMixed = 4096;
const std::vector<std::size_t>& mixed_sizes();  // the same for all; as many small as large ones, by powers of two

template <typename Allocator>
void replace_mixed(benchmark::State& state, Allocator& allocator) {
  const std::vector<std::size_t>& sizes = mixed_sizes();
  std::vector<decltype(allocator.acquire(0))> held(kHeldAtOnce);
  for (std::size_t i = 0; i < kHeldAtOnce; ++i) held[i] = allocator.acquire(sizes[i]);
  std::size_t next = 0;
  for (auto _ : state) {
    auto& one = held[next % kHeldAtOnce];
    allocator.release(one);
    one = allocator.acquire(sizes[next++ % sizes.size()]);
    std::byte* at = allocator.at(one);
    benchmark::DoNotOptimize(at);
    if (at == nullptr) return state.SkipWithError("no buffer");
  }
  for (auto& one : held) allocator.release(one);
}

// With an allocator that is there as long as the call.
template <typename Allocator, typename... Arguments>
Call call_of(std::string column, Pattern pattern, Arguments&&... arguments) {
  auto allocator = std::make_shared<Allocator>(std::forward<Arguments>(arguments)...);
  return {std::move(column), [=](benchmark::State& state) { acquire_and_release(state, pattern, *allocator); }};
}

// The same for processes that run at once: whole bursts, so many buffers at least. Each process has the allocator as it
// was made, and its own copy of what is in it but not in shared memory.
struct Loop {
  std::string column;
  std::function<void(std::uint64_t buffers, const Ready& ready)> run;
};

template <typename Allocator>
void repeat_bursts(Allocator& allocator, std::uint64_t buffers) {
  std::array<decltype(allocator.acquire()), kBurst> held{};
  for (std::uint64_t done = 0; done < buffers; done += kBurst) {
    for (auto& one : held) {
      one = allocator.acquire();
      if (allocator.at(one) == nullptr) throw std::runtime_error("no buffer");
    }
    for (auto& one : held) allocator.release(one);
  }
}

template <typename Allocator, typename... Arguments>
Loop loop_of(std::string column, Arguments&&... arguments) {
  auto allocator = std::make_shared<Allocator>(std::forward<Arguments>(arguments)...);
  return {std::move(column), [=](std::uint64_t buffers, const Ready& ready) {
            ready();
            repeat_bursts(*allocator, buffers);
          }};
}

using Calls = std::vector<Call>;
Calls calls_of_rte_mempool(Pattern pattern, std::size_t bytes);  // SAPBUF_BENCH_DPDK
Loop loop_of_rte_mempool(std::size_t bytes);                     // with cache; SAPBUF_BENCH_DPDK
Calls calls_of_heaps(Pattern pattern, std::size_t bytes);        // malloc; mimalloc with SAPBUF_BENCH_MIMALLOC
Calls calls_of_boost(Pattern pattern, std::size_t bytes);        // lockfree::stack, and a managed segment
std::vector<Loop> loops_of_boost(std::size_t bytes);
Calls mixed_calls_of_heaps();
Calls mixed_calls_of_boost();

}  // namespace sapbuf::bench
