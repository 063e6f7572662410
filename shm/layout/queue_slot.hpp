// What others must know of one producer or consumer of a queue: an array in the queue's region, by the participant's
// slot; what a block says of its message; and what all of them share.
#pragma once

#include <sapbuf/layout/event.hpp>
#include <sapbuf/layout/fields.hpp>
#include <sapbuf/layout/participant.hpp>
#include <sapbuf/layout/pool_word.hpp>
#include <sapbuf/layout/queue_word.hpp>

namespace sapbuf::layout {

inline constexpr std::uint32_t kMaxGroups = 8;
// Names of those who died with a block, or gave it back, that are kept for each block.
inline constexpr std::uint32_t kMaxNotes = 16;

// A block of the pool, as the queue knows it; by the buffer's index. `states` has a word for each group.
//   written by  whoever releases or passes it, before its state
//   read by     whoever takes it, scans of the pool, recovery, inspect
//   edge        queue-release: before the state, release <-> acquire
//   crash       words of a block that is in no slot, which nobody believes
struct alignas(32) QueueEntry {
  Word root;       // Root; it counts as long as one of the states is not none
  Word about;      // length in bits 0..31, type 32..47, notes that came with it from another queue 48..55, has a key 56
  Word key;        // if it has one
  Word states[1];  // BlockWord; see queue_word.hpp
};
inline constexpr Field kQueueEntryFields[] = {SAPBUF_FIELD(QueueEntry, root), SAPBUF_FIELD(QueueEntry, about),
                                              SAPBUF_FIELD(QueueEntry, key), SAPBUF_FIELD(QueueEntry, states)};
static_assert(sizeof(QueueEntry) == 32 && covers(kQueueEntryFields, sizeof(QueueEntry)));

struct AboutBlock {
  std::uint64_t word = 0;

