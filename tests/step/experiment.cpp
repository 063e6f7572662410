#include "step/experiment.hpp"

#include <cstddef>

#include "segment/segment_core.hpp"

namespace sapbuf::test {

std::vector<std::size_t> heartbeats(const Segment& segment) {
  const layout::SegmentGeometry& geometry = segment.core()->geometry();
  std::vector<std::size_t> offsets;
  for (std::uint32_t slot = 0; slot < geometry.participants; ++slot) {
    offsets.push_back(geometry.slots_at + slot * sizeof(layout::ParticipantSlot) +
                      offsetof(layout::ParticipantSlot, heartbeat_ns));
  }
  return offsets;
}

}  // namespace sapbuf::test
