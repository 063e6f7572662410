// Full: what writers do when no slab can be had, and what readers of an overwriting stream are told.
#include <signal.h>

#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <thread>

#include <sapbuf/detail/kill_point.hpp>

#include "segment/maintenance_lock.hpp"
#include "stream/reclaim.hpp"
#include "stream/stream_core.hpp"
#include "support/child.hpp"
#include "support/main_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

using Clock = std::chrono::steady_clock;

struct Stream {
  Stream(Order order, OnFull on_full, std::uint32_t slabs = 2)
      : segment{{.slabs = slabs, .slab_bytes = 4096, .order = order, .on_full = on_full}} {}

  // Writes until the stream is full; returns how many were accepted, and what the first refusal was.
  std::uint32_t fill_up(Writer& writer, Status& refusal) {
    const std::uint32_t accepted = put_until_refused(writer, {1, next}, 10000, 100, &refusal);
    next += accepted;
    return accepted;
  }

  HeapSegment segment;
  std::uint32_t next = 0;
};

BOOST_AUTO_TEST_SUITE(full)

BOOST_DATA_TEST_CASE(a_blocked_writer_gives_up_when_its_time_is_over, data::make(kOrders), order) {
  Stream stream{order, OnFull::block};
  Reader slow{stream.segment};
  Writer writer{stream.segment, {.timeout = 40ms}};
  const auto before_refusal = [&] {
    Status refusal = Status::ok;
    const std::uint32_t accepted = stream.fill_up(writer, refusal);
    BOOST_TEST(refusal == Status::timeout);
    return accepted;
  };
  BOOST_TEST(before_refusal() > 40U);
  const auto begin = Clock::now();
  BOOST_TEST(put(writer, {1, stream.next}, 100) == Status::timeout);
  BOOST_TEST((Clock::now() - begin >= 40ms));
  const Ledger ledger = ledger_of(stream.segment, writer.slot());
  BOOST_TEST(ledger.dropped == 2U);
  BOOST_TEST(ledger.committed == stream.next);
}

BOOST_DATA_TEST_CASE(a_writer_without_patience_does_not_wait_at_all, data::make(kOrders), order) {
  Stream stream{order, OnFull::block};
  Reader slow{stream.segment};
  Writer writer{stream.segment, {.timeout = 0ms}};
  Status refusal = Status::ok;
  BOOST_TEST(stream.fill_up(writer, refusal) > 40U);
  BOOST_TEST(refusal == Status::timeout);
}

BOOST_DATA_TEST_CASE(a_blocked_writer_goes_on_when_the_reader_lets_go, data::make(kOrders), order) {
  Stream stream{order, OnFull::block};
  Reader slow{stream.segment};
  Status refusal = Status::ok;
  {
    Writer first{stream.segment, {.timeout = 0ms}};
    stream.fill_up(first, refusal);
  }
  std::atomic<bool> done{false};
  std::thread blocked{[&] {
    Writer writer{stream.segment};
    must_put(writer, {2, 0}, 2000);
    done = true;
  }};
  // It has announced its sleep, so it has looked and found nothing.
  BOOST_TEST(eventually([&] { return main_stream(stream.segment).control().space.is_awaited(); }));
  BOOST_TEST(!done.load());
  Log log;
  BOOST_TEST(log.read_until(slow, stream.next + 1));
  BOOST_TEST(eventually([&] { return done.load(); }));
  blocked.join();
  BOOST_TEST(log.in_order());
}

BOOST_DATA_TEST_CASE(a_blocked_writer_goes_on_when_the_reader_leaves, data::make(kOrders), order) {
  Stream stream{order, OnFull::block};
  Reader slow{stream.segment};
  Status refusal = Status::ok;
  Writer writer{stream.segment, {.timeout = 10ms}};
  stream.fill_up(writer, refusal);
  BOOST_TEST(refusal == Status::timeout);
  slow.close();
  BOOST_TEST(put(writer, {2, 0}, 100) == Status::ok);
}

