// Queues: one producer and one consumer, and two of each; every byte is written and read.
#include <fmt/format.h>

#include <algorithm>

#include "hand_over.hpp"
#include "scenarios.hpp"

namespace sapbuf::bench {
namespace {

using MakePeer = std::function<std::unique_ptr<Peer>(const Load&)>;

struct Contender {
  const char* name;
  MakePeer make;
  unsigned slowness;  // about how many times slower than the fastest: so many times fewer messages
  bool for_many;      // also between several of each
};

std::vector<Contender> contenders() {
  std::vector<Contender> all{
      {"sapbuf queue", [](const Load&) { return make_queue({}); }, 2, true},
      {"sapbuf queue batch 32", [](const Load&) { return make_queue({.batch = 32}); }, 1, true},
#ifdef SAPBUF_BENCH_DPDK
      {"DPDK rte_ring MP/MC", [](const Load&) { return make_rte_ring(1, Ends::many); }, 2, true},
      {"DPDK rte_ring MP/MC bulk 32", [](const Load&) { return make_rte_ring(32, Ends::many); }, 1, true},
      {"DPDK rte_ring HTS", [](const Load&) { return make_rte_ring(1, Ends::many_hts); }, 2, true},
#endif
      {"boost::lockfree", make_lockfree, 8, false},
      {"mutex and bump", [](const Load&) { return make_mutex(); }, 8, false},
      {"POSIX mq", [](const Load&) { return make_posix_mq(); }, 40, false},
  };
  return all;
}

}  // namespace

void measure_queue(Report& report) {
  for (const unsigned ends : {1u, 2u}) {
    for (const std::size_t bytes : {16, 64, 1024, 4096}) {
      const std::uint64_t usual =
          std::clamp<std::uint64_t>(400'000'000 / bytes, 100'000, 4'000'000) / (report.options().quick ? 50 : 1);
      std::vector<Column> columns;
      for (const Contender& contender : contenders()) {
        if (ends > 1 && !contender.for_many) continue;
        const std::uint64_t messages = std::max<std::uint64_t>(usual / ends / contender.slowness, 5'000);
        const Load load{bytes, messages, ends, ends};
        columns.push_back(
            {contender.name, [load, make = contender.make] { return hand_over(*make(load), load) / 1e6; }});
      }
      report.measure({ends == 1 ? "queue" : "queue-many",
                      fmt::format("blocks of {} bytes from {} to {}, every byte read", bytes, ends, ends), "M msg/s",
                      std::move(columns), static_cast<double>(bytes), true});
    }
  }
}

}  // namespace sapbuf::bench
