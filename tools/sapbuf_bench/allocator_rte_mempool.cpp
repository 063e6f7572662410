// DPDK's rte_mempool, in its usual form (a ring, for any number of users, with or without a cache in front of it), but
// without DPDK's environment: a pool needs only memory. A user's cache is its own, and handed to each call, which spares
// it the search for the core's.
#include "allocators.hpp"
#include "rte_mempool_place.hpp"

namespace sapbuf::bench {
namespace {

constexpr const char* kWithCache = "DPDK rte_mempool, cache";

class RteMempool {
 public:
  explicit RteMempool(std::size_t bytes, std::unique_ptr<rte_mempool_cache> cache = nullptr)
      : place_(bytes, kObjects, Pages::untouched), cache_(std::move(cache)) {}
  void* acquire() const noexcept {
    void* object = nullptr;
    rte_mempool_generic_get(place_.pool(), &object, 1, cache_.get());
    return object;
  }
  static std::byte* at(void* held) noexcept { return static_cast<std::byte*>(held); }
  void release(void* held) const noexcept { rte_mempool_generic_put(place_.pool(), &held, 1, cache_.get()); }
  void empty_cache() const noexcept { rte_mempool_cache_flush(cache_.get(), place_.pool()); }

 private:
  static constexpr unsigned kObjects = 1023;  // a ring of 1,024 places keeps one empty

  const RteMempoolPlace place_;
  const std::unique_ptr<rte_mempool_cache> cache_;
};

}  // namespace

Calls calls_of_rte_mempool(Pattern pattern, std::size_t bytes) {
  return {call_of<RteMempool>(kWithCache, pattern, bytes, make_rte_mempool_cache()),
          call_of<RteMempool>("DPDK rte_mempool, no cache", pattern, bytes)};
}

// What stands in the cache of a process is lost with it: so each of them empties its own.
Loop loop_of_rte_mempool(std::size_t bytes) {
  auto mempool = std::make_shared<RteMempool>(bytes, make_rte_mempool_cache());
  return {kWithCache, [=](std::uint64_t buffers, const Ready& ready) {
            ready();
            repeat_bursts(*mempool, buffers);
            mempool->empty_cache();
          }};
}

}  // namespace sapbuf::bench
