// Size classes: what a pool's buffers are as large as, in pieces of its smallest size, and how they stand in its chunks.
//
//   class     0   1   2  ... 14  15   16  17  18 ... 23   24  25 ...
//   pieces    1   2   3  ... 15  16   18  20  22 ... 32   36  40 ...     eight to a doubling, so 12.5 % apart at the most from 8 on
//
// A block has the buffers of one class: adjacent chunks, of which the first says what it is (see pool_chunk.hpp). It has
// up to 64 buffers, and as few chunks as leave no more than a sixteenth of them over.
//
//   class 8, 9 pieces: a chunk with 7 buffers                         class 30, 60 pieces: a chunk with one
//   +---------+---------+---------+---------+---------+---------+---------+-+   +--------------------------------------+--+
//   | 0       | 9       | 18      | 27      | 36      | 45      | 54      | |   | 0                                    |  |
//   +---------+---------+---------+---------+---------+---------+---------+-+   +--------------------------------------+--+
#pragma once

#include <bit>
#include <cstdint>

namespace sapbuf::layout {

inline constexpr std::uint32_t kMaxSizeClasses = 200;  // 1 GiB in pieces of 8 bytes

// The smallest one that has so many pieces, at least 1.
constexpr std::uint32_t size_class_of(std::uint32_t pieces) noexcept {
  if (pieces <= 16) return pieces - 1;
  const auto doublings = static_cast<std::uint32_t>(std::bit_width(pieces - 1)) - 4;
  const std::uint32_t step = 1u << doublings;
  return 8 * doublings + (pieces + step - 1) / step - 1;
}
constexpr std::uint32_t pieces_of(std::uint32_t size_class) noexcept {
  if (size_class < 16) return size_class + 1;
  return (size_class % 8 + 9) << (size_class / 8 - 1);
}
static_assert(size_class_of(16) == 15 && size_class_of(17) == 16 && size_class_of(32) == 23 && size_class_of(33) == 24);
static_assert(pieces_of(15) == 16 && pieces_of(16) == 18 && pieces_of(23) == 32 && pieces_of(24) == 36);
static_assert(size_class_of(1u << 27) == kMaxSizeClasses - 1 && pieces_of(kMaxSizeClasses - 1) == 1u << 27);

// How the buffers of a class stand in their blocks.
struct BlockShape {
  std::uint32_t pieces = 1;    // of each buffer, and from one to the next
  std::uint32_t buffers = 64;  // of each block
  std::uint32_t chunks = 1;
};

constexpr BlockShape block_shape_of(std::uint32_t size_class, std::uint32_t chunk_pieces) noexcept {
  const std::uint32_t pieces = pieces_of(size_class);
  for (std::uint32_t chunks = (pieces + chunk_pieces - 1) / chunk_pieces;; ++chunks) {
    const std::uint32_t buffers = chunks * chunk_pieces / pieces;
    if ((chunks * chunk_pieces - buffers * pieces) * 16 <= chunks * chunk_pieces) return {pieces, buffers, chunks};
  }
}
static_assert(block_shape_of(8, 64).buffers == 7 && block_shape_of(8, 64).chunks == 1);
static_assert(block_shape_of(size_class_of(72), 64).buffers == 5 && block_shape_of(size_class_of(72), 64).chunks == 6);

}  // namespace sapbuf::layout
