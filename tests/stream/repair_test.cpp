// Repair, state by state: what a death leaves in the slabs, written down word by word (support/state_builder.hpp), and
// what recovery makes of it. The ways that lead to these states are in tests/crash and tests/step.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "support/invariants.hpp"
#include "support/state_builder.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;
using layout::Claim;

using Lines = std::vector<std::string>;

const Claim kClaiming = Claim::claiming(7);

// Slot 0 is always the dead writer's; the others come behind it.
struct Case {
  const char* name;
  std::vector<Attached> attached;
  Lines found;
  Lines left;
  std::uint64_t repairs = 0;  // by the journal, of all the dead
  std::uint64_t bytes = 0;
  const char* departed = "0 committed (0 bytes), 1 abandoned";
};
std::ostream& operator<<(std::ostream& out, const Case& one) { return out << one.name; }

void expect(Order order, const Case& one) {
  StateBuilder state{order};
  state.write(one.found);
  state.attach(one.attached);
  BOOST_TEST(state.read() == one.found, boost::test_tools::per_element());
  BOOST_TEST(broken_invariant(state.segment(), Motion::stopped) == "");

  const RecoveryReport report = recover(state.segment());
  BOOST_TEST(!report.pending);
  std::uint64_t repairs = 0;
  std::uint64_t bytes = 0;
  for (const DeadParticipant& dead : report.dead) {
    repairs += dead.repairs;
    bytes += dead.repaired_bytes;
  }
  BOOST_TEST(state.read() == one.left, boost::test_tools::per_element());
  BOOST_TEST(repairs == one.repairs);
  BOOST_TEST(bytes == one.bytes);
  BOOST_TEST(departed(state.segment()) == one.departed);
  // Nobody is owed anything any more: slots, claims, and the ledger's sum.
  BOOST_TEST(broken_invariant(state.segment()) == "");
  BOOST_TEST(recover(state.segment()).dead.empty());
  BOOST_TEST(state.read() == one.left, boost::test_tools::per_element());
}

// A live writer that has done so much, and idles; it has the extent or frame of its claim still.
Attached live(std::uint64_t committed, std::uint64_t bytes, Claim claim = {}, std::uint64_t in_extent = 0) {
  return {.alive = true, .claim = claim, .committed = committed, .committed_bytes = bytes, .in_extent = in_extent};
}
Attached dead_in_a_claim() { return {.claim = kClaiming, .busy = true}; }

// --- Per-writer order ----------------------------------------------------------------------------------------------

