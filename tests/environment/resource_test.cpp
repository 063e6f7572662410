// What a segment needs from the system runs out, or goes away.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <fstream>
#include <vector>

#include <sapbuf/detail/kill_point.hpp>

#include "environment/surroundings.hpp"
#include "support/skip.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

SegmentOptions small(Order order = Order::per_writer) {
  return {.slab_bytes = 8192, .order = order, .participants = 8};
}

bool exists(const std::string& name) { return ::access(("/dev/shm/sapbuf." + name).c_str(), F_OK) == 0; }

// Runs in a child: throws if any step of a stream's life does not work, flips, a death and its journal among them.
void live_through_a_streams_life(const Segment& segment) {
  Reader reader{segment, {.name = "reader"}};
  Writer writer{segment, {.name = "writer"}};
  Log log;
  for (std::uint32_t number = 0; number < 500; ++number) {
    require(put(writer, {1, number}, 300) == Status::ok, "not accepted");
    log.read(reader);
  }
  require(log.is_complete(1, 500), "not as they were written");
  Child victim{[&](Link&) {
    Writer own{Segment::open(segment.name()), {.name = "victim"}};
    const Reservation open = own.reserve(100);
    ::_exit(0);
  }};
  victim.wait();
  require(recover(segment).dead.size() == 1, "the dead one was not recovered");
  require(inspect(segment).journal.back().name == "victim", "the death is not in the journal");
}

BOOST_AUTO_TEST_SUITE(shared_memory_file_system)

