// Whatever the bytes of a segment say, those who look at them get an error or an answer: no crash, no endless loop.
#include <fcntl.h>
#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstring>

#include "support/child.hpp"
#include "support/every_stream.hpp"
#include "support/hostile.hpp"
#include "support/main_stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

// What a child tells of itself in memory that outlives it.
struct Tale {
  std::atomic<std::uint64_t> seed{0};
  std::atomic<const char*> step{""};
  std::atomic<std::uint64_t> errors{0};  // seeds at which somebody noticed
};

// Random words, or words that were near the truth: one bit turned, or a word from elsewhere.
void corrupt(std::span<std::byte> bytes, Dice& dice) {
  const std::uint64_t words = bytes.size() / 8;
  const std::uint64_t count = dice.one_in(4) ? words : 1 + dice.below(8);
  for (std::uint64_t i = 0; i < count; ++i) {
    std::byte* const at = bytes.data() + 8 * (count == words ? i : dice.below(words));
    std::uint64_t word = 0;
    std::memcpy(&word, at, 8);
    switch (dice.below(4)) {
      case 0:
        word = dice.word();
        break;
      case 1:
        word ^= std::uint64_t{1} << dice.below(64);
        break;
      case 2:
        word = ~std::uint64_t{0};
        break;
      default:
        std::memcpy(&word, bytes.data() + 8 * dice.below(words), 8);
    }
    std::memcpy(at, &word, 8);
  }
}

template <typename Call>
bool notices(Tale& tale, const char* step, Call call) {
  tale.step = step;
  try {
    call();
    return false;
  } catch (const Error&) {
    return true;
  }
}

// All that a participant or an onlooker may do, each by itself.
bool use(const HeapMemory& memory, Tale& tale) {
  bool noticed = notices(tale, "open", [&] { static_cast<void>(Segment::open_in(memory)); });
  if (noticed) return true;
  const Segment segment = Segment::open_in(memory);
  noticed |= notices(tale, "inspect", [&] { inspect_all(segment); });
  noticed |= notices(tale, "dump", [&] { dump_all(segment); });
  for (const From from : {From::oldest, From::newest}) {
    noticed |= notices(tale, "read", [&] { read_all(segment, from, 1ms); });
  }
  noticed |= notices(tale, "recover", [&] { recover(segment); });
  noticed |= notices(tale, "write", [&] { write_many(segment, 1ms); });
  noticed |= notices(tale, "read and write", [&] { write_and_read(segment, 1ms); });
  noticed |= notices(tale, "inspect again", [&] { inspect_all(segment); });
  return noticed;
}

BOOST_AUTO_TEST_SUITE(garbage)

BOOST_DATA_TEST_CASE(random_bytes_do_no_harm, kEveryStream* data::xrange(7), order, on_full, region) {
  constexpr std::uint64_t kSeeds = kSlow ? 8 : 20;
  const SharedMemory shared{4096};
  Tale& tale = *new (shared.bytes().data()) Tale{};
  const std::uint64_t first = base_seed() * 1000;
  const SegmentOptions options{.slabs = 3,
                               .slab_bytes = 4096,
                               .order = order,
                               .extent_bytes = order == Order::per_writer ? 512u : 0u,
                               .on_full = on_full,
                               .participants = 8};
  Child victim{[&](Link&) {
    for (std::uint64_t seed = first; seed < first + kSeeds; ++seed) {
      tale.seed = seed;
      Dice dice{seed};
      HeapMemory copy{options};
      {
        const Busy busy{options};
        std::memcpy(copy.bytes().data(), busy.segment.memory.bytes().data(), copy.bytes().size());
        const Region where = regions_of(busy.segment).at(static_cast<std::size_t>(region));
        corrupt(copy.bytes().subspan(where.begin, where.end - where.begin), dice);
        // In every other round those who were at work live on; afterwards they are dead.
        if (dice.one_in(2) && use(copy, tale)) ++tale.errors;
      }
      if (use(copy, tale)) ++tale.errors;
    }
  }};
  const int status = victim.wait();
  BOOST_TEST_CONTEXT("seed " << tale.seed.load() << ", at: " << tale.step.load()) { BOOST_TEST(status == 0); }
  BOOST_TEST_MESSAGE("noticed in " << tale.errors.load() << " of " << kSeeds << " or more uses");
}

