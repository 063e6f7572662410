// A queue's words: one for each slot of its ring, one for each block and group of consumers, and one for each lane and
// group. Positions are numbers that messages get in the order in which they are released; slot `position % slots` is that
// position's. Keys share a fixed number of lanes.
//
// slot
//   63                 24 23        0
//   +--------------------+----------+
//   |     position       | block + 1|      which block was released at that position; positions before the first one: 0
//   +--------------------+----------+
//   written by   producers: compare-exchange from the word of the position one lap before, once its block was taken by each group:
//                this is the commit                                                       (release)
//   read by      consumers, producers, recovery, inspect
//   edge         queue-release: release, behind the block's words <-> acquire
//   crash        before it: nothing was released
//
// block
//   63                 24 23        14 13      4 3     0
//   +--------------------+------------+---------+-------+
//   |     position       | deliveries |  owner  | state |
//   +--------------------+------------+---------+-------+
//
//   none -> queued           its producer, before it fills the slot of that position: it counts once that slot says so (release)
//   queued -> queued         the same, if another block came into the slot
//   queued -> held           a consumer, behind the slot: compare-exchange               (acquire)
//   held -> none             its consumer is done with it, or has passed it on           (release)
//   held -> returned         its consumer puts it back; recovery, of a dead one          (release)
//   held -> dead             the same, after so many deliveries
//   returned -> held         a consumer: compare-exchange                                (acquire)
//   none -> passing          who passes it on from another queue
//   passing -> queued        the same, behind the pool's word; or recovery on his behalf
//   passing -> returned      the same, where the ring is full
//   queued -> waiting        of a block with a key, in a queue with lanes: a consumer that passes it by (queue/lanes.hpp)
//   held, passing -> waiting such a block, instead of returned
//   waiting -> held          the consumer that has claimed the lane: compare-exchange    (acquire)
//   dead -> held             a consumer that takes a dead letter: compare-exchange       (acquire)
//   queued -> none           recovery, of a dead producer that filled no slot: compare-exchange
//
//   written by   as above
//   read by      consumers, producers (whether a slot's block was taken), scans of the pool, recovery, inspect
//   edge         queue-release; queue-done: release, behind the last use <-> acquire, before the buffer is free
//   crash        held, of the dead: recovery returns it;  queued, of the dead, in no slot: recovery lets go of it;  passing:
//                recovery, of who passed it, ends that
//
// lane
//   63                           16 15         0
//   +------------------------------+-----------+
//   |    due, in milliseconds      | owner + 1 |      owner + 1: 0 if the lane is free; due: of the block that comes next, on the
//   +------------------------------+-----------+      coarse monotonic clock, 0: now; of a lane that is claimed, 1: it is due now when
//                                                     that ends, 0: the claimer says when
//   written by   consumers: free -> claimed, compare-exchange (acquire); claimed -> free, by the claimer, or recovery (release);
//                due -> due now, who leaves a block there without a claim, or recovery: compare-exchange
//   read by      consumers, recovery
//   edge         lane: release, behind the word of the block that it was claimed for <-> acquire
//   crash        claimed by the dead: recovery frees it, behind what the dead one held
//
// look at
//   63                           24 23         0
//   +------------------------------+-----------+      when it is worth while to look for blocks that were put back: 0 never, 1 at
//   |    when, in milliseconds     |  changes  |      once, or on the coarse monotonic clock; how often somebody put back, to tell
//   +------------------------------+-----------+      this word from the same one later
//   written by   who puts back, behind the block's bit, and recovery: lowered, a change more; who found none that is due:
//                compare-exchange from what it read before, to when one is due, or never
//   read by      consumers
//   edge         returned: release, behind word and bit <-> acquire, before bits and words
//   crash        too low: a look for nothing;  not lowered yet: recovery does
#pragma once

#include <sapbuf/layout/word.hpp>

namespace sapbuf::layout {

enum class BlockState : std::uint8_t {
  none = 0,
  queued = 1,
  held = 2,
  returned = 3,
  dead = 4,
  passing = 5,
  waiting = 6
};

inline constexpr std::uint64_t kMaxQueueBlocks = (std::uint64_t{1} << 24) - 2;
inline constexpr std::uint32_t kMostDeliveries = (1u << 10) - 1;  // that are counted
inline constexpr std::uint64_t kPositions = std::uint64_t{1} << 40;

// How far position `a` is behind `b`, around the numbers' end: negative before it.
constexpr std::int64_t distance(std::uint64_t a, std::uint64_t b) noexcept {
  return static_cast<std::int64_t>((a - b) << 24) >> 24;
}
constexpr std::uint64_t position_after(std::uint64_t position, std::uint64_t more) noexcept {
  return (position + more) % kPositions;
}

// For who sorts: positions as numbers, those around `middle` in their order. A distance is no order for a sort: two
// positions half a circle apart are before each other.
constexpr std::uint64_t order_around(std::uint64_t middle, std::uint64_t position) noexcept {
  return (position - middle + kPositions / 2) % kPositions;
}

struct RingWord {
  std::uint64_t word = 0;

