// What all participants have in common, whether they write, read or take.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sapbuf/status.hpp>

#include "errors.hpp"
#include "gil.hpp"
#include "waits.hpp"

namespace sapbuf::python {

// The library gives a participant to one thread at a time. Here threads take turns by the interpreter's lock, except
// during waits: then the participant is `in a call`, other threads are told that it is busy, and what they drop of its
// things is kept until the call is over, or its wait has ended for that. What they do with its things has its Turn.
// Everything but the atomics is guarded by the interpreter's lock.
class Participant : public std::enable_shared_from_this<Participant> {
 public:
  explicit Participant(const char* what) : what_(what) {}
  Participant(const Participant&) = delete;
  Participant& operator=(const Participant&) = delete;
  virtual ~Participant() = default;

  // One call, from its beginning to its end. Throws Forked, Closed, Busy.
  class Call {
   public:
    explicit Call(Participant& participant);
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    ~Call();

   private:
    Participant& participant_;
  };

  // What is done with a thing of a participant's that may wait in another thread, in wait_in_slices() or wait_once(): the
  // wait ends for that, within milliseconds, and no other one begins meanwhile. Throws Forked.
  class Turn {
   public:
    explicit Turn(Participant& participant);
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn();

   private:
    Participant& participant_;
  };

  // Throws Forked in a child that inherited it.
  void check_not_forked() const;
  bool is_closed() const noexcept { return closed_; }
  // Detaches; a call that waits in another thread ends within milliseconds, and detaches then.
  void close();

  // Behind the end of something that kept a closed participant from detaching.
  void settle() noexcept {
    if (closed_ && !in_call_) detach();
  }

  std::atomic<bool>& stop() noexcept { return stop_; }
  // Destroys a thing of this participant's now, or when the wait or the call in hand is over.
  template <typename Thing>
  void let_go(Thing thing) {
    if (in_call_) dropped_.push_back(std::make_shared<Thing>(std::move(thing)));
    if (waits_) stop_.store(true, std::memory_order_relaxed);
  }

  // Calls `wait()`, which `stop` ends, without the interpreter's lock. What it says. `begin()` comes before that, with the
  // lock and behind all turns: true if there is nothing left to wait for.
  template <typename Wait, typename Begin>
  bool wait_once(Wait wait, Begin begin) {
    let_turns_go_first();
    dropped_.clear();
    if (begin()) return true;
    struct EndOfWait {
      std::atomic<bool>& waits;
      ~EndOfWait() {
        waits.store(false, std::memory_order_release);  // turn: behind what the wait did;  a Turn acquires
        waits.notify_all();
      }
    };
    waits_.store(true, std::memory_order_relaxed);
    return without_gil([&] {
      const EndOfWait at_its_end{waits_};
      return wait();
    });
  }
  template <typename Wait>
  bool wait_once(Wait wait) {
    return wait_once(wait, [] { return false; });
  }

  // Calls `wait(nanoseconds)`, which `stop` ends, without the interpreter's lock until it says true, or the time is over,
  // or this was closed, or `goes_on()` says false, which is asked with the lock behind each one that was in vain, and may
  // throw. Whether it said true, or `begin()`, as in wait_once(), did.
  template <typename Wait, typename GoesOn, typename Begin>
  bool wait_in_slices(const Deadline& deadline, Wait wait, GoesOn goes_on, Begin begin) {
    for (;;) {
      const std::chrono::nanoseconds left = deadline.left();
      const auto slice = is_main_thread() ? std::min(left, kSlice) : left;
      stop_.store(false, std::memory_order_relaxed);
      if (wait_once([&] { return wait(slice); }, begin)) return true;
      run_signal_handlers();
      if (closed_ || !goes_on() || deadline.is_over()) return false;
    }
  }
  template <typename Wait, typename GoesOn>
  bool wait_in_slices(const Deadline& deadline, Wait wait, GoesOn goes_on) {
    return wait_in_slices(deadline, wait, goes_on, [] { return false; });
  }
  template <typename Wait>
  bool wait_in_slices(const Deadline& deadline, Wait wait) {
    return wait_in_slices(deadline, wait, [] { return true; });
  }

  // Calls `attempt`, which returns a Status, until it says something else than that it was stopped: at first so that it
  // does not wait, then as wait_once() does. `stop` must be the flag that ends its waits, and it must end by
  // itself with the deadline where that is no more than a slice away, and on other threads than the main one.
  template <typename Attempt>
  Status until_done(const Deadline& deadline, Attempt attempt) {
    stop_.store(true, std::memory_order_relaxed);
    Status status = attempt();
    const bool needs_alarms = status == Status::stopped && is_main_thread() && deadline.left() > kSlice;
    while (status == Status::stopped && !closed_) {
      if (deadline.is_over()) return Status::timeout;
      stop_.store(false, std::memory_order_relaxed);
      std::optional<Alarm> alarm;
      if (needs_alarms) alarm.emplace(stop_, std::min(deadline.left(), kSlice));
      wait_once([&] {
        status = attempt();
        return true;
      });
      if (status == Status::stopped) run_signal_handlers();
    }
    return status;
  }

 protected:
  // May be called more than once.
  virtual void detach() noexcept = 0;

 private:
  void check_ready() const;
  void let_turns_go_first();

  const char* what_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> waits_{false};  // without the interpreter's lock
  std::atomic<std::uint32_t> turns_{0};
  bool in_call_ = false;
  bool closed_ = false;
  std::uint64_t epoch_ = fork_epoch();
  std::vector<std::shared_ptr<void>> dropped_;
};

}  // namespace sapbuf::python
