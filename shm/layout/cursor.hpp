// The cursor: where the next claim goes. One word, advanced by fetch_add, replaced at a flip.
//
//   63                  46 45       40 39                        0
//   +---------------------+-----------+--------------------------+
//   | generation, mod 2^18|   slab    |  offset, in 8-byte units |
//   +---------------------+-----------+--------------------------+
//
// A writer looks before it adds, so each participant can carry the offset at most one claim past the slab's end:
// (1024 participants + 1) x 2^29 units < 2^40, and the offset cannot run into the slab field.
#pragma once

#include <sapbuf/layout/word.hpp>

namespace sapbuf::layout {

inline constexpr std::uint64_t kGenerationTagMask = (std::uint64_t{1} << 18) - 1;

struct Cursor {
  std::uint64_t word = 0;

  static constexpr Cursor make(std::uint64_t generation, std::uint32_t slab, std::uint64_t units) noexcept {
    return {(generation & kGenerationTagMask) << 46 | std::uint64_t{slab} << 40 | units};
  }
  constexpr std::uint64_t generation_tag() const noexcept { return word >> 46; }
  constexpr std::uint32_t slab() const noexcept { return static_cast<std::uint32_t>(bits(word, 40, 6)); }
  constexpr std::uint64_t offset_bytes() const noexcept { return bits(word, 0, 40) * kUnitBytes; }
  constexpr bool is_in(std::uint64_t generation) const noexcept {
    return generation_tag() == (generation & kGenerationTagMask);
  }
};

static_assert((kMaxParticipants + 1) * (kMaxSlabBytes / kUnitBytes) < std::uint64_t{1} << 40);
static_assert(Cursor::make(5, 63, 1).slab() == 63 && Cursor::make(5, 63, 1).is_in(5));

// A participant's claim: what it is taking from the cursor, or the last place it took.
//
//   claiming   1 | sequence (63 bits)                          between the announcement and the first header store
//   located    0 1 | 0.. | generation, 18 | slab, 6 | units, 30   the claimed place
//   none       0
struct Claim {
  std::uint64_t word = 0;

  static constexpr Claim claiming(std::uint64_t sequence) noexcept { return {kClaiming | (sequence & ~kClaiming)}; }
  static constexpr Claim located(std::uint64_t generation, std::uint32_t slab, std::uint64_t offset_bytes) noexcept {
    return {kLocated | (generation & kGenerationTagMask) << 36 | std::uint64_t{slab} << 30 | offset_bytes / kUnitBytes};
  }
  constexpr bool is_claiming() const noexcept { return (word & kClaiming) != 0; }
  constexpr bool is_located() const noexcept { return (word & (kClaiming | kLocated)) == kLocated; }
  constexpr std::uint32_t slab() const noexcept { return static_cast<std::uint32_t>(bits(word, 30, 6)); }
  constexpr std::uint64_t offset_bytes() const noexcept { return bits(word, 0, 30) * kUnitBytes; }
  constexpr bool is_in(std::uint64_t generation) const noexcept {
    return is_located() && bits(word, 36, 18) == (generation & kGenerationTagMask);
  }

 private:
  static constexpr std::uint64_t kClaiming = std::uint64_t{1} << 63;
  static constexpr std::uint64_t kLocated = std::uint64_t{1} << 62;
};

static_assert(Claim::located(7, 3, 4096).is_in(7) && Claim::located(7, 3, 4096).offset_bytes() == 4096);

}  // namespace sapbuf::layout
