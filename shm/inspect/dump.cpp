// The frames as they stand, for post-mortems.
#include <algorithm>

#include <sapbuf/inspect.hpp>

#include "platform/cancellation.hpp"
#include "segment/creation.hpp"
#include "stream/extents.hpp"
#include "stream/frames.hpp"

namespace sapbuf {
inline namespace SAPBUF_ABI {
namespace detail {
namespace {

using layout::Extent;
using layout::FrameHeader;
using layout::FrameKind;
using layout::SlabLife;

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
    if (core_.in_total_order()) {
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

  // Until the slab moves on: what was read before that is the generation's.
  void walk(std::uint64_t begin, std::uint64_t end, std::uint32_t owner) {
    const bool total = core_.in_total_order();
    for_each_frame(slab_ + begin, end - begin, total ? Unwritten::is_hole : Unwritten::is_end,
                   [&](std::uint64_t offset, FrameHeader header, std::uint64_t span) {
                     if (moved_on()) return false;
                     const std::uint64_t at = begin + offset;
                     if (header.kind() == FrameKind::none) {
                       tell(at, total ? "hole" : "open", span, 0, {}, owner);
                     } else {
                       tell_frame(at, header, span, owner);
                     }
                     return true;
                   });
  }

  void tell_frame(std::uint64_t at, FrameHeader header, std::uint64_t span, std::uint32_t owner) const {
    if (header.span() > span || header.kind() > FrameKind::extent) {
      throw Error(Errc::corrupt, core_.title() + " is corrupt: slab " + std::to_string(where_.slab) + ", offset " +
                                     std::to_string(at) + ": no frame can begin with this word");
    }
    const bool message = header.kind() == FrameKind::message;
    tell(at, name_of(header.kind()), span, message ? header.type() : std::uint16_t{0},
         message ? std::span{slab_ + at + layout::kUnitBytes, header.payload_bytes()} : std::span<const std::byte>{},
         header.kind() == FrameKind::busy ? header.owner() : owner);
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

}  // namespace SAPBUF_ABI
}  // namespace sapbuf
