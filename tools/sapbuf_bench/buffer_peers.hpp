// Buffers that are acquired in one process, handed over, and released in another: what is measured beside the pool.
#pragma once

#include <boost/lockfree/spsc_queue.hpp>

#include "hand_over.hpp"
#include "single_calls.hpp"

namespace sapbuf::bench {

inline constexpr const char* kPoolOverRing = "sapbuf pool, over a ring";
inline constexpr const char* kRteMempoolAndRing = "DPDK rte_mempool + rte_ring";
inline constexpr const char* kManagedOverRing = "Boost managed_shared_memory";

enum class Carrier { ring, stream };                              // of references
std::unique_ptr<Peer> make_pool(Carrier carrier);                 // share here, adopt there
std::unique_ptr<Peer> make_rte_mempool_and_ring(unsigned batch);  // buffers a call; SAPBUF_BENCH_DPDK
std::unique_ptr<Peer> make_managed_memory();

// The same steps by one process alone, for two users: what they cost where no line comes from another core.
Call pool_alone();
Call rte_mempool_and_ring_alone();  // SAPBUF_BENCH_DPDK
Call managed_memory_alone();

// Of each buffer that is handed over.
inline constexpr std::size_t kHandedBytes = 64;
// As many buffers as the allocators have, and as many of them as can be on their way.
inline constexpr std::size_t kHandedBuffers = 4096;
inline constexpr std::size_t kOnTheirWay = 256;

// What carries pointers where an allocator has nothing of its own.
template <typename Item>
using Ring = boost::lockfree::spsc_queue<Item, boost::lockfree::capacity<kOnTheirWay>>;

template <typename Item>
void push(Ring<Item>& ring, const Item& item) noexcept {
  while (!ring.push(item)) spin_pause();
}
template <typename Item>
Item pop(Ring<Item>& ring) noexcept {
  Item item{};
  while (!ring.pop(item)) spin_pause();
  return item;
}

}  // namespace sapbuf::bench
