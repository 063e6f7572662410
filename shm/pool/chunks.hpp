// Chunks: 64 buffers at a time. See layout/pool_chunk.hpp for their words.
//
// A run of buffers takes free chunks whole, one compare-exchange each; whoever needs single buffers splits one, and takes
// words of its own chunks before he splits another. Who finds too few free chunks joins those whose buffers are all free:
//
//   who joins                                            who takes one buffer
//   1. all words say free; chunk: split -> joining       the buffer's word says free
//   2. each word: free -> free of the next incarnation   the chunk's word says split
//   3. chunk = free; or split, if one was not free       compare-exchange of the buffer's word as it was seen
//
// If the right side's last step succeeds, step 2 finds that buffer taken; if step 2 came first, the right side fails.
//
//   killed holding chunks     recovery: words that say local of the dead are freed; then his chunks
//   killed between 1 and 3    recovery: split
#pragma once

#include "pool/pool_core.hpp"

namespace sapbuf::detail {

constexpr std::uint32_t chunk_of(std::uint32_t buffer) noexcept { return buffer / layout::kChunkBuffers; }
constexpr std::uint32_t first_buffer_of(std::uint32_t chunk) noexcept { return chunk * layout::kChunkBuffers; }
inline std::uint32_t end_of(const PoolCore& core, std::uint32_t chunk) noexcept {
  return std::min(first_buffer_of(chunk) + layout::kChunkBuffers, core.count());
}
inline std::uint32_t count_chunks(const PoolCore& core) noexcept {
  return static_cast<std::uint32_t>(layout::chunks_of(core.count()));
}

// Calls `visit(chunk, word)` for each chunk.
template <typename Visit>
void for_each_chunk(const PoolCore& core, Visit visit) {
  const std::uint32_t chunks = count_chunks(core);
  for (std::uint32_t chunk = 0; chunk < chunks; ++chunk) {
    // pool-free: acquire.
    visit(chunk, layout::ChunkWord{core.chunk(chunk).load(std::memory_order_acquire)});
  }
}

// Takes this buffer alone for the user of slot `owner`, if it is free, and its chunk is split.
bool take_buffer(PoolCore& core, std::uint32_t buffer, std::uint32_t owner) noexcept;
// Its user has it no more.
void free_buffer(PoolCore& core, std::uint32_t buffer) noexcept;
// Makes it so that single buffers may be taken from the chunk. False: it is not to be had.
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
// Joins whatever can be joined; returns how many chunks that were. Of the caller, in the user's slot `owner`.
std::uint32_t join_all(PoolCore& core, std::uint32_t owner) noexcept;

// Recovery, behind the words of the dead one's buffers: ends what he had begun with a chunk. True if he had it whole.
bool settle_chunk(PoolCore& core, std::uint32_t chunk, std::uint32_t dead) noexcept;

}  // namespace sapbuf::detail
