// What a snapshot says of a pool's users: what they did adds up, also of those that left or were killed; who holds what, and
// since when.
#include <sys/mman.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <new>
#include <thread>

#include <sapbuf/detail/kill_point.hpp>

#include "pool/pool_core.hpp"
#include "pool_fixture.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;

constexpr PoolOptions kSmall{.buffer_bytes = 64, .count = 64};

PoolSnapshot look(const Segment& segment) { return *inspect(segment).facilities[1].pool; }

PoolLedger ledger_of(const Segment& segment, const PoolUser& user) {
  for (const ParticipantSnapshot& one : inspect(segment).participants) {
    if (one.slot == user.slot()) return one.pool_ledger;
  }
  throw std::runtime_error("nobody has that slot");
}

std::uint64_t count_out(const Pool& pool) { return pool.core()->control().out.load(); }

bool adds_up(const PoolLedger& ledger) {
  return ledger.acquired + ledger.adopted == ledger.released + ledger.held + ledger.reclaimed;
}

BOOST_AUTO_TEST_SUITE(pool_figures)

// In a pool with full fences each step is a slow one.
BOOST_DATA_TEST_CASE(a_user_s_figures_add_up_after_each_step, data::make({false, true}), full_fences) {
  const TestName name;
  const Segment segment = Segment::create(
      name, {.slab_bytes = 16384, .participants = 8, .fences = full_fences ? Fences::full : Fences::membarrier});
  const Pool pool = Pool::create(segment, "frames", kSmall);
  PoolUser user{pool};
  const auto check = [&](std::uint64_t acquired, std::uint64_t adopted, std::uint64_t released, std::uint64_t held) {
    const PoolLedger ledger = ledger_of(segment, user);
    BOOST_TEST(adds_up(ledger));
    BOOST_TEST(ledger.acquired == acquired);
    BOOST_TEST(ledger.adopted == adopted);
    BOOST_TEST(ledger.released == released);
    BOOST_TEST(ledger.held == held);
    BOOST_TEST(ledger.reclaimed == 0U);
  };
  check(0, 0, 0, 0);
  std::vector<Buffer> all;
  for (int i = 0; i < 20; ++i) all.push_back(user.acquire());
  check(20, 0, 0, 20);
  all.resize(5);
  check(20, 0, 15, 5);
  const BufferReference reference = all[0].share();
  check(20, 0, 15, 5);
  Buffer again = user.adopt(reference);
  check(20, 1, 15, 6);  // it has that one twice
  all[0].release();
  again.release();
  check(20, 1, 17, 4);
  BOOST_TEST((user.adopt({reference.where, 1, 77}).status() == Status::stale));
  check(20, 1, 17, 4);
  std::thread{[&] { all[1].release(); }}.join();
  all[2].share();
  std::thread{[&] { all[2].release(); }}.join();
  check(20, 1, 19, 2);
  Writer writer{segment};
  auto message = writer.reserve(8);
  BOOST_TEST((message.attach(std::move(all[3])) == Status::ok));
  all[4].share();
  BOOST_TEST((message.attach(std::move(all[4])) == Status::ok));
  message.commit();
  check(20, 1, 21, 0);
  BOOST_TEST(ledger_of(segment, user).attached == 2U);
  static_cast<void>(user.acquire());
  check(21, 1, 22, 0);
}

// In chunks that it has whole, and in one that it shares with others.
BOOST_AUTO_TEST_CASE(the_buffers_of_a_run_count_one_by_one) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 256}};
  PoolUser user{fixture.pool};
  Run run = user.acquire_run(130);
  Run small = user.acquire_run(3);
  BOOST_TEST_REQUIRE((run && small));
  const PoolLedger ledger = ledger_of(fixture.segment, user);
  BOOST_TEST(ledger.acquired == 133U);
  BOOST_TEST(ledger.hits == 0U);
  BOOST_TEST(ledger.held == 133U);
  BOOST_TEST(adds_up(ledger));
  BOOST_TEST(count_out(fixture.pool) == 133U);
  BOOST_TEST(look(fixture.segment).peak == 133U);
  BOOST_TEST(look(fixture.segment).holders[0].bytes == 133U * 64U);
  run.release();
  BOOST_TEST(adds_up(ledger_of(fixture.segment, user)));
  BOOST_TEST(count_out(fixture.pool) == 3U);
  std::thread{[&] { small.release(); }}.join();
  BOOST_TEST(adds_up(ledger_of(fixture.segment, user)));
  BOOST_TEST(ledger_of(fixture.segment, user).released == 133U);
  BOOST_TEST(count_out(fixture.pool) == 0U);
  BOOST_TEST(look(fixture.segment).peak == 133U);
}

