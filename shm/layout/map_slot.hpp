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

// What MapSlot::keys is to be once a change of keys is decided, and how recovery sees whether it was.
//
//   63                          2 1      0
//   +----------------------------+-------+
//   |           keys             | what  |
//   +----------------------------+-------+
enum class Counting : std::uint8_t {
  none = 0,
  insertion = 1,    // the first entry that is claimed has its key, with a value
  erasure = 2,      // that entry is free
  transaction = 3,  // `committed` is not 0
};

struct KeyCount {
  std::uint64_t word = 0;

  static constexpr KeyCount make(std::uint64_t keys, Counting what) noexcept {
    return {keys << 2 | static_cast<std::uint8_t>(what)};
  }
  constexpr Counting what() const noexcept { return static_cast<Counting>(word & 3); }
  // Of one slot, which may have erased more than it inserted, modulo 2^62.
  constexpr std::uint64_t keys() const noexcept { return word >> 2; }
  static constexpr std::uint64_t modulo(std::uint64_t keys) noexcept { return make(keys, Counting::none).keys(); }
};
static_assert(KeyCount::make(7, Counting::erasure).keys() == 7);

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
  // Keys inserted less keys erased with this slot, by whoever had it: how many there are is the sum over all slots.
  //   written by  a writer, behind what it counts; recovery, of a writer that died before it
  //   read by     whoever asks for the number of keys, inspect
  //   edge        none
  //   crash       `counting` says what it is to be
  Word keys;
  // KeyCount, of the keys that are being inserted or erased; 0: none.
  //   written by  whoever takes the slot; a writer, before it decides, and behind it
  //   read by     recovery
  //   edge        count: release, before the decision <-> behind the proof of the death
  //   crash       recovery looks whether it was decided, and sets `keys`
  Word counting;
  // The place of the index that the owner is about to take, or took last; plus one, 0: none.
  //   written by  a writer, before the compare-exchange of the place
  //   read by     recovery
  //   edge        index: before the compare-exchange, release <-> behind the proof of the death
  //   crash       recovery finds there what cannot be found on the way from the key's hash
  Word taking;
  Word reserved[5];
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
    SAPBUF_FIELD(MapSlot, waits),    SAPBUF_FIELD(MapSlot, counted),   SAPBUF_FIELD(MapSlot, keys),
    SAPBUF_FIELD(MapSlot, counting), SAPBUF_FIELD(MapSlot, taking),    SAPBUF_FIELD(MapSlot, reserved),
    SAPBUF_FIELD(MapSlot, claiming), SAPBUF_FIELD(MapSlot, incoming),  SAPBUF_FIELD(MapSlot, guards)};
static_assert(sizeof(MapSlot) == 640 && covers(kMapSlotFields, sizeof(MapSlot)));

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
  // The words of this line, which change seldom:
  //   written by  who makes the map; `entries`, by who needs one; `departed_selector`, by recovery
  //   read by     everybody
  //   edge        growth: `entries`, release, behind the region's growth <-> acquire
  //   crash       room in the region that the next one who needs an entry finds
  Word entries;  // that there are; it only grows
  Word seed[2];  // of the keyed hash
  // Its lowest bit: which of the two departed records counts; it grows by one.
  //   edge        departed-switch: release, behind the record <-> acquire
  //   crash       before it: the old record counts
  Word departed_selector;
  Word reserved[4];
  // The words of this line, which change with the keys that there are:
  //   written by  who inserts or erases; recovery
  //   read by     the same
  //   edge        index: `used`, acquire-release, before an entry's life <-> acquire;  key: `version_floor`, release, before
  //               an erased key's place is gone <-> behind the look at that place;  freed: `freed`, release, before the
  //               claim's release <-> acquire, before the look for a free entry
  //   crash       hints, or too high, which is harmless; recovery says anew that an entry may be free
  alignas(kLineBytes) Word used;  // entries from this on never had a key, and nobody ever claimed them
  Word free_entry;                // where to look for a free one first
  Word freed;                     // grows with each entry that becomes free
  Word none_free;                 // `freed` and `used` before a look that found no free entry, plus one
  Word version_floor;             // no key that is gone had a higher version: a new one begins behind it
  Word tags;                      // of places that are gone: that many were given
  Word reserved_too[2];
  DepartedEditors departed[2];
  Event changed;             // the map changed
  Event events[kMapEvents];  // an entry's value changed, or its claim was released
};

inline constexpr Field kMapControlFields[] = {SAPBUF_FIELD(MapControl, entries),
                                              SAPBUF_FIELD(MapControl, seed),
                                              SAPBUF_FIELD(MapControl, departed_selector),
                                              SAPBUF_FIELD(MapControl, reserved),
                                              SAPBUF_FIELD(MapControl, used),
                                              SAPBUF_FIELD(MapControl, free_entry),
                                              SAPBUF_FIELD(MapControl, freed),
                                              SAPBUF_FIELD(MapControl, none_free),
                                              SAPBUF_FIELD(MapControl, version_floor),
                                              SAPBUF_FIELD(MapControl, tags),
                                              SAPBUF_FIELD(MapControl, reserved_too),
                                              SAPBUF_FIELD(MapControl, departed),
                                              SAPBUF_FIELD(MapControl, changed),
                                              SAPBUF_FIELD(MapControl, events)};
static_assert(sizeof(MapControl) == 4416 && covers(kMapControlFields, sizeof(MapControl)));

}  // namespace sapbuf::layout
