// The same double-buffered bump allocation behind a process-shared mutex: what one would write first.
#include <pthread.h>

#include <cstring>
#include <stdexcept>

#include "hand_over.hpp"
#include "shared_memory.hpp"

namespace sapbuf::bench {
namespace {

struct Shared {
  pthread_mutex_t mutex;
  std::size_t used[2];  // bytes written into each slab; a slab is the writers' until the reader has taken the other
  unsigned active;
};

class MutexPeer final : public Peer {
 public:
  void prepare(const Load&) override {
    memory_ = SharedMemory{kHeadBytes + 2 * kSlabBytes};
    pthread_mutexattr_t attributes;
    ::pthread_mutexattr_init(&attributes);
    ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    auto* const shared = new (memory_.get()) Shared{};
    if (::pthread_mutex_init(&shared->mutex, &attributes) != 0) throw std::runtime_error("no process-shared mutex");
  }

  void produce(const Load& load, const Ready& begin) override {
    begin();
    for (std::uint64_t number = 0; number < load.messages; ++number) {
      while (!append(load.message_bytes, number)) spin_pause();
    }
  }

  std::uint64_t consume(const Load& load, const Ready& ready) override {
    ready();
    std::uint64_t sum = 0;
    for (std::uint64_t left = load.messages * load.producers * load.message_bytes; left > 0;) {
      const auto [at, bytes] = take();
      if (bytes == 0) {
        spin_pause();
        continue;
      }
      for (std::size_t offset = 0; offset < bytes; offset += load.message_bytes) {
        sum += sum_of(at + offset, load.message_bytes);
      }
      give_back();
      left -= bytes;
    }
    return sum;
  }

  void clean_up() noexcept override {
    ::pthread_mutex_destroy(&shared().mutex);
    memory_ = {};
  }

 private:
  static constexpr std::size_t kHeadBytes = 4096;

  Shared& shared() const noexcept { return *reinterpret_cast<Shared*>(memory_.get()); }
  std::byte* slab(unsigned index) const noexcept { return memory_.get() + kHeadBytes + index * kSlabBytes; }

  bool append(std::size_t bytes, std::uint64_t number) const noexcept {
    Shared& s = shared();
    ::pthread_mutex_lock(&s.mutex);
    const bool fits = s.used[s.active] + bytes <= kSlabBytes;
    if (fits) {
      fill(slab(s.active) + s.used[s.active], bytes, number);
      s.used[s.active] += bytes;
    }
    ::pthread_mutex_unlock(&s.mutex);
    return fits;
  }

  // Everything written so far; writers go on in the other slab.
  std::pair<const std::byte*, std::size_t> take() noexcept {
    Shared& s = shared();
    ::pthread_mutex_lock(&s.mutex);
    taken_ = s.active;
    const std::size_t bytes = s.used[taken_];
    if (bytes != 0) s.active = 1 - taken_;
    ::pthread_mutex_unlock(&s.mutex);
    return {slab(taken_), bytes};
  }

  void give_back() noexcept {
    Shared& s = shared();
    ::pthread_mutex_lock(&s.mutex);
    s.used[taken_] = 0;
    ::pthread_mutex_unlock(&s.mutex);
  }

  SharedMemory memory_;
  unsigned taken_ = 0;
};

}  // namespace

std::unique_ptr<Peer> make_mutex() { return std::make_unique<MutexPeer>(); }

}  // namespace sapbuf::bench
