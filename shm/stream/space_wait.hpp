// Looking for room before a claim, and what a writer does where there is none: flip, wait, drop.
#pragma once

#include "stream/writer_state.hpp"

namespace SAPBUF_DETAIL {

// Makes sure that the cursor shows room for `least` bytes, in a slab with room for attached buffers: looks, flips where there is none, and waits as the stream's
// policy says and for the writer's timeout. `bytes`, what is wanted, becomes what there is of it: `least` at the least.
Status look_for_room(WriterState& writer, std::uint64_t least, std::uint64_t& bytes) noexcept;

// A descriptor of the writer's, that is readable once a message of `span` bytes may have room.
int event_fd(WriterState& writer);
// Behind an attempt that found no room, where the writer has one.
void arm_event_fd(WriterState& writer, std::uint64_t span) noexcept;

}  // namespace SAPBUF_DETAIL
