// Readers that want the newest: attaching there, skipping to it, pinning no more than what is looked at.
#include <signal.h>

#include <bit>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

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

struct Stream {
  Stream(Order order, OnFull on_full, std::uint32_t slabs = 3)
      : segment{{.slabs = slabs, .slab_bytes = 4096, .order = order, .on_full = on_full}} {}

  int pinned_slabs(const Reader& reader) const {
    return std::popcount(main_stream(segment).slot(reader.slot()).pins.load());
  }

  HeapSegment segment;
  Writer writer{segment, {.timeout = 20ms}};
};

std::vector<Tag> tags_in(Reader& reader) {
  Log log;
  log.read(reader);
  BOOST_TEST(log.torn() == 0U);
  return log.tags();
}

BOOST_AUTO_TEST_SUITE(newest)

// --- Skipping
// ----------------------------------------------------------------------------------------------------------

BOOST_DATA_TEST_CASE(skipping_leaves_the_newest_message, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Reader reader{stream.segment};
  BOOST_TEST(reader.skip_to_newest() == 0U);
  for (std::uint32_t number = 0; number < 10; ++number) must_put(stream.writer, {1, number});
  BOOST_TEST(reader.skip_to_newest() == 9U);
  BOOST_TEST(reader.skip_to_newest() == 0U);
  BOOST_TEST(reader.wait_for(0ms));
  BOOST_TEST(tags_in(reader) == (std::vector<Tag>{{1, 9}}), boost::test_tools::per_element());
  BOOST_TEST(reader.skip_to_newest() == 0U);
  BOOST_TEST(!reader.wait_for(0ms));
  must_put(stream.writer, {1, 10});
  BOOST_TEST(reader.skip_to_newest() == 0U);
  BOOST_TEST(tags_in(reader) == (std::vector<Tag>{{1, 10}}), boost::test_tools::per_element());
  BOOST_TEST(reader.delivered() == 2U);
  BOOST_TEST(reader.skipped() == 9U);
  BOOST_TEST(reader.lost() == 0U);
  BOOST_TEST(ledger_of(stream.segment, reader.slot()).skipped == 9U);
  reader.close();
  const Ledger departed = inspect(stream.segment).departed;
  BOOST_TEST(departed.skipped == 9U);
  BOOST_TEST(departed.delivered == 2U);
}

BOOST_DATA_TEST_CASE(skipping_through_many_slabs_counts_each_message_once, kEveryStream, order, on_full) {
  Stream stream{order, on_full, 6};
  Reader reader{stream.segment};
  std::uint32_t written = 0;
  while (generation_of(stream.segment) < 5) must_put(stream.writer, {1, written++}, 200);
  BOOST_TEST(reader.skip_to_newest() == written - 1);
  BOOST_TEST(tags_in(reader) == (std::vector<Tag>{{1, written - 1}}), boost::test_tools::per_element());
  BOOST_TEST(reader.delivered() + reader.skipped() + reader.lost() == written);
}

