// Commands that work on blocks: a block is done with when its command succeeds, and put back when that fails or dies.
#pragma once

#include <chrono>
#include <csignal>
#include <map>
#include <sapbuf/sapbuf.hpp>
#include <string>

namespace sapbuf::tools {

// `text` as one word for a shell.
std::string quoted_for_shell(std::string_view text);

class Jobs {
 public:
  // Keeps the end of children to itself (SIGCHLD is blocked) as long as it lives.
  Jobs(const Queue& queue, std::string command, std::size_t most, std::chrono::milliseconds retry_after);
  Jobs(const Jobs&) = delete;
  Jobs& operator=(const Jobs&) = delete;
  ~Jobs();  // waits for all, as settle() does

  bool is_full() const noexcept { return running_.size() >= most_; }
  bool is_idle() const noexcept { return running_.empty(); }
  std::size_t running() const noexcept { return running_.size(); }
  // With `{}` in the command replaced by the block's text.
  void start(TakenBlock&& block);
  // Settles those that have ended; where none has, waits so long for one, or until a signal comes. Returns how many that
  // were. Where two signals came, the commands get SIGTERM first, and the block of one that fails then is put back with that
  // delivery uncounted.
  std::size_t settle(std::chrono::milliseconds longest);

  // One of them could not be run (exit status 126 or 127): its block is put back with that delivery uncounted, and there is no
  // point in another one.
  bool cannot_run() const noexcept { return cannot_run_; }
  bool all_succeeded() const noexcept { return put_back_ == 0 && given_up_ == 0; }
  // How many blocks are done with, and how many are not.
  std::string account() const;

 private:
  std::size_t settle_ended();
  void end_all();
  std::string put_back(TakenBlock& block);
  void settle_one(TakenBlock& block, int status);
  void put_back_unrun(TakenBlock& block, int exit_status);

  const std::string command_;
  const std::size_t most_;
  const std::chrono::milliseconds retry_after_;
  const std::uint32_t max_deliveries_;  // 0: no block is ever given up
  const std::string queue_;
  sigset_t mask_before_{};
  std::map<int, TakenBlock> running_;  // by process
  std::uint64_t succeeded_ = 0;
  std::uint64_t put_back_ = 0;
  std::uint64_t given_up_ = 0;
  bool cannot_run_ = false;
  bool has_ended_them_ = false;
};

}  // namespace sapbuf::tools
