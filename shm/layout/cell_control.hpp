// A cell: one small value that many replace and anybody reads. Each participant has copies of its own, and one word names the
// newest of all copies: nothing is claimed, and whoever stops or dies is in nobody's way.
#pragma once

#include <sapbuf/layout/event.hpp>
#include <sapbuf/layout/fields.hpp>
#include <sapbuf/layout/word.hpp>

namespace sapbuf::layout {

inline constexpr std::uint64_t kMaxCellBytes = 4096;
// Of each participant: while a reader copies one, its writer may go on with the others before that is in vain.
inline constexpr std::uint32_t kCellCopies = 4;

// Which copy has the newest value.
//
//   63                14 13             0
//   +-------------------+---------------+
//   |      version      |  copy + 1     |      copy 0 is the one that the cell was made with, as version 0
//   +-------------------+---------------+
//
// The version is the number of values so far: it comes round after 10^15 of them, years at one in 50 ns.
struct CellCurrent {
  std::uint64_t word = 0;  // 0: the memory was taken away

  static constexpr CellCurrent make(std::uint64_t version, std::uint32_t copy) noexcept {
    return {version << 14 | (copy + 1)};
  }
  constexpr std::uint64_t version() const noexcept { return word >> 14; }
  constexpr std::uint32_t copy() const noexcept { return static_cast<std::uint32_t>(word & 0x3fff) - 1; }
};
static_assert(1 + kMaxParticipants * kCellCopies < 1u << 14);

// What stands before the bytes of a copy; copies are whole lines.
struct CellCopy {
  // Of the value in it; kUnfinished while it is being written.
  //   written by  the participant that has the copy, while it is not the current one
  //   read by     who read its bytes, behind them
  //   edge        copy: kUnfinished, release fence, the bytes <-> the bytes, acquire fence, this;  cell: the version, release
  //               with `current` <-> acquire
  //   crash       it stays unfinished until its participant, or the next one in the slot, writes it; it is not current
  Word version;

  static constexpr std::uint64_t kUnfinished = ~std::uint64_t{0};
  Word* bytes() noexcept { return &version + 1; }
};

struct alignas(kLineBytes) CellSlot {
  // The incarnation of the registration that has the slot, 0 once recovery settled it.
  //   written by  whoever takes the slot, before its registration says `attached`; recovery, under the cell's lock
  //   read by     the owner, at each store
  //   edge        none: it only leads the owner to its registration
  //   crash       harmless
  Word tenure;
  Word reserved[7];
};

struct alignas(kLineBytes) CellControl {
  // CellCurrent.
  //   written by  who stores a value: compare-exchange
  //   read by     everybody
  //   edge        cell: release, behind the copy <-> acquire
  //   crash       the value before or the new one, whole
  Word current;
  Word reserved[7];
  Event changed;  // there is another value
};

inline constexpr Field kCellCopyFields[] = {SAPBUF_FIELD(CellCopy, version)};
inline constexpr Field kCellSlotFields[] = {SAPBUF_FIELD(CellSlot, tenure), SAPBUF_FIELD(CellSlot, reserved)};
inline constexpr Field kCellControlFields[] = {SAPBUF_FIELD(CellControl, current), SAPBUF_FIELD(CellControl, reserved),
                                               SAPBUF_FIELD(CellControl, changed)};
static_assert(sizeof(CellCopy) == 8 && covers(kCellCopyFields, sizeof(CellCopy)));
static_assert(sizeof(CellSlot) == 64 && covers(kCellSlotFields, sizeof(CellSlot)));
static_assert(sizeof(CellControl) == 128 && covers(kCellControlFields, sizeof(CellControl)));

}  // namespace sapbuf::layout
