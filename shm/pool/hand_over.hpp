// Handing a buffer over to something else in its segment that is to keep it: a message of a stream, say. The user that
// had the buffer has it no more.
//
//   local buffer                       shared buffer
//   1. root                            1. root; light fence
//   2. word = shared                   2. the adopter's look at the word: a scan may have read the new root too early,
//                                         and the user's own too late
//                                      3. the user's own root is cleared
//
// A root that is its buffer's only one may free it (free_rooted), and may go to another keeper with the next
// incarnation of the buffer (renew_rooted): one compare-exchange of the word decides between the two.
//
//   killed before 2.   local, the dead's: recovery frees it, and the root is that of an old incarnation;  or shared, with
//                      two roots
#pragma once

#include "pool/pool_core.hpp"

namespace sapbuf::inline SAPBUF_ABI {
class Buffer;
}

namespace SAPBUF_DETAIL {

struct PoolUserHot;

// The pool of a buffer that may be handed over within this segment; null, and why, where it may not: other_segment, the
// buffer's own status if it is none, forked, declared_dead, corrupt.
const PoolCore* find_pool_of(const Buffer& buffer, const SegmentCore& segment, Status& status) noexcept;

// `root` stands where scans of the pool find it (Facility::collect_roots), and is zero. On success the buffer is empty;
// otherwise it is as it was, and so is `root`.
Status root_elsewhere(Buffer& buffer, layout::Word& root) noexcept;

// For who keeps a root in a form of its own, and alone: a buffer that was never shared before. Which one it is, for
// that root.
layout::Root root_of(const Buffer& buffer) noexcept;
const PoolUserHot* user_of(const Buffer& buffer) noexcept;  // null: it was moved from, or was not to be had
// Behind the root: as root_elsewhere(). `now_ms` as PoolCore::now_ms().
void share_rooted(Buffer& buffer, std::uint32_t now_ms) noexcept;
// A user has it again, alone, as its next incarnation: nobody else has seen it meanwhile. While the root counts:
// otherwise a scan may free it. Without a buffer (declared_dead): somebody let go of the root, and of the buffer.
Buffer take_back(PoolUserHot& user, layout::Root root) noexcept;
// Frees such buffers behind their last use; nobody has another root of them. Those that a scan is about to free are
// left to it. Those who wait are told by the caller (serve_behind_release).
void free_rooted(PoolCore& pool, std::span<const layout::Root> roots) noexcept;
// Gives such a buffer its next incarnation: from then on it is kept by a root of that, and the one before keeps
// nothing. False: it is of another incarnation.
bool renew_rooted(PoolCore& pool, layout::Root root) noexcept;
constexpr layout::Root renewed(layout::Root root) noexcept {
  return layout::Root::make(root.index(), root.incarnation() + 1);
}

// The adopter's look, behind a root and a light fence: whether the root keeps the buffer from now on. Rescues one that
// a scan is about to free.
bool is_kept_by_root(layout::Word& word, std::uint32_t incarnation) noexcept;

// What a reference calls its pool; and all that it says of where the buffer is.
constexpr std::uint32_t reference_number(layout::FacilityId pool) noexcept {
  return static_cast<std::uint32_t>(pool.word);
}
constexpr std::uint64_t where_of(std::uint64_t segment, std::uint32_t pool) noexcept {
  return (segment ^ segment >> 32) << 32 | pool;
}

}  // namespace SAPBUF_DETAIL
