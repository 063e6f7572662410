// Who holds something that others need, and dies, or does not.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <csignal>

#include "stream/stream_core.hpp"
#include "support/main_stream.hpp"
#include "support/script.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

Segment make_segment(std::string_view name, Order order, OnFull on_full = OnFull::block) {
  return Segment::create(name, {.slabs = 2, .slab_bytes = 4096, .order = order, .on_full = on_full, .participants = 8});
}

// More than both slabs can take.
constexpr int kMoreThanFits = 400;
const std::string kLine(40, 'x');

const layout::StreamSlot& slot_named(const Segment& segment, std::string_view participant) {
  for (const ParticipantSnapshot& it : inspect(segment).participants) {
    if (it.name == participant) return main_stream(segment).slot(it.slot);
  }
  throw std::runtime_error("there is no such participant");
}

// A reader that pins the oldest slab and goes to sleep on it.
void hold_oldest_slab(std::string_view name, Link& link) {
  const Segment segment = Segment::open(name);
  Reader reader{segment, {.name = "holder"}};
  link.say(1);
  if (!reader.wait_for(20s)) throw std::runtime_error("nothing to hold");
  const auto range = reader.pin();
  const auto first = range.begin();
  static_cast<void>(first);
  link.say(2);
  link.hear();
}

BOOST_AUTO_TEST_SUITE(holders)

BOOST_DATA_TEST_CASE(a_writer_that_waits_for_a_dead_reader_goes_on_by_itself, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = make_segment(name, order);
  Child holder{[&](Link& link) { hold_oldest_slab(name, link); }};
  holder.hear();
  Writer writer{segment, {.name = "writer", .timeout = 50ms}};
  int written = 0;
  while (writer.write(kLine) == Status::ok) ++written;
  BOOST_TEST(holder.hear() == 2U);
  BOOST_TEST(written < kMoreThanFits);
  holder.kill();
  // Nobody but the writer runs recovery here.
  Writer patient{segment, {.name = "patient", .timeout = 20s}};
  writer.close();
  for (int i = 0; i < kMoreThanFits; ++i) BOOST_TEST((patient.write(kLine) == Status::ok));
  const Snapshot now = inspect(segment);
  BOOST_TEST_REQUIRE(now.journal.size() == 1U);
  BOOST_TEST(now.journal.front().name == "holder");
  BOOST_TEST(is_proof_of_death(now.journal.front().proof));
  BOOST_TEST(now.journal.front().held_first == 1U);
  BOOST_TEST(now.released >= 1U);
}

// A message counts as missed if the reader had come to the extent's end before.
BOOST_AUTO_TEST_CASE(an_extent_that_is_opened_while_its_generation_is_sealed_is_not_closed) {
  const TestName name;
  const Segment segment = make_segment(name, Order::per_writer);
  Reader reader{segment, {.name = "reader"}};
  const auto late_messages = [&] {
    int count = 0;
    while (reader.wait_for(0ms)) {
      for (const Frame& frame : reader.pin()) count += frame.type() == 1 ? 1 : 0;
    }
    return count;
  };
  Writer idle{segment, {.name = "idle"}};
  BOOST_TEST((idle.write(kLine) == Status::ok));
  Child late{[&](Link& link) {
    const Segment own = Segment::open(name);
    Writer writer{own, {.name = "late"}};
    kill_point::arm(KillPoint::claim_taken, [] {
      kill_point::arm(KillPoint::claim_opened, stop_self);
      stop_self();
    });
    if (writer.write(kLine, 1) != Status::ok) throw std::runtime_error("write failed");
    link.say(1);
    link.hear();
  }};
  BOOST_TEST_REQUIRE(late.wait_until_stopped());
  bool opened = false;
  kill_point::arm(KillPoint::close_revoked, [&] {
    late.resume();
    opened = late.wait_until_stopped();
  });
  Writer other{segment, {.name = "other", .timeout = 20s}};
  for (int i = 0; i < kMoreThanFits && !opened; ++i) BOOST_TEST_REQUIRE((other.write(kLine) == Status::ok));
  kill_point::disarm();
  BOOST_TEST_REQUIRE(opened);
  BOOST_TEST(late_messages() == 0);
  late.resume();
  BOOST_TEST(late.hear() == 1U);
  BOOST_TEST(late_messages() == 1);
}

