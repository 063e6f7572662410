// Those who wait look for the dead one at a time; and go on if that one does not come to its end.
#include <boost/test/unit_test.hpp>

#include <limits>

#include "platform/clock.hpp"
#include "segment/maintenance_lock.hpp"
#include "segment/recovery.hpp"
#include "support/child.hpp"
#include "support/main_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using detail::Sweepers;
using layout::NextSweep;

constexpr std::uint64_t kSecondNs = 1'000'000'000;

// A segment with a slot that names a life that nobody has.
struct WithDead {
  WithDead() { participant(segment, reader.slot()).life.store(layout::kLifeLocks + 1); }
  detail::StreamCore& core() { return main_stream(segment); }
  layout::Word& next_sweep() { return segment.core()->control().next_sweep; }
  // Whether somebody who waits, and did not look lately, settles the dead.
  bool sweeps(Sweepers sweepers = Sweepers::one) {
    std::uint64_t last_try_ns = 0;
    detail::recover_while_waiting(*segment.core(), last_try_ns, sweepers);
    return core().head().recoveries.load() == 1;
  }

  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096, .participants = 2});
  const Reader reader{segment};
};

BOOST_AUTO_TEST_SUITE(sweep)

BOOST_AUTO_TEST_CASE(whoever_waits_leaves_it_to_a_sweeper) {
  WithDead stream;
  // A time that is not over while this test runs is no pause: so this one may be, and then there was nothing to leave.
  const std::uint64_t due_ns = platform::monotonic_ns() + kSecondNs / 20;
  stream.next_sweep() = NextSweep::begun(due_ns).word;
  const bool swept = stream.sweeps();
  BOOST_TEST((!swept || platform::monotonic_ns() >= due_ns));
  BOOST_TEST(eventually([&] { return stream.sweeps(); }));  // it was killed
}

BOOST_AUTO_TEST_CASE(whoever_gives_up_otherwise_does_not) {
  WithDead stream;
  stream.next_sweep() = NextSweep::begun(platform::monotonic_ns() + kSecondNs / 20).word;
  BOOST_TEST(stream.sweeps(Sweepers::any));
}

BOOST_AUTO_TEST_CASE(nobody_sweeps_when_somebody_has_just_done_so) {
  for (const Sweepers sweepers : {Sweepers::one, Sweepers::any}) {
    WithDead stream;
    const std::uint64_t due_ns = platform::monotonic_ns() + kSecondNs / 20;
    stream.next_sweep() = NextSweep::due(due_ns).word;
    const bool swept = stream.sweeps(sweepers);
    BOOST_TEST((!swept || platform::monotonic_ns() >= due_ns));
    BOOST_TEST(eventually([&] { return stream.sweeps(sweepers); }));
  }
}

// Of another time namespace, or written by a stray pointer.
BOOST_AUTO_TEST_CASE(a_time_far_off_stops_nobody) {
  for (const std::uint64_t word : {NextSweep::begun(platform::monotonic_ns() + 3600 * kSecondNs).word,
                                   NextSweep::due(platform::monotonic_ns() + kSecondNs).word,
                                   std::numeric_limits<std::uint64_t>::max(), std::uint64_t{1}}) {
    WithDead stream;
    stream.next_sweep() = word;
    BOOST_TEST(stream.sweeps());
  }
}

BOOST_AUTO_TEST_CASE(a_sweep_is_followed_by_a_pause) {
  WithDead stream;
  const std::uint64_t began_ns = platform::monotonic_ns();
  BOOST_TEST(stream.sweeps());
  const NextSweep next{stream.next_sweep().load()};
  BOOST_TEST(!next.in_progress());
  BOOST_TEST(next.due_ns() >= began_ns + 3'000'000);
}

// A sweep that could not be done is another's at once.
BOOST_AUTO_TEST_CASE(a_sweep_that_was_not_done_leaves_no_pause) {
  WithDead stream;
  Child holder{[&](Link& link) {
    const Segment own = Segment::open(stream.name);
    const detail::MaintenanceLock lock{main_stream(own)};
    link.say(lock ? 1 : 0);
    link.hear();
  }};
  BOOST_TEST(holder.hear() == 1);
  BOOST_TEST(!stream.sweeps());
  BOOST_TEST(stream.next_sweep().load() == 0U);
  holder.kill();
  BOOST_TEST(stream.sweeps());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