void fill_file_system() {
  const int file = ::open("/dev/shm/filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const std::vector<char> page(4096, 'x');
  while (::write(file, page.data(), page.size()) > 0) {
  }
  ::close(file);
}

BOOST_DATA_TEST_CASE(a_stream_goes_on_when_the_file_system_is_full_and_no_further_one_is_made, data::make(kOrders),
                     order) {
  if (!may_mount_shm()) return;
  Child child{[&](Link&) {
    mount_own_shm("size=2m");
    const Segment running = Segment::create("running", small(order));
    fill_file_system();
    const auto create = [] { static_cast<void>(Segment::create("another", small())); };
    require(error_of(create) == Errc::no_space, "another error");
    require(message_of(create).find("/dev/shm has no room") != std::string::npos, message_of(create));
    require(!exists("another"), "something was left behind");
    live_through_a_streams_life(running);
  }};
  BOOST_TEST(child.wait() == 0);
}

// Behind what the segment has already.
BOOST_AUTO_TEST_CASE(the_file_size_limit_is_named_where_it_keeps_a_facility_from_being_made) {
  const TestName name;
  const Segment segment = Segment::create(name, small());
  Child child{[&](Link&) {
    const Segment own = Segment::open(name);
    const rlimit limit{own.bytes() + 4096, own.bytes() + 4096};
    require(::setrlimit(RLIMIT_FSIZE, &limit) == 0, "cannot set the limit");
    const auto create = [&] { Stream::create(own, "another", {.slabs = 2, .slab_bytes = 4096}); };
    require(message_of(create).find("ulimit -f") != std::string::npos, message_of(create));
  }};
  BOOST_TEST(child.wait() == 0);
}

// What a dead one has allocated is there for the next one, and leaves no room for as much again.
BOOST_AUTO_TEST_CASE(a_pool_grows_into_what_somebody_died_behind_allocating) {
  if (!may_mount_shm()) return;
  Child child{[&](Link&) {
    mount_own_shm("size=8m");
    const Segment segment = Segment::create("running", small());
    const Pool pool = Pool::create(segment, "frames", {.buffer_bytes = 1 << 20, .count = 2, .max_count = 5});
    PoolUser user{pool};
    std::vector<Buffer> all;
    for (int i = 0; i < 2; ++i) all.push_back(user.acquire());
    Child grower{[&](Link&) {
      PoolUser own{Pool::open(Segment::open("running"), "frames")};
      kill_point::arm(KillPoint::growth_allocated, kill_self);
      static_cast<void>(own.acquire());
    }};
    require(grower.wait() == -SIGKILL, "it was not killed");
    const int file = ::open("/dev/shm/filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    require(::posix_fallocate(file, 0, static_cast<off_t>(shm_room() - (512 << 10))) == 0, "cannot fill it");
    all.push_back(user.acquire());
    require(static_cast<bool>(all.back()), "it does not grow");
    require(user.acquire().status() == Status::exhausted, "it grows where nothing is");
  }};
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_CASE(no_segment_is_made_where_no_file_can_be_made) {
  if (!may_mount_shm()) return;
  Child child{[&](Link&) {
    mount_own_shm("size=2m,nr_inodes=3");
    for (int i = 0; ::open(("/dev/shm/" + std::to_string(i)).c_str(), O_CREAT | O_CLOEXEC, 0600) >= 0; ++i) {
    }
    require(error_of([] { static_cast<void>(Segment::create("another", small())); }) == Errc::no_space,
            "another error");
    require(Segment::list().empty(), "something was left behind");
  }};
  BOOST_TEST(child.wait() == 0);
}

// The name goes, and with it the way in; those who are inside need neither.
BOOST_DATA_TEST_CASE(participants_of_a_removed_segment_go_on_and_recover_each_other, data::make(kOrders), order) {
  const TestName name;
  const Segment old = Segment::create(name, small(order));
  Child holder = holder_of(name, "holder");
  holder.hear();
  Child writing{[&](Link& link) {
    Writer writer{Segment::open(name), {.name = "writer", .timeout = 20ms}};
    fill_up(writer);
    link.say(1);
    link.hear();
    writer.close();
    Writer patient{Segment::open(name)};
  }};
  writing.hear();
  Writer writer{old};
  BOOST_TEST(Segment::remove(name));
  const Segment fresh = Segment::create(name, small(order));
  holder.kill();
  BOOST_TEST(writer.write(kLine) == Status::ok);  // nobody but this writer recovers here
  BOOST_TEST(inspect(old).journal.size() == 1U);
  BOOST_TEST(inspect(fresh).journal.empty());
  BOOST_TEST(inspect(fresh).participants.empty());
  writing.say(1);
  BOOST_TEST(writing.wait() == 0);
  BOOST_TEST(inspect(fresh).departed_participants == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(descriptors)

// What a call comes to with no descriptor left, one left, and so on, until it succeeds; it must be told each time, and
// leave nothing open.
void try_with_ever_more_descriptors(const std::function<void()>& call) {
  for (std::size_t left = 0;; ++left) {
    require(left < 20, "it never succeeds");
    const std::size_t before = open_descriptors();
    Errc code{};
    {
      const FewDescriptors few{left};
      code = error_of(call);
    }
    require(open_descriptors() == before, "descriptors were leaked");
    if (code == nothing()) return;
    require(code == Errc::resource_exhausted, "another error: " + make_error_code(code).message());
  }
}

BOOST_AUTO_TEST_CASE(opening_without_descriptors_is_an_error_and_leaves_nothing) {
  const TestName name;
  const Segment segment = Segment::create(name, small());
  Child child{[&](Link&) {
    try_with_ever_more_descriptors([&] { static_cast<void>(Segment::open(name)); });
    try_with_ever_more_descriptors([&] { static_cast<void>(inspect(name)); });
    try_with_ever_more_descriptors([&] { require(!Segment::list().empty(), "the list is empty"); });
  }};
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_CASE(creating_without_descriptors_is_an_error_and_leaves_nothing) {
  const TestName name;
  Child child{[&](Link&) {
    try_with_ever_more_descriptors([&] {
      try {
        static_cast<void>(Segment::create(name, small()));
      } catch (const Error&) {
        require(!exists(name), "something was left behind");
        throw;
      }
    });
  }};
  BOOST_TEST(child.wait() == 0);
  BOOST_TEST(error_of([&] { static_cast<void>(Segment::open(name)); }) == nothing());
}

// A participant whose process could not be identified would be taken for somebody else by those who look for it.
BOOST_DATA_TEST_CASE(attaching_without_descriptors_is_an_error_and_takes_no_slot, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order));
  Child child{[&](Link&) {
    const Segment own = Segment::open(name);
    for (const auto& attach : {std::function<void()>{[&] { const Writer writer{own}; }},
                               std::function<void()>{[&] { const Reader reader{own}; }}}) {
      {
        const FewDescriptors none{0};
        require(error_of(attach) == Errc::resource_exhausted, "another error");
        require(inspect(own).participants.empty(), "a slot was taken");
      }
      require(error_of(attach) == nothing(), "it does not work afterwards");
    }
    // Every slot can still be had: no lock was kept.
    std::vector<Writer> writers;
    for (int i = 0; i < 8; ++i) writers.emplace_back(own);
  }};
  BOOST_TEST(child.wait() == 0);
  BOOST_TEST(recover(segment).dead.empty());
}

// Those who are attached need no further descriptor: not for flips, not for recovery, not for a wait.
BOOST_DATA_TEST_CASE(participants_go_on_and_recover_without_descriptors, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order));
  Child dead = holder_of(name, "dead");
  dead.hear();
  Child child{[&](Link& link) {
    const Segment own = Segment::open(name);
    Writer writer{own};
    Reader reader{own};
    const FewDescriptors none{0};
    link.say(1);
    link.hear();
    Log log;
    for (std::uint32_t number = 0; number < 500; ++number) {
      require(put(writer, {1, number}, 300) == Status::ok, "not accepted");
      log.read(reader);
    }
    require(log.is_complete(1, 500), "not as they were written");
    require(inspect(own).journal.size() == 1, "the dead one was not recovered");
  }};
  child.hear();
  dead.kill();
  child.say(1);
  BOOST_TEST(child.wait() == 0);
}

BOOST_DATA_TEST_CASE(fork_without_descriptors_leaves_the_parents_handles_alone, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order));
  Child parent{[&](Link&) {
    Writer writer{Segment::open(name)};
    std::vector<pid_t> children;
    {
      const FewDescriptors none{0};
      const pid_t pid = ::fork();
      if (pid == 0) ::_exit(writer.write("no") == Status::forked ? 0 : 1);
      int status = -1;
      require(::waitpid(pid, &status, 0) == pid && status == 0, "the child could write");
    }
    require(writer.write("yes") == Status::ok, "the parent cannot write");
  }};
  BOOST_TEST(parent.wait() == 0);
  BOOST_TEST(recover(segment).dead.empty());
  BOOST_TEST(inspect(segment).departed.committed == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(address_space)

// No more than this beyond what the process has.
void limit_address_space(rlim_t more) {
  std::ifstream statm{"/proc/self/statm"};
  rlim_t pages = 0;
  require(bool(statm >> pages), "cannot read the process's size");
  const rlim_t bytes = pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + more;
  const rlimit limit{bytes, bytes};
  require(::setrlimit(RLIMIT_AS, &limit) == 0, "cannot set the limit");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_mapped_is_an_error_and_leaves_nothing_behind) {
  if (kUnderSanitizer) {
    skip("a sanitizer takes all address space");
    return;
  }
  // The extent tables alone take 1 MiB.
  const SegmentOptions wide{.slabs = 64, .slab_bytes = 512 << 10, .extent_bytes = 256};
  if (shm_room() < Segment::bytes_needed(wide) + (16 << 20)) {
    skip("/dev/shm has too little room for a segment of 32 MiB");
    return;
  }
  const TestName name;
  const TestName large;
  static_cast<void>(Segment::create(large, {.slab_bytes = 2 << 20}));
  Child child{[&](Link&) {
    const Segment own = Segment::open(large);
    limit_address_space(1 << 20);
    require(error_of([&] { const Writer writer{own}; }) == Errc::resource_exhausted, "a writer: another error");
    require(error_of([&] { const Reader reader{own}; }) == Errc::resource_exhausted, "a reader: another error");
    require(inspect(own).participants.empty(), "a slot was taken");
    require(error_of([&] { static_cast<void>(Segment::create(name, wide)); }) == Errc::resource_exhausted,
            "a creator: another error");
  }};
  BOOST_TEST(child.wait() == 0);
  BOOST_TEST(!exists(name));
}

// One that a participant in its way uses, alive or dead.
BOOST_DATA_TEST_CASE(what_cannot_be_mapped_keeps_nobody_from_the_dead_of_another_facility, data::make({false, true}),
                     dies) {
  if (kUnderSanitizer) {
    skip("a sanitizer takes all address space");
    return;
  }
  const PoolOptions wide{.buffer_bytes = 64, .count = 256 << 10};
  if (shm_room() < (64 << 20)) {
    skip("/dev/shm has too little room for a pool of some MiB");
    return;
  }
  const TestName name;
  const Segment segment = Segment::create(name, small());
  Pool::create(segment, "wide", wide);
  Child user{[&](Link& link) {
    PoolUser own{Pool::open(Segment::open(name), "wide")};
    const Buffer buffer = own.acquire();
    link.say(1);
    link.hear();
  }};
  user.hear();
  Child dead = holder_of(name, "dead");
  dead.hear();
  Child child{[&](Link& link) {
    const Segment own = Segment::open(name);
    limit_address_space(2 << 20);  // before recovery may have the pool mapped
    Writer writer{own, {.timeout = 2s}};
    require(error_of([&] { Pool::open(own, "wide"); }) == Errc::resource_exhausted, "the pool can be mapped");
    link.say(1);
    link.hear();
    for (std::uint32_t number = 0; number < 500; ++number) {
      require(put(writer, {1, number}, 300) == Status::ok, "not accepted");
    }
  }};
  child.hear();
  if (dies) user.kill();
  dead.kill();
  child.say(1);
  BOOST_TEST(child.wait() == 0);
  BOOST_TEST(recover(segment).dead.size() == (dies ? 1U : 0U));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
