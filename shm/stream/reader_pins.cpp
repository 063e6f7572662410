// Streams that overwrite: pinning slabs against reclaim, and counting what was lost. What a range does not read it does
// not pin.
#include "stream/reader_state.hpp"

namespace sapbuf::detail {
namespace {

using layout::SlabLife;
using layout::SlabState;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr int kPinTries = 1000;

constexpr std::uint64_t bit_of(std::uint32_t slab) noexcept { return std::uint64_t{1} << slab; }

}  // namespace

std::uint64_t ReaderState::window_mask() const noexcept {
  std::uint64_t mask = 0;
  for (const Window& window : windows) mask |= bit_of(window.slab);
  return mask;
}

// pin: the pins are stored before the slabs' states are read here; a reclaimer stores the state before it reads the
// pins.
bool ReaderState::verify_pins(bool& reclaiming) {
  slot->pins.store(window_mask(), std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  std::size_t lost = 0;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const SlabLife life{core->descriptor(windows[i].slab).life.load(std::memory_order_seq_cst)};
    if (life.generation() == windows[i].generation && life.readable()) continue;
    if (life.generation() == windows[i].generation && life.state() == SlabState::reclaiming) reclaiming = true;
    lost = i + 1;
  }
  if (lost == 0) return true;
  unpin_windows();
  knows_all = false;
  if (reclaiming) return false;
  // Generations are overwritten in their order; what was lost comes before all that is left.
  for (std::size_t i = 0; i < lost; ++i) {
    if (windows.size() == 1) {  // never empty, not even behind an error
      // Slabs are not looked at all at one moment. Those up to the cursor's generation were there before that: what is
      // missing among them is gone, closed and counted.
      const ActiveSlab active = load_active(*core);
      if (active.generation <= windows.front().generation) core->throw_corrupt("no slab can be read");
      const auto place = find_oldest(*core, windows.front().generation + 1);
      if (!place || place->generation > active.generation) return false;  // the stream ran ahead: look again
      add_window(*place);
    }
    passed_before += windows.front().passed;
    windows.erase(windows.begin());
  }
  return false;
}

// lost = messages before the first window's generation, less those before our start, less those that we passed or know
// to be lost.
void ReaderState::account_for_gap() {
  const std::uint64_t generation = windows.front().generation;
  if (generation == expected) return;
  expected = generation;
  // count: stored before the generation before this one was reclaimed, which was seen (life, acquire).
  const std::uint64_t before = core->descriptor(windows.front().slab).messages_before.load(std::memory_order_acquire);
  const std::uint64_t base = slot->base_messages.load(relaxed);
  const std::uint64_t known = base + passed_before + slot->lost.load(relaxed);
  if (before > known) slot->lost.store(slot->lost.load(relaxed) + (before - known), relaxed);
}

bool ReaderState::pin_windows() {
  if (!overwrites()) return true;
  for (int tries = 0; tries < kPinTries; ++tries) {
    bool reclaiming = false;
    if (verify_pins(reclaiming)) {
      account_for_gap();
      return true;
    }
    refresh();
  }
  return false;
}

void ReaderState::narrow_pins() noexcept {
  std::uint64_t mask = 0;
  bool behind_gap = false;  // total order is one chain: nothing is read behind a frame that is not there yet
  for (Window& window : windows) {
    window.in_range = !behind_gap && has_message(window);
    if (in_total_order() && !window.in_range && !window.places.empty()) {
      behind_gap = behind_gap || window.places.front().at < window.places.front().end;
    }
    if (window.in_range && (mask == 0 || !pins_one_slab())) mask |= bit_of(window.slab);
  }
  // hold-release: as for holds; nothing in the other slabs is looked at any more.
  slot->pins.store(mask, std::memory_order_release);
}

// Keep::frame: one store lets go of the slab that the walk leaves, and pins the one that it comes to. False: that one
// was taken meanwhile.
//   pin: as in verify_pins
bool ReaderState::move_pin_to(const Window& window) noexcept {
  if (slot->pins.load(relaxed) == bit_of(window.slab)) return true;
  slot->pins.store(bit_of(window.slab), std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const SlabLife life{core->descriptor(window.slab).life.load(std::memory_order_seq_cst)};
  return life.generation() == window.generation && life.readable();
}

}  // namespace sapbuf::detail
