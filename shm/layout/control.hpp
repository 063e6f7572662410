// What a segment's participants share whatever facilities they use.
#pragma once

#include <sapbuf/layout/fields.hpp>
#include <sapbuf/layout/word.hpp>

namespace sapbuf::layout {

// When the slots are to be swept again by one of those who wait, on the monotonic clock; to 2 ns.
struct NextSweep {
  std::uint64_t word = 0;

  static constexpr NextSweep due(std::uint64_t due_ns) noexcept { return {due_ns & ~kInProgress}; }
  static constexpr NextSweep begun(std::uint64_t due_ns) noexcept { return {due_ns | kInProgress}; }
  constexpr std::uint64_t due_ns() const noexcept { return word & ~kInProgress; }
  constexpr bool in_progress() const noexcept { return (word & kInProgress) != 0; }

 private:
  static constexpr std::uint64_t kInProgress = 1;
};

struct alignas(kLineBytes) Control {
  // One past the highest slot ever used; only ever rises.
  //   written by  whoever attaches, before its registration: compare-exchange, under no lock
  //   read by     scans of the slots
  //   edge        registry: acq_rel <-> acquire; who looks for those who claim has read what they claim from before
  //   crash       harmless: scans look at a free slot
  Word high_slot;
  // NextSweep.
  //   written by  those who wait: compare-exchange to take a turn, a store to end it
  //   read by     those who wait
  //   edge        none: a hint
  //   crash       of a sweeper: the others go on when its time is over
  Word next_sweep;
  // How often facilities were made or removed.
  //   written by  makers and removers, under the directory lock, behind the change
  //   read by     whoever wants to have all facilities open
  //   edge        none: a hint
  //   crash       a change that is not counted: such a facility is opened when somebody uses it, or died in it
  Word directory_changes;
  Word reserved[5];
};

inline constexpr Field kControlFields[] = {SAPBUF_FIELD(Control, high_slot), SAPBUF_FIELD(Control, next_sweep),
                                           SAPBUF_FIELD(Control, directory_changes), SAPBUF_FIELD(Control, reserved)};
static_assert(sizeof(Control) == 64 && covers(kControlFields, sizeof(Control)));

}  // namespace sapbuf::layout
