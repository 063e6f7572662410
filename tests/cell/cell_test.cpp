// Cells: what a handle promises while nobody dies.
#include <boost/test/unit_test.hpp>

#include <thread>
#include <vector>

#include "cell/cell_core.hpp"
#include "cell_fixture.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

struct Point {
  double x, y;
};
struct NoDefault {
  explicit NoDefault(std::uint32_t of) noexcept : number(of) {}
  std::uint32_t number;
};

BOOST_AUTO_TEST_SUITE(cell)

BOOST_AUTO_TEST_CASE(what_was_stored_last_is_loaded) {
  const CellFixture fixture;
  Cell<Point> cell{fixture.segment, "point"};
  Cell<const Point> reader{Segment::open(fixture.name), "point"};
  BOOST_TEST(reader.version() == 0U);
  BOOST_TEST(reader.load().x == 0.0);
  BOOST_TEST(cell.store({1.5, -2.5}) == 1U);
  BOOST_TEST(reader.load().x == 1.5);
  BOOST_TEST(reader.load().y == -2.5);
  const auto [value, version] = reader.load_versioned();
  BOOST_TEST(value.x == 1.5);
  BOOST_TEST(version == 1U);
  // More often than there are copies.
  for (int i = 2; i < 20; ++i) {
    cell.store({static_cast<double>(i), 0});
    BOOST_TEST(reader.load().x == i);
    BOOST_TEST(cell.load().x == i);
  }
  BOOST_TEST(cell.version() == 19U);
}

BOOST_AUTO_TEST_CASE(it_begins_with_what_it_was_made_with) {
  const CellFixture fixture;
  Cell<NoDefault> cell{fixture.segment, "made", NoDefault{7}};
  Cell<NoDefault> other{fixture.segment, "made", NoDefault{8}};
  BOOST_TEST(cell.load().number == 7U);
  BOOST_TEST(other.load().number == 7U);
  BOOST_TEST(other.version() == 0U);
}

BOOST_AUTO_TEST_CASE(bytes_are_what_a_type_has) {
  const CellFixture fixture;
  const std::array<std::byte, 12> first{std::byte{7}};
  UntypedCell bytes = UntypedCell::open_or_create(fixture.segment, "bytes", first.size(), first);
  Cell<std::array<std::byte, 12>> typed{fixture.segment, "bytes"};
  BOOST_TEST((typed.load() == first));
  std::array<std::byte, 12> seen{};
  BOOST_TEST(typed.store({std::byte{8}}) == 1U);
  BOOST_TEST(bytes.load(seen) == 1U);
  BOOST_TEST((seen[0] == std::byte{8}));
  const auto count = [](std::span<std::byte> value) { value[11] = std::byte{9}; };
  BOOST_TEST(bytes.update(count) == 2U);
  BOOST_TEST((typed.load()[11] == std::byte{9}));
  BOOST_TEST(bytes.store(first) == 3U);
  BOOST_TEST((typed.load() == first));
  BOOST_TEST(bytes.version() == 3U);
  BOOST_TEST(!bytes.wait_changed(3, 0ms));
  BOOST_TEST(bytes.slot() != typed.slot());
  BOOST_TEST((UntypedCell::open_or_create(fixture.segment, "zeroes", 3).version() == 0U));

  UntypedCell reading = UntypedCell::open_to_read(fixture.segment, "bytes", 12);
  BOOST_TEST(reading.load(seen) == 3U);
  BOOST_TEST((error_of([&] { reading.store(first); }) == Errc::permission_denied));
  BOOST_TEST((error_of([&] { reading.update(count); }) == Errc::permission_denied));
}

BOOST_AUTO_TEST_CASE(bytes_of_another_size_are_refused) {
  const CellFixture fixture;
  const std::array<std::byte, 12> twelve{};
  const auto open = [&](std::size_t size, std::span<const std::byte> initial = {}) {
    return error_of([&] { UntypedCell::open_or_create(fixture.segment, "bytes", size, initial); });
  };
  for (const std::size_t size : {std::size_t{0}, layout::kMaxCellBytes + 1}) {
    BOOST_TEST((open(size) == Errc::invalid_argument));
    BOOST_TEST(
        (error_of([&] { UntypedCell::open_to_read(fixture.segment, "bytes", size); }) == Errc::invalid_argument));
  }
  BOOST_TEST((open(11, twelve) == Errc::invalid_argument));
  UntypedCell cell = UntypedCell::open_or_create(fixture.segment, "bytes", 12);
  BOOST_TEST((open(11) == Errc::incompatible));
  std::array<std::byte, 13> thirteen{};
  BOOST_TEST((error_of([&] { cell.load(thirteen); }) == Errc::invalid_argument));
  BOOST_TEST((error_of([&] { cell.store(thirteen); }) == Errc::invalid_argument));
  cell.close();
  BOOST_TEST((error_of([&] { cell.store(twelve); }) == Errc::invalid_argument));
}

