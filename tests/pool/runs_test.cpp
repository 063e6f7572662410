// Runs of adjacent buffers, and memory that goes back to the system: alone, beside others, and with deaths.
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstring>
#include <random>
#include <thread>

#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/sapbuf.hpp>

#include "pool/chunks.hpp"
#include "pool_fixture.hpp"
#include "support/pool_invariants.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;
using layout::ChunkState;
using layout::ChunkWord;

ChunkState state_of(const Pool& pool, std::uint32_t chunk) {
  return ChunkWord{pool.core()->chunk(chunk).load()}.state();
}

std::uint64_t file_bytes(const std::string& segment) {
  struct stat file {};
  const std::string path = "/dev/shm/sapbuf." + segment;
  if (::stat(path.c_str(), &file) != 0) throw std::runtime_error("no " + path);
  return static_cast<std::uint64_t>(file.st_blocks) * 512;
}

void fill(Run& run, std::uint64_t value) {
  for (const std::span<std::byte> part : run.parts()) std::memcpy(part.data(), &value, sizeof value);
}

bool has(const Run& run, std::uint64_t value) {
  const auto parts = run.parts();
  return std::all_of(parts.begin(), parts.end(),
                     [&](std::span<std::byte> part) { return std::memcmp(part.data(), &value, sizeof value) == 0; });
}

BOOST_AUTO_TEST_SUITE(pool_runs)

BOOST_DATA_TEST_CASE(a_run_is_so_many_adjacent_buffers, data::make({1, 2, 63, 64, 65, 127, 128, 200, 300}), size) {
  const PoolFixture fixture{{.buffer_bytes = 100, .count = 300, .alignment = 64}};
  PoolUser user{fixture.pool};
  const auto buffers = static_cast<std::uint32_t>(size);
  Run run = user.acquire_run(buffers);
  BOOST_TEST_REQUIRE(static_cast<bool>(run));
  BOOST_TEST(run.size() == buffers);
  BOOST_TEST(run.parts().size() == buffers);
  BOOST_TEST(run.iovecs().size() == buffers);
  std::byte* expected = run.parts()[0].data();
  for (std::size_t i = 0; i < buffers; ++i, expected += 128) {
    BOOST_TEST_REQUIRE(run.parts()[i].data() == expected);
    BOOST_TEST_REQUIRE(run.parts()[i].size() == 100U);
    BOOST_TEST_REQUIRE(run.iovecs()[i].iov_base == expected);
    BOOST_TEST_REQUIRE(run.iovecs()[i].iov_len == 100U);
  }
  BOOST_TEST(inspect(fixture.segment).facilities[1].pool->in_use == buffers);
  BOOST_TEST(count_acquirable(fixture.pool) == 300U - buffers);
  run.release();
  BOOST_TEST((run.status() == Status::closed));
  BOOST_TEST(run.size() == 0U);
  BOOST_TEST(run.iovecs().empty());
  BOOST_TEST(inspect(fixture.segment).facilities[1].pool->in_use == 0U);
  BOOST_TEST(count_acquirable(fixture.pool) == 300U);
}

BOOST_AUTO_TEST_CASE(buffers_that_touch_each_other_are_one_piece) {
  const PoolFixture fixture{{.buffer_bytes = 4096, .count = 128}};
  PoolUser user{fixture.pool};
  Run run = user.acquire_run(100);
  BOOST_TEST_REQUIRE(run.iovecs().size() == 1U);
  BOOST_TEST(run.iovecs()[0].iov_base == run.parts()[0].data());
  BOOST_TEST(run.iovecs()[0].iov_len == 409600U);
}