BOOST_AUTO_TEST_CASE(hits_are_those_that_need_no_more_than_the_magazine) {
  const PoolFixture fixture{kSmall};
  PoolUser user{fixture.pool};
  for (int i = 0; i < 100; ++i) static_cast<void>(user.acquire());
  const PoolLedger ledger = ledger_of(fixture.segment, user);
  BOOST_TEST(ledger.acquired == 100U);
  BOOST_TEST(ledger.hits == 99U);
  BOOST_TEST(ledger.refills == 1U);
  BOOST_TEST(ledger.waits == 0U);
  std::vector<Buffer> all = take_all(user);
  const PoolLedger then = ledger_of(fixture.segment, user);
  BOOST_TEST(then.acquired == 164U);
  // A magazine of 8 is filled by half; for the last one of all there was nothing left.
  BOOST_TEST(then.refills == 16U);
  BOOST_TEST(then.hits == 164U - 16U);
}

BOOST_AUTO_TEST_CASE(what_is_taken_from_others_is_counted) {
  const PoolFixture fixture{kSmall};
  PoolUser idle{fixture.pool};
  { const std::vector<Buffer> all = take_all(idle); }
  BOOST_TEST(look(fixture.segment).cached == 8U);
  PoolUser user{fixture.pool};
  const std::vector<Buffer> all = take_all(user);
  BOOST_TEST(all.size() == 64U);
  const PoolLedger ledger = ledger_of(fixture.segment, user);
  BOOST_TEST(ledger.stolen == 8U);
  BOOST_TEST(adds_up(ledger));
  // Of the other one they were at hand, and not in use.
  BOOST_TEST(adds_up(ledger_of(fixture.segment, idle)));
  BOOST_TEST(ledger_of(fixture.segment, idle).held == 0U);
  static_cast<void>(idle.acquire());  // it looks up
  BOOST_TEST(adds_up(ledger_of(fixture.segment, idle)));
  BOOST_TEST(count_out(fixture.pool) == 64U);
}

BOOST_AUTO_TEST_CASE(waits_and_growth_are_counted_by_who_did_it) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 4, .max_count = 6}};
  PoolUser user{fixture.pool};
  PoolUser other{fixture.pool};
  const std::vector<Buffer> all = take_all(user);
  BOOST_TEST((other.acquire_for(1ms).status() == Status::timeout));
  const PoolSnapshot seen = look(fixture.segment);
  BOOST_TEST(seen.grown == 2U);
  BOOST_TEST(seen.waits == 1U);
  BOOST_TEST(seen.present.waits == 1U);
  BOOST_TEST(seen.present.grown == 2U);
  BOOST_TEST(ledger_of(fixture.segment, user).grown == 2U);
  BOOST_TEST(ledger_of(fixture.segment, other).waits == 1U);
}

// Also who asks again for what it did not get, with the ticket that it has.
BOOST_AUTO_TEST_CASE(a_pools_waits_are_those_of_all_its_users) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 1}};
  PoolUser user{fixture.pool};
  const Buffer only = user.acquire();
  PoolUser other{fixture.pool};
  other.event_fd();
  for (int attempt = 0; attempt < 3; ++attempt) BOOST_TEST((other.acquire().status() == Status::exhausted));
  const PoolSnapshot seen = look(fixture.segment);
  BOOST_TEST(seen.present.waits > 0U);
  BOOST_TEST(seen.waits == seen.present.waits);
  other.close();
  const PoolSnapshot later = look(fixture.segment);
  BOOST_TEST(later.departed.waits == seen.waits);
  BOOST_TEST(later.waits == seen.waits);
}

