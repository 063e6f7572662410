// Blocks of a pool with size classes: adjacent chunks that have the buffers of one class. See layout/size_class.hpp.
//
//   who forms one of n chunks                              who takes one of its buffers
//   1. n chunks: free -> whole, his                        the buffer's word says free
//   2. those behind the first one: tail                    the first chunk says split, for that class
//   3. the first one: split, for the class                 compare-exchange of the buffer's word as it was seen
//
// It becomes chunks again when all its buffers are free, and somebody needs chunks: see pool/chunks.hpp.
//   killed before 3    recovery: the first one says that it is his, whole; what is next to it, and says that it is its tail, is freed
//                      before it, from the end
#pragma once

#include <sapbuf/detail/kill_point.hpp>

#include "pool/chunks.hpp"

namespace SAPBUF_DETAIL {

// Forms one, of adjacent chunks that are free, the user's of slot `owner`. Returns its first chunk, or kNoChunk. In
// line: at a multiple of its size, from `start` on, so that blocks of one size leave no gaps that are too small for
// another one.
inline constexpr std::uint32_t kNoChunk = ~std::uint32_t{0};
enum class Place { in_line, anywhere };
std::uint32_t form_block(PoolCore& core, std::uint32_t size_class, std::uint32_t start, std::uint32_t owner,
                         Place place) noexcept;

// Takes free buffers of one block for as long as `take(buffer)` returns true; returns how many. It may be none any more.
template <typename Take>
std::uint32_t take_from_block(PoolCore& core, std::uint32_t head, std::uint32_t size_class, std::uint32_t owner,
                              Take& take) noexcept {
  const layout::ChunkWord seen = chunk_word(core, head);
  if (!seen.is_split_for(size_class)) return 0;
  const Block block = block_at(core, head, seen);
  if (block.chunks > count_chunks(core) - head) return 0;
  std::uint32_t count = 0;
  for (std::uint32_t at = 0; at < block.count; ++at) {
    if (!take_of_block(core, head, size_class, block.buffer(at), owner)) continue;
    SAPBUF_KILL_POINT(pool_found);
    ++count;
    if (!take(block.buffer(at))) return count;
  }
  note_none_free(core, head);
  return count;
}

// The same of the first block that has one. Which of them are worth a look is a hint that may miss some.
struct BlockSearch {
  enum class Among { own, noted, all };  // own: of those that the owner formed, or joined last
  Among which;
  std::uint32_t size_class;
  std::uint32_t owner;   // slot of the user who gets them
  std::uint32_t& start;  // the chunk from which on to look; and where it found some
  std::uint32_t most;    // chunks to look at
};
template <typename Take>
std::uint32_t take_from_blocks(PoolCore& core, const BlockSearch& search, Take& take) noexcept {
  const std::uint32_t chunks = count_chunks(core);
  const std::uint32_t most = std::min(search.most, chunks);
  for (std::uint32_t looked = 0; looked < most; ++looked) {
    const std::uint32_t chunk = (search.start + looked) % chunks;
    const layout::ChunkWord seen = chunk_word(core, chunk);
    if (!seen.is_split_for(search.size_class)) continue;
    if (search.which != BlockSearch::Among::all && !seen.is_noted()) continue;
    if (search.which == BlockSearch::Among::own && seen.owner() != search.owner) continue;
    if (const std::uint32_t count = take_from_block(core, chunk, search.size_class, search.owner, take)) {
      search.start = chunk;
      return count;
    }
  }
  return 0;
}

}  // namespace SAPBUF_DETAIL
