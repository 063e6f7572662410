// What the machine itself allows: memory copied from one core to another, in the ways that it has.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "hand_over.hpp"
#include "shared_memory.hpp"

namespace sapbuf::bench {
namespace {

#if defined(__x86_64__)
void rep_movsb(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

// Around the caches: the lines are not fetched before they are overwritten. `bytes` is a multiple of 8.
void stream(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  std::size_t at = 0;
  const auto word = [&] {
    long long value;
    std::memcpy(&value, from + at, 8);
    _mm_stream_si64(reinterpret_cast<long long*>(to + at), value);
    at += 8;
  };
  while (at < bytes && reinterpret_cast<std::uintptr_t>(to + at) % 16 != 0) word();
  for (; at + 16 <= bytes; at += 16) {
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + at), _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + at)));
  }
  while (at < bytes) word();
}
#endif

// Buffers change hands whole: no headers, one store and one look for each of them.
class CopyPeer final : public Peer {
 public:
  explicit CopyPeer(Copying copying) : copying_(copying) {}

  void prepare(const Load&) override {
    memory_ = SharedMemory{kHeadBytes + kBuffers * kBufferBytes};
    new (memory_.get()) Turns{};
  }

  void produce(const Load& load, const Ready& begin) override {
    const std::uint64_t in_buffer = kBufferBytes / load.message_bytes;
    std::vector<std::byte> block(std::max(kBlockBytes, load.message_bytes));
    begin();
    for (std::uint64_t turn = 0, number = 0; number < load.messages; ++turn) {
      while (turn >= turns().read.load(std::memory_order_acquire) + kBuffers) spin_pause();
      const std::uint64_t here = std::min(in_buffer, load.messages - number);
      write(buffer(turn), block, load.message_bytes, number, here);
      number += here;
      turns().written.store(turn + 1, std::memory_order_release);
    }
  }

  std::uint64_t consume(const Load& load, const Ready& ready) override {
    ready();
    const std::uint64_t in_buffer = kBufferBytes / load.message_bytes;
    std::uint64_t sum = 0;
    std::uint64_t seen = 0;
    for (std::uint64_t turn = 0; seen < load.messages; ++turn) {
      while (turn >= turns().written.load(std::memory_order_acquire)) spin_pause();
      const std::uint64_t here = std::min(in_buffer, load.messages - seen);
      sum += sum_of(buffer(turn), here * load.message_bytes);
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
  static constexpr std::size_t kBuffers = 16;
  static constexpr std::size_t kBlockBytes = 4096;  // what is copied at once: stays in the nearest cache

  Turns& turns() const noexcept { return *reinterpret_cast<Turns*>(memory_.get()); }
  std::byte* buffer(std::uint64_t turn) const noexcept {
    return memory_.get() + kHeadBytes + turn % kBuffers * kBufferBytes;
  }

  void write(std::byte* to, std::vector<std::byte>& block, std::size_t bytes, std::uint64_t number,
             std::uint64_t count) const noexcept {
    if (copying_ == Copying::stores) {
      for (std::uint64_t i = 0; i < count; ++i) fill(to + i * bytes, bytes, number + i);
      return;
    }
    const std::uint64_t in_block = block.size() / bytes;
    for (std::uint64_t first = 0; first < count; first += in_block) {
      const std::uint64_t here = std::min(in_block, count - first);
      for (std::uint64_t i = 0; i < here; ++i) fill(block.data() + i * bytes, bytes, number + first + i);
      copy(to + first * bytes, block.data(), here * bytes);
    }
#if defined(__x86_64__)
    if (copying_ == Copying::streaming_stores) _mm_sfence();  // they are ordered by nothing else
#endif
  }

  void copy(std::byte* to, const std::byte* from, std::size_t bytes) const noexcept {
#if defined(__x86_64__)
    if (copying_ == Copying::rep_movsb) return rep_movsb(to, from, bytes);
    if (copying_ == Copying::streaming_stores) return stream(to, from, bytes);
#endif
    std::memcpy(to, from, bytes);
  }

  const Copying copying_;
  SharedMemory memory_;
};

}  // namespace

std::span<const Copying> ways_of_copying() noexcept {
#if defined(__x86_64__)
  static constexpr Copying kWays[] = {Copying::stores, Copying::memcpy, Copying::rep_movsb, Copying::streaming_stores};
#else
  static constexpr Copying kWays[] = {Copying::stores, Copying::memcpy};
#endif
  return kWays;
}

const char* to_string(Copying copying) noexcept {
  switch (copying) {
    case Copying::stores:
      return "stores in place";
    case Copying::memcpy:
      return "memcpy";
    case Copying::rep_movsb:
      return "rep movsb";
    case Copying::streaming_stores:
      return "streaming stores";
  }
  return "unknown";
}

std::unique_ptr<Peer> make_copy(Copying copying) { return std::make_unique<CopyPeer>(copying); }

}  // namespace sapbuf::bench
