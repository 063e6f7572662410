// A participant is killed at every kill point that it passes, one run for each; then the others must find everything
// right.
#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>
#include <optional>

#include "support/invariants.hpp"
#include "support/script.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

constexpr std::uint32_t kVictim = 1;
constexpr std::uint32_t kSurvivor = 2;

struct Setting {
  const char* name;
  Order order;
  OnFull on_full;
  bool batches = false;  // the victim writes these
  std::uint32_t payload_alignment = 8;
};
std::ostream& operator<<(std::ostream& out, const Setting& setting) { return out << setting.name; }

const Setting kSettings[] = {
    {"per_writer, block", Order::per_writer, OnFull::block},
    {"total, block", Order::total, OnFull::block},
    {"per_writer, overwrite", Order::per_writer, OnFull::overwrite},
    {"total, overwrite", Order::total, OnFull::overwrite},
    {"per_writer, block, batches", Order::per_writer, OnFull::block, true},
    {"total, block, batches", Order::total, OnFull::block, true},
    {"per_writer, block, aligned", Order::per_writer, OnFull::block, false, 64},
    {"total, block, batches, aligned", Order::total, OnFull::block, true, 32},
};

// Small slabs, so that a few messages flip several times.
Segment make_segment(std::string_view name, const Setting& setting) {
  return Segment::create(name, {.slabs = 2,
                                .slab_bytes = 4096,
                                .order = setting.order,
                                .extent_bytes = setting.order == Order::per_writer ? 512u : 0u,
                                .on_full = setting.on_full,
                                .participants = 8,
                                .payload_alignment = setting.payload_alignment});
}

template <typename T>
bool is_prefix(const std::vector<T>& part, const std::vector<T>& whole) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

// Everything that must hold once the victim is dead, recovery has run, and nobody is attached but the audience.
void check_ledger(std::string_view name, Audience& audience) {
  const Snapshot now = inspect(name);
  BOOST_TEST_REQUIRE(now.participants.size() == 1U);
  const Ledger& reader = now.participants.front().ledger;
  BOOST_TEST(now.departed.committed == reader.delivered + reader.lost);
  BOOST_TEST(reader.delivered == audience.size());
  BOOST_TEST(audience.torn() == 0U);
}

// --- Writers -------------------------------------------------------------------------------------------------------

constexpr std::uint32_t kMessages = 45;

// The victim's whole life: attach, write (flips, aborts and short commits on the way), detach.
void live_as_writer(const Setting& setting, std::string_view name, std::uint32_t nth, Diary& diary,
                    const std::function<void()>& action) {
  const Segment segment = Segment::open(name);
  arm_nth(nth, diary, action);
  {
    Writer writer{segment, {.name = "victim"}};
    (setting.batches ? write_batches : write_messages)(writer, kVictim, 0, kMessages, &diary);
  }
  diary.done.store(true);
}

void check_victims_messages(const Setting& setting, const Diary& diary, Audience& audience) {
  const auto& got = audience.numbers_of(kVictim);
  const auto all = committed_numbers(0, static_cast<std::uint32_t>(diary.begun.load()));
  if (setting.on_full == OnFull::overwrite) {
    BOOST_TEST(std::is_sorted(got.begin(), got.end()));
    return;  // what was lost is checked by the ledger
  }
  BOOST_TEST(is_prefix(got, all));
  // Every commit that returned was delivered; one that did not return may have been, as a whole.
  const std::uint64_t committed = diary.committed.load();
  BOOST_TEST((got.size() == committed || got.size() == committed + diary.at_once.load()));
}

