// Pools in memory that the caller supplies, and that holds something: their buffers' bytes are neither read nor
// written.
#include <sys/mman.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <csignal>

#include "pool/pool_core.hpp"
#include "pool_fixture.hpp"
#include "support/memory.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;

constexpr SegmentOptions kSmall{.slab_bytes = 4096, .participants = 8};
constexpr std::uint64_t kPage = 4096;

std::byte content_at(std::size_t index) { return static_cast<std::byte>(index % 251 + 1); }

// Pages that nobody may touch meanwhile: whoever does is killed by it.
class Untouchable {
 public:
  explicit Untouchable(std::span<std::byte> pages) : pages_(pages) { protect(PROT_NONE); }
  Untouchable(const Untouchable&) = delete;
  Untouchable& operator=(const Untouchable&) = delete;
  ~Untouchable() { ::mprotect(pages_.data(), pages_.size(), PROT_READ | PROT_WRITE); }

 private:
  void protect(int how) {
    if (::mprotect(pages_.data(), pages_.size(), how) != 0) throw std::runtime_error("mprotect failed");
  }
  std::span<std::byte> pages_;
};

PoolOptions options_of(bool has_classes) {
  if (has_classes) return PoolOptions::for_sizes(64, kPage, 256 * kPage, 512 * kPage);
  return {.buffer_bytes = kPage, .count = 256, .max_count = 512};
}

// A memfd with content, and a segment that was made in it.
struct FullMemory {
  FullMemory() : memory(Segment::bytes_needed(kSmall) + (std::size_t{4} << 20)) {
    for (std::size_t i = 0; i < memory.bytes().size(); ++i) memory.bytes()[i] = content_at(i);
    segment.emplace(Segment::create_in(memory, kSmall));
  }

  // What stands behind the pool's tables: its buffers, those that it may grow by, and what is nobody's.
  std::span<std::byte> behind_tables(const Pool& pool) const {
    buffers_at = pool.core()->geometry().buffers_at;
    return memory.bytes().subspan(buffers_at);
  }
  bool is_intact() const {
    const std::span<const std::byte> bytes = memory.bytes();
    for (std::size_t i = buffers_at; i < bytes.size(); ++i) {
      if (bytes[i] != content_at(i)) return false;
    }
    return true;
  }

  SharedMemory memory;
  std::optional<Segment> segment;
  mutable std::size_t buffers_at = 0;  // of the pool that was asked for last
};

// As one user does it all.
void use(const Pool& pool) {
  PoolUser user{pool};
  PoolUser other{pool};
  std::vector<Buffer> all;
  while (Buffer buffer = user.acquire(kPage)) all.push_back(std::move(buffer));
  BOOST_TEST(all.size() == 512U);  // it grew
  all.clear();
  const Run run = user.acquire_run(100);
  BOOST_TEST(static_cast<bool>(run));
  Buffer shared = user.acquire(kPage);
  const BufferReference reference = shared.share();
  const Buffer adopted = other.adopt(reference);
  BOOST_TEST(static_cast<bool>(adopted));
  shared.release();
  all.clear();
  while (Buffer buffer = other.acquire(kPage)) all.push_back(std::move(buffer));
  BOOST_TEST((other.acquire(kPage).status() == Status::exhausted));
}

void attach_and_read(const Segment& segment, const Pool& pool) {
  Reader reader{segment};
  Writer writer{segment};
  PoolUser user{pool};
  for (int i = 0; i < 20; ++i) {
    Reservation slot = writer.reserve(8);
    BOOST_TEST_REQUIRE(static_cast<bool>(slot.attach(user.acquire(kPage))));
    slot.commit();
    for (const Frame& frame : reader.pin()) {
      for (const BufferReference& each : frame.attachments()) BOOST_TEST(static_cast<bool>(user.adopt(each)));
    }
  }
}

