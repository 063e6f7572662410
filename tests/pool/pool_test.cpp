// A pool in one process: options, acquiring and releasing, sharing, limits, growth.
#include <sys/mman.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <cstring>
#include <mutex>
#include <set>
#include <thread>

#include <sapbuf/sapbuf.hpp>

#include "pool/pool_core.hpp"
#include "pool_fixture.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

template <typename Call>
Errc error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.errc();
  }
  return Errc{};
}

BOOST_AUTO_TEST_SUITE(pool)

BOOST_AUTO_TEST_CASE(options_are_kept_and_compared) {
  const PoolFixture fixture{{.buffer_bytes = 1000, .count = 5, .max_count = 9, .alignment = 256}};
  const Pool again = Pool::open(fixture.segment, "frames");
  BOOST_TEST(again.options().buffer_bytes == 1000U);
  BOOST_TEST(again.options().max_count == 9U);
  BOOST_TEST(!again.created());
  BOOST_TEST(fixture.pool.created());
  BOOST_TEST(again.differences({.buffer_bytes = 1000, .count = 5, .max_count = 9, .alignment = 256}).empty());
  BOOST_TEST(again.differences({.buffer_bytes = 1000, .count = 6, .max_count = 9, .alignment = 256}) ==
                 std::vector<std::string>{"count 5, not 6"},
             boost::test_tools::per_element());
  BOOST_TEST(!Pool::open_or_create(fixture.segment, "frames").created());
  BOOST_TEST(Pool::open_or_create(fixture.segment, "more").created());
}

BOOST_AUTO_TEST_CASE(what_cannot_work_is_refused) {
  const PoolFixture fixture;
  const Segment& segment = fixture.segment;
  for (const PoolOptions& options :
       {PoolOptions{.buffer_bytes = 0}, PoolOptions{.buffer_bytes = (1ull << 30) + 1}, PoolOptions{.count = 0},
        PoolOptions{.count = 4, .max_count = 3}, PoolOptions{.alignment = 3}, PoolOptions{.alignment = 4u << 20}}) {
    BOOST_TEST(static_cast<int>(error_of([&] { Pool::create(segment, "p", options); })) ==
               static_cast<int>(Errc::invalid_argument));
  }
  BOOST_TEST(static_cast<int>(error_of([&] { Pool::open(segment, "p"); })) == static_cast<int>(Errc::not_found));
  BOOST_TEST(static_cast<int>(error_of([&] { Pool::open(segment, "main"); })) == static_cast<int>(Errc::not_found));
  BOOST_TEST(static_cast<int>(error_of([&] { Pool::create(segment, "main"); })) == static_cast<int>(Errc::exists));
}

BOOST_AUTO_TEST_CASE(buffers_are_aligned_apart_and_all_there) {
  const PoolFixture fixture{{.buffer_bytes = 100, .count = 8, .alignment = 128}};
  PoolUser user{fixture.pool};
  std::vector<Buffer> all = take_all(user);
  BOOST_TEST(all.size() == 8U);
  std::set<std::byte*> begins;
  for (const Buffer& buffer : all) {
    BOOST_TEST(buffer.bytes().size() == 100U);
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(buffer.bytes().data()) % 128 == 0U);
    std::memset(buffer.bytes().data(), 1, buffer.bytes().size());
    begins.insert(buffer.bytes().data());
  }
  BOOST_TEST(begins.size() == 8U);
  BOOST_TEST((user.acquire().status() == Status::exhausted));
  std::byte* const freed = all[3].bytes().data();
  all[3].release();
  BOOST_TEST((all[3].status() == Status::closed));
  BOOST_TEST(all[3].bytes().empty());
  const Buffer again = user.acquire();
  BOOST_TEST(again.bytes().data() == freed);
}

