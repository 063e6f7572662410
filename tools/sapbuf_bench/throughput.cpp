// Messages a second from producers to one consumer, each in a process of its own.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "hand_over.hpp"
#include "scenarios.hpp"

namespace sapbuf::bench {
namespace {

using MakePeer = std::function<std::unique_ptr<Peer>(const Load&)>;

struct Contender {
  const char* name;
  MakePeer make;
  unsigned slowness;  // about how many times slower than the fastest: so many times fewer messages
};

std::vector<Contender> contenders() {
  std::vector<Contender> all{
      {"sapbuf per_writer", [](const Load&) { return make_sapbuf({}); }, 1},
      {"sapbuf per_writer batch 32", [](const Load&) { return make_sapbuf({}, 32); }, 1},
      {"sapbuf total", [](const Load&) { return make_sapbuf({.order = Order::total}); }, 2},
      {"sapbuf total batch 32", [](const Load&) { return make_sapbuf({.order = Order::total}, 32); }, 2},
#ifdef SAPBUF_BENCH_DPDK
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
  };
  return all;
}

// The best that the machine allows in each round, whichever way of copying that takes.
Column limit(const Load& load) {
  auto wins = std::make_shared<std::map<std::string, unsigned>>();
  const auto run = [load, wins] {
    double best = 0;
    const char* winner = "";
    for (const Copying copying : ways_of_copying()) {
      const double figure = hand_over(*make_copy(copying), load) / 1e6;
      if (figure > best) winner = to_string(copying);
      best = std::max(best, figure);
    }
    ++(*wins)[winner];
    return best;
  };
  const auto by_wins = [](const auto& one, const auto& other) { return one.second < other.second; };
  const auto note = [wins, by_wins] { return std::max_element(wins->begin(), wins->end(), by_wins)->first; };
  return {"limit", run, {}, {}, note};
}

}  // namespace

void measure_throughput(Report& report, unsigned producers) {
  const char* const scenario = producers == 1 ? "one-to-one" : "two-to-one";
  for (const std::size_t bytes : {16, 64, 256, 1024, 4096}) {
    const std::uint64_t usual =
        std::max<std::uint64_t>(100'000, 640'000'000 / bytes) / (report.options().quick ? 100 : 1);
    std::vector<Column> columns;
    const auto add = [&](const std::string& name, const Contender& contender, unsigned of_these) {
      const std::uint64_t messages = std::max<std::uint64_t>(usual / of_these / contender.slowness, 5'000);
      const Load load{bytes, messages, of_these};
      columns.push_back({name, [load, make = contender.make] { return hand_over(*make(load), load) / 1e6; }});
    };
    const std::vector<Contender> all = contenders();
    for (const Contender& contender : all) add(contender.name, contender, producers);
    if (producers == 1) {
      columns.push_back(limit({bytes, std::max<std::uint64_t>(usual, 5'000)}));
    } else {
      add(std::string(all.front().name) + ", one producer", all.front(), 1);
    }
    const std::string title =
        fmt::format("{} to one, {} bytes, every byte read", producers == 1 ? "one" : "two", bytes);
    report.measure({scenario, title, "M msg/s", std::move(columns), static_cast<double>(bytes), true});
  }
}

}  // namespace sapbuf::bench
