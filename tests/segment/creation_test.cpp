// Making, finding and removing segments by name, and all that a file of that name may be instead.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <deque>
#include <fstream>

#include <sapbuf/detail/kill_point.hpp>

#include "stream/stream_core.hpp"
#include "support/child.hpp"
#include "support/every_stream.hpp"
#include "support/main_stream.hpp"
#include "support/skip.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;

const SegmentOptions kSmall{.slab_bytes = 8192, .participants = 4};
constexpr uid_t kNobody = 65534;

std::string path_of(std::string_view name) { return "/dev/shm/sapbuf." + std::string(name); }

// The file behind a segment, for those who know nothing of segments.
class RawFile {
 public:
  explicit RawFile(const std::string& name) : descriptor_(::open(path_of(name).c_str(), O_RDWR | O_CREAT, 0600)) {}
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;
  ~RawFile() { ::close(descriptor_); }

  template <typename T>
  void put(std::size_t offset, T value) const {
    BOOST_TEST(::pwrite(descriptor_, &value, sizeof value, static_cast<off_t>(offset)) == ssize_t{sizeof value});
  }
  template <typename T>
  T get(std::size_t offset) const {
    T value{};
    BOOST_TEST(::pread(descriptor_, &value, sizeof value, static_cast<off_t>(offset)) == ssize_t{sizeof value});
    return value;
  }
  void cut(std::size_t bytes) const { BOOST_TEST(::ftruncate(descriptor_, static_cast<off_t>(bytes)) == 0); }
  struct stat status() const {
    struct stat information {};
    ::fstat(descriptor_, &information);
    return information;
  }
  int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

Errc error_of_open(const std::string& name) {
  return error_of([&] { static_cast<void>(Segment::open(name)); });
}
Errc error_of_create(const std::string& name, const SegmentOptions& options = kSmall) {
  return error_of([&] { static_cast<void>(Segment::create(name, options)); });
}

bool works(const Segment& segment) {
  Reader reader{segment};
  Writer writer{segment};
  return writer.write("it works") == Status::ok && texts(reader).back() == "it works";
}

bool exists(const std::string& name) {
  struct stat information {};
  return ::lstat(path_of(name).c_str(), &information) == 0;
}

bool mentions(const std::string& text, const std::string& what) { return text.find(what) != std::string::npos; }

BOOST_AUTO_TEST_SUITE(creation)

BOOST_AUTO_TEST_CASE(a_segment_that_was_created_can_be_opened) {
  const TestName name;
  const Segment made = Segment::create(name, kSmall);
  const Segment opened = Segment::open(name);
  BOOST_TEST(opened.name() == name.str());
  BOOST_TEST(opened.bytes() == made.bytes());
  BOOST_TEST(opened.core()->creation_id() == made.core()->creation_id());
  BOOST_TEST(works(opened));
}

BOOST_AUTO_TEST_CASE(a_segment_remembers_its_options) {
  const TestName name;
  static_cast<void>(Segment::create(name, {.slabs = 5,
                                           .slab_bytes = 12288,
                                           .order = Order::per_writer,
                                           .extent_bytes = 1536,
                                           .on_full = OnFull::overwrite,
                                           .participants = 77,
                                           .fences = Fences::full}));
  const SegmentOptions options = Segment::open(name).options();
  BOOST_TEST(options.slabs == 5U);
  BOOST_TEST(options.slab_bytes == 12288U);
  BOOST_TEST(options.order == Order::per_writer);
  BOOST_TEST(options.extent_bytes == 1536U);
  BOOST_TEST(options.on_full == OnFull::overwrite);
  BOOST_TEST(options.participants == 77U);
  BOOST_TEST(options.fences == Fences::full);
}

BOOST_AUTO_TEST_CASE(a_second_segment_of_that_name_is_refused_and_the_first_one_stays) {
  const TestName name;
  const Segment first = Segment::create(name, kSmall);
  BOOST_TEST(error_of_create(name) == Errc::exists);
  BOOST_TEST(works(first));
  BOOST_TEST(Segment::open(name).core()->creation_id() == first.core()->creation_id());
}

BOOST_AUTO_TEST_CASE(a_handle_says_whether_it_made_the_segment) {
  const TestName name;
  const Segment made = Segment::open_or_create(name, kSmall);
  BOOST_TEST(made.created());
  BOOST_TEST(Segment{made}.created());
  BOOST_TEST(!Segment::open_or_create(name, kSmall).created());
  BOOST_TEST(!Segment::open(name).created());
  Segment::remove(name);
  BOOST_TEST(Segment::create(name, kSmall).created());
}

BOOST_AUTO_TEST_CASE(a_handle_says_what_differs_from_what_was_asked_for) {
  const TestName name;
  const SegmentOptions has{.slabs = 3, .slab_bytes = 65536, .participants = 4, .mode = 0660};
  static_cast<void>(Segment::create(name, has));
  const auto differences = [&](const SegmentOptions& asked) { return Segment::open(name).differences(asked); };
  BOOST_TEST(differences(has).empty());
  BOOST_TEST(differences(Segment::open(name).options()).empty());
  const std::vector<std::string> all = differences({.slabs = 8,
                                                    .slab_bytes = 1 << 20,
                                                    .extent_bytes = 4096,
                                                    .on_full = OnFull::drop,
                                                    .participants = 5,
                                                    .mode = 0600,
                                                    .fences = Fences::full,
                                                    .attachments = 100});
  const std::vector<std::string> wanted{
      "slabs 3, not 8",          "slab_bytes 65536, not 1048576", "extent_bytes 16384, not 4096",
      "on_full block, not drop", "attachments 64, not 100",       "participants 4, not 5",
      "mode 0660, not 0600",     "fences membarrier, not full"};
  BOOST_TEST(all == wanted, boost::test_tools::per_element());
  SegmentOptions total = has;
  total.order = Order::total;
  BOOST_TEST(differences(total) == std::vector<std::string>{"order per-writer, not total"},
             boost::test_tools::per_element());
  BOOST_TEST(error_of([&] { differences({.slabs = 1}); }) == Errc::invalid_argument);
}

// Extents that nobody asked for are no difference, whatever the slabs' size makes of them.
BOOST_AUTO_TEST_CASE(extents_that_were_left_to_the_library_do_not_differ) {
  const TestName name;
  static_cast<void>(Segment::create(name, {.slab_bytes = 8192, .participants = 4}));
  const std::vector<std::string> found = Segment::open(name).differences({.participants = 4});
  BOOST_TEST(found == std::vector<std::string>{"slab_bytes 8192, not 1048576"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(whatever_is_asked_of_a_moved_from_handle_is_an_invalid_argument) {
  const TestName name;
  Segment segment = Segment::create(name, kSmall);
  const Segment taken = std::move(segment);
  const auto refused = [](const std::function<void()>& call) { return error_of(call) == Errc::invalid_argument; };
  BOOST_TEST(refused([&] { static_cast<void>(segment.name()); }));
  BOOST_TEST(refused([&] { static_cast<void>(segment.created()); }));
  BOOST_TEST(refused([&] { static_cast<void>(segment.options()); }));
  BOOST_TEST(refused([&] { static_cast<void>(segment.differences(kSmall)); }));
  BOOST_TEST(refused([&] { static_cast<void>(segment.is_current()); }));
  BOOST_TEST(refused([&] { static_cast<void>(segment.bytes()); }));
  BOOST_TEST(refused([&] { static_cast<void>(segment.max_message_bytes()); }));
  BOOST_TEST(refused([&] { const Writer writer{segment}; }));
  BOOST_TEST(refused([&] { const Reader reader{segment}; }));
  BOOST_TEST(refused([&] { inspect(segment); }));
  BOOST_TEST(refused([&] { dump(segment, [](const FrameRecord&) {}); }));
  BOOST_TEST(refused([&] { recover(segment); }));
  BOOST_TEST(refused([&] { find_dead(segment); }));
  BOOST_TEST(refused([&] { static_cast<void>(was_truncated(segment)); }));
  BOOST_TEST(works(taken));
}

BOOST_AUTO_TEST_CASE(what_is_not_there_is_not_found) {
  const TestName name;
  BOOST_TEST(error_of_open(name) == Errc::not_found);
  BOOST_TEST(message_of([&] { static_cast<void>(Segment::open(name)); }).find(name.str()) != std::string::npos);
  BOOST_TEST(!exists(name));
  BOOST_TEST(!Segment::remove(name));
  BOOST_TEST(error_of([&] { inspect(name); }) == Errc::not_found);
  BOOST_TEST(error_of([&] { dump(name, [](const FrameRecord&) {}); }) == Errc::not_found);
}

BOOST_AUTO_TEST_CASE(open_or_create_makes_it_once_and_keeps_its_options) {
  const TestName name;
  const Segment made = Segment::open_or_create(name, {.slabs = 3, .slab_bytes = 8192});
  const Segment found = Segment::open_or_create(name, {.slabs = 7, .slab_bytes = 4096});
  BOOST_TEST(found.options().slabs == 3U);
  BOOST_TEST(found.options().slab_bytes == 8192U);
  BOOST_TEST(found.core()->creation_id() == made.core()->creation_id());
}

BOOST_AUTO_TEST_CASE(all_who_open_or_create_at_once_get_the_same_segment) {
  const TestName name;
  std::deque<Child> children;
  for (int i = 0; i < 8; ++i) {
    children.emplace_back([&](Link& link) {
      link.hear();
      const Segment segment = Segment::open_or_create(name, {.slab_bytes = 1 << 20});
      link.say(segment.core()->creation_id());
      if (!works(segment)) throw std::runtime_error("it does not work");
    });
  }
  for (Child& child : children) child.say(1);
  std::vector<std::uint64_t> ids;
  for (Child& child : children) ids.push_back(child.hear());
  BOOST_TEST(std::count(ids.begin(), ids.end(), ids.front()) == 8);
  for (Child& child : children) BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_CASE(one_of_those_who_create_at_once_succeeds) {
  const TestName name;
  std::deque<Child> children;
  for (int i = 0; i < 8; ++i) {
    children.emplace_back([&](Link& link) {
      link.hear();
      const Errc code = error_of_create(name);
      if (code != nothing() && code != Errc::exists) throw std::runtime_error("another error");
      link.say(code == nothing() ? 1 : 0);
    });
  }
  for (Child& child : children) child.say(1);
  std::uint64_t successes = 0;
  for (Child& child : children) successes += child.hear();
  BOOST_TEST(successes == 1U);
  BOOST_TEST(works(Segment::open(name)));
}

BOOST_AUTO_TEST_CASE(a_removed_segment_serves_those_who_have_it_and_its_name_is_free) {
  const TestName name;
  const Segment old = Segment::create(name, kSmall);
  Reader reader{old};
  BOOST_TEST(Segment::remove(name));
  BOOST_TEST(error_of_open(name) == Errc::not_found);
  const Segment fresh = Segment::create(name, kSmall);
  BOOST_TEST(fresh.core()->creation_id() != old.core()->creation_id());
  Writer writer{old};
  BOOST_TEST(writer.write("old") == Status::ok);
  BOOST_TEST(texts(reader).size() == 1U);
  Reader elsewhere{fresh};
  BOOST_TEST(texts(elsewhere).empty());
}

BOOST_AUTO_TEST_CASE(a_segment_outlives_its_handle_in_the_participants) {
  const TestName name;
  std::optional<Segment> segment{Segment::create(name, kSmall)};
  Writer writer{*segment};
  Reader reader{*segment};
  segment.reset();
  BOOST_TEST(writer.write("still there") == Status::ok);
  BOOST_TEST(texts(reader).size() == 1U);
}

BOOST_AUTO_TEST_CASE(the_list_names_what_is_there) {
  const TestName one;
  const TestName two;
  static_cast<void>(Segment::create(one, kSmall));
  static_cast<void>(Segment::create(two, kSmall));
  const std::vector<std::string> names = Segment::list();
  BOOST_TEST(std::count(names.begin(), names.end(), one.str()) == 1);
  BOOST_TEST(std::count(names.begin(), names.end(), two.str()) == 1);
  BOOST_TEST(std::is_sorted(names.begin(), names.end()));
}

BOOST_AUTO_TEST_CASE(names_that_cannot_be_are_refused_everywhere) {
  for (const std::string& name :
       {std::string(), std::string("a/b"), std::string("../x"), std::string(201, 'n'), std::string("a\0b", 3)}) {
    BOOST_TEST(error_of_create(name) == Errc::invalid_argument);
    BOOST_TEST(error_of_open(name) == Errc::invalid_argument);
    BOOST_TEST(error_of([&] { static_cast<void>(Segment::open_or_create(name)); }) == Errc::invalid_argument);
    BOOST_TEST(error_of([&] { Segment::remove(name); }) == Errc::invalid_argument);
  }
}

BOOST_AUTO_TEST_CASE(the_longest_and_the_oddest_names_work) {
  const std::string long_name = (TestName{}.str() + std::string(200, 'n')).substr(0, 200);
  for (const std::string& name : {long_name, TestName{}.str() + " with blanks", TestName{}.str() + ".."}) {
    BOOST_TEST(works(Segment::create(name, kSmall)));
    BOOST_TEST(Segment::remove(name));
  }
}

BOOST_AUTO_TEST_CASE(options_that_cannot_work_leave_nothing_behind) {
  const TestName name;
  BOOST_TEST(error_of_create(name, {.slabs = 1}) == Errc::invalid_argument);
  BOOST_TEST(error_of_create(name, {.slab_bytes = 5000}) == Errc::invalid_argument);
  BOOST_TEST(error_of_create(name, {.mode = 0400}) == Errc::invalid_argument);
  BOOST_TEST(error_of_create(name, {.mode = 01777}) == Errc::invalid_argument);
  BOOST_TEST(!exists(name));
}

// --- Space and permissions ---------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(all_space_is_allocated_at_creation) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 1 << 20});
  const struct stat status = RawFile{name}.status();
  BOOST_TEST(static_cast<std::size_t>(status.st_size) == segment.bytes());
  BOOST_TEST(status.st_blocks * 512 >= status.st_size);
}

BOOST_AUTO_TEST_CASE(a_segment_that_does_not_fit_is_refused_and_leaves_nothing_behind) {
  struct statvfs space {};
  BOOST_TEST(::statvfs("/dev/shm", &space) == 0);
  const std::uint64_t size = std::uint64_t{space.f_blocks} * space.f_frsize;
  const SegmentOptions huge{.slabs = 64, .slab_bytes = std::uint64_t{1} << 32};
  if (size == 0 || size >= Segment::bytes_needed(huge)) {
    skip("/dev/shm has room for 256 GiB");
    return;
  }
  const TestName name;
  BOOST_TEST(error_of_create(name, huge) == Errc::no_space);
  BOOST_TEST(!exists(name));
  BOOST_TEST(message_of([&] { static_cast<void>(Segment::open_or_create(name, huge)); }).find("/dev/shm") !=
             std::string::npos);
  BOOST_TEST(!exists(name));
  BOOST_TEST(error_of_create(name) == nothing());
}

BOOST_AUTO_TEST_CASE(the_mode_is_0600_unless_asked_and_the_umask_does_not_matter) {
  const mode_t before = ::umask(077);
  const TestName usual;
  const TestName shared;
  static_cast<void>(Segment::create(usual, kSmall));
  static_cast<void>(Segment::create(shared, {.slab_bytes = 8192, .mode = 0660}));
  ::umask(before);
  BOOST_TEST((RawFile{usual}.status().st_mode & 07777) == 0600U);
  BOOST_TEST((RawFile{shared}.status().st_mode & 07777) == 0660U);
}

// To read the file is enough to take locks for reading on it, and those stop everybody.
BOOST_AUTO_TEST_CASE(a_mode_that_lets_anybody_read_who_may_not_write_is_refused_with_the_reason) {
  const TestName name;
  for (const unsigned mode : {0640u, 0644u, 0604u, 0664u, 0646u, 0755u}) {
    const auto create = [&] { static_cast<void>(Segment::create(name, {.slab_bytes = 8192, .mode = mode})); };
    BOOST_TEST_CONTEXT(std::oct << mode) {
      BOOST_TEST(error_of(create) == Errc::invalid_argument);
      BOOST_TEST(message_of(create).find("read but not write") != std::string::npos);
    }
  }
  BOOST_TEST(!exists(name));
  for (const unsigned mode : {0600u, 0660u, 0606u, 0666u, 0777u}) {
    const TestName shared;
    const auto create = [&] { static_cast<void>(Segment::create(shared, {.slab_bytes = 8192, .mode = mode})); };
    BOOST_TEST_CONTEXT(std::oct << mode) BOOST_TEST(error_of(create) == nothing());
  }
}

// Runs `code` in a child that is another user; false if this process may not do that.
bool as_nobody(const std::function<void()>& code) {
  if (::getuid() != 0) {
    skip("only root can become another user");
    return false;
  }
  Child child{[&](Link&) {
    if (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0) throw std::runtime_error("cannot become another user");
    code();
  }};
  BOOST_TEST(child.wait() == 0);
  return true;
}

void expect(Errc expected, const std::function<void()>& call) {
  const Errc code = error_of(call);
  if (code != expected) throw std::runtime_error("unexpected: " + make_error_code(code).message());
}

BOOST_AUTO_TEST_CASE(another_user_is_told_that_it_may_not) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  as_nobody([&] {
    expect(Errc::permission_denied, [&] { static_cast<void>(Segment::open(name)); });
    expect(Errc::permission_denied, [&] { static_cast<void>(Segment::open_or_create(name, kSmall)); });
    expect(Errc::exists, [&] { static_cast<void>(Segment::create(name, kSmall)); });
    expect(Errc::permission_denied, [&] { inspect(name); });
    expect(Errc::permission_denied, [&] { Segment::remove(name); });
  });
  BOOST_TEST(works(segment));
}

BOOST_AUTO_TEST_CASE(another_user_takes_part_where_the_mode_admits_it) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 8192, .participants = 4, .mode = 0666});
  Reader reader{segment};
  const bool ran = as_nobody([&] {
    Writer writer{Segment::open(name)};
    if (writer.write("from nobody") != Status::ok) throw std::runtime_error("not accepted");
  });
  if (ran) BOOST_TEST(texts(reader).size() == 1U);
}

