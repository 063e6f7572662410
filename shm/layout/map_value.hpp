// A map's value: a buffer of a pool, which the map's entry keeps by a root. What it says of itself stands in its last
// 32 bytes, so that the value begins where the buffer does, aligned as the pool says.
//
//   buffer    + 0                                    + trailer_at, a multiple of 8
//   +---------+--------------------------------------+--------------------------+
//   | value, `length` bytes                          | trailer                  |
//   +---------+--------------------------------------+--------------------------+
//
// A version never changes: whoever keeps the buffer has its bytes, its number and its time whole, however often the
// entry was flipped since, and however long ago its key went.
#pragma once

#include <sapbuf/layout/fields.hpp>
#include <sapbuf/layout/pool_word.hpp>

namespace sapbuf::layout {

//   written by  whoever flips, before the buffer is shared
//   read by     whoever keeps it, inspect
//   edge        pool-share: before the buffer's word says `shared`, release <-> acquire
//   crash       a buffer that is not shared is freed by the pool's recovery
struct ValueTrailer {
  Word key;         // KeyLife of the entry that it is a value of: a key's, not its place's
  Word where;       // ValueWhere
  Word version;     // the number of this version of the key: it grows by one with each flip, and never goes back
  Word flipped_ns;  // wall clock, true to some milliseconds
};

inline constexpr Field kValueTrailerFields[] = {SAPBUF_FIELD(ValueTrailer, key), SAPBUF_FIELD(ValueTrailer, where),
                                                SAPBUF_FIELD(ValueTrailer, version),
                                                SAPBUF_FIELD(ValueTrailer, flipped_ns)};
static_assert(sizeof(ValueTrailer) == 32 && covers(kValueTrailerFields, sizeof(ValueTrailer)));

//   63              32 31                   0
//   +-----------------+---------------------+
//   |  entry          |  length in bytes    |
//   +-----------------+---------------------+
struct ValueWhere {
  std::uint64_t word = 0;

  static constexpr ValueWhere make(std::uint32_t entry, std::uint32_t length) noexcept {
    return {std::uint64_t{entry} << 32 | length};
  }
  constexpr std::uint32_t entry() const noexcept { return static_cast<std::uint32_t>(word >> 32); }
  constexpr std::uint32_t length() const noexcept { return static_cast<std::uint32_t>(word); }
};

// Where the trailer begins in buffers of this size, which is also the most that a value can have; nothing for buffers
// that are too small.
constexpr std::uint64_t trailer_at(std::uint64_t buffer_bytes) noexcept {
  const std::uint64_t words = buffer_bytes / sizeof(Word) * sizeof(Word);
  return words < sizeof(ValueTrailer) ? 0 : words - sizeof(ValueTrailer);
}
constexpr std::uint64_t buffer_bytes_for(std::uint64_t value_bytes) noexcept {
  return round_up(value_bytes, sizeof(Word)) + sizeof(ValueTrailer);
}
static_assert(trailer_at(buffer_bytes_for(13)) == 16);

}  // namespace sapbuf::layout
