// Taking from a queue with keys: see queue/lanes.hpp.
#include "queue/consumer.hpp"
#include "queue/lanes.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr int kLooksAtLane = 2;

bool is_in_reach(const PoolCore& pool, const Waiting& found) noexcept { return found.block < pool.count(); }

}  // namespace

std::optional<std::uint64_t> ConsumerState::key(const TakenBlock& block) const noexcept {
  const layout::QueueEntry& entry = core_->entry(block.block_);
  if (!layout::AboutBlock{entry.about.load(relaxed)}.has_key()) return std::nullopt;
  return entry.key.load(relaxed);
}

void ConsumerState::end_claim(const TakenBlock& block, std::uint64_t due_ms) noexcept {
  if (block.lane_ != kNoLane) release_lane(*core_, group_, block.lane_, due_ms);
}

// The lane is claimed; it is still where a block was taken, and free otherwise.
bool ConsumerState::take_from_lane(std::uint32_t lane, TakenBlock& taken) noexcept {
  std::uint64_t due_ms = 0;
  if (const auto oldest = find_oldest(*core_, group_, lane); !oldest) {
    settle_has(*core_, group_, lane);
  } else if (due_ms = core_->due(oldest->block, group_).load(relaxed); due_ms != 0 && due_ms > now_in_ms()) {
    // Older than all others of the lane, it keeps them waiting.
  } else if (due_ms = 0; layout::distance(oldest->seen.position(), position_) > 0) {
    // It came beside a full ring, and older ones may be in there.
  } else if (take_from(oldest->block, oldest->seen, taken)) {
    forget_waiting(*core_, group_, oldest->block);
    taken.lane_ = lane;
    return true;
  }
  release_lane(*core_, group_, lane, due_ms);
  return false;
}

// Who found nothing, and had the lane claimed meanwhile, kept those from it who came with something: they put that aside
// for him, and have gone. So he looks once more; they do, too, behind that.
bool ConsumerState::take_what_waits(std::uint32_t lane, TakenBlock& taken) noexcept {
  for (int looks = 0; looks < kLooksAtLane && is_free_now(*core_, group_, lane); ++looks) {
    static_cast<void>(look_ahead(*core_, group_, position_));
    if (!claim_lane(*core_, group_, lane, index())) return false;
    if (take_from_lane(lane, taken)) return true;
    if (!lane_has_something(*core_, group_, lane)) return false;
  }
  return false;
}

bool ConsumerState::take_from_lanes(TakenBlock& taken) noexcept {
  return any_lane(*core_, group_, next_lane_, [&](std::uint32_t lane) {
    if (!take_what_waits(lane, taken)) return false;
    next_lane_ = static_cast<std::uint32_t>((lane + 1) % core_->geometry().lanes);
    return true;
  });
}

// Of a block in the ring: what is taken may be an older one of its lane.
bool ConsumerState::take_or_park(const RingLook& look, std::uint32_t lane, TakenBlock& taken) noexcept {
  const bool is_claimed = claim_lane(*core_, group_, lane, index());
  if (is_claimed && !lane_has_something(*core_, group_, lane) && take_from(look.block, look.seen, taken)) {
    forget_waiting(*core_, group_, look.block);  // of those who were about to pass it by
    position_ = layout::position_after(position_, 1);
    taken.lane_ = lane;
    return true;
  }
  park(*core_, group_, look.block, look.seen, lane);
  position_ = layout::position_after(position_, 1);
  return (is_claimed && take_from_lane(lane, taken)) || take_what_waits(lane, taken);
}

bool ConsumerState::take_ahead_or_park(TakenBlock& taken) noexcept {
  for (;;) {
    const RingLook look = look_ahead(*core_, group_, position_);
    if (!look.is_there || look.block >= pool_->count()) return false;
    const std::uint32_t lane = lane_of(*core_, look.block);
    if (lane != kNoLane) {
      if (take_or_park(look, lane, taken)) return true;
      continue;
    }
    const bool is_taken = take_from(look.block, look.seen, taken);
    position_ = layout::position_after(position_, 1);
    if (is_taken) return true;
  }
}

bool ConsumerState::some_lane_can_be_taken_from() noexcept {
  lane_due_ms_ = 0;
  static_cast<void>(look_ahead(*core_, group_, position_));
  return any_lane(*core_, group_, next_lane_, [&](std::uint32_t lane) {
    if (!is_free_now(*core_, group_, lane)) {
      const std::uint64_t due_ms = layout::LaneWord{core_->lane(lane, group_).load(relaxed)}.due_ms();
      if (due_ms != 0 && (lane_due_ms_ == 0 || due_ms < lane_due_ms_)) lane_due_ms_ = due_ms;
      return false;
    }
    const auto oldest = find_oldest(*core_, group_, lane);
    return oldest && is_in_reach(*pool_, *oldest) && layout::distance(oldest->seen.position(), position_) <= 0;
  });
}

// Whether it came to a block in the ring that can be taken.
bool ConsumerState::parks_up_to_something() noexcept {
  for (;;) {
    const RingLook look = look_ahead(*core_, group_, position_);
    if (!look.is_there || look.block >= pool_->count()) return false;
    const std::uint32_t lane = lane_of(*core_, look.block);
    if (lane == kNoLane) return true;
    if (is_free_now(*core_, group_, lane) && !lane_has_something(*core_, group_, lane)) return true;
    park(*core_, group_, look.block, look.seen, lane);
    position_ = layout::position_after(position_, 1);
  }
}

}  // namespace SAPBUF_DETAIL
