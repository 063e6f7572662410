#include "segment/recovery.hpp"

#include <algorithm>
#include <set>

#include <sapbuf/detail/kill_point.hpp>
#include "platform/cancellation.hpp"
#include "platform/clock.hpp"
#include "segment/event.hpp"
#include "segment/facility.hpp"
#include "segment/journal.hpp"
#include "segment/ledger.hpp"
#include "segment/liveness.hpp"
#include "segment/maintenance_lock.hpp"
#include "segment/registry.hpp"

namespace sapbuf {

std::string_view to_string(Role role) noexcept {
  switch (role) {
    case Role::none:
      return "none";
    case Role::writer:
      return "writer";
    case Role::reader:
      return "reader";
  }
  return "unknown";
}

RecoveryReport recover(const Segment& segment) {
  const platform::Uncancellable to_its_end;
  return segment.core()->unless_truncated([&] { return detail::recover_core(*segment.core()); });
}
RecoveryReport find_dead(const Segment& segment) {
  const platform::Uncancellable to_its_end;
  return segment.core()->unless_truncated([&] { return detail::find_dead_core(*segment.core()); });
}

namespace detail {
namespace {

using layout::SlotState;
using layout::SlotTenure;

constexpr std::chrono::milliseconds kPatience{5};
constexpr std::uint64_t kRetryNs = 3'000'000;
constexpr std::uint64_t kSweeperPatienceNs = 16'000'000;  // with a sweeper that does not come to its end
constexpr std::uint64_t kLongestPauseNs = 100'000'000;
constexpr std::uint64_t kPauseCosts = 4;  // a pause is that many times as long as the sweep before it

struct Candidate {
  std::uint32_t slot;
  SlotTenure tenure;
  Proof proof;

