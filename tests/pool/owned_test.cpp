// Values in buffers.
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <string>

#include <sapbuf/sapbuf.hpp>

#include "pool_fixture.hpp"

namespace sapbuf::test {
namespace {

struct Point {
  int x;
  int y;
};
struct Large {
  std::byte bytes[65];
};
struct alignas(128) Aligned {
  int value;
};
struct Counter {
  std::atomic<std::uint64_t> count{0};
};

static_assert(Shareable<Point> && Shareable<Counter> && Shareable<int[4]>);
static_assert(!Shareable<std::string> && !Shareable<int&>);

BOOST_AUTO_TEST_SUITE(owned)

BOOST_AUTO_TEST_CASE(a_value_goes_from_process_to_process) {
  const PoolFixture fixture;
  PoolUser user{fixture.pool};
  auto point = Owned<Point>::make(user.acquire(), Point{.x = 3, .y = 4});
  BOOST_TEST_REQUIRE(static_cast<bool>(point));
  const BufferReference reference = point.share();
  Child other{[&](Link&) {
    PoolUser own{fixture.open_again()};
    const auto seen = Owned<Point>::view(own.adopt(reference));
    if (!seen || seen->x != 3 || (*seen).y != 4) throw std::runtime_error("it is another one");
  }};
  BOOST_TEST(other.wait() == 0);
  point.release();
  BOOST_TEST((point.status() == Status::closed));
  BOOST_TEST(point.get() == nullptr);
}

BOOST_AUTO_TEST_CASE(it_is_told_why_there_is_none) {
  const PoolFixture fixture;  // of 64 bytes
  PoolUser user{fixture.pool};
  BOOST_TEST((Owned<Large>::make(user.acquire()).status() == Status::too_large));
  BOOST_TEST((Owned<Point>{}.status() == Status::closed));
  std::vector<Buffer> all = take_all(user);
  BOOST_TEST(all.size() == 16U);  // none was kept
  BOOST_TEST((Owned<Point>::make(user.acquire()).status() == Status::exhausted));
  // Every second one is not aligned for it.
  const PoolFixture wide{{.buffer_bytes = 192, .count = 2}};
  PoolUser other{wide.pool};
  const Buffer first = other.acquire();
  BOOST_TEST((Owned<Aligned>::make(other.acquire()).status() == Status::too_large) !=
             (reinterpret_cast<std::uintptr_t>(first.bytes().data()) % 128 != 0));
}

BOOST_AUTO_TEST_CASE(its_buffer_may_be_taken) {
  const PoolFixture fixture;
  PoolUser user{fixture.pool};
  auto counter = Owned<Counter>::make(user.acquire());
  counter->count.fetch_add(7);
  Buffer buffer = counter.take_buffer();
  BOOST_TEST(!counter);
  BOOST_TEST(Owned<Counter>::view(std::move(buffer))->count.load() == 7U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
