// Closing, state by state: which ended generations may be closed, and what that writes (support/state_builder.hpp).
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "segment/maintenance_lock.hpp"
#include "stream/close.hpp"
#include "support/invariants.hpp"
#include "support/state_builder.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;
using layout::Claim;

using Lines = std::vector<std::string>;

struct Case {
  const char* name;
  std::vector<Attached> attached;
  Lines found;
  Lines left;
  std::uint64_t closed_through = 0;
  std::vector<std::uint64_t> revoked = {};  // by slot: the words behind it
};
std::ostream& operator<<(std::ostream& out, const Case& one) { return out << one.name; }

void close_now(const StateBuilder& state) {
  const detail::MaintenanceLock lock{state.core()};
  BOOST_TEST_REQUIRE(!!lock);
  detail::close_ended(state.core(), detail::load_active(state.core()));
}

void expect(Order order, OnFull on_full, const Case& one) {
  StateBuilder state{order, {.on_full = on_full}};
  state.write(one.found);
  state.attach(one.attached);
  BOOST_TEST(broken_invariant(state.segment(), Motion::stopped) == "");
  for (int times = 0; times < 2; ++times) {  // the second one finds nothing more
    close_now(state);
    BOOST_TEST(state.read() == one.left, boost::test_tools::per_element());
    BOOST_TEST(state.core().control().closed_through.load() == one.closed_through);
    for (std::uint32_t slot = 0; slot < one.revoked.size(); ++slot) {
      BOOST_TEST(state.slot(slot).revoked.load() == one.revoked[slot]);
    }
    BOOST_TEST(broken_invariant(state.segment(), Motion::stopped) == "");
  }
}

Attached writer(Claim claim, bool busy = false) { return {.alive = true, .claim = claim, .busy = busy}; }
Attached idle_at(std::uint64_t generation, std::uint32_t slab, std::uint64_t offset) {
  return writer(Claim::located(generation, slab, offset));
}
Attached busy_at(std::uint64_t generation, std::uint32_t slab, std::uint64_t offset) {
  return writer(Claim::located(generation, slab, offset), true);
}
Attached claimer() { return writer(Claim::claiming(7), true); }

// --- Per-writer order ----------------------------------------------------------------------------------------------