// More than a page: the addresses are chosen for it, in each process anew.
BOOST_AUTO_TEST_CASE(buffers_are_aligned_to_huge_pages_in_every_process) {
  constexpr std::uint64_t kHuge = 2 << 20;
  const PoolFixture fixture{{.buffer_bytes = 5000, .count = 2, .max_count = 3, .alignment = kHuge}};
  const auto are_aligned = [](const Pool& pool, std::byte mark) {
    PoolUser user{pool};
    const std::vector<Buffer> all = take_all(user);
    for (const Buffer& buffer : all) {
      if (reinterpret_cast<std::uintptr_t>(buffer.bytes().data()) % kHuge != 0) return false;
      std::memset(buffer.bytes().data(), static_cast<int>(mark), buffer.bytes().size());
    }
    return all.size() == 3;
  };
  BOOST_TEST(are_aligned(fixture.pool, std::byte{1}));
  Child other{[&](Link&) {
    // Something lies in the way of what the system would choose by itself.
    ::mmap(nullptr, 3 * layout::kPageBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!are_aligned(fixture.open_again(), std::byte{2})) throw std::runtime_error("not aligned, or not all");
  }};
  BOOST_TEST(other.wait() == 0);
  PoolUser user{fixture.pool};
  for (const Buffer& buffer : take_all(user)) BOOST_TEST((buffer.bytes()[4999] == std::byte{2}));
}

BOOST_AUTO_TEST_CASE(supplied_memory_is_not_moved_for_an_alignment) {
  alignas(4096) static std::byte memory[1 << 20];
  const Segment segment = Segment::create_in({.bytes = memory}, {.slabs = 2, .slab_bytes = 4096, .participants = 4});
  BOOST_TEST(static_cast<int>(error_of([&] { Pool::create(segment, "frames", {.count = 1, .alignment = 8192}); })) ==
             static_cast<int>(Errc::invalid_argument));
  BOOST_TEST(Pool::create(segment, "frames", {.count = 1, .alignment = 4096}).count() == 1U);
}

BOOST_AUTO_TEST_CASE(what_is_shared_can_be_looked_at_and_not_written) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 2}};
  PoolUser user{fixture.pool};
  Buffer own = user.acquire();
  std::memcpy(own.bytes().data(), "hello", 6);
  BufferReference not_shared = own.share();
  ++not_shared.index;
  const BufferReference reference = own.share();
  BOOST_TEST(fixture.pool.view(not_shared).empty());
  Child other{[&](Link& link) {
    const Pool pool = fixture.open_again();
    const std::span<const std::byte> seen = pool.view(reference);
    if (seen.size() != 64 || std::memcmp(seen.data(), "hello", 6) != 0) throw std::runtime_error("not seen");
    link.say(1);
    link.hear();
    std::signal(SIGSEGV, SIG_DFL);  // the test framework's own
    const_cast<std::byte&>(seen[0]) = std::byte{0};
  }};
  BOOST_TEST(other.hear() == 1U);
  other.say(1);
  BOOST_TEST(other.wait() == -SIGSEGV);
  own.release();
  const std::vector<Buffer> all = take_all(user);
  BOOST_TEST(fixture.pool.view(reference).empty());
  BOOST_TEST(fixture.pool.view({}).empty());
}

// Whoever touches one is ended by SIGSEGV.
BOOST_AUTO_TEST_CASE(the_library_touches_no_byte_of_a_buffer) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 4, .max_count = 8}};
  PoolUser user{fixture.pool};
  PoolUser other{fixture.pool};
  BOOST_TEST_REQUIRE(::mprotect(fixture.pool.core()->buffers(), layout::kPageBytes, PROT_NONE) == 0);
  {
    std::vector<Buffer> all = take_all(user);
    BOOST_TEST(all.size() == 8U);
    for (Buffer& buffer : all) BOOST_TEST(static_cast<bool>(other.adopt(buffer.share())));
    BOOST_TEST((other.acquire_for(1ms).status() == Status::timeout));
    recover(fixture.segment);
    BOOST_TEST(inspect(fixture.segment).facilities.size() == 2U);
  }
  BOOST_TEST(take_all(other).size() == 8U);
}