// One that has buffers alone, shares one, and attaches one, and is killed.
void die_with_buffers(const FullMemory& full) {
  Child victim{[&](Link& link) {
    const Memory again = full.memory.map_again();
    const Segment segment = Segment::open_in(again);
    const Pool pool = Pool::open(segment, "frames");
    const Untouchable buffers{again.bytes.subspan(full.buffers_at)};
    PoolUser user{pool};
    Writer writer{segment};
    const Buffer one = user.acquire(kPage);
    Buffer two = user.acquire(kPage);
    two.share();
    const Run run = user.acquire_run(64);
    Reservation slot = writer.reserve(8);
    slot.attach(user.acquire(kPage));
    link.say(static_cast<bool>(one) && static_cast<bool>(two) && static_cast<bool>(run) ? 1 : 0);
    link.hear();
  }};
  BOOST_TEST(victim.hear() == 1U);
  victim.kill();
  BOOST_TEST(recover(*full.segment).dead.size() == 2U);
}

BOOST_AUTO_TEST_SUITE(pool_supplied)

BOOST_DATA_TEST_CASE(no_byte_of_a_buffer_is_touched, data::make({false, true}), has_classes) {
  const FullMemory full;
  {
    const Pool pool = Pool::create(*full.segment, "frames", options_of(has_classes));
    const std::span<std::byte> buffers = full.behind_tables(pool);
    BOOST_TEST(full.is_intact());
    const Untouchable meanwhile{buffers};
    use(pool);
    attach_and_read(*full.segment, pool);
    die_with_buffers(full);
    BOOST_TEST(inspect(*full.segment).participants.empty());
    BOOST_TEST(pool.trim() == 0U);
    use(pool);
    BOOST_TEST(Pool::remove(*full.segment, "frames"));
  }
  BOOST_TEST(full.is_intact());
}

BOOST_DATA_TEST_CASE(a_pool_finds_in_its_buffers_what_the_memory_held, data::make({false, true}), has_classes) {
  const FullMemory full;
  for (int round = 0; round < 2; ++round) {
    const Pool pool = Pool::create(*full.segment, "frames", options_of(has_classes));
    const std::byte* const begin = full.memory.bytes().data();
    PoolUser user{pool};
    for (const Buffer& buffer : take_all(user)) {
      const std::span<const std::byte> bytes = buffer.bytes();
      BOOST_TEST_REQUIRE((bytes.front() == content_at(static_cast<std::size_t>(&bytes.front() - begin))));
      BOOST_TEST_REQUIRE((bytes.back() == content_at(static_cast<std::size_t>(&bytes.back() - begin))));
    }
    user.close();
    BOOST_TEST(Pool::remove(*full.segment, "frames"));
  }
}

// The tables are another thing: whatever stood there, the pool's own begin with nobody.
BOOST_DATA_TEST_CASE(who_dies_over_it_leaves_what_the_memory_held, data::make({false, true}), has_classes) {
  const FullMemory full;
  full.behind_tables(Pool::create(*full.segment, "frames", options_of(has_classes)));
  BOOST_TEST(Pool::remove(*full.segment, "frames"));
  int ended = -SIGKILL;
  for (unsigned nth = 1; ended == -SIGKILL; ++nth) {
    Child victim{[&](Link&) {
      const Segment segment = Segment::open_in(full.memory.map_again());
      kill_point::arm(KillPoint::any, kill_self, nth);
      Pool::create(segment, "frames", options_of(has_classes)).grow_to(options_of(has_classes).max_count);
      Pool::remove(segment, "frames");
    }};
    ended = victim.wait();
    recover(*full.segment);
    {
      const Pool pool = Pool::open_or_create(*full.segment, "frames", options_of(has_classes));
      BOOST_TEST(full.behind_tables(pool).size() != 0U);
      use(pool);
    }
    BOOST_TEST_REQUIRE(Pool::remove(*full.segment, "frames"));
    BOOST_TEST_REQUIRE(full.is_intact());
  }
  BOOST_TEST(ended == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
