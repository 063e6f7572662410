// A pool: buffers of one size, acquired in one process and freed in another.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/uio.h>

#include <sapbuf/abi.hpp>
#include <sapbuf/buffer_reference.hpp>
#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/detail/this_thread.hpp>
#include <sapbuf/duration.hpp>
#include <sapbuf/layout/policy.hpp>
#include <sapbuf/layout/pool_slot.hpp>
#include <sapbuf/segment.hpp>
#include <sapbuf/status.hpp>

SAPBUF_BEGIN

class Buffer;
class Run;
struct BufferReference;

namespace detail {

class PoolCore;
struct ProducerState;

// The part of a user that the inlined path touches: private memory. Inlined are acquiring from the user's magazine and
// putting back into it, each of which is one store into the user's own line of shared memory. In all other cases one of
// the looks that they make anyway fails, and the slow path finds out why.
//
//   `acknowledged` is kNever     forked; closed; somebody waits for a buffer; the segment has full fences
//   it is not `attention`        others took from the magazine, or want to; recovery took this user for dead
//   `least_depth` is reached     the magazine is empty; the budget is
//   `capacity` is reached        the magazine is full
//   `thread` is another one      the user came from there to this one; or the buffer is released elsewhere than its user is
struct PoolUserHot {
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};

  layout::PoolSlot* slot = nullptr;
  std::byte* buffers = nullptr;
  std::uint64_t stride_bytes = 0;
  std::uint64_t buffer_bytes = 0;
  std::uint64_t acknowledged = kNever;       // what the slot's `attention` said when this user last looked
  std::uint32_t count = 0;                   // buffers that are known to be there
  std::uint32_t least_depth = 0;             // at which the magazine has nothing for this user
  std::uint32_t capacity = 0;                // of the magazine
  bool has_classes = false;                  // then nothing is inlined: there is a magazine for each class
  std::atomic<const void*> thread{nullptr};  // the one that used it last; null: closed, or not used yet
};

// What comes back in registers: a Buffer that is returned from another place stands in memory, and so does all that is done with it.
struct Acquired {
  std::uint64_t bytes;
  std::uint32_t index;
  Status status;
};
Acquired acquire_slow(PoolUserHot& user) noexcept;
Buffer acquire_for(PoolUserHot& user, std::chrono::nanoseconds timeout) noexcept;
Acquired acquire_of(PoolUserHot& user, std::uint64_t bytes) noexcept;
Buffer acquire_of_for(PoolUserHot& user, std::uint64_t bytes, std::chrono::nanoseconds timeout) noexcept;
Buffer adopt(PoolUserHot& user, const BufferReference& reference) noexcept;
// `root`: the place among the user's roots of one that is shared, kNoRoot of one that is not; sharing it changes that.
// Words, not the Buffer: its address never escapes, so that a Buffer that comes and goes stays in registers.
inline constexpr std::uint32_t kNoRoot = ~std::uint32_t{0};
Run acquire_run(PoolUserHot& user, std::uint32_t buffers) noexcept;
void release_run(PoolUserHot& user, std::uint32_t first, std::uint32_t buffers) noexcept;
std::pair<BufferReference, std::uint32_t> share(PoolUserHot& user, std::uint32_t index, std::uint32_t root) noexcept;
void release_slow(PoolUserHot& user, std::uint32_t index, std::uint32_t root) noexcept;
// Behind a store into the magazine that found the user's attention wanted.
void look_up(PoolUserHot& user) noexcept;
void close_user(PoolUserHot& user) noexcept;
std::uint32_t slot_of(const PoolUserHot& user) noexcept;
int event_fd_of(PoolUserHot* user);

struct PoolUserState;

}  // namespace detail

