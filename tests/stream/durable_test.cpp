// Durable readers: their place in the stream outlives them.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>
#include <thread>

#include <sapbuf/detail/kill_point.hpp>

#include "support/child.hpp"
#include "support/every_stream.hpp"
#include "support/invariants.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

SegmentOptions options_with(Order order, OnFull on_full, std::uint32_t durable_readers = 2) {
  return {.slabs = 4,
          .slab_bytes = 4096,
          .order = order,
          .extent_bytes = order == Order::per_writer ? 1024u : 0u,
          .on_full = on_full,
          .durable_readers = durable_readers};
}

ReaderOptions durable(const std::string& name = "audit", const DurableOptions& limits = {}) {
  return {.name = name, .durable = limits};
}

// The numbers of the messages that are there, `most` at most.
std::vector<std::uint32_t> numbers(Reader& reader, std::size_t most = ~std::size_t{0}) {
  Log log;
  while (log.size() < most && log.read(reader, most - log.size()) != 0) {
  }
  BOOST_TEST(log.torn() == 0U);
  std::vector<std::uint32_t> seen;
  for (const Tag& tag : log.tags()) seen.push_back(tag.number);
  return seen;
}

std::vector<std::uint32_t> from_to(std::uint32_t begin, std::uint32_t end) {
  std::vector<std::uint32_t> all;
  for (std::uint32_t number = begin; number < end; ++number) all.push_back(number);
  return all;
}

void put_numbers(Writer& writer, std::uint32_t begin, std::uint32_t end, std::size_t size = 40) {
  for (std::uint32_t number = begin; number < end; ++number) must_put(writer, {1, number}, size);
}

DurableReaderInfo sole_durable_reader(const Segment& segment) {
  const std::vector<DurableReaderInfo> all = Stream::open(segment).durable_readers();
  BOOST_TEST_REQUIRE(all.size() == 1U);
  return all.front();
}

#define BOOST_TEST_SAME(left, right) BOOST_TEST((left) == (right), boost::test_tools::per_element())

BOOST_AUTO_TEST_SUITE(durable_reader)

BOOST_DATA_TEST_CASE(the_next_one_of_its_name_goes_on_where_it_left_off, kEveryStream, order, on_full) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, on_full));
  Writer writer{segment, {.timeout = kPatience}};
  put_numbers(writer, 0, 100);
  {
    Reader reader{segment, durable()};
    BOOST_TEST_SAME(numbers(reader, 40), from_to(0, 40));
  }
  put_numbers(writer, 100, 120);
  const Segment elsewhere = Segment::open(name);
  {
    Reader reader{elsewhere, durable()};
    BOOST_TEST_SAME(numbers(reader, 41), from_to(40, 81));
    BOOST_TEST(reader.missed_before().value_or(0) == 0U);
    BOOST_TEST(reader.delivered() == 41U);
  }
  Reader reader{elsewhere,
                {.name = "audit", .from = From::newest, .durable = DurableOptions{}}};  // newest says nothing now
  BOOST_TEST_SAME(numbers(reader), from_to(81, 120));
  put_numbers(writer, 120, 130);
  BOOST_TEST_SAME(numbers(reader), from_to(120, 130));
  BOOST_TEST(reader.lost() == 0U);
  BOOST_TEST(broken_invariant(segment) == "");
}