BOOST_DATA_TEST_CASE(a_dropping_writer_drops_the_newest_and_counts_it, data::make(kOrders), order) {
  Stream stream{order, OnFull::drop};
  Reader slow{stream.segment};
  Writer writer{stream.segment};
  Status refusal = Status::ok;
  const std::uint32_t accepted = stream.fill_up(writer, refusal);
  BOOST_TEST(refusal == Status::full);
  for (int i = 0; i < 9; ++i) BOOST_TEST(put(writer, {1, ~0U}, 100) == Status::full);
  BOOST_TEST(ledger_of(stream.segment, writer.slot()).dropped == 10U);
  BOOST_TEST(ledger_of(stream.segment, writer.slot()).committed == accepted);
  Log log;
  while (log.read(slow) != 0) {
  }
  BOOST_TEST(log.is_complete(1, accepted));
  BOOST_TEST(put(writer, {1, accepted}, 100) == Status::ok);
  log.read(slow);
  BOOST_TEST(log.is_complete(1, accepted + 1));
}

// The cursor has bits for one claim of each participant behind the slab's end: writers that are refused again and again
// must not push it on, whatever each of them saw when there was room.
BOOST_AUTO_TEST_CASE(writers_that_are_refused_leave_the_cursor_alone) {
  Stream stream{Order::total, OnFull::drop};
  Reader slow{stream.segment};
  Writer early{stream.segment};
  Writer late{stream.segment};
  BOOST_TEST(put(early, {1, 0}, 100) == Status::ok);
  Status refusal = Status::ok;
  stream.fill_up(late, refusal);
  for (int i = 0; i < 1000; ++i) {
    BOOST_TEST(put(early, {1, 1}, 100) == Status::full);
    BOOST_TEST(put(late, {2, 1}, 100) == Status::full);
  }
  const layout::Cursor cursor{main_stream(stream.segment).control().cursor.load()};
  BOOST_TEST(cursor.offset_bytes() < stream.segment.options().slab_bytes + 2 * 200);
}

// What does not fit the rest of the slab is dropped; what fits still goes in.
BOOST_DATA_TEST_CASE(a_small_message_may_fit_where_a_large_one_was_dropped, data::make(kOrders), order) {
  Stream stream{order, OnFull::drop};
  Reader slow{stream.segment};
  Writer writer{stream.segment};
  std::uint32_t committed = 0;
  for (const std::size_t size : {3000U, 1000U, 200U, 50U, 8U}) {
    for (int i = 0; i < 100; ++i) {
      if (put(writer, {1, committed}, size) == Status::ok) ++committed;
    }
  }
  Log log;
  while (log.read(slow) != 0) {
  }
  BOOST_TEST(log.is_complete(1, committed));
}

BOOST_DATA_TEST_CASE(an_overwriting_writer_never_waits_and_the_reader_learns_what_it_lost,
                     data::make(kOrders) * data::make({2U, 3U, 8U}), order, slabs) {
  Stream stream{order, OnFull::overwrite, slabs};
  Reader reader{stream.segment};
  Writer writer{stream.segment};
  std::uint32_t written = 0;
  std::uint64_t missing = 0;
  std::uint32_t expected = 0;
  for (int round = 0; round < 20; ++round) {
    const std::uint32_t burst = static_cast<std::uint32_t>(round) * 37;
    for (std::uint32_t i = 0; i < burst; ++i) BOOST_TEST_REQUIRE(put(writer, {1, written++}, 100) == Status::ok);
    Log log;
    while (log.read(reader) != 0) {
    }
    for (const Tag& tag : log.tags()) {
      BOOST_TEST_REQUIRE(tag.number >= expected);
      missing += tag.number - expected;
      expected = tag.number + 1;
    }
    BOOST_TEST(log.torn() == 0U);
    BOOST_TEST(expected == written);
    BOOST_TEST(reader.lost() == missing);
    BOOST_TEST(reader.delivered() + reader.lost() == written);
  }
  BOOST_TEST(missing != 0U);
}