struct PoolOptions {
  std::uint64_t buffer_bytes = 4096;  // 1 byte to 1 GiB
  // Unless `max_bytes` is 0, buffers of any size between these come from one pool, as from a heap: see acquire(bytes). In size
  // classes that are 12.5 % apart, or, below eight times the smallest one, by that. Instead of `buffer_bytes`.
  std::uint64_t min_bytes = 16;
  std::uint64_t max_bytes = 0;
  std::uint64_t count = 64;  // buffers at first; with size classes: of the smallest one, in the room of which all come
  // That the pool may grow to, when somebody needs one and none is free; 0: `count`. The pool's tables have 12 bytes for
  // each of them, and are allocated at once.
  std::uint64_t max_count = 0;
  // Of each buffer, in every process: a power of two from 8 to 2 MiB; to 4096 in a segment in supplied memory. No size class is
  // smaller.
  std::uint64_t alignment = 64;
  Grow grow = Grow::anyone;  // who lets it grow when none is free

  // For buffers from `min_bytes` to `max_bytes`, in so many bytes, growing up to `most_bytes` (0: not). Alignment 0: the largest
  // power of two that is no more than `min_bytes`, from 8 to 64.
  static PoolOptions for_sizes(std::uint64_t min_bytes, std::uint64_t max_bytes, std::uint64_t bytes,
                               std::uint64_t most_bytes = 0, std::uint64_t alignment = 0) noexcept;
  // That the pool has for each of `count`: the size of a buffer, or of the smallest one, as it is aligned.
  std::uint64_t piece_bytes() const noexcept;
};

std::string_view to_string(Grow grow) noexcept;  // "anyone", "creator", "nobody"

// A shared handle, like Stream: copies refer to the same mapping, which lives until the last copy, and the last PoolUser
// made from it, is gone; so do spans of view(). Thread-safe. One that was moved from throws Errc::invalid_argument.
class Pool {
 public:
  // As Stream::create(), open(), open_or_create() and remove().
  static Pool create(const Segment& segment, std::string_view name, const PoolOptions& options = {});
  static Pool open(const Segment& segment, std::string_view name);
  static Pool open_or_create(const Segment& segment, std::string_view name, const PoolOptions& options = {});
  static bool remove(const Segment& segment, std::string_view name);

  const Segment& segment() const noexcept { return segment_; }
  const std::string& name() const;
  bool created() const;  // true if the call that gave this handle made the pool
  PoolOptions options() const;
  // What is otherwise than `asked`, in words: "count 64, not 8".
  std::vector<std::string> differences(const PoolOptions& asked) const;
  // False once the pool was removed, or its segment.
  bool is_current() const;
  std::uint64_t count() const;  // buffers that there are now
  // Lets it grow until there are so many, whatever `grow` says: ahead of need, or by a process that is to be charged for
  // it. In steps of 4 MiB at the most, beside users; takes a participant's place meanwhile. Throws Errc::invalid_argument
  // for more than max_count, Errc::no_space, Errc::busy if somebody who is stopped keeps the directory's lock,
  // Errc::resource_exhausted, and as the constructor of PoolUser.
  void grow_to(std::uint64_t count) const;
  // Gives the memory of buffers that nobody uses back to the system, 64 buffers at a time; returns how many bytes that were.
  // They are allocated anew before anybody gets them, with zeros in them. It also takes back what users have at hand, and
  // what nobody holds any more. Nothing if the memory was supplied, or has fewer than 4096 bytes for 64 buffers. Throws as the constructor of PoolUser.
  std::uint64_t trim() const;
  // The buffer that the reference names, where it is, read-only: for those who only look, and are no users of the pool. Empty
  // if it was freed, is not shared, or is of another pool. This keeps nothing: it is what it was for as long as somebody else
  // keeps it, as a message does that it is attached to, and that a reader has pinned. Throws Errc::forked,
  // Errc::resource_exhausted.
  std::span<const std::byte> view(const BufferReference& reference) const;
  std::size_t bytes() const;  // of its region, now

