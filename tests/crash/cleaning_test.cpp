// A large slab of total order is cleaned in steps: who dies between two of them, or is stopped, leaves the rest to the
// next one.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>

#include <sapbuf/detail/kill_point.hpp>

#include "segment/maintenance_lock.hpp"
#include "stream/reclaim.hpp"
#include "stream/stream_core.hpp"
#include "support/child.hpp"
#include "support/invariants.hpp"
#include "support/main_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

using detail::kCleanAtOnce;

constexpr unsigned kSteps = 4;
constexpr std::uint64_t kSlabBytes = kSteps * kCleanAtOnce;
constexpr std::size_t kLarge = 65536 - 8;  // 64 such messages fill a slab

Segment make_segment(std::string_view name) {
  return Segment::create(name, {.slabs = 2, .slab_bytes = kSlabBytes, .order = Order::total, .participants = 8});
}

layout::SlabDescriptor& first_slab(const Segment& segment) { return main_stream(segment).descriptor(0); }

layout::SlabState state_of_first_slab(const Segment& segment) {
  return layout::SlabLife{first_slab(segment).life.load()}.state();
}

// How many calls it takes from here until the slab is free; each of them has the lock for itself.
unsigned clean_to_the_end(const Segment& segment) {
  detail::StreamCore& core = main_stream(segment);
  unsigned calls = 0;
  for (bool more = true; more && calls < 2 * kSteps; ++calls) {
    more = false;
    const detail::MaintenanceLock lock{core};
    BOOST_TEST_REQUIRE(!!lock);
    const auto slab = detail::take_free_slab(core, detail::load_active(core), more);
    BOOST_TEST(slab.has_value() == !more);
  }
  return calls;
}

struct Place {
  KillPoint kill_point;
  unsigned nth;
  unsigned steps;  // that count as made when somebody dies there
};
std::ostream& operator<<(std::ostream& out, const Place& place) { return out << place.kill_point << ' ' << place.nth; }

const Place kPlaces[] = {{KillPoint::reclaim_zeroed, 1, 0}, {KillPoint::reclaim_stepped, 1, 1},
                         {KillPoint::reclaim_zeroed, 2, 1}, {KillPoint::reclaim_stepped, 2, 2},
                         {KillPoint::reclaim_zeroed, 3, 2}, {KillPoint::reclaim_stepped, 3, 3},
                         {KillPoint::reclaim_zeroed, 4, 3}, {KillPoint::reclaim_cleaned, 1, 4}};

BOOST_AUTO_TEST_SUITE(cleaning)

BOOST_DATA_TEST_CASE(the_next_one_goes_on_where_the_dead_one_stood, data::make(kPlaces), place) {
  const TestName name;
  const Segment segment = make_segment(name);
  Child victim{[&](Link&) {
    kill_point::arm(place.kill_point, kill_self, place.nth);
    Writer writer{Segment::open(name)};
    for (std::uint32_t number = 0; number < 200; ++number) must_put(writer, {1, number}, kLarge);
  }};
  BOOST_TEST(victim.wait() == -SIGKILL);
  recover(segment);
  BOOST_TEST((state_of_first_slab(segment) == layout::SlabState::cleaning));
  BOOST_TEST(first_slab(segment).cleaned_bytes.load() == place.steps * kCleanAtOnce);
  BOOST_TEST(clean_to_the_end(segment) == std::max(1U, kSteps - place.steps));
  const std::byte* const first = main_stream(segment).slab_for_reading(0);
  BOOST_TEST(std::all_of(first, first + kSlabBytes, [](std::byte byte) { return byte == std::byte{0}; }));

  // And all goes on, through the slab and through the one after it.
  Reader reader{segment, {.from = From::newest}};
  Writer writer{segment, {.timeout = kPatience}};
  Log log;
  for (std::uint32_t number = 0; number < 150; ++number) {
    must_put(writer, {2, number}, kLarge);
    log.read(reader);
  }
  BOOST_TEST(log.by_writer()[2].size() == 150U);
  BOOST_TEST(log.in_order());
  BOOST_TEST(log.torn() == 0U);
  BOOST_TEST(broken_invariant(segment) == "");
}

// Between two steps nobody has the lock: who is stopped there delays nobody.
BOOST_AUTO_TEST_CASE(others_clean_on_and_flip_while_one_is_stopped_between_two_steps) {
  const TestName name;
  const Segment segment = make_segment(name);
  Reader reader{segment};
  std::uint32_t written = 0;
  {
    Writer filler{segment, {.timeout = 0ms}};
    while (put(filler, {1, written}, kLarge) == Status::ok) ++written;
  }
  Log log;
  BOOST_TEST(log.read_until(reader, written));
  BOOST_TEST(!reader.wait_for(0ms));  // it holds nothing of what it has read
  Child stopped{[&](Link&) {
    kill_point::arm(KillPoint::flip_let_go, stop_self);
    Writer writer{Segment::open(name), {.timeout = kPatience}};
    must_put(writer, {2, 0}, kLarge);
  }};
  BOOST_TEST_REQUIRE(stopped.wait_until_stopped());
  BOOST_TEST((state_of_first_slab(segment) == layout::SlabState::cleaning));
  BOOST_TEST(first_slab(segment).cleaned_bytes.load() == kCleanAtOnce);
  BOOST_TEST(!!detail::MaintenanceLock{main_stream(segment)});
  Writer writer{segment, {.timeout = kPatience}};
  must_put(writer, {3, 0}, kLarge);
  BOOST_TEST(generation_of(segment) == 3U);
  stopped.resume();
  BOOST_TEST(stopped.wait() == 0);
  BOOST_TEST(log.read_until(reader, written + 2));
  BOOST_TEST(log.in_order());
  BOOST_TEST(log.torn() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
