// A cell of a segment that is open in this process: where everything of it is. What the bytes mean is in
// layout/cell_*.hpp.
#pragma once

#include <sapbuf/layout/cell_geometry.hpp>

#include "segment/facility.hpp"

namespace SAPBUF_DETAIL {

// Nothing that a participant does is in anybody's way, whenever it dies: recovery only frees its slot.
class CellCore final : public Facility {
 public:
  // Throws Error (corrupt, incompatible, resource_exhausted).
  CellCore(SegmentCore& segment, const DirectoryRecord& record);

  // A private copy, validated when the cell was opened.
  const layout::CellGeometry& geometry() const noexcept { return geometry_; }
  layout::CellControl& control() const noexcept { return at<layout::CellControl>(geometry_.control_at); }
  layout::CellSlot& slot(std::uint32_t index) const noexcept {
    return at<layout::CellSlot>(geometry_.slots_at + index * sizeof(layout::CellSlot));
  }
  bool full_fences() const noexcept { return segment().full_fences(); }
  std::byte* copies() const noexcept { return &at<std::byte>(geometry_.copies_at); }

  // See Facility.
  void check() override;
  void prepare(std::uint32_t slot) noexcept override;
  void find_holdings(std::uint32_t, std::vector<std::uint64_t>&) override {}
  bool is_in_the_way(std::uint32_t, layout::SlotRegistration) override { return false; }
  bool repair(std::uint32_t, RepairTally&) override { return true; }
  void release(std::uint32_t) noexcept override {}
  void mark_settled(std::uint32_t slot) noexcept override;
  std::uint32_t count_released(std::span<const std::uint64_t>, std::span<const std::uint32_t>) override { return 0; }
  void wake_all() noexcept override;
  void describe(std::vector<SegmentPart>& parts) const override;

 private:
  const layout::CellGeometry geometry_;
};

// Its type, for facilities.cpp.
FacilityType cell_type() noexcept;

}  // namespace SAPBUF_DETAIL