const Case kExtents[] = {
    {.name = "a hole at the beginning",
     .attached = {dead_in_a_claim(), live(1, 1)},
     .found = {"1 active cursor before=0: - closed:1#1{@ a ~}"},
     .left = {"1 active cursor before=0: closed:0{~} closed:1#1{@ a ~}"},
     .repairs = 1,
     .bytes = 512},
    {.name = "a hole in the middle",
     .attached = {dead_in_a_claim(), live(2, 2, Claim::located(1, 0, 1024), 1)},
     .found = {"1 active cursor before=0: closed:1#1{@ a ~} - open:1{@ b 0}"},
     .left = {"1 active cursor before=0: closed:1#1{@ a ~} closed:0{~} open:1{@ b 0}"},
     .repairs = 1,
     .bytes = 512},
    {.name = "a hole at the end of what is claimed",
     .attached = {dead_in_a_claim(), live(1, 1, Claim::located(1, 0, 0), 1)},
     .found = {"1 active cursor before=0: open:1{@ a 0} -"},
     .left = {"1 active cursor before=0: open:1{@ a 0} closed:0{~}"},
     .repairs = 1,
     .bytes = 512},
    {.name = "a claim of which nothing was taken yet",
     .attached = {dead_in_a_claim(), live(1, 1, Claim::located(1, 0, 0), 1)},
     .found = {"1 active cursor before=0: open:1{@ a 0}"},
     .left = {"1 active cursor before=0: open:1{@ a 0}"}},
    // Where one claim ends and the other begins cannot be told.
    {.name = "two claims side by side",
     .attached = {dead_in_a_claim(), dead_in_a_claim()},
     .found = {"1 active cursor before=0: - - -"},
     .left = {"1 active cursor before=0: closed:0{~} closed:0{~} closed:0{~}"},
     .repairs = 1,
     .bytes = 1536,
     .departed = "0 committed (0 bytes), 2 abandoned"},
    {.name = "a row whose last granule is marked",
     .attached = {live(1, 1, Claim::located(1, 0, 1536), 1), dead_in_a_claim()},
     .found = {"1 active cursor before=0: - - last:1<2 open:0{@ a 0}"},
     .left = {"1 active cursor before=0: closed:0x3{~} open:0{@ a 0}"},
     .repairs = 1,
     .bytes = 1536},
    {.name = "a hole before a row whose last granule is marked",
     .attached = {live(0, 0), dead_in_a_claim(), dead_in_a_claim()},
     .found = {"1 active cursor before=0: - - last:2<1"},
     .left = {"1 active cursor before=0: closed:0{~} closed:0x2{~}"},
     .repairs = 2,
     .bytes = 1536,
     .departed = "0 committed (0 bytes), 2 abandoned"},
    {.name = "a row whose last granule is marked, and a hole behind it",
     .attached = {live(0, 0), dead_in_a_claim(), dead_in_a_claim()},
     .found = {"1 active cursor before=0: - last:2<1 -"},
     .left = {"1 active cursor before=0: closed:0x2{~} closed:0{~}"},
     .repairs = 2,
     .bytes = 1536,
     .departed = "0 committed (0 bytes), 2 abandoned"},
    {.name = "a claim over the slab's end",
     .attached = {dead_in_a_claim(), live(1, 1)},
     .found = {"1 active cursor+512 before=0: closed:1x6#1{@ a ~} - -"},
     .left = {"1 active cursor+512 before=0: closed:1x6#1{@ a ~} closed:0{~} closed:0{~}"},
     .repairs = 1,
     .bytes = 1024},
    {.name = "a hole in a slab that is sealed",
     .attached = {dead_in_a_claim(), live(2, 2, Claim::located(2, 1, 0), 1)},
     .found = {"1 sealed before=0: closed:1#1{@ a ~} -", "2 active cursor: open:1{@ b 0}"},
     .left = {"1 sealed before=0: closed:1#1{@ a ~} closed:0{~}", "2 active cursor: open:1{@ b 0}"},
     .repairs = 1,
     .bytes = 512},
    // An extent that its owner said to be open, and died before it said where it is.
    {.name = "an open extent that no claim leads to",
     .attached = {dead_in_a_claim(), live(0, 0)},
     .found = {"1 active cursor before=0: open:0x2{@ 0}"},
     .left = {"1 active cursor before=0: closed:0x2{@ ~}"},
     .repairs = 1},
    {.name = "an extent with committed messages, and nothing open",
     .attached = {{.claim = Claim::located(1, 0, 512), .committed = 2, .committed_bytes = 3, .in_extent = 2},
                  live(0, 0)},
     .found = {"1 active cursor before=0: closed:1{~} open:0{@ a bc 0}"},
     .left = {"1 active cursor before=0: closed:1{~} closed:0#2{@ a bc ~}"},
     .repairs = 1,
     .departed = "2 committed (3 bytes), 0 abandoned"},
    {.name = "an extent with committed messages, and one that is not",
     .attached =
         {{.claim = Claim::located(1, 0, 0), .busy = true, .committed = 2, .committed_bytes = 3, .in_extent = 2}},
     .found = {"1 active cursor before=0: open:0x2{@ a bc 0}"},
     .left = {"1 active cursor before=0: closed:0x2#2{@ a bc ~}"},
     .repairs = 1,
     .departed = "2 committed (3 bytes), 1 abandoned"},
    {.name = "a message that was published, and not counted",
     .attached =
         {{.claim = Claim::located(1, 0, 0), .busy = true, .committed = 5, .committed_bytes = 9, .in_extent = 1},
          live(0, 0)},
     .found = {"1 active cursor before=0: open:0{@ a bc 0} closed:0#4{@ a b cde fgh ~}"},
     .left = {"1 active cursor before=0: closed:0#2{@ a bc ~} closed:0#4{@ a b cde fgh ~}"},
     .repairs = 1,
     .departed = "6 committed (11 bytes), 0 abandoned"},
    {.name = "a batch that was published, and not counted",
     .attached =
         {{.claim = Claim::located(1, 0, 0), .busy = true, .committed = 1, .committed_bytes = 1, .in_extent = 1}},
     .found = {"1 active cursor before=0: open:0{@ a bc def ghij 0}"},
     .left = {"1 active cursor before=0: closed:0#4{@ a bc def ghij ~}"},
     .repairs = 1,
     .departed = "4 committed (10 bytes), 0 abandoned"},
    {.name = "an extent that was filled, and not yet said to be closed",
     .attached =
         {{.claim = Claim::located(1, 0, 0), .busy = true, .committed = 1, .committed_bytes = 1, .in_extent = 1}},
     .found = {"1 active cursor before=0: open:0{@ a ~}"},
     .left = {"1 active cursor before=0: closed:0#1{@ a ~}"},
     .repairs = 1,
     .departed = "1 committed (1 bytes), 1 abandoned"},
    {.name = "an extent that was closed, and no claim behind it",
     .attached = {{.busy = true, .committed = 1, .committed_bytes = 1}},
     .found = {"1 active cursor before=0: closed:0#1{@ a ~}"},
     .left = {"1 active cursor before=0: closed:0#1{@ a ~}"},
     .departed = "1 committed (1 bytes), 1 abandoned"},
    // Its extent was revoked, closed and reclaimed while it was idle; another one's stands at the same place now.
    {.name = "a claim in a generation that is gone",
     .attached =
         {{.claim = Claim::located(1, 0, 0), .busy = true, .committed = 1, .committed_bytes = 1, .in_extent = 1},
          live(1, 1, Claim::located(3, 0, 0), 1)},
     .found = {"3 active cursor before=1: open:1{@ b 0}", "2 sealed closed before=1 messages=0 | ~"},
     .left = {"3 active cursor before=1: open:1{@ b 0}", "2 sealed closed before=1 messages=0 | ~"},
     .departed = "1 committed (1 bytes), 1 abandoned"},
};

