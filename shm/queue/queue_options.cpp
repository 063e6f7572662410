#include "queue/queue_options.hpp"

#include <algorithm>
#include <bit>

#include <sapbuf/detail/kill_point.hpp>

#include "pool/own_pool.hpp"
#include "pool/pool_options.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr std::string_view kOwnPool = ".blocks";

// Positions begin a lap behind the numbers of the slots, so that each slot says the one before.
void initialise(std::byte* region, const layout::QueueGeometry& geometry) {
  auto* const ring = reinterpret_cast<layout::Word*>(region + geometry.ring_at);
  for (std::uint64_t slot = 0; slot < geometry.slots; ++slot) {
    ring[slot].store(layout::RingWord::none_at(slot).word, relaxed);
  }
  auto& control = *reinterpret_cast<layout::QueueControl*>(region + geometry.control_at);
  control.tail.store(geometry.slots, relaxed);
  auto* const groups = reinterpret_cast<layout::QueueGroup*>(region + geometry.groups_at);
  for (std::uint32_t group = 0; group < geometry.groups; ++group) groups[group].head.store(geometry.slots, relaxed);
}

std::uint64_t slots_of(const QueueOptions& options) noexcept {
  return std::bit_ceil(std::min(options.slots, layout::kMaxQueueSlots + 1));
}
std::uint64_t lanes_of(const QueueOptions& options) noexcept {
  return options.keys == 0 ? 0 : std::bit_ceil(std::min(options.keys, layout::kMaxLanes + 1));
}
std::uint64_t blocks_of(const QueueOptions& options) noexcept {
  const std::uint64_t slots = slots_of(options);
  return options.blocks != 0 ? options.blocks : slots + slots / 4 + 256;
}

PoolOptions pool_options_of(const QueueOptions& options) {
  return {.buffer_bytes = options.block_bytes, .count = blocks_of(options), .max_count = 2 * blocks_of(options)};
}

layout::QueueGeometry geometry_of(const QueueOptions& options) {
  layout::QueueGeometry geometry;
  geometry.slots = slots_of(options);
  geometry.blocks = 1;
  geometry.groups = options.groups;
  geometry.max_deliveries = options.max_deliveries;
  geometry.notes = std::min(options.max_deliveries, layout::kMaxNotes);
  geometry.lanes = lanes_of(options);
  geometry.on_full = options.on_full;
  geometry.own_pool = options.pool.empty();
  return geometry;
}

void check_options(const layout::QueueGeometry& geometry) {
  if (const auto problem = layout::problem_with(geometry)) {
    throw Error(Errc::invalid_argument, "these options of a queue cannot work: " + *problem);
  }
}

FacilityPlan plan_queue(std::string_view name, layout::QueueGeometry geometry, layout::FacilityId pool,
                        std::uint32_t participants) {
  geometry.participants = participants;
  layout::place(geometry, 0);
  FacilityPlan plan{.kind = layout::FacilityKind::queue,
                    .name = std::string(name),
                    .bytes = geometry.end_at,
                    .most_bytes = geometry.end_at,
                    .control_bytes = geometry.end_at,
                    .layout_hash = layout::queue_layout_hash(),
                    .needs = pool,
                    .choices = {},
                    .initialise = [geometry](std::byte* region) { initialise(region, geometry); }};
  layout::write_choices(geometry, plan.choices);
  return plan;
}

bool is_there(SegmentCore& segment, std::string_view name) {
  return directory::find_by_name(segment, name).has_value();
}

std::uint64_t blocks_in(SegmentCore& segment, const DirectoryRecord& pool) {
  const auto core = std::static_pointer_cast<PoolCore>(find_facility(segment, pool.id));
  if (core == nullptr) throw_not_there(segment, layout::FacilityKind::pool, pool.name);
  if (core->has_classes()) {
    throw Error(Errc::invalid_argument,
                core->title() + " has buffers of all sizes: a queue's blocks are buffers of one size");
  }
  return core->geometry().max_count;
}

// The queue of the dead letters, on the same pool.
layout::FacilityId find_or_make_letters(SegmentCore& segment, const std::string& name, const layout::QueueGeometry& of,
                                        const DirectoryRecord& pool) {
  directory::check_name(name);
  layout::QueueGeometry letters = of;
  letters.max_deliveries = 0;
  letters.dead_letters = {};
  letters.lanes = 0;
  letters.on_full = OnFull::block;
  for (;;) {
    if (const auto there = directory::find_by_name(segment, name)) {
      if (there->kind == layout::FacilityKind::queue && there->needs == pool.id) return there->id;
      throw Error(Errc::invalid_argument, "'" + name + "' of segment '" + segment.name() +
                                              "' is no queue on the pool '" + pool.name +
                                              "': dead letters cannot go there");
    }
    try {
      return directory::make(segment, plan_queue(name, letters, pool.id, segment.geometry().participants)).id;
    } catch (const Error& error) {
      if (error.errc() != Errc::exists) throw;
    }
  }
}

}  // namespace

