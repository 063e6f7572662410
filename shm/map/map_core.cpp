#include "map/map_core.hpp"

#include <algorithm>

#include "segment/event.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

// What the directory says of a map, checked. Throws Error.
layout::MapGeometry geometry_in(SegmentCore& segment, const DirectoryRecord& record) {
  const std::string title = title_of(segment, record);
  check_layout_hash(record, layout::map_layout_hash(), title);
  std::optional<layout::MapGeometry> geometry = layout::read_map_choices(record.choices);
  if (!geometry) throw_unknown_choices(title);
  geometry->participants = segment.geometry().participants;
  if (const auto problem = layout::problem_with(*geometry)) {
    throw Error(Errc::corrupt, title + " is corrupt: " + *problem);
  }
  layout::place(*geometry, record.offset);
  if (geometry->bytes_with(geometry->keys) > record.bytes) {
    throw Error(Errc::corrupt, title + " is corrupt: its region has " + std::to_string(record.bytes) + " bytes of " +
                                   std::to_string(geometry->bytes_with(geometry->keys)));
  }
  return *geometry;
}

std::shared_ptr<Facility> open(SegmentCore& segment, const DirectoryRecord& record) {
  return std::make_shared<MapCore>(segment, record);
}

}  // namespace

MapCore::MapCore(SegmentCore& segment, const DirectoryRecord& record)
    : Facility(segment, record, geometry_in(segment, record).entries_at - record.offset),
      geometry_(geometry_in(segment, record)) {}

std::uint32_t MapCore::entries() {
  entries_.get([&](MappedRange& range) {
    const std::uint64_t control_bytes = geometry_.entries_at - geometry_.head_at;
    std::byte* const begin =
        range.map_growing(segment(), segment().access(), geometry_.entries_at, bytes() - control_bytes,
                          record().most_bytes - control_bytes, platform::Dump::yes);
    reach_.store(std::min(geometry_.max_keys, range.reach() / geometry_.entry_bytes), relaxed);
    entries_at_.store(begin, relaxed);
    return begin;
  });
  const std::uint64_t entries = control().entries.load(std::memory_order_acquire);
  return static_cast<std::uint32_t>(std::min(entries, reach_.load(relaxed)));
}

std::uint32_t MapCore::used_entries() {
  const std::uint64_t used = std::min(control().used.load(std::memory_order_acquire), geometry_.max_keys);
  const std::uint32_t entries = this->entries();
  if (used > reach()) throw_out_of_reach();
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(used, entries));
}

void MapCore::throw_out_of_reach() const {
  throw Error(Errc::resource_exhausted, title() +
                                            " has grown beyond what this process can address: raise its RLIMIT_AS, or "
                                            "let it have more locked memory, and start it anew");
}

std::uint64_t MapCore::version() const noexcept {
  std::uint64_t changes = 0;
  for (std::uint32_t index = 0; index < segment().high_slot(); ++index) {
    changes += slot(index).changes.load(std::memory_order_acquire);
  }
  return changes;
}

// The sum of what all slots counted, while it changes: of a key that one inserted, and another one erased, the latter
// alone may be seen.
std::uint64_t MapCore::keys() const noexcept {
  std::uint64_t keys = 0;
  for (std::uint32_t index = 0; index < segment().high_slot(); ++index) keys += slot(index).keys.load(relaxed);
  const bool is_negative = (keys & std::uint64_t{1} << 61) != 0;
  return is_negative ? 0 : std::min(layout::KeyCount::modulo(keys), geometry_.max_keys);
}

