#include "segment/directory.hpp"

#include <algorithm>
#include <cstring>

#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/text.hpp>

#include "platform/clock.hpp"
#include "segment/facility.hpp"
#include "segment/maintenance_lock.hpp"
#include "segment/recovery.hpp"
#include "segment/words.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::Directory;
using layout::DirectoryEntry;
using layout::EntryLife;
using layout::EntryState;
using layout::FacilityId;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr std::chrono::milliseconds kPatience{2000};
constexpr std::chrono::milliseconds kSettlePatience{5};  // of who finds what a remover may have left behind

bool is_allowed(char letter) noexcept {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') ||
         letter == '.' || letter == '_' || letter == '-';
}

std::string title_of(SegmentCore& core) {
  return core.name().empty() ? "the segment in the supplied memory" : "segment '" + core.name() + "'";
}

[[noreturn]] void throw_corrupt(SegmentCore& core, std::uint32_t index) {
  throw Error(Errc::corrupt,
              title_of(core) + " is corrupt: entry " + std::to_string(index) + " of its directory makes no sense");
}

// All that a region may ever have, from the segment's first byte.
struct Region {
  std::uint64_t begin;
  std::uint64_t end;
};

// Where regions may stand: supplied memory ends, and nobody makes it any longer.
std::uint64_t end_of_regions(SegmentCore& core) noexcept {
  const std::uint64_t supplied = core.geometry().most_bytes;
  return supplied != 0 ? supplied : layout::kLockBase;
}

// Nothing if an entry's words make no sense.
std::optional<Region> region_of(SegmentCore& core, std::uint64_t begin, std::uint64_t bytes,
                                std::uint64_t most_bytes) noexcept {
  const std::uint64_t end = end_of_regions(core);
  const bool is_placed = begin >= core.geometry().regions_at && begin <= end && most_bytes <= end - begin;
  if (!is_placed || (begin | bytes | most_bytes) % layout::kPageBytes != 0) return std::nullopt;
  return Region{begin, begin + most_bytes};
}
std::optional<Region> region_of(SegmentCore& core, const DirectoryEntry& entry) noexcept {
  return region_of(core, entry.offset.load(relaxed), entry.bytes.load(relaxed), entry.most_bytes.load(relaxed));
}

bool is_living(EntryLife life) noexcept {
  return life.state() == EntryState::ready || life.state() == EntryState::closing;
}

// Nothing if the entry is not as it is asked for, or became another one meanwhile.
std::optional<DirectoryRecord> read_entry(SegmentCore& core, std::uint32_t index, bool also_closing = false) {
  const DirectoryEntry& entry = core.directory().entries[index];
  // directory: acquire, so that what it says is seen, and the region as it says.
  const EntryLife life{entry.life.load(std::memory_order_acquire)};
  if (!(also_closing ? is_living(life) : life.state() == EntryState::ready)) return std::nullopt;
  DirectoryRecord record{.id = FacilityId::make(life.incarnation(), index),
                         .kind = static_cast<layout::FacilityKind>(entry.kind.load(relaxed)),
                         .name = load_text(entry.name),
                         .offset = entry.offset.load(relaxed),
                         .bytes = entry.bytes.load(std::memory_order_acquire),  // growth
                         .most_bytes = entry.most_bytes.load(relaxed),
                         .layout_hash = entry.layout_hash.load(relaxed),
                         .created_at_ns = entry.created_at_ns.load(relaxed),
                         .needs = {entry.needs.load(relaxed)},
                         .choices = {}};
  for (std::size_t i = 0; i < layout::kChoices; ++i) record.choices[i] = entry.choices[i].load(relaxed);
  std::atomic_thread_fence(std::memory_order_acquire);
  if (entry.life.load(relaxed) != life.word) return std::nullopt;
  const std::optional<std::uint64_t> end = core.end_now();
  const bool is_named = !record.name.empty() && std::all_of(record.name.begin(), record.name.end(), &is_allowed);
  if (!region_of(core, record.offset, record.bytes, record.most_bytes) || record.bytes == 0 ||
      record.bytes > record.most_bytes || !is_named) {
    throw_corrupt(core, index);
  }
  // What cannot be told is told by mapping it.
  if (end && (record.offset > *end || record.bytes > *end - record.offset)) {
    throw Error(Errc::corrupt, title_of(core) + " is truncated: it has " + std::to_string(*end) + " bytes of " +
                                   std::to_string(record.offset + record.bytes));
  }
  return record;
}

