#include "stream/own_ranges.hpp"

#include "platform/fork_guard.hpp"
#include "stream/slabs.hpp"

namespace sapbuf::detail {
namespace {

RangeOwner* first_owner = nullptr;

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

bool is_kept_by_own_range(SegmentCore& core) noexcept {
  const auto oldest = find_oldest(core, 1);
  if (!oldest) return false;
  const platform::NoFork section;
  for (const RangeOwner* owner = first_owner; owner != nullptr; owner = owner->next_) {
    // Others' readers may be half made, or half gone: nothing but their word is looked at.
    if (owner->is_own_range() && owner->keeps_by_range(core, oldest->generation)) return true;
  }
  return false;
}

}  // namespace sapbuf::detail
