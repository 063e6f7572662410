#include "stream/stream_options.hpp"

#include <algorithm>
#include <cstdio>

#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/inspect.hpp>

#include "stream/frames.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr std::uint64_t kDefaultExtentBytes = 16 * 1024;
constexpr std::uint64_t kBytesPerAttachment = 1024;  // of a slab, by default: 1.6 % of it
constexpr std::uint64_t kFewestAttachments = 16;     // by default

std::uint64_t default_extent_bytes(std::uint64_t slab_bytes) noexcept {
  const std::uint64_t most = std::min(kDefaultExtentBytes, slab_bytes / 4);
  // The largest power of two up to there that divides the slab; a slab is a multiple of 4096, so there is one.
  std::uint64_t power = layout::kMinExtentBytes;
  while (power * 2 <= most && slab_bytes % (power * 2) == 0) power *= 2;
  // Few enough for the table of a slab's extents, whatever its size.
  while (slab_bytes / power > layout::kMaxExtentsPerSlab) power *= 2;
  return power;
}

std::uint32_t default_attachments(std::uint64_t slab_bytes) noexcept {
  return static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(slab_bytes / kBytesPerAttachment, kFewestAttachments, layout::kMaxAttachments));
}

std::string octal(unsigned mode) {
  char text[16];
  std::snprintf(text, sizeof text, "%04o", mode);
  return text;
}

std::string name_of(Fences fences) { return fences == Fences::full ? "full" : "membarrier"; }

struct Differences {
  std::vector<std::string> all;

  void compare(const char* what, const std::string& has, const std::string& wanted) {
    if (has != wanted) all.push_back(std::string(what) + " " + has + ", not " + wanted);
  }
  void compare(const char* what, std::uint64_t has, std::uint64_t wanted) {
    compare(what, std::to_string(has), std::to_string(wanted));
  }
};

// Generation 1 is active in slab 0; everything else is right as zero.
void initialise(std::byte* region, const layout::StreamGeometry& geometry) {
  auto& control = *reinterpret_cast<layout::StreamControl*>(region + geometry.control_at);
  auto& descriptor = *reinterpret_cast<layout::SlabDescriptor*>(region + geometry.descriptors_at);
  descriptor.messages_before.store(1, relaxed);
  descriptor.life.store(layout::SlabLife::make(1, layout::SlabState::active).word, relaxed);
  control.cursor.store(
      layout::Cursor::make(1, 0, begin_slab(region + geometry.slabs_at, geometry) / layout::kUnitBytes).word, relaxed);
}

}  // namespace

layout::StreamGeometry geometry_of(const StreamOptions& options, std::uint32_t participants) {
  layout::StreamGeometry geometry;
  geometry.slabs = options.slabs;
  geometry.slab_bytes = options.slab_bytes;
  geometry.order = options.order;
  geometry.on_full = options.on_full;
  geometry.participants = participants;
  geometry.retain = options.retain;
  geometry.payload_alignment = options.payload_alignment;
  geometry.durable_readers = options.durable_readers;
  geometry.extent_bytes = options.extent_bytes != 0 ? options.extent_bytes : default_extent_bytes(options.slab_bytes);
  geometry.attachments = options.attachments != 0 ? options.attachments : default_attachments(options.slab_bytes);
  if (const auto problem = layout::problem_with(geometry)) throw Error(Errc::invalid_argument, *problem);
  layout::place(geometry, 0);
  return geometry;
}

StreamOptions options_of(const layout::StreamGeometry& geometry) {
  return {.slabs = geometry.slabs,
          .slab_bytes = geometry.slab_bytes,
          .order = geometry.order,
          .extent_bytes = geometry.extent_bytes,
          .on_full = geometry.on_full,
          .retain = geometry.retain,
          .attachments = geometry.attachments,
          .payload_alignment = geometry.payload_alignment,
          .durable_readers = geometry.durable_readers};
}

std::vector<std::string> differences(const StreamOptions& there, const StreamOptions& asked) {
  Differences found;
  found.compare("slabs", there.slabs, asked.slabs);
  found.compare("slab_bytes", there.slab_bytes, asked.slab_bytes);
  found.compare("order", std::string(to_string(there.order)), std::string(to_string(asked.order)));
  if (there.order == Order::per_writer && asked.order == Order::per_writer) {
    // Who leaves the extents to the library gets those that suit the slabs that are there.
    found.compare("extent_bytes", there.extent_bytes,
                  asked.extent_bytes != 0 ? asked.extent_bytes : default_extent_bytes(there.slab_bytes));
  }
  found.compare("on_full", std::string(to_string(there.on_full)), std::string(to_string(asked.on_full)));
  found.compare("attachments", there.attachments,
                asked.attachments != 0 ? asked.attachments : default_attachments(there.slab_bytes));
  found.compare("payload_alignment", there.payload_alignment, asked.payload_alignment);
  found.compare("durable_readers", there.durable_readers, asked.durable_readers);
  found.compare("retain", std::string(there.retain ? "yes" : "no"), asked.retain ? "yes" : "no");
  return found.all;
}

std::vector<std::string> differences(const SegmentOptions& there, const SegmentOptions& asked) {
  Differences found;
  if (there.main_stream != asked.main_stream) {
    found.compare("main stream", std::string(there.main_stream ? "one" : "none"), asked.main_stream ? "one" : "none");
  } else if (there.main_stream) {
    found.all = differences(there.stream(), asked.stream());
  }
  found.compare("participants", there.participants, asked.participants);
  found.compare("mode", octal(there.mode), octal(asked.mode));
  found.compare("fences", name_of(there.fences), name_of(asked.fences));
  return found.all;
}

FacilityPlan plan_stream(std::string_view name, const StreamOptions& options, std::uint32_t participants) {
  directory::check_name(name);
  const layout::StreamGeometry geometry = geometry_of(options, participants);
  FacilityPlan plan{.kind = layout::FacilityKind::stream,
                    .name = std::string(name),
                    .bytes = geometry.bytes,
                    .control_bytes = geometry.slabs_at + geometry.first_claim_at(),
                    .layout_hash = layout::stream_layout_hash(),
                    .choices = {},
                    .initialise = [geometry](std::byte* region) { initialise(region, geometry); }};
  layout::write_choices(geometry, plan.choices);
  return plan;
}

}  // namespace SAPBUF_DETAIL
