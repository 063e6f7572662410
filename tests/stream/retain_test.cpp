// What nobody has read yet: kept where the stream was made so, and otherwise counted.
#include <signal.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <thread>

#include <sapbuf/detail/kill_point.hpp>

#include "stream/stream_core.hpp"
#include "support/child.hpp"
#include "support/every_stream.hpp"
#include "support/main_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

SegmentOptions retaining(Order order) { return {.slab_bytes = 4096, .order = order, .retain = true}; }

// How many messages are accepted until one is not.
std::uint32_t fill_up(const Segment& segment) {
  Writer writer{segment, {.timeout = 10ms}};
  return put_until_refused(writer, {1, 0}, 1000, 200);
}

BOOST_AUTO_TEST_SUITE(retain)

BOOST_DATA_TEST_CASE(writers_wait_for_a_first_reader, data::make(kOrders), order) {
  const HeapSegment segment{retaining(order)};
  const std::uint32_t accepted = fill_up(segment);
  BOOST_TEST(accepted < 100U);
  BOOST_TEST(inspect(segment).awaits_first_reader);
  std::atomic<bool> done{false};
  std::thread blocked{[&] {
    Writer writer{segment};
    must_put(writer, {2, 0}, 2000);
    done = true;
  }};
  BOOST_TEST(eventually([&] { return main_stream(segment).control().space.is_awaited(); }));
  BOOST_TEST(!done.load());
  Reader reader{segment};
  BOOST_TEST(!inspect(segment).awaits_first_reader);
  BOOST_TEST((reader.missed_before() == 0U));
  Log log;
  BOOST_TEST(log.read_until(reader, accepted + 1));
  blocked.join();
  BOOST_TEST(log.in_order());
  BOOST_TEST(log.torn() == 0U);
}

BOOST_DATA_TEST_CASE(once_a_reader_has_come_and_gone_nothing_is_kept_for_the_next, data::make(kOrders), order) {
  const HeapSegment segment{retaining(order)};
  { const Reader first{segment, {.from = From::newest}}; }
  BOOST_TEST(fill_up(segment) == 1000U);
}

// Its death is no reading: it has not said that it came.
BOOST_DATA_TEST_CASE(a_first_reader_that_dies_while_it_attaches_does_not_count, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, retaining(order));
  Child child{[&](Link&) {
    kill_point::arm(KillPoint::attach_attached, kill_self);
    Reader{Segment::open(name)};
  }};
  BOOST_TEST(child.wait() == -SIGKILL);
  recover(segment);
  BOOST_TEST(inspect(segment).awaits_first_reader);
  const std::uint32_t accepted = fill_up(segment);
  Reader reader{segment};
  Log log;
  while (log.read(reader) != 0) {
  }
  BOOST_TEST(log.is_complete(1, accepted));
}

BOOST_AUTO_TEST_CASE(the_segment_says_whether_it_retains) {
  const HeapMemory memory{retaining(Order::total)};
  BOOST_TEST(Segment::create_in(memory, retaining(Order::total)).options().retain);
  BOOST_TEST(Segment::open_in(memory).options().retain);
  const Segment other = Segment::create_in(memory, {.slab_bytes = 4096, .order = Order::total});
  BOOST_TEST(!other.options().retain);
  BOOST_TEST(!inspect(other).awaits_first_reader);
}

BOOST_DATA_TEST_CASE(only_a_stream_that_blocks_can_retain, data::make({OnFull::drop, OnFull::overwrite}), on_full) {
  const std::string text =
      message_of([&] { Segment::bytes_needed({.slab_bytes = 4096, .on_full = on_full, .retain = true}); });
  BOOST_TEST(text.find("must block") != std::string::npos);
}

// --- How many went before
// ------------------------------------------------------------------------------------------------

BOOST_DATA_TEST_CASE(a_reader_learns_how_many_went_before_it_came, kEveryStream, order, on_full) {
  const HeapSegment segment{{.slab_bytes = 4096, .order = order, .on_full = on_full}};
  {
    const Reader first{segment};
    BOOST_TEST((first.missed_before() == 0U));
  }
  BOOST_TEST(fill_up(segment) == 1000U);
  const bool counted = order == Order::per_writer || on_full == OnFull::overwrite;
  Reader oldest{segment};
  const Reader newest{segment, {.from = From::newest}};
  Log log;
  while (log.read(oldest) != 0) {
  }
  BOOST_TEST(oldest.missed_before().has_value() == counted);
  BOOST_TEST(newest.missed_before().has_value() == counted);
  if (!counted) return;
  BOOST_TEST(log.size() + oldest.missed_before().value() == 1000U);
  BOOST_TEST(newest.missed_before().value() == 1000U);
  BOOST_TEST(oldest.lost() + newest.lost() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
