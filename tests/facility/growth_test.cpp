// A region that grows while others use it: no remapping, a size that is true, and nothing left behind by the dead.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include <sapbuf/detail/kill_point.hpp>

#include "facility/tape.hpp"
#include "support/child.hpp"
#include "support/skip.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;

const SegmentOptions kSmall{.slab_bytes = 16384, .participants = 8};
constexpr std::uint64_t kMany = 262'144;  // pages: 1 GiB

std::uint64_t allocated_bytes(const TestName& name) {
  struct stat file {};
  if (::stat(("/dev/shm/sapbuf." + name.str()).c_str(), &file) != 0) throw std::runtime_error("no such file");
  return static_cast<std::uint64_t>(file.st_blocks) * 512;
}

FacilityInfo info(const Segment& segment, std::string_view name) {
  for (const FacilityInfo& facility : segment.facilities()) {
    if (facility.name == name) return facility;
  }
  throw std::runtime_error("not in the directory");
}

// The message of the Error that `call` throws with this code.
template <typename Call>
std::string error_of(Errc code, Call call) {
  try {
    call();
  } catch (const Error& error) {
    BOOST_TEST((error.errc() == code), error.what());
    return error.what();
  }
  BOOST_ERROR("no error");
  return {};
}

BOOST_AUTO_TEST_SUITE(growth)

BOOST_AUTO_TEST_CASE(only_what_it_has_is_allocated) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  const std::uint64_t before = allocated_bytes(name);
  Tape::make(segment, "tape", 2, kMany);
  BOOST_TEST(allocated_bytes(name) == before + 3 * layout::kPageBytes);
  // What it may grow to is in nobody's figures, also with something behind it.
  Stream::create(segment, "behind", {.slab_bytes = 16384});
  BOOST_TEST(segment.bytes() == allocated_bytes(name));
  BOOST_TEST(inspect(segment).bytes == allocated_bytes(name));
  BOOST_TEST(info(segment, "tape").bytes == 3 * layout::kPageBytes);
  BOOST_TEST(info(segment, "tape").most_bytes == (1 + kMany) * layout::kPageBytes);
}

BOOST_AUTO_TEST_CASE(others_see_it_grow_where_they_have_it) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  Tape::make(segment, "tape", 1, kMany);
  Child other{[&](Link& link) {
    const auto tape = Tape::find(Segment::open(name), "tape");
    tape->cell(0).store(1);
    link.say(tape->pages());
    link.hear();
    for (std::uint64_t index = 0; index < tape->pages() * kCellsPerPage; ++index) tape->cell(index).fetch_add(1);
    link.say(tape->pages());
  }};
  BOOST_TEST(other.hear() == 1U);
  const auto tape = Tape::find(segment, "tape");
  tape->grow_to(1000);
  other.say(1);
  BOOST_TEST(other.hear() == 1000U);
  BOOST_TEST(other.wait() == 0);
  BOOST_TEST(tape->pages() == 1000U);
  BOOST_TEST(tape->sum() == 1000 * kCellsPerPage + 1);
}

// What is behind it in the file stays, and what it gave back is used anew.
BOOST_AUTO_TEST_CASE(it_grows_between_others) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  Tape::make(segment, "first", 1, 64);
  Tape::make(segment, "second", 1, 64);
  const std::uint64_t second_at = info(segment, "second").offset;
  const auto second = Tape::find(segment, "second");
  second->cell(0).store(7);
  const std::uint64_t before = allocated_bytes(name);
  {
    const auto first = Tape::find(segment, "first");
    first->grow_to(64);
    for (std::uint64_t index = 0; index < 64 * kCellsPerPage; ++index) first->cell(index).store(1);
  }
  BOOST_TEST(second->cell(0).load() == 7U);
  BOOST_TEST(detail::directory::remove(*segment.core(), "first"));
  BOOST_TEST(allocated_bytes(name) == before - 2 * layout::kPageBytes);
  Tape::make(segment, "third", 1, 64);
  BOOST_TEST(info(segment, "third").offset < second_at);
  const auto third = Tape::find(segment, "third");
  third->grow_to(64);
  BOOST_TEST(third->sum() == 0U);
}

