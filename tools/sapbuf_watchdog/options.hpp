// What the watchdog was asked to do.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace sapbuf::tools {

enum class OnHung { report, kill };

struct WatchdogOptions {
  std::vector<std::string> names;
  bool all = false;
  bool once = false;
  bool dry_run = false;  // look, but change nothing
  bool json = false;
  std::chrono::milliseconds interval{100};
  std::chrono::milliseconds hung_after{0};  // 0: nobody is called hung
  OnHung on_hung = OnHung::report;
};

// Both return the exit status.
int run_once(const WatchdogOptions& options);
int run_daemon(const WatchdogOptions& options);

}  // namespace sapbuf::tools
