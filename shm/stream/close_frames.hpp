// Closing in total order: waiting for the frames that writers have open. Under the stream's lock; see close.hpp.
#pragma once

#include "stream/slabs.hpp"

namespace SAPBUF_DETAIL {

// Whether no writer has a claim or a frame open in a generation that the cursor has left.
bool no_frame_is_open(StreamCore& core, SlabGeneration where);

// Walks through a closed generation.
std::uint64_t count_in_frames(StreamCore& core, SlabGeneration where, std::uint64_t claimed);

}  // namespace SAPBUF_DETAIL