BOOST_DATA_TEST_CASE(a_reader_of_an_overwriting_stream_that_keeps_up_loses_nothing, data::make(kOrders), order) {
  Stream stream{order, OnFull::overwrite};
  Reader reader{stream.segment};
  Writer writer{stream.segment};
  Log log;
  for (std::uint32_t number = 0; number < 3000; ++number) {
    BOOST_TEST_REQUIRE(put(writer, {1, number}, 100) == Status::ok);
    log.read(reader);
  }
  BOOST_TEST(log.is_complete(1, 3000));
  BOOST_TEST(reader.lost() == 0U);
}

BOOST_DATA_TEST_CASE(what_was_overwritten_before_a_reader_came_is_not_its_loss, data::make(kOrders), order) {
  Stream stream{order, OnFull::overwrite};
  Writer writer{stream.segment};
  for (std::uint32_t number = 0; number < 1000; ++number) must_put(writer, {1, number}, 100);
  Reader oldest{stream.segment, {.from = From::oldest}};
  Reader newest{stream.segment, {.from = From::newest}};
  must_put(writer, {1, 1000}, 100);
  Log from_oldest;
  Log from_newest;
  from_oldest.read(oldest);
  from_newest.read(newest);
  BOOST_TEST_REQUIRE(from_oldest.size() > 1U);
  BOOST_TEST(from_oldest.size() == 1001U - from_oldest.tags().front().number);
  BOOST_TEST(from_newest.size() == 1U);
  BOOST_TEST(oldest.lost() == 0U);
  BOOST_TEST(newest.lost() == 0U);
  for (std::uint32_t number = 0; number < 1000; ++number) must_put(writer, {1, 1001 + number}, 100);
  while (from_oldest.read(oldest) != 0) {
  }
  while (from_newest.read(newest) != 0) {
  }
  BOOST_TEST(from_newest.size() + newest.lost() == 1001U);
  BOOST_TEST(from_oldest.size() + oldest.lost() == 2001U - from_oldest.tags().front().number);
}

// It had announced that it would take the oldest slab, and had not decided yet. Nobody else writes.
BOOST_DATA_TEST_CASE(a_reader_gets_all_that_stands_when_a_writer_dies_while_it_reclaims, data::make(kOrders), order) {
  const TestName name;
  const Segment segment =
      Segment::create(name, {.slabs = 3, .slab_bytes = 4096, .order = order, .on_full = OnFull::overwrite});
  Reader reader{segment};
  Child victim{[&](Link&) {
    kill_point::arm(KillPoint::reclaim_announced, kill_self);
    Writer writer{Segment::open(name)};
    put_all(writer, 1, 1000, 200);
  }};
  BOOST_TEST(victim.wait() == -SIGKILL);
  recover(segment);
  const std::uint64_t committed = inspect(segment).departed.committed;
  BOOST_TEST(committed != 0U);
  Log log;
  while (reader.wait_for(200ms)) log.read(reader);
  BOOST_TEST(log.size() + reader.lost() == committed);
  BOOST_TEST(log.in_order());
}