  // For the library's own parts.
  const std::shared_ptr<detail::PoolCore>& core() const;
  Pool(Segment segment, std::shared_ptr<detail::PoolCore> core, bool created) noexcept;

 private:
  Segment segment_;
  std::shared_ptr<detail::PoolCore> core_;
  bool created_ = false;
};

// A buffer that its PoolUser has, or the reason why there is none. Move-only; its destructor lets go of it. All calls but
// release() belong to its PoolUser's thread. One that outlives its PoolUser keeps what it has.
class [[nodiscard]] Buffer {
 public:
  Buffer() noexcept = default;
  Buffer(Buffer&& other) noexcept
      : user_(std::exchange(other.user_, nullptr)),
        bytes_(std::exchange(other.bytes_, {})),
        index_(other.index_),
        root_(other.root_),
        status_(std::exchange(other.status_, Status::closed)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      release();
      user_ = std::exchange(other.user_, nullptr);
      bytes_ = std::exchange(other.bytes_, {});
      index_ = other.index_;
      root_ = other.root_;
      status_ = std::exchange(other.status_, Status::closed);
    }
    return *this;
  }
  [[gnu::always_inline]] ~Buffer() { let_go(); }

  explicit operator bool() const noexcept { return status_ == Status::ok; }
  Status status() const noexcept { return status_; }  // Status::closed once it was released or moved from

  // All of it, aligned as the pool says; what stands in it when it was acquired is what others left. Those who share it
  // must agree on who writes. With size classes: as many bytes as its class has.
  std::span<std::byte> bytes() const noexcept { return bytes_; }

  // Makes it one that others may adopt, and names it; the same name at each call. From then on it is free when nobody
  // holds it and somebody needs it, not when the last one lets go. An empty reference if there is no buffer here, or
  // this user holds 248 shared ones already.
  BufferReference share() noexcept;
  // Lets go of it now. On any thread; one that is not its PoolUser's gives it straight back to the pool.
  [[gnu::always_inline]] void release() noexcept {
    let_go();
    user_ = nullptr;
    bytes_ = {};
    status_ = Status::closed;
  }

 private:
  friend class PoolUser;
  friend struct detail::PoolUserState;

  Buffer(detail::PoolUserHot& user, std::uint32_t index, std::uint32_t root = detail::kNoRoot) noexcept
      : Buffer(user, index, root, user.buffer_bytes) {}
  Buffer(detail::PoolUserHot& user, std::uint32_t index, std::uint32_t root, std::uint64_t bytes) noexcept
      : user_(&user),
        bytes_(user.buffers + index * user.stride_bytes, bytes),
        index_(index),
        root_(root),
        status_(Status::ok) {}
  explicit Buffer(Status why_not) noexcept : status_(why_not) {}

  [[gnu::always_inline]] void let_go() noexcept {
    if (user_ == nullptr) return;
    detail::PoolUserHot& user = *user_;
    layout::PoolSlot& slot = *user.slot;
    if (root_ == detail::kNoRoot && user.thread.load(std::memory_order_relaxed) == detail::this_thread_mark())
        [[likely]] {
      const std::uint64_t acknowledged = user.acknowledged;
      const layout::MagazineState state{slot.state.load(std::memory_order_relaxed)};
      if (slot.attention.load(std::memory_order_relaxed) == acknowledged && state.depth() < user.capacity) [[likely]] {
        // pool-free: release, so that who takes it from the magazine has the last use of it behind him; also one who has
        // an older depth.
        slot.magazine[state.depth()].store(index_, std::memory_order_release);
        slot.state.store(state.after_releasing().word, std::memory_order_release);
        SAPBUF_KILL_POINT(pool_put_back);
        // magazine (SB): the light fence keeps the look behind the store; who takes from magazines makes the heavy one.
        std::atomic_signal_fence(std::memory_order_seq_cst);
        if (slot.attention.load(std::memory_order_relaxed) != acknowledged) [[unlikely]] {
          detail::look_up(user);
        }
        return;
      }
    }
    detail::release_slow(user, index_, root_);
  }

  detail::PoolUserHot* user_ = nullptr;
  std::span<std::byte> bytes_;
  std::uint32_t index_ = 0;
  std::uint32_t root_ = detail::kNoRoot;  // its place among the user's roots, once it is shared
  Status status_ = Status::closed;
};

