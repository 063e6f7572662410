// The invariants of what stands in a slab: its frames, and the table of its extents.
#pragma once

#include <cstdint>
#include <optional>
#include <sstream>
#include <stdexcept>

#include "stream/slabs.hpp"

namespace sapbuf::test {

// An invariant that does not hold.
struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <typename... Parts>
[[noreturn]] void broken(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  throw Broken(text.str());
}

// Walks over the `claimed` bytes of a generation, and looks at what is behind them. `closed`: nobody can write into it
// any more. `still`: nobody is in the midst of a step. Returns how many messages it has. Throws Broken.
std::uint64_t messages_in(detail::StreamCore& core, detail::SlabGeneration where, std::uint64_t claimed, bool closed,
                          bool still);

// Per-writer order: the messages of the extent that a writer's claim points to, if it is open and the writer's.
std::optional<std::uint64_t> messages_in_own_extent(detail::StreamCore& core, std::uint32_t writer,
                                                    layout::Claim claim);

// A slab that nobody has used since it was cleaned. Throws Broken.
void check_clean(detail::StreamCore& core, std::uint32_t slab);

}  // namespace sapbuf::test
