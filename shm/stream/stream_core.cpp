#include "stream/stream_core.hpp"

#include "platform/counted.hpp"
#include "segment/core_dumps.hpp"
#include "segment/event.hpp"
#include "segment/registry.hpp"
#include "stream/slabs.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

// What the directory says of a stream, checked. Throws Error.
layout::StreamGeometry geometry_in(SegmentCore& segment, const DirectoryRecord& record) {
  const std::string title = title_of(segment, record);
  check_layout_hash(record, layout::stream_layout_hash(), title);
  std::optional<layout::StreamGeometry> geometry = layout::read_choices(record.choices);
  if (!geometry) throw_unknown_choices(title);
  geometry->participants = segment.geometry().participants;
  if (const auto problem = layout::problem_with(*geometry)) {
    throw Error(Errc::corrupt, title + " is corrupt: " + *problem);
  }
  layout::place(*geometry, record.offset);
  if (geometry->bytes != record.bytes) {
    throw Error(Errc::corrupt, title + " is corrupt: its region has " + std::to_string(record.bytes) + " bytes, not " +
                                   std::to_string(geometry->bytes));
  }
  return *geometry;
}

std::shared_ptr<Facility> open(SegmentCore& segment, const DirectoryRecord& record) {
  return std::make_shared<StreamCore>(segment, record);
}

}  // namespace

using platform::Dump;
using platform::FileAccess;

StreamCore::StreamCore(SegmentCore& segment, const DirectoryRecord& record)
    : Facility(segment, record, geometry_in(segment, record).slabs_at - record.offset),
      geometry_(geometry_in(segment, record)) {
  if (segment.is_shared_memory() && !slabs_in_core_dumps()) set_dump(Dump::no);
}

StreamCore::~StreamCore() {
  if (segment().is_shared_memory()) set_dump(Dump::yes);  // the memory is the caller's again
}

void StreamCore::set_dump(Dump dump) noexcept {
  platform::set_dump(segment().supplied(geometry_.slabs_at), geometry_.slabs * geometry_.slab_bytes, dump);
}

std::byte* StreamCore::slabs(MappedOnDemand& range, FileAccess access) {
  return range.get([&](MappedRange& to_be_mapped) {
    const Dump dump = slabs_in_core_dumps() ? Dump::yes : Dump::no;
    return to_be_mapped.map(segment(), access, geometry_.slabs_at, geometry_.slabs * geometry_.slab_bytes, dump);
  });
}

std::byte* StreamCore::slab_for_writing(std::uint32_t slab) {
  return slabs(writing_, FileAccess::read_write) + slab * geometry_.slab_bytes;
}

const std::byte* StreamCore::slab_for_reading(std::uint32_t slab) {
  return slabs(reading_, FileAccess::read_only) + slab * geometry_.slab_bytes;
}

void StreamCore::throw_corrupt(const std::string& what) const {
  check_not_truncated();
  check_not_removed();
  throw Error(Errc::corrupt, title() + " is corrupt: " + what + "; look at it with 'sapbuf dump', then make it anew");
}

void StreamCore::beat(std::uint32_t slot) const noexcept { registry::beat(segment().participant(slot)); }

void StreamCore::describe(std::vector<SegmentPart>& parts) const {
  const layout::StreamGeometry& g = geometry_;
  const auto part = [&](std::string what, std::uint64_t begin, std::uint64_t end) {
    if (begin < end) parts.push_back({record().name, std::move(what), begin, end - begin});
  };
  part("journal and counts of recoveries", g.head_at, g.control_at);
  part("control", g.control_at, g.slots_at);
  part(platform::counted(g.participants, "slot"), g.slots_at, g.descriptors_at);
  part(platform::counted(g.slabs, "slab descriptor"), g.descriptors_at, g.extents_at);
  const std::uint64_t table = g.order == Order::per_writer ? g.slabs * g.granules_per_slab() * sizeof(layout::Word) : 0;
  part("extent tables", g.extents_at, g.extents_at + table);
  part("attached buffers", g.attached_at, g.attached_at + g.slabs * g.attached_bytes());
  part(platform::counted(g.durable_readers, "durable reader"), g.durable_at,
       g.durable_at + g.durable_readers * g.durable_bytes());
  for (std::uint32_t slab = 0; slab < g.slabs; ++slab) {
    part("slab " + std::to_string(slab), g.slab_at(slab), g.slab_at(slab) + g.slab_bytes);
  }
}

void StreamCore::check() { expect_active(*this); }

void StreamCore::prepare(std::uint32_t index) noexcept {
  layout::StreamSlot& fresh = slot(index);
  fresh.progress.store(0, relaxed);
  fresh.claim.store(0, relaxed);
  fresh.hold.store(layout::kNoHold, relaxed);
  fresh.pins.store(0, relaxed);
  fresh.delivered.store(0, relaxed);
  fresh.lost.store(0, relaxed);
  fresh.skipped.store(0, relaxed);
  fresh.revoked.store(0, relaxed);
  fresh.base_messages.store(0, relaxed);
  fresh.front.store(0, relaxed);
  fresh.read_bytes.store(0, relaxed);
  for (layout::LedgerRecord& record : fresh.records) {
    for (layout::Word* word : {&record.committed, &record.committed_bytes, &record.aborted, &record.dropped,
                               &record.abandoned, &record.in_extent}) {
      word->store(0, relaxed);
    }
  }
}

void StreamCore::mark_settled(std::uint32_t index) noexcept {
  slot(index).revoked.store(layout::kSettledByOthers, relaxed);
}

void StreamCore::wake_all() noexcept {
  notify(control().space);
  notify(control().data);
}

// Every step begins with these words: the cursor is in no slab's generation, and behind every slab's end, however much
// is claimed by those who look at neither; and each writer is revoked.
bool StreamCore::on_truncation() noexcept {
  const bool control = Facility::on_truncation();
  const bool writing = writing_.replace_by_zeros();
  const bool reading = reading_.replace_by_zeros();
  if (!control) return false;
  this->control().cursor.store(layout::Cursor::make(1, 0, std::uint64_t{1} << 39).word, relaxed);
  for (std::uint32_t index = 0; index < geometry_.participants; ++index) {
    slot(index).revoked.store(~std::uint64_t{0}, relaxed);
  }
  return writing && reading;
}

std::shared_ptr<StreamCore> find_stream(const std::shared_ptr<SegmentCore>& segment, std::string_view name) {
  return find_as<StreamCore>(segment, layout::FacilityKind::stream, name);
}

std::shared_ptr<StreamCore> open_stream(const std::shared_ptr<SegmentCore>& segment, std::string_view name) {
  return open_as<StreamCore>(segment, layout::FacilityKind::stream, name);
}

FacilityType stream_type() noexcept { return {layout::FacilityKind::stream, "stream", &open}; }

}  // namespace SAPBUF_DETAIL