// --- Total order ---------------------------------------------------------------------------------------------------

const Case kFrames[] = {
    {.name = "a hole at the beginning",
     .attached = {dead_in_a_claim(), live(1, 1)},
     .found = {"1 active cursor before=0: -16 a"},
     .left = {"1 active cursor before=0: ~16 a"},
     .repairs = 1,
     .bytes = 16},
    {.name = "a hole in the middle",
     .attached = {dead_in_a_claim(), live(2, 2)},
     .found = {"1 active cursor before=0: a -24 b"},
     .left = {"1 active cursor before=0: a ~24 b"},
     .repairs = 1,
     .bytes = 24},
    {.name = "a hole at the end of what is claimed",
     .attached = {dead_in_a_claim(), live(1, 1)},
     .found = {"1 active cursor before=0: a -8"},
     .left = {"1 active cursor before=0: a ~8"},
     .repairs = 1,
     .bytes = 8},
    {.name = "a claim of which nothing was taken yet",
     .attached = {dead_in_a_claim(), live(1, 1)},
     .found = {"1 active cursor before=0: a"},
     .left = {"1 active cursor before=0: a"}},
    {.name = "two claims side by side",
     .attached = {dead_in_a_claim(), dead_in_a_claim(), live(1, 1)},
     .found = {"1 active cursor before=0: -40 a"},
     .left = {"1 active cursor before=0: ~40 a"},
     .repairs = 1,
     .bytes = 40,
     .departed = "0 committed (0 bytes), 2 abandoned"},
    {.name = "two claims with a message between them",
     .attached = {dead_in_a_claim(), dead_in_a_claim(), live(1, 1)},
     .found = {"1 active cursor before=0: -16 a -24"},
     .left = {"1 active cursor before=0: ~16 a ~24"},
     .repairs = 2,
     .bytes = 40,
     .departed = "0 committed (0 bytes), 2 abandoned"},
    {.name = "a claim over the slab's end",
     .attached = {dead_in_a_claim(), live(1, 1)},
     .found = {"1 active cursor+24 before=0: a ~4064 -16"},
     .left = {"1 active cursor+24 before=0: a ~4064 ~16"},
     .repairs = 1,
     .bytes = 16},
    {.name = "a hole in a slab that is sealed",
     .attached = {dead_in_a_claim(), live(2, 2)},
     .found = {"1 sealed before=0: a -16", "2 active cursor: b"},
     .left = {"1 sealed before=0: a ~16", "2 active cursor: b"},
     .repairs = 1,
     .bytes = 16},
    {.name = "a busy frame",
     .attached = {{.claim = Claim::located(1, 0, 16), .busy = true, .claimed_bytes = 24}, live(2, 2)},
     .found = {"1 active cursor before=0: a busy:0+24 b"},
     .left = {"1 active cursor before=0: a ~24 b"},
     .repairs = 1,
     .bytes = 24},
    {.name = "a busy frame that no claim leads to",
     .attached = {dead_in_a_claim(), live(1, 1)},
     .found = {"1 active cursor before=0: busy:0+64 a"},
     .left = {"1 active cursor before=0: ~64 a"},
     .repairs = 1,
     .bytes = 64},
    {.name = "a busy frame beside that of somebody who lives",
     .attached = {dead_in_a_claim(),
                  {.alive = true, .claim = Claim::located(1, 0, 0), .busy = true, .claimed_bytes = 16}},
     .found = {"1 active cursor before=0: busy:1+16 busy:0+16"},
     .left = {"1 active cursor before=0: busy:1+16 ~16"},
     .repairs = 1,
     .bytes = 16},
    {.name = "a message that was published, and not counted",
     .attached =
         {{.claim = Claim::located(1, 0, 16), .busy = true, .committed = 1, .committed_bytes = 1, .claimed_bytes = 16},
          live(1, 3)},
     .found = {"1 active cursor before=0: a bc def"},
     .left = {"1 active cursor before=0: a bc def"},
     .departed = "2 committed (3 bytes), 0 abandoned"},
    // It ends where the claim ends: what stands behind it is another one's.
    {.name = "a batch that was published, and not counted",
     .attached =
         {{.claim = Claim::located(1, 0, 16), .busy = true, .committed = 1, .committed_bytes = 1, .claimed_bytes = 48},
          live(1, 1)},
     .found = {"1 active cursor before=0: a bc def ~16 g"},
     .left = {"1 active cursor before=0: a bc def ~16 g"},
     .departed = "3 committed (6 bytes), 0 abandoned"},
    // What stands at its place now is another one's message.
    {.name = "a claim in a generation that is gone",
     .attached = {{.claim = Claim::located(1, 0, 0), .busy = true, .claimed_bytes = 16}, live(1, 1)},
     .found = {"3 active cursor before=0: a", "2 sealed closed before=0 messages=0 | ~"},
     .left = {"3 active cursor before=0: a", "2 sealed closed before=0 messages=0 | ~"}},
    {.name = "a frame that was aborted, and not counted",
     .attached = {{.claim = Claim::located(1, 0, 0), .busy = true, .claimed_bytes = 16}, live(1, 1)},
     .found = {"1 active cursor before=0: ~16 a"},
     .left = {"1 active cursor before=0: ~16 a"}},
    {.name = "nothing open",
     .attached = {{.claim = Claim::located(1, 0, 0), .committed = 1, .committed_bytes = 1, .claimed_bytes = 16}},
     .found = {"1 active cursor before=0: a"},
     .left = {"1 active cursor before=0: a"},
     .departed = "1 committed (1 bytes), 0 abandoned"},
};

