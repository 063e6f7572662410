// The reader's calls: waiting, pinning, walking through a range.
#include <sapbuf/reader.hpp>

#include <algorithm>

#include "platform/cancellation.hpp"
#include "platform/clock.hpp"
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
constexpr int kLittlePerPause = 2;                     // bytes: about 70 MB/s
constexpr int kPausesOfALook = 8;                      // that a look takes as long as
constexpr int kClaimPauses = 200;                      // about 6 microseconds
constexpr std::uint64_t kSpinNs = 20'000;              // before a reader goes to sleep
constexpr std::uint64_t kObstructedNapNs = 2'000'000;  // a sleep of a reader that may be waiting for the dead
constexpr std::uint64_t kStoppableNapNs = 10'000'000;  // of one that looks at a flag: it may be set without a signal

// Looks for a message, and pins the slabs for it: in an `overwrite` stream nothing may be taken for a frame that is not
// pinned. False: there is none now, and nothing is pinned.
bool pin_message(ReaderState& reader) {
  const ReaderState::Finding glanced = reader.glance();
  if (glanced != ReaderState::Finding::unclear) return glanced == ReaderState::Finding::message;
  for (;;) {
    reader.refresh();
    if (!reader.pin_windows()) return false;
    const ReaderState::Finding found = reader.find_message();
    if (found == ReaderState::Finding::message) return true;
    reader.unpin_windows();
    if (found == ReaderState::Finding::nothing) return false;
  }
}

bool look(ReaderState& reader) {
  const bool found = pin_message(reader);
  if (found && reader.overwrites()) reader.unpin_windows();
  return found;
}

// A reader that keeps up with a busy stream finds a message at each look, and each look takes lines that are being
// written from the writer's cache: both get slow. So it waits a little before it looks.
//
// Per-writer order: until a writer goes on to its next extent, or for so long that one would have filled it.
void wait_for_claim(ReaderState& reader) {
  for (int i = 0; i < kClaimPauses; ++i) {
    if (reader.cursor.load(relaxed) != reader.last_cursor) return;
    platform::spin_pause();
  }
}

// Otherwise: so long that it finds some lines full, if messages come fast enough for that. One that finds little gets
// messages one by one, and looks at once, for the sake of latency.
struct Pace {
  std::uint64_t short_range;  // bytes: shorter ranges slow it down
  std::uint64_t long_range;   // bytes: longer ones quicken it
  int slowest;                // pauses of some 27 nanoseconds
};
// In per-writer order it leads to a range that has much in it.
constexpr Pace kPerWriter{4096, 32768, 255};
// In total order a reader is always where somebody writes, and a look costs both the more, the farther their cores are
// apart. By bytes, not by time, so that it is the same small part of the work everywhere.
constexpr Pace kTotal{32768, 131072, 2047};

