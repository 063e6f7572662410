#include "support/invariants.hpp"

#include <map>
#include <set>
#include <sstream>
#include <stdexcept>

#include <sapbuf/recovery.hpp>

#include "stream/durable_readers.hpp"
#include "stream/ledger.hpp"
#include "support/main_stream.hpp"
#include "support/slab_content.hpp"

namespace sapbuf::test {
namespace {

using detail::ActiveSlab;
using detail::LedgerValues;
using detail::SlabGeneration;
using detail::StreamCore;
using layout::Claim;
using layout::Cursor;
using layout::Progress;
using layout::SlabDescriptor;
using layout::SlabLife;
using layout::SlabState;
using layout::SlotRegistration;
using layout::SlotRole;
using layout::SlotState;
using layout::StreamSlot;

class Inspection {
 public:
  Inspection(const Segment& segment, Motion motion)
      : segment_(segment),
        core_(main_stream(segment)),
        g_(core_.geometry()),
        still_(motion == Motion::none),
        cursor_{core_.control().cursor.load()} {}

  void run() {
    look_at_control();
    look_at_cursor();
    look_at_descriptors();
    look_at_slabs();
    if (still_) look_for_dead();
    for (std::uint32_t slot = 0; slot < g_.participants; ++slot) look_at_slot(slot);
    if (still_) look_at_ledger();
    look_at_durable_readers();
  }

 private:
  SlabLife life_of(std::uint32_t slab) { return {core_.descriptor(slab).life.load()}; }
  bool is_lossless() const { return g_.on_full != OnFull::overwrite; }
  bool can_be_read(std::uint64_t generation) const { return readable_.contains(generation); }

  void look_at_control() {
    layout::StreamControl& control = core_.control();
    for (const layout::Event* event : {&control.data, &control.space}) {
      if (event->reserved_0.load() != 0) broken("an event says ", event->reserved_0.load(), " where nothing stands");
    }
    const std::uint64_t high = core_.segment().control().high_slot.load();
    if (high > g_.participants) broken("high_slot is ", high);
    layout::FacilityHead& head = core_.head();
    const std::uint64_t last = head.journal_last.load();
    if (head.recoveries.load() > last) {
      broken(head.recoveries.load(), " were recovered, but the journal has ", last, " entries");
    }
    if (!still_) return;
    if (core_.segment().locks().is_locked(core_.maintenance_lock())) broken("the maintenance lock is held");
    for (const layout::JournalEntry& entry : head.journal) {
      const std::uint64_t number = entry.number.load();
      if (number > last) broken("journal entry ", number, " is behind the last one, ", last);
      if (number != 0 && entry.finished_ns.load() == 0) broken("journal entry ", number, " was never finished");
    }
  }

  // What one that is away, and has no limits, has not read stands there.
  void look_at_durable_readers() {
    for (std::uint32_t index = 0; index < g_.durable_readers; ++index) {
      const layout::DurableReader& record = core_.durable_reader(index);
      if (record.state.load() > 2) broken("durable reader ", index, " is in state ", record.state.load());
      if (!detail::is_named(core_, index) || detail::reader_of(core_, index)) continue;
      const std::uint64_t hold = record.hold.load();
      if (hold > active_.generation) broken("durable reader ", index, " keeps generation ", hold, ", which is to come");
      const bool has_limits = record.max_bytes.load() != 0 || record.max_away_ns.load() != 0;
      if (is_lossless() && !has_limits && !can_be_read(hold)) {
        broken("generation ", hold, ", which durable reader ", index, " keeps, is not there");
      }
    }
  }

  void look_at_cursor() {
    if (cursor_.slab() >= g_.slabs) broken("the cursor points into slab ", cursor_.slab());
    const SlabLife life = life_of(cursor_.slab());
    if (life.state() != SlabState::active || !cursor_.is_in(life.generation())) {
      broken("the cursor says generation ", cursor_.generation_tag(), ", slab ", cursor_.slab(), " has ",
             life.generation(), " in state ", static_cast<int>(life.state()));
    }
    active_ = {life.generation(), cursor_.slab(), cursor_.offset_bytes()};
    const std::uint64_t reach = g_.slab_bytes * (1 + core_.segment().control().high_slot.load());
    if (active_.offset_bytes > reach) {
      broken("the cursor's offset is ", active_.offset_bytes, "; a claim of each participant leads to ", reach,
             " at the most");
    }
  }