BOOST_AUTO_TEST_CASE(a_shared_buffer_lives_as_long_as_one_of_its_holders) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 1}};
  PoolUser first{fixture.pool};
  PoolUser second{fixture.pool};
  Buffer own = first.acquire();
  std::memcpy(own.bytes().data(), "hello", 6);
  const BufferReference reference = own.share();
  BOOST_TEST((own.share() == reference));
  Buffer adopted = second.adopt(reference);
  BOOST_TEST_REQUIRE(static_cast<bool>(adopted));
  BOOST_TEST(adopted.bytes().data() == own.bytes().data());
  own.release();
  BOOST_TEST((first.acquire().status() == Status::exhausted));
  BOOST_TEST(std::memcmp(adopted.bytes().data(), "hello", 6) == 0);
  Buffer again = first.adopt(reference);
  BOOST_TEST(static_cast<bool>(again));
  adopted.release();
  BOOST_TEST((second.acquire().status() == Status::exhausted));
  again.release();
  // Nobody has it: whoever needs one finds that out.
  Buffer fresh = second.acquire();
  BOOST_TEST(static_cast<bool>(fresh));
  BOOST_TEST((first.adopt(reference).status() == Status::stale));
}

BOOST_AUTO_TEST_CASE(a_reference_that_nobody_holds_may_be_adopted_until_somebody_needs_the_buffer) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 2}};
  PoolUser user{fixture.pool};
  const BufferReference reference = user.acquire().share();
  BOOST_TEST(static_cast<bool>(user.adopt(reference)));
  std::vector<Buffer> all = take_all(user);
  BOOST_TEST(all.size() == 2U);
  BOOST_TEST((user.adopt(reference).status() == Status::stale));
}

BOOST_AUTO_TEST_CASE(a_strange_reference_adopts_nothing) {
  const PoolFixture fixture;
  const Pool other_pool = Pool::create(fixture.segment, "other");
  PoolUser user{fixture.pool};
  PoolUser of_other{other_pool};
  Buffer own = user.acquire();
  const BufferReference good = own.share();
  BOOST_TEST((of_other.adopt(good).status() == Status::stale));
  for (const BufferReference& bad :
       {BufferReference{good.where, 1'000'000, good.incarnation},
        BufferReference{good.where, good.index, good.incarnation + 1},
        BufferReference{good.where + 1, good.index, good.incarnation}, BufferReference{}}) {
    BOOST_TEST((user.adopt(bad).status() == Status::stale));
  }
  Buffer local = user.acquire();  // nobody was told of it
  BufferReference guessed = good;
  guessed.index = good.index + 1;
  BOOST_TEST((user.adopt(guessed).status() == Status::stale));
}

BOOST_AUTO_TEST_CASE(one_user_holds_so_many_shared_buffers_at_the_most) {
  const PoolFixture fixture{{.buffer_bytes = 8, .count = 300}};
  PoolUser user{fixture.pool};
  PoolUser other{fixture.pool};
  std::vector<Buffer> all = take_all(user);
  std::vector<BufferReference> references;
  for (Buffer& buffer : all) {
    const BufferReference reference = buffer.share();
    if (reference == BufferReference{}) break;
    references.push_back(reference);
  }
  BOOST_TEST(references.size() == 248U);
  BOOST_TEST((user.adopt(references[0]).status() == Status::over_budget));
  all[0].release();
  Buffer adopted = user.adopt(references[1]);
  BOOST_TEST(static_cast<bool>(adopted));
}

// What it takes from the pool at once, for later, is more.
BOOST_AUTO_TEST_CASE(a_budget_holds_for_what_is_at_hand) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 512}};
  PoolUser user{fixture.pool, {.budget = 1}};
  const Buffer only = user.acquire();
  BOOST_TEST(static_cast<bool>(only));
  BOOST_TEST((user.acquire().status() == Status::over_budget));
}

