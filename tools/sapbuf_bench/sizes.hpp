// Sizes as people write them.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

namespace sapbuf::bench {

// In the largest unit of which it is a whole number.
inline std::string human_bytes(std::uint64_t bytes) {
  constexpr std::uint64_t kKiB = 1 << 10;
  if (bytes >= kKiB * kKiB * kKiB && bytes % (kKiB * kKiB * kKiB) == 0) {
    return fmt::format("{} GiB", bytes / kKiB / kKiB / kKiB);
  }
  if (bytes >= kKiB * kKiB && bytes % (kKiB * kKiB) == 0) return fmt::format("{} MiB", bytes / kKiB / kKiB);
  if (bytes >= kKiB && bytes % kKiB == 0) return fmt::format("{} KiB", bytes / kKiB);
  return fmt::format("{} B", bytes);
}

}  // namespace sapbuf::bench
