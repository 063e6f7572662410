// What a queue is made of and where each part begins. Computed from the choices in its directory entry by everybody who
// opens it, and kept in private memory. The entry also names the pool that its blocks are buffers of
// (DirectoryEntry::needs).
//
//   region    + head     + control  + groups x 128  + participants x 128  + slots x 8 + groups x blocks / 8
//   +---------+----------+----------+---------------+---------------------+-----------+--------------------+
//   | head    | control  | groups   | slots of the registry               | ring      | bits of what was   |
//   |         |          |          |                                     |           | put back           |
//   +---------+----------+----------+-------------------------------------+-----------+--------------------+
//     + groups x blocks x 8       + blocks x 32 or more     + groups x blocks x notes x 64
//   +---------------------------+--------------------------+----------------------------+
//   | when it is due           | entries                  | notes                      |
//   +---------------------------+--------------------------+----------------------------+
//   and, where keys have lanes,
//     + groups x lanes x 8     + groups x lanes / 8     + groups x blocks / 8     + blocks x 8
//   +------------------------+------------------------+-------------------------+-------------+
//   | lanes                  | bits of lanes that     | bits of blocks that     | their order |
//   |                        | have something         | wait                    |             |
//   +------------------------+------------------------+-------------------------+-------------+
//
// There is an entry for each buffer that the pool may grow to.
#pragma once

#include <optional>
#include <string>

#include <sapbuf/layout/directory.hpp>
#include <sapbuf/layout/facility.hpp>
#include <sapbuf/layout/policy.hpp>
#include <sapbuf/layout/queue_slot.hpp>

namespace sapbuf::layout {

inline constexpr std::uint64_t kMaxQueueSlots = std::uint64_t{1} << 24;
inline constexpr std::uint64_t kMaxLanes = std::uint64_t{1} << 16;

struct QueueGeometry {
  std::uint64_t slots = 0;   // a power of two
  std::uint64_t blocks = 0;  // that the pool may have
  std::uint32_t groups = 1;
  std::uint32_t max_deliveries = 0;  // 0: no end to them
  std::uint32_t notes = 0;           // for each block and group
  std::uint64_t lanes = 0;           // for keys, of each group: a power of two, 0: keys mean nothing
  OnFull on_full = OnFull::block;
  bool own_pool = false;    // made with the queue, and removed with it
  FacilityId dead_letters;  // another queue; 0: none
  std::uint32_t participants = 0;
  // Offsets from the segment's first byte.
  std::uint64_t head_at = 0;
  std::uint64_t control_at = 0;
  std::uint64_t groups_at = 0;
  std::uint64_t slots_at = 0;
  std::uint64_t ring_at = 0;
  std::uint64_t bits_at = 0;
  std::uint64_t due_at = 0;
  std::uint64_t entries_at = 0;
  std::uint64_t notes_at = 0;
  std::uint64_t lanes_at = 0;
  std::uint64_t lane_bits_at = 0;
  std::uint64_t waiting_at = 0;
  std::uint64_t order_at = 0;
  std::uint64_t end_at = 0;
  std::uint64_t bit_words = 0;  // for each group, of blocks
  std::uint64_t lane_words = 0;
  std::uint64_t entry_bytes = 0;
};

// Fills in the offsets of a region that begins at `region`, from the choices above them.
constexpr void place(QueueGeometry& g, std::uint64_t region) noexcept {
  g.head_at = region;
  g.control_at = g.head_at + sizeof(FacilityHead);
  g.groups_at = g.control_at + sizeof(QueueControl);
  g.slots_at = g.groups_at + g.groups * sizeof(QueueGroup);
  g.ring_at = g.slots_at + g.participants * sizeof(QueueSlot);
  g.bits_at = round_up(g.ring_at + g.slots * sizeof(Word), kLineBytes);
  g.bit_words = round_up(g.blocks, 64) / 64;
  g.due_at = round_up(g.bits_at + g.groups * g.bit_words * sizeof(Word), kLineBytes);
  g.entries_at = round_up(g.due_at + g.groups * g.blocks * sizeof(Word), kLineBytes);
  g.entry_bytes = round_up(sizeof(QueueEntry) + (g.groups - 1) * sizeof(Word), 32);
  g.notes_at = round_up(g.entries_at + g.blocks * g.entry_bytes, kLineBytes);
  g.lanes_at = g.notes_at + g.groups * g.blocks * g.notes * sizeof(DeliveryNote);
  g.lane_words = round_up(g.lanes, 64) / 64;
  g.lane_bits_at = round_up(g.lanes_at + g.groups * g.lanes * sizeof(Word), kLineBytes);
  g.waiting_at = round_up(g.lane_bits_at + g.groups * g.lane_words * sizeof(Word), kLineBytes);
  const std::uint64_t blocks_with_lanes = g.lanes == 0 ? 0 : g.blocks;
  g.order_at = round_up(g.waiting_at + g.groups * round_up(blocks_with_lanes, 64) / 8, kLineBytes);
  g.end_at = round_up(g.order_at + blocks_with_lanes * sizeof(Word), kPageBytes);
}

// The choices as a directory entry has them, and back. Nothing if a word says what this library does not know.
void write_choices(const QueueGeometry& geometry, std::uint64_t (&choices)[kChoices]) noexcept;
std::optional<QueueGeometry> read_queue_choices(const std::uint64_t (&choices)[kChoices]) noexcept;

// Why these choices cannot work and what would; nothing if they can.
std::optional<std::string> problem_with(const QueueGeometry& geometry);

// Changes with every shared struct of queues: see layout_hash().
constexpr std::uint64_t queue_layout_hash() noexcept {
  return LayoutHash{}
      .add(kFacilityHeadFields, sizeof(FacilityHead))
      .add(kJournalEntryFields, sizeof(JournalEntry))
      .add(kEventFields, sizeof(Event))
      .add(kQueueControlFields, sizeof(QueueControl))
      .add(kQueueGroupFields, sizeof(QueueGroup))
      .add(kQueueSlotFields, sizeof(QueueSlot))
      .add(kQueueEntryFields, sizeof(QueueEntry))
      .add(kDeliveryNoteFields, sizeof(DeliveryNote))
      .add(kDepartedParticipantsFields, sizeof(DepartedParticipants))
      .value();
}

}  // namespace sapbuf::layout
