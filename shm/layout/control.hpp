// The control region: the words that all participants share. One subject per cache line, so that nothing that is
// written often lies beside something that is read often.
#pragma once

#include <sapbuf/layout/cursor.hpp>
#include <sapbuf/layout/ledger.hpp>

namespace sapbuf::layout {

// An eventcount: sleepers announce themselves, wakers skip the system call when nobody did.
//   edge  sleep: sleepers=1, fence, look again, futex_wait <-> the change, fence, look at sleepers, futex_wake
//   crash of a sleeper: costs one needless wake;  of a waker: sleepers look again by themselves, every 50 ms at the
//   latest
struct alignas(kLineBytes) Event {
  HalfWord sequence;  // the futex word; grows by one at every wake
  HalfWord sleepers;  // 1 if anybody may be asleep
  Word reserved[7];
};
static_assert(sizeof(Event) == 64);

// By what proof a participant was known to be dead.
enum class JournalKind : std::uint8_t {
  none = 0,
  lock_free = 1,      // the lock on its life was free
  process_ended = 2,  // its process runs no more code, although the kernel has not dropped the lock yet
};

// What was taken from whom, on what proof. An entry is opened when the repair of one participant begins, and finished
// when its slot is free: the next recoverer goes on in the same entry if the first one died.
struct alignas(kLineBytes) JournalEntry {
  Word number;            // 1, 2, 3, ...; the ring keeps the last ones
  Word kind;              // JournalKind
  Word slot;              // of the dead participant
  Word tenure;            // its SlotTenure: incarnation and role
  Word pid;               //
  Word noticed_ns;        // wall clock
  Word finished_ns;       // wall clock; 0 while the repair is going on
  Word heartbeat_age_ns;  // at the time it was noticed
  Word held_first;        // generations that it kept from being reclaimed: first and last; 0, 0 for none
  Word held_last;
  Word repaired_frames;  // holes, busy frames and open extents that repair closed
  Word repaired_bytes;
  Word reclaimed_slabs;
  Word reserved[3];
  Word name[8];
};
static_assert(sizeof(JournalEntry) == 192);
inline constexpr std::uint32_t kJournalEntries = 64;

// When the slots are to be swept again by one of those who wait, on the monotonic clock; to 2 ns.
struct NextSweep {
  std::uint64_t word = 0;

  static constexpr NextSweep due(std::uint64_t due_ns) noexcept { return {due_ns & ~kInProgress}; }
  static constexpr NextSweep begun(std::uint64_t due_ns) noexcept { return {due_ns | kInProgress}; }
  constexpr std::uint64_t due_ns() const noexcept { return word & ~kInProgress; }
  constexpr bool in_progress() const noexcept { return (word & kInProgress) != 0; }

 private:
  static constexpr std::uint64_t kInProgress = 1;
};

struct alignas(kLineBytes) Control {
  // edge  claim: fetch_add <-> the flipper's compare-exchange on the same word
  alignas(kLineBytes) Word cursor;

  alignas(kLineBytes) Event data;   // something was committed
  alignas(kLineBytes) Event space;  // something was released: a hold, a slab, an extent

  // Everything below is written under the maintenance lock only, but for high_slot and next_sweep.
  alignas(kLineBytes) Word closed_through;  // every generation up to this one is closed
  // One past the highest slot ever used; only ever rises.
  //   written by  whoever attaches, before its tenure;  crash  harmless: scans look at a free slot
  //   edge        registry: who looks for writers has read the cursor before, and finds those who claimed from it
  Word high_slot;
  Word reclaimed_slabs;    // slabs that recovery took back from the dead
  Word recoveries;         // participants recovered
  Word departed_selector;  // its lowest bit: which of the two departed records counts; it grows by one
  Word journal_last;       // number of the newest entry; 0 for none
  // 1 once a reader has attached; only ever rises. What SegmentOptions::retain waits for.
  //   written by  a reader that has just attached;  read by  whoever reclaims, and inspect
  //   crash       between attaching and this: the dead reader does not count, and the next one says it
  Word reader_came;
  // NextSweep. A hint, which orders nothing.
  //   written by  those who wait: compare-exchange to take a turn, a store to end it
  //   crash       of a sweeper: the others go on when its time is over
  Word next_sweep;

  DepartedRecord departed[2];
  JournalEntry journal[kJournalEntries];
};
static_assert(offsetof(Control, data) == 64 && offsetof(Control, space) == 128 &&
              offsetof(Control, closed_through) == 192);

}  // namespace sapbuf::layout
