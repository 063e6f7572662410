// Reclaiming and flipping, state by state: which slab is taken for the next generation, and what stands in its way
// (support/state_builder.hpp).
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "segment/maintenance_lock.hpp"
#include "stream/flip.hpp"
#include "stream/reclaim.hpp"
#include "support/invariants.hpp"
#include "support/state_builder.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;
using detail::FlipResult;
using layout::Claim;

using Lines = std::vector<std::string>;

// Four slabs, all of them in use.
const std::string kFirst = "1 sealed closed before=0 messages=0 | ~";
const std::string kSecond = "2 sealed closed before=0 messages=0 | ~";
const std::string kThird = "3 sealed closed before=0 messages=0 | ~";
const std::string kActive = "4 active cursor before=0";

Attached reader_holding(std::uint64_t generation, bool alive = true) {
  return {.role = Role::reader, .alive = alive, .hold = generation};
}
Attached reader_pinning(std::uint32_t slab, bool alive = true) {
  return {.role = Role::reader, .alive = alive, .pins = std::uint64_t{1} << slab};
}
Attached lossless_reader_pinning(std::uint64_t generation, std::uint32_t slab) {
  return {.role = Role::reader, .alive = true, .hold = generation, .pins = std::uint64_t{1} << slab};
}
Attached busy_at(std::uint64_t generation, std::uint32_t slab, std::uint64_t offset, std::uint64_t bytes) {
  return {.alive = true, .claim = Claim::located(generation, slab, offset), .busy = true, .claimed_bytes = bytes};
}

struct Case {
  const char* name;
  OnFull on_full = OnFull::block;
  std::vector<Attached> attached = {};
  Lines found;
  std::optional<std::uint32_t> taken;  // the slab
  Lines left;
};
std::ostream& operator<<(std::ostream& out, const Case& one) { return out << one.name; }

std::optional<std::uint32_t> take(const StateBuilder& state, bool& cleaning) {
  const detail::MaintenanceLock lock{state.core()};
  BOOST_TEST_REQUIRE(!!lock);
  const detail::ActiveSlab active = detail::load_active(state.core());
  detail::mend_states(state.core(), active);
  return detail::take_free_slab(state.core(), active, cleaning);
}

void expect(Order order, const Case& one) {
  StateBuilder state{order, {.on_full = one.on_full}};
  state.write(one.found);
  state.attach(one.attached);
  BOOST_TEST(broken_invariant(state.segment(), Motion::stopped) == "");
  bool cleaning = false;
  const auto slab = take(state, cleaning);
  BOOST_TEST((slab == one.taken), "slab " << (slab ? std::to_string(*slab) : "none"));
  BOOST_TEST(!cleaning);
  BOOST_TEST(state.read() == one.left, boost::test_tools::per_element());
  BOOST_TEST(broken_invariant(state.segment(), Motion::stopped) == "");
}

