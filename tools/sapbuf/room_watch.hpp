// Tells people when a writer has waited for room for long: who keeps it from going on, and, later, that it goes on.
// Ends the tool when nobody can read any more what it writes.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <sapbuf/sapbuf.hpp>
#include <thread>

#include "sapbuf/name_watch.hpp"

namespace sapbuf::tools {

// A thread beside the one that writes: the writer's calls cannot tell of themselves while they wait.
class RoomWatch {
 public:
  explicit RoomWatch(const Stream& stream);
  RoomWatch(const RoomWatch&) = delete;
  RoomWatch& operator=(const RoomWatch&) = delete;
  ~RoomWatch();

  // Around each call that may wait; cheap. `went_on`: there was room in the end.
  void enter() noexcept { step(); }
  void leave(bool went_on) {
    step();
    if (told_.load(std::memory_order_acquire)) [[unlikely]]
      tell_the_end(went_on);
  }

  // The stream was removed, and nobody is left in it who reads: a stop was requested.
  bool nobody_left() const noexcept { return nobody_left_.load(std::memory_order_relaxed); }
  // Looks whether that is so now.
  void look_at_name();

 private:
  using Clock = std::chrono::steady_clock;

  void step() noexcept { steps_.store(steps_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  void run();
  void look_at_name_locked();
  void tell_who_keeps_it() const;
  void tell_the_end(bool went_on);

  const Stream stream_;
  NameWatch name_;  // under `mutex_`
  std::atomic<bool> nobody_left_{false};
  std::atomic<std::uint64_t> steps_{0};  // odd while a call is going on
  Clock::time_point waits_since_{};      // set before told_
  std::atomic<bool> told_{false};
  std::mutex mutex_;
  std::condition_variable over_;
  bool is_over_ = false;
  std::thread thread_;
};

}  // namespace sapbuf::tools