BOOST_AUTO_TEST_CASE(the_system_reads_into_a_run_and_writes_out_of_it) {
  const PoolFixture fixture{{.buffer_bytes = 10, .count = 64}};
  PoolUser user{fixture.pool};
  Run in = user.acquire_run(4);
  Run out = user.acquire_run(4);
  int ends[2];
  BOOST_TEST_REQUIRE(::pipe(ends) == 0);
  const std::string text = "one run of four buffers, ten each: 40";
  BOOST_TEST(::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  BOOST_TEST(::readv(ends[0], in.iovecs().data(), 4) == static_cast<ssize_t>(text.size()));
  for (std::size_t i = 0; i < 4; ++i) std::memcpy(out.parts()[i].data(), in.parts()[i].data(), 10);
  BOOST_TEST(::writev(ends[1], out.iovecs().data(), 4) == 40);
  char read[40];
  BOOST_TEST(::read(ends[0], read, sizeof read) == 40);
  BOOST_TEST(std::string(read, text.size()) == text);
  ::close(ends[0]);
  ::close(ends[1]);
}

BOOST_AUTO_TEST_CASE(it_says_why_there_is_no_run) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 100, .max_count = 150}};
  PoolUser user{fixture.pool, {.budget = 80}};
  BOOST_TEST((user.acquire_run(0).status() == Status::too_large));
  BOOST_TEST((user.acquire_run(151).status() == Status::too_large));
  BOOST_TEST((user.acquire_run(81).status() == Status::over_budget));
  Run run = user.acquire_run(70);
  BOOST_TEST((user.acquire_run(11).status() == Status::over_budget));
  const Run rest = user.acquire_run(10);
  BOOST_TEST(static_cast<bool>(rest));
  run.release();
  BOOST_TEST(static_cast<bool>(user.acquire_run(70)));
  PoolUser other{fixture.pool};
  const Run most = other.acquire_run(64);
  BOOST_TEST(static_cast<bool>(most));
  BOOST_TEST((other.acquire_run(100).status() == Status::exhausted));
  other.close();
  BOOST_TEST((other.acquire_run(1).status() == Status::closed));
}

BOOST_AUTO_TEST_CASE(a_run_moves) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 128}};
  PoolUser user{fixture.pool};
  Run run = user.acquire_run(64);
  Run moved{std::move(run)};
  BOOST_TEST(moved.size() == 64U);
  Run other = user.acquire_run(64);
  other = std::move(moved);
  BOOST_TEST(count_acquirable(fixture.pool) == 64U);
  other = Run{};
  BOOST_TEST(count_acquirable(fixture.pool) == 128U);
}

BOOST_AUTO_TEST_CASE(single_buffers_that_came_back_make_a_run) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 256}};
  PoolUser user{fixture.pool};
  std::vector<Buffer> all = take_all(user);
  BOOST_TEST(all.size() == 256U);
  BOOST_TEST((user.acquire_run(2).status() == Status::exhausted));
  const Buffer kept = std::move(all[70]);
  all.clear();
  const Run run = user.acquire_run(128);
  BOOST_TEST(static_cast<bool>(run));
  BOOST_TEST((user.acquire_run(127).status() == Status::exhausted));
  BOOST_TEST(static_cast<bool>(user.acquire_run(64)));
}

// Others have free buffers at hand: they are there for a run, too; and so are shared ones that nobody holds.
BOOST_AUTO_TEST_CASE(what_others_have_at_hand_makes_a_run) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 256}};
  std::vector<PoolUser> others;
  for (int i = 0; i < 4; ++i) {
    others.emplace_back(fixture.pool);
    others.back().acquire().release();
  }
  others[0].acquire().share();
  PoolUser user{fixture.pool};
  BOOST_TEST(static_cast<bool>(user.acquire_run(256)));
}

BOOST_AUTO_TEST_CASE(the_pool_grows_for_a_run) {
  const PoolFixture fixture{{.buffer_bytes = 65536, .count = 10, .max_count = 500}};
  PoolUser user{fixture.pool};
  const Buffer one = user.acquire();
  const Run run = user.acquire_run(300);
  BOOST_TEST(static_cast<bool>(run));
  BOOST_TEST(fixture.pool.count() >= 310U);
  for (const std::span<std::byte> part : run.parts()) part[0] = std::byte{1};
}

