// The atoms of shared memory: the 64-bit word, the unit of space, and the sizes that hardware sets.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <sapbuf/abi.hpp>

namespace sapbuf::layout {

// Every field that two processes may touch at once is a Word. Plain `std::atomic` would do; the alias is the one place
// where a build can put an instrumented type instead. Above each, or above a group of which all is true, stands
//
//   written by   and under which lock, if any
//   read by
//   edge         its name in DESIGN.md, section 8, with the ordering of both ends; none: nothing else depends on it
//   crash        what the death of its writer leaves, and who mends it
using Word = std::atomic<std::uint64_t>;
using HalfWord = std::atomic<std::uint32_t>;  // futex words only: the kernel waits on 32 bits

static_assert(sizeof(void*) == 8,
              "sapbuf needs a 64-bit build: slabs of 4 GiB are mapped at once, and words are 64 bits wide");
static_assert(Word::is_always_lock_free && sizeof(Word) == 8 && alignof(Word) == 8);
static_assert(HalfWord::is_always_lock_free && sizeof(HalfWord) == 4);

// Space in a slab is counted in units of one header word.
inline constexpr std::size_t kUnitBytes = 8;
inline constexpr std::size_t kLineBytes = 64;
inline constexpr std::size_t kPageBytes = 4096;

inline constexpr std::uint32_t kMinSlabs = 2;
inline constexpr std::uint32_t kMaxSlabs = 64;  // pins are one bit per slab in one Word
inline constexpr std::uint64_t kMinSlabBytes = 4096;
inline constexpr std::uint64_t kMaxSlabBytes = std::uint64_t{1} << 32;
inline constexpr std::uint64_t kMinExtentBytes = 256;
inline constexpr std::uint32_t kMaxParticipants = 1024;

// Beyond any size that fits a slab, and small enough that rounding it up cannot overflow.
inline constexpr std::uint64_t kPayloadCeiling = kMaxSlabBytes;

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t multiple) noexcept {
  return (value + multiple - 1) / multiple * multiple;
}

constexpr std::uint64_t bits(std::uint64_t word, unsigned shift, unsigned width) noexcept {
  return (word >> shift) & ((std::uint64_t{1} << width) - 1);
}

// The word at an address in shared memory that is known to be aligned and in bounds.
inline Word& word_at(std::byte* address) noexcept { return *reinterpret_cast<Word*>(address); }
inline const Word& word_at(const std::byte* address) noexcept { return *reinterpret_cast<const Word*>(address); }

}  // namespace sapbuf::layout
