// One change to a word of shared memory, as the input spells it:
//
//   byte 0       bits 0..2  where: cursor, control, registry, slots, descriptors, extents, frames, anywhere
//                bits 3..5  what: set, flip a bit, all ones, zero, copy another word, add, a shape (see edit.cpp)
//   byte 1, 2    which word there
//   then         what the operation needs
#pragma once

#include "fuzz/input.hpp"
#include "stream/stream_core.hpp"

namespace sapbuf::fuzz {

// Takes one edit from the input and makes it in the segment, whose bytes begin at `base`.
void edit_word(std::byte* base, const layout::StreamGeometry& geometry, Input& input);

}  // namespace sapbuf::fuzz