  static constexpr RingWord make(std::uint64_t position, std::uint32_t block) noexcept {
    return {position << 24 | (std::uint64_t{block} + 1)};
  }
  static constexpr RingWord none_at(std::uint64_t position) noexcept { return {position << 24}; }
  constexpr std::uint64_t position() const noexcept { return word >> 24; }
  // All ones where there is none.
  constexpr std::uint32_t block() const noexcept { return static_cast<std::uint32_t>(word & 0xff'ffffu) - 1; }
};

struct BlockWord {
  std::uint64_t word = 0;

  static constexpr BlockWord make(std::uint64_t position, std::uint32_t deliveries, std::uint32_t owner,
                                  BlockState state) noexcept {
    return {position << 24 | std::uint64_t{deliveries} << 14 | std::uint64_t{owner} << 4 |
            static_cast<std::uint8_t>(state)};
  }
  constexpr std::uint64_t position() const noexcept { return word >> 24; }
  constexpr std::uint32_t deliveries() const noexcept { return static_cast<std::uint32_t>(bits(word, 14, 10)); }
  constexpr std::uint32_t owner() const noexcept { return static_cast<std::uint32_t>(bits(word, 4, 10)); }
  constexpr BlockState state() const noexcept { return static_cast<BlockState>(word & 0xf); }
  constexpr bool is_none() const noexcept { return state() == BlockState::none; }
  constexpr bool is_held_by(std::uint32_t slot) const noexcept {
    return state() == BlockState::held && owner() == slot;
  }
  constexpr bool is_queued_at(std::uint64_t position_asked) const noexcept {
    return state() == BlockState::queued && position() == position_asked;
  }
  // The same message in another state.
  constexpr BlockWord with(BlockState next, std::uint32_t next_owner = 0) const noexcept {
    return make(position(), deliveries(), next_owner, next);
  }
  constexpr BlockWord delivered_to(std::uint32_t consumer) const noexcept {
    const std::uint32_t more = deliveries() < kMostDeliveries ? 1 : 0;
    return make(position(), deliveries() + more, consumer, BlockState::held);
  }
};

struct LaneWord {
  std::uint64_t word = 0;

  static constexpr LaneWord claimed_by(std::uint32_t consumer) noexcept { return {std::uint64_t{consumer} + 1}; }
  static constexpr LaneWord free_until(std::uint64_t due_ms) noexcept { return {due_ms << 16}; }
  constexpr bool is_free() const noexcept { return (word & 0xffff) == 0; }
  constexpr bool is_claimed_by(std::uint32_t consumer) const noexcept {
    return (word & 0xffff) == std::uint64_t{consumer} + 1;
  }
  constexpr bool is_hurried() const noexcept { return !is_free() && word >> 16 != 0; }
  constexpr LaneWord hurried() const noexcept { return is_free() ? free_until(0) : LaneWord{word | 1u << 16}; }
  constexpr std::uint64_t due_ms() const noexcept { return is_free() ? word >> 16 : 0; }
};

struct LookAt {
  std::uint64_t word = 0;

  static constexpr unsigned kChangesBits = 24;
  static constexpr std::uint64_t kLastMs = ~std::uint64_t{0} >> kChangesBits;  // 34 years

  static constexpr LookAt make(std::uint64_t when_ms, std::uint64_t changes = 0) noexcept {
    return {(when_ms < kLastMs ? when_ms : kLastMs) << kChangesBits | bits(changes, 0, kChangesBits)};
  }
  constexpr std::uint64_t when_ms() const noexcept { return word >> kChangesBits; }
  constexpr std::uint64_t changes() const noexcept { return bits(word, 0, kChangesBits); }
  constexpr LookAt lowered_to(std::uint64_t ms) const noexcept {
    return make(when_ms() == 0 || ms < when_ms() ? ms : when_ms(), changes() + 1);
  }
};

static_assert(kMaxParticipants <= 1u << 10);
static_assert(distance(0, kPositions - 1) == 1 && distance(5, 9) == -4);

}  // namespace sapbuf::layout
