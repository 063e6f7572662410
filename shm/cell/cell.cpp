// A handle of a cell: its beginning, its end, and what goes beyond the inlined paths of sapbuf/cell.hpp.
#include <sapbuf/cell.hpp>

#include "cell/cell_core.hpp"
#include "platform/cancellation.hpp"
#include "platform/counted.hpp"
#include "platform/fence.hpp"
#include "segment/event.hpp"
#include "segment/recovery.hpp"
#include "segment/registry.hpp"

namespace SAPBUF_DETAIL {
namespace {

using platform::Uncancellable;

constexpr std::uint64_t kNapNs = 10'000'000;  // of one that looks for a flag
// Looks in vain at one and the same value: whoever overwrites a copy has seen another one before.
constexpr std::uint32_t kMostTimes = 1 << 16;

FacilityPlan plan_cell(std::string_view name, std::span<const std::byte> initial, std::uint32_t participants) {
  layout::CellGeometry geometry;
  geometry.value_bytes = initial.size();
  geometry.participants = participants;
  layout::place(geometry, 0);
  const auto initialise = [geometry, value = std::vector(initial.begin(), initial.end())](std::byte* region) {
    std::memcpy(region + geometry.copies_at + sizeof(layout::CellCopy), value.data(), value.size());
    reinterpret_cast<layout::CellControl*>(region + geometry.control_at)
        ->current.store(layout::CellCurrent::make(0, 0).word, std::memory_order_relaxed);
  };
  FacilityPlan plan{.kind = layout::FacilityKind::cell,
                    .name = std::string(name),
                    .bytes = geometry.bytes(),
                    .most_bytes = 0,
                    .control_bytes = geometry.bytes(),
                    .layout_hash = layout::cell_layout_hash(),
                    .needs = {},
                    .choices = {},
                    .initialise = initialise};
  layout::write_choices(geometry, plan.choices);
  return plan;
}

std::shared_ptr<CellCore> find_or_make(const std::shared_ptr<SegmentCore>& segment, std::string_view name,
                                       std::span<const std::byte> initial) {
  const auto find = [&]() -> std::optional<std::shared_ptr<CellCore>> {
    auto there = find_as<CellCore>(segment, layout::FacilityKind::cell, name);
    return there == nullptr ? std::nullopt : std::optional(std::move(there));
  };
  const auto make = [&] {
    segment->check_not_forked();
    directory::make(*segment, plan_cell(name, initial, segment->geometry().participants));
    return open_as<CellCore>(segment, layout::FacilityKind::cell, name);
  };
  return find_or_create(find, make);
}

struct CellState final : CellHot, ForkHook {
  CellState(std::shared_ptr<CellCore> cell, bool reads_only, const CellOptions& options)
      : core(std::move(cell)), stop(options.stop) {
    core->segment().check_not_forked();
    core->check_not_removed();
    full_fences = core->full_fences();
    if (!full_fences && !platform::register_for_heavy_fences()) {
      throw Error(Errc::unsupported,
                  "membarrier(2) is not available here (old kernel, or a seccomp filter): make the segment with full "
                  "fences (SegmentOptions{.fences = Fences::full})");
    }
    recover_for(*core);
    attachment =
        registry::attach(*core, reads_only ? layout::SlotRole::viewer : layout::SlotRole::editor, options.name);
    slot = &core->slot(attachment.slot());
    tenure = slot->tenure.load(std::memory_order_relaxed);
    copies_at = core->copies();
    copy_bytes = core->geometry().copy_bytes;
    copies = core->geometry().copies;
    first_copy = layout::first_copy_of(attachment.slot());
    control = &core->control();
    core->add(*this);
  }
  ~CellState() {
    const Uncancellable to_its_end;
    core->remove(*this);
    attachment = {};
  }

  // The child has the parent's memory of it, and none of what it shares.
  void after_fork_in_child() noexcept override {
    forked = true;
    control = nullptr;
  }

  [[noreturn]] void refuse() const {
    const std::string title = core->title();
    if (forked)
      throw Error(Errc::forked, "this handle of " + title + " was inherited through fork: open the cell again");
    core->segment().check_not_truncated();
    core->check_not_removed();
    if (!attachment.is_current()) {
      throw Error(Errc::declared_dead, "others took this handle of " + title + " for dead: open the cell again");
    }
    core->check();
    throw Error(Errc::corrupt, title + " is corrupt: the newest value is not whole");
  }