// The slabs that it left out are free for writers.
BOOST_DATA_TEST_CASE(skipping_lets_go_of_what_was_left_out, data::make(kOrders), order) {
  Stream stream{order, OnFull::block};
  Reader reader{stream.segment};
  std::uint32_t written = 0;
  while (put(stream.writer, {1, written}, 200) == Status::ok) ++written;
  reader.skip_to_newest();
  must_put(stream.writer, {1, written}, 200);
  BOOST_TEST(tags_in(reader) == (std::vector<Tag>{{1, written - 1}, {1, written}}), boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(each_writers_last_word_stays_in_per_writer_order, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Writer quiet{stream.segment};
  for (std::uint32_t number = 0; number < 5; ++number) must_put(quiet, {2, number});
  Reader reader{stream.segment};
  std::uint32_t written = 0;
  while (generation_of(stream.segment) < 2) must_put(stream.writer, {1, written++}, 200);
  reader.skip_to_newest();
  const std::vector<Tag> both{{2, 4}, {1, written - 1}};
  const std::vector<Tag> last{{1, written - 1}};
  BOOST_TEST(tags_in(reader) == (order == Order::per_writer ? both : last), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(in_total_order_the_newest_is_the_last_before_an_open_frame) {
  Stream stream{Order::total, OnFull::block};
  Reader reader{stream.segment};
  Writer slow{stream.segment};
  must_put(stream.writer, {1, 0});
  must_put(stream.writer, {1, 1});
  Reservation open = slow.reserve(kTagBytes);
  must_put(stream.writer, {1, 2});
  BOOST_TEST(reader.skip_to_newest() == 1U);
  fill(open.bytes(), {2, 0});
  open.commit();
  BOOST_TEST(tags_in(reader) == (std::vector<Tag>{{1, 1}, {2, 0}, {1, 2}}), boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(skipping_waits_for_the_end_of_a_range, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Reader reader{stream.segment};
  must_put(stream.writer, {1, 0});
  const PinnedRange range = reader.pin();
  BOOST_TEST(error_of([&] { reader.skip_to_newest(); }) == Errc::busy);
}

// A slab that another reader has pinned stays, and those behind it were overwritten: what is newest lies behind the
// gap.
BOOST_DATA_TEST_CASE(skipping_goes_on_behind_a_gap, data::make(kOrders), order) {
  Stream stream{order, OnFull::overwrite};
  must_put(stream.writer, {1, 0}, 200);
  Reader pinning{stream.segment};
  Reader reader{stream.segment};
  const PinnedRange held = pinning.pin();
  std::uint32_t written = 1;
  while (generation_of(stream.segment) < 8) must_put(stream.writer, {1, written++}, 200);
  reader.skip_to_newest();
  BOOST_TEST(tags_in(reader) == (std::vector<Tag>{{1, written - 1}}), boost::test_tools::per_element());
  BOOST_TEST(reader.lost() != 0U);
  BOOST_TEST(reader.delivered() + reader.skipped() + reader.lost() == written);
}

// What a flip brings behind the look is newer than what the look found, and makes no gap of it.
BOOST_DATA_TEST_CASE(a_flip_behind_the_look_costs_nobody_his_last_word, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Writer quiet{stream.segment};
  Reader reader{stream.segment};
  for (std::uint32_t number = 0; number < 5; ++number) must_put(quiet, {2, number});
  must_put(stream.writer, {1, 0}, 200);
  std::uint32_t written = 1;
  kill_point::arm(KillPoint::newest_looked, [&] {
    while (generation_of(stream.segment) < 2) must_put(stream.writer, {1, written++}, 200);
  });
  BOOST_TEST(reader.skip_to_newest() != 0U);
  kill_point::disarm();
  BOOST_TEST(generation_of(stream.segment) == 2U);
  const std::vector<Tag> tags = tags_in(reader);
  BOOST_TEST_REQUIRE(tags.size() >= 2U);
  BOOST_TEST((tags.front() == (order == Order::per_writer ? Tag{2, 4} : Tag{1, 0})));
  BOOST_TEST((tags.back() == Tag{1, written - 1}));
}

// --- Pins
// --------------------------------------------------------------------------------------------------------------

BOOST_DATA_TEST_CASE(a_range_of_the_newest_pins_one_slab, data::make(kOrders), order) {
  Stream stream{order, OnFull::overwrite, 4};
  Reader reader{stream.segment};
  std::uint32_t written = 0;
  while (generation_of(stream.segment) < 4) must_put(stream.writer, {1, written++}, 200);
  {
    const PinnedRange range = reader.pin();
    BOOST_TEST(stream.pinned_slabs(reader) >= 3);
  }
  reader.skip_to_newest();
  BOOST_TEST(stream.pinned_slabs(reader) == 0);
  const PinnedRange range = reader.pin();
  BOOST_TEST(stream.pinned_slabs(reader) == 1);
  const auto at = range.begin();
  for (int i = 0; i < 1000; ++i) BOOST_TEST_REQUIRE(put(stream.writer, {2, 0}, 200) == Status::ok);
  BOOST_TEST((tag_of(at->bytes()) == Tag{1, written - 1}));
}

// The open extent of a writer that says nothing is no reason to keep its slab.
BOOST_AUTO_TEST_CASE(a_range_pins_no_slab_without_anything_to_read) {
  Stream stream{Order::per_writer, OnFull::overwrite, 4};
  Writer idle{stream.segment};
  Reader reader{stream.segment};
  must_put(idle, {2, 0});
  BOOST_TEST(tags_in(reader).size() == 1U);
  std::uint32_t written = 0;
  while (generation_of(stream.segment) < 2) must_put(stream.writer, {1, written++}, 200);
  for (int i = 0; i < 2; ++i) {
    static_cast<void>(tags_in(reader));
    must_put(stream.writer, {1, written++}, 200);
  }
  const PinnedRange range = reader.pin();
  BOOST_TEST(stream.pinned_slabs(reader) == 1);
}

// As many slabs as readers that pin, and two: one to write, one to go to.
BOOST_DATA_TEST_CASE(a_reader_that_keeps_one_frame_never_stops_a_stream_of_three, data::make(kOrders), order) {
  Stream stream{order, OnFull::overwrite};
  Reader viewer{stream.segment, {.keep = Keep::frame}};
  std::uint32_t written = 0;
  std::uint32_t expected = 0;
  for (int round = 0; round < 100; ++round) {
    while (!viewer.wait_for(0ms)) must_put(stream.writer, {1, written++}, 200);
    // The range goes through all that there is; the slabs behind the first one are overwritten while it stands there.
    for (const Frame& frame : viewer.pin()) {
      const auto before = tag_of(frame.bytes());
      BOOST_TEST(stream.pinned_slabs(viewer) == 1);
      for (int i = 0; i < 30; ++i) BOOST_TEST_REQUIRE(put(stream.writer, {1, written++}, 200) == Status::ok);
      BOOST_TEST_REQUIRE(before.has_value());
      BOOST_TEST(before->number >= expected);
      expected = before->number + 1;
      BOOST_TEST((tag_of(frame.bytes()) == before));
    }
  }
  while (viewer.wait_for(0ms)) static_cast<void>(tags_in(viewer));
  BOOST_TEST(viewer.lost() != 0U);
  BOOST_TEST(viewer.delivered() + viewer.lost() == written);
}

// A range of it goes from slab to slab as any other does, where nobody overwrites them.
BOOST_DATA_TEST_CASE(a_range_that_keeps_one_frame_goes_through_all_slabs, data::make(kOrders), order) {
  Stream stream{order, OnFull::overwrite, 5};
  Reader viewer{stream.segment, {.keep = Keep::frame}};
  std::uint32_t written = 0;
  while (generation_of(stream.segment) < 4) must_put(stream.writer, {1, written++}, 200);
  std::uint32_t number = 0;
  for (const Frame& frame : viewer.pin()) {
    BOOST_TEST((tag_of(frame.bytes()) == Tag{1, number++}));
    BOOST_TEST(stream.pinned_slabs(viewer) == 1);
  }
  BOOST_TEST(number == written);
  BOOST_TEST(stream.pinned_slabs(viewer) == 0);
}

// What comes behind it is left to the next range, which says how much is lost.
BOOST_DATA_TEST_CASE(a_slab_that_was_taken_ends_a_range_that_keeps_one_frame, data::make(kOrders), order) {
  Stream stream{order, OnFull::overwrite, 4};
  Reader viewer{stream.segment, {.keep = Keep::frame}};
  std::uint32_t written = 0;
  const auto write_until = [&](std::uint64_t generation) {
    while (generation_of(stream.segment) < generation) must_put(stream.writer, {1, written++}, 200);
    return written - 1;  // its first message
  };
  const std::uint32_t second = write_until(2);
  const std::uint32_t third = write_until(3);
  write_until(4);
  std::vector<Tag> first;
  for (const Frame& frame : viewer.pin()) {
    if (first.empty()) write_until(5);  // over the second one: the first is pinned
    first.push_back(tag_of(frame.bytes()).value_or(Tag{}));
    BOOST_TEST(viewer.lost() == 0U);
  }
  BOOST_TEST(first.size() == second);
  BOOST_TEST((first.back() == Tag{1, second - 1}));
  Log rest;
  while (rest.read(viewer) != 0) {
  }
  BOOST_TEST((rest.tags().front() == Tag{1, third}));
  BOOST_TEST(rest.size() == written - third);
  BOOST_TEST(rest.in_order());
  BOOST_TEST(viewer.lost() == third - second);
}

BOOST_DATA_TEST_CASE(elsewhere_frames_stay_as_long_as_their_range, data::make(kOrders), order) {
  Stream stream{order, OnFull::block};
  Reader reader{stream.segment, {.keep = Keep::frame}};
  std::uint32_t written = 0;
  while (generation_of(stream.segment) < 2) must_put(stream.writer, {1, written++}, 200);
  const PinnedRange range = reader.pin();
  std::vector<Frame> frames;
  for (const Frame& frame : range) frames.push_back(frame);
  while (put(stream.writer, {1, 0}, 200) == Status::ok) {
  }
  for (std::uint32_t number = 0; number < written; ++number) {
    BOOST_TEST((tag_of(frames.at(number).bytes()) == Tag{1, number}));
  }
}

// --- Attaching
// ---------------------------------------------------------------------------------------------------------

// A reader that is stopped on its way to the newest: writers flip meanwhile, and what is committed once it has attached
// is delivered.
BOOST_DATA_TEST_CASE(writers_flip_while_a_reader_looks_for_the_newest, kEveryStream, order, on_full) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slabs = 4, .slab_bytes = 4096, .order = order, .on_full = on_full});
  Writer writer{segment, {.timeout = 20ms}};
  for (std::uint32_t number = 0; number < 5; ++number) must_put(writer, {1, number}, 200);
  Child child{[&](Link& link) {
    kill_point::arm(KillPoint::attach_skipping, stop_self);
    Reader reader{Segment::open(name), {.from = From::newest}};
    link.say(1);
    Log log;
    if (!log.read_until(reader, link.hear())) throw std::runtime_error("messages are missing");
    for (const Tag& tag : log.tags()) {
      if (tag.writer == 1 && tag.number < 5) throw std::runtime_error("it was there before");
    }
    if (!log.in_order() || log.torn() != 0) throw std::runtime_error("out of order, or torn");
    if (log.by_writer()[2].size() != 10) throw std::runtime_error("it was committed after the reader had attached");
  }};
  BOOST_TEST_REQUIRE(child.wait_until_stopped());
  std::uint32_t number = 5;
  while (generation_of(segment) < 4) BOOST_TEST_REQUIRE(put(writer, {1, number++}, 200) == Status::ok);
  child.resume();
  BOOST_TEST(child.hear() == 1U);
  for (std::uint32_t i = 0; i < 10; ++i) must_put(writer, {2, i});
  child.say(10);
  BOOST_TEST(child.wait() == 0);
}

// One chain: what stands behind an open frame, in later generations too, is read after it.
BOOST_DATA_TEST_CASE(a_reader_of_the_newest_begins_at_an_open_frame_of_an_older_generation, data::make(kPolicies),
                     on_full) {
  Stream stream{Order::total, on_full, 4};
  Writer slow{stream.segment};
  for (std::uint32_t number = 0; number < 3; ++number) must_put(stream.writer, {1, number}, 200);
  Reservation open = slow.reserve(kTagBytes);
  std::uint32_t written = 3;
  while (generation_of(stream.segment) < 3) must_put(stream.writer, {1, written++}, 200);
  Reader reader{stream.segment, {.from = From::newest}};
  BOOST_TEST(reader.missed_before().value_or(3) == 3U);  // not every stream counts them
  fill(open.bytes(), {2, 0});
  open.commit();
  Log log;
  BOOST_TEST(log.read_until(reader, written - 3 + 1));
  BOOST_TEST(log.tags().front() == (Tag{2, 0}));
  BOOST_TEST(log.tags().at(1) == (Tag{1, 3}));
  BOOST_TEST(log.in_order());
}

BOOST_DATA_TEST_CASE(a_reader_killed_on_its_way_to_the_newest_keeps_nothing, kEveryStream, order, on_full) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096, .order = order, .on_full = on_full});
  Writer writer{segment, {.timeout = kPatience}};
  must_put(writer, {1, 0});
  Child child{[&](Link&) {
    kill_point::arm(KillPoint::attach_skipping, kill_self);
    Reader{Segment::open(name), {.from = From::newest}};
  }};
  BOOST_TEST(child.wait() == -SIGKILL);
  for (std::uint32_t number = 1; number < 100; ++number)
    BOOST_TEST_REQUIRE(put(writer, {1, number}, 200) == Status::ok);
}

// A slab that nobody is writing into is free for what follows, without another look of the reader's.
BOOST_AUTO_TEST_CASE(what_idle_writers_left_open_is_not_held) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slabs = 2, .slab_bytes = 4096, .participants = 4});
  Writer idle{segment};
  BOOST_TEST((idle.write("in the first generation") == Status::ok));
  Writer busy{segment, {.timeout = std::chrono::milliseconds{0}}};
  const std::string line(40, 'x');
  while (generation_of(segment) < 2) BOOST_TEST_REQUIRE((busy.write(line) == Status::ok));
  const Reader reader{segment, {.from = From::newest}};
  while (busy.write(line) == Status::ok) {
  }
  BOOST_TEST(generation_of(segment) == 3U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
