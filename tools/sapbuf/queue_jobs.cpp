#include "sapbuf/queue_jobs.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>

#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/stop.hpp"

namespace sapbuf::tools {

namespace {

// Of a shell, and of what begins other commands as it does: not executable, and not found.
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;

constexpr std::size_t kMostPagesOfWord = 32;  // Linux's MAX_ARG_STRLEN: of a command line's word, with its zero

std::string filled_in(std::string_view command, std::string_view text) {
  const std::string word = quoted_for_shell(text);
  std::string filled;
  for (std::size_t at = 0; at < command.size();) {
    if (command.substr(at, 2) == "{}") {
      filled += word;
      at += 2;
    } else {
      filled += command[at++];
    }
  }
  return filled;
}

// Empty if it can be run.
std::string why_not_run(std::string_view command, std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return "a block has a zero byte in it, which no command line can have";
  const auto most = kMostPagesOfWord * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) - 1;
  if (command.size() <= most) return {};
  return fmt::format("a block makes a command of {} bytes, and the system takes {} at most",
                     human_count(command.size()), human_count(most));
}

// What pop itself reads is not the commands' to eat.
void read_nothing() {
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing < 0 || ::dup2(nothing, STDIN_FILENO) < 0) ::close(STDIN_FILENO);
}

// In the child. A command does not outlive the one that has the block: another one is about to get it then. What the
// command itself began does, for a while.
[[noreturn]] void become(const char* command, pid_t parent, const sigset_t& mask) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(125);
  ::setpgid(0, 0);  // Ctrl-C goes to pop alone, which waits for the commands
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE, SIGXFSZ}) std::signal(signal, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &mask, nullptr);
  read_nothing();
  ::execl("/bin/sh", "sh", "-c", command, static_cast<char*>(nullptr));
  ::_exit(kNotExecutable);
}

sigset_t child_ended() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  return set;
}

constexpr std::chrono::seconds kLongestWait{1};

}  // namespace

std::string quoted_for_shell(std::string_view text) {
  std::string quoted = "'";
  for (const char byte : text) {
    if (byte == '\'') {
      quoted += "'\\''";
    } else {
      quoted += byte;
    }
  }
  return quoted + "'";
}

Jobs::Jobs(const Queue& queue, std::string command, std::size_t most, std::chrono::milliseconds retry_after)
    : command_(std::move(command)),
      most_(most),
      retry_after_(retry_after),
      max_deliveries_(queue.options().max_deliveries),
      queue_(queue.segment().name() + "/" + queue.name()) {
  const sigset_t ended = child_ended();
  ::sigprocmask(SIG_BLOCK, &ended, &mask_before_);
}

Jobs::~Jobs() {
  while (!is_idle()) settle(kLongestWait);
  ::sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
}

void Jobs::start(TakenBlock&& block) {
  const std::string_view text{reinterpret_cast<const char*>(block.bytes().data()), block.bytes().size()};
  const std::string command = filled_in(command_, text);
  if (const std::string why = why_not_run(command, text); !why.empty()) {
    spdlog::error("{}: {}", why, put_back(block));
    return;
  }
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) become(command.c_str(), parent, mask_before_);
  if (child < 0) throw Failure(kFailure, fmt::format("cannot begin a process: {}", std::strerror(errno)));
  ::setpgid(child, child);  // here, too: whichever comes first
  running_.emplace(child, std::move(block));
}

// Says what became of it.
std::string Jobs::put_back(TakenBlock& block) {
  const bool is_given_up = max_deliveries_ != 0 && block.deliveries() >= max_deliveries_;
  block.put_back_after(retry_after_);
  if (!is_given_up) {
    ++put_back_;
    return "put back";
  }
  ++given_up_;
  return fmt::format("given up, it is a dead letter now ('sapbuf queue dead {}')", shell_operand(queue_));
}

std::string Jobs::account() const {
  return fmt::format("{} done, {} put back, {} given up", counted(succeeded_, "block"), human_count(put_back_),
                     human_count(given_up_));
}

// No block is to blame, and the next one would fare no better.
void Jobs::put_back_unrun(TakenBlock& block, int exit_status) {
  if (!cannot_run_) {
    spdlog::error("cannot run '{}' (exit status {}: {}): no block counts as delivered to it", excerpt(command_, 80),
                  exit_status, exit_status == kNotFound ? "not found" : "not executable");
  }
  cannot_run_ = true;
  ++put_back_;
  block.retry();
}

// Once.
void Jobs::end_all() {
  if (has_ended_them_) return;
  has_ended_them_ = true;
  for (const auto& [child, block] : running_) ::kill(-child, SIGTERM);
}

void Jobs::settle_one(TakenBlock& block, int status) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    ++succeeded_;
    block.done();
    return;
  }
  if (WIFEXITED(status) && (WEXITSTATUS(status) == kNotFound || WEXITSTATUS(status) == kNotExecutable)) {
    put_back_unrun(block, WEXITSTATUS(status));
    return;
  }
  if (has_ended_them_) {
    ++put_back_;
    block.retry();
    return;
  }
  const std::string why = WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                                              : fmt::format("exit status {}", WEXITSTATUS(status));
  const std::string_view text{reinterpret_cast<const char*>(block.bytes().data()), block.bytes().size()};
  const std::string failure = fmt::format("'{}' failed ({}, delivery {})", excerpt(text, 80), why, block.deliveries());
  spdlog::warn("{}: {}", failure, put_back(block));
}

std::size_t Jobs::settle_ended() {
  std::size_t settled = 0;
  while (!running_.empty()) {
    int status = 0;
    const pid_t child = ::waitpid(-1, &status, WNOHANG);
    if (child <= 0) break;
    const auto found = running_.find(child);
    if (found == running_.end()) continue;
    settle_one(found->second, status);
    running_.erase(found);
    ++settled;
  }
  return settled;
}

std::size_t Jobs::settle(std::chrono::milliseconds longest) {
  if (stop_requested_twice()) end_all();
  const std::size_t settled = settle_ended();
  if (settled != 0 || running_.empty() || longest.count() == 0) return settled;
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(longest);
  const timespec time{.tv_sec = whole.count(), .tv_nsec = std::chrono::nanoseconds{longest - whole}.count()};
  const sigset_t ended = child_ended();  // one that ended in between is pending
  ::sigtimedwait(&ended, nullptr, &time);
  return settle_ended();
}

}  // namespace sapbuf::tools
