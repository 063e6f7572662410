// How long a reader waits: any duration, for ever, and until a flag is set.
#include <signal.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <limits>
#include <thread>

#include "stream/stream_core.hpp"
#include "support/child.hpp"
#include "support/main_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

using detail::saturated;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using Seconds = std::chrono::duration<double>;

// Longer than any clock counts, and shorter.
static_assert(saturated<nanoseconds>(kForever) == nanoseconds::max());
static_assert(saturated<nanoseconds>(std::chrono::hours::max()) == nanoseconds::max());
static_assert(saturated<nanoseconds>(std::chrono::hours::min()) == nanoseconds::min());
static_assert(saturated<nanoseconds>(std::chrono::years{300}) == nanoseconds::max());
static_assert(saturated<nanoseconds>(std::chrono::years{200}) > std::chrono::years{199});
static_assert(saturated<nanoseconds>(Seconds{1e300}) == nanoseconds::max());
static_assert(saturated<nanoseconds>(Seconds{std::numeric_limits<double>::infinity()}) == nanoseconds::max());
static_assert(saturated<nanoseconds>(Seconds{-1e300}) == nanoseconds::min());
static_assert(saturated<nanoseconds>(std::chrono::duration<std::uint64_t>{~std::uint64_t{0}}) == nanoseconds::max());
static_assert(saturated<nanoseconds>(1500us) == 1500us && saturated<nanoseconds>(-2h) == -2h);
// What is finer than the unit is rounded up: no wait is shorter than what was asked for.
static_assert(saturated<milliseconds>(1ns) == 1ms && saturated<milliseconds>(-1500us) == -1ms);
static_assert(saturated<milliseconds>(Seconds{0.0015}) == 2ms && saturated<milliseconds>(0ns) == 0ms);
static_assert(Milliseconds{std::chrono::hours::max()} == kForever && Milliseconds{1us} == 1ms);

struct Stream {
  explicit Stream(Order order = Order::per_writer) : segment{{.slab_bytes = 4096, .order = order}} {}

  bool somebody_sleeps() const { return main_stream(segment).control().data.is_awaited(); }

  HeapSegment segment;
  Writer writer{segment};
};

BOOST_AUTO_TEST_SUITE(reader_wait)

BOOST_AUTO_TEST_CASE(for_ever_is_until_something_comes) {
  const std::function<bool(Reader&)> waits[] = {
      [](Reader& reader) { return reader.wait_for(kForever); },
      [](Reader& reader) { return reader.wait_for(std::chrono::hours::max()); },
      [](Reader& reader) { return reader.wait_for(nanoseconds::max()); },
      [](Reader& reader) { return reader.wait_for(Seconds{std::numeric_limits<double>::infinity()}); },
  };
  for (const auto& wait : waits) {
    Stream stream;
    Reader reader{stream.segment};
    std::atomic<bool> returned{false};
    std::thread later{[&] {
      static_cast<void>(eventually([&] { return returned || stream.somebody_sleeps(); }));
      must_put(stream.writer, {1, 0});
    }};
    const bool came = wait(reader);
    returned = true;
    later.join();
    BOOST_TEST(came);
  }
}

BOOST_AUTO_TEST_CASE(less_than_nothing_is_no_time_at_all) {
  Stream stream;
  Reader reader{stream.segment};
  BOOST_TEST(!reader.wait_for(std::chrono::hours::min()));
  BOOST_TEST(!reader.wait_for(milliseconds::min()));
  BOOST_TEST(!reader.wait_for(Seconds{std::numeric_limits<double>::quiet_NaN()}));
}

BOOST_DATA_TEST_CASE(a_flag_ends_a_wait_without_a_signal, data::make(kOrders), order) {
  Stream stream{order};
  std::atomic<bool> stop{false};
  Reader reader{stream.segment, {.stop = &stop}};
  std::atomic<bool> done{false};
  bool came = true;
  std::thread waiting{[&] {
    came = reader.wait_for(1h);
    done = true;
  }};
  BOOST_TEST(eventually([&] { return stream.somebody_sleeps(); }));
  BOOST_TEST(!done.load());
  stop = true;
  BOOST_TEST(eventually([&] { return done.load(); }));
  if (!done) must_put(stream.writer, {1, 0});
  waiting.join();
  BOOST_TEST(!came);
}

// In total order, a reader that stands before an open frame naps and looks for the dead.
BOOST_AUTO_TEST_CASE(a_flag_ends_a_wait_before_an_open_frame) {
  Stream stream{Order::total};
  const Reservation open = stream.writer.reserve(8);
  std::atomic<bool> stop{false};
  Reader reader{stream.segment, {.stop = &stop}};
  std::thread setting{[&] {
    static_cast<void>(eventually([&] { return stream.somebody_sleeps(); }));
    stop = true;
  }};
  BOOST_TEST(!reader.wait_for(kPatience));
  BOOST_TEST(stop.load());
  setting.join();
}

BOOST_AUTO_TEST_CASE(what_is_there_is_read_although_the_flag_is_set) {
  Stream stream;
  const std::atomic<bool> stop{true};
  Reader reader{stream.segment, {.stop = &stop}};
  BOOST_TEST(!reader.wait_for(kForever));
  must_put(stream.writer, {1, 0});
  BOOST_TEST(reader.wait_for(kForever));
  Log log;
  log.read(reader);
  BOOST_TEST(log.is_complete(1, 1));
  BOOST_TEST(!reader.wait_for(kForever));
}

std::atomic<bool> told_to_end{false};

BOOST_AUTO_TEST_CASE(a_signals_handler_ends_a_wait_by_the_flag) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096});
  Child service{[&](Link& link) {
    struct sigaction action {};
    action.sa_handler = [](int) { told_to_end = true; };
    ::sigaction(SIGTERM, &action, nullptr);
    Reader reader{Segment::open(name), {.stop = &told_to_end}};
    link.say(1);
    while (!told_to_end) {
      if (reader.wait_for(1h)) throw std::runtime_error("something came");
    }
  }};
  service.hear();
  BOOST_TEST(eventually([&] { return main_stream(segment).control().data.is_awaited(); }));
  ::kill(service.pid(), SIGTERM);
  BOOST_TEST(service.wait() == 0);  // within the tests' patience
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
