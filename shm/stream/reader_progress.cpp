#include "stream/reader_progress.hpp"

#include <algorithm>

#include "platform/speculative_reads.hpp"
#include "stream/extents.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::Extent;
using layout::FrameHeader;
using layout::FrameKind;
using layout::SlabLife;

constexpr auto relaxed = std::memory_order_relaxed;

// A reader moves on once for each slab: who meets it in that moment twice in a row is very slow.
constexpr int kLooksAtProgress = 8;

Passed count_messages(StreamCore& core, SlabGeneration where, std::uint64_t claimed) {
  const platform::SpeculativeReads speculative;
  const std::byte* const slab = core.slab_for_reading(where.slab);
  if (core.in_total_order()) return count_messages(slab, claimed, Unwritten::is_hole);
  const std::uint64_t granule_bytes = core.geometry().granule_bytes;
  Passed found;
  for_each_extent(core, where, claimed, [&](std::uint64_t index, Extent extent, std::uint64_t granules) {
    if (!extent.begins()) return;
    found += count_messages(slab + index * granule_bytes, granules * granule_bytes, Unwritten::is_end);
  });
  return found;
}

}  // namespace

Passed count_messages(const std::byte* begin, std::uint64_t size, Unwritten unwritten) noexcept {
  Passed found;
  for_each_frame(begin, size, unwritten, [&](std::uint64_t, FrameHeader header, std::uint64_t span) {
    if (header.kind() == FrameKind::message && header.span() <= span) {
      found += {.messages = 1, .bytes = header.payload_bytes()};
    }
    return true;
  });
  return found;
}

void store_front(layout::StreamSlot& slot, std::uint64_t front, const Passed& passed) noexcept {
  slot.front.store(0, relaxed);
  // front: who sees one of the two words as it is written here sees that `front` does not count.
  std::atomic_thread_fence(std::memory_order_release);
  const std::uint64_t messages = slot.delivered.load(relaxed) + slot.skipped.load(relaxed);
  slot.messages_before_front.store(messages - passed.messages, relaxed);
  slot.bytes_before_front.store(slot.read_bytes.load(relaxed) - passed.bytes, relaxed);
  slot.front.store(front, std::memory_order_release);
}

std::optional<ReaderProgress> load_progress(const layout::StreamSlot& slot) noexcept {
  for (int look = 0; look < kLooksAtProgress; ++look) {
    const std::uint64_t front = slot.front.load(std::memory_order_acquire);
    if (front == 0) continue;
    const std::uint64_t messages = slot.delivered.load(relaxed) + slot.skipped.load(relaxed);
    const Passed passed{.messages = messages - slot.messages_before_front.load(relaxed),
                        .bytes = slot.read_bytes.load(relaxed) - slot.bytes_before_front.load(relaxed)};
    // front: the fence keeps the last look behind the others.
    std::atomic_thread_fence(std::memory_order_acquire);
    if (slot.front.load(relaxed) == front) return ReaderProgress{front, passed};
  }
  return std::nullopt;
}

std::vector<GenerationContent> count_standing(StreamCore& core, std::uint64_t front) {
  const ActiveSlab active = load_active(core);
  std::vector<GenerationContent> standing;
  for_each_readable(core, [&](SlabGeneration where) {
    if (where.generation < front) return;
    const Passed messages = count_messages(core, where, claimed_bytes(core, active, where));
    // life: the fence keeps this look behind those at the frames.
    std::atomic_thread_fence(std::memory_order_acquire);
    const SlabLife life{core.descriptor(where.slab).life.load(relaxed)};
    if (life.generation() == where.generation && life.readable()) standing.push_back({where.generation, messages});
  });
  return standing;
}

Passed count_left(const std::vector<GenerationContent>& standing, const ReaderProgress& progress) noexcept {
  Passed left;
  bool has_front = false;
  for (const GenerationContent& content : standing) {
    if (content.generation < progress.front) continue;
    has_front = has_front || content.generation == progress.front;
    left += content.messages;
  }
  if (!has_front) return left;
  return {.messages = left.messages - std::min(left.messages, progress.passed.messages),
          .bytes = left.bytes - std::min(left.bytes, progress.passed.bytes)};
}

}  // namespace SAPBUF_DETAIL
