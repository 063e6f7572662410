#include "waits.hpp"

#include <pthread.h>

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "errors.hpp"

namespace sapbuf::python {
namespace {

std::atomic<std::uint64_t> epoch{0};
pthread_t main_thread;

using Clock = std::chrono::steady_clock;

// A thread that begins meanwhile gets no signal: Python's are other threads' to handle.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

class AlarmClock {
 public:
  void add(std::atomic<bool>& flag, Clock::time_point due) {
    const std::lock_guard lock{mutex_};
    if (!runs_) start();
    set_.push_back({&flag, due});
    changed_.notify_one();
  }

  void remove(const std::atomic<bool>& flag) noexcept {
    const std::lock_guard lock{mutex_};
    std::erase_if(set_, [&](const Set& set) { return set.flag == &flag; });
  }

 private:
  struct Set {
    std::atomic<bool>* flag;
    Clock::time_point due;
  };

  void start() {
    try {
      const SignalsBlocked in_the_thread;
      std::thread{[this] { run(); }}.detach();
    } catch (const std::system_error& error) {
      throw Error(Errc::resource_exhausted, std::string{"cannot make a thread that ends waits: "} + error.what());
    }
    runs_ = true;
  }

  [[noreturn]] void run() {
    for (std::unique_lock lock{mutex_};;) {
      const auto next =
          std::min_element(set_.begin(), set_.end(), [](const Set& a, const Set& b) { return a.due < b.due; });
      if (next == set_.end()) {
        changed_.wait(lock);
      } else if (next->due > Clock::now()) {
        changed_.wait_until(lock, next->due);
      } else {
        next->flag->store(true, std::memory_order_relaxed);
        set_.erase(next);
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Set> set_;
  bool runs_ = false;
};

// Never destroyed: its thread may run until the process has gone. A child has no such thread, and gets another one.
AlarmClock* alarm_clock = nullptr;

void begin_child() noexcept {
  epoch.fetch_add(1, std::memory_order_relaxed);
  main_thread = ::pthread_self();
  alarm_clock = new AlarmClock;
}

}  // namespace

void prepare_waits() {
  const auto number = py::module_::import("threading").attr("main_thread")().attr("ident").cast<unsigned long>();
  main_thread = static_cast<pthread_t>(number);
  alarm_clock = new AlarmClock;
  ::pthread_atfork(nullptr, nullptr, &begin_child);
}

bool is_main_thread() noexcept { return ::pthread_equal(::pthread_self(), main_thread) != 0; }

std::uint64_t fork_epoch() noexcept { return epoch.load(std::memory_order_relaxed); }

Deadline Deadline::in(std::optional<double> seconds) {
  Deadline deadline;
  if (!seconds) return deadline;
  if (std::isnan(*seconds)) raise("InvalidArgument", "a timeout is a number of seconds, or None");
  constexpr double kLongest = 1e9;  // some thirty years
  if (*seconds >= kLongest) return deadline;
  const std::chrono::duration<double> wanted{std::max(*seconds, 0.0)};
  deadline.at_ = Clock::now() + std::chrono::ceil<std::chrono::nanoseconds>(wanted);
  return deadline;
}

std::chrono::nanoseconds Deadline::left() const noexcept {
  return at_ ? *at_ - Clock::now() : std::chrono::nanoseconds::max();
}

Alarm::Alarm(std::atomic<bool>& flag, std::chrono::nanoseconds after) : flag_(flag) {
  alarm_clock->add(flag, Clock::now() + after);
}

Alarm::~Alarm() { alarm_clock->remove(flag_); }

void run_signal_handlers() {
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

}  // namespace sapbuf::python
