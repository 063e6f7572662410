#include "pool/pool_options.hpp"

#include <algorithm>
#include <bit>

#include "platform/clock.hpp"

namespace SAPBUF_DETAIL {
namespace {

// No buffer is anybody's: all else is right as zero.
void initialise(std::byte* region, const layout::PoolGeometry& geometry) {
  auto& control = *reinterpret_cast<layout::PoolControl*>(region + geometry.control_at);
  control.count.store(geometry.count, std::memory_order_relaxed);
  control.made_ms.store(platform::coarse_monotonic_ns() / 1'000'000, std::memory_order_relaxed);
}

}  // namespace

}  // namespace SAPBUF_DETAIL

namespace sapbuf {
inline namespace SAPBUF_ABI {

PoolOptions PoolOptions::for_sizes(std::uint64_t min_bytes, std::uint64_t max_bytes, std::uint64_t bytes,
                                   std::uint64_t most_bytes, std::uint64_t alignment) noexcept {
  if (alignment == 0) alignment = std::bit_floor(std::clamp<std::uint64_t>(min_bytes, 8, 64));
  PoolOptions options{.min_bytes = min_bytes, .max_bytes = max_bytes, .alignment = alignment};
  const std::uint64_t piece = std::max<std::uint64_t>(options.piece_bytes(), 1);
  options.count = bytes / piece + (bytes % piece == 0 ? 0 : 1);
  options.max_count = most_bytes / piece + (most_bytes % piece == 0 ? 0 : 1);
  return options;
}

std::uint64_t PoolOptions::piece_bytes() const noexcept {
  return layout::round_up(max_bytes == 0 ? buffer_bytes : min_bytes, std::max<std::uint64_t>(alignment, 1));
}

}  // namespace SAPBUF_ABI
}  // namespace sapbuf

namespace SAPBUF_DETAIL {

layout::PoolGeometry pool_geometry_of(const PoolOptions& options, std::uint32_t participants) {
  layout::PoolGeometry geometry;
  const bool has_classes = options.max_bytes != 0;
  geometry.buffer_bytes = has_classes ? options.min_bytes : options.buffer_bytes;
  geometry.largest_bytes = options.max_bytes;
  geometry.alignment = options.alignment;
  // Blocks have whole chunks.
  const auto rounded = [&](std::uint64_t count) {
    return has_classes && count <= layout::kMaxBuffers ? layout::round_up(count, layout::kChunkBuffers) : count;
  };
  geometry.count = rounded(options.count);
  geometry.max_count = options.max_count == 0 ? geometry.count : rounded(options.max_count);
  geometry.grow = options.grow;
  geometry.participants = participants;
  if (const auto problem = layout::problem_with(geometry)) throw Error(Errc::invalid_argument, *problem);
  layout::place(geometry, 0);
  return geometry;
}

PoolOptions options_of(const layout::PoolGeometry& geometry) {
  return {.buffer_bytes = geometry.buffer_bytes,
          .min_bytes = geometry.largest_bytes == 0 ? 0 : geometry.buffer_bytes,
          .max_bytes = geometry.largest_bytes,
          .count = geometry.count,
          .max_count = geometry.max_count,
          .alignment = geometry.alignment,
          .grow = geometry.grow};
}

std::vector<std::string> differences(const PoolOptions& there, const PoolOptions& asked) {
  std::vector<std::string> all;
  const auto compare = [&](const char* what, std::uint64_t has, std::uint64_t wanted) {
    if (has != wanted) all.push_back(what + (" " + std::to_string(has)) + ", not " + std::to_string(wanted));
  };
  if (there.max_bytes != 0 || asked.max_bytes != 0) {
    compare("min_bytes", there.min_bytes, asked.min_bytes);
    compare("max_bytes", there.max_bytes, asked.max_bytes);
  }
  if (there.max_bytes == 0 && asked.max_bytes == 0) compare("buffer_bytes", there.buffer_bytes, asked.buffer_bytes);
  compare("count", there.count, asked.count);
  compare("max_count", there.max_count, asked.max_count);
  compare("alignment", there.alignment, asked.alignment);
  if (there.grow != asked.grow) {
    all.push_back("grow " + std::string(to_string(there.grow)) + ", not " + std::string(to_string(asked.grow)));
  }
  return all;
}

FacilityPlan plan_pool(std::string_view name, const PoolOptions& options, std::uint32_t participants) {
  directory::check_name(name);
  const layout::PoolGeometry geometry = pool_geometry_of(options, participants);
  FacilityPlan plan{.kind = layout::FacilityKind::pool,
                    .name = std::string(name),
                    .bytes = geometry.bytes_with(geometry.count),
                    .most_bytes = geometry.bytes_with(geometry.max_count),
                    .control_bytes = geometry.buffers_at,
                    .layout_hash = layout::pool_layout_hash(),
                    .choices = {},
                    .initialise = [geometry](std::byte* region) { initialise(region, geometry); }};
  layout::write_choices(geometry, plan.choices);
  return plan;
}

}  // namespace SAPBUF_DETAIL
