#include "queue/consumer.hpp"

#include <algorithm>
#include <cstring>

#include <sapbuf/detail/kill_point.hpp>

#include "platform/cancellation.hpp"
#include "platform/clock.hpp"
#include "platform/fence.hpp"
#include "pool/figures.hpp"
#include "pool/hand_over.hpp"
#include "pool/waiters.hpp"
#include "queue/dead_letters.hpp"
#include "queue/lanes.hpp"
#include "queue/leaving.hpp"
#include "queue/pass.hpp"
#include "segment/event.hpp"
#include "segment/recovery.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::BlockState;
using layout::BlockWord;
using layout::Root;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr std::uint64_t kFlagNapNs = 10'000'000;  // of one that looks for a flag

std::uint32_t checked_group(const QueueCore& queue, std::uint32_t group) {
  if (group < queue.geometry().groups) return group;
  throw Error(Errc::invalid_argument, queue.title() + " has no group " + std::to_string(group) +
                                          " of consumers: groups are counted from 0, and there are " +
                                          std::to_string(queue.geometry().groups));
}

}  // namespace

ConsumerState::ConsumerState(std::shared_ptr<QueueCore> queue, const ConsumerOptions& options)
    : core_(std::move(queue)),
      pool_(core_->pool()),
      stop_(options.stop),
      group_(checked_group(*core_, options.group)),
      full_fences_(core_->full_fences()) {
  core_->segment().check_not_forked();
  core_->check_not_removed();
  if (!full_fences_ && !platform::register_for_heavy_fences()) {
    throw Error(Errc::unsupported,
                "membarrier(2) is not available here (old kernel, or a seccomp filter): make the segment with full "
                "fences (SegmentOptions{.fences = Fences::full})");
  }
  buffers_ = pool_->buffers();
  stride_bytes_ = pool_->geometry().stride_bytes;
  block_bytes_ = pool_->geometry().buffer_bytes;
  recover_for(*core_);
  attachment_ = registry::attach(*core_, layout::SlotRole::consumer, options.name,
                                 [&](std::uint32_t slot) { core_->slot(slot).group.store(group_, relaxed); });
  slot_ = &core_->slot(index());
  position_ = core_->group(group_).head.load(std::memory_order_acquire) % layout::kPositions;
  core_->add(*this);
}

ConsumerState::~ConsumerState() { core_->remove(*this); }

void ConsumerState::let_go() noexcept {
  const platform::Uncancellable to_its_end;
  closed_ = true;
  if (forked_) return;  // its blocks may be there for longer: this stays, for the child's lifetime
  if (held_ != 0) return;
  if (why_not() == Status::closed) free_now();
  delete this;
}

void ConsumerState::light_fence() const noexcept {
  if (full_fences_) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  } else {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
}

Status ConsumerState::why_not() noexcept {
  if (forked_) return Status::forked;
  if (core_->segment().truncated()) return Status::corrupt;
  if (!attachment_.is_current()) return Status::declared_dead;
  return closed_ ? Status::closed : Status::ok;
}

// --- Taking

bool ConsumerState::take_from(std::uint32_t block, BlockWord seen, TakenBlock& taken) noexcept {
  if (block >= pool_->count()) return false;
  const BlockWord held = seen.delivered_to(index());
  std::uint64_t word = seen.word;
  // queue-done: acquire, behind what the one before did;  sleep: seq_cst, before the look at producers that wait for
  // room.
  if (!core_->state(block, group_).compare_exchange_strong(word, held.word, std::memory_order_seq_cst, relaxed)) {
    return false;
  }
  SAPBUF_KILL_POINT(queue_taken);
  const layout::AboutBlock about{core_->entry(block).about.load(relaxed)};
  taken.consumer_ = this;
  taken.data_ = buffers_ + block * stride_bytes_;
  taken.length_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(about.length(), block_bytes_));
  taken.type_ = about.type();
  taken.block_ = block;
  taken.word_ = held.word;
  taken.lane_ = kNoLane;
  ++held_;
  count_figure(slot_->taken);
  if (held.deliveries() > 1) count_figure(slot_->redelivered);
  return true;
}

