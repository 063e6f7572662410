// What is read out of the files of control groups, of both versions. The files are the test's own.
#include <sys/sysinfo.h>

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "platform/cgroup.hpp"

namespace sapbuf::test {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMiB = 1 << 20;

// A folder that is mounted as a hierarchy of control groups, or so its mountinfo says.
class Tree {
 public:
  Tree() {
    char path[] = "/tmp/sapbuf-cgroup-XXXXXX";
    if (::mkdtemp(path) == nullptr) throw std::runtime_error("cannot make a directory");
    root_ = path;
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  ~Tree() { fs::remove_all(root_); }

  void put(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream{root_ / path} << text << '\n';
  }
  void version2(const std::string& group, const std::string& limit, std::uint64_t usage) const {
    put("mount" + group + "/memory.max", limit);
    put("mount" + group + "/memory.current", std::to_string(usage));
    put("mount" + group + "/memory.swap.max", "0");
    put("mount" + group + "/memory.swap.current", "0");
  }
  void mount(const std::string& type, const std::string& options, const std::string& top = "/") const {
    put("mountinfo", "24 1 0:22 / /proc rw,relatime - proc proc rw\n41 31 0:38 " + top + " " +
                         (root_ / "mount").string() + " rw,nosuid shared:9 - " + type + " " + type + " " + options);
  }
  std::vector<platform::CgroupRoom> look(const std::string& groups) const {
    put("cgroup", groups);
    return platform::limiting_cgroups(root_ / "cgroup", root_ / "mountinfo");
  }

 private:
  fs::path root_;
};

std::uint64_t free_swap() {
  struct sysinfo system {};
  ::sysinfo(&system);
  return std::uint64_t{system.freeswap} * system.mem_unit;
}

BOOST_AUTO_TEST_SUITE(cgroups)

BOOST_AUTO_TEST_CASE(each_limit_up_the_tree_is_found) {
  const Tree tree;
  tree.mount("cgroup2", "rw");
  tree.version2("/a", std::to_string(64 * kMiB), 60 * kMiB);
  tree.version2("/a/b", "max", 50 * kMiB);
  tree.version2("/a/b/c", std::to_string(100 * kMiB), 10 * kMiB);
  const auto found = tree.look("0::/a/b/c");
  BOOST_TEST_REQUIRE(found.size() == 2U);
  BOOST_TEST(found[0].cgroup == "/a/b/c");
  BOOST_TEST(found[0].limit == 100 * kMiB);
  BOOST_TEST(found[0].room == 90 * kMiB);
  BOOST_TEST(found[1].cgroup == "/a");
  BOOST_TEST(found[1].room == 4 * kMiB);
}

BOOST_AUTO_TEST_CASE(what_the_kernel_would_give_up_counts_as_room) {
  const Tree tree;
  tree.mount("cgroup2", "rw");
  tree.version2("/a", std::to_string(64 * kMiB), 64 * kMiB);
  tree.put("mount/a/memory.stat",
           "anon 1048576\nfile 41943040\nshmem 1048576\ninactive_file 20971520\nactive_file 10485760\n"
           "slab_reclaimable 1048576\nworkingset_refault_file 999999999");
  const auto found = tree.look("0::/a");
  BOOST_TEST_REQUIRE(found.size() == 1U);
  BOOST_TEST(found[0].room == 31 * kMiB);
}

BOOST_AUTO_TEST_CASE(a_group_that_is_over_its_limit_has_no_room) {
  const Tree tree;
  tree.mount("cgroup2", "rw");
  tree.version2("/a", std::to_string(4 * kMiB), 5 * kMiB);
  BOOST_TEST(tree.look("0::/a").at(0).room == 0U);
}

BOOST_AUTO_TEST_CASE(swap_counts_as_far_as_the_group_and_the_machine_have_it) {
  const Tree tree;
  tree.mount("cgroup2", "rw");
  tree.version2("/a", std::to_string(4 * kMiB), 4 * kMiB);
  tree.put("mount/a/memory.swap.max", "max");
  BOOST_TEST(tree.look("0::/a").at(0).room == free_swap());
  tree.put("mount/a/memory.swap.max", std::to_string(kMiB));
  BOOST_TEST(tree.look("0::/a").at(0).room == std::min(kMiB, free_swap()));
}

// As it is seen from a container without a cgroup namespace: its own group is at the top of the mount.
BOOST_AUTO_TEST_CASE(a_part_of_a_hierarchy_is_read_from_its_top) {
  const Tree tree;
  tree.mount("cgroup", "rw,memory", "/docker/abc");
  tree.put("mount/memory.limit_in_bytes", std::to_string(64 * kMiB));
  tree.put("mount/memory.usage_in_bytes", std::to_string(60 * kMiB));
  tree.put("mount/memory.memsw.limit_in_bytes", std::to_string(64 * kMiB));
  tree.put("mount/memory.memsw.usage_in_bytes", std::to_string(62 * kMiB));
  tree.put("mount/memory.stat", "inactive_file 5\ntotal_inactive_file 1048576\ntotal_active_file 1048576");
  for (const char* const groups :
       {"4:memory:/docker/abc", "9:name=systemd:/x\n4:cpu,memory:/docker/abc\n0::/", "4:memory:/"}) {
    const auto found = tree.look(groups);
    BOOST_TEST_REQUIRE(found.size() == 1U);
    BOOST_TEST(found[0].cgroup == "/");
    BOOST_TEST(found[0].room == std::min(6 * kMiB + free_swap(), 4 * kMiB));
  }
}

BOOST_AUTO_TEST_CASE(version_1_without_a_limit_says_a_huge_number) {
  const Tree tree;
  tree.mount("cgroup", "rw,memory");
  tree.put("mount/a/memory.limit_in_bytes", "9223372036854771712");
  tree.put("mount/a/memory.usage_in_bytes", "4096");
  BOOST_TEST(tree.look("4:memory:/a").empty());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_is_no_limit) {
  const Tree tree;
  BOOST_TEST(tree.look("0::/a").empty());
  tree.mount("cgroup2", "rw");
  BOOST_TEST(tree.look("0::/a/b").empty());
  for (const char* const groups : {"", ":", "0:", "0::", "0::a", "::::", "4:memory", "0::/../..", "0::/a/"}) {
    BOOST_TEST(tree.look(groups).empty());
  }
  for (const char* const limit : {"", "much", "-1", "99999999999999999999999"}) {
    tree.version2("/a", limit, kMiB);
    BOOST_TEST(tree.look("0::/a").empty());
  }
  for (const char* const line : {" - ", "1 2 3 - cgroup2 cgroup2 rw", "1 2 0:3 / /x rw - cgroup2"}) {
    tree.put("mountinfo", line);
    BOOST_TEST(tree.look("0::/a").empty());
  }
}

// Whatever this machine has, looking works, and what is found makes sense.
BOOST_AUTO_TEST_CASE(the_groups_of_this_process_are_read) {
  for (const platform::CgroupRoom& group : platform::limiting_cgroups()) {
    BOOST_TEST(group.cgroup.starts_with("/"));
    BOOST_TEST(group.limit != 0U);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
