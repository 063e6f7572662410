// How far a reader is behind: what a snapshot says of it is what the reader then gets.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "support/every_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

std::optional<Lag> lag_of(const Segment& segment, std::uint32_t slot, const InspectOptions& options = {}) {
  for (const ParticipantSnapshot& participant : inspect(segment, options).participants) {
    if (participant.slot == slot) return participant.lag;
  }
  return std::nullopt;
}

// Reads all that is there.
Lag drain(Reader& reader) {
  Lag got;
  while (reader.wait_for(0ms)) {
    for (const Frame& frame : reader.pin()) {
      ++got.messages;
      got.bytes += frame.bytes().size();
    }
  }
  return got;
}

void read_some(Reader& reader, std::uint64_t limit) {
  if (limit == 0) return;
  for (const Frame& frame : reader.pin()) {
    static_cast<void>(frame);
    if (--limit == 0) break;
  }
}

// What the snapshot says is what comes; and then nothing more is said.
void check_lag(const Segment& segment, Reader& reader) {
  const std::optional<Lag> told = lag_of(segment, reader.slot());
  BOOST_REQUIRE(told.has_value());
  const Lag got = drain(reader);
  BOOST_TEST(told->messages == got.messages);
  BOOST_TEST(told->bytes == got.bytes);
  const std::optional<Lag> rest = lag_of(segment, reader.slot());
  BOOST_REQUIRE(rest.has_value());
  BOOST_TEST(rest->messages == 0U);
  BOOST_TEST(rest->bytes == 0U);
}

struct Stream {
  Stream(Order order, OnFull on_full, std::uint32_t slabs = 4)
      : segment{{.slabs = slabs, .slab_bytes = 4096, .order = order, .on_full = on_full}} {}

  HeapSegment segment;
  Writer writer{segment, {.timeout = 0ms}};
};

BOOST_AUTO_TEST_SUITE(lag)

BOOST_DATA_TEST_CASE(a_reader_is_behind_by_what_it_has_not_read, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Reader reader{stream.segment};
  for (const char* text : {"one", "three", "five"}) BOOST_TEST(stream.writer.write(text) == Status::ok);
  BOOST_TEST(lag_of(stream.segment, reader.slot())->messages == 3U);
  BOOST_TEST(lag_of(stream.segment, reader.slot())->bytes == 12U);
  read_some(reader, 1);
  BOOST_TEST(lag_of(stream.segment, reader.slot())->messages == 2U);
  BOOST_TEST(lag_of(stream.segment, reader.slot())->bytes == 9U);
  check_lag(stream.segment, reader);
}

BOOST_DATA_TEST_CASE(writers_and_those_who_do_not_ask_learn_of_no_lag, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Reader reader{stream.segment};
  BOOST_CHECK(!lag_of(stream.segment, stream.writer.slot()));
  BOOST_CHECK(!lag_of(stream.segment, reader.slot(), {.lag = false}));
}

BOOST_DATA_TEST_CASE(a_reader_that_came_late_is_behind_by_what_still_stands, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  put_until_refused(stream.writer, {1, 0}, 200, 300);  // more than the slabs hold
  Reader oldest{stream.segment, {.from = From::oldest}};
  Reader newest{stream.segment, {.from = From::newest}};
  BOOST_TEST(lag_of(stream.segment, oldest.slot())->messages > 10U);
  BOOST_TEST(lag_of(stream.segment, newest.slot())->messages == 0U);
  put_until_refused(stream.writer, {1, 200}, 3, 300);
  check_lag(stream.segment, newest);
  check_lag(stream.segment, oldest);
}

BOOST_DATA_TEST_CASE(what_was_left_out_on_the_way_to_the_newest_is_no_lag, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Reader reader{stream.segment};
  Writer other{stream.segment, {.timeout = 0ms}};
  put_until_refused(stream.writer, {1, 0}, 20, 100);
  put_until_refused(other, {2, 0}, 5, 200);
  reader.skip_to_newest();
  const std::uint64_t kept = order == Order::total ? 1 : 2;
  BOOST_TEST(lag_of(stream.segment, reader.slot())->messages == kept);
  check_lag(stream.segment, reader);
}

// Until it looks, a reader may seem to be further behind than it is, and never less.
BOOST_DATA_TEST_CASE(what_was_overwritten_is_no_lag, data::make(kOrders), order) {
  Stream stream{order, OnFull::overwrite};
  Reader reader{stream.segment};
  put_until_refused(stream.writer, {1, 0}, 3, 300);
  read_some(reader, 2);
  put_until_refused(stream.writer, {1, 3}, 200, 300);
  const Lag told = *lag_of(stream.segment, reader.slot());
  BOOST_TEST(told.messages < 60U);  // no more than the slabs hold
  BOOST_TEST(reader.wait_for(0ms));
  BOOST_TEST(reader.lost() > 100U);
  BOOST_TEST(lag_of(stream.segment, reader.slot())->messages <= told.messages);
  check_lag(stream.segment, reader);
}

BOOST_DATA_TEST_CASE(whatever_writers_and_readers_do, kEveryStream* data::xrange(kSlow ? 3 : 20), order, on_full,
                     round) {
  Stream stream{order, on_full};
  Writer other{stream.segment, {.timeout = 0ms}};
  Reader reader{stream.segment};
  Dice dice{base_seed() + static_cast<std::uint64_t>(round)};
  for (std::uint32_t step = 0; step < 60; ++step) {
    put_until_refused(dice.one_in(3) ? other : stream.writer, {1, step * 20},
                      static_cast<std::uint32_t>(dice.below(20)), 8 + dice.below(400));
    read_some(reader, dice.below(20));
    if (dice.one_in(20)) reader.skip_to_newest();
    if (!dice.one_in(4)) continue;
    reader.wait_for(0ms);  // so that it knows what was overwritten
    check_lag(stream.segment, reader);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
