#include "support/slab_content.hpp"

#include <algorithm>

namespace sapbuf::test {
namespace {

using detail::SlabGeneration;
using detail::StreamCore;
using layout::Claim;
using layout::Extent;
using layout::ExtentState;
using layout::FrameHeader;
using layout::FrameKind;
using layout::Progress;
using layout::StreamSlot;
using layout::word_at;

class SlabWalk {
 public:
  SlabWalk(StreamCore& core, SlabGeneration where, bool closed, bool still)
      : core_(core),
        g_(core.geometry()),
        where_(where),
        slab_(core.slab_for_reading(where.slab)),
        closed_(closed),
        still_(still) {}

  std::uint64_t run(std::uint64_t claimed) {
    if (g_.order == Order::per_writer) {
      walk_table(claimed / g_.granule_bytes);
    } else {
      walk_frames(claimed);
    }
    if (closed_ && claimed < g_.slab_bytes &&
        FrameHeader::nop(g_.slab_bytes - claimed).word != header_at(claimed).word) {
      wrong(claimed, "the rest of a closed generation is no filler");
    }
    return messages_;
  }

 private:
  template <typename... Parts>
  [[noreturn]] void wrong(std::uint64_t offset, const Parts&... parts) const {
    broken("generation ", where_.generation, ", slab ", where_.slab, ", at ", offset, ": ", parts...);
  }

  FrameHeader header_at(std::uint64_t offset) const { return {word_at(slab_ + offset).load()}; }

  // --- Per-writer order --------------------------------------------------------------------------------------------

  Extent extent_at(std::uint64_t index) const { return {core_.extent(where_.slab, index).load()}; }

  void walk_table(std::uint64_t count) {
    for (std::uint64_t index = 0; index < count;) {
      const Extent extent = extent_at(index);
      if (extent.begins()) {
        look_at_row(index, extent, count);
        index += extent.granules();
        continue;
      }
      // The claimer of several marks the last one before it opens the first.
      if (closed_ || still_) wrong(index * g_.granule_bytes, "claimed, and opened by nobody");
      ++index;
    }
    for (std::uint64_t index = count; index < g_.granules_per_slab(); ++index) {
      if (extent_at(index).word != 0) wrong(index * g_.granule_bytes, "in the table, and not claimed");
    }
  }

  void look_at_row(std::uint64_t index, Extent extent, std::uint64_t count) {
    const std::uint64_t begin = index * g_.granule_bytes;
    if (extent.granules() == 0 || extent.granules() > count - index)
      wrong(begin, extent.granules(), " granules in a row");
    if (extent.owner() >= g_.participants) wrong(begin, "an extent of slot ", extent.owner());
    const std::uint64_t back = extent.granules() - 1;
    for (std::uint64_t i = 1; i < back; ++i) {
      if (extent_at(index + i).word != 0) wrong(begin, "a row of granules is broken");
    }
    const Extent last = extent_at(index + back);
    if (back != 0 && (last.state() != ExtentState::last || last.granules() != back)) {
      wrong(begin, "a row of granules does not lead back to its first");
    }
    const bool open = extent.state() == ExtentState::open;
    if (closed_ && open) wrong(begin, "open, in a closed generation");
    const std::uint64_t end = begin + extent.granules() * g_.granule_bytes;
    const std::uint64_t messages = open ? walk_open(begin, end, extent.owner()) : walk_closed(begin, end);
    if (!open && messages != extent.messages()) {
      wrong(begin, messages, " messages in an extent, and its table says ", extent.messages());
    }
    messages_ += messages;
  }

  std::uint64_t walk_closed(std::uint64_t at, std::uint64_t end) {
    std::uint64_t messages = 0;
    for (bool first = true; at < end; first = false) {
      const FrameHeader header = header_at(at);
      const bool known =
          header.kind() == FrameKind::message || header.kind() == FrameKind::nop || header.kind() == FrameKind::extent;
      if (!known || header.span() > end - at) {
        wrong(at, "the chain of a closed extent is broken");
      }
      if (!first && header.kind() == FrameKind::extent) wrong(at, "an extent begins within another");
      messages += header.kind() == FrameKind::message ? 1 : 0;
      at += header.span();
    }
    return messages;
  }

  // Up to the header that its owner will write next, or to filler: whoever began to close it was killed or stopped.
  std::uint64_t walk_open(std::uint64_t at, std::uint64_t end, std::uint32_t owner) {
    if (header_at(at).kind() != FrameKind::extent) wrong(at, "an open extent has no extent frame");
    if (word_at(slab_ + at + layout::kUnitBytes).load() != owner) wrong(at, "an extent frame names another owner");
    std::uint64_t messages = 0;
    for (at += header_at(at).span(); at < end; at += header_at(at).span()) {
      const FrameHeader header = header_at(at);
      if (header.kind() == FrameKind::none) return messages;
      if (header.kind() == FrameKind::nop && header.span() == end - at) return messages;
      if (header.kind() == FrameKind::nop && header.span() < g_.payload_alignment) continue;
      if (header.kind() != FrameKind::message || header.span() >= end - at) wrong(at, "no message of an open extent");
      if ((at + layout::kUnitBytes) % g_.payload_alignment != 0) wrong(at, "a payload that is not aligned");
      ++messages;
    }
    wrong(at, "an open extent has no room for a header");
  }