// Whoever is served has what another process gave it.
BOOST_AUTO_TEST_CASE(what_was_waited_for_adds_up) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 1}};
  Child holder{[&](Link& link) {
    PoolUser own{fixture.open_again()};
    Buffer only = own.acquire();
    link.say(1);
    if (!eventually([&] { return inspect(fixture.name).facilities[1].pool->waiting == 1; }))
      throw std::runtime_error("");
    only.release();
    link.hear();
  }};
  BOOST_TEST(holder.hear() == 1U);
  PoolUser user{fixture.pool};
  Buffer given = user.acquire_for(kPatience);
  BOOST_TEST(static_cast<bool>(given));
  const PoolLedger ledger = ledger_of(fixture.segment, user);
  BOOST_TEST(ledger.acquired == 1U);
  BOOST_TEST(ledger.hits == 0U);
  BOOST_TEST(ledger.held == 1U);
  BOOST_TEST(adds_up(ledger));
  BOOST_TEST(eventually([&] { return count_out(fixture.pool) == 1; }));  // who gave it says so behind that
  given.release();
  BOOST_TEST(adds_up(ledger_of(fixture.segment, user)));
  holder.say(1);
  BOOST_TEST(holder.wait() == 0);
}

BOOST_AUTO_TEST_CASE(what_users_did_outlives_them) {
  const PoolFixture fixture{kSmall};
  {
    PoolUser user{fixture.pool};
    PoolUser other{fixture.pool};
    std::vector<Buffer> all;
    for (int i = 0; i < 10; ++i) all.push_back(user.acquire());
    const Buffer adopted = other.adopt(all[0].share());
    user.close();  // and its buffers stay for a while
    BOOST_TEST(look(fixture.segment).departed_users == 0U);
  }
  const PoolSnapshot seen = look(fixture.segment);
  BOOST_TEST(seen.departed_users == 2U);
  BOOST_TEST(seen.departed.acquired == 10U);
  BOOST_TEST(seen.departed.adopted == 1U);
  BOOST_TEST(seen.departed.released == 11U);
  BOOST_TEST(seen.departed.reclaimed == 0U);
  BOOST_TEST(seen.departed.hits == 7U);
  BOOST_TEST(seen.departed.refills == 3U);
  BOOST_TEST(seen.present.acquired == 0U);
}

BOOST_AUTO_TEST_CASE(what_the_dead_had_counts_as_reclaimed) {
  const PoolFixture fixture{kSmall};
  Child victim{[&](Link& link) {
    PoolUser user{fixture.open_again(), {.name = "victim"}};
    std::vector<Buffer> all;
    for (int i = 0; i < 10; ++i) all.push_back(user.acquire());
    all.resize(7);
    all[0].share();
    link.say(1);
    link.hear();
  }};
  BOOST_TEST(victim.hear() == 1U);
  victim.kill();
  recover(fixture.segment);
  const PoolSnapshot seen = look(fixture.segment);
  BOOST_TEST(seen.departed_users == 1U);
  BOOST_TEST(seen.departed.acquired == 10U);
  BOOST_TEST(seen.departed.released == 3U);
  BOOST_TEST(seen.departed.reclaimed == 7U);
  BOOST_TEST(inspect(fixture.segment).facilities[1].journal[0].held_count == 7U);
  BOOST_TEST(inspect(fixture.segment).facilities[1].journal[0].held_bytes == 7U * 64U);
}

// --- Killed at every step ------------------------------------------------------------------------------------------

// What the victim begins and ends, in memory that it shares with the test.
struct Notes {
  struct Pair {
    std::atomic<std::uint64_t> begun{0};
    std::atomic<std::uint64_t> done{0};
    // The figure counts all that was done, and perhaps the one that was under way.
    bool allow(std::uint64_t figure) const { return done.load() <= figure && figure <= begun.load(); }
  };
  Pair acquired, adopted, released;

  template <typename Step>
  static auto note(Pair& pair, Step step) {
    ++pair.begun;
    auto result = step();
    if (result) {
      ++pair.done;
    } else {
      --pair.begun;
    }
    return result;
  }
  void let_go(Buffer& buffer) {
    note(released, [&] { return buffer.release(), true; });
  }
};

