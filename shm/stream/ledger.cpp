#include "stream/ledger.hpp"

#include <sapbuf/detail/kill_point.hpp>

#include "segment/departed.hpp"

namespace SAPBUF_DETAIL {
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
  using layout::DepartedRecord;
  layout::StreamControl& control = core.control();
  const layout::StreamSlot& slot = core.slot(index);
  const auto counted_in = [&](std::uint32_t other) -> layout::Word& { return core.slot(other).counted; };
  add_departed(control.departed_selector, control.departed, core.geometry().participants,
               {index, core.registration_of(index).incarnation()}, counted_in,
               [&](const DepartedRecord& from, DepartedRecord& to) {
                 const LedgerValues ledger = load_ledger(slot);
                 const auto add = [&](layout::Word DepartedRecord::*field, std::uint64_t value) {
                   (to.*field).store((from.*field).load(relaxed) + value, relaxed);
                 };
                 add(&DepartedRecord::committed, ledger.committed);
                 add(&DepartedRecord::committed_bytes, ledger.committed_bytes);
                 add(&DepartedRecord::aborted, ledger.aborted);
                 add(&DepartedRecord::dropped, ledger.dropped);
                 add(&DepartedRecord::abandoned, ledger.abandoned);
                 add(&DepartedRecord::delivered, slot.delivered.load(relaxed));
                 add(&DepartedRecord::lost, slot.lost.load(relaxed));
                 add(&DepartedRecord::skipped, slot.skipped.load(relaxed));
               });
}

}  // namespace SAPBUF_DETAIL
