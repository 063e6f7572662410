#include "stream/space_wait.hpp"

#include <algorithm>

#include "platform/cancellation.hpp"
#include "platform/clock.hpp"
#include "platform/spin.hpp"
#include "segment/event.hpp"
#include "segment/recovery.hpp"
#include "segment/registry.hpp"
#include "stream/attached_buffers.hpp"
#include "stream/durable_readers.hpp"
#include "stream/extent_size.hpp"
#include "stream/flip.hpp"
#include "stream/own_ranges.hpp"
#include "stream/reclaim.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

constexpr int kTries = 8;                                 // before a blocked writer sleeps
constexpr int kSpins = 200;                               // looks between two tries
constexpr std::uint64_t kShortestNapNs = 1'000'000;       // a sleep, until it looks again by itself; each is twice as
constexpr std::uint64_t kLongestNapNs = 16'000'000;       // long as the one before
constexpr std::uint64_t kPatienceNs = 2'000'000;          // then it looks for the dead
constexpr std::uint64_t kFlipperPatienceNs = 10'000'000;  // of who may not wait, for a live holder of the lock
constexpr std::uint64_t kLookNs = 10'000'000;             // a descriptor's, for what nobody tells of

std::uint64_t deadline_of(const WriterState& writer) noexcept {
  if (writer.timeout == kForever) return ~std::uint64_t{0};
  const auto milliseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(0, writer.timeout.count()));
  const std::uint64_t now = platform::monotonic_ns();
  return milliseconds > (~now) / 1'000'000u ? ~std::uint64_t{0} : now + milliseconds * 1'000'000u;
}

bool has_room_for(StreamCore& core, const ActiveSlab& active, std::uint64_t bytes) noexcept {
  return active.offset_bytes + bytes <= core.geometry().slab_bytes &&
         !is_array_full(core.geometry(), core.attached(active.slab));
}

// When a descriptor is readable by itself. One moment for all attempts of a while: those that come before find it armed.
std::uint64_t next_look_ns(StreamCore& core) noexcept {
  return is_kept_in_silence(core) ? (platform::monotonic_ns() / kLookNs + 2) * kLookNs : EventFd::kNever;
}

// How long a wait for space has lasted, and what comes next.
class SpaceWait {
 public:
  SpaceWait(WriterState& writer, std::uint64_t generation) noexcept
      : writer_(writer), core_(*writer.core), generation_(generation), deadline_ns_(writer.deadline_ns) {}

  // Until the stream has moved on from the generation: by our own flip or somebody else's.
  Status run() noexcept {
    const platform::Uncancellable to_its_end;
    const bool blocks = core_.geometry().on_full == OnFull::block;
    for (int tries = 0;; ++tries) {
      const FlipResult result = flip(core_, generation_);
      if (result == FlipResult::done) return Status::ok;
      if (result == FlipResult::corrupt || core_.truncated()) return Status::corrupt;
      const std::uint64_t now = platform::monotonic_ns();
      if (started_ns_ == 0 || result == FlipResult::cleaning) started_ns_ = now;
      if (result == FlipResult::cleaning) continue;
      if (blocks && result == FlipResult::full && is_kept_by_own_range(core_)) return Status::would_deadlock;
      // Somebody else is at it: not yet is no `full`, also for those who may not wait.
      const bool not_yet = result == FlipResult::busy && now - started_ns_ <= kFlipperPatienceNs;
      if (!not_yet && (!blocks || now >= deadline_ns_)) {
        if (gave_the_dead_a_chance_) return blocks ? Status::timeout : Status::full;
        // Nobody else may ever come to take back what the dead hold.
        gave_the_dead_a_chance_ = true;
        recover_while_waiting(core_.segment(), writer_.recovery_tried_ns, Sweepers::any);
        started_ns_ = 0;  // that took its time, and somebody may just be flipping into what it released
        continue;
      }
      if (writer_.stop != nullptr && writer_.stop->load(relaxed)) return Status::stopped;
      if (tries < kTries) {
        spin_briefly();
      } else if (sleep(now)) {
        return Status::ok;
      }
    }
  }

 private:
  // Some microseconds; less if somebody else flips, or a slab comes free.
  void spin_briefly() const noexcept {
    for (int i = 0; i < kSpins; ++i) {
      platform::spin_pause();
      if (!layout::Cursor{core_.control().cursor.load(relaxed)}.is_in(generation_) || may_have_free_slab(core_)) return;
    }
  }

  // Whether the look after the announcement found the way free.
  bool sleep(std::uint64_t now) noexcept {
    const SleepTicket ticket{core_.control().space, false, core_.full_fences()};
    if (flip(core_, generation_) == FlipResult::done) return true;
    core_.beat(writer_.index);
    const std::uint64_t last_ns = std::max(deadline_ns_, started_ns_ + kFlipperPatienceNs);
    ticket.sleep_until(std::min(last_ns, now + nap_ns_));
    nap_ns_ = std::min(2 * nap_ns_, kLongestNapNs);
    if (platform::monotonic_ns() - started_ns_ > kPatienceNs) {
      recover_while_waiting(core_.segment(), writer_.recovery_tried_ns, Sweepers::one);
    }
    return false;
  }

  WriterState& writer_;
  StreamCore& core_;
  const std::uint64_t generation_;
  const std::uint64_t deadline_ns_;
  std::uint64_t started_ns_ = 0;  // or when a slab was last cleaned a little further, or recovery ended
  std::uint64_t nap_ns_ = kShortestNapNs;
  bool gave_the_dead_a_chance_ = false;
};

}  // namespace

int event_fd(WriterState& writer) {
  if (writer.event_fd == nullptr) {
    writer.event_fd = std::make_unique<EventFd>(writer.core->segment());
    writer.event_fd->make_readable();  // nothing says yet that there is no room
  }
  return writer.event_fd->descriptor();
}

void arm_event_fd(WriterState& writer, std::uint64_t span) noexcept {
  StreamCore& core = *writer.core;
  const std::uint64_t least = core.in_total_order() ? span : least_extent_for(core.geometry(), span);
  const auto has_room = [&] {
    const ActiveSlab active = load_active(core);
    return !active.valid() || has_room_for(core, active, least) || may_have_free_slab(core);
  };
  // Asked for behind that look, too: what was held in it, and is no more, was told of.
  const auto due_ns = [&] { return std::min(next_given_up_ns(core), next_look_ns(core)); };
  writer.event_fd->arm(core.control().space, Wakers::use_full_fences, has_room, due_ns);
}

Status look_for_room(WriterState& writer, std::uint64_t least, std::uint64_t& bytes) noexcept {
  StreamCore& core = *writer.core;
  for (;;) {
    const ActiveSlab active = load_active(core);
    if (!active.valid() || core.truncated()) return Status::corrupt;
    if (has_room_for(core, active, least)) {
      bytes = std::min(bytes, core.geometry().slab_bytes - active.offset_bytes);
      return Status::ok;
    }
    if (writer.deadline_ns == 0) writer.deadline_ns = deadline_of(writer);
    const Status status = SpaceWait{writer, active.generation}.run();
    if (status != Status::ok) return status;
  }
}

}  // namespace SAPBUF_DETAIL