class SharedNotes {
 public:
  SharedNotes()
      : notes_(new (::mmap(nullptr, sizeof(Notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Notes) {}
  SharedNotes(const SharedNotes&) = delete;
  SharedNotes& operator=(const SharedNotes&) = delete;
  ~SharedNotes() { ::munmap(notes_, sizeof(Notes)); }
  Notes& operator*() const { return *notes_; }

 private:
  Notes* notes_;
};

void live(const Pool& pool, Notes& notes) {
  PoolUser user{pool};
  const auto acquire = [&] { return Notes::note(notes.acquired, [&] { return user.acquire(); }); };
  std::vector<Buffer> all;
  for (int round = 0; round < 2; ++round) {
    while (Buffer buffer = acquire()) all.push_back(std::move(buffer));
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i % 4 == 0) {
        const BufferReference reference = all[i].share();
        Buffer again = Notes::note(notes.adopted, [&] { return user.adopt(reference); });
        notes.let_go(again);
      }
      if (i % 8 == 1) {
        std::thread{[&] { notes.let_go(all[i]); }}.join();
      } else {
        notes.let_go(all[i]);
      }
    }
    all.clear();
  }
}

BOOST_AUTO_TEST_CASE(one_that_is_killed_anywhere_leaves_figures_that_are_exact_but_for_the_one_under_way) {
  for (unsigned nth = 1;; nth += 1 + nth / 40) {
    const PoolFixture fixture{{.buffer_bytes = 64, .count = 24}};
    const SharedNotes notes;
    const bool died = is_killed_at(nth, fixture, [&](const Pool& own) { live(own, *notes); });
    recover(fixture.segment);
    const PoolSnapshot seen = look(fixture.segment);
    BOOST_TEST_CONTEXT("kill point passage " << nth) {
      BOOST_TEST((*notes).acquired.allow(seen.departed.acquired));
      BOOST_TEST((*notes).adopted.allow(seen.departed.adopted));
      BOOST_TEST((*notes).released.allow(seen.departed.released));
      BOOST_TEST(adds_up(seen.departed));
      BOOST_TEST(seen.present.acquired == 0U);
      BOOST_TEST(count_out(fixture.pool) == seen.shared);
      BOOST_TEST(seen.peak <= 24U);
    }
    if (!died) {
      BOOST_TEST(nth > 100U);
      BOOST_TEST(seen.departed.reclaimed == 0U);
      return;
    }
  }
}

BOOST_AUTO_TEST_CASE(one_that_is_killed_with_a_run_leaves_figures_that_are_exact_but_for_the_one_under_way) {
  constexpr std::uint32_t kRun = 130;
  for (unsigned nth = 1;; ++nth) {
    const PoolFixture fixture{{.buffer_bytes = 64, .count = 256}};
    const SharedNotes notes;
    const bool died = is_killed_at(nth, fixture, [&](const Pool& own) {
      PoolUser user{own};
      for (int round = 0; round < 2; ++round) {
        Run run = Notes::note((*notes).acquired, [&] { return user.acquire_run(kRun); });
        const Buffer beside = user.acquire();
        Notes::note((*notes).released, [&] { return run.release(), true; });
      }
    });
    recover(fixture.segment);
    const PoolSnapshot seen = look(fixture.segment);
    BOOST_TEST_CONTEXT("kill point passage " << nth) {
      // All of a run, or nothing of it; and the few beside it.
      BOOST_TEST((*notes).acquired.allow(seen.departed.acquired / kRun));
      BOOST_TEST(seen.departed.acquired % kRun <= 2U);
      BOOST_TEST((*notes).released.allow(seen.departed.released / kRun));
      BOOST_TEST(adds_up(seen.departed));
      BOOST_TEST(count_out(fixture.pool) == 0U);
      BOOST_TEST(count_acquirable(fixture.pool) == 256U);
    }
    if (!died) {
      BOOST_TEST(nth > 20U);
      return;
    }
  }
}

// One who settles the dead is killed at each of its own steps: nobody is added twice, or forgotten.
BOOST_AUTO_TEST_CASE(the_dead_are_added_once_whoever_dies_on_the_way) {
  for (unsigned nth = 1;; ++nth) {
    const PoolFixture fixture{kSmall};
    for (int victims = 0; victims < 2; ++victims) {
      Child victim{[&](Link&) {
        PoolUser own{fixture.open_again()};
        std::vector<Buffer> all;
        for (int i = 0; i < 5; ++i) all.push_back(own.acquire());
        all.pop_back();
        kill_self();
      }};
      victim.wait();
    }
    const bool died = is_killed_at(nth, fixture, recover_segment_of);
    recover(fixture.segment);
    const PoolSnapshot seen = look(fixture.segment);
    BOOST_TEST_CONTEXT("kill point passage " << nth) {
      BOOST_TEST(seen.departed_users == 2U);
      BOOST_TEST(seen.departed.acquired == 10U);
      BOOST_TEST(seen.departed.released == 2U);
      BOOST_TEST(seen.departed.reclaimed == 8U);
    }
    if (!died) {
      BOOST_TEST(nth > 5U);
      return;
    }
  }
}

// --- The peak ------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_peak_stays_when_buffers_come_back) {
  const PoolFixture fixture{kSmall};
  BOOST_TEST(look(fixture.segment).peak == 0U);
  {
    PoolUser user{fixture.pool};
    std::vector<Buffer> all;
    for (int i = 0; i < 20; ++i) all.push_back(user.acquire());
    BOOST_TEST(look(fixture.segment).peak == 20U);  // five times that the magazine was filled by four
    all.clear();
    for (int i = 0; i < 10; ++i) all.push_back(user.acquire());
  }
  const PoolSnapshot seen = look(fixture.segment);
  BOOST_TEST(seen.free == 64U);
  BOOST_TEST(seen.peak == 20U);
}

