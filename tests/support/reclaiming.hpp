// Somebody in the midst of reclaiming a slab, who is no writer of the stream: one who sheds buffers for a pool, say.
#pragma once

#include <string>

#include "segment/maintenance_lock.hpp"
#include "support/child.hpp"
#include "support/main_stream.hpp"

namespace sapbuf::test {

// Begins to reclaim the first slab of the segment's stream, and says 1. What it then hears ends that: the slab is as before.
inline void begin_to_reclaim(const std::string& segment, Link& link) {
  const Segment own = Segment::open(segment);
  const detail::MaintenanceLock lock{main_stream(own)};
  layout::Word& life = main_stream(own).descriptor(0).life;
  const layout::SlabLife readable{life.load()};
  life.store(layout::SlabLife::make(readable.generation(), layout::SlabState::reclaiming).word);
  link.say(1);
  link.hear();
  life.store(readable.word);
}

}  // namespace sapbuf::test
