// Making and opening segments.
//
// A named segment is whole before it has its name, so nobody ever sees half of one, and creation needs no lock:
//
//   a file without a name -> allocate all of it -> write header and first slab -> map it -> give it the name
//
//   killed anywhere before the last step   the kernel takes the file away: nothing was there
//   killed after it                        the segment is there
//   several at once                        one of them gets the name; the others are told, or open what has it
//
// What has the name already is opened or left alone, whatever it is. Nothing there is ever truncated, taken over or
// removed, so nothing that stands in a file can make a creator destroy it.
//
// Memory that the caller supplies is written in place, and is a segment from the last store on (`init_state`). Killed
// before, it leaves memory that holds no segment. It is left alone while its liveness locks say that somebody is
// attached.
#pragma once

#include "segment/segment_core.hpp"

namespace sapbuf::detail {

enum class IfExists { fail, open };

struct Obtained {
  std::shared_ptr<SegmentCore> core;
  bool created = false;  // by this very call
  unsigned mode = 0;     // permissions of the object
};

Obtained create_named(std::string_view name, const SegmentOptions& options, IfExists if_exists);
Obtained open_named(std::string_view name, platform::FileAccess access);

std::shared_ptr<SegmentCore> create_in_memory(Memory memory, const SegmentOptions& options);
std::shared_ptr<SegmentCore> open_in_memory(Memory memory);

// Throws Error (invalid_argument) for options that cannot work.
layout::Geometry geometry_of(const SegmentOptions& options);
SegmentOptions options_of(const layout::Geometry& geometry);
// "slabs 2, not 8"; empty if a segment made with `asked` would be the same as the one that is there.
std::vector<std::string> differences(const SegmentOptions& there, const SegmentOptions& asked);

}  // namespace sapbuf::detail
