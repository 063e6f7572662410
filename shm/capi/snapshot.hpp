// What is behind a snapshot's handle, and how its parts are found and handed out.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sapbuf.h>
#include <sapbuf/inspect.hpp>

#include "capi/call.hpp"
#include "capi/options.hpp"

// Texts that programs are given are those of `seen`: it stays where it is.
struct sapbuf_snapshot {
  explicit sapbuf_snapshot(sapbuf::Snapshot taken);
  sapbuf_snapshot(const sapbuf_snapshot&) = delete;

  const sapbuf::Snapshot seen;
  std::map<const sapbuf::SlabSnapshot*, std::vector<const char*>> held_by;  // the texts of SlabSnapshot::held_by
};

namespace sapbuf::capi {

// What `look` returns, to the program's struct, as much of it as that has room for.
template <typename Struct, typename Look>
sapbuf_status show(Struct* place, Look look) noexcept {
  return call([&] {
    Struct& to = needed(place, "the place for what is there");
    hand_out(look(), to);
    return SAPBUF_OK;
  });
}

// Number `number` of `all`, which are a "slab" each. Throws Errc::invalid_argument.
template <typename Part>
const Part& numbered(const std::vector<Part>& all, std::size_t number, const char* what) {
  if (number < all.size()) return all[number];
  throw Error(Errc::invalid_argument, std::string("there is no ") + what + ' ' + std::to_string(number) +
                                          ": there are " + std::to_string(all.size()) + ", from 0");
}

inline const FacilitySnapshot& facility_of(const sapbuf_snapshot* snapshot, std::size_t facility) {
  return numbered(needed(snapshot, "snapshot").seen.facilities, facility, "facility");
}

inline const ParticipantSnapshot& participant_of(const sapbuf_snapshot* snapshot, std::size_t participant) {
  return numbered(needed(snapshot, "snapshot").seen.participants, participant, "participant");
}

// As programs get to see them.
sapbuf_stream_ledger c_ledger_of(const Ledger& ledger) noexcept;
sapbuf_pool_ledger c_ledger_of(const PoolLedger& ledger) noexcept;
sapbuf_map_ledger c_ledger_of(const MapLedger& ledger) noexcept;
sapbuf_queue_ledger c_ledger_of(const QueueLedger& ledger) noexcept;

}  // namespace sapbuf::capi
