// What the participants of a map keep, and what is made of it when they die, or leave. Under the map's lock; each step
// may be repeated.
//
//   the entry that a writer had claimed    used, in the index, with a value: whole, flipped or not. Otherwise a key is half
//                                          inserted or half erased: no value, out of the index, free
//   a transaction that was committed       each of its entries is flipped, before anything else; then it is none
//   the keys that it was counting          are counted, if that was decided
//   the change that it may have made       counted, perhaps twice: whoever waits for one looks once more than it needs to
//   the claim                              released, behind that
//   a reader's guards, `incoming`          cleared; a version that nobody else keeps is found by the pool's next scan
#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>

#include "map/index.hpp"
#include "segment/departed.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::Counting;
using layout::DepartedEditors;
using layout::EntryClaim;
using layout::KeyCount;
using layout::KeyLife;
using layout::Root;

constexpr auto relaxed = std::memory_order_relaxed;

void settle_entry(MapCore& map, const layout::MapSlot& dead, std::uint32_t number) {
  layout::MapEntry& entry = map.entry(number);
  const KeyLife life{entry.life.load(relaxed)};
  const auto place = find_place(map, number, dead.taking.load(relaxed));
  if (life.is_used() && place && entry.value.load(relaxed) != 0) return;
  entry.value.store(0, std::memory_order_release);
  if (place) give_up_place(map, *place, entry.hash.load(relaxed), number);
  entry.life.store(life.freed().word, std::memory_order_release);
}

// Of the dead one's first entry, which it has claimed, and which is settled.
void settle_count(MapCore& map, layout::MapSlot& dead, std::uint32_t number) {
  const KeyCount counting{dead.counting.load(std::memory_order_acquire)};
  const bool is_there = KeyLife{map.entry(number).life.load(relaxed)}.is_used();
  if (counting.what() == (is_there ? Counting::insertion : Counting::erasure)) {
    dead.keys.store(counting.keys(), relaxed);
  }
}

// Calls `visit(root)` for what the slot's participant keeps.
template <typename Visit>
void for_each_root(const layout::MapSlot& slot, Visit visit) {
  // pool-free: acquire, so that the last use of a buffer whose root is gone is behind us.
  const auto look_at = [&](const layout::Word& word) {
    const Root root{word.load(std::memory_order_acquire)};
    if (!root.is_none()) visit(root);
  };
  for (const layout::Word& root : slot.incoming) look_at(root);
  for (const layout::Word& guard : slot.guards) look_at(guard);
}

}  // namespace

void MapCore::find_holdings(std::uint32_t index, std::vector<std::uint64_t>& buffers) {
  for_each_root(slot(index), [&](Root root) { buffers.push_back(root.index() + 1); });
  std::sort(buffers.begin(), buffers.end());
  buffers.erase(std::unique(buffers.begin(), buffers.end()), buffers.end());
}

std::uint64_t MapCore::bytes_of(std::span<const std::uint64_t> buffers) const noexcept {
  try {
    return pool()->bytes_of(buffers);
  } catch (const std::exception&) {
    return 0;  // the pool cannot be opened here
  }
}

bool MapCore::is_claiming(std::uint32_t index) const noexcept {
  const auto& claiming = slot(index).claiming;
  const auto is_some = [](const layout::Word& word) { return word.load(relaxed) != 0; };
  return std::any_of(std::begin(claiming), std::end(claiming), is_some);
}

// A claim keeps other writers of the key waiting; a version, those who need a buffer.
bool MapCore::is_in_the_way(std::uint32_t index, layout::SlotRegistration) {
  std::vector<std::uint64_t> buffers;
  find_holdings(index, buffers);
  return is_claiming(index) || !buffers.empty();
}

// The entry that the dead one has claimed there; nothing if it has none.
std::optional<std::uint32_t> MapCore::claimed_by(std::uint32_t index, std::uint32_t place) {
  const std::uint64_t claiming = slot(index).claiming[place].load(std::memory_order_acquire);
  if (claiming == 0 || claiming > entries()) return std::nullopt;
  const auto number = static_cast<std::uint32_t>(claiming - 1);
  const EntryClaim own = EntryClaim::make(index, registration_of(index).incarnation());
  // claim: acquire, so that what was done under it is seen.
  if (entry(number).claim.load(std::memory_order_acquire) != own.word) return std::nullopt;
  return number;
}

