// What a cell is made of and where each part begins. Computed from the choices in its directory entry by everybody who opens
// it, and kept in private memory.
//
//   region    + head     + control   + participants x 64    + whole lines each
//   +---------+----------+-----------+----------------------+--------+------------------+------------------+---
//   | head    | control  | slots     | copy 0 | copies of slot 0 | copies of slot 1 |...
//   +---------+----------+-----------+----------------------+--------+------------------+------------------+---
#pragma once

#include <optional>
#include <string>

#include <sapbuf/layout/cell_control.hpp>
#include <sapbuf/layout/directory.hpp>
#include <sapbuf/layout/facility.hpp>

namespace sapbuf::layout {

struct CellGeometry {
  std::uint64_t value_bytes = 0;
  std::uint32_t participants = 0;
  // Offsets from the segment's first byte.
  std::uint64_t head_at = 0;
  std::uint64_t control_at = 0;
  std::uint64_t slots_at = 0;
  std::uint64_t copies_at = 0;
  std::uint64_t copy_bytes = 0;  // of each, with its version
  std::uint32_t copies = 0;

  constexpr std::uint64_t bytes() const noexcept {  // of the region
    return round_up(copies_at + copies * copy_bytes - head_at, kPageBytes);
  }
};

// The first of a participant's copies.
constexpr std::uint32_t first_copy_of(std::uint32_t slot) noexcept { return 1 + slot * kCellCopies; }

// Fills in the rest of a region that begins at `region`.
constexpr void place(CellGeometry& g, std::uint64_t region) noexcept {
  g.head_at = region;
  g.control_at = g.head_at + sizeof(FacilityHead);
  g.slots_at = g.control_at + sizeof(CellControl);
  g.copies_at = g.slots_at + g.participants * sizeof(CellSlot);
  g.copy_bytes = round_up(sizeof(CellCopy) + g.value_bytes, kLineBytes);
  g.copies = first_copy_of(g.participants);
}

// The choices as a directory entry has them, and back. Nothing if a word says what this library does not know.
void write_choices(const CellGeometry& geometry, std::uint64_t (&choices)[kChoices]) noexcept;
std::optional<CellGeometry> read_cell_choices(const std::uint64_t (&choices)[kChoices]) noexcept;

// Changes with every shared struct of cells: see layout_hash().
constexpr std::uint64_t cell_layout_hash() noexcept {
  return LayoutHash{}
      .add(kFacilityHeadFields, sizeof(FacilityHead))
      .add(kJournalEntryFields, sizeof(JournalEntry))
      .add(kEventFields, sizeof(Event))
      .add(kCellControlFields, sizeof(CellControl))
      .add(kCellSlotFields, sizeof(CellSlot))
      .add(kCellCopyFields, sizeof(CellCopy))
      .add(kCellCopies)
      .value();
}

}  // namespace sapbuf::layout
