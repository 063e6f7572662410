// Keys that come and go: under the map's lock, with the entry claimed.
//
//   insert                                            erase
//   1. an entry that is free, and nobody's            1. version_floor: what the key had, or more; a key less
//   2. key; the value, as in flip.cpp                 2. no value           killed here: recovery goes on
//   3. the place in the index                         3. its place is gone
//   4. life = used: it is there                       4. life = free
//      killed before: recovery takes it all back
//   5. a key more
//
// Keys are never counted to be more than there are with a value: a free entry is looked for where there may be one.
#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>

#include "map/map_writer.hpp"
#include "platform/cancellation.hpp"
#include "pool/figures.hpp"
#include "segment/recovery.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::IndexPlace;
using layout::KeyLife;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr std::uint64_t kMostGrowth = std::uint64_t{4} << 20;  // at once, in bytes: below a few milliseconds

}  // namespace

// First those that never had a key, then from where the last one became free. One that is claimed is passed over: by
// who erased its key and is not done yet, or by the dead.
std::optional<std::uint32_t> MapWriterState::claim_free_entry(std::uint32_t place) {
  layout::MapControl& control = core_->control();
  passed_over_.reset();
  looked_among_ = core_->entries();
  std::uint32_t used = core_->used_entries();
  while (used < looked_among_) {
    const std::uint32_t unused = used++;
    // Before the claim: nobody comes back to one that is left claimed.
    control.used.store(used, std::memory_order_release);
    if (try_claim(unused, place)) return unused;
    passed_over_ = unused;
  }
  const std::uint64_t first = control.free_entry.load(relaxed);
  const bool may_be_free = control.keys.load(relaxed) < used;
  for (std::uint32_t looked = 0; may_be_free && looked < used; ++looked) {
    const auto number = static_cast<std::uint32_t>((first + looked) % used);
    const layout::MapEntry& entry = core_->entry(number);
    if (KeyLife{entry.life.load(relaxed)}.is_used()) {
      // Half erased, by somebody dead: who lives has the lock for all of it.
      if (entry.value.load(relaxed) == 0 && entry.claim.load(relaxed) != 0) passed_over_ = number;
      continue;
    }
    if (try_claim(number, place)) {
      control.free_entry.store(number + 1, relaxed);
      return number;
    }
    passed_over_ = number;
  }
  return std::nullopt;
}

bool MapWriterState::others_claim() const noexcept {
  return any_participant(*core_, [this](std::uint32_t other, layout::SlotRegistration) {
    return other != index() && core_->is_claiming(other);
  });
}

// False: a live process has the directory's lock.
bool MapWriterState::extend(std::uint64_t bytes) {
  try {
    core_->grow(bytes, kPatience);
    return true;
  } catch (const Error& error) {
    if (error.errc() != Errc::busy) throw;
  }
  registry::beat(core_->segment().participant(index()));
  return false;
}

Status MapWriterState::grow(std::uint64_t deadline_ns) {
  const layout::MapGeometry& geometry = core_->geometry();
  layout::Word& there = core_->control().entries;
  std::uint64_t seen = there.load(std::memory_order_acquire);
  const std::uint64_t most_keys = core_->reach();  // what it made beyond that would be of no use to it
  // Others may have had what they made, and given it back: whether it is full by now only the next look can say.
  if (core_->entries() > looked_among_) return Status::ok;
  if (seen >= most_keys) return Status::full;
  if (geometry.entries_in(core_->bytes()) <= seen) {
    const std::uint64_t most = std::max<std::uint64_t>(kMostGrowth / geometry.entry_bytes, 1);
    const std::uint64_t more = std::clamp<std::uint64_t>(seen / 4, 1, most);
    if (!extend(geometry.bytes_with(std::min(seen + more, most_keys)))) return why_stop_waiting(deadline_ns);
  }
  SAPBUF_KILL_POINT(map_grown);
  const std::uint64_t grown = std::min(geometry.entries_in(core_->bytes()), most_keys);
  // growth: release, behind the region's own.
  while (seen < grown && !there.compare_exchange_weak(seen, grown, std::memory_order_acq_rel)) {
  }
  return core_->entries() > looked_among_ ? Status::ok : Status::full;
}

// Those that the dead had claimed are free, or lead to their keys, behind recovery. One that was passed over is waited for
// a while at a time: another one may become free before it.
Status MapWriterState::make_room(bool& recovered, std::uint64_t deadline_ns) {
  const platform::Uncancellable to_its_end;
  if (!std::exchange(recovered, true) && others_claim()) {
    recover_for(*core_);
    return Status::ok;
  }
  Status status = grow(deadline_ns);
  if (status == Status::full && passed_over_) {
    const layout::MapEntry& entry = core_->entry(*passed_over_);
    const KeyLife life{entry.life.load(relaxed)};
    const Claimed free{
        .entry = *passed_over_, .life = life, .version = 0, .value = {}, .hash = entry.hash.load(relaxed)};
    status = claim({free.entry, life, free.hash}, std::min(deadline_ns, platform::deadline_after(kPatience)));
    if (status == Status::ok) {
      release_claim(free, 0);
      status = Status::timeout;
    }
    if (status == Status::timeout) status = why_stop_waiting(deadline_ns);
    if (status == Status::version_changed) status = Status::ok;
  }
  if (status == Status::ok) recovered = false;
  return status;
}

