// Messages are reserved and committed by the words in front of the handle, which inlined calls work on, too; a batch is the C++
// writer's, which has those words meanwhile.
#define SAPBUF_NO_INLINE  // here are the definitions

#include <sapbuf/writer.hpp>

#include <algorithm>
#include <optional>

#include "capi/handles.hpp"
#include "capi/in_place.hpp"
#include "capi/options.hpp"

using namespace sapbuf;
using capi::answer;
using capi::fail;
using capi::fail_null;

namespace {

constexpr std::uint64_t kBatch = 1;  // `open` of a batch

struct Handle final : sapbuf_writer {
  template <typename Source>
  Handle(const Source& from, const WriterOptions& options) : sapbuf_writer{}, writer(from, options) {
    slot = reinterpret_cast<char*>(writer.hot().slot);
    data = reinterpret_cast<char*>(writer.hot().data);
    take_back();
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { abort(); }

  detail::WriterState* state() noexcept { return writer.hot().state; }  // null once it is finished
  std::byte* header() const noexcept { return reinterpret_cast<std::byte*>(next); }
  layout::MessageHead head() const noexcept { return {static_cast<std::uint32_t>(open >> 32)}; }

  void lend() noexcept {
    detail::WriterHot& hot = writer.hot();
    hot.next = header();
    hot.end = reinterpret_cast<std::byte*>(end);
    hot.generation = generation;
    hot.progress = progress;
  }
  void take_back() noexcept {
    const detail::WriterHot& hot = writer.hot();
    next = reinterpret_cast<char*>(hot.next);
    end = reinterpret_cast<char*>(hot.end);
    generation = hot.generation;
    progress = hot.progress;
  }

  Status reserve(std::size_t bytes, std::uint16_t type) noexcept {
    const detail::ReserveResult result = detail::reserve_slow(state(), header(), bytes);
    next = reinterpret_cast<char*>(result.next);
    end = reinterpret_cast<char*>(result.end);
    generation = result.generation;
    progress = result.progress;
    if (result.payload == nullptr) return result.status;
    open = std::uint64_t{layout::MessageHead::of(type).half} << 32;
    size = bytes;
    return Status::ok;
  }

  // As publish(), of a message.
  void commit() noexcept {
    const std::uint64_t word = layout::FrameHeader::message(size, head()).word;
    std::byte* const behind = header() + layout::frame_span(size);
    detail::WriterHot& hot = writer.hot();
    lend();
    detail::publish(hot, header(), word, behind, hot.end, hot.progress + layout::Progress::kOneMessage + size);
    take_back();
    open = 0;
  }

  // Of what is open, if anything.
  void abort() noexcept {
    if (batch) end_batch();
    if (open != 0) progress = detail::abort_reserved(*state(), header() + layout::kUnitBytes, head().first_attached());
    open = 0;
  }
  void end_batch() noexcept {
    batch.reset();
    take_back();
    open = 0;
  }

  // As Reservation::attach().
  Status attach(Buffer& buffer) noexcept {
    layout::MessageHead changed = head();
    const std::uint32_t first = changed.first_attached();
    const detail::AttachResult result = detail::attach(*state(), buffer, header(), {first, first});
    if (result.leaves_slab && end != nullptr) end = next;
    if (result.status != Status::ok) return result.status;
    if (first == 0) changed.set_first_attached(result.place);
    open = std::uint64_t{changed.half} << 32;
    return Status::ok;
  }

  Writer writer;
  std::optional<Batch> batch;
};

// What writer_inline.h says of the layout.
static_assert(SAPBUF_INLINE_UNIT == layout::kUnitBytes && SAPBUF_INLINE_MOST == layout::kPayloadCeiling);
static_assert((SAPBUF_INLINE_MESSAGE | std::uint64_t{7} << SAPBUF_INLINE_TYPE_AT | 5) ==
              layout::FrameHeader::message(5, 7).word);
static_assert(SAPBUF_INLINE_BUSY == layout::Progress::kBusy &&
              SAPBUF_INLINE_ONE_MESSAGE == layout::Progress::kOneMessage);
static_assert(offsetof(layout::StreamSlot, progress) == 0 &&
              SAPBUF_INLINE_REVOKED_AT == offsetof(layout::StreamSlot, revoked));
static_assert(SAPBUF_INLINE_AWAITED == layout::Event::kAwaited && offsetof(layout::Event, word) == 0);
static_assert(kBatch < SAPBUF_INLINE_MESSAGE);

Handle& handle_of(sapbuf_writer& writer) noexcept { return static_cast<Handle&>(writer); }

WriterOptions options_of(const sapbuf_writer_options* given) {
  const sapbuf_writer_options chosen = capi::chosen(given);
  return {.name = capi::text_or_none(chosen.name),
          .timeout = capi::patience_of(chosen.timeout_ns),
          .stop = capi::flag_of(chosen.stop)};
}

// From a segment or a stream.
template <typename Find>
sapbuf_status open_writer(sapbuf_writer** writer, const sapbuf_writer_options* options, Find find) noexcept {
  if (writer == nullptr) return fail_null("the place for the handle");
  Handle* handle = nullptr;
  const sapbuf_status status = capi::give(&handle, [&] { return Handle(find(), options_of(options)); });
  *writer = handle;
  return status;
}

// `reserve` gives the batch that is to be open.
template <typename Reserve>
sapbuf_status open_batch(sapbuf_writer* writer, Reserve reserve) noexcept {
  if (writer == nullptr) return fail_null("writer");
  if (writer->open != 0) return fail(SAPBUF_ALREADY_RESERVED);
  Handle& handle = handle_of(*writer);
  handle.lend();
  handle.batch.emplace(reserve(handle.writer));
  const Status status = handle.batch->status();
  if (status == Status::ok) {
    handle.open = kBatch;
  } else {
    handle.end_batch();
  }
  return answer(status);
}

}  // namespace

sapbuf_status sapbuf_writer_open(sapbuf_segment* segment, const sapbuf_writer_options* options,
                                 sapbuf_writer** writer) noexcept {
  return open_writer(writer, options, [&]() -> const Segment& { return capi::needed(segment, "segment").segment; });
}

sapbuf_status sapbuf_writer_open_on(sapbuf_stream* stream, const sapbuf_writer_options* options,
                                    sapbuf_writer** writer) noexcept {
  return open_writer(writer, options, [&]() -> const Stream& { return capi::needed(stream, "stream").stream; });
}

void sapbuf_writer_close(sapbuf_writer* writer) noexcept {
  if (writer != nullptr) delete &handle_of(*writer);
}

sapbuf_status sapbuf_writer_finish(sapbuf_writer* writer) noexcept {
  if (writer == nullptr) return fail_null("writer");
  if (writer->open != 0) return fail(SAPBUF_ALREADY_RESERVED);
  Handle& handle = handle_of(*writer);
  handle.lend();
  const Status status = handle.writer.finish();
  handle.take_back();
  return answer(status);
}

int sapbuf_writer_event_fd(sapbuf_writer* writer) noexcept {
  return capi::call_or(-1, [&] { return static_cast<Handle&>(capi::needed(writer, "writer")).writer.event_fd(); });
}

uint32_t sapbuf_writer_slot(const sapbuf_writer* writer) noexcept {
  return writer == nullptr ? UINT32_MAX : static_cast<const Handle*>(writer)->writer.slot();
}

sapbuf_status sapbuf_writer_reserve_slow(sapbuf_writer* writer, size_t size, uint16_t type, void** payload) noexcept {
  if (payload == nullptr) return fail_null("message, or the place for payload,");
  *payload = nullptr;
  if (writer == nullptr) return fail_null("writer");
  if (writer->open != 0) return fail(SAPBUF_ALREADY_RESERVED);
  if (const Status status = handle_of(*writer).reserve(size, type); status != Status::ok) return fail(status);
  *payload = writer->next + layout::kUnitBytes;
  return SAPBUF_OK;
}

sapbuf_status sapbuf_writer_commit_slow(sapbuf_writer* writer) noexcept {
  if (writer == nullptr) return fail_null("writer");
  if (writer->open == 0) return fail(SAPBUF_CLOSED);
  Handle& handle = handle_of(*writer);
  if (handle.batch) {
    handle.batch->commit();
    handle.end_batch();
  } else {
    handle.commit();
  }
  return SAPBUF_OK;
}

void sapbuf_writer_wake_slow(sapbuf_writer* writer) noexcept {
  if (writer != nullptr) detail::wake_sleepers(*handle_of(*writer).writer.hot().data);
}

sapbuf_status sapbuf_writer_reserve(sapbuf_writer* writer, size_t size, uint16_t type, void** payload) noexcept {
  return sapbuf_writer_reserve_slow(writer, size, type, payload);
}

sapbuf_status sapbuf_writer_commit(sapbuf_writer* writer) noexcept { return sapbuf_writer_commit_slow(writer); }

sapbuf_status sapbuf_writer_write(sapbuf_writer* writer, const void* message, size_t size, uint16_t type) noexcept {
  if (message == nullptr && size != 0) return fail_null("message");
  void* payload = nullptr;
  const sapbuf_status status = sapbuf_writer_reserve_slow(writer, size, type, &payload);
  if (status != SAPBUF_OK) return status;
  if (size != 0) std::memcpy(payload, message, size);
  handle_of(*writer).commit();
  return SAPBUF_OK;
}

sapbuf_status sapbuf_writer_reserve_batch(sapbuf_writer* writer, size_t messages, size_t payload_bytes) noexcept {
  return open_batch(writer, [&](Writer& to) { return to.reserve_batch(messages, payload_bytes); });
}

sapbuf_status sapbuf_writer_reserve_batch_sizes(sapbuf_writer* writer, const size_t* sizes, size_t messages) noexcept {
  if (sizes == nullptr && messages != 0) return fail_null("sizes");
  return open_batch(writer, [&](Writer& to) { return to.reserve_batch(std::span{sizes, messages}); });
}

sapbuf_status sapbuf_writer_reserve_batch_of(sapbuf_writer* writer, size_t messages, size_t bytes_each) noexcept {
  return open_batch(writer, [&](Writer& to) { return to.reserve_batch_of(messages, bytes_each); });
}

sapbuf_status sapbuf_writer_append(sapbuf_writer* writer, size_t size, uint16_t type, void** payload) noexcept {
  if (payload == nullptr) return fail_null("payload");
  *payload = nullptr;
  if (writer == nullptr) return fail_null("writer");
  std::optional<Batch>& batch = handle_of(*writer).batch;
  if (!batch) return fail(SAPBUF_CLOSED);
  *payload = batch->append(size, type).data();
  return *payload == nullptr ? fail(SAPBUF_TOO_LARGE) : SAPBUF_OK;
}

sapbuf_status sapbuf_writer_attach(sapbuf_writer* writer, sapbuf_buffer* buffer) noexcept {
  if (writer == nullptr) return fail_null("writer");
  if (buffer == nullptr) return fail_null("buffer");
  if (writer->open == 0 || buffer->data == nullptr) return fail(SAPBUF_CLOSED);
  Handle& handle = handle_of(*writer);
  Buffer& given = capi::object_in<Buffer>(*buffer);
  const Status status = handle.batch ? handle.batch->attach(std::move(given)).status() : handle.attach(given);
  if (status == Status::ok) capi::end_in<Buffer>(*buffer);
  return answer(status);
}

sapbuf_status sapbuf_writer_commit_bytes(sapbuf_writer* writer, size_t size) noexcept {
  if (writer == nullptr) return fail_null("writer");
  Handle& handle = handle_of(*writer);
  if (handle.open == 0 || handle.batch) return fail(SAPBUF_CLOSED);
  handle.size = std::min(size, handle.size);
  handle.commit();
  return SAPBUF_OK;
}

sapbuf_status sapbuf_writer_abort(sapbuf_writer* writer) noexcept {
  if (writer == nullptr) return fail_null("writer");
  if (writer->open == 0) return fail(SAPBUF_CLOSED);
  handle_of(*writer).abort();
  return SAPBUF_OK;
}
