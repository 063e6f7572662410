// The registry: a slot for each handle, proof of life, and what becomes of the slots of the dead.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <set>
#include <thread>

#include "segment/maintenance_lock.hpp"
#include "support/child.hpp"
#include "support/main_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

SegmentOptions for_participants(std::uint32_t participants, Order order = Order::per_writer) {
  return {.slab_bytes = 4096, .order = order, .participants = participants};
}

// A process that attaches a writer (or reader), says its slot, and stays.
struct Attached : Child {
  explicit Attached(const std::string& name, Role role = Role::writer)
      : Child{[=](Link& link) {
          const Segment segment = Segment::open(name);
          if (role == Role::writer) {
            const Writer writer{segment, {.name = "attached"}};
            link.say(writer.slot());
            link.hear();
          } else {
            const Reader reader{segment, {.name = "attached"}};
            link.say(reader.slot());
            link.hear();
          }
        }},
        slot(static_cast<std::uint32_t>(hear())) {}
  std::uint32_t slot;
};

BOOST_AUTO_TEST_SUITE(registry)

BOOST_AUTO_TEST_CASE(sixty_four_fit_by_default_and_one_more_is_a_clear_error) {
  const TestName name;
  const Segment segment = Segment::create(name);
  std::vector<Writer> writers;
  for (int i = 0; i < 64; ++i) writers.emplace_back(segment);
  BOOST_TEST(error_of([&] { const Writer more{segment}; }) == Errc::registry_full);
  BOOST_TEST(error_of([&] { const Reader more{segment}; }) == Errc::registry_full);
  const std::string said = message_of([&] { const Writer more{segment}; });
  BOOST_TEST(said.find("64 participants") != std::string::npos);
  BOOST_TEST(said.find(name.str()) != std::string::npos);
  writers.pop_back();
  BOOST_TEST(error_of([&] { const Reader more{segment}; }) == nothing());
}

BOOST_DATA_TEST_CASE(a_thousand_fit_when_asked_for, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, for_participants(1000, order));
  Reader reader{segment};
  std::vector<Writer> writers;
  std::set<std::uint32_t> slots{reader.slot()};
  for (int i = 0; i < 999; ++i) {
    writers.emplace_back(segment, WriterOptions{.timeout = kPatience});
    slots.insert(writers.back().slot());
  }
  BOOST_TEST(slots.size() == 1000U);
  BOOST_TEST(error_of([&] { const Writer more{segment}; }) == Errc::registry_full);
  Log log;
  for (std::uint32_t id = 0; id < writers.size(); ++id) {
    BOOST_TEST_REQUIRE(put(writers[id], {id, 0}) == Status::ok);
    log.read(reader);
  }
  BOOST_TEST(log.is_complete(999, 1));
  BOOST_TEST(inspect(segment).participants.size() == 1000U);
}

BOOST_AUTO_TEST_CASE(a_slot_is_used_again_when_its_participant_has_left) {
  const TestName name;
  const Segment segment = Segment::create(name, for_participants(2));
  const Reader reader{segment};
  for (int i = 0; i < 50; ++i) {
    const Writer writer{segment};
    BOOST_TEST(writer.slot() != reader.slot());
  }
  BOOST_TEST(inspect(segment).departed_participants == 50U);
  BOOST_TEST(inspect(segment).journal.empty());
}

BOOST_AUTO_TEST_CASE(a_new_participant_in_an_old_slot_starts_from_nothing) {
  const TestName name;
  const Segment segment = Segment::create(name, for_participants(1));
  {
    Writer writer{segment, {.name = "old"}};
    BOOST_TEST(writer.write("one") == Status::ok);
    writer.reserve(1).abort();
  }
  const Writer writer{segment, {.name = "new"}};
  const Snapshot now = inspect(segment);
  BOOST_TEST_REQUIRE(now.participants.size() == 1U);
  BOOST_TEST(now.participants[0].name == "new");
  BOOST_TEST(now.participants[0].ledger.committed == 0U);
  BOOST_TEST(now.participants[0].ledger.aborted == 0U);
  BOOST_TEST(now.departed.committed == 1U);
}

BOOST_DATA_TEST_CASE(a_full_registry_takes_the_slots_of_the_dead, data::make({Role::writer, Role::reader}), role) {
  const TestName name;
  const Segment segment = Segment::create(name, for_participants(2));
  Attached first{name, role};
  Attached second{name, role};
  BOOST_TEST(error_of([&] { const Writer more{segment}; }) == Errc::registry_full);
  second.kill();
  const Writer writer{segment};
  BOOST_TEST(writer.slot() == second.slot);
  BOOST_TEST(error_of([&] { const Writer more{segment}; }) == Errc::registry_full);
  BOOST_TEST(inspect(segment).journal.size() == 1U);
}

