// The frames as they stand, for post-mortems.
#include <algorithm>

#include <sapbuf/inspect.hpp>

#include "platform/cancellation.hpp"
#include "segment/creation.hpp"
#include "stream/extents.hpp"

namespace sapbuf {
namespace detail {
namespace {

using layout::Extent;
using layout::FrameHeader;
using layout::FrameKind;
using layout::SlabLife;
using layout::word_at;

using Visitor = std::function<void(const FrameRecord&)>;

std::string_view name_of(FrameKind kind) noexcept {
  switch (kind) {
    case FrameKind::none:
      return "hole";
    case FrameKind::message:
      return "message";
    case FrameKind::busy:
      return "busy";
    case FrameKind::nop:
      return "nop";
    case FrameKind::extent:
      return "extent";
  }
  return "unknown";
}

// One slab, as far as it is claimed.
class SlabDump {
 public:
  SlabDump(StreamCore& core, SlabGeneration where, const Visitor& visit)
      : core_(core), where_(where), slab_(core.slab_for_reading(where.slab)), visit_(visit) {}

  void run(std::uint64_t claimed) {
    if (core_.geometry().order == Order::total) {
      walk(0, claimed, 0);
      return;
    }
    const std::uint64_t granule_bytes = core_.geometry().granule_bytes;
    std::uint64_t hole = 0;  // bytes without an extent, up to where this is
    const auto tell_hole = [&](std::uint64_t end) {
      if (hole != 0) tell(end - hole, "hole", hole, 0, {}, 0);
      hole = 0;
    };
    for_each_extent(core_, where_, claimed, [&](std::uint64_t index, Extent extent, std::uint64_t granules) {
      const std::uint64_t begin = index * granule_bytes;
      if (extent.begins()) {
        tell_hole(begin);
        walk(begin, begin + granules * granule_bytes, extent.owner());
      } else {
        hole += granule_bytes;
      }
    });
    tell_hole(claimed / granule_bytes * granule_bytes);
  }

 private:
  bool moved_on() const noexcept {
    const SlabLife life{core_.descriptor(where_.slab).life.load(std::memory_order_acquire)};
    return life.generation() != where_.generation || !life.readable();
  }

  void walk(std::uint64_t at, std::uint64_t end, std::uint32_t owner) {
    while (at < end && !moved_on()) {
      const FrameHeader header{word_at(slab_ + at).load(std::memory_order_acquire)};
      if (header.kind() == FrameKind::none) {
        // Per-writer order: the rest of an open extent. Total order: claimed, and not written yet.
        const bool total = core_.geometry().order == Order::total;
        const std::uint64_t span = total ? zero_span(at, end) : end - at;
        tell(at, total ? "hole" : "open", span, 0, {}, owner);
        at += span;
        continue;
      }
      if (header.span() > end - at || header.kind() > FrameKind::extent) {
        if (moved_on()) return;
        throw Error(Errc::corrupt, core_.title() + " is corrupt: slab " + std::to_string(where_.slab) + ", offset " +
                                       std::to_string(at) + ": no frame can begin with this word");
      }
      const bool message = header.kind() == FrameKind::message;
      tell(at, name_of(header.kind()), header.span(), message ? header.type() : std::uint16_t{0},
           message ? std::span{slab_ + at + layout::kUnitBytes, header.payload_bytes()} : std::span<const std::byte>{},
           header.kind() == FrameKind::busy ? header.owner() : owner);
      at += header.span();
    }
  }

  std::uint64_t zero_span(std::uint64_t at, std::uint64_t end) const noexcept {
    std::uint64_t span = layout::kUnitBytes;
    while (at + span < end && word_at(slab_ + at + span).load(std::memory_order_relaxed) == 0)
      span += layout::kUnitBytes;
    return span;
  }

  void tell(std::uint64_t offset, std::string_view kind, std::uint64_t span, std::uint16_t type,
            std::span<const std::byte> payload, std::uint32_t owner) const {
    visit_({.slab = where_.slab,
            .generation = where_.generation,
            .offset = offset,
            .kind = kind,
            .type = type,
            .span = span,
            .owner = owner,
            .payload = payload});
  }

  StreamCore& core_;
  const SlabGeneration where_;
  const std::byte* const slab_;
  const Visitor& visit_;
};

void dump_core(StreamCore& core, const Visitor& visit) {
  core.check_not_forked();
  // With a cursor that makes no sense, each slab is taken as far as its descriptor says.
  const ActiveSlab active = load_active(core);
  for_each_readable(core, [&](SlabGeneration where) {
    SlabDump{core, where, visit}.run(claimed_bytes(core, active, where));
  });
}

void dump_unless_truncated(StreamCore& core, const Visitor& visit) {
  core.segment().unless_truncated([&] { return dump_core(core, visit), true; });
}

}  // namespace
}  // namespace detail

void dump(std::string_view name, const std::function<void(const FrameRecord&)>& visit) {
  dump(name, kMainStream, visit);
}

void dump(std::string_view segment, std::string_view name, const std::function<void(const FrameRecord&)>& visit) {
  const auto stream = [&] {
    const platform::Uncancellable to_its_end;
    return detail::open_stream(detail::open_named(segment, platform::FileAccess::read_only).core, name);
  }();
  detail::dump_unless_truncated(*stream, visit);
}

void dump(const Segment& segment, const std::function<void(const FrameRecord&)>& visit) {
  dump(Stream::open(segment), visit);
}

void dump(const Stream& stream, const std::function<void(const FrameRecord&)>& visit) {
  detail::dump_unless_truncated(*stream.core(), visit);
}

}  // namespace sapbuf
