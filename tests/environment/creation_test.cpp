// Creation where the system says no: the error names the true cause, and nothing is left behind.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include <sapbuf/detail/kill_point.hpp>

#include "environment/surroundings.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;
namespace fs = std::filesystem;

const SegmentOptions kSmall{.slab_bytes = 8192, .participants = 4};

// Runs `code` with a /dev/shm of its own, if this process may have one.
void with_own_shm(const std::string& options, const std::function<void()>& code) {
  if (!may_mount_shm()) return;
  Child child{[&](Link&) {
    mount_own_shm(options);
    code();
  }};
  BOOST_TEST(child.wait() == 0);
}

// In a user namespace, which an ordinary user needs to mount, there is nobody else.
bool may_change_user_there() {
  const auto change = [] {
    mount_own_shm("size=1m");
    become_nobody();
  };
  return is_possible(change, "become another user where it may mount");
}

bool is_empty() { return fs::is_empty("/dev/shm"); }

void create(const std::string& name = "made", const SegmentOptions& options = kSmall) {
  static_cast<void>(Segment::create(name, options));
}

// The call must fail with that code, and its text have each of the words.
void expect_told(Errc code, const std::function<void()>& call, const std::vector<std::string>& words) {
  require(error_of(call) == code, "another error: " + message_of(call));
  for (const std::string& word : words) {
    require(message_of(call).find(word) != std::string::npos, "nothing of '" + word + "' in: " + message_of(call));
  }
}

