#include "segment/segment_header.hpp"

#include <algorithm>
#include <new>
#include <random>

#include <sapbuf/detail/kill_point.hpp>

#include "platform/clock.hpp"
#include "platform/system_error.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::InitState;
using layout::SegmentHeader;

constexpr auto relaxed = std::memory_order_relaxed;

std::uint64_t random_id() {
  std::random_device device;
  return (std::uint64_t{device()} << 32 | device()) | 1;
}

}  // namespace

void header::copy(const SegmentHeader& from, SegmentHeader& to) noexcept {
  to.magic = from.magic;
  to.abi_version = from.abi_version;
  to.byte_order = from.byte_order;
  to.layout_hash = from.layout_hash;
  to.creation_id = from.creation_id;
  to.created_at_ns = from.created_at_ns;
  to.init_state.store(from.init_state.load(std::memory_order_acquire), relaxed);
  to.geometry = from.geometry;
}

void header::read(const platform::SharedFile& file, HeaderCopy& copy) {
  copy.bytes = file.size();
  alignas(SegmentHeader) std::byte bytes[sizeof(SegmentHeader)] = {};
  if (!file.read(bytes, sizeof bytes, 0)) return;  // shorter than any header
  header::copy(*reinterpret_cast<const SegmentHeader*>(bytes), copy.header);
}

bool header::is_unfinished(const SegmentHeader& header) noexcept {
  return (header.magic == 0 || header.magic == layout::kMagic) &&
         header.init_state.load(std::memory_order_acquire) != static_cast<std::uint64_t>(InitState::ready);
}

void header::validate(const HeaderCopy& copy, const std::string& what) {
  const SegmentHeader& header = copy.header;
  if (header.magic != layout::kMagic) {
    throw Error(Errc::incompatible, what + " is not a sapbuf segment (wrong magic)");
  }
  if (header.byte_order != layout::kByteOrderMark) {
    throw Error(Errc::incompatible, what + " was made on a machine with another byte order");
  }
  if (header.abi_version != layout::kAbiVersion || header.layout_hash != layout::layout_hash()) {
    throw Error(Errc::incompatible, what + " has ABI version " + std::to_string(header.abi_version) +
                                        ", this library " + std::to_string(layout::kAbiVersion) +
                                        (header.abi_version == layout::kAbiVersion ? " with another layout" : "") +
                                        ": use the version that made it, or remove it and make it anew");
  }
  if (is_unfinished(header)) {
    throw Error(Errc::corrupt, what + " is corrupt: by its header it was never finished");
  }
  layout::SegmentGeometry expected = header.geometry;
  if (const auto problem = layout::problem_with(expected)) {
    throw Error(Errc::corrupt, what + " is corrupt: " + *problem);
  }
  if (header.geometry.has_unknown()) {
    throw Error(Errc::incompatible, what +
                                        " says more of itself than this library understands: use the version "
                                        "that made it, or remove it and make it anew");
  }
  layout::place(expected);
  if (!(expected == header.geometry)) {
    throw Error(Errc::corrupt, what + " is corrupt: its parts are not where its geometry puts them");
  }
  const std::uint64_t least = std::max(expected.regions_at, expected.most_bytes);
  if (copy.bytes < least) {
    throw Error(Errc::corrupt,
                what + " is truncated: it has " + std::to_string(copy.bytes) + " bytes of " + std::to_string(least));
  }
}

std::vector<std::uint64_t> header::offsets_of(const layout::SegmentGeometry& geometry,
                                              std::span<const FacilityPlan> plans) {
  std::vector<std::uint64_t> offsets;
  std::uint64_t end = geometry.regions_at;
  for (const FacilityPlan& plan : plans) {
    offsets.push_back(end);
    end += std::max(plan.bytes, plan.most_bytes);
  }
  return offsets;
}

std::uint64_t header::end_of_regions(const layout::SegmentGeometry& geometry, std::span<const FacilityPlan> plans) {
  return plans.empty() ? geometry.regions_at : offsets_of(geometry, plans).back() + plans.back().bytes;
}

void header::initialise(std::byte* base, const layout::SegmentGeometry& geometry, std::span<const FacilityPlan> plans,
                        const std::function<std::byte*(std::uint64_t offset, std::uint64_t bytes)>& region) {
  auto& header = *new (base) SegmentHeader{};
  header.magic = layout::kMagic;
  header.abi_version = layout::kAbiVersion;
  header.byte_order = layout::kByteOrderMark;
  header.layout_hash = layout::layout_hash();
  header.creation_id = random_id();
  header.created_at_ns = platform::wall_clock_ns();
  header.geometry = geometry;
  SAPBUF_KILL_POINT(create_header);
  auto& directory = *reinterpret_cast<layout::Directory*>(base + geometry.directory_at);
  const std::vector<std::uint64_t> offsets = offsets_of(geometry, plans);
  for (std::size_t index = 0; index < plans.size(); ++index) {
    const FacilityPlan& plan = plans[index];
    const std::uint64_t offset = offsets[index];
    const std::uint64_t end = geometry.most_bytes != 0 ? geometry.most_bytes : layout::kLockBase;
    layout::DirectoryEntry& entry = directory.entries[index];
    directory::write_entry(entry, plan, 1, offset, std::min(std::max(plan.bytes, plan.most_bytes), end - offset));
    plan.initialise(region(offset, plan.control_bytes));
    entry.life.store(layout::EntryLife::make(1, layout::EntryState::ready).word, std::memory_order_release);
  }
  SAPBUF_KILL_POINT(create_filled);
  // create: release, so that an opener that finds it ready finds all of it.
  header.init_state.store(static_cast<std::uint64_t>(InitState::ready), std::memory_order_release);
}

}  // namespace SAPBUF_DETAIL
