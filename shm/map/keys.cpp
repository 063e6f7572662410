// Keys that come and go, with the entry claimed, and nothing else: who stops here keeps that one key from others.
//
//   insert                                            erase
//   1. an entry that is free, and nobody's            1. version_floor: what the key had, or more; what is counted
//   2. key; life = coming                             2. no value           killed here: recovery goes on
//   3. its place in the index, and a look at others   3. its place is gone
//      who insert the same key (map/index.hpp)        4. life = free
//   4. life = used: it is there, without a value      5. a key less
//   5. what is counted                                6. an entry may be free; the claim is released
//      killed before 6.: recovery takes it all back
//   6. the value, as in flip.cpp
//   7. a key more
#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>

#include "map/index.hpp"
#include "map/map_writer.hpp"
#include "platform/cancellation.hpp"
#include "segment/recovery.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::Counting;
using layout::KeyCount;
using layout::KeyLife;

constexpr auto relaxed = std::memory_order_relaxed;
// Each fails because somebody else was about to insert the key, and then did not; or erased one whose place was before.
constexpr int kTries = 1000;
constexpr std::uint64_t kMostGrowth = std::uint64_t{4} << 20;  // at once, in bytes: below a few milliseconds

// What was taken for dead meanwhile, and so has another life, stays as it is.
void set_free(layout::Word& life, KeyLife had) noexcept {
  life.compare_exchange_strong(had.word, had.freed().word, std::memory_order_release, relaxed);
}

}  // namespace

// One that never had a key.
std::optional<std::uint32_t> MapWriterState::claim_unused_entry(std::uint32_t place) noexcept {
  layout::Word& used = core_->control().used;
  std::uint64_t unused = used.load(relaxed);
  while (unused < looked_among_) {
    // Before the claim: nobody comes back to one that is left claimed, but as to any that is free.
    if (!used.compare_exchange_weak(unused, unused + 1, std::memory_order_acq_rel, relaxed)) continue;
    SAPBUF_KILL_POINT(map_used);
    const auto number = static_cast<std::uint32_t>(unused++);
    if (claim_if_free(number, place)) return number;
  }
  return std::nullopt;
}

bool MapWriterState::claim_if_free(std::uint32_t number, std::uint32_t place) noexcept {
  const layout::MapEntry& entry = core_->entry(number);
  const KeyLife life{entry.life.load(relaxed)};
  const bool may_be_free_soon = !life.is_used() || entry.value.load(relaxed) == 0;  // half inserted, or half erased
  if (life.is_used() || !try_claim(number, place)) {
    if (may_be_free_soon && entry.claim.load(relaxed) != own_claim_.word) passed_over_ = number;
    return false;
  }
  const KeyLife now{entry.life.load(relaxed)};
  if (!now.is_used()) return true;  // nor coming: it is nobody else's
  release_claim({.entry = number, .life = now, .version = 0, .value = {}, .hash = entry.hash.load(relaxed)}, place);
  return false;
}

