// A process that cannot have so many addresses uses the buffers that there were when it came, and does others no harm.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <memory>

#include <sapbuf/detail/kill_point.hpp>

#include "pool/pool_core.hpp"
#include "pool_fixture.hpp"
#include "support/address_space.hpp"
#include "support/pool_invariants.hpp"
#include "support/skip.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

constexpr std::uint64_t kFirst = 64;
constexpr std::uint64_t kGrown = 192;  // at least
constexpr auto kForEver = std::chrono::hours::max();

// All that the pool may have is 256 MiB; a quarter of one is there at first.
struct ReachFixture : PoolFixture {
  explicit ReachFixture(const PoolOptions& options = {.buffer_bytes = 4096, .count = kFirst, .max_count = 65536})
      : PoolFixture(options) {}

  // Another process, which maps the pool before it grows, and calls `act` behind that, once it is told to.
  std::unique_ptr<Child> poor(const std::function<void(Link&, PoolUser&)>& act, std::uint64_t grown = kGrown) const {
    auto child = std::make_unique<Child>([this, act](Link& link) {
      limit_address_space(40 << 20);
      const Pool own = open_again();
      PoolUser user{own};
      link.say(1);
      link.hear();
      link.say(own.count());
      link.hear();
      act(link, user);
    });
    BOOST_TEST_REQUIRE(child->hear() == 1U);
    pool.grow_to(grown);
    child->say(1);
    BOOST_TEST_REQUIRE(child->hear() < grown);
    return child;
  }
};

// Sorted by their numbers.
std::vector<Buffer> take_first(PoolUser& user, std::size_t count) {
  std::vector<Buffer> all;
  while (all.size() < count) all.push_back(user.acquire());
  std::sort(all.begin(), all.end(),
            [](const Buffer& one, const Buffer& other) { return one.bytes().data() < other.bytes().data(); });
  return all;
}

// Waits, and stands still there.
std::unique_ptr<Child> make_waiter(const PoolFixture& fixture) {
  auto waiter = std::make_unique<Child>([&fixture](Link& link) {
    PoolUser own{fixture.open_again()};
    kill_point::arm(KillPoint::pool_waiting, stop_self);
    const Buffer buffer = own.acquire_for(kForEver);
    link.say(buffer ? 1 : 0);
    link.hear();
  });
  BOOST_TEST_REQUIRE(waiter->wait_until_stopped());
  return waiter;
}

BOOST_AUTO_TEST_SUITE(pool_reach)

BOOST_AUTO_TEST_CASE(who_does_not_see_what_a_waiter_was_given_leaves_it_to_him) {
  if (kUnderSanitizer) return skip("a sanitizer takes all address space");
  const ReachFixture fixture{{.buffer_bytes = 4096, .count = kFirst, .max_count = 65536, .grow = Grow::nobody}};
  const auto poor = fixture.poor([](Link& link, PoolUser& user) {
    link.say(user.acquire().status() == Status::exhausted ? 1 : 0);
    link.hear();
  });
  PoolUser user{fixture.pool};
  std::vector<Buffer> all = take_first(user, fixture.pool.count());
  const auto first = make_waiter(fixture);
  const auto second = make_waiter(fixture);
  all.pop_back();  // to the first one; the second one waits still
  poor->say(1);
  BOOST_TEST(poor->hear() == 1U);
  first->resume();
  BOOST_TEST(first->hear() == 1U);
  second->resume();
  all.pop_back();
  BOOST_TEST(second->hear() == 1U);
  for (const auto& child : {first.get(), second.get(), poor.get()}) {
    child->say(1);
    BOOST_TEST(child->wait() == 0);
  }
  all.clear();
  BOOST_TEST(broken_pool_invariant(fixture.pool) == "");
  BOOST_TEST(count_acquirable(fixture.pool) == fixture.pool.count());
}

BOOST_AUTO_TEST_CASE(what_a_waiter_cannot_have_is_not_lost) {
  if (kUnderSanitizer) return skip("a sanitizer takes all address space");
  const ReachFixture fixture{{.buffer_bytes = 4096, .count = kFirst, .max_count = 65536, .grow = Grow::nobody}};
  const auto poor = fixture.poor([](Link& link, PoolUser& user) {
    kill_point::arm(KillPoint::pool_waiting, [&] { link.say(1); });
    const Buffer buffer = user.acquire_for(kPatience);
    link.say(buffer ? 1 : 0);
    link.hear();
  });
  PoolUser user{fixture.pool};
  std::vector<Buffer> all = take_first(user, fixture.pool.count());
  poor->say(1);
  BOOST_TEST(poor->hear() == 1U);
  all.pop_back();
  BOOST_TEST(eventually([&] { return static_cast<bool>(PoolUser{fixture.pool}.acquire()); }));
  all.erase(all.begin());
  BOOST_TEST(poor->hear() == 1U);
  poor->say(1);
  BOOST_TEST(poor->wait() == 0);
  all.clear();
  BOOST_TEST(count_acquirable(fixture.pool) == fixture.pool.count());
}

