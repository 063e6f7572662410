// Waits that end when a signal handler of Python's raises, when the time is over, or when the handle is closed.
//
// Python runs its signal handlers on the main thread, between two instructions of its own, and nobody can be told
// without the interpreter's lock that one is due. So the main thread waits in slices, and looks between them; other
// threads wait in one piece. Calls that are not told for how long they may wait have a flag that ends them: alarms set it,
// slice by slice.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>

#include <pybind11/pybind11.h>

namespace sapbuf::python {

inline constexpr std::chrono::nanoseconds kSlice = std::chrono::milliseconds{50};

// To be called once, when the module is loaded: remembers the main thread, and listens for forks.
void prepare_waits();
// Where Python runs signal handlers.
bool is_main_thread() noexcept;
// Another number in every child made by fork.
std::uint64_t fork_epoch() noexcept;

class Deadline {
 public:
  // In so many seconds; nothing: never. Throws InvalidArgument for what is no number.
  static Deadline in(std::optional<double> seconds);

  bool is_over() const noexcept { return left() <= std::chrono::nanoseconds{0}; }
  std::chrono::nanoseconds left() const noexcept;

 private:
  std::optional<std::chrono::steady_clock::time_point> at_;
};

// For waits that are told in milliseconds: no less.
inline std::chrono::milliseconds whole_milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time) + std::chrono::milliseconds{1};
}

// Sets a flag once so much time has gone by, unless it is destroyed before: from a thread that all alarms of the process
// share, and that sleeps while there are none.
class Alarm {
 public:
  Alarm(std::atomic<bool>& flag, std::chrono::nanoseconds after);
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  ~Alarm();

 private:
  const std::atomic<bool>& flag_;
};

// Runs Python's signal handlers that are due, and throws what they raise.
void run_signal_handlers();

}  // namespace sapbuf::python