// The buffers of a Run, in the order of their addresses: a std::span<std::byte> of the pool's buffer_bytes for each.
class RunParts {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = std::span<std::byte>;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = value_type;

    Iterator(const RunParts& parts, std::size_t at) noexcept : parts_(&parts), at_(at) {}
    value_type operator*() const noexcept { return (*parts_)[at_]; }
    Iterator& operator++() noexcept {
      ++at_;
      return *this;
    }
    Iterator operator++(int) noexcept { return {*parts_, at_++}; }
    bool operator==(const Iterator& other) const noexcept { return at_ == other.at_; }

   private:
    const RunParts* parts_;
    std::size_t at_;
  };

  RunParts() noexcept = default;
  RunParts(std::byte* begin, std::size_t stride_bytes, std::size_t bytes, std::size_t count) noexcept
      : begin_(begin), stride_bytes_(stride_bytes), bytes_(bytes), count_(count) {}

  std::size_t size() const noexcept { return count_; }
  std::span<std::byte> operator[](std::size_t at) const noexcept { return {begin_ + at * stride_bytes_, bytes_}; }
  Iterator begin() const noexcept { return {*this, 0}; }
  Iterator end() const noexcept { return {*this, count_}; }

 private:
  std::byte* begin_ = nullptr;
  std::size_t stride_bytes_ = 0;
  std::size_t bytes_ = 0;
  std::size_t count_ = 0;
};

// Adjacent buffers that a PoolUser has as one allocation, or the reason why there are none. Move-only; its destructor lets
// go of them. It is its PoolUser's thread's, but may be released on any thread, and may outlive the PoolUser. It is not to
// be shared.
class [[nodiscard]] Run {
 public:
  Run() noexcept = default;
  Run(Run&& other) noexcept
      : user_(std::exchange(other.user_, nullptr)),
        begin_(other.begin_),
        first_(other.first_),
        count_(std::exchange(other.count_, 0)),
        status_(std::exchange(other.status_, Status::closed)),
        iovecs_(std::move(other.iovecs_)) {}
  Run& operator=(Run&& other) noexcept {
    if (this != &other) {
      release();
      user_ = std::exchange(other.user_, nullptr);
      begin_ = other.begin_;
      first_ = other.first_;
      count_ = std::exchange(other.count_, 0);
      status_ = std::exchange(other.status_, Status::closed);
      iovecs_ = std::move(other.iovecs_);
    }
    return *this;
  }
  ~Run() { release(); }

  explicit operator bool() const noexcept { return status_ == Status::ok; }
  Status status() const noexcept { return status_; }  // Status::closed once it was released or moved from

  std::size_t size() const noexcept { return count_; }  // buffers
  // Valid until this is released.
  RunParts parts() const noexcept {
    return user_ == nullptr ? RunParts{} : RunParts{begin_, user_->stride_bytes, user_->buffer_bytes, count_};
  }
  // The same for readv(2) and writev(2), with as few pieces as it takes: one where the buffers touch each other, that is,
  // where their size is a multiple of their alignment. The system takes 1,024 at once (IOV_MAX). Valid until this is released.
  std::span<const iovec> iovecs();

  // Lets go of them now.
  void release() noexcept {
    if (detail::PoolUserHot* const user = std::exchange(user_, nullptr)) detail::release_run(*user, first_, count_);
    count_ = 0;
    iovecs_.clear();
    status_ = Status::closed;
  }

 private:
  friend class PoolUser;
  friend struct detail::PoolUserState;

