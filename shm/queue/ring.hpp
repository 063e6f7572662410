// The ring: which block was released at which position.
//
//   who releases                                        who takes                              who reuses the slot, a lap later
//   1. the first position that nobody filled            1. the slot of the own position        1. the slot says the position a lap
//   2. the block's words say queued, at that position      says that position, and a block        before, and a block
//   3. slot: compare-exchange, from the word of         2. the block's word says queued        2. that block's word says no more
//      the position a lap before: released                 there -> held: compare-exchange        that it is queued there
//
// So a slot is no more than a way to a block, and who stops, or dies, between two of these steps is in nobody's way:
// others fill the position that he was about to fill, and pass by what was taken. No position is left out, and none is
// filled twice.
//
// Who finds the ring full at 3. takes the buffer back first, and says none behind that: until then the queue's root keeps
// it.
//
//   killed before 3. (left)     words of a block that is in no slot: recovery lets go of it
#pragma once

#include "queue/queue_core.hpp"

namespace SAPBUF_DETAIL {

// A position that nobody filled when it was looked at, and what its slot said.
struct RingPlace {
  std::uint64_t position = 0;
  std::uint64_t before = 0;
  bool is_full = false;  // the block of one lap before is queued still
};

// Up to which position all groups have taken everything, as far as they say.
std::uint64_t taken_by_all(const QueueCore& queue) noexcept;
// `taken` is a position up to which all blocks were known to be taken; it is raised when that is not enough.
RingPlace find_place(const QueueCore& queue, std::uint64_t from, std::uint64_t& taken) noexcept;

// For all groups.
inline void say_of_all(const QueueCore& queue, std::uint32_t block, layout::BlockWord word) noexcept {
  for (std::uint32_t group = 0; group < queue.geometry().groups; ++group) {
    queue.state(block, group).store(word.word, std::memory_order_release);
  }
}
inline void say_queued(const QueueCore& queue, std::uint32_t block, std::uint64_t position,
                       std::uint32_t owner) noexcept {
  say_of_all(queue, block, layout::BlockWord::make(position, 0, owner, layout::BlockState::queued));
}

// False: somebody else was faster.
inline bool fill_slot(const QueueCore& queue, const RingPlace& place, std::uint32_t block) noexcept {
  std::uint64_t before = place.before;
  // queue-release: release, behind the block's words;  sleep: seq_cst, before the look at who sleeps.
  return queue.ring(place.position)
      .compare_exchange_strong(before, layout::RingWord::make(place.position, block).word, std::memory_order_seq_cst,
                               std::memory_order_relaxed);
}

// Whether the block whose word says queued was released: it stands in its slot.
inline bool is_in_ring(const QueueCore& queue, std::uint32_t block, layout::BlockWord queued) noexcept {
  const std::uint64_t filled = queue.ring(queued.position()).load(std::memory_order_acquire);
  return filled == layout::RingWord::make(queued.position(), block).word;
}

// The hint where to begin; never beyond what is filled.
inline void raise(layout::Word& hint, std::uint64_t position) noexcept {
  if (layout::distance(position, hint.load(std::memory_order_relaxed)) > 0) {
    hint.store(position, std::memory_order_release);
  }
}

// What a consumer of a group finds in the ring from its own position on.
struct RingLook {
  std::uint32_t block = 0;
  layout::BlockWord seen;
  bool is_there = false;
};
// Goes to the next position that has a block which is queued still, if there is one; the position is that one's.
RingLook look_ahead(const QueueCore& queue, std::uint32_t group, std::uint64_t& position) noexcept;

}  // namespace SAPBUF_DETAIL