// A size that is no whole word, one of many lines, and the largest.
BOOST_AUTO_TEST_CASE(values_of_any_size_are_whole) {
  const auto is_as_stored = [](auto value) {
    const CellFixture fixture;
    Cell<decltype(value)> cell{fixture.segment, "value"};
    for (unsigned round = 1; round <= 9; ++round) {
      value.fill(static_cast<std::uint8_t>(round));
      cell.store(value);
      if (cell.load() != value) return false;
    }
    return true;
  };
  BOOST_TEST(is_as_stored(std::array<std::uint8_t, 1>{}));
  BOOST_TEST(is_as_stored(std::array<std::uint8_t, 13>{}));
  BOOST_TEST(is_as_stored(std::array<std::uint8_t, 56>{}));
  BOOST_TEST(is_as_stored(std::array<std::uint8_t, 57>{}));
  BOOST_TEST(is_as_stored(std::array<std::uint8_t, layout::kMaxCellBytes>{}));
}

BOOST_AUTO_TEST_CASE(an_update_stands_on_the_newest_value) {
  const CellFixture fixture;
  Cell<std::uint64_t> one{fixture.segment, "count"};
  Cell<std::uint64_t> two{fixture.segment, "count"};
  one.store(5);
  int called = 0;
  const std::uint64_t version = one.update([&](std::uint64_t& value) {
    if (++called == 1) two.store(10);  // meanwhile
    value += 1;
  });
  BOOST_TEST(called == 2);
  BOOST_TEST(version == 3U);
  BOOST_TEST(two.load() == 11U);
  BOOST_CHECK_THROW(one.update([](std::uint64_t& value) {
    value = 99;
    throw std::runtime_error("no");
  }),
                    std::runtime_error);
  BOOST_TEST(two.load() == 11U);
  BOOST_TEST(two.version() == 3U);
}

BOOST_AUTO_TEST_CASE(a_value_of_another_size_is_refused) {
  const CellFixture fixture;
  const Cell<Point> cell{fixture.segment, "point"};
  BOOST_CHECK_EXCEPTION((Cell<std::uint32_t>{fixture.segment, "point"}), Error, [](const Error& error) {
    return error.errc() == Errc::incompatible && std::string(error.what()).find("16 bytes, not 4") != std::string::npos;
  });
}

BOOST_AUTO_TEST_CASE(who_only_reads_makes_nothing) {
  const CellFixture fixture;
  BOOST_CHECK_EXCEPTION((Cell<const Point>{fixture.segment, "point"}), Error,
                        [](const Error& error) { return error.errc() == Errc::not_found; });
  BOOST_TEST(fixture.segment.facilities().empty());
}

BOOST_AUTO_TEST_CASE(a_name_of_something_else_is_refused) {
  const CellFixture fixture;
  Pool::create(fixture.segment, "point", {.buffer_bytes = 64, .count = 4});
  BOOST_CHECK_EXCEPTION((Cell<Point>{fixture.segment, "point"}), Error,
                        [](const Error& error) { return error.errc() == Errc::exists; });
}

BOOST_AUTO_TEST_CASE(it_is_removed_once_nobody_has_it) {
  const CellFixture fixture;
  Cell<Point> cell{fixture.segment, "point"};
  Cell<const Point> reader{fixture.segment, "point"};
  const auto is_busy = [](const Error& error) { return error.errc() == Errc::busy; };
  BOOST_CHECK_EXCEPTION(Cell<Point>::remove(fixture.segment, "point"), Error, is_busy);
  cell.close();
  BOOST_CHECK_EXCEPTION(Cell<Point>::remove(fixture.segment, "point"), Error, is_busy);
  reader.close();
  BOOST_TEST(Cell<Point>::remove(fixture.segment, "point"));
  BOOST_TEST(!Cell<Point>::remove(fixture.segment, "point"));
  BOOST_CHECK_EXCEPTION(reader.load(), Error,
                        [](const Error& error) { return error.errc() == Errc::invalid_argument; });
}

BOOST_AUTO_TEST_CASE(who_waits_is_woken_by_the_next_value) {
  const CellFixture fixture;
  Cell<std::uint64_t> cell{fixture.segment, "value"};
  const Cell<const std::uint64_t> reader{fixture.segment, "value"};
  BOOST_TEST(!reader.wait_changed(0, 0ms));
  BOOST_TEST(!reader.wait_changed(0, 5ms));
  std::atomic<bool> was_woken{false};
  std::thread writer{[&] {
    const layout::Event& changed = fixture.open_core()->control().changed;
    eventually([&] { return changed.is_awaited(); });
    const std::uint32_t before = changed.wakes();
    cell.store(1);
    was_woken = changed.wakes() != before;
  }};
  BOOST_TEST(reader.wait_changed(0, kForever));
  writer.join();
  BOOST_TEST(was_woken.load());
  BOOST_TEST(reader.load() == 1U);
  BOOST_TEST(reader.wait_changed(0, 0ms));
  std::atomic<bool> stop{true};
  const Cell<const std::uint64_t> stopped{fixture.segment, "value", {.name = "stopped", .stop = &stop}};
  BOOST_TEST(!stopped.wait_changed(1, kForever));
}