  void look_at_descriptors() {
    std::map<std::uint64_t, std::uint32_t> owners;
    std::uint32_t in_reclaim = 0;
    for (std::uint32_t slab = 0; slab < g_.slabs; ++slab) {
      const SlabLife life = life_of(slab);
      if (life.state() > SlabState::cleaning) broken("slab ", slab, " has state ", static_cast<int>(life.state()));
      if (life.generation() != 0) {
        const auto [other, is_new] = owners.try_emplace(life.generation(), slab);
        if (!is_new) broken("slabs ", other->second, " and ", slab, " both have generation ", life.generation());
      }
      if (life.state() == SlabState::active) look_at_other_active(slab, life.generation());
      in_reclaim += life.state() == SlabState::reclaiming || life.state() == SlabState::cleaning ? 1 : 0;
      if (still_ && life.state() == SlabState::reclaiming) broken("slab ", slab, " is being reclaimed by nobody");
      if (is_prepared(life)) continue;
      if (life.generation() > active_.generation) broken("slab ", slab, " has a generation to come");
      if (life.readable() || life.state() == SlabState::reclaiming) readable_[life.generation()] = slab;
    }
    if (in_reclaim > 1) broken(in_reclaim, " slabs are being reclaimed at once");
    look_for_gaps();
    const std::uint64_t closed = core_.control().closed_through.load();
    if (closed >= active_.generation)
      broken("generation ", closed, " is closed, and the cursor is in ", active_.generation);
  }

  bool is_prepared(SlabLife life) const {
    return life.state() == SlabState::active && life.generation() == active_.generation + 1;
  }

  // Beside the one that the cursor points into: the next one, prepared; the one before, which its flipper has yet to
  // close.
  void look_at_other_active(std::uint32_t slab, std::uint64_t generation) {
    if (slab == active_.slab || generation == active_.generation + 1) return;
    if (still_ || generation + 1 != active_.generation) {
      broken("slab ", slab, " is active with generation ", generation, ", and the cursor is in ", active_.generation);
    }
  }

  // Slabs are reclaimed in the order of their generations, unless a pin is in the way.
  void look_for_gaps() {
    if (!is_lossless()) return;
    std::uint64_t expected = readable_.begin()->first;
    for (const auto& [generation, slab] : readable_) {
      if (generation != expected) broken("generation ", expected, " is missing between others");
      ++expected;
    }
  }

  void look_at_slabs() {
    std::uint64_t before = 0;  // overwrite: messages in all generations before `next`, plus one; 0 while unknown
    std::uint64_t next = 0;
    for (const auto& [generation, slab] : readable_) {
      const bool closed = generation <= core_.control().closed_through.load();
      SlabDescriptor& descriptor = core_.descriptor(slab);
      const SlabGeneration where{generation, slab};
      const std::uint64_t messages = messages_in(core_, where, claimed_bytes(core_, active_, where), closed, still_);
      found_ += messages;
      if (closed && descriptor.closed.load() != 1) broken("generation ", generation, " is closed, and does not say so");
      // A closer says it here before it says it of all.
      if (descriptor.closed.load() != 0 && generation > core_.control().closed_through.load() + 1) {
        broken("generation ", generation, " says that it is closed, before one that came earlier");
      }
      if (is_lossless()) continue;
      if (closed && descriptor.messages.load() != messages + 1) {
        broken("generation ", generation, " has ", messages, " messages, and says ", descriptor.messages.load(),
               " - 1");
      }
      if (before != 0 && generation == next && descriptor.messages_before.load() != before) {
        broken("generation ", generation, " says ", descriptor.messages_before.load(),
               " - 1 messages before it; it must be ", before, " - 1");
      }
      before = closed && descriptor.messages_before.load() != 0 ? descriptor.messages_before.load() + messages : 0;
      next = generation + 1;
    }
    for (std::uint32_t slab = 0; slab < g_.slabs; ++slab) {
      const SlabLife life = life_of(slab);
      if (life.state() == SlabState::free || is_prepared(life)) check_clean(core_, slab);
    }
  }

  void look_for_dead() const {
    const RecoveryReport found = find_dead(segment_);
    if (!found.dead.empty()) broken("slot ", found.dead.front().slot, " is in use, and its lock is free");
  }

  void look_at_slot(std::uint32_t index) {
    const StreamSlot& slot = core_.slot(index);
    const SlotRegistration registration{core_.segment().participant(index).registration.load()};
    if (registration.state() > SlotState::attaching)
      broken("slot ", index, " has state ", static_cast<int>(registration.state()));
    if (registration.in_use() && index >= core_.segment().control().high_slot.load())
      broken("slot ", index, " is in use above high_slot");
    const bool is_own = core_.registration_of(index).in_use();
    if (is_own && registration.role() != SlotRole::writer && registration.role() != SlotRole::reader) {
      broken("slot ", index, " is in use without a role");
    }
    if (still_) {
      if (!registration.in_use() && core_.segment().locks().is_locked(layout::kSlotLocks + index))
        broken("slot ", index, " is free, and its lock is held");
      if (registration.state() == SlotState::leaving) broken("slot ", index, " says for ever that it is leaving");
      if (registration.state() == SlotState::attaching) broken("slot ", index, " says for ever that it is attaching");
    }
    if (!is_own) return still_ ? look_at_free_slot(index, slot) : void();
    if (registration.role() == SlotRole::writer) return look_at_writer(index, slot);
    look_at_reader(index, slot);
  }