  Run(detail::PoolUserHot& user, std::uint32_t first, std::uint32_t count) noexcept
      : user_(&user),
        begin_(user.buffers + first * user.stride_bytes),
        first_(first),
        count_(count),
        status_(Status::ok) {}
  explicit Run(Status why_not) noexcept : status_(why_not) {}

  detail::PoolUserHot* user_ = nullptr;
  std::byte* begin_ = nullptr;
  std::uint32_t first_ = 0;
  std::uint32_t count_ = 0;
  Status status_ = Status::closed;
  std::vector<iovec> iovecs_;  // once they were asked for
};

struct PoolUserOptions {
  std::string name{};  // for people; 63 bytes are kept. Empty: the program's name and pid
  // Buffers that it can hold at once, adopted ones included; 0: as many as there are.
  std::uint64_t budget = 0;
  // A wait for a buffer ends within milliseconds once this becomes true, with Status::stopped. Must outlive the user;
  // null: nothing stops a wait.
  const std::atomic<bool>* stop = nullptr;
};

// A participant of a pool. One thread at a time may use it; buffers may be released on any thread meanwhile, except while
// the user changes from one thread to another. Move-only.
//
// It keeps up to 64 free buffers at hand, fewer in a small pool, and works with these alone as long as it can. They are
// there for all others, also while it does nothing or is stopped: whoever finds no free buffer takes them.
class PoolUser {
 public:
  // Throws Errc::registry_full, Errc::busy, Errc::forked, Errc::not_found if there is no such pool (any more),
  // Errc::resource_exhausted, Errc::unsupported where membarrier(2) is not to be had and the segment has no full fences.
  explicit PoolUser(const Pool& pool, const PoolUserOptions& options = {});
  PoolUser(PoolUser&& other) noexcept : user_(std::exchange(other.user_, nullptr)) {}
  PoolUser& operator=(PoolUser&& other) noexcept {
    if (this != &other) {
      close();
      user_ = std::exchange(other.user_, nullptr);
    }
    return *this;
  }
  ~PoolUser() { close(); }

