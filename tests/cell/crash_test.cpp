// Whoever stores is killed or stopped, at every step: the value is the old one or the new one, whole, and nobody waits.
#include <boost/test/unit_test.hpp>

#include "cell_fixture.hpp"

namespace sapbuf::test {
namespace {

// All its words are the same in a value that is whole.
using Value = std::array<std::uint64_t, 20>;

Value value_of(std::uint64_t number) {
  Value value;
  value.fill(number);
  return value;
}
bool is_whole(const Value& value) { return value == value_of(value[0]); }

constexpr std::uint64_t kStores = layout::kCellCopies + 1;  // so that a copy is used again

BOOST_AUTO_TEST_SUITE(cell_crash)

// One after the other in the same slot, each killed one passage later than the one before.
BOOST_AUTO_TEST_CASE(a_participant_may_be_killed_anywhere) {
  const CellFixture fixture;
  Cell<Value> cell{fixture.segment, "value", value_of(0)};
  std::uint64_t before = 0;
  bool died = true;
  unsigned nth = 1;
  for (; died; ++nth) {
    Child victim{[&](Link&) {
      Cell<Value> own{Segment::open(fixture.name), "value"};
      kill_point::arm(KillPoint::any, kill_self, nth);
      for (std::uint64_t i = 0; i < kStores; ++i) {
        own.update([](Value& value) { value = value_of(value[0] + 1); });
        own.store(value_of(own.load()[0] + 1));
      }
      kill_point::disarm();
    }};
    died = victim.wait() == -SIGKILL;
    BOOST_TEST_CONTEXT("kill point passage " << nth) {
      // Before anybody recovers, and behind that; and it can be stored at once.
      const auto [left, version] = cell.load_versioned();
      BOOST_TEST(is_whole(left));
      BOOST_TEST(left[0] == version);
      BOOST_TEST(version >= before);
      BOOST_TEST(version <= before + 2 * kStores);
      recover(fixture.segment);
      BOOST_TEST(cell.load()[0] == version);
      BOOST_TEST(inspect(fixture.segment).participants.size() == 1U);
      BOOST_TEST(cell.store(value_of(version + 1)) == version + 1);
      BOOST_TEST(cell.load()[0] == version + 1);
      before = version + 1;
    }
  }
  BOOST_TEST(nth > 40U);
}

// The newest value may be in any of the copies that the slot had, and the next one who has the slot is killed while it
// writes.
BOOST_AUTO_TEST_CASE(a_successor_leaves_the_newest_value_alone) {
  const CellFixture fixture{2};  // so that it gets that slot
  const Cell<Value> cell{fixture.segment, "value", value_of(0)};
  for (std::uint64_t stores = 1; stores <= layout::kCellCopies; ++stores) {
    Child first{[&](Link&) {
      Cell<Value> own{Segment::open(fixture.name), "value"};
      for (std::uint64_t i = 1; i <= stores; ++i) own.store(value_of(10 * stores + i));
      kill_self();
    }};
    BOOST_TEST(first.wait() == -SIGKILL);
    recover(fixture.segment);
    for (int more = 0; more < 2; ++more) {
      Child second{[&](Link&) {
        Cell<Value> own{Segment::open(fixture.name), "value"};
        kill_point::arm(KillPoint::cell_filled, kill_self);
        own.store(value_of(99));
      }};
      BOOST_TEST(second.wait() == -SIGKILL);
      recover(fixture.segment);
      BOOST_TEST(cell.load() == value_of(10 * stores + stores));
    }
  }
}

BOOST_AUTO_TEST_CASE(nobody_waits_for_one_that_is_stopped) {
  for (const KillPoint point : {KillPoint::cell_seen, KillPoint::cell_begun, KillPoint::cell_filled,
                                KillPoint::cell_versioned, KillPoint::cell_published}) {
    const CellFixture fixture;
    Cell<Value> cell{fixture.segment, "value", value_of(0)};
    Child stopped{[&](Link&) {
      Cell<Value> own{Segment::open(fixture.name), "value"};
      kill_point::arm(point, stop_self);
      own.update([](Value& value) { value = value_of(value[0] + 1); });
    }};
    BOOST_TEST_CONTEXT(point) {
      BOOST_TEST_REQUIRE(stopped.wait_until_stopped());
      const std::uint64_t first = cell.load()[0];
      BOOST_TEST(first == (point == KillPoint::cell_published ? 1U : 0U));
      for (std::uint64_t i = 1; i <= 3 * layout::kCellCopies; ++i) {
        cell.update([](Value& value) { value = value_of(value[0] + 1); });
        BOOST_TEST(cell.load() == value_of(first + i));
      }
      // It stands on the newest value, however old the one is that it had begun with.
      stopped.resume();
      BOOST_TEST(stopped.wait() == 0);
      BOOST_TEST(cell.load() == value_of(3 * layout::kCellCopies + 1));
      BOOST_TEST(cell.version() == 3 * layout::kCellCopies + 1);
    }
  }
}

// However many copies a reader that stood still meanwhile has to begin anew for.
BOOST_AUTO_TEST_CASE(a_reader_that_was_stopped_has_a_whole_value) {
  const CellFixture fixture;
  Cell<Value> cell{fixture.segment, "value", value_of(0)};
  cell.store(value_of(1));
  Child stopped{[&](Link& link) {
    const Cell<const Value> own{Segment::open(fixture.name), "value"};
    kill_point::arm(KillPoint::cell_seen, stop_self);
    const Value seen = own.load();
    link.say(is_whole(seen) ? seen[0] : ~std::uint64_t{0});
  }};
  BOOST_TEST_REQUIRE(stopped.wait_until_stopped());
  // All copies but the current one's have been written since.
  for (std::uint64_t i = 2; i < 2 + 2 * layout::kCellCopies; ++i) cell.store(value_of(i));
  stopped.resume();
  BOOST_TEST(stopped.hear() == 1 + 2 * layout::kCellCopies);
  BOOST_TEST(stopped.wait() == 0);
}

// It finds its copy in the middle of being written again, with the old version's number if that was not taken away
// first.
BOOST_AUTO_TEST_CASE(what_is_being_written_is_nobodys_value) {
  const CellFixture fixture;
  const Cell<Value> cell{fixture.segment, "value", value_of(0)};
  Child writer{[&](Link& link) {
    Cell<Value> own{Segment::open(fixture.name), "value"};
    own.store(value_of(1));
    link.say(1);
    link.hear();
    kill_point::arm(KillPoint::cell_filled, stop_self, layout::kCellCopies);
    for (std::uint64_t i = 2; i <= 1 + layout::kCellCopies; ++i) own.store(value_of(i));
  }};
  writer.hear();
  Child reader{[&](Link& link) {
    const Cell<const Value> own{Segment::open(fixture.name), "value"};
    kill_point::arm(KillPoint::cell_seen, stop_self);
    link.say(own.load()[0]);
  }};
  BOOST_TEST_REQUIRE(reader.wait_until_stopped());
  writer.say(1);
  BOOST_TEST_REQUIRE(writer.wait_until_stopped());
  reader.resume();
  BOOST_TEST(reader.hear() == layout::kCellCopies);
  BOOST_TEST(reader.wait() == 0);
  writer.resume();
  BOOST_TEST(writer.wait() == 0);
  BOOST_TEST(cell.load() == value_of(1 + layout::kCellCopies));
}

// Many processes count, some of them are killed: each version counts one.
BOOST_AUTO_TEST_CASE(no_update_is_lost_between_processes_that_are_killed) {
  const CellFixture fixture;
  Cell<Value> cell{fixture.segment, "value", value_of(0)};
  const auto count_on = [&](Link&) {
    Cell<Value> own{Segment::open(fixture.name), "value"};
    for (;;) own.update([](Value& value) { value = value_of(value[0] + 1); });
  };
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t begun = cell.version();
    Child one{count_on};
    Child two{count_on};
    BOOST_TEST(eventually([&] {
      const auto [value, version] = cell.load_versioned();
      BOOST_TEST_REQUIRE(is_whole(value));
      BOOST_TEST_REQUIRE(value[0] == version);
      return version > begun + 10'000;
    }));
    one.kill();
    two.kill();
    recover(fixture.segment);
  }
  const auto [value, version] = cell.load_versioned();
  BOOST_TEST(value == value_of(version));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
