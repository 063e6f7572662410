// What the daemon tells a service manager, which here is a real datagram socket.
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <fstream>

#include <sapbuf/layout/header.hpp>

#include "watchdog/daemon.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

enum class Address { path, abstract };
std::ostream& operator<<(std::ostream& out, Address address) {
  return out << (address == Address::path ? "path" : "abstract");
}

class Manager {
 public:
  explicit Manager(Address kind = Address::path)
      : path_{"/tmp/sapbuf.test.notify." + std::to_string(::getpid())},
        variable_{(kind == Address::path ? "" : "@") + path_},
        socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::size_t bytes = offsetof(sockaddr_un, sun_path) + variable_.copy(address.sun_path, variable_.size());
    if (kind == Address::abstract) address.sun_path[0] = '\0';
    ::unlink(path_.c_str());
    BOOST_TEST_REQUIRE(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(bytes)) ==
                       0);
  }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;
  ~Manager() {
    ::close(socket_);
    ::unlink(path_.c_str());
  }

  // What a service manager puts into the environment of its service.
  std::function<void()> environment(const std::string& watchdog_usec = {}, const std::string& watchdog_pid = {}) const {
    return [=, address = variable_] {
      ::setenv("NOTIFY_SOCKET", address.c_str(), 1);
      if (!watchdog_usec.empty()) ::setenv("WATCHDOG_USEC", watchdog_usec.c_str(), 1);
      if (!watchdog_usec.empty()) {
        ::setenv("WATCHDOG_PID", watchdog_pid.empty() ? std::to_string(::getpid()).c_str() : watchdog_pid.c_str(), 1);
      }
    };
  }

  // The next message; empty if none comes in time.
  std::string hear(std::chrono::milliseconds patience = kPatience) const {
    pollfd readable{socket_, POLLIN, 0};
    char text[4096];
    if (::poll(&readable, 1, static_cast<int>(patience.count())) != 1) return {};
    const ssize_t got = ::recv(socket_, text, sizeof text, 0);
    return {text, got > 0 ? static_cast<std::size_t>(got) : 0};
  }
  // The next message with `text` in it; what comes before is passed over.
  std::string hear_of(const std::string& text) const {
    for (std::string message; !(message = hear()).empty();) {
      if (message.find(text) != std::string::npos) return message;
    }
    return {};
  }
  // All that is there now.
  std::vector<std::string> pending() const {
    std::vector<std::string> all;
    for (std::string message; !(message = hear(0ms)).empty();) all.push_back(message);
    return all;
  }

 private:
  std::string path_;
  std::string variable_;
  int socket_;
};

// A socket for the watchdog, and a stream.
struct Scene {
  TestName name;
  Segment segment = Segment::create(name, {.slab_bytes = 4096});
};

BOOST_AUTO_TEST_SUITE(notify)

BOOST_DATA_TEST_CASE(it_is_ready_after_the_first_sweep, data::make({Address::path, Address::abstract}), address) {
  Scene scene;
  die_writing(scene.name, "victim", 1);
  const Manager manager{address};
  Daemon daemon{{scene.name}, manager.environment()};
  BOOST_TEST(manager.hear() == "READY=1\nSTATUS=watching 1 segment");
  BOOST_TEST(inspect(scene.segment).journal.size() == 1U);
  BOOST_TEST(daemon.end() == 0);
  BOOST_TEST(manager.hear() == "STOPPING=1");
}

// Nothing but the pings makes it look: nobody's process ends here, and the interval is an hour.
BOOST_AUTO_TEST_CASE(each_ping_follows_a_sweep) {
  Scene scene;
  Child changeling{[&](Link& link) {
    const Writer writer{Segment::open(scene.name), {.name = "changeling"}};
    link.say(1);
    link.hear();
    ::execlp("sleep", "sleep", "60", nullptr);
  }};
  changeling.hear();
  const Manager manager;
  Daemon daemon{{scene.name, "--interval", "3600000"}, manager.environment("60000")};
  BOOST_TEST(manager.hear().starts_with("READY=1\n"));
  BOOST_TEST(manager.hear().starts_with("WATCHDOG=1\n"));
  changeling.say(1);
  BOOST_TEST(
      eventually([&] { return !find_dead(scene.segment).dead.empty() || !inspect(scene.segment).journal.empty(); }));
  manager.pending();
  // The first of these may belong to a sweep that began before the death.
  for (int i = 0; i < 2; ++i) BOOST_TEST(manager.hear().starts_with("WATCHDOG=1\n"));
  BOOST_TEST(inspect(scene.segment).journal.size() == 1U);
}

BOOST_AUTO_TEST_CASE(without_a_watchdog_time_or_with_another_ones_there_are_no_pings) {
  for (const char* pid : {"", "1"}) {
    Scene scene;
    const Manager manager;
    Daemon daemon{{scene.name, "--interval", "1"}, manager.environment(*pid == '\0' ? "" : "1000", pid)};
    BOOST_TEST(manager.hear().starts_with("READY=1\n"));
    for (std::size_t deaths = 1; deaths <= 3; ++deaths) {
      die_writing(scene.name, "victim", 1);
      BOOST_TEST(eventually([&] { return inspect(scene.segment).participants.empty(); }));
    }
    BOOST_TEST(daemon.end() == 0);
    BOOST_TEST(manager.hear() == "STOPPING=1");
  }
}

