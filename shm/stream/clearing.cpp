#include "stream/clearing.hpp"

#include <algorithm>

namespace SAPBUF_DETAIL {
namespace {

constexpr std::uint64_t kTooLarge = 256 * 1024;  // bytes: what is zeroed first would have left the near caches
constexpr std::uint64_t kTrial = 2;              // extents, in which the other way is tried
constexpr std::uint64_t kEarlyInterval = 8;      // extents from one trial to the next: at first, and
constexpr std::uint64_t kInterval = 128;         // later, when a trial is to cost less than a percent
constexpr std::uint64_t kEarlyExtents = 64;

}  // namespace

std::uint64_t Clearing::Samples::median() const noexcept {
  auto sorted = ticks;
  std::nth_element(sorted.begin(), sorted.begin() + kSamples / 2, sorted.end());
  return sorted[kSamples / 2];
}

bool Clearing::begin(std::uint64_t extent_bytes, std::uint64_t now) noexcept {
  const std::uint64_t interval = extents_ < kEarlyExtents ? kEarlyInterval : kInterval;
  const std::uint64_t position = extents_++ % interval;
  if (position == kTrial) choose();
  clears_ = extent_bytes <= kTooLarge && (position < kTrial ? !prefers_ : prefers_);
  began_ = now;
  return clears_;
}

void Clearing::end(std::uint64_t extent_bytes, std::uint64_t now) noexcept {
  if (extent_bytes == 0) return;  // it comes from shared memory, which a child made by fork sees as zeros
  (clears_ ? cleared_ : plain_).add((now - began_) * 1024 / extent_bytes);
}

void Clearing::choose() noexcept {
  if (plain_.count < kSamples || cleared_.count < kSamples) return;
  // The other way must be better by a sixteenth: else chance would decide, again and again.
  const std::uint64_t plain = plain_.median();
  const std::uint64_t cleared = cleared_.median();
  if (prefers_ ? plain < cleared - cleared / 16 : cleared < plain - plain / 16) prefers_ = !prefers_;
}

}  // namespace SAPBUF_DETAIL
