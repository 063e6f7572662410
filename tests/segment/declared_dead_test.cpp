// The second line: a participant that others took for dead although it lives finds out, and does no further harm.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "stream/stream_core.hpp"
#include "support/child.hpp"
#include "support/main_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

SegmentOptions small(Order order, std::uint32_t participants, OnFull on_full = OnFull::block) {
  return {.slab_bytes = 4096, .order = order, .on_full = on_full, .participants = participants};
}

BOOST_AUTO_TEST_SUITE(declared_dead)

BOOST_DATA_TEST_CASE(a_writer_is_told_at_its_next_message, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order, 4));
  Writer writer{segment};
  Reader reader{segment};
  BOOST_TEST(writer.write("before") == Status::ok);
  declare_dead(segment, writer.slot());
  for (int i = 0; i < 2; ++i) {
    BOOST_TEST(writer.write("after") == Status::declared_dead);
    BOOST_TEST(writer.reserve_batch(2, 10).status() == Status::declared_dead);
  }
  Writer next{segment};
  BOOST_TEST(next.slot() != writer.slot());  // so that the mark stays for as long as there is room elsewhere
  BOOST_TEST(writer.write("after") == Status::declared_dead);
  BOOST_TEST(next.write("next") == Status::ok);
  BOOST_TEST(texts(reader) == (std::vector<std::string>{"before", "next"}), boost::test_tools::per_element());
}

// The mark is gone. It is told when it needs a new extent, or (total order) at once.
BOOST_DATA_TEST_CASE(a_writer_whose_slot_is_anothers_is_told_by_and_by, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order, 1));
  Writer writer{segment, {.timeout = 0ms}};
  BOOST_TEST(writer.write("before") == Status::ok);
  declare_dead(segment, writer.slot());
  const Writer next{segment, {.name = "next"}};
  BOOST_TEST(next.slot() == writer.slot());
  Status status = Status::ok;
  for (int i = 0; i < 100 && status == Status::ok; ++i) status = writer.write(std::string(100, 'x'));
  BOOST_TEST(status == Status::declared_dead);
  writer.close();
  const Snapshot now = inspect(segment);
  BOOST_TEST_REQUIRE(now.participants.size() == 1U);
  BOOST_TEST(now.participants[0].name == "next");
  BOOST_TEST(now.participants[0].state == Liveness::alive);
}

BOOST_DATA_TEST_CASE(a_writer_that_is_closed_takes_nothing_from_the_slots_next_owner, data::make(kOrders), order) {
  const HeapSegment segment{small(order, 1)};
  Writer writer{segment};
  BOOST_TEST(writer.write("before") == Status::ok);
  declare_dead(segment, writer.slot());
  Writer next{segment};
  BOOST_TEST(next.slot() == writer.slot());
  Reservation open = next.reserve(8);
  writer.close();
  BOOST_TEST(writer.write("after") == Status::closed);
  open.commit();
  BOOST_TEST(next.write("next") == Status::ok);
}

BOOST_DATA_TEST_CASE(what_it_aborts_takes_nothing_from_the_slots_next_owner,
                     data::make(kOrders) * data::make({false, true}), order, is_closed) {
  const HeapSegment segment{small(order, 1)};
  Writer writer{segment};
  Reservation lost = writer.reserve(8);
  declare_dead(segment, writer.slot());
  Writer next{segment};
  BOOST_TEST(next.slot() == writer.slot());
  Reservation open = next.reserve(8);
  if (is_closed) writer.close();
  lost.abort();
  BOOST_TEST(layout::Progress{main_stream(segment).slot(next.slot()).progress.load()}.busy());
  open.commit();
  BOOST_TEST(next.write("next") == Status::ok);
  const Ledger ledger = ledger_of(segment, next.slot());
  BOOST_TEST(ledger.committed == 2U);
  BOOST_TEST(ledger.aborted == 0U);
}

BOOST_DATA_TEST_CASE(a_reader_is_told_and_its_last_range_takes_nothing_from_the_slots_next_owner,
                     data::make(kOrders) * data::make({OnFull::block, OnFull::overwrite}), order, on_full) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order, 2, on_full));
  Writer writer{segment, {.timeout = 0ms}};
  BOOST_TEST(writer.write("one") == Status::ok);
  Reader reader{segment};
  std::optional<PinnedRange> range{reader.pin()};
  BOOST_TEST((range->begin() != range->end()));
  declare_dead(segment, reader.slot());
  Reader next{segment, {.name = "next"}};
  BOOST_TEST(next.slot() == reader.slot());
  std::optional<PinnedRange> its{next.pin()};
  BOOST_TEST((its->begin() != its->end()));
  const auto word_of = [&](layout::Word layout::StreamSlot::*word) {
    return (main_stream(segment).slot(next.slot()).*word).load();
  };
  const std::uint64_t hold = word_of(&layout::StreamSlot::hold);
  const std::uint64_t pins = word_of(&layout::StreamSlot::pins);
  range.reset();
  BOOST_TEST(error_of([&] { reader.wait_for(0ms); }) == Errc::declared_dead);
  BOOST_TEST(error_of([&] { static_cast<void>(reader.pin()); }) == Errc::declared_dead);
  BOOST_TEST(message_of([&] { reader.wait_for(0ms); }).find("make a new one") != std::string::npos);
  reader.close();
  BOOST_TEST(word_of(&layout::StreamSlot::hold) == hold);
  BOOST_TEST(word_of(&layout::StreamSlot::pins) == pins);
  BOOST_TEST(inspect(segment).participants.size() == 2U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