BOOST_AUTO_TEST_CASE(a_run_may_be_released_on_any_thread_and_later_than_its_user) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 256}};
  {
    PoolUser user{fixture.pool, {.budget = 100}};
    Run run = user.acquire_run(100);
    std::thread{[&] { run.release(); }}.join();
    Run late = user.acquire_run(100);
    BOOST_TEST(static_cast<bool>(late));
    user.close();
    BOOST_TEST(count_acquirable(fixture.pool) == 156U);
    late.release();
  }
  BOOST_TEST(count_acquirable(fixture.pool) == 256U);
  BOOST_TEST(inspect(fixture.segment).participants.empty());
}

// Whoever waits comes first, and gets what a run gives back.
BOOST_AUTO_TEST_CASE(a_run_that_is_released_serves_those_who_wait) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 64}};
  PoolUser user{fixture.pool};
  Run run = user.acquire_run(64);
  Child waiter{[&](Link& link) {
    PoolUser own{fixture.open_again()};
    link.say(1);
    if (!own.acquire_for(kPatience)) throw std::runtime_error("it got none");
  }};
  BOOST_TEST(waiter.hear() == 1U);
  BOOST_TEST(eventually([&] { return inspect(fixture.segment).facilities[1].pool->waiting == 1; }));
  run.release();
  BOOST_TEST(waiter.wait() == 0);
}

// What somebody takes from a user's magazine, and gives back, may come to that user in a run, before it has looked up.
BOOST_AUTO_TEST_CASE(what_was_taken_from_its_magazine_comes_to_it_once) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 64}};
  PoolUser user{fixture.pool};
  PoolUser other{fixture.pool};
  user.acquire().release();  // some are at hand
  std::vector<Buffer> all;
  while (inspect(fixture.segment).facilities[1].pool->free != 0) all.push_back(other.acquire());
  kill_point::arm(KillPoint::pool_run_begun, [&] {
    const std::size_t before = all.size();
    while (Buffer buffer = other.acquire()) all.push_back(std::move(buffer));
    std::thread{[&] { all.resize(before); }}.join();
  });
  const Run run = user.acquire_run(2);
  kill_point::disarm();
  BOOST_TEST_REQUIRE(static_cast<bool>(run));
  const Buffer one = user.acquire();
  while (Buffer buffer = other.acquire()) all.push_back(std::move(buffer));
  for (const std::span<std::byte> part : run.parts()) {
    BOOST_TEST(one.bytes().data() != part.data());
    for (const Buffer& buffer : all) BOOST_TEST_REQUIRE(buffer.bytes().data() != part.data());
  }
}

// Nor does what it was given, and did not wait for any more, stand in the magazine when words are taken.
BOOST_AUTO_TEST_CASE(a_late_gift_is_not_at_hand_when_a_run_is_taken) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 64}};
  PoolUser user{fixture.pool};
  detail::PoolCore& core = *fixture.pool.core();
  BOOST_TEST_REQUIRE(detail::split(core, 0, user.slot()));
  BOOST_TEST_REQUIRE(detail::take_buffer(core, 7, user.slot()));
  core.note_out(1);
  core.slot(user.slot()).request.store(layout::Request::given(7).word);
  std::uint32_t depth = ~std::uint32_t{0};
  kill_point::arm(KillPoint::pool_run_begun,
                  [&] { depth = layout::MagazineState{core.slot(user.slot()).state.load()}.depth(); });
  Run run = user.acquire_run(2);
  kill_point::disarm();
  BOOST_TEST(static_cast<bool>(run));
  BOOST_TEST(depth == 0U);
  run.release();
  BOOST_TEST(static_cast<bool>(user.acquire_run(64)));
}

// Somebody else has the last one at hand again at each look.
BOOST_AUTO_TEST_CASE(what_others_have_at_hand_keeps_no_pool_from_growing) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 64, .max_count = 128}};
  PoolUser holder{fixture.pool};
  std::vector<Buffer> all;
  for (int i = 0; i < 63; ++i) all.push_back(holder.acquire());
  PoolUser other{fixture.pool};
  PoolUser user{fixture.pool};
  const std::function<void()> take_and_put_back = [&] {
    other.acquire().release();
    kill_point::arm(KillPoint::pool_run_begun, take_and_put_back);
  };
  kill_point::arm(KillPoint::pool_run_begun, take_and_put_back);
  const Run run = user.acquire_run(2);
  kill_point::disarm();
  BOOST_TEST(static_cast<bool>(run));
}