BOOST_AUTO_TEST_CASE(who_does_not_see_what_the_dead_had_frees_it_all_the_same) {
  if (kUnderSanitizer) return skip("a sanitizer takes all address space");
  const ReachFixture fixture{{.buffer_bytes = 4096, .count = kFirst, .max_count = 65536, .grow = Grow::nobody}};
  const auto poor = fixture.poor([&](Link& link, PoolUser& user) {
    user.close();
    recover(Segment::open(fixture.name));
    link.say(1);
  });
  {
    Child victim{[&](Link& link) {
      PoolUser own{fixture.open_again()};
      const Run run = own.acquire_run(100);
      const std::vector<Buffer> all = take_all(own);
      link.say(1);
      link.hear();
    }};
    BOOST_TEST(victim.hear() == 1U);
    victim.kill();
  }
  poor->say(1);
  BOOST_TEST(poor->hear() == 1U);
  BOOST_TEST(poor->wait() == 0);
  BOOST_TEST(broken_pool_invariant(fixture.pool) == "");
  BOOST_TEST(fixture.pool.core()->control().out.load() == 0U);
  BOOST_TEST(count_acquirable(fixture.pool) == fixture.pool.count());
}

BOOST_AUTO_TEST_CASE(who_cannot_use_more_lets_the_pool_grow_no_further) {
  if (kUnderSanitizer) return skip("a sanitizer takes all address space");
  const ReachFixture fixture;
  const auto poor = fixture.poor([](Link& link, PoolUser& user) {
    const std::vector<Buffer> all = take_all(user);
    link.say(all.size());
  });
  const std::uint64_t before = fixture.pool.count();
  poor->say(1);
  BOOST_TEST(poor->hear() >= kFirst);
  BOOST_TEST(poor->wait() == 0);
  BOOST_TEST(fixture.pool.count() == before);
}

BufferReference hear_of(Link& link) {
  BufferReference reference;
  reference.where = link.hear();
  reference.index = static_cast<std::uint32_t>(link.hear());
  reference.incarnation = static_cast<std::uint32_t>(link.hear());
  return reference;
}
// Adopts what it is told of.
void adopt_in_vain(Link& link, PoolUser& user) {
  const BufferReference reference = hear_of(link);
  link.say(user.adopt(reference).status() == Status::exhausted ? 1 : 0);
}
void tell_of(Child& child, const BufferReference& reference) {
  child.say(1);
  child.say(reference.where);
  child.say(reference.index);
  child.say(reference.incarnation);
}

BOOST_AUTO_TEST_CASE(what_it_cannot_have_is_not_stale) {
  if (kUnderSanitizer) return skip("a sanitizer takes all address space");
  const ReachFixture fixture;
  const auto poor = fixture.poor(adopt_in_vain);
  PoolUser user{fixture.pool};
  std::vector<Buffer> all = take_first(user, fixture.pool.count());
  tell_of(*poor, all.back().share());
  BOOST_TEST(poor->hear() == 1U);
  BOOST_TEST(poor->wait() == 0);
}

// Of 72 pieces, some of which stand where it has addresses.
constexpr std::uint64_t kPiece = 4096;
constexpr std::uint64_t kPieces = 72;
constexpr std::uint64_t kThere = 4 * layout::kChunkBuffers;  // when it came
const PoolOptions kOfManyPieces{
    .min_bytes = kPiece, .max_bytes = kPieces * kPiece, .count = kThere, .max_count = 65536, .alignment = kPiece};

// Has all of them, and tells of the one that it has addresses for a part of.
void tell_of_one_in_part(const ReachFixture& fixture, Child& poor) {
  PoolUser user{fixture.pool};
  std::vector<Buffer> all;
  BufferReference in_part;
  while (Buffer buffer = user.acquire(kPieces * kPiece)) {
    const BufferReference reference = buffer.share();
    if (reference.index < kThere && reference.index + kPieces > kThere) in_part = reference;
    all.push_back(std::move(buffer));
  }
  BOOST_TEST_REQUIRE(in_part.index != 0U);
  tell_of(poor, in_part);
  BOOST_TEST(poor.hear() == 1U);
  BOOST_TEST(poor.wait() == 0);
}

BOOST_AUTO_TEST_CASE(what_it_can_have_only_a_part_of_it_does_not_see) {
  if (kUnderSanitizer) return skip("a sanitizer takes all address space");
  const ReachFixture fixture{kOfManyPieces};
  Child poor{[&](Link& link) {
    limit_address_space(40 << 20);
    const Pool own = fixture.open_again();
    PoolUser user{own};
    {
      Buffer one = user.acquire(kPiece);
      if (own.view(one.share()).empty()) throw std::runtime_error("it sees nothing at all");
    }
    user.close();
    link.say(1);
    link.hear();
    link.say(own.view(hear_of(link)).empty() ? 1 : 0);
  }};
  BOOST_TEST_REQUIRE(poor.hear() == 1U);
  fixture.pool.grow_to(3 * kThere);
  tell_of_one_in_part(fixture, poor);
}

BOOST_AUTO_TEST_CASE(what_it_can_have_only_a_part_of_it_cannot_have) {
  if (kUnderSanitizer) return skip("a sanitizer takes all address space");
  const ReachFixture fixture{kOfManyPieces};
  const auto poor = fixture.poor(adopt_in_vain, 3 * kThere);
  tell_of_one_in_part(fixture, *poor);
  BOOST_TEST(broken_pool_invariant(fixture.pool) == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
