#include "stream/reader_pins.hpp"

#include <algorithm>
#include <utility>

#include "segment/maintenance_lock.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::SlabLife;
using layout::SlabState;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr int kPinTries = 1000;

}  // namespace

std::uint64_t ReaderPins::of_all_windows() const noexcept {
  std::uint64_t mask = 0;
  for (const Window& window : std::as_const(windows_)) mask |= pin_of(window.slab);
  return mask;
}

bool ReaderPins::pin_windows() { return try_to_pin() || (mend_reclaiming() && try_to_pin()); }

bool ReaderPins::try_to_pin() {
  for (int tries = 0; tries < kPinTries; ++tries) {
    bool reclaiming = false;
    if (verify(reclaiming)) {
      loss_.account_for_gap(windows_.front());
      return true;
    }
    windows_.refresh();
  }
  return false;
}

bool ReaderPins::mend_reclaiming() noexcept {
  StreamCore& core = attachment_.core();
  const bool is_any = std::any_of(windows_.begin(), windows_.end(), [&](const Window& window) {
    return SlabLife{core.descriptor(window.slab).life.load(std::memory_order_acquire)}.state() == SlabState::reclaiming;
  });
  if (!is_any) return false;
  const MaintenanceLock lock{core};
  const ActiveSlab active = load_active(core);
  if (!lock || !active.valid()) return false;
  mend_states(core, active);
  return true;
}

// pin: the pins are stored before the slabs' states are read here; a reclaimer stores the state before it reads the
// pins.
bool ReaderPins::verify(bool& reclaiming) {
  attachment_.slot().pins.store(of_all_windows(), std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  std::size_t lost = 0;
  for (std::size_t i = 0; i < windows_.size(); ++i) {
    const Window& window = windows_[i];
    const SlabLife life{attachment_.core().descriptor(window.slab).life.load(std::memory_order_seq_cst)};
    if (life.generation() == window.generation && life.readable()) continue;
    if (life.generation() == window.generation && life.state() == SlabState::reclaiming) reclaiming = true;
    lost = i + 1;
  }
  if (lost == 0) return true;
  unpin();
  windows_.expect_news();
  if (!reclaiming) lose_windows(lost);
  return false;
}

// Generations are overwritten in their order; what was lost comes before all that is left.
void ReaderPins::lose_windows(std::size_t count) {
  StreamCore& core = attachment_.core();
  for (std::size_t i = 0; i < count; ++i) {
    if (windows_.size() == 1) {  // never empty, not even behind an error
      // Slabs are not looked at all at one moment. Those up to the cursor's generation were there before that: what is
      // missing among them is gone, closed and counted.
      const ActiveSlab active = load_active(core);
      if (active.generation <= windows_.front().generation) core.throw_corrupt("no slab can be read");
      const auto place = find_oldest(core, windows_.front().generation + 1);
      if (!place || place->generation > active.generation) return;  // the stream ran ahead: look again
      windows_.add(*place);
    }
    windows_.lose_first();
  }
}

void ReaderPins::narrow() noexcept {
  std::uint64_t mask = 0;
  bool behind_gap = false;  // total order is one chain: nothing is read behind a frame that is not there yet
  for (Window& window : windows_) {
    window.in_range = !behind_gap && windows_.has_message(window);
    if (attachment_.in_total_order() && !window.in_range) behind_gap = behind_gap || window.blocks_chain();
    if (window.in_range && (mask == 0 || !one_slab_)) mask |= pin_of(window.slab);
  }
  // hold-release: as for holds; nothing in the other slabs is looked at any more.
  attachment_.slot().pins.store(mask, std::memory_order_release);
}

void ReaderPins::show() noexcept { attachment_.slot().pins.store(of_all_windows(), relaxed); }

// Keep::frame: one store lets go of the slab that the walk leaves, and pins the one that it comes to.
//   pin: as in verify
bool ReaderPins::move_to(const Window& window) noexcept {
  layout::StreamSlot& slot = attachment_.slot();
  if (slot.pins.load(relaxed) == pin_of(window.slab)) return true;
  slot.pins.store(pin_of(window.slab), std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const SlabLife life{attachment_.core().descriptor(window.slab).life.load(std::memory_order_seq_cst)};
  return life.generation() == window.generation && life.readable();
}

}  // namespace SAPBUF_DETAIL
