#include "queue/producer.hpp"

#include <algorithm>
#include <iterator>

#include <sapbuf/detail/kill_point.hpp>

#include "platform/cancellation.hpp"
#include "platform/clock.hpp"
#include "pool/figures.hpp"
#include "pool/hand_over.hpp"
#include "pool/pool_user.hpp"
#include "queue/lanes.hpp"
#include "segment/event.hpp"
#include "segment/recovery.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::BlockState;
using layout::BlockWord;
using layout::Root;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr std::uint64_t kFlagNapNs = 10'000'000;  // of one that looks for a flag

}  // namespace

ProducerState::ProducerState(std::shared_ptr<QueueCore> queue, const Pool& pool, const ProducerOptions& options)
    : core_(std::move(queue)),
      pool_(pool.core()),
      timeout_(options.timeout),
      stop_(options.stop),
      full_fences_(core_->full_fences()),
      user_(pool, {.name = options.name, .budget = 0, .stop = options.stop}) {
  core_->segment().check_not_forked();
  core_->check_not_removed();
  recover_for(*core_);
  attachment_ = registry::attach(*core_, layout::SlotRole::producer, options.name);
  slot_ = &core_->slot(index());
  position_ = core_->end();
  taken_ = taken_by_all(*core_);
  core_->add(*this);
}

ProducerState::~ProducerState() { core_->remove(*this); }

void ProducerState::let_go() noexcept {
  const platform::Uncancellable to_its_end;
  closed_ = true;
  if (forked_) return;  // what it has reserved may be there for longer: this stays, for the child's lifetime
  if (open_ == 0) delete this;
}

void ProducerState::light_fence() const noexcept {
  if (full_fences_) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  } else {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
}

Status ProducerState::why_not() noexcept {
  if (forked_) return Status::forked;
  if (core_->segment().truncated()) return Status::corrupt;
  if (!attachment_.is_current()) return Status::declared_dead;
  return closed_ ? Status::closed : Status::ok;
}

// What was truncated meanwhile has no room.
Status ProducerState::full() noexcept {
  const Status status = why_not();
  return status == Status::ok ? Status::full : status;
}

std::size_t ProducerState::room(std::size_t wanted) noexcept {
  const RingPlace place = find_place(*core_, position_, taken_);
  position_ = place.position;
  if (place.is_full) return 0;
  const auto left = [&] {
    const std::int64_t filled = std::max<std::int64_t>(layout::distance(position_, taken_), 0);
    return static_cast<std::int64_t>(core_->geometry().slots) - filled;
  };
  if (left() < static_cast<std::int64_t>(wanted)) taken_ = taken_by_all(*core_);
  // Besides what was taken for sure, the one place that was looked at is free.
  return static_cast<std::size_t>(std::max<std::int64_t>(left(), 1));
}

ReservedBlocks ProducerState::reserve(std::size_t up_to) noexcept {
  ReservedBlocks reserved = try_reserve(up_to);
  const bool found_no_room = reserved.status() == Status::full || reserved.status() == Status::exhausted;
  if (reserved.empty() && up_to != 0 && found_no_room && core_->geometry().on_full == OnFull::drop) {
    count_figure(slot_->dropped);
  }
  return reserved;
}

ReservedBlocks ProducerState::try_reserve(std::size_t up_to) noexcept {
  if (const Status status = why_not(); status != Status::ok) return ReservedBlocks{status};
  const std::size_t there = room(std::min<std::size_t>(up_to, core_->geometry().slots));
  const std::size_t most = std::min(up_to, there);
  ReservedBlocks reserved{there == 0 ? full() : Status::ok};
  try {
    reserved.blocks_ = std::move(spare_);
    spare_.clear();
    reserved.blocks_.reserve(most);
  } catch (const std::exception&) {
    return ReservedBlocks{Status::exhausted};
  }
  while (reserved.blocks_.size() < most) {
    Buffer buffer = user_.acquire();
    if (!buffer) {
      reserved.status_ = buffer.status();
      break;
    }
    reserved.blocks_.push_back(ReservedBlock{std::move(buffer)});
  }
  if (reserved.blocks_.empty() && up_to != 0) arm_event_fd(reserved.status_);
  reserved.producer_ = this;
  ++open_;
  return reserved;
}

ReservedBlocks ProducerState::reserve_for(std::size_t up_to, std::chrono::nanoseconds timeout) noexcept {
  const std::uint64_t deadline_ns = platform::deadline_after(timeout);
  for (;;) {
    ReservedBlocks reserved = try_reserve(up_to);
    if (reserved || up_to == 0) return reserved;
    if (reserved.status() == Status::full) {
      if (const Status status = wait_for_room(deadline_ns); status != Status::ok) return ReservedBlocks{status};
      continue;
    }
    // Without memory of this process there is no room for what the pool would give.
    if (reserved.status() != Status::exhausted || reserved.producer_ == nullptr) return reserved;
    const std::uint64_t now = platform::monotonic_ns();
    const std::uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
    Buffer buffer = user_.acquire_for(saturated<std::chrono::nanoseconds>(
        std::chrono::nanoseconds{static_cast<std::int64_t>(std::min<std::uint64_t>(left, INT64_MAX))}));
    if (!buffer) return ReservedBlocks{buffer.status()};
    reserved.status_ = Status::ok;
    reserved.blocks_.push_back(ReservedBlock{std::move(buffer)});
    return reserved;
  }
}

void ProducerState::give_back(std::vector<ReservedBlock>&& blocks) noexcept {
  if (!forked_) {
    blocks.clear();
    if (blocks.capacity() > spare_.capacity()) spare_ = std::move(blocks);
  }
  --open_;
  if (open_ != 0 || !closed_ || forked_) return;
  const platform::Uncancellable to_its_end;
  delete this;
}

