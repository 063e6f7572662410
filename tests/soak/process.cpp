#include "soak/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <system_error>
#include <utility>

#include "soak/clock.hpp"

namespace sapbuf::soak {
namespace {

// A group of its own, so that Ctrl-C reaches the supervisor only, and the signals' usual meaning.
void become_child(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(2);
  ::setpgid(0, 0);
  for (const int signal : {SIGINT, SIGTERM, SIGALRM, SIGPIPE}) ::signal(signal, SIG_DFL);
}

}  // namespace

Process::Process(const std::function<void()>& code) {
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ != 0) return;
  become_child(parent);
  int status = 0;
  try {
    code();
  } catch (const std::exception&) {
    status = 1;
  }
  ::_exit(status);
}

Process::Process(Process&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}

Process& Process::operator=(Process&& other) noexcept {
  std::swap(pid_, other.pid_);
  return *this;
}

Process::~Process() {
  if (!runs()) return;
  send(SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Process::send(int signal) const noexcept {
  if (runs()) ::kill(pid_, signal);
}

std::optional<int> Process::reap() {
  int status = 0;
  if (!runs() || ::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

std::optional<int> Process::reap_within(std::uint64_t patience_ns) {
  for (const std::uint64_t until = now_ns() + patience_ns; now_ns() < until; ::usleep(500)) {
    if (const auto status = reap()) return status;
  }
  return std::nullopt;
}

Watchdog::Watchdog(const std::string& program, const std::string& stream)
    : log_(::memfd_create("watchdog-log", MFD_CLOEXEC)), process_([&] {
        ::dup2(log_, STDOUT_FILENO);
        ::dup2(log_, STDERR_FILENO);
        ::execl(program.c_str(), program.c_str(), stream.c_str(), nullptr);
        throw std::system_error(errno, std::generic_category(), program);
      }) {}

Watchdog::Watchdog(Watchdog&& other) noexcept
    : log_(std::exchange(other.log_, -1)), process_(std::move(other.process_)) {}

Watchdog& Watchdog::operator=(Watchdog&& other) noexcept {
  std::swap(log_, other.log_);
  process_ = std::move(other.process_);
  return *this;
}

Watchdog::~Watchdog() {
  if (log_ >= 0) ::close(log_);
}

bool Watchdog::is_watching() const { return log().find(": watching\n") != std::string::npos; }

std::string Watchdog::log() const {
  struct stat file {};
  if (log_ < 0 || ::fstat(log_, &file) != 0) return {};
  std::string text(static_cast<std::size_t>(file.st_size), '\0');
  const ssize_t got = ::pread(log_, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

}  // namespace sapbuf::soak