BOOST_AUTO_TEST_CASE(a_budget_counts_no_more_what_other_threads_released) {
  const PoolFixture fixture;
  PoolUser sender{fixture.pool};
  Buffer first = sender.acquire();
  Buffer second = sender.acquire();
  PoolUser user{fixture.pool, {.budget = 2}};
  Buffer adopted[] = {user.adopt(first.share()), user.adopt(second.share())};
  BOOST_TEST((user.adopt(first.share()).status() == Status::over_budget));
  std::thread{[&] {
    for (Buffer& buffer : adopted) buffer.release();
  }}.join();
  BOOST_TEST(static_cast<bool>(user.adopt(first.share())));
}

BOOST_AUTO_TEST_CASE(a_budget_is_how_many_one_user_can_hold) {
  const PoolFixture fixture;
  PoolUser user{fixture.pool, {.budget = 3}};
  PoolUser other{fixture.pool};
  Buffer first = user.acquire();
  const Buffer second = user.acquire();
  Buffer of_other = other.acquire();
  Buffer adopted = user.adopt(of_other.share());
  BOOST_TEST(static_cast<bool>(adopted));
  BOOST_TEST((user.acquire().status() == Status::over_budget));
  BOOST_TEST((user.acquire_for(kPatience).status() == Status::over_budget));
  BOOST_TEST((user.adopt(of_other.share()).status() == Status::over_budget));
  first.release();
  first = user.acquire();
  BOOST_TEST(static_cast<bool>(first));
  BOOST_TEST((user.acquire().status() == Status::over_budget));
  adopted.release();
  BOOST_TEST(static_cast<bool>(user.acquire()));
  BOOST_TEST(take_all(other).size() == 16U - 3U);
}

BOOST_AUTO_TEST_CASE(a_buffer_may_be_released_on_another_thread) {
  const PoolFixture fixture;
  PoolUser user{fixture.pool, {.budget = 16}};
  std::vector<Buffer> all = take_all(user);
  BOOST_TEST(all.size() == 16U);
  for (std::size_t i = 0; i < 8; ++i) all[i].share();
  std::thread{[&] { all.clear(); }}.join();
  BOOST_TEST(take_all(user).size() == 16U);
  BOOST_TEST(count_acquirable(fixture.pool) == 16U);
}

BOOST_AUTO_TEST_CASE(the_last_buffer_of_a_closed_user_may_be_released_on_another_thread) {
  const PoolFixture fixture;
  std::vector<Buffer> kept;
  {
    PoolUser user{fixture.pool};
    for (int i = 0; i < 4; ++i) kept.push_back(user.acquire());
    kept[0].share();
    std::thread{[&] { kept[1].release(); }}.join();
  }
  kept[2].release();
  BOOST_TEST(inspect(fixture.segment).participants.size() == 1U);
  std::thread{[&] { kept.clear(); }}.join();
  BOOST_TEST(inspect(fixture.segment).participants.empty());
  BOOST_TEST(count_acquirable(fixture.pool) == 16U);
}

// From its first call there, whatever that is: it shares the magazine with no other thread.
BOOST_DATA_TEST_CASE(a_user_is_the_threads_that_used_it_last, boost::unit_test::data::make({0, 1, 2, 3}), call) {
  const PoolFixture fixture{call == 1 ? PoolOptions::for_sizes(64, 1024, 65536)
                                      : PoolOptions{.buffer_bytes = 64, .count = 64}};
  PoolUser other{fixture.pool};
  Buffer of_other = other.acquire(64);
  const BufferReference reference = of_other.share();
  PoolUser user{fixture.pool};
  Buffer first = user.acquire(64);
  Buffer second = user.acquire(64);
  const detail::Magazine magazine = fixture.pool.core()->magazine(user.slot(), 0);
  Buffer kept;
  std::thread{[&] {
    if (call == 0) kept = user.acquire();
    if (call == 1) kept = user.acquire(64);
    if (call == 2) kept = user.adopt(reference);
    if (call == 3) second.share();
  }}.join();
  const std::uint32_t there = magazine.depth();
  BOOST_TEST(there > 0U);
  first.release();
  BOOST_TEST(magazine.depth() == there);
  first = user.acquire(64);  // it comes back
  second.release();
  first.release();
  BOOST_TEST(magazine.depth() >= there);
}

