// Queues: one, two and four producers, and as many consumers; every byte is written and read.
#include <fmt/format.h>

#include <algorithm>

#include "hand_over.hpp"
#include "processes.hpp"
#include "scenarios.hpp"

namespace sapbuf::bench {
namespace {

using MakePeer = std::function<std::unique_ptr<Peer>(const Load&)>;

struct Contender {
  const char* name;
  MakePeer make;
  unsigned slowness;           // about how many times slower than the fastest: so many times fewer messages
  bool stands_still = false;   // with more processes than cores: they wait for each other in the midst of a call
  std::size_t most_bytes = 0;  // that a message may have; 0: as many as it likes
};

std::vector<Contender> contenders() {
  std::vector<Contender> all{
      {"sapbuf queue", [](const Load&) { return make_queue({}); }, 2},
      {"sapbuf queue batch 32", [](const Load&) { return make_queue({.batch = 32}); }, 1},
      {"sapbuf queue batch 42", [](const Load&) { return make_queue({.batch = 42}); }, 1},
#ifdef SAPBUF_BENCH_DPDK
      {"DPDK rte_ring MP/MC", [](const Load&) { return make_rte_ring(1, Ends::many); }, 2, true},
      {"DPDK rte_ring MP/MC bulk 32", [](const Load&) { return make_rte_ring(32, Ends::many); }, 1, true},
      {"DPDK rte_ring HTS", [](const Load&) { return make_rte_ring(1, Ends::many_hts); }, 2, true},
      {"DPDK rte_ring HTS bulk 32", [](const Load&) { return make_rte_ring(32, Ends::many_hts); }, 1, true},
#endif
      {"boost::lockfree", make_lockfree, 8},
      {"mutex and condition", [](const Load&) { return make_condition(); }, 16},
      {"POSIX mq", [](const Load&) { return make_posix_mq(); }, 40, false, kMostOfPosixMq},
  };
  return all;
}

// Twice as many ends as cores show what an end costs that is off its core. With more of them some stand still.
bool can_be_measured(const Contender& contender, const Load& load) {
  if (contender.most_bytes != 0 && load.message_bytes > contender.most_bytes) return false;
  return !contender.stands_still || load.producers + load.consumers <= 2 * cores();
}

}  // namespace

void measure_queue(Report& report) {
  for (const unsigned ends : {1u, 2u, 4u}) {
    for (const std::size_t bytes : {16, 64, 1024, 4096, 65536}) {
      if (report.options().quick && bytes != 64 && bytes != 65536) continue;
      const std::uint64_t usual =
          std::clamp<std::uint64_t>(400'000'000 / bytes, 20'000, 4'000'000) / (report.options().quick ? 50 : 1);
      std::vector<Column> columns;
      for (const Contender& contender : contenders()) {
        const std::uint64_t messages = std::max<std::uint64_t>(usual / ends / contender.slowness, 2'000);
        const Load load{bytes, messages, ends, ends};
        if (!can_be_measured(contender, load)) continue;
        columns.push_back(
            {contender.name, [load, make = contender.make] { return hand_over(*make(load), load) / 1e6; }});
      }
      report.measure({ends == 1 ? "queue" : fmt::format("queue-{}", ends),
                      fmt::format("blocks of {} bytes from {} to {}, every byte read", bytes, ends, ends), "M msg/s",
                      std::move(columns), static_cast<double>(bytes), true});
    }
  }
}

}  // namespace sapbuf::bench