BOOST_DATA_TEST_CASE(it_goes_on_in_each_writers_messages, kEveryPath, order, fences) {
  SegmentOptions options = options_with(order, OnFull::block);
  options.fences = fences;
  options.slab_bytes = 16'384;
  const HeapSegment segment{options};
  Writer first{segment, {.timeout = kPatience}};
  Writer second{segment, {.timeout = kPatience}};
  std::map<std::uint32_t, std::vector<std::uint32_t>> seen;
  std::uint32_t written = 0;
  for (int round = 0; round < 60; ++round) {
    for (int i = 0; i < 7; ++i, ++written) {
      must_put(first, {1, written}, 40);
      if (written % 5 != 0) must_put(second, {2, written}, 90);
    }
    Reader reader{segment, durable()};
    Log log;
    log.read(reader, static_cast<std::size_t>(round % 4 == 3 ? 100 : 9));
    for (const auto& [writer, some] : log.by_writer()) {
      seen[writer].insert(seen[writer].end(), some.begin(), some.end());
    }
  }
  std::vector<std::uint32_t> of_second = from_to(0, written);
  std::erase_if(of_second, [](std::uint32_t number) { return number % 5 == 0; });
  Reader reader{segment, durable()};
  Log rest;
  while (rest.read(reader) != 0) {
  }
  for (const auto& [writer, some] : rest.by_writer()) {
    seen[writer].insert(seen[writer].end(), some.begin(), some.end());
  }
  BOOST_TEST_SAME(seen[1], from_to(0, written));
  BOOST_TEST_SAME(seen[2], of_second);
}

BOOST_DATA_TEST_CASE(the_range_that_it_was_killed_in_comes_again_and_nothing_else, kEveryStream, order, on_full) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, on_full));
  Writer writer{segment, {.timeout = kPatience}};
  put_numbers(writer, 0, 50);
  Child victim{[&](Link& link) {
    Reader reader{Segment::open(name), durable()};
    BOOST_TEST_SAME(numbers(reader, 10), from_to(0, 10));
    PinnedRange range = reader.pin();
    auto frame = range.begin();
    for (int i = 0; i < 5; ++i) ++frame;
    link.say(1);
    link.hear();
  }};
  BOOST_TEST(victim.hear() == 1U);
  victim.kill();
  Reader reader{segment, durable()};
  BOOST_TEST_SAME(numbers(reader), from_to(10, 50));
  BOOST_TEST(broken_invariant(segment) == "");
}

BOOST_DATA_TEST_CASE(the_range_that_it_abandoned_comes_again_and_nothing_else, kEveryStream, order, on_full) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, on_full));
  Writer writer{segment, {.timeout = kPatience}};
  put_numbers(writer, 0, 150);  // in more slabs than one
  Reader first{segment, durable()};
  BOOST_TEST_SAME(numbers(first, 10), from_to(0, 10));
  {
    const PinnedRange range = first.pin();
    for (const Frame& frame : range) static_cast<void>(frame);
    first.abandon();
    BOOST_TEST(error_of([&] { static_cast<void>(first.pin()); }) == Errc::invalid_argument);
  }
  Reader second{segment, durable()};
  BOOST_TEST_SAME(numbers(second, 20), from_to(10, 30));
  second.abandon();  // no range is alive: as if it was closed
  second.abandon();
  Reader third{segment, durable()};
  BOOST_TEST_SAME(numbers(third), from_to(30, 150));
  BOOST_TEST(broken_invariant(segment) == "");
}

// Its place is in a generation behind one that nobody closed yet: so nobody has counted what stands before it.
BOOST_DATA_TEST_CASE(one_that_goes_on_counts_what_is_overwritten_behind_its_place, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, OnFull::overwrite));
  Writer writer{segment, {.timeout = kPatience}};
  for (const std::uint32_t before : {85u, 100u, 128u, 171u}) {
    put_numbers(writer, 0, before);
    {
      Reader reader{segment, durable()};
      while (!texts(reader).empty()) {
      }
    }
    {
      Reader reader{segment, durable()};
      put_numbers(writer, 0, 5000);
      const std::size_t seen = numbers(reader).size();
      BOOST_TEST(seen + reader.lost() == 5000U);
    }
    Reader next{segment, durable()};
    BOOST_TEST(next.missed_before().value_or(99) == 0U);
  }
}

BOOST_DATA_TEST_CASE(the_stream_keeps_for_it_what_it_has_not_read, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, OnFull::block));
  Writer writer{segment, {.timeout = 0ms}};
  Reader{segment, durable()}.close();
  Status refusal = Status::ok;
  const std::uint32_t written = put_until_refused(writer, {1, 0}, 10'000, 100, &refusal);
  BOOST_TEST(refusal == Status::timeout);
  BOOST_TEST(sole_durable_reader(segment).kept_bytes == 4U * 4096);
  BOOST_TEST(sole_durable_reader(segment).behind_messages == written);
  BOOST_TEST(!inspect(segment).slabs.front().held_by.empty());
  Reader reader{segment, durable()};
  BOOST_TEST_SAME(numbers(reader), from_to(0, written));
  BOOST_TEST(put(writer, {1, written}, 100) == Status::ok);
}