bool paced_look(ReaderState& reader) {
  reader.trailing = reader.writers_are_busy();
  if (reader.trailing) {
    wait_for_claim(reader);
    return look(reader);
  }
  for (int i = 0; i < reader.pace; ++i) platform::spin_pause();
  const bool found = look(reader);
  const Pace& pace = reader.in_total_order() ? kTotal : kPerWriter;
  const auto little = static_cast<std::uint64_t>(kLittlePerPause * (reader.pace + kPausesOfALook));
  if (!found || reader.last_range_bytes < little || reader.last_range_bytes > pace.long_range) {
    reader.pace /= 2;
  } else if (reader.last_range_bytes < pace.short_range) {
    reader.pace = std::min(2 * reader.pace + 1, pace.slowest);
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

// How long a sleep may last before the next look.
std::uint64_t longest_nap(const ReaderState& reader, bool obstructed) noexcept {
  if (obstructed) return kObstructedNapNs;
  return reader.stop != nullptr ? kStoppableNapNs : kLongestSleepNs;
}

bool wait(ReaderState& reader, std::uint64_t deadline_ns) {
  const platform::Uncancellable to_its_end;
  const std::uint64_t started = platform::monotonic_ns();
  if (spin(reader, std::min(deadline_ns, started + kSpinNs))) return true;
  StreamCore& core = *reader.core;
  for (;;) {
    const SleepTicket ticket{core.control().data, true, core.full_fences()};
    if (look(reader)) return true;
    core.check_not_truncated();
    const std::uint64_t now = platform::monotonic_ns();
    if (now >= deadline_ns || reader.is_stopped()) return false;
    core.beat(reader.index);
    const bool obstructed = reader.is_obstructed();
    ticket.sleep_until(std::min(deadline_ns, now + longest_nap(reader, obstructed)));
    if (obstructed && now - started > kObstructedNapNs) {
      recover_while_waiting(core.segment(), reader.recovery_tried_ns, Sweepers::one);
    }
    if (look(reader)) return true;
    reader.check_for_gaps();
  }
}

}  // namespace

Stretch next_stretch(ReaderState& state, const std::byte* at, std::uint64_t handed) noexcept {
  return state.next_stretch(at, handed);
}

void unpin(ReaderState& state, const std::byte* at, std::uint64_t handed) noexcept {
  state.end_walk(at, handed);
  if (state.closed) [[unlikely]]
    close_reader(&state);
}

void close_reader(ReaderState* state) noexcept {
  if (state == nullptr) return;
  const platform::Uncancellable to_its_end;
  state->closed = true;
  if (!state->has_range()) delete state;  // otherwise the range does it, when it goes
}

// By what this reader knows of itself, which its hold only tells others: see RangeOwner.
bool ReaderState::keeps_by_range(const StreamCore& stream, std::uint64_t generation) const noexcept {
  if (forked || !core->is_same(stream)) return false;
  return !overwrites() && windows.front().generation <= generation;
}

Stretch ReaderState::begin_walk() noexcept {
  begin_range();
  last_range_bytes = 0;
  walk_window = 0;
  walk_place = 0;
  if (const Place* const place = sole_place()) return {place->at, place->stop};
  return enter_place();
}

ReaderState::Finding ReaderState::glance() const noexcept {
  if (overwrites()) return Finding::unclear;  // without a pin, even the header may be somebody's payload by now
  const Place* const place = sole_place();
  if (place == nullptr || !is_up_to_date()) return Finding::unclear;
  if (place->at >= place->stop) return Finding::nothing;
  // frame-publish: acquire, as in the walk.
  switch (FrameHeader{layout::word_at(place->at).load(std::memory_order_acquire)}.kind()) {
    case FrameKind::message:
      return Finding::message;
    case FrameKind::none:
    case FrameKind::busy:
      return Finding::nothing;
    default:
      return Finding::unclear;
  }
}

// From the walk's place on, the first that is to be read now.
Stretch ReaderState::enter_place() noexcept {
  for (; walk_window < windows.size(); ++walk_window, walk_place = 0) {
    const Window& window = windows[walk_window];
    if (!window.in_range) continue;
    while (walk_place < window.places.size() && window.places[walk_place].deferred) ++walk_place;
    if (walk_place == window.places.size()) continue;
    if (pins_one_slab() && !move_pin_to(window)) break;  // it was overwritten: the next range says how much is lost
    return {window.places[walk_place].at, window.places[walk_place].stop};
  }
  walk_window = windows.size();
  return {nullptr, nullptr};
}

// Notes how far the walk came in its place.
void ReaderState::leave_place(const std::byte* at, std::uint64_t handed) noexcept {
  Window& window = windows[walk_window];
  Place& place = window.places[walk_place];
  last_range_bytes += static_cast<std::uint64_t>(at - place.at);
  place.at = at;
  window.passed += handed;
  slot->delivered.store(slot->delivered.load(relaxed) + handed, relaxed);
}

Stretch ReaderState::next_stretch(const std::byte* at, std::uint64_t handed) noexcept {
  if (walk_window >= windows.size()) return {nullptr, nullptr};  // the walk was at its end before
  leave_place(at, handed);
  const Place& place = windows[walk_window].places[walk_place];
  if (at < place.stop) {
    const FrameHeader header{layout::word_at(at).load(std::memory_order_acquire)};
    const std::uint64_t room = static_cast<std::uint64_t>(place.end - at);
    const bool filler = header.kind() == FrameKind::nop || header.kind() == FrameKind::extent;
    if (filler && header.span() <= room) return {at + header.span(), place.stop};
    if (header.kind() == FrameKind::message && header.span() <= room) {
      return {at, std::max(place.stop, at + header.span())};  // it came only now
    }
    corrupt = header.kind() != FrameKind::none && header.kind() != FrameKind::busy;
  }
  if (corrupt || (in_total_order() && at < place.end)) {
    walk_window = windows.size();
    return {nullptr, nullptr};
  }
  ++walk_place;
  return enter_place();
}

void ReaderState::end_walk(const std::byte* at, std::uint64_t handed) noexcept {
  if (!attachment.is_current()) {  // the slot is somebody else's
    end_range();
    return;
  }
  if (walk_window < windows.size()) leave_place(at, handed);  // the loop was left early
  end_range();
  trailing = false;
  if (any_deferred) forget_deferred();  // an extent is left out once, however long its owner fills it
  unpin_windows();
  if (sole_place() == nullptr) forget_finished();
}

}  // namespace detail

