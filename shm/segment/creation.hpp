// Making and opening segments.
//
// A creator holds the creation lock (an OFD lock) while it initialises:
//
//   open or make the object -> lock -> empty it, allocate all of it -> write header and first slab -> init_state =
//   ready -> unlock
//
//   killed anywhere before `ready`   the lock is free and the header is not ready: whoever creates next starts over in
//   the same object;
//                                    whoever only opens finds no segment
//   stopped                          others wait for some seconds, and then say so
//
// A removed object (no name any more) is left alone: creators begin again with a new one.
#pragma once

#include "segment/segment_core.hpp"

namespace sapbuf::detail {

enum class IfExists { fail, open };

std::shared_ptr<SegmentCore> create_named(std::string_view name, const SegmentOptions& options, IfExists if_exists);
std::shared_ptr<SegmentCore> open_named(std::string_view name, platform::FileAccess access);

std::shared_ptr<SegmentCore> create_in_memory(Memory memory, const SegmentOptions& options);
std::shared_ptr<SegmentCore> open_in_memory(Memory memory);

// Throws Error (invalid_argument) for options that cannot work.
layout::Geometry geometry_of(const SegmentOptions& options);
SegmentOptions options_of(const layout::Geometry& geometry);

}  // namespace sapbuf::detail
