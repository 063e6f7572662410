// Size classes: how far apart they are, and how their buffers stand in blocks.
#include <boost/test/unit_test.hpp>

#include <sapbuf/layout/pool_chunk.hpp>
#include <sapbuf/layout/size_class.hpp>

namespace sapbuf::test {
namespace {

using namespace layout;

BOOST_AUTO_TEST_SUITE(size_class)

BOOST_AUTO_TEST_CASE(each_class_is_the_smallest_one_that_serves_its_sizes) {
  for (std::uint32_t number = 0; number < kMaxSizeClasses; ++number) {
    const std::uint32_t pieces = pieces_of(number);
    BOOST_TEST_REQUIRE(size_class_of(pieces) == number);
    if (number == 0) continue;
    const std::uint32_t before = pieces_of(number - 1);
    BOOST_TEST_REQUIRE(size_class_of(before + 1) == number);
    BOOST_TEST_REQUIRE((pieces == before + 1 || (pieces - before) * 8 <= before));
  }
}

BOOST_AUTO_TEST_CASE(blocks_are_small_and_leave_little_over) {
  for (std::uint32_t number = 0; number < kMaxSizeClasses; ++number) {
    const BlockShape shape = block_shape_of(number, kChunkBuffers);
    const std::uint32_t all = shape.chunks * kChunkBuffers;
    BOOST_TEST_REQUIRE(shape.pieces == pieces_of(number));
    BOOST_TEST_REQUIRE((shape.buffers >= 1 && shape.buffers <= 64));
    BOOST_TEST_REQUIRE(shape.buffers * shape.pieces <= all);
    BOOST_TEST_REQUIRE((all - shape.buffers * shape.pieces) * 16 <= all);
    BOOST_TEST_REQUIRE((shape.chunks <= 13 || shape.buffers == 1));
  }
}

BOOST_AUTO_TEST_CASE(a_chunks_word_says_which_class_or_how_far_back) {
  const ChunkWord split = ChunkWord::make_split(199, 1023);
  BOOST_TEST(split.is_split_for(199));
  BOOST_TEST(!split.is_split_for(198));
  BOOST_TEST(split.owner() == 1023U);
  BOOST_TEST(split.is_noted());
  BOOST_TEST(!split.with_note(false).is_noted());
  BOOST_TEST(split.with_note(false).is_split_for(199));
  const ChunkWord joining = split.changed_to(ChunkState::joining, 7);
  BOOST_TEST((joining.state() == ChunkState::joining));
  BOOST_TEST(joining.size_class() == 199U);
  BOOST_TEST(joining.owner() == 7U);
  const ChunkWord tail = ChunkWord::make_tail((1u << 21) - 1);
  BOOST_TEST((tail.state() == ChunkState::tail));
  BOOST_TEST(tail.back() == (1U << 21) - 1);
  BOOST_TEST(ChunkWord::make_split(0, 0).word == 0x101U);
  BOOST_TEST(ChunkWord{}.word == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
