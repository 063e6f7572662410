// Whether a writer zeroes an extent before it fills it.
//
// It need not: each header is made zero before the one in front of it is published. But the lines of an extent were
// last in the cache of a reader. To overwrite them, a processor fetches first what they hold; to zero them it takes
// them over without that (platform/zero.hpp). Where the cores are far apart, fetching is what takes the time, and
// zeroing first doubles the throughput; where they are near, the hardware's prefetcher hides it, and zeroing only
// costs. So a writer finds out: it tries both ways now and then, and goes on with the one that filled its extents
// faster. This is no more than a hint to the hardware; nothing else depends on it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <sapbuf/abi.hpp>

namespace SAPBUF_DETAIL {

class Clearing {
 public:
  // An extent is about to be filled: whether to zero it. `now` is in ticks (platform/clock.hpp).
  bool begin(std::uint64_t extent_bytes, std::uint64_t now) noexcept;
  // The extent is full.
  void end(std::uint64_t extent_bytes, std::uint64_t now) noexcept;

 private:
  static constexpr std::size_t kSamples = 8;
  struct Samples {  // of the last extents: ticks for 1,024 bytes
    std::array<std::uint64_t, kSamples> ticks{};
    std::size_t count = 0;
    void add(std::uint64_t value) noexcept { ticks[count++ % kSamples] = value; }
    std::uint64_t median() const noexcept;  // of kSamples
  };

  void choose() noexcept;

  Samples plain_;
  Samples cleared_;
  std::uint64_t extents_ = 0;
  std::uint64_t began_ = 0;
  bool prefers_ = false;
  bool clears_ = false;  // the extent in hand
};

}  // namespace SAPBUF_DETAIL