const Case kCases[] = {
    {.name = "the oldest, where nobody holds any",
     .found = {kFirst, kSecond, kThird, kActive},
     .taken = 0,
     .left = {"1 free", kSecond, kThird, kActive}},
    {.name = "the oldest, wherever it stands",
     .found = {kThird, kActive, kFirst, kSecond},
     .taken = 2,
     .left = {kThird, kActive, "1 free", kSecond}},
    {.name = "one that is free, and none is touched",
     .found = {kFirst, kSecond, "3 active cursor before=0"},
     .taken = 3,
     .left = {kFirst, kSecond, "3 active cursor before=0"}},
    {.name = "what no reader holds any more",
     .attached = {reader_holding(3), reader_holding(2)},
     .found = {kFirst, kSecond, kThird, kActive},
     .taken = 0,
     .left = {"1 free", kSecond, kThird, kActive}},
    {.name = "none that a reader holds",
     .attached = {reader_holding(4), reader_holding(1)},
     .found = {kFirst, kSecond, kThird, kActive},
     .taken = std::nullopt,
     .left = {kFirst, kSecond, kThird, kActive}},
    {.name = "none that a dead reader holds, until it is settled",
     .attached = {reader_holding(1, false)},
     .found = {kFirst, kSecond, kThird, kActive},
     .taken = std::nullopt,
     .left = {kFirst, kSecond, kThird, kActive}},
    {.name = "the next one where the oldest is pinned",
     .on_full = OnFull::overwrite,
     .attached = {reader_pinning(0)},
     .found = {kFirst, kSecond, kThird, kActive},
     .taken = 1,
     .left = {kFirst, "2 free", kThird, kActive}},
    {.name = "none where all are pinned",
     .on_full = OnFull::overwrite,
     .attached = {reader_pinning(2), reader_pinning(0), reader_pinning(1, false)},
     .found = {kFirst, kSecond, kThird, kActive},
     .taken = std::nullopt,
     .left = {kFirst, kSecond, kThird, kActive}},
    {.name = "the oldest where somebody pins the newest only",
     .attached = {lossless_reader_pinning(4, 3)},
     .found = {kFirst, kSecond, kThird, kActive},
     .taken = 0,
     .left = {"1 free", kSecond, kThird, kActive}},
    // Whoever said `reclaiming` had cleaned nothing yet, and may not have looked for pins.
    {.name = "one that was about to be reclaimed",
     .found = {"1 reclaiming closed before=0 messages=0 | ~", kSecond, kThird, kActive},
     .taken = 0,
     .left = {"1 free", kSecond, kThird, kActive}},
    {.name = "not one that was about to be reclaimed, and is pinned",
     .on_full = OnFull::overwrite,
     .attached = {reader_pinning(0)},
     .found = {"1 reclaiming closed before=0 messages=0 | ~", kSecond, kThird, kActive},
     .taken = 1,
     .left = {kFirst, "2 free", kThird, kActive}},
    // The decision was made: nobody asks for holds or pins again.
    {.name = "one that somebody began to clean, before any other",
     .on_full = OnFull::overwrite,
     .attached = {reader_pinning(1)},
     .found = {kFirst, "2 cleaning closed before=0 messages=0", kThird, kActive},
     .taken = 1,
     .left = {kFirst, "2 free", kThird, kActive}},
    {.name = "one that says active, and is not any more",
     .on_full = OnFull::overwrite,
     .attached = {reader_pinning(0), reader_pinning(1)},
     .found = {kFirst, kSecond, "3 active before=0", "4 active cursor"},
     .taken = 2,
     .left = {kFirst, kSecond, "3 free", kActive}},
    {.name = "one that has to be closed first",
     .on_full = OnFull::overwrite,
     .found = {"1 sealed before=0", "2 sealed", "3 sealed", "4 active cursor"},
     .taken = 0,
     .left = {"1 free", "2 sealed closed before=0 messages=0 | ~", "3 sealed closed before=0 messages=0 | ~",
              "4 active cursor before=0"}},
};

// What is cleaned, and what keeps a generation from being closed, differs.
const Case kExtents[] = {
    {.name = "a slab with a full table",
     .found = {"1 sealed closed before=0 messages=3: closed:0#1{@ a ~} closed:0x7#2{@ b c ~}", kSecond, kThird,
               kActive},
     .taken = 0,
     .left = {"1 free", kSecond, kThird, kActive}},
    {.name = "a slab whose table was half cleaned",
     .found = {"1 cleaning closed before=0 messages=4: - - - - closed:0#1{@ a ~} last:0<3 last:1<2 closed:3{~}",
               kSecond, kThird, kActive},
     .taken = 0,
     .left = {"1 free", kSecond, kThird, kActive}},
    {.name = "none where a reservation is open in the oldest",
     .attached = {busy_at(1, 0, 0, 16)},
     .found = {"1 sealed before=0: open:0{@ 0}", "2 sealed", "3 sealed", "4 active cursor"},
     .taken = std::nullopt,
     .left = {"1 sealed before=0: open:0{@ 0}", "2 sealed", "3 sealed", "4 active cursor"}},
};
const Case kFrames[] = {
    {.name = "a slab full of frames",
     .found = {"1 sealed closed before=0: a ~4064 b", kSecond, kThird, kActive},
     .taken = 0,
     .left = {"1 free", kSecond, kThird, kActive}},
    {.name = "a slab that was half cleaned",
     .found = {"1 cleaning closed before=0 messages=1 cleaned=2048: -2048 ~2032 a", kSecond, kThird, kActive},
     .taken = 0,
     .left = {"1 free", kSecond, kThird, kActive}},
    // What a step zeroed before its maker died does not count until it says so.
    {.name = "a slab that was half cleaned, by somebody who could not say so",
     .found = {"1 cleaning closed before=0 messages=1: -2048 ~2032 a", kSecond, kThird, kActive},
     .taken = 0,
     .left = {"1 free", kSecond, kThird, kActive}},
    {.name = "none where a frame is open in the oldest",
     .attached = {busy_at(1, 0, 0, 16)},
     .found = {"1 sealed before=0: busy:0+16", "2 sealed", "3 sealed", "4 active cursor"},
     .taken = std::nullopt,
     .left = {"1 sealed before=0: busy:0+16", "2 sealed", "3 sealed", "4 active cursor"}},
};

BOOST_AUTO_TEST_SUITE(reclaiming)

BOOST_DATA_TEST_CASE(the_slab_that_is_taken, data::make(kOrders) * data::make(kCases), order, one) {
  expect(order, one);
}

BOOST_DATA_TEST_CASE(the_slab_of_extents_that_is_taken, data::make(kExtents), one) { expect(Order::per_writer, one); }

