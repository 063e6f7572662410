// Flips: the stream goes on from slab to slab, over many generations, whatever the slabs' number and size.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "support/child.hpp"
#include "support/every_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

BOOST_AUTO_TEST_SUITE(flip)

BOOST_DATA_TEST_CASE(a_reader_that_keeps_up_gets_all_of_many_generations,
                     data::make(kOrders) * data::make({2U, 3U, 64U}) * data::make({4096U, 65536U, 1U << 20}), order,
                     slabs, slab_bytes) {
  const HeapSegment segment{{.slabs = slabs, .slab_bytes = slab_bytes, .order = order}};
  Reader reader{segment};
  Writer writer{segment, {.timeout = kPatience}};
  const std::size_t largest = segment.max_message_bytes() / 2;
  const std::uint64_t generations = 3 * slabs + 2;
  Log log;
  std::uint32_t number = 0;
  while (generation_of(segment) < generations) {
    const Tag tag{1, number++};
    BOOST_TEST_REQUIRE(put(writer, tag, size_of(tag, largest)) == Status::ok);
    if (number % 2 == 0) log.read(reader);
  }
  log.read(reader);
  BOOST_TEST(log.is_complete(1, number));
}

BOOST_DATA_TEST_CASE(a_stream_without_readers_flips_for_ever, kEveryStream, order, on_full) {
  const HeapSegment segment{{.slab_bytes = 4096, .order = order, .on_full = on_full}};
  Writer writer{segment, {.timeout = kPatience}};
  for (std::uint32_t number = 0; number < 2000; ++number) {
    BOOST_TEST_REQUIRE(put(writer, {1, number}, 100) == Status::ok);
  }
  BOOST_TEST(generation_of(segment) > 40U);
  BOOST_TEST(ledger_of(segment, writer.slot()).dropped == 0U);
}

// The cursor knows a generation by 18 bits of its number only.
BOOST_DATA_TEST_CASE(a_stream_outlives_the_cursors_generation_tag, data::make(kOrders), order) {
  const HeapSegment segment{{.slab_bytes = 4096,
                             .order = order,
                             .extent_bytes = order == Order::per_writer ? 4096u : 0u,
                             .fences = Fences::full}};
  Reader reader{segment};
  Writer idle{segment, {.name = "idle"}};
  BOOST_TEST_REQUIRE(put(idle, {2, 0}) == Status::ok);
  Writer writer{segment, {.timeout = kPatience}};
  const std::size_t largest = segment.max_message_bytes();
  const std::uint32_t count = kSlow ? 3000 : (1U << 18) + 1000;
  std::uint32_t received = 0;
  for (std::uint32_t number = 0; number < count; ++number) {
    Reservation open = writer.reserve(largest);
    if (!open) BOOST_TEST_REQUIRE(open.status() == Status::ok);
    std::memcpy(open.bytes().data(), &number, sizeof number);
    open.commit();
    for (const Frame& frame : reader.pin()) {
      std::uint32_t seen = 0;
      std::memcpy(&seen, frame.bytes().data(), sizeof seen);
      if (frame.bytes().size() != largest) continue;
      if (seen != received) BOOST_TEST_REQUIRE(seen == received);
      ++received;
    }
  }
  BOOST_TEST(received == count);
  BOOST_TEST(generation_of(segment) > count - 2);
  BOOST_TEST(put(idle, {2, 1}) == Status::ok);
  BOOST_TEST(texts(reader).size() == 1U);
}

BOOST_DATA_TEST_CASE(a_new_writer_goes_on_where_the_last_one_left, data::make(kOrders), order) {
  const HeapSegment segment{{.slab_bytes = 4096, .order = order}};
  Reader reader{segment};
  Log log;
  for (std::uint32_t id = 0; id < 300; ++id) {
    Writer writer{segment, {.timeout = kPatience}};
    put_all(writer, id, 2, 300);
    log.read(reader);
  }
  BOOST_TEST(log.is_complete(300, 2));
  BOOST_TEST(inspect(segment).departed_participants == 300U);
  BOOST_TEST(inspect(segment).departed.committed == 600U);
}

// An idle writer keeps an extent open; it is sealed for it, and the others go on.
BOOST_DATA_TEST_CASE(an_idle_writer_stops_neither_writers_nor_readers, kEveryStream* kEveryFence, order, on_full,
                     fences) {
  const HeapSegment segment{{.slab_bytes = 4096, .order = order, .on_full = on_full, .fences = fences}};
  Reader reader{segment};
  Writer idle{segment, {.name = "idle"}};
  Writer busy{segment, {.name = "busy", .timeout = kPatience}};
  Log log;
  for (std::uint32_t round = 0; round < 10; ++round) {
    BOOST_TEST_REQUIRE(put(idle, {1, round}) == Status::ok);
    for (std::uint32_t i = 0; i < 100; ++i) {
      BOOST_TEST_REQUIRE(put(busy, {2, round * 100 + i}, 120) == Status::ok);
      log.read(reader);
    }
  }
  BOOST_TEST(log.size() == 1010U);
  BOOST_TEST(log.in_order());
  BOOST_TEST(log.torn() == 0U);
}

// The same where the idle writer is another process that does not run at all.
BOOST_DATA_TEST_CASE(a_stopped_writer_that_is_between_messages_stops_nobody, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096, .order = order});
  Reader reader{segment};
  Child stopped{[&](Link& link) {
    Writer writer{Segment::open(name)};
    must_put(writer, {1, 0});
    link.say(1);
    link.hear();
    if (put(writer, {1, 1}) != Status::ok) throw std::runtime_error("not accepted after the stop");
  }};
  stopped.hear();
  stopped.stop();
  Writer writer{segment, {.timeout = kPatience}};
  Log log;
  for (std::uint32_t number = 0; number < 500; ++number) {
    BOOST_TEST_REQUIRE(put(writer, {2, number}, 120) == Status::ok);
    log.read(reader);
  }
  stopped.resume();
  stopped.say(1);
  BOOST_TEST(log.read_until(reader, 502));
  BOOST_TEST(log.in_order());
  BOOST_TEST(stopped.wait() == 0);
}

// A writer in the middle of a reservation keeps its place; the readers and the other writers wait for it and lose
// nothing.
BOOST_DATA_TEST_CASE(an_open_reservation_is_waited_for, data::make(kOrders), order) {
  const HeapSegment segment{{.slab_bytes = 4096, .order = order}};
  Reader reader{segment};
  Writer slow{segment, {.name = "slow"}};
  Reservation open = slow.reserve(16);
  BOOST_TEST_REQUIRE(open.status() == Status::ok);
  fill(open.bytes(), {1, 0});
  Writer writer{segment, {.timeout = 20ms}};
  Log log;
  std::uint32_t accepted = 0;
  while (put(writer, {2, accepted}, 120) == Status::ok) {
    BOOST_TEST_REQUIRE(++accepted < 1000U);  // two slabs hold less than that
    log.read(reader);
  }
  open.commit();
  // The next attempt closes the extent that was in the way; then the reader can leave the slab.
  const bool goes_on = eventually([&] {
    log.read(reader);
    return put(writer, {2, accepted}, 120) == Status::ok;
  });
  BOOST_TEST(goes_on);
  log.read(reader);
  BOOST_TEST(log.size() == accepted + 2U);
  BOOST_TEST(log.in_order());
  BOOST_TEST(log.torn() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
