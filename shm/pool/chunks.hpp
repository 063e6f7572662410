// Chunks: 64 buffers at a time. See layout/pool_chunk.hpp for their words.
//
// A run of buffers takes free chunks whole, one compare-exchange each; whoever needs single buffers splits one, and
// takes words of its own chunks before he splits another. Who finds too few free chunks joins those whose buffers are
// all free:
//
//   who joins                                            who takes one buffer
//   1. all words say free; chunk: split -> joining       the buffer's word says free
//   2. each word: free -> free of the next incarnation   the chunk's word says split
//   3. chunk = free; or split, if one was not free       compare-exchange of the buffer's word as it was seen
//
// If the right side's last step succeeds, step 2 finds that buffer taken; if step 2 came first, the right side fails.
//
//   killed holding chunks     recovery: words that say local of the dead are freed, also while somebody else joins their
//                             chunk; then his chunks
//   killed between 1 and 3    recovery: split
//
// With size classes the buffers of one class stand in blocks of adjacent chunks, formed in blocks.cpp. The chunks of a
// block are freed by whoever joins its buffers: its first chunk says that it is parting until those behind it are free,
// for then it says no more which ones they were.
#pragma once

#include "pool/pool_core.hpp"

namespace SAPBUF_DETAIL {

inline constexpr std::uint32_t kSingle = 0;  // the size class of single pieces; the only one of a pool without classes

constexpr std::uint32_t chunk_of(std::uint32_t buffer) noexcept { return buffer / layout::kChunkBuffers; }
constexpr std::uint32_t first_buffer_of(std::uint32_t chunk) noexcept { return chunk * layout::kChunkBuffers; }
// Never before its first one, whatever the pool's words say by now.
inline std::uint32_t end_of(const PoolCore& core, std::uint32_t chunk) noexcept {
  const std::uint32_t first = first_buffer_of(chunk);
  return std::clamp(core.there(), first, first + layout::kChunkBuffers);
}
// For who takes them: of those that this process can address.
inline std::uint32_t end_in_reach(const PoolCore& core, std::uint32_t chunk) noexcept {
  return std::clamp(core.count(), first_buffer_of(chunk), end_of(core, chunk));
}
// The chunk that says what is in this one: the first one of its block, or itself.
inline std::uint32_t head_of(const PoolCore& core, std::uint32_t chunk) noexcept {
  const layout::ChunkWord seen{core.chunk(chunk).load(std::memory_order_acquire)};
  const bool is_tail = seen.state() == layout::ChunkState::tail && seen.back() <= chunk;
  return is_tail ? chunk - seen.back() : chunk;
}
inline std::uint32_t chunks_there(const PoolCore& core) noexcept {
  return static_cast<std::uint32_t>(layout::chunks_of(core.there()));
}
// Of which this process can address some buffers; all, with size classes.
inline std::uint32_t count_chunks(const PoolCore& core) noexcept {
  return static_cast<std::uint32_t>(layout::chunks_of(core.count()));
}

// The buffers that a chunk's word tells of which says that it is split, or joining.
struct Block {
  std::uint32_t first = 0;
  std::uint32_t step = 1;   // from one to the next
  std::uint32_t count = 0;  // 0: nothing that there can be
  std::uint32_t chunks = 1;

