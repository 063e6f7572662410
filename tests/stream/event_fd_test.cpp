// Descriptors of readers and writers, for programs that wait for other things, too.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include <sapbuf/detail/kill_point.hpp>

#include "segment/event.hpp"
#include "stream/slabs.hpp"
#include "support/child.hpp"
#include "support/every_stream.hpp"
#include "support/main_stream.hpp"
#include "support/readable.hpp"
#include "support/reclaiming.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

SegmentOptions options_with(Order order, OnFull on_full, Fences fences = Fences::membarrier) {
  return {.slab_bytes = 4096,
          .order = order,
          .extent_bytes = order == Order::per_writer ? 1024u : 0u,
          .on_full = on_full,
          .fences = fences};
}

std::size_t threads_of_this_process() {
  std::ifstream status{"/proc/self/status"};
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Threads:")) return std::stoul(line.substr(8));
  }
  return 0;
}

bool somebody_sleeps(const Segment& segment) { return main_stream(segment).control().data.is_awaited(); }

BOOST_AUTO_TEST_SUITE(event_fd)

BOOST_DATA_TEST_CASE(a_readers_is_readable_until_a_look_finds_nothing, kEveryPath, order, fences) {
  const HeapSegment segment{options_with(order, OnFull::block, fences)};
  Writer writer{segment};
  Reader reader{segment};
  must_put(writer, {1, 0});
  const int descriptor = reader.event_fd();
  BOOST_TEST(reader.event_fd() == descriptor);
  BOOST_TEST(is_readable(descriptor));  // it came before
  BOOST_TEST(texts(reader, 1).size() == 1U);
  BOOST_TEST(texts(reader).empty());
  BOOST_TEST(!is_readable(descriptor));
  for (std::uint32_t number = 1; number < 50; ++number) {
    must_put(writer, {1, number});
    BOOST_TEST(becomes_readable(descriptor));
    BOOST_TEST(texts(reader, 1).size() == 1U);
    BOOST_TEST(!reader.wait_for(0ms));
    BOOST_TEST(!is_readable(descriptor));
  }
}

BOOST_DATA_TEST_CASE(a_writer_in_another_process_makes_it_readable, kEveryStream, order, on_full) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, on_full));
  Reader reader{segment};
  const int descriptor = reader.event_fd();
  BOOST_TEST(!is_readable(descriptor));
  Child writing{[&](Link& link) {
    Writer writer{Segment::open(name)};
    for (std::uint32_t number = 0; link.hear() != 0; ++number) must_put(writer, {1, number});
  }};
  for (std::uint32_t round = 0; round < 200; ++round) {
    writing.say(1);
    BOOST_TEST_REQUIRE(becomes_readable(descriptor));
    Log log;
    while (log.read(reader) != 0) {
    }
    BOOST_TEST(log.size() == 1U);
  }
  writing.say(0);
  BOOST_TEST(writing.wait() == 0);
}

// One who writes on and on, and one who reads what there is each time that it is told to: nothing is missed, and nobody sleeps
// on something that is there.
BOOST_DATA_TEST_CASE(no_wake_is_lost, kEveryPath, order, fences) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, OnFull::block, fences));
  const std::uint32_t count = kSlow ? 2'000 : 20'000;
  Reader reader{segment};
  const int descriptor = reader.event_fd();
  Child writing{[&](Link&) {
    Writer writer{Segment::open(name), {.timeout = kPatience}};
    Dice dice{base_seed()};
    for (std::uint32_t number = 0; number < count; ++number) {
      must_put(writer, {1, number});
      for (std::uint64_t pause = dice.below(2'000); pause > 0; --pause) asm volatile("");
    }
  }};
  Log log;
  while (log.size() < count) {
    BOOST_TEST_REQUIRE(becomes_readable(descriptor));
    log.read(reader);
  }
  BOOST_TEST((log.in_order() && log.torn() == 0));
  BOOST_TEST(writing.wait() == 0);
}

BOOST_AUTO_TEST_CASE(as_long_as_nobody_found_nothing_nobody_sleeps) {
  const HeapSegment segment{options_with(Order::per_writer, OnFull::block)};
  Writer writer{segment};
  Reader reader{segment};
  must_put(writer, {1, 0});
  static_cast<void>(reader.event_fd());
  BOOST_TEST(!somebody_sleeps(segment));  // so a commit makes no system call
  texts(reader);
  texts(reader);
  BOOST_TEST(somebody_sleeps(segment));
  must_put(writer, {1, 1});
  BOOST_TEST(!somebody_sleeps(segment));
}

BOOST_DATA_TEST_CASE(a_message_that_death_held_up_makes_it_readable, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, OnFull::block));
  Reader reader{segment};
  Child victim{[&](Link& link) {
    Writer writer{Segment::open(name)};
    Reservation open = writer.reserve(100);  // in total order, what comes behind it waits for that
    link.say(1);
    link.hear();
  }};
  BOOST_TEST(victim.hear() == 1U);
  Writer writer{segment};
  must_put(writer, {1, 0});
  const int descriptor = reader.event_fd();
  while (!texts(reader).empty()) {
  }
  BOOST_TEST(!is_readable(descriptor));
  victim.kill();  // nobody else recovers
  if (order == Order::total) {
    BOOST_TEST(becomes_readable(descriptor));
    BOOST_TEST(texts(reader).size() == 1U);
  }
}

