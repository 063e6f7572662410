#include <sapbuf/queue.hpp>

#include "capi/handles.hpp"
#include "capi/options.hpp"

using namespace sapbuf;
using capi::call;
using capi::call_or;
using capi::fail;
using capi::needed;

namespace {

QueueOptions options_of(const sapbuf_queue_options* given) {
  const sapbuf_queue_options chosen = capi::chosen(given);
  const QueueOptions usual;
  return {.pool = capi::text_or_none(chosen.pool),
          .slots = capi::or_default(chosen.slots, usual.slots),
          .groups = capi::or_default(chosen.groups, usual.groups),
          .max_deliveries = chosen.max_deliveries,
          .dead_letters = capi::text_or_none(chosen.dead_letters),
          .keys = chosen.keys,
          .on_full = capi::checked_choice(chosen.on_full, OnFull::drop, "on_full of a queue"),
          .block_bytes = capi::or_default(chosen.block_bytes, usual.block_bytes),
          .blocks = chosen.blocks};
}

}  // namespace

sapbuf_queue_options sapbuf::capi::c_options_of(const QueueOptions& options) {
  sapbuf_queue_options result = sapbuf_queue_options_init();
  result.pool = options.pool.empty() ? nullptr : options.pool.c_str();
  result.dead_letters = options.dead_letters.empty() ? nullptr : options.dead_letters.c_str();
  result.slots = options.slots;
  result.block_bytes = options.block_bytes;
  result.blocks = options.blocks;
  result.groups = options.groups;
  result.max_deliveries = options.max_deliveries;
  result.keys = options.keys;
  result.on_full = static_cast<std::uint32_t>(options.on_full);
  return result;
}

sapbuf_status sapbuf_queue_create(sapbuf_segment* segment, const char* name, const sapbuf_queue_options* options,
                                  sapbuf_queue** queue) noexcept {
  return capi::give(queue, [&] {
    const Segment& in = needed(segment, "segment").segment;
    return sapbuf_queue{Queue::create(in, &needed(name, "name"), options_of(options))};
  });
}

sapbuf_status sapbuf_queue_open(sapbuf_segment* segment, const char* name, sapbuf_queue** queue) noexcept {
  return capi::give(
      queue, [&] { return sapbuf_queue{Queue::open(needed(segment, "segment").segment, &needed(name, "name"))}; });
}

sapbuf_status sapbuf_queue_open_or_create(sapbuf_segment* segment, const char* name,
                                          const sapbuf_queue_options* options, sapbuf_queue** queue) noexcept {
  return capi::give(queue, [&] {
    const Segment& in = needed(segment, "segment").segment;
    return sapbuf_queue{Queue::open_or_create(in, &needed(name, "name"), options_of(options))};
  });
}

sapbuf_status sapbuf_queue_remove(sapbuf_segment* segment, const char* name) noexcept {
  return call([&] {
    return Queue::remove(needed(segment, "segment").segment, &needed(name, "name")) ? SAPBUF_OK
                                                                                    : fail(SAPBUF_NOT_FOUND);
  });
}

void sapbuf_queue_close(sapbuf_queue* queue) noexcept { delete queue; }

const char* sapbuf_queue_name(const sapbuf_queue* queue) noexcept {
  return call_or("", [&] { return needed(queue, "queue").queue.name().c_str(); });
}

bool sapbuf_queue_created(const sapbuf_queue* queue) noexcept {
  return call_or(false, [&] { return needed(queue, "queue").queue.created(); });
}

bool sapbuf_queue_is_current(const sapbuf_queue* queue) noexcept {
  return call_or(false, [&] { return needed(queue, "queue").queue.is_current(); });
}

size_t sapbuf_queue_bytes(const sapbuf_queue* queue) noexcept {
  return call_or(std::size_t{0}, [&] { return needed(queue, "queue").queue.bytes(); });
}

size_t sapbuf_queue_block_bytes(const sapbuf_queue* queue) noexcept {
  return call_or(std::size_t{0}, [&] { return needed(queue, "queue").queue.block_bytes(); });
}

sapbuf_status sapbuf_queue_get_options(const sapbuf_queue* queue, sapbuf_queue_options* options) noexcept {
  return call([&] {
    capi::hand_out(capi::c_options_of(needed(queue, "queue").options), needed(options, "options"));
    return SAPBUF_OK;
  });
}

sapbuf_status sapbuf_queue_differences(const sapbuf_queue* queue, const sapbuf_queue_options* asked, char* text,
                                       size_t size, size_t* length) noexcept {
  return call([&] {
    return capi::tell_differences(needed(queue, "queue").queue.differences(options_of(asked)), text, size, length);
  });
}
