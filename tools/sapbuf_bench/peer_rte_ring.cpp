// DPDK's rte_ring with elements of the message's size, without DPDK's environment: a ring needs only memory.
#include <rte_ring.h>
#include <rte_ring_elem.h>

#include <atomic>
#include <vector>

#include "hand_over.hpp"
#include "shared_memory.hpp"

namespace sapbuf::bench {
namespace {

class RteRingPeer final : public Peer {
 public:
  RteRingPeer(unsigned batch, Ends ends) : batch_(batch), ends_(ends) {}

  void prepare(const Load& load) override {
    const auto count = static_cast<unsigned>(depth_of(load));
    const ssize_t bytes = rte_ring_get_memsize_elem(static_cast<unsigned>(load.message_bytes), count);
    if (bytes < 0) throw std::runtime_error("rte_ring does not take elements of this size");
    memory_ = SharedMemory{kHeadBytes + static_cast<std::size_t>(bytes)};
    new (memory_.get()) std::atomic<std::uint64_t>{0};
    if (rte_ring_init(ring(), "bench", count, flags_for(load)) != 0) {
      throw std::runtime_error("rte_ring_init failed");
    }
  }

  void produce(const Load& load, const Ready& begin) override {
    const std::size_t bytes = load.message_bytes;
    std::vector<std::byte> messages(bytes * batch_);
    const auto size = static_cast<unsigned>(bytes);
    begin();
    for (std::uint64_t number = 0; number < load.messages;) {
      const unsigned count = static_cast<unsigned>(std::min<std::uint64_t>(batch_, load.messages - number));
      for (unsigned i = 0; i < count; ++i) fill(messages.data() + i * bytes, bytes, number + i);
      while (!enqueue(messages.data(), size, count)) rte_pause();
      number += count;
    }
  }

  std::uint64_t consume(const Load& load, const Ready& ready) override {
    const std::size_t bytes = load.message_bytes;
    std::vector<std::byte> messages(bytes * batch_);
    ready();
    const std::uint64_t wanted = load.messages * load.producers;
    std::uint64_t sum = 0;
    for (std::uint64_t seen = 0; seen < wanted;) {
      const unsigned count = dequeue(messages.data(), static_cast<unsigned>(bytes));
      for (unsigned i = 0; i < count; ++i) sum += sum_of(messages.data() + i * bytes, bytes);
      if (load.consumers == 1) {
        seen += count;
      } else if (count != 0) {
        seen = seen_by_all().fetch_add(count, std::memory_order_relaxed) + count;
      } else {
        seen = seen_by_all().load(std::memory_order_relaxed);
      }
      if (count == 0) rte_pause();
    }
    return sum;
  }

  void clean_up() noexcept override { memory_ = {}; }
  bool shares() const noexcept override { return true; }

 private:
  static constexpr std::size_t kHeadBytes = 4096;

  unsigned flags_for(const Load& load) const noexcept {
    if (ends_ == Ends::many) return 0;
    if (ends_ == Ends::many_hts) return RING_F_MP_HTS_ENQ | RING_F_MC_HTS_DEQ;
    return (load.producers == 1 ? RING_F_SP_ENQ : 0) | (load.consumers == 1 ? RING_F_SC_DEQ : 0);
  }

  std::atomic<std::uint64_t>& seen_by_all() const noexcept {
    return *reinterpret_cast<std::atomic<std::uint64_t>*>(memory_.get());
  }
  rte_ring* ring() const noexcept { return reinterpret_cast<rte_ring*>(memory_.get() + kHeadBytes); }
  bool enqueue(const void* messages, unsigned size, unsigned count) const noexcept {
    if (batch_ == 1) return rte_ring_enqueue_elem(ring(), const_cast<void*>(messages), size) == 0;
    return rte_ring_enqueue_bulk_elem(ring(), messages, size, count, nullptr) == count;
  }
  unsigned dequeue(void* messages, unsigned size) const noexcept {
    if (batch_ == 1) return rte_ring_dequeue_elem(ring(), messages, size) == 0 ? 1 : 0;
    return rte_ring_dequeue_burst_elem(ring(), messages, size, batch_, nullptr);
  }

  const unsigned batch_;
  const Ends ends_;
  SharedMemory memory_;
};

}  // namespace

std::unique_ptr<Peer> make_rte_ring(unsigned batch, Ends ends) { return std::make_unique<RteRingPeer>(batch, ends); }

}  // namespace sapbuf::bench
