// A facility that grows: a page of head, and behind it cells, as many as its region has room for. Nobody attaches to it.
#pragma once

#include <memory>
#include <string_view>

#include <sapbuf/segment.hpp>

#include "segment/facility.hpp"
#include "support/child.hpp"

namespace sapbuf::test {

inline constexpr auto kTapeKind = static_cast<layout::FacilityKind>(201);
inline constexpr std::uint64_t kCellsPerPage = layout::kPageBytes / 8;

class Tape final : public detail::Facility {
 public:
  Tape(detail::SegmentCore& segment, const detail::DirectoryRecord& record);

  // With so many pages of cells, and as many as it may come to have.
  static detail::FacilityPlan plan(std::string_view name, std::uint64_t pages, std::uint64_t most_pages);
  static void make(const Segment& segment, std::string_view name, std::uint64_t pages, std::uint64_t most_pages);
  static std::shared_ptr<Tape> find(const Segment& segment, std::string_view name);

  std::uint64_t pages() const noexcept { return bytes() / layout::kPageBytes - 1; }
  std::uint64_t pages_in_reach() const noexcept { return range_.reach() / layout::kPageBytes - 1; }
  void grow_to(std::uint64_t pages) { grow((1 + pages) * layout::kPageBytes, kPatience); }
  layout::Word& cell(std::uint64_t index) const noexcept { return cells_[index]; }
  // The sum of all cells that there are.
  std::uint64_t sum() const;

  void check() override {}
  void prepare(std::uint32_t) noexcept override {}
  void find_holdings(std::uint32_t, std::vector<std::uint64_t>&) override {}
  bool is_in_the_way(std::uint32_t, layout::SlotRegistration) override { return false; }
  bool repair(std::uint32_t, detail::RepairTally&) override { return true; }
  void release(std::uint32_t) noexcept override {}
  void mark_settled(std::uint32_t) noexcept override {}
  std::uint32_t count_released(std::span<const std::uint64_t>, std::span<const std::uint32_t>) override { return 0; }
  void wake_all() noexcept override {}
  void describe(std::vector<SegmentPart>&) const override {}

 private:
  detail::MappedRange range_;  // all of the region
  layout::Word* cells_ = nullptr;
};

}  // namespace sapbuf::test
