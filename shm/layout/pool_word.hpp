// The pool's table: one word for each buffer. It is the truth about who has the buffer, if the buffer's chunk is split (see
// pool_chunk.hpp); everything else is a hint. The library touches no byte of a buffer.
//
//   63              32 31      16 15     8 7      0
//   +-----------------+----------+--------+-------+
//   |  incarnation    |  owner   |   0    | state |      the incarnation grows each time the buffer becomes free
//   +-----------------+----------+--------+-------+
//
//   free -> local            who acquires it, or gives it to one who waits: compare-exchange      (acquire)
//   free -> local            also its owner, by a store, of a buffer in a chunk that is whole and his
//   local -> free            its owner, who releases it; recovery, of a dead owner; of one that lies in a magazine, also
//                            whoever finds none free, under the pool's lock: compare-exchange     (release)
//   local -> shared          its owner, behind its root                                  (release)
//   shared -> dying          a scan that found no root, under the pool's lock; a user, `owner`, that looks at what it took
//                            the root from: compare-exchange
//   dying -> dying           a scan, of another one's: compare-exchange
//   dying -> shared          whoever adopts it, behind its root, or who looks, and found one: compare-exchange
//   shared -> free           who has its only root: compare-exchange                     (release)
//   shared, dying -> shared  the same, of the next incarnation, for another root: compare-exchange
//   dying -> free            the scan, behind the heavy fence and a second look at all roots: compare-exchange
//   dying -> local           a user, of what is dying in its name, behind the same, of the next incarnation: compare-exchange
//
//   written by   as above
//   read by      who acquires or adopts, scans, recovery, inspect
//   edge         pool-free, pool-share: release <-> acquire;  root (SB): see PoolSlot::roots
//   crash        local, of the dead: recovery frees it;  shared: a scan, once the dead one's roots are gone;  dying: the
//                next scan decides
#pragma once

#include <sapbuf/layout/word.hpp>

namespace sapbuf::layout {

enum class BufferState : std::uint8_t { free = 0, local = 1, shared = 2, dying = 3 };

struct BufferWord {
  std::uint64_t word = 0;

  static constexpr BufferWord make(std::uint32_t incarnation, BufferState state, std::uint32_t owner = 0) noexcept {
    return {std::uint64_t{incarnation} << 32 | std::uint64_t{owner} << 16 | static_cast<std::uint8_t>(state)};
  }
  static constexpr std::uint32_t kScan = 0xffff;
  // In the name of a user's slot, or of kScan.
  static constexpr BufferWord dying(std::uint32_t incarnation, std::uint32_t owner) noexcept {
    return make(incarnation, BufferState::dying, owner);
  }
  constexpr std::uint32_t incarnation() const noexcept { return static_cast<std::uint32_t>(word >> 32); }
  constexpr std::uint32_t owner() const noexcept { return static_cast<std::uint32_t>(bits(word, 16, 16)); }
  constexpr BufferState state() const noexcept { return static_cast<BufferState>(word & 0xff); }
  constexpr bool is_local_of(std::uint32_t slot) const noexcept {
    return state() == BufferState::local && owner() == slot;
  }
  // Also while a scan decides whether it is free.
  constexpr bool is_shared() const noexcept { return state() == BufferState::shared || state() == BufferState::dying; }
  // The same buffer, free for the next one.
  constexpr BufferWord freed() const noexcept { return make(incarnation() + 1, BufferState::free); }
};

static_assert(kMaxParticipants <= BufferWord::kScan);
static_assert(BufferWord::make(~0u, BufferState::local, 7).freed().incarnation() == 0);

// What keeps a shared buffer from being freed: the incarnation of one buffer, plus one in the index so that zero is none.
struct Root {
  std::uint64_t word = 0;

  static constexpr Root make(std::uint32_t index, std::uint32_t incarnation) noexcept {
    return {std::uint64_t{incarnation} << 32 | (std::uint64_t{index} + 1)};
  }
  constexpr bool is_none() const noexcept { return (word & 0xffff'ffffu) == 0; }
  constexpr std::uint32_t index() const noexcept { return static_cast<std::uint32_t>(word & 0xffff'ffffu) - 1; }
  constexpr std::uint32_t incarnation() const noexcept { return static_cast<std::uint32_t>(word >> 32); }
};

}  // namespace sapbuf::layout