BOOST_AUTO_TEST_CASE(it_ends_where_it_may_grow_no_further) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  Tape::make(segment, "tape", 1, 4);
  const auto tape = Tape::find(segment, "tape");
  const std::string text = error_of(Errc::no_space, [&] { tape->grow_to(5); });
  BOOST_TEST(text.find("'tape'") != std::string::npos);
  BOOST_TEST(text.find("may grow to 20480 bytes") != std::string::npos);
  BOOST_TEST(tape->pages() == 1U);
  tape->grow_to(4);
  tape->grow_to(2);  // it has more
  BOOST_TEST(tape->pages() == 4U);
}

BOOST_AUTO_TEST_CASE(where_the_system_has_no_room_it_stays_as_it_was) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  Tape::make(segment, "tape", 1, kMany);
  const std::uint64_t before = allocated_bytes(name);
  Child grower{[&](Link&) {
    const auto tape = Tape::find(Segment::open(name), "tape");
    const rlimit small{1 << 20, 1 << 20};
    if (::setrlimit(RLIMIT_FSIZE, &small) != 0) throw std::runtime_error("cannot set the limit");
    try {
      tape->grow_to(kMany);
    } catch (const Error& error) {
      if (error.errc() != Errc::no_space || tape->pages() != 1) throw;
      return;
    }
    throw std::runtime_error("it grew");
  }};
  BOOST_TEST(grower.wait() == 0);
  BOOST_TEST(allocated_bytes(name) == before);
  Tape::find(segment, "tape")->grow_to(2);
  BOOST_TEST(Tape::find(segment, "tape")->sum() == 0U);
}

// A process that cannot have so many addresses uses what there was when it came.
BOOST_AUTO_TEST_CASE(a_process_without_addresses_for_all_of_it_uses_what_there_is) {
  if (kUnderSanitizer) {
    skip("a sanitizer takes all address space");
    return;
  }
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  Tape::make(segment, "tape", 3, kMany);
  Child poor{[&](Link& link) {
    const rlimit limit{512 << 20, 512 << 20};
    if (::setrlimit(RLIMIT_AS, &limit) != 0) throw std::runtime_error("cannot set the limit");
    const auto tape = Tape::find(Segment::open(name), "tape");
    tape->cell(3 * kCellsPerPage - 1).store(5);
    link.say(tape->pages_in_reach());
    link.hear();
    link.say(tape->pages_in_reach());
    link.say(tape->pages());
  }};
  BOOST_TEST(poor.hear() == 3U);
  const auto tape = Tape::find(segment, "tape");
  BOOST_TEST(tape->pages_in_reach() == kMany);
  tape->grow_to(100);
  poor.say(1);
  BOOST_TEST(poor.hear() == 3U);
  BOOST_TEST(poor.hear() == 100U);
  BOOST_TEST(poor.wait() == 0);
  BOOST_TEST(tape->sum() == 5U);
}

BOOST_DATA_TEST_CASE(whoever_extends_it_may_die_at_any_step,
                     data::make({KillPoint::create_fits, KillPoint::growth_allocated, KillPoint::growth_published}),
                     point) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  const std::uint64_t before = allocated_bytes(name);
  Tape::make(segment, "tape", 1, kMany);
  const auto tape = Tape::find(segment, "tape");
  Child grower{[&](Link&) {
    const auto own = Tape::find(Segment::open(name), "tape");
    kill_point::arm(point, kill_self);
    own->grow_to(200);
  }};
  BOOST_TEST(grower.wait() == -SIGKILL);
  BOOST_TEST(tape->pages() == (point == KillPoint::growth_published ? 200U : 1U));
  // Removed, it leaves nothing; used on, it grows as if nobody had died.
  tape->grow_to(300);
  BOOST_TEST(tape->pages() == 300U);
  BOOST_TEST(tape->sum() == 0U);
  BOOST_TEST(detail::directory::remove(*segment.core(), "tape"));
  BOOST_TEST(allocated_bytes(name) == before);
}

