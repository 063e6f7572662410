// Costs of single calls in one process: Google Benchmark.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <array>
#include <atomic>
#include <cstring>
#include <sapbuf/sapbuf.hpp>
#include <vector>

#include "scenarios.hpp"

namespace sapbuf::bench {
namespace {

// Nobody reads, so slabs are reclaimed as they are needed.
class Stream {
 public:
  explicit Stream(SegmentOptions options) : memory_(Segment::bytes_needed(options) + 64) {
    auto* base =
        reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(memory_.data()) + 63) & ~std::uintptr_t{63});
    segment_.emplace_back(Segment::create_in({{base, Segment::bytes_needed(options)}}, options));
  }
  const Segment& segment() const { return segment_.front(); }

 private:
  std::vector<std::byte> memory_;
  std::vector<Segment> segment_;
};

// The size is known when it is compiled, as it is to most who write records.
template <std::size_t Bytes>
void reserve_commit(benchmark::State& state, const SegmentOptions& options) {
  const Stream stream{options};
  Writer writer{stream.segment()};
  const std::array<std::byte, Bytes> payload{};
  for (auto _ : state) {
    Reservation reservation = writer.reserve(Bytes);
    std::memcpy(reservation.bytes().data(), payload.data(), Bytes);
    reservation.commit();
  }
  state.SetItemsProcessed(state.iterations());
}

void reserve_commit_of_any_size(benchmark::State& state) {
  const Stream stream{{}};
  Writer writer{stream.segment()};
  std::size_t size = 16;
  const std::array<std::byte, 64> payload{};
  for (auto _ : state) {
    benchmark::DoNotOptimize(size);
    Reservation reservation = writer.reserve(size);
    std::memcpy(reservation.bytes().data(), payload.data(), size);
    reservation.commit();
  }
  state.SetItemsProcessed(state.iterations());
}

void bare_bump(benchmark::State& state) {
  std::vector<std::byte> buffer((1 << 20) + 4096);
  const std::byte payload[16] = {};
  std::size_t at = 0;
  for (auto _ : state) {
    std::byte* const header = buffer.data() + at;
    std::memcpy(header + 8, payload, 16);
    reinterpret_cast<std::atomic<std::uint64_t>*>(header + 24)->store(0, std::memory_order_relaxed);
    reinterpret_cast<std::atomic<std::uint64_t>*>(header)->store(16, std::memory_order_release);
    at = at + 24 < (1 << 20) ? at + 24 : 0;
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}

void bare_fetch_add(benchmark::State& state) {
  std::vector<std::byte> buffer((1 << 20) + 4096);
  const std::byte payload[16] = {};
  std::atomic<std::uint64_t> cursor{0};
  for (auto _ : state) {
    std::byte* const header = buffer.data() + cursor.fetch_add(24) % ((1 << 20) / 24 * 24);
    std::memcpy(header + 8, payload, 16);
    reinterpret_cast<std::atomic<std::uint64_t>*>(header)->store(16, std::memory_order_release);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}

void attach_detach(benchmark::State& state) {
  const Stream stream{{}};
  for (auto _ : state) Writer{stream.segment()};
}

void sweep(benchmark::State& state) {
  const Stream stream{{.participants = 1000}};
  std::vector<Writer> writers;
  for (int i = 0; i < 1000; ++i) writers.emplace_back(stream.segment());
  for (auto _ : state) benchmark::DoNotOptimize(recover(stream.segment()));
}

void register_benchmarks() {
  benchmark::RegisterBenchmark("limit/bare_bump_16", bare_bump);
  benchmark::RegisterBenchmark("limit/fetch_add_claim_16", bare_fetch_add);
  const auto add = [](const std::string& name, const SegmentOptions& options) {
    const auto with = [&](const char* size, auto run) {
      benchmark::RegisterBenchmark((name + size).c_str(),
                                   [run, options](benchmark::State& state) { run(state, options); });
    };
    with("/16", reserve_commit<16>);
    with("/64", reserve_commit<64>);
    with("/256", reserve_commit<256>);
    with("/1024", reserve_commit<1024>);
  };
  add("reserve_commit/per_writer", {});
  add("reserve_commit/per_writer_full_fences", {.fences = Fences::full});
  add("reserve_commit/total", {.order = Order::total});
  benchmark::RegisterBenchmark("reserve_commit/per_writer/16_at_run_time", reserve_commit_of_any_size);
  benchmark::RegisterBenchmark("attach_detach/writer", attach_detach)->Unit(benchmark::kMicrosecond);
  benchmark::RegisterBenchmark("recover/1000_alive", sweep)->Unit(benchmark::kMicrosecond);
}

}  // namespace

void measure_calls(const Options& options) {
  register_benchmarks();
  std::vector<std::string> words{"sapbuf-bench", fmt::format("--benchmark_min_time={}", options.quick ? 0.02 : 0.3)};
  if (options.json) words.emplace_back("--benchmark_format=json");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  benchmark::RunSpecifiedBenchmarks();
}

}  // namespace sapbuf::bench
