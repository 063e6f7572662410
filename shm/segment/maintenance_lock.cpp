#include "segment/maintenance_lock.hpp"

#include <algorithm>
#include <ctime>

#include <sapbuf/segment.hpp>

#include "platform/cancellation.hpp"
#include "platform/clock.hpp"
#include "platform/lock_holders.hpp"

namespace sapbuf {
inline namespace SAPBUF_ABI {

namespace {
constexpr std::chrono::hours kLongestPatience{1};

std::uint64_t nanoseconds_of(Milliseconds patience) noexcept {
  const std::chrono::nanoseconds limited = std::clamp<std::chrono::milliseconds>(patience, {}, kLongestPatience);
  return static_cast<std::uint64_t>(limited.count());
}

}  // namespace

std::optional<std::vector<LockHolder>> find_lock_holders(const Segment& segment, Milliseconds patience) {
  const platform::Uncancellable to_its_end;
  detail::SegmentCore& core = *segment.core();
  return core.unless_truncated([&]() -> std::optional<std::vector<LockHolder>> {
    core.check_not_forked();
    const std::uint64_t deadline = platform::monotonic_ns() + nanoseconds_of(patience);
    std::optional<std::vector<LockHolder>> found;
    for (const detail::DirectoryRecord& record : detail::directory::list(core)) {
      const std::uint64_t offset = layout::kMaintenanceLocks + record.id.index();
      const std::uint64_t now = platform::monotonic_ns();
      const std::chrono::nanoseconds left{deadline > now ? deadline - now : 0};
      if (const detail::SegmentLock lock{core, offset, std::chrono::ceil<std::chrono::milliseconds>(left)}; lock)
        continue;
      if (!found) found.emplace();
      for (LockHolder& holder : platform::holders_of(core.locks().file(), offset)) {
        holder.facility = record.name;
        found->push_back(std::move(holder));
      }
    }
    return found;
  });
}

namespace detail {

bool SegmentLock::try_lock() noexcept {
  refusal_ = nullptr;
  try {
    return core_.locks().try_lock(offset_);
  } catch (const std::exception&) {
    refusal_ = std::current_exception();
    return false;  // the system has no lock to give, or the file is out of reach: as if somebody else had it
  }
}

SegmentLock::SegmentLock(SegmentCore& core, std::uint64_t offset) noexcept
    : core_(core), offset_(offset), held_(try_lock()) {}

SegmentLock::SegmentLock(SegmentCore& core, std::uint64_t offset, std::chrono::milliseconds patience) noexcept
    : core_(core), offset_(offset), held_(try_lock()) {
  const std::uint64_t deadline = platform::monotonic_ns() + static_cast<std::uint64_t>(patience.count()) * 1'000'000u;
  while (!held_ && platform::monotonic_ns() < deadline) {
    // OFD locks can be waited for without a limit only; a short nap is as good for a lock that is held for
    // microseconds.
    const timespec nap{0, 50'000};
    ::nanosleep(&nap, nullptr);
    held_ = try_lock();
  }
}

SegmentLock::~SegmentLock() { unlock(); }

void SegmentLock::unlock() noexcept {
  if (std::exchange(held_, false)) core_.locks().unlock(offset_);
}

void SegmentLock::throw_not_held(const std::string& title, const char* what) const {
  if (refusal_) std::rethrow_exception(refusal_);
  const std::string who = platform::named_holders_of(core_.locks().file(), offset_);
  throw Error(Errc::busy, title + ": a live process holds " + what + who + "; is it stopped?");
}

void MaintenanceLock::look_if_removed() noexcept {
  if (!*this || facility_.has_its_place()) return;
  is_removed_ = true;
  unlock();
}

void MaintenanceLock::throw_not_held() const {
  if (is_removed_) facility_.throw_removed();
  SegmentLock::throw_not_held(facility_.title(), "the maintenance lock");
}

}  // namespace detail
}  // namespace SAPBUF_ABI
}  // namespace sapbuf
