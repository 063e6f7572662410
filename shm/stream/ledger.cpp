#include "stream/ledger.hpp"

#include <sapbuf/detail/kill_point.hpp>

namespace sapbuf::detail {
namespace {

using layout::Progress;

constexpr auto relaxed = std::memory_order_relaxed;

LedgerValues values_at(const layout::StreamSlot& slot, Progress progress) noexcept {
  const layout::LedgerRecord& record = slot.records[progress.parity()];
  return {.committed = record.committed.load(relaxed) + progress.messages(),
          .committed_bytes = record.committed_bytes.load(relaxed) + progress.bytes(),
          .aborted = record.aborted.load(relaxed),
          .dropped = record.dropped.load(relaxed),
          .abandoned = record.abandoned.load(relaxed),
          .in_extent = record.in_extent.load(relaxed) + progress.messages()};
}

// Who was in a slot, as the departed record names it.
struct Occupant {
  std::uint32_t slot;
  std::uint64_t incarnation;

  static constexpr std::uint64_t kIncarnation = 0xffff'ffff'ffffu;
  static Occupant from_word(std::uint64_t word) noexcept {
    return {static_cast<std::uint32_t>(word >> 48), word & kIncarnation};
  }
  std::uint64_t word() const noexcept { return std::uint64_t{slot} << 48 | (incarnation & kIncarnation); }
};

// Whoever added it may have died before the slot was free, and somebody else may be settled before that slot is.
void mark_last_departed(StreamCore& core, const layout::DepartedRecord& record) noexcept {
  if (record.participants.load(relaxed) == 0) return;
  const Occupant last = Occupant::from_word(record.last_departed.load(relaxed));
  if (last.slot < core.geometry().participants) core.slot(last.slot).counted.store(last.incarnation, relaxed);
}

}  // namespace

LedgerValues load_ledger(const layout::StreamSlot& slot) noexcept {
  return values_at(slot, {slot.progress.load(std::memory_order_acquire)});
}

LedgerValues observe_ledger(const layout::StreamSlot& slot) noexcept {
  // The record that is selected is not written until the selector has moved away from it and back: if parity did not
  // change, or a few tries are over, the values are good enough to show.
  LedgerValues values;
  for (int tries = 0; tries < 100; ++tries) {
    const Progress before{slot.progress.load(std::memory_order_acquire)};
    values = values_at(slot, before);
    std::atomic_thread_fence(std::memory_order_acquire);
    const Progress after{slot.progress.load(relaxed)};
    if (before.parity() == after.parity() && before.messages() <= after.messages()) break;
  }
  return values;
}

void store_ledger(layout::StreamSlot& slot, const LedgerValues& values, bool busy) noexcept {
  const Progress next = Progress{slot.progress.load(relaxed)}.switched(busy);
  layout::LedgerRecord& record = slot.records[next.parity()];
  // ledger-switch: release, so that an onlooker that sees any of this sees that the selector had left the record.
  std::atomic_thread_fence(std::memory_order_release);
  record.committed.store(values.committed, relaxed);
  record.committed_bytes.store(values.committed_bytes, relaxed);
  record.aborted.store(values.aborted, relaxed);
  record.dropped.store(values.dropped, relaxed);
  record.abandoned.store(values.abandoned, relaxed);
  record.in_extent.store(values.in_extent, relaxed);
  SAPBUF_KILL_POINT(ledger_before_switch);
  // ledger-switch: release, so that whoever sees the selector sees the whole record.
  slot.progress.store(next.word, std::memory_order_release);
}

void add_to_departed(StreamCore& core, std::uint32_t index) noexcept {
  layout::StreamControl& control = core.control();
  const layout::StreamSlot& slot = core.slot(index);
  const Occupant who{index, core.registration_of(index).incarnation()};
  const std::uint64_t selector = control.departed_selector.load(std::memory_order_acquire);
  const layout::DepartedRecord& from = control.departed[selector & 1];
  layout::DepartedRecord& to = control.departed[(selector + 1) & 1];
  mark_last_departed(core, from);
  if (slot.counted.load(relaxed) == who.incarnation) return;

  const LedgerValues ledger = load_ledger(slot);
  // departed-switch: release, so that an onlooker that sees any of this sees that the selector had left the record.
  std::atomic_thread_fence(std::memory_order_release);
  const auto add = [&](layout::Word layout::DepartedRecord::*field, std::uint64_t value) {
    (to.*field).store((from.*field).load(relaxed) + value, relaxed);
  };
  add(&layout::DepartedRecord::participants, 1);
  add(&layout::DepartedRecord::committed, ledger.committed);
  add(&layout::DepartedRecord::committed_bytes, ledger.committed_bytes);
  add(&layout::DepartedRecord::aborted, ledger.aborted);
  add(&layout::DepartedRecord::dropped, ledger.dropped);
  add(&layout::DepartedRecord::abandoned, ledger.abandoned);
  add(&layout::DepartedRecord::delivered, slot.delivered.load(relaxed));
  add(&layout::DepartedRecord::lost, slot.lost.load(relaxed));
  add(&layout::DepartedRecord::skipped, slot.skipped.load(relaxed));
  to.last_departed.store(who.word(), relaxed);
  SAPBUF_KILL_POINT(departed_before_switch);
  // departed-switch: release, so that whoever sees the selector sees the whole record.
  control.departed_selector.store(selector + 1, std::memory_order_release);
}

}  // namespace sapbuf::detail
