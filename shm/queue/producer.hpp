// A producer of a queue, inside the library.
#pragma once

#include <sapbuf/queue.hpp>

#include "queue/ring.hpp"
#include "segment/event_fd.hpp"
#include "segment/registry.hpp"

namespace SAPBUF_DETAIL {

struct ProducerState final : ForkHook {
  ProducerState(std::shared_ptr<QueueCore> queue, const Pool& pool, const ProducerOptions& options);
  ~ProducerState();

  void after_fork_in_child() noexcept override { forked_ = true; }
  // Its handle is gone: it goes now, or with the last of what it has reserved.
  void let_go() noexcept;

  ReservedBlocks reserve(std::size_t up_to) noexcept;
  ReservedBlocks reserve_for(std::size_t up_to, std::chrono::nanoseconds timeout) noexcept;
  int event_fd();
  // `gone`: how many of them are the producer's no more, released or dropped.
  std::size_t release(std::span<ReservedBlock> blocks, std::size_t& gone, Status& status) noexcept;
  void give_back(std::vector<ReservedBlock>&& blocks) noexcept;

  std::uint32_t index() const noexcept { return attachment_.slot(); }
  QueueCore& core() const noexcept { return *core_; }
  Status why_not() noexcept;
  Status full() noexcept;  // behind a look that found no room
  // The queue has something that was not released by this producer: from where on.
  void wake_consumers() noexcept;

 private:
  // Counts nothing as dropped.
  ReservedBlocks try_reserve(std::size_t up_to) noexcept;
  // For how many blocks there is room at the least; it need not look for more than are wanted.
  std::size_t room(std::size_t wanted) noexcept;
  // Whether a buffer may be a block of the queue.
  Status why_no_block_of(const Buffer& buffer) const noexcept;
  // One call of release().
  struct Releasing {
    std::uint32_t now_ms;
    const PoolUserHot* looked_at = nullptr;  // whose buffers may be blocks
  };
  // Status::ok: it is released; full: it is the producer's still; stale, other_segment: it is of another pool. Another
  // one: it is somebody else's.
  Status release(ReservedBlock& block, Releasing& call) noexcept;
  Status wait_for_room(std::uint64_t deadline_ns) noexcept;
  // Behind an attempt that found the queue full, or no buffer, where there is a descriptor.
  void arm_event_fd(Status why_not) noexcept;
  void light_fence() const noexcept;

  const std::shared_ptr<QueueCore> core_;
  const std::shared_ptr<PoolCore> pool_;
  const std::chrono::milliseconds timeout_;
  const std::atomic<bool>* const stop_;
  const bool full_fences_;
  PoolUser user_;
  Attachment attachment_;
  layout::QueueSlot* slot_ = nullptr;
  std::uint64_t position_ = 0;  // all below it are filled
  std::uint64_t taken_ = 0;     // all below it were taken
  std::vector<ReservedBlock> spare_;
  std::size_t open_ = 0;  // ReservedBlocks that are there
  std::uint64_t recovery_tried_ns_ = 0;
  std::unique_ptr<EventFd> event_fd_;  // null until somebody asks for it
  bool closed_ = false;
  bool forked_ = false;
};

}  // namespace SAPBUF_DETAIL
