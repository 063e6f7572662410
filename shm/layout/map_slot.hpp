// What others must know of one reader or writer of a map: an array in the map's region, by the participant's slot; and
// what all of them share.
#pragma once

#include <sapbuf/layout/event.hpp>
#include <sapbuf/layout/fields.hpp>
#include <sapbuf/layout/map_entry.hpp>
#include <sapbuf/layout/pool_word.hpp>

namespace sapbuf::layout {

// Values that one reader can keep at once, and one for its own looks.
inline constexpr std::uint32_t kGuards = 32;
// Keys that one writer can flip together.
inline constexpr std::uint32_t kTransactionKeys = 16;
// Events that waiting for entries is spread over, by the keys' hashes.
inline constexpr std::uint32_t kMapEvents = 64;

struct alignas(kLineBytes) MapSlot {
  // The incarnation of the registration that has the slot, 0 once recovery settled it.
  //   written by  whoever takes the slot, before its registration says `attached`; recovery, under the map's lock
  //   read by     the owner, at each step
  //   edge        none: it only leads the owner to its registration
  //   crash       harmless
  Word tenure;
  // How many of the entries below are flipped together, once that is decided; 0: none are, or not yet.
  //   written by  a writer, behind all of `incoming`; recovery, under the map's lock, behind the flips
  //   read by     recovery
  //   edge        transaction: release, behind the roots <-> behind the proof of the death
  //   crash       recovery flips those that were not
  Word committed;
  // Changes that were made with this slot, by whoever had it: the map's version is the sum over all slots.
  //   written by  a writer, behind each change; recovery, of a writer that died before it
  //   read by     whoever waits for the map to change, inspect
  //   edge        sleep: before the look whether the events are awaited
  //   crash       recovery adds the one that may be missing
  Word changes;
  // Figures of the owner: values flipped, keys inserted, keys erased, waits for another writer's claim.
  //   written by  the owner, behind what they count
  //   read by     inspect
  //   edge        none
  //   crash       one too few
  Word flipped;
  Word inserted;
  Word erased;
  Word waits;
  // The incarnation of this slot that the departed totals include although they name somebody else as added last.
  //   written by  recovery, who leaves; under the map's lock
  //   read by     the same
  //   edge        none: the lock
  //   crash       harmless: it says what the departed record that is still selected says too
  Word counted;
  // The entries that the owner has claimed, or is about to; plus one, 0: none. The first one, where it is one.
  //   written by  a writer, before the compare-exchange of the entry's claim, and behind its release; recovery
  //   read by     recovery, inspect
  //   edge        claim: before the compare-exchange, release <-> behind the proof of the death
  //   crash       recovery ends what was begun with the entry
  alignas(kLineBytes) Word claiming[kTransactionKeys];
  // Root of the value that each of these is about to be flipped to.
  //   written by  a writer: before the buffer is shared; cleared behind the look at its word that follows the flip;
  //               recovery, under the map's lock
  //   read by     scans of the pool
  //   edge        root (SB), pool-share: as PoolSlot::roots
  //   crash       keeps the buffer until recovery; then a scan frees it, unless it is an entry's
  Word incoming[kTransactionKeys];
  // Values that a reader keeps, in no order: Root.
  //   written by  the owner; recovery, once the owner is dead or leaves, under the map's lock
  //   read by     scans of the pool, inspect
  //   edge        root (SB): the guard, light fence, then the buffer's word <-> as PoolSlot::roots;  pool-free: cleared with
  //               release, behind the last use <-> the scan's acquire
  //   crash       they keep their versions until recovery
  alignas(kLineBytes) Word guards[kGuards];
};

inline constexpr Field kMapSlotFields[] = {
    SAPBUF_FIELD(MapSlot, tenure),   SAPBUF_FIELD(MapSlot, committed), SAPBUF_FIELD(MapSlot, changes),
    SAPBUF_FIELD(MapSlot, flipped),  SAPBUF_FIELD(MapSlot, inserted),  SAPBUF_FIELD(MapSlot, erased),
    SAPBUF_FIELD(MapSlot, waits),    SAPBUF_FIELD(MapSlot, counted),   SAPBUF_FIELD(MapSlot, claiming),
    SAPBUF_FIELD(MapSlot, incoming), SAPBUF_FIELD(MapSlot, guards)};
static_assert(sizeof(MapSlot) == 576 && covers(kMapSlotFields, sizeof(MapSlot)));

// The sum over the readers and writers that have left or died, kept like a stream's (DepartedRecord): the copy that is
// not selected is rewritten, then `departed_selector` moves.
//   written by  recovery, who leaves; under the map's lock
//   read by     inspect
//   edge        departed-switch, as MapControl::departed_selector
//   crash       a copy that does not count, which the next one rewrites
struct alignas(kLineBytes) DepartedEditors {
  Word participants;
  Word flipped;
  Word inserted;
  Word erased;
  Word waits;
  Word last_departed;  // slot in bits 48..63, incarnation below
  Word reserved[2];
};

inline constexpr Field kDepartedEditorsFields[] = {
    SAPBUF_FIELD(DepartedEditors, participants), SAPBUF_FIELD(DepartedEditors, flipped),
    SAPBUF_FIELD(DepartedEditors, inserted),     SAPBUF_FIELD(DepartedEditors, erased),
    SAPBUF_FIELD(DepartedEditors, waits),        SAPBUF_FIELD(DepartedEditors, last_departed),
    SAPBUF_FIELD(DepartedEditors, reserved)};
static_assert(sizeof(DepartedEditors) == 64 && covers(kDepartedEditorsFields, sizeof(DepartedEditors)));

struct alignas(kLineBytes) MapControl {
  // The words of this line:
  //   written by  who makes the map; those that change, by who inserts or erases, and recovery, under the map's lock
  //   read by     everybody
  //   edge        growth: `entries`, release, behind the region's growth <-> acquire;  index: `used`, release, before an
  //               entry's life <-> acquire;  all others: the lock
  //   crash       `entries`: room in the region that the next one who needs an entry finds; `keys`: recovery counts anew;
  //               the others are hints, or too high, which is harmless
  Word entries;        // that there are; it only grows
  Word used;           // entries from this on never had a key, and nobody ever claimed them
  Word keys;           // that there are
  Word free_entry;     // where to look for a free one first
  Word version_floor;  // no key that is gone had a higher version: a new one begins behind it
  Word seed[2];        // of the keyed hash
  // Its lowest bit: which of the two departed records counts; it grows by one.
  //   edge        departed-switch: release, behind the record <-> acquire
  //   crash       before it: the old record counts
  Word departed_selector;
  DepartedEditors departed[2];
  Event changed;             // the map changed
  Event events[kMapEvents];  // an entry's value changed, or its claim was released
};

inline constexpr Field kMapControlFields[] = {SAPBUF_FIELD(MapControl, entries),
                                              SAPBUF_FIELD(MapControl, used),
                                              SAPBUF_FIELD(MapControl, keys),
                                              SAPBUF_FIELD(MapControl, free_entry),
                                              SAPBUF_FIELD(MapControl, version_floor),
                                              SAPBUF_FIELD(MapControl, seed),
                                              SAPBUF_FIELD(MapControl, departed_selector),
                                              SAPBUF_FIELD(MapControl, departed),
                                              SAPBUF_FIELD(MapControl, changed),
                                              SAPBUF_FIELD(MapControl, events)};
static_assert(sizeof(MapControl) == 4352 && covers(kMapControlFields, sizeof(MapControl)));

}  // namespace sapbuf::layout
