#include "pool/pool_user.hpp"

#include <sapbuf/detail/kill_point.hpp>

#include "platform/cancellation.hpp"
#include "platform/clock.hpp"
#include "platform/fence.hpp"
#include "pool/hand_over.hpp"
#include "pool/scan.hpp"
#include "pool/shed.hpp"
#include "segment/event.hpp"
#include "segment/maintenance_lock.hpp"
#include "segment/recovery.hpp"

namespace sapbuf::detail {
namespace {

using layout::BufferState;
using layout::BufferWord;
using layout::Root;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr std::chrono::milliseconds kLockPatience{10};  // of one who does not wait, with a live holder
constexpr std::uint64_t kNapNs = 2'000'000;             // of one that may be waiting for the dead, or for a flag
constexpr std::uint64_t kGrowthBytes = std::uint64_t{4} << 20;  // at once, at the most: below a few milliseconds

std::uint64_t deadline_after(std::chrono::nanoseconds timeout) noexcept {
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(0, timeout.count()));
  const std::uint64_t now = platform::monotonic_ns();
  return ns > ~now ? ~std::uint64_t{0} : now + ns;
}

}  // namespace

PoolUserState::PoolUserState(std::shared_ptr<PoolCore> pool, const PoolUserOptions& options)
    : core_(std::move(pool)), stop_(options.stop), buffers_(core_->buffers()), full_fences_(core_->full_fences()) {
  core_->segment().check_not_forked();
  core_->check_not_removed();
  if (!full_fences_ && !platform::register_for_heavy_fences()) {
    throw Error(Errc::unsupported,
                "membarrier(2) is not available here (old kernel, or a seccomp filter): make the segment with full "
                "fences (SegmentOptions{.fences = Fences::full})");
  }
  recover_core(core_->segment());
  attachment_ = registry::attach(*core_, layout::SlotRole::user, options.name);
  index_ = attachment_.slot();
  slot_ = &core_->slot(index_);
  // Users begin to look far from each other: whoever takes neighbours' words takes their lines from them.
  next_ = static_cast<std::uint32_t>(std::uint64_t{core_->count()} * index_ / core_->geometry().participants);
  for (std::uint32_t root = layout::kRoots; root > 0; --root) free_roots_[free_root_count_++] = root - 1;
  core_->add(*this);
}

PoolUserState::~PoolUserState() { core_->remove(*this); }

void PoolUserState::after_fork_in_child() noexcept {
  forked_ = true;
  slot_->revoked.store(layout::kSettledByOthers, relaxed);  // the slot is the child's own by now
}

void PoolUserState::light_fence() const noexcept {
  if (full_fences_) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  } else {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
}

void PoolUserState::wake_waiters() noexcept {
  layout::Event& released = core_->control().released;
  light_fence();  // sleep: behind the change; the sleeper makes the heavy one
  if (released.sleepers.load(relaxed) != 0) [[unlikely]]
    wake_sleepers(released);
}

Status PoolUserState::why_revoked() noexcept {
  if (forked_) return Status::forked;
  if (core_->segment().truncated()) return Status::corrupt;
  return Status::declared_dead;
}

Buffer PoolUserState::refusal(Status status) const noexcept {
  Buffer none;
  none.status_ = status;
  return none;
}

void PoolUserState::fill(Buffer& buffer, std::uint32_t index, std::uint32_t incarnation, std::uint32_t root) noexcept {
  const layout::PoolGeometry& geometry = core_->geometry();
  buffer.user_ = this;
  buffer.bytes_ = {buffers_ + index * geometry.stride_bytes, geometry.buffer_bytes};
  buffer.index_ = index;
  buffer.incarnation_ = incarnation;
  buffer.root_ = root;
  buffer.status_ = Status::ok;
  ++held_;
}

// --- Acquire -------------------------------------------------------------------------------------------------------

bool PoolUserState::try_take(std::uint32_t buffer, Buffer& taken) noexcept {
  layout::Word& word = core_->word(buffer);
  BufferWord seen{word.load(relaxed)};
  if (seen.state() != BufferState::free) return false;
  const BufferWord own = BufferWord::make(seen.incarnation(), BufferState::local, index_);
  // pool-free: acquire, so that the last use by whoever had it is behind us.
  if (!word.compare_exchange_strong(seen.word, own.word, std::memory_order_acquire, relaxed)) return false;
  SAPBUF_KILL_POINT(pool_taken);
  fill(taken, buffer, own.incarnation(), kNoRoot);
  return true;
}

bool PoolUserState::take_hinted(Buffer& taken) noexcept {
  while (hints_.count != 0) {
    if (try_take(hints_.pop(), taken)) return true;
  }
  return false;
}

bool PoolUserState::take_free(Buffer& taken) noexcept {
  const std::uint32_t there = core_->count();
  std::uint32_t at = next_;
  for (std::uint32_t looked = 0; looked < there; ++looked, ++at) {
    if (at >= there) at = 0;
    if (!try_take(at, taken)) continue;
    next_ = at + 1;
    return true;
  }
  return false;
}