BOOST_DATA_TEST_CASE(nothing_is_kept_once_it_was_removed, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, OnFull::block));
  Child writing{[&](Link& link) {
    Writer writer{Segment::open(name), {.timeout = kPatience}};
    link.say(1);
    put_numbers(writer, 0, 2000);
  }};
  {
    Reader reader{segment, durable()};
    BOOST_TEST(writing.hear() == 1U);
    BOOST_TEST(eventually([&] { return numbers(reader, 1).size() == 1; }));
    BOOST_TEST((error_of([&] { Stream::open(segment).remove_durable_reader("audit"); }) == Errc::busy));
  }
  BOOST_TEST(eventually([&] { return sole_durable_reader(segment).kept_bytes == 4U * 4096; }));
  BOOST_TEST(writing.running());
  BOOST_TEST(Stream::open(segment).remove_durable_reader("audit"));
  BOOST_TEST(!Stream::open(segment).remove_durable_reader("audit"));
  BOOST_TEST(writing.wait() == 0);  // it waited for room, and was woken
  BOOST_TEST(Stream::open(segment).durable_readers().empty());
}

BOOST_DATA_TEST_CASE(no_more_is_kept_than_its_limit, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, OnFull::block));
  Writer writer{segment, {.timeout = 0ms}};
  put_numbers(writer, 0, 10);
  {
    Reader reader{segment, durable("audit", {.max_bytes = 2 * 4096})};
    BOOST_TEST_SAME(numbers(reader, 4), from_to(0, 4));
  }
  put_numbers(writer, 10, 1000);                                     // nobody is waited for
  BOOST_TEST(sole_durable_reader(segment).kept_bytes == 2U * 4096);  // with the one that is being filled
  BOOST_TEST(sole_durable_reader(segment).limits.max_bytes == 2U * 4096);
  Reader reader{segment, durable()};
  const std::vector<std::uint32_t> seen = numbers(reader);
  BOOST_TEST_SAME(seen, from_to(1000 - static_cast<std::uint32_t>(seen.size()), 1000));
  BOOST_TEST(seen.size() > 4096U / 48 - 2);
  if (order == Order::per_writer) {
    BOOST_TEST(reader.missed_before().value_or(0) == 1000 - 4 - seen.size());
  } else {
    BOOST_TEST(!reader.missed_before().has_value());  // nobody counted them
  }
  BOOST_TEST(reader.missed_any());
}

BOOST_DATA_TEST_CASE(what_was_given_up_behind_a_place_at_the_very_beginning_is_told, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, OnFull::block));
  {
    const Reader reader{segment, durable("audit", {.max_bytes = 2 * 4096})};
    BOOST_TEST(!reader.missed_any());
  }
  Writer writer{segment, {.timeout = 0ms}};
  put_numbers(writer, 0, 1000);
  Reader reader{segment, durable()};
  const std::vector<std::uint32_t> seen = numbers(reader);
  BOOST_TEST(reader.missed_any());
  if (order == Order::per_writer) BOOST_TEST(reader.missed_before().value_or(0) == 1000 - seen.size());
}

BOOST_DATA_TEST_CASE(nothing_is_kept_for_one_that_was_away_too_long, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, OnFull::block));
  Reader{segment, durable("audit", {.max_away = 30ms})}.close();
  Writer writer{segment, {.timeout = kPatience}};
  put_numbers(writer, 0, 1000);  // waits where it must, and for that long only
  BOOST_TEST(sole_durable_reader(segment).kept_bytes == 0U);
  Reader reader{segment, durable()};
  const std::vector<std::uint32_t> seen = numbers(reader);
  BOOST_TEST_SAME(seen, from_to(1000 - static_cast<std::uint32_t>(seen.size()), 1000));
}

