// The journal: what was taken from whom. Written under the maintenance lock; a ring of the last 64 entries.
#pragma once

#include "segment/facility.hpp"
#include "segment/segment_core.hpp"

namespace sapbuf::detail {

// Opens the entry for a death, or finds the one that a recoverer before us opened and could not finish.
layout::JournalEntry& open_entry(SegmentCore& core, std::uint32_t slot, layout::SlotTenure tenure) noexcept;

// Notes what is held; kept if an earlier recoverer noted it already.
void note_held(layout::JournalEntry& entry, std::span<const std::uint64_t> generations) noexcept;

void note_repaired(layout::JournalEntry& entry, const RepairTally& tally) noexcept;

void finish_entry(layout::JournalEntry& entry, std::uint32_t reclaimed_slabs) noexcept;

}  // namespace sapbuf::detail
