// The ranges that are alive in this process, and whose they are: a thread that has pinned what it then waits for would
// wait for ever.
#pragma once

#include <atomic>
#include <cstdint>

#include <sapbuf/abi.hpp>

namespace SAPBUF_DETAIL {

class StreamCore;

// A number that no other thread of this process has had.
std::uint64_t this_thread_number() noexcept;

// A reader's part of it. Pinning stores one word; who waits for room looks at all readers of the process.
class RangeOwner {
 public:
  RangeOwner() noexcept;
  RangeOwner(const RangeOwner&) = delete;
  RangeOwner& operator=(const RangeOwner&) = delete;

  bool has_range() const noexcept { return thread_.load(std::memory_order_relaxed) != 0; }
  // Whether this reader's living range, which is the calling thread's own, keeps `generation` of the stream. It is
  // asked within a NoFork section, and touches no shared memory: a page that is gone would end the process there.
  virtual bool keeps_by_range(const StreamCore& stream, std::uint64_t generation) const noexcept = 0;

 protected:
  ~RangeOwner();
  // Relaxed: only the thread that stored its own number acts on it.
  void begin_range() noexcept { thread_.store(this_thread_number(), std::memory_order_relaxed); }
  void end_range() noexcept { thread_.store(0, std::memory_order_relaxed); }
  bool is_own_range() const noexcept { return thread_.load(std::memory_order_relaxed) == this_thread_number(); }

 private:
  friend bool is_kept_by_own_range(StreamCore& core) noexcept;

  std::atomic<std::uint64_t> thread_{0};  // that pinned the living range; 0: there is none
  // A list without allocations, guarded by the fork guard's mutex, so that a child finds it whole.
  RangeOwner* next_;
  RangeOwner* previous_ = nullptr;
};

// Whether the oldest slab, which has to be reclaimed before any other, is kept by a range of the calling thread: of
// whatever reader, and through whatever handle of the segment. False while a slab is free, or on its way to be.
bool is_kept_by_own_range(StreamCore& core) noexcept;

}  // namespace SAPBUF_DETAIL