BOOST_DATA_TEST_CASE(what_was_overwritten_while_it_was_away_is_counted, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, OnFull::overwrite));
  Writer writer{segment, {.timeout = kPatience}};
  put_numbers(writer, 0, 100);
  {
    Reader reader{segment, durable()};
    BOOST_TEST_SAME(numbers(reader, 30), from_to(0, 30));
  }
  put_numbers(writer, 100, 5000);
  BOOST_TEST(sole_durable_reader(segment).kept_bytes == 0U);
  Reader reader{segment, durable()};
  const std::vector<std::uint32_t> seen = numbers(reader);
  BOOST_TEST_SAME(seen, from_to(5000 - static_cast<std::uint32_t>(seen.size()), 5000));
  BOOST_TEST(reader.missed_before().value_or(0) == 5000 - 30 - seen.size());
  BOOST_TEST(reader.lost() == 0U);
}

BOOST_DATA_TEST_CASE(a_new_one_of_the_newest_stays_at_what_was_new_to_it, kEveryStream, order, on_full) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, on_full));
  Writer writer{segment, {.timeout = kPatience}};
  put_numbers(writer, 0, 60);
  Reader{segment, {.name = "audit", .from = From::newest, .durable = DurableOptions{}}}.close();
  put_numbers(writer, 60, 70);
  Reader reader{segment, durable()};
  BOOST_TEST_SAME(numbers(reader), from_to(60, 70));
}

BOOST_DATA_TEST_CASE(what_it_left_out_does_not_come_again, kEveryStream, order, on_full) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, on_full));
  Writer writer{segment, {.timeout = kPatience}};
  put_numbers(writer, 0, 60);
  {
    Reader reader{segment, durable()};
    BOOST_TEST(reader.skip_to_newest() == 59U);
  }
  Reader reader{segment, durable()};
  BOOST_TEST_SAME(numbers(reader), from_to(59, 60));
}

BOOST_AUTO_TEST_CASE(names_are_one_live_readers) {
  const HeapSegment segment{options_with(Order::per_writer, OnFull::block)};
  const Reader reader{segment, durable("one")};
  BOOST_TEST((error_of([&] { Reader{segment, durable("one")}; }) == Errc::busy));
  const Reader other{segment, {.name = "one"}};  // is not durable
  Reader second{segment, durable("two")};
  BOOST_TEST((error_of([&] { Reader{segment, durable("three")}; }) == Errc::registry_full));
  second.close();
  BOOST_TEST((error_of([&] { Reader{segment, durable("three")}; }) == Errc::registry_full));
  BOOST_TEST(Stream::open(segment).remove_durable_reader("two"));
  const Reader third{segment, durable("three")};
  BOOST_TEST((error_of([&] { Reader{segment, durable("")}; }) == Errc::invalid_argument));
  BOOST_TEST((error_of([&] { Reader{segment, durable(std::string(64, 'x'))}; }) == Errc::invalid_argument));
  BOOST_TEST((error_of([&] { Reader{segment, durable({'a', '\0', 'b'})}; }) == Errc::invalid_argument));
  BOOST_TEST(broken_invariant(segment) == "");
}

