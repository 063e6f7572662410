// Writers, readers and those who look for buffers are killed, at every step: nothing that can be read loses its buffers,
// and what nobody can read any more comes back.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <csignal>

#include <sapbuf/detail/kill_point.hpp>

#include "support/attached.hpp"
#include "support/every_stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kCount = 16;
constexpr std::uint32_t kAttachments = 6;  // of a slab: so there are flips

// Does all that a writer can do with attached buffers.
void write_all(const Segment& segment) {
  PoolUser user{Pool::open(segment, "frames")};
  PoolUser other{Pool::open(segment, "frames")};
  Writer writer{segment, {.timeout = 0ms}};
  for (std::uint64_t number = 0; number < 16; number += 4) {
    static_cast<void>(put(writer, user, number));
    Buffer shared = filled(user, number + 1);
    Buffer adopted = other.adopt(shared.share());
    for (Buffer* const each : {&shared, &adopted}) {
      Reservation slot = writer.reserve(sizeof number);
      if (!slot || !*each) continue;
      std::memcpy(slot.bytes().data(), each->bytes().data(), sizeof number);
      if (slot.attach(std::move(*each))) slot.commit();
    }
    Batch batch = writer.reserve_batch_of(2, sizeof number);
    for (std::uint64_t message = 0; message < 2 && batch; ++message) {
      const std::uint64_t own = number + 2 + message;
      std::memcpy(batch.append(sizeof own).data(), &own, sizeof own);
      if (Buffer buffer = filled(user, own); buffer && batch.attach(std::move(buffer))) continue;
      batch.abort();
      break;
    }
    if (number % 8 == 0) batch.commit();
  }
}

// Adopts all that it finds, and keeps some of it for a while.
void read_all(const Segment& segment) {
  PoolUser user{Pool::open(segment, "frames")};
  Reader reader{segment};
  std::vector<Buffer> kept;
  while (reader.wait_for(0ms)) {
    for (const Frame& frame : reader.pin()) {
      for (const BufferReference& reference : frame.attachments()) {
        if (Buffer adopted = user.adopt(reference); adopted && kept.size() < 3) kept.push_back(std::move(adopted));
      }
    }
  }
}

// Looks for buffers until there are none: scans, sheds, flips and reclaims.
void take_all(const Segment& segment) {
  PoolUser user{Pool::open(segment, "frames")};
  std::vector<Buffer> all;
  while (Buffer buffer = user.acquire()) all.push_back(std::move(buffer));
}

// Everything that can be read has its buffers, whole; and when it was read and given up, nobody has any.
void check(const AttachFixture& fixture) {
  recover(fixture.segment);
  {
    PoolUser user{fixture.pool};
    Reader reader{fixture.segment};
    while (reader.wait_for(0ms)) numbers(reader, user);
  }
  BOOST_TEST(count_acquirable(fixture.pool) == kCount);
  BOOST_TEST(inspect(fixture.segment).participants.empty());
}

using Act = void (*)(const Segment&);

// `act` is killed at each of its steps, in turn, in a segment that `before` has been through.
void kill_everywhere(Order order, OnFull on_full, Act before, Act act) {
  for (unsigned nth = 1;; ++nth) {
    const AttachFixture fixture{order, on_full, kCount, kAttachments};
    if (before != nullptr) before(fixture.segment);
    Child victim{[&](Link&) {
      const Segment own = Segment::open(fixture.name);
      kill_point::arm(KillPoint::any, kill_self, nth);
      act(own);
    }};
    const bool died = victim.wait() == -SIGKILL;
    BOOST_TEST_CONTEXT("kill point passage " << nth) { check(fixture); }
    if (!died) {
      BOOST_TEST(nth > 10U);
      return;
    }
  }
}

BOOST_AUTO_TEST_SUITE(attach_crash)

BOOST_DATA_TEST_CASE(a_writer_may_be_killed_anywhere, kEveryStream, order, on_full) {
  kill_everywhere(order, on_full, nullptr, &write_all);
}

BOOST_DATA_TEST_CASE(a_reader_may_be_killed_anywhere, kEveryStream, order, on_full) {
  kill_everywhere(order, on_full, &write_all, &read_all);
}

BOOST_DATA_TEST_CASE(whoever_looks_for_buffers_may_be_killed_anywhere, kEveryStream, order, on_full) {
  kill_everywhere(order, on_full, &write_all, &take_all);
}