EntryState state_of(const DirectoryEntry& entry) noexcept { return EntryLife{entry.life.load(relaxed)}.state(); }

void set_state(DirectoryEntry& entry, EntryState state, std::memory_order order = std::memory_order_release) noexcept {
  entry.life.store(EntryLife::make(EntryLife{entry.life.load(relaxed)}.incarnation(), state).word, order);
}

// Supplied memory: makes zero what is the facility's own of the bytes `from` to `to` of its region, which begins at
// `region`. What others left there is made zero where it is used anew, so that nothing else need be touched.
void zero_own(SegmentCore& core, std::uint64_t region, layout::FacilityKind kind,
              const std::uint64_t (&choices)[layout::kChoices], std::uint64_t from, std::uint64_t to) {
  const std::uint64_t end = own_bytes_of(kind, choices, core.geometry().participants, to);
  if (from < end) core.zero_supplied(region + from, end - from);
}

// The same of an entry that was ready: who lost the facility, and does not know it, finds nothing there.
void zero_own(SegmentCore& core, const DirectoryEntry& entry, const Region& region) {
  std::uint64_t choices[layout::kChoices];
  for (std::size_t i = 0; i < layout::kChoices; ++i) choices[i] = entry.choices[i].load(relaxed);
  const std::uint64_t bytes = std::min(entry.bytes.load(relaxed), region.end - region.begin);
  zero_own(core, region.begin, static_cast<layout::FacilityKind>(entry.kind.load(relaxed)), choices, 0, bytes);
}

// Gives back the pages of an entry's region, and the entry. The region may be half made, and its file's pages may reach
// a little further than the entry says; its words are checked like any others.
void clear(SegmentCore& core, DirectoryEntry& entry) {
  if (const std::optional<Region> region = region_of(core, entry)) {
    // Of one that was never ready, what its choices say may be another one's.
    if (state_of(entry) == EntryState::clearing) zero_own(core, entry, *region);
    const std::uint64_t end = std::min(region->end, core.end());
    if (region->begin < end) core.give_back(region->begin, end - region->begin);
  }
  SAPBUF_KILL_POINT(directory_cleared);
  set_state(entry, EntryState::free);
}

// What those who died under the lock left half done.
void settle(SegmentCore& core, Directory& directory) {
  for (DirectoryEntry& entry : directory.entries) {
    const EntryState state = state_of(entry);
    if (state == EntryState::closing) set_state(entry, EntryState::ready);
    if (state == EntryState::making || state == EntryState::clearing) clear(core, entry);
  }
}

// Where there is room for a region: the first gap between others that is large enough, or behind all of them. How much
// it may grow to there: `most_bytes`, or as much as there is.
Region find_room(SegmentCore& core, const Directory& directory, std::uint64_t bytes, std::uint64_t most_bytes) {
  std::vector<Region> used;
  for (std::uint32_t index = 0; index < layout::kMaxFacilities; ++index) {
    const DirectoryEntry& entry = directory.entries[index];
    if (state_of(entry) == EntryState::free) continue;
    const std::optional<Region> region = region_of(core, entry);
    if (!region) throw_corrupt(core, index);
    used.push_back(*region);
  }
  std::sort(used.begin(), used.end(), [](const Region& a, const Region& b) { return a.begin < b.begin; });
  std::uint64_t at = core.geometry().regions_at;
  for (const Region& region : used) {
    if (region.begin >= at && region.begin - at >= most_bytes) break;
    at = std::max(at, region.end);
  }
  const std::uint64_t end = end_of_regions(core);
  if (at > end || bytes > end - at) {
    const char* const why =
        core.geometry().most_bytes != 0 ? " ends where the memory does that was supplied: " : " has an end: ";
    throw Error(Errc::no_space, title_of(core) + why + std::to_string(bytes) + " bytes are needed, and " +
                                    std::to_string(end - std::min(at, end)) + " are left");
  }
  return {at, at + std::min(most_bytes, end - at)};
}