// Somebody found none free in the chunk, and notes that behind others' release there.
BOOST_AUTO_TEST_CASE(free_buffers_make_a_run_also_where_nobody_noted_them) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 64}};
  PoolUser user{fixture.pool};
  std::vector<Buffer> all = take_all(user);
  BOOST_TEST_REQUIRE(all.size() == 64U);
  std::sort(all.begin(), all.end(),
            [](const Buffer& one, const Buffer& other) { return one.bytes().data() < other.bytes().data(); });
  std::thread{[&] {
    for (std::size_t i = 30; i < 34; ++i) all[i].release();
  }}.join();
  layout::Word& chunk = fixture.pool.core()->chunk(0);
  chunk.store(ChunkWord{chunk.load()}.with_note(false).word);
  BOOST_TEST(static_cast<bool>(user.acquire_run(2)));
}

BOOST_AUTO_TEST_CASE(a_note_keeps_no_chunk_from_being_joined) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 64}};
  PoolUser user{fixture.pool};
  take_all(user).clear();
  layout::Word& chunk = fixture.pool.core()->chunk(0);
  kill_point::arm(KillPoint::chunk_seen_free, [&] {
    const ChunkWord seen{chunk.load()};
    chunk.store(seen.with_note(!seen.is_noted()).word);
  });
  const Run run = user.acquire_run(64);
  kill_point::disarm();
  BOOST_TEST(static_cast<bool>(run));
}

// Runs and single buffers of two processes, at random: nobody ever has what another one has.
void live_at_random(const Pool& pool, std::uint64_t seed, int steps) {
  std::mt19937_64 random{seed};
  PoolUser user{pool};
  std::vector<std::pair<std::uint64_t, Run>> runs;
  std::vector<std::pair<std::uint64_t, Buffer>> buffers;
  std::uint64_t value = seed << 32;
  for (int step = 0; step < steps; ++step) {
    const std::uint64_t dice = random() % 100;
    if (dice < 30) {
      Run run = user.acquire_run(1 + static_cast<std::uint32_t>(random() % (dice < 10 ? 200 : 20)));
      if (!run) continue;
      fill(run, ++value);
      runs.emplace_back(value, std::move(run));
    } else if (dice < 55) {
      Buffer buffer = user.acquire();
      if (!buffer) continue;
      std::memcpy(buffer.bytes().data(), &++value, sizeof value);
      buffers.emplace_back(value, std::move(buffer));
    } else if (dice < 75 && !runs.empty()) {
      std::swap(runs[random() % runs.size()], runs.back());
      if (!has(runs.back().second, runs.back().first)) throw std::runtime_error("somebody wrote to a run");
      runs.pop_back();
    } else if (dice < 99 && !buffers.empty()) {
      std::swap(buffers[random() % buffers.size()], buffers.back());
      auto& [written, buffer] = buffers.back();
      if (std::memcmp(buffer.bytes().data(), &written, sizeof written) != 0) {
        throw std::runtime_error("somebody wrote to a buffer");
      }
      buffers.pop_back();
    } else if (dice == 99) {
      pool.trim();
    }
  }
}

BOOST_AUTO_TEST_CASE(nobody_has_what_another_one_has) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 600, .max_count = 900}};
  {
    Child first{[&](Link&) { live_at_random(fixture.open_again(), 1, 4000); }};
    Child second{[&](Link&) { live_at_random(fixture.open_again(), 2, 4000); }};
    live_at_random(fixture.pool, 3, 4000);
    BOOST_TEST(first.wait() == 0);
    BOOST_TEST(second.wait() == 0);
  }
  BOOST_TEST(count_acquirable(fixture.pool) == 900U);
  PoolUser user{fixture.pool};
  BOOST_TEST(static_cast<bool>(user.acquire_run(900)));
}

