// The buffers of versions that this writer replaced. It took the root of each away, so it looks whether a reader keeps
// them without a scan of the whole pool, and has them at hand again. What it does not remember, a scan finds.
//
//   1. no buffer is free, and enough are remembered for a heavy fence to be worth it; or as many as can be
//   2. each word: shared -> dying, in its name; heavy fence; who keeps one?      (pool/scan.hpp)
//      killed here: the next scan decides
//   3. when it needs some: dying -> local, into the magazine     (PoolUserState::refill_with)
//      killed here: recovery frees what is local
//
// Until then whoever needs a buffer may have these by a scan.
#include "map/map_writer.hpp"
#include "platform/cancellation.hpp"
#include "pool/pool_user.hpp"
#include "pool/scan.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr std::size_t kEnough = 256;

}  // namespace

bool MapWriterState::is_worth_a_look() const noexcept {
  if (replaced_.size() == replaced_.capacity()) return true;
  const std::uint32_t there = pool_->count();
  const auto out = static_cast<std::int64_t>(pool_->control().out.load(std::memory_order_relaxed));
  return out >= static_cast<std::int64_t>(there) && replaced_.size() >= std::min<std::size_t>(there / 8, kEnough);
}

void MapWriterState::reuse_replaced() noexcept {
  PoolUserState& user = PoolUserState::of(user_);
  if (user.has_at_hand() || forked_) return;
  if (unkept_.empty()) {
    if (!is_worth_a_look()) return;
    const platform::Uncancellable to_its_end;
    if (why_not() != Status::ok) return;
    unkept_.swap(replaced_);
    try {
      keep_unkept(*pool_, user.index(), unkept_,
                  [this](std::vector<std::uint64_t>& roots) { core_->collect_roots_of_slots(roots); });
    } catch (const std::exception&) {
      unkept_.clear();
    }
  }
  user.refill_with(unkept_);
}

}  // namespace SAPBUF_DETAIL
