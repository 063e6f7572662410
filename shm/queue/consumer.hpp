// A consumer of a queue, inside the library.
#pragma once

#include <array>

#include <sapbuf/queue.hpp>

#include "queue/consumer_pace.hpp"
#include "queue/returned.hpp"
#include "queue/ring.hpp"
#include "segment/event_fd.hpp"
#include "segment/registry.hpp"

namespace SAPBUF_DETAIL {

struct ConsumerState final : ForkHook {
  ConsumerState(std::shared_ptr<QueueCore> queue, const ConsumerOptions& options);
  ~ConsumerState();

  void after_fork_in_child() noexcept override { forked_ = true; }
  // Its handle is gone: it goes now, or with the last of its blocks.
  void let_go() noexcept;

  Status take(std::size_t up_to, std::vector<TakenBlock>& taken) noexcept;
  TakenBlock take_one() noexcept;
  Status take_dead(std::size_t up_to, std::vector<TakenBlock>& taken) noexcept;
  bool wait_for(std::chrono::nanoseconds timeout) noexcept;
  int event_fd();
  Status why_not() noexcept;
  Status not_found() noexcept;    // behind a look that found nothing
  Status why_nothing() noexcept;  // behind a wait

  bool may_decide() noexcept;
  bool done(const TakenBlock& block) noexcept;
  bool give_back(const TakenBlock& block, std::chrono::nanoseconds delay) noexcept;
  bool retry(const TakenBlock& block) noexcept;
  Status pass(const TakenBlock& block, QueueCore& to, std::span<const std::byte> answer, std::size_t used,
              std::uint16_t type) noexcept;
  std::span<std::byte> room(const TakenBlock& block) const noexcept {
    return {buffers_ + block.block_ * stride_bytes_, block_bytes_};
  }

  std::optional<std::uint64_t> key(const TakenBlock& block) const noexcept;

  std::uint32_t index() const noexcept { return attachment_.slot(); }
  // Where a TakenBlocks keeps its blocks: that keeps this as a block does.
  std::vector<TakenBlock> begin_set() noexcept {
    ++held_;
    return std::exchange(spare_, {});
  }
  void end_set(std::vector<TakenBlock>&& set) noexcept {
    if (!forked_ && set.capacity() > spare_.capacity()) spare_ = std::move(set);
    let_go_of_one();
  }

 private:
  bool take_from(std::uint32_t block, layout::BlockWord seen, TakenBlock& taken) noexcept;
  bool take_returned(TakenBlock& taken) noexcept;
  bool take_ahead(TakenBlock& taken) noexcept;
  bool take_next(TakenBlock& taken) noexcept;
  // In consumer_lanes.cpp, of a queue with lanes.
  bool take_what_waits(std::uint32_t lane, TakenBlock& taken) noexcept;
  bool take_from_lanes(TakenBlock& taken) noexcept;
  bool take_from_lane(std::uint32_t lane, TakenBlock& taken) noexcept;
  bool take_ahead_or_park(TakenBlock& taken) noexcept;
  bool take_or_park(const RingLook& look, std::uint32_t lane, TakenBlock& taken) noexcept;
  bool some_lane_can_be_taken_from() noexcept;
  bool parks_up_to_something() noexcept;
  void end_claim(const TakenBlock& block, std::uint64_t due_ms) noexcept;
  void hand_back(const TakenBlock& block, layout::BlockWord held, std::uint64_t due_ms) noexcept;
  void tell_taken() noexcept;
  bool has_something() noexcept;
  // On the monotonic clock, `now` at the earliest: when something that was put back is due. kNever: nothing is.
  std::uint64_t next_due_ns(std::uint64_t now) const noexcept;
  // Behind a look that found nothing, where there is a descriptor.
  void arm_event_fd() noexcept;
  std::vector<Returned> find_dead() const;
  // The block is not this consumer's any more.
  void let_go_of_one() noexcept;
  void free_now() noexcept;
  void light_fence() const noexcept;

  const std::shared_ptr<QueueCore> core_;
  const std::shared_ptr<PoolCore> pool_;
  const std::atomic<bool>* const stop_;
  const std::uint32_t group_;
  const bool full_fences_;
  std::byte* buffers_ = nullptr;
  std::uint64_t stride_bytes_ = 0;
  std::uint64_t block_bytes_ = 0;
  Attachment attachment_;
  layout::QueueSlot* slot_ = nullptr;
  std::uint64_t position_ = 0;  // all below it were taken, or have left the ring for a lane
  ConsumerPace pace_;
  std::uint32_t next_lane_ = 0;    // where the next look at lanes begins
  std::uint64_t lane_due_ms_ = 0;  // the earliest that a look at lanes found not to be due; 0: none
  // Blocks that it is done with, and whose buffers it has not freed yet, since nobody waits for one. Nobody keeps them any more: if it dies, or
  // does nothing for long, the pool's scan finds them.
  std::array<layout::Root, 32> to_free_;
  std::size_t to_free_count_ = 0;
  std::vector<TakenBlock> spare_;
  std::size_t held_ = 0;  // blocks, and sets of them
  std::uint64_t recovery_tried_ns_ = 0;
  std::unique_ptr<EventFd> event_fd_;  // null until somebody asks for it
  bool closed_ = false;
  bool forked_ = false;
};

}  // namespace SAPBUF_DETAIL
