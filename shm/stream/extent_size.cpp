#include "stream/extent_size.hpp"

#include <algorithm>

namespace SAPBUF_DETAIL {
namespace {

constexpr std::uint64_t kLittle = 32;            // part of an extent that may stay empty: 3 %
constexpr std::uint64_t kFramesWorthAClaim = 4;  // large ones
constexpr std::uint64_t kExtentsAtMost = 4;      // that a writer aims at; and
constexpr std::uint64_t kPartOfSlabAtMost = 16;  // no more than this part of a slab: others write, too
constexpr std::uint64_t kPartOfLone = 4;         // but of a slab that nobody else claims from
constexpr std::uint64_t kNothing = 512;          // part of an extent that is not worth a larger one

std::uint64_t highest_aim(const layout::StreamGeometry& geometry) noexcept {
  const std::uint64_t part = geometry.slab_bytes / kPartOfSlabAtMost / geometry.granule_bytes * geometry.granule_bytes;
  return std::max(geometry.extent_bytes, std::min(kExtentsAtMost * geometry.extent_bytes, part));
}

// Whether the last claim from the cursor was this writer's own. It may be wrong by the next moment: a hint.
bool claimed_last(const WriterState& writer) noexcept {
  if (writer.extent_end == nullptr) return false;
  const layout::Cursor cursor{writer.cursor.load(std::memory_order_relaxed)};
  const std::uint64_t claimed_to = cursor.slab() * writer.core->geometry().slab_bytes + cursor.offset_bytes();
  return cursor.is_in(writer.generation) && claimed_to == static_cast<std::uint64_t>(writer.extent_end - writer.slabs);
}

// How many frames of one span, at least `frames`, an extent has room for that leaves the least over for each of them.
std::uint64_t best_fit(const layout::StreamGeometry& geometry, std::uint64_t frames, std::uint64_t span) noexcept {
  const std::uint64_t most = geometry.slab_bytes / kPartOfLone;
  const auto left_over = [&](std::uint64_t count) {
    return layout::round_up(geometry.extent_overhead() + count * span, geometry.granule_bytes) - count * span;
  };
  std::uint64_t best = frames;
  for (; left_over(best) > best * span / kNothing && geometry.extent_overhead() + (frames + 1) * span <= most;
       ++frames) {
    if (left_over(frames + 1) * best < left_over(best) * (frames + 1)) best = frames + 1;
  }
  return best;
}

}  // namespace

std::uint64_t wanted_bytes(const WriterState& writer, std::uint64_t span) noexcept {
  const layout::StreamGeometry& geometry = writer.core->geometry();
  const std::uint64_t aim = writer.claim_bytes;
  const std::uint64_t room = aim - geometry.extent_overhead();
  const bool grown = aim >= geometry.extent_bytes;
  if (span <= room && (!grown || room % span <= aim / kLittle)) return aim;
  const std::uint64_t worthwhile = grown ? std::min(kFramesWorthAClaim, highest_aim(geometry) / span) : 1;
  std::uint64_t frames = std::max((room + span - 1) / span, worthwhile);
  if (grown && claimed_last(writer)) frames = best_fit(geometry, frames, span);
  return layout::round_up(geometry.extent_overhead() + frames * span, geometry.granule_bytes);
}

void aim_higher_after_claim(WriterState& writer) noexcept {
  const std::uint64_t extent_bytes = writer.core->geometry().extent_bytes;
  if (writer.claim_bytes < extent_bytes) writer.claim_bytes = std::min(2 * writer.claim_bytes, extent_bytes);
}

void aim_higher_after_waste(WriterState& writer, std::uint64_t bytes, std::uint64_t left_over) noexcept {
  const layout::StreamGeometry& geometry = writer.core->geometry();
  // What is less than a granule is rounding; a larger extent would be rounded, too.
  if (left_over < geometry.granule_bytes || left_over <= bytes / kLittle) return;
  if (writer.claim_bytes < geometry.extent_bytes) return;
  writer.claim_bytes = std::min(2 * writer.claim_bytes, highest_aim(geometry));
}

}  // namespace SAPBUF_DETAIL
