// The ledger: what was written, read, dropped and lost. Its counters are exact although their owner may be killed
// between any two stores, because each event becomes visible by a single store:
//
//   * a commit adds its message and bytes to the participant's progress word, in the store that also ends the
//     reservation;
//   * everything else writes a complete new record beside the current one, and the progress word's parity bit selects
//     it.
//
//   63     62      61              32 31               0
//   +------+--------+----------------+-----------------+
//   | busy | parity | messages since | bytes since     |      "since" the selected record
//   +------+--------+----------------+-----------------+
#pragma once

#include <sapbuf/layout/fields.hpp>
#include <sapbuf/layout/word.hpp>

namespace sapbuf::layout {

struct Progress {
  std::uint64_t word = 0;

  static constexpr std::uint64_t kBusy = std::uint64_t{1} << 63;
  static constexpr std::uint64_t kParity = std::uint64_t{1} << 62;
  static constexpr std::uint64_t kOneMessage = std::uint64_t{1} << 32;

  constexpr bool busy() const noexcept { return (word & kBusy) != 0; }
  constexpr unsigned parity() const noexcept { return (word & kParity) != 0 ? 1 : 0; }
  constexpr std::uint64_t messages() const noexcept { return bits(word, 32, 30); }
  constexpr std::uint64_t bytes() const noexcept { return word & 0xffff'ffffu; }
  // The word that selects the other record, with nothing counted since.
  constexpr Progress switched(bool busy) const noexcept { return {((word & kParity) ^ kParity) | (busy ? kBusy : 0)}; }
};

// One complete set of counters, on a line of its own.
//   written by  the participant (its record that is not selected); repair, once the participant is dead
//   read by     whoever settles it, inspect: who reads the selector and the record checks that it did not move meanwhile
//   edge        ledger-switch: release by the selector, behind the record <-> acquire
//   crash       before the selector: a record that does not count
struct alignas(kLineBytes) LedgerRecord {
  Word committed;        // messages
  Word committed_bytes;  // of payload
  Word aborted;
  Word dropped;
  Word abandoned;  // reservations that death cut off
  Word in_extent;  // messages of the writer's current extent that `committed` already includes
  Word reserved[2];
};
inline constexpr Field kLedgerRecordFields[] = {
    SAPBUF_FIELD(LedgerRecord, committed), SAPBUF_FIELD(LedgerRecord, committed_bytes),
    SAPBUF_FIELD(LedgerRecord, aborted),   SAPBUF_FIELD(LedgerRecord, dropped),
    SAPBUF_FIELD(LedgerRecord, abandoned), SAPBUF_FIELD(LedgerRecord, in_extent),
    SAPBUF_FIELD(LedgerRecord, reserved)};
static_assert(sizeof(LedgerRecord) == 64 && covers(kLedgerRecordFields, sizeof(LedgerRecord)));

// The sum over the participants that have left, kept like the records: the copy that is not selected is rewritten, then
// `departed_selector` moves. `last_departed` names who was added last, so that a repeated step adds nobody twice;
// before another takes that place, the one named there is marked in its slot (`counted`).
//   written by  whoever settles a slot, under the stream's lock
//   read by     whoever settles the next one, inspect
//   edge        departed-switch, as StreamControl::departed_selector
//   crash       a copy that does not count
struct alignas(kLineBytes) DepartedRecord {
  Word participants;
  Word committed;
  Word committed_bytes;
  Word aborted;
  Word dropped;
  Word abandoned;
  Word delivered;
  Word lost;
  Word last_departed;  // slot in bits 48..63, incarnation below
  Word skipped;
  Word reserved[6];
};
inline constexpr Field kDepartedRecordFields[] = {
    SAPBUF_FIELD(DepartedRecord, participants),    SAPBUF_FIELD(DepartedRecord, committed),
    SAPBUF_FIELD(DepartedRecord, committed_bytes), SAPBUF_FIELD(DepartedRecord, aborted),
    SAPBUF_FIELD(DepartedRecord, dropped),         SAPBUF_FIELD(DepartedRecord, abandoned),
    SAPBUF_FIELD(DepartedRecord, delivered),       SAPBUF_FIELD(DepartedRecord, lost),
    SAPBUF_FIELD(DepartedRecord, last_departed),   SAPBUF_FIELD(DepartedRecord, skipped),
    SAPBUF_FIELD(DepartedRecord, reserved)};
static_assert(sizeof(DepartedRecord) == 128 && covers(kDepartedRecordFields, sizeof(DepartedRecord)));

}  // namespace sapbuf::layout
