#include "support/pool_invariants.hpp"

#include <algorithm>
#include <set>

#include <sapbuf/recovery.hpp>

#include "pool/chunks.hpp"
#include "support/slab_content.hpp"

namespace sapbuf::test {
namespace {

using detail::PoolCore;
using layout::BufferState;
using layout::BufferWord;
using layout::ChunkState;
using layout::ChunkWord;
using layout::MagazineState;
using layout::Request;
using layout::Root;
using layout::SlotRole;

class Inspection {
 public:
  Inspection(const Pool& pool, Motion motion)
      : segment_(pool.segment()), core_(*pool.core()), still_(motion == Motion::none) {}

  void run() const {
    look_at_control();
    for (std::uint32_t buffer = 0; buffer < core_.count(); ++buffer) look_at_word(buffer);
    for (std::uint32_t chunk = 0; chunk < layout::chunks_of(core_.count()); ++chunk) look_at_chunk(chunk);
    for (std::uint32_t slot = 0; slot < core_.geometry().participants; ++slot) look_at_slot(slot);
  }

 private:
  BufferWord word_of(std::uint32_t buffer) const { return {core_.word(buffer).load()}; }

  void look_at_control() const {
    const std::uint64_t count = core_.control().count.load();
    const layout::PoolGeometry& g = core_.geometry();
    if (count < g.count || count > g.max_count) broken("the pool has ", count, " buffers");
    if (count > g.buffers_in(core_.bytes())) broken("there is no room for ", count, " buffers");
    for (std::uint64_t buffer = count; buffer < g.max_count; ++buffer) {
      if (word_of(static_cast<std::uint32_t>(buffer)).word != 0) broken("buffer ", buffer, " is not there, and used");
    }
    if (!still_) return;
    if (core_.segment().locks().is_locked(core_.maintenance_lock())) broken("the pool's lock is held");
    if (!find_dead(segment_).dead.empty()) broken("the dead were not settled");
  }

  void look_at_word(std::uint32_t buffer) const {
    const BufferWord word = word_of(buffer);
    if (word.state() > BufferState::dying) broken("buffer ", buffer, " has state ", static_cast<int>(word.state()));
    if (word.state() == BufferState::dying) {  // in somebody's name, who may be gone
      const bool is_named = word.owner() == BufferWord::kScan || word.owner() < core_.geometry().participants;
      if (!is_named) broken("buffer ", buffer, " is dying, and slot ", word.owner(), "'s");
      return;
    }
    if (word.state() != BufferState::local) {
      if (word.owner() != 0) broken("buffer ", buffer, " is nobody's own, and slot ", word.owner(), "'s");
      return;
    }
    if (word.owner() >= core_.geometry().participants) broken("buffer ", buffer, " is slot ", word.owner(), "'s");
    // A slot of the dead is freed behind all of its buffers.
    if (!core_.registration_of(word.owner()).in_use()) {
      broken("buffer ", buffer, " is slot ", word.owner(), "'s, which is free");
    }
  }

  void look_at_chunk(std::uint32_t chunk) const {
    const ChunkWord seen{core_.chunk(chunk).load()};
    if (seen.state() > ChunkState::parting) broken("chunk ", chunk, " has state ", static_cast<int>(seen.state()));
    const bool is_somebodys = is_owned(seen);
    if (is_somebodys && !core_.registration_of(seen.owner()).in_use()) {
      broken("chunk ", chunk, " is slot ", seen.owner(), "'s, which is free");
    }
    if (seen.state() == ChunkState::tail) look_at_tail(chunk, seen);
    if (seen.state() == ChunkState::split) look_at_block(chunk, seen);
    const ChunkWord head = head_word_of(chunk);
    if (!still_ && is_owned(head)) return;
    const std::uint32_t end = std::min((chunk + 1) * layout::kChunkBuffers, core_.count());
    for (std::uint32_t buffer = chunk * layout::kChunkBuffers; buffer < end; ++buffer) {
      if (!counts(buffer, head) && word_of(buffer).state() != BufferState::free) {
        broken("buffer ", buffer, " is used, and there is none in chunk ", chunk);
      }
    }
  }

  static bool is_owned(ChunkWord seen) {
    return seen.state() > ChunkState::unbacked && seen.state() != ChunkState::tail;
  }

