#include <sapbuf/layout/pool_geometry.hpp>

namespace sapbuf::layout {
namespace {

std::string outside(const char* what, std::uint64_t value, std::uint64_t low, std::uint64_t high) {
  return std::string(what) + " is " + std::to_string(value) + "; it must be from " + std::to_string(low) + " to " +
         std::to_string(high);
}

}  // namespace

void write_choices(const PoolGeometry& g, std::uint64_t (&choices)[kChoices]) noexcept {
  choices[0] = g.buffer_bytes;
  choices[1] = g.alignment;
  choices[2] = g.count;
  choices[3] = g.max_count;
  choices[4] = static_cast<std::uint64_t>(g.grow);
}

std::optional<PoolGeometry> read_pool_choices(const std::uint64_t (&choices)[kChoices]) noexcept {
  if (choices[4] > 2) return std::nullopt;
  for (std::size_t unknown = 5; unknown < kChoices; ++unknown) {
    if (choices[unknown] != 0) return std::nullopt;
  }
  PoolGeometry g;
  g.buffer_bytes = choices[0];
  g.alignment = choices[1];
  g.count = choices[2];
  g.max_count = choices[3];
  g.grow = static_cast<Grow>(choices[4]);
  return g;
}

std::optional<std::string> problem_with(const PoolGeometry& g) {
  if (g.buffer_bytes < 1 || g.buffer_bytes > kMaxBufferBytes) {
    return outside("the buffer size", g.buffer_bytes, 1, kMaxBufferBytes) + " bytes (1 byte to 1 GiB)";
  }
  if (g.alignment < 8 || g.alignment > kPageBytes || (g.alignment & (g.alignment - 1)) != 0) {
    return "the alignment is " + std::to_string(g.alignment) + "; it must be a power of two from 8 to 4096";
  }
  if (g.count < 1 || g.count > kMaxBuffers) return outside("the number of buffers", g.count, 1, kMaxBuffers);
  if (g.max_count < g.count || g.max_count > kMaxBuffers) {
    return outside("the number of buffers that the pool may grow to", g.max_count, g.count, kMaxBuffers);
  }
  return std::nullopt;
}

}  // namespace sapbuf::layout
