// One Writer that two threads use, or a signal's handler in the middle of a call: ended in a checking build, as this
// one is; and otherwise told to readers that would wait for ever.
#include <signal.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <functional>
#include <optional>
#include <thread>

#include <sapbuf/detail/kill_point.hpp>

#include "stream/stream_core.hpp"
#include "support/child.hpp"
#include "support/main_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

// How a process ends that does it. The test framework would take the signal for its own.
int status_of(const std::function<void()>& misuse) {
  return Child{[&](Link&) {
           ::signal(SIGABRT, SIG_DFL);
           misuse();
         }}
      .wait();
}

// What the reader says when it has read all that comes.
Errc error_at_the_end(Reader& reader) {
  return error_of([&] {
    Log log;
    while (reader.wait_for(kPatience)) log.read(reader);
  });
}

// What a second thread, or a handler, has in its registers: the words of a Writer as they were. It goes unseen by the
// checks, and is never destroyed.
class Twin {
 public:
  explicit Twin(const Writer& writer) { std::memcpy(bytes_, static_cast<const void*>(&writer), sizeof writer); }
  Writer& get() { return *reinterpret_cast<Writer*>(bytes_); }

 private:
  alignas(Writer) std::byte bytes_[sizeof(Writer)];
};

struct Stream {
  explicit Stream(Order order) : segment{{.slabs = 4, .slab_bytes = 16384, .order = order}} {}

  HeapSegment segment;
  Reader reader{segment};
  Writer writer{segment};
};

BOOST_AUTO_TEST_SUITE(misuse)

BOOST_DATA_TEST_CASE(two_threads_in_one_writer_are_noticed, data::make(kOrders), order) {
  const int status = status_of([&] {
    Stream stream{order};
    stream.reader.close();
    const auto write_for_ever = [&] {
      for (;;) static_cast<void>(stream.writer.write("x"));
    };
    std::thread second{write_for_ever};
    write_for_ever();
  });
  BOOST_TEST(status == -SIGABRT);
}

Writer* interrupted = nullptr;

BOOST_DATA_TEST_CASE(a_handler_that_interrupts_a_call_is_noticed, data::make(kOrders), order) {
  const int status = status_of([&] {
    Stream stream{order};
    interrupted = &stream.writer;
    ::signal(SIGUSR1, [](int) { static_cast<void>(interrupted->write("from the handler")); });
    kill_point::arm(KillPoint::commit_published, [] { ::raise(SIGUSR1); });
    static_cast<void>(stream.writer.write("interrupted"));
  });
  BOOST_TEST(status == -SIGABRT);
}

BOOST_DATA_TEST_CASE(a_reservation_of_another_thread_is_noticed, data::make(kOrders), order) {
  const int status = status_of([&] {
    Stream stream{order};
    const Reservation open = stream.writer.reserve(8);
    std::thread{[&] { static_cast<void>(stream.writer.write("x")); }}.join();
  });
  BOOST_TEST(status == -SIGABRT);
}

BOOST_DATA_TEST_CASE(a_writer_that_goes_before_its_reservation_is_noticed, data::make(kOrders) * data::xrange(3), order,
                     how) {
  const int status = status_of([&] {
    Stream stream{order};
    std::optional<Writer> writer{stream.segment};
    const Reservation open = writer->reserve(8);
    if (how == 0) writer.reset();
    if (how == 1) const Writer moved = std::move(*writer);
    if (how == 2) *writer = Writer{stream.segment};
  });
  BOOST_TEST(status == -SIGABRT);
}

// What is allowed goes unpunished: a handle that is handed on, and a handler that finds a reservation open.
BOOST_DATA_TEST_CASE(a_writer_may_be_handed_on, data::make(kOrders), order) {
  Stream stream{order};
  must_put(stream.writer, {1, 0});
  std::thread{[&] { must_put(stream.writer, {1, 1}); }}.join();
  Writer moved = std::move(stream.writer);
  std::thread{[&] { must_put(moved, {1, 2}); }}.join();
  {
    const Reservation open = moved.reserve(8);
    BOOST_TEST(moved.reserve(8).status() == Status::already_reserved);
  }
  Log log;
  log.read(stream.reader);
  BOOST_TEST(log.is_complete(1, 3));
}

// --- What readers say
// ----------------------------------------------------------------------------------------------------

// The twin writes over frames that the reader has passed, and goes on from a place of its own: the reader's place is in
// the middle of a frame by now.
BOOST_AUTO_TEST_CASE(a_reader_says_corrupt_where_a_closed_extent_has_a_gap) {
  Stream stream{Order::per_writer};
  must_put(stream.writer, {1, 0});
  Twin twin{stream.writer};
  must_put(stream.writer, {1, 1}, 200);
  Log log;
  BOOST_TEST(log.read(stream.reader) == 2U);
  const std::string zeros(500, '\0');
  for (int i = 0; i < 20; ++i) BOOST_TEST((twin.get().write(zeros) == Status::ok));
  BOOST_TEST(error_at_the_end(stream.reader) == Errc::corrupt);
  BOOST_TEST(error_of([&] { static_cast<void>(stream.reader.pin()); }) == Errc::corrupt);
}

// Between two stores of the one thread, the other one finds the writer idle, and reserves: the first takes the length
// of the second's frame for its own.
BOOST_AUTO_TEST_CASE(a_reader_says_corrupt_where_the_chain_has_a_gap) {
  Stream stream{Order::total};
  Twin twin{stream.writer};
  {
    const Reservation first = stream.writer.reserve(100);
    main_stream(stream.segment).slot(stream.writer.slot()).progress &= ~layout::Progress::kBusy;
    BOOST_TEST((twin.get().write("x") == Status::ok));
  }
  Writer innocent{stream.segment};
  must_put(innocent, {2, 0});
  BOOST_TEST(error_at_the_end(stream.reader) == Errc::corrupt);
}

// Two claims at once, and one of them forgot where its own was.
BOOST_AUTO_TEST_CASE(a_reader_says_corrupt_where_a_claim_was_forgotten) {
  Stream stream{Order::per_writer};
  must_put(stream.writer, {1, 0});
  Log log;
  log.read(stream.reader);
  detail::StreamCore& core = main_stream(stream.segment);
  core.control().cursor += core.geometry().extent_bytes / layout::kUnitBytes;
  BOOST_TEST(error_at_the_end(stream.reader) == Errc::corrupt);
}

// A live writer that takes its time is none of these.
BOOST_DATA_TEST_CASE(a_reader_waits_for_a_slow_writer, data::make(kOrders) * data::make({0, 1, 2}), order, where) {
  const KillPoint point = where == 0   ? KillPoint::claim_taken
                          : where == 1 ? KillPoint::claim_announced
                                       : KillPoint::commit_published;
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096, .order = order});
  Reader reader{segment};
  Child slow{[&](Link&) {
    Writer writer{Segment::open(name)};
    kill_point::arm(point, stop_self);
    must_put(writer, {1, 0});
  }};
  BOOST_TEST_REQUIRE(slow.wait_until_stopped());
  Log log;
  for (int i = 0; i < 3; ++i) {
    if (reader.wait_for(30ms)) log.read(reader);
  }
  slow.resume();
  BOOST_TEST(log.read_until(reader, 1));
  BOOST_TEST(slow.wait() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