void kill_writer_at(const Setting& setting, std::uint32_t nth, Diary& diary) {
  BOOST_TEST_CONTEXT("kill point passage " << nth) {
    const TestName name;
    const Segment segment = make_segment(name, setting);
    Audience audience{segment};
    Child victim{[&](Link&) { live_as_writer(setting, name, nth, diary, kill_self); }};
    BOOST_TEST(audience.read_until([&] { return victim.has_ended(); }));
    victim.kill();
    BOOST_TEST(broken_invariant(segment, Motion::stopped) == "");

    // A fresh participant attaches and makes progress, whatever the victim left.
    {
      Writer survivor{segment, {.name = "survivor", .timeout = 20s}};
      for (std::uint32_t number = 0; number < 40; ++number) {
        write_messages(survivor, kSurvivor, number, number + 1);
        audience.read();
      }
    }
    recover(segment);
    audience.read_all();
    if (setting.on_full != OnFull::overwrite) {
      BOOST_TEST(audience.numbers_of(kSurvivor) == committed_numbers(0, 40), boost::test_tools::per_element());
    }
    check_victims_messages(setting, diary, audience);
    check_ledger(name, audience);
    BOOST_TEST(broken_invariant(segment) == "");
    if (setting.batches) return;  // a batch is one attempt, and its messages are counted once it is committed
    const Ledger& departed = inspect(name).departed;
    const std::uint64_t attempts = departed.committed + departed.aborted + departed.abandoned;  // one for each message
    BOOST_TEST(attempts <= diary.begun.load() + 40);
    BOOST_TEST(attempts + 1 >= diary.begun.load() + 40);
  }
}

BOOST_AUTO_TEST_SUITE(crash_sweep)

BOOST_DATA_TEST_CASE(a_writer_may_be_killed_anywhere, data::make(kSettings), setting) {
  std::uint32_t nth = 1;
  for (;; ++nth) {
    const SharedDiary diary;
    kill_writer_at(setting, nth, *diary);
    if (diary->done.load()) break;
    BOOST_TEST_REQUIRE(nth < 5000U);
  }
  BOOST_TEST_MESSAGE(setting.name << ": writer killed at " << nth - 1 << " points");
  BOOST_TEST(nth > 50U);
}

// --- Readers -------------------------------------------------------------------------------------------------------

void live_as_reader(std::string_view name, std::uint32_t nth, Diary& diary, const std::function<void()>& action) {
  const Segment segment = Segment::open(name);
  arm_nth(nth, diary, action);
  {
    Reader reader{segment, {.name = "victim"}};
    diary.begun.store(1);
    std::uint64_t seen = 0;
    while (seen < 30) {
      if (!reader.wait_for(20s)) throw std::runtime_error("nothing to read");
      for (const Frame& frame : reader.pin()) {
        static_cast<void>(frame);
        ++seen;
      }
      diary.committed.store(seen);
    }
  }
  diary.done.store(true);
}

BOOST_DATA_TEST_CASE(a_reader_may_be_killed_anywhere, data::make(kSettings), setting) {
  std::uint32_t nth = 1;
  for (;; ++nth) {
    BOOST_TEST_CONTEXT("kill point passage " << nth) {
      const TestName name;
      const Segment segment = make_segment(name, setting);
      Audience audience{segment};
      const SharedDiary diary;
      Child victim{[&](Link&) { live_as_reader(name, nth, *diary, kill_self); }};
      // The survivor writes until the victim is dead or done, and then enough to need every slab again.
      {
        Writer survivor{segment, {.name = "survivor", .timeout = 20s}};
        std::uint32_t number = 0;
        const auto write_one = [&] {
          write_messages(survivor, kSurvivor, number, number + 1);
          ++number;
          audience.read();
        };
        BOOST_TEST(eventually([&] {
          if (number < 400) write_one();
          audience.read();
          return victim.has_ended();
        }));
        for (int i = 0; i < 40; ++i) write_one();
      }
      victim.kill();
      BOOST_TEST(broken_invariant(segment, Motion::stopped) == "");
      recover(segment);
      BOOST_TEST(broken_invariant(segment) == "");
      audience.read_all();
      const Snapshot now = inspect(name);
      BOOST_TEST_REQUIRE(now.participants.size() == 1U);
      const Ledger& mine = now.participants.front().ledger;
      BOOST_TEST(now.departed.committed == mine.delivered + mine.lost);
      BOOST_TEST(audience.torn() == 0U);
      if (diary->done.load()) break;
    }
    BOOST_TEST_REQUIRE(nth < 5000U);
  }
  BOOST_TEST_MESSAGE(setting.name << ": reader killed at " << nth - 1 << " points");
  BOOST_TEST(nth > 5U);
}

