// Claiming space from the cursor: announce, add, leave a trace.
//
//   claim = claiming      killed here: nothing was taken, or a hole; repair looks for it
//   fetch_add             killed here: a hole
//   first header store    killed here: the trace says whose it is
//   claim = located
#pragma once

#include <optional>

#include "stream/writer_state.hpp"

namespace SAPBUF_DETAIL {

// Per-writer order: opens an extent with room for a frame of `span` bytes. The writer is busy, and its claim is none.
Status claim_extent(WriterState& writer, std::uint64_t span) noexcept;

// Total order: makes the writer busy, claims one frame of `span` bytes and leaves a busy header. Returns the header's
// address, or null and a status.
std::byte* claim_frame(WriterState& writer, std::uint64_t span, Status& status) noexcept;

}  // namespace SAPBUF_DETAIL
