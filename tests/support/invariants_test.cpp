// Each invariant is broken once, and must be found.
#include "support/invariants.hpp"
#include "support/every_stream.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "stream/slabs.hpp"
#include "support/hostile.hpp"
#include "support/main_stream.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;
using detail::StreamCore;
using layout::Claim;
using layout::Cursor;
using layout::Extent;
using layout::ExtentState;
using layout::FrameHeader;
using layout::FrameKind;
using layout::SlabLife;
using layout::SlabState;
using layout::SlotRegistration;
using layout::SlotRole;
using layout::SlotState;

SegmentOptions options(Order order, OnFull on_full) {
  return {.slabs = 4,
          .slab_bytes = 4096,
          .order = order,
          .extent_bytes = order == Order::per_writer ? 512u : 0u,
          .on_full = on_full,
          .participants = 8,
          .durable_readers = 1};
}

// A segment in the midst of things: two generations or more are over, one at least is closed; a reservation is open. In
// per-writer order, where generations are closed early, one slab was never used.
struct Victim {
  Victim(Order order, OnFull on_full) : segment{options(order, on_full)} {
    for (std::uint32_t number = 0; active().generation < 3 || closed() == 0; ++number) {
      must_put(number % 2 == 0 ? first : second, {number % 2, number}, 8 + number * 11 % 300);
      log.read(reader, 5);
    }
    open.emplace(second.reserve(40));
  }

  StreamCore& core() { return main_stream(segment); }
  layout::ParticipantSlot& participant_at(std::uint32_t slot) { return segment.core()->participant(slot); }
  layout::Control& registry() { return segment.core()->control(); }
  layout::StreamControl& control() { return core().control(); }
  detail::ActiveSlab active() { return detail::load_active(core()); }
  std::uint32_t slab_of(std::uint64_t generation) { return detail::find_slab(core(), generation).value(); }
  layout::SlabDescriptor& descriptor_of(std::uint64_t generation) { return core().descriptor(slab_of(generation)); }
  std::uint64_t closed() { return control().closed_through.load(); }
  layout::Word& word_in(std::uint32_t slab, std::uint64_t offset) {
    return layout::word_at(core().slab_for_writing(slab) + offset);
  }
  layout::StreamSlot& slot_of(const Reader& who) { return core().slot(who.slot()); }
  layout::StreamSlot& slot_of(const Writer& who) { return core().slot(who.slot()); }
  layout::LedgerRecord& record_of(const Writer& who) {
    return slot_of(who).records[layout::Progress{slot_of(who).progress.load()}.parity()];
  }
  layout::Word& own_extent_of(const Writer& who) {
    const Claim claim{slot_of(who).claim.load()};
    return core().extent(claim.slab(), claim.offset_bytes() / core().geometry().granule_bytes);
  }
  layout::SlabDescriptor& oldest() { return core().descriptor(detail::find_oldest(core(), 1)->slab); }
  std::uint32_t free_slab() {  // per-writer order: there is one
    for (std::uint32_t slab = 0;; ++slab) {
      if (SlabLife{core().descriptor(slab).life.load()}.state() == SlabState::free) return slab;
    }
  }

  HeapSegment segment;
  Reader reader{segment};
  Writer first{segment, {.timeout = std::chrono::milliseconds{0}}};
  Writer second{segment, {.timeout = std::chrono::milliseconds{0}}};
  Log log;
  std::optional<Reservation> open;
};

struct Break {
  const char* says;  // what is to be found
  Order order;
  OnFull on_full;
  void (*act)(Victim&);
};
std::ostream& operator<<(std::ostream& out, const Break& one) { return out << one.says; }

constexpr Order kPer = Order::per_writer;
constexpr Order kTotal = Order::total;
constexpr OnFull kBlock = OnFull::block;
constexpr OnFull kOver = OnFull::overwrite;