BOOST_AUTO_TEST_CASE(a_stopped_daemon_pings_no_more_until_it_goes_on) {
  Scene scene;
  const Manager manager;
  Daemon daemon{{scene.name}, manager.environment("60000")};
  BOOST_TEST(!manager.hear_of("WATCHDOG=1").empty());
  daemon.process().stop();
  manager.pending();
  BOOST_TEST(manager.hear(300ms) == "");
  daemon.process().resume();
  BOOST_TEST(!manager.hear_of("WATCHDOG=1").empty());
}

// A restart would give it descriptors; so it does not say that all is well.
BOOST_AUTO_TEST_CASE(a_daemon_that_lacks_the_resources_to_look_is_not_ready_and_does_not_ping) {
  Scene scene;
  const Manager manager;
  Daemon daemon{{scene.name, "--interval", "1"}, [&] {
                  manager.environment("60000")();
                  ::syscall(SYS_close_range, 3U, ~0U, 0U);
                  const rlimit limit{6, 6};  // its own two, and one more, where opening a stream takes three
                  require(::setrlimit(RLIMIT_NOFILE, &limit) == 0, "cannot set the limit");
                }};
  BOOST_TEST(eventually([&] { return daemon.says("Too many open files"); }));
  BOOST_TEST(daemon.end() == 0);
  BOOST_TEST(manager.pending() == std::vector<std::string>{"STOPPING=1"}, boost::test_tools::per_element());
}

// That the list cannot be had is no reason to look for it all the time.
BOOST_AUTO_TEST_CASE(a_daemon_without_a_list_of_segments_waits) {
  const Manager manager;
  Daemon daemon{{"--all"}, [&] {
                  manager.environment("60000")();
                  ::syscall(SYS_close_range, 3U, ~0U, 0U);
                  const rlimit limit{6, 6};
                  require(::setrlimit(RLIMIT_NOFILE, &limit) == 0, "cannot set the limit");
                }};
  const auto ticks = [&] {
    std::ifstream file{"/proc/" + std::to_string(daemon.process().pid()) + "/stat"};
    std::string field;
    for (int number = 1; number < 14; ++number) file >> field;
    long user = 0;
    long system = 0;
    file >> user >> system;
    return user + system;
  };
  BOOST_TEST(eventually([&] { return !daemon.messages().empty() && daemon.says("open files"); }), daemon.messages());
  const long before = ticks();
  ::usleep(1'000'000);
  BOOST_TEST(ticks() - before < ::sysconf(_SC_CLK_TCK) / 4);
  BOOST_TEST(daemon.end() == 0);
}

// Somebody else's stopped process is no reason to restart the watchdog: it looks, and says what is left.
BOOST_AUTO_TEST_CASE(a_recovery_that_must_wait_is_told_and_the_pings_go_on) {
  Scene scene;
  die_writing(scene.name, "victim", 1);
  Child lock_holder{[&](Link& link) {
    const int file = ::open(("/dev/shm/sapbuf." + scene.name.str()).c_str(), O_RDWR | O_CLOEXEC);
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_start = static_cast<off_t>(layout::kMaintenanceLocks);
    lock.l_len = 1;
    require(::fcntl(file, F_OFD_SETLK, &lock) == 0, "cannot take the maintenance lock");
    link.say(1);
    link.hear();
  }};
  lock_holder.hear();
  lock_holder.stop();
  const Manager manager;
  Daemon daemon{{scene.name}, manager.environment("60000")};
  BOOST_TEST(manager.hear() == "READY=1\nSTATUS=watching 1 segment; recovery pending in 1");
  BOOST_TEST(manager.hear() == "WATCHDOG=1\nSTATUS=watching 1 segment; recovery pending in 1");
  BOOST_TEST(inspect(scene.segment).journal.empty());
  lock_holder.kill();
  const auto all_is_well = [&] { return manager.hear() == "WATCHDOG=1\nSTATUS=watching 1 segment"; };
  BOOST_TEST(eventually(all_is_well));
  BOOST_TEST(inspect(scene.segment).journal.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_stream_that_cannot_be_watched_is_told_and_the_pings_go_on) {
  Scene scene;
  const TestName other;
  std::ofstream{"/dev/shm/sapbuf." + other.str()} << "something else";
  const Manager manager;
  Daemon daemon{{scene.name, other}, manager.environment("60000")};
  BOOST_TEST(manager.hear() == "READY=1\nSTATUS=watching 1 segment; trouble with 1");
  BOOST_TEST(manager.hear() == "WATCHDOG=1\nSTATUS=watching 1 segment; trouble with 1");
}

BOOST_AUTO_TEST_CASE(a_manager_that_cannot_be_reached_or_does_not_read_stops_nothing) {
  for (const char* address : {"/tmp/sapbuf.test.nobody.listens", "vsock:2:1", "relative", "@"}) {
    Scene scene;
    Daemon daemon{{scene.name, "--interval", "1"}, [&] {
                    ::setenv("NOTIFY_SOCKET", address, 1);
                    ::setenv("WATCHDOG_USEC", "1000", 1);
                  }};
    die_writing(scene.name, "victim", 1);
    BOOST_TEST(eventually([&] { return inspect(scene.segment).journal.size() == 1; }));
    BOOST_TEST(eventually([&] { return daemon.says("service manager"); }));
    BOOST_TEST(daemon.end() == 0);
  }
  Scene scene;
  const Manager deaf;
  Daemon daemon{{scene.name, "--interval", "1"}, deaf.environment("1000")};
  for (std::size_t deaths = 1; deaths <= 3; ++deaths) {
    die_writing(scene.name, "victim", 1);
    BOOST_TEST(eventually([&] { return inspect(scene.segment).journal.size() == deaths; }));
  }
  BOOST_TEST(daemon.end() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