Reader::Reader(const Segment& segment, const ReaderOptions& options) : Reader(Stream::open(segment), options) {}

Reader::Reader(const Stream& stream, const ReaderOptions& options) : state_(nullptr) {
  const platform::Uncancellable to_its_end;
  const auto attach = [&] { return std::make_unique<detail::ReaderState>(stream.core(), options); };
  state_ = stream.core()->segment().unless_truncated(attach).release();
}

Reader::Reader(Reader&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}

Reader& Reader::operator=(Reader&& other) noexcept {
  if (this != &other) {
    close();
    state_ = std::exchange(other.state_, nullptr);
  }
  return *this;
}

Reader::~Reader() { close(); }

void Reader::close() noexcept { detail::close_reader(std::exchange(state_, nullptr)); }

namespace {

[[noreturn, gnu::cold, gnu::noinline]] void throw_not_ready(const detail::ReaderState* state) {
  if (state == nullptr) throw Error(Errc::invalid_argument, "this reader was closed or moved from");
  state->check_usable();
  throw Error(Errc::busy, "the reader's last range is still alive: let it go first");
}

inline detail::ReaderState& ready(detail::ReaderState* state) {
  if (state == nullptr || state->has_range() || !state->is_usable()) [[unlikely]]
    throw_not_ready(state);
  return *state;
}

}  // namespace

bool Reader::wait_for(std::chrono::nanoseconds timeout) {
  detail::ReaderState& reader = ready(state_);
  if (detail::paced_look(reader)) return true;
  if (timeout.count() <= 0) return false;
  const std::uint64_t now = platform::monotonic_ns();
  const auto wanted = static_cast<std::uint64_t>(timeout.count());
  return detail::wait(reader, wanted > ~now ? ~std::uint64_t{0} : now + wanted);
}

detail::Stretch Reader::begin_walk() {
  detail::ReaderState& reader = ready(state_);
  if (!detail::pin_message(reader)) return {nullptr, nullptr};
  if (reader.overwrites()) {
    reader.narrow_pins();
  } else {
    // Where holds keep the slabs, the pins only tell people that a range is open.
    reader.slot->pins.store(reader.window_mask(), std::memory_order_relaxed);
  }
  reader.core->beat(reader.index);
  return reader.begin_walk();
}

std::uint64_t Reader::skip_to_newest() { return ready(state_).skip_to_newest(); }

bool Reader::is_current() const noexcept { return state_ != nullptr && state_->core->is_current(); }

std::uint64_t Reader::delivered() const noexcept {
  return state_ == nullptr ? 0 : state_->slot->delivered.load(std::memory_order_relaxed);
}

std::uint64_t Reader::lost() const noexcept {
  return state_ == nullptr ? 0 : state_->slot->lost.load(std::memory_order_relaxed);
}

std::uint64_t Reader::skipped() const noexcept {
  return state_ == nullptr ? 0 : state_->slot->skipped.load(std::memory_order_relaxed);
}

std::optional<std::uint64_t> Reader::missed_before() const noexcept {
  if (state_ == nullptr) return std::nullopt;
  const std::uint64_t base = state_->slot->base_messages.load(std::memory_order_relaxed);
  if (base == 0) return std::nullopt;
  return base - 1 + state_->skipped_at_attach;
}

std::uint32_t Reader::slot() const noexcept { return state_ == nullptr ? ~std::uint32_t{0} : state_->index; }

}  // namespace sapbuf
