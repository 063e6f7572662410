// A facility that is no stream, as small as one can be: participants count, and the counts of those who are gone stay.
// While one counts, it keeps the number of its slot to itself (its holding).
#pragma once

#include <memory>
#include <string_view>

#include <sapbuf/segment.hpp>

#include "segment/facility.hpp"
#include "segment/registry.hpp"

namespace sapbuf::test {

inline constexpr auto kCounterKind = static_cast<layout::FacilityKind>(200);

class Counter final : public detail::Facility {
 public:
  Counter(detail::SegmentCore& segment, const detail::DirectoryRecord& record);

  static detail::FacilityPlan plan(std::string_view name, std::uint32_t participants);
  static std::shared_ptr<Counter> find(const Segment& segment, std::string_view name);

  std::uint64_t total() const;  // of all that ever counted
  bool is_counting(std::uint32_t slot) const;
  void set_counting(std::uint32_t slot, bool counting);
  void count(std::uint32_t slot);

  void check() override;
  void prepare(std::uint32_t slot) noexcept override;
  void find_holdings(std::uint32_t slot, std::vector<std::uint64_t>& holdings) override;
  bool is_in_the_way(std::uint32_t slot, layout::SlotRegistration registration) override;
  bool repair(std::uint32_t slot, detail::RepairTally& tally) override;
  void release(std::uint32_t slot) noexcept override;
  void mark_settled(std::uint32_t slot) noexcept override;
  std::uint32_t count_released(std::span<const std::uint64_t> holdings, std::span<const std::uint32_t> gone) override;
  void wake_all() noexcept override;
  void describe(std::vector<SegmentPart>& parts) const override;

 private:
  struct alignas(layout::kLineBytes) Slot {
    // What those who had the slot before counted (upper half), and what its owner did: one store adds the one to the
    // other.
    layout::Word counts;
    layout::Word counting;
    layout::Word marked;  // recovery settled the slot
  };
  Slot& slot_at(std::uint32_t slot) const {
    return at<Slot>(record().offset + sizeof(layout::FacilityHead) + slot * sizeof(Slot));
  }
};

// A participant of it.
class CounterUser {
 public:
  CounterUser(const Segment& segment, std::string_view counter, std::string_view name);

  std::uint32_t slot() const noexcept { return attachment_.slot(); }
  bool is_current() const noexcept { return attachment_.is_current(); }
  void begin() { counter_->set_counting(slot(), true); }
  void count() { counter_->count(slot()); }
  void end() { counter_->set_counting(slot(), false); }

 private:
  std::shared_ptr<Counter> counter_;
  detail::Attachment attachment_;
};

}  // namespace sapbuf::test