void initialise(SegmentCore& core, const FacilityPlan& plan, std::uint64_t offset) {
  zero_own(core, offset, plan.kind, plan.choices, 0, plan.bytes);
  MappedRange range;
  plan.initialise(range.map(core, platform::FileAccess::read_write, offset, plan.control_bytes, platform::Dump::yes));
}

void count_change(SegmentCore& core) noexcept { core.control().directory_changes.fetch_add(1, relaxed); }

DirectoryEntry* find_free(Directory& directory) noexcept {
  for (DirectoryEntry& entry : directory.entries) {
    if (state_of(entry) == EntryState::free) return &entry;
  }
  return nullptr;
}

// What an entry, or a plan for one, needs; 0: nothing.
template <typename Entry>
std::array<FacilityId, 2> read_needs(const Entry& entry) noexcept {
  const FacilityType* const type = type_of(entry.kind);
  const bool says_more = type != nullptr && type->also_needs != nullptr;
  return {entry.needs, says_more ? type->also_needs(entry.choices) : FacilityId{}};
}

// Under the directory's lock: so nothing that needs it is being made meanwhile.
void refuse_if_needed(SegmentCore& core, const Facility& facility) {
  for (const DirectoryRecord& other : directory::list(core)) {
    const auto needs = directory::needs_of(other);
    if (std::ranges::find(needs, facility.id()) == needs.end()) continue;
    throw Error(Errc::busy, facility.title() + " is needed by '" + other.name + "': remove that first");
  }
}

// Settles the dead among those who use it, or are about to; the first live one is named.
//   remove: acquire, behind the fence
void refuse_if_used(SegmentCore& core, Facility& facility) {
  recover_before_removal(facility);
  const std::uint32_t high = core.high_slot();
  for (std::uint32_t slot = 0; slot < high; ++slot) {
    const layout::ParticipantSlot& participant = core.participant(slot);
    const layout::SlotRegistration registration{participant.registration.load(std::memory_order_acquire)};
    if (!registration.in_use() || participant.facility.load(relaxed) != facility.id().word) continue;
    const bool named = registration.state() != layout::SlotState::attaching;
    throw Error(Errc::busy, facility.title() + " is in use" +
                                (named ? " by '" + load_name(participant.name) + "' (pid " +
                                             std::to_string(participant.pid.load(relaxed)) +
                                             "), and perhaps by others: end them first"
                                       : ": somebody is just attaching to it"));
  }
}

}  // namespace

void directory::check_name(std::string_view name) {
  const auto refuse = [&](const std::string& why) {
    throw Error(Errc::invalid_argument, "this cannot be the name of something in a segment: " + why);
  };
  if (name.empty()) refuse("it is empty");
  if (name.size() >= layout::kFacilityNameBytes) {
    refuse("it has " + std::to_string(name.size()) + " bytes, and " + std::to_string(layout::kFacilityNameBytes - 1) +
           " is the most");
  }
  if (!std::all_of(name.begin(), name.end(), &is_allowed)) {
    refuse("'" + printable(name) + "' has other characters than letters, digits and . _ -");
  }
}

void directory::write_entry(DirectoryEntry& entry, const FacilityPlan& plan, std::uint64_t incarnation,
                            std::uint64_t offset, std::uint64_t most_bytes) noexcept {
  // Killed from here on: what clears the entry gives back its region, which has no bytes until it is the new one.
  entry.most_bytes.store(0, relaxed);
  entry.life.store(EntryLife::make(incarnation, EntryState::making).word, std::memory_order_release);
  SAPBUF_KILL_POINT(directory_begun);
  // directory: release, so that whoever reads any of what follows does not take it for the facility before.
  std::atomic_thread_fence(std::memory_order_release);
  entry.kind.store(static_cast<std::uint64_t>(plan.kind), relaxed);
  entry.offset.store(offset, relaxed);
  entry.bytes.store(plan.bytes, relaxed);
  SAPBUF_KILL_POINT(directory_placed);
  entry.most_bytes.store(most_bytes, std::memory_order_release);
  entry.layout_hash.store(plan.layout_hash, relaxed);
  entry.created_at_ns.store(platform::wall_clock_ns(), relaxed);
  entry.needs.store(plan.needs.word, relaxed);
  store_text(entry.name, plan.name);
  for (std::size_t i = 0; i < layout::kChoices; ++i) entry.choices[i].store(plan.choices[i], relaxed);
}