// It is closed before its owner says where it is; and its slab is another generation's when the owner goes on.
BOOST_AUTO_TEST_CASE(who_is_late_to_its_extent_leaves_the_slabs_next_generation_alone) {
  const TestName name;
  const Segment segment = make_segment(name, Order::per_writer);
  Reader reader{segment, {.name = "reader"}};
  std::array<int, 2> messages{};
  const auto read_all = [&] {
    while (reader.wait_for(0ms)) {
      for (const Frame& frame : reader.pin()) ++messages.at(frame.type());
    }
  };
  Child late{[&](Link& link) {
    const Segment own = Segment::open(name);
    Writer writer{own, {.name = "late"}};
    kill_point::arm(KillPoint::claim_opened, stop_self);
    if (writer.write(kLine, 1) != Status::ok) throw std::runtime_error("write failed");
    link.say(1);
  }};
  BOOST_TEST_REQUIRE(late.wait_until_stopped());
  Writer other{segment, {.name = "other", .timeout = 0ms}};
  int written = 0;
  while (generation_of(segment) < 3) {
    read_all();
    if (other.write(kLine) == Status::ok) ++written;
  }
  while (other.write(kLine) == Status::ok) ++written;
  late.resume();
  // It has found out, and waits for room.
  BOOST_TEST(eventually([&] { return slot_named(segment, "late").claim.load() == 0; }));
  BOOST_TEST(eventually([&] {
    read_all();
    return messages[0] == written && messages[1] == 1;
  }));
  BOOST_TEST(late.hear() == 1U);
}

BOOST_DATA_TEST_CASE(a_blocked_writer_is_freed_by_a_watchdog, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = make_segment(name, order);
  Child holder{[&](Link& link) { hold_oldest_slab(name, link); }};
  holder.hear();
  Child writer{[&](Link& link) {
    const Segment own = Segment::open(name);
    Writer blocked{own, {.name = "blocked"}};
    for (int i = 0; i < kMoreThanFits; ++i) {
      if (blocked.write(kLine) != Status::ok) throw std::runtime_error("write failed");
      link.say(static_cast<std::uint64_t>(i));
    }
  }};
  holder.hear();
  holder.kill();
  RecoveryReport report;
  BOOST_TEST(eventually([&] {
    RecoveryReport now = recover(segment);
    if (!now.dead.empty()) report = std::move(now);
    return !inspect(segment).journal.empty();
  }));
  for (int i = 0; i < kMoreThanFits; ++i) BOOST_TEST(writer.hear() == static_cast<std::uint64_t>(i));
  BOOST_TEST(writer.wait() == 0);
}

BOOST_DATA_TEST_CASE(a_stopped_reader_keeps_what_it_holds, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = make_segment(name, order);
  Child holder{[&](Link& link) { hold_oldest_slab(name, link); }};
  holder.hear();
  Writer writer{segment, {.timeout = 30ms}};
  while (writer.write(kLine) == Status::ok) {
  }
  holder.hear();
  holder.stop();
  BOOST_TEST(recover(segment).dead.empty());
  BOOST_TEST((writer.write(kLine) == Status::timeout));
  BOOST_TEST((writer.write(kLine) == Status::timeout));
  BOOST_TEST(recover(segment).dead.empty());
  const Snapshot now = inspect(segment, {.hung_after = 1ms});
  BOOST_TEST_REQUIRE(now.participants.size() == 2U);
  const auto& seen = *std::find_if(now.participants.begin(), now.participants.end(),
                                   [](const auto& one) { return one.name == "holder"; });
  BOOST_TEST((seen.state == Liveness::hung));
  BOOST_TEST(seen.held_generations.front() == 1U);
  holder.resume();
  holder.say(0);
  BOOST_TEST(holder.wait() == 0);
  BOOST_TEST((Writer{segment, {.timeout = 20s}}.write(kLine) == Status::ok));
}

