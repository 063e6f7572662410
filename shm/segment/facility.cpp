#include "segment/facility.hpp"

#include <algorithm>

namespace SAPBUF_DETAIL {

using platform::Dump;
using platform::NoFork;

Facility::Facility(SegmentCore& segment, DirectoryRecord record, std::uint64_t control_bytes)
    : segment_(segment), record_(std::move(record)), control_bytes_(control_bytes) {
  segment_.begin_to_tell(*this);
  try {
    control_ = control_range_.map(segment_, segment_.access(), record_.offset, control_bytes_, Dump::yes);
    NoFork section;
    section.watch(*this);  // behind the mapping: in a child, that is replaced first
  } catch (...) {
    segment_.end_to_tell(*this);
    throw;
  }
}

Facility::~Facility() {
  segment_.end_to_tell(*this);
  NoFork section;
  section.forget(*this);
}

std::string Facility::title() const {
  const std::string& segment = segment_.name();
  const std::string kind = info_of(record_).kind;
  if (kind == "stream" && record_.name == kMainStream) return "segment '" + segment + "'";
  return kind + " '" + segment + "/" + record_.name + "'";
}

bool Facility::has_its_place() const noexcept {
  return directory::is_in_use(segment_, id()) || segment_.forked() || segment_.truncated();
}

void Facility::check_not_removed() const {
  if (!directory::is_ready_or_settled(segment_, id())) throw_removed();
}

void Facility::throw_removed() const {
  throw Error(Errc::not_found, title() + " was removed, or is just being removed");
}

std::uint64_t Facility::bytes() const noexcept {
  const std::uint64_t bytes = segment_.directory().entries[id().index()].bytes.load(std::memory_order_acquire);
  return std::min(bytes, record_.most_bytes);
}

void Facility::add(ForkHook& hook) {
  const NoFork section;
  hooks_.push_back(&hook);
}

void Facility::remove(ForkHook& hook) noexcept {
  const NoFork section;
  std::erase(hooks_, &hook);
}

void Facility::after_fork_in_child() noexcept {
  for (ForkHook* hook : hooks_) hook->after_fork_in_child();
}

void Facility::complete() noexcept {
  complete_ = true;
  // Either the handler saw that, or it is seen here that there was one.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (segment_.truncated()) static_cast<void>(on_truncation());
}

bool Facility::on_truncation() noexcept { return control_range_.replace_by_zeros(); }

std::uint64_t Facility::bytes_of(std::span<const std::uint64_t>) const noexcept { return 0; }

void Facility::collect_roots(layout::FacilityId, std::vector<std::uint64_t>&) {}

bool Facility::shed(layout::FacilityId) { return false; }

const FacilityType* type_of(layout::FacilityKind kind) noexcept {
  for (const FacilityType& type : facility_types()) {
    if (type.kind == kind) return &type;
  }
  return nullptr;
}

std::uint64_t own_bytes_of(layout::FacilityKind kind, const std::uint64_t (&choices)[layout::kChoices],
                           std::uint32_t participants, std::uint64_t bytes) {
  const FacilityType* const type = type_of(kind);
  return type == nullptr || type->own_bytes == nullptr ? bytes
                                                       : std::min(type->own_bytes(choices, participants), bytes);
}

void throw_not_there(SegmentCore& segment, layout::FacilityKind kind, std::string_view name) {
  throw Error(Errc::not_found, "segment '" + segment.name() + "' has no " + std::string(type_of(kind)->name) + " '" +
                                   std::string(name) + "' ('sapbuf ls -l' shows what there is)");
}

std::string title_of(SegmentCore& segment, const DirectoryRecord& record) {
  return info_of(record).kind + " '" + record.name + "' of segment '" + segment.name() + "'";
}

void check_layout_hash(const DirectoryRecord& record, std::uint64_t own, const std::string& title) {
  if (record.layout_hash == own) return;
  throw Error(Errc::incompatible, title + " has another layout than this library's " + info_of(record).kind +
                                      "s: use the version that made it, or remove it and make it anew");
}

void throw_unknown_choices(const std::string& title) {
  throw Error(Errc::incompatible, title +
                                      " says more of itself than this library understands: use the version that made "
                                      "it, or remove it and make it anew");
}

FacilityInfo info_of(const DirectoryRecord& record) {
  const FacilityType* const type = type_of(record.kind);
  return {.kind = std::string(type == nullptr ? "unknown" : type->name),
          .name = record.name,
          .offset = record.offset,
          .bytes = record.bytes,
          .most_bytes = record.most_bytes,
          .created_ns = record.created_at_ns};
}

std::shared_ptr<Facility> find_facility(SegmentCore& segment, layout::FacilityId id) {
  const std::lock_guard guard{segment.facilities_mutex()};
  auto& open = segment.facilities();
  const auto known = open.find(id.index());
  if (known != open.end() && known->second->id() == id) {
    return known->second->has_its_place() ? known->second : nullptr;
  }
  const std::optional<DirectoryRecord> record = directory::find_by_id(segment, id);
  if (!record) return nullptr;
  const FacilityType* const type = type_of(record->kind);
  if (type == nullptr) return nullptr;
  std::shared_ptr<Facility> opened = type->open(segment, *record);
  opened->complete();
  open.insert_or_assign(id.index(), opened);
  return opened;
}

std::optional<std::vector<std::shared_ptr<Facility>>> all_facilities(SegmentCore& segment) noexcept {
  try {
    std::vector<std::shared_ptr<Facility>> all;
    for (const layout::FacilityId id : directory::list_in_use(segment)) {
      std::shared_ptr<Facility> found = find_facility(segment, id);
      if (found != nullptr) {
        all.push_back(std::move(found));
      } else if (directory::is_in_use(segment, id)) {
        return std::nullopt;
      }
    }
    return all;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace SAPBUF_DETAIL
