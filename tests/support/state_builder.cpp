#include "support/state_builder.hpp"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <sstream>
#include <stdexcept>

#include "support/main_stream.hpp"

namespace sapbuf::test {
namespace {

using detail::StreamCore;
using layout::Cursor;
using layout::Extent;
using layout::ExtentState;
using layout::FrameHeader;
using layout::FrameKind;
using layout::kUnitBytes;
using layout::Progress;
using layout::SlabDescriptor;
using layout::SlabLife;
using layout::SlabState;
using layout::SlotRegistration;
using layout::SlotState;

constexpr std::string_view kStates[] = {"free", "active", "sealed", "reclaiming", "cleaning"};

// What stands in a line of text, from its beginning.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text), left_(text) {}

  bool done() {
    skip_blanks();
    return left_.empty();
  }
  bool take(std::string_view expected) {
    skip_blanks();
    if (!left_.starts_with(expected)) return false;
    left_.remove_prefix(expected.size());
    return true;
  }
  bool is_at(char expected) const { return left_.starts_with(expected); }  // behind done()
  void expect(std::string_view expected) {
    if (!take(expected)) fail("expected '" + std::string(expected) + "'");
  }
  bool at_number() const { return !left_.empty() && std::isdigit(static_cast<unsigned char>(left_.front())) != 0; }
  std::uint64_t number() {
    skip_blanks();
    if (!at_number()) fail("expected a number");
    std::uint64_t value = 0;
    for (; at_number(); left_.remove_prefix(1)) value = value * 10 + static_cast<std::uint64_t>(left_.front() - '0');
    return value;
  }
  std::string_view word() {
    skip_blanks();
    const auto end = std::find_if_not(left_.begin(), left_.end(), [](unsigned char c) { return std::isalpha(c) != 0; });
    const std::string_view found = left_.substr(0, static_cast<std::size_t>(end - left_.begin()));
    if (found.empty()) fail("expected a word");
    left_.remove_prefix(found.size());
    return found;
  }
  [[noreturn]] void fail(const std::string& why) const {
    throw std::invalid_argument("'" + std::string(text_) + "', before '" + std::string(left_) + "': " + why);
  }

 private:
  void skip_blanks() {
    while (left_.starts_with(' ')) left_.remove_prefix(1);
  }
  std::string_view text_;
  std::string_view left_;
};

// --- From text to words --------------------------------------------------------------------------------------------

class SlabWriter {
 public:
  SlabWriter(StreamCore& core, std::uint32_t slab, std::string_view line)
      : core_(core), g_(core.geometry()), slab_(slab), bytes_(core.slab_for_writing(slab)), in_(line) {}

  void run() {
    std::memset(bytes_, core_.in_total_order() ? 0 : 0xa5, g_.slab_bytes);
    const std::uint64_t generation = in_.number();
    const std::string_view name = in_.word();
    const auto* const state = std::find(std::begin(kStates), std::end(kStates), name);
    if (state == std::end(kStates)) in_.fail("no state of a slab");
    while (!in_.done() && !in_.is_at('|') && !in_.take(":")) read_attribute();
    std::uint64_t claimed = 0;
    while (!in_.done() && !in_.take("|")) claimed += core_.in_total_order() ? frame(claimed) : row(claimed);
    must_fit(claimed, 0);
    if (in_.take("~")) put(claimed, FrameHeader::nop(g_.slab_bytes - claimed));
    if (!in_.done()) in_.fail("more than was understood");

    SlabDescriptor& descriptor = core_.descriptor(slab_);
    descriptor.life = SlabLife::make(generation, static_cast<SlabState>(state - kStates)).word;
    descriptor.limit_bytes = has_cursor_ ? 0 : claimed;
    descriptor.messages_before = before_;
    descriptor.messages = messages_;
    descriptor.closed = closed_ ? 1 : 0;
    descriptor.cleaned_bytes = cleaned_;
    if (closed_) core_.control().closed_through = std::max(core_.control().closed_through.load(), generation);
    if (has_cursor_) {
      if (overshoot_ != 0 && claimed != g_.slab_bytes) in_.fail("behind the end of a slab that is not full");
      core_.control().cursor = Cursor::make(generation, slab_, (claimed + overshoot_) / kUnitBytes).word;
    }
  }