void remount_read_only() {
  require(::mount(nullptr, "/dev/shm", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0, "cannot remount");
}

BOOST_AUTO_TEST_SUITE(refused_creations)

// Neither a name nor a byte: the file goes with its creator.
BOOST_DATA_TEST_CASE(a_killed_creator_leaves_nothing_in_shared_memory,
                     data::make({KillPoint::create_made, KillPoint::create_fits, KillPoint::create_allocated,
                                 KillPoint::create_header, KillPoint::create_filled, KillPoint::create_ready}),
                     point) {
  with_own_shm("size=4m", [&] {
    struct statvfs before {};
    ::statvfs("/dev/shm", &before);
    Child creator{[&](Link&) {
      kill_point::arm(point, kill_self);
      create("made", {.slab_bytes = 1 << 20});
    }};
    require(creator.wait() == -SIGKILL, "the creator was not killed");
    require(is_empty(), "something was left behind");
    struct statvfs after {};
    ::statvfs("/dev/shm", &after);
    require(after.f_bfree == before.f_bfree && after.f_ffree == before.f_ffree, "space was left taken");
    create("made", {.slab_bytes = 1 << 20});
  });
}

BOOST_AUTO_TEST_CASE(a_full_file_system_is_named_with_what_is_left) {
  with_own_shm("size=64k", [] {
    const SegmentOptions options{.slab_bytes = 1 << 20};
    expect_told(Errc::no_space, [&] { create("made", options); },
                {"no room for " + std::to_string(Segment::bytes_needed(options)) + " bytes",
                 "the free space of /dev/shm leaves 65536"});
    require(is_empty(), "something was left behind");
  });
}

BOOST_AUTO_TEST_CASE(a_file_system_without_inodes_is_named) {
  with_own_shm("size=8m,nr_inodes=1", [] {
    expect_told(Errc::no_space, [] { create(); }, {"no inode is left", "nr_inodes"});
    require(is_empty(), "something was left behind");
  });
}

BOOST_AUTO_TEST_CASE(a_read_only_file_system_is_named) {
  with_own_shm("size=8m", [] {
    create("there");
    remount_read_only();
    for (const auto& call : {std::function<void()>{[] { create(); }},
                             std::function<void()>{[] { static_cast<void>(Segment::open("there")); }},
                             std::function<void()>{[] { static_cast<void>(Segment::open_or_create("there", kSmall)); }},
                             std::function<void()>{[] { Segment::remove("there"); }}}) {
      expect_told(Errc::permission_denied, call, {"/dev/shm is mounted read-only"});
    }
    inspect("there");  // looking needs no more
  });
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_closed_to_this_user_is_named) {
  if (!may_change_user_there()) return;
  with_own_shm("size=8m,mode=0755", [] {
    create("there", {.slab_bytes = 8192, .participants = 4, .mode = 0666});
    become_nobody();
    expect_told(Errc::permission_denied, [] { create(); },
                {"cannot make a segment in /dev/shm", "uid 0, gid 0, mode 0755", "uid 65534, gid 65534", "chmod 1777"});
    expect_told(Errc::permission_denied, [] { Segment::remove("there"); }, {"mode 0755", "chmod 1777"});
    static_cast<void>(Segment::open("there"));
  });
  with_own_shm("size=8m,mode=0700", [] {
    create("there", {.slab_bytes = 8192, .participants = 4, .mode = 0666});
    become_nobody();
    expect_told(Errc::permission_denied, [] { static_cast<void>(Segment::open("there")); },
                {"/dev/shm has uid 0, gid 0, mode 0700", "chmod 1777"});
  });
}

BOOST_AUTO_TEST_CASE(what_would_admit_this_user_to_a_segment_is_named) {
  if (!may_change_user_there()) return;
  with_own_shm("size=8m", [] {
    create("private");
    create("of_a_group", {.slab_bytes = 8192, .participants = 4, .mode = 0660});
    become_nobody();
    create("own");
    require(::chmod("/dev/shm/sapbuf.own", 0) == 0, "cannot change the mode");
    const auto open = [](const char* name) { return [=] { static_cast<void>(Segment::open(name)); }; };
    expect_told(Errc::permission_denied, open("private"),
                {"uid 0, gid 0, mode 0600", "this process has uid 65534, gid 65534", "--mode 0660"});
    expect_told(Errc::permission_denied, open("of_a_group"), {"uid 0, gid 0, mode 0660", "join gid 0"});
    require(message_of(open("of_a_group")).find("--mode") == std::string::npos, "its mode is not the matter");
    expect_told(Errc::permission_denied, open("own"), {"mode 0000", "chmod u+rw"});
    expect_told(Errc::permission_denied, [] { Segment::remove("private"); }, {"uid 0", "sticky"});
  });
}

BOOST_AUTO_TEST_CASE(a_file_system_that_cannot_do_it_is_named) {
  with_own_shm("size=8m", [] {
    // One without unnamed files, and which an ordinary user, too, may mount in namespaces of his own.
    unshare(CLONE_NEWIPC);
    require(::mount("mqueue", "/dev/shm", "mqueue", 0, nullptr) == 0, "cannot mount");
    expect_told(Errc::unsupported, [] { create(); }, {"O_TMPFILE", "mount -t tmpfs"});
  });
}

BOOST_AUTO_TEST_CASE(a_missing_directory_is_named) {
  with_own_shm("size=8m", [] {
    require(::mount("tmpfs", "/dev", "tmpfs", 0, "size=1m") == 0, "cannot mount");
    expect_told(Errc::unsupported, [] { create(); }, {"there is no such directory", "mount -t tmpfs"});
    expect_told(Errc::not_found, [] { static_cast<void>(Segment::open("there")); }, {"there is no segment 'there'"});
    require(Segment::list().empty(), "something is there");
  });
}

BOOST_AUTO_TEST_CASE(the_limit_of_descriptors_is_named) {
  Child child{[](Link&) {
    const FewDescriptors none{0};
    for (const auto& call : {std::function<void()>{[] { create(); }},
                             std::function<void()>{[] { static_cast<void>(Segment::open_or_create("made")); }}}) {
      expect_told(Errc::resource_exhausted, call, {"256 descriptors", "ulimit -n"});
    }
  }};
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_CASE(the_limit_of_address_space_is_named) {
  if (kUnderSanitizer) {
    BOOST_TEST_MESSAGE("skipped: a sanitizer takes all address space");
    return;
  }
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 8 << 20});
  Child child{[&](Link&) {
    const Segment own = Segment::open(name);
    std::size_t pages = 0;
    std::ifstream{"/proc/self/statm"} >> pages;
    const rlim_t most = pages * layout::kPageBytes + (4 << 20);
    const rlimit limit{most, most};
    require(::setrlimit(RLIMIT_AS, &limit) == 0, "cannot set the limit");
    expect_told(Errc::resource_exhausted, [&] { const Writer writer{own}; },
                {std::to_string(most) + " bytes of address space", "ulimit -v"});
  }};
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

// --- A container's memory limit ------------------------------------------------------------------------------------

BOOST_AUTO_TEST_SUITE(memory_limits)

constexpr std::uint64_t kMiB = 1 << 20;

// A control group with a memory limit, made beside all others; its members are gone before it goes.
class LimitedGroup {
 public:
  explicit LimitedGroup(std::uint64_t bytes) {
    std::ifstream mounts{"/proc/self/mountinfo"};
    for (std::string line; folder_.empty() && std::getline(mounts, line);) {
      std::istringstream words{line};
      std::string id, parent, device, root, point;
      words >> id >> parent >> device >> root >> point;
      const bool version1 = line.find(" - cgroup ") != std::string::npos && line.find("memory") != std::string::npos;
      const bool version2 = line.find(" - cgroup2 ") != std::string::npos;
      if (version1 || version2) try_in(point, version1 ? "memory.limit_in_bytes" : "memory.max", bytes);
    }
  }
  LimitedGroup(const LimitedGroup&) = delete;
  LimitedGroup& operator=(const LimitedGroup&) = delete;
  ~LimitedGroup() {
    if (!folder_.empty()) eventually([&] { return ::rmdir(folder_.c_str()) == 0; });
  }

  bool was_made() const { return !folder_.empty(); }
  std::string name() const { return fs::path{folder_}.filename(); }
  void enter() const {
    std::ofstream procs{folder_ + "/cgroup.procs"};
    procs << ::getpid() << std::endl;
    require(procs.good(), "cannot enter the group");
  }

 private:
  void try_in(const std::string& point, const std::string& file, std::uint64_t bytes) {
    const std::string folder = point + "/sapbuf-test-" + std::to_string(::getpid());
    if (::mkdir(folder.c_str(), 0755) != 0) return;
    std::ofstream limit;
    if (fs::exists(folder + "/" + file)) {
      limit.open(folder + "/" + file);
      limit << bytes << std::endl;
    }
    if (limit.is_open() && limit.good()) {
      folder_ = folder;
    } else {
      ::rmdir(folder.c_str());
    }
  }

  std::string folder_;
};

// A neighbour in the same group, with some memory of its own: the one whom the kernel would kill.
Child neighbour(const LimitedGroup& group) {
  return Child{[&](Link& link) {
    group.enter();
    void* const memory =
        ::mmap(nullptr, 16 * kMiB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    require(memory != MAP_FAILED, "cannot map memory");
    link.say(1);
    link.hear();
  }};
}

BOOST_AUTO_TEST_CASE(a_segment_beyond_the_memory_limit_is_refused_and_nobody_is_killed) {
  const LimitedGroup group{64 * kMiB};
  if (!group.was_made()) {
    BOOST_TEST_MESSAGE("skipped: this process may not limit the memory of a control group");
    return;
  }
  Child other = neighbour(group);
  other.hear();
  with_own_shm("size=1g", [&] {
    group.enter();
    expect_told(Errc::no_space, [] { create("made", {.slab_bytes = 128 * kMiB}); },
                {"cgroup", group.name(), std::to_string(64 * kMiB)});
    require(is_empty(), "something was left behind");
    bool listed = false;
    for (const SpaceLimit& limit : space_limits()) {
      if (limit.what.find(group.name()) == std::string::npos) continue;
      listed = true;
      require(limit.bytes <= 48 * kMiB, "more room than there is");
      require(!limit.remedy.empty(), "no remedy");
    }
    require(listed, "the limit is not listed");
    create("made", {.slab_bytes = 4 * kMiB});
  });
  BOOST_TEST(other.running());
  other.say(1);
  BOOST_TEST(other.wait() == 0);
}

BOOST_AUTO_TEST_CASE(limits_are_listed_with_the_smallest_first) {
  Child child{[](Link&) {
    const rlimit small{123456, 123456};
    require(::setrlimit(RLIMIT_FSIZE, &small) == 0, "cannot set the limit");
    const std::vector<SpaceLimit> limits = space_limits();
    require(!limits.empty() && limits.front().bytes == 123456, "the smallest is not the first");
    for (std::size_t i = 1; i < limits.size(); ++i) require(limits[i - 1].bytes <= limits[i].bytes, "not in order");
  }};
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
