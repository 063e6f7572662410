// A map of a segment that is open in this process: where everything of it is. What the bytes mean is in
// layout/map_*.hpp; what is done with them, in the other files of this folder.
#pragma once

#include <optional>

#include <sapbuf/layout/map_geometry.hpp>

#include "pool/pool_core.hpp"
#include "segment/facility.hpp"

namespace SAPBUF_DETAIL {

// Everything that is read from shared memory and decides an address is taken from `geometry()`, a private copy that was
// validated when the map was opened, or checked against it.
class MapCore final : public Facility {
 public:
  // Throws Error (corrupt, incompatible, resource_exhausted).
  MapCore(SegmentCore& segment, const DirectoryRecord& record);

  const layout::MapGeometry& geometry() const noexcept { return geometry_; }
  layout::MapControl& control() const noexcept { return at<layout::MapControl>(geometry_.control_at); }
  layout::MapSlot& slot(std::uint32_t index) const noexcept {
    return at<layout::MapSlot>(geometry_.slots_at + index * sizeof(layout::MapSlot));
  }
  layout::Word& place(std::uint64_t number) const noexcept {  // of the index
    return at<layout::Word>(geometry_.index_at + (number & (geometry_.places - 1)) * sizeof(layout::Word));
  }
  // Entries that there are, and that this process can address; they are mapped when this is first asked. Throws Error
  // (resource_exhausted).
  //   growth: acquire, so that their pages are there
  std::uint32_t entries();
  // That this process can address, behind entries(): all that the map may ever have, or, where the system refuses so many
  // addresses, those that there were then.
  std::uint64_t reach() const noexcept { return reach_.load(std::memory_order_relaxed); }
  // Of one below that; its key's words.
  layout::MapEntry& entry(std::uint32_t number) const noexcept {
    return *reinterpret_cast<layout::MapEntry*>(entries_at_.load(std::memory_order_relaxed) +
                                                number * geometry_.entry_bytes);
  }
  layout::Word* key_of(std::uint32_t number) const noexcept {
    return reinterpret_cast<layout::Word*>(reinterpret_cast<std::byte*>(&entry(number)) + sizeof(layout::MapEntry));
  }
  // Those that may ever have had a key. Throws Error (resource_exhausted), also where this process cannot address all of
  // them: what it does not see may have any key, and root any buffer.
  //   index: acquire
  std::uint32_t used_entries();
  layout::Event& event_of(std::uint64_t hash) const noexcept { return control().events[hash % layout::kMapEvents]; }
  [[noreturn]] void throw_out_of_reach() const;
  // That have a value; exact while none is inserted or erased.
  std::uint64_t keys() const noexcept;
  // The sum of all changes.
  std::uint64_t version() const noexcept;

  // Whether the slot's participant has an entry claimed, or is about to.
  bool is_claiming(std::uint32_t slot) const noexcept;

  // The pool that the values are buffers of, opened in this process; not to be called while a facility is being opened.
  // Throws Error (corrupt if that is no pool, or too small for the values).
  std::shared_ptr<PoolCore> pool() const;
  // Where in that pool's buffers the values stand, and the most that one of this map can have.
  layout::ValuePlaces places_in(const PoolCore& pool) const noexcept;
  layout::FacilityId pool_id() const noexcept { return record().needs; }

  bool full_fences() const noexcept { return segment().full_fences(); }

  // See Facility.
  void check() override;
  void prepare(std::uint32_t slot) noexcept override;
  void mark_settled(std::uint32_t slot) noexcept override;
  void wake_all() noexcept override;
  void describe(std::vector<SegmentPart>& parts) const override;
  bool on_truncation() noexcept override;
  // In map/holdings.cpp. A holding is a buffer of the pool, by its number: its index, plus one.
  void find_holdings(std::uint32_t slot, std::vector<std::uint64_t>& buffers) override;
  std::uint64_t bytes_of(std::span<const std::uint64_t> buffers) const noexcept override;
  bool is_in_the_way(std::uint32_t slot, layout::SlotRegistration registration) override;
  bool repair(std::uint32_t slot, RepairTally& tally) override;
  void release(std::uint32_t slot) noexcept override;
  std::uint32_t count_released(std::span<const std::uint64_t> buffers, std::span<const std::uint32_t> gone) override;
  void collect_roots(layout::FacilityId pool, std::vector<std::uint64_t>& roots) override;
  // All of these but the entries' own.
  void collect_roots_of_slots(std::vector<std::uint64_t>& roots);

 private:
  std::optional<std::uint32_t> claimed_by(std::uint32_t slot, std::uint32_t place);
  void roll_forward(std::uint32_t slot);
  void add_to_departed(std::uint32_t slot) noexcept;

  const layout::MapGeometry geometry_;
  MappedOnDemand entries_;
  std::atomic<std::byte*> entries_at_{nullptr};
  std::atomic<std::uint64_t> reach_{0};  // in entries
};

// The map `name` of a segment, for a handle. Throws Error: not_found, and as the constructor.
std::shared_ptr<MapCore> open_map(const std::shared_ptr<SegmentCore>& segment, std::string_view name);
// The same if it is there.
std::shared_ptr<MapCore> find_map(const std::shared_ptr<SegmentCore>& segment, std::string_view name);

// Its type, for facilities.cpp.
FacilityType map_type() noexcept;

}  // namespace SAPBUF_DETAIL
