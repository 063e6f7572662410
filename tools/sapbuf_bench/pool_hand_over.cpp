// Buffers from one process to another: acquired and filled here, read and released there.
#include "buffer_peers.hpp"
#include "scenarios.hpp"

namespace sapbuf::bench {

void measure_pool_hand_over(Report& report) {
  const std::uint64_t usual = report.options().quick ? 40'000 : 1'000'000;
  std::vector<Column> columns;
  const auto add = [&](const char* name, unsigned slowness, const std::function<std::unique_ptr<Peer>()>& make) {
    const Load load{.message_bytes = 64, .messages = usual / slowness};
    columns.push_back({name, [=] { return 1e9 / hand_over(*make(), load); }});
  };
  add("sapbuf pool, over a ring", 2, [] { return make_pool(Carrier::ring); });
  add("sapbuf pool, over a stream", 2, [] { return make_pool(Carrier::stream); });
#ifdef SAPBUF_BENCH_DPDK
  add("DPDK rte_mempool + rte_ring", 1, [] { return make_rte_mempool_and_ring(1); });
  add("DPDK the same, 32 a call", 1, [] { return make_rte_mempool_and_ring(32); });
#endif
  add("Boost managed_shared_memory", 10, make_managed_memory);
  report.measure(
      {"pool-hand-over", "acquire and fill 64 bytes here, read and release there", "ns", std::move(columns), 0, true});
}

}  // namespace sapbuf::bench