// A claim ran over the slab's end, others go on in the next slab, and then its writer makes filler of it, and nothing else yet.
BOOST_AUTO_TEST_CASE(what_stands_behind_a_claim_over_the_slabs_end_makes_it_readable) {
  constexpr std::size_t kLarge = 1000;
  const TestName name;
  const Segment segment = Segment::create(name, options_with(Order::total, OnFull::block));
  Writer writer{segment};
  Reader reader{segment};
  const int descriptor = reader.event_fd();
  Child late{[&](Link& link) {
    Writer own{Segment::open(name)};
    must_put(own, {2, 0});  // it takes the slab for as empty as this
    link.say(1);
    link.hear();
    kill_point::arm(KillPoint::claim_taken, stop_self);
    const Reservation open = own.reserve(kLarge);
    link.say(2);
    link.hear();
  }};
  BOOST_TEST(late.hear() == 1U);
  std::uint32_t number = 0;
  while (detail::load_active(main_stream(segment)).offset_bytes + kLarge < 4096) must_put(writer, {1, number++}, 100);
  late.say(1);
  BOOST_TEST(late.wait_until_stopped());
  must_put(writer, {1, number}, kLarge);
  BOOST_TEST(generation_of(segment) == 2U);
  while (!texts(reader).empty()) {
  }
  BOOST_TEST(!is_readable(descriptor));
  late.resume();
  BOOST_TEST(late.hear() == 2U);
  BOOST_TEST(becomes_readable(descriptor));
  BOOST_TEST(texts(reader).size() == 1U);
}

// Also once somebody waits again: who slept before that learns of the wake by the word alone.
BOOST_AUTO_TEST_CASE(a_wake_leaves_another_word_for_good) {
  layout::Event event{};
  const detail::SleepTicket before{event, false, true};
  BOOST_TEST(event.is_awaited());
  detail::wake_sleepers(event);
  BOOST_TEST(!event.is_awaited());
  const detail::SleepTicket behind{event, false, true};
  BOOST_TEST(behind.word() != before.word());
  BOOST_TEST(event.wakes() == 1U);
}

// Killed or stopped where the wake is said, and nobody was woken yet: whoever wakes later is heard.
BOOST_DATA_TEST_CASE(a_waker_that_does_not_come_to_its_end_leaves_it_readable_for_the_next_one,
                     data::make({&kill_self, &stop_self}), act) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(Order::per_writer, OnFull::block));
  Reader reader{segment};
  Writer writer{segment};
  const int descriptor = reader.event_fd();
  // It looks for the dead by itself, too, and who settles one wakes.
  const auto is_quiet = [&] { return texts(reader).empty() && !is_readable(descriptor); };
  BOOST_TEST(texts(reader).empty());
  for (std::uint32_t number = 0; number < 3; ++number) {
    Child victim{[&](Link& link) {
      Writer own{Segment::open(name)};  // which recovers the one before, and wakes
      link.say(1);
      link.hear();
      kill_point::arm(KillPoint::event_told, act);
      must_put(own, {2, 0});
    }};
    BOOST_TEST(victim.hear() == 1U);
    BOOST_TEST(eventually(is_quiet));
    victim.say(1);
    BOOST_TEST((act == &kill_self ? victim.wait() == -SIGKILL : victim.wait_until_stopped()));
    must_put(writer, {1, number});
    BOOST_TEST(becomes_readable(descriptor));
    BOOST_TEST(eventually(is_quiet));
  }
  must_put(writer, {1, 3});
  BOOST_TEST(becomes_readable(descriptor));
}