// Without the pool's lock, which stands behind the directory's.
bool PoolUserState::grow() {
  const layout::PoolGeometry& geometry = core_->geometry();
  layout::Word& count = core_->control().count;
  std::uint64_t seen = count.load(std::memory_order_acquire);
  if (seen >= geometry.max_count) return false;
  const std::uint32_t before = core_->count();
  if (geometry.buffers_in(core_->bytes()) <= seen) {
    const std::uint64_t most = std::max<std::uint64_t>(kGrowthBytes / geometry.stride_bytes, 1);
    const std::uint64_t more = std::clamp<std::uint64_t>(seen / 4, 1, most);
    core_->grow(geometry.bytes_with(std::min(seen + more, geometry.max_count)), kLockPatience);
  }
  SAPBUF_KILL_POINT(pool_grown);
  const std::uint64_t grown = geometry.buffers_in(core_->bytes());
  // growth: release, behind the region's own.
  while (seen < grown &&
         !count.compare_exchange_weak(seen, grown, std::memory_order_release, std::memory_order_acquire)) {
  }
  SAPBUF_KILL_POINT(pool_counted);
  return core_->count() > before;
}

bool PoolUserState::make_room() noexcept {
  const platform::Uncancellable to_its_end;
  try {
    if (!recover_core(core_->segment()).dead.empty()) return true;
    {
      const MaintenanceLock lock{*core_, kLockPatience};
      if (lock && free_unrooted(*core_) != 0) return true;
    }
    return free_by_shedding(*core_, kLockPatience) || grow();
  } catch (const std::exception&) {
    return false;  // no room, no memory, no mapping now
  }
}

Buffer PoolUserState::acquire() noexcept {
  if (slot_->revoked.load(relaxed) != 0) [[unlikely]]
    return refusal(why_revoked());
  Buffer taken;
  while (!take_hinted(taken) && !take_free(taken)) {
    if (!make_room()) return refusal(Status::exhausted);
  }
  return taken;
}

Buffer PoolUserState::acquire_for(std::chrono::nanoseconds timeout) noexcept {
  Buffer taken = acquire();
  if (taken.status() != Status::exhausted) return taken;
  const platform::Uncancellable to_its_end;
  const std::uint64_t deadline_ns = deadline_after(timeout);
  for (;;) {
    const SleepTicket ticket{core_->control().released, true, full_fences_};
    taken = acquire();
    if (taken.status() != Status::exhausted) return taken;
    const std::uint64_t now = platform::monotonic_ns();
    if (stop_ != nullptr && stop_->load(relaxed)) return refusal(Status::stopped);
    if (now >= deadline_ns) return refusal(Status::timeout);
    registry::beat(core_->segment().participant(index_));
    ticket.sleep_until(std::min(deadline_ns, now + kNapNs));
    recover_while_waiting(core_->segment(), recovery_tried_ns_, Sweepers::one);
  }
}

// --- Sharing -------------------------------------------------------------------------------------------------------

std::uint64_t PoolUserState::where() const noexcept {
  return where_of(core_->segment().creation_id(), reference_number(core_->id()));
}

BufferReference PoolUserState::share(Buffer& buffer) noexcept {
  if (slot_->revoked.load(relaxed) != 0) return {};
  if (buffer.root_ == kNoRoot) {
    if (free_root_count_ == 0) return {};
    buffer.root_ = free_roots_[--free_root_count_];
    slot_->roots[buffer.root_].store(Root::make(buffer.index_, buffer.incarnation_).word, relaxed);
    SAPBUF_KILL_POINT(pool_rooted);
    // pool-share: release, so that who adopts it sees what stands in it, and scans see the root before the word.
    core_->word(buffer.index_)
        .store(BufferWord::make(buffer.incarnation_, BufferState::shared).word, std::memory_order_release);
    SAPBUF_KILL_POINT(pool_shared);
  }
  return {where(), buffer.index_, buffer.incarnation_};
}

Buffer PoolUserState::adopt(const BufferReference& reference) noexcept {
  if (slot_->revoked.load(relaxed) != 0) [[unlikely]]
    return refusal(why_revoked());
  if (reference.where != where() || reference.index >= core_->count()) return refusal(Status::stale);
  if (free_root_count_ == 0) return refusal(Status::over_budget);
  const std::uint32_t place = free_roots_[free_root_count_ - 1];
  layout::Word& root = slot_->roots[place];
  root.store(Root::make(reference.index, reference.incarnation).word, relaxed);
  SAPBUF_KILL_POINT(pool_adopting);
  light_fence();  // root: before the look; the scan makes the heavy one
  if (!is_kept_by_root(core_->word(reference.index), reference.incarnation)) {
    root.store(0, std::memory_order_release);
    return refusal(Status::stale);
  }
  --free_root_count_;
  Buffer adopted;
  fill(adopted, reference.index, reference.incarnation, place);
  return adopted;
}

void PoolUserState::release(Buffer& buffer) noexcept {
  if (slot_->revoked.load(relaxed) == 0) [[likely]] {
    if (buffer.root_ == kNoRoot) {
      // pool-free: release, behind the last use.
      core_->word(buffer.index_)
          .store(BufferWord::make(buffer.incarnation_ + 1, BufferState::free).word, std::memory_order_release);
      hints_.push(buffer.index_);
    } else {
      slot_->roots[buffer.root_].store(0, std::memory_order_release);
      free_roots_[free_root_count_++] = buffer.root_;
    }
    wake_waiters();
  }
  if (--held_ == 0 && closed_) delete this;
}

void PoolUserState::close() noexcept {
  const platform::Uncancellable to_its_end;
  closed_ = true;
  if (held_ == 0) delete this;
}

}  // namespace sapbuf::detail