// A writer that is stopped in the middle of attaching keeps its slab, and what it has begun comes to its end, whatever
// others do meanwhile.
BOOST_DATA_TEST_CASE(
    a_writer_may_be_stopped_while_it_attaches,
    kEveryStream* boost::unit_test::data::make({KillPoint::attached_claimed, KillPoint::pool_rooted_elsewhere,
                                                KillPoint::pool_handed_over, KillPoint::attached_linked}),
    order, on_full, point) {
  const AttachFixture fixture{order, on_full, kCount, kAttachments};
  Child victim{[&](Link& link) {
    const Segment own = Segment::open(fixture.name);
    PoolUser user{Pool::open(own, "frames")};
    Writer writer{own};
    kill_point::arm(point, stop_self);
    link.say(put(writer, user, 77) == Status::ok ? 1 : 0);
    link.hear();
  }};
  BOOST_TEST(victim.wait_until_stopped());
  for (int round = 0; round < 3; ++round) {
    write_all(fixture.segment);
    take_all(fixture.segment);
  }
  Reader reader{fixture.segment};
  victim.resume();
  BOOST_TEST(victim.hear() == 1U);
  PoolUser user{fixture.pool};
  std::vector<std::uint64_t> all;
  while (reader.wait_for(0ms)) {
    const std::vector<std::uint64_t> found = numbers(reader, user);
    all.insert(all.end(), found.begin(), found.end());
  }
  BOOST_TEST((std::find(all.begin(), all.end(), 77U) != all.end()));
  victim.kill();
  reader.close();
  user.close();
  check(fixture);
}

// It is no participant of the stream, so no recovery of the stream follows.
BOOST_DATA_TEST_CASE(who_dies_while_it_sheds_keeps_nothing_from_readers, boost::unit_test::data::make(kOrders), order) {
  const AttachFixture fixture{order, OnFull::overwrite, kCount, kAttachments};
  Writer writer{fixture.segment};
  Reader reader{fixture.segment};
  PoolUser user{fixture.pool};
  for (std::uint64_t number = 0; number <= kAttachments; ++number) {
    BOOST_TEST((put(writer, user, number) == Status::ok));
  }
  Child victim{[&](Link&) {
    const Segment own = Segment::open(fixture.name);
    kill_point::arm(KillPoint::reclaim_announced, kill_self);
    take_all(own);
  }};
  BOOST_TEST(victim.wait() == -SIGKILL);
  recover(fixture.segment);
  BOOST_TEST_REQUIRE(reader.wait_for(0ms));
  BOOST_TEST(numbers(reader, user).size() == kAttachments + 1);
}

// Why whoever attaches a shared buffer looks at its word: a scan that has made it dying may have read the array before the
// root was there, and reads the user's roots behind that.
BOOST_DATA_TEST_CASE(a_root_that_moves_beside_a_scan_is_not_overlooked, boost::unit_test::data::make(kOrders), order) {
  const AttachFixture fixture{order, OnFull::block, 2};
  Writer writer{fixture.segment};
  Reader reader{fixture.segment};
  PoolUser user{fixture.pool};
  Buffer other = user.acquire();
  const BufferReference reference = filled(user, 5).share();  // and nobody holds it
  Child scanner{[&](Link&) {
    PoolUser own{Pool::open(Segment::open(fixture.name), "frames")};
    kill_point::arm(KillPoint::scan_looked, [] {
      stop_self();
      kill_point::arm(KillPoint::scan_asked, stop_self);
    });
    static_cast<void>(own.acquire());
  }};
  BOOST_TEST(scanner.wait_until_stopped());  // it has seen no root
  Buffer adopted = user.adopt(reference);
  BOOST_TEST_REQUIRE(static_cast<bool>(adopted));
  scanner.resume();
  BOOST_TEST(scanner.wait_until_stopped());  // it has seen nothing in the array
  Reservation slot = writer.reserve(8);
  std::memcpy(slot.bytes().data(), adopted.bytes().data(), 8);
  BOOST_TEST(static_cast<bool>(slot.attach(std::move(adopted))));
  slot.commit();
  scanner.resume();
  BOOST_TEST(scanner.wait() == 0);
  BOOST_TEST(numbers(reader, user) == std::vector<std::uint64_t>{5}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
