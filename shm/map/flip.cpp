// A key's next version. The entry is claimed; the value stands in a buffer that is this writer's alone.
//
//   1. what it says of itself            killed here: a local buffer of the dead, freed by the pool's recovery
//   2. incoming root; word = shared      killed here: recovery clears the root, and a scan frees the buffer
//      (pool/hand_over.hpp)
//   3. value = that root                 killed here: flipped; recovery counts the change
//   4. light fence; look at the word:    a scan may have read `value` too early, and `incoming` too late
//      dying is won back
//   5. incoming = none
#include <sapbuf/detail/kill_point.hpp>

#include "map/map_writer.hpp"
#include "platform/cancellation.hpp"
#include "platform/clock.hpp"
#include "pool/figures.hpp"
#include "pool/hand_over.hpp"
#include "pool/waiters.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::AboutValue;
using layout::KeyLife;
using layout::Root;
using layout::ValueWhere;

constexpr auto relaxed = std::memory_order_relaxed;

}  // namespace

Status MapWriterState::hand_over(MapDraft& draft, std::uint32_t entry, KeyLife life, std::uint64_t version,
                                 std::uint32_t place) noexcept {
  auto& about = *reinterpret_cast<AboutValue*>(draft.buffer_.bytes().data() + places_.about_at);
  about.key.store(life.word, relaxed);
  about.where.store(ValueWhere::make(entry, static_cast<std::uint32_t>(draft.length_)).word, relaxed);
  about.version.store(version, relaxed);
  about.flipped_ns.store(platform::coarse_wall_clock_ns(), relaxed);
  const Status status = root_elsewhere(draft.buffer_, slot_->incoming[place]);
  SAPBUF_KILL_POINT(map_handed_over);
  return status;
}

void MapWriterState::point(std::uint32_t entry, std::uint32_t place) noexcept {
  const Root fresh{slot_->incoming[place].load(relaxed)};
  // flip: release, behind the buffer's word.
  core_->entry(entry).value.store(fresh.word, std::memory_order_release);
  SAPBUF_KILL_POINT(map_flipped);
  light_fence();  // root (SB): before the look; the scan makes the heavy one
  // Others can write there: no look goes beyond the pool, whatever it says by now.
  if (fresh.index() < pool_->count()) is_kept_by_root(pool_->word(fresh.index()), fresh.incarnation());
  slot_->incoming[place].store(0, std::memory_order_release);
}

Status MapWriterState::point_to(MapDraft& draft, std::uint32_t entry, KeyLife life, std::uint64_t version) noexcept {
  Status status = why_not(draft);
  if (status == Status::ok) status = hand_over(draft, entry, life, version);
  if (status == Status::ok) point(entry);
  return status;
}

void MapWriterState::count_change(layout::Word& figure) noexcept {
  count_figure(figure);
  SAPBUF_KILL_POINT(map_changed);
  slot_->changes.store(slot_->changes.load(relaxed) + 1, std::memory_order_release);
  SAPBUF_KILL_POINT(map_counted);
  if (somebody_waits(*pool_)) wake_oldest_waiter(*pool_);
}

Status MapWriterState::end_update(MapDraft& fresh) noexcept {
  const Claimed& had = *claimed_;
  Status status = why_not();
  // Another writer's stands in a buffer of another pool, maybe.
  if (status == Status::ok && fresh && fresh.writer_ != this) status = Status::closed;
  if (status == Status::ok) status = point_to(fresh, had.entry, had.life, had.version + 1);
  if (status == Status::ok) {
    count_change(slot_->flipped);
    note_replaced(had.root);
  }
  unclaim();
  return status;
}

Status MapWriterState::begin_update(std::string_view bytes, std::span<const std::byte>& old, MapDraft& fresh) noexcept {
  if (const Status status = why_not(); status != Status::ok) return status;
  if (claimed_) return Status::already_reserved;
  const PackedKey key{*core_, bytes};
  if (!key.is_valid(core_->geometry())) return Status::too_large;
  const Unmet unmet = std::exchange(unmet_, {});
  std::optional<std::size_t> ahead;  // what is had before the entry is claimed
  if (!pool_->has_classes()) {
    ahead = 0;
  } else if (unmet.hash == key.hash && unmet.bytes != 0) {
    ahead = unmet.bytes;
  }
  Status status = Status::exhausted;
  try {
    status = begin_update(key, ahead, old, fresh);
  } catch (const std::exception&) {
    // no memory, no mapping now
  }
  if (status == Status::stopped) unmet_ = unmet;
  return status;
}

// No buffer is waited for with the entry claimed, or with another buffer: whoever waits for either may have the last.
Status MapWriterState::begin_update(const PackedKey& key, std::optional<std::size_t> ahead,
                                    std::span<const std::byte>& old, MapDraft& fresh) {
  const std::uint64_t deadline_ns = deadline();
  for (;;) {
    fresh = {};
    if (ahead) {
      fresh = prepare(key.text(), *ahead, deadline_ns);
      if (!fresh) return fresh.status();
    }
    if (const Status status = claim_key(key, deadline_ns); status != Status::ok) return status;
    const Status whole = claimed_->whole;
    const bool is_whole = whole == Status::ok;
    old = claimed_->value;
    if (is_whole && (!fresh || fresh.room_ < old.size())) {
      fresh = {};
      fresh = draft_in(user_.acquire(places_.value_at + old.size()), key.text(), old.size());
    }
    if (is_whole && fresh) {
      fresh.length_ = old.size();
      return Status::ok;
    }
    unclaim();
    if (!is_whole) return whole;
    if (fresh.status() != Status::exhausted) return fresh.status();
    ahead = old.size();
  }
}

Status MapWriterState::flip(MapDraft& draft, std::optional<std::uint64_t> expected) noexcept {
  if (!draft) return draft.status();
  if (claimed_) return Status::already_reserved;  // from within update()
  unmet_ = {};
  const std::uint64_t deadline_ns = deadline();
  const PackedKey key{*core_, draft.key_};
  bool is_there = expected != 0;
  try {
    for (;; is_there = !is_there) {
      Status status = why_not();
      if (status != Status::ok) return status;
      if (is_there) {
        status = claim_key(key, deadline_ns);
        if (status == Status::ok) {
          if (!expected || *expected == claimed_->version) return end_update(draft);
          unclaim();
          return Status::version_changed;
        }
        if (status != Status::not_found) return status;
        if (expected && *expected != 0) return Status::version_changed;
      } else {
        status = insert(key, draft, deadline_ns);
        if (status != Status::exists) return status;
        if (expected && has_value(*core_, key)) return Status::version_changed;
      }
    }
  } catch (const std::exception&) {
    return Status::exhausted;  // no memory, no mapping now
  }
}

}  // namespace SAPBUF_DETAIL
