#include "common/stop.hpp"

#include <poll.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace sapbuf::tools {

std::atomic<bool> detail::stop_flag{false};
std::atomic<bool> detail::second_flag{false};

namespace {

constexpr long kRepeatNanoseconds = 50'000'000;

timer_t repeat_timer;
std::atomic<bool> first_came{false};

void on_stop_signal(int) {
  const int saved = errno;
  if (first_came.exchange(true, std::memory_order_relaxed)) detail::second_flag.store(true, std::memory_order_relaxed);
  request_stop();
  errno = saved;
}

// A terminal that goes away sends several of these, from its shell and the system: none of them is a second signal.
void on_hangup(int) {
  const int saved = errno;
  request_stop();
  errno = saved;
}

void on_repeat(int) {}

// Without SA_RESTART: system calls that block must return.
void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigemptyset(&action.sa_mask);
  if (::sigaction(signal, &action, nullptr) != 0) throw std::system_error(errno, std::generic_category(), "sigaction");
}

// nohup(1) has what it starts outlive its terminal.
void handle_unless_ignored(int signal, void (*handler)(int)) {
  struct sigaction before {};
  if (::sigaction(signal, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) handle(signal, handler);
}

}  // namespace

void catch_stop_signals() {
  struct sigevent event {};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGALRM;
  if (::timer_create(CLOCK_MONOTONIC, &event, &repeat_timer) != 0) {
    throw std::system_error(errno, std::generic_category(), "timer_create");
  }
  handle(SIGALRM, on_repeat);
  handle(SIGINT, on_stop_signal);
  handle(SIGTERM, on_stop_signal);
  handle_unless_ignored(SIGHUP, on_hangup);
  handle(SIGPIPE, SIG_IGN);
  handle(SIGXFSZ, SIG_IGN);
}

// Only async-signal-safe calls here.
void request_stop() noexcept {
  detail::stop_flag.store(true, std::memory_order_relaxed);
  const itimerspec repeat{{0, kRepeatNanoseconds}, {0, kRepeatNanoseconds}};
  ::timer_settime(repeat_timer, 0, &repeat, nullptr);
}

void sleep_unless_stopped(std::chrono::milliseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  while (!stop_requested()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return;
    ::poll(nullptr, 0, static_cast<int>(std::min(left, kStopSlice).count()));
  }
}

}  // namespace sapbuf::tools