std::shared_ptr<PoolCore> MapCore::pool() const {
  std::shared_ptr<Facility> found = find_facility(segment(), pool_id());
  if (found == nullptr || found->record().kind != layout::FacilityKind::pool) {
    check_not_removed();
    throw Error(Errc::corrupt, title() + " is corrupt: its pool is not there");
  }
  std::shared_ptr<PoolCore> pool = std::static_pointer_cast<PoolCore>(std::move(found));
  const auto places = layout::value_places(pool->geometry());
  if (!places || places->most_bytes < geometry_.value_bytes) {
    throw Error(Errc::corrupt, title() + " is corrupt: its pool's buffers are not as its values need them");
  }
  return pool;
}

layout::ValuePlaces MapCore::places_in(const PoolCore& pool) const noexcept {
  layout::ValuePlaces places = layout::value_places(pool.geometry()).value_or(layout::ValuePlaces{});
  places.most_bytes = geometry_.value_bytes;
  return places;
}

void MapCore::check() {
  const std::uint64_t entries = control().entries.load(std::memory_order_acquire);
  if (entries >= geometry_.keys && entries <= geometry_.max_keys && geometry_.bytes_with(entries) <= bytes()) return;
  segment().check_not_truncated();
  check_not_removed();
  throw Error(Errc::corrupt,
              title() + " is corrupt: it says that it has room for " + std::to_string(entries) + " keys");
}

void MapCore::prepare(std::uint32_t index) noexcept {
  layout::MapSlot& fresh = slot(index);
  for (layout::Word* word : {&fresh.committed, &fresh.flipped, &fresh.inserted, &fresh.erased, &fresh.waits,
                             &fresh.counting, &fresh.taking}) {
    word->store(0, relaxed);
  }
  for (layout::Word& entry : fresh.claiming) entry.store(0, relaxed);
  for (layout::Word& root : fresh.incoming) root.store(0, relaxed);
  for (layout::Word& guard : fresh.guards) guard.store(0, relaxed);
  const layout::SlotRegistration own{segment().participant(index).registration.load(relaxed)};
  fresh.tenure.store(own.incarnation(), relaxed);
}

void MapCore::mark_settled(std::uint32_t index) noexcept { slot(index).tenure.store(0, relaxed); }

// A version that was let go of is a buffer for those who wait for the pool.
void MapCore::wake_all() noexcept {
  for (layout::Event& event : control().events) notify(event);
  notify(control().changed);
  try {
    pool()->wake_all();
  } catch (const std::exception&) {
    // the pool cannot be opened here: they look again by themselves
  }
}

void MapCore::describe(std::vector<SegmentPart>& parts) const {
  const layout::MapGeometry& g = geometry_;
  const auto part = [&](std::string what, std::uint64_t begin, std::uint64_t end) {
    parts.push_back({record().name, std::move(what), begin, end - begin});
  };
  part("journal and counts of recoveries", g.head_at, g.control_at);
  part("control", g.control_at, g.slots_at);
  part(std::to_string(g.participants) + " slots", g.slots_at, g.index_at);
  part("index of " + std::to_string(g.places) + " places", g.index_at, g.index_at + g.places * sizeof(layout::Word));
  const std::uint64_t entries = std::min(control().entries.load(std::memory_order_acquire), g.max_keys);
  part(std::to_string(entries) + " entries", g.entries_at, g.entries_at + entries * g.entry_bytes);
}

// A `tenure` of 0 is nobody's, and an entry without a value sends whoever reads it to ask why.
bool MapCore::on_truncation() noexcept {
  const bool control = Facility::on_truncation();
  const bool entries = entries_.replace_by_zeros();
  return entries && control;
}

std::shared_ptr<MapCore> find_map(const std::shared_ptr<SegmentCore>& segment, std::string_view name) {
  return find_as<MapCore>(segment, layout::FacilityKind::map, name);
}

std::shared_ptr<MapCore> open_map(const std::shared_ptr<SegmentCore>& segment, std::string_view name) {
  return open_as<MapCore>(segment, layout::FacilityKind::map, name);
}

FacilityType map_type() noexcept { return {layout::FacilityKind::map, "map", &open}; }

}  // namespace SAPBUF_DETAIL