// Whoever reclaims it is no writer of the stream, say, and goes on, or is killed: nobody tells of either.
BOOST_DATA_TEST_CASE(a_slab_that_is_not_reclaimed_after_all_makes_it_readable,
                     data::make(kOrders) * data::make({false, true}), order, is_killed) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, OnFull::overwrite));
  Writer writer{segment};
  Reader reader{segment};
  std::uint32_t count = 0;
  while (generation_of(segment) == 1) must_put(writer, {1, count++}, 100);
  Child reclaiming{[&](Link& link) { begin_to_reclaim(name, link); }};
  BOOST_TEST(reclaiming.hear() == 1U);
  const int descriptor = reader.event_fd();
  BOOST_TEST(texts(reader).empty());
  if (is_killed) {
    reclaiming.kill();
  } else {
    reclaiming.say(1);
    BOOST_TEST(reclaiming.wait() == 0);
  }
  Log log;
  while (log.size() < count) {
    BOOST_TEST_REQUIRE(becomes_readable(descriptor));
    log.read(reader);
  }
  BOOST_TEST(reader.lost() == 0U);
}

BOOST_AUTO_TEST_CASE(a_dead_waiter_costs_one_wake) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(Order::per_writer, OnFull::overwrite));
  Child waiting{[&](Link& link) {
    Reader reader{Segment::open(name)};
    static_cast<void>(reader.event_fd());
    link.say(1);
    link.hear();
  }};
  BOOST_TEST(waiting.hear() == 1U);
  BOOST_TEST(somebody_sleeps(segment));
  waiting.kill();
  Writer writer{segment};
  must_put(writer, {1, 0});
  BOOST_TEST(!somebody_sleeps(segment));
  BOOST_TEST(eventually([&] { return !recover(segment).pending; }));
}

BOOST_AUTO_TEST_CASE(the_end_of_the_stream_makes_it_readable_for_those_who_end_with_it) {
  const HeapSegment segment{options_with(Order::per_writer, OnFull::block)};
  Writer writer{segment};
  Reader reader{segment, {.until_finished = true}};
  const int descriptor = reader.event_fd();
  BOOST_TEST(!is_readable(descriptor));
  BOOST_TEST((writer.finish() == Status::ok));
  BOOST_TEST(becomes_readable(descriptor));
  BOOST_TEST(texts(reader).empty());
  BOOST_TEST(reader.is_finished());
  BOOST_TEST(is_readable(descriptor));
}

BOOST_DATA_TEST_CASE(a_writers_is_readable_when_there_may_be_room,
                     data::make(kOrders) * data::make({OnFull::block, OnFull::drop}) *
                         data::make({std::size_t{200}, std::size_t{1016}}),
                     order, on_full, size) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, on_full));
  Writer writer{segment, {.timeout = 0ms}};
  const int descriptor = writer.event_fd();
  BOOST_TEST(is_readable(descriptor));
  Reader reader{segment};
  for (int round = 0; round < 20; ++round) {
    Status refusal = Status::ok;
    put_until_refused(writer, {1, 0}, 10'000, size, &refusal);
    BOOST_TEST((refusal == Status::timeout || refusal == Status::full));
    BOOST_TEST(!is_readable(descriptor));
    Log log;
    while (log.read(reader) != 0) {
    }
    BOOST_TEST(becomes_readable(descriptor));
    BOOST_TEST((put(writer, {1, 0}, size) == Status::ok));
  }
}

// Whether an attempt that finds no room leaves it unreadable: now and then it is readable by itself, on a busy machine also
// before somebody has looked.
bool is_quiet_where_there_is_no_room(Writer& writer, int descriptor) {
  for (int attempts = 0; attempts < 100; ++attempts) {
    if (put(writer, {1, 0}, 200) != Status::full) return false;
    if (!is_readable(descriptor)) return true;
  }
  return false;
}