  const std::shared_ptr<CellCore> core;
  const std::atomic<bool>* const stop;
  Attachment attachment;
  bool forked = false;
};

}  // namespace

std::shared_ptr<CellHot> open_cell(const Segment& segment, std::string_view name, std::size_t bytes,
                                   const std::byte* initial, const CellOptions& options) {
  const Uncancellable to_its_end;
  const std::shared_ptr<SegmentCore>& core = segment.core();
  return core->unless_truncated([&]() -> std::shared_ptr<CellHot> {
    std::shared_ptr<CellCore> cell = initial == nullptr ? open_as<CellCore>(core, layout::FacilityKind::cell, name)
                                                        : find_or_make(core, name, {initial, bytes});
    cell->check();
    if (const std::uint64_t there = cell->geometry().value_bytes; there != bytes) {
      throw Error(Errc::incompatible, cell->title() + " has values of " + platform::counted(there, "byte") + ", not " +
                                          std::to_string(bytes));
    }
    return std::make_shared<CellState>(std::move(cell), initial == nullptr, options);
  });
}

bool remove_cell(const Segment& segment, std::string_view name) {
  const Uncancellable to_its_end;
  return segment.core()->unless_truncated([&] {
    segment.core()->check_not_forked();
    return directory::remove(*segment.core(), name);
  });
}

void refuse(const CellHot* cell) {
  if (cell == nullptr) throw Error(Errc::invalid_argument, "this handle of a cell was closed or moved from");
  static_cast<const CellState*>(cell)->refuse();
}

void check_overtaken(const CellHot& cell, layout::CellCurrent seen, std::uint32_t& times) {
  const bool is_another = cell.control->current.load(std::memory_order_acquire) != seen.word;
  if (!is_another && ++times == kMostTimes) refuse(&cell);
}

void wake_cell(CellHot& cell) noexcept {
  const Uncancellable to_its_end;
  wake_sleepers(cell.control->changed);
}

std::uint32_t slot_of(const CellHot* cell) noexcept {
  return cell == nullptr ? ~std::uint32_t{0} : static_cast<const CellState*>(cell)->attachment.slot();
}

bool wait_cell_changed(CellHot& hot, std::uint64_t seen, Milliseconds timeout) {
  const Uncancellable to_its_end;
  CellState& cell = static_cast<CellState&>(hot);
  const std::uint64_t deadline_ns = platform::deadline_after(saturated<std::chrono::nanoseconds>(timeout));
  const auto has_changed = [&] {
    return layout::CellCurrent{hot.control->current.load(std::memory_order_acquire)}.version() != seen;
  };
  for (;;) {
    if (has_changed()) return true;
    const SleepTicket ticket{hot.control->changed, true, hot.full_fences};
    if (has_changed()) return true;
    const std::uint64_t now = platform::monotonic_ns();
    if (now >= deadline_ns || (cell.stop != nullptr && cell.stop->load(std::memory_order_relaxed))) return false;
    if (hot.slot->tenure.load(std::memory_order_relaxed) != hot.tenure) cell.refuse();
    SAPBUF_KILL_POINT(cell_waiting);
    registry::beat(cell.core->segment().participant(cell.attachment.slot()));
    ticket.sleep_until(cell.stop == nullptr ? deadline_ns : std::min(deadline_ns, now + kNapNs));
  }
}

}  // namespace SAPBUF_DETAIL

namespace sapbuf {
inline namespace SAPBUF_ABI {
namespace {

void check_cell_size(std::size_t size) {
  if (size != 0 && size <= layout::kMaxCellBytes) return;
  throw Error(Errc::invalid_argument, "a cell's values have 1 to " + std::to_string(layout::kMaxCellBytes) +
                                          " bytes, not " + std::to_string(size));
}

}  // namespace

UntypedCell UntypedCell::open_or_create(const Segment& segment, std::string_view name, std::size_t size,
                                        std::span<const std::byte> initial, const CellOptions& options) {
  check_cell_size(size);
  std::array<std::byte, layout::kMaxCellBytes> value{};
  if (!initial.empty()) {
    if (initial.size() != size) {
      throw Error(Errc::invalid_argument, "a first value of " + platform::counted(initial.size(), "byte") +
                                              " for a cell of " + std::to_string(size));
    }
    std::memcpy(value.data(), initial.data(), size);
  }
  return {detail::open_cell(segment, name, size, value.data(), options), size, false};
}

UntypedCell UntypedCell::open_to_read(const Segment& segment, std::string_view name, std::size_t size,
                                      const CellOptions& options) {
  check_cell_size(size);
  return {detail::open_cell(segment, name, size, nullptr, options), size, true};
}

detail::CellHot& UntypedCell::writable() const {
  if (reads_only_) throw Error(Errc::permission_denied, "this handle of a cell was opened to read only");
  return detail::writable(hot_.get());
}

void UntypedCell::refuse_size(std::size_t size) const {
  throw Error(Errc::invalid_argument,
              "a value of " + platform::counted(size, "byte") + " for a cell of " + std::to_string(size_));
}

}  // namespace SAPBUF_ABI
}  // namespace sapbuf
