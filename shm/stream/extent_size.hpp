// How much a writer claims at once, in per-writer order. A fresh writer begins with one granule, so that many who write
// one message each do not use up a slab; each claim is twice as large as the one before, up to the stream's extents. A
// writer whose messages leave much of its extents empty goes on to larger ones; and one that claims alone, to those
// that its messages fill best.
#pragma once

#include "stream/writer_state.hpp"

namespace SAPBUF_DETAIL {

// What a frame of `span` bytes takes at the least: a multiple of the granule.
inline std::uint64_t least_extent_for(const layout::StreamGeometry& geometry, std::uint64_t span) noexcept {
  return layout::round_up(geometry.extent_overhead() + span, geometry.granule_bytes);
}

// Bytes for the next claim of a writer that has a frame of `span` bytes to place: what it aims at, or so much that
// frames of this size leave little over. A multiple of the granule, with room for the frame.
std::uint64_t wanted_bytes(const WriterState& writer, std::uint64_t span) noexcept;

// After a claim; and after an extent of `bytes` was closed with `left_over` bytes empty.
void aim_higher_after_claim(WriterState& writer) noexcept;
void aim_higher_after_waste(WriterState& writer, std::uint64_t bytes, std::uint64_t left_over) noexcept;

}  // namespace SAPBUF_DETAIL
