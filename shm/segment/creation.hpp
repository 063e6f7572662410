// Making and opening segments.
//
// A named segment is whole before it has its name, so nobody ever sees half of one, and creation needs no lock:
//
//   a file without a name -> allocate all of it -> write header, directory, regions -> map it -> give it the name
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

#include <span>

#include "segment/directory.hpp"
#include "segment/segment_core.hpp"

namespace SAPBUF_DETAIL {

enum class IfExists { fail, open };

struct Obtained {
  std::shared_ptr<SegmentCore> core;
  bool created = false;  // by this very call
  unsigned mode = 0;     // permissions of the object
};

// With facilities as planned.
Obtained create_named(std::string_view name, const SegmentOptions& options, std::span<const FacilityPlan> plans,
                      IfExists if_exists);
Obtained open_named(std::string_view name, platform::FileAccess access);

std::shared_ptr<SegmentCore> create_in_memory(Memory memory, const SegmentOptions& options,
                                              std::span<const FacilityPlan> plans);
std::shared_ptr<SegmentCore> open_in_memory(Memory memory);

// Of what concerns all of the segment. Throws Error (invalid_argument) for options that cannot work.
layout::SegmentGeometry geometry_of(const SegmentOptions& options);

}  // namespace SAPBUF_DETAIL
