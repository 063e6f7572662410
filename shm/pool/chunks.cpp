#include "pool/chunks.hpp"

#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>

namespace SAPBUF_DETAIL {
namespace {

using layout::BufferState;
using layout::BufferWord;
using layout::ChunkState;
using layout::ChunkWord;
using layout::kChunkBuffers;

constexpr auto relaxed = std::memory_order_relaxed;

bool is_free(const PoolCore& core, std::uint32_t buffer) noexcept {
  return BufferWord{core.word(buffer).load(relaxed)}.state() == BufferState::free;
}

// --- Runs ----------------------------------------------------------------------------------------------------------

// Of a chunk that `owner` has whole: its first `count` buffers are his, and the others free.
void keep_first(PoolCore& core, std::uint32_t chunk, std::uint32_t count, std::uint32_t owner) noexcept {
  for (std::uint32_t i = 0; i < count; ++i) {
    layout::Word& word = core.word(first_buffer_of(chunk) + i);
    const std::uint32_t incarnation = BufferWord{word.load(relaxed)}.incarnation();
    word.store(BufferWord::make(incarnation, BufferState::local, owner).word, relaxed);
  }
  SAPBUF_KILL_POINT(chunk_marked);
  // pool-free: release; and behind the words, for whoever takes one of the others.
  core.chunk(chunk).store(ChunkWord::make_split(kSingle, owner).word, std::memory_order_release);
  SAPBUF_KILL_POINT(chunk_split);
}

// Among [first, end), one by one.
std::uint32_t take_adjacent(PoolCore& core, std::uint32_t first, std::uint32_t end, const WantedRun& wanted) noexcept {
  std::uint32_t begin = first;
  for (std::uint32_t at = first; at < end; ++at) {
    if (at == wanted.avoid || !is_free(core, at)) begin = at + 1;
    if (at + 1 - begin < wanted.count) continue;
    std::uint32_t taken = 0;
    while (taken < wanted.count && take_buffer(core, begin + taken, wanted.owner)) ++taken;
    if (taken == wanted.count) return begin;
    for (std::uint32_t i = 0; i < taken; ++i) free_buffer(core, begin + i);
    at = begin + taken;  // somebody was faster there
    begin = at + 1;
  }
  return kNoBuffer;
}

// Those that the user split, that are worth a look; all that are; and the others: the note is a hint.
enum class Noted { own, all, none };

// In chunks that are split.
std::uint32_t take_from_split(PoolCore& core, const WantedRun& wanted, Noted which) noexcept {
  const std::uint32_t chunks = count_chunks(core);
  for (std::uint32_t chunk = 0; chunk < chunks; ++chunk) {
    const ChunkWord seen = chunk_word(core, chunk);
    if (!seen.is_split_for(kSingle) || seen.is_noted() == (which == Noted::none)) continue;
    if (which == Noted::own && seen.owner() != wanted.owner) continue;
    const std::uint32_t first = take_adjacent(core, first_buffer_of(chunk), end_in_reach(core, chunk), wanted);
    if (first != kNoBuffer) return first;
  }
  return kNoBuffer;
}

// The first `count` buffers of a chunk, for a run that goes on there.
bool is_free_for_rest(const PoolCore& core, std::uint32_t chunk, std::uint32_t count) noexcept {
  const ChunkWord seen = chunk_word(core, chunk);
  if (seen.state() == ChunkState::free) return true;
  const std::uint32_t first = first_buffer_of(chunk);
  std::uint32_t free = 0;
  while (seen.is_split_for(kSingle) && free < count && is_free(core, first + free)) ++free;
  return free == count;
}

bool take_rest(PoolCore& core, std::uint32_t chunk, std::uint32_t count, std::uint32_t owner) noexcept {
  if (take_whole(core, chunk, owner)) {
    keep_first(core, chunk, count, owner);
    return true;
  }
  return take_adjacent(core, first_buffer_of(chunk), first_buffer_of(chunk) + count,
                       {.count = count, .owner = owner, .start = 0, .avoid = kNoBuffer}) != kNoBuffer;
}

bool are_free(const PoolCore& core, std::uint32_t chunk, const WantedRun& wanted) noexcept {
  const std::uint32_t full = wanted.count / kChunkBuffers;
  const std::uint32_t rest = wanted.count % kChunkBuffers;
  for (std::uint32_t i = 0; i < full; ++i) {
    if (chunk_word(core, chunk + i).state() != ChunkState::free) return false;
  }
  const std::uint32_t end = first_buffer_of(chunk) + wanted.count;
  if (wanted.avoid < end && wanted.avoid >= end - rest) return false;
  return rest == 0 || is_free_for_rest(core, chunk + full, rest);
}

// From this chunk on: full ones, whole; and the rest of the run in the one behind them.
bool take_chunks(PoolCore& core, std::uint32_t chunk, const WantedRun& wanted) noexcept {
  const std::uint32_t full = wanted.count / kChunkBuffers;
  const std::uint32_t rest = wanted.count % kChunkBuffers;
  std::uint32_t taken = 0;
  while (taken < full && take_whole(core, chunk + taken, wanted.owner)) ++taken;
  if (taken == full && (rest == 0 || take_rest(core, chunk + full, rest, wanted.owner))) return true;
  while (taken > 0) free_whole(core, chunk + --taken);
  return false;
}

std::uint32_t take_from_chunks(PoolCore& core, const WantedRun& wanted) noexcept {
  const std::uint32_t there = core.count();
  if (wanted.count > there) return kNoBuffer;
  const std::uint32_t places = chunk_of(there - wanted.count) + 1;  // where a run of them may begin
  for (std::uint32_t looked = 0; looked < places; ++looked) {
    const std::uint32_t chunk = (wanted.start + looked) % places;
    if (are_free(core, chunk, wanted) && take_chunks(core, chunk, wanted)) return first_buffer_of(chunk);
  }
  return kNoBuffer;
}

// --- Joining -------------------------------------------------------------------------------------------------------

// With all words that it will ever have: somebody may know of a growth that this process has not seen.
Block whole_block_at(const PoolCore& core, std::uint32_t chunk, ChunkWord seen) noexcept {
  Block block = block_at(core, chunk, seen);
  if (!core.has_classes()) {
    const std::uint64_t ever = core.geometry().max_count - block.first;
    block.count = static_cast<std::uint32_t>(std::min<std::uint64_t>(kChunkBuffers, ever));
  }
  return block;
}

bool are_all_free(const PoolCore& core, const Block& block) noexcept {
  for (std::uint32_t at = 0; at < block.count; ++at) {
    if (!is_free(core, block.buffer(at))) return false;
  }
  return true;
}

bool change_all_incarnations(PoolCore& core, const Block& block) noexcept {
  for (std::uint32_t at = 0; at < block.count; ++at) {
    layout::Word& word = core.word(block.buffer(at));
    BufferWord seen{word.load(std::memory_order_acquire)};
    // chunk-join: release; pool-free: acquire.
    if (seen.state() != BufferState::free ||
        !word.compare_exchange_strong(seen.word, seen.freed().word, std::memory_order_acq_rel, relaxed)) {
      return false;
    }
  }
  return true;
}

bool join(PoolCore& core, std::uint32_t chunk, std::uint32_t owner) noexcept {
  ChunkWord seen = chunk_word(core, chunk);
  if (seen.state() != ChunkState::split) return false;
  const Block block = whole_block_at(core, chunk, seen);
  if (block.count == 0 || !are_all_free(core, block)) return false;
  SAPBUF_KILL_POINT(chunk_seen_free);
  layout::Word& word = core.chunk(chunk);
  const ChunkWord joining = seen.changed_to(ChunkState::joining, owner);
  while (!word.compare_exchange_weak(seen.word, joining.word, std::memory_order_acq_rel, relaxed)) {
    if (!seen.is_split_for(joining.size_class())) return false;  // else only its note is another one
  }
  SAPBUF_KILL_POINT(chunk_joining);
  const bool joined = change_all_incarnations(core, block);
  if (joined && block.chunks > 1) {
    // block: release, before its tail is free.
    word.store(joining.changed_to(ChunkState::parting, owner).word, std::memory_order_release);
    SAPBUF_KILL_POINT(chunk_parting);
    free_tail(core, chunk);
  }
  const ChunkWord ended =
      joined ? ChunkWord::make(ChunkState::free) : ChunkWord::make_split(joining.size_class(), owner);
  word.store(ended.word, std::memory_order_release);
  SAPBUF_KILL_POINT(chunk_joined);
  return joined;
}

}  // namespace

bool take_whole(PoolCore& core, std::uint32_t chunk, std::uint32_t owner) noexcept {
  std::uint64_t free = ChunkWord::make(ChunkState::free).word;
  // pool-free: acquire.
  const bool taken = core.chunk(chunk).compare_exchange_strong(free, ChunkWord::make(ChunkState::whole, owner).word,
                                                               std::memory_order_acquire, relaxed);
  if (taken) SAPBUF_KILL_POINT(chunk_taken);
  return taken;
}

void free_whole(PoolCore& core, std::uint32_t chunk) noexcept {
  // pool-free: release, behind the last use.
  core.chunk(chunk).store(ChunkWord::make(ChunkState::free).word, std::memory_order_release);
  SAPBUF_KILL_POINT(chunk_freed);
}

void free_buffer(PoolCore& core, std::uint32_t buffer) noexcept {
  layout::Word& word = core.word(buffer);
  // pool-free: release, behind the last use. Whoever uses a buffer is the only one who changes its word.
  word.store(BufferWord{word.load(relaxed)}.freed().word, std::memory_order_release);
  SAPBUF_KILL_POINT(pool_freed);
  note_free(core, buffer);
}

bool split(PoolCore& core, std::uint32_t chunk, std::uint32_t owner) noexcept {
  ChunkWord seen = chunk_word(core, chunk);
  const ChunkWord own = ChunkWord::make_split(kSingle, owner);
  if (seen.state() == ChunkState::free &&
      core.chunk(chunk).compare_exchange_strong(seen.word, own.word, std::memory_order_acq_rel)) {
    SAPBUF_KILL_POINT(chunk_split);
    return true;
  }
  return seen.is_split_for(kSingle);
}

void note_free(PoolCore& core, std::uint32_t buffer) noexcept {
  layout::Word& word = core.chunk(head_of(core, chunk_of(buffer)));
  ChunkWord seen{word.load(relaxed)};
  while (seen.state() == ChunkState::split && !seen.is_noted() &&
         !word.compare_exchange_weak(seen.word, seen.with_note(true).word, relaxed)) {
  }
}

void note_none_free(PoolCore& core, std::uint32_t chunk) noexcept {
  layout::Word& word = core.chunk(chunk);
  ChunkWord seen{word.load(relaxed)};
  if (seen.state() != ChunkState::split || !seen.is_noted()) return;
  word.compare_exchange_strong(seen.word, seen.with_note(false).word, relaxed);
}

std::uint32_t take_run(PoolCore& core, const WantedRun& wanted) noexcept {
  const bool is_small = wanted.count < kChunkBuffers;
  std::uint32_t first = kNoBuffer;
  if (is_small) first = take_from_split(core, wanted, Noted::own);
  if (first == kNoBuffer) first = take_from_chunks(core, wanted);
  if (first == kNoBuffer && is_small) first = take_from_split(core, wanted, Noted::all);
  if (first == kNoBuffer && is_small) first = take_from_split(core, wanted, Noted::none);
  return first;
}

void free_run(PoolCore& core, std::uint32_t first, std::uint32_t count) noexcept {
  const std::uint32_t end = first + count;
  std::uint32_t at = first;
  for (; end - at >= kChunkBuffers; at += kChunkBuffers) free_whole(core, chunk_of(at));
  for (; at < end; ++at) free_buffer(core, at);
}

void free_tail(PoolCore& core, std::uint32_t head) noexcept {
  const std::uint32_t chunks = chunks_there(core);
  std::uint32_t end = head + 1;
  while (end < chunks && chunk_word(core, end).word == ChunkWord::make_tail(end - head).word) ++end;
  while (end > head + 1) free_whole(core, --end);
}

std::uint32_t join_all(PoolCore& core, std::uint32_t owner) noexcept {
  std::uint32_t joined = 0;
  for_each_chunk(core, [&](std::uint32_t chunk, ChunkWord) { joined += join(core, chunk, owner); });
  return joined;
}

bool settle_chunk(PoolCore& core, std::uint32_t chunk, std::uint32_t dead) noexcept {
  layout::Word& word = core.chunk(chunk);
  const ChunkWord seen{word.load(std::memory_order_acquire)};
  if (seen.owner() != dead) return false;
  const auto end_as = [&](ChunkWord settled) {
    // pool-free: release; the dead one's last use is behind the proof of the death.
    word.store(settled.word, std::memory_order_release);
    SAPBUF_KILL_POINT(chunk_settled);
  };
  switch (seen.state()) {
    case ChunkState::whole:
      free_tail(core, chunk);
      end_as(ChunkWord::make(ChunkState::free));
      return true;
    case ChunkState::joining:
      end_as(ChunkWord::make_split(seen.size_class(), dead));
      return false;
    case ChunkState::parting:
      free_tail(core, chunk);
      end_as(ChunkWord::make(ChunkState::free));
      return false;
    case ChunkState::changing:
      end_as(ChunkWord::make(ChunkState::unbacked));
      return false;
    default:
      return false;
  }
}

}  // namespace SAPBUF_DETAIL
