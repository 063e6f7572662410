// The reader's calls: waiting, pinning, walking through a range.
#include <sapbuf/reader.hpp>

#include <algorithm>

#include "platform/spin.hpp"
#include "segment/event.hpp"
#include "segment/recovery.hpp"
#include "segment/registry.hpp"
#include "stream/reader_state.hpp"

namespace sapbuf {
namespace detail {
namespace {

using layout::FrameHeader;
using layout::FrameKind;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr std::uint64_t kShortRange = 64;              // messages: shorter ranges slow the pace down
constexpr std::uint64_t kLongRange = 1024;             // messages: longer ones quicken it
constexpr int kSlowestPace = 63;                       // pauses: about a microsecond
constexpr std::uint64_t kSpinNs = 20'000;              // before a reader goes to sleep
constexpr std::uint64_t kObstructedNapNs = 2'000'000;  // a sleep of a reader that may be waiting for the dead

ReaderState& state_of(ReaderHot& hot) noexcept { return static_cast<ReaderState&>(hot); }

// Looks for a message, and pins the slabs for it: in an `overwrite` stream nothing may be taken for a frame that is not
// pinned. False: there is none now, and nothing is pinned.
bool pin_message(ReaderState& reader) {
  for (;;) {
    reader.refresh();
    if (!reader.pin_windows()) return false;
    const ReaderState::Found found = reader.find_message();
    if (found == ReaderState::Found::message) return true;
    reader.unpin_windows();
    if (found == ReaderState::Found::nothing) return false;
  }
}

bool look(ReaderState& reader) {
  const bool found = pin_message(reader);
  if (found && reader.overwrites()) reader.unpin_windows();
  return found;
}

// A reader that keeps up with a busy stream finds a message at each look, and each look takes the line that is being
// written from the writer's cache: both get slow. Such a reader waits a little before it looks, the longer the fewer
// messages it finds. One that finds nothing at its first look gets messages one by one, and looks at once, for the sake
// of latency.
bool paced_look(ReaderState& reader) {
  for (int i = 0; i < reader.pace; ++i) platform::spin_pause();
  const bool found = look(reader);
  if (!found || reader.last_range > kLongRange) {
    reader.pace /= 2;
  } else if (reader.last_range < kShortRange) {
    reader.pace = std::min(2 * reader.pace + 1, kSlowestPace);
  }
  return found;
}

bool spin(ReaderState& reader, std::uint64_t until_ns) {
  while (platform::monotonic_ns() < until_ns) {
    for (int i = 0; i < 16; ++i) {
      platform::spin_pause();
      if (look(reader)) return true;
    }
  }
  return false;
}

bool wait(ReaderState& reader, std::uint64_t deadline_ns) {
  const std::uint64_t started = platform::monotonic_ns();
  if (spin(reader, std::min(deadline_ns, started + kSpinNs))) return true;
  SegmentCore& core = *reader.core;
  for (;;) {
    const SleepTicket ticket{core.control().data, true, core.full_fences()};
    if (look(reader)) return true;
    const std::uint64_t now = platform::monotonic_ns();
    if (now >= deadline_ns) return false;
    beat(*reader.slot);
    const bool obstructed = reader.is_obstructed();
    ticket.sleep_until(obstructed ? std::min(deadline_ns, now + kObstructedNapNs) : deadline_ns);
    if (obstructed && now - started > kObstructedNapNs) recover_while_waiting(core, reader.recovery_tried_ns);
    if (look(reader)) return true;
  }
}

}  // namespace

bool next_place(ReaderHot& reader) noexcept { return state_of(reader).next_place(); }

void ReaderState::count_handed(Window& window) noexcept {
  window.passed += handed;
  last_range += handed;
  slot->delivered.store(slot->delivered.load(relaxed) + handed, relaxed);
  handed = 0;
}

void ReaderState::begin_walk() noexcept {
  last_range = 0;
  walk_window = walk_place = 0;
  handed = 0;
  at = end = nullptr;
  if (!windows.front().places.empty()) {
    at = windows.front().places.front().at;
    end = windows.front().places.front().end;
  }
}

// Called where there is no message at `at`: steps over filler there, or goes on to the next place.
bool ReaderState::next_place() noexcept {
  if (at < end) {
    const FrameHeader header{layout::word_at(at).load(std::memory_order_acquire)};
    const std::uint64_t room = static_cast<std::uint64_t>(end - at);
    const bool filler = header.kind() == FrameKind::nop || header.kind() == FrameKind::extent;
    if (filler && header.span() <= room) {
      at += header.span();
      return true;
    }
    if (header.kind() == FrameKind::message && header.span() <= room) return true;  // it came between the two looks
    if (header.kind() != FrameKind::none && header.kind() != FrameKind::busy) {
      corrupt = true;
      return false;
    }
  }
  if (walk_window >= windows.size()) return false;  // the walk was at its end before
  Window& window = windows[walk_window];
  if (walk_place < window.places.size()) window.places[walk_place].at = at;
  count_handed(window);
  const bool stays = in_total_order() && at < end;
  ++walk_place;
  while (!stays && walk_window < windows.size() && walk_place >= windows[walk_window].places.size()) {
    ++walk_window;
    walk_place = 0;
  }
  if (stays || walk_window >= windows.size()) {
    at = end = nullptr;
    walk_window = windows.size();
    return false;
  }
  at = windows[walk_window].places[walk_place].at;
  end = windows[walk_window].places[walk_place].end;
  return true;
}

void ReaderState::end_walk() noexcept {
  if (walk_window < windows.size()) {  // the loop was left early
    Window& window = windows[walk_window];
    if (walk_place < window.places.size()) window.places[walk_place].at = at;
    count_handed(window);
  }
  at = end = nullptr;
  pinned = false;
  unpin_windows();
  forget_finished();
}

}  // namespace detail

Reader::Reader(const Segment& segment, const ReaderOptions& options)
    : hot_(new detail::ReaderState{segment.core(), options}) {}

Reader::Reader(Reader&& other) noexcept : hot_(std::exchange(other.hot_, nullptr)) {}

Reader& Reader::operator=(Reader&& other) noexcept {
  if (this != &other) {
    close();
    hot_ = std::exchange(other.hot_, nullptr);
  }
  return *this;
}

Reader::~Reader() { close(); }

void Reader::close() noexcept {
  if (hot_ != nullptr) delete &detail::state_of(*std::exchange(hot_, nullptr));
}

namespace {

detail::ReaderState& open_state(detail::ReaderHot* hot) {
  if (hot == nullptr) throw Error(Errc::invalid_argument, "this reader was closed or moved from");
  detail::ReaderState& reader = detail::state_of(*hot);
  reader.check_usable();
  if (reader.pinned) throw Error(Errc::busy, "the reader's last range is still alive: let it go first");
  return reader;
}

}  // namespace

bool Reader::wait_for(std::chrono::nanoseconds timeout) {
  detail::ReaderState& reader = open_state(hot_);
  if (detail::paced_look(reader)) return true;
  if (timeout.count() <= 0) return false;
  const std::uint64_t now = platform::monotonic_ns();
  const auto wanted = static_cast<std::uint64_t>(timeout.count());
  return detail::wait(reader, wanted > ~now ? ~std::uint64_t{0} : now + wanted);
}

PinnedRange Reader::pin() {
  detail::ReaderState& reader = open_state(hot_);
  if (!detail::pin_message(reader)) return PinnedRange{nullptr};
  reader.pinned = true;
  // Where holds keep the slabs, the pins only tell people that a range is open.
  if (!reader.overwrites()) reader.slot->pins.store(reader.window_mask(), std::memory_order_relaxed);
  detail::beat(*reader.slot);
  reader.begin_walk();
  return PinnedRange{&reader};
}

void PinnedRange::unpin() noexcept { detail::state_of(*reader_).end_walk(); }

std::uint64_t Reader::delivered() const noexcept {
  return hot_ == nullptr ? 0 : detail::state_of(*hot_).slot->delivered.load(std::memory_order_relaxed);
}

std::uint64_t Reader::lost() const noexcept {
  return hot_ == nullptr ? 0 : detail::state_of(*hot_).slot->lost.load(std::memory_order_relaxed);
}

std::uint32_t Reader::slot() const noexcept {
  return hot_ == nullptr ? ~std::uint32_t{0} : detail::state_of(*hot_).index;
}

}  // namespace sapbuf
