// The pool's chunks: one word for each 64 pieces of its memory. A piece is a buffer, or the smallest buffer of a pool with
// size classes. The chunk's word says whether the words of the buffers in it count.
//
//   63              32 31      16 15     8 7      0
//   +-----------------+----------+--------+-------+
//   |  class, or back |  owner   | noted  | state |
//   +-----------------+----------+--------+-------+
//
//   free -> split          who takes one of its buffers: compare-exchange                (acquire)
//   free -> whole          who takes all of them at once: compare-exchange               (acquire)
//   whole -> free          its owner, who releases them; recovery, of a dead owner       (release)
//   whole -> split         its owner, behind the words of those that it keeps, or behind the tails of the block     (release)
//   whole -> tail          its owner, who forms a block                                  (release)
//   split -> joining       who found all words free: compare-exchange
//   joining -> free        the same, who gave each of the words another incarnation; split: if one was taken meanwhile, or by
//                          recovery, of a dead owner
//   joining -> parting     the same, of a block of several chunks
//   tail -> free           who parts the block; recovery, of a dead owner of its first chunk that is parting, or whole
//   parting -> free        the same, behind its tails
//   free -> changing       who gives its memory back to the system: compare-exchange; then unbacked
//   unbacked -> changing   who allocates its memory anew: compare-exchange; then free, or unbacked if there is none;
//                          recovery, of a dead owner: unbacked
//
// While it is split, the words of its buffers say who has which: see pool_word.hpp; also while it is joining, for one may
// have been taken just before. In all other states they say `free`, and nobody may take them. With size classes, adjacent chunks are a block of buffers of one class (size_class.hpp): the first
// one is split, and says which class; the others are its tail, and say how many chunks back it is.
//
//   written by   as above; `noted` by whoever frees a buffer, or finds none: compare-exchange
//   read by      who acquires, recovery, inspect
//   edge         pool-free: release <-> acquire;  chunk-join: whoever takes a single buffer looks at its word, acquire, then at this:
//                if it says split still, for the same class, the word that he saw is older than any joining, and will be another
//                one behind it
//   crash        recovery ends what the dead one did, behind his words: see pool/chunks.hpp
#pragma once

#include <sapbuf/layout/word.hpp>

namespace sapbuf::layout {

inline constexpr std::uint32_t kChunkBuffers = 64;

enum class ChunkState : std::uint8_t {
  free = 0,
  split = 1,
  unbacked = 2,
  whole = 3,
  joining = 4,
  changing = 5,
  tail = 6,
  parting = 7
};

struct ChunkWord {
  std::uint64_t word = 0;

  static constexpr ChunkWord make(ChunkState state, std::uint32_t owner = 0) noexcept {
    return {std::uint64_t{owner} << 16 | static_cast<std::uint8_t>(state)};
  }
  // Of one that is split the owner is who split it: he looks there first.
  static constexpr ChunkWord make_split(std::uint32_t size_class, std::uint32_t owner, bool noted = true) noexcept {
    return {std::uint64_t{size_class} << 32 | make(ChunkState::split, owner).word | std::uint64_t{noted} << 8};
  }
  static constexpr ChunkWord make_tail(std::uint32_t back) noexcept {
    return {std::uint64_t{back} << 32 | make(ChunkState::tail).word};
  }
  constexpr ChunkState state() const noexcept { return static_cast<ChunkState>(word & 0xff); }
  constexpr std::uint32_t owner() const noexcept { return static_cast<std::uint32_t>(bits(word, 16, 16)); }
  constexpr std::uint32_t size_class() const noexcept { return static_cast<std::uint32_t>(word >> 32); }
  constexpr std::uint32_t back() const noexcept { return static_cast<std::uint32_t>(word >> 32); }
  // Whether one of its buffers may be free: a hint.
  constexpr bool is_noted() const noexcept { return (word & 0x100) != 0; }
  constexpr bool is_whole_of(std::uint32_t slot) const noexcept {
    return state() == ChunkState::whole && owner() == slot;
  }
  constexpr bool is_split_for(std::uint32_t size_class_of_it) const noexcept {
    return state() == ChunkState::split && size_class() == size_class_of_it;
  }
  // The same with the hint, or in another state.
  constexpr ChunkWord with_note(bool noted) const noexcept {
    return {(word & ~std::uint64_t{0x100}) | std::uint64_t{noted} << 8};
  }
  constexpr ChunkWord changed_to(ChunkState state, std::uint32_t owner) const noexcept {
    return {std::uint64_t{size_class()} << 32 | make(state, owner).word};
  }
};

}  // namespace sapbuf::layout
