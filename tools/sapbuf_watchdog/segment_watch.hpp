// One segment under the daemon's eyes.
#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "common/segment_file.hpp"
#include "sapbuf_watchdog/findings.hpp"
#include "sapbuf_watchdog/hung.hpp"
#include "sapbuf_watchdog/journal_watch.hpp"
#include "sapbuf_watchdog/options.hpp"
#include "sapbuf_watchdog/process_watch.hpp"

namespace sapbuf::tools {

// Follows a name: the segment may not exist yet, go, and come again as another one. No trouble with it ends the
// watchdog: it is told once, and tried again later.
class SegmentWatch {
 public:
  using Clock = std::chrono::steady_clock;

  SegmentWatch(std::string name, const WatchdogOptions& options, KilledProcesses& killed)
      : name_(std::move(name)), options_(options), hung_(options, killed) {}

  const std::string& name() const noexcept { return name_; }
  const ProcessWatch& processes() const noexcept { return processes_; }
  bool is_open() const noexcept { return segment_.has_value(); }
  Clock::time_point next_due() const noexcept { return next_due_; }
  bool has_trouble() const noexcept { return !trouble_.empty(); }
  bool is_recovery_pending() const noexcept { return pending_; }

  // A look: the name, recovery, and who is there. False if this process lacks the resources for it.
  bool tick();
  // A process that was watched has ended: a look should follow soon.
  void process_ended(int fd) { processes_.drop(fd); }
  // The findings of the looks so far, as JSON, where the options ask for it; forgets them.
  std::string take_output() { return std::exchange(output_, {}); }

 private:
  void look_or_throw();
  void follow_name();
  void let_go();
  void give_up_if_truncated();
  RecoveryReport recover_now();
  void refresh();
  void tell_trouble(const std::string& text);
  void tell_json(const Findings& findings);

  std::string name_;
  const WatchdogOptions& options_;
  std::optional<Segment> segment_;
  FileIdentity identity_;
  std::optional<FileIdentity> given_up_;  // was truncated in use: not opened again
  ProcessWatch processes_;
  HungWatch hung_;
  JournalWatch journal_;
  std::set<std::pair<std::uint32_t, std::int32_t>> dead_told_;  // slot and pid, for --dry-run
  Clock::time_point next_due_{};
  bool pending_ = false;          // recovery has something left
  int quick_retries_ = 0;         // since recovery last had nothing pending
  int sudden_ends_ = 0;           // looks in a row behind which somebody had ended
  std::uint32_t left_alone_ = 0;  // told already
  bool waiting_told_ = false;     // that there is no such segment
  std::string trouble_;           // told already
  std::string output_;
};

}  // namespace sapbuf::tools
