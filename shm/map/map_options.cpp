#include "map/map_options.hpp"

#include <random>

#include <sapbuf/detail/kill_point.hpp>

#include "platform/clock.hpp"
#include "pool/own_pool.hpp"
#include "pool/pool_options.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr std::string_view kOwnPool = ".values";

// A seed that cannot be had is a hash that is not keyed, and no more.
std::uint64_t random_word() noexcept {
  try {
    std::random_device device;
    return std::uint64_t{device()} << 32 | device();
  } catch (const std::exception&) {
    return platform::wall_clock_ns() * 0x9e3779b97f4a7c15u;
  }
}

// No entry has a key, and no place was used: all else is right as zero.
void initialise(std::byte* region, const layout::MapGeometry& geometry) {
  auto& control = *reinterpret_cast<layout::MapControl*>(region + geometry.control_at);
  control.entries.store(geometry.keys, relaxed);
  for (layout::Word& word : control.seed) word.store(random_word(), relaxed);
}

std::uint64_t or_else(std::uint64_t value, std::uint64_t other) noexcept { return value != 0 ? value : other; }

std::uint64_t most_keys(const MapOptions& options) noexcept { return or_else(options.max_keys, options.keys); }
constexpr std::uint64_t values_for(std::uint64_t keys) noexcept { return keys + keys / 2 + 64; }

PoolOptions pool_options_of(const MapOptions& options) {
  const std::uint64_t values = or_else(options.values, values_for(options.keys));
  return {.buffer_bytes = layout::buffer_bytes_for(options.value_bytes),
          .count = values,
          .max_count = std::max(values_for(most_keys(options)), 2 * values)};
}

layout::MapGeometry geometry_of(const MapOptions& options, std::uint64_t value_bytes) {
  layout::MapGeometry geometry;
  geometry.keys = options.keys;
  geometry.max_keys = most_keys(options);
  geometry.key_bytes = options.key_bytes;
  geometry.value_bytes = value_bytes;
  geometry.own_pool = options.pool.empty();
  if (const auto problem = layout::problem_with(geometry)) {
    throw Error(Errc::invalid_argument, "these options of a map cannot work: " + *problem);
  }
  return geometry;
}

FacilityPlan plan_map(std::string_view name, layout::MapGeometry geometry, layout::FacilityId pool,
                      std::uint32_t participants) {
  geometry.participants = participants;
  layout::place(geometry, 0);
  FacilityPlan plan{.kind = layout::FacilityKind::map,
                    .name = std::string(name),
                    .bytes = geometry.bytes_with(geometry.keys),
                    .most_bytes = geometry.bytes_with(geometry.max_keys),
                    .control_bytes = geometry.entries_at,
                    .layout_hash = layout::map_layout_hash(),
                    .needs = pool,
                    .choices = {},
                    .initialise = [geometry](std::byte* region) { initialise(region, geometry); }};
  layout::write_choices(geometry, plan.choices);
  return plan;
}

bool is_there(SegmentCore& segment, std::string_view name) {
  return directory::find_by_name(segment, name).has_value();
}

std::uint64_t value_bytes_in(SegmentCore& segment, const DirectoryRecord& pool) {
  const auto core = std::static_pointer_cast<PoolCore>(find_facility(segment, pool.id));
  if (core == nullptr) throw_not_there(segment, layout::FacilityKind::pool, pool.name);
  const auto places = layout::value_places(core->geometry());
  if (!places) {
    const std::uint64_t most = std::max(core->geometry().buffer_bytes, core->geometry().largest_bytes);
    throw Error(Errc::invalid_argument, core->title() + " has buffers of " + std::to_string(most) +
                                            " bytes: a map needs " + std::to_string(sizeof(layout::AboutValue)) +
                                            " of each for itself, and as many more as its alignment asks for");
  }
  return places->most_bytes;
}

}  // namespace

MapOptions options_of(MapCore& map) {
  const layout::MapGeometry& geometry = map.geometry();
  MapOptions options{.keys = geometry.keys,
                     .max_keys = geometry.max_keys,
                     .pool = {},
                     .value_bytes = geometry.value_bytes,
                     .key_bytes = geometry.key_bytes};
  const std::shared_ptr<PoolCore> pool = map.pool();
  if (geometry.own_pool) {
    options.values = pool->geometry().count;
  } else {
    options.pool = pool->record().name;
  }
  return options;
}

std::vector<std::string> differences(const MapOptions& there, const MapOptions& asked) {
  std::vector<std::string> all;
  const auto compare = [&](const char* what, std::uint64_t has, std::uint64_t wanted) {
    if (has != wanted) all.push_back(what + (" " + std::to_string(has)) + ", not " + std::to_string(wanted));
  };
  compare("keys", there.keys, asked.keys);
  compare("max_keys", there.max_keys, most_keys(asked));
  compare("key_bytes", there.key_bytes, asked.key_bytes);
  if (there.pool != asked.pool) {
    const auto named = [](const std::string& pool) { return pool.empty() ? "its own" : "'" + pool + "'"; };
    all.push_back("pool " + named(there.pool) + ", not " + named(asked.pool));
  } else if (asked.pool.empty()) {
    compare("value_bytes", there.value_bytes, asked.value_bytes);
    compare("values", there.values, or_else(asked.values, values_for(asked.keys)));
  }
  return all;
}

void make_map(SegmentCore& segment, std::string_view name, const MapOptions& options) {
  directory::check_name(name);
  layout::MapGeometry geometry = geometry_of(options, options.pool.empty() ? options.value_bytes : 0);
  if (is_there(segment, name)) {
    throw Error(Errc::exists,
                "segment '" + segment.name() + "' has a facility named '" + std::string(name) + "' already");
  }
  const auto make = [&](const DirectoryRecord& pool) {
    SAPBUF_KILL_POINT(map_pool_made);
    if (!geometry.own_pool) geometry.value_bytes = value_bytes_in(segment, pool);
    directory::make(segment, plan_map(name, geometry, pool.id, segment.geometry().participants));
  };
  if (geometry.own_pool) {
    make_on_own_pool(segment, own_pool_name(name, kOwnPool), pool_options_of(options), make);
  } else {
    make(find_pool_for(segment, options.pool));
  }
  SAPBUF_KILL_POINT(map_made);
}

bool remove_map(SegmentCore& segment, std::string_view name) {
  const std::optional<DirectoryRecord> record = directory::find_by_name(segment, name);
  if (!record) return false;
  if (record->kind != layout::FacilityKind::map) {
    throw Error(Errc::incompatible, title_of(segment, *record) + " is no map");
  }
  const auto choices = layout::read_map_choices(record->choices);
  const bool removed = directory::remove(segment, name);
  SAPBUF_KILL_POINT(map_removed);
  if (removed && choices && choices->own_pool) remove_own_pool(segment, own_pool_name(name, kOwnPool));
  return removed;
}

}  // namespace SAPBUF_DETAIL
