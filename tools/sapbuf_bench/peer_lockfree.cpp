// boost::lockfree with fixed storage, placed in shared memory: spsc_queue for one producer and one consumer, queue for
// several.
#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>

#include <array>
#include <atomic>
#include <stdexcept>

#include "hand_over.hpp"
#include "shared_memory.hpp"

namespace sapbuf::bench {
namespace {

namespace lockfree = boost::lockfree;

template <std::size_t Bytes>
struct Message {
  std::array<std::byte, Bytes> bytes;
};

// queue counts its nodes in 16 bits.
constexpr std::size_t capacity_for(std::size_t bytes) { return std::min<std::size_t>(kSlabBytes / bytes, 60'000); }

template <typename Queue, std::size_t Bytes>
class LockfreePeer final : public Peer {
 public:
  void prepare(const Load&) override {
    memory_ = SharedMemory{sizeof(Queue) + alignof(Queue)};
    queue_ = new (memory_.get()) Queue;
    counter_ = SharedMemory{64};
    new (counter_.get()) std::atomic<std::uint64_t>{0};
  }

  void produce(const Load& load, const Ready& begin) override {
    Message<Bytes> message;
    begin();
    for (std::uint64_t number = 0; number < load.messages; ++number) {
      fill(message.bytes.data(), Bytes, number);
      while (!queue_->push(message)) spin_pause();
    }
  }

  std::uint64_t consume(const Load& load, const Ready& ready) override {
    Message<Bytes> message;
    ready();
    std::uint64_t sum = 0;
    const std::uint64_t wanted = load.messages * load.producers;
    for (std::uint64_t seen = 0; seen < wanted;) {
      const bool is_there = queue_->pop(message);
      if (is_there) sum += sum_of(message.bytes.data(), Bytes);
      if (load.consumers == 1) {
        seen += is_there ? 1 : 0;
      } else {
        seen = is_there ? seen_by_all().fetch_add(1) + 1 : seen_by_all().load(std::memory_order_relaxed);
      }
      if (!is_there) spin_pause();
    }
    return sum;
  }

  void clean_up() noexcept override {
    queue_->~Queue();
    memory_ = {};
  }
  bool shares() const noexcept override { return true; }

 private:
  std::atomic<std::uint64_t>& seen_by_all() const noexcept {
    return *reinterpret_cast<std::atomic<std::uint64_t>*>(counter_.get());
  }

  SharedMemory memory_;
  SharedMemory counter_;
  Queue* queue_ = nullptr;
};

template <std::size_t Bytes>
std::unique_ptr<Peer> make(const Load& load) {
  constexpr std::size_t kCapacity = capacity_for(Bytes);
  if (load.producers == 1 && load.consumers == 1) {
    return std::make_unique<LockfreePeer<lockfree::spsc_queue<Message<Bytes>, lockfree::capacity<kCapacity>>, Bytes>>();
  }
  using Queue = lockfree::queue<Message<Bytes>, lockfree::fixed_sized<true>, lockfree::capacity<kCapacity>>;
  return std::make_unique<LockfreePeer<Queue, Bytes>>();
}

}  // namespace

std::unique_ptr<Peer> make_lockfree(const Load& load) {
  switch (load.message_bytes) {
    case 16:
      return make<16>(load);
    case 64:
      return make<64>(load);
    case 256:
      return make<256>(load);
    case 1024:
      return make<1024>(load);
    case 4096:
      return make<4096>(load);
    case 65536:
      return make<65536>(load);
    default:
      throw std::runtime_error("boost::lockfree is compiled for other message sizes");
  }
}

}  // namespace sapbuf::bench