const Break kBreaks[] = {
    {"the cursor points into slab", kPer, kBlock, [](Victim& v) { v.control().cursor = Cursor::make(1, 9, 0).word; }},
    {"the cursor's offset is", kTotal, kBlock, [](Victim& v) { v.control().cursor += 4096; }},
    {"the cursor says generation", kPer, kBlock,
     [](Victim& v) {
       v.core().descriptor(v.active().slab).life = SlabLife::make(v.active().generation, SlabState::sealed).word;
     }},
    {"both have generation", kPer, kBlock,
     [](Victim& v) { v.core().descriptor(v.free_slab()).life = SlabLife::make(v.closed(), SlabState::free).word; }},
    {"has a generation to come", kPer, kBlock,
     [](Victim& v) {
       v.core().descriptor(v.free_slab()).life = SlabLife::make(v.active().generation + 2, SlabState::sealed).word;
     }},
    {"is being reclaimed by nobody", kTotal, kOver,
     [](Victim& v) { v.descriptor_of(v.closed()).life = SlabLife::make(v.closed(), SlabState::reclaiming).word; }},
    {"is active with generation", kTotal, kBlock,
     [](Victim& v) { v.descriptor_of(v.closed()).life = SlabLife::make(v.closed(), SlabState::active).word; }},
    {"is missing between others", kPer, kBlock,
     [](Victim& v) {
       const std::uint64_t middle = v.active().generation - 1;
       v.descriptor_of(middle).life = SlabLife::make(middle, SlabState::free).word;
     }},
    {"and the cursor is in", kPer, kBlock, [](Victim& v) { v.control().closed_through = v.active().generation; }},
    {"is closed, and does not say so", kPer, kBlock, [](Victim& v) { v.descriptor_of(v.closed()).closed = 0; }},
    {"before one that came earlier", kPer, kBlock,
     [](Victim& v) { v.descriptor_of(v.active().generation).closed = 1; }},
    {"the rest of a closed generation is no filler", kTotal, kBlock,
     [](Victim& v) {
       const FrameHeader first{v.word_in(v.slab_of(v.closed()), 0)};
       v.descriptor_of(v.closed()).limit_bytes = first.span();
     }},
    {"the chain of a closed extent is broken", kPer, kBlock,
     [](Victim& v) { v.word_in(v.slab_of(v.closed()), 16) = 0; }},
    {"messages in an extent, and its table says", kPer, kBlock,
     [](Victim& v) { v.core().extent(v.slab_of(v.closed()), 0) += 1; }},
    {"does not lead back to its first", kPer, kBlock,
     [](Victim& v) {
       layout::Word& word = v.core().extent(v.slab_of(v.closed()), 0);
       word = Extent::make(ExtentState::closed, 0, 2).word;
     }},
    {"a row of granules is broken", kPer, kBlock,
     [](Victim& v) {
       layout::Word& word = v.core().extent(v.slab_of(v.closed()), 0);
       word = Extent::make(ExtentState::closed, 0, 3).word;
     }},
    {"granules in a row", kPer, kBlock,
     [](Victim& v) { v.own_extent_of(v.second) = Extent::make(ExtentState::open, v.second.slot(), 9).word; }},
    {"open, in a closed generation", kPer, kBlock,
     [](Victim& v) { v.core().extent(v.slab_of(v.closed()), 0) = Extent::make(ExtentState::open, 0, 1).word; }},
    {"an extent of slot", kPer, kBlock,
     [](Victim& v) { v.own_extent_of(v.second) = Extent::make(ExtentState::open, 77, 1).word; }},
    {"an extent frame names another owner", kPer, kBlock,
     [](Victim& v) { v.own_extent_of(v.second) = Extent::make(ExtentState::open, v.first.slot(), 1).word; }},
    {"claimed, and opened by nobody", kPer, kBlock, [](Victim& v) { v.own_extent_of(v.second) = 0; }},
    {"in the table, and not claimed", kPer, kBlock,
     [](Victim& v) { v.core().extent(v.active().slab, 7) = Extent::make(ExtentState::open, 1, 1).word; }},
    {"and its ledger says", kPer, kBlock, [](Victim& v) { v.record_of(v.second).in_extent += 1; }},
    {"a busy frame, in a closed generation", kTotal, kBlock,
     [](Victim& v) {
       layout::Word& word = v.word_in(v.slab_of(v.closed()), 0);
       word = FrameHeader::make(FrameKind::busy, FrameHeader{word}.payload_bytes()).word;
     }},
    {"which is not at work there", kTotal, kBlock, [](Victim& v) { v.slot_of(v.second).claim = 0; }},
    {"claimed, and written by nobody", kTotal, kBlock, [](Victim& v) { v.control().cursor += 2; }},
    {"the chain is broken", kTotal, kBlock,
     [](Victim& v) { v.word_in(v.slab_of(v.closed()), 0) = FrameHeader::nop(8192).word; }},
    {"written, and not claimed", kTotal, kBlock, [](Victim& v) { v.word_in(v.active().slab, 4088) = 1; }},
    {"is free, and written at", kTotal, kBlock,
     [](Victim& v) { v.oldest().life = SlabLife::make(1, SlabState::free).word; }},
    {"is free, and extent", kPer, kBlock, [](Victim& v) { v.core().extent(v.free_slab(), 3) = 1; }},
    {"messages, and says", kPer, kOver, [](Victim& v) { v.descriptor_of(v.closed()).messages += 1; }},
    {"messages before it; it must be", kTotal, kOver,
     [](Victim& v) { v.descriptor_of(v.closed() + 1).messages_before += 1; }},
    {"in use, and its lock is free", kPer, kBlock,
     [](Victim& v) {
       v.registry().high_slot = 8;
       v.participant_at(6).facility = v.core().id().word;
       v.participant_at(6).registration = SlotRegistration::make(1, SlotRole::writer, SlotState::attached).word;
     }},
    {"is in use above high_slot", kPer, kBlock,
     [](Victim& v) {
       v.participant_at(6).registration = SlotRegistration::make(1, SlotRole::writer, SlotState::attached).word;
     }},
    {"is free, and its lock is held", kPer, kBlock,
     [](Victim& v) { BOOST_TEST(v.core().segment().locks().try_lock(layout::kSlotLocks + 6)); }},
    {"is in use without a role", kPer, kBlock,
     [](Victim& v) {
       v.participant_at(v.first.slot()).registration =
           SlotRegistration::make(1, SlotRole::none, SlotState::attached).word;
     }},
    {"says for ever that it is leaving", kPer, kBlock,
     [](Victim& v) {
       v.participant_at(v.first.slot()).registration =
           SlotRegistration::make(1, SlotRole::writer, SlotState::leaving).word;
     }},
    {"says for ever that it is attaching", kPer, kBlock,
     [](Victim& v) {
       v.participant_at(v.first.slot()).registration =
           SlotRegistration::make(1, SlotRole::writer, SlotState::attaching).word;
     }},
    {"is free, and has a claim", kPer, kBlock, [](Victim& v) { v.core().slot(6).claim = Claim::claiming(1).word; }},
    {"is free, and busy", kPer, kBlock, [](Victim& v) { v.core().slot(6).progress = layout::Progress::kBusy; }},
    {"is free, and pins slabs", kPer, kBlock,
     [](Victim& v) {
       v.core().slot(6).front = 1;
       v.core().slot(6).pins = 1;
     }},
    {"durable reader 0 is in state 7", kPer, kBlock, [](Victim& v) { v.core().durable_reader(0).state = 7; }},
    {"durable reader 0 keeps generation", kPer, kBlock,
     [](Victim& v) {
       v.core().durable_reader(0).state = static_cast<std::uint64_t>(layout::DurableState::named);
       v.core().durable_reader(0).hold = v.active().generation + 1;
     }},
    {"which durable reader 0 keeps, is not there", kTotal, kBlock,
     [](Victim& v) {
       v.core().durable_reader(0).state = static_cast<std::uint64_t>(layout::DurableState::named);
       v.core().durable_reader(0).hold = 0;
     }},
    {"is claiming for ever", kPer, kBlock, [](Victim& v) { v.slot_of(v.first).claim = Claim::claiming(1).word; }},
    {"a claim that another writer has, too", kTotal, kBlock,
     [](Victim& v) { v.slot_of(v.first).claim = v.slot_of(v.second).claim.load(); }},
    {"has a claim outside", kTotal, kBlock,
     [](Victim& v) { v.slot_of(v.first).claim = Claim::located(1, 60, 0).word; }},
    {", which is to come", kPer, kBlock, [](Victim& v) { v.slot_of(v.reader).hold = v.active().generation + 1; }},
    {", which is gone", kPer, kBlock, [](Victim& v) { v.slot_of(v.reader).hold = 0; }},
    {"of a stream that overwrites", kPer, kOver, [](Victim& v) { v.slot_of(v.reader).hold = 1; }},
    {"pins slabs that there are not", kPer, kBlock, [](Victim& v) { v.slot_of(v.reader).pins = 1 << 7; }},
    {", which cannot be read", kTotal, kOver,
     [](Victim& v) {
       v.slot_of(v.reader).pins = 1u << v.slab_of(v.closed());
       v.descriptor_of(v.closed()).life = SlabLife::make(v.closed(), SlabState::cleaning).word;
     }},
    {"messages were committed", kPer, kBlock, [](Victim& v) { v.record_of(v.first).committed += 1; }},
    {"messages were committed", kTotal, kOver, [](Victim& v) { v.record_of(v.first).committed -= 1; }},
    {"messages and lost", kPer, kBlock, [](Victim& v) { v.slot_of(v.reader).delivered = 1000; }},
    {"lost messages of a lossless stream", kPer, kBlock,
     [](Victim& v) {
       v.slot_of(v.reader).delivered = 0;
       v.slot_of(v.reader).lost = 1;
     }},
    {"was never finished", kPer, kBlock,
     [](Victim& v) {
       v.core().head().journal[1].number = 1;
       v.core().head().journal_last = 1;
     }},
    {"is behind the last one", kPer, kBlock, [](Victim& v) { v.core().head().journal[1].number = 1; }},
    {"but the journal has", kPer, kBlock, [](Victim& v) { v.core().head().recoveries = 1; }},
    {"nothing stands", kPer, kBlock, [](Victim& v) { v.control().data.reserved_0 = 2; }},
    {"high_slot is", kPer, kBlock, [](Victim& v) { v.registry().high_slot = 9; }},
    {"the maintenance lock is held", kPer, kBlock,
     [](Victim& v) { BOOST_TEST(v.core().segment().locks().try_lock(layout::kMaintenanceLocks)); }},
};