QueueOptions options_of(QueueCore& queue) {
  const layout::QueueGeometry& geometry = queue.geometry();
  QueueOptions options{.pool = {},
                       .slots = geometry.slots,
                       .groups = geometry.groups,
                       .max_deliveries = geometry.max_deliveries,
                       .dead_letters = {},
                       .keys = geometry.lanes,
                       .on_full = geometry.on_full};
  const std::shared_ptr<PoolCore> pool = queue.pool();
  options.block_bytes = pool->geometry().buffer_bytes;
  if (geometry.own_pool) {
    options.blocks = pool->geometry().count;
  } else {
    options.pool = pool->record().name;
  }
  if (geometry.dead_letters.word != 0) {
    const auto letters = directory::find_by_id(queue.segment(), geometry.dead_letters);
    if (letters) options.dead_letters = letters->name;
  }
  return options;
}

std::vector<std::string> differences(const QueueOptions& there, const QueueOptions& asked) {
  std::vector<std::string> all;
  const auto compare = [&](const char* what, std::uint64_t has, std::uint64_t wanted) {
    if (has != wanted) all.push_back(what + (" " + std::to_string(has)) + ", not " + std::to_string(wanted));
  };
  const auto named = [](const std::string& name, const char* none) {
    return name.empty() ? std::string(none) : "'" + name + "'";
  };
  compare("slots", there.slots, slots_of(asked));
  compare("groups", there.groups, asked.groups);
  compare("max_deliveries", there.max_deliveries, asked.max_deliveries);
  if (there.dead_letters != asked.dead_letters) {
    all.push_back("dead_letters " + named(there.dead_letters, "none") + ", not " + named(asked.dead_letters, "none"));
  }
  compare("keys", there.keys, lanes_of(asked));
  if (there.on_full != asked.on_full) {
    const auto word = [](OnFull on_full) { return on_full == OnFull::drop ? "drop" : "block"; };
    all.push_back(std::string("on_full ") + word(there.on_full) + ", not " + word(asked.on_full));
  }
  if (there.pool != asked.pool) {
    all.push_back("pool " + named(there.pool, "its own") + ", not " + named(asked.pool, "its own"));
  } else if (asked.pool.empty()) {
    compare("block_bytes", there.block_bytes, asked.block_bytes);
    compare("blocks", there.blocks, blocks_of(asked));
  }
  return all;
}

void make_queue(SegmentCore& segment, std::string_view name, const QueueOptions& options) {
  directory::check_name(name);
  layout::QueueGeometry geometry = geometry_of(options);
  if (!options.dead_letters.empty()) geometry.dead_letters = {~std::uint64_t{0}};  // some
  check_options(geometry);
  if (is_there(segment, name) || options.dead_letters == name) {
    throw Error(Errc::exists,
                "segment '" + segment.name() + "' has a facility named '" + std::string(name) + "' already");
  }
  const auto make = [&](const DirectoryRecord& pool) {
    SAPBUF_KILL_POINT(queue_pool_made);
    geometry.blocks = blocks_in(segment, pool);
    check_options(geometry);
    if (!options.dead_letters.empty()) {
      geometry.dead_letters = find_or_make_letters(segment, options.dead_letters, geometry, pool);
    }
    directory::make(segment, plan_queue(name, geometry, pool.id, segment.geometry().participants));
  };
  if (geometry.own_pool) {
    make_on_own_pool(segment, own_pool_name(name, kOwnPool), pool_options_of(options), make);
  } else {
    make(find_pool_for(segment, options.pool));
  }
  SAPBUF_KILL_POINT(queue_made);
}

bool remove_queue(SegmentCore& segment, std::string_view name) {
  const std::optional<DirectoryRecord> record = directory::find_by_name(segment, name);
  if (!record) return false;
  if (record->kind != layout::FacilityKind::queue) {
    throw Error(Errc::incompatible, title_of(segment, *record) + " is no queue");
  }
  const auto choices = layout::read_queue_choices(record->choices);
  const std::optional<DirectoryRecord> pool = directory::find_by_id(segment, record->needs);
  const bool removed = directory::remove(segment, name);
  SAPBUF_KILL_POINT(queue_removed);
  if (removed && choices && choices->own_pool && pool) remove_own_pool(segment, pool->name);
  return removed;
}

}  // namespace SAPBUF_DETAIL
