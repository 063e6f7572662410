// The ledger balances: per participant, and in the totals that outlive them.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "support/child.hpp"
#include "support/every_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

std::uint64_t attempts_in(const Ledger& ledger) {
  return ledger.committed + ledger.aborted + ledger.dropped + ledger.abandoned;
}

BOOST_AUTO_TEST_SUITE(ledger)

// Writers that commit, commit less, abort, and are refused; a reader that is there from the start and falls behind.
BOOST_DATA_TEST_CASE(attempts_and_deliveries_balance, kEveryStream* data::xrange(3), order, on_full, round) {
  const std::uint64_t seed = base_seed() + static_cast<std::uint64_t>(round);
  BOOST_TEST_CONTEXT("seed " << seed) {
    Dice dice{seed};
    const HeapSegment segment{{.slabs = 3, .slab_bytes = 4096, .order = order, .on_full = on_full}};
    Reader reader{segment};
    Writer writer{segment, {.timeout = 0ms}};
    Ledger expected;
    std::uint64_t attempts = 0;
    std::uint64_t received = 0;
    for (int step = 0; step < 3000; ++step) {
      if (dice.one_in(40)) received += texts(reader, dice.below(200)).size();
      const std::size_t size = dice.below(dice.one_in(10) ? 3000 : 200);
      ++attempts;
      Reservation open = writer.reserve(size);
      if (!open) {
        BOOST_TEST_REQUIRE(open.status() == (on_full == OnFull::block ? Status::timeout : Status::full));
        ++expected.dropped;
      } else if (dice.one_in(5)) {
        open.abort();
        ++expected.aborted;
      } else {
        const std::size_t kept = dice.one_in(5) ? dice.below(size + 1) : size;
        open.commit(kept);
        ++expected.committed;
        expected.committed_bytes += kept;
      }
      if (step % 100 == 0) {
        const Ledger ledger = ledger_of(segment, writer.slot());
        BOOST_TEST(ledger.committed == expected.committed);
        BOOST_TEST(ledger.committed_bytes == expected.committed_bytes);
        BOOST_TEST(ledger.aborted == expected.aborted);
        BOOST_TEST(ledger.dropped == expected.dropped);
        BOOST_TEST(attempts_in(ledger) == attempts);
      }
    }
    while (reader.wait_for(1ms)) received += texts(reader).size();
    BOOST_TEST(reader.delivered() == received);
    BOOST_TEST(reader.delivered() + reader.lost() == expected.committed);
    if (on_full != OnFull::overwrite) BOOST_TEST(reader.lost() == 0U);
    if (on_full == OnFull::overwrite) BOOST_TEST(reader.lost() != 0U);
    const std::uint64_t lost = reader.lost();
    writer.close();
    reader.close();
    const Snapshot now = inspect(segment);
    BOOST_TEST(now.participants.empty());
    BOOST_TEST(now.departed_participants == 2U);
    BOOST_TEST(attempts_in(now.departed) == attempts);
    BOOST_TEST(now.departed.committed == expected.committed);
    BOOST_TEST(now.departed.committed_bytes == expected.committed_bytes);
    BOOST_TEST(now.departed.delivered == received);
    BOOST_TEST(now.departed.lost == lost);
  }
}

BOOST_DATA_TEST_CASE(what_a_killed_writer_did_stays_in_the_totals, kEveryStream, order, on_full) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 8192, .order = order, .on_full = on_full});
  Reader reader{segment};
  Child victim{[&](Link& link) {
    Writer writer{Segment::open(name), {.name = "victim"}};
    for (std::uint32_t number = 0; number < 10; ++number) must_put(writer, {1, number}, 50);
    writer.reserve(50).abort();
    const Reservation open = writer.reserve(50);
    link.say(1);
    link.hear();
  }};
  victim.hear();
  victim.kill();
  const RecoveryReport report = recover(segment);
  BOOST_TEST_REQUIRE(report.dead.size() == 1U);
  BOOST_TEST(report.dead[0].name == "victim");
  BOOST_TEST(report.dead[0].role == Role::writer);
  BOOST_TEST(is_proof_of_death(report.dead[0].proof));
  const Snapshot now = inspect(segment);
  BOOST_TEST(now.departed.committed == 10U);
  BOOST_TEST(now.departed.committed_bytes == 500U);
  BOOST_TEST(now.departed.aborted == 1U);
  BOOST_TEST(now.departed.abandoned == 1U);
  Log log;
  log.read(reader);
  BOOST_TEST(log.is_complete(1, 10));
}

BOOST_DATA_TEST_CASE(what_a_killed_reader_got_stays_in_the_totals, kEveryStream, order, on_full) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 8192, .order = order, .on_full = on_full});
  Writer writer{segment};
  Child victim{[&](Link& link) {
    Reader reader{Segment::open(name), {.name = "victim"}};
    link.say(1);
    link.hear();
    texts(reader, 7);
    link.say(1);
    link.hear();
  }};
  victim.hear();
  for (std::uint32_t number = 0; number < 10; ++number) BOOST_TEST(put(writer, {1, number}) == Status::ok);
  victim.say(1);
  victim.hear();
  victim.kill();
  BOOST_TEST(recover(segment).dead.size() == 1U);
  BOOST_TEST(inspect(segment).departed.delivered == 7U);
}

BOOST_DATA_TEST_CASE(a_reader_that_leaves_and_one_that_comes_count_for_themselves, kEveryStream, order, on_full) {
  const HeapSegment segment{{.slab_bytes = 8192, .order = order, .on_full = on_full}};
  Writer writer{segment};
  for (std::uint32_t number = 0; number < 10; ++number) must_put(writer, {1, number});
  for (int round = 0; round < 5; ++round) {
    Reader reader{segment};
    BOOST_TEST(reader.delivered() == 0U);
    BOOST_TEST(texts(reader).size() == 10U);
    BOOST_TEST(reader.delivered() == 10U);
  }
  BOOST_TEST(inspect(segment).departed.delivered == 50U);
  BOOST_TEST(inspect(segment).departed_participants == 5U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