BOOST_AUTO_TEST_CASE(a_stream_without_room_for_them_says_what_would_do) {
  const HeapSegment segment{options_with(Order::per_writer, OnFull::block, 0)};
  BOOST_TEST((error_of([&] { Reader{segment, durable()}; }) == Errc::invalid_argument));
  BOOST_TEST(message_of([&] { Reader{segment, durable()}; }).find("--durable-readers") != std::string::npos);
  BOOST_TEST((error_of([] { Segment::bytes_needed({.durable_readers = 65}); }) == Errc::invalid_argument));
  BOOST_TEST(
      Stream::open(segment).differences({.slabs = 4, .slab_bytes = 4096, .extent_bytes = 1024, .durable_readers = 3}) ==
          std::vector<std::string>{"durable_readers 0, not 3"},
      boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(onlookers_are_told_who_is_away_and_how_far_behind) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(Order::per_writer, OnFull::block));
  Writer writer{segment, {.timeout = kPatience}};
  put_numbers(writer, 0, 30);
  {
    Reader reader{segment, durable("audit", {.max_bytes = 8192, .max_away = 1h})};
    numbers(reader, 10);
    const DurableReaderInfo here = sole_durable_reader(segment);
    BOOST_TEST(here.name == "audit");
    BOOST_TEST((here.slot == std::optional{reader.slot()}));
    BOOST_TEST(!here.away_ms.has_value());
    BOOST_TEST(here.behind_messages == 20U);
    BOOST_TEST((here.limits.max_bytes == 8192 && here.limits.max_away == 1h));
  }
  const DurableReaderInfo away = sole_durable_reader(segment);
  BOOST_TEST(!away.slot.has_value());
  BOOST_TEST(away.away_ms.has_value());
  BOOST_TEST(away.behind_messages == 20U);
  BOOST_TEST(away.behind_bytes == 20U * 40);
  BOOST_TEST(away.kept_bytes == 4096U);
}

// Somebody has the stream's lock, and goes on with what he does in a while.
class HeldUp {
 public:
  explicit HeldUp(const TestName& name)
      : flipper_{[&name](Link& link) {
          Writer writer{Segment::open(name)};
          kill_point::arm(KillPoint::flip_prepared, stop_self);
          put_numbers(writer, 0, 100);
          link.hear();
        }} {
    if (!flipper_.wait_until_stopped()) throw std::runtime_error("it does not flip");
  }
  void end_soon() {
    ending_ = std::jthread{[this] {
      std::this_thread::sleep_for(100ms);
      flipper_.resume();
    }};
  }

 private:
  Child flipper_;
  std::jthread ending_;
};

enum class Leaves { killed, closed };
std::ostream& operator<<(std::ostream& out, Leaves leaves) {
  return out << (leaves == Leaves::killed ? "killed" : "closed");
}

// A reader that attaches, and then is killed or closed when `leave()` says so.
class Leaver {
 public:
  Leaver(const TestName& name, Leaves leaves, const ReaderOptions& options)
      : leaves_(leaves), child_{[&](Link& link) {
          Reader reader{Segment::open(name), options};
          link.say(1);
          link.hear();
          reader.close();
          link.say(1);
          link.hear();
        }} {
    child_.hear();
  }
  void leave() {
    if (leaves_ == Leaves::killed) return child_.kill();
    child_.say(1);
    child_.hear();
  }

 private:
  const Leaves leaves_;
  Child child_;
};

const auto kWaysToLeave = data::make(kOrders) * data::make({Leaves::killed, Leaves::closed});

BOOST_DATA_TEST_CASE(one_that_recovery_could_not_settle_at_once_keeps_its_name_from_nobody, kWaysToLeave, order,
                     leaves) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, OnFull::block));
  Leaver before{name, leaves, durable()};
  HeldUp held_up{name};
  before.leave();
  held_up.end_soon();
  BOOST_TEST(message_of([&] { Reader{segment, durable()}.close(); }) == "");
}

BOOST_DATA_TEST_CASE(one_that_recovery_could_not_settle_at_once_can_be_removed, kWaysToLeave, order, leaves) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, OnFull::block));
  Leaver before{name, leaves, durable()};
  HeldUp held_up{name};
  before.leave();
  held_up.end_soon();
  BOOST_TEST(message_of([&] { BOOST_TEST(Stream::open(segment).remove_durable_reader("audit")); }) == "");
}

BOOST_DATA_TEST_CASE(one_that_recovery_could_not_settle_at_once_keeps_its_slot_from_nobody, kWaysToLeave, order,
                     leaves) {
  const TestName name;
  SegmentOptions options = options_with(order, OnFull::block);
  options.participants = 2;
  const Segment segment = Segment::create(name, options);
  Leaver before{name, leaves, {}};
  HeldUp held_up{name};
  before.leave();
  held_up.end_soon();
  BOOST_TEST(message_of([&] { Reader{segment}.close(); }) == "");
}

