// What lives in a segment: a facility (a stream, pool, map, queue or cell) stands in a region of its own, which
// the directory names. This layer walks over the dead, and asks each one's facility what to do about him, without
// knowing what he was doing.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <sapbuf/inspect.hpp>
#include <sapbuf/layout/facility.hpp>

#include "segment/directory.hpp"
#include "segment/segment_core.hpp"

namespace SAPBUF_DETAIL {

// A handle of a facility, as far as fork is concerned.
class ForkHook {
 public:
  // In the child: make the handle unusable. The segment's memory has been replaced by private zeros already.
  virtual void after_fork_in_child() noexcept = 0;

 protected:
  ~ForkHook() = default;
};

// What was brought to an end on behalf of the dead.
struct RepairTally {
  std::uint64_t repairs = 0;
  std::uint64_t bytes = 0;
};

// The slot's registration, if a participant of this facility has it; a free one otherwise, also while one is just taking
// it.
//   registry: acquire, so that the words behind it are this registration's
inline layout::SlotRegistration registration_in(SegmentCore& segment, layout::FacilityId facility,
                                                std::uint32_t slot) noexcept {
  const layout::ParticipantSlot& participant = segment.participant(slot);
  const layout::SlotRegistration registration{participant.registration.load(std::memory_order_acquire)};
  const bool own = participant.facility.load(std::memory_order_relaxed) == facility.word;
  const bool had =
      registration.state() == layout::SlotState::attached || registration.state() == layout::SlotState::leaving;
  return own && had ? registration : layout::SlotRegistration{};
}

// One facility of a segment that is open in this process: its control part is mapped. Thread-safe but for what callers
// do with the words. All that is done to a slot is asked for under this facility's maintenance lock, of a slot whose
// participant is one of its own; each of these steps may be repeated after any partial run.
class Facility : public platform::ForkWatcher {
 public:
  // Maps the first `control_bytes` of the region. Throws Error.
  Facility(SegmentCore& segment, DirectoryRecord record, std::uint64_t control_bytes);
  Facility(const Facility&) = delete;
  Facility& operator=(const Facility&) = delete;
  virtual ~Facility();

  SegmentCore& segment() const noexcept { return segment_; }
  const DirectoryRecord& record() const noexcept { return record_; }
  layout::FacilityId id() const noexcept { return record_.id; }
  // "segment 'ticks'", or "stream 'ticks/orders'": for errors.
  std::string title() const;
  // Also while somebody is about to remove it: it may turn out to be in use.
  bool is_current() const noexcept { return segment_.is_current() && directory::is_in_use(segment_, id()); }
  // Its place is not another one's. To who has lost the segment the directory says nothing, and there is nothing that could
  // be another one's by now.
  bool has_its_place() const noexcept;
  // Throws Errc::not_found once it was removed from its segment.
  void check_not_removed() const;
  [[noreturn]] void throw_removed() const;
  // Whether both are the same facility, opened twice perhaps. Touches no shared memory.
  bool is_same(const Facility& other) const noexcept {
    return segment_.creation_id() == other.segment_.creation_id() && id() == other.id();
  }
  layout::FacilityHead& head() const noexcept { return *reinterpret_cast<layout::FacilityHead*>(control_); }
  // Bytes of its region that may be touched now: somebody may extend it meanwhile. What this process can address of
  // them is its MappedRange's reach().
  //   growth: acquire, so that they are allocated
  std::uint64_t bytes() const noexcept;
  // See directory::grow().
  void grow(std::uint64_t to_bytes, std::chrono::milliseconds patience) const {
    directory::grow(segment_, id(), to_bytes, patience);
  }
  std::uint64_t maintenance_lock() const noexcept { return layout::kMaintenanceLocks + id().index(); }

  // See registration_in().
  layout::SlotRegistration registration_of(std::uint32_t slot) const noexcept {
    return registration_in(segment_, id(), slot);
  }

  // Handles that must learn of a fork.
  void add(ForkHook& hook);
  void remove(ForkHook& hook) noexcept;

