#include <sapbuf/stream.hpp>

#include "capi/handles.hpp"
#include "capi/options.hpp"

using namespace sapbuf;
using capi::call;
using capi::call_or;
using capi::fail;
using capi::needed;

namespace {

StreamOptions options_of(const sapbuf_stream_options* given) {
  const sapbuf_stream_options chosen = capi::chosen(given);
  const StreamOptions usual;
  return {.slabs = capi::or_default(chosen.slabs, usual.slabs),
          .slab_bytes = capi::or_default(chosen.slab_bytes, usual.slab_bytes),
          .order = capi::checked_choice(chosen.order, Order::total, "order"),
          .extent_bytes = chosen.extent_bytes,
          .on_full = capi::checked_choice(chosen.on_full, OnFull::overwrite, "on_full"),
          .retain = chosen.retain,
          .attachments = chosen.attachments,
          .payload_alignment = capi::or_default(chosen.payload_alignment, usual.payload_alignment),
          .durable_readers = chosen.durable_readers};
}

// 0, as in options: for ever.
std::int64_t limit_of(Milliseconds limit) noexcept {
  return limit == kForever ? 0 : detail::saturated<std::chrono::nanoseconds>(limit).count();
}

}  // namespace

sapbuf_durable_reader sapbuf::capi::c_reader_of(const DurableReaderInfo& reader) noexcept {
  return {.struct_size = sizeof(sapbuf_durable_reader),
          .name = reader.name.c_str(),
          .kept_bytes = reader.kept_bytes,
          .behind_messages = reader.behind_messages,
          .behind_bytes = reader.behind_bytes,
          .away_ms = reader.away_ms.value_or(0),
          .max_bytes = reader.limits.max_bytes,
          .max_away_ns = limit_of(reader.limits.max_away),
          .slot = reader.slot.value_or(0),
          .attached = reader.slot.has_value(),
          .has_away = reader.away_ms.has_value()};
}

sapbuf_stream_options sapbuf::capi::c_options_of(const StreamOptions& options) {
  sapbuf_stream_options result = sapbuf_stream_options_init();
  result.slab_bytes = options.slab_bytes;
  result.extent_bytes = options.extent_bytes;
  result.slabs = options.slabs;
  result.order = static_cast<std::uint32_t>(options.order);
  result.on_full = static_cast<std::uint32_t>(options.on_full);
  result.attachments = options.attachments;
  result.retain = options.retain;
  result.payload_alignment = options.payload_alignment;
  result.durable_readers = options.durable_readers;
  return result;
}

sapbuf_status sapbuf_stream_create(sapbuf_segment* segment, const char* name, const sapbuf_stream_options* options,
                                   sapbuf_stream** stream) noexcept {
  return capi::give(stream, [&] {
    return sapbuf_stream{
        Stream::create(needed(segment, "segment").segment, capi::stream_name_of(name), options_of(options))};
  });
}

sapbuf_status sapbuf_stream_open(sapbuf_segment* segment, const char* name, sapbuf_stream** stream) noexcept {
  return capi::give(stream, [&] {
    return sapbuf_stream{Stream::open(needed(segment, "segment").segment, capi::stream_name_of(name))};
  });
}

sapbuf_status sapbuf_stream_open_or_create(sapbuf_segment* segment, const char* name,
                                           const sapbuf_stream_options* options, sapbuf_stream** stream) noexcept {
  return capi::give(stream, [&] {
    return sapbuf_stream{
        Stream::open_or_create(needed(segment, "segment").segment, capi::stream_name_of(name), options_of(options))};
  });
}

sapbuf_status sapbuf_stream_remove(sapbuf_segment* segment, const char* name) noexcept {
  return call([&] {
    return Stream::remove(needed(segment, "segment").segment, capi::stream_name_of(name)) ? SAPBUF_OK
                                                                                          : fail(SAPBUF_NOT_FOUND);
  });
}

void sapbuf_stream_close(sapbuf_stream* stream) noexcept { delete stream; }

const char* sapbuf_stream_name(const sapbuf_stream* stream) noexcept {
  return call_or("", [&] { return needed(stream, "stream").stream.name().c_str(); });
}

bool sapbuf_stream_created(const sapbuf_stream* stream) noexcept {
  return call_or(false, [&] { return needed(stream, "stream").stream.created(); });
}

bool sapbuf_stream_is_current(const sapbuf_stream* stream) noexcept {
  return call_or(false, [&] { return needed(stream, "stream").stream.is_current(); });
}

size_t sapbuf_stream_bytes(const sapbuf_stream* stream) noexcept {
  return call_or(std::size_t{0}, [&] { return needed(stream, "stream").stream.bytes(); });
}

size_t sapbuf_stream_max_message_bytes(const sapbuf_stream* stream) noexcept {
  return call_or(std::size_t{0}, [&] { return needed(stream, "stream").stream.max_message_bytes(); });
}

sapbuf_status sapbuf_stream_get_options(const sapbuf_stream* stream, sapbuf_stream_options* options) noexcept {
  return call([&] {
    capi::hand_out(capi::c_options_of(needed(stream, "stream").stream.options()), needed(options, "options"));
    return SAPBUF_OK;
  });
}

sapbuf_status sapbuf_stream_differences(const sapbuf_stream* stream, const sapbuf_stream_options* asked, char* text,
                                        size_t size, size_t* length) noexcept {
  return call([&] {
    const std::vector<std::string> all = needed(stream, "stream").stream.differences(options_of(asked));
    return capi::tell_differences(all, text, size, length);
  });
}

sapbuf_status sapbuf_stream_durable_readers(const sapbuf_stream* stream,
                                            bool (*visit)(void* context, const sapbuf_durable_reader*),
                                            void* context) noexcept {
  return call([&] {
    needed(visit, "visit");
    for (const DurableReaderInfo& reader : needed(stream, "stream").stream.durable_readers()) {
      const sapbuf_durable_reader shown = capi::c_reader_of(reader);
      if (!visit(context, &shown)) throw capi::Abandoned{};
    }
    return SAPBUF_OK;
  });
}

sapbuf_status sapbuf_stream_remove_durable_reader(sapbuf_stream* stream, const char* name) noexcept {
  return call([&] {
    needed(name, "name");
    return needed(stream, "stream").stream.remove_durable_reader(name) ? SAPBUF_OK : fail(SAPBUF_NOT_FOUND);
  });
}
