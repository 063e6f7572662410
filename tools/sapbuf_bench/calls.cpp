// What calls of a stream cost whoever makes them, in one process.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <sapbuf/sapbuf.hpp>
#include <span>
#include <vector>

#include "scenarios.hpp"
#include "single_calls.hpp"

namespace sapbuf::bench {
namespace {

// Memory for one stream at a time: always the same, so that no stream has luckier pages than another.
std::span<std::byte> memory_of(std::size_t bytes) {
  constexpr std::size_t kUsual = 8 << 20;
  static std::vector<std::byte> memory;
  if (memory.size() < bytes + 64) memory.resize(std::max(bytes + 64, kUsual));
  const auto at = reinterpret_cast<std::uintptr_t>(memory.data());
  return {memory.data() + ((at + 63) / 64 * 64 - at), bytes};
}

// Nobody reads, so slabs are reclaimed as they are needed.
Segment make_stream(const SegmentOptions& options) {
  return Segment::create_in({memory_of(Segment::bytes_needed(options))}, options);
}

// The size is known when it is compiled, as it is to most who write records.
template <std::size_t Bytes>
void reserve_commit(benchmark::State& state, const SegmentOptions& options) {
  const Segment stream = make_stream(options);
  Writer writer{stream};
  const std::array<std::byte, Bytes> payload{};
  for (auto _ : state) {
    Reservation reservation = writer.reserve(Bytes);
    std::memcpy(reservation.bytes().data(), payload.data(), Bytes);
    reservation.commit();
  }
  state.SetItemsProcessed(state.iterations());
}

template <std::size_t Bytes>
void batches(benchmark::State& state) {
  constexpr std::size_t kMessages = 32;
  const Segment stream = make_stream({});
  Writer writer{stream};
  const std::array<std::byte, Bytes> payload{};
  while (state.KeepRunningBatch(kMessages)) {
    Batch batch = writer.reserve_batch_of(kMessages, Bytes);
    for (std::size_t i = 0; i < kMessages; ++i) std::memcpy(batch.append(Bytes).data(), payload.data(), Bytes);
    batch.commit();
  }
  state.SetItemsProcessed(state.iterations());
}

void reserve_commit_of_any_size(benchmark::State& state) {
  const Segment stream = make_stream({});
  Writer writer{stream};
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

template <typename Handle>
void attach_detach(benchmark::State& state) {
  const Segment stream = make_stream({});
  for (auto _ : state) Handle{stream};
}

void sweep(benchmark::State& state, std::uint32_t participants) {
  const Segment stream = make_stream({.participants = std::max<std::uint32_t>(participants, 2)});
  std::vector<Writer> writers;
  for (std::uint32_t i = 0; i < participants; ++i) writers.emplace_back(stream);
  for (auto _ : state) benchmark::DoNotOptimize(recover(stream));
}

// Each flip finds a free slab, and nobody waits. The payload stays as it is.
void flip(benchmark::State& state, const SegmentOptions& options) {
  const Segment stream = make_stream(options);
  Writer writer{stream};
  const std::size_t most = options.slab_bytes - layout::kExtentFrameBytes - layout::kExtentTailBytes - 64;
  for (auto _ : state) {
    Reservation reservation = writer.reserve(most);
    if (!reservation) state.SkipWithError("no room");
    reservation.commit();
  }
}

// --- Figures -------------------------------------------------------------------------------------------------------

template <std::size_t Bytes>
void measure_calls_of(Report& report) {
  const auto write_to = [](const SegmentOptions& options) {
    return [options](benchmark::State& state) { reserve_commit<Bytes>(state, options); };
  };
  std::vector<Call> calls{{"sapbuf per_writer", write_to({})},
                          {"sapbuf per_writer, batch 32", batches<Bytes>},
                          {"sapbuf per_writer, full fences", write_to({.fences = Fences::full})},
                          {"sapbuf total", write_to({.order = Order::total})}};
  if constexpr (Bytes == 16) {
    calls.push_back({"sapbuf per_writer, size at run time", reserve_commit_of_any_size});
    calls.push_back({"limit: bare bump", bare_bump});
    calls.push_back({"limit: fetch_add claim", bare_fetch_add});
  }
  report.add({"calls", fmt::format("reserve, write and commit {} bytes", Bytes), "ns",
              run_calls(calls, report.options(), 1), static_cast<double>(Bytes)});
}

}  // namespace

void measure_calls(Report& report) {
  measure_calls_of<16>(report);
  measure_calls_of<64>(report);
  measure_calls_of<256>(report);
  measure_calls_of<1024>(report);
}

void measure_registries(Report& report) {
  std::vector<Call> writes;
  std::vector<Call> looks;
  for (const std::uint32_t participants : {64u, 256u, 1000u}) {
    const std::string column = fmt::format("{} participants", participants);
    writes.push_back(
        {column, [=](benchmark::State& state) { reserve_commit<16>(state, {.participants = participants}); }});
    looks.push_back({column, [=](benchmark::State& state) { sweep(state, participants); }});
  }
  report.add(
      {"registry", "reserve, write and commit 16 bytes, with room for", "ns", run_calls(writes, report.options(), 1)});
  report.add({"sweep", "a look for the dead that finds all alive", "ms", run_calls(looks, report.options(), 1e6)});
}

void measure_upkeep(Report& report) {
  const auto flip_of = [](std::uint64_t slab_bytes, Order order) {
    return [=](benchmark::State& state) { flip(state, {.slab_bytes = slab_bytes, .order = order}); };
  };
  const std::vector<Call> calls{
      {"attach and detach a writer", attach_detach<Writer>},
      {"attach and detach a reader", attach_detach<Reader>},
      {"recovery with nothing to do", [](benchmark::State& state) { sweep(state, 1); }},
      {"flip, per_writer, 64 KiB", flip_of(64 << 10, Order::per_writer)},
      {"flip, per_writer, 1 MiB", flip_of(1 << 20, Order::per_writer)},
      {"flip, total, 64 KiB", flip_of(64 << 10, Order::total)},
      {"flip, total, 1 MiB", flip_of(1 << 20, Order::total)},
  };
  report.add(
      {"upkeep", "a call each; a flip cleans the slab that it takes", "us", run_calls(calls, report.options(), 1000)});
}

}  // namespace sapbuf::bench