bool ConsumerState::take_returned(TakenBlock& taken) noexcept {
  std::array<Returned, kMostReturned> found;
  const std::size_t count = find_returned(*core_, group_, found);
  for (std::size_t i = 0; i < count; ++i) {
    if (!take_from(found[i].block, found[i].seen, taken)) continue;
    forget_returned(*core_, found[i].block, group_);
    return true;
  }
  return false;
}

bool ConsumerState::take_ahead(TakenBlock& taken) noexcept {
  for (;;) {
    RingLook look;
    const auto has_found = [&] { return (look = look_ahead(*core_, group_, position_)).is_there; };
    if (!pace_.look(has_found)) return false;
    const bool is_taken = take_from(look.block, look.seen, taken);
    if (!is_taken && look.block >= pool_->count()) return false;  // a pool that this process cannot address so far
    position_ = layout::position_after(position_, 1);
    if (is_taken) return true;
  }
}

bool ConsumerState::take_next(TakenBlock& taken) noexcept {
  if (is_worth_a_look(*core_, group_) && take_returned(taken)) return true;
  if (core_->geometry().lanes != 0) return take_from_lanes(taken) || take_ahead_or_park(taken);
  return take_ahead(taken);
}

// Also where nothing was taken: what was parked has left the ring as well.
void ConsumerState::tell_taken() noexcept {
  raise(core_->group(group_).head, position_);  // queue-taken
  light_fence();                                // sleep: behind the words; the sleeper makes the heavy one
  layout::Event& room = core_->control().room;
  if (room.is_awaited()) [[unlikely]]
    wake_sleepers(room);
}

Status ConsumerState::take(std::size_t up_to, std::vector<TakenBlock>& taken) noexcept {
  if (const Status status = why_not(); status != Status::ok) return status;
  registry::beat(core_->segment().participant(index()));
  const auto most = std::min<std::size_t>(up_to, core_->geometry().blocks);
  try {
    taken.reserve(most);
  } catch (const std::exception&) {
    return Status::exhausted;
  }
  while (taken.size() < most) {
    TakenBlock block;
    if (!take_next(block)) break;
    taken.push_back(std::move(block));
  }
  tell_taken();
  if (taken.empty() && up_to != 0) arm_event_fd();
  return taken.empty() ? not_found() : Status::ok;
}

TakenBlock ConsumerState::take_one() noexcept {
  TakenBlock taken;
  if (why_not() != Status::ok) return taken;
  registry::beat(core_->segment().participant(index()));
  const bool is_there = take_next(taken);
  tell_taken();
  if (!is_there) arm_event_fd();
  return taken;
}

// In the order of their positions.
std::vector<Returned> ConsumerState::find_dead() const {
  std::vector<Returned> letters;
  for (std::uint32_t block = 0; block < core_->geometry().blocks; ++block) {
    const BlockWord seen{core_->state(block, group_).load(std::memory_order_acquire)};
    if (seen.state() == BlockState::dead) letters.push_back({block, seen});
  }
  const std::uint64_t tail = core_->control().tail.load(relaxed);
  std::sort(letters.begin(), letters.end(), [&](const Returned& a, const Returned& b) {
    return layout::order_around(tail, a.seen.position()) < layout::order_around(tail, b.seen.position());
  });
  return letters;
}

Status ConsumerState::take_dead(std::size_t up_to, std::vector<TakenBlock>& taken) noexcept {
  if (const Status status = why_not(); status != Status::ok) return status;
  std::vector<Returned> letters;
  try {
    letters = find_dead();
    taken.reserve(std::min(up_to, letters.size()));
  } catch (const std::exception&) {
    return Status::exhausted;
  }
  for (const Returned& letter : letters) {
    if (taken.size() == up_to) break;
    TakenBlock block;
    if (take_from(letter.block, letter.seen, block)) taken.push_back(std::move(block));
  }
  return taken.empty() ? not_found() : Status::ok;
}

