#include <sapbuf/inspect.hpp>

#include <string>
#include <vector>

#include "capi/handles.hpp"

using namespace sapbuf;
using capi::call;
using capi::needed;

namespace {

template <typename Item>
using Visit = bool (*)(void* context, const Item* item);

// ---- blocks

std::vector<sapbuf_delivery_record> c_notes_of(const QueueBlock& block) {
  std::vector<sapbuf_delivery_record> notes;
  for (const DeliveryRecord& note : block.notes) {
    notes.push_back({.struct_size = sizeof(sapbuf_delivery_record),
                     .name = note.name.c_str(),
                     .at_ns = note.at_ns,
                     .pid = note.pid,
                     .died = note.died});
  }
  return notes;
}

bool show_block(const QueueBlock& block, Visit<sapbuf_queue_block> visit, void* context) {
  const std::vector<sapbuf_delivery_record> notes = c_notes_of(block);
  std::vector<const sapbuf_delivery_record*> places;
  for (const sapbuf_delivery_record& note : notes) places.push_back(&note);
  const std::string state{block.state};
  const sapbuf_queue_block shown{.struct_size = sizeof shown,
                                 .state = state.c_str(),
                                 .holder = block.holder.c_str(),
                                 .content = block.content.data(),
                                 .content_size = block.content.size(),
                                 .notes = places.data(),
                                 .note_count = places.size(),
                                 .position = block.position,
                                 .key = block.key.value_or(0),
                                 .bytes = block.bytes,
                                 .age_ms = block.age_ms,
                                 .due_in_ms = block.due_in_ms,
                                 .group = block.group,
                                 .deliveries = block.deliveries,
                                 .type = block.type,
                                 .has_key = block.key.has_value()};
  return visit(context, &shown);
}

// ---- frames

bool show_frame(const FrameRecord& frame, Visit<sapbuf_frame_record> visit, void* context) {
  const std::string kind{frame.kind};
  const sapbuf_frame_record shown{.struct_size = sizeof shown,
                                  .kind = kind.c_str(),
                                  .payload = frame.payload.data(),
                                  .payload_size = frame.payload.size(),
                                  .generation = frame.generation,
                                  .offset = frame.offset,
                                  .span = frame.span,
                                  .slab = frame.slab,
                                  .owner = frame.owner,
                                  .type = frame.type};
  return visit(context, &shown);
}

// `dump_to(visitor)` goes through the frames.
template <typename Dump>
sapbuf_status show_frames(Visit<sapbuf_frame_record> visit, void* context, Dump dump_to) noexcept {
  return call([&] {
    needed(visit, "visit");
    dump_to([&](const FrameRecord& frame) {
      if (!show_frame(frame, visit, context)) throw capi::Abandoned{};
    });
    return SAPBUF_OK;
  });
}

// ---- parts

// `list()` gives them.
template <typename List>
sapbuf_status show_parts(Visit<sapbuf_segment_part> visit, void* context, List list) noexcept {
  return call([&] {
    needed(visit, "visit");
    for (const SegmentPart& part : list()) {
      const sapbuf_segment_part shown{.struct_size = sizeof shown,
                                      .facility = part.facility.c_str(),
                                      .what = part.what.c_str(),
                                      .offset = part.offset,
                                      .bytes = part.bytes};
      if (!visit(context, &shown)) throw capi::Abandoned{};
    }
    return SAPBUF_OK;
  });
}

}  // namespace

sapbuf_status sapbuf_queue_list_blocks(const sapbuf_queue* queue, size_t content_bytes,
                                       bool (*visit)(void* context, const sapbuf_queue_block* block),
                                       void* context) noexcept {
  return call([&] {
    needed(visit, "visit");
    for (const QueueBlock& block : list_blocks(needed(queue, "queue").queue, content_bytes))
      if (!show_block(block, visit, context)) throw capi::Abandoned{};
    return SAPBUF_OK;
  });
}

sapbuf_status sapbuf_stream_dump(const sapbuf_stream* stream,
                                 bool (*visit)(void* context, const sapbuf_frame_record* frame),
                                 void* context) noexcept {
  return show_frames(visit, context, [&](const auto& visitor) { dump(needed(stream, "stream").stream, visitor); });
}

sapbuf_status sapbuf_stream_dump_by_name(const char* segment, const char* stream,
                                         bool (*visit)(void* context, const sapbuf_frame_record* frame),
                                         void* context) noexcept {
  return show_frames(visit, context, [&](const auto& visitor) {
    dump(&needed(segment, "segment"), capi::stream_name_of(stream), visitor);
  });
}

sapbuf_status sapbuf_segment_layout(const sapbuf_segment* segment,
                                    bool (*visit)(void* context, const sapbuf_segment_part* part),
                                    void* context) noexcept {
  return show_parts(visit, context, [&] { return layout_of(needed(segment, "segment").segment); });
}

sapbuf_status sapbuf_segment_layout_by_name(const char* name,
                                            bool (*visit)(void* context, const sapbuf_segment_part* part),
                                            void* context) noexcept {
  return show_parts(visit, context, [&] { return layout_of(std::string_view{&needed(name, "name")}); });
}