// Not that all are alive.
BOOST_AUTO_TEST_CASE(a_full_registry_whose_dead_cannot_be_settled_says_so) {
  const TestName name;
  const Segment segment = Segment::create(name, for_participants(1));
  Attached attached{name};
  Child holder{[&](Link& link) {
    const Segment own = Segment::open(name);
    std::optional<detail::MaintenanceLock> lock{std::in_place, main_stream(own)};
    link.say(*lock ? 1 : 0);
    link.hear();
    lock.reset();
    link.say(1);
    link.hear();
  }};
  BOOST_TEST(holder.hear() == 1U);
  attached.kill();
  BOOST_TEST(error_of([&] { const Writer more{segment}; }) == Errc::busy);
  holder.say(1);
  holder.hear();
  BOOST_TEST(error_of([&] { const Writer more{segment}; }) == nothing());
}

BOOST_DATA_TEST_CASE(a_stopped_participant_keeps_its_slot, data::make({Role::writer, Role::reader}), role) {
  const TestName name;
  const Segment segment = Segment::create(name, for_participants(1));
  Attached attached{name, role};
  attached.stop();
  BOOST_TEST(error_of([&] { const Writer more{segment}; }) == Errc::registry_full);
  BOOST_TEST(recover(segment).dead.empty());
  BOOST_TEST(inspect(segment).participants.size() == 1U);
  attached.resume();
  attached.say(1);
  BOOST_TEST(attached.wait() == 0);
  BOOST_TEST(inspect(segment).participants.empty());
}

BOOST_AUTO_TEST_CASE(the_dead_are_found_without_changing_anything) {
  const TestName name;
  const Segment segment = Segment::create(name, for_participants(4));
  Attached attached{name};
  BOOST_TEST(find_dead(segment).dead.empty());
  attached.kill();
  for (int i = 0; i < 2; ++i) {
    const RecoveryReport report = find_dead(segment);
    BOOST_TEST_REQUIRE(report.dead.size() == 1U);
    BOOST_TEST(report.dead[0].slot == attached.slot);
    BOOST_TEST(report.dead[0].name == "attached");
    BOOST_TEST(report.dead[0].role == Role::writer);
    BOOST_TEST(is_proof_of_death(report.dead[0].proof));
    BOOST_TEST(inspect(segment).participants[0].state == Liveness::dead);
    BOOST_TEST(inspect(segment).journal.empty());
  }
  BOOST_TEST(recover(segment).dead.size() == 1U);
  BOOST_TEST(recover(segment).dead.empty());
  BOOST_TEST(find_dead(segment).dead.empty());
  BOOST_TEST(inspect(segment).participants.empty());
}

BOOST_AUTO_TEST_CASE(a_dead_participant_is_recovered_once_however_many_try) {
  const TestName name;
  const Segment segment = Segment::create(name, for_participants(8));
  for (int round = 0; round < 5; ++round) {
    Attached attached{name};
    attached.kill();
    std::atomic<std::size_t> found{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] { found += recover(segment).dead.size(); });
    }
    for (std::thread& thread : threads) thread.join();
    BOOST_TEST(found == 1U);
  }
  BOOST_TEST(inspect(segment).departed_participants == 5U);
  BOOST_TEST(inspect(segment).journal.size() == 5U);
}

BOOST_DATA_TEST_CASE(threads_use_a_handle_each, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, for_participants(16, order));
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::set<std::uint32_t> slots;
  std::atomic<int> attached{0};
  std::atomic<int> failures{0};
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      try {
        const Writer writer{segment};
        {
          const std::lock_guard guard{mutex};
          slots.insert(writer.slot());
        }
        ++attached;
        if (!eventually([&] { return attached + failures == 16; })) ++failures;
      } catch (const Error&) {
        ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(failures == 0);
  BOOST_TEST(slots.size() == 16U);
  recover(segment);  // who gave up waiting for the lock when he left
  BOOST_TEST(inspect(segment).participants.empty());
}

BOOST_AUTO_TEST_CASE(names_are_kept_up_to_63_bytes_and_characters_stay_whole) {
  const TestName name;
  const Segment segment = Segment::create(name, for_participants(4));
  const auto kept = [&](const std::string& wanted) {
    const Writer writer{segment, {.name = wanted}};
    return inspect(segment).participants.at(0).name;
  };
  BOOST_TEST(kept("feed-a") == "feed-a");
  BOOST_TEST(kept(std::string(63, 'n')) == std::string(63, 'n'));
  BOOST_TEST(kept(std::string(64, 'n')) == std::string(63, 'n'));
  std::string one_byte_too_long(62, 'n');
  one_byte_too_long.append("\u00e9");
  BOOST_TEST(kept(one_byte_too_long) == std::string(62, 'n'));
}

BOOST_AUTO_TEST_CASE(nothing_in_a_name_steers_who_looks_at_it) {
  const TestName name;
  const Segment segment = Segment::create(name, for_participants(4));
  const Writer writer{segment, {.name = "a\x1b[31m\n\xc2\x9b\xff\u202eb"}};
  const Snapshot snapshot = inspect(segment);
  BOOST_TEST(snapshot.participants.at(0).name == "a\\x1b[31m\\n\\u{9b}\\xff\\u{202e}b");
}

BOOST_AUTO_TEST_CASE(a_participant_without_a_name_is_called_after_its_program_and_pid) {
  const TestName name;
  const Segment segment = Segment::create(name, for_participants(4));
  const Writer writer{segment};
  BOOST_TEST(inspect(segment).participants.at(0).name.find(std::to_string(::getpid())) != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