bool ConsumerState::has_something() noexcept {
  if (is_worth_a_look(*core_, group_)) {
    std::array<Returned, kMostReturned> found;
    const std::size_t count = find_returned(*core_, group_, found);
    const auto is_in_reach = [&](const Returned& one) { return one.block < pool_->count(); };
    if (std::any_of(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count), is_in_reach)) return true;
  }
  if (core_->geometry().lanes != 0) {
    const bool is_there = some_lane_can_be_taken_from() || parks_up_to_something() || some_lane_can_be_taken_from();
    tell_taken();
    return is_there;
  }
  const RingLook look = look_ahead(*core_, group_, position_);
  return look.is_there && look.block < pool_->count();
}

std::uint64_t ConsumerState::next_due_ns(std::uint64_t now) const noexcept {
  std::uint64_t next_ns = EventFd::kNever;
  for (const std::uint64_t due_ms :
       {layout::LookAt{core_->group(group_).look_at.load(relaxed)}.when_ms(), lane_due_ms_}) {
    if (due_ms <= 1) continue;
    const std::uint64_t now_ms = now_in_ms();
    next_ns = std::min(next_ns, now + (due_ms > now_ms ? due_ms - now_ms : 1) * 1'000'000);
  }
  return next_ns;
}

int ConsumerState::event_fd() {
  core_->segment().check_not_forked();
  if (event_fd_ == nullptr) {
    event_fd_ = std::make_unique<EventFd>(core_->segment());
    if (has_something()) {
      event_fd_->make_readable();
    } else {
      arm_event_fd();
    }
  }
  return event_fd_->descriptor();
}

void ConsumerState::arm_event_fd() noexcept {
  if (event_fd_ == nullptr) return;
  pace_ = {};
  free_now();
  event_fd_->arm(
      core_->group(group_).filled, Wakers::use_light_fences, [this] { return has_something(); },
      [this] { return next_due_ns(platform::monotonic_ns()); });
}

bool ConsumerState::wait_for(std::chrono::nanoseconds timeout) noexcept {
  if (why_not() != Status::ok) return false;
  registry::beat(core_->segment().participant(index()));
  if (has_something()) return true;
  const platform::Uncancellable to_its_end;
  pace_ = {};
  free_now();
  const std::uint64_t deadline_ns = platform::deadline_after(timeout);
  layout::QueueGroup& group = core_->group(group_);
  for (;;) {
    const SleepTicket ticket{group.filled, true, full_fences_};
    if (has_something()) return true;
    const std::uint64_t now = platform::monotonic_ns();
    if (why_not() != Status::ok) return false;
    if (now >= deadline_ns) {
      arm_event_fd();
      return false;
    }
    if (stop_ != nullptr && stop_->load(relaxed)) return false;
    SAPBUF_KILL_POINT(queue_waiting);
    registry::beat(core_->segment().participant(index()));
    const std::uint64_t until_ns = stop_ == nullptr ? deadline_ns : std::min(deadline_ns, now + kFlagNapNs);
    ticket.sleep_until(std::min(until_ns, next_due_ns(now)));
    recover_while_waiting(core_->segment(), recovery_tried_ns_, Sweepers::one);
  }
}

// What was truncated meanwhile has no blocks.
Status ConsumerState::not_found() noexcept {
  const Status status = why_not();
  return status == Status::ok ? Status::not_found : status;
}

Status ConsumerState::why_nothing() noexcept {
  if (const Status status = why_not(); status != Status::ok) return status;
  return stop_ != nullptr && stop_->load(relaxed) ? Status::stopped : Status::timeout;
}

// --- What becomes of a block

void ConsumerState::let_go_of_one() noexcept {
  --held_;
  if (held_ != 0 || !closed_ || forked_) return;
  let_go();
}

