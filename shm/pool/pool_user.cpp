#include "pool/pool_user.hpp"

#include "platform/cancellation.hpp"
#include "platform/fence.hpp"
#include "pool/chunks.hpp"
#include "pool/hand_over.hpp"
#include "segment/recovery.hpp"

namespace SAPBUF_DETAIL {

PoolUserState::PoolUserState(std::shared_ptr<PoolCore> pool, const PoolUserOptions& options, bool created)
    : core_(std::move(pool)),
      stop_(options.stop),
      full_fences_(core_->full_fences()),
      may_grow_(core_->geometry().grow == Grow::anyone || (core_->geometry().grow == Grow::creator && created)),
      budget_(options.budget == 0 ? kNoBudget : options.budget),
      where_(where_of(core_->segment().creation_id(), reference_number(core_->id()))) {
  core_->segment().check_not_forked();
  core_->check_not_removed();
  if (!full_fences_ && !platform::register_for_heavy_fences()) {
    throw Error(Errc::unsupported,
                "membarrier(2) is not available here (old kernel, or a seccomp filter): make the segment with full "
                "fences (SegmentOptions{.fences = Fences::full})");
  }
  buffers = core_->buffers();
  stride_bytes = core_->geometry().stride_bytes;
  buffer_bytes = core_->has_classes() ? stride_bytes : core_->geometry().buffer_bytes;
  has_classes = core_->has_classes();
  recover_for(*core_);
  attachment_ = registry::attach(*core_, layout::SlotRole::user, options.name);
  index_ = attachment_.slot();
  slot = &core_->slot(index_);
  // Users begin to look far from each other: whoever takes neighbours' words takes their lines from them.
  next_ = static_cast<std::uint32_t>(std::uint64_t{core_->count()} * index_ / core_->geometry().participants);
  if (has_classes) class_magazines_ = core_->class_magazines(index_);
  near_.assign(core_->classes(), chunk_of(next_));
  formed_ = chunk_of(next_);
  for (std::uint32_t root = layout::kRoots; root > 0; --root) free_roots_[free_root_count_++] = root - 1;
  core_->add(*this);
}

PoolUserState::~PoolUserState() { core_->remove(*this); }

// The child has the parent's memory of it, and none of what it shares.
void PoolUserState::after_fork_in_child() noexcept {
  forked_ = true;
  acknowledged = kNever;
  thread.store(nullptr, std::memory_order_relaxed);
}

void PoolUserState::light_fence() const noexcept {
  if (full_fences_) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  } else {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
}

Status PoolUserState::why_not() noexcept {
  if (forked_) return Status::forked;
  if (core_->segment().truncated()) return Status::corrupt;
  if (!attachment_.is_current()) return Status::declared_dead;
  return Status::ok;
}

Acquired PoolUserState::in_words(Buffer&& buffer) noexcept {
  buffer.user_ = nullptr;
  return {buffer.bytes_.size(), buffer.index_, buffer.status_};
}

void PoolUserState::close() noexcept {
  const platform::Uncancellable to_its_end;
  acknowledged = kNever;
  Buffer given;
  if (!forked_) {
    if (why_not() == Status::ok && slot->request.load(std::memory_order_relaxed) != 0) {
      empty_magazines();
      static_cast<void>(withdraw(given));
    }
    event_fd_.reset();
  }
  thread.store(nullptr, std::memory_order_relaxed);
  if (forked_) return;  // its buffers may be there for longer: this stays, for the child's lifetime
  given.release();      // like all from here on: straight to the pool, or to those who wait
  {
    const std::lock_guard guard{elsewhere_.mutex};
    elsewhere_.left = held() - elsewhere_.local - elsewhere_.shared;
    // Of one that was taken for dead the magazine says nothing any more, it may be another one's: what it has may be
    // there for longer than that says.
    if (why_not() == Status::declared_dead) return;
    elsewhere_.closed = true;
    if (elsewhere_.left != 0) return;
  }
  delete this;
}

Acquired acquire_slow(PoolUserHot& user) noexcept {
  auto& state = static_cast<PoolUserState&>(user);
  Buffer taken = state.acquire();
  state.arm_own_event_fd(taken.status());
  return PoolUserState::in_words(std::move(taken));
}
Buffer acquire_for(PoolUserHot& user, std::chrono::nanoseconds timeout) noexcept {
  auto& state = static_cast<PoolUserState&>(user);
  Buffer taken = state.acquire_for(timeout);
  state.arm_own_event_fd_anew(taken.status());
  return taken;
}
int event_fd_of(PoolUserHot* user) {
  if (user == nullptr) throw Error(Errc::invalid_argument, "this user of a pool was closed or moved from");
  return static_cast<PoolUserState&>(*user).event_fd();
}
Acquired acquire_of(PoolUserHot& user, std::uint64_t bytes) noexcept {
  return static_cast<PoolUserState&>(user).acquire_of(bytes);
}
Buffer acquire_of_for(PoolUserHot& user, std::uint64_t bytes, std::chrono::nanoseconds timeout) noexcept {
  auto& state = static_cast<PoolUserState&>(user);
  Buffer taken = state.acquire_of_for(bytes, timeout);
  state.arm_own_event_fd_anew(taken.status(), state.class_of(bytes));
  return taken;
}
Buffer adopt(PoolUserHot& user, const BufferReference& reference) noexcept {
  return static_cast<PoolUserState&>(user).adopt(reference);
}
Run acquire_run(PoolUserHot& user, std::uint32_t buffers) noexcept {
  auto& state = static_cast<PoolUserState&>(user);
  Run taken = state.acquire_run(buffers);
  state.arm_own_event_fd_anew(taken.status());
  return taken;
}
void release_run(PoolUserHot& user, std::uint32_t first, std::uint32_t buffers) noexcept {
  static_cast<PoolUserState&>(user).release_run(first, buffers);
}
std::pair<BufferReference, std::uint32_t> share(PoolUserHot& user, std::uint32_t index, std::uint32_t root) noexcept {
  const BufferReference reference = static_cast<PoolUserState&>(user).share(index, root);
  return {reference, root};
}
void release_slow(PoolUserHot& user, std::uint32_t index, std::uint32_t root) noexcept {
  static_cast<PoolUserState&>(user).release(index, root);
}
void look_up(PoolUserHot& user) noexcept { static_cast<PoolUserState&>(user).look_up(); }
void close_user(PoolUserHot& user) noexcept { static_cast<PoolUserState&>(user).close(); }
std::uint32_t slot_of(const PoolUserHot& user) noexcept { return static_cast<const PoolUserState&>(user).index(); }

}  // namespace SAPBUF_DETAIL
