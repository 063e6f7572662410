// The end of a stream: a writer says that no more comes, and readers learn of it behind all that came.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <thread>

#include "support/child.hpp"
#include "support/every_stream.hpp"
#include "support/main_stream.hpp"
#include "support/reclaiming.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

using Texts = std::vector<std::string>;

struct Stream {
  Stream(Order order, OnFull on_full) : segment{{.order = order, .on_full = on_full}} {}

  HeapSegment segment;
  Writer writer{segment};
  Reader reader{segment, {.until_finished = true}};
};

BOOST_AUTO_TEST_SUITE(finish)

BOOST_DATA_TEST_CASE(a_stream_is_finished_once_all_has_been_read, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  BOOST_TEST(!stream.reader.is_finished());
  BOOST_TEST(stream.writer.write("last") == Status::ok);
  BOOST_TEST(stream.writer.finish() == Status::ok);
  BOOST_TEST(!stream.reader.is_finished());
  BOOST_TEST(stream.reader.wait_for(1h));
  BOOST_TEST(texts(stream.reader) == Texts{"last"}, boost::test_tools::per_element());
  BOOST_TEST(!stream.reader.wait_for(1h));
  BOOST_TEST(stream.reader.is_finished());
  BOOST_TEST(inspect(stream.segment).facilities[0].stream->finished_writers == 1U);
}

BOOST_DATA_TEST_CASE(a_writer_that_leaves_without_a_word_finishes_nothing, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  stream.writer.close();
  BOOST_TEST(!stream.reader.is_finished());
}

BOOST_DATA_TEST_CASE(it_is_not_finished_while_somebody_writes, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Writer other{stream.segment};
  BOOST_TEST(stream.writer.finish() == Status::ok);
  BOOST_TEST(!stream.reader.is_finished());
  BOOST_TEST(!stream.reader.wait_for(1ms));
  other.close();
  BOOST_TEST(stream.reader.is_finished());
  Writer late{stream.segment};
  BOOST_TEST(!stream.reader.is_finished());
  BOOST_TEST(late.write("more") == Status::ok);
  late.close();
  BOOST_TEST(!stream.reader.is_finished());
  BOOST_TEST(texts(stream.reader) == Texts{"more"}, boost::test_tools::per_element());
  BOOST_TEST(stream.reader.is_finished());
}

BOOST_DATA_TEST_CASE(a_writer_that_was_killed_keeps_nobody_waiting, kEveryStream, order, on_full) {
  const TestName name;
  const Segment segment = Segment::create(name, {.order = order, .on_full = on_full});
  Writer writer{segment};
  Reader reader{segment, {.until_finished = true}};
  Child idle{[&](Link& link) {
    const Writer own{Segment::open(name)};
    link.say(1);
    link.hear();
  }};
  BOOST_TEST(idle.hear() == 1U);
  BOOST_TEST(writer.finish() == Status::ok);
  BOOST_TEST(!reader.is_finished());
  idle.kill();
  BOOST_TEST(!reader.wait_for(kPatience));
  BOOST_TEST(reader.is_finished());
}

// What stands in a slab that somebody is about to reclaim may be lost, or be read yet. One who sheds buffers for a pool is no
// writer, and can be stopped there.
BOOST_DATA_TEST_CASE(it_is_not_finished_while_a_slab_is_being_reclaimed, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096, .order = order, .on_full = OnFull::overwrite});
  Writer writer{segment};
  Reader reader{segment};
  while (main_stream(segment).descriptor(0).life.load() == layout::SlabLife::make(1, layout::SlabState::active).word) {
    BOOST_TEST_REQUIRE(writer.write(std::string(100, '.')) == Status::ok);  // until its slab is sealed
  }
  BOOST_TEST(writer.write("last") == Status::ok);
  BOOST_TEST(writer.finish() == Status::ok);
  Child reclaiming{[&](Link& link) { begin_to_reclaim(name, link); }};
  BOOST_TEST(reclaiming.hear() == 1U);
  BOOST_TEST(!reader.is_finished());
  reclaiming.say(1);
  BOOST_TEST(reclaiming.wait() == 0);
  BOOST_TEST(!reader.is_finished());
  Texts all;
  for (Texts some = texts(reader); !some.empty(); some = texts(reader)) all.insert(all.end(), some.begin(), some.end());
  BOOST_TEST(all.back() == "last");
  BOOST_TEST(reader.lost() == 0U);
  BOOST_TEST(reader.is_finished());
}

// A reader whose range kept the first slab, while the ones behind it were overwritten, and the last message was written.
struct GapThenEnd {
  explicit GapThenEnd(Order order)
      : segment{{.slabs = 3, .slab_bytes = 4096, .order = order, .on_full = OnFull::overwrite}} {
    must_write();
    std::optional<PinnedRange> range{reader.pin()};
    for (const Frame& frame : *range) static_cast<void>(frame);
    while (generation_of(segment) < 5) must_write();
    if (writer.finish() != Status::ok) throw std::runtime_error("cannot finish");
  }

  HeapSegment segment;
  std::uint64_t written = 0;
  Writer writer{segment};
  Reader reader{segment};

 private:
  void must_write() {  // one for each slab, so that filler follows
    if (writer.write(std::string(2400, '.')) != Status::ok) throw std::runtime_error("cannot write");
    ++written;
  }
};

BOOST_DATA_TEST_CASE(it_is_not_finished_in_front_of_a_gap, data::make(kOrders), order) {
  GapThenEnd stream{order};
  BOOST_TEST(!stream.reader.is_finished());
  while (!texts(stream.reader).empty()) {
  }
  BOOST_TEST(stream.reader.lost() != 0U);
  BOOST_TEST(stream.reader.delivered() + stream.reader.lost() == stream.written);
  BOOST_TEST(stream.reader.is_finished());
}

BOOST_DATA_TEST_CASE(the_first_look_in_front_of_a_gap_finds_what_stands_behind_it, data::make(kOrders), order) {
  GapThenEnd waits{order};
  BOOST_TEST(waits.reader.wait_for(0ms));
  GapThenEnd reads{order};
  BOOST_TEST(!texts(reads.reader).empty());
}

BOOST_DATA_TEST_CASE(a_reader_that_waits_is_told, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  std::jthread writing{[&] {
    std::this_thread::sleep_for(20ms);  // so that the reader sleeps, most likely
    static_cast<void>(stream.writer.finish());
  }};
  BOOST_TEST(!stream.reader.wait_for(1h));
  BOOST_TEST(stream.reader.is_finished());
}

// One that did not ask for it goes on waiting, and learns of it when it asks.
BOOST_DATA_TEST_CASE(only_those_who_asked_stop_waiting, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Reader patient{stream.segment};
  BOOST_TEST(stream.writer.finish() == Status::ok);
  const auto before = std::chrono::steady_clock::now();
  BOOST_TEST(!patient.wait_for(30ms));
  BOOST_TEST((std::chrono::steady_clock::now() - before >= 30ms));
  BOOST_TEST(patient.is_finished());
}

BOOST_DATA_TEST_CASE(who_cannot_finish_says_why, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Reservation open = stream.writer.reserve(8);
  BOOST_TEST(stream.writer.finish() == Status::already_reserved);
  open.commit();
  BOOST_TEST(stream.writer.write("goes on") == Status::ok);
  BOOST_TEST(stream.writer.finish() == Status::ok);
  BOOST_TEST(stream.writer.finish() == Status::closed);
  BOOST_TEST(stream.writer.write("closed") == Status::closed);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
