// Sleeping on a word of shared memory. The shared futex, never the private one: the word is in several processes.
#pragma once

#include <cstdint>

#include <sapbuf/layout/word.hpp>

namespace sapbuf::platform {

// Sleeps while `word` is `expected`, until somebody wakes it, a signal comes, or the monotonic clock reaches
// `deadline_ns`. The caller looks for itself why it is awake.
void futex_wait(const layout::HalfWord& word, std::uint32_t expected, std::uint64_t deadline_ns) noexcept;

// The same for two words: while `first` is `expected_first` and `second` is `expected_second`. Where the kernel does not
// wait for two (before Linux 5.16, or behind a container's filter), it returns after 10 ms at the latest.
void futex_wait_either(const layout::HalfWord& first, std::uint32_t expected_first, const layout::HalfWord& second,
                       std::uint32_t expected_second, std::uint64_t deadline_ns) noexcept;

// Wakes all who sleep on `word`.
void futex_wake_all(layout::HalfWord& word) noexcept;

}  // namespace sapbuf::platform
