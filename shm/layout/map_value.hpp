// A map's value: a buffer of a pool, which the map's entry keeps by a root. Beside the value stands what it says of
// itself, where whoever knows no more than the buffer's number finds it: in a pool of one size at the buffer's end, so
// that the value begins where the buffer does; in one with size classes at its beginning, since only the buffer's user
// knows where that ends. Either way the value is aligned as the pool says.
//
//   one size       + 0                                          + about_at, a multiple of 8
//   +--------------+--------------------------------------------+--------------------------+
//   | value, `length` bytes                                     | about                    |
//   +-----------------------------------------------------------+--------------------------+
//
//   size classes   + 0                      + value_at, a multiple of the pool's alignment
//   +--------------+------------------------+----------------------------------------------+
//   | about                                 | value, `length` bytes                        |
//   +---------------------------------------+----------------------------------------------+
//
// A version never changes: whoever keeps the buffer has its bytes, its number and its time whole, however often the
// entry was flipped since, and however long ago its key went.
#pragma once

#include <sapbuf/layout/fields.hpp>
#include <sapbuf/layout/pool_geometry.hpp>

namespace sapbuf::layout {

//   written by  whoever flips, before the buffer is shared
//   read by     whoever keeps it, inspect
//   edge        pool-share: before the buffer's word says `shared`, release <-> acquire
//   crash       a buffer that is not shared is freed by the pool's recovery
struct AboutValue {
  Word key;         // KeyLife of the entry that it is a value of: a key's, not its place's
  Word where;       // ValueWhere
  Word version;     // the number of this version of the key: it grows by one with each flip, and never goes back
  Word flipped_ns;  // wall clock, true to some milliseconds
};

inline constexpr Field kAboutValueFields[] = {SAPBUF_FIELD(AboutValue, key), SAPBUF_FIELD(AboutValue, where),
                                              SAPBUF_FIELD(AboutValue, version), SAPBUF_FIELD(AboutValue, flipped_ns)};
static_assert(sizeof(AboutValue) == 32 && covers(kAboutValueFields, sizeof(AboutValue)));

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

// Where in a pool's buffers these stand, and the most that a value can have.
struct ValuePlaces {
  std::uint64_t value_at = 0;
  std::uint64_t about_at = 0;
  std::uint64_t most_bytes = 0;
};

// Nothing for buffers that are too small.
constexpr std::optional<ValuePlaces> value_places(const PoolGeometry& pool) noexcept {
  if (pool.classes != 0) {
    const std::uint64_t value_at = round_up(sizeof(AboutValue), pool.alignment);
    if (pool.largest_bytes < value_at) return std::nullopt;
    return ValuePlaces{.value_at = value_at, .about_at = 0, .most_bytes = pool.largest_bytes - value_at};
  }
  const std::uint64_t words = pool.buffer_bytes / sizeof(Word) * sizeof(Word);
  if (words < sizeof(AboutValue)) return std::nullopt;
  return ValuePlaces{.value_at = 0, .about_at = words - sizeof(AboutValue), .most_bytes = words - sizeof(AboutValue)};
}
// Whether a buffer at `offset` of a pool that has so many bytes may have a value as long.
constexpr bool has_room(const ValuePlaces& places, std::uint64_t offset, std::uint64_t length,
                        std::uint64_t pool_bytes) noexcept {
  return length <= places.most_bytes && offset + places.value_at + length <= pool_bytes;
}
// Of one size, for values of so many bytes.
constexpr std::uint64_t buffer_bytes_for(std::uint64_t value_bytes) noexcept {
  return round_up(value_bytes, sizeof(Word)) + sizeof(AboutValue);
}
inline constexpr std::uint64_t kMaxValueBytes = kMaxBufferBytes - sizeof(AboutValue);
static_assert(value_places({.buffer_bytes = buffer_bytes_for(13)})->most_bytes == 16);

}  // namespace sapbuf::layout