BOOST_AUTO_TEST_CASE(what_a_dead_one_allocated_goes_with_the_region) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  const std::uint64_t before = allocated_bytes(name);
  Tape::make(segment, "tape", 1, kMany);
  Child grower{[&](Link&) {
    const auto own = Tape::find(Segment::open(name), "tape");
    kill_point::arm(KillPoint::growth_allocated, kill_self);
    own->grow_to(200);
  }};
  BOOST_TEST(grower.wait() == -SIGKILL);
  BOOST_TEST(allocated_bytes(name) == before + 201 * layout::kPageBytes);
  BOOST_TEST(detail::directory::remove(*segment.core(), "tape"));
  BOOST_TEST(allocated_bytes(name) == before);
}

// Each extends it by a page, and writes into all that there is: whatever one sees, it may touch.
BOOST_AUTO_TEST_CASE(many_extend_it_at_once) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  Tape::make(segment, "tape", 1, 500);
  std::vector<std::unique_ptr<Child>> growers;
  for (int i = 0; i < 4; ++i) {
    growers.push_back(std::make_unique<Child>([&](Link&) {
      const auto tape = Tape::find(Segment::open(name), "tape");
      for (int step = 0; step < 50; ++step) {
        tape->grow_to(std::min<std::uint64_t>(tape->pages() + 1, 500));
        tape->cell(tape->pages() * kCellsPerPage - 1).fetch_add(1);
      }
    }));
  }
  for (const auto& grower : growers) BOOST_TEST(grower->wait() == 0);
  const auto tape = Tape::find(segment, "tape");
  BOOST_TEST(tape->pages() > 50U);
  BOOST_TEST(tape->sum() == 200U);
}

// Memory that the caller supplied ends where it ends.
BOOST_DATA_TEST_CASE(in_supplied_memory_it_ends_with_that, data::make({false, true}), in_memfd) {
  const std::uint64_t bytes = Segment::bytes_needed(kSmall) + 40 * layout::kPageBytes;
  const int descriptor = in_memfd ? ::memfd_create("growth", MFD_CLOEXEC) : -1;
  if (in_memfd) BOOST_TEST_REQUIRE(::ftruncate(descriptor, static_cast<off_t>(bytes)) == 0);
  const int flags = in_memfd ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, descriptor, 0);
  BOOST_TEST_REQUIRE(memory != MAP_FAILED);
  {
    const Segment segment =
        Segment::create_in({.bytes = {static_cast<std::byte*>(memory), bytes}, .descriptor = descriptor}, kSmall);
    Tape::make(segment, "tape", 1, kMany);
    const auto tape = Tape::find(segment, "tape");
    const std::uint64_t room = info(segment, "tape").most_bytes / layout::kPageBytes - 1;
    BOOST_TEST(room >= 38U);
    BOOST_TEST(room < 40U);
    tape->grow_to(room);
    for (std::uint64_t index = 0; index < room * kCellsPerPage; ++index) tape->cell(index).store(1);
    BOOST_TEST(tape->sum() == room * kCellsPerPage);
    const std::string text = error_of(Errc::no_space, [&] { tape->grow_to(room + 1); });
    BOOST_TEST(text.find("may grow to") != std::string::npos);
    BOOST_TEST(detail::directory::remove(*segment.core(), "tape"));
    Tape::make(segment, "next", room, room);
    BOOST_TEST(Tape::find(segment, "next")->sum() == 0U);
  }
  ::munmap(memory, bytes);
  if (in_memfd) ::close(descriptor);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
