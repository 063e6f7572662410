// Figures and foreign text as people like to read them.
#pragma once

#include <chrono>
#include <cstdint>
#include <sapbuf/lock_holders.hpp>
#include <sapbuf/recovery.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace sapbuf::tools {

std::string human_bytes(std::uint64_t bytes);                     // "532 B", "16 KiB", "1.5 MiB"
std::string human_count(std::uint64_t count);                     // "1,234,567"
std::string human_rate(double per_second);                        // "1.6 M", for so many a second
std::string human_duration(std::chrono::nanoseconds duration);    // "3.2 ms", "1.5 s", "4 min 10 s"
std::string human_time(std::uint64_t epoch_ns);                   // local wall clock, to the millisecond
std::string counted(std::uint64_t count, std::string_view noun);  // "1 slab", "2 slabs"

// Whether what a participant of this role keeps are buffers of a pool, not generations of a stream.
bool holds_buffers(Role role) noexcept;
// What it keeps from others: "generation 4", "buffers 3-5, 7" for ascending numbers; "nothing" if there are none.
std::string holdings(Role role, const std::vector<std::uint64_t>& numbers);
// The same for all from the first to the last; 0, 0 for none.
std::string holdings(Role role, std::uint64_t first, std::uint64_t last);
// Behind it, of a pool's user: " (3 buffers, 192 KiB)"; nothing for others, or if there are none.
std::string holdings_in_bytes(Role role, std::uint64_t count, std::uint64_t bytes);

// For people: anything in a name that could steer a terminal is escaped.
std::string printable_name(std::string_view name);
// "pid 12, program", or that this user cannot see who it is.
std::string holder_text(std::vector<LockHolder> holders);
// The beginning of a payload in printable ASCII, everything else escaped; "..." behind it if it is longer.
std::string excerpt(std::string_view bytes, std::size_t longest);

}  // namespace sapbuf::tools
