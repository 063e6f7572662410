#include <sapbuf/queue.hpp>

#include "capi/handles.hpp"
#include "capi/options.hpp"

using namespace sapbuf;
using capi::answer;
using capi::fail;
using capi::fail_null;
using capi::needed;

struct sapbuf_reserved_blocks {
  ReservedBlocks blocks;
};

namespace {

// `reserve(producer)` gives ReservedBlocks.
template <typename Reserve>
sapbuf_status reserve(sapbuf_producer* producer, sapbuf_reserved_blocks** blocks, Reserve reserve_from) noexcept {
  if (blocks == nullptr) return fail_null("the place for the handle");
  *blocks = nullptr;
  if (producer == nullptr) return fail_null("producer");
  ReservedBlocks reserved = reserve_from(producer->producer);
  if (!reserved) return reserved.status() == Status::ok ? fail(SAPBUF_INVALID_ARGUMENT) : fail(reserved.status());
  return capi::give(blocks, [&] { return sapbuf_reserved_blocks{std::move(reserved)}; });
}

}  // namespace

sapbuf_status sapbuf_producer_open(sapbuf_queue* queue, const sapbuf_producer_options* options,
                                   sapbuf_producer** producer) noexcept {
  return capi::give(producer, [&] {
    const sapbuf_producer_options chosen = capi::chosen(options);
    return sapbuf_producer{Producer{needed(queue, "queue").queue,
                                    {.name = capi::text_or_none(chosen.name),
                                     .timeout = capi::patience_of(chosen.timeout_ns),
                                     .stop = capi::flag_of(chosen.stop)}}};
  });
}

void sapbuf_producer_close(sapbuf_producer* producer) noexcept { delete producer; }

int sapbuf_producer_event_fd(sapbuf_producer* producer) noexcept {
  return capi::call_or(-1, [&] { return capi::needed(producer, "producer").producer.event_fd(); });
}

uint32_t sapbuf_producer_slot(const sapbuf_producer* producer) noexcept {
  return producer == nullptr ? UINT32_MAX : producer->producer.slot();
}

sapbuf_status sapbuf_producer_push(sapbuf_producer* producer, const void* data, size_t size, uint16_t type) noexcept {
  if (producer == nullptr) return fail_null("producer");
  if (data == nullptr && size != 0) return fail_null("data");
  return answer(producer->producer.push({static_cast<const std::byte*>(data), size}, type));
}

sapbuf_status sapbuf_producer_reserve(sapbuf_producer* producer, size_t up_to,
                                      sapbuf_reserved_blocks** blocks) noexcept {
  return reserve(producer, blocks, [=](Producer& from) { return from.reserve(up_to); });
}

sapbuf_status sapbuf_producer_reserve_for(sapbuf_producer* producer, size_t up_to, int64_t timeout_ns,
                                          sapbuf_reserved_blocks** blocks) noexcept {
  if (up_to == 0) return fail(SAPBUF_INVALID_ARGUMENT, "up_to is 0: that would wait for nothing");
  return reserve(producer, blocks,
                 [=](Producer& from) { return from.reserve_for(up_to, std::chrono::nanoseconds{timeout_ns}); });
}

size_t sapbuf_reserved_blocks_count(const sapbuf_reserved_blocks* blocks) noexcept {
  return blocks == nullptr ? 0 : blocks->blocks.size();
}

void* sapbuf_reserved_blocks_bytes(sapbuf_reserved_blocks* blocks, size_t number, size_t* size) noexcept {
  const bool is_there = blocks != nullptr && number < blocks->blocks.size();
  const std::span<std::byte> bytes = is_there ? blocks->blocks[number].bytes() : std::span<std::byte>{};
  if (size != nullptr) *size = bytes.size();
  return bytes.data();
}

sapbuf_status sapbuf_reserved_blocks_set(sapbuf_reserved_blocks* blocks, size_t number, size_t used,
                                         uint16_t type) noexcept {
  if (blocks == nullptr) return fail_null("blocks");
  if (number >= blocks->blocks.size()) return fail(SAPBUF_INVALID_ARGUMENT, "there is no block of that number");
  ReservedBlock& block = blocks->blocks[number];
  if (used > block.bytes().size()) return fail(SAPBUF_TOO_LARGE);
  block.resize(used);
  block.set_type(type);
  return SAPBUF_OK;
}

sapbuf_status sapbuf_reserved_blocks_set_key(sapbuf_reserved_blocks* blocks, size_t number, uint64_t key) noexcept {
  if (blocks == nullptr) return fail_null("blocks");
  if (number >= blocks->blocks.size()) return fail(SAPBUF_INVALID_ARGUMENT, "there is no block of that number");
  blocks->blocks[number].set_key(key);
  return SAPBUF_OK;
}

sapbuf_status sapbuf_reserved_blocks_release(sapbuf_reserved_blocks* blocks, size_t count, size_t* released) noexcept {
  if (released != nullptr) *released = 0;
  if (blocks == nullptr) return fail_null("blocks");
  const std::size_t wanted = std::min(count, blocks->blocks.size());
  if (wanted == 0) return count == 0 ? SAPBUF_OK : fail(SAPBUF_CLOSED);
  const std::size_t gone = blocks->blocks.release(wanted);
  if (released != nullptr) *released = gone;
  return gone == wanted ? SAPBUF_OK : fail(blocks->blocks.status());
}

void sapbuf_reserved_blocks_drop(sapbuf_reserved_blocks* blocks) noexcept { delete blocks; }
