#include "stream/reader_state.hpp"

#include "platform/cancellation.hpp"
#include "segment/event.hpp"
#include "stream/durable_readers.hpp"
#include "stream/reader_start.hpp"

namespace SAPBUF_DETAIL {

ReaderState::ReaderState(const std::shared_ptr<StreamCore>& core, const ReaderOptions& options)
    : ReaderState(core, options, attach_reader(*core, options)) {}

ReaderState::ReaderState(const std::shared_ptr<StreamCore>& core, const ReaderOptions& options, ReaderStart start)
    : attachment(core, std::move(start.attachment)),
      loss(attachment, start.generations.front().generation),
      durable(start.durable ? std::optional<DurablePosition>{std::in_place, *core, *start.durable} : std::nullopt),
      windows(attachment, loss, durable ? &*durable : nullptr, start.generations),
      pins(attachment, windows, loss, options.keep),
      walk(attachment, windows, pins),
      pace(attachment, windows),
      stop(options.stop),
      until_finished(options.until_finished) {
  if (start.resumes_from) {
    resume_position(*this, *start.resumes_from);
  } else if (options.from == From::newest) {
    skip_what_is_there(*this);
  }
  if (durable) {
    if (!start.resumes_from) windows.store_durable_position();
    name_durable(*core, durable->index());
  }
  windows.tell_front();
  if (core->geometry().retain) notify(core->control().space);  // writers may have waited for the first reader
}

void close_reader(ReaderState* state) noexcept {
  if (state == nullptr) return;
  const platform::Uncancellable to_its_end;
  state->closed = true;
  if (!state->walk.has_range()) delete state;  // otherwise the range does it, when it goes
}

}  // namespace SAPBUF_DETAIL