void ConsumerState::free_now() noexcept {
  if (to_free_count_ == 0) return;
  free_rooted(*pool_, {to_free_.data(), to_free_count_});
  to_free_count_ = 0;
  serve_behind_release(*pool_, kAnyFree);
}

// What a closed one still has is its own.
bool ConsumerState::may_decide() noexcept {
  const Status status = why_not();
  return status == Status::ok || status == Status::closed;
}

bool ConsumerState::done(const TakenBlock& block) noexcept {
  const bool is_own = may_decide();
  if (is_own) {
    const Root root{core_->entry(block.block_).root.load(relaxed)};
    leave(*core_, *slot_, block.block_, group_);
    light_fence();  // waiting: behind the block's word; who waits makes the heavy one
    const bool is_waited_for = somebody_waits(*pool_);
    if (core_->geometry().groups == 1) {
      to_free_[to_free_count_++] = root;
      if (is_waited_for || to_free_count_ == to_free_.size()) free_now();
    } else if (is_waited_for) {
      wake_oldest_waiter(*pool_);  // its scan finds what no group keeps any more
    }
    end_claim(block, 0);
  }
  let_go_of_one();
  return is_own;
}

void ConsumerState::hand_back(const TakenBlock& block, BlockWord held, std::uint64_t due_ms) noexcept {
  detail::give_back(*core_, block.block_, group_, held, due_ms);
  end_claim(block, due_ms);
  notify(core_->group(group_).filled);
}

bool ConsumerState::retry(const TakenBlock& block) noexcept {
  const platform::Uncancellable to_its_end;
  const bool is_own = may_decide();
  if (is_own) {
    count_figure(slot_->put_back);
    const BlockWord held{block.word_};
    const std::uint32_t before = deliveries_before(*core_, held);
    hand_back(block, BlockWord::make(held.position(), before, index(), BlockState::held), kNotDelayed);
  }
  let_go_of_one();
  return is_own;
}

bool ConsumerState::give_back(const TakenBlock& block, std::chrono::nanoseconds delay) noexcept {
  const platform::Uncancellable to_its_end;
  const bool is_own = may_decide();
  if (is_own) {
    const BlockWord held{block.word_};
    note_delivery(*core_, block.block_, group_, held, index(), HowEnded::put_back);
    count_figure(slot_->put_back);
    if (is_dead_letter(*core_, held)) {
      bury(*core_, block.block_, group_, held, index());
      end_claim(block, 0);
    } else {
      const auto ms = saturated<std::chrono::milliseconds>(delay).count();
      hand_back(block, held, ms <= 0 ? kNotDelayed : now_in_ms() + static_cast<std::uint64_t>(ms));
    }
  }
  let_go_of_one();
  return is_own;
}

Status ConsumerState::pass(const TakenBlock& block, QueueCore& to, std::span<const std::byte> answer, std::size_t used,
                           std::uint16_t type) noexcept {
  if (const Status status = why_not(); status != Status::ok && status != Status::closed) return status;
  if (to.segment().creation_id() != core_->segment().creation_id()) return Status::other_segment;
  if (to.pool_id() != core_->pool_id() || to.id() == core_->id()) return Status::stale;
  if (core_->geometry().groups != 1) return Status::not_alone;
  if (answer.size() > block_bytes_) return Status::too_large;
  if (!answer.empty()) std::memmove(block.data_, answer.data(), answer.size());  // it may stand in the block
  const auto length = static_cast<std::uint32_t>(std::min<std::uint64_t>(used, block_bytes_));
  const bool has_key = layout::AboutBlock{core_->entry(block.block_).about.load(relaxed)}.has_key();
  if (!pass_on(*core_, block.block_, index(), to, layout::AboutBlock::make(length, type, has_key)))
    return Status::corrupt;
  count_figure(slot_->passed);
  end_claim(block, 0);
  let_go_of_one();
  return Status::ok;
}

}  // namespace SAPBUF_DETAIL