 private:
  void read_attribute() {
    const std::string_view name = in_.word();
    if (name == "cursor") {
      has_cursor_ = true;
      if (in_.take("+")) overshoot_ = in_.number();
    } else if (name == "closed") {
      closed_ = true;
    } else {
      in_.expect("=");
      const std::uint64_t value = in_.number();
      if (name == "before") {
        before_ = value + 1;
      } else if (name == "messages") {
        messages_ = value + 1;
      } else if (name == "cleaned") {
        cleaned_ = value;
      } else {
        in_.fail("no word of a descriptor");
      }
    }
  }

  // Nothing is written outside the slab.
  void must_fit(std::uint64_t offset, std::uint64_t bytes) {
    if (bytes > g_.slab_bytes || offset > g_.slab_bytes - bytes) in_.fail("more than the slab holds");
  }

  void put(std::uint64_t offset, FrameHeader header) {
    must_fit(offset, kUnitBytes);
    layout::word_at(bytes_ + offset).store(header.word);
  }

  std::uint64_t message(std::uint64_t offset) {
    const std::string_view text = in_.word();
    must_fit(offset, layout::frame_span(text.size()));
    std::memcpy(bytes_ + offset + kUnitBytes, text.data(), text.size());
    put(offset, FrameHeader::message(text.size(), 0));
    return layout::frame_span(text.size());
  }

  // Each returns how many bytes it took.
  std::uint64_t frame(std::uint64_t offset) {
    if (in_.take("-")) return in_.number();
    if (in_.take("~")) {
      const std::uint64_t span = in_.number();
      put(offset, FrameHeader::nop(span));
      return span;
    }
    if (in_.take("busy:")) {
      const auto owner = static_cast<std::uint32_t>(in_.number());
      in_.expect("+");
      const std::uint64_t span = in_.number();
      put(offset, FrameHeader::make(FrameKind::busy, span - kUnitBytes, 0, owner));
      return span;
    }
    return message(offset);
  }

  std::uint64_t row(std::uint64_t begin) {
    must_fit(begin, g_.granule_bytes);
    const std::uint64_t index = begin / g_.granule_bytes;
    if (in_.take("-")) {
      core_.extent(slab_, index) = 0;
      return g_.granule_bytes;
    }
    if (in_.take("last:")) {
      const auto owner = static_cast<std::uint32_t>(in_.number());
      in_.expect("<");
      core_.extent(slab_, index) = Extent::make(ExtentState::last, owner, in_.number()).word;
      return g_.granule_bytes;
    }
    const bool open = in_.take("open:");
    if (!open) in_.expect("closed:");
    const auto owner = static_cast<std::uint32_t>(in_.number());
    const std::uint64_t granules = in_.take("x") ? in_.number() : 1;
    const std::uint64_t messages = in_.take("#") ? in_.number() : 0;
    if (granules == 0 || granules > g_.granules_per_slab()) in_.fail("no row");
    must_fit(begin, granules * g_.granule_bytes);
    const ExtentState state = open ? ExtentState::open : ExtentState::closed;
    core_.extent(slab_, index) = Extent::make(state, owner, granules, messages).word;
    if (granules > 1) {
      core_.extent(slab_, index + granules - 1) = Extent::make(ExtentState::last, owner, granules - 1).word;
    }
    frames(begin, begin + granules * g_.granule_bytes, owner);
    return granules * g_.granule_bytes;
  }

  void frames(std::uint64_t at, std::uint64_t end, std::uint32_t owner) {
    in_.expect("{");
    while (!in_.take("}")) {
      if (in_.take("@")) {
        must_fit(at, layout::kExtentFrameBytes);
        put(at, FrameHeader::make(FrameKind::extent, kUnitBytes));
        layout::word_at(bytes_ + at + kUnitBytes) = owner;
        at += layout::kExtentFrameBytes;
      } else if (in_.take("0")) {
        put(at, {});
      } else if (in_.take("~")) {
        const std::uint64_t span = in_.at_number() ? in_.number() : end - at;
        put(at, FrameHeader::nop(span));
        at += span;
      } else {
        at += message(at);
      }
    }
  }

  StreamCore& core_;
  const layout::StreamGeometry& g_;
  const std::uint32_t slab_;
  std::byte* const bytes_;
  Scanner in_;
  bool has_cursor_ = false;
  bool closed_ = false;
  std::uint64_t overshoot_ = 0;
  std::uint64_t before_ = 0;
  std::uint64_t messages_ = 0;
  std::uint64_t cleaned_ = 0;
};

// --- From words to text --------------------------------------------------------------------------------------------

// Says `?` and the word, where nothing that the notation has a name for stands.
class SlabReader {
 public:
  SlabReader(StreamCore& core, std::uint32_t slab)
      : core_(core), g_(core.geometry()), slab_(slab), bytes_(core.slab_for_reading(slab)) {}