  bool died() const noexcept { return tenure.state() == SlotState::attached; }
};

// `pending` becomes true if the locks cannot be asked: nobody is taken for dead then.
std::vector<Candidate> find_candidates(SegmentCore& core, bool& pending) {
  std::vector<Candidate> found;
  LivenessSweep sweep{core};
  const std::uint32_t high = core.high_slot();
  for (std::uint32_t index = 0; index < high; ++index) {
    SlotTenure tenure;
    const Proof proof = sweep.ask(index, tenure);
    if (is_proof(proof)) found.push_back({index, tenure, proof});
    pending = pending || proof == Proof::unknown;
  }
  return found;
}

std::vector<std::uint64_t> held_by(SegmentCore& core, std::uint32_t slot) {
  std::vector<std::uint64_t> generations;
  for (const Facility& facility : facilities()) facility.held(core, slot, generations);
  return generations;
}

DeadParticipant describe(SegmentCore& core, const Candidate& candidate) {
  const layout::ParticipantSlot& slot = core.slot(candidate.slot);
  return {.slot = candidate.slot,
          .role = static_cast<Role>(candidate.tenure.role()),
          .name = load_name(slot.name),
          .pid = static_cast<std::int32_t>(slot.pid.load(std::memory_order_relaxed)),
          .proof = to_text(candidate.proof),
          .held_generations = held_by(core, candidate.slot),
          .heartbeat_age_ms = HeartbeatClock{}.age_ns(slot) / 1'000'000};
}

// Steps 2 to 5 of the settling; false if it must be tried again later.
bool settle(SegmentCore& core, const Candidate& candidate, std::span<const std::uint64_t> held, RepairTally& tally,
            layout::JournalEntry* entry, std::uint32_t& reclaimed) {
  for (const Facility& facility : facilities()) {
    const bool done = facility.repair(core, candidate.slot, tally);
    if (entry != nullptr) note_repaired(*entry, tally);
    if (!done) return false;
  }
  SAPBUF_KILL_POINT("recover.repaired");
  add_to_departed(core, candidate.slot);
  SAPBUF_KILL_POINT("recover.departed");
  layout::ParticipantSlot& slot = core.slot(candidate.slot);
  slot.pins.store(0, std::memory_order_relaxed);
  slot.hold.store(layout::kNoHold, std::memory_order_release);
  for (const Facility& facility : facilities()) {
    reclaimed += facility.count_unheld(core, held, {&candidate.slot, 1});
  }
  if (entry != nullptr) finish_entry(*entry, reclaimed);
  SAPBUF_KILL_POINT("recover.finished");
  // For an owner that lives in spite of the proof. Whoever leaves by itself looks no more.
  if (entry != nullptr) slot.revoked.store(layout::kSettledByOthers, std::memory_order_relaxed);
  slot.tenure.store(SlotTenure::make(candidate.tenure.incarnation(), layout::SlotRole::none, SlotState::free).word,
                    std::memory_order_release);
  return true;
}

void settle_dead(SegmentCore& core, const Candidate& candidate, RecoveryReport& report) {
  DeadParticipant dead = describe(core, candidate);
  layout::JournalEntry* const entry =
      candidate.died() ? &open_entry(core, candidate.slot, candidate.tenure, candidate.proof) : nullptr;
  if (entry != nullptr) note_held(*entry, dead.held_generations);
  SAPBUF_KILL_POINT("recover.noted");
  RepairTally tally;
  std::uint32_t reclaimed = 0;
  if (!settle(core, candidate, dead.held_generations, tally, entry, reclaimed)) {
    report.pending = true;
    return;
  }
  if (!candidate.died()) return;
  layout::Control& control = core.control();
  control.recoveries.fetch_add(1, std::memory_order_relaxed);
  control.reclaimed_slabs.fetch_add(reclaimed, std::memory_order_relaxed);
  dead.repaired_frames = tally.frames;
  dead.repaired_bytes = tally.bytes;
  report.reclaimed_slabs += reclaimed;
  report.dead.push_back(std::move(dead));
}

// Whether those who wait leave the sweep to the caller. A time further off than any pause is another time namespace's,
// or garbage, and counts for nothing.
bool take_turn(layout::Word& next_sweep, std::uint64_t now, Sweepers sweepers) noexcept {
  std::uint64_t word = next_sweep.load(std::memory_order_relaxed);
  const layout::NextSweep next{word};
  const bool left_to_another = next.due_ns() > now && next.due_ns() - now <= kLongestPauseNs;
  if (left_to_another && (sweepers == Sweepers::one || !next.in_progress())) return false;
  return next_sweep.compare_exchange_strong(word, layout::NextSweep::begun(now + kSweeperPatienceNs).word,
                                            std::memory_order_relaxed) ||
         sweepers == Sweepers::any;
}

// Where nothing was found, nobody needs to look soon. What one could not do is left to whoever comes next.
void end_turn(layout::Word& next_sweep, std::uint64_t began_ns, const RecoveryReport& report) noexcept {
  const std::uint64_t now = platform::monotonic_ns();
  const std::uint64_t cost = report.dead.empty() ? now - began_ns : 0;
  const std::uint64_t pause = std::clamp(kPauseCosts * cost, kRetryNs, kLongestPauseNs);
  next_sweep.store(report.pending ? 0 : layout::NextSweep::due(now + pause).word, std::memory_order_relaxed);
}

}  // namespace

RecoveryReport recover_core(SegmentCore& core) {
  core.check_not_forked();
  // Before anything is repaired by words that cannot be right; and whoever attaches or looks after the segment is told,
  // although nobody died.
  for (const Facility& facility : facilities()) facility.check(core);
  RecoveryReport report;
  find_ended(core);
  if (find_candidates(core, report.pending).empty()) return report;
  {
    const MaintenanceLock lock{core, kPatience};
    if (!lock) {
      report.pending = true;
      return report;
    }
    SAPBUF_KILL_POINT("recover.locked");
    // Once more under the lock: what was found before may have been settled meanwhile.
    for (const Candidate& candidate : find_candidates(core, report.pending)) settle_dead(core, candidate, report);
  }
  notify(core.control().space);
  notify(core.control().data);
  return report;
}

RecoveryReport find_dead_core(SegmentCore& core) {
  core.check_not_forked();
  RecoveryReport report;
  std::vector<std::uint32_t> gone;
  std::set<std::uint64_t> held;
  find_ended(core);
  for (const Candidate& candidate : find_candidates(core, report.pending)) {
    gone.push_back(candidate.slot);
    if (!candidate.died()) continue;
    report.dead.push_back(describe(core, candidate));
    held.insert(report.dead.back().held_generations.begin(), report.dead.back().held_generations.end());
  }
  const std::vector<std::uint64_t> generations{held.begin(), held.end()};
  for (const Facility& facility : facilities())
    report.reclaimed_slabs += facility.count_unheld(core, generations, gone);
  return report;
}

void recover_while_waiting(SegmentCore& core, std::uint64_t& last_try_ns, Sweepers sweepers) noexcept {
  const std::uint64_t now = platform::monotonic_ns();
  if (now - last_try_ns < kRetryNs || !take_turn(core.control().next_sweep, now, sweepers)) return;
  last_try_ns = now;
  RecoveryReport report;
  report.pending = true;
  try {
    report = recover_core(core);
  } catch (const std::exception&) {
    // Out of memory or mappings here: some other participant or the watchdog will do it, or the next try.
  }
  end_turn(core.control().next_sweep, now, report);
}

void settle_own(SegmentCore& core, std::uint32_t slot, SlotTenure leaving,
                std::chrono::milliseconds patience) noexcept {
  try {
    {
      const MaintenanceLock lock{core, patience};
      // Acquire: with the lock, whoever settled the slot meanwhile is done with it.
      if (!lock || core.slot(slot).tenure.load(std::memory_order_acquire) != leaving.word) return;
      RepairTally tally;
      std::uint32_t reclaimed = 0;
      settle(core, {slot, leaving, Proof::left}, {}, tally, nullptr, reclaimed);
    }
    notify(core.control().space);
    notify(core.control().data);
  } catch (const std::exception&) {
    // As above: the slot says `leaving`.
  }
}

}  // namespace detail
}  // namespace sapbuf
