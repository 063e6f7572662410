// Sleeping on a word of shared memory. The shared futex, never the private one: the word is in several processes.
#pragma once

#include <cstdint>

#include <sapbuf/layout/word.hpp>

namespace sapbuf::platform {

// Sleeps while `word` is `expected`, until somebody wakes it, a signal comes, or the monotonic clock reaches
// `deadline_ns`. The caller looks for itself why it is awake.
void futex_wait(const layout::HalfWord& word, std::uint32_t expected, std::uint64_t deadline_ns) noexcept;

// Wakes all who sleep on `word`.
void futex_wake_all(layout::HalfWord& word) noexcept;

}  // namespace sapbuf::platform