// First those that never had a key, then from where the last one became free. One that is claimed is passed over: by who
// inserts or erases its key and is not done yet, or by the dead. Where none is free, and none was passed over, nobody looks
// again until more are used, or `freed` says that one may be: before it is let go of, so who looks meanwhile passes it
// over.
std::optional<std::uint32_t> MapWriterState::claim_free_entry(std::uint32_t place) {
  layout::MapControl& control = core_->control();
  passed_over_.reset();
  looked_among_ = core_->entries();
  if (const std::optional<std::uint32_t> unused = claim_unused_entry(place)) return unused;
  const std::uint32_t used = core_->used_entries();
  // freed: acquire, before the look. Both grow only, so that their sum tells whether one of them did.
  const std::uint64_t may_be_free = control.freed.load(std::memory_order_acquire) + used + 1;
  if (control.none_free.load(relaxed) == may_be_free && !passed_over_) return std::nullopt;
  const std::uint64_t first = control.free_entry.load(relaxed);
  for (std::uint32_t looked = 0; looked < used; ++looked) {
    const auto number = static_cast<std::uint32_t>((first + looked) % used);
    if (!claim_if_free(number, place)) continue;
    control.free_entry.store(number + 1, relaxed);
    return number;
  }
  // With claims in hand, of the same transaction, its own may be free again.
  if (!passed_over_ && place == 0) control.none_free.store(may_be_free, relaxed);
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

// With the entry claimed, and free.
KeyLife MapWriterState::write_key(const PackedKey& key, std::uint32_t number) noexcept {
  layout::MapEntry& entry = core_->entry(number);
  const KeyLife coming = KeyLife{entry.life.load(relaxed)}.next();
  // key: release, so that who sees any of the new key sees that the one before has gone.
  std::atomic_thread_fence(std::memory_order_release);
  entry.hash.store(key.hash, relaxed);
  entry.key_bytes.store(key.bytes, relaxed);
  layout::Word* const words = core_->key_of(number);
  for (std::size_t at = 0; at * 8 < key.bytes; ++at) words[at].store(key.words[at], relaxed);
  SAPBUF_KILL_POINT(map_keyed);
  // key: release, behind the key.
  entry.life.store(coming.word, std::memory_order_release);
  SAPBUF_KILL_POINT(map_coming);
  return coming;
}

// Gives the entry, which has the key and is coming, its place, and makes it used; otherwise it is free again. exists:
// somebody else has the key, or is about to; version_changed: it was cut off, or refused, and may try again.
Status MapWriterState::enter(const PackedKey& key, std::uint32_t number, KeyLife coming) noexcept {
  layout::Word& life = core_->entry(number).life;
  const std::optional<std::uint64_t> place = take_place(*core_, key, number, slot_->taking);
  if (!place) {
    set_free(life, coming);
    return Status::corrupt;
  }
  Status status = is_reached(*core_, key, *place) ? Status::ok : Status::version_changed;
  if (status == Status::ok && has_rival(*core_, key, *place, rival_)) status = Status::exists;
  SAPBUF_KILL_POINT(map_compared);
  if (status == Status::ok) {
    // key: release, behind all of it: from here on it is found, if nobody refused it.
    std::uint64_t seen = coming.word;
    if (life.compare_exchange_strong(seen, coming.used().word, std::memory_order_acq_rel, relaxed)) {
      SAPBUF_KILL_POINT(map_alive);
      return Status::ok;
    }
    status = Status::version_changed;
  }
  // Of one that was taken for dead recovery has given up the place, and another one may have that, and the entry.
  if (const Status gone = why_not(); gone != Status::ok) return gone;
  give_up_place(*core_, *place, key.hash, number);
  set_free(life, coming);
  return status;
}

// With an entry claimed. Each try has a life of its own: nobody refuses one for what he saw of another.
Status MapWriterState::try_to_enter(const PackedKey& key, Claimed& fresh) noexcept {
  Status status = Status::version_changed;
  for (int tried = 0; tried < kTries && status == Status::version_changed; ++tried) {
    const KeyLife coming = write_key(key, fresh.entry);
    fresh.life = coming.used();
    status = enter(key, fresh.entry, coming);
  }
  return status == Status::version_changed ? Status::corrupt : status;
}

// exists: somebody else has the key, or is about to: `rival_`, where that can be told.
Status MapWriterState::insert_without_value(const PackedKey& key, std::uint32_t place, std::optional<Claimed>& fresh) {
  rival_ = find_key_or_coming(*core_, key);
  if (rival_) return Status::exists;
  const std::optional<std::uint32_t> number = claim_free_entry(place);
  if (!number) return Status::full;
  fresh = Claimed{.entry = *number, .life = {}, .version = 0, .value = {}, .hash = key.hash};
  const Status status = try_to_enter(key, *fresh);
  if (status == Status::ok) {
    // key: behind the look at the place that an erased key had, so that this has its last version.
    fresh->version = core_->control().version_floor.load(relaxed);
  } else {
    note_freed();
    release_claim(*fresh, place);
    fresh.reset();
  }
  return status;
}

void MapWriterState::begin_counting(std::int64_t more, Counting what) noexcept {
  counting_ = KeyCount::make(slot_->keys.load(relaxed) + static_cast<std::uint64_t>(more), what);
  // count: release, before the decision.
  slot_->counting.store(counting_.word, std::memory_order_release);
}

// Of one that was taken for dead recovery has counted them, and the slot may be somebody else's.
void MapWriterState::end_counting() noexcept {
  if (!attachment_.is_current()) return;
  slot_->keys.store(counting_.keys(), relaxed);
  slot_->counting.store(0, std::memory_order_release);
}

Status MapWriterState::try_insert(const PackedKey& key, MapDraft& draft) {
  Status status = insert_without_value(key, 0, claimed_);
  if (status == Status::ok) status = why_not();
  if (status != Status::ok) {
    unclaim();
    return status;
  }
  begin_counting(1, Counting::insertion);
  status = point_to(draft, claimed_->entry, claimed_->life, claimed_->version + 1);
  if (status == Status::ok) {
    end_counting();
    count_change(slot_->inserted);
  } else if (why_not() == Status::ok) {
    slot_->counting.store(0, std::memory_order_release);
    remove_key(*claimed_);
  }
  if (status != Status::ok) note_freed();
  unclaim();
  return status;
}

// Who is about to have the key has its entry claimed: until then. With no claim in hand.
Status MapWriterState::await_rival(std::uint64_t deadline_ns) noexcept {
  if (!rival_ || rival_->life.is_used()) return Status::ok;
  const std::uint64_t hash = core_->entry(rival_->entry).hash.load(relaxed);
  const Status status = claim({rival_->entry, rival_->life, hash}, deadline_ns);
  if (status == Status::version_changed) return Status::ok;
  if (status == Status::ok) {
    release_claim({.entry = rival_->entry, .life = rival_->life, .version = 0, .value = {}, .hash = hash}, 0);
  }
  return status;
}

// exists: with a value, or with one soon.
Status MapWriterState::insert(const PackedKey& key, MapDraft& draft, std::uint64_t deadline_ns) {
  bool recovered = false;
  for (int tried = 0; tried < kTries; ++tried) {
    Status status = why_not();
    if (status == Status::ok) status = try_insert(key, draft);
    if (status == Status::full) {
      status = make_room(recovered, deadline_ns);
      tried = 0;
    } else if (status != Status::exists || (rival_ && rival_->life.is_used())) {
      return status;
    } else {
      status = await_rival(deadline_ns);
    }
    if (status != Status::ok) return status;
  }
  return Status::corrupt;  // nobody has a key, and none, as often as that
}

void MapWriterState::note_freed() noexcept {
  // freed: release, before the claim's.
  core_->control().freed.fetch_add(1, std::memory_order_release);
}

// Whose entry is claimed, and has no value.
void MapWriterState::remove_key(const Claimed& had) noexcept {
  if (const auto place = find_place(*core_, had.entry, slot_->taking.load(relaxed))) {
    give_up_place(*core_, *place, had.hash, had.entry);
  }
  set_free(core_->entry(had.entry).life, had.life);
  SAPBUF_KILL_POINT(map_entry_freed);
  core_->control().free_entry.store(had.entry, relaxed);
}

void MapWriterState::raise_version_floor(std::uint64_t version) noexcept {
  layout::Word& floor = core_->control().version_floor;
  std::uint64_t seen = floor.load(relaxed);
  // key: release, before the key's place is gone.
  while (seen < version && !floor.compare_exchange_weak(seen, version, std::memory_order_release, relaxed)) {
  }
}

Status MapWriterState::try_erase() noexcept {
  const Claimed& had = *claimed_;
  raise_version_floor(had.version);
  begin_counting(-1, Counting::erasure);
  core_->entry(had.entry).value.store(0, std::memory_order_release);
  SAPBUF_KILL_POINT(map_emptied);
  remove_key(had);
  end_counting();
  count_change(slot_->erased);
  return Status::ok;
}

Status MapWriterState::erase(std::string_view bytes) noexcept {
  if (claimed_) return Status::already_reserved;  // from within update()
  const PackedKey key{*core_, bytes};
  if (!key.is_valid(core_->geometry())) return Status::not_found;
  unmet_ = {};
  try {
    Status status = why_not();
    if (status == Status::ok) status = claim_key(key, deadline());
    if (status == Status::ok) status = why_not();
    if (status == Status::ok) status = try_erase();
    if (status == Status::ok) note_freed();
    unclaim();
    return status;
  } catch (const std::exception&) {
    unclaim();
    return Status::exhausted;
  }
}

}  // namespace SAPBUF_DETAIL