// --- Slabs, in both orders -----------------------------------------------------------------------------------------

const Case kSlabs[] = {
    {.name = "a slab that was prepared, and the cursor never came",
     .attached = {{.busy = true}},
     .found = {"1 active cursor before=0", "2 active"},
     .left = {"1 active cursor before=0", "2 active"}},
    {.name = "a slab that the cursor has left, and that still says active",
     .attached = {{.busy = true}},
     .found = {"1 active before=0", "2 active cursor"},
     .left = {"1 sealed before=0", "2 active cursor"}},
    {.name = "a slab that was about to be reclaimed",
     .attached = {{.busy = true}},
     .found = {"1 reclaiming closed before=0 messages=0 | ~", "2 active cursor before=0"},
     .left = {"1 sealed closed before=0 messages=0 | ~", "2 active cursor before=0"}},
    {.name = "a slab that was being cleaned",
     .attached = {{.busy = true}},
     .found = {"1 cleaning closed before=0 messages=0 | ~", "2 active cursor before=0"},
     .left = {"1 cleaning closed before=0 messages=0 | ~", "2 active cursor before=0"}},
};

BOOST_AUTO_TEST_SUITE(repair)

BOOST_DATA_TEST_CASE(what_a_dead_writer_left_in_its_extents_is_closed, data::make(kExtents), one) {
  expect(Order::per_writer, one);
}

BOOST_DATA_TEST_CASE(what_a_dead_writer_left_in_the_chain_is_closed, data::make(kFrames), one) {
  expect(Order::total, one);
}