const Case kExtents[] = {
    {.name = "nothing was claimed",
     .attached = {},
     .found = {"1 sealed before=0", "2 active cursor"},
     .left = {"1 sealed closed before=0 messages=0 | ~", "2 active cursor before=0"},
     .closed_through = 1},
    {.name = "all is closed already",
     .attached = {idle_at(2, 1, 0)},
     .found = {"1 sealed before=0: closed:0#2{@ a b ~} closed:0x2#1{@ c ~}", "2 active cursor: open:0{@ 0}"},
     .left = {"1 sealed closed before=0 messages=3: closed:0#2{@ a b ~} closed:0x2#1{@ c ~} | ~",
              "2 active cursor before=3: open:0{@ 0}"},
     .closed_through = 1,
     .revoked = {0}},
    {.name = "a slab without a rest",
     .attached = {},
     .found = {"1 sealed before=0: closed:0x8#1{@ a ~}", "2 active cursor"},
     .left = {"1 sealed closed before=0 messages=1: closed:0x8#1{@ a ~}", "2 active cursor before=1"},
     .closed_through = 1},
    {.name = "an idle writer's extent",
     .attached = {idle_at(1, 0, 512), idle_at(2, 1, 0)},
     .found = {"1 sealed before=0: closed:1#1{@ a ~} open:0x2{@ b c 0}", "2 active cursor: open:1{@ 0}"},
     .left = {"1 sealed closed before=0 messages=3: closed:1#1{@ a ~} closed:0x2#2{@ b c ~} | ~",
              "2 active cursor before=3: open:1{@ 0}"},
     .closed_through = 1,
     .revoked = {1, 0}},
    {.name = "an extent that was filled, and not yet said to be closed",
     .attached = {idle_at(1, 0, 0)},
     .found = {"1 sealed before=0: open:0{@ a ~}", "2 active cursor"},
     .left = {"1 sealed closed before=0 messages=1: closed:0#1{@ a ~} | ~", "2 active cursor before=1"},
     .closed_through = 1,
     .revoked = {1}},
    {.name = "an extent in which a reservation is open",
     .attached = {busy_at(1, 0, 0)},
     .found = {"1 sealed before=0: open:0{@ a 0}", "2 active cursor"},
     .left = {"1 sealed before=0: open:0{@ a 0}", "2 active cursor"},
     .revoked = {1}},
    {.name = "the extents of one who idles and one who does not",
     .attached = {busy_at(1, 0, 0), idle_at(1, 0, 512)},
     .found = {"1 sealed before=0: open:0{@ a 0} open:1{@ b 0}", "2 active cursor"},
     .left = {"1 sealed before=0: open:0{@ a 0} closed:1#1{@ b ~}", "2 active cursor"},
     .revoked = {1, 1}},
    // It left this one open when it was revoked, and is busy in another.
    {.name = "an extent whose owner is at work elsewhere",
     .attached = {busy_at(2, 1, 0)},
     .found = {"1 sealed before=0: open:0{@ a 0}", "2 active cursor: open:0{@ 0}"},
     .left = {"1 sealed closed before=0 messages=1: closed:0#1{@ a ~} | ~", "2 active cursor before=1: open:0{@ 0}"},
     .closed_through = 1,
     .revoked = {1}},
    // It opened this one, and has not come to say where it is: it will look before it touches it.
    {.name = "an extent whose owner is claiming still",
     .attached = {claimer()},
     .found = {"1 sealed before=0: open:0{@ 0}", "2 active cursor"},
     .left = {"1 sealed closed before=0 messages=0: closed:0{@ ~} | ~", "2 active cursor before=0"},
     .closed_through = 1,
     .revoked = {1}},
    {.name = "a hole",
     .attached = {claimer(), idle_at(1, 0, 512)},
     .found = {"1 sealed before=0: - open:1{@ a 0}", "2 active cursor"},
     .left = {"1 sealed before=0: - closed:1#1{@ a ~}", "2 active cursor"},
     .revoked = {0, 1}},
    {.name = "a row of which only the last granule is marked",
     .attached = {claimer()},
     .found = {"1 sealed before=0: - last:0<1", "2 active cursor"},
     .left = {"1 sealed before=0: - last:0<1", "2 active cursor"}},
    {.name = "two generations",
     .attached = {idle_at(1, 0, 0), idle_at(2, 1, 0)},
     .found = {"1 sealed before=0: open:0{@ a 0}", "2 sealed: open:1{@ b c 0}", "3 active cursor"},
     .left = {"1 sealed closed before=0 messages=1: closed:0#1{@ a ~} | ~",
              "2 sealed closed before=1 messages=2: closed:1#2{@ b c ~} | ~", "3 active cursor before=3"},
     .closed_through = 2,
     .revoked = {1, 2}},
    {.name = "a generation behind one that cannot be closed",
     .attached = {busy_at(1, 0, 0), idle_at(2, 1, 0)},
     .found = {"1 sealed before=0: open:0{@ a 0}", "2 sealed: open:1{@ b 0}", "3 active cursor"},
     .left = {"1 sealed before=0: open:0{@ a 0}", "2 sealed: open:1{@ b 0}", "3 active cursor"},
     .revoked = {1, 0}},
    {.name = "a slab that is prepared only",
     .attached = {idle_at(1, 0, 0)},
     .found = {"1 active cursor before=0: open:0{@ a 0}", "2 active"},
     .left = {"1 active cursor before=0: open:0{@ a 0}", "2 active"},
     .revoked = {0}},
};

// --- Total order: counted where readers must learn what they lost --------------------------------------------------