// Who unpins a slab tells nobody.
BOOST_DATA_TEST_CASE(a_writers_is_readable_when_a_reader_may_have_unpinned_a_slab, data::make(kOrders), order) {
  SegmentOptions options = options_with(order, OnFull::overwrite);
  options.slabs = 3;
  const HeapSegment segment{options};
  Writer writer{segment};
  Reader reader{segment};
  const int descriptor = writer.event_fd();
  while (generation_of(segment) < 3) must_put(writer, {1, 0}, 200);
  std::optional<PinnedRange> range{reader.pin()};
  put_until_refused(writer, {1, 0}, 10'000, 200);
  BOOST_TEST(is_quiet_where_there_is_no_room(writer, descriptor));
  BOOST_TEST(becomes_readable(descriptor));
  BOOST_TEST(is_quiet_where_there_is_no_room(writer, descriptor));
  range.reset();
  BOOST_TEST(becomes_readable(descriptor));
  BOOST_TEST((put(writer, {1, 0}, 200) == Status::ok));
}

// Nor does a writer that commits what it began in the oldest one.
BOOST_DATA_TEST_CASE(a_writers_is_readable_when_another_one_may_have_left_a_slab, data::make(kOrders), order) {
  const HeapSegment segment{options_with(order, OnFull::drop)};
  Writer writer{segment};
  Writer slow{segment};
  const int descriptor = writer.event_fd();
  Reservation open = slow.reserve(kTagBytes);
  put_until_refused(writer, {1, 0}, 10'000, 200);
  BOOST_TEST(is_quiet_where_there_is_no_room(writer, descriptor));
  fill(open.bytes(), {2, 0});
  open.commit();
  BOOST_TEST(becomes_readable(descriptor));
  BOOST_TEST((put(writer, {1, 0}, 200) == Status::ok));
}

BOOST_DATA_TEST_CASE(a_writers_is_readable_when_what_was_kept_for_one_away_is_given_up, data::make(kOrders), order) {
  const TestName name;
  SegmentOptions options = options_with(order, OnFull::block);
  options.durable_readers = 1;
  const Segment segment = Segment::create(name, options);
  Writer writer{segment, {.timeout = 0ms}};
  const int descriptor = writer.event_fd();
  Reader{segment, {.name = "audit", .durable = DurableOptions{.max_away = 300ms}}}.close();
  put_until_refused(writer, {1, 0}, 10'000, 200);
  BOOST_TEST(becomes_readable(descriptor));
  BOOST_TEST((put(writer, {1, 0}, 200) == Status::ok));
}

BOOST_AUTO_TEST_CASE(its_thread_and_its_descriptor_go_with_the_handle) {
  const HeapSegment segment{options_with(Order::per_writer, OnFull::block)};
  // Joined, a thread is still listed until the kernel is done with it.
  const auto is_alone = [] { return threads_of_this_process() == 1; };
  BOOST_TEST(eventually(is_alone));
  int descriptor;
  {
    Reader reader{segment};
    descriptor = reader.event_fd();
    BOOST_TEST(threads_of_this_process() == 2U);
  }
  BOOST_TEST(eventually(is_alone));
  BOOST_TEST(::fcntl(descriptor, F_GETFD) == -1);
}

BOOST_AUTO_TEST_CASE(a_child_made_by_fork_lets_go_of_it) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(Order::per_writer, OnFull::block));
  std::optional<Reader> reader{std::in_place, segment};
  const int descriptor = reader->event_fd();
  Child child{[&](Link&) {
    if (error_of([&] { static_cast<void>(reader->event_fd()); }) != Errc::forked) throw std::runtime_error("it works");
    reader.reset();
  }};
  BOOST_TEST(child.wait() == 0);
  BOOST_TEST(texts(*reader).empty());
  Writer writer{segment};
  must_put(writer, {1, 0});
  BOOST_TEST(becomes_readable(descriptor));
}

BOOST_AUTO_TEST_CASE(closed_handles_have_none) {
  const HeapSegment segment{options_with(Order::per_writer, OnFull::block)};
  Reader reader{segment};
  Writer writer{segment};
  reader.close();
  Writer elsewhere = std::move(writer);
  BOOST_TEST((error_of([&] { static_cast<void>(reader.event_fd()); }) == Errc::invalid_argument));
  BOOST_TEST(
      (error_of([&] { static_cast<void>(writer.event_fd()); }) == Errc::invalid_argument));  // NOLINT: moved from
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