// A random play of writers that come and go and readers that read some, pin, skip, wait and leave, in one thread. At
// the end each reader has got, skipped or lost each message that was committed since it came.
BOOST_DATA_TEST_CASE(received_skipped_and_lost_is_what_was_committed,
                     data::make(kOrders) * data::make({2U, 3U, 5U}) * data::xrange(kSlow ? 2 : 12), order, slabs,
                     round) {
  const std::uint64_t seed = base_seed() + static_cast<std::uint64_t>(round);
  BOOST_TEST_CONTEXT("seed " << seed) {
    Dice dice{seed};
    Stream stream{order, OnFull::overwrite, slabs};
    constexpr std::uint32_t kWriters = 3;
    constexpr std::size_t kReaders = 3;
    std::vector<Writer> writers;
    for (std::uint32_t i = 0; i < kWriters; ++i) writers.emplace_back(stream.segment);
    struct Audience {
      std::optional<Reader> reader;
      std::optional<PinnedRange> held;  // a range that is walked a bit, and stays
      Log log;
      std::uint64_t before = 0;  // committed when it came
    };
    std::vector<Audience> audience(kReaders);
    std::uint64_t committed = 0;
    std::uint64_t attempts = 0;
    std::uint64_t refused = 0;
    std::uint32_t numbers[kWriters] = {};

    const auto check_out = [&](Audience& one) {
      one.held.reset();
      while (one.reader->wait_for(1ms)) {
        one.log.read(*one.reader);
      }
      BOOST_TEST(one.log.size() + one.reader->lost() + one.reader->skipped() == committed - one.before);
      BOOST_TEST(one.reader->delivered() == one.log.size());
      BOOST_TEST(one.log.in_order());
      BOOST_TEST(one.log.torn() == 0U);
      one.reader.reset();
    };
    for (int step = 0; step < 4000; ++step) {
      Audience& one = audience[dice.below(kReaders)];
      if (!one.reader) {
        one.log = Log{};
        one.before = committed;
        one.reader.emplace(stream.segment,
                           ReaderOptions{.from = From::newest, .keep = dice.one_in(2) ? Keep::frame : Keep::range});
      } else if (dice.one_in(4) && !one.held) {
        one.log.read(*one.reader, dice.below(20));
      } else if (dice.one_in(20) && !one.held) {
        one.held.emplace(one.reader->pin());
      } else if (dice.one_in(20) && !one.held) {
        one.reader->skip_to_newest();
      } else if (dice.one_in(10)) {
        one.held.reset();
      } else if (dice.one_in(300)) {
        check_out(one);
      } else {
        const auto id = static_cast<std::uint32_t>(dice.below(kWriters));
        Writer& writer = writers[id];
        if (dice.one_in(200)) writer = Writer{stream.segment};
        const std::uint64_t burst = dice.below(12);
        for (std::uint64_t i = 0; i < burst; ++i) {
          ++attempts;
          if (put(writer, {id, numbers[id]}, 8 + dice.below(dice.one_in(10) ? 2000 : 200)) != Status::ok) {
            ++refused;
            break;
          }
          ++numbers[id];
          ++committed;
        }
      }
    }
    for (Audience& one : audience) {
      if (one.reader) check_out(one);
    }
    writers.clear();
    const Snapshot now = inspect(stream.segment);
    BOOST_TEST(now.departed.committed == committed);
    BOOST_TEST(now.departed.dropped == refused);
    BOOST_TEST(now.departed.committed + now.departed.dropped == attempts);
  }
}

// Attaching, reserving and detaching are allowed at any time: they must not move the cursor of a slab that is full.
BOOST_DATA_TEST_CASE(writers_that_come_to_a_full_stream_leave_the_cursor_alone, data::make(kOrders), order) {
  Stream stream{order, OnFull::block};
  Reader slow{stream.segment};
  {
    Writer writer{stream.segment, {.timeout = 0ms}};
    Status refusal = Status::ok;
    stream.fill_up(writer, refusal);
    BOOST_TEST(refusal == Status::timeout);
  }
  const auto cursor = [&] { return main_stream(stream.segment).control().cursor.load(); };
  const std::uint64_t before = cursor();
  for (int i = 0; i < 100; ++i) {
    Writer fresh{stream.segment, {.timeout = 0ms}};
    BOOST_TEST(fresh.reserve(100).status() == Status::timeout);
  }
  BOOST_TEST(cursor() == before);
}

