#include "sapbuf_watchdog/workers.hpp"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace sapbuf::tools {

namespace {

constexpr std::chrono::seconds kIdleFor{10};

// What a thread does wrong still comes to it; all that others send goes to the first thread.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t blocked;
    ::sigfillset(&blocked);
    for (const int own : {SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT}) ::sigdelset(&blocked, own);
    ::pthread_sigmask(SIG_SETMASK, &blocked, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

struct Workers::State {
  std::mutex mutex;
  std::condition_variable work;   // for the idle: a job, or the end
  std::condition_variable ended;  // a thread has gone
  std::deque<std::function<void()>> jobs;
  std::size_t idle = 0;
  std::size_t threads = 0;
  bool ending = false;
  Descriptor event;
};

Workers::Workers() : state_(std::make_shared<State>()) {
  state_->event = Descriptor{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  if (!state_->event) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Workers::~Workers() { end(std::chrono::milliseconds{0}); }

bool Workers::start(std::function<void()> job) {
  const std::lock_guard guard{state_->mutex};
  state_->jobs.push_back(std::move(job));
  if (state_->idle >= state_->jobs.size()) {
    state_->work.notify_one();
    return true;
  }
  try {
    const SignalsBlocked blocked;
    std::thread{[state = state_] { run(state); }}.detach();
    ++state_->threads;
    return true;
  } catch (const std::exception&) {
    state_->jobs.pop_back();
    return false;
  }
}

void Workers::run(const std::shared_ptr<State>& state) {
  std::unique_lock lock{state->mutex};
  for (;;) {
    ++state->idle;
    const auto has_work = [&] { return state->ending || !state->jobs.empty(); };
    const bool woken = state->work.wait_for(lock, kIdleFor, has_work);
    --state->idle;
    if (!woken || state->jobs.empty()) break;
    const std::function<void()> job = std::move(state->jobs.front());
    state->jobs.pop_front();
    lock.unlock();
    job();
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t ignored = ::write(state->event.get(), &one, sizeof one);
    lock.lock();
  }
  --state->threads;
  state->ended.notify_all();
}

int Workers::fd() const noexcept { return state_->event.get(); }

void Workers::clear() noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t ignored = ::read(state_->event.get(), &count, sizeof count);
}

bool Workers::end(std::chrono::milliseconds patience) {
  std::unique_lock lock{state_->mutex};
  state_->ending = true;
  state_->jobs.clear();
  state_->work.notify_all();
  return state_->ended.wait_for(lock, patience, [&] { return state_->threads == 0; });
}

}  // namespace sapbuf::tools
