// Keeping the ledger exact: see layout/ledger.hpp for why one store makes each event visible.
#pragma once

#include "stream/stream_core.hpp"

namespace SAPBUF_DETAIL {

struct LedgerValues {
  std::uint64_t committed = 0;
  std::uint64_t committed_bytes = 0;
  std::uint64_t aborted = 0;
  std::uint64_t dropped = 0;
  std::uint64_t abandoned = 0;
  std::uint64_t in_extent = 0;  // messages of the current extent that `committed` includes
};

// The selected record and what was committed since. For the owner, or for repair once the owner is dead.
LedgerValues load_ledger(const layout::StreamSlot& slot) noexcept;
// The same for onlookers, while the owner goes on.
LedgerValues observe_ledger(const layout::StreamSlot& slot) noexcept;

// Makes `values` the selected record, with nothing counted since, and `busy` as said: all in one store.
void store_ledger(layout::StreamSlot& slot, const LedgerValues& values, bool busy) noexcept;

// Adds a participant's ledger to the departed totals; once, however often it is repeated. Under the maintenance lock.
void add_to_departed(StreamCore& core, std::uint32_t slot) noexcept;

}  // namespace SAPBUF_DETAIL
