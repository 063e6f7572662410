#include <sapbuf/layout/stream_geometry.hpp>

#include <algorithm>
#include <bit>

namespace sapbuf::layout {
namespace {

constexpr int kDurableReadersShift = 8;  // in the word that the alignment is in, too

std::string number(std::uint64_t value) { return std::to_string(value); }

std::string outside(const char* what, std::uint64_t value, std::uint64_t low, std::uint64_t high) {
  return std::string(what) + " is " + number(value) + "; it must be from " + number(low) + " to " + number(high);
}

// An extent size that works, the nearest below what was asked for, or else the nearest above. A header that anybody may
// have written leads here, so no more than the square root of the sizes there are is looked at.
std::string extents_that_fit(std::uint64_t slab_bytes, std::uint64_t wanted) {
  const std::uint64_t smallest = std::max(kMinExtentBytes, round_up(slab_bytes / kMaxExtentsPerSlab + 1, kLineBytes));
  const std::uint64_t lines = slab_bytes / kLineBytes;
  std::uint64_t below = 0;
  std::uint64_t above = slab_bytes;
  const auto consider = [&](std::uint64_t candidate) {
    if (candidate < smallest) return;
    if (candidate <= wanted) below = std::max(below, candidate);
    if (candidate >= wanted) above = std::min(above, candidate);
  };
  for (std::uint64_t divisor = 1; divisor * divisor <= lines; ++divisor) {
    if (lines % divisor != 0) continue;
    consider(divisor * kLineBytes);
    consider(lines / divisor * kLineBytes);
  }
  return number(below != 0 ? below : above);
}

}  // namespace

void write_choices(const StreamGeometry& g, std::uint64_t (&choices)[kChoices]) noexcept {
  choices[0] = g.slabs;
  choices[1] = g.slab_bytes;
  choices[2] = g.extent_bytes;
  choices[3] = static_cast<std::uint64_t>(g.order);
  choices[4] = static_cast<std::uint64_t>(g.on_full);
  choices[5] = g.retain ? 1 : 0;
  choices[6] = g.attachments;
  const std::uint64_t alignment = g.payload_alignment == kUnitBytes ? 0 : g.payload_alignment;
  choices[7] = alignment | std::uint64_t{g.durable_readers} << kDurableReadersShift;
}

std::optional<StreamGeometry> read_choices(const std::uint64_t (&choices)[kChoices]) noexcept {
  StreamGeometry g;
  if (choices[0] > kMaxSlabs || choices[3] > 1 || choices[4] > 2 || choices[5] > 1) return std::nullopt;
  const std::uint64_t alignment = choices[7] & ((1u << kDurableReadersShift) - 1);
  const std::uint64_t durable_readers = choices[7] >> kDurableReadersShift;
  if (choices[6] > kMaxAttachments || alignment > kMaxPayloadAlignment) return std::nullopt;
  if (durable_readers > kMaxDurableReaders) return std::nullopt;
  g.slabs = static_cast<std::uint32_t>(choices[0]);
  g.slab_bytes = choices[1];
  g.extent_bytes = choices[2];
  g.order = static_cast<Order>(choices[3]);
  g.on_full = static_cast<OnFull>(choices[4]);
  g.retain = choices[5] == 1;
  g.attachments = static_cast<std::uint32_t>(choices[6]);
  g.payload_alignment = alignment == 0 ? kUnitBytes : static_cast<std::uint32_t>(alignment);
  g.durable_readers = static_cast<std::uint32_t>(durable_readers);
  return g;
}

std::optional<std::string> problem_with(const StreamGeometry& g) {
  if (g.slabs < kMinSlabs || g.slabs > kMaxSlabs) return outside("the number of slabs", g.slabs, kMinSlabs, kMaxSlabs);
  if (g.slab_bytes < kMinSlabBytes || g.slab_bytes > kMaxSlabBytes) {
    return outside("the slab size", g.slab_bytes, kMinSlabBytes, kMaxSlabBytes) + " bytes (4 KiB to 4 GiB)";
  }
  if (g.slab_bytes % kPageBytes != 0) {
    return "the slab size is " + number(g.slab_bytes) +
           " bytes; it must be a multiple of the page size, 4096: " + number(round_up(g.slab_bytes, kPageBytes)) +
           " would do";
  }
  if (static_cast<unsigned>(g.order) > 1) return "the order is neither per_writer nor total";
  if (static_cast<unsigned>(g.on_full) > 2) return "the full policy is none of block, drop, overwrite";
  if (g.retain && g.on_full != OnFull::block) {
    return "a stream that retains must block when it is full: one that drops or overwrites keeps nothing for a reader "
           "that has not come yet";
  }
  if (g.attachments < 1 || g.attachments > kMaxAttachments) {
    return outside("the number of buffers that may be attached in a slab", g.attachments, 1, kMaxAttachments);
  }
  if (g.payload_alignment < kUnitBytes || g.payload_alignment > kMaxPayloadAlignment ||
      !std::has_single_bit(g.payload_alignment)) {
    return "the alignment of payloads is " + number(g.payload_alignment) + "; it must be 8, 16, 32 or 64";
  }
  if (g.durable_readers > kMaxDurableReaders) {
    return outside("the number of durable readers", g.durable_readers, 0, kMaxDurableReaders);
  }
  if (g.extent_bytes < kMinExtentBytes || g.extent_bytes > g.slab_bytes) {
    return outside("the extent size", g.extent_bytes, kMinExtentBytes, g.slab_bytes) +
           " bytes (from 256 up to the slab size)";
  }
  if (g.extent_bytes % kLineBytes != 0 || g.slab_bytes % g.extent_bytes != 0) {
    return "the extent size is " + number(g.extent_bytes) +
           " bytes; it must be a multiple of 64 that divides the slab size (" + number(g.slab_bytes) +
           "): " + extents_that_fit(g.slab_bytes, g.extent_bytes) + " would do";
  }
  if (g.slab_bytes / g.extent_bytes > kMaxExtentsPerSlab) {
    return "a slab of " + number(g.slab_bytes) + " bytes has room for " + number(kMaxExtentsPerSlab) +
           " extents at most: extents of " + extents_that_fit(g.slab_bytes, g.extent_bytes) + " bytes would do";
  }
  return std::nullopt;
}

}  // namespace sapbuf::layout
