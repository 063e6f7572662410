// The head of every facility's region: what recovery did there.
#pragma once

#include <sapbuf/layout/fields.hpp>
#include <sapbuf/layout/participant.hpp>

namespace sapbuf::layout {

// By what proof a participant was known to be dead.
enum class JournalKind : std::uint8_t {
  none = 0,
  lock_free = 1,      // the lock on its life was free
  process_ended = 2,  // its process runs no more code, although the kernel has not dropped the lock yet
};

// What was taken from whom, on what proof. An entry is opened when the repair of one participant begins, and finished
// when its slot is free: the next recoverer goes on in the same entry if the first one died.
//   written by  recovery, under the facility's lock
//   read by     inspect, and the recoverer that goes on in it
//   edge        journal: `number` is 0 while the others are written, and released behind them <-> acquire
//   crash       the entry says how far the repair came; the next recoverer goes on in it
struct alignas(kLineBytes) JournalEntry {
  Word number;            // 1, 2, 3, ...; the ring keeps the last ones
  Word kind;              // JournalKind
  Word slot;              // of the dead participant
  Word registration;      // its SlotRegistration: incarnation and role
  Word pid;               //
  Word noticed_ns;        // wall clock
  Word finished_ns;       // wall clock; 0 while the repair is going on
  Word heartbeat_age_ns;  // at the time it was noticed
  Word held_first;        // what it kept from others, by the facility's numbers: first and last; 0, 0 for nothing
  Word held_last;
  Word repairs;  // things left half done that were brought to an end
  Word repaired_bytes;
  Word released;    // things that nobody kept from others any more
  Word held_count;  // how many of held_first to held_last it kept, and their bytes
  Word held_bytes;
  Word reserved;
  Word name[kNameBytes / 8];
};
inline constexpr std::uint32_t kJournalEntries = 64;

struct alignas(kLineBytes) FacilityHead {
  //   written by  recovery, under the facility's lock
  //   read by     inspect
  //   edge        none: counts
  //   crash       a count too small by one
  Word recoveries;  // participants recovered
  Word released;    // things that nobody kept from others any more once a dead one was settled
  // Number of the newest entry; 0 for none.
  //   written by  recovery, under the facility's lock
  //   read by     recovery, inspect
  //   edge        journal: release, behind the entry <-> acquire
  //   crash       before it: an entry that is not there yet, and is filled once more
  Word journal_last;
  Word reserved[5];
  JournalEntry journal[kJournalEntries];
};

inline constexpr Field kJournalEntryFields[] = {
    SAPBUF_FIELD(JournalEntry, number),      SAPBUF_FIELD(JournalEntry, kind),
    SAPBUF_FIELD(JournalEntry, slot),        SAPBUF_FIELD(JournalEntry, registration),
    SAPBUF_FIELD(JournalEntry, pid),         SAPBUF_FIELD(JournalEntry, noticed_ns),
    SAPBUF_FIELD(JournalEntry, finished_ns), SAPBUF_FIELD(JournalEntry, heartbeat_age_ns),
    SAPBUF_FIELD(JournalEntry, held_first),  SAPBUF_FIELD(JournalEntry, held_last),
    SAPBUF_FIELD(JournalEntry, repairs),     SAPBUF_FIELD(JournalEntry, repaired_bytes),
    SAPBUF_FIELD(JournalEntry, released),    SAPBUF_FIELD(JournalEntry, held_count),
    SAPBUF_FIELD(JournalEntry, held_bytes),  SAPBUF_FIELD(JournalEntry, reserved),
    SAPBUF_FIELD(JournalEntry, name)};
inline constexpr Field kFacilityHeadFields[] = {
    SAPBUF_FIELD(FacilityHead, recoveries), SAPBUF_FIELD(FacilityHead, released),
    SAPBUF_FIELD(FacilityHead, journal_last), SAPBUF_FIELD(FacilityHead, reserved),
    SAPBUF_FIELD(FacilityHead, journal)};
static_assert(sizeof(JournalEntry) == 192 && covers(kJournalEntryFields, sizeof(JournalEntry)));
static_assert(covers(kFacilityHeadFields, sizeof(FacilityHead)));

}  // namespace sapbuf::layout