// Released by several threads while the user goes on.
BOOST_AUTO_TEST_CASE(threads_release_what_one_user_acquires) {
  const PoolFixture fixture;
  PoolUser user{fixture.pool};
  std::mutex mutex;
  std::vector<Buffer> passed;
  std::atomic<bool> done{false};
  const auto release_all = [&] {
    while (!done.load()) {
      Buffer one;
      const std::lock_guard guard{mutex};
      if (passed.empty()) continue;
      one = std::move(passed.back());
      passed.pop_back();
    }
  };
  std::thread first{release_all};
  std::thread second{release_all};
  for (int i = 0; i < 5000; ++i) {
    Buffer buffer = user.acquire_for(kPatience);
    if (!buffer) break;
    if (i % 3 == 0) buffer.share();
    const std::lock_guard guard{mutex};
    passed.push_back(std::move(buffer));
  }
  done.store(true);
  first.join();
  second.join();
  passed.clear();
  BOOST_TEST(take_all(user).size() == 16U);
}

BOOST_AUTO_TEST_CASE(it_grows_when_it_has_none_left) {
  const PoolFixture fixture{{.buffer_bytes = 4096, .count = 4, .max_count = 100}};
  PoolUser early{fixture.pool};
  PoolUser user{fixture.pool};
  std::vector<Buffer> all = take_all(user);
  BOOST_TEST(all.size() == 100U);
  BOOST_TEST(fixture.pool.count() == 100U);
  for (const Buffer& buffer : all) std::memset(buffer.bytes().data(), 7, buffer.bytes().size());
  Buffer adopted = early.adopt(all[99].share());
  BOOST_TEST_REQUIRE(static_cast<bool>(adopted));
  BOOST_TEST((adopted.bytes()[4095] == std::byte{7}));
}

BOOST_AUTO_TEST_CASE(a_wait_ends_with_a_release_the_time_or_the_flag) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 1}};
  std::atomic<bool> stop{false};
  PoolUser user{fixture.pool, {.stop = &stop}};
  Buffer only = user.acquire();
  BOOST_TEST((user.acquire_for(3ms).status() == Status::timeout));
  Child other{[&](Link& link) {
    PoolUser own{fixture.open_again()};
    link.say(1);
    Buffer buffer = own.acquire_for(kPatience);
    link.say(buffer ? 2 : 3);
  }};
  BOOST_TEST(other.hear() == 1U);
  only.release();
  BOOST_TEST(other.hear() == 2U);
  BOOST_TEST(other.wait() == 0);
  only = user.acquire_for(kPatience);
  BOOST_TEST(static_cast<bool>(only));
  stop.store(true);
  BOOST_TEST((user.acquire_for(std::chrono::hours::max()).status() == Status::stopped));
}

BOOST_AUTO_TEST_CASE(a_user_that_is_closed_goes_with_its_last_buffer) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 2}};
  Buffer kept;
  {
    PoolUser user{fixture.pool};
    kept = user.acquire();
    user.close();
    BOOST_TEST((user.acquire().status() == Status::closed));
  }
  std::memset(kept.bytes().data(), 1, 64);
  BOOST_TEST(static_cast<int>(error_of([&] { Pool::remove(fixture.segment, "frames"); })) ==
             static_cast<int>(Errc::busy));
  kept.release();
  BOOST_TEST(Pool::remove(fixture.segment, "frames"));
  BOOST_TEST(!fixture.pool.is_current());
  BOOST_TEST(static_cast<int>(error_of([&] { PoolUser{fixture.pool}; })) == static_cast<int>(Errc::not_found));
}

