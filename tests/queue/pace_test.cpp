// How long a consumer waits before it looks, by what it found before: in pauses, so that no clock decides.
#include <bit>

#include <boost/test/unit_test.hpp>

#include "queue/consumer_pace.hpp"

namespace sapbuf::test {
namespace {

static_assert(sizeof(detail::Pauses) == sizeof(int));

struct PaceFixture {
  // So many blocks in a row, and then none. How many pauses it takes from then on.
  int find(int blocks) {
    for (int i = 0; i < blocks; ++i) BOOST_TEST_REQUIRE(pace.look([] { return true; }));
    BOOST_TEST_REQUIRE(!pace.look([] { return false; }));
    return std::bit_cast<int>(pace.pauses());
  }
  // To where it takes 15.
  void find_some() {
    for (const int pauses : {0, 1, 3, 7, 15}) BOOST_TEST_REQUIRE(find(40) == pauses);
  }

  detail::ConsumerPace pace;
};

BOOST_FIXTURE_TEST_SUITE(queue_pace, PaceFixture)

BOOST_AUTO_TEST_CASE(who_finds_some_in_a_row_waits_for_more_up_to_a_limit) {
  find_some();
  for (const int pauses : {31, 63, 127, 255, 255}) BOOST_TEST(find(40) == pauses);
}

BOOST_AUTO_TEST_CASE(who_finds_enough_in_a_row_waits_as_long_as_before) {
  find_some();
  BOOST_TEST(find(64) == 31);  // for the 40 before
  BOOST_TEST(find(64) == 31);
  BOOST_TEST(find(1024) == 31);
  BOOST_TEST(find(1024) == 31);
}

BOOST_AUTO_TEST_CASE(who_finds_very_many_in_a_row_waits_less) {
  find_some();
  BOOST_TEST(find(1025) == 31);
  BOOST_TEST(find(1025) == 15);
  BOOST_TEST(find(1025) == 7);
}

BOOST_AUTO_TEST_CASE(a_wait_that_is_longer_than_what_comes_is_worth_gets_shorter) {
  for (const int pauses : {0, 1, 0, 1}) BOOST_TEST(find(1) == pauses);
  for (const int pauses : {0, 1, 3, 7, 15, 31, 15, 31, 15}) BOOST_TEST(find(4) == pauses);
}

BOOST_AUTO_TEST_CASE(a_look_that_finds_nothing_halves_the_wait_and_the_next_block_is_not_waited_for) {
  find_some();
  for (const int pauses : {7, 3, 1, 0, 0}) BOOST_TEST(find(0) == pauses);
  BOOST_TEST(find(40) == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