// --- Stopped, not dead ---------------------------------------------------------------------------------------------

BOOST_DATA_TEST_CASE(a_stopped_writer_loses_nothing, data::make({kSettings[0], kSettings[1]}), setting) {
  for (std::uint32_t nth = 1;; nth += 3) {
    BOOST_TEST_CONTEXT("kill point passage " << nth) {
      const TestName name;
      const Segment segment = make_segment(name, setting);
      Audience audience{segment};
      const SharedDiary diary;
      Child victim{[&](Link&) { live_as_writer(setting, name, nth, *diary, stop_self); }};
      BOOST_TEST(audience.read_until([&] { return victim.has_stopped() || victim.has_ended(); }));
      const bool stopped = !victim.has_ended();
      if (stopped) {
        // Others try to take from it what they can: nothing.
        BOOST_TEST(recover(segment).dead.empty());
        Writer survivor{segment, {.name = "survivor", .timeout = 5ms}};
        for (std::uint32_t number = 0; number < 12; ++number) {
          static_cast<void>(survivor.write(std::span<const std::byte>{scripted({kSurvivor, number})}));
          audience.read();
        }
        BOOST_TEST(recover(segment).dead.empty());
        BOOST_TEST(broken_invariant(segment, Motion::stopped) == "");
      }
      victim.resume();
      BOOST_TEST(audience.read_until([&] { return victim.has_ended(); }));
      BOOST_TEST(victim.wait() == 0);
      BOOST_TEST(diary->done.load());
      audience.read_all();
      BOOST_TEST(audience.numbers_of(kVictim) == committed_numbers(0, kMessages), boost::test_tools::per_element());
      recover(segment);  // a survivor that could not detach past the stopped one left its slot to recovery
      check_ledger(name, audience);
      BOOST_TEST(broken_invariant(segment) == "");
      if (!stopped) break;
    }
    BOOST_TEST_REQUIRE(nth < 5000U);
  }
}

// --- Recoverers ----------------------------------------------------------------------------------------------------

// Where a writer dies, to give the recoverer all kinds of work.
struct Wound {
  KillPoint kill_point;
  unsigned nth;
  std::optional<Order> only = std::nullopt;  // the point belongs to this order
};
const Wound kWounds[] = {{KillPoint::claim_announced, 6},
                         {KillPoint::claim_taken, 6},
                         {KillPoint::claim_busy, 6, Order::total},
                         {KillPoint::extent_written, 4, Order::per_writer},
                         {KillPoint::claim_opened, 4, Order::per_writer},
                         {KillPoint::commit_published, 9},
                         {KillPoint::ledger_before_switch, 5},
                         {KillPoint::flip_prepared, 1},
                         {KillPoint::flip_moved, 1},
                         {KillPoint::reclaim_cleaning, 1},
                         {KillPoint::writer_filled, 3, Order::per_writer}};

void die_wounded(std::string_view name, const Wound& wound, Diary& diary) {
  const Segment segment = Segment::open(name);
  Writer writer{segment, {.name = "victim", .timeout = 20s}};
  kill_point::arm(wound.kill_point, kill_self, wound.nth);
  write_messages(writer, kVictim, 0, kMessages, &diary);
}

BOOST_DATA_TEST_CASE(a_recoverer_may_be_killed_anywhere, data::make({kSettings[0], kSettings[1]}), setting) {
  std::uint32_t tried = 0;
  for (const Wound& wound : kWounds) {
    if (wound.only && wound.only != setting.order) continue;
    for (std::uint32_t nth = 1;; ++nth) {
      BOOST_TEST_CONTEXT("writer killed at " << wound.kill_point << ", recoverer at passage " << nth) {
        const TestName name;
        const Segment segment = make_segment(name, setting);
        Audience audience{segment};
        const SharedDiary diary;
        {
          Child victim{[&](Link&) { die_wounded(name, wound, *diary); }};
          BOOST_TEST(audience.read_until([&] { return victim.has_ended(); }));
          BOOST_TEST_REQUIRE(victim.wait() == -SIGKILL);
        }
        const SharedDiary recovery;
        Child recoverer{[&](Link&) {
          const Segment own = Segment::open(name);
          arm_nth(nth, *recovery, kill_self);
          recover(own);
          recovery->done.store(true);
        }};
        recoverer.wait();
        BOOST_TEST(broken_invariant(segment, Motion::stopped) == "");
        const auto left = recover(segment);
        BOOST_TEST(!left.pending);
        audience.read_all();
        check_victims_messages(setting, *diary, audience);
        check_ledger(name, audience);
        BOOST_TEST(broken_invariant(segment) == "");
        BOOST_TEST(inspect(segment).departed_participants == 1U);
        BOOST_TEST(inspect(segment).journal.size() == 1U);
        ++tried;
        if (recovery->done.load()) break;
      }
      BOOST_TEST_REQUIRE(nth < 500U);
    }
  }
  BOOST_TEST_MESSAGE(setting.name << ": recoverer killed at " << tried << " points");
}

