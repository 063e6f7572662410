// A user of a pool, inside the library.
#pragma once

#include <algorithm>
#include <array>

#include <sapbuf/pool.hpp>

#include "pool/pool_core.hpp"
#include "segment/registry.hpp"

namespace sapbuf::detail {

inline constexpr std::uint32_t kNoRoot = ~std::uint32_t{0};  // of a local buffer

struct PoolUserState final : ForkHook {
  PoolUserState(std::shared_ptr<PoolCore> pool, const PoolUserOptions& options);
  ~PoolUserState();

  void after_fork_in_child() noexcept override;

  Buffer acquire() noexcept;
  Buffer acquire_for(std::chrono::nanoseconds timeout) noexcept;
  Buffer adopt(const BufferReference& reference) noexcept;
  BufferReference share(Buffer& buffer) noexcept;
  void release(Buffer& buffer) noexcept;
  // See pool/hand_over.hpp.
  static const PoolCore* home_of(const Buffer& buffer, Status& status) noexcept;
  static Status hand_over(Buffer& buffer, layout::Word& root) noexcept;
  // Its PoolUser is gone: detaches now, or with the last buffer.
  void close() noexcept;

  std::uint32_t index() const noexcept { return index_; }

 private:
  // Buffers that this user freed lately, and tries first: they may be others' by now.
  struct Hints {
    static constexpr std::size_t kMost = 64;
    std::array<std::uint32_t, kMost> buffers;
    std::size_t top = 0;  // the newest
    std::size_t count = 0;

    void push(std::uint32_t buffer) noexcept {
      top = (top + 1) % kMost;
      buffers[top] = buffer;
      count = std::min(count + 1, kMost);
    }
    std::uint32_t pop() noexcept {
      const std::uint32_t buffer = buffers[top];
      top = (top + kMost - 1) % kMost;
      --count;
      return buffer;
    }
  };

  bool try_take(std::uint32_t buffer, Buffer& taken) noexcept;
  bool take_hinted(Buffer& taken) noexcept;
  bool take_free(Buffer& taken) noexcept;
  // Takes back what the dead had, frees what nobody holds any more, or is kept for want of need only, or else lets the
  // pool grow. Whether anything came of it.
  bool make_room() noexcept;
  Status why_revoked() noexcept;
  Buffer refusal(Status status) const noexcept;
  std::uint64_t where() const noexcept;
  void fill(Buffer& buffer, std::uint32_t index, std::uint32_t incarnation, std::uint32_t root) noexcept;
  void wake_waiters() noexcept;
  void light_fence() const noexcept;
  bool grow();  // throws Error

  const std::shared_ptr<PoolCore> core_;
  const std::atomic<bool>* const stop_;
  std::byte* const buffers_;
  const bool full_fences_;
  Attachment attachment_;
  std::uint32_t index_ = 0;  // of the slot
  layout::PoolSlot* slot_ = nullptr;
  std::uint32_t next_ = 0;  // where the next search begins
  Hints hints_;
  std::array<std::uint32_t, layout::kRoots> free_roots_;
  std::uint32_t free_root_count_ = 0;
  std::uint64_t held_ = 0;  // buffers
  std::uint64_t recovery_tried_ns_ = 0;
  bool closed_ = false;
  bool forked_ = false;
};

}  // namespace sapbuf::detail
