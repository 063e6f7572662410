// What one would write oneself: values under a lock that processes share, and the limit, a seqlock for each value. Both have a
// table by the key's number instead of a hash, which is the least that a lookup can cost.
#include <pthread.h>

#include <atomic>
#include <stdexcept>

#include "map_peers.hpp"
#include "shared_memory.hpp"

namespace sapbuf::bench {
namespace {

// --- A reader-writer lock around all of it ------------------------------------------------------------------------

struct Locked {
  Locked(const MapShape& of) : shape(of), memory(kValuesAt + of.keys * of.value_bytes) {
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (pthread_rwlock_init(&lock(), &attributes) != 0) throw std::runtime_error("no rwlock");
    pthread_rwlockattr_destroy(&attributes);
  }
  pthread_rwlock_t& lock() const noexcept { return *reinterpret_cast<pthread_rwlock_t*>(memory.get()); }
  std::byte* value(std::uint64_t key) const noexcept { return memory.get() + kValuesAt + key * shape.value_bytes; }
  static constexpr std::size_t kValuesAt = 128;  // behind the lock, from the beginning of a line on
  static_assert(sizeof(pthread_rwlock_t) <= kValuesAt);
  const MapShape shape;
  const SharedMemory memory;
};

class LockedReading final : public MapReading {
 public:
  explicit LockedReading(std::shared_ptr<const Locked> of) : of_(std::move(of)) {}
  std::uint64_t read(std::uint64_t first, std::uint64_t times) override {
    std::uint64_t sum = 0;
    KeyOrder keys{of_->shape, first};
    for (std::uint64_t i = 0; i < times; ++i) {
      pthread_rwlock_rdlock(&of_->lock());
      sum += sum_of(of_->value(keys.next()), of_->shape.value_bytes);
      pthread_rwlock_unlock(&of_->lock());
    }
    return sum;
  }

 private:
  const std::shared_ptr<const Locked> of_;
};

class LockedWriting final : public MapWriting {
 public:
  explicit LockedWriting(std::shared_ptr<const Locked> of) : of_(std::move(of)) {}
  void write(std::uint64_t first, std::uint64_t times) override {
    KeyOrder keys{of_->shape, first};
    for (std::uint64_t i = 0; i < times; ++i) {
      pthread_rwlock_wrlock(&of_->lock());
      fill(of_->value(keys.next()), of_->shape.value_bytes, i);
      pthread_rwlock_unlock(&of_->lock());
    }
  }

 private:
  const std::shared_ptr<const Locked> of_;
};

// --- A seqlock for each value ---------------------------------------------------------------------------------------

struct Sequenced {
  using Word = std::atomic<std::uint64_t>;
  Sequenced(const MapShape& of) : shape(of), stride((of.value_bytes + 8 + 63) / 64 * 64), memory(of.keys * stride) {}
  Word* words(std::uint64_t key) const noexcept { return reinterpret_cast<Word*>(memory.get() + key * stride); }
  const MapShape shape;
  const std::size_t stride;
  const SharedMemory memory;
};

class SequencedReading final : public MapReading {
 public:
  explicit SequencedReading(std::shared_ptr<const Sequenced> of)
      : of_(std::move(of)), copy_(of_->shape.value_bytes / 8) {}
  std::uint64_t read(std::uint64_t first, std::uint64_t times) override {
    std::uint64_t sum = 0;
    KeyOrder keys{of_->shape, first};
    for (std::uint64_t i = 0; i < times; ++i) {
      sum += read_one(of_->words(keys.next()));
    }
    return sum;
  }

 private:
  std::uint64_t read_one(const Sequenced::Word* words) noexcept {
    for (;;) {
      const std::uint64_t before = words[0].load(std::memory_order_acquire);
      for (std::size_t at = 0; at < copy_.size(); ++at) copy_[at] = words[1 + at].load(std::memory_order_relaxed);
      std::atomic_thread_fence(std::memory_order_acquire);
      if (before % 2 == 0 && words[0].load(std::memory_order_relaxed) == before) break;
    }
    return sum_of(reinterpret_cast<const std::byte*>(copy_.data()), copy_.size() * 8);
  }

  const std::shared_ptr<const Sequenced> of_;
  std::vector<std::uint64_t> copy_;
};

class SequencedWriting final : public MapWriting {
 public:
  explicit SequencedWriting(std::shared_ptr<const Sequenced> of) : of_(std::move(of)) {}
  void write(std::uint64_t first, std::uint64_t times) override {
    KeyOrder keys{of_->shape, first};
    for (std::uint64_t i = 0; i < times; ++i) {
      Sequenced::Word* const words = of_->words(keys.next());
      std::uint64_t even = words[0].load(std::memory_order_relaxed) & ~std::uint64_t{1};
      while (!words[0].compare_exchange_weak(even, even + 1, std::memory_order_acq_rel)) even &= ~std::uint64_t{1};
      std::atomic_thread_fence(std::memory_order_release);
      for (std::size_t at = 0; at < of_->shape.value_bytes / 8; ++at) words[1 + at].store(i, std::memory_order_relaxed);
      words[0].store(even + 2, std::memory_order_release);
    }
  }

 private:
  const std::shared_ptr<const Sequenced> of_;
};

}  // namespace

MapPeer map_peer_rwlock(const MapShape& shape) {
  const auto of = std::make_shared<const Locked>(shape);
  return {"rwlock", [=] { return std::make_unique<LockedReading>(of); },
          [=] { return std::make_unique<LockedWriting>(of); }};
}

MapPeer map_peer_seqlock(const MapShape& shape) {
  const auto of = std::make_shared<const Sequenced>(shape);
  return {"seqlock (limit)", [=] { return std::make_unique<SequencedReading>(of); },
          [=] { return std::make_unique<SequencedWriting>(of); }};
}

}  // namespace sapbuf::bench