// Between a recoverer's death and the next recovery somebody else dies, or leaves, whose turn comes first: its slot is
// the lower one. What the first recoverer had done for the victim must neither be lost nor be done twice.
void settle_another_in_between(bool by_death, std::uint32_t nth, Diary& recovery) {
  const TestName name;
  const Segment segment = make_segment(name, kSettings[0]);
  Audience audience{segment};
  Child bystander{[&](Link& link) {
    const Segment own = Segment::open(name);
    Writer writer{own, {.name = "bystander"}};
    write_messages(writer, kSurvivor, 0, 5);
    link.say(1);
    link.hear();
  }};
  bystander.hear();
  Child victim{[&](Link&) {
    const Segment own = Segment::open(name);
    Writer writer{own, {.name = "victim"}};
    write_messages(writer, kVictim, 0, 5);
    kill_self();
  }};
  victim.wait();
  Child recoverer{[&](Link&) {
    const Segment own = Segment::open(name);
    arm_nth(nth, recovery, kill_self);
    recover(own);
    recovery.done.store(true);
  }};
  recoverer.wait();
  if (by_death) {
    bystander.kill();
  } else {
    bystander.say(1);
    BOOST_TEST(bystander.wait() == 0);
  }
  BOOST_TEST(!recover(segment).pending);
  audience.read_all();
  check_ledger(name, audience);
  BOOST_TEST(broken_invariant(segment) == "");
  const Snapshot now = inspect(segment);
  BOOST_TEST(now.departed_participants == 2U);
  BOOST_TEST(now.journal.size() == (by_death ? 2U : 1U));
  for (const JournalRecord& record : now.journal) BOOST_TEST(record.finished_ns != 0U);
}

BOOST_DATA_TEST_CASE(a_killed_recoverers_work_survives_that_another_is_settled_first, data::make({true, false}),
                     by_death) {
  for (std::uint32_t nth = 1;; ++nth) {
    const SharedDiary recovery;
    BOOST_TEST_CONTEXT("recoverer killed at passage " << nth) { settle_another_in_between(by_death, nth, *recovery); }
    if (recovery->done.load()) break;
    BOOST_TEST_REQUIRE(nth < 500U);
  }
}

// --- Creators ------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_creator_may_be_killed_anywhere) {
  std::uint32_t nth = 1;
  for (;; ++nth) {
    const TestName name;
    const SharedDiary diary;
    Child creator{[&](Link&) {
      arm_nth(nth, *diary, kill_self);
      make_segment(name, kSettings[0]);
      diary->done.store(true);
    }};
    creator.wait();
    // Either there is a whole segment, or there is none, and nothing of it.
    const bool whole = ::access(("/dev/shm/sapbuf." + name.str()).c_str(), F_OK) == 0;
    const Segment segment = Segment::open_or_create(name, {.slab_bytes = 4096});
    BOOST_TEST(segment.created() == !whole);
    Audience audience{segment};
    Writer writer{segment};
    write_messages(writer, kSurvivor, 0, 3);
    audience.read(1s);
    BOOST_TEST(audience.size() == 3U);
    BOOST_TEST(broken_invariant(segment) == "");
    if (diary->done.load()) break;
    BOOST_TEST_REQUIRE(nth < 100U);
  }
  BOOST_TEST(nth >= 7U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