  ChunkWord head_word_of(std::uint32_t chunk) const { return {core_.chunk(detail::head_of(core_, chunk)).load()}; }

  // Whether the word is one that says who has a buffer.
  bool counts(std::uint32_t buffer, ChunkWord head) const {
    if (head.state() != ChunkState::split) return false;
    return detail::block_at(core_, detail::head_of(core_, detail::chunk_of(buffer)), head).has(buffer);
  }

  void look_at_tail(std::uint32_t chunk, ChunkWord seen) const {
    if (seen.back() == 0 || seen.back() > chunk) broken("chunk ", chunk, " is the tail of nothing");
    const ChunkWord head = head_word_of(chunk);
    if (still_ && head.state() != ChunkState::split) broken("chunk ", chunk, " is a tail without its block");
    if (head.state() == ChunkState::split && detail::block_at(core_, chunk - seen.back(), head).chunks <= seen.back()) {
      broken("chunk ", chunk, " is the tail of a block that ends before it");
    }
  }

  void look_at_block(std::uint32_t chunk, ChunkWord seen) const {
    const detail::Block block = detail::block_at(core_, chunk, seen);
    if (block.count == 0) broken("chunk ", chunk, " is split for class ", seen.size_class(), ", which there is not");
    for (std::uint32_t back = 1; back < block.chunks; ++back) {
      if (core_.chunk(chunk + back).load() != ChunkWord::make_tail(back).word) {
        broken("chunk ", chunk + back, " is not the tail of the block before it");
      }
    }
  }

  void look_at_slot(std::uint32_t index) const {
    const layout::PoolSlot& slot = core_.slot(index);
    const layout::SlotRegistration registration = core_.registration_of(index);
    if (!registration.in_use()) {
      if (!still_) return;
      for (std::uint32_t number = 0; number < core_.magazines(); ++number) {
        if (core_.magazine(index, number).state.load() != 0)
          broken("slot ", index, " is free, and has buffers at hand");
      }
      if (slot.request.load() != 0) broken("slot ", index, " is free, and waits");
      for (const layout::Word& root : slot.roots) {
        if (root.load() != 0) broken("slot ", index, " is free, and has a root");
      }
      return;
    }
    if (registration.role() != SlotRole::user) broken("slot ", index, " is no user's");
    std::set<std::uint32_t> seen;
    for (std::uint32_t number = 0; number < core_.magazines(); ++number) {
      look_at_magazine(index, core_.magazine(index, number), seen);
    }
    const Request request{slot.request.load()};
    if (request.is_given() && request.index() >= core_.count()) broken("slot ", index, " was given what is not there");
    if (still_) look_at_roots(index, slot);
  }

  void look_at_magazine(std::uint32_t index, const detail::Magazine& magazine, std::set<std::uint32_t>& seen) const {
    const std::uint32_t depth = MagazineState{magazine.state.load()}.depth();
    if (depth > magazine.size) broken("slot ", index, " has ", depth, " buffers at hand");
    for (std::uint32_t i = 0; i < depth; ++i) {
      const std::uint32_t buffer = magazine.buffers[i].load();
      if (buffer >= core_.count()) broken("slot ", index, " has buffer ", buffer, " at hand, which is not there");
      const bool is_own = word_of(buffer).is_local_of(index);
      if (is_own && !seen.insert(buffer).second) broken("slot ", index, " has buffer ", buffer, " at hand twice");
    }
  }

  // Behind `dying` there may be a scan that was killed: the next one decides.
  void look_at_roots(std::uint32_t index, const layout::PoolSlot& slot) const {
    for (const layout::Word& word : slot.roots) {
      const Root root{word.load()};
      if (root.is_none()) continue;
      if (root.index() >= core_.count()) broken("slot ", index, " has a root of a buffer that is not there");
      const BufferWord seen = word_of(root.index());
      if (!seen.is_shared() || seen.incarnation() != root.incarnation()) {
        broken("slot ", index, " has a root, and buffer ", root.index(), " is not kept by it");
      }
    }
  }

  const Segment& segment_;
  PoolCore& core_;
  const bool still_;
};

}  // namespace

std::string broken_pool_invariant(const Pool& pool, Motion motion) {
  try {
    Inspection{pool, motion}.run();
  } catch (const Broken& found) {
    return found.what();
  }
  return {};
}

}  // namespace sapbuf::test
