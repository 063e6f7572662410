// Messages a second from producers to one consumer, each in a process of its own.
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
  bool one_producer_only = false;
};

std::vector<Contender> contenders() {
  std::vector<Contender> all{
      {"sapbuf per_writer", [](const Load&) { return make_sapbuf(false); }, 1},
      {"sapbuf total", [](const Load&) { return make_sapbuf(true); }, 2},
#ifdef SAPBUF_BENCH_RTE_RING
      {"DPDK rte_ring", [](const Load&) { return make_rte_ring(1); }, 4},
      {"DPDK rte_ring bulk 32", [](const Load&) { return make_rte_ring(32); }, 2},
#endif
      {"boost::lockfree", make_lockfree, 8},
      {"mutex and bump", [](const Load&) { return make_mutex(); }, 8},
      {"Boost message_queue", [](const Load&) { return make_message_queue(); }, 10},
#ifdef SAPBUF_BENCH_ZEROMQ
      {"ZeroMQ ipc", [](const Load&) { return make_zeromq(); }, 20},
#endif
      {"pipe", [](const Load&) { return make_pipe(); }, 50},
      {"Unix socket", [](const Load&) { return make_unix_socket(); }, 100},
      {"limit: memory copy", [](const Load&) { return make_memory_copy(); }, 1, true},
  };
  return all;
}

}  // namespace

void measure_throughput(const Options& options, unsigned producers) {
  for (const std::size_t bytes : {16, 64, 256, 1024, 4096}) {
    const std::uint64_t usual = std::max<std::uint64_t>(100'000, 320'000'000 / bytes) / (options.quick ? 10 : 1);
    std::vector<Column> columns;
    for (const Contender& contender : contenders()) {
      if (contender.one_producer_only && producers != 1) continue;
      const std::uint64_t messages = std::max<std::uint64_t>(usual / producers / contender.slowness, 5'000);
      const Load load{bytes, messages, producers};
      columns.push_back({contender.name, [load, make = contender.make] { return hand_over(*make(load), load) / 1e6; }});
    }
    const std::string title =
        fmt::format("{} to one, {} bytes, every byte read", producers == 1 ? "one" : "two", bytes);
    run_rounds(title, columns, options.rounds_that_count());
    show(title, "M msg/s", columns, options);
  }
}

}  // namespace sapbuf::bench
