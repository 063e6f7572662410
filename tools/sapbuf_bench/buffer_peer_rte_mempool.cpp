// DPDK: a mempool with a cache for each process, and a ring for the pointers.
#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>

#include "buffer_peers.hpp"
#include "rte_mempool_place.hpp"

namespace sapbuf::bench {
namespace {

class MempoolPeer final : public Peer {
 public:
  explicit MempoolPeer(unsigned batch) : batch_(batch) {}

  void prepare(const Load& load) override {
    pool_.emplace(load.message_bytes, kHandedBuffers - 1, Pages::ready);
    ring_memory_ = SharedMemory{static_cast<std::size_t>(rte_ring_get_memsize(kOnTheirWay))};
    if (rte_ring_init(ring(), "bench", kOnTheirWay, RING_F_SP_ENQ | RING_F_SC_DEQ) != 0) {
      throw std::runtime_error("rte_ring_init failed");
    }
  }

  void produce(const Load& load, const Ready& begin) override {
    const auto cache = make_rte_mempool_cache();
    std::array<void*, kMostABatch> buffers;
    begin();
    for (std::uint64_t number = 0; number < load.messages;) {
      const auto count = static_cast<unsigned>(std::min<std::uint64_t>(batch_, load.messages - number));
      while (rte_mempool_generic_get(pool_->pool(), buffers.data(), count, cache.get()) != 0) rte_pause();
      for (unsigned i = 0; i < count; ++i) fill(static_cast<std::byte*>(buffers[i]), load.message_bytes, number + i);
      while (rte_ring_sp_enqueue_bulk(ring(), buffers.data(), count, nullptr) == 0) rte_pause();
      number += count;
    }
  }

  std::uint64_t consume(const Load& load, const Ready& ready) override {
    const auto cache = make_rte_mempool_cache();
    std::array<void*, kMostABatch> buffers;
    ready();
    std::uint64_t sum = 0;
    for (std::uint64_t seen = 0; seen < load.messages;) {
      const unsigned count = rte_ring_sc_dequeue_burst(ring(), buffers.data(), batch_, nullptr);
      if (count == 0) {
        rte_pause();
        continue;
      }
      for (unsigned i = 0; i < count; ++i) sum += sum_of(static_cast<std::byte*>(buffers[i]), load.message_bytes);
      rte_mempool_generic_put(pool_->pool(), buffers.data(), count, cache.get());
      seen += count;
    }
    return sum;
  }

  void clean_up() noexcept override {
    pool_.reset();
    ring_memory_ = {};
  }

 private:
  static constexpr unsigned kMostABatch = 32;

  rte_ring* ring() const noexcept { return reinterpret_cast<rte_ring*>(ring_memory_.get()); }

  const unsigned batch_;
  std::optional<RteMempoolPlace> pool_;
  SharedMemory ring_memory_;
};

}  // namespace

std::unique_ptr<Peer> make_rte_mempool_and_ring(unsigned batch) { return std::make_unique<MempoolPeer>(batch); }

Call rte_mempool_and_ring_alone() {
  return {kRteMempoolAndRing, [](benchmark::State& state) {
            const RteMempoolPlace pool{kHandedBytes, kHandedBuffers - 1, Pages::ready};
            const SharedMemory ring_memory{static_cast<std::size_t>(rte_ring_get_memsize(kOnTheirWay))};
            auto* const ring = reinterpret_cast<rte_ring*>(ring_memory.get());
            rte_ring_init(ring, "bench", kOnTheirWay, RING_F_SP_ENQ | RING_F_SC_DEQ);
            const auto here = make_rte_mempool_cache();
            const auto there = make_rte_mempool_cache();
            std::uint64_t number = 0;
            for (auto _ : state) {
              void* buffer = nullptr;
              if (rte_mempool_generic_get(pool.pool(), &buffer, 1, here.get()) != 0) {
                return state.SkipWithError("no buffer");
              }
              fill(static_cast<std::byte*>(buffer), kHandedBytes, ++number);
              rte_ring_sp_enqueue(ring, buffer);
              rte_ring_sc_dequeue(ring, &buffer);
              benchmark::DoNotOptimize(sum_of(static_cast<std::byte*>(buffer), kHandedBytes));
              rte_mempool_generic_put(pool.pool(), &buffer, 1, there.get());
            }
          }};
}

}  // namespace sapbuf::bench