// With an entry of its own, claimed; its life is not begun, so nobody finds it. Nothing if there is no entry.
std::optional<MapWriterState::Claimed> MapWriterState::write_key(const PackedKey& key, std::uint32_t place) {
  const std::optional<std::uint32_t> number = claim_free_entry(place);
  if (!number) return std::nullopt;
  layout::MapEntry& entry = core_->entry(*number);
  const KeyLife before{entry.life.load(relaxed)};
  // key: release, so that who sees any of the new key sees that the one before has gone.
  std::atomic_thread_fence(std::memory_order_release);
  entry.hash.store(key.hash, relaxed);
  entry.key_bytes.store(key.bytes, relaxed);
  layout::Word* const words = core_->key_of(*number);
  for (std::size_t at = 0; at * 8 < key.bytes; ++at) words[at].store(key.words[at], relaxed);
  SAPBUF_KILL_POINT(map_keyed);
  return Claimed{.entry = *number,
                 .life = before.next_used(),
                 .version = core_->control().version_floor.load(relaxed),
                 .value = {},
                 .hash = key.hash};
}

void MapWriterState::publish_key(const Claimed& fresh) noexcept {
  // index: release, behind the entry.
  place_for(*core_, fresh.hash).store(IndexPlace::make(fresh.hash, fresh.entry).word, std::memory_order_release);
  SAPBUF_KILL_POINT(map_indexed);
  // key: release, behind all of it: from here on it is found.
  core_->entry(fresh.entry).life.store(fresh.life.word, std::memory_order_release);
  SAPBUF_KILL_POINT(map_alive);
  count_figure(core_->control().keys);
}

Status MapWriterState::try_insert(const PackedKey& key, MapDraft& draft) {
  if (find_key(*core_, key)) return Status::exists;
  claimed_ = write_key(key, 0);
  if (!claimed_) return Status::full;
  const Status status = point_to(draft, claimed_->entry, claimed_->life, claimed_->version + 1);
  if (status == Status::ok) {
    publish_key(*claimed_);
    count_change(slot_->inserted);
  }
  unclaim();
  return status;
}

// Readers find no value, and other writers wait for the claim.
Status MapWriterState::try_insert_without_value(const PackedKey& key, std::vector<Claimed>& claims) {
  if (find_key(*core_, key)) return Status::exists;
  const std::optional<Claimed> fresh = write_key(key, static_cast<std::uint32_t>(claims.size()));
  if (!fresh) return Status::full;
  claims.push_back(*fresh);
  publish_key(*fresh);
  return Status::ok;
}

Status MapWriterState::insert(const PackedKey& key, MapDraft& draft, std::uint64_t deadline_ns) {
  for (bool recovered = false;;) {
    Status status = with_lock(deadline_ns, [&] {
      const Status now = why_not();
      return now == Status::ok ? try_insert(key, draft) : now;
    });
    if (status != Status::full) return status;
    status = make_room(recovered, deadline_ns);
    if (status != Status::ok) return status;
  }
}

void MapWriterState::uncount_key() noexcept {
  layout::Word& keys = core_->control().keys;
  keys.store(keys.load(relaxed) - 1, relaxed);
}

// Whose entry is claimed, and has no value; it is not counted any more.
void MapWriterState::remove_key(const Claimed& had) noexcept {
  if (layout::Word* const place = find_place(*core_, had.entry)) give_up_place(*core_, *place);
  SAPBUF_KILL_POINT(map_gone);
  core_->entry(had.entry).life.store(had.life.freed().word, std::memory_order_release);
  SAPBUF_KILL_POINT(map_entry_freed);
  core_->control().free_entry.store(had.entry, relaxed);
}

Status MapWriterState::try_erase() noexcept {
  const Claimed& had = *claimed_;
  layout::MapControl& control = core_->control();
  const std::uint64_t floor = control.version_floor.load(relaxed);
  control.version_floor.store(std::max(floor, had.version), relaxed);
  uncount_key();
  core_->entry(had.entry).value.store(0, std::memory_order_release);
  SAPBUF_KILL_POINT(map_emptied);
  remove_key(had);
  count_change(slot_->erased);
  return Status::ok;
}

Status MapWriterState::erase(std::string_view bytes) noexcept {
  if (claimed_) return Status::already_reserved;  // from within update()
  const PackedKey key{*core_, bytes};
  if (!key.is_valid(core_->geometry())) return Status::not_found;
  unmet_ = {};
  const std::uint64_t deadline_ns = deadline();
  try {
    if (const Status status = why_not(); status != Status::ok) return status;
    for (;;) {
      if (const Status status = claim_key(key, deadline_ns); status != Status::ok) return status;
      const std::optional<Status> erased = try_with_lock([&] {
        const Status now = why_not();
        return now == Status::ok ? try_erase() : now;
      });
      unclaim();
      if (erased) return *erased;
      if (const Status status = await_lock(deadline_ns); status != Status::ok) return status;
    }
  } catch (const std::exception&) {
    unclaim();
    return Status::exhausted;
  }
}

}  // namespace SAPBUF_DETAIL