BOOST_DATA_TEST_CASE(a_step_of_a_slab_that_is_half_done_is_taken_back_or_kept, data::make(kOrders) * data::make(kSlabs),
                     order, one) {
  expect(order, one);
}

// Grace: a live claimer may yet leave its trace in the hole; until it has, nothing is filled, and the dead writer is
// entered once.
BOOST_DATA_TEST_CASE(a_hole_is_left_alone_until_a_live_claimer_has_left_its_trace, data::make(kOrders), order) {
  const bool total = order == Order::total;
  StateBuilder state{order};
  const Lines found{total ? "1 active cursor before=0: -40" : "1 active cursor before=0: - -"};
  state.write(found);
  state.attach({dead_in_a_claim(), {.alive = true, .claim = kClaiming, .busy = true}});
  for (int i = 0; i < 3; ++i) {
    const RecoveryReport report = recover(state.segment());
    BOOST_TEST(report.pending);
    BOOST_TEST(report.dead.empty());
    BOOST_TEST(state.read() == found, boost::test_tools::per_element());
  }
  BOOST_TEST(inspect(state.segment()).journal.size() == 1U);

  state.write({total ? "1 active cursor before=0: busy:1+16 -24" : "1 active cursor before=0: - open:1{@ 0}"});
  state.slot(1).claimed_bytes = 16;
  state.slot(1).claim = Claim::located(1, 0, total ? 0 : 512).word;
  const RecoveryReport report = recover(state.segment());
  BOOST_TEST(!report.pending);
  BOOST_TEST(report.dead.size() == 1U);
  const Lines left{total ? "1 active cursor before=0: busy:1+16 ~24"
                         : "1 active cursor before=0: closed:0{~} open:1{@ 0}"};
  BOOST_TEST(state.read() == left, boost::test_tools::per_element());
  BOOST_TEST(inspect(state.segment()).journal.size() == 1U);
  BOOST_TEST(departed(state.segment()) == "0 committed (0 bytes), 1 abandoned");
  BOOST_TEST(broken_invariant(state.segment()) == "");
}

// Nobody has to wait for a live claimer on account of somebody who was not claiming.
BOOST_DATA_TEST_CASE(who_died_idle_is_settled_beside_a_live_claimer, data::make(kOrders), order) {
  StateBuilder state{order};
  const Lines found{order == Order::total ? "1 active cursor before=0: a -24"
                                          : "1 active cursor before=0: open:0{@ a 0} -"};
  state.write(found);
  state.attach(
      {{.claim = Claim::located(1, 0, 0), .committed = 1, .committed_bytes = 1, .in_extent = 1, .claimed_bytes = 16},
       {.alive = true, .claim = kClaiming, .busy = true}});
  const RecoveryReport report = recover(state.segment());
  BOOST_TEST(!report.pending);
  BOOST_TEST(report.dead.size() == 1U);
  const Lines left{order == Order::total ? "1 active cursor before=0: a -24"
                                         : "1 active cursor before=0: closed:0#1{@ a ~} -"};
  BOOST_TEST(state.read() == left, boost::test_tools::per_element());
  BOOST_TEST(departed(state.segment()) == "1 committed (1 bytes), 0 abandoned");
}

// What a dead reader held goes, and is counted; the slab stays until somebody needs it.
BOOST_DATA_TEST_CASE(a_slab_that_only_a_dead_reader_held_is_released, data::make(kOrders), order) {
  StateBuilder state{order};
  const Lines lines{"1 sealed closed before=0 messages=0 | ~", "2 sealed closed before=0 messages=0 | ~",
                    "3 active cursor before=0"};
  state.write(lines);
  state.attach({{.role = Role::reader, .hold = 1}, {.role = Role::reader, .alive = true, .hold = 2}});
  const RecoveryReport report = recover(state.segment());
  BOOST_TEST_REQUIRE(report.dead.size() == 1U);
  const std::vector<std::uint64_t> held{1, 2, 3};
  BOOST_TEST(report.dead.front().held_generations == held, boost::test_tools::per_element());
  BOOST_TEST(report.released == 1U);
  BOOST_TEST(state.slot(0).hold.load() == layout::kNoHold);
  BOOST_TEST(state.slot(1).hold.load() == 2U);
  BOOST_TEST(state.read() == lines, boost::test_tools::per_element());
  BOOST_TEST(broken_invariant(state.segment()) == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
