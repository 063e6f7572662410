// A ring of messages under a process-shared mutex, with a condition for those who wait on either side: the queue of every
// textbook. Whoever dies with the mutex stops all others.
#include <pthread.h>

#include <cstring>
#include <stdexcept>
#include <vector>

#include "hand_over.hpp"
#include "shared_memory.hpp"

namespace sapbuf::bench {
namespace {

struct Shared {
  pthread_mutex_t mutex;
  pthread_cond_t not_full;
  pthread_cond_t not_empty;
  std::uint64_t pushed;
  std::uint64_t taken;
};

class Lock {
 public:
  explicit Lock(pthread_mutex_t& mutex) noexcept : mutex_(mutex) { ::pthread_mutex_lock(&mutex_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock() { ::pthread_mutex_unlock(&mutex_); }

 private:
  pthread_mutex_t& mutex_;
};

class ConditionPeer final : public Peer {
 public:
  void prepare(const Load& load) override {
    depth_ = depth_of(load);
    memory_ = SharedMemory{kHeadBytes + depth_ * load.message_bytes};
    auto* const shared = new (memory_.get()) Shared{};
    pthread_mutexattr_t of_mutex;
    pthread_condattr_t of_condition;
    ::pthread_mutexattr_init(&of_mutex);
    ::pthread_condattr_init(&of_condition);
    ::pthread_mutexattr_setpshared(&of_mutex, PTHREAD_PROCESS_SHARED);
    ::pthread_condattr_setpshared(&of_condition, PTHREAD_PROCESS_SHARED);
    if (::pthread_mutex_init(&shared->mutex, &of_mutex) != 0 ||
        ::pthread_cond_init(&shared->not_full, &of_condition) != 0 ||
        ::pthread_cond_init(&shared->not_empty, &of_condition) != 0) {
      throw std::runtime_error("no process-shared mutex and conditions");
    }
  }

  void produce(const Load& load, const Ready& begin) override {
    std::vector<std::byte> message(load.message_bytes);
    Shared& s = shared();
    begin();
    for (std::uint64_t number = 0; number < load.messages; ++number) {
      fill(message.data(), message.size(), number);
      const Lock lock{s.mutex};
      while (s.pushed - s.taken == depth_) ::pthread_cond_wait(&s.not_full, &s.mutex);
      std::memcpy(place(load, s.pushed++), message.data(), message.size());
      ::pthread_cond_signal(&s.not_empty);
    }
  }

  std::uint64_t consume(const Load& load, const Ready& ready) override {
    std::vector<std::byte> message(load.message_bytes);
    ready();
    std::uint64_t sum = 0;
    while (take(load, message)) sum += sum_of(message.data(), message.size());
    return sum;
  }

  // Its mutex and conditions hold nothing that would have to be given back; who waited there may have been killed.
  void clean_up() noexcept override { memory_ = {}; }
  bool shares() const noexcept override { return true; }

 private:
  static constexpr std::size_t kHeadBytes = 4096;

  Shared& shared() const noexcept { return *reinterpret_cast<Shared*>(memory_.get()); }
  std::byte* place(const Load& load, std::uint64_t position) const noexcept {
    return memory_.get() + kHeadBytes + position % depth_ * load.message_bytes;
  }
  // False once all were taken.
  bool take(const Load& load, std::vector<std::byte>& message) const noexcept {
    Shared& s = shared();
    const std::uint64_t all = load.messages * load.producers;
    const Lock lock{s.mutex};
    while (s.pushed == s.taken && s.taken != all) ::pthread_cond_wait(&s.not_empty, &s.mutex);
    if (s.taken == all) return false;
    std::memcpy(message.data(), place(load, s.taken++), message.size());
    ::pthread_cond_signal(&s.not_full);
    if (s.taken == all) ::pthread_cond_broadcast(&s.not_empty);
    return true;
  }

  std::uint64_t depth_ = 0;
  SharedMemory memory_;
};

}  // namespace

std::unique_ptr<Peer> make_condition() { return std::make_unique<ConditionPeer>(); }

}  // namespace sapbuf::bench