  // --- Total order -------------------------------------------------------------------------------------------------

  void walk_frames(std::uint64_t claimed) {
    for (std::uint64_t at = 0; at < claimed;) {
      const FrameHeader header = header_at(at);
      if (header.kind() == FrameKind::none) {
        if (closed_ || still_) wrong(at, "claimed, and written by nobody");
        at += layout::kUnitBytes;
        continue;
      }
      if (header.kind() > FrameKind::nop || header.span() > claimed - at) wrong(at, "the chain is broken");
      if (header.kind() == FrameKind::busy) look_at_busy(at, header);
      messages_ += header.kind() == FrameKind::message ? 1 : 0;
      at += header.span();
    }
    if (closed_) return;
    for (std::uint64_t at = claimed; at < g_.slab_bytes; at += layout::kUnitBytes) {
      if (header_at(at).word != 0 && !is_filler_behind_limit(at, claimed)) wrong(at, "written, and not claimed");
    }
  }

  // Left by a closer that was killed or stopped before it could say `closed`.
  bool is_filler_behind_limit(std::uint64_t at, std::uint64_t claimed) const {
    return at == claimed && header_at(at).word == FrameHeader::nop(g_.slab_bytes - claimed).word;
  }

  void look_at_busy(std::uint64_t at, FrameHeader header) {
    if (closed_) wrong(at, "a busy frame, in a closed generation");
    if (header.owner() >= g_.participants) wrong(at, "a busy frame of slot ", header.owner());
    if (!still_) return;
    const StreamSlot& owner = core_.slot(header.owner());
    const Claim claim{owner.claim.load()};
    const bool claimed = claim.is_in(where_.generation) && claim.slab() == where_.slab && claim.offset_bytes() == at;
    if (!core_.registration_of(header.owner()).in_use() || !Progress{owner.progress.load()}.busy() || !claimed) {
      wrong(at, "a busy frame of slot ", header.owner(), ", which is not at work there");
    }
  }

  StreamCore& core_;
  const layout::StreamGeometry& g_;
  const SlabGeneration where_;
  const std::byte* const slab_;
  const bool closed_;
  const bool still_;
  std::uint64_t messages_ = 0;
};

}  // namespace

std::uint64_t messages_in(StreamCore& core, SlabGeneration where, std::uint64_t claimed, bool closed, bool still) {
  return SlabWalk{core, where, closed, still}.run(claimed);
}

std::optional<std::uint64_t> messages_in_own_extent(StreamCore& core, std::uint32_t writer, Claim claim) {
  const layout::StreamGeometry& g = core.geometry();
  if (g.order != Order::per_writer) return std::nullopt;
  const Extent extent{core.extent(claim.slab(), claim.offset_bytes() / g.granule_bytes).load()};
  if (extent.state() != ExtentState::open || extent.owner() != writer) return std::nullopt;
  const std::byte* const begin = core.slab_for_reading(claim.slab()) + claim.offset_bytes();
  std::uint64_t messages = 0;
  const std::uint64_t size = extent.granules() * g.granule_bytes;
  for (std::uint64_t at = layout::kExtentFrameBytes; at < size;) {
    const FrameHeader header{word_at(begin + at).load()};
    if (header.kind() != FrameKind::message && header.kind() != FrameKind::nop) break;
    messages += header.kind() == FrameKind::message ? 1 : 0;
    at += header.span();
  }
  return messages;
}

void check_clean(StreamCore& core, std::uint32_t slab) {
  const layout::StreamGeometry& g = core.geometry();
  if (g.order == Order::per_writer) {
    for (std::uint64_t index = 0; index < g.granules_per_slab(); ++index) {
      if (core.extent(slab, index).load() != 0) broken("slab ", slab, " is free, and extent ", index, " is not");
    }
    return;
  }
  const std::byte* const bytes = core.slab_for_reading(slab);
  // Whoever was to make it active may have died on the way.
  const std::uint64_t begun = g.first_claim_at();
  const bool is_begun = begun != 0 && word_at(bytes).load() == FrameHeader::nop(begun).word;
  for (std::uint64_t at = is_begun ? layout::kUnitBytes : 0; at < g.slab_bytes; at += layout::kUnitBytes) {
    if (word_at(bytes + at).load() != 0) broken("slab ", slab, " is free, and written at ", at);
  }
}

}  // namespace sapbuf::test
