#include "queue/ring.hpp"

#include <sapbuf/detail/kill_point.hpp>

namespace SAPBUF_DETAIL {
namespace {

using layout::BlockWord;
using layout::RingWord;

// While nobody fills a slot, the way to the ring's end is over each of them twice at the most, from wherever. Who does not come to it
// was overtaken by laps meanwhile; words that lead so far are no ring's.
std::uint64_t most_looks(const QueueCore& queue) noexcept { return 16 * (2 * queue.geometry().slots + 64); }

bool is_queued_still(const QueueCore& queue, RingWord filled) noexcept {
  const std::uint32_t block = filled.block();
  if (block >= queue.geometry().blocks) return false;
  for (std::uint32_t group = 0; group < queue.geometry().groups; ++group) {
    const BlockWord seen{queue.state(block, group).load(std::memory_order_acquire)};
    if (seen.is_queued_at(filled.position())) return true;
  }
  return false;
}

}  // namespace

std::uint64_t taken_by_all(const QueueCore& queue) noexcept {
  // queue-taken: acquire.
  std::uint64_t least = queue.group(0).head.load(std::memory_order_acquire);
  for (std::uint32_t group = 1; group < queue.geometry().groups; ++group) {
    const std::uint64_t head = queue.group(group).head.load(std::memory_order_acquire);
    if (layout::distance(head, least) < 0) least = head;
  }
  return least % layout::kPositions;
}

RingPlace find_place(const QueueCore& queue, std::uint64_t from, std::uint64_t& taken) noexcept {
  RingPlace place{.position = from};
  RingWord filled;
  for (std::uint64_t looked = 0; looked < most_looks(queue); ++looked) {
    if (looked == queue.geometry().slots) SAPBUF_KILL_POINT(queue_lapped);
    filled = {queue.ring(place.position).load(std::memory_order_acquire)};
    if (filled.position() == queue.lap_before(place.position)) break;
    place.position = layout::position_after(filled.position(), 1);
  }
  place.before = filled.word;
  const std::uint64_t before = queue.lap_before(place.position);
  if (filled.position() != before) {
    place.is_full = true;  // bytes that contradict themselves
    return place;
  }
  // What was taken ends within a lap behind it; or it is of a look so long ago that positions came round meanwhile.
  const auto was_taken = [&] {
    const std::int64_t behind = layout::distance(taken, before);
    return behind > 0 && behind <= static_cast<std::int64_t>(queue.geometry().slots);
  };
  if (was_taken()) return place;
  taken = taken_by_all(queue);
  place.is_full = !was_taken() && is_queued_still(queue, filled);
  return place;
}

RingLook look_ahead(const QueueCore& queue, std::uint32_t group, std::uint64_t& position) noexcept {
  for (std::uint64_t looked = 0; looked < most_looks(queue); ++looked) {
    // queue-release: acquire, before the block's words.
    const RingWord filled{queue.ring(position).load(std::memory_order_acquire)};
    if (filled.position() == queue.lap_before(position)) return {};
    if (filled.position() != position) {
      // Further, by whatever: what was there a lap before this one, and all before that, was taken.
      position = layout::position_after(queue.lap_before(filled.position()), 1);
      continue;
    }
    const std::uint32_t block = filled.block();
    if (block < queue.geometry().blocks) {
      const BlockWord seen{queue.state(block, group).load(std::memory_order_acquire)};
      if (seen.is_queued_at(position)) return {block, seen, true};
    }
    position = layout::position_after(position, 1);
  }
  return {};
}

}  // namespace SAPBUF_DETAIL
