// What a map is made of and where each part begins. Computed from the choices in its directory entry by everybody who
// opens it, and kept in private memory. The entry also names the pool that its values are buffers of
// (DirectoryEntry::needs).
//
//   region    + head     + control   + participants x 640    + places x 8, page-aligned
//   +---------+----------+-----------+-----------------------+---------+---------+---
//   | head    | control  | slots     | index                 | entry 0 | entry 1 |...
//   +---------+----------+-----------+-----------------------+---------+---------+---
//   \________ mapped by whoever uses the map _______________/\_ grows _______________
//
// The index has two places at least for each key that the map may grow to, all from the beginning: so it never moves,
// and readers look through it while the map grows.
#pragma once

#include <algorithm>
#include <bit>
#include <optional>
#include <string>

#include <sapbuf/layout/directory.hpp>
#include <sapbuf/layout/facility.hpp>
#include <sapbuf/layout/map_entry.hpp>
#include <sapbuf/layout/map_slot.hpp>
#include <sapbuf/layout/map_value.hpp>

namespace sapbuf::layout {

inline constexpr std::uint64_t kMaxKeys = std::uint64_t{1} << 28;
static_assert(kMaxKeys < IndexPlace::kGone);

struct MapGeometry {
  std::uint64_t keys = 0;      // entries at first
  std::uint64_t max_keys = 0;  // that it may grow to
  std::uint64_t key_bytes = 0;
  std::uint64_t value_bytes = 0;
  bool own_pool = false;  // made with the map, and removed with it
  std::uint32_t participants = 0;
  // Offsets from the segment's first byte.
  std::uint64_t head_at = 0;
  std::uint64_t control_at = 0;
  std::uint64_t slots_at = 0;
  std::uint64_t index_at = 0;
  std::uint64_t entries_at = 0;
  std::uint64_t places = 0;  // of the index; a power of two
  std::uint64_t entry_bytes = 0;

  constexpr std::uint64_t bytes_with(std::uint64_t entries) const noexcept {  // of the region
    return round_up(entries_at + entries * entry_bytes - head_at, kPageBytes);
  }
  constexpr std::uint64_t entries_in(std::uint64_t bytes) const noexcept {  // of the region
    return std::min((bytes - (entries_at - head_at)) / entry_bytes, max_keys);
  }
};

// Fills in the offsets of a region that begins at `region`, from the choices above them.
constexpr void place(MapGeometry& g, std::uint64_t region) noexcept {
  g.head_at = region;
  g.control_at = g.head_at + sizeof(FacilityHead);
  g.slots_at = g.control_at + sizeof(MapControl);
  g.index_at = g.slots_at + g.participants * sizeof(MapSlot);
  g.places = std::bit_ceil(2 * g.max_keys);
  g.entries_at = round_up(g.index_at + g.places * sizeof(Word), kPageBytes);
  g.entry_bytes = entry_bytes_for(g.key_bytes);
}

// The choices as a directory entry has them, and back. Nothing if a word says what this library does not know.
void write_choices(const MapGeometry& geometry, std::uint64_t (&choices)[kChoices]) noexcept;
std::optional<MapGeometry> read_map_choices(const std::uint64_t (&choices)[kChoices]) noexcept;

// Why these choices cannot work and what would; nothing if they can.
std::optional<std::string> problem_with(const MapGeometry& geometry);

// Changes with every shared struct of maps: see layout_hash().
constexpr std::uint64_t map_layout_hash() noexcept {
  return LayoutHash{}
      .add(kFacilityHeadFields, sizeof(FacilityHead))
      .add(kJournalEntryFields, sizeof(JournalEntry))
      .add(kEventFields, sizeof(Event))
      .add(kMapControlFields, sizeof(MapControl))
      .add(kMapSlotFields, sizeof(MapSlot))
      .add(kDepartedEditorsFields, sizeof(DepartedEditors))
      .add(kMapEntryFields, sizeof(MapEntry))
      .add(kAboutValueFields, sizeof(AboutValue))
      .add(kGuards)
      .add(kTransactionKeys)
      .add(kMapEvents)
      .value();
}

}  // namespace sapbuf::layout
