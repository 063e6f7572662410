#include "stream/own_ranges.hpp"

#include <algorithm>

#include "platform/fork_guard.hpp"
#include "stream/slabs.hpp"

namespace SAPBUF_DETAIL {
namespace {

RangeOwner* first_owner = nullptr;

// The slabs are not looked at all at one moment. But generations only grow: if each slab can be read, and belongs to
// this generation or a later one, none comes free without that. 0: one is on its way to be free.
std::uint64_t oldest_of_full(StreamCore& core) noexcept {
  std::uint64_t oldest = ~std::uint64_t{0};
  for_each_slab(core, [&oldest](std::uint32_t, layout::SlabLife life) {
    oldest = life.readable() ? std::min(oldest, life.generation()) : 0;
  });
  return oldest;
}

}  // namespace

std::uint64_t this_thread_number() noexcept {
  static std::atomic<std::uint64_t> last{0};
  static thread_local std::uint64_t number = 0;
  if (number == 0) number = last.fetch_add(1, std::memory_order_relaxed) + 1;
  return number;
}

RangeOwner::RangeOwner() noexcept {
  const platform::NoFork section;
  next_ = first_owner;
  if (next_ != nullptr) next_->previous_ = this;
  first_owner = this;
}

RangeOwner::~RangeOwner() {
  const platform::NoFork section;
  (previous_ == nullptr ? first_owner : previous_->next_) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
}

bool is_kept_by_own_range(StreamCore& core) noexcept {
  const std::uint64_t oldest = oldest_of_full(core);
  if (oldest == 0) return false;
  const platform::NoFork section;
  for (const RangeOwner* owner = first_owner; owner != nullptr; owner = owner->next_) {
    // Others' readers may be half made, or half gone: nothing but their word is looked at.
    if (owner->is_own_range() && owner->keeps_by_range(core, oldest)) return true;
  }
  return false;
}

}  // namespace SAPBUF_DETAIL
