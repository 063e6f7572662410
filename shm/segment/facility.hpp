// What recovery asks of the things that live in a segment. A facility (the stream; pools and cells in time) brings its
// own repair, so that this layer can walk over the dead without knowing what they were doing.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "segment/segment_core.hpp"

namespace sapbuf::detail {

// What was closed on behalf of the dead.
struct RepairTally {
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
};

struct Facility {
  // Throws Errc::corrupt if the words that everything else hangs on contradict themselves. Changes nothing.
  void (*check)(SegmentCore& core);
  // Generations that the slot's participant keeps from being reclaimed, oldest first. Changes nothing.
  void (*held)(SegmentCore& core, std::uint32_t slot, std::vector<std::uint64_t>& generations);
  // Ends all that the slot's participant had begun, and brings its ledger up to date. Its owner is dead, or calls this
  // itself; the maintenance lock is held. May be repeated after any partial run. False: a live participant must take a
  // step first; try later.
  bool (*repair)(SegmentCore& core, std::uint32_t slot, RepairTally& tally);
  // How many of these generations' slabs are sealed and kept by nobody but, perhaps, the participants of these slots.
  std::uint32_t (*count_unheld)(SegmentCore& core, std::span<const std::uint64_t> generations,
                                std::span<const std::uint32_t> gone);
};

// All of them; defined in facilities.cpp, above the layers that this one may include.
std::span<const Facility> facilities() noexcept;

}  // namespace sapbuf::detail