// Where somebody else is flipping, there will be room in a moment.
BOOST_DATA_TEST_CASE(not_yet_is_no_refusal, data::make(kOrders) * data::make({OnFull::block, OnFull::drop}), order,
                     on_full) {
  Status status = Status::ok;
  for (int round = 0; round < 20; ++round) {  // it waits 10 ms for the flipper, which a busy machine may not give it
    Stream stream{order, on_full, 4};
    Writer flipper{stream.segment};
    Writer other{stream.segment, {.timeout = 0ms}};
    std::atomic<bool> ended{false};
    std::thread meanwhile;
    const layout::Event& space = main_stream(stream.segment).control().space;
    kill_point::arm(KillPoint::flip_prepared, [&] {  // in the middle of the flip, the lock in hand
      meanwhile = std::thread{[&] {
        status = other.write(std::string(2000, 'x'));
        ended = true;
      }};
      eventually([&] { return space.is_awaited() || ended; });
    });
    while (!meanwhile.joinable()) BOOST_REQUIRE(flipper.write(std::string(1000, 'x')) == Status::ok);
    meanwhile.join();
    if (status == Status::ok) break;
  }
  BOOST_TEST(status == Status::ok);
}

// Each time that it is used.
BOOST_AUTO_TEST_CASE(a_large_slab_is_cleaned_in_steps) {
  constexpr std::uint64_t kSlabBytes = 4 * detail::kCleanAtOnce;
  const HeapSegment segment{{.slab_bytes = kSlabBytes, .order = Order::total}};
  Writer writer{segment};
  const std::string message(65536 - 8, 'x');
  detail::StreamCore& core = main_stream(segment);
  for (const std::uint64_t generation : {2U, 4U}) {
    while (generation_of(segment) < generation) BOOST_REQUIRE(writer.write(message) == Status::ok);
    int steps = 0;
    for (bool more = true; more; ++steps) {
      more = false;
      const detail::MaintenanceLock lock{core};
      BOOST_REQUIRE(!!lock);
      const auto slab = detail::take_free_slab(core, detail::load_active(core), more);
      BOOST_TEST(slab.has_value() == !more);
      BOOST_TEST(slab.value_or(0) == 0U);
    }
    BOOST_TEST(steps == 4);
    const std::byte* const first = core.slab_for_reading(0);
    BOOST_TEST(std::all_of(first, first + kSlabBytes, [](std::byte byte) { return byte == std::byte{0}; }));
  }
}

// Nor is a slab that takes several steps: who may not wait makes them all.
BOOST_DATA_TEST_CASE(cleaning_is_no_refusal, data::make({OnFull::block, OnFull::drop}), on_full) {
  const HeapSegment segment{{.slab_bytes = 4 * detail::kCleanAtOnce, .order = Order::total, .on_full = on_full}};
  Reader reader{segment};
  Writer writer{segment, {.timeout = 0ms}};
  const std::string message(65536 - 8, 'x');
  while (writer.write(message) == Status::ok) {
  }
  while (reader.wait_for(0ms)) {
    for ([[maybe_unused]] const Frame& frame : reader.pin()) {
    }
  }
  BOOST_TEST(inspect(segment).slabs[0].state == "sealed");
  BOOST_TEST(writer.write(message) == Status::ok);
  BOOST_TEST(generation_of(segment) == 3U);
}

BOOST_AUTO_TEST_CASE(the_next_slab_of_a_large_stream_is_clean_before_it_is_needed) {
  const HeapSegment segment{{.slab_bytes = 4 * detail::kCleanAtOnce, .order = Order::total}};
  Writer writer{segment};
  const std::string message(65536 - 8, 'x');
  for (int i = 0; i < 2 * 64; ++i) {
    BOOST_REQUIRE(writer.write(message) == Status::ok);
    // What stands in the other slab is there for late readers, until it is nearly needed.
    if (i == 64 + 40) BOOST_TEST(inspect(segment).slabs[0].state == "sealed");
  }
  BOOST_TEST(generation_of(segment) == 2U);
  BOOST_TEST(inspect(segment).slabs[0].state == "free");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
