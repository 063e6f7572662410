#include "segment/recovery.hpp"

#include <algorithm>
#include <map>
#include <new>
#include <set>

#include <sapbuf/detail/kill_point.hpp>
#include "platform/cancellation.hpp"
#include "platform/clock.hpp"
#include "segment/facility.hpp"
#include "segment/journal.hpp"
#include "segment/liveness.hpp"
#include "segment/maintenance_lock.hpp"
#include "segment/registry.hpp"

namespace sapbuf {
inline namespace SAPBUF_ABI {

std::string_view to_string(Role role) noexcept {
  switch (role) {
    case Role::none:
      return "none";
    case Role::writer:
      return "writer";
    case Role::reader:
      return "reader";
    case Role::user:
      return "user";
    case Role::viewer:
      return "viewer";
    case Role::editor:
      return "editor";
    case Role::producer:
      return "producer";
    case Role::consumer:
      return "consumer";
  }
  return "unknown";
}

RecoveryReport recover(const Segment& segment) {
  const platform::Uncancellable to_its_end;
  detail::SegmentCore& core = *segment.core();
  return core.unless_truncated([&] {
    core.check_not_forked();
    detail::directory::settle_what_was_left(core, std::chrono::milliseconds{0});
    return detail::recover_all(core);
  });
}
RecoveryReport find_dead(const Segment& segment) {
  const platform::Uncancellable to_its_end;
  detail::SegmentCore& core = *segment.core();
  return core.unless_truncated([&] { return detail::find_dead_core(core); });
}

namespace detail {
namespace {

using layout::FacilityId;
using layout::SlotRegistration;
using layout::SlotState;

constexpr std::chrono::milliseconds kPatience{5};
constexpr std::uint64_t kRetryNs = 3'000'000;
constexpr std::uint64_t kSweeperPatienceNs = 16'000'000;  // with a sweeper that does not come to its end
constexpr std::uint64_t kLongestPauseNs = 100'000'000;
constexpr std::uint64_t kPauseCosts = 4;  // a pause is that many times as long as the sweep before it

struct Candidate {
  std::uint32_t slot;
  SlotRegistration registration;
  Proof proof;
  layout::FacilityId facility;

  bool died() const noexcept { return registration.state() == SlotState::attached; }
  bool had_anything() const noexcept { return registration.state() != SlotState::attaching; }
};

// `pending` becomes true if the locks cannot be asked: nobody is taken for dead then.
std::vector<Candidate> find_candidates(SegmentCore& core, bool& pending) {
  std::vector<Candidate> found;
  LivenessSweep sweep{core};
  const std::uint32_t high = core.high_slot();
  for (std::uint32_t index = 0; index < high; ++index) {
    SlotRegistration registration;
    const Proof proof = sweep.ask(index, registration);
    const layout::FacilityId facility{core.participant(index).facility.load(std::memory_order_relaxed)};
    if (is_proof(proof)) found.push_back({index, registration, proof, facility});
    pending = pending || proof == Proof::unknown;
  }
  return found;
}

// What goes wrong in one facility keeps nobody from the others: the first of it is thrown when all is done.
class Troubles {
 public:
  // Null: all are told of. Else those of one facility only.
  explicit Troubles(const Facility* whose = nullptr) noexcept : whose_(whose) {}

  // Whether `step` came to its end. What a facility shows that is just being removed says nothing: zeros, perhaps.
  template <typename Step>
  bool keep(SegmentCore& core, FacilityId id, RecoveryReport& report, Step step) {
    try {
      step();
      return true;
    } catch (const Error& error) {
      if (!directory::is_ready(core, id) && !core.truncated()) return false;
      // Of what is corrupt, nothing is left for the next call.
      report.pending = report.pending || error.errc() != Errc::corrupt;
      note(id);
    } catch (const std::exception&) {
      report.pending = true;
      note(id);
    }
    return false;
  }
  void throw_first() const {
    if (first_) std::rethrow_exception(first_);
  }

 private:
  void note(FacilityId id) noexcept {
    if (!first_ && (whose_ == nullptr || whose_->id() == id)) first_ = std::current_exception();
  }

  const Facility* const whose_;
  std::exception_ptr first_;
};

enum class Opening { open, unknown, not_here, removed, corrupt };

// Also of an id that makes no sense.
bool is_removed(SegmentCore& core, FacilityId id) noexcept {
  return id.index() < layout::kMaxFacilities && !directory::is_in_use(core, id);
}

// One that this process cannot open must not keep it from the others. Throws Errc::corrupt.
Opening try_to_open(SegmentCore& core, FacilityId id, std::shared_ptr<Facility>& facility) {
  try {
    facility = find_facility(core, id);
    if (facility) return Opening::open;
    return is_removed(core, id) ? Opening::removed : Opening::unknown;
  } catch (const Error& error) {
    if (error.errc() == Errc::incompatible) return Opening::unknown;
    if (error.errc() == Errc::resource_exhausted) return Opening::not_here;
    throw;
  } catch (const std::bad_alloc&) {
    return Opening::not_here;
  }
}

// One for each facility that somebody needs settling in; those that this process cannot open are left to others.
std::vector<std::shared_ptr<Facility>> facilities_of(SegmentCore& core, const std::vector<Candidate>& candidates,
                                                     RecoveryReport& report, Troubles& troubles) {
  std::map<std::uint64_t, Opening> found;
  std::vector<std::shared_ptr<Facility>> all;
  for (const Candidate& candidate : candidates) {
    const auto [place, is_new] = found.try_emplace(candidate.facility.word);
    Opening& opening = place->second;
    if (is_new) {
      std::shared_ptr<Facility> facility;
      const auto open = [&] { opening = try_to_open(core, candidate.facility, facility); };
      if (!troubles.keep(core, candidate.facility, report, open)) opening = Opening::corrupt;
      if (facility) all.push_back(std::move(facility));
    }
    if (opening == Opening::unknown) ++report.left_alone;
    if (opening == Opening::not_here) report.pending = true;
  }
  return all;
}

std::vector<std::uint64_t> holdings_of(Facility& facility, std::uint32_t slot) {
  std::vector<std::uint64_t> holdings;
  facility.find_holdings(slot, holdings);
  return holdings;
}

DeadParticipant describe(Facility& facility, const Candidate& candidate) {
  const layout::ParticipantSlot& slot = facility.segment().participant(candidate.slot);
  std::vector<std::uint64_t> held = holdings_of(facility, candidate.slot);
  const std::uint64_t held_bytes = facility.bytes_of(held);
  return {.slot = candidate.slot,
          .role = static_cast<Role>(candidate.registration.role()),
          .facility = facility.record().name,
          .name = load_name(slot.name),
          .pid = static_cast<std::int32_t>(slot.pid.load(std::memory_order_relaxed)),
          .proof = to_text(candidate.proof),
          .held_generations = std::move(held),
          .held_bytes = held_bytes,
          .heartbeat_age_ms = HeartbeatClock{}.age_ns(slot) / 1'000'000};
}

// For an owner that lives in spite of the proof.
void mark_settled(Facility& facility, std::uint32_t slot) noexcept {
  facility.mark_settled(slot);
  facility.segment().participant(slot).attention.store(layout::kSettledByOthers, std::memory_order_relaxed);
}

// Steps 2 to 4 of the settling; false if it must be tried again later.
bool settle(Facility& facility, const Candidate& candidate, std::span<const std::uint64_t> held, RepairTally& tally,
            layout::JournalEntry* entry, std::uint32_t& released) {
  const bool done = facility.repair(candidate.slot, tally);
  if (entry != nullptr) note_repaired(*entry, tally);
  if (!done) return false;
  SAPBUF_KILL_POINT(recover_repaired);
  facility.release(candidate.slot);
  released = facility.count_released(held, {&candidate.slot, 1});
  if (entry != nullptr) finish_entry(*entry, released);
  SAPBUF_KILL_POINT(recover_finished);
  // Whoever leaves by itself looks no more.
  if (entry != nullptr) mark_settled(facility, candidate.slot);
  return true;
}

// The end of the settling. Those who wait are woken before: should this process be killed, the slots are what leads the next
// one here. And behind it, for whoever waits for a slot. All with the lock: without participants, the facility may be
// removed behind it.
void free_slots(Facility& facility, std::span<const Candidate> settled) noexcept {
  facility.wake_all();
  for (const Candidate& candidate : settled) {
    facility.segment()
        .participant(candidate.slot)
        .registration.store(
            SlotRegistration::make(candidate.registration.incarnation(), layout::SlotRole::none, SlotState::free).word,
            std::memory_order_release);
  }
  SAPBUF_KILL_POINT(recover_freed);
  facility.wake_all();
}

// Of those who were settled, also where one that comes later cannot be.
struct SlotsToFree {
  explicit SlotsToFree(Facility& of) noexcept : facility(of) {}
  SlotsToFree(const SlotsToFree&) = delete;
  SlotsToFree& operator=(const SlotsToFree&) = delete;
  ~SlotsToFree() {
    free_slots(facility, settled);
    facility.head().recoveries.fetch_add(dead, std::memory_order_relaxed);
    facility.head().released.fetch_add(released, std::memory_order_relaxed);
  }

  Facility& facility;
  std::vector<Candidate> settled;
  std::uint64_t dead = 0;      // of these
  std::uint64_t released = 0;  // by them
};

// False: it must be tried again later.
bool settle_dead(Facility& facility, const Candidate& candidate, SlotsToFree& slots, RecoveryReport& report) {
  DeadParticipant dead = describe(facility, candidate);
  layout::JournalEntry* const entry =
      candidate.died() ? &open_entry(facility, candidate.slot, candidate.registration, candidate.proof) : nullptr;
  if (entry != nullptr) note_held(*entry, dead.held_generations, dead.held_bytes);
  SAPBUF_KILL_POINT(recover_noted);
  RepairTally tally;
  std::uint32_t released = 0;
  if (!settle(facility, candidate, dead.held_generations, tally, entry, released)) return false;
  slots.settled.push_back(candidate);
  if (!candidate.died()) return true;
  slots.dead += 1;
  slots.released += released;
  dead.repairs = tally.repairs;
  dead.repaired_bytes = tally.bytes;
  report.released += released;
  report.dead.push_back(std::move(dead));
  return true;
}

// The same; false also where this process has no memory or addresses for it, and somebody else may.
bool try_to_settle(Facility& facility, const Candidate& candidate, SlotsToFree& slots, RecoveryReport& report) {
  try {
    return settle_dead(facility, candidate, slots, report);
  } catch (const Error& error) {
    if (error.errc() != Errc::resource_exhausted) throw;
  } catch (const std::bad_alloc&) {
  }
  return false;
}

// Also what it stands on: a queue's repair goes into its pool. Throws Errc::corrupt.
void check_with_needs(Facility& facility) {
  facility.check();
  for (const FacilityId id : directory::needs_of(facility.record())) {
    std::shared_ptr<Facility> needed;
    if (id.word != 0 && try_to_open(facility.segment(), id, needed) == Opening::open) needed->check();
  }
}

// Settles all who need it in one facility.
void recover_facility(Facility& facility, RecoveryReport& report) {
  check_with_needs(facility);
  const MaintenanceLock lock{facility, kPatience};
  if (!lock) {
    report.pending = true;
    return;
  }
  SAPBUF_KILL_POINT(recover_locked);
  // Once more under the lock: what was found before may have been settled meanwhile.
  SlotsToFree slots{facility};
  for (const Candidate& candidate : find_candidates(facility.segment(), report.pending)) {
    if (candidate.facility != facility.id() || !candidate.had_anything()) continue;
    if (!try_to_settle(facility, candidate, slots, report)) report.pending = true;
  }
}

// Those who died before they had anything.
void free_unattached(SegmentCore& core, std::vector<Candidate>& candidates) {
  std::erase_if(candidates, [&](const Candidate& candidate) {
    return registry::free_if_attaching(core, candidate.slot, candidate.registration);
  });
}

// Those that are open in this process: whoever attaches, or looks after the segment, is told of what is corrupt, although
// nobody died.
void check_facilities(SegmentCore& core, RecoveryReport& report, Troubles& troubles) {
  const std::lock_guard guard{core.facilities_mutex()};
  for (const auto& [place, facility] : core.facilities()) {
    if (!directory::is_ready(core, facility->id())) continue;
    troubles.keep(core, facility->id(), report, [&facility = *facility] { facility.check(); });
  }
}

// So that none that is corrupt is overlooked.
void open_all(SegmentCore& core, RecoveryReport& report, Troubles& troubles) {
  const std::uint64_t changes = core.control().directory_changes.load(std::memory_order_relaxed);
  if (core.opened_all_at().load(std::memory_order_relaxed) == changes + 1) return;
  bool all = true;
  for (const FacilityId id : directory::list_in_use(core)) {
    std::shared_ptr<Facility> facility;
    const auto open = [&] { all = try_to_open(core, id, facility) != Opening::not_here && all; };
    all = troubles.keep(core, id, report, open) && all;
  }
  if (all) core.opened_all_at().store(changes + 1, std::memory_order_relaxed);
}

// Looks at all participants of the segment, and settles those who need it.
void sweep(SegmentCore& core, RecoveryReport& report, Troubles& troubles) {
  check_facilities(core, report, troubles);
  find_ended(core);
  std::vector<Candidate> candidates = find_candidates(core, report.pending);
  if (candidates.empty()) return;
  free_unattached(core, candidates);
  for (const auto& facility : facilities_of(core, candidates, report, troubles)) {
    troubles.keep(core, facility->id(), report, [&] { recover_facility(*facility, report); });
  }
}

// The slots of its dead, without a look at what they left.
void let_go_of_dead(Facility& facility) {
  const MaintenanceLock lock{facility, kPatience};
  if (!lock) return;
  bool pending = false;
  SlotsToFree slots{facility};
  for (const Candidate& candidate : find_candidates(facility.segment(), pending)) {
    if (candidate.facility != facility.id() || !candidate.had_anything()) continue;
    slots.settled.push_back(candidate);
    if (!candidate.died()) continue;
    mark_settled(facility, candidate.slot);
    slots.dead += 1;
  }
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

RecoveryReport recover_all(SegmentCore& core) {
  core.check_not_forked();
  RecoveryReport report;
  Troubles troubles;
  open_all(core, report, troubles);
  sweep(core, report, troubles);
  troubles.throw_first();
  return report;
}

RecoveryReport recover_for(const Facility& facility) {
  SegmentCore& core = facility.segment();
  core.check_not_forked();
  RecoveryReport report;
  Troubles troubles{&facility};
  sweep(core, report, troubles);
  troubles.throw_first();
  return report;
}

void recover_before_removal(Facility& facility) {
  try {
    recover_for(facility);
    facility.check();
  } catch (const Error& error) {
    // It may say of itself that it is being removed.
    if (error.errc() != Errc::corrupt && error.errc() != Errc::not_found) throw;
    let_go_of_dead(facility);
  }
}

RecoveryReport find_dead_core(SegmentCore& core) {
  core.check_not_forked();
  RecoveryReport report;
  find_ended(core);
  std::vector<Candidate> candidates = find_candidates(core, report.pending);
  std::erase_if(candidates, [](const Candidate& candidate) { return !candidate.had_anything(); });
  Troubles troubles;
  for (const auto& facility : facilities_of(core, candidates, report, troubles)) {
    std::vector<std::uint32_t> gone;
    std::set<std::uint64_t> held;
    for (const Candidate& candidate : candidates) {
      if (candidate.facility != facility->id()) continue;
      gone.push_back(candidate.slot);
      if (!candidate.died()) continue;
      report.dead.push_back(describe(*facility, candidate));
      held.insert(report.dead.back().held_generations.begin(), report.dead.back().held_generations.end());
    }
    const std::vector<std::uint64_t> holdings{held.begin(), held.end()};
    report.released += facility->count_released(holdings, gone);
  }
  troubles.throw_first();
  return report;
}

void recover_while_waiting(SegmentCore& core, std::uint64_t& last_try_ns, Sweepers sweepers) noexcept {
  const std::uint64_t now = platform::monotonic_ns();
  if (now - last_try_ns < kRetryNs || !take_turn(core.control().next_sweep, now, sweepers)) return;
  last_try_ns = now;
  RecoveryReport report;
  try {
    Troubles told_to_others;
    core.check_not_forked();
    sweep(core, report, told_to_others);
  } catch (const std::exception&) {
    // Out of memory or mappings here: some other participant or the watchdog will do it, or the next try.
    report.pending = true;
  }
  end_turn(core.control().next_sweep, now, report);
}

void settle_own(Facility& facility, std::uint32_t slot, SlotRegistration leaving,
                std::chrono::milliseconds patience) noexcept {
  try {
    const MaintenanceLock lock{facility, patience};
    // Acquire: with the lock, whoever settled the slot meanwhile is done with it.
    const layout::Word& registration = facility.segment().participant(slot).registration;
    if (!lock || registration.load(std::memory_order_acquire) != leaving.word) return;
    RepairTally tally;
    std::uint32_t released = 0;
    const Candidate own{slot, leaving, Proof::left, facility.id()};
    const bool settled = settle(facility, own, {}, tally, nullptr, released);
    free_slots(facility, {&own, settled ? 1u : 0u});
  } catch (const std::exception&) {
    // As above: the slot says `leaving`.
  }
}

}  // namespace detail
}  // namespace SAPBUF_ABI
}  // namespace sapbuf
