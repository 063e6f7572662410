// Several keys that get new values together.
//
//   1. the entries of those that are there are claimed, in order: so no two wait for each other
//   2. those that are not there, in the order of their hashes: each gets an entry, claimed, and its place in the index,
//      without a value (map/keys.cpp)     killed before 4.: recovery frees the entries that have no value
//   3. each value: what it says of itself, incoming root, word = shared       killed before 4.: nothing was flipped; recovery clears the roots
//   4. committed = how many                                    killed from here on: recovery flips those that were not
//   5. each entry: value = its root; the look at the word; incoming = none
//   6. so many keys more; committed = 0
//   7. the claims are released
#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>

#include "map/map_writer.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr int kTries = 1000;  // each of which fails because a key came or went between the look and the claim

}  // namespace

// Brings the drafts into the order of their entries, those of new keys behind all others, in the order of their hashes:
// of those who insert the same keys one is the first to come to the first. version_changed: begin anew.
Status MapWriterState::claim_all(std::vector<MapDraft>& drafts, std::vector<Claimed>& claims,
                                 std::uint64_t deadline_ns) {
  struct Sought {
    std::optional<FoundKey> found;
    std::uint64_t hash;
    MapDraft draft;
  };
  std::vector<Sought> all;
  all.reserve(drafts.size());
  for (const MapDraft& draft : drafts) {
    const PackedKey key{*core_, draft.key_};
    all.push_back({.found = find_key(*core_, key), .hash = key.hash, .draft = {}});
  }
  for (std::size_t i = 0; i < all.size(); ++i) all[i].draft = std::move(drafts[i]);
  std::sort(all.begin(), all.end(), [](const Sought& a, const Sought& b) {
    if (a.found && b.found) return a.found->entry < b.found->entry;
    return a.found || b.found ? a.found.has_value() : a.hash < b.hash;
  });
  for (std::size_t i = 0; i < all.size(); ++i) drafts[i] = std::move(all[i].draft);
  for (std::uint32_t place = 0; place < all.size() && all[place].found; ++place) {
    const FoundKey& found = *all[place].found;
    const Claimed next{.entry = found.entry, .life = found.life, .version = 0, .value = {}, .hash = all[place].hash};
    const Status status = claim({next.entry, next.life, next.hash}, deadline_ns, place);
    if (status != Status::ok) return status;
    claims.push_back(next);
    std::optional<Claimed> now;
    if (const Status read = read_claimed(next.entry, next.life, next.hash, now); read != Status::ok) return read;
    claims.back() = *now;
  }
  return Status::ok;
}

void MapWriterState::release_all(std::vector<Claimed>& claims) noexcept {
  for (std::uint32_t place = 0; place < claims.size(); ++place) release_claim(claims[place], place);
  claims.clear();
}

// All that have no entry yet. exists: somebody else inserts one of them.
Status MapWriterState::insert_all(std::vector<MapDraft>& drafts, std::vector<Claimed>& claims) {
  while (claims.size() < drafts.size()) {
    std::optional<Claimed> fresh;
    const PackedKey key{*core_, drafts[claims.size()].key_};
    const Status status = insert_without_value(key, static_cast<std::uint32_t>(claims.size()), fresh);
    if (status != Status::ok) return status;
    claims.push_back(*fresh);
  }
  return Status::ok;
}

// exists: begin anew, behind await_rival(); full: there is no entry for a key.
Status MapWriterState::commit_with_new_keys(std::vector<MapDraft>& drafts, std::vector<Claimed>& claims) noexcept {
  const std::size_t first_new = claims.size();
  Status status = Status::exhausted;
  try {
    status = insert_all(drafts, claims);
  } catch (const std::exception&) {
    // no memory, no mapping now
  }
  if (status == Status::ok) status = flip_all(drafts, claims, first_new);
  if (status != Status::ok && why_not() == Status::ok) {
    for (std::size_t place = first_new; place < claims.size(); ++place) remove_key(claims[place]);
  }
  return status;
}

// All that is to be flipped is claimed.
Status MapWriterState::flip_all(std::vector<MapDraft>& drafts, std::vector<Claimed>& claims,
                                std::size_t first_new) noexcept {
  Status status = why_not();
  for (std::size_t at = 0; status == Status::ok && at < drafts.size(); ++at) status = why_not(drafts[at]);
  for (std::uint32_t place = 0; status == Status::ok && place < claims.size(); ++place) {
    const Claimed& had = claims[place];
    status = hand_over(drafts[place], had.entry, had.life, had.version + 1, place);
  }
  if (status != Status::ok) {
    // Of one that was taken for dead recovery has cleared them, and the slot may be somebody else's.
    if (why_not() == Status::ok) {
      for (layout::Word& root : slot_->incoming) root.store(0, std::memory_order_release);
    }
    return status;
  }
  if (first_new < claims.size()) {
    begin_counting(static_cast<std::int64_t>(claims.size() - first_new), layout::Counting::transaction);
  }
  // transaction: release, behind the roots.
  slot_->committed.store(claims.size(), std::memory_order_release);
  SAPBUF_KILL_POINT(map_committed);
  for (std::uint32_t place = 0; place < claims.size(); ++place) {
    point(claims[place].entry, place);
    count_change(place < first_new ? slot_->flipped : slot_->inserted);
    note_replaced(claims[place].root);
  }
  if (first_new < claims.size()) end_counting();
  slot_->committed.store(0, std::memory_order_release);
  drafts.clear();
  return Status::ok;
}

Status MapWriterState::try_commit(std::vector<MapDraft>& drafts, std::vector<Claimed>& claims,
                                  std::uint64_t deadline_ns) {
  Status status = why_not();
  if (status == Status::ok) status = claim_all(drafts, claims, deadline_ns);
  if (status != Status::ok) return status;
  if (claims.size() == drafts.size()) return flip_all(drafts, claims, claims.size());
  return commit_with_new_keys(drafts, claims);
}

Status MapWriterState::commit(std::vector<MapDraft>& drafts) noexcept {
  if (claimed_) return Status::already_reserved;
  unmet_ = {};
  const std::uint64_t deadline_ns = deadline();
  std::vector<Claimed> claims;
  Status status = Status::version_changed;
  try {
    claims.reserve(drafts.size());
    bool recovered = false;
    for (int tried = 0; status == Status::version_changed && tried < kTries; ++tried) {
      status = try_commit(drafts, claims, deadline_ns);
      if (status != Status::ok) note_freed();
      release_all(claims);
      if (status == Status::full) {
        status = make_room(recovered, deadline_ns);
        tried = 0;
      } else if (status == Status::exists) {
        status = await_rival(deadline_ns);
      } else {
        continue;
      }
      if (status == Status::ok) status = Status::version_changed;
    }
  } catch (const std::exception&) {
    release_all(claims);
    status = Status::exhausted;
  }
  return status == Status::version_changed ? Status::corrupt : status;  // nobody changes keys as often as that
}

}  // namespace SAPBUF_DETAIL