// No mode that a segment is made with admits such a user, but the owner may change it.
BOOST_AUTO_TEST_CASE(another_user_who_may_only_read_the_file_can_inspect_it) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 8192, .participants = 4});
  BOOST_TEST(::chmod(("/dev/shm/sapbuf." + name.str()).c_str(), 0644) == 0);
  const Writer writer{segment, {.name = "watched"}};
  as_nobody([&] {
    const Snapshot now = inspect(name);
    if (now.participants.size() != 1 || now.participants[0].state != Liveness::alive) {
      throw std::runtime_error("not seen alive");
    }
    dump(name, [](const FrameRecord&) {});
    expect(Errc::permission_denied, [&] { static_cast<void>(Segment::open(name)); });
  });
}

// --- Files that are something else -------------------------------------------------------------------------------

// A segment of which one field of the header was changed.
template <typename T>
Errc error_after(std::size_t offset, T value) {
  const TestName name;
  static_cast<void>(Segment::create(name, kSmall));
  RawFile{name}.put(offset, value);
  const Errc code = error_of_open(name);
  BOOST_TEST(error_of([&] { inspect(name); }) == code);
  BOOST_TEST(error_of([&] { static_cast<void>(Segment::open_or_create(name, kSmall)); }) == code);
  BOOST_TEST(exists(name));
  return code;
}