// --- Deaths --------------------------------------------------------------------------------------------------------

// Everything that is done with chunks.
void live(const Pool& pool) {
  PoolUser user{pool};
  const Run small = user.acquire_run(3);
  Run one = user.acquire_run(64);
  Run large = user.acquire_run(70);
  one.release();
  Run again = user.acquire_run(20);
  again.release();
  std::vector<Buffer> all = take_all(user);
  all.clear();
  pool.trim();
  const Run behind = user.acquire_run(100);
  large.release();
}

// At every passage through every point; and whoever recovers is killed at every point of his, too.
BOOST_AUTO_TEST_CASE(a_user_may_be_killed_anywhere) {
  for (unsigned nth = 1;; ++nth) {
    const PoolFixture fixture{{.buffer_bytes = 64, .count = 256}};
    const bool died = is_killed_at(nth, fixture, live);
    BOOST_TEST_CONTEXT("kill point passage " << nth) {
      is_killed_at(1 + nth % 40, fixture, recover_segment_of);
      recover(fixture.segment);
      BOOST_TEST(inspect(fixture.segment).participants.empty());
      BOOST_TEST_REQUIRE(inspect(fixture.segment).facilities[1].pool->in_use == 0U);
      {
        PoolUser user{fixture.pool};
        BOOST_TEST_REQUIRE(static_cast<bool>(user.acquire_run(256)));
      }
      BOOST_TEST_REQUIRE(count_acquirable(fixture.pool) == 256U);
    }
    if (!died) {
      BOOST_TEST(nth > 100U);
      return;
    }
  }
}

BOOST_AUTO_TEST_CASE(what_the_dead_had_is_told_buffer_by_buffer) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 256}};
  Child victim{[&](Link& link) {
    PoolUser user{fixture.open_again()};
    const Run run = user.acquire_run(70);
    const Run small = user.acquire_run(2);
    link.say(1);
    link.hear();
  }};
  BOOST_TEST(victim.hear() == 1U);
  BOOST_TEST(inspect(fixture.segment).participants[0].held_generations.size() == 72U);
  victim.kill();
  const RecoveryReport report = recover(fixture.segment);
  BOOST_TEST_REQUIRE(report.dead.size() == 1U);
  BOOST_TEST(report.dead[0].repairs == 72U);
  BOOST_TEST(report.dead[0].repaired_bytes == 72U * 64U);
  BOOST_TEST(report.released == 72U);
}

// Somebody takes one between another one's look at all words of a chunk and his joining it, and is killed. Who joins goes
// on when the dead one is settled, or was killed, too, and is settled behind him.
BOOST_DATA_TEST_CASE(what_the_dead_took_while_its_chunk_was_joined_comes_back, data::make({false, true}),
                     joiner_is_killed) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 64}};
  {
    PoolUser user{fixture.pool};
    take_all(user).clear();
  }
  BOOST_TEST_REQUIRE((state_of(fixture.pool, 0) == ChunkState::split));
  Child taker{[&](Link& link) {
    PoolUser own{fixture.open_again()};
    link.say(own.slot());
    link.hear();
    kill_point::arm(KillPoint::pool_found, stop_self);
    const Buffer buffer = own.acquire();
  }};
  const std::uint64_t slot = taker.hear();
  Child joiner{[&](Link& link) {
    PoolUser own{fixture.open_again()};
    link.say(own.slot());
    link.hear();
    kill_point::arm(KillPoint::chunk_seen_free, [] {
      stop_self();
      kill_point::arm(KillPoint::chunk_joining, stop_self);
    });
    const Run run = own.acquire_run(64);
  }};
  BOOST_TEST_REQUIRE(joiner.hear() > slot);  // recovery goes by slots
  joiner.say(1);
  BOOST_TEST_REQUIRE(joiner.wait_until_stopped());
  taker.say(1);
  BOOST_TEST_REQUIRE(taker.wait_until_stopped());
  joiner.resume();
  BOOST_TEST_REQUIRE(joiner.wait_until_stopped());
  BOOST_TEST_REQUIRE((state_of(fixture.pool, 0) == ChunkState::joining));
  taker.kill();
  if (joiner_is_killed) joiner.kill();
  recover(fixture.segment);
  if (!joiner_is_killed) {
    joiner.resume();
    BOOST_TEST(joiner.wait() == 0);
  }
  BOOST_TEST(broken_pool_invariant(fixture.pool) == "");
  BOOST_TEST(inspect(fixture.segment).facilities[1].pool->in_use == 0U);
  BOOST_TEST(count_acquirable(fixture.pool) == 64U);
}

