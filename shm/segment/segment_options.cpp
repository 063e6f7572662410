// From options to geometry and back, and what differs between two sets of them.
#include <algorithm>
#include <cstdio>

#include <sapbuf/inspect.hpp>

#include "segment/creation.hpp"

namespace sapbuf::detail {
namespace {

constexpr std::uint64_t kDefaultExtentBytes = 16 * 1024;

std::uint64_t default_extent_bytes(std::uint64_t slab_bytes) noexcept {
  const std::uint64_t most = std::min(kDefaultExtentBytes, slab_bytes / 4);
  // The largest power of two up to there that divides the slab; a slab is a multiple of 4096, so there is one.
  std::uint64_t power = layout::kMinExtentBytes;
  while (power * 2 <= most && slab_bytes % (power * 2) == 0) power *= 2;
  // Few enough for the table of a slab's extents, whatever its size.
  while (slab_bytes / power > layout::kMaxExtentsPerSlab) power *= 2;
  return power;
}

std::string octal(unsigned mode) {
  char text[16];
  std::snprintf(text, sizeof text, "%04o", mode);
  return text;
}

const char* name_of(Fences fences) noexcept { return fences == Fences::full ? "full" : "membarrier"; }

}  // namespace

layout::Geometry geometry_of(const SegmentOptions& options) {
  layout::Geometry geometry;
  geometry.slabs = options.slabs;
  geometry.slab_bytes = options.slab_bytes;
  geometry.order = options.order;
  geometry.on_full = options.on_full;
  geometry.participants = options.participants;
  geometry.fences = options.fences;
  geometry.retain = options.retain ? 1 : 0;
  geometry.extent_bytes = options.extent_bytes != 0 ? options.extent_bytes : default_extent_bytes(options.slab_bytes);
  if (const auto problem = layout::problem_with(geometry)) throw Error(Errc::invalid_argument, *problem);
  layout::place(geometry);
  return geometry;
}

SegmentOptions options_of(const layout::Geometry& geometry) {
  return {.slabs = geometry.slabs,
          .slab_bytes = geometry.slab_bytes,
          .order = geometry.order,
          .extent_bytes = geometry.extent_bytes,
          .on_full = geometry.on_full,
          .participants = geometry.participants,
          .fences = geometry.fences,
          .retain = geometry.retain == 1};
}

std::vector<std::string> differences(const SegmentOptions& there, const SegmentOptions& asked) {
  std::vector<std::string> found;
  const auto compare = [&](const char* what, const std::string& has, const std::string& wanted) {
    if (has != wanted) found.push_back(std::string(what) + " " + has + ", not " + wanted);
  };
  const auto compare_numbers = [&](const char* what, std::uint64_t has, std::uint64_t wanted) {
    compare(what, std::to_string(has), std::to_string(wanted));
  };
  compare_numbers("slabs", there.slabs, asked.slabs);
  compare_numbers("slab_bytes", there.slab_bytes, asked.slab_bytes);
  compare("order", std::string(to_string(there.order)), std::string(to_string(asked.order)));
  if (there.order == Order::per_writer && asked.order == Order::per_writer) {
    // Who leaves the extents to the library gets those that suit the slabs that are there.
    compare_numbers("extent_bytes", there.extent_bytes,
                    asked.extent_bytes != 0 ? asked.extent_bytes : default_extent_bytes(there.slab_bytes));
  }
  compare("on_full", std::string(to_string(there.on_full)), std::string(to_string(asked.on_full)));
  compare_numbers("participants", there.participants, asked.participants);
  compare("mode", octal(there.mode), octal(asked.mode));
  compare("fences", name_of(there.fences), name_of(asked.fences));
  return found;
}

}  // namespace sapbuf::detail
