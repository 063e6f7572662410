// How a segment's pages are mapped: what children that run no fork handlers get of them, and what core files.
#include <boost/test/unit_test.hpp>

#include <fstream>

#include "stream/stream_core.hpp"
#include "support/child.hpp"
#include "support/main_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

const SegmentOptions kSmall{.slab_bytes = 8192, .participants = 4};

// The kernel's flags (VmFlags in smaps, proc(5)) of the mapping that the address lies in.
std::string flags_of(const void* address) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream smaps{"/proc/self/smaps"};
  bool found = false;
  for (std::string line; std::getline(smaps, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) found = begin <= wanted && wanted < end;
    if (found && line.starts_with("VmFlags:")) return line.substr(8) + " ";
  }
  return "not mapped";
}
bool has(const std::string& flags, const std::string& flag) {
  return flags.find(" " + flag + " ") != std::string::npos;
}

BOOST_AUTO_TEST_SUITE(mapping)

BOOST_AUTO_TEST_CASE(children_get_nothing_and_core_files_get_no_slabs) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  detail::StreamCore& core = main_stream(segment);
  const std::string control = flags_of(&core.control());
  BOOST_TEST(has(control, "dc"));
  BOOST_TEST(!has(control, "dd"));
  for (const void* slab :
       {static_cast<const void*>(core.slab_for_reading(0)), static_cast<const void*>(core.slab_for_writing(1))}) {
    BOOST_TEST(has(flags_of(slab), "dc"));
    BOOST_TEST(has(flags_of(slab), "dd"));
  }
}

BOOST_AUTO_TEST_CASE(a_fork_leaves_the_parents_mappings_as_they_were) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  const std::byte* const slab = main_stream(segment).slab_for_reading(0);
  Child child{[](Link&) {}};
  BOOST_TEST(child.wait() == 0);
  BOOST_TEST(has(flags_of(slab), "dc"));
  BOOST_TEST(has(flags_of(&main_stream(segment).control()), "dc"));
}

BOOST_AUTO_TEST_CASE(slabs_stand_in_core_files_for_those_who_ask) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  set_slabs_in_core_dumps(true);
  const std::string flags = flags_of(main_stream(segment).slab_for_reading(0));
  set_slabs_in_core_dumps(false);
  BOOST_TEST(!has(flags, "dd"));
  BOOST_TEST(has(flags, "dc"));
}

BOOST_AUTO_TEST_CASE(buffers_stand_in_core_files_for_those_who_ask) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  static_cast<void>(Pool::create(segment, "frames"));
  const auto flags_of_a_buffer = [&] {
    const Segment anew = Segment::open(name);  // mapped with the first user
    PoolUser user{Pool::open(anew, "frames")};
    return flags_of(user.acquire().bytes().data());
  };
  BOOST_TEST(has(flags_of_a_buffer(), "dd"));
  set_slabs_in_core_dumps(true);
  const std::string flags = flags_of_a_buffer();
  set_slabs_in_core_dumps(false);
  BOOST_TEST(!has(flags, "dd"));
  BOOST_TEST(has(flags, "dc"));
}

// As long as the segment is open: afterwards the memory is the caller's again.
BOOST_AUTO_TEST_CASE(supplied_memory_that_others_share_is_kept_out_too) {
  const SharedMemory memory{Segment::bytes_needed(kSmall)};
  const std::byte* slab = nullptr;
  {
    const Segment segment = Segment::create_in(memory, kSmall);
    slab = main_stream(segment).slab_for_reading(0);
    BOOST_TEST(has(flags_of(slab), "dd"));
    BOOST_TEST(!has(flags_of(&main_stream(segment).control()), "dd"));
  }
  BOOST_TEST(!has(flags_of(slab), "dd"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
