// Whether a writer zeroes its extents first: it goes on with the way that proves faster.
#include <boost/test/unit_test.hpp>

#include "stream/clearing.hpp"

namespace sapbuf::test {
namespace {

using detail::Clearing;

// Fills extents that take `plain` ticks as they are, and `cleared` ticks where they are zeroed first.
struct Machine {
  // How many of the extents were zeroed.
  std::uint32_t fill(std::uint32_t extents, std::uint64_t plain, std::uint64_t cleared, std::uint64_t bytes = 16384) {
    std::uint32_t zeroed = 0;
    for (std::uint32_t i = 0; i < extents; ++i) {
      const bool clears = clearing.begin(bytes, now);
      zeroed += clears ? 1 : 0;
      now += clears ? cleared : plain;
      clearing.end(bytes, now);
      now += 1'000'000;  // a wait for space counts for neither
    }
    return zeroed;
  }
  Clearing clearing;
  std::uint64_t now = 1;
};

BOOST_AUTO_TEST_SUITE(clearing)

BOOST_AUTO_TEST_CASE(extents_are_zeroed_where_that_is_faster) {
  Machine far;
  far.fill(100, 20000, 10000);
  BOOST_TEST(far.fill(1280, 20000, 10000) >= 1250U);
}

BOOST_AUTO_TEST_CASE(and_not_where_it_is_slower_or_all_the_same) {
  Machine near;
  BOOST_TEST(near.fill(100, 10000, 20000) <= 20U);
  BOOST_TEST(near.fill(1280, 10000, 20000) <= 30U);
  Machine any;
  any.fill(100, 10000, 10000);
  BOOST_TEST(any.fill(1280, 10000, 9900) <= 30U);
}

BOOST_AUTO_TEST_CASE(a_writer_that_is_moved_to_another_core_finds_out) {
  Machine moving;
  moving.fill(1280, 10000, 20000);
  moving.fill(1280, 20000, 10000);
  BOOST_TEST(moving.fill(1280, 20000, 10000) >= 1250U);
  moving.fill(1280, 10000, 20000);
  BOOST_TEST(moving.fill(1280, 10000, 20000) <= 30U);
}

BOOST_AUTO_TEST_CASE(a_long_pause_now_and_then_decides_nothing) {
  Machine far;
  far.fill(100, 20000, 10000);
  for (int i = 0; i < 40; ++i) {
    far.fill(31, 20000, 10000);
    far.fill(1, 9'000'000, 9'000'000);
  }
  BOOST_TEST(far.fill(1280, 20000, 10000) >= 1250U);
}

BOOST_AUTO_TEST_CASE(what_is_larger_than_the_near_caches_is_never_zeroed_first) {
  Machine far;
  BOOST_TEST(far.fill(1280, 20000, 10000, 1 << 20) == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