const Case kFrames[] = {
    {.name = "nothing was claimed",
     .attached = {},
     .found = {"1 sealed before=0", "2 active cursor"},
     .left = {"1 sealed closed before=0 messages=0 | ~", "2 active cursor before=0"},
     .closed_through = 1},
    {.name = "messages and filler",
     .attached = {idle_at(2, 1, 0)},
     .found = {"1 sealed before=0: a ~40 bc d", "2 active cursor: e"},
     .left = {"1 sealed closed before=0 messages=3: a ~40 bc d | ~", "2 active cursor before=3: e"},
     .closed_through = 1},
    {.name = "a slab without a rest",
     .attached = {},
     .found = {"1 sealed before=0: a ~4080", "2 active cursor"},
     .left = {"1 sealed closed before=0 messages=1: a ~4080", "2 active cursor before=1"},
     .closed_through = 1},
    {.name = "one whose last frame is here",
     .attached = {idle_at(1, 0, 0)},
     .found = {"1 sealed before=0: a", "2 active cursor"},
     .left = {"1 sealed closed before=0 messages=1: a | ~", "2 active cursor before=1"},
     .closed_through = 1},
    {.name = "a frame that is open",
     .attached = {busy_at(1, 0, 16)},
     .found = {"1 sealed before=0: a busy:0+24 b", "2 active cursor"},
     .left = {"1 sealed before=0: a busy:0+24 b", "2 active cursor"}},
    {.name = "one whose open frame is elsewhere",
     .attached = {busy_at(2, 1, 0)},
     .found = {"1 sealed before=0: a", "2 active cursor: busy:0+16"},
     .left = {"1 sealed closed before=0 messages=1: a | ~", "2 active cursor before=1: busy:0+16"},
     .closed_through = 1},
    {.name = "one who is claiming, and may have claimed here",
     .attached = {claimer()},
     .found = {"1 sealed before=0: a -24", "2 active cursor"},
     .left = {"1 sealed before=0: a -24", "2 active cursor"}},
    // Until it is settled.
    {.name = "a dead claimer",
     .attached = {{.claim = Claim::claiming(7), .busy = true}},
     .found = {"1 sealed before=0: a -24", "2 active cursor"},
     .left = {"1 sealed before=0: a -24", "2 active cursor"}},
    {.name = "two generations, and who writes into the third",
     .attached = {busy_at(3, 2, 0)},
     .found = {"1 sealed before=0: a b", "2 sealed: c", "3 active cursor: busy:0+16"},
     .left = {"1 sealed closed before=0 messages=2: a b | ~", "2 sealed closed before=2 messages=1: c | ~",
              "3 active cursor before=3: busy:0+16"},
     .closed_through = 2},
    {.name = "a generation behind one that cannot be closed",
     .attached = {busy_at(1, 0, 0), idle_at(2, 1, 0)},
     .found = {"1 sealed before=0: busy:0+16", "2 sealed: a", "3 active cursor"},
     .left = {"1 sealed before=0: busy:0+16", "2 sealed: a", "3 active cursor"}},
};

BOOST_AUTO_TEST_SUITE(closing)

BOOST_DATA_TEST_CASE(a_generation_of_extents_is_closed_once_nobody_can_write_into_it, data::make(kExtents), one) {
  expect(Order::per_writer, OnFull::block, one);
}

BOOST_DATA_TEST_CASE(a_generation_of_frames_is_closed_once_nobody_can_write_into_it, data::make(kFrames), one) {
  expect(Order::total, OnFull::overwrite, one);
}

// In total order it would take a walk through the slab, and in a lossless stream nobody needs the number.
BOOST_AUTO_TEST_CASE(nobody_counts_where_nobody_needs_the_number) {
  const Case one{.name = "",
                 .attached = {},
                 .found = {"1 sealed before=0: a b", "2 active cursor"},
                 .left = {"1 sealed closed before=0: a b | ~", "2 active cursor"},
                 .closed_through = 1};
  expect(Order::total, OnFull::block, one);
}

// A closer that was killed between the descriptor's words and `closed_through` is followed by one that does the same.
BOOST_DATA_TEST_CASE(what_a_dead_closer_wrote_down_is_written_once_more, data::make(kOrders), order) {
  StateBuilder state{order, {.on_full = OnFull::overwrite}};
  const Lines lines =
      order == Order::total
          ? Lines{"1 sealed closed before=0 messages=1: a | ~", "2 active cursor before=1"}
          : Lines{"1 sealed closed before=0 messages=1: closed:0#1{@ a ~} | ~", "2 active cursor before=1"};
  state.write(lines);
  state.core().control().closed_through = 0;
  BOOST_TEST(broken_invariant(state.segment(), Motion::stopped) == "");
  close_now(state);
  BOOST_TEST(state.read() == lines, boost::test_tools::per_element());
  BOOST_TEST(state.core().control().closed_through.load() == 1U);
}

// Garbage may name any owner: nothing is written on its behalf.
BOOST_AUTO_TEST_CASE(an_extent_of_somebody_that_there_cannot_be_stays_open) {
  StateBuilder state{Order::per_writer};
  const Lines lines{"1 sealed before=0: open:4000{@ a 0}", "2 active cursor"};
  state.write(lines);
  close_now(state);
  BOOST_TEST(state.read() == lines, boost::test_tools::per_element());
  BOOST_TEST(state.core().control().closed_through.load() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
