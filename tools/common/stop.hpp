// SIGINT, SIGTERM and SIGHUP ask a tool to end; it does so at the next place where nothing is left half done.
#pragma once

#include <atomic>
#include <chrono>

namespace sapbuf::tools {

namespace detail {
extern std::atomic<bool> stop_flag;
extern std::atomic<bool> second_flag;
}  // namespace detail

// No wait may be longer than this without a look at `stop_requested`.
inline constexpr std::chrono::milliseconds kStopSlice{100};

// SIGHUP is left alone where it is ignored. Also ignores SIGPIPE and SIGXFSZ: a closed pipe, and a limit of a file's size,
// show as errors where it is written to.
//
// Once a signal came, system calls that block are interrupted again and again (EINTR): a signal that arrives just
// before a read or write begins is not missed.
void catch_stop_signals();

// What a signal does, for a thread that finds a reason to end. Call catch_stop_signals before.
void request_stop() noexcept;

inline bool stop_requested() noexcept { return detail::stop_flag.load(std::memory_order_relaxed); }

// Two came, other than SIGHUP: whoever waits for what it began before the first one waits no longer.
inline bool stop_requested_twice() noexcept { return detail::second_flag.load(std::memory_order_relaxed); }

// Returns early when a signal asks to stop.
void sleep_unless_stopped(std::chrono::milliseconds time);

}  // namespace sapbuf::tools
