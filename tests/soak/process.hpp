// Child processes that end with the supervisor, whatever happens to it.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

namespace sapbuf::soak {

// Move-only; the destructor kills and reaps.
class Process {
 public:
  Process() = default;
  // Runs `code` in a child made by fork: exit status 0, or 1 if it throws.
  explicit Process(const std::function<void()>& code);
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process();

  pid_t pid() const noexcept { return pid_; }
  bool runs() const noexcept { return pid_ > 0; }
  void send(int signal) const noexcept;
  // Exit status, or minus the signal that ended it; nothing while it runs. Only once.
  std::optional<int> reap();
  std::optional<int> reap_within(std::uint64_t patience_ns);

 private:
  pid_t pid_ = -1;
};

// The real daemon, for one stream.
class Watchdog {
 public:
  Watchdog(const std::string& program, const std::string& stream);
  Watchdog(Watchdog&& other) noexcept;
  Watchdog& operator=(Watchdog&& other) noexcept;
  ~Watchdog();

  Process& process() noexcept { return process_; }
  // Its log says that it has the stream open.
  bool is_watching() const;
  std::string log() const;

 private:
  int log_ = -1;
  Process process_;
};

}  // namespace sapbuf::soak
