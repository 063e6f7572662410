// Claiming an entry. Whoever has it claimed is the only one who flips it, erases its key, or gives it another one.
//
//   1. claiming = the entry          killed here: recovery finds nothing to do
//   2. claim: nobody -> me           killed here: recovery settles the entry, and releases the claim (map/holdings.cpp)
//   3. is it still the key's?        (the change)
//   4. claim: me -> nobody
//   5. claiming = none               killed here: the claim is not the dead one's any more
//
// Who finds it taken waits for the entry's event, and runs recovery meanwhile.
#include <sapbuf/detail/kill_point.hpp>

#include "map/map_writer.hpp"
#include "platform/cancellation.hpp"
#include "platform/spin.hpp"
#include "pool/figures.hpp"
#include "segment/event.hpp"
#include "segment/recovery.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::AboutValue;
using layout::KeyLife;
using layout::Root;
using layout::ValueWhere;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr int kSpins = 100;                  // a claim is had for less than a microsecond, mostly
constexpr std::uint64_t kNapNs = 2'000'000;  // of one that may be waiting for the dead, or for a flag
constexpr int kTries = 1000;                 // to claim a key, each of which fails because it was erased meanwhile

}  // namespace

bool MapWriterState::try_claim(std::uint32_t number, std::uint32_t place) noexcept {
  layout::Word& claim = core_->entry(number).claim;
  if (claim.load(relaxed) != 0) return false;
  // claim: release, before the claim.
  slot_->claiming[place].store(number + 1, std::memory_order_release);
  SAPBUF_KILL_POINT(map_announced);
  std::uint64_t nobody = 0;
  const bool claimed = claim.compare_exchange_strong(nobody, own_claim_.word, std::memory_order_acq_rel, relaxed);
  if (!claimed) slot_->claiming[place].store(0, std::memory_order_release);
  SAPBUF_KILL_POINT(map_claimed);
  return claimed;
}

Status MapWriterState::claim(const Wanted& wanted, std::uint64_t deadline_ns, std::uint32_t place) noexcept {
  const std::uint32_t number = wanted.entry;
  if (slot_->claiming[place].load(relaxed) != 0) return Status::already_reserved;
  for (int spins = 0; spins < kSpins; ++spins) {
    if (try_claim(number, place)) return Status::ok;
    platform::spin_pause();
  }
  const platform::Uncancellable to_its_end;
  count_figure(slot_->waits);
  for (;;) {
    const SleepTicket ticket{core_->event_of(wanted.hash), true, full_fences_};
    if (try_claim(number, place)) return Status::ok;
    // key: acquire, before the index is asked anew.
    if (core_->entry(number).life.load(std::memory_order_acquire) != wanted.life.word) return Status::version_changed;
    if (const Status status = why_stop_waiting(deadline_ns); status != Status::ok) return status;
    SAPBUF_KILL_POINT(map_waiting);
    registry::beat(core_->segment().participant(index()));
    ticket.sleep_until(std::min(deadline_ns, platform::monotonic_ns() + kNapNs));
    recover_while_waiting(core_->segment(), recovery_tried_ns_, Sweepers::one);
  }
}

Status MapWriterState::why_no_value(std::uint64_t at, std::uint64_t length) const noexcept {
  const std::uint64_t stride_bytes = pool_->geometry().stride_bytes;
  if (layout::has_room(places_, at, length, pool_->count() * stride_bytes)) return Status::ok;
  return layout::has_room(places_, at, length, pool_->there() * stride_bytes) ? Status::exhausted : Status::corrupt;
}

Status MapWriterState::read_claimed(std::uint32_t number, KeyLife life, std::uint64_t hash,
                                    std::optional<Claimed>& claimed) noexcept {
  const layout::MapEntry& entry = core_->entry(number);
  // claim: behind the compare-exchange, so that this is what the one before left.
  const Root root{entry.value.load(relaxed)};
  if (entry.life.load(relaxed) != life.word || root.is_none()) return Status::version_changed;
  const std::uint64_t at = root.index() * pool_->geometry().stride_bytes;
  if (const Status status = why_no_value(at, 0); status != Status::ok) return status;
  const auto& about = *reinterpret_cast<const AboutValue*>(values_ + at + places_.about_at);
  const std::uint32_t length = ValueWhere{about.where.load(relaxed)}.length();
  const Status whole = why_no_value(at, length);
  claimed = Claimed{.entry = number,
                    .life = life,
                    .version = about.version.load(relaxed),
                    .value = {values_ + at + places_.value_at, whole == Status::ok ? length : 0},
                    .root = root,
                    .whole = whole,
                    .hash = hash};
  return Status::ok;
}

Status MapWriterState::claim_key(const PackedKey& key, std::uint64_t deadline_ns) {
  for (int tried = 0; tried < kTries; ++tried) {
    const std::optional<FoundKey> found = find_key(*core_, key);
    if (!found) return Status::not_found;
    const Status claimed = claim({found->entry, found->life, key.hash}, deadline_ns);
    if (claimed == Status::version_changed) continue;
    if (claimed != Status::ok) return claimed;
    const Status read = read_claimed(found->entry, found->life, key.hash, claimed_);
    if (read == Status::ok) return Status::ok;
    release_claim({.entry = found->entry, .life = found->life, .version = 0, .value = {}, .hash = key.hash}, 0);
    if (const Status status = why_not(); status != Status::ok) return status;
    if (read != Status::version_changed) return read;
  }
  return Status::corrupt;
}

void MapWriterState::unclaim() noexcept {
  if (!claimed_) return;
  const Claimed had = *claimed_;
  claimed_.reset();
  release_claim(had, 0);
}

// Whoever took this writer for dead has released the claim: it may be another one's, and so may the slot.
void MapWriterState::release_claim(const Claimed& had, std::uint32_t place) noexcept {
  if (forked_) return;
  std::uint64_t own = own_claim_.word;
  SAPBUF_KILL_POINT(map_unclaimed);
  // claim: release, behind all that was done.
  core_->entry(had.entry).claim.compare_exchange_strong(own, 0, std::memory_order_release, relaxed);
  SAPBUF_KILL_POINT(map_released);
  if (attachment_.is_current()) slot_->claiming[place].store(0, std::memory_order_release);
  wake(had.hash);
}

void MapWriterState::wake(std::uint64_t hash) noexcept {
  light_fence();  // sleep (SB): behind the change; who sleeps makes the heavy one
  for (layout::Event* const event : {&core_->event_of(hash), &core_->control().changed}) {
    if (event->is_awaited()) wake_sleepers(*event);
  }
}

}  // namespace SAPBUF_DETAIL
