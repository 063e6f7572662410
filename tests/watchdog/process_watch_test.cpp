// Of which processes the kernel will tell that they end, and of which it is too late for that.
#include <boost/test/unit_test.hpp>

#include <sapbuf/sapbuf.hpp>

#include "sapbuf_watchdog/process_watch.hpp"
#include "support/child.hpp"

namespace sapbuf::test {
namespace {

std::size_t count_watched(const tools::ProcessWatch& watch) {
  std::size_t watched = 0;
  watch.each([&](int) { ++watched; });
  return watched;
}

BOOST_AUTO_TEST_SUITE(process_watch)

BOOST_AUTO_TEST_CASE(one_that_ended_before_it_could_be_watched_is_told_once) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096});
  const auto attach = [&](Link& link) {
    const Reader reader{Segment::open(name)};
    link.say(1);
    link.hear();
  };
  Child lives{attach}, ends{attach};
  BOOST_TEST(lives.hear() == 1U);
  BOOST_TEST(ends.hear() == 1U);
  const Snapshot seen = inspect(segment);
  BOOST_TEST_REQUIRE(seen.participants.size() == 2U);
  ends.kill();
  tools::ProcessWatch watch;
  BOOST_TEST(watch.update(seen));
  BOOST_TEST(count_watched(watch) == 1U);
  BOOST_TEST(!watch.update(seen));
  lives.kill();
  BOOST_TEST(!watch.update(seen));  // its descriptor tells
}

BOOST_AUTO_TEST_CASE(of_one_in_another_namespace_nothing_is_known) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096});
  Child ends{[&](Link& link) {
    const Reader reader{Segment::open(name)};
    link.say(1);
    link.hear();
  }};
  BOOST_TEST(ends.hear() == 1U);
  Snapshot seen = inspect(segment);
  ends.kill();
  ++seen.participants.at(0).pid_namespace;
  tools::ProcessWatch watch;
  BOOST_TEST(!watch.update(seen));
  BOOST_TEST(count_watched(watch) == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
