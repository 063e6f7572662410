// The journal of a facility: what was taken from whom. Written under the maintenance lock; a ring of the last 64 entries.
#pragma once

#include "segment/facility.hpp"
#include "segment/liveness.hpp"

namespace SAPBUF_DETAIL {

// Opens the entry for a death, or finds the one that a recoverer before us opened and could not finish: then its proof
// stands there.
layout::JournalEntry& open_entry(Facility& facility, std::uint32_t slot, layout::SlotRegistration registration,
                                 Proof proof) noexcept;

// By what proof the entry's participant was known to be dead, for people.
const char* proof_in(const layout::JournalEntry& entry) noexcept;

// Notes what is held, and how many bytes that is; kept if an earlier recoverer noted it already.
void note_held(layout::JournalEntry& entry, std::span<const std::uint64_t> holdings, std::uint64_t bytes) noexcept;

void note_repaired(layout::JournalEntry& entry, const RepairTally& tally) noexcept;

void finish_entry(layout::JournalEntry& entry, std::uint32_t released) noexcept;

}  // namespace SAPBUF_DETAIL