using layout::SegmentHeader;

BOOST_AUTO_TEST_CASE(another_magic_is_incompatible) {
  BOOST_TEST(error_after(offsetof(SegmentHeader, magic), std::uint64_t{0x1234}) == Errc::incompatible);
}

BOOST_AUTO_TEST_CASE(another_abi_version_is_incompatible) {
  BOOST_TEST(error_after(offsetof(SegmentHeader, abi_version), layout::kAbiVersion + 1) == Errc::incompatible);
}

BOOST_AUTO_TEST_CASE(another_byte_order_is_incompatible) {
  BOOST_TEST(error_after(offsetof(SegmentHeader, byte_order), std::uint32_t{0x0403'0201}) == Errc::incompatible);
}

BOOST_AUTO_TEST_CASE(another_layout_is_incompatible) {
  BOOST_TEST(error_after(offsetof(SegmentHeader, layout_hash), layout::layout_hash() + 1) == Errc::incompatible);
}

BOOST_AUTO_TEST_CASE(geometry_that_makes_no_sense_is_corrupt) {
  const std::size_t geometry = offsetof(SegmentHeader, geometry);
  for (std::size_t offset = 0; offset < sizeof(layout::SegmentGeometry); offset += 8) {
    for (const std::uint64_t value : {~std::uint64_t{0}, std::uint64_t{1} << 63, std::uint64_t{1} << 63 | 8}) {
      // The first word has participants, fences and what is reserved.
      const bool only_in_reserve = offset == 0 && value == (std::uint64_t{1} << 63 | 8);
      BOOST_TEST_CONTEXT("word " << value << " at " << offset) {
        BOOST_TEST(error_after(geometry + offset, value) == (only_in_reserve ? Errc::incompatible : Errc::corrupt));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_geometry_that_could_be_but_is_not_the_files_is_corrupt) {
  const TestName name;
  static_cast<void>(Segment::create(name, kSmall));
  const RawFile file{name};
  auto geometry = file.get<layout::SegmentGeometry>(offsetof(SegmentHeader, geometry));
  geometry.participants = 1000;
  layout::place(geometry);
  file.put(offsetof(SegmentHeader, geometry), geometry);
  BOOST_TEST(error_of_open(name) == Errc::corrupt);
}

BOOST_AUTO_TEST_CASE(a_file_that_was_cut_off_is_corrupt) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  for (const std::size_t bytes : {segment.bytes() - 1, segment.bytes() / 2, std::size_t{4096}, std::size_t{200}}) {
    RawFile{name}.cut(bytes);
    BOOST_TEST(error_of_open(name) == Errc::corrupt);
    BOOST_TEST(error_of([&] { inspect(name); }) == Errc::corrupt);
  }
}

BOOST_AUTO_TEST_CASE(files_of_others_are_refused_and_left_alone) {
  for (const std::size_t bytes : {1U, 50U, 4096U, 100'000U}) {
    const TestName name;
    std::ofstream{path_of(name)} << std::string(bytes, 'x');
    BOOST_TEST(error_of_open(name) == Errc::incompatible);
    BOOST_TEST(error_of_create(name) == Errc::exists);
    BOOST_TEST(error_of([&] { static_cast<void>(Segment::open_or_create(name)); }) == Errc::incompatible);
    BOOST_TEST(static_cast<std::size_t>(RawFile{name}.status().st_size) == bytes);
    BOOST_TEST(RawFile{name}.get<char>(0) == 'x');
  }
}

// Whoever left it: it is told of, and never adopted.
BOOST_AUTO_TEST_CASE(an_empty_file_is_no_segment_and_nobody_takes_it_for_one) {
  const TestName name;
  const RawFile empty{name};
  BOOST_TEST(::fchmod(empty.descriptor(), 0644) == 0);
  BOOST_TEST(error_of_open(name) == Errc::incompatible);
  BOOST_TEST(error_of_create(name) == Errc::exists);
  const std::string uid = "uid " + std::to_string(::geteuid());
  for (const std::string& text : {message_of([&] { static_cast<void>(Segment::open(name)); }),
                                  message_of([&] { static_cast<void>(Segment::create(name)); }),
                                  message_of([&] { static_cast<void>(Segment::open_or_create(name)); })}) {
    for (const std::string& fact : {name.str(), std::string("an empty file"), uid, std::string("mode 0644"),
                                    std::string("'sapbuf rm --force' removes it")}) {
      BOOST_TEST(mentions(text, fact), "nothing of '" << fact << "' in: " << text);
    }
  }
  BOOST_TEST(empty.status().st_size == 0);
  BOOST_TEST(empty.status().st_nlink == 1U);
}

// One wrong word in the header, and an innocent who would make the segment if it were not there.
BOOST_AUTO_TEST_CASE(no_state_of_the_header_lets_anybody_destroy_a_segment) {
  for (const std::uint64_t state : {std::uint64_t{0}, std::uint64_t{0x7265'6164'80}, ~std::uint64_t{0}}) {
    const TestName name;
    const Segment segment = Segment::create(name, kSmall);
    Reader reader{segment};
    Writer writer{segment};
    const RawFile file{name};
    const auto size = file.status().st_size;
    file.put(offsetof(SegmentHeader, init_state), state);
    BOOST_TEST(error_of([&] { static_cast<void>(Segment::open_or_create(name, {.slab_bytes = 4096})); }) ==
               Errc::corrupt);
    BOOST_TEST(error_of_create(name) == Errc::exists);
    BOOST_TEST(error_of_open(name) == Errc::corrupt);
    BOOST_TEST(file.status().st_size == size);
    BOOST_TEST(writer.write("still there") == Status::ok);
    BOOST_TEST(texts(reader).size() == 1U);
  }
}

// Things that are no files. Each call must come back at once, and must not touch them.
class OddObject {
 public:
  enum Kind { fifo, directory, link_to_a_segment, link_to_nothing, socket, device };

  explicit OddObject(Kind kind) : target_name_(), made_(make(kind)) {}
  ~OddObject() {
    ::unlink(path().c_str());
    ::rmdir(path().c_str());
  }
  bool was_made() const { return made_; }
  const std::string& name() const { return name_.str(); }
  std::string path() const { return path_of(name_); }
  const std::string& target() const { return target_name_.str(); }

 private:
  bool make(Kind kind) {
    switch (kind) {
      case fifo:
        return ::mkfifo(path().c_str(), 0666) == 0;
      case directory:
        return ::mkdir(path().c_str(), 0777) == 0;
      case link_to_a_segment:
        static_cast<void>(Segment::create(target_name_, kSmall));
        return ::symlink(path_of(target_name_).c_str(), path().c_str()) == 0;
      case link_to_nothing:
        return ::symlink(path_of(target_name_).c_str(), path().c_str()) == 0;
      case socket: {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path().copy(address.sun_path, sizeof address.sun_path - 1);
        const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const bool bound = ::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
        ::close(descriptor);
        return bound;
      }
      case device:
        return ::mknod(path().c_str(), S_IFCHR | 0666, makedev(1, 5)) == 0;  // /dev/zero
    }
    return false;
  }

  TestName name_;
  TestName target_name_;
  bool made_;
};

BOOST_DATA_TEST_CASE(what_is_no_file_is_named_and_left_alone,
                     data::make({OddObject::fifo, OddObject::directory, OddObject::link_to_a_segment,
                                 OddObject::link_to_nothing, OddObject::socket, OddObject::device}) ^
                         data::make({"a FIFO", "a directory", "a symbolic link", "a symbolic link", "a socket",
                                     "a device"}),
                     kind, word) {
  const OddObject object{kind};
  if (!object.was_made()) {
    BOOST_TEST_MESSAGE("skipped: this process may not make " << word);
    return;
  }
  struct stat before {};
  BOOST_TEST(::lstat(object.path().c_str(), &before) == 0);
  Child child{[&](Link& link) {
    const std::string& name = object.name();
    const auto expect_word = [&](Errc expected, const std::function<void()>& call) {
      if (error_of(call) != expected) throw std::runtime_error("another error: " + message_of(call));
      if (!mentions(message_of(call), word)) throw std::runtime_error("not named: " + message_of(call));
    };
    expect_word(Errc::incompatible, [&] { static_cast<void>(Segment::open(name)); });
    expect_word(Errc::incompatible, [&] { static_cast<void>(Segment::open_or_create(name, kSmall)); });
    expect_word(Errc::exists, [&] { static_cast<void>(Segment::create(name, kSmall)); });
    expect_word(Errc::incompatible, [&] { inspect(name); });
    expect_word(Errc::incompatible, [&] { dump(name, [](const FrameRecord&) {}); });
    expect_word(Errc::incompatible, [&] { Segment::remove(name); });
    link.say(1);
  }};
  BOOST_TEST(child.hear() == 1U);
  BOOST_TEST(child.wait() == 0);
  struct stat after {};
  BOOST_TEST(::lstat(object.path().c_str(), &after) == 0);
  BOOST_TEST(after.st_ino == before.st_ino);
  BOOST_TEST(after.st_mode == before.st_mode);
  if (kind == OddObject::link_to_a_segment) BOOST_TEST(works(Segment::open(object.target())));
  if (kind == OddObject::link_to_nothing) BOOST_TEST(!exists(object.target()));
}

// --- Squatters ---------------------------------------------------------------------------------------------------

void expect_refused_and_told(const std::string& name, const std::string& fact) {
  const auto call = [&] { static_cast<void>(Segment::open_or_create(name, kSmall)); };
  if (error_of(call) != Errc::permission_denied) throw std::runtime_error("not refused: " + message_of(call));
  if (!mentions(message_of(call), fact)) throw std::runtime_error("not told: " + message_of(call));
}

BOOST_AUTO_TEST_CASE(a_private_segment_is_not_taken_from_another_user) {
  const TestName name;
  const bool ran = as_nobody(
      [&] { static_cast<void>(Segment::create(name, {.slab_bytes = 8192, .participants = 4, .mode = 0666})); });
  if (!ran) return;
  expect_refused_and_told(name, "uid " + std::to_string(kNobody));
  // Whoever opens it, or asks for a shared one, says that it trusts the others.
  BOOST_TEST(works(Segment::open(name)));
  BOOST_TEST(works(Segment::open_or_create(name, {.slab_bytes = 8192, .participants = 4, .mode = 0660})));
}

BOOST_AUTO_TEST_CASE(an_empty_file_of_another_user_is_not_adopted) {
  const TestName name;
  const bool ran = as_nobody([&] {
    const RawFile file{name};
    if (::fchmod(file.descriptor(), 0666) != 0) throw std::runtime_error("cannot change the mode");
  });
  if (!ran) return;
  expect_refused_and_told(name, "uid " + std::to_string(kNobody));
  BOOST_TEST(error_of_create(name, kSmall) == Errc::exists);
  BOOST_TEST(RawFile{name}.status().st_size == 0);
  BOOST_TEST(RawFile{name}.status().st_uid == kNobody);
}

BOOST_AUTO_TEST_CASE(roots_segment_is_trusted_where_its_mode_admits) {
  const TestName name;
  static_cast<void>(Segment::create(name, {.slab_bytes = 8192, .participants = 4, .mode = 0666}));
  as_nobody([&] {
    if (!works(Segment::open_or_create(name, kSmall))) throw std::runtime_error("it does not work");
  });
}

BOOST_AUTO_TEST_CASE(a_private_segment_with_a_second_name_is_refused) {
  const TestName name;
  const TestName other;
  static_cast<void>(Segment::create(name, kSmall));
  BOOST_TEST(::link(path_of(name).c_str(), path_of(other).c_str()) == 0);
  expect_refused_and_told(other, "another name");
  BOOST_TEST(Segment::remove(other));
  BOOST_TEST(works(Segment::open_or_create(name, kSmall)));
}

// --- Creators that are killed, stopped, or fail --------------------------------------------------------------------

const KillPoint kBeforeTheName[] = {KillPoint::create_made,   KillPoint::create_fits,   KillPoint::create_allocated,
                                    KillPoint::create_header, KillPoint::create_filled, KillPoint::create_ready};

BOOST_DATA_TEST_CASE(a_creator_that_is_killed_leaves_nothing, data::make(kBeforeTheName), point) {
  const TestName name;
  Child creator{[&](Link&) {
    kill_point::arm(point, kill_self);
    static_cast<void>(Segment::create(name, kSmall));
  }};
  BOOST_TEST(creator.wait() == -SIGKILL);
  BOOST_TEST(!exists(name));
  BOOST_TEST(error_of_open(name) == Errc::not_found);
  BOOST_TEST(works(Segment::create(name, kSmall)));
}

BOOST_AUTO_TEST_CASE(a_creator_that_is_killed_behind_the_last_step_leaves_a_whole_segment) {
  const TestName name;
  Child creator{[&](Link&) {
    kill_point::arm(KillPoint::create_named, kill_self);
    static_cast<void>(Segment::create(name, kSmall));
  }};
  BOOST_TEST(creator.wait() == -SIGKILL);
  BOOST_TEST(works(Segment::open(name)));
}

// Nobody sees or waits for what is being made; the name is whose segment is whole first.
BOOST_DATA_TEST_CASE(a_stopped_creator_is_in_nobodys_way, data::make(kBeforeTheName), point) {
  const TestName name;
  Child creator{[&](Link& link) {
    kill_point::arm(point, stop_self);
    link.say(static_cast<std::uint64_t>(error_of_create(name)));
  }};
  BOOST_TEST(creator.wait_until_stopped());
  BOOST_TEST(error_of_open(name) == Errc::not_found);
  const Segment segment = Segment::open_or_create(name, kSmall);
  BOOST_TEST(segment.created());
  creator.resume();
  BOOST_TEST(creator.hear() == static_cast<std::uint64_t>(Errc::exists));
  BOOST_TEST(Segment::open(name).core()->creation_id() == segment.core()->creation_id());
  BOOST_TEST(works(segment));
}

BOOST_DATA_TEST_CASE(who_opens_or_creates_takes_what_was_made_meanwhile, data::make(kBeforeTheName), point) {
  const TestName name;
  Child creator{[&](Link& link) {
    kill_point::arm(point, stop_self);
    const Segment segment = Segment::open_or_create(name, kSmall);
    link.say(segment.core()->creation_id());
    link.say(segment.created() ? 1 : 0);
  }};
  BOOST_TEST(creator.wait_until_stopped());
  const Segment segment = Segment::create(name, kSmall);
  creator.resume();
  BOOST_TEST(creator.hear() == segment.core()->creation_id());
  BOOST_TEST(creator.hear() == 0U);
}

// A file size limit is an error, also one that is set between the look at it and the allocation. The signal that the
// kernel sends with it comes to nobody, and what somebody else made meanwhile stays.
BOOST_DATA_TEST_CASE(a_file_size_limit_is_an_error_and_no_death,
                     data::make({KillPoint::any, KillPoint::create_made, KillPoint::create_fits}), point) {
  const TestName name;
  Child creator{[&](Link& link) {
    const auto limit = [] {
      const rlimit small{65536, 65536};
      if (::setrlimit(RLIMIT_FSIZE, &small) != 0) throw std::runtime_error("cannot set the limit");
    };
    if (point == KillPoint::any) {
      limit();
    } else {
      kill_point::arm(point, [&] {
        limit();
        stop_self();
      });
    }
    const auto create = [&] { static_cast<void>(Segment::create(name, {.slab_bytes = 1 << 20})); };
    std::string text;
    Errc code{};
    try {
      create();
    } catch (const Error& error) {
      code = error.errc();
      text = error.what();
    }
    if (code != Errc::no_space) throw std::runtime_error("another error: " + text);
    if (!mentions(text, "ulimit -f") || !mentions(text, "65536")) throw std::runtime_error("not named: " + text);
    sigset_t pending;
    ::sigpending(&pending);
    if (::sigismember(&pending, SIGXFSZ) == 1) throw std::runtime_error("the signal is pending");
    link.say(1);
  }};
  if (point != KillPoint::any) {
    BOOST_TEST(creator.wait_until_stopped());
    static_cast<void>(Segment::create(name, kSmall));
    creator.resume();
  }
  BOOST_TEST(creator.wait() == 0);
  BOOST_TEST(exists(name) == (point != KillPoint::any));
  if (point != KillPoint::any) BOOST_TEST(works(Segment::open(name)));
}

// What a child inherits in the middle of a creation keeps nothing from anybody.
BOOST_DATA_TEST_CASE(a_fork_in_the_middle_of_a_creation_is_in_nobodys_way, data::make(kBeforeTheName), point) {
  const TestName name;
  Child creator{[&](Link& link) {
    pid_t heir = -1;
    kill_point::arm(point, [&] {
      heir = ::fork();
      if (heir == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) ::pause();
      }
    });
    const Segment segment = Segment::create(name, kSmall);
    if (!works(segment)) throw std::runtime_error("it does not work");
    if (Segment::open_or_create(name, kSmall).created()) throw std::runtime_error("made twice");
    Segment::remove(name);
    if (!works(Segment::create(name, kSmall))) throw std::runtime_error("the next one does not work");
    ::kill(heir, SIGKILL);
    ::waitpid(heir, nullptr, 0);
    link.say(1);
  }};
  BOOST_TEST(creator.hear() == 1U);
  BOOST_TEST(creator.wait() == 0);
}

// --- Mappings ----------------------------------------------------------------------------------------------------

struct Mapping {
  std::string permissions;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

// What this process has mapped of a segment's file.
std::vector<Mapping> mappings_of(const std::string& name) {
  std::vector<Mapping> found;
  std::ifstream maps{"/proc/self/maps"};
  for (std::string line; std::getline(maps, line);) {
    if (line.find(path_of(name)) == std::string::npos) continue;
    char permissions[8] = {};
    unsigned long begin = 0;
    unsigned long end = 0;
    unsigned long offset = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx %7s %lx", &begin, &end, permissions, &offset) != 4) continue;
    found.push_back({permissions, offset, end - begin});
  }
  return found;
}

// Runs in a process that only reads: throws if it could write to the slabs.
void expect_read_only_slabs(const std::string& name, const Segment& segment) {
  const std::uint64_t slabs_at = main_stream(segment).geometry().slabs_at;
  bool mapped = false;
  for (const Mapping& mapping : mappings_of(name)) {
    const bool has_slabs = mapping.offset + mapping.bytes > slabs_at;
    if (!has_slabs) continue;
    mapped = true;
    if (mapping.permissions != "r--s") throw std::runtime_error("slabs are mapped " + mapping.permissions);
  }
  if (!mapped) throw std::runtime_error("the slabs are not mapped at all");
}

BOOST_DATA_TEST_CASE(a_process_that_only_reads_maps_the_slabs_read_only, kEveryStream, order, on_full) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096, .order = order, .on_full = on_full});
  Child child{[&](Link& link) {
    const Segment own = Segment::open(name);
    Reader reader{own};
    expect_read_only_slabs(name, own);
    link.say(1);
    Log log;
    if (!log.read_until(reader, 200)) throw std::runtime_error("not all came");
    recover(own);
    inspect(own);
    expect_read_only_slabs(name, own);
    reader.close();
    expect_read_only_slabs(name, own);
  }};
  child.hear();
  Writer writer{segment};
  for (std::uint32_t number = 0; number < 200; ++number) {
    // An overwriting writer would be faster than the reader: here all must come, so that it passes all slabs.
    BOOST_TEST(eventually([&] {
      const Snapshot now = inspect(segment);
      return now.participants.empty() || now.participants[0].ledger.delivered + 10 > number || !child.running();
    }));
    BOOST_TEST_REQUIRE(put(writer, {1, number}, 100) == Status::ok);
  }
  BOOST_TEST(child.wait() == 0);
}

// In /proc, the creator's mappings have the segment's name like everybody's. Also for its creator: a stray store cannot
// change what the segment says of itself.
BOOST_AUTO_TEST_CASE(nobody_can_write_to_the_header) {
  const TestName name;
  const Segment made = Segment::create(name, kSmall);
  const Segment opened = Segment::open(name);
  const Writer writer{made};
  const Writer another{opened};
  unsigned headers = 0;
  for (const Mapping& mapping : mappings_of(name)) {
    if (mapping.offset != 0 || mapping.permissions == "---s") continue;  // what keeps a lock cannot be touched at all
    ++headers;
    BOOST_TEST(mapping.permissions == "r--s");
    BOOST_TEST(mapping.bytes == layout::kPageBytes + sizeof(layout::Directory));
  }
  BOOST_TEST(headers == 2U);
}

BOOST_AUTO_TEST_CASE(an_onlooker_maps_nothing_for_writing) {
  const TestName name;
  static_cast<void>(Segment::create(name, kSmall));
  Child child{[&](Link&) {
    dump(name, [](const FrameRecord&) {});
    inspect(name);
    if (!mappings_of(name).empty()) throw std::runtime_error("a mapping was left");
  }};
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