  static constexpr AboutBlock make(std::uint32_t length, std::uint16_t type, bool has_key,
                                   std::uint32_t notes = 0) noexcept {
    return {std::uint64_t{has_key} << 56 | std::uint64_t{notes} << 48 | std::uint64_t{type} << 32 | length};
  }
  constexpr std::uint32_t length() const noexcept { return static_cast<std::uint32_t>(word); }
  constexpr std::uint16_t type() const noexcept { return static_cast<std::uint16_t>(word >> 32); }
  constexpr std::uint32_t notes() const noexcept { return static_cast<std::uint32_t>(bits(word, 48, 8)); }
  constexpr bool has_key() const noexcept { return bits(word, 56, 1) != 0; }
};

// Who had a block and was not done with it.
//   written by  who puts it back, or recovery, while the block is held
//   read by     whoever takes it next, inspect
//   edge        queue-done: before the state
//   crash       a note that is written once more
struct alignas(kLineBytes) DeliveryNote {
  Word how;    // 1: died, 2: put it back; and the process, from bit 32 on
  Word at_ns;  // wall clock
  Word name[6];
};
inline constexpr Field kDeliveryNoteFields[] = {SAPBUF_FIELD(DeliveryNote, how), SAPBUF_FIELD(DeliveryNote, at_ns),
                                                SAPBUF_FIELD(DeliveryNote, name)};
static_assert(sizeof(DeliveryNote) == 64 && covers(kDeliveryNoteFields, sizeof(DeliveryNote)));

struct alignas(kLineBytes) QueueSlot {
  // The incarnation of the registration that has the slot, 0 once recovery settled it.
  //   written by  whoever takes the slot, before its registration says `attached`; recovery, under the queue's lock
  //   read by     the owner, at each step
  //   edge        none: it only leads the owner to its registration
  //   crash       harmless
  Word tenure;
  Word group;  // of a consumer; as `tenure`
  // The block that leaves the queue by this consumer, plus one, below the low half of what `ended` says then.
  //   written by  the owner, before the block's state; recovery
  //   read by     recovery
  //   edge        none: behind the proof of the death
  //   crash       recovery counts it if the block is the dead one's no more; 0, before it is returned, if it is
  Word leaving;
  Word ended;  // blocks that left the queue by this consumer: done, passed on, or dead letters elsewhere
  // Which queue a block is being passed on to, FacilityId, 0: none; and which block.
  //   written by  the owner, `passing` first; recovery, on its behalf
  //   read by     recovery
  //   edge        pass: before the block's words there, release <-> behind the proof of the death
  //   crash       recovery ends it
  Word passing_to;
  Word passing;
  // Figures.
  //   written by  the owner, behind what they count; recovery, of what it does on the owner's behalf
  //   read by     whoever settles the slot, inspect
  //   edge        none
  //   crash       one too few
  Word pushed;
  Word taken;
  Word redelivered;  // of these, that had been taken before
  Word put_back;     // also by recovery
  Word passed;
  Word dead_letters;
  Word dropped;
  Word waits;
  Word counted;  // incarnation that was added to the departed, though they name another one
  Word reserved;
};
inline constexpr Field kQueueSlotFields[] = {
    SAPBUF_FIELD(QueueSlot, tenure),   SAPBUF_FIELD(QueueSlot, group),      SAPBUF_FIELD(QueueSlot, leaving),
    SAPBUF_FIELD(QueueSlot, ended),    SAPBUF_FIELD(QueueSlot, passing_to), SAPBUF_FIELD(QueueSlot, passing),
    SAPBUF_FIELD(QueueSlot, pushed),   SAPBUF_FIELD(QueueSlot, taken),      SAPBUF_FIELD(QueueSlot, redelivered),
    SAPBUF_FIELD(QueueSlot, put_back), SAPBUF_FIELD(QueueSlot, passed),     SAPBUF_FIELD(QueueSlot, dead_letters),
    SAPBUF_FIELD(QueueSlot, dropped),  SAPBUF_FIELD(QueueSlot, waits),      SAPBUF_FIELD(QueueSlot, counted),
    SAPBUF_FIELD(QueueSlot, reserved)};
static_assert(sizeof(QueueSlot) == 128 && covers(kQueueSlotFields, sizeof(QueueSlot)));

// The sum over the participants that have left or died: see PoolControl and DepartedUsers.
struct alignas(kLineBytes) DepartedParticipants {
  Word participants;
  Word last_departed;
  Word ended;
  Word pushed;
  Word taken;
  Word redelivered;
  Word put_back;
  Word passed;
  Word dead_letters;
  Word dropped;
  Word reserved[6];
};
inline constexpr Field kDepartedParticipantsFields[] = {
    SAPBUF_FIELD(DepartedParticipants, participants), SAPBUF_FIELD(DepartedParticipants, last_departed),
    SAPBUF_FIELD(DepartedParticipants, ended),        SAPBUF_FIELD(DepartedParticipants, pushed),
    SAPBUF_FIELD(DepartedParticipants, taken),        SAPBUF_FIELD(DepartedParticipants, redelivered),
    SAPBUF_FIELD(DepartedParticipants, put_back),     SAPBUF_FIELD(DepartedParticipants, passed),
    SAPBUF_FIELD(DepartedParticipants, dead_letters), SAPBUF_FIELD(DepartedParticipants, dropped),
    SAPBUF_FIELD(DepartedParticipants, reserved)};
static_assert(sizeof(DepartedParticipants) == 128 && covers(kDepartedParticipantsFields, sizeof(DepartedParticipants)));

// What the consumers of one group share.
struct alignas(kLineBytes) QueueGroup {
  Word look_at;  // LookAt, for blocks that were put back: see queue_word.hpp
  // No position below this has a block that the group has not taken.
  //   written by  consumers, behind what they took
  //   read by     consumers, where they begin; producers, before they look at a slot's block
  //   edge        queue-taken: release, behind the blocks' words <-> acquire
  //   crash       too low, which is harmless
  Word head;
  Word reserved[6];
  Event filled;  // something may be taken
};
inline constexpr Field kQueueGroupFields[] = {SAPBUF_FIELD(QueueGroup, look_at), SAPBUF_FIELD(QueueGroup, head),
                                              SAPBUF_FIELD(QueueGroup, reserved), SAPBUF_FIELD(QueueGroup, filled)};
static_assert(sizeof(QueueGroup) == 128 && covers(kQueueGroupFields, sizeof(QueueGroup)));

struct alignas(kLineBytes) QueueControl {
  // All positions below this are filled.
  //   written by  producers, behind what they filled
  //   read by     producers, where they begin; inspect
  //   edge        none: the slots tell
  //   crash       too low, which is harmless
  Word tail;
  // Blocks that came from another queue while the ring was full, and have no position of their own.
  //   written by  who passes one on: fetch-add, before it is shown
  //   read by     inspect
  //   edge        none: a figure
  //   crash       one too many, if recovery counts it once more
  Word beside;
  Word reserved[6];
  // As PoolControl::departed_selector.
  alignas(kLineBytes) Word departed_selector;
  Word reserved_1[7];
  Event room;  // something was taken
  DepartedParticipants departed[2];
};
inline constexpr Field kQueueControlFields[] = {
    SAPBUF_FIELD(QueueControl, tail),       SAPBUF_FIELD(QueueControl, beside),
    SAPBUF_FIELD(QueueControl, reserved),   SAPBUF_FIELD(QueueControl, departed_selector),
    SAPBUF_FIELD(QueueControl, reserved_1), SAPBUF_FIELD(QueueControl, room),
    SAPBUF_FIELD(QueueControl, departed)};
static_assert(sizeof(QueueControl) == 448 && covers(kQueueControlFields, sizeof(QueueControl)));

}  // namespace sapbuf::layout
