// Looking for room before a claim, and what a writer does where there is none: flip, wait, drop.
#pragma once

#include "stream/writer_state.hpp"

namespace sapbuf::detail {

// Makes sure that the cursor shows room for `least` bytes, in a slab with room for attached buffers: looks, flips where there is none, and waits as the stream's
// policy says and for the writer's timeout. `bytes`, what is wanted, becomes what there is of it: `least` at the least.
Status look_for_room(WriterState& writer, std::uint64_t least, std::uint64_t& bytes) noexcept;

}  // namespace sapbuf::detail
