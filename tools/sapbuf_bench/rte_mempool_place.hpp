// A DPDK rte_mempool in memory that processes share, made without DPDK's environment: from the parts that its calls use.
#pragma once

#include <rte_mempool.h>
#include <rte_ring.h>

#include <cstring>
#include <memory>
#include <stdexcept>

#include "shared_memory.hpp"

namespace sapbuf::bench {

class RteMempoolPlace {
 public:
  RteMempoolPlace(std::size_t object_bytes, unsigned objects, Pages pages)
      : objects_(object_bytes * objects, pages),
        memory_(kRingAt + static_cast<std::size_t>(rte_ring_get_memsize(objects + 1))) {
    auto* const ring = reinterpret_cast<rte_ring*>(memory_.get() + kRingAt);
    if (rte_ring_init(ring, "bench", objects + 1, 0) != 0) throw std::runtime_error("rte_ring_init failed");
    new (memory_.get()) rte_mempool{};
    pool()->pool_data = ring;
    pool()->size = pool()->populated_size = objects;
    pool()->elt_size = static_cast<std::uint32_t>(object_bytes);
    pool()->flags = RTE_MEMPOOL_F_POOL_CREATED;
    pool()->ops_index = index_of_ring_ops();
    for (unsigned i = 0; i < objects; ++i) {
      void* object = objects_.get() + i * object_bytes;
      rte_mempool_generic_put(pool(), &object, 1, nullptr);
    }
  }

  rte_mempool* pool() const noexcept { return reinterpret_cast<rte_mempool*>(memory_.get()); }

 private:
  static constexpr std::size_t kRingAt = 4096;
  static_assert(sizeof(rte_mempool) <= kRingAt);

  // Those of a pool that any number of users take from and give back to: DPDK's default.
  static int index_of_ring_ops() {
    for (unsigned i = 0; i < rte_mempool_ops_table.num_ops; ++i) {
      if (std::strcmp(rte_mempool_ops_table.ops[i].name, "ring_mp_mc") == 0) return static_cast<int>(i);
    }
    throw std::runtime_error("DPDK's ring driver for mempools is not there");
  }

  const SharedMemory objects_;
  const SharedMemory memory_;
};

// What one user keeps to itself; the size is DPDK's default for packets.
inline std::unique_ptr<rte_mempool_cache> make_rte_mempool_cache() {
  constexpr unsigned kSize = 256;
  auto cache = std::make_unique<rte_mempool_cache>();
  cache->size = kSize;
  cache->flushthresh = kSize * 3 / 2;
  return cache;
}

}  // namespace sapbuf::bench