  std::uint32_t buffer(std::uint32_t at) const noexcept { return first + at * step; }
  bool has(std::uint32_t buffer) const noexcept {
    return (buffer - first) % step == 0 && (buffer - first) / step < count;
  }
};
inline Block block_at(const PoolCore& core, std::uint32_t chunk, layout::ChunkWord seen) noexcept {
  const std::uint32_t first = first_buffer_of(chunk);
  if (!core.has_classes()) return {.first = first, .count = end_of(core, chunk) - first};
  if (seen.size_class() >= core.classes()) return {.first = first};
  const SizeClass& size_class = core.size_class(seen.size_class());
  const bool fits = size_class.chunks <= chunks_there(core) - chunk;
  return {first, size_class.pieces, fits ? size_class.buffers : 0, size_class.chunks};
}

// Calls `visit(chunk, word)` for each chunk.
template <typename Visit>
void for_each_chunk(const PoolCore& core, Visit visit) {
  const std::uint32_t chunks = chunks_there(core);
  for (std::uint32_t chunk = 0; chunk < chunks; ++chunk) {
    // pool-free: acquire.
    visit(chunk, layout::ChunkWord{core.chunk(chunk).load(std::memory_order_acquire)});
  }
}

// Whether the words of its buffers say who has them. While somebody is joining it, one may have been taken behind his look.
constexpr bool has_buffers(layout::ChunkWord seen) noexcept {
  return seen.state() == layout::ChunkState::split || seen.state() == layout::ChunkState::joining;
}
// Calls `visit(buffer)` for each buffer of a chunk that has some.
template <typename Visit>
void for_each_buffer(const PoolCore& core, std::uint32_t chunk, layout::ChunkWord seen, Visit visit) {
  if (!has_buffers(seen)) return;
  const Block block = block_at(core, chunk, seen);
  for (std::uint32_t at = 0; at < block.count; ++at) visit(block.buffer(at));
}

inline layout::ChunkWord chunk_word(const PoolCore& core, std::uint32_t chunk) noexcept {
  return {core.chunk(chunk).load(std::memory_order_acquire)};
}

// Takes this buffer of a block for `size_class` that begins with the chunk `head` for the user of slot `owner`, if it is
// free, and the block still there.
inline bool take_of_block(PoolCore& core, std::uint32_t head, std::uint32_t size_class, std::uint32_t buffer,
                          std::uint32_t owner) noexcept {
  layout::Word& word = core.word(buffer);
  layout::BufferWord seen{word.load(std::memory_order_acquire)};
  // chunk-join: in this order.
  if (seen.state() != layout::BufferState::free || !chunk_word(core, head).is_split_for(size_class)) return false;
  const layout::BufferWord own = layout::BufferWord::make(seen.incarnation(), layout::BufferState::local, owner);
  // pool-free: acquire, so that the last use by whoever had it is behind us; release, for one who is given it, and sees
  // the word alone.
  return word.compare_exchange_strong(seen.word, own.word, std::memory_order_acq_rel, std::memory_order_relaxed);
}
// The same of a single buffer, whose chunk is split.
inline bool take_buffer(PoolCore& core, std::uint32_t buffer, std::uint32_t owner) noexcept {
  return take_of_block(core, chunk_of(buffer), kSingle, buffer, owner);
}
// Its user has it no more.
void free_buffer(PoolCore& core, std::uint32_t buffer) noexcept;
// Takes a free chunk for whoever makes something of it.
bool take_whole(PoolCore& core, std::uint32_t chunk, std::uint32_t owner) noexcept;
void free_whole(PoolCore& core, std::uint32_t chunk) noexcept;
// Makes it so that single buffers, pieces that is, may be taken from the chunk. False: it is not to be had.
bool split(PoolCore& core, std::uint32_t chunk, std::uint32_t owner) noexcept;
// A buffer was freed: its chunk is worth a look; nobody found a free one there: it is not.
void note_free(PoolCore& core, std::uint32_t buffer) noexcept;
void note_none_free(PoolCore& core, std::uint32_t chunk) noexcept;

inline constexpr std::uint32_t kNoBuffer = ~std::uint32_t{0};

struct WantedRun {
  std::uint32_t count;  // adjacent buffers, at least 1
  std::uint32_t owner;  // slot of the user who gets them
  std::uint32_t start;  // the chunk from which on to look
  std::uint32_t avoid;  // a buffer that is not to be taken by itself; kNoBuffer: none
};
// The first one's number, or kNoBuffer.
std::uint32_t take_run(PoolCore& core, const WantedRun& wanted) noexcept;
// Their user has them no more.
void free_run(PoolCore& core, std::uint32_t first, std::uint32_t count) noexcept;
// The chunks of a block behind its first one, which says that it is whole, or parting: they become free. The last one
// first: what is left of it when that is cut off is what stands next to the first one.
void free_tail(PoolCore& core, std::uint32_t head) noexcept;
// Joins whatever can be joined; returns how many chunks that were. Of the caller, in the user's slot `owner`.
std::uint32_t join_all(PoolCore& core, std::uint32_t owner) noexcept;

// Recovery, behind the words of the dead one's buffers: ends what he had begun with a chunk. True if he had it whole.
bool settle_chunk(PoolCore& core, std::uint32_t chunk, std::uint32_t dead) noexcept;

}  // namespace SAPBUF_DETAIL
