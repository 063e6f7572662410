#include "pool/pool_options.hpp"

#include "platform/clock.hpp"

namespace sapbuf::detail {
namespace {

// No buffer is anybody's: all else is right as zero.
void initialise(std::byte* region, const layout::PoolGeometry& geometry) {
  auto& control = *reinterpret_cast<layout::PoolControl*>(region + geometry.control_at);
  control.count.store(geometry.count, std::memory_order_relaxed);
  control.made_ms.store(platform::coarse_monotonic_ns() / 1'000'000, std::memory_order_relaxed);
}

layout::PoolGeometry geometry_of(const PoolOptions& options, std::uint32_t participants) {
  layout::PoolGeometry geometry;
  geometry.buffer_bytes = options.buffer_bytes;
  geometry.alignment = options.alignment;
  geometry.count = options.count;
  geometry.max_count = options.max_count == 0 ? options.count : options.max_count;
  geometry.grow = options.grow;
  geometry.participants = participants;
  if (const auto problem = layout::problem_with(geometry)) throw Error(Errc::invalid_argument, *problem);
  layout::place(geometry, 0);
  return geometry;
}

}  // namespace

PoolOptions options_of(const layout::PoolGeometry& geometry) {
  return {.buffer_bytes = geometry.buffer_bytes,
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
  compare("buffer_bytes", there.buffer_bytes, asked.buffer_bytes);
  compare("count", there.count, asked.count);
  compare("max_count", there.max_count, asked.max_count == 0 ? asked.count : asked.max_count);
  compare("alignment", there.alignment, asked.alignment);
  if (there.grow != asked.grow) {
    all.push_back("grow " + std::string(to_string(there.grow)) + ", not " + std::string(to_string(asked.grow)));
  }
  return all;
}

FacilityPlan plan_pool(std::string_view name, const PoolOptions& options, std::uint32_t participants) {
  directory::check_name(name);
  const layout::PoolGeometry geometry = geometry_of(options, participants);
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

}  // namespace sapbuf::detail