  std::string run() {
    SlabDescriptor& descriptor = core_.descriptor(slab_);
    const SlabLife life{descriptor.life.load()};
    out_ << life.generation() << ' ' << kStates[static_cast<std::size_t>(life.state())];
    if (life.state() == SlabState::free) {
      if (!is_clean(0)) out_ << " dirty";
      return out_.str();
    }
    const std::uint64_t claimed = head(descriptor, life);
    if (claimed != 0) out_ << ':';
    core_.in_total_order() ? frames(claimed) : rows(claimed / g_.granule_bytes);
    if (claimed < g_.slab_bytes && header_at(claimed).word == FrameHeader::nop(g_.slab_bytes - claimed).word) {
      out_ << " | ~";
    } else if (!is_clean(claimed)) {
      out_ << " | dirty";
    }
    return out_.str();
  }

 private:
  FrameHeader header_at(std::uint64_t offset) const { return {layout::word_at(bytes_ + offset).load()}; }
  Extent extent_at(std::uint64_t index) const { return {core_.extent(slab_, index).load()}; }

  // Returns how much is claimed.
  std::uint64_t head(SlabDescriptor& descriptor, SlabLife life) {
    const Cursor cursor{core_.control().cursor.load()};
    const bool has_cursor = cursor.slab() == slab_ && cursor.is_in(life.generation());
    const std::uint64_t claimed = has_cursor ? cursor.offset_bytes() : descriptor.limit_bytes.load();
    if (has_cursor) out_ << " cursor";
    if (claimed > g_.slab_bytes) out_ << '+' << claimed - g_.slab_bytes;
    if (descriptor.closed.load() != 0) out_ << " closed";
    if (descriptor.messages_before.load() != 0) out_ << " before=" << descriptor.messages_before.load() - 1;
    if (descriptor.messages.load() != 0) out_ << " messages=" << descriptor.messages.load() - 1;
    if (descriptor.cleaned_bytes.load() != 0) out_ << " cleaned=" << descriptor.cleaned_bytes.load();
    return std::min(claimed, g_.slab_bytes);
  }

  bool is_clean(std::uint64_t claimed) const {
    if (core_.in_total_order()) {
      return std::all_of(bytes_ + claimed, bytes_ + g_.slab_bytes, [](std::byte byte) { return byte == std::byte{0}; });
    }
    for (std::uint64_t index = claimed / g_.granule_bytes; index < g_.granules_per_slab(); ++index) {
      if (extent_at(index).word != 0) return false;
    }
    return true;
  }

  void rows(std::uint64_t count) {
    for (std::uint64_t index = 0; index < count;) {
      const Extent extent = extent_at(index);
      out_ << ' ';
      if (extent.word == 0) out_ << '-';
      if (extent.state() == ExtentState::last) out_ << "last:" << extent.owner() << '<' << extent.granules();
      if (!extent.begins()) {
        ++index;
        continue;
      }
      row(index, extent);
      index += std::max<std::uint64_t>(extent.granules(), 1);
    }
  }

  void row(std::uint64_t index, Extent extent) {
    out_ << (extent.state() == ExtentState::open ? "open:" : "closed:") << extent.owner();
    const std::uint64_t granules = extent.granules();
    if (granules != 1) out_ << 'x' << granules;
    if (extent.messages() != 0) out_ << '#' << extent.messages();
    if (granules == 0 || granules > g_.granules_per_slab() - index) {
      out_ << '?';
      return;
    }
    out_ << '{';
    for (std::uint64_t i = 1; i < granules; ++i) {
      const Extent last = Extent::make(ExtentState::last, extent.owner(), granules - 1);
      const std::uint64_t word = extent_at(index + i).word;
      if (word != (i + 1 == granules ? last.word : 0)) out_ << '?' << std::hex << word << std::dec << ' ';
    }
    row_frames(index * g_.granule_bytes, (index + granules) * g_.granule_bytes, extent.owner());
    out_ << '}';
  }