// All of its claims are the dead one's still: they are released behind `committed` = 0.
void MapCore::roll_forward(std::uint32_t index) {
  layout::MapSlot& dead = slot(index);
  const std::uint64_t committed = dead.committed.load(std::memory_order_acquire);
  for (std::uint32_t place = 0; place < std::min<std::uint64_t>(committed, layout::kTransactionKeys); ++place) {
    const std::uint64_t root = dead.incoming[place].load(relaxed);
    const auto number = claimed_by(index, place);
    if (root == 0 || !number) continue;
    // flip: release, as the dead one would have done.
    entry(*number).value.store(root, std::memory_order_release);
    SAPBUF_KILL_POINT(map_rolled);
  }
  const KeyCount counting{dead.counting.load(relaxed)};
  if (committed != 0 && counting.what() == Counting::transaction) dead.keys.store(counting.keys(), relaxed);
  dead.committed.store(0, std::memory_order_release);
}

// Those who cannot address all entries leave it to others, before the first step.
bool MapCore::repair(std::uint32_t index, RepairTally& tally) {
  try {
    if (is_claiming(index)) used_entries();
  } catch (const std::exception&) {
    return false;
  }
  roll_forward(index);
  // freed: release, before the claims' release.
  control().freed.fetch_add(1, std::memory_order_release);
  layout::MapSlot& dead = slot(index);
  for (std::uint32_t place = 0; place < layout::kTransactionKeys; ++place) {
    const auto number = claimed_by(index, place);
    if (!number) continue;
    settle_entry(*this, dead, *number);
    if (place == 0) settle_count(*this, dead, *number);
    dead.changes.store(dead.changes.load(relaxed) + 1, std::memory_order_release);
    SAPBUF_KILL_POINT(map_settled);
    entry(*number).claim.store(0, std::memory_order_release);
    tally.repairs += 1;
  }
  return true;
}

void MapCore::add_to_departed(std::uint32_t index) noexcept {
  const auto counted_in = [&](std::uint32_t other) -> layout::Word& { return slot(other).counted; };
  const layout::MapSlot& own = slot(index);
  add_departed(control().departed_selector, control().departed, geometry_.participants,
               {index, registration_of(index).incarnation()}, counted_in,
               [&](const DepartedEditors& from, DepartedEditors& to) {
                 const auto add = [&](layout::Word DepartedEditors::*sum, const layout::Word& figure) {
                   (to.*sum).store((from.*sum).load(relaxed) + figure.load(relaxed), relaxed);
                 };
                 add(&DepartedEditors::flipped, own.flipped);
                 add(&DepartedEditors::inserted, own.inserted);
                 add(&DepartedEditors::erased, own.erased);
                 add(&DepartedEditors::waits, own.waits);
               });
}

void MapCore::release(std::uint32_t index) noexcept {
  add_to_departed(index);
  SAPBUF_KILL_POINT(recover_departed);
  layout::MapSlot& settled = slot(index);
  for (layout::Word& entry : settled.claiming) entry.store(0, std::memory_order_release);
  for (layout::Word& root : settled.incoming) root.store(0, std::memory_order_release);
  for (layout::Word& guard : settled.guards) guard.store(0, std::memory_order_release);
}

std::uint32_t MapCore::count_released(std::span<const std::uint64_t> buffers, std::span<const std::uint32_t> gone) {
  if (buffers.empty()) return 0;
  std::uint32_t used = 0;
  try {
    used = used_entries();
  } catch (const std::exception&) {
    return 0;  // any of them may be kept
  }
  std::vector<std::uint64_t> kept;
  const auto keep = [&](Root root) { kept.push_back(root.index() + 1); };
  for (std::uint32_t number = 0; number < used; ++number) {
    const Root root{entry(number).value.load(relaxed)};
    if (!root.is_none()) keep(root);
  }
  for_each_participant(*this, [&](std::uint32_t index, layout::SlotRegistration) {
    if (std::find(gone.begin(), gone.end(), index) == gone.end()) for_each_root(slot(index), keep);
  });
  std::sort(kept.begin(), kept.end());
  return static_cast<std::uint32_t>(std::count_if(buffers.begin(), buffers.end(), [&](std::uint64_t buffer) {
    return !std::binary_search(kept.begin(), kept.end(), buffer);
  }));
}

void MapCore::collect_roots_of_slots(std::vector<std::uint64_t>& roots) {
  const std::uint32_t high = segment().high_slot();
  for (std::uint32_t index = 0; index < high; ++index) {
    for_each_root(slot(index), [&](Root root) { roots.push_back(root.word); });
  }
}

// `incoming` first, then the entries: recovery clears the one of a writer that died behind its flip, and takes no look
// at the buffer's word. So one of the two is seen.
void MapCore::collect_roots(layout::FacilityId pool, std::vector<std::uint64_t>& roots) {
  if (pool != pool_id()) return;
  collect_roots_of_slots(roots);
  const std::uint32_t used = used_entries();
  for (std::uint32_t number = 0; number < used; ++number) {
    // root: acquire, as for the slots.
    const Root root{entry(number).value.load(std::memory_order_acquire)};
    if (!root.is_none()) roots.push_back(root.word);
  }
}

}  // namespace SAPBUF_DETAIL