BOOST_AUTO_TEST_SUITE(invariants)

BOOST_DATA_TEST_CASE(hold_in_a_busy_segment, kEveryStream, order, policy) {
  Victim victim{order, policy};
  BOOST_TEST(broken_invariant(victim.segment) == "");
  BOOST_TEST(broken_invariant(victim.segment, Motion::stopped) == "");
  victim.open->commit(40);
  victim.first.close();
  BOOST_TEST(broken_invariant(victim.segment) == "");
}

BOOST_DATA_TEST_CASE(that_are_broken_are_found, data::make(kBreaks), one) {
  Victim victim{one.order, one.on_full};
  BOOST_REQUIRE(broken_invariant(victim.segment) == "");
  BOOST_REQUIRE(victim.closed() != 0);
  const std::vector<std::byte> bytes(victim.segment.memory.bytes().begin(), victim.segment.memory.bytes().end());
  one.act(victim);
  const std::string found = broken_invariant(victim.segment);
  BOOST_TEST(found.find(one.says) != std::string::npos, "found: " << (found.empty() ? "nothing" : found));
  BOOST_CHECK_THROW(check_invariants(victim.segment), std::runtime_error);
  std::copy(bytes.begin(), bytes.end(), victim.segment.memory.bytes().begin());  // for those who leave now
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
