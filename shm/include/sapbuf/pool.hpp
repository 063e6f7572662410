// A pool: buffers of one size, acquired in one process and freed in another.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sapbuf/buffer_reference.hpp>
#include <sapbuf/duration.hpp>
#include <sapbuf/segment.hpp>
#include <sapbuf/status.hpp>

namespace sapbuf {

namespace detail {
class PoolCore;
struct PoolUserState;
}  // namespace detail

struct PoolOptions {
  std::uint64_t buffer_bytes = 4096;  // 1 byte to 1 GiB
  std::uint64_t count = 64;           // buffers at first
  // That the pool may grow to, when somebody needs one and none is free; 0: `count`. The pool's table has 8 bytes for each
  // of them, and is allocated at once.
  std::uint64_t max_count = 0;
  std::uint64_t alignment = 64;  // of each buffer: a power of two from 8 to 4096
};

// A shared handle, like Stream: copies refer to the same mapping, which lives until the last copy, and the last PoolUser
// made from it, is gone. Thread-safe. One that was moved from throws Errc::invalid_argument.
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
  std::size_t bytes() const;    // of its region, now

  // For the library's own parts.
  const std::shared_ptr<detail::PoolCore>& core() const;
  Pool(Segment segment, std::shared_ptr<detail::PoolCore> core, bool created) noexcept;

 private:
  Segment segment_;
  std::shared_ptr<detail::PoolCore> core_;
  bool created_ = false;
};

// A buffer that its PoolUser has, or the reason why there is none. Move-only; its destructor lets go of it. Belongs to
// its PoolUser's thread. One that outlives its PoolUser keeps what it has.
class [[nodiscard]] Buffer {
 public:
  Buffer() noexcept = default;
  Buffer(Buffer&& other) noexcept
      : user_(std::exchange(other.user_, nullptr)),
        bytes_(std::exchange(other.bytes_, {})),
        index_(other.index_),
        incarnation_(other.incarnation_),
        root_(other.root_),
        status_(std::exchange(other.status_, Status::closed)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      release();
      user_ = std::exchange(other.user_, nullptr);
      bytes_ = std::exchange(other.bytes_, {});
      index_ = other.index_;
      incarnation_ = other.incarnation_;
      root_ = other.root_;
      status_ = std::exchange(other.status_, Status::closed);
    }
    return *this;
  }
  ~Buffer() { release(); }

  explicit operator bool() const noexcept { return status_ == Status::ok; }
  Status status() const noexcept { return status_; }  // Status::closed once it was released or moved from

  // All of it, aligned as the pool says; what stands in it when it was acquired is what others left. Those who share it
  // must agree on who writes.
  std::span<std::byte> bytes() const noexcept { return bytes_; }

  // Makes it one that others may adopt, and names it; the same name at each call. From then on it is free when nobody
  // holds it and somebody needs it, not when the last one lets go. An empty reference if there is no buffer here, or
  // this user holds 248 shared ones already.
  BufferReference share() noexcept;
  // Lets go of it now.
  void release() noexcept;

 private:
  friend struct detail::PoolUserState;

  detail::PoolUserState* user_ = nullptr;
  std::span<std::byte> bytes_;
  std::uint32_t index_ = 0;
  std::uint32_t incarnation_ = 0;
  std::uint32_t root_ = ~std::uint32_t{0};  // its place among the user's roots, once it is shared
  Status status_ = Status::closed;
};

struct PoolUserOptions {
  std::string name{};  // for people; 63 bytes are kept. Empty: the program's name and pid
  // A wait for a buffer ends within milliseconds once this becomes true, with Status::stopped. Must outlive the user;
  // null: nothing stops a wait.
  const std::atomic<bool>* stop = nullptr;
};

// A participant of a pool. One thread at a time may use it, and the buffers that it has. Move-only.
class PoolUser {
 public:
  // Throws Errc::registry_full, Errc::busy, Errc::forked, Errc::not_found if there is no such pool (any more),
  // Errc::resource_exhausted, Errc::unsupported where membarrier(2) is not to be had and the segment has no full fences.
  explicit PoolUser(const Pool& pool, const PoolUserOptions& options = {});
  PoolUser(PoolUser&& other) noexcept;
  PoolUser& operator=(PoolUser&& other) noexcept;
  ~PoolUser();

  // A buffer that nobody else has; without one: exhausted, closed, forked, declared_dead, corrupt. First what was freed
  // here, then whatever is free, then what a scan finds that nobody holds, or the dead held, then what streams keep for want
  // of need only, then what the pool may grow by.
  Buffer acquire() noexcept;
  // Waits for one: also timeout, stopped. A wait runs recovery by itself. Waiters are not served in order.
  Buffer acquire_for(std::chrono::nanoseconds timeout) noexcept;
  template <typename Rep, typename Period>
  Buffer acquire_for(std::chrono::duration<Rep, Period> timeout) noexcept {
    return acquire_for(detail::saturated<std::chrono::nanoseconds>(timeout));
  }
  // The buffer that the reference names, if it was not freed yet: stale otherwise, and for those of other pools;
  // over_budget if this user holds 248 shared buffers already. Sure to be there while whoever gave the reference holds
  // it.
  Buffer adopt(const BufferReference& reference) noexcept;

  std::uint32_t slot() const noexcept;  // index in the registry
  // Using the user afterwards gives Status::closed. It detaches now, or when the last of its buffers goes.
  void close() noexcept;

 private:
  detail::PoolUserState* state_;
};

}  // namespace sapbuf
