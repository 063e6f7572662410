// What the machine itself allows: a copy of memory from one core to another, and the ping-pong of a cache line.
#include <atomic>
#include <cstring>

#include "hand_over.hpp"
#include "shared_memory.hpp"

namespace sapbuf::bench {
namespace {

// Two buffers of a slab's size change hands whole: no headers, one store and one look for each of them.
class MemoryCopyPeer final : public Peer {
 public:
  void prepare(const Load&) override {
    memory_ = SharedMemory{kHeadBytes + 2 * kBufferBytes};
    new (memory_.get()) Turns{};
  }

  void produce(const Load& load) override {
    const std::uint64_t in_buffer = kBufferBytes / load.message_bytes;
    std::uint64_t number = 0;
    for (std::uint64_t turn = 0; number < load.messages; ++turn) {
      while (turn >= turns().read.load(std::memory_order_acquire) + 2) spin_pause();
      std::byte* const buffer = memory_.get() + kHeadBytes + turn % 2 * kBufferBytes;
      for (std::uint64_t i = 0; i < in_buffer && number < load.messages; ++i, ++number) {
        fill(buffer + i * load.message_bytes, load.message_bytes, number);
      }
      turns().written.store(turn + 1, std::memory_order_release);
    }
  }

  std::uint64_t consume(const Load& load, void (*ready)(void*), void* context) override {
    ready(context);
    const std::uint64_t in_buffer = kBufferBytes / load.message_bytes;
    std::uint64_t sum = 0;
    std::uint64_t seen = 0;
    for (std::uint64_t turn = 0; seen < load.messages; ++turn) {
      while (turn >= turns().written.load(std::memory_order_acquire)) spin_pause();
      const std::byte* const buffer = memory_.get() + kHeadBytes + turn % 2 * kBufferBytes;
      const std::uint64_t here = std::min(in_buffer, load.messages - seen);
      sum += sum_of(buffer, here * load.message_bytes);
      seen += here;
      turns().read.store(turn + 1, std::memory_order_release);
    }
    return sum;
  }

  void clean_up() noexcept override { memory_ = {}; }

 private:
  struct Turns {
    alignas(64) std::atomic<std::uint64_t> written{0};
    alignas(64) std::atomic<std::uint64_t> read{0};
  };
  static constexpr std::size_t kHeadBytes = 4096;
  static constexpr std::size_t kBufferBytes = 64 << 10;

  Turns& turns() const noexcept { return *reinterpret_cast<Turns*>(memory_.get()); }

  SharedMemory memory_;
};

}  // namespace

std::unique_ptr<Peer> make_memory_copy() { return std::make_unique<MemoryCopyPeer>(); }

}  // namespace sapbuf::bench
