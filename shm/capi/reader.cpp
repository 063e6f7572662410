#include <sapbuf/reader.hpp>

#include <optional>

#include "capi/handles.hpp"
#include "capi/options.hpp"

using namespace sapbuf;
using capi::call;
using capi::fail;
using capi::fail_null;

struct sapbuf_reader {
  sapbuf::Reader reader;
  const sapbuf_stop_flag* stop = nullptr;
  bool until_finished = false;
  std::optional<sapbuf::PinnedRange> range;
  bool is_at_end = true;  // of the range; or there is none
};

namespace {

std::optional<DurableOptions> durable_of(const sapbuf_reader_options& chosen) {
  if (!chosen.durable) return std::nullopt;
  DurableOptions limits{.max_bytes = chosen.durable_max_bytes};
  if (chosen.durable_max_away_ns != 0) limits.max_away = std::chrono::nanoseconds{chosen.durable_max_away_ns};
  return limits;
}

ReaderOptions options_of(const sapbuf_reader_options& chosen) {
  return {.name = capi::text_or_none(chosen.name),
          .from = capi::checked_choice(chosen.from, From::newest, "from"),
          .stop = capi::flag_of(chosen.stop),
          .keep = capi::checked_choice(chosen.keep, Keep::frame, "keep"),
          .until_finished = chosen.until_finished,
          .durable = durable_of(chosen)};
}

// `from`: a segment or a stream.
template <typename Source>
sapbuf_status open(const Source& from, const sapbuf_reader_options* options, sapbuf_reader** reader) noexcept {
  return capi::give(reader, [&] {
    const sapbuf_reader_options chosen = capi::chosen(options);
    return sapbuf_reader{Reader{from(), options_of(chosen)}, chosen.stop, chosen.until_finished, {}, true};
  });
}

// Goes on by one, as each begin() of a range does.
[[gnu::always_inline]] inline bool next(sapbuf_reader& reader, sapbuf_frame& frame) noexcept {
  const PinnedRange::Iterator at = reader.range->begin();
  frame.data = at->bytes().data();
  frame.size = at->bytes().size();
  frame.type = at->type();
  reader.is_at_end = frame.data == nullptr;
  return !reader.is_at_end;
}

// The message that the program has in the reader's range; an empty one otherwise.
Frame message_of(const sapbuf_reader* reader, const sapbuf_frame* frame) noexcept {
  if (reader == nullptr || !reader->range || frame == nullptr || frame->data == nullptr) return {};
  const auto* const payload = static_cast<const std::byte*>(frame->data);
  const layout::FrameHeader header{layout::word_at(payload - layout::kUnitBytes).load(std::memory_order_relaxed)};
  return {payload, header, reader->range->state()};
}

}  // namespace

sapbuf_status sapbuf_reader_open(sapbuf_segment* segment, const sapbuf_reader_options* options,
                                 sapbuf_reader** reader) noexcept {
  return open([&]() -> const Segment& { return capi::needed(segment, "segment").segment; }, options, reader);
}

sapbuf_status sapbuf_reader_open_on(sapbuf_stream* stream, const sapbuf_reader_options* options,
                                    sapbuf_reader** reader) noexcept {
  return open([&]() -> const Stream& { return capi::needed(stream, "stream").stream; }, options, reader);
}

void sapbuf_reader_close(sapbuf_reader* reader) noexcept { delete reader; }

void sapbuf_reader_abandon(sapbuf_reader* reader) noexcept {
  if (reader != nullptr) reader->reader.abandon();
  delete reader;
}

sapbuf_status sapbuf_reader_wait(sapbuf_reader* reader, int64_t timeout_ns) noexcept {
  return call([&] {
    if (capi::needed(reader, "reader").reader.wait_for(std::chrono::nanoseconds{timeout_ns})) return SAPBUF_OK;
    if (capi::is_raised(reader->stop)) return fail(SAPBUF_STOPPED);
    return fail(reader->until_finished && reader->reader.is_finished() ? SAPBUF_FINISHED : SAPBUF_TIMEOUT);
  });
}