std::vector<DirectoryRecord> directory::list(SegmentCore& core) {
  std::vector<DirectoryRecord> found;
  for (std::uint32_t index = 0; index < layout::kMaxFacilities; ++index) {
    if (std::optional<DirectoryRecord> record = read_entry(core, index)) found.push_back(std::move(*record));
  }
  return found;
}

std::optional<DirectoryRecord> directory::find_by_name(SegmentCore& core, std::string_view name) {
  for (std::uint32_t index = 0; index < layout::kMaxFacilities; ++index) {
    std::optional<DirectoryRecord> record = read_entry(core, index, true);
    if (!record || record->name != name) continue;
    if (is_ready_or_settled(core, record->id)) return record;
  }
  return std::nullopt;
}

std::optional<DirectoryRecord> directory::find_by_id(SegmentCore& core, FacilityId id) {
  if (id.index() >= layout::kMaxFacilities) return std::nullopt;
  std::optional<DirectoryRecord> record = read_entry(core, id.index(), true);
  if (record && record->id != id) return std::nullopt;
  return record;
}

std::vector<FacilityId> directory::list_in_use(SegmentCore& core) {
  std::vector<FacilityId> found;
  for (std::uint32_t index = 0; index < layout::kMaxFacilities; ++index) {
    // directory: acquire, so that who opens it finds it as the entry says.
    const EntryLife life{core.directory().entries[index].life.load(std::memory_order_acquire)};
    if (is_living(life)) found.push_back(FacilityId::make(life.incarnation(), index));
  }
  return found;
}

std::array<FacilityId, 2> directory::needs_of(const DirectoryRecord& record) noexcept { return read_needs(record); }

bool directory::is_in_use(SegmentCore& core, FacilityId id) noexcept {
  const EntryLife life{core.directory().entries[id.index()].life.load(std::memory_order_acquire)};
  return life.incarnation() == id.incarnation() && is_living(life);
}

bool directory::is_ready(SegmentCore& core, FacilityId id) noexcept {
  return core.directory().entries[id.index()].life.load(std::memory_order_seq_cst) ==
         EntryLife::make(id.incarnation(), EntryState::ready).word;
}

bool directory::is_ready_or_settled(SegmentCore& core, FacilityId id) noexcept {
  if (is_ready(core, id)) return true;
  if (!is_in_use(core, id)) return false;
  settle_what_was_left(core, kSettlePatience);
  return is_ready(core, id);
}

void directory::settle_what_was_left(SegmentCore& core, std::chrono::milliseconds patience) noexcept {
  const auto is_settled = [](const DirectoryEntry& entry) {
    const EntryState state = state_of(entry);
    return state == EntryState::free || state == EntryState::ready;
  };
  if (core.access() == platform::FileAccess::read_only || std::ranges::all_of(core.directory().entries, is_settled))
    return;
  try {
    if (const DirectoryLock lock{core, patience}; lock) {
      core.with_writable_directory([&](Directory& directory) { settle(core, directory); });
    }
  } catch (const std::exception&) {
    // Out of mappings, say: left to whoever comes next.
  }
}

