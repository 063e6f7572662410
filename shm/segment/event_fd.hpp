// A descriptor to wait on, for programs that wait for other things, too (poll, epoll, an event loop). The kernel has no way
// from a futex word to a descriptor, so a thread stands in between: it sleeps on the word, and makes an eventfd readable.
//
//   the handle, whose look found nothing              the thread
//     the eventfd is read empty                         sleeps until the event's word is another, or it is told
//     a SleepTicket is taken (segment/event.hpp)        of another one
//     it looks again: there? readable at once           writes the eventfd
//     else the thread is told the ticket's word
//
// So wakers know of a sleeper, as of any other, and nothing else; as long as nobody has found nothing, nobody sleeps. What
// makes other sleepers look again by themselves is done by the thread for those who cannot: it runs recovery between two naps,
// and recovery wakes. A process that dies leaves an announcement, which costs the next waker a needless wake.
#pragma once

#include <functional>
#include <mutex>
#include <thread>

#include "segment/event.hpp"
#include "segment/segment_core.hpp"

namespace SAPBUF_DETAIL {

enum class Wakers : bool { use_full_fences, use_light_fences };

// Belongs to a handle, and to its thread; `segment` outlives it.
class EventFd {
 public:
  // While it is armed, the thread calls `still_waits` every 50 ms: for a handle that holds something, and says that it is at
  // work by that. Throws Errc::resource_exhausted or Errc::system where no descriptor, or no thread, is to be had.
  explicit EventFd(SegmentCore& segment, std::function<void()> still_waits = {});
  EventFd(const EventFd&) = delete;
  EventFd& operator=(const EventFd&) = delete;
  ~EventFd();

  int descriptor() const noexcept { return eventfd_; }

  // A look for what `event` is about has found nothing. The descriptor is readable once there may be something: now, if
  // `look()` finds it; when somebody tells; or, behind that look, at `due_ns()` on the monotonic clock.
  template <typename Look, typename Due>
  void arm(layout::Event& event, Wakers wakers, Look look, Due due_ns) {
    if (is_armed(event, due_ns())) return;
    forget();
    const SleepTicket ticket{event, wakers == Wakers::use_light_fences, segment_.full_fences()};
    if (look()) {
      make_readable();
    } else {
      watch(event, ticket, due_ns());
    }
  }
  template <typename Look>
  void arm(layout::Event& event, Wakers wakers, Look look) {
    arm(event, wakers, look, [] { return kNever; });
  }
  // It is armed for nothing, and not readable.
  void forget() noexcept;
  // What nobody tells of: the handle can do no more, say.
  void make_readable() noexcept;

  static constexpr std::uint64_t kNever = ~std::uint64_t{0};

 private:
  struct Watched {
    layout::Event* event = nullptr;  // null: nothing, for it is readable already
    std::uint32_t word = 0;          // as long as it is this, nothing was told
    std::uint64_t due_ns = kNever;
    std::uint64_t nap_ns = 0;    // between two looks of the thread
    bool wakers_see_it = false;  // or a nap ends with a needless look of the handle
  };

  // For that very event, and nobody has told anything since.
  bool is_armed(layout::Event& event, std::uint64_t due_ns) noexcept;
  void watch(layout::Event& event, const SleepTicket& ticket, std::uint64_t due_ns) noexcept;
  void tell_thread() noexcept;
  void run() noexcept;
  bool look_after(const Watched& watched) noexcept;

  SegmentCore& segment_;
  const std::function<void()> still_waits_;
  const int eventfd_;
  std::mutex mutex_;
  Watched watched_;             // under the mutex
  bool ended_ = false;          // the same
  layout::HalfWord changes_{};  // grows with each change of these two
  std::uint64_t recovery_tried_ns_ = 0;
  std::thread thread_;
};

}  // namespace SAPBUF_DETAIL
