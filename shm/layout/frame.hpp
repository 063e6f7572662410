// A frame: one 64-bit header word, then the payload, padded to a multiple of 8 bytes.
//
//   63      61 60        49 48  48 47         32 31                0
//   +---------+------------+------+-------------+------------------+
//   |  kind   | owner slot |  0   |  user type  |  payload bytes   |
//   +---------+------------+------+-------------+------------------+
//   | message | first attached    |     a message: the place of its first attached buffer, 0 for none: see
//   +---------+-------------------+     layout/attached_buffers.hpp
//
// A header of zero means: nothing here yet. The word is written last, so whoever reads a `message` header with acquire
// also sees its payload. A generation that is closed is one unbroken chain of frames from its slab's first byte to its
// last.
//
//   written by   the owner of the extent, or of the claim; a closer or repair, once the owner can write no more
//   read by      readers, closers, repair, inspect
//   edge         frame-publish: release, behind the payload and the zero in the next header <-> acquire
//   crash        zero or `busy`: repair makes it filler;  `message`: it was committed
#pragma once

#include <sapbuf/layout/word.hpp>

namespace sapbuf::layout {

enum class FrameKind : std::uint8_t {
  none = 0,     // not written yet
  message = 1,  // committed; never changes while its generation lasts
  busy = 2,     // total order only: claimed by `owner`, not committed yet
  nop = 3,      // filler: aborted, repaired, or the unused rest of an extent or a slab
  extent = 4,   // per-writer order: first frame of an extent; the payload is one word, the writer's slot
};

// The upper half of a message's header, while the message is being written.
struct MessageHead {
  std::uint32_t half = 0;

  static constexpr MessageHead of(std::uint16_t type) noexcept {
    return {std::uint32_t{static_cast<std::uint8_t>(FrameKind::message)} << 29 | type};
  }
  constexpr std::uint32_t first_attached() const noexcept { return static_cast<std::uint32_t>(bits(half, 16, 13)); }
  constexpr void set_first_attached(std::uint32_t place) noexcept { half |= place << 16; }
};

struct FrameHeader {
  std::uint64_t word = 0;

  static constexpr FrameHeader make(FrameKind kind, std::uint64_t payload_bytes, std::uint16_t type = 0,
                                    std::uint32_t owner = 0) noexcept {
    return {std::uint64_t{static_cast<std::uint8_t>(kind)} << 61 | std::uint64_t{owner} << 49 |
            std::uint64_t{type} << 32 | (payload_bytes & 0xffff'ffffu)};
  }
  static constexpr FrameHeader message(std::uint64_t payload_bytes, std::uint16_t type) noexcept {
    return make(FrameKind::message, payload_bytes, type);
  }
  // The same, of its upper half, which says all but the size.
  static constexpr FrameHeader message(std::uint64_t payload_bytes, MessageHead head) noexcept;
  // Filler that spans `bytes`, its own header included; a multiple of 8, 8 at the least.
  static constexpr FrameHeader nop(std::uint64_t bytes) noexcept { return make(FrameKind::nop, bytes - kUnitBytes); }

  constexpr FrameKind kind() const noexcept { return static_cast<FrameKind>(word >> 61); }
  constexpr std::uint64_t payload_bytes() const noexcept { return word & 0xffff'ffffu; }
  constexpr std::uint16_t type() const noexcept { return static_cast<std::uint16_t>(word >> 32); }
  constexpr std::uint32_t owner() const noexcept { return static_cast<std::uint32_t>(bits(word, 49, 12)); }
  constexpr std::uint32_t first_attached() const noexcept { return static_cast<std::uint32_t>(bits(word, 48, 13)); }
  // Of a message: the same, with that place.
  constexpr FrameHeader with_first_attached(std::uint32_t place) const noexcept {
    return {word | std::uint64_t{place} << 48};
  }
  // Bytes from this header to the next one.
  constexpr std::uint64_t span() const noexcept;
};

constexpr std::uint64_t frame_span(std::uint64_t payload_bytes) noexcept {
  return (payload_bytes + 2 * kUnitBytes - 1) & ~(kUnitBytes - 1);
}
// The same with the filler behind it that the next payload's alignment takes (StreamGeometry::payload_alignment).
constexpr std::uint64_t padded_span(std::uint64_t payload_bytes, std::uint64_t alignment) noexcept {
  return (payload_bytes + kUnitBytes + alignment - 1) & ~(alignment - 1);
}
constexpr std::uint64_t FrameHeader::span() const noexcept { return frame_span(payload_bytes()); }
constexpr FrameHeader FrameHeader::message(std::uint64_t payload_bytes, MessageHead head) noexcept {
  return {std::uint64_t{head.half} << 32 | (payload_bytes & 0xffff'ffffu)};
}

// In front of every extent's messages: the extent frame (header and one word).
inline constexpr std::uint64_t kExtentFrameBytes = 2 * kUnitBytes;
// Behind them there is always room for one header, so that "zero the next header" needs no test for the end.
inline constexpr std::uint64_t kExtentTailBytes = kUnitBytes;

static_assert(kMaxParticipants <= 1u << 12);
static_assert(FrameHeader::nop(kUnitBytes).span() == kUnitBytes);
static_assert(FrameHeader::nop(kMaxSlabBytes).span() == kMaxSlabBytes);
static_assert(FrameHeader::message(0, 0).word != 0 && frame_span(0) == 8 && frame_span(1) == 16 && frame_span(8) == 16);
static_assert(padded_span(1, kUnitBytes) == frame_span(1) && padded_span(56, 64) == 64 && padded_span(57, 64) == 128);
static_assert(FrameHeader::make(FrameKind::busy, 5, 7, 1023).owner() == 1023);
static_assert(FrameHeader::message(5, MessageHead::of(7)).word == FrameHeader::message(5, 7).word);

}  // namespace sapbuf::layout
