#include <sapbuf/layout/pool_geometry.hpp>

namespace sapbuf::layout {
namespace {

std::string outside(const char* what, std::uint64_t value, std::uint64_t low, std::uint64_t high) {
  return std::string(what) + " is " + std::to_string(value) + "; it must be from " + std::to_string(low) + " to " +
         std::to_string(high);
}

// Of size classes.
std::optional<std::string> problem_with_classes(const PoolGeometry& g) {
  if (g.largest_bytes < g.buffer_bytes || g.largest_bytes > kMaxBufferBytes) {
    return outside("the largest buffer", g.largest_bytes, g.buffer_bytes, kMaxBufferBytes) +
           " bytes, the smallest to 1 GiB";
  }
  if (g.count % kChunkBuffers != 0 || g.max_count % kChunkBuffers != 0) {
    return "the number of pieces is " + std::to_string(g.count) + ", to " + std::to_string(g.max_count) +
           "; with size classes it must be a multiple of " + std::to_string(kChunkBuffers);
  }
  PoolGeometry placed = g;
  place(placed, 0);
  const std::uint64_t least = std::uint64_t{block_shape_of(placed.classes - 1, kChunkBuffers).chunks} * kChunkBuffers;
  if (g.max_count < least) {
    return "the pool may grow to " + std::to_string(g.max_count * placed.stride_bytes) + " bytes; for buffers of " +
           std::to_string(g.largest_bytes) + " bytes it must be " + std::to_string(least * placed.stride_bytes);
  }
  return std::nullopt;
}

}  // namespace

void write_choices(const PoolGeometry& g, std::uint64_t (&choices)[kChoices]) noexcept {
  choices[0] = g.buffer_bytes;
  choices[1] = g.alignment;
  choices[2] = g.count;
  choices[3] = g.max_count;
  choices[4] = static_cast<std::uint64_t>(g.grow);
  choices[5] = g.largest_bytes;
}

std::optional<PoolGeometry> read_pool_choices(const std::uint64_t (&choices)[kChoices]) noexcept {
  if (choices[4] > 2) return std::nullopt;
  for (std::size_t unknown = 6; unknown < kChoices; ++unknown) {
    if (choices[unknown] != 0) return std::nullopt;
  }
  PoolGeometry g;
  g.buffer_bytes = choices[0];
  g.alignment = choices[1];
  g.count = choices[2];
  g.max_count = choices[3];
  g.grow = static_cast<Grow>(choices[4]);
  g.largest_bytes = choices[5];
  return g;
}

std::optional<std::string> problem_with(const PoolGeometry& g) {
  if (g.buffer_bytes < 1 || g.buffer_bytes > kMaxBufferBytes) {
    return outside("the buffer size", g.buffer_bytes, 1, kMaxBufferBytes) + " bytes (1 byte to 1 GiB)";
  }
  if (g.alignment < 8 || g.alignment > kMaxAlignment || (g.alignment & (g.alignment - 1)) != 0) {
    return "the alignment is " + std::to_string(g.alignment) + "; it must be a power of two from 8 to 2 MiB";
  }
  if (g.count < 1 || g.count > kMaxBuffers) return outside("the number of buffers", g.count, 1, kMaxBuffers);
  if (g.max_count < g.count || g.max_count > kMaxBuffers) {
    return outside("the number of buffers that the pool may grow to", g.max_count, g.count, kMaxBuffers);
  }
  return g.largest_bytes == 0 ? std::nullopt : problem_with_classes(g);
}

}  // namespace sapbuf::layout