// Also if it was moved from, or was not to be had back.
Status ProducerState::why_no_block_of(const Buffer& buffer) const noexcept {
  Status status = Status::ok;
  const PoolCore* const from = find_pool_of(buffer, core_->segment(), status);
  return from == nullptr || from->id() == core_->pool_id() ? status : Status::stale;
}

Status ProducerState::release(ReservedBlock& reserved, Releasing& call) noexcept {
  const PoolUserHot* const from = user_of(reserved.buffer_);
  if (from == nullptr || from != call.looked_at) {
    if (const Status status = why_no_block_of(reserved.buffer_); status != Status::ok) return status;
    call.looked_at = from;
  }
  RingPlace place = find_place(*core_, position_, taken_);
  position_ = place.position;
  if (place.is_full) return full();
  const Root root = root_of(reserved.buffer_);
  layout::QueueEntry& entry = core_->entry(root.index());
  entry.root.store(root.word, relaxed);
  entry.about.store(layout::AboutBlock::make(reserved.length_, reserved.type_, reserved.has_key_).word, relaxed);
  if (reserved.has_key_) {
    entry.key.store(reserved.key_, relaxed);
    if (core_->geometry().lanes != 0) core_->order(root.index()).store(0, relaxed);
  }
  SAPBUF_KILL_POINT(queue_described);
  say_queued(*core_, root.index(), place.position, index());
  SAPBUF_KILL_POINT(queue_said);
  share_rooted(reserved.buffer_, call.now_ms);
  while (!fill_slot(*core_, place, root.index())) {
    place = find_place(*core_, place.position, taken_);
    if (place.is_full) {
      // Whose it was may be gone with it, if it was moved here from elsewhere.
      reserved.buffer_ = take_back(PoolUserState::of(user_), root);
      if (!reserved.buffer_) return reserved.buffer_.status();
      SAPBUF_KILL_POINT(queue_taken_back);
      say_of_all(*core_, root.index(), {});
      return Status::full;
    }
    say_queued(*core_, root.index(), place.position, index());
    SAPBUF_KILL_POINT(queue_said);
  }
  SAPBUF_KILL_POINT(queue_released);
  position_ = layout::position_after(place.position, 1);
  count_figure(slot_->pushed);
  return Status::ok;
}

void ProducerState::wake_consumers() noexcept {
  light_fence();  // sleep: behind the slot; the sleeper makes the heavy one
  for (std::uint32_t number = 0; number < core_->geometry().groups; ++number) {
    layout::Event& filled = core_->group(number).filled;
    if (filled.is_awaited()) [[unlikely]]
      wake_sleepers(filled);
  }
}

std::size_t ProducerState::release(std::span<ReservedBlock> blocks, std::size_t& gone, Status& status) noexcept {
  gone = 0;
  status = why_not();
  if (status != Status::ok) return 0;
  const std::uint64_t deadline_ns = timeout_ == kForever
                                        ? ~std::uint64_t{0}
                                        : platform::deadline_after(saturated<std::chrono::nanoseconds>(timeout_));
  Releasing call{.now_ms = pool_->now_ms()};
  std::size_t released = 0;
  while (released < blocks.size()) {
    status = release(blocks[released], call);
    if (status == Status::ok) {
      ++released;
      continue;
    }
    raise(core_->control().tail, position_);
    wake_consumers();
    if (status != Status::full || core_->geometry().on_full == OnFull::drop) break;
    status = wait_for_room(deadline_ns);
    if (status != Status::ok) break;
  }
  raise(core_->control().tail, position_);
  wake_consumers();
  if (status == Status::full || status == Status::timeout) arm_event_fd(Status::full);
  gone = released;
  if (status == Status::full && core_->geometry().on_full == OnFull::drop) {
    gone = blocks.size();
    for (ReservedBlock& dropped : blocks.subspan(released)) dropped.buffer_.release();
    count_figure(slot_->dropped, gone - released);
  }
  return released;
}

int ProducerState::event_fd() {
  if (event_fd_ == nullptr) {
    core_->segment().check_not_forked();
    event_fd_ = std::make_unique<EventFd>(core_->segment());
    event_fd_->make_readable();  // nothing says yet that there is no room
  }
  return event_fd_->descriptor();
}

void ProducerState::arm_event_fd(Status why_not) noexcept {
  if (event_fd_ == nullptr) return;
  if (why_not == Status::exhausted) {
    static_cast<PoolUserState&>(*user_.user_).arm(*event_fd_);
  } else if (why_not == Status::full) {
    event_fd_->arm(core_->control().room, Wakers::use_light_fences, [this] { return room(1) != 0; });
  }
}

Status ProducerState::wait_for_room(std::uint64_t deadline_ns) noexcept {
  const platform::Uncancellable to_its_end;
  count_figure(slot_->waits);
  for (;;) {
    const SleepTicket ticket{core_->control().room, true, full_fences_};
    if (room(1) != 0) return Status::ok;
    if (const Status status = why_not(); status != Status::ok) return status;
    if (stop_ != nullptr && stop_->load(relaxed)) return Status::stopped;
    const std::uint64_t now = platform::monotonic_ns();
    if (now >= deadline_ns) return Status::timeout;
    SAPBUF_KILL_POINT(queue_waiting);
    registry::beat(core_->segment().participant(index()));
    ticket.sleep_until(stop_ == nullptr ? deadline_ns : std::min(deadline_ns, now + kFlagNapNs));
    recover_while_waiting(core_->segment(), recovery_tried_ns_, Sweepers::one);
  }
}

}  // namespace SAPBUF_DETAIL
