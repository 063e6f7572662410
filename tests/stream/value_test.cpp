// Values, ranges and texts as messages, and back.
#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <deque>
#include <vector>

#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

struct Tick {
  double price;
  std::uint32_t size;
  char symbol[4];

  bool operator==(const Tick&) const = default;
};

struct WithPointer {
  std::string text;
};

template <typename Message>
concept Writable = requires(Writer& writer, const Message& message) {
  writer.write(message);
};

static_assert(Writable<Tick> && Writable<int> && Writable<std::vector<Tick>> && Writable<std::array<int, 3>>);
static_assert(Writable<std::string> && Writable<char[5]> && Writable<std::span<const std::byte>>);
static_assert(!Writable<WithPointer> && !Writable<std::vector<std::string>> && !Writable<std::deque<int>>);
static_assert(!Writable<int*> && !Writable<int Tick::*>);

// What cannot be looked at in place is no range to be walked through in place.
template <typename Range>
concept Walkable = requires(Range range) {
  std::forward<Range>(range).begin();
};
static_assert(Walkable<PinnedRange&> && Walkable<const PinnedRange&> && !Walkable<PinnedRange>);

struct Stream {
  std::string next_text() {
    std::string text;
    for (const Frame& frame : reader.pin()) {
      text = frame.text();
      break;
    }
    return text;
  }

  HeapSegment segment;
  Reader reader{segment};
  Writer writer{segment};
};

BOOST_FIXTURE_TEST_SUITE(value, Stream)

BOOST_AUTO_TEST_CASE(a_value_comes_back) {
  const Tick tick{99.5, 7, {'A', 'B', 'C', 'D'}};
  BOOST_CHECK(writer.write(tick, 3) == Status::ok);
  for (const Frame& frame : reader.pin()) {
    BOOST_TEST(frame.type() == 3U);
    BOOST_CHECK(frame.as<Tick>() == tick);
    BOOST_CHECK(!frame.as<double>());
  }
  BOOST_TEST(reader.delivered() == 1U);
}

BOOST_AUTO_TEST_CASE(a_range_is_the_bytes_of_its_elements) {
  const std::vector<std::uint16_t> numbers{0x6261, 0x6463};
  BOOST_CHECK(writer.write(numbers) == Status::ok);
  BOOST_TEST(next_text() == "abcd");
  BOOST_CHECK(writer.write(std::array{'x', 'y'}, 1) == Status::ok);
  BOOST_TEST(next_text() == "xy");
  BOOST_CHECK(writer.write(std::vector<int>{}) == Status::ok);
  BOOST_TEST(next_text() == "");
  BOOST_TEST(reader.delivered() == 3U);
}

BOOST_AUTO_TEST_CASE(a_text_has_no_zero_behind_it) {
  BOOST_CHECK(writer.write("text") == Status::ok);
  BOOST_TEST(next_text() == "text");
  BOOST_CHECK(writer.write(std::string{"more"}) == Status::ok);
  BOOST_TEST(next_text() == "more");
}

// Also where nobody looks whether there is a slot, compilers have nothing to warn of.
BOOST_AUTO_TEST_CASE(a_slot_can_be_printed_into) {
  Reservation slot = writer.reserve(32);
  const int used = std::snprintf(slot.chars().data(), slot.chars().size(), "tick %d", 42);
  slot.commit(static_cast<std::size_t>(used));
  BOOST_TEST(next_text() == "tick 42");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
