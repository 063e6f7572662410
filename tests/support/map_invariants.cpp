#include "support/map_invariants.hpp"

#include <vector>

#include <sapbuf/recovery.hpp>

#include "map/lookup.hpp"
#include "support/slab_content.hpp"

namespace sapbuf::test {
namespace {

using detail::MapCore;
using detail::PoolCore;
using layout::AboutValue;
using layout::BufferState;
using layout::BufferWord;
using layout::EntryClaim;
using layout::IndexPlace;
using layout::KeyLife;
using layout::Root;
using layout::ValueWhere;

class Inspection {
 public:
  explicit Inspection(const Map& map) : core_(*map.core()), pool_(core_.pool()) {}

  void run() {
    look_at_control();
    look_at_index();
    std::uint64_t keys = 0;
    for (std::uint32_t number = 0; number < core_.entries(); ++number) keys += look_at_entry(number) ? 1 : 0;
    if (keys != core_.keys()) broken("there are ", keys, " keys, not ", core_.keys());
    for (std::uint32_t slot = 0; slot < core_.geometry().participants; ++slot) look_at_slot(slot);
  }

 private:
  void look_at_control() {
    const std::uint64_t entries = core_.control().entries.load();
    const layout::MapGeometry& g = core_.geometry();
    if (entries < g.keys || entries > g.max_keys) broken("the map has ", entries, " entries");
    if (entries > g.entries_in(core_.bytes())) broken("there is no room for ", entries, " entries");
    if (core_.control().used.load() > entries) broken(core_.control().used.load(), " entries are used");
    if (core_.segment().locks().is_locked(core_.maintenance_lock())) broken("the map's lock is held");
  }

  void look_at_index() {
    leads_.assign(core_.entries(), 0);
    for (std::uint64_t at = 0; at < core_.geometry().places; ++at) {
      const IndexPlace place{core_.place(at).load()};
      if (place.is_unused() || place.is_gone()) continue;
      if (place.entry() >= leads_.size()) broken("place ", at, " leads to an entry that is not there");
      ++leads_[place.entry()];
    }
  }

  bool look_at_entry(std::uint32_t number) {
    const layout::MapEntry& entry = core_.entry(number);
    const KeyLife life{entry.life.load()};
    const Root root{entry.value.load()};
    const EntryClaim claim{entry.claim.load()};
    if (!claim.is_none() && (claim.slot() >= core_.geometry().participants ||
                             core_.registration_of(claim.slot()).incarnation() != claim.incarnation())) {
      broken("entry ", number, " is claimed by nobody who is there");
    }
    if (!life.is_used()) {
      if (!root.is_none()) broken("entry ", number, " is free, and has a value");
      if (leads_[number] != 0) broken("entry ", number, " is free, and in the index");
      return false;
    }
    if (number >= core_.control().used.load()) broken("entry ", number, " was never used, and is");
    if (leads_[number] != 1) broken("entry ", number, " is in the index ", leads_[number], " times");
    look_for_key(number);
    look_at_value(number, life, root);
    return true;
  }

  // Everybody who looks for it comes to it, and to no other one before.
  void look_for_key(std::uint32_t number) {
    KeyLife life;
    const std::optional<std::string> key = read_key(core_, number, life);
    const auto found = key ? find_key(core_, detail::PackedKey{core_, *key}) : std::nullopt;
    if (!found || found->entry != number) broken("the key of entry ", number, " is not found there");
  }

  void look_at_value(std::uint32_t number, KeyLife life, Root root) {
    if (root.is_none() || root.index() >= pool_->count()) broken("entry ", number, " has no value");
    const BufferWord word{pool_->word(root.index()).load()};
    if (!word.is_shared() || word.incarnation() != root.incarnation())
      broken("entry ", number, " has a value that was freed");
    const std::byte* const buffer = pool_->buffers_for_reading() + root.index() * pool_->geometry().stride_bytes;
    const auto& about = *reinterpret_cast<const AboutValue*>(buffer + core_.places_in(*pool_).about_at);
    if (about.key.load() != life.word || ValueWhere{about.where.load()}.entry() != number) {
      broken("entry ", number, " has a value of another key");
    }
  }

  void look_at_slot(std::uint32_t index) {
    const layout::MapSlot& slot = core_.slot(index);
    bool flips = slot.committed.load() != 0;
    for (std::uint32_t place = 0; place < layout::kTransactionKeys; ++place) {
      const bool claims = slot.claiming[place].load() != 0;
      flips = flips || claims;
      if (!claims && slot.incoming[place].load() != 0) broken("slot ", index, " has a root, and no entry claimed");
    }
    if (core_.registration_of(index).in_use()) return;
    if (flips) broken("slot ", index, " is free, and has an entry claimed");
    for (const layout::Word& guard : slot.guards) {
      if (guard.load() != 0) broken("slot ", index, " is free, and has a guard");
    }
  }

  MapCore& core_;
  const std::shared_ptr<PoolCore> pool_;
  std::vector<std::uint32_t> leads_;  // places that lead to each entry
};

}  // namespace

std::string broken_map_invariant(const Map& map) {
  try {
    Inspection{map}.run();
  } catch (const Broken& found) {
    return found.what();
  }
  return {};
}

}  // namespace sapbuf::test
