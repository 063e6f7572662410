#include "pool/blocks.hpp"

#include <sapbuf/detail/kill_point.hpp>

namespace SAPBUF_DETAIL {
namespace {

using layout::ChunkState;
using layout::ChunkWord;

bool take_all_whole(PoolCore& core, std::uint32_t head, std::uint32_t chunks, std::uint32_t owner) noexcept {
  std::uint32_t taken = 0;
  while (taken < chunks && take_whole(core, head + taken, owner)) ++taken;
  if (taken == chunks) return true;
  while (taken > 0) free_whole(core, head + --taken);
  return false;
}

bool form_here(PoolCore& core, std::uint32_t size_class, std::uint32_t head, std::uint32_t owner) noexcept {
  const std::uint32_t chunks = core.size_class(size_class).chunks;
  const ChunkWord split = ChunkWord::make_split(size_class, owner);
  if (chunks == 1) {
    std::uint64_t free = ChunkWord::make(ChunkState::free).word;
    // pool-free: acquire; release, for whoever takes its buffers.
    const bool formed = core.chunk(head).compare_exchange_strong(free, split.word, std::memory_order_acq_rel);
    if (formed) SAPBUF_KILL_POINT(chunk_split);
    return formed;
  }
  if (!take_all_whole(core, head, chunks, owner)) return false;
  for (std::uint32_t back = 1; back < chunks; ++back) {
    // block: release, before the first one says split.
    core.chunk(head + back).store(ChunkWord::make_tail(back).word, std::memory_order_release);
    SAPBUF_KILL_POINT(chunk_tailed);
  }
  // block: release, behind its tail, for whoever parts it;  pool-free: for whoever takes its buffers.
  core.chunk(head).store(split.word, std::memory_order_release);
  SAPBUF_KILL_POINT(block_formed);
  return true;
}

bool are_free(const PoolCore& core, std::uint32_t head, std::uint32_t chunks) noexcept {
  for (std::uint32_t i = 0; i < chunks; ++i) {
    if (chunk_word(core, head + i).state() != ChunkState::free) return false;
  }
  return true;
}

std::uint32_t form_in_line(PoolCore& core, std::uint32_t size_class, std::uint32_t start,
                           std::uint32_t owner) noexcept {
  const std::uint32_t chunks = core.size_class(size_class).chunks;
  const std::uint32_t places = count_chunks(core) / chunks;
  for (std::uint32_t looked = 0; looked < places; ++looked) {
    const std::uint32_t head = (start / chunks + looked) % places * chunks;
    if (are_free(core, head, chunks) && form_here(core, size_class, head, owner)) return head;
  }
  return kNoChunk;
}

std::uint32_t form_anywhere(PoolCore& core, std::uint32_t size_class, std::uint32_t owner) noexcept {
  const std::uint32_t chunks = core.size_class(size_class).chunks;
  const std::uint32_t there = count_chunks(core);
  std::uint32_t free = 0;  // next to each other, up to this one
  for (std::uint32_t chunk = 0; chunk < there; ++chunk) {
    free = chunk_word(core, chunk).state() == ChunkState::free ? free + 1 : 0;
    if (free < chunks) continue;
    const std::uint32_t head = chunk + 1 - chunks;
    if (form_here(core, size_class, head, owner)) return head;
    free = 0;  // somebody was faster there
  }
  return kNoChunk;
}

}  // namespace

std::uint32_t form_block(PoolCore& core, std::uint32_t size_class, std::uint32_t start, std::uint32_t owner,
                         Place place) noexcept {
  return place == Place::in_line ? form_in_line(core, size_class, start, owner)
                                 : form_anywhere(core, size_class, owner);
}

}  // namespace SAPBUF_DETAIL
