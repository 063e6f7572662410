// What a user of a pool is told that is none any more: it was taken for dead, or is the parent's.
#include <boost/test/unit_test.hpp>

#include "pool/pool_fixture.hpp"
#include "support/pool_invariants.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

// Nothing if all of them say `wanted`; or else which one does not.
std::string says_otherwise(PoolUser& user, const BufferReference& shared, Status wanted) {
  if (user.acquire().status() != wanted) return "acquire";
  if (user.acquire(8).status() != wanted) return "acquire of a size";
  if (user.acquire_for(kPatience).status() != wanted) return "acquire_for";
  if (user.acquire_run(2).status() != wanted) return "acquire_run";
  if (user.adopt(shared).status() != wanted) return "adopt";
  return "";
}

BOOST_AUTO_TEST_SUITE(pool_status)

BOOST_AUTO_TEST_CASE(a_user_that_was_taken_for_dead_is_told_and_keeps_nothing) {
  for (const bool is_slot_anothers : {false, true}) {
    const PoolFixture fixture;
    PoolUser keeper{fixture.pool};
    Buffer kept = keeper.acquire();
    const BufferReference shared = kept.share();
    PoolUser user{fixture.pool};
    Buffer held = user.acquire();
    Buffer other = user.acquire();
    user.acquire().release();  // one is at hand
    declare_dead(fixture.segment, user.slot());
    std::vector<PoolUser> next;  // until one of them has the slot
    while (is_slot_anothers && (next.empty() || next.back().slot() != user.slot())) next.emplace_back(fixture.pool);
    BOOST_TEST(says_otherwise(user, shared, Status::declared_dead) == "");
    BOOST_TEST((held.share() == BufferReference{}));
    held.release();
    user.close();
    other.release();
    BOOST_TEST((user.acquire().status() == Status::closed));
    kept.release();
    next.clear();
    BOOST_TEST(count_acquirable(fixture.pool) == 16U);
    BOOST_TEST(broken_pool_invariant(fixture.pool) == "");
  }
}

// What it gives back is another one's by now.
BOOST_AUTO_TEST_CASE(what_it_releases_takes_nothing_from_who_has_it_now) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 1}};
  PoolUser user{fixture.pool};
  Buffer lost = user.acquire();
  declare_dead(fixture.segment, user.slot());
  PoolUser next{fixture.pool};
  const Buffer its = next.acquire();
  BOOST_TEST((its.status() == Status::ok));
  lost.release();
  user.close();
  PoolUser third{fixture.pool};
  BOOST_TEST((third.acquire().status() == Status::exhausted));
}

BOOST_AUTO_TEST_CASE(a_child_made_by_fork_is_told_at_each_call) {
  const PoolFixture fixture;
  PoolUser user{fixture.pool};
  Buffer held = user.acquire();
  Buffer other = user.acquire();
  const BufferReference shared = held.share();
  Child child{[&](Link&) {
    const std::string wrong = says_otherwise(user, shared, Status::forked);
    if (!wrong.empty()) throw std::runtime_error(wrong);
    if (other.share() != BufferReference{}) throw std::runtime_error("share");
    if (error_of([&] { const PoolUser own{fixture.pool}; }) != Errc::forked) throw std::runtime_error("attach");
    if (error_of([&] { fixture.pool.grow_to(16); }) != Errc::forked) throw std::runtime_error("grow_to");
    if (error_of([&] { fixture.pool.trim(); }) != Errc::forked) throw std::runtime_error("trim");
    if (error_of([&] { static_cast<void>(fixture.pool.view(shared)); }) != Errc::forked) {
      throw std::runtime_error("view");
    }
    held.release();
    other.release();
    user.close();
  }};
  BOOST_TEST(child.wait() == 0);
  PoolUser others{fixture.pool};
  BOOST_TEST((others.adopt(shared).status() == Status::ok));  // the parent has it still
  BOOST_TEST(take_all(others).size() == 14U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
