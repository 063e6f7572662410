// Blocks of a fixed size, one or 42 a reservation, from several producers to several consumers. What rte_ring hands
// over goes to one of the consumers; a stream's readers get every block each.
#include <fmt/format.h>

#include "hand_over.hpp"
#include "processes.hpp"
#include "scenarios.hpp"

namespace sapbuf::bench {
namespace {

constexpr std::size_t kBlockBytes = 64;

}  // namespace

void measure_blocks(Report& report) {
  for (const unsigned blocks : {1u, 42u}) {
    for (const unsigned ends : {1u, 2u, 4u}) {
      const std::uint64_t count = (report.options().quick ? 210'000 : 4'200'000) / ends / 42 * 42;
      [[maybe_unused]] const Load block_by_block{kBlockBytes, count, ends, ends};
      const Load run_by_run{kBlockBytes * blocks, count / blocks, ends, ends};  // a run is one message
      const auto stream = [=](const SegmentOptions& options) {
        return [=] { return hand_over(*make_sapbuf(options), run_by_run) * blocks / 1e6; };
      };
      std::vector<Column> columns{
          {"sapbuf per_writer, to all", stream({})},
          {"sapbuf total, to all", stream({.order = Order::total})},
      };
#ifdef SAPBUF_BENCH_DPDK
      // Its users wait for each other in the midst of a call: with many more of them than cores, it stands still.
      if (ends <= cores()) {
        columns.push_back(
            {"DPDK rte_ring, to one", [=] { return hand_over(*make_rte_ring(blocks), block_by_block) / 1e6; }});
      }
#endif
      report.measure({fmt::format("blocks-{}", blocks),
                      fmt::format("{} to {}, blocks of {} bytes, {} a reservation", ends, ends, kBlockBytes, blocks),
                      "M blocks/s", std::move(columns), static_cast<double>(ends), true});
    }
  }
}

}  // namespace sapbuf::bench
