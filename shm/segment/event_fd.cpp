#include "segment/event_fd.hpp"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

#include "platform/cancellation.hpp"
#include "platform/system_error.hpp"
#include "segment/recovery.hpp"

namespace SAPBUF_DETAIL {
namespace {

// A needless look of the handle, where wakers may not see that anybody sleeps: soon at first.
constexpr std::uint64_t kLongestUnfencedNapNs = 16'000'000;
// Of the thread while the descriptor is readable: a wake that failed costs no more than that.
constexpr std::uint64_t kIdleNapNs = 250'000'000;

int make_eventfd() {
  const int descriptor = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (descriptor < 0) platform::throw_system_error(errno, "cannot make a descriptor to wait on");
  return descriptor;
}

// Signals are for the program's own threads, but for those that a thread gets for what it does itself.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    for (const int own : {SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT}) ::sigdelset(&all, own);
    ::pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

EventFd::EventFd(SegmentCore& segment, std::function<void()> still_waits)
    : segment_(segment), still_waits_(std::move(still_waits)), eventfd_(make_eventfd()) {
  const platform::Uncancellable to_its_end;
  try {
    const SignalsBlocked in_the_thread;
    thread_ = std::thread{[this] { run(); }};
  } catch (const std::system_error& error) {
    ::close(eventfd_);
    platform::throw_system_error(error.code().value(), "cannot make a thread to wait for a descriptor");
  } catch (...) {
    ::close(eventfd_);
    throw;
  }
  ::pthread_setname_np(thread_.native_handle(), "sapbuf-event");
}

EventFd::~EventFd() {
  const platform::Uncancellable to_its_end;
  if (segment_.forked()) {  // the thread is the parent's, and the mutex may be locked for ever
    thread_.detach();
  } else {
    {
      const std::lock_guard guard{mutex_};
      ended_ = true;
    }
    tell_thread();
    thread_.join();
  }
  ::close(eventfd_);
}

bool EventFd::is_armed(layout::Event& event, std::uint64_t due_ns) noexcept {
  const std::lock_guard guard{mutex_};
  return watched_.event == &event && watched_.due_ns == due_ns &&
         event.word.load(std::memory_order_acquire) == watched_.word;
}

void EventFd::forget() noexcept {
  const platform::Uncancellable to_its_end;
  {
    const std::lock_guard guard{mutex_};
    watched_ = {};  // what it was told of before makes the descriptor readable no more
  }
  std::uint64_t count;
  static_cast<void>(::read(eventfd_, &count, sizeof count));
}

void EventFd::make_readable() noexcept {
  const platform::Uncancellable to_its_end;
  const std::uint64_t one = 1;
  static_cast<void>(::write(eventfd_, &one, sizeof one));
}

void EventFd::watch(layout::Event& event, const SleepTicket& ticket, std::uint64_t due_ns) noexcept {
  {
    const std::lock_guard guard{mutex_};
    watched_ = {.event = &event,
                .word = ticket.word(),
                .due_ns = due_ns,
                .nap_ns = ticket.longest_ns(),
                .wakers_see_it = ticket.longest_ns() == kLongestSleepNs};
  }
  tell_thread();
}

void EventFd::tell_thread() noexcept {
  changes_.fetch_add(1, std::memory_order_acq_rel);
  platform::futex_wake_all(changes_);
}

// Whether the handle has to look.
bool EventFd::look_after(const Watched& watched) noexcept {
  const auto was_told = [&] { return watched.event->word.load(std::memory_order_acquire) != watched.word; };
  if (was_told() || platform::monotonic_ns() >= watched.due_ns || segment_.truncated()) return true;
  if (still_waits_) still_waits_();
  recover_while_waiting(segment_, recovery_tried_ns_, Sweepers::one);
  return !watched.wakers_see_it || was_told();
}

void EventFd::run() noexcept {
  std::uint64_t unfenced_nap_ns = kUnfencedSleepNs;
  for (;;) {
    const std::uint32_t changes = changes_.load(std::memory_order_acquire);
    Watched watched;
    {
      const std::lock_guard guard{mutex_};
      if (ended_) return;
      watched = watched_;
    }
    if (watched.event == nullptr) {
      platform::futex_wait(changes_, changes, platform::monotonic_ns() + kIdleNapNs);
      continue;
    }
    const std::uint64_t nap_ns = watched.wakers_see_it ? watched.nap_ns : unfenced_nap_ns;
    platform::futex_wait_either(watched.event->word, watched.word, changes_, changes,
                                std::min(watched.due_ns, platform::monotonic_ns() + nap_ns));
    if (changes_.load(std::memory_order_acquire) != changes || !look_after(watched)) continue;
    if (!watched.wakers_see_it) unfenced_nap_ns = std::min(2 * unfenced_nap_ns, kLongestUnfencedNapNs);
    const std::lock_guard guard{mutex_};
    if (watched_.event != watched.event || watched_.word != watched.word) continue;  // told of another one
    watched_ = {};
    make_readable();
  }
}

}  // namespace SAPBUF_DETAIL