BOOST_DATA_TEST_CASE(the_slab_of_frames_that_is_taken, data::make(kFrames), one) { expect(Order::total, one); }

// A slab of two steps: the first call takes one of them, and lets go.
BOOST_AUTO_TEST_CASE(a_large_slab_of_frames_is_cleaned_by_steps) {
  constexpr std::uint64_t kLarge = 2 * detail::kCleanAtOnce;
  StateBuilder state{Order::total, {.slab_bytes = kLarge}};
  state.write(
      {"1 sealed closed before=0: a ~2097136", "2 sealed closed | ~", "3 sealed closed | ~", "4 active cursor"});
  bool cleaning = false;
  BOOST_TEST(!take(state, cleaning).has_value());
  BOOST_TEST(cleaning);
  BOOST_TEST(state.read().front() == "1 cleaning closed before=0 cleaned=1048576: -2097152");
  cleaning = false;
  BOOST_TEST((take(state, cleaning) == std::optional<std::uint32_t>{0}));
  BOOST_TEST(!cleaning);
  BOOST_TEST(state.read().front() == "1 free");
}

BOOST_DATA_TEST_CASE(what_is_kept_for_a_first_reader_is_not_taken_before_it_has_come, data::make(kOrders), order) {
  StateBuilder state{order, {.retain = true}};
  const Lines lines{kFirst, kSecond, kThird, kActive};
  state.write(lines);
  bool cleaning = false;
  BOOST_TEST(!detail::may_have_free_slab(state.core()));
  BOOST_TEST(!take(state, cleaning).has_value());
  BOOST_TEST(state.read() == lines, boost::test_tools::per_element());
  state.core().control().reader_came = 1;
  BOOST_TEST(detail::may_have_free_slab(state.core()));
  BOOST_TEST((take(state, cleaning) == std::optional<std::uint32_t>{0}));
}

// What a dead reader held is free to be taken once it is settled.
BOOST_DATA_TEST_CASE(a_dead_readers_slabs_are_taken_once_it_is_settled, data::make(kOrders), order) {
  StateBuilder state{order};
  state.write({kFirst, kSecond, kThird, kActive});
  state.attach({reader_holding(1, false), reader_holding(2)});
  BOOST_TEST(recover(state.segment()).released == 1U);
  bool cleaning = false;
  BOOST_TEST((take(state, cleaning) == std::optional<std::uint32_t>{0}));
  const Lines left{"1 free", kSecond, kThird, kActive};
  BOOST_TEST(state.read() == left, boost::test_tools::per_element());
}

// --- Flips: the steps before and behind that -----------------------------------------------------------------------

struct Flip {
  const char* name;
  std::uint64_t full;  // the generation that a writer found to be full
  Lines found;
  Lines left;
};
std::ostream& operator<<(std::ostream& out, const Flip& one) { return out << one.name; }

const Flip kFlips[] = {
    {"from the first slab", 1, {"1 active cursor before=0"}, {"1 sealed before=0", "2 active cursor"}},
    {"to the slab that a dead flipper prepared, and no other",
     1,
     {"0 free", "1 active cursor before=0", "0 free", "2 active"},
     {"0 free", "1 sealed before=0", "0 free", "2 active cursor"}},
    {"to a slab that a dead flipper took, and did not prepare",
     3,
     {"3 active cursor before=0", "1 free", kSecond},
     {"3 sealed before=0", "4 active cursor", kSecond}},
    {"that a dead flipper made, and did not bring to its end",
     1,
     {"1 active before=0", "2 active cursor"},
     {"1 sealed before=0", "2 active cursor"}},
    {"that somebody else made", 1, {"1 sealed before=0", "2 active cursor"}, {"1 sealed before=0", "2 active cursor"}},
};

BOOST_DATA_TEST_CASE(a_flip_goes_on_where_a_dead_one_stood, data::make(kOrders) * data::make(kFlips), order, one) {
  StateBuilder state{order};
  state.write(one.found);
  BOOST_TEST(broken_invariant(state.segment(), Motion::stopped) == "");
  BOOST_TEST((detail::flip(state.core(), one.full) == FlipResult::done));
  BOOST_TEST(state.read() == one.left, boost::test_tools::per_element());
  BOOST_TEST(broken_invariant(state.segment(), Motion::stopped) == "");
}

BOOST_DATA_TEST_CASE(a_flip_that_finds_no_slab_leaves_all_as_it_is, data::make(kOrders), order) {
  StateBuilder state{order};
  const Lines lines{kFirst, kSecond, kThird, kActive};
  state.write(lines);
  state.attach({reader_holding(1)});
  BOOST_TEST((detail::flip(state.core(), 4) == FlipResult::full));
  BOOST_TEST(state.read() == lines, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