// One who is stopped with a chunk in his hands keeps that chunk, and nobody else from going on.
BOOST_DATA_TEST_CASE(one_who_is_stopped_keeps_one_chunk_at_the_most,
                     data::make({KillPoint::chunk_joining, KillPoint::chunk_changing, KillPoint::chunk_taken,
                                 KillPoint::chunk_marked}),
                     point) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 256}};
  {
    PoolUser user{fixture.pool};
    take_all(user).clear();
  }
  Child stopped{[&](Link&) {
    const Pool own = fixture.open_again();
    kill_point::arm(point, stop_self);
    live(own);
  }};
  BOOST_TEST(stopped.wait_until_stopped());
  PoolUser user{fixture.pool};
  {
    const std::vector<Buffer> all = take_all(user);
    BOOST_TEST(all.size() >= 256U - 3 - 64 - 128);  // its runs, the last one of which it is about to have
  }
  stopped.resume();
  BOOST_TEST(stopped.wait() == 0);
  BOOST_TEST(static_cast<bool>(user.acquire_run(256)));
}

// It has memory in a moment, and is free.
BOOST_DATA_TEST_CASE(a_chunk_that_another_one_is_allocating_is_waited_for, data::make({false, true}), as_run) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 64}};
  BOOST_TEST(fixture.pool.trim() == 4096U);
  Child allocating{[&](Link&) {
    PoolUser own{fixture.open_again()};
    kill_point::arm(KillPoint::chunk_changing, stop_self);
    own.acquire().release();
  }};
  BOOST_TEST_REQUIRE(allocating.wait_until_stopped());
  PoolUser user{fixture.pool};
  kill_point::arm(KillPoint::chunk_awaited, [&] {
    allocating.resume();
    BOOST_TEST(allocating.wait() == 0);
  });
  const bool got_some = as_run ? static_cast<bool>(user.acquire_run(64)) : static_cast<bool>(user.acquire());
  BOOST_TEST(got_some);
  kill_point::disarm();
}

// The words that it keeps come first: behind the split, others take what says free.
BOOST_AUTO_TEST_CASE(a_chunk_is_split_behind_the_words_that_are_kept) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 64}};
  Child stopped{[&](Link&) {
    PoolUser own{fixture.open_again()};
    kill_point::arm(KillPoint::chunk_marked, stop_self);
    const Run run = own.acquire_run(3);
  }};
  BOOST_TEST(stopped.wait_until_stopped());
  BOOST_TEST((state_of(fixture.pool, 0) == ChunkState::whole));
  stopped.resume();
  BOOST_TEST(stopped.wait() == 0);
}

BOOST_AUTO_TEST_CASE(nobody_takes_a_single_buffer_of_what_is_whole) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 64}};
  PoolUser user{fixture.pool};
  const Run run = user.acquire_run(64);
  PoolUser other{fixture.pool};
  BOOST_TEST(!detail::take_buffer(*fixture.pool.core(), 5, other.slot()));
  BOOST_TEST(!detail::split(*fixture.pool.core(), 0, other.slot()));
}