BOOST_AUTO_TEST_CASE(segments_with_full_fences_have_cells_too) {
  const CellFixture fixture{8, Fences::full};
  Cell<std::uint64_t> cell{fixture.segment, "value"};
  const Cell<const std::uint64_t> reader{fixture.segment, "value"};
  std::thread writer{[&] { cell.store(1); }};
  BOOST_TEST(reader.wait_changed(0, kForever));
  writer.join();
  BOOST_TEST(reader.load() == 1U);
}

BOOST_AUTO_TEST_CASE(a_child_made_by_fork_is_told) {
  const CellFixture fixture;
  Cell<std::uint64_t> cell{fixture.segment, "value"};
  cell.store(5);
  const auto is_told = [&](const auto& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.errc() == Errc::forked;
    }
    return false;
  };
  Child child{[&](Link&) {
    const bool all = is_told([&] { cell.store(6); }) && is_told([&] { cell.load(); }) &&
                     is_told([&] { cell.version(); }) && is_told([&] { cell.wait_changed(5, 1ms); });
    if (!all) throw std::runtime_error("not told");
  }};
  BOOST_TEST(child.wait() == 0);
  BOOST_TEST(cell.load() == 5U);
  BOOST_TEST(cell.store(7) == 2U);
}

BOOST_AUTO_TEST_CASE(what_contradicts_itself_is_an_error) {
  const CellFixture fixture;
  Cell<std::uint64_t> cell{fixture.segment, "value"};
  cell.store(5);
  const auto core = fixture.open_core();
  const auto is_corrupt = [](const Error& error) { return error.errc() == Errc::corrupt; };
  layout::Word& current = core->control().current;
  const std::uint64_t good = current.load();
  // Beyond the copies, and one that is not of that version.
  for (const std::uint64_t bad : {std::uint64_t{0}, layout::CellCurrent::make(1, 9999).word,
                                  layout::CellCurrent::make(77, layout::CellCurrent{good}.copy()).word}) {
    current.store(bad);
    BOOST_CHECK_EXCEPTION(cell.load(), Error, is_corrupt);
    BOOST_CHECK_EXCEPTION(cell.update([](std::uint64_t&) {}), Error, is_corrupt);
  }
  current.store(0);
  BOOST_CHECK_EXCEPTION(cell.store(1), Error, is_corrupt);
  current.store(good);
  BOOST_TEST(cell.load() == 5U);
}

// Its copies are somebody else's by then.
BOOST_AUTO_TEST_CASE(a_handle_that_was_taken_for_dead_stores_nothing) {
  const CellFixture fixture;
  Cell<std::uint64_t> cell{fixture.segment, "value"};
  cell.store(5);
  layout::Word& registration = fixture.segment.core()->participant(0).registration;
  const std::uint64_t own = registration.exchange(0);
  fixture.open_core()->mark_settled(0);
  const auto is_told = [](const Error& error) { return error.errc() == Errc::declared_dead; };
  BOOST_CHECK_EXCEPTION(cell.store(6), Error, is_told);
  BOOST_CHECK_EXCEPTION(cell.update([](std::uint64_t& value) { value = 7; }), Error, is_told);
  BOOST_CHECK_EXCEPTION(cell.wait_changed(1, kForever), Error, is_told);
  BOOST_TEST(cell.load() == 5U);
  registration.store(own);
}

BOOST_AUTO_TEST_CASE(it_is_seen_from_outside) {
  const CellFixture fixture;
  Cell<Point> cell{fixture.segment, "point", {.name = "tracker"}};
  const Cell<const Point> reader{fixture.segment, "point", {.name = "screen"}};
  cell.store({1, 2});
  cell.store({3, 4});
  const Snapshot snapshot = inspect(fixture.segment);
  BOOST_TEST_REQUIRE(snapshot.facilities.size() == 1U);
  const FacilitySnapshot& seen = snapshot.facilities.front();
  BOOST_TEST(seen.info.kind == "cell");
  BOOST_TEST_REQUIRE(seen.cell.has_value());
  BOOST_TEST(seen.cell->value_bytes == sizeof(Point));
  BOOST_TEST(seen.cell->version == 2U);
  BOOST_TEST_REQUIRE(snapshot.participants.size() == 2U);
  BOOST_TEST(snapshot.participants[0].name == "tracker");
  BOOST_TEST((snapshot.participants[0].role == Role::editor));
  BOOST_TEST(snapshot.participants[1].name == "screen");
  BOOST_TEST((snapshot.participants[1].role == Role::viewer));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
