#include "pool/pool_core.hpp"

#include <algorithm>

#include "platform/counted.hpp"
#include "pool/chunks.hpp"
#include "pool/waiters.hpp"
#include "segment/core_dumps.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

// What the directory says of a pool, checked. Throws Error.
layout::PoolGeometry geometry_in(SegmentCore& segment, const DirectoryRecord& record) {
  const std::string title = title_of(segment, record);
  check_layout_hash(record, layout::pool_layout_hash(), title);
  std::optional<layout::PoolGeometry> geometry = layout::read_pool_choices(record.choices);
  if (!geometry) throw_unknown_choices(title);
  geometry->participants = segment.geometry().participants;
  if (const auto problem = layout::problem_with(*geometry)) {
    throw Error(Errc::corrupt, title + " is corrupt: " + *problem);
  }
  layout::place(*geometry, record.offset);
  if (geometry->bytes_with(geometry->count) > record.bytes) {
    throw Error(Errc::corrupt, title + " is corrupt: its region has " + std::to_string(record.bytes) + " bytes of " +
                                   std::to_string(geometry->bytes_with(geometry->count)));
  }
  return *geometry;
}

std::vector<SizeClass> size_classes_of(const layout::PoolGeometry& geometry) {
  constexpr std::uint64_t kMostBytes = 16384;  // that a user keeps at hand of one class
  std::vector<SizeClass> classes;
  for (std::uint32_t number = 0; number < geometry.classes; ++number) {
    const layout::BlockShape shape = layout::block_shape_of(number, layout::kChunkBuffers);
    const std::uint64_t bytes = shape.pieces * geometry.stride_bytes;
    const auto capacity = std::min<std::uint64_t>(kMostBytes / bytes, layout::kClassMagazine);
    classes.push_back({shape, bytes, static_cast<std::uint32_t>(capacity)});
  }
  return classes;
}

std::shared_ptr<Facility> open(SegmentCore& segment, const DirectoryRecord& record) {
  return std::make_shared<PoolCore>(segment, record);
}

// All but the buffers. Where the choices make no sense, nothing can be told from those.
std::uint64_t own_bytes(const std::uint64_t (&choices)[layout::kChoices], std::uint32_t participants) {
  std::optional<layout::PoolGeometry> geometry = layout::read_pool_choices(choices);
  if (!geometry) return 0;
  geometry->participants = participants;
  if (layout::problem_with(*geometry)) return 0;
  layout::place(*geometry, 0);
  return geometry->buffers_at;
}

}  // namespace

PoolCore::PoolCore(SegmentCore& segment, const DirectoryRecord& record)
    : Facility(segment, record, geometry_in(segment, record).buffers_at - record.offset),
      geometry_(geometry_in(segment, record)),
      size_classes_(size_classes_of(geometry_)),
      reach_(geometry_.max_count) {}

std::byte* PoolCore::map(MappedOnDemand& mapped, platform::FileAccess access) {
  return mapped.get([&](MappedRange& range) {
    const std::uint64_t control_bytes = geometry_.buffers_at - geometry_.head_at;
    const platform::Dump dump = slabs_in_core_dumps() ? platform::Dump::yes : platform::Dump::no;
    std::byte* const begin = range.map_growing(segment(), access, geometry_.buffers_at, bytes() - control_bytes,
                                               record().most_bytes - control_bytes, dump, geometry_.alignment);
    std::uint64_t reach = range.reach() / geometry_.stride_bytes;
    if (has_classes()) reach -= reach % layout::kChunkBuffers;  // who takes of a chunk may take any of its buffers
    reach_.store(std::min(reach_.load(relaxed), reach), relaxed);
    return begin;
  });
}

void PoolCore::note_out(std::uint64_t buffers) noexcept {
  layout::Word& peak = control().peak;
  const std::uint64_t out = control().out.fetch_add(buffers, relaxed) + buffers;
  std::uint64_t most = peak.load(relaxed);
  while (static_cast<std::int64_t>(out) > static_cast<std::int64_t>(most) &&
         !peak.compare_exchange_weak(most, out, relaxed)) {
  }
}

