#include "facility/counter.hpp"

#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>

namespace sapbuf::test {
namespace {

constexpr std::uint64_t kOwn = 0xffff'ffff;

std::uint64_t control_bytes(std::uint32_t participants) {
  return layout::round_up(sizeof(layout::FacilityHead) + participants * layout::kLineBytes, layout::kPageBytes);
}

}  // namespace

Counter::Counter(detail::SegmentCore& segment, const detail::DirectoryRecord& record)
    : Facility(segment, record, control_bytes(segment.geometry().participants)) {}

detail::FacilityPlan Counter::plan(std::string_view name, std::uint32_t participants) {
  const std::uint64_t bytes = control_bytes(participants);
  return {.kind = kCounterKind,
          .name = std::string(name),
          .bytes = bytes,
          .control_bytes = bytes,
          .layout_hash = 1,
          .choices = {},
          .initialise = [](std::byte*) {}};
}

std::shared_ptr<Counter> Counter::find(const Segment& segment, std::string_view name) {
  return detail::open_as<Counter>(segment.core(), kCounterKind, name);
}

std::uint64_t Counter::total() const {
  std::uint64_t total = 0;
  for (std::uint32_t slot = 0; slot < segment().geometry().participants; ++slot) {
    const std::uint64_t counts = slot_at(slot).counts.load();
    total += (counts >> 32) + (counts & kOwn);
  }
  return total;
}

bool Counter::is_counting(std::uint32_t slot) const { return slot_at(slot).counting.load() != 0; }
void Counter::set_counting(std::uint32_t slot, bool counting) { slot_at(slot).counting.store(counting ? 1 : 0); }
void Counter::count(std::uint32_t slot) { slot_at(slot).counts.fetch_add(1); }

void Counter::check() {}

void Counter::prepare(std::uint32_t slot) noexcept {
  slot_at(slot).counting.store(0);
  slot_at(slot).marked.store(0);
}

void Counter::find_holdings(std::uint32_t slot, std::vector<std::uint64_t>& holdings) {
  if (is_counting(slot)) holdings.push_back(slot + 1);
}

bool Counter::is_in_the_way(std::uint32_t slot, layout::SlotRegistration) { return is_counting(slot); }

bool Counter::repair(std::uint32_t slot, detail::RepairTally& tally) {
  if (!is_counting(slot)) return true;
  ++tally.repairs;
  tally.bytes += 8;
  set_counting(slot, false);
  SAPBUF_KILL_POINT(counter_repaired);
  return true;
}

void Counter::release(std::uint32_t slot) noexcept {
  layout::Word& counts = slot_at(slot).counts;
  counts.store(((counts.load() >> 32) + (counts.load() & kOwn)) << 32);
  SAPBUF_KILL_POINT(counter_released);
}

void Counter::mark_settled(std::uint32_t slot) noexcept { slot_at(slot).marked.store(1); }

std::uint32_t Counter::count_released(std::span<const std::uint64_t> holdings, std::span<const std::uint32_t> gone) {
  return static_cast<std::uint32_t>(std::count_if(holdings.begin(), holdings.end(), [&](std::uint64_t holding) {
    const auto slot = static_cast<std::uint32_t>(holding - 1);
    return std::find(gone.begin(), gone.end(), slot) != gone.end() || !is_counting(slot);
  }));
}

void Counter::wake_all() noexcept {}

void Counter::describe(std::vector<SegmentPart>& parts) const {
  parts.push_back({record().name, "counts", record().offset, record().bytes});
}

CounterUser::CounterUser(const Segment& segment, std::string_view counter, std::string_view name)
    : counter_(Counter::find(segment, counter)),
      attachment_(detail::registry::attach(*counter_, layout::SlotRole::writer, name)) {}

}  // namespace sapbuf::test
