// Waiting until a key, or anything in the map, has changed. See segment/event.hpp.
#include <sapbuf/detail/kill_point.hpp>

#include "map/map_reader.hpp"
#include "platform/cancellation.hpp"
#include "segment/event.hpp"
#include "segment/recovery.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr std::uint64_t kNapNs = 10'000'000;  // of one that looks for a flag

}  // namespace

template <typename HasChanged>
bool MapReaderState::wait(layout::Event& event, std::chrono::milliseconds timeout, HasChanged has_changed) noexcept {
  const platform::Uncancellable to_its_end;
  const std::uint64_t deadline_ns = platform::deadline_after(saturated<std::chrono::nanoseconds>(timeout));
  for (;;) {
    if (closed || why_not() != Status::ok) return false;
    if (has_changed()) return true;
    const SleepTicket ticket{event, true, full_fences_};
    if (has_changed()) return true;
    const std::uint64_t now = platform::monotonic_ns();
    if (now >= deadline_ns) {
      if (event_fd_ != nullptr) event_fd_->arm(event, Wakers::use_light_fences, has_changed);
      return false;
    }
    if (stop_ != nullptr && stop_->load(std::memory_order_relaxed)) return false;
    SAPBUF_KILL_POINT(map_waiting);
    registry::beat(core_->segment().participant(index()));
    ticket.sleep_until(stop_ == nullptr ? deadline_ns : std::min(deadline_ns, now + kNapNs));
    recover_while_waiting(core_->segment(), recovery_tried_ns_, Sweepers::one);
  }
}

int MapReaderState::event_fd() {
  if (event_fd_ == nullptr) {
    core_->segment().check_not_forked();
    event_fd_ = std::make_unique<EventFd>(core_->segment());
    event_fd_->make_readable();  // nobody has said yet what he has seen
  }
  return event_fd_->descriptor();
}

// Also where the reader keeps as many values as it can.
std::uint64_t MapReaderState::version_of(MapEntry& entry) noexcept {
  free_guards |= kOwnGuard;
  const std::uint64_t version = entry.read().version();
  free_guards &= ~kOwnGuard;
  return version;
}

bool MapReaderState::wait_entry_changed(MapEntry& entry, std::uint64_t seen,
                                        std::chrono::milliseconds timeout) noexcept {
  if (closed || forked_) return false;
  const PackedKey key{*core_, entry.key()};
  return wait(core_->event_of(key.hash), timeout, [&] { return version_of(entry) != seen; });
}

bool MapReaderState::wait_changed(std::uint64_t seen, std::chrono::milliseconds timeout) noexcept {
  if (closed || forked_) return false;
  return wait(core_->control().changed, timeout, [&] { return version() != seen; });
}

}  // namespace SAPBUF_DETAIL