int sapbuf_reader_event_fd(sapbuf_reader* reader) noexcept {
  return capi::call_or(-1, [&] { return capi::needed(reader, "reader").reader.event_fd(); });
}

sapbuf_status sapbuf_reader_pin(sapbuf_reader* reader) noexcept {
  return call([&] {
    sapbuf_reader& handle = capi::needed(reader, "reader");
    handle.range.emplace(handle.reader.pin());
    handle.is_at_end = handle.range->state() == nullptr;
    if (!handle.is_at_end) return SAPBUF_OK;
    handle.range.reset();
    return fail(SAPBUF_NOT_FOUND);
  });
}

bool sapbuf_reader_next(sapbuf_reader* reader, sapbuf_frame* frame) noexcept {
  if (frame == nullptr) [[unlikely]]
    return false;
  if (reader != nullptr && !reader->is_at_end) [[likely]]
    return next(*reader, *frame);
  *frame = {};
  return false;
}

size_t sapbuf_reader_next_many(sapbuf_reader* reader, sapbuf_frame* frames, size_t most) noexcept {
  if (reader == nullptr || frames == nullptr) return 0;
  size_t count = 0;
  while (count < most && !reader->is_at_end && next(*reader, frames[count])) ++count;
  return count;
}

size_t sapbuf_reader_attachments(sapbuf_reader* reader, const sapbuf_frame* frame, sapbuf_buffer_reference* references,
                                 size_t most) noexcept {
  if (references == nullptr) most = 0;
  size_t count = 0;
  for (const BufferReference& reference : message_of(reader, frame).attachments()) {
    if (count < most) references[count] = capi::c_reference_of(reference);
    ++count;
  }
  return count;
}

sapbuf_position sapbuf_reader_position(sapbuf_reader* reader, const sapbuf_frame* frame) noexcept {
  const FramePosition position = message_of(reader, frame).position();
  return {position.generation, position.offset};
}

sapbuf_status sapbuf_reader_is_finished(sapbuf_reader* reader, bool* finished) noexcept {
  return call([&] {
    capi::needed(finished, "finished") = false;
    *finished = capi::needed(reader, "reader").reader.is_finished();
    return SAPBUF_OK;
  });
}

void sapbuf_reader_unpin(sapbuf_reader* reader) noexcept {
  if (reader == nullptr) return;
  reader->range.reset();
  reader->is_at_end = true;
}

sapbuf_status sapbuf_reader_skip_to_newest(sapbuf_reader* reader, uint64_t* skipped) noexcept {
  return call([&] {
    const std::uint64_t count = capi::needed(reader, "reader").reader.skip_to_newest();
    if (skipped != nullptr) *skipped = count;
    return SAPBUF_OK;
  });
}

bool sapbuf_reader_is_current(const sapbuf_reader* reader) noexcept {
  return reader != nullptr && reader->reader.is_current();
}

uint64_t sapbuf_reader_delivered(const sapbuf_reader* reader) noexcept {
  return reader == nullptr ? 0 : reader->reader.delivered();
}

uint64_t sapbuf_reader_lost(const sapbuf_reader* reader) noexcept {
  return reader == nullptr ? 0 : reader->reader.lost();
}

uint64_t sapbuf_reader_skipped(const sapbuf_reader* reader) noexcept {
  return reader == nullptr ? 0 : reader->reader.skipped();
}

sapbuf_status sapbuf_reader_missed_before(const sapbuf_reader* reader, uint64_t* messages) noexcept {
  if (reader == nullptr) return fail_null("reader");
  if (messages == nullptr) return fail_null("messages");
  const std::optional<std::uint64_t> missed = reader->reader.missed_before();
  *messages = missed.value_or(0);
  return missed ? SAPBUF_OK : fail(SAPBUF_NOT_FOUND);
}

bool sapbuf_reader_missed_any(const sapbuf_reader* reader) noexcept {
  return reader != nullptr && reader->reader.missed_any();
}

uint32_t sapbuf_reader_slot(const sapbuf_reader* reader) noexcept {
  return reader == nullptr ? UINT32_MAX : reader->reader.slot();
}
