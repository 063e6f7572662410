// Buffers from one process to another: acquired and filled here, read and released there.
#include "buffer_peers.hpp"
#include "scenarios.hpp"

namespace sapbuf::bench {

void measure_pool_hand_over(Report& report) {
  const std::uint64_t usual = report.options().quick ? 40'000 : 1'000'000;
  std::vector<Column> columns;
  const auto add = [&](const char* name, unsigned slowness, const std::function<std::unique_ptr<Peer>()>& make) {
    const Load load{.message_bytes = kHandedBytes, .messages = usual / slowness};
    columns.push_back({name, [=] { return 1e9 / hand_over(*make(), load); }});
  };
  add(kPoolOverRing, 2, [] { return make_pool(Carrier::ring); });
  add("sapbuf pool, over a stream", 2, [] { return make_pool(Carrier::stream); });
#ifdef SAPBUF_BENCH_DPDK
  add(kRteMempoolAndRing, 1, [] { return make_rte_mempool_and_ring(1); });
  add("DPDK the same, 32 a call", 1, [] { return make_rte_mempool_and_ring(32); });
#endif
  add(kManagedOverRing, 10, make_managed_memory);
  report.measure(
      {"pool-hand-over", "acquire and fill 64 bytes here, read and release there", "ns", std::move(columns), 0, true});
  std::vector<Call> calls{pool_alone()};
#ifdef SAPBUF_BENCH_DPDK
  calls.push_back(rte_mempool_and_ring_alone());
#endif
  calls.push_back(managed_memory_alone());
  report.add({"pool-hand-over-alone", "the same by one process alone, for two users", "ns",
              run_calls(calls, report.options(), 1)});
}

}  // namespace sapbuf::bench