  void row_frames(std::uint64_t at, const std::uint64_t end, std::uint32_t owner) {
    for (const char* between = ""; at < end; between = " ") {
      const FrameHeader header = header_at(at);
      out_ << between;
      if (header.kind() == FrameKind::extent && layout::word_at(bytes_ + at + kUnitBytes).load() == owner) {
        out_ << '@';
      } else if (header.kind() == FrameKind::nop && header.span() == end - at) {
        out_ << '~';
      } else if (header.kind() == FrameKind::nop) {
        out_ << '~' << header.span();
      } else if (header.word == 0) {
        out_ << '0';
        return;
      } else if (!message(at, header, end)) {
        return;
      }
      at += header.span();
    }
  }

  bool message(std::uint64_t at, FrameHeader header, std::uint64_t end) {
    if (header.kind() != FrameKind::message || header.span() > end - at) {
      out_ << '?' << std::hex << header.word << std::dec;
      return false;
    }
    out_ << std::string_view(reinterpret_cast<const char*>(bytes_ + at + kUnitBytes), header.payload_bytes());
    return true;
  }

  void frames(std::uint64_t claimed) {
    for (std::uint64_t at = 0; at < claimed;) {
      const FrameHeader header = header_at(at);
      std::uint64_t span = header.span();
      out_ << ' ';
      if (header.word == 0) {
        span = kUnitBytes;
        while (at + span < claimed && header_at(at + span).word == 0) span += kUnitBytes;
        out_ << '-' << span;
      } else if (header.kind() == FrameKind::nop) {
        out_ << '~' << span;
      } else if (header.kind() == FrameKind::busy) {
        out_ << "busy:" << header.owner() << '+' << span;
      } else if (!message(at, header, claimed)) {
        return;
      }
      at += span;
    }
  }

  StreamCore& core_;
  const layout::StreamGeometry& g_;
  const std::uint32_t slab_;
  const std::byte* const bytes_;
  std::ostringstream out_;
};

SegmentOptions options_of(Order order, const StateBuilder::Options& options) {
  // With full fences a test needs no permission for membarrier(2), and none of these states depends on the kind.
  return {.slabs = 4,
          .slab_bytes = options.slab_bytes,
          .order = order,
          .extent_bytes = order == Order::per_writer ? StateBuilder::kGranule : 0,
          .on_full = options.on_full,
          .participants = 8,
          .fences = Fences::full,
          .retain = options.retain};
}

}  // namespace

StateBuilder::StateBuilder(Order order, const Options& options)
    : segment_(options_of(order, options)), core_(main_stream(segment_)) {}

void StateBuilder::write(const std::vector<std::string>& slabs) {
  for (std::uint32_t slab = 0; slab < slabs.size(); ++slab) SlabWriter{core_, slab, slabs[slab]}.run();
}

std::vector<std::string> StateBuilder::read() const {
  std::vector<std::string> slabs;
  for (std::uint32_t slab = 0; slab < core_.geometry().slabs; ++slab) {
    slabs.push_back(SlabReader{core_, slab}.run());
  }
  while (!slabs.empty() && slabs.back() == "0 free") slabs.pop_back();
  return slabs;
}

std::uint32_t StateBuilder::attach(const Attached& who) {
  const std::uint32_t index = attached_++;
  detail::SegmentCore& segment = core_.segment();
  core_.prepare(index);
  layout::StreamSlot& slot = core_.slot(index);
  slot.claim = who.claim.word;
  slot.claimed_bytes = who.claimed_bytes;
  slot.hold = who.hold;
  slot.pins = who.pins;
  slot.records[0].committed = who.committed;
  slot.records[0].committed_bytes = who.committed_bytes;
  slot.records[0].in_extent = who.in_extent;
  slot.progress = who.busy ? Progress::kBusy : 0;

  layout::ParticipantSlot& participant = segment.participant(index);
  participant.facility = core_.id().word;
  // Lives are taken by chance from 2^56 numbers: nobody holds the lock of this one.
  participant.life = who.alive ? segment.locks().life() : layout::kLifeLocks + 1 + index;
  segment.control().high_slot = attached_;
  participant.registration =
      SlotRegistration::make(1, static_cast<layout::SlotRole>(who.role), SlotState::attached).word;
  return index;
}

void StateBuilder::attach(const std::vector<Attached>& all) {
  for (const Attached& who : all) attach(who);
}

std::string departed(const Segment& segment) {
  const Ledger ledger = inspect(segment).departed;
  std::ostringstream text;
  text << ledger.committed << " committed (" << ledger.committed_bytes << " bytes), " << ledger.abandoned
       << " abandoned";
  return text.str();
}

}  // namespace sapbuf::test
