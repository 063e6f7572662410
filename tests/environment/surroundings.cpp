#include "environment/surroundings.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "support/skip.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

std::atomic<std::size_t> signals_seen{0};

void on_alarm(int) { signals_seen.fetch_add(1, std::memory_order_relaxed); }

void write_file(const char* path, const std::string& text) {
  const int file = ::open(path, O_WRONLY | O_CLOEXEC);
  const bool written = file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (file >= 0) ::close(file);
  require(written, std::string("cannot write ") + path);
}

void map_to_self(const char* path, unsigned id) {
  write_file(path, std::to_string(id) + " " + std::to_string(id) + " 1");
}

// How soon the kernel can be asked to send the next signal.
void set_timer(std::chrono::microseconds interval) {
  const timeval every{0, static_cast<suseconds_t>(interval.count())};
  const itimerval timer{every, every};
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

}  // namespace

void require(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

bool is_possible(const std::function<void()>& code, const char* what) {
  Child child{[&](Link& link) {
    try {
      code();
      link.say(1);
    } catch (const std::exception&) {
      link.say(0);
    }
  }};
  const bool possible = child.hear() == 1;
  if (!possible) skip(std::string{"this process may not "} + what);
  return possible;
}

bool may_unshare(int namespaces) {
  return is_possible([&] { unshare(namespaces); }, "make the namespaces that are needed");
}

void unshare(int namespaces) {
  if (::unshare(namespaces) == 0) return;
  const unsigned user = ::getuid();
  const unsigned group = ::getgid();
  require(::unshare(namespaces | CLONE_NEWUSER) == 0, "cannot make the namespaces");
  write_file("/proc/self/setgroups", "deny");
  map_to_self("/proc/self/uid_map", user);
  map_to_self("/proc/self/gid_map", group);
}

void go_on_in_child() {
  int alive[2];
  require(::pipe(alive) == 0, "cannot make a pipe");
  const pid_t pid = ::fork();
  require(pid >= 0, "cannot fork");
  if (pid == 0) {
    ::close(alive[1]);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // The parent may have died before that. Its pid says nothing in another namespace, but its end of a pipe does.
    ::fcntl(alive[0], F_SETFL, O_NONBLOCK);
    char byte = 0;
    if (::read(alive[0], &byte, 1) == 0) ::_exit(2);
    return;
  }
  ::close(alive[0]);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
  }
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 3);
}

void set_monotonic_offset(long seconds) {
  write_file("/proc/self/timens_offsets", "monotonic " + std::to_string(seconds) + " 0");
}

bool may_mount_shm() {
  return is_possible([] { mount_own_shm("size=1m"); }, "mount a /dev/shm of its own");
}

void mount_own_shm(const std::string& options) {
  unshare(CLONE_NEWNS);
  // A mount under a shared one would appear outside as well. In a chroot, / may be no mount point, and then what
  // /dev/shm stands on has to be one.
  constexpr std::array kPlaces{"/", "/dev", "/dev/shm"};
  const bool is_private = std::any_of(kPlaces.begin(), kPlaces.end(), [](const char* place) {
    return ::mount("none", place, nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  });
  require(is_private, "cannot make the mounts private");
  require(::mount("tmpfs", "/dev/shm", "tmpfs", 0, options.c_str()) == 0, "cannot mount a tmpfs");
}

std::uint64_t shm_room() {
  struct statvfs space {};
  require(::statvfs("/dev/shm", &space) == 0, "cannot look at /dev/shm");
  return std::uint64_t{space.f_bavail} * space.f_frsize;
}

long uptime_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

bool may_change_user() { return is_possible(become_nobody, "become another user"); }

void become_nobody() {
  require(::getuid() != kNobody, "this is no other user");
  require(::setgid(kNobody) == 0 && ::setuid(kNobody) == 0, "cannot become another user");
  // The change of user has taken the flag away.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
}

FewDescriptors::FewDescriptors(std::size_t left) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = 256;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  for (int descriptor = 0; (descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) taken_.push_back(descriptor);
  for (; left != 0 && !taken_.empty(); --left) {
    ::close(taken_.back());
    taken_.pop_back();
  }
}

FewDescriptors::~FewDescriptors() {
  for (const int descriptor : taken_) ::close(descriptor);
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all{"/proc/self/fd"};
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

SignalStorm::SignalStorm(std::chrono::microseconds interval) {
  signals_seen.store(0);
  struct sigaction action {};
  action.sa_handler = on_alarm;
  ::sigaction(SIGALRM, &action, nullptr);
  set_timer(interval);
}

SignalStorm::~SignalStorm() { set_timer(std::chrono::microseconds{0}); }

std::size_t SignalStorm::signals() const noexcept { return signals_seen.load(); }

Child holder_of(const std::string& name, const std::string& participant) {
  return Child{[=](Link& link) {
    const Reader reader{Segment::open(name), {.name = participant}};
    link.say(1);
    link.hear();
  }};
}

const std::string kLine(200, 'x');

std::size_t fill_up(Writer& writer) {
  std::size_t count = 0;
  while (writer.write(kLine) == Status::ok) ++count;
  return count;
}

}  // namespace sapbuf::test
