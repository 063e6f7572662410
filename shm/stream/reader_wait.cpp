#include "stream/reader_wait.hpp"

#include <algorithm>

#include "platform/cancellation.hpp"
#include "platform/clock.hpp"
#include "platform/spin.hpp"
#include "segment/event.hpp"
#include "segment/recovery.hpp"
#include "stream/reader_gaps.hpp"
#include "stream/reader_look.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr std::uint64_t kSpinNs = 20'000;              // before a reader goes to sleep
constexpr std::uint64_t kObstructedNapNs = 2'000'000;  // a sleep of a reader that may be waiting for the dead
constexpr std::uint64_t kStoppableNapNs = 10'000'000;  // of one that looks at a flag: it may be set without a signal

bool spin(ReaderState& reader, std::uint64_t until_ns) {
  while (platform::monotonic_ns() < until_ns) {
    for (int i = 0; i < 16; ++i) {
      platform::spin_pause();
      if (look(reader)) return true;
    }
  }
  return false;
}

bool is_stopped(const ReaderState& reader) noexcept {
  return reader.stop != nullptr && reader.stop->load(std::memory_order_relaxed);
}

// How long a sleep may last before the next look.
std::uint64_t longest_nap(const ReaderState& reader, bool obstructed) noexcept {
  if (obstructed) return kObstructedNapNs;
  return reader.stop != nullptr ? kStoppableNapNs : kLongestSleepNs;
}

bool somebody_writes(StreamCore& core) noexcept {
  return any_participant(core, [](std::uint32_t, layout::SlotRegistration registration) {
    return registration.role() == layout::SlotRole::writer;
  });
}

bool ends_with_the_stream(ReaderState& reader) { return reader.until_finished && is_finished(reader); }

}  // namespace

bool is_finished(ReaderState& reader) {
  StreamCore& core = reader.attachment.core();
  // finish: acquire, so that who is still attached, and what was committed, are seen as they were then at the least.
  if (core.control().finished_writers.load(std::memory_order_acquire) == 0) return false;
  if (somebody_writes(core)) {  // or died, and is in nobody's way
    recover_while_waiting(core.segment(), reader.recovery_tried_ns, Sweepers::one);
    if (somebody_writes(core)) return false;
  }
  return look_closely(reader) == Finding::nothing;
}

int event_fd(ReaderState& reader) {
  if (reader.event_fd == nullptr) {
    StreamCore& core = reader.attachment.core();
    // As wait() does: one that keeps an old slab because a writer's extent is open there waits for others. What it pins it may be
    // stuck with.
    const auto still_waits = [&core, index = reader.attachment.index()] {
      if (core.slot(index).pins.load(std::memory_order_relaxed) == 0) core.beat(index);
    };
    reader.event_fd = std::make_unique<EventFd>(core.segment(), still_waits);
    if (look(reader)) {
      reader.event_fd->make_readable();
    } else {
      arm_event_fd(reader);
    }
  }
  return reader.event_fd->descriptor();
}

void arm_event_fd(ReaderState& reader) {
  StreamCore& core = reader.attachment.core();
  core.check_not_truncated();
  core.beat(reader.attachment.index());
  // Nobody tells when a slab is reclaimed, or is not after all: where a look was unclear, there is another one soon.
  std::uint64_t due_ns = EventFd::kNever;
  const auto look_again = [&] {
    const Finding found = look_closely(reader);
    if (found == Finding::unclear) due_ns = platform::monotonic_ns() + kObstructedNapNs;
    return found == Finding::message || ends_with_the_stream(reader);
  };
  reader.event_fd->arm(core.control().data, Wakers::use_light_fences, look_again, [&] { return due_ns; });
}

bool wait(ReaderState& reader, std::uint64_t deadline_ns) {
  const platform::Uncancellable to_its_end;
  const std::uint64_t started = platform::monotonic_ns();
  if (spin(reader, std::min(deadline_ns, started + kSpinNs))) return true;
  StreamCore& core = reader.attachment.core();
  for (;;) {
    const SleepTicket ticket{core.control().data, true, core.full_fences()};
    if (look(reader)) return true;
    core.check_not_truncated();
    const std::uint64_t now = platform::monotonic_ns();
    if (now >= deadline_ns || is_stopped(reader) || ends_with_the_stream(reader)) return false;
    core.beat(reader.attachment.index());
    const bool obstructed = is_obstructed(reader);
    ticket.sleep_until(std::min(deadline_ns, now + longest_nap(reader, obstructed)));
    if (obstructed && now - started > kObstructedNapNs) {
      recover_while_waiting(core.segment(), reader.recovery_tried_ns, Sweepers::one);
    }
    if (look(reader)) return true;
    check_for_gaps(reader);
  }
}

}  // namespace SAPBUF_DETAIL