DirectoryRecord directory::make(SegmentCore& core, const FacilityPlan& plan) {
  core.check_not_forked();
  check_name(plan.name);
  const DirectoryLock lock{core, kPatience};
  if (!lock) lock.throw_not_held();
  std::uint32_t index = 0;
  core.with_writable_directory([&](Directory& directory) {
    settle(core, directory);  // first: one that somebody died removing is there again
    if (find_by_name(core, plan.name)) {
      throw Error(Errc::exists, title_of(core) + " has a facility named '" + plan.name + "' already");
    }
    for (const FacilityId needed : read_needs(plan)) {
      if (needed.word == 0 || is_ready(core, needed)) continue;
      throw Error(Errc::not_found, "what '" + plan.name + "' needs was removed from " + title_of(core));
    }
    DirectoryEntry* const entry = find_free(directory);
    if (entry == nullptr) {
      throw Error(Errc::registry_full,
                  title_of(core) + " has " + std::to_string(layout::kMaxFacilities) + " facilities: remove one first");
    }
    index = static_cast<std::uint32_t>(entry - directory.entries);
    const Region room = find_room(core, directory, plan.bytes, std::max(plan.bytes, plan.most_bytes));
    const std::uint64_t incarnation = EntryLife{entry->life.load(relaxed)}.incarnation() + 1;
    write_entry(*entry, plan, incarnation, room.begin, room.end - room.begin);
    SAPBUF_KILL_POINT(directory_making);
    try {
      core.allocate(room.begin, plan.bytes);
      SAPBUF_KILL_POINT(directory_allocated);
      initialise(core, plan, room.begin);
    } catch (...) {
      try {
        clear(core, *entry);
      } catch (const std::exception&) {
        // Whoever has the lock next will do it.
      }
      throw;
    }
    SAPBUF_KILL_POINT(directory_initialised);
    // directory: release, behind entry and region.
    set_state(*entry, EntryState::ready);
    SAPBUF_KILL_POINT(directory_ready);
    count_change(core);
  });
  std::optional<DirectoryRecord> made = read_entry(core, index);
  if (!made) throw_corrupt(core, index);
  return *made;
}

void directory::grow(SegmentCore& core, FacilityId id, std::uint64_t bytes, std::chrono::milliseconds patience) {
  core.check_not_forked();
  const DirectoryLock lock{core, patience};
  if (!lock) lock.throw_not_held();
  core.with_writable_directory([&](Directory& directory) {
    settle(core, directory);
    const std::optional<DirectoryRecord> record = find_by_id(core, id);
    if (!record) throw Error(Errc::not_found, "what was to grow was removed from " + title_of(core));
    if (bytes <= record->bytes) return;
    if (bytes > record->most_bytes) {
      throw Error(Errc::no_space, "'" + record->name + "' in " + title_of(core) + " may grow to " +
                                      std::to_string(record->most_bytes) + " bytes, not to " + std::to_string(bytes));
    }
    const std::uint64_t grown = layout::round_up(bytes, layout::kPageBytes);
    core.allocate(record->offset + record->bytes, grown - record->bytes);
    zero_own(core, record->offset, record->kind, record->choices, record->bytes, grown);
    SAPBUF_KILL_POINT(growth_allocated);
    // growth: release, behind the allocation.
    directory.entries[id.index()].bytes.store(grown, std::memory_order_release);
    SAPBUF_KILL_POINT(growth_published);
  });
}

bool directory::remove(SegmentCore& core, std::string_view name) {
  core.check_not_forked();
  const DirectoryLock lock{core, kPatience};
  if (!lock) lock.throw_not_held();
  bool removed = false;
  core.with_writable_directory([&](Directory& directory) {
    settle(core, directory);
    const std::optional<DirectoryRecord> record = find_by_name(core, name);
    if (!record) return;
    const std::shared_ptr<Facility> facility = find_facility(core, record->id);
    if (!facility) {
      throw Error(Errc::incompatible, title_of(core) + " has a facility '" + std::string(name) +
                                          "' of a kind that this library does not know: use the version that made it");
    }
    refuse_if_needed(core, *facility);
    DirectoryEntry& entry = directory.entries[record->id.index()];
    // remove: seq_cst, before the slots are looked at.
    set_state(entry, EntryState::closing, std::memory_order_seq_cst);
    SAPBUF_KILL_POINT(directory_closing);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    std::optional<MaintenanceLock> end_of_work;  // also of those who have no participant there
    try {
      refuse_if_used(core, *facility);
      end_of_work.emplace(*facility, kPatience);
      if (!*end_of_work) end_of_work->throw_not_held();
    } catch (...) {
      set_state(entry, EntryState::ready);
      throw;
    }
    set_state(entry, EntryState::clearing);
    SAPBUF_KILL_POINT(directory_clearing);
    clear(core, entry);
    count_change(core);
    removed = true;
  });
  return removed;
}

}  // namespace SAPBUF_DETAIL