// Wherever a durable reader, or who settles it, is killed: the next one of its name gets all that no finished range gave.
BOOST_DATA_TEST_CASE(
    a_kill_at_any_step_leaves_a_place_to_go_on_from,
    kEveryStream* data::make({KillPoint::durable_taken, KillPoint::durable_owned, KillPoint::attach_filled,
                              KillPoint::attach_attached, KillPoint::durable_cleared, KillPoint::durable_stored,
                              KillPoint::detach_leaving, KillPoint::recover_departed, KillPoint::durable_held,
                              KillPoint::durable_left, KillPoint::recover_finished}),
    order, on_full, where) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, on_full));
  Writer writer{segment, {.timeout = kPatience}};
  std::uint32_t written = 0;
  const auto write = [&](std::uint32_t count) {
    put_numbers(writer, written, written + count);
    written += count;
  };
  std::uint32_t finished = 0;  // messages before it came in ranges that were finished
  for (unsigned nth = 1; nth <= 3; ++nth) {
    write(30);
    Child victim{[&](Link& link) {
      kill_point::arm(where, kill_self, nth);
      Reader reader{Segment::open(name), durable()};
      for (int range = 0; range < 3; ++range) {
        const auto some = numbers(reader, 7);
        link.say(some.empty() ? 0 : some.back() + 1);
      }
      reader.close();
      link.say(~std::uint64_t{0});
    }};
    try {
      for (;;) {
        const std::uint64_t said = victim.hear();
        if (said == ~std::uint64_t{0}) break;
        finished = std::max(finished, static_cast<std::uint32_t>(said));
      }
    } catch (const std::exception&) {
      // It is gone.
    }
    victim.kill();
    // Who settles it may be killed at the same step.
    Child mender{[&](Link&) {
      kill_point::arm(where, kill_self);
      recover(Segment::open(name));
    }};
    mender.wait();
    recover(segment);
    BOOST_TEST(broken_invariant(segment) == "");
    Reader reader{segment, durable()};
    const auto rest = numbers(reader);
    BOOST_TEST_REQUIRE(!rest.empty());
    BOOST_TEST(rest.front() >= finished);
    BOOST_TEST(rest.front() <= finished + 7);  // a range that was finished, and not told of yet
    BOOST_TEST_SAME(rest, from_to(rest.front(), written));
    BOOST_TEST(reader.lost() == 0U);
    finished = written;
  }
}

// Readers of one name, one after the other, end at random moments, by themselves or by SIGKILL, while another process writes.
BOOST_DATA_TEST_CASE(readers_that_die_at_random_leave_no_gap, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, OnFull::block));
  const std::uint32_t count = kSlow ? 5'000 : 30'000;
  Reader{segment, durable()}.close();  // from here on everything is kept for it
  Child writing{[&](Link&) {
    Writer writer{Segment::open(name), {.timeout = kPatience}};
    put_numbers(writer, 0, count);
  }};
  Dice dice{base_seed()};
  std::uint32_t finished = 0;
  int lives = 0;
  while (finished < count) {
    BOOST_TEST_REQUIRE(++lives < 100'000);
    const std::uint64_t seed = dice.word();
    const bool dies = !dice.one_in(3);
    Child reading{[&](Link& link) {
      Dice own{seed};
      Reader reader{Segment::open(name), durable()};
      for (std::uint64_t range = own.below(40) + 1; range > 0; --range) {
        if (!reader.wait_for(100ms)) break;
        Log log;
        const std::size_t most = own.below(300) + 1;
        log.read(reader, most);
        link.say(log.tags().front().number);
        link.say(log.tags().back().number);
      }
      link.say(~std::uint64_t{0});
      if (dies) kill_self();
    }};
    for (std::uint64_t first; (first = reading.hear()) != ~std::uint64_t{0};) {
      BOOST_TEST_REQUIRE(first == finished);
      finished = static_cast<std::uint32_t>(reading.hear()) + 1;
    }
    BOOST_TEST(reading.wait() == (dies ? -SIGKILL : 0));
  }
  BOOST_TEST(writing.wait() == 0);
  recover(segment);
  BOOST_TEST(broken_invariant(segment) == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