// A writer that ends, or stops, between its claim and the trace of it.
void claim_and(std::string_view name, const std::function<void()>& action, Link& link) {
  const Segment segment = Segment::open(name);
  Writer writer{segment};
  link.say(1);
  link.hear();
  kill_point::arm(KillPoint::claim_taken, action);
  if (writer.write(kLine) != Status::ok) throw std::runtime_error("write failed");
}

BOOST_DATA_TEST_CASE(the_dead_whose_repair_waits_for_a_stopped_claimer_are_entered_once, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = make_segment(name, order);
  Child stopped{[&](Link& link) { claim_and(name, stop_self, link); }};
  stopped.hear();
  Child one{[&](Link& link) { claim_and(name, kill_self, link); }};
  one.hear();
  Child other{[&](Link& link) { claim_and(name, kill_self, link); }};
  other.hear();
  stopped.say(1);
  BOOST_TEST(stopped.wait_until_stopped());
  for (Child* const victim : {&one, &other}) {
    victim->say(1);
    BOOST_TEST(victim->wait() == -SIGKILL);
  }
  for (int i = 0; i < 5; ++i) BOOST_TEST(recover(segment).pending);
  BOOST_TEST(inspect(segment).journal.size() == 2U);
  stopped.resume();
  BOOST_TEST(stopped.wait() == 0);
  BOOST_TEST(!recover(segment).pending);
  const Snapshot now = inspect(segment);
  BOOST_TEST(now.journal.size() == 2U);
  for (const JournalRecord& record : now.journal) BOOST_TEST(record.finished_ns != 0U);
}

BOOST_DATA_TEST_CASE(a_reservation_that_death_cut_off_is_counted_as_abandoned, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = make_segment(name, order);
  Reader reader{segment};
  Child victim{[&](Link& link) {
    const Segment own = Segment::open(name);
    Writer writer{own, {.name = "victim"}};
    if (writer.write("committed", 1) != Status::ok) return;
    const auto open = writer.reserve(100, 2);
    std::memset(open.bytes().data(), 0x5a, 100);
    link.say(1);
    link.hear();
  }};
  victim.hear();
  Writer survivor{segment};
  BOOST_TEST((survivor.write("behind it", 3) == Status::ok));
  victim.kill();
  const RecoveryReport report = recover(segment);
  BOOST_TEST_REQUIRE(report.dead.size() == 1U);
  BOOST_TEST(report.dead.front().name == "victim");
  BOOST_TEST(report.dead.front().repairs == 1U);
  std::vector<int> types;
  while (reader.wait_for(0ms)) {
    for (const Frame& frame : reader.pin()) types.push_back(frame.type());
  }
  const std::vector<int> expected{1, 3};
  BOOST_TEST(types == expected, boost::test_tools::per_element());
  const Snapshot now = inspect(segment);
  BOOST_TEST(now.departed.committed == 1U);
  BOOST_TEST(now.departed.abandoned == 1U);
}

BOOST_AUTO_TEST_CASE(a_reader_in_total_order_passes_a_dead_writers_frame_by_itself) {
  const TestName name;
  const Segment segment = make_segment(name, Order::total);
  Reader reader{segment};
  Child victim{[&](Link& link) {
    const Segment own = Segment::open(name);
    Writer writer{own};
    const auto open = writer.reserve(100);
    link.say(1);
    link.hear();
  }};
  victim.hear();
  Writer survivor{segment};
  BOOST_TEST((survivor.write("behind it") == Status::ok));
  BOOST_TEST(!reader.wait_for(20ms));
  victim.kill();
  BOOST_TEST(reader.wait_for(20s));
}