  void look_at_free_slot(std::uint32_t index, const StreamSlot& slot) {
    if (slot.claim.load() != 0) broken("slot ", index, " is free, and has a claim");
    if (Progress{slot.progress.load()}.busy()) broken("slot ", index, " is free, and busy");
    // Of one who died while he attached (he has no front yet) nobody believes them.
    if (slot.pins.load() != 0 && slot.front.load() != 0) broken("slot ", index, " is free, and pins slabs");
  }

  void look_at_writer(std::uint32_t index, const StreamSlot& slot) {
    const Claim claim{slot.claim.load()};
    if (still_ && claim.is_claiming()) broken("slot ", index, " is claiming for ever");
    if (!claim.is_located()) return;
    if (claim.slab() >= g_.slabs || claim.offset_bytes() >= g_.slab_bytes)
      broken("slot ", index, " has a claim outside");
    if (!places_.insert(claim.word).second) broken("slot ", index, " has a claim that another writer has, too");
    const std::uint64_t generation = life_of(claim.slab()).generation();
    if (!still_ || !claim.is_in(generation) || !can_be_read(generation)) return;
    const std::uint64_t counted = detail::load_ledger(slot).in_extent;
    const auto there = messages_in_own_extent(core_, index, claim);
    if (there && *there != counted) {
      broken("the open extent of slot ", index, " has ", *there, " messages, and its ledger says ", counted);
    }
  }

  void look_at_reader(std::uint32_t index, const StreamSlot& slot) {
    const std::uint64_t hold = slot.hold.load();
    if (g_.slabs < 64 && slot.pins.load() >> g_.slabs != 0) broken("slot ", index, " pins slabs that there are not");
    if (is_lossless()) {
      if (!still_ && hold == layout::kNoHold) return;  // settled, but for the last store
      if (hold > active_.generation) broken("slot ", index, " holds generation ", hold, ", which is to come");
      if (!can_be_read(hold)) broken("slot ", index, " holds generation ", hold, ", which is gone");
      return;
    }
    if (hold != layout::kNoHold) broken("slot ", index, " holds a generation of a stream that overwrites");
    for (std::uint32_t slab = 0; still_ && slab < g_.slabs; ++slab) {
      if ((slot.pins.load() >> slab & 1) != 0 && !life_of(slab).readable()) {
        broken("slot ", index, " pins slab ", slab, ", which cannot be read");
      }
    }
  }

  void look_at_ledger() {
    const layout::StreamControl& control = core_.control();
    std::uint64_t committed = control.departed[control.departed_selector.load() & 1].committed.load();
    for (std::uint32_t index = 0; index < g_.participants; ++index) {
      if (core_.registration_of(index).in_use()) committed += detail::load_ledger(core_.slot(index)).committed;
    }
    const auto& [oldest, slab] = *readable_.begin();
    const std::uint64_t before = is_lossless() ? 0 : core_.descriptor(slab).messages_before.load();
    // Where a reader has pinned an old slab, newer ones are overwritten.
    const bool no_gap = readable_.rbegin()->first - oldest + 1 == readable_.size();
    const bool all_known = no_gap && (oldest == 1 || before != 0);
    const std::uint64_t gone = before == 0 ? 0 : before - 1;
    if (all_known && gone + found_ != committed) {
      broken(committed, " messages were committed; ", found_, " are found, behind ", gone);
    }
    if (found_ > committed) broken(committed, " messages were committed; ", found_, " are found");
    for (std::uint32_t index = 0; index < g_.participants; ++index) {
      const StreamSlot& reader = core_.slot(index);
      if (core_.registration_of(index).role() != SlotRole::reader) continue;
      if (reader.delivered.load() + reader.lost.load() > committed) {
        broken("slot ", index, " got ", reader.delivered.load(), " messages and lost ", reader.lost.load(), " of ",
               committed);
      }
      if (is_lossless() && reader.lost.load() != 0) broken("slot ", index, " lost messages of a lossless stream");
    }
  }

  const Segment& segment_;
  StreamCore& core_;
  const layout::StreamGeometry& g_;
  const bool still_;
  const Cursor cursor_;
  ActiveSlab active_;
  std::map<std::uint64_t, std::uint32_t> readable_;  // slabs by generation; none that is prepared only
  std::set<std::uint64_t> places_;
  std::uint64_t found_ = 0;  // messages
};

}  // namespace

std::string broken_invariant(const Segment& segment, Motion motion) {
  try {
    Inspection{segment, motion}.run();
  } catch (const Broken& found) {
    return found.what();
  }
  return {};
}

void check_invariants(const Segment& segment, Motion motion) { Inspection{segment, motion}.run(); }

}  // namespace sapbuf::test
