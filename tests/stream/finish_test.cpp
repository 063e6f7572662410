// The end of a stream: a writer says that no more comes, and readers learn of it behind all that came.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "support/every_stream.hpp"
#include "support/main_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

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
