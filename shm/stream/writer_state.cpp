#include "stream/writer_state.hpp"

#include "platform/cancellation.hpp"
#include "platform/fence.hpp"
#include "segment/recovery.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::Progress;

constexpr auto relaxed = std::memory_order_relaxed;

}  // namespace

WriterState::WriterState(std::shared_ptr<StreamCore> stream, const WriterOptions& options)
    : core(std::move(stream)),
      timeout(options.timeout),
      stop(options.stop),
      cursor(core->control().cursor),
      slabs(core->slab_for_writing(0)),
      max_payload_bytes(core->geometry().max_payload_bytes()),
      alignment(core->geometry().payload_alignment),
      claim_bytes(core->geometry().granule_bytes),
      seen_offset(core->geometry().slab_bytes) {
  core->check_not_forked();
  core->check_not_removed();
  full_fences = core->full_fences();
  total = core->in_total_order();
  data = &core->control().data;
  if (!full_fences && !platform::register_for_heavy_fences()) {
    throw Error(
        Errc::unsupported,
        "membarrier(2) is not available here (old kernel, or a seccomp filter): make the segment with full fences "
        "(SegmentOptions{.fences = Fences::full})");
  }
  recover_for(*core);
  attachment = registry::attach(*core, layout::SlotRole::writer, options.name);
  index = attachment.slot();
  slot = &core->slot(index);
  core->add(*this);
}

WriterState::~WriterState() { core->remove(*this); }

void WriterState::after_fork_in_child() noexcept {
  forked = true;
  drop_extent();
  // The slot is the child's own by now. The Writer finds itself revoked, and asks why.
  slot->revoked.store(~std::uint64_t{0}, relaxed);
}

WriterStart open_writer(const Stream& stream, const WriterOptions& options) {
  const platform::Uncancellable to_its_end;
  const auto attach = [&] { return std::make_unique<WriterState>(stream.core(), options); };
  auto* const state = stream.core()->segment().unless_truncated(attach).release();
  return {state, state->slot, state->data, state->progress_without_busy(), state->alignment};
}

bool close_writer(WriterState& writer) noexcept {
  // Whose slot may be another's by now does not know whether it has anything open.
  if (!writer.forked && !writer.attachment.is_current()) {
    writer.closed = true;
    return false;
  }
  if (!writer.forked && Progress{writer.slot->progress.load(relaxed)}.busy()) {
    writer.closed = true;
    // The inlined path finds itself revoked at its next message, and asks why. What it has open stays its own.
    writer.slot->revoked.store(~std::uint64_t{0}, std::memory_order_release);
    return false;
  }
  end_writer(&writer);
  return true;
}

void end_writer(WriterState* state) noexcept {
  const platform::Uncancellable to_its_end;
  delete state;
}

std::uint32_t slot_of(const WriterState& state) noexcept { return state.closed ? ~std::uint32_t{0} : state.index; }

}  // namespace SAPBUF_DETAIL