// A buffer that wanders counts once, however it comes back.
BOOST_AUTO_TEST_CASE(the_peak_knows_what_a_scan_an_owner_s_end_and_others_bring_back) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 8}};
  for (int round = 0; round < 3; ++round) {
    PoolUser user{fixture.pool};
    PoolUser other{fixture.pool};
    std::vector<Buffer> all = take_all(user);
    for (Buffer& buffer : all) buffer.share();
    all.clear();
    all = take_all(other);
    BOOST_TEST(all.size() == 8U);
    std::thread{[&] { all.clear(); }}.join();
    static_cast<void>(user.acquire());
    BOOST_TEST(take_all(other).size() == 8U);
  }
  const PoolSnapshot seen = look(fixture.segment);
  BOOST_TEST(seen.free == 8U);
  BOOST_TEST(count_out(fixture.pool) == 0U);
  BOOST_TEST(fixture.pool.core()->control().peak.load() == 8U);
}

// --- Holders -------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(holders_are_those_who_keep_something_from_others) {
  const PoolFixture fixture{kSmall};
  PoolUser idle{fixture.pool, {.name = "idle"}};
  static_cast<void>(idle.acquire());
  BOOST_TEST(look(fixture.segment).holders.empty());
  PoolUser camera{fixture.pool, {.name = "camera"}};
  PoolUser viewer{fixture.pool, {.name = "viewer"}};
  std::vector<Buffer> all;
  for (int i = 0; i < 3; ++i) all.push_back(camera.acquire());
  Buffer adopted = viewer.adopt(all[0].share());
  Buffer again = viewer.adopt(all[0].share());
  const PoolSnapshot seen = look(fixture.segment);
  BOOST_TEST_REQUIRE(seen.holders.size() == 2U);
  BOOST_TEST(seen.holders[0].name == "camera");
  BOOST_TEST(seen.holders[0].slot == camera.slot());
  BOOST_TEST(seen.holders[0].buffers == 3U);
  BOOST_TEST(seen.holders[0].bytes == 3U * 64U);
  BOOST_TEST(seen.holders[1].name == "viewer");
  BOOST_TEST(seen.holders[1].buffers == 1U);
  BOOST_TEST(seen.holders[1].bytes == 64U);
}

// Sets a stamp back, so that nobody has to wait.
void age(const Pool& pool, const BufferReference& reference, std::uint32_t by_ms) {
  pool.core()->since(reference.index) -= by_ms;
}

constexpr std::uint32_t kLongAgo = 10'000'000;
bool is_long_ago(std::uint64_t ms) { return ms >= kLongAgo && ms < 2 * std::uint64_t{kLongAgo}; }

BOOST_AUTO_TEST_CASE(a_shared_buffer_counts_from_when_it_was_shared) {
  const PoolFixture fixture{kSmall};
  PoolUser camera{fixture.pool};
  PoolUser viewer{fixture.pool};
  Buffer first = camera.acquire();
  const BufferReference reference = first.share();
  BOOST_TEST(look(fixture.segment).holders[0].oldest_ms < kLongAgo);
  age(fixture.pool, reference, kLongAgo);
  const Buffer second = camera.acquire();
  const Buffer adopted = viewer.adopt(reference);
  first.share();  // the same name once more
  PoolSnapshot seen = look(fixture.segment);
  BOOST_TEST(is_long_ago(seen.holders[0].oldest_ms));
  BOOST_TEST(is_long_ago(seen.holders[1].oldest_ms));
  first.release();
  seen = look(fixture.segment);
  BOOST_TEST(seen.holders[0].oldest_ms < kLongAgo);
  BOOST_TEST(is_long_ago(seen.holders[1].oldest_ms));
}