// The header too: here opening itself is what must hold.
BOOST_DATA_TEST_CASE(a_random_header_is_refused_or_harmless, data::make(kOrders), order) {
  const SegmentOptions options{.slab_bytes = 4096, .order = order, .participants = 4};
  const HeapMemory original{options};
  static_cast<void>(Segment::create_in(original, options));
  const std::uint64_t first = base_seed();
  std::uint64_t refused = 0;
  for (std::uint64_t seed = first; seed < first + 2000; ++seed) {
    Dice dice{seed};
    HeapMemory copy{options};
    std::memcpy(copy.bytes().data(), original.bytes().data(), copy.bytes().size());
    corrupt(copy.bytes().first(sizeof(layout::SegmentHeader)), dice);
    BOOST_TEST_CONTEXT("seed " << seed) {
      const Errc code = error_of([&] { static_cast<void>(Segment::open_in(copy)); });
      if (code != nothing()) ++refused;
      BOOST_TEST((code == nothing() || code == Errc::incompatible || code == Errc::corrupt || code == Errc::not_found));
    }
  }
  BOOST_TEST(refused > 1000U);
}

// dump works on a name: the same with the file of a named segment.
BOOST_DATA_TEST_CASE(a_dump_of_random_bytes_ends, data::make(kOrders), order) {
  const SegmentOptions options{.slab_bytes = 4096, .order = order, .participants = 8};
  const TestName name;
  const Segment segment = Segment::create(name, options);
  const SharedMemory shared{4096};
  Tale& tale = *new (shared.bytes().data()) Tale{};
  const std::uint64_t first = base_seed();
  const Busy busy{options};
  Child victim{[&](Link&) {
    const int file = ::open(("/dev/shm/sapbuf." + name.str()).c_str(), O_RDWR);
    for (std::uint64_t seed = first; seed < first + 200; ++seed) {
      tale.seed = seed;
      Dice dice{seed};
      std::vector<std::byte> bytes(busy.segment.memory.bytes().begin(), busy.segment.memory.bytes().end());
      const std::size_t begin = dice.one_in(2) ? layout::kPageBytes : bytes.size() - 2 * options.slab_bytes;
      corrupt(std::span{bytes}.subspan(begin), dice);
      if (::pwrite(file, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        throw std::runtime_error("pwrite failed");
      }
      if (notices(tale, "dump", [&] { dump(name, [](const FrameRecord&) {}); })) ++tale.errors;
      if (notices(tale, "inspect", [&] { inspect(name); })) ++tale.errors;
    }
  }};
  const int status = victim.wait();
  BOOST_TEST_CONTEXT("seed " << tale.seed.load() << ", at: " << tale.step.load()) { BOOST_TEST(status == 0); }
  BOOST_TEST(tale.errors.load() != 0U);
}

// An error on the way in must not cost a slot.
BOOST_DATA_TEST_CASE(a_reader_that_could_not_attach_takes_no_slot, data::make(kOrders), order) {
  const HeapSegment segment{{.slab_bytes = 4096, .order = order, .participants = 1}};
  layout::Word& cursor = main_stream(segment).control().cursor;
  const std::uint64_t right = cursor.exchange(layout::Cursor::make(77, 60, 0).word);
  for (int i = 0; i < 3; ++i) BOOST_TEST(error_of([&] { const Reader reader{segment}; }) == Errc::corrupt);
  cursor = right;
  BOOST_TEST(error_of([&] { const Reader reader{segment}; }) == nothing());
}

// Whoever attaches, and whoever looks after the segment, learns of it although nobody died.
BOOST_DATA_TEST_CASE(recovery_says_that_the_cursor_points_nowhere, data::make(kOrders), order) {
  const HeapSegment segment{{.slab_bytes = 4096, .order = order, .participants = 2}};
  BOOST_TEST(error_of([&] { recover(segment); }) == nothing());
  main_stream(segment).control().cursor = layout::Cursor::make(1, 60, 0).word;
  BOOST_TEST(error_of([&] { recover(segment); }) == Errc::corrupt);
  BOOST_TEST(error_of([&] { const Writer writer{segment}; }) == Errc::corrupt);
}

// Closers revoke what the cursor has left. A writer that believed in any other revocation would claim anew for ever.
BOOST_AUTO_TEST_CASE(a_revocation_that_no_sealer_made_is_an_error) {
  const HeapSegment segment{{.slab_bytes = 4096, .participants = 4}};
  Writer writer{segment, {.timeout = 0ms}};
  BOOST_TEST(writer.write("right") == Status::ok);
  layout::Word& revoked = main_stream(segment).slot(writer.slot()).revoked;
  for (const std::uint64_t generation : {std::uint64_t{1}, ~std::uint64_t{0}}) {
    revoked = generation;
    BOOST_TEST(writer.write("revoked") == Status::corrupt);
  }
  revoked = 0;
  BOOST_TEST(writer.write("right again") == Status::ok);
}

// Puts a generation into a slab, and the cursor there.
void place_generation(const Segment& segment, std::uint64_t generation, std::uint32_t slab) {
  main_stream(segment).descriptor(slab).life = layout::SlabLife::make(generation, layout::SlabState::active).word;
  main_stream(segment).control().cursor = layout::Cursor::make(generation, slab, 0).word;
}

BOOST_DATA_TEST_CASE(a_reader_that_lost_everything_says_so_each_time, data::make(kOrders), order) {
  const HeapSegment segment{{.slab_bytes = 4096, .order = order, .on_full = OnFull::overwrite, .participants = 4}};
  place_generation(segment, 7, 1);
  main_stream(segment).descriptor(0).life = 0;
  Reader reader{segment};
  place_generation(segment, 1, 0);
  main_stream(segment).descriptor(1).life = 0;
  for (int i = 0; i < 3; ++i) BOOST_TEST(error_of([&] { static_cast<void>(texts(reader)); }) == Errc::corrupt);
}

// What a lossless reader holds cannot go away, so there is a slab for each generation that it has not finished.
BOOST_DATA_TEST_CASE(more_generations_than_slabs_are_an_error, data::make(kOrders), order) {
  const SegmentOptions options{.slabs = 3, .slab_bytes = 4096, .order = order, .participants = 4};
  const HeapSegment segment{options};
  Reader reader{segment};
  Writer writer{segment};
  const Reservation unfinished = writer.reserve(8);
  main_stream(segment).descriptor(0).limit_bytes = options.slab_bytes;
  Errc seen = nothing();
  for (std::uint64_t generation = 2; generation < 100 && seen == nothing(); ++generation) {
    place_generation(segment, generation, 1 + generation % 2);
    seen = error_of([&] { reader.wait_for(0ms); });
  }
  BOOST_TEST(seen == Errc::corrupt);
  place_generation(segment, 1, 0);
}

// What a reader meets in a frame that makes no sense is an error, at the latest with its next call.
BOOST_DATA_TEST_CASE(a_frame_that_makes_no_sense_is_an_error, kEveryStream, order, on_full) {
  const HeapSegment segment{{.slab_bytes = 4096, .order = order, .on_full = on_full}};
  Reader reader{segment};
  Writer writer{segment};
  BOOST_TEST(writer.write("right") == Status::ok);
  std::byte* const slab = main_stream(segment).slab_for_writing(0);
  const std::size_t at = order == Order::per_writer ? layout::kExtentFrameBytes : 0;
  for (const std::uint64_t word :
       {layout::FrameHeader::message(1 << 20, 0).word,
        layout::FrameHeader::make(layout::FrameKind::nop, 0xffff'ffff).word, ~std::uint64_t{0}}) {
    layout::word_at(slab + at).store(word);
    const auto look = [&] {
      static_cast<void>(texts(reader));
      reader.wait_for(0ms);
    };
    BOOST_TEST(error_of(look) == Errc::corrupt);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
