// Readers: where they begin, what a range keeps valid, how they wait.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "stream/extents.hpp"
#include "stream/stream_core.hpp"
#include "support/child.hpp"
#include "support/every_stream.hpp"
#include "support/main_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

using Texts = std::vector<std::string>;
using Clock = std::chrono::steady_clock;

struct Stream {
  Stream(Order order, OnFull on_full, std::uint32_t slabs = 2)
      : segment{{.slabs = slabs, .slab_bytes = 4096, .order = order, .on_full = on_full}} {}

  HeapSegment segment;
  Writer writer{segment, {.timeout = 20ms}};
};

// Up to `count` messages more, as long as they are accepted; returns how many were.
std::uint32_t press(Writer& writer, std::uint32_t first, std::uint32_t count) {
  return put_until_refused(writer, {2, first}, count, 200);
}

BOOST_AUTO_TEST_SUITE(reader)

BOOST_DATA_TEST_CASE(a_reader_from_the_oldest_gets_what_still_stands, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  BOOST_TEST(stream.writer.write("before") == Status::ok);
  Reader reader{stream.segment, {.from = From::oldest}};
  BOOST_TEST(stream.writer.write("after") == Status::ok);
  BOOST_TEST(texts(reader) == (Texts{"before", "after"}), boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(a_reader_from_the_newest_gets_only_what_comes, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  BOOST_TEST(stream.writer.write("before") == Status::ok);
  Reader reader{stream.segment, {.from = From::newest}};
  BOOST_TEST(!reader.wait_for(0ms));
  BOOST_TEST(stream.writer.write("after") == Status::ok);
  BOOST_TEST(texts(reader) == Texts{"after"}, boost::test_tools::per_element());
  BOOST_TEST(reader.delivered() == 1U);
  BOOST_TEST(reader.lost() == 0U);
}

// The messages come after the reader, but go into extents that were opened before it, in slabs that are full by now.
BOOST_DATA_TEST_CASE(a_reader_from_the_newest_follows_extents_that_are_open_already, kEveryStream, order, on_full) {
  Stream stream{order, on_full, 3};
  Writer early{stream.segment, {.name = "early"}};
  BOOST_TEST(early.write("before") == Status::ok);
  Reservation open = early.reserve(4);
  press(stream.writer, 0, 15);
  Reader reader{stream.segment, {.from = From::newest}};
  std::memcpy(open.bytes().data(), "open", 4);
  open.commit();
  BOOST_TEST(early.write("after") == Status::ok);
  Texts seen = texts(reader);
  std::erase_if(seen, [](const std::string& text) { return text.size() == 200; });
  BOOST_TEST(seen == (Texts{"open", "after"}), boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(a_reader_from_the_newest_begins_at_the_open_frame_in_total_order, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Writer slow{stream.segment, {.name = "slow"}};
  Reservation open = slow.reserve(4);
  BOOST_TEST(stream.writer.write("before") == Status::ok);
  Reader reader{stream.segment, {.from = From::newest}};
  open.commit();
  BOOST_TEST(stream.writer.write("after") == Status::ok);
  Texts seen = texts(reader);
  std::erase_if(seen, [](const std::string& text) { return text.size() == 4; });
  // Total order is one chain: what stands behind the open frame cannot be skipped without it.
  const Texts expected = order == Order::total ? Texts{"before", "after"} : Texts{"after"};
  BOOST_TEST(seen == expected, boost::test_tools::per_element());
}

// In total order, all of it stands behind the open frame, and none may be left out of the middle of it.
BOOST_DATA_TEST_CASE(a_reader_from_the_newest_skips_later_slabs_only_if_it_skips_the_earlier, kEveryStream, order,
                     on_full) {
  Stream stream{order, on_full, 4};
  Writer slow{stream.segment, {.name = "slow"}};
  Reservation open = slow.reserve(4);
  constexpr std::uint32_t count = 40;  // of 200 bytes, in slabs of 4096
  BOOST_TEST_REQUIRE(press(stream.writer, 0, count) == count);
  Reader reader{stream.segment, {.from = From::newest}};
  std::memcpy(open.bytes().data(), "open", 4);
  open.commit();
  BOOST_TEST(texts(reader).size() == (order == Order::total ? count + 1 : 1));
  BOOST_TEST(reader.lost() == 0U);
}

// A claim of several extents that runs over the slab's end leaves one hole there. A reader that did not pass it would
// hold its slab for ever.
BOOST_AUTO_TEST_CASE(a_reader_passes_a_hole_of_several_extents) {
  Stream stream{Order::per_writer, OnFull::block};
  detail::StreamCore& core = main_stream(stream.segment);
  core.control().cursor.fetch_add(stream.segment.options().slab_bytes / layout::kUnitBytes);
  detail::close_hole(core, {.slab = 0, .index = 0}, core.geometry().granules_per_slab());
  Reader reader{stream.segment};
  Log log;
  for (std::uint32_t number = 0; number < 100; ++number) {
    BOOST_TEST_REQUIRE(put(stream.writer, {1, number}, 200) == Status::ok);
    log.read(reader);
  }
  BOOST_TEST(log.is_complete(1, 100));
}

BOOST_DATA_TEST_CASE(readers_side_by_side_get_everything_each, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  std::vector<Reader> readers;
  for (int i = 0; i < 10; ++i) readers.emplace_back(stream.segment);
  std::vector<Log> logs(readers.size());
  for (std::uint32_t number = 0; number < 400; ++number) {
    BOOST_TEST_REQUIRE(put(stream.writer, {1, number}, 100) == Status::ok);
    for (std::size_t i = 0; i < readers.size(); ++i) logs[i].read(readers[i]);
  }
  for (const Log& log : logs) BOOST_TEST(log.is_complete(1, 400));
}

BOOST_DATA_TEST_CASE(a_loop_that_breaks_off_gets_the_rest_the_next_time, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Reader reader{stream.segment};
  Texts all;
  for (int i = 0; i < 10; ++i) {
    all.push_back(std::to_string(i));
    BOOST_TEST(stream.writer.write(all.back()) == Status::ok);
  }
  Texts seen;
  for (int i = 0; i < 4; ++i) {
    for (const std::string& text : texts(reader, 3)) seen.push_back(text);
    BOOST_TEST(reader.delivered() == seen.size());
  }
  BOOST_TEST(seen == all, boost::test_tools::per_element());
  BOOST_TEST(!reader.wait_for(0ms));
}

BOOST_DATA_TEST_CASE(loops_that_break_off_anywhere_lose_and_repeat_nothing, data::make(kOrders), order) {
  const std::uint64_t seed = base_seed();
  BOOST_TEST_CONTEXT("seed " << seed) {
    Dice dice{seed};
    Stream stream{order, OnFull::block, 3};
    Writer other{stream.segment, {.timeout = 20ms}};
    Reader reader{stream.segment};
    Log log;
    std::uint32_t written[2] = {0, 0};
    for (int step = 0; step < 20000; ++step) {
      if (dice.one_in(3)) {
        log.read(reader, dice.below(5));
      } else {
        const auto id = static_cast<std::uint32_t>(dice.below(2));
        // The one thread must not wait for itself.
        if (written[0] + written[1] - log.size() > 10) continue;
        BOOST_TEST_REQUIRE(put(id == 0 ? stream.writer : other, {id, written[id]}, 8 + dice.below(200)) == Status::ok);
        ++written[id];
      }
    }
    while (log.read(reader) != 0) {
    }
    BOOST_TEST(log.size() == written[0] + written[1]);
    BOOST_TEST(log.in_order());
    BOOST_TEST(log.torn() == 0U);
  }
}

BOOST_DATA_TEST_CASE(a_range_that_nobody_walks_delivers_nothing, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Reader reader{stream.segment};
  BOOST_TEST(stream.writer.write("here") == Status::ok);
  { const PinnedRange untouched = reader.pin(); }
  BOOST_TEST(reader.delivered() == 0U);
  BOOST_TEST(texts(reader) == Texts{"here"}, boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(an_empty_stream_gives_an_empty_range, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Reader reader{stream.segment};
  BOOST_TEST(texts(reader).empty());
  BOOST_TEST(texts(reader).empty());
  BOOST_TEST(reader.delivered() == 0U);
}

// How many messages of `press` go into the first slab.
std::uint32_t messages_in_one_slab(Order order) {
  Stream stream{order, OnFull::overwrite};
  std::uint32_t count = 0;
  while (inspect(stream.segment).generation == 1) press(stream.writer, count++, 1);
  return count - 1;
}

// The reader has got all messages of a slab that stays, because another reader has pinned it; the slabs behind it were
// overwritten. What comes next is in the newest ones.
BOOST_DATA_TEST_CASE(a_range_is_empty_only_if_nothing_can_be_read, data::make(kOrders), order) {
  for (const bool waits_first : {false, true}) {
    Stream stream{order, OnFull::overwrite, 3};
    Reader pinning{stream.segment};
    Reader reader{stream.segment};
    const PinnedRange held = pinning.pin();
    const std::uint32_t in_the_first = messages_in_one_slab(order);
    for (std::uint32_t i = 0; i < in_the_first; ++i) {
      press(stream.writer, i, 1);
      BOOST_TEST(texts(reader).size() == 1U);
    }
    BOOST_TEST(press(stream.writer, in_the_first, 1000) == 1000U);
    if (waits_first) BOOST_TEST(reader.wait_for(0ms));
    BOOST_TEST(!texts(reader).empty());
  }
}

BOOST_DATA_TEST_CASE(a_second_range_waits_for_the_end_of_the_first, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Reader reader{stream.segment};
  BOOST_TEST(stream.writer.write("here") == Status::ok);
  {
    const PinnedRange first = reader.pin();
    BOOST_TEST(error_of([&] { static_cast<void>(reader.pin()); }) == Errc::busy);
  }
  BOOST_TEST(texts(reader).size() == 1U);
}

BOOST_DATA_TEST_CASE(a_range_that_is_at_its_end_stays_there, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Reader reader{stream.segment};
  BOOST_TEST(stream.writer.write("here") == Status::ok);
  const PinnedRange range = reader.pin();
  for (const Frame& frame : range) BOOST_TEST(frame.bytes().size() == 4U);
  BOOST_TEST((range.begin() == range.end()));
}

// Two slabs, and the reader has pinned the first: whatever the policy, its bytes stay.
BOOST_DATA_TEST_CASE(pinned_frames_stay_while_writers_need_the_slab, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Reader reader{stream.segment};
  BOOST_TEST_REQUIRE(put(stream.writer, {1, 0}, 100) == Status::ok);
  {
    const PinnedRange range = reader.pin();
    const Frame frame = *range.begin();
    BOOST_TEST(press(stream.writer, 0, 1000) < 1000U);
    BOOST_TEST(put(stream.writer, {3, 0}, 200) == (on_full == OnFull::block ? Status::would_deadlock : Status::full));
    BOOST_TEST((tag_of(frame.bytes()) == Tag{1, 0}));
  }
  while (!texts(reader).empty()) {
  }
  BOOST_TEST(stream.writer.write("more") == Status::ok);
  BOOST_TEST(texts(reader) == Texts{"more"}, boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(a_pinned_slab_does_not_stop_an_overwriting_stream_of_three, data::make(kOrders), order) {
  Stream stream{order, OnFull::overwrite, 3};
  Reader reader{stream.segment};
  BOOST_TEST_REQUIRE(put(stream.writer, {1, 0}, 100) == Status::ok);
  std::uint32_t received = 0;
  {
    const PinnedRange range = reader.pin();
    const Frame frame = *range.begin();
    ++received;
    BOOST_TEST(press(stream.writer, 0, 1000) == 1000U);
    BOOST_TEST((tag_of(frame.bytes()) == Tag{1, 0}));
  }
  Log log;
  while (log.read(reader) != 0) {
  }
  BOOST_TEST(log.in_order());
  BOOST_TEST(log.torn() == 0U);
  BOOST_TEST(received + log.size() + reader.lost() == 1001U);
  BOOST_TEST(reader.delivered() == received + log.size());
}

// Waiting while a range is alive must not let go of what the range keeps.
BOOST_DATA_TEST_CASE(waiting_keeps_a_living_range_valid, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Reader reader{stream.segment};
  BOOST_TEST_REQUIRE(put(stream.writer, {1, 0}, 100) == Status::ok);
  const std::uint32_t accepted = press(stream.writer, 0, 25);
  BOOST_TEST(inspect(stream.segment).generation == 2U);
  const PinnedRange range = reader.pin();
  std::vector<Frame> frames;
  for (const Frame& frame : range) frames.push_back(frame);
  BOOST_TEST(frames.size() == accepted + 1);
  static_cast<void>(error_of([&] { reader.wait_for(0ms); }));
  press(stream.writer, accepted, 1000);
  BOOST_TEST_REQUIRE(!frames.empty());
  BOOST_TEST((tag_of(frames.front().bytes()) == Tag{1, 0}));
}

// The range has been walked to its end; the wait learns of a slab that was not there before.
BOOST_DATA_TEST_CASE(waiting_before_a_range_goes_loses_nothing_of_what_came_meanwhile, kEveryStream, order, on_full) {
  Stream stream{order, on_full, 3};
  Reader reader{stream.segment};
  std::uint32_t accepted = press(stream.writer, 0, 5);
  Log log;
  {
    const PinnedRange range = reader.pin();
    std::uint32_t walked = 0;
    for (const Frame& frame : range) walked += frame.bytes().size() == 200;
    BOOST_TEST(walked == accepted);
    while (inspect(stream.segment).generation == 1) accepted += press(stream.writer, accepted, 1);
    static_cast<void>(error_of([&] { reader.wait_for(0ms); }));
  }
  while (reader.wait_for(1ms)) log.read(reader);
  BOOST_TEST(log.size() + 5 == accepted);
  BOOST_TEST(log.in_order());
  BOOST_TEST(log.torn() == 0U);
}

BOOST_DATA_TEST_CASE(waiting_in_the_middle_of_a_range_changes_nothing_in_it, kEveryStream, order, on_full) {
  Stream stream{order, on_full, 3};
  Reader reader{stream.segment};
  Log log;
  const std::uint32_t accepted = press(stream.writer, 0, 40);
  std::uint32_t expected = 0;
  for (const Frame& frame : reader.pin()) {
    BOOST_TEST((tag_of(frame.bytes()) == Tag{2, expected++}));
    static_cast<void>(error_of([&] { reader.wait_for(0ms); }));
  }
  while (log.read(reader) != 0) {
  }
  BOOST_TEST(expected + log.size() + reader.lost() == accepted);
}

BOOST_DATA_TEST_CASE(a_wait_ends_with_its_time_and_not_before, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Reader reader{stream.segment};
  for (const auto timeout : {1ms, 30ms, 120ms}) {
    const auto begin = Clock::now();
    BOOST_TEST(!reader.wait_for(timeout));
    BOOST_TEST((Clock::now() - begin >= timeout));
  }
}

BOOST_DATA_TEST_CASE(a_wait_without_time_only_looks, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Reader reader{stream.segment};
  BOOST_TEST(!reader.wait_for(0ns));
  BOOST_TEST(!reader.wait_for(-1h));
  BOOST_TEST(stream.writer.write("x") == Status::ok);
  BOOST_TEST(reader.wait_for(-1h));
  BOOST_TEST(reader.wait_for(std::chrono::nanoseconds::max()));
}

// Messages: many waits end at once because something is there already; so each one is waited for alone.
BOOST_DATA_TEST_CASE(a_sleeping_reader_of_another_process_is_woken, kEveryStream, order, on_full) {
  const TestName name;
  const Segment segment = Segment::create(name, {.order = order, .on_full = on_full});
  Child sleeper{[&](Link& link) {
    Reader reader{Segment::open(name)};
    link.say(1);
    for (int i = 0; i < 5; ++i) {
      if (!reader.wait_for(kPatience * 2)) throw std::runtime_error("nothing came");
      while (!texts(reader).empty()) {
      }
      link.say(2);
    }
  }};
  sleeper.hear();
  Writer writer{segment};
  layout::Event& event = main_stream(segment).control().data;
  for (int i = 0; i < 5; ++i) {
    // It announces itself before it sleeps; the commit that finds the announcement makes the wake.
    BOOST_TEST(eventually([&] { return event.is_awaited(); }));
    const std::uint32_t wakes = event.wakes();
    BOOST_TEST(writer.write("wake up") == Status::ok);
    BOOST_TEST(event.wakes() != wakes);
    BOOST_TEST(sleeper.hear() == 2U);
  }
  BOOST_TEST(sleeper.wait() == 0);
}

BOOST_DATA_TEST_CASE(a_commit_makes_no_system_call_when_nobody_sleeps, data::make(kOrders), order) {
  Stream stream{order, OnFull::block};
  layout::Event& event = main_stream(stream.segment).control().data;
  const std::uint32_t wakes = event.wakes();
  for (int i = 0; i < 10; ++i) BOOST_TEST(stream.writer.write("x") == Status::ok);
  BOOST_TEST(event.wakes() == wakes);
}

// A sleeper that was killed costs one wake, not one for each commit ever after.
BOOST_DATA_TEST_CASE(a_dead_sleeper_costs_one_wake, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, {.order = order});
  layout::Event& event = main_stream(segment).control().data;
  Child sleeper{[&](Link&) { Reader{Segment::open(name)}.wait_for(kPatience * 2); }};
  BOOST_TEST(eventually([&] { return event.is_awaited(); }));
  sleeper.stop();
  sleeper.kill();
  Writer writer{segment};
  const std::uint32_t wakes = event.wakes();
  for (int i = 0; i < 100; ++i) BOOST_TEST(writer.write("x") == Status::ok);
  BOOST_TEST(event.wakes() - wakes <= 1U);
}

BOOST_DATA_TEST_CASE(a_moved_reader_goes_on, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Reader first{stream.segment};
  BOOST_TEST(stream.writer.write("one") == Status::ok);
  BOOST_TEST(texts(first).size() == 1U);
  Reader second = std::move(first);
  BOOST_TEST(stream.writer.write("two") == Status::ok);
  BOOST_TEST(texts(second) == Texts{"two"}, boost::test_tools::per_element());
  BOOST_TEST(second.delivered() == 2U);
}

// A reader amid much, and what its next range is to leave out.
struct Following {
  Following() {
    must_put(writer, {1, 0}, 10000);
    log.read(reader);
    must_put(writer, {1, 1}, 5000);   // the rest of that extent
    must_put(writer, {1, 2}, 10000);  // the next one, open
  }
  const HeapSegment segment;
  Reader reader{segment};
  Writer writer{segment};
  Log log;
};

BOOST_FIXTURE_TEST_CASE(behind_a_wait_amid_much_a_range_leaves_what_is_just_begun_to_the_next, Following) {
  BOOST_TEST(reader.wait_for(0ns));
  BOOST_TEST(log.read(reader) == 1U);
  BOOST_TEST(reader.wait_for(0ns));
  BOOST_TEST(log.read(reader) == 1U);
  BOOST_TEST(log.is_complete(1, 3));
}

BOOST_FIXTURE_TEST_CASE(without_a_wait_a_range_has_all_that_is_there, Following) {
  BOOST_TEST(log.read(reader) == 2U);
  BOOST_TEST(log.is_complete(1, 3));
}

BOOST_FIXTURE_TEST_CASE(a_slow_writers_extent_is_left_out_only_once, Following) {
  Writer slow{segment};
  must_put(slow, {2, 0});
  for (int range = 0; range < 2; ++range) {
    must_put(writer, {1, 3 + static_cast<std::uint32_t>(range)}, 10000);
    BOOST_TEST(reader.wait_for(0ns));
    log.read(reader);
  }
  BOOST_TEST(log.by_writer().contains(2));
}

// A closer that died behind its revocation leaves the extent open; its owner finds itself revoked, and goes on
// elsewhere.
BOOST_AUTO_TEST_CASE(an_extent_that_was_left_open_does_not_come_behind_its_owners_next_one) {
  const HeapSegment segment{{.slab_bytes = 8 * 16384, .extent_bytes = 16384}};
  Reader reader{segment};
  Writer busy{segment};
  Writer idle{segment};
  Log log;
  std::uint32_t by_busy = 0;
  std::uint32_t by_idle = 0;
  must_put(busy, {1, by_busy++}, 10000);
  log.read(reader);
  must_put(idle, {2, by_idle++});
  while (generation_of(segment) == 1) must_put(busy, {1, by_busy++}, 4000);
  BOOST_TEST(reader.wait_for(0ns));

  main_stream(segment).slot(idle.slot()).revoked = 1;
  while (by_idle < 6) must_put(idle, {2, by_idle++}, 4000);
  for (int i = 0; i < 3; ++i) log.read(reader);
  const auto numbers = log.by_writer();
  BOOST_TEST(log.in_order());
  BOOST_TEST(numbers.at(1).size() == by_busy);
  BOOST_TEST(numbers.at(2).size() == by_idle);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
