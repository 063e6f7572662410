#include <sapbuf/segment.hpp>
#include <sapbuf/truncation.hpp>

#include "capi/handles.hpp"
#include "capi/options.hpp"

using namespace sapbuf;
using capi::call;
using capi::call_or;
using capi::fail;
using capi::needed;

namespace {

constexpr unsigned kUsualMode = 0600;

SegmentOptions options_of(const sapbuf_segment_options* given) {
  const sapbuf_segment_options chosen = capi::chosen(given);
  const SegmentOptions usual;
  return {.slabs = capi::or_default(chosen.slabs, usual.slabs),
          .slab_bytes = capi::or_default(chosen.slab_bytes, usual.slab_bytes),
          .order = capi::checked_choice(chosen.order, Order::total, "order"),
          .extent_bytes = chosen.extent_bytes,
          .on_full = capi::checked_choice(chosen.on_full, OnFull::overwrite, "on_full"),
          .participants = capi::or_default(chosen.participants, usual.participants),
          .mode = capi::or_default<unsigned>(chosen.mode, kUsualMode),
          .fences = capi::checked_choice(chosen.fences, Fences::full, "fences"),
          .retain = chosen.retain,
          .main_stream = !chosen.no_main_stream,
          .attachments = chosen.attachments,
          .payload_alignment = capi::or_default(chosen.payload_alignment, usual.payload_alignment),
          .durable_readers = chosen.durable_readers};
}

Memory memory_of(void* memory, std::size_t bytes, int descriptor) {
  return {.bytes = {static_cast<std::byte*>(&needed(static_cast<std::byte*>(memory), "memory")), bytes},
          .descriptor = descriptor};
}

}  // namespace

sapbuf_segment_options sapbuf::capi::c_options_of(const SegmentOptions& options) {
  sapbuf_segment_options result = sapbuf_segment_options_init();
  result.slabs = options.slabs;
  result.participants = options.participants;
  result.slab_bytes = options.slab_bytes;
  result.extent_bytes = options.extent_bytes;
  result.order = static_cast<std::uint32_t>(options.order);
  result.on_full = static_cast<std::uint32_t>(options.on_full);
  result.fences = static_cast<std::uint32_t>(options.fences);
  result.mode = options.mode;
  result.attachments = options.attachments;
  result.retain = options.retain;
  result.payload_alignment = options.payload_alignment;
  result.durable_readers = options.durable_readers;
  result.no_main_stream = !options.main_stream;
  return result;
}

sapbuf_status sapbuf_segment_create(const char* name, const sapbuf_segment_options* options,
                                    sapbuf_segment** segment) noexcept {
  return capi::give(segment,
                    [&] { return sapbuf_segment{Segment::create(&needed(name, "name"), options_of(options))}; });
}

sapbuf_status sapbuf_segment_open(const char* name, sapbuf_segment** segment) noexcept {
  return capi::give(segment, [&] { return sapbuf_segment{Segment::open(&needed(name, "name"))}; });
}

sapbuf_status sapbuf_segment_open_or_create(const char* name, const sapbuf_segment_options* options,
                                            sapbuf_segment** segment) noexcept {
  return capi::give(
      segment, [&] { return sapbuf_segment{Segment::open_or_create(&needed(name, "name"), options_of(options))}; });
}

sapbuf_status sapbuf_segment_remove(const char* name) noexcept {
  return call([&] { return Segment::remove(&needed(name, "name")) ? SAPBUF_OK : fail(SAPBUF_NOT_FOUND); });
}

sapbuf_status sapbuf_segment_list(bool (*visit)(void* context, const char* name), void* context) noexcept {
  return call([&] {
    needed(visit, "visit");
    for (const std::string& name : Segment::list())
      if (!visit(context, name.c_str())) throw capi::Abandoned{};
    return SAPBUF_OK;
  });
}

sapbuf_status sapbuf_segment_create_in(void* memory, size_t bytes, int descriptor,
                                       const sapbuf_segment_options* options, sapbuf_segment** segment) noexcept {
  return capi::give(segment, [&] {
    return sapbuf_segment{Segment::create_in(memory_of(memory, bytes, descriptor), options_of(options))};
  });
}

sapbuf_status sapbuf_segment_open_in(void* memory, size_t bytes, int descriptor, sapbuf_segment** segment) noexcept {
  return capi::give(segment, [&] { return sapbuf_segment{Segment::open_in(memory_of(memory, bytes, descriptor))}; });
}

sapbuf_status sapbuf_segment_bytes_needed(const sapbuf_segment_options* options, size_t* bytes) noexcept {
  return call([&] {
    needed(bytes, "bytes") = Segment::bytes_needed(options_of(options));
    return SAPBUF_OK;
  });
}

void sapbuf_segment_close(sapbuf_segment* segment) noexcept { delete segment; }

const char* sapbuf_segment_name(const sapbuf_segment* segment) noexcept {
  return call_or("", [&] { return needed(segment, "segment").segment.name().c_str(); });
}

bool sapbuf_segment_created(const sapbuf_segment* segment) noexcept {
  return call_or(false, [&] { return needed(segment, "segment").segment.created(); });
}

bool sapbuf_segment_is_current(const sapbuf_segment* segment) noexcept {
  return call_or(false, [&] { return needed(segment, "segment").segment.is_current(); });
}

size_t sapbuf_segment_bytes(const sapbuf_segment* segment) noexcept {
  return call_or(std::size_t{0}, [&] { return needed(segment, "segment").segment.bytes(); });
}

sapbuf_status sapbuf_segment_max_message_bytes(const sapbuf_segment* segment, size_t* bytes) noexcept {
  return call([&] {
    needed(bytes, "bytes") = needed(segment, "segment").segment.max_message_bytes();
    return SAPBUF_OK;
  });
}

sapbuf_status sapbuf_segment_get_options(const sapbuf_segment* segment, sapbuf_segment_options* options) noexcept {
  return call([&] {
    capi::hand_out(capi::c_options_of(needed(segment, "segment").segment.options()), needed(options, "options"));
    return SAPBUF_OK;
  });
}

sapbuf_status sapbuf_segment_differences(const sapbuf_segment* segment, const sapbuf_segment_options* asked, char* text,
                                         size_t size, size_t* length) noexcept {
  return call([&] {
    const std::vector<std::string> all = needed(segment, "segment").segment.differences(options_of(asked));
    return capi::tell_differences(all, text, size, length);
  });
}

sapbuf_status sapbuf_segment_facilities(const sapbuf_segment* segment,
                                        bool (*visit)(void* context, const sapbuf_facility_info* facility),
                                        void* context) noexcept {
  return call([&] {
    needed(visit, "visit");
    for (const FacilityInfo& facility : needed(segment, "segment").segment.facilities()) {
      const sapbuf_facility_info info{.struct_size = sizeof info,
                                      .kind = facility.kind.c_str(),
                                      .name = facility.name.c_str(),
                                      .offset = facility.offset,
                                      .bytes = facility.bytes,
                                      .most_bytes = facility.most_bytes,
                                      .created_ns = facility.created_ns};
      if (!visit(context, &info)) throw capi::Abandoned{};
    }
    return SAPBUF_OK;
  });
}

sapbuf_status sapbuf_survive_truncation() noexcept {
  return call([] {
    survive_truncation();
    return SAPBUF_OK;
  });
}

bool sapbuf_segment_was_truncated(const sapbuf_segment* segment) noexcept {
  return call_or(false, [&] { return was_truncated(needed(segment, "segment").segment); });
}

void sapbuf_set_slabs_in_core_dumps(bool keep) noexcept { set_slabs_in_core_dumps(keep); }