  // Throws Errc::corrupt if the words that everything else hangs on contradict themselves. Changes nothing.
  virtual void check() = 0;
  // Makes the slot's words those of a participant that has done nothing yet. The slot is free, and the caller has it.
  virtual void prepare(std::uint32_t slot) noexcept = 0;
  // What the slot's participant keeps from others, by numbers of the facility's own, in their order. Changes nothing.
  virtual void find_holdings(std::uint32_t slot, std::vector<std::uint64_t>& holdings) = 0;
  // Of memory that these holdings keep from others.
  virtual std::uint64_t bytes_of(std::span<const std::uint64_t> holdings) const noexcept;
  // Whether somebody may be waiting for the slot's participant. Changes nothing.
  virtual bool is_in_the_way(std::uint32_t slot, layout::SlotRegistration registration) = 0;
  // Ends all that the slot's participant had begun. Its owner is dead, or calls this itself. False: a live participant
  // must take a step first; try later.
  virtual bool repair(std::uint32_t slot, RepairTally& tally) = 0;
  // Behind it: adds the participant's counts to those of the departed, once, and lets go of what it kept.
  virtual void release(std::uint32_t slot) noexcept = 0;
  // Behind that, of one that was dead: if its owner lives in spite of the proof, its next call is told.
  virtual void mark_settled(std::uint32_t slot) noexcept = 0;
  // How many of these holdings are kept by nobody but, perhaps, the participants of these slots.
  virtual std::uint32_t count_released(std::span<const std::uint64_t> holdings,
                                       std::span<const std::uint32_t> gone) = 0;
  // Something was released or repaired: wakes whoever may be waiting for that.
  virtual void wake_all() noexcept = 0;

  // Adds the roots (layout::Root) that this facility has for buffers of the pool: what it keeps there. Under the pool's
  // lock, and no lock of its own.
  virtual void collect_roots(layout::FacilityId pool, std::vector<std::uint64_t>& roots);
  // Lets go of buffers of the pool that it keeps only because nothing made it let go so far, or takes a step towards it.
  // False: there is nothing (more) to be had. Takes its own lock; nobody may hold the pool's.
  virtual bool shed(layout::FacilityId pool);

  // What stands where in its region, for people.
  virtual void describe(std::vector<SegmentPart>& parts) const = 0;

  // The file was truncated: private zeros take the place of what this facility has mapped, at the same addresses, and
  // the words that every step begins with say so. Async-signal-safe. False if the system refuses. Of one whose
  // constructor is still at it, only the control part is there, and nothing else may be asked.
  bool tell_of_truncation() noexcept { return complete_ ? on_truncation() : control_range_.replace_by_zeros(); }
  // Behind the constructor: what happened before that is made up for.
  void complete() noexcept;

 protected:
  // See tell_of_truncation().
  virtual bool on_truncation() noexcept;
  // The word or struct at an offset from the segment's first byte, in the control part.
  template <typename T>
  T& at(std::uint64_t offset) const noexcept {
    return *reinterpret_cast<T*>(control_ + (offset - record_.offset));
  }

 private:
  void after_fork_in_child() noexcept override;