BOOST_AUTO_TEST_CASE(a_child_made_by_fork_has_none_of_it) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 2}};
  PoolUser user{fixture.pool};
  Buffer own = user.acquire();
  Child child{[&](Link&) {
    if (user.acquire().status() != Status::forked) throw std::runtime_error("it acquires");
    own.release();
  }};
  BOOST_TEST(child.wait() == 0);
  const Buffer other = user.acquire();
  BOOST_TEST((user.acquire().status() == Status::exhausted));
}

BOOST_AUTO_TEST_CASE(who_may_let_it_grow_is_chosen) {
  const PoolFixture creator{{.buffer_bytes = 64, .count = 4, .max_count = 8, .grow = Grow::creator}};
  const PoolFixture nobody{{.buffer_bytes = 64, .count = 4, .max_count = 8, .grow = Grow::nobody}};
  BOOST_TEST(count_acquirable(creator.open_again()) == 4U);
  BOOST_TEST(count_acquirable(creator.pool) == 8U);
  BOOST_TEST(count_acquirable(nobody.pool) == 4U);
  BOOST_TEST((nobody.pool.options().grow == Grow::nobody));
  BOOST_TEST(nobody.pool.differences({.buffer_bytes = 64, .count = 4, .max_count = 8}).at(0) ==
             "grow nobody, not anyone");
}

BOOST_AUTO_TEST_CASE(it_may_grow_ahead_of_need) {
  const PoolFixture fixture{{.buffer_bytes = 65536, .count = 4, .max_count = 300, .grow = Grow::nobody}};
  fixture.pool.grow_to(200);
  BOOST_TEST(fixture.pool.count() >= 200U);
  BOOST_TEST(fixture.pool.count() < 300U);
  fixture.pool.grow_to(100);
  BOOST_TEST(fixture.open_again().count() >= 200U);
  BOOST_TEST((error_of([&] { fixture.pool.grow_to(301); }) == Errc::invalid_argument));
  fixture.pool.grow_to(300);
  BOOST_TEST(count_acquirable(fixture.pool) == 300U);
}

// A stray store changed what lies in the magazine.
BOOST_AUTO_TEST_CASE(an_index_at_hand_that_is_no_buffer_is_not_believed) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 64}};
  PoolUser user{fixture.pool};
  user.acquire().release();
  layout::PoolSlot& slot = fixture.pool.core()->slot(user.slot());
  for (layout::HalfWord& index : slot.magazine) index.store(64);
  const std::byte* const begin = fixture.pool.core()->buffers();
  const Buffer buffer = user.acquire();
  BOOST_TEST_REQUIRE(static_cast<bool>(buffer));
  BOOST_TEST(buffer.bytes().data() >= begin);
  BOOST_TEST(buffer.bytes().data() < begin + 64 * 64);
}

// Another facility has its place by now.
BOOST_AUTO_TEST_CASE(a_pool_that_was_removed_does_not_grow) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 64, .max_count = 4096}};
  Pool::remove(fixture.segment, "frames");
  const Pool next = Pool::create(fixture.segment, "next", {.buffer_bytes = 4096, .count = 64, .max_count = 128});
  BOOST_CHECK_EXCEPTION(fixture.pool.grow_to(128), Error,
                        [](const Error& error) { return error.errc() == Errc::not_found; });
  BOOST_TEST(next.count() == 64U);
  BOOST_TEST(count_acquirable(next) == 128U);
}

// Its slot is another user's by then, and so is the magazine in it.
BOOST_AUTO_TEST_CASE(a_buffer_outlives_a_user_that_was_taken_for_dead) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 256}};
  PoolUser dead{fixture.pool};
  Buffer kept = dead.acquire();
  declare_dead(fixture.segment, dead.slot());
  std::vector<PoolUser> others;
  do {
    BOOST_TEST_REQUIRE(others.size() < 8U);
    others.emplace_back(fixture.pool);
  } while (others.back().slot() != dead.slot());
  others.back().acquire().release();
  dead.close();
  kept.release();
  others.clear();
  BOOST_TEST(count_acquirable(fixture.pool) == 256U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
