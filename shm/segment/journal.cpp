#include "segment/journal.hpp"

#include <sapbuf/detail/kill_point.hpp>
#include "platform/clock.hpp"
#include "segment/registry.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

layout::JournalEntry& entry_of(Facility& facility, std::uint64_t number) noexcept {
  return facility.head().journal[number % layout::kJournalEntries];
}

// The entry of that registration, if it is in the ring: opened by a recoverer that died or had to leave it for later. Others
// may have been entered since.
layout::JournalEntry* find_entry(Facility& facility, std::uint32_t index,
                                 layout::SlotRegistration registration) noexcept {
  const std::uint64_t last = facility.head().journal_last.load(relaxed);
  for (std::uint64_t age = 0; age < layout::kJournalEntries && age < last; ++age) {
    layout::JournalEntry& entry = entry_of(facility, last - age);
    if (entry.number.load(relaxed) != last - age) continue;
    if (entry.slot.load(relaxed) == index && entry.registration.load(relaxed) == registration.word) return &entry;
  }
  return nullptr;
}

}  // namespace

layout::JournalEntry& open_entry(Facility& facility, std::uint32_t index, layout::SlotRegistration registration,
                                 Proof proof) noexcept {
  if (layout::JournalEntry* const begun = find_entry(facility, index, registration)) return *begun;
  layout::FacilityHead& head = facility.head();
  const std::uint64_t last = head.journal_last.load(relaxed);
  const layout::ParticipantSlot& slot = facility.segment().participant(index);
  layout::JournalEntry& entry = entry_of(facility, last + 1);
  entry.number.store(0, relaxed);  // an onlooker that sees 0 leaves the entry alone
  // journal: release, so that one that sees any of what follows sees the 0, too.
  std::atomic_thread_fence(std::memory_order_release);
  const auto kind = proof == Proof::process_ended ? layout::JournalKind::process_ended : layout::JournalKind::lock_free;
  entry.kind.store(static_cast<std::uint64_t>(kind), relaxed);
  entry.slot.store(index, relaxed);
  entry.registration.store(registration.word, relaxed);
  entry.pid.store(slot.pid.load(relaxed), relaxed);
  entry.noticed_ns.store(platform::wall_clock_ns(), relaxed);
  entry.finished_ns.store(0, relaxed);
  entry.heartbeat_age_ns.store(HeartbeatClock{}.age_ns(slot), relaxed);
  for (layout::Word* word : {&entry.held_first, &entry.held_last, &entry.held_count, &entry.held_bytes, &entry.repairs,
                             &entry.repaired_bytes, &entry.released}) {
    word->store(0, relaxed);
  }
  for (std::size_t i = 0; i < layout::kNameBytes / 8; ++i) entry.name[i].store(slot.name[i].load(relaxed), relaxed);
  SAPBUF_KILL_POINT(journal_filled);
  // journal: release, so that whoever sees the number sees the entry.
  entry.number.store(last + 1, std::memory_order_release);
  head.journal_last.store(last + 1, std::memory_order_release);
  return entry;
}

const char* proof_in(const layout::JournalEntry& entry) noexcept {
  const bool ended = entry.kind.load(relaxed) == static_cast<std::uint64_t>(layout::JournalKind::process_ended);
  return to_text(ended ? Proof::process_ended : Proof::lock_free);
}

void note_held(layout::JournalEntry& entry, std::span<const std::uint64_t> holdings, std::uint64_t bytes) noexcept {
  if (holdings.empty() || entry.held_first.load(relaxed) != 0) return;
  entry.held_last.store(holdings.back(), relaxed);
  entry.held_count.store(holdings.size(), relaxed);
  entry.held_bytes.store(bytes, relaxed);
  // journal: release, so that an onlooker that sees the first sees the others.
  entry.held_first.store(holdings.front(), std::memory_order_release);
}

void note_repaired(layout::JournalEntry& entry, const RepairTally& tally) noexcept {
  entry.repairs.fetch_add(tally.repairs, relaxed);
  entry.repaired_bytes.fetch_add(tally.bytes, relaxed);
}

void finish_entry(layout::JournalEntry& entry, std::uint32_t released) noexcept {
  if (entry.finished_ns.load(relaxed) != 0) return;  // finished by a recoverer that died before it freed the slot
  entry.released.store(released, relaxed);
  entry.finished_ns.store(platform::wall_clock_ns(), std::memory_order_release);
}

}  // namespace SAPBUF_DETAIL
