// A segment's stream `main`, as the library has it inside.
#pragma once

#include <sapbuf/segment.hpp>

#include "stream/stream_core.hpp"

namespace sapbuf::test {

// Lives as long as the segment.
inline detail::StreamCore& main_stream(const Segment& segment) {
  return *detail::open_stream(segment.core(), kMainStream);
}
inline layout::ParticipantSlot& participant(const Segment& segment, std::uint32_t slot) {
  return segment.core()->participant(slot);
}

}  // namespace sapbuf::test