  SegmentCore& segment_;  // owns this; a handle keeps both
  const DirectoryRecord record_;
  const std::uint64_t control_bytes_;
  MappedRange control_range_;
  std::atomic<bool> complete_{false};
  std::byte* control_ = nullptr;
  std::vector<ForkHook*> hooks_;  // changed within NoFork sections
};

// Calls `visit(slot, registration)` for each participant of the facility, until it returns true; whether it did. By its
// id alone, also for one of a kind that this library does not know.
template <typename Visit>
bool any_participant(SegmentCore& segment, layout::FacilityId facility, Visit visit) {
  const std::uint32_t high = segment.high_slot();
  for (std::uint32_t slot = 0; slot < high; ++slot) {
    const layout::SlotRegistration registration = registration_in(segment, facility, slot);
    if (registration.in_use() && visit(slot, registration)) return true;
  }
  return false;
}
template <typename Visit>
bool any_participant(const Facility& facility, Visit visit) {
  return any_participant(facility.segment(), facility.id(), visit);
}

// The same for all of them.
template <typename Visit>
void for_each_participant(SegmentCore& segment, layout::FacilityId facility, Visit visit) {
  any_participant(segment, facility, [&visit](std::uint32_t slot, layout::SlotRegistration registration) {
    visit(slot, registration);
    return false;
  });
}
template <typename Visit>
void for_each_participant(const Facility& facility, Visit visit) {
  for_each_participant(facility.segment(), facility.id(), visit);
}

// A kind of facility.
struct FacilityType {
  layout::FacilityKind kind;
  std::string_view name;  // for people: "stream"
  std::shared_ptr<Facility> (*open)(SegmentCore& segment, const DirectoryRecord& record);
  // What one with these choices needs besides DirectoryRecord::needs; null where that is nothing.
  layout::FacilityId (*also_needs)(const std::uint64_t (&choices)[layout::kChoices]) noexcept = nullptr;
  // Of the region of one with these choices, from its beginning, the bytes that are the facility's own; null: all. What lies
  // beyond is its users', and the library neither reads nor writes it.
  std::uint64_t (*own_bytes)(const std::uint64_t (&choices)[layout::kChoices], std::uint32_t participants) = nullptr;
};

// All of them; defined in facilities.cpp, above the layers that this one may include.
std::span<const FacilityType> facility_types() noexcept;
// Null for a kind that this library does not know.
const FacilityType* type_of(layout::FacilityKind kind) noexcept;
// See FacilityType; no more than `bytes`.
std::uint64_t own_bytes_of(layout::FacilityKind kind, const std::uint64_t (&choices)[layout::kChoices],
                           std::uint32_t participants, std::uint64_t bytes);

// The facility that has this id, opened in this process if it was not yet. Null if it has been removed, or is of a kind
// that this library does not know. Stays the segment's: see keep(). Throws Error (corrupt, incompatible,
// resource_exhausted).
std::shared_ptr<Facility> find_facility(SegmentCore& segment, layout::FacilityId id);

// All that are in the segment, opened like that; also those that somebody is about to remove, for until that is decided
// they are in use. Nothing if one of them cannot be opened here, or is of an unknown kind: who knows what it keeps?
std::optional<std::vector<std::shared_ptr<Facility>>> all_facilities(SegmentCore& segment) noexcept;

[[noreturn]] void throw_not_there(SegmentCore& segment, layout::FacilityKind kind, std::string_view name);

// For handles, which outlive everything else: keeps the facility, and the segment that it is in.
template <typename T>
std::shared_ptr<T> keep(std::shared_ptr<SegmentCore> segment, std::shared_ptr<T> facility) {
  T* const address = facility.get();
  using Both = std::pair<std::shared_ptr<SegmentCore>, std::shared_ptr<T>>;  // the second goes first
  return {std::make_shared<Both>(std::move(segment), std::move(facility)), address};
}

// By name, for a handle; null if there is none of this name and kind.
template <typename Core>
std::shared_ptr<Core> find_as(const std::shared_ptr<SegmentCore>& segment, layout::FacilityKind kind,
                              std::string_view name) {
  segment->check_not_forked();
  const std::optional<DirectoryRecord> record = directory::find_by_name(*segment, name);
  if (!record || record->kind != kind) return nullptr;
  return keep(segment, std::static_pointer_cast<Core>(find_facility(*segment, record->id)));
}
// The same, or Errc::not_found.
template <typename Core>
std::shared_ptr<Core> open_as(const std::shared_ptr<SegmentCore>& segment, layout::FacilityKind kind,
                              std::string_view name) {
  std::shared_ptr<Core> found = find_as<Core>(segment, kind, name);
  if (found == nullptr) throw_not_there(*segment, kind, name);
  return found;
}
// `find()` gives a handle or null, and `create()` makes what is not there.
template <typename Find, typename Create>
auto find_or_create(Find find, Create create) {
  constexpr int kTries = 100;
  for (int tried = 0;; ++tried) {
    if (auto there = find()) return *std::move(there);
    try {
      return create();
    } catch (const Error& error) {
      // Somebody was faster: his is there, or is gone again; or it is something else.
      if (error.errc() != Errc::exists || tried == kTries) throw;
    }
  }
}

// For those who open a kind: "stream 'orders' of segment 'ticks'", and what is thrown where another version made it.
std::string title_of(SegmentCore& segment, const DirectoryRecord& record);
void check_layout_hash(const DirectoryRecord& record, std::uint64_t own, const std::string& title);
[[noreturn]] void throw_unknown_choices(const std::string& title);

// What users are told of an entry.
FacilityInfo info_of(const DirectoryRecord& record);

// The facilities that a segment with these options is made with; defined in facilities.cpp.
std::vector<FacilityPlan> plans_of(const SegmentOptions& options);

}  // namespace SAPBUF_DETAIL
