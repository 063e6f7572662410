// Handing a buffer over to something else in its segment that is to keep it: a message of a stream, say. The user that
// had the buffer has it no more.
//
//   local buffer                       shared buffer
//   1. root                            1. root; light fence
//   2. word = shared                   2. the adopter's look at the word: a scan may have read the new root too early,
//                                         and the user's own too late
//                                      3. the user's own root is cleared
//
//   killed before 2.   local, the dead's: recovery frees it, and the root is that of an old incarnation;  or shared, with
//                      two roots
#pragma once

#include "pool/pool_core.hpp"

namespace sapbuf {
class Buffer;
}

namespace sapbuf::detail {

// The pool of a buffer that may be handed over within this segment; null, and why, where it may not: other_segment, the
// buffer's own status if it is none, forked, declared_dead, corrupt.
const PoolCore* find_pool_of(const Buffer& buffer, const SegmentCore& segment, Status& status) noexcept;

// `root` stands where scans of the pool find it (Facility::collect_roots), and is zero. On success the buffer is empty;
// otherwise it is as it was, and so is `root`.
Status root_elsewhere(Buffer& buffer, layout::Word& root) noexcept;

// The adopter's look, behind a root and a light fence: whether the root keeps the buffer from now on. Rescues one that a
// scan is about to free.
bool is_kept_by_root(layout::Word& word, std::uint32_t incarnation) noexcept;

// What a reference calls its pool; and all that it says of where the buffer is.
constexpr std::uint32_t reference_number(layout::FacilityId pool) noexcept {
  return static_cast<std::uint32_t>(pool.word);
}
constexpr std::uint64_t where_of(std::uint64_t segment, std::uint32_t pool) noexcept {
  return (segment ^ segment >> 32) << 32 | pool;
}

}  // namespace sapbuf::detail
