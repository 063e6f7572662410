// How throughput changes with the size of messages, the number of producers and readers, and the slabs.
#include <fmt/format.h>

#include <algorithm>

#include "hand_over.hpp"
#include "scenarios.hpp"
#include "sizes.hpp"

namespace sapbuf::bench {
namespace {

constexpr std::size_t kMiB = 1 << 20;

// So much is sent each time: more than any of the slabs hold, and enough to take a while.
std::uint64_t messages_of(std::size_t bytes, const Options& options, std::uint64_t volume = 640'000'000) {
  return std::max<std::uint64_t>((options.quick ? volume / 20 : volume) / std::max<std::size_t>(bytes, 16), 64);
}

Column stream(std::string name, const SegmentOptions& options, const Load& load, double per_message) {
  return {std::move(name), [=] { return hand_over(*make_sapbuf(options), load) * per_message; }};
}

void add_both_orders(std::vector<Column>& columns, SegmentOptions options, const Load& load, double per_message) {
  columns.push_back(stream("sapbuf per_writer", options, load, per_message));
  options.order = Order::total;
  columns.push_back(stream("sapbuf total", options, load, per_message));
}

}  // namespace

void measure_message_sizes(Report& report) {
  for (const std::size_t bytes : {8ul, 64ul, 512ul, 4096ul, 32768ul, 262144ul, 2 * kMiB, 16 * kMiB}) {
    const SegmentOptions options{.slab_bytes = std::max<std::uint64_t>(kMiB, 2 * bytes)};
    const Load load{bytes, messages_of(bytes, report.options(), 2'000'000'000) / (bytes < 64 ? 4 : 1)};
    std::vector<Column> columns;
    add_both_orders(columns, options, load, static_cast<double>(bytes) / 1e9);
    report.measure({"messages", fmt::format("messages of {}", human_bytes(bytes)), "GB/s", std::move(columns),
                    static_cast<double>(bytes), true});
  }
}

void measure_producers(Report& report) {
  for (const unsigned producers : {1u, 2u, 4u, 8u, 16u, 32u, 64u}) {
    const SegmentOptions options{.slab_bytes = 4 * kMiB, .participants = 128};
    const Load load{16, messages_of(16, report.options()) / 2 / producers, producers};
    std::vector<Column> columns;
    add_both_orders(columns, options, load, 1e-6);
    report.measure(
        {"producers",
         fmt::format("{} to one, 16 bytes", producers == 1 ? "1 producer" : fmt::format("{} producers", producers)),
         "M msg/s", std::move(columns), static_cast<double>(producers), true});
  }
}

void measure_readers(Report& report) {
  for (const unsigned readers : {1u, 2u, 4u, 8u, 16u}) {
    const Load load{64, messages_of(64, report.options()) / 2, 1, readers};
    std::vector<Column> columns;
    add_both_orders(columns, {}, load, 1e-6);
    report.measure({"readers", fmt::format("one producer to {} readers, 64 bytes", readers), "M msg/s written",
                    std::move(columns), static_cast<double>(readers), true});
  }
}

void measure_slabs(Report& report) {
  for (const std::size_t bytes : {kMiB / 16, kMiB / 4, kMiB, 16 * kMiB, 256 * kMiB, 1024 * kMiB}) {
    if (report.options().quick && bytes > 16 * kMiB) continue;
    // Each slab is filled several times; of large ones the first time, in which its pages come to be mapped, is a third.
    const std::uint64_t volume = std::max<std::uint64_t>(640'000'000, 6 * bytes);
    const Load load{64, messages_of(64, report.options(), volume)};
    std::vector<Column> columns;
    add_both_orders(columns, {.slab_bytes = bytes}, load, 1e-6);
    report.measure({"slab-bytes", fmt::format("2 slabs of {}, 64 bytes", human_bytes(bytes)), "M msg/s",
                    std::move(columns), static_cast<double>(bytes), true});
  }
  for (const std::uint32_t slabs : {2u, 4u, 8u, 16u}) {
    const Load load{64, messages_of(64, report.options())};
    std::vector<Column> columns;
    add_both_orders(columns, {.slabs = slabs, .slab_bytes = kMiB}, load, 1e-6);
    report.measure({"slabs", fmt::format("{} slabs of 1 MiB, 64 bytes", slabs), "M msg/s", std::move(columns),
                    static_cast<double>(slabs), true});
  }
}

}  // namespace sapbuf::bench