std::uint64_t PoolCore::buffer_bytes(std::uint32_t buffer) const noexcept {
  if (!has_classes()) return geometry_.buffer_bytes;
  const std::uint32_t chunk = head_of(*this, chunk_of(buffer));
  const layout::ChunkWord seen{this->chunk(chunk).load(std::memory_order_acquire)};
  // Of a run, each piece by itself; and of what is no buffer.
  if (seen.state() == layout::ChunkState::whole) return geometry_.stride_bytes;
  const Block block = block_at(*this, chunk, seen);
  return block.has(buffer) ? block.step * geometry_.stride_bytes : geometry_.stride_bytes;
}

std::uint64_t PoolCore::bytes_of(std::span<const std::uint64_t> buffers) const noexcept {
  if (!has_classes()) return buffers.size() * geometry_.buffer_bytes;
  std::uint64_t bytes = 0;
  for (const std::uint64_t number : buffers) {
    if (number == 0 || number > there()) continue;  // of a root that a stray store left
    bytes += buffer_bytes(static_cast<std::uint32_t>(number - 1));
  }
  return bytes;
}

void PoolCore::check() {
  const std::uint64_t count = control().count.load(std::memory_order_acquire);
  if (count >= geometry_.count && count <= geometry_.max_count && geometry_.bytes_with(count) <= bytes()) return;
  segment().check_not_truncated();
  check_not_removed();
  throw Error(Errc::corrupt, title() + " is corrupt: it says that it has " + std::to_string(count) + " buffers");
}

void PoolCore::prepare(std::uint32_t index) noexcept {
  layout::PoolSlot& fresh = slot(index);
  fresh.attention.fetch_add(1, relaxed);
  for (layout::Word* word : {&fresh.request, &fresh.has, &fresh.next_state, &fresh.next_has, &fresh.adopted,
                             &fresh.misses, &fresh.next_magazine, &fresh.refills, &fresh.elsewhere, &fresh.attached,
                             &fresh.stolen, &fresh.grown, &fresh.waits}) {
    word->store(0, relaxed);
  }
  for (layout::Word& root : fresh.roots) root.store(0, relaxed);
  for (std::uint32_t number = 0; number < magazines(); ++number) magazine(index, number).state.store(0, relaxed);
}

void PoolCore::mark_settled(std::uint32_t index) noexcept { slot(index).attention.fetch_add(1, relaxed); }

void PoolCore::wake_all() noexcept { wake_all_waiters(*this); }

void PoolCore::describe(std::vector<SegmentPart>& parts) const {
  const layout::PoolGeometry& g = geometry_;
  const auto part = [&](std::string what, std::uint64_t begin, std::uint64_t end) {
    parts.push_back({record().name, std::move(what), begin, end - begin});
  };
  part("journal and counts of recoveries", g.head_at, g.control_at);
  part("control", g.control_at, g.slots_at);
  part(platform::counted(g.participants, "slot"), g.slots_at, g.magazines_at);
  if (has_classes()) {
    part("magazines of " + std::to_string(g.classes) + (g.classes == 1 ? " size class" : " size classes"),
         g.magazines_at, g.words_at);
  }
  part(platform::counted(g.max_count, "word"), g.words_at, g.words_at + g.max_count * sizeof(layout::Word));
  part(platform::counted(layout::chunks_of(g.max_count), "chunk"), g.chunks_at, g.since_at);
  part(platform::counted(g.max_count, "time"), g.since_at, g.since_at + g.max_count * sizeof(layout::HalfWord));
  const std::uint64_t count = std::min(control().count.load(std::memory_order_acquire), g.max_count);
  part(platform::counted(count, has_classes() ? "piece" : "buffer"), g.buffers_at,
       g.buffers_at + count * g.stride_bytes);
}

// An `attention` of 0 is nobody's: every user asks why, at its next step.
bool PoolCore::on_truncation() noexcept {
  const bool control = Facility::on_truncation();
  const bool looked_at = looked_at_.replace_by_zeros();
  return buffers_.replace_by_zeros() && looked_at && control;
}

std::shared_ptr<PoolCore> find_pool(const std::shared_ptr<SegmentCore>& segment, std::string_view name) {
  return find_as<PoolCore>(segment, layout::FacilityKind::pool, name);
}

std::shared_ptr<PoolCore> open_pool(const std::shared_ptr<SegmentCore>& segment, std::string_view name) {
  return open_as<PoolCore>(segment, layout::FacilityKind::pool, name);
}

FacilityType pool_type() noexcept { return {layout::FacilityKind::pool, "pool", &open, nullptr, &own_bytes}; }

}  // namespace SAPBUF_DETAIL