// A claim without a trace looks the same whether its writer is dead or only stopped; the grace period tells them apart.
BOOST_DATA_TEST_CASE(a_dead_writers_hole_is_not_closed_over_a_stopped_claimer, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = make_segment(name, order);
  Reader reader{segment};
  const auto claimer = [&](const std::function<void()>& action) {
    return [&name, action](Link& link) {
      const Segment own = Segment::open(name);
      Writer writer{own, {.name = "claimer"}};
      link.say(1);
      link.hear();
      kill_point::arm(KillPoint::claim_taken, action);
      if (writer.write("mine") != Status::ok) throw std::runtime_error("write failed");
    };
  };
  Child stopped{claimer(stop_self)};
  Child dead{claimer(kill_self)};
  stopped.hear();
  dead.hear();
  stopped.say(1);
  BOOST_TEST(stopped.wait_until_stopped());
  dead.say(1);
  BOOST_TEST(dead.wait() == -SIGKILL);

  BOOST_TEST(recover(segment).pending);
  stopped.resume();
  BOOST_TEST(stopped.wait() == 0);
  BOOST_TEST(eventually([&] { return !recover(segment).dead.empty(); }));
  BOOST_TEST(reader.wait_for(20s));
  std::uint64_t messages = 0;
  for (const Frame& frame : reader.pin()) messages += frame.bytes().size() == 4 ? 1 : 100;
  BOOST_TEST(messages == 1U);
  BOOST_TEST(inspect(segment).departed.abandoned == 1U);
  BOOST_TEST(inspect(segment).departed.committed == 1U);
}

// What a reader knows of may end between two claims whose writers died before they left a trace.
BOOST_AUTO_TEST_CASE(a_reader_passes_two_holes_that_it_learned_of_one_after_the_other) {
  const TestName name;
  const Segment segment = make_segment(name, Order::per_writer);
  Reader reader{segment};
  for (int i = 0; i < 2; ++i) {
    Child victim{[&](Link& link) { claim_and(name, kill_self, link); }};
    Child other{[&](Link& link) { claim_and(name, kill_self, link); }};
    for (Child* const dead : {&victim, &other}) {
      dead->hear();
    }
    for (Child* const dead : {&victim, &other}) {
      dead->say(1);
      BOOST_TEST(dead->wait() == -SIGKILL);
      BOOST_TEST(!reader.wait_for(0ms));
    }
    BOOST_TEST(recover(segment).dead.size() == 2U);
    BOOST_TEST((Writer{segment}.write("behind them") == Status::ok));
    BOOST_TEST(reader.wait_for(0ms));
    int messages = 0;
    for (const Frame& frame : reader.pin()) messages += frame.bytes().size() == 11 ? 1 : 100;
    BOOST_TEST(messages == 1);
  }
}

// An idle writer may keep an extent open for ever; others end its right to it, and it finds out.
BOOST_AUTO_TEST_CASE(an_idle_writers_extent_is_sealed_and_it_goes_on_elsewhere) {
  const TestName name;
  const Segment segment = make_segment(name, Order::per_writer);
  Audience audience{segment};
  Child idle{[&](Link& link) {
    const Segment own = Segment::open(name);
    Writer writer{own, {.name = "idle"}};
    write_messages(writer, 1, 0, 1);
    link.say(1);
    link.hear();
    write_messages(writer, 1, 1, 2);
  }};
  idle.hear();
  Writer writer{segment, {.timeout = 20s}};
  for (std::uint32_t number = 0; number < 200; ++number) {
    write_messages(writer, 2, number, number + 1);
    audience.read();
  }
  BOOST_TEST(generation_of(segment) > 3U);
  idle.say(1);
  BOOST_TEST(idle.wait() == 0);
  audience.read_all();
  BOOST_TEST(audience.numbers_of(1) == committed_numbers(0, 2), boost::test_tools::per_element());
  BOOST_TEST(audience.numbers_of(2) == committed_numbers(0, 200), boost::test_tools::per_element());
}

