// A participant's slot in the registry: who somebody is, and what proves that he lives. A participant is a handle of
// one facility; what that facility must know of it stands in the facility's region, by the slot's index.
//
//   line 0       progress     only the owner writes
//   line 1       attention    only others write
//   line 2..4    identity     written at attach; read by recovery and by people
#pragma once

#include <sapbuf/layout/fields.hpp>
#include <sapbuf/layout/word.hpp>

namespace sapbuf::layout {

enum class SlotState : std::uint8_t {
  free = 0,
  attached = 1,
  leaving = 2,    // its owner is detaching: what it holds goes as after a death, but nobody died
  attaching = 3,  // its owner keeps the facility from being removed, and has nothing in it yet
};
// Grows with the facilities; what a role does is its facility's to know.
enum class SlotRole : std::uint8_t {
  none = 0,
  writer = 1,
  reader = 2,
  user = 3,
  viewer = 4,
  editor = 5,
  producer = 6,
  consumer = 7,
};

//   63                16 15     8 7      0
//   +-------------------+--------+-------+
//   |   incarnation     |  role  | state |
//   +-------------------+--------+-------+
struct SlotRegistration {
  std::uint64_t word = 0;

  static constexpr SlotRegistration make(std::uint64_t incarnation, SlotRole role, SlotState state) noexcept {
    return {incarnation << 16 | std::uint64_t{static_cast<std::uint8_t>(role)} << 8 | static_cast<std::uint8_t>(state)};
  }
  constexpr std::uint64_t incarnation() const noexcept { return word >> 16; }
  constexpr SlotRole role() const noexcept { return static_cast<SlotRole>(word >> 8 & 0xff); }
  constexpr SlotState state() const noexcept { return static_cast<SlotState>(word & 0xff); }
  constexpr bool in_use() const noexcept { return state() != SlotState::free; }
};

// A facility: a place in the directory, and how often that was given to a facility before.
//
//   63                          8 7      0
//   +----------------------------+-------+
//   |        incarnation         | index |
//   +----------------------------+-------+
struct FacilityId {
  std::uint64_t word = 0;

  static constexpr FacilityId make(std::uint64_t incarnation, std::uint32_t index) noexcept {
    return {incarnation << 8 | index};
  }
  constexpr std::uint64_t incarnation() const noexcept { return word >> 8; }
  constexpr std::uint32_t index() const noexcept { return static_cast<std::uint32_t>(word & 0xff); }
  constexpr bool operator==(const FacilityId&) const noexcept = default;
};

inline constexpr std::size_t kNameBytes = 64;
inline constexpr std::uint64_t kSettledByOthers = ~std::uint64_t{0};  // in `attention`

struct alignas(kLineBytes) ParticipantSlot {
  // Coarse monotonic time of last progress, in nanoseconds, on the clock of the owner's time namespace. Raises
  // suspicion only; proves nothing.
  //   written by  the owner
  //   read by     watchdogs, recovery, inspect
  //   edge        none: a hint
  //   crash       stays as it was
  Word heartbeat_ns;
  Word reserved_hot[7];

  // All ones: recovery settled the slot, and somebody else may have it. Such slots are given to others last.
  //   written by  recovery, under the facility's lock; whoever attaches
  //   read by     whoever attaches
  //   edge        none: a hint
  //   crash       harmless
  alignas(kLineBytes) Word attention;
  Word reserved_for_others[7];

  // SlotRegistration. The lock on `life` is taken before the state leaves `free` and dropped only after it is `free`
  // again; so a slot in use whose life is not locked belongs to the dead.
  //   written by  who attaches, under the slot's lock; who detaches (compare-exchange) and recovery, under the
  //               facility's lock
  //   read by     scans, recovery, the owner at slow steps
  //   edge        registry: release <-> acquire, so that all words below are this registration's; remove: seq_cst
  //   crash       recovery settles the slot
  alignas(kLineBytes) Word registration;
  // FacilityId: the participant is a handle of it.
  //   written by  whoever attaches, before the registration says `attaching`
  //   read by     scans, recovery, whoever removes a facility, inspect
  //   edge        registry, as `registration`
  //   crash       a word of a slot that nobody has, which nobody believes
  Word facility;
  // The words from here on:
  //   written by  whoever attaches, before the registration says `attached`
  //   read by     recovery, watchdogs, inspect
  //   edge        registry, as `registration`
  //   crash       words of a slot that nobody has, which nobody believes
  Word attached_at_ns;  // wall clock, nanoseconds since the epoch
  Word pid;             // in the participant's own pid namespace
  Word pid_namespace;   // inode number of that namespace
  Word start_time;      // clock ticks after boot, as in /proc/PID/stat: with pid and boot it names one process
  Word boot_id;         // first 64 bits of the machine's boot id
  Word time_namespace;  // inode number of the namespace whose monotonic clock the heartbeat was read from
  // The byte of the segment's file (kLifeLocks) that the owner's process holds a lock on for as long as it has the
  // segment's memory. No two processes ever have the same.
  Word life;
  Word reserved_identity[7];
  Word name[kNameBytes / 8];  // UTF-8, padded with zero bytes
};

inline constexpr Field kParticipantSlotFields[] = {SAPBUF_FIELD(ParticipantSlot, heartbeat_ns),
                                                   SAPBUF_FIELD(ParticipantSlot, reserved_hot),
                                                   SAPBUF_FIELD(ParticipantSlot, attention),
                                                   SAPBUF_FIELD(ParticipantSlot, reserved_for_others),
                                                   SAPBUF_FIELD(ParticipantSlot, registration),
                                                   SAPBUF_FIELD(ParticipantSlot, facility),
                                                   SAPBUF_FIELD(ParticipantSlot, attached_at_ns),
                                                   SAPBUF_FIELD(ParticipantSlot, pid),
                                                   SAPBUF_FIELD(ParticipantSlot, pid_namespace),
                                                   SAPBUF_FIELD(ParticipantSlot, start_time),
                                                   SAPBUF_FIELD(ParticipantSlot, boot_id),
                                                   SAPBUF_FIELD(ParticipantSlot, time_namespace),
                                                   SAPBUF_FIELD(ParticipantSlot, life),
                                                   SAPBUF_FIELD(ParticipantSlot, reserved_identity),
                                                   SAPBUF_FIELD(ParticipantSlot, name)};
static_assert(sizeof(ParticipantSlot) == 320 && covers(kParticipantSlotFields, sizeof(ParticipantSlot)));
static_assert(offsetof(ParticipantSlot, attention) == 64 && offsetof(ParticipantSlot, registration) == 128);

}  // namespace sapbuf::layout
