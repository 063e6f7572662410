// Participants that allocate small pieces from buffers of 1 MiB, as fast as they can, and hand them to nobody: what a
// lock costs, what an atomic costs, and what sapbuf costs.
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <sapbuf/sapbuf.hpp>
#include <stdexcept>
#include <thread>
#include <vector>

#include "at_once.hpp"
#include "processes.hpp"
#include "scenarios.hpp"
#include "shared_memory.hpp"

namespace sapbuf::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned kParticipants = 8;
constexpr std::size_t kBytes = 16;

// Both buffers are bumped in turn; nobody reads, so a full one may be begun again at once.
class Locked {
 public:
  explicit Locked(const SharedMemory& memory)
      : head_(*reinterpret_cast<Head*>(memory.get())), buffers_(memory.get() + 4096) {
    pthread_mutexattr_t attributes;
    ::pthread_mutexattr_init(&attributes);
    ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (::pthread_mutex_init(&head_.mutex, &attributes) != 0) throw std::runtime_error("no process-shared mutex");
  }
  void run(std::uint64_t count) const {
    for (std::uint64_t number = 0; number < count; ++number) {
      ::pthread_mutex_lock(&head_.mutex);
      if (head_.used + kBytes > kSlabBytes) {
        head_.used = 0;
        head_.active = 1 - head_.active;
      }
      std::byte* const piece = buffers_ + head_.active * kSlabBytes + head_.used;
      head_.used += kBytes;
      ::pthread_mutex_unlock(&head_.mutex);
      fill(piece, kBytes, number);
    }
  }

 private:
  struct Head {
    pthread_mutex_t mutex;
    std::size_t used;
    unsigned active;
  };
  Head& head_;
  std::byte* const buffers_;
};

// One ever growing offset; the buffers follow each other.
class Atomic {
 public:
  explicit Atomic(const SharedMemory& memory)
      : offset_(*new (memory.get()) std::atomic<std::uint64_t>{0}), buffers_(memory.get() + 4096) {}
  void run(std::uint64_t count) const {
    for (std::uint64_t number = 0; number < count; ++number) {
      const std::uint64_t offset = offset_.fetch_add(kBytes, std::memory_order_relaxed);
      fill(buffers_ + offset % (2 * kSlabBytes), kBytes, number);
    }
  }

 private:
  std::atomic<std::uint64_t>& offset_;
  std::byte* const buffers_;
};

void write_to(const Segment& segment, std::uint64_t count) {
  Writer writer{segment};
  for (std::uint64_t number = 0; number < count; ++number) {
    Reservation reservation = writer.reserve(kBytes);
    if (!reservation) throw std::runtime_error("sapbuf: " + std::string(to_string(reservation.status())));
    fill(reservation.bytes().data(), kBytes, number);
    reservation.commit();
  }
}

// What each participant runs. Allocations a second of all participants together.
using Allocations = std::function<void()>;

double in_threads(const Allocations& work, std::uint64_t count) {
  std::atomic<bool> go{false};
  std::atomic<unsigned> failed{0};
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kParticipants; ++i) {
    threads.emplace_back([&, i] {
      pin_to(i);
      while (!go.load(std::memory_order_acquire)) std::this_thread::yield();
      try {
        work();
      } catch (const std::exception&) {
        ++failed;
      }
    });
  }
  const auto begin = Clock::now();
  go.store(true, std::memory_order_release);
  for (std::thread& thread : threads) thread.join();
  const std::chrono::duration<double> seconds = Clock::now() - begin;
  if (failed != 0) throw std::runtime_error("an allocation failed");
  return kParticipants * static_cast<double>(count) / seconds.count();
}

double in_processes(const Allocations& work, std::uint64_t count) {
  const double seconds = at_once(kParticipants, [&](unsigned, const Ready& ready) {
    ready();
    work();
  });
  return kParticipants * static_cast<double>(count) / seconds;
}

using Runner = double (*)(const Allocations&, std::uint64_t);

double with_memory(Runner run, std::uint64_t count, bool locked) {
  const SharedMemory memory{4096 + 2 * kSlabBytes};
  if (locked) {
    const Locked allocator{memory};
    return run([&] { allocator.run(count); }, count);
  }
  const Atomic allocator{memory};
  return run([&] { allocator.run(count); }, count);
}

double with_sapbuf(Runner run, std::uint64_t count, Order order) {
  const std::string name = "bench.allocation." + std::to_string(::getpid());
  Segment::remove(name);
  const Segment own = Segment::create(name, {.order = order});
  const double rate = run([&] { write_to(Segment::open(name), count); }, count);
  Segment::remove(name);
  return rate;
}

}  // namespace

void measure_allocation(Report& report) {
  const std::uint64_t count = report.options().quick ? 25'600 : 256'000;
  for (const auto& [how, run] : {std::pair{"threads", &in_threads}, std::pair{"processes", &in_processes}}) {
    std::vector<Column> columns{
        {"sapbuf per_writer", [=, run = run] { return with_sapbuf(run, count, Order::per_writer) / 1e6; }},
        {"sapbuf total", [=, run = run] { return with_sapbuf(run, count, Order::total) / 1e6; }},
        {"atomic", [=, run = run] { return with_memory(run, count, false) / 1e6; }},
        {"locked", [=, run = run] { return with_memory(run, count, true) / 1e6; }},
    };
    report.measure({std::string("allocation-") + how,
                    "8 " + std::string(how) + " x " + std::to_string(count) + " allocations of 16 bytes", "M/s",
                    std::move(columns), 0, true});
  }
}

}  // namespace sapbuf::bench