// A stopped writer in the middle of a reservation is not sealed out of it: its slab waits for it.
BOOST_AUTO_TEST_CASE(an_open_reservation_keeps_its_slab) {
  const TestName name;
  const Segment segment = make_segment(name, Order::per_writer);
  Audience audience{segment};
  Child slow{[&](Link& link) {
    const Segment own = Segment::open(name);
    Writer writer{own, {.name = "slow"}};
    const auto message = scripted({1, 0});
    auto reservation = writer.reserve(message.size());
    link.say(1);
    link.hear();
    std::memcpy(reservation.bytes().data(), message.data(), message.size());
    reservation.commit();
  }};
  slow.hear();
  Writer writer{segment, {.timeout = 30ms}};
  std::uint32_t number = 0;
  while (writer.write(std::span<const std::byte>{scripted({2, number})}) == Status::ok) {
    ++number;
    audience.read();
    BOOST_TEST_REQUIRE(number < 1000U);
  }
  slow.say(1);
  BOOST_TEST(slow.wait() == 0);
  BOOST_TEST(audience.read_until([&] { return writer.write("on") == Status::ok; }));
  audience.read_all();
  BOOST_TEST(audience.numbers_of(1).size() == 1U);
  BOOST_TEST(audience.numbers_of(2).size() == number);
}

// Who cleans ahead goes on with the slab that a dead cleaner had chosen, and takes none before it: a reader that begins
// with the oldest generation finds all that follow.
BOOST_AUTO_TEST_CASE(a_slab_whose_cleaner_died_is_the_first_to_be_cleaned) {
  const TestName name;
  const Segment segment =
      Segment::create(name, {.slabs = 3, .slab_bytes = 4 << 20, .order = Order::total, .participants = 8});
  const std::string message(32 * 1024, 'x');
  Writer survivor{segment};
  Child cleaner{[&](Link&) {
    const Segment own = Segment::open(name);
    Writer writer{own};
    kill_point::arm(KillPoint::reclaim_announced, kill_self);
    while (writer.write(message, 1) == Status::ok) {
    }
  }};
  BOOST_TEST(cleaner.wait() == -SIGKILL);
  BOOST_TEST_REQUIRE(generation_of(segment) == 3U);  // there is room in it yet, for what follows
  constexpr int kEnoughToCleanAhead = 16;
  for (int i = 0; i < kEnoughToCleanAhead; ++i) BOOST_TEST_REQUIRE((survivor.write(message, 2) == Status::ok));
  BOOST_TEST_REQUIRE(generation_of(segment) == 3U);
  Reader reader{segment};
  int of_the_dead = 0;
  int of_the_survivor = 0;
  while (reader.wait_for(0ms)) {
    for (const Frame& frame : reader.pin()) ++(frame.type() == 1 ? of_the_dead : of_the_survivor);
  }
  BOOST_TEST(of_the_dead > 127);  // generation 2, and what it wrote of the third
  BOOST_TEST(of_the_survivor == kEnoughToCleanAhead);
}

BOOST_AUTO_TEST_CASE(a_dropping_writer_is_not_kept_dropping_by_the_dead) {
  const TestName name;
  const Segment segment = make_segment(name, Order::per_writer, OnFull::drop);
  Child holder{[&](Link& link) { hold_oldest_slab(name, link); }};
  holder.hear();
  Writer writer{segment};
  while (writer.write(kLine) == Status::ok) {
  }
  holder.hear();
  BOOST_TEST((writer.write(kLine) == Status::full));
  holder.kill();
  BOOST_TEST(eventually([&] { return writer.write(kLine) == Status::ok; }));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
