// Signals whose handlers return, without SA_RESTART, again and again: every wait and every call goes on.
#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <thread>

#include "environment/surroundings.hpp"
#include "support/skip.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

constexpr std::chrono::microseconds kOften{200};

SegmentOptions small(Order order) { return {.slab_bytes = 8192, .order = order, .participants = 8}; }

BOOST_AUTO_TEST_SUITE(signals)

// Older kernels let any signal interrupt the allocation, and tmpfs then undoes it.
BOOST_AUTO_TEST_CASE(a_large_segment_is_created_although_signals_come_faster_than_it_is_allocated) {
  const std::uint64_t slab_bytes = std::min<std::uint64_t>(64 << 20, shm_room() / 8) & ~std::uint64_t{4095};
  if (slab_bytes < 4 << 20) {
    skip("/dev/shm has too little room for a segment that takes a while to allocate");
    return;
  }
  const TestName name;
  Child creator{[&](Link&) {
    const SignalStorm storm{kOften};
    const Segment segment = Segment::create(name, {.slab_bytes = slab_bytes});
    Writer writer{segment};
    require(writer.write("it works") == Status::ok, "not accepted");
    require(storm.signals() != 0, "no signal came");
  }};
  BOOST_TEST(creator.wait() == 0);
}

// No wait gets longer or shorter by a signal, and none ends by it.
BOOST_DATA_TEST_CASE(waits_go_on_through_signals, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order));
  constexpr std::uint32_t kMessages = 3000;
  Child reading{[&](Link& link) {
    const SignalStorm storm{kOften};
    Reader reader{Segment::open(name)};
    const auto begun = std::chrono::steady_clock::now();
    require(!reader.wait_for(20ms), "something came");
    require(std::chrono::steady_clock::now() - begun >= 20ms, "the wait was too short");
    link.say(1);
    Log log;
    require(log.read_until(reader, kMessages), "not all came");
    require(log.is_complete(1, kMessages), "not as they were written");
  }};
  reading.hear();
  Child writing{[&](Link&) {
    const SignalStorm storm{kOften};
    Writer writer{Segment::open(name)};
    put_all(writer, 0, kMessages, 400);  // many slabs: the writer waits for the reader
  }};
  BOOST_TEST(writing.wait() == 0);
  BOOST_TEST(reading.wait() == 0);
}

BOOST_DATA_TEST_CASE(a_blocked_writer_waits_out_its_timeout_through_signals, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order));
  const Reader holder{segment};
  Child writing{[&](Link&) {
    const SignalStorm storm{kOften};
    Writer writer{Segment::open(name), {.timeout = 50ms}};
    fill_up(writer);
    const auto begun = std::chrono::steady_clock::now();
    require(writer.write(kLine) == Status::timeout, "another status");
    require(std::chrono::steady_clock::now() - begun >= 50ms, "the wait was too short");
    require(storm.signals() != 0, "no signal came");
  }};
  BOOST_TEST(writing.wait() == 0);
}

BOOST_DATA_TEST_CASE(recovery_comes_to_its_end_through_signals, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order));
  Child recovering{[&](Link& link) {
    const SignalStorm storm{kOften};
    const Segment own = Segment::open(name);
    link.say(1);
    for (std::size_t dead = 0; dead < 10;) dead += recover(own).dead.size();
  }};
  recovering.hear();
  for (int i = 0; i < 10; ++i) {
    Child writing{[&](Link&) {
      Writer writer{Segment::open(name)};
      require(writer.write("committed") == Status::ok, "not accepted");
      const Reservation open = writer.reserve(1000);
      ::_exit(0);
    }};
    BOOST_TEST(writing.wait() == 0);
    BOOST_TEST(eventually([&] { return inspect(segment).participants.empty(); }));
  }
  BOOST_TEST(recovering.wait() == 0);
  BOOST_TEST(inspect(segment).departed.committed == 10U);
  BOOST_TEST(inspect(segment).departed.abandoned == 10U);
  BOOST_TEST(inspect(segment).journal.size() == 10U);
}

// The maintenance lock is waited for in naps, each of which a signal cuts short.
BOOST_DATA_TEST_CASE(attaching_and_detaching_go_on_through_signals, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order));
  const auto come_and_go = [&](Link&) {
    const SignalStorm storm{kOften};
    const Segment own = Segment::open(name);
    for (int i = 0; i < 200; ++i) {
      const Reader reader{own};
      const Writer writer{own};
    }
  };
  Child one{come_and_go};
  Child other{come_and_go};
  BOOST_TEST(one.wait() == 0);
  BOOST_TEST(other.wait() == 0);
  recover(segment);
  BOOST_TEST(inspect(segment).participants.empty());
  BOOST_TEST(inspect(segment).journal.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
