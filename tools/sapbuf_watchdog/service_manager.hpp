// The service manager that started the daemon, if one did: sd_notify(3), spoken without its library.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <string>

#include "common/process.hpp"

namespace sapbuf::tools {

// It is told READY=1 after the first sweep, and WATCHDOG=1 after later ones, at least twice in the time after which it
// takes the daemon for stuck. A sweep is one look at every stream that came to its end, whatever it found: a stream
// that is corrupt, or whose recovery waits for a stopped process, would not be helped by a restart of the daemon. A
// look that the daemon itself lacks descriptors or memory for did not come to its end.
class ServiceManager {
 public:
  using Clock = std::chrono::steady_clock;

  // As NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID say.
  ServiceManager();

  // When a sweep is to be made and told of; the end of time if none is.
  Clock::time_point next_sweep() const noexcept { return next_sweep_; }
  bool wants_sweep() const noexcept { return Clock::now() >= next_sweep_; }
  // The sweep was made. `status` is for people.
  void swept(bool completed, const std::string& status);
  void stopping();

 private:
  void connect(std::string address);
  bool send(const std::string& message);

  Descriptor socket_;
  sockaddr_un address_{};
  socklen_t address_bytes_ = 0;
  std::chrono::microseconds ping_every_{0};  // 0: the manager waits for no pings
  Clock::time_point next_sweep_ = Clock::time_point::max();
  bool ready_told_ = false;
  bool trouble_told_ = false;
};

}  // namespace sapbuf::tools