// The clock of a pool comes round after 49 days.
BOOST_AUTO_TEST_CASE(ages_are_right_when_the_clock_comes_round) {
  const PoolFixture fixture{kSmall};
  PoolUser user{fixture.pool};
  const Buffer held = user.acquire();
  fixture.pool.core()->control().made_ms += 0xffff'ffffu;  // all that was, was before it began
  BOOST_TEST(look(fixture.segment).holders[0].oldest_ms < kLongAgo);
}

BOOST_AUTO_TEST_CASE(a_run_counts_from_when_its_user_got_it) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 256}};
  PoolUser user{fixture.pool};
  for (const std::uint32_t count : {130u, 3u}) {
    for (std::uint32_t buffer = 0; buffer < 256; ++buffer) {
      fixture.pool.core()->since(buffer) = fixture.pool.core()->now_ms() - kLongAgo;
    }
    const Run run = user.acquire_run(count);
    BOOST_TEST_REQUIRE(static_cast<bool>(run));
    BOOST_TEST(look(fixture.segment).holders[0].oldest_ms < kLongAgo);
    for (std::uint32_t buffer = 0; buffer < 256; ++buffer) fixture.pool.core()->since(buffer) -= kLongAgo;
    BOOST_TEST(is_long_ago(look(fixture.segment).holders[0].oldest_ms));
  }
}

// Each way in which a buffer comes to a user stamps it.
BOOST_AUTO_TEST_CASE(a_buffer_counts_from_when_its_user_got_it) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 1}};
  PoolUser user{fixture.pool};
  const auto make_old = [&] {
    fixture.pool.core()->since(0) = fixture.pool.core()->now_ms() - kLongAgo;
    return true;
  };
  Buffer only = user.acquire();  // by filling the magazine
  BOOST_TEST((make_old() && is_long_ago(look(fixture.segment).holders[0].oldest_ms)));
  only.share();  // shared
  BOOST_TEST(look(fixture.segment).holders[0].oldest_ms < kLongAgo);
  make_old();
  only.release();
  only = user.acquire();  // once more, behind a scan
  BOOST_TEST(look(fixture.segment).holders[0].oldest_ms < kLongAgo);
  make_old();
  Child waiter{[&](Link& link) {
    PoolUser own{fixture.open_again()};
    const Buffer given = own.acquire_for(kPatience);
    link.say(given ? 1 : 0);
    link.hear();
  }};
  BOOST_TEST_REQUIRE(eventually([&] { return look(fixture.segment).waiting == 1; }));
  only.release();  // given to one who waits
  BOOST_TEST(waiter.hear() == 1U);
  BOOST_TEST(look(fixture.segment).holders[0].oldest_ms < kLongAgo);
  make_old();
  // Its user had it in hand all the time.
  waiter.say(1);
  BOOST_TEST(waiter.wait() == 0);
  only = user.acquire();
  make_old();
  only.release();
  only = user.acquire();
  BOOST_TEST(is_long_ago(look(fixture.segment).holders[0].oldest_ms));
}

BOOST_AUTO_TEST_CASE(what_is_acquired_past_the_magazine_counts_from_then) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 16384, .participants = 8, .fences = Fences::full});
  const Pool pool = Pool::create(segment, "frames", {.buffer_bytes = 64, .count = 1});
  PoolUser user{pool};
  Buffer only = user.acquire();
  pool.core()->since(0) -= kLongAgo;
  BOOST_TEST(is_long_ago(look(segment).holders[0].oldest_ms));
  only.release();
  only = user.acquire();
  BOOST_TEST(look(segment).holders[0].oldest_ms < kLongAgo);
}

BOOST_AUTO_TEST_CASE(what_a_message_brings_counts_from_when_it_was_attached) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 1}};
  PoolUser camera{fixture.pool};
  PoolUser viewer{fixture.pool};
  Writer writer{fixture.segment};
  Buffer frame = camera.acquire();
  fixture.pool.core()->since(0) -= kLongAgo;
  auto message = writer.reserve(8);
  BOOST_TEST((message.attach(std::move(frame)) == Status::ok));
  message.commit();
  Reader reader{fixture.segment, {.from = From::oldest}};
  Buffer adopted;
  for (const Frame& seen : reader.pin()) {
    for (const BufferReference& reference : seen.attachments()) adopted = viewer.adopt(reference);
  }
  BOOST_TEST_REQUIRE(static_cast<bool>(adopted));
  BOOST_TEST_REQUIRE(look(fixture.segment).holders.size() == 1U);
  BOOST_TEST(look(fixture.segment).holders[0].oldest_ms < kLongAgo);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
