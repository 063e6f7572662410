#include "support/child.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <stdexcept>

#include <sapbuf/sapbuf.hpp>

namespace sapbuf::test {
namespace {

using Clock = std::chrono::steady_clock;

void short_nap() { ::usleep(500); }

}  // namespace

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = Clock::now() + kPatience;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    short_nap();
  }
  return true;
}

void Link::say(std::uint64_t value) const {
  if (::write(write_, &value, sizeof value) != sizeof value) throw std::runtime_error("the other process is gone");
}

std::uint64_t Link::hear() const {
  pollfd readable{read_, POLLIN, 0};
  const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(kPatience).count();
  if (::poll(&readable, 1, static_cast<int>(patience)) != 1) throw std::runtime_error("the other process is silent");
  std::uint64_t value = 0;
  if (::read(read_, &value, sizeof value) != sizeof value) throw std::runtime_error("the other process is gone");
  return value;
}

Child::Child(const std::function<void(Link&)>& code) {
  int to_child[2];
  int to_parent[2];
  if (::pipe(to_child) != 0 || ::pipe(to_parent) != 0) throw std::runtime_error("pipe failed");
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(2);
    ::close(to_child[1]);
    ::close(to_parent[0]);
    ::signal(SIGPIPE, SIG_IGN);
    Link link{to_child[0], to_parent[1]};
    int status = 0;
    try {
      code(link);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "child %d: %s\n", ::getpid(), error.what());
      status = 1;
    }
    ::_exit(status);
  }
  ::close(to_child[0]);
  ::close(to_parent[1]);
  descriptors_[0] = to_parent[0];
  descriptors_[1] = to_child[1];
  link_ = Link{to_parent[0], to_child[1]};
}

Child::~Child() {
  kill();
  ::close(descriptors_[0]);
  ::close(descriptors_[1]);
}

void Child::stop() {
  ::kill(pid_, SIGSTOP);
  if (!wait_until_stopped()) throw std::runtime_error("the child did not stop");
}

void Child::resume() { ::kill(pid_, SIGCONT); }

void Child::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  wait();
}

bool Child::wait_until_stopped() {
  return eventually([this] {
    int status = 0;
    return ::waitpid(pid_, &status, WUNTRACED | WNOHANG) == pid_ && WIFSTOPPED(status);
  });
}

int Child::wait() {
  if (pid_ <= 0) return 0;
  int status = 0;
  const bool ended = eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; });
  if (!ended) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, &status, 0);
  }
  pid_ = -1;
  if (!ended) return -1000;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

bool Child::running() { return pid_ > 0 && ::kill(pid_, 0) == 0; }

namespace {

bool is_reported(pid_t pid, int what) {
  siginfo_t seen{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &seen, what | WNOHANG | WNOWAIT) == 0 && seen.si_pid != 0;
}

}  // namespace

bool Child::has_ended() const { return is_reported(pid_, WEXITED); }
bool Child::has_stopped() const { return is_reported(pid_, WSTOPPED); }

void kill_self() noexcept { ::kill(::getpid(), SIGKILL); }
void stop_self() noexcept { ::kill(::getpid(), SIGSTOP); }

TestName::TestName() {
  static std::atomic<unsigned> next{0};
  name_ = "test." + std::to_string(::getpid()) + "." + std::to_string(next++);
}

TestName::~TestName() { Segment::remove(name_); }

}  // namespace sapbuf::test