  // A buffer of so many bytes, or somewhat more: as acquire(), and too_large if the pool has none as large. For a pool with size
  // classes; of those that one size serves, it is that size.
  Buffer acquire(std::uint64_t bytes) noexcept {
    if (user_ == nullptr) [[unlikely]]
      return Buffer{};
    if (user_->has_classes) return accept(*user_, detail::acquire_of(*user_, bytes));
    return bytes <= user_->buffer_bytes ? acquire() : Buffer{Status::too_large};
  }
  // A buffer that nobody else has; without one: exhausted, over_budget, closed, forked, declared_dead, corrupt. First from
  // what this user has at hand, then whatever is free, then what others have at hand, then what a scan finds that nobody
  // holds, or the dead held, then what streams keep for want of need only, then what the pool may grow by. Whoever waits
  // already comes first.
  [[gnu::always_inline]] Buffer acquire() noexcept {
    if (user_ == nullptr) [[unlikely]]
      return Buffer{};
    // In registers: what stands in memory is read anew behind each store.
    detail::PoolUserHot& user = *user_;
    layout::PoolSlot& slot = *user.slot;
    const std::uint64_t acknowledged = user.acknowledged;
    if (user.thread.load(std::memory_order_relaxed) == detail::this_thread_mark() &&
        slot.attention.load(std::memory_order_relaxed) == acknowledged) [[likely]] {
      const layout::MagazineState state{slot.state.load(std::memory_order_relaxed)};
      const std::uint32_t depth = state.depth();
      if (depth > user.least_depth && depth <= layout::kMagazine) [[likely]] {
        const std::uint32_t index = slot.magazine[depth - 1].load(std::memory_order_relaxed);
        slot.state.store(state.after_acquiring().word, std::memory_order_relaxed);
        SAPBUF_KILL_POINT(pool_taken);
        // magazine (SB): as in Buffer::let_go().
        std::atomic_signal_fence(std::memory_order_seq_cst);
        if (slot.attention.load(std::memory_order_relaxed) == acknowledged && index < user.count) [[likely]] {
          return Buffer{user, index};
        }
        slot.state.store(state.word, std::memory_order_release);  // it is still in the magazine
      }
    }
    return accept(user, detail::acquire_slow(user));
  }
  // Waits for one: also timeout, stopped. Those who wait are served in the order in which they came; with size classes, the
  // oldest one that is not stopped goes first, and each before those who want its class later. A wait runs recovery by itself.
  Buffer acquire_for(std::chrono::nanoseconds timeout) noexcept {
    return user_ == nullptr ? Buffer{} : detail::acquire_for(*user_, timeout);
  }
  template <typename Rep, typename Period>
  Buffer acquire_for(std::chrono::duration<Rep, Period> timeout) noexcept {
    return acquire_for(detail::saturated<std::chrono::nanoseconds>(timeout));
  }
  Buffer acquire_for(std::uint64_t bytes, std::chrono::nanoseconds timeout) noexcept {
    return user_ == nullptr ? Buffer{} : detail::acquire_of_for(*user_, bytes, timeout);
  }
  template <typename Rep, typename Period>
  Buffer acquire_for(std::uint64_t bytes, std::chrono::duration<Rep, Period> timeout) noexcept {
    return acquire_for(bytes, detail::saturated<std::chrono::nanoseconds>(timeout));
  }
  // `buffers` adjacent ones, at once or not at all: as acquire(), and too_large for 0 or more than the pool's max_count; exhausted
  // also where there would be enough of them, but not side by side. From 64 on it takes 64 at a time. With size classes: of the
  // smallest one.
  Run acquire_run(std::uint32_t buffers) noexcept {
    return user_ == nullptr ? Run{} : detail::acquire_run(*user_, buffers);
  }
  // The buffer that the reference names, if it was not freed yet: stale otherwise, and for those of other pools;
  // over_budget if this user holds as many buffers as it may (PoolUserOptions::budget), or 248 shared ones; exhausted if
  // this process has no addresses for it, or for a part of it. Sure to be there while whoever gave the reference holds it.
  Buffer adopt(const BufferReference& reference) noexcept {
    return user_ == nullptr ? Buffer{} : detail::adopt(*user_, reference);
  }

  // A descriptor to wait on, as Reader::event_fd(): readable when there may be a buffer, until an acquire() finds the pool
  // exhausted; also every 100 ms, or second, for what nobody tells of. From then on this user is one of those who wait, and what it is given is kept for its next acquire(); with size
  // classes it is told of what others let go of, whatever its size, and has no turn before those who wait. Throws Errc::forked,
  // Errc::resource_exhausted, Errc::invalid_argument once closed.
  int event_fd() const { return detail::event_fd_of(user_); }

  std::uint32_t slot() const noexcept {  // index in the registry
    return user_ == nullptr ? ~std::uint32_t{0} : detail::slot_of(*user_);
  }
  // Using the user afterwards gives Status::closed. It detaches now, or when the last of its buffers goes.
  void close() noexcept {
    if (detail::PoolUserHot* const user = std::exchange(user_, nullptr)) detail::close_user(*user);
  }

 private:
  friend struct detail::PoolUserState;
  friend struct detail::ProducerState;

  [[gnu::always_inline]] static Buffer accept(detail::PoolUserHot& user, detail::Acquired taken) noexcept {
    if (taken.status != Status::ok) return Buffer{taken.status};
    return Buffer{user, taken.index, detail::kNoRoot, taken.bytes};
  }

  detail::PoolUserHot* user_;
};

inline BufferReference Buffer::share() noexcept {
  if (user_ == nullptr) return {};
  const auto [reference, root] = detail::share(*user_, index_, root_);
  root_ = root;
  return reference;
}

SAPBUF_END