// Somebody looked at a free buffer, and takes it once others have joined its chunk, and taken all of it.
BOOST_AUTO_TEST_CASE(what_was_seen_before_a_chunk_was_joined_is_not_to_be_had) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 64}};
  PoolUser user{fixture.pool};
  take_all(user).clear();
  const std::uint64_t seen = fixture.pool.core()->word(5).load();
  const Run run = user.acquire_run(64);
  BOOST_TEST(static_cast<bool>(run));
  BOOST_TEST(fixture.pool.core()->word(5).load() != seen);
  PoolUser other{fixture.pool};
  BOOST_TEST((other.acquire().status() == Status::exhausted));
}

// --- Memory that goes back -----------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(unused_memory_goes_back_and_comes_again) {
  const PoolFixture fixture{{.buffer_bytes = 4096, .count = 256}};
  const std::uint64_t full = file_bytes(fixture.name);
  PoolUser user{fixture.pool};
  std::vector<Buffer> all = take_all(user);
  for (const Buffer& buffer : all) std::memset(buffer.bytes().data(), 7, 4096);
  const Buffer kept = std::move(all[64]);
  all.clear();
  BOOST_TEST(fixture.pool.trim() == 192U * 4096U);
  BOOST_TEST(full - file_bytes(fixture.name) == 192U * 4096U);
  BOOST_TEST(fixture.pool.trim() == 0U);
  const PoolSnapshot seen = *inspect(fixture.segment).facilities[1].pool;
  BOOST_TEST(seen.unbacked == 192U);
  BOOST_TEST(seen.free == 255U);
  BOOST_TEST(seen.in_use == 1U);
  BOOST_TEST((kept.bytes()[4095] == std::byte{7}));

  all = take_all(user);
  BOOST_TEST(all.size() == 255U);
  BOOST_TEST(file_bytes(fixture.name) == full);
  BOOST_TEST(std::count_if(all.begin(), all.end(),
                           [](const Buffer& buffer) { return buffer.bytes()[0] == std::byte{0}; }) == 192);
}

BOOST_AUTO_TEST_CASE(memory_that_the_caller_supplied_stays_his) {
  alignas(4096) static std::byte memory[1 << 20];
  const Segment segment = Segment::create_in({.bytes = memory}, {.slabs = 2, .slab_bytes = 4096, .participants = 4});
  const Pool pool = Pool::create(segment, "frames", {.buffer_bytes = 4096, .count = 128});
  BOOST_TEST(pool.trim() == 0U);
}

// The room is gone when the memory is to come again: that is no buffer, and no signal.
BOOST_AUTO_TEST_CASE(where_there_is_no_room_any_more_the_pool_is_exhausted) {
  const PoolFixture fixture{{.buffer_bytes = 4096, .count = 256}};
  fixture.pool.trim();
  BOOST_TEST((state_of(fixture.pool, 2) == ChunkState::unbacked));
  Child user{[&](Link&) {
    const Pool pool = fixture.open_again();
    const rlimit small{4096, 4096};
    if (::setrlimit(RLIMIT_FSIZE, &small) != 0) throw std::runtime_error("cannot set the limit");
    PoolUser own{pool};
    if (own.acquire().status() != Status::exhausted) throw std::runtime_error("it got one");
    if (own.acquire_run(64).status() != Status::exhausted) throw std::runtime_error("it got a run");
  }};
  BOOST_TEST(user.wait() == 0);
  BOOST_TEST(count_acquirable(fixture.pool) == 256U);
}

// Small buffers share pages with their neighbours' chunks: those stay.
BOOST_AUTO_TEST_CASE(only_whole_pages_go_back) {
  const PoolFixture fixture{{.buffer_bytes = 104, .count = 256, .alignment = 8}};  // 6656 bytes for 64
  PoolUser user{fixture.pool};
  const Run first = user.acquire_run(64);
  for (const std::span<std::byte> part : first.parts()) std::memset(part.data(), 9, part.size());
  BOOST_TEST(fixture.pool.trim() == 2U * 4096U);
  for (const std::span<std::byte> part : first.parts()) BOOST_TEST_REQUIRE((part[103] == std::byte{9}));
  const PoolFixture tiny{{.buffer_bytes = 8, .count = 256, .alignment = 8}};
  BOOST_TEST(tiny.pool.trim() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
