#include <sapbuf/queue.hpp>

#include "capi/handles.hpp"
#include "capi/in_place.hpp"
#include "capi/options.hpp"

using namespace sapbuf;
using capi::fail;
using capi::fail_null;
using capi::needed;

struct sapbuf_consumer {
  Consumer consumer;
  const sapbuf_stop_flag* stop;
};

namespace {

void give_block(sapbuf_taken_block& place, TakenBlock&& block) noexcept {
  place.room = block.room().size();
  place.position = block.position();
  place.deliveries = block.deliveries();
  place.type = block.type();
  place.reserved_type = 0;
  capi::put_into(place, std::move(block));
}

// `take(consumer)` gives TakenBlocks.
template <typename Take>
sapbuf_status take(sapbuf_consumer* consumer, sapbuf_taken_block* blocks, std::size_t up_to, std::size_t* taken,
                   Take take_from) noexcept {
  if (taken == nullptr) return fail_null("taken");
  *taken = 0;
  if (consumer == nullptr) return fail_null("consumer");
  if (blocks == nullptr) return fail_null("blocks");
  if (up_to == 0) return fail(SAPBUF_INVALID_ARGUMENT, "up_to is 0: there is no room for a block");
  TakenBlocks got = take_from(consumer->consumer);
  if (!got) return fail(got.status());
  for (TakenBlock& block : got) give_block(blocks[(*taken)++], std::move(block));
  return SAPBUF_OK;
}

// `end(block)` says whether it was still the consumer's.
template <typename End>
sapbuf_status end_block(sapbuf_taken_block* block, End end) noexcept {
  if (block == nullptr) return fail_null("block");
  if (block->data == nullptr) return fail(SAPBUF_CLOSED);
  const bool was_own = end(capi::object_in<TakenBlock>(*block));
  capi::end_in<TakenBlock>(*block);
  return was_own ? SAPBUF_OK : fail(SAPBUF_CLOSED);
}

}  // namespace

sapbuf_status sapbuf_consumer_open(sapbuf_queue* queue, const sapbuf_consumer_options* options,
                                   sapbuf_consumer** consumer) noexcept {
  return capi::give(consumer, [&] {
    const sapbuf_consumer_options chosen = capi::chosen(options);
    return sapbuf_consumer{
        Consumer{needed(queue, "queue").queue,
                 {.name = capi::text_or_none(chosen.name), .group = chosen.group, .stop = capi::flag_of(chosen.stop)}},
        chosen.stop};
  });
}

void sapbuf_consumer_close(sapbuf_consumer* consumer) noexcept { delete consumer; }

int sapbuf_consumer_event_fd(sapbuf_consumer* consumer) noexcept {
  return capi::call_or(-1, [&] { return capi::needed(consumer, "consumer").consumer.event_fd(); });
}

uint32_t sapbuf_consumer_slot(const sapbuf_consumer* consumer) noexcept {
  return consumer == nullptr ? UINT32_MAX : consumer->consumer.slot();
}

sapbuf_status sapbuf_consumer_take(sapbuf_consumer* consumer, sapbuf_taken_block* blocks, size_t up_to,
                                   size_t* taken) noexcept {
  return take(consumer, blocks, up_to, taken, [=](Consumer& from) { return from.take(up_to); });
}

sapbuf_status sapbuf_consumer_take_for(sapbuf_consumer* consumer, int64_t timeout_ns, sapbuf_taken_block* blocks,
                                       size_t up_to, size_t* taken) noexcept {
  return take(consumer, blocks, up_to, taken,
              [=](Consumer& from) { return from.take_for(up_to, std::chrono::nanoseconds{timeout_ns}); });
}

sapbuf_status sapbuf_consumer_take_dead(sapbuf_consumer* consumer, sapbuf_taken_block* blocks, size_t up_to,
                                        size_t* taken) noexcept {
  return take(consumer, blocks, up_to, taken, [=](Consumer& from) { return from.take_dead(up_to); });
}

sapbuf_status sapbuf_consumer_wait(sapbuf_consumer* consumer, int64_t timeout_ns) noexcept {
  if (consumer == nullptr) return fail_null("consumer");
  if (consumer->consumer.wait_for(std::chrono::nanoseconds{timeout_ns})) return SAPBUF_OK;
  const Status status = consumer->consumer.take(0).status();  // not_found, unless this consumer cannot go on
  if (status != Status::not_found && status != Status::ok) return fail(status);
  return fail(capi::is_raised(consumer->stop) ? SAPBUF_STOPPED : SAPBUF_TIMEOUT);
}

sapbuf_status sapbuf_taken_block_key(const sapbuf_taken_block* block, uint64_t* key) noexcept {
  if (block == nullptr) return fail_null("block");
  if (key == nullptr) return fail_null("key");
  if (block->data == nullptr) return fail(SAPBUF_CLOSED);
  const std::optional<std::uint64_t> found = capi::object_in<TakenBlock>(*block).key();
  if (!found) return fail(SAPBUF_NOT_FOUND);
  *key = *found;
  return SAPBUF_OK;
}

sapbuf_status sapbuf_taken_block_done(sapbuf_taken_block* block) noexcept {
  return end_block(block, [](TakenBlock& taken) { return taken.done(); });
}

sapbuf_status sapbuf_taken_block_put_back(sapbuf_taken_block* block) noexcept {
  return end_block(block, [](TakenBlock& taken) { return taken.put_back(); });
}

sapbuf_status sapbuf_taken_block_put_back_after(sapbuf_taken_block* block, int64_t delay_ns) noexcept {
  return end_block(block, [=](TakenBlock& taken) { return taken.put_back_after(std::chrono::nanoseconds{delay_ns}); });
}

sapbuf_status sapbuf_taken_block_retry(sapbuf_taken_block* block) noexcept {
  return end_block(block, [](TakenBlock& taken) { return taken.retry(); });
}

sapbuf_status sapbuf_taken_block_pass_to(sapbuf_taken_block* block, sapbuf_producer* producer, size_t used,
                                         uint16_t type) noexcept {
  if (block == nullptr) return fail_null("block");
  if (producer == nullptr) return fail_null("producer");
  if (block->data == nullptr) return fail(SAPBUF_CLOSED);
  if (used > block->room) return fail(SAPBUF_TOO_LARGE);
  const Status status = capi::object_in<TakenBlock>(*block).pass_to(producer->producer, used, type);
  if (status != Status::ok) return fail(status);
  capi::end_in<TakenBlock>(*block);
  return SAPBUF_OK;
}
